"""The closed set of what an answer can hold; every door renders these blocks and nothing else."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class Text(BaseModel):
    """A paragraph. Plain text; ``**bold**`` is the only markup."""

    type: Literal["text"] = "text"
    text: str


class Column(BaseModel):
    """A table's column: heading, and whether its cells are figures (set right)."""

    title: str
    numeric: bool = False


class Link(BaseModel):
    """A record that a cell or citation opens."""

    noun: str
    id: int


class Cell(BaseModel):
    """A table cell."""

    text: str
    link: Link | None = None


class Table(BaseModel):
    """Rows, with how many there are in all; ``total`` above the number shown is said by every door."""

    type: Literal["table"] = "table"
    title: str = ""
    columns: list[Column]
    rows: list[list[Cell]]
    total: int


class Card(BaseModel):
    """One record with its facts."""

    type: Literal["card"] = "card"
    title: str
    subtitle: str = ""
    link: Link
    facts: list[tuple[str, str]]


class Series(BaseModel):
    """One line or set of bars; None where there is no value."""

    name: str
    values: list[float | None]


class Chart(BaseModel):
    """A small chart: bars for groups, a line for time, a waterfall from one total to another by signed steps.

    ``format`` tells how values read.
    """

    type: Literal["chart"] = "chart"
    title: str
    kind: Literal["bar", "line", "waterfall"]
    labels: list[str]
    series: list[Series]
    format: str = "number"

    def spans(self) -> list[tuple[float, float]]:
        """Where each bar of the first series begins and ends; the steps of a waterfall hang from the total before."""
        values = [value or 0.0 for value in self.series[0].values] if self.series else []
        spans: list[tuple[float, float]] = []
        level = 0.0
        for place, value in enumerate(values):
            if self.kind != "waterfall" or place in (0, len(values) - 1):
                spans.append((min(0.0, value), max(0.0, value)))
                level = value
            else:
                spans.append((min(level, level + value), max(level, level + value)))
                level += value
        return spans


class Option(BaseModel):
    """One choice; ``message`` is what choosing it says."""

    label: str
    hint: str = ""
    message: str


class Choices(BaseModel):
    """A question back, with candidates, best first."""

    type: Literal["choices"] = "choices"
    question: str
    options: list[Option]


class Approval(BaseModel):
    """A proposed change: its diff and the hash that an approval must name."""

    type: Literal["approval"] = "approval"
    change_set_id: int
    title: str
    risk: str
    rule: str
    diff: list[dict[str, Any]]
    diff_hash: str
    #: Applied already, since its class needs nobody's yes.
    applied: bool = False
    #: The diff as people read it: record, title, old, new.
    changes: list[dict[str, Any]] = Field(default_factory=list)
    #: Of a change of several records: how many of which, and what the deals among them are worth.
    summary: str = ""
    #: Lines of the whole diff; a long one is given in part.
    lines_in_all: int = 0
    #: Why some of what was asked for is not part of it.
    left_out: list[str] = Field(default_factory=list)

    def lines(self, most: int = 20) -> list[str]:
        """The diff in lines of text, ``Globex renewal, amount: $40,000 → $45,000``; how many more there are where it is longer."""
        told: list[str] = []
        before = ""
        for item in self.changes:
            if not item["created"]:
                told.append(f"{item['record']}, {item['title']}: {item['old']} → {item['new']}")
            elif item["record"] == before:
                told[-1] += f", {item['title']}: {item['new']}"
            else:
                told.append(f"{item['record']}, {item['title']}: {item['new']}")
            before = item["record"]
        beyond = max(0, self.lines_in_all - len(self.diff))  # a long diff is given in part
        more = max(0, len(told) - most) + beyond
        return [*told[:most], f"and {more:,} more"] if more else told

    def besides(self) -> list[str]:
        """What is told beside the diff: what it touches in all, and why a part of what was asked for is not in it."""
        reasons = Counter(self.left_out)
        left = [f"Not part of it: {reason}{f' ({count} records)' if count > 1 else ''}" for reason, count in reasons.items()]
        return [*([self.summary] if self.summary else []), *left]


Block = Annotated[Text | Table | Card | Chart | Choices | Approval, Field(discriminator="type")]


class Citation(BaseModel):
    """An interaction that a sentence rests on."""

    number: int
    noun: str
    id: int
    when: str
    who: str
    kind: str
    title: str
    quote: str


class Figure(BaseModel):
    """A figure shown and the computed result it came from: enough to say how, and to show its rows."""

    ref: str
    shown: str
    title: str
    value: str | None
    unit: str
    meaning: str = ""
    period: str = ""
    scope: str = ""
    filters: str = ""
    as_of: str = ""
    question: dict[str, Any] | None = None
    groups: list[tuple[list[str], str | None]] = Field(default_factory=list)
    record_ids: list[int] = Field(default_factory=list)
    rows_in_all: int | None = None
    sql: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


Outcome = Literal["answered", "asked", "declined", "empty", "failed"]


class Answer(BaseModel):
    """What a person gets back. ``outcome`` tells an answer from a question back, a refusal, and "there is none"."""

    text: str
    outcome: Outcome = "answered"
    blocks: list[Block] = Field(default_factory=list)
    figures: list[Figure] = Field(default_factory=list)
    citations: list[Citation] = Field(default_factory=list)
    proposals: list[Approval] = Field(default_factory=list)
    follow_ups: list[str] = Field(default_factory=list)
    notices: list[str] = Field(default_factory=list)
    model: str = "embedded"
    #: Tokens of a real model, sent and received together, and what they cost at the prices that are set.
    tokens: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal()
    milliseconds: int = 0
    thread: str = ""
    turn: int = 0
