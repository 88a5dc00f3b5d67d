"""Pieces that several declarations share: plain columns, choices, references, owners, companies."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, func, literal, select

from crm_core.access import visible
from crm_core.context import Context
from crm_core.database import epoch_seconds
from crm_core.metrics.fields.shape import Expression, Field, Join, Kind
from crm_core.models import Activity, CloseDateChange, Company, Deal, StageEntry, Team, User

DAY_SECONDS = 86_400


def fixed(column: Any) -> Expression:
    """The same SQL whoever asks."""
    return lambda _ctx: column


def ref(name: str, column: Any, label: Any, join: str, target: str, synonyms: tuple[str, ...] = (), title: str = "") -> Field:
    """A reference to another record, shown by its label."""
    return Field(name, title or name, Kind.ref, fixed(column), fixed(label), (join,), synonyms, target)


def choice(
    name: str,
    column: Any,
    *,
    joins: tuple[str, ...] = (),
    synonyms: tuple[str, ...] = (),
    picklist: tuple[str, str] | None = None,
    choices: tuple[str, ...] = (),
    title: str = "",
) -> Field:
    """A word out of a picklist, of fixed choices, or of what is on file."""
    words = title or name.replace("_", " ")
    return Field(name, words, Kind.choice, fixed(column), None, joins, synonyms, picklist=picklist, choices=choices)


def plain(name: str, kind: Kind, column: Any, synonyms: tuple[str, ...] = (), title: str = "", joins: tuple[str, ...] = ()) -> Field:
    """A column as it is."""
    return Field(name, title or name.replace("_", " "), kind, fixed(column), None, joins, synonyms)


def days_since(column: Any) -> Expression:
    """Whole days from an instant to now, as SQL."""

    def build(ctx: Context) -> ColumnElement[int]:
        now = int(ctx.now.timestamp())
        return (literal(now, Integer) - epoch_seconds(column)) // literal(DAY_SECONDS, Integer)

    return build


#: What people call those who are responsible, and other things that most nouns have.
OWNER_WORDS = (
    "rep",
    "owner",
    "salesperson",
    "salespeople",
    "sales people",
    "colleague",
    "team member",
    "sales rep",
    "seller",
    "account executive",
    "ae",
    "agent",
    "person",
    "member of the team",
    "member of my team",
    "member of our team",
    "account manager",
    "responsible person",
)


ASSIGNEE_WORDS = ("assignee", "agent", "owner", "handler", "person", "rep")


AUTHOR_WORDS = ("rep", "author", "owner", "assignee", "person", "user", "salesperson")


COMPANY_WORDS = ("company", "account", "customer", "client", "organisation", "organization")


CREATED_WORDS = ("created", "opened", "added", "new", "came in", "entered", "started")


def owner_fields(column: Any, title: str, words: tuple[str, ...]) -> list[Field]:
    """Who is responsible, and that person's team."""
    return [
        ref("owner", column, User.name, "owner", "user", words, title),
        ref("team", User.team_id, Team.name, "team", "team", ("team", "group", "squad", "office")),
    ]


def owner_joins(column: Any) -> dict[str, Join]:
    """The joins that :func:`owner_fields` needs."""
    return {
        "owner": Join(User, column == User.id),
        "team": Join(Team, User.team_id == Team.id, ("owner",)),
    }


def company_fields(column: Any) -> list[Field]:
    """The company, and what it says of itself."""
    return [
        ref("company", column, Company.name, "company", "company", COMPANY_WORDS),
        choice("industry", Company.industry, joins=("company",), synonyms=("industry", "sector", "vertical"), picklist=("company", "industry")),
        choice("region", Company.region, joins=("company",), synonyms=("region", "territory", "area", "geo"), picklist=("company", "region")),
        choice("country", Company.country, joins=("company",), synonyms=("country",)),
        choice("city", Company.city, joins=("company",), synonyms=("city", "town")),
    ]


def company_join(column: Any) -> dict[str, Join]:
    """The join that :func:`company_fields` needs."""
    return {"company": Join(Company, column == Company.id)}


def times_slipped() -> Expression:
    """How often the expected close day of a deal was moved to a later day, as a correlated subquery."""

    def build(_ctx: Context) -> ColumnElement[Any]:
        query = select(func.count()).where(CloseDateChange.deal_id == Deal.id, CloseDateChange.new_day > CloseDateChange.old_day)
        return query.correlate(Deal).scalar_subquery()

    return build


def days_in_stage() -> Expression:
    """Whole days from the deal's entry into its stage to now, as a correlated subquery."""

    def build(ctx: Context) -> ColumnElement[Any]:
        return days_since(stage_since(ctx))(ctx)

    return build


def stage_since(ctx: Context) -> ColumnElement[Any]:
    """When the deal entered the stage that it is in, as a correlated subquery."""
    del ctx
    entered = select(func.max(StageEntry.entered_at)).where(StageEntry.deal_id == Deal.id, StageEntry.left_at.is_(None))
    return entered.correlate(Deal).scalar_subquery()


def last_activity(model: Any, link: Any) -> Expression:
    """The last time that something was said or done about a record, as a correlated subquery."""

    def build(ctx: Context) -> ColumnElement[Any]:
        query = select(func.max(Activity.occurred_at)).where(
            link == model.id, Activity.kind != "task", Activity.archived_at.is_(None), visible(ctx, Activity)
        )
        return query.correlate(model).scalar_subquery()

    return build
