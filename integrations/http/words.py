"""Taught words over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from assistant.language.teaching import check_word
from crm_core.services.words import ForgetWord, TaughtWordView, TeachWord, forget_word, taught_words, teach_word
from integrations.http.deps import Read, Write

router = APIRouter(prefix="/api/words", tags=["words"])


@router.get("")
def list_words(ctx: Read) -> list[TaughtWordView]:
    """The words that hold for the caller: everybody's and their own."""
    return taught_words(ctx)


@router.put("")
def teach(ctx: Write, arguments: TeachWord) -> TaughtWordView:
    """Teach a word; a meaning that is not understood is refused."""
    check_word(ctx, arguments.phrase, arguments.meaning)
    return teach_word(ctx, arguments)


@router.post("/forget")
def forget(ctx: Write, arguments: ForgetWord) -> TaughtWordView:
    """Forget a word."""
    return forget_word(ctx, arguments)
