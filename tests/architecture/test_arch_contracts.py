"""The shape of the house: which way imports go, what is written down, and what has no place in the product's source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from assistant.prompts import render
from assistant.tools import ASSISTANT_TOOLS, WRITES_OFFERED, offered_tools
from crm_core.metrics.definitions import METRICS
from crm_core.services.catalog import CATALOG, Effect
from crm_core.settings import Settings
from tests.architecture.source import ROOT, broken, foreign_addresses, imported, imports_any, modules, undocumented

#: Lines after which a module becomes a package of the same name.
LONGEST_MODULE = 600
VENDORS = (
    "fastapi",
    "starlette",
    "uvicorn",
    "slack_bolt",
    "slack_sdk",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "openai",
    "chromadb",
)
#: The stairs inside the core, top first; names on one step do not know each other.
STEPS: tuple[tuple[str, ...], ...] = (
    ("changes",),
    ("services",),
    ("metrics",),
    ("context",),
    ("events", "access", "policy"),
    ("models",),
    ("database", "periods", "money", "settings", "ports"),
    ("errors", "text"),
)
HEIGHT = {name: len(STEPS) - place for place, names in enumerate(STEPS) for name in names}


def edges(package: str) -> Iterator[tuple[str, str]]:
    """Every import of one module of the product by another, as dotted names."""
    known = modules()
    for name, source in modules(package).items():
        for target in imported(source, module=name):
            if target in known and target != name:
                yield name, target


def climbs(source: str, target: str) -> bool:
    """Whether an import between two modules of the core goes up, or sideways on one step."""
    lower, upper = source.split(".")[1:2], target.split(".")[1:2]
    if not lower or not upper or lower == upper or lower[0] not in HEIGHT or upper[0] not in HEIGHT:
        return False
    return HEIGHT[upper[0]] >= HEIGHT[lower[0]]


class TestImports:
    def test_the_core_knows_no_web_no_slack_and_no_model_vendor(self) -> None:
        assert broken(imports_any(*VENDORS, "assistant", "integrations"), "crm_core") == {}

    def test_the_assistant_knows_no_web_no_slack_and_no_door(self) -> None:
        assert broken(imports_any("fastapi", "starlette", "uvicorn", "slack_bolt", "slack_sdk", "integrations"), "assistant") == {}

    @pytest.mark.parametrize(
        "snippet",
        [
            "import openai",
            "from langchain_core.messages import AIMessage",
            "def f():\n    import chromadb.config",
            "if TYPE_CHECKING:\n    from fastapi import Depends",
        ],
    )
    def test_the_check_sees_an_import_wherever_it_stands(self, snippet: str) -> None:
        assert imports_any(*VENDORS)(snippet)

    def test_stairs_in_the_core_only_go_down(self) -> None:
        assert sorted(f"{source} -> {target}" for source, target in edges("crm_core") if climbs(source, target)) == []

    def test_every_module_of_the_core_stands_on_a_step(self) -> None:
        standing = {name.split(".")[1] for name in modules("crm_core") if "." in name}
        assert standing - set(HEIGHT) <= {"migrations"}

    @pytest.mark.parametrize(
        ("source", "target", "up"),
        [
            ("crm_core.models.people", "crm_core.services.users", True),
            ("crm_core.services.deals", "crm_core.changes", True),
            ("crm_core.events", "crm_core.access", True),
            ("crm_core.metrics.query", "crm_core.models", False),
            ("crm_core.services.deals", "crm_core.services.records", False),
        ],
    )
    def test_the_check_tells_up_from_down(self, source: str, target: str, up: bool) -> None:
        assert climbs(source, target) is up

    def test_no_module_of_the_product_is_part_of_an_import_circle(self) -> None:
        # Imports for type checkers only, and those inside functions, are left out: they do not run when a module is loaded.
        graph: dict[str, set[str]] = {}
        known = modules()
        for name, source in known.items():
            top = ast.Module([node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)], [])
            targets = imported(ast.unparse(top), module=name)
            packages = {target for target in targets if f"{target}.__init__" not in known}
            graph[name] = {target for target in packages if target in known and not name.startswith(target + ".") and target != name}
        assert circle(graph) == []

    def test_the_check_sees_a_circle(self) -> None:
        assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != []
        assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []

    def test_the_projects_own_contracts_name_the_same_steps(self) -> None:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for name in HEIGHT:
            assert f"crm_core.{name}" in text


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if found := visit(target, [*path, name]):
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        if found := visit(name, []):
            return found
    return []


class TestWords:
    def test_everything_public_says_what_it_is(self) -> None:
        assert broken(undocumented, except_in=("crm_core.migrations",)) == {}

    @pytest.mark.parametrize(
        "snippet", ["x = 1", '"""M."""\ndef f():\n    return 1', '"""M."""\nclass A:\n    """A."""\n    def f(self):\n        return 1']
    )
    def test_the_check_sees_what_is_silent(self, snippet: str) -> None:
        assert undocumented(snippet)

    def test_no_module_is_named_for_nothing(self) -> None:
        vague = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc|stuff)$")
        assert [name for name in modules() if any(vague.search(part) for part in name.split("."))] == []
        assert vague.search("utils") and vague.search("date_helpers") and not vague.search("utility_company")

    def test_no_module_is_empty_or_endless(self) -> None:
        sizes = {name: source.count("\n") for name, source in modules().items()}
        empty = [name for name, source in modules().items() if not source.strip() and name != "crm_core.migrations"]
        assert empty == []
        long = {name: size for name, size in sizes.items() if size > LONGEST_MODULE and not name.startswith("crm_core.migrations")}
        assert long == {}, "a module of this length becomes a package of the same name"

    def test_the_source_names_no_foreign_address(self) -> None:
        wrong = broken(foreign_addresses)
        pages = {
            path.name: faults
            for path in sorted((ROOT / "integrations" / "web").rglob("*.*"))
            if path.suffix in (".js", ".css", ".html", ".svg") and (faults := foreign_addresses(path.read_text(encoding="utf-8")))
        }
        prompts = {
            path.name: faults for path in sorted((ROOT / "prompts").glob("*.md")) if (faults := foreign_addresses(path.read_text(encoding="utf-8")))
        }
        assert (wrong, pages, prompts) == ({}, {}, {})

    def test_the_check_tells_foreign_addresses_from_our_own(self) -> None:
        assert foreign_addresses('x = "https://fonts.faraway.io/a.css"') == ["https://fonts.faraway.io"]
        assert foreign_addresses('x = "https://slack.com.faraway.io/api"')
        ours = 'a = "http://127.0.0.1:8000/x" "http://localhost/" "https://slack.com/api/" "http://www.w3.org/2000/svg" "https://crm.acme.example/"'
        assert foreign_addresses(ours) == []


def described(model: type[BaseModel], path: str) -> Iterator[str]:
    """The fields of an argument model, and of the models in it, that are not described."""
    for name, field in model.model_fields.items():
        if not (field.description or "").strip():
            yield f"{path}.{name}"
        for inner in [field.annotation, *getattr(field.annotation, "__args__", ())]:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from described(inner, f"{path}.{name}")


class TestCatalog:
    @pytest.mark.parametrize("name", CATALOG)
    def test_a_capability_says_what_it_does_and_what_it_takes(self, name: str) -> None:
        capability = CATALOG[name]
        assert len(capability.description.split()) >= 3, f"{name} has no docstring worth reading"
        assert capability.description.rstrip().endswith("."), capability.description
        assert list(described(capability.arguments, name)) == []
        assert capability.arguments.model_config.get("extra") == "forbid", f"{name} ignores arguments that it does not know"

    def test_the_check_sees_an_argument_without_description(self) -> None:
        class Bare(BaseModel):
            amount: int

        assert list(described(Bare, "bare")) == ["bare.amount"]

    def test_names_are_verbs_of_the_trade_and_unique(self) -> None:
        names = [capability.name for capability in CATALOG.values()]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
        assert list(CATALOG) == names

    def test_every_public_verb_of_the_services_is_in_the_catalog_or_is_no_verb(self) -> None:
        # A function (ctx, args: Args) of a service is what a person can do; it must have its line in the catalog.
        missing = []
        for name, source in modules("crm_core").items():
            if not name.startswith("crm_core.services.") or name.endswith("catalog") or "exchange" in name:
                continue
            for node in ast.parse(source).body:
                if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                    continue
                arguments = node.args.args
                if len(arguments) == 2 and arguments[0].arg == "ctx" and arguments[1].arg == "args" and node.name not in CATALOG:
                    missing.append(f"{name}.{node.name}")
        reached_by_get_record = {f"get_{noun}" for noun in ("company", "contact", "lead", "deal", "ticket", "activity", "product", "user")}
        assert [item for item in missing if item.rsplit(".", 1)[1] not in reached_by_get_record] == []

    def test_a_model_is_offered_fewer_than_25_tools_and_reads_come_first(self) -> None:
        names = [tool.name for tool in offered_tools()]
        assert len(names) < 25
        reads = [name for name, item in CATALOG.items() if item.effect is Effect.read]
        assert names[: len(reads)] == reads
        assert set(WRITES_OFFERED) <= {name for name, item in CATALOG.items() if item.effect is Effect.write}
        assert set(names) == {*reads, *WRITES_OFFERED, *ASSISTANT_TOOLS}

    def test_the_tools_of_the_assistant_describe_their_arguments(self) -> None:
        for name, (arguments, description) in ASSISTANT_TOOLS.items():
            assert len(description.split()) > 4
            assert list(described(arguments, name)) == []

    @pytest.mark.parametrize("name", METRICS)
    def test_a_metric_says_what_it_means(self, name: str) -> None:
        metric = METRICS[name]
        assert metric.name == name
        assert len(metric.meaning.split()) >= 4, name
        assert metric.title.strip()


class TestPrompts:
    @pytest.fixture
    def prompts(self) -> dict[str, set[str]]:
        found = {path.stem: set(re.findall(r"\{\{(\w+)\}\}", path.read_text(encoding="utf-8"))) for path in sorted((ROOT / "prompts").glob("*.md"))}
        found.pop("README", None)
        assert found
        return found

    def test_a_prompt_loads_with_exactly_its_variables(self, prompts: dict[str, set[str]]) -> None:
        for name, variables in prompts.items():
            text = render(name, **{item: f"<{item}>" for item in variables})
            assert "{{" not in text
            assert all(f"<{item}>" in text for item in variables)

    def test_a_missing_or_unused_variable_is_an_error_that_names_it(self, prompts: dict[str, set[str]]) -> None:
        for name, variables in prompts.items():
            values = dict.fromkeys(variables, "x")
            with pytest.raises(KeyError, match="moonphase"):
                render(name, **values, moonphase="full")
            for item in variables:
                with pytest.raises(KeyError, match=item):
                    render(name, **{key: value for key, value in values.items() if key != item})

    def test_the_readme_tells_each_prompt_its_user_and_its_variables(self, prompts: dict[str, set[str]]) -> None:
        rows = (ROOT / "prompts" / "README.md").read_text(encoding="utf-8").splitlines()
        for name, variables in prompts.items():
            (row,) = [row for row in rows if f"`{name}.md`" in row]
            assert {item for item in re.findall(r"`(\w+)`", row)} >= variables
            user = re.findall(r"`([\w/]+\.py)`", row)
            assert user and all((ROOT / path).is_file() for path in user)

    def test_prompts_are_files_and_not_strings_in_code(self) -> None:
        long_orders = re.compile(r"(?i)\byou are (?:rapport|an? (?:helpful )?(?:crm )?assistant)\b")
        assert {name for name, source in modules().items() if long_orders.search(source)} == set()


class TestSettings:
    def test_every_setting_is_described(self) -> None:
        assert [name for name, field in Settings.model_fields.items() if len((field.description or "").split()) < 3] == []

    def test_every_setting_begins_with_rapport(self) -> None:
        assert Settings.model_config["env_prefix"] == "RAPPORT_"

    def test_settings_are_read_in_one_place(self) -> None:
        reading = re.compile(r"environ\.get\(|environ\[|getenv\(")
        assert {name for name, source in modules("crm_core", "assistant").items() if reading.search(source)} <= {"crm_core.settings"}

    def test_every_setting_that_a_sentence_names_exists(self) -> None:
        named = {match for source in modules().values() for match in re.findall(r"RAPPORT_([A-Z][A-Z_]*[A-Z])", source)}
        of_commands = {match for source in modules("integrations").values() for match in re.findall(r"envvar=\"RAPPORT_([A-Z_]+)\"", source)}
        assert {name.lower() for name in named - of_commands} - set(Settings.model_fields) == set()

    def test_secrets_are_never_printed(self) -> None:
        secret = [name for name, field in Settings.model_fields.items() if re.search(r"token|secret|key", name) and field.annotation is not int]
        assert secret
        shown = repr(Settings(_env_file=None, **{name: "xoxb-hidden-value" for name in secret}))  # type: ignore[call-arg]
        assert "hidden-value" not in shown

    def test_operations_names_every_setting(self) -> None:
        page = ROOT / "docs" / "operations.md"
        if not page.is_file():
            pytest.skip("docs/operations.md is not written yet")
        text = page.read_text(encoding="utf-8")
        assert [name for name in Settings.model_fields if f"RAPPORT_{name.upper()}" not in text] == []


def test_the_tests_name_no_place_of_their_own() -> None:
    here = Path(__file__).parents[1]
    own = [path for folder in ("architecture", "browser", "language") for path in sorted((here / folder).glob("*.py"))]
    absolute = re.compile(r"[\"'](?:/home/|/Users/|/work[/])")
    assert [path.name for path in own if absolute.search(path.read_text(encoding="utf-8"))] == []
