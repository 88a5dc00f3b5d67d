"""What is asked in words that are all known, and that nothing here computes: it is refused with what comes nearest.

Without this a question such as "median deal size" would be answered by the average, for "median" is a known word. Each
entry is a pattern over the message's words, for which frames it counts, and what is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from assistant.language.frames import Frame
from assistant.language.parts import Parts
from crm_core.metrics.definitions import METRICS, Unit
from crm_core.metrics.filters import Filter

_WEEKDAYS = r"(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|weekends?)"
_RECORDS = r"(?:deals?|tickets?|leads?|calls?|meetings?|emails?|contacts?|opportunities|orders?)"


@dataclass(frozen=True)
class Limit:
    """A pattern, the frames that it counts for, and what is said of them."""

    pattern: re.Pattern[str]
    counts: Callable[[Parts, Frame], bool]
    said: str


def _always(_parts: Parts, _frame: Frame) -> bool:
    return True


def _no_median(_parts: Parts, frame: Frame) -> bool:
    return not frame.metric.startswith("median")


def _counts_on_average(parts: Parts, frame: Frame) -> bool:
    lasting = bool(frame.metric) and METRICS[frame.metric].unit in (Unit.days, Unit.hours)
    return "mean" in parts.aggregates and "count" in parts.aggregates and not lasting


def _of_a_stage(parts: Parts, frame: Frame) -> bool:
    return bool(parts.times) and frame.as_of is None and any(raw.field == "stage" for raw in parts.filters) and not parts.aggregates


def _bounds_nothing(parts: Parts, frame: Frame) -> bool:
    """Whether "more ... than" bounds or compares nothing in the frame."""
    bounded = any(isinstance(item, Filter) and item.op not in ("is", "is_not", "empty", "not_empty", "between") for item in frame.filters)
    related = any(not isinstance(item, Filter) for item in frame.filters)
    if frame.group_by and parts.groups:
        return False  # "do fairs win more often than mailings? win rate per source"
    return not (frame.compare or frame.keep or bounded or related or frame.limit or parts.multiplicity or parts.untouched or parts.untouched_days)


def _names_two(parts: Parts, frame: Frame) -> bool:
    return any(isinstance(item, Filter) and item.op == "is" and len(item.values) > 1 for item in frame.filters)


def _is_no_share(parts: Parts, frame: Frame) -> bool:
    return bool(frame.metric) and METRICS[frame.metric].unit is not Unit.percent and not frame.part and not frame.compare and not frame.group_by


def _is_rate(_parts: Parts, frame: Frame) -> bool:
    return frame.metric in ("win_rate", "lead_conversion", "stage_conversion")


def _asks_who_reached(parts: Parts, frame: Frame) -> bool:
    return frame.noun in ("company", "contact", "lead")


LIMITS: tuple[Limit, ...] = (
    Limit(
        re.compile(r"\b(?:should|shall|ought) (?:i|we)\b|^(?:and |so |ok )*should (?:they|he|she)\b|\bwould you (?:recommend|advise|suggest)\b"),
        _always,
        "I do not give advice: I tell what is on record. Ask for the facts that you want to decide by, such as the deal's stage, history or what was said.",
    ),
    Limit(
        re.compile(r"(?<!not the )(?<!not )(?<!than the )\bmedian\b|\bpercentiles?\b|\bquartiles?\b|\bstandard deviation\b|\bvariance\b"),
        _no_median,
        "Of medians I have the median sales cycle alone, and no percentiles. Ask for the average, or for the list in order.",
    ),
    Limit(
        re.compile(r"\baverage\b|\bavg\b|\bmean\b"),
        _counts_on_average,
        "I count records and average amounts and durations, but do not compute an average number per record or person. Ask for the count split by them.",
    ),
    Limit(
        re.compile(rf"\bon (?:a|an|any|every) {_WEEKDAYS}\b|\bon (?:mon|tues|wednes|thurs|fri|satur|sun)days\b|\bon weekends\b"),
        _always,
        "I do not count by day of the week. Ask for the figure split by day.",
    ),
    Limit(
        re.compile(r"\b(?:were|was) (?:still )?in (?:stage )?\w+(?: \w+)? (?:in|during|last|this|back in)\b"),
        _of_a_stage,
        "Which stage deals were in I can tell of one day: ask 'open deals in that stage as of 31 May'. Over a whole period I can tell the average time in it.",
    ),
    Limit(
        re.compile(r"\b(?:moved|went|gone|fell|fallen) (?:back|backwards?) (?:a|one|two|by|in|to an earlier) ?(?:\w+ )?stages?\b"),
        _always,
        "I do not compute which deals went back in their stages. The history of one deal tells: 'history of the stage' of that deal.",
    ),
    Limit(
        re.compile(r"\bwhich of (?:our|the|my|these|those) (?:top|best|biggest|largest) \d*"),
        lambda parts, frame: bool(parts.relations) and frame.intent == "metric",
        "I cannot rank first and then ask for those with something in one go. Ask for the ranking, and then 'which of them have ...'.",
    ),
    Limit(
        re.compile(
            rf"\bwhose (?:last|first|latest|previous|most recent) {_RECORDS}\b|\b(?:before|after) (?:the|their|its|his|her) (?:\w+ )?(?:first|last|latest|next) {_RECORDS}\b"
        ),
        _always,
        "I cannot compare with the first or last record of each. Ask for the records in order, or for one of them.",
    ),
    Limit(
        re.compile(r"\b(?:later|earlier|sooner|faster|slower) than (?:expected|planned|usual|normal|promised|agreed)\b"),
        _always,
        "I do not compare with what was planned for each. Ask for deals that slipped, or for the average sales cycle.",
    ),
    Limit(
        re.compile(r"\b(?:after|outside|during|outside of) (?:office |working |business )?hours\b"),
        _always,
        "I do not narrow by the time of day.",
    ),
    Limit(
        re.compile(r"\b(?:before|after|by|at|until|from) \d{1,2}(?: \d\d)? ?(?:am|pm|o clock|in the (?:morning|afternoon|evening))\b"),
        _always,
        "I do not narrow by the time of day.",
    ),
    Limit(
        re.compile(
            r"\b(?:more|fewer|less|longer|higher|lower|bigger|larger|smaller|better|worse|above|below)\b(?: \w+){0,5} than (?!\d|last |the (?:previous|quarter|month|year|week)|a (?:week|month|year|quarter)|in |this )|\b(?:above|below) (?:the |their |our |its )?(?:\w+ )?average\b"
        ),
        _bounds_nothing,
        "I cannot compare one figure with another in one question. Ask for the figure split by them, or for each by itself.",
    ),
    Limit(
        re.compile(r"\w.*\b(?:sorry|scratch that|no wait|wait no|make that(?! up)|correction)\b"),
        _names_two,
        "You corrected yourself, and I am not sure what to keep. Say the question once more as you mean it.",
    ),
    Limit(
        re.compile(r"\bboth\b"),
        lambda parts, frame: frame.intent == "list" and _names_two(parts, frame),
        "I read several values as any of them, and cannot ask for records that have all of them. Ask for one of them.",
    ),
    Limit(
        re.compile(r"\bin (?:percent|per cent)\b|\bas an? percent(?:age)?\b|\b(?:what|which) (?:share|part|portion|fraction)\b"),
        _is_no_share,
        "I do not compute that share as one figure. Ask for the figure split by what you want the share of: the total stands beside each part.",
    ),
    Limit(
        re.compile(r"\b(?:by|in|weighted by) (?:amount|value|money|volume|worth)\b"),
        _is_rate,
        "I compute that rate by the number of records, not by what they are worth. Ask for it plainly, or for won and lost value.",
    ),
    Limit(
        re.compile(r"\b(?:called|phoned?|rang|mailed|emailed|wrote to|written to|contacted|reached out to) us\b"),
        _asks_who_reached,
        "Who reached out to us I can tell of one of them. Ask for inbound calls or mails in a period.",
    ),
    Limit(
        re.compile(
            r"\bper (?:won |lost |closed |open )?(?:deal|opportunity|ticket|lead|seat|unit|head|call|meeting|email)(?=$| by\b| in\b| for\b| this\b| last\b| on\b)"
        ),
        lambda _parts, frame: frame.intent == "metric" and METRICS[frame.metric].unit not in (Unit.days, Unit.hours),
        "I do not divide by the number of records. Ask for the two figures, split alike.",
    ),
    Limit(
        re.compile(r"\bwould\b.*\bif\b|\b(?:what|how) if\b|\bif (?:all|every|we (?:win|won|lose|close|closed|had)|i (?:win|close|lose))\b"),
        _always,
        "I do not compute what would be if: I tell what is on record. The weighted pipeline and the forecast come nearest.",
    ),
    Limit(
        re.compile(
            r"\b(?:opened|won|lost|created|closed|converted) again\b|\b(?:that|which|who|we|they) later (?:lost|won|closed|bought)\b|\bsome(?:one|body) else\b|\bother than the one\b"
        ),
        _always,
        "I do not compare what happened to a record first and later, or by whom else. The history of one record tells.",
    ),
)


def beyond(parts: Parts, frame: Frame) -> str:
    """What is said of a frame that would pass over what was asked; empty where it does not."""
    if frame.intent not in ("metric", "list") or frame.pending is not None:
        return ""
    return next((limit.said for limit in LIMITS if limit.pattern.search(parts.phrases) and limit.counts(parts, frame)), "")
