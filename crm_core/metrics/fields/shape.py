"""Fields, joins and shapes: the words that declarations are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, inspect

from crm_core.access import visible
from crm_core.context import Context
from crm_core.models import Noun


class Kind(StrEnum):
    """What a field's values are."""

    ref = "ref"
    choice = "choice"
    text = "text"
    number = "number"
    money = "money"
    day = "day"
    instant = "instant"
    boolean = "boolean"


Expression = Callable[[Context], ColumnElement[Any]]


Membership = Callable[[Context, Sequence[Any]], ColumnElement[bool]]


@dataclass(frozen=True)
class Field:
    """One askable field. ``key`` is the SQL to filter and group by; ``label`` the SQL to show instead.

    ``members`` replaces ``key`` for many-valued fields (a deal's products), which filter but do not group.
    ``target`` names what a ref points at: a noun, or ``team``, ``stage``, ``pipeline``.
    """

    name: str
    title: str
    kind: Kind
    key: Expression | None
    label: Expression | None = None
    joins: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    target: str = ""
    members: Membership | None = None
    choices: tuple[str, ...] = ()
    #: Where the allowed words live: (noun, field) of the picklist.
    picklist: tuple[str, str] | None = None
    unit: str = ""
    custom: bool = False

    @property
    def groupable(self) -> bool:
        """Whether figures can be grouped by it."""
        return self.key is not None and self.kind in (Kind.ref, Kind.choice, Kind.boolean)

    @property
    def is_time(self) -> bool:
        """Whether it holds a day or an instant."""
        return self.kind in (Kind.day, Kind.instant)


@dataclass(frozen=True)
class Join:
    """A left join; ``needs`` are joins that must come first."""

    target: Any
    on: ColumnElement[bool]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """A root table, the noun whose rights guard it, its joins and fields, and how its rows are shown."""

    name: str
    root: Any
    noun: type[Noun]
    joins: dict[str, Join]
    fields: dict[str, Field]
    title: str
    plural: str
    synonyms: tuple[str, ...] = ()
    #: Joins that are always needed (to reach the guarded noun).
    base_joins: tuple[str, ...] = ()
    #: Columns of a list by default, and its default order.
    columns: tuple[str, ...] = ()
    order: tuple[str, bool] = ("name", False)
    #: The time field meant by "this month" where a question does not say which.
    time: str = "created"
    #: SQL of "the caller may read this row" where the root is not the noun's own table.
    guard: Callable[[Context], ColumnElement[bool]] | None = None

    def visible(self, ctx: Context) -> ColumnElement[bool]:
        """SQL of "the caller may read this row and it is not archived"."""
        if self.guard is not None:
            return self.guard(ctx)
        return and_(visible(ctx, self.noun), self.noun.archived_at.is_(None))

    def select_from(self, ctx: Context, statement: Select[Any], needed: Sequence[str]) -> Select[Any]:
        """Add the root and the joins, each once, prerequisites first.

        A joined noun that the caller may not see joins as nothing: its name is not shown, its fields match nothing.
        """
        ordered: list[str] = []

        def visit(name: str) -> None:
            for need in self.joins[name].needs:
                visit(need)
            if name not in ordered:
                ordered.append(name)

        for name in (*self.base_joins, *needed):
            visit(name)
        statement = statement.select_from(self.root)
        for name in ordered:
            join = self.joins[name]
            on = join.on
            model = inspect(join.target).mapper.class_
            if issubclass(model, Noun) and ctx.actor.reads.get(model.__noun__) != "all":
                on = and_(on, visible(ctx, model, entity=join.target))
            statement = statement.outerjoin(join.target, on)
        return statement
