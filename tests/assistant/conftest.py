"""A generated company for the tests of real models: one a session, a copy of it for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.doors import House, build_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The generated company, closed."""
    return build_template(tmp_path_factory.mktemp("model") / "template.db")


@pytest.fixture
def house(template: House, tmp_path: Path) -> Iterator[House]:
    """A company of the test's own."""
    path = tmp_path / "rapport.db"
    shutil.copyfile(template.path, path)
    made = House(path, template.people, template.keys)
    yield made
    made.close()
