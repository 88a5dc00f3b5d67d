"""One call, one transaction: what is committed, what is rolled back, what a race gives."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.errors import Conflict, Invalid
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListQuestion, list_records
from crm_core.models import Company, Event, Grant, Organisation, Team
from crm_core.services.activities import Timeline, timeline
from crm_core.services.companies import (
    CreateCompany,
    UpdateCompany,
    create_company,
    update_company,
)
from tests.factories import NOW, World


def names(world: World) -> set[str]:
    with world.read() as ctx:
        return set(ctx.session.scalars(select(Company.name)))


class TestCommit:
    def test_what_is_written_is_there_afterwards(self, world: World) -> None:
        with world.write("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
        assert "Quartz Tools" in names(world)

    def test_nothing_is_visible_to_others_before_the_end(self, world: World) -> None:
        with world.write("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
            assert "Quartz Tools" not in names(world)

    def test_an_error_takes_everything_back(self, world: World) -> None:
        with world.read() as ctx:
            before = ctx.session.scalar(select(func.max(Event.id)))
        with pytest.raises(ZeroDivisionError), world.write("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
            raise ZeroDivisionError
        assert "Quartz Tools" not in names(world)
        with world.read() as ctx:
            assert ctx.session.scalar(select(func.max(Event.id))) == before

    def test_an_interrupt_takes_everything_back(self, world: World) -> None:
        with pytest.raises(KeyboardInterrupt), world.write("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
            raise KeyboardInterrupt
        assert "Quartz Tools" not in names(world)

    def test_a_later_call_works_after_a_failed_one(self, world: World) -> None:
        with pytest.raises(Invalid), world.write("rep"):
            raise Invalid("no")
        with world.write("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
        assert "Quartz Tools" in names(world)


class TestReadOnly:
    def test_a_write_is_refused(self, world: World) -> None:
        with pytest.raises(RuntimeError, match="open it with write=True"), world.read("rep") as ctx:
            create_company(ctx, CreateCompany(name="Quartz Tools"))
        assert "Quartz Tools" not in names(world)

    def test_a_changed_record_is_refused_at_its_flush(self, world: World) -> None:
        with pytest.raises(RuntimeError, match="write=True"), world.read() as ctx:
            ctx.session.get_one(Company, world.row("company")).name = "Changed"
            ctx.session.flush()

    def test_a_changed_record_that_is_never_flushed_is_dropped(self, world: World) -> None:
        with world.read() as ctx:
            ctx.session.get_one(Company, world.row("company")).name = "Changed"
        assert "Changed" not in names(world)

    def test_bulk_statements_leave_nothing(self, world: World) -> None:
        with world.read() as ctx:
            ctx.session.execute(text("UPDATE company SET name = 'Changed'"))
        assert "Changed" not in names(world)


class TestConflict:
    def test_a_taken_unique_value_says_so(self, world: World) -> None:
        with pytest.raises(Conflict, match="use another value"), world.write() as ctx:
            ctx.session.add(Team(name="Sales"))

    def test_a_reference_to_nothing_says_so(self, world: World) -> None:
        with pytest.raises(Conflict, match="check the ids"), world.write() as ctx:
            ctx.session.add(Team(name="Orphans", parent_id=987_654))

    def test_a_broken_rule_says_so(self, world: World) -> None:
        with pytest.raises(Conflict, match="check the values"), world.write() as ctx:
            ctx.session.add(Grant(role="rep", noun="moon", read_scope="sideways", write_scope="none"))

    def test_of_two_who_change_the_same_record_the_second_is_told(self, world: World) -> None:
        key = world.row("company")
        if world.dialect == "sqlite":  # writers queue, so the second one brings the version that it read
            with world.write("rep") as ctx:
                update_company(ctx, UpdateCompany(id=key, city="Bern"))
            with (
                pytest.raises(Conflict, match="changed since you read it: city by Renata Seller"),
                world.write("admin") as ctx,
            ):
                update_company(ctx, UpdateCompany(id=key, version=1, city="Graz"))
        else:
            with (
                pytest.raises(Conflict, match="Somebody else changed this record a moment ago"),
                world.write("admin") as slow,
            ):
                record = slow.session.get_one(Company, key)
                with world.write("rep") as fast:
                    update_company(fast, UpdateCompany(id=key, city="Bern"))
                record.city = "Graz"
        with world.read() as ctx:
            assert (ctx.session.get_one(Company, key).city, ctx.session.get_one(Company, key).version) == ("Bern", 2)

    def test_concurrent_read_modify_writes_lose_nothing(self, world: World) -> None:
        """Threads add to one number, repeating after a conflict; on SQLite writers queue and none conflicts."""
        key, rounds, conflicts, failures = world.row("company"), 8, [], []
        with world.write() as ctx:
            ctx.session.get_one(Company, key).employees = 0

        def add() -> None:
            done = 0
            while done < rounds:
                try:
                    with world.write("admin") as ctx:
                        record = ctx.session.get_one(Company, key)
                        record.employees = (record.employees or 0) + 1
                    done += 1
                except Conflict as conflict:
                    conflicts.append(conflict)
                except BaseException as error:  # noqa: BLE001 - reported in the main thread
                    failures.append(error)
                    return

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with world.read() as ctx:
            record = ctx.session.get_one(Company, key)
            assert (record.employees, record.version) == (4 * rounds, 2 + 4 * rounds)
        if world.dialect == "sqlite":
            assert conflicts == []

    def test_readers_do_not_wait_for_a_writer(self, world: World) -> None:
        with world.write("rep") as ctx:
            update_company(ctx, UpdateCompany(id=world.row("company"), city="Bern"))
            with world.read("rep") as other:
                assert other.session.get_one(Company, world.row("company")).city is None


class TestNotSetUp:
    # Once a fault: on PostgreSQL a missing table is a ProgrammingError (UndefinedTable), not an OperationalError.
    def test_a_database_without_a_schema_says_what_to_run(self, empty_engine: Engine) -> None:
        with pytest.raises(Invalid, match="run 'rapport demo' or 'rapport import DIR' first"):
            with unit_of_work(empty_engine, system_actor(), write=False) as ctx:
                ctx.session.scalar(select(Organisation.id))

    def test_a_database_without_conventions_says_what_to_run(self, engine: Engine) -> None:
        with unit_of_work(engine, system_actor(), write=True) as ctx:
            ctx.session.execute(text("DELETE FROM organisation"))
        with unit_of_work(engine, system_actor(), write=False) as ctx, pytest.raises(Invalid, match="The database is not set up"):
            _ = ctx.organisation

    # Once a fault: load_actor reads the organisation with .one(), so NoResultFound escapes.
    def test_a_user_of_a_database_without_conventions_is_told_the_same(self, engine: Engine) -> None:
        with unit_of_work(engine, system_actor(), write=True) as ctx:
            ctx.session.execute(text("DELETE FROM organisation"))
        with pytest.raises(Invalid, match="rapport demo"), unit_of_work(engine, 1, write=False):
            pass


class TestClock:
    @pytest.mark.parametrize(
        ("user_zone", "today"),
        [(None, date(2026, 8, 12)), ("Pacific/Kiritimati", date(2026, 8, 13)), ("Pacific/Pago_Pago", date(2026, 8, 11))],
    )
    def test_today_is_the_callers_day(self, world: World, user_zone: str | None, today: date) -> None:
        from crm_core.services.users import UpdateUser, update_user

        with world.write("admin") as ctx:
            update_user(ctx, UpdateUser(id=world.users["rep"], timezone=user_zone))
        moment = datetime(2026, 8, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))
        if user_zone == "Pacific/Kiritimati":
            moment = datetime(2026, 8, 12, 10, 30, tzinfo=timezone.utc)  # noqa: UP017 - an aware time of any make
        with world.read("rep", now=moment) as ctx:
            assert ctx.today == today
            assert ctx.now.utcoffset() == timedelta()

    def test_conventions_come_from_the_organisation(self, world: World) -> None:
        with world.read("rep") as ctx:
            assert (ctx.home_currency, ctx.calendar.fiscal_start_month, str(ctx.zone)) == ("USD", 4, "Europe/Berlin")

    def test_a_time_without_a_zone_is_refused(self, world: World) -> None:
        with pytest.raises(Exception, match="use an aware datetime"), world.write() as ctx:  # noqa: B017, PT011
            ctx.session.get_one(Company, world.row("company")).archived_at = datetime(2026, 1, 1)  # noqa: DTZ001

    @pytest.mark.parametrize("moment", [NOW, NOW + timedelta(microseconds=999_999)])
    def test_instants_come_back_as_they_went_in(self, world: World, moment: Any) -> None:
        with world.write() as ctx:
            ctx.session.get_one(Company, world.row("company")).archived_at = moment.astimezone(timezone(timedelta(hours=-5)))
        with world.read() as ctx:
            kept = ctx.session.get_one(Company, world.row("company")).archived_at
            assert kept == moment
            assert kept is not None
            assert kept.utcoffset() == timedelta()


def test_the_door_and_the_actor_are_kept_with_each_event(world: World) -> None:
    with unit_of_work(world.engine, world.users["rep"], write=True, now=NOW, door="slack") as ctx:
        key = create_company(ctx, CreateCompany(name="Quartz Tools")).id
    with world.read() as ctx:
        event: Event = ctx.session.scalars(select(Event).where(Event.noun == "company", Event.record_id == key)).one()
        assert (event.door, event.actor_id, event.at, event.kind, event.version) == (
            "slack",
            world.users["rep"],
            NOW,
            "created",
            1,
        )


def test_the_context_is_of_one_call(world: World) -> None:
    contexts: list[Context] = []
    for _ in range(2):
        with world.read("rep") as ctx:
            contexts.append(ctx)
    assert contexts[0].session is not contexts[1].session


class TestDays:
    """An instant is shown as the day that it is where the caller is."""

    def test_a_list_and_a_timeline_tell_the_callers_day(self, world: World) -> None:
        evening = datetime(2026, 8, 11, 15, 11, tzinfo=UTC)  # the 12th in Melbourne
        with world.write("rep", now=evening) as ctx:
            company = create_company(ctx, CreateCompany(name="Quartz Tools"))
        actor = world.actor("rep", timezone="Australia/Melbourne")
        with world.read(actor) as ctx:
            listed = list_records(
                ctx,
                ListQuestion(noun="company", filters=[Filter(field="name", values=["Quartz Tools"])], columns=["name", "created"]),
            )
            seen = timeline(ctx, Timeline(noun="company", id=company.id))
        assert listed.rows[0]["created"].startswith("2026-08-12")
        assert [entry.at.date() for entry in seen.entries] == [date(2026, 8, 12)]
        assert seen.entries[0].at == evening
