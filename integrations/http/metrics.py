"""Metrics over HTTP: what there is, and exact answers to typed questions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from crm_core.metrics.definitions import METRICS
from crm_core.metrics.movement import Movement, MovementQuestion, pipeline_movement
from crm_core.metrics.query import ask
from crm_core.metrics.question import MetricQuestion, MetricResult
from crm_core.money import to_decimal
from crm_core.services.catalog import BehindFigure, MetricInfo, show_rows
from integrations.http.deps import Caller, Page, Read, page_of

router = APIRouter(prefix="/api/metrics", tags=["metrics"])


class GroupView(BaseModel):
    """One group: its keys, how they read, and the exact value as a decimal."""

    keys: list[Any]
    labels: list[str]
    value: str | None
    previous: str | None = None


class FigureView(BaseModel):
    """An exact figure with its meaning, scope and groups; money in whole currency units as a decimal."""

    metric: str
    title: str
    meaning: str
    unit: str
    currency: str
    value: str | None
    previous: str | None
    period: str
    previous_period: str | None
    as_of: date | None
    scope: str
    records: int | None
    groups: list[GroupView]
    groups_in_all: int
    notes: list[str]


class MovedDealView(BaseModel):
    """A deal that entered, left or changed."""

    id: int
    name: str
    step: str
    before: str
    after: str
    expected_before: date | None
    expected_after: date | None
    stage_before: str
    stage_after: str
    owner: str
    moved_by: str
    moved_at: datetime | None


class MovementView(BaseModel):
    """Opening, steps and closing as decimals, and the deals behind them."""

    first: datetime
    end: datetime
    period: str | None
    currency: str
    opening: str
    closing: str
    opening_deals: int
    closing_deals: int
    steps: dict[str, str]
    deals: list[MovedDealView]
    scope: str


@router.get("")
def list_metrics(_caller: Caller) -> list[MetricInfo]:
    """Every metric with its meaning and unit."""
    return [MetricInfo(name=item.name, title=item.title, meaning=item.meaning, unit=item.unit.value) for item in METRICS.values()]


@router.post("/ask")
def ask_question(ctx: Read, question: MetricQuestion) -> FigureView:
    """Compute a figure over everything the caller may see."""
    return figure_view(ask(ctx, question))


@router.post("/movement")
def movement(ctx: Read, question: MovementQuestion) -> MovementView:
    """How the open pipeline came from what it was to what it is; the steps add up to the cent."""
    return movement_view(pipeline_movement(ctx, question))


@router.post("/rows")
def rows(ctx: Read, arguments: BehindFigure) -> Page:
    """The records behind a figure."""
    result = show_rows(ctx, arguments)
    return page_of(result, arguments.limit, arguments.offset)


def movement_view(result: Movement) -> MovementView:
    """The movement as JSON carries it."""

    def money(minor: int) -> str:
        return str(to_decimal(minor, result.currency))

    return MovementView(
        first=result.first,
        end=result.end,
        period=result.period.describe() if result.period else None,
        currency=result.currency,
        opening=money(result.opening_minor),
        closing=money(result.closing_minor),
        opening_deals=result.opening_deals,
        closing_deals=result.closing_deals,
        steps={name: money(amount) for name, (amount, _count) in result.steps.items()},
        deals=[
            MovedDealView(
                before=money(item.before_minor),
                after=money(item.after_minor),
                **{name: getattr(item, name) for name in MovedDealView.model_fields if name not in ("before", "after")},
            )
            for item in result.deals
        ],
        scope=result.scope,
    )


def figure_view(result: MetricResult) -> FigureView:
    """The result as JSON carries it."""

    def shown(value: Any) -> str | None:
        if value is None:
            return None
        return str(to_decimal(value, result.currency)) if result.unit.value == "money" else str(value)

    return FigureView(
        metric=result.metric,
        title=result.title,
        meaning=result.meaning,
        unit=result.unit.value,
        currency=result.currency,
        value=shown(result.value),
        previous=shown(result.previous),
        period=result.period.describe(),
        previous_period=result.previous_period.describe() if result.previous_period else None,
        as_of=result.as_of,
        scope=result.scope,
        records=result.counted,
        groups_in_all=result.groups_in_all,
        notes=result.notes,
        groups=[
            GroupView(keys=list(item.keys), labels=list(item.labels), value=shown(item.value), previous=shown(item.previous))
            for item in result.groups
        ],
    )
