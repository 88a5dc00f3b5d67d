"""``python -m evals.maven``: questions on a foreign CRM's data, imported by the product, judged against the CSV files.

The data is not part of this project: it is read from ``RAPPORT_SHARED_DATA``, or from ``../shared/data`` beside
the repository, and without it the evaluation says that it was skipped. Truths are SQL on the files themselves in
a database in memory, so that an import that loses or bends a row shows as a wrong answer.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, select

from assistant.agent import Agent
from assistant.answer import Answer
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.errors import RapportError
from crm_core.models import NOUNS
from crm_core.services.exchange import ImportOptions, import_directory, load_mapping
from crm_core.services.setup import Conventions, set_up
from crm_core.services.users import CreateUser, create_user
from evals.companies import CASES
from evals.graders import grade
from evals.report import print_table
from evals.run import Result, summary
from evals.world import BUILD, ROOT

NOW = datetime(2018, 1, 15, 12, tzinfo=UTC)
MAPPING = ROOT / "docs" / "examples" / "maven-crm.yaml"
TABLES = ("accounts", "products", "sales_teams", "sales_pipeline")
#: Shares of the questions, in percent: at least so many exact, at most so many wrong.
FLOOR, LIMIT = 85.0, 5.0


def data_folder() -> Path | None:
    """Where the data lies; None where it is not at hand."""
    shared = os.environ.get("RAPPORT_SHARED_DATA")
    folder = (Path(shared) if shared else ROOT.parent / "shared" / "data") / "maven-crm"
    return folder if all((folder / f"{name}.csv").is_file() for name in TABLES) else None


def read_files(folder: Path) -> sqlite3.Connection:
    """The files as they are, each a table of text in a database in memory."""
    files = sqlite3.connect(":memory:")
    for name in TABLES:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            heading, *rows = csv.reader(stream)
        files.execute(f"create table {name} ({', '.join(f'{column} text' for column in heading)})")
        files.executemany(f"insert into {name} values ({', '.join('?' * len(heading))})", rows)
    return files


def import_data(folder: Path) -> tuple[Engine, int]:
    """A fresh database with the data as the product imports it, and its administrator's number."""
    for old in BUILD.glob("maven-*"):
        shutil.rmtree(old, ignore_errors=True)
    place = BUILD / f"maven-{os.getpid()}"
    place.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{place / 'maven.db'}")
    mapping = load_mapping(MAPPING)
    words = mapping.company
    set_up(engine, Conventions(words.name, words.home_currency, words.timezone, words.fiscal_start_month), now=NOW)
    with unit_of_work(engine, system_actor(words.timezone), write=True, now=NOW, door="import") as ctx:
        report = import_directory(ctx, folder, mapping, ImportOptions(custom_fields=True))
        if not report.done:
            raise SystemExit("\n".join(["The import refused rows:", *(line for item in report.files for line in item.refused[:10])]))
        admin = create_user(ctx, CreateUser(name="Avery Quill", email="avery.quill@maven.example", role="admin"))
    return engine, admin.id


def truth_of(files: sqlite3.Connection, engine: Engine, case: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The truth from the files; records are given by the product's numbers for them (0 for one that it does not have)."""
    rows = files.execute(case["sql"]).fetchall()
    if case["kind"] != "records":
        return rows
    model: Any = NOUNS[case["noun"]]
    key = model.external_id if case["noun"] == "deal" else model.name
    with unit_of_work(engine, system_actor(), write=False, now=NOW) as ctx:
        numbers = {row[0]: row[1] for row in ctx.session.execute(select(key, model.id))}
    return [(numbers.get(row[0], 0),) for row in rows]


def ask_all(files: sqlite3.Connection, engine: Engine, user_id: int) -> list[Result]:
    """Ask each question in a conversation of its own."""
    agent = Agent(engine, index=None)
    results = []
    for case in yaml.safe_load((CASES / "maven.yaml").read_text(encoding="utf-8")):
        started = time.monotonic()
        try:
            answer = agent.answer(case["question"], user_id, now=NOW, door="eval")
        except RapportError as error:
            answer = Answer(text=error.message, outcome="declined")
        judged = grade(case, truth_of(files, engine, case), answer)
        took = round((time.monotonic() - started) * 1000)
        results.append(Result(case["family"], "maven", case["question"], judged.verdict, judged.expected, judged.got, answer.milliseconds or took))
    return results


def main() -> int:
    """Import, ask, report; 1 where a floor is broken, 0 also where the data is not at hand."""
    folder = data_folder()
    if folder is None:
        print("Skipped: the Maven CRM data is not here; set RAPPORT_SHARED_DATA to the folder that holds maven-crm.")
        return 0
    engine, admin_id = import_data(folder)
    files = read_files(folder)
    try:
        results = ask_all(files, engine, admin_id)
    finally:
        files.close()
        engine.dispose()
    summaries = {"maven": summary(results)}
    print_table({"maven": results}, summaries)
    for row in results:
        if row.verdict != "exact":
            print(f"\n[{row.verdict}] {row.family}: {row.wording}\n    want {row.expected[:200]}\n    got  {row.got[:240]}")
    exact, wrong = summaries["maven"]["exact"], summaries["maven"]["wrong"]
    if exact < FLOOR or wrong > LIMIT:
        print(f"maven: {exact:.1f} % exact (floor {FLOOR} %), {wrong:.1f} % wrong (limit {LIMIT} %)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
