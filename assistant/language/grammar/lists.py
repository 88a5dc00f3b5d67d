"""Constructions that ask for records: a list with its conditions, order and length."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from assistant.language.frames import Frame
from assistant.language.grammar.pieces import Pieces
from assistant.language.states import OPPOSITE_STATES, STATE_FILTERS, STATE_OF_METRIC
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Metric
from crm_core.metrics.fields import Kind, Shape, field_of, shape_for
from crm_core.metrics.filters import Filter, FilterGroup
from crm_core.models import Stage
from crm_core.text import plural

_UNASSIGNED = "without an owner"
#: Words for those who sell, not for everybody with an account.
REPS = frozenset("rep reps seller sellers salesperson salespeople ae aes".split())


class Lists(Pieces):
    """Which records, in which order, how many."""

    def _list(self) -> Frame | None:
        """ "My deals closing this month over 20k", "open urgent tickets at Acme", "contacts at Globex"."""
        parts = self.parts
        noun = self._noun()
        if not noun and parts.wh_groups[:1] == ["company"]:
            noun = "company"
        if parts.customer and not noun:
            noun = "company"
        if not noun and parts.metrics and self._is_plain_count(parts.metrics[0]):
            noun = STATE_OF_METRIC.get(parts.metrics[0], ("", "", False))[0] or ("company" if parts.metrics[0] == "customers" else "")
        sold = {"open", "won", "lost", "closing", "closed"} & set(parts.states)
        ahead = "closing" in parts.states and parts.times  # "what is closing next week?"
        if not noun and (ahead or sold and (parts.names or parts.order) or "slipped" in parts.states and self.previous is None):
            noun = "deal"  # "what do we have open with Acme?", "our biggest win this year", "what is slipping?"
        whose = parts.me or parts.my_team or any(raw.field in ("team", "region", "owner", "pipeline") for raw in parts.filters)
        if (
            not noun
            and "open" in parts.states
            and whose
            and parts.first_words[:1] == ["what"]
            and not (parts.metrics or parts.groups or parts.aggregates)
        ):
            noun = "deal"  # "what is open in my team?"
        if not noun and "open" in parts.states and (parts.untouched or parts.untouched_days) and not parts.names:
            noun = "deal"  # "open, no contact for two weeks"
        if not noun and parts.relations and (parts.wh_groups[:1] == ["owner"] or "owner" in parts.fields):
            noun = "user"  # "which reps had no meetings?"
        if (
            not noun
            and {"who", "who_is"} & set(parts.cues)
            and any(raw.op == "empty" and raw.field in ("email", "phone", "title") for raw in parts.filters)
        ):
            noun = "contact"  # "who at Acme has no e-mail?"
        if not noun and "due" in parts.states and any(raw.field in ("pipeline", "stage", "forecast_category") for raw in parts.filters):
            noun, parts.states = "deal", ["closing" if state == "due" else state for state in parts.states]  # "renewals due in June"
        if not noun and {"due", "overdue"} & set(parts.states) and not parts.names and not parts.metrics:
            before = self.dialogue.question()  # "what do I have due this week?", or which of the deals spoken of
            noun, parts.kinds = ("deal", parts.kinds) if before is not None and before.noun == "deal" else ("activity", ["task"])
        if not noun and not parts.metrics:
            noun = self._noun_of_fields()
        if not noun:
            return None
        if parts.names and noun == "activity" and parts.unknown:
            return None  # "the redlines note for Sierra": the unknown words are what to look for
        if noun == "user" and not parts.relations and not ({"list", "which", "who"} & set(parts.cues)) and not parts.filters and not parts.names:
            return None
        return self._frame_list(noun)

    def _noun_of_fields(self) -> str:
        """ "Bids over 200k", "urgent ones that are open": the only kind of records that has what is said of them."""
        parts = self.parts
        whole = {"everything", "anything", "stuff"} & parts.words_seen and not (parts.groups or parts.aggregates or parts.unknown or parts.metrics)
        if whole and any(raw.field in ("stage", "pipeline", "forecast_category") for raw in parts.filters):
            parts.states = parts.states or (["open"] if self._stage_state() == "" else [])
            return "deal"  # "everything in Negotiation"
        if any(raw.field == "pipeline" for raw in parts.filters) and parts.times and not (parts.groups or parts.aggregates or parts.unknown):
            return "deal"  # "renewals this quarter"
        asked = parts.first_words[:1] == ["what"]
        if not (
            parts.filters and (asked or parts.states or parts.order or parts.me or len(parts.filters) > 1 or {"list", "which"} & set(parts.cues))
        ):
            return ""
        for raw in parts.filters:
            if raw.field == "amount" and {"open", "won", "lost", "closing"} & set(parts.states):
                return "deal"
            fits = [noun for noun in ("deal", "ticket", "lead", "contact", "company") if raw.field in shape_for(self.ctx, noun).fields]
            if raw.field in ("stage", "pipeline", "forecast_category", "loss_reason"):
                if raw.field == "stage":
                    parts.states = parts.states or (["open"] if self._stage_state() == "" else [])
                return "deal"
            if raw.noun in fits and raw.field in ("priority", "category", "title", "deal_role"):
                return raw.noun
            if len(fits) == 1 and raw.field not in ("owner", "team") and not (parts.groups or parts.aggregates or parts.unknown):
                return fits[0]  # "what has been in its stage for more than 90 days?"
        return ""

    def _stage_state(self) -> str:
        """ "won" or "lost" where all stages that are named close a deal that way; else empty."""
        others = {"ticket", "lead", "activity"} & set(self.parts.nouns)
        ids: list[Any] = []
        for raw in self.parts.filters:
            named = [(raw.field, raw.values), *([] if others else raw.alternatives)]  # a status of tickets may have the stage's name
            ids += next((list(values) for field, values in named if field == "stage" and not raw.negated), [])
        kinds = set(self.ctx.session.scalars(select(Stage.kind).where(Stage.id.in_(ids)))) if ids else set()
        return kinds.pop() if len(kinds) == 1 and kinds <= {"won", "lost"} else ""

    def _frame_list(self, noun: str) -> Frame:
        """A list frame with filters, order and limit of the message."""
        parts = self.parts
        shape = shape_for(self.ctx, noun)
        frame = Frame(intent="list", noun=noun)
        for name in parts.metrics:
            known = STATE_OF_METRIC.get(name)
            if (
                known
                and known[0] == noun
                and known[1]
                and known[1] not in parts.states
                and (known[1] != "created" or name == "deals" and "created" in parts.phrases or name != "deals")
            ):
                parts.states.append(known[1])
        self._conditions(frame, shape, metric=False)
        self._state_filters(frame, shape)
        if noun == "activity" and parts.kinds and not any(isinstance(item, Filter) and item.field == "kind" for item in frame.filters):
            frame.filters.append(Filter(field="kind", values=list(parts.kinds)))
            frame.said.append(" or ".join(f"{kind}s" for kind in parts.kinds))
        if noun == "user" and parts.relations:
            frame.filters.append(Filter(field="active", values=[True]))
            if REPS & parts.words_seen:
                frame.filters.append(Filter(field="role", values=["rep"]))
        if parts.customer and noun == "company":
            frame.filters.append(Filter(field="customer", values=[True]))
            frame.said.append("customers")
        if noun == "activity" and not parts.kinds and not {"due", "overdue", "incomplete", "open", "completed"} & set(parts.states):
            frame.filters.append(FilterGroup(any_of=[Filter(field="kind", op="is_not", values=["task"]), Filter(field="completed", op="not_empty")]))
        if noun == "deal" and set(parts.states) == {"open"} and len(parts.times) == 1 and self._tells_of_then():
            frame.as_of = self.past_day(*parts.times[0])  # "which deals were open on 1 October?"
        if not frame.latest and frame.metric != "slipped_deals" and frame.as_of is None:
            frame.filters += [item for item in self._period_filters(shape) if item not in frame.filters]
            frame.said += self._said_times(shape)
        self._list_order(frame, shape)
        frame.limit = parts.limit
        if parts.sort:
            try:
                frame.order_by = field_of(shape, parts.sort).name
                frame.descending = (
                    shape.fields[frame.order_by].kind in (Kind.money, Kind.number)
                    and "ascending" not in parts.words_seen
                    or "descending" in parts.words_seen
                )
            except Invalid:
                self.frame_unknown.append(parts.sort)
        if parts.order and parts.order not in ("newest",) and not parts.plural_noun and parts.limit is None:
            frame.limit = 1
        if (
            parts.order
            and {"was", "is"} & parts.words_seen
            and not {"were", "are"} & parts.words_seen
            and "which" in parts.cues
            and parts.limit is None
        ):
            frame.limit = 1  # "which of these was the largest?"
        if parts.order == "newest" and not parts.plural_noun and not parts.order_is_soft and parts.limit is None:
            frame.limit = 1
        return frame

    def related_list(self, noun: str) -> Frame:
        """The conditions on related records, as a list of them would have."""
        return self._frame_list(noun)

    def _tells_of_then(self) -> bool:
        """Whether a list is meant as it was: "which deals were open on 1 October", "open deals back in March", "as of 30 June"."""
        said = self.parts.phrases
        return bool({"were", "was"} & self.parts.words_seen) or " back in " in said or "as of" in said or "as at" in said

    def _list_order(self, frame: Frame, shape: Shape) -> None:
        parts = self.parts
        amount = "amount" if "amount" in shape.fields else ""
        created = "occurred" if shape.name == "activity" else "created"
        if parts.order in ("highest", "lowest"):
            name = next(
                (
                    item
                    for item in (*parts.fields, *([parts.sort] if parts.sort else []))
                    if item in shape.fields and shape.fields[item].kind in (Kind.number, Kind.money)
                ),
                "",
            )
            hint = parts.order_field if parts.order_field in shape.fields else ""
            if parts.order_field == "amount" and shape.name == "company":
                hint = "employees"
            if parts.order_field == "duration" and "age" in shape.fields:
                hint = "age"
            frame.order_by = name or hint or amount or created
            frame.descending = parts.order == "highest"
            if shape.name == "activity" and parts.order_field == "duration" and not name:
                frame.order_by, frame.descending = "due", parts.order != "highest"  # "the one that is overdue the longest"
        elif parts.order in ("oldest", "newest"):
            frame.order_by, frame.descending = created, parts.order == "newest"
            if shape.name == "deal" and ({"won", "lost", "closed"} & set(parts.states)):
                frame.order_by = "closed"
        elif parts.order == "soonest":
            frame.order_by, frame.descending = ("due" if shape.name == "activity" else "expected_close" if amount else created), False
        elif (
            shape.name == "activity"
            and {"due", "overdue", "incomplete", "open"} & set(parts.states)
            or shape.name == "activity"
            and parts.kinds == ["task"]
        ):
            frame.order_by, frame.descending = "due", False

    def _state_filters(self, frame: Frame, shape: Shape) -> None:
        noun = shape.name
        states = [*self.parts.states, *(OPPOSITE_STATES.get(item, "") for item in self.parts.negated_states)]
        for name in self.parts.metrics:
            known = STATE_OF_METRIC.get(name)
            if known and known[0] == noun and known[1] and known[1] != "created":
                states.append(known[1])
            elif name == "customers" and noun == "company":
                self.parts.customer = True
        if noun == "activity" and "task" in self.parts.kinds and not {"completed", "incomplete", "due", "overdue", "open", "created"} & set(states):
            states.append("incomplete")
        if noun == "deal" and "closed" in states and {"won", "lost"} & set(states):
            states = [state for state in states if state != "closed"]  # "closed as won"
        several = [STATE_FILTERS[(noun, item)] for item in dict.fromkeys(states) if (noun, item) in STATE_FILTERS and (noun, item) != (noun, "due")]
        if len(several) > 1 and noun == "deal" and all(group[0][0] == "status" for group in several):
            values = list(dict.fromkeys(value for group in several for value in group[0][2]))
            if {"open", "closing"} & set(states) and len({*values}) > 1 and "closing" in states:
                values = ["open"]
            frame.filters.append(Filter(field="status", values=values))
            frame.said.append(" or ".join(str(value) for value in values))
        else:
            for group in several:
                for name, op, values, said in group:
                    item = Filter(field=name, op=op, values=values)
                    if item not in frame.filters:
                        frame.filters.append(item)
                        frame.said.append(said)
        if (noun, "due") in STATE_FILTERS and "due" in states and not several:
            frame.filters += [Filter(field=name, op=op, values=values) for name, op, values, _ in STATE_FILTERS[(noun, "due")]]
            frame.said.append("not done")
        if "unassigned" in states:
            frame.filters.append(Filter(field="owner", op="empty"))
            frame.said.append(_UNASSIGNED)
        if "overdue" in states:
            self._overdue(frame, shape)
        if "slipped" in states and noun == "deal" and self.parts.multiplicity is not None:
            op, count = self.parts.multiplicity
            frame.filters.append(Filter(field="slips", op=op, values=[count]))
            words = {"at_least": "at least ", "more_than": "more than ", "less_than": "less than ", "at_most": "at most "}.get(op, "")
            frame.said.append(f"slipped {words}{plural(count, 'time')}")
            if self.parts.times:
                raise Invalid("I can count how often a deal slipped over its whole life, but not yet within a period; leave the period out.")
        elif "slipped" in states and noun == "deal":
            frame.metric = "slipped_deals"
            frame.period = self._days(planned=False)
            span = frame.period.period(self.ctx.calendar).describe() if frame.period is not None else ""
            frame.said.append(f"slipped {span}".rstrip() if span.startswith(("since", "until")) or not span else f"slipped in {span}")

    def _overdue(self, frame: Frame, shape: Shape) -> None:
        today = self.ctx.today.isoformat()
        if shape.name == "deal":
            frame.filters += [Filter(field="status", values=["open"]), Filter(field="expected_close", op="less_than", values=[today])]
            frame.said.append("open past their expected close day")
        elif shape.name == "activity":
            frame.filters += [
                Filter(field="kind", values=["task"]),
                Filter(field="completed", op="empty"),
                Filter(field="due", op="less_than", values=[today]),
            ]
            frame.said.append("overdue tasks")
            frame.filters = list({item.model_dump_json(): item for item in frame.filters}.values())

    def _is_plain_count(self, name: str) -> bool:
        """Metrics that are the name of a list as well: "open deals", "new leads", "customers"."""
        metric = METRICS[name]
        if name not in STATE_OF_METRIC and name != "customers" or "count" in self.parts.words_seen:
            return False
        listing = bool({"list", "which"} & set(self.parts.cues))
        if (
            isinstance(metric, Metric)
            and metric.span is not None
            and self.parts.times
            and not listing
            and metric.name in ("open_tickets", "customers")
        ):
            return False
        return (
            isinstance(metric, Metric)
            and metric.counted != ""
            and not self.parts.aggregates
            and (bool({"list", "which"} & set(self.parts.cues)) or self.parts.order != "" or self._list_like())
        )

    def _list_like(self) -> bool:
        """Whether a bare "open deals over 20k" reads as a list: it names records with conditions, and asks for no figure."""
        return not (self.parts.groups or self.parts.compare)
