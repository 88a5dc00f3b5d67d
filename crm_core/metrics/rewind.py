"""The past as it was: deals put back to an instant, so that any question can be asked of them as of then.

Later events are taken back, newest first, on a copy of the deals that the caller may see *now*: rights are never
those of the past. The copy is a temporary table of the same name, which both databases find before the real one,
so that every metric, filter and list runs on it unchanged; it goes away with the block, and the real table is
neither written nor locked. Stays in stages and moved close days are cut at the same instant. What is not a deal's
own (its company's region, its owner's name and team) is as it is today.

A deal is there from its ``created_at`` on. One that was recorded later, by an import, and closed after the instant
counts as open then; its amount and stage are those first recorded, since nobody knows better.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Date, Select, bindparam, case, null, select, text, update

from crm_core.access import visible
from crm_core.context import Context
from crm_core.database import UtcDateTime
from crm_core.errors import Invalid
from crm_core.models import CloseDateChange, Deal, Event, StageEntry
from crm_core.periods import local_midnight

#: The tables that are copied, as they are named.
_COPIED = ("deal", "stage_entry", "close_date_change")
#: What of a deal its events keep.
_KEPT = {column.key: column.type for column in Deal.__table__.columns if column.key not in ("id", "version", "custom")}


#: Shapes whose rows can be put back.
REWOUND = frozenset({"deal", "line_item", "stage_entry"})


def check_past(ctx: Context, day: date) -> None:
    """Raise ``Invalid`` for a day that lies ahead."""
    if day > ctx.today:
        raise Invalid("I can look back, not ahead; name a day that is past.")


def end_of_day(ctx: Context, day: date) -> datetime:
    """The instant that "as of" a day means: the caller's midnight after it, or now where that lies ahead."""
    return min(ctx.now, local_midnight(date.fromordinal(day.toordinal() + 1), ctx.zone))


@contextmanager
def as_known_at(ctx: Context, moment: datetime) -> Iterator[Context]:
    """A context in which deals are as they were at ``moment``, which is also its clock. Blocks do not nest."""
    if moment >= ctx.now:
        yield ctx
        return
    session, rates = ctx.session, ctx.session.info.pop("rates", None)
    connection = session.connection()
    _copy(ctx, connection, moment)
    try:
        _take_back(connection, moment)
        _undecide(connection, moment)
        everything = {**ctx.actor.reads, "deal": "all"}  # the copy holds only what the caller may see
        yield Context(session, replace(ctx.actor, reads=everything), moment)
    finally:
        schema = "temp" if connection.dialect.name == "sqlite" else "pg_temp"
        for table in _COPIED:
            connection.execute(text(f"DROP TABLE {schema}.{table}"))
        session.info.pop("rates", None)
        if rates is not None:
            session.info["rates"] = rates


def _copy(ctx: Context, connection: Connection, moment: datetime) -> None:
    deals: Any = select(*Deal.__table__.columns).where(visible(ctx, Deal), Deal.created_at <= moment)
    left = case((StageEntry.left_at > moment, null()), else_=StageEntry.left_at).label("left_at")
    stays: Any = select(StageEntry.id, StageEntry.deal_id, StageEntry.stage_id, StageEntry.entered_at, left).where(StageEntry.entered_at <= moment)
    moves: Any = select(*CloseDateChange.__table__.columns).where(CloseDateChange.changed_at <= moment)
    for table, rows in zip(_COPIED, (deals, stays, moves), strict=True):
        connection.execute(text(f"CREATE TEMPORARY TABLE {table} AS {_literal(connection, rows)}"))


def _literal(connection: Connection, statement: Select[Any]) -> str:
    """The statement with its values written out (numbers and instants of ours): a table cannot be made with parameters."""
    return str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})).replace(":", "\\:")


def _take_back(connection: Connection, moment: datetime) -> None:
    """Put the old values of all later changes back, the oldest change having the last word."""
    later = (
        select(Event.record_id, Event.changes)
        .where(Event.noun == "deal", Event.at > moment, Event.kind != "created", Event.record_id.in_(select(Deal.id)))
        .order_by(Event.id.desc())
    )
    before: dict[int, dict[str, Any]] = {}
    for record_id, changes in connection.execute(later):
        before.setdefault(record_id, {}).update({name: pair[0] for name, pair in changes.items()})
    plain = [(key, {name: _typed(name, value) for name, value in values.items() if name in _KEPT}) for key, values in before.items()]
    plain.sort(key=lambda item: sorted(item[1]))
    for names, rows in groupby(plain, key=lambda item: sorted(item[1])):
        if names:
            statement = update(Deal.__table__).where(Deal.__table__.c.id == bindparam("key_")).values({name: bindparam(f"{name}_") for name in names})  # type: ignore[arg-type]
            connection.execute(statement, [{"key_": key, **{f"{name}_": value for name, value in values.items()}} for key, values in rows])
    _take_back_custom(connection, {key: values for key, values in before.items() if any(name.startswith("custom.") for name in values)})


def _typed(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(_KEPT[name], Date):
        return date.fromisoformat(value)
    if isinstance(_KEPT[name], UtcDateTime):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


def _take_back_custom(connection: Connection, before: dict[int, dict[str, Any]]) -> None:
    for key, values in before.items():
        custom = dict(connection.scalar(select(Deal.custom).where(Deal.id == key)) or {})
        for name, old in values.items():
            if name.startswith("custom."):
                custom[name.removeprefix("custom.")] = old
        kept = {name: value for name, value in custom.items() if value is not None}
        connection.execute(update(Deal.__table__).where(Deal.__table__.c.id == key).values(custom=kept))  # type: ignore[arg-type]


def _undecide(connection: Connection, moment: datetime) -> None:
    """What was decided after the instant was open at it, also where the outcome came with the record."""
    statement = update(Deal.__table__).where(Deal.__table__.c.closed_at > moment)  # type: ignore[arg-type]
    connection.execute(statement.values(status="open", closed_at=None, loss_reason=None))
