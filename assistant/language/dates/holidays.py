"""Days with a name. Fixed ones by month and day, the others by rule; Easter after the anonymous Gregorian algorithm (Meeus, 1991)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta


def easter(year: int) -> date:
    """Easter Sunday of a year in the Gregorian calendar."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    """The count-th weekday of a month; a negative count from its end."""
    if count > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))
    after = date(year + month // 12, month % 12 + 1, 1)
    return after - timedelta(days=(after.weekday() - weekday - 1) % 7 + 1)


def _on(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


#: Names as they are said, without apostrophes, to the day in a year.
HOLIDAYS: dict[str, Callable[[int], date]] = {
    "new years day": _on(1, 1),
    "new years eve": _on(12, 31),
    "new year": _on(1, 1),
    "valentines day": _on(2, 14),
    "st patricks day": _on(3, 17),
    "good friday": lambda year: easter(year) - timedelta(days=2),
    "easter": easter,
    "easter sunday": easter,
    "easter monday": lambda year: easter(year) + timedelta(days=1),
    "international workers day": _on(5, 1),
    "workers day": _on(5, 1),
    "may day": _on(5, 1),
    "memorial day": lambda year: _nth(year, 5, 0, -1),
    "independence day": _on(7, 4),
    "labor day": lambda year: _nth(year, 9, 0, 1),
    "halloween": _on(10, 31),
    "thanksgiving": lambda year: _nth(year, 11, 3, 4),
    "thanksgiving day": lambda year: _nth(year, 11, 3, 4),
    "black friday": lambda year: _nth(year, 11, 3, 4) + timedelta(days=1),
    "christmas eve": _on(12, 24),
    "christmas": _on(12, 25),
    "christmas day": _on(12, 25),
    "xmas": _on(12, 25),
    "boxing day": _on(12, 26),
}
LONGEST = max(len(name.split()) for name in HOLIDAYS)
