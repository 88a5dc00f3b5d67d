"""Deaths: children killed at chosen points and at random moments, and the database looked at after each."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from crm_core.changes import approve
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.errors import Conflict
from evals.crash.children import APPROVALS, SPREAD, STATES, UNITS, WEIGHTS, Aim, Death, strike
from evals.crash.company import SEED, Cast, Fresh
from evals.crash.laws import states_of, violations

#: Deaths that one database goes through before a new one is taken.
DEATHS_EACH = 10
#: Shares of the deaths at chosen points and while a commit runs; the rest come at random moments.
CHOSEN, COMMITTING = 0.6, 0.2
#: Seconds within which a commit is over.
COMMIT_SECONDS = 0.002


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
        before = max(states_of(engine), default=0)
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


def _judge(engine: Engine, aim: Aim, death: Death, before: int, toll: Toll) -> list[str]:
    """What is wrong after a death, and after the client has sent its last approval again."""
    states = STATES[aim.script]

    def now() -> tuple[str, ...]:
        return tuple(status for number, status in states_of(engine).items() if number > before)

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
