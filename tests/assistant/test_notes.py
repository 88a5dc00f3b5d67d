"""Facts in free text: what was said is found with its words, and what is denied, asked or imagined is not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.notes import read_note
from assistant.notes.model import FactKind
from assistant.notes.passages import sentences_of
from assistant.notes.taking import TakeNote, take_note
from crm_core.changes import steps_of
from crm_core.services.change_sets import load_change_set
from tests.factories import World

TODAY = date(2026, 3, 2)  # a Monday


def kinds(text: str) -> set[FactKind]:
    return {fact.kind for fact in read_note(text, TODAY).facts if fact.confidence >= 0.6}


class TestFacts:
    @pytest.mark.parametrize(
        ("text", "amount", "currency"),
        [
            ("They have 45k set aside for it.", "45000", ""),
            ("The board approved €120,000 in January.", "120000", "EUR"),
            ("EUR 1.2 million has been released for this.", "1200000", "EUR"),
            ("The budget is forty thousand, no sorry, 55k.", "55000", ""),
        ],
    )
    def test_a_budget_has_its_amount_and_currency(self, text: str, amount: str, currency: str) -> None:
        (fact,) = read_note(text, TODAY).of("budget")
        assert (fact.amount, fact.currency) == (Decimal(amount), currency)

    @pytest.mark.parametrize(
        "text",
        [
            "There is no budget for this yet.",
            "If they had 45k set aside, they would buy.",
            "Is there a budget of 45k?",
            "Turnover last year was 45k.",
        ],
    )
    def test_what_is_denied_imagined_or_asked_is_no_budget(self, text: str) -> None:
        assert "budget" not in kinds(text)

    def test_who_decides(self) -> None:
        (fact,) = read_note("Dana Grant likes it, but it is Marta Ilves who signs.", TODAY).of("authority")
        assert fact.who == "Marta Ilves"
        assert "authority" not in kinds("No clue who signs there.")

    def test_a_deadline_is_the_last_day_of_what_was_said(self) -> None:
        (fact,) = read_note("It has to be live by the end of June.", TODAY).of("timeline")
        assert fact.day == date(2026, 6, 30)

    def test_who_promised_what_until_when(self) -> None:
        ours, theirs = read_note("I'll send the contract by Friday. She will send the export file by 10 March.", TODAY).of("promise")
        assert (ours.who, ours.day) == ("us", date(2026, 3, 6))
        assert (theirs.who, theirs.day) == ("them", date(2026, 3, 10))

    def test_what_is_not_established_is_named(self) -> None:
        note = read_note("They need a simulator. Nothing is set aside.", TODAY)
        assert note.qualification.missing == ["budget", "authority", "timeline"]

    @given(st.text(max_size=400))
    def test_every_fact_rests_on_words_of_the_text(self, text: str) -> None:
        for fact in read_note(text, TODAY).facts:
            assert 0 <= fact.start < fact.end <= len(text)
            assert "".join(text[fact.start : fact.end].split()).startswith("".join(fact.quote.split())[:20])


class TestPassages:
    def test_of_a_transcript_the_one_who_asks_is_ours(self) -> None:
        turns = ["Ann: How are you?", "Bo: Fine.", "Ann: Who signs?", "Bo: I do.", "Ann: When do you need it?", "Bo: In May."]
        said = sentences_of("\n".join(turns))
        assert {(sentence.speaker, sentence.ours) for sentence in said} == {("Ann", True), ("Bo", False)}
        assert [sentence.answers for sentence in said if sentence.text == "I do."] == ["Who signs?"]

    def test_of_a_thread_the_newest_mail_holds(self) -> None:
        thread = "From: Bo Hill\nTo: Ann Lee\nDate: 2 March 2026\n\nWe have 60k approved now.\n\nBo\n\n> From: Bo Hill\n> Date: 1 March 2026\n>\n> We have 50k approved.\n"
        (fact,) = read_note(thread, TODAY).of("budget")
        assert fact.amount == 60000


class TestTaking:
    def test_a_note_becomes_a_proposal_and_nothing_is_applied(self, world: World) -> None:
        with world.write("rep") as ctx:
            taken = take_note(
                ctx, TakeNote(text="They have 45k set aside. I'll send the contract by Friday.", kind="call", deal_id=world.row("deal"))
            )
            change = load_change_set(ctx, taken.proposal.change_set_id)
            assert change.status == "proposed"
            assert [step.capability for step in steps_of(change)] == ["log_activity", "add_task"]
        assert taken.missing == ["authority", "need", "timeline"]
        assert "45,000" in taken.differs[0], "the amount on record is another"
