"""From the chart to parts: one walk over the cover that decides, in context, what each edge contributes.

The walk keeps a little state, as a reader does: a comparison waits for its number, a "by" for its group, a
"not" for what it denies, a state ("closing", "won") says which date the next time expression is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from assistant.language.chart import Chart, Edge, Quantity
from assistant.language.dates import When
from assistant.language.entities import Name
from assistant.language.lexicon import ADVERB_GRAINS, FOLLOW_UP, WRITE_VERBS, Sense
from assistant.language.tokens import singular
from crm_core.errors import Invalid
from crm_core.metrics.fields import NOUN_SHAPES, Kind
from crm_core.periods import FAR_FUTURE, FAR_PAST, Grain, Period
from crm_core.services.search import STOP_WORDS

#: Which time field a state is about, by noun.
STATE_TIME: dict[tuple[str, str], str] = {
    ("deal", "won"): "closed",
    ("deal", "lost"): "closed",
    ("deal", "closed"): "closed",
    ("deal", "closing"): "expected_close",
    ("deal", "due"): "expected_close",
    ("deal", "overdue"): "expected_close",
    ("deal", "open"): "expected_close",
    ("ticket", "resolved"): "resolved",
    ("ticket", "closed"): "resolved",
    ("lead", "converted"): "converted",
    ("activity", "due"): "due",
    ("activity", "overdue"): "due",
    ("activity", "incomplete"): "due",
    ("activity", "completed"): "completed",
}
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
#: States that stand between "no" and the noun that is missing.
_ABSENT_STATES = frozenset("open active won lost overdue upcoming recent new unresolved planned any".split())
_WH = frozenset({"which", "what", "who"})
#: Phrases after which a group is meant: "which rep", "top regions".
_GROUP_AFTER = frozenset({"which", "what", "top", "best", "worst", "bottom"})


@dataclass
class RawFilter:
    """A condition before its noun is known."""

    field: str
    op: str
    values: list[Any]
    said: str
    noun: str = ""
    negated: bool = False
    joined_by_or: bool = False


@dataclass
class Parts:
    """What the message contributes, before the decision what it asks."""

    metrics: list[str] = field(default_factory=list)
    nouns: list[str] = field(default_factory=list)
    plural_noun: bool = False
    states: list[str] = field(default_factory=list)
    negated_states: list[str] = field(default_factory=list)
    aggregates: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    filters: list[RawFilter] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    wh_groups: list[str] = field(default_factory=list)
    times: list[tuple[When, str]] = field(default_factory=list)
    untouched: When | None = None
    untouched_days: int | None = None
    order: str = ""
    order_field: str = ""
    order_is_soft: bool = False
    limit: int | None = None
    compare: str = ""
    me: bool = False
    my_team: bool = False
    customer: bool = False
    names: list[Name] = field(default_factory=list)
    negated_names: set[int] = field(default_factory=set)
    #: For each name, the colleagues that the same words name.
    colleagues: list[list[tuple[int, str]]] = field(default_factory=list)
    people: list[tuple[int, str]] = field(default_factory=list)
    cues: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unknown_capital: list[str] = field(default_factory=list)
    smalltalk: str = ""
    record_numbers: list[tuple[str, int]] = field(default_factory=list)
    follow_up: bool = False
    pronoun: bool = False
    sort: str = ""
    contacts_at: bool = False
    subsidiary: bool = False
    why: bool = False
    #: The grouping word was plural: several groups are asked for.
    plural_group: bool = False
    #: What a search by meaning should look for.
    content: list[str] = field(default_factory=list)
    #: Every word, and the metric phrases as they were said.
    words_seen: set[str] = field(default_factory=set)
    phrases: str = ""
    write_verb: str = ""
    first_words: list[str] = field(default_factory=list)
    #: The content words after "about", or all of them, for a search by meaning.
    topic: list[str] = field(default_factory=list)
    words: int = 0


def collect(chart: Chart) -> Parts:
    """Walk the cover once."""
    return _Walk(chart).run()


#: Words that ask for what was said rather than say what it was about.
_ASKING = frozenset(
    "say says said saying tell told mention mentioned mentions mentioning talk talked talks talking discuss discussed discussion speak spoke spoken write wrote find show look looking "
    "search list give check pull up notes note emails email mails mail calls call meetings meeting activities activity communication correspondence conversation conversations records record "
    "crm please anything something someone somebody anyone anybody everything know want wants need see like come came comes get got lately recently last latest recent most hear heard raise raised "
    "bring brought subject topic regarding concerning related whether where when which what who why how customer customers company contact contacts account quick one".split()
)
_PREFACE_STARTS = frozenset(
    "i im we my our before going putting quick preparing prepping ahead hi hello hey while working meeting getting just cleaning planning thinking heading sitting".split()
)
_PRONOUNS = frozenset({"it", "its", "they", "them", "their", "theirs", "her", "hers", "his", "him", "he", "she", "those", "these"})


class _Walk:
    def __init__(self, chart: Chart) -> None:
        self.edges, self.tokens, self.clauses = chart.edges, chart.tokens, chart.clauses
        self.message = chart.message
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

    def run(self) -> Parts:
        norms = [token.norm for token in self.tokens]
        self.parts.first_words = norms[:4]
        self.parts.words_seen = set(norms)
        self.parts.phrases = " ".join(norms)
        self.parts.follow_up = any(norms[: len(cue.split())] == cue.split() for cue in FOLLOW_UP)
        self.parts.pronoun = any(norm in _PRONOUNS for norm in norms)
        self.parts.me = norms[:1] == ["me"]
        if norms and norms[0] in WRITE_VERBS:
            self.parts.write_verb = norms[0]
        elif norms[:2] == ["please", *norms[1:2]] and len(norms) > 1 and norms[1] in WRITE_VERBS:
            self.parts.write_verb = norms[1]
        elif norms[:2] in (["can", "you"], ["could", "you"], ["would", "you"]) and len(norms) > 2 and norms[2] in WRITE_VERBS:
            self.parts.write_verb = norms[2]
        preface = self._preface()
        while self.at < len(self.edges):
            edge = self.edges[self.at]
            colleague = self.parts.pronoun and any(sense.kind == "ref" and sense.field == "owner" for sense in edge.senses)
            stranger = edge.kind == "unknown" and self.tokens[edge.first].capital and edge.first > 0 and not edge.text.isupper()
            place = "there" in self.parts.words_seen and edge.sense("value") is not None
            if self.clauses[edge.first] in preface and edge.kind != "name" and not (colleague or stranger or place):
                self.at += 1
                continue
            getattr(self, f"_{edge.kind}")(edge)
            self.at += 1
        self._gather_content(preface)
        self._forgive_asides()
        self._read_slips()
        return self.parts

    def _gather_content(self, preface: set[int]) -> None:
        """The words that a search by meaning should look for: all but names, times, and the words of asking."""
        used = {place for edge in self.edges if edge.kind in ("name", "when") for place in range(edge.first, edge.end)}
        words = [
            (token.text, self.clauses[place])
            for place, token in enumerate(self.tokens)
            if place not in used and token.norm not in STOP_WORDS and token.norm not in _ASKING and len(token.norm) > 1
        ]
        kept = [word for word, clause in words if clause not in preface] or [word for word, _ in words]
        self.parts.content = kept

    def _read_slips(self) -> None:
        """ "Their close date was moved back": a slip, said by what happened to the field."""
        parts = self.parts
        moved = {"moved", "pushed", "postponed", "shifted", "move", "push"} & parts.words_seen
        about_date = (
            "expected_close" in parts.fields or any(cue == "field:expected_close" for _, cue in parts.times) or {"date", "dates"} & parts.words_seen
        )
        if moved and about_date and {"later", "back", "out", "date", "dates"} & parts.words_seen:
            parts.states = ["slipped"]
            parts.unknown = [word for word in parts.unknown if word.lower() not in ("moved", "move", "back", "shifted", "dates", "date")]
            parts.times = [(when, "") for when, _ in parts.times]
            parts.fields = [name for name in parts.fields if name != "expected_close"]

    def _preface(self) -> set[int]:
        """Clauses before the question that tell why it is asked: "I am seeing them tomorrow, so what ...": only names count there."""
        numbers = sorted(set(self.clauses))
        asks = {
            "how",
            "what",
            "which",
            "who",
            "whose",
            "show",
            "list",
            "give",
            "can",
            "could",
            "please",
            "need",
            "want",
            "like",
            "is",
            "are",
            "do",
            "does",
            "did",
            "when",
            "where",
            "find",
        }
        preface: set[int] = set()
        for number in numbers[:-1]:
            words = [token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause == number]
            later = {token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause > number}
            figures = any(self.clauses[edge.first] == number and edge.sense("metric", "aggregate") for edge in self.edges)
            if (
                not figures
                and words[:1]
                and words[0] in _PREFACE_STARTS
                and not set(words) & (asks - {"is", "are", "do", "does", "did"})
                and later & asks
            ):
                preface.add(number)
            else:
                break
        return preface

    def _forgive_asides(self) -> None:
        """Unknown words in a clause that says nothing of the CRM are an aside; in the clause of the question they count."""
        if len(set(self.clauses)) < 2:
            return
        telling = {
            self.clauses[edge.first]
            for edge in self.edges
            if edge.kind in ("when", "name")
            or edge.kind == "words"
            and edge.sense("metric", "state", "noun", "value", "ref", "customer", "activity_kind", "aggregate", "field")
        }
        heads = {self.clauses[edge.first] for edge in self.edges if edge.sense("metric", "noun", "aggregate", "customer", "activity_kind")}
        asides = {clause for clause in set(self.clauses) if clause not in telling or heads and clause not in heads and not self._asks(clause)}
        if not heads or asides >= set(self.clauses):
            return
        self.parts.unknown = [
            word
            for word, clause in self.unknown_clauses
            if clause not in asides or word in self.parts.unknown_capital and not (word.isupper() and len(word) < 5)
        ]
        self.parts.unknown_capital = [word for word in self.parts.unknown_capital if word in self.parts.unknown]

    def _asks(self, clause: int) -> bool:
        words = {token.norm for token, number in zip(self.tokens, self.clauses, strict=True) if number == clause}
        return bool(
            words & {"how", "what", "which", "who", "show", "list", "by", "per", "each", "only", "just", "in", "for", "with", "without", "from", "at"}
        )

    # --- neighbours -------------------------------------------------------------------------------------

    def _before(self, back: int = 1) -> str:
        """The word before the current edge."""
        place = self.edges[self.at].first - back
        return self.tokens[place].norm if place >= 0 else ""

    def _after(self, ahead: int = 0) -> str:
        place = self.edges[self.at].end + ahead
        return self.tokens[place].norm if place < len(self.tokens) else ""

    def _next_edge(self, ahead: int = 1) -> Edge | None:
        return self.edges[self.at + ahead] if self.at + ahead < len(self.edges) else None

    # --- edges ------------------------------------------------------------------------------------------

    def _filler(self, edge: Edge) -> None:
        word = self.tokens[edge.first].norm
        if word == "about":
            self.after_topic = True

    def _unknown(self, edge: Edge) -> None:
        word = self.tokens[edge.first].norm
        if word.endswith("est") and len(word) > 5 and not self.parts.order and not self.tokens[edge.first].capital:
            self.parts.order = "highest"  # "the fattest pipeline"
            return
        self.parts.unknown.append(edge.text)
        self.unknown_clauses.append((edge.text, self.clauses[edge.first]))
        if edge.first > 0 and self.tokens[edge.first].capital:
            self.parts.unknown_capital.append(edge.text)
        self.parts.topic.append(edge.text)
        self.negated = self.group_next = False

    def _when(self, edge: Edge) -> None:
        assert edge.when is not None
        if self.comparison is not None and "ago" in edge.text.lower().split():  # "more than 90 days ago"
            day = edge.when.period
            bound = Period(FAR_PAST, day.first) if self.comparison[0] in ("more_than", "at_least", "older") else Period(day.first, FAR_FUTURE)
            self.comparison = None
            self.parts.times.append((replace(edge.when, period=bound, ahead=None), self.time_field))
            return
        if self.negated and self.time_field == "last_activity" or self.time_field == "untouched":
            self.parts.untouched = edge.when
            self.negated = False
            self.time_field = ""
            return
        if self.comparison and self.comparison[0] in ("older", "younger"):
            self.comparison = None
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

    def _quantity(self, edge: Edge) -> None:
        quantity = edge.quantity
        assert quantity is not None
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
        previous = self.edges[self.at - 1] if self.at else None
        noun = previous.sense("noun") if previous else None
        if len(edge.text) > 24:
            raise Invalid("That number is longer than any the CRM holds. Which number do you mean?")
        whole = quantity.value == quantity.value.to_integral_value()
        if self.time_field == "untouched" and whole and self._after() in ("days", "day", "weeks", "week", "months"):
            self.parts.untouched_days = int(quantity.value) * {"d": 1, "w": 7, "m": 30}[self._after()[0]]
            self.time_field = ""
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

    def _compare_number(self, edge: Edge, quantity: Quantity) -> None:
        assert self.comparison is not None
        if self.minus_before(edge):
            raise Invalid("Amounts, ages and counts are never negative here. Which number do you mean?")
        op, said = self.comparison
        self.comparison = None
        unit = self._after()
        name = self._number_field(unit, quantity, op)
        values: list[Any] = [quantity.value]
        if op == "between":
            upper = self._upper_bound()
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
        if name == "age" and unit in ("week", "weeks", "month", "months", "year", "years"):
            values = [value * {"week": 7, "month": 30, "year": 365}[unit.rstrip("s")] for value in values]
        text = {"more_than": "over", "at_least": "at least", "less_than": "under", "at_most": "at most", "between": "between"}.get(op, op)
        del said
        flipped = {"more_than": "at_most", "at_least": "less_than", "less_than": "at_least", "at_most": "more_than"}
        if self.negated:
            op, self.negated = flipped.get(op, op), False
        shown = " and ".join(str(value) for value in values)
        self.parts.filters.append(RawFilter(name, op, values, f"{name.replace('_', ' ')} {text} {shown}"))

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
        spoken = following.sense("field") if following else None
        if spoken and self._is_numeric(spoken):
            self.at += 1
            return str(spoken.value)
        if unit in ("days", "day", "weeks", "week", "months", "month", "years", "year", "old") or op in ("older", "younger"):
            while self._next_edge() is not None and self._after() in ("days", "day", "weeks", "week", "months", "month", "years", "year", "old"):
                self.at += 1
            return "age"
        if unit in ("minutes", "minute", "mins", "min"):
            return "duration"
        for name in reversed(self.parts.fields):
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

    def _custom_numbers(self) -> set[str]:
        return {
            sense.value
            for edge in self.edges
            for sense in edge.senses
            if sense.kind == "field" and sense.noun and sense.value not in NOUN_SHAPES[sense.noun].fields
        }

    def _is_numeric(self, sense: Sense) -> bool:
        shape = NOUN_SHAPES.get(sense.noun)
        item = shape.fields.get(sense.value) if shape else None
        return item is None or item.kind in (Kind.number, Kind.money)

    def _words(self, edge: Edge) -> None:
        if edge is self.skip_edge:
            return
        parts = self.parts
        sense = edge.sense
        if sense("negation") and self._negation(edge):
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
        if self.compare_fields and sense("field") and not sense("noun") and singular(edge.text.lower()) != edge.text.lower():
            self.parts.groups.append(str(sense("field").value))  # type: ignore[union-attr]
            return
        people = {"contact", "lead"} & set(self.parts.nouns)
        if self.negated and sense("aggregate") and self.parts.aggregates == [] and "how many" in self.parts.phrases:
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
        if edge.sense("smalltalk") and len(self.edges) <= 3:
            parts.smalltalk = edge.sense("smalltalk").value  # type: ignore[union-attr]
            return
        for kind in self._order_of_kinds(edge):
            found = sense(kind)
            if found is not None and getattr(self, f"_take_{kind}")(edge, found):
                self.or_next = self.or_next and kind in ("cue",)
                return
        parts.topic.append(edge.text)

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
        led = self._before() in leads or self._before() in ("still", "only", "=") or self._after() in ("stage", "status", "category", "priority")
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

    def _is_missing(self) -> bool:
        """ "Amount is missing", "next step not set": the field is said to be empty after its name."""
        words = [self._after(ahead) for ahead in range(3)]
        gone = [word for word in words if word not in ("is", "are", "was", "still", "field", "")]
        missing = gone[:1] in (["missing"], ["empty"], ["blank"], ["unset"]) or gone[:2] == ["not", "set"]
        if missing:
            self.negated = True
            self.skip_missing = True
        return missing

    # --- connecting words -------------------------------------------------------------------------------

    def _negation(self, edge: Edge) -> bool:
        if self.skip_missing and edge.text.lower() in ("missing", "not"):
            self.skip_missing = False
            return True
        if edge.sense("state") and edge.end - edge.first > 1:
            return False
        if edge.text.lower() == "no" and edge.first == 0 and self.parts.follow_up:
            return True
        self.negated = True
        return True

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
        while following is not None and following.kind == "filler" and following.text.lower() in ("the", "a", "our", "their", "sales"):
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
        noun = edge.sense("noun")
        kind = edge.sense("activity_kind")
        if kind is not None and noun is None and self._before() in ("every", "each", "any"):
            self.group_next = False
            return self._take_activity_kind(edge, kind)
        if noun is not None and noun.value in ("deal", "ticket", "lead", "activity") and self._next_edge() is not None and not self._compound():
            self.group_next = False  # "every deal we won": each is counted, none is a group
            return self._take_noun(edge, noun)
        following = self._next_edge()
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
        following = self._next_edge()
        joined = following is not None and self.tokens[following.first].norm in ("and", ",", "then", "x")
        self.group_next = joined
        return True

    def _compound(self) -> bool:
        """Whether the noun only says whose field follows: "every deal source"."""
        following = self._next_edge()
        return following is not None and following.kind == "words" and following.sense("field") is not None and not following.sense("metric", "state")

    def _cue_was_per(self) -> bool:
        return any(token.norm == "per" for token in self.tokens[: self.edges[self.at].first])

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

    def _comparison(self, edge: Edge) -> bool:
        found = edge.sense("comparison")
        assert found is not None
        if found.value.endswith("_after"):
            return True
        for ahead in (1, 2):
            following = self._next_edge(ahead)
            if following is not None and following.kind == "quantity":
                self.comparison = (found.value, edge.text)
                return True
            if following is not None and following.kind == "when" and found.value in ("older", "younger", "more_than", "less_than"):
                self.comparison = (found.value, edge.text) if "ago" in following.text.lower().split() else None
                return True
        return edge.text.lower() in ("over", "under", "above", "below", "plus", "up to")

    # --- senses -----------------------------------------------------------------------------------------

    def _take_my_team(self, _edge: Edge, _sense: Sense) -> bool:
        self.parts.my_team = True
        return True

    def _take_me(self, edge: Edge, _sense: Sense) -> bool:
        word, before = edge.text.lower(), self._before()
        if self.negated and word in ("my", "mine", "me"):  # "not just mine"
            self.negated = False
            return True
        if word in ("my", "mine"):
            following = self._next_edge()
            if (
                word == "my"
                and following is not None
                and following.kind in ("filler", "unknown")
                and following.text.lower() not in ("own", "current", "currently", "full", "entire", "whole", "total", "overall")
            ):
                return True  # "for my report": not the asker's rows
            self.parts.me = True
        elif word == "i":
            asking = (
                before in ("can", "may", "could", "should", "would", "shall", "know")
                or self._after()
                in (
                    "want",
                    "would",
                    "need",
                    "like",
                    "wonder",
                    "know",
                    "see",
                    "think",
                    "guess",
                    "mean",
                    "meant",
                    "could",
                    "can",
                    "should",
                    "was",
                    "forgot",
                    "believe",
                    "just",
                    "will",
                    "ask",
                    "remember",
                    "understand",
                )
                or self._after() == "am"
                and self._after(1) not in ("late", "behind", "overdue", "the")
                or self._after() == "have"
                and self._after(1) in ("the", "a", "to")
                or self._after() == "have"
                and before in ("", "so", "ok", "okay")
            )
            self.parts.me = self.parts.me or not asking
        else:
            self.parts.me = (
                self.parts.me or before in ("to", "by", "for", "with") and self._before(2) in ("assigned", "owned", "belonging", "handled")
            )
        return True

    def _take_compare(self, edge: Edge, sense: Sense) -> bool:
        if sense.value == "against":
            following = self._next_edge()
            while following is not None and following.kind == "filler":
                following = self._next_edge(self.edges.index(following) - self.at + 1)
            if following is None:
                return False
            if following.kind == "when":
                self.parts.compare = "against"
                return True
            if edge.text.lower() == "against" and following.sense("metric"):
                return True
            self.parts.compare = "previous" if following.text.lower() in ("previous", "prior", "before") else self.parts.compare
            return True
        self.parts.compare = sense.value
        return True

    def _take_cue(self, edge: Edge, sense: Sense) -> bool:
        value = sense.value
        if value == "sort":
            self.sort_next = True
            return True
        if value == "contacts_at":
            self.parts.contacts_at = True
            return True
        if value == "why":
            self.parts.why = True
            return True
        if value == "said" and edge.text.lower().rstrip("s") in (
            "complaint",
            "concern",
            "objection",
            "feedback",
            "complained",
            "promised",
            "promise",
        ):
            self.parts.topic.append(edge.text)
        if value == "said" and edge.first == 0 and edge.text.lower() in ("write", "want"):
            return True
        if (value in ("which", "who") or edge.text.lower() == "what") and edge.text.lower() != "whose":
            following = self._next_edge()
            if following is not None and following.kind == "quantity" and following.quantity is not None:
                following = self._next_edge(2)
            if (
                following is not None
                and following.sense("noun")
                and (beyond := self._next_edge(self.edges.index(following) - self.at + 1)) is not None
                and beyond.kind == "words"
                and beyond.sense("field")
                and not beyond.sense("metric", "state")
            ):
                following = beyond
            name = (
                self._group_name(following) if following is not None and following.kind == "words" and not following.sense("activity_kind") else None
            )
            if name and following is not None and name not in Grain.__members__:
                noun = following.sense("noun")
                if noun is None or noun.value in ("user", "product", "company", "contact") or following.sense("customer"):
                    self.parts.wh_groups.append(name)
                    self.parts.plural_group = singular(following.text.lower()) != following.text.lower()
        if value == "topic":
            self.after_topic = True
        if value == "define" and edge.text.lower() == "mean" and "what does" not in " ".join(self.parts.first_words):
            return False
        if value == "more" and len(self.edges) > 3:
            return True
        self.parts.cues.append(value)
        return True

    def _take_aggregate(self, edge: Edge, sense: Sense) -> bool:
        following = self._next_edge()
        if sense.value == "count" and following is not None and any(item.kind == "field" and item.label == "number" for item in following.senses):
            return True  # "number of seats": a field, not a count of records
        self.parts.aggregates.append(sense.value)
        return True

    def _take_metric(self, edge: Edge, sense: Sense) -> bool:
        if self.negated and (self.parts.nouns or self.parts.metrics) and edge.end - edge.first > 1:
            return self._absent(edge)
        noun = edge.sense("noun")
        if noun is not None and edge.text.lower() in {noun.value, f"{noun.value}s", "companies", "activities", "opportunities", "accounts", "people"}:
            return self._take_noun(edge, noun)
        if edge.sense("state") and (
            not edge.end - edge.first > 1
            or {"list", "which"} & set(self.parts.cues)
            or any(any(item.kind == "noun" and item.value == "deal" for item in other.senses) for other in self.edges if other is not edge)
        ):
            return False
        if edge.sense("field") is not None and self.compare_fields and singular(edge.text.lower()) != edge.text.lower():
            self.parts.groups.append(str(edge.sense("field").value))  # type: ignore[union-attr]
            return True
        if edge.sense("field") is not None and (self._before() in _GROUP_AFTER) and self._next_edge() is not None:
            return False
        if edge.text.lower().startswith("number of") or edge.text.lower().endswith(" count"):
            self.parts.aggregates.append("count")
        if sense.value not in self.parts.metrics:
            self.parts.metrics.append(sense.value)
        last = edge.text.lower().split()[-1] if edge.text else ""
        self.parts.plural_noun = self.parts.plural_noun or singular(last) != last and last != "sales"
        return True

    def _take_state(self, edge: Edge, sense: Sense) -> bool:
        value = sense.value
        if (
            value == "closed"
            and edge.text.lower() in ("close", "closes")
            and not {"did", "have", "has", "had"} & {token.norm for token in self.tokens[: edge.first]}
        ):
            value = "closing"
        if value == "occurred" and self.negated:
            if self._before() == "nothing" or self._before(2) == "nothing":
                self.negated, self.time_field = False, "untouched"
            return True  # "have not had any activity": the "not" is about the activity
        if self.negated:
            self.negated = False
            self.parts.negated_states.append(value)
            return True
        self.parts.states.append(value)
        self.time_field = f"state:{value}"
        return True

    def _take_activity_kind(self, edge: Edge, sense: Sense) -> bool:
        if (
            sense.value == "email"
            and edge.text.lower() in ("email", "mail", "e-mail")
            and edge.sense("field")
            and (self.parts.names or self._before() in ("the", "her", "his", "their") and self._after() in ("of", "for", "address"))
            and not self.parts.aggregates
        ):
            return False
        if self.negated:
            self.negated = False
            self.parts.filters.append(RawFilter("kind", "is", [sense.value], edge.text, "activity", negated=True))
            return True
        self.parts.kinds.append(sense.value)
        if "activity" not in self.parts.nouns:
            self.parts.nouns.append("activity")
        return True

    def _take_order(self, edge: Edge, sense: Sense) -> bool:
        order, hint = sense.value
        if self.parts.order and (edge.text.lower() in ("first", "last", "top") or self._before() == "to"):
            return True
        self.parts.order, self.parts.order_field = order, hint
        self.parts.order_is_soft = edge.text.lower() in ("recent", "recently", "latest", "first")
        following = self._next_edge()
        if following is not None and following.kind == "quantity":
            following = self._next_edge(2)
        if following is not None and following.kind == "words":
            beyond = self._next_edge(self.edges.index(following) - self.at + 1)
            if (
                following.sense("noun")
                and beyond is not None
                and beyond.kind == "words"
                and beyond.sense("field")
                and not beyond.sense("metric", "state", "noun")
            ):
                following = beyond
            name = self._group_name(following)
            plain_noun = following.sense("noun")
            metric = following.sense("metric")
            kinds = {item.label for item in following.senses if item.kind == "field"}
            if kinds and not kinds & {"ref", "choice", "boolean"} and not following.sense("noun", "customer"):
                return True  # "the most employees": what is measured, not what is compared
            counted = metric is None or metric.value in ("customers", "companies", "contacts", "deals", "leads", "activities")
            self.ordered_group = name or ""
            if (
                name
                and name not in Grain.__members__
                and counted
                and following.sense("field", "customer", "noun")
                and (plain_noun is None or plain_noun.value in ("company", "product", "user"))
            ):
                self.parts.wh_groups.append(name)
                self.parts.plural_group = singular(following.text.lower()) != following.text.lower()
        return True

    def _take_value(self, edge: Edge, sense: Sense) -> bool:
        values = [item for item in edge.senses if item.kind == "value"]
        around = {self._before(), self._after(), self._after(1), self._before(2)}
        named = [item for item in values if item.field in around or item.field.rstrip("s") in around]
        if "team" in around and any(item.kind == "ref" and item.field == "team" for item in edge.senses):
            values = []
        elif named:
            values = named
        for item in values:
            self.parts.filters.append(RawFilter(item.field, "is", [item.value], item.label, item.noun, self.negated, self.or_next))
        for item in edge.senses:
            if item.kind == "ref" and item.field != "owner" and not values:
                self._append_ref(item)
        self.negated = False
        del sense
        return True

    def _append_ref(self, sense: Sense) -> None:
        ids = list(sense.value) if isinstance(sense.value, tuple) else [sense.value]
        self.parts.filters.append(RawFilter(sense.field, "is", ids, sense.label, "", self.negated, self.or_next))

    def _take_ref(self, edge: Edge, sense: Sense) -> bool:
        people = [item for item in edge.senses if item.kind == "ref" and item.field == "owner"]
        others = [item for item in edge.senses if item.kind == "ref" and item.field != "owner"]
        following = self._next_edge()
        if (
            others
            and others[0].field == "team"
            and following is not None
            and ("ticket" in following.text.lower() or "case" in following.text.lower())
        ):
            return True  # "support tickets": what they are, not whose
        ours = others and others[0].field == "team" and not self.tokens[edge.first].capital
        if ours and (
            following is not None
            and following.sense("state")
            and "ticket" in self.parts.nouns
            or any(raw.field in ("team", "region") for raw in self.parts.filters)
        ):
            return True  # "did support close", "the north sales team": a description
        if others:
            self._append_ref(others[0])
        elif len(people) == 1:
            self.parts.people.append((people[0].value, people[0].label))
            self.parts.filters.append(RawFilter("owner", "is", [people[0].value], people[0].label, "", self.negated, self.or_next))
        else:
            self.parts.filters.append(RawFilter("owner", "is", [item.value for item in people], edge.text, "ambiguous", self.negated, self.or_next))
        self.negated = False
        del sense
        return True

    def _take_customer(self, edge: Edge, sense: Sense) -> bool:
        self.parts.customer = True
        if self.parts.wh_groups[-1:] != ["company"] and "company" not in self.parts.nouns:
            self.parts.nouns.append("company")
        self.parts.plural_noun = self.parts.plural_noun or edge.text.lower().endswith("s")
        del sense
        return True

    def _take_noun(self, edge: Edge, sense: Sense) -> bool:
        if self.negated and sense.value == "activity":
            self.time_field = "untouched"
            self.negated = False
            return True
        if self.negated and sense.value == "company" and (self.parts.nouns or self.parts.metrics) and edge.end - edge.first == 1:
            self.negated = False
            self.parts.filters.append(RawFilter("company", "empty", [], f"without {edge.text.lower()}", ""))
            return True
        before = self.tokens[: edge.first]
        absent = self.negated or (len(before) > 1 and before[-2].norm in ("no", "without") and before[-1].norm in _ABSENT_STATES)
        if absent and (self.parts.nouns or self.parts.metrics) and sense.value not in self.parts.nouns:
            return self._absent(edge)
        if sense.value not in self.parts.nouns:
            self.parts.nouns.append(sense.value)
        self.parts.plural_noun = self.parts.plural_noun or singular(edge.text.lower()) != edge.text.lower()
        self.time_field = self.time_field if self.time_field.startswith("state:") else ""
        return True

    def _absent(self, edge: Edge) -> bool:
        """ "Companies with no open deals": what is not there cannot be asked for yet, and must not be dropped."""
        self.negated = False
        self.parts.unknown.append(f"no {edge.text.lower()}")
        return True

    def _take_field(self, edge: Edge, sense: Sense) -> bool:
        name = str(sense.value)
        following = self._next_edge()
        if self.negated and following is not None and following.sense("ref", "value"):
            return True  # "not in stage Qualification": the value says what is denied
        if self._is_boolean(edge):
            self.parts.filters.append(
                RawFilter(name, "is", ["no" if self.negated else "yes"], f"{'not ' if self.negated else ''}{edge.text.lower()}", sense.noun)
            )
            self.negated = False
            return True
        if self.negated:
            self.negated = False
            if name == "last_activity":
                self.time_field = "untouched"
            elif name in ("created", "closed", "occurred"):
                self.parts.negated_states.append(name)
            else:
                self.parts.filters.append(RawFilter(name, "empty", [], f"without {edge.text.lower()}", sense.noun))
            return True
        if name == "phone" and edge.text.lower() in ("number", "numbers") and not self.parts.names and not self.parts.pronoun:
            return True
        if "x" in (self._before(), self._after()) and {item.label for item in edge.senses} & {"choice", "ref"}:
            self.parts.groups.append(name)
            return True
        if self.parts.wh_groups[-1:] == [name] or name == "owner" and self.parts.wh_groups[-1:] == ["owner"]:
            return True
        if self._after() in ("breakdown", "split", "distribution", "mix") and {item.label for item in edge.senses} & {"choice", "ref"}:
            self.parts.groups.append(name)
            return True
        times = {
            item.value
            for item in edge.senses
            if item.kind == "field"
            and item.noun
            and NOUN_SHAPES[item.noun].fields.get(item.value) is not None
            and NOUN_SHAPES[item.noun].fields[item.value].is_time
        }
        if times:
            self.time_field = f"field:{next(iter(sorted(times)))}"
        self.parts.fields.append(name)
        return True

    def _is_boolean(self, edge: Edge) -> bool:
        return any(item.label == "boolean" for item in edge.senses if item.kind == "field")

    def _take_subsidiary(self, _edge: Edge, _sense: Sense) -> bool:
        self.parts.subsidiary = True
        if "company" not in self.parts.nouns:
            self.parts.nouns.append("company")
        self.parts.plural_noun = True
        return True

    def _take_grain(self, edge: Edge, sense: Sense) -> bool:
        if edge.text.lower() in ADVERB_GRAINS or sense.label == "adverb":
            self.parts.groups.append(sense.value.value)
            return True
        return False

    def _take_weak_value(self, _edge: Edge, sense: Sense) -> bool:
        lost = "lost" in self.parts.states or any(name.startswith("lost") for name in self.parts.metrics)
        if not lost:
            return False
        self.parts.filters.append(RawFilter(sense.field, "is", [sense.value], sense.label, sense.noun, self.negated))
        self.negated = False
        return True

    def _take_forecast(self, _edge: Edge, _sense: Sense) -> bool:
        if any(item.kind == "value" and item.field == "forecast_category" for other in self.edges for item in other.senses):
            return True
        self.parts.metrics.append("weighted_pipeline")
        return True
