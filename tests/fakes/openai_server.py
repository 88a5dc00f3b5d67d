"""A fake server of OpenAI's chat-completions protocol on the loopback, which answers from a queue and records what it is sent.

``say`` and ``call`` queue answers, ``fail`` queues errors, pages that are no JSON, silence, or bytes that trickle. A request that breaks the
protocol (a tool call without its result, a tool without a schema) is recorded in ``complaints`` and answered 400, as the real one does.
An empty queue answers with the last thing queued, so that an endless loop is one entry.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Reply:
    """One queued answer."""

    message: dict[str, Any] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    #: Seconds before anything is sent.
    wait: float = 0.0
    #: Seconds between single bytes.
    trickle: float = 0.0


@dataclass
class Asked:
    """One request: its body, and its headers by their names in small letters."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation that was sent."""
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    @property
    def prompt(self) -> str:
        """Everything that was sent as one text: messages, tools, all."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def tools(self) -> set[str]:
        """The names of the tools that were offered."""
        return {tool["function"]["name"] for tool in self.body.get("tools", [])}

    def results(self) -> list[str]:
        """What tools gave, in order."""
        return [str(message["content"]) for message in self.messages if message["role"] == "tool"]


def tool_call(name: str, arguments: dict[str, Any] | str, identity: str = "call_1") -> dict[str, Any]:
    """A call as the protocol writes it; arguments given as text stand as they are."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": written}}


def complaint(body: dict[str, Any]) -> str:
    """What breaks the protocol, or an empty string."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages is missing"
    open_calls: list[str] = []
    for message in messages:
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            return f"role {role}"
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return f"a tool result for {message.get('tool_call_id')}, which was not called"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"tool calls {open_calls} have no results"
        open_calls = [item["id"] for item in message.get("tool_calls") or []]
        if role == "assistant" and not message.get("content") and not open_calls:
            return "an assistant message without content"
    if open_calls:
        return f"tool calls {open_calls} have no results"
    for tool in body.get("tools", []):
        function = tool.get("function", {})
        if tool.get("type") != "function" or function.get("parameters", {}).get("type") != "object" or len(function.get("description", "")) > 1024:
            return f"tool {function.get('name')}"
    return ""


class FakeOpenAI:
    """The server; one instance a test."""

    def __init__(self) -> None:
        self.queue: list[Reply] = []
        self.asked: list[Asked] = []
        self.complaints: list[str] = []
        self._last = Reply(message={"role": "assistant", "content": "Nothing was queued."})
        self._lock = threading.Lock()
        self._closing = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake._serve(self)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # --- the script --------------------------------------------------------------------------------------

    def say(self, text: str, **more: Any) -> None:
        """Answer with words."""
        self.queue.append(Reply(message={"role": "assistant", "content": text}, **more))

    def call(self, *calls: dict[str, Any], text: str | None = None) -> None:
        """Answer with tool calls; see ``tool_call``."""
        numbered = [item | {"id": f"call_{len(self.queue)}_{place}"} for place, item in enumerate(calls)]
        self.queue.append(Reply(message={"role": "assistant", "content": text, "tool_calls": numbered}))

    def fail(self, status: int = 200, *, raw: bytes | None = None, wait: float = 0.0, trickle: float = 0.0, **headers: str) -> None:
        """Answer with an error, with bytes, late, or slowly."""
        body = raw if raw is not None else json.dumps({"error": {"message": "scripted", "type": "scripted", "code": "scripted"}}).encode()
        self.queue.append(
            Reply(status=status, raw=body, wait=wait, trickle=trickle, headers={key.replace("_", "-"): value for key, value in headers.items()})
        )

    # --- serving -----------------------------------------------------------------------------------------

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers.get("Content-Length") or 0)) or b"{}")
        with self._lock:
            self.asked.append(Asked(body, {name.lower(): value for name, value in request.headers.items()}))
            wrong = complaint(body) if request.path.endswith("/chat/completions") else f"path {request.path}"
            if wrong:
                self.complaints.append(wrong)
                reply = Reply(status=400, raw=json.dumps({"error": {"message": wrong, "type": "invalid_request_error"}}).encode())
            else:
                reply = self._last = self.queue.pop(0) if self.queue else self._last
        self._closing.wait(reply.wait)
        payload, kind = self._payload(reply, body)
        try:
            request.send_response(reply.status)
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", str(len(payload)))
            for name, value in reply.headers.items():
                request.send_header(name, value)
            request.end_headers()
            if reply.trickle:
                for place in range(len(payload)):
                    request.wfile.write(payload[place : place + 1])
                    request.wfile.flush()
                    if self._closing.wait(reply.trickle):
                        return
            else:
                request.wfile.write(payload)
        except OSError:
            request.close_connection = True  # the caller gave up, as a test of time limits wants

    def _payload(self, reply: Reply, body: dict[str, Any]) -> tuple[bytes, str]:
        if reply.raw is not None:
            return reply.raw, "application/json"
        assert reply.message is not None
        message = {"refusal": None, **reply.message}
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}
        whole = {"id": "chatcmpl-1", "created": int(time.time()), "model": body.get("model", "test")}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            return json.dumps(whole | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode(), "application/json"
        calls = [item | {"index": place} for place, item in enumerate(message.get("tool_calls") or [])]
        delta = {"role": "assistant", "content": message.get("content"), **({"tool_calls": calls} if calls else {})}
        chunks = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {"choices": [], "usage": usage},
        ]
        lines = [f"data: {json.dumps(whole | {'object': 'chat.completion.chunk'} | chunk)}\n\n" for chunk in chunks]
        return ("".join(lines) + "data: [DONE]\n\n").encode(), "text/event-stream"
