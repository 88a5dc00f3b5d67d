"""Typed errors, each a sentence that says what to do next.

Every door translates them once: HTTP to a problem document, the terminal to one line, Slack and the
agent to a sentence. Nothing else may raise for a reason that a user can mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class RapportError(Exception):
    """Base of all errors that a user may read. ``str(error)`` is a whole sentence."""

    code = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NotFound(RapportError):
    """No such record, or none that the caller may see (the two are never told apart)."""

    code = "not_found"


class Invalid(RapportError):
    """An argument that cannot be used; the message names it and what would be accepted."""

    code = "invalid"


class NotAllowed(RapportError):
    """The caller lacks the right; nothing was changed."""

    code = "not_allowed"


class Conflict(RapportError):
    """The record moved since it was read, or a unique value is taken; ``details`` names what changed."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several records that a name may mean."""

    noun: str
    id: int
    label: str
    hint: str = ""


class Ambiguous(RapportError):
    """A name fits several records; ``candidates`` are offered, best first."""

    code = "ambiguous"

    def __init__(self, message: str, candidates: Sequence[Candidate]) -> None:
        super().__init__(message)
        self.candidates = list(candidates)


class NeedsApproval(RapportError):
    """The change is prepared but policy wants a human yes first; ``change_set_id`` holds it."""

    code = "needs_approval"

    def __init__(self, message: str, change_set_id: int) -> None:
        super().__init__(message, change_set_id=change_set_id)
        self.change_set_id = change_set_id
