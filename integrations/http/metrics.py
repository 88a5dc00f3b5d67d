"""Metrics over HTTP: what there is, and exact answers to typed questions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from crm_core.metrics.definitions import METRICS
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
    scope: str
    records: int | None
    groups: list[GroupView]
    groups_in_all: int
    notes: list[str]


@router.get("")
def list_metrics(_caller: Caller) -> list[MetricInfo]:
    """Every metric with its meaning and unit."""
    return [MetricInfo(name=item.name, title=item.title, meaning=item.meaning, unit=item.unit.value) for item in METRICS.values()]


@router.post("/ask")
def ask_question(ctx: Read, question: MetricQuestion) -> FigureView:
    """Compute a figure over everything the caller may see."""
    return figure_view(ask(ctx, question))


@router.post("/rows")
def rows(ctx: Read, arguments: BehindFigure) -> Page:
    """The records behind a figure."""
    result = show_rows(ctx, arguments)
    return page_of(result, arguments.limit, arguments.offset)


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
        scope=result.scope,
        records=result.counted,
        groups_in_all=result.groups_in_all,
        notes=result.notes,
        groups=[
            GroupView(keys=list(item.keys), labels=list(item.labels), value=shown(item.value), previous=shown(item.previous))
            for item in result.groups
        ],
    )
