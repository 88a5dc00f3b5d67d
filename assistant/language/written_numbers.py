"""Numbers in words and in groups of digits, put into figures: "a hundred and fifty grand", "twenty one days", "150 000"."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {word: 10 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)}
_BELOW = "|".join((*_UNITS, *_TENS))
_SMALL = rf"(?:(?:{'|'.join(_TENS)})[ -](?:{'|'.join(list(_UNITS)[1:10])})|{_BELOW})"
_HUNDREDS = re.compile(rf"\b(an?|{'|'.join(list(_UNITS)[1:10])}) hundred(?: and)? ?({_SMALL})?\b(?!\s*of\b)", re.IGNORECASE)
_TWO_WORDS = re.compile(rf"\b({'|'.join(_TENS)})[ -]({'|'.join(list(_UNITS)[1:10])})\b", re.IGNORECASE)
#: "Twenty twenty-six" is a year.
_YEARS = re.compile(
    rf"\btwenty[ -]((?:twenty|thirty)(?:[ -](?:{'|'.join(list(_UNITS)[1:10])}))?|{'|'.join(list(_UNITS)[10:20])})\b(?! (?:deals|days))", re.IGNORECASE
)
#: "150 000", "1 250 000": groups of three digits apart.
_GROUPED = re.compile(r"(?<![\d.,/-])(\d{1,3})((?: \d{3})+)(?![\d.,/:-])")


def _value(words: str) -> int:
    return sum(_UNITS.get(word, _TENS.get(word, 0)) for word in re.split(r"[ -]", words.lower()))


def spell_numbers(text: str) -> str:
    """The text with compound numbers in figures; a lone "two" or "fifty" stays, for it may be part of a name."""
    text = _YEARS.sub(lambda match: f"20{_value(match.group(1)):02}", text)
    text = _HUNDREDS.sub(
        lambda match: (
            str(100 * (1 if match.group(1).lower() in ("a", "an") else _value(match.group(1))) + _value(match.group(2) or ""))
            + (" " if match.group().endswith(" ") else "")
        ),
        text,
    )
    text = _TWO_WORDS.sub(lambda match: str(_value(match.group())), text)
    return _GROUPED.sub(lambda match: match.group(1) + match.group(2).replace(" ", ""), text)


#: "158.000": groups of three parted by points, as they are written on the continent.
_POINTED = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?![\d.]|,\d{3})")


def without_points(text: str) -> str:
    """The text with the points taken out of numbers that they group."""
    return _POINTED.sub(lambda match: match[0].replace(".", ""), text)


#: How many a word or two of a count mean: "two weeks", "another month", "a couple of days".
COUNTS = {"a": 1, "an": 1, "another": 1, "a couple of": 2, "a few": 3} | {word: value for word, value in _UNITS.items() if 0 < value <= 12}
_TIMES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "dozen": 12}
_WORTH = _UNITS | _TENS
_WORDS = "|".join([*_WORTH, *_TIMES])
_SPOKEN = re.compile(rf"\b(?:an?\s+)?(?:{_WORDS})s?(?:(?:[\s-]+(?:and\s+)?)(?:{_WORDS})s?)*\b", re.IGNORECASE)


def numbers_in_words(text: str) -> list[tuple[str, Decimal]]:
    """The numbers that a text says in words, as they are said and what they are: "nine million", "forty-two", "a dozen"."""
    found = []
    for match in _SPOKEN.finditer(text):
        if re.search(r"\d[\s-]?$", text[: match.start()]):
            continue  # "12.5 thousand" is written in figures
        total = part = 0
        for word in re.findall(r"[a-z]+", match.group().lower()):
            word = word.removesuffix("s") if word.removesuffix("s") in _TIMES else word
            if word in _TIMES:
                part = (part or 1) * _TIMES[word]
                if _TIMES[word] >= 1000:
                    total, part = total + part, 0
            else:
                part += _WORTH.get(word, 0)
        found.append((match.group().strip(), Decimal(total + part).normalize()))
    return found
