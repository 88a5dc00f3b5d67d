"""``python -m evals.bench``: how fast the product is on a large generated company, beside bare routes that run the same SQL.

CPU time per request is compared, not wall time, since machines are noisy; each pair is measured alternately in one
run. The bare routes have no rights, no events, no versions: what they leave out is what the ratio shows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from assistant.retrieval.search import SearchInteractions, search_interactions
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.metrics.query import ask
from crm_core.metrics.question import MetricQuestion
from crm_core.models import Chunk, Company, Contact, Deal
from crm_core.ports import VectorIndex
from crm_core.services.search import FindRecords, find_records
from crm_core.services.users import create_api_key
from crm_core.settings import Settings
from evals.world import BUILD, NOW, open_world
from integrations.app import Rapport, assemble
from integrations.http.server import build_app
from integrations.world.generate import Size
from integrations.world.load import load_world

SIZES = {"full": Size.named("bench"), "quick": Size(1_700, 10_000, 9.7, 40)}
#: A company with more than 100,000 companies and contacts, and little else: names to link against.
NAMED = Size(34_000, 2_000, 1.0, 40)
#: Aims: CPU ratio to the bare route, or an absolute number with its unit.
AIMS = {
    "get a deal": 2.0,
    "list deals": 2.0,
    "search companies": 3.0,
    "create a company": 3.0,
    "open pipeline by stage": 1.2,
}
#: The aggregate that is measured beside its own SQL.
PIPELINE = {"metric": "open_pipeline", "group_by": ["stage"]}
QUESTIONS = (
    "How much did we win last quarter?",
    "won value by owner this year",
    "win rate by region last year",
    "open pipeline by stage",
    "how many deals did we lose in Q2?",
    "average deal size this year",
    "top 5 reps by won value last quarter",
    "open deals over 50k closing this month",
    "tickets opened per month this year",
    "open tickets by priority",
    "median sales cycle this year",
    "leads by source this quarter",
    "lead conversion by source last year",
    "weighted pipeline",
    "quota attainment by rep this quarter",
    "slipped value last month",
    "customers",
    "churn rate last year",
    "new pipeline created last month by source",
    "first response time by priority",
    "resolution time this year",
    "product revenue by product last year",
    "activities by kind last month",
    "deals without a next step",
    "oldest open tickets",
)


class Bare:
    """The same questions on bare FastAPI and SQLAlchemy routes."""

    def __init__(self, product: Rapport) -> None:
        self.app = FastAPI()
        engine = product.engine
        with unit_of_work(engine, 1, write=False) as ctx:  # the very statement that the product runs, conversions included
            statement = text(ask(ctx, MetricQuestion.model_validate(PIPELINE)).sql[0].replace(":", "\\:"))

        @self.app.get("/deals/{deal_id}")
        def get_deal(deal_id: int) -> dict[str, Any]:
            with Session(engine) as session:
                deal = session.get(Deal, deal_id)
                assert deal is not None
                return {
                    "id": deal.id,
                    "name": deal.name,
                    "stage": deal.stage.name,
                    "company": deal.company.name if deal.company else None,
                    "amount": deal.amount_minor,
                    "owner": deal.owner.name if deal.owner else None,
                    "pipeline": deal.pipeline.name,
                    "contacts": [item.role for item in deal.contact_roles],
                    "items": [item.product.name for item in deal.line_items],
                }

        @self.app.get("/deals")
        def list_deals() -> dict[str, Any]:
            with Session(engine) as session:
                rows = session.scalars(select(Deal).where(Deal.status == "open").order_by(Deal.amount_minor.desc()).limit(25)).all()
                total = session.scalar(select(func.count()).select_from(Deal).where(Deal.status == "open"))
                worth = session.scalar(select(func.sum(Deal.amount_minor)).where(Deal.status == "open"))
                items = [
                    {
                        "id": row.id,
                        "name": row.name,
                        "company": row.company.name if row.company else None,
                        "stage": row.stage.name,
                        "amount": row.amount_minor,
                        "owner": row.owner.name if row.owner else None,
                    }
                    for row in rows
                ]
                return {"items": items, "total": total, "amount": worth}

        @self.app.get("/search")
        def search(q: str) -> list[dict[str, Any]]:
            with Session(engine) as session:
                statement = text(
                    "SELECT c.id, c.name FROM search_entry_fts f JOIN search_entry e ON e.id = f.rowid JOIN company c ON c.id = e.record_id "
                    "WHERE search_entry_fts MATCH :q AND e.noun = 'company' ORDER BY bm25(search_entry_fts) LIMIT 10"
                )
                return [dict(row._mapping) for row in session.execute(statement, {"q": f'"{q}"'})]

        @self.app.post("/companies")
        def create(name: str) -> dict[str, Any]:
            with Session(engine.execution_options(write=True)) as session:
                company = Company(name=name, created_at=NOW, updated_at=NOW, custom={})
                session.add(company)
                session.flush()
                number = company.id
                session.execute(text("COMMIT"))
                return {"id": number}

        @self.app.get("/pipeline")
        def pipeline() -> list[dict[str, Any]]:
            with Session(engine) as session:
                return [{"stage": row[1], "value": row[2], "count": row[3]} for row in session.execute(statement)]


def open_bench(size: str) -> tuple[Rapport, dict[str, float]]:
    """The product on the bench company, generated once and kept; with the time the load took."""
    folder = BUILD.parent / "bench" / size
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'bench.db'}"
    facts: dict[str, float] = {}
    kept = folder / "facts.json"
    if not kept.exists():
        (folder / "bench.db").unlink(missing_ok=True)
        engine = open_engine(url)
        started = time.monotonic()
        counts = load_world(engine, size=SIZES[size], seed=1, now=NOW)
        facts = {"load seconds": time.monotonic() - started, "rows": float(sum(counts.values()))}
        engine.dispose()
        kept.write_text(json.dumps(facts), encoding="utf-8")
    facts = json.loads(kept.read_text(encoding="utf-8"))
    return assemble(Settings(data_dir=folder, database_url=url, allow_now=True)), facts


def cpu(action: Callable[[], Any], times: int) -> float:
    """Median CPU milliseconds of one call, all threads of this process together."""
    samples = []
    for _ in range(times):
        started = time.process_time()
        action()
        samples.append((time.process_time() - started) * 1000)
    return statistics.median(samples)


def pairs(product: Rapport, client: TestClient, bare: TestClient, headers: dict[str, str]) -> list[tuple[str, float, float, int]]:
    """Each route's CPU milliseconds, ours and bare, measured in turns, and the size of our body."""
    with unit_of_work(product.engine, 1, write=False) as ctx:
        deal = ctx.session.scalar(select(Deal.id).where(Deal.status == "open").order_by(Deal.id.desc()).limit(1))
        name = ctx.session.scalar(select(Company.name).order_by(Company.id).limit(1)) or ""
    word = name.split()[0].lower()
    count = iter(range(10**9))
    actions: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("get a deal", lambda: client.get(f"/api/deals/{deal}", headers=headers), lambda: bare.get(f"/deals/{deal}")),
        ("list deals", lambda: client.get("/api/deals?filter=status:open&sort=-amount", headers=headers), lambda: bare.get("/deals")),
        ("search companies", lambda: client.get(f"/api/companies?q={word}", headers=headers), lambda: bare.get(f"/search?q={word}")),
        (
            "create a company",
            lambda: client.post("/api/companies", headers=headers, json={"name": f"Bench {next(count)}"}),
            lambda: bare.post(f"/companies?name=Bench{next(count)}"),
        ),
        ("open pipeline by stage", lambda: client.post("/api/metrics/ask", headers=headers, json=PIPELINE), lambda: bare.get("/pipeline")),
    ]
    rows = []
    for title, ours, theirs in actions:
        response = ours()
        assert response.status_code < 300, response.text
        theirs()
        ours_ms, theirs_ms = [], []
        for _ in range(5):
            ours_ms.append(cpu(ours, 8))
            theirs_ms.append(cpu(theirs, 8))
        rows.append((title, statistics.median(ours_ms), statistics.median(theirs_ms), len(response.content)))
    return rows


def answers(client: TestClient, headers: dict[str, str]) -> list[float]:
    """Milliseconds of mixed questions end to end over HTTP with the embedded model, each asked twice."""
    times = []
    for question in (*QUESTIONS, *QUESTIONS):
        started = time.monotonic()
        response = client.post("/api/chat", headers=headers, json={"message": question, "now": NOW.isoformat()})
        times.append((time.monotonic() - started) * 1000)
        assert response.status_code == 200, response.text
    return times


def beyond_sql(product: Rapport) -> list[float]:
    """CPU milliseconds of understanding and answering the same questions on a company of a few rows, where SQL costs nothing."""
    folder = BUILD.parent / "bench" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "tiny.db").exists()
    engine = open_engine(f"sqlite:///{folder / 'tiny.db'}")
    if fresh:
        load_world(engine, size=Size(12, 30, 3.0, 3), seed=1, now=NOW)
    from assistant.agent import Agent

    agent = Agent(engine)
    agent.answer(QUESTIONS[0], 1, now=NOW)
    return [cpu(lambda question=question: agent.answer(question, 1, now=NOW), 3) for question in QUESTIONS]  # type: ignore[misc]


#: What people ask of conversations, to time the search for passages.
TOPICS = (
    "worries about price", "which competitors came up", "the security review", "who is leaving the company", "budget for next year",
    "a promised delivery date", "complaints about support", "data migration", "legal redlines", "a reference customer",
    "single sign-on", "training for new users", "the renewal", "integration with the ERP", "decision makers", "late invoices",
    "a pilot or trial", "reporting needs", "hosting in Europe", "the board's approval",
)  # fmt: skip


def retrieval(product: Rapport, index: VectorIndex | None) -> tuple[list[float], int]:
    """Milliseconds of each search for passages with all rights applied, and how many passages there are."""
    times = []
    for topic in TOPICS:
        with unit_of_work(product.engine, 1, write=False) as ctx:
            started = time.monotonic()
            search_interactions(ctx, SearchInteractions(query=topic), index)
            times.append((time.monotonic() - started) * 1000)
    with unit_of_work(product.engine, 1, write=False) as ctx:
        return times, ctx.session.scalar(select(func.count()).select_from(Chunk)) or 0


#: Messages that name somebody: the name as it is on file, misspelt, in part, or as a possessive.
NAMING = (
    "what's open with {name}?",
    "when did we last talk to {name}",
    "{name}'s open deals",
    "how much did we win from {name} last year",
    "open tickets of {name}",
    "who owns {name}",
    "phone of {person}",
    "emails from {person} this month",
    "what stage is the deal with {name} in",
    "calls with {person} since October",
)


def understanding() -> tuple[list[float], int, float]:
    """Milliseconds of understanding alone, how many companies and contacts there are, and megabytes that it took.

    Half of the messages name a company or a person, every second one of them with a slip of the pen.
    """
    from assistant.language.dialogue import Dialogue
    from assistant.language.grammar import read_apart

    folder = BUILD.parent / "bench" / "named"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "ready").exists()
    if fresh:
        (folder / "named.db").unlink(missing_ok=True)
    engine = open_engine(f"sqlite:///{folder / 'named.db'}")
    if fresh:
        load_world(engine, size=NAMED, seed=1, now=NOW)
        (folder / "ready").touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    with unit_of_work(engine, 1, write=False, now=NOW) as ctx:
        names = int(ctx.session.scalar(select(func.count()).select_from(Company)) or 0) + int(
            ctx.session.scalar(select(func.count()).select_from(Contact)) or 0
        )
        companies = list(ctx.session.scalars(select(Company.name).where(Company.id % 977 == 0).limit(30)))
        people = list(ctx.session.scalars(select(Contact.name).where(Contact.id % 977 == 0).limit(30)))
        messages = list(QUESTIONS)
        for place, (name, person) in enumerate(zip(companies, people, strict=True)):
            slips = place % 2 == 1
            said = NAMING[place % len(NAMING)].format(name=_slip(name) if slips else name, person=_slip(person) if slips else person)
            messages.append(said)
        read_apart(ctx, messages[0], Dialogue())  # the words of the company are compiled once
        for _ in range(3):
            for message in messages:
                started = time.monotonic()
                read_apart(ctx, message, Dialogue())
                times.append((time.monotonic() - started) * 1000)
    engine.dispose()
    return times, names, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _slip(name: str) -> str:
    """The name with two letters of its longest word swapped."""
    word = max(name.split(), key=len)
    place = len(word) // 2
    return name.replace(word, word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]) if len(word) > 3 else name


def percentile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def startup_seconds(product: Rapport) -> float:
    """From starting the process to the first healthy answer."""
    port = 8765
    environment = {
        **os.environ,
        "RAPPORT_DATABASE_URL": str(product.engine.url),
        "RAPPORT_DATA_DIR": str(product.settings.data_dir),
        "RAPPORT_PORT": str(port),
    }
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "integrations.cli", "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    import urllib.request

    try:
        while time.monotonic() - started < 60:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    return time.monotonic() - started
            except OSError:
                time.sleep(0.05)
        return float("nan")
    finally:
        process.terminate()
        process.wait(timeout=20)


def help_seconds() -> float:
    """Wall seconds of ``rapport --help``, best of five."""
    script = Path(sys.executable).parent / "rapport"
    times = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run([str(script), "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - started)
    return min(times)


def main() -> int:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="full")
    options = parser.parse_args()
    console = Console(width=100)
    product, facts = open_bench(options.size)
    with unit_of_work(product.engine, 1, write=True) as ctx:
        headers = {"Authorization": f"Bearer {create_api_key(ctx, 'bench').secret}"}
    client, bare = TestClient(build_app(product)), TestClient(Bare(product).app)
    table = Table(title=f"CPU per request, {options.size} company")
    for title in ("request", "Rapport ms", "bare ms", "ratio", "aim", "body bytes"):
        table.add_column(title, justify="left" if title == "request" else "right")
    for title, ours, theirs, size in pairs(product, client, bare, headers):
        table.add_row(title, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}", f"{AIMS[title]:.1f}", f"{size:,}")
    console.print(table)
    read_times, linked, megabytes = understanding()
    times = answers(client, headers)
    thin = beyond_sql(product)
    searches = []
    with unit_of_work(product.engine, 1, write=False) as ctx:
        names = list(ctx.session.scalars(select(Company.name).limit(40)))
        for name in names:
            started = time.monotonic()
            find_records(ctx, FindRecords(text=name[:-1] if len(name) % 2 else name.split()[0]))
            searches.append((time.monotonic() - started) * 1000)
    by_words, passages = retrieval(product, None)
    world = open_world(with_index=True)  # small enough for its index to be built here
    by_meaning, indexed = retrieval(world, world.index)
    world.close()
    figures = Table(title="Other figures")
    figures.add_column("what")
    figures.add_column("measured", justify="right")
    figures.add_column("aim", justify="right")
    for what, value, aim in (
        (f"understanding alone, {linked:,} companies and contacts, p50", f"{percentile(read_times, 0.5):.0f} ms", ""),
        (f"understanding alone, {linked:,} companies and contacts, p95", f"{percentile(read_times, 0.95):.0f} ms", "30 ms"),
        ("memory that understanding takes there", f"{megabytes:.0f} MB", ""),
        ("answer over HTTP, p50", f"{percentile(times, 0.5):.0f} ms", ""),
        ("answer over HTTP, p95", f"{percentile(times, 0.95):.0f} ms", ""),
        ("answer beyond its SQL, CPU p95", f"{percentile(thin, 0.95):.0f} ms", "150 ms"),
        ("search over all nouns, p95", f"{percentile(searches, 0.95):.0f} ms", ""),
        (f"passages by meaning and words, of {indexed:,}, p95", f"{percentile(by_meaning, 0.95):.0f} ms", ""),
        (f"passages by words alone, of {passages:,}, p95", f"{percentile(by_words, 0.95):.0f} ms", ""),
        ("rows loaded a second", f"{facts['rows'] / facts['load seconds']:,.0f}", ""),
        ("rows", f"{facts['rows']:,.0f}", ""),
        ("server start", f"{startup_seconds(product):.1f} s", "4 s"),
        ("rapport --help", f"{help_seconds():.2f} s", "0.4 s"),
        ("memory of this process", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", ""),
    ):
        figures.add_row(what, value, aim)
    console.print(figures)
    product.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
