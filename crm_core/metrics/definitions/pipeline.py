"""Open pipeline and its movement: stages, speed, slips."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal
from sqlalchemy.orm import aliased

from crm_core.context import Context
from crm_core.database import seconds_between
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.definitions.declaration import Composite, Metric, Sql, Unit
from crm_core.metrics.definitions.formulas import (
    DAY,
    IS_OPEN,
    IS_WON,
    amount,
    count_all,
    count_if,
    elapsed,
    mean_time,
    median_time,
    only,
    ratio,
    sum_elapsed,
    value_of,
)
from crm_core.metrics.fields import ENTRY_STAGE
from crm_core.models import CloseDateChange, Deal, Stage, StageEntry

_weighted_sql: Sql = lambda ctx: func.sum(home_amount(ctx, Deal.amount_minor) * Stage.probability)  # noqa: E731


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


PIPELINE_METRICS: tuple[Metric | Composite, ...] = (
    Metric(
        "open_pipeline",
        "open pipeline",
        "Sum of the amounts of open deals; with a period, of those expected to close in it.",
        Unit.money,
        "deal",
        value_of(),
        {"value": amount},
        only(IS_OPEN),
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
            "unweighted",
            "unweighted pipeline",
        ),
        additive=True,
    ),
    Metric(
        "open_deals",
        "open deals",
        "Number of open deals; with a period, of those expected to close in it.",
        Unit.count,
        "deal",
        value_of(),
        {"value": count_all},
        only(IS_OPEN),
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
        only(IS_OPEN),
        "expected_close",
        synonyms=("weighted pipeline", "weighted forecast", "weighted value", "expected value", "probability weighted pipeline", "weighted pipe"),
        additive=True,
    ),
    Metric(
        "sales_cycle",
        "mean sales cycle",
        "Mean days from creation to winning, over deals won in the period.",
        Unit.days,
        "deal",
        mean_time(DAY),
        {"seconds": sum_elapsed(Deal.created_at, Deal.closed_at), "count": count_all},
        only(IS_WON),
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
        median_time(DAY),
        where=only(IS_WON),
        when="closed",
        median=elapsed(Deal.created_at, Deal.closed_at),
        synonyms=("median sales cycle", "median cycle", "median time to close", "median days to close"),
        higher_is_better=False,
    ),
    Metric(
        "time_in_stage",
        "time in stage",
        "Mean days that deals stayed in a stage, over stays that began in the period; stays that last are counted up to now.",
        Unit.days,
        "stage_entry",
        mean_time(DAY),
        {"seconds": lambda ctx: func.sum(_stay_seconds(ctx)), "count": count_all},
        only(ENTRY_STAGE.kind == "open"),
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
        Unit.percent,
        "stage_entry",
        ratio("on", "all", 100),
        {"on": count_if(_went_on()), "all": count_all},
        only(ENTRY_STAGE.kind == "open", StageEntry.left_at.is_not(None)),
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
        "stage_entries",
        "deals entering a stage",
        "Number of deals that came into a stage in the period, wherever they are now; one that came twice is counted once.",
        Unit.count,
        "stage_entry",
        value_of(),
        {"value": lambda _ctx: func.count(StageEntry.deal_id.distinct())},
        when="entered",
        synonyms=("deals entering a stage",),
        counted="deals entering the stage",
    ),
    Metric(
        "new_pipeline",
        "new pipeline created",
        "Sum of the amounts of deals created in the period, whatever became of them.",
        Unit.money,
        "deal",
        value_of(),
        {"value": amount},
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
        value_of(),
        {"value": amount},
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
        value_of(),
        {"value": count_all},
        span=_slipped,
        synonyms=("slipped deals", "deals slipped", "pushed deals", "deals pushed", "deals that slipped"),
        additive=True,
        higher_is_better=False,
        counted="deals slipped",
    ),
)
