"""Undo: an applied change taken back, field by field; what changed since is told and stays; an undo is undone like any change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm_core.changes import approve, propose
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.models import NOUNS, ChangeSet, Deal, DealContact, LineItem, Price, TaughtWord
from crm_core.services.catalog import CATALOG, Effect
from crm_core.services.change_sets import ListChanges, Undone, list_changes, state_of
from tests.assistant.test_changes import WRITES, arguments_of
from tests.factories import NOW, World

#: Columns that tell of every change and are not taken back.
_MARKS = ("version", "updated_at")
#: A proposal, its approval and what follows happen one after another.
STEP = timedelta(minutes=1)


class Clock:
    """A moment later at each use."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += STEP
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def apply(world: World, clock: Clock, who: str, capability: str, arguments: dict[str, Any], *, approver: str = "") -> tuple[int, Any]:
    """Propose and approve; the number of the change set and the verb's result."""
    with world.write(who, now=clock()) as ctx:
        proposal = propose(ctx, capability, arguments)
        number, shown = proposal.id, proposal.diff_hash
    with world.write(approver or who, now=clock()) as ctx:
        return number, approve(ctx, number, shown)


def undo(world: World, clock: Clock, number: int, who: str = "rep", *, partly: bool = False, approver: str = "") -> tuple[int, Undone]:
    """Take a change back, with the yes that it needs."""
    made, result = apply(world, clock, who, "undo_change", {"change_set_ids": [number], "partly": partly}, approver=approver)
    assert isinstance(result, Undone)
    return made, result


def change(world: World, who: str, capability: str, now: datetime, **arguments: Any) -> Any:
    """Run a verb at once, as another door would."""
    with world.write(who, now=now) as ctx:
        return CATALOG[capability].function(ctx, CATALOG[capability].arguments.model_validate(arguments))


def what_holds(world: World) -> dict[str, Any]:
    """All records that are not archived, and their parts, without the marks of change."""
    with world.read() as ctx:
        held: dict[str, Any] = {}
        for noun, model in NOUNS.items():
            rows = ctx.session.scalars(select(model).where(model.archived_at.is_(None)).order_by(model.id))
            held[noun] = {row.id: {col.key: getattr(row, col.key) for col in model.__table__.columns if col.key not in _MARKS} for row in rows}
        for part, names in (
            (DealContact, ("deal_id", "contact_id", "role")),
            (LineItem, ("deal_id", "product_id", "quantity", "total_minor")),
            (Price, ("product_id", "currency", "amount_minor")),
            (TaughtWord, ("phrase", "meaning", "user_id")),
        ):
            held[part.__name__] = sorted(tuple(str(getattr(row, name)) for name in names) for row in ctx.session.scalars(select(part)))
        return held


def status(world: World, number: int) -> str:
    with world.read() as ctx:
        return ctx.session.get_one(ChangeSet, number).status


class TestEveryVerb:
    @pytest.mark.parametrize("capability", [name for name in WRITES if CATALOG[name].effect is not Effect.admin])
    def test_undone_all_is_as_it_was_and_undone_again_all_is_as_it_had_become(self, world: World, clock: Clock, capability: str) -> None:
        before = what_holds(world)
        who, arguments = arguments_of(world, capability)
        number, _ = apply(world, clock, who, capability, arguments)
        after = what_holds(world)
        assert after != before
        taken, result = undo(world, clock, number, who)
        assert result.left == []
        assert what_holds(world) == before
        assert status(world, number) == "undone"
        undo(world, clock, taken, who)
        assert what_holds(world) == after
        assert (status(world, number), status(world, taken)) == ("applied", "undone")

    @pytest.mark.parametrize("capability", ["update_product", "update_user", "create_product"])
    def test_administration_needs_its_second_person_both_ways(self, world: World, clock: Clock, capability: str) -> None:
        change(world, "admin", "create_user", clock(), name="Second Admin", email="second@lantern.test", role="admin")
        with world.read() as ctx:
            second = ctx.session.scalars(select(NOUNS["user"]).where(NOUNS["user"].name == "Second Admin")).one().id  # type: ignore[attr-defined]
        world.users["second"] = second
        before = what_holds(world)
        who, arguments = arguments_of(world, capability)
        number, _ = apply(world, clock, who, capability, arguments, approver="second")
        with pytest.raises(NotAllowed, match="second person"):
            undo(world, clock, number, who)
        undo(world, clock, number, who, approver="second")
        held = what_holds(world)
        if capability != "create_product":  # its price stays with the archived product
            assert held == before
        assert held["product"] == before["product"]


class TestConflicts:
    def test_what_changed_since_is_told_with_both_values_and_nothing_is_taken_back(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        number, _ = apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "77.00", "next_step": "Send paper"})
        change(world, "manager", "update_deal", clock(), id=deal, amount="90.00")
        before = what_holds(world)
        with pytest.raises(Conflict, match="amount of .*77.*90"):
            undo(world, clock, number)
        assert what_holds(world) == before
        assert status(world, number) == "applied"

    def test_the_rest_is_taken_back_where_that_is_asked(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        with world.read() as ctx:
            first = ctx.session.get_one(Deal, deal).next_step
        number, _ = apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "77.00", "next_step": "Send paper"})
        change(world, "manager", "update_deal", clock(), id=deal, amount="90.00")
        _, result = undo(world, clock, number, partly=True)
        assert len(result.left) == 1
        with world.read() as ctx:
            record = ctx.session.get_one(Deal, deal)
            assert (record.amount_minor, record.next_step) == (9_000, first)
        assert status(world, number) == "applied", "a change that is half there is not undone"

    def test_what_was_created_and_then_worked_on_stays(self, world: World, clock: Clock) -> None:
        number, made = apply(world, clock, "rep", "create_company", {"name": "Pelican Paper"})
        change(world, "manager", "update_company", clock(), id=made.id, city="Gullhaven")
        with pytest.raises(Conflict, match="Pelican Paper, which .* changed"):
            undo(world, clock, number)

    def test_a_part_that_is_gone_already(self, world: World, clock: Clock) -> None:
        who, arguments = arguments_of(world, "set_deal_contact")
        number, _ = apply(world, clock, who, "set_deal_contact", arguments)
        with world.write() as ctx:
            for item in ctx.session.scalars(select(DealContact).where(DealContact.deal_id == arguments["id"], DealContact.role == "blocker")):
                ctx.session.delete(item)
        with pytest.raises(Conflict, match="gone already"):
            undo(world, clock, number)

    def test_what_changed_between_preview_and_yes_is_not_overwritten(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        number, _ = apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "77.00"})
        with world.write("rep", now=clock()) as ctx:
            proposal = propose(ctx, "undo_change", {"change_set_ids": [number]})
            inverse, shown = proposal.id, proposal.diff_hash
        change(world, "manager", "update_deal", clock(), id=deal, amount="90.00")
        with pytest.raises(Conflict), world.write("rep", now=clock()) as ctx:
            approve(ctx, inverse, shown)
        with world.read() as ctx:
            assert ctx.session.get_one(Deal, deal).amount_minor == 9_000


class TestRights:
    def test_only_what_was_applied_is_undone_and_once(self, world: World, clock: Clock) -> None:
        with world.write("rep", now=clock()) as ctx:
            waiting = propose(ctx, "create_company", {"name": "Pelican Paper"}).id
        with pytest.raises(Conflict, match="is proposed"):
            undo(world, clock, waiting)
        number, _ = apply(world, clock, "rep", "create_company", {"name": "Gull Glass"})
        undo(world, clock, number)
        with pytest.raises(Conflict, match="is undone"):
            undo(world, clock, number)

    def test_somebody_elses_change_is_not_there(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "create_company", {"name": "Pelican Paper"})
        with pytest.raises(NotFound):
            undo(world, clock, number, "stranger")

    def test_a_manager_takes_back_what_the_team_did(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "update_deal", {"id": world.row("deal"), "amount": "77.00"})
        _, result = undo(world, clock, number, "manager")
        assert result.records == 1

    def test_a_preview_of_an_undo_changes_nothing(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "update_deal", {"id": world.row("deal"), "amount": "77.00"})
        before = what_holds(world)
        with world.write("rep", now=clock()) as ctx:
            proposal = propose(ctx, "undo_change", {"change_set_ids": [number]})
            assert [(item["field"], item["old"], item["new"]) for item in proposal.diff] == [("amount_minor", 7_700, 100_000)]
            assert proposal.risk == "high"
        assert what_holds(world) == before
        assert status(world, number) == "applied"

    @pytest.mark.parametrize("number", [0, -1, 10**12, 2**70])
    def test_a_number_that_is_none(self, world: World, clock: Clock, number: int) -> None:
        with pytest.raises((NotFound, Invalid)):
            undo(world, clock, number)


class TestFinding:
    def test_by_state_words_and_record(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        number, _ = apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "77.00"})
        with world.write("rep", now=clock()) as ctx:
            waiting = propose(ctx, "create_company", {"name": "Pelican Paper"}, message="add pelican paper please").id

        def found(who: str, **wanted: Any) -> list[int]:
            with world.read(who, now=clock()) as ctx:
                return [item.id for item in list_changes(ctx, ListChanges(**wanted))]

        assert found("rep") == [waiting, number]
        assert found("rep", status="applied") == [number]
        assert found("rep", text="pelican") == [waiting]
        assert found("rep", noun="deal", id=deal) == [number]
        assert found("stranger", everybody=True) == []
        assert found("manager", everybody=True) == [waiting, number]
        with world.read("rep", now=clock.now + timedelta(hours=1)) as ctx:
            assert state_of(ctx, ctx.session.get_one(ChangeSet, waiting)) == "expired"
            assert [item.id for item in list_changes(ctx, ListChanges(status="expired"))] == [waiting]
