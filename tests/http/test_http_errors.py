"""Whatever is wrong with a request, the answer is a problem document with a sentence, and nothing was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.doors import House, assert_problem

#: More than any database counts to.
HUGE = 99_999_999_999_999_999_999_999


class TestAddresses:
    @pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/deals/1/nothing", "/static/nothing.js", "/static/%2e%2e/%2e%2e/server.py"])
    def test_an_unknown_address_is_not_found(self, shared_house: House, path: str) -> None:
        assert_problem(shared_house.door("rep").get(path), 404)

    @pytest.mark.parametrize(("method", "path"), [("PUT", "/api/deals"), ("DELETE", "/api/deals"), ("POST", "/api/me"), ("PATCH", "/health")])
    def test_a_method_that_an_address_does_not_take_is_told(self, shared_house: House, method: str, path: str) -> None:
        assert_problem(shared_house.door("rep").request(method, path), 405)

    @pytest.mark.parametrize("number", ["0", "-1", str(2**62), str(2**63 - 1), str(2**63), str(HUGE)])
    @pytest.mark.parametrize("path", ["/api/deals/{}", "/api/users/{}", "/api/timeline/deal/{}", "/api/changes/{}"])
    def test_a_number_that_nothing_has_is_not_found(self, shared_house: House, path: str, number: str) -> None:
        # Once a fault: load_proposal asks the database for numbers that do not fit it, which is a 500.
        assert_problem(shared_house.door("admin").get(path.format(number)), 404)

    def test_a_huge_number_of_a_key_or_turn_is_not_found(self, shared_house: House) -> None:
        # Once a fault: revoke_api_key and rate ask the database for numbers that do not fit it, which is a 500.
        admin = shared_house.door("admin")
        responses = [admin.delete(f"/api/keys/{HUGE}"), admin.put(f"/api/threads/t/turns/{HUGE}/rating", json={"rating": 1})]
        assert [response.status_code for response in responses] == [404, 404]

    @pytest.mark.parametrize("number", ["x", "1.5", "1e3", "%20", "9" * 5000])
    def test_a_number_that_is_none_is_refused(self, shared_house: House, number: str) -> None:
        assert_problem(shared_house.door("admin").get(f"/api/deals/{number}"), 422, "record_id")


class TestBodies:
    @pytest.mark.parametrize("size", [1_000_001, 3_000_000])
    def test_a_body_over_a_megabyte_is_refused(self, shared_house: House, size: int) -> None:
        response = shared_house.door("rep").post("/api/companies", content=b" " * size, headers={"Content-Type": "application/json"})
        assert_problem(response, 413, "1,000,000")

    def test_a_body_over_a_megabyte_in_pieces_is_refused(self, house: House) -> None:
        # Once a fault: only the Content-Length header is looked at, and a chunked request has none.
        def pieces() -> Iterator[bytes]:
            yield b'{"name": "Pelican Paper"'
            for _ in range(1_500):
                yield b" " * 1_000
            yield b"}"

        before = house.count("company")
        response = house.door("rep").post("/api/companies", content=pieces(), headers={"Content-Type": "application/json"})
        assert_problem(response, 413)
        assert house.count("company") == before

    @pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'"deal"', b"{'name': 'x'}", b"name=Pelican", b'{"name": NaN}'])
    def test_a_body_that_is_no_json_object_is_refused(self, shared_house: House, content: bytes) -> None:
        response = shared_house.door("rep").post("/api/companies", content=content, headers={"Content-Type": "application/json"})
        assert_problem(response, 422)

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 20_000, b'{"a":' * 20_000], ids=["bytes", "brackets", "braces"])
    def test_a_body_that_cannot_be_parsed_is_refused_with_a_sentence(self, shared_house: House, content: bytes) -> None:
        # Once a fault: "There was an error parsing the body", a 400 that says no next step and ends without a full stop.
        response = shared_house.door("rep").post("/api/companies", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422)
        assert_problem(response, response.status_code)

    @pytest.mark.parametrize(
        "path", ["companies", "contacts", "leads", "deals", "tickets", "activities", "tasks", "products", "users", "metrics/ask", "chat"]
    )
    def test_an_unknown_field_is_named(self, shared_house: House, path: str) -> None:
        body = {
            "name": "Pelican",
            "subject": "Pelican",
            "kind": "note",
            "email": "p@pelican.example",
            "metric": "won_value",
            "message": "hi",
            "shoe_size": 44,
        }
        assert_problem(shared_house.door("admin").post(f"/api/{path}", json=body), 422)

    @pytest.mark.parametrize(
        "path", ["companies", "contacts", "leads", "deals", "tickets", "activities", "tasks", "products", "users", "metrics/ask", "chat"]
    )
    def test_a_body_without_what_is_needed_names_it(self, shared_house: House, path: str) -> None:
        assert_problem(shared_house.door("admin").post(f"/api/{path}", json={}), 422, "required")


BAD_DEALS: list[tuple[str, dict[str, Any], int, str]] = [
    ("unknown currency", {"amount": "10", "currency": "XQX"}, 422, "XQX"),
    ("currency without rate", {"amount": "10", "currency": "JPY"}, 422, "exchange rate"),
    ("currency of one letter", {"amount": "10", "currency": "$"}, 422, "currency"),
    ("negative amount", {"amount": "-1"}, 422, "negative"),
    ("huge amount", {"amount": str(HUGE)}, 422, "larger"),
    ("amount without end", {"amount": "9" * 5000}, 422, ""),
    ("amount with an exponent", {"amount": "1e400"}, 422, ""),
    ("amount with an enormous exponent", {"amount": "1e999999999"}, 422, ""),
    ("tiny amount", {"amount": "1e-999999999"}, 422, ""),
    ("amount of a third of a cent", {"amount": "12.345"}, 422, "decimals"),
    ("no number", {"amount": "much"}, 422, "amount"),
    ("not a number", {"amount": "NaN"}, 422, "amount"),
    ("infinite", {"amount": "Infinity"}, 422, "amount"),
    ("stage of another pipeline", {"stage": "Verbal yes"}, 422, "Renewals"),
    ("stage of no pipeline", {"stage": "Nirvana"}, 422, "Nirvana"),
    ("closing stage", {"stage": "Closed Won"}, 422, "open stage"),
    ("unknown pipeline", {"pipeline": "Oil"}, 422, "Renewals"),
    ("unknown company", {"company_id": 999999}, 404, "company"),
    ("huge company", {"company_id": HUGE}, 404, "company"),
    ("negative company", {"company_id": -1}, 404, "company"),
    ("huge owner", {"owner_id": 2**63}, 404, "user"),
    ("31 February", {"expected_close_on": "2026-02-31"}, 422, "expected_close_on"),
    ("day of no year", {"expected_close_on": "99999-01-01"}, 422, "expected_close_on"),
    ("unknown source", {"source": "Telepathy"}, 422, "Webinar"),
    ("unknown custom field", {"custom": {"shoe_size": 44}}, 422, "shoe_size"),
    ("custom field of the wrong kind", {"custom": {"seats": "many"}}, 422, "Seats"),
    ("huge custom number", {"custom": {"seats": 1e300}}, 422, "Seats"),
    ("custom number without end", {"custom": {"seats": "1e999999999"}}, 422, "Seats"),
    ("custom choice of none", {"custom": {"deployment": "Moon base"}}, 422, "Private cloud"),
    ("nested custom value", {"custom": {"seats": {"a": [1]}}}, 422, "Seats"),
    ("long name", {"name": "x" * 301}, 422, "name"),
    ("empty name", {"name": "  "}, 422, "name"),
    ("name of the wrong kind", {"name": 5}, 422, "name"),
    ("name with a zero byte", {"name": "Pelican\x00Paper"}, 422, "name"),
]


class TestValues:
    # Once a fault: an enormous exponent of a custom number overflows (a 500); a zero byte is stored, and PostgreSQL cannot store it.
    @pytest.mark.parametrize(("fields", "status", "word"), [case[1:] for case in BAD_DEALS], ids=[case[0] for case in BAD_DEALS])
    def test_a_deal_with_a_value_that_cannot_be_is_refused_and_not_made(self, house: House, fields: dict[str, Any], status: int, word: str) -> None:
        before = house.count("deal")
        response = house.door("rep").post("/api/deals", json={"name": "Pelican rollout", **fields})
        assert_problem(response, status, word)
        assert house.count("deal") == before

    def test_a_lone_surrogate_is_refused(self, shared_house: House) -> None:
        response = shared_house.door("rep").post("/api/companies", content=b'{"name": "\\ud83d"}', headers={"Content-Type": "application/json"})
        assert_problem(response, 422, "name")

    @pytest.mark.parametrize(
        "name", ["Zoë & Söhne 🚀", "株式会社ペリカン", "'; DROP TABLE deal; --", "<script>alert(1)</script>", "100% _sure_", "\u202eevil"]
    )
    def test_unusual_text_is_kept_letter_by_letter(self, house: House, name: str) -> None:
        rep = house.door("rep")
        made = rep.post("/api/companies", json={"name": name}).json()
        assert made["name"] == name
        assert rep.get(f"/api/companies/{made['id']}").json()["name"] == name

    @pytest.mark.parametrize(
        ("path", "body", "word"),
        [
            ("contacts", {"name": "Cosima", "email": "nonsense"}, "e-mail"),
            ("users", {"name": "Ursel", "email": "ursel@lumenway.example", "timezone": "Mars/Base"}, "time zone"),
            ("users", {"name": "Ursel", "email": "ursel@lumenway.example", "timezone": "../../etc/passwd"}, "time zone"),
            ("users", {"name": "Ursel", "email": "ursel@lumenway.example", "role": "emperor"}, "role"),
            ("companies", {"name": "Pelican", "employees": -1}, "employees"),
            ("companies", {"name": "Pelican", "employees": HUGE}, "employees"),
            ("companies", {"name": "Pelican", "annual_revenue": "-1"}, "negative"),
            ("activities", {"kind": "seance", "subject": "Pelican"}, "kind"),
            ("activities", {"kind": "call", "subject": "Pelican", "occurred_at": "2026-01-01T10:00:00"}, "occurred_at"),
            ("activities", {"kind": "call", "subject": "Pelican", "duration_minutes": HUGE}, "duration_minutes"),
            ("tickets", {"subject": "Pelican", "priority": "Cosmic"}, "Cosmic"),
            ("products", {"name": "Pelican Feed", "price": "1", "currency": "???"}, "currency"),
        ],
    )
    def test_a_value_that_cannot_be_is_named(self, shared_house: House, path: str, body: dict[str, Any], word: str) -> None:
        assert_problem(shared_house.door("admin").post(f"/api/{path}", json=body), 422, word)

    def test_an_address_that_is_taken_is_a_conflict(self, house: House) -> None:
        taken = house.value("SELECT email FROM user_account WHERE id = 1")
        assert_problem(house.door("admin").post("/api/users", json={"name": "Double", "email": taken.upper()}), 409, "already")


BAD_FILTERS = [
    "",
    "status",
    "status:",
    ":open",
    "status:sold",
    "shoe_size:44",
    "amount:more_than:much",
    "amount:more_than:-5",
    "amount:between:5",
    "amount:is:",
    f"amount:more_than:{HUGE}",
    "amount:more_than:1e999999999",
    "amount:more_than:NaN",
    f"id:{HUGE}",
    "id:1e400",
    "id:\u00b2",
    "created:between:2026-01-01",
    "created:is:2026-02-31",
    "created:is:31.12.2026",
    "created:more_than:9999-12-31",
    f"owner:{HUGE}",
    "owner:\u00b2",
    f"stage:{'9' * 5000}",
    "owner:Nobody Atall",
    "seats:more_than:1e30",
]


class TestLists:
    # Once a fault: numbers of records that do not fit the database, superscript digits and the last day of all are a 500.
    @pytest.mark.parametrize("text", BAD_FILTERS, ids=lambda text: text[:30])
    def test_a_filter_that_cannot_be_is_refused_or_finds_nothing(self, shared_house: House, text: str) -> None:
        response = shared_house.door("admin").get("/api/deals", params={"filter": text})
        if response.status_code == 200:
            assert response.json()["total"] == 0
        else:
            assert_problem(response, 422)

    @pytest.mark.parametrize(
        "query",
        [
            "sort=shoe_size",
            "limit=0",
            "limit=101",
            "limit=many",
            "offset=-1",
            f"offset={HUGE}",
            f"q={'x' * 301}",
            "&".join(["filter=status:open"] * 21),
        ],
        ids=lambda text: text[:25],
    )
    def test_a_list_that_cannot_be_is_refused(self, shared_house: House, query: str) -> None:
        assert_problem(shared_house.door("admin").get(f"/api/deals?{query}"), 422)

    @pytest.mark.parametrize("text", ["%", "_", "\x00", "'", '"', "\\", "*", "(", "🚀"])
    def test_a_search_for_a_sign_is_no_pattern(self, shared_house: House, text: str) -> None:
        assert shared_house.door("admin").get("/api/deals", params={"q": text}).json()["total"] == 0

    @pytest.mark.parametrize("text", ["name:contains:%", "name:contains:_", "name:contains:\\"])
    def test_a_filter_on_a_sign_is_no_pattern(self, shared_house: House, text: str) -> None:
        assert shared_house.door("admin").get("/api/deals", params={"filter": text}).json()["total"] == 0


class TestFailures:
    def test_a_failure_inside_is_a_problem_that_tells_nothing_of_the_inside(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_arguments: object) -> None:
            raise RuntimeError("secret detail of the inside")

        monkeypatch.setattr("crm_core.services.companies.load", fail)
        response = house.door("rep").get("/api/companies/1")
        assert_problem(response, 500, "nothing was changed")
        assert "secret" not in response.text

    def test_a_change_is_taken_back_when_the_request_fails_at_its_end(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_arguments: object) -> None:
            raise RuntimeError("late failure")

        before = house.count("company")
        monkeypatch.setattr("integrations.http.records.tagged", fail)
        assert_problem(house.door("rep").post("/api/companies", json={"name": "Pelican Paper"}), 500)
        assert house.count("company") == before


class TestDocuments:
    def test_every_route_is_documented_with_a_sentence(self, shared_house: House) -> None:
        document = shared_house.anonymous().get("/openapi.json").json()
        operations = {f"{method.upper()} {path}": item for path, methods in document["paths"].items() for method, item in methods.items()}
        assert len(operations) > 60
        unnamed = [name for name, item in operations.items() if not item.get("summary") or len(item.get("description", "").split()) < 3]
        assert unnamed == []
        untagged = [name for name, item in operations.items() if not item.get("tags")]
        assert untagged == []

    def test_every_route_of_the_api_documents_its_problems(self, shared_house: House) -> None:
        document = shared_house.anonymous().get("/openapi.json").json()
        for path, methods in document["paths"].items():
            for method, item in methods.items():
                if path.startswith("/api"):
                    assert {"401", "404", "422"} <= set(item["responses"]), f"{method} {path}"
                    assert "application/problem+json" in item["responses"]["422"]["content"], f"{method} {path}"

    def test_operations_have_names_of_their_own(self, shared_house: House) -> None:
        document = shared_house.anonymous().get("/openapi.json").json()
        names = [item["operationId"] for methods in document["paths"].values() for item in methods.values()]
        assert len(names) == len(set(names))
        assert json.dumps(document).count("sqlalchemy") == 0
