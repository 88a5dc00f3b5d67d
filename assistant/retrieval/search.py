"""Search over interactions: by meaning and by words, filtered and permitted in SQL, fused, cited.

A passage found by its words counts only where it covers at least half of the query's information (the summed
inverse document frequency of its words); measured, plain fusion with any-word matches makes paraphrases worse.
Every hit's rights are checked in SQL, whatever the index says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, and_, func, or_, select

from assistant.retrieval.index import IndexUnavailable
from crm_core.access import visible
from crm_core.context import Context
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Condition, Filter, compile_conditions
from crm_core.metrics.question import Days
from crm_core.models import Activity, Chunk, Company, Contact, Ticket, User
from crm_core.periods import FAR_FUTURE, FAR_PAST
from crm_core.ports import VectorIndex
from crm_core.services.records import Args
from crm_core.services.search import content_words, find_passages, passages_with
from crm_core.text import fold

#: Chunks ranked exactly where filters leave no more than this many.
NARROW = 4000
POOL = 60
FUSION_K = 60
#: A nearest passage below this cosine similarity is not about the question.
FLOOR = 0.23
#: The same where filters (a company, a person) already say whose words are meant.
NARROW_FLOOR = 0.13
#: The same where half of several words stand in no passage at all: nobody here speaks of the matter.
STRANGE_FLOOR = 0.32
#: The same where nothing narrows the question and any of its words is strange; and where it has many words, half of them strange:
#: "why does my script say 'permission denied'?" has a neighbour everywhere.
ADRIFT_FLOOR, LOST_FLOOR = 0.36, 0.5
#: Words from which on a question is long enough to tell by their strangeness what it is not about.
MANY_WORDS = 5
_COVERAGE = 0.5
#: A word in more passages than this is as common as any.
MOST_COUNTED = 20_000


class SearchInteractions(Args):
    """What to look for in notes, mails, calls, meetings and tickets."""

    query: str = Field(default="", max_length=500, description="What was said, in any words, such as 'worries about price'.")
    filters: list[Condition] = Field(default_factory=list, description="Conditions on the activity: company, contact, owner, deal, kind, direction.")
    period: Days | None = Field(default=None, description="When it was said.")
    newest_first: bool = Field(default=False, description="Latest first instead of best first.")
    limit: int = Field(default=5, ge=1, le=25, description="Passages to return.")


@dataclass
class Passage:
    """A passage with what is needed to cite it."""

    noun: str
    id: int
    at: datetime
    kind: str
    title: str
    text: str
    who: str
    by: str
    company: str
    score: float


@dataclass
class Passages:
    """Passages, best first, with notices about how they were found."""

    query: str
    found: list[Passage]
    candidates: int
    notices: list[str] = field(default_factory=list)


def search_interactions(ctx: Context, args: SearchInteractions, index: VectorIndex | None) -> Passages:
    """Find passages; from full text alone, with a notice, where the vector index cannot answer."""
    scope = _Scope(ctx, args)
    notices: list[str] = []
    if not fold(args.query):
        hits = dict.fromkeys(scope.newest(args.limit), 1.0)
        return Passages(args.query, _load(ctx, hits, newest=True), len(hits), notices)
    ids = scope.few()
    seen = {word: passages_with(ctx, word, limit=MOST_COUNTED) for word in content_words(args.query)}
    ranked = [_lexical(ctx, seen, scope, ids)]
    try:
        if index is None:
            raise IndexUnavailable("the index is not running")
        if index.notice:
            notices.append(index.notice)
        ranked.append(_by_meaning(index, args, scope, ids, _floor(args, seen)))
    except IndexUnavailable as error:
        notices.append(f"Searched by words only: {error}.")
    scores: dict[int, float] = {}
    for found in ranked:
        for rank, key in enumerate(found):
            scores[key] = scores.get(key, 0.0) + 1 / (FUSION_K + rank)
    passages = _load(ctx, scores, newest=args.newest_first)
    return Passages(args.query, passages[: args.limit], len(passages), notices)


def _floor(args: SearchInteractions, seen: dict[str, int]) -> float:
    """How near a passage must be in meaning; nearer, the more of the question's words nobody ever used here."""
    strange = sum(not passages for passages in seen.values())
    if not args.filters and strange:
        return LOST_FLOOR if len(seen) >= MANY_WORDS and strange * 2 >= len(seen) else ADRIFT_FLOOR
    if not args.filters:
        return FLOOR
    return STRANGE_FLOOR if len(seen) > 1 and strange * 2 >= len(seen) else NARROW_FLOOR


def _by_meaning(index: VectorIndex, args: SearchInteractions, scope: _Scope, ids: list[int] | None, floor: float) -> list[int]:
    """Permitted chunks at least as near as ``floor``, nearest first; a caller who may see few of the nearest is looked for further down."""
    near: list[int] = []
    for pool in (POOL, POOL * 10):
        hits = index.search(args.query, limit=pool, allowed=ids)
        permitted = scope.permitted(hit.chunk_id for hit in hits)
        near = [hit.chunk_id for hit in hits if hit.score >= floor and hit.chunk_id in permitted][:POOL]
        if len(near) >= args.limit or len(hits) < pool or hits[-1].score < floor:
            break
    return near


class _Scope:
    """Which chunks may be found: activities under the filters, tickets where no filter forbids them; rights included.

    Wide scopes are checked row by row where a search has found something; narrow ones are listed from their records.
    """

    def __init__(self, ctx: Context, args: SearchInteractions) -> None:
        self.ctx = ctx
        shape = shape_for(ctx, "activity")
        clauses, joins = compile_conditions(ctx, shape, args.filters)
        activity = [visible(ctx, Activity), Activity.archived_at.is_(None), Activity.kind != "task", *clauses]
        also_tickets = _ticket_clauses(args)
        ticket = [visible(ctx, Ticket), Ticket.archived_at.is_(None), *(also_tickets or [])]
        if args.period is not None:
            since, until = args.period.period(ctx.calendar).bounds(ctx.zone)
            if args.period.first > FAR_PAST:
                activity.append(Activity.occurred_at >= since)
                ticket.append(Ticket.created_at >= since)
            if args.period.end < FAR_FUTURE:
                activity.append(Activity.occurred_at < until)
                ticket.append(Ticket.created_at < until)
        self.activities = shape.select_from(ctx, select(Activity.id), joins).where(*activity)
        self.tickets = select(Ticket.id).where(*ticket) if also_tickets is not None else None

    def allows(self) -> ColumnElement[bool]:
        """The condition on one chunk."""
        activity = self.activities.where(Activity.id == Chunk.record_id).correlate(Chunk).exists()
        allowed = and_(Chunk.noun == "activity", activity)
        if self.tickets is None:
            return allowed
        return or_(allowed, and_(Chunk.noun == "ticket", self.tickets.where(Ticket.id == Chunk.record_id).correlate(Chunk).exists()))

    def few(self) -> list[int] | None:
        """All chunks in the scope where they are no more than ``NARROW``, for exact ranking; None where they are more."""
        ids: list[int] = []
        for noun, records in (("activity", self.activities), ("ticket", self.tickets)):
            if records is not None:
                column = Activity.id if noun == "activity" else Ticket.id
                chunks = records.join(Chunk, and_(Chunk.noun == noun, Chunk.record_id == column)).with_only_columns(Chunk.id)
                ids += self.ctx.session.scalars(chunks.limit(NARROW + 1 - len(ids)))
            if len(ids) > NARROW:
                return None
        return ids

    def newest(self, limit: int) -> list[int]:
        """The first chunks of the latest activities."""
        chunks = self.activities.join(Chunk, and_(Chunk.noun == "activity", Chunk.record_id == Activity.id)).with_only_columns(Chunk.id)
        return list(self.ctx.session.scalars(chunks.where(Chunk.position == 0).order_by(Activity.occurred_at.desc()).limit(limit)))

    def permitted(self, ids: Iterable[int]) -> set[int]:
        """Those of the chunks that are in the scope."""
        wanted = list(ids)
        return set(self.ctx.session.scalars(select(Chunk.id).where(Chunk.id.in_(wanted), self.allows()))) if wanted else set()


def _ticket_clauses(args: SearchInteractions) -> list[ColumnElement[bool]] | None:
    """The filters as far as tickets know them; None where one does not fit a ticket."""
    clauses: list[ColumnElement[bool]] = []
    columns: dict[str, Any] = {"company": Ticket.company_id, "contact": Ticket.contact_id, "owner": Ticket.owner_id}
    for item in args.filters:
        if not isinstance(item, Filter) or item.field not in columns or item.op != "is":
            return None
        if not all(isinstance(value, int) for value in item.values):
            return None
        clauses.append(columns[item.field].in_(item.values))
    return clauses


def _lexical(ctx: Context, seen: dict[str, int], scope: _Scope, ids: list[int] | None) -> list[int]:
    """Chunks by words that cover at least half of the query's idf weight, best first; ``seen`` are its words and their passages.

    A passage with half of the weight holds one of the rare words: those without which half cannot be reached. Only
    they are looked up, so that a word that stands in every second passage costs nothing.
    """
    words = list(seen)
    if not words:
        return []
    total = ctx.session.scalar(select(func.max(Chunk.id))) or 1
    weight = {word: math.log(1 + total / (1 + seen[word])) for word in words}
    whole = sum(weight[word] for word in words)
    rare: list[str] = []
    left = whole
    for word in sorted(words, key=lambda item: -weight[item]):
        if left < whole * _COVERAGE:
            break
        rare.append(word)
        left -= weight[word]
    allowed = Chunk.id.in_(ids) if ids is not None and len(ids) <= 500 else scope.allows()
    hits = find_passages(ctx, words, every=True, allowed=allowed, limit=POOL)
    if len(hits) < POOL:  # else no passage with some of the words could come before those with all
        hits = find_passages(ctx, rare, allowed=allowed, limit=POOL)
    texts = dict(ctx.session.execute(select(Chunk.id, Chunk.text).where(Chunk.id.in_([hit.chunk_id for hit in hits]))).all())
    stems = {key: {_stem(word) for word in fold(text).split()} for key, text in texts.items()}
    covered = {key: sum(weight[word] for word in words if _stem(word) in known) / whole for key, known in stems.items()}
    good = [hit for hit in hits if covered.get(hit.chunk_id, 0.0) >= _COVERAGE]
    return [hit.chunk_id for hit in sorted(good, key=lambda hit: (-round(covered[hit.chunk_id], 2), hit.rank))]


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def _load(ctx: Context, scores: dict[int, float], *, newest: bool) -> list[Passage]:
    """Passages of the scored chunks, one a record, best (or newest) first."""
    if not scores:
        return []
    rows = ctx.session.execute(
        select(
            Chunk.id,
            Chunk.noun,
            Chunk.record_id,
            Chunk.text,
            Activity.occurred_at,
            Activity.kind,
            Activity.subject,
            Ticket.created_at,
            Ticket.subject,
            func.coalesce(Activity.contact_id, Ticket.contact_id),
            func.coalesce(Activity.owner_id, Ticket.owner_id),
            func.coalesce(Activity.company_id, Ticket.company_id),
        )
        .outerjoin(Activity, and_(Chunk.noun == "activity", Chunk.record_id == Activity.id))
        .outerjoin(Ticket, and_(Chunk.noun == "ticket", Chunk.record_id == Ticket.id))
        .where(Chunk.id.in_(list(scores)))
    ).all()
    people = _names(ctx, Contact, {row[9] for row in rows})
    users = _names(ctx, User, {row[10] for row in rows})
    companies = _names(ctx, Company, {row[11] for row in rows})
    best: dict[tuple[str, int], Passage] = {}
    for row in rows:
        passage = Passage(
            noun=row[1],
            id=row[2],
            at=_first(row[4], row[7]).astimezone(ctx.zone),
            kind=row[5] or "ticket",
            title=row[6] or row[8] or "",
            text=row[3],
            who=people.get(row[9], ""),
            by=users.get(row[10], ""),
            company=companies.get(row[11], ""),
            score=scores[row[0]],
        )
        key = (row[1], row[2])
        if key not in best or best[key].score < passage.score:
            best[key] = passage
    return sorted(best.values(), key=lambda item: (item.at if newest else item.score, item.id), reverse=True)


def _first(*moments: Any) -> datetime:
    """The first of some moments that is there; an outer join leaves the others empty."""
    found: datetime = next(moment for moment in moments if moment is not None)
    return found


def _names(ctx: Context, model: Any, ids: set[int | None]) -> dict[int, str]:
    wanted = [key for key in ids if key is not None]
    if not wanted:
        return {}
    query = select(model.id, model.name).where(model.id.in_(wanted), visible(ctx, model))
    return {row[0]: row[1] for row in ctx.session.execute(query)}
