"""Every figure in an answer is traced to the result that gave it.

Tools enter their results here; ``shown`` forms of every value in them (the figure, its groups, totals, counts,
cells, facts) become the *vouched* set. ``untraced`` returns the figures of a text that nothing vouches for:
such an answer is rebuilt from the results or refused. Numbers that the asker wrote may be repeated beside
a result; numbers that people outside wrote only in a sentence that cites them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from assistant.answer import Figure
from assistant.language.wording import show_cell, show_value
from assistant.language.written_numbers import numbers_in_words
from crm_core.metrics.definitions import Unit
from crm_core.metrics.fields import Kind
from crm_core.metrics.listing import ListResult
from crm_core.metrics.movement import STEPS, Movement
from crm_core.metrics.question import MetricResult
from crm_core.money import to_decimal

#: A number as people and models write it: 5 · -1,234.50 · USD999 · $.5 · 1 000 000 · 1'000'000 · 1.000.000 · 2.5m
_NUMBER = re.compile(
    r"""(?:(?<![^\W_])(?<!\.)|(?<=\b[A-Z]{3}))     # not inside a word or another number, but right after a currency code
        [-+]?(?:
            \d{1,3}(?:[ '\u00a0\u202f\u2019]\d{3}(?!\d))+(?:[.,]\d{1,2}(?!\d))?   # groups of three, by blanks or quotes
          | \d{1,3}(?:\.\d{3}){2,}(?:,\d+)?                                       # groups of three, by points
          | \d(?:,?\d)*(?:\.\d+)?
          | \.\d+
        )
        (?:\s?(?:k|m|bn|million|thousand|billion)\b)?""",
    re.IGNORECASE | re.VERBOSE,
)
#: A number that a name may have: a year, a model, a count.
_PLAIN = re.compile(r"\d{1,4}")
_MONEY_SIGN = re.compile(r"[$€£¥%]|\b[A-Z]{3} ?\d|\d ?[A-Z]{3}\b")
_CITATION = re.compile(r"\[(\d{1,2})\]")
#: Ends of sentences and lines: a citation stands for its own.
_SENTENCE = re.compile(r"(?<=[.!?\]])\s+(?=[A-Z])|\n+")
_SCALE = {"k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "bn": 10**9, "billion": 10**9}


@dataclass
class Ledger:
    """The results of one turn."""

    figures: list[Figure] = field(default_factory=list)
    vouched: set[Decimal] = field(default_factory=set)
    #: Names of records as they stand in results: whole, they may be said with the numbers in them, which vouch for nothing.
    labels: set[str] = field(default_factory=set)
    #: Numbers in what people outside wrote: theirs to say, only where the words cite them.
    quoted: set[Decimal] = field(default_factory=set)
    #: Numbers of the question and the ones before: they can be repeated beside a result, never be one.
    asked: set[Decimal] = field(default_factory=set)

    def enter_question(self, text: str) -> None:
        """Note the numbers that the asker wrote."""
        self.asked |= set(numbers_in(text))

    def enter_quotation(self, text: str) -> None:
        """Note the numbers of outside text; a sentence may repeat them where it cites a passage."""
        self.quoted |= set(numbers_in(text))

    def enter_label(self, text: str) -> None:
        """Note a name that may be repeated as it is, with the small plain numbers in it: "Press 900", "Renewal 2027".

        Anybody can write a number into a name, so it vouches for none, and one with an amount or a long number cannot be repeated.
        """
        numbers = [match.group() for match in _NUMBER.finditer(text)]
        if (
            numbers
            and all(_PLAIN.fullmatch(number.strip()) for number in numbers)
            and re.search(r"[^\W\d_]{2}", text)
            and not _MONEY_SIGN.search(text)
        ):
            self.labels.add(" ".join(text.split()))

    def enter_text(self, text: str) -> None:
        """Vouch for every number that stands in a trusted text, such as the question or a result in JSON."""
        self.vouched |= set(numbers_in(text))

    def enter_metric(self, result: MetricResult, question: dict[str, Any], as_of: str, filters: str) -> Figure:
        """Enter a figure with its groups; returns the entry that stands for it."""
        shown = show_value(result.value, result.unit, result.currency)
        figure = Figure(
            ref=f"f{len(self.figures) + 1}",
            shown=shown,
            title=result.title,
            value=None if result.value is None else str(result.value),
            unit=result.unit.value,
            meaning=result.meaning,
            period=result.period.describe(),
            scope=result.scope,
            filters=filters,
            as_of=as_of,
            question=question,
            rows_in_all=result.counted,
            sql=result.sql,
            notes=result.notes,
            groups=[(list(group.labels), None if group.value is None else str(group.value)) for group in result.groups],
        )
        self.figures.append(figure)
        values = [result.value, result.previous, *(v for group in result.groups for v in (group.value, group.previous))]
        for value in values:
            self._vouch(value, result.unit, result.currency)
        if result.value is not None and result.previous is not None:
            self._vouch_change(result.value, result.previous, result.unit, result.currency)
        if result.share is not None:
            for value in (result.share.part, result.share.whole):
                self._vouch(value, result.share.unit, result.currency)
        for group in result.groups:
            for key, label in zip(group.keys, group.labels, strict=False):
                (self.enter_text if isinstance(key, date) else self.enter_label)(label)
            if group.value is not None and group.previous is not None:
                self._vouch_change(group.value, group.previous, result.unit, result.currency)
            if result.additive and result.value and group.value is not None:
                self._vouch(group.value * 100 / result.value, Unit.percent, "")
        self.vouched |= {Decimal(len(result.groups)), Decimal(result.groups_in_all), Decimal(result.counted or 0)}
        for text in (result.period.describe(), *(result.notes), result.previous_period.describe() if result.previous_period else ""):
            self.enter_text(text)
        return figure

    def enter_list(self, result: ListResult, question: dict[str, Any], as_of: str, filters: str) -> Figure:
        """Enter a list: its count, its sum and every cell."""
        figure = Figure(
            ref=f"f{len(self.figures) + 1}",
            shown=f"{result.total:,}",
            title=result.title,
            value=str(result.total),
            unit="count",
            meaning=f"Number of {result.title} that match.",
            scope=result.scope,
            filters=filters,
            as_of=as_of,
            question=question,
            record_ids=result.ids,
            rows_in_all=result.total,
        )
        self.figures.append(figure)
        self.vouched |= {Decimal(result.total), Decimal(len(result.rows))}
        if result.amount_minor is not None:
            self._vouch(Decimal(result.amount_minor), Unit.money, result.currency)
        for row in result.rows:
            if row.get("_amount_minor") is not None:
                self._vouch(Decimal(row["_amount_minor"]), Unit.money, row["_currency"])
            cells = [(item, show_cell(row.get(item.name), item, result.currency)) for item in result.columns]
            for item, cell in cells:
                (self.enter_text if item.kind in _COMPUTED else self.enter_label)(cell)
            days = [row.get(item.name) for item in result.columns if item.kind in (Kind.day, Kind.instant)]
            self.enter_text(" ".join(str(value) for value in (row["id"], *days)))
        return figure

    def enter_movement(self, result: Movement, question: dict[str, Any], as_of: str, filters: str) -> Figure:
        """Enter how the pipeline moved: its two ends, its steps, and the deals behind them. Asked for one step, the figure is that one."""
        step = question["arguments"].get("step", "")
        change = result.closing_minor - result.opening_minor
        value = result.steps.get(step, (0, 0))[0] if step else change
        groups = [(["opening"], str(result.opening_minor)), *(([name], str(amount)) for name, (amount, _) in result.steps.items())]
        figure = Figure(
            ref=f"f{len(self.figures) + 1}",
            shown=show_value(Decimal(abs(value)), Unit.money, result.currency),
            title=f"open pipeline, {STEPS[step][0]}" if step else "change of open pipeline",
            value=str(abs(value) if step else value),
            unit="money",
            meaning="The open deals then and now, each deal in exactly one step between them; both sides at today's exchange rates.",
            period=result.period.describe() if result.period else "",
            scope=result.scope,
            filters=filters,
            as_of=as_of,
            question=question,
            groups=[] if step else [*groups, (["closing"], str(result.closing_minor))],
            record_ids=[item.id for item in result.deals],
            rows_in_all=len(result.deals),
            sql=result.sql,
        )
        self.figures.append(figure)
        counts = {result.opening_deals, result.closing_deals, len(result.deals), *(count for _amount, count in result.steps.values())}
        self.vouched |= {Decimal(count) for count in counts}
        for minor in (result.opening_minor, result.closing_minor, change, *(amount for amount, _count in result.steps.values())):
            self._vouch(Decimal(minor), Unit.money, result.currency)
            if result.opening_minor:
                self._vouch(Decimal(abs(minor)) * 100 / result.opening_minor, Unit.percent, "")
        for item in result.deals:
            for minor in (item.before_minor, item.after_minor, item.change_minor):
                self._vouch(Decimal(minor), Unit.money, result.currency)
            self.enter_label(item.name)
            self.enter_text(f"{item.id} {item.expected_before} {item.expected_after}")
        self.enter_text(f"{result.first.date()} {result.end.date()} {result.first.day} {result.end.day}")
        return figure

    def _vouch(self, value: Decimal | None, unit: Unit, currency: str) -> None:
        if value is not None:
            self.vouched |= set(numbers_in(show_value(value, unit, currency)))
            self.vouched |= set(numbers_in(show_value(abs(value), unit, currency)))
            self.vouched.add(abs(to_decimal(value, currency) if unit is Unit.money else value))

    def _vouch_change(self, value: Decimal, previous: Decimal, unit: Unit, currency: str) -> None:
        self._vouch(abs(value - previous), unit, currency)
        if previous:
            self._vouch(abs((value - previous) * 100 / previous), Unit.percent, "")

    def untraced(self, text: str, *, citations: int = 0, computed: bool = True) -> list[str]:
        """The figures of ``text`` that nothing vouches for, as written; marks ``[1]`` to ``[citations]`` are no figures.

        Numbers of the question count only where something was ``computed`` or read in this turn.
        """
        found = []
        for label in sorted(self.labels, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(label)}(?!\w)", " ", text)
        for sentence in _SENTENCE.split(text):
            bare = _CITATION.sub(lambda mark: " " if 1 <= int(mark.group(1)) <= citations else mark.group(), sentence)
            vouched = self.vouched | (self.quoted if bare != sentence else set()) | (self.asked if computed else set())
            for match in _NUMBER.finditer(bare):
                value = _value_of(match.group())
                if value is not None and abs(value) not in vouched:
                    found.append(match.group().strip())
            found += [said for said, value in numbers_in_words(bare) if value > _MANNER and value not in vouched]
            found += [
                sign
                for sign in bare
                if unicodedata.category(sign) in ("No", "Nl", "Lo") and (number := _number_of(sign)) is not None and number not in vouched
            ]
        return found


#: Up to this a number in words may be a manner of speaking: "one of them", "two things".
_MANNER = 10
#: Kinds of fields whose values the product computes or checks; others are what people wrote.
_COMPUTED = frozenset({Kind.money, Kind.number, Kind.day, Kind.instant, Kind.boolean})


def _number_of(sign: str) -> Decimal | None:
    """What a numeral of another script or form stands for."""
    value = unicodedata.numeric(sign, None)
    return None if value is None else Decimal(str(value)).normalize()


def numbers_in(text: str) -> list[Decimal]:
    """Absolute values of the numbers that stand in a text."""
    return [abs(value) for match in _NUMBER.finditer(text) if (value := _value_of(match.group())) is not None]


def _value_of(written: str) -> Decimal | None:
    match = re.fullmatch(r"([-+]?[\d.,' \u00a0\u202f\u2019]*\d)\s?([a-z]+)?", written.strip(), re.IGNORECASE)
    if match is None:
        return None
    digits = re.sub(r"[' \u00a0\u202f\u2019]", "", match.group(1))
    if digits.count(".") > 1:  # points group the digits
        digits = digits.replace(".", "").replace(",", ".")
    elif digits != match.group(1) and re.search(r",\d{1,2}$", digits):  # blanks group them, a comma begins the cents
        digits = digits.replace(",", ".")
    number = Decimal(digits.replace(",", ""))
    return (number * _SCALE[match.group(2).lower()] if match.group(2) else number).normalize()
