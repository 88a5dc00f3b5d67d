"""Taking changes back: "undo that", "undo what I did this morning", "undo the change on Globex", "redo it"."""

from __future__ import annotations

import re
from datetime import datetime

from assistant.language.frames import Frame
from assistant.language.grammar.pieces import Pieces
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
NOTHING_TO_UNDO = "I find no change of yours{when} that was applied and not undone yet, so there is nothing to take back."


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
        if rest and not (times or parts.names) and not set(rest) <= _PERIOD_WORDS | {"please", "again", "for", "me", "then", "the", "in", "last"}:
            return None  # "undo the region filter": a condition of the question
        detail = "partly" if groups.get("partly") else ""
        if parts.names:
            match_of = parts.names[0].matches[0]
            touching = self._applied(noun=match_of.noun, id=match_of.id)
            return self._of(touching[:1], detail, f" on {match_of.label}")
        several = (groups.get("what") or "").split()[:1] in (["what"], ["everything"], ["all"]) or bool(times)
        if not several:
            return self._of([item for item in self._applied() if item.capability != "undo_change"][:1], detail, "")
        first = times[0].period.first if times else self.ctx.today
        since = local_midnight(first, self.ctx.zone) if first > FAR_PAST else None
        end = local_midnight(times[0].period.end, self.ctx.zone) if times else None
        found = [item for item in self._applied(since=since) if item.capability != "undo_change" and (end is None or item.created_at < end)]
        return self._of(found, detail, f" {times[0].period.describe()}" if times else " today")

    def _applied(self, *, since: datetime | None = None, noun: str = "", id: int | None = None) -> list[ChangeSet]:
        return list_changes(self.ctx, ListChanges(status="applied", since=since, noun=noun, id=id, limit=MOST))

    def _of(self, found: list[ChangeSet], detail: str, when: str) -> Frame:
        self.frame_unknown = []
        self.parts.unknown = []
        if not found:
            return Frame(intent="unknown", detail=NOTHING_TO_UNDO.format(when=when))
        return Frame(intent="undo", changes=[item.id for item in found], detail=detail)
