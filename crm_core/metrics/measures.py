"""A count turned into the total or the average of a number that its records carry: headcount, seats, an amount of the company's own.

The records are exactly those that the metric counts, less those without the number; so the figure can be split, compared and
listed like the count itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import func

from crm_core.errors import Invalid
from crm_core.metrics.definitions import Composite, Metric, Unit
from crm_core.metrics.definitions.formulas import count_all
from crm_core.metrics.fields import Field, Kind, Shape, field_of


class Measure(BaseModel):
    """Which number of the counted records, and what of it."""

    model_config = ConfigDict(extra="forbid")

    field: str = Described(description="A number or an amount of the counted records, such as 'employees' or a field of the company's own.")
    how: Literal["sum", "mean"] = Described(default="sum", description="Its total, or its average over the records that have it.")


def is_measurable(item: Field) -> bool:
    """Whether a field is a number that adds up; record numbers, ages and amounts of deals (which have metrics of their own) are not."""
    return item.kind in (Kind.number, Kind.money) and item.key is not None and (item.custom or item.name in ("employees", "annual_revenue"))


def measured(shape: Shape, metric: Metric | Composite, measure: Measure) -> tuple[Metric, Field]:
    """The count as a metric of the field; raises ``Invalid`` where the metric counts nothing or the field is no such number."""
    item = field_of(shape, measure.field)
    if not isinstance(metric, Metric) or metric.parts.get("value") is not count_all:
        raise Invalid(f"The total or average of {item.title} needs records that are counted; {metric.title} is no count of records.")
    if not is_measurable(item):
        raise Invalid(f"{item.title.capitalize()} is no number that can be added up.")
    key = item.key
    assert key is not None

    def finish(parts: Mapping[str, Any]) -> Decimal | None:
        total, count = Decimal(str(parts["sum"] or 0)), int(parts["rows"] or 0)
        if measure.how == "mean":
            return total / count if count else None
        return total

    word, told = ("total", "Sum") if measure.how == "sum" else ("average", "Mean")
    derived = replace(
        metric,
        title=f"{word} {item.title.lower()} of {metric.counted or metric.title.removeprefix('number of ')}",
        meaning=f"{told} of {item.title.lower()} over the records that have one. Those: {metric.meaning}",
        unit=Unit.money if item.kind is Kind.money else Unit.number,
        finish=finish,
        parts={"sum": lambda ctx: func.sum(key(ctx)), "rows": lambda ctx: func.count(key(ctx))},
        additive=measure.how == "sum",
    )
    return derived, item
