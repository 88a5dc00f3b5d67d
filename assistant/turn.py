"""One turn: who asks what, when and where, and everything that comes of it while it is being answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from assistant.answer import Approval, Figure
from assistant.language.dialogue import Dialogue
from assistant.language.frames import Frame
from assistant.ledger import Ledger
from crm_core.ports import VectorIndex

Listener = Callable[[str, Any], None]


@dataclass
class Done:
    """A tool call that ran: its name, arguments and typed result, or the sentence of its refusal."""

    tool: str
    arguments: dict[str, Any]
    result: Any = None
    error: str = ""
    code: str = ""
    figure: Figure | None = None
    #: Where the call stands among those of the turn.
    place: int = 0


def approvals_of(done: Done) -> list[Approval]:
    """The changes that a call had made or proposed."""
    return [item for item in done.result if isinstance(item, Approval)] if isinstance(done.result, list) else []


@dataclass
class Turn:
    """The runtime context of the agent. The caller stands here and nowhere in a model's arguments."""

    engine: Engine
    user_id: int
    message: str
    now: datetime
    door: str
    index: VectorIndex | None = None
    dialogue: Dialogue = field(default_factory=Dialogue)
    previous_figures: list[Figure] = field(default_factory=list)
    history: list[tuple[str, str]] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    done: list[Done] = field(default_factory=list)
    frame: Frame | None = None
    proposals: list[Approval] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    model_name: str = "embedded"
    #: Whether the embedded model speaks: no other is set, it was sure, or the setting says so.
    embedded: bool = False
    #: Its reading of the message, where it was tried and found sure.
    reading: Frame | None = None
    #: Tokens sent to a real model and received, and the prompt's largest estimate.
    tokens_in: int = 0
    tokens_out: int = 0
    #: Most tokens that one prompt may have.
    token_budget: int = 8000
    #: Whether a call that could not be read was sent back once already.
    repaired: bool = False
    model_calls: int = 0
    #: Longest wait for one call of a real model, and when the turn began on the monotonic clock.
    model_seconds: float = 20.0
    started: float = field(default_factory=time.monotonic)
    #: Set when the real model failed and the embedded one took over.
    fell_back: bool = False
    #: Results that came before the embedded model took over; it does not speak of them.
    skipped: int = 0
    outcome: str = "answered"
    #: Ways in which the prompt's day may be written back.
    dates: tuple[str, ...] = ()
    lock: threading.RLock = field(default_factory=threading.RLock)
    listener: Listener = lambda _kind, _data: None

    def tell(self, kind: str, data: Any) -> None:
        """Tell whoever listens (a stream, Slack) what is going on."""
        self.listener(kind, data)
