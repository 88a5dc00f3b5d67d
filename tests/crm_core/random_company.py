"""Random companies for the metric properties: rows with awkward values, written with plain inserts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, select

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.models import ROLES, Base
from tests.factories import NOW, Maker

Row = dict[str, Any]


@dataclass
class Data:
    """One random company: its database, and every row of it by table."""

    engine: Engine
    tables: dict[str, list[Row]]

    def by_id(self, table: str) -> dict[int, Row]:
        return {row["id"]: row for row in self.tables[table]}


class Generator:
    """Rows with awkward values: midnights, clock changes, fractions of a second, nothing at all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.size = (0, 4, 25, 40, 60, 60)[seed % 6]
        self.foreign = seed % 3 != 1

    def maybe(self, value: Any, chance: float = 0.8) -> Any:
        return value if self.random.random() < chance else None

    def pick(self, values: Any, chance: float = 0.85) -> Any:
        values = list(values)
        return self.maybe(self.random.choice(values), chance) if values else None

    def instant(self, earliest: datetime | None = None, latest: datetime = NOW) -> datetime:
        earliest = earliest or NOW - timedelta(days=900)
        moment = earliest + (latest - earliest) * self.random.random()
        kind = self.random.random()
        if kind < 0.3:  # about a local midnight, sometimes of a day whose clocks change
            zone = ZoneInfo(self.random.choice(["Europe/Berlin", "America/New_York"]))
            day = self.random.choice([moment.date(), date(2026, 3, 29), date(2025, 10, 26), date(2026, 3, 8), date(2026, 7, 1)])
            moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
            moment += timedelta(microseconds=self.random.choice([-1, 0, 1]))
        elif kind < 0.6:
            moment = moment.replace(microsecond=self.random.choice([0, 499_999, 500_000, 999_499, 999_500, 999_999]))
        return min(max(moment, earliest), latest)

    def noun(self, number: int, **values: Any) -> Row:
        created = values.pop("created_at", None) or self.instant()
        archived = self.maybe(NOW, 0.1)
        return {
            "id": number,
            "version": 1,
            "created_at": created,
            "updated_at": created,
            "archived_at": archived,
            "custom": {},
            **values,
        }


def fill(engine: Engine, seed: int) -> None:
    """Write one random company with plain inserts."""
    make = Generator(seed)
    with unit_of_work(engine, system_actor(), write=True, now=NOW) as ctx:
        maker = Maker(ctx, seed)
        maker.picklists()
        if make.foreign:
            for currency, micro, day in (
                ("EUR", 1_083_717, date(2025, 1, 1)),
                ("EUR", 1_171_003, date(2026, 8, 12)),
                ("EUR", 2_000_000, date(2026, 8, 13)),
                ("JPY", 673_149, date(2030, 1, 1)),
            ):
                maker.rate(currency, micro, day)
        for key, kind in (
            ("tier", "choice"),
            ("seats", "number"),
            ("budget", "money"),
            ("kickoff", "date"),
            ("pilot", "boolean"),
            ("memo", "text"),
        ):
            maker.custom_field("deal", key, kind, ["Gold", "Tin", "Clay"] if kind == "choice" else ())
        maker.custom_field("company", "segment", "choice", ["Big", "Small"])
        for table, rows in _rows(make).items():
            if rows:
                ctx.session.execute(insert(Base.metadata.tables[table]), rows)


def _rows(make: Generator) -> dict[str, list[Row]]:
    size, rnd = make.size, make.random
    currencies = ["USD", "EUR", "JPY"] if make.foreign else ["USD"]
    teams = [
        {"id": 1, "name": "West", "parent_id": None},
        {"id": 2, "name": "West by sea", "parent_id": 1},
        {"id": 3, "name": "East", "parent_id": None},
    ]
    users = [
        make.noun(
            number,
            name=f"Person {number}",
            email=f"p{number}@lantern.test",
            role=rnd.choice(ROLES),
            active=True,
            team_id=rnd.choice([1, 1, 2, 3, None]),
            timezone=rnd.choice([None, "America/New_York", "Asia/Kolkata"]),
            archived_at=None,
        )
        for number in range(1, 7)
    ]
    owners = range(1, 7)
    pipelines = [{"id": 1, "name": "Line A", "position": 0}, {"id": 2, "name": "Line B", "position": 1}]
    stages = [
        {
            "id": 10 * line + place,
            "pipeline_id": line,
            "name": f"{name} {line}" if place else name,
            "position": place,
            "probability": chance,
            "kind": kind,
        }
        for line in (1, 2)
        for place, (name, chance, kind) in enumerate(
            [("Start", 5, "open"), ("Middle", 33, "open"), ("Late", 71, "open"), ("Yes", 100, "won"), ("No", 0, "lost")]
        )
    ]
    companies = [
        make.noun(
            number,
            name=rnd.choice(["Zürich AG", "Acme", "acme Süd", "Ödland", "50% _off"]) + f" {number}",
            owner_id=make.pick(owners),
            industry=make.pick(["Cheese", "Robotics"]),
            region=make.pick(["North", "South"]),
            country=make.pick(["Chile", "Malta", ""]),
            city=make.pick(["Ulm"]),
            employees=make.maybe(rnd.randint(0, 50)),
            annual_revenue_minor=make.maybe(rnd.randint(0, 10**12)),
            parent_id=make.pick(range(1, number), 0.3),
            custom={"segment": rnd.choice(["Big", "Small"])} if rnd.random() < 0.6 else {},
        )
        for number in range(1, size // 4 + 1)
    ]
    company_ids = [row["id"] for row in companies]
    contacts = [
        make.noun(
            number,
            name=f"Contact {number}",
            title=make.pick(["Buyer", "CHIEF buyer", ""]),
            email=None,
            city=make.pick(["Ulm", "Bonn"]),
            company_id=make.pick(company_ids),
            owner_id=make.pick(owners),
            consent_email=rnd.choice([True, False, None]),
            consent_phone=None,
        )
        for number in range(1, size // 3 + 1)
    ]
    contact_ids = [row["id"] for row in contacts]
    employments = [
        {
            "contact_id": contact,
            "company_id": rnd.choice(company_ids),
            "title": None,
            "started_on": None,
            "ended_on": make.maybe(date(2026, 1, 1), 0.5),
        }
        for contact in contact_ids
        if company_ids
        for _ in range(rnd.randint(0, 2))
    ]
    leads = []
    for number in range(1, size + 1):
        created = make.instant()
        converted = make.maybe(make.instant(created), 0.3) if contact_ids else None
        leads.append(
            make.noun(
                number,
                created_at=created,
                name=f"Lead {number}",
                company_name=None,
                status=rnd.choice(["Fresh", "Dead"]),
                source=make.pick(["Trade fair", "Word of mouth"]),
                region=make.pick(["North", "South"]),
                owner_id=make.pick(owners),
                first_response_at=make.maybe(make.instant(created), 0.6),
                converted_at=converted,
                contact_id=rnd.choice(contact_ids) if converted else None,
                company_id=None,
                deal_id=None,
            )
        )
    deals, entries, moves = [], [], []
    for number in range(1, size + 1):
        created = make.instant()
        stage = rnd.choice(stages)
        closed = make.instant(created) if stage["kind"] != "open" else None
        custom = {
            "tier": rnd.choice(["Gold", "Tin"]),
            "seats": rnd.choice([0, 2, 2.5, 10**9]),
            "budget": rnd.choice([0, 100, 5 * 10**9]),
            "kickoff": rnd.choice(["2026-03-29", "2026-08-12"]),
            "pilot": rnd.choice([True, False]),
            "memo": rnd.choice(["", "Long memo"]),
        }
        deals.append(
            make.noun(
                number,
                created_at=created,
                name=f"Deal {number}",
                company_id=make.pick(company_ids),
                pipeline_id=stage["pipeline_id"],
                stage_id=stage["id"],
                status=stage["kind"],
                amount_minor=make.maybe(rnd.choice([0, 1, rnd.randint(0, 10**7), 10**12])),
                currency=rnd.choice(currencies),
                expected_close_on=make.maybe((NOW + timedelta(days=rnd.randint(-400, 300))).date()),
                closed_at=closed,
                forecast_category=make.pick(["Sunny", "Maybe"]),
                source=make.pick(["Website"]),
                loss_reason=make.pick(["Too dear", "No reply"]) if stage["kind"] == "lost" else None,
                next_step=make.pick(["Call", "call back", ""]),
                owner_id=make.pick(owners),
                custom={key: value for key, value in custom.items() if rnd.random() < 0.6},
            )
        )
        line = [item for item in stages if item["pipeline_id"] == stage["pipeline_id"]]
        at = created
        for step in range(stays := rnd.randint(1, 4)):
            left = make.instant(at) if step < stays - 1 else None
            entries.append(
                {
                    "deal_id": number,
                    "stage_id": rnd.choice(line)["id"] if left else stage["id"],
                    "entered_at": at,
                    "left_at": left,
                }
            )
            at = left or at
        for _ in range(rnd.randint(0, 2)):
            moves.append(
                {
                    "deal_id": number,
                    "changed_at": make.instant(created),
                    "old_day": date(2026, 6, rnd.randint(1, 30)),
                    "new_day": make.maybe(date(2026, rnd.choice([5, 6, 7]), rnd.randint(1, 30))),
                    "amount_minor": 5,
                }
            )
    deal_ids = [row["id"] for row in deals]
    products = [
        make.noun(number, name=f"Product {number}", code=None, family=make.pick(["Lamps", "Oil"]), active=number != 2) for number in (1, 2, 3)
    ]
    items = [
        {
            "deal_id": deal,
            "product_id": rnd.choice([1, 2, 3]),
            "quantity": rnd.randint(1, 9),
            "unit_price_minor": 7,
            "total_minor": rnd.randint(0, 10**6),
        }
        for deal in deal_ids
        for _ in range(rnd.randint(0, 2))
    ]
    roles = [
        {"deal_id": deal, "contact_id": rnd.choice(contact_ids), "role": role}
        for deal in deal_ids
        if contact_ids
        for role in ("boss", "user")
        if rnd.random() < 0.3
    ]
    tickets = []
    for number in range(1, size + 1):
        created = make.instant()
        tickets.append(
            make.noun(
                number,
                created_at=created,
                subject=f"Ticket {number}",
                description="",
                status=rnd.choice(["Waiting", "Fixed"]),
                priority=make.pick(["Whisper", "Loud"]),
                category=make.pick(["Wiring"]),
                company_id=make.pick(company_ids),
                contact_id=make.pick(contact_ids),
                owner_id=make.pick(owners),
                first_response_at=make.maybe(make.instant(created), 0.6),
                resolved_at=make.maybe(make.instant(created), 0.5),
            )
        )
    activities = []
    for number in range(1, size + 1):
        kind = rnd.choice(["call", "email", "meeting", "note", "task"])
        created = make.instant()
        activities.append(
            make.noun(
                number,
                created_at=created,
                kind=kind,
                subject=f"Talk {number}",
                body="",
                direction=make.pick(["inbound", "outbound"], 0.5),
                outcome=make.pick(["Reached"]),
                occurred_at=make.instant(),
                duration_minutes=make.maybe(rnd.randint(0, 90)),
                due_on=make.maybe(date(2026, 8, rnd.randint(1, 30))),
                completed_at=make.maybe(make.instant(created), 0.5) if kind == "task" else None,
                owner_id=make.pick(owners),
                company_id=make.pick(company_ids),
                contact_id=make.pick(contact_ids),
                deal_id=make.pick(deal_ids, 0.5),
                lead_id=None,
                ticket_id=None,
            )
        )
    people = [{"activity_id": row["id"], "contact_id": rnd.choice(contact_ids)} for row in activities if contact_ids and rnd.random() < 0.3]
    targets = []
    for _ in range(size // 2):
        first = rnd.choice([date(2026, 4, 1), date(2026, 7, 1), date(2026, 8, 1), date(2026, 10, 1), date(2025, 4, 1)])
        end = rnd.choice([date(first.year, first.month + 1, 1), date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)])
        targets.append({"user_id": rnd.choice(list(owners)), "first": first, "end": end, "amount_minor": rnd.randint(0, 10**7)})
    return {
        "team": teams,
        "user_account": users,
        "pipeline": pipelines,
        "stage": stages,
        "company": companies,
        "contact": contacts,
        "employment": employments,
        "deal": deals,
        "lead": leads,
        "stage_entry": entries,
        "close_date_change": moves,
        "product": products,
        "line_item": items,
        "deal_contact": roles,
        "ticket": tickets,
        "activity": activities,
        "activity_participant": people,
        "target": targets,
    }


class Datasets:
    """Random companies by kind of database and seed, each made once."""

    def __init__(self, databases: Any) -> None:
        self.databases = databases
        self.made: dict[tuple[str, int], Data] = {}

    def get(self, kind: str, seed: int) -> Data:
        if (kind, seed) not in self.made:
            engine, _ = self.databases.copy(kind, "plain")
            fill(engine, seed)
            with engine.connect() as connection:
                tables = {table.name: [dict(row._mapping) for row in connection.execute(select(table))] for table in Base.metadata.sorted_tables}
            self.made[kind, seed] = Data(engine, tables)
        return self.made[kind, seed]
