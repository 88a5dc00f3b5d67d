"""From a text to its facts: the judge says which sentences tell something, the rules what it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from assistant.language.dates import Clock
from assistant.notes.judging import KINDS, Matrix, Weights, features, shipped_weights
from assistant.notes.model import QUALIFYING, SURE, Fact, FactKind, Note, Qualification
from assistant.notes.passages import Sentence, sentences_of
from assistant.notes.rules import Rules
from crm_core.periods import Calendar
from crm_core.text import fold

#: Kinds of which a text has one, the newest.
_ONE: tuple[FactKind, ...] = ("budget", "timeline", "sentiment", "next_meeting")
#: Needs that are kept of a text, the surest first.
MOST_NEEDS = 2
#: Below this confidence a fact is not even a question.
LEAST = 0.3
#: Of several sentences that tell one thing the last holds that is at least so likely as this share of the likeliest.
_NEARLY = 0.75


@dataclass(frozen=True)
class Sentences:
    """A text as it is judged: its sentences, what the rules found in each, and the features of each."""

    sentences: list[Sentence]
    found: list[list[Fact]]
    rules: Rules
    features: Matrix


def prepared(text: str, today: date, vocabulary: dict[str, int], calendar: Calendar | None = None) -> Sentences:
    """A text that was written on ``today``, cut and looked at."""
    reader = Rules(Clock(today, calendar or Calendar(1, 0), day_first=True))
    sentences = sentences_of(text)
    found = [reader.read(sentence) for sentence in sentences]
    size = (0, 0) if not sentences else None
    return Sentences(sentences, found, reader, np.zeros(size) if size else features(sentences, found, reader, vocabulary))


def read_note(text: str, today: date, *, calendar: Calendar | None = None) -> Note:
    """The facts of a text that was written on ``today``; the newest of what contradicts holds."""
    weights = shipped_weights()
    ready = prepared(text, today, weights.vocabulary, calendar)
    if not ready.sentences:
        return Note(qualification=Qualification(**dict.fromkeys(QUALIFYING, False)))
    return judged(ready, weights.probabilities(ready.features), weights)


def judged(ready: Sentences, probabilities: Matrix, weights: Weights) -> Note:
    """The note, given how likely each sentence tells a fact of each kind."""
    facts = [fact for kind in KINDS for fact in facts_of(kind, ready, probabilities, weights.floors)]
    sure = {fact.kind for fact in facts if fact.confidence >= SURE}
    greatest = probabilities.max(axis=0)
    established = {name: name in sure or bool(greatest[KINDS.index(name)] >= weights.established[place]) for place, name in enumerate(QUALIFYING)}
    return Note(facts=sorted(facts, key=lambda fact: fact.start), qualification=Qualification(**established))


def facts_of(kind: FactKind, ready: Sentences, probabilities: Matrix, floors: Matrix) -> list[Fact]:
    """The facts of one kind that hold: of budget, timeline, mood and meeting one, the newest and surest; nobody and nothing twice."""
    column = KINDS.index(kind)
    facts: list[tuple[Fact, int]] = []
    for place, sentence in enumerate(ready.sentences):
        ruled = [fact for fact in ready.found[place] if fact.kind == kind and fact.confidence >= SURE]
        confidence = _confidence(float(probabilities[place, column]), float(floors[1 if ruled else 0, column]))
        if confidence >= LEAST and not sentence.asks:
            told = [fact for fact in ready.found[place] if fact.kind == kind] or ready.rules.plainly(kind, sentence)
            facts += [(fact.model_copy(update={"confidence": round(confidence, 2)}), sentence.age) for fact in told]
    if kind in _ONE:
        newest = min((age for _fact, age in facts), default=0)
        current = [fact for fact, age in facts if age == newest]
        most = max((fact.confidence for fact in current), default=0.0)
        return [fact for fact in current if fact.confidence >= _NEARLY * most][-1:]
    kept: dict[str, Fact] = {}
    for fact, _age in sorted(facts, key=lambda item: -item[0].confidence):
        kept.setdefault(fold(fact.who if kind in ("authority", "competitor") else fact.quote), fact)
    return list(kept.values())[: MOST_NEEDS if kind == "need" else None]


def _confidence(probability: float, floor: float) -> float:
    """A probability on the scale on which :data:`SURE` is what is taken as said."""
    return SURE + (1 - SURE) * (probability - floor) / (1 - floor) if probability >= floor else SURE * probability / floor
