"""Lists: the records that match conditions, with how many there are in all and what they sum to.

Lists compile against the same fields and filters as metrics, so that a list and the figure beside it agree.
A page is cut after counting; totals are over everything that matches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import ColumnElement, Select, func, select

from crm_core.access import describe_scope
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.fields import (
    NOUN_SHAPES,
    Field,
    Kind,
    Shape,
    field_of,
    priority_rank,
    shape_for,
)
from crm_core.metrics.filters import Condition, choice_values, compile_conditions
from crm_core.metrics.query import underlying
from crm_core.metrics.question import MetricQuestion, show_sql
from crm_core.metrics.rewind import REWOUND, as_known_at, check_past, end_of_day
from crm_core.models import Deal

MAX_PAGE = 200


class ListQuestion(BaseModel):
    """Which records, in what order, which page."""

    model_config = ConfigDict(extra="forbid")

    noun: str = Described(description="company, contact, lead, deal, ticket, activity, product or user.")
    filters: list[Condition] = Described(default_factory=list, description="Conditions that all must hold.")
    order_by: str | None = Described(default=None, description="Field to sort by, such as 'amount'.")
    descending: bool = Described(default=False, description="Largest or latest first.")
    limit: int = Described(default=25, ge=1, le=MAX_PAGE, description="Rows on the page.")
    offset: int = Described(default=0, ge=0, le=1_000_000, description="Rows to skip.")
    as_of: date | None = Described(default=None, description="List deals as they were at the end of this past day; left out: as they are now.")
    columns: list[str] | None = Described(default=None, description="Fields to show; the usual ones where left out.")


@dataclass
class ListResult:
    """A page of records. ``cells`` are raw values by column; ``total`` counts everything that matches."""

    noun: str
    title: str
    columns: list[Field]
    rows: list[dict[str, Any]]
    total: int
    #: Sum of deal amounts over everything that matches, in home-currency minor units.
    amount_minor: int | None
    currency: str
    scope: str
    offset: int = 0
    order: str = ""
    #: The past day at whose end this was so; none: now.
    as_of: date | None = None
    ids: list[int] = field(default_factory=list)
    statement: Select[Any] | None = None

    @property
    def sql(self) -> list[str]:
        """The statement with its values, for people to read."""
        return [show_sql(self.statement)] if self.statement is not None else []


def list_records(ctx: Context, question: ListQuestion) -> ListResult:
    """The page and the totals; raises ``Invalid`` for an unknown noun, field or value."""
    if question.noun not in NOUN_SHAPES:
        raise Invalid(f"There is no record kind '{question.noun}'; use one of {', '.join(NOUN_SHAPES)}.")
    if question.as_of is not None:
        return _as_of(ctx, question, question.as_of)
    shape = shape_for(ctx, question.noun)
    clauses, joins = compile_conditions(ctx, shape, question.filters)
    return _page(ctx, shape, [shape.visible(ctx), *clauses], joins, question)


def _as_of(ctx: Context, question: ListQuestion, day: date) -> ListResult:
    check_past(ctx, day)
    if question.noun not in REWOUND:
        raise Invalid(f"I can look back at deals, not at {NOUN_SHAPES[question.noun].plural}; leave the past day out.")
    with as_known_at(ctx, end_of_day(ctx, day)) as then:
        result = list_records(then, question.model_copy(update={"as_of": None}))
    result.as_of, result.scope = day, describe_scope(ctx, question.noun)
    return result


@dataclass(frozen=True)
class ListPage:
    """Which rows of a list, and in which order."""

    limit: int = 25
    offset: int = 0
    order_by: str | None = None
    descending: bool = False


def rows_behind(ctx: Context, question: MetricQuestion, page: ListPage = ListPage()) -> ListResult:
    """The records behind a figure: same rights, filters, period and day, as a list."""
    if question.as_of is not None:
        check_past(ctx, question.as_of)
        with as_known_at(ctx, end_of_day(ctx, question.as_of)) as then:
            result = rows_behind(then, question.model_copy(update={"as_of": None}), page)
        result.as_of, result.scope = question.as_of, describe_scope(ctx, "deal")
        return result
    fact, clauses, joins, _period = underlying(ctx, question)
    noun = fact.noun.__noun__
    shape = shape_for(ctx, noun)
    listed = ListQuestion(noun=noun, limit=page.limit, offset=page.offset, order_by=page.order_by, descending=page.descending)
    if fact.root is shape.root:
        return _page(ctx, shape, clauses, joins, listed)
    inner = fact.select_from(ctx, select(fact.noun.id), joins).where(*clauses)
    return _page(ctx, shape, [shape.visible(ctx), shape.root.id.in_(inner)], [], listed)


def _page(ctx: Context, shape: Shape, clauses: list[ColumnElement[bool]], joins: list[str], question: ListQuestion) -> ListResult:
    columns = [field_of(shape, name) for name in (question.columns or shape.columns)]
    order, descending = shape.order if question.order_by is None else (question.order_by, question.descending)
    sorter = field_of(shape, order) if order in shape.fields or question.order_by else next(iter(shape.fields.values()))
    if sorter.key is None:
        raise Invalid(f"{shape.plural} cannot be sorted by {sorter.title}.")
    total, amount = _totals(ctx, shape, clauses, joins)
    selected: list[Any] = [shape.root.id]
    needed = [*joins, *sorter.joins]
    for item in columns:
        if item.key is None:
            raise Invalid(f"{item.title} cannot be a column of a list.")
        selected.append(item.label(ctx) if item.label else item.key(ctx))
        needed += item.joins
    has_money = shape.name == "deal"
    if has_money:
        selected += [Deal.amount_minor, Deal.currency]
    ranked = _sort_key(ctx, shape, sorter)
    statement = shape.select_from(ctx, select(*selected), needed).where(*clauses)
    statement = statement.order_by(ranked.desc().nulls_last() if descending else ranked.asc().nulls_last(), shape.root.id)
    rows = []
    for row in ctx.session.execute(statement.limit(question.limit).offset(question.offset)):
        cells = {item.name: _plain(value, ctx.zone) for item, value in zip(columns, row[1 : len(columns) + 1], strict=True)}
        record: dict[str, Any] = {"id": row[0], **cells}
        if has_money:
            record["_amount_minor"], record["_currency"] = row[-2], row[-1]
        rows.append(record)
    return ListResult(
        noun=shape.name,
        title=shape.plural,
        columns=columns,
        rows=rows,
        total=total,
        amount_minor=amount,
        currency=ctx.home_currency,
        scope=describe_scope(ctx, shape.name),
        offset=question.offset,
        order=f"{sorter.title}, {'highest' if descending else 'lowest'} first",
        ids=[row["id"] for row in rows],
        statement=statement,
    )


def _totals(ctx: Context, shape: Shape, clauses: list[ColumnElement[bool]], joins: list[str]) -> tuple[int, int | None]:
    wanted: list[ColumnElement[Any]] = [func.count()]
    if shape.name == "deal":
        wanted.append(func.sum(home_amount(ctx, Deal.amount_minor)))
    row = ctx.session.execute(shape.select_from(ctx, select(*wanted), joins).where(*clauses)).one()
    return int(row[0]), (int(row[1] or 0) if len(row) > 1 else None)


def _sort_key(ctx: Context, shape: Shape, sorter: Field) -> ColumnElement[Any]:
    assert sorter.key is not None
    if shape.name == "ticket" and sorter.name == "priority":
        return priority_rank(choice_values(ctx, sorter))
    if sorter.label is not None:
        return sorter.label(ctx)
    if sorter.kind is Kind.text and not sorter.custom:
        return func.lower(sorter.key(ctx))
    return sorter.key(ctx)


def _plain(value: Any, zone: ZoneInfo) -> Any:
    """A value as JSON carries it; an instant in the caller's time zone, so that its day is the caller's day."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return value.isoformat() if isinstance(value, date | datetime) else value
