"""Filters: one small language for lists and metrics, typed, checked, compiled to SQL.

A filter is a field, an operator and values. Values may be given as people say them (a name for a ref, ``20k``
is the language layer's business): names are resolved exactly or by folding here, and anything else is refused
with what would be accepted. Days compare instants at the caller's midnight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select
from sqlalchemy.orm import Session

from crm_core.access import visible
from crm_core.context import Context
from crm_core.errors import Ambiguous, Candidate, Invalid
from crm_core.metrics.fields import NOUN_SHAPES, Field, Kind, Shape, field_of, shape_for
from crm_core.metrics.relations import pairs, related_kinds
from crm_core.models import NOUNS, PicklistValue, Pipeline, SearchEntry, Stage, Team
from crm_core.money import to_minor
from crm_core.periods import FAR_FUTURE, FAR_PAST, local_midnight
from crm_core.text import fold, join_words

Op = Literal["is", "is_not", "at_least", "more_than", "at_most", "less_than", "between", "contains", "empty", "not_empty"]
_SHOWN = 5
#: Deals of companies with tickets with activities: as deep as anybody asks.
MOST_NESTED = 3


class Filter(BaseModel):
    """One condition on a field; several values mean any of them."""

    model_config = ConfigDict(extra="forbid")

    field: str = Described(description="Field name, such as 'owner', 'stage', 'amount', 'expected_close'.")
    op: Op = Described(default="is", description="Comparison; 'between' takes two values, the second exclusive for days.")
    values: list[str | int | float | bool] = Described(
        default_factory=list, description="Values: ids or names for people and records, ISO days, decimal amounts."
    )


class FilterGroup(BaseModel):
    """Alternatives: a row passes when it passes any of them."""

    model_config = ConfigDict(extra="forbid")

    any_of: list[Filter] = Described(description="Conditions of which at least one must hold.", min_length=1)


class Related(BaseModel):
    """Related records: some that meet the conditions must be there, or none may be."""

    model_config = ConfigDict(extra="forbid")

    related: str = Described(description="Kind of the related records: company, contact, deal, ticket, activity, lead, product or user.")
    filters: list[Filter | FilterGroup | Related] = Described(
        default_factory=list, max_length=20, description="Conditions on the related records, all of which must hold for one and the same record."
    )
    none: bool = Described(default=False, description="Not so many may be there: none, as in 'companies without open deals', or fewer than at_least.")
    at_least: int = Described(default=1, ge=1, le=1_000_000, description="How many such records there must (or, with none, may not) be.")


Condition = Filter | FilterGroup | Related


def compile_conditions(ctx: Context, shape: Shape, conditions: Sequence[Condition], *, depth: int = 0) -> tuple[list[ColumnElement[bool]], list[str]]:
    """SQL clauses and the joins they need."""
    clauses: list[ColumnElement[bool]] = []
    joins: list[str] = []
    for condition in conditions:
        if isinstance(condition, Related):
            clauses.append(_related(ctx, shape, condition, depth))
            continue
        parts = condition.any_of if isinstance(condition, FilterGroup) else [condition]
        compiled = []
        for part in parts:
            item = field_of(shape, part.field)
            joins += item.joins
            compiled.append(_clause(ctx, item, part))
        clauses.append(or_(*compiled))
    return clauses, joins


def _related(ctx: Context, shape: Shape, condition: Related, depth: int) -> ColumnElement[bool]:
    """The row's record is (or is not) among those that the related records belong to."""
    if depth >= MOST_NESTED:
        raise Invalid(f"Related records can be asked for {MOST_NESTED} steps away, not further.")
    root: Any = shape.noun
    links = pairs(root.__noun__, condition.related)
    if links is None or condition.related not in NOUN_SHAPES:
        kinds = join_words(related_kinds(root.__noun__), "or")
        raise Invalid(f"A {root.__noun__} has no {condition.related} records of its own; it can be asked for those of kind {kinds}.")
    other = shape_for(ctx, condition.related)
    clauses, joins = compile_conditions(ctx, other, condition.filters, depth=depth + 1)
    found = other.select_from(ctx, select(other.noun.id), joins).where(other.visible(ctx), *clauses).correlate(None)
    linked = links.subquery()
    owners = select(linked.c.one).where(linked.c.one.is_not(None), linked.c.other.in_(found)).correlate(None)
    if condition.at_least > 1:
        owners = owners.group_by(linked.c.one).having(func.count(linked.c.other.distinct()) >= condition.at_least)
    belongs: ColumnElement[bool] = root.id.in_(owners)
    return not_(belongs) if condition.none else belongs


def without_relations(conditions: Sequence[Condition]) -> list[Filter | FilterGroup]:
    """The conditions on the record itself."""
    return [item for item in conditions if not isinstance(item, Related)]


def named_fields(conditions: Sequence[Condition]) -> list[str]:
    """The fields that the conditions name on the record itself."""
    return [part.field for item in without_relations(conditions) for part in ([item] if isinstance(item, Filter) else item.any_of)]


def _clause(ctx: Context, item: Field, part: Filter) -> ColumnElement[bool]:
    if part.op in ("empty", "not_empty"):
        return _emptiness(ctx, item, part.op == "empty")
    if not part.values:
        raise Invalid(f"The filter on {item.title} has no value; give one, or use 'empty'.")
    if item.kind in (Kind.ref, Kind.choice, Kind.boolean):
        return _membership(ctx, item, part)
    if item.key is None:
        raise Invalid(f"{item.title} cannot be compared.")
    column = item.key(ctx)
    if item.kind is Kind.text:
        if part.op not in ("is", "is_not", "contains"):
            raise Invalid(f"{item.title} is text; compare it with 'is', 'is_not' or 'contains'.")
        words = [str(value) for value in part.values]
        found = or_(*(column.icontains(word, autoescape=True) for word in words))
        return or_(not_(found), column.is_(None)) if part.op == "is_not" else found
    if part.op in ("is", "is_not"):
        equal = or_(*(_equals(ctx, item, column, value) for value in part.values))
        return or_(not_(equal), column.is_(None)) if part.op == "is_not" else equal
    if part.op == "contains":
        raise Invalid(f"{item.title} is no text; compare it with 'is', 'at_least', 'less_than' or 'between'.")
    compared: ColumnElement[bool] = _comparison(ctx, item, column, part)
    return compared


def _emptiness(ctx: Context, item: Field, empty: bool) -> ColumnElement[bool]:
    if item.key is None:
        raise Invalid(f"'{item.title}' cannot be checked for being empty.")
    column = item.key(ctx)
    nothing = or_(column.is_(None), column == "") if item.kind in (Kind.text, Kind.choice) else column.is_(None)
    return nothing if empty else not_(nothing)


def _membership(ctx: Context, item: Field, part: Filter) -> ColumnElement[bool]:
    if part.op not in ("is", "is_not", "contains"):
        raise Invalid(f"{item.title} can only be compared with 'is' or 'is_not'.")
    values = [value for given in part.values for value in resolve_value(ctx, item, given)]
    if item.members is not None:
        inside = item.members(ctx, values)
        return not_(func.coalesce(inside, false())) if part.op == "is_not" else inside
    assert item.key is not None
    column = item.key(ctx)
    inside = column.in_(values)
    return or_(not_(inside), column.is_(None)) if part.op == "is_not" else inside


def _equals(ctx: Context, item: Field, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if item.is_time:
        day = parse_day(item, value)
        following = date.fromordinal(day.toordinal() + 1)
        return and_(column >= _time_value(ctx, item, day), column < _time_value(ctx, item, following))
    return column == _number(ctx, item, value)


def _comparison(ctx: Context, item: Field, column: Any, part: Filter) -> Any:
    if item.is_time:
        bounds: list[Any] = [_time_value(ctx, item, parse_day(item, value)) for value in part.values]
        if part.op == "more_than":  # after a day: from the next midnight on
            bounds = [_time_value(ctx, item, date.fromordinal(parse_day(item, part.values[0]).toordinal() + 1))]
        elif part.op == "at_most":
            bounds = [_time_value(ctx, item, date.fromordinal(parse_day(item, part.values[0]).toordinal() + 1))]
            return column < bounds[0]
    else:
        bounds = [_number(ctx, item, value) for value in part.values]
    if part.op == "between":
        if len(bounds) != 2:
            raise Invalid(f"'between' on {item.title} takes two values.")
        low, high = bounds
        upper = column < high if item.is_time else column <= high
        return and_(column >= low, upper)
    if item.is_time and part.op == "more_than":
        return column >= bounds[0]
    return {
        "at_least": column >= bounds[0],
        "more_than": column > bounds[0],
        "at_most": column <= bounds[0],
        "less_than": column < bounds[0],
    }[part.op]


def parse_day(item: Field, value: Any) -> date:
    """A day from ISO text; raises ``Invalid`` that says how to write one."""
    try:
        day = date.fromisoformat(str(value)[:10])
        if not FAR_PAST <= day <= FAR_FUTURE:
            raise ValueError
        return day
    except ValueError as error:
        raise Invalid(f"'{value}' is not a day for {item.title}; write it like 2026-03-31.") from error


def _time_value(ctx: Context, item: Field, day: date) -> date | datetime | str:
    if item.custom:
        return day.isoformat()
    return day if item.kind is Kind.day else local_midnight(day, ctx.zone)


def _number(ctx: Context, item: Field, value: Any) -> int | float:
    try:
        amount = Decimal(str(value))
        if not amount.is_finite():
            raise InvalidOperation
    except InvalidOperation as error:
        raise Invalid(f"'{value}' is not a number for {item.title}.") from error
    if item.kind is Kind.money:
        return to_minor(amount, ctx.home_currency)
    if abs(amount) > 2**62:
        raise Invalid(f"{value} is too large for {item.title}.")
    return int(amount) if amount == amount.to_integral_value() else float(amount)


# --- Names to values ------------------------------------------------------------------------------------


def resolve_value(ctx: Context, item: Field, given: Any) -> list[Any]:
    """Stored values meant by one given value: ids for refs (a stage name may mean one stage in each pipeline)."""
    if item.kind is Kind.boolean:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        truth = words.get(str(given).strip().lower())
        if truth is None:
            raise Invalid(f"'{given}' is neither yes nor no for {item.title}.")
        return [truth]
    if item.kind is Kind.choice:
        return [_resolve_choice(ctx, item, str(given))]
    if isinstance(given, int) or (isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 19):
        if abs(int(given)) >= 2**62:
            raise Invalid(f"There is no {item.target} {given}.")
        return [int(given)]
    return _resolve_ref(ctx, item, str(given))


def choice_values(ctx: Context, item: Field) -> list[str]:
    """The words a choice field may hold: its fixed choices, its picklist, or else the values in use."""
    if item.choices:
        return list(item.choices)
    cache: dict[str, list[str]] = ctx.session.info.setdefault("choices", {})
    name = f"{item.picklist}" if item.picklist else f"{item.name}:{id(item.key)}"
    if name not in cache:
        cache[name] = _picklist(ctx.session, *item.picklist) if item.picklist else _in_use(ctx, item)
    return cache[name]


def _picklist(session: Session, noun: str, field: str) -> list[str]:
    query = select(PicklistValue.value).where(PicklistValue.noun == noun, PicklistValue.field == field)
    return list(session.scalars(query.order_by(PicklistValue.position, PicklistValue.id)))


def _in_use(ctx: Context, item: Field) -> list[str]:
    assert item.key is not None
    for shape in NOUN_SHAPES.values():
        if shape.fields.get(item.name) is item:
            column = item.key(ctx)
            query = shape.select_from(ctx, select(column).distinct(), item.joins)
            query = query.where(visible(ctx, shape.noun), column.is_not(None)).limit(500)
            return sorted(str(value) for value in ctx.session.scalars(query))
    return []


def _resolve_choice(ctx: Context, item: Field, given: str) -> str:
    known = choice_values(ctx, item)
    if given in known or not known:
        return given
    wanted = fold(given)
    for value in known:
        if fold(value) == wanted:
            return value
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    raise Invalid(f"'{given}' is not a {item.title}; it can be {shown}.")


def _resolve_ref(ctx: Context, item: Field, given: str) -> list[int]:
    wanted = fold(given)
    rows = [(key, label) for key, label in _ref_rows(ctx, item.target, wanted) if fold(label) == wanted]
    if not rows:
        raise Invalid(f"There is no {item.target} called '{given}' that you can see; check the name or give its number.")
    if item.target != "stage" and len(rows) > 1:
        candidates = [Candidate(item.target, key, label) for key, label in rows[:_SHOWN]]
        raise Ambiguous(f"'{given}' could be {len(rows)} different {item.target} records; say which.", candidates)
    return [key for key, _ in rows]


def _ref_rows(ctx: Context, target: str, wanted: str) -> list[tuple[int, str]]:
    tables: dict[str, Any] = {"team": Team, "pipeline": Pipeline, "stage": Stage}
    if target in tables:
        table = tables[target]
        return [(key, label) for key, label in ctx.session.execute(select(table.id, table.name))]
    model = NOUNS[target]
    label = getattr(model, "name", None) or model.subject  # type: ignore[attr-defined]
    query = (
        select(model.id, label)
        .join(SearchEntry, and_(SearchEntry.noun == target, SearchEntry.record_id == model.id))
        .where(SearchEntry.key == wanted[:400], visible(ctx, model), model.archived_at.is_(None))
        .distinct()
        .limit(50)
    )
    return [(key, text) for key, text in ctx.session.execute(query)]
