"""The generated companies that are asked about: each with its own pipeline, fields and words.

A folder of ``cases`` holds what is asked of one company. ``laboratory``, ``staffing``, ``catering``, ``brokerage``, ``solar`` and
``unseen`` bring their profiles along as files. Nobody who builds the product looks at the folder of ``unseen``, so that its score tells how a company fares that nobody has thought of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from integrations.world.profiles import MACHINERY, SOFTWARE, Profile

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Company:
    """A profile and the seed that its three years are drawn by; ``indexed`` where questions need search by meaning."""

    name: str
    seed: int
    indexed: bool = False

    @property
    def folder(self) -> Path:
        """Where its cases lie."""
        return CASES / self.name

    @property
    def profile(self) -> Profile:
        """Its own words."""
        return {"software": SOFTWARE, "machinery": MACHINERY}.get(self.name) or _profile(self.folder / "profile.yaml")


@cache
def _profile(path: Path) -> Profile:
    return TypeAdapter(Profile).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


COMPANIES = {
    company.name: company
    for company in (
        Company("software", 7, indexed=True),
        Company("machinery", 11),
        Company("laboratory", 17),
        Company("staffing", 29),
        Company("catering", 31),
        Company("brokerage", 37),
        Company("solar", 41),
        Company("unseen", 23),
    )
}
