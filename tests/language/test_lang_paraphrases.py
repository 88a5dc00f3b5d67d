"""Ways of saying a step, numbers in words, and the account of what a frame stands for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from assistant.language.dates import When
from assistant.language.frames import Frame
from assistant.language.grammar.accounts import unaccounted
from assistant.language.paraphrases import plainer
from assistant.language.parts import Parts
from assistant.language.tokens import expand
from assistant.language.written_numbers import spell_numbers
from crm_core.metrics.filters import Filter
from crm_core.metrics.question import Days
from crm_core.periods import Period
from tests.language.test_lang_conversation import Conversation, conversation, machinery, software

__all__ = ["conversation", "machinery", "software"]  # fixtures
TODAY = date(2026, 8, 12)


def plain(text: str, *, leaning: bool = True) -> str:
    """Spaces do not matter."""
    return " ".join(plainer(text, leaning=leaning).split())


class TestPictures:
    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("can you break that out by region", "can you by region"),
            ("how is that spread over the regions", "by the regions"),
            ("carve the pipeline up between the teams", "pipeline by teams"),
            ("biggest first", "highest first"),
            ("put the smallest on top", "lowest first"),
            ("all tiers side by side", "by all tiers"),
            ("region by region", "by region"),
            ("and by where they came from", "and by source"),
        ],
    )
    def test_a_split_or_an_order(self, said: str, meant: str) -> None:
        assert plain(said, leaning=False) == meant

    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("zoom in on Leeds", "only Leeds"),
            ("ok, narrow it down to the north", "ok, only the north"),
            ("lower that to 50k", "make it 50k"),
            ("swap calls for meetings", "meetings instead"),
            ("switch to lost deals", "lost deals instead"),
            ("add January too", "plus January"),
            ("renewals included", "plus renewals"),
            ("the smaller one?", "the smallest one?"),
            ("what were the reasons?", "by reasons"),
            ("let us have a closer look at the urgent ones", "show the urgent ones"),
        ],
    )
    def test_a_step_from_the_question_before(self, said: str, meant: str) -> None:
        assert plain(said) == meant

    @pytest.mark.parametrize(
        "said", ["add a note to Acme", "time in stage by stage", "deals over 50k in the north", "swap meeting notes", "sum the smaller deals"]
    )
    def test_other_messages_stay_as_they_are(self, said: str) -> None:
        assert plain(said, leaning=False) == said

    @pytest.mark.parametrize(
        "said",
        ["change the stage to Bid", "move it to Bid", "set the amount to 50k", "push the close date to June", "change it to 40k", "update the phone"],
    )
    def test_a_command_stays_one(self, said: str) -> None:
        assert plain(said) == said

    def test_a_change_of_a_record_stays_one(self) -> None:
        assert plain("add Jonas to the Globex deal") == "add Jonas to the Globex deal"
        assert plain("add January to it") == "plus January"

    def test_a_step_needs_a_question_before_it(self) -> None:
        assert plain("swap calls for meetings", leaning=False) == "swap calls for meetings"


class TestNumbers:
    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("above a hundred and fifty grand", "above 150 grand"),
            ("two hundred deals", "200 deals"),
            ("the last twenty-one days", "the last 21 days"),
            ("thirty five", "35"),
            ("over 150 000", "over 150000"),
            ("1 250 000", "1250000"),
            ("the top five", "the top five"),
            ("on 3 2026", "on 3 2026"),
            ("a hundred of them", "a hundred of them"),
        ],
    )
    def test_compound_numbers_become_figures(self, said: str, meant: str) -> None:
        assert spell_numbers(said) == meant

    @pytest.mark.parametrize(
        ("said", "meant"), [("100 kW+", "at least 100 kW"), ("20 seats or more", "at least 20 seats"), ("on 30 June, end of day", "on 30 June")]
    )
    def test_bounds_and_days(self, said: str, meant: str) -> None:
        assert expand(said) == meant


class TestAccount:
    def test_what_the_frame_passes_over_is_told(self) -> None:
        span = Period(date(2026, 12, 1), date(2027, 1, 1), "Dec 2026")
        parts = Parts(states=["overdue"], times=[(When(0, 1, span), "")], me=True)
        assert unaccounted(parts, Frame(intent="metric", noun="deal", metric="open_deals"), TODAY) == ["overdue", span.describe(), "me"]

    def test_what_stands_in_the_frame_in_another_form_is_not(self) -> None:
        span = Period(date(2026, 12, 1), date(2027, 1, 1), "Dec 2026")
        parts = Parts(states=["overdue", "won"], times=[(When(0, 1, span), "")], me=True)
        frame = Frame(
            intent="metric",
            noun="deal",
            metric="won_deals",
            filters=[Filter(field="owner", values=[1]), Filter(field="expected_close", op="less_than", values=["2026-08-12"])],
            period=Days(first=span.first, end=span.end),
        )
        assert unaccounted(parts, frame, TODAY) == []

    def test_today_is_no_period(self) -> None:
        today = Period(TODAY, date(2026, 8, 13))
        assert unaccounted(Parts(times=[(When(0, 1, today), "")]), Frame(intent="metric", noun="deal", metric="open_deals"), TODAY) == []


class TestShares:
    def test_what_comes_after_the_verb_is_the_part(self, conversation: Conversation) -> None:
        region = conversation.scalars("select region from company where region is not null limit 1")[0]
        asked = conversation.asked(f"what share of open pipeline is in {region}")
        assert asked["metric"] == "open_pipeline" and "filters" not in asked
        assert [(item["field"], item["values"]) for item in asked["part"]] == [("region", [region])]

    def test_the_next_part_takes_its_place_and_its_rows_are_shown(self, conversation: Conversation) -> None:
        first, second = conversation.scalars("select distinct region from company where region is not null order by 1 limit 2")
        asked = conversation.asked(f"what percentage of open deals is in {first}", f"and {second}?")
        assert [item["values"] for item in asked["part"]] == [[second]]
        rows = conversation.say("show me the deals")
        assert rows.figures[0].value == str(
            conversation.scalars(
                f"select count(*) from deal join company c on c.id = deal.company_id where deal.status = 'open' and deal.archived_at is null and c.region = '{second}'"
            )[0]
        )


class TestSteps:
    def test_a_part_of_a_split_is_drilled_into(self, conversation: Conversation) -> None:
        region = conversation.scalars(
            "select c.region from deal join company c on c.id = deal.company_id where deal.status = 'open' and c.region is not null limit 1"
        )[0]
        answer = conversation.say("open pipeline by region", f"list the {region} ones")
        conditions = answer.figures[0].question["arguments"]["filters"]  # type: ignore[index]
        assert {item["field"] for item in conditions} == {"region", "status"}

    def test_their_deals_are_those_behind_the_ranking(self, conversation: Conversation) -> None:
        answer = conversation.say("top 2 reps by won value over all time", "their deals")
        conditions = {item["field"]: item["values"] for item in answer.figures[0].question["arguments"]["filters"]}  # type: ignore[index]
        assert len(conditions["owner"]) == 2 and conditions["status"] == ["won"]

    def test_a_month_is_added(self, conversation: Conversation) -> None:
        asked = conversation.asked("deals won in April 2026", "add May too")
        spans = [item["values"] for item in asked["filters"] if item["op"] == "between"]
        assert spans == [["2026-04-01", "2026-06-01"]]

    def test_a_value_that_is_dropped_leaves_the_others(self, conversation: Conversation) -> None:
        first, second, third = conversation.scalars("select distinct region from company where region is not null order by 1 limit 3")
        asked = conversation.asked(f"open deals in {first}, {second} or {third}", f"drop {second}")
        assert next(item for item in asked["filters"] if item["field"] == "region")["values"] == [first, third]

    @pytest.mark.parametrize("said", ["any of them with an open ticket?", "the top one, list the deals"])
    def test_what_points_at_no_answer_is_refused(self, conversation: Conversation, said: str) -> None:
        assert conversation.say(said).outcome == "declined"

    def test_another_currency_is_no_word_for_money(self, conversation: Conversation) -> None:
        assert plainer("split the yen by rep", leaning=True, money=frozenset({"dollars"})) == "split the yen by rep"
        assert plainer("and in dollars?", leaning=True, money=frozenset({"dollars"})).split() == ["and", "in", "value?"]

    def test_a_month_that_lies_apart_takes_the_place(self, conversation: Conversation) -> None:
        asked = conversation.asked("deals won in April 2026", "and in June 2026")
        assert [item["values"] for item in asked["filters"] if item["op"] == "between"] == [["2026-06-01", "2026-07-01"]]

    def test_the_lost_ones_keep_the_split(self, conversation: Conversation) -> None:
        asked = conversation.asked("won deals by region this year", "actually lost ones, not won")
        assert (asked["metric"], asked["group_by"]) == ("lost_deals", ["region"])

    def test_her_without_anybody_is_refused(self, conversation: Conversation) -> None:
        answer = conversation.say("open pipeline", "how big is her open pipeline")
        assert answer.outcome in ("declined", "asked"), answer.text

    def test_deals_that_came_into_a_stage_are_counted_wherever_they_are(self, conversation: Conversation) -> None:
        key, stage = conversation.rows("select id, name from stage where kind = 'open' order by position limit 1 offset 1")[0]
        answer = conversation.say(f"how many deals moved into {stage} over all time")
        entered = conversation.scalars(
            f"select count(distinct e.deal_id) from stage_entry e join deal d on d.id = e.deal_id join stage s on s.id = e.stage_id where s.name = '{stage}' and d.archived_at is null"
        )[0]
        now = conversation.scalars(f"select count(*) from deal where stage_id = {key} and archived_at is null")[0]
        assert (answer.figures[0].value, entered > now) == (str(entered), True)

    def test_moving_deals_is_no_question(self, conversation: Conversation) -> None:
        stage = conversation.scalars("select name from stage where kind = 'open' order by position limit 1 offset 1")[0]
        answer = conversation.say(f"move all open deals to {stage}")
        assert not answer.figures
        assert not any(proposal.applied for proposal in answer.proposals)

    def test_what_is_overdue_narrows_the_tasks_of_each(self, conversation: Conversation) -> None:
        conditions = conversation.asked("overdue tasks by rep")["filters"]
        assert [(item["field"], item["op"]) for item in conditions] == [("due", "less_than")]

    def test_part_and_whole_are_told_beside_the_share(self, conversation: Conversation) -> None:
        region, part = conversation.rows(
            "select c.region, count(*) from deal d join company c on c.id = d.company_id where d.status = 'open' and d.archived_at is null and c.region is not null group by 1 order by 2 desc"
        )[0]
        whole = conversation.scalars("select count(*) from deal where status = 'open' and archived_at is null")[0]
        answer = conversation.say(f"what percentage of open deals is in {region}")
        assert abs(Decimal(answer.figures[0].value or 0) - Decimal(100 * part) / whole) < Decimal("0.0001")
        assert f"{part} of {whole}" in answer.text


class TestSlips:
    def test_a_slip_beside_a_word_that_is_spelt_right(self, conversation: Conversation) -> None:
        """Of a name of several words, one with two letters swapped."""
        name = next(
            name
            for name in conversation.scalars("select name from company where archived_at is null order by id")
            if len(name.split()) == 2 and min(map(len, name.split())) > 5 and name.replace(" ", "").isalpha()
        )
        first, second = name.split()
        frame = conversation.talk.read(f"open deals with {first} {second[:2]}{second[3]}{second[2]}{second[4:]}")
        found = [item.label for item in (*frame.entities, *(frame.pending.candidates if frame.pending else []))]
        assert name in found, frame.plain()
