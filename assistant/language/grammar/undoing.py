"""Taking changes back: "undo that", "undo what I did this morning", "undo the change on Globex", "redo it"."""

from __future__ import annotations

import re
from datetime import datetime

from assistant.language.dates import When
from assistant.language.frames import Frame
from assistant.language.grammar.pieces import Pieces
from assistant.language.wording import show_period
from crm_core.models import ChangeSet
from crm_core.periods import FAR_PAST, local_midnight
from crm_core.services.change_sets import MOST, ListChanges, list_changes

_OPENERS = r"^(?:(?:please|ok|okay|oops|no|wait|sorry|oh|ah|hm|hmm|and|now|can you|could you|well|actually) )*"
_UNDO = re.compile(
    _OPENERS + r"(?:undo|revert|reverse|roll back|rollback|take back)(?: (?P<what>that|this|it|them|those|these|both|all of (?:that|it|them)"
    r"|(?:the|my|your|that|this) (?:very )?(?:last|latest|previous|recent)?\s?(?:undo|change|changes|one|thing|edit|edits|update|updates|move|step)"
    r"|change (?:number )?(?P<number>\d+)|(?:what|everything|all(?: that)?) (?:i|you|we) (?:just )?(?:did|changed|have changed|have done|entered|logged|set|updated)))?"
    r"(?: (?P<partly>partly|in part|partially|as far as possible|what you can|the rest))?(?P<rest>.*)$"
)
_TAKEN_BACK = re.compile(_OPENERS + r"(?:take|roll|put) (?:that|it|this|them) back(?P<rest>.*)$")
_REDO = re.compile(_OPENERS + r"(?:redo|do (?:it|that) again after all|undo (?:the|that|your|my) (?:last )?undo)\b")
_PERIOD_WORDS = frozenset("today yesterday morning afternoon hour hours minutes week since just now earlier".split())
NOTHING_TO_UNDO = "I find no change{when} that was applied, that you may take back, and that is not undone yet."


class Undoing(Pieces):
    """Which changes are to be taken back."""

    def _undo(self) -> Frame | None:
        """ "Undo that", "undo what I did this morning", "undo change 12", "redo"."""
        parts, said = self.parts, self.parts.phrases
        if _REDO.search(said):
            return self._of([item for item in self._applied() if item.capability == "undo_change"][:1], "", "")
        match = _UNDO.search(said) or _TAKEN_BACK.search(said)
        if match is None:
            return None
        groups = match.groupdict()
        if groups.get("number"):
            return Frame(intent="undo", changes=[int(groups["number"])], detail="partly" if groups.get("partly") else "")
        rest = (groups.get("rest") or "").split()
        times = [when for when, _cue in parts.times if when.end > when.first]
        people = [*parts.people, *(people[0] for people in parts.colleagues if len(people) == 1)]
        known = times or parts.names or people
        if rest and not known and not set(rest) <= _PERIOD_WORDS | {"please", "again", "for", "me", "then", "the", "in", "last"}:
            return None  # "undo the region filter": a condition of the question
        detail = "partly" if groups.get("partly") else ""
        several = (
            (groups.get("what") or "").split()[:1] in (["what"], ["everything"], ["all"]) or bool(times) or bool({"what", "everything"} & set(rest))
        )
        since, end, when = self._span(times)
        if people:  # "undo what Priya did today", of a manager or an administrator
            theirs = [item for item in self._applied(since=since, everybody=True) if item.requester_id == people[0][0]]
            return self._of(self._within(theirs, end, several=several), detail, f"{when} of {people[0][1]}")
        if parts.names:
            named = parts.names[0]
            changed = [item for match in named.matches for item in self._applied(noun=match.noun, id=match.id)[:1]]
            found = sorted(changed, key=lambda item: item.id, reverse=True)[:1]  # of several of one name, the one that was changed last
            return self._of(found, detail, f" on {named.matches[0].label if len(named.matches) == 1 else self._spoken(named)}")
        if not several:
            return self._of(self._within(self._applied(), None, several=False), detail, "")
        if not times:
            since, when = local_midnight(self.ctx.today, self.ctx.zone), " today"
        return self._of(self._within(self._applied(since=since), end, several=True), detail, when)

    def _span(self, times: list[When]) -> tuple[datetime | None, datetime | None, str]:
        """From when and until when the changes were asked for, and how that reads."""
        if not times:
            return None, None, ""
        period = times[0].period
        since = local_midnight(period.first, self.ctx.zone) if period.first > FAR_PAST else None
        return since, local_midnight(period.end, self.ctx.zone), f" {show_period(period)}"

    def _within(self, found: list[ChangeSet], end: datetime | None, *, several: bool) -> list[ChangeSet]:
        """Those that are no undo themselves, up to a moment; only the latest, unless several are meant."""
        kept = [item for item in found if item.capability != "undo_change" and (end is None or item.created_at < end)]
        return kept if several else kept[:1]

    def _applied(self, *, since: datetime | None = None, everybody: bool = False, noun: str = "", id: int | None = None) -> list[ChangeSet]:
        return list_changes(self.ctx, ListChanges(status="applied", since=since, everybody=everybody, noun=noun, id=id, limit=MOST))

    def _of(self, found: list[ChangeSet], detail: str, when: str) -> Frame:
        self.frame_unknown = []
        self.parts.unknown = []
        if not found:
            return Frame(intent="unknown", detail=NOTHING_TO_UNDO.format(when=when))
        return Frame(intent="undo", changes=[item.id for item in found], detail=detail)
