"""Related records: "companies without open deals", "reps with more than 5 calls last week", "deals whose company has an urgent ticket".

A relation is a stretch of the cover: a connecting word ("with", "without", "have no"), what describes the related
records, their noun, and what follows about them. The stretch is read by a walk of its own, so that its states,
values and times belong to the related records and not to those asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.language.chart import Chart, Edge
from assistant.language.parts.neighbours import Neighbours
from assistant.language.states import STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.metrics.relations import pairs

#: Words that join records with related ones, and those of them that deny.
JOINING = frozenset("with have has had having without no lacking lack never".split())
_DENYING = frozenset("without no lacking lack never not nobody".split())
#: Edges that may stand between the connecting word and the related noun.
_DESCRIBING = ("state", "value", "ref", "negation")
#: A sum or a group is about the records asked for, whatever stands before it.
_ENDING = ("group_cue", "cue", "aggregate", "compare")


@dataclass(frozen=True)
class Stretch:
    """Edges ``first`` to ``end`` say something of ``noun`` records related to those of ``root``."""

    first: int
    end: int
    root: str
    noun: str
    denied: bool
    at_least: int
    #: Places of the words that count the related records.
    counting: frozenset[int] = frozenset()


class Relations(Neighbours):
    """Finds the stretches of the cover that speak of related records."""

    def relation_stretches(self) -> list[Stretch]:
        """All of them, from left to right, none overlapping."""
        found: list[Stretch] = []
        at = 0
        while at < len(self.edges):
            goes_on = found and found[-1].end == at and self.edges[at].text.lower() == "and"
            stretch = self._stretch_at(at, found[-1] if goes_on else None, found) if goes_on or self._joins(self.edges[at]) else None
            if stretch is not None:
                found.append(stretch)
                at = stretch.end
            else:
                at += 1
        return found

    def inner(self, stretch: Stretch) -> Chart:
        """The chart of the related records alone."""
        places = range(stretch.first, stretch.end)
        edges = [self.edges[place] for place in places if place not in stretch.counting and not self._joins(self.edges[place])]
        edges = edges[1:] if edges[0].text.lower() == "and" else edges
        first, end = edges[0].first, edges[-1].end
        shifted = [
            replace(
                edge,
                first=edge.first - first,
                end=edge.end - first,
                when=replace(edge.when, first=edge.when.first - first, end=edge.when.end - first) if edge.when else None,
            )
            for edge in edges
        ]
        return Chart(self.tokens[first:end], shifted, [0] * (end - first), self.message, self.today, self.shown_noun, [], shifted)

    def _joins(self, edge: Edge) -> bool:
        words = [token.norm for token in self.tokens[edge.first : edge.end]]
        return set(words) <= JOINING | {"do", "does", "did", "not", "that", "who", "which", "any", "had"} and bool(set(words) & JOINING)

    def _stretch_at(self, at: int, before: Stretch | None = None, found: Sequence[Stretch] = ()) -> Stretch | None:
        """The stretch that the connecting word begins; ``before`` is the one that an "and" goes on with."""
        root = before.root if before is not None else self._noun_before(at, found)
        if root is None:
            return None
        denied = before.denied if before is not None else self._is_denied(at)
        at_least, place = 1, at + 1
        counting: set[int] = set()
        noun = ""
        while place < len(self.edges):
            edge = self.edges[place]
            noun = self._noun_of(edge)
            if noun:
                break
            if edge.kind == "quantity" and edge.quantity is not None and edge.quantity.value == edge.quantity.value.to_integral_value():
                bound = self.edges[place - 1].sense("comparison")
                compared = bound.value if bound is not None else ""
                at_least = int(edge.quantity.value) + (compared in ("more_than", "at_most"))
                denied = denied or compared in ("less_than", "at_most")
                counting |= {place, place - 1} if compared else {place}
            elif self._joins(edge):
                denied = denied or self._is_denied(place)
            elif not (edge.kind == "filler" or edge.sense(*_DESCRIBING) or edge.sense("comparison")):
                return None
            place += 1
        if not noun or not self._are_related(root, noun, self.edges[place], denied=denied) or at_least < 1:
            return None
        end = place + 1
        so_far = Stretch(at, end, root, noun, denied, at_least)
        while end < len(self.edges) and (self._belongs(self.edges[end], root, noun, end) or self._led_value(end, root, noun)):
            if self.edges[end].text.lower() == "and" and self._stretch_at(end, so_far) is not None:
                break  # "an open deal and an open ticket": another relation
            end += 1
        while self.edges[end - 1].kind == "filler":
            end -= 1
        return Stretch(at, end, root, noun, denied, at_least, frozenset(counting))

    def _led_value(self, at: int, root: str, noun: str) -> bool:
        """ "With priority High" after the related noun: a joining word before what only the related records can be."""
        if not self._joins(self.edges[at]):
            return False
        for edge in self.edges[at + 1 : at + 4]:
            values = [sense for sense in edge.senses if sense.kind == "value"]
            if values:
                nouns = {sense.noun for sense in values}
                return noun in nouns and root not in nouns
            if not (edge.kind == "filler" or edge.sense("field")):
                return False
        return False

    def _is_denied(self, at: int) -> bool:
        """Whether the connecting word, or what stands right before it, denies: "do not have", "never had"."""
        edge = self.edges[at]
        words = {token.norm for token in self.tokens[max(0, edge.first - 2) : edge.end]}
        return bool(words & _DENYING)

    def said(self, stretch: Stretch) -> str:
        """How the relation reads: "with open tickets", "without a call this quarter"."""
        words = " ".join(edge.text for edge in self.edges[stretch.first : stretch.end] if not self._joins(edge) and edge.text.lower() != "and")
        return f"{'without' if stretch.denied and stretch.at_least == 1 else 'with'} {words}"

    def _noun_of(self, edge: Edge) -> str:
        """The kind of records that an edge names, if it is a noun in the first place."""
        if edge.kind != "words":
            return ""
        metric = edge.sense("metric")
        if metric is not None and metric.value in STATE_OF_METRIC and not STATE_OF_METRIC[metric.value][2]:
            return STATE_OF_METRIC[metric.value][0]
        if edge.sense("customer"):
            return "company"
        noun = edge.sense("noun")
        if noun is not None and not (edge.sense("state") and not edge.text.lower().endswith("s")):
            return str(noun.value)
        return "activity" if edge.sense("activity_kind") else ""

    def _noun_before(self, at: int, found: Sequence[Stretch]) -> str | None:
        """The records that the connecting word is about: the nearest noun before it, or what another relation was about."""
        if found and 0 <= at - found[-1].end <= 1 and self.edges[at - 1].text.lower() in ("but", "and"):
            return found[-1].root  # "companies with open deals but without a call"
        for place in range(at - 1, -1, -1):
            edge = self.edges[place]
            if edge.kind in ("name", "quantity"):
                return None
            noun = self._noun_of(edge)
            if noun:
                return noun
            if any(sense.kind == "field" and sense.value == "owner" for sense in edge.senses) and not edge.sense("order"):
                return "user"
            if any(sense.kind == "value" and sense.field == "title" for sense in edge.senses):
                return "contact"  # "finance directors without any email"
            metric = edge.sense("metric")
            if metric is not None:
                declared = METRICS[metric.value]
                return getattr(declared, "rows", None) if getattr(declared, "shape", "") in NOUN_SHAPES else None
        words = {token.norm for token in self.tokens[: self.edges[at].end]}
        return self.shown_noun if self.shown_noun and words & {"them", "those", "these", "they", "which", "ones", "that", "with", "without"} else None

    def _are_related(self, root: str, noun: str, edge: Edge, *, denied: bool) -> bool:
        """Whether the two kinds belong together, and no field of the root says the same more simply."""
        if root == noun or pairs(root, noun) is None:
            return False
        fields = NOUN_SHAPES[root].fields
        own = {sense.value for sense in edge.senses if sense.kind == "field" and sense.noun == root}
        if any(fields[name].key is not None or name == "product" for name in (own | {noun}) & set(fields)):
            return False
        bare = noun == "activity" and not edge.sense("activity_kind")
        return not (bare and "last_activity" in fields and denied)  # "no activity in 3 weeks" is a field

    def _belongs(self, edge: Edge, root: str, noun: str, place: int) -> bool:
        """Whether what follows the related noun still speaks of the related records."""
        if edge.sense(*_ENDING) or self._joins(edge) or edge.kind == "unknown" or edge.kind == "name":
            return False
        if edge.kind == "words" and edge.sense("state") and not edge.sense("ref"):
            return not self._noun_of(edge)
        if edge.kind == "words" and edge.sense("value", "ref"):
            fits = {sense.noun for sense in edge.senses if sense.kind == "value"} | {
                item for item in (root, noun) for sense in edge.senses if sense.kind == "ref" and sense.field in NOUN_SHAPES[item].fields
            }
            return noun in fits and (root not in fits or edge.sense("ref") is not None and place < len(self.edges) - 1)
        if edge.kind == "words" and edge.sense("order") and not edge.sense("state"):
            return False
        return not (edge.kind == "words" and (self._noun_of(edge) or edge.sense("metric")))
