"""What happened and who asked: events, change sets, conversations, keys and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.database import Base, BigKey, UtcDateTime
from crm_core.models.base import Json


class Event(Base):
    """One change of one record, append-only. ``changes`` maps field to ``[old, new]``; ``version`` is the new one."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    door: Mapped[str] = mapped_column(String(30))
    noun: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(30))
    changes: Mapped[dict[str, Any]] = mapped_column(Json)
    change_set_id: Mapped[int | None] = mapped_column(BigInteger, index=True)

    __table_args__ = (Index("ix_event_record", "noun", "record_id", "id"),)


class ChangeSet(Base):
    """A previewed write. ``diff_hash`` binds an approval to exactly what was shown."""

    __tablename__ = "change_set"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    title: Mapped[str] = mapped_column(String(400))
    capability: Mapped[str] = mapped_column(String(60))
    arguments: Mapped[dict[str, Any]] = mapped_column(Json)
    diff: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    diff_hash: Mapped[str] = mapped_column(String(64))
    risk: Mapped[str] = mapped_column(String(20))
    rule: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), index=True)
    requester_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The proposal that this one was made in place of, where its requester corrected or edited it.
    replaces_id: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("status in ('proposed', 'applied', 'refused', 'expired', 'conflict', 'undone', 'replaced')", name="status"),)


class PolicyText(Base):
    """A policy that an administrator set; the newest row holds, and where there is none the shipped policy."""

    __tablename__ = "policy"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    set_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Thread(Base):
    """A conversation. ``owner_id`` started it; others may join it through a shared channel."""

    __tablename__ = "thread"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    door: Mapped[str] = mapped_column(String(30))
    title: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Turn(Base):
    """One message and its answer; ``frame`` is what the next message may refer to. ``rating`` is -1, 1 or empty."""

    __tablename__ = "turn"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    thread_id: Mapped[str] = mapped_column(ForeignKey("thread.id"))
    number: Mapped[int] = mapped_column(Integer)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    message: Mapped[str] = mapped_column(Text)
    answer: Mapped[dict[str, Any]] = mapped_column(Json)
    frame: Mapped[dict[str, Any] | None] = mapped_column(Json)
    rating: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (UniqueConstraint("thread_id", "number"), CheckConstraint("rating in (-1, 1)", name="rating"))


class ApiKey(Base):
    """A user's key for HTTP: only its SHA-256 is kept; ``prefix`` tells keys apart."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebSession(Base):
    """A browser session (``kind`` session) or a one-time sign-in link (``kind`` link), by SHA-256 of its secret."""

    __tablename__ = "web_session"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """The kept result of a creation, so that a repeated request has one effect."""

    __tablename__ = "idempotency_key"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    key: Mapped[str] = mapped_column(String(200))
    request_hash: Mapped[str] = mapped_column(String(64))
    response: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("user_id", "key"),)


class InboundEvent(Base):
    """An event delivered by an outside service, kept so that a redelivery has no second effect."""

    __tablename__ = "inbound_event"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    service: Mapped[str] = mapped_column(String(30))
    event_id: Mapped[str] = mapped_column(String(200))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("service", "event_id"),)
