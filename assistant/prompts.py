"""Prompts are Markdown files; a missing or unused variable is an error."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


@cache
def _text(name: str) -> str:
    return (files("prompts") / f"{name}.md").read_text(encoding="utf-8")


def render(name: str, **variables: str) -> str:
    """The prompt with its variables filled in; raises ``KeyError`` that names what is missing or unused."""
    text = _text(name)
    wanted = set(_VARIABLE.findall(text))
    missing, unused = wanted - variables.keys(), variables.keys() - wanted
    if missing or unused:
        raise KeyError(f"prompt {name}: missing {sorted(missing)}, unused {sorted(unused)}")
    return _VARIABLE.sub(lambda match: variables[match.group(1)], text)
