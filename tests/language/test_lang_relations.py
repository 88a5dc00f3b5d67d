"""Related records and conditions on groups, in messages about two kinds of companies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from assistant.language.frames import Frame
from crm_core.metrics.filters import Filter, Related
from tests.language.test_lang_readings import Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures


def relations(frame: Frame) -> list[Related]:
    return [item for item in frame.filters if isinstance(item, Related)]


def conditions(relation: Related) -> dict[str, Any]:
    """What is asked of the related records: field -> values, or the operator where there are none."""
    return {item.field: item.values or item.op for item in relation.filters if isinstance(item, Filter)}


@pytest.mark.parametrize("talk", ["software", "machinery"])
class TestRelatedRecords:
    @pytest.mark.parametrize(
        ("message", "noun", "related", "denied"),
        [
            ("companies without open deals", "company", "deal", True),
            ("which accounts have no open opportunities?", "company", "deal", True),
            ("show me the companies that do not have an open deal", "company", "deal", True),
            ("companies with open deals", "company", "deal", False),
            ("contacts with open tickets", "contact", "ticket", False),
            ("deals with an open ticket", "deal", "ticket", False),
            ("open deals without a contact", "deal", "contact", True),
            ("leads without a call", "lead", "activity", True),
            ("companies that never had a meeting", "company", "activity", True),
            ("which reps had no meetings last week?", "user", "activity", True),
            ("which reps have open tickets?", "user", "ticket", False),
        ],
    )
    def test_of_a_list(self, request: pytest.FixtureRequest, talk: str, message: str, noun: str, related: str, denied: bool) -> None:
        frame = request.getfixturevalue(talk).read(message)
        (relation,) = relations(frame)
        assert (frame.intent, frame.noun, relation.related, relation.none) == ("list", noun, related, denied), frame.plain()

    def test_their_conditions_are_not_those_of_the_records_asked_for(self, request: pytest.FixtureRequest, talk: str) -> None:
        frame = request.getfixturevalue(talk).read("companies with open deals over 50k")
        (relation,) = relations(frame)
        assert conditions(relation) == {"status": ["open"], "amount": [50_000]}
        assert [item for item in frame.filters if isinstance(item, Filter)] == []

    def test_their_times_are_theirs(self, request: pytest.FixtureRequest, talk: str) -> None:
        frame = request.getfixturevalue(talk).read("open deals without a call in the last 30 days")
        (relation,) = relations(frame)
        assert conditions(relation) == {"kind": ["call"], "occurred": ["2026-10-22", "2026-11-21"]}
        assert {item.field: item.values for item in frame.filters if isinstance(item, Filter)} == {"status": ["open"]}

    @pytest.mark.parametrize(
        ("words", "at_least", "denied"), [("more than 2", 3, False), ("at least 2", 2, False), ("fewer than 2", 2, True), ("no", 1, True)]
    )
    def test_how_many(self, request: pytest.FixtureRequest, talk: str, words: str, at_least: int, denied: bool) -> None:
        frame = request.getfixturevalue(talk).read(f"companies with {words} open tickets")
        (relation,) = relations(frame)
        assert (relation.at_least, relation.none) == (at_least, denied)
        assert conditions(relation) == {"resolved": "empty"}

    def test_two_of_them(self, request: pytest.FixtureRequest, talk: str) -> None:
        first, second = relations(request.getfixturevalue(talk).read("companies with an open deal and an open ticket"))
        assert [(item.related, item.none) for item in (first, second)] == [("deal", False), ("ticket", False)]
        first, second = relations(request.getfixturevalue(talk).read("companies with open deals but without a call this quarter"))
        assert [(item.related, item.none) for item in (first, second)] == [("deal", False), ("activity", True)]

    @pytest.mark.parametrize("message", ["deals whose company has an open ticket", "contacts at companies with open tickets"])
    def test_through_a_company(self, request: pytest.FixtureRequest, talk: str, message: str) -> None:
        (relation,) = relations(request.getfixturevalue(talk).read(message))
        (inner,) = [item for item in relation.filters if isinstance(item, Related)]
        assert (relation.related, inner.related) == ("company", "ticket")

    def test_of_a_figure(self, request: pytest.FixtureRequest, talk: str) -> None:
        frame = request.getfixturevalue(talk).read("open pipeline by stage for companies with an open ticket")
        (relation,) = relations(frame)
        assert (frame.metric, frame.group_by, relation.related) == ("open_pipeline", ["stage"], "company")

    @pytest.mark.parametrize("message", ["companies with more than 100 employees", "deals without a next step", "contacts without an email"])
    def test_a_field_is_no_relation(self, request: pytest.FixtureRequest, talk: str, message: str) -> None:
        frame = request.getfixturevalue(talk).read(message)
        assert (frame.intent, relations(frame)) == ("list", [])
        assert len(frame.filters) >= 1

    def test_words_that_are_not_understood_are_not_dropped(self, request: pytest.FixtureRequest, talk: str) -> None:
        assert request.getfixturevalue(talk).read("companies with open purple deals").intent == "unknown"


@pytest.mark.parametrize("talk", ["software", "machinery"])
class TestGroups:
    @pytest.mark.parametrize(
        ("message", "metric", "group", "kept"),
        [
            ("which reps are below quota?", "quota_attainment", "owner", ("", "less_than", 100)),
            ("win rate by region over 30% last year", "win_rate", "region", ("", "more_than", 30)),
            ("which regions won more than 500k this year?", "won_value", "region", ("", "more_than", 500_000)),
            ("which industries have at least 10 won deals?", "won_deals", "industry", ("", "at_least", 10)),
            ("regions with fewer than 5 open deals", "open_deals", "region", ("", "less_than", 5)),
            ("won value by owner over 200k this year", "won_value", "owner", ("", "more_than", 200_000)),
            ("which sources have a lead conversion under 20%?", "lead_conversion", "source", ("", "less_than", 20)),
            ("win rate by industry with at least 4 won deals", "win_rate", "industry", ("won_deals", "at_least", 4)),
        ],
    )
    def test_are_kept_by_their_figure(self, request: pytest.FixtureRequest, talk: str, message: str, metric: str, group: str, kept: Any) -> None:
        frame = request.getfixturevalue(talk).read(message)
        (condition,) = frame.keep
        assert (frame.metric, frame.group_by) == (metric, [group]), frame.plain()
        assert (condition.metric, condition.op, condition.value) == (kept[0], kept[1], Decimal(kept[2]))
        assert frame.filters == []

    def test_an_amount_of_each_deal_is_a_filter(self, request: pytest.FixtureRequest, talk: str) -> None:
        frame = request.getfixturevalue(talk).read("open deals over 50k by stage")
        assert (frame.keep, frame.group_by) == ([], ["stage"])
        assert any(isinstance(item, Filter) and item.field == "amount" for item in frame.filters)


class TestSmallFaults:
    """Once faults: each of these was answered with another question's figures."""

    def test_leads_never_contacted_are_unanswered(self, software: Talk) -> None:
        assert [item.field for item in software.read("leads we never contacted").filters if isinstance(item, Filter)] == ["first_response"]

    def test_why_deals_were_lost_is_told_by_reason(self, software: Talk) -> None:
        frame = software.read("why did we lose deals last quarter?")
        assert (frame.metric, frame.group_by) == ("lost_deals", ["loss_reason"])

    def test_deals_without_activity_are_open_ones(self, software: Talk) -> None:
        frame = software.read("which deals have had no activity in the last 3 weeks?")
        assert Filter(field="status", values=["open"]) in frame.filters

    def test_a_slip_from_one_period_to_another_is_not_read_as_a_range(self, software: Talk) -> None:
        assert "from which period to which" in software.read("deals that slipped from Q3 to Q4").detail

    def test_a_forecast_is_a_figure_and_a_forecast_call_is_none(self, software: Talk) -> None:
        assert software.read("forecast for this quarter").metric == "forecast"
        assert software.read("for the forecast call, sum the open deals by forecast category").metric == "open_pipeline"
