"""Conversations: what a message takes from those before it, looking back in time, and words that people teach."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from assistant.agent import Agent
from assistant.answer import Answer
from assistant.conversation import new_thread_id
from assistant.language.frames import Frame
from assistant.language.teaching import check_word, lesson_in, put_meanings
from crm_core.context import unit_of_work
from crm_core.errors import Invalid, NotAllowed
from crm_core.metrics.query import ask
from crm_core.metrics.question import MetricQuestion
from crm_core.models import Turn
from crm_core.periods import format_day
from crm_core.services.words import ForgetWord, TeachWord, forget_word, taught_words, teach_word
from evals.case import append, case_of
from tests.language.test_lang_readings import NOW, Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures


class Conversation:
    """One thread with a company's administrator."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.agent, self.thread = talk, Agent(talk.engine), new_thread_id()

    def say(self, *messages: str) -> Answer:
        """The last answer."""
        for message in messages:
            answer = self.agent.answer(message, self.talk.user, now=NOW, thread=self.thread)
        return answer

    def asked(self, *messages: str) -> dict[str, Any]:
        """The arguments of the question that the last answer's first figure rests on."""
        answer = self.say(*messages)
        assert answer.figures, answer.text
        question = answer.figures[0].question
        assert question is not None
        return dict(question["arguments"])

    def scalars(self, query: str) -> list[Any]:
        """One column straight from the database."""
        return [row[0] for row in self.rows(query)]

    def rows(self, query: str) -> list[Any]:
        """Rows straight from the database."""
        with self.talk.engine.connect() as connection:
            return list(connection.execute(text(query)))


@pytest.fixture(params=["software", "machinery"])
def conversation(request: pytest.FixtureRequest) -> Conversation:
    """A fresh thread with either company."""
    return Conversation(request.getfixturevalue(request.param))


def fields_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Field -> values of the plain conditions."""
    return {item["field"]: item.get("values") for item in arguments.get("filters", []) if "field" in item}


class TestChangingTheQuestion:
    def test_a_bound_takes_the_place_of_the_bound_before(self, conversation: Conversation) -> None:
        first = fields_of(conversation.asked("how many open deals over 50k do we have?"))
        second = fields_of(conversation.asked("and over 90k?"))
        assert [float(first["amount"][0]), float(second["amount"][0])] == [50_000, 90_000]

    def test_a_split_and_a_period_join_the_question(self, conversation: Conversation) -> None:
        arguments = conversation.asked("won value last quarter", "by rep", "and the quarter before?")
        assert (arguments["metric"], arguments["group_by"]) == ("won_value", ["owner"])
        assert arguments["period"]["first"] == "2026-04-01"

    def test_what_is_forgotten_is_taken_back(self, conversation: Conversation) -> None:
        assert conversation.asked("open pipeline by region")["group_by"] == ["region"]
        assert not conversation.asked("forget the region").get("group_by")
        assert not conversation.asked("open deals by stage", "drop the stage").get("group_by")

    def test_every_condition_is_told_whichever_message_it_came_from(self, conversation: Conversation) -> None:
        conversation.say("open deals over 20k")
        second = conversation.say("and over 30k?")
        assert "30,000" in second.text and "open" in second.text and "20,000" not in second.text
        third = conversation.say("won ones")
        assert "30,000" in third.text and "won" in third.text and "open" not in third.text

    def test_ignoring_records_is_no_forgetting_of_a_condition(self, conversation: Conversation) -> None:
        conversation.say("open deals over 40k")
        fields = {item["field"]: item["op"] for item in conversation.asked("ignore those without a next step")["filters"]}
        assert fields["next_step"] == "not_empty"
        assert fields["amount"] == "more_than"

    def test_a_whole_question_starts_afresh(self, conversation: Conversation) -> None:
        arguments = conversation.asked("won value in Q2 by rep", "how many tickets were opened last month?")
        assert arguments["metric"] == "tickets_opened"
        assert not arguments.get("group_by")
        assert arguments["period"]["first"] == "2026-10-01"

    def test_an_earlier_question_is_returned_to_by_its_name(self, conversation: Conversation) -> None:
        arguments = conversation.asked("open pipeline by region", "how many tickets were opened last month?", "back to the pipeline question, by rep")
        assert (arguments["metric"], arguments["group_by"]) == ("open_pipeline", ["owner"])


class TestGoingBack:
    def test_the_last_question_with_that_condition_is_the_one_before(self, software: Talk) -> None:
        talk = Conversation(software)
        talk.say("open deals in EMEA", "how many tickets were opened last month?")
        arguments = talk.asked("back to EMEA: which of those are over 20k?")
        assert arguments["noun"] == "deal"
        assert fields_of(arguments)["region"] == ["EMEA"] or "team" in fields_of(arguments)
        assert "amount" in fields_of(arguments)


class TestNumbersOfRecords:
    def test_they_are_added_up_split_and_averaged(self, conversation: Conversation) -> None:
        whole = conversation.asked("how many companies do we have in all?", "total number of employees of those?")
        assert whole["measure"] == {"field": "employees", "how": "sum"}
        (total,) = conversation.scalars("SELECT sum(employees) FROM company WHERE archived_at IS NULL")
        assert f"{total:,}" in conversation.say("total number of employees of our companies").text
        split = conversation.asked("by industry")
        assert (split["measure"]["field"], split["group_by"]) == ("employees", ["industry"])
        assert conversation.asked("average?")["measure"]["how"] == "mean"

    def test_a_count_asked_next_is_a_count(self, conversation: Conversation) -> None:
        conversation.say("total number of employees of our companies by region")
        assert "measure" not in conversation.asked("how many companies is that?")


class TestWhatItWas:
    def test_before_and_at_first(self, software: Talk) -> None:
        talk = Conversation(software)
        moved = "SELECT record_id FROM event WHERE noun = 'deal' AND json_extract(changes, '$.expected_close_on') IS NOT NULL AND kind != 'created'"
        (deal,) = talk.scalars(f"{moved} GROUP BY record_id HAVING count(*) > 1 ORDER BY record_id LIMIT 1")
        days = talk.scalars(
            f"SELECT json_extract(changes, '$.expected_close_on[0]') FROM event WHERE noun = 'deal' AND record_id = {deal} "  # noqa: S608
            "AND json_extract(changes, '$.expected_close_on') IS NOT NULL AND kind != 'created' ORDER BY id"
        )
        talk.say(f"deal {deal}", "when is it expected to close?")
        before, first = talk.say("what was it before?").text, talk.say("and what was it originally?").text
        assert format_day(date.fromisoformat(days[-1])) in before
        assert format_day(date.fromisoformat(days[0])) in first


class TestPointing:
    def test_the_second_one_is_the_second_row_shown(self, conversation: Conversation) -> None:
        shown = conversation.say("top 3 open deals by amount").figures[0].record_ids
        (owner,) = conversation.scalars(
            f"SELECT user_account.name FROM deal JOIN user_account ON user_account.id = owner_id WHERE deal.id = {shown[1]}"
        )  # noqa: S608
        answer = conversation.say("who owns the second one?")
        assert owner in answer.text

    def test_it_is_the_record_spoken_of(self, conversation: Conversation) -> None:
        (deal,) = conversation.say("the biggest open deal").figures[0].record_ids
        (owner,) = conversation.scalars(f"SELECT user_account.name FROM deal JOIN user_account ON user_account.id = owner_id WHERE deal.id = {deal}")  # noqa: S608
        assert owner in conversation.say("who owns it?").text

    def test_these_are_the_records_shown(self, conversation: Conversation) -> None:
        whole = conversation.say("open deals over 40k").figures[0]
        part = conversation.say("which of these have no next step?").figures[0]
        bare = conversation.scalars("SELECT id FROM deal WHERE coalesce(next_step, '') = ''")
        assert set(part.record_ids) <= set(bare)
        assert part.rows_in_all is not None and whole.rows_in_all is not None
        assert part.rows_in_all <= whole.rows_in_all

    def test_a_word_that_points_at_nothing_is_no_guess(self, conversation: Conversation) -> None:
        assert conversation.say("who owns it?").outcome in ("declined", "asked")


class TestLookingBack:
    @pytest.mark.parametrize("message", ["open pipeline as of 1 October", "what was the open pipeline on 1 October?"])
    def test_a_figure_as_of_a_day_is_that_of_the_core(self, conversation: Conversation, message: str) -> None:
        answer = conversation.say(message)
        with conversation.talk.ctx() as ctx:
            result = ask(ctx, MetricQuestion(metric="open_pipeline", as_of=date(2026, 10, 1)))
        assert answer.figures[0].question is not None
        assert answer.figures[0].question["arguments"]["as_of"] == "2026-10-01"
        assert result.value is not None
        assert f"{result.value / 100:,.2f}".removesuffix(".00") in answer.text

    @pytest.mark.parametrize("message", ["list open deals as of 30 June", "open deals back in June", "which deals were open on 30 June?"])
    def test_a_list_as_of_a_day(self, software: Talk, message: str) -> None:
        frame = software.read(message)
        assert (frame.intent, frame.as_of) == ("list", date(2026, 6, 30)), frame.plain()

    @pytest.mark.parametrize(
        "message", ["how did the pipeline change since Monday?", "pipeline walk since Monday", "what happened to our pipeline since Monday?"]
    )
    def test_a_movement_begins_on_the_day_that_is_named(self, software: Talk, message: str) -> None:
        frame = software.read(message)
        assert (frame.intent, frame.since) == ("movement", date(2026, 11, 16)), frame.plain()

    def test_days_in_a_stage_are_counted_from_its_beginning(self, software: Talk) -> None:
        frame = software.read("open deals stuck in negotiation for 3 weeks")
        found = {item.field: (item.op, item.values) for item in frame.filters}  # type: ignore[union-attr]
        assert found["days_in_stage"] == ("at_least", [21])
        assert frame.limit is None

    @pytest.mark.parametrize("message", ["no activity for 3 weeks", "open deals for 3 weeks"])
    def test_a_duration_is_never_taken_for_a_number_of_rows(self, software: Talk, message: str) -> None:
        assert software.read(message).intent == "unknown"


class TestTaughtWords:
    @pytest.mark.parametrize(
        ("message", "phrase", "meaning", "scope"),
        [
            ("'logo' means won deal", "logo", "won deal", ""),
            ('when we say "whale" we mean open deal over 100k', "whale", "open deal over 100k", ""),
            ("remember that 'whale' means open deal over 100k for everybody.", "whale", "open deal over 100k", "company"),
        ],
    )
    def test_a_lesson_is_recognised(self, message: str, phrase: str, meaning: str, scope: str) -> None:
        frame = lesson_in(message)
        assert frame is not None
        assert (frame.intent, frame.detail, frame.topic, frame.step) == ("teach", phrase, meaning, scope)

    @pytest.mark.parametrize("message", ["what does win rate mean?", "our pipeline", "forget the region"])
    def test_other_messages_are_no_lessons(self, message: str) -> None:
        assert lesson_in(message) is None

    def test_meanings_are_put_longest_first_and_never_inside_words(self) -> None:
        said, used = put_meanings("blue whales and whales, not whalers", {"whale": "big deal", "blue whale": "huge deal"})
        assert said == "huge deal and big deal, not whalers"
        assert used == ["blue whale", "whale"]

    @pytest.mark.parametrize(
        ("phrase", "meaning", "reason"),
        [
            ("pipeline", "won deal", "already"),
            ("Q3", "won deal", "already"),
            ("last year", "won deal", "already"),
            ("20k", "won deal", "already"),
            ("30 February", "won deal", "already"),
            ("Thistledown", "won deal", "already"),
            ("whale", "flibbertigibbet deal", "flibbertigibbet"),
        ],
    )
    def test_what_would_mislead_is_refused(self, software: Talk, phrase: str, meaning: str, reason: str) -> None:
        with software.ctx() as ctx, pytest.raises(Invalid, match=reason):
            check_word(ctx, phrase, meaning)

    def test_a_lesson_in_the_chat_is_a_proposal(self, conversation: Conversation) -> None:
        before = conversation.scalars("SELECT count(*) FROM taught_word")
        answer = conversation.say("'whale' means open deal over 40k")
        assert len(answer.proposals) == 1
        assert conversation.scalars("SELECT count(*) FROM taught_word") == before
        assert conversation.say("how many whales do we have?").outcome == "declined"

    def test_a_taught_word_is_read_as_its_meaning_by_its_teacher_alone(self, conversation: Conversation) -> None:
        talk = conversation.talk
        with unit_of_work(talk.engine, talk.user, write=True, now=NOW, door="test") as ctx:
            teach_word(ctx, TeachWord(phrase="whale", meaning="open deal over 40k"))
        try:
            plainly = conversation.say("how many open deals over 40k do we have?").figures[0]
            taught = conversation.say("how many whales do we have?")
            assert taught.figures[0].shown == plainly.shown
            assert "whale" in taught.text.lower() + " ".join(taught.notices).lower()
            (other,) = conversation.scalars("SELECT min(id) FROM user_account WHERE role = 'rep'")
            assert conversation.agent.answer("how many whales do we have?", other, now=NOW).outcome == "declined"
        finally:
            with unit_of_work(talk.engine, talk.user, write=True, now=NOW, door="test") as ctx:
                forget_word(ctx, ForgetWord(phrase="whale"))
        assert conversation.say("how many whales do we have?").outcome == "declined"

    def test_only_those_in_charge_teach_for_everybody(self, software: Talk) -> None:
        with software.engine.connect() as connection:
            rep = connection.scalar(text("SELECT min(id) FROM user_account WHERE role = 'rep'"))
        with pytest.raises(NotAllowed), unit_of_work(software.engine, rep, write=True, now=NOW, door="test") as ctx:
            teach_word(ctx, TeachWord(phrase="whale", meaning="open deal over 40k", company=True))
        with software.ctx() as ctx:
            assert taught_words(ctx) == []


class TestCasesFromFeedback:
    def test_a_thumb_down_becomes_a_case_once(self, software: Talk, tmp_path: Path) -> None:
        conversation = Conversation(software)
        conversation.say("how many open deals do we have?")
        with software.ctx() as ctx:
            (turn,) = [row for row in ctx.session.query(Turn).filter_by(thread_id=conversation.thread)]
            case = case_of(ctx, turn, kind="value", sql="SELECT 1")
        assert (case["say"], case["as"], case["sql"]) == ("how many open deals do we have?", "admin", "SELECT 1")
        assert Frame.model_validate(case["read_as"]).metric == "open_deals"
        for _ in range(2):
            append(case, tmp_path / "feedback.yaml")
        assert (tmp_path / "feedback.yaml").read_text(encoding="utf-8").count("how many open deals do we have?") == 1


class TestPartsOfAFigure:
    """A part of a split figure can be pointed at."""

    def test_that_region(self, conversation: Conversation) -> None:
        conversation.say("which region had the highest won value in 2025?")
        top = conversation.scalars(
            "select c.region from deal d join company c on c.id = d.company_id where d.status = 'won' and d.closed_at >= '2025-01-02' and d.closed_at < '2026-01-01'"
            " and d.archived_at is null and c.region is not null group by c.region order by count(*) desc"
        )
        asked = conversation.asked("how many deals did we lose in that region in 2025?")
        assert asked["metric"] == "lost_deals"
        assert asked["filters"][0]["field"] == "region"
        assert asked["filters"][0]["values"][0] in top

    def test_her_win_rate_keeps_the_period(self, conversation: Conversation) -> None:
        conversation.say("which rep won the most in 2025?")
        asked = conversation.asked("and what is their win rate?")
        assert asked["metric"] == "win_rate"
        assert asked["period"]["first"] == "2025-01-01"

    def test_the_second_one(self, conversation: Conversation) -> None:
        answer = conversation.say("top 3 reps by won value in 2025")
        second = answer.figures[0].groups[1][0][0]
        asked = conversation.asked("the second one, how many deals did he lose in 2025?")
        names = conversation.scalars(f"select name from user_account where id = {asked['filters'][0]['values'][0]}")
        assert names == [second]

    def test_that_month(self, conversation: Conversation) -> None:
        answer = conversation.say("best month of 2025 by won value")
        best = answer.figures[0].groups[0][0][0]
        listed = conversation.say("which deals did we win in that month?")
        assert best in listed.text

    def test_how_many_deals_was_that(self, conversation: Conversation) -> None:
        conversation.say("which region had the highest won value in 2025?")
        asked = conversation.asked("how many deals was that?")
        assert (asked["metric"], asked["filters"][0]["field"]) == ("won_deals", "region")
        assert "group_by" not in asked

    def test_for_each(self, conversation: Conversation) -> None:
        conversation.say("won value by region in 2025", "which region is best?")
        asked = conversation.asked("how many deals is that for each?")
        assert (asked["metric"], asked["group_by"]) == ("won_deals", ["region"])
        assert "limit" not in asked

    def test_which_of_them_ranks_the_figure_before(self, conversation: Conversation) -> None:
        conversation.say("win rate by source in 2025")
        asked = conversation.asked("which source has the lowest?")
        assert (asked["metric"], asked["order"], asked["period"]["first"]) == ("win_rate", "lowest", "2025-01-01")

    def test_why_of_what_was_lost(self, conversation: Conversation) -> None:
        conversation.say("which region lost the most deals in 2025?")
        asked = conversation.asked("why?")
        assert (asked["metric"], asked["group_by"]) == ("lost_deals", ["loss_reason"])
        assert asked["filters"][0]["field"] == "region"

    def test_the_same_quarter_last_year(self, conversation: Conversation) -> None:
        conversation.say("won value in Q2 2026 by team")
        before = conversation.asked("and in the same quarter last year?")
        again = Conversation(conversation.talk).asked("won value in Q2 2025 by team")
        assert before["period"]["first"] == again["period"]["first"]
        assert before["group_by"] == ["team"]


class TestThoseOfTheQuestionBefore:
    """The definite article, "else" and half a value's name mean the records spoken of."""

    def test_the_deals(self, conversation: Conversation) -> None:
        figure = conversation.say("how much did we win in 2025?").figures[0]
        listed = conversation.say("show me the deals").figures[0]
        assert listed.rows_in_all == figure.rows_in_all

    def test_a_denial_narrows_what_stands(self, machinery: Talk) -> None:
        conversation = Conversation(machinery)
        first = conversation.asked("open deals in stage Bid")
        second = conversation.asked("without the ones in Scoping")
        (stage,) = [item for item in first["filters"] if item["field"] == "stage"]
        assert stage in second["filters"]
        assert len(second["filters"]) == len(first["filters"]) + 1

    def test_states_are_not_lost_by_which_ones(self, conversation: Conversation) -> None:
        conversation.say("leads created in 2026")
        asked = conversation.asked("which ones are not contacted yet?")
        assert {"field": "first_response", "op": "empty", "values": []} in asked["filters"]

    def test_any_tickets_are_those_of_the_company_spoken_of(self, conversation: Conversation) -> None:
        name = conversation.scalars("select name from company where archived_at is null order by length(name) desc limit 1")[0]
        key = conversation.scalars("select id from company where archived_at is null order by length(name) desc limit 1")[0]
        conversation.say(f"tell me about {name}")
        answer = conversation.say("any open tickets?")
        asked = answer.figures[0].question
        assert asked is not None
        assert {"field": "company", "values": [key]}.items() <= asked["arguments"]["filters"][0].items()

    def test_nobody_is_meant_by_their(self, conversation: Conversation) -> None:
        assert conversation.say("show me their open deals").outcome in ("declined", "asked")

    def test_all_deals_are_all(self, conversation: Conversation) -> None:
        conversation.say("how much did we win in 2025?")
        listed = conversation.say("list all open deals").figures[0]
        assert listed.rows_in_all == conversation.scalars("select count(*) from deal where status = 'open' and archived_at is null")[0]

    def test_unresolved_pointing_is_refused(self, conversation: Conversation) -> None:
        conversation.say("what is the weather in that place?")
        conversation.say("hello")
        conversation.say("how many companies do we have?")
        assert conversation.say("how many tickets were about that").outcome in ("declined", "asked")


class TestAsides:
    """What is said around a question is left aside, and the answer says so; what could narrow it never is."""

    @pytest.mark.parametrize(
        ("message", "metric"),
        [
            ("Treasury is nagging again, what is our weighted pipeline?", "weighted_pipeline"),
            ("We are repainting the office, so show me how much we won in 2025", "won_value"),
            ("The mean gets distorted by a few whoppers, so give me the median sales cycle for 2025", "median_sales_cycle"),
        ],
    )
    def test_left_aside(self, conversation: Conversation, message: str, metric: str) -> None:
        answer = conversation.say(message)
        assert answer.figures[0].question["arguments"]["metric"] == metric  # type: ignore[index]
        assert any(notice.startswith("I left aside") for notice in answer.notices) or not answer.notices

    @pytest.mark.parametrize(
        "message",
        [
            "I was told we are talking to Quibblestone Dairy, which deals are open there?",
            "only the frobnicated deals, what is our weighted pipeline",
            "what is our pipeline for grommets",
            "how many deals do we have with unicorn status",
        ],
    )
    def test_never_what_could_narrow(self, conversation: Conversation, message: str) -> None:
        assert conversation.say(message).outcome in ("declined", "asked")

    @pytest.mark.parametrize("message", ["won value last year in yen", "open deals over ¥900k"])
    def test_foreign_money_is_refused(self, conversation: Conversation, message: str) -> None:
        answer = conversation.say(message)
        assert answer.outcome in ("declined", "asked")
        assert "JPY" in answer.text
