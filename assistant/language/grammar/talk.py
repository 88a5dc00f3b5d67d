"""Constructions about the conversation itself: greetings, explanations, choices, changes, definitions."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import select

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Entity, Frame, Pending
from assistant.language.grammar.pieces import Pieces, with_entity
from crm_core.access import visible
from crm_core.errors import Invalid
from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListQuestion, list_records
from crm_core.models import Deal
from crm_core.money import exponent
from crm_core.text import fold

_ORDINAL_WORDS = (
    ("first", "1st"),
    ("second", "2nd"),
    ("third", "3rd"),
    ("fourth", "4th"),
    ("fifth", "5th"),
    ("sixth", "6th"),
    ("seventh", "7th"),
    ("eighth", "8th"),
)


#: Verbs that begin a change even where a figure's name follows: "move all open deals to Bid".
_WRITES_ALWAYS = frozenset("log create update set change move assign reassign archive delete rename merge".split())
#: "The year before", "the quarter after that": a step from the question before, whatever politeness stands in front of it.
_STEP_IN_TIME = re.compile(
    r"\b(?:year|quarter|month|week|one|period|day) (?:before|earlier|prior|after|later)\b|\b(?:previous|preceding|following|next) one\b"
)
#: What is said of predictions and the like.
BEYOND = (
    "I do not predict, simulate or judge moods: I compute what is on record. The nearest that I have are the forecast (what is won and the weighted pipeline), "
    "rates such as win rate and churn rate, and what customers said in their own words."
)


class Talk(Pieces):
    """What is said to the assistant rather than asked of the records."""

    def _talk(self) -> Frame | None:
        """ "Hello", "thanks"."""
        parts = self.parts
        content = (
            parts.nouns
            or parts.metrics
            or parts.names
            or parts.unknown
            or parts.times
            or parts.filters
            or parts.groups
            or parts.states
            or parts.aggregates
            or parts.fields
            or parts.limit
            or parts.order
            or parts.compare
            or parts.my_team
            or parts.me
            or set(parts.cues) - {"help"}
            or self.dialogue.frames
            and (_STEP_IN_TIME.search(parts.phrases) or parts.words > 6)
        )
        if parts.smalltalk and not content:
            return Frame(intent="smalltalk", detail=parts.smalltalk)
        return None

    def _meta(self) -> Frame | None:
        """ "How did you get that?", "show me the rows", "next page", "what can you do?"; and what is beyond us."""
        if "unsupported" in self.parts.cues:
            return Frame(intent="unknown", detail=BEYOND)
        cues = self.parts.cues
        bare = not (self.parts.names or self.parts.people or self.parts.unknown)
        if self.parts.words == 1 and cues == ["list"] and self.previous is not None:
            return Frame(intent="rows")  # "show"
        for intent in ("explain", "rows", "more"):
            if (
                intent in cues
                and bare
                and not (self.parts.metrics or self.parts.groups or self.parts.states or self.parts.negated_states or self.parts.relations)
                and (not self.parts.nouns or intent == "rows" and self.previous)
            ):
                if intent == "rows" and self.previous and self.previous.intent == "list" and not self.previous.count_only:
                    return None if self.parts.times or self.parts.filters else Frame(intent="rows")
                if not (self.parts.times or self.parts.filters):
                    return Frame(intent=intent)
        if "help" in cues and bare and not self.parts.metrics and not self.parts.nouns:
            return Frame(intent="help")
        return None

    def _pending_choice(self) -> Frame | None:
        """ "The second one", "the Berlin one", a candidate's name: an answer to what was asked back."""
        if self.previous is None or self.previous.pending is None:
            return None
        entity = self._chosen(self.previous.pending)
        if entity is None:
            return None
        self.frame_unknown = []
        resumed = self.previous.model_copy(deep=True, update={"pending": None, "offered": self.previous.pending.candidates, "salient": []})
        return with_entity(self.ctx, resumed, entity)

    def _chosen(self, pending: Pending) -> Entity | None:
        parts = self.parts
        candidates = pending.candidates
        for name in parts.names:
            ids = {(match.noun, match.id) for match in name.matches}
            fitting = [item for item in candidates if (item.noun, item.id) in ids]
            if len(fitting) == 1:
                return fitting[0]
        bound = next((raw for raw in parts.filters if raw.field == "amount" and raw.op == "is"), None)
        if bound is not None and candidates and candidates[0].noun == "deal":  # "the 35k one"
            minor = int(bound.values[0] * 10 ** exponent(self.ctx.home_currency))
            query = select(Deal.id).where(
                Deal.id.in_([item.id for item in candidates]), Deal.amount_minor.between(minor * 97 // 100, minor * 103 // 100)
            )
            near = list(self.ctx.session.scalars(query))
            if len(near) == 1:
                return next(item for item in candidates if item.id == near[0])
        if bound is not None and candidates and candidates[0].noun == "company":  # "the 35k one": the company with that deal
            minor = int(bound.values[0] * 10 ** exponent(self.ctx.home_currency))
            of_them = Deal.company_id.in_([item.id for item in candidates])
            held = select(Deal.company_id).where(of_them, Deal.amount_minor.between(minor * 97 // 100, minor * 103 // 100), visible(self.ctx, Deal))
            owners = set(self.ctx.session.scalars(held.where(Deal.archived_at.is_(None))))
            if len(owners) == 1:
                return next(item for item in candidates if item.id in owners)
        text = " ".join(parts.topic + [item.said for item in parts.filters] + parts.unknown).lower()
        if parts.words <= 4:
            ordinal = {"last": len(candidates) - 1} | {word: place for place, pair in enumerate(_ORDINAL_WORDS) for word in pair}
            for word in parts.first_words:
                if ordinal.get(word, len(candidates)) < len(candidates):
                    return candidates[ordinal[word]]
            if parts.limit is not None and 1 <= parts.limit <= len(candidates):
                return candidates[parts.limit - 1]
        places = {match.label.lower() for name in parts.names for match in name.matches}
        there = [item for item, hint in zip(candidates, pending.hints, strict=False) if any(place in hint.lower() for place in places)]
        if len(there) == 1:
            return there[0]
        fitting = self._fitting_candidates(candidates)
        if len(fitting) == 1:
            return fitting[0]
        hits = [
            item
            for item, hint in zip(candidates, pending.hints, strict=False)
            if text and any(word in f"{item.label} {hint}".lower() for word in text.split() if len(word) > 2)
        ]
        if len(hits) != 1 and parts.words <= 8:  # "the lost one": a word that only one of the hints holds
            told = [set(re.findall(r"\w+", fold(f"{item.label} {hint}"))) for item, hint in zip(candidates, pending.hints, strict=False)]
            common = set.intersection(*told) if told else set()
            words = {fold(word) for word in parts.words_seen} - common
            hits = [item for item, known in zip(candidates, told, strict=False) if words & known]
        return hits[0] if len(hits) == 1 else None

    def _fitting_candidates(self, candidates: list[Entity]) -> list[Entity]:
        """ "The one in negotiation": the candidates that meet the message's conditions."""
        nouns = {item.noun for item in candidates}
        if len(nouns) != 1 or not nouns <= NOUN_SHAPES.keys() or not (self.parts.filters or self.parts.states) or self.parts.names:
            return []
        noun = nouns.pop()
        frame = type(self)(self.ctx, replace(self.parts, nouns=[noun]), Dialogue()).related_list(noun)
        if frame.pending is not None or not frame.filters:
            return []
        ids: list[str | int | float] = [item.id for item in candidates]
        try:
            kept = list_records(self.ctx, ListQuestion(noun=noun, filters=[*frame.filters, Filter(field="id", values=ids)], limit=50))
        except Invalid:
            return []
        return [item for item in candidates if item.id in kept.ids]

    def _write(self) -> Frame | None:
        """ "Log a call with Dana": a change, which this part only recognises."""
        verb = self.parts.write_verb
        if not verb:
            return None
        if verb in ("email", "phone") and self.parts.names and self.parts.words <= 1 + self.parts.names[0].end - self.parts.names[0].first:
            self.parts.fields.append(verb)
            self.parts.kinds.clear()
            self.parts.nouns.clear()
            return None  # "email Dana Beckett", nothing more: the address is wanted
        pointing = self.parts.first_words[1:2] in (["it"], ["that"], ["this"], ["them"])
        if self.previous is not None and (
            verb == "make" and pointing or verb in ("remove", "put") and {"that", "it", "list"} & set(self.parts.phrases.split()[-3:])
        ):
            return None  # "make it 100k", "remove Jonas from that": the question, not a record
        if verb in ("email", "mail", "close", "call", "note") and (
            {"of", "for", "address", "date", "from", "with"} & set(self.parts.first_words[1:2])
        ):
            return None
        if verb in ("write", "draft", "compose") and not self.parts.names and not self.parts.nouns:
            return Frame(intent="unknown", unknown=self.parts.unknown)
        asks = {"list", "which", "who", "about"} & set(self.parts.cues) or self.parts.aggregates or "?" in self.parts.first_words
        if verb in ("open", "close", "book", "call", "mail", "email", "note", "make", "put", "give", "post", "add", "set", "mark", "hand") and (
            self.parts.first_words[1:2] in (["me"], ["us"]) or self.parts.words < 2
        ):
            return None
        if verb == "add" and self.parts.phrases.endswith(" up"):
            return None  # "add them up"
        if asks or self.parts.metrics and verb not in _WRITES_ALWAYS:
            return None
        if (
            verb in ("call", "email", "mail", "note", "book", "close", "make")
            and self.parts.first_words[1:2]
            and self.parts.kinds[:1] == [verb]
            and self.parts.times
        ):
            return None
        return Frame(intent="write", detail=verb)

    def _definition(self) -> Frame | None:
        """ "What does weighted pipeline mean?"."""
        if (
            "define" in self.parts.cues
            and len(self.parts.metrics) == 1
            and not (self.parts.times or self.parts.filters or self.parts.groups or self.parts.fields)
        ):
            wants = {"mean", "definition", "define", "defined", "meant", "calculated", "computed"} & set(
                self.parts.first_words
            ) or "define" in self.parts.cues
            if wants and not self.parts.aggregates:
                return Frame(intent="define", metric=self.parts.metrics[0])
        return None
