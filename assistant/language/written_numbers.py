"""Numbers in words and in groups of digits, put into figures: "a hundred and fifty grand", "twenty one days", "150 000"."""

from __future__ import annotations

import re

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
