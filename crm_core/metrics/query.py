"""The one compiler from a typed question to SQL, and the exact answer it gives.

A question names a metric, filters, up to two groups, a period, perhaps another period to compare with, an
order and a limit. The compiler adds the caller's row rights, joins what the fields need, and lets the
database sum whole numbers over *all* visible rows; ratios are finished in ``Decimal``. A limit cuts the list
that is shown, never what is summed. Groups by day, week, month, quarter or year use the caller's midnights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import islice, takewhile
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, cast, func, literal, select

from crm_core.access import describe_scope
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.conversion import rates
from crm_core.metrics.definitions import METRICS, Composite, Metric, Unit
from crm_core.metrics.fields import Field, Shape, field_of, shape_for
from crm_core.metrics.filters import compile_conditions, named_fields, without_relations
from crm_core.metrics.measures import measured
from crm_core.metrics.question import Group, GroupCondition, MetricQuestion, MetricResult, Share
from crm_core.metrics.rewind import REWOUND, as_known_at, check_past, end_of_day
from crm_core.models import Deal, PicklistValue, Stage, Target
from crm_core.money import MICRO, exponent
from crm_core.periods import (
    ALL_TIME,
    FAR_FUTURE,
    FAR_PAST,
    Grain,
    Period,
    buckets,
    local_day,
    preceding,
    walk,
    whole,
    year_before,
)
from crm_core.text import plural

#: State metrics run one query a bucket, so their series is kept shorter.
MAX_STATE_BUCKETS = 60
NOTHING = "(none)"


@dataclass
class _Compiled:
    statement: Select[Any]
    parts: list[str]
    groups: int


def ask(ctx: Context, question: MetricQuestion) -> MetricResult:
    """Compute the answer; raises ``Invalid`` for an unknown metric, field, value or impossible combination."""
    metric = metric_named(question.metric)
    if question.part:
        return _share(ctx, question, metric)
    if question.as_of is not None:
        return _as_of(ctx, question, metric, question.as_of)
    period, assumed = _period(ctx, metric, question)
    run = _Run(ctx, question, metric)
    metric = run.metric
    value, groups, counted = run.figures(period)
    result = MetricResult(
        metric=metric.name,
        title=metric.title,
        meaning=metric.meaning,
        unit=metric.unit,
        currency=ctx.home_currency,
        value=value,
        previous=None,
        groups=groups,
        group_titles=run.group_titles,
        groups_in_all=len(groups),
        period=period,
        previous_period=None,
        scope=describe_scope(ctx, run.noun),
        counted=counted,
        additive=metric.additive,
        higher_is_better=metric.higher_is_better,
        notes=run.notes(),
        statements=run.statements,
    )
    if run.narrowed is not None:
        result.period = run.narrowed
    if run.grain is not None and isinstance(metric, Metric) and metric.when is None and not metric.ahead:
        result.additive = False  # what was there at each month's end does not add up
    if assumed:
        result.notes.append(f"No period was named, so this is {period.label}.")
    if question.compare:
        _compare(ctx, question, run, result)
    result.groups_compared = len(result.groups)
    for condition in question.keep:
        _keep(ctx, question, condition, result)
    _order(ctx, question, run, result)
    if question.limit:
        shown = question.limit
        while question.order in ("highest", "lowest") and shown < len(result.groups) and result.groups[shown].value == result.groups[shown - 1].value:
            shown += 1  # one of several with the same figure is not the first
        result.groups = result.groups[:shown]
    return result


def _share(ctx: Context, question: MetricQuestion, metric: Metric | Composite) -> MetricResult:
    """The share of a figure, and of each of its groups, that meets further conditions: ``100 * part / whole``."""
    if not metric.additive or metric.unit not in (Unit.money, Unit.count):
        raise Invalid(f"A share can be told of an amount or of a number of records; {metric.title} is neither. Ask for it split instead.")
    if question.measure is not None and question.measure.how == "mean":
        raise Invalid("An average has no share; ask for the average of the part, or for it split.")
    if question.keep:
        raise Invalid("Groups can be left out by their value only of the figure itself, not of a share of it.")
    plain = question.model_copy(update={"part": [], "order": None, "limit": None})
    whole = ask(ctx, plain)
    part = ask(ctx, plain.model_copy(update={"filters": [*question.filters, *question.part]}))
    parts = {group.keys: group for group in part.groups}
    groups = []
    for group in whole.groups:
        mine = parts.get(group.keys)
        previous = _percent(mine.previous if mine else Decimal(), group.previous) if question.compare else None
        groups.append(Group(group.keys, group.labels, _percent(mine.value if mine else Decimal(), group.value), previous))
    if question.order in ("highest", "lowest"):
        known = [group for group in groups if group.value is not None]
        groups = sorted(known, key=lambda group: group.value or Decimal(), reverse=question.order == "highest")
    value, total = part.value or Decimal(), whole.value or Decimal()
    return replace(
        whole,
        title=f"share of {whole.title}",
        meaning=f"What meets the further conditions, in percent of the whole. The whole: {whole.meaning}",
        unit=Unit.percent,
        value=_percent(value, whole.value),
        previous=_percent(part.previous, whole.previous) if question.compare else None,
        groups=groups[: question.limit] if question.limit else groups,
        counted=part.counted,
        additive=False,
        higher_is_better=True,
        share=Share(whole.title, whole.unit, value, total),
        statements=[*part.statements, *whole.statements],
    )


def _percent(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """None where there is no whole."""
    return (part or Decimal()) * 100 / whole if whole else None


def _as_of(ctx: Context, question: MetricQuestion, metric: Metric | Composite, day: date) -> MetricResult:
    """The answer that the question would have had at the end of a past day."""
    check_past(ctx, day)
    if isinstance(metric, Metric) and metric.shape not in REWOUND:
        raise Invalid(f"I can look back at deals; for {metric.title} as of a past day, ask for the period that ends with it.")
    with as_known_at(ctx, end_of_day(ctx, day)) as then:
        result = ask(then, question.model_copy(update={"as_of": None}))
    result.as_of, result.scope = day, describe_scope(ctx, "deal")
    return result


def metric_named(name: str) -> Metric | Composite:
    """The metric by name, title or synonym; raises ``Invalid`` that lists them."""
    wanted = name.strip().lower().replace("-", "_")
    metric = METRICS.get(wanted.replace(" ", "_"))
    if metric is None:
        spoken = wanted.replace("_", " ")
        metric = next((item for item in METRICS.values() if spoken == item.title or spoken in item.synonyms), None)
    if metric is None:
        raise Invalid(f"There is no metric '{name}'; there are {', '.join(sorted(METRICS))}.")
    return metric


def _period(ctx: Context, metric: Metric | Composite, question: MetricQuestion) -> tuple[Period, bool]:
    if question.period is not None:
        return question.period.period(ctx.calendar), False
    if metric.default_period is not None:
        return whole(metric.default_period, ctx.today, ctx.calendar), True
    return ALL_TIME, False


def _compare(ctx: Context, question: MetricQuestion, run: _Run, result: MetricResult) -> None:
    if result.period.first <= FAR_PAST or result.period.end >= FAR_FUTURE:
        raise Invalid("All time has nothing before it to compare with; name a period such as 'this quarter'.")
    other = (preceding if question.compare == "previous" else year_before)(result.period, ctx.calendar)
    value, groups, _ = run.figures(other)
    result.previous, result.previous_period = value, other
    if run.grain is None:
        before = {group.keys: group for group in groups}
        for group in result.groups:
            result_before = before.pop(group.keys, None)
            group.previous = result_before.value if result_before else (Decimal() if result.additive else None)
        for group in before.values():
            now = Decimal() if result.additive else None
            result.groups.append(Group(group.keys, group.labels, now, group.value))
    elif len(run.groupings) == 1:
        places = {step.first: place for place, step in enumerate(buckets(result.period, run.grain, ctx.calendar))}
        steps = [step.first for step in buckets(other, run.grain, ctx.calendar)]
        values = {group.keys: group.value for group in groups}
        for group in result.groups:
            place = places.get(group.keys[0], len(steps))
            if place < len(steps):
                group.previous = values.get((steps[place],), Decimal() if result.additive else None)
    result.groups_in_all = len(result.groups)


def _keep(ctx: Context, question: MetricQuestion, condition: GroupCondition, result: MetricResult) -> None:
    """Leave out the groups that do not meet the condition; a group without a value meets none."""
    if not question.group_by:
        raise Invalid("Groups can be left out only of a figure that is split; say by what to split it.")
    values: dict[tuple[Any, ...], Decimal | None] = {group.keys: group.value for group in result.groups}
    metric = metric_named(condition.metric or question.metric)
    if metric.name != result.metric:
        other = _Run(ctx, question.model_copy(update={"metric": metric.name, "compare": None, "order": None, "limit": None}), metric)
        _value, groups, _count = other.figures(result.period)
        result.statements += other.statements
        values = {key: Decimal() if metric.additive else None for key in values}
        values.update((group.keys, group.value) for group in groups)
    unit = result.unit if metric.name == result.metric else metric.unit
    bound = condition.value * 10 ** exponent(ctx.home_currency) if unit is Unit.money else condition.value
    meets: dict[str, Callable[[Decimal], bool]] = {
        "is": lambda value: value == bound,
        "at_least": lambda value: value >= bound,
        "more_than": lambda value: value > bound,
        "at_most": lambda value: value <= bound,
        "less_than": lambda value: value < bound,
    }
    met = meets[condition.op]
    result.groups = [group for group in result.groups if (value := values.get(group.keys)) is not None and met(value)]
    result.groups_in_all = len(result.groups)


def _order(ctx: Context, question: MetricQuestion, run: _Run, result: MetricResult) -> None:
    groups = result.groups
    if question.order in ("highest", "lowest"):
        lowest = question.order == "lowest"
        known = [group for group in groups if group.value is not None]
        known.sort(key=lambda group: (group.value if lowest else -(group.value or 0), group.labels))
        result.groups = known + [group for group in groups if group.value is None]
    elif question.order == "label":
        groups.sort(key=lambda group: group.labels)
    elif run.groupings:
        ranks = [run.natural_order(ctx, name) for name in question.group_by]
        groups.sort(
            key=lambda group: (
                *(rank(key) if rank else 0 for rank, key in zip(ranks, group.keys, strict=True)),
                -(group.value if group.value is not None else Decimal("-1e18")),
                group.labels,
            )
        )


class _Run:
    """One question being computed, for one or more periods."""

    def __init__(self, ctx: Context, question: MetricQuestion, metric: Metric | Composite) -> None:
        self.ctx, self.question, self.metric = ctx, question, metric
        self.statements: list[Select[Any]] = []
        self.foreign = 0
        #: The period used in place of all time, where a series needs an end.
        self.narrowed: Period | None = None
        first = metric if isinstance(metric, Metric) else METRICS[metric.inputs[0]]
        assert isinstance(first, Metric)
        self.shape = shape_for(ctx, first.shape)
        self.noun = self.shape.noun.__noun__ if self.shape.name != "target" else "deal"
        self.measured: Field | None = None
        if question.measure is not None:
            self.metric, self.measured = measured(self.shape, metric, question.measure)
            metric = self.metric
        self.grain: Grain | None = None
        self.groupings: list[Field | Grain] = []
        for name in question.group_by:
            self.groupings.append(self._grouping(name))
        if sum(isinstance(item, Grain) for item in self.groupings) > 1:
            raise Invalid("A figure can be grouped by one step of time only; choose day, week, month, quarter or year.")
        if isinstance(metric, Composite) and metric.groups is not None:
            self._check_composite(metric)

    def _grouping(self, name: str) -> Field | Grain:
        if name.strip().lower() in Grain.__members__:
            self.grain = Grain(name.strip().lower())
            return self.grain
        item = field_of(self.shape, name)
        if not item.groupable:
            raise Invalid(f"Figures cannot be grouped by {item.title}; use a name, a choice or a step of time.")
        return item

    def _check_composite(self, metric: Composite) -> None:
        if len(without_relations(self.question.filters)) < len(self.question.filters):
            raise Invalid(f"{metric.title.capitalize()} cannot be narrowed by related records, since targets are set for people.")
        names = named_fields(self.question.filters)
        names += [item.name for item in self.groupings if isinstance(item, Field)]
        for name in names:
            if field_of(self.shape, name).name not in (metric.groups or ()):
                raise Invalid(
                    f"{metric.title.capitalize()} can only be split or filtered by {' or '.join(metric.groups or ())}, "
                    f"since targets are set for people; '{name}' does not apply."
                )

    @property
    def group_titles(self) -> list[str]:
        """Headings of the groups."""
        return [item.value if isinstance(item, Grain) else item.title for item in self.groupings]

    def figures(self, period: Period) -> tuple[Decimal | None, list[Group], int | None]:
        """Total, groups and number of rows behind them, for one period."""
        if isinstance(self.metric, Composite):
            return self._composite(self.metric, period)
        return self._metric(self.metric, period)

    def _composite(self, metric: Composite, period: Period) -> tuple[Decimal | None, list[Group], None]:
        totals: dict[str, Decimal | None] = {}
        rows: dict[tuple[Any, ...], dict[str, Decimal | None]] = {}
        labels: dict[tuple[Any, ...], tuple[str, ...]] = {}
        for name in metric.inputs:
            part = METRICS[name]
            question = self.question.model_copy(update={"metric": name, "compare": None, "order": None, "limit": None})
            inner = _Run(self.ctx, question, part)
            value, groups, _ = inner.figures(period)
            self.statements += inner.statements
            self.foreign += inner.foreign
            totals[name] = value
            for group in groups:
                rows.setdefault(group.keys, dict.fromkeys(metric.inputs))[name] = group.value
                labels.setdefault(group.keys, group.labels)
        if not totals.get("target", 1):
            raise Invalid(self._no_target(period))
        groups_out = [Group(key, labels[key], metric.finish(values)) for key, values in rows.items()]
        return metric.finish(totals), groups_out, None

    def _no_target(self, period: Period) -> str:
        lengths = {(row.end - row.first).days for row in self.ctx.session.execute(select(Target.first, Target.end).limit(1000))}
        if not lengths:
            return "No targets are set yet, so there is nothing to measure against; import targets first."
        return (
            f"No target lies wholly in {period.describe()} for what you may see; targets here span "
            f"{min(lengths)} to {max(lengths)} days. Ask for a whole period that holds one."
        )

    def _metric(self, metric: Metric, period: Period) -> tuple[Decimal | None, list[Group], int | None]:
        if self.grain is not None and metric.when is None:
            return self._state_series(metric, period)
        grained = period
        steps: list[Period] = []
        if self.grain is not None:
            grained = self._clip_to_data(metric, period)
            steps = buckets(grained, self.grain, self.ctx.calendar)
        compiled = self._compile(metric, period, steps)
        raw = self._execute(compiled)
        groups = [self._group(metric, compiled, row, steps) for row in raw]
        if steps and metric.additive and len(self.groupings) == 1:
            present = {group.keys for group in groups}
            groups += [Group((step.first,), (step.label,), Decimal()) for step in steps if (step.first,) not in present]
        counted = sum(int(row[-2] or 0) for row in raw)
        self.foreign += sum(int(row[-1] or 0) for row in raw)
        if not self.groupings:
            total = groups[0].value if groups else metric.finish(dict.fromkeys(compiled.parts, 0))
            return total, [], counted
        if metric.additive:
            value: Decimal | None = sum((group.value or Decimal() for group in groups), Decimal())
        else:
            plain = self._compile(metric, period, [], grouped=False)
            (row,) = self._execute(plain)
            value = metric.finish(dict(zip(plain.parts, row[: len(plain.parts)], strict=True)))
        return value, groups, counted

    def _state_series(self, metric: Metric, period: Period) -> tuple[Decimal | None, list[Group], int | None]:
        """A state metric over time: one computation a bucket, each as of its bucket's end."""
        assert self.grain is not None
        if period.first <= FAR_PAST:
            year = whole(Grain.year, self.ctx.today, self.ctx.calendar)
            period = Period(year.first, min(year.end, self.ctx.today.fromordinal(self.ctx.today.toordinal() + 1)), "this year")
            self.narrowed = period
        here = (step for step in walk(period, self.grain, self.ctx.calendar) if metric.ahead or step.first <= self.ctx.today)
        steps = list(islice(here if metric.ahead else takewhile(lambda step: step.first <= self.ctx.today, here), MAX_STATE_BUCKETS + 1))
        if len(steps) > MAX_STATE_BUCKETS:
            raise Invalid(f"{metric.title.capitalize()} can be shown over at most {MAX_STATE_BUCKETS} steps; use longer steps.")
        place = next(index for index, item in enumerate(self.groupings) if isinstance(item, Grain))
        others = [name for index, name in enumerate(self.question.group_by) if index != place]
        inner = _Run(self.ctx, self.question.model_copy(update={"group_by": others}), METRICS[metric.name])
        groups: list[Group] = []
        for step in steps:
            value, parts, _ = inner._metric(metric, step)
            found = parts if others else [Group((), (), value)]
            for group in found:
                keys, labels = list(group.keys), list(group.labels)
                keys.insert(place, step.first)
                labels.insert(place, step.label)
                groups.append(Group(tuple(keys), tuple(labels), group.value))
        self.statements += inner.statements[-1:]
        value, _, counted = _Run(self.ctx, self.question.model_copy(update={"group_by": []}), METRICS[metric.name])._metric(metric, period)
        return value, groups, counted

    def _clip_to_data(self, metric: Metric, period: Period) -> Period:
        """A period whose open ends are narrowed to the days that have rows, so that it can be cut into steps."""
        if period.first > FAR_PAST and period.end < FAR_FUTURE:
            return period
        when = self._when(metric)
        column = when.key(self.ctx)  # type: ignore[misc]
        query = select(func.min(column), func.max(column))
        clauses, joins = self._clauses(metric, period)
        low, high = self.ctx.session.execute(self.shape.select_from(self.ctx, query, joins).where(*clauses)).one()
        if low is None:
            return Period(self.ctx.today, self.ctx.today, period.label)
        days = [local_day(item, self.ctx.zone) if hasattr(item, "hour") else item for item in (low, high)]
        first = period.first if period.first > FAR_PAST else days[0]
        end = period.end if period.end < FAR_FUTURE else date.fromordinal(days[1].toordinal() + 1)
        return Period(first, max(first, end), period.label)

    def _when(self, metric: Metric) -> Field:
        assert metric.when is not None
        return self.shape.fields[metric.when]

    def _clauses(self, metric: Metric, period: Period) -> tuple[list[ColumnElement[bool]], list[str]]:
        ctx = self.ctx
        clauses, joins = compile_conditions(ctx, self.shape, self.question.filters)
        clauses = [self.shape.visible(ctx), *metric.where(ctx), *clauses]
        if self.measured is not None and self.measured.key is not None:
            clauses.append(self.measured.key(ctx).is_not(None))
            joins += self.measured.joins
        start, end = period.bounds(ctx.zone)
        if metric.span is not None:
            clauses += metric.span(ctx, start, end)
        elif metric.when is not None and period is not ALL_TIME and period != ALL_TIME:
            when = self._when(metric)
            column = when.key(ctx)  # type: ignore[misc]
            low, high = (period.first, period.end) if when.kind.value == "day" else (start, end)
            if period.first > FAR_PAST:
                clauses.append(column >= low)
            if period.end < FAR_FUTURE:
                clauses.append(column < high)
            joins += when.joins
        return clauses, joins

    def _compile(self, metric: Metric, period: Period, steps: list[Period], *, grouped: bool = True) -> _Compiled:
        ctx = self.ctx
        clauses, joins = self._clauses(metric, period)
        keys: list[ColumnElement[Any]] = []
        for item in self.groupings if grouped else []:
            if isinstance(item, Grain):
                keys.append(self._bucket(metric, steps))
            else:
                keys.append(item.key(ctx))  # type: ignore[misc]
                keys.append(item.label(ctx) if item.label else item.key(ctx))  # type: ignore[misc]
                joins += item.joins
        if metric.name == "weighted_pipeline":
            joins.append("stage")
        start, end = period.bounds(ctx.zone)
        parts = metric.span_parts(ctx, start, end) if metric.span_parts else {name: build(ctx) for name, build in metric.parts.items()}
        foreign: ColumnElement[Any] = literal(0, Integer)
        if metric.unit is Unit.money and self.shape.name in ("deal", "line_item", "stage_entry") and len(rates(ctx)) > 1:
            foreign = func.sum(case((Deal.currency != ctx.home_currency, 1), else_=0))
        if metric.median is not None:
            statement, names = self._median(metric, clauses, joins, keys)
        else:
            names = list(parts)
            statement = self.shape.select_from(ctx, select(*keys, *parts.values(), func.count(), foreign), joins).where(*clauses)
            if keys:
                statement = statement.group_by(*keys)
        return _Compiled(statement, names, len(keys))

    def _median(
        self, metric: Metric, clauses: list[ColumnElement[bool]], joins: list[str], keys: list[ColumnElement[Any]]
    ) -> tuple[Select[Any], list[str]]:
        """Middle value, or the two middle ones summed, of each group: ranks by window, then ranks n/2 and n/2+1."""
        assert metric.median is not None
        value = metric.median(self.ctx)
        named = [key.label(f"k{index}") for index, key in enumerate(keys)]
        partition = keys or None
        rank = func.row_number().over(partition_by=partition, order_by=value).label("rank")
        size = func.count().over(partition_by=partition).label("size")
        inner = self.shape.select_from(self.ctx, select(*named, value.label("value"), rank, size), joins).where(*clauses)
        table = inner.subquery()
        low = (table.c.size + 1) // 2
        high = (table.c.size + 2) // 2
        outer_keys = [table.c[f"k{index}"] for index in range(len(keys))]
        statement = select(*outer_keys, func.sum(table.c.value), func.count(), func.max(table.c.size), literal(0, Integer)).where(
            table.c.rank.between(low, high)
        )
        if outer_keys:
            statement = statement.group_by(*outer_keys)
        return statement, ["seconds", "count"]

    def _bucket(self, metric: Metric, steps: list[Period]) -> ColumnElement[int]:
        """Index of the step that holds the row's time, by comparing with the steps' ends."""
        when = self._when(metric)
        column = when.key(self.ctx)  # type: ignore[misc]
        if not steps:
            return cast(literal(0), Integer)
        day = when.kind.value == "day"
        ends = [step.end if day else step.bounds(self.ctx.zone)[1] for step in steps]
        return case(*((column < end, literal(index, Integer)) for index, end in enumerate(ends)), else_=literal(len(steps), Integer))

    def _execute(self, compiled: _Compiled) -> Sequence[Any]:
        self.statements.append(compiled.statement)
        return self.ctx.session.execute(compiled.statement).all()

    def _group(self, metric: Metric, compiled: _Compiled, row: Any, steps: list[Period]) -> Group:
        keys: list[Any] = []
        labels: list[str] = []
        place = 0
        for item in self.groupings:
            if isinstance(item, Grain):
                step = steps[row[place]] if row[place] < len(steps) else None
                keys.append(step.first if step else None)
                labels.append(step.label if step else NOTHING)
                place += 1
            else:
                keys.append(row[place])
                label = row[place + 1]
                labels.append(NOTHING if label in (None, "") else _spoken(label))
                place += 2
        parts = dict(zip(compiled.parts, row[place : place + len(compiled.parts)], strict=True))
        return Group(tuple(keys), tuple(labels), metric.finish(parts))

    def notes(self) -> list[str]:
        """What a reader must know of how amounts were converted."""
        if not self.foreign:
            return []
        home = self.ctx.home_currency
        shown = []
        for code, rate in sorted(rates(self.ctx).items()):
            if code != home:
                per_unit = Decimal(rate.micro) / MICRO * Decimal(10) ** (exponent(code) - exponent(home))
                shown.append(f"1 {code} = {per_unit.normalize():f} {home} ({rate.day.isoformat()})")
        was = "was" if self.foreign == 1 else "were"
        amounts = plural(self.foreign, "amount")
        return [f"{amounts} in other currencies {was} converted at {', '.join(shown)}."]

    def natural_order(self, ctx: Context, name: str) -> Callable[[Any], Any] | None:
        """Rank of a key where the group has an order of its own: time, stages, picklists."""
        if name.strip().lower() in Grain.__members__:
            return lambda key: (key is None, key or FAR_PAST)
        item = field_of(self.shape, name)
        if item.target == "stage":
            places = {row.id: (row.pipeline_id, row.position) for row in ctx.session.execute(select(Stage.id, Stage.pipeline_id, Stage.position))}
            return lambda key: places.get(key, (0, 0))
        if item.name == "priority" and item.picklist:
            noun, choice = item.picklist
            query = select(PicklistValue.value, PicklistValue.position).where(PicklistValue.noun == noun, PicklistValue.field == choice)
            ranks = {row.value: row.position for row in ctx.session.execute(query)}
            return lambda key: ranks.get(key, len(ranks))
        return None


def _spoken(label: Any) -> str:
    return {True: "yes", False: "no"}.get(label, str(label)) if isinstance(label, bool) else str(label)


def underlying(ctx: Context, question: MetricQuestion) -> tuple[Shape, list[ColumnElement[bool]], list[str], Period]:
    """Shape, clauses and joins of the rows behind a figure, for listing them; a composite shows its first input's."""
    if question.part:  # those of the part
        question = question.model_copy(update={"filters": [*question.filters, *question.part], "part": []})
    metric = metric_named(question.metric)
    if isinstance(metric, Composite):
        first = METRICS[metric.inputs[0]]
        assert isinstance(first, Metric)
        period, _ = _period(ctx, metric, question)
        metric = first
    else:
        period, _ = _period(ctx, metric, question)
    run = _Run(ctx, question.model_copy(update={"metric": metric.name, "group_by": []}), metric)
    clauses, joins = run._clauses(metric, period)
    return run.shape, clauses, joins, period
