"""How likely a sentence of a note tells a fact of each kind: a small learned judge over embeddings, words, cues and what the rules found.

One logistic regression a kind, trained by ``python -m evals.notes_training`` on texts whose facts are known; its weights are part of the
package (``weights.npz``). It takes about 4 ms a sentence on one core, nearly all of it the embedding of the sentence. What it is asked is
whether, not what: amounts, days and names are read by ``rules``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from assistant.notes import rules
from assistant.notes.model import Fact, FactKind
from assistant.notes.passages import Sentence
from assistant.retrieval.embedding import Embedder
from crm_core.errors import Invalid

KINDS: tuple[FactKind, ...] = get_args(FactKind)
WEIGHTS = Path(__file__).parent / "weights.npz"
#: How much the embedding of a sentence and of what stood before it count against the plain features, which are 0 or 1.
_OWN, _BEFORE, _WORDS = 4.0, 1.5, 0.6
_WHEN = re.compile(r"\b(?:when|by when|date|deadline|timeline|how soon)\b", re.IGNORECASE)
_PERSONS = tuple(re.compile(words, re.IGNORECASE) for words in (r"\bI\b", r"\bwe\b", r"\b(?:she|he|they)\b", r"\byou\b"))
_WORD = re.compile(r"[a-z']+|\d")
#: A text of this many words counts as long.
_LONG = 40

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """What training found: a row of ``weights`` for each kind; probabilities from ``floors`` on are taken as said.

    ``floors`` has two rows, for sentences in which the rules found no fact of the kind, and for those in which they did.
    """

    vocabulary: dict[str, int]
    mean: Matrix
    weights: Matrix
    bias: Matrix
    floors: Matrix
    #: By budget, authority, need and timeline, in this order: from which greatest probability a call has established it.
    established: Matrix

    def save(self, path: Path) -> None:
        """Write the file that is shipped."""
        arrays: dict[str, Any] = {
            "kinds": np.array(KINDS),
            "vocabulary": np.array(sorted(self.vocabulary, key=lambda word: self.vocabulary[word])),
            "mean": self.mean.astype(np.float32),
            "weights": self.weights.astype(np.float32),
            "bias": self.bias,
            "floors": self.floors,
            "established": self.established,
        }
        np.savez_compressed(path, **arrays)

    def probabilities(self, features: Matrix) -> Matrix:
        """One row a sentence, one column a kind."""
        odds: Matrix = (features - self.mean) @ self.weights.T + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))), dtype=np.float64)


@cache
def shipped_weights() -> Weights:
    """Those of the package."""
    with np.load(WEIGHTS, allow_pickle=False) as found:
        if tuple(found["kinds"]) != KINDS:
            raise Invalid("The weights of the reader of notes are of other kinds of facts; install the package again.")
        vocabulary = {str(word): place for place, word in enumerate(found["vocabulary"])}
        rest = {name: found[name].astype(np.float64) for name in ("mean", "weights", "bias", "floors", "established")}
    return Weights(vocabulary, **rest)


@cache
def _embedder() -> Embedder:
    return Embedder()


def words_of(text: str) -> set[str]:
    """The words of a text and each two that stand together."""
    words = _WORD.findall(text.lower())
    return {*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))}


def features(sentences: Sequence[Sentence], found: Sequence[Sequence[Fact]], reader: rules.Rules, vocabulary: dict[str, int]) -> Matrix:
    """One row a sentence; ``found`` is what the rules read in each."""
    texts = [" ".join(sentence.text.split()) for sentence in sentences]
    before = [
        " ".join(sentence.answers.split()) if sentence.answers else texts[place - 1] if place else "" for place, sentence in enumerate(sentences)
    ]
    places = {text: place for place, text in enumerate(dict.fromkeys((*texts, *before)))}  # most sentences stand before another
    vectors = _embedder().embed(list(places)).astype(np.float64)
    own, prior = vectors[[places[text] for text in texts]], vectors[[places[text] for text in before]]
    rows = []
    for place, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        words = np.zeros(len(vocabulary))
        words[[vocabulary[word] for word in words_of(text) if word in vocabulary]] = _WORDS
        sure = {kind: max((fact.confidence for fact in found[place] if fact.kind == kind), default=0.0) for kind in KINDS}
        plain = [*_plain(sentence, reader), *sure.values(), place / len(sentences)]
        rows.append(np.concatenate([own[place] * _OWN, prior[place] * _BEFORE, np.array(plain, dtype=np.float64), words]))
    return np.array(rows)


def _plain(sentence: Sentence, reader: rules.Rules) -> list[float]:
    text, asked = sentence.text, sentence.answers
    amounts, names = list(rules.amounts(text)), [match["name"] for match in rules.NAME.finditer(text)]
    told = [
        *(cue.search(text) is not None for cue in rules.CUES),
        *(bool(asked and cue.search(asked)) for cue in (*rules.ASKED_CUES, _WHEN)),
        *(cue.search(text) is not None for cue in _PERSONS),
        bool(amounts),
        any(currency for _amount, currency, _at in amounts),
        bool(reader.days(text)),
        bool(names),
        any(" " in name for name in names),
        sentence.asks,
        bool(asked),
        sentence.ours is True,
        sentence.ours is False,
        sentence.age > 0,
    ]
    return [*map(float, told), min(len(text.split()), _LONG) / _LONG]
