"""Every figure against a naive reckoning: random companies, random questions, random rights, exact equality.

The reckoning is ``naive``; where it and the compiler differ, one of them is wrong.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from crm_core.access import Actor, system_actor
from crm_core.context import unit_of_work
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Composite, Unit
from crm_core.metrics.filters import Filter, FilterGroup
from crm_core.metrics.listing import ListPage, ListQuestion, list_records, rows_behind
from crm_core.metrics.measures import Measure
from crm_core.metrics.query import ask
from crm_core.metrics.question import Days, GroupCondition, MetricQuestion, MetricResult
from crm_core.models import NOUNS, ROLES, SCOPES
from crm_core.periods import Calendar, Period, preceding, year_before
from tests.crm_core.naive import (
    COMPOSITES,
    CUSTOM,
    FAR_FUTURE,
    FAR_PAST,
    FIELDS,
    FISCAL_MONTH,
    FIXED,
    FORMULAS,
    GRAINS,
    GROUPED_MEMBERS,
    PICKED,
    Answer,
    Key,
    Naive,
    start_of,
)
from tests.crm_core.random_company import Data, Datasets
from tests.factories import CONVENTIONS, NOW, PICKLISTS

CALENDAR = Calendar(FISCAL_MONTH, CONVENTIONS.week_start)
CENT = Decimal("0.01")
#: No shrinking: a question is short as it is, and shrinking over databases takes minutes.
SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),
    "report_multiple_bugs": False,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
SQLITE_SEEDS, POSTGRES_SEEDS = (0, 1, 2, 3, 4, 5), (3, 4)


@pytest.fixture(scope="session")
def datasets(databases: Any) -> Iterator[Datasets]:
    made = Datasets(databases)
    yield made
    for data in made.made.values():
        databases.drop(data.engine)


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
    return Actor(
        user["id"],
        user["name"],
        user["email"],
        role,
        user["timezone"] or CONVENTIONS.timezone,
        user["team_id"],
        tuple(sorted(members)),
        reads,
        {},
    )


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
    "ref": ("is", "is_not", "empty", "not_empty"),
    "choice": ("is", "is_not", "empty", "not_empty"),
    "boolean": ("is", "is_not", "empty"),
    "members": ("is", "is_not"),
    "text": ("is", "is_not", "contains", "empty", "not_empty"),
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
    shape = (
        FORMULAS[COMPOSITES[metric][0][0]].shape
        if composite and METRICS[metric].groups is None
        else "target"
        if composite
        else FORMULAS[metric].shape
    )  # type: ignore[union-attr]
    groupable = [
        name
        for name, kind in FIELDS[shape].items()
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
        period is not None and (period.first <= FAR_PAST or period.end >= FAR_FUTURE)
    )
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
            shape = FORMULAS[question.metric if question.metric in FORMULAS else COMPOSITES[question.metric][0][0]].shape
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
        ranked = question.order in ("highest", "lowest")
        first = [group for group in result.groups if ranked and group.value == result.groups[0].value] or result.groups[:1]
        assert (shorter.value, shorter.groups, shorter.groups_in_all) == (result.value, first, result.groups_in_all)


def check_rows(data: Data, actor: Actor, question: MetricQuestion) -> None:
    """The list behind a figure holds the very rows that it counts."""
    naive = Naive(data, actor)
    question = question.model_copy(update={"compare": None, "group_by": [], "order": None})
    _answer, _none, period = expected(naive, question)
    keys = {row["id"] for row in naive.selected(question.metric, question, period)}
    with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
        try:
            result = rows_behind(ctx, question, ListPage(limit=200))
        except Invalid as error:
            assert too_long(naive, question, error), error
            return
    assert result.total == len(keys)
    assert set(result.ids) == keys


def check_measure(data: Data, actor: Actor, question: MetricQuestion, field: str, how: str) -> None:
    """A number added up or averaged is that of the records counted which have it, in all and by group; so is the list behind."""
    naive = Naive(data, actor)
    question = question.model_copy(update={"compare": None, "keep": [], "order": None, "limit": None, "group_by": [], "part": []})
    _answer, _none, period = expected(naive, question)
    noun = METRICS[question.metric].rows
    rows = [row for row in naive.selected(question.metric, question, period) if own_number(noun, row, field) is not None]
    numbers = [own_number(noun, row, field) or Decimal() for row in rows]
    total = sum(numbers, Decimal())
    asked = question.model_copy(update={"measure": Measure.model_validate({"field": field, "how": how})})
    with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
        try:
            result, behind = ask(ctx, asked), rows_behind(ctx, asked, ListPage(limit=200))
        except Invalid as error:
            assert too_long(naive, question, error), error
            return
    if how == "sum":
        assert (result.value or Decimal()).quantize(CENT) == total.quantize(CENT)
    else:
        assert result.value is None if not rows else (result.value or Decimal()).quantize(CENT) == (total / len(rows)).quantize(CENT)
    assert set(behind.ids) == {row["id"] for row in rows}


def own_number(noun: str, row: Any, field: str) -> Decimal | None:
    """A number of a record as it was stored."""
    held = (
        row[field] if field in row else json.loads(row["custom"] or "{}").get(field) if isinstance(row["custom"], str) else row["custom"].get(field)
    )
    return None if held is None else Decimal(str(held))


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
        noun=noun,
        filters=draw(st.lists(filters(noun), max_size=3)),
        order_by=draw(st.sampled_from([None, *sortable])),
        descending=draw(st.booleans()),
        limit=draw(st.sampled_from([1, 5, 200])),
        offset=draw(st.sampled_from([0, 0, 3, 100])),
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


# Once a fault: what these find is told one by one in test_metrics (IsNot, Steps, Money) and test_periods (Preceding, Buckets).
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
@pytest.mark.parametrize(
    ("metric", "field"), [("deals", "seats"), ("deals", "budget"), ("open_deals", "seats"), ("won_deals", "budget"), ("companies", "employees")]
)
class TestMeasures:
    def test_a_number_added_up_is_that_of_the_rows_behind(self, datasets: Datasets, metric: str, field: str, kind: str) -> None:
        datasets.get(kind, POSTGRES_SEEDS[0])

        @settings(max_examples=examples(kind) // 2, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            how = draw.draw(st.sampled_from(["sum", "mean"]), label="how")
            check_measure(data, draw.draw(actors(data), label="actor"), draw.draw(questions(metric), label="question"), field, how)

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
        actor = Actor(
            user["id"],
            user["name"],
            user["email"],
            "admin",
            "Europe/Berlin",
            None,
            (user["id"],),
            dict.fromkeys(NOUNS, "all"),
            {},
        )
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
                        if not (isinstance(error, Invalid) and "not a" in str(error) and set(values) - naive.in_use(shape, name)):
                            wrong.append(f"{name} {op} {values}: {type(error).__name__} {str(error).splitlines()[0][:150]}")
        assert "\n".join(wrong) == ""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("metric", ["won_value", "open_deals", "tickets_opened", "activities", "product_revenue"])
class TestShares:
    def test_a_share_is_the_part_in_percent_of_the_whole(self, datasets: Datasets, metric: str, kind: str) -> None:
        datasets.get(kind, POSTGRES_SEEDS[0])

        @settings(max_examples=examples(kind) // 3, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            question = draw.draw(questions(metric), label="whole").model_copy(update={"order": None})
            part = draw.draw(filters(FORMULAS[metric].shape), label="part")
            with unit_of_work(data.engine, draw.draw(actors(data), label="actor"), write=False, now=NOW) as ctx:
                try:
                    whole = ask(ctx, question)
                    inner = ask(ctx, question.model_copy(update={"filters": [*question.filters, part]}))
                    shared = ask(ctx, question.model_copy(update={"part": [part]}))
                    rows = rows_behind(ctx, question.model_copy(update={"part": [part], "group_by": [], "compare": None}))
                except Invalid:
                    event("refused")
                    return
                assert shared.value == (inner.value * 100 / whole.value if whole.value else None)
                assert (shared.unit, shared.additive) == (Unit.percent, False)
                assert shared.share is not None and (shared.share.part, shared.share.whole) == (inner.value or 0, whole.value or 0)
                parts = {group.keys: group.value for group in inner.groups}
                assert [group.keys for group in shared.groups] == [group.keys for group in whole.groups]
                for group, base in zip(shared.groups, whole.groups, strict=True):
                    assert group.value == ((parts.get(group.keys) or 0) * 100 / base.value if base.value else None)
                if inner.counted is not None and metric not in ("product_revenue",):
                    assert rows.total == inner.counted

        check()


def test_a_share_of_what_does_not_add_up_is_refused(datasets: Datasets) -> None:
    data = datasets.get("sqlite", SQLITE_SEEDS[0])
    part = Filter(field="status", values=["won"])
    with unit_of_work(data.engine, system_actor(), write=False, now=NOW) as ctx, pytest.raises(Invalid, match="neither"):
        ask(ctx, MetricQuestion(metric="win_rate", part=[part]))
    with unit_of_work(data.engine, system_actor(), write=False, now=NOW) as ctx, pytest.raises(Invalid, match="not of a share"):
        ask(ctx, MetricQuestion(metric="deals", part=[part], group_by=["owner"], keep=[GroupCondition(op="at_least", value=Decimal(1))]))
