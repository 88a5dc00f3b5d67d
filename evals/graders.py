"""Judging an answer against a truth: by figures, groups, record ids, quoted facts and cited interactions, never by wording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from assistant.answer import Answer
from assistant.ledger import numbers_in

Verdict = Literal["exact", "wrong", "asked", "declined"]
RELATIVE = 1e-4
#: Outcomes that count as right where no answer is expected: not knowing may be said in either way.
ACCEPTED = {"declined": {"declined", "asked"}, "empty": {"empty", "declined"}, "asked": {"asked"}}


@dataclass
class Grade:
    """The verdict and, for a miss, what was expected and what came."""

    verdict: Verdict
    expected: str = ""
    got: str = ""


def grade(family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> Grade:
    """Judge one answer."""
    expect = family.get("expect", "answered")
    if expect != "answered" or family["kind"] == "outcome":
        return _outcome(expect, truth, family, answer)
    judge = {"value": _value, "groups": _groups, "records": _records, "text": _text, "citations": _citations}[family["kind"]]
    right, expected, got = judge(family, truth, answer)
    if right:
        return Grade("exact")
    if answer.outcome == "asked":
        return Grade("asked", expected, answer.text[:160])
    if answer.outcome in ("declined", "failed"):
        return Grade("declined", expected, answer.text[:160])
    return Grade("wrong", expected, got)


def _outcome(expect: str, truth: list[tuple[Any, ...]], family: dict[str, Any], answer: Answer) -> Grade:
    if answer.outcome in ACCEPTED.get(expect, {expect}):
        return Grade("exact")
    if expect == "empty" and family["kind"] in ("value", "records") and answer.figures and answer.figures[0].value in ("0", None):
        return Grade("exact")
    verdict: Verdict = "wrong" if answer.outcome in ("answered", "empty") else "asked" if answer.outcome == "asked" else "declined"
    del truth
    return Grade(verdict, expect, f"{answer.outcome}: {answer.text[:140]}")


def grade_outside(answer: Answer) -> Grade:
    """Judge a message that the data cannot answer: wrong is an answer that shows data all the same."""
    if answer.figures or answer.citations or any(block.type in ("table", "card", "chart") for block in answer.blocks):
        return Grade("wrong", "no data", f"{answer.outcome}: {answer.text[:140]}")
    return Grade("exact")


def close(left: Any, right: Any) -> bool:
    """Equal as numbers."""
    try:
        return math.isclose(float(left), float(right), rel_tol=RELATIVE, abs_tol=1e-6)
    except (TypeError, ValueError):
        return False


def _value(_family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> tuple[bool, str, str]:
    expected = truth[0][0] if truth else None
    figures = list(answer.figures)
    got = figures[0].value if figures else None
    if figures and close(got, expected):
        return True, "", ""
    if figures and figures[0].unit == "count" and figures[0].rows_in_all is not None and _sum_in_text(answer, expected):
        return True, "", ""
    if figures and figures[0].unit == "money" and got is not None and close(round(float(got)), expected):
        return True, "", ""
    if not figures or figures[0].record_ids:
        numbers = [float(number) for number in numbers_in(answer.text)]
        if expected is not None and any(close(number, expected) or close(number * 100, expected) for number in numbers):
            return True, "", ""
    return False, str(expected), f"{got} ({answer.text[:140]})"


def _sum_in_text(answer: Answer, expected: Any) -> bool:
    """A list asked for its sum leads with it."""
    first = numbers_in(answer.text)[:1]
    return bool(first) and expected is not None and close(float(first[0]) * 100, expected)


def _groups(family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> tuple[bool, str, str]:
    expected = [(tuple(str(label) for label in row[:-1]), row[-1]) for row in truth if row[-1] not in (None, 0)]
    grouped = next((figure for figure in answer.figures if figure.groups), None)
    got = [(tuple(labels), value) for labels, value in grouped.groups if value is not None and float(value) != 0.0] if grouped else []
    if expected and len(expected[0][0]) == 2 and got:  # which of two groups comes first is taste
        expected = [(tuple(sorted(label)), value) for label, value in expected]
        got = [(tuple(sorted(label)), value) for label, value in got]
    same = len(expected) == len(got) and {label for label, _ in expected} == {label for label, _ in got}
    if same:
        values = dict(got)
        same = all(close(values[label], value) or close(round(float(values[label])), value) for label, value in expected)
    if same and family.get("ordered"):
        same = (
            [label for label, _ in expected] == [label for label, _ in got]
            or [value for _, value in expected] == [value for _, value in expected]
            and [round(float(value), 2) for _, value in expected] == [round(float(value), 2) for _, value in got]
        )
    return same, str(expected[:4]), f"{got[:4]} ({answer.text[:100]})"


def _records(family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> tuple[bool, str, str]:
    ids = [row[0] for row in truth]
    figure = next((item for item in answer.figures if item.unit == "count" and (item.record_ids or item.value == "0")), None)
    if figure is None:
        cards = [block.link.id for block in answer.blocks if block.type == "card"]
        return cards[:1] == ids[:1] and len(ids) == 1, str(ids[:8]), answer.text[:140]
    shown = figure.record_ids
    limit = family.get("limit")
    if limit:
        right = set(shown) == set(ids) and len(shown) == len(ids)
    else:
        right = figure.rows_in_all == len(ids) and set(shown) <= set(ids) and len(shown) == min(len(ids), max(len(shown), 1))
    if right and family.get("ordered"):
        right = shown == ids[: len(shown)]
    return right, f"{len(ids)}: {ids[:6]}", f"{figure.rows_in_all}: {shown[:6]} ({answer.text[:100]})"


def _text(_family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> tuple[bool, str, str]:
    wanted = [str(value) for row in truth for value in row]
    everything = answer.text
    for block in answer.blocks:
        if block.type == "table" and block.total <= 3:
            everything += " ".join(cell.text for row in block.rows for cell in row)
    return all(value in everything for value in wanted), str(wanted), answer.text[:140]


def _citations(_family: dict[str, Any], truth: list[tuple[Any, ...]], answer: Answer) -> tuple[bool, str, str]:
    wanted = {row[0] for row in truth}
    cited = [item.id for item in answer.citations[:3] if item.noun == "activity"]
    cited += [key for figure in answer.figures for key in figure.record_ids[:1] if figure.title == "activities"]
    return bool(wanted & set(cited)), str(sorted(wanted)[:6]), f"{cited} ({answer.text[:120]})"
