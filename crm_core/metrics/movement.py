"""How the open pipeline came from what it was to what it is: every deal that entered, left or changed, to the cent.

The pipeline then and the pipeline now are two sets of deals under the same conditions (``rewind`` gives the first).
Each deal in either falls into exactly one step by comparing its two states, so that

    opening + new + reopened + moved in + other in + grown - shrunk - moved out - won - lost - other out = closing

holds for every history. Both sides are valued at the rates of the later moment: a movement of currencies is none of
the pipeline. A deal that left is valued at what it was then, one that entered at what it is now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import func, select

from crm_core.access import describe_scope
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.conversion import home_amount, rates
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Condition, compile_conditions
from crm_core.metrics.question import Days, show_sql
from crm_core.metrics.rewind import as_known_at, end_of_day
from crm_core.models import Deal, Event, Stage, User
from crm_core.periods import FAR_FUTURE, FAR_PAST, Period, local_midnight

#: Steps in the order of a waterfall: name, heading, and whether it adds to the pipeline.
STEPS: dict[str, tuple[str, bool]] = {
    "new": ("new deals", True),
    "reopened": ("reopened", True),
    "moved_in": ("close date moved in", True),
    "other_in": ("came in by another change", True),
    "grown": ("grew", True),
    "shrunk": ("shrank", False),
    "moved_out": ("close date moved out", False),
    "won": ("won", False),
    "lost": ("lost", False),
    "other_out": ("left by another change", False),
}
_CHUNK = 500


class MovementQuestion(BaseModel):
    """Which open deals, and between which two moments."""

    model_config = ConfigDict(extra="forbid")

    filters: list[Condition] = Described(default_factory=list, description="Conditions that the open deals must meet, such as their owner.")
    period: Days | None = Described(default=None, description="Only deals expected to close in these days, such as a quarter.")
    since: date = Described(description="First day of the movement: it starts at that day's midnight.")
    until: date | None = Described(default=None, description="Last day of the movement, inclusive; up to now where left out.")
    step: str = Described(default="", description=f"List only the deals of one step: {', '.join(STEPS)}.")


@dataclass
class MovedDeal:
    """A deal that entered, left or changed: what it was worth then and now, in home-currency minor units."""

    id: int
    name: str
    company: str
    owner: str
    step: str
    before_minor: int
    after_minor: int
    expected_before: date | None
    expected_after: date | None
    stage_before: str
    stage_after: str
    #: Who moved the expected close day last, and when, where that is what happened.
    moved_by: str = ""
    moved_at: datetime | None = None

    @property
    def change_minor(self) -> int:
        """What it adds to the pipeline, or takes from it."""
        return self.after_minor - self.before_minor


@dataclass
class Movement:
    """The opening, the steps and the closing; the sum of all holds to the cent."""

    opening_minor: int
    closing_minor: int
    opening_deals: int
    closing_deals: int
    #: Sum and number of deals of each step that happened, in the order of ``STEPS``.
    steps: dict[str, tuple[int, int]]
    deals: list[MovedDeal]
    #: In the caller's time zone.
    first: datetime
    end: datetime
    period: Period | None
    currency: str
    scope: str
    notes: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _State:
    """A deal at one of the two moments. ``counted``: whether it belongs to the pipeline that was asked for."""

    status: str
    minor: int
    expected: date | None
    stage: str
    counted: bool


def pipeline_movement(ctx: Context, question: MovementQuestion) -> Movement:
    """Explain how the open pipeline changed since a day: new, won, lost, grown, shrunk and moved deals, with their sums.

    Raises Invalid for a day that is not past, or an unknown field, value or step.
    """
    if question.step and question.step not in STEPS:
        raise Invalid(f"There is no step '{question.step}'; there are {', '.join(STEPS)}.")
    first = local_midnight(question.since, ctx.zone)
    end = end_of_day(ctx, question.until) if question.until else ctx.now
    if first >= end:
        raise Invalid("A movement needs a day that is past; name one, such as last Monday or the first of the month.")
    period = question.period.period(ctx.calendar) if question.period else None
    rates(ctx)  # of now: both moments are valued by them
    sql: list[str] = []
    with _at(ctx, end) as then:
        after = _counted(then, question, period, sql)
    with _at(ctx, first) as then:
        before = _counted(then, question, period, sql)
        states_before = _states(then, set(after), before)
    with _at(ctx, end) as then:
        states_after = _states(then, set(before), after)
        moved = _moved(states_before, states_after, period)
        names = _names(then, [key for key, _step in moved])
    steps: dict[str, tuple[int, int]] = {}
    for name in STEPS:
        sums = [_minor(states_after.get(key)) - _minor(states_before.get(key)) for key, step in moved if step == name]
        if sums:
            steps[name] = (sum(sums), len(sums))
    deals = [_deal(key, step, names.get(key), states_before.get(key), states_after.get(key)) for key, step in moved]
    if question.step:
        deals = [item for item in deals if item.step == question.step]
    deals.sort(key=lambda item: (-abs(item.change_minor), item.name, item.id))
    _tell_movers(ctx, [item for item in deals if item.step in ("moved_in", "moved_out")], first, end)
    return Movement(
        opening_minor=sum(_minor(states_before[key]) for key in before),
        closing_minor=sum(_minor(states_after[key]) for key in after),
        opening_deals=len(before),
        closing_deals=len(after),
        steps=steps,
        deals=deals,
        first=first.astimezone(ctx.zone),
        end=end.astimezone(ctx.zone),
        period=period,
        currency=ctx.home_currency,
        scope=describe_scope(ctx, "deal"),
        sql=sql,
    )


@contextmanager
def _at(ctx: Context, moment: datetime) -> Iterator[Context]:
    """The deals as of the moment, valued at the rates of the asking context."""
    known = rates(ctx)
    with as_known_at(ctx, moment) as then:
        then.session.info["rates"] = known
        yield then


def _minor(state: _State | None) -> int:
    return state.minor if state is not None and state.counted else 0


def _counted(ctx: Context, question: MovementQuestion, period: Period | None, sql: list[str]) -> dict[int, _State]:
    """The open deals that meet the conditions at the context's moment."""
    shape = shape_for(ctx, "deal")
    clauses, joins = compile_conditions(ctx, shape, question.filters)
    clauses += [shape.visible(ctx), Deal.status == "open"]
    if period is not None and period.first > FAR_PAST:
        clauses.append(Deal.expected_close_on >= period.first)
    if period is not None and period.end < FAR_FUTURE:
        clauses.append(Deal.expected_close_on < period.end)
    statement = shape.select_from(ctx, select(*_columns(ctx)), [*joins, "stage"]).where(*clauses)
    sql.append(show_sql(statement))
    return {key: _State(status, minor, expected, stage, True) for key, status, minor, expected, stage in ctx.session.execute(statement)}


def _columns(ctx: Context) -> list[Any]:
    return [Deal.id, Deal.status, func.coalesce(home_amount(ctx, Deal.amount_minor), 0), Deal.expected_close_on, Stage.name]


def _states(ctx: Context, others: set[int], counted: dict[int, _State]) -> dict[int, _State]:
    """The counted deals and, of the others, how each stood at the context's moment; those not there yet are left out."""
    states = dict(counted)
    wanted = sorted(others - counted.keys())
    for at in range(0, len(wanted), _CHUNK):
        statement = select(*_columns(ctx)).join(Stage, Stage.id == Deal.stage_id)
        statement = statement.where(Deal.id.in_(wanted[at : at + _CHUNK]), Deal.archived_at.is_(None), shape_for(ctx, "deal").visible(ctx))
        states |= {key: _State(status, minor, expected, stage, False) for key, status, minor, expected, stage in ctx.session.execute(statement)}
    return states


def _moved(before: dict[int, _State], after: dict[int, _State], period: Period | None) -> list[tuple[int, str]]:
    """Each deal that is in one pipeline only, or changed its amount, with the one step that it falls into."""
    moved = []
    for key in before.keys() | after.keys():
        step = _step(before.get(key), after.get(key), period)
        if step:
            moved.append((key, step))
    return moved


def _step(before: _State | None, after: _State | None, period: Period | None) -> str:
    was, is_now = before is not None and before.counted, after is not None and after.counted
    if was and is_now:
        change = _minor(after) - _minor(before)
        return "grown" if change > 0 else "shrunk" if change < 0 else ""
    if is_now:
        if before is None:
            return "new"
        if before.status != "open":
            return "reopened"
        return "moved_in" if _outside(before, period) else "other_in"
    if was:
        if after is not None and after.status in ("won", "lost"):
            return after.status
        return "moved_out" if after is not None and _outside(after, period) else "other_out"
    return ""


def _outside(state: _State, period: Period | None) -> bool:
    return period is not None and (state.expected is None or not period.first <= state.expected < period.end)


def _names(ctx: Context, keys: list[int]) -> dict[int, tuple[str, str, str]]:
    """Deal, company and owner names, as today."""
    shape = shape_for(ctx, "deal")
    company, owner = shape.fields["company"], shape.fields["owner"]
    assert company.label is not None and owner.label is not None
    names: dict[int, tuple[str, str, str]] = {}
    for at in range(0, len(keys), _CHUNK):
        named: Any = select(Deal.id, Deal.name, company.label(ctx), owner.label(ctx))
        statement = shape.select_from(ctx, named, [*company.joins, *owner.joins])
        rows = ctx.session.execute(statement.where(Deal.id.in_(keys[at : at + _CHUNK])))
        names |= {key: (name, firm or "", person or "") for key, name, firm, person in rows}
    return names


def _deal(key: int, step: str, names: tuple[str, str, str] | None, before: _State | None, after: _State | None) -> MovedDeal:
    name, company, owner = names or (f"deal {key}", "", "")
    return MovedDeal(
        id=key,
        name=name,
        company=company,
        owner=owner,
        step=step,
        before_minor=_minor(before),
        after_minor=_minor(after),
        expected_before=before.expected if before else None,
        expected_after=after.expected if after else None,
        stage_before=before.stage if before else "",
        stage_after=after.stage if after else "",
    )


def _tell_movers(ctx: Context, deals: list[MovedDeal], first: datetime, end: datetime) -> None:
    """Who moved each close day last between the two moments."""
    by_key = {item.id: item for item in deals}
    keys = list(by_key)
    for at in range(0, len(keys), _CHUNK):
        statement = (
            select(Event.record_id, Event.at, Event.changes, User.name)
            .outerjoin(User, User.id == Event.actor_id)
            .where(Event.noun == "deal", Event.record_id.in_(keys[at : at + _CHUNK]), Event.at >= first, Event.at <= end)
            .order_by(Event.id)
        )
        for record_id, when, changes, name in ctx.session.execute(statement):
            if "expected_close_on" in changes:
                by_key[record_id].moved_by, by_key[record_id].moved_at = name or "", when.astimezone(ctx.zone)
