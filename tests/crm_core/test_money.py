"""Money: minor units, refusals, conversion, formatting."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.errors import Invalid
from crm_core.money import (
    MAX_MINOR,
    MICRO,
    Rate,
    check_currency,
    exponent,
    format_money,
    to_decimal,
    to_minor,
)


class TestToMinor:
    @pytest.mark.parametrize(
        ("amount", "currency", "minor"),
        [
            ("12500", "USD", 1_250_000),
            ("12,500.50", "USD", 1_250_050),
            (" 0.10 ", "EUR", 10),
            (Decimal("1.10"), "USD", 110),
            (7, "JPY", 7),
            ("1.234", "KWD", 1234),
            ("1e3", "USD", 100_000),
            ("0", "USD", 0),
            ("-0", "USD", 0),
            ("5.0000", "JPY", 5),
            ("10000000000", "USD", MAX_MINOR),
        ],
    )
    def test_amounts_become_whole_minor_units(self, amount: Any, currency: str, minor: int) -> None:
        assert to_minor(amount, currency) == minor

    @pytest.mark.parametrize("amount", ["", "abc", "12 000", "1.2.3", "NaN", "sNaN", "Infinity", "-inf", "$5", "0x10"])
    def test_junk_is_refused_with_an_example(self, amount: str) -> None:
        with pytest.raises(Invalid, match=r"write it like 12500, 12,500 or 12500.50"):
            to_minor(amount, "USD")

    def test_a_negative_amount_is_refused(self) -> None:
        with pytest.raises(Invalid, match="use zero or more"):
            to_minor("-1", "USD")

    @pytest.mark.parametrize(("amount", "currency"), [("1.005", "USD"), ("0.5", "JPY"), ("1.0005", "KWD")])
    def test_more_decimals_than_the_currency_has_are_refused(self, amount: str, currency: str) -> None:
        with pytest.raises(Invalid, match="more decimals than"):
            to_minor(amount, currency)

    # Once a fault: scaleb() rounds to the context's 28 digits before the check.
    def test_decimals_past_the_28th_digit_are_not_rounded_away(self) -> None:
        with pytest.raises(Invalid, match="more decimals than"):
            to_minor("1.000000000000000000000000000001", "USD")

    # Once a fault: for exponents near a million scaleb() raises decimal.Overflow.
    @pytest.mark.parametrize("amount", ["10000000000.01", "1e30", "1e999999", "1e1000005"])
    def test_an_amount_that_is_too_large_is_refused(self, amount: str) -> None:
        with pytest.raises(Invalid, match="larger than an amount may be"):
            to_minor(amount, "USD")

    # Once a fault: every comma is dropped, so a European 1,50 becomes 150.
    @pytest.mark.parametrize("amount", ["1,50", "12,5", "1,2345", ",5"])
    def test_a_comma_that_does_not_group_thousands_is_refused_not_dropped(self, amount: str) -> None:
        with pytest.raises(Invalid, match="write it like 12500"):
            to_minor(amount, "EUR")

    @given(st.integers(0, MAX_MINOR), st.sampled_from(["USD", "JPY", "KWD"]))
    @settings(max_examples=100, derandomize=True, deadline=None)
    def test_there_and_back(self, minor: int, currency: str) -> None:
        assert to_minor(to_decimal(minor, currency), currency) == minor


class TestCheckCurrency:
    @pytest.mark.parametrize("code", ["usd", " EUR ", "Jpy"])
    def test_codes_are_made_upper_case(self, code: str) -> None:
        assert check_currency(code) == code.strip().upper()

    @pytest.mark.parametrize("code", ["", "US", "DOLLAR", "ZZZ", "€", "12A"])
    def test_anything_else_is_refused(self, code: str) -> None:
        with pytest.raises(Invalid, match="three-letter code such as USD or EUR"):
            check_currency(code)

    def test_exponents(self) -> None:
        assert [exponent(code) for code in ("USD", "JPY", "KWD")] == [2, 0, 3]


class TestConvert:
    @pytest.mark.parametrize(
        ("minor", "micro", "home"),
        [
            (1, 500_000, 1),
            (1, 499_999, 0),
            (3, 500_000, 2),
            (0, 2_000_000, 0),
            (100, MICRO, 100),
            (MAX_MINOR, 1_083_700, 1_083_700_000_000),
        ],
    )
    def test_halves_go_up(self, minor: int, micro: int, home: int) -> None:
        assert Rate("EUR", micro, date(2026, 1, 1)).convert(minor) == home

    @given(st.integers(0, MAX_MINOR), st.integers(1, 9_000_000))
    @settings(max_examples=200, derandomize=True, deadline=None)
    def test_it_equals_decimal_arithmetic(self, minor: int, micro: int) -> None:
        exact = (Decimal(minor) * micro / MICRO).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        assert Rate("EUR", micro, date(2026, 1, 1)).convert(minor) == exact


class TestFormatMoney:
    @pytest.mark.parametrize(
        ("minor", "currency", "text"),
        [
            (1_250_000, "USD", "$12,500"),
            (120_450, "EUR", "€1,204.50"),
            (80_000, "CHF", "CHF 800"),
            (5_000, "JPY", "¥5,000"),
            (1, "USD", "$0.01"),
            (0, "USD", "$0"),
            (-150, "USD", "-$1.50"),
            (1_500, "KWD", "KWD 1.500"),
            (Decimal("1250.5"), "USD", "$12.51"),
            (Decimal("99.5"), "USD", "$1"),
        ],
    )
    def test_as_people_write_it(self, minor: int | Decimal, currency: str, text: str) -> None:
        assert format_money(minor, currency) == text
