"""Which records a change is to be made on: one by its name, those that meet conditions, or those spoken of before."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import false, or_, select

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Entity, Frame
from assistant.language.grammar.edits.values import Unfit
from assistant.language.grammar.reader import read
from assistant.language.parts import Parts
from assistant.language.written_numbers import COUNTS
from crm_core.access import may_change, visible
from crm_core.context import Context
from crm_core.errors import RapportError
from crm_core.metrics.filters import Condition, Filter, FilterGroup
from crm_core.metrics.listing import MAX_PAGE, ListQuestion, list_records
from crm_core.models import NOUNS, Activity, Company, Contact, Deal, Lead, Stage, Ticket, User
from crm_core.money import format_money
from crm_core.services.catalog import CHANGES
from crm_core.services.records import model_of, picklists
from crm_core.text import fold

#: Records that words may mean at most; more are asked to be narrowed.
MOST = 5000
_ONE = re.compile(
    r"^(?:it|this|that|him|her|he|she|they|them|this one|that one|the same(?: one)?|(?:the|this|that|said|same|our|my|his|her|their)(?: same| said)? (?P<noun>deal|opportunity|opp|ticket|case|lead|contact|person|company|account|customer|task|one|record|bid|project|order))$",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"^(?:(?:all|each|every one|any|both|the whole lot|the lot|all \d+|the (?:two|three|four|five|six|seven|eight|nine|ten|\d+))(?: of)?(?: (?:them|those|these|the (?:above|list)))?"
    r"|them|they|they all|them all|those|these|all the above|the above|everything (?:above|on (?:that|the) list)|(?:those|these|all those|all these|all of those|all of these)(?: \d+| two| three| four| five)? (?P<noun>deals|opportunities|opps|tickets|cases|leads|contacts|people|companies|accounts|customers|tasks|ones|records|bids|projects))$",
    re.IGNORECASE,
)
_ORDINALS = {
    "first": 0,
    "1st": 0,
    "top": 0,
    "second": 1,
    "2nd": 1,
    "third": 2,
    "3rd": 2,
    "fourth": 3,
    "4th": 3,
    "fifth": 4,
    "5th": 4,
    "sixth": 5,
    "last": -1,
    "bottom": -1,
}
_NTH = re.compile(
    rf"^(?:the |number |#|no\.? )?(?P<which>{'|'.join(_ORDINALS)}|\d{{1,2}})(?: (?:one|deal|ticket|lead|contact|company|account|task|entry|row|item|of (?:them|those|these)))?(?: (?:on|in|of|from) (?:that|the|this) list)?$",
    re.IGNORECASE,
)
_FIRST_OF = re.compile(
    r"^the (?P<end>first|top|last|bottom) (?P<count>two|three|four|five|six|\d+)(?: (?:of (?:them|those|these)|ones|deals|tickets|leads|contacts|companies|tasks))?$",
    re.IGNORECASE,
)
_AMONG = re.compile(
    r"^(?:the|that|those|both|both the)\s+(?P<words>\S.*?)\s+(?P<one>ones?|deals?|tickets?|leads?|tasks?|contacts?|companies|accounts?)$|^(?:the|that) one (?:of|from|for|with|at) (?P<words2>\S.*)(?P<one2>)$",
    re.IGNORECASE,
)
_KINDS = {
    "deal": "deal", "opportunity": "deal", "opp": "deal", "bid": "deal", "project": "deal", "order": "deal", "ticket": "ticket", "case": "ticket",
    "lead": "lead", "contact": "contact", "person": "contact", "company": "company", "account": "company", "customer": "company", "task": "activity",
}  # fmt: skip
_POINTING = re.compile(r"\b(?:its|his|her|their|theirs|those|these|that|them|there)\b", re.IGNORECASE)
#: Part of what is named, and nobody says which.
_SOME = re.compile(r"\b(?:some|certain|several|a few|most|half|a couple)(?: of)?\b", re.IGNORECASE)
_NEW = re.compile(r"\bnew\s+", re.IGNORECASE)
_THERE = re.compile(r"\bthere\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:all|every|each|both|any|everything)\b", re.IGNORECASE)
_TICKETS = frozenset({"ticket", "case", "issue", "tickets", "cases", "issues", "problem"})
_WORK = re.compile(r"\b(?P<noun>tasks?|to-?dos?|reminders?|follow-?ups?|tickets?|cases?|issues?|problem)\b", re.IGNORECASE)
_SMALL = frozenset(
    "the a an to of for on with at in about from and my our their his her its is that this open them him it overdue called named where says one regarding".split()
)
#: Most words that are looked for in names, and most records that they may be found in.
MOST_WORDS, MOST_OF_WORDS = 7, 8
#: Words that a record's name must share with what was told, to be meant by it.
LEAST_SHARED = 2
#: Marks the frame of what was said around a command in its own message.
ASIDE = "aside"
#: Letters by which words are taken for forms of one.
STEM = 5
_THINGS = re.compile(r"\s+(?:thing|things|one|stuff|record|entry|matter|business)$", re.IGNORECASE)


#: The kind of record that a verb changes, where its arguments do not say.
NOUN_OF = {
    name: next((noun for noun in NOUNS if name.endswith(noun)), "activity") for name in CHANGES if name.endswith((*NOUNS, "_task", "_activity"))
} | {"set_deal_contact": "deal"}
#: A list that is meant by no word for its kind of records is none: "the bound it" are not all deals that are bound.
_DANGLING = re.compile(r"\bit\b|\b(?:at|to|for|with|of|in|on|by|and|or|from|as|the|a)$", re.IGNORECASE)


@dataclass
class Target:
    """The records that are meant. Where ``many`` is not set and several are found, which one is to be asked."""

    noun: str
    found: list[Entity]
    many: bool = False
    spoken: str = ""
    hints: list[str] = field(default_factory=list)
    #: How the conditions read, for what is said of many.
    said: list[str] = field(default_factory=list)


class Targets:
    """Finds what words mean, for one message."""

    def __init__(self, ctx: Context, dialogue: Dialogue) -> None:
        self.ctx, self.dialogue = ctx, dialogue
        self._known: dict[tuple[str, tuple[str, ...]], Target | None] = {}

    def find(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        """The records of one of these kinds, the first that fits; None where the words mean no records, or not all of them mean something."""
        key = (text.strip().lower(), nouns)
        if key not in self._known:
            target = self._find(text.strip(" ,.:'\"“”"), nouns)
            several = target is not None and len(target.found) > 1 and not target.many
            self._known[key] = self._narrowed(target, text) if target is not None and several else target
        return self._known[key]

    def _narrowed(self, target: Target, text: str) -> Target:
        """Of several records those that bear all words, those of the company spoken of just before, and those that what was said around tells of."""
        previous = self.dialogue.previous
        wanted = [word for word in fold(text).split() if word not in _SMALL and word not in _KINDS]
        kept = [item for item in target.found if len(wanted) > 1 and _holds(item.label, wanted)] or target.found
        if previous is not None and previous.intent == "record" and target.noun in ("deal", "ticket", "contact"):
            company = Dialogue([previous]).meant(self.ctx, ("company",))
            model: Any = {"deal": Deal, "ticket": Ticket, "contact": Contact}[target.noun]
            here = [model.id.in_([item.id for item in kept]), model.company_id == company.id] if company is not None else [false()]
            ids = set(self.ctx.session.scalars(select(model.id).where(*here)))
            kept = [item for item in kept if item.id in ids] or kept
        if len(kept) > 1 and self.dialogue.around:
            kept = best_told(kept, self.dialogue.around) or kept
        if len(kept) == len(target.found):
            return target
        return Target(target.noun, kept, spoken=target.spoken, hints=self._hints(target.noun, kept), said=target.said)

    def _find(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        if not text or len(text) > 400:
            return None
        return self._pointed(text, nouns) or self._named(text, nouns) or self._about(text, nouns) or self._by_words(text, nouns)

    # --- those spoken of -----------------------------------------------------------------------------------

    def _pointed(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        if (changed := self._just_changed(text, nouns)) is not None:
            return changed
        previous = self.dialogue.latest(lambda frame: frame.detail != ASIDE and frame.intent != "command")
        aside = self.dialogue.latest(lambda frame: frame.detail == ASIDE and frame.intent == "list")
        listed = next(
            (item for item in (aside, previous) if item is not None and item.intent == "list" and item.noun in nouns and item.total != 1), None
        )
        if listed is not None and listed.pending is not None:
            listed = None  # which company was meant had still to be said, so no list was shown
        one = _ONE.match(text)
        headed = aside is not None and aside is self.dialogue.previous and text.lower() == "it"
        plural = headed or text.lower() in ("them", "those", "these", "they")
        if one is not None and not (plural and listed is not None):
            wanted = _KINDS.get((one["noun"] or "").lower(), "")
            kinds = tuple(noun for noun in nouns if not wanted or noun == wanted)
            meant = self.dialogue.meant(self.ctx, kinds) if kinds else None
            if meant is None and "activity" in nouns and self.dialogue.around and (told := self._told_of(text)) is not None:
                return told
            if meant is None and kinds and "company" not in kinds and (company := self.dialogue.meant(self.ctx, ("company",))) is not None:
                return self._of_company(company, kinds)
            if "activity" in nouns and self.dialogue.around and (meant is None or meant.noun not in nouns):
                return self._told_of(text)
            return Target(meant.noun, [meant], spoken=meant.label) if meant is not None else None
        if listed is None:
            return None
        if headed:
            return Target(listed.noun, self._rows(listed), many=True)
        nth = _NTH.match(text)
        if nth is not None:
            place = _ORDINALS.get(nth["which"].lower(), int(nth["which"]) - 1 if nth["which"].isdigit() else None)
            whole = self._rows(listed)
            return Target(listed.noun, [whole[place]]) if place is not None and -len(whole) <= place < len(whole) else None
        several = _FIRST_OF.match(text)
        if several is not None:
            count = COUNTS.get(several["count"].lower()) or int(several["count"])
            whole = self._rows(listed)
            cut = whole[:count] if several["end"].lower() in ("first", "top") else whole[-count:]
            return Target(listed.noun, cut, many=True)
        among = _AMONG.match(text)
        if among is not None and (fits := self._among(listed, among["words"] or among["words2"])):
            return Target(listed.noun, fits, many=(among["one"] or "").lower().endswith("s"), spoken=text, hints=self._hints(listed.noun, fits))
        match = _ALL.match(text)
        if match is not None:
            wanted = _KINDS.get((match["noun"] or "").lower().removesuffix("s"), "")
            if not wanted or wanted == listed.noun or match["noun"] in ("people", "opportunities", "companies"):
                return Target(listed.noun, self._rows(listed), many=True, said=list(listed.said))
        return None

    def _just_changed(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        """ "Assign the tickets of Acme to Tom", "and close them": the records of the change before, where it was of many."""
        latest = self.dialogue.latest(lambda frame: frame.detail != ASIDE)
        if (
            latest is None
            or latest.intent != "command"
            or text.lower() not in ("them", "them all", "those", "these", "all of them", "all of those", "they")
        ):
            return None
        call = next((call for call in latest.calls if call.ids), None)
        noun = "" if call is None else str(call.arguments.get("noun") or NOUN_OF.get(call.tool, ""))
        if call is None or noun not in nouns:
            return None
        return Target(noun, self._matching(noun, [Filter(field="id", values=list(call.ids))]), many=True, spoken=text)

    def closed(self, target: Target) -> Target | None:
        """Of the deals that are meant those that are closed; None where none is."""
        ids = set(self.ctx.session.scalars(select(Deal.id).where(Deal.id.in_([item.id for item in target.found]), Deal.status != "open")))
        kept = [item for item in target.found if item.id in ids]
        return Target("deal", kept, many=target.many, spoken=target.spoken, hints=self._hints("deal", kept)) if kept else None

    def _told_of(self, text: str) -> Target | None:
        """The speaker's open task that was told of before: "the questionnaire for Acme is answered, tick it off"."""
        query = select(Activity.id, Activity.subject).where(
            Activity.kind == "task", Activity.completed_at.is_(None), Activity.archived_at.is_(None), Activity.owner_id == self.ctx.actor.user_id
        )
        found = best_told([Entity(noun="activity", id=row.id, label=row.subject) for row in self.ctx.session.execute(query)], self.dialogue.around)
        return Target("activity", found, spoken=text, hints=[""] * len(found)) if found else None

    def _among(self, listed: Frame, words: str) -> list[Entity]:
        """The rows of a list that bear the words in their name, their company's or their contact's."""
        wanted = [word for word in fold(words).split() if word not in _SMALL]
        rows = self._rows(listed)
        model = model_of(listed.noun)
        found = []
        for record in self.ctx.session.scalars(select(model).where(model.id.in_([item.id for item in rows]))) if wanted else ():
            related = [getattr(record, name, None) for name in ("company", "contact")]
            told = fold(
                " ".join([str(getattr(record, "name", None) or getattr(record, "subject", "")), *(item.name for item in related if item)])
            ).split()
            if all(any(word[:STEM] == other[:STEM] for other in told) for word in wanted):
                found.append(record.id)
        return [item for item in rows if item.id in found]

    def _rows(self, frame: Frame) -> list[Entity]:
        """All records of a list that was shown, in its order."""
        return self._matching(frame.noun, frame.filters, order_by=frame.order_by, descending=frame.descending, limit=frame.limit)

    def _matching(
        self, noun: str, filters: list[Condition], *, order_by: str = "", descending: bool = True, limit: int | None = None
    ) -> list[Entity]:
        found: list[Entity] = []
        while limit is None or len(found) < limit:
            size = MAX_PAGE if limit is None else min(MAX_PAGE, limit - len(found))
            question = ListQuestion(noun=noun, filters=filters, limit=size, offset=len(found))
            if order_by:
                question.order_by, question.descending = order_by, descending
            page = list_records(self.ctx, question)
            column = page.columns[0].name
            found += [Entity(noun=noun, id=row["id"], label=str(row.get(column) or "")) for row in page.rows]
            if len(page.rows) < size:
                break
            if len(found) > MOST:
                raise Unfit(f"That means more than {MOST:,} records, which are too many for one change; say which of them.")
        return found

    # --- those named, or meeting conditions ------------------------------------------------------------------

    def _named(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        spoken = _THINGS.sub("", text)
        leaning = self.dialogue if _POINTING.search(text) else Dialogue()
        for said in dict.fromkeys((*self._in_state_new(text), text, spoken)):
            try:
                frame, _chart, parts = read(self.ctx, f"show me {said}", leaning)
            except RapportError:
                continue
            target = self._from_frame(frame, parts, said, nouns)
            if target is not None:
                return target
        return None

    def _in_state_new(self, text: str) -> list[str]:
        """ "Amara's new leads", where New is a stage or status: the word alone means what was made lately."""
        found = []
        for name, noun, words in (
            ("status", "lead", "leads?"),
            ("status", "ticket", "tickets?|cases?"),
            ("stage", "deal", r"deals?|opportunit\w+|opps?"),
        ):
            values = picklists(self.ctx, noun).get("status", []) if name == "status" else self.ctx.session.scalars(select(Stage.name)).all()
            if (
                _NEW.search(text) is not None
                and re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)
                and any(fold(value) == "new" for value in values)
            ):
                found.append(f"{_NEW.sub('', text)} in {name} New")
        return found

    def _from_frame(self, frame: Frame, parts: Parts, text: str, nouns: tuple[str, ...]) -> Target | None:
        if frame.confidence < 1.0 or frame.unknown:
            return None
        if frame.intent == "record" and not frame.asked_fields:
            return self._record(frame, text, nouns)
        if frame.intent != "list" or frame.metric or frame.as_of or frame.count_only or frame.columns:
            return None
        if frame.noun == "contact" and len(frame.filters) == 1 and "company" in nouns and not parts.nouns and frame.entities:
            return Target("company", frame.entities[:1], spoken=frame.entities[0].label)
        if frame.noun not in nouns or _DANGLING.search(text):
            return None
        if frame.pending is not None:
            return self._with_colleague(frame.pending.name, text, nouns)
        told = {item.field for item in _flat(frame.filters)}
        if _SOME.search(text) is not None or _NEW.search(text) is not None and not {"created", "stage", "status"} & told:
            return None  # which of them is not said
        if set(parts.fields) - told - {frame.order_by} and frame.noun != "activity":
            return None  # "the leads without mail or phone": a field that is named must narrow the records
        every = _SEVERAL.search(text) is not None
        many = bool(parts.plural_noun or every) and frame.limit != 1
        if many and _THERE.search(text) is not None and not ({"city", "region", "company"} & told):
            return None  # where that is was told before, and was not understood
        if many and not every and not frame.filters:
            return None  # "deals", which ones?
        if not many and not (parts.nouns or frame.entities or frame.limit == 1):
            return None
        filters = [*frame.filters, *self._usual(frame)]
        found = self._matching(frame.noun, filters, order_by=frame.order_by, descending=frame.descending, limit=frame.limit)
        if not found and not many and (company := next((item for item in frame.entities if item.noun == "company"), None)) is not None:
            return self._of_company(company, (frame.noun,))
        return Target(frame.noun, found, many=many, spoken=text, hints=self._hints(frame.noun, found[:10]), said=list(frame.said))

    def _with_colleague(self, name: str, text: str, nouns: tuple[str, ...]) -> Target | None:
        """The same words with a colleague's full name: "Mei's deals" are those of the one Mei who sells, whoever else is called so."""
        found = [
            label
            for label in self.ctx.session.scalars(select(User.name).where(User.active, User.archived_at.is_(None), visible(self.ctx, User)))
            if fold(name) in fold(label).split()
        ]
        fuller = re.sub(rf"\b{re.escape(name)}\b", found[0], text, flags=re.IGNORECASE) if len(found) == 1 else text
        return self._named(fuller, nouns) if fuller != text and fold(found[0]) not in fold(text) else None

    def _by_words(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        """The open deal, or the company, contact or lead, whose name and company hold all words: "mosaic retrofit"."""
        wanted = [word for word in fold(text).split() if word not in _SMALL and word not in _KINDS]
        if not wanted or len(wanted) > MOST_WORDS or max(len(word) for word in wanted) < STEM - 1:
            return None
        longest = max(wanted, key=len)
        for noun, model in (("deal", Deal), ("company", Company), ("contact", Contact), ("lead", Lead)):
            if noun not in nouns:
                continue
            kind: Any = model
            query = select(kind).where(kind.archived_at.is_(None), visible(self.ctx, kind))
            if noun in ("deal", "contact"):
                query = query.outerjoin(Company, kind.company_id == Company.id).where(
                    or_(kind.name.ilike(f"%{longest[:STEM]}%"), Company.name.ilike(f"%{longest[:STEM]}%"))
                )
            else:
                query = query.where(kind.name.ilike(f"%{longest[:STEM]}%"))
            if noun == "deal":
                query = query.where(Deal.status == "open")
            found = [record for record in self.ctx.session.scalars(query) if _bears(record, wanted)]
            own = [record for record in found if may_change(self.ctx, record)] if noun == "deal" else found
            kept = [Entity(noun=noun, id=record.id, label=record.name) for record in (own or found)]
            if kept and len(kept) <= MOST_OF_WORDS:
                return Target(noun, kept, spoken=text, hints=self._hints(noun, kept))
        return None

    def _record(self, frame: Frame, text: str, nouns: tuple[str, ...]) -> Target | None:
        candidates = frame.pending.candidates if frame.pending is not None else [frame.entity] if frame.entity is not None else []
        fitting = [item for item in candidates if item.noun in nouns]
        if fitting:
            kind = fitting[0].noun
            same = [item for item in fitting if item.noun == kind]
            hints = frame.pending.hints if frame.pending is not None and len(fitting) == len(candidates) else []
            open_ones = self._likely(same) if len(same) > 1 else same
            return Target(kind, open_ones, spoken=text, hints=hints if open_ones == same else self._hints(kind, open_ones))
        companies = [item for item in candidates if item.noun == "company"]
        contacts = [item for item in candidates if item.noun == "contact"]
        if len(companies) == 1:
            return self._of_company(companies[0], nouns)
        if len(contacts) == 1 and (company := next(iter(self._companies(contacts[0])), None)) is not None and "deal" in nouns:
            return self._of_company(company, nouns)
        return None

    def _companies(self, contact: Entity) -> list[Entity]:
        meant = Dialogue([Frame(intent="record", salient=[contact])]).meant(self.ctx, ("company",))
        return [meant] if meant is not None else []

    def _about(self, text: str, nouns: tuple[str, ...]) -> Target | None:
        """The open task or ticket that is about what is said: "my task to call Globex", "the login ticket of Acme"."""
        match = _WORK.search(text)
        if match is None:
            return None
        noun = "ticket" if match["noun"].lower() in _TICKETS else "activity"
        wanted = [word for word in fold(f"{text[: match.start()]} {text[match.end() :]}").split() if word not in _SMALL and len(word) > 1]
        if noun not in nouns or not wanted:
            return None
        model: type[Ticket] | type[Activity] = Ticket if noun == "ticket" else Activity
        is_open = [Ticket.resolved_at.is_(None)] if noun == "ticket" else [Activity.kind == "task", Activity.completed_at.is_(None)]
        query = select(model).where(*is_open, model.archived_at.is_(None), visible(self.ctx, model)).order_by(model.id)
        mine: list[Entity] = []
        others: list[Entity] = []
        record: Ticket | Activity
        for record in self.ctx.session.scalars(query):  # type: ignore[assignment]
            company, contact = getattr(record, "company", None), getattr(record, "contact", None)
            told = fold(" ".join([record.subject, company.name if company else "", contact.name if contact else ""])).split()
            if all(any(_one_stem(word, other) for other in told) for word in wanted):
                (mine if record.owner_id == self.ctx.actor.user_id else others).append(Entity(noun=noun, id=record.id, label=record.subject))
        found = mine or others
        return Target(noun, found, many=False, spoken=text, hints=[""] * len(found)) if found else None

    def _of_company(self, company: Entity, nouns: tuple[str, ...]) -> Target | None:
        """The open deals or tickets of a company, where one of these is to be changed."""
        for noun in nouns:
            if noun not in ("deal", "ticket"):
                continue
            model = Deal if noun == "deal" else Ticket
            is_open = Deal.status == "open" if noun == "deal" else Ticket.resolved_at.is_(None)
            query = (
                select(model.id)
                .where(model.company_id == company.id, is_open, model.archived_at.is_(None), visible(self.ctx, model))
                .order_by(model.id)
            )
            found = self._matching(noun, [Filter(field="id", values=list(ids))]) if (ids := self.ctx.session.scalars(query).all()) else []
            return Target(noun, found, spoken=f"open {noun} of {company.label}", hints=self._hints(noun, found))
        return None

    def _likely(self, found: list[Entity]) -> list[Entity]:
        """Of several of one name those that are open, and of these the ones that the speaker may change."""
        model = model_of(found[0].noun)
        records = list(self.ctx.session.scalars(select(model).where(model.id.in_([item.id for item in found]))))
        open_ones = [record for record in records if getattr(record, "status", "open") == "open"] if found[0].noun == "deal" else records
        own = [record for record in open_ones if may_change(self.ctx, record)]
        ids = {record.id for record in own or open_ones or records}
        return [item for item in found if item.id in ids]

    def _usual(self, frame: Frame) -> list[Condition]:
        """Where nothing is said of the state, work that is still open is meant."""
        told = {name for item in _flat(frame.filters) for name in [item.field]}
        if frame.noun == "deal" and not told & {"status", "closed", "loss_reason", "id"}:
            stages = [value for item in _flat(frame.filters) if item.field == "stage" for value in item.values]
            return [] if stages else [Filter(field="status", values=["open"])]
        if frame.noun == "ticket" and not told & {"status", "resolved", "id"}:
            return [Filter(field="resolved", op="empty")]
        if frame.noun == "activity" and not told & {"completed", "occurred", "id"}:
            return [Filter(field="kind", values=["task"]), Filter(field="completed", op="empty")]
        return []

    def _hints(self, noun: str, found: list[Entity]) -> list[str]:
        if noun != "deal":
            return [""] * len(found)
        rows = {
            row.id: (row.amount_minor, row.currency)
            for row in self.ctx.session.execute(select(Deal.id, Deal.amount_minor, Deal.currency).where(Deal.id.in_([item.id for item in found])))
        }
        return [format_money(*rows[item.id]) if item.id in rows and rows[item.id][0] is not None else "no amount" for item in found]


def _one_stem(word: str, other: str) -> bool:
    """Whether two words begin alike, as forms of one do."""
    return word == other or min(len(word), len(other)) >= STEM - 1 and word[:STEM] == other[:STEM]


def _holds(label: str, wanted: list[str]) -> bool:
    """Whether a name holds all words, each from its beginning."""
    told = fold(label).split()
    return all(any(other == word or len(word) >= 4 and other.startswith(word) for other in told) for word in wanted)


def _bears(record: Any, wanted: list[str]) -> bool:
    """Whether a record's name and its company's hold all words, each from its beginning."""
    company = getattr(record, "company", None)
    return _holds(f"{record.name} {company.name if company is not None else getattr(record, 'company_name', None) or ''}", wanted)


def best_told(found: list[Entity], text: str) -> list[Entity]:
    """The records whose names share most words with a text, at least two; none where none does."""
    said = {word[:STEM] for word in fold(text).split() if word not in _SMALL}
    shared = {item.id: len({word[:STEM] for word in fold(item.label).split() if word not in _SMALL} & said) for item in found}
    most = max(shared.values(), default=0)
    return [item for item in found if shared[item.id] == most] if most >= LEAST_SHARED else []


def _flat(filters: list[Condition]) -> list[Filter]:
    """The plain conditions, those of alternatives among them."""
    groups = [item.any_of for item in filters if isinstance(item, FilterGroup)]
    return [item for item in [*filters, *(inner for group in groups for inner in group)] if isinstance(item, Filter)]
