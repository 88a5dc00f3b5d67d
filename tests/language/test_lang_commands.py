"""Changes asked for in words: what is proposed is what was said, nothing is applied, and what is not understood changes nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from assistant.answer import Answer
from assistant.language.grammar.commanding import clauses_of
from crm_core.changes import decide
from tests.language.test_lang_conversation import Conversation
from tests.language.test_lang_readings import NOW, Talk, machinery, software

__all__ = ["machinery", "software"]  # fixtures


@pytest.fixture(params=["software", "machinery"])
def talk(request: pytest.FixtureRequest) -> Conversation:
    """A fresh thread with either company."""
    return Conversation(request.getfixturevalue(request.param))


def deal(talk: Conversation) -> tuple[int, str]:
    """An open deal whose name is its own."""
    query = (
        "SELECT id, name FROM deal WHERE status = 'open' AND archived_at IS NULL AND expected_close_on IS NOT NULL AND instr(name, '–') = 0 "
        "AND name IN (SELECT name FROM deal GROUP BY name HAVING count(*) = 1) ORDER BY id LIMIT 1"
    )
    ((number, name),) = talk.rows(query)
    return number, name


def stages(talk: Conversation, number: int) -> list[str]:
    """The other open stages of a deal's pipeline."""
    return talk.scalars(
        "SELECT stage.name FROM stage JOIN deal ON deal.pipeline_id = stage.pipeline_id "
        f"WHERE deal.id = {number} AND stage.kind = 'open' AND stage.id != deal.stage_id ORDER BY position DESC"  # noqa: S608
    )


def calls(answer: Answer, talk: Conversation) -> list[tuple[str, dict[str, Any]]]:
    """Verb and arguments of what was proposed, step by step, as it was kept."""
    import json

    kept = []
    for proposal in answer.proposals:
        ((capability, arguments),) = talk.rows(f"SELECT capability, arguments FROM change_set WHERE id = {proposal.change_set_id}")  # noqa: S608
        plain = json.loads(arguments)
        steps = plain["steps"] if capability == "several" else [{"capability": capability, "arguments": plain}]
        kept += [(step["capability"], step["arguments"]) for step in steps]
    return kept


class TestOneDeal:
    def test_stage_amount_and_close_date(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage = stages(talk, number)[0]
        assert calls(talk.say(f"move {name} to {stage}"), talk) == [("move_deal", {"stage": stage, "id": number})]
        assert calls(talk.say("make it 51k"), talk) == [("update_deal", {"amount": "51000", "id": number})]
        ((close,),) = talk.rows(f"SELECT expected_close_on FROM deal WHERE id = {number}")  # noqa: S608
        ((_verb, moved),) = calls(talk.say("push its close date back two weeks"), talk)
        assert (date.fromisoformat(moved["expected_close_on"]) - date.fromisoformat(str(close))).days == 14

    def test_next_step_in_its_own_words(self, talk: Conversation) -> None:
        number, name = deal(talk)
        answer = talk.say(f"next step for {name}: send the signed contract to legal")
        assert calls(answer, talk) == [("update_deal", {"next_step": "send the signed contract to legal", "id": number})]

    def test_won_lost_and_given_away(self, talk: Conversation) -> None:
        number, name = deal(talk)
        assert calls(talk.say(f"mark {name} as won"), talk) == [("win_deal", {"id": number})]
        assert talk.say(f"mark {name} as lost").outcome == "asked"
        reason = talk.scalars("SELECT value FROM picklist_value WHERE noun = 'deal' AND field = 'loss_reason' ORDER BY position LIMIT 1")[0]
        assert calls(talk.say(f"mark {name} lost, {reason}"), talk) == [("lose_deal", {"reason": reason, "id": number})]
        ((user, colleague),) = talk.rows(
            f"SELECT id, name FROM user_account WHERE role = 'rep' AND active AND id != (SELECT owner_id FROM deal WHERE id = {number}) ORDER BY id LIMIT 1"  # noqa: S608
        )
        assert calls(talk.say(f"give {name} to {colleague}"), talk) == [("reassign", {"noun": "deal", "owner_id": user, "id": number})]

    def test_nothing_is_applied(self, talk: Conversation) -> None:
        number, name = deal(talk)
        before = talk.rows(f"SELECT * FROM deal WHERE id = {number}")  # noqa: S608
        for message in (f"set {name} to 12k", f"mark {name} as won", "yes", "apply it", "ok do it"):
            talk.say(message)
        assert talk.rows(f"SELECT * FROM deal WHERE id = {number}") == before  # noqa: S608

    def test_of_several_one_is_asked_for_and_the_choice_goes_on(self, talk: Conversation) -> None:
        ((company, name),) = talk.rows(
            "SELECT company.id, company.name FROM deal JOIN company ON company.id = company_id WHERE status = 'open' AND deal.archived_at IS NULL "
            "AND company.name IN (SELECT name FROM company GROUP BY name HAVING count(*) = 1) GROUP BY 1, 2 HAVING count(*) BETWEEN 2 AND 8 ORDER BY 1 LIMIT 1"
        )
        asked = talk.say(f"set the amount of the {name} deal to 33k")
        assert asked.outcome == "asked", asked.text
        assert not asked.proposals
        deals = talk.scalars(f"SELECT id FROM deal WHERE company_id = {company} AND status = 'open' AND archived_at IS NULL ORDER BY id")  # noqa: S608
        assert calls(talk.say("the second"), talk) == [("update_deal", {"amount": "33000", "id": deals[1]})]


class TestActivities:
    def test_a_task_has_its_words_its_day_and_its_people(self, talk: Conversation) -> None:
        ((contact, name),) = talk.rows(
            "SELECT id, name FROM contact WHERE archived_at IS NULL AND name IN (SELECT name FROM contact GROUP BY name HAVING count(*) = 1) "
            "AND name NOT IN (SELECT name FROM user_account) ORDER BY id LIMIT 1"
        )
        ((verb, arguments),) = calls(talk.say(f"remind me on 3 December to send the offer to {name}"), talk)
        assert verb == "add_task"
        assert (arguments["due_on"], arguments["contact_id"]) == ("2026-12-03", contact)
        assert arguments["subject"] == f"Send the offer to {name}"

    @pytest.mark.parametrize("said", ["put a reminder for 3 December to water the plants", "add a task on 3 December: water the plants"])
    def test_a_task_is_for_a_day_and_not_for_somebody_called_so(self, said: str, talk: Conversation) -> None:
        assert calls(talk.say(said), talk) == [("add_task", {"subject": "Water the plants", "due_on": "2026-12-03"})]

    def test_how_long_it_took_is_no_subject(self, talk: Conversation) -> None:
        name = talk.scalars("SELECT name FROM company WHERE archived_at IS NULL GROUP BY name HAVING count(*) = 1 ORDER BY min(id) LIMIT 1")[0]
        ((_verb, arguments),) = calls(talk.say(f"log a call with {name}: 45 min, they find the premium too high"), talk)
        assert (arguments["duration_minutes"], arguments["subject"]) == (45, "They find the premium too high")

    def test_a_call_with_what_was_said(self, talk: Conversation) -> None:
        ((company, name),) = talk.rows(
            "SELECT id, name FROM company WHERE archived_at IS NULL AND name IN (SELECT name FROM company GROUP BY name HAVING count(*) = 1) ORDER BY id LIMIT 1"
        )
        ((verb, arguments),) = calls(talk.say(f"log a call with {name} yesterday: they want the security review. Budget is approved."), talk)
        assert (verb, arguments["kind"], arguments["company_id"]) == ("log_activity", "call", company)
        assert arguments["body"] == "they want the security review. Budget is approved."
        assert arguments["occurred_at"].startswith("2026-11-19T12:00")

    @pytest.mark.parametrize(
        ("said", "kind"), [("had a great call with {}:", "call"), ("just met {} yesterday,", "meeting"), ("spoke to {};", "call")]
    )
    def test_what_happened_is_told_without_asking_to_log_it(self, talk: Conversation, said: str, kind: str) -> None:
        ((company, name),) = talk.rows(
            "SELECT id, name FROM company WHERE archived_at IS NULL AND name IN (SELECT name FROM company GROUP BY name HAVING count(*) = 1) ORDER BY id LIMIT 1"
        )
        ((verb, arguments),) = calls(talk.say(f"{said.format(name)} they want a discount for two years"), talk)
        assert (verb, arguments["kind"], arguments["company_id"]) == ("log_activity", kind, company)
        assert "they want a discount for two years" in (arguments["subject"] + arguments.get("body", "")).lower()
        assert not talk.say(f"{said.format(name)} who else is there?").proposals

    @pytest.mark.parametrize("said", ["she wants to see the security review no matter who signs", "the dollars are high to low, in general"])
    def test_nothing_that_was_said_is_lost_or_put_otherwise(self, talk: Conversation, said: str) -> None:
        ((company, name),) = talk.rows(
            "SELECT id, name FROM company WHERE archived_at IS NULL AND name IN (SELECT name FROM company GROUP BY name HAVING count(*) = 1) ORDER BY id LIMIT 1"
        )
        for words in (f"log a call with {name}: {said}", f"log a call with {name} {said}", f"note about {name} that {said}"):
            ((verb, arguments),) = calls(talk.say(words), talk)
            assert (verb, arguments["company_id"]) == ("log_activity", company)
            assert said in f"{arguments['subject'].lower()} {arguments.get('body', '')}"

    def test_what_was_said_with_nobody_of_the_crm_is_not_logged(self, talk: Conversation) -> None:
        assert not talk.say("spoke to our CFO, she wants the pipeline by region").proposals

    def test_a_question_that_begins_like_a_command_stays_one(self, talk: Conversation) -> None:
        assert not talk.say("remind me what the win rate was last quarter").proposals


class TestTakingBack:
    def yes(self, talk: Conversation, answer: Answer) -> None:
        """Approve all that an answer proposes."""
        for proposal in answer.proposals:
            decide(talk.talk.engine, talk.talk.user, proposal.change_set_id, proposal.diff_hash, door="test", now=NOW)

    def state(self, talk: Conversation, number: int) -> tuple[Any, ...]:
        ((stage, amount),) = talk.rows(f"SELECT stage_id, amount_minor FROM deal WHERE id = {number}")  # noqa: S608
        return stage, amount

    def test_that_then_all_of_today_then_redo(self, talk: Conversation) -> None:
        number, name = deal(talk)
        start = self.state(talk, number)
        self.yes(talk, talk.say(f"move {name} to {stages(talk, number)[0]}"))
        moved = self.state(talk, number)
        self.yes(talk, talk.say(f"set {name} to 51k"))
        changed = self.state(talk, number)
        assert len({start, moved, changed}) == 3
        self.yes(talk, talk.say("undo that"))
        assert self.state(talk, number) == moved
        self.yes(talk, talk.say("redo"))
        assert self.state(talk, number) == changed
        self.yes(talk, talk.say("undo everything I did today"))
        assert self.state(talk, number) == start

    def test_the_change_of_a_record_by_its_name_or_number(self, talk: Conversation) -> None:
        number, name = deal(talk)
        start = self.state(talk, number)
        for words in ("undo the change on {name}", "undo change {change}"):
            proposed = talk.say(f"set {name} to 52k")
            self.yes(talk, proposed)
            self.yes(talk, talk.say(words.format(name=name, change=proposed.proposals[0].change_set_id)))
            assert self.state(talk, number) == start

    def test_where_nothing_was_changed_that_is_said(self, talk: Conversation) -> None:
        answer = talk.say("undo what I did yesterday")
        assert not answer.proposals
        assert "no change" in answer.text

    def test_a_condition_of_a_question_is_no_change(self, talk: Conversation) -> None:
        number, name = deal(talk)
        self.yes(talk, talk.say(f"set {name} to 53k"))
        talk.say("open deals by region")
        assert not talk.say("undo the region").proposals


class TestAtOnce:
    def test_what_happened_is_kept_at_once_and_undone_by_a_word(self, talk: Conversation) -> None:
        count = "SELECT count(*) FROM activity WHERE archived_at IS NULL"
        (before,) = talk.scalars(count)
        answer = talk.say("log a note: the fair in March was worth it")
        assert answer.text.startswith("Done")
        assert talk.scalars(count) == [before + 1]
        assert talk.say("undo that").text.startswith("Done")
        assert talk.scalars(count) == [before]
        assert talk.say("redo").text.startswith("Done")
        assert talk.scalars(count) == [before + 1]


class TestSeveral:
    def test_they_are_told_apart_at_their_verbs(self) -> None:
        message = "log a call with Dana, she wants the review, push the close date to June and remind me to write"
        assert clauses_of(message) == [
            "log a call with Dana, she wants the review",
            "push the close date to June",
            "remind me to write",
        ]
        assert clauses_of("move Acme to Bid") == ["move Acme to Bid"]

    def test_all_are_proposed(self, talk: Conversation) -> None:
        number, name = deal(talk)
        stage = stages(talk, number)[0]
        answer = talk.say(f"move {name} to {stage} and push its close date to 15 January and remind me on Monday to call them")
        assert [verb for verb, _arguments in calls(answer, talk)] == ["add_task", "move_deal", "update_deal"]
        assert [proposal.applied for proposal in answer.proposals] == [True, False], "the task at once, the rest as one change"

    def test_after_a_call_its_company_has_the_deal_that_is_moved(self, talk: Conversation) -> None:
        ((number, company, contact),) = talk.rows(
            "SELECT min(deal.id), company.name, min(contact.name) FROM deal JOIN company ON company.id = deal.company_id JOIN contact ON contact.company_id = company.id "
            "WHERE status = 'open' AND deal.archived_at IS NULL AND contact.archived_at IS NULL "
            "AND company.name IN (SELECT name FROM company GROUP BY name HAVING count(*) = 1) "
            "AND contact.name IN (SELECT name FROM contact GROUP BY name HAVING count(*) = 1) AND contact.name NOT IN (SELECT name FROM user_account) "
            "GROUP BY company.id HAVING count(DISTINCT deal.id) = 1 ORDER BY 1 LIMIT 1"
        )
        answer = talk.say(f"log a call with {contact} at {company}, the security review is due by Friday, push the close date to 15 January")
        ((logged, call), (moved, change)) = calls(answer, talk)
        assert (logged, moved) == ("log_activity", "update_deal")
        assert call["subject"] == "The security review is due by Friday"
        assert change == {"expected_close_on": "2027-01-15", "id": number}
        assert [proposal.applied for proposal in answer.proposals] == [True, False]

    def test_what_was_said_goes_on_after_a_comma(self, talk: Conversation) -> None:
        answer = talk.say("log a note: they want us to send the deck, update the pricing and call back")
        ((verb, arguments),) = calls(answer, talk)
        assert verb == "log_activity"
        assert "update the pricing" in arguments.get("body", arguments["subject"])

    def test_where_one_is_not_understood_none_is(self, talk: Conversation) -> None:
        number, name = deal(talk)
        answer = talk.say(f"move {name} to {stages(talk, number)[0]}, set the frobnication to nine")
        assert not answer.proposals
        assert "Nothing of your message" in answer.text


@pytest.mark.parametrize(
    "message",
    [
        "set the amount to 40k",
        "delete everything",
        "mark the purple one as won",
        "update the deal",
        "move Zorblax to Negotiation",
        "set the frobnication of our biggest deal to 5",
        "give them to Tom",
    ],
)
def test_what_is_not_plain_is_not_proposed(software: Talk, message: str) -> None:
    answer = Conversation(software).say(message)
    assert not answer.proposals, answer.text
    assert answer.outcome in ("declined", "asked")


class TestTelling:
    """What happened, told in the words of people in a hurry, is logged with whom, day, length and what was said."""

    def contact(self, talk: Conversation) -> tuple[int, str]:
        ((number, name),) = talk.rows(
            "SELECT id, name FROM contact WHERE archived_at IS NULL AND name IN (SELECT name FROM contact GROUP BY name HAVING count(*) = 1) "
            "AND name NOT IN (SELECT name FROM user_account) ORDER BY id LIMIT 1"
        )
        return number, name

    @pytest.mark.parametrize(
        ("said", "kind", "minutes", "day"),
        [
            ("call w/ {}, Mon 16th, 30 min - wants to try the new one in spring", "call", 30, "2026-11-16"),
            ("met {} on Wednesday for three quarters of an hour. They find it dear.", "meeting", 45, "2026-11-18"),
            ("just got off the phone with {} about twenty minutes they say their contract runs out in march and we should come by", "call", 20, ""),
            ("log lunch with {} yesterday, they are happy", "meeting", None, "2026-11-19"),
            ("Please record a meeting of yesterday, 45 minutes, with {}. They wish deliveries before seven.", "meeting", 45, "2026-11-19"),
        ],
    )
    def test_it_is_logged(self, said: str, kind: str, minutes: int | None, day: str, talk: Conversation) -> None:
        number, name = self.contact(talk)
        ((verb, arguments),) = calls(talk.say(said.format(name)), talk)
        assert (verb, arguments["kind"], arguments["contact_id"]) == ("log_activity", kind, number)
        assert arguments.get("duration_minutes") == minutes
        assert str(arguments.get("occurred_at", "")).startswith(day)

    def test_what_is_to_be_done_besides_is_a_task(self, talk: Conversation) -> None:
        number, name = self.contact(talk)
        answer = talk.say(f"Had {name} on the phone today for 15 minutes, they need it split out. Log it and remind me Monday to redo the quote.")
        (log, (verb, task)) = calls(answer, talk)
        assert (log[0], log[1]["contact_id"], log[1]["duration_minutes"]) == ("log_activity", number, 15)
        assert (verb, task["subject"], task["due_on"]) == ("add_task", "Redo the quote", "2026-11-23")

    def test_who_is_not_known_was_not_met(self, talk: Conversation) -> None:
        _number, name = self.contact(talk)
        assert not talk.say(f"met a Jürgen Unbekannt at the fair, he was sent by {name}").proposals

    @pytest.mark.parametrize(
        "said", ["last meeting with {}, when was it", "call with {}, what did they want", "spoke to {} yesterday, who else was there?"]
    )
    def test_what_is_asked_is_not_logged(self, said: str, talk: Conversation) -> None:
        _number, name = self.contact(talk)
        assert not talk.say(said.format(name)).proposals
