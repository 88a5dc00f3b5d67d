"""Writers who change the same few deals at once, and what became of every change."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from crm_core.access import system_actor
from crm_core.changes import approve, propose
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.errors import Conflict, Invalid
from crm_core.models import (
    Deal,
    Event,
)
from evals.crash.children import IMPORTED, children
from evals.crash.company import CONTENDED, FIRST_CLOSE, SEED, Cast, Fresh
from evals.crash.laws import states_of, violations

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
            values = {"amount": f"{mark}.00", "next_step": f"Step {mark}", "expected_close_on": (FIRST_CLOSE + timedelta(days=mark)).isoformat()}
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
    states = states_of(engine)
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
