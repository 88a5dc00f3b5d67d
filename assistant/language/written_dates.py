"""Dates written in figures, put into the one order that the reader of days knows.

``05-Aug-2016``, ``2020/Sep/23``, ``20161016``, ``2015-12``, ``2017-q1``, ``10/1-11/7/2017``: pure rewriting of text,
without knowing what day it is. Whether ``7/6`` is a day in July or in June is a convention of the company and is
left to the reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_YEAR = r"(?:19|20|21)\d{2}"
#: A day and month in figures, perhaps with the year.
_FIGURES = rf"\d{{1,2}}/\d{{1,2}}(?:/(?:{_YEAR}|\d{{2}}))?"


def _month_of(match: re.Match[str], number: int, year: int) -> str:
    month = int(match.group(number))
    return f"{_MONTHS[month - 1]} {match.group(year)}" if 1 <= month <= 12 else match.group()


def _iso(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    try:
        return f" {date(year, month, day).isoformat()} "
    except ValueError:
        return match.group()


_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (rf"(?<![\d/])(\d{{1,2}})-(\d{{1,2}})-({_YEAR})-(?=\d{{1,2}}-\d{{1,2}}-{_YEAR})", r"\1/\2/\3 to "),
    (rf"(?<![\d/-])(\d{{1,2}})-(\d{{1,2}})-({_YEAR})(?!\d)", r"\1/\2/\3"),
    (rf"(?<!\d)({_YEAR})(\d{{2}})(\d{{2}})(?!\d)", _iso),
    (rf"(?<!\d)({_YEAR})[ ](\d{{1,2}})[ ](\d{{1,2}})(?!\d)(?=\s*(?:$|[,.;]))", _iso),
    (rf"(?<![\d/])({_YEAR})[-.](\d{{1,2}})[-.](\d{{1,2}})(?![\d/])", _iso),
    (rf"(?<![\d/])({_YEAR})/(\d{{1,2}})/(\d{{1,2}})(?!\d)", _iso),
    # Words and figures in any order, joined by dashes or slashes.
    (rf"\b(\d{{1,2}})[-/]({_MONTH})[-/]({_YEAR}|\d{{2}})\b", r"\1 \2 \3"),
    (rf"\b({_MONTH})[-/](\d{{1,2}})[-/]({_YEAR})\b", r"\2 \1 \3"),
    (rf"\b({_MONTH})[-/]({_YEAR})[-/](\d{{1,2}})\b", r"\3 \1 \2"),
    (rf"\b({_YEAR})[-/](\d{{1,2}})[-/]({_MONTH})\b", r"\2 \3 \1"),
    (rf"\b({_YEAR})[-/]({_MONTH})[-/](\d{{1,2}})\b", r"\3 \2 \1"),
    (rf"\b(\d{{1,2}})[-/]({_YEAR})[-/]({_MONTH})\b", r"\1 \3 \2"),
    (rf"\b({_MONTH})[-/]({_YEAR})\b", r"\1 \2"),
    (rf"\b({_MONTH})/(\d{{1,2}})\b", r"\1 \2"),
    (rf"\b({_MONTH})(\d{{1,2}})\b", r"\1 \2"),
    # A range of days within a month, or from one month into the next.
    (rf"\b({_MONTH} \d{{1,2}}(?:,? {_YEAR})?)\s?[-–]\s?(?={_MONTH} \d)", r"\1 to "),
    (r"\b(\d{1,2})\s?[-–]\s?(\d{1,2}) (?:in|of) ((?:this|last|next|the) month)\b", r"\1 to \2 of \3"),
    # Days in figures: the year of the second one may hold for both.
    (rf"(?<![\d/])({_FIGURES})\s?[-–]\s?({_FIGURES})(?![\d/])", r"\1 to \2"),
    (rf"(?<![\d/])({_FIGURES}) ?,? to (\d{{1,2}}/\d{{1,2}}), ({_YEAR})\b", r"\1 to \2/\3"),
    (rf"\b(\d{{1,2}}/\d{{1,2}}), ({_YEAR})\b", r"\1/\2"),
    # The year first: quarters, halves, months.
    (rf"\b({_YEAR})[-\s]+(q[1-4]|h[12])\b", r"\2 \1"),
    (rf"\b(q[1-4]|h[12])-({_YEAR})\b", r"\1 \2"),
    (rf"\b({_YEAR}) ((?!may\b|march\b){_MONTH})\b(?! \d)", r"\2 \1"),
    (rf"(?<![\d/-])({_YEAR})-(\d{{1,2}})(?![\d-])", lambda match: _month_of(match, 2, 1)),
    (rf"(?<![\d/-])(\d{{1,2}})-({_YEAR})(?![\d-])", lambda match: _month_of(match, 1, 2)),
    # Ways of saying it.
    (r"\bas (?:late|far) as\b", "until"),
    (r"\bas early as\b", "since"),
    (r"\b(?:later|greater) than(?= (?:19|20|21)\d{2}\b)|\byears? (?:is )?(?:greater|later) than\b", "after"),
    (r"\b((?:this|last|next)) year's ((?:first|second|third|fourth|last) (?:quarter|half)|q[1-4]|h[12])\b", r"\2 of \1 year"),
    (r"\bw/c\b", "week commencing"),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), full) for pattern, full in _RULES)


def spell_dates(text: str) -> str:
    """The text with dates in figures put in order."""
    if not any(letter.isdigit() for letter in text) and "as " not in text and "than" not in text and "year" not in text.lower():
        return text
    for pattern, full in _COMPILED:
        text = pattern.sub(full, text)
    return text
