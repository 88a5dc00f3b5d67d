"""What happened is kept: every change of a noun appends an event, in the transaction that makes it.

The recorder listens to the session's flush, so a verb cannot forget it. From the same changes it keeps two
derived tables (stays in stages, moved close dates) and tells *derivers* (search keys, chunks of text), which
services register. ``Event.changes`` maps field to ``[old, new]`` in JSON form; custom fields appear as
``custom.KEY``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, insert, inspect, select, update
from sqlalchemy.orm import Session, UOWTransaction

from crm_core.models import CloseDateChange, Deal, Event, Noun, StageEntry

#: Columns that every change touches and that carry no news of their own.
_QUIET = frozenset({"id", "version", "updated_at"})

Deriver = Callable[[Session, Noun, dict[str, list[Any]]], None]
_derivers: dict[str, list[Deriver]] = {}


class RecordingSession(Session):
    """The only session class of the product; ``info`` carries actor id, door, time and change set.

    A caller that sets ``info["recorded"]`` to a list finds there the event rows of what it did.
    """


def derive(*nouns: str) -> Callable[[Deriver], Deriver]:
    """Register a function that keeps derived rows of these nouns; called after each flush with the changes."""

    def register(function: Deriver) -> Deriver:
        for noun in nouns:
            _derivers.setdefault(noun, []).append(function)
        return function

    return register


def json_value(value: Any) -> Any:
    """A value as events keep it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


def _changes_of(record: Noun, *, created: bool) -> dict[str, list[Any]]:
    state = inspect(record)
    changes: dict[str, list[Any]] = {}
    for column in state.mapper.column_attrs:
        if column.key in _QUIET:
            continue
        if created:
            value = state.dict.get(column.key)
            if value is None or value == {}:
                continue
            old: Any = None
        else:
            history = state.attrs[column.key].history
            if not history.has_changes():
                continue
            old = history.deleted[0] if history.deleted else None
            value = history.added[0] if history.added else None
        if column.key == "custom":
            changes |= _custom_changes(old or {}, value or {})
        elif old != value:
            changes[column.key] = [json_value(old), json_value(value)]
    return changes


def _custom_changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    return {f"custom.{key}": [old.get(key), new.get(key)] for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)}


def _kind(changes: dict[str, list[Any]], *, created: bool) -> str:
    if created:
        return "created"
    if "archived_at" in changes:
        return "archived" if changes["archived_at"][1] else "restored"
    return "updated"


@event.listens_for(RecordingSession, "after_flush")
def _record(session: Session, _context: UOWTransaction) -> None:
    rows: list[dict[str, Any]] = []
    touched: list[tuple[Noun, dict[str, list[Any]]]] = []
    for records, created in ((session.new, True), (session.dirty, False)):
        for record in records:
            if not isinstance(record, Noun):
                continue
            changes = _changes_of(record, created=created)
            if not changes:
                continue
            touched.append((record, changes))
            rows.append(
                event_row(
                    record.__noun__,
                    record.id,
                    record.version,
                    _kind(changes, created=created),
                    changes,
                    at=session.info["now"],
                    actor_id=session.info["actor_id"],
                    door=session.info["door"],
                    change_set_id=session.info.get("change_set_id"),
                )
            )
    if not rows:
        return
    record_events(session, rows)
    for record, changes in touched:
        if isinstance(record, Deal):
            _derive_deal_history(session, record, changes)
        for deriver in _derivers.get(record.__noun__, ()):
            deriver(session, record, changes)


def record_events(session: Session, rows: list[dict[str, Any]]) -> None:
    """Append events, and show them to the change set that is being previewed, if any."""
    session.execute(insert(Event), rows)
    if "recorded" in session.info:
        session.info["recorded"] += rows


def event_row(
    noun: str,
    record_id: int,
    version: int,
    kind: str,
    changes: dict[str, list[Any]],
    *,
    at: datetime,
    actor_id: int | None,
    door: str,
    change_set_id: int | None = None,
) -> dict[str, Any]:
    """An ``event`` row as a mapping; bulk loaders use it too."""
    return {
        "at": at,
        "actor_id": actor_id,
        "door": door,
        "noun": noun,
        "record_id": record_id,
        "version": version,
        "kind": kind,
        "changes": changes,
        "change_set_id": change_set_id,
    }


def _derive_deal_history(session: Session, deal: Deal, changes: dict[str, list[Any]]) -> None:
    now: datetime = session.info["now"]
    if "stage_id" in changes:
        first = changes["stage_id"][0] is None
        entered = (deal.closed_at or deal.created_at) if first else (deal.closed_at or now)
        if not first:
            session.execute(
                update(StageEntry)
                .where(StageEntry.deal_id == deal.id, StageEntry.left_at.is_(None))
                .values(left_at=entered)
                .execution_options(synchronize_session=False)
            )
        session.execute(insert(StageEntry).values(deal_id=deal.id, stage_id=deal.stage_id, entered_at=entered))
    old_day = changes.get("expected_close_on", [None])[0]
    if old_day is not None:
        session.execute(
            insert(CloseDateChange).values(
                deal_id=deal.id,
                changed_at=now,
                old_day=date.fromisoformat(old_day),
                new_day=deal.expected_close_on,
                amount_minor=deal.amount_minor,
            )
        )


def history(session: Session, noun: str, record_id: int, *, since_version: int = 0) -> list[Event]:
    """The record's events, oldest first, from after ``since_version``."""
    return list(
        session.scalars(select(Event).where(Event.noun == noun, Event.record_id == record_id, Event.version > since_version).order_by(Event.id))
    )


def changed_fields(events: Iterable[Event]) -> list[str]:
    """Names of the fields that a run of events changed, in order of first change."""
    return list(dict.fromkeys(name for item in events for name in item.changes))


def as_of(session: Session, record: Noun, at: datetime) -> dict[str, Any] | None:
    """The record's field values (JSON form) at an instant: today's, with later events taken back.

    None where the record did not exist yet.
    """
    values = {column.key: json_value(getattr(record, column.key)) for column in inspect(record).mapper.column_attrs if column.key not in ("custom",)}
    values |= {f"custom.{key}": value for key, value in record.custom.items()}
    later = session.scalars(select(Event).where(Event.noun == record.__noun__, Event.record_id == record.id, Event.at > at).order_by(Event.id.desc()))
    for item in later:
        if item.kind == "created":
            return None
        for name, (old, _new) in item.changes.items():
            values[name] = old
        values["version"] = item.version - 1
    return values
