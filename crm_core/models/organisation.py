"""The company that uses Rapport: its conventions, teams, users, rights, words and rates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm_core.database import Base, BigKey, UtcDateTime
from crm_core.models.base import Json, Noun

ROLES = ("readonly", "rep", "manager", "admin")
SCOPES = ("none", "own", "team", "all")


class Organisation(Base):
    """The single row of conventions. ``access_version`` rises when users, teams or grants change."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    home_currency: Mapped[str] = mapped_column(String(3))
    timezone: Mapped[str] = mapped_column(String(64))
    fiscal_start_month: Mapped[int] = mapped_column(Integer, default=1)
    week_start: Mapped[int] = mapped_column(Integer, default=0)
    phone_region: Mapped[str] = mapped_column(String(2), default="US")
    access_version: Mapped[int] = mapped_column(Integer, default=1)
    vocabulary_version: Mapped[int] = mapped_column(Integer, default=1)

    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        CheckConstraint("fiscal_start_month between 1 and 12", name="fiscal_month"),
        CheckConstraint("week_start between 0 and 6", name="week_start"),
    )


class Team(Base):
    """A sales or service team; teams nest."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))


class User(Noun, Base):
    """A person who signs in, or a rep known only from imported data (``active`` false, no sign-in)."""

    __noun__ = "user"
    __owner__ = ""
    __tablename__ = "user_account"

    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320), unique=True)
    role: Mapped[str] = mapped_column(String(20), default="rep")
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    timezone: Mapped[str | None] = mapped_column(String(64))
    active: Mapped[bool] = mapped_column(Boolean, default=True)

    team: Mapped[Team | None] = relationship()

    __table_args__ = (CheckConstraint("role in ('readonly', 'rep', 'manager', 'admin')", name="role"),)


class Grant(Base):
    """Row rights of one role on one noun: which rows it may read and which it may change."""

    __tablename__ = "role_grant"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    noun: Mapped[str] = mapped_column(String(40))
    read_scope: Mapped[str] = mapped_column(String(10))
    write_scope: Mapped[str] = mapped_column(String(10))

    __table_args__ = (
        UniqueConstraint("role", "noun"),
        CheckConstraint("read_scope in ('none', 'own', 'team', 'all')", name="read_scope"),
        CheckConstraint("write_scope in ('none', 'own', 'team', 'all')", name="write_scope"),
    )


class PicklistValue(Base):
    """One allowed value of a choice field in the company's own words.

    ``kind`` carries what the code must know of it: for ticket status ``open`` or ``resolved``, for lead
    status ``open``, ``converted`` or ``closed``, for forecast category ``commit``, ``best_case``,
    ``pipeline`` or ``omitted``. ``synonyms`` are further words that people use for it.
    """

    __tablename__ = "picklist_value"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    field: Mapped[str] = mapped_column(String(60))
    value: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str | None] = mapped_column(String(40))
    position: Mapped[int] = mapped_column(Integer, default=0)
    synonyms: Mapped[list[str]] = mapped_column(Json, default=list)

    __table_args__ = (UniqueConstraint("noun", "field", "value"),)


class CustomField(Base):
    """A field that the company added to a noun; values live in the noun's ``custom`` map.

    ``kind`` is text, number, money (minor units of the home currency), date (ISO day), choice or boolean.
    """

    __tablename__ = "custom_field"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(60))
    label: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    choices: Mapped[list[str]] = mapped_column(Json, default=list)
    synonyms: Mapped[list[str]] = mapped_column(Json, default=list)
    help: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        UniqueConstraint("noun", "key"),
        CheckConstraint("kind in ('text', 'number', 'money', 'date', 'choice', 'boolean')", name="kind"),
    )


class TaughtWord(Base):
    """A word that people taught: ``phrase`` (folded) is read as ``meaning``; of one user, or of everybody where ``user_id`` is empty."""

    __tablename__ = "taught_word"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    phrase: Mapped[str] = mapped_column(String(80))
    meaning: Mapped[str] = mapped_column(String(300))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    taught_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    taught_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("phrase", "user_id"),)


class ExchangeRate(Base):
    """Home-currency value of a foreign currency from ``day`` on; ``micro`` as in :mod:`crm_core.money`."""

    __tablename__ = "exchange_rate"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))
    day: Mapped[date] = mapped_column(Date)
    micro: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (UniqueConstraint("currency", "day"), CheckConstraint("micro > 0", name="positive"))


class Target(Base):
    """Booking target of a user for a range of days (``end`` exclusive), in home-currency minor units."""

    __tablename__ = "target"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    first: Mapped[date] = mapped_column(Date)
    end: Mapped[date] = mapped_column(Date)
    amount_minor: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint('first < "end"', name="order"), CheckConstraint("amount_minor >= 0", name="amount"))


class FileReference(Base):
    """A pointer to a file kept elsewhere, attached to a record."""

    __tablename__ = "file_reference"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(300))
    location: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(120), default="")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    added_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Document(Base):
    """A named JSON document of derived state, such as the index's position in the event log."""

    __tablename__ = "document"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
