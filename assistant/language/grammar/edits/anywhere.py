"""Changes in whatever order their words stand: "Petra gets all her open tickets", "the tier of Acme ought to say B by now".

The cuts of ``phrases`` know where records and values stand. Where none of them fits, a clause is a change if its words fall into a value
(with the name of its field or without), one run of words that means records, and small words that mean nothing by themselves. Nothing
may be left over, and two ways to read it that come to different changes make none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.language.frames import Frame
from assistant.language.grammar.edits.making import NOUNS, on_target, reassigned
from assistant.language.grammar.edits.phrases import trimmed
from assistant.language.grammar.edits.targets import Targets
from assistant.language.grammar.edits.values import Setting, Unfit, Values

#: Words of a clause, and of a value without and with the name of its field.
MOST_WORDS, MOST_VALUE, MOST_NAMED_VALUE = 26, 4, 8
#: Small words that may stand anywhere, also within the words of records.
_SMALL = frozenset(
    "a an the of in at for with from on by to into onto over under up down out off back as and so please now just also then again still already too instead really all both each any more "
    "some i we you he she it they him her them his their its our my this that these those one's today officially finally actually honestly simply right".split()
)
#: Small words that tell of a change or join it to its records; they never stand within the words of records.
_JOINTS = frozenset(
    "is are was were be been being am has have had having should must shall will would could can may might ought needs need gets get got getting goes go going gone went set put make makes made making move moves moved moving "
    "change changes changed update updates updated mark marks marked flag flagged treat treated count counts counted label labelled tag tagged call read reads say says said show shows shown turn turns turned become becomes became "
    "give gives given hand hands handed pass passes passed assign assigns assigned transfer transferred take takes took taken taking let lets leave leaves belong belongs owns own look looks looked looking after care "
    "push pushed pull pulled bump bumped slip slips slipped shift shifted bring brings drop drops raise raised lower lowered enter entered correct fix switch switched record note want wants like do does done keep kept file filed filing list stands stand sits sit lands land "
    "proper correctly rather better".split()
)
#: Small words that may narrow what follows them: "over 50k", "some of Acme's", "this month's".
_NARROWING = frozenset("all both each any some over under more this that these those his her their its my our the".split())
#: Verbs that ask for a change where a clause begins with them.
_VERBS = frozenset(
    "set put make move change update mark flag treat count label tag turn give hand pass transfer assign take let leave push pull bump slip shift bring drop raise lower enter correct fix switch record".split()
)
#: A person as a value is meant where somebody is to have something.
_HANDING = re.compile(
    r"\b(?:gets?|takes?|taking|have|has|owns?|give[ns]?|hand(?:s|ed)?|pass(?:es|ed)?|assign(?:s|ed)?|reassign|transfer(?:red)?|look(?:s|ed)? after|care|goes|go|to|belongs?|over|owner|rep|responsible|charge|handle[sd]?)\b",
    re.IGNORECASE,
)
#: What a question, a denial, a condition or a clause about records has, and no plain change.
_STOPS = re.compile(
    r"\?|\b(?:what|which|who|whose|whom|when|where|why|how|if|unless|whether|not|no|never|none|nobody|nothing|without|except|but|or|than|because|since|while|until|maybe|perhaps|might|could have|would have)\b|n['’]t\b",
    re.IGNORECASE,
)
#: By which a statement about many records is one of what is to be.
OUGHT = re.compile(
    r"\b(?:should|must|ought to|shall|needs? to|has to|have to|is to|are to|gets?|are all|all are|belongs? (?:to|in|under)|takes? over|take[s]? (?:all|the|his|her|their)|can have|go(?:es)? to)\b",
    re.IGNORECASE,
)
_POINTERS = ("that one", "this one", "it", "that", "this", "them", "those", "these", "they")


@dataclass(frozen=True)
class _Cut:
    """A value, the name of its field where one stands, and the words of records."""

    value: str
    field: str
    target: str


class _Words:
    """The words of a clause; small ones that are values of the company's ("New", "Called") count as words of their own."""

    def __init__(self, words: list[str], values: Values) -> None:
        self.all, own = words, values.single_words()
        self.joint = [word.lower() in _JOINTS and word.lower() not in own for word in words]
        self.small = [joint or word.lower() in _SMALL and word.lower() not in own for word, joint in zip(words, self.joint, strict=True)]

    def said(self, first: int, end: int) -> str:
        """Some of them, as they were said."""
        return " ".join(self.all[first:end])


def assembled(clause: str, targets: Targets, values: Values, *, dating: bool) -> Frame | None:
    """The one change that all words of a clause make, in whatever order; None where they make none or several."""
    text = trimmed(clause)
    said = [word for word in (piece.strip(",;:!\"“”'’()") for piece in re.sub(r"(?:->|=>|→)", " ", text).split()) if word]
    if not 2 <= len(said) <= MOST_WORDS or _STOPS.search(text) is not None:
        return None
    words = _Words(said, values)
    if not any(words.joint):
        return None
    for named in (True, False):
        frames: list[Frame] = []
        for cut in _cuts(words, values, named=named):
            frame = _frame(cut, text, targets, values, dating=dating)
            if frame is not None and all(frame.calls != other.calls for other in frames):
                frames.append(frame)
        if frames:
            return frames[0] if len(frames) == 1 else None
    return None


def _cuts(words: _Words, values: Values, *, named: bool) -> Iterator[_Cut]:
    """All ways to take a value out of a clause so that what is left is one run of words and small ones."""
    size = len(words.all)
    if not named:
        for first in range(size):
            for end in range(first + 1, min(first + MOST_VALUE, size) + 1):
                if not words.small[first] and not words.small[end - 1]:
                    yield from _with_rest(words, set(range(first, end)), words.said(first, end), "")
        return
    for first in range(size):
        for end in range(first + 1, min(first + 3, size) + 1):
            name = words.said(first, end)
            if not any(values.field_named(noun, name) for noun in NOUNS):
                continue
            after, before = end, first - 1
            while after < size and words.small[after]:
                after += 1
            while before >= 0 and words.small[before]:
                before -= 1
            for last in range(after + 1, min(after + MOST_NAMED_VALUE, size) + 1):
                yield from _with_rest(words, {*range(first, end), *range(after, last)}, words.said(after, last), name)
            for start in range(before, max(before - MOST_VALUE, -1), -1):
                yield from _with_rest(words, {*range(first, end), *range(start, before + 1)}, words.said(start, before + 1), name)


def _with_rest(words: _Words, used: set[int], value: str, field: str) -> Iterator[_Cut]:
    """The cut, where what it leaves is one run of words that mean something, or one that points."""
    left = [place for place in range(len(words.all)) if place not in used and not words.small[place]]
    if not left:
        plain = f" {' '.join(word.lower() for place, word in enumerate(words.all) if place not in used)} "
        pointer = next((pointer for pointer in _POINTERS if f" {pointer} " in plain), "")
        if pointer:
            yield _Cut(value, field, pointer)
        return
    first, last = left[0], left[-1]
    if any(place in used or words.joint[place] for place in range(first, last + 1)):
        return
    while first > 0 and first - 1 not in used and (words.all[first - 1].lower() in _NARROWING or words.all[first - 1].lower() == "of"):
        first -= 1
    yield _Cut(value, field, words.said(first, last + 1))


def _frame(cut: _Cut, clause: str, targets: Targets, values: Values, *, dating: bool) -> Frame | None:
    for noun, setting in _settings(cut, clause, values, dating=dating):
        target = targets.find(cut.target, (noun,))
        told = cut.target in _POINTERS or OUGHT.search(clause) is not None or _commands(clause)
        if target is None or not target.found or not told and (target.many or not cut.field):
            continue
        try:
            return on_target(target, setting)
        except Unfit:
            return None
    return None


def _settings(cut: _Cut, clause: str, values: Values, *, dating: bool) -> Iterator[tuple[str, Setting]]:
    """What the value can set, by kind of record."""
    for noun in NOUNS:
        try:
            if cut.field:
                name = values.field_named(noun, cut.field)
                if name and values.is_chosen(noun, name):
                    yield noun, values.set_to(noun, name, cut.value)
                continue
            person = values.person(cut.value) if _HANDING.search(clause) is not None else None
            if person is not None:
                yield noun, reassigned(noun, person)
            elif (setting := values.guess(noun, cut.value, dating=dating)) is not None:
                yield noun, setting
        except Unfit:
            continue


def _commands(clause: str) -> bool:
    """Whether a clause begins with a verb that asks for a change."""
    return (clause.split() or [""])[0].lower() in _VERBS
