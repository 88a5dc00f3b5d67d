"""Nothing that narrows a question is passed over in silence: it is understood, or the question is refused."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from assistant.language.frames import Frame
from assistant.language.grammar import read_apart as read
from assistant.language.lexicon import english_words, lexicon_for
from crm_core.errors import Invalid
from crm_core.metrics.filters import Filter
from tests.language.test_lang_readings import Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures

ANSWERED = ("metric", "list", "movement", "record", "history")
#: Places where a word narrows what is asked for.
PLACES = (
    "open {} deals",
    "{} companies",
    "deals with {}",
    "leads from the {}",
    "how many {} tickets do we have?",
    "list all {} contacts",
    "won value of {} customers this year",
    "{} deals closing this month",
)


def fields(frame: Frame) -> dict[str, Any]:
    """Field -> values of the plain conditions."""
    return {item.field: item.values for item in frame.filters if isinstance(item, Filter)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("talk", ["software", "machinery"])
def test_a_word_of_english_that_means_nothing_here_is_never_dropped(request: pytest.FixtureRequest, talk: str, place: str) -> None:
    company: Talk = request.getfixturevalue(talk)
    with company.ctx() as ctx:
        lexicon = lexicon_for(ctx)
        words = sorted(word for word in english_words() if word.isalpha() and 4 < len(word) < 11 and not lexicon.get(word))
        dropped, tried = [], 0
        for word in random.Random(place).sample(words, 150):
            try:
                frame, chart, _ = read(ctx, place.format(word))
            except Invalid:
                continue
            if any(edge.kind == "unknown" and edge.text.lower() == word for edge in chart.edges):
                tried += 1
                if frame.intent in ANSWERED and frame.pending is None:
                    dropped.append(word)
    assert tried > 50, "the words must be unknown ones, or this shows nothing"
    assert dropped == []


@pytest.mark.parametrize(
    "message",
    [
        "big deals",
        "any big open deals?",
        "personal contacts",
        "good customers",
        "american companies",
        "leads from the newsletter",
        "open deals with investors",
        "companies with open purple deals",
        "deals bigger than last year's average",
        "what changed on the biggest deal last week?",
        "how old is our pipeline?",
        "tasks waiting for more than 2 weeks",
        "open deals for 3 weeks",
        "no activity for 3 weeks",
    ],
)
def test_what_cannot_be_honoured_is_refused(software: Talk, message: str) -> None:
    frame = software.read(message)
    assert frame.intent == "unknown", frame.plain()


@pytest.mark.parametrize(
    ("message", "other"), [("what is my personal win rate?", "what is my win rate?"), ("top 3 products by revenue", "top 3 products by sales")]
)
def test_two_wordings_are_one_question(software: Talk, message: str, other: str) -> None:
    said, meant = software.read(message), software.read(other)
    assert said.intent == "metric"
    assert (said.metric, said.filters, said.group_by, said.limit) == (meant.metric, meant.filters, meant.group_by, meant.limit)


@pytest.mark.parametrize(
    ("message", "period", "compare"),
    [
        ("win rate this month vs last year", date(2026, 11, 1), "year_before"),
        ("bookings Q3 vs Q2", date(2026, 7, 1), "previous"),
        ("did we win more than last year?", date(2026, 1, 1), "year_before"),
        ("is our win rate higher than last month?", date(2026, 11, 1), "previous"),
    ],
)
def test_a_comparison_is_with_the_period_that_was_named(software: Talk, message: str, period: date, compare: str) -> None:
    frame = software.read(message)
    assert frame.period is not None
    assert frame.period.first == period
    # a year's predecessor is both; either names the same days
    assert frame.compare == compare or (frame.period.end - frame.period.first).days > 360


@pytest.mark.parametrize("message", ["bookings Q3 vs Q1", "did we close less than in Q2?"])
def test_a_comparison_with_another_period_is_asked_about(software: Talk, message: str) -> None:
    with pytest.raises(Invalid, match="just before it"):
        software.read(message)


@pytest.mark.parametrize("message", ["pipeline vs last month", "compare pipeline with last month"])
def test_the_pipeline_against_a_past_month_is_its_movement_since_then(software: Talk, message: str) -> None:
    frame = software.read(message)
    assert (frame.intent, frame.since) == ("movement", date(2026, 11, 1)), frame.plain()


def test_a_duration_in_a_stage_bounds_the_days_in_it(software: Talk) -> None:
    assert fields(software.read("deals in negotiation for more than a month"))["days_in_stage"] == [30]


def test_renewals_that_are_due_are_deals(software: Talk) -> None:
    frame = software.read("how many renewals are due in the next 60 days?")
    assert frame.noun == "deal"
    assert "expected_close" in fields(frame)


def test_business_without_an_article_is_deals_and_businesses_are_companies(software: Talk) -> None:
    assert software.read("total value of business in EMEA").noun == "deal"
    assert software.read("which businesses are in EMEA?").noun == "company"


@pytest.mark.parametrize("talk", ["software", "machinery"])
@pytest.mark.parametrize(
    "message",
    [
        "median deal size this year",
        "the 90th percentile of deal sizes",
        "average number of calls per won deal",
        "should I discount this renewal?",
        "how many deals closed on a Tuesday",
        "tickets opened before 7 in the morning",
        "customers whose first deal was lost",
        "deals that closed sooner than planned",
        "which reps have more open pipeline than the whole team",
        "companies that phoned us last month",
        "what would our win rate be if we drop the small deals",
        "won value per seat this year",
        "lost deals, scratch that, won deals in 2025",
    ],
)
def test_known_words_that_nothing_computes_are_refused(request: pytest.FixtureRequest, talk: str, message: str) -> None:
    company: Talk = request.getfixturevalue(talk)
    with company.ctx() as ctx:
        try:
            frame, _chart, _parts = read(ctx, message)
        except Invalid:
            return
    assert frame.intent not in ANSWERED


@pytest.mark.parametrize(
    ("message", "metric"),
    [
        ("median sales cycle in 2025", "median_sales_cycle"),
        ("average days per stage", "time_in_stage"),
        ("win rate per deal source", "win_rate"),
        ("is our win rate in 2025 better than in 2024?", "win_rate"),
    ],
)
def test_what_is_computed_is_not(software: Talk, message: str, metric: str) -> None:
    assert software.read(message).metric == metric
