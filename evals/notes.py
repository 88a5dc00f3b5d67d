"""``python -m evals.notes``: facts found in notes, mails and transcripts against those that a careful colleague took down.

A fact is right where its kind and value are: the amount to the unit, the day, the name, and for what is told in words the words that
any summary would keep. Precision is the share of found facts that are right, recall the share of true ones that were found. A call's
qualification is right where budget, authority, need and timeline all are. The keyword rule beside it takes each of the four as
established where a word of its trade stands in the text.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from typing import Any

import yaml

from assistant.notes import Fact, Note, read_note
from assistant.notes.model import SURE
from crm_core.text import fold
from evals.companies import CASES
from evals.floors import hold

_KEYWORDS = {
    "budget": r"budget|money|funds|spend|approved|euros|pounds|dollars|\bk\b",
    "authority": r"sign|decide|approve|board|owner|CFO|director",
    "need": r"need|want|problem|issue|require",
    "timeline": r"by |before|deadline|live|january|february|march|april|may|june|july|august|september|october|november|december|Q[1-4]",
}


def matches(truth: dict[str, Any], fact: Fact) -> bool:
    """Whether a found fact is the true one."""
    if truth["kind"] != fact.kind:
        return False
    if fact.kind == "budget":
        return fact.amount == truth["amount"] and (not truth.get("currency") or fact.currency in ("", truth["currency"]))
    if fact.kind in ("timeline", "next_meeting"):
        return fact.day == truth["date"]
    if fact.kind in ("authority", "competitor"):
        wanted, got = (set(fold(str(name)).split()) for name in (truth.get("who") or truth.get("name"), fact.who))
        return bool(wanted) and (wanted <= got or bool(got) and got <= wanted)
    if fact.kind == "sentiment":
        return bool(fact.who == truth["value"])
    words = all(fold(word) in fold(fact.quote) for word in truth["words"])
    if fact.kind == "promise":
        return words and fact.who == truth["by"] and (truth.get("date") is None or fact.day == truth["date"])
    return words


def graded(case: dict[str, Any], note: Note) -> tuple[list[Fact], list[dict[str, Any]], list[Fact]]:
    """Found facts that are right, true ones that were missed, and found ones that are wrong."""
    left = list(case["facts"])
    right, wrong = [], []
    for fact in [fact for fact in note.facts if fact.confidence >= SURE]:
        truth = next((item for item in left if matches(item, fact)), None)
        if truth is None:
            wrong.append(fact)
        else:
            left.remove(truth)
            right.append(fact)
    return right, left, wrong


def main() -> int:
    """Run, report, and return 1 where a floor is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="all", choices=["all", "dev", "held_out"])
    parser.add_argument("--misses", action="store_true", help="list the misses of the set that development looks at")
    options = parser.parse_args()
    summaries: dict[str, dict[str, float]] = {}
    for stem in ["dev", "held_out"] if options.set == "all" else [options.set]:
        found: Counter[str] = Counter()
        true: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        exact = keyword = texts = 0
        for case in yaml.safe_load((CASES / "notes" / f"{stem}.yaml").read_text(encoding="utf-8")):
            note = read_note(case["text"], case["today"])
            right, missed, wrong = graded(case, note)
            texts += 1
            hits.update(fact.kind for fact in right)
            found.update(fact.kind for fact in [*right, *wrong])
            true.update(item["kind"] for item in case["facts"])
            exact += note.qualification.model_dump() == case["bant"]
            keyword += {name: bool(re.search(words, case["text"], re.IGNORECASE)) for name, words in _KEYWORDS.items()} == case["bant"]
            if options.misses and stem == "dev":
                for item in missed:
                    print(f"[missed] {case['id']} {item}")
                for fact in wrong:
                    print(f"[wrong] {case['id']} {fact.kind} {fact.amount or ''}{fact.who} {fact.day or ''}: {fact.quote[:150]}")
        print(f"\n{stem}: {texts} texts\n{'kind':14} {'true':>5} {'found':>5} {'right':>5} {'precision':>9} {'recall':>7}")
        for kind in [*sorted(true), "all"]:
            right_ones, all_found, all_true = (sum(counter.values()) if kind == "all" else counter[kind] for counter in (hits, found, true))
            print(
                f"{kind:14} {all_true:5} {all_found:5} {right_ones:5} {100 * right_ones / (all_found or 1):8.1f}% {100 * right_ones / (all_true or 1):6.1f}%"
            )
        numbers = summaries[f"notes/{stem}"] = {
            "precision": 100 * sum(hits.values()) / (sum(found.values()) or 1),
            "recall": 100 * sum(hits.values()) / (sum(true.values()) or 1),
            "qualified": 100 * exact / texts,
        }
        print(f"qualification exact {numbers['qualified']:.1f}% (keyword rule {100 * keyword / texts:.1f}%)")
    return hold(summaries)


if __name__ == "__main__":
    raise SystemExit(main())
