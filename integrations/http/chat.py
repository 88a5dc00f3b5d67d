"""Chat over HTTP: one answer as JSON, or as a stream of events while it is being made; threads and ratings."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assistant.answer import Answer
from assistant.conversation import ThreadView, TurnView, list_threads, rate, read_thread
from crm_core.errors import Invalid, RapportError
from integrations.http.deps import Caller, IdempotencyHeader, Product, once_across

router = APIRouter(prefix="/api", tags=["chat"])

#: Text goes out in pieces of about this many characters.
DELTA_CHARS = 40


class ChatMessage(BaseModel):
    """A message; leave ``thread`` out to begin a conversation."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"message": "How much did we win last quarter?"},
                {"message": "and by rep?", "thread": "t_9sBq2LwYx0aKc3Zd"},
            ]
        },
    )

    message: str = Field(description="What you want to know, in your own words.")
    thread: str | None = Field(default=None, max_length=80, description="The conversation to go on with.")
    now: AwareDatetime | None = Field(default=None, description="Clock of the question; only where RAPPORT_ALLOW_NOW is on.")


class Rating(BaseModel):
    """Thumbs up, down, or neither."""

    rating: int | None = Field(description="1, -1 or null.")


def _clock(product: Product, message: ChatMessage) -> datetime:
    """The moment of the question; its own only where the setting allows."""
    if message.now is not None and not product.settings.allow_now:
        raise Invalid("This server does not let a question set its clock; leave 'now' out.")
    return message.now or datetime.now(UTC)


Clock = Annotated[datetime, Depends(_clock)]


@router.post("/chat")
def chat(request: Request, product: Product, user_id: Caller, message: ChatMessage, moment: Clock, key: IdempotencyHeader = None) -> Answer:
    """Answer a message: text, blocks, figures with their origin, citations. A repeat with the same Idempotency-Key has no second effect."""

    def answer() -> Answer:
        return product.agent.answer(message.message, user_id, thread=message.thread, door="http", now=moment)

    answered: Answer = once_across(product, user_id, request, key, message, answer)
    return answered


@router.post("/chat/stream", response_class=EventSourceResponse)
def chat_stream(product: Product, user_id: Caller, message: ChatMessage, moment: Clock) -> Iterator[ServerSentEvent]:
    """The same answer as events: ``status`` while working, ``text`` in pieces, ``block``, then ``done`` with the whole answer; or ``problem``."""
    events: queue.Queue[tuple[str, Any] | None] = queue.Queue()

    def work() -> None:
        try:
            answer = product.agent.answer(
                message.message, user_id, thread=message.thread, door="http", now=moment, listener=lambda kind, data: events.put((kind, data))
            )
            for piece in pieces(answer.text):
                events.put(("text", piece))
            for block in answer.blocks:
                events.put(("block", block.model_dump(mode="json")))
            events.put(("done", answer.model_dump(mode="json")))
        except RapportError as error:
            events.put(("problem", {"code": error.code, "detail": error.message}))
        except Exception:  # noqa: BLE001 - the stream has begun; the reader must be told in it
            events.put(("problem", {"code": "error", "detail": "Something went wrong on my side. Please ask again."}))
        finally:
            events.put(None)

    threading.Thread(target=work, name="rapport-chat-stream", daemon=True).start()
    while (item := events.get()) is not None:
        yield ServerSentEvent(event=item[0], data=item[1])


def pieces(text: str) -> Iterator[str]:
    """The text in pieces that end at word ends."""
    current = ""
    for word in re.findall(r"\s*\S+\s*", text):
        current += word
        if len(current) >= DELTA_CHARS:
            yield current
            current = ""
    if current:
        yield current


@router.get("/threads")
def threads(product: Product, user_id: Caller) -> list[ThreadView]:
    """The caller's conversations, latest first."""
    return list_threads(product.engine, user_id)


@router.get("/threads/{thread_id}")
def thread(product: Product, user_id: Caller, thread_id: str) -> list[TurnView]:
    """A conversation's turns."""
    return read_thread(product.engine, user_id, thread_id)


@router.put("/threads/{thread_id}/turns/{number}/rating", status_code=204)
def rate_turn(product: Product, user_id: Caller, thread_id: str, number: int, rating: Rating) -> None:
    """Store thumbs up or down on an answer."""
    rate(product.engine, user_id, thread_id, number, rating.rating)
