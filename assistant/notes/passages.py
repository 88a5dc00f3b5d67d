"""Who says what in a text: sentences with their places, of our side or of the customer's, the newest mail first."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

_SPEAKER = re.compile(r"^\s*(?:\[[\d:.]+\]\s*)?(?P<name>[A-Z][\w.'’ -]{0,40}?(?:\s*\([^)]{1,60}\))?)\s*:\s+(?P<said>\S.*)$")
_HEADER = re.compile(r"^[>|\s]*(?P<field>from|von|to|an|cc|date|sent|subject|betreff|gesendet|reply-to)\s*:\s*(?P<value>.*)$", re.IGNORECASE)
_QUOTED = re.compile(r"^(?P<marks>(?:\s*[>|])+)\s?")
_PARTED = re.compile(r"^[>|\s]*(?:-{3,}.*(?:original|forwarded).*-{3,}|_{5,}|on .{5,80} wrote:|am .{5,80} schrieb.*:|-{5,})\s*$", re.IGNORECASE)
_WROTE = re.compile(r"\bon .{3,60}?(?P<name>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*|\S+@)\s*(?:<[^>]*>)?\s*wrote:", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)]|[a-z]\))\s+")
_OURS = re.compile(r"\b(?:vendor|us|seller|sales|rep|agent|our side|supplier|account exec\w*|ae|sdr|interviewer)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’)]?\s+(?=[\"“(]?[A-Z0-9])|\n\s*\n|;\s+(?=[a-z])|\n(?=\s*(?:[-*•–]|\d{1,2}[.)]|[a-z]\))\s)")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Ms|Mrs|Dr|Prof|St|approx|e\.g|i\.e|dept|no|ca|Inc|Ltd|vs|w|Nr|resp|incl|excl|min|max|[A-Z])\.)$", re.IGNORECASE
)
_SIGNED = re.compile(
    r"^\s*(?:--\s*$|best\b|kind regards|regards|cheers\b|thanks,?$|sincerely|many thanks,?$|yours\b|br,?$|mfg|this message may)", re.IGNORECASE
)


@dataclass(frozen=True)
class Sentence:
    """A sentence and its place. ``ours`` is who speaks, None where a note tells; ``answers`` is the question before it."""

    text: str
    start: int
    speaker: str = ""
    ours: bool | None = None
    answers: str = ""
    #: How many mails were written after the one that it stands in.
    age: int = 0

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    @property
    def asks(self) -> bool:
        """Whether it is a question."""
        return self.text.rstrip(' "”’)').endswith("?")


def sentences_of(text: str) -> list[Sentence]:
    """The sentences of a text in their order, with who says them."""
    lines = text.split("\n")
    spoken = [match for line in lines if (match := _SPEAKER.match(line)) is not None and _HEADER.match(line) is None]
    names = {_plain(match["name"]) for match in spoken}
    if len(spoken) >= 6 and len(spoken) >= 2 * len(names):
        return _transcript(text)
    if sum(_HEADER.match(line) is not None for line in lines) >= 2:
        return _mails(text)
    return [Sentence(said, start) for said, start in _split(text, 0)]


def _plain(name: str) -> str:
    return re.sub(r"\s*\([^)]*\)", "", name).strip().lower()


def _split(text: str, at: int) -> list[tuple[str, int]]:
    """The sentences of a stretch, with their places in the whole; line breaks within them stay."""
    found: list[tuple[str, int]] = []
    start = 0
    for match in [*_SENTENCE.finditer(text), None]:
        end = match.start() if match is not None else len(text)
        piece = text[start:end]
        if match is not None and _ABBREVIATED.search(piece) and "\n\n" not in match.group():
            continue
        bullet = _BULLET.match(piece)
        lead = bullet.end() if bullet is not None else len(piece) - len(piece.lstrip())
        if piece[lead:].strip():
            found += _clauses(piece[lead:].rstrip(), at + start + lead)
        start = match.end() if match is not None else end
    return found


#: Words of a sentence from which it is taken for dictation without stops, and is cut where it goes on.
LONG = 45
_GOES_ON = re.compile(
    r"\s+(?=(?:and (?:i|we|she|he|they|the)|um|uh|ok so|so (?:i|we|she|he|they)|but|oh|also|then|the (?:pain|other)|they want|i said|she'll|he'll|she'd|we're)\b)"
)


def _clauses(sentence: str, at: int) -> list[tuple[str, int]]:
    """A sentence as it is, or one dictated without stops by its clauses."""
    if len(sentence.split()) < LONG:
        return [(sentence, at)]
    cuts = [0, *(match.end() for match in _GOES_ON.finditer(sentence)), len(sentence)]
    return [(sentence[first:end].rstrip(), at + first) for first, end in itertools.pairwise(cuts) if sentence[first:end].strip()]


def _transcript(text: str) -> list[Sentence]:
    turns: list[tuple[str, str, int]] = []
    place = 0
    for line in text.split("\n"):
        match = _SPEAKER.match(line)
        if match is not None:
            turns.append((match["name"], match["said"], place + match.start("said")))
        elif turns:
            name, said, start = turns[-1]
            turns[-1] = (name, text[start : place + len(line)], start)
        place += len(line) + 1
    ours = _our_speakers(turns)
    found: list[Sentence] = []
    question = ""
    for name, said, start in turns:
        is_ours = _plain(name) in ours
        for number, (sentence, at) in enumerate(_split(said, start)):
            found.append(Sentence(sentence, at, re.sub(r"\s*\(.*?\)", "", name).strip(), is_ours, question if not is_ours and number < 3 else ""))
        if is_ours:
            asked = [sentence for sentence, _at in _split(said, start) if sentence.rstrip().endswith("?")]
            question = asked[-1] if asked else ""
    return found


def _our_speakers(turns: list[tuple[str, str, int]]) -> set[str]:
    """Who speaks for us: those marked so, else the one who asks most."""
    marked = {_plain(name) for name, _said, _start in turns if (inner := re.search(r"\(([^)]*)\)", name)) and _OURS.search(inner[1])}
    marked |= {_plain(name) for name, _said, _start in turns if _OURS.fullmatch(_plain(name)) or _plain(name) == "q"}
    if marked:
        return marked
    asked: dict[str, int] = {}
    for name, said, _start in turns:
        asked[_plain(name)] = asked.get(_plain(name), 0) + said.count("?")
    return {max(asked, key=lambda name: asked[name])} if asked else set()


def _mails(text: str) -> list[Sentence]:
    """Mail by mail; who wrote to whom first is the customer, whom they answer is us."""
    blocks: list[tuple[str, list[tuple[str, int]], int]] = [("", [], 0)]
    place, depth, header = 0, 0, False
    ours = ""
    for line in text.split("\n"):
        quoted = _QUOTED.match(line)
        marks = len(re.findall(r"[>|]", quoted["marks"])) if quoted is not None else 0
        body = line[quoted.end() :] if quoted is not None else line
        found = _HEADER.match(line)
        wrote = _WROTE.search(line)
        if found is not None and found["field"].lower() in ("from", "von") or _PARTED.match(line) is not None or wrote is not None or marks > depth:
            if blocks[-1][1] or blocks[-1][0]:
                blocks.append(("", [], len(blocks)))
            depth = marks
        if found is not None:
            value = re.sub(r"<[^>]*>|\"", "", found["value"]).strip()
            if found["field"].lower() in ("from", "von") and not blocks[-1][0]:
                blocks[-1] = (value, blocks[-1][1], blocks[-1][2])
            if found["field"].lower() in ("to", "an") and len(blocks) == 1:
                ours = ours or value
            header = True
        elif wrote is not None:
            blocks[-1] = (wrote["name"], blocks[-1][1], blocks[-1][2])
        elif _PARTED.match(line) is None and not (header and not body.strip()):
            blocks[-1][1].append((body, place + len(line) - len(body)))
            header = False
        place += len(line) + 1
    customer = blocks[0][0]
    sentences: list[Sentence] = []
    for author, lines, age in blocks:
        is_ours = bool(author) and _same_person(author, ours) if ours else bool(author) and not _same_person(author, customer)
        kept = _without_signature(lines)
        if not kept:
            continue
        start = kept[0][1]
        joined = "\n".join(line for line, _at in kept)
        for said, at in _split(joined, 0):
            sentences.append(Sentence(said, _place(kept, at) if kept else start, author, is_ours, "", age))
    return sentences


def _same_person(one: str, other: str) -> bool:
    first = set(re.findall(r"[a-zà-ÿ]{3,}", one.lower()))
    return bool(first & set(re.findall(r"[a-zà-ÿ]{3,}", other.lower())))


def _without_signature(lines: list[tuple[str, int]]) -> list[tuple[str, int]]:
    for place, (line, _at) in enumerate(lines):
        if place > 1 and _SIGNED.match(line) and len(line) < 60 and sum(bool(other.strip()) for other, _p in lines[place:]) <= 9:
            return lines[:place]
    return lines


def _place(lines: list[tuple[str, int]], at: int) -> int:
    """Where a place of the joined lines stands in the text."""
    for line, start in lines:
        if at <= len(line):
            return start + at
        at -= len(line) + 1
    return lines[-1][1] + len(lines[-1][0])
