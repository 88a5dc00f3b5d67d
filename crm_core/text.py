"""Folding of names, e-mail addresses and phone numbers so that they can be compared."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers

#: Letters that Unicode does not decompose but that people type without their stroke or ligature.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Casefolded, accent-free, punctuation as single spaces, in any script: ``"Société  Général-E"`` -> ``"societe general e"``."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(_WORD.findall(text.casefold()))


def digits(text: str) -> str:
    """The digits of a phone number, national prefix noise removed; empty where there are fewer than six."""
    only = re.sub(r"\D", "", text)
    return only.lstrip("0") if len(only) >= 6 else ""


def normalise_phone(text: str, region: str | None = None) -> str:
    """E.164 where the number can be parsed (``region`` helps national forms), else the text, trimmed."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text.strip()
    if not phonenumbers.is_possible_number(parsed):
        return text.strip()
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def initials(name: str) -> str:
    """``"Mary Jane O'Neil"`` -> ``"mjon"``; empty for a single word."""
    words = fold(name).split()
    return "".join(word[0] for word in words) if len(words) > 1 else ""


def plural(count: int, singular: str, many: str | None = None) -> str:
    """``plural(1, "deal")`` -> ``"1 deal"``; ``plural(1200, "company", "companies")`` -> ``"1,200 companies"``."""
    return f"{count:,} {singular if count == 1 else (many or pluralise(singular))}"


def pluralise(word: str) -> str:
    """The regular English plural of a noun."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def join_words(words: list[str], conjunction: str = "and") -> str:
    """``["a", "b", "c"]`` -> ``"a, b and c"``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
