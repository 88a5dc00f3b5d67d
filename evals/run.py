"""``python -m evals.run``: ask every wording, judge, report, and hold the floors."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from assistant.answer import Answer
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.errors import RapportError
from crm_core.models import Team, User
from evals.graders import Grade, grade
from evals.report import print_table, write_page
from evals.world import BUILD, NOW, open_world
from integrations.app import Rapport

CASES = Path(__file__).parent / "cases"
SETS = {"dev": "dev.yaml", "dev2": "dev2.yaml", "held_out": "held_out.yaml", "dev_hard": "dev_hard.yaml", "held_out_hard": "held_out_hard.yaml"}


@dataclass
class Result:
    """One wording and how it went."""

    family: str
    set: str
    wording: str
    verdict: str
    expected: str
    got: str
    milliseconds: int


def load_families() -> dict[str, dict[str, Any]]:
    """The truths by family name."""
    rows = yaml.safe_load((CASES / "families.yaml").read_text(encoding="utf-8"))
    return {row["family"]: row for row in rows}


def askers(product: Rapport) -> dict[str, int]:
    """User ids by the role names that the cases use."""
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:

        def first(role: str, team: str | None) -> int:
            query = select(User.id).where(User.role == role).order_by(User.id).limit(1)
            if team is not None:
                query = query.join(Team, User.team_id == Team.id).where(Team.name == team)
            found = ctx.session.scalar(query)
            assert found is not None
            return found

        return {
            "head": first("admin", None),
            "rep": first("rep", "North America"),
            "manager": first("manager", "EMEA"),
            "readonly": first("readonly", None),
        }


def truth_of(database: Path, family: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run the hand-written SQL on the database itself."""
    if not family.get("sql"):
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(family["sql"], family.get("params") or {}).fetchall()


def run_set(product: Rapport, name: str, families: dict[str, dict[str, Any]], only: str) -> list[Result]:
    """Ask every wording of a set, each in a conversation of its own."""
    path = CASES / SETS[name]
    if not path.exists():
        return []
    wordings: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    users = askers(product)
    database = Path(str(product.engine.url.database))
    results = []
    for family_name, texts in wordings.items():
        family = families[family_name]
        if only and only not in family_name:
            continue
        truth = truth_of(database, family)
        for text in texts:
            answer, judged = ask(product, text, users[family["as"]], family, truth)
            results.append(Result(family_name, name, text, judged.verdict, judged.expected, judged.got, answer.milliseconds))
    return results


def ask(product: Rapport, text: str, user_id: int, family: dict[str, Any], truth: list[tuple[Any, ...]]) -> tuple[Answer, Grade]:
    """Ask and judge one wording."""
    try:
        answer = product.agent.answer(text, user_id, now=NOW, door="eval")
    except RapportError as error:
        answer = Answer(text=error.message, outcome="declined")
    return answer, grade(family, truth, answer)


def summary(results: list[Result]) -> dict[str, float]:
    """Shares of each verdict, in percent."""
    counts = Counter(result.verdict for result in results)
    total = len(results) or 1
    return {verdict: 100 * counts[verdict] / total for verdict in ("exact", "wrong", "asked", "declined")} | {"wordings": len(results)}


def main() -> int:
    """Run, report, and return 1 where a floor is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=[*SETS, "all"], default="all")
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--misses", action="store_true", help="list the misses of the development set")
    parser.add_argument("--no-index", action="store_true", help="answer from full text alone")
    options = parser.parse_args()
    product = open_world(with_index=not options.no_index)
    try:
        families = load_families()
        results: dict[str, list[Result]] = {}
        for name in SETS if options.set == "all" else [options.set]:
            results[name] = run_set(product, name, families, options.only)
    finally:
        product.close()
    summaries = {name: summary(rows) for name, rows in results.items() if rows}
    print_table(results, summaries)
    if options.misses:
        for row in [*results.get("dev", []), *results.get("dev2", [])]:
            if row.verdict != "exact":
                print(f"\n[{row.verdict}] {row.family}: {row.wording}\n    want {row.expected[:160]}\n    got  {row.got[:200]}")
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "results.json").write_text(
        json.dumps({name: [asdict(row) for row in rows] for name, rows in results.items()}, indent=1), encoding="utf-8"
    )
    write_page(BUILD / "index.html", results, summaries)
    print(f"\nPage: {BUILD / 'index.html'}")
    return _floors(summaries) if not options.only else 0


def _floors(summaries: dict[str, dict[str, float]]) -> int:
    floors: dict[str, dict[str, float]] = yaml.safe_load((Path(__file__).parent / "floors.yaml").read_text(encoding="utf-8"))
    broken = []
    for name, wanted in floors.items():
        if name in summaries:
            if summaries[name]["exact"] < wanted["exact"]:
                broken.append(f"{name}: exact {summaries[name]['exact']:.1f} % is below the floor of {wanted['exact']} %")
            if summaries[name]["wrong"] > wanted["wrong"]:
                broken.append(f"{name}: wrong {summaries[name]['wrong']:.1f} % is above the limit of {wanted['wrong']} %")
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
