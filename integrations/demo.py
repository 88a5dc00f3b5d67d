"""``rapport demo``: from nothing to a conversation, with one command."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from assistant.answer import Answer
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.errors import RapportError
from crm_core.models import Company, Deal, User
from crm_core.services.users import create_api_key, create_sign_in_link, revoke_api_key
from crm_core.settings import load_settings
from integrations.app import Rapport, assemble
from integrations.serving import check_port, make_server
from integrations.terminal import console, print_answer, progress_bar
from integrations.world.load import load_world

QUESTIONS = ("How much did we win last quarter, by rep?", "Which open deals over 30k close this month?", "What did customers say about pricing?")
START_SECONDS = 30
#: Newest passages indexed before the first question is asked.
ENOUGH = 2_500


class DemoFailed(RapportError):
    """The demonstration could not be shown."""


def run_demo(*, once: bool, **overrides: Any) -> None:
    """Load the company where the database is empty, index it, serve, ask, and serve on unless ``once``."""
    settings = load_settings(**overrides)
    check_port(settings)
    product = assemble(settings)
    _fill(product)
    _index(product)
    server = make_server(product)
    thread = threading.Thread(target=server.run, name="rapport-server", daemon=True)
    thread.start()
    try:
        _wait(settings.address_local, thread)
        link = _ask(product)
        console.print(f"\nThe chat page: [bold]{link}[/bold]", soft_wrap=True)
        if not once:
            console.print("Serving until Ctrl-C.")
            while thread.is_alive():
                thread.join(timeout=1)
    except KeyboardInterrupt:
        console.print("Stopping.")
    finally:
        server.should_exit = True
        thread.join(timeout=15)


def _fill(product: Rapport) -> None:
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        there = ctx.session.scalar(select(func.count()).select_from(Company)) or 0
    if not there:
        console.print("Making a company to talk about: three years of sales, calls, mails and tickets.")
        with progress_bar() as progress:
            load_world(product.engine, now=datetime.now(UTC), progress=progress)
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        companies = ctx.session.scalar(select(func.count()).select_from(Company))
        deals = ctx.session.scalar(select(func.count()).select_from(Deal))
        console.print(f"{ctx.organisation.name}: {companies:,} companies, {deals:,} deals.")


def _index(product: Rapport) -> None:
    """Open the index, or build enough of it to talk; the rest goes on behind the conversation, and in the next run."""
    index = product.index
    index.start()
    with progress_bar() as progress:
        while index.state in ("opening", "building") and index.built < ENOUGH:
            time.sleep(0.2)
            if index.built:
                progress("passages indexed", index.built, ENOUGH)


def _wait(address: str, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and thread.is_alive():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2) as response:  # noqa: S310 - our own loopback address
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise DemoFailed("The server did not start; run 'make serve' to see why.")


def _ask(product: Rapport) -> str:
    """Ask the questions through the real endpoint; returns a sign-in link for the page."""
    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        user_id = ctx.session.scalar(select(User.id).where(User.role == "admin", User.active).order_by(User.id).limit(1))
    if user_id is None:
        raise DemoFailed("There is no administrator in this database; add one with 'rapport user add NAME EMAIL --role admin'.")
    with unit_of_work(product.engine, user_id, write=True, door="demo") as ctx:
        key = create_api_key(ctx, "demo")
        secret = create_sign_in_link(ctx, user_id)
    try:
        for question in QUESTIONS:
            console.print(f"\n[bold cyan]> {question}[/bold cyan]")
            answer = _post(product.settings.address_local, key.secret or "", question)
            print_answer(answer)
            console.print(f"[dim]{answer.model}, {answer.milliseconds} ms[/dim]")
    finally:
        with unit_of_work(product.engine, user_id, write=True, door="demo") as ctx:
            revoke_api_key(ctx, key.id)
    return f"{product.settings.address}/login?token={secret}"


def _post(address: str, key: str, question: str) -> Answer:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{address}/api/chat", json.dumps({"message": question}).encode(), {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return Answer.model_validate_json(response.read())
