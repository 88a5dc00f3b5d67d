"""``python -m evals.notes_training``: train the judge of notes on texts with known facts, and write ``assistant/notes/weights.npz``.

The texts are ``cases/notes/train_*.yaml``, each fact with the words that it rests on, and ``dev.yaml``, where those are guessed. A logistic regression for each kind is fitted by
Adam (Kingma and Ba, 2015) on all sentences, a sentence counting as one of a kind where its words and a fact's overlap. From which
probability a fact is taken is chosen on texts that the fitted weights have not seen (five folds), for the best F0.5, which counts
precision twice as much as recall. ``held_out.yaml`` has no part in it.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from assistant.notes.judging import KINDS, WEIGHTS, Matrix, Weights, words_of
from assistant.notes.model import QUALIFYING, SURE, FactKind
from assistant.notes.passages import sentences_of
from assistant.notes.reading import Sentences, facts_of, judged, prepared
from evals.companies import CASES
from evals.notes import matches

FOLDS, STEPS, RATE, PENALTY = 5, 400, 0.05, 1.0
#: What is tried as a floor.
FLOORS = [round(0.02 + 0.04 * step, 2) for step in range(23)]
#: Texts that must have a word for it to be a feature, and most words.
LEAST_TEXTS, MOST_WORDS = 5, 1500
#: Words in a row that a sentence must share with a fact's, or this share of the shorter of the two.
RUN, SHARE = 4, 0.6

Text = tuple[dict[str, Any], Sentences, Matrix]


def load_texts() -> list[dict[str, Any]]:
    """All texts to train on."""
    return [
        case
        for path in sorted([*(CASES / "notes").glob("train_*.yaml"), CASES / "notes" / "dev.yaml"])
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def vocabulary_of(cases: list[dict[str, Any]]) -> dict[str, int]:
    """The words that enough texts have."""
    counts = Counter(word for case in cases for word in set().union(*(words_of(item.text) for item in sentences_of(case["text"]))))
    common = [word for word, count in counts.most_common(MOST_WORDS) if count >= LEAST_TEXTS]
    return {word: place for place, word in enumerate(sorted(common))}


def labels(case: dict[str, Any], ready: Sentences) -> Matrix:
    """One row a sentence, one column a kind: 1 where a fact rests on it."""
    found = np.zeros((len(ready.sentences), len(KINDS)))
    for fact in case["facts"]:
        for place, sentence in enumerate(ready.sentences):
            rests = _overlap(str(fact["quote"]).lower().split(), sentence.text.lower().split()) if "quote" in fact else place in _guessed(fact, ready)
            if rests:
                found[place, KINDS.index(fact["kind"])] = 1
    return found


def _guessed(fact: dict[str, Any], ready: Sentences) -> list[int]:
    """The sentences that a fact without words rests on: where the rules found it, else where it could be read."""
    by_rule = [place for place, found in enumerate(ready.found) if any(matches(fact, item) for item in found)]
    if by_rule:
        return by_rule
    could = [
        place
        for place, sentence in enumerate(ready.sentences)
        if not sentence.asks and any(matches(fact, item) for item in ready.rules.plainly(fact["kind"], sentence))
    ]
    return could[:1] if fact["kind"] in ("need", "objection", "process", "promise") else could[-1:]


def _overlap(one: list[str], other: list[str]) -> bool:
    best = 0
    for first in range(len(one)):
        for second in range(len(other)):
            run = 0
            while first + run < len(one) and second + run < len(other) and one[first + run] == other[second + run]:
                run += 1
            best = max(best, run)
    return best >= max(min(RUN, len(one), len(other)), SHARE * min(len(one), len(other)))


def fitted(texts: list[Text], vocabulary: dict[str, int]) -> Weights:
    """Weights from all sentences of some texts, taken as said from one half on."""
    rows, wanted = np.concatenate([ready.features for _case, ready, _y in texts]), np.concatenate([y for _case, _ready, y in texts])
    mean = rows.mean(axis=0)
    columns = [_logistic(rows - mean, wanted[:, column]) for column in range(len(KINDS))]
    halves = np.full((2, len(KINDS)), 0.5)
    return Weights(
        vocabulary, mean, np.array([weights for weights, _bias in columns]), np.array([bias for _weights, bias in columns]), halves, np.full(4, 0.5)
    )


def _logistic(rows: Matrix, wanted: Matrix) -> tuple[Matrix, float]:
    share = wanted.mean()
    weights = np.zeros(rows.shape[1] + 1)
    weights[-1] = np.log((share + 1e-3) / (1 - share + 1e-3))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        error = 1 / (1 + np.exp(-(rows @ weights[:-1] + weights[-1]))) - wanted
        slope = np.append(rows.T @ error + PENALTY * weights[:-1], error.sum())
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        pace = RATE * (1 - 0.9 * step / STEPS)
        weights -= pace * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights[:-1], float(weights[-1])


def unseen(texts: list[Text], vocabulary: dict[str, int]) -> list[Matrix]:
    """The probabilities of each text by weights that were fitted without it."""
    order = list(range(len(texts)))
    random.Random(0).shuffle(order)
    found: list[Matrix] = [np.zeros((0, len(KINDS)))] * len(texts)
    for fold in range(FOLDS):
        left_out = order[fold::FOLDS]
        weights = fitted([texts[place] for place in order if place not in left_out], vocabulary)
        for place in left_out:
            found[place] = weights.probabilities(texts[place][1].features)
    return found


def calibrated(weights: Weights, texts: list[Text], probabilities: list[Matrix]) -> Weights:
    """The weights with the floors that do best on texts that they were not fitted on."""
    floors, established = weights.floors.copy(), weights.established.copy()
    for column, kind in enumerate(KINDS):
        for row in (0, 1, 0, 1):  # the one given the other
            scores = {}
            for floor in FLOORS:
                floors[row, column] = floor
                scores[floor] = _f_half(kind, floors, texts, probabilities)
            floors[row, column] = max(scores, key=lambda floor: scores[floor])
        print(f"{kind:13} from {floors[0, column]:.2f}, found by rule {floors[1, column]:.2f}: F0.5 {max(scores.values()):.2f}")
    for place, name in enumerate(QUALIFYING):
        right = {}
        for floor in FLOORS:
            established[place] = floor
            whole = replace(weights, floors=floors, established=established)
            notes = [judged(ready, chances, whole) for (_case, ready, _y), chances in zip(texts, probabilities, strict=True)]
            right[floor] = sum(getattr(note.qualification, name) == case["bant"][name] for note, (case, _ready, _y) in zip(notes, texts, strict=True))
        established[place] = max(right, key=lambda floor: right[floor])
        print(f"{name:13} established from {established[place]:.2f}: {100 * max(right.values()) / len(texts):.0f} % of texts right")
    return replace(weights, floors=floors, established=established)


def _f_half(kind: FactKind, floors: Matrix, texts: list[Text], probabilities: list[Matrix]) -> float:
    right = wrong = missed = 0
    for (case, ready, _y), chances in zip(texts, probabilities, strict=True):
        found = [fact for fact in facts_of(kind, ready, chances, floors) if fact.confidence >= SURE]
        left = [item for item in case["facts"] if item["kind"] == kind]
        for fact in found:
            truth = next((item for item in left if matches(item, fact)), None)
            wrong += truth is None
            if truth is not None:
                left.remove(truth)
                right += 1
        missed += len(left)
    precision, recall = right / (right + wrong or 1), right / (right + missed or 1)
    return 1.25 * precision * recall / (0.25 * precision + recall or 1)


def main(path: Path = WEIGHTS) -> None:
    """Fit, choose the floors, write."""
    cases = [case for case in load_texts() if sentences_of(case["text"])]
    vocabulary = vocabulary_of(cases)
    texts = []
    for case in cases:
        ready = prepared(case["text"], case["today"], vocabulary)
        texts.append((case, ready, labels(case, ready)))
    weights = calibrated(fitted(texts, vocabulary), texts, unseen(texts, vocabulary))
    weights.save(path)
    print(
        f"{len(texts)} texts, {sum(len(ready.sentences) for _case, ready, _y in texts)} sentences, {len(vocabulary)} words: {path.stat().st_size / 1024:.0f} KB"
    )


if __name__ == "__main__":
    main()
