"""Connecting words: not, by, over, between; each waits for what it connects."""

from __future__ import annotations

from decimal import Decimal

from assistant.language.chart import Edge
from assistant.language.parts.model import RawKeep
from assistant.language.parts.senses import Senses
from crm_core.periods import Grain


class Connectives(Senses):
    """What a connecting word makes of the phrase after it."""

    def _negation(self, edge: Edge) -> bool:
        if self.skip_missing and edge.text.lower() in ("missing", "not"):
            self.skip_missing = False
            return True
        if edge.sense("state") and edge.end - edge.first > 1:
            return False
        following = self._next_edge()
        if (
            following is not None
            and following.text.lower() in ("value", "entry", "data", "information", "amount")
            and self._after(1) in ("for", "in", "of", "on")
        ):
            self.skip_edge = following  # "no value for financing": the field is empty
        if edge.text.lower() == "no" and edge.first == 0 and self.parts.follow_up:
            return True
        self.negated = True
        return True

    def _is_missing(self) -> bool:
        """ "Amount is missing", "next step not set": the field is said to be empty after its name."""
        words = [self._after(ahead) for ahead in range(3)]
        gone = [word for word in words if word not in ("is", "are", "was", "still", "field", "")]
        missing = gone[:1] in (["missing"], ["empty"], ["blank"], ["unset"]) or gone[:2] == ["not", "set"]
        if missing:
            self.negated = True
            self.skip_missing = True
        return missing

    def _group_cue(self, edge: Edge) -> bool:
        following = self._next_edge()
        if following is None and self.parts.fields:  # "forecast categories: open pipeline in each"
            self.parts.groups.append(self.parts.fields.pop())
            return True
        ahead = 1
        while following is not None and following.kind == "filler":
            ahead += 1
            following = self._next_edge(ahead)
        if following is not None and following.sense("my_team") and edge.text.lower().split()[-1] in ("each", "every", "of", "per"):
            self.parts.groups.append("owner")
            return True
        if following is not None and following.sense("ref") and following.text.lower().endswith(" team"):
            self.parts.groups.append("team")  # "per sales team": any team that sells, not the one of that name
            self.skip_edge = following
            return True
        following = self._next_edge()
        while (
            following is not None
            and (following.kind == "filler" or following.sense("state") and following.text.lower() == "open")
            and len(following.text) < 9
        ):
            following = self._next_edge(self.edges.index(following) - self.at + 1)
        if following is None or following.kind != "words":
            return False
        if not following.sense("field", "noun", "grain", "metric", "customer", "activity_kind", "ref"):
            return False
        if following.sense("ref") and not following.sense("field", "noun", "grain", "metric"):
            return False
        self.group_next = True
        return True

    def _group(self, edge: Edge) -> bool:
        parts = self.parts
        if edge.text.lower() in ("number", "numbers"):
            self.group_next = False  # "lost deals by reason, number please"
            return False
        noun = edge.sense("noun")
        measured = edge.sense("metric")
        if (
            measured is not None
            and parts.order
            and not edge.sense("field")
            and not (noun is not None and noun.value in ("company", "product", "user", "contact"))
        ):
            self.group_next = False  # "top 5 customers by sales"
            return self._take_metric(edge, measured)
        kind = edge.sense("activity_kind")
        if kind is not None and noun is None and self._before() in ("every", "each", "any"):
            self.group_next = False
            return self._take_activity_kind(edge, kind)
        if noun is not None and noun.value in ("deal", "ticket", "lead", "activity") and self._next_edge() is not None and not self._compound():
            self.group_next = False  # "every deal we won": each is counted, none is a group
            return self._take_noun(edge, noun)
        following = self._next_edge()
        if following is not None and self._comma_before(following):
            following = None
        named = following is not None and following.first == edge.end and following.sense("value", "ref") is not None
        if named and edge.sense("field") and following is not None and not following.sense("field") and parts.groups:
            self.group_next = False  # "per product, team North": the second one is a condition
            return False
        if (
            edge.sense("noun", "customer")
            and following is not None
            and following.kind == "words"
            and following.sense("field")
            and not following.sense("metric", "state")
        ):
            edge = following  # "per ticket category": the noun only says whose category
            self.at += 1
        if edge.sense("customer") and self.parts.metrics == ["won_value"] and self._cue_was_per():
            self.parts.metrics = ["revenue_per_customer"]
            self.group_next = False
            return True
        name = self._group_name(edge)
        if name is None:
            found = edge.sense("metric")
            self.group_next = False
            return bool(found) and self._take_metric(edge, found)  # type: ignore[arg-type]
        sortable = {item.label for item in edge.senses if item.kind == "field"}
        if sortable and not sortable & {"ref", "choice", "boolean", "text"} and name not in Grain.__members__:
            parts.sort = name  # "by amount" orders, it does not group
            self.group_next = False
            return True
        if name not in parts.groups:
            parts.groups.append(name)
            parts.group_clauses[name] = self.clauses[edge.first]
        following = self._next_edge()
        joined = following is not None and (
            self.tokens[following.first].norm in ("and", "then", "x") or self._comma_before(following) and bool(following.sense("field", "grain"))
        )
        self.group_next = joined
        return True

    def _comma_before(self, edge: Edge) -> bool:
        """Whether a comma parts the edge from what stands before it."""
        if not edge.first:
            return False
        return "," in self.message[self.tokens[edge.first - 1].end : self.tokens[edge.first].start]

    def _compound(self) -> bool:
        """Whether the noun only says whose field follows: "every deal source"."""
        following = self._next_edge()
        return following is not None and following.kind == "words" and following.sense("field") is not None and not following.sense("metric", "state")

    def _cue_was_per(self) -> bool:
        return any(token.norm == "per" for token in self.tokens[: self.edges[self.at].first])

    def _comparison(self, edge: Edge) -> bool:
        found = edge.sense("comparison")
        assert found is not None
        if found.value.endswith("_after"):
            return True
        if self._compares_with_metric(edge, found.value):
            return True
        for ahead in (1, 2):
            following = self._next_edge(ahead)
            if following is not None and (following.kind == "quantity" or following.sense("multiplicity")):
                self.comparison = (found.value, edge.text)
                return True
            if following is not None and following.kind == "when" and found.value in ("older", "younger", "more_than", "less_than"):
                bound = "ago" in following.text.lower().split() or found.value in ("older", "younger")
                self.comparison = (found.value, edge.text) if bound else None
                measured = self._next_edge(ahead + 1)
                if "than" in edge.text.lower() and measured is not None and measured.sense("metric", "aggregate", "field"):
                    self.parts.unknown.append(f"{edge.text} {following.text}")  # "bigger than last year's average"
                elif edge.text.lower().endswith(" than") and following.when is not None and following.when.grain is not None:
                    self.parts.compare = self.parts.compare or "against"  # "did we win more than last year?"
                return True
        return edge.text.lower() in ("over", "under", "above", "below", "plus", "up to")

    def _compares_with_metric(self, edge: Edge, op: str) -> bool:
        """ "Below quota", "over their target": a comparison with another figure; one that is not known must not be dropped."""
        ahead = 1
        while (following := self._next_edge(ahead)) is not None and following.kind == "filler":
            ahead += 1
        metric = following.sense("metric") if following is not None and following.kind == "words" else None
        if following is None or metric is None:
            return False
        said = f"{edge.text.lower()} {following.text.lower()}"
        self.skip_edge = following
        if metric.value != "target":
            self.parts.unknown.append(said)
            return True
        self.parts.keeps.append(RawKeep("quota_attainment", op, Decimal(100), said))
        if not (self.parts.wh_groups or self.parts.groups):
            named = [name for name in self.parts.fields if name in ("owner", "team")]  # whom targets are set for
            self.parts.wh_groups.append(named[-1] if named else "owner")
        return True
