"""What the words of one sentence tell of facts, by cues and by the forms of amounts, days and names.

Cues carry no further than the wordings that they were written for; how far each is to be trusted is for ``judging`` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from assistant.language.chart import quantity_edges
from assistant.language.dates import Clock, When, find_times
from assistant.language.tokens import expand, tokenise
from assistant.language.written_numbers import without_points
from assistant.notes.model import Fact, FactKind
from assistant.notes.passages import Sentence
from crm_core.errors import Invalid


def _any(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})", re.IGNORECASE)


_NOT = _any(
    r"no\b|not\b|none\b|nothing\b|never\b|nobody\b|without\b|w/o\b|neither\b|nor\b|cannot\b|can'?t\b|don'?t\b|doesn'?t\b|didn'?t\b|isn'?t\b|aren'?t\b|won'?t\b|wouldn'?t\b|wldn'?t\b|hasn'?t\b|haven'?t\b|couldn'?t\b|wasn'?t\b|no one\b|no clue\b|no idea\b|unknown\b"
)
_IMAGINED = _any(
    r"if\b|perhaps\b|maybe\b|might\b|would have\b|hypothetically\b|who knows\b|guess\b|estimate\b|someday\b|hopes? to\b|could be\b|rumou?r"
)
#: What is counted and not paid.
_COUNTED = frozenset("employees people staff sites trucks orders residents visitors members percent users seats letters trolleys".split())
_FUNDS = _any(
    r"budget\w*|set aside|put aside|set apart|earmark\w*|ring-?fenced|allocated|allotted|approved|released|freed up|granted|voted|in the plan|to spend|can spend|spend\b|go up to|up to\b|good for\b|the pot\b|pot\b|funds?\b|funding|money|cash\b|sign off|available|all in\b|reserved|assigned|invest\w*|our limit|ceiling|tops\b|we have\b|we've got|they have\b|got\b|goes in\b|separate account|cleared|green light|signed off"
)
_NO_FUNDS = _any(
    r"turnover|revenue|list price|our price|our plan|your (?:price|offer|quote)|quot(?:e|ed)\b|offer(?:ed)? (?:of|at|us|from)|cost(?:s|ing)? (?:us|them|me|you)|lose|lost\b|employees|staff\b|people\b|trucks?\b|sites?\b|a (?:year|month) ago|last year|applied for|not granted|own guess|volume|discount|per (?:seat|user|month)|a month\b|trolleys|orders\b|residents|visitors|members|they charge|asks? for\b|asking for|proposal of|savings?\b"
)
_DECIDES = _any(
    r"sign(?:s|ed|ature|ing)?\b|signatory|sign-?off|decid\w*|decision|final (?:word|say|call)|last word|has the say|the say\b|approve[sr]?\b|approval|makes the call|make the call|holds? the purse|purse strings|budget holder|awards?\b|okay it|ok it|okays|puts? (?:his|her|their) name|convince|win over|vote[sd]?\b|must both say yes|say yes|says yes|green-?light\w*|gives? the nod|the nod\b|counts\b|goes to\b|go past|past (?:him|her)|up to (?:him|her)|boss of the money|in charge of|authori[sz]\w*|who pays|my (?:own )?call|my company|owner\b|I own\b"
)
_TITLES = r"CFO|CEO|COO|CIO|CTO|CMO|CISO|MD|managing director|managing partner|finance director|finance committee|supervisory board|board of directors|board|trustees|harbour trustees|council|city council|committee|steering group|owners?|founder|director(?: general)?|president|chairman|chairwoman|chair|headmaster|headmistress|minister|commissioner|partners|general manager|plant director|head of \w+(?: \w+)?"
_TITLE = re.compile(rf"\b(?:the |our |their |an? )?(?P<title>(?:[a-z]+ )?(?:{_TITLES}))\b", re.IGNORECASE)
NAME = re.compile(
    r"(?:\b(?:Mr|Ms|Mrs|Dr|Prof|Sister|Sir)\.?\s)?\b(?P<name>(?:[A-ZÀ-ÖØ-Þ]\.\s)?[A-ZÀ-ÖØ-Þ][\wà-ÿ'’-]+(?:[ \n](?:(?:de|van|von|der|la|al|bin|ter|den) )?[A-ZÀ-ÖØ-Þ][\wà-ÿ'’-]+){0,2})\b"
)
_BY_WHEN = _any(
    r"go(?:ing|es)?[ -]live|live\b|running\b|up (?:and|&) running|in place|in operation|productive|start\w*|launch\w*|roll-?out|roll(?:ed)? out|kick-?off|switch\w* over|working\b|in use|ready\b|need it\b|needs? (?:it|to be|the)|latest\b|deadline|by then|has to be in|should be in|be in before|contract (?:signature|by)|ink\b|buy\b|purchase|order by|decide\w*|decision|picked|pick\b|choose|award|conclude\w*|implement\w*|introduc\w*|before (?:the|they|we)|season|must stand|has to stand|standing\b|want(?:s|ed)? (?:it|to)|that day\b|wld buy|install\w*|cut-?over|sign\b"
)
_MEETING = _any(
    r"next (?:call|meeting|talk|session|workshop|chat|appointment|step call|round|visit|demo)|follow-?up|meet(?:ing)? (?:again|on|next)|speak again|talk again|call again|speak on\b|talk on\b|reconvene\w*|demo (?:for|on|with|is|fixed)|sit(?:ting)? down|catch up|in the diary|see (?:him|her|them|you|each)|let'?s (?:talk|speak|say|meet)|slot\b|blocked|fixed for|pencil\w*|agreed to speak|come by|come over|visit\b|session\b|call (?:is )?(?:on|at)\b|invit\w*|calendar|look at\s+it together|appointment|meet\b|talk\b|again\b"
)
_OTHERS = _any(
    r"also (?:talk|look|speak|in touch|got|have|ask|invit|see)\w*|talking to\b|speaking (?:to|with)|competit\w*|rivals?\b|alternative\w*|other (?:one|offer|quote|vendor|supplier)\w*|compar(?:e|es|ing|ed)\b|up against|versus\b|vs\.?\b|(?:quote|offer|proposal)s? (?:\S+ ){0,4}from|presented|short-?list\w*|evaluat\w*|looking at|in the running|made us an offer|in the race|besides us|apart from us|still in\b|in play|pitch(?:ed|ing)?|bidding|demoed|right now\b|currently (?:use|on|with)|on the table|their POC|asked (?:you and|only)"
)
_PAST = _any(
    r"used to\b|until (?:two|last|20)|till (?:20|last)|binned|dropped (?:it|them)|years ago|went bust|moved off|got rid|glad to see the back|at the last place|formerly|that'?s over|no longer|ruled out|out of the race|not gatehouse|had \w+ (?:till|until)"
)
_WORRY = _any(
    r"worr(?:y|ied|ies)\w*|concern\w*|afraid|fear\w*|scared|too (?:expensive|dear|much|slow|complicated|long)|expensive|pric(?:e|ey)\w* (?:is|bothers|hurts|per)|sticking point|doubt\w*|hesita\w*|not (?:so )?sure (?:about|whether|if|it)|unsure|unhappy with|complain\w*|bother\w*|warm to|(?:do(?:es)?n'?t|did ?n'?t|don'?t|not) (?:\w+ )?like\b|do not like|risk\w*|resistance|objection\w*|issue with|problem with|not comfortable|uncomfortable|deal-?breaker|ties? me down|lock-?in|reservation\w*|nervous|put off|crashed|absence of|stop us|stands? in the way|catch\b|reluctan\w*|scepti\w*|skepti\w*|what if\b|noted as a risk|against it|furious about|regret\w*|can'?t talk to|hard to\b"
)
_WANTS = _any(
    r"need(?:s|ed|ing)?\b|want(?:s|ed)?\b|requir\w*|must\b|has to be able|have to be able|pain\b|headache|problem\b|trouble\b|looking for|is after|after is|struggl\w*|hurts?\b|awake|issue\b|challenge|by hand|on paper\b|manual\w*|fixed\b|goal\b|aim\b|wish\w*|would like|we'd like|that'?s the itch|has to stop|get rid of|nobody knows|can'?t see|can ?not see|out of date|wrong\b|lost\b|missed|late\b|mess\b|chaos|errors?\b|vanish\w*|drown\w*|whiteboard|spreadsheet|excel\b|costs? us\b|the thing that"
)
_STEPS = _any(
    r"legal(?: review| dept| department| people)?\b|security (?:review|check|questionnaire|people|team|audit)|information security|works council|data protection|procurement|tender\w*|pilot\b|proof of concept|proof\b|\bpoc\b|(?:three|two|3) quotes|reference (?:visit|call|check)|union\b|ethics|audit\b|risk assessment|self-assessment|site visit|negotiation|due diligence|compliance|privacy|vendor (?:onboarding|assessment)|board (?:approval|paper|meeting)|committee|trial\b|test phase|IT (?:check|review|department)|contract review|credit check|bake-?off|scoring|RFP|tender"
)
_STEP_CUE = _any(
    r"before\b|first\b|then\b|has to\b|have to\b|must\b|needs? to\b|steps?\b|procedure\b|process\b|mandatory|carry out|go(?:es)? through|looks? at|after (?:it|that|which)|obtained|consulted|gives? an opinion|foreseen|required|without (?:it|that)|only after|wants? (?:a|to)|will (?:do|run|check|review|be)|checks?\b|takes? (?:about |them )?\w+ weeks?|selected in|beforehand|insist\w*"
)
_OURS_DO = re.compile(
    r"\b(?:I|we)(?:'ll| will| shall|'m going to| am going to|'m to| am to| owe| promised| undertake| agreed to| said (?:I|we)'?d| said we would|'ve said we'?d| gave (?:my|our) word| lend| send| bring| get (?:him|her|them|you)| put together| prepare)\b"
    r"|^(?:i'?m sending|sending|i send|to send|send (?:him|her|them)|owe (?:him|her|them)|me to|we to|my to-?dos?|action (?:us|me))\b|\b(?:the )?(?:vendor|supplier(?:'s team)?|our side|us)\b\s*(?::|shall|will|to\b|undertakes)|\bI'?ve promised\b|\b(?:i|we) send\b|\bon (?:me|us):",
    re.IGNORECASE,
)
_THEIRS_DO = re.compile(
    r"\b(?:she|he|they|[A-Z][\wà-ÿ-]+(?: [A-Z][\wà-ÿ-]+)?|customer|society[^:]*|client)(?:'ll| will| shall| is going to| promised(?: to)?| agreed to| undertook to| sends?| provides?| gets (?:me|us|back)| checks with| owes us| is to| lets? (?:me|us) know)\b (?!be\b|have\b|sign|decide|need|want|cost|take\b)"
    r"|\b(?:society|customer|client)[^:.]{0,30}:\s|\bthem to\b",
    re.IGNORECASE,
)
_GLAD = _any(
    r"delighted|loves?\b|loved\b|thrilled|enthusias\w*|excited|impressed|best thing|very happy|so happy|over the moon|raved|glowing|really liked"
)
_CROSS = _any(r"frosty|furious|annoyed|angry|regrets?\b|frustrated|disappointed|upset|fed up|livid|irritated|red one\b")
_CORRECTED = re.compile(
    r"\b(?:no,? sorry|sorry,? no|scratch that|i mean|make that|no wait|no,? hang on|correction|should have (?:said|been)|should be|disregard|came down|rather|or (?:no|rather)|no sorry)\b",
    re.IGNORECASE,
)
#: What the judge looks for in a sentence, and in the question before it.
CUES = (
    _NOT, _IMAGINED, _FUNDS, _NO_FUNDS, _DECIDES, _TITLE, _BY_WHEN, _MEETING, _OTHERS, _PAST, _WORRY, _WANTS, _STEPS, _STEP_CUE, _OURS_DO, _THEIRS_DO,
    _GLAD, _CROSS, _CORRECTED,
)  # fmt: skip
ASKED_CUES = (_FUNDS, _DECIDES, _OTHERS, _WORRY, _STEPS, _WANTS)
_MOST_QUOTE = 260


def fact_of(kind: FactKind, sentence: Sentence, confidence: float, **more: object) -> Fact:
    """A fact that rests on a whole sentence."""
    quote = " ".join(sentence.text.split())[:_MOST_QUOTE]
    return Fact(kind=kind, quote=quote, start=sentence.start, end=sentence.end, confidence=round(confidence, 2), **more)


class Rules:
    """Reads sentence by sentence, and remembers who was met."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.facts: list[Fact] = []
        self.people: list[str] = []
        self.customer = ""

    def read(self, sentence: Sentence) -> list[Fact]:
        """What a sentence says; a question says nothing itself."""
        self.facts = []
        if sentence.ours is False and sentence.speaker and not self.customer:
            self.customer = sentence.speaker
        self._meet(sentence)
        if sentence.asks:
            return []
        promised = self._promise(sentence)
        met = self._meeting(sentence, promised=promised)
        if sentence.ours is not True or sentence.age > 0:
            self._budget(sentence)
            self._competitor(sentence)
            if not self._step(sentence):
                self._authority(sentence)
            worried = self._worry(sentence)
            if not (promised or met):
                self._timeline(sentence)
                if not worried:
                    self._need(sentence)
            self._mood(sentence)
        return self.facts

    def _add(self, kind: FactKind, sentence: Sentence, confidence: float, **more: object) -> None:
        self.facts.append(fact_of(kind, sentence, confidence, **more))

    def _meet(self, sentence: Sentence) -> None:
        for match in NAME.finditer(sentence.text):
            name = " ".join(match["name"].split())
            if " " in name and name not in self.people:
                self.people.append(name)

    def plainly(self, kind: FactKind, sentence: Sentence) -> list[Fact]:
        """The fact of a kind in a sentence that surely tells one, whatever its words; none where what it must name is not named."""
        said = sentence.text
        last = _CORRECTED.search(said) is not None
        days = self.days(said) if kind in ("timeline", "promise", "next_meeting") else []
        if kind in ("need", "objection", "process"):
            return [fact_of(kind, sentence, 0.0)]
        if kind == "promise":
            return [fact_of(kind, sentence, 0.0, who=_promiser(sentence), day=days[0][0] if days else None)]
        if kind in ("timeline", "next_meeting"):
            return [fact_of(kind, sentence, 0.0, day=days[-1 if last or kind == "next_meeting" else 0][0])] if days else []
        if kind == "budget":
            found = list(amounts(said))
            if not found:
                return []
            amount, currency, _at = found[-1] if last else max(found, key=lambda item: (bool(item[1]), -item[2]))
            return [fact_of(kind, sentence, 0.0, amount=amount, currency=currency)]
        if kind == "authority":
            who = _who(said, self.people) or (sentence.speaker if re.search(r"\b(?:I|me|my)\b", said) else "")
            return [fact_of(kind, sentence, 0.0, who=_person(who))] if who else []
        if kind == "competitor":
            return [fact_of(kind, sentence, 0.0, who=name) for name in self._products(said)]
        mood = "positive" if _GLAD.search(said) else "negative" if _CROSS.search(said) else ""
        return [fact_of(kind, sentence, 0.0, who=mood)] if mood else []

    def _products(self, said: str) -> list[str]:
        """Capitalised names in a sentence that are nobody's who was met."""
        found: list[str] = []
        begun: list[str] = []  # what begins a sentence has a capital anyway
        for match in re.finditer(r"\b[A-ZÀ-Þ][\wà-ÿ]*[a-zA-Z0-9][\wà-ÿ]*(?: [A-Z][\wà-ÿ]+)?\b", said):
            name = match.group()
            first = match.start() == 0 or said[: match.start()].rstrip().endswith((".", "!", "?", ":"))
            known = any(name in person or person.split()[0] == name.split()[0] for person in self.people)
            if not (known or _plain_word(name.split()[0]) in _COMMON or _TITLE.fullmatch(name)):
                (begun if first else found).append(name)
        return found or begun

    # --- money and people ------------------------------------------------------------------------------------

    def _budget(self, sentence: Sentence) -> None:
        said = f"{sentence.text}"
        asked = bool(_FUNDS.search(sentence.answers)) and "?" in sentence.answers
        if not (_FUNDS.search(said) or asked) or _IMAGINED.search(said) or "applied for" in said.lower():
            return
        found = list(amounts(said))
        if not found:
            return
        clauses = re.split(r"[,;:()]|\b(?:but|though|and then|while)\b", said)
        amount, currency, at = found[-1] if _CORRECTED.search(said) else max(found, key=lambda item: (bool(item[1]), -item[2]))
        clause = _clause_at(said, clauses, at)
        if _NO_FUNDS.search(clause) and not _FUNDS.search(clause):
            return
        if _NOT.search(clause) and not re.search(r"not a (?:penny|cent)|no sorry|not more than|no more than", said, re.IGNORECASE):
            return
        sure = 0.85 if _FUNDS.search(clause) else 0.65
        if _NO_FUNDS.search(clause):
            sure -= 0.3
        self._add("budget", sentence, sure, amount=amount, currency=currency)

    def _authority(self, sentence: Sentence) -> None:
        said = sentence.text
        asked = (
            bool(_DECIDES.search(sentence.answers)) and re.search(r"\bwho\b|\bboss\b|\byou the one\b", sentence.answers, re.IGNORECASE) is not None
        )
        cue = _DECIDES.search(said)
        if cue is None and not asked:
            return
        if _IMAGINED.search(said) or re.search(
            r"\b(?:no clue|no idea|don'?t know|couldn'?t say|wouldn'?t say|wldn'?t say|not named|nobody has worked out|unclear|who signs\?)\b",
            said,
            re.IGNORECASE,
        ):
            return
        myself = re.search(
            r"\bI(?:'m| am) the one\b|\bI (?:can )?sign\b|\bI decide\b|\bit'?s my (?:call|decision|company)\b|\bdecides? (?:herself|himself|alone)\b|\bI own\b|\bI can sign\b",
            said,
        )
        if myself is not None and not _negated(said, myself.start()):
            who = sentence.speaker or self.customer or (self.people[0] if self.people else "")
            if re.search(r"herself|himself", myself.group()):
                who = _name_before(said, myself.start()) or who
            if who:
                self._add("authority", sentence, 0.8, who=_person(who))
            return
        for clause in re.split(r"[,;:]\s|\bbut\b|\bwhile\b|\. ", said):
            if not (_DECIDES.search(clause) or asked) or _NOT.search(clause):
                continue
            who = _who(clause, self.people)
            if who:
                self._add("authority", sentence, 0.75 if _DECIDES.search(clause) else 0.6, who=who)
                return
        whole = _who(said, self.people) if cue is not None and not _NOT.search(said) else ""
        if whole:
            self._add("authority", sentence, 0.65, who=whole)

    def _competitor(self, sentence: Sentence) -> None:
        said = sentence.text
        cue = _OTHERS.search(said)
        if cue is None or _PAST.search(said):
            return
        for match in re.finditer(r"\b[A-ZÀ-Þ][\wà-ÿ]*[a-zA-Z0-9][\wà-ÿ]*(?: [A-Z][\wà-ÿ]+)?\b", said):
            name = match.group()
            first = match.start() == 0 or said[: match.start()].rstrip().endswith((".", "!", "?", ":"))
            known = any(name in person or person.split()[0] == name for person in self.people)
            if known or _plain_word(name.split()[0]) in _COMMON or first and name.lower() in _COMMON or abs(match.start() - cue.start()) > 90:
                continue
            if first and not re.match(r"[A-Z][a-z]+[A-Z]|[A-Z]\w+ (?:presented|made|pitched|did|is|has|came)", said[match.start() :]):
                continue
            if _TITLE.fullmatch(name):
                continue
            self._add("competitor", sentence, 0.7, who=name)

    # --- what they need and fear -------------------------------------------------------------------------------

    def _need(self, sentence: Sentence) -> None:
        said = sentence.text
        if len(said.split()) < 4 or _FUNDS.search(said) and list(amounts(said)) or _DECIDES.search(said):
            return
        strong = _any(
            r"wants? (?:that|it|a|to)|need(?:s|ed)?\b|requir\w*|must\b|looking for|is after|headache|pain\b|problem is|trouble is|awake|that'?s the itch|has to stop|fixed\b|would like|we'd like|what still hurts|the thing\b|issue\b"
        ).search(said)
        if strong is not None and not _imagined_near(said, strong.start()):
            self._add("need", sentence, 0.75)
        elif _WANTS.search(said):
            self._add("need", sentence, 0.5)

    def _worry(self, sentence: Sentence) -> bool:
        cue = _WORRY.search(sentence.text)
        if (
            cue is None
            or re.match(r"(?:no|nothing|not at all)\b", sentence.text, re.IGNORECASE)
            or re.search(r"\b(?:no|without any|not) (?:concern|worr|objection|doubt)", sentence.text, re.IGNORECASE)
        ):
            return False
        if _PAST.search(sentence.text):
            return False
        self._add("objection", sentence, 0.7)
        return True

    def _step(self, sentence: Sentence) -> bool:
        steps = list(_STEPS.finditer(sentence.text))
        if not steps or not _STEP_CUE.search(sentence.text):
            return False
        cue = steps[0]
        if _negated(sentence.text, cue.start()):
            return False
        for step in steps[:3]:
            self._add("process", sentence, 0.65, who=step.group())
        return not re.search(r"award|sign|final|decid", sentence.text, re.IGNORECASE)

    def _mood(self, sentence: Sentence) -> None:
        for mood, words in (("positive", _GLAD), ("negative", _CROSS)):
            cue = words.search(sentence.text)
            if cue is not None and not _negated(sentence.text, cue.start()) and sentence.ours is not True:
                self._add("sentiment", sentence, 0.7, who=mood)

    # --- days ------------------------------------------------------------------------------------------------

    def days(self, text: str) -> list[tuple[date, When]]:
        """The days still to come that a text names, a month or quarter by its last; what is past is left out."""
        try:
            found = find_times(tokenise(expand(text)), self.clock)
        except Invalid:  # an impossible day says nothing
            return []
        days = []
        for when in found:
            day = when.day_ahead(self.clock.today)
            if self.clock.today <= day < self.clock.today + timedelta(days=1500) and (when.edge == "until" or when.period.days < 400):
                days.append((day, when))
        return days

    def _timeline(self, sentence: Sentence) -> None:
        said = sentence.text
        asked = re.search(r"\b(?:when|by when|date|deadline|timeline|how soon)\b", sentence.answers, re.IGNORECASE) is not None
        if not (_BY_WHEN.search(said) or asked) or re.search(r"\bperhaps\b|\bmaybe\b|who knows|might\b|wasn'?t sure|heard that", said, re.IGNORECASE):
            return
        days = self.days(said)
        if not days or _amount_only(said, days):
            return
        day = days[-1][0] if _CORRECTED.search(said) else days[0][0]
        if _NOT.search(said) and re.search(r"\b(?:no date|not before|not this|nothing|aren'?t buying|too early)\b", said, re.IGNORECASE):
            return
        self._add("timeline", sentence, 0.75 if _BY_WHEN.search(said) else 0.62, day=day)

    def _meeting(self, sentence: Sentence, *, promised: bool) -> bool:
        cue = _MEETING.search(sentence.text)
        if cue is None:
            return False
        days = self.days(sentence.text)
        if not days or days[-1][0] <= self.clock.today:
            return False
        strong = re.search(
            r"next (?:call|meeting|talk|session|workshop|chat|round|visit|demo|appointment)|again|reconvene|sit(?:ting)? down|demo\b|follow-?up|let'?s|speak on|slot|fixed for|diary|meet\b|together|instead",
            sentence.text,
            re.IGNORECASE,
        )
        if strong is None or promised and not re.search(r"again|next|together|sail|fixed", sentence.text, re.IGNORECASE):
            return False
        if re.search(r"\bno follow-?up\b|nothing in the diary|not booked", sentence.text, re.IGNORECASE):
            return False
        self._add("next_meeting", sentence, 0.75, day=days[-1][0])
        return True

    def _promise(self, sentence: Sentence) -> bool:
        said = sentence.text
        ours, theirs = _OURS_DO.search(said), _THEIRS_DO.search(said)
        if sentence.ours is False:  # the customer speaks: "I" is they
            ours, theirs = None, ours
        elif sentence.ours is True:
            theirs = None
        done = False
        for side, cue in (("us", ours), ("them", theirs)):
            if cue is None or _negated(said, cue.start()) or re.search(r"\bif\b", said[: cue.start()], re.IGNORECASE):
                continue
            if sentence.ours is not None and not _GIVES.search(said):
                continue
            clause = _rest_of(said, cue.start())
            days = self.days(clause)
            self._add("promise", sentence, 0.7, who=side, day=days[0][0] if days else None)
            done = True
        return done


_GIVES = _any(
    r"send\w*|sent\b|share|forward|provide\w*|prepare\w*|put together|bring\b|get (?:you|him|her|them|back)|introduce|draft\w*|write\w*|set up|check\b|ask\b|call (?:you|him|her)|let (?:you|me) know|have (?:it|them|the \w+) (?:with|over)|collect|mail\w*|email\w*|drop\b|lend|return|hand in|publish|confirm\w*|come back|find out|organi[sz]e|book\b|speak to|talk to"
)
_COMMON = frozenset(
    "then spend contract steps funds attendees present sorry thanks anything nothing i the a an we they he she it monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december christmas easter"
    " excel english german french dr mr ms mrs hi hello dear yes no but and so if when what who how our their your this that these those also for on in at by to with from as of is are was q1 q2 q3 q4 it's ceo cfo coo cio cto md it hr ok okay thanks re fw aw eu uk us usd eur gbp chf pdf soc sso poc rfp".split()
)


def amounts(text: str) -> Iterator[tuple[Decimal, str, int]]:
    """Amounts of money in a text, with currency and place: numbers with a currency, or of at least a thousand and no year and no count."""
    written = expand(without_points(text))
    tokens = tokenise(written)
    for edge in quantity_edges(tokens):
        number = edge.quantity
        if number is None or number.percent or number.ordinal:
            continue
        following = tokens[edge.end].norm if edge.end < len(tokens) else ""
        year = not number.scaled and not number.currency and 1900 <= number.value < 2100
        if number.value < 1000 and not number.currency or year or following in _COUNTED:
            continue
        yield number.value, number.currency, min(tokens[edge.first].start, len(text) - 1)


def _amount_only(text: str, days: list[tuple[date, When]]) -> bool:
    """Whether the only time in a text is a bare number that may be an amount."""
    return all(re.fullmatch(r"\d{4}", " ".join(text.split()[when.first : when.end])) is not None for _day, when in days)


def _promiser(sentence: Sentence) -> str:
    """Which side a promise is of, by who speaks, or of whom a note tells."""
    if sentence.ours is not None:
        return "us" if sentence.ours else "them"
    return (
        "us" if re.search(r"\b(?:I|we|me|us|our|my)\b|^(?:send|sending|to send|will|need to|prepare|get)\b", sentence.text, re.IGNORECASE) else "them"
    )


def _clause_at(text: str, clauses: list[str], at: int) -> str:
    place = 0
    for clause in clauses:
        place = text.find(clause, place)
        if place <= at <= place + len(clause):
            return clause
        place += len(clause)
    return text


def _negated(text: str, at: int) -> bool:
    """Whether a denial stands shortly before a place."""
    return _NOT.search(text[max(0, at - 22) : at]) is not None


def _imagined_near(text: str, at: int) -> bool:
    return _IMAGINED.search(text[max(0, at - 40) : at]) is not None


def _name_before(text: str, at: int) -> str:
    names = [match["name"] for match in NAME.finditer(text[:at]) if match["name"].lower() not in _COMMON]
    return " ".join(names[-1].split()) if names else ""


def _person(name: str) -> str:
    return (
        " ".join(re.sub(r"\(.*?\)|<.*?>|,.*$", "", name).split()).title()
        if name.isupper()
        else " ".join(re.sub(r"\(.*?\)|<.*?>|,.*$", "", name).split())
    )


def _who(clause: str, people: list[str]) -> str:
    """The person or body that a clause names as deciding: a full name first, then a title, then one name of somebody met before."""
    names = [_untitled(" ".join(match["name"].split())) for match in NAME.finditer(clause)]
    names = [name for name in names if _plain_word(name.split()[0]) not in _COMMON and not _TITLE.fullmatch(name)]
    full = [name for name in names if " " in name]
    if full:
        return full[0]
    title = _TITLE.search(clause)
    if title is not None:
        return re.sub(r"^(?:the|our|their|an?) ", "", title["title"], flags=re.IGNORECASE)
    known = [person for name in names for person in people if name in person.split()]
    if known:
        return known[0]
    addressed = re.search(r"\b(?:Mr|Ms|Mrs|Dr|Sister)\.? (?P<name>[A-Z][\wà-ÿ-]+)", clause)
    return addressed["name"] if addressed is not None else ""


def _untitled(name: str) -> str:
    """A name without the job before it: "MD Colin Fairweather"."""
    plain = re.sub(rf"^(?:{_TITLES}) (?=\S)", "", name, flags=re.IGNORECASE)
    return plain or name


def _plain_word(word: str) -> str:
    return re.sub(r"['’]\w*$", "", word.lower())


def _rest_of(text: str, at: int) -> str:
    """The clause that begins at a place."""
    match = re.search(r"[.;]\s|\band (?:she|he|they|we|I)\b", text[at + 3 :])
    return text[at : at + 3 + match.start()] if match is not None else text[at:]
