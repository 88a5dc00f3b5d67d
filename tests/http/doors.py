"""The house behind the HTTP tests: a small generated company, its people's keys, and a client for each of them.

This folder must stay without an ``__init__.py``: a regular package named ``http`` next to ``tests/conftest.py``
would hide the standard library's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from assistant.retrieval.index import Index
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.services.users import create_api_key
from crm_core.settings import Settings
from integrations.app import Rapport
from integrations.http.server import build_app
from integrations.world.load import load_world

#: The day that the generated company ends on.
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
#: Who plays which part: (role, team, place among those of that role and team).
PARTS = {
    "admin": ("admin", "Sales", 0),
    "manager": ("manager", "North America", 0),
    "rep": ("rep", "North America", 0),
    "colleague": ("rep", "North America", 1),
    "stranger": ("rep", "EMEA", 0),
    "readonly": ("readonly", "Sales", 0),
    "supporter": ("rep", "Support", 0),
    "other_supporter": ("rep", "Support", 1),
}
TABLES = {
    "companies": "company",
    "contacts": "contact",
    "leads": "lead",
    "deals": "deal",
    "tickets": "ticket",
    "activities": "activity",
    "products": "product",
    "users": "user_account",
}


_APPS: list[FastAPI] = []


def client_of(app: FastAPI, **headers: str) -> TestClient:
    """A client of an application that is never started, so neither is its index."""
    return TestClient(app, raise_server_exceptions=False, headers=headers, follow_redirects=False)


@dataclass
class House:
    """The application over one database file; ``people`` and ``keys`` are by part."""

    path: Path
    people: dict[str, int]
    keys: dict[str, str]
    overrides: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return open_engine(f"sqlite:///{self.path}")

    @cached_property
    def product(self) -> Rapport:
        """The assembled product; its vector index is there but never started."""
        settings = Settings(_env_file=None, data_dir=self.path.parent, model="embedded", **self.overrides)  # type: ignore[call-arg]
        return Rapport(settings, self.engine, Index(self.engine, self.path.parent / "no_index"))

    @property
    def app(self) -> FastAPI:
        """The application, pointed at this house: one for all of them, since its first request builds the routes, which takes long."""
        if not _APPS:
            _APPS.append(build_app(self.product))
        _APPS[0].state.rapport = self.product
        return _APPS[0]

    def anonymous(self, **headers: str) -> TestClient:
        """A client without a key; a failure inside is a response, as over a wire."""
        return client_of(self.app, **headers)

    def door(self, part: str) -> TestClient:
        """A client with that person's key."""
        return self.anonymous(Authorization=f"Bearer {self.keys[part]}")

    def sql(self, query: str, **values: Any) -> Sequence[Any]:
        """Rows straight from the database, past every door."""
        with self.engine.connect() as connection:
            return connection.execute(text(query), values).fetchall()

    def value(self, query: str, **values: Any) -> Any:
        """The single value of a query; fails where there is none."""
        return self.sql(query, **values)[0][0]

    def count(self, table: str, where: str = "1 = 1") -> int:
        """How many rows a table holds."""
        return int(self.value(f"SELECT count(*) FROM {table} WHERE {where}"))  # noqa: S608 - our own words

    def row(self, path: str, part: str, where: str = "1 = 1") -> int:
        """The first record of a kind that belongs to that person."""
        query = f"SELECT id FROM {TABLES[path]} WHERE owner_id = :owner AND archived_at IS NULL AND {where} ORDER BY id LIMIT 1"  # noqa: S608
        return int(self.value(query, owner=self.people[part]))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def build_template(path: Path) -> House:
    """Generate the company once and give every part a key."""
    house = House(path, {}, {})
    load_world(house.engine, size="small", seed=3, now=NOW)
    for part, (role, team, place) in PARTS.items():
        found = house.sql(
            "SELECT user_account.id FROM user_account JOIN team ON team.id = team_id WHERE role = :role AND team.name = :team ORDER BY user_account.id",
            role=role,
            team=team,
        )
        house.people[part] = found[place][0]
        with unit_of_work(house.engine, house.people[part], write=True, door="test") as ctx:
            house.keys[part] = str(create_api_key(ctx, "tests").secret)
    house.close()
    return house


def assert_problem(response: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    """A problem document with that status and a whole sentence that holds these words; returns it."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"].startswith("application/problem+json"), response.headers["content-type"]
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["code"]
    detail = body["detail"]
    assert len(detail.split()) > 3, detail
    assert detail.rstrip()[-1] in ".!?", detail
    assert "Traceback" not in detail
    assert "sqlalchemy" not in detail.lower()
    for word in words:
        assert word.lower() in detail.lower(), f"{word!r} is not in {detail!r}"
    return body
