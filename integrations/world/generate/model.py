"""How much is made, and what the generator remembers of what it has made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

HISTORY_DAYS = 3 * 365


#: Rows are handed over in the order that foreign keys allow.
TABLES = (
    "team",
    "user_account",
    "pipeline",
    "stage",
    "product",
    "price",
    "picklist_value",
    "custom_field",
    "exchange_rate",
    "target",
    "company",
    "contact",
    "employment",
    "deal",
    "deal_contact",
    "line_item",
    "stage_entry",
    "close_date_change",
    "lead",
    "ticket",
    "activity",
    "activity_participant",
    "event",
)


Sink = Callable[[str, list[dict[str, Any]]], None]


MONTH_WEIGHT = (0.9, 1.0, 1.2, 0.95, 1.05, 1.2, 0.75, 0.65, 1.15, 1.1, 1.2, 0.85)


@dataclass(frozen=True)
class Size:
    """How much to make."""

    companies: int
    deals: int
    activities_per_deal: float
    reps: int

    @classmethod
    def named(cls, name: str) -> Size:
        """``demo`` (150 companies, 900 deals, about 15,000 activities), ``small`` for tests, ``bench`` (100,000 deals)."""
        return {
            "small": cls(24, 90, 8.0, 4),
            "demo": cls(150, 900, 15.0, 12),
            "bench": cls(17_000, 100_000, 9.7, 120),
        }[name]


@dataclass
class Rep:
    """A seller, with a territory and a skill that wins are drawn by."""

    id: int
    name: str
    team: int
    region: str
    skill: float


@dataclass
class Client:
    """A company that is sold to, with its people."""

    id: int
    name: str
    region: str
    city: str
    owner: Rep
    contacts: list[tuple[int, str]]
    size: float
    created: datetime


@dataclass
class Story:
    """What a deal's interactions are about."""

    rival: str
    product: str
    amount: str
    topics: list[str]
