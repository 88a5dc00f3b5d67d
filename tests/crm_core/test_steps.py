"""Changes of several steps and of many records: shown as one, applied as one, taken back as one; what is refused is left out and told."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_core.changes import Carried, Step, approve, diff_csv, edit, preview, propose, propose_steps, propose_together, refuse, steps_of
from crm_core.changes import decide as decide_change
from crm_core.changes.steps import MOST_STEPS, SEVERAL
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound, RapportError
from crm_core.models import Activity, ChangeSet, Deal, Event, Stage, User
from crm_core.services.catalog import CATALOG, CHANGES
from crm_core.services.change_sets import Undone
from crm_core.services.policies import set_policy
from tests.assistant.test_changes import everything
from tests.conftest import Databases
from tests.crm_core.test_undo import Clock, apply, change, status, undo, what_holds
from tests.factories import Maker, World, build_world

WAIT = {"next_step": "Wait"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def step(capability: str, *ids: int, **arguments: Any) -> Step:
    """A step on one record, or on many where ids are given."""
    return Step(capability=capability, arguments=arguments, ids=list(ids))


def proposed(world: World, clock: Clock, *steps: Step, who: str = "rep", **more: Any) -> ChangeSet:
    """A proposal of these steps, as it was kept."""
    with world.write(who, now=clock()) as ctx:
        return propose_steps(ctx, steps, **more)


def approved(world: World, clock: Clock, proposal: ChangeSet, who: str = "rep") -> Any:
    """The result of applying a proposal."""
    with world.write(who, now=clock()) as ctx:
        return approve(ctx, proposal.id, proposal.diff_hash)


def together(world: World, clock: Clock, *steps: Step, who: str = "rep", **more: Any) -> list[ChangeSet]:
    """What one message's steps became."""
    with world.write(who, now=clock()) as ctx:
        made = propose_together(ctx, steps, **more)
        for item in made:
            ctx.session.refresh(item)
        return made


def newest(world: World, proposal: ChangeSet | int) -> ChangeSet:
    """A change set as it stands."""
    with world.read() as ctx:
        return ctx.session.get_one(ChangeSet, proposal if isinstance(proposal, int) else proposal.id)


def deals(world: World, many: int, owner: str = "rep", **fields: Any) -> list[int]:
    """New open deals of an owner."""
    with world.write() as ctx:
        make = Maker(ctx)
        stage, user = ctx.session.get_one(Stage, world.stages["Coffee & cake"]), ctx.session.get_one(User, world.users[owner])
        return [make.deal(stage, user, **({"name": f"{owner} deal {number}", "next_step": "Call"} | fields)).id for number in range(many)]


def next_steps(world: World, ids: Sequence[int]) -> list[str | None]:
    """The next step of each deal."""
    with world.read() as ctx:
        found = {row.id: row.next_step for row in ctx.session.scalars(select(Deal).where(Deal.id.in_(ids)))}
        return [found[key] for key in ids]


def count(world: World, model: Any) -> int:
    """How many rows a table has."""
    with world.read() as ctx:
        return int(ctx.session.scalar(select(func.count()).select_from(model)) or 0)


def touched(proposal: ChangeSet) -> set[tuple[str, int]]:
    """The records of a diff."""
    return {(item["noun"], item["id"]) for item in proposal.diff}


def told(proposal: ChangeSet) -> list[tuple[int | None, str]]:
    """What was left out, sorted: of which record and verb."""
    return sorted(((item["id"], item["capability"]) for item in proposal.arguments.get("left_out", [])), key=str)


class TestSeveralSteps:
    def steps(self, world: World) -> list[Step]:
        deal = world.row("deal")
        return [
            step("update_deal", id=deal, amount="77.00"),
            step("create_company", name="Pelican Paper"),
            step("add_task", subject="Send paper", deal_id=deal, due_on="2026-08-20"),
            step("update_contact", id=world.row("contact"), title="Head of Paper"),
        ]

    def test_they_are_shown_as_one_change_and_nothing_happens_yet(self, world: World, clock: Clock) -> None:
        before = everything(world)
        proposal = proposed(world, clock, *self.steps(world), message="all of this, please")
        assert everything(world) == before
        assert (proposal.capability, proposal.status, proposal.message) == (SEVERAL, "proposed", "all of this, please")
        assert [item.capability for item in steps_of(proposal)] == ["update_deal", "create_company", "add_task", "update_contact"]
        assert touched(proposal) == {("deal", world.row("deal")), ("company", 0), ("activity", 0), ("contact", world.row("contact"))}
        assert proposal.title == (
            "Update deal: Rep lamps; Create company: Pelican Paper (new company); Add task: Send paper (new activity); Update contact: Casper Repson"
        )

    def test_they_are_applied_in_one_transaction_that_names_the_change(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, *self.steps(world))
        result = approved(world, clock, proposal)
        assert result == Carried(title=proposal.title, records=4)
        with world.read() as ctx:
            events = ctx.session.scalars(select(Event).where(Event.change_set_id == proposal.id)).all()
            assert {item.noun for item in events} == {"deal", "company", "activity", "contact"}
            assert {item.at for item in events} == {clock.now}
            assert ctx.session.get_one(Deal, world.row("deal")).amount_minor == 7_700
        assert status(world, proposal.id) == "applied"

    def test_they_are_taken_back_as_one_and_that_too(self, world: World, clock: Clock) -> None:
        before = what_holds(world)
        proposal = proposed(world, clock, *self.steps(world))
        approved(world, clock, proposal)
        after = what_holds(world)
        taken, result = undo(world, clock, proposal.id)
        assert (result.records, result.left) == (4, [])
        assert what_holds(world) == before
        undo(world, clock, taken)
        assert what_holds(world) == after
        assert (status(world, proposal.id), status(world, taken)) == ("applied", "undone")

    def test_where_a_later_step_fails_by_now_the_earlier_ones_do_not_happen(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, *self.steps(world))
        change(world, "rep", "archive_record", clock(), noun="contact", id=world.row("contact"))
        before = everything(world)
        with pytest.raises(RapportError):
            approved(world, clock, proposal)
        assert everything(world) == before

    def test_a_record_that_moved_stops_all_of_it_and_it_is_proposed_anew(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, *self.steps(world))
        change(world, "manager", "update_contact", clock(), id=world.row("contact"), title="Head of Glass")
        before = what_holds(world)
        with pytest.raises(Conflict, match="changed since") as error:
            decide_change(world.engine, world.users["rep"], proposal.id, proposal.diff_hash, door="test", now=clock())
        assert what_holds(world) == before
        fresh = newest(world, error.value.details["fresh"]["change_set_id"])
        assert steps_of(fresh) == steps_of(proposal)
        assert [item["old"] for item in fresh.diff if item["field"] == "title"] == ["Head of Glass"]
        assert approved(world, clock, fresh).records == 4

    def test_a_field_that_two_steps_change_gets_the_last_value_and_then_its_first_one_back(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        before = what_holds(world)
        proposal = proposed(world, clock, step("update_deal", id=deal, **WAIT), step("update_deal", id=deal, next_step="Call"))
        assert [(item["old"], item["new"]) for item in proposal.diff] == [(None, "Wait"), ("Wait", "Call")]
        approved(world, clock, proposal)
        assert next_steps(world, [deal]) == ["Call"]
        undo(world, clock, proposal.id)
        assert what_holds(world) == before

    def test_the_strictest_step_decides_for_all(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        assert proposed(world, clock, step("add_task", subject="Send paper")).risk == "none"
        assert proposed(world, clock, step("add_task", subject="Send paper"), step("update_deal", id=deal, **WAIT)).risk == "low"
        assert proposed(world, clock, step("update_deal", id=deal, **WAIT), step("win_deal", id=deal)).risk == "high"
        steps = [step("update_deal", id=deal, **WAIT), step("create_product", name="Pelican Feed")]
        assert proposed(world, clock, *steps, who="admin").risk == "second"

    def test_a_step_that_changes_nothing_is_left_away(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        proposal = proposed(world, clock, step("update_deal", id=deal, amount="1000.00"), step("update_deal", id=deal, **WAIT))
        assert [item.arguments for item in steps_of(proposal)] == [{"id": deal, **WAIT}]
        with pytest.raises(Invalid, match="change nothing"):
            proposed(world, clock, step("update_deal", id=deal, amount="1000.00"), step("update_deal", id=deal, name="Rep lamps"))

    @pytest.mark.parametrize("many", [0, MOST_STEPS + 1])
    def test_a_change_has_a_step_and_not_too_many(self, world: World, clock: Clock, many: int) -> None:
        with pytest.raises(Invalid, match="1 to 200 steps"):
            proposed(world, clock, *[step("update_deal", id=world.row("deal"), **WAIT)] * many)

    def test_what_is_no_change_is_left_out_beside_others(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, step("update_deal", id=world.row("deal"), **WAIT), step("drop_everything", id=1))
        assert told(proposal) == [(1, "drop_everything")]

    def test_each_of_several_new_records_has_a_name_and_a_currency_of_its_own(self, world: World, clock: Clock) -> None:
        proposal = proposed(
            world,
            clock,
            step("create_deal", name="Pelican rollout", amount="300", currency="EUR"),
            step("create_deal", name="Gull windows", amount="1000", currency="JPY"),
        )
        with world.read("rep") as ctx:
            shown = [(item["record"], item["new"]) for item in preview(ctx, proposal)["changes"] if item["title"] == "amount"]
        assert shown == [("Pelican rollout (new deal)", "€300"), ("Gull windows (new deal)", "¥1,000")]

    def test_the_worth_of_several_new_deals_is_that_of_all(self, world: World, clock: Clock) -> None:
        proposal = proposed(
            world, clock, step("create_deal", name="Pelican rollout", amount="300"), step("create_deal", name="Gull windows", amount="400")
        )
        with world.read("rep") as ctx:
            assert preview(ctx, proposal)["summary"] == "2 deals, the deals worth $700 together."

    @pytest.mark.parametrize("partly_refused", [False, True])
    def test_what_is_applied_is_what_was_shown_however_the_steps_are_ordered(self, world: World, clock: Clock, partly_refused: bool) -> None:
        deal, other = world.row("deal"), world.row("deal", "colleague") if partly_refused else deals(world, 1)[0]
        steps = [
            step("reassign", deal, other, noun="deal", owner_id=world.users["junior"]),
            step("log_activity", kind="call", subject="Talked paper", deal_id=deal),
            step("update_contact", id=world.row("contact"), title="Head of Paper"),
        ]
        for order in (steps, steps[::-1]):
            proposal = proposed(world, clock, *order)
            approved(world, clock, proposal)
            undo(world, clock, proposal.id)


class TestManyRecords:
    def test_a_step_runs_on_each_of_its_records_once(self, world: World, clock: Clock) -> None:
        made = deals(world, 3)
        proposal = proposed(world, clock, step("update_deal", *made, made[0], **WAIT))
        assert [(item["id"], item["old"], item["new"]) for item in proposal.diff] == [(key, "Call", "Wait") for key in made]
        assert proposal.title == "Update deal: 3 deals"
        assert approved(world, clock, proposal) == Carried(title="Update deal: 3 deals", records=3)
        assert next_steps(world, made) == ["Wait"] * 3

    def test_the_preview_says_how_many_they_are_and_what_they_are_worth(self, world: World, clock: Clock) -> None:
        made = deals(world, 2, amount_minor=1_000_00, currency="EUR")
        proposal = proposed(world, clock, step("update_deal", *made, **WAIT), step("update_company", id=world.row("company"), city="Gullhaven"))
        with world.read("rep") as ctx:
            assert preview(ctx, proposal)["summary"] == "1 company and 2 deals, the deals worth $2,167.40 together."

    def test_records_that_the_requester_may_not_change_are_left_out_and_told(self, world: World, clock: Clock) -> None:
        mine, theirs, hidden = deals(world, 2), world.row("deal", "colleague"), world.row("deal", "stranger")
        proposal = proposed(world, clock, step("update_deal", mine[0], theirs, hidden, mine[1], 999_999, **WAIT))
        assert touched(proposal) == {("deal", key) for key in mine}
        assert told(proposal) == [(theirs, "update_deal"), (hidden, "update_deal"), (999_999, "update_deal")]
        assert steps_of(proposal)[0].ids == mine
        with world.read("rep") as ctx:
            reasons = preview(ctx, proposal)["left_out"]
        assert [reason.endswith(".") for reason in reasons] == [True] * 3
        assert reasons[1] == f"There is no deal {hidden} that you can see."
        before = next_steps(world, [theirs, hidden])
        assert approved(world, clock, proposal).records == 2
        assert next_steps(world, mine) == ["Wait", "Wait"]
        assert next_steps(world, [theirs, hidden]) == before

    def test_where_all_are_refused_so_is_the_change_and_nothing_is_kept(self, world: World, clock: Clock) -> None:
        theirs, hidden = world.row("deal", "colleague"), world.row("deal", "stranger")
        with pytest.raises(NotAllowed):
            proposed(world, clock, step("update_deal", theirs, hidden, **WAIT))
        with pytest.raises(NotFound):
            proposed(world, clock, step("update_deal", hidden, theirs, **WAIT))
        with pytest.raises(NotFound):
            proposed(world, clock, step("update_deal", hidden, **WAIT))
        assert count(world, ChangeSet) == 0

    def test_a_refused_record_beside_one_that_is_like_that_already_is_refused(self, world: World, clock: Clock) -> None:
        mine = deals(world, 1, next_step="Wait")
        with pytest.raises(NotAllowed):
            proposed(world, clock, step("update_deal", *mine, world.row("deal", "colleague"), **WAIT))

    def test_a_step_that_is_refused_beside_others_is_left_out_and_told_and_the_rest_can_be_applied(self, world: World, clock: Clock) -> None:
        theirs = world.row("deal", "colleague")
        proposal = proposed(world, clock, step("update_deal", id=world.row("deal"), **WAIT), step("update_deal", id=theirs, **WAIT))
        assert touched(proposal) == {("deal", world.row("deal"))}
        assert told(proposal) == [(theirs, "update_deal")]
        assert [item.arguments for item in steps_of(proposal)] == [{"id": world.row("deal"), **WAIT}]
        approved(world, clock, proposal)
        assert next_steps(world, [world.row("deal")]) == ["Wait"]

    def test_a_record_that_one_step_refuses_stays_in_the_others_of_the_same_verb(self, world: World, clock: Clock) -> None:
        # A deal with products cannot change its currency, but its next step.
        priced, plain = world.row("deal"), deals(world, 1)[0]
        proposal = proposed(world, clock, step("update_deal", priced, plain, **WAIT), step("update_deal", priced, plain, amount="5", currency="EUR"))
        assert told(proposal) == [(priced, "update_deal")]
        assert {(item["id"], item["field"]) for item in proposal.diff} == {
            (priced, "next_step"),
            (plain, "next_step"),
            (plain, "currency"),
            (plain, "amount_minor"),
        }
        approved(world, clock, proposal)
        assert next_steps(world, [priced, plain]) == ["Wait", "Wait"]

    def test_a_verb_that_fails_halfway_leaves_nothing(self, world: World, clock: Clock) -> None:
        # The activity is written before its participants are looked up.
        before = count(world, Activity)
        proposal = proposed(
            world,
            clock,
            step("log_activity", kind="call", subject="Talked paper", participant_ids=[world.row("contact"), 999_999]),
            step("update_deal", id=world.row("deal"), **WAIT),
            step("update_contact", id=world.row("contact"), title="Head"),
        )
        assert touched(proposal) == {("deal", world.row("deal")), ("contact", world.row("contact"))}
        assert told(proposal) == [(None, "log_activity")]
        assert approved(world, clock, proposal).records == 2
        assert count(world, Activity) == before

    def test_a_record_that_is_named_twice_gets_a_part_once(self, world: World, clock: Clock) -> None:
        made = deals(world, 2)
        proposal = proposed(world, clock, step("add_line_item", *made, *made, product_id=world.products["Wick"], quantity=3))
        assert [item["id"] for item in proposal.diff if item["field"] == "line_items"] == made

    def test_numbers_of_new_records_may_be_others_when_it_is_applied(self, world: World, clock: Clock) -> None:
        proposal = proposed(
            world,
            clock,
            step("convert_lead", world.row("lead"), deal_name="Gull windows"),
            step("update_contact", id=world.row("contact"), title="Head"),
        )
        for capability, name in (("create_company", "Pelican Paper"), ("create_contact", "Cosima Quill"), ("create_deal", "Pelican rollout")):
            change(world, "rep", capability, clock(), name=name)
        approved(world, clock, proposal)
        with world.read() as ctx:
            deal = ctx.session.scalars(select(Deal).where(Deal.name == "Gull windows")).one()
            assert deal.company is not None
            assert deal.company.name not in ("Pelican Paper", "Rep Harbour Optics")

    @pytest.mark.parametrize(
        ("capability", "arguments"),
        [
            ("update_deal", {"amount": "77.00"}),
            ("move_deal", {"stage": "Haggling"}),
            ("win_deal", {}),
            ("lose_deal", {"reason": "Too dear"}),
            ("reassign", {"noun": "deal", "owner_id": "junior"}),
            ("archive_record", {"noun": "deal"}),
            ("set_deal_contact", {"contact_id": "contact", "role": "blocker"}),
            ("add_line_item", {"product_id": "Wick", "quantity": 3}),
        ],
    )
    def test_every_verb_on_deals_can_be_refused_for_one_and_applied_to_the_others(
        self, world: World, clock: Clock, capability: str, arguments: dict[str, Any]
    ) -> None:
        known = {"junior": world.users["junior"], "contact": world.row("contact", "junior"), "Wick": world.products["Wick"]}
        arguments = {name: known.get(str(value), value) for name, value in arguments.items()}
        mine, theirs = deals(world, 2, amount_minor=5_000, currency="USD"), world.row("deal", "colleague")
        before = what_holds(world)
        for order in ([mine[0], theirs, mine[1]], [theirs, *mine], [*mine, theirs]):
            proposal = proposed(world, clock, step(capability, *order, **arguments))
            assert {key for noun, key in touched(proposal) if noun == "deal"} == set(mine)
            assert told(proposal) == [(theirs, capability)]
            assert approved(world, clock, proposal).records == 2
            assert what_holds(world) != before
            undo(world, clock, proposal.id)
            assert what_holds(world) == before

    def test_one_whose_right_went_between_preview_and_yes_stops_all(self, world: World, clock: Clock) -> None:
        made = deals(world, 3)
        proposal = proposed(world, clock, step("update_deal", *made, **WAIT))
        change(world, "admin", "reassign", clock(), noun="deal", id=made[1], owner_id=world.users["colleague"])
        with pytest.raises(Conflict, match="look at the new preview"):
            approved(world, clock, proposal)
        assert next_steps(world, made) == ["Call"] * 3


class TestTogether:
    def test_what_needs_nobodys_yes_is_applied_and_the_rest_is_proposed(self, world: World, clock: Clock) -> None:
        deal, tasks = world.row("deal"), count(world, Activity)
        done, waiting = together(
            world,
            clock,
            step("update_deal", id=deal, amount="77.00"),
            step("add_task", subject="Send paper", deal_id=deal),
            step("log_activity", kind="call", subject="Talked paper", deal_id=deal),
            message="all of this, please",
        )
        assert (done.status, done.risk, [item.capability for item in steps_of(done)]) == ("applied", "none", ["add_task", "log_activity"])
        assert (waiting.status, waiting.risk, waiting.capability) == ("proposed", "high", "update_deal")
        assert (done.approver_id, {done.message, waiting.message}) == (world.users["rep"], {"all of this, please"})
        assert count(world, Activity) == tasks + 2
        approved(world, clock, waiting)
        with world.read() as ctx:
            assert ctx.session.get_one(Deal, deal).amount_minor == 7_700
            assert set(ctx.session.scalars(select(Event.change_set_id).where(Event.change_set_id.is_not(None)))) == {done.id, waiting.id}

    def test_what_happens_later_in_the_same_transaction_is_no_part_of_it(self, world: World, clock: Clock) -> None:
        with world.write("rep", now=clock()) as ctx:
            propose_together(ctx, [step("add_task", subject="Send paper")])
            CATALOG["create_company"].function(ctx, CATALOG["create_company"].arguments.model_validate({"name": "Pelican Paper"}))
        with world.read() as ctx:
            (event,) = ctx.session.scalars(select(Event).where(Event.noun == "company", Event.at == clock.now))
            assert event.change_set_id is None

    def test_what_all_applies_at_once_is_one_change_and_so_is_what_all_asks(self, world: World, clock: Clock) -> None:
        (done,) = together(world, clock, step("add_task", subject="Send paper"), step("add_task", subject="Call the paper mill"))
        assert (done.status, len(steps_of(done))) == ("applied", 2)
        (waiting,) = together(
            world, clock, step("update_deal", id=world.row("deal"), **WAIT), step("update_contact", id=world.row("contact"), title="Head")
        )
        assert (waiting.status, len(steps_of(waiting))) == ("proposed", 2)

    def test_too_many_small_things_ask_as_a_whole(self, world: World, clock: Clock) -> None:
        before = count(world, Activity)
        (waiting,) = together(world, clock, *[step("add_task", subject=f"Task {number}") for number in range(6)])
        assert (waiting.status, waiting.risk) == ("proposed", "high")
        assert count(world, Activity) == before

    def test_what_applies_at_once_is_taken_back_at_once_and_by_whoever_asked_only(self, world: World, clock: Clock) -> None:
        (done,) = together(world, clock, step("add_task", subject="Send paper"))
        with world.write("manager", now=clock()) as ctx:
            assert propose(ctx, "undo_change", {"change_set_ids": [done.id]}).risk == "high"
        (back,) = together(world, clock, step("undo_change", change_set_ids=[done.id]))
        assert (back.status, status(world, done.id)) == ("applied", "undone")

    def test_what_is_refused_is_told_with_what_waits_and_elsewise_with_what_was_done(self, world: World, clock: Clock) -> None:
        theirs = step("update_deal", id=world.row("deal", "colleague"), **WAIT)
        done, waiting = together(
            world, clock, step("add_task", subject="Send paper"), theirs, step("update_company", id=world.row("company"), city="Gullhaven")
        )
        assert (told(done), told(waiting)) == ([], [(world.row("deal", "colleague"), "update_deal")])
        approved(world, clock, waiting)
        (alone,) = together(world, clock, step("add_task", subject="Send ink"), theirs)
        assert (alone.status, told(alone)) == ("applied", [(world.row("deal", "colleague"), "update_deal")])

    def test_where_all_is_refused_nothing_is_done(self, world: World, clock: Clock) -> None:
        before = everything(world)
        with pytest.raises(NotAllowed):
            together(world, clock, step("update_deal", world.row("deal", "colleague"), world.row("deal", "junior"), **WAIT))
        assert everything(world) == before
        assert count(world, ChangeSet) == 0

    def test_arguments_that_cannot_be_used_are_told_by_name_before_anything_is_done(self, world: World, clock: Clock) -> None:
        for wrong, words in (
            (step("update_deal", id=world.row("deal"), colour="red"), "update_deal cannot be used .*colour"),
            (step("update_deal", next_step="Wait"), "id: .*required"),
            (step("create_company", 1, 2, name="Pelican Paper"), "create_company cannot be used .*id"),
            (step("find_records", text="lamps"), "not a change"),
            (step("drop_everything"), "not a change"),
        ):
            with pytest.raises(Invalid, match=words):
                together(world, clock, step("add_task", subject="Send paper"), wrong)
        assert count(world, ChangeSet) == 0

    def test_what_is_forbidden_stops_what_would_have_applied_at_once(self, world: World, clock: Clock) -> None:
        with world.write("admin") as ctx:
            rules = '  - {then: forbid, nouns: [deal], because: "Deals are frozen."}\n  - {then: apply, because: "All else at once."}\n'
            set_policy(ctx, f"rules:\n{rules}", verbs=CHANGES)
        before = count(world, Activity)
        with pytest.raises(NotAllowed, match="Deals are frozen"):
            together(world, clock, step("add_task", subject="Send paper"), step("update_deal", id=world.row("deal"), **WAIT))
        assert (count(world, Activity), count(world, ChangeSet)) == (before, 0)

    def test_the_system_itself_asks_for_nothing(self, world: World, clock: Clock) -> None:
        with pytest.raises(Invalid, match="act as a user"):
            together(world, clock, step("create_company", name="Pelican Paper"), who="system")


class TestCorrecting:
    def test_a_proposal_that_is_corrected_no_longer_stands(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        (first,) = together(world, clock, step("update_deal", id=deal, amount="77.00"))
        (second,) = together(world, clock, step("update_deal", id=deal, amount="78.00"), replaces=[first.id])
        assert (status(world, first.id), second.status, second.replaces_id) == ("replaced", "proposed", first.id)
        with pytest.raises(Conflict, match="already"):
            approved(world, clock, first)
        approved(world, clock, second)
        with world.read() as ctx:
            assert ctx.session.get_one(Deal, deal).amount_minor == 7_800

    def test_what_was_applied_at_once_is_taken_back_with_the_new(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        (second,) = together(world, clock, step("add_task", subject="Send ink"), replaces=[first.id])
        assert (status(world, first.id), second.status, second.replaces_id) == ("undone", "applied", first.id)
        with world.read() as ctx:
            found = ctx.session.execute(select(Activity.subject, Activity.archived_at.is_(None)).where(Activity.subject.like("Send %"))).all()
        assert sorted((subject, bool(there)) for subject, there in found) == [("Send ink", True), ("Send paper", False)]

    def test_a_correction_is_taken_back_to_what_was_before_it(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        before = what_holds(world)
        (second,) = together(world, clock, step("add_task", subject="Send ink"), replaces=[first.id])
        undo(world, clock, second.id)
        assert what_holds(world) == before
        assert (status(world, first.id), status(world, second.id)) == ("applied", "undone")

    def test_a_correction_that_asks_takes_back_at_once_and_proposes_the_rest(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        back, waiting = together(world, clock, step("update_deal", id=world.row("deal"), **WAIT), replaces=[first.id])
        assert (status(world, first.id), back.capability, back.status, waiting.status) == ("undone", "undo_change", "applied", "proposed")

    @pytest.mark.parametrize("asks", [False, True])
    def test_a_correction_that_is_corrected_does_not_bring_back_the_first(self, world: World, clock: Clock, asks: bool) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        wrong = step("update_deal", id=world.row("deal"), **WAIT) if asks else step("add_task", subject="Send ink")
        made = together(world, clock, wrong, replaces=[first.id])
        together(world, clock, step("add_task", subject="Send pens"), replaces=[item.id for item in made])
        with world.read() as ctx:
            found = select(Activity.subject).where(Activity.subject.like("Send %"), Activity.archived_at.is_(None))
            assert ctx.session.scalars(found).all() == ["Send pens"]
        assert status(world, first.id) == "undone"

    def test_several_changes_are_corrected_by_one(self, world: World, clock: Clock) -> None:
        done, waiting = together(world, clock, step("add_task", subject="Send paper"), step("update_deal", id=world.row("deal"), **WAIT))
        (new,) = together(world, clock, step("add_task", subject="Send ink"), replaces=[done.id, waiting.id])
        assert [status(world, item.id) for item in (done, waiting, new)] == ["undone", "replaced", "applied"]

    def test_a_correction_with_nothing_new_takes_back_alone(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        (back,) = together(world, clock, replaces=[first.id])
        assert (back.capability, back.status, status(world, first.id)) == ("undo_change", "applied", "undone")

    def test_what_somebody_approved_is_not_taken_back_by_a_correction(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "update_deal", {"id": world.row("deal"), "amount": "77.00"})
        (second,) = together(world, clock, step("update_deal", id=world.row("deal"), amount="78.00"), replaces=[number])
        assert [item.capability for item in steps_of(second)] == ["update_deal"]
        approved(world, clock, second)
        assert status(world, number) == "applied"

    @pytest.mark.parametrize(("who", "error"), [("manager", NotAllowed), ("admin", NotAllowed), ("colleague", NotFound)])
    def test_nobody_else_corrects_it(self, world: World, clock: Clock, who: str, error: type[RapportError]) -> None:
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), amount="77.00"))
        with pytest.raises(error):
            together(world, clock, step("add_task", subject="Send ink"), replaces=[first.id], who=who)
        assert status(world, first.id) == "proposed"

    def test_a_correction_that_fails_leaves_the_proposal_standing(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), amount="77.00"))
        with pytest.raises(NotAllowed):
            together(world, clock, step("update_deal", id=world.row("deal", "colleague"), **WAIT), replaces=[first.id])
        assert status(world, first.id) == "proposed"
        approved(world, clock, first)

    def test_what_was_worked_on_since_is_kept_and_told_beside_the_new(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("add_task", subject="Send paper"))
        with world.read() as ctx:
            task = ctx.session.scalars(select(Activity.id).where(Activity.subject == "Send paper")).one()
        change(world, "manager", "update_activity", clock(), id=task, body="In blue.")
        (second,) = together(world, clock, step("add_task", subject="Send ink"), replaces=[first.id])
        assert (status(world, first.id), second.status, told(second)) == ("applied", "applied", [(None, "undo_change")])


class TestExtending:
    def test_the_rest_goes_into_the_proposal_of_the_same_message(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), **WAIT))
        shown = first.diff_hash
        (whole,) = together(world, clock, step("update_contact", id=world.row("contact"), title="Head"), extends=first.id)
        assert (whole.id, count(world, ChangeSet)) == (first.id, 1)
        assert [item.capability for item in steps_of(whole)] == ["update_deal", "update_contact"]
        assert touched(whole) == {("deal", world.row("deal")), ("contact", world.row("contact"))}
        with pytest.raises(Conflict, match="another preview"), world.write("rep", now=clock()) as ctx:
            approve(ctx, first.id, shown)
        assert approved(world, clock, whole).records == 2

    def test_what_applies_at_once_does_not_go_into_it(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), **WAIT))
        (done,) = together(world, clock, step("add_task", subject="Send paper"), extends=first.id)
        assert (done.id != first.id, done.status) == (True, "applied")
        assert newest(world, first).diff_hash == first.diff_hash

    def test_what_was_left_out_before_is_still_told(self, world: World, clock: Clock) -> None:
        theirs = world.row("deal", "colleague")
        (first,) = together(world, clock, step("update_deal", world.row("deal"), theirs, **WAIT))
        (whole,) = together(
            world, clock, step("update_contact", world.row("contact"), world.row("contact", "stranger"), title="Head"), extends=first.id
        )
        assert told(whole) == [(world.row("contact", "stranger"), "update_contact"), (theirs, "update_deal")]
        assert approved(world, clock, whole).records == 2

    def test_a_step_that_was_left_out_before_does_not_stop_it(self, world: World, clock: Clock) -> None:
        theirs = step("update_deal", id=world.row("deal", "colleague"), **WAIT)
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), **WAIT), theirs)
        (whole,) = together(world, clock, step("update_contact", id=world.row("contact"), title="Head"), extends=first.id)
        assert told(whole) == [(world.row("deal", "colleague"), "update_deal")]
        assert approved(world, clock, whole).records == 2

    def test_the_strictest_of_all_decides_then(self, world: World, clock: Clock) -> None:
        (first,) = together(world, clock, step("update_deal", id=world.row("deal"), **WAIT))
        assert first.risk == "low"
        (whole,) = together(world, clock, step("win_deal", id=world.row("deal")), extends=first.id)
        assert whole.risk == "high"


class TestEdit:
    def edited(self, world: World, clock: Clock, proposal: ChangeSet, *arguments: dict[str, Any], who: str = "rep") -> ChangeSet:
        with world.write(who, now=clock()) as ctx:
            return edit(ctx, proposal.id, arguments)

    def test_another_proposal_stands_in_its_place_with_the_values_that_were_given(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        first = proposed(world, clock, step("update_deal", id=deal, amount="77.00", next_step="Wait"), message="do it")
        second = self.edited(world, clock, first, {"amount": "78.50"})
        assert (status(world, first.id), second.status, second.replaces_id, second.message) == ("replaced", "proposed", first.id, "do it")
        assert {item["field"]: item["new"] for item in second.diff} == {"amount_minor": 7_850, "next_step": "Wait"}
        with pytest.raises(Conflict):
            approved(world, clock, first)
        approved(world, clock, second)
        with world.read() as ctx:
            assert ctx.session.get_one(Deal, deal).amount_minor == 7_850

    def test_each_step_has_arguments_of_its_own(self, world: World, clock: Clock) -> None:
        made = deals(world, 2)
        first = proposed(world, clock, step("update_deal", *made, **WAIT), step("create_company", name="Pelican Paper"))
        second = self.edited(world, clock, first, {}, {"name": "Gull Glass", "city": "Gullhaven"})
        assert [(item.arguments, item.ids) for item in steps_of(second)] == [(WAIT, made), ({"name": "Gull Glass", "city": "Gullhaven"}, [])]
        third = self.edited(world, clock, second, {"next_step": "Write"}, {})
        assert [item["new"] for item in third.diff if item["noun"] == "deal"] == ["Write", "Write"]

    def test_what_was_left_out_stays_out_and_the_rest_can_be_edited(self, world: World, clock: Clock) -> None:
        theirs = step("update_deal", id=world.row("deal", "colleague"), **WAIT)
        first = proposed(world, clock, step("update_deal", id=world.row("deal"), **WAIT), theirs)
        second = self.edited(world, clock, first, {"next_step": "Write"})
        assert [(item["id"], item["new"]) for item in second.diff] == [(world.row("deal"), "Write")]

    def test_the_policy_decides_anew(self, world: World, clock: Clock) -> None:
        first = proposed(world, clock, step("create_deal", name="Pelican rollout", amount="100"))
        assert first.risk == "low"
        assert self.edited(world, clock, first, {"amount": "300000"}).risk == "high"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "has 1 steps"),
            ([{}, {}], "has 1 steps"),
            ([{"colour": "red"}], "cannot be used .*colour"),
            ([{"amount": "much"}], "cannot be used .*amount"),
            ([{"amount": "-5"}], "negative"),
            ([{"currency": "XYZ"}], "currency"),
            ([{"amount": "1000.00"}], "change nothing"),
        ],
    )
    def test_arguments_that_cannot_be_used_leave_the_old_one(self, world: World, clock: Clock, arguments: list[dict[str, Any]], words: str) -> None:
        first = proposed(world, clock, step("update_deal", id=world.row("deal"), amount="77.00"))
        with pytest.raises(Invalid, match=words):
            self.edited(world, clock, first, *arguments)
        assert status(world, first.id) == "proposed"
        assert count(world, ChangeSet) == 1
        approved(world, clock, first)

    def test_no_edit_reaches_what_the_requester_may_not_change(self, world: World, clock: Clock) -> None:
        first = proposed(world, clock, step("update_deal", id=world.row("deal"), **WAIT))
        with pytest.raises(NotAllowed):
            self.edited(world, clock, first, {"id": world.row("deal", "colleague")})
        assert status(world, first.id) == "proposed"

    @pytest.mark.parametrize(("who", "error"), [("manager", NotAllowed), ("admin", NotAllowed), ("colleague", NotFound), ("stranger", NotFound)])
    def test_nobody_else_edits_it(self, world: World, clock: Clock, who: str, error: type[RapportError]) -> None:
        first = proposed(world, clock, step("update_deal", id=world.row("deal"), **WAIT))
        with pytest.raises(error):
            self.edited(world, clock, first, {"next_step": "Write"}, who=who)
        assert status(world, first.id) == "proposed"

    def test_what_was_decided_or_has_expired_is_not_edited(self, world: World, clock: Clock) -> None:
        refused, applied, late = (proposed(world, clock, step("update_deal", id=world.row("deal"), next_step=word)) for word in ("A", "B", "C"))
        with world.write("rep", now=clock()) as ctx:
            refuse(ctx, refused.id)
        approved(world, clock, applied)
        for proposal, word in ((refused, "refused"), (applied, "applied")):
            with pytest.raises(Conflict, match=f"is {word} already"):
                self.edited(world, clock, proposal, {"next_step": "Write"})
        clock.now += timedelta(hours=1)
        with pytest.raises(Conflict, match="is expired already"):
            self.edited(world, clock, late, {"next_step": "Write"})

    def test_a_version_that_was_read_is_not_insisted_on(self, world: World, clock: Clock) -> None:
        first = proposed(world, clock, step("update_deal", id=world.row("deal"), version=1, **WAIT))
        change(world, "manager", "update_deal", clock(), id=world.row("deal"), amount="90.00")
        second = self.edited(world, clock, first, {"next_step": "Write"})
        approved(world, clock, second)
        assert next_steps(world, [world.row("deal")]) == ["Write"]


class TestRowsAsCsv:
    def rows(self, world: World, proposal: ChangeSet, who: str = "rep") -> list[list[str]]:
        with world.read(who) as ctx:
            return list(csv.reader(io.StringIO(diff_csv(ctx, ctx.session.get_one(ChangeSet, proposal.id)))))

    def test_every_line_is_there_however_many_the_preview_shows(self, world: World, clock: Clock) -> None:
        made = deals(world, 120)
        proposal = proposed(world, clock, step("update_deal", *made, next_step="Wait", expected_close_on="2027-01-31"))
        with world.read("rep") as ctx:
            shown = preview(ctx, proposal)
        assert (len(shown["diff"]), len(shown["changes"]), shown["lines_in_all"]) == (200, 200, 240)
        heading, *lines = self.rows(world, proposal)
        assert heading == ["kind", "number", "record", "field", "before", "after"]
        assert len(lines) == 240
        assert ["deal", str(made[-1]), "rep deal 119", "next step", "Call", "Wait"] in lines
        assert {(line[1], line[3]) for line in lines} == {(str(key), name) for key in made for name in ("next step", "expected close")}

    def test_a_new_record_has_no_number_and_nothing_before(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, step("create_company", name="Pelican Paper", industry="Cheese", city="Gullhaven"))
        assert ["company", "new", "Pelican Paper (new company)", "industry", "", "Cheese"] in self.rows(world, proposal)

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")'])
    def test_no_cell_is_a_formula(self, world: World, clock: Clock, text: str) -> None:
        (deal,) = deals(world, 1, name=f"{text} lamps", next_step=text)
        proposal = proposed(world, clock, step("update_deal", deal, next_step=f"{text}2"))
        (_heading, line) = self.rows(world, proposal)
        assert line == ["deal", str(deal), f"'{text} lamps", "next step", f"'{text}", f"'{text}2"]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("=+-@\"',;\n\t"), min_size=1, max_size=60))
    def test_any_text_comes_back_as_one_cell(self, csv_world: World, text: str) -> None:
        deal = csv_world.row("deal")
        with csv_world.write("rep") as ctx:
            proposal = propose(ctx, "update_deal", {"id": deal, "next_step": text})
            (_heading, line) = csv.reader(io.StringIO(diff_csv(ctx, proposal)))
        assert len(line) == 6
        assert line[5] in (text, f"'{text}")
        assert line[5][0] not in "=+-@\t\r"

    def test_names_that_the_reader_may_not_see_are_not_in_it(self, world: World, clock: Clock) -> None:
        proposal = proposed(world, clock, step("update_deal", *deals(world, 2), **WAIT))
        change(world, "admin", "reassign", clock(), noun="deal", id=proposal.diff[0]["id"], owner_id=world.users["stranger"])
        lines = self.rows(world, proposal)[1:]
        assert [line[2] for line in lines] == [f"deal {proposal.diff[0]['id']}", "rep deal 1"]


@pytest.fixture(scope="module")
def csv_world(databases: Databases) -> Any:
    """The small company on SQLite, in which nothing is kept."""
    made, filled = databases.copy("sqlite", "world", build_world)
    assert isinstance(filled, World)
    yield filled.on(made, shared=True)
    databases.drop(made)


class TestUndoOfMany:
    def bulk(self, world: World, clock: Clock, many: int = 3) -> tuple[list[int], ChangeSet]:
        made = deals(world, many)
        proposal = proposed(world, clock, step("update_deal", *made, next_step="Wait", source="Trade fair"))
        approved(world, clock, proposal)
        return made, proposal

    def test_where_one_record_changed_since_none_is_taken_back(self, world: World, clock: Clock) -> None:
        made, proposal = self.bulk(world, clock)
        change(world, "manager", "update_deal", clock(), id=made[1], next_step="Write")
        with pytest.raises(Conflict, match=r"next step of rep deal 1 \(Wait then, Write now, by Manfred Oversee\)"):
            undo(world, clock, proposal.id)
        assert next_steps(world, made) == ["Wait", "Write", "Wait"]
        assert status(world, proposal.id) == "applied"

    def test_partly_all_is_taken_back_but_that_field(self, world: World, clock: Clock) -> None:
        made, proposal = self.bulk(world, clock)
        change(world, "manager", "update_deal", clock(), id=made[1], next_step="Write")
        with world.read() as ctx:
            assert set(ctx.session.scalars(select(Deal.source).where(Deal.id.in_(made)))) == {"Trade fair"}
        _, result = undo(world, clock, proposal.id, partly=True)
        assert (result.records, len(result.left)) == (3, 1)
        assert next_steps(world, made) == ["Call", "Write", "Call"]
        with world.read() as ctx:
            assert set(ctx.session.scalars(select(Deal.source).where(Deal.id.in_(made)))) == {None}
        assert status(world, proposal.id) == "applied"

    def test_many_conflicts_are_named_and_the_rest_counted(self, world: World, clock: Clock) -> None:
        made, proposal = self.bulk(world, clock, 8)
        for key in made[:7]:
            change(world, "manager", "update_deal", clock(), id=key, next_step="Write")
        with pytest.raises(Conflict, match="and 2 more") as error:
            undo(world, clock, proposal.id)
        assert len(error.value.details["changed"]) == 7

    def test_a_partial_undo_is_undone(self, world: World, clock: Clock) -> None:
        made, proposal = self.bulk(world, clock)
        change(world, "manager", "update_deal", clock(), id=made[1], next_step="Write")
        before = what_holds(world)
        taken, _ = undo(world, clock, proposal.id, partly=True)
        undo(world, clock, taken)
        assert what_holds(world) == before
        assert (status(world, proposal.id), status(world, taken)) == ("applied", "undone")

    def test_several_changes_are_taken_back_as_one_and_that_is_undone(self, world: World, clock: Clock) -> None:
        start = what_holds(world)
        deal = world.row("deal")
        numbers = [
            apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "77.00"})[0],
            apply(world, clock, "rep", "create_company", {"name": "Pelican Paper"})[0],
            apply(world, clock, "rep", "update_deal", {"id": deal, "amount": "78.00", "next_step": "Wait"})[0],
        ]
        after = what_holds(world)
        taken, result = apply(world, clock, "rep", "undo_change", {"change_set_ids": numbers})
        assert isinstance(result, Undone)
        assert (result.title, result.left) == ("3 changes", [])
        assert what_holds(world) == start
        assert {status(world, number) for number in numbers} == {"undone"}
        again, _ = undo(world, clock, taken)
        assert what_holds(world) == after
        assert [status(world, number) for number in (*numbers, taken, again)] == ["applied"] * 3 + ["undone", "applied"]

    def test_what_is_taken_back_once_more_is_undone_again(self, world: World, clock: Clock) -> None:
        start = what_holds(world)
        number, _ = apply(world, clock, "rep", "update_deal", {"id": world.row("deal"), "amount": "77.00"})
        taken, _ = undo(world, clock, number)
        again, _ = undo(world, clock, taken)
        undo(world, clock, again)
        assert what_holds(world) == start
        assert [status(world, item) for item in (number, taken, again)] == ["undone", "applied", "undone"]

    def test_an_earlier_change_under_a_later_one_is_a_conflict_unless_both_go(self, world: World, clock: Clock) -> None:
        deal = world.row("deal")
        first, second = (apply(world, clock, "rep", "update_deal", {"id": deal, "amount": amount})[0] for amount in ("77.00", "78.00"))
        with pytest.raises(Conflict, match=r"\$77 then, \$78 now"):
            undo(world, clock, first)
        apply(world, clock, "rep", "undo_change", {"change_set_ids": [first, second]})
        with world.read() as ctx:
            assert ctx.session.get_one(Deal, deal).amount_minor == 1_000_00

    def test_an_undo_beside_other_steps_is_one_change_with_them(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "update_deal", {"id": world.row("deal"), "amount": "77.00"})
        before = what_holds(world)
        proposal = proposed(
            world, clock, step("undo_change", change_set_ids=[number]), step("update_company", id=world.row("company"), city="Gullhaven")
        )
        assert proposal.title.startswith("Undo: Update deal: Rep lamps; Update company: ")
        approved(world, clock, proposal)
        assert status(world, number) == "undone"
        undo(world, clock, proposal.id)
        assert what_holds(world) == before
        assert status(world, number) == "applied"


STEPS = st.lists(
    st.sampled_from(("next_step", "amount", "move", "win", "task", "company", "contact", "reassign", "archive", "role", "line", "theirs")),
    min_size=1,
    max_size=6,
)


class TestAnySteps:
    def drawn(self, world: World, names: Sequence[str]) -> list[Step]:
        deal, made = world.row("deal"), []
        for number, name in enumerate(names):
            word = f"{name} {number}"
            made.append(
                {
                    "next_step": step("update_deal", id=deal, next_step=word),
                    "amount": step("update_deal", deal, world.row("deal", "colleague"), amount=str(100 + number)),
                    "move": step("move_deal", id=deal, stage="Haggling" if number % 2 else "Sniff test"),
                    "win": step("win_deal", id=deal),
                    "task": step("add_task", subject=word, deal_id=deal),
                    "company": step("create_company", name=word),
                    "contact": step("update_contact", world.row("contact"), world.row("contact", "stranger"), title=word),
                    "reassign": step("reassign", noun="company", id=world.row("company"), owner_id=world.users["colleague"]),
                    "archive": step("archive_record", noun="ticket", id=world.row("ticket")),
                    "role": step("set_deal_contact", id=deal, contact_id=world.row("contact", "colleague"), role=word),
                    "line": step("add_line_item", id=deal, product_id=world.products["Wick"], quantity=number + 1),
                    "theirs": step("update_deal", id=world.row("deal", "colleague"), **WAIT),
                }[name]
            )
        return made

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(names=STEPS)
    def test_they_are_applied_as_shown_and_taken_back_without_a_trace(self, databases: Databases, names: list[str]) -> None:
        engine, filled = databases.copy("sqlite", "world", build_world)
        assert isinstance(filled, World)
        world, clock = filled.on(engine), Clock()
        try:
            before = what_holds(world)
            try:
                proposal = proposed(world, clock, *self.drawn(world, names))
            except RapportError:
                assert what_holds(world) == before
                return
            assert what_holds(world) == before
            approved(world, clock, proposal)
            after = what_holds(world)
            assert after != before
            taken, result = undo(world, clock, proposal.id)
            assert result.left == []
            assert what_holds(world) == before
            undo(world, clock, taken)
            assert what_holds(world) == after
        finally:
            databases.drop(engine)
