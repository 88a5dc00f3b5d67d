"""Constructions about one record, its facts, and what was said around it."""

from __future__ import annotations

import re

from assistant.language.dialogue import as_entity
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame
from assistant.language.grammar.lists import Lists
from assistant.language.lexicon import english_words
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import custom_fields, shape_for
from crm_core.metrics.filters import Filter
from crm_core.models import NOUNS
from crm_core.services.search import Match

#: Words that alone make a message about what was said.
STRONG_SAID = frozenset(
    "said say says saying mention mentioned mentions mentioning talk talked talking discuss discussed discussing spoke spoken complain complained complaints feedback "
    "objection objections concerns comment commented told tell".split()
)


_RECORD_NOUNS = ("company", "contact", "deal", "lead", "ticket")


#: Fields of a record that a question may ask for, by the field name in the lexicon.
_ASKABLE = frozenset(
    {
        "email",
        "phone",
        "title",
        "owner",
        "stage",
        "amount",
        "expected_close",
        "industry",
        "region",
        "city",
        "country",
        "next_step",
        "status",
        "employees",
        "annual_revenue",
        "domain",
        "priority",
        "category",
        "source",
        "company",
        "parent",
        "forecast_category",
        "pipeline",
        "age",
        "last_activity",
        "created",
        "closed",
        "loss_reason",
        "contact",
        "deal",
    }
)


#: A question of its own about the one who is named.
_ASKS_MORE = re.compile(r"\b(?:where|why|how) (?:do|does|did|is|are|was|were|have|has|can|could|will|would|should)\b")


class Records(Lists):
    """Which record or interaction, and what of it."""

    def _numbered(self) -> Frame | None:
        """ "Deal 123", "what is ticket #45 about"."""
        if not self.parts.record_numbers:
            return None
        noun, number = self.parts.record_numbers[0]
        if noun not in (*_RECORD_NOUNS, "product", "activity"):
            return None
        return Frame(intent="record", entity=Entity(noun=noun, id=number, label=f"{noun} {number}"), asked_fields=self._asked())

    def _said(self) -> Frame | None:
        """ "What did Dana say about pricing?", "any mention of a competitor at Acme?", "last call with Acme"."""
        parts = self.parts
        spoken = "said" in parts.cues or "heard" in parts.cues
        if spoken and parts.order in ("newest", "oldest") and "email" in parts.fields and not parts.kinds:
            parts.fields = [name for name in parts.fields if name != "email"]
            parts.kinds, parts.nouns = ["email"], parts.nouns or ["activity"]  # "what did she write in her last email"
        speakers = [name for name in parts.metrics if name in METRICS and METRICS[name].rows == "company"]
        if spoken and STRONG_SAID & parts.words_seen and not parts.aggregates and speakers == parts.metrics:
            parts.metrics.clear()  # "what did customers say": whoever they are
            for noun in ("company", "contact"):
                if noun in parts.nouns:
                    parts.nouns.remove(noun)
        about = "topic" in parts.cues and (parts.nouns == ["activity"] or bool(parts.names) and not parts.nouns)
        content = about and (parts.topic or parts.unknown) and not parts.metrics
        if self.pointed and parts.names and parts.names[0].noun in ("ticket", "lead") and re.search(r"\bwhat (?:is|was) .*\babout\b", parts.phrases):
            return Frame(intent="record", entity=as_entity(parts.names[0].matches[0]))  # "what is that ticket about?"
        counting = "count" in parts.aggregates
        if counting or parts.metrics and not spoken:
            return None
        if "about" in parts.cues and parts.names and not spoken:
            return None
        if parts.nouns and parts.nouns != ["activity"] and spoken and not parts.names and any(n in ("deal", "lead", "company") for n in parts.nouns):
            return None
        if parts.names and len(parts.names) == 1 and self._asked() == ["owner"] and not parts.unknown:
            return None
        latest_contact = "heard" in parts.cues and "said" not in parts.cues and not self._topic()
        if spoken and parts.kinds and parts.order == "newest" and not self._topic_words():
            spoken = False  # "what did he write in his latest mail": that mail
        single = (
            parts.nouns == ["activity"] and parts.order in ("newest", "oldest") and not parts.plural_noun and not parts.groups and not parts.limit
        )
        if latest_contact or single and not content and not spoken:
            return self._latest_contact()
        if not (spoken or content):
            return None
        if not parts.names and not self._asks_for_words() or self._names_a_stranger():
            return None
        bare = not parts.names and parts.nouns != ["activity"] and not content
        if bare and (parts.nouns or parts.metrics or parts.aggregates or parts.groups or parts.wh_groups or not STRONG_SAID & parts.words_seen):
            return None  # "I was asked for the pipeline" is not about what was said
        return self._search()

    def _latest_contact(self) -> Frame:
        """The last call, mail or meeting, or the first."""
        frame = self._frame_list("activity")
        frame.filters += self._period_filters(shape_for(self.ctx, "activity"))
        frame.limit, frame.order_by, frame.descending, frame.latest = 1, "occurred", self.parts.order != "oldest", True
        if not any(isinstance(item, Filter) and item.field == "kind" for item in frame.filters):
            frame.filters.append(Filter(field="kind", op="is_not", values=["task"]))
        return frame

    def _asks_for_words(self) -> bool:
        """Whether the message asks for what was said at all: "talk to you tomorrow" does not."""
        begun = set(self.parts.phrases.split()[:7])
        asking = {
            "what",
            "who",
            "which",
            "whether",
            "did",
            "has",
            "have",
            "any",
            "anyone",
            "anybody",
            "find",
            "show",
            "search",
            "list",
            "look",
            "where",
            "when",
            "how",
            "why",
            "does",
        }
        return bool(begun & asking) or bool({"list", "which", "who"} & set(self.parts.cues)) or self.parts.nouns == ["activity"]

    def _names_a_stranger(self) -> bool:
        """Whether somebody is named whom nobody here knows: "what did we talk about with ..." and a word that is no English."""
        strange = {word.lower() for word in self.parts.unknown if word.lower() not in english_words()}
        return any(match.group(1) in strange for match in re.finditer(r"\b(?:with|from|by|to) (\w+)", self.parts.phrases))

    def _search(self) -> Frame:
        """A search over what was said, with everything that narrows it."""
        parts = self.parts
        kinds = list(parts.kinds) if parts.kinds != ["note"] else []  # "our notes" is all that was written down
        frame = Frame(intent="interactions", topic=self._topic(), kinds=kinds, latest=parts.order == "newest")
        self._attach_names(frame, shape_for(self.ctx, "activity"), subject=True)
        frame.filters += [
            self._filter(shape_for(self.ctx, "activity"), raw)
            for raw in parts.filters
            if raw.field in ("region", "industry", "direction", "outcome", "owner", "team", "country")
            and self._fits(shape_for(self.ctx, "activity"), raw)
        ]
        frame.said += [raw.said for raw in parts.filters if raw.field in ("region", "industry", "owner", "team")]
        self._mine(frame)
        frame.period = self._days(planned=False)
        self.frame_unknown = []
        return frame

    def _topic_words(self) -> list[str]:
        """Unknown words and topics beyond those that merely ask."""
        return [word for word in (*self.parts.topic, *self.parts.unknown) if word.lower() not in ("came", "come")]

    def _topic(self) -> str:
        """What to search for by meaning, in the asker's words."""
        if not (self._topic_words() or self.parts.filters or self.parts.metrics or self.parts.fields or self.parts.states):
            return ""
        return " ".join(self.parts.content)

    def _record_fields(self) -> Frame | None:
        """ "Dana's phone number", "who owns Acme?", "what stage is the Globex deal in?"."""
        parts = self.parts
        asked = self._asked()
        if parts.names and parts.names[0].noun == "contact" and parts.nouns == ["company"] and not parts.plural_noun and not parts.filters:
            parts.nouns.clear()  # "what company is she at?"
            asked = ["company", *asked]
        if "sum" in parts.aggregates and parts.names and parts.names[0].noun == "deal" and not parts.states and not parts.metrics:
            parts.aggregates.remove("sum")
            asked = ["amount", *asked]
        if (
            parts.names
            and parts.names[0].noun == "company"
            and {"employ", "employs", "employed", "employees"} & parts.words_seen
            and not parts.metrics
        ):
            asked, parts.unknown = ["employees"], [word for word in parts.unknown if word.lower() not in ("employ", "employs", "employed")]
            parts.aggregates, parts.nouns = [], []  # "how many people does Acme employ?"
            self.frame_unknown = list(parts.unknown)
        contact = bool(parts.names) and any(name.noun == "contact" for name in parts.names) and not (parts.nouns or parts.metrics or asked)
        if contact and "number" in parts.words_seen and "count" not in parts.aggregates:
            asked = ["phone"]  # "what is the number for Dana Grant?"
        if contact and "count" in parts.aggregates and "the number of" in parts.phrases:
            parts.aggregates.remove("count")  # "the number of Dana Beckett"
            asked = ["phone", *asked]
        if asked == ["phone"] and "count" in parts.aggregates and re.search(r"\bphone (?:nr|no|number) of\b", parts.phrases):
            parts.aggregates.remove("count")
        if "count" in parts.aggregates and asked == ["employees"] and not parts.metrics:
            parts.aggregates.remove("count")
        if asked == ["last_activity"] and parts.names and parts.names[0].noun in ("company", "contact") and not (parts.aggregates or parts.filters):
            return self._latest_contact()
        wanted = [name for name in (*parts.fields, *parts.wh_groups) if name in ("team", "role", "email")]
        if (
            len(parts.people) == 1
            and not parts.names
            and wanted
            and not parts.metrics
            and parts.nouns in ([], ["user"])
            and not parts.aggregates
            and not any(raw.op == "empty" for raw in parts.filters)
        ):
            user_id, label = parts.people[0]
            return Frame(intent="record", entity=Entity(noun="user", id=user_id, label=label), asked_fields=wanted)
        if parts.contacts_at or any(raw.op == "empty" for raw in parts.filters):
            return None
        if parts.wh_groups == ["contact"] and parts.plural_group and parts.nouns == ["contact"]:
            return None  # "which contacts do we have at Acme?": all of them
        if (
            not parts.names
            or not asked
            or parts.aggregates
            or parts.metrics
            or parts.order
            or parts.groups
            or "list" in parts.cues
            and parts.plural_noun
        ):
            return None
        if len(parts.names) > 2 or any(raw.op != "is" or raw.field != "owner" for raw in parts.filters):
            return None
        frame = Frame(intent="record", asked_fields=asked)
        if parts.names[0].noun == "company" and parts.plural_noun and "parent" in asked:
            return None
        company = shape_for(self.ctx, "company").fields
        only_deals_have = parts.nouns == [] and all(
            name not in company and name in shape_for(self.ctx, "deal").fields for name in asked
        )  # "the next step with Copper Insurance"
        if parts.names[0].noun == "company" and only_deals_have and not (parts.states or self.pointed):
            parts.states.append("open")
        deals_of_company = parts.names[0].noun == "company" and (parts.nouns == ["deal"] or only_deals_have and not self.pointed)
        if deals_of_company:
            frame = self._frame_list("deal")
            frame.asked_fields = asked
            return frame
        self._subject(frame)
        return frame if frame.entity or frame.pending else None

    def _titled(self) -> Frame | None:
        """ "Phone number of the CFO at Acme", "e-mail of the head of purchasing": a fact of whoever has that title."""
        parts = self.parts
        wanted = [name for name in (*parts.fields, *parts.kinds) if name in ("email", "phone", "mobile", "title", "city")]
        if (
            not wanted
            or not any(raw.field == "title" and not raw.negated for raw in parts.filters)
            or parts.aggregates
            or parts.groups
            or parts.metrics
            or parts.times
        ):
            return None
        if any(raw.op in ("empty", "not_empty") for raw in parts.filters):
            return None
        if not parts.names:
            company = self.dialogue.meant(self.ctx, ("company",))
            if company is not None:
                parts.names.append(Name(0, 0, (Match(noun="company", id=company.id, label=company.label, score=100),), True))
                parts.colleagues.append([])
        parts.kinds.clear()
        frame = self._frame_list("contact")
        frame.columns = list(dict.fromkeys(["name", "title", *wanted]))
        return frame

    def _asked(self) -> list[str]:
        asked = [
            name
            for name in (*self.parts.fields, *(self.parts.wh_groups if self.parts.names else []))
            if name in _ASKABLE or name in self._custom_names()
        ]
        words = self.parts.words_seen
        if "who" in self.parts.cues and not asked and {"owns", "own", "manages", "handles", "responsible"} & set(words):
            asked.append("owner")
        if self.parts.kinds == ["email"] and not self.parts.plural_noun and self.parts.names and not asked and "said" not in self.parts.cues:
            asked = ["email"] if self.parts.order == "" and "email" in " ".join(words) else []
        return list(dict.fromkeys(asked))

    def _custom_names(self) -> set[str]:
        noun = self.parts.names[0].noun if self.parts.names else ""
        return set(custom_fields(self.ctx, NOUNS[noun])) if noun in NOUNS else set()

    def _record(self) -> Frame | None:
        """ "What's going on with Acme?", "who is Dana Beckett?", "Acme"."""
        parts = self.parts
        if not parts.names or parts.groups or parts.wh_groups or parts.order or parts.limit or parts.metrics or parts.aggregates:
            return None
        noun = parts.names[0].noun
        other = [item for item in parts.nouns if item != noun]
        about = {"about", "who_is"} & set(parts.cues)
        if other and not (about and other == ["activity"]) or parts.plural_noun:
            return None
        if (
            parts.filters
            and not about
            or any(raw.field in ("title", "deal_role") for raw in parts.filters)
            or parts.unknown
            and not about
            or parts.contacts_at
        ):
            return None
        if parts.states and not about or parts.times and not about or any(raw.op == "empty" for raw in parts.filters):
            return None
        if not about and not parts.cues and len(parts.names) > 1:
            return None
        if parts.follow_up and self.previous is not None and self.previous.intent in ("metric", "list", "interactions") and not about:
            return None
        if not about and _ASKS_MORE.search(parts.phrases) and parts.words > 6 and noun in ("company", "contact") and not self.pointed:
            return None  # "Acme, where do they want their data stored?" asks for no overview
        frame = Frame(intent="record")
        self._subject(frame)
        return frame if frame.entity or frame.pending else None

    def _leftover_search(self) -> Frame | None:
        """ "Globex - data storage discussion?": a name and content words that no other construction used."""
        parts = self.parts
        if (
            not parts.names
            or not parts.names[0].exact
            or not parts.unknown
            or parts.metrics
            or parts.aggregates
            or any(noun not in ("activity", parts.names[0].noun) for noun in parts.nouns)
        ):
            return None
        if parts.first_words[:1] in (["when"], ["what"], ["how"], ["where"]) and {"is", "are", "was", "old", "much", "many"} & set(
            parts.first_words[1:2]
        ):
            return None  # "when is her birthday": a fact that is not kept, nothing that was said
        frame = self._search()
        frame.detail = "leftover"  # nobody asked for what was said: where nothing was, the message was not understood
        return frame
