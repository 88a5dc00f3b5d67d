"""Folding of names, addresses and phone numbers."""

from __future__ import annotations

import pytest

from crm_core.text import (
    digits,
    fold,
    initials,
    join_words,
    normalise_phone,
    plural,
    pluralise,
)


class TestFold:
    @pytest.mark.parametrize(
        ("text", "folded"),
        [
            ("Société  Général-E", "societe general e"),
            ("STRASSE & Söhne", "strasse sohne"),
            ("Straße", "strasse"),
            ("Łódź Ørsted Æther Þór", "lodz orsted aether thor"),
            ("İstanbul", "istanbul"),
            ("  tabs\tand\nlines ", "tabs and lines"),
            ("O'Neil, Inc.", "o neil inc"),
            ("ﬁne ①", "fine 1"),
            ("e\u0301cole", "ecole"),
            ("---", ""),
            ("", ""),
        ],
    )
    def test_letters_lose_case_accents_and_punctuation(self, text: str, folded: str) -> None:
        assert fold(text) == folded

    def test_folding_twice_changes_nothing(self) -> None:
        once = fold("Ärger & Ñandú GmbH")
        assert fold(once) == once


class TestDigits:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("+1 (415) 555-0100", "14155550100"),
            ("0049 30 555010", "4930555010"),
            ("030 555 010", "30555010"),
            ("555-01", ""),
            ("no number", ""),
            ("", ""),
        ],
    )
    def test_only_digits_stay_without_leading_zeros(self, text: str, found: str) -> None:
        assert digits(text) == found


class TestNormalisePhone:
    def test_a_national_number_gets_its_country(self) -> None:
        assert normalise_phone("(415) 555-0100", "US") == "+14155550100"

    def test_an_international_number_needs_no_region(self) -> None:
        assert normalise_phone("+49 30 5550100") == "+49305550100"

    @pytest.mark.parametrize("text", ["ext. 12", "12", "call reception"])
    def test_what_is_no_number_stays_as_it_was_typed(self, text: str) -> None:
        assert normalise_phone(f" {text} ", "US") == text


class TestInitials:
    @pytest.mark.parametrize(
        ("name", "letters"),
        [("Mary Jane O'Neil", "mjon"), ("Élodie Ångström", "ea"), ("Madonna", ""), ("", "")],
    )
    def test_first_letters_of_each_word(self, name: str, letters: str) -> None:
        assert initials(name) == letters


class TestWords:
    def test_plural_counts_and_groups_thousands(self) -> None:
        assert plural(1, "deal") == "1 deal"
        assert plural(0, "deal") == "0 deals"
        assert plural(1200, "company") == "1,200 companies"

    @pytest.mark.parametrize(("word", "many"), [("box", "boxes"), ("day", "days"), ("activity", "activities"), ("batch", "batches")])
    def test_regular_plurals(self, word: str, many: str) -> None:
        assert pluralise(word) == many

    def test_join_words(self) -> None:
        assert join_words([]) == ""
        assert join_words(["a"]) == "a"
        assert join_words(["a", "b"]) == "a and b"
        assert join_words(["a", "b", "c"], "or") == "a, b or c"
