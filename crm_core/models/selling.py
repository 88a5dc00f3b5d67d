"""Pipelines, deals and products."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm_core.database import Base, BigKey, UtcDateTime
from crm_core.models.base import Noun
from crm_core.models.organisation import User
from crm_core.models.people import Company, Contact


class Pipeline(Base):
    """A sales process with its own stages."""

    __tablename__ = "pipeline"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    position: Mapped[int] = mapped_column(Integer, default=0)

    stages: Mapped[list[Stage]] = relationship(order_by="Stage.position", back_populates="pipeline")


class Stage(Base):
    """A step of a pipeline. ``probability`` is the chance of winning in whole percent."""

    __tablename__ = "stage"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    position: Mapped[int] = mapped_column(Integer)
    probability: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))

    pipeline: Mapped[Pipeline] = relationship(back_populates="stages")

    __table_args__ = (
        UniqueConstraint("pipeline_id", "name"),
        CheckConstraint("kind in ('open', 'won', 'lost')", name="kind"),
        CheckConstraint("probability between 0 and 100", name="probability"),
    )


class Deal(Noun, Base):
    """A possible sale. ``status`` repeats its stage's kind; ``closed_at`` is set while it is won or lost."""

    __noun__ = "deal"
    __tablename__ = "deal"

    name: Mapped[str] = mapped_column(String(300), index=True)
    company_id: Mapped[int | None] = mapped_column(ForeignKey("company.id"), index=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"), index=True)
    status: Mapped[str] = mapped_column(String(10))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    expected_close_on: Mapped[date | None] = mapped_column(Date, index=True)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    forecast_category: Mapped[str | None] = mapped_column(String(120))
    source: Mapped[str | None] = mapped_column(String(120))
    loss_reason: Mapped[str | None] = mapped_column(String(200))
    next_step: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    company: Mapped[Company | None] = relationship()
    owner: Mapped[User | None] = relationship()
    stage: Mapped[Stage] = relationship()
    pipeline: Mapped[Pipeline] = relationship()
    line_items: Mapped[list[LineItem]] = relationship(order_by="LineItem.id")
    contact_roles: Mapped[list[DealContact]] = relationship(order_by="DealContact.id")

    __table_args__ = (
        CheckConstraint("status in ('open', 'won', 'lost')", name="status"),
        CheckConstraint("amount_minor >= 0", name="amount"),
        CheckConstraint("(status = 'open') = (closed_at is null)", name="closed"),
        Index("ix_deal_owner_status", "owner_id", "status"),
        Index("ix_deal_status_stage", "status", "stage_id"),
    )


class DealContact(Base):
    """A person's part in a deal, such as champion or decision maker."""

    __tablename__ = "deal_contact"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id"), index=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    role: Mapped[str] = mapped_column(String(60))

    contact: Mapped[Contact] = relationship()

    __table_args__ = (UniqueConstraint("deal_id", "contact_id", "role"),)


class Product(Noun, Base):
    """Something we sell; prices by currency are in ``prices``."""

    __noun__ = "product"
    __owner__ = ""
    __tablename__ = "product"

    name: Mapped[str] = mapped_column(String(200), index=True)
    code: Mapped[str | None] = mapped_column(String(60), unique=True)
    family: Mapped[str | None] = mapped_column(String(120))
    active: Mapped[bool] = mapped_column(Boolean, default=True)

    prices: Mapped[list[Price]] = relationship(order_by="Price.valid_from")


class Price(Base):
    """List price of a product in one currency from a day on, in minor units."""

    __tablename__ = "price"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    valid_from: Mapped[date] = mapped_column(Date)

    __table_args__ = (UniqueConstraint("product_id", "currency", "valid_from"),)


class LineItem(Base):
    """A product in a deal; ``total_minor`` is quantity times unit price less discount, in the deal's currency."""

    __tablename__ = "line_item"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)

    product: Mapped[Product] = relationship()

    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"), CheckConstraint("total_minor >= 0", name="total"))


class StageEntry(Base):
    """Derived from the event log: one stay of a deal in a stage; ``left_at`` is empty while it lasts."""

    __tablename__ = "stage_entry"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id"), index=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"), index=True)
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CloseDateChange(Base):
    """Derived from the event log: an expected close day that moved; ``amount_minor`` as of that moment."""

    __tablename__ = "close_date_change"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    deal_id: Mapped[int] = mapped_column(ForeignKey("deal.id"), index=True)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    old_day: Mapped[date] = mapped_column(Date)
    new_day: Mapped[date | None] = mapped_column(Date)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
