"""The order in which constructions are tried, and the last check before a reading is believed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.language.chart import Chart, build_chart, clock_of
from assistant.language.dialogue import SETS, Dialogue
from assistant.language.frames import Frame
from assistant.language.grammar.accounts import unaccounted
from assistant.language.grammar.commands import Commands
from assistant.language.grammar.followups import FollowUps
from assistant.language.grammar.limits import beyond
from assistant.language.grammar.merging import FORGETTING
from assistant.language.grammar.talk import Talk
from assistant.language.grammar.undoing import Undoing
from assistant.language.lexicon import CURRENCY_WORDS, DOLLARS, lexicon_for
from assistant.language.parts import Parts, collect
from assistant.language.parts.model import RawRelation
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from assistant.language.teaching import lesson_in
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, shape_of
from crm_core.metrics.fields import NOUN_SHAPES, Kind, shape_for
from crm_core.metrics.filters import Filter, Related
from crm_core.text import fold, join_words

NO_AVERAGE = (
    "I can list these records and count them, but I have no declared figure for the average, share or duration that you ask for. "
    "Ask for one of the metrics (such as win rate, average deal size, resolution time), or for the list."
)
NO_EXTREME = "You ask for an extreme, and I do not see of what: name what to compare, such as 'by rep', 'by region' or 'by month'."
FOREIGN_MONEY = "I compute and compare amounts in {home}, converted at the rates on file, and not in {foreign}. Ask for it in {home}."
FROM_TO = (
    "I can tell which deals had their close date moved later in a period, such as 'deals that slipped last month', "
    "but not yet from which period to which."
)


def read(ctx: Context, message: str, dialogue: Dialogue | None = None) -> tuple[Frame, Chart, Parts]:
    """The best reading of a message that stands alone or leans on the conversation before; raises ``Invalid`` for impossible days."""
    dialogue = dialogue or Dialogue()
    lesson = lesson_in(message)
    if lesson is not None:
        return lesson, Chart([], []), Parts()
    question = dialogue.question()
    chart = build_chart(ctx, message, clock_of(ctx), question.noun if question is not None else "", leaning=question is not None)
    parts = collect(chart)
    frame = Reader(ctx, parts, dialogue).frame()
    frame.taught = {phrase: lexicon_for(ctx).taught[phrase] for phrase in chart.taught}
    return frame, chart, parts


@dataclass(frozen=True)
class Reading:
    """What one construction makes of a message, and how well: ``score`` is the share of its content words that are understood."""

    construction: str
    frame: Frame
    score: float


def readings(ctx: Context, message: str, dialogue: Dialogue | None = None) -> list[Reading]:
    """Every construction's own reading of a message, the one that is chosen first; for people who ask why.

    Constructions are tried in order and the first that fits is taken, so the chosen one need not have the highest score.
    """
    chosen, chart, _parts = read(ctx, message, dialogue)
    found = [Reading("(chosen)", chosen, chosen.confidence)]
    for name in CONSTRUCTIONS:
        reader = Reader(ctx, collect(chart), dialogue or Dialogue())
        reader.prepare()
        try:
            frame = getattr(reader, name)()
        except (Invalid, AssertionError):
            continue
        if frame is not None:
            frame = reader.finish(frame)
            found.append(Reading(name.strip("_").replace("_", " "), frame, frame.confidence))
    return found


#: Constructions in the order in which they are tried.
CONSTRUCTIONS = (
    "_talk",
    "_meta",
    "_pending_choice",
    "_changed_by",
    "_entered",
    "_undo",
    "_command",
    "_write",
    "_definition",
    "_returned",
    "_both",
    "_ranked_again",
    "_which_ones",
    "_titled",
    "_drilled",
    "_facts_of_several",
    "_of_the_shown",
    "_added_up",
    "_changed_a_little",
    "_changed",
    "_stay",
    "_movement",
    "_numbered",
    "_said",
    "_record_fields",
    "_ranking",
    "_shares",
    "_metric",
    "_counted",
    "_grouped_noun",
    "_record",
    "_list",
    "_leftover_search",
    "_fragment",
)


#: Those that read a message by itself.
_ALONE = frozenset(CONSTRUCTIONS[CONSTRUCTIONS.index("_changed") + 1 :]) - {"_said", "_leftover_search", "_fragment"}
#: A word at the end that points at what was said before; alone, the message would be about everything.
_DANGLING = re.compile(
    r"\b(?:compare|show|list|was|is|were|are|of|behind|in|with|for|from|about|does|did) (that|those|these|them|it)(?:$| (?:for|in|with|by) )"
)


#: What points at an answer before, where there is none.
_OF_NOBODY = re.compile(
    r"\b(?:any|some|all|which|how many|one|two|three) of (them|those|these)\b|^(?:and |ok |so )?the (?:top|first|second|third|other) (one)\b"
)
_OR_NOT_STATES = {"open": "open", "overdue": "overdue", "closed": "closed", "won": "won", "lost": "lost", "done": "completed", "resolved": "resolved"}
_OR_NOT = re.compile(rf"\b({'|'.join(_OR_NOT_STATES)}) or not\b")
#: Metrics that only count records, whatever became of them.
PLAIN_COUNTS = frozenset({"deals", "tickets_opened", "leads"})
_ASKING = frozenset("how what which who whose when list show give".split())
_WHAT_I_HAVE = re.compile(r"\bwhat (?:do i have|have i got|am i holding|have i)\b")
#: Fields of records that are reckoned from others, and stand in lists only.
_RECKONED = {"deal": frozenset({"last_activity", "days_in_stage", "stage_since", "slips"})}
#: "100 kW": a number of a field's unit, which is no number of records.
_NUMBER_OF_A_FIELD = re.compile(r"\b\d+ [a-z]")
_DAYS_IN = re.compile(
    r"\b(?:days|weeks|months) (?:or (?:more|longer) )?(?:in|at|sitting (?:in|at)|stuck (?:in|at))\b|\b(?:in|at) (?:that|this|the same|its) stage\b"
)
_YES_OR_NO = re.compile(
    r"^(?:and |so |ok |okay |btw |by the way |hey )*(?:is|will|would|can|should|has) (?!there\b|that\b|any\b|it (?:more|better|worse|higher|lower))"
)


class Reader(Talk, Undoing, Commands, FollowUps):
    """Decides on one frame for the parts."""

    def frame(self) -> Frame:
        """Try the constructions in order."""
        self.prepare()
        for name in CONSTRUCTIONS:
            frame = getattr(self, name)()
            if frame is not None:
                if name in _ALONE:
                    self._refuse_loose_ends(frame)
                elif frame.intent in SETS and not self.pointed and (nobody := self._means_nobody(frame)):
                    self.frame_unknown.append(nobody)
                elif frame.intent in SETS and (self.pointed and self.parts.people or _YES_OR_NO.search(self.parts.phrases)):
                    self.frame_unknown += self.parts.idle  # "how much does she earn?", "will it snow there tomorrow?"
                    if _YES_OR_NO.search(self.parts.phrases):
                        used = {
                            *frame.group_by,
                            *frame.columns,
                            *frame.asked_fields,
                            *(item.field for item in frame.filters if isinstance(item, Filter)),
                        }
                        self.frame_unknown += [name for name in self.parts.fields if name not in used]
                return self.finish(frame)
        return Frame(intent="nothing" if not self.parts.words else "unknown", unknown=self.parts.unknown, confidence=0.0)

    def _refuse_loose_ends(self, frame: Frame) -> None:
        """A message read by itself must not point at what nobody said, nor speak of a time that was not understood."""
        if not self.pointed and (said := self._dangles()):
            self.frame_unknown.append(said)
        if frame.intent in ("metric", "list") and not (frame.pending or frame.period or frame.compare or frame.as_of or self.parts.times):
            split = {*frame.group_by, *self.parts.groups, *self.parts.wh_groups}
            self.frame_unknown += [word for word in self.parts.loose_grains if word in ("week", "month", "quarter", "year") and word not in split]

    def _means_nobody(self, frame: Frame) -> str:
        """ "Her" or "his" in a message that leans on a question, where neither is about anybody."""
        parts = self.parts
        said = [word for word in parts.phrases.split() if word in ("he", "she", "her", "his", "hers", "him")]
        somebody = parts.people or parts.names or parts.me or any(raw.field in ("owner", "contact", "title") for raw in parts.filters)
        held = any(isinstance(item, Filter) and item.field in ("owner", "contact", "id") for item in frame.filters)
        return said[0] if said and not somebody and not held and "owner" not in frame.group_by else ""

    def _dangles(self) -> str:
        """A word that points at what was said before, where nothing there is meant by it; what stands before it in the message may be."""
        said = _DANGLING.search(self.parts.phrases) if self.dialogue.frames else _OF_NOBODY.search(self.parts.phrases)
        if said is not None:
            return next(word for word in said.groups() if word)
        parts = self.parts
        if self.dialogue.frames and re.search(r"\bthat one\b", parts.phrases) and not (parts.names or parts.people or parts.filters):
            return "that one"
        whose = any(raw.field in ("owner", "team", "company", "contact") for raw in parts.filters)
        answered = (
            parts.names or parts.people or parts.groups or parts.wh_groups or parts.my_team or parts.me or whose or "who" in parts.cues
        )  # "his target did Bjorn reach"
        return "" if answered else parts.loose

    def prepare(self) -> None:
        """What is settled before any construction is tried."""
        if "not_won" in self.parts.states and {"lost", "open"} & set(self.parts.states):
            self.parts.states = [state for state in self.parts.states if state != "not_won"]  # "lost ones, not won"
        self._count_slips()
        self._nest_times()
        self._release()
        self._settle_nouns()
        self.resolve()
        parts = self.parts
        if parts.named_pipeline and not (parts.follow_up and self.dialogue.frames) and not (parts.metrics or parts.nouns or parts.aggregates):
            parts.metrics.append("open_pipeline")

    def _release(self) -> None:
        """ "..., renewals included", "forget the tier A thing. How many ...": what a question of its own is no longer narrowed by."""
        parts = self.parts
        if (either := _OR_NOT.search(parts.phrases)) is not None and (parts.nouns or parts.metrics):
            state = _OR_NOT_STATES[either.group(1)]
            parts.states = [item for item in parts.states if item != state]  # "all tickets, open or not"
            for place, name in enumerate(parts.metrics):
                noun, told, _sums = STATE_OF_METRIC.get(name, ("", "", False))
                if told == state and (noun, "created") in STATE_METRICS:
                    parts.metrics[place] = STATE_METRICS[(noun, "created")][0]
            if "all" in parts.words_seen:
                parts.follow_up = False  # all of them, whatever the question before was narrowed to
        if not self.dialogue.frames or parts.words < 6:
            return
        words = parts.phrases.split()
        asked = next((place for place, word in enumerate(words) if word in _ASKING), len(words))
        for raw in list(parts.filters):
            after = words[raw.at + 1 : raw.at + 3]
            included = raw.at >= 0 and "included" in after
            forgotten = (
                raw.at >= 0
                and parts.first_words[:1]
                and parts.first_words[0] in FORGETTING
                and raw.clause == 0
                and raw.at < asked
                and bool(parts.nouns or parts.metrics)
            )
            if (included or forgotten) and raw.op == "is":
                parts.filters.remove(raw)
                parts.released.append(raw.field)
        if parts.released:
            parts.unknown = [word for word in parts.unknown if word.lower() not in FORGETTING | {"thing", "included"}]
            self.frame_unknown = list(parts.unknown)

    def _nest_times(self) -> None:
        """ "This month, from today until 30 November": of two stretches of days, the one that lies in the other."""
        parts = self.parts
        if len(parts.times) != 2 or parts.compare or {"than", "compare", "compared", "versus", "vs", "against", "and"} & parts.words_seen:
            return
        (first, first_cue), (second, second_cue) = parts.times
        if first_cue != second_cue:
            return
        for inner, outer in ((first, second), (second, first)):
            a, b = inner.period, outer.period
            if b.first <= a.first and a.end <= b.end and a != b:
                parts.times = [(inner, first_cue)]
                return

    def _settle_nouns(self) -> None:
        """What is meant where no kind of records is named: a stage has deals, and "the top people by value won" are those who sell."""
        parts = self.parts
        asks = bool(parts.aggregates) or bool({"list", "which"} & set(parts.cues)) or _WHAT_I_HAVE.search(parts.phrases) is not None
        of_deals = any(raw.field in ("stage", "pipeline", "forecast_category") and raw.noun in ("", "deal") for raw in parts.filters)
        leaning = bool(self.dialogue.frames) and (parts.follow_up or parts.words <= 6)
        if of_deals and asks and not (leaning or parts.nouns or parts.metrics or parts.names or parts.kinds or parts.wh_groups):
            parts.nouns = ["deal"]
            parts.plural_noun = True
            parts.states = parts.states or (["open"] if self._stage_state() == "" else [])
        losing = "lost" in parts.states or any(name.startswith("lost") for name in parts.metrics)
        somebody = len(parts.names) != sum(bool(people) for people in parts.colleagues)  # beyond colleagues
        if losing and "reasons" in parts.words_seen and not (parts.groups or parts.wh_groups or somebody or {"list", "which"} & set(parts.cues)):
            parts.groups.append("loss_reason")  # "what does Bob lose on, reasons and how often"
            parts.fields = [name for name in parts.fields if name != "loss_reason"]
        staged = any(raw.field == "stage" for raw in parts.filters)
        for raw in parts.filters:
            if raw.field == "age" and staged and _DAYS_IN.search(parts.phrases):
                raw.field, raw.said = "days_in_stage", raw.said.replace("age", "days in stage")  # "over 35 days in Grid application"
        if parts.customer and not any(name == "customers" for name in parts.metrics):
            titles = {name: item.title for name, item in shape_for(self.ctx, "company").fields.items()}
            banded = {word for raw in parts.filters for word in fold(titles.get(raw.field, "")).split()}
            parts.customer = not {"client", "customer"} & banded  # "platinum clients", by the field "client band" that every company has
        self._join_metrics()
        self._settle_relations()
        self._settle_times()
        among = parts.groups == ["company"] and any(raw.root == "company" for raw in parts.relations)
        if among and not {"by", "per", "each", "every"} & parts.words_seen:
            parts.groups = []  # "the oldest one among companies with an open deal": no split
        if (
            "every" in parts.words_seen
            and parts.groups
            and not (parts.metrics or parts.aggregates or parts.nouns or parts.wh_groups or parts.compare)
        ):
            noun = parts.groups[0] if parts.groups[0] in NOUN_SHAPES else ""
            if noun and len(parts.groups) == 1 and (parts.filters or parts.names or parts.states):
                parts.groups, parts.nouns, parts.plural_noun = [], [noun], True  # "every account that Ruth is the owner of"
        people = {"people", "persons", "person", "folks", "guys"} & parts.words_seen and not {"contact", "contacts"} & parts.words_seen
        sold = {"won", "lost", "closed", "closing", "slipped"} & set(parts.states) or parts.kinds or parts.sort == "amount"
        counted_people = parts.wh_groups in ([], ["employees"])  # "which 3 people"
        if people and parts.nouns[:1] == ["contact"] and parts.order in ("highest", "lowest") and (sold or parts.metrics) and counted_people:
            parts.nouns = [noun for noun in parts.nouns if noun != "contact"]
            parts.wh_groups, parts.plural_group = ["owner"], parts.plural_noun

    def _settle_times(self) -> None:
        """ "Who did we get beaten on in October": "get" and "got" say that it happened, not that a deal was entered."""
        parts = self.parts
        happened = {"won", "lost", "resolved", "converted", "slipped"} & set(parts.states)
        told = {"created", "opened", "open", "added", "entered", "came", "come", "new", "logged", "raised", "received", "arrived"} & parts.words_seen
        if "created" in parts.states and happened and not told:
            parts.states = [state for state in parts.states if state != "created"]
            parts.times = [(when, "" if cue == "state:created" else cue) for when, cue in parts.times]
        ahead = {"should", "going", "will", "expected", "supposed", "expect", "due"} & parts.words_seen
        asks_when = parts.first_words[:1] == ["when"] or "by when" in parts.phrases
        if asks_when and ahead and "won" in parts.states and parts.names and not parts.times:
            parts.states = ["closing" if state == "won" else state for state in parts.states]
            parts.fields = parts.fields or ["expected_close"]  # "when is Globex going to land"

    def _settle_relations(self) -> None:
        """Related records where the kind that is asked for is only implied: "CFOs at companies with ...", "open bids without a meeting"."""
        parts = self.parts
        titled = any(raw.field in ("title", "deal_role") and not raw.negated for raw in parts.filters)
        if titled and parts.nouns == ["company"] and any(raw.root == "company" for raw in parts.relations) and "company" not in parts.wh_groups:
            parts.nouns, parts.plural_noun, parts.customer = ["contact"], True, False
        denied = [raw for raw in parts.filters if raw.field == "kind" and raw.negated and raw.noun == "activity"]
        staged = any(raw.field in ("stage", "pipeline") and not raw.negated for raw in parts.filters) and parts.nouns in ([], ["deal"])
        if len(denied) == 1 and staged and not (parts.metrics or parts.aggregates or parts.groups):
            kinds = [str(value) for value in denied[0].values]
            inner = Parts(nouns=["activity"], kinds=kinds, times=[(when, "") for when, _cue in parts.times], words_seen=set(kinds))
            parts.filters.remove(denied[0])
            parts.relations.append(RawRelation("deal", "activity", inner, f"without a {denied[0].said}", denied=True))
            parts.nouns, parts.plural_noun, parts.times = ["deal"], True, []

    def _join_metrics(self) -> None:
        """ "The number of deals closed won": a plain count, and the state that says of which."""
        parts = self.parts
        if len(parts.metrics) != 2 or "count" not in parts.aggregates:
            return
        plain = [name for name in parts.metrics if STATE_OF_METRIC.get(name, ("", "-"))[1] == "created" and name in PLAIN_COUNTS]
        stated = [name for name in parts.metrics if STATE_OF_METRIC.get(name, ("", ""))[1] in ("won", "lost", "open", "resolved")]
        if len(plain) == len(stated) == 1 and STATE_OF_METRIC[plain[0]][0] == STATE_OF_METRIC[stated[0]][0]:
            parts.metrics = [STATE_METRICS[STATE_OF_METRIC[stated[0]][:2]][0]]

    def _as_counted(self, frame: Frame) -> None:
        """ "# closed-won YTD" counts; "dollars of open deals at every stage" adds up."""
        parts = self.parts
        known = STATE_OF_METRIC.get(frame.metric) if frame.intent == "metric" and not frame.part and frame.measure is None else None
        if known is None or "share" in parts.aggregates or parts.order_field or frame.keep:
            return
        counts, sums = STATE_METRICS[known[:2]]
        if known[2] and parts.aggregates == ["count"] and parts.metrics == [frame.metric] and not self.dialogue.frames:
            frame.metric = counts
        elif not known[2] and sums and not {"count", "sum"} & set(parts.aggregates) and self._says_money() and not parts.cues:
            frame.metric = sums

    def _says_money(self) -> bool:
        return bool({"dollars", "euros", "pounds", "francs", "kroner", "amounts"} & self.parts.words_seen) and not self.parts.limit

    def finish(self, frame: Frame) -> Frame:
        """The frame as it is believed: paged, with the period it speaks of, refused where content was not understood."""
        self._as_counted(frame)
        self.leave_out_spoken(frame)
        frame = self._as_row(frame)
        frame = self._finish(self._paged(frame) if frame.intent in ("rows", "more") else frame)
        if frame.intent not in ("unknown", "nothing"):
            frame.confidence = round(min(frame.confidence, self._understood()), 2)
        return frame

    def _as_row(self, frame: Frame) -> Frame:
        """ "When was the last activity on that deal?": facts that are reckoned rather than kept, as the columns of a list of one."""
        entity = frame.entity
        if frame.intent != "record" or entity is None or entity.noun not in _RECKONED or frame.pending is not None:
            return frame
        if not frame.asked_fields or not set(frame.asked_fields) <= _RECKONED[entity.noun]:
            return frame
        listed = Frame(intent="list", noun=entity.noun, filters=[Filter(field="id", values=[entity.id])], said=[entity.label], entities=[entity])
        listed.columns = ["name", *frame.asked_fields]
        return listed

    def _understood(self) -> float:
        """The share of the content words that stand in what was understood; idle words and asides are not, misspelt names half."""
        parts = self.parts
        lost = len({*parts.unknown, *parts.idle}) + 0.5 * sum(not name.exact for name in parts.names)
        content = max(1, len(parts.content) + len(parts.names) + len(parts.times))
        return max(0.0, 1 - lost / (content + 1))

    def _is_number(self, noun: str, name: str) -> bool:
        fields = shape_for(self.ctx, noun).fields
        return name in fields and fields[name].kind is Kind.number

    def _split_as_said(self, frame: Frame) -> None:
        """Split a figure by the field that "every", "each" or a superlative speaks of, where no construction took it."""
        parts = self.parts
        if frame.intent != "metric" or frame.group_by or frame.pending is not None or frame.metric not in METRICS:
            return
        told = {"breakdown", "split", "different", "individual", "crosstab"} & parts.words_seen
        said = {"every", "each", "per"} & parts.words_seen or parts.order in ("highest", "lowest") or told
        shape = shape_for(self.ctx, shape_of(frame.metric))
        narrowed = {item.field for item in frame.filters if isinstance(item, Filter)}
        words = [*parts.fields, *(noun for noun in parts.nouns if noun in ("company", "product"))]
        fields = [name for name in words if name in shape.fields and shape.fields[name].groupable and name not in narrowed]
        if said and 0 < len(set(fields)) <= (2 if told else 1):
            frame.group_by = list(dict.fromkeys(fields))[:2]
            if parts.order in ("highest", "lowest"):
                frame.order, frame.limit = parts.order, parts.limit or 1  # type: ignore[assignment]

    def _names_several_times(self, frame: Frame) -> bool:
        """Whether a figure would leave out one of the times that were said."""
        if frame.intent != "metric" or frame.compare or frame.as_of or len(self.parts.times) < 2 or frame.pending:
            return False
        whole = frame.period.period(self.ctx.calendar) if frame.period is not None else None
        for when, cue in self.parts.times:
            spans = [when.period, *([when.ahead] if when.ahead else [])]
            inside = whole is not None and any(
                whole.first <= span.first and span.end <= whole.end or span.first <= whole.first and whole.end <= span.end for span in spans
            )
            if not inside and not cue.startswith("field:"):
                return True
        return False

    def _lost_groups(self, frame: Frame) -> list[str]:
        """What a list was asked to be split by, and would be silent about."""
        shown = {frame.order_by, *frame.columns, *frame.asked_fields, *frame.group_by}
        return [name for name in self.parts.groups if name not in shown and name not in (frame.noun, "owner" if frame.noun == "user" else "")]

    def _drops_a_state(self, frame: Frame) -> bool:
        """Whether a list of companies, people or products would leave out that something was won, lost or resolved."""
        told = {"won", "lost", "slipped", "closing", "converted", "resolved"} & set(self.parts.states)
        if "open" in self.parts.states and {"deal", "ticket"} & set(self.parts.nouns):
            told.add("open")
        told |= {"open", "won", "lost"} & set(self.parts.negated_states) if frame.noun != "product" else set()
        related = any(isinstance(item, Related) for item in frame.filters)
        return (
            frame.intent == "list"
            and frame.noun in ("company", "contact", "product", "user", "activity")
            and bool(told - {"open", "resolved"} if frame.noun == "activity" else told)
            and not related
        )

    def _is_everything(self, frame: Frame) -> bool:
        """Whether a list of all records there are would answer a question about one: "which company is he with?"."""
        parts = self.parts
        narrowed = frame.filters or frame.metric or frame.count_only or frame.limit or frame.pending or frame.order_by and parts.order
        asked = parts.plural_noun or "list" in parts.cues or parts.sort or parts.aggregates
        return frame.intent == "list" and not narrowed and not asked

    def _of_a_currency(self, frame: Frame) -> None:
        """ "List all open deals in GBP": those that were agreed in that currency."""
        named = [word for word in self.parts.unknown if word.lower() in CURRENCY_WORDS]
        if (
            frame.intent != "list"
            or frame.detail == "sum"
            or len(named) != 1
            or self.parts.currencies
            or "currency" not in shape_for(self.ctx, frame.noun).fields
        ):
            return
        frame.filters.append(Filter(field="currency", values=[CURRENCY_WORDS[named[0].lower()]]))
        frame.said.append(f"in {CURRENCY_WORDS[named[0].lower()]}")
        self.parts.unknown.remove(named[0])
        self.frame_unknown = [word for word in self.frame_unknown if word != named[0]]

    def _foreign_money(self) -> str:
        """The currency, other than the company's own, in which an amount or the answer is wanted."""
        home = self.ctx.home_currency
        said = {*self.parts.currencies, *(CURRENCY_WORDS[word.lower()] for word in self.parts.unknown if word.lower() in CURRENCY_WORDS)}
        return join_words(
            sorted(code for code in said if code != home and not (code == "USD" and home in DOLLARS and "usd" not in self.parts.phrases)), "and"
        )

    def _count_slips(self) -> None:
        """ "Deals that slipped twice": how often makes it a condition on each deal rather than the metric of slips."""
        parts = self.parts
        slips = {"slipped_deals", "slipped_value"} & set(parts.metrics)
        if parts.multiplicity is not None and (slips or "slipped" in parts.states):
            parts.metrics = [name for name in parts.metrics if name not in slips]
            parts.states = list(dict.fromkeys([*parts.states, "slipped"]))
            parts.nouns = parts.nouns or ["deal"]

    def _finish(self, frame: Frame) -> Frame:
        """Refuse where content was not understood: an answer to another question is worse than none."""
        if said := beyond(self.parts, frame):
            return Frame(intent="unknown", noun=frame.noun, metric=frame.metric, detail=said)
        self._of_a_currency(frame)
        if frame.intent in ("metric", "list") and (foreign := self._foreign_money()):
            return Frame(intent="unknown", detail=FOREIGN_MONEY.format(home=self.ctx.home_currency, foreign=foreign))
        if frame.metric in ("slipped_deals", "slipped_value") and not frame.compare:
            if len(self.parts.times) > 1:
                spans = join_words([when.period.describe() for when, _field in self.parts.times[:2]], "or")
                return Frame(
                    intent="unknown", detail=f"You name two periods, and I can compute what slipped in one of them. Which do you mean: {spans}?"
                )
            if any(when.edge == "from" and when.grain is None for when, _field in self.parts.times):
                return Frame(intent="unknown", detail=FROM_TO)
        if self.parts.multiplicity is not None and not any(isinstance(item, Filter) and item.field == "slips" for item in frame.filters):
            self.frame_unknown.append("that many times")
        self._split_as_said(frame)
        if (
            frame.intent == "list"
            and {"mean", "median", "share", "duration", "weighted"} & set(self.parts.aggregates)
            and not frame.columns
            and frame.pending is None
        ):
            return Frame(intent="unknown", noun=frame.noun, unknown=self.frame_unknown, detail=NO_AVERAGE)
        if frame.intent == "metric" and self.parts.order in ("highest", "lowest") and not frame.group_by and frame.pending is None:
            return Frame(intent="unknown", metric=frame.metric, unknown=self.frame_unknown, detail=NO_EXTREME)
        if self._names_several_times(frame):
            spans = join_words([when.period.describe() for when, _field in self.parts.times[:4]], "and")
            return Frame(
                intent="unknown",
                detail=f"You name several times: {spans}. Ask for one of them, for all of them as one range, or split the figure by day, week, month, quarter or year.",
            )
        between = [item.field for item in frame.filters if isinstance(item, Filter) and item.op == "between"] if frame.intent == "list" else []
        if len(between) != len(set(between)):
            return Frame(
                intent="unknown", noun=frame.noun, detail="You name several times that lie apart. Ask for one of them, or for all as one range."
            )
        if frame.intent == "list" and not frame.pending:
            self.frame_unknown += [f"by {name.replace('_', ' ')}" for name in self._lost_groups(frame)]
        if frame.intent == "metric" and "how old" in self.parts.phrases and "age" in self.parts.fields and frame.metric != "backlog_age":
            self.frame_unknown.append("how old")
        if frame.intent == "list":
            self.frame_unknown += sorted({"changed", "changes", "improved", "worsened"} & self.parts.words_seen)
        if self._drops_a_state(frame):
            self.frame_unknown += [*self.parts.states, *(f"not {state}" for state in self.parts.negated_states)]
        if self._is_everything(frame):
            return Frame(
                intent="unknown",
                noun=frame.noun,
                unknown=self.frame_unknown,
                detail=f"Which {NOUN_SHAPES[frame.noun].title} do you mean? Name it, or ask for all {NOUN_SHAPES[frame.noun].plural}.",
            )
        if (
            frame.intent == "list"
            and self.parts.limit
            and self.parts.fields
            and not self.parts.order
            and _NUMBER_OF_A_FIELD.search(self.parts.phrases)
        ):
            self.frame_unknown += [name for name in self.parts.fields if self._is_number(frame.noun, name) and name not in frame.columns]
        self.frame_unknown += unaccounted(self.parts, frame, self.ctx.today)
        related = any(isinstance(item, Related) for item in frame.filters)
        self.frame_unknown += [raw.said for raw in self.parts.keeps if not frame.keep] + [raw.said for raw in self.parts.relations if not related]
        if (
            frame.intent in ("metric", "list", "record", "movement", "history", "rows", "more", "explain", "fragment")
            and self.frame_unknown
            and frame.pending is None
        ):
            serious = [word for word in self.frame_unknown if len(word) > 2]
            if serious:
                heard = fold(self.parts.message)
                misplaced = [word for word in serious if fold(word) not in heard]
                return Frame(intent="unknown", unknown=serious, misplaced=misplaced, confidence=0.2, noun=frame.noun, metric=frame.metric)
        return frame
