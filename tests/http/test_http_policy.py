"""The policy, edits of proposals and the whole list of a change over HTTP: what each door gives, and the problem that it tells otherwise."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from crm_core.changes import Step, propose_steps
from crm_core.context import unit_of_work
from crm_core.policy import LONGEST, shipped_text
from tests.http.doors import House, assert_problem

ELSE = '{then: ask, because: "All else asks."}'
STRICT = '{then: second, nouns: [deal], because: "Deals need a second person."}'


def text_of(*rules: str) -> str:
    """A policy of these rules above one that asks for all else."""
    return "rules:\n" + "".join(f"  - {rule}\n" for rule in (*rules, ELSE))


def new_deal(house: House, part: str = "rep", **fields: Any) -> int:
    """A new open deal of that person."""
    response = house.door(part).post("/api/deals", json={"name": "Pelican rollout", "amount": "900.00", "next_step": "Call"} | fields)
    return int(response.json()["id"])


def proposed(house: House, part: str, *steps: Step) -> dict[str, Any]:
    """A proposal as the agent makes one for this person, as the door shows it."""
    with unit_of_work(house.engine, house.people[part], write=True, door="agent") as ctx:
        number = propose_steps(ctx, steps, message="do it, please").id
    found: dict[str, Any] = house.door(part).get(f"/api/changes/{number}").json()
    return found


def update(deal: int, **arguments: Any) -> Step:
    """A step that changes a deal."""
    return Step(capability="update_deal", arguments={"id": deal, **arguments})


def approve(house: House, part: str, proposal: dict[str, Any]) -> Any:
    """The answer to a yes."""
    return house.door(part).post(f"/api/changes/{proposal['id']}/approve", json={"diff_hash": proposal["diff_hash"]})


def the_deal(house: House, deal: int) -> tuple[str, str]:
    """A deal's amount and next step."""
    body = house.door("admin").get(f"/api/deals/{deal}").json()
    return body["amount"], body["next_step"]


class TestReadPolicy:
    @pytest.mark.parametrize("part", ["admin", "manager", "rep", "readonly", "stranger"])
    def test_anybody_reads_the_shipped_one_while_no_other_was_set(self, shared_house: House, part: str) -> None:
        response = shared_house.door(part).get("/api/policy")
        assert response.status_code == 200
        assert response.json() == {"version": 0, "text": shipped_text(), "set_by": None, "set_at": None}

    @pytest.mark.parametrize(("method", "path"), [("GET", "/api/policy"), ("PUT", "/api/policy"), ("GET", "/api/policy/earned")])
    def test_nobody_without_a_key_does(self, shared_house: House, method: str, path: str) -> None:
        assert_problem(shared_house.anonymous().request(method, path, json={"text": text_of()} if method == "PUT" else None), 401)


class TestSetPolicy:
    def test_an_administrator_puts_another_in_its_place_and_everybody_reads_that(self, house: House) -> None:
        response = house.door("admin").put("/api/policy", json={"text": text_of(STRICT)})
        assert response.status_code == 200
        view = response.json()
        name = house.value("SELECT name FROM user_account WHERE id = :id", id=house.people["admin"])
        assert (view["version"], view["text"], view["set_by"]) == (1, text_of(STRICT), name)
        assert view["set_at"]
        assert house.door("rep").get("/api/policy").json() == view
        assert house.door("admin").put("/api/policy", json={"text": shipped_text()}).json()["version"] == 2
        assert [row[0] for row in house.sql("SELECT text FROM policy ORDER BY id")] == [text_of(STRICT), shipped_text()]

    @pytest.mark.parametrize("part", ["manager", "rep", "readonly", "stranger"])
    def test_nobody_else_does(self, shared_house: House, part: str) -> None:
        assert_problem(shared_house.door(part).put("/api/policy", json={"text": text_of(STRICT)}), 403, "administrator")
        assert shared_house.count("policy") == 0

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", ["the policy cannot be used", "the file"]),
            ("rules: [", ["not valid YAML"]),
            ("rules: []", ["cannot be used"]),
            (text_of("{then: allow, because: Because so.}"), ["rule 1", "then", "forbid"]),
            (text_of(ELSE, "{then: ask}"), ["rule 2", "because"]),
            (text_of("{then: ask, because: Because so., verbs: [drop_deal]}"), ["Rule 1", "drop_deal", "update_deal"]),
            (text_of("{then: ask, because: Because so., nouns: [deals]}"), ["Rule 1", "'deals'", "company"]),
            ("rules: [{then: ask, because: Because so., own: true}]", ["last rule must fit every change"]),
            (shipped_text(), ["holds already"]),
        ],
    )
    def test_one_that_cannot_be_used_is_a_problem_that_says_why(self, shared_house: House, text: str, words: list[str]) -> None:
        assert_problem(shared_house.door("admin").put("/api/policy", json={"text": text}), 422, *words)
        assert shared_house.count("policy") == 0

    @pytest.mark.parametrize("text", ["rules: 2026-13-45", "rules: !!int x", "rules: !!bool x", "[" * 20_000])
    def test_one_that_no_reader_of_yaml_can_read_is_a_problem_too(self, shared_house: House, text: str) -> None:
        assert_problem(shared_house.door("admin").put("/api/policy", json={"text": text}), 422)

    @pytest.mark.parametrize("body", [{}, {"text": None}, {"text": 7}, {"text": ["rules"]}, {"text": "#" * (LONGEST + 1)}, [], "rules"])
    def test_a_body_that_holds_no_text_is_a_problem(self, shared_house: House, body: Any) -> None:
        assert_problem(shared_house.door("admin").put("/api/policy", json=body), 422)

    def test_what_is_no_json_is_a_problem(self, shared_house: House) -> None:
        response = shared_house.door("admin").put("/api/policy", content=text_of(STRICT), headers={"Content-Type": "application/json"})
        assert_problem(response, 422)

    def test_a_proposal_under_the_looser_one_is_shown_anew_to_its_approver(self, house: House) -> None:
        deal = new_deal(house)
        old = proposed(house, "rep", update(deal, next_step="Wait"))
        house.door("admin").put("/api/policy", json={"text": text_of(STRICT)})
        body = assert_problem(approve(house, "rep", old), 409, "policy asks for more")
        assert the_deal(house, deal) == ("900.00", "Call")
        fresh = body["details"]["fresh"]
        assert (fresh["risk"], fresh["rule"]) == ("second", "Deals need a second person.")
        seen = house.door("manager").get(f"/api/changes/{fresh['change_set_id']}").json()
        assert_problem(approve(house, "rep", seen), 403, "second person")
        assert approve(house, "manager", seen).status_code == 200
        assert the_deal(house, deal) == ("900.00", "Wait")

    def test_what_it_forbids_is_not_applied_any_more(self, house: House) -> None:
        deal = new_deal(house)
        old = proposed(house, "rep", update(deal, next_step="Wait"))
        house.door("admin").put("/api/policy", json={"text": text_of('{then: forbid, nouns: [deal], because: "Deals are frozen in August."}')})
        assert_problem(approve(house, "rep", old), 403, "Deals are frozen in August")
        assert the_deal(house, deal) == ("900.00", "Call")

    def test_an_undo_asks_it_too(self, house: House) -> None:
        done = proposed(house, "rep", update(new_deal(house), next_step="Wait"))
        assert approve(house, "rep", done).status_code == 200
        house.door("admin").put("/api/policy", json={"text": text_of(STRICT)})
        inverse = house.door("rep").post(f"/api/changes/{done['id']}/undo", json={}).json()
        assert (inverse["risk"], inverse["rule"]) == ("second", "Deals need a second person.")


class TestEarned:
    def test_it_tells_by_person_and_verb_what_became_of_proposals(self, house: House) -> None:
        deal, rep = new_deal(house), house.door("rep")
        for word in ("A", "B"):
            assert approve(house, "rep", proposed(house, "rep", update(deal, next_step=word))).status_code == 200
        rep.post(f"/api/changes/{proposed(house, 'rep', update(deal, next_step='C'))['id']}/refuse")
        rep.post(f"/api/changes/{proposed(house, 'rep', update(deal, next_step='D'))['id']}/edit", json={"arguments": [{"next_step": "E"}]})
        (found,) = rep.get("/api/policy/earned").json()
        name = house.value("SELECT name FROM user_account WHERE id = :id", id=house.people["rep"])
        assert found == {
            "user_id": house.people["rep"],
            "user": name,
            "verb": "update_deal",
            "accepted": 2,
            "edited": 1,
            "refused": 1,
            "undone": 0,
            "suggestion": "",
            "rule": "",
        }

    def test_what_it_suggests_can_be_set_and_then_applies(self, house: House) -> None:
        deal = new_deal(house)
        for number in range(35):
            assert approve(house, "rep", proposed(house, "rep", update(deal, next_step=f"Step {number}"))).status_code == 200
        (found,) = house.door("admin").get("/api/policy/earned").json()
        assert found["suggestion"].startswith("35 of 35 stood as proposed")
        assert proposed(house, "rep", update(deal, next_step="Wait"))["risk"] == "low"
        text = shipped_text().replace("rules:\n", f"rules:\n  {found['rule']}\n", 1)
        assert house.door("admin").put("/api/policy", json={"text": text}).status_code == 200
        assert proposed(house, "rep", update(deal, next_step="Wait"))["risk"] == "none"

    def test_others_see_it_where_they_may_see_the_changes(self, house: House) -> None:
        assert approve(house, "rep", proposed(house, "rep", update(new_deal(house), next_step="Wait"))).status_code == 200
        seen = {
            part: len(house.door(part).get("/api/policy/earned").json()) for part in ("admin", "manager", "rep", "colleague", "stranger", "readonly")
        }
        assert seen == {"admin": 1, "manager": 1, "rep": 1, "colleague": 0, "stranger": 0, "readonly": 0}


class TestEdit:
    def edit(self, house: House, part: str, number: int, *arguments: dict[str, Any]) -> Any:
        return house.door(part).post(f"/api/changes/{number}/edit", json={"arguments": list(arguments)})

    def test_another_proposal_stands_in_its_place(self, house: House) -> None:
        deal = new_deal(house)
        first = proposed(house, "rep", update(deal, amount="1200.00", next_step="Wait"))
        response = self.edit(house, "rep", first["id"], {"amount": "1300.50"})
        assert response.status_code == 201
        second = response.json()
        assert (second["status"], second["replaces_id"], second["message"]) == ("proposed", first["id"], "do it, please")
        assert {item["field"]: item["new"] for item in second["diff"]} == {"amount_minor": 130_050, "next_step": "Wait"}
        assert second["steps"] == [{"capability": "update_deal", "arguments": {"id": deal, "amount": "1300.50", "next_step": "Wait"}, "ids": []}]
        assert house.door("rep").get(f"/api/changes/{first['id']}").json()["status"] == "replaced"
        assert [item["id"] for item in house.door("rep").get("/api/changes", params={"status": "replaced"}).json()] == [first["id"]]
        assert_problem(approve(house, "rep", first), 409, "already")
        assert the_deal(house, deal) == ("900.00", "Call")
        assert approve(house, "rep", second).status_code == 200
        assert the_deal(house, deal) == ("1300.50", "Wait")

    def test_each_step_has_arguments_of_its_own(self, house: House) -> None:
        made = [new_deal(house), new_deal(house)]
        task = Step(capability="add_task", arguments={"subject": "Send paper"})
        first = proposed(house, "rep", Step(capability="update_deal", arguments={"next_step": "Wait"}, ids=made), task)
        second = self.edit(house, "rep", first["id"], {}, {"subject": "Send ink"}).json()
        assert [(item["capability"], item["arguments"], item["ids"]) for item in second["steps"]] == [
            ("update_deal", {"next_step": "Wait"}, made),
            ("add_task", {"subject": "Send ink"}, []),
        ]
        assert approve(house, "rep", second).json()["records"] == 3
        assert {the_deal(house, deal)[1] for deal in made} == {"Wait"}

    def test_a_proposal_that_leaves_something_out_can_be_edited_and_applied(self, house: House) -> None:
        deal, theirs = new_deal(house), new_deal(house, "colleague")
        first = proposed(house, "rep", update(deal, next_step="Wait"), update(theirs, next_step="Wait"))
        assert len(first["left_out"]) == 1
        assert [item["arguments"] for item in first["steps"]] == [{"id": deal, "next_step": "Wait"}]
        second = self.edit(house, "rep", first["id"], {"next_step": "Write"})
        assert second.status_code == 201
        assert approve(house, "rep", second.json()).status_code == 200
        assert (the_deal(house, deal)[1], the_deal(house, theirs)[1]) == ("Write", "Call")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], ["1 steps"]),
            ([{}, {}], ["1 steps"]),
            ([{"colour": "red"}], ["update_deal", "colour"]),
            ([{"amount": "much"}], ["amount"]),
            ([{"amount": "-5"}], ["negative"]),
            ([{"amount": "5", "currency": "XYZ"}], ["currency"]),
            ([{"next_step": "Call", "amount": "900.00"}], ["change nothing"]),
            ([{"next_step": {"then": "apply"}}], ["next_step"]),
        ],
    )
    def test_values_that_cannot_be_used_are_a_problem_and_the_old_one_stands(
        self, house: House, arguments: list[dict[str, Any]], words: list[str]
    ) -> None:
        deal = new_deal(house)
        first = proposed(house, "rep", update(deal, next_step="Wait"))
        assert_problem(self.edit(house, "rep", first["id"], *arguments), 422, *words)
        assert [item["status"] for item in house.door("rep").get("/api/changes").json()] == ["proposed"]
        assert approve(house, "rep", first).status_code == 200

    @pytest.mark.parametrize("body", [{}, {"arguments": None}, {"arguments": {}}, {"arguments": ["amount"]}, {"arguments": [{}] * 201}, []])
    def test_a_body_that_holds_no_arguments_is_a_problem(self, house: House, body: Any) -> None:
        first = proposed(house, "rep", update(new_deal(house), next_step="Wait"))
        assert_problem(house.door("rep").post(f"/api/changes/{first['id']}/edit", json=body), 422)
        assert house.door("rep").get(f"/api/changes/{first['id']}").json()["status"] == "proposed"

    def test_nobody_else_edits_it(self, house: House) -> None:
        first = proposed(house, "rep", update(new_deal(house), next_step="Wait"))
        for part in ("manager", "admin"):
            assert_problem(self.edit(house, part, first["id"], {"next_step": "Write"}), 403, "person who asked")
        for part in ("colleague", "stranger", "readonly"):
            assert_problem(self.edit(house, part, first["id"], {"next_step": "Write"}), 404)
        assert_problem(house.anonymous().post(f"/api/changes/{first['id']}/edit", json={"arguments": [{}]}), 401)
        assert house.count("change_set", "status <> 'proposed'") == 0

    def test_an_edit_reaches_no_record_that_its_requester_may_not_change(self, house: House) -> None:
        first = proposed(house, "rep", update(new_deal(house), next_step="Wait"))
        assert_problem(self.edit(house, "rep", first["id"], {"id": new_deal(house, "colleague")}), 403)
        assert_problem(self.edit(house, "rep", first["id"], {"id": new_deal(house, "stranger")}), 404)
        assert_problem(self.edit(house, "rep", first["id"], {"id": 2**70}), 404)
        assert house.count("change_set") == 1

    def test_what_was_decided_is_not_edited(self, house: House) -> None:
        deal = new_deal(house)
        first = proposed(house, "rep", update(deal, next_step="Wait"))
        assert self.edit(house, "rep", first["id"], {"next_step": "Write"}).status_code == 201
        assert_problem(self.edit(house, "rep", first["id"], {"next_step": "Sleep"}), 409, "replaced already")
        done = proposed(house, "rep", update(deal, next_step="Wait"))
        approve(house, "rep", done)
        assert_problem(self.edit(house, "rep", done["id"], {"next_step": "Sleep"}), 409, "applied already")

    @pytest.mark.parametrize("number", ["999999", "0", "-1", str(2**70)])
    def test_an_unknown_change_is_not_found(self, shared_house: House, number: str) -> None:
        assert_problem(shared_house.door("rep").post(f"/api/changes/{number}/edit", json={"arguments": [{}]}), 404)
        assert_problem(shared_house.door("rep").get(f"/api/changes/{number}/rows.csv"), 404)

    def test_a_number_that_is_none_is_a_problem(self, shared_house: House) -> None:
        assert_problem(shared_house.door("rep").post("/api/changes/last/edit", json={"arguments": [{}]}), 422)
        assert_problem(shared_house.door("rep").get("/api/changes/last/rows.csv"), 422)


class TestRowsAsCsv:
    def test_it_is_a_file_of_every_line(self, house: House) -> None:
        deal = new_deal(house)
        proposal = proposed(house, "rep", update(deal, amount="1200.00", next_step="Wait"))
        response = house.door("rep").get(f"/api/changes/{proposal['id']}/rows.csv")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert response.headers["content-disposition"] == f'attachment; filename="change-{proposal["id"]}.csv"'
        heading, *lines = csv.reader(io.StringIO(response.text))
        assert heading == ["kind", "number", "record", "field", "before", "after"]
        assert sorted(lines) == [
            ["deal", str(deal), "Pelican rollout", "amount", "$900", "$1,200"],
            ["deal", str(deal), "Pelican rollout", "next step", "Call", "Wait"],
        ]

    def test_of_a_long_change_the_preview_holds_the_first_lines_and_the_file_all(self, house: House) -> None:
        made = [new_deal(house) for _ in range(70)]
        step = Step(
            capability="update_deal", arguments={"next_step": "Wait", "source": None, "amount": "1", "expected_close_on": "2027-01-31"}, ids=made
        )
        proposal = proposed(house, "rep", step)
        assert (len(proposal["diff"]), len(proposal["changes"]), proposal["lines_in_all"]) == (200, 200, 210)
        assert proposal["summary"] == "70 deals, the deals worth $63,000 together."
        lines = list(csv.reader(io.StringIO(house.door("rep").get(f"/api/changes/{proposal['id']}/rows.csv").text)))
        assert len(lines) == 211
        assert {line[1] for line in lines[1:]} == {str(deal) for deal in made}
        assert approve(house, "rep", proposal).json()["records"] == 70

    def test_no_cell_is_a_formula(self, house: House) -> None:
        deal = new_deal(house, name="=HYPERLINK(1)", next_step="+1")
        proposal = proposed(house, "rep", update(deal, next_step="@SUM(A1)"))
        _heading, line = csv.reader(io.StringIO(house.door("rep").get(f"/api/changes/{proposal['id']}/rows.csv").text))
        assert line == ["deal", str(deal), "'=HYPERLINK(1)", "next step", "'+1", "'@SUM(A1)"]

    def test_letters_of_any_language_come_through(self, house: House) -> None:
        proposal = proposed(house, "rep", update(new_deal(house), next_step="Größe 寸法 ✓"))
        content = house.door("rep").get(f"/api/changes/{proposal['id']}/rows.csv").content.decode("utf-8")
        assert "Größe 寸法 ✓" in content

    def test_only_who_may_see_the_change_gets_it(self, house: House) -> None:
        proposal = proposed(house, "rep", update(new_deal(house), next_step="Wait"))
        path = f"/api/changes/{proposal['id']}/rows.csv"
        assert {part: house.door(part).get(path).status_code for part in ("rep", "manager", "admin")} == {"rep": 200, "manager": 200, "admin": 200}
        for part in ("colleague", "stranger", "readonly"):
            assert_problem(house.door(part).get(path), 404)
        assert_problem(house.anonymous().get(path), 401)
