"""Every metric, declared once: name, meaning, unit, formula, time, words.

A metric sums *parts* (whole numbers computed by SQL over all visible rows) and *finishes* them in decimal
arithmetic, so that a ratio is never computed from rounded pieces. ``where`` is the condition of belonging;
``when`` the time field that a period applies to. A metric without ``when`` describes a state: it is asked
"as of the period's end" through ``span``, which gets the period's UTC bounds. A *composite* finishes the
values of other metrics computed with the same filters and groups.

The meanings here are what the product shows when it is asked how a figure came about; ``docs/metrics.md`` is
made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, distinct, exists, func, literal, or_
from sqlalchemy.orm import aliased

from crm_core.context import Context
from crm_core.database import seconds_between
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.fields import CUSTOMER_DAYS, ENTRY_STAGE, customer_at
from crm_core.models import (
    Activity,
    CloseDateChange,
    Company,
    Contact,
    Deal,
    Lead,
    LineItem,
    Stage,
    StageEntry,
    Target,
    Ticket,
)
from crm_core.periods import Grain, local_day


class Unit(Enum):
    """What a metric's value is measured in."""

    money = "money"
    count = "count"
    percent = "percent"
    days = "days"
    hours = "hours"
    times = "times"


Parts = Mapping[str, Any]
Sql = Callable[[Context], ColumnElement[Any]]
Span = Callable[[Context, datetime, datetime], list[ColumnElement[bool]]]
SpanParts = Callable[[Context, datetime, datetime], dict[str, ColumnElement[Any]]]


@dataclass(frozen=True)
class Metric:
    """One declared metric over one shape."""

    name: str
    title: str
    meaning: str
    unit: Unit
    shape: str
    finish: Callable[[Parts], Decimal | None]
    parts: Mapping[str, Sql] = field(default_factory=dict)
    where: Callable[[Context], list[ColumnElement[bool]]] = lambda _ctx: []
    when: str | None = None
    span: Span | None = None
    span_parts: SpanParts | None = None
    #: SQL of a whole number whose median is the value, instead of ``parts``.
    median: Sql | None = None
    synonyms: tuple[str, ...] = ()
    #: Groups add up to the total.
    additive: bool = False
    higher_is_better: bool = True
    #: Noun of the rows behind the figure.
    rows: str = "deal"
    counted: str = ""
    #: Grain of the current period meant where a question names none; empty: all time, or as of now.
    default_period: Grain | None = None


@dataclass(frozen=True)
class Composite:
    """A metric made of others: ``finish`` gets their values by name. ``groups`` limits what it can be grouped by."""

    name: str
    title: str
    meaning: str
    unit: Unit
    inputs: tuple[str, ...]
    finish: Callable[[Mapping[str, Decimal | None]], Decimal | None]
    synonyms: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    additive: bool = False
    higher_is_better: bool = True
    rows: str = "deal"
    default_period: Grain | None = Grain.quarter


def _value(name: str = "value") -> Callable[[Parts], Decimal | None]:
    return lambda parts: Decimal(int(parts[name] or 0))


def _ratio(top: str, bottom: str, scale: int = 1) -> Callable[[Parts], Decimal | None]:
    """``top / bottom * scale``, or None where nothing was counted below."""

    def finish(parts: Parts) -> Decimal | None:
        below = int(parts[bottom] or 0)
        return Decimal(int(parts[top] or 0)) * scale / below if below else None

    return finish


def _mean(unit_seconds: int) -> Callable[[Parts], Decimal | None]:
    """Mean of summed seconds over a count, in days or hours."""

    def finish(parts: Parts) -> Decimal | None:
        count = int(parts["count"] or 0)
        return Decimal(int(parts["seconds"] or 0)) / count / unit_seconds if count else None

    return finish


def _median(unit_seconds: int) -> Callable[[Parts], Decimal | None]:
    def finish(parts: Parts) -> Decimal | None:
        if not parts["count"]:
            return None
        return Decimal(int(parts["seconds"])) / int(parts["count"]) / unit_seconds

    return finish


DAY, HOUR = 86_400, 3_600


def _amount(ctx: Context) -> ColumnElement[Any]:
    return func.sum(home_amount(ctx, Deal.amount_minor))


def _count_all(_ctx: Context) -> ColumnElement[Any]:
    return func.count()


def _count_if(condition: ColumnElement[bool]) -> Sql:
    return lambda _ctx: func.sum(case((condition, 1), else_=0))


def _amount_if(condition: ColumnElement[bool]) -> Sql:
    return lambda ctx: func.sum(case((condition, home_amount(ctx, Deal.amount_minor)), else_=0))


def _seconds(start: Any, end: Any) -> Sql:
    return lambda _ctx: seconds_between(start, end)


def _sum_seconds(start: Any, end: Any) -> Sql:
    return lambda _ctx: func.sum(seconds_between(start, end))


def _only(*conditions: ColumnElement[bool]) -> Callable[[Context], list[ColumnElement[bool]]]:
    return lambda _ctx: list(conditions)


_open, _won, _lost = Deal.status == "open", Deal.status == "won", Deal.status == "lost"
_closed = Deal.status.in_(("won", "lost"))
_stay_end = StageEntry.left_at


def _stay_seconds(ctx: Context) -> ColumnElement[Any]:
    return seconds_between(StageEntry.entered_at, func.coalesce(_stay_end, literal(ctx.now, StageEntry.left_at.type)))


def _went_on() -> ColumnElement[bool]:
    """The deal of this stay later entered a further stage, not a lost one."""
    later, stage = aliased(StageEntry), aliased(Stage)
    return exists().where(
        later.deal_id == StageEntry.deal_id,
        later.entered_at >= StageEntry.left_at,
        later.id != StageEntry.id,
        stage.id == later.stage_id,
        stage.kind != "lost",
        stage.position > ENTRY_STAGE.position,
    )


def _slipped(_ctx: Context, start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    change = aliased(CloseDateChange)
    return [
        exists().where(
            change.deal_id == Deal.id,
            change.changed_at >= start,
            change.changed_at < end,
            change.new_day > change.old_day,
        )
    ]


def _clip(ctx: Context, instant: datetime) -> datetime:
    return min(instant, ctx.now)


def _retention_parts(ctx: Context, start: datetime, end: datetime) -> dict[str, ColumnElement[Any]]:
    before, after = customer_at(ctx, start), customer_at(ctx, _clip(ctx, end))
    return {
        "before": func.sum(case((before, 1), else_=0)),
        "kept": func.sum(case((and_(before, after), 1), else_=0)),
    }


def _open_at(model: Any, closed: Any) -> Span:
    """Rows that existed and were not closed at the period's end (or now)."""

    def clauses(ctx: Context, _start: datetime, end: datetime) -> list[ColumnElement[bool]]:
        instant = _clip(ctx, end)
        return [model.created_at < instant, or_(closed.is_(None), closed >= instant)]

    return clauses


def _backlog_parts(ctx: Context, _start: datetime, end: datetime) -> dict[str, ColumnElement[Any]]:
    age = seconds_between(Ticket.created_at, literal(_clip(ctx, end), Ticket.created_at.type))
    return {"seconds": func.sum(age), "count": func.count()}


def _targets_within(ctx: Context, start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    return [Target.first >= local_day(start, ctx.zone), Target.end <= local_day(end, ctx.zone)]


_weighted_sql: Sql = lambda ctx: func.sum(home_amount(ctx, Deal.amount_minor) * Stage.probability)  # noqa: E731


def _counted(name: str, shape: str, plural: str, model: Any, when: str, synonyms: tuple[str, ...]) -> Metric:
    return Metric(
        name,
        f"number of {plural}",
        f"How many {plural} there are; with a period, those that came in it.",
        Unit.count,
        shape,
        _value(),
        {"value": _count_all},
        when=when,
        synonyms=synonyms,
        additive=True,
        rows=shape,
        counted=plural,
        where=_only(model.archived_at.is_(None)),
    )


_SHARE = Unit.percent

METRICS: dict[str, Metric | Composite] = {
    metric.name: metric
    for metric in (
        Metric(
            "open_pipeline",
            "open pipeline",
            "Sum of the amounts of open deals; with a period, of those expected to close in it.",
            Unit.money,
            "deal",
            _value(),
            {"value": _amount},
            _only(_open),
            "expected_close",
            synonyms=(
                "open pipeline",
                "pipeline",
                "pipeline value",
                "open pipeline value",
                "funnel",
                "open deals value",
                "pipe",
                "value of open deals",
                "total pipeline",
            ),
            additive=True,
        ),
        Metric(
            "open_deals",
            "open deals",
            "Number of open deals; with a period, of those expected to close in it.",
            Unit.count,
            "deal",
            _value(),
            {"value": _count_all},
            _only(_open),
            "expected_close",
            synonyms=("open deals", "open opportunities", "active deals", "open deal count", "pipeline count", "deals in the pipeline", "live deals"),
            additive=True,
            counted="open deals",
        ),
        Metric(
            "weighted_pipeline",
            "weighted pipeline",
            "Sum over open deals of amount times the stage's probability; with a period, of those expected to close in it.",
            Unit.money,
            "deal",
            lambda parts: Decimal(int(parts["value"] or 0)) / 100,
            {"value": _weighted_sql},
            _only(_open),
            "expected_close",
            synonyms=("weighted pipeline", "weighted forecast", "weighted value", "expected value", "probability weighted pipeline", "weighted pipe"),
            additive=True,
        ),
        Metric(
            "won_value",
            "won value",
            "Sum of the amounts of deals won (bookings), by the day they were won.",
            Unit.money,
            "deal",
            _value(),
            {"value": _amount},
            _only(_won),
            "closed",
            synonyms=(
                "won value",
                "bookings",
                "revenue",
                "sales",
                "closed won",
                "turnover",
                "win value",
                "closed business",
                "closed won value",
                "money we made",
                "booking",
            ),
            additive=True,
        ),
        Metric(
            "won_deals",
            "deals won",
            "Number of deals won, by the day they were won.",
            Unit.count,
            "deal",
            _value(),
            {"value": _count_all},
            _only(_won),
            "closed",
            synonyms=(
                "won deals",
                "deals won",
                "wins",
                "number of wins",
                "closed won deals",
                "deals closed",
                "won count",
                "closed deals",
                "win count",
                "deals we won",
            ),
            additive=True,
            counted="deals won",
        ),
        Metric(
            "lost_value",
            "lost value",
            "Sum of the amounts of deals lost, by the day they were lost.",
            Unit.money,
            "deal",
            _value(),
            {"value": _amount},
            _only(_lost),
            "closed",
            synonyms=("lost value", "lost revenue", "lost business", "closed lost", "value lost", "lost amount"),
            additive=True,
            higher_is_better=False,
        ),
        Metric(
            "lost_deals",
            "deals lost",
            "Number of deals lost, by the day they were lost.",
            Unit.count,
            "deal",
            _value(),
            {"value": _count_all},
            _only(_lost),
            "closed",
            synonyms=("lost deals", "deals lost", "losses", "number of losses", "closed lost deals", "lost count", "deals we lost"),
            additive=True,
            higher_is_better=False,
            counted="deals lost",
        ),
        Metric(
            "win_rate",
            "win rate",
            "Deals won divided by deals won or lost, by number, by the day they closed.",
            _SHARE,
            "deal",
            _ratio("won", "closed", 100),
            {"won": _count_if(_won), "closed": _count_all},
            _only(_closed),
            "closed",
            synonyms=(
                "win rate",
                "winrate",
                "close rate",
                "closing rate",
                "success rate",
                "hit rate",
                "win ratio",
                "win percentage",
                "conversion to won",
            ),
        ),
        Metric(
            "win_rate_value",
            "win rate by value",
            "Amount won divided by amount won or lost, by the day of closing.",
            _SHARE,
            "deal",
            _ratio("won", "closed", 100),
            {"won": _amount_if(_won), "closed": _amount},
            _only(_closed),
            "closed",
            synonyms=("win rate by value", "value win rate", "dollar win rate", "win rate by amount", "win rate in value", "value based win rate"),
        ),
        Metric(
            "average_deal_size",
            "average deal size",
            "Mean amount of deals won that have an amount, by the day they were won.",
            Unit.money,
            "deal",
            _ratio("value", "count"),
            {"value": _amount, "count": lambda _ctx: func.count(Deal.amount_minor)},
            _only(_won),
            "closed",
            synonyms=(
                "average deal size",
                "average deal value",
                "avg deal size",
                "mean deal size",
                "deal size",
                "average won deal",
                "average deal",
                "average contract value",
                "acv",
                "average sale",
                "typical deal size",
                "average selling price",
                "asp",
            ),
        ),
        Metric(
            "sales_cycle",
            "mean sales cycle",
            "Mean days from creation to winning, over deals won in the period.",
            Unit.days,
            "deal",
            _mean(DAY),
            {"seconds": _sum_seconds(Deal.created_at, Deal.closed_at), "count": _count_all},
            _only(_won),
            "closed",
            synonyms=(
                "sales cycle",
                "mean sales cycle",
                "average sales cycle",
                "cycle time",
                "time to close",
                "sales cycle length",
                "days to close",
                "how long it takes to close",
                "deal cycle",
                "sales velocity days",
                "length of the sales cycle",
                "average time to close",
            ),
            higher_is_better=False,
        ),
        Metric(
            "median_sales_cycle",
            "median sales cycle",
            "Median days from creation to winning, over deals won in the period.",
            Unit.days,
            "deal",
            _median(DAY),
            where=_only(_won),
            when="closed",
            median=_seconds(Deal.created_at, Deal.closed_at),
            synonyms=("median sales cycle", "median cycle", "median time to close", "median days to close"),
            higher_is_better=False,
        ),
        Metric(
            "time_in_stage",
            "time in stage",
            "Mean days that deals stayed in a stage, over stays that began in the period; stays that last are counted up to now.",
            Unit.days,
            "stage_entry",
            _mean(DAY),
            {"seconds": lambda ctx: func.sum(_stay_seconds(ctx)), "count": _count_all},
            _only(ENTRY_STAGE.kind == "open"),
            "entered",
            synonyms=(
                "time in stage",
                "days in stage",
                "stage duration",
                "time spent in",
                "average time in stage",
                "time per stage",
                "how long deals stay in",
            ),
            higher_is_better=False,
        ),
        Metric(
            "stage_conversion",
            "stage conversion",
            "Of the stays in a stage that began in the period and have ended, the share after which the deal went on to a later stage or was won.",
            _SHARE,
            "stage_entry",
            _ratio("on", "all", 100),
            {"on": _count_if(_went_on()), "all": _count_all},
            _only(ENTRY_STAGE.kind == "open", StageEntry.left_at.is_not(None)),
            "entered",
            synonyms=(
                "stage conversion",
                "stage conversion rate",
                "stage to stage conversion",
                "pipeline conversion",
                "funnel conversion",
                "conversion from stage to stage",
                "stage by stage conversion",
            ),
        ),
        Metric(
            "new_pipeline",
            "new pipeline created",
            "Sum of the amounts of deals created in the period, whatever became of them.",
            Unit.money,
            "deal",
            _value(),
            {"value": _amount},
            when="created",
            synonyms=(
                "new pipeline",
                "pipeline created",
                "new pipeline created",
                "pipeline generated",
                "created pipeline",
                "pipeline generation",
                "pipeline added",
                "pipegen",
            ),
            additive=True,
        ),
        Metric(
            "slipped_value",
            "slipped value",
            "Current amount of the deals whose expected close day was moved to a later day in the period, each deal counted once.",
            Unit.money,
            "deal",
            _value(),
            {"value": _amount},
            span=_slipped,
            synonyms=("slipped value", "slippage", "slipped pipeline", "pushed value", "slipped amount", "value slipped"),
            additive=True,
            higher_is_better=False,
        ),
        Metric(
            "slipped_deals",
            "deals slipped",
            "Number of deals whose expected close day was moved to a later day in the period.",
            Unit.count,
            "deal",
            _value(),
            {"value": _count_all},
            span=_slipped,
            synonyms=("slipped deals", "deals slipped", "pushed deals", "deals pushed", "deals that slipped"),
            additive=True,
            higher_is_better=False,
            counted="deals slipped",
        ),
        Metric(
            "target",
            "target",
            "Sum of the booking targets that lie in the period.",
            Unit.money,
            "target",
            _value(),
            {"value": lambda _ctx: func.sum(Target.amount_minor)},
            span=_targets_within,
            synonyms=("target", "quota", "goal", "sales target", "plan"),
            additive=True,
            rows="",
            default_period=Grain.quarter,
        ),
        Composite(
            "quota_attainment",
            "quota attainment",
            "Won value in the period divided by the target for the period.",
            _SHARE,
            ("won_value", "target"),
            lambda values: (values["won_value"] or Decimal()) * 100 / values["target"] if values["target"] else None,
            (
                "quota attainment",
                "attainment",
                "target attainment",
                "quota achievement",
                "percent of quota",
                "percent to quota",
                "against quota",
                "against target",
                "target achievement",
                "percentage of target",
                "achievement",
                "vs target",
                "to target",
                "to goal",
                "percentage to goal",
                "of goal",
                "percentage to target",
                "percentage of goal",
            ),
            groups=("owner", "team"),
        ),
        Composite(
            "coverage",
            "pipeline coverage",
            "Open pipeline expected to close in the period divided by what is still missing to the target (target less won value).",
            Unit.times,
            ("open_pipeline", "won_value", "target"),
            lambda values: _coverage(values),
            ("coverage", "pipeline coverage", "coverage ratio", "pipeline coverage ratio", "coverage against target"),
            groups=("owner", "team"),
        ),
        Metric(
            "activities",
            "activities",
            "Number of calls, emails, meetings and notes, and of tasks done, by when they happened.",
            Unit.count,
            "activity",
            _value(),
            {"value": _count_all},
            _only(or_(Activity.kind != "task", Activity.completed_at.is_not(None))),
            "occurred",
            synonyms=(
                "activities",
                "number of activities",
                "activity count",
                "touches",
                "interactions",
                "activity",
                "activity level",
                "touchpoints",
                "engagements",
            ),
            additive=True,
            rows="activity",
            counted="activities",
        ),
        Metric(
            "lead_response_time",
            "lead response time",
            "Mean hours from a lead's arrival to the first response, over leads of the period that were answered.",
            Unit.hours,
            "lead",
            _mean(HOUR),
            {"seconds": _sum_seconds(Lead.created_at, Lead.first_response_at), "count": _count_all},
            _only(Lead.first_response_at.is_not(None)),
            "created",
            synonyms=(
                "lead response time",
                "response time to leads",
                "speed to lead",
                "time to first contact",
                "lead response",
                "response time on leads",
                "time to respond to leads",
            ),
            higher_is_better=False,
            rows="lead",
        ),
        Metric(
            "lead_conversion",
            "lead conversion",
            "Of the leads that arrived in the period, the share that has been converted by now.",
            _SHARE,
            "lead",
            _ratio("converted", "all", 100),
            {"converted": _count_if(Lead.converted_at.is_not(None)), "all": _count_all},
            when="created",
            synonyms=(
                "lead conversion",
                "lead conversion rate",
                "conversion rate",
                "lead to opportunity rate",
                "conversion of leads",
                "leads converted share",
            ),
            rows="lead",
        ),
        Metric(
            "converted_leads",
            "leads converted",
            "Number of leads converted, by the day of conversion.",
            Unit.count,
            "lead",
            _value(),
            {"value": _count_all},
            _only(Lead.converted_at.is_not(None)),
            "converted",
            synonyms=("converted leads", "leads converted"),
            additive=True,
            rows="lead",
            counted="leads converted",
        ),
        Metric(
            "tickets_opened",
            "tickets opened",
            "Number of tickets opened in the period.",
            Unit.count,
            "ticket",
            _value(),
            {"value": _count_all},
            when="created",
            synonyms=(
                "tickets opened",
                "new tickets",
                "tickets created",
                "tickets raised",
                "opened tickets",
                "ticket volume",
                "incoming tickets",
                "tickets filed",
                "tickets received",
            ),
            additive=True,
            rows="ticket",
            counted="tickets opened",
        ),
        Metric(
            "open_tickets",
            "open tickets",
            "Number of tickets that were not resolved at the end of the period, or now.",
            Unit.count,
            "ticket",
            _value(),
            {"value": _count_all},
            span=_open_at(Ticket, Ticket.resolved_at),
            synonyms=(
                "open tickets",
                "unresolved tickets",
                "ticket backlog",
                "backlog",
                "tickets still open",
                "outstanding tickets",
                "pending tickets",
                "tickets open",
            ),
            additive=True,
            higher_is_better=False,
            rows="ticket",
            counted="open tickets",
        ),
        Metric(
            "tickets_resolved",
            "tickets resolved",
            "Number of tickets resolved in the period.",
            Unit.count,
            "ticket",
            _value(),
            {"value": _count_all},
            _only(Ticket.resolved_at.is_not(None)),
            "resolved",
            synonyms=(
                "tickets resolved",
                "resolved tickets",
                "tickets closed",
                "closed tickets",
                "solved tickets",
                "tickets solved",
                "tickets fixed",
            ),
            additive=True,
            rows="ticket",
            counted="tickets resolved",
        ),
        Metric(
            "first_response_time",
            "first response time",
            "Mean hours from a ticket's opening to the first response, over tickets opened in the period that were answered.",
            Unit.hours,
            "ticket",
            _mean(HOUR),
            {"seconds": _sum_seconds(Ticket.created_at, Ticket.first_response_at), "count": _count_all},
            _only(Ticket.first_response_at.is_not(None)),
            "created",
            synonyms=(
                "first response time",
                "time to first response",
                "first reply time",
                "ticket response time",
                "response time",
                "support response time",
                "response time on tickets",
            ),
            higher_is_better=False,
            rows="ticket",
        ),
        Metric(
            "resolution_time",
            "resolution time",
            "Mean hours from a ticket's opening to its resolution, over tickets resolved in the period.",
            Unit.hours,
            "ticket",
            _mean(HOUR),
            {"seconds": _sum_seconds(Ticket.created_at, Ticket.resolved_at), "count": _count_all},
            _only(Ticket.resolved_at.is_not(None)),
            "resolved",
            synonyms=(
                "resolution time",
                "time to resolution",
                "time to resolve",
                "mean time to resolve",
                "mttr",
                "average resolution time",
                "time to resolve tickets",
                "ticket resolution time",
                "handling time",
                "time to solve",
            ),
            higher_is_better=False,
            rows="ticket",
        ),
        Metric(
            "backlog_age",
            "backlog age",
            "Mean age in days of the tickets that were open at the end of the period, or now.",
            Unit.days,
            "ticket",
            _mean(DAY),
            span=_open_at(Ticket, Ticket.resolved_at),
            span_parts=_backlog_parts,
            synonyms=("backlog age", "age of the backlog", "age of open tickets", "ticket age", "average age of open tickets"),
            higher_is_better=False,
            rows="ticket",
        ),
        Metric(
            "product_revenue",
            "product revenue",
            "Sum of line-item totals of won deals, by the day they were won.",
            Unit.money,
            "line_item",
            _value(),
            {"value": lambda ctx: func.sum(home_amount(ctx, LineItem.total_minor))},
            _only(_won),
            "closed",
            synonyms=("product revenue", "product sales", "line item revenue"),
            additive=True,
        ),
        Metric(
            "units_sold",
            "units sold",
            "Sum of line-item quantities of won deals, by the day they were won.",
            Unit.count,
            "line_item",
            _value(),
            {"value": lambda _ctx: func.sum(LineItem.quantity)},
            _only(_won),
            "closed",
            synonyms=("units sold", "units", "quantity sold", "seats sold", "pieces sold"),
            additive=True,
            counted="units sold",
        ),
        Metric(
            "customers",
            "customers",
            f"Number of companies with a deal won in the {CUSTOMER_DAYS} days up to the end of the period, or up to now.",
            Unit.count,
            "company",
            _value(),
            {"value": _count_all},
            span=lambda ctx, _start, end: [customer_at(ctx, _clip(ctx, end))],
            synonyms=(
                "customers",
                "number of customers",
                "customer count",
                "active customers",
                "paying customers",
                "customer base",
                "current customers",
            ),
            additive=True,
            rows="company",
            counted="customers",
        ),
        Metric(
            "retention_rate",
            "retention rate",
            "Of the companies that were customers at the start of the period, the share that still were at its end (or now).",
            _SHARE,
            "company",
            _ratio("kept", "before", 100),
            span=lambda ctx, start, _end: [customer_at(ctx, start)],
            span_parts=_retention_parts,
            synonyms=("retention rate", "retention", "customer retention", "logo retention", "customer retention rate"),
            rows="company",
            default_period=Grain.year,
        ),
        Metric(
            "churn_rate",
            "churn rate",
            "Of the companies that were customers at the start of the period, the share that no longer were at its end (or now).",
            _SHARE,
            "company",
            lambda parts: None if not parts["before"] else Decimal(int(parts["before"]) - int(parts["kept"] or 0)) * 100 / int(parts["before"]),
            span=lambda ctx, start, _end: [customer_at(ctx, start)],
            span_parts=_retention_parts,
            synonyms=("churn rate", "churn", "customer churn", "logo churn", "attrition"),
            higher_is_better=False,
            rows="company",
            default_period=Grain.year,
        ),
        Metric(
            "revenue_per_customer",
            "average revenue per customer",
            "Won value in the period divided by the number of companies it was won from.",
            Unit.money,
            "deal",
            _ratio("value", "count"),
            {"value": _amount, "count": lambda _ctx: func.count(distinct(Deal.company_id))},
            _only(_won, Deal.company_id.is_not(None)),
            "closed",
            synonyms=(
                "average revenue per customer",
                "revenue per customer",
                "arpc",
                "arpa",
                "average revenue per account",
                "revenue per account",
                "sales per customer",
                "average spend",
            ),
        ),
        _counted(
            "deals",
            "deal",
            "deals",
            Deal,
            "created",
            ("number of deals", "deals", "deal count", "deals created", "new deals", "opportunities", "opportunities created"),
        ),
        _counted(
            "companies",
            "company",
            "companies",
            Company,
            "created",
            ("number of companies", "companies", "accounts", "company count", "account count"),
        ),
        _counted(
            "contacts", "contact", "contacts", Contact, "created", ("number of contacts", "contacts", "people", "contact count", "new contacts")
        ),
        _counted(
            "leads",
            "lead",
            "leads",
            Lead,
            "created",
            ("number of leads", "leads", "new leads", "lead count", "leads created", "leads received", "incoming leads", "lead volume"),
        ),
    )
}


def _coverage(values: Mapping[str, Decimal | None]) -> Decimal | None:
    missing = (values["target"] or Decimal()) - (values["won_value"] or Decimal())
    return (values["open_pipeline"] or Decimal()) / missing if missing > 0 else None
