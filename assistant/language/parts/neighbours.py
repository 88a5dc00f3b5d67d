"""The state of the walk, and what stands before and after the edge it is at."""

from __future__ import annotations

from assistant.language.chart import Chart, Edge
from assistant.language.parts.model import Parts
from assistant.language.tokens import singular


class Neighbours:
    """Where the walk is, what it waits for, and the words around."""

    def __init__(self, chart: Chart) -> None:
        self.edges, self.tokens, self.clauses = chart.edges, chart.tokens, chart.clauses
        self.message, self.today, self.shown_noun = chart.message, chart.today, chart.shown_noun
        self.unknown_clauses: list[tuple[str, int]] = []
        self.parts = Parts(words=len(chart.tokens))
        self.at = 0
        self.negated = False
        self.group_next = False
        self.comparison: tuple[str, str] | None = None
        self.time_field = ""
        self.after_topic = False
        self.or_next = False
        self.sort_next = False
        self.skip_missing = False
        self.skip_edge: Edge | None = None
        self.ordered_group = ""
        #: "Compare our pipelines": plural fields are groups.
        self.compare_fields = any(token.norm in ("compare", "comparing", "comparison") for token in self.tokens)

    def _before(self, back: int = 1) -> str:
        """The word before the current edge."""
        place = self.edges[self.at].first - back
        return self.tokens[place].norm if place >= 0 else ""

    def _after(self, ahead: int = 0) -> str:
        place = self.edges[self.at].end + ahead
        return self.tokens[place].norm if place < len(self.tokens) else ""

    def _next_edge(self, ahead: int = 1) -> Edge | None:
        return self.edges[self.at + ahead] if self.at + ahead < len(self.edges) else None

    def _content_ahead(self) -> bool:
        """Whether anything but filler and politeness follows."""
        return any(edge.kind != "filler" and not edge.sense("smalltalk") for edge in self.edges[self.at + 1 :])

    def _group_name(self, edge: Edge) -> str | None:
        grain = edge.sense("grain")
        if grain:
            return str(grain.value.value)
        fields = [item for item in edge.senses if item.kind == "field"]
        if fields:
            names = {str(item.value) for item in fields}
            # A word for different fields of different nouns is settled when the noun is known.
            return names.pop() if len(names) == 1 else singular(edge.text.lower())
        noun = edge.sense("noun", "customer")
        if noun:
            name = "company" if noun.kind == "customer" else str(noun.value)
            return {"user": "owner"}.get(name, name) if name in ("company", "product", "user", "contact") else None
        if edge.sense("activity_kind"):
            return "kind"
        return None
