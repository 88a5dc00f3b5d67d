"""``python -m evals.dates``: expressions of time whose values others have written down, read by ``assistant.language.dates``.

The data (244 English dates and date ranges with a reference day, MIT licence) is not part of the project; where it
is absent, nothing is measured. An expression is *exact* where the stretch found in the sentence has the value, or one
of the two values (last and next) that the data lists. Two conventions differ and are translated: a range between two
days includes the second one here and not there; "since" and "until" are ranges open to one side.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from assistant.language.dates import Clock, When, find_times
from assistant.language.tokens import expand, tokenise
from crm_core.errors import Invalid
from crm_core.periods import FAR_FUTURE, FAR_PAST, Calendar, add_months

DATA = Path(os.environ.get("RAPPORT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data")) / "dates" / "crm_date_subset.json"
#: The conventions of the data.
CONVENTIONS = partial(Clock, calendar=Calendar(1, 0), next_from_tomorrow=True, last_is_of_last_week=True)
#: What the library that the cases come from gets of them.
REFERENCE = 182
#: Cases that must be read exactly.
FLOOR = 225


def read(text: str, today: date) -> list[tuple[When, str]]:
    """The expressions found in a sentence, each with its words."""
    message = expand(text)
    tokens = tokenise(message)
    return [(when, message[tokens[when.first].start : tokens[when.end - 1].end]) for when in find_times(tokens, CONVENTIONS(today))]


def wanted(value: dict[str, str], last: str) -> tuple[date, date]:
    """A listed value as a half-open range; ``last`` says which unit at its end the data leaves out and we count in."""
    if "value" in value:
        day = date.fromisoformat(value["value"])
        return day, day + timedelta(days=1)
    first = date.fromisoformat(value["start"]) if "start" in value else FAR_PAST
    if "end" not in value:
        return first, FAR_FUTURE
    end = date.fromisoformat(value["end"])
    return first, end + timedelta(days=1) if last == "day" else add_months(end, 1) if last == "month" else end


def judge(case: dict[str, Any]) -> tuple[bool, str]:
    """Whether a case is read exactly, and what was read."""
    try:
        found = read(case["text"], datetime.fromisoformat(case["ref"]).date())
    except Invalid as error:
        return False, f"refused: {error}"
    for when, said in found:
        if not _overlap(said, case["span"]):
            continue
        ours = {(period.first, period.end) for period in (when.period, when.ahead) if period is not None}
        joined = ("", "day", "month") if re.search(r"(?i)\b(?:to|and|through)\b|\s[-–]\s", said) else ("",)
        if any(ours & {wanted(value, last) for value in case["values"]} for last in joined):
            return True, said
    return False, "; ".join(_shown(when, said) for when, said in found)


def _overlap(said: str, span: str) -> bool:
    """Whether what was found is about the marked words; figures may have been put in order."""
    words = [set(re.sub(r"\W+", " ", text.lower()).split()) for text in (said, span)]
    return bool(words[0] & words[1]) or re.sub(r"\D", "", said) == re.sub(r"\D", "", span) != ""


def _shown(when: When, said: str) -> str:
    ahead = f" or {when.ahead.first}..{when.ahead.end}" if when.ahead else ""
    return f"{said}: {when.period.first}..{when.period.end}{ahead}"


def main() -> int:
    """Read all cases and print the share, and the misses where wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"Skipped: {DATA} is not here; it is measured where that data set is.")
        return 0
    cases = json.loads(DATA.read_text(encoding="utf-8"))
    judged = [(case, *judge(case)) for case in cases]
    exact = sum(good for _case, good, _got in judged)
    if options.misses:
        for case, good, got in judged:
            if not good:
                print(f"- {case['text']!r} on {case['ref'][:10]}: want {case['values']}, got {got or 'nothing'}")
    below = exact < FLOOR
    print(f"dates: {exact} of {len(cases)} exact ({exact * 100 / len(cases):.1f} %); the library they come from gets {REFERENCE}")
    if below:
        print(f"That is below the floor of {FLOOR}.")
    return int(below)


if __name__ == "__main__":
    raise SystemExit(main())
