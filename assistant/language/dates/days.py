"""Single days and months: named, numbered, relative to today."""

from __future__ import annotations

import re
from datetime import date, timedelta

from assistant.language.dates.model import Clock, When
from assistant.language.dates.words import DAY_WORDS, FILL, LAST, MONTHS, NEXT, NUMBER_WORDS, THIS, UNITS, WEEKDAYS
from assistant.language.tokens import Token
from crm_core.errors import Invalid
from crm_core.periods import ALL_TIME, Grain, Period, add_months, whole

#: Years ahead that two digits may mean.
FAR_AHEAD = 20


class Days:
    """A day or a month at a token."""

    def __init__(self, tokens: list[Token], clock: Clock) -> None:
        self.words = [token.norm for token in tokens]
        self.texts = [token.text for token in tokens]
        self.tokens = tokens
        self.clock = clock
        self.today, self.calendar = clock.today, clock.calendar

    def word(self, at: int) -> str:
        """The word at a place, or nothing past the end."""
        return self.words[at] if at < len(self.words) else ""

    def _skip(self, at: int) -> int:
        while self.word(at) in FILL:
            at += 1
        return at

    def _whole(self, grain: Grain, day: date) -> Period:
        return whole(grain, day, self.calendar)

    def _year_after(self, at: int, this_year: int | None = None) -> tuple[int | None, int]:
        """A year right after a name: ``Q3 2025``, ``May of last year``, ``Q1 FY26``, ``Q4 this year``; quarters count fiscal years."""
        after = self._skip(at)
        word = self.word(after)
        match = re.fullmatch(r"(?:fy)?((?:19|20|21)\d{2})|fy(\d{2})", word)
        if match:
            return full_year(match.group(1) or match.group(2)), after + 1
        if word in {*LAST, *THIS, *NEXT} and self.word(after + 1) in ("year", "yr"):
            step = -1 if word in LAST else 0 if word in THIS else 1
            return (self.today.year if this_year is None else this_year) + step, after + 2
        return None, at

    def _named(self, at: int, after: int, year: int | None, build: object, this_year: int, grain: Grain | None) -> When:
        assert callable(build)
        if year is not None:
            return When(at, after, build(year), grain=grain)
        current: Period = build(this_year)
        past = current if current.first <= self.today else build(this_year - 1)
        ahead = current if current.end > self.today else build(this_year + 1)
        for later in range(this_year + 1, this_year + 9):  # 29 February: the next leap year
            if ahead.end > self.today:
                break
            ahead = build(later)
        return When(at, after, past, ahead if ahead != past else None, grain=grain)

    def _until_now(self, grain: Grain) -> Period:
        period = self._whole(grain, self.today)
        return Period(period.first, self.today + timedelta(days=1), f"{grain.value} to date", grain)

    def _relative_day(self, at: int) -> When | None:
        word = self.word(at)
        shift = {"today": 0, "now": None, "yesterday": -1, "tomorrow": 1, "tonight": 0}.get(word, "no")
        if shift == "no" or shift is None:
            if word == "day" and self.words[at + 1 : at + 3] in (["before", "yesterday"], ["after", "tomorrow"]):
                offset = -2 if self.word(at + 1) == "before" else 2
                return When(at, at + 3, self._whole(Grain.day, self.today + timedelta(days=offset)), grain=Grain.day)
            if word == "day" and self.word(at - 1 if at else at) == "the" and self.words[at + 1 :] in (["before"], ["after"]):
                offset = -1 if self.word(at + 1) == "before" else 1
                return When(at, at + 2, self._whole(Grain.day, self.today + timedelta(days=offset)), grain=Grain.day)
            return None
        assert isinstance(shift, int)
        return When(at, at + 1, self._whole(Grain.day, self.today + timedelta(days=shift)), grain=Grain.day)

    def _count(self, at: int) -> tuple[int, int] | None:
        """A count and the token after it."""
        word = self.word(at)
        if word.isdecimal() and word.isascii() and len(word) <= 4:
            return int(word), at + 1
        if word in NUMBER_WORDS:
            after = at + 1
            if word == "a" and self.word(after) in ("couple", "few"):
                word, after = self.word(after), after + 1
            if self.word(after) == "of":
                after += 1
            return NUMBER_WORDS[word], after
        return None

    def _day_month(self, at: int) -> When | None:
        """``3 March``, ``3rd of March 2026``, ``March 3``, ``March 3rd, 2026``."""
        day, after = self._spelled_day(at)
        if day is not None:
            after = after + 1 if self.word(after) == "of" else after
            month = MONTHS.get(self.word(after))
            after += 1
        else:
            month = MONTHS.get(self.word(at))
            after = at + 1 + (self.word(at + 1) in ("the", ",")) if month else at + 1
            day, after = self._spelled_day(after) if month else (None, after)
        if day is None or month is None:
            return None
        year, after = self._year_after(after)
        if year is None and self.word(after) == "of" and re.fullmatch(r"\d{2}", self.word(after + 1)) and self.word(after + 2) not in UNITS:
            year, after = full_year(self.word(after + 1), self.today), after + 2  # "15 April of 87"
        written = " ".join(self.texts[at:after])
        return self._named(at, after, year, lambda y: self._day(y, month, day, written), self.today.year, Grain.day)

    def _month(self, at: int) -> When | None:
        word = self.word(at)
        if word not in MONTHS or not self._is_month_name(at):
            return None
        year, after = self._year_after(at + 1)
        return self._named(at, after, year, lambda y: self._month_period(y, MONTHS[word]), self.today.year, Grain.month)

    def _is_month_name(self, at: int) -> bool:
        """``may`` and ``march`` are verbs too: they are months after a preposition, before a year, or capitalised."""
        if self.word(at) not in ("may", "march", "mar", "sun", "sat"):
            return True
        if self.word(at + 1) in ("i", "we", "you", "it", "be", "have", "they", "he", "she"):
            return False
        before = self.word(at - 1) if at else ""
        around = before in {
            "in",
            "since",
            "until",
            "by",
            "for",
            "of",
            "from",
            "to",
            "and",
            "between",
            "through",
            "before",
            "after",
            "during",
            "till",
            *LAST,
            *THIS,
            *NEXT,
            "vs",
            "versus",
            "than",
            "compared",
            "with",
            "about",
            "end",
            "early",
            "late",
            "mid",
        }
        return around or self.texts[at][0].isupper() or bool(re.fullmatch(r"\d{1,4}(st|nd|rd|th)?", self.word(at + 1)))

    def _month_period(self, year: int, month: int) -> Period:
        return self._whole(Grain.month, date(year, month, 1))

    def _day_number(self, at: int) -> int | None:
        match = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", self.word(at))
        return int(match.group(1)) if match else None

    def _spelled_day(self, at: int) -> tuple[int | None, int]:
        """A day of the month in figures or words, and the token after it."""
        pair = f"{self.word(at)} {self.word(at + 1)}"
        if pair in DAY_WORDS:
            return DAY_WORDS[pair], at + 2
        single = self.word(at).replace("-", " ")
        if single in DAY_WORDS:
            return DAY_WORDS[single], at + 1
        return self._day_number(at), at + 1

    def _day(self, year: int, month: int, day: int, written: str) -> Period:
        try:
            return self._whole(Grain.day, date(year, month, day))
        except ValueError as error:
            if month == 2 and day == 29:  # not a leap year: look at the nearest one before
                return self._day(year - 1, month, day, written)
            last = (add_months(date(year, month, 1), 1) - timedelta(days=1)).day
            name = f"{date(year, month, 1):%B} {year}"
            raise Invalid(f"There is no '{written}': {name} has {last} days. Which day do you mean?") from error

    def _weekday(self, at: int) -> When | None:
        word = self.word(at)
        if word not in WEEKDAYS or not self._is_month_name(at) and word in ("sun", "sat"):
            return None
        back = (self.today.weekday() - WEEKDAYS[word]) % 7
        forward = (WEEKDAYS[word] - self.today.weekday()) % 7 or 7
        past = self._whole(Grain.day, self.today - timedelta(days=back))
        return When(at, at + 1, past, self._whole(Grain.day, self.today + timedelta(days=forward)), grain=Grain.day)

    def _iso(self, at: int) -> When | None:
        word = self.word(at)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
            try:
                return When(at, at + 1, self._whole(Grain.day, date.fromisoformat(word)), grain=Grain.day)
            except ValueError as error:
                raise Invalid(f"There is no day {word}. Which day do you mean?") from error
        match = re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{2,4})", word)
        if match:
            year = full_year(match.group(3), self.today)
            month, day = self._ordered(int(match.group(1)), int(match.group(2)), word)
            return When(at, at + 1, self._day(year, month, day, word), grain=Grain.day)
        match = re.fullmatch(r"(\d{1,2})([./-])(\d{1,2})", word)
        if match is None or match.group(2) != "/" and self.word(at - 1 if at else at) not in ("on", *WEEKDAYS):
            return None
        first, second = int(match.group(1)), int(match.group(3))
        if not (1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12):
            return None
        month, day = self._ordered(first, second, word)
        return self._named(at, at + 1, None, lambda y: self._day(y, month, day, word), self.today.year, Grain.day)

    def _ordered(self, first: int, second: int, word: str) -> tuple[int, int]:
        """Month and day of two figures, by the company's convention where both could be either."""
        month, day = (second, first) if first > 12 or (self.clock.day_first or word.count(".") > 1) and second <= 12 else (first, second)
        if not 1 <= month <= 12:
            raise Invalid(f"There is no day {word}. Write it like 2026-03-31.")
        return month, day

    def _year(self, at: int) -> When | None:
        word = self.word(at)
        match = re.fullmatch(r"(?:fy)?((?:19|20|21)\d{2})|fy(\d{2})", word)
        if match is None:
            if word in ("all",) and self.words[at + 1 : at + 2] == ["time"]:
                return When(at, at + 2, ALL_TIME)
            if word == "ever":
                return When(at, at + 1, ALL_TIME)
            return None
        fiscal = word.startswith("fy")
        if self.words[at + 1 : at + 3] in (["to", "date"], ["so", "far"]) and self.today.year == full_year(match.group(1) or match.group(2)):
            return When(at, at + 3, self._until_now(Grain.year))
        year = full_year(match.group(1) or match.group(2))
        if fiscal or self.calendar.fiscal_start_month == 1:
            return When(at, at + 1, self._whole(Grain.year, self.calendar.quarter_start(year, 1)), grain=Grain.year)
        return When(at, at + 1, Period(date(year, 1, 1), date(year + 1, 1, 1), str(year)))


def full_year(text: str, today: date | None = None) -> int:
    """The year meant by two or four digits; two digits far ahead of ``today`` are of the century before."""
    year = int(text)
    if year >= 100:
        return year
    return year + (1900 if today is not None and year + 2000 > today.year + FAR_AHEAD else 2000)
