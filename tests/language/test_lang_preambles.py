"""What is said before a question: a reason is left aside, and what sets the scene is not."""

from __future__ import annotations

import pytest

from assistant.language.frames import Frame
from assistant.language.grammar import read_apart
from crm_core.metrics.filters import Filter
from tests.language.test_lang_readings import Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures

QUESTION = "how many deals did we win last quarter?"
REASONS = [
    "the auditors are asking,",
    "our CEO wants to know:",
    "I have my review tomorrow,",
    "quick one before I hop on a train:",
    "I'm writing the board paper,",
    "finance keeps telling me it was more, so",
]
#: What narrows the question that follows, by the field that it is a condition on.
SCENES = {
    "in EMEA,": "region",
    "I'm looking at the Renewals pipeline,": "pipeline",
    "the boss asks about EMEA:": "region",
    "deals over 50k:": "amount",
}


def apart(talk: Talk, message: str) -> Frame:
    """The frame of a message, read with what stands around its question."""
    with talk.ctx() as ctx:
        return read_apart(ctx, message)[0]


def essence(frame: Frame) -> dict[str, object]:
    """A reading without what is told of it."""
    return {name: value for name, value in frame.plain().items() if name not in ("aside", "confidence")}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_changes_nothing(software: Talk, reason: str) -> None:
    assert essence(apart(software, f"{reason} {QUESTION}")) == essence(apart(software, QUESTION))


@pytest.mark.parametrize(("scene", "field"), SCENES.items())
def test_what_sets_the_scene_narrows_or_the_question_is_refused(software: Talk, scene: str, field: str) -> None:
    frame = apart(software, f"{scene} {QUESTION}")
    held = {item.field for item in frame.filters if isinstance(item, Filter)}
    assert frame.intent == "unknown" or {field, "team"} & held, frame.plain()


def test_a_colleague_who_asks_is_no_condition(software: Talk) -> None:
    with software.ctx() as ctx:
        name = ctx.actor.name.split()[0]
    frame = apart(software, f"for {name}: {QUESTION}")
    assert not frame.filters, frame.plain()


def test_a_company_nobody_knows_is_not_left_aside(software: Talk) -> None:
    assert apart(software, "Zorblax Industries rang. Which of our deals with them are open?").intent == "unknown"


def test_a_question_that_points_back_is_read_whole(software: Talk) -> None:
    frame = apart(software, "I'm visiting Globex on Monday, what is open there?")
    assert frame.aside == ""


@pytest.mark.parametrize(
    "message",
    [
        "the average days our deals stay, won value",
        "which customers have no open deals, list companies without open deals or tickets not resolved",
    ],
)
def test_it_is_read_without_an_error(software: Talk, message: str) -> None:
    assert apart(software, message).intent in ("unknown", "metric", "list")


def test_absent_deals_at_the_end_are_never_dropped(software: Talk) -> None:
    frame = apart(software, "EMEA, no open deals - list companies")
    assert frame.intent == "unknown" or any(getattr(item, "none", False) for item in frame.filters), frame.plain()


def test_a_count_said_with_its_outcome_counts_that(software: Talk) -> None:
    assert apart(software, "the number of deals closed won last quarter").metric == "won_deals"
    assert apart(software, "# closed-won YTD").metric == "won_deals"


def test_whole_weeks_where_they_are_split_by_week(software: Talk) -> None:
    frame = apart(software, "how many calls did we log in each of the last two weeks?")
    assert frame.group_by == ["week"]
    assert frame.period is not None
    assert (frame.period.end - frame.period.first).days == 14
    assert frame.period.first.weekday() == frame.period.end.weekday()
