"""Words that people teach: what a company or one person calls things, read as words that are known."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import or_, select, update

from crm_core.context import Context
from crm_core.errors import Invalid, NotAllowed, NotFound
from crm_core.events import event_row, record_events
from crm_core.models import Organisation, TaughtWord
from crm_core.services.history import user_name
from crm_core.services.records import Args
from crm_core.text import fold

#: A company keeps no more taught words than this; they are read with every message.
MOST = 2000


class TeachWord(Args):
    """A word and what it means."""

    phrase: str = Field(min_length=2, max_length=80, description="The word or phrase, such as 'logo'.")
    meaning: str = Field(
        min_length=2, max_length=300, description="What it stands for, in words that are understood, such as 'won deal of a new customer'."
    )
    company: bool = Field(default=False, description="For everybody rather than for the caller alone; managers and administrators only.")


class ForgetWord(Args):
    """Which word to forget."""

    phrase: str = Field(min_length=2, max_length=80, description="The word or phrase.")
    company: bool = Field(default=False, description="The one for everybody rather than the caller's own.")


class TaughtWordView(BaseModel):
    """A taught word, its meaning, and who taught it when."""

    phrase: str
    meaning: str
    company: bool
    taught_by: str
    taught_at: datetime


def teach_word(ctx: Context, args: TeachWord) -> TaughtWordView:
    """Teach a word: wherever it is said, its meaning is read. Taught again, it gets the new meaning.

    Raises NotAllowed where somebody without that right teaches for everybody.
    """
    owner = _owner(ctx, company=args.company)
    phrase, meaning = fold(args.phrase), " ".join(args.meaning.split())
    if not phrase or phrase == fold(meaning):
        raise Invalid("A word needs letters, and a meaning other than itself.")
    known = _word(ctx, phrase, owner)
    old = known.meaning if known is not None else None
    if known is None:
        if len(ctx.session.scalars(select(TaughtWord.id).limit(MOST)).all()) >= MOST:
            raise Invalid(f"There are {MOST} taught words already; forget some first.")
        known = TaughtWord(phrase=phrase, user_id=owner)
        ctx.session.add(known)
    known.meaning, known.taught_by, known.taught_at = meaning, ctx.actor.user_id, ctx.now
    ctx.session.flush()
    _record(ctx, known, {"phrase": [phrase if old else None, phrase], "meaning": [old, meaning]}, "updated" if old else "created")
    return _view(ctx, known)


def forget_word(ctx: Context, args: ForgetWord) -> TaughtWordView:
    """Forget a taught word. Raises NotFound where it was not taught."""
    known = _word(ctx, fold(args.phrase), _owner(ctx, company=args.company))
    if known is None:
        raise NotFound(f"The word '{args.phrase}' was not taught{' for everybody' if args.company else ' by you'}; there is nothing to forget.")
    view = _view(ctx, known)
    _record(ctx, known, {"phrase": [known.phrase, None], "meaning": [known.meaning, None], "user_id": [known.user_id, None]}, "archived")
    ctx.session.delete(known)
    ctx.session.flush()
    return view


def take_back_word(ctx: Context, word_id: int, changes: dict[str, tuple[Any, Any]]) -> list[str]:
    """Undo that a word was taught, taught anew or forgotten; returns what stands in the way.

    ``changes`` is field to old and new value, as its event told. Raises NotAllowed for a word that the caller may not teach.
    """
    phrase = str(changes["phrase"][1] or changes["phrase"][0])
    old, new = changes["meaning"]
    known = ctx.session.get(TaughtWord, word_id)
    if new is None:  # it was forgotten
        owner = changes.get("user_id", (None, None))[0]
        _may_teach(ctx, owner)
        if _word(ctx, phrase, owner) is not None:
            return [f"the word '{phrase}', which was taught again"]
        known = TaughtWord(phrase=phrase, user_id=owner, meaning=old, taught_by=ctx.actor.user_id, taught_at=ctx.now)
        ctx.session.add(known)
        ctx.session.flush()
        _record(ctx, known, {"phrase": [None, phrase], "meaning": [None, old]}, "created")
        return []
    if known is None or known.meaning != new:
        return [f"the word '{phrase}', which was taught anew or forgotten since"]
    _may_teach(ctx, known.user_id)
    if old is None:
        _record(ctx, known, {"phrase": [phrase, None], "meaning": [new, None], "user_id": [known.user_id, None]}, "archived")
        ctx.session.delete(known)
    else:
        known.meaning = old
        _record(ctx, known, {"phrase": [phrase, phrase], "meaning": [new, old]}, "updated")
    ctx.session.flush()
    return []


def _may_teach(ctx: Context, owner: int | None) -> None:
    if owner is None:
        _owner(ctx, company=True)
    elif owner != ctx.actor.user_id and not ctx.actor.is_admin:
        raise NotAllowed("This word is somebody else's own; ask them, or an administrator.")


def taught_words(ctx: Context) -> list[TaughtWordView]:
    """The words that hold for the caller, by phrase; the caller's own come after those of everybody, and win."""
    rows = ctx.session.scalars(
        select(TaughtWord)
        .where(or_(TaughtWord.user_id.is_(None), TaughtWord.user_id == ctx.actor.user_id))
        .order_by(TaughtWord.phrase, TaughtWord.id)
    ).all()
    return [_view(ctx, row) for row in sorted(rows, key=lambda row: row.user_id is not None)]


def _owner(ctx: Context, *, company: bool) -> int | None:
    if company and ctx.actor.role not in ("manager", "admin"):
        raise NotAllowed("Only a manager or an administrator may teach words for everybody; teach it for yourself instead.")
    return None if company else ctx.actor.user_id


def _word(ctx: Context, phrase: str, owner: int | None) -> TaughtWord | None:
    mine = TaughtWord.user_id.is_(None) if owner is None else TaughtWord.user_id == owner
    return ctx.session.scalar(select(TaughtWord).where(TaughtWord.phrase == phrase, mine))


def _view(ctx: Context, word: TaughtWord) -> TaughtWordView:
    return TaughtWordView(
        phrase=word.phrase,
        meaning=word.meaning,
        company=word.user_id is None,
        taught_by=user_name(ctx, word.taught_by) or "",
        taught_at=word.taught_at,
    )


def _record(ctx: Context, word: TaughtWord, changes: dict[str, list[Any]], kind: str) -> None:
    info = ctx.session.info
    row = event_row(
        "word", word.id, 1, kind, changes, at=ctx.now, actor_id=ctx.actor.user_id, door=info["door"], change_set_id=info.get("change_set_id")
    )
    record_events(ctx.session, [row])
    ctx.session.execute(
        update(Organisation).values(vocabulary_version=Organisation.vocabulary_version + 1).execution_options(synchronize_session=False)
    )
