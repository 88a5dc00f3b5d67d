"""A message that leans on the question before: new parts take the place of the old ones of the same sort."""

from __future__ import annotations

import re

from assistant.language.frames import Frame
from assistant.language.grammar.figures import Figures
from assistant.language.grammar.pieces import as_days
from assistant.language.grammar.records import Records
from assistant.language.parts import Parts
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Metric
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Filter
from crm_core.metrics.question import Days
from crm_core.periods import Grain, preceding, year_before

#: "The quarter before", "the one before that", "the previous month" at the end of a message.
_EARLIER = re.compile(
    r"\b(?:the|that|one) (day|week|month|quarter|year|one|period)? ?(?:before|prior)(?: that)?$|\bthe (?:preceding|previous) (day|week|month|quarter|year|one|period)$"
)


class FollowUps(Records, Figures):
    """What the message changes in the question before."""

    def _fragment(self) -> Frame | None:
        """ "And in EMEA?", "by rep?", "what about last year?", "only open ones": leans on the question before."""
        parts, previous = self.parts, self.previous
        if previous is None or parts.unknown_capital:
            return None
        something = (
            parts.groups
            or parts.times
            or parts.filters
            or parts.names
            or parts.states
            or parts.order
            or parts.compare
            or parts.me
            or parts.limit
            or parts.my_team
            or parts.wh_groups
            or parts.fields
            or self._asked()
            or _EARLIER.search(parts.phrases)
        )
        if not something:
            return None
        return self._merged(previous)

    def _merged(self, previous: Frame) -> Frame | None:
        """The previous question with the new parts in place of the old ones of the same sort."""
        parts = self.parts
        frame = previous.model_copy(deep=True, update={"pending": None, "offset": 0})
        if previous.intent == "record":
            if parts.names and not (parts.groups or parts.times):
                fresh = Frame(intent="record", asked_fields=self._asked() or previous.asked_fields)
                self._subject(fresh)
                return fresh
            if self._asked() and previous.entity:
                return Frame(intent="record", entity=previous.entity, asked_fields=self._asked())
            return None
        if previous.intent not in ("metric", "list", "interactions"):
            return None
        if previous.intent == "metric":
            metric = _metric_with_state(parts, previous.metric)
            frame.metric = metric
            declared = METRICS[metric]
            shape_name = declared.shape if isinstance(declared, Metric) else METRICS[declared.inputs[0]].shape  # type: ignore[union-attr]
            shape = shape_for(self.ctx, shape_name)
            planned = isinstance(declared, Metric) and declared.when == "expected_close"
            if parts.times:
                if parts.compare == "against" and len(parts.times) == 1:
                    frame.compare = "previous"
                else:
                    frame.period = self._days(planned=planned)
            elif declared.name != previous.metric and planned and frame.period:
                frame.period = None
            groups = list(dict.fromkeys([*parts.groups, *parts.wh_groups]))
            if groups:
                frame.group_by = groups[:2]
                frame.order, frame.limit = None, None
            if parts.order in ("highest", "lowest"):
                frame.order = parts.order  # type: ignore[assignment]
            if parts.limit:
                frame.limit = parts.limit
            if parts.compare in ("previous", "year_before"):
                frame.compare = parts.compare  # type: ignore[assignment]
                if frame.period is None:
                    self._default_comparison_period(frame)
        else:
            shape = shape_for(self.ctx, "activity" if previous.intent == "interactions" else previous.noun)
            if parts.order and previous.intent == "list":
                self._list_order(frame, shape)
            if parts.limit:
                frame.limit = parts.limit
            if parts.topic and previous.intent == "interactions":
                frame.topic = self._topic()
        fresh = Frame(intent=frame.intent, noun=frame.noun, metric=frame.metric)
        self._conditions(fresh, shape, metric=previous.intent == "metric")
        if previous.intent == "list":
            self._state_filters(fresh, shape)
            fresh.filters += self._period_filters(shape)
        elif previous.intent == "interactions" and parts.times:
            frame.period = self._days(planned=False)
        earlier = self._earlier(previous.period)
        if earlier is not None:
            frame.period = earlier
            self.frame_unknown = []
        _replace_filters(frame, fresh)
        frame.pending = fresh.pending
        frame.entities += fresh.entities
        return frame

    def _earlier(self, period: Days | None) -> Days | None:
        """ "And the quarter before?", "the one before that": the stretch before the period of the question before."""
        match = _EARLIER.search(self.parts.phrases)
        if match is None or not isinstance(period, Days):
            return None
        calendar = self.ctx.calendar
        said = period.period(calendar)
        earlier = year_before if (match.group(1) or match.group(2)) == "year" and said.grain is not Grain.year else preceding
        return as_days(earlier(said, calendar))


def _metric_with_state(parts: Parts, metric: str) -> str:
    """ "And lost?" after won value is lost value; a metric named anew replaces the old one."""
    if parts.metrics:
        return parts.metrics[0]
    known = STATE_OF_METRIC.get(metric)
    if known and parts.states:
        pair = STATE_METRICS.get((known[0], parts.states[0]))
        if pair:
            return pair[1] if known[2] and pair[1] else pair[0]
    return metric


def _replace_filters(frame: Frame, fresh: Frame) -> None:
    """New conditions replace old ones on the same field; company and contact and owner each stand for themselves."""
    new = {item.field for item in fresh.filters if isinstance(item, Filter)}
    if "team" in new:
        new.add("owner")
    if "owner" in new:
        new.add("team")
    kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in new)]
    frame.filters = [*kept, *fresh.filters]
    frame.said = [*frame.said, *fresh.said] if kept else list(fresh.said)
