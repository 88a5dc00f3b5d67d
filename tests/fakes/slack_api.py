"""A fake of Slack's Web API on the loopback: it knows people and channels, checks messages against Slack's documented limits, and records calls.

``FakeSlack`` is a context manager; ``url`` is what ``slack_api_url`` is set to. ``people`` maps Slack ids to the
``user`` objects of ``users.info``. ``fail_next`` queues one odd answer for a method: a rate limit, an error code, a
page that is no JSON, or a dropped connection. ``wait_for`` waits for recorded calls with a deadline.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

BOT_USER = "UBOT00001"
BOT_ID = "B00000001"
TEAM = "T00000001"
#: docs.slack.dev, reference of Block Kit and of chat.postMessage.
MAX_BLOCKS = 50
MAX_TEXT = 40_000
_TEXT_KINDS = ("mrkdwn", "plain_text")


class Malformed(Exception):
    """What Slack would answer ``invalid_blocks`` to."""


def need(condition: bool, reason: str) -> None:
    """Refuse a block."""
    if not condition:
        raise Malformed(reason)


def check_text(item: Any, longest: int, *, kinds: tuple[str, ...] = _TEXT_KINDS) -> None:
    """A text object: its kind, and at least one and at most ``longest`` characters."""
    need(isinstance(item, dict), "a text object is missing")
    need(item.get("type") in kinds, f"text of type {item.get('type')}")
    need(
        isinstance(item.get("text"), str) and 0 < len(item["text"]) <= longest,
        f"text of {len(item.get('text') or '')} characters, 1 to {longest} allowed",
    )
    need(set(item) <= {"type", "text", "emoji", "verbatim"}, f"unknown keys in text: {sorted(item)}")


def check_button(item: dict[str, Any]) -> None:
    """A button of an actions block or accessory."""
    need(item.get("type") == "button", f"element of type {item.get('type')}")
    check_text(item.get("text"), 75, kinds=("plain_text",))
    need(len(str(item.get("action_id", ""))) <= 255, "action_id is longer than 255")
    need(len(str(item.get("value", ""))) <= 2000, "value is longer than 2000")
    need(item.get("style") in (None, "primary", "danger"), f"style {item.get('style')}")
    need(len(str(item.get("url", ""))) <= 3000, "url is longer than 3000")


def check_block(block: Any) -> None:
    """One block against the reference."""
    need(isinstance(block, dict), "a block is not an object")
    need(len(str(block.get("block_id", ""))) <= 255, "block_id is longer than 255")
    kind = block.get("type")
    if kind == "section":
        need("text" in block or "fields" in block, "a section without text")
        if "text" in block:
            check_text(block["text"], 3000)
        fields = block.get("fields", [])
        need(len(fields) <= 10, "more than 10 fields")
        for item in fields:
            check_text(item, 2000)
        if "accessory" in block:
            check_button(block["accessory"])
    elif kind == "header":
        check_text(block.get("text"), 150, kinds=("plain_text",))
    elif kind == "context":
        elements = block.get("elements")
        need(isinstance(elements, list) and 1 <= len(elements) <= 10, "a context has 1 to 10 elements")
        for item in elements:
            check_text(item, 3000)
    elif kind == "actions":
        elements = block.get("elements")
        need(isinstance(elements, list) and 1 <= len(elements) <= 25, "actions have 1 to 25 elements")
        for item in elements:
            check_button(item)
        names = [item["action_id"] for item in elements if "action_id" in item]
        need(len(names) == len(set(names)), "an action_id stands twice in a block")
    elif kind == "markdown":
        need(isinstance(block.get("text"), str) and 0 < len(block["text"]) <= 12_000, "markdown has 1 to 12000 characters")
    else:
        need(kind == "divider", f"block of type {kind}")


def check_message(call: dict[str, Any]) -> str:
    """The error code that a message gets, or an empty string."""
    blocks = call.get("blocks") or []
    if not call.get("channel"):
        return "channel_not_found"
    if len(call.get("text") or "") > MAX_TEXT:
        return "msg_too_long"
    if not call.get("text") and not blocks:
        return "no_text"
    try:
        need(isinstance(blocks, list) and len(blocks) <= MAX_BLOCKS, "more than 50 blocks")
        for block in blocks:
            check_block(block)
        names = [block["block_id"] for block in blocks if "block_id" in block]
        need(len(names) == len(set(names)), "a block_id stands twice in a message")
    except Malformed as reason:
        call["refusal"] = str(reason)
        return "invalid_blocks"
    return ""


@dataclass
class Call:
    """A recorded call: its method, arguments, bearer token, and the error that it was given (empty where ok)."""

    method: str
    arguments: dict[str, Any]
    token: str
    error: str = ""


@dataclass
class Failure:
    """One odd answer: an HTTP status with headers, an error code, raw text instead of JSON, or no answer at all."""

    error: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None
    drop: bool = False


def person(identity: str, email: str | None, **more: Any) -> dict[str, Any]:
    """A ``users.info`` user with a confirmed address; ``None`` leaves the address out, as a missing scope does."""
    profile = {"real_name": identity, **({"email": email} if email is not None else {})}
    return {
        "id": identity,
        "team_id": TEAM,
        "name": identity.lower(),
        "deleted": False,
        "is_bot": False,
        "is_app_user": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_email_confirmed": True,
        "profile": profile,
        **more,
    }


class FakeSlack:
    """The server; one instance a test."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.failures: dict[str, list[Failure]] = {}
        self.always: dict[str, Failure] = {}
        self.posted = 0
        self._changed = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake._serve(self)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # --- what a test says and sees -----------------------------------------------------------------------

    def fail_next(self, method: str, **failure: Any) -> None:
        """Answer the next call of a method oddly."""
        self.failures.setdefault(method, []).append(Failure(**failure))

    def fail_always(self, method: str, **failure: Any) -> None:
        """Answer every call of a method oddly."""
        self.always[method] = Failure(**failure)

    def of(self, method: str) -> list[Call]:
        """The calls of a method so far."""
        with self._changed:
            return [call for call in self.calls if call.method == method]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that were accepted."""
        return [call.arguments for call in self.of("chat.postMessage") if not call.error]

    def wait_for(self, met: Callable[[], bool], what: str, seconds: float = 5.0) -> None:
        """Return as soon as a condition over the calls holds; fails after the deadline."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not met():
                left = deadline - time.monotonic()
                assert left > 0, f"{what} did not happen in {seconds} s; calls: {[(call.method, call.error) for call in self.calls]}"
                self._changed.wait(min(left, 0.5))

    def wait_for_messages(self, count: int = 1, seconds: float = 5.0) -> list[dict[str, Any]]:
        """The accepted messages, once there are so many."""
        self.wait_for(lambda: len(self.messages) >= count, f"message {count}", seconds)
        return self.messages

    # --- serving -----------------------------------------------------------------------------------------

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        method = request.path.partition("?")[0].removeprefix("/api/")
        arguments, readable = self._arguments(request, body)
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        call = Call(method, arguments, token or str(arguments.get("token", "")))
        with self._changed:
            queue = self.failures.get(method)
            failure = queue.pop(0) if queue else self.always.get(method)
            if failure is None:
                answer = self._answer(call) if readable else {"ok": False, "error": "invalid_json"}
                if not call.token.startswith("xoxb-"):
                    answer = {"ok": False, "error": "not_authed"}
                call.error = "" if answer["ok"] else answer["error"]
            else:
                answer = {"ok": False, "error": failure.error or "ratelimited"}
                call.error = "dropped" if failure.drop else answer["error"]
            self.calls.append(call)
            self._changed.notify_all()
        if failure is not None and failure.drop:
            request.close_connection = True
            return
        payload = (failure.raw if failure is not None and failure.raw is not None else json.dumps(answer)).encode()
        request.send_response(failure.status if failure else 200)
        request.send_header("Content-Type", "application/json; charset=utf-8")
        request.send_header("Content-Length", str(len(payload)))
        for name, value in (failure.headers if failure else {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(payload)

    def _arguments(self, request: BaseHTTPRequestHandler, body: str) -> tuple[dict[str, Any], bool]:
        found: dict[str, Any] = dict(parse_qsl(request.path.partition("?")[2]))
        if "json" in (request.headers.get("Content-Type") or ""):
            try:
                return found | json.loads(body or "{}"), True
            except ValueError:
                return found, False
        found |= dict(parse_qsl(body, keep_blank_values=True))
        for name in ("blocks", "prompts", "attachments"):
            if isinstance(found.get(name), str):
                try:
                    found[name] = json.loads(found[name])
                except ValueError:
                    return found, False
        return found, True

    def _answer(self, call: Call) -> dict[str, Any]:
        arguments = call.arguments
        if call.method == "auth.test":
            return {
                "ok": True,
                "url": "https://lumenway.example/",
                "team": "Lumenway",
                "user": "rapport",
                "team_id": TEAM,
                "user_id": BOT_USER,
                "bot_id": BOT_ID,
            }
        if call.method == "users.info":
            user = self.people.get(str(arguments.get("user")))
            return {"ok": True, "user": user} if user else {"ok": False, "error": "user_not_found"}
        if call.method == "chat.postMessage":
            error = check_message(arguments)
            if error:
                return {"ok": False, "error": error, "response_metadata": {"messages": [f"[ERROR] {arguments.get('refusal', error)}"]}}
            self.posted += 1
            return {
                "ok": True,
                "channel": arguments["channel"],
                "ts": f"1800000000.{self.posted:06d}",
                "message": {"text": arguments.get("text", "")},
            }
        if call.method in ("assistant.threads.setStatus", "assistant.threads.setSuggestedPrompts", "assistant.threads.setTitle"):
            return self._assistant(call.method, arguments)
        if call.method == "conversations.info":
            channel = str(arguments.get("channel", ""))
            return {"ok": True, "channel": {"id": channel, "is_im": channel.startswith("D")}}
        if call.method == "conversations.open":
            return {"ok": True, "channel": {"id": f"D{str(arguments.get('users', ''))[1:]}"}}
        if call.method in ("conversations.replies", "conversations.history"):
            return {"ok": True, "messages": [], "has_more": False}
        return {"ok": False, "error": "unknown_method"}

    def _assistant(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        wanted = ("channel_id",) if method.endswith("Prompts") else ("channel_id", "thread_ts")
        if any(not arguments.get(name) for name in wanted):
            return {"ok": False, "error": "invalid_arguments"}
        if method.endswith("Prompts"):
            prompts = arguments.get("prompts")
            good = isinstance(prompts, list) and 1 <= len(prompts) <= 4 and all(item.get("title") and item.get("message") for item in prompts)
            return {"ok": True} if good else {"ok": False, "error": "invalid_arguments"}
        if method.endswith("Status") and "status" not in arguments:
            return {"ok": False, "error": "invalid_arguments"}
        return {"ok": True}
