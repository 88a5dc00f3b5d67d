"""Databases for the tests: each test gets its own, on SQLite and on PostgreSQL, copied from a template.

A template is set up (and, for ``world``, filled) once a session; a test's own database is a copy of the file or
``CREATE DATABASE ... TEMPLATE``, which is faster than emptying tables. PostgreSQL is taken from
``RAPPORT_TEST_POSTGRES`` (default ``postgresql://postgres@127.0.0.1:5432``); where no server answers, its tests
are skipped with the reason. Names hold the process and the xdist worker and are dropped at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from crm_core.database import open_engine
from crm_core.services.setup import set_up
from tests.factories import CONVENTIONS, NOW, World, build_world

KINDS = ("sqlite", "postgresql")
SERVER = make_url(os.environ.get("RAPPORT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432"))
Fill = Callable[[Engine], object]


class Databases:
    """Makes databases: templates once by name, copies for each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"rapport_test_{os.getpid()}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
        self.count = 0
        self.filled: dict[tuple[str, str], object] = {}
        self.made: set[str] = set()
        self._admin: psycopg.Connection | None = None
        self._refusal: str | None = None

    def admin(self) -> psycopg.Connection:
        """A connection that may create databases; skips the test where no server answers."""
        if self._admin is None and self._refusal is None:
            try:
                address = SERVER.set(drivername="postgresql", database=SERVER.database or "postgres")
                self._admin = psycopg.connect(address.render_as_string(hide_password=False), autocommit=True, connect_timeout=3)
            except psycopg.OperationalError as error:
                self._refusal = str(error).strip().splitlines()[0]
        if self._admin is None:
            pytest.skip(f"no PostgreSQL server answers at {SERVER.render_as_string()}: {self._refusal}")
        return self._admin

    def _name(self, kind: str, purpose: str) -> str:
        return str(self.folder / f"{purpose}.db") if kind == "sqlite" else f"{self.prefix}_{purpose}"

    def _open(self, kind: str, name: str) -> Engine:
        if kind == "sqlite":
            return open_engine(f"sqlite:///{name}")
        return open_engine(SERVER.set(database=name).render_as_string(hide_password=False), pool_size=4)

    def empty(self, kind: str, purpose: str = "empty") -> Engine:
        """A database without a schema."""
        self.count += 1
        name = self._name(kind, f"{purpose}_{self.count}")
        if kind == "postgresql":
            self.admin().execute(f'CREATE DATABASE "{name}"')
            self.made.add(name)
        return self._open(kind, name)

    def template(self, kind: str, purpose: str, fill: Fill) -> tuple[str, object]:
        """A database filled once, with what ``fill`` returned; nobody stays connected to it."""
        name = self._name(kind, f"template_{purpose}")
        if (kind, purpose) not in self.filled:
            if kind == "postgresql":
                self.admin().execute(f'CREATE DATABASE "{name}"')
                self.made.add(name)
            engine = self._open(kind, name)
            set_up(engine, CONVENTIONS, now=NOW)
            self.filled[kind, purpose] = fill(engine)
            engine.dispose()
        return name, self.filled[kind, purpose]

    def copy(self, kind: str, purpose: str, fill: Fill = lambda _engine: None) -> tuple[Engine, object]:
        """A copy of a template of one's own, and what filling it returned."""
        source, result = self.template(kind, purpose, fill)
        self.count += 1
        name = self._name(kind, f"{purpose}_{self.count}")
        if kind == "sqlite":
            shutil.copyfile(source, name)
        else:
            self.admin().execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
            self.made.add(name)
        return self._open(kind, name), result

    def drop(self, engine: Engine) -> None:
        """Close and remove a database made here."""
        name = engine.url.database or ""
        engine.dispose()
        if name in self.made:
            self.admin().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            self.made.discard(name)
        elif Path(name).parent == self.folder:
            for path in self.folder.glob(f"{Path(name).name}*"):
                path.unlink()

    def close(self) -> None:
        """Drop whatever is left."""
        if self._admin is not None:
            for name in self.made:
                self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            self._admin.close()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The maker of databases of this process."""
    maker = Databases(tmp_path_factory.mktemp("databases"))
    yield maker
    maker.close()


@pytest.fixture(params=KINDS)
def empty_engine(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """A database without a schema, on each kind."""
    engine = databases.empty(request.param)
    yield engine
    databases.drop(engine)


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """A database with schema, conventions and rights but no records, on each kind."""
    made, _ = databases.copy(request.param, "plain")
    yield made
    databases.drop(made)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, databases: Databases) -> Iterator[World]:
    """A small company in a database of the test's own, on each kind."""
    made, filled = databases.copy(request.param, "world", build_world)
    assert isinstance(filled, World)
    yield filled.on(made)
    databases.drop(made)


@pytest.fixture(params=KINDS, scope="session")
def shared_world(request: pytest.FixtureRequest, databases: Databases) -> Iterator[World]:
    """The same company for tests that only read or are refused; nothing written in it is kept."""
    made, filled = databases.copy(request.param, "world", build_world)
    assert isinstance(filled, World)
    yield filled.on(made, shared=True)
    databases.drop(made)
