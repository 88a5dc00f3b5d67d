"""What is said around the question: why it is asked, politeness, and the words a search by meaning is left with."""

from __future__ import annotations

import re

from assistant.language.chart import Edge
from assistant.language.parts.neighbours import Neighbours
from assistant.language.tokens import singular
from crm_core.services.search import STOP_WORDS

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


#: "How much was that?": what stands before is what is asked about.
_ABOUT_IT = re.compile(r"^(?:and |so )?(?:how (?:much|many)|what|who|whose)\b.*\b(?:is|was|are|were) (?:that|those|these|it|they)$")
#: Words that begin a reason before the question: "before we sign again, how many ...".
_REASONS = frozenset("before while as since because if when after".split())


#: What one looks at is what the question is about: "I'm looking at the renewals, how many ...".
_LOOKING = frozenset("looking talking focusing focused concentrating interested concerned".split())


class Asides(Neighbours):
    """Which clauses and words are no part of the question."""

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
        moved = {"moved", "pushed", "postponed", "shifted", "move", "push", "changed", "set"} & parts.words_seen
        about_date = (
            "expected_close" in parts.fields or any(cue == "field:expected_close" for _, cue in parts.times) or {"date", "dates"} & parts.words_seen
        )
        onward = {"later", "back", "out"} if moved <= {"changed", "set"} else {"later", "back", "out", "date", "dates"}
        if self.parts.first_words[:1] in (["when"], ["who"]):
            return  # "when did its close date last move": its history
        if moved and about_date and onward & parts.words_seen:
            parts.states = [*(state for state in parts.states if state in ("open", "won", "lost")), "slipped"]
            parts.unknown = [
                word for word in parts.unknown if word.lower() not in ("moved", "move", "back", "shifted", "dates", "date", "changed", "set")
            ]
            parts.times = [(when, "") for when, _ in parts.times]
            parts.fields = [name for name in parts.fields if name != "expected_close"]

    def _looks_like_a_name(self, edge: Edge) -> bool:
        """Whether an unknown word is written like a name; at the beginning, where all words are, together with the next: "Wayne Enterprises"."""
        if edge.first > 0:
            return self.tokens[edge.first].capital
        return edge.end < len(self.tokens) and self.tokens[edge.end].capital and edge.text[:1].isupper()

    def _tells_why(self, number: int) -> bool:
        """Whether a clause says things that are none of the CRM's: an unknown word, and neither a figure nor records that are asked for."""
        inside = [edge for edge in self.edges if self.clauses[edge.first] == number]
        strange = [edge for edge in inside if edge.kind == "unknown"]
        if strange and self._looks_like_a_name(strange[0]) and strange[0].first == 0:
            return False  # somebody whom nobody here knows
        strange = [edge for edge in strange if not self._looks_like_a_name(edge)]
        asked = any(
            edge.sense("metric", "aggregate", "group_cue", "compare")
            or edge.sense("noun", "activity_kind", "customer")
            and singular(edge.text.lower()) != edge.text.lower()
            for edge in inside
        )
        words = {token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause == number}
        wants = words & {"who", "whose", "which", "what", "how", "where", "when", "show", "list", "give", "count"}
        return bool(strange) and not asked and not wants and not self._narrowing(number)

    def _narrowing(self, number: int) -> bool:
        """Whether a clause names a value or a record of the company's that is neither a colleague nor a title."""
        return any(
            sense.kind == "ref" and sense.field != "owner" or sense.kind == "value" and sense.field != "title"
            for edge in self.edges
            if self.clauses[edge.first] == number
            for sense in edge.senses
        )

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
            narrows = words[:1] == ["just"] and any(
                self.clauses[edge.first] == number and (edge.kind in ("when", "name") or edge.sense("value", "ref", "state")) for edge in self.edges
            )
            heads = any(
                self.clauses[edge.first] > number and edge.sense("metric", "aggregate", "noun", "activity_kind", "customer", "state", "order")
                for edge in self.edges
            )
            following = [token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause == number + 1]
            wants = set(words) & {"who", "whose", "which", "what", "how", "show", "list", "give"}
            reason = following[:1] == ["so"] and not wants or words[:1] and words[0] in _REASONS and len(words) > 3 and not wants
            if (self._tells_why(number) or reason and words[:1] != ["so"]) and heads:
                preface.add(number)
                continue
            if (
                not figures
                and not narrows
                and not (_LOOKING & set(words) and self._narrowing(number))
                and words[:1]
                and words[0] in _PREFACE_STARTS
                and not set(words) & (asks - {"is", "are", "do", "does", "did"})
                and later & asks
            ):
                preface.add(number)
            else:
                break
        return preface

    def _postface(self) -> set[int]:
        """Clauses after the question that tell why it is asked: ", I have the management meeting at four"."""
        numbers = sorted(set(self.clauses))
        after: set[int] = set()
        for number in reversed(numbers[1:]):
            words = [token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause == number]
            wants = set(words) & {"who", "whose", "which", "what", "how", "show", "list", "give", "only", "without", "by", "per", "where", "when"}
            strange = any(edge.kind == "unknown" and self.clauses[edge.first] == number for edge in self.edges)
            figures = any(self.clauses[edge.first] == number and edge.sense("metric", "group_cue", "aggregate") for edge in self.edges)
            if (
                words[:1]
                and words[0] in ("i", "we", "need", "because", "my", "our", "he", "she", "they", "thanks")
                and strange
                and not wants
                and not figures
            ):
                after.add(number)
            else:
                break
        return after

    def _forgive_asides(self) -> None:
        """Unknown words in a clause that says nothing of the CRM are an aside; in the clause of the question they count."""
        if len(set(self.clauses)) < 2:
            return
        last = " ".join(token.norm for token, clause in zip(self.tokens, self.clauses, strict=True) if clause == max(self.clauses))
        if _ABOUT_IT.search(last) and any(raw.op == "is" for raw in self.parts.filters):
            return  # "renewals lapsing over price, how much was that": what stands before is what is asked about
        telling = {
            self.clauses[edge.first]
            for edge in self.edges
            if edge.kind in ("when", "name")
            or edge.kind == "words"
            and edge.sense("metric", "state", "noun", "value", "ref", "customer", "activity_kind", "aggregate", "field")
        }
        heads = {self.clauses[edge.first] for edge in self.edges if edge.sense("metric", "noun", "aggregate", "customer", "activity_kind")}
        heads = heads or {self.clauses[edge.first] for edge in self.edges if edge.sense("state", "order", "field", "value")}
        asides = {clause for clause in set(self.clauses) if clause not in telling or heads and clause not in heads and not self._asks(clause)}
        if not heads or asides >= set(self.clauses):
            return
        asides = {clause for clause in asides if not self._is_question(clause)}
        placed = {word for word, _clause in self.unknown_clauses}
        self.parts.unknown = [word for word in self.parts.unknown if word not in placed and word.startswith("no ")] + [
            word
            for word, clause in self.unknown_clauses
            if clause not in asides or word in self.parts.unknown_capital and not (word.isupper() and len(word) < 5)
        ]
        self.parts.unknown_capital = [word for word in self.parts.unknown_capital if word in self.parts.unknown]

    def _is_question(self, clause: int) -> bool:
        """Whether the clause ends with a question mark: what is not understood in it cannot be an aside."""
        ends = [token.end for token, number in zip(self.tokens, self.clauses, strict=True) if number == clause]
        return bool(ends) and self.message[max(ends) :].lstrip().startswith("?")

    def _asks(self, clause: int) -> bool:
        words = {token.norm for token, number in zip(self.tokens, self.clauses, strict=True) if number == clause}
        return bool(
            words & {"how", "what", "which", "who", "show", "list", "by", "per", "each", "only", "just", "in", "for", "with", "without", "from", "at"}
        )
