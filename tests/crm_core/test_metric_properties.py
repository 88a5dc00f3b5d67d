"""Every figure against a naive reckoning: random data, random questions, random rights, exact equality.

``Naive`` reads whole tables as plain rows and answers by looping over them in Python. It shares no code with the
compiler: rights, joins, filters, local days, fiscal steps, conversion and formulas are written out again, from
what the metrics' meanings say. Where the two differ, one of them is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings, strategies as st
from sqlalchemy import Engine, insert, select

from crm_core.access import Actor, system_actor
from crm_core.context import unit_of_work
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Composite
from crm_core.metrics.filters import Filter, FilterGroup
from crm_core.metrics.listing import ListQuestion, list_records, rows_behind
from crm_core.metrics.query import Days, MetricQuestion, MetricResult, ask
from crm_core.models import NOUNS, ROLES, SCOPES, Base
from crm_core.periods import Calendar, Period, preceding, year_before
from tests.factories import CONVENTIONS, NOW, PICKLISTS, Maker

Row = dict[str, Any]
Key = tuple[Any, ...]

FISCAL_MONTH = CONVENTIONS.fiscal_start_month
CALENDAR = Calendar(FISCAL_MONTH, CONVENTIONS.week_start)
FAR_PAST, FAR_FUTURE = date(1900, 1, 1), date(2200, 1, 1)
GRAINS = ("day", "week", "month", "quarter", "year")
#: No shrinking: a question is short as it is, and shrinking over databases takes minutes.
SETTINGS: dict[str, Any] = {
    "derandomize": True, "deadline": None, "database": None, "phases": (Phase.explicit, Phase.generate), "report_multiple_bugs": False,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
SQLITE_SEEDS, POSTGRES_SEEDS = (0, 1, 2, 3, 4, 5), (3, 4)


# --- Random data ----------------------------------------------------------------------------------------


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
        return {"id": number, "version": 1, "created_at": created, "updated_at": created, "archived_at": archived, "custom": {}, **values}


def fill(engine: Engine, seed: int) -> None:
    """Write one random company with plain inserts."""
    make = Generator(seed)
    with unit_of_work(engine, system_actor(), write=True, now=NOW) as ctx:
        maker = Maker(ctx, seed)
        maker.picklists()
        if make.foreign:
            for currency, micro, day in (("EUR", 1_083_717, date(2025, 1, 1)), ("EUR", 1_171_003, date(2026, 8, 12)),
                                         ("EUR", 2_000_000, date(2026, 8, 13)), ("JPY", 673_149, date(2030, 1, 1))):
                maker.rate(currency, micro, day)
        for key, kind in (("tier", "choice"), ("seats", "number"), ("budget", "money"), ("kickoff", "date"), ("pilot", "boolean"), ("memo", "text")):
            maker.custom_field("deal", key, kind, ["Gold", "Tin", "Clay"] if kind == "choice" else ())
        maker.custom_field("company", "segment", "choice", ["Big", "Small"])
        for table, rows in _rows(make).items():
            if rows:
                ctx.session.execute(insert(Base.metadata.tables[table]), rows)


def _rows(make: Generator) -> dict[str, list[Row]]:
    size, rnd = make.size, make.random
    currencies = ["USD", "EUR", "JPY"] if make.foreign else ["USD"]
    teams = [{"id": 1, "name": "West", "parent_id": None}, {"id": 2, "name": "West by sea", "parent_id": 1}, {"id": 3, "name": "East", "parent_id": None}]
    users = [
        make.noun(number, name=f"Person {number}", email=f"p{number}@lantern.test", role=rnd.choice(ROLES), active=True,
                  team_id=rnd.choice([1, 1, 2, 3, None]), timezone=rnd.choice([None, "America/New_York", "Asia/Kolkata"]), archived_at=None)
        for number in range(1, 7)
    ]
    owners = range(1, 7)
    pipelines = [{"id": 1, "name": "Line A", "position": 0}, {"id": 2, "name": "Line B", "position": 1}]
    stages = [
        {"id": 10 * line + place, "pipeline_id": line, "name": f"{name} {line}" if place else name, "position": place, "probability": chance, "kind": kind}
        for line in (1, 2)
        for place, (name, chance, kind) in enumerate([("Start", 5, "open"), ("Middle", 33, "open"), ("Late", 71, "open"), ("Yes", 100, "won"), ("No", 0, "lost")])
    ]
    companies = [
        make.noun(number, name=rnd.choice(["Zürich AG", "Acme", "acme Süd", "Ödland", "50% _off"]) + f" {number}", owner_id=make.pick(owners),
                  industry=make.pick(["Cheese", "Robotics"]), region=make.pick(["North", "South"]), country=make.pick(["Chile", "Malta", ""]),
                  city=make.pick(["Ulm"]), employees=make.maybe(rnd.randint(0, 50)), annual_revenue_minor=make.maybe(rnd.randint(0, 10**12)),
                  parent_id=make.pick(range(1, number), 0.3), custom={"segment": rnd.choice(["Big", "Small"])} if rnd.random() < 0.6 else {})
        for number in range(1, size // 4 + 1)
    ]
    company_ids = [row["id"] for row in companies]
    contacts = [
        make.noun(number, name=f"Contact {number}", title=make.pick(["Buyer", "CHIEF buyer", ""]), email=None, city=make.pick(["Ulm", "Bonn"]),
                  company_id=make.pick(company_ids), owner_id=make.pick(owners), consent_email=rnd.choice([True, False, None]), consent_phone=None)
        for number in range(1, size // 3 + 1)
    ]
    contact_ids = [row["id"] for row in contacts]
    employments = [
        {"contact_id": contact, "company_id": rnd.choice(company_ids), "title": None, "started_on": None, "ended_on": make.maybe(date(2026, 1, 1), 0.5)}
        for contact in contact_ids if company_ids for _ in range(rnd.randint(0, 2))
    ]
    leads = []
    for number in range(1, size + 1):
        created = make.instant()
        converted = make.maybe(make.instant(created), 0.3) if contact_ids else None
        leads.append(make.noun(number, created_at=created, name=f"Lead {number}", company_name=None, status=rnd.choice(["Fresh", "Dead"]),
                               source=make.pick(["Trade fair", "Word of mouth"]), region=make.pick(["North", "South"]), owner_id=make.pick(owners),
                               first_response_at=make.maybe(make.instant(created), 0.6), converted_at=converted,
                               contact_id=rnd.choice(contact_ids) if converted else None, company_id=None, deal_id=None))
    deals, entries, moves = [], [], []
    for number in range(1, size + 1):
        created = make.instant()
        stage = rnd.choice(stages)
        closed = make.instant(created) if stage["kind"] != "open" else None
        custom = {"tier": rnd.choice(["Gold", "Tin"]), "seats": rnd.choice([0, 2, 2.5, 10**9]), "budget": rnd.choice([0, 100, 5 * 10**9]),
                  "kickoff": rnd.choice(["2026-03-29", "2026-08-12"]), "pilot": rnd.choice([True, False]), "memo": rnd.choice(["", "Long memo"])}
        deals.append(make.noun(number, created_at=created, name=f"Deal {number}", company_id=make.pick(company_ids), pipeline_id=stage["pipeline_id"],
                               stage_id=stage["id"], status=stage["kind"], amount_minor=make.maybe(rnd.choice([0, 1, rnd.randint(0, 10**7), 10**12])),
                               currency=rnd.choice(currencies), expected_close_on=make.maybe((NOW + timedelta(days=rnd.randint(-400, 300))).date()),
                               closed_at=closed, forecast_category=make.pick(["Sunny", "Maybe"]), source=make.pick(["Website"]),
                               loss_reason=make.pick(["Too dear", "No reply"]) if stage["kind"] == "lost" else None,
                               next_step=make.pick(["Call", "call back", ""]), owner_id=make.pick(owners),
                               custom={key: value for key, value in custom.items() if rnd.random() < 0.6}))
        line = [item for item in stages if item["pipeline_id"] == stage["pipeline_id"]]
        at = created
        for step in range(stays := rnd.randint(1, 4)):
            left = make.instant(at) if step < stays - 1 else None
            entries.append({"deal_id": number, "stage_id": rnd.choice(line)["id"] if left else stage["id"], "entered_at": at, "left_at": left})
            at = left or at
        for _ in range(rnd.randint(0, 2)):
            moves.append({"deal_id": number, "changed_at": make.instant(created), "old_day": date(2026, 6, rnd.randint(1, 30)),
                          "new_day": make.maybe(date(2026, rnd.choice([5, 6, 7]), rnd.randint(1, 30))), "amount_minor": 5})
    deal_ids = [row["id"] for row in deals]
    products = [make.noun(number, name=f"Product {number}", code=None, family=make.pick(["Lamps", "Oil"]), active=number != 2) for number in (1, 2, 3)]
    items = [
        {"deal_id": deal, "product_id": rnd.choice([1, 2, 3]), "quantity": rnd.randint(1, 9), "unit_price_minor": 7, "total_minor": rnd.randint(0, 10**6)}
        for deal in deal_ids for _ in range(rnd.randint(0, 2))
    ]
    roles = [{"deal_id": deal, "contact_id": rnd.choice(contact_ids), "role": role} for deal in deal_ids if contact_ids
             for role in ("boss", "user") if rnd.random() < 0.3]
    tickets = []
    for number in range(1, size + 1):
        created = make.instant()
        tickets.append(make.noun(number, created_at=created, subject=f"Ticket {number}", description="", status=rnd.choice(["Waiting", "Fixed"]),
                                 priority=make.pick(["Whisper", "Loud"]), category=make.pick(["Wiring"]), company_id=make.pick(company_ids),
                                 contact_id=make.pick(contact_ids), owner_id=make.pick(owners),
                                 first_response_at=make.maybe(make.instant(created), 0.6), resolved_at=make.maybe(make.instant(created), 0.5)))
    activities = []
    for number in range(1, size + 1):
        kind = rnd.choice(["call", "email", "meeting", "note", "task"])
        created = make.instant()
        activities.append(make.noun(number, created_at=created, kind=kind, subject=f"Talk {number}", body="", direction=make.pick(["inbound", "outbound"], 0.5),
                                    outcome=make.pick(["Reached"]), occurred_at=make.instant(), duration_minutes=make.maybe(rnd.randint(0, 90)),
                                    due_on=make.maybe(date(2026, 8, rnd.randint(1, 30))), completed_at=make.maybe(make.instant(created), 0.5) if kind == "task" else None,
                                    owner_id=make.pick(owners), company_id=make.pick(company_ids), contact_id=make.pick(contact_ids),
                                    deal_id=make.pick(deal_ids, 0.5), lead_id=None, ticket_id=None))
    people = [{"activity_id": row["id"], "contact_id": rnd.choice(contact_ids)} for row in activities if contact_ids and rnd.random() < 0.3]
    targets = []
    for _ in range(size // 2):
        first = rnd.choice([date(2026, 4, 1), date(2026, 7, 1), date(2026, 8, 1), date(2026, 10, 1), date(2025, 4, 1)])
        end = rnd.choice([date(first.year, first.month + 1, 1), date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)])
        targets.append({"user_id": rnd.choice(list(owners)), "first": first, "end": end, "amount_minor": rnd.randint(0, 10**7)})
    return {
        "team": teams, "user_account": users, "pipeline": pipelines, "stage": stages, "company": companies, "contact": contacts,
        "employment": employments, "deal": deals, "lead": leads, "stage_entry": entries, "close_date_change": moves, "product": products,
        "line_item": items, "deal_contact": roles, "ticket": tickets, "activity": activities, "activity_participant": people, "target": targets,
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
                tables = {
                    table.name: [dict(row._mapping) for row in connection.execute(select(table))] for table in Base.metadata.sorted_tables
                }
            self.made[kind, seed] = Data(engine, tables)
        return self.made[kind, seed]


@pytest.fixture(scope="session")
def datasets(databases: Any) -> Iterator[Datasets]:
    made = Datasets(databases)
    yield made
    for data in made.made.values():
        databases.drop(data.engine)


# --- The naive reckoning --------------------------------------------------------------------------------

NOUN_TABLE = {noun: model.__tablename__ for noun, model in NOUNS.items()}  # type: ignore[attr-defined]
#: The field of each shape by which "what belongs to it" is found, and its kind.
COMPANY_FIELDS = {"company": "ref", "industry": "choice", "region": "choice", "country": "choice", "segment": "choice"}
OWNER_FIELDS = {"owner": "ref", "team": "ref"}
DEAL_FIELDS = {
    **COMPANY_FIELDS, **OWNER_FIELDS, "id": "number", "name": "text", "pipeline": "ref", "stage": "ref", "status": "choice", "amount": "money",
    "currency": "choice", "expected_close": "day", "closed": "instant", "created": "instant", "forecast_category": "choice", "source": "choice",
    "loss_reason": "choice", "next_step": "text", "age": "number", "last_activity": "instant", "product": "members", "contact": "members",
    "tier": "choice", "seats": "number", "budget": "money", "kickoff": "day", "pilot": "boolean", "memo": "text",
}
FIELDS: dict[str, dict[str, str]] = {
    "deal": DEAL_FIELDS,
    "line_item": DEAL_FIELDS | {"product": "ref", "product_family": "choice"},
    "stage_entry": DEAL_FIELDS | {"entered": "instant"},
    "company": {**OWNER_FIELDS, "id": "number", "name": "text", "company": "ref", "industry": "choice", "region": "choice", "country": "choice", "city": "choice",
                "employees": "number", "annual_revenue": "money", "parent": "ref", "created": "instant", "last_activity": "instant",
                "segment": "choice", "customer": "boolean"},
    "contact": {**COMPANY_FIELDS, **OWNER_FIELDS, "id": "number", "name": "text", "title": "text", "city": "choice", "consent_email": "boolean",
                "created": "instant", "last_activity": "instant", "company": "members"},
    "lead": {**OWNER_FIELDS, "id": "number", "name": "text", "source": "choice", "status": "choice", "region": "choice", "created": "instant",
             "converted": "instant", "first_response": "instant"},
    "ticket": {**COMPANY_FIELDS, **OWNER_FIELDS, "id": "number", "subject": "text", "status": "choice", "priority": "choice", "category": "choice",
               "contact": "ref", "created": "instant", "resolved": "instant", "first_response": "instant", "age": "number"},
    "activity": {**COMPANY_FIELDS, **OWNER_FIELDS, "id": "number", "kind": "choice", "subject": "text", "direction": "choice", "outcome": "choice",
                 "contact": "members", "deal": "ref", "occurred": "instant", "due": "day", "completed": "instant", "duration": "number"},
    "product": {"id": "number", "name": "text", "family": "choice", "active": "boolean", "created": "instant"},
    "user": {"id": "number", "name": "text", "role": "choice", "team": "ref", "active": "boolean"},
    "target": {**OWNER_FIELDS},
}
#: Fields that filter by any of several and group by the main one.
GROUPED_MEMBERS = {("contact", "company"), ("activity", "contact")}
COLUMNS = {
    "company": "company_id", "owner": "owner_id", "pipeline": "pipeline_id", "stage": "stage_id", "expected_close": "expected_close_on",
    "closed": "closed_at", "created": "created_at", "converted": "converted_at", "first_response": "first_response_at", "resolved": "resolved_at",
    "occurred": "occurred_at", "due": "due_on", "completed": "completed_at", "duration": "duration_minutes", "contact": "contact_id",
    "deal": "deal_id", "parent": "parent_id", "annual_revenue": "annual_revenue_minor", "team": "team_id", "entered": "entered_at", "product": "product_id",
}
CUSTOM = {"tier", "seats", "budget", "kickoff", "pilot", "memo"}
PICKED = {
    ("company", "industry"), ("company", "region"), ("deal", "forecast_category"), ("deal", "source"), ("deal", "loss_reason"), ("lead", "source"),
    ("lead", "status"), ("ticket", "status"), ("ticket", "priority"), ("ticket", "category"), ("activity", "outcome"),
}
FIXED = {"status": ("open", "won", "lost"), "kind": ("call", "email", "meeting", "note", "task"), "direction": ("inbound", "outbound"),
         "tier": ("Gold", "Tin", "Clay"), "segment": ("Big", "Small"), "role": ROLES}


def whole_seconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def start_of(grain: str, day: date) -> date:
    """First day of the step that holds the day: weeks from Monday, quarters and years fiscal."""
    while True:
        months_in = (day.month - FISCAL_MONTH) % 12
        if (grain == "day" or (grain == "week" and day.isoweekday() == 1) or (grain == "month" and day.day == 1)
                or (grain == "quarter" and day.day == 1 and months_in % 3 == 0) or (grain == "year" and day.day == 1 and months_in == 0)):
            return day
        day -= timedelta(days=1)


@dataclass
class Answer:
    """What the naive reckoning says: total, groups by key with label and value, number of rows."""

    value: Decimal | None
    groups: dict[Key, tuple[tuple[str, ...], Decimal | None]] = field(default_factory=dict)
    counted: int | None = None
    #: First days of the steps of time, in order.
    steps: list[date] = field(default_factory=list)


class Naive:
    """Answers for one caller over plain rows."""

    def __init__(self, data: Data, actor: Actor) -> None:
        self.data, self.actor = data, actor
        self.zone = ZoneInfo(actor.timezone)
        self.today = NOW.astimezone(self.zone).date()
        self.index = {name: data.by_id(name) for name in data.tables if data.tables[name] and "id" in data.tables[name][0]}
        self.kept: dict[str, list[Row]] = {}
        self.rates: dict[str, int] = {}
        for row in sorted(data.tables["exchange_rate"], key=lambda item: item["day"]):
            if row["day"] <= self.today or row["currency"] not in self.rates:
                self.rates[row["currency"]] = row["micro"]

    # rights and links

    def may_read(self, noun: str, row: Row) -> bool:
        scope = self.actor.reads.get(noun, "none")
        if scope in ("none", "all") or noun in ("product", "user"):
            return scope != "none"
        return row["owner_id"] in (self.actor.member_ids if scope == "team" else [self.actor.user_id])

    def linked(self, noun: str, key: int | None) -> Row | None:
        row = self.index.get(NOUN_TABLE[noun], {}).get(key) if key is not None else None
        return row if row is not None and self.may_read(noun, row) else None

    def rows(self, shape: str) -> list[Row]:
        """Rows of a shape that the caller may read; facts carry their deal's columns."""
        if shape not in self.kept:
            self.kept[shape] = self._rows(shape)
        return self.kept[shape]

    def _rows(self, shape: str) -> list[Row]:
        if shape == "target":
            scope = self.actor.reads.get("deal", "none")
            people = {"all": None, "team": self.actor.member_ids, "own": (self.actor.user_id,)}.get(scope, ())
            return [{**row, "owner_id": row["user_id"]} for row in self.data.tables["target"] if people is None or row["user_id"] in people]
        if shape in ("line_item", "stage_entry"):
            deals = {row["id"]: row for row in self.rows("deal")}
            return [{**deals[row["deal_id"]], "fact": row} for row in self.data.tables[shape] if row["deal_id"] in deals]
        return [row for row in self.data.tables[NOUN_TABLE[shape]] if row["archived_at"] is None and self.may_read(shape, row)]

    def home(self, minor: int | None, currency: str) -> int | None:
        if minor is None:
            return None
        return minor if currency == "USD" else (minor * self.rates[currency] + 500_000) // 1_000_000

    def was_customer(self, company: int, instant: datetime) -> bool:
        return any(
            row["company_id"] == company and row["status"] == "won" and instant - timedelta(days=365) <= row["closed_at"] < instant
            for row in self.rows("deal")
        )

    def last_activity(self, noun: str, key: int) -> datetime | None:
        times = [row["occurred_at"] for row in self.rows("activity") if row["kind"] != "task" and row[f"{noun}_id"] == key]
        return max(times, default=None)

    def get(self, shape: str, row: Row, name: str) -> Any:
        """A field's value."""
        noun = "deal" if shape in ("line_item", "stage_entry") else shape
        fact = row.get("fact", {})
        if name in ("industry", "region", "country", "segment") and shape not in ("company", "lead"):
            row = self.linked("company", row["company_id"]) or {"custom": {}}
            return row["custom"].get("segment") if name == "segment" else row.get(name)
        if name == "segment" or (noun == "deal" and name in CUSTOM):
            return row["custom"].get(name)
        if name == "team" and shape != "user":
            return (self.linked("user", row["owner_id"]) or {}).get("team_id")
        if name == "amount":
            return self.home(row["amount_minor"], row["currency"])
        if name == "age":
            return (whole_seconds(NOW) - whole_seconds(row["created_at"])) // 86_400
        if name == "last_activity":
            return self.last_activity(noun, row["id"])
        if name == "company" and shape == "company":
            return row["id"]
        if name == "customer":
            return self.was_customer(row["id"], NOW)
        if name == "product_family":
            return (self.linked("product", fact["product_id"]) or {}).get("family")
        column = COLUMNS.get(name, name)
        return fact[column] if name in ("product", "entered") or (shape == "stage_entry" and name == "stage") else row[column]

    def label(self, shape: str, row: Row, name: str) -> str:
        """How a group of it is called."""
        value = self.get(shape, row, name)
        table = {"stage": "stage", "pipeline": "pipeline", "team": "team"}.get(name)
        if table:
            value = self.index[table][value]["name"] if value is not None else None
        elif name in ("company", "owner", "parent", "contact", "deal", "product"):
            noun = {"owner": "user", "parent": "company"}.get(name, name)
            value = (self.linked(noun, value) or {}).get("name")
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "(none)" if value in (None, "") else str(value)

    def members(self, shape: str, row: Row, name: str) -> set[int]:
        """All the numbers that a many-valued field holds."""
        table = self.data.tables
        if (shape, name) == ("contact", "company"):
            return {row["company_id"]} | {item["company_id"] for item in table["employment"] if item["contact_id"] == row["id"] and item["ended_on"] is None}
        if (shape, name) == ("activity", "contact"):
            return {row["contact_id"]} | {item["contact_id"] for item in table["activity_participant"] if item["activity_id"] == row["id"]}
        link, column = ("line_item", "product_id") if name == "product" else ("deal_contact", "contact_id")
        return {item[column] for item in table[link] if item["deal_id"] == row["id"]}

    def in_use(self, shape: str, name: str) -> set[str]:
        """The values of a choice field that the caller may see in use, archived rows included."""
        noun = "deal" if shape == "stage_entry" else shape
        rows = [row for row in self.data.tables[NOUN_TABLE[noun]] if self.may_read(noun, row)]
        return {str(value) for value in (self.get(noun, row, name) for row in rows) if value is not None}

    # conditions

    def passes(self, shape: str, row: Row, condition: Filter | FilterGroup) -> bool:
        if isinstance(condition, FilterGroup):
            return any(self.passes(shape, row, part) for part in condition.any_of)
        kind = FIELDS[shape][condition.field]
        if kind == "members" and condition.op in ("is", "is_not"):
            return bool(self.members(shape, row, condition.field) & set(condition.values)) == (condition.op == "is")  # type: ignore[arg-type]
        value = self.get(shape, row, condition.field)
        if condition.op in ("empty", "not_empty"):
            nothing = value is None or (kind in ("text", "choice") and value == "")
            return nothing == (condition.op == "empty")
        if condition.op == "is_not":
            return not self.passes(shape, row, condition.model_copy(update={"op": "is"}))
        if value is None:
            return False
        wanted: list[Any] = list(condition.values)
        if kind == "text":
            return any(str(word).lower() in value.lower() for word in wanted)
        if kind in ("day", "instant"):
            day = value.astimezone(self.zone).date() if isinstance(value, datetime) else date.fromisoformat(str(value))
            return self._compares(condition.op, day, [date.fromisoformat(item) for item in wanted], exclusive=True)
        if kind == "money":
            return self._compares(condition.op, Decimal(value), [Decimal(str(item)) * 100 for item in wanted])
        if kind == "number":
            return self._compares(condition.op, Decimal(str(value)), [Decimal(str(item)) for item in wanted])
        return value in wanted

    def _compares(self, op: str, value: Any, wanted: list[Any], *, exclusive: bool = False) -> bool:
        if op == "between":
            return wanted[0] <= value and (value < wanted[1] if exclusive else value <= wanted[1])
        return {
            "is": value in wanted, "at_least": value >= wanted[0], "more_than": value > wanted[0],
            "at_most": value <= wanted[0], "less_than": value < wanted[0],
        }[op]

    # figures

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def local(self, value: Any) -> date | None:
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    def selected(self, metric: str, question: MetricQuestion, period: Period) -> list[Row]:
        """The rows that a figure is made of."""
        formula = FORMULAS[metric]
        found = [row for row in self.rows(formula.shape) if all(self.passes(formula.shape, row, part) for part in question.filters)]
        found = [row for row in found if formula.belongs(self, row, period)]
        if formula.when is not None and (period.first, period.end) != (FAR_PAST, FAR_FUTURE):
            days = [(row, self.local(self.get(formula.shape, row, formula.when))) for row in found]
            found = [row for row, day in days if day is not None and period.first <= day < period.end]
        return found

    def steps(self, grain: str, first: date, end: date) -> list[date]:
        """First days of the steps, the first one clipped."""
        starts, day = [], first
        while day < end:
            starts.append(day)
            if len(starts) > 1200:
                break
            day += timedelta(days=1)
            while day < end and start_of(grain, day) != day:
                day += timedelta(days=1)
        return starts

    def answer(self, question: MetricQuestion, period: Period) -> Answer:
        if question.metric in COMPOSITES:
            return self._composite(question, period)
        metric, formula = question.metric, FORMULAS[question.metric]
        grain = next((name for name in question.group_by if name in GRAINS), None)
        if grain and formula.when is None:
            return self._series(question, period, grain)
        rows = self.selected(metric, question, period)
        result = Answer(formula.finish(self, rows, period), counted=len(rows))
        starts: list[date] = []
        if grain:
            assert formula.when is not None
            days = [day for day in (self.local(self.get(formula.shape, row, formula.when)) for row in rows) if day is not None]
            first = period.first if period.first > FAR_PAST or not days else max(period.first, min(days))
            end = period.end if period.end < FAR_FUTURE or not days else min(period.end, max(days) + timedelta(days=1))
            bounded = period.first > FAR_PAST and period.end < FAR_FUTURE
            starts = self.steps(grain, first, max(first, end)) if days or bounded else []
        result.steps = starts
        grouped: dict[Key, list[Row]] = {}
        labels: dict[Key, tuple[str, ...]] = {}
        for row in rows:
            keys, names = [], []
            for name in question.group_by:
                if name in GRAINS:
                    day = self.local(self.get(formula.shape, row, formula.when or ""))
                    keys.append(max(start for start in starts if start <= day) if day else None)
                    names.append("" if day else "(none)")
                else:
                    keys.append(self.get(formula.shape, row, name))
                    names.append(self.label(formula.shape, row, name))
            grouped.setdefault(tuple(keys), []).append(row)
            labels[tuple(keys)] = tuple(names)
        if question.group_by:
            result.groups = {key: (labels[key], formula.finish(self, part, period)) for key, part in grouped.items()}
            if grain and METRICS[metric].additive and len(question.group_by) == 1:
                for start in starts:
                    result.groups.setdefault((start,), (("",), Decimal()))
        return result

    def _series(self, question: MetricQuestion, period: Period, grain: str) -> Answer:
        """A state over time: as of the end of each step that has begun."""
        if period.first <= FAR_PAST:
            first = start_of("year", self.today)
            period = Period(first, self.today + timedelta(days=1))
        starts = self.steps(grain, period.first, period.end)
        ends = [*starts[1:], period.end][: len(starts)]
        place = question.group_by.index(grain)
        others = [name for name in question.group_by if name != grain]
        plain = question.model_copy(update={"group_by": []})
        whole = self.answer(plain, period)
        result = Answer(whole.value, counted=whole.counted, steps=[start for start in starts if start <= self.today])
        for start, end in zip(starts, ends, strict=True):
            if start > self.today:
                continue
            part = self.answer(question.model_copy(update={"group_by": others}), Period(start, end))
            groups = part.groups if others else {(): ((), part.value)}
            for key, (names, value) in groups.items():
                keys, words = list(key), list(names)
                keys.insert(place, start)
                words.insert(place, "")
                result.groups[tuple(keys)] = (tuple(words), value)
        return result

    def _composite(self, question: MetricQuestion, period: Period) -> Answer:
        names, finish = COMPOSITES[question.metric]
        parts = {name: self.answer(question.model_copy(update={"metric": name}), period) for name in names}
        if not parts["target"].value:
            raise Invalid("No target")
        keys = {key: words for part in parts.values() for key, (words, _value) in part.groups.items()}
        groups = {key: (words, finish({name: part.groups.get(key, ("", None))[1] for name, part in parts.items()})) for key, words in keys.items()}
        steps = max((part.steps for part in parts.values()), key=len)
        return Answer(finish({name: part.value for name, part in parts.items()}), groups, None, steps)


@dataclass(frozen=True)
class Formula:
    """How a figure is reckoned from rows."""

    shape: str
    when: str | None
    finish: Callable[[Naive, list[Row], Period], Decimal | None]
    belongs: Callable[[Naive, Row, Period], bool] = lambda _naive, _row, _period: True


def count(_naive: Naive, rows: list[Row], _period: Period) -> Decimal:
    return Decimal(len(rows))


def amounts(naive: Naive, rows: list[Row], _period: Period) -> Decimal:
    return Decimal(sum(naive.home(row["amount_minor"], row["currency"]) or 0 for row in rows))


def ratio(top: int, bottom: int, scale: int = 1) -> Decimal | None:
    return Decimal(top) * scale / bottom if bottom else None


def share(test: Callable[[Row], bool]) -> Callable[[Naive, list[Row], Period], Decimal | None]:
    return lambda _naive, rows, _period: ratio(sum(test(row) for row in rows), len(rows), 100)


def mean(start: str, end: str, unit: int) -> Callable[[Naive, list[Row], Period], Decimal | None]:
    def finish(_naive: Naive, rows: list[Row], _period: Period) -> Decimal | None:
        total = sum(whole_seconds(row[end]) - whole_seconds(row[start]) for row in rows)
        return Decimal(total) / len(rows) / unit if rows else None

    return finish


def median_cycle(_naive: Naive, rows: list[Row], _period: Period) -> Decimal | None:
    spans = sorted(whole_seconds(row["closed_at"]) - whole_seconds(row["created_at"]) for row in rows)
    if not spans:
        return None
    middle = spans[(len(spans) - 1) // 2 : len(spans) // 2 + 1]
    return Decimal(sum(middle)) / len(middle) / 86_400


def status(*kinds: str) -> Callable[[Naive, Row, Period], bool]:
    return lambda _naive, row, _period: row["status"] in kinds


def filled(column: str) -> Callable[[Naive, Row, Period], bool]:
    return lambda _naive, row, _period: row[column] is not None


def value_share(naive: Naive, rows: list[Row], period: Period) -> Decimal | None:
    return ratio(int(amounts(naive, [row for row in rows if row["status"] == "won"], period)), int(amounts(naive, rows, period)), 100)


def weighted(naive: Naive, rows: list[Row], _period: Period) -> Decimal:
    stages = naive.index["stage"]
    return Decimal(sum((naive.home(row["amount_minor"], row["currency"]) or 0) * stages[row["stage_id"]]["probability"] for row in rows)) / 100


def average_size(naive: Naive, rows: list[Row], period: Period) -> Decimal | None:
    return ratio(int(amounts(naive, rows, period)), sum(row["amount_minor"] is not None for row in rows))


def per_customer(naive: Naive, rows: list[Row], period: Period) -> Decimal | None:
    return ratio(int(amounts(naive, rows, period)), len({row["company_id"] for row in rows}))


def stay_days(_naive: Naive, rows: list[Row], _period: Period) -> Decimal | None:
    total = sum(whole_seconds(row["fact"]["left_at"] or NOW) - whole_seconds(row["fact"]["entered_at"]) for row in rows)
    return Decimal(total) / len(rows) / 86_400 if rows else None


def went_on(naive: Naive, rows: list[Row], _period: Period) -> Decimal | None:
    stages, entries = naive.index["stage"], naive.data.tables["stage_entry"]

    def on(row: Row) -> bool:
        stay = row["fact"]
        return any(
            later["deal_id"] == stay["deal_id"] and later["id"] != stay["id"] and later["entered_at"] >= stay["left_at"]
            and stages[later["stage_id"]]["kind"] != "lost" and stages[later["stage_id"]]["position"] > stages[stay["stage_id"]]["position"]
            for later in entries
        )

    return ratio(sum(on(row) for row in rows), len(rows), 100)


def in_open_stage(naive: Naive, row: Row, _period: Period) -> bool:
    return naive.index["stage"][row["fact"]["stage_id"]]["kind"] == "open"


def slipped(naive: Naive, row: Row, period: Period) -> bool:
    return any(
        move["deal_id"] == row["id"] and move["new_day"] is not None and move["new_day"] > move["old_day"]
        and naive.midnight(period.first) <= move["changed_at"] < naive.midnight(period.end)
        for move in naive.data.tables["close_date_change"]
    )


def as_of(naive: Naive, period: Period) -> datetime:
    return min(naive.midnight(period.end), NOW)


def unresolved(naive: Naive, row: Row, period: Period) -> bool:
    at = as_of(naive, period)
    return row["created_at"] < at and (row["resolved_at"] is None or row["resolved_at"] >= at)


def backlog_age(naive: Naive, rows: list[Row], period: Period) -> Decimal | None:
    total = sum(whole_seconds(as_of(naive, period)) - whole_seconds(row["created_at"]) for row in rows)
    return Decimal(total) / len(rows) / 86_400 if rows else None


def kept_customers(naive: Naive, rows: list[Row], period: Period) -> int:
    return sum(naive.was_customer(row["id"], as_of(naive, period)) for row in rows)


def customer_at_start(naive: Naive, row: Row, period: Period) -> bool:
    return naive.was_customer(row["id"], naive.midnight(period.first))


FORMULAS: dict[str, Formula] = {
    "open_pipeline": Formula("deal", "expected_close", amounts, status("open")),
    "open_deals": Formula("deal", "expected_close", count, status("open")),
    "weighted_pipeline": Formula("deal", "expected_close", weighted, status("open")),
    "won_value": Formula("deal", "closed", amounts, status("won")),
    "won_deals": Formula("deal", "closed", count, status("won")),
    "lost_value": Formula("deal", "closed", amounts, status("lost")),
    "lost_deals": Formula("deal", "closed", count, status("lost")),
    "win_rate": Formula("deal", "closed", share(lambda row: row["status"] == "won"), status("won", "lost")),
    "win_rate_value": Formula("deal", "closed", value_share, status("won", "lost")),
    "average_deal_size": Formula("deal", "closed", average_size, status("won")),
    "sales_cycle": Formula("deal", "closed", mean("created_at", "closed_at", 86_400), status("won")),
    "median_sales_cycle": Formula("deal", "closed", median_cycle, status("won")),
    "time_in_stage": Formula("stage_entry", "entered", stay_days, in_open_stage),
    "stage_conversion": Formula("stage_entry", "entered", went_on,
                                lambda naive, row, period: in_open_stage(naive, row, period) and row["fact"]["left_at"] is not None),
    "new_pipeline": Formula("deal", "created", amounts),
    "slipped_value": Formula("deal", None, amounts, slipped),
    "slipped_deals": Formula("deal", None, count, slipped),
    "target": Formula("target", None, lambda _naive, rows, _period: Decimal(sum(row["amount_minor"] for row in rows)),
                      lambda _naive, row, period: period.first <= row["first"] and row["end"] <= period.end),
    "activities": Formula("activity", "occurred", count, lambda _naive, row, _period: row["kind"] != "task" or row["completed_at"] is not None),
    "lead_response_time": Formula("lead", "created", mean("created_at", "first_response_at", 3_600), filled("first_response_at")),
    "lead_conversion": Formula("lead", "created", share(lambda row: row["converted_at"] is not None)),
    "converted_leads": Formula("lead", "converted", count, filled("converted_at")),
    "tickets_opened": Formula("ticket", "created", count),
    "open_tickets": Formula("ticket", None, count, unresolved),
    "tickets_resolved": Formula("ticket", "resolved", count, filled("resolved_at")),
    "first_response_time": Formula("ticket", "created", mean("created_at", "first_response_at", 3_600), filled("first_response_at")),
    "resolution_time": Formula("ticket", "resolved", mean("created_at", "resolved_at", 3_600), filled("resolved_at")),
    "backlog_age": Formula("ticket", None, backlog_age, unresolved),
    "product_revenue": Formula("line_item", "closed",
                               lambda naive, rows, _period: Decimal(sum(naive.home(row["fact"]["total_minor"], row["currency"]) or 0 for row in rows)),
                               status("won")),
    "units_sold": Formula("line_item", "closed", lambda _naive, rows, _period: Decimal(sum(row["fact"]["quantity"] for row in rows)), status("won")),
    "customers": Formula("company", None, count, lambda naive, row, period: naive.was_customer(row["id"], as_of(naive, period))),
    "retention_rate": Formula("company", None, lambda naive, rows, period: ratio(kept_customers(naive, rows, period), len(rows), 100), customer_at_start),
    "churn_rate": Formula("company", None,
                          lambda naive, rows, period: ratio(len(rows) - kept_customers(naive, rows, period), len(rows), 100), customer_at_start),
    "revenue_per_customer": Formula("deal", "closed", per_customer,
                                    lambda _naive, row, _period: row["status"] == "won" and row["company_id"] is not None),
    "deals": Formula("deal", "created", count),
    "companies": Formula("company", "created", count),
    "contacts": Formula("contact", "created", count),
    "leads": Formula("lead", "created", count),
}


def _coverage(values: dict[str, Decimal | None]) -> Decimal | None:
    missing = (values["target"] or 0) - (values["won_value"] or 0)
    return (values["open_pipeline"] or Decimal()) / missing if missing > 0 else None


def _attainment(values: dict[str, Decimal | None]) -> Decimal | None:
    return (values["won_value"] or Decimal()) * 100 / values["target"] if values["target"] else None


COMPOSITES: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Decimal | None]], Decimal | None]]] = {
    "quota_attainment": (("won_value", "target"), _attainment),
    "coverage": (("open_pipeline", "won_value", "target"), _coverage),
}


# --- Random questions -----------------------------------------------------------------------------------


@st.composite
def actors(draw: st.DrawFn, data: Data) -> Actor:
    """Any user with any rights."""
    user = draw(st.sampled_from(data.tables["user_account"]))
    below = {1: {1, 2}, 2: {2}, 3: {3}, None: set()}[user["team_id"]]
    members = {row["id"] for row in data.tables["user_account"] if row["team_id"] in below} | {user["id"]}
    role = draw(st.sampled_from(ROLES))
    scopes = st.sampled_from(["all", "all", "all", "team", "team", "own", *SCOPES])
    reads = {noun: draw(scopes) for noun in NOUNS}
    return Actor(user["id"], user["name"], user["email"], role, user["timezone"] or CONVENTIONS.timezone, user["team_id"], tuple(sorted(members)), reads, {})


def days() -> st.SearchStrategy[date]:
    return st.one_of(
        st.dates(date(2024, 6, 1), date(2027, 1, 1)),
        st.sampled_from([date(2026, 3, 29), date(2026, 3, 30), date(2026, 7, 1), date(2026, 8, 12), date(2026, 8, 13)]),
    )


@st.composite
def periods(draw: st.DrawFn) -> Days | None:
    """None, whole steps, odd ranges, open ends; with and without a label."""
    kind = draw(st.sampled_from(["none", "whole", "whole", "range", "since", "until"]))
    label = draw(st.sampled_from(["", "this while"]))
    if kind == "none":
        return None
    if kind == "whole":
        grain = draw(st.sampled_from(GRAINS))
        first = start_of(grain, draw(days()))
        end = first + timedelta(days=1)
        while start_of(grain, end) != end:
            end += timedelta(days=1)
        return Days(first=first, end=end, label=label)
    first, end = sorted([draw(days()), draw(days())])
    return Days(first=FAR_PAST if kind == "until" else first, end=FAR_FUTURE if kind == "since" else end, label=label)


OPS = {
    "ref": ("is", "is_not", "empty", "not_empty"), "choice": ("is", "is_not", "empty", "not_empty"), "boolean": ("is", "is_not", "empty"),
    "members": ("is", "is_not"), "text": ("is", "is_not", "contains", "empty", "not_empty"),
    "number": ("is", "is_not", "at_least", "more_than", "at_most", "less_than", "between", "empty"),
}
OPS |= dict.fromkeys(("money", "day", "instant"), OPS["number"])


@st.composite
def filters(draw: st.DrawFn, shape: str) -> Filter:
    """A condition that the field understands."""
    name = draw(st.sampled_from(sorted(FIELDS[shape])))
    kind = FIELDS[shape][name]
    op: Any = draw(st.sampled_from(OPS[kind]))
    if op in ("empty", "not_empty"):
        return Filter(field=name, op=op)
    many = st.integers(1, 3) if op in ("is", "is_not", "contains") else st.just(2 if op == "between" else 1)
    return Filter(field=name, op=op, values=ordered(op, kind, [draw(_value(shape, name, kind)) for _ in range(draw(many))]))


def ordered(op: str, kind: str, values: list[Any]) -> list[Any]:
    """The two values of a range, the smaller one first."""
    return values if op != "between" else sorted(values, key=lambda item: Decimal(str(item)) if kind in ("number", "money") else item)


def candidates(shape: str, name: str, kind: str) -> list[Any]:
    """Values to compare a field with."""
    noun = "deal" if shape in ("line_item", "stage_entry") else shape
    if kind in ("ref", "members"):
        return [10, 11, 12, 13, 14, 20, 21, 23] if name == "stage" else list(range(1, 13 if name == "contact" else 7))
    if kind == "boolean":
        return [True, False]
    if kind == "choice":
        listed = PICKLISTS.get((noun, name)) or PICKLISTS.get(("company", name))
        if name in FIXED and (noun, name) not in PICKED:
            return list(FIXED[name])
        if listed:
            return [word for word, _kind in listed]
        return {"currency": ["USD", "EUR", "JPY"], "country": ["Chile", "Malta"], "city": ["Ulm", "Bonn"]}.get(name, ["Lamps", "Oil"])
    if kind == "text":
        return ["1", "deal", "CALL", "acme", "buyer", "memo", "50% _", "%", "zürich", "SÜD", "nothing like it"]
    if kind == "number":
        return [0, 2, 2.5, 10, 30, 100, 10**9]
    if kind == "money":
        return ["0", "0.01", "100", "1.00", "25000.50", "10000000", "50000000", "10000000000"]
    return ["2025-10-26", "2026-03-28", "2026-03-29", "2026-07-01", "2026-08-11", "2026-08-12", "2026-08-13"]


def _value(shape: str, name: str, kind: str) -> st.SearchStrategy[Any]:
    fixed = st.sampled_from(candidates(shape, name, kind))
    return st.one_of(fixed, days().map(date.isoformat)) if kind in ("day", "instant") else fixed


@st.composite
def questions(draw: st.DrawFn, metric: str) -> MetricQuestion:
    """Any question of one metric."""
    composite = metric in COMPOSITES
    shape = "target" if composite else FORMULAS[metric].shape
    groupable = [
        name for name, kind in FIELDS[shape].items()
        if kind in ("ref", "choice", "boolean") or (kind == "members" and (shape, name) in GROUPED_MEMBERS)
    ]
    groups = draw(st.lists(st.sampled_from(groupable), max_size=2, unique=True))
    if draw(st.booleans()):
        groups = draw(st.permutations([*groups[:1], draw(st.sampled_from(GRAINS))]))
    conditions: list[Any] = []
    for _ in range(draw(st.integers(0, 2))):
        parts = draw(st.lists(filters(shape), min_size=1, max_size=2))
        conditions.append(FilterGroup(any_of=parts) if draw(st.booleans()) else parts[0])
    period = draw(periods())
    open_ended = (period is None and METRICS[metric].default_period is None) or (
        period is not None and (period.first <= FAR_PAST or period.end >= FAR_FUTURE))
    compare = None if open_ended else draw(st.sampled_from([None, "previous", "year_before"]))
    order = draw(st.sampled_from([None, "highest", "lowest", "label"]))
    return MetricQuestion(metric=metric, filters=conditions, group_by=groups, period=period, compare=compare, order=order)


# --- The comparison -------------------------------------------------------------------------------------


def expected(naive: Naive, question: MetricQuestion) -> tuple[Answer, Answer | None, Period]:
    """The naive answer and, where the question compares, that of the other period."""
    default = METRICS[question.metric].default_period
    if question.period is not None:
        period = question.period.period(CALENDAR)
    elif default is not None:
        period = Days(first=start_of(default.value, naive.today), end=naive.today + timedelta(days=1)).period(CALENDAR)
        end = period.end
        while start_of(default.value, end) != end:
            end += timedelta(days=1)
        period = Days(first=period.first, end=end).period(CALENDAR)
    else:
        period = Period(FAR_PAST, FAR_FUTURE)
    answer, before = naive.answer(question, period), None
    if question.compare:
        before = naive.answer(question, (preceding if question.compare == "previous" else year_before)(period, CALENDAR))
    return answer, before, period


def expected_before(question: MetricQuestion, now: Answer, before: Answer, key: Key) -> Decimal | None:
    """The earlier value of a group: the same group, or the step in the same place."""
    nothing = Decimal() if METRICS[question.metric].additive else None
    grains = [place for place, name in enumerate(question.group_by) if name in GRAINS]
    if not grains:
        return before.groups[key][1] if key in before.groups else nothing
    if len(question.group_by) > 1 or key[0] is None:
        return None
    place = now.steps.index(key[0])
    if place >= len(before.steps):
        return None
    return before.groups.get((before.steps[place],), ("", nothing))[1]


def compare(result: MetricResult, question: MetricQuestion, now: Answer, before: Answer | None) -> None:
    assert result.value == now.value
    assert result.counted == now.counted
    found = {group.keys: group for group in result.groups}
    assert len(found) == len(result.groups), "a group is there twice"
    wanted = dict(now.groups)
    timed = any(name in GRAINS for name in question.group_by)
    if before is not None and not timed:
        for key, (labels, _value) in before.groups.items():
            wanted.setdefault(key, (labels, Decimal() if METRICS[question.metric].additive else None))
    assert found.keys() == wanted.keys()
    for key, (labels, value) in wanted.items():
        group = found[key]
        assert group.value == value, key
        for name, said, label in zip(question.group_by, group.labels, labels, strict=True):
            assert name in GRAINS or said == label
        if before is not None:
            assert group.previous == expected_before(question, now, before, key), key
    if before is not None:
        assert result.previous == before.value
    assert result.groups_in_all == len(wanted)
    _check_order(result, question)


def _check_order(result: MetricResult, question: MetricQuestion) -> None:
    known = [group.value for group in result.groups if group.value is not None]
    if question.order in ("highest", "lowest"):
        assert [group.value is None for group in result.groups] == sorted(group.value is None for group in result.groups)
        assert known == sorted(known, reverse=question.order == "highest")
    elif question.order == "label":
        assert [group.labels for group in result.groups] == sorted(group.labels for group in result.groups)
    elif question.group_by and question.group_by[0] in GRAINS:
        steps = [group.keys[0] for group in result.groups if group.keys[0] is not None]
        assert steps == sorted(steps)


def too_long(naive: Naive, question: MetricQuestion, error: Invalid) -> bool:
    """Whether a refusal is one that the question deserves."""
    text = str(error)
    if "use a longer step" in text or "use longer steps" in text:
        return "day" in question.group_by or "week" in question.group_by or "month" in question.group_by
    for item in question.filters:
        for part in item.any_of if isinstance(item, FilterGroup) else [item]:
            shape = FORMULAS[question.metric].shape if question.metric in FORMULAS else "target"
            if " is not a " in text and FIELDS[shape][part.field] == "choice" and part.field in ("currency", "country", "city", "family"):
                used = naive.in_use(shape if shape != "line_item" else "deal", part.field)
                if any(str(value) not in used for value in part.values):
                    return True
    return False


def check_question(data: Data, actor: Actor, question: MetricQuestion) -> None:
    naive = Naive(data, actor)
    with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
        try:
            now, before, _period = expected(naive, question)
        except Invalid:
            with pytest.raises(Invalid, match=r"[Nn]o target|use a longer step|use longer steps"):
                ask(ctx, question)
            return
        try:
            result = ask(ctx, question)
        except Invalid as error:
            event("refused")
            assert too_long(naive, question, error), error
            return
        compare(result, question, now, before)
        shorter = ask(ctx, question.model_copy(update={"limit": 1}))
        assert (shorter.value, shorter.groups, shorter.groups_in_all) == (result.value, result.groups[:1], result.groups_in_all)


def check_rows(data: Data, actor: Actor, question: MetricQuestion) -> None:
    """The list behind a figure holds the very rows that it counts."""
    naive = Naive(data, actor)
    question = question.model_copy(update={"compare": None, "group_by": [], "order": None})
    _answer, _none, period = expected(naive, question)
    keys = {row["id"] for row in naive.selected(question.metric, question, period)}
    with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
        try:
            result = rows_behind(ctx, question, limit=200)
        except Invalid as error:
            assert too_long(naive, question, error), error
            return
    assert result.total == len(keys)
    assert set(result.ids) == keys


def check_list(data: Data, actor: Actor, question: ListQuestion) -> None:
    naive = Naive(data, actor)
    rows = [row for row in naive.rows(question.noun) if all(naive.passes(question.noun, row, part) for part in question.filters)]
    with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
        try:
            result = list_records(ctx, question)
        except Invalid as error:
            used = [part for part in question.filters if isinstance(part, Filter) and part.field in ("currency", "country", "city", "family")]
            assert any(str(value) not in naive.in_use(question.noun, part.field) for part in used for value in part.values), error
            return
    assert result.total == len(rows)
    assert set(result.ids) <= {row["id"] for row in rows}
    assert len(result.ids) == len(set(result.ids)) == max(0, min(question.limit, len(rows) - question.offset))
    if question.noun == "deal":
        assert result.amount_minor == sum(naive.home(row["amount_minor"], row["currency"]) or 0 for row in rows)
    if question.order_by:
        values = {row["id"]: naive.get(question.noun, row, question.order_by) for row in rows}
        ordered = sorted(values, key=lambda key: (values[key] is None, key))
        known = sorted((key for key in ordered if values[key] is not None), key=lambda key: values[key], reverse=question.descending)
        ordered = [*known, *(key for key in ordered if values[key] is None)]
        page = ordered[question.offset : question.offset + question.limit]
        assert [values[key] for key in result.ids] == [values[key] for key in page]


@st.composite
def lists(draw: st.DrawFn, noun: str) -> ListQuestion:
    sortable = [name for name, kind in FIELDS[noun].items() if kind in ("number", "money", "instant", "day") and name not in CUSTOM]
    return ListQuestion(
        noun=noun, filters=draw(st.lists(filters(noun), max_size=3)), order_by=draw(st.sampled_from([None, *sortable])),
        descending=draw(st.booleans()), limit=draw(st.sampled_from([1, 5, 200])), offset=draw(st.sampled_from([0, 0, 3, 100])),
    )


def examples(kind: str) -> int:
    return 40 if kind == "sqlite" else 8


def seeds(kind: str) -> st.SearchStrategy[int]:
    return st.sampled_from(SQLITE_SEEDS if kind == "sqlite" else POSTGRES_SEEDS)


def test_the_reckoning_knows_every_metric_and_field() -> None:
    """A new metric needs a formula here."""
    assert FORMULAS.keys() | COMPOSITES.keys() == METRICS.keys()
    assert {name for name, metric in METRICS.items() if isinstance(metric, Composite)} == COMPOSITES.keys()
    for name, formula in FORMULAS.items():
        metric = METRICS[name]
        assert not isinstance(metric, Composite)
        assert (metric.shape, metric.when) == (formula.shape, formula.when), name


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("metric", sorted(METRICS))
class TestAsk:
    def test_it_equals_the_naive_reckoning(self, datasets: Datasets, metric: str, kind: str) -> None:
        datasets.get(kind, POSTGRES_SEEDS[0])

        @settings(max_examples=examples(kind), **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            check_question(data, draw.draw(actors(data), label="actor"), draw.draw(questions(metric), label="question"))

        check()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("metric", sorted(FORMULAS.keys() - {"target"}))
class TestRowsBehind:
    def test_they_are_the_rows_that_were_counted(self, datasets: Datasets, metric: str, kind: str) -> None:
        datasets.get(kind, POSTGRES_SEEDS[0])

        @settings(max_examples=examples(kind) // 4, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            check_rows(data, draw.draw(actors(data), label="actor"), draw.draw(questions(metric), label="question"))

        check()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("noun", sorted(NOUNS))
class TestListRecords:
    def test_page_and_totals_equal_the_naive_reckoning(self, datasets: Datasets, noun: str, kind: str) -> None:
        datasets.get(kind, POSTGRES_SEEDS[0])

        @settings(max_examples=examples(kind) * 3, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            check_list(data, draw.draw(actors(data), label="actor"), draw.draw(lists(noun), label="question"))

        check()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("shape", ["deal", "company", "contact", "ticket", "activity", "lead"])
class TestEveryFilter:
    def test_each_field_and_comparison_alone(self, datasets: Datasets, shape: str, kind: str) -> None:
        """Every field with every comparison, for a caller who sees everything."""
        data = datasets.get(kind, POSTGRES_SEEDS[0])
        user = data.tables["user_account"][0]
        actor = Actor(user["id"], user["name"], user["email"], "admin", "Europe/Berlin", None, (user["id"],), dict.fromkeys(NOUNS, "all"), {})
        naive = Naive(data, actor)
        wrong: list[str] = []
        for name, field_kind in FIELDS[shape].items():
            for op in OPS[field_kind]:
                pick = random.Random(f"{shape} {name} {op}")
                for size in {"between": (2, 2), "empty": (0,), "not_empty": (0,), "is": (1, 3), "is_not": (1, 3)}.get(op, (1, 1, 1)):
                    values = ordered(op, field_kind, [pick.choice(candidates(shape, name, field_kind)) for _ in range(size)])
                    condition = Filter(field=name, op=op, values=values)  # type: ignore[arg-type]
                    wanted = {row["id"] for row in naive.rows(shape) if naive.passes(shape, row, condition)}
                    try:
                        with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
                            result = list_records(ctx, ListQuestion(noun=shape, filters=[condition], limit=200))
                        if set(result.ids) != wanted:
                            wrong.append(f"{name} {op} {values}: {len(result.ids)} rows instead of {len(wanted)}")
                    except Exception as error:  # noqa: BLE001 - all are shown together
                        if not (isinstance(error, Invalid) and "not a" in str(error) and values[0] not in naive.in_use(shape, name)):
                            wrong.append(f"{name} {op} {values}: {type(error).__name__} {str(error).splitlines()[0][:150]}")
        assert "\n".join(wrong) == ""
