"""The laws of the log: what holds of every database, whatever died in it."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, text

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.events import json_value
from crm_core.models import (
    NOUNS,
    ChangeSet,
    Chunk,
    CloseDateChange,
    DealContact,
    Event,
    LineItem,
    SearchEntry,
    StageEntry,
)
from crm_core.services.change_sets import taken_back_by
from crm_core.services.search import SEARCHED, chunk_rows, keys_of
from evals.crash.children import PATIENCE

Key = tuple[str, int]


#: Fields that a sentence names one by one.
NAMED = 5
_QUIET = frozenset({"id", "version", "updated_at", "custom"})
_PARTS = ("contact_roles", "line_items")


def violations(engine: Engine) -> list[str]:
    """What is wrong in a database, a sentence each: the log against the records, the derived rows, and the change sets against the log."""
    settle(engine)
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        events = list(ctx.session.scalars(select(Event).order_by(Event.id)))
        replay = Replay()
        for item in events:
            replay.take(item)
        faults = replay.faults + _against_records(ctx, replay) + _against_derived(ctx, replay) + _change_sets(ctx, events)
        if engine.dialect.name == "sqlite":
            faults += [f"integrity: {row}" for (row,) in ctx.session.execute(text("PRAGMA integrity_check")) if row != "ok"]
            faults += [f"foreign key: {tuple(row)}" for row in ctx.session.execute(text("PRAGMA foreign_key_check"))]
        return faults


def settle(engine: Engine) -> None:
    """Wait until PostgreSQL has noticed that clients are dead and has ended what they had sent."""
    if engine.dialect.name != "postgresql":
        return
    others = text(
        "select count(*) from pg_stat_activity where datname = current_database() "
        "and pid <> pg_backend_pid() and backend_type = 'client backend' and application_name <> 'bystander'"
    )
    until = time.monotonic() + PATIENCE
    with engine.connect() as connection:
        while connection.scalar(others):
            connection.rollback()
            if time.monotonic() > until:
                raise RuntimeError("A connection of a dead process stays open.")
            time.sleep(0.005)


@dataclass
class Replay:
    """The company as the log tells it from the beginning; ``faults`` are events that do not follow from those before."""

    records: dict[Key, dict[str, Any]] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    parts: dict[tuple[str, int], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    stays: dict[int, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    moved_days: dict[int, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)

    def take(self, item: Event) -> None:
        """The next event."""
        key = (item.noun, item.record_id)
        what = f"event {item.id} of {item.noun} {item.record_id}"
        if (item.kind == "created") != (key not in self.records):
            self.faults.append(f"{what}: {item.kind}, but the record was {'there' if key in self.records else 'not there'}")
        if item.version != self.versions.get(key, 0) + 1:
            self.faults.append(f"{what}: version {item.version} follows {self.versions.get(key, 0)}")
        if (item.change_set_id is None) != (item.door == "seed"):
            self.faults.append(f"{what}: change set {item.change_set_id} by the door '{item.door}'")
        self.versions[key] = item.version
        held = self.records.setdefault(key, {})
        for name, (old, new) in item.changes.items():
            if name in _PARTS:
                self._take_part(what, (name, item.record_id), old, new)
                continue
            if held.get(name) != old:
                self.faults.append(f"{what}: {name} from {old!r}, but it was {held.get(name)!r}")
            held[name] = new
        if item.noun == "deal":
            self._derive(item, held)

    def _take_part(self, what: str, part: tuple[str, int], old: Any, new: Any) -> None:
        for value, count in ((old, -1), (new, 1)):
            if value is not None:
                self.parts[part][_part(part[0], value)] += count
        if min(self.parts[part].values(), default=0) < 0:
            self.faults.append(f"{what}: {old} was taken out, but was not there")

    def _derive(self, item: Event, held: dict[str, Any]) -> None:
        at = item.at.isoformat()
        if "stage_id" in item.changes:
            stays = self.stays[item.record_id]
            entered = held.get("closed_at") or (at if stays else held["created_at"])
            if stays:
                stays[-1][2] = entered
            stays.append([held["stage_id"], entered, None])
        day = item.changes.get("expected_close_on", [None])[0]
        if day is not None:
            self.moved_days[item.record_id].append((at, day, held.get("expected_close_on"), held.get("amount_minor")))


def _part(name: str, value: dict[str, Any]) -> str:
    fields = ("contact_id", "role") if name == "contact_roles" else ("product_id", "quantity", "unit_price_minor")
    return json.dumps([value[key] for key in fields])


def _against_records(ctx: Context, replay: Replay) -> list[str]:
    faults = []
    seen = set()
    for noun, model in NOUNS.items():
        for row in ctx.session.scalars(select(model)):
            key = (noun, row.id)
            seen.add(key)
            names = [column.key for column in model.__table__.columns if column.key not in _QUIET]
            holds = {name: json_value(getattr(row, name)) for name in names} | {f"custom.{name}": value for name, value in row.custom.items()}
            told = replay.records.get(key, {})
            wrong = sorted(name for name in holds.keys() | told.keys() if holds.get(name) != told.get(name))
            if wrong:
                faults.append(f"{noun} {row.id}: the log replays to other values of {', '.join(wrong)}")
            if row.version != replay.versions.get(key):
                faults.append(f"{noun} {row.id}: version {row.version}, but the log ends at {replay.versions.get(key)}")
    faults += [f"{noun} {number}: told by the log, but not there" for noun, number in replay.records.keys() - seen if noun in NOUNS]
    parts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for name, part in (("contact_roles", DealContact), ("line_items", LineItem)):
        for row in ctx.session.scalars(select(part)):
            parts[name, row.deal_id][_part(name, {column.key: getattr(row, column.key) for column in part.__table__.columns})] += 1
    for key in parts.keys() | replay.parts.keys():
        if parts[key] != +replay.parts[key]:
            faults.append(f"deal {key[1]}: its {key[0]} are not those that the log tells")
    return faults


def _against_derived(ctx: Context, replay: Replay) -> list[str]:
    stays, days, keys, chunks = defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(list)
    for stay in ctx.session.scalars(select(StageEntry).order_by(StageEntry.id)):
        stays[stay.deal_id].append([stay.stage_id, json_value(stay.entered_at), json_value(stay.left_at)])
    for move in ctx.session.scalars(select(CloseDateChange).order_by(CloseDateChange.id)):
        days[move.deal_id].append((json_value(move.changed_at), json_value(move.old_day), json_value(move.new_day), move.amount_minor))
    for entry in ctx.session.scalars(select(SearchEntry)):
        keys[entry.noun, entry.record_id].append((entry.kind, entry.key))
    for chunk in ctx.session.scalars(select(Chunk)):
        chunks[chunk.noun, chunk.record_id].append((chunk.position, chunk.text))
    faults = [f"deal {number}: its stays in stages differ" for number in stays.keys() | replay.stays.keys() if stays[number] != replay.stays[number]]
    faults += [f"deal {number}: moved days differ" for number in days.keys() | replay.moved_days.keys() if days[number] != replay.moved_days[number]]
    for noun, model in NOUNS.items():
        for row in ctx.session.scalars(select(model)):
            there = row.archived_at is None
            if noun in SEARCHED and sorted(keys.pop((noun, row.id), [])) != (sorted(keys_of(row)) if there else []):
                faults.append(f"{noun} {row.id}: its search keys differ")
            if noun in ("activity", "ticket"):
                wanted = [(item["position"], item["text"]) for item in chunk_rows(row)] if there else []
                if sorted(chunks.pop((noun, row.id), [])) != wanted:
                    faults.append(f"{noun} {row.id}: its passages differ")
    return faults + [f"{noun} {number}: derived rows of no record" for noun, number in (*keys, *chunks)]


def _change_sets(ctx: Context, events: Sequence[Event]) -> list[str]:
    """A change set that was applied is told by the log exactly as its diff, any other not at all; one that is undone was undone once and wholly."""
    faults = []
    did: dict[int, list[Event]] = defaultdict(list)
    for item in events:
        if item.change_set_id is not None:
            did[item.change_set_id].append(item)
    changes = {change.id: change for change in ctx.session.scalars(select(ChangeSet))}
    takers: dict[int, list[int]] = defaultdict(list)
    for change in changes.values():
        if change.status == "applied" and (taken := taken_back_by(change)):
            for number in taken:
                takers[number].append(change.id)
            if left := _left_over([item for number in (*sorted(taken), change.id) for item in did[number]]):
                faults.append(f"change {change.id}: its undo left {len(left)}: {', '.join(left[:NAMED])}")
    for number, change in changes.items():
        done = change.status in ("applied", "undone")
        if done and _told(did[number], change.decided_at) != sorted(_line(item) for item in change.diff):
            faults.append(f"change {number}: {change.status}, but its {len(did[number])} events do not tell its diff, each line once")
        if not done and did[number]:
            faults.append(f"change {number}: {change.status}, but {len(did[number])} events tell of it")
        if done != (change.approver_id is not None and change.decided_at is not None):
            faults.append(f"change {number}: {change.status}, approved by {change.approver_id} at {change.decided_at}")
        if len(takers[number]) != (change.status == "undone"):
            faults.append(f"change {number}: {change.status}, taken back by {takers[number]}")
    return faults + [f"change {number}: not there, but the log tells of it" for number in did.keys() - changes.keys()]


def _line(item: dict[str, Any]) -> str:
    return json.dumps([item[name] for name in ("noun", "id", "field", "old", "new", "created")], sort_keys=True)


def _told(events: Sequence[Event], decided: datetime | None) -> list[str]:
    """The lines of a diff that events amount to, sorted, with the words that a preview has for what it cannot know yet."""
    made: dict[Key, str] = {}
    lines = []
    for item in events:
        created = item.kind == "created"
        if created:
            made[item.noun, item.record_id] = f"new {item.noun} {len(made) + 1}"
        for name, (old, new) in item.changes.items():
            if name == "created_at":
                continue
            if new == json_value(decided):
                new = "now"
            elif name.endswith("_id") and isinstance(new, int):
                new = made.get((name.removesuffix("_id"), new), new)
            number = 0 if created else item.record_id
            lines.append(_line({"noun": item.noun, "id": number, "field": name, "old": old, "new": new, "created": created}))
    return sorted(lines)


def _left_over(events: Sequence[Event]) -> list[str]:
    """What a change and its undo together did change; of a new record nothing, where it is archived."""
    first: dict[tuple[str, int, str], Any] = {}
    last: dict[tuple[str, int, str], Any] = {}
    parts: dict[tuple[str, int, str], Counter[str]] = defaultdict(Counter)
    made = {(item.noun, item.record_id) for item in events if item.kind == "created"}
    for item in events:
        for name, (old, new) in item.changes.items():
            at = (item.noun, item.record_id, name)
            if name in _PARTS:
                parts[at].update([_part(name, new)] if new else [])
                parts[at].subtract([_part(name, old)] if old else [])
            elif at[:2] not in made or name == "archived_at":
                first.setdefault(at, old)
                last[at] = new
    left = [f"{noun} {number}" for noun, number in made if not last.get((noun, number, "archived_at"))]
    left += [f"{at[2]} of {at[0]} {at[1]}" for at, old in first.items() if at[:2] not in made and last[at] != old]
    return left + [f"{name} of {noun} {number}" for (noun, number, name), counts in parts.items() if any(counts.values())]


def states_of(engine: Engine) -> dict[int, str]:
    """The state of each change set by its number, once nothing is under way."""
    settle(engine)
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        return dict(ctx.session.execute(select(ChangeSet.id, ChangeSet.status).order_by(ChangeSet.id)).all())
