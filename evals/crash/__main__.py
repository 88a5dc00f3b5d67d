"""Databases to crash in, and the command."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from crm_core.database import open_engine
from evals.crash.children import STATES, UNITS
from evals.crash.company import CONTENDED, WRITERS, Fresh, seed
from evals.crash.deaths import Toll, kill_many
from evals.crash.writers import Contention, contend


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
