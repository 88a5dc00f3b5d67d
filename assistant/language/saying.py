"""Conditions in words, for answers whose conditions come from several messages: "over 40,000, EMEA and open"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select

from crm_core.context import Context
from crm_core.errors import NotFound
from crm_core.metrics.fields import NOUN_SHAPES, Field, Kind, Shape, shape_for
from crm_core.metrics.filters import Condition, Filter, FilterGroup, Related
from crm_core.periods import format_day, format_span
from crm_core.services.records import load, model_of
from crm_core.text import join_words

_BOUNDS = {"at_least": "at least", "more_than": "over", "at_most": "at most", "less_than": "under", "is": "", "is_not": "not"}
_DAY_BOUNDS = {"at_least": "from", "more_than": "after", "at_most": "until", "less_than": "before", "is": "on", "is_not": "not on"}


def say_conditions(ctx: Context, shape: Shape, conditions: Iterable[Condition]) -> list[str]:
    """Each condition as people would say it; what every list of its kind leaves out is not mentioned."""
    return [said for item in conditions if (said := _say(ctx, shape, item))]


def _say(ctx: Context, shape: Shape, item: Condition) -> str:
    if isinstance(item, Related):
        shown = NOUN_SHAPES[item.related]
        inner = say_conditions(ctx, shape_for(ctx, item.related), item.filters)
        count = f"at least {item.at_least} " if item.at_least > 1 else ""
        return " ".join(part for part in ("without" if item.none else "with", count.strip(), join_words(inner), shown.plural) if part)
    if isinstance(item, FilterGroup):
        if {part.field for part in item.any_of} == {"kind", "completed"}:
            return ""  # tasks that are not done are no activity
        return join_words(say_conditions(ctx, shape, item.any_of), "or")
    field = shape.fields.get(item.field)
    return _say_filter(ctx, shape, field, item) if field is not None else ""


def _say_filter(ctx: Context, shape: Shape, field: Field, item: Filter) -> str:
    title, values = field.title, item.values
    if item.op in ("empty", "not_empty"):
        return f"{'without' if item.op == 'empty' else 'with'} {title}"
    if field.kind is Kind.boolean:
        wanted = str(values[0]).lower() in ("true", "yes", "1") if values else True
        return title if wanted == (item.op == "is") else f"not {title}"
    if field.is_time:
        days = [date.fromisoformat(str(value)[:10]) for value in values]
        if item.op == "between":
            return f"{title} {format_span(days[0], days[1])}"
        return f"{title} {_DAY_BOUNDS[item.op]} {join_words([format_day(day) for day in days], 'or')}"
    if field.kind in (Kind.number, Kind.money):
        plain = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        shown = [f"{value:,}" if isinstance(value, int | float) else _grouped(str(value)) for value in plain]
        if item.op == "between":
            return f"{title} between {' and '.join(shown)}"
        return " ".join(part for part in (title, _BOUNDS[item.op], join_words(shown, "or")) if part)
    if field.name == "owner" and values == [ctx.actor.user_id] and item.op == "is":
        return "yours"
    named = [_label(ctx, shape, field, value) for value in values]
    return f"{'not ' if item.op == 'is_not' else ''}{join_words(named, 'or')}"


def _grouped(number: str) -> str:
    whole, _, part = number.partition(".")
    return f"{int(whole):,}{'.' + part if part.strip('0') else ''}" if whole.lstrip("-").isdigit() else number


def _label(ctx: Context, shape: Shape, field: Field, value: Any) -> str:
    """The name of the record that a reference points at, as far as the caller may see it."""
    if field.kind is not Kind.ref or not isinstance(value, int):
        return str(value)
    if field.key is None or field.label is None:  # what stands in other rows, such as the products of a deal
        try:
            return str(getattr(load(ctx, model_of(field.name), value), "name", value)) if field.name in NOUN_SHAPES else str(value)
        except NotFound:
            return f"{field.title} {value}"
    key: Any = field.key(ctx)
    wanted: Any = select(field.label(ctx))
    label = ctx.session.scalar(shape.select_from(ctx, wanted, field.joins).where(key == value).limit(1))
    return str(label) if label is not None else f"{field.title} {value}"
