"""The walk over the cover of a message."""

from __future__ import annotations

import re
from dataclasses import replace

from assistant.language.chart import Chart, Edge
from assistant.language.lexicon import DESCRIBING, FOLLOW_UP, WRITE_VERBS, english_words
from assistant.language.parts.asides import Asides
from assistant.language.parts.connectives import Connectives
from assistant.language.parts.model import Parts, RawRelation
from assistant.language.parts.numbers import Numbers
from assistant.language.parts.relations import Relations
from assistant.language.states import STATE_OF_METRIC
from assistant.language.tokens import singular
from crm_core.periods import FAR_FUTURE, FAR_PAST, Grain, Period

#: "Ignore those without a next step": two denials that leave the records which have one.
_WITHOUT_DENIED = re.compile(r"\b(?:ignore|ignoring|exclude|excluding|except|leave out|skip|not)(?: \w+){0,3} (?:without|lacking|that lack)\b")
#: Words that stand before a value rather than begin a new thought.
_VALUE_LEADS = frozenset(
    {
        "in",
        "stage",
        "status",
        "at",
        "from",
        "via",
        "through",
        "category",
        "priority",
        "source",
        "reason",
        "to",
        "on",
        "of",
        "region",
        "is",
        "as",
        "because",
        "with",
    }
)


_PREPOSITIONS = frozenset("by in as at on between over for with to from through via since until during into among across".split())
#: Words after which a word describes or names what is asked for.
_DETERMINING = frozenset(
    "with without of from about in for at by as on like no my our their your his her its a an any some the that who which whose is are was were be very too not more less and or".split()
)
_ADDING = re.compile(r"^(?:and |ok |okay |so |now |then |also )*plus ")
_EVERYONE_HAS = re.compile(r"\b(?:has|have|did|does|do|is|are) (?:everyone|everybody|each)\b")
_POSSESSIVES = frozenset("their his her its".split())
_PRONOUNS = frozenset({"it", "its", "they", "them", "their", "theirs", "her", "hers", "his", "him", "he", "she", "those", "these"})


def collect(chart: Chart) -> Parts:
    """Walk the cover once."""
    return Walk(chart).run()


class Walk(Numbers, Connectives, Asides, Relations):
    """Visits each edge once, from left to right."""

    def run(self) -> Parts:
        """Visit all edges, then read what only the whole message tells."""
        norms = [token.norm for token in self.tokens]
        self.parts.first_words = norms[:4]
        self.parts.words_seen = set(norms)
        self.parts.phrases = " ".join(norms)
        self.parts.message = self.message
        self.parts.said_times = [edge.text for edge in self.edges if edge.kind == "when"]
        self.parts.follow_up = any(norms[: len(cue.split())] == cue.split() for cue in FOLLOW_UP)
        self.parts.pronoun = any(norm in _PRONOUNS for norm in norms)
        self.parts.sorting = bool(re.search(r"\b(?:highest|lowest) first\b", self.parts.phrases))
        self.parts.adding = bool(_ADDING.search(self.parts.phrases))
        self.parts.possessed = any(
            token.text.lower().endswith(("'s", "s'"))
            and (place + 1 == len(norms) or norms[place + 1] in ("please", "then", "now", "too", "instead", "again"))
            for place, token in enumerate(self.tokens)
        )
        self.parts.me = norms[:1] == ["me"]
        if norms and norms[0] in WRITE_VERBS:
            self.parts.write_verb = norms[0]
        elif norms[:2] == ["please", *norms[1:2]] and len(norms) > 1 and norms[1] in WRITE_VERBS:
            self.parts.write_verb = norms[1]
        elif norms[:2] in (["can", "you"], ["could", "you"], ["would", "you"]) and len(norms) > 2 and norms[2] in WRITE_VERBS:
            self.parts.write_verb = norms[2]
        preface = self._preface()
        after = self._postface()
        self._read_relations()
        while self.at < len(self.edges):
            edge = self.edges[self.at]
            if self.clauses[edge.first] in after:
                self.at += 1
                continue
            colleague = self.parts.pronoun and any(sense.kind == "ref" and sense.field == "owner" for sense in edge.senses)
            reason = self.tokens[self.clauses.index(self.clauses[edge.first])].norm in (
                "before",
                "while",
                "as",
                "since",
                "because",
                "if",
                "when",
                "after",
            )
            stranger = edge.kind == "unknown" and self.tokens[edge.first].capital and edge.first > 0 and not edge.text.isupper() and not reason
            place = bool({"there", "that", "this"} & self.parts.words_seen) and edge.sense("value", "ref") is not None
            if self.clauses[edge.first] in preface and edge.kind != "name" and not (colleague or stranger or place or self._holds(edge)):
                self.at += 1
                continue
            if self.at and self.negated and self.clauses[edge.first] != self.clauses[self.edges[self.at - 1].first]:
                self.negated = False  # "no list needed: how many ..."
            known = len(self.parts.filters)
            getattr(self, f"_{edge.kind}")(edge)
            for raw in self.parts.filters[known:]:
                raw.at = edge.first
            self.at += 1
        emptied = [raw for raw in self.parts.filters if raw.op == "empty"]
        if len(emptied) == 1 and _WITHOUT_DENIED.search(self.parts.phrases):
            emptied[0].op, emptied[0].said = "not_empty", f"with {emptied[0].field.replace('_', ' ')}"
        if self.comparison is not None and self.comparison[1]:
            self.parts.unknown.append(self.comparison[1])  # "bigger than last year's average": than what no number says
        self._gather_content(preface)
        self._forgive_asides()
        self._read_slips()
        each_of = any(
            phrase in self.parts.phrases
            for phrase in ("each of us", "every one of us", "each of them", "every one of them", "each one of us", "each person")
        )
        acting = _EVERYONE_HAS.search(self.parts.phrases) and (self.parts.metrics or "sum" in self.parts.aggregates)
        apart = any(
            edge.text.lower() in ("everyone", "everybody") and sum(number == self.clauses[edge.first] for number in self.clauses) == 1
            for edge in self.edges
        )  # "overdue tasks, everybody, how many": whose, not split by whom
        counted = ({"everyone", "everybody"} & self.parts.words_seen and not apart or each_of) and "count" in self.parts.aggregates
        if (counted or acting) and not self.parts.groups:
            self.parts.groups.append("owner")  # "how many meetings everyone in my team had"
        return self.parts

    def _holds(self, edge: Edge) -> bool:
        """Whether a time said in an aside is about the question: "Q3 podium: who closed most?"; what lies ahead is not."""
        when = edge.when
        return (
            when is not None
            and when.period.days > 1
            and when.period.first <= self.today
            and when.edge in ("", "from")
            and when.grain is not Grain.week
        )

    def _read_relations(self) -> None:
        """Read what is said of related records apart, and take it out of the cover."""
        for stretch in reversed(self.relation_stretches()):
            inner = collect(self.inner(stretch))
            raw = RawRelation(stretch.root, stretch.noun, inner, self.said(stretch), stretch.denied, stretch.at_least)
            self.parts.relations.insert(0, raw)
            first = stretch.first
            while (
                first > 0
                and self.edges[first - 1].kind == "filler"
                and self.edges[first - 1].text.lower() in ("that", "who", "which", "whose", "do", "does", "not")
            ):
                first -= 1
            self.edges = self.edges[:first] + self.edges[stretch.end :]

    def _filler(self, edge: Edge) -> None:
        word = self.tokens[edge.first].norm
        if word == "about":
            self.after_topic = True
        parts = self.parts
        if word in _POSSESSIVES and not (
            parts.nouns or parts.names or parts.metrics or parts.wh_groups or parts.people or parts.filters or parts.fields
        ):
            parts.loose = word
        if word in ("he", "she") and not (parts.names or parts.people or "who" in parts.cues):
            parts.loose = word
        if word in DESCRIBING and self._describes(edge):
            self._unknown(edge)

    def _describes(self, edge: Edge) -> bool:
        """Whether a word stands where it would narrow the records: right before them ("big deals"), the question's verb aside."""
        following = self._next_edge()
        if following is None or following.first != edge.end or self.clauses[following.first] != self.clauses[edge.first]:
            return False
        while following is not None and following.sense("state") and not following.sense("noun", "metric"):
            following = self._next_edge(self.edges.index(following) - self.at + 1)
        if following is None:
            return False
        counted = following.sense("metric")
        return following.sense("noun", "activity_kind", "customer") is not None or counted is not None and counted.value in STATE_OF_METRIC

    def _unknown(self, edge: Edge) -> None:
        if self._is_idle(edge):
            self.parts.idle.append(edge.text)
            self.parts.topic.append(edge.text)
            return
        self.parts.unknown.append(edge.text)
        self.unknown_clauses.append((edge.text, self.clauses[edge.first]))
        if self._looks_like_a_name(edge):
            self.parts.unknown_capital.append(edge.text)
        self.parts.topic.append(edge.text)
        self.negated = self.group_next = False

    def _is_idle(self, edge: Edge) -> bool:
        """Whether an unknown word only carries the sentence: "how does it divide between ...", "financed by leasing", "how high was".

        It must be a common word in the place of a verb or adverb; one that could describe or name what is asked for
        ("deals with dragons", "happy customers", "flagged deals") is never idle.
        """
        token = self.tokens[edge.first]
        if (
            token.capital
            and edge.first
            or token.text.isupper()
            and len(token.text) > 1
            or not token.norm.isalpha()
            or token.norm not in english_words()
        ):
            return False
        before, after = self._before(), self._after()
        if before == "who" and after in ("how", "most", "least"):
            return True
        if self.tokens[0].norm in ("did", "does", "do", "has", "have", "is", "are", "will") and edge.end == len(self.tokens):
            return False  # "did they open our newsletter?": what the question is about
        if before in ("been", "being", "gets", "got"):
            return False  # "how much has been claimed": what was done is the question
        if before in ("how", "to", "i", "we", "you", "they", "he", "she", "please", "it"):
            return before != "to" or self._before(2) not in ("similar", "related", "close", "next", "belong", "belonging", "linked")
        if before in _DETERMINING:
            return False
        following, previous = self._next_edge(), self.edges[self.at - 1] if self.at else None
        described = previous is not None and previous.sense("value", "ref") is not None and previous.sense("state") is None
        if following is not None and following.sense("noun", "metric", "customer", "activity_kind", "state"):
            return described
        beyond = self._next_edge(2)
        if after in _PREPOSITIONS and beyond is not None:
            while beyond is not None and beyond.kind == "filler":
                beyond = self._next_edge(self.edges.index(beyond) - self.at + 1)
            return beyond is not None and (beyond.kind in ("when", "name", "quantity") or bool(beyond.senses))
        closing = following is None or self.clauses[following.first] != self.clauses[edge.first]
        if (
            closing
            and self.tokens[0].norm not in ("did", "do", "does", "is", "are", "was", "were", "has", "have")
            and {"did", "do", "does"} & {token.norm for token in self.tokens[max(0, edge.first - 5) : edge.first]}
            and before not in ("not", "who", "that")
        ):
            return True  # "what revenue did that one bring?"
        if following is None or following.kind == "when":
            return previous is not None and (previous.sense("field", "order", "compare", "grain") is not None or previous.kind == "when")
        return False

    def _when(self, edge: Edge) -> None:
        assert edge.when is not None
        if self.comparison is not None and ("ago" in edge.text.lower().split() or self.comparison[0] in ("older", "younger")):
            # "more than 90 days ago", "older than last month"
            day = edge.when.period
            bound = Period(FAR_PAST, day.first) if self.comparison[0] in ("more_than", "at_least", "older") else Period(day.first, FAR_FUTURE)
            self.comparison = None
            self.parts.times.append((replace(edge.when, period=bound, ahead=None), self.time_field))
            return
        if self.negated and self.time_field == "last_activity" or self.time_field == "untouched":
            self.parts.untouched = edge.when
            if edge.when.period.first > self.today:  # "no activity in 3 weeks": looking back
                self.parts.untouched, self.parts.untouched_days = None, (edge.when.period.first - self.today).days
            self.negated = False
            self.time_field = ""
            return
        if self.comparison and self.comparison[0] in ("older", "younger"):
            self.comparison = None
        if self.negated and self._before() == "not" and self.parts.times:
            self.negated = False
            return  # "Q2, not Q3"
        self.parts.times.append((edge.when, self.time_field))
        self.group_next = False

    def _name(self, edge: Edge) -> None:
        assert edge.name is not None
        if self.negated:
            self.parts.negated_names.add(len(self.parts.names))
            self.negated = False
        self.parts.names.append(edge.name)
        self.parts.colleagues.append([(sense.value, sense.label) for sense in edge.senses])
        self.group_next = False

    def _words(self, edge: Edge) -> None:
        if edge is self.skip_edge:
            return
        parts = self.parts
        sense = edge.sense
        if sense("negation") and self._negation(edge):
            return
        if sense("between") and self._parts_between():
            self.group_next = True
            return
        if sense("between"):
            self.comparison = ("between", edge.text)
            return
        if sense("or"):
            self.or_next = True
            return
        if sense("group_cue") and self._group_cue(edge):
            return
        if self.group_next and self._group(edge):
            return
        if sense("comparison") and self._comparison(edge):
            return
        if sense("multiplicity"):
            self._take_multiplicity(int(sense("multiplicity").value))  # type: ignore[union-attr]
            return
        if self.compare_fields and sense("field") and not sense("noun") and singular(edge.text.lower()) != edge.text.lower():
            self.parts.groups.append(str(sense("field").value))  # type: ignore[union-attr]
            return
        people = {"contact", "lead"} & set(self.parts.nouns) or any(raw.field == "title" for raw in self.parts.filters)
        if self.negated and sense("aggregate") and self.parts.aggregates:
            self.negated = False  # "the average, not the median"
            return
        counting = "how many" in self.parts.phrases or "number of" in self.parts.phrases or "count" in self.parts.words_seen
        if self.negated and sense("aggregate") and counting and edge.text.lower() in ("value", "amount", "worth", "sum", "total value"):
            self.negated = False  # "not the value, only how many"
            return
        if (
            self.negated
            and sense("field")
            and not sense("value", "ref", "state", "noun")
            and (people or not sense("activity_kind"))
            or sense("field")
            and self._is_missing()
        ):
            self._take_field(edge, sense("field"))  # type: ignore[arg-type]
            return
        if self.sort_next and sense("field"):
            self.parts.sort = str(sense("field").value)  # type: ignore[union-attr]
            self.sort_next = False
            return
        if self.sort_next and sense("metric", "aggregate"):
            self.parts.sort = "amount"  # "ordered by revenue", "by value": what a deal is worth
            self.sort_next = False
            return
        if edge.sense("smalltalk") and self._describes(edge):
            self._unknown(edge)  # "good customers"
            return
        if edge.sense("smalltalk") and (len(self.edges) <= 3 or self.at == 0 or not self._content_ahead()):
            parts.smalltalk = edge.sense("smalltalk").value  # type: ignore[union-attr]
            return
        named = sense("value") is not None and edge.text.lower().rstrip("s") in ("complaint", "concern", "objection", "feedback")
        for kind in self._order_of_kinds(edge):
            if kind == "cue" and named:
                continue  # "the open complaints", where tickets have that category
            found = sense(kind)
            if found is not None and getattr(self, f"_take_{kind}")(edge, found):
                self.or_next = self.or_next and kind in ("cue",)
                return
        if sense("grain") and edge.text.lower() not in parts.groups:
            parts.loose_grains.append(edge.text.lower())
        parts.topic.append(edge.text)

    def _parts_between(self) -> bool:
        """Whether "between" stands before a kind of groups, "between regions", rather than before two numbers or days."""
        following = self._next_edge()
        while following is not None and following.kind == "filler":
            following = self._next_edge(self.edges.index(following) - self.at + 1)
        return following is not None and self._group_name(following) is not None and singular(following.text.lower()) != following.text.lower()

    def _order_of_kinds(self, edge: Edge) -> tuple[str, ...]:
        """Which senses to try first: after "in stage", "from" and the like a value is meant, elsewhere a metric or state."""
        valued = edge.sense("value", "ref") is not None
        capital = self.tokens[edge.first].capital and edge.first > 0
        following = self._next_edge()
        if (
            valued
            and edge.sense("field")
            and (self._after() in ("of", "for") or following is not None and following.sense("field"))
            and any(other.kind == "name" for other in self.edges)
        ):
            return ("field", "value")  # a fact of a named record: "website of Acme"
        leads = _VALUE_LEADS - {"of", "to", "on", "with", "as", "is", "because"} if edge.sense("state") else _VALUE_LEADS
        if edge.sense("field") and valued and self._before() not in ("category", "=") and singular(edge.text.lower()) != edge.text.lower():
            valued = False  # "our pipelines" are the field, whatever a category is called
        led = (
            self._before() in leads
            or self._before() in ("still", "only", "=")
            or self._after() in ("stage", "status", "category", "priority", "ones")
        )
        if valued and (led or self.or_next or capital) and not edge.sense("metric"):
            return (
                "my_team",
                "me",
                "value",
                "ref",
                "cue",
                "compare",
                "aggregate",
                "metric",
                "state",
                "activity_kind",
                "order",
                "customer",
                "subsidiary",
                "weak_value",
                "noun",
                "field",
                "grain",
                "forecast",
            )
        return (
            "my_team",
            "me",
            "compare",
            "cue",
            "aggregate",
            "metric",
            "state",
            "activity_kind",
            "order",
            "value",
            "ref",
            "customer",
            "subsidiary",
            "weak_value",
            "noun",
            "field",
            "grain",
            "forecast",
        )
