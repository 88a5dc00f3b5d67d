"""Notes: facts in free text, and the proposal that comes of them."""

from __future__ import annotations

from fastapi import APIRouter

from assistant.notes import TakenNote, TakeNote, take_note
from integrations.http.deps import Write

router = APIRouter(tags=["notes"])


@router.post("/api/notes", status_code=201)
def note(ctx: Write, wanted: TakeNote) -> TakenNote:
    """Read a note, mail thread or transcript: facts with the words they rest on, what is still open, and a proposal to log it."""
    return take_note(ctx, wanted)
