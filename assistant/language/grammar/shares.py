"""Constructions that ask for a share: rates that are metrics, and the part of an amount or a count in percent of the whole."""

from __future__ import annotations

import re

from assistant.language.frames import Frame
from assistant.language.grammar.figure_frames import FigureFrames
from assistant.language.states import SHARES, STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Unit, shape_of
from crm_core.metrics.fields import shape_for

#: "In euros", "in value": a sum is wanted.
IN_MONEY = re.compile(r"\b(?:in|by|as) (?:euros?|dollars?|money|value|chf|francs|pounds|amount|volume|revenue terms)\b|\bmoney\b")
#: What is said of a share that no metric is.
NO_SHARE = (
    "I do not compute that share as one figure yet. Ask for the figure split by what you want the share of, such as 'bookings by source this year': "
    "the total stands beside each part."
)
_SHARE_WORDS = frozenset("share percentage percent proportion fraction part portion slice".split())
#: Metrics, beside those of states, of which a share can be asked for.
_SHARED = frozenset({"customers", "product_revenue", "units_sold"})
_CAME_FROM = re.compile(r"\b(?:came|come|comes|coming|stems?|stemmed|originat\w+|attributable)\b")
_IN_WHAT = re.compile(
    r"\b(?:in|among|within) (?:what|everything|all|all that|the deals|the value|the amount|the business)(?: that)? (?:we|i|they) (?:have )?(?:won|signed|closed|sold|booked|lost)\b"
)
_SPANNING = frozenset("start end beginning ended longer close then it".split())
_OUTCOMES = frozenset("won lost signed booked sold closed".split())
_LATER = re.compile(r"\b(?:later|further|forward|onwards?|next (?:one|stage)|went on|go on|goes on|past)\b")
_MOVING = frozenset("left moved went forward further made past leave leaves move moves".split())
_BECAME = re.compile(r"\b(?:won|win|lost|lose|convert\w*|closed?|resolved?|bought)\b")
_WENT_ON = re.compile(r"\b(?:go|goes|went|move[sd]?|moving|pass|passed|convert\w*|advance[sd]?|reach\w*|make|made|get|got|left|leave|survive\w*)\b")
#: After these comes what the part is.
_SHARE_VERBS = frozenset(
    "came come comes coming is are was were be did does do has have had belongs belong sits stems stem falls goes went that which who with where made make account accounts".split()
)


class Shares(FigureFrames):
    """Which part of which whole."""

    def _shares(self) -> Frame | None:
        """ "What percentage of leads from 2025 has been converted?", "what share of the deals that closed did we win?"."""
        parts = self.parts
        if "share" not in parts.aggregates or any(name not in STATE_OF_METRIC and name not in _SHARED for name in parts.metrics):
            return None
        if parts.customer or "customers" in parts.metrics:
            self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in _SPANNING]  # "at the end of it", "when it ended"
            if {"still", "kept", "stayed", "remained", "retained"} & parts.words_seen:
                return self._with_groups(self._frame_metric("retention_rate"))
            if {"lost", "lose", "left", "longer"} & (parts.words_seen | set(parts.states)):
                return self._with_groups(self._frame_metric("churn_rate"))
        noun = self._noun() or next((STATE_OF_METRIC[name][0] for name in parts.metrics if name in STATE_OF_METRIC), "")
        told = [*parts.states, *(STATE_OF_METRIC[name][1] for name in parts.metrics if name in STATE_OF_METRIC)]
        states = ["won" if "won" in told else "", *told]
        staged = any(raw.field == "stage" for raw in parts.filters)
        by_stage = "stage" in (*parts.groups, *parts.wh_groups, *parts.fields)
        if (staged or by_stage) and _WENT_ON.search(parts.phrases) and _LATER.search(parts.phrases) and not told:
            self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in _MOVING]
            return self._with_groups(self._frame_metric("stage_conversion"))  # "of all that left Proposal, what percentage moved forward?"
        came = _CAME_FROM.search(parts.phrases)
        became = came is not None and _BECAME.search(parts.phrases[came.end() :])  # "of leads that came from fairs, converted": a rate
        inside = _IN_WHAT.search(parts.phrases) is not None or self._was_of_that_sort()
        if inside or came is not None and not became or staged and "open" in told and not _WENT_ON.search(parts.phrases):
            shared = self._share_of(noun, told)  # "of what we won, what share came from Wineries", "of the pipeline, is in Bid"
            if shared is not None:
                return shared
        if staged and noun in ("deal", "") and not parts.states:
            return self._with_groups(self._frame_metric("stage_conversion"))
        if "go on" in " ".join(parts.first_words) or any(raw.field == "stage" for raw in parts.filters):
            return self._with_groups(self._frame_metric("stage_conversion"))
        for state in states:
            metric = SHARES.get((noun or "deal", state))
            if metric == "win_rate" and {"value", "amount", "dollar", "dollars", "money", "amounts"} & parts.words_seen:
                metric = "win_rate_value"
            if (
                metric == "lead_conversion"
                and not state
                and not any(word.startswith(("conver", "turn", "becom", "qualif")) for word in parts.words_seen)
            ):
                metric = None  # "what share of leads came from trade shows" is about where they came from
            if metric and any(STATE_OF_METRIC[name][2] for name in parts.metrics if name in STATE_OF_METRIC) and "closed" not in told:
                metric = None  # "what share of bookings came from referrals"
            if metric:
                return self._with_groups(self._frame_metric(metric))
        if parts.metrics or noun:
            return self._share_of(noun, told) or Frame(intent="unknown", detail=NO_SHARE)
        return None

    def _was_of_that_sort(self) -> bool:
        """ "What share of the amount we won last year was haulage": after what was won, the sort that it was."""
        words = self.parts.phrases.split()
        won = next((place for place, word in enumerate(words) if word in _OUTCOMES), len(words))
        verb = next((place for place, word in enumerate(words) if place > won and word in ("was", "were", "is", "are")), len(words))
        return any(raw.at > verb and not raw.negated for raw in self.parts.filters)

    def _share_of(self, noun: str, told: list[str]) -> Frame | None:
        """ "What percentage of won value came from Wineries?", "Tin's share of the open deals": a part of an amount or a count.

        What stands between the share and the verb narrows the whole ("of EMEA's bookings"); what comes after the verb,
        or before the share, is the part. Where nothing tells them apart, all is the part.
        """
        parts, words = self.parts, self.parts.phrases.split()
        if noun in ("company", "contact") and {"won", "lost", "open"} & set(told):
            noun = "deal"  # "of the value that we won, came from Haulage clients"
        metric = next((name for name in parts.metrics if METRICS[name].additive), "")
        if not metric:
            state = next((item for item in told if (noun or "deal", item) in STATE_METRICS), "")
            counts, sums = STATE_METRICS.get((noun or "deal", state), ("", ""))
            metric = sums if sums and {"sum", "total"} & set(parts.aggregates) and "count" not in parts.aggregates else counts
        if not metric or METRICS[metric].unit not in (Unit.money, Unit.count) or parts.names and parts.filters:
            return None
        if IN_MONEY.search(parts.phrases) and metric in STATE_OF_METRIC and not STATE_OF_METRIC[metric][2]:
            metric = STATE_METRICS[STATE_OF_METRIC[metric][:2]][1] or metric
        share = next((place for place, word in enumerate(words) if word in _SHARE_WORDS), 0)
        verb = next((place for place, word in enumerate(words) if place > share and word in _SHARE_VERBS), len(words))
        whole = [raw for raw in parts.filters if share < raw.at < verb]
        part = [raw for raw in parts.filters if raw not in whole]
        if (inside := _IN_WHAT.search(parts.phrases)) is not None:  # "the proportion of temp contracts in what we signed"
            start = len(parts.phrases[: inside.start()].split())
            part, whole = [raw for raw in parts.filters if raw.at < start], [raw for raw in parts.filters if raw.at >= start]
        if not part and not parts.names:
            whole, part = [], whole
        if not part and not parts.names:
            return None
        names = parts.names
        parts.filters, parts.names = whole, []
        frame = self._with_groups(self._frame_metric(metric))
        parts.filters, parts.names = part, names
        inner = Frame(intent="metric", noun=frame.noun, metric=metric)
        self._conditions(inner, shape_for(self.ctx, shape_of(metric)), metric=True)
        frame.pending = frame.pending or inner.pending
        frame.part, frame.said_part, frame.entities = inner.filters, inner.said, inner.entities
        return frame if frame.part or frame.pending else None
