"""What a declaration of a metric says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement

from crm_core.context import Context
from crm_core.periods import Grain


class Unit(Enum):
    """What a metric's value is measured in."""

    money = "money"
    count = "count"
    number = "number"
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
    #: What it counts is set for days to come as well, so that a series of it does not end today.
    ahead: bool = False
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
