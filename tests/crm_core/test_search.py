"""Finding records by forgiving names, and passages by their words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from crm_core.errors import Invalid
from crm_core.models import Chunk, SearchEntry
from crm_core.services import activities, companies, contacts, leads, tickets
from crm_core.services.records import ArchiveRecord, archive_record, restore_record
from crm_core.services.search import (
    CHUNK_CHARS,
    FindRecords,
    Found,
    chunks_of,
    content_words,
    find_passages,
    find_records,
    rebuild_search,
)
from tests.factories import Maker, World


def find(world: World, text: str, **fields: Any) -> Found:
    with world.read("admin") as ctx:
        return find_records(ctx, FindRecords(text=text, **fields))


def labels(found: Found) -> list[str]:
    return [match.label for match in found.matches]


def add(world: World, *names: str, noun: str = "company", **fields: Any) -> list[int]:
    """Companies or contacts of these names."""
    with world.write() as ctx:
        make = Maker(ctx)
        adder: Any = {"company": make.company, "contact": make.contact, "lead": make.lead}[noun]
        return [adder(name=name, **fields).id for name in names]


class TestNames:
    @pytest.mark.parametrize(
        "text",
        [
            "Société Générale-Mühle",
            "societe generale muhle",
            "SOCIÉTÉ GÉNÉRALE",
            "generale societe",
            "muhl",
            "  Soc  gen ",
            "Société, Générale!",
        ],
    )
    def test_accents_case_order_and_punctuation_are_forgiven(self, world: World, text: str) -> None:
        (key,) = add(world, "Société Générale-Mühle")
        found = find(world, text, nouns=["company"])
        assert [match.id for match in found.matches] == [key]
        assert not found.fuzzy

    def test_the_exact_name_comes_first(self, world: World) -> None:
        add(world, "Nova Tools International", "Nova Tools", "Old Nova Tools")
        found = find(world, "nova tools", nouns=["company"])
        assert labels(found) == ["Nova Tools", "Nova Tools International", "Old Nova Tools"]
        assert [match.score for match in found.matches] == [100, 90, 80]

    @pytest.mark.parametrize(("text", "name"), [("Zepelin", "Zeppelin"), ("Zepplein Works", "Zeppelin Works"), ("Works Zeplin", "Zeppelin Works")])
    def test_a_typo_is_forgiven_and_told(self, world: World, text: str, name: str) -> None:
        add(world, "Zeppelin Works" if " " in name else name)
        found = find(world, text, nouns=["company"])
        assert labels(found)[0] == name
        assert found.fuzzy
        assert found.matches[0].score < 80

    def test_what_is_like_nothing_finds_nothing(self, shared_world: World) -> None:
        found = find(shared_world, "Xyzzyqwk")
        assert (found.matches, found.total) == ([], 0)

    @pytest.mark.parametrize("text", ["!!!", "   ", "日本"])
    def test_text_without_letters_that_can_be_folded_finds_nothing(self, shared_world: World, text: str) -> None:
        assert find(shared_world, text).total == 0

    @pytest.mark.parametrize("text", ['"', "100% _", "a\\b", "' OR 1=1 --", "NEAR(", "foo*", "key:abc"])
    def test_signs_of_query_languages_are_plain_text(self, shared_world: World, text: str) -> None:
        assert find(shared_world, text).total == 0

    def test_an_underscore_is_no_wildcard(self, world: World) -> None:
        add(world, "Axb Tools")
        assert find(world, "a_b", nouns=["company"]).total == 0

    def test_words_must_begin_a_word_of_the_name(self, world: World) -> None:
        add(world, "Kingfisher")
        found = find(world, "fisher", nouns=["company"])
        assert found.total == 0 or found.fuzzy

    @pytest.mark.parametrize("text", ["Al Okonkwo", "okonkwo al"])
    def test_short_words_count_beside_long_ones(self, world: World, text: str) -> None:
        """Once a fault: words of fewer than three letters are ignored as soon as there is a longer one."""
        add(world, "Al Okonkwo", "Bo Okonkwo", noun="contact")
        assert labels(find(world, text, nouns=["contact"])) == ["Al Okonkwo"]

    def test_a_two_letter_name_is_found(self, world: World) -> None:
        add(world, "Qi", "Qi Optics", "Antiqi")
        assert labels(find(world, "qi", nouns=["company"])) == ["Qi", "Qi Optics"]


class TestInitials:
    def test_initials_find_companies_and_people(self, world: World) -> None:
        add(world, "Quiet Wind Energy")
        add(world, "Quinn Wanda Eriksen", noun="contact")
        found = find(world, "QWE")
        assert {(match.noun, match.score) for match in found.matches} == {("company", 100.0), ("contact", 100.0)}


class TestAddresses:
    def test_an_address_finds_its_person_whatever_the_case(self, world: World) -> None:
        (key,) = add(world, "Una Mail", noun="contact", email="una.mail@quartz.example")
        found = find(world, " Una.Mail@Quartz.EXAMPLE")
        assert [(match.noun, match.id, match.score) for match in found.matches] == [("contact", key, 100)]

    def test_part_of_an_address_is_no_exact_match(self, world: World) -> None:
        add(world, "Una Mail", noun="contact", email="una@quartz.example")
        found = find(world, "una@quartz.exam")
        assert found.total == 0 or found.fuzzy

    def test_a_user_is_found_by_address(self, shared_world: World) -> None:
        assert labels(find(shared_world, "renata@lantern.test")) == ["Renata Seller"]

    def test_a_domain_finds_its_company(self, world: World) -> None:
        (key,) = add(world, "Domain Holder", domain="holder.example")
        assert [match.id for match in find(world, "holder.example").matches] == [key]


class TestPhones:
    @pytest.mark.parametrize("text", ["+14155550123", "+1 (415) 555-0123", "415.555.0123", "(415) 555 0123", "0014155550123", "5550123"])
    def test_a_number_is_found_however_it_is_written(self, world: World, text: str) -> None:
        with world.write() as ctx:
            key = contacts.create_contact(ctx, contacts.CreateContact(name="Pho Ne", phone="415-555-0123")).id
        assert [match.id for match in find(world, text).matches] == [key]

    def test_an_international_number_with_a_trunk_zero_is_found(self, world: World) -> None:
        with world.write() as ctx:
            key = contacts.create_contact(ctx, contacts.CreateContact(name="Pho Ne", phone="+44 20 7946 0958")).id
        assert [match.id for match in find(world, "+44 (0)20 7946 0958").matches] == [key]

    def test_a_short_number_is_no_phone(self, shared_world: World) -> None:
        assert find(shared_world, "0100").total == 0


class TestPages:
    def test_the_total_counts_what_the_page_leaves_out(self, world: World) -> None:
        add(world, *(f"Serial Works {number}" for number in range(23)))
        found = find(world, "serial", nouns=["company"], limit=5)
        assert (len(found.matches), found.total) == (5, 23)

    @pytest.mark.parametrize("nouns", [["company"], ["company", "contact", "lead"]])
    def test_pages_join_without_gap_or_repeat(self, world: World, nouns: list[str]) -> None:
        """Once a fault: with several nouns each page skips ``offset`` rows of every noun, so some are on no page."""
        expected = {("company", key) for key in add(world, *(f"Serial Works {number}" for number in range(13)))}
        if len(nouns) > 1:
            expected |= {("contact", key) for key in add(world, *(f"Serial Person {number}" for number in range(12)), noun="contact")}
            expected |= {("lead", key) for key in add(world, *(f"Serial Lead {number}" for number in range(3)), noun="lead")}
        seen: list[tuple[str, int]] = []
        for offset in range(0, len(expected), 5):
            page = find(world, "serial", nouns=nouns, limit=5, offset=offset)
            assert page.total == len(expected)
            seen += [(match.noun, match.id) for match in page.matches]
        assert len(seen) == len(set(seen))
        assert set(seen) == expected

    def test_a_page_past_the_end_is_empty_with_the_same_total(self, world: World) -> None:
        add(world, *(f"Serial Works {number}" for number in range(3)))
        found = find(world, "serial", nouns=["company"], limit=5, offset=50)
        assert (found.matches, found.total) == ([], 3)

    @pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 101}, {"offset": -1}])
    def test_an_impossible_page_is_refused(self, fields: dict[str, int]) -> None:
        with pytest.raises(ValidationError):
            FindRecords(text="x", **fields)  # type: ignore[arg-type]


class TestNouns:
    def test_all_nouns_are_searched_at_once(self, shared_world: World) -> None:
        found = find(shared_world, "rep", limit=100)
        assert {match.noun for match in found.matches} >= {"company", "deal", "ticket"}

    def test_an_unknown_noun_is_refused_with_the_nouns(self, shared_world: World) -> None:
        with pytest.raises(Invalid, match="no record kind 'moon'; use one of"):
            find(shared_world, "x", nouns=["moon"])

    def test_activities_are_found_by_their_text_instead(self, shared_world: World) -> None:
        with pytest.raises(Invalid, match="search the interactions instead"):
            find(shared_world, "x", nouns=["activity"])

    def test_hints_tell_namesakes_apart(self, world: World) -> None:
        with world.write() as ctx:
            for owner in ("rep", "junior"):
                contacts.create_contact(ctx, contacts.CreateContact(name="Sam Same", title="Buyer", company_id=world.row("company", owner)))
        assert [match.hint for match in find(world, "Sam Same").matches] == [
            "Buyer, Rep Harbour Optics",
            "Buyer, Junior Harbour Optics",
        ]


class TestUpkeep:
    def test_a_new_name_is_found_and_the_old_one_is_not(self, world: World) -> None:
        with world.write("rep") as ctx:
            companies.update_company(ctx, companies.UpdateCompany(id=world.row("company"), name="Zebra Crossing"))
        assert labels(find(world, "zebra")) == ["Zebra Crossing"]
        assert "Rep Harbour Optics" not in labels(find(world, "rep harbour optics", limit=100))

    def test_archived_records_are_not_found_and_restored_ones_are(self, world: World) -> None:
        ref = ArchiveRecord(noun="lead", id=world.row("lead"))
        with world.write("rep") as ctx:
            archive_record(ctx, ref)
        assert find(world, "Leandra Repling", nouns=["lead"]).fuzzy
        assert world.row("lead") not in [match.id for match in find(world, "Leandra", nouns=["lead"]).matches]
        with world.write("rep") as ctx:
            restore_record(ctx, ref)
        assert labels(find(world, "Leandra Repling", nouns=["lead"])) == ["Leandra Repling"]

    def test_a_leads_company_is_a_key(self, world: World) -> None:
        with world.write("rep") as ctx:
            leads.create_lead(ctx, leads.CreateLead(name="Some Body", company_name="Undersea Cables"))
        assert labels(find(world, "undersea")) == ["Some Body"]

    def test_rebuilding_gives_the_same_keys_and_chunks(self, world: World) -> None:
        def kept() -> tuple[list[Any], list[Any]]:
            with world.read() as ctx:
                keys = ctx.session.execute(select(SearchEntry.noun, SearchEntry.record_id, SearchEntry.kind, SearchEntry.key)).all()
                chunks = ctx.session.execute(select(Chunk.noun, Chunk.record_id, Chunk.position, Chunk.text)).all()
            return sorted(tuple(row) for row in keys), sorted(tuple(row) for row in chunks)

        before = kept()
        with world.write() as ctx:
            counts = rebuild_search(ctx)
        assert kept() == before
        assert counts == (len(before[0]), len(before[1]))
        assert counts[0] > 0
        assert counts[1] > 0
        assert "Brass lantern" in labels(find(world, "brass"))


# Once a fault: on SQLite find_passages selects from text("chunk_fts JOIN chunk ..."), which SQLAlchemy 2.1 refuses.
class TestPassages:
    def hits(self, world: World, words: str) -> list[tuple[str, int]]:
        with world.read() as ctx:
            found = find_passages(ctx, content_words(words))
            assert [hit.rank for hit in found] == list(range(len(found)))
            chunks = {row.id: (row.noun, row.record_id) for row in ctx.session.scalars(select(Chunk))}
            return [chunks[hit.chunk_id] for hit in found]

    def test_words_find_what_was_said(self, world: World) -> None:
        with world.write("rep") as ctx:
            note = activities.log_activity(ctx, activities.LogActivity(kind="note", subject="Lunch", body="They worry about the hydraulic pumps.")).id
            ticket = tickets.create_ticket(ctx, tickets.CreateTicket(subject="Pump", description="A hydraulic pump leaks.")).id
        assert set(self.hits(world, "What about hydraulic pumps?")) == {("activity", note), ("ticket", ticket)}

    def test_an_edited_text_is_found_by_its_new_words_only(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = activities.log_activity(ctx, activities.LogActivity(kind="note", subject="Lunch", body="About marmalade.")).id
        with world.write("rep") as ctx:
            activities.update_activity(ctx, activities.UpdateActivity(id=key, body="About turnips."))
        assert self.hits(world, "marmalade") == []
        assert self.hits(world, "turnips") == [("activity", key)]

    def test_an_archived_text_is_not_found(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = activities.log_activity(ctx, activities.LogActivity(kind="note", subject="Lunch", body="About marmalade.")).id
            archive_record(ctx, ArchiveRecord(noun="activity", id=key))
        assert self.hits(world, "marmalade") == []

    @pytest.mark.parametrize("words", ["", "the and of", "?!", 'NEAR("', "a & | !"])
    def test_words_without_content_find_nothing(self, shared_world: World, words: str) -> None:
        assert self.hits(shared_world, words) == []

    def test_a_condition_is_obeyed(self, shared_world: World) -> None:
        with shared_world.read() as ctx:
            allowed = Chunk.record_id == shared_world.row("ticket", "junior")
            (hit,) = find_passages(ctx, ["flickers", "dusk"], allowed=allowed)
            assert ctx.session.get_one(Chunk, hit.chunk_id).record_id == shared_world.row("ticket", "junior")


class TestChunks:
    def test_a_short_text_is_one_passage(self) -> None:
        assert chunks_of("Title", " Body. ") == ["Title\nBody."]

    def test_a_long_text_is_cut_at_sentences_and_headed(self) -> None:
        body = " ".join(f"Sentence number {number} is about lamps." for number in range(60))
        found = chunks_of("Title", body)
        assert len(found) > 2
        assert all(passage.startswith("Title\nSentence") and passage.endswith(".") for passage in found)
        assert " ".join(passage.removeprefix("Title\n") for passage in found) == body
        assert all(len(passage) <= CHUNK_CHARS + len("Title\n") + 1 for passage in found)

    def test_an_endless_word_is_cut_without_loss(self) -> None:
        found = chunks_of("T", "x" * 2000)
        assert "".join(passage.removeprefix("T\n").replace(" ", "") for passage in found) == "x" * 2000
