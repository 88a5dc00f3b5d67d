"""``python -m evals.case``: turn an answer that somebody rated down into a case.

Without arguments it lists the rated answers of the product's database (the RAPPORT_ settings say which). With a
thread and a number it appends the question, who asked, and how it was read to ``evals/cases/feedback.yaml``; with
``--kind`` and ``--sql`` also the truth, which makes it a family like any other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.database import open_engine
from crm_core.models import Turn, User
from crm_core.settings import load_settings
from evals.companies import CASES

FEEDBACK = CASES / "feedback.yaml"


def rated_down(ctx: Context) -> list[Turn]:
    """The turns with a thumb down, oldest first."""
    return list(ctx.session.scalars(select(Turn).where(Turn.rating == -1).order_by(Turn.id)))


def case_of(ctx: Context, turn: Turn, *, kind: str = "", sql: str = "") -> dict[str, Any]:
    """The turn as a case: what was said by whom, how it was read and answered, and the truth where it is given."""
    user = ctx.session.get(User, turn.user_id)
    case: dict[str, Any] = {"family": f"feedback_{turn.thread_id}_{turn.number}", "as": user.role if user else "head", "say": turn.message}
    case |= {"read_as": turn.frame, "answered": str(turn.answer.get("text", ""))[:400], "asked_on": turn.at.date().isoformat()}
    return case | ({"kind": kind, "sql": sql, "expect": "answered"} if sql else {"kind": "outcome", "expect": "answered"})


def append(case: dict[str, Any], path: Path = FEEDBACK) -> None:
    """Add the case to the file; one that stands there already is replaced."""
    known: list[dict[str, Any]] = (yaml.safe_load(path.read_text(encoding="utf-8")) or []) if path.exists() else []
    kept = [item for item in known if item["family"] != case["family"]]
    path.write_text(yaml.safe_dump([*kept, case], allow_unicode=True, sort_keys=False), encoding="utf-8")


def main() -> None:
    """List, or write one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("thread", nargs="?", help="the conversation")
    parser.add_argument("number", nargs="?", type=int, help="the answer's number in it")
    parser.add_argument("--kind", default="value", help="value, groups, records or text")
    parser.add_argument("--sql", default="", help="SQL that gives the right answer")
    options = parser.parse_args()
    engine = open_engine(load_settings().database)
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        turns = rated_down(ctx)
        if options.thread is None:
            for turn in turns:
                print(f"{turn.thread_id} {turn.number}: {turn.message[:120]}")
            print(f"{len(turns)} answers are rated down.")
            return
        chosen = next((turn for turn in turns if turn.thread_id == options.thread and turn.number == options.number), None)
        if chosen is None:
            raise SystemExit("No answer of that thread and number is rated down; run without arguments to see those that are.")
        append(case_of(ctx, chosen, kind=options.kind, sql=options.sql))
    print(f"Written to {FEEDBACK}.")


if __name__ == "__main__":
    main()
