"""Tokens: words with their place in the message, folded, with plural and possessive endings set apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from assistant.language.written_dates import spell_dates
from assistant.language.written_numbers import spell_numbers
from crm_core.text import fold

_WORD = re.compile(
    r"""[\w.+-]+@[\w-]+(?:\.[\w-]+)+      # an address
      | \d{4}-\d{2}-\d{2}                  # an ISO day
      | \d{1,2}[./]\d{1,2}[./]\d{2,4}      # 3/4/2026
      | \d{1,2}/\d{1,2}(?![\d/])           # 3/4
      | [$€£¥]?\d+(?:,\d{3})*(?:\.\d+)?%?(?:[a-zA-Z]+\b)?   # numbers, 20k, 3rd, 50%
      | [<>]=?                             # comparisons
      | [^\W\d_](?:[\w&]|['’](?=\w)|-(?=\w))* # words, Q3, o'neil, follow-up
      | [+&](?=\s)                            # a written "and"
      | [-–—](?=\s)                         # a dash between two things
      | [?!,;:()]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word. ``norm`` is folded; ``capital`` tells a capital in the middle of a sentence, a hint of a name."""

    text: str
    norm: str
    start: int
    end: int
    capital: bool

    @property
    def is_word(self) -> bool:
        """Whether it is more than punctuation."""
        return bool(self.norm) or self.text[:1] in "<>"


def tokenise(message: str) -> list[Token]:
    """The words of a message, punctuation left out; possessive ``'s`` is dropped from ``norm``."""
    message = message.replace("’", "'")
    tokens: list[Token] = []
    for match in _WORD.finditer(message):
        text = match.group()
        core = text
        if core.lower().endswith("'s"):
            core = core[:-2]
        elif core.lower().endswith("s'"):
            core = core[:-1]
        if text in "+&":
            core = "and"
        elif text in "-–—":
            core = "to" if _between_times(tokens, message, match.end()) else ","
        norm = core.lower() if "@" in core or core[0] in "<>$€£¥" or core[0].isdigit() else fold(core)
        if norm or text in "<>":
            tokens.append(Token(text, norm, match.start(), match.end(), text[0].isupper()))
    return tokens


def _between_times(before: list[Token], message: str, at: int) -> bool:
    """Whether a dash stands between two numbers or days: ``Nov 2 - Nov 15``."""
    last = before[-1].norm if before else ""
    following = message[at:].lstrip()[:3].lower()
    return last[-1:].isdigit() and (following[:1].isdigit() or following in _MONTH_STARTS)


_MONTH_STARTS = frozenset({"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"})
_CONTRACTIONS = {
    "what's": "what is",
    "whats": "what is",
    "who's": "who is",
    "whos": "who is",
    "where's": "where is",
    "how's": "how is",
    "hows": "how is",
    "that's": "that is",
    "it's": "it is",
    "i'm": "i am",
    "i'd": "i would",
    "we'd": "we would",
    "i'll": "i will",
    "we've": "we have",
    "i've": "i have",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "aren't": "are not",
    "haven't": "have not",
    "hasn't": "has not",
    "wasn't": "was not",
    "weren't": "were not",
    "can't": "can not",
    "let's": "let us",
    "we're": "we are",
    "they're": "they are",
    "who've": "who have",
    "what're": "what are",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "havent": "have not",
    "hasnt": "has not",
    "isnt": "is not",
    "gimme": "give me",
    "w/o": "without",
    "w/": "with",
    "e-mail": "email",
    "e-mails": "emails",
    "lemme": "let me",
    "wanna": "want to",
    "shes": "she is",
    "hes": "he is",
    "she's": "she is",
    "he's": "he is",
    "theyre": "they are",
    "thats": "that is",
    "n't": "not",
    "ths": "this",
    "teh": "the",
    "wich": "which",
    "adn": "and",
    "taht": "that",
    "thier": "their",
    "my personal": "my own",
    "us dollars": "usd",
    "american dollars": "usd",
    "canadian dollars": "cad",
    "dollars canadian": "cad",
    "australian dollars": "aud",
    "swiss francs": "chf",
}
_CONTRACTED = re.compile(r"(?<!\w)(" + "|".join(re.escape(word) for word in sorted(_CONTRACTIONS, key=len, reverse=True)) + r")(?!\w)", re.IGNORECASE)


#: What is done to reach somebody, and the kind of activity that it leaves.
_REACHED = r"met|visited|seen|called|phoned|rung|e-?mailed|mailed|written to"


def _reached(verb: str) -> str:
    return "meeting" if verb.lower() in ("met", "visited", "seen") else "call" if verb.lower() in ("called", "phoned", "rung") else "email"


def _range(match: re.Match[str]) -> str:
    """ "50-120" as a range, where it is none of years or of days."""
    first, second = int(match.group(1)), int(match.group(2))
    return f"between {first} and {second}" if first < second and not 1900 <= first <= 2100 else match.group()


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*"
#: Shorthand as pattern and what it stands for, in the order they are written out.
_SHORTHAND: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), full)
    for pattern, full in (
        (
            r"\b(?:fiscal|financial|business)\s(?:year\s)?((?:19|20)?\d{2})\b|\bfy\s((?:19|20)?\d{2})\b",
            lambda match: f"FY{match.group(1) or match.group(2)}",
        ),
        (r"(?<=\d)['’](?=\d{3}\b)", ""),  # 100'000
        (r"\bcompany-?wide\b", ""),
        (r"\bi\.?e\.(?=\W)|\be\.?g\.(?=\W)", ","),
        (r"\b(FY\d{2,4}|20\d{2})[ ,/-]+(Q[1-4])\b(?!\s+\d)", r"\2 \1"),  # FY2026 Q1
        (r"(?<![\w.,])(\d+)\+(?=\s|$)", r"at least \1"),  # 2+ times
        (r"^((?:and|ok|okay|so|but),?\s)?do(?:es)? (they|he|she) (?:still |currently )?(?:have|has|got) (?:any |some |an |a )?", r"list \2 "),
        (r"(?:(?<=\s)|^)#\s*(?=[A-Za-z])", "number of "),  # "# closed-won YTD"
        (r"[\s,]#\s*$", " count"),
        (r"\bin (?:place|lieu) of\b", "instead of"),
        (rf"\b({_MONTH}|q[1-4]) (?:of )?(?:a|one) year (?:ago|earlier|before|prior)\b", r"\1 last year"),
        (r"(?<=\w)\sinstead of\s[^,.?!;:]+", " instead"),  # what is replaced is known
        (r"\b(have|has|having|contain|contains|containing|with|include|includes)\s([^,.?!;]{1,40}?)\sin (?:them|it)(?=$|[,.?!;]|\s*$)", r"\1 \2"),
        (r"\bwhich of (?:us|our people|our reps|our colleagues|my people)\b", "who"),
        (r"\b(?:leave|take|keep|filter|throw|kick)\s(?!us\b|me\b|it\b)((?:the\s)?\w[\w -]{1,30}?)\sout\b(?!\sof)", r"without \1"),
        (r"\bbefore the (year|quarter|month|week) is (?:out|over|through|done)\b", r"before the end of the \1"),
        (r"^.*\b(?:he|she|they|who)\s(?:wants?|needs?|would like)\s(?:me\s)?to\s(?:know|see|have)\s", ""),
        (r"(?<![\w/.-])[$€£]?(\d+(?:\.\d+)?)(k|m|mn)?\s?[-–]\s?[$€£]?(\d+(?:\.\d+)?)(k|m|mn)\b", r"between \1\2 and \3\4"),  # 100k-250k
        (r"\bon or before\b", "by"),
        (r"\bon or after\b", "since"),
        (r"\bqtr(s?)\b", r"quarter\1"),
        (r"\bsept\b(?!\.)", "september"),
        (
            r"\b(?:gone |went |for )?(\w+) (days|weeks|months) without (?:any |an |a )?(activity|contact|touch|call|meeting|email)\b",
            r"without \3 in \1 \2",
        ),
        (r"\bi mean[t]?\b(?!\s+(?:is|are))", ","),
        (r"\band so (?:on|forth)\b|\betc\b\.?|\band the (?:rest|others)\b|\bvs the rest\b|\band every other(?: \w+)?\b", " andothers "),
        (rf"\b({_MONTH})\s?[-–]\s?({_MONTH})\b", r"\1 to \2"),  # Jul-Sep
        (rf"\b({_MONTH})\s(\d{{1,2}})\s?[-–]\s?(\d{{1,2}})\b(?!\d)", r"\2 \1 to \3 \1"),  # Nov 9-15
        (rf"\b(\d{{1,2}})\s?[-–]\s?(\d{{1,2}})\s({_MONTH})\b", r"\1 \3 to \2 \3"),  # 9-15 Nov
        (r"\b(\d{1,3})\s?d\b", r"\1 days"),
        (r"\b(\d{1,2})\s?mos?\b", r"\1 months"),
        (r"\b(\d{1,2})\s?(?:wks?|w)\b", r"\1 weeks"),
        (r"(?<=\d)-(day|week|month|year)s?\b", r" \1s"),
        (
            r"((?:^|\s)(?:[$€£#%]|count|value|amount|number|pipeline|deals|opps|tickets|leads|calls|meetings|revenue|bookings))\s?/\s?(?=[a-z])",
            r"\1 per ",
        ),
        (r"(?<=\w)\sv\.?\s(?=\w)", " vs "),
        (r"\b(?:financial|fin|tax|accounting|fisc)\.?\s(year|yr|quarter|month)\b", r"fiscal \1"),
        (r"\bfytd\b", "fiscal year to date"),
        (r"\b(?:whole |entire |full )?fiscal year so far\b|\bso far (?:this|in this|in the) fiscal year\b", "fiscal year to date"),
        (r"\bfiscal yr\b", "fiscal year"),
        (r"\breasons? (?:of|for) (?:the )?loss(?:es)?\b", "loss reason"),
        (r"\b(who|that|which|he|she|it|company|customer|client|account)'?s got\b|\b(who|that|which) is got\b", r"\1\2 has"),
        (r"\b(\d[\d.,]*k?)\s?([a-z]{1,12})(?:\+| or (?:more|bigger|larger|higher|above|over|greater))(?=$|[\s,.?!])", r"at least \1 \2"),
        (r"\bmins\b", "minutes"),
        (r"\btix\b", "tickets"),
        (r"\b(more|higher|bigger|less|lower|larger|greater|smaller|older|longer|fewer) then (?=[$€£]?\d)", r"\1 than "),
        (
            rf"(\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}(?: \d{{4}})?|\b{_MONTH} \d{{1,2}}(?:, \d{{4}})?|\b\d{{4}}),? (?:at |by )?(?:the )?(?:end|close) of (?:the )?(?:day|business)\b",
            r"\1",
        ),  # "on 30 June, end of day"
        (r"\b(?!final\b)fin[a-z]{3,6}al (year|yr|quarter|month)\b", r"fiscal \1"),
        (
            r"\b(?:the |our )?fiscal year (?:that )?(?:ended|ending|finished|closed) (?:in |on )?(?:the end of )?[a-z]+(?= |$|[,.?!])(?! \d{4})",
            "last fiscal year",
        ),
        (r"\b(?:we have |we've |have |has )?not (?:once|a single time|one time) (?=(?:won|lost|met|called|mailed|bought|sold))", "never "),
        (
            r"\b(?:for|on|at|with|in) which (?:there (?:is|was) )?no (e-?mail|call|meeting|task)s? (?:has been |have been |was |were |is |are )?(?:logged|made|recorded|held|noted|sent|planned)?",
            r"without a \1",
        ),
        (r"\b(?:have|has|had)(?:n't| not) had (?:a single|any|one|an?) (e-?mail|call|meeting)s?\b", r"without a \1"),
        (r"\bno (e-?mail|call|meeting)s? (?:ever|at all|logged|on record)(?: with (?:them|him|her))?(?: at all)?\b", r"without any \1s"),
        (
            rf"\b(contacts?|people|persons?|customers?|clients?|companies|accounts?|leads?) (?:that |who |whom )?(?:we|i) (?:have |had |'ve )?({_REACHED})\b(?! (?:by|that|in order))",
            lambda match: f"{match.group(1)} with a {_reached(match.group(2))}",
        ),
        (rf"\bbut (?:not|have not|has not|never) (?:yet )?({_REACHED})\b", lambda match: f"but without any {_reached(match.group(1))}s"),
        (r"\b(?:no|without(?: any| an?)?) (e-?mail|call|meeting)s? (?:activity|activities|contact)\b", r"without any \1s"),
        (
            rf"\b(?:have |has |had |were |was )?never (?:yet )?(?:been |been sent an )?({_REACHED})\b",
            lambda match: f"without any {_reached(match.group(1))}s",
        ),
        (
            r"\bfiscal (?=ytd\b|year to date\b|(?:year|quarter|month) before\b)|(?<=\bthat )fiscal (?=year|quarter)|(?<=\bsame )fiscal (?=year|quarter)",
            "",
        ),
        (r"\bwin\s?rate", "win rate"),
        (r"\bexcl\.?(?=\s)", "excluding"),
        (r"\bincl\.?(?=\s)", "including"),
        (r"^\w+ here[,:.]\s", ""),
        (r"\b(?:across|in|for|of|throughout)\s(?:the|our)\s(?:entire|whole)\s(?:company|business|organi[sz]ation|firm)\b", ""),
        (r"\b(?:leaving|leave|setting|set|putting|put)\s((?:the\s)?[\w][\w -]{1,30}?)\saside\b", r"without \1"),
        (r"\beach of the ((?:last|past|previous) \w+ (week|month|quarter|year)s)\b", r"the \1 by \2"),
        (r"\bthe (week|month|quarter|year) before this one\b", r"last \1"),
        (r"\bgoing back (\w+ (?:days|weeks|months|years))(?: from (?:today|now))?\b", r"in the last \1"),
        (r"\b(\w+ (?:days|weeks|months|years)) back (?:until|till|to|up to) (?:now|today)\b", r"in the last \1"),
        (r"(?<=[a-z] )([1-9]\d{0,5})\s?[-–]\s?([1-9]\d{1,5})(?=$|[\s,.?!])(?!\s(?:" + _MONTH + r")\b)", _range),
        (
            r"\b(?:nobody|no one|noone) (?:has |have |had )?(?:yet )?(?:entered|put in|put|filled in|set|given|added|recorded) (?:a |an |the |any )?",
            "without ",
        ),
        (r"(?<!\S)#(?=\s|$|\s?of\b)", "number of"),
        (r"(?<!\S)[$€£](?=[\s,.?!)]|$)", "value"),
        (r"(?<=\s)%(?=[\s,.?!)]|$)|^%(?=\s)", "percentage"),
        (r"(?<=[a-z])/(?=[a-z])", " / "),
        (r"\bno later than\b|\bnot later than\b|\bat the latest by\b", "by"),
        (r"\bclosed-(won|lost)\b", r"closed \1"),
        (r"\b((?:more|less|longer|older|younger) than|over|under|at least) an? (day|week|month|year)\b(?! ago)", r"\1 1 \2"),
        (r"\ball-time\b|\blifetime\b", "all time"),
        (r"\b(year|quarter|month)-to-date\b", r"\1 to date"),
    )
)


#: Commands whose words are kept as they were said: what happened, a task, a next step.
_VERBATIM = re.compile(
    r"\W*(?:(?:please|ok|okay|and|now|just|i|we|have|can you|could you)[,\s]+)*(?:log|note|record|enter|remind|had|met|spoke|talked|called|rang|phoned"
    r"|(?:add|create|make|put|set|set up)\b[^,.:;?]{0,20}?\b(?:tasks?|to-?dos?|to do|reminders?|follow-?ups?|notes?|calls?|meetings?|emails?)"
    r"|(?:(?:set|change|update|make|put) )?(?:the |its |their )?next step)\b",
    re.IGNORECASE,
)


def is_verbatim(message: str) -> bool:
    """Whether a message is a command whose own words are kept, so that nothing of it may be left out or put otherwise."""
    return _VERBATIM.match(message) is not None


def _asked_alone(message: str) -> str:
    """The message without who asks and what for."""
    return _REASON.sub(
        "", _PURPOSE.sub("", _NEEDED_FOR.sub("", _ASKED_BY.sub("", _WANTED_BY.sub("", _OCCASION.sub("", _ON_BEHALF.sub("", message))))))
    )


def expand(message: str) -> str:
    """The message with contractions and common shorthand written out."""
    verbatim = is_verbatim(message)
    message = spell_numbers(message)
    message = spell_dates(message if verbatim else _asked_alone(message))
    text = _CONTRACTED.sub(lambda match: _CONTRACTIONS[match.group().lower()], message.replace("’", "'"))
    for pattern, full in () if verbatim else _SHORTHAND:
        text = pattern.sub(full, text)
    return text


_REQUEST = r"(?:(?:i|we|he|she|they)\s(?:just\s|only\s|also\s)?(?:need|want|would\slike|must|should\sknow|have\sto)|wants?\sto\sknow|asked\s(?:me|us)\sfor|is\sasking|please|can\syou|could\syou)\b"
#: "The CFO is asking me for ...": who wants to know changes nothing.
_ON_BEHALF = re.compile(
    r"^(?:the|our|my|some)\s[\w ]{2,30}?\s(?:is asking|keeps asking|asked|asks|wants to know|wanted to know|would like to know|needs to know|wants|needs)\s(?:(?:me|us)\s(?:for\s|about\s)?|for\s|about\s|to\sknow\s|(?=how\b|what\b|which\b|who\b|when\b|the\b|a\b|an\b|our\b|list\b|numbers\b|figures\b))",
    re.IGNORECASE,
)
#: "Vincent asked me how much ...": who wants to know changes nothing.
_ASKED_BY = re.compile(
    r"^(?:[\w'’.-]+\s){1,4}?(?:asked|asks|is\sasking|keeps\sasking|wants|wanted|needs|would\slike|told|tells|bugs|pings|pinged)\s(?:me\s|us\s)?(?:again\s)?"
    r"(?:to\s(?:know|see|have|tell|check|find\sout)\s|about\s|for\s)?(?:him\s|her\s|them\s|so[,:]?\s|this[,:]?\s)?(?=(?:total|number|sum|how|what|which|who|whose|when|where|list|the\slist)\b)",
    re.IGNORECASE,
)
#: "The bank wants a forecast", "buying team wants ...": who wants it.
_WANTED_BY = re.compile(
    r"^(?!(?:which|who|what|how|show|list|any|did|do|does|have|has|find|give|count|is|are|i|we|you|please|my|our)\b)(?:(?!in\b|at\b|with\b|stage\b|for\b|i\b|we\b|you\b)[\w'’.-]+\s){1,4}?"
    r"(?:wants?|needs?|asks?\sfor|asked\sfor|keeps\sasking(?:\sfor)?|is\sasking\sfor|would\slike)\s(?:so\s|their\s|his\s|her\s|me\sfor\s|me\s)?(?!to\b|anything\b|something\b)",
    re.IGNORECASE,
)
#: "I am putting together a slide and want ...", "for the Monday call": what it is for, before the question.
_OCCASION = re.compile(
    r"^(?:i'?m|i\sam|we\sare|we're|im)\s[^,.?!;:]*?\sand\s(?:i\s|we\s)?(?:want|need|would\slike)\s"
    r"|^for\s(?:the|my|our|a)\s(?:[\w-]+\s){0,2}(?:call|meeting|review|slides?|deck|report|presentation|board|brochure|offsite|newsletter|catch-?up|stand-?up|audit)\b(?:\s(?:tomorrow|today|tonight|later|at\s\d+|on\s\w+day))?[,:]?\s(?=\w)"
    r"|\sbefore\s(?:the|my|our|their)\s(?:\w+\s){0,2}(?:meeting|call|review|visit|trip|session)\b",
    re.IGNORECASE,
)
#: "... so i can bring it up on Monday", "because i meet them later": why it is asked, at the end.
_REASON = re.compile(
    r"[\s,]+(?:so\s(?:that\s)?(?:i|we|he|she|they)\s(?:can|could|may|might|know|am|are)\b|(?:because|cause|cuz|since|as)\s(?:i|we|he|she|they|my|the\sboss)\s(?!own|went|chose|picked|preferred|found|thought|had|got|lacked|missed|bought|took|were|said)|before\s(?:i|we)\s(?:go|meet|call|talk|leave|ring|present)\b)[^.?!;:]*$",
    re.IGNORECASE,
)
#: "... need it for the bonus": what the answer is for.
_NEEDED_FOR = re.compile(r"[\s,;.–-]+(?:i\s|we\s)?need\s(?:it|this|that|them|the\snumber)\s(?:for|by|before|to|in)\b[^.?!;:]*", re.IGNORECASE)
#: ", need to prep for the Monday call": what the answer is for changes nothing.
_PURPOSE = re.compile(
    r"[,;.–-]\s*(?:i\s|we\s|cause\s|because\s|as\s)*(?:need|have|want|got|trying|going)\s(?:it\s|this\s|that\s|them\s)?to\s(?:prep|prepare|get\sready|plan|present|report|call|ring|phone|meet|see|talk|speak|go|leave|run)\b[^,.?!;]*",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\s(?="
    + _REQUEST
    + r")|\sso(?=\s(?:how|what|which|who|whose|when|where|show|give|list|tell|name|quickly|please|can\syou|could\syou)\b)|,(?=\s)|[.?!;:\n]+(?=\s|$)|\s[-–—]+\s|\s/\s|,\s(?=so\b|but\b|what\b|which\b|how\b|who\b|show\b|give\b|list\b|can\b|could\b|i\b|and\s(?:what|which|how|who)\b)",
    re.IGNORECASE,
)


def clauses(message: str, tokens: list[Token]) -> list[int]:
    """For each token, the number of the clause it stands in; sentences, dashes and turns of speech part clauses."""
    cuts = [match.start() for match in _CLAUSE.finditer(message)]
    return [sum(cut < token.start for cut in cuts) for token in tokens]


def singular(word: str) -> str:
    """A regular English singular; the word itself where it has none."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
