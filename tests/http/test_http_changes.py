"""Proposed changes over HTTP: seen, approved once and only as shown, refused, and nobody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from crm_core.changes import EXPIRES_MINUTES, propose
from crm_core.context import unit_of_work
from tests.http.doors import House, assert_problem


def proposed(house: House, part: str, capability: str, arguments: dict[str, Any], *, at: datetime | None = None) -> dict[str, Any]:
    """A proposal as the agent makes one for this person: its number and hash."""
    with unit_of_work(house.engine, house.people[part], write=True, door="agent", now=at) as ctx:
        proposal = propose(ctx, capability, arguments, message="change it, please")
        return {"id": proposal.id, "diff_hash": proposal.diff_hash}


def new_deal(house: House, part: str = "rep") -> int:
    """A new open deal of that person."""
    response = house.door(part).post("/api/deals", json={"name": "Pelican rollout", "amount": "900.00", "next_step": "Call"})
    return int(response.json()["id"])


def amount(house: House, deal: int) -> str:
    """The deal's amount now."""
    return str(house.door("admin").get(f"/api/deals/{deal}").json()["amount"])


class TestSee:
    def test_a_proposal_changes_nothing_and_is_listed_with_its_diff(self, house: House) -> None:
        deal = new_deal(house)
        before = house.door("rep").get(f"/api/deals/{deal}").json()
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        assert house.door("rep").get(f"/api/deals/{deal}").json() == before
        (listed,) = house.door("rep").get("/api/changes").json()
        assert (listed["id"], listed["status"], listed["capability"]) == (proposal["id"], "proposed", "update_deal")
        assert listed["diff_hash"] == proposal["diff_hash"]
        assert listed["diff"] == [{"noun": "deal", "id": deal, "field": "amount_minor", "old": 90_000, "new": 120_000, "created": False}]
        assert house.door("rep").get(f"/api/changes/{proposal['id']}").json() == listed

    def test_somebody_elses_proposal_is_not_found_and_not_listed(self, house: House) -> None:
        proposal = proposed(house, "rep", "update_deal", {"id": new_deal(house), "amount": "1200.00"})
        for part in ("colleague", "stranger", "readonly"):
            client = house.door(part)
            assert client.get("/api/changes").json() == []
            assert_problem(client.get(f"/api/changes/{proposal['id']}"), 404)
            assert_problem(client.post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]}), 404)
            assert_problem(client.post(f"/api/changes/{proposal['id']}/refuse"), 404)
        assert house.value("SELECT status FROM change_set") == "proposed"

    def test_an_unknown_proposal_is_not_found(self, shared_house: House) -> None:
        assert_problem(shared_house.door("rep").get("/api/changes/999999"), 404)


class TestApprove:
    def approve(self, house: House, part: str, proposal: dict[str, Any], shown: str | None = None) -> Any:
        return house.door(part).post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": shown or proposal["diff_hash"]})

    def test_the_shown_change_is_applied_and_its_events_name_it(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        response = self.approve(house, "rep", proposal)
        assert response.status_code == 200
        assert response.json()["amount"] == "1200.00"
        assert amount(house, deal) == "1200.00"
        assert house.door("rep").get(f"/api/changes/{proposal['id']}").json()["status"] == "applied"
        assert house.value("SELECT change_set_id FROM event ORDER BY id DESC LIMIT 1") == proposal["id"]

    def test_another_hash_applies_nothing(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        assert_problem(self.approve(house, "rep", proposal, "0" * 64), 409, "another preview")
        assert amount(house, deal) == "900.00"
        assert self.approve(house, "rep", proposal).status_code == 200

    @pytest.mark.parametrize("shown", ["", "abc", "0" * 65, None])
    def test_a_hash_that_is_none_is_refused(self, house: House, shown: str | None) -> None:
        proposal = proposed(house, "rep", "update_deal", {"id": new_deal(house), "amount": "1200.00"})
        assert_problem(house.door("rep").post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": shown}), 422, "diff_hash")

    def test_a_second_approval_does_nothing_again(self, house: House) -> None:
        deal = house.row("deals", "rep")
        before = house.count("activity")
        proposal = proposed(house, "rep", "add_task", {"subject": "Send paper", "deal_id": deal})
        assert self.approve(house, "rep", proposal).status_code == 200
        assert_problem(self.approve(house, "rep", proposal), 409, "already")
        assert house.count("activity") == before + 1

    def test_two_approvals_at_once_apply_it_once(self, house: House) -> None:
        before = house.count("company")
        proposal = proposed(house, "rep", "create_company", {"name": "Pelican Paper"})
        barrier = Barrier(2)

        def run(_place: int) -> int:
            barrier.wait(timeout=20)
            return int(self.approve(house, "rep", proposal).status_code)

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(run, range(2))) == [200, 409]
        assert house.count("company") == before + 1

    def test_an_expired_proposal_is_not_applied(self, house: House) -> None:
        deal = new_deal(house)
        long_ago = datetime.now(UTC) - timedelta(minutes=EXPIRES_MINUTES + 1)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"}, at=long_ago)
        assert_problem(self.approve(house, "rep", proposal), 409, "expired")
        assert amount(house, deal) == "900.00"

    def test_a_proposal_about_a_record_that_moved_meanwhile_is_not_applied(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        etag = house.door("rep").get(f"/api/deals/{deal}").headers["etag"]
        house.door("rep").patch(f"/api/deals/{deal}", json={"amount": "950.00"}, headers={"If-Match": etag})
        assert_problem(self.approve(house, "rep", proposal), 409, "changed")
        assert amount(house, deal) == "950.00"
        assert house.value("SELECT status FROM change_set") != "applied"

    def test_a_proposal_bound_to_a_version_is_not_applied_to_a_later_one(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "version": 1, "amount": "1200.00"})
        house.door("rep").patch(f"/api/deals/{deal}", json={"next_step": "Wait"}, headers={"If-Match": '"1"'})
        assert_problem(self.approve(house, "rep", proposal), 409, "next_step")
        assert amount(house, deal) == "900.00"

    def test_a_proposal_about_an_archived_record_is_not_applied(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        house.door("rep").delete(f"/api/deals/{deal}", headers={"If-Match": '"1"'})
        assert_problem(self.approve(house, "rep", proposal), 404)
        assert house.value("SELECT amount_minor FROM deal ORDER BY id DESC LIMIT 1") == 90_000

    def test_a_right_that_was_taken_away_meanwhile_counts(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        user = house.door("admin").get(f"/api/users/{house.people['rep']}")
        house.door("admin").patch(f"/api/users/{house.people['rep']}", json={"role": "readonly"}, headers={"If-Match": user.headers["etag"]})
        assert_problem(self.approve(house, "rep", proposal), 403)
        assert amount(house, deal) == "900.00"

    def test_a_manager_sees_a_reps_proposal_but_does_not_approve_it(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        assert house.door("manager").get(f"/api/changes/{proposal['id']}").status_code == 200
        assert_problem(self.approve(house, "manager", proposal), 403, "person who asked")
        assert amount(house, deal) == "900.00"

    def test_administration_needs_a_second_person(self, house: House) -> None:
        proposal = proposed(house, "admin", "create_product", {"name": "Pelican Feed"})
        assert_problem(self.approve(house, "admin", proposal), 403, "second person")
        assert house.count("product", "name = 'Pelican Feed'") == 0


class TestRefuse:
    def test_a_refused_proposal_is_not_applied_later(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        rep = house.door("rep")
        assert rep.post(f"/api/changes/{proposal['id']}/refuse").status_code == 204
        assert rep.get(f"/api/changes/{proposal['id']}").json()["status"] == "refused"
        assert_problem(rep.post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]}), 409)
        assert_problem(rep.post(f"/api/changes/{proposal['id']}/refuse"), 409, "already")
        assert amount(house, deal) == "900.00"

    def test_an_administrator_may_refuse_and_a_manager_may_not(self, house: House) -> None:
        proposal = proposed(house, "rep", "update_deal", {"id": new_deal(house), "amount": "1200.00"})
        assert_problem(house.door("manager").post(f"/api/changes/{proposal['id']}/refuse"), 403)
        assert house.door("admin").post(f"/api/changes/{proposal['id']}/refuse").status_code == 204


class TestMovedMeanwhile:
    def test_the_change_is_offered_anew_against_what_is_there_now(self, house: House) -> None:
        deal = new_deal(house)
        rep = house.door("rep")
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        rep.patch(f"/api/deals/{deal}", json={"amount": "950.00"}, headers={"If-Match": '"1"'})
        response = rep.post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]})
        assert_problem(response, 409, "changed")
        fresh = response.json()["details"]["fresh"]
        assert [(item["title"], item["old"], item["new"]) for item in fresh["changes"]] == [("amount", "$950", "$1,200")]
        assert rep.get(f"/api/changes/{proposal['id']}").json()["status"] == "conflict"
        assert rep.post(f"/api/changes/{fresh['change_set_id']}/approve", json={"diff_hash": fresh["diff_hash"]}).status_code == 200
        assert amount(house, deal) == "1200.00"

    def test_what_makes_no_sense_any_more_is_not_offered(self, house: House) -> None:
        deal = new_deal(house)
        rep = house.door("rep")
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        rep.patch(f"/api/deals/{deal}", json={"amount": "1200.00"}, headers={"If-Match": '"1"'})
        response = rep.post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]})
        assert_problem(response, 409)
        assert "fresh" not in response.json()["details"]


class TestUndo:
    def applied(self, house: House, deal: int) -> int:
        proposal = proposed(house, "rep", "update_deal", {"id": deal, "amount": "1200.00"})
        response = house.door("rep").post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]})
        assert response.status_code == 200
        return int(proposal["id"])

    def test_it_is_proposed_and_then_applied_like_any_change(self, house: House) -> None:
        deal, rep = new_deal(house), house.door("rep")
        number = self.applied(house, deal)
        response = rep.post(f"/api/changes/{number}/undo", json={})
        assert response.status_code == 201
        inverse = response.json()
        assert inverse["title"] == "Undo: Update deal: Pelican rollout"
        assert [(item["record"], item["title"], item["old"], item["new"]) for item in inverse["changes"]] == [
            ("Pelican rollout", "amount", "$1,200", "$900")
        ]
        assert amount(house, deal) == "1200.00"
        assert rep.post(f"/api/changes/{inverse['id']}/approve", json={"diff_hash": inverse["diff_hash"]}).status_code == 200
        assert amount(house, deal) == "900.00"
        assert rep.get(f"/api/changes/{number}").json()["status"] == "undone"
        assert [item["id"] for item in rep.get("/api/changes", params={"status": "undone"}).json()] == [number]

    def test_what_changed_since_is_a_conflict_that_says_with_what(self, house: House) -> None:
        deal, rep = new_deal(house), house.door("rep")
        number = self.applied(house, deal)
        etag = rep.get(f"/api/deals/{deal}").headers["etag"]
        rep.patch(f"/api/deals/{deal}", json={"amount": "1300.00"}, headers={"If-Match": etag})
        assert_problem(rep.post(f"/api/changes/{number}/undo", json={}), 409, "$1,200 then, $1,300 now")
        assert amount(house, deal) == "1300.00"

    def test_nobody_else_may(self, house: House) -> None:
        number = self.applied(house, new_deal(house))
        for part in ("colleague", "stranger", "readonly"):
            assert_problem(house.door(part).post(f"/api/changes/{number}/undo", json={}), 404)

    def test_a_double_click_has_one_effect(self, house: House) -> None:
        deal, rep = new_deal(house), house.door("rep")
        number = self.applied(house, deal)
        first, second = (rep.post(f"/api/changes/{number}/undo", json={}).json() for _ in range(2))
        assert rep.post(f"/api/changes/{first['id']}/approve", json={"diff_hash": first["diff_hash"]}).status_code == 200
        assert_problem(rep.post(f"/api/changes/{second['id']}/approve", json={"diff_hash": second["diff_hash"]}), 409)
        assert amount(house, deal) == "900.00"
