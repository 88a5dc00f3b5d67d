"""When a real model is asked at all, what it is sent then, and what an answer says of its cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from assistant.answer import Answer
from assistant.retrieval.index import Index
from crm_core.settings import Settings
from integrations.app import Rapport
from tests.fakes.openai_server import FakeOpenAI, tool_call
from tests.http.doors import NOW, House

SURE = "How much did we win in Q3 2026?"
UNSURE = "How is the moon doing with our quokkas?"
Use = Literal["off", "unsure", "always"]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    """A scripted model."""
    with FakeOpenAI() as made:
        yield made


def ask(house: House, server: FakeOpenAI, message: str, use: Use, **more: Any) -> Answer:
    """Ask the product with the model set and used so."""
    settings = Settings(  # type: ignore[call-arg]
        _env_file=None,
        data_dir=house.path.parent,
        model="openai:test",
        model_use=use,
        model_base_url=server.url,
        model_api_key=SecretStr("sk-fictional"),
        **more,
    )
    product = Rapport(settings, house.engine, Index(house.engine, house.path.parent / "no_index"))
    return product.agent.answer(message, house.people["admin"], now=NOW)


class TestWhenItIsAsked:
    def test_a_message_that_is_understood_costs_nothing(self, house: House, server: FakeOpenAI) -> None:
        answer = ask(house, server, SURE, "unsure")
        assert (answer.model, answer.tokens, answer.cost, len(server.asked)) == ("embedded", 0, 0.0, 0)
        assert answer.outcome == "answered"

    def test_one_that_is_not_understood_goes_to_the_model(self, house: House, server: FakeOpenAI) -> None:
        server.say("I have no figures about the moon.")
        answer = ask(house, server, UNSURE, "unsure", model_input_price=2.0, model_output_price=8.0)
        assert answer.model == "openai:test"
        assert answer.text == "I have no figures about the moon."
        assert answer.tokens == answer.tokens_in + answer.tokens_out > 0
        assert float(answer.cost) == pytest.approx((answer.tokens_in * 2.0 + answer.tokens_out * 8.0) / 1_000_000, abs=1e-6)

    def test_off_never_asks_and_always_does(self, house: House, server: FakeOpenAI) -> None:
        assert ask(house, server, UNSURE, "off").model == "embedded"
        assert server.asked == []
        server.say("Which quarter do you mean?")
        assert ask(house, server, SURE, "always").model == "openai:test"
        assert len(server.asked) == 1

    def test_what_it_tells_without_looking_anything_up_is_not_shown(self, house: House, server: FakeOpenAI) -> None:
        server.say("The platform removed those tickets, and the customer is content with the new features.")
        answer = ask(house, server, UNSURE, "unsure")
        assert answer.model == "embedded"
        assert "content" not in answer.text
        assert any("without looking anything up" in notice for notice in answer.notices)

    def test_a_name_that_fits_several_is_asked_back_without_the_model(self, house: House, server: FakeOpenAI) -> None:
        first = house.sql(
            "SELECT substr(name, 1, instr(name, ' ') - 1) AS word, count(*) FROM contact GROUP BY 1 HAVING count(*) > 2 ORDER BY 2 DESC LIMIT 1"
        )[0][0]
        answer = ask(house, server, f"what is {first}'s phone number?", "unsure")
        assert answer.outcome == "asked"
        assert server.asked == []


class TestWhatItIsSent:
    def test_tools_of_change_only_where_a_change_is_asked(self, house: House, server: FakeOpenAI) -> None:
        server.say("No.")
        ask(house, server, SURE, "always")
        server.say("No.")
        ask(house, server, "please log a call with somebody", "always")
        asked, changing = (request.tools for request in server.asked)
        assert "log_activity" not in asked
        assert "log_activity" in changing
        assert {"ask_metric", "list_matching", "search_interactions"} <= asked
        assert "explain_previous" not in asked

    def test_names_in_the_message_are_told_with_their_numbers_and_fenced(self, house: House, server: FakeOpenAI) -> None:
        key, name = house.sql("SELECT id, name FROM company WHERE name LIKE '% %' ORDER BY length(name) DESC LIMIT 1")[0]
        server.say("No.")
        ask(house, server, f"what is going on with {name}?", "always")
        system = server.asked[0].messages[0]["content"]
        assert f"company {key}" in system
        assert "<<<" in system

    def test_a_prompt_over_the_budget_is_never_sent(self, house: House, server: FakeOpenAI) -> None:
        answer = ask(house, server, SURE, "always", model_token_budget=1000)
        assert answer.model == "embedded"
        assert server.asked == []
        assert any("1,000" in notice for notice in answer.notices)

    def test_a_call_that_is_no_json_is_sent_back_once(self, house: House, server: FakeOpenAI) -> None:
        server.call(tool_call("ask_metric", '{"metric": '))
        server.call(tool_call("ask_metric", {"metric": "won_deals"}))
        server.say("Done.")
        answer = ask(house, server, SURE, "always")
        assert answer.model == "openai:test"
        assert "not valid JSON" in server.asked[1].messages[-1]["content"]
        assert [figure.title for figure in answer.figures] == ["deals won"]
