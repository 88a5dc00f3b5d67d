"""The verbs of deals, tickets, leads and tasks over HTTP, and keys that make a creation happen once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.http.doors import House, assert_problem


def new_deal(house: House, part: str = "rep", **fields: Any) -> tuple[str, str]:
    """A new deal: its address and ETag."""
    response = house.door(part).post("/api/deals", json={"name": "Pelican rollout", "amount": "900.00", **fields})
    assert response.status_code == 201, response.text
    return f"/api/deals/{response.json()['id']}", response.headers["etag"]


def do(client: TestClient, path: str, verb: str, etag: str, **arguments: Any) -> httpx.Response:
    """One verb on a record, with the version that was read."""
    return client.post(f"{path}/{verb}", json=arguments, headers={"If-Match": etag})


def etag_of(client: TestClient, path: str) -> str:
    """The record's ETag now."""
    return client.get(path).headers["etag"]


class TestDeals:
    def test_a_deal_moves_to_another_open_stage(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert do(rep, path, "move", etag, stage="Proposal").json()["stage"] == "Proposal"
        assert rep.get(path).json()["stage"] == "Proposal"

    def test_a_move_to_a_stage_of_another_pipeline_names_that_pipeline(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(do(rep, path, "move", etag, stage="Upcoming"), 422, "Renewals", "Negotiation")
        assert rep.get(path).json()["stage"] == "Qualification"

    def test_a_move_into_a_closing_stage_is_refused(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(do(rep, path, "move", etag, stage="Closed Won"), 422, "win it")
        assert rep.get(path).json()["status"] == "open"

    def test_a_won_deal_stands_in_the_won_stage_and_in_the_figures(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        question = {"metric": "won_deals"}
        before = int(rep.post("/api/metrics/ask", json=question).json()["value"])
        won = do(rep, path, "win", etag).json()
        assert (won["status"], won["stage"]) == ("won", "Closed Won")
        assert won["closed_on"] is not None
        assert int(rep.post("/api/metrics/ask", json=question).json()["value"]) == before + 1

    def test_a_verb_is_one_event_of_one_version(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert do(rep, path, "win", etag).json()["version"] == 2
        assert house.count("event", f"noun = 'deal' AND record_id = {path.rsplit('/', 1)[1]} AND kind = 'updated'") == 1

    def test_a_deal_is_not_won_in_the_future(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(do(rep, path, "win", etag, closed_on="2999-01-01"), 422, "still to come")

    def test_a_deal_is_lost_with_a_reason_of_the_company(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(do(rep, path, "lose", etag), 422, "reason")
        assert_problem(do(rep, path, "lose", etag, reason="Moon phase"), 422, "Moon phase", "Price")
        lost = do(rep, path, "lose", etag, reason="Price").json()
        assert (lost["status"], lost["stage"], lost["loss_reason"]) == ("lost", "Closed Lost", "Price")

    def test_a_closed_deal_is_neither_moved_nor_closed_again_until_it_is_reopened(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        do(rep, path, "win", etag)
        etag = etag_of(rep, path)
        assert_problem(do(rep, path, "win", etag), 422, "won already")
        assert_problem(do(rep, path, "lose", etag, reason="Price"), 422, "won already")
        assert_problem(do(rep, path, "move", etag, stage="Demo"), 422, "reopen")
        again = do(rep, path, "reopen", etag, stage="Demo").json()
        assert (again["status"], again["stage"], again["closed_on"]) == ("open", "Demo", None)
        assert_problem(do(rep, path, "reopen", etag_of(rep, path)), 422, "open already")

    @pytest.mark.parametrize(("verb", "arguments"), [("move", {"stage": "Demo"}), ("win", {}), ("lose", {"reason": "Price"})])
    def test_a_verb_needs_the_version_that_was_read(self, house: House, verb: str, arguments: dict[str, str]) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(rep.post(f"{path}/{verb}", json=arguments), 428)
        rep.patch(path, json={"next_step": "Send paper"}, headers={"If-Match": etag})
        assert_problem(do(rep, path, verb, etag, **arguments), 412, "next_step")
        assert (rep.get(path).json()["stage"], rep.get(path).json()["status"]) == ("Qualification", "open")

    @pytest.mark.parametrize(("verb", "arguments"), [("move", {"stage": "Demo"}), ("win", {}), ("lose", {"reason": "Price"})])
    def test_only_the_owner_or_a_manager_runs_a_verb(self, house: House, verb: str, arguments: dict[str, str]) -> None:
        path, etag = new_deal(house, "colleague")
        assert_problem(do(house.door("rep"), path, verb, etag, **arguments), 403)
        assert_problem(do(house.door("readonly"), path, verb, etag, **arguments), 403)
        assert_problem(do(house.door("stranger"), path, verb, etag, **arguments), 404)
        assert house.door("colleague").get(path).headers["etag"] == etag
        assert do(house.door("manager"), path, verb, etag, **arguments).status_code == 200

    def test_a_contact_gets_a_role_and_a_product_a_line(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        contact = house.row("contacts", "rep")
        with_contact = do(rep, path, "contacts", etag, contact_id=contact, role="champion").json()
        assert [(item["contact_id"], item["role"]) for item in with_contact["contacts"]] == [(contact, "champion")]
        price = house.value("SELECT amount_minor FROM price WHERE product_id = 1 AND currency = 'USD'")
        with_line = do(rep, path, "line-items", etag_of(rep, path), product_id=1, quantity=3).json()
        assert [(item["product_id"], item["quantity"], item["total"]) for item in with_line["line_items"]] == [(1, 3, f"{price * 3 / 100:.2f}")]

    def test_a_line_of_nothing_is_refused(self, house: House) -> None:
        rep, (path, etag) = house.door("rep"), new_deal(house)
        assert_problem(do(rep, path, "line-items", etag, product_id=1, quantity=0), 422, "quantity")
        assert_problem(do(rep, path, "line-items", etag, product_id=999999, quantity=1), 404, "product")


class TestTickets:
    def test_a_ticket_is_answered_once_and_resolved_once(self, house: House) -> None:
        supporter = house.door("supporter")
        made = supporter.post("/api/tickets", json={"subject": "Pelican cannot print"})
        path = f"/api/tickets/{made.json()['id']}"
        assert do(supporter, path, "answer", made.headers["etag"]).json()["first_response_at"] is not None
        assert_problem(do(supporter, path, "answer", etag_of(supporter, path)), 422, "answered already")
        resolved = do(supporter, path, "resolve", etag_of(supporter, path)).json()
        assert (resolved["status"], resolved["resolved_at"] is not None) == ("Resolved", True)
        assert_problem(do(supporter, path, "resolve", etag_of(supporter, path)), 422, "resolved already")

    def test_a_ticket_reopens_with_an_open_status(self, house: House) -> None:
        supporter = house.door("supporter")
        made = supporter.post("/api/tickets", json={"subject": "Pelican cannot print"})
        path = f"/api/tickets/{made.json()['id']}"
        do(supporter, path, "resolve", made.headers["etag"])
        reopened = supporter.patch(path, json={"status": "In progress"}, headers={"If-Match": etag_of(supporter, path)}).json()
        assert (reopened["status"], reopened["resolved_at"]) == ("In progress", None)

    def test_a_rep_of_another_team_does_not_resolve_it(self, house: House) -> None:
        made = house.door("supporter").post("/api/tickets", json={"subject": "Pelican cannot print"})
        path = f"/api/tickets/{made.json()['id']}"
        assert_problem(do(house.door("rep"), path, "resolve", made.headers["etag"]), 404)
        assert_problem(do(house.door("other_supporter"), path, "resolve", made.headers["etag"]), 403)
        assert house.door("supporter").get(path).json() == made.json()


class TestLeads:
    def test_a_lead_becomes_a_contact_a_company_and_a_deal_once(self, house: House) -> None:
        rep = house.door("rep")
        made = rep.post("/api/leads", json={"name": "Lorenz Gull", "company_name": "Gull Glass", "email": "lorenz@gullglass.example"})
        path = f"/api/leads/{made.json()['id']}"
        result = do(rep, path, "convert", made.headers["etag"], deal_name="Gull windows", amount="1200").json()
        assert rep.get(f"/api/contacts/{result['contact_id']}").json()["email"] == "lorenz@gullglass.example"
        assert rep.get(f"/api/companies/{result['company_id']}").json()["name"] == "Gull Glass"
        assert rep.get(f"/api/deals/{result['deal_id']}").json()["amount"] == "1200.00"
        lead = rep.get(path).json()
        assert (lead["status"], lead["contact_id"], lead["deal_id"]) == ("Converted", result["contact_id"], result["deal_id"])
        before = (house.count("contact"), house.count("company"), house.count("deal"))
        assert_problem(do(rep, path, "convert", etag_of(rep, path)), 422, "converted already")
        assert (house.count("contact"), house.count("company"), house.count("deal")) == before

    def test_a_conversion_that_fails_half_way_leaves_nothing(self, house: House) -> None:
        rep = house.door("rep")
        made = rep.post("/api/leads", json={"name": "Lorenz Gull", "company_name": "Gull Glass"})
        before = (house.count("contact"), house.count("company"), house.count("deal"))
        response = do(rep, f"/api/leads/{made.json()['id']}", "convert", made.headers["etag"], deal_name="Gull windows", amount="-5")
        assert_problem(response, 422, "negative")
        assert (house.count("contact"), house.count("company"), house.count("deal")) == before

    def test_a_hidden_lead_is_not_converted(self, house: House) -> None:
        hidden = house.row("leads", "stranger", "converted_at IS NULL")
        assert_problem(do(house.door("rep"), f"/api/leads/{hidden}", "convert", '"1"'), 404)


class TestTasks:
    def test_a_task_is_completed_once(self, house: House) -> None:
        rep = house.door("rep")
        made = rep.post("/api/tasks", json={"subject": "Send paper", "due_on": "2026-12-01"})
        assert (made.status_code, made.json()["kind"], made.json()["completed_at"]) == (201, "task", None)
        path = f"/api/tasks/{made.json()['id']}"
        assert do(rep, path, "complete", made.headers["etag"], outcome="Connected").json()["completed_at"] is not None
        etag = etag_of(rep, f"/api/activities/{made.json()['id']}")
        assert_problem(do(rep, path, "complete", etag), 422, "completed already")

    def test_a_call_cannot_be_completed(self, house: House) -> None:
        rep = house.door("rep")
        made = rep.post("/api/activities", json={"kind": "call", "subject": "Talked paper"})
        assert_problem(do(rep, f"/api/tasks/{made.json()['id']}", "complete", made.headers["etag"]), 422, "not a task")

    def test_an_activity_still_to_come_is_not_logged(self, house: House) -> None:
        body = {"kind": "call", "subject": "Tomorrow's call", "occurred_at": "2999-01-01T10:00:00Z"}
        assert_problem(house.door("rep").post("/api/activities", json=body), 422, "still to come")

    def test_an_activity_takes_its_company_from_its_deal(self, house: House) -> None:
        deal = house.row("deals", "rep")
        made = house.door("rep").post("/api/activities", json={"kind": "note", "subject": "Paper", "deal_id": deal}).json()
        assert made["company_id"] == house.value(f"SELECT company_id FROM deal WHERE id = {deal}")


class TestProductPrices:
    def test_an_administrator_sets_a_price_and_a_rep_does_not(self, house: House) -> None:
        admin = house.door("admin")
        etag = etag_of(admin, "/api/products/1")
        arguments = {"amount": "99.90", "currency": "EUR", "valid_from": "2027-01-01"}
        assert_problem(do(house.door("rep"), "/api/products/1", "prices", etag, **arguments), 403)
        prices = do(admin, "/api/products/1", "prices", etag, **arguments).json()["prices"]
        assert {"currency": "EUR", "amount": "99.90", "valid_from": "2027-01-01"} in prices


def together(number: int, action: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Run the same request several times at once."""
    barrier = Barrier(number)

    def run(_place: int) -> httpx.Response:
        barrier.wait(timeout=20)
        return action()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


class TestIdempotencyKey:
    BODY = {"name": "Pelican Paper"}

    def post(
        self, house: House, key: str | None, body: dict[str, Any] | None = None, part: str = "rep", path: str = "/api/companies"
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return house.door(part).post(path, json=body or self.BODY, headers=headers)

    def test_the_same_key_and_body_have_one_effect_and_one_answer(self, house: House) -> None:
        before = house.count("company")
        first, second = self.post(house, "k1"), self.post(house, "k1")
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.headers["etag"] == second.headers["etag"]
        assert house.count("company") == before + 1

    def test_the_same_key_with_another_body_is_refused(self, house: House) -> None:
        before = house.count("company")
        self.post(house, "k1")
        assert_problem(self.post(house, "k1", {"name": "Heron Paper"}), 409, "Idempotency-Key")
        assert house.count("company") == before + 1

    def test_the_same_key_at_another_address_is_refused(self, house: House) -> None:
        self.post(house, "k1")
        before = house.count("contact")
        assert_problem(self.post(house, "k1", path="/api/contacts"), 409)
        assert house.count("contact") == before

    def test_without_a_key_each_request_has_its_effect(self, house: House) -> None:
        before = house.count("company")
        first, second = self.post(house, None), self.post(house, None)
        assert first.json()["id"] != second.json()["id"]
        assert house.count("company") == before + 2

    def test_another_persons_same_key_is_another_key(self, house: House) -> None:
        mine, theirs = self.post(house, "k1"), self.post(house, "k1", part="colleague")
        assert mine.json()["id"] != theirs.json()["id"]
        assert theirs.json()["owner_id"] == house.people["colleague"]

    def test_a_refused_creation_does_not_use_its_key_up(self, house: House) -> None:
        assert_problem(self.post(house, "k1", {"name": "Pelican", "industry": "Moon mining"}), 422)
        assert self.post(house, "k1").status_code == 201

    def test_every_noun_takes_a_key(self, house: House) -> None:
        bodies = {
            "companies": ("rep", {"name": "A"}),
            "contacts": ("rep", {"name": "A"}),
            "leads": ("rep", {"name": "A"}),
            "deals": ("rep", {"name": "A"}),
            "tickets": ("rep", {"subject": "A"}),
            "activities": ("rep", {"kind": "note", "subject": "A"}),
            "tasks": ("rep", {"subject": "A"}),
            "products": ("admin", {"name": "A"}),
            "users": ("admin", {"name": "A", "email": "a@lumenway.example"}),
        }
        for place, (path, (part, body)) in enumerate(bodies.items()):
            first, second = (self.post(house, f"k{place}", body, part, f"/api/{path}") for _ in range(2))
            assert (first.status_code, second.status_code) == (201, 201), second.text
            assert first.json() == second.json()

    def test_two_requests_at_once_with_the_same_key_have_one_effect(self, house: House) -> None:
        before = house.count("company")
        responses = together(2, lambda: self.post(house, "k1"))
        assert [response.status_code for response in responses] == [201, 201]
        assert responses[0].json()["id"] == responses[1].json()["id"]
        assert house.count("company") == before + 1

    def test_two_changes_at_once_of_the_same_version_have_one_effect(self, house: House) -> None:
        path, etag = new_deal(house)
        responses = together(2, lambda: do(house.door("rep"), path, "win", etag))
        assert sorted(response.status_code for response in responses) == [200, 412]
        won = f"deal_id = {path.rsplit('/', 1)[1]} AND stage_id IN (SELECT id FROM stage WHERE kind = 'won')"
        assert house.count("stage_entry", won) == 1
