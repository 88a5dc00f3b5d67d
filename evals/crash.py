"""``python -m evals.crash``: processes are killed in the middle of changes, and many write at once; nothing may be lost, halved or done twice.

A child process works through propose, approve and undo of a change, each in a transaction of its own, and tells through a pipe
what it began and what returned. It dies by SIGKILL: by its own hand before or after the n-th statement or commit of a transaction
(chosen points, so that a sweep reaches every statement), or by its parent's, at a random moment or while it commits. Then the
parent opens the database and asks three things. Is the state one of the two that the death allows, what had returned or what
had begun as well, and exactly the one that a chosen point allows? Do the laws of the log hold (``violations``)? And if the
client, who got no answer, sends the same approval again, is it applied once in all?

Afterwards writers change the same few deals at once, with and without the version that they read, with approvals that have gone
stale and approvals sent twice. What was applied must be told by the log exactly once, and every change asked for must have
been applied or refused with a reason.

The children come from a server process that never opened a database, so that no lock and no connection is inherited.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, make_url, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm_core.access import system_actor
from crm_core.changes import Step, approve, propose, propose_steps, propose_together
from crm_core.context import Context, unit_of_work
from crm_core.database import open_engine
from crm_core.errors import Conflict, Invalid
from crm_core.events import RecordingSession, json_value
from crm_core.models import (
    NOUNS,
    ChangeSet,
    Chunk,
    CloseDateChange,
    Company,
    Contact,
    Deal,
    DealContact,
    Event,
    LineItem,
    Noun,
    Pipeline,
    Product,
    SearchEntry,
    Stage,
    StageEntry,
    User,
)
from crm_core.services.change_sets import taken_back_by
from crm_core.services.search import SEARCHED, chunk_rows, keys_of
from crm_core.services.setup import Conventions, set_up

#: Gives the address of a fresh company, which is removed afterwards.
Fresh = Callable[[], AbstractContextManager[str]]
Key = tuple[str, int]

SEED = 20_261_120
DEALS = 60
#: Deals that the writers share.
CONTENDED = 50
WRITERS = 8
OWNERS = 5
#: Deaths that one database goes through before a new one is taken.
DEATHS_EACH = 10
#: A child that says nothing for so long hangs; its database may make it wait for 15 seconds.
PATIENCE = 90.0
#: Shares of the deaths at chosen points and while a commit runs; the rest come at random moments.
CHOSEN, COMMITTING = 0.6, 0.2
#: Seconds within which a commit is over.
COMMIT_SECONDS = 0.002
#: Fields that a sentence names one by one.
NAMED = 5
_DAY = date(2027, 1, 1)
_QUIET = frozenset({"id", "version", "updated_at", "custom"})
_PARTS = ("contact_roles", "line_items")

#: What the server process imports before it forks, so that a child is at work at once.
IMPORTED = [
    "__main__",
    "crm_core.changes",
    "crm_core.services.search",
    "crm_core.services.setup",
    "psycopg",
    "rich.console",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlite3",
]

children = multiprocessing.get_context("forkserver")


# --- The company ----------------------------------------------------------------------------------------


def seed(engine: Engine) -> None:
    """Set up a company with a seller's sixty deals, colleagues, and writers who may change everything."""
    set_up(engine, Conventions(name="Crash Test Dummies"))
    with unit_of_work(engine, system_actor(), write=True, door="seed") as ctx:
        before = ctx.now - timedelta(days=30)
        times = {"created_at": before, "updated_at": before, "custom": {}}

        def add(*records: Any) -> Any:
            ctx.session.add_all(records)
            ctx.session.flush()
            return records[0]

        sellers = [User(name=f"Seller {number}", email=f"seller{number}@crash.test", role="rep", **times) for number in range(OWNERS)]
        writers = [User(name=f"Writer {number}", email=f"writer{number}@crash.test", role="admin", **times) for number in range(WRITERS)]
        owner = add(*sellers, *writers)
        pipeline = add(Pipeline(name="Sales", position=0))
        stages = [("Talk", 20, "open"), ("Offer", 60, "open"), ("Won", 100, "won"), ("Lost", 0, "lost")]
        first = add(
            *(
                Stage(pipeline_id=pipeline.id, name=name, position=place, probability=share, kind=kind)
                for place, (name, share, kind) in enumerate(stages)
            )
        )
        company = add(Company(name="Buffer Works", domain="buffer.example", owner_id=owner.id, **times))
        add(Contact(name="Bea Belt", email="bea@buffer.example", phone="+14155550100", company_id=company.id, owner_id=owner.id, **times))
        add(Product(name="Airbag", code="AB-1", **times))
        deal = {"company_id": company.id, "pipeline_id": pipeline.id, "stage_id": first.id, "status": "open", "currency": "USD"}
        for number in range(DEALS):
            day = _DAY + timedelta(days=number)
            add(Deal(name=f"Deal {number}", amount_minor=100_000 + number, expected_close_on=day, owner_id=owner.id, **deal, **times))


@dataclass(frozen=True)
class Cast:
    """Numbers of the records that changes are about."""

    sellers: list[int]
    writers: list[int]
    deals: list[int]
    contact: int
    product: int

    @classmethod
    def of(cls, engine: Engine) -> Cast:
        """Those of a company."""
        with unit_of_work(engine, system_actor(), write=False) as ctx:

            def numbers(model: type[Noun], *conditions: Any) -> list[int]:
                return list(ctx.session.scalars(select(model.id).where(*conditions).order_by(model.id)))

            deals = numbers(Deal)[:DEALS]
            return cls(numbers(User, User.role == "rep"), numbers(User, User.role == "admin"), deals, numbers(Contact)[0], numbers(Product)[0])


# --- What a child does, and how it dies -------------------------------------------------------------------

#: The transactions of a child, one after another.
UNITS = ("propose", "approve", "propose undo", "approve undo")
APPROVALS = (1, 3)
_USUAL = ((), ("proposed",), ("applied",), ("applied", "proposed"), ("undone", "applied"))
#: By script: the states of the change sets that it made, after none, one, two, three and four transactions.
STATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "one step": _USUAL,
    "several steps": _USUAL,
    "partly at once": ((), ("applied", "proposed"), ("applied", "applied"), ("applied", "applied", "proposed"), ("undone", "undone", "applied")),
    "sixty deals": _USUAL,
}
#: How many times as many chosen points a script gets as the one with one step.
WEIGHTS = {"one step": 1, "several steps": 3, "partly at once": 2, "sixty deals": 2}
#: Scripts in whose points a sweep of every point is spread, since they send the same statements over and over.
SPREAD = ("sixty deals",)


def steps_for(script: str, run: int, cast: Cast, stage: str) -> list[Step]:
    """What a script's change does; each run changes all its fields to values that none had before."""
    deal, day = cast.deals[run % DEALS], (_DAY + timedelta(days=100 + run)).isoformat()
    amount = Step(capability="update_deal", arguments={"id": deal, "amount": f"{5000 + run}.00"})
    call = Step(capability="log_activity", arguments={"kind": "call", "subject": f"Call {run}", "body": "They brake.", "deal_id": deal})
    if script == "one step":
        return [amount]
    if script == "partly at once":
        return [call, amount]
    if script == "sixty deals":
        return [Step(capability="update_deal", arguments={"next_step": f"Brake {run}", "expected_close_on": day}, ids=cast.deals)]
    return [
        Step(capability="update_deal", arguments={"id": deal, "name": f"Crash {run}", "amount": f"{5000 + run}.00", "expected_close_on": day}),
        Step(capability="move_deal", arguments={"id": deal, "stage": stage}),
        Step(capability="create_company", arguments={"name": f"Wreck {run}", "domain": f"wreck{run}.example"}),
        Step(capability="update_contact", arguments={"id": cast.contact, "title": f"Driver {run}", "email": f"bea{run}@buffer.example"}),
        Step(capability="set_deal_contact", arguments={"id": deal, "contact_id": cast.contact, "role": f"driver {run}"}),
        Step(capability="add_line_item", arguments={"id": deal, "product_id": cast.product, "quantity": 1 + run, "unit_price": "3.00"}),
        call,
    ]


@dataclass(frozen=True)
class Aim:
    """When a child dies: at a chosen point of a transaction; or, by its parent's hand, some seconds after it began to work, or to commit."""

    script: str
    how: Literal["chosen", "committing", "random", "never"]
    unit: int = -1
    point: int = -1
    seconds: float = 0.0


class Tripwire:
    """Counts the points of each transaction, and at the one that is aimed at kills the process that it is in."""

    def __init__(self, aim: Aim, tell: Connection) -> None:
        self.aim, self.tell = aim, tell
        self.unit, self.count = -1, 0
        self.points: list[tuple[int, str]] = []

    def span(self, engine: Engine) -> None:
        """Watch what the engine sends to the database."""
        for name, place in (
            ("before_cursor_execute", "before a statement"),
            ("after_cursor_execute", "after a statement"),
            ("commit", "before a commit"),
        ):
            event.listen(engine, name, partial(self._reached, place))
        event.listen(RecordingSession, "after_commit", self._committed)

    def enter(self, unit: int) -> None:
        """A transaction begins."""
        self.unit, self.count = unit, 0
        self.tell.send(("began", unit))

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():  # the release of a savepoint is a statement, and no commit
            self._reached("after a commit")

    def _reached(self, place: str, *_args: Any) -> None:
        if self.unit < 0:
            return
        here, self.count = (self.unit, self.count), self.count + 1
        self.points.append((self.unit, place))
        if self.aim.how == "committing" and place == "before a commit" and self.unit == self.aim.unit:
            self.tell.send(("commits", self.unit))
        elif self.aim.how == "chosen" and here == (self.aim.unit, self.aim.point):
            self.tell.send(("dies", place))
            os.kill(os.getpid(), signal.SIGKILL)


def work(url: str, aim: Aim, run: int, tell: Connection) -> None:
    """A child's life: propose, approve, and both for the undo; ``tell`` hears what began, what returned, and what failed."""
    engine = open_engine(url)
    cast = Cast.of(engine)
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        stage = ctx.session.get_one(Deal, cast.deals[run % DEALS]).stage.name
    wire = Tripwire(aim, tell)
    wire.span(engine)
    steps = steps_for(aim.script, run, cast, "Offer" if stage == "Talk" else "Talk")
    made: list[int] = []
    shown = ""
    try:
        for unit in range(len(UNITS)):
            wire.enter(unit)
            with unit_of_work(engine, cast.sellers[0], write=True, door="crash") as ctx:
                if unit in APPROVALS:
                    approve(ctx, made[-1], shown)
                else:
                    if unit == 0:
                        kept = propose_together(ctx, steps) if aim.script == "partly at once" else [propose_steps(ctx, steps)]
                    else:
                        kept = [propose(ctx, "undo_change", {"change_set_ids": list(made)})]
                    made += [item.id for item in kept]
                    shown = kept[-1].diff_hash
            tell.send(("ended", unit, made[-1], shown))
        wire.unit = -1
        tell.send(("points", wire.points))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault, and the parent tells it
        tell.send(("failed", f"{type(error).__name__}: {error}"))
    engine.dispose()


@dataclass
class Death:
    """What the parent knows of a child that died or finished."""

    killed: bool = False
    began: int = 0
    ended: int = 0
    #: Where it died, as far as that is known.
    place: str = "unknown"
    failed: str = ""
    number: int = 0
    shown: str = ""
    points: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def phase(self) -> str:
        """The transaction in which it died."""
        return "between" if self.began == self.ended else UNITS[self.began - 1]

    @property
    def allowed(self) -> set[int]:
        """How many transactions may have taken place: a transaction that was under way may be either."""
        if self.place == "after a commit":
            return {self.began}
        return {self.ended} if self.place != "unknown" else {self.ended, self.began}

    def hear(self, told: tuple[Any, ...]) -> None:
        """Take in what the child told."""
        match told:
            case ("began", int(unit)):
                self.began = unit + 1
            case ("ended", int(unit), int(number), str(shown)):
                self.ended, self.number, self.shown = unit + 1, number, shown
            case ("dies", str(place)):
                self.place = place
            case ("failed", str(failed)):
                self.failed = failed
            case ("points", list(points)):
                self.points = points


def strike(url: str, aim: Aim, run: int) -> Death:
    """Start a child, let it die as aimed, and say what was heard of it."""
    children.set_forkserver_preload(IMPORTED)
    ours, theirs = children.Pipe(duplex=False)
    child = children.Process(target=work, args=(url, aim, run, theirs))
    child.start()
    theirs.close()
    death, started, due, struck = Death(), time.monotonic(), time.monotonic() + PATIENCE, False
    while True:
        if not ours.poll(max(due - time.monotonic(), 0)):
            child.kill()
            if struck or aim.how not in ("random", "committing"):
                death.failed = f"it said nothing for {PATIENCE:.0f} seconds"
            due, struck = time.monotonic() + PATIENCE, True
            continue
        try:
            told = ours.recv()
        except EOFError:
            break
        death.hear(told)
        if told[0] == "began" and death.began == 1:
            started = time.monotonic()
        if (aim.how == "random" and told == ("began", 0)) or told[0] == "commits":
            due = time.monotonic() + aim.seconds
        elif aim.how in ("chosen", "never"):
            due = time.monotonic() + PATIENCE
    child.join()
    ours.close()
    death.seconds = time.monotonic() - started
    death.killed = child.exitcode == -signal.SIGKILL
    if child.exitcode not in (0, -signal.SIGKILL):
        death.failed = death.failed or f"it ended with {child.exitcode}"
    return death


# --- The laws of the log ----------------------------------------------------------------------------------


def violations(engine: Engine) -> list[str]:
    """What is wrong in a database, a sentence each: the log against the records, the derived rows, and the change sets against the log."""
    _settle(engine)
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


def _settle(engine: Engine) -> None:
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


# --- Deaths -----------------------------------------------------------------------------------------------


@dataclass
class Toll:
    """Deaths by script, transaction and place, and what they broke."""

    deaths: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    #: Chosen points that there are, and those at which a child died.
    points: int = 0
    reached: int = 0
    #: Approvals that were sent again, by what became of them.
    repeated: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        """How many died."""
        return self.deaths.total()


def points_of(fresh: Fresh, toll: Toll) -> tuple[dict[str, list[tuple[int, int, str]]], dict[str, float]]:
    """By script: its points as (transaction, number, place), in their order, and the seconds that it takes; each runs through once unharmed."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    seconds = {}
    with fresh() as url:
        for run, script in enumerate(STATES):
            death = strike(url, Aim(script, "never"), run)
            if death.failed or death.ended != len(UNITS):
                raise RuntimeError(f"'{script}' does not run: {death.failed or death}")
            counts: Counter[int] = Counter()
            found[script] = []
            for unit, place in death.points:
                found[script].append((unit, counts[unit], place))
                counts[unit] += 1
            seconds[script] = death.seconds
        engine = open_engine(url)
        toll.faults += [f"unharmed: {fault}" for fault in violations(engine)]
        engine.dispose()
    return found, seconds


def aims_for(points: dict[str, list[tuple[int, int, str]]], seconds: dict[str, float], kills: int, chance: random.Random) -> list[Aim]:
    """Points beside commits, others spread evenly over each script, all where there are fewer; and moments while a commit runs and at random."""
    commits = [(script, unit, number) for script, found in points.items() for unit, number, place in found if place.endswith("commit")]
    wanted = round(kills * CHOSEN)
    aims = [Aim(script, "chosen", unit, number) for script, unit, number in chance.sample(commits, min(len(commits), wanted // 3))]
    wanted -= len(aims)
    for script, found in points.items():
        share = min(len(found), max(1, round(wanted * WEIGHTS[script] / sum(WEIGHTS.values()))))
        start = chance.random()
        for place in range(share):
            unit, number, _ = found[int((place + start) * len(found) / share)]
            aims.append(Aim(script, "chosen", unit, number))
    for place in range(round(kills * COMMITTING)):
        script = chance.choice(list(points))
        aims.append(Aim(script, "committing", place % len(UNITS), seconds=chance.uniform(0, COMMIT_SECONDS)))
    while len(aims) < kills:
        script = chance.choice(list(points))
        aims.append(Aim(script, "random", seconds=chance.uniform(0, seconds[script])))
    chance.shuffle(aims)
    return aims


def kill_many(fresh: Fresh, kills: int, *, every: bool = False, say: Callable[[str], None] = lambda _line: None) -> Toll:
    """Kill children until so many have died, where wanted at ``every`` point of the smaller scripts, and look at the database after each."""
    toll, chance, began = Toll(), random.Random(SEED), time.monotonic()
    points, seconds = points_of(fresh, toll)
    toll.points = sum(map(len, points.values()))
    aims = aims_for(points, seconds, kills, chance)
    if every:
        aims = [aim for aim in aims if aim.how != "chosen" or aim.script in SPREAD]
        aims += [Aim(script, "chosen", *point[:2]) for script, found in points.items() if script not in SPREAD for point in found]
    run = len(STATES)
    while aims:
        with fresh() as url:
            for aim in aims[:DEATHS_EACH]:
                run += 1
                _kill_one(url, aim, run, toll)
        aims = aims[DEATHS_EACH:]
        if not aims and toll.killed < kills:  # some finished before their moment came
            script = chance.choice(list(points))
            aims = [Aim(script, "random", seconds=chance.uniform(0, seconds[script] / 2)) for _ in range(kills - toll.killed)]
        say(f"{toll.killed} killed, {len(aims)} to come, {len(toll.faults)} violations")
    toll.seconds = time.monotonic() - began
    return toll


def _kill_one(url: str, aim: Aim, run: int, toll: Toll) -> None:
    bystander = open_engine(url) if run % 2 else None  # another process that stays connected, so that SQLite recovers in the other way
    try:
        if bystander is not None:
            _stand_by(bystander)
        engine = open_engine(url)
        before = max(_states(engine), default=0)
        engine.dispose()
        death = strike(url, aim, run)
        if death.killed:
            place = aim.how if death.place == "unknown" else death.place
            toll.deaths[aim.script, death.phase, place] += 1
            toll.reached += aim.how == "chosen"
        engine = open_engine(url)
        faults = [f"{aim.script} failed: {death.failed}"] if death.failed else []
        faults += _judge(engine, aim, death, before, toll)
        engine.dispose()
        toll.broken[aim.script, death.phase] += len(faults)
        toll.faults += [f"{aim}, run {run}, died in '{death.phase}' {death.place}: {fault}" for fault in faults]
    finally:
        if bystander is not None:
            bystander.dispose()


def _stand_by(engine: Engine) -> None:
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        connection.execute(text("set application_name = 'bystander'"))
        connection.commit()
    connection.execute(text("select 1"))
    connection.rollback()
    connection.close()  # back to the pool: still connected, and in no transaction


def _states(engine: Engine) -> dict[int, str]:
    _settle(engine)
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        return dict(ctx.session.execute(select(ChangeSet.id, ChangeSet.status).order_by(ChangeSet.id)).all())


def _judge(engine: Engine, aim: Aim, death: Death, before: int, toll: Toll) -> list[str]:
    """What is wrong after a death, and after the client has sent its last approval again."""
    states = STATES[aim.script]

    def now() -> tuple[str, ...]:
        return tuple(status for number, status in _states(engine).items() if number > before)

    faults = violations(engine)
    found = now()
    if found not in {states[count] for count in death.allowed}:
        faults.append(f"{death.ended} transactions had returned and {death.began} had begun, but the changes are {found}")
    unit = max((unit for unit in APPROVALS if unit < death.began), default=None)
    if unit is None or unit < death.ended - 1:
        return faults
    if unit == death.ended - 1 and death.began > death.ended:
        return faults  # the next proposal had begun
    number, shown = death.number, death.shown
    stands = found == states[unit + 1]
    try:
        with unit_of_work(engine, Cast.of(engine).sellers[0], write=True, door="crash") as ctx:
            approve(ctx, number, shown)
        applied = True
    except Conflict:
        applied = False
    if applied == stands:
        faults.append(f"the approval of change {number} {'was applied again' if stands else 'was lost, and refused when sent again'}")
    toll.repeated["refused, since it stood" if stands else "applied"] += 1
    if now() != states[unit + 1]:
        faults.append(f"after the approval was sent again, the changes are {now()}")
    return faults + [f"after the approval was sent again: {fault}" for fault in violations(engine) if fault not in faults]


# --- Writers ----------------------------------------------------------------------------------------------

#: Shares of the changes that are approved when they are stale, and twice.
STALE, TWICE = 0.1, 0.05
#: Deals that half of the changes are about, so that writers do meet.
CROWDED = 4


@dataclass
class Contention:
    """What became of the changes that writers asked for at once."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    applied: list[int] = field(default_factory=list)
    #: Approvals that were sent again after they had returned, and refused.
    refused_again: int = 0
    faults: list[str] = field(default_factory=list)
    #: The slowest change of each writer and the whole, in seconds.
    slowest: float = 0.0
    seconds: float = 0.0

    def count(self, *outcomes: str) -> int:
        """How many changes came to one of these ends."""
        return sum(number for (outcome, _kind), number in self.outcomes.items() if outcome in outcomes)

    @property
    def asked(self) -> int:
        """All."""
        return self.outcomes.total()


class Writer:
    """One of those who write at once: reads a deal, proposes a change of it, approves it."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine, self.number = engine, number
        self.cast = Cast.of(engine)
        self.chance = random.Random(SEED + number)
        self.result = Contention()
        self.count = 0

    def run(self, changes: int) -> None:
        """Ask for so many changes."""
        while self.count < changes:
            began = time.monotonic()
            deal = self.chance.choice(self.cast.deals[: self.chance.choice((CROWDED, CONTENDED))])
            stale = self.chance.random() < STALE and self.count + 2 <= changes
            self.change(deal, self.chance.choice(("amount", "next_step", "expected_close_on", "owner_id")), stale=stale)
            self.result.slowest = max(self.result.slowest, time.monotonic() - began)

    def change(self, deal: int, name: str, *, stale: bool = False) -> str:
        """One change, proposed and approved; if ``stale`` another one of the same field comes between. Returns what became of it."""
        self.count += 1
        explicit = self.count % 2 == 0
        kind = "stale approval" if stale else "explicit version" if explicit else "newest version"
        outcome = self._change(deal, name, explicit=explicit, stale=stale)
        self.result.outcomes[outcome, kind] += 1
        return outcome

    def _change(self, deal: int, name: str, *, explicit: bool, stale: bool) -> str:
        try:
            number, shown = self._propose(deal, name, explicit=explicit)
        except Conflict:
            return "conflict when proposed"
        except Invalid as error:
            return "nothing to change" if "change nothing" in error.message else f"failed when proposed: {error.message}"
        except OperationalError as error:
            return f"failed when proposed: {error.orig}"
        between = self.change(deal, name) if stale else ""
        try:
            self._approve(number, shown)
        except Conflict:
            return "conflict when approved"
        except OperationalError as error:
            return f"failed when approved: {error.orig}"
        self.result.applied.append(number)
        if between == "applied" and (explicit or name != "owner_id"):  # an owner may be given back by others; all other values are new
            self.result.faults.append(f"change {number} of {name} of deal {deal} was applied over a later one")
        if self.chance.random() < TWICE:
            self._approve_again(number, shown)
        return "applied"

    def _approve_again(self, number: int, shown: str) -> None:
        try:
            self._approve(number, shown)
            self.result.faults.append(f"change {number} was approved twice")
        except Conflict:
            self.result.refused_again += 1
        except OperationalError as error:
            self.result.faults.append(f"failed when approved again: {error.orig}")

    def _propose(self, deal: int, name: str, *, explicit: bool) -> tuple[int, str]:
        with unit_of_work(self.engine, self.cast.writers[self.number], write=False) as ctx:
            record = ctx.session.get_one(Deal, deal)
            version, owner = record.version, record.owner_id
        arguments: dict[str, Any] = {"id": deal} | ({"version": version} if explicit else {})
        mark = self.number * 100_000 + self.count  # no two changes give the same value
        if name == "owner_id":
            arguments |= {"noun": "deal", name: self.chance.choice([number for number in self.cast.sellers if number != owner])}
        else:
            values = {"amount": f"{mark}.00", "next_step": f"Step {mark}", "expected_close_on": (_DAY + timedelta(days=mark)).isoformat()}
            arguments[name] = values[name]
        with unit_of_work(self.engine, self.cast.writers[self.number], write=True, door="crash") as ctx:
            proposal = propose(ctx, "reassign" if name == "owner_id" else "update_deal", arguments)
            return proposal.id, proposal.diff_hash

    def _approve(self, number: int, shown: str) -> None:
        with unit_of_work(self.engine, self.cast.writers[self.number], write=True, door="crash") as ctx:
            approve(ctx, number, shown)


def write(url: str, number: int, changes: int, tell: Connection) -> None:
    """A writer's life, as a process of its own."""
    engine = open_engine(url)
    writer = Writer(engine, number)
    try:
        writer.run(changes)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault, and the parent tells it
        writer.result.faults.append(f"writer {number} failed at its change {writer.count}: {type(error).__name__}: {error}")
    engine.dispose()
    tell.send(writer.result)


def contend(fresh: Fresh, changes: int, writers: int) -> Contention:
    """Let so many writers ask for so many changes between them, and look at what the database tells of it."""
    children.set_forkserver_preload(IMPORTED)
    whole, began = Contention(), time.monotonic()
    with fresh() as url:
        ends: dict[Connection, Any] = {}
        for number in range(writers):
            ours, theirs = children.Pipe(duplex=False)
            share = changes // writers + (number < changes % writers)
            child = children.Process(target=write, args=(url, number, share, theirs))
            child.start()
            theirs.close()
            ends[ours] = child
        while ends:
            for end in wait(list(ends)):
                assert isinstance(end, Connection)
                child = ends.pop(end)
                try:
                    part = end.recv()
                    whole.outcomes.update(part.outcomes)
                    whole.applied += part.applied
                    whole.refused_again += part.refused_again
                    whole.faults += part.faults
                    whole.slowest = max(whole.slowest, part.slowest)
                except EOFError:
                    whole.faults.append("a writer died")
                child.join()
        whole.seconds = time.monotonic() - began
        engine = open_engine(url)
        whole.faults += violations(engine) + _against_outcomes(engine, whole, changes)
        engine.dispose()
    return whole


def _against_outcomes(engine: Engine, whole: Contention, changes: int) -> list[str]:
    """What the database tells against what the writers were told."""
    faults = [f"{outcome} ({number} times)" for (outcome, _kind), number in whole.outcomes.items() if outcome.startswith("failed")]
    refused = whole.count("conflict when proposed", "conflict when approved", "nothing to change")
    if len(whole.applied) + refused != changes or whole.count("applied") != len(whole.applied):
        faults.append(f"{changes} changes were asked for, {len(whole.applied)} applied and {refused} refused")
    states = _states(engine)
    applied = {number for number, status in states.items() if status == "applied"}
    if applied != set(whole.applied) or len(applied) != len(whole.applied):
        faults.append(f"{len(whole.applied)} approvals returned, {len(applied)} changes are applied")
    waiting = sum(status == "proposed" for status in states.values())
    unapproved = sum(number for (outcome, _kind), number in whole.outcomes.items() if "when approved" in outcome)
    if waiting != unapproved:
        faults.append(f"{waiting} proposals wait, {unapproved} were refused when approved")
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        told = Counter(ctx.session.scalars(select(Event.record_id).where(Event.noun == "deal", Event.kind != "created")))
        for number, version in ctx.session.execute(select(Deal.id, Deal.version)):
            if version != told[number] + 1:
                faults.append(f"deal {number}: version {version} after {told[number]} changes")
        events = Counter(ctx.session.scalars(select(Event.change_set_id).where(Event.change_set_id.is_not(None))))
        faults += [f"change {number}: applied, with {events[number]} events" for number in applied if events[number] != 1]
    return faults


# --- Databases and the command ------------------------------------------------------------------------------


@contextmanager
def sqlite_files() -> Iterator[Fresh]:
    """Fresh companies in SQLite files, copied from one."""
    with tempfile.TemporaryDirectory(prefix="rapport-crash-") as folder:
        template = Path(folder) / "template.db"
        engine = open_engine(f"sqlite:///{template}")
        seed(engine)
        engine.dispose()

        @contextmanager
        def fresh() -> Iterator[str]:
            path = Path(folder) / "company.db"
            shutil.copyfile(template, path)
            yield f"sqlite:///{path}"
            for left in Path(folder).glob("company.db*"):
                left.unlink()

        yield fresh


@contextmanager
def postgres_databases(server: str) -> Iterator[Fresh]:
    """Fresh companies in databases of a PostgreSQL server, copied from one."""
    address = make_url(server).set(drivername="postgresql")
    name = f"rapport_crash_{os.getpid()}"
    with psycopg.connect(address.set(database=address.database or "postgres").render_as_string(hide_password=False), autocommit=True) as admin:

        def drop(database: str) -> None:
            admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

        def url(database: str) -> str:
            return address.set(database=database).render_as_string(hide_password=False)

        @contextmanager
        def fresh() -> Iterator[str]:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name}_template"')
            try:
                yield url(name)
            finally:
                drop(name)

        try:
            admin.execute(f'CREATE DATABASE "{name}_template"')
            engine = open_engine(url(f"{name}_template"))
            seed(engine)
            engine.dispose()
            yield fresh
        finally:
            drop(f"{name}_template")


def show_toll(console: Console, kind: str, toll: Toll) -> None:
    """The deaths as a table."""
    places = ("before a statement", "after a statement", "before a commit", "after a commit", "committing", "random")
    table = Table(title=f"{kind}: {toll.killed} killed in {toll.seconds:.0f} s, at {toll.reached} chosen points of {toll.points}")
    for title in ("change", "killed in", *places, "kills", "violations"):
        table.add_column(title, justify="left" if title in ("change", "killed in") else "right")
    for script in STATES:
        for phase in (*UNITS, "between"):
            counts = [toll.deaths[script, phase, place] for place in places]
            if any(counts) or toll.broken[script, phase]:
                table.add_row(script, phase, *map(str, counts), str(sum(counts)), str(toll.broken[script, phase]))
    sums = [sum(count for key, count in toll.deaths.items() if key[2] == place) for place in places]
    table.add_row("all", "", *map(str, sums), str(toll.killed), str(len(toll.faults)))
    console.print(table)
    console.print(f"Approvals sent again: {', '.join(f'{number} {what}' for what, number in toll.repeated.items()) or 'none'}.")


def show_contention(console: Console, kind: str, whole: Contention, writers: int) -> None:
    """The writers' outcomes as a table."""
    table = Table(title=f"{kind}: {whole.asked:,} changes by {writers} writers on {CONTENDED} deals in {whole.seconds:.0f} s")
    kinds = ("newest version", "explicit version", "stale approval")
    for title in ("outcome", *kinds, "all"):
        table.add_column(title, justify="left" if title == "outcome" else "right")
    for outcome in sorted({outcome for outcome, _kind in whole.outcomes}):
        table.add_row(outcome, *(f"{whole.outcomes[outcome, name]:,}" for name in kinds), f"{whole.count(outcome):,}")
    console.print(table)
    console.print(f"{whole.refused_again} approvals were sent twice, and refused. The slowest change took {whole.slowest:.1f} s.")
    console.print(f"{len(whole.faults)} violations.")


def main(argv: Sequence[str] | None = None) -> int:
    """Kill and contend on each database (with neither named: both, at every point), print the tables; 1 where anything was violated."""
    parser = argparse.ArgumentParser(description="Kills processes in the middle of changes, and lets many write at once.")
    parser.add_argument("--kills", type=int, help="processes to kill on each database")
    parser.add_argument("--every", action="store_true", help="kill at every point of every transaction, but spread over those on sixty deals")
    parser.add_argument("--changes", type=int, help="changes that writers ask for at once")
    parser.add_argument("--writers", type=int, default=WRITERS, choices=range(1, WRITERS + 1), help="how many write at once")
    parser.add_argument("--postgres", metavar="SERVER", help="run on this server too, such as postgresql://postgres@127.0.0.1:5432")
    options = parser.parse_args(argv)
    kills, changes, every = options.kills, options.changes, options.every
    if kills is None and changes is None:
        kills, changes, every = 200, 10_000, True
    console, faults = Console(width=150), []
    stores: list[tuple[str, AbstractContextManager[Fresh]]] = [("SQLite", sqlite_files())]
    if options.postgres:
        stores.append(("PostgreSQL", postgres_databases(options.postgres)))
    for kind, store in stores:
        with store as fresh:
            if kills:
                toll = kill_many(fresh, kills, every=every, say=lambda line: print(line, file=sys.stderr, flush=True))
                show_toll(console, kind, toll)
                faults += toll.faults
            if changes:
                whole = contend(fresh, changes, options.writers)
                show_contention(console, kind, whole, options.writers)
                faults += whole.faults
    for fault in faults[:50]:
        console.print(fault, style="red", markup=False)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
