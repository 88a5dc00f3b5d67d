"""Reading the product's source: its modules as trees, its imports as a graph, and the checks that laws are made of.

Each check takes source text and returns what is wrong, so that a test can show on a bad snippet that it sees it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm_core", "assistant", "integrations")

Check = Callable[[str], list[str]]


@cache
def modules(*packages: str) -> dict[str, str]:
    """The source of every module of some packages, by dotted name; generated migrations left out."""
    found = {}
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "versions" in path.parts:
                continue
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    assert len(found) > 10, f"no source of {packages or PACKAGES} below {ROOT}"
    return found


def broken(check: Check, *packages: str, except_in: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """The modules that a check finds fault with, and the faults."""
    return {name: faults for name, source in modules(*packages).items() if name not in except_in and (faults := check(source))}


def imported(source: str, *, module: str = "") -> set[str]:
    """Dotted names that a module imports anywhere in it, what is only for type checkers included; relative ones resolved."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")[: -node.level]
                base = ".".join([*parts, base] if base else parts)
            names |= {base} | {f"{base}.{item.name}" for item in node.names}
    return names


def imports_any(*forbidden: str) -> Check:
    """Faults: imports of these packages or of anything below them."""

    def check(source: str) -> list[str]:
        return sorted(name for name in imported(source) if any(name == item or name.startswith(item + ".") for item in forbidden))

    return check


def commits(source: str) -> list[str]:
    """Faults: calls of a method named ``commit``."""
    return [f"line {node.lineno}" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute) and node.attr == "commit"]


_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "fromtimestamp"}


def clocks(source: str) -> list[str]:
    """Faults: asking the machine for the time (``datetime.now``, ``date.today``, ``time.time`` and their like)."""
    tree = ast.parse(source)
    timers = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.name in ("time", "datetime", "date") and (isinstance(node, ast.Import) or node.module in ("datetime", "time"))
    }
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in _CLOCKS:
            root = called.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if (
                isinstance(root, ast.Name)
                and root.id in timers
                and not (called.attr == "fromtimestamp" or called.attr == "time" and root.id != "time")
            ):
                faults.append(f"line {node.lineno}: {ast.unparse(called)}")
        elif (
            isinstance(called, ast.Name)
            and called.id == "time"
            and any(isinstance(item, ast.ImportFrom) and item.module == "time" for item in ast.walk(tree))
        ):
            faults.append(f"line {node.lineno}: time()")
    return faults


def coroutines(source: str) -> list[str]:
    """Faults: ``async def``, ``await`` and ``asyncio``."""
    faults = [
        f"line {node.lineno}: {type(node).__name__}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    return faults + imports_any("asyncio", "anyio")(source)


_MONEY = re.compile(r"amount|price|money|revenue|_minor|budget|total|value$")


def floats_of_money(source: str) -> list[str]:
    """Faults: a field whose name speaks of money and whose type is a float; a float column in a table."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = ast.unparse(node.annotation)
            if re.search(r"\bfloat\b", kind) and _MONEY.search(node.target.id):
                faults.append(f"line {node.lineno}: {node.target.id}: {kind}")
            if node.value is not None and re.search(r"mapped_column\((Float|Numeric|Double|REAL)\b", ast.unparse(node.value)):
                faults.append(f"line {node.lineno}: {node.target.id} is a {ast.unparse(node.value)}")
    return faults


def undocumented(source: str) -> list[str]:
    """Faults: a module, public class, or public function or method without a docstring (inner functions are private)."""
    tree = ast.parse(source)
    faults = [] if ast.get_docstring(tree) else ["the module"]

    def walk(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
        for item in node.body:
            if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or item.name.startswith("_"):
                continue
            trivial = isinstance(item, ast.FunctionDef) and len(item.body) == 1 and ast.unparse(item.body[0]) in ("...", "pass")
            if not ast.get_docstring(item) and not trivial:
                yield f"line {item.lineno}: {prefix}{item.name}"
            if isinstance(item, ast.ClassDef):
                yield from walk(item, f"{prefix}{item.name}.")

    return faults + list(walk(tree, ""))


_ADDRESS = re.compile(r"(?:https?|wss?|ftp)://([^\s/\"'`<>{}()|\\]+)", re.IGNORECASE)
_ALLOWED_HOSTS = re.compile(
    r"(?:.*\.)?(?:127\.0\.0\.1|localhost|\[::1\]|slack\.com|w3\.org|example|example\.(?:com|org|net)|test|HOST)(?::\d+)?\.?", re.IGNORECASE
)


def foreign_addresses(source: str) -> list[str]:
    """Faults: an address of anything but this machine, Slack, the W3C's names, and example domains."""
    return [match.group() for match in _ADDRESS.finditer(source) if not _ALLOWED_HOSTS.fullmatch(match.group(1).rstrip(".,;:"))]


_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\s*\(|new\s+Function\b|srcdoc|DOMParser|createContextualFragment|setHTML|\bjavascript:"
)


def markup_from_text(source: str) -> list[str]:
    """Faults in a script of the page: ways to turn text into markup or code."""
    return [match.group() for match in _MARKUP.finditer(source)]
