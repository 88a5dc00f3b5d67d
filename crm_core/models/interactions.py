"""Tickets, activities and the text derived from them for search."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm_core.database import Base, BigKey, UtcDateTime
from crm_core.models.base import Noun
from crm_core.models.organisation import User
from crm_core.models.people import Company, Contact
from crm_core.models.selling import Deal

ACTIVITY_KINDS = ("call", "email", "meeting", "note", "task")


class Ticket(Noun, Base):
    """A customer's request for help. Its owner is the assignee; ``created_at`` is when it was opened."""

    __noun__ = "ticket"
    __tablename__ = "ticket"

    subject: Mapped[str] = mapped_column(String(300))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(120), index=True)
    priority: Mapped[str | None] = mapped_column(String(120))
    category: Mapped[str | None] = mapped_column(String(120))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    first_response_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    company: Mapped[Company | None] = relationship()
    contact: Mapped[Contact | None] = relationship()
    owner: Mapped[User | None] = relationship()


class Activity(Noun, Base):
    """Something that was said, done or is to be done; its owner is the author, or a task's assignee.

    ``occurred_at`` is when it happened; tasks have ``due_on`` and, once done, ``completed_at``.
    """

    __noun__ = "activity"
    __tablename__ = "activity"

    kind: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text, default="")
    direction: Mapped[str | None] = mapped_column(String(10))
    outcome: Mapped[str | None] = mapped_column(String(120))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    duration_minutes: Mapped[int | None] = mapped_column(Integer)
    due_on: Mapped[date | None] = mapped_column(Date)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"), index=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)

    company: Mapped[Company | None] = relationship()
    contact: Mapped[Contact | None] = relationship()
    deal: Mapped[Deal | None] = relationship()
    owner: Mapped[User | None] = relationship()
    participants: Mapped[list[ActivityParticipant]] = relationship()

    __table_args__ = (
        CheckConstraint("kind in ('call', 'email', 'meeting', 'note', 'task')", name="kind"),
        CheckConstraint("direction in ('inbound', 'outbound')", name="direction"),
        CheckConstraint("duration_minutes >= 0", name="duration"),
        Index("ix_activity_kind_occurred_at", "kind", "occurred_at"),
    )


class ActivityParticipant(Base):
    """A contact or a user who took part in an activity."""

    __tablename__ = "activity_participant"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    __table_args__ = (CheckConstraint("(contact_id is null) <> (user_id is null)", name="one_person"),)


class Chunk(Base):
    """Derived: a passage of an activity or ticket, the unit of full-text and of vector search."""

    __tablename__ = "chunk"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_chunk_record", "noun", "record_id"),)


class SearchEntry(Base):
    """Derived: one folded key under which a record is found: name, e-mail, phone digits, domain or initials."""

    __tablename__ = "search_entry"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    record_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(400))

    __table_args__ = (
        Index("ix_search_entry_record", "noun", "record_id"),
        Index("ix_search_entry_key", "key"),
    )
