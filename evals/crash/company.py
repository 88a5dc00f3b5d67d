"""The company that is crashed: a seller's sixty deals, colleagues, and writers who may change everything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, select

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.models import (
    Company,
    Contact,
    Deal,
    Noun,
    Pipeline,
    Product,
    Stage,
    User,
)
from crm_core.services.setup import Conventions, set_up

#: Gives the address of a fresh company, which is removed afterwards.
Fresh = Callable[[], AbstractContextManager[str]]
SEED = 20_261_120
DEALS = 60
#: Deals that the writers share.
CONTENDED = 50
WRITERS = 8
OWNERS = 5
#: When the first deal is expected to close; each next one a day later.
FIRST_CLOSE = date(2027, 1, 1)


def seed(engine: Engine) -> None:
    """Set up a company with a seller's sixty deals, colleagues, and writers who may change everything."""
    set_up(engine, Conventions(name="Crash Test Dummies"))
    with unit_of_work(engine, system_actor(), write=True, door="seed") as ctx:
        before = ctx.now - timedelta(days=30)
        times = {"created_at": before, "updated_at": before, "custom": {}}

        def add(*records: Any) -> Any:
            ctx.session.add_all(records)
            ctx.session.flush()
            return records[0]

        sellers = [User(name=f"Seller {number}", email=f"seller{number}@crash.test", role="rep", **times) for number in range(OWNERS)]
        writers = [User(name=f"Writer {number}", email=f"writer{number}@crash.test", role="admin", **times) for number in range(WRITERS)]
        owner = add(*sellers, *writers)
        pipeline = add(Pipeline(name="Sales", position=0))
        stages = [("Talk", 20, "open"), ("Offer", 60, "open"), ("Won", 100, "won"), ("Lost", 0, "lost")]
        first = add(
            *(
                Stage(pipeline_id=pipeline.id, name=name, position=place, probability=share, kind=kind)
                for place, (name, share, kind) in enumerate(stages)
            )
        )
        company = add(Company(name="Buffer Works", domain="buffer.example", owner_id=owner.id, **times))
        add(Contact(name="Bea Belt", email="bea@buffer.example", phone="+14155550100", company_id=company.id, owner_id=owner.id, **times))
        add(Product(name="Airbag", code="AB-1", **times))
        deal = {"company_id": company.id, "pipeline_id": pipeline.id, "stage_id": first.id, "status": "open", "currency": "USD"}
        for number in range(DEALS):
            day = FIRST_CLOSE + timedelta(days=number)
            add(Deal(name=f"Deal {number}", amount_minor=100_000 + number, expected_close_on=day, owner_id=owner.id, **deal, **times))


@dataclass(frozen=True)
class Cast:
    """Numbers of the records that changes are about."""

    sellers: list[int]
    writers: list[int]
    deals: list[int]
    contact: int
    product: int

    @classmethod
    def of(cls, engine: Engine) -> Cast:
        """Those of a company."""
        with unit_of_work(engine, system_actor(), write=False) as ctx:

            def numbers(model: type[Noun], *conditions: Any) -> list[int]:
                return list(ctx.session.scalars(select(model.id).where(*conditions).order_by(model.id)))

            deals = numbers(Deal)[:DEALS]
            return cls(numbers(User, User.role == "rep"), numbers(User, User.role == "admin"), deals, numbers(Contact)[0], numbers(Product)[0])
