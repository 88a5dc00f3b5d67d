"""Threads and turns: what was said before, kept in our own tables, each person with their own rights.

A thread has one owner; a shared thread (a Slack channel's) may be joined by others, but each turn keeps who
asked, and what a turn leans on (frame, figures) is only ever the same person's last turn.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Engine, desc, func, select

from assistant.answer import Answer, Figure
from assistant.language.dialogue import REMEMBERED, Dialogue
from assistant.language.frames import Frame
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid, NotFound
from crm_core.models import Thread
from crm_core.models import Turn as TurnRow

HISTORY_TURNS = 6
SHARED_DOORS = ("slack",)


@dataclass
class Memory:
    """What the next turn may lean on."""

    thread: str
    dialogue: Dialogue = field(default_factory=Dialogue)
    figures: list[Figure] = field(default_factory=list)
    history: list[tuple[str, str]] = field(default_factory=list)


class ThreadView(BaseModel):
    """A conversation in a list."""

    id: str
    title: str
    updated_at: datetime
    turns: int


class TurnView(BaseModel):
    """One message and its answer."""

    number: int
    at: datetime
    message: str
    answer: dict[str, Any]
    rating: int | None


def new_thread_id() -> str:
    """A fresh, unguessable thread id."""
    return f"t_{secrets.token_urlsafe(12)}"


def recall(engine: Engine, user_id: int, thread_id: str | None) -> Memory:
    """The person's last frame, figures and exchanges in the thread; raises ``NotFound`` for somebody else's thread."""
    if thread_id is None:
        return Memory(new_thread_id())
    if len(thread_id) > 80 or not thread_id.isprintable() or not thread_id.strip():
        raise Invalid("A thread id has 1 to 80 printable characters; leave it out to begin a new conversation.")
    with unit_of_work(engine, user_id, write=False) as ctx:
        thread = ctx.session.get(Thread, thread_id)
        if thread is None:
            return Memory(thread_id)
        _check(ctx, thread)
        rows = ctx.session.scalars(
            select(TurnRow).where(TurnRow.thread_id == thread_id, TurnRow.user_id == user_id).order_by(TurnRow.number.desc()).limit(4 * REMEMBERED)
        ).all()
    memory = Memory(thread_id, history=[(row.message, str(row.answer.get("text", ""))) for row in reversed(rows[:HISTORY_TURNS])])
    frames = [Frame.model_validate(row.frame) for row in reversed(rows) if row.frame]
    last = frames[-1].unfinished if rows and rows[0].frame else ""
    memory.dialogue = Dialogue([frame for frame in frames if not frame.unfinished][-REMEMBERED:], unfinished=last)
    figured = next((row for row in rows if row.answer.get("figures")), None)
    if figured is not None:
        memory.figures = [Figure.model_validate(item) for item in figured.answer["figures"]]
    return memory


def keep(engine: Engine, user_id: int, door: str, thread_id: str, message: str, answer: Answer, frame: Frame | None, now: datetime) -> int:
    """Store a turn; returns its number in the thread."""
    with unit_of_work(engine, user_id, write=True) as ctx:
        thread = ctx.session.get(Thread, thread_id)
        if thread is None:
            thread = Thread(id=thread_id, owner_id=user_id, door=door, title=" ".join(message.split())[:80], created_at=now, updated_at=now)
            ctx.session.add(thread)
            ctx.session.flush()
        _check(ctx, thread)
        thread.updated_at = now
        number = (ctx.session.scalar(select(func.max(TurnRow.number)).where(TurnRow.thread_id == thread_id)) or 0) + 1
        answer.thread, answer.turn = thread_id, number
        ctx.session.add(
            TurnRow(
                thread_id=thread_id,
                number=number,
                user_id=user_id,
                at=now,
                message=message[:20_000],
                answer=answer.model_dump(mode="json"),
                frame=frame.plain() if frame is not None else None,
            )
        )
        return number


def list_threads(engine: Engine, user_id: int, *, limit: int = 30) -> list[ThreadView]:
    """The person's own conversations, latest first."""
    with unit_of_work(engine, user_id, write=False) as ctx:
        rows = ctx.session.execute(
            select(Thread.id, Thread.title, Thread.updated_at, func.count(TurnRow.id))
            .join(TurnRow)
            .where(Thread.owner_id == user_id)
            .group_by(Thread.id, Thread.title, Thread.updated_at)
            .order_by(desc(Thread.updated_at))
            .limit(limit)
        ).all()
    return [ThreadView(id=row[0], title=row[1], updated_at=row[2], turns=row[3]) for row in rows]


def read_thread(engine: Engine, user_id: int, thread_id: str) -> list[TurnView]:
    """A conversation's turns, oldest first; in a shared one only the person's own."""
    with unit_of_work(engine, user_id, write=False) as ctx:
        thread = ctx.session.get(Thread, thread_id)
        if thread is None:
            raise NotFound("There is no such conversation of yours.")
        _check(ctx, thread)
        rows = ctx.session.scalars(select(TurnRow).where(TurnRow.thread_id == thread_id, TurnRow.user_id == user_id).order_by(TurnRow.number))
        return [TurnView(number=row.number, at=row.at, message=row.message, answer=row.answer, rating=row.rating) for row in rows]


def rate(engine: Engine, user_id: int, thread_id: str, number: int, rating: int | None) -> None:
    """Thumbs up (1), down (-1) or neither on one's own turn."""
    if rating not in (-1, 1, None):
        raise Invalid("A rating is 1, -1 or null.")
    if not 0 <= number < 2**31:
        raise NotFound("There is no such answer of yours to rate.")
    with unit_of_work(engine, user_id, write=True) as ctx:
        row = ctx.session.scalar(select(TurnRow).where(TurnRow.thread_id == thread_id, TurnRow.number == number, TurnRow.user_id == user_id))
        if row is None:
            raise NotFound("There is no such answer of yours to rate.")
        row.rating = rating


def _check(ctx: Context, thread: Thread) -> None:
    if thread.owner_id == ctx.actor.user_id:
        return
    if thread.door in SHARED_DOORS:
        return
    raise NotFound("There is no such conversation of yours.")
