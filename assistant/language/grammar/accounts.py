"""The last account: everything that narrows, splits or orders a question and was understood must stand in the frame.

A construction takes the parts that it looks at, and what it passes over would be dropped in silence: a figure of too much,
which is the worst answer there is. Here each part is looked for in the frame, in any form that it can have taken there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from assistant.language.frames import Frame
from assistant.language.parts import Parts
from assistant.language.states import STATE_FILTERS, STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Unit
from crm_core.metrics.filters import Condition, Filter, FilterGroup, Related
from crm_core.periods import FAR_PAST, Period

#: What a state is about, where a condition on that field can stand for it; states that others stand beside are not here.
_FIELDS_OF_STATES = {
    "overdue": {"due", "expected_close"},
    "stale": {"last_activity"},
    "slipped": {"slips"},
    "unanswered": {"first_response", "last_activity"},
    "incomplete": {"completed", "resolved", "status"},
    "completed": {"completed"},
    "open": {"status", "resolved", "converted", "completed"},
    "won": {"status", "closed"},
    "lost": {"status", "closed"},
    "resolved": {"resolved"},
    "converted": {"converted"},
    "unconverted": {"converted"},
    "not_won": {"status"},
}


def filters_of(conditions: list[Condition]) -> Iterator[Filter]:
    """All conditions on fields, those of groups and of related records included."""
    for item in conditions:
        if isinstance(item, Filter):
            yield item
        elif isinstance(item, FilterGroup):
            yield from filters_of(list(item.any_of))
        elif isinstance(item, Related):
            yield from filters_of(list(item.filters))


def unaccounted(parts: Parts, frame: Frame, today: date) -> list[str]:
    """The parts of a message that its frame, a figure or a list, does not stand for, in words."""
    if frame.intent not in ("metric", "list") or frame.pending is not None:
        return []
    fields = {item.field for item in filters_of([*frame.filters, *frame.part])}
    lost = [state.replace("_", " ") for state in parts.states if state in _FIELDS_OF_STATES and not _has_state(state, frame, fields)]
    timed = frame.period or frame.as_of or frame.compare or frame.since
    bounded = any(item.op in ("between", "less_than", "more_than", "at_least", "at_most") for item in filters_of(frame.filters))
    if not timed and not bounded:
        lost += [when.period.describe() for when, _cue in parts.times if not _is_now(when.period, today)]
    lost += [word for word in ("nothing", "nobody", "noone") if word in parts.words_seen and not _denies(frame)][:1]
    family = STATE_OF_METRIC.get(frame.metric, ("", "", False))[1]
    lost += [f"not {state}" for state in parts.negated_states if state == family or state == "closed" and family in ("won", "lost")]
    if parts.me and not {"owner", "team"} & fields:
        lost.append("me")
    if parts.my_team and not {"owner", "team"} & fields:
        lost.append("my team")
    if (parts.untouched or parts.untouched_days) and "last_activity" not in fields:
        lost.append("no activity")
    still = any(item.field == "completed" and item.op == "empty" for item in filters_of(frame.filters))
    if "open" in parts.negated_states and frame.noun == "activity" and still:
        lost.append("no open task")  # "where nobody has put an open task" asks for none
    unit = METRICS[frame.metric].unit if frame.metric else None
    if frame.intent == "metric" and "duration" in parts.aggregates and unit in (Unit.money, Unit.count):
        lost.append("how long")
    if frame.intent == "metric" and "sum" in parts.aggregates and "worth" in parts.words_seen and unit is Unit.count and not frame.measure:
        lost.append("worth")
    told = STATE_OF_METRIC.get(frame.metric, ("", "", False))
    if frame.intent == "metric" and "count" in parts.aggregates and told[1] == "created":
        others = [STATE_OF_METRIC[name] for name in parts.metrics if name in STATE_OF_METRIC]
        lost += [state for noun, state, _sums in others if noun == told[0] and state in ("won", "lost") and "status" not in fields]
    if parts.names and not (frame.entities or frame.entity or {"owner", "company", "contact", "id", "product"} & fields):
        lost += [name.matches[0].label for name in parts.names]
    return lost


def _denies(frame: Frame) -> bool:
    """Whether a frame asks for the absence of anything."""
    if any(isinstance(item, Related) and item.none or isinstance(item, FilterGroup) for item in frame.filters):
        return True
    return any(item.op in ("is_not", "empty") or item.field in ("last_activity", "status") for item in filters_of(frame.filters))


def _is_now(period: Period, today: date) -> bool:
    """Whether a time only says that the present is meant: "today", "as of today"."""
    return period.days == 1 and period.first == today or period.first <= FAR_PAST and period.end > today


def _has_state(state: str, frame: Frame, fields: set[str]) -> bool:
    if _FIELDS_OF_STATES.get(state, set()) & fields:
        return True
    if state == "won" and frame.noun in ("lead", "ticket", "activity"):
        return True  # "everything that landed in the lead bucket": no outcome of theirs
    if frame.metric:
        known = STATE_OF_METRIC.get(frame.metric)
        if known is not None and (
            known[1] == state or STATE_METRICS.get((known[0], state), ("", ""))[0] in (frame.metric, STATE_METRICS[known[:2]][0])
        ):
            return True
        if state in METRICS[frame.metric].title or known is None:
            return True
    return any(frame.noun == noun and name == state and not conditions for (noun, name), conditions in STATE_FILTERS.items())
