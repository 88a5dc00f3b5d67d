"""A naive reckoning of every figure: whole tables as plain rows, answered by looping over them in Python.

It shares no code with the metric compiler: rights, joins, filters, local days, fiscal steps, conversion and formulas
are written out again, from what the metrics' meanings say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_core.access import Actor
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.filters import Condition, FilterGroup, Related
from crm_core.metrics.question import MetricQuestion
from crm_core.models import NOUNS, ROLES
from crm_core.periods import Period
from tests.crm_core.random_company import Data, Row
from tests.factories import CONVENTIONS, NOW

Key = tuple[Any, ...]

FISCAL_MONTH = CONVENTIONS.fiscal_start_month
FAR_PAST, FAR_FUTURE = date(1900, 1, 1), date(2200, 1, 1)
GRAINS = ("day", "week", "month", "quarter", "year")

NOUN_TABLE = {noun: model.__tablename__ for noun, model in NOUNS.items()}  # type: ignore[attr-defined]
#: The field of each shape by which "what belongs to it" is found, and its kind.
COMPANY_FIELDS = {"company": "ref", "industry": "choice", "region": "choice", "country": "choice", "city": "choice", "segment": "choice"}
OWNER_FIELDS = {"owner": "ref", "team": "ref"}
DEAL_FIELDS = {
    **COMPANY_FIELDS,
    **OWNER_FIELDS,
    "id": "number",
    "name": "text",
    "pipeline": "ref",
    "stage": "ref",
    "status": "choice",
    "amount": "money",
    "currency": "choice",
    "expected_close": "day",
    "closed": "instant",
    "created": "instant",
    "forecast_category": "choice",
    "source": "choice",
    "loss_reason": "choice",
    "next_step": "text",
    "age": "number",
    "slips": "number",
    "days_in_stage": "number",
    "stage_since": "instant",
    "last_activity": "instant",
    "product": "members",
    "contact": "members",
    "tier": "choice",
    "seats": "number",
    "budget": "money",
    "kickoff": "day",
    "pilot": "boolean",
    "memo": "text",
}
FIELDS: dict[str, dict[str, str]] = {
    "deal": DEAL_FIELDS,
    "line_item": DEAL_FIELDS | {"product": "ref", "product_family": "choice"},
    "stage_entry": DEAL_FIELDS | {"entered": "instant"},
    "company": {
        **OWNER_FIELDS,
        "id": "number",
        "name": "text",
        "company": "ref",
        "industry": "choice",
        "region": "choice",
        "country": "choice",
        "city": "choice",
        "employees": "number",
        "annual_revenue": "money",
        "parent": "ref",
        "created": "instant",
        "last_activity": "instant",
        "segment": "choice",
        "customer": "boolean",
    },
    "contact": {
        **COMPANY_FIELDS,
        **OWNER_FIELDS,
        "id": "number",
        "name": "text",
        "title": "text",
        "city": "choice",
        "consent_email": "boolean",
        "created": "instant",
        "last_activity": "instant",
        "company": "members",
    },
    "lead": {
        **OWNER_FIELDS,
        "id": "number",
        "name": "text",
        "source": "choice",
        "status": "choice",
        "region": "choice",
        "created": "instant",
        "converted": "instant",
        "first_response": "instant",
    },
    "ticket": {
        **COMPANY_FIELDS,
        **OWNER_FIELDS,
        "id": "number",
        "subject": "text",
        "status": "choice",
        "priority": "choice",
        "category": "choice",
        "contact": "ref",
        "created": "instant",
        "resolved": "instant",
        "first_response": "instant",
        "age": "number",
    },
    "activity": {
        **COMPANY_FIELDS,
        **OWNER_FIELDS,
        "id": "number",
        "kind": "choice",
        "subject": "text",
        "direction": "choice",
        "outcome": "choice",
        "contact": "members",
        "deal": "ref",
        "occurred": "instant",
        "due": "day",
        "completed": "instant",
        "duration": "number",
    },
    "product": {"id": "number", "name": "text", "family": "choice", "active": "boolean", "created": "instant"},
    "user": {"id": "number", "name": "text", "role": "choice", "team": "ref", "active": "boolean"},
    "target": {**OWNER_FIELDS},
}
#: Fields that filter by any of several and group by the main one.
GROUPED_MEMBERS = {("contact", "company"), ("activity", "contact")}
COLUMNS = {
    "company": "company_id",
    "owner": "owner_id",
    "pipeline": "pipeline_id",
    "stage": "stage_id",
    "expected_close": "expected_close_on",
    "closed": "closed_at",
    "created": "created_at",
    "converted": "converted_at",
    "first_response": "first_response_at",
    "resolved": "resolved_at",
    "occurred": "occurred_at",
    "due": "due_on",
    "completed": "completed_at",
    "duration": "duration_minutes",
    "contact": "contact_id",
    "deal": "deal_id",
    "parent": "parent_id",
    "annual_revenue": "annual_revenue_minor",
    "team": "team_id",
    "entered": "entered_at",
    "product": "product_id",
}
CUSTOM = {"tier", "seats", "budget", "kickoff", "pilot", "memo"}
PICKED = {
    ("company", "industry"),
    ("company", "region"),
    ("deal", "forecast_category"),
    ("deal", "source"),
    ("deal", "loss_reason"),
    ("lead", "source"),
    ("lead", "status"),
    ("ticket", "status"),
    ("ticket", "priority"),
    ("ticket", "category"),
    ("activity", "outcome"),
}
FIXED = {
    "status": ("open", "won", "lost"),
    "kind": ("call", "email", "meeting", "note", "task"),
    "direction": ("inbound", "outbound"),
    "tier": ("Gold", "Tin", "Clay"),
    "segment": ("Big", "Small"),
    "role": ROLES,
}


def whole_seconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def start_of(grain: str, day: date) -> date:
    """First day of the step that holds the day: weeks from Monday, quarters and years fiscal."""
    while True:
        months_in = (day.month - FISCAL_MONTH) % 12
        if (
            grain == "day"
            or (grain == "week" and day.isoweekday() == 1)
            or (grain == "month" and day.day == 1)
            or (grain == "quarter" and day.day == 1 and months_in % 3 == 0)
            or (grain == "year" and day.day == 1 and months_in == 0)
        ):
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
        if name in ("industry", "region", "country", "city", "segment") and shape not in ("company", "lead") and (shape, name) != ("contact", "city"):
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
        if name == "slips":
            return sum(move["deal_id"] == row["id"] and later(move) for move in self.data.tables["close_date_change"])
        if name == "days_in_stage":
            stays = [stay["entered_at"] for stay in self.data.tables["stage_entry"] if stay["deal_id"] == row["id"] and stay["left_at"] is None]
            return (whole_seconds(NOW) - whole_seconds(max(stays))) // 86_400 if stays else None
        if name == "stage_since":
            stays = [stay["entered_at"] for stay in self.data.tables["stage_entry"] if stay["deal_id"] == row["id"] and stay["left_at"] is None]
            return max(stays) if stays else None
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
            return {row["company_id"]} | {
                item["company_id"] for item in table["employment"] if item["contact_id"] == row["id"] and item["ended_on"] is None
            }
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

    def related(self, shape: str, row: Row, other: str) -> list[Row]:
        """The records of another kind that belong to a row and that the actor may see, each once."""
        noun = "deal" if shape in ("line_item", "stage_entry") else shape
        key = row["id"]
        tables = self.data.tables
        own = next(item for item in tables[NOUN_TABLE[noun]] if item["id"] == key)
        found: list[Row] = []
        for item in self.rows(other):
            match (noun, other):
                case ("user", _):
                    belongs = item["owner_id"] == key
                case (_, "user"):
                    belongs = own["owner_id"] == item["id"]
                case ("company", "contact") | ("contact", "company"):
                    company, contact = (own, item) if noun == "company" else (item, own)
                    stays = {(part["company_id"], part["contact_id"]) for part in tables["employment"] if part["ended_on"] is None}
                    belongs = contact["company_id"] == company["id"] or (company["id"], contact["id"]) in stays
                case ("contact", "activity") | ("activity", "contact"):
                    contact, activity = (own, item) if noun == "contact" else (item, own)
                    present = {(part["activity_id"], part["contact_id"]) for part in tables["activity_participant"]}
                    belongs = activity["contact_id"] == contact["id"] or (activity["id"], contact["id"]) in present
                case ("contact", "deal") | ("deal", "contact"):
                    contact, deal = (own, item) if noun == "contact" else (item, own)
                    belongs = any((part["deal_id"], part["contact_id"]) == (deal["id"], contact["id"]) for part in tables["deal_contact"])
                case ("deal", "product") | ("product", "deal"):
                    deal, product = (own, item) if noun == "deal" else (item, own)
                    belongs = any((part["deal_id"], part["product_id"]) == (deal["id"], product["id"]) for part in tables["line_item"])
                case ("deal", "ticket") | ("ticket", "deal"):
                    belongs = own["company_id"] is not None and own["company_id"] == item["company_id"]
                case ("company", "company"):
                    belongs = item["parent_id"] == key
                case _:
                    belongs = item.get(f"{noun}_id") == key or own.get(f"{other}_id") == item["id"]
            if belongs:
                found.append(item)
        return found

    def passes(self, shape: str, row: Row, condition: Condition) -> bool:
        if isinstance(condition, Related):
            hits = [
                item
                for item in self.related(shape, row, condition.related)
                if all(self.passes(condition.related, item, part) for part in condition.filters)
            ]
            return (len(hits) >= condition.at_least) != condition.none
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
            "is": value in wanted,
            "at_least": value >= wanted[0],
            "more_than": value > wanted[0],
            "at_most": value <= wanted[0],
            "less_than": value < wanted[0],
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
        ahead = question.metric == "target"  # set for days to come, too
        result = Answer(whole.value, counted=whole.counted, steps=[start for start in starts if ahead or start <= self.today])
        for start, end in zip(starts, ends, strict=True):
            if start > self.today and not ahead:
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
        if "target" in parts and not parts["target"].value:
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
            later["deal_id"] == stay["deal_id"]
            and later["id"] != stay["id"]
            and later["entered_at"] >= stay["left_at"]
            and stages[later["stage_id"]]["kind"] != "lost"
            and stages[later["stage_id"]]["position"] > stages[stay["stage_id"]]["position"]
            for later in entries
        )

    return ratio(sum(on(row) for row in rows), len(rows), 100)


def in_open_stage(naive: Naive, row: Row, _period: Period) -> bool:
    return naive.index["stage"][row["fact"]["stage_id"]]["kind"] == "open"


def later(move: Row) -> bool:
    return move["old_day"] is not None and move["new_day"] is not None and move["new_day"] > move["old_day"]


def slipped(naive: Naive, row: Row, period: Period) -> bool:
    return any(
        move["deal_id"] == row["id"] and later(move) and naive.midnight(period.first) <= move["changed_at"] < naive.midnight(period.end)
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
    "stage_conversion": Formula(
        "stage_entry",
        "entered",
        went_on,
        lambda naive, row, period: in_open_stage(naive, row, period) and row["fact"]["left_at"] is not None,
    ),
    "stage_entries": Formula("stage_entry", "entered", lambda _naive, rows, _period: Decimal(len({row["fact"]["deal_id"] for row in rows}))),
    "new_pipeline": Formula("deal", "created", amounts),
    "slipped_value": Formula("deal", None, amounts, slipped),
    "slipped_deals": Formula("deal", None, count, slipped),
    "target": Formula(
        "target",
        None,
        lambda _naive, rows, _period: Decimal(sum(row["amount_minor"] for row in rows)),
        lambda _naive, row, period: period.first <= row["first"] and row["end"] <= period.end,
    ),
    "average_amount": Formula("deal", "created", average_size),
    "open_tasks": Formula("activity", "due", count, lambda _naive, row, _period: row["kind"] == "task" and row["completed_at"] is None),
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
    "product_revenue": Formula(
        "line_item",
        "closed",
        lambda naive, rows, _period: Decimal(sum(naive.home(row["fact"]["total_minor"], row["currency"]) or 0 for row in rows)),
        status("won"),
    ),
    "units_sold": Formula(
        "line_item",
        "closed",
        lambda _naive, rows, _period: Decimal(sum(row["fact"]["quantity"] for row in rows)),
        status("won"),
    ),
    "customers": Formula("company", None, count, lambda naive, row, period: naive.was_customer(row["id"], as_of(naive, period))),
    "retention_rate": Formula(
        "company",
        None,
        lambda naive, rows, period: ratio(kept_customers(naive, rows, period), len(rows), 100),
        customer_at_start,
    ),
    "churn_rate": Formula(
        "company",
        None,
        lambda naive, rows, period: ratio(len(rows) - kept_customers(naive, rows, period), len(rows), 100),
        customer_at_start,
    ),
    "revenue_per_customer": Formula(
        "deal", "closed", per_customer, lambda _naive, row, _period: row["status"] == "won" and row["company_id"] is not None
    ),
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
    "forecast": (("won_value", "weighted_pipeline"), lambda values: (values["won_value"] or Decimal()) + (values["weighted_pipeline"] or Decimal())),
}
