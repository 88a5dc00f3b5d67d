"""Once faults that a sceptical manager found: answered confidently with another question's figures."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from assistant.language.frames import Frame
from crm_core.metrics.filters import Filter
from crm_core.models import PicklistValue, User
from tests.language.test_lang_readings import Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures


def filters(frame: Frame) -> list[tuple[str, str, int]]:
    """Field, comparison and number of values of each condition."""
    return [(item.field, item.op, len(item.values)) for item in frame.filters if isinstance(item, Filter)]


def two_people(talk: Talk) -> tuple[str, str]:
    with talk.ctx() as ctx:
        names = [name.split()[0] for name in ctx.session.scalars(select(User.name).where(User.role == "rep").order_by(User.id))]
    return names[0], names[1]


def two_regions(talk: Talk) -> tuple[str, str]:
    with talk.ctx() as ctx:
        query = select(PicklistValue.value).where(PicklistValue.noun == "company", PicklistValue.field == "region").order_by(PicklistValue.position)
        one, other, *_rest = ctx.session.scalars(query)
    return one, other


@pytest.mark.parametrize("talk", ["software", "machinery"])
class TestTwoOfOneSort:
    @pytest.mark.parametrize("words", ["{0} vs {1} bookings this year", "bookings of {0} and {1} this year", "compare bookings of {0} and {1}"])
    def test_people_who_are_compared_are_groups(self, request: pytest.FixtureRequest, talk: str, words: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read(words.format(*two_people(house)))
        assert (frame.metric, frame.group_by, filters(frame)) == ("won_value", ["owner"], [("owner", "is", 2)])

    @pytest.mark.parametrize("words", ["open deals of {0} or {1}", "open deals owned by {0} and {1}"])
    def test_names_of_one_sort_are_alternatives(self, request: pytest.FixtureRequest, talk: str, words: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read(words.format(*two_people(house)))
        assert sorted(filters(frame)) == [("owner", "is", 2), ("status", "is", 1)]

    def test_values_that_are_compared_are_groups(self, request: pytest.FixtureRequest, talk: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read("how much did {} win vs {} this quarter?".format(*two_regions(house)))
        assert (frame.group_by, filters(frame)) == (["region"], [("region", "is", 2)])

    def test_values_joined_by_or_are_one_figure(self, request: pytest.FixtureRequest, talk: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read("won value in {} or {} this year".format(*two_regions(house)))
        assert (frame.group_by, filters(frame)) == ([], [("region", "is", 2)])

    def test_not_holds_for_all_that_are_joined(self, request: pytest.FixtureRequest, talk: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read("companies not in {} or {}".format(*two_regions(house)))
        assert filters(frame) == [("region", "is_not", 2)]

    def test_except_a_colleague(self, request: pytest.FixtureRequest, talk: str) -> None:
        house = request.getfixturevalue(talk)
        frame = house.read(f"open deals except {two_people(house)[0]}'s")
        assert ("owner", "is_not", 1) in filters(frame)


class TestExtremes:
    @pytest.mark.parametrize(
        ("message", "metric", "group"),
        [
            ("best month this year for bookings", "won_value", "month"),
            ("which month had the most new leads?", "leads", "month"),
            ("the industry with the highest average deal size in 2026", "average_deal_size", "industry"),
            ("the region with the lowest win rate", "win_rate", "region"),
        ],
    )
    def test_of_groups_and_steps_of_time(self, software: Talk, message: str, metric: str, group: str) -> None:
        frame = software.read(message)
        assert (frame.metric, frame.group_by, frame.limit) == (metric, [group], 1), frame.plain()


class TestShares:
    @pytest.mark.parametrize(
        ("message", "metric", "field", "values"),
        [
            ("what share of bookings this year came from referrals?", "won_value", "source", ["Referral"]),
            ("what percentage of tickets are urgent?", "tickets_opened", "priority", ["Urgent"]),
            ("share of leads from trade shows in 2026", "leads", "source", ["Trade show"]),
        ],
    )
    def test_a_share_of_a_sum_or_a_count(self, software: Talk, message: str, metric: str, field: str, values: list[str]) -> None:
        frame = software.read(message)
        assert (frame.metric, frame.filters) == (metric, []), frame.plain()
        assert [(item.field, item.values) for item in frame.part if isinstance(item, Filter)] == [(field, values)]

    def test_a_share_of_nothing_in_particular_is_declined_with_what_comes_nearest(self, software: Talk) -> None:
        frame = software.read("what share of our bookings this year")
        assert frame.intent == "unknown"
        assert "split by" in frame.detail

    @pytest.mark.parametrize(
        ("message", "metric"),
        [
            ("what percentage of leads that came from trade shows last year converted?", "lead_conversion"),
            ("what percentage of deals that came from referrals did we win last year?", "win_rate"),
        ],
    )
    def test_what_became_of_those_from_somewhere_is_a_rate(self, software: Talk, message: str, metric: str) -> None:
        frame = software.read(message)
        assert (frame.metric, frame.part) == (metric, []), frame.plain()
        assert [item.field for item in frame.filters if isinstance(item, Filter)] == ["source"]

    def test_shares_that_are_metrics_stay(self, software: Talk) -> None:
        assert software.read("what percentage of leads converted last year?").metric == "lead_conversion"
        assert software.read("what share of deals did we win last year?").metric == "win_rate"


class TestPeriods:
    @pytest.mark.parametrize(
        ("message", "first", "end"),
        [
            ("bookings the quarter before last", "2026-04-01", "2026-07-01"),
            ("bookings in the first half of October", "2026-10-01", "2026-10-16"),
            ("bookings last year in Q2", "2025-04-01", "2025-07-01"),
            ("forecast for December", "2026-12-01", "2027-01-01"),
            ("bookings same month last year", "2025-11-01", "2025-12-01"),
            ("won value in week 31", "2026-07-27", "2026-08-03"),
            ("won value in the last week of July", "2026-07-27", "2026-08-03"),
            ("won value from April to June 2025", "2025-04-01", "2025-07-01"),
            ("won value in early October", "2026-10-01", "2026-10-11"),
            ("won value before Easter 2026", "1900-01-01", "2026-04-05"),
        ],
    )
    def test_are_those_that_were_meant(self, software: Talk, message: str, first: str, end: str) -> None:
        period = software.read(message).period
        assert period is not None
        assert (period.first.isoformat(), period.end.isoformat()) == (first, end)

    def test_a_list_says_its_period(self, software: Talk) -> None:
        assert any("9 Nov" in said for said in software.read("deals lost last week").said)
