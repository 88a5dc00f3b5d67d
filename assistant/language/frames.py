"""What a message means, in a form that can be kept, merged with the next message, and planned into tool calls."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from crm_core.metrics.filters import Condition
from crm_core.metrics.measures import Measure
from crm_core.metrics.question import Days, GroupCondition

Intent = Literal[
    "metric",
    "list",
    "record",
    "interactions",
    "movement",
    "history",
    "explain",
    "rows",
    "more",
    "teach",
    "forget",
    "define",
    "help",
    "smalltalk",
    "write",
    "undo",
    "command",
    "choose",
    "unknown",
    "nothing",
]


class Entity(BaseModel):
    """A record meant by a name."""

    noun: str
    id: int
    label: str


class ShownGroup(BaseModel):
    """One part of a split figure, as a later message can point at it: "that region", "the second one", "her win rate"."""

    field: str
    value: str | int
    label: str


class Pending(BaseModel):
    """A question put back to the asker: which of these did ``name`` mean?"""

    name: str
    candidates: list[Entity]
    hints: list[str] = Field(default_factory=list)


class Command(BaseModel):
    """A call of a verb that changes something; ``waiting`` is the argument that gets the number of a record still to be chosen.

    With ``ids`` it is made on each of these records.
    """

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    waiting: str = ""
    ids: list[int] = Field(default_factory=list)


class Frame(BaseModel):
    """One reading of a message. Only the parts that its intent needs are set."""

    intent: Intent
    noun: str = ""
    metric: str = ""
    filters: list[Condition] = Field(default_factory=list)
    #: Where a share of a figure is asked for: the conditions of the part, and how they read.
    part: list[Condition] = Field(default_factory=list)
    said_part: list[str] = Field(default_factory=list)
    #: The number of the counted records that is added up or averaged instead of counting them.
    measure: Measure | None = None
    group_by: list[str] = Field(default_factory=list)
    period: Days | None = None
    compare: Literal["previous", "year_before"] | None = None
    order: Literal["highest", "lowest"] | None = None
    keep: list[GroupCondition] = Field(default_factory=list)
    order_by: str = ""
    descending: bool = True
    limit: int | None = None
    count_only: bool = False
    entity: Entity | None = None
    entities: list[Entity] = Field(default_factory=list)
    asked_fields: list[str] = Field(default_factory=list)
    topic: str = ""
    kinds: list[str] = Field(default_factory=list)
    latest: bool = False
    pending: Pending | None = None
    #: Words that were not understood, for an honest refusal.
    unknown: list[str] = Field(default_factory=list)
    #: Of ``unknown``, what was read into the message and does not stand there in these words.
    misplaced: list[str] = Field(default_factory=list)
    #: How sure the reading is, 0 to 1.
    confidence: float = 1.0
    #: What kind of small talk or which refusal.
    detail: str = ""
    #: How each filter reads, for the answer's first sentence.
    said: list[str] = Field(default_factory=list)
    offset: int = 0
    #: Rows in all of the list that was shown, and the records that its answer spoke of, the likeliest to be meant first.
    total: int | None = None
    shown: list[Entity] = Field(default_factory=list)
    salient: list[Entity] = Field(default_factory=list)
    #: The first parts of a figure that was split by one field, in the order shown.
    groups: list[ShownGroup] = Field(default_factory=list)
    #: The candidates of a name that was asked back.
    offered: list[Entity] = Field(default_factory=list)
    #: The past day as of whose end a figure or list is meant.
    as_of: date | None = None
    #: First and last day of a movement or history, and the one step of a movement that is asked for.
    since: date | None = None
    until: date | None = None
    step: str = ""
    #: Taught words that were read in the message, with their meanings.
    taught: dict[str, str] = Field(default_factory=dict)
    #: What was said around the question and had no part in reading it.
    aside: str = ""
    #: What is to be changed.
    calls: list[Command] = Field(default_factory=list)
    #: A change that lacks what ``detail`` asks for, in the words with which the answer goes on.
    unfinished: str = ""
    #: Which of the records that were meant the calls leave as they are, and why.
    unchanged: str = ""
    #: Numbers of the changes that came of ``calls``, and of those that the calls correct.
    made: list[int] = Field(default_factory=list)
    replaces: list[int] = Field(default_factory=list)
    #: Numbers of the applied changes that are to be taken back.
    changes: list[int] = Field(default_factory=list)
    #: Columns of a list, where not the usual ones are asked for.
    columns: list[str] = Field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As kept with the turn."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"intent": self.intent}
