"""Events as Slack sends them, to the product over HTTP (signed) or as Socket Mode hands them on."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from slack_bolt import App, BoltRequest
from slack_bolt.response import BoltResponse

from assistant.retrieval.index import Index
from crm_core.settings import Settings
from integrations.app import Rapport
from integrations.http.server import build_app
from integrations.slack.app import build_slack_app
from tests.fakes.slack_api import BOT_USER, TEAM, FakeSlack, person
from tests.http.doors import House

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # noqa: S105 - of a workspace that does not exist
TOKEN = "xoxb-0000-fictional"  # noqa: S105
DIRECT, CHANNEL = "D00000001", "C00000001"
_numbers = itertools.count(1)


class Workspace:
    """A house with a Slack workspace in front; the Slack id of a part is ``U`` and its name in capitals."""

    def __init__(self, slack: FakeSlack, house: House) -> None:
        self.slack, self.house = slack, house
        for part, user_id in house.people.items():
            self.join(part, str(house.value("SELECT email FROM user_account WHERE id = :id", id=user_id)))

    def join(self, part: str, email: str | None, **more: Any) -> None:
        """Let somebody be a member of the workspace."""
        self.slack.people[identity(part)] = person(identity(part), email, **more)

    @cached_property
    def product(self) -> Rapport:
        """The assembled product, pointed at the fake."""
        settings = Settings(  # type: ignore[call-arg]
            _env_file=None,
            data_dir=self.house.path.parent,
            model="embedded",
            slack_signing_secret=SECRET,
            slack_bot_token=TOKEN,
            slack_api_url=self.slack.url,
        )
        return Rapport(settings, self.house.engine, Index(self.house.engine, self.house.path.parent / "no_index"))

    @cached_property
    def bolt(self) -> App:
        """The Bolt app, as Socket Mode uses it."""
        return build_slack_app(self.product)

    @cached_property
    def app(self) -> FastAPI:
        """The application with Slack's route; its Bolt app is ``bolt``, so that a test can wait for its listeners."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("integrations.slack.app.build_slack_app", lambda _product, **_options: self.bolt)
            return build_app(self.product)

    @cached_property
    def client(self) -> TestClient:
        """A client of the application, which is never started, so neither is its index."""
        return TestClient(self.app, raise_server_exceptions=False)

    # --- delivering --------------------------------------------------------------------------------------

    def post(self, body: dict[str, Any], *, form: bool = False, secret: str = SECRET, at: float | None = None, **headers: str) -> httpx.Response:
        """A signed request to the events address."""
        raw = urlencode({"payload": json.dumps(body)}) if form else json.dumps(body)
        stamp = str(int(at if at is not None else time.time()))
        signature = "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        return self.client.post(
            "/slack/events",
            content=raw,
            headers={"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature} | headers,
        )

    def socket(self, body: dict[str, Any]) -> BoltResponse:
        """The same body as Socket Mode dispatches it."""
        return self.bolt.dispatch(BoltRequest(body=body, mode="socket_mode"))

    def say(self, part: str, text: str, **more: Any) -> dict[str, Any]:
        """A direct message, delivered by Socket Mode; returns the new answer."""
        before = len(self.slack.messages)
        assert self.socket(direct(part, text, **more)).status == 200
        return self.slack.wait_for_messages(before + 1)[before]

    def close(self) -> None:
        """Let listeners end, then give the connections back."""
        if "bolt" in self.__dict__:
            self.bolt.listener_runner.listener_executor.shutdown(wait=True)
        self.house.close()


def identity(part: str) -> str:
    """The Slack id of a part."""
    return f"U{part.replace('_', '').upper()}"


def stamp() -> str:
    """A message timestamp that no other message has."""
    return f"1700000000.{next(_numbers):06d}"


def envelope(event: dict[str, Any]) -> dict[str, Any]:
    """An event as the Events API wraps it."""
    return {
        "token": "fictional",
        "team_id": TEAM,
        "api_app_id": "A00000001",
        "type": "event_callback",
        "event_id": f"Ev{next(_numbers):09d}",
        "event_time": int(time.time()),
        "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "event": event,
    }


def direct(part: str, text: str, **more: Any) -> dict[str, Any]:
    """A direct message to the bot."""
    ts = stamp()
    return envelope(
        {"type": "message", "channel": DIRECT, "channel_type": "im", "user": identity(part), "text": text, "ts": ts, "event_ts": ts, "team": TEAM}
        | more
    )


def mention(part: str, text: str, **more: Any) -> dict[str, Any]:
    """A mention of the bot in a channel."""
    ts = stamp()
    event = {
        "type": "app_mention",
        "channel": CHANNEL,
        "user": identity(part),
        "text": f"<@{BOT_USER}> {text}",
        "ts": ts,
        "event_ts": ts,
        "team": TEAM,
    }
    return envelope(event | more)


def click(part: str, message: dict[str, Any], button: dict[str, Any], *, thread: str, channel: str = DIRECT) -> dict[str, Any]:
    """A click on a button of a message that was posted in a thread."""
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "lumenway"},
        "user": {"id": identity(part), "team_id": TEAM},
        "api_app_id": "A00000001",
        "token": "fictional",
        "container": {"type": "message", "message_ts": "1800000000.000001", "channel_id": channel, "thread_ts": thread},
        "trigger_id": "1.2.3",
        "channel": {"id": channel, "name": "directmessage"},
        "message": {"type": "message", "ts": "1800000000.000001", "thread_ts": thread, "text": message.get("text", ""), "bot_id": "B00000001"},
        "response_url": "http://127.0.0.1:9/none",
        "actions": [
            {
                "type": "button",
                "action_id": button["action_id"],
                "block_id": "b1",
                "value": button["value"],
                "text": button["text"],
                "action_ts": stamp(),
            }
        ],
    }


def shown(message: dict[str, Any]) -> str:
    """Everything a reader of a message sees."""
    parts = [message.get("text") or ""]
    for block in message.get("blocks") or []:
        parts += [
            item["text"] if isinstance(item["text"], str) else item["text"]["text"] for item in [block, *block.get("elements", [])] if "text" in item
        ]
    return "\n".join(parts)


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons of a message."""
    return [item for block in message.get("blocks") or [] if block["type"] == "actions" for item in block["elements"]]
