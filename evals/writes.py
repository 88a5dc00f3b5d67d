"""``python -m evals.writes``: tasks that change records, judged by the final state of the database against truth.

A task is what one person says, and which changes the database must show afterwards:

    - task: push_close_date                # of which kind, for the report
      as: rep                              # rep, manager, head or readonly
      say: ["push Helio renewal out to 30 June"]
      clarify: "the first one"             # said only where a question comes back that was to be expected
      expect:
        - update: deal
          where: {name: Helio renewal}     # or sql: "select id from deal where ..." for several records
          set: {expected_close_on: 2027-06-30}
        - create: activity
          set: {kind: call, contact: Dana Grant}
          contains: {body: security review}

``expect: []`` says that nothing may change. After the last message all proposals that still stand are approved, by the
requester or, where a second person is needed, by an administrator. The whole database before and after is compared:
anything beyond what is expected is a side effect, and makes the task *wrong*; expected changes that are missing with no
other effect make it *declined* or *asked*. Each task runs on a fresh copy of its company.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import yaml
from sqlalchemy import func, select

from assistant.conversation import new_thread_id
from crm_core.access import system_actor
from crm_core.changes import decide
from crm_core.context import unit_of_work
from crm_core.errors import RapportError
from crm_core.models import ChangeSet
from crm_core.settings import Settings
from evals.companies import COMPANIES, Company
from evals.floors import floors, hold
from evals.run import askers, set_name
from evals.world import BUILD, NOW, world_folder
from integrations.app import Rapport, assemble

Verdict = Literal["right", "wrong", "asked", "declined"]
#: Sets whose misses may be looked at.
OPEN = ("writes", "writes2")
TABLES = (
    "company",
    "contact",
    "lead",
    "deal",
    "deal_contact",
    "line_item",
    "ticket",
    "activity",
    "activity_participant",
    "product",
    "price",
    "taught_word",
)
#: Columns that say nothing about what was asked for.
_QUIET = frozenset({"id", "version", "updated_at", "created_at"})
#: Fields that follow from others by the rules of the trade, by the field that brings them.
_FOLLOWS = {
    "stage_id": {"status", "closed_at", "forecast_category", "loss_reason"},
    "status": {"stage_id", "closed_at", "forecast_category", "loss_reason", "resolved_at", "first_response_at", "converted_at"},
    "resolved_at": {"status", "first_response_at"},
    "amount_minor": {"currency"},
    "completed_at": {"outcome", "occurred_at"},
}
#: What a new record may have beyond what a task names.
_FREE = frozenset(
    "subject body name status currency pipeline_id stage_id owner_id occurred_at company_id deal_id outcome direction forecast_category "
    "custom source first_response_at duration_minutes priority category description contact_id lead_id".split()
)


@dataclass
class Result:
    """One task and how it went."""

    task: str
    set: str
    say: list[str]
    verdict: Verdict
    note: str
    asked: int = 0
    company: str = "software"


Rows = dict[tuple[str, int], dict[str, Any]]


def snapshot(database: Path) -> Rows:
    """Every record by table and number; custom fields as columns of their own."""
    found: Rows = {}
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        for table in TABLES:
            for row in connection.execute(f"select * from {table}"):
                values = {key: row[key] for key in row.keys() if key != "custom"}  # noqa: SIM118 - a sqlite3.Row
                if "custom" in row.keys():  # noqa: SIM118
                    values |= {f"custom.{key}": value for key, value in json.loads(row["custom"] or "{}").items()}
                found[(table, row["id"])] = values
    return found


def changes_between(before: Rows, after: Rows) -> dict[tuple[str, int], dict[str, Any]]:
    """What differs, by record: the new values of changed fields; all fields of a new record under ``+``; ``-`` for a lost one."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for key, values in after.items():
        old = before.get(key)
        if old is None and values.get("archived_at") is not None:
            continue  # made and taken back
        if old is None:
            found[key] = {"+": True, **{name: value for name, value in values.items() if value not in (None, "") and name not in _QUIET}}
        elif values != old:
            changed = {name: values.get(name) for name in {**old, **values} if values.get(name) != old.get(name) and name not in _QUIET}
            if changed:
                found[key] = changed
    return found | {key: {"-": True} for key in before if key not in after}


class Truth:
    """Expected changes, with names put into numbers by looking into the database as it was before."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def _one(self, sql: str, *values: Any) -> Any:
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute(sql, values).fetchall()
        if len(rows) != 1:
            raise ValueError(f"{sql} with {values} finds {len(rows)} rows instead of one")
        return rows[0][0]

    def record(self, table: str, where: dict[str, Any]) -> int:
        """The one record that fits all conditions."""
        pairs = [self.field(table, name, value) for name, value in where.items()]
        clause = " and ".join(f"{name} = ?" for name, _value in pairs)
        key = self._one(f"select id from {table} where {clause}", *(value for _name, value in pairs))
        return int(key)

    def ids(self, expected: dict[str, Any]) -> list[int]:
        """The records of an expected update."""
        if "sql" in expected:
            with closing(sqlite3.connect(self.database)) as connection:
                return [row[0] for row in connection.execute(expected["sql"]).fetchall()]
        return [self.record(expected["update"], expected["where"])]

    def field(self, table: str, name: str, value: Any) -> tuple[str, Any]:
        """A field and value as the database keeps them."""
        if isinstance(value, dict):
            return f"{name}_id", self.record("user_account" if name == "owner" else name, value)
        if name == "stage":
            return "stage_id", self._one("select id from stage where name = ?", value)
        if name == "owner":
            return "owner_id", None if value is None else self._one("select id from user_account where name = ?", value)
        if name == "product" and table == "line_item":
            return "product_id", self._one("select id from product where name = ?", value)
        if name in ("company", "contact", "deal", "lead", "ticket") and name != table:
            label = "subject" if name == "ticket" else "name"
            return f"{name}_id", self._one(f"select id from {name} where {label} = ?", value)
        if name == "amount":
            return "amount_minor", round(float(value) * 100)
        if name in ("archived", "completed", "resolved"):
            return f"{name}_at", bool(value)
        return name, str(value) if hasattr(value, "isoformat") else value


def _same(name: str, wanted: Any, got: Any) -> bool:
    if name.endswith("_at") and isinstance(wanted, bool):
        return (got is not None) == wanted
    if name == "occurred_at":
        return str(got)[: len(str(wanted))] == str(wanted)
    if isinstance(wanted, str) and isinstance(got, str):
        return " ".join(wanted.lower().split()).strip(" .") == " ".join(got.lower().split()).strip(" .")
    return bool(wanted == got)


def judge(expected: list[dict[str, Any]], before: Rows, after: Rows, truth: Truth) -> tuple[bool, list[str], list[str]]:
    """Whether all that was expected came about; what is missing; and what else was changed."""
    left = changes_between(before, after)
    missing: list[str] = []
    for item in expected:
        table = item.get("update") or item["create"]
        wanted = dict(truth.field(table, name, value) for name, value in item.get("set", {}).items())
        holds = {name: [text] if isinstance(text, str) else text for name, text in item.get("contains", {}).items()}
        if "update" in item:
            for key in truth.ids(item):
                missing += _match_update(left, (table, key), wanted, holds)
        else:
            missing += _match_new(left, table, wanted, holds)
    extra = [f"{table} {key}: {values}" for (table, key), values in left.items()]
    return not missing and not extra, missing, extra


def _holds(holds: dict[str, list[str]], values: dict[str, Any]) -> bool:
    texts = {name: " ".join(str(values.get(part) or "") for part in name.split("|")).lower() for name in holds}
    return all(word.lower() in texts[name] for name, words in holds.items() for word in words)


def _match_update(
    left: dict[tuple[str, int], dict[str, Any]], key: tuple[str, int], wanted: dict[str, Any], holds: dict[str, list[str]]
) -> list[str]:
    got = left.get(key)
    if got is None or "+" in got:
        return [f"{key[0]} {key[1]} is not changed ({wanted})"]
    wrong = [name for name, value in wanted.items() if name not in got or not _same(name, value, got[name])]
    if wrong or not _holds(holds, got):
        return [f"{key[0]} {key[1]}: wanted {wanted} {holds or ''}"]
    follows = {other for name in [*wanted, *holds] for other in _FOLLOWS.get(name, ())}
    rest = {name: value for name, value in got.items() if name not in wanted and name not in holds and name not in follows}
    if rest:
        left[key] = rest
    else:
        del left[key]
    return []


def _match_new(left: dict[tuple[str, int], dict[str, Any]], table: str, wanted: dict[str, Any], holds: dict[str, list[str]]) -> list[str]:
    for key, got in left.items():
        if key[0] != table or "+" not in got:
            continue
        if all(_same(name, value, got.get(name)) for name, value in wanted.items() if value is not None) and _holds(holds, got):
            free = _FREE | {part for name in holds for part in name.split("|")}
            rest = {name: value for name, value in got.items() if name not in wanted and name != "+" and name not in free}
            nothing = [name for name, value in wanted.items() if value is None and got.get(name) is not None]
            if not rest and not nothing:
                del left[key]
                return []
    return [f"no new {table} with {wanted} {holds or ''}"]


@contextmanager
def fresh(company: Company, folder: Path) -> Iterator[Rapport]:
    """The product on a copy of a company."""
    original = world_folder(company) / "world.db"
    database = folder / "world.db"
    for old in folder.glob("world.db*"):
        old.unlink()
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(database)) as target:
        source.backup(target)
    product = assemble(Settings(data_dir=folder, database_url=f"sqlite:///{database}", allow_now=True))
    try:
        yield product
    finally:
        product.close()


def run_task(product: Rapport, folder: Path, case: dict[str, Any], users: dict[str, int]) -> Result:
    """Say what the task says, approve what still stands, and compare the states."""
    database = folder / "world.db"
    before = snapshot(database)
    user, thread, asked, thread_began = users[case["as"]], new_thread_id(), 0, _latest(product)
    said: list[str] = []
    messages = list(case["say"])
    outcome = ""
    while messages:
        try:
            answer = product.agent.answer(messages.pop(0), user, thread=thread, now=NOW, door="eval")
        except RapportError as error:
            said.append(error.message)
            outcome = "declined"
            continue
        outcome = answer.outcome
        said.append(answer.text)
        if outcome == "asked":
            asked += 1
            if not messages and case.get("clarify") and asked == 1:
                messages.append(case["clarify"])
    said += _approve(product, user, users["head"], thread_began)
    after = snapshot(database)
    right, missing, extra = judge(case["expect"], before, after, Truth(world_of(case)))
    changed = bool(changes_between(before, after))
    verdict: Verdict = "right" if right else "wrong" if extra or changed and not case["expect"] else "asked" if outcome == "asked" else "declined"
    needless = asked - (1 if case.get("clarify") else 0)
    note = "; ".join([*missing[:3], *(f"besides: {item}" for item in extra[:3])]) + " | " + " / ".join(said)
    return Result(case["task"], "", list(case["say"]), verdict, note[:900], max(0, needless) if case["expect"] else 0)


def world_of(case: dict[str, Any]) -> Path:
    """The untouched database of a task's company."""
    return world_folder(COMPANIES[case["company"]]) / "world.db"


def _latest(product: Rapport) -> int:
    """The newest change set of a company, which other evaluations may have left there."""
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        return ctx.session.scalar(select(func.max(ChangeSet.id))) or 0


def _approve(product: Rapport, requester: int, administrator: int, since: int) -> list[str]:
    """Approve all that was proposed after ``since`` and still waits, in its order; what was refused, in words."""
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        waiting_ones = (ChangeSet.status == "proposed", ChangeSet.requester_id == requester, ChangeSet.id > since)
        query = select(ChangeSet).where(*waiting_ones).order_by(ChangeSet.id)
        waiting = [(item.id, item.diff_hash, item.risk) for item in ctx.session.scalars(query)]
    told = []
    for number, shown, risk in waiting:
        try:
            decide(product.engine, administrator if risk == "second" else requester, number, shown, door="eval", now=NOW)
        except RapportError as error:
            told.append(error.message)
    return told


def load_cases(company: Company, stem: str) -> list[dict[str, Any]]:
    """The tasks of a set."""
    path = company.folder / f"{stem}.yaml"
    cases: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return [case | {"company": company.name} for case in cases]


def check(company: Company, stem: str) -> list[str]:
    """What is wrong with the truth of the tasks of a set, without saying any of them."""
    truth, faults = Truth(world_folder(company) / "world.db"), []
    for case in load_cases(company, stem):
        for item in case["expect"]:
            table = item.get("update") or item.get("create") or ""
            try:
                if table not in TABLES:
                    raise ValueError(f"there is no table '{table}'")
                ids = truth.ids(item) if "update" in item else [0]
                if not ids:
                    raise ValueError("no record fits")
                for name, value in item.get("set", {}).items():
                    truth.field(table, name, value)
            except (KeyError, ValueError, sqlite3.Error) as error:
                faults.append(f"{case['task']} {case['say']}: {error}")
        if case["as"] not in ("rep", "manager", "head", "readonly"):
            faults.append(f"{case['task']}: 'as' is '{case['as']}'")
    return faults


def run_set(company: Company, stem: str, only: str = "") -> list[Result]:
    """All tasks of a set, each on a fresh copy."""
    results = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for case in load_cases(company, stem):
            if only not in case["task"]:
                continue
            with fresh(company, folder) as product:
                result = run_task(product, folder, case, askers(product, company))
            result.set, result.company = stem, company.name
            results.append(result)
    return results


def summary(results: list[Result]) -> dict[str, float]:
    """Shares of each verdict and of needless questions, in percent."""
    total = len(results) or 1
    counts = Counter(result.verdict for result in results)
    shares = {verdict: 100 * counts[verdict] / total for verdict in ("right", "wrong", "asked", "declined")}
    return shares | {"needless": 100 * sum(result.asked > 0 for result in results) / total, "tasks": len(results)}


def main() -> int:
    """Run, report, and return 1 where a floor is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--company", choices=[*COMPANIES, "all"], default="all")
    parser.add_argument("--set", default="all", help="writes or writes_held_out")
    parser.add_argument("--only", default="", help="kinds of tasks whose name contains this")
    parser.add_argument("--misses", action="store_true", help="list the misses of the sets that development looks at")
    parser.add_argument("--check", action="store_true", help="only look whether the truths can be found in the data")
    parser.add_argument("--floored", action="store_true", help="only the sets that have a floor")
    parser.add_argument("--jobs", type=int, default=1, help="sets run at the same time")
    options = parser.parse_args()
    wanted = [
        (company, path.stem)
        for company in COMPANIES.values()
        for path in sorted(company.folder.glob("writes*.yaml"))
        if options.company in ("all", company.name) and options.set in ("all", path.stem)
        if not options.floored or set_name(company, path.stem) in floors()
    ]
    if options.check:
        faults = [fault for company, stem in wanted for fault in check(company, stem)]
        print("\n".join(faults) or "All truths are found.")
        return 1 if faults else 0
    for company, _stem in wanted:
        world_folder(company)
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            running = [pool.submit(run_set, company, stem, options.only) for company, stem in wanted]
            done = [item.result() for item in running]
    else:
        done = [run_set(company, stem, options.only) for company, stem in wanted]
    results = dict(zip([set_name(company, stem) for company, stem in wanted], done, strict=True))
    print(f"{'set':32} {'tasks':>5} {'right':>6} {'wrong':>6} {'asked':>6} {'declined':>8} {'needless questions':>18}")
    summaries = {name: summary(rows) for name, rows in results.items() if rows}
    for name, numbers in summaries.items():
        shares = " ".join(
            f"{numbers[key]:{width}.1f}" for key, width in (("right", 6), ("wrong", 6), ("asked", 6), ("declined", 8), ("needless", 18))
        )
        print(f"{name:32} {numbers['tasks']:5.0f} {shares}")
    if options.misses:
        for row in (row for rows in results.values() for row in rows if row.verdict != "right" and row.set in OPEN):
            print(f"\n[{row.verdict}] {row.company} {row.task}: {' || '.join(row.say)}\n    {row.note}")
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "writes.json").write_text(
        json.dumps({name: [asdict(row) for row in rows] for name, rows in results.items()}, indent=1), encoding="utf-8"
    )
    return hold(summaries) if not options.only else 0


if __name__ == "__main__":
    raise SystemExit(main())
