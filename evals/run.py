"""``python -m evals.run``: ask every wording, judge, report, and hold the floors."""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from assistant.answer import Answer
from assistant.conversation import new_thread_id
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.errors import RapportError
from crm_core.models import Team, User
from evals.companies import COMPANIES, Company
from evals.floors import floors, hold
from evals.graders import Grade, grade, grade_outside
from evals.report import print_table, write_page
from evals.world import BUILD, NOW, open_world
from integrations.app import Rapport

#: Sets whose misses may be looked at; of all others only the counts are shown.
OPEN_SETS = ("dev", "dev2", "dev_hard", "dialogues", "dialogues2", "dialogues3", "dialogues4", "out_of_scope")
#: Files of a company's folder that hold no wordings.
NO_WORDINGS = ("families", "profile", "writes", "writes2", "writes_held_out")


#: Wordings from which a part of a set says as much as the whole.
LARGE = 500


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
    company: str = "software"


def load_families(company: Company) -> dict[str, dict[str, Any]]:
    """The truths by family name."""
    path = company.folder / "families.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    return {row["family"]: row for row in rows}


def set_name(company: Company, stem: str) -> str:
    """How a set is called in tables and floors: ``held_out`` of the first company, ``machinery/held_out`` of another."""
    return stem if company.name == "software" else f"{company.name}/{stem}"


def askers(product: Rapport, company: Company = COMPANIES["software"]) -> dict[str, int]:
    """User ids by the role names that the cases use: the rep sells in the first team, the manager leads the second."""
    teams = [name for name, _region in company.profile.teams]
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
            "rep": first("rep", teams[0]),
            "manager": first("manager", teams[1]),
            "readonly": first("readonly", None),
        }


def truth_of(database: Path, family: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run the hand-written SQL on the database itself."""
    if not family.get("sql"):
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(family["sql"], family.get("params") or {}).fetchall()


def thinned(cases: dict[str, list[str]], every: int) -> dict[str, list[str]]:
    """Of each family's wordings every so many, of each family another voice; all of a set that is not large."""
    if sum(map(len, cases.values())) <= LARGE:
        return cases
    return {name: [text for number, text in enumerate(texts) if (place + number) % every == 0] for place, (name, texts) in enumerate(cases.items())}


def run_set(product: Rapport, company: Company, stem: str, only: str, every: int = 1) -> list[Result]:
    """Ask all that a file of a company's folder holds; of large sets that development looks at, only ``every`` so many wordings."""
    cases = yaml.safe_load((company.folder / f"{stem}.yaml").read_text(encoding="utf-8")) or []
    if stem in OPEN_SETS and isinstance(cases, dict):
        cases = thinned(cases, every)
    users = askers(product, company)
    runner = _dialogues if stem.startswith("dialogues") else _outside if stem.startswith("out_of_scope") else _wordings
    results = runner(product, company, cases, users, only)
    for result in results:
        result.set, result.company = stem, company.name
    return results


def _wordings(product: Rapport, company: Company, cases: dict[str, list[str]], users: dict[str, int], only: str) -> list[Result]:
    """Every wording of every family, each in a conversation of its own."""
    families, database = load_families(company), _database(product)
    results = []
    for name, texts in cases.items():
        if only in name:
            family = families[name]
            truth = truth_of(database, family)
            for text in texts:
                answer, judged = ask(product, text, users[family["as"]], family, truth)
                results.append(Result(name, "", text, judged.verdict, judged.expected, judged.got, answer.milliseconds))
    return results


def _dialogues(product: Rapport, _company: Company, cases: list[dict[str, Any]], users: dict[str, int], only: str) -> list[Result]:
    """Every dialogue in one thread. It is exact where all its turns are; its verdict is that of its first turn that is not."""
    database, results = _database(product), []
    for case in cases:
        if only not in case["dialogue"]:
            continue
        thread, spent, said, first = new_thread_id(), 0, "", Grade("exact")
        for number, turn in enumerate(case["turns"], start=1):
            answer, judged = ask(product, turn["say"], users[case["as"]], {"kind": "outcome", **turn}, truth_of(database, turn), thread)
            spent = max(spent, answer.milliseconds)
            if judged.verdict != "exact" and not said:
                first, said = judged, f"turn {number}: {turn['say']}"
        results.append(Result(case["dialogue"], "", said or case["turns"][0]["say"], first.verdict, first.expected, first.got, spent))
    return results


def _outside(product: Rapport, _company: Company, cases: list[dict[str, Any]], users: dict[str, int], only: str) -> list[Result]:
    """Messages that no figure, list or record answers: wrong is any answer with data in it."""
    results = []
    for case in cases:
        if only in case.get("sort", ""):
            answer, _ = ask(product, case["say"], users[case.get("as", "head")], {"kind": "outcome"}, [])
            judged = grade_outside(answer)
            results.append(Result(case.get("sort", ""), "", case["say"], judged.verdict, judged.expected, judged.got, answer.milliseconds))
    return results


def _database(product: Rapport) -> Path:
    return Path(str(product.engine.url.database))


def ask(
    product: Rapport, text: str, user_id: int, family: dict[str, Any], truth: list[tuple[Any, ...]], thread: str | None = None
) -> tuple[Answer, Grade]:
    """Ask and judge one wording."""
    try:
        answer = product.agent.answer(text, user_id, thread=thread, now=NOW, door="eval")
    except RapportError as error:
        answer = Answer(text=error.message, outcome="declined")
    return answer, grade(family, truth, answer)


def summary(results: list[Result]) -> dict[str, float]:
    """Shares of each verdict, in percent."""
    counts = Counter(result.verdict for result in results)
    total = len(results) or 1
    return {verdict: 100 * counts[verdict] / total for verdict in ("exact", "wrong", "asked", "declined")} | {"wordings": len(results)}


def stems(company: Company) -> list[str]:
    """The sets of a company, by the names of its files."""
    return sorted(path.stem for path in company.folder.glob("*.yaml") if path.stem not in NO_WORDINGS)


def main() -> int:
    """Run, report, and return 1 where a floor is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--company", choices=[*COMPANIES, "all"], default="all")
    parser.add_argument("--set", default="all", help="one set, by the name of its file: dev, held_out, dialogues ...")
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--misses", action="store_true", help="list the misses of the sets that development looks at")
    parser.add_argument("--floored", action="store_true", help="only the sets that have a floor")
    parser.add_argument(
        "--jobs", type=int, default=1, help="companies asked about at the same time; more than one makes the milliseconds mean little"
    )
    parser.add_argument("--every", type=int, default=1, help="of large sets that development looks at, ask only every so many wordings")
    parser.add_argument("--no-index", action="store_true", help="answer from full text alone")
    options = parser.parse_args()
    results: dict[str, list[Result]] = {}
    asked: list[tuple[Company, list[str]]] = []
    for company in COMPANIES.values() if options.company == "all" else [COMPANIES[options.company]]:
        wanted = [stem for stem in stems(company) if options.set in ("all", stem) and (not options.floored or set_name(company, stem) in floors())]
        if wanted:
            asked.append((company, wanted))
    if options.jobs > 1 and len(asked) > 1:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            running = [pool.submit(_run_company, company, wanted, options) for company, wanted in asked]
            for done in running:
                results |= done.result()
    else:
        for company, wanted in asked:
            results |= _run_company(company, wanted, options)
    summaries = {name: summary(rows) for name, rows in results.items() if rows}
    print_table(results, summaries)
    shown = {name: rows for name, rows in results.items() if rows and rows[0].set in OPEN_SETS and rows[0].company != "unseen"}
    if options.misses:
        for row in (row for rows in shown.values() for row in rows if row.verdict != "exact"):
            print(f"\n[{row.verdict}] {row.company} {row.family}: {row.wording}\n    want {row.expected[:160]}\n    got  {row.got[:200]}")
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "results.json").write_text(
        json.dumps({name: [asdict(row) for row in rows] for name, rows in results.items()}, indent=1), encoding="utf-8"
    )
    write_page(BUILD / "index.html", results, summaries, shown)
    print(f"\nPage: {BUILD / 'index.html'}")
    return hold(summaries) if not options.only else 0


def _run_company(company: Company, wanted: list[str], options: argparse.Namespace) -> dict[str, list[Result]]:
    product = open_world(company, with_index=company.indexed and not options.no_index)
    try:
        return {set_name(company, stem): run_set(product, company, stem, options.only, options.every) for stem in wanted}
    finally:
        product.close()


if __name__ == "__main__":
    raise SystemExit(main())
