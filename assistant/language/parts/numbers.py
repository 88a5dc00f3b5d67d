"""Numbers: limits, record numbers, and the bounds of comparisons with their units."""

from __future__ import annotations

from typing import Any

from assistant.language.chart import Edge, Quantity
from assistant.language.lexicon import Sense
from assistant.language.parts.model import RawFilter, RawKeep
from assistant.language.parts.neighbours import Neighbours
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.errors import Invalid
from crm_core.metrics.fields import NOUN_SHAPES, Kind


def _field_names(edge: Edge) -> set[str]:
    """The fields that an edge can name."""
    return {str(sense.value) for sense in edge.senses if sense.kind == "field"}


#: Days of a unit of time.
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7, "month": 30, "months": 30, "year": 365, "years": 365}


class Numbers(Neighbours):
    """What a number says: how many, which record, or more than how much of what."""

    def _quantity(self, edge: Edge) -> None:
        quantity = edge.quantity
        assert quantity is not None
        if quantity.currency:
            self.parts.currencies.add(quantity.currency)
        ahead = {self._after(place) for place in range(4)} if self._after() in ("or", "and") else {self._after()}
        if ahead & {"times", "time"} and quantity.value == quantity.value.to_integral_value():
            self._take_multiplicity(int(quantity.value))
            return
        if self.comparison is not None:
            self._compare_number(edge, quantity)
            return
        following = self._next_edge()
        if (
            self._after() in ("to", "until")
            and self._upper_bound_ahead()
            or self._before() in ("from", "of")
            and self._after() == "up"
            and self._upper_bound_ahead()
        ):
            self.comparison = ("between", edge.text)
            self._compare_number(edge, quantity)
            return
        after = following.sense("comparison") if following else None
        if after and after.value in ("at_least_after", "at_most_after"):
            self.comparison = (after.value.removesuffix("_after"), "")
            self._compare_number(edge, quantity)
            return
        if (bound := self._bounded_after(quantity)) is not None:
            self.parts.filters.append(bound)
            return
        previous = self.edges[self.at - 1] if self.at else None
        noun = previous.sense("noun") if previous else None
        if len(edge.text) > 24:
            raise Invalid("That number is longer than any the CRM holds. Which number do you mean?")
        whole = quantity.value == quantity.value.to_integral_value()
        if self.time_field == "untouched" and whole and self._after() in _DAYS:
            self.parts.untouched_days = int(quantity.value) * _DAYS[self._after()]
            self.time_field = ""
            return
        if self._before() == "for" and self._after() in _DAYS:
            self._take_duration(edge, quantity)
            return
        if noun and whole and not quantity.scaled and not quantity.currency and not (following and following.sense("noun")):
            self.parts.record_numbers.append((noun.value, int(quantity.value)))
            return
        if quantity.value == 0 and whole and self.parts.order:
            raise Invalid("I cannot show the top 0; how many do you want to see?")
        if edge.text.lower() == "one":
            return  # "each one", "which one": a pronoun
        if whole and 0 < quantity.value <= 200 and not quantity.currency and not quantity.scaled:
            if self.parts.limit is None:
                self.parts.limit = int(quantity.value)
                return
        if quantity.currency or quantity.scaled:
            self.parts.filters.append(RawFilter("amount", "is", [quantity.value], edge.text, "deal"))
            return
        self.parts.unknown.append(edge.text)

    def _bounded_after(self, quantity: Quantity) -> RawFilter | None:
        """ "A hundred insured sites or more", "20 seats at most": the field after the number, and the bound after the field."""
        field = self._next_edge()
        spoken = self._numeric_sense(field) if field is not None and not field.sense("noun", "metric") else None
        if field is None or spoken is None:
            return None
        words = [token.norm for token in self.tokens[field.end : field.end + 2]]
        bounds = {
            "or more": "at_least",
            "at least": "at_least",
            "or above": "at_least",
            "or less": "at_most",
            "or fewer": "at_most",
            "at most": "at_most",
        }
        op = bounds.get(" ".join(words), "")
        if not op:
            return None
        self.at += 1
        while (following := self._next_edge()) is not None and following.end <= field.end + 2:
            self.at += 1
        said = f"{field.text.lower()} {op.replace('_', ' ')} {quantity.value:,}"
        return RawFilter(str(spoken.value), op, [quantity.value], said, spoken.noun)

    def _take_duration(self, edge: Edge, quantity: Quantity) -> None:
        """ "Stuck in negotiation for 30 days", "no activity for 3 weeks": how long already."""
        unit, parts = self._after(), self.parts
        days = quantity.value * _DAYS[unit]
        self.at += 1
        if self._stays_in_stage():
            parts.filters.append(RawFilter("days_in_stage", "at_least", [days], f"days in stage at least {days:,}"))
        elif "activity" in parts.nouns and {"no", "without"} & parts.words_seen and days == days.to_integral_value():
            parts.nouns.remove("activity")
            parts.untouched_days = int(days)
        else:
            parts.unknown.append(f"for {edge.text} {unit}")

    def _take_multiplicity(self, count: int) -> None:
        """ "Slipped twice", "more than three times": how often, at least so often where nothing else is said."""
        op = self.comparison[0] if self.comparison is not None and self.comparison[0] != "between" else "at_least"
        op = "is" if self._before() == "exactly" else op
        self.comparison = None
        self.parts.multiplicity = (op, count)

    def _compare_number(self, edge: Edge, quantity: Quantity) -> None:
        assert self.comparison is not None
        if self.minus_before(edge):
            raise Invalid("Amounts, ages and counts are never negative here. Which number do you mean?")
        op, said = self.comparison
        self.comparison = None
        if op != "between" and self._compares_groups(quantity):
            counted = self._counted_after()
            self.parts.keeps.append(RawKeep(counted, op, quantity.value, f"{said} {edge.text}".strip()))
            return
        upper = self._upper_bound() if op == "between" else None
        unit = self._after()
        name = self._number_field(unit, quantity, op)
        if quantity.percent and name == "amount":  # "who is under 30%?": a bound on each part's figure
            self.parts.keeps.append(RawKeep("", op, quantity.value, f"{said} {edge.text}".strip()))
            return
        if name == "amount" and self._amount_before():
            self.parts.aggregates.remove("sum")  # "with an amount over 50k": the bound's field, no sum
        values: list[Any] = [quantity.value]
        if op == "between":
            if upper is None:
                self.parts.unknown.append(edge.text)
                return
            values.append(upper.value)
            if upper.scaled and not quantity.scaled and quantity.value < 1000:  # "50 to 80 thousand"
                scale = 1000 if upper.value < 1_000_000 else 1_000_000
                values[0] = quantity.value * scale
        if op == "older":
            op = "more_than"
        elif op == "younger":
            op = "less_than"
        if name in ("age", "days_in_stage"):
            values = [value * _DAYS.get(unit, 1) for value in values]
        text = {"more_than": "over", "at_least": "at least", "less_than": "under", "at_most": "at most", "between": "between"}.get(op, op)
        del said
        flipped = {"more_than": "at_most", "at_least": "less_than", "less_than": "at_least", "at_most": "more_than"}
        if self.negated:
            op, self.negated = flipped.get(op, op), False
        shown = " and ".join(f"{value:,}" for value in values)
        self.parts.filters.append(RawFilter(name, op, values, f"{name.replace('_', ' ')} {text} {shown}"))

    def _amount_before(self) -> bool:
        """Whether "amount" or the like stands right before the comparison and was taken for a sum."""
        before = [edge for edge in self.edges[max(0, self.at - 4) : self.at] if edge.kind != "filler"]
        words = {edge.text.lower() for edge in before if edge.sense("aggregate")}
        return "sum" in self.parts.aggregates and bool(words & {"amount", "value", "worth", "amounts", "amount of", "value of"})

    def _compares_groups(self, quantity: Quantity) -> bool:
        """Whether the number bounds the figure of each group rather than an amount of each record.

        "Reps with a win rate over 40%", "which regions won more than 1M", "industries with at least 10 won deals".
        """
        parts = self.parts
        counted = self._counted_after(look_only=True)
        if counted and parts.fields and not (parts.wh_groups or parts.groups or parts.nouns or parts.metrics):
            parts.wh_groups.append(parts.fields.pop())  # "regions with fewer than 5 open deals"
        if not (parts.wh_groups or parts.groups):
            return False
        if quantity.percent or counted:
            return True
        behind = next((edge for edge in reversed(self.edges[: self.at - 1]) if edge.kind != "filler"), None)
        if behind is None or behind.sense("noun") is not None:
            return False
        if parts.wh_groups:
            return behind.sense("metric", "state") is not None
        return bool(parts.metrics) and behind.sense("field", "customer") is not None  # "won value by owner over 200k"

    def _counted_after(self, *, look_only: bool = False) -> str:
        """The metric that counts the records after the number, if records follow: "10 won deals"."""
        state, ahead = "", 1
        while (following := self._next_edge(ahead)) is not None and following.sense("state") and not following.sense("metric", "noun"):
            state, ahead = following.sense("state").value, ahead + 1  # type: ignore[union-attr]
        if following is None:
            return ""
        metric, noun = following.sense("metric"), following.sense("noun")
        name = ""
        if metric is not None and metric.value in STATE_OF_METRIC and not STATE_OF_METRIC[metric.value][2]:
            name = metric.value
        if noun is not None and (noun.value, state) in STATE_METRICS and (state or not name):
            name = STATE_METRICS[(noun.value, state)][0]
        if name and not look_only:
            self.at += ahead
        return name

    def minus_before(self, edge: Edge) -> bool:
        """Whether a minus sign stands right before the number."""
        start = self.tokens[edge.first].start
        return self.message[max(0, start - 1) : start] == "-" and (start < 2 or not self.message[start - 2].isalnum())

    def _upper_bound_ahead(self) -> bool:
        return any((following := self._next_edge(ahead)) is not None and following.quantity is not None for ahead in (1, 2))

    def _upper_bound(self) -> Quantity | None:
        """The second number of "between 10k and 50k"; an unscaled first number takes the second's scale."""
        for ahead in (1, 2):
            following = self._next_edge(ahead)
            if following and following.quantity:
                self.at += ahead
                return following.quantity
        return None

    def _number_field(self, unit: str, quantity: Quantity, op: str) -> str:
        following = self._next_edge()
        bound = following.sense("comparison") if following is not None else None
        if following is not None and bound is not None and str(bound.value).endswith("_after") and not following.sense("field"):
            self.at += 1  # "100 or more samples": the field comes after
            following = self._next_edge()
        spoken = self._numeric_sense(following) if following else None
        if spoken:
            self.at += 1
            return str(spoken.value)
        if unit in ("days", "day", "weeks", "week", "months", "month", "years", "year", "old") or op in ("older", "younger"):
            while self._next_edge() is not None and self._after() in ("days", "day", "weeks", "week", "months", "month", "years", "year", "old"):
                self.at += 1
            return "days_in_stage" if op not in ("older", "younger") and unit != "old" and self._stays_in_stage() else "age"
        if unit in ("minutes", "minute", "mins", "min"):
            return "duration"
        for name in reversed(self.parts.fields):
            named = [
                sense for edge in reversed(self.edges[: self.at]) if (sense := self._numeric_sense(edge)) is not None and name in _field_names(edge)
            ]
            own = next(iter(named), None)
            if own is not None:
                self.parts.fields.remove(name)
                return str(own.value)
            for shape in NOUN_SHAPES.values():
                item = shape.fields.get(name)
                if item is not None and item.kind in (Kind.number, Kind.money):
                    self.parts.fields.remove(name)
                    return name
            if name in self._custom_numbers():
                self.parts.fields.remove(name)
                return name
        del quantity
        return "amount"

    def _stays_in_stage(self) -> bool:
        """Whether the days are those in a stage: "stuck in negotiation for more than 30 days"."""
        parts = self.parts
        staged = any(raw.field == "stage" for raw in parts.filters) or {"stage", "stages", "stuck", "stalled"} & parts.words_seen
        return bool(staged) and bool(
            {"for", "since", "been", "stuck", "stalled", "sitting", "sat", "same", "stayed", "stage", "there"} & parts.words_seen
        )

    def _custom_numbers(self) -> set[str]:
        return {
            sense.value
            for edge in self.edges
            for sense in edge.senses
            if sense.kind == "field" and sense.noun and sense.label in ("number", "money") and sense.value not in NOUN_SHAPES[sense.noun].fields
        }

    def _numeric_sense(self, edge: Edge) -> Sense | None:
        """The number field that an edge names: one of the records that are asked for, or of the company's own, before any other."""
        fields = [sense for sense in edge.senses if sense.kind == "field" and self._is_numeric(sense)]
        nouns = [*self.parts.nouns, *(STATE_OF_METRIC[name][0] for name in self.parts.metrics if name in STATE_OF_METRIC)]
        own = [sense for sense in fields if sense.noun in nouns]
        added = [sense for sense in fields if sense.noun and sense.value not in NOUN_SHAPES[sense.noun].fields]
        return next(iter([*own, *added, *fields]), None)

    def _is_numeric(self, sense: Sense) -> bool:
        shape = NOUN_SHAPES.get(sense.noun)
        item = shape.fields.get(sense.value) if shape else None
        return sense.label in ("number", "money") if item is None else item.kind in (Kind.number, Kind.money)
