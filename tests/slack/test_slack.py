"""The Slack door end to end: signed requests and Socket Mode bodies in, checked Web API calls out."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assistant.answer import Answer, Card, Cell, Chart, Choices, Citation, Column, Link, Option, Series, Table
from integrations.slack.render import render
from tests.fakes.slack_api import BOT_USER, TEAM, FakeSlack, check_message
from tests.slack.workspace import CHANNEL, DIRECT, Workspace, buttons, click, direct, envelope, identity, mention, shown, stamp

QUESTION = "How much did we win in Q3 2026?"


def figure_of(workspace: Workspace, part: str, question: str = QUESTION) -> str:
    """The figure that the person gets through the agent itself."""
    answer = workspace.product.agent.answer(question, workspace.house.people[part])
    return answer.figures[0].shown


def refused(workspace: Workspace, message: dict[str, Any], *words: str) -> None:
    """A polite sentence without blocks or data."""
    text = shown(message)
    assert not message.get("blocks")
    assert len(text.split()) > 3
    assert "$" not in text
    assert figure_of(workspace, "admin") not in text
    for word in words:
        assert word.lower() in text.lower(), text


def settle(workspace: Workspace, before: int) -> None:
    """Prove that nothing more was posted for what was sent: the listeners are let end, so this is the last step of a test."""
    workspace.bolt.listener_runner.listener_executor.shutdown(wait=True)
    assert len(workspace.slack.messages) == before


class TestDirectMessage:
    def test_it_is_answered_in_its_thread(self, workspace: Workspace) -> None:
        body = direct("admin", QUESTION)
        workspace.socket(body)
        (message,) = workspace.slack.wait_for_messages()
        assert message["channel"] == DIRECT
        assert message["thread_ts"] == body["event"]["ts"]
        assert figure_of(workspace, "admin") in shown(message)

    def test_over_http_it_is_acknowledged_and_answered(self, workspace: Workspace) -> None:
        body = direct("admin", QUESTION)
        response = workspace.post(body)
        assert response.status_code == 200
        (message,) = workspace.slack.wait_for_messages()
        assert message["thread_ts"] == body["event"]["ts"]
        assert figure_of(workspace, "admin") in shown(message)

    def test_each_person_sees_their_own_rows(self, workspace: Workspace) -> None:
        mine, all_of_it = figure_of(workspace, "rep"), figure_of(workspace, "admin")
        assert mine != all_of_it
        assert mine in shown(workspace.say("rep", QUESTION))
        text = shown(workspace.say("rep", QUESTION))
        assert mine in text
        assert all_of_it not in text
        assert all_of_it in shown(workspace.say("admin", QUESTION))

    def test_an_address_is_compared_without_case(self, workspace: Workspace) -> None:
        address = workspace.slack.people[identity("admin")]["profile"]["email"]
        workspace.join("admin", address.upper())
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))

    def test_nothing_is_unfurled_and_the_token_is_the_bots(self, workspace: Workspace) -> None:
        message = workspace.say("admin", QUESTION)
        assert str(message["unfurl_links"]).lower() in ("false", "0")
        assert str(message["unfurl_media"]).lower() in ("false", "0")
        assert {call.token for call in workspace.slack.calls} == {"xoxb-0000-fictional"}

    def test_links_and_addresses_are_read_as_their_words(self, workspace: Workspace) -> None:
        text = shown(workspace.say("admin", "How much did we win in Q3 2026, <https://lumenway.example/x|please>?"))
        assert figure_of(workspace, "admin") in text

    def test_an_empty_message_gets_a_sentence(self, workspace: Workspace) -> None:
        message = workspace.say("admin", "   ")
        assert len(shown(message).split()) > 3

    def test_a_message_that_is_too_long_gets_a_sentence(self, workspace: Workspace) -> None:
        assert "characters" in shown(workspace.say("admin", "deals " * 3000))

    def test_a_deactivated_user_is_refused_at_once(self, workspace: Workspace) -> None:
        workspace.say("rep", QUESTION)
        with workspace.house.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE user_account SET active = 0 WHERE id = {workspace.house.people['rep']}")
        refused(workspace, workspace.say("rep", QUESTION))


class TestMention:
    def test_it_is_answered_in_its_thread(self, workspace: Workspace) -> None:
        body = mention("admin", QUESTION)
        workspace.socket(body)
        (message,) = workspace.slack.wait_for_messages()
        assert message["channel"] == CHANNEL
        assert message["thread_ts"] == body["event"]["ts"]
        assert figure_of(workspace, "admin") in shown(message)

    def test_inside_a_thread_it_is_answered_there(self, workspace: Workspace) -> None:
        parent = stamp()
        workspace.socket(mention("rep", QUESTION, thread_ts=parent))
        (message,) = workspace.slack.wait_for_messages()
        assert message["thread_ts"] == parent

    def test_a_mention_by_a_rep_shows_the_reps_rows(self, workspace: Workspace) -> None:
        workspace.socket(mention("rep", QUESTION))
        (message,) = workspace.slack.wait_for_messages()
        assert figure_of(workspace, "rep") in shown(message)
        assert figure_of(workspace, "admin") not in shown(message)

    def test_its_copy_as_a_channel_message_is_not_answered_again(self, workspace: Workspace) -> None:
        body = mention("admin", QUESTION)
        workspace.socket(body)
        workspace.socket(envelope(body["event"] | {"type": "message", "channel_type": "channel"}))
        workspace.slack.wait_for_messages()
        settle(workspace, 1)

    def test_editing_it_does_not_answer_it_again(self, workspace: Workspace) -> None:
        # Once a fault: an edited mention comes as another event of the same message; ignore events with `edited`, or know messages by channel and ts.
        body = mention("admin", QUESTION)
        workspace.socket(body)
        workspace.slack.wait_for_messages()
        workspace.socket(envelope(body["event"] | {"edited": {"user": identity("admin"), "ts": stamp()}, "event_ts": stamp()}))
        settle(workspace, 1)


IGNORED: dict[str, dict[str, Any]] = {
    "an edit": {"subtype": "message_changed", "message": {"user": "UADMIN", "text": QUESTION, "ts": "1.1"}},
    "a deletion": {"subtype": "message_deleted", "deleted_ts": "1.1"},
    "a bot": {"bot_id": "B00000009"},
    "a bot by subtype": {"subtype": "bot_message", "bot_id": "B00000009"},
    "a channel message": {"channel": CHANNEL, "channel_type": "channel"},
    "a private channel message": {"channel": "G00000001", "channel_type": "group"},
    "a group message": {"channel": "G00000002", "channel_type": "mpim"},
    "somebody joining": {"subtype": "channel_join"},
    "nobody": {"user": ""},
    "itself": {"user": BOT_USER},
}


class TestIgnored:
    @pytest.mark.parametrize("case", IGNORED)
    def test_it_gets_no_answer(self, workspace: Workspace, case: str) -> None:
        workspace.socket(direct("admin", QUESTION, **IGNORED[case]))
        settle(workspace, 0)

    def test_a_mention_by_a_bot_gets_no_answer(self, workspace: Workspace) -> None:
        workspace.socket(mention("admin", QUESTION, bot_id="B00000009"))
        settle(workspace, 0)

    def test_an_event_that_nobody_listens_to_changes_nothing(self, workspace: Workspace) -> None:
        workspace.post(envelope({"type": "reaction_added", "user": identity("admin"), "reaction": "eyes", "item": {"type": "message"}}))
        settle(workspace, 0)


class TestIdentity:
    def test_an_unknown_address_is_refused(self, workspace: Workspace) -> None:
        workspace.join("newcomer", "someone@elsewhere.example")
        refused(workspace, workspace.say("newcomer", QUESTION), "administrator")

    @pytest.mark.parametrize("kind", ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"])
    def test_a_guest_or_bot_with_the_address_of_an_administrator_is_refused(self, workspace: Workspace, kind: str) -> None:
        address = workspace.slack.people[identity("admin")]["profile"]["email"]
        workspace.join("guest", address, **{kind: True})
        refused(workspace, workspace.say("guest", QUESTION))

    def test_an_address_that_is_not_confirmed_is_refused(self, workspace: Workspace) -> None:
        address = workspace.slack.people[identity("admin")]["profile"]["email"]
        workspace.join("claimant", address, is_email_confirmed=False)
        refused(workspace, workspace.say("claimant", QUESTION), "confirm")

    def test_an_address_without_word_of_confirmation_is_refused(self, workspace: Workspace) -> None:
        # Once a fault: identity.py takes a missing is_email_confirmed for a confirmed one; `is not True` refuses it.
        address = workspace.slack.people[identity("admin")]["profile"]["email"]
        workspace.join("claimant", address)
        del workspace.slack.people[identity("claimant")]["is_email_confirmed"]
        refused(workspace, workspace.say("claimant", QUESTION), "confirm")

    def test_somebody_without_an_address_is_refused(self, workspace: Workspace) -> None:
        workspace.join("nameless", None)
        refused(workspace, workspace.say("nameless", QUESTION), "e-mail")

    def test_a_member_of_another_workspace_in_a_shared_channel_is_refused(self, workspace: Workspace) -> None:
        # Once a fault: is_stranger is absent for people of other workspaces who share a channel with the app, and their
        # addresses are their own administrators' to choose. identity.py must compare user.team_id with the app's team.
        address = workspace.slack.people[identity("admin")]["profile"]["email"]
        workspace.join("outsider", address, team_id="T99999999")
        workspace.socket(mention("outsider", QUESTION, team="T99999999"))
        (message,) = workspace.slack.wait_for_messages()
        refused(workspace, message)

    def test_slack_not_knowing_the_person_is_told(self, workspace: Workspace) -> None:
        # Once a fault: a SlackApiError of users.info ends in the log and the person waits for ever.
        refused(workspace, workspace.say("nobody", QUESTION))

    def test_a_refusal_is_in_the_thread(self, workspace: Workspace) -> None:
        workspace.join("newcomer", "someone@elsewhere.example")
        body = mention("newcomer", QUESTION)
        workspace.socket(body)
        (message,) = workspace.slack.wait_for_messages()
        assert message["thread_ts"] == body["event"]["ts"]

    def test_a_refusal_does_not_mention_anybody(self, workspace: Workspace) -> None:
        # Once a fault: a refusal is posted without escape().
        workspace.join("newcomer", "<!channel>@elsewhere.example")
        assert "<!" not in shown(workspace.say("newcomer", QUESTION))


class TestSignature:
    @pytest.mark.parametrize(
        "wrong",
        [{"secret": "another"}, {"at": time.time() - 3600}, {"X-Slack-Signature": "v0=00"}, {"X-Slack-Signature": ""}],
        ids=["secret", "old", "digest", "none"],
    )
    def test_a_wrong_one_is_refused_and_nothing_is_posted(self, workspace: Workspace, wrong: dict[str, Any]) -> None:
        response = workspace.post(direct("admin", QUESTION), **wrong)
        assert response.status_code == 401
        settle(workspace, 0)
        assert not workspace.slack.of("users.info")
        assert workspace.house.count("inbound_event") == 0

    def test_the_challenge_is_answered(self, workspace: Workspace) -> None:
        response = workspace.post(
            {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "token": "fictional"}
        )
        assert response.status_code == 200
        assert "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" in response.text

    def test_a_challenge_with_a_wrong_signature_is_refused(self, workspace: Workspace) -> None:
        assert workspace.post({"type": "url_verification", "challenge": "abc", "token": "fictional"}, secret="another").status_code == 401

    def test_a_body_that_is_no_json_is_no_accident(self, workspace: Workspace) -> None:
        # Once a fault: Bolt reads the body before it checks the signature, so anybody's broken JSON is a logged 500; answer 400.
        response = workspace.client.post("/slack/events", content=b"{", headers={"Content-Type": "application/json"})
        assert response.status_code < 500


class TestRedelivery:
    def test_three_deliveries_have_one_answer(self, workspace: Workspace) -> None:
        body = direct("admin", QUESTION)
        for number in range(3):
            assert workspace.post(body, **({"X-Slack-Retry-Num": str(number)} if number else {})).status_code == 200
        workspace.slack.wait_for_messages()
        workspace.socket(body)
        settle(workspace, 1)

    def test_three_deliveries_at_once_have_one_answer(self, workspace: Workspace) -> None:
        body = mention("admin", QUESTION)
        assert workspace.bolt
        with ThreadPoolExecutor(3) as pool:
            assert [response.status for response in pool.map(lambda _: workspace.socket(body), range(3))] == [200, 200, 200]
        workspace.slack.wait_for_messages()
        settle(workspace, 1)

    def test_the_same_words_again_are_a_new_question(self, workspace: Workspace) -> None:
        assert shown(workspace.say("admin", QUESTION)).split("\n")[0] == shown(workspace.say("admin", QUESTION)).split("\n")[0]


def shared_name(workspace: Workspace) -> str:
    """A first name that several contacts have."""
    query = "SELECT substr(name, 1, instr(name, ' ') - 1) FROM contact WHERE archived_at IS NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    return str(workspace.house.value(query))


class TestChoice:
    def test_a_button_is_answered_in_the_same_thread(self, workspace: Workspace) -> None:
        name = shared_name(workspace)
        asked = workspace.say("admin", f"What is {name}'s phone number?")
        offered = buttons(asked)
        assert len(offered) > 1
        assert workspace.post(click("admin", asked, offered[0], thread=asked["thread_ts"]), form=True).status_code == 200
        answer = workspace.slack.wait_for_messages(2)[1]
        assert answer["thread_ts"] == asked["thread_ts"]
        assert answer["channel"] == DIRECT
        assert offered[0]["value"] in shown(answer)
        assert not buttons(answer)

    def test_one_click_delivered_three_times_has_one_answer(self, workspace: Workspace) -> None:
        asked = workspace.say("admin", f"What is {shared_name(workspace)}'s phone number?")
        body = click("admin", asked, buttons(asked)[1], thread=asked["thread_ts"])
        for _ in range(3):
            workspace.socket(body)
        workspace.slack.wait_for_messages(2)
        settle(workspace, 2)

    def test_two_people_may_click_at_the_same_moment(self, workspace: Workspace) -> None:
        # Once a fault: the key of a click leaves out who clicked and where.
        asked = workspace.say("admin", f"What is {shared_name(workspace)}'s phone number?")
        body = click("admin", asked, buttons(asked)[0], thread=asked["thread_ts"])
        workspace.socket(body)
        workspace.socket(body | {"user": {"id": identity("readonly"), "team_id": TEAM}})
        assert len(workspace.slack.wait_for_messages(3)) == 3

    def test_a_stranger_who_clicks_is_refused(self, workspace: Workspace) -> None:
        workspace.join("newcomer", "someone@elsewhere.example")
        asked = workspace.say("admin", f"What is {shared_name(workspace)}'s phone number?")
        workspace.socket(click("newcomer", asked, buttons(asked)[0], thread=asked["thread_ts"]))
        refused(workspace, workspace.slack.wait_for_messages(2)[1])


LESSON = "'logo' means won deal"


class TestDecisions:
    def press(self, workspace: Workspace, part: str, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Click the button of that label; the message that comes of it."""
        count = len(workspace.slack.messages)
        (button,) = (item for item in buttons(message) if item["text"]["text"] == label)
        workspace.socket(click(part, message, button, thread=message["thread_ts"]))
        return workspace.slack.wait_for_messages(count + 1)[count]

    def words(self, workspace: Workspace) -> int:
        return int(workspace.house.value("SELECT count(*) FROM taught_word"))

    def test_a_change_is_shown_applied_and_taken_back_by_buttons(self, workspace: Workspace) -> None:
        proposal = workspace.say("rep", LESSON)
        assert "not applied" in shown(proposal)
        assert "won deal" in shown(proposal)
        assert self.words(workspace) == 0
        applied = self.press(workspace, "rep", proposal, "Apply")
        assert shown(applied).startswith("Applied")
        assert self.words(workspace) == 1
        inverse = self.press(workspace, "rep", applied, "Undo")
        assert "Undo" in shown(inverse)
        assert self.words(workspace) == 1
        self.press(workspace, "rep", inverse, "Apply")
        assert self.words(workspace) == 0

    def test_undo_that_in_words(self, workspace: Workspace) -> None:
        self.press(workspace, "rep", workspace.say("rep", LESSON), "Apply")
        inverse = workspace.say("rep", "undo that")
        self.press(workspace, "rep", inverse, "Apply")
        assert self.words(workspace) == 0

    def test_somebody_elses_click_applies_nothing(self, workspace: Workspace) -> None:
        proposal = workspace.say("rep", LESSON)
        for part in ("colleague", "admin"):
            refused(workspace, self.press(workspace, part, proposal, "Apply"))
        assert self.words(workspace) == 0

    def test_a_refused_change_is_not_applied_later_and_a_second_click_does_nothing(self, workspace: Workspace) -> None:
        proposal = workspace.say("rep", LESSON)
        assert "Turned down" in shown(self.press(workspace, "rep", proposal, "Refuse"))
        assert "already" in shown(self.press(workspace, "rep", proposal, "Apply"))
        assert self.words(workspace) == 0

    def test_words_are_no_yes(self, workspace: Workspace) -> None:
        workspace.say("rep", LESSON)
        for word in ("yes", "apply it", ":thumbsup:", "ok do it"):
            workspace.say("rep", word)
        assert self.words(workspace) == 0


class TestMemory:
    def test_a_follow_up_in_the_thread_leans_on_what_was_asked(self, workspace: Workspace) -> None:
        parent = stamp()
        workspace.say("admin", QUESTION, thread_ts=parent)
        text = shown(workspace.say("admin", "and in Q2 2026?", thread_ts=parent))
        assert "Q2 2026" in text
        assert figure_of(workspace, "admin", "How much did we win in Q2 2026?") in text

    def test_two_people_in_one_thread_keep_their_own(self, workspace: Workspace) -> None:
        parent = stamp()
        for count, (part, question) in enumerate(
            (("admin", QUESTION), ("stranger", "How many deals are open?"), ("admin", "and in Q2 2026?")), start=1
        ):
            workspace.socket(mention(part, question, thread_ts=parent))
            workspace.slack.wait_for_messages(count)
        third = shown(workspace.slack.messages[2])
        assert "Won value" in third
        assert figure_of(workspace, "admin", "How much did we win in Q2 2026?") in third

    def test_somebody_without_a_question_in_the_thread_has_nothing_to_lean_on(self, workspace: Workspace) -> None:
        parent = stamp()
        workspace.socket(mention("admin", QUESTION, thread_ts=parent))
        workspace.slack.wait_for_messages(1)
        workspace.socket(mention("rep", "show me the rows", thread_ts=parent))
        text = shown(workspace.slack.wait_for_messages(2)[1])
        assert "no earlier figure" in text

    def test_another_thread_is_another_conversation(self, workspace: Workspace) -> None:
        workspace.say("admin", QUESTION)
        assert "no earlier figure" in shown(workspace.say("admin", "show me the rows"))


class TestStatus:
    def test_it_is_shown_while_working(self, workspace: Workspace) -> None:
        body = direct("admin", QUESTION)
        workspace.socket(body)
        workspace.slack.wait_for_messages()
        calls = [(call.method, call.error) for call in workspace.slack.calls if call.method != "auth.test"]
        assert ("assistant.threads.setStatus", "") in calls
        assert calls.index(("assistant.threads.setStatus", "")) < calls.index(("chat.postMessage", ""))
        status = workspace.slack.of("assistant.threads.setStatus")[0].arguments
        assert status["channel_id"] == DIRECT
        assert status["thread_ts"] == body["event"]["ts"]
        assert status["status"].strip()

    @pytest.mark.parametrize(
        "failure",
        [
            {"error": "not_allowed_token_type"},
            {"status": 500, "raw": "<html>oops</html>"},
            {"drop": True},
            {"status": 503, "error": "service_unavailable"},
        ],
        ids=["refused", "page", "dropped", "unavailable"],
    )
    def test_an_error_of_it_does_not_stop_the_answer(self, workspace: Workspace, failure: dict[str, Any]) -> None:
        # Once a fault: a dropped connection is no SlackApiError and breaks the turn; catch whatever setStatus raises.
        workspace.slack.fail_always("assistant.threads.setStatus", **failure)
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))

    def test_a_rate_limit_of_it_does_not_delay_the_answer(self, workspace: Workspace) -> None:
        # Once a fault: the client's retry handler sleeps for Retry-After on setStatus too, before the answer is computed.
        workspace.slack.fail_always("assistant.threads.setStatus", status=429, headers={"Retry-After": "3"})
        started = time.monotonic()
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))
        assert time.monotonic() - started < 3


class TestFailures:
    def test_a_rate_limit_is_waited_for(self, workspace: Workspace) -> None:
        workspace.slack.fail_next("chat.postMessage", status=429, headers={"Retry-After": "1"})
        message = workspace.say("admin", QUESTION)
        assert figure_of(workspace, "admin") in shown(message)
        first, second = workspace.slack.of("chat.postMessage")
        assert (first.error, second.error) == ("ratelimited", "")

    def test_a_rate_limit_of_the_directory_is_waited_for(self, workspace: Workspace) -> None:
        workspace.slack.fail_next("users.info", status=429, headers={"Retry-After": "1"})
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))

    def test_blocks_that_slack_refuses_are_said_in_words(self, workspace: Workspace) -> None:
        # Once a fault: an invalid_blocks of chat.postMessage ends in the log and the person waits for ever; post the text alone.
        workspace.slack.fail_next("chat.postMessage", error="invalid_blocks")
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))

    def test_a_turn_that_breaks_gets_a_sentence_without_details(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_arguments: Any, **_named: Any) -> Answer:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(workspace.product.agent, "answer", broken)
        text = shown(workspace.say("admin", QUESTION))
        assert "secret" not in text
        assert "ask again" in text.lower()

    def test_a_listener_that_breaks_is_logged_and_the_next_message_is_answered(self, workspace: Workspace) -> None:
        workspace.slack.fail_next("chat.postMessage", error="channel_not_found")
        workspace.slack.fail_next("chat.postMessage", error="channel_not_found")
        workspace.socket(direct("admin", QUESTION))
        workspace.slack.wait_for(lambda: bool(workspace.slack.of("chat.postMessage")), "a first attempt")
        workspace.slack.failures.clear()
        assert figure_of(workspace, "admin") in shown(workspace.say("admin", QUESTION))


class TestHome:
    def test_opening_the_messages_offers_first_questions(self, workspace: Workspace) -> None:
        workspace.socket(envelope({"type": "app_home_opened", "user": identity("admin"), "channel": DIRECT, "tab": "messages", "event_ts": stamp()}))
        workspace.slack.wait_for(lambda: bool(workspace.slack.of("assistant.threads.setSuggestedPrompts")), "prompts")
        (call,) = workspace.slack.of("assistant.threads.setSuggestedPrompts")
        assert not call.error
        assert call.arguments["channel_id"] == DIRECT

    def test_opening_the_messages_is_taken_quietly(self, workspace: Workspace) -> None:
        event = {"type": "app_home_opened", "user": identity("admin"), "channel": DIRECT, "tab": "messages", "event_ts": stamp()}
        assert workspace.socket(envelope(event)).status == 200
        settle(workspace, 0)

    def test_a_started_assistant_thread_is_taken_quietly(self, workspace: Workspace) -> None:
        thread = {"user_id": identity("admin"), "context": {}, "channel_id": DIRECT, "thread_ts": stamp()}
        assert workspace.post(envelope({"type": "assistant_thread_started", "assistant_thread": thread, "event_ts": stamp()})).status_code < 500
        settle(workspace, 0)


HOSTILE = "<!channel> <!here> <@U1> <#C1|x> <https://evil.example|click> & Co"


class TestEscaping:
    def test_text_of_the_crm_never_mentions_anybody(self, workspace: Workspace) -> None:
        with workspace.house.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE company SET name = '<!channel> ' || id || ' <@U1> & <https://evil.example|x>'")
        message = workspace.say("admin", "Show all companies")
        text = shown(message)
        assert "&lt;!channel&gt;" in text
        for mark in ("<!", "<@", "<#", "<http"):
            assert mark not in text

    def test_what_the_asker_wrote_never_mentions_anybody(self, workspace: Workspace) -> None:
        text = shown(workspace.say("admin", "Who is &lt;!channel&gt; &lt;@U1&gt;?"))
        for mark in ("<!", "<@"):
            assert mark not in text

    @pytest.mark.parametrize("place", ["text", "table", "chart", "card", "choices", "citation", "notice"])
    def test_every_block_is_escaped(self, place: str) -> None:
        table = Table(columns=[Column(title=HOSTILE)], rows=[[Cell(text=HOSTILE)]], total=1)
        answer = {
            "text": Answer(text=HOSTILE),
            "table": Answer(text="x", blocks=[table]),
            "chart": Answer(text="x", blocks=[Chart(title=HOSTILE, kind="bar", labels=[HOSTILE], series=[Series(name=HOSTILE, values=[1.0])])]),
            "card": Answer(text="x", blocks=[Card(title=HOSTILE, subtitle=HOSTILE, link=Link(noun="deal", id=1), facts=[(HOSTILE, HOSTILE)])]),
            "choices": Answer(text="x", blocks=[Choices(question=HOSTILE, options=[Option(label=HOSTILE, hint=HOSTILE, message=HOSTILE)])]),
            "citation": Answer(
                text="x", citations=[Citation(number=1, noun="activity", id=1, when=HOSTILE, who=HOSTILE, kind="mail", title=HOSTILE, quote="")]
            ),
            "notice": Answer(text="x", notices=[HOSTILE]),
        }[place]
        fallback, blocks = render(answer, "https://crm.example")
        parts = [fallback]
        for block in blocks:
            parts += [
                item["text"] if isinstance(item["text"], str) else item["text"]["text"]
                for item in [block, *block.get("elements", [])]
                if "text" in item and item.get("type") != "button"
            ]  # a button's plain_text is shown as it is
        for mark in ("<!", "<@", "<#", "<http"):
            assert mark not in "\n".join(parts)

    def test_bold_is_slacks_bold(self) -> None:
        fallback, blocks = render(Answer(text="Won value was **$1**."), "https://crm.example")
        assert blocks[0]["text"]["text"] == "Won value was *$1*."
        assert fallback == "Won value was $1."


def accepted(answer: Answer) -> list[dict[str, Any]]:
    """The blocks, which Slack would take."""
    fallback, blocks = render(answer, "https://crm.example")
    call = {"channel": DIRECT, "text": fallback, "blocks": blocks}
    assert check_message(call) == "", call.get("refusal")
    return blocks


def words_of(blocks: list[dict[str, Any]]) -> str:
    """The sections' text."""
    return "\n".join(block["text"]["text"] for block in blocks if block["type"] == "section")


class TestLimits:
    def test_a_long_list_stays_within_them_and_says_how_many_there_are(self, workspace: Workspace) -> None:
        message = workspace.say("admin", "which contacts are there?")
        total = workspace.house.count("contact", "archived_at IS NULL")
        assert f"{total:,}" in shown(message)

    @pytest.mark.parametrize("size", [0, 1, 2999, 3000, 3001, 9000, 200_000])
    def test_a_text_of_any_length(self, size: int) -> None:
        accepted(Answer(text="word " * (size // 5) + "x" * (size % 5)))

    def test_a_long_text_is_whole(self) -> None:
        lines = [f"line {number} is here" for number in range(1000)]
        text = words_of(accepted(Answer(text="\n".join(lines))))
        assert all(line in text for line in lines)

    def test_a_long_text_of_ampersands_is_whole(self) -> None:
        # Once a fault: pieces are cut after escaping, which tears an entity such as &amp; apart.
        blocks = accepted(Answer(text="&" * 5001))
        assert "".join(block["text"]["text"] for block in blocks if block["type"] == "section").count("&amp;") == 5001
        assert all(block["text"]["text"].replace("&amp;", "") == "" for block in blocks if block["type"] == "section")

    @pytest.mark.parametrize(
        "cell",
        ["word " * 100, "&" * 28, "`" * 28, "<" * 500, "\u65e5" * 40, "a\nb\nc"],
        ids=["long", "ampersands", "ticks", "angles", "wide", "lines"],
    )
    @pytest.mark.parametrize("columns", [1, 8, 30])
    def test_a_table_of_any_cells(self, cell: str, columns: int) -> None:
        table = Table(columns=[Column(title=f"column {number}") for number in range(columns)], rows=[[Cell(text=cell)] * columns] * 200, total=5000)
        blocks = accepted(Answer(text="x", blocks=[table]))
        fenced = [block["text"]["text"] for block in blocks if block["type"] == "section" and "```" in block["text"]["text"]]
        assert fenced
        # Once a fault: pieces are cut to 2,800 characters before escaping and clipped after it, which loses rows and the closing fence.
        assert all(text.startswith("```") and text.endswith("```") and text.count("```") == 2 for text in fenced)
        assert "5,000" in words_of(blocks)

    def test_more_blocks_than_fit_are_told(self) -> None:
        card = Card(title="A", link=Link(noun="deal", id=1), facts=[("k", "v")])
        blocks = accepted(Answer(text="x", blocks=[card] * 120))
        assert "longer" in words_of(blocks)
        assert "https://crm.example" in words_of(blocks)

    def test_a_card_of_many_long_facts(self) -> None:
        accepted(Answer(text="x", blocks=[Card(title="t" * 5000, link=Link(noun="deal", id=1), facts=[("k" * 300, "&" * 5000)] * 100)]))

    def test_choices_of_any_number_and_length(self) -> None:
        # Once a fault: an actions block without elements is refused; leave it out where there are no options.
        for count in (0, 1, 8, 60):
            options = [Option(label=f"{'l' * 200}{number}", hint="h" * 200, message="m" * 5000) for number in range(count)]
            accepted(Answer(text="x", blocks=[Choices(question="Which?", options=options)]))

    def test_a_choice_that_says_more_than_a_button_may_hold_keeps_its_meaning(self) -> None:
        blocks = accepted(Answer(text="x", blocks=[Choices(question="Which?", options=[Option(label="One", message="m" * 2000)])]))
        assert buttons({"blocks": blocks})[0]["value"] == "m" * 2000

    def test_notices_and_citations_of_any_number(self) -> None:
        citation = Citation(number=1, noun="activity", id=1, when="1 May 2026", who="w" * 3000, kind="mail", title="t" * 3000, quote="q")
        accepted(Answer(text="x", citations=[citation] * 50, notices=["n" * 5000] * 40))

    @pytest.mark.parametrize("values", [[], [0.0], [None, 1.0], [-3.0, 2.0], [1e12] * 300])
    def test_a_chart_of_any_values(self, values: list[float | None]) -> None:
        labels = [f"{'&' * 40}{number}" for number in range(len(values))]
        accepted(Answer(text="x", blocks=[Chart(title="c", kind="bar", labels=labels, series=[Series(name="s", values=values)])]))


class TestFake:
    """The fake refuses what Slack refuses, so that the tests above mean something."""

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "table", "rows": []},
            {"type": "section"},
            {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},
            {"type": "section", "text": {"type": "mrkdwn", "text": ""}},
            {"type": "section", "text": {"type": "html", "text": "x"}},
            {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11},
            {"type": "actions", "elements": []},
            {"type": "divider", "block_id": "x" * 256},
            {"type": "actions", "elements": [{"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x" * 76}}]},
            {"type": "actions", "elements": [{"type": "button", "action_id": "a", "value": "x" * 2001, "text": {"type": "plain_text", "text": "x"}}]},
            {"type": "actions", "elements": [{"type": "button", "action_id": "a" * 256, "text": {"type": "plain_text", "text": "x"}}]},
        ],
    )
    def test_a_malformed_block_is_refused(self, slack: FakeSlack, block: dict[str, Any]) -> None:
        assert slack.url.startswith("http://127.0.0.1:")
        assert check_message({"channel": DIRECT, "text": "x", "blocks": [block]}) == "invalid_blocks"

    def test_fifty_one_blocks_are_refused(self) -> None:
        assert check_message({"channel": DIRECT, "text": "x", "blocks": [{"type": "divider"}] * 51}) == "invalid_blocks"
        assert check_message({"channel": DIRECT, "text": "x", "blocks": [{"type": "divider"}] * 50}) == ""
        assert check_message({"channel": DIRECT, "text": "x" * 40_001}) == "msg_too_long"
