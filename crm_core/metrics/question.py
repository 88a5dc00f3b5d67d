"""A typed question for a figure, and its answer with everything that explains it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from crm_core.errors import Invalid
from crm_core.metrics.definitions import Unit
from crm_core.metrics.filters import Condition
from crm_core.metrics.measures import Measure
from crm_core.periods import (
    FAR_FUTURE,
    FAR_PAST,
    Calendar,
    Grain,
    Period,
    whole,
)


class Days(BaseModel):
    """A half-open range of days."""

    model_config = ConfigDict(extra="forbid")

    first: date = Described(description="First day, inclusive, such as 2026-07-01.")
    end: date = Described(description="Day after the last one, such as 2026-10-01.")
    label: str = Described(default="", description="What people call it, such as 'Q3 2026'.")
    grain: Grain | None = Described(default=None, description="The unit that it is a part of, for 'quarter to date'; left out for whole units.")

    def period(self, calendar: Calendar) -> Period:
        """As a period; whole months, quarters and years are recognised."""
        if not FAR_PAST <= self.first <= FAR_FUTURE or not FAR_PAST <= self.end <= FAR_FUTURE:
            raise Invalid(f"The days {self.first} to {self.end} are out of range; use years between 1900 and 2200.")
        if self.grain is not None:
            return Period(self.first, self.end, self.label, self.grain)
        for grain in (Grain.month, Grain.quarter, Grain.year, Grain.week, Grain.day):
            candidate = whole(grain, self.first, calendar) if self.first > FAR_PAST else None
            if candidate and (candidate.first, candidate.end) == (self.first, self.end):
                return Period(self.first, self.end, self.label or candidate.label, grain)
        return Period(self.first, self.end, self.label)


class GroupCondition(BaseModel):
    """Which groups of a figure to keep, by their value of this or another metric."""

    model_config = ConfigDict(extra="forbid")

    metric: str = Described(default="", description="Metric whose value decides; the asked one where left out.")
    op: Literal["is", "at_least", "more_than", "at_most", "less_than"] = Described(description="Comparison.")
    value: Decimal = Described(description="Money in whole units, shares in percent, times in the metric's unit.")


class MetricQuestion(BaseModel):
    """A question for one figure, or one figure per group."""

    model_config = ConfigDict(extra="forbid")

    metric: str = Described(description="Metric name, such as 'won_value' or 'win_rate'.")
    filters: list[Condition] = Described(default_factory=list, description="Conditions that all must hold.")
    measure: Measure | None = Described(
        default=None, description="Instead of how many records: the total or average of a number that they carry; for metrics that count records."
    )
    part: list[Condition] = Described(
        default_factory=list,
        description="Answer with the share, in percent, of the figure that meets these conditions too; for amounts and counts.",
    )
    group_by: list[str] = Described(
        default_factory=list,
        max_length=2,
        description="Up to two fields, or day, week, month, quarter or year, such as ['owner', 'month'].",
    )
    period: Days | None = Described(default=None, description="Days on the metric's own time field; none means all time.")
    compare: Literal["previous", "year_before"] | None = Described(
        default=None, description="Also compute the period before, or the same days a year earlier."
    )
    order: Literal["highest", "lowest", "label"] | None = Described(
        default=None, description="Order of groups; by default time runs forward, stages in pipeline order, others highest first."
    )
    limit: int | None = Described(default=None, ge=1, le=1000, description="Show only so many groups.")
    as_of: date | None = Described(
        default=None, description="Compute from deals as they were at the end of this past day; left out: as they are now."
    )
    keep: list[GroupCondition] = Described(
        default_factory=list, max_length=4, description="Show only groups that meet all of these, such as win_rate less_than 30."
    )


@dataclass
class Group:
    """One row of a grouped figure."""

    keys: tuple[Any, ...]
    labels: tuple[str, ...]
    value: Decimal | None
    previous: Decimal | None = None


@dataclass(frozen=True)
class Share:
    """What a share was computed from: the part and the whole, in the unit of the figure that is shared."""

    title: str
    unit: Unit
    part: Decimal
    whole: Decimal


def show_sql(statement: Select[Any]) -> str:
    """The statement with its values, for people to read; never executed."""
    return str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


@dataclass
class MetricResult:
    """An exact figure, its groups, and everything needed to explain it."""

    metric: str
    title: str
    meaning: str
    unit: Unit
    currency: str
    value: Decimal | None
    previous: Decimal | None
    groups: list[Group]
    group_titles: list[str]
    groups_in_all: int
    period: Period
    previous_period: Period | None
    scope: str
    counted: int | None
    additive: bool
    higher_is_better: bool
    notes: list[str] = field(default_factory=list)
    #: Groups before ``keep`` left some out; the total is over all of them.
    groups_compared: int = 0
    #: The past day at whose end this was so; none: now.
    as_of: date | None = None
    #: Where the figure is a share: of what.
    share: Share | None = None
    statements: list[Select[Any]] = field(default_factory=list)

    @property
    def sql(self) -> list[str]:
        """The statements with their values, for people to read."""
        return [show_sql(statement) for statement in self.statements]
