"""The question for what a change lacks; its answer is read as the end of the message (``edits/finishing``)."""

from __future__ import annotations

from assistant.language.frames import Frame
from crm_core.context import Context
from crm_core.services.records import picklists
from crm_core.text import join_words

#: Stands between a deal that was lost and the reason.
BECAUSE = ", because of"


def lacking(question: str, clause: str, joint: str) -> Frame:
    """The question for what a clause lacks; ``joint`` are the words by which the answer goes on with it."""
    return Frame(intent="unknown", detail=question, unfinished=f"{clause.strip().rstrip(' .,;:!')}{joint} ")


def why_lost(ctx: Context) -> str:
    """The question for the reason of a loss."""
    reasons = picklists(ctx, "deal").get("loss_reason", [])
    return f"Why was it lost: {join_words(reasons, 'or')}?" if reasons else "Why was it lost?"
