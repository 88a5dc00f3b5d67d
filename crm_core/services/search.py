"""Finding: records by forgiving names, passages by words; and the upkeep of the derived text.

Search keys (folded names, initials, e-mail addresses, phone digits, domains) and chunks of interaction text
are rewritten in the same transaction as the record, by derivers of the event recorder. Both can be rebuilt
from the records at any time (``rebuild_search``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from rapidfuzz import fuzz
from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    and_,
    bindparam,
    case,
    column,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from crm_core.access import visible
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.events import derive
from crm_core.models import (
    NOUNS,
    Activity,
    Chunk,
    Company,
    Contact,
    Deal,
    Lead,
    Noun,
    Organisation,
    Product,
    SearchEntry,
    User,
)
from crm_core.services.records import Args, model_of
from crm_core.text import digits, fold, initials

SEARCHED = ("company", "contact", "lead", "deal", "ticket", "product", "user")
#: Passages are cut near this many characters, at a sentence where there is one.
CHUNK_CHARS = 700
#: Below this likeness (0-100) a fuzzy match is noise.
FUZZY_FLOOR = 72
_FUZZY_POOL = 200
#: Fields whose change asks for new keys or new chunks.
_KEYED = frozenset({"name", "subject", "email", "phone", "domain", "code", "company_name", "archived_at"})
_CHUNKED = frozenset({"subject", "body", "description", "archived_at"})
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n{2,}")


class FindRecords(Args):
    """What to look for."""

    text: str = Field(min_length=1, max_length=300, description="Name, initials, e-mail, phone or part of them.")
    nouns: list[str] = Field(default_factory=list, description="Record kinds to look in; all where left out.")
    limit: int = Field(default=10, ge=1, le=100, description="Matches to show.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Matches to skip.")


class Match(BaseModel):
    """A record found. ``score`` is 100 for the exact name, less for parts and likeness."""

    noun: str
    id: int
    label: str
    hint: str = ""
    score: float


class Found(BaseModel):
    """Matches, best first; ``total`` counts all of them, ``fuzzy`` tells that none matched to the letter."""

    matches: list[Match]
    total: int
    fuzzy: bool


# --- Upkeep ---------------------------------------------------------------------------------------------


def keys_of(record: Noun) -> dict[tuple[str, str], None]:
    """The record's search keys as (kind, key), without repeats."""
    keys: dict[tuple[str, str], None] = {}

    def add(kind: str, value: str | None) -> None:
        if value:
            keys[(kind, value[:400])] = None

    name = getattr(record, "name", None) or getattr(record, "subject", None) or ""
    add("name", fold(name))
    if isinstance(record, Company | Contact | User):
        add("initials", initials(name))
    if isinstance(record, Contact | Lead | User) and record.email:
        add("email", record.email.lower())
    if isinstance(record, Company | Contact | Lead) and record.phone:
        add("phone", digits(record.phone))
    if isinstance(record, Company) and record.domain:
        add("domain", record.domain.lower())
    if isinstance(record, Lead):
        add("company", fold(record.company_name or ""))
    if isinstance(record, Product):
        add("code", fold(record.code or ""))
    return keys


def chunks_of(title: str, body: str) -> list[str]:
    """Passages of about ``CHUNK_CHARS``, each headed by the title so that it can stand alone."""
    body = body.strip()
    if len(title) + len(body) <= CHUNK_CHARS:
        return [f"{title}\n{body}".strip()]
    passages: list[str] = []
    current = ""
    for sentence in _SENTENCE.split(body):
        pieces = [sentence[at : at + CHUNK_CHARS] for at in range(0, len(sentence), CHUNK_CHARS)] or [""]
        for piece in pieces:
            if current and len(current) + len(piece) > CHUNK_CHARS:
                passages.append(current)
                current = ""
            current = f"{current} {piece}".strip()
    if current:
        passages.append(current)
    return [f"{title}\n{passage}" for passage in passages]


@derive(*SEARCHED)
def _keep_keys(session: Session, record: Noun, changes: dict[str, list[Any]]) -> None:
    if not _KEYED & changes.keys():
        return
    created = "created_at" in changes and changes["created_at"][0] is None
    if not created:
        session.execute(
            delete(SearchEntry)
            .where(SearchEntry.noun == record.__noun__, SearchEntry.record_id == record.id)
            .execution_options(synchronize_session=False)
        )
    rows = [{"noun": record.__noun__, "record_id": record.id, "kind": kind, "key": key} for kind, key in keys_of(record)]
    if rows and record.archived_at is None:
        session.execute(insert(SearchEntry), rows)
    if isinstance(record, Product | User):
        _touch_vocabulary(session)


@derive("activity", "ticket")
def _keep_chunks(session: Session, record: Noun, changes: dict[str, list[Any]]) -> None:
    if not _CHUNKED & changes.keys():
        return
    session.execute(delete(Chunk).where(Chunk.noun == record.__noun__, Chunk.record_id == record.id).execution_options(synchronize_session=False))
    if record.archived_at is None:
        session.execute(insert(Chunk), chunk_rows(record))


def chunk_rows(record: Noun) -> list[dict[str, Any]]:
    """Rows of the ``chunk`` table for an activity or ticket."""
    body = getattr(record, "body", None) if isinstance(record, Activity) else getattr(record, "description", "")
    subject = getattr(record, "subject", "")
    return [
        {"noun": record.__noun__, "record_id": record.id, "position": position, "text": passage}
        for position, passage in enumerate(chunks_of(subject, body or ""))
    ]


def _touch_vocabulary(session: Session) -> None:
    session.execute(update(Organisation).values(vocabulary_version=Organisation.vocabulary_version + 1).execution_options(synchronize_session=False))


def rebuild_search(ctx: Context) -> tuple[int, int]:
    """Write all search keys and chunks anew from the records; returns how many of each."""
    ctx.session.execute(delete(SearchEntry))
    ctx.session.execute(delete(Chunk))
    counts = [0, 0]
    for noun, model in NOUNS.items():
        for record in ctx.session.scalars(select(model).where(model.archived_at.is_(None)).execution_options(yield_per=1000)):
            if noun in SEARCHED:
                rows = [{"noun": noun, "record_id": record.id, "kind": kind, "key": key} for kind, key in keys_of(record)]
                if rows:
                    ctx.session.execute(insert(SearchEntry), rows)
                counts[0] += len(rows)
            if noun in ("activity", "ticket"):
                pieces = chunk_rows(record)
                ctx.session.execute(insert(Chunk), pieces)
                counts[1] += len(pieces)
    return counts[0], counts[1]


# --- Records by name ------------------------------------------------------------------------------------


def find_records(ctx: Context, args: FindRecords, *, fuzzy: bool = True) -> Found:
    """Find records by name, part of a name, initials, e-mail or phone, forgiving accents, case and typos."""
    nouns = [noun for noun in (args.nouns or SEARCHED) if model_of(noun)]
    unsearched = [noun for noun in nouns if noun not in SEARCHED]
    if unsearched:
        raise Invalid(f"{unsearched[0]} records are found by their text; search the interactions instead.")
    wanted = _wanted(args.text)
    if not wanted:
        return Found(matches=[], total=0, fuzzy=False)
    matches, total = _find_to_the_letter(ctx, nouns, wanted, args)
    if total or not fuzzy:
        return Found(matches=matches, total=total, fuzzy=False)
    pools = _alike_ids(ctx, nouns, wanted["name"]) if len(wanted.get("name", "")) >= 3 else {}
    for noun, ids in pools.items():
        matches += _find_alike(ctx, noun, wanted["name"], ids)
    matches.sort(key=lambda match: (-match.score, match.label, match.id))
    return Found(matches=matches[args.offset : args.offset + args.limit], total=len(matches), fuzzy=True)


def _wanted(raw: str) -> dict[str, str]:
    """The folded forms to look for: a name always, an address or number where it looks like one."""
    stripped = raw.strip().lower()
    wanted = {"name": fold(stripped)} if fold(stripped) else {}
    if "@" in stripped or re.fullmatch(r"[\w-]+(\.[\w-]+)+", stripped):
        wanted["address"] = stripped
    number = digits(stripped)
    if number and len(number) * 2 >= len(re.sub(r"\s", "", stripped)):
        wanted["phone"] = number
    return wanted


def _label(model: type[Noun]) -> Any:
    return getattr(model, "name", None) or model.subject  # type: ignore[attr-defined]


def _find_to_the_letter(ctx: Context, nouns: list[str], wanted: dict[str, str], args: FindRecords) -> tuple[list[Match], int]:
    """One page of the records whose keys hold the words, of all nouns together, and how many there are.

    The keys are scanned once; the rights of each noun are joined to what the scan found.
    """
    rank = case(
        (SearchEntry.key.in_([*wanted.values()]), 100),
        (SearchEntry.key.like(_like(wanted.get("name", "")) + "%", escape="\\"), 90),
        else_=80,
    )
    hits = (
        select(SearchEntry.noun, SearchEntry.record_id, func.max(rank).label("rank"))
        # With "" appended, the noun cannot choose an index: the words narrow far better than the noun does.
        .where(SearchEntry.noun.concat("").in_(nouns), _key_matches(ctx, wanted))
        .group_by(SearchEntry.noun, SearchEntry.record_id)
        .cte("hits")
    )
    readable = [
        select(literal(noun).label("noun"), model.id.label("id"), _label(model).label("label"), hits.c.rank)
        .join(hits, and_(hits.c.noun.concat("") == noun, hits.c.record_id == model.id))
        .where(visible(ctx, model), model.archived_at.is_(None))
        for noun, model in ((noun, model_of(noun)) for noun in nouns)
    ]
    found = union_all(*readable).subquery("found")
    page = (
        select(found, func.count().over().label("total"))
        .order_by(found.c.rank.desc(), func.length(found.c.label), found.c.label, found.c.id)
        .offset(args.offset)
        .limit(args.limit)
    )
    rows = ctx.session.execute(page).all()
    total = rows[0].total if rows else 0
    if not rows and args.offset:
        total = ctx.session.scalar(select(func.count()).select_from(found)) or 0
    hints = {noun: _hints(ctx, noun, [row.id for row in rows if row.noun == noun]) for noun in {row.noun for row in rows}}
    return [Match(noun=row.noun, id=row.id, label=row.label, hint=hints[row.noun].get(row.id, ""), score=float(row.rank)) for row in rows], total


def _like(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _key_matches(ctx: Context, wanted: dict[str, str]) -> ColumnElement[bool]:
    clauses: list[ColumnElement[bool]] = []
    name = wanted.get("name", "")
    if name:
        clauses.append(_contains_words(ctx, name))
    if "address" in wanted:
        clauses.append(SearchEntry.key == wanted["address"])
    if "phone" in wanted:
        clauses.append(and_(SearchEntry.kind == "phone", SearchEntry.key.like(f"%{wanted['phone']}")))
    return or_(*clauses)


def _contains_words(ctx: Context, name: str) -> ColumnElement[bool]:
    """Keys that hold every word of ``name``, in any order; short words must begin the key or be all of it."""
    words = name.split()
    long_words = [word for word in words if len(word) >= 3]
    if not long_words:
        return or_(SearchEntry.key == name, SearchEntry.key.like(_like(name) + " %", escape="\\"))
    if ctx.session.get_bind().dialect.name == "sqlite":
        query = " AND ".join(f'"{word}"' for word in long_words)
        found = text("SELECT rowid FROM search_entry_fts WHERE search_entry_fts MATCH :fts_query")
        table = found.bindparams(fts_query=query).columns(column("rowid", Integer)).subquery()
        inside: ColumnElement[bool] = SearchEntry.id.in_(select(table.c.rowid))
    else:
        inside = and_(*(SearchEntry.key.like(f"%{_like(word)}%", escape="\\") for word in long_words))
    starts = [or_(SearchEntry.key.like(_like(word) + "%", escape="\\"), SearchEntry.key.like(f"% {_like(word)}%", escape="\\")) for word in words]
    return and_(inside, *starts)


def _find_alike(ctx: Context, noun: str, name: str, ids: list[int]) -> list[Match]:
    """Of the entries, the records whose key is like the text: typos, swapped letters, a word left out."""
    model = model_of(noun)
    label = _label(model)
    rows = ctx.session.execute(
        select(model.id, label, SearchEntry.key)
        .join(SearchEntry, SearchEntry.record_id == model.id)
        .where(SearchEntry.id.in_(ids), visible(ctx, model), model.archived_at.is_(None))
    )
    best: dict[int, Match] = {}
    for record_id, shown, key in rows:
        score = likeness(name, key)
        if score >= FUZZY_FLOOR and (record_id not in best or best[record_id].score < score):
            best[record_id] = Match(noun=noun, id=record_id, label=shown, score=round(min(score, 79.0), 1))
    hints = _hints(ctx, noun, list(best))
    return [match.model_copy(update={"hint": hints.get(match.id, "")}) for match in best.values()]


def likeness(wanted: str, key: str) -> float:
    """0-100: edit similarity of the whole, or of the best-fitting word where one word was given."""
    whole = fuzz.ratio(wanted, key)
    if " " in wanted:
        return max(whole, fuzz.token_sort_ratio(wanted, key))
    return max([whole, *(fuzz.ratio(wanted, word) - 3 for word in key.split() if len(word) > 2)])


def _alike_ids(ctx: Context, nouns: list[str], name: str) -> dict[str, list[int]]:
    """For each noun the entries that share most with the text, found in one scan."""
    if ctx.session.get_bind().dialect.name == "sqlite":
        grams = dict.fromkeys(name[at : at + 3] for at in range(len(name) - 2))
        query = " OR ".join(f'"{gram}"' for gram in grams)
        statement = text(
            "SELECT e.noun, e.id FROM search_entry_fts f JOIN search_entry e ON e.id = f.rowid "
            "WHERE search_entry_fts MATCH :query AND e.noun IN :nouns ORDER BY bm25(search_entry_fts) LIMIT :pool"
        )
    else:
        query = name
        statement = text(
            "SELECT noun, id FROM search_entry WHERE noun IN :nouns AND word_similarity(:query, key) > 0.3 "
            "ORDER BY word_similarity(:query, key) DESC LIMIT :pool"
        )
    rows = ctx.session.execute(
        statement.bindparams(bindparam("nouns", expanding=True)), {"query": query, "nouns": nouns, "pool": _FUZZY_POOL * len(nouns)}
    )
    found: dict[str, list[int]] = {}
    for noun, key in rows:
        found.setdefault(noun, []).append(key)
    return found


def _hints(ctx: Context, noun: str, ids: list[int]) -> dict[int, str]:
    """A few words that tell namesakes apart: a contact's title and company, a company's city, a deal's company."""
    if not ids:
        return {}
    if noun == "company":
        rows = ctx.session.execute(select(Company.id, Company.city, Company.industry).where(Company.id.in_(ids)))
    elif noun == "contact":
        rows = ctx.session.execute(
            select(Contact.id, Contact.title, Company.name)
            .outerjoin(Company, and_(Contact.company_id == Company.id, visible(ctx, Company)))
            .where(Contact.id.in_(ids))
        )
    elif noun == "deal":
        rows = ctx.session.execute(
            select(Deal.id, Deal.status, Company.name)
            .outerjoin(Company, and_(Deal.company_id == Company.id, visible(ctx, Company)))
            .where(Deal.id.in_(ids))
        )
    else:
        return {}
    return {row[0]: ", ".join(str(part) for part in row[1:] if part) for row in rows}


# --- Passages by words ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextHit:
    """A passage found by its words. ``rank`` counts from 0, best first."""

    chunk_id: int
    rank: int


#: Words too common to find anything by.
STOP_WORDS = frozenset(
    "a about after all also am an and any are as at be been before but by can did do does for from had has have he her his "
    "how i if in into is it its me my no not of on or our out say said she so some tell than that the their them then there "
    "they this to up us was we were what when where which who why will with would you your".split()
)


def content_words(words: str) -> list[str]:
    """The words that passages are found by: folded, without the commonest, each once, at most 24."""
    return list(dict.fromkeys(word for word in fold(words).split() if word not in STOP_WORDS and len(word) > 1))[:24]


def passages_with(ctx: Context, word: str, *, limit: int) -> int:
    """How many passages hold the word, counted up to ``limit``."""
    if ctx.session.get_bind().dialect.name == "sqlite":
        inner = "SELECT 1 FROM chunk_fts WHERE chunk_fts MATCH :word LIMIT :limit"
        word = f'"{word}"'
    else:
        inner = "SELECT 1 FROM chunk WHERE to_tsvector('english', text) @@ to_tsquery('english', :word) LIMIT :limit"
    return ctx.session.scalar(text(f"SELECT count(*) FROM ({inner}) AS found"), {"word": word, "limit": limit}) or 0


def find_passages(
    ctx: Context, terms: list[str], *, every: bool = False, allowed: ColumnElement[bool] | None = None, limit: int = 50
) -> list[TextHit]:
    """Chunks that hold any (or ``every``) of the ``content_words`` given, best first; ``allowed`` is a condition on the chunk."""
    if not terms:
        return []
    query = select(Chunk.id)
    if ctx.session.get_bind().dialect.name == "sqlite":
        match = (" AND " if every else " OR ").join(f'"{term}"' for term in terms)
        found = text("SELECT rowid AS id, bm25(chunk_fts) AS score FROM chunk_fts WHERE chunk_fts MATCH :match").bindparams(match=match)
        table = found.columns(column("id", Integer), column("score", Float)).subquery("found")
        query = query.join(table, table.c.id == Chunk.id).order_by(table.c.score, Chunk.id)
    else:
        vector, wanted = func.to_tsvector("english", Chunk.text), func.to_tsquery("english", (" & " if every else " | ").join(terms))
        query = query.where(vector.op("@@")(wanted)).order_by(func.ts_rank_cd(vector, wanted).desc(), Chunk.id)
    if allowed is not None:
        query = query.where(allowed)
    return [TextHit(chunk_id, rank) for rank, chunk_id in enumerate(ctx.session.scalars(query.limit(limit)))]
