"""Houses for the HTTP tests: one generated company a session, a copy of it for each test that writes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.http.doors import House, build_template


@pytest.fixture(scope="session")
def house_template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The generated company, closed; copy it, never open it."""
    return build_template(tmp_path_factory.mktemp("house") / "template.db")


def _copy(template: House, folder: Path, **overrides: Any) -> House:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rapport.db"
    shutil.copyfile(template.path, path)
    return replace(template, path=path, overrides=overrides)


@pytest.fixture
def house(house_template: House, tmp_path: Path) -> Iterator[House]:
    """A house of the test's own; the clock of a chat may be set."""
    made = _copy(house_template, tmp_path, allow_now=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_house(house_template: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house for tests that only read or are refused."""
    made = _copy(house_template, tmp_path_factory.mktemp("shared"), allow_now=True)
    yield made
    made.close()


@pytest.fixture
def house_with(house_template: House, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes a house with other settings."""
    made: list[House] = []

    def make(**overrides: Any) -> House:
        made.append(_copy(house_template, tmp_path / f"house{len(made)}", **overrides))
        return made[-1]

    yield make
    for item in made:
        item.close()
