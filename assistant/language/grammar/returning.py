"""Back to a question that was asked before the last one: by its list, its figure, its split, or what it was narrowed to."""

from __future__ import annotations

import re

from assistant.language.dialogue import SETS, Dialogue
from assistant.language.frames import Frame
from assistant.language.grammar.drilling import Drilling
from assistant.language.grammar.stretching import listed_period
from assistant.language.states import STATE_OF_METRIC
from crm_core.metrics.definitions import shape_of
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Filter

_BACK = re.compile(
    r"\b(?:(?:go|going|turn|turning|come|coming|switch|switching)? ?back to|return to|returning to|go back|going back|once more|again)\b"
)
_EARLIER_LIST = re.compile(r"\b(?:earlier|first|previous|original) list\b")
_AS_A_WHOLE = re.compile(r"\b(?:as a whole|in general|overall|in total|the whole|whole)\b")


class Returning(Drilling):
    """Which of the questions before the message goes back to."""

    def resolve(self) -> None:
        """Let the question that the message goes back to be the one before, and then what it points at take the place of a name."""
        self._go_back()
        super().resolve()

    def _go_back(self) -> None:
        """ "Back to Mike's wins", "turning back to the region as a whole", "back to October": the last question with that condition.

        What was said of it stays in the message, so that a question which says all anew is read as such.
        """
        frames, parts = [frame for frame in self.dialogue.frames if frame.intent in SETS and frame.pending is None], self.parts
        if len(frames) < 2 or (said := _BACK.search(parts.phrases)) is None or any(name not in STATE_OF_METRIC for name in parts.metrics):
            return
        wider = self._wider(frames) if _AS_A_WHOLE.search(parts.phrases) and said.group() != "again" else None
        raws = [raw for raw in parts.filters if raw.op == "is" and not raw.negated]
        spans = [when.period for when, _cue in parts.times] if parts.nouns else []
        people = {str(key) for colleagues in parts.colleagues for key, _label in colleagues}

        def fits(frame: Frame) -> bool:
            held = {item.field: set(map(str, item.values)) for item in frame.filters if isinstance(item, Filter) and item.op == "is"}
            if any(held.get(raw.field) == set(map(str, raw.values)) for raw in raws):
                return True
            if people & held.get("owner", set()):
                return True
            stretch = self._stretch_of(frame)
            return not raws and stretch is not None and any((span.first, span.end) == stretch for span in spans)

        if wider is None and fits(frames[-1]):
            return
        base = wider or next((frame for frame in reversed(frames[:-1]) if fits(frame)), None)
        if wider is not None:
            parts.words_seen -= {"there"}  # the place that the message goes back to, not the company spoken of last
        if base is not None:
            self.dialogue = Dialogue([*self.dialogue.frames, base.model_copy(deep=True, update={"salient": [], "offered": []})])

    def _stretch_of(self, frame: Frame) -> tuple[object, object] | None:
        """First day and end of the days that a question was about."""
        if frame.period is not None:
            return frame.period.first, frame.period.end
        listed = listed_period(frame, shape_for(self.ctx, shape_of(frame.metric) if frame.metric else frame.noun)) if frame.noun else None
        return (listed[1].first, listed[1].end) if listed is not None else None

    def _wider(self, frames: list[Frame]) -> Frame | None:
        """ "The region as a whole": the last question that was narrowed to a value of the field, and to less than the last one."""
        parts, last = self.parts, frames[-1]
        for name in parts.fields:
            base = next(
                (
                    frame
                    for frame in reversed(frames[:-1])
                    if len(frame.filters) < len(last.filters) and any(isinstance(item, Filter) and item.field == name for item in frame.filters)
                ),
                None,
            )
            if base is not None:
                parts.fields = [other for other in parts.fields if other != name]
                return base
        return None

    def _returned(self) -> Frame | None:
        """ "The first list again", "back to the win rate, by team", "all my open deals again"."""
        parts = self.parts
        if not self.dialogue.frames or not (_BACK.search(parts.phrases) or _EARLIER_LIST.search(parts.phrases)):
            return None
        if (
            re.search(r"\b(?:back to|return to|returning to) all\b", parts.phrases)
            and (parts.nouns or parts.metrics)
            and all(name in STATE_OF_METRIC for name in parts.metrics)
        ):
            return (self._counted() if parts.aggregates else None) or self._list()  # "back to all my open deals": named in full
        if {"count", "sum"} & set(parts.aggregates) and parts.states and parts.filters:
            return None  # "back to Nord, how many deals did they win": a question of its own
        base: Frame | None = None
        if "list" in parts.phrases and re.search(r"\b(?:first|original|earlier|previous|initial|full) list\b", parts.phrases):
            lists = [frame for frame in self.dialogue.frames if frame.intent in ("list", "metric")]
            narrowed = lists[-1] if lists else None
            run = [frame for frame in lists if narrowed is not None and frame.noun == narrowed.noun and frame.intent == "list"]
            base = run[0] if run else None
            parts.order = ""
        elif (
            "list" in parts.phrases and (bound := next((raw for raw in parts.filters if raw.field == "amount" and raw.op == "is"), None)) is not None
        ):
            value = float(bound.values[0])
            parts.filters.remove(bound)  # "the 80k list from before"
            base = self.dialogue.latest(lambda frame: value in _bounds(frame))
        elif parts.fields and not (parts.metrics or parts.nouns) and (split := set(parts.fields)):
            base = self.dialogue.latest(lambda frame: frame.intent == "metric" and bool(split & set(frame.group_by)))
            parts.fields = parts.fields if base is None else []  # "going back to the reasons"
        elif parts.metrics:
            base = self.dialogue.latest(lambda frame: frame.intent == "metric" and frame.metric in parts.metrics)
        elif parts.nouns:
            noun = self._noun()
            base = self.dialogue.latest(lambda frame: frame.intent in SETS and frame.noun == noun and frame.limit != 1)
        if base is None:
            return None
        self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in ("list", "again", "back")]
        return self._merged(base)


def _bounds(frame: Frame) -> list[float]:
    """The amounts that a question is bounded by."""
    return [float(item.values[0]) for item in frame.filters if isinstance(item, Filter) and item.field == "amount" and item.values]
