"""The documentation names everything there is: metrics, settings, columns, commands; its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from crm_core.metrics.definitions import METRICS
from crm_core.services.exchange.columns import COLUMNS
from integrations.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_metrics_page_is_what_the_declarations_say(reference: ModuleType) -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == reference.metrics_page(), "run python scripts/reference.py"
    assert all(f"`{name}`" in page for name in METRICS)


def test_the_settings_table_is_what_the_declarations_say(reference: ModuleType) -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    assert page == reference.with_settings(page), "run python scripts/reference.py"


@pytest.mark.parametrize("file", COLUMNS)
def test_every_column_is_explained_in_the_section_of_its_file(file: str) -> None:
    section = (DOCS / "import.md").read_text(encoding="utf-8").split(f"### {file}.csv")[1].split("###")[0]
    assert [column for column in COLUMNS[file] if f"`{column}`" not in section] == []


def test_every_command_is_in_the_guide() -> None:
    guide = (DOCS / "guide.md").read_text(encoding="utf-8")
    command = typer.main.get_command(app)
    assert [name for name in command.commands if f"rapport {name}" not in guide] == []  # type: ignore[attr-defined]


def test_links_between_pages_lead_somewhere() -> None:
    dead = []
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_the_readme_begins_with_a_conversation_and_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^>", readme, re.MULTILINE) is not None
    assert readme.index("make demo") < readme.index("make test") < 6000
