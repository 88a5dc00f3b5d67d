"""What a child does, and how it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Literal

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from crm_core.access import system_actor
from crm_core.changes import Step, approve, propose, propose_steps, propose_together
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.events import RecordingSession
from crm_core.models import (
    Deal,
)
from evals.crash.company import DEALS, FIRST_CLOSE, Cast

#: A child that says nothing for so long hangs; its database may make it wait for 15 seconds.
PATIENCE = 90.0
#: What the server process imports before it forks, so that a child is at work at once.
IMPORTED = [
    "evals.crash.writers",
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
    deal, day = cast.deals[run % DEALS], (FIRST_CLOSE + timedelta(days=100 + run)).isoformat()
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
