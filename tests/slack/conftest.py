"""A workspace for the Slack tests: a small generated company, the fake Web API, and its people on both sides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.slack_api import FakeSlack
from tests.http.doors import House, build_template
from tests.slack.workspace import Workspace


@pytest.fixture(scope="session")
def slack_template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The generated company, closed; copy it, never open it."""
    return build_template(tmp_path_factory.mktemp("slack") / "template.db")


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """Slack's side."""
    with FakeSlack() as fake:
        yield fake


@pytest.fixture
def workspace(slack: FakeSlack, slack_template: House, tmp_path: Path) -> Iterator[Workspace]:
    """Both sides, linked."""
    path = tmp_path / "rapport.db"
    shutil.copyfile(slack_template.path, path)
    made = Workspace(slack, replace(slack_template, path=path, overrides={}))
    yield made
    made.close()
