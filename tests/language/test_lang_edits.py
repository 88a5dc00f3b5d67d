"""Changes put into words, of one record or many, told or asked for, corrected and conditional; both companies, names from their data."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from assistant.answer import Answer
from assistant.language.dialogue import Dialogue
from assistant.language.frames import Entity, Frame, Pending
from assistant.language.grammar.edits.phrases import trimmed, wishes
from assistant.language.grammar.edits.targets import Targets
from assistant.language.grammar.edits.values import amount_said, best_of
from crm_core.context import unit_of_work
from tests.language.test_lang_commands import calls, deal, stages, talk
from tests.language.test_lang_conversation import Conversation
from tests.language.test_lang_readings import NOW, Talk, machinery, software

__all__ = ["machinery", "software", "talk"]  # fixtures


def steps(answer: Answer, talk: Conversation) -> list[dict[str, Any]]:
    """The steps of what was proposed, with the records that each runs on."""
    ((arguments,),) = talk.rows(f"SELECT arguments FROM change_set WHERE id = {answer.proposals[-1].change_set_id}")
    return list(json.loads(arguments)["steps"])


class TestPhrases:
    @pytest.mark.parametrize("said", ["please set it to 5", "could you set it to 5?", "ok, set it to 5, thanks!", "let's set it to 5 please"])
    def test_politeness_is_left_out(self, said: str) -> None:
        assert trimmed(said).rstrip("?") == "set it to 5"

    @pytest.mark.parametrize("said", ["should we move it to Bid?", "what if we move it to Bid", "did Tom move it to Bid", "why is it in Bid"])
    def test_a_question_wishes_nothing(self, said: str) -> None:
        assert list(wishes(said)) == []

    def test_the_words_part_at_the_verb_and_the_value(self) -> None:
        wish = next(iter(wishes("set the close date of the Kestrel renewal to 30 June")))
        assert (wish.act, wish.target, wish.field, wish.value) == ("set", "the Kestrel renewal", "the close date", "30 June")


class TestValues:
    @pytest.mark.parametrize(
        ("said", "number"), [("45k", "45000"), ("158.000 euros", "158000"), ("12,500", "12500"), ("1.2m", "1200000"), ("99.5", "99.5")]
    )
    def test_amounts(self, said: str, number: str) -> None:
        found = amount_said(said)
        assert found is not None
        assert found[0] == Decimal(number)

    @pytest.mark.parametrize("said", ["45k and more", "soon", "the second", "12 people"])
    def test_what_is_no_amount(self, said: str) -> None:
        assert amount_said(said) is None

    def test_a_value_is_meant_by_its_beginning_or_its_likeness_and_not_by_chance(self) -> None:
        values = ["Negotiation", "New", "Closed Won", "Closed Lost"]
        assert best_of("negotiation", values) == "Negotiation"
        assert best_of("negotaition", values) == "Negotiation"
        assert best_of("closed", values) is None, "two begin so"
        assert best_of("gone", values) is None


class TestOne:
    def test_an_arrow_moves(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage = stages(talk, number)[0]
        assert calls(talk.say(f"{name} -> {stage}"), talk) == [("move_deal", {"stage": stage, "id": number})]

    def test_several_fields_of_a_record_named_first_are_one_update(self, talk: Conversation) -> None:
        number, name = deal(talk)
        answer = talk.say(f"{name}: close date 15 January 2027, next step send the contract")
        assert calls(answer, talk) == [("update_deal", {"expected_close_on": "2027-01-15", "next_step": "send the contract", "id": number})]

    def test_an_amount_is_raised_by_a_share_of_what_it_is(self, talk: Conversation) -> None:
        number, name = deal(talk)
        ((minor,),) = talk.rows(f"SELECT amount_minor FROM deal WHERE id = {number}")
        ((_verb, arguments),) = calls(talk.say(f"raise the amount of {name} by 10%"), talk)
        assert round(float(arguments["amount"]) * 100) == pytest.approx(minor * 1.1, abs=1)

    def test_a_stage_that_does_not_exist_is_refused_with_those_that_do(self, talk: Conversation) -> None:
        number, name = deal(talk)
        answer = talk.say(f"move {name} to the Frobnication stage")
        assert not answer.proposals
        assert stages(talk, number)[0] in answer.text

    def test_a_deal_is_not_lost_without_a_reason(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        answer = talk.say(f"we lost {name}")
        assert not answer.proposals
        assert "Why was it lost" in answer.text


class TestMany:
    def test_all_that_meet_the_conditions_are_changed_as_one(self, talk: Conversation) -> None:
        ((stage, pipeline),) = talk.rows(
            "SELECT stage.name, stage.pipeline_id FROM deal JOIN stage ON stage.id = deal.stage_id WHERE deal.status = 'open' AND deal.amount_minor > 1000000 "
            "AND stage.name IN (SELECT name FROM stage GROUP BY name HAVING count(*) = 1) GROUP BY stage.id ORDER BY count(*) DESC LIMIT 1"
        )
        other = talk.scalars(
            f"SELECT name FROM stage WHERE kind = 'open' AND pipeline_id = {pipeline} AND name != '{stage}' ORDER BY position LIMIT 1"
        )[0]
        ids = talk.scalars(
            "SELECT deal.id FROM deal JOIN stage ON stage.id = deal.stage_id WHERE deal.status = 'open' AND deal.archived_at IS NULL "
            f"AND stage.name = '{stage}' AND deal.amount_minor * CASE deal.currency WHEN (SELECT home_currency FROM organisation) THEN 1000000 ELSE "
            "(SELECT micro FROM exchange_rate WHERE currency = deal.currency AND day <= date('now') ORDER BY day DESC LIMIT 1) END / 1000000 > 1000000"
        )
        answer = talk.say(f"move all open deals in {stage} over 10k to {other}")
        (step,) = steps(answer, talk)
        assert step["capability"] == "move_deal"
        assert sorted(step["ids"]) == sorted(ids)
        assert f"{len(ids)} deals" in answer.text

    def test_the_rows_of_the_last_answer_are_meant_by_those(self, talk: Conversation) -> None:
        ((owner, number),) = talk.rows(
            "SELECT user_account.name, user_account.id FROM deal JOIN user_account ON user_account.id = owner_id WHERE status = 'open' "
            "AND deal.archived_at IS NULL GROUP BY user_account.id HAVING count(DISTINCT forecast_category) > 1 ORDER BY user_account.id LIMIT 1"
        )
        in_it = f"FROM deal WHERE status = 'open' AND archived_at IS NULL AND owner_id = {number}"
        category = talk.scalars(f"SELECT forecast_category {in_it} GROUP BY 1 ORDER BY count(*), 1 LIMIT 1")[0]
        others = talk.scalars(f"SELECT id {in_it} AND forecast_category != '{category}'")
        assert talk.say(f"show the open deals of {owner}").figures[0].rows_in_all == len(talk.scalars(f"SELECT id {in_it}"))
        answer = talk.say(f"set their forecast category to {category}")
        assert sorted(line["id"] for line in answer.proposals[0].diff) == sorted(others)

    def test_what_was_asked_back_and_never_shown_is_no_list(self, talk: Conversation) -> None:
        shown = Frame(intent="list", noun="deal")
        asked = shown.model_copy(update={"pending": Pending(name="Delta", candidates=[Entity(noun="company", id=1, label="Delta Ltd")])})
        with unit_of_work(talk.talk.engine, talk.talk.user, write=False, now=NOW) as ctx:
            found = Targets(ctx, Dialogue([shown])).find("the second", ("deal",))
            assert found is not None
            assert len(found.found) == 1
            assert Targets(ctx, Dialogue([asked])).find("the second", ("deal",)) is None

    def test_what_is_named_first_is_meant_by_it(self, talk: Conversation) -> None:
        ((owner, number),) = talk.rows(
            "SELECT user_account.name, user_account.id FROM deal JOIN user_account ON user_account.id = owner_id WHERE status = 'open' "
            "AND deal.archived_at IS NULL AND expected_close_on IS NOT NULL GROUP BY user_account.id HAVING count(*) > 1 ORDER BY user_account.id LIMIT 1"
        )
        before = dict(
            talk.rows(f"SELECT id, expected_close_on FROM deal WHERE status = 'open' AND archived_at IS NULL AND owner_id = {number} ORDER BY id")
        )
        answer = talk.say(f"every open deal of {owner}: push the close date by a week")
        later = {line["id"]: line["new"] for line in answer.proposals[0].diff}
        assert later == {key: (date.fromisoformat(day) + timedelta(days=7)).isoformat() for key, day in before.items()}

    def test_each_gets_its_own_day_where_dates_are_shifted(self, talk: Conversation) -> None:
        before = dict(talk.rows("SELECT id, expected_close_on FROM deal WHERE status = 'open'"))
        talk.say("show open deals closing after today")
        answer = talk.say("push the first three out by two weeks")
        assert len(answer.proposals[0].diff) == 3
        for line in answer.proposals[0].diff:
            assert line["new"] == (date.fromisoformat(before[line["id"]]) + timedelta(days=14)).isoformat()

    def test_many_that_are_only_described_are_asked_for(self, talk: Conversation) -> None:
        ((owner, number),) = talk.rows(
            "SELECT user_account.name, user_account.id FROM deal JOIN user_account ON user_account.id = owner_id WHERE status = 'open' "
            "AND deal.archived_at IS NULL GROUP BY user_account.id HAVING count(DISTINCT forecast_category) > 1 ORDER BY user_account.id LIMIT 1"
        )
        category = talk.scalars(f"SELECT forecast_category FROM deal WHERE status = 'open' AND owner_id = {number} ORDER BY id LIMIT 1")[0]
        assert not talk.say(f"open deals of {owner}: forecast {category}").proposals
        assert talk.say(f"all open deals of {owner}: forecast {category}").proposals


class TestCorrections:
    def test_another_value_takes_the_place_of_the_proposal(self, talk: Conversation) -> None:
        number, name = deal(talk)
        first = talk.say(f"set {name} to 51k")
        second = talk.say("no, 52k")
        assert calls(second, talk) == [("update_deal", {"amount": "52000", "id": number})]
        assert talk.rows(f"SELECT status FROM change_set WHERE id = {first.proposals[0].change_set_id}") == [("replaced",)]

    def test_what_was_logged_is_taken_back_with_the_correction(self, talk: Conversation) -> None:
        first = talk.say("remind me on 1 December to water the plants")
        second = talk.say("sorry, make that 2 December")
        assert [proposal.applied for proposal in second.proposals] == [True]
        assert talk.rows(f"SELECT status FROM change_set WHERE id = {first.proposals[0].change_set_id}") == [("undone",)]
        assert talk.rows("SELECT due_on FROM activity WHERE subject = 'Water the plants' AND archived_at IS NULL") == [("2026-12-02",)]

    def test_the_right_value_is_told_after_a_slip(self, talk: Conversation) -> None:
        number, name = deal(talk)
        talk.say(f"set {name} to 61k")
        assert calls(talk.say("typo, 60,500 is right"), talk) == [("update_deal", {"amount": "60500", "id": number})]

    def test_a_request_without_a_value_only_asks_for_what_was_said(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage = stages(talk, number)[0]
        assert calls(talk.say(f"{name} is now in {stage}. Can you update its stage?"), talk) == [("move_deal", {"stage": stage, "id": number})]
        assert not talk.say("Can you update its stage?").proposals

    def test_never_mind_withdraws(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        first = talk.say(f"set {name} to 53k")
        assert "Withdrawn" in talk.say("never mind, wrong deal").text
        assert talk.rows(f"SELECT status FROM change_set WHERE id = {first.proposals[0].change_set_id}") == [("refused",)]

    def test_a_correction_that_is_not_understood_leaves_nothing_to_approve(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        first = talk.say(f"set {name} to 54k")
        assert "withdrew" in talk.say("no no that is not right at all, blurgh").text
        assert talk.rows(f"SELECT status FROM change_set WHERE id = {first.proposals[0].change_set_id}") == [("refused",)]


class TestNew:
    def test_a_contact(self, talk: Conversation) -> None:
        ((company, name),) = talk.rows("SELECT min(id), name FROM company GROUP BY name HAVING count(*) = 1 ORDER BY 1 LIMIT 1")
        ((verb, arguments),) = calls(talk.say(f"add Jo Quillfeather, CFO, jo@quill.example as a contact at {name}"), talk)
        assert verb == "create_contact"
        assert arguments == {"name": "Jo Quillfeather", "title": "CFO", "email": "jo@quill.example", "company_id": company}

    def test_a_deal_with_its_details_in_any_order(self, talk: Conversation) -> None:
        ((company, name),) = talk.rows("SELECT min(id), name FROM company GROUP BY name HAVING count(*) = 1 ORDER BY 1 LIMIT 1")
        ((verb, arguments),) = calls(talk.say(f'create a deal with {name}, 20k, closing 30 June 2027, called "Spring order"'), talk)
        assert verb == "create_deal"
        assert arguments == {"name": "Spring order", "company_id": company, "amount": "20000", "expected_close_on": "2027-06-30"}

    def test_without_what_it_is_called_it_is_asked_for(self, talk: Conversation) -> None:
        answer = talk.say("create a new contact")
        assert not answer.proposals
        assert "called" in answer.text


class TestConditions:
    def person(self, talk: Conversation, *, called: bool) -> str:
        having = "" if called else "NOT "
        return talk.scalars(
            f"SELECT name FROM contact WHERE {having}EXISTS (SELECT 1 FROM activity WHERE contact_id = contact.id AND kind = 'call') "
            "AND name IN (SELECT name FROM contact GROUP BY name HAVING count(*) = 1) AND name NOT IN (SELECT name FROM user_account) "
            "AND archived_at IS NULL ORDER BY id LIMIT 1"
        )[0]

    def test_it_is_done_where_the_condition_holds(self, talk: Conversation) -> None:
        name = self.person(talk, called=False)
        ((verb, arguments),) = calls(talk.say(f"if nobody has called {name}, remind me on 1 December to ring them"), talk)
        assert verb == "add_task"
        assert arguments["due_on"] == "2026-12-01"

    def test_nothing_is_done_where_it_does_not(self, talk: Conversation) -> None:
        name = self.person(talk, called=True)
        answer = talk.say(f"if nobody has called {name}, remind me on 1 December to ring them")
        assert not answer.proposals
        assert "Nothing was changed" in answer.text

    def test_a_condition_that_cannot_be_decided_is_not_passed_over(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        answer = talk.say(f"if the moon is full, set {name} to 55k")
        assert not answer.proposals


class TestWhatIsLacking:
    """It is asked for once, and the next message completes the change."""

    @pytest.mark.parametrize(
        ("said", "answered", "verb", "expected"),
        [
            ("create a new contact", "Jo Quillfeather, CFO", "create_contact", {"name": "Jo Quillfeather", "title": "CFO"}),
            ("add a lead", "her name is Pia Moonlight", "create_lead", {"name": "Pia Moonlight"}),
            ("new deal", "it's called Spring order", "create_deal", {"name": "Spring order"}),
            ("open a ticket", "water in the cellar", "create_ticket", {"subject": "Water in the cellar"}),
            ("remind me on 1 December", "to water the plants", "add_task", {"subject": "Water the plants", "due_on": "2026-12-01"}),
        ],
    )
    def test_the_answer_completes_it(self, said: str, answered: str, verb: str, expected: dict[str, Any], talk: Conversation) -> None:
        asked = talk.say(said)
        assert (asked.outcome, asked.proposals) == ("asked", [])
        ((made, arguments),) = calls(talk.say(answered), talk)
        assert made == verb
        assert expected.items() <= arguments.items()

    def test_a_lost_deal_gets_its_reason(self, talk: Conversation) -> None:
        number, name = deal(talk)
        reason = talk.scalars("SELECT value FROM picklist_value WHERE field = 'loss_reason' ORDER BY position LIMIT 1")[0]
        assert reason in talk.say(f"we lost {name}").text
        assert "is not a reason here" in talk.say("blurgh").text, "an answer that does not fit is asked for again"
        assert calls(talk.say(reason.lower()), talk) == [("lose_deal", {"reason": reason, "id": number})]

    @pytest.mark.parametrize("answered", ["never mind", "no", "actually no, thanks"])
    def test_it_can_be_dropped(self, answered: str, talk: Conversation) -> None:
        dropped = talk.say("create a new contact", answered)
        assert (dropped.proposals, dropped.text) == ([], "All right, nothing was prepared.")
        assert not talk.say("Jo Quillfeather, CFO").proposals

    def test_another_question_is_no_answer(self, talk: Conversation) -> None:
        answer = talk.say("create a new contact", "how many open deals do we have?")
        assert answer.figures
        assert not answer.proposals

    def test_another_command_is_no_answer(self, talk: Conversation) -> None:
        number, name = deal(talk)
        assert calls(talk.say("create a new contact", f"set {name} to 57k"), talk) == [("update_deal", {"amount": "57000", "id": number})]

    def test_the_conversation_goes_on_with_what_was_before(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        before = talk.say(f"show me {name}").text
        assert name in before
        assert name in talk.say("create a new contact", "never mind", "who owns it?").text


class TestInWhateverOrder:
    """A value, a run of words that means records, and small words: assembled where no pattern knows the order."""

    def test_a_colleague_gets_what_is_named(self, talk: Conversation) -> None:
        number, name = deal(talk)
        ((user, colleague),) = talk.rows(
            f"SELECT id, name FROM user_account WHERE role = 'rep' AND active AND id != (SELECT owner_id FROM deal WHERE id = {number}) ORDER BY id LIMIT 1"
        )
        assert calls(talk.say(f"{colleague} ought to have {name} from now on"), talk) == [
            ("reassign", {"noun": "deal", "owner_id": user, "id": number})
        ]

    def test_a_stage_to_which_it_belongs(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage = stages(talk, number)[0]
        assert calls(talk.say(f"{name} rather belongs under {stage} now"), talk) == [("move_deal", {"stage": stage, "id": number})]

    @pytest.mark.parametrize("said", ["{} does not belong under {}", "{} which should be in {}", "does {} belong under {}?", "if {} were in {}"])
    def test_a_question_a_denial_or_a_condition_is_no_change(self, said: str, talk: Conversation) -> None:
        number, name = deal(talk)
        assert not talk.say(said.format(name, stages(talk, number)[0])).proposals

    def test_a_word_that_has_no_place_makes_it_none(self, talk: Conversation) -> None:
        number, name = deal(talk)
        assert not talk.say(f"{name} blurgh belongs under {stages(talk, number)[0]} now").proposals

    def test_a_value_told_before_the_command_is_not_passed_over(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage, category = (
            stages(talk, number)[0],
            talk.scalars("SELECT value FROM picklist_value WHERE field = 'forecast_category' ORDER BY position"),
        )
        other = next(
            value for value in category if talk.scalars(f"SELECT count(*) FROM deal WHERE id = {number} AND forecast_category = '{value}'") == [0]
        )
        answer = talk.say(f"{name} is {other} blurgh, move it to {stage}")
        fields = {line["field"] for proposal in answer.proposals for line in proposal.diff}
        assert fields in (set(), {"stage_id", "forecast_category"}), "both or none, never the last alone"

    def test_all_fields_of_the_companys_own_are_kept(self, software: Talk) -> None:
        talk = Conversation(software)
        _number, name = deal(talk)
        own = talk.rows(
            "SELECT label, kind, choices, key FROM custom_field WHERE noun = 'deal' AND kind IN ('number', 'choice') ORDER BY kind DESC, id"
        )
        said = {key: "137" if kind == "number" else json.loads(choices)[0] for _label, kind, choices, key in own[:2]}
        assert len(said) == 2, "the company has what this test is about"
        parts = ", ".join(f"{label} {said[key]}" for label, _kind, _choices, key in own[:2])
        ((_verb, arguments),) = calls(talk.say(f"{name}: {parts}"), talk)
        assert arguments["custom"] == said

    def test_part_of_what_is_named_is_not_all_of_it(self, talk: Conversation) -> None:
        category, owner = talk.rows(
            "SELECT forecast_category, user_account.name FROM deal JOIN user_account ON user_account.id = owner_id WHERE status = 'open' "
            "GROUP BY 1, 2 ORDER BY count(*) LIMIT 1"
        )[0]
        answer = talk.say(f"some of the open deals of {owner} should be {category}")
        assert (answer.proposals, answer.figures) == ([], [])
        assert "change" in answer.text

    def test_what_something_ought_to_be_is_no_question(self, talk: Conversation) -> None:
        category = talk.scalars("SELECT value FROM picklist_value WHERE field = 'forecast_category' ORDER BY position LIMIT 1")[0]
        answer = talk.say(f"the blurgh deals should be {category}")
        assert (answer.proposals, answer.figures) == ([], [])
        assert talk.say(f"which deals should be {category}?").figures

    def test_a_name_is_no_clause(self, talk: Conversation) -> None:
        _number, name = deal(talk)
        assert not talk.say(f"{name} is called now, they want another one").proposals


class TestTheWordNew:
    """ "New" is a stage or a status at many companies, and must not be passed over."""

    def test_where_it_is_a_stage_only_those_are_meant(self, machinery: Talk) -> None:
        talk = Conversation(machinery)
        ((owner, number, count),) = talk.rows(
            "SELECT user_account.name, user_account.id, count(*) FROM deal JOIN stage ON stage.id = stage_id JOIN user_account ON user_account.id = owner_id "
            "WHERE stage.name = 'New' AND status = 'open' AND deal.archived_at IS NULL GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1"
        )
        other = talk.scalars(f"SELECT name FROM user_account WHERE role = 'rep' AND active AND id != {number} ORDER BY id LIMIT 1")[0]
        ids = talk.scalars(
            f"SELECT deal.id FROM deal JOIN stage ON stage.id = stage_id WHERE stage.name = 'New' AND status = 'open' AND deal.archived_at IS NULL AND owner_id = {number}"
        )
        assert count == len(ids)
        answer = talk.say(f"all new deals of {owner} should go to {other}")
        assert sorted({line["id"] for line in answer.proposals[0].diff}) == sorted(ids)

    def test_where_it_is_none_it_is_not_passed_over(self, software: Talk) -> None:
        talk = Conversation(software)
        assert not talk.rows("SELECT 1 FROM stage WHERE name = 'New'"), "the company has what this test is about"
        one, other = talk.scalars("SELECT name FROM user_account WHERE role = 'rep' AND active ORDER BY id LIMIT 2")
        assert not talk.say(f"all new deals of {one} should go to {other}").proposals
