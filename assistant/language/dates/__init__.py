"""What sellers say of time: "last quarter", "Q3", "since Monday", "next 30 days", "between May and July".

A hand-written grammar over tokens, half-open in its answers. Bare names (``May``, ``Q3``, ``Monday``) may lie
before or after today: both readings are given and the caller chooses, past for what happened, future for what
is planned. Conventions: "last 90 days" are the 90 days up to and including today; "last month" is the calendar
month before this one; "next N days" start today; weeks start on the company's first day of the week; quarters and
years are fiscal; "by" and "before" end a range, "since", "after" and "from" begin one.

``words`` lists the words; ``days`` reads single days, ``stretches`` what is longer, ``ranges`` joins them.
"""

from assistant.language.dates.model import Clock, When
from assistant.language.dates.ranges import find_times
from assistant.language.dates.words import date_words

__all__ = ["Clock", "When", "date_words", "find_times"]
