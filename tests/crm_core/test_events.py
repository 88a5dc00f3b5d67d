"""What happened is kept: events, stage history, moved close days, and the past at any instant."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from crm_core.context import Context
from crm_core.events import as_of, changed_fields, history
from crm_core.models import CloseDateChange, Deal, Event, StageEntry
from crm_core.services import deals, products
from crm_core.services.companies import (
    CreateCompany,
    UpdateCompany,
    create_company,
    update_company,
)
from crm_core.services.contacts import (
    CreateContact,
    UpdateContact,
    create_contact,
    update_contact,
)
from crm_core.services.deals import (
    CreateDeal,
    LoseDeal,
    MoveDeal,
    ReopenDeal,
    UpdateDeal,
    WinDeal,
)
from crm_core.services.records import (
    ArchiveRecord,
    Reassign,
    archive_record,
    reassign,
    restore_record,
)
from tests.factories import NOW, World


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def events_of(ctx: Context, noun: str, key: int) -> list[tuple[str, int, dict[str, Any]]]:
    return [(item.kind, item.version, item.changes) for item in history(ctx.session, noun, key)]


class TestRecording:
    def test_a_creation_keeps_the_values_that_were_set(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = create_company(ctx, CreateCompany(name="Quartz Tools", employees=12)).id
        with world.read() as ctx:
            ((kind, version, changes),) = events_of(ctx, "company", key)
        assert (kind, version) == ("created", 1)
        assert changes["name"] == [None, "Quartz Tools"]
        assert changes["employees"] == [None, 12]
        assert changes["created_at"] == [None, NOW.isoformat()]
        assert not {"id", "version", "updated_at", "city", "custom"} & changes.keys()

    def test_an_update_keeps_old_and_new_of_what_changed_only(self, world: World) -> None:
        key = world.row("company")
        with world.write("rep") as ctx:
            update_company(ctx, UpdateCompany(id=key, city="Bern", name="Rep Harbour Optics"))
        with world.write("rep", now=later(1)) as ctx:
            update_company(ctx, UpdateCompany(id=key, city="Graz"))
        with world.read() as ctx:
            assert events_of(ctx, "company", key)[1:] == [
                ("updated", 2, {"city": [None, "Bern"]}),
                ("updated", 3, {"city": ["Bern", "Graz"]}),
            ]

    def test_setting_the_same_values_is_no_change(self, world: World) -> None:
        key = world.row("company")
        with world.write("rep") as ctx:
            update_company(ctx, UpdateCompany(id=key, name="Rep Harbour Optics"))
        with world.read() as ctx:
            assert len(events_of(ctx, "company", key)) == 1

    # Once a fault: _to_stage sets record.stage first; the next query flushes it alone, as an event and a version of its own.
    def test_amounts_days_and_instants_are_kept_as_json(self, world: World) -> None:
        key = world.row("deal")
        with world.write("rep") as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, amount=Decimal("20.50"), expected_close_on=date(2026, 12, 24)))
        with world.write("rep", now=later(1)) as ctx:
            deals.win_deal(ctx, WinDeal(id=key))
        with world.read() as ctx:
            (_, _, first), (_, _, second) = events_of(ctx, "deal", key)[1:]
        assert first["amount_minor"] == [100_000, 2050]
        assert first["expected_close_on"][1] == "2026-12-24"
        assert second["closed_at"] == [None, later(1).isoformat()]
        assert second["stage_id"] == [world.stages["Coffee & cake"], world.stages["Champagne"]]
        assert second["status"] == ["open", "won"]

    def test_archiving_and_restoring_have_kinds_of_their_own(self, world: World) -> None:
        key = world.row("contact")
        with world.write("rep") as ctx:
            archive_record(ctx, ArchiveRecord(noun="contact", id=key))
        with world.write("rep", now=later(1)) as ctx:
            restore_record(ctx, ArchiveRecord(noun="contact", id=key))
        with world.read() as ctx:
            assert events_of(ctx, "contact", key)[1:] == [
                ("archived", 2, {"archived_at": [None, NOW.isoformat()]}),
                ("restored", 3, {"archived_at": [NOW.isoformat(), None]}),
            ]

    def test_custom_fields_appear_by_key(self, world: World) -> None:
        key = world.row("deal")
        with world.write("rep") as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, custom={"tier": "Tin", "seats": 5}))
        with world.write("rep", now=later(1)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, custom={"seats": None}))
        with world.read() as ctx:
            assert events_of(ctx, "deal", key)[1:] == [
                ("updated", 2, {"custom.tier": ["Gold", "Tin"], "custom.seats": [None, 5]}),
                ("updated", 3, {"custom.seats": [5, None]}),
            ]

    def test_a_created_custom_value_has_no_old_one(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = create_company(ctx, CreateCompany(name="Quartz Tools", custom={"tier": "Gold"})).id
        with world.read() as ctx:
            assert events_of(ctx, "company", key)[0][2]["custom.tier"] == [None, "Gold"]

    def test_changed_fields_are_named_once_in_order(self, world: World) -> None:
        key = world.row("company")
        for hour, city in ((1, "Bern"), (2, "Graz")):
            with world.write("rep", now=later(hour)) as ctx:
                update_company(ctx, UpdateCompany(id=key, city=city, employees=hour))
        with world.read() as ctx:
            assert sorted(changed_fields(history(ctx.session, "company", key, since_version=1))) == ["city", "employees"]
            assert [item.version for item in history(ctx.session, "company", key, since_version=2)] == [3]

    def test_reassigning_keeps_both_owners(self, world: World) -> None:
        key, rep, colleague = world.row("deal"), world.users["rep"], world.users["colleague"]
        with world.write("manager") as ctx:
            reassign(ctx, Reassign(noun="deal", id=key, owner_id=colleague))
        with world.read() as ctx:
            assert events_of(ctx, "deal", key)[-1] == ("updated", 2, {"owner_id": [rep, colleague]})

    def test_several_changes_in_one_call_are_each_kept(self, world: World) -> None:
        key = world.row("company")
        with world.write("rep") as ctx:
            update_company(ctx, UpdateCompany(id=key, city="Bern"))
            update_company(ctx, UpdateCompany(id=key, city="Graz"))
        with world.read() as ctx:
            assert [changes["city"] for _kind, _version, changes in events_of(ctx, "company", key)[1:]] == [
                [None, "Bern"],
                ["Bern", "Graz"],
            ]

    # Once a fault: these change a child row and only touch the record's updated_at, so no event is kept.
    @pytest.mark.parametrize("verb", ["set_deal_contact", "add_line_item", "set_price"])
    def test_people_products_and_prices_leave_an_event_too(self, world: World, verb: str) -> None:
        noun, key = ("product", world.products["Wick"]) if verb == "set_price" else ("deal", world.row("deal"))
        with world.write("admin") as ctx:
            if verb == "set_deal_contact":
                deals.set_deal_contact(ctx, deals.SetDealContact(id=key, contact_id=world.row("contact"), role="blocker"))
            elif verb == "add_line_item":
                deals.add_line_item(ctx, deals.AddLineItem(id=key, product_id=world.products["Wick"], quantity=3))
            else:
                products.set_price(ctx, products.SetPrice(id=key, amount=Decimal(3)))
        with world.read() as ctx:
            assert [version for _kind, version, _changes in events_of(ctx, noun, key)] == [1, 2]


def stays(world: World, key: int) -> list[tuple[str, datetime, datetime | None]]:
    titles = {number: name for name, number in world.stages.items()}
    with world.read() as ctx:
        rows = ctx.session.scalars(select(StageEntry).where(StageEntry.deal_id == key).order_by(StageEntry.id))
        return [(titles[row.stage_id], row.entered_at, row.left_at) for row in rows]


class TestStageHistory:
    def test_a_new_deal_enters_its_first_stage(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys")).id
        assert stays(world, key) == [("Sniff test", NOW, None)]

    # Once a fault: as above, reopening flushes the stage while the old closed_at is still set, so the stay starts in the past.
    def test_each_move_ends_a_stay_and_begins_one(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys")).id
        with world.write("rep", now=later(1)) as ctx:
            deals.move_deal(ctx, MoveDeal(id=key, stage="Haggling"))
        with world.write("rep", now=later(2)) as ctx:
            deals.lose_deal(ctx, LoseDeal(id=key, reason="No reply"))
        with world.write("rep", now=later(5)) as ctx:
            deals.reopen_deal(ctx, ReopenDeal(id=key, stage="Coffee & cake"))
        assert stays(world, key) == [
            ("Sniff test", NOW, later(1)),
            ("Haggling", later(1), later(2)),
            ("Ghosted", later(2), later(5)),
            ("Coffee & cake", later(5), None),
        ]

    # Once a fault: as above, the stage is flushed before closed_at is set, so the stay ends now, not on that day.
    def test_a_backdated_win_ends_the_stay_on_that_day(self, world: World) -> None:
        key = world.row("deal")
        with world.write("rep") as ctx:
            deals.win_deal(ctx, WinDeal(id=key, closed_on=date(2026, 8, 10)))
        noon = datetime(2026, 8, 10, 12, 30, tzinfo=NOW.tzinfo) - timedelta(hours=2)
        (_, _, left), (title, entered, still) = stays(world, key)
        assert (title, still, left) == ("Champagne", None, entered)
        assert (entered.date(), entered.hour) == (noon.date(), noon.hour)

    # Once a fault: neither win_deal nor lose_deal looks at when the deal was made or last moved: stays of negative length.
    def test_no_stay_ends_before_it_began(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys")).id
        try:
            with world.write("rep", now=later(1)) as ctx:
                deals.win_deal(ctx, WinDeal(id=key, closed_on=date(2026, 8, 1)))
        except deals.Invalid:
            pass
        assert all(left is None or left >= entered for _title, entered, left in stays(world, key))

    def test_other_changes_leave_the_stay_alone(self, world: World) -> None:
        key = world.row("deal")
        before = stays(world, key)
        with world.write("rep") as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, next_step="Ring again"))
            deals.move_deal(ctx, MoveDeal(id=key, stage="Coffee & cake"))
        assert stays(world, key) == before


class TestCloseDateHistory:
    def moves(self, world: World, key: int) -> list[tuple[datetime, date, date | None, int | None]]:
        with world.read() as ctx:
            rows = ctx.session.scalars(select(CloseDateChange).where(CloseDateChange.deal_id == key).order_by(CloseDateChange.id))
            return [(row.changed_at, row.old_day, row.new_day, row.amount_minor) for row in rows]

    def test_a_first_day_is_no_move(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys", expected_close_on=date(2026, 9, 1))).id
        assert self.moves(world, key) == []

    def test_a_moved_day_is_kept_with_the_amount_of_that_moment(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys", amount=Decimal(10), expected_close_on=date(2026, 9, 1))).id
        with world.write("rep", now=later(1)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, expected_close_on=date(2026, 10, 1), amount=Decimal(20)))
        with world.write("rep", now=later(2)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, expected_close_on=None))
        with world.write("rep", now=later(3)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, expected_close_on=date(2026, 11, 1)))
        assert self.moves(world, key) == [
            (later(1), date(2026, 9, 1), date(2026, 10, 1), 2000),
            (later(2), date(2026, 10, 1), None, 2000),
        ]

    def test_the_same_day_again_is_no_move(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys", expected_close_on=date(2026, 9, 1))).id
            deals.update_deal(ctx, UpdateDeal(id=key, expected_close_on=date(2026, 9, 1)))
        assert self.moves(world, key) == []


class TestAsOf:
    # Once a fault: change() sets fields and then queries the custom fields: one update becomes two versions and two events.
    def test_each_instant_has_its_values(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = deals.create_deal(ctx, CreateDeal(name="Buoys", amount=Decimal(10), custom={"tier": "Gold"})).id
        with world.write("rep", now=later(1)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, amount=Decimal(20), custom={"seats": 3}))
        with world.write("rep", now=later(2)) as ctx:
            deals.update_deal(ctx, UpdateDeal(id=key, name="Big buoys", custom={"tier": None}))
        with world.write("rep", now=later(3)) as ctx:
            archive_record(ctx, ArchiveRecord(noun="deal", id=key))
        with world.read() as ctx:
            record = ctx.session.get_one(Deal, key)
            past = {hour: as_of(ctx.session, record, later(hour)) for hour in (-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 9)}
        assert past.pop(-0.5) is None
        seen = {
            hour: (
                v["name"],
                v["amount_minor"],
                v.get("custom.tier"),
                v.get("custom.seats"),
                bool(v["archived_at"]),
                v["version"],
            )
            for hour, v in past.items()
            if v is not None
        }
        first, second = ("Buoys", 1000, "Gold", None, False, 1), ("Buoys", 2000, "Gold", 3, False, 2)
        third, fourth = ("Big buoys", 2000, None, 3, False, 3), ("Big buoys", 2000, None, 3, True, 4)
        assert seen == {0: first, 0.5: first, 1: second, 1.5: second, 2: third, 2.5: third, 3: fourth, 9: fourth}

    def test_the_past_of_a_link_is_known(self, world: World) -> None:
        with world.write("rep") as ctx:
            key = create_contact(ctx, CreateContact(name="Moving Person", company_id=world.row("company"))).id
        with world.write("rep", now=later(1)) as ctx:
            update_contact(ctx, UpdateContact(id=key, company_id=world.row("company", "stranger")))
        with world.read() as ctx:
            from crm_core.models import Contact

            then = as_of(ctx.session, ctx.session.get_one(Contact, key), NOW)
        assert then is not None
        assert then["company_id"] == world.row("company")

    def test_a_custom_value_set_later_was_not_there_before(self, world: World) -> None:
        key = world.row("company")
        with world.write("rep") as ctx:
            update_company(ctx, UpdateCompany(id=key, custom={"tier": "Tin"}))
        with world.read() as ctx:
            from crm_core.models import Company

            record = ctx.session.get_one(Company, key)
            before = as_of(ctx.session, record, NOW - timedelta(seconds=1))
            after = as_of(ctx.session, record, NOW)
        assert before is not None
        assert after is not None
        assert (before.get("custom.tier"), after["custom.tier"]) == (None, "Tin")


def test_events_are_of_the_record_alone(world: World) -> None:
    """Two nouns may share a number; their events do not mix."""
    with world.read() as ctx:
        rows = ctx.session.execute(select(Event.noun, Event.record_id, Event.version)).all()
    assert len(rows) == len(set(rows))
