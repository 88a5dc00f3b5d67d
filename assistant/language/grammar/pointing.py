"""Words that point at somebody or something that was spoken of: "her phone?", "who owns it?", "that company".

The record pointed at takes the place of a name, and the message is read as if it had been said.
"""

from __future__ import annotations

import re

from assistant.language.dialogue import as_entity, company_of
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame
from assistant.language.grammar.merging import SET_WORDS
from assistant.language.grammar.shown import THERE_IS, Shown
from assistant.language.states import STATE_OF_METRIC
from assistant.language.tokens import singular
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import Kind, shape_for
from crm_core.metrics.filters import Filter
from crm_core.services.search import Match
from crm_core.text import fold

PERSON = frozenset("he him his she her hers".split())
_THING = frozenset("it its".split())
_THEY = frozenset("they them their theirs there".split())
#: "With them", "from them": those who were spoken of, not the records shown.
_WITH_THEM = re.compile(r"\b(?:with|for|from|at|to|about|by|call|ring|email|mail) (?:them|they)\b")
_SET_PHRASES = re.compile(
    r"^(?:and |so |ok |okay )*how many (?:are|were|have|still|already)\b|\bbehind (?:it|that|this)\b|\b(?:is there one|are there any|is any of|the one (?:without|with|in|that|from|which)|which (?:is|are|one|of|closes|has|came|comes|lands|ends)|they together|any of|how many of|what are they|are they|that in total|how (?:much|many) (?:\w+ )?is that|in there|of that|(?:have|see|show me|give me|get|want) the (?:full |whole )?list)\b"
)
#: "Any open tickets?", "are there any leads", "and open deals?".
_EXISTS = re.compile(
    r"^(?:and |so |ok |okay |also )*(?:(?:are|is|were|was) there )?(?:any|some)\b|^(?:and |so )?(?:are|is) there (?:any|an?)\b|^(?:do|does|did) (?:we|they) have (?:any|an?)\b"
)
#: "Show me the renewal deals": the definite article means those of the question before.
_THE_RECORDS = re.compile(
    r"\bthe (?:\w+ ){0,3}(?:deals|opportunities|opps|tickets|cases|leads|calls|meetings|emails|mails|tasks|activities|contacts|companies|accounts)\b"
)
#: Nouns that "that ..." and "this ..." can point at, by their words.
_POINTED = {
    "company": ("company", "account", "customer", "client", "firm", "business"),
    "contact": ("contact", "person", "guy", "man", "woman", "lady"),
    "deal": ("deal", "opportunity", "opp"),
    "ticket": ("ticket", "case", "issue"),
    "lead": ("lead",),
}


class Pointing(Shown):
    """Who and what the message points at."""

    def resolve(self) -> None:
        """Put the record that the message points at in the place of a name."""
        if not self.dialogue.frames:
            return
        if self._other():
            self._take_other()
        self._asks_a_number()
        self._narrow_to_spoken()
        self._name_currency()
        self._take_weak()
        self._that_period()
        self._prefer_shown_people()
        self._row_by_trait()
        if self._take_groups() or self._take_group() or self.parts.names or self._take_place() or self._take_named():
            return
        entity = self._pointed_at()
        if entity is not None:
            entity = self._with_the_field(entity)
            self.pointed = True
            self._inject(entity)
            if (
                entity.noun == "company"
                and {"he", "she"} & self.parts.words_seen
                and (person := self.dialogue.meant(self.ctx, ("user",))) is not None
            ):
                self._inject(person)  # "what does he still have open with that customer?"

    def _asks_a_number(self) -> None:
        """ "Amount?", "how many seats are we talking about?", right after one deal: its own number, no sum and no count."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or previous.intent != "record" or previous.entity is None or parts.nouns or parts.metrics or parts.words > 8:
            return
        fields = shape_for(self.ctx, previous.entity.noun).fields
        if (
            parts.aggregates == ["sum"]
            and "amount" in fields
            and parts.words <= 7
            and not (parts.fields or parts.filters or parts.times or parts.states)
        ):
            parts.aggregates, parts.fields = [], ["amount"]
        numbers = [name for name in parts.fields if name in fields and fields[name].kind in (Kind.number, Kind.money)]
        if parts.aggregates == ["count"] and numbers:
            parts.aggregates, parts.cues = [], [cue for cue in parts.cues if cue not in ("said", "topic")]

    def _narrow_to_spoken(self) -> None:
        """Of several of one name, the one at the company that the conversation is about."""
        company = self.dialogue.meant(self.ctx, ("company",)) if any(len(name.matches) > 1 for name in self.parts.names) else None
        if company is None or any(name.noun == "company" for name in self.parts.names):
            return
        for place, name in enumerate(self.parts.names):
            if name.noun == "contact" and len(name.matches) > 1:
                there = [match for match in name.matches if (held := company_of(self.ctx, as_entity(match))) is not None and held.id == company.id]
                if len(there) == 1:
                    self.parts.names[place] = Name(name.first, name.end, (there[0],), name.exact)

    def _take_weak(self) -> None:
        """ "Which of them went to a competitor?", of deals that were lost: half a value's name is enough."""
        base = self.dialogue.question()
        if base is None or not self.parts.weak:
            return
        lost = base.metric.startswith("lost") or any(
            isinstance(item, Filter) and item.field == "status" and item.values == ["lost"] for item in base.filters
        )
        if lost and not self.parts.metrics and not self.parts.states:
            self.parts.filters += self.parts.weak
            said = {word for raw in self.parts.weak for word in fold(raw.said).split()}
            self.parts.unknown = [word for word in self.parts.unknown if fold(word) not in said and singular(fold(word)) not in said]
            self.frame_unknown = list(self.parts.unknown)

    def _with_the_field(self, entity: Entity) -> Entity:
        """The record pointed at, or the one spoken of before it that has the fact asked for: "the next step there" is a deal's."""
        asked = self.parts.fields
        if not asked or entity.noun == "user":
            return entity

        def has(item: Entity) -> bool:
            return item.noun != "user" and all(name in shape_for(self.ctx, item.noun).fields for name in asked)

        if has(entity) or self.parts.nouns:
            return entity
        return next((item for item in self.dialogue.salient() if has(item)), entity)

    def _pointed_at(self) -> Entity | None:
        parts, words = self.parts, self.parts.words_seen
        for noun, said in _POINTED.items():
            hit = next(
                (word for word in said if re.search(rf"\b(?:that|this|the same|that same|this same|at the|their|her|his) {word}\b", parts.phrases)),
                None,
            )
            if hit is not None and (entity := self.dialogue.meant(self.ctx, (noun,))) is not None:
                self._drop_noun(noun)
                return entity
        if (row := self._row_pointed_at()) is not None:
            return row
        if (held := self._holder_of_role()) is not None:
            return held
        if re.search(r"\b(?:that|this|the) one\b", parts.phrases) and self._single_shown():
            return self.dialogue.meant(self.ctx, ("deal", "ticket", "lead", "company", "contact"))
        if _WITH_THEM.search(parts.phrases):
            return self._holder()
        if (self._asks_a_fact() or {"who", "who_is"} & set(parts.cues) and parts.words <= 8) and (
            pointed := re.search(r"\bthe (company|account|customer|deal|ticket|contact|lead)\b", parts.phrases)
        ):
            noun = next(name for name, forms in _POINTED.items() if pointed.group(1) in forms)
            if (entity := self.dialogue.meant(self.ctx, (noun,))) is not None:
                self._drop_noun(noun)
                return entity
        if PERSON & words and parts.people:
            return None  # "Bob Garrow, what is his win rate?"
        previous = self.dialogue.previous
        if PERSON & words and previous is not None and previous.intent == "list" and previous.noun == "contact" and 1 < len(previous.shown) <= 5:
            return None  # either of them
        if PERSON & words:
            return self.dialogue.meant(self.ctx, ("contact", "user", "lead"))
        if SET_WORDS & words and not self._single_shown() or self._points_at_set() and not _THING & words:
            return self._holder() if _THEY & words and self._speaks_of_others() else None
        if _THEY & words:
            if words & _THEY == {"there"} and THERE_IS.search(parts.phrases):
                return None
            if not (words & _THEY == {"there"} and _THING & words):  # "since when has it been there": it
                return self._holder()
        if _THING & words or re.search(
            r"\b(?:is|was|of|with|for|on|at) (?:this|that)(?: (?:with|for|at|of|about|now|by))?$|\b(?:does|did|has) (?:this|that) (?:belong|close|stand|sit|go|need|lie|end)\b",
            parts.phrases,
        ):
            if {"won", "lost", "closed", "closing", "slipped"} & set(parts.states) and (deal := self.dialogue.meant(self.ctx, ("deal",))) is not None:
                return deal  # "when did it close?"
            return self.dialogue.meant(self.ctx, ("deal", "ticket", "company", "lead", "activity"))
        if self._asks_of_the_record():
            return self.dialogue.meant(self.ctx, ("company",))
        if self._asks_a_fact():
            return next(iter(self.dialogue.salient()), None) if self._single_shown() else None
        return None

    def _asks_of_the_record(self) -> bool:
        """ "Any open tickets?", right after a company was spoken of: those of that company."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or parts.nouns == ["company"] or not _EXISTS.search(parts.phrases) or parts.words > 8:
            return False
        spoken = previous.entity is not None or any(
            isinstance(item, Filter) and item.field == "company" and len(item.values) == 1 for item in previous.filters
        )
        own = parts.me or parts.my_team or parts.groups or parts.filters or parts.relations or {"our", "all", "total"} & parts.words_seen
        told = parts.nouns or any(name in STATE_OF_METRIC for name in parts.metrics)
        return spoken and bool(told) and not own

    def leave_out_spoken(self, frame: Frame) -> None:
        """ "Who else do we know there?", "their other deals": all but the one that was spoken of."""
        words = self.parts.words_seen
        if frame.intent != "list" or not {"else", "other", "others"} & words or "other than" in self.parts.phrases or not self.dialogue.frames:
            return
        spoken = next((item for before in self.dialogue.frames[-4:][::-1] for item in before.salient if item.noun == frame.noun), None)
        if spoken is not None and not any(isinstance(item, Filter) and item.field == "id" for item in frame.filters):
            frame.filters.append(Filter(field="id", op="is_not", values=[spoken.id]))
            frame.said.append(f"not {spoken.label}")

    def _row_pointed_at(self) -> Entity | None:
        """ "The first one", "the second deal", "the last one": a row of the list just shown."""
        previous = self.dialogue.previous
        if previous is None or previous.intent != "list" or len(previous.shown) < 2 or previous.pending is not None:
            return None
        said = re.search(
            r"\bthe (first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th|last) (?:one|deal|ticket|lead|contact|company|account|task)\b",
            self.parts.phrases,
        )
        if said is None or self.parts.times or self.parts.metrics:
            return None
        place = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4, "last": -1}[
            said.group(1)
        ]
        if place >= len(previous.shown):
            return None
        self.parts.order, self.parts.limit = "", None
        self.parts.unknown = [word for word in self.parts.unknown if word.lower() != said.group(1)]
        self.frame_unknown = list(self.parts.unknown)
        self.parts.nouns = [noun for noun in self.parts.nouns if noun != previous.noun]
        return previous.shown[place]

    def _holder_of_role(self) -> Entity | None:
        """ "And the head of operations, what is the name?", "with whom, decision maker?": at the company or on the deal spoken of."""
        parts, previous = self.parts, self.dialogue.previous
        roles = {raw.field for raw in parts.filters if not raw.negated}
        if previous is None or not roles or not roles <= {"title", "deal_role"} or parts.plural_noun or parts.words > 9 or parts.aggregates:
            return None
        theirs = parts.nouns == ["company"] and "side" in parts.words_seen  # "the decision maker on the client side"
        if not (theirs or parts.nouns in ([], ["contact"])) or previous.intent not in ("record", "list", "history"):
            return None
        if theirs:
            self._drop_noun("company")
        return self.dialogue.meant(self.ctx, ("deal", "company") if "deal_role" in roles else ("company",))

    def _holder(self) -> Entity | None:
        """Whom "they" and "there" mean: the company spoken of, or else the person."""
        return self.dialogue.meant(self.ctx, ("company",)) or self.dialogue.meant(self.ctx, ("user", "contact", "lead"))

    def _speaks_of_others(self) -> bool:
        """Whether the message names another kind of records than the list before holds."""
        base = self.dialogue.question()
        return base is None or bool(self.parts.nouns) and self.parts.nouns[0] != base.noun

    def _single_shown(self) -> bool:
        """Whether the answer before was about one record."""
        previous = self.dialogue.previous
        if previous is None or previous.intent not in ("record", "history", "list"):
            return False
        return previous.intent != "list" or bool(previous.salient) and previous.salient[0].noun == previous.noun

    def _asks_a_fact(self) -> bool:
        """A bare "email?", "and the next step": a fact of the record just shown."""
        parts = self.parts
        bare = not (parts.metrics or parts.aggregates or parts.groups or parts.filters or parts.times or parts.states or parts.order or parts.names)
        asked = [*parts.fields, *parts.wh_groups, *(["email"] if parts.kinds == ["email"] else []), *(["phone"] if parts.kinds == ["call"] else [])]
        return (
            bare
            and bool(asked)
            and parts.words <= 8
            and not parts.unknown
            and (not parts.nouns or parts.nouns == ["activity"] or not parts.plural_noun and len(parts.nouns) == 1)
        )

    def _drop_noun(self, noun: str) -> None:
        """A noun that points is no noun that is asked for."""
        parts = self.parts
        if parts.nouns[:1] == [noun] or noun in parts.nouns:
            parts.nouns.remove(noun)
        if noun == "company":
            parts.customer = False
        parts.wh_groups = [name for name in parts.wh_groups if name != noun]

    def _other(self) -> bool:
        return "other" in self.parts.words_seen and len(self.parts.names) == 1

    def _take_other(self) -> None:
        """ "The other Sue Grant": the namesake that was offered and not chosen."""
        name = self.parts.names[0]
        left = self.dialogue.others(name.matches[0].label)
        if len(left) == 1:
            match = Match(noun=left[0].noun, id=left[0].id, label=left[0].label, score=100)
            self.parts.names[0] = Name(name.first, name.end, (match,), True)

    def _the_records(self) -> bool:
        """ "Show me the deals", after a figure about deals: those behind it, unless a state, a time or a name of its own is said."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent not in ("metric", "list") or base.pending is not None or not _THE_RECORDS.search(parts.phrases):
            return False
        own = (
            parts.states
            or parts.negated_states
            or parts.times
            or parts.me
            or parts.my_team
            or parts.groups
            or parts.relations
            or "about" in parts.cues
        )
        plain = all(name in STATE_OF_METRIC and STATE_OF_METRIC[name][1] in ("", "created") for name in parts.metrics)
        noun = METRICS[base.metric].rows if base.intent == "metric" else base.noun
        named = {*parts.nouns, *(STATE_OF_METRIC[name][0] for name in parts.metrics if plain)}
        return bool({"list", "which"} & set(parts.cues)) and not own and plain and named == {noun}

    def _points_at_set(self) -> bool:
        parts = self.parts
        if SET_WORDS & parts.words_seen or _SET_PHRASES.search(parts.phrases) or self._the_records():
            return True
        if re.search(
            r"\b(?:biggest|largest|smallest|oldest|newest|latest|cheapest|highest|lowest|first|last) (?:one|deal|ticket|lead)?\s?(?:there|of them)?$",
            parts.phrases,
        ):
            return not parts.metrics and not parts.times and parts.words <= 7
        base = self.dialogue.question()
        several = parts.order_field == "amount" and bool(parts.limit) and bool(parts.states) and not (parts.nouns or parts.metrics or parts.times)
        if several and base is not None and base.noun == "deal":
            return True  # "show me the five largest we lost"
        if base is not None and self._swaps_measure(base) or "who" in parts.cues and not SET_WORDS & parts.words_seen:
            return False
        total = {"sum", "total", "count", "mean"} & set(parts.aggregates) and not (
            parts.nouns or parts.metrics or parts.times or parts.states or parts.names
        )
        return bool(total) and parts.words <= 8
