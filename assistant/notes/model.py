"""What a note holds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

FactKind = Literal[
    "budget", "authority", "need", "timeline", "competitor", "objection", "process", "promise", "next_meeting", "sentiment"
]  # fmt: skip


class Fact(BaseModel):
    """One thing that was said. ``quote`` is the text from ``start`` to ``end`` that it rests on."""

    kind: FactKind
    quote: str
    start: int
    end: int
    #: How sure the reading is, 0 to 1; what is below :data:`SURE` is shown as a question.
    confidence: float
    #: The amount of a budget in units, and its currency where one is named.
    amount: Decimal | None = None
    currency: str = ""
    #: Who decides, who competes, or who promised (``us`` or ``them``); the mood of a sentiment (``positive`` or ``negative``).
    who: str = ""
    #: The day of a timeline, a promise or a meeting.
    day: date | None = None


#: Confidence from which a fact is taken as said.
SURE = 0.6


#: What a call has to establish, in its usual order (BANT).
QUALIFYING = ("budget", "authority", "need", "timeline")


class Qualification(BaseModel):
    """Which of budget, authority, need and timeline a call established, and which it did not."""

    budget: bool
    authority: bool
    need: bool
    timeline: bool

    @property
    def missing(self) -> list[str]:
        """What is still to be found out, in their usual order."""
        return [name for name in QUALIFYING if not getattr(self, name)]


class Note(BaseModel):
    """All facts of a text, in the order of the text, and what they establish."""

    facts: list[Fact] = Field(default_factory=list)
    qualification: Qualification

    def of(self, kind: FactKind) -> list[Fact]:
        """The facts of one kind."""
        return [fact for fact in self.facts if fact.kind == kind]
