"""What a message can contribute to a question, before it is decided what is asked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from assistant.language.dates import When
from assistant.language.entities import Name

#: Which time field a state is about, by noun.
STATE_TIME: dict[tuple[str, str], str] = {
    ("deal", "won"): "closed",
    ("deal", "lost"): "closed",
    ("deal", "closed"): "closed",
    ("deal", "closing"): "expected_close",
    ("deal", "due"): "expected_close",
    ("deal", "overdue"): "expected_close",
    ("deal", "open"): "expected_close",
    ("ticket", "resolved"): "resolved",
    ("ticket", "closed"): "resolved",
    ("lead", "converted"): "converted",
    ("activity", "due"): "due",
    ("activity", "overdue"): "due",
    ("activity", "incomplete"): "due",
    ("activity", "completed"): "completed",
}


@dataclass
class RawFilter:
    """A condition before its noun is known."""

    field: str
    op: str
    values: list[Any]
    said: str
    noun: str = ""
    negated: bool = False
    joined_by_or: bool = False
    #: The clause that it stands in.
    clause: int = 0
    #: The word of the message that it begins at; -1 where it was not said there.
    at: int = -1
    #: What else the same words name: a team of the same name as a region.
    alternatives: list[tuple[str, Any]] = dataclasses.field(default_factory=list)


@dataclass
class RawKeep:
    """A condition on the groups of a figure: "below quota", "win rate over 40%"; no metric means the one asked for."""

    metric: str
    op: str
    value: Decimal
    said: str


@dataclass
class RawRelation:
    """Related records that must be there, or must not, before it is decided what their conditions are."""

    root: str
    noun: str
    parts: Parts
    said: str
    denied: bool = False
    at_least: int = 1


@dataclass
class Parts:
    """What the message contributes, before the decision what it asks."""

    metrics: list[str] = field(default_factory=list)
    nouns: list[str] = field(default_factory=list)
    plural_noun: bool = False
    states: list[str] = field(default_factory=list)
    negated_states: list[str] = field(default_factory=list)
    aggregates: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    filters: list[RawFilter] = field(default_factory=list)
    #: Values by a part of their name, "competitor" for "Went with competitor", that count where lost deals are spoken of.
    weak: list[RawFilter] = field(default_factory=list)
    keeps: list[RawKeep] = field(default_factory=list)
    relations: list[RawRelation] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    #: The clause that each group stands in.
    group_clauses: dict[str, int] = field(default_factory=dict)
    wh_groups: list[str] = field(default_factory=list)
    times: list[tuple[When, str]] = field(default_factory=list)
    untouched: When | None = None
    untouched_days: int | None = None
    order: str = ""
    order_field: str = ""
    order_is_soft: bool = False
    #: "Highest first": an order of all, not the one on top.
    sorting: bool = False
    #: "Plus January": what is named comes to what the question before was narrowed to.
    adding: bool = False
    #: Fields that a question of its own takes no condition on from the one before: "renewals included", "forget the tier".
    released: list[str] = field(default_factory=list)
    #: The last word is somebody's: "let me see Odile's".
    possessed: bool = False
    limit: int | None = None
    compare: str = ""
    me: bool = False
    my_team: bool = False
    customer: bool = False
    names: list[Name] = field(default_factory=list)
    negated_names: set[int] = field(default_factory=set)
    #: For each name, the colleagues that the same words name.
    colleagues: list[list[tuple[int, str]]] = field(default_factory=list)
    people: list[tuple[int, str]] = field(default_factory=list)
    cues: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    #: Which fields of which kinds of records each of ``fields`` can be: "headcount" of a company or of a deal.
    field_senses: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unknown_capital: list[str] = field(default_factory=list)
    #: Words that only carry the sentence.
    idle: list[str] = field(default_factory=list)
    smalltalk: str = ""
    record_numbers: list[tuple[str, int]] = field(default_factory=list)
    follow_up: bool = False
    pronoun: bool = False
    #: "Year", "week" and the like that belong to no time and to no split.
    loose_grains: list[str] = field(default_factory=list)
    #: A possessive before anything that it could mean in the message itself: "show me their deals".
    loose: str = ""
    sort: str = ""
    contacts_at: bool = False
    subsidiary: bool = False
    why: bool = False
    #: A pipeline was named with the word: "renewals pipeline", which may be the open deals in it.
    named_pipeline: bool = False
    #: The grouping word was plural: several groups are asked for.
    plural_group: bool = False
    #: What a search by meaning should look for.
    content: list[str] = field(default_factory=list)
    #: Every word, and the metric phrases as they were said.
    words_seen: set[str] = field(default_factory=set)
    phrases: str = ""
    #: The message as it is read, and the words of its times.
    message: str = ""
    said_times: list[str] = field(default_factory=list)
    #: How often something happened: comparison and number.
    multiplicity: tuple[str, int] | None = None
    write_verb: str = ""
    #: Codes of the currencies that amounts were said in.
    currencies: set[str] = field(default_factory=set)
    first_words: list[str] = field(default_factory=list)
    #: The content words after "about", or all of them, for a search by meaning.
    topic: list[str] = field(default_factory=list)
    words: int = 0
