"""What a phrase contributes by the sense that is taken: one method for each kind of sense."""

from __future__ import annotations

from assistant.language.chart import Edge
from assistant.language.lexicon import ADVERB_GRAINS, Sense
from assistant.language.parts.model import Parts, RawFilter, RawRelation
from assistant.language.parts.neighbours import Neighbours
from assistant.language.states import STATE_OF_METRIC
from assistant.language.tokens import singular
from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.periods import Grain
from crm_core.text import fold

#: States that stand between "no" and the noun that is missing.
_ABSENT_STATES = frozenset("open active won lost overdue upcoming recent new unresolved planned any".split())


#: Kinds of fields that hold a day or an instant.
_DAY_KINDS = frozenset({"day", "instant"})
_UNITS_OF_TIME = frozenset({"days", "day", "hours", "hour", "weeks", "week", "nights"})
#: What one does oneself, rather than asks for: "deals I won".
_ACTING = frozenset(
    "have had own won win lost lose close closed did made sold sell booked logged created opened resolved converted called met mailed wrote sent handle manage got "
    "completed finished done performed recorded entered been finish complete do hit brought sign signed land landed work worked held book log owe still currently".split()
)


#: Phrases after which a group is meant: "which rep", "top regions".
_GROUP_AFTER = frozenset({"which", "what", "top", "best", "worst", "bottom"})


def _names_companies(edge: Edge) -> bool:
    return any(sense.kind == "noun" and sense.value == "company" for sense in edge.senses)


class Senses(Neighbours):
    """A method a kind of sense; each says whether it took the phrase."""

    def _take_my_team(self, _edge: Edge, _sense: Sense) -> bool:
        self.parts.my_team = True
        return True

    def _take_me(self, edge: Edge, _sense: Sense) -> bool:
        word, before = edge.text.lower(), self._before()
        if self.negated and word in ("my", "mine", "me"):  # "not just mine"
            self.negated = False
            return True
        if word == "me" and before in ("just", "only") and len(self.edges) <= 4:
            self.parts.me = True  # "just me"
            return True
        if word == "my" and self._people_follow():
            self.parts.my_team = True
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
            acting = self._after() in _ACTING and not (self._after() == "have" and self._after(1) in ("the", "a", "to") and before != "do")
            asked = before in ("did", "do", "have", "had", "am", "was")
            polite = before in ("can", "may", "could", "should", "would", "shall", "know")
            working = self._after() == "am" and self._after(1) in ("late", "behind", "overdue", "the", "working", "owner", "responsible", "on", "in")
            asking = polite or not (acting or asked or working) or self._after() == "have" and before in ("", "so", "ok", "okay")
            self.parts.me = self.parts.me or not asking
        else:
            self.parts.me = (
                self.parts.me
                or before in ("to", "by", "for", "with", "from", "of")
                and self._before(2) in ("assigned", "owned", "belonging", "handled", "tasks", "deals", "tickets", "leads", "calls", "meetings")
            )
        return True

    def _people_follow(self) -> bool:
        """ "My top reps", "my three best sellers": the asker's people, not the asker."""
        ahead = 1
        while (following := self._next_edge(ahead)) is not None and (following.sense("order") or following.kind == "quantity"):
            ahead += 1
        if following is None or singular(following.text.lower()) == following.text.lower():
            return False
        return any(sense.kind == "field" and sense.value == "owner" for sense in following.senses)

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
            ranked = any(other.sense("order") for other in self.edges)
            if value == "who" and name is not None and name not in ("owner", "company", "contact", "team"):
                name = None  # "who made how many calls": no field is asked for
            if name and following is not None and (name not in Grain.__members__ or ranked):
                noun = following.sense("noun")
                if noun is None or noun.value in ("user", "product", "company", "contact") or following.sense("customer"):
                    self.parts.wh_groups.append(name)
                    self.parts.plural_group = singular(following.text.lower()) != following.text.lower()
        if value == "topic" and edge.first <= 3 and self._before() in ("what", "how"):
            return True  # "what about Greta, calls": a step in the conversation
        if value == "topic":
            self.after_topic = True
        if value == "define" and edge.text.lower() == "mean" and "what does" not in " ".join(self.parts.first_words):
            return False
        if value == "more" and edge.text.lower() == "show all" and self._next_edge() is not None:
            value = "list"  # "show all products"
        if value == "more" and len(self.edges) > 3:
            return True
        self.parts.cues.append(value)
        return True

    def _take_aggregate(self, edge: Edge, sense: Sense) -> bool:
        following = self._next_edge()
        if sense.value == "count" and following is not None and any(item.kind == "field" and item.label == "number" for item in following.senses):
            return True  # "number of seats": a field, not a count of records
        if self.negated and sense.value in ("sum", "count"):
            self.negated = False  # "not the dollar amount, just the count"
            return True
        self.parts.aggregates.append(sense.value)
        return True

    def _take_metric(self, edge: Edge, sense: Sense) -> bool:
        bare = self._before() in ("no", "without", "zero") and sense.value in (
            "open_deals",
            "open_tickets",
            "won_deals",
            "lost_deals",
            "open_tasks",
        )
        if self.negated and (bare or (self.parts.nouns or self.parts.metrics) and edge.end - edge.first > 1):
            return self._absent(edge)
        if sense.value == "forecast" and any(other.sense("metric", "noun", "aggregate") for other in self.edges if other is not edge):
            return False  # "for the forecast call": what it is for, not what is asked
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
        if edge.sense("field") is not None and "x" in (self._before(), self._after()):
            self.parts.groups.append(str(edge.sense("field").value))  # type: ignore[union-attr]
            return True
        compared = (following := self._next_edge()) is not None and following.sense("comparison") is not None
        if compared and edge.sense("field") is not None and self._next_edge(2) is not None and self._next_edge(2).kind == "quantity":  # type: ignore[union-attr]
            return False  # "days in stage above 45": a bound on each record
        if edge.text.lower().startswith("number of") or edge.text.lower().endswith(" count"):
            self.parts.aggregates.append("count")
        if sense.value not in self.parts.metrics:
            self.parts.metrics.append(sense.value)
        last = edge.text.lower().split()[-1] if edge.text else ""
        self.parts.plural_noun = self.parts.plural_noun or singular(last) != last and last != "sales"
        return True

    def _take_state(self, edge: Edge, sense: Sense) -> bool:
        value = sense.value
        stage = any(item.kind == "ref" and item.field == "stage" for item in edge.senses)
        if value == "created" and stage and edge.text.lower() != "new" and not {"ticket", "lead", "activity"} & set(self.parts.nouns):
            return False  # "gifts received", where a stage is called Received: the company's own word
        if (
            value == "closed"
            and edge.text.lower() in ("close", "closes")
            and not {"did", "have", "has", "had"} & {token.norm for token in self.tokens[: edge.first]}
        ):
            value = "closing"
        if (
            edge.text.lower() in ("get", "got")
            and self._before() in ("i", "we", "you", "can", "could", "to", "me", "please", "let", "us")
            and "did" not in (token.norm for token in self.tokens[: edge.first])
        ):
            return True  # "could I get the won value": a request
        if edge.text.lower() == "make" and edge.first == 0:
            return True  # "make it over 75k"
        if edge.text.lower() == "got" and {"has", "have"} & {token.norm for token in self.tokens[max(0, edge.first - 6) : edge.first]}:
            return True  # "how much pipeline has she got"
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
            and (self.parts.names or self._before() in ("the", "her", "his", "their", "an", "a") and self._after() in ("of", "for", "address"))
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
        if following is not None and following.sense("state") and not following.sense("metric", "noun", "field"):
            following = self._next_edge(self.edges.index(following) - self.at + 1)  # "best selling products"
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
            if name in Grain.__members__ and order in ("highest", "lowest") and singular(following.text.lower()) == following.text.lower():
                self.parts.wh_groups.append(str(name))  # "best month this year for bookings"
                return True
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
        if edge.text.lower() in _UNITS_OF_TIME and self._before() in ("in", "mean", "average", "avg", "many", "of", "number", "median"):
            return True  # "in days": a unit, whatever a choice is called
        values = [item for item in edge.senses if item.kind == "value"]
        around = {self._before(), self._after(), self._after(1), self._before(2)}
        named = [item for item in values if {item.field, item.field.rstrip("s"), item.field.rsplit("_", 1)[-1]} & around]
        if "team" in around and any(item.kind == "ref" and item.field == "team" for item in edge.senses):
            values = []
        elif named:
            values = named
        refs = [(item.field, item.value) for item in edge.senses if item.kind == "ref" and item.field != "owner"]
        for item in values:
            denied = self._denied(item.field)
            self.parts.filters.append(
                RawFilter(
                    item.field, "is", [item.value], item.label, item.noun, denied, self.or_next, alternatives=refs, clause=self.clauses[edge.first]
                )
            )
        for item in edge.senses:
            if item.kind == "ref" and item.field != "owner" and not values:
                self._append_ref(item)
        self.negated = False
        del sense
        return True

    def _append_ref(self, sense: Sense) -> None:
        ids = list(sense.value) if isinstance(sense.value, tuple) else [sense.value]
        self.parts.filters.append(RawFilter(sense.field, "is", ids, sense.label, "", self._denied(sense.field), self.or_next))

    def _denied(self, field: str) -> bool:
        """Whether a value is denied: by a word right before it, or with the value that it is joined to: "not in A or B"."""
        before = self.parts.filters[-1] if self.parts.filters else None
        joined = before is not None and before.field == field and before.negated and self._before() in ("or", "and", "nor", "stage")
        return self.negated or joined

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
        if ours and self._before() == "with" and self._after() != "team":
            return True  # "an open ticket with support"
        if ours and (
            following is not None
            and following.sense("state")
            and ("ticket" in self.parts.nouns or any(name.startswith("tickets_") for name in self.parts.metrics))
            or any(raw.field in ("team", "region") for raw in self.parts.filters)
            and self._before() not in ("or", "and", "vs", "plus")
        ):
            return True  # "did support close", "the north sales team": a description
        if others and others[0].field == "pipeline" and edge.text.lower().endswith("pipeline") and not self.parts.metrics:
            self.parts.named_pipeline = True
        if others:
            self._append_ref(others[0])
        elif len(people) == 1:
            self.parts.people.append((people[0].value, people[0].label))
            self.parts.filters.append(RawFilter("owner", "is", [people[0].value], people[0].label, "", self._denied("owner"), self.or_next))
        else:
            self.parts.filters.append(RawFilter("owner", "is", [item.value for item in people], edge.text, "ambiguous", self.negated, self.or_next))
        self.negated = False
        del sense
        return True

    def _take_customer(self, edge: Edge, sense: Sense) -> bool:
        self.parts.customer = True
        if self.parts.wh_groups[-1:] != ["company"] and "company" not in self.parts.nouns:
            self.parts.nouns.append("company")
        last = self.tokens[edge.end - 1].norm
        self.parts.plural_noun = self.parts.plural_noun or singular(last) != last
        del sense
        return True

    def _take_noun(self, edge: Edge, sense: Sense) -> bool:
        if sense.value == "company" and self._before() in ("whole", "entire"):
            return True  # "the whole company": nobody is left out
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
        value = sense.value
        if edge.text.lower() == "business" and self._before() not in ("that", "this", "the", "their", "which", "what"):
            value = "deal"  # "total value of new business": deals, where "businesses" are companies
        if value not in self.parts.nouns:
            self.parts.nouns.append(value)
        self.parts.plural_noun = self.parts.plural_noun or singular(edge.text.lower()) != edge.text.lower()
        self.time_field = self.time_field if self.time_field.startswith("state:") else ""
        return True

    def _absent(self, edge: Edge) -> bool:
        """ "Anchor class, no open deals, list companies": the absence of records of a company; what is not understood must not be dropped."""
        self.negated = False
        metric = edge.sense("metric")
        noun, state, sums = STATE_OF_METRIC.get(str(metric.value), ("", "", True)) if metric is not None else ("", "", True)
        companies = any(other.sense("customer") or _names_companies(other) for other in self.edges if other is not edge)
        if noun in ("deal", "ticket") and not sums and companies:
            inner = Parts(nouns=[noun], plural_noun=True, states=[state], words_seen=set(fold(edge.text).split()), phrases=fold(edge.text))
            self.parts.relations.append(RawRelation("company", noun, inner, f"without {edge.text.lower()}", denied=True))
            return True
        self.parts.unknown.append(f"no {edge.text.lower()}")
        return True

    def _take_field(self, edge: Edge, sense: Sense) -> bool:
        name = str(sense.value)
        ahead = 1
        while (
            (following := self._next_edge(ahead)) is not None
            and following.kind == "filler"
            and following.text.lower() in ("is", "are", "was", "of", "the")
        ):
            ahead += 1
        if self.negated and following is not None and following.sense("ref", "value"):
            return True  # "not in stage Qualification": the value says what is denied
        following = self._next_edge()
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
        whose = self.parts.names or self._before() in ("his", "her", "their", "phone", "mobile", "the") and self.parts.pronoun
        if name == "phone" and edge.text.lower() in ("number", "numbers") and not whose:
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
            and (item.label in _DAY_KINDS if item.value not in NOUN_SHAPES[item.noun].fields else NOUN_SHAPES[item.noun].fields[item.value].is_time)
        }
        if times:
            self.time_field = f"field:{next(iter(sorted(times)))}"
        self.parts.fields.append(name)
        self.parts.field_senses[name] = [(item.noun, str(item.value)) for item in edge.senses if item.kind == "field"]
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
        if edge.text.lower() in ADVERB_GRAINS or sense.label == "adverb" or "x" in (self._before(), self._after()):
            self.parts.groups.append(sense.value.value)
            return True
        return False

    def _take_weak_value(self, edge: Edge, sense: Sense) -> bool:
        lost = "lost" in self.parts.states or any(name.startswith("lost") for name in self.parts.metrics)
        raw = RawFilter(sense.field, "is", [sense.value], sense.label, sense.noun, self.negated)
        if not lost:
            self.parts.weak.append(raw)
            if not edge.sense("field", "noun", "metric", "state"):
                self.parts.unknown.append(edge.text)
            return False
        self.parts.filters.append(raw)
        self.negated = False
        return True

    def _take_forecast(self, _edge: Edge, _sense: Sense) -> bool:
        if any(item.kind == "value" and item.field == "forecast_category" for other in self.edges for item in other.senses):
            return True
        if not (self.parts.metrics or self.parts.nouns):
            self.parts.metrics.append("forecast")
        return True
