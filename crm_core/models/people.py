"""Companies, contacts and leads."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Integer,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm_core.database import Base, BigKey, UtcDateTime
from crm_core.models.base import Noun
from crm_core.models.organisation import User


class Company(Noun, Base):
    """An organisation that we sell to or serve; companies nest under a parent."""

    __noun__ = "company"
    __tablename__ = "company"

    name: Mapped[str] = mapped_column(String(300), index=True)
    domain: Mapped[str | None] = mapped_column(String(255), index=True)
    phone: Mapped[str | None] = mapped_column(String(60))
    industry: Mapped[str | None] = mapped_column(String(120), index=True)
    region: Mapped[str | None] = mapped_column(String(120), index=True)
    country: Mapped[str | None] = mapped_column(String(120))
    city: Mapped[str | None] = mapped_column(String(120))
    employees: Mapped[int | None] = mapped_column(Integer)
    annual_revenue_minor: Mapped[int | None] = mapped_column(BigInteger)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)

    owner: Mapped[User | None] = relationship()
    parent: Mapped[Company | None] = relationship(remote_side="Company.id")


class Contact(Noun, Base):
    """A person at a company; ``employments`` keeps the earlier companies."""

    __noun__ = "contact"
    __tablename__ = "contact"

    name: Mapped[str] = mapped_column(String(300), index=True)
    title: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320), index=True)
    phone: Mapped[str | None] = mapped_column(String(60))
    city: Mapped[str | None] = mapped_column(String(120))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    consent_email: Mapped[bool | None] = mapped_column(Boolean)
    consent_phone: Mapped[bool | None] = mapped_column(Boolean)

    company: Mapped[Company | None] = relationship()
    owner: Mapped[User | None] = relationship()
    employments: Mapped[list[Employment]] = relationship(order_by="Employment.started_on")


class Employment(Base):
    """A contact's time at a company; an open one has no ``ended_on``."""

    __tablename__ = "employment"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(200))
    started_on: Mapped[date | None] = mapped_column(Date)
    ended_on: Mapped[date | None] = mapped_column(Date)


class Lead(Noun, Base):
    """A person or company that may become a customer; conversion makes a company, a contact and perhaps a deal."""

    __noun__ = "lead"
    __tablename__ = "lead"

    name: Mapped[str] = mapped_column(String(300), index=True)
    company_name: Mapped[str | None] = mapped_column(String(300))
    title: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320), index=True)
    phone: Mapped[str | None] = mapped_column(String(60))
    source: Mapped[str | None] = mapped_column(String(120), index=True)
    status: Mapped[str] = mapped_column(String(120), index=True)
    region: Mapped[str | None] = mapped_column(String(120))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    first_response_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    converted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"))

    owner: Mapped[User | None] = relationship()

    __table_args__ = (CheckConstraint("converted_at is null or contact_id is not null", name="converted_has_contact"),)
