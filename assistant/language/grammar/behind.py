"""The records behind a question, as a list; and a list as a figure that can be split."""

from __future__ import annotations

from datetime import date

from assistant.language.frames import Frame
from assistant.language.grammar.figures import Figures
from assistant.language.grammar.pieces import as_days
from assistant.language.grammar.records import Records
from assistant.language.saying import say_conditions
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Composite
from crm_core.metrics.fields import NOUN_SHAPES, Shape, shape_for
from crm_core.metrics.filters import Condition, Filter
from crm_core.metrics.question import Days
from crm_core.periods import Grain, whole
from crm_core.text import join_words

#: Metrics that a list of plain conditions tells as well: the state's conditions, and the field of its period.
_STATES_AS_FILTERS: dict[str, tuple[tuple[tuple[str, str, tuple[str, ...]], ...], str]] = {
    "open_deals": ((("status", "is", ("open",)),), "expected_close"),
    "open_pipeline": ((("status", "is", ("open",)),), "expected_close"),
    "weighted_pipeline": ((("status", "is", ("open",)),), "expected_close"),
    "won_deals": ((("status", "is", ("won",)),), "closed"),
    "won_value": ((("status", "is", ("won",)),), "closed"),
    "lost_deals": ((("status", "is", ("lost",)),), "closed"),
    "lost_value": ((("status", "is", ("lost",)),), "closed"),
    "deals": ((), "created"),
    "new_pipeline": ((), "created"),
    "leads": ((), "created"),
    "tickets_opened": ((), "created"),
    "open_tickets": ((("resolved", "empty", ()),), ""),
}


class Behind(Records, Figures):
    """What a question was about."""

    def as_list(self, base: Frame) -> Frame | None:
        """The records that a question was about, as a list; a figure's are those behind it."""
        if base.intent == "list":
            return base.model_copy(deep=True, update={"pending": None, "offset": 0, "salient": [], "offered": [], "count_only": False, "detail": ""})
        if base.intent != "metric":
            return None
        base = self._of_the_top(base)
        if base.part:  # of a share, those of the part
            base = base.model_copy(
                update={"filters": [*base.filters, *base.part], "said": [*base.said, *base.said_part], "part": [], "said_part": []}
            )
        declared = METRICS[base.metric]
        noun = declared.rows
        plain = _STATES_AS_FILTERS.get(base.metric)
        frame = Frame(intent="list", noun=noun, filters=list(base.filters), said=list(base.said), entities=list(base.entities), as_of=base.as_of)
        if (
            plain is not None
            and (plain[1] or base.period is None)
            and shape_for(self.ctx, noun).fields.keys() >= {item.field for item in base.filters if isinstance(item, Filter)}
        ):
            shape = shape_for(self.ctx, noun)
            state, time = plain
            frame.filters += [Filter(field=name, op=op, values=list(values)) for name, op, values in state]
            if base.period is not None and time:
                frame.filters += between(base.period, time)
            frame.order_by, frame.descending = ("amount", True) if "amount" in shape.fields else ("", True)
            frame.said = say_conditions(self.ctx, shape, frame.filters)
            return frame
        frame.metric, frame.period = base.metric, base.period
        span = f" {base.period.period(self.ctx.calendar).describe()}" if base.period is not None else ""
        told = declared.title.removeprefix(f"{NOUN_SHAPES[noun].plural} ")  # "slipped", of "deals slipped"
        plainly = declared.title.startswith("number of ") and not span
        frame.said = [*base.said, *([] if plainly else [f"{told}{span}" if told != declared.title else f"behind the {told}{span}"])]
        if isinstance(declared, Composite):  # its rows are those of its first part
            frame.said[-1:] = [f"{METRICS[declared.inputs[0]].title} in the {declared.title}{span}"]
        return frame

    def _of_the_top(self, base: Frame) -> Frame:
        """The figure of the one part that came out on top: "which region won most?", and then "how many deals was that?"."""
        if base.limit != 1 or not base.groups:
            return base
        top = base.groups[0]
        if top.field in Grain.__members__:
            period = as_days(whole(Grain(top.field), date.fromisoformat(str(top.value)), self.ctx.calendar))
            return base.model_copy(update={"period": period, "group_by": [], "limit": None, "order": None})
        tied = [group for group in base.groups if group.field == top.field]
        filters = [*base.filters, Filter(field=top.field, values=[group.value for group in tied])]
        said = [*base.said, join_words([group.label for group in tied], "or")]
        return base.model_copy(update={"filters": filters, "said": said, "group_by": [], "limit": None, "order": None})

    def _facts_of_rows(self, shape: Shape) -> list[str]:
        """ "Only the one in qualification: next step?": fields to show of the rows that stay."""
        bare = self.parts.words <= 3 and not (self.parts.filters or self.parts.times)  # "reasons?"
        return [
            name
            for name in self.parts.fields
            if name in shape.fields and shape.fields[name].key is not None and (bare or not shape.fields[name].groupable)
        ]

    def _as_metric(self, base: Frame) -> Frame | None:
        """A list as a figure that can be split: how many there are, or what they are worth where that was asked."""
        if base.metric:
            known = STATE_OF_METRIC.get(base.metric)
            summed = STATE_METRICS[known[:2]][1] if known is not None and base.detail == "sum" else ""
            changed = {"intent": "metric", "metric": summed or base.metric, "limit": None, "order": None, "count_only": False, "detail": ""}
            return base.model_copy(deep=True, update=changed)
        counted = {
            "deal": "deals",
            "ticket": "tickets_opened",
            "lead": "leads",
            "company": "companies",
            "contact": "contacts",
            "activity": "activities",
        }
        if base.noun not in counted:
            return None
        name = counted[base.noun]
        filters = list(base.filters)
        if base.noun == "activity" and Filter(field="kind", values=["task"]) in filters and Filter(field="completed", op="empty") in filters:
            name = "open_tasks"
            filters = [item for item in filters if item not in (Filter(field="kind", values=["task"]), Filter(field="completed", op="empty"))]
        if base.noun == "deal":
            status = next((item for item in filters if isinstance(item, Filter) and item.field == "status" and item.op == "is"), None)
            state = str(status.values[0]) if status is not None and len(status.values) == 1 else ""
            counts, sums = STATE_METRICS.get(("deal", state), ("deals", "new_pipeline")) if state else ("deals", "new_pipeline")
            name = sums if base.detail == "sum" or "sum" in self.parts.aggregates else counts
            filters = [item for item in filters if item is not status]
        elif base.noun == "ticket" and any(isinstance(item, Filter) and item.field == "resolved" and item.op == "empty" for item in filters):
            name = "open_tickets"
            filters = [item for item in filters if not (isinstance(item, Filter) and item.field == "resolved")]
        return Frame(intent="metric", noun=base.noun, metric=name, filters=filters, said=list(base.said), entities=list(base.entities))


def between(period: Days, field: str) -> list[Condition]:
    """The condition that a time field lies in a period."""
    return [Filter(field=field, op="between", values=[period.first.isoformat(), period.end.isoformat()])]
