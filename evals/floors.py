"""The floors of ``floors.yaml``: what each set must reach, and what it may not pass."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import yaml

#: Numbers of which less is better; of all others more is.
LIMITS = frozenset({"wrong", "needless"})


@cache
def floors() -> dict[str, dict[str, float]]:
    """By set: numbers by name, in percent; a least one, or of ``LIMITS`` a most."""
    found: dict[str, dict[str, float]] = yaml.safe_load((Path(__file__).parent / "floors.yaml").read_text(encoding="utf-8"))
    return found


def hold(summaries: dict[str, dict[str, float]]) -> int:
    """Print what breaks a floor, of the sets that were measured; 1 where anything does, as an exit status."""
    broken = [
        f"{name}: {key} {numbers[key]:.1f} % is {'above the limit' if key in LIMITS else 'below the floor'} of {wanted} %"
        for name, numbers in summaries.items()
        for key, wanted in floors().get(name, {}).items()
        if (numbers[key] > wanted if key in LIMITS else numbers[key] < wanted)
    ]
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0
