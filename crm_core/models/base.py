"""What every noun shares: keys, version, times, archive mark, custom values."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from crm_core.database import Base, BigKey, UtcDateTime

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Noun:
    """Mixin of the records that people name: versioned, archivable, extensible by custom fields.

    ``version`` rises by one at every change and guards against lost updates. ``created_at`` is when the
    record came to be in the business (an import may set it), not when the row was written; the event log
    keeps that. ``custom`` maps custom-field keys to values.
    """

    __noun__: ClassVar[str] = ""
    #: Column whose user owns the row, for row rights; empty where everybody sees every row.
    __owner__: ClassVar[str] = "owner_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    external_id: Mapped[str | None] = mapped_column(String(200), unique=True)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    custom: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.__dict__.get("version") or cls.version}


__all__ = ["Base", "Json", "Noun"]
