"""Search over interactions: by meaning and by words, filtered and permitted in SQL, fused, cited.

A passage found by its words counts only where it covers at least half of the query's information (the summed
inverse document frequency of its words); measured, plain fusion with any-word matches makes paraphrases worse.
Every hit's rights are checked in SQL, whatever the index says.
"""

from __future__ import annotations

import math
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
from crm_core.metrics.query import Days
from crm_core.models import Activity, Chunk, Company, Contact, Ticket, User
from crm_core.periods import FAR_FUTURE, FAR_PAST
from crm_core.ports import VectorIndex
from crm_core.services.records import Args
from crm_core.services.search import STOP_WORDS, find_passages
from crm_core.text import fold

#: Chunks ranked exactly where filters leave no more than this many.
NARROW = 4000
POOL = 60
FUSION_K = 60
#: A nearest passage below this cosine similarity is not about the question.
FLOOR = 0.23
#: The same where filters (a company, a person) already say whose words are meant.
NARROW_FLOOR = 0.13
_COVERAGE = 0.5


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
    conditions = _conditions(ctx, args)
    notices: list[str] = []
    if not fold(args.query):
        hits = dict.fromkeys(_newest(ctx, conditions, args.limit), 1.0)
        return Passages(args.query, _load(ctx, hits, newest=True), len(hits), notices)
    ids = _allowed_ids(ctx, conditions)
    lexical = _lexical(ctx, args.query, conditions, ids)
    scores: dict[int, float] = {}
    try:
        if index is None:
            raise IndexUnavailable("the index is not running")
        if index.notice:
            notices.append(index.notice)
        vector = index.search(args.query, limit=POOL, allowed=ids)
        floor = NARROW_FLOOR if args.filters else FLOOR
        ranked = [hit for hit in vector if hit.score >= floor]
        for rank, hit in enumerate(ranked):
            scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + 1 / (FUSION_K + rank)
    except IndexUnavailable as error:
        notices.append(f"Searched by words only: {error}.")
    for rank, key in enumerate(lexical):
        scores[key] = scores.get(key, 0.0) + 1 / (FUSION_K + rank)
    permitted = _permitted(ctx, conditions, list(scores))
    scores = {key: score for key, score in scores.items() if key in permitted}
    passages = _load(ctx, scores, newest=args.newest_first)
    return Passages(args.query, passages[: args.limit], len(passages), notices)


def _conditions(ctx: Context, args: SearchInteractions) -> list[ColumnElement[bool]]:
    """Conditions on the chunk, rights included: activities under the filters, tickets where no filter forbids them."""
    shape = shape_for(ctx, "activity")
    clauses, joins = compile_conditions(ctx, shape, args.filters)
    activity = [visible(ctx, Activity), Activity.archived_at.is_(None), Activity.kind != "task", *clauses]
    ticket: list[ColumnElement[bool]] = [visible(ctx, Ticket), Ticket.archived_at.is_(None)]
    bounds = args.period.period(ctx.calendar).bounds(ctx.zone) if args.period else None
    if bounds and args.period:
        if args.period.first > FAR_PAST:
            activity.append(Activity.occurred_at >= bounds[0])
            ticket.append(Ticket.created_at >= bounds[0])
        if args.period.end < FAR_FUTURE:
            activity.append(Activity.occurred_at < bounds[1])
            ticket.append(Ticket.created_at < bounds[1])
    inner = shape.select_from(ctx, select(Activity.id), joins).where(*activity)
    permitted = and_(Chunk.noun == "activity", Chunk.record_id.in_(inner))
    also_tickets = _ticket_clauses(args)
    if also_tickets is None:
        return [permitted]
    tickets = select(Ticket.id).where(*ticket, *also_tickets)
    return [or_(permitted, and_(Chunk.noun == "ticket", Chunk.record_id.in_(tickets)))]


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


def _newest(ctx: Context, conditions: list[ColumnElement[bool]], limit: int) -> list[int]:
    query = (
        select(Chunk.id)
        .join(Activity, and_(Chunk.noun == "activity", Chunk.record_id == Activity.id))
        .where(*conditions, Chunk.position == 0)
        .order_by(Activity.occurred_at.desc())
        .limit(limit)
    )
    return list(ctx.session.scalars(query))


def _allowed_ids(ctx: Context, conditions: list[ColumnElement[bool]]) -> list[int] | None:
    """The permitted chunk ids where they are few, for exact ranking; None where they are many."""
    ids = list(ctx.session.scalars(select(Chunk.id).where(*conditions).limit(NARROW + 1)))
    return ids if len(ids) <= NARROW else None


def _permitted(ctx: Context, conditions: list[ColumnElement[bool]], ids: list[int]) -> set[int]:
    return set(ctx.session.scalars(select(Chunk.id).where(Chunk.id.in_(ids), *conditions))) if ids else set()


def _lexical(ctx: Context, query: str, conditions: list[ColumnElement[bool]], ids: list[int] | None) -> list[int]:
    """Chunks by words that cover at least half of the query's idf weight, best first."""
    allowed = Chunk.id.in_(ids) if ids is not None and len(ids) <= 500 else and_(*conditions)
    hits = find_passages(ctx, query, allowed=allowed, limit=POOL)
    if not hits:
        return []
    words = [word for word in fold(query).split() if word not in STOP_WORDS and len(word) > 1]
    total = ctx.session.scalar(select(func.count()).select_from(Chunk)) or 1
    texts = dict(ctx.session.execute(select(Chunk.id, Chunk.text).where(Chunk.id.in_([hit.chunk_id for hit in hits]))).all())
    folded = {key: set(_stems(fold(text))) for key, text in texts.items()}
    weights = {}
    for word in dict.fromkeys(words):
        seen = len(find_passages(ctx, word, limit=1000))
        weights[_stem(word)] = math.log(1 + total / (1 + seen))
    whole = sum(weights.values()) or 1.0
    covered = {key: sum(weight for stem, weight in weights.items() if stem in stems) / whole for key, stems in folded.items()}
    good = [hit for hit in hits if covered.get(hit.chunk_id, 0.0) >= _COVERAGE]
    return [hit.chunk_id for hit in sorted(good, key=lambda hit: (-round(covered[hit.chunk_id], 2), hit.rank))]


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in text.split()]


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
            at=_first(row[4], row[7]),
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
