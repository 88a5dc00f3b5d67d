"""The chart: every stretch of a message that may mean something, and the best way to cover the message with them.

Edges come from four sources: times, quantities, the lexicon, and linked names. A dynamic programme picks the
cover with the highest score; longer phrases beat shorter ones, known beats unknown. Each edge keeps all its
senses: the grammar decides between them in context.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from assistant.language.dates import Clock, When, find_times
from assistant.language.entities import Memo, Name, find_names
from assistant.language.lexicon import CURRENCY_WORDS, FILLER, Lexicon, Sense, lexicon_for
from assistant.language.paraphrases import plainer
from assistant.language.teaching import put_meanings
from assistant.language.tokens import Token, clauses, expand, singular, tokenise
from crm_core.context import Context

_SCALES = {
    "k": 10**3,
    "thousand": 10**3,
    "grand": 10**3,
    "m": 10**6,
    "mm": 10**6,
    "mio": 10**6,
    "mn": 10**6,
    "million": 10**6,
    "bn": 10**9,
    "b": 10**9,
    "billion": 10**9,
}
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_SMALL = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}
#: Words that people put inside a name or phrase: "waiting on the customer".
_COPULAS = frozenset({"is", "are", "was", "were"})
_ARTICLES = frozenset({"the", "a", "an", "our", "their"})
_QUANTITY = re.compile(r"([$€£¥])?(\d+(?:,\d{3})*(?:\.\d+)?)(%|[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written: value, and the currency or unit that was said with it."""

    value: Decimal
    currency: str = ""
    scaled: bool = False
    percent: bool = False
    ordinal: bool = False


@dataclass(frozen=True)
class Edge:
    """A stretch of tokens ``first`` to ``end`` with its senses; ``kind`` is when, quantity, words, name, filler or unknown."""

    first: int
    end: int
    kind: str
    text: str
    senses: tuple[Sense, ...] = ()
    when: When | None = None
    quantity: Quantity | None = None
    name: Name | None = None
    score: float = 0.0

    def sense(self, *kinds: str) -> Sense | None:
        """The first sense of one of these kinds."""
        return next((sense for sense in self.senses if sense.kind in kinds), None)


@dataclass
class Chart:
    """The tokens and the chosen cover."""

    tokens: list[Token]
    edges: list[Edge]
    #: The clause of each token.
    clauses: list[int] = field(default_factory=list)
    message: str = ""
    today: date = date.min
    #: The kind of records that the conversation is about, for words that point at them.
    shown_noun: str = ""
    #: Taught words that were written out.
    taught: list[str] = field(default_factory=list)
    everything: list[Edge] = field(default_factory=list)


#: Regions in which 3/4 is a day in March.
MONTH_FIRST = frozenset({"US", "PH", "PW", "FM", "MH", "GU"})


def clock_of(ctx: Context) -> Clock:
    """Today and the conventions of the company."""
    return Clock(ctx.today, ctx.calendar, ctx.organisation.phone_region not in MONTH_FIRST)


def build_chart(ctx: Context, message: str, clock: Clock, shown_noun: str = "", *, leaning: bool = False) -> Chart:
    """Find all edges and choose the cover. Typos are mended first, unless the word is part of a name on file.

    ``leaning`` tells that there is a question before the message, whose steps it may say in pictures (``paraphrases``).
    """
    lexicon = lexicon_for(ctx)
    message, taught = put_meanings(plainer(expand(message), leaning=leaning, money=lexicon.idle), lexicon.taught)
    message = expand(message) if taught else message
    tokens = tokenise(message)
    strange = [place for place, token in enumerate(tokens) if token.norm.isalpha() and not lexicon.knows(token.norm)]
    memo: Memo = {}
    names = find_names(ctx, tokens, strange, exact=True, is_word=lexicon.is_english, memo=memo)
    named = {place for name in names for place in range(name.first, name.end)}
    tokens = [token if place in named else _mended(token, lexicon) for place, token in enumerate(tokens)]
    edges = [*_time_edges(tokens, clock), *quantity_edges(tokens), *_word_edges(tokens, lexicon)]
    known = {place for edge in edges for place in range(edge.first, edge.end)} | named
    doubtful = [place for place, token in enumerate(tokens) if _may_be_name(place, token, tokens, known, edges) and place not in named]
    names += find_names(ctx, tokens, [place for place in doubtful if place in known], exact=True, is_word=lexicon.is_english, memo=memo)
    names += find_names(ctx, tokens, [place for place in doubtful if place not in known], exact=False, is_word=lexicon.is_english, memo=memo)
    edges += [
        Edge(
            name.first,
            name.end,
            "name",
            _text(tokens, name.first, name.end),
            _colleagues(edges, name),
            name=name,
            score=(3.0 if name.exact else 2.2) * (name.end - name.first) + 0.5,
        )
        for name in names
    ]
    return Chart(tokens, _cover(tokens, edges, lexicon.idle), clauses(message, tokens), message, clock.today, shown_noun, taught, edges)


def _mended(token: Token, lexicon: Lexicon) -> Token:
    """The token with a misspelt word put right."""
    word = lexicon.correct(token.norm)
    if word is not None and token.norm.endswith("est") and word.endswith("est"):
        return token  # "fattest" is no slip of "fastest"
    return token if word is None else Token(word, word, token.start, token.end, token.capital)


def _colleagues(edges: list[Edge], name: Name) -> tuple[Sense, ...]:
    """Colleagues that the same words name."""
    same = [edge for edge in edges if (edge.first, edge.end) == (name.first, name.end)]
    return tuple(sense for edge in same for sense in edge.senses if sense.kind == "ref" and sense.field == "owner")


def _text(tokens: list[Token], first: int, end: int) -> str:
    return " ".join(token.text for token in tokens[first:end])


def _time_edges(tokens: list[Token], clock: Clock) -> list[Edge]:
    return [
        Edge(when.first, when.end, "when", _text(tokens, when.first, when.end), when=when, score=3.0 * (when.end - when.first))
        for when in find_times(tokens, clock)
    ]


def quantity_edges(tokens: list[Token]) -> list[Edge]:
    """Every number with its scale and currency; a currency said before it ("CHF 100") belongs to it."""
    edges = []
    for at, token in enumerate(tokens):
        edge = quantity_at(tokens, at)
        if edge is not None:
            edges.append(edge)
        elif (
            token.norm in CURRENCY_WORDS
            and at + 1 < len(tokens)
            and (amount := quantity_at(tokens, at + 1)) is not None
            and amount.quantity is not None
        ):
            quantity = replace(amount.quantity, currency=CURRENCY_WORDS[token.norm])
            edges.append(replace(amount, first=at, text=_text(tokens, at, amount.end), quantity=quantity, score=2.0 * (amount.end - at) + 0.1))
    return edges


def quantity_at(tokens: list[Token], at: int) -> Edge | None:
    """The number that begins at a place, if one does."""
    token = tokens[at]
    match = _QUANTITY.fullmatch(token.norm)
    if match:
        symbol, digits, suffix = match.groups()
        value, end, scaled = Decimal(digits.replace(",", "")), at + 1, False
        if suffix and suffix not in _SCALES and suffix != "%" and suffix not in ("st", "nd", "rd", "th", "d") and suffix not in CURRENCY_WORDS:
            return None
        if suffix in _SCALES:
            value, scaled = value * _SCALES[suffix], True
        elif end < len(tokens) and tokens[end].norm in _SCALES:
            value, scaled, end = value * _SCALES[tokens[end].norm], True, end + 1
        currency = _SYMBOLS.get(symbol or "", CURRENCY_WORDS.get(suffix or "", ""))
        if end < len(tokens) and tokens[end].norm in CURRENCY_WORDS:
            currency, end = CURRENCY_WORDS[tokens[end].norm], end + 1
        quantity = Quantity(value, currency, scaled, suffix == "%", suffix in ("st", "nd", "rd", "th"))
    elif token.norm in _SMALL:
        value, end = Decimal(_SMALL[token.norm]), at + 1
        scaled = end < len(tokens) and tokens[end].norm in _SCALES
        if scaled:
            value, end = value * _SCALES[tokens[end].norm], end + 1
        currency = CURRENCY_WORDS.get(tokens[end].norm, "") if end < len(tokens) else ""
        end += bool(currency)
        quantity = Quantity(value, currency, scaled)
    else:
        return None
    return Edge(at, end, "quantity", _text(tokens, at, end), quantity=quantity, score=2.0 * (end - at))


def _word_edges(tokens: list[Token], lexicon: Lexicon) -> list[Edge]:
    edges = []
    for first in range(len(tokens)):
        for end in range(first + 1, min(len(tokens), first + max(lexicon.longest, 6)) + 1):
            phrase = " ".join(token.norm or token.text for token in tokens[first:end])
            senses = lexicon.get(phrase)
            if not senses and end - first == 1:
                senses = lexicon.get(singular(phrase))
            if not senses and end - first > 1 and phrase.endswith("s"):  # "bjorn mbekis review"
                senses = [sense for sense in lexicon.get(phrase[:-1]) if sense.kind == "ref"]
            if not senses and end - first > 2 and _ARTICLES & {token.norm for token in tokens[first + 1 : end - 1]}:
                senses = lexicon.get(" ".join(token.norm for token in tokens[first:end] if token.norm not in _ARTICLES))
            if not senses and end - first > 2 and _COPULAS & {token.norm for token in tokens[first + 1 : end - 1]}:
                bare = " ".join(token.norm for token in tokens[first:end] if token.norm not in _COPULAS | _ARTICLES)
                senses = [sense for sense in lexicon.get(bare) if sense.kind == "value"]  # "where the technician is on site"
            if senses:
                dated = end - first > 1 and all(sense.kind == "value" for sense in senses)  # "priority Today": no day
                score = (2.4 if dated else 2.0) * (end - first) ** 1.25 - (0.1 if all(sense.kind == "aggregate" for sense in senses) else 0.0)
                edges.append(Edge(first, end, "words", _text(tokens, first, end), tuple(senses), score=score))
    return edges


def _may_be_name(place: int, token: Token, tokens: list[Token], known: set[int], edges: list[Edge]) -> bool:
    """Worth looking up: an unknown word, a colleague's name (a contact may share it), or a capital in mid-sentence."""
    if not token.norm or token.norm in FILLER or token.norm.replace(",", "").isdigit() or token.text[0] in "<>$€£":
        return False
    if place not in known:
        return True
    here = [edge for edge in edges if edge.first <= place < edge.end]
    if any(edge.kind == "when" for edge in here):
        return False
    if any(edge.end - edge.first > 1 and edge.sense("ref") for edge in here):
        return False  # a colleague's full name, a product
    if any(sense.kind == "ref" and sense.field == "owner" for edge in here for sense in edge.senses):
        return True
    if any(edge.senses for edge in here):
        return False
    mostly_small = sum(item.capital for item in tokens) <= len(tokens) / 2
    return token.capital and place > 0 and mostly_small and all(edge.end - edge.first == 1 for edge in here)


def _cover(tokens: list[Token], edges: list[Edge], idle: frozenset[str]) -> list[Edge]:
    """The cover of the tokens with the highest total score."""
    singles = []
    for place, token in enumerate(tokens):
        filler = token.norm in FILLER or token.norm in idle or not token.norm
        singles.append(Edge(place, place + 1, "filler" if filler else "unknown", token.text, score=0.1 if filler else -1.0))
    by_end: dict[int, list[Edge]] = {}
    for edge in [*edges, *singles]:
        by_end.setdefault(edge.end, []).append(edge)
    best: list[tuple[float, Edge | None]] = [(0.0, None)]
    for end in range(1, len(tokens) + 1):
        best.append(max(((best[edge.first][0] + edge.score, edge) for edge in by_end[end]), key=lambda item: (item[0], _preference(item[1]))))
    chosen: list[Edge] = []
    at = len(tokens)
    while at > 0:
        last = best[at][1]
        assert last is not None
        chosen.append(last)
        at = last.first
    return chosen[::-1]


def _preference(edge: Edge) -> int:
    return {"when": 4, "words": 3, "name": 2, "quantity": 1}.get(edge.kind, 0)


def described(edge: Edge) -> dict[str, Any]:
    """An edge for people who debug."""
    return {
        "text": edge.text,
        "kind": edge.kind,
        "score": round(edge.score, 2),
        "senses": [f"{sense.kind}:{sense.noun}.{sense.field or sense.value}" for sense in edge.senses],
    }
