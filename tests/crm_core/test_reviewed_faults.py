"""Faults that a reading of the core found, each as the smallest scenario that shows it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from crm_core.metrics.question import Days
from crm_core.money import plain_number
from crm_core.periods import Calendar, Grain, preceding, year_before
from crm_core.services.exchange.importing import infer_kind
from crm_core.text import fold


class TestNamesInAnyScript:
    @pytest.mark.parametrize(("one", "other"), [("東京電力", "Газпром"), ("Переговоры", "Первый контакт"), ("ソニー", "日立"), ("Acme 東京", "Acme")])
    def test_different_names_are_not_equal(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)
        assert fold(one)

    def test_accents_and_case_still_do_not_count(self) -> None:
        assert fold("Société  Général-E") == "societe general e"
        assert fold("ГАЗПРОМ") == fold("Газпром")


class TestNumbers:
    @pytest.mark.parametrize(("text", "value"), [("1,500", 1500), ("1,500.25", Decimal("1500.25")), (" 12 ", 12), ("-3.5", Decimal("-3.5"))])
    def test_commas_part_thousands(self, text: str, value: Decimal) -> None:
        assert plain_number(text) == value

    @pytest.mark.parametrize("text", ["3,5", "12,25", "1,5", "NaN", "Infinity", "", "x"])
    def test_a_decimal_comma_is_refused_not_read_as_another_number(self, text: str) -> None:
        with pytest.raises(ValueError):
            plain_number(text)

    def test_codes_with_leading_zeros_are_no_numbers(self) -> None:
        assert infer_kind(["02134", "10001"])[0] != "number"
        assert infer_kind(["2134", "10001"])[0] == "number"


class TestPeriodsBefore:
    CALENDAR = Calendar(1, 0)

    def test_quarter_to_date_is_compared_with_the_same_days_of_the_quarter_before(self) -> None:
        asked = Days(first=date(2026, 7, 1), end=date(2026, 8, 13), grain=Grain.quarter).period(self.CALENDAR)
        before = preceding(asked, self.CALENDAR)
        assert (before.first, before.end) == (date(2026, 4, 1), date(2026, 5, 14))

    def test_the_year_before_a_february_is_a_whole_one(self) -> None:
        february = Days(first=date(2025, 2, 1), end=date(2025, 3, 1)).period(self.CALENDAR)
        before = year_before(february, self.CALENDAR)
        assert (before.first, before.end) == (date(2024, 2, 1), date(2024, 3, 1))
        assert year_before(before, self.CALENDAR).end == date(2023, 3, 1)
