"""Constructions that add up or average a number that records carry: headcount, seats, an amount of the company's own."""

from __future__ import annotations

from assistant.language.frames import Frame
from assistant.language.grammar.shares import Shares
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, shape_of
from crm_core.metrics.fields import NOUN_SHAPES, shape_for
from crm_core.metrics.filters import Filter
from crm_core.metrics.measures import Measure, is_measurable

#: The plain count of each kind of records that can have numbers of their own.
COUNTS = {"deal": "deals", "company": "companies", "contact": "contacts", "lead": "leads", "ticket": "tickets_opened"}


class Measuring(Shares):
    """Which number, of which records, added up or averaged."""

    def _asked_measure(self, nouns: tuple[str, ...], before: Measure | None = None) -> tuple[str, Measure] | None:
        """The kind of records and the number that is to be added up or averaged; takes both out of the parts.

        After such a figure, ``before``, a bare "average?" is about the same number.
        """
        parts = self.parts
        how = "mean" if "mean" in parts.aggregates else "sum" if {"sum", "total"} & set(parts.aggregates) else ""
        if not how:
            return None
        if before is not None and not (parts.fields or parts.metrics):
            parts.aggregates.clear()
            return nouns[0], before.model_copy(update={"how": how})
        for noun in nouns:
            fields = shape_for(self.ctx, noun).fields
            named = {}
            for name in dict.fromkeys(parts.fields):
                own = [value for kind, value in parts.field_senses.get(name, [(noun, name)]) if kind == noun]
                meant = next((value for value in own if value in fields and is_measurable(fields[value])), None)
                named.update({name: meant} if meant is not None else {})
            if len(named) == 1:
                ((said, meant),) = named.items()
                parts.fields = [name for name in parts.fields if name != said]
                parts.aggregates = [name for name in parts.aggregates if name not in ("sum", "total", "mean", "count")]
                return noun, Measure.model_validate({"field": meant, "how": how})
        return None

    def _added_up(self) -> Frame | None:
        """ "Total headcount of the open deals by team", "average seats of what we won last quarter"."""
        parts = self.parts
        if any(name not in STATE_OF_METRIC and name not in ("customers", "companies", "contacts") for name in parts.metrics):
            return None
        told = self._noun() or next((METRICS[name].rows for name in parts.metrics), "")
        if not told and self.dialogue.frames:
            return None  # "average headcount?" leans on the question before
        asked = self._asked_measure((told,) if told in NOUN_SHAPES else tuple(COUNTS))
        if asked is None or asked[0] not in COUNTS:
            return None
        noun, measure = asked
        states = [*parts.states, *(STATE_OF_METRIC[name][1] for name in parts.metrics if name in STATE_OF_METRIC)]
        metric = next((STATE_METRICS[(noun, state)][0] for state in states if (noun, state) in STATE_METRICS), COUNTS[noun])
        customers = noun == "company" and (parts.customer or "customers" in parts.metrics)
        parts.metrics = []
        frame = self._with_groups(self._frame_metric(metric))
        if customers and "customer" in shape_for(self.ctx, shape_of(metric)).fields:
            frame.filters.append(Filter(field="customer", values=[True]))
            frame.said.append("customers")
        frame.measure = measure
        return frame

    def counting(self, base: Frame) -> Frame | None:
        """A figure in money as the count of its records, which a number of theirs can be added up over."""
        known = STATE_OF_METRIC.get(base.metric)
        counted = STATE_METRICS[known[:2]][0] if known is not None else base.metric
        return base.model_copy(deep=True, update={"metric": counted, "measure": None}) if counted in METRICS else None
