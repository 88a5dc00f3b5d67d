"""What every response keeps to: small lists, security headers, health."""

from __future__ import annotations

import pytest

from integrations.http.server import build_app
from tests.http.doors import TABLES, House, assert_problem, client_of


class TestSizes:
    @pytest.mark.parametrize("path", TABLES)
    def test_a_list_of_twenty_five_is_below_ten_kilobytes(self, shared_house: House, path: str) -> None:
        response = shared_house.door("admin").get(f"/api/{path}", params={"limit": 25})
        assert len(response.json()["items"]) == min(25, response.json()["total"])
        assert len(response.content) < 10_000

    @pytest.mark.parametrize("path", [path for path in TABLES if path != "activities"])
    def test_a_search_of_twenty_five_is_below_ten_kilobytes(self, shared_house: House, path: str) -> None:
        response = shared_house.door("admin").get(f"/api/{path}", params={"q": "an", "limit": 25})
        assert response.status_code == 200
        assert len(response.content) < 10_000

    @pytest.mark.parametrize("path", TABLES)
    def test_a_list_shows_twenty_five_unless_told_otherwise(self, shared_house: House, path: str) -> None:
        body = shared_house.door("admin").get(f"/api/{path}").json()
        assert body["limit"] == 25
        assert len(body["items"]) == min(25, body["total"])


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/", 200),
            ("GET", "/health", 200),
            ("GET", "/api/me", 200),
            ("GET", "/api/deals/999999", 404),
            ("PUT", "/api/deals", 405),
            ("GET", "/nothing", 404),
        ],
    )
    def test_security_headers_are_on_every_response(self, shared_house: House, method: str, path: str, status: int) -> None:
        response = shared_house.door("rep").request(method, path)
        assert response.status_code == status
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in response.headers

    def test_security_headers_are_on_a_refused_body(self, shared_house: House) -> None:
        # Once a fault: the guard returns the 413 before it sets the headers.
        response = shared_house.door("rep").post("/api/companies", content=b" " * 1_000_001)
        assert_problem(response, 413)
        assert response.headers.get("x-content-type-options") == "nosniff"

    def test_security_headers_are_on_a_failure(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        # Once a fault: unknown errors are answered outside the guard, so these have no headers.
        def fail(*_arguments: object) -> None:
            raise RuntimeError("inside")

        monkeypatch.setattr("crm_core.services.companies.load", fail)
        response = house.door("rep").get("/api/companies/1")
        assert_problem(response, 500)
        assert response.headers.get("x-content-type-options") == "nosniff"

    def test_answers_of_the_api_are_not_stored_by_anybody(self, shared_house: House) -> None:
        for path in ("/api/me", "/api/deals", "/api/nothing"):
            assert shared_house.door("rep").get(path).headers["cache-control"] == "no-store"


class TestHealth:
    def test_the_process_tells_that_it_runs_without_a_key(self, shared_house: House) -> None:
        assert shared_house.anonymous().get("/health").json() == {"status": "ok"}

    def test_it_is_ready_without_the_index_and_says_so(self, shared_house: House) -> None:
        response = client_of(build_app(shared_house.product)).get("/ready")
        assert (response.status_code, response.json()) == (200, {"status": "ok", "index": "closed"})

    def test_it_is_not_ready_without_the_database(self, house: House) -> None:
        client = client_of(build_app(house.product))
        assert client.get("/ready").status_code == 200
        house.engine.dispose()
        for path in house.path.parent.glob("rapport.db*"):
            path.unlink()
        house.path.mkdir()
        response = client.get("/ready")
        assert response.status_code == 503
        assert response.json()["status"] == "no database"
        assert client.get("/health").status_code == 200
