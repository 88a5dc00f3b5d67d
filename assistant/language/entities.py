"""Names in a message linked to records of the company's own data, with typos, parts of names and namesakes.

For each word that the lexicon does not know (or that also names a colleague), the search keys are asked for
records that hold it; each record found is *aligned* with the words around, and the longest alignment wins. Equal
alignments stay as candidates: a tie is for the asker to break, never for us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rapidfuzz import fuzz

from assistant.language.lexicon import FILLER
from assistant.language.tokens import Token, singular, tokenise
from crm_core.context import Context
from crm_core.services.search import FindRecords, Found, Match, find_records

LINKED = ("company", "contact", "lead", "deal")
#: Legal forms that people leave out when they name a company.
LEGAL_FORMS = frozenset("inc ltd gmbh group corporation corp sa ab ag llc plc co company limited bv nv spa srl kg oy as pty".split())
_RANK = {"company": 0, "contact": 1, "user": 2, "lead": 3, "deal": 4, "ticket": 5}
_POOL = 60
#: A longer run of unknown words than this is not a name.
MAX_LOOKUPS = 12
#: Words before what can only be a name: "with ceramics".
_BEFORE_NAMES = frozenset("at with for from of by about to".split())
#: Likeness (0-100) that a misspelt name needs; the search itself is more forgiving.
ALIKE_FLOOR = 77
#: Likeness that a misspelt word needs beside words of the name that are spelt right.
SLIP_FLOOR = 80


@dataclass(frozen=True)
class Name:
    """A stretch of words that names one or several records; several of one kind are namesakes."""

    first: int
    end: int
    matches: tuple[Match, ...]
    exact: bool

    @property
    def noun(self) -> str:
        """The record kind of the best match."""
        return self.matches[0].noun


@dataclass(frozen=True)
class _Aligned:
    match: Match
    first: int
    end: int
    complete: bool
    quality: float
    #: Found by a key that is not part of its name: an address, a number, initials.
    keyed: bool = False


#: What was found for each text, so that no text is looked up twice for one message.
Memo = dict[str, Found]


def find_names(
    ctx: Context,
    tokens: list[Token],
    places: list[int],
    *,
    exact: bool,
    is_word: Callable[[str], bool] = lambda _word: False,
    memo: Memo | None = None,
) -> list[Name]:
    """Names at some places of the message, to the letter only or else with typos; what ``is_word`` knows is no typo of a name."""
    memo = {} if memo is None else memo
    names: list[Name] = []
    covered: set[int] = set()
    for place in places[:MAX_LOOKUPS]:
        if place in covered:
            continue
        name = _exact(ctx, tokens, place, memo)
        if name is not None and _is_common(tokens, name, is_word):
            name = None
        if name is None and not exact and (tokens[place].capital or not is_word(tokens[place].norm)):
            name = _alike(ctx, tokens, place)
        if name is not None:
            names.append(name)
            covered |= set(range(name.first, name.end))
    return names


def _is_common(tokens: list[Token], name: Name, is_word: Callable[[str], bool]) -> bool:
    """Whether a lower-case English word only happens to be part of a name: "paper", "systems", "dairy farms"."""
    alone = name.end - name.first == 1 and not tokens[name.first].capital
    whole = any(tokenise(match.label)[0].norm == tokens[name.first].norm for match in name.matches)
    meant = name.first > 0 and tokens[name.first - 1].norm in _BEFORE_NAMES and len(name.matches) == 1
    word = tokens[name.first].norm
    return alone and not meant and not whole and (is_word(word) or is_word(singular(word))) and name.noun == "company"


def _to_the_letter(ctx: Context, words: str, memo: Memo) -> Found:
    if words not in memo:
        memo[words] = find_records(ctx, FindRecords(text=words, nouns=list(LINKED), limit=_POOL), fuzzy=False)
    return memo[words]


def _exact(ctx: Context, tokens: list[Token], place: int, memo: Memo) -> Name | None:
    word = tokens[place].norm
    if len(word) > 100 or len(word) < 2 or len(word) < 3 and not tokens[place].capital:
        return None
    found = _to_the_letter(ctx, word, memo)
    if not found.total and word.endswith("s") and len(word) > 4:  # "roberts" for "Robert's"
        word = word[:-1]
        found = _to_the_letter(ctx, word, memo)
    if not found.total:
        return None
    matches = found.matches
    if found.total > len(matches):  # a common word: ask again together with its neighbour
        for near in (f"{word} {tokens[place + 1].norm}" if place + 1 < len(tokens) else "", f"{tokens[place - 1].norm} {word}" if place else ""):
            if near:
                more = _to_the_letter(ctx, near, memo)
                if more.total:
                    matches = [*more.matches, *matches]
    aligned = [item for match in matches if (item := _align(tokens, place, match, word)) is not None]
    return _best(aligned, exact=True)


def _align(tokens: list[Token], place: int, match: Match, word: str) -> _Aligned | None:
    """The longest stretch of tokens around ``place`` that runs through the record's name in order."""
    words = [token.norm for token in tokenise(match.label)]
    if "@" in word or word not in words:
        keyed = (
            match.score >= 90
            and (tokens[place].capital or "@" in word or word.isdigit())
            and ("@" in word or word.isdigit() or "." in word or len(word) <= 4)
        )
        return _Aligned(match, place, place + 1, True, 1.0, keyed=True) if keyed else None
    at = words.index(word)
    first, left = place, at
    while first > 0 and left > 0 and _same(tokens[first - 1], words[left - 1]):
        first, left = first - 1, left - 1
    end, right = place + 1, at + 1
    while end < len(tokens) and right < len(words) and _same(tokens[end], words[right]):
        end, right = end + 1, right + 1
    while first < place and tokens[first].norm in FILLER:  # "for Quartz" is no longer than "Quartz"
        first, left = first + 1, left + 1
    rest = [item for item in (*words[:left], *words[right:]) if item not in LEGAL_FORMS]
    return _Aligned(match, first, end, not rest, (right - left) / len(words))


def _same(token: Token, word: str) -> bool:
    """Whether a word beside one that fits to the letter is the name's next word, as it is or with a slip of the pen."""
    said = token.norm
    if said == word:
        return True
    return (
        len(said) > 4
        and singular(said) != word
        and said.isalpha()
        and said[0] == word[:1]
        and abs(len(said) - len(word)) < 2
        and fuzz.ratio(said, word) >= SLIP_FLOOR
    )


def _best(aligned: list[_Aligned], *, exact: bool) -> Name | None:
    """The records of the longest alignment; a complete name beats a part, a company beats its deals."""
    aligned = [item for item in aligned if not item.keyed] or aligned
    if not aligned:
        return None
    longest = max(item.end - item.first for item in aligned)
    pool = [item for item in aligned if item.end - item.first == longest]
    if any(item.complete for item in pool):
        pool = [item for item in pool if item.complete]
    pool = [item for item in pool if item.match.noun not in ("deal", "lead") or item.complete or item.end - item.first > 1]
    if not pool:
        return None
    rank = min(_RANK[item.match.noun] for item in pool)
    chosen = [item for item in pool if _RANK[item.match.noun] == rank]
    starting = [item for item in chosen if item.quality and item.match.score >= 90]
    chosen = starting or chosen
    unique: dict[int, Match] = {item.match.id: item.match for item in chosen}
    return Name(chosen[0].first, chosen[0].end, tuple(unique.values()), exact)


def _alike(ctx: Context, tokens: list[Token], place: int) -> Name | None:
    """A misspelt name: two words together first, then the word alone."""
    word = tokens[place].norm
    if not 4 <= len(word) <= 60 or not any(letter.isalpha() for letter in word):
        return None
    stretches = []
    if place + 1 < len(tokens) and tokens[place + 1].norm not in FILLER and len(tokens[place + 1].norm) > 2:
        stretches.append((place, place + 2))
    stretches.append((place, place + 1))
    for first, end in stretches:
        text = " ".join(token.norm for token in tokens[first:end])
        found = find_records(ctx, FindRecords(text=text, nouns=list(LINKED[:2]), limit=8))
        if not found.matches or not found.fuzzy:
            continue
        top = found.matches[0].score
        if top < ALIKE_FLOOR:
            continue
        near = [match for match in found.matches if match.score >= top - 1]
        rank = min(_RANK[match.noun] for match in near)
        return Name(first, end, tuple(match for match in near if _RANK[match.noun] == rank), exact=False)
    return None
