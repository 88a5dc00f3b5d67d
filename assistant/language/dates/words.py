"""Words of time."""

from __future__ import annotations

from crm_core.periods import Grain

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}


WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("monday mon", "tuesday tue tues", "wednesday wed", "thursday thu thur thurs", "friday fri", "saturday sat", "sunday sun")
    )
    for name in names.split()
}


NUMBER_WORDS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "couple": 2,
    "three": 3,
    "few": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "thirty": 30,
    "sixty": 60,
    "ninety": 90,
}


ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_ONES = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth".split()
_CARDINALS = "one two three four five six seven eight nine".split()
#: Days of the month in words: "eleventh", "twenty second", "twenty nine", "thirty-first".
DAY_WORDS: dict[str, int] = {word: number for number, word in enumerate(_ONES, start=1)}
DAY_WORDS |= {"twentieth": 20, "thirtieth": 30, "thirty first": 31, "thirty one": 31}
DAY_WORDS |= {f"twenty {word}": 20 + number for number, word in enumerate(_ONES[:9], start=1)}
DAY_WORDS |= {f"twenty {word}": 20 + number for number, word in enumerate(_CARDINALS, start=1)}


UNITS = {
    "day": Grain.day,
    "days": Grain.day,
    "week": Grain.week,
    "weeks": Grain.week,
    "wk": Grain.week,
    "wks": Grain.week,
    "month": Grain.month,
    "months": Grain.month,
    "mth": Grain.month,
    "quarter": Grain.quarter,
    "quarters": Grain.quarter,
    "qtr": Grain.quarter,
    "qtrs": Grain.quarter,
    "mo": Grain.month,
    "mos": Grain.month,
    "year": Grain.year,
    "years": Grain.year,
    "yr": Grain.year,
    "yrs": Grain.year,
    "fortnight": Grain.week,
    "fy": Grain.year,
}


LAST = {"last", "previous", "prior", "past", "preceding", "prev"}


THIS = {"this", "current"}


NEXT = {"next", "coming", "upcoming", "following"}


TO_DATE = {"ytd": Grain.year, "qtd": Grain.quarter, "mtd": Grain.month, "wtd": Grain.week}


END_OF = {"eoq": Grain.quarter, "eom": Grain.month, "eoy": Grain.year, "eow": Grain.week}


FILL = {"the", "of", "in", "on", "during", "for", "so", "whole", "entire", "full", "calendar", "fiscal"}


def date_words() -> set[str]:
    """Words of time."""
    return {
        *MONTHS,
        *WEEKDAYS,
        *UNITS,
        *LAST,
        *THIS,
        *NEXT,
        *TO_DATE,
        *END_OF,
        "today",
        "yesterday",
        "tomorrow",
        "since",
        "until",
        "before",
        "after",
        "between",
        "from",
        "through",
        "during",
        "date",
        "rolling",
        "trailing",
        "half",
        "beginning",
        "start",
        "end",
        "ago",
        "time",
        "ever",
        "far",
    }
