"""Ways of saying a step in a conversation, put into the plain words that the grammar reads.

People rarely say "by region" or "only Leeds". They say "break that out by region", "carve it up between the regions",
"zoom in on Leeds", "put the biggest on top", "swap calls for meetings", "plus January". The verbs and their pictures are
without end, the steps that they stand for are few: split, narrow, order, replace, add, lower or raise a bound, show. Each
entry rewrites one picture into the words of its step and leaves what it is about as it was said. Nothing here names
anything of a company.

Verbs that change records (set, move, push, change, add a ... to) are never rewritten: a command must stay one.

``ALWAYS`` holds in any message, ``ALONE`` in one that is a question of its own, ``LEANING`` only where there is a question before to take the step from.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from assistant.language.tokens import is_verbatim

Entry = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_SPLITTING = (
    r"(?:break|breaking|broken|broke|split|splitting|divide|dividing|divided|carve|carved|carving|chop|chopped|slice|sliced|slicing|cut|cutting"
    r"|separate|separated|spread|distribute|distributed|allocate|allocated|partition|segment|segmented|bucket|unpack|unpacked|split up|itemise|itemize)"
)
_INTO = r"(?:by(?! (?:the )?(?:number|count|total|sum|amount)\b)|into|between|across|over|among|amongst|per|along|according to|on the basis of)"
_IT = r"(?:it|that|this|them|those|these|the (?:figure|number|total|sum|amount|result|count|list|lot|whole|whole thing)|that (?:figure|number|total|sum|amount|one))"
_COUNTING = r"(?:the |all |our |all the )?(?:two|three|four|five|six|seven|both|various|different|individual|single|respective)"
_NARROWING = (
    r"(?:zoom(?:ing)? in(?:to)?(?: on| to)?|zero(?:ing)? in on|drill(?:ing)?(?: down)? into|drill(?:ing)? down (?:on|to)|focus(?:ing)? (?:just |only )?on|concentrat(?:e|ing) on"
    r"|narrow(?:ing)? (?:"
    + _IT
    + r" )?(?:down )?to|limit(?:ing)? (?:"
    + _IT
    + r" )?(?:just |only )?to|restrict(?:ing)? (?:"
    + _IT
    + r" )?to|stick(?:ing)? (?:to|with)"
    r"|stay(?:ing)? (?:with|on|in)|keep(?:ing)? (?:" + _IT + r" )to|confine (?:" + _IT + r" )?to|home in on|pick out|single out|isolate)"
)
_BOUND = r"(?:it|that|this|the (?:bar|limit|threshold|minimum|maximum|cut-?off|floor|ceiling|bound))"
_LOOKING = (
    r"(?:let (?:us|me) |can (?:we|i|you) |could (?:we|i|you) |may i |i would like to |i want to |please )*"
    r"(?:have|take|get|give me|give us) (?:a |an )?(?:closer |close |quick |good |proper |better |detailed )?(?:look|peek|glance|view) (?:at|into|of)|"
    r"(?:let (?:us|me) |can (?:we|i) |could (?:we|i) |i would like to |i want to )(?:look|peek|peer) (?:more closely |closer |closely |harder )?(?:at|into)|"
    r"(?:let (?:us|me) |can (?:we|i) |could (?:we|i) )?(?:open up|bring up|pull up|get up|call up)"
)
_UP = r"(?:biggest|largest|highest|best|top|greatest|strongest|most expensive|dearest|priciest|richest|heaviest)"
_DOWN = r"(?:smallest|lowest|worst|least|weakest|cheapest|poorest|lightest)"
_OPENERS = (
    r"^((?:(?:and|ok|okay|so|but|now|then|right|sorry|hm+|no|actually|well|good|great|fine|alright|also|please|cool|thanks|hang on|wait)[,.]? )*)"
)


def _compiled(*entries: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[Entry, ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), plain) for pattern, plain in entries)


ALWAYS: tuple[Entry, ...] = _compiled(
    # split
    (rf"\b(?:how (?:is|are|was|were|does|do|did) )?{_IT} (?:is |are |was |were |get )?{_SPLITTING} (?:down |out |up |apart )?{_INTO}\b", "by"),
    (rf"\b{_SPLITTING} {_IT} (?:down |out |up |apart )?{_INTO}\b", "by"),
    (
        rf"\b{_SPLITTING} (?:down |out |up |apart )?(?:the )?((?:(?!by\b|into\b|between\b|across\b|per\b|over\b|out\b|down\b|up\b)[\w&'’.-]+ ){{1,5}}?)(?:down |out |up |apart )?(?:into|between|across|among|amongst) (?:its |their |the )?",
        r"\1 by ",
    ),
    (rf"\b(?:{_SPLITTING}) (?:down |out |up |apart )?(?:between|among|amongst)\b", "by"),
    (rf"\b(by|per|between|across|among) {_COUNTING} (?=[a-z-]+s\b)", r"by "),
    (
        r"(?<!in )\b(person|rep|seller|owner|team|region|product|customer|company|industry|stage|month|week|quarter|year|source|city|country) by \1\b",
        r"by \1",
    ),
    (
        r"\ball (?:the |of the |our )?([\w -]{3,25}?s)(?: all)? (?:next to (?:each other|one another)|side by side|one by one|alongside each other)\b",
        r"by all \1",
    ),
    (
        r"\bby (?:the )?(?:people|persons|folks|members|colleagues|everyone|everybody)(?: (?:in|on|of) (?:the|my|our|their|that) (?:team|teams|sales team))?\b(?! (?:at|who|that|with))",
        "by rep",
    ),
    (
        r"\bby where (?:it|they|that|those|these|(?:the |our |all )?(?:\w+ ){1,2}?)(?:came|come|comes|originated|originate|originates|stems?|stemmed|hails?) from\b",
        "by source",
    ),
    (
        r"\bby who(?:ever)? (?:is |was |has |had )?(?:owns?|owned|handles?|handled|won|sold|made|closed|got|booked|brought|looks? after|carries|carried|took|lost|created)(?: (?:it|them|that|those|the \w+))?(?: in)?\b",
        "by owner",
    ),
    (r"\bby why (?:we|they|it|those) (?:lost|were lost|was lost|fell through)(?: (?:it|them|those))?\b", "by loss reason"),
    # order
    (
        rf"\b(?:put|with|show|list|have|start with|starting with|order (?:{_IT} )?with|sort (?:{_IT} )?with)?\s?(?:{_IT} )?(?:with )?(?:the )?{_UP}(?: ones?| deals?| amounts?| values?| figures?| parts?)? (?:first|on top|at the top|up top|to the top|leading)\b",
        " highest first",
    ),
    (
        rf"\b(?:put|with|show|list|have|start with|starting with|order (?:{_IT} )?with|sort (?:{_IT} )?with)?\s?(?:{_IT} )?(?:with )?(?:the )?{_DOWN}(?: ones?| deals?| amounts?| values?| figures?| parts?)? (?:first|on top|at the top|up top|to the top|leading)\b",
        " lowest first",
    ),
    (rf"\b(?:rank|order|sort|arrange) {_IT}(?: (?:by|in order of) (?:size|value|amount|worth))?$", "highest first"),
    (r"\b(?:walk|take|run|talk|guide|lead|get) (me|us|him|her|them) through\b", "show"),
    (
        r"\b(than|with|against|vs\.?|versus|as) (?:we did |it was |they were |what we did |in |that of |those of )?the (quarter|month|week|year) (?:before|prior|previous|preceding)(?: (?:that|it|to that|to it|this))?(?=$|[,.?!])",
        r"compared with the previous \2",
    ),
    (
        r"\b(?:how many |how much )?(?:days|time|weeks|long) (?:(?:does|did|do|it|us|take|took|on|average|elapsed|passed|pass|go|goes|by|was|is|were|the|mean|our|we) ){0,6}(?:from|between) (?:\w+ ){0,2}?(?:opening|creation|creating|created|open|opened|start|starting|entry)"
        r"(?: \w+){0,3}? (?:to|and|until|till) (?:getting |being |it |is |was |a |the |them ){0,3}(?:won|win|winning|close|closed|closing|signing|signature|signed)\b",
        " sales cycle",
    ),
    (r"\b(companies|customers|clients|accounts|contacts|people|leads) (?:that )?(?:we have |are )?(?:on|in) (?:our|the) books\b", r"\1"),
    (
        r"\b(?:(?:order|sort|rank|arrange) (?:it|them|that|those|these) )?(?:from )?(?:the )?(?:(?:best|strongest|top) to (?:the )?(?:worst|weakest|bottom)|(?:biggest|largest|highest|most) to (?:the )?(?:smallest|lowest|least)|high to low)\b|\bin descending order\b",
        "highest first",
    ),
    (
        r"\b(?:(?:order|sort|rank|arrange) (?:it|them|that|those|these) )?(?:from )?(?:the )?(?:(?:worst|weakest|bottom) to (?:the )?(?:best|strongest|top)|(?:smallest|lowest|least) to (?:the )?(?:biggest|largest|highest|most)|low to high)\b|\bin ascending order\b",
        "lowest first",
    ),
    # figures said otherwise
    (
        r"\b(?:what|which) (?:percentage|percent|proportion|share|%)(?: of (?:our |the |all )?(?:deals|opportunities|opps|bids|decisions))? (?:are|do|did|have|has|is|does) (we|i|they|he|she|[\w' ]{2,30}?) (?:winning|win|won)\b",
        r"win rate of \1",
    ),
    (r"\b(?:as|in) (?:a )?(?:percentage|percent|%),? what (?:are|do|did|have) (we|i|they) (?:winning|win|won)\b", r"win rate of \1"),
    (r"\bhow often (?:do|did|have|are) (we|i|they) (?:win|won|winning)\b", r"win rate of \1"),
    (r"\bdid (?:we|i|they|it) win how often\b", "win rate"),
    (rf"\b{_UP} (win|sale)(?=$|[ ,.?!])(?! rate)", "biggest won deal"),
    (rf"\b{_UP} loss(?=$|[ ,.?!])(?! reason)", "biggest lost deal"),
    (rf"\b{_DOWN} (win|sale)(?=$|[ ,.?!])(?! rate)", "smallest won deal"),
    (r"\bby (?:the )?(?:expected )?(?:close|closing|close date|closing date) (month|quarter|week|year)\b", r"by \1"),
    (r"\bby (month|quarter|week|year) of (?:the )?(?:expected )?(?:close|closing|closure)\b", r"by \1"),
    # state and time
    (
        r"\b(?:stuck|sitting|sat|stalled|parked|been|stayed|staying|remained|lingering|languishing) (?:in|at) (?:its|their|the same|one|the one|a|the current|their current|its current) stage (?:for |since )?((?:more than|over|at least|longer than|beyond) \w+ (?:days|weeks|months))",
        r"in stage for \1",
    ),
    (
        r"\b(?:no|without|without any|without a) (?:contact|activity|touch|word|sign of life)(?: for| since| in the last| in)? (\w+ (?:days|weeks|months))\b",
        r"without activity in \1",
    ),
    (
        r"\b(have|has|had|with|got|having|is|are) (?:nothing|no thing|not anything) (?:open|running|going|active|live)(?: with us| at the moment| right now| currently)?\b",
        r"\1 no open deals",
    ),
    (
        r"\b(have|has|had|with|got|having) (?:nothing|not anything) (?:scheduled|planned|booked|lined up|in the diary|coming up)\b",
        r"\1 no open tasks",
    ),
    # whose
    (
        r"\bwho(?: is| are|'s) (?:currently |now |still )?(?:handling|working on|looking after|in charge of|responsible for|dealing with|taking care of|assigned to|(?:carrying|running|managing)(?= (?:it|them|this|that|these|those|the )))\b",
        "who owns",
    ),
    (r"\bwho (?:looks? after|takes? care of|handles|manages|runs|deals with|is on) (them|those|these|it|that)\b", r"who owns \1"),
    (r"\bwho (changed|moved|edited|touched|updated|altered|pushed) (the [\w ]{3,25}?|it|that) last\b", r"who last \1 \2"),
    (
        r"\b(?:on )?(?:which|what) (?:day|date) (did|was|were|is|has|have|will) (?=(?:it|that|this|we|they|he|she|i|the|its|their|his|her)\b)",
        r"when \1 ",
    ),
    (r"\bsince (?:what|which) (?:day|date) (has|have|is|was)\b", r"since when \1"),
    (r"\b(\w+)-(?:sourced|led|generated|originated)\b", r"from \1"),
    (
        r"\b(?:(?:i am |i'm |we are |just |am )?(?:prepp(?:ing|ed)|preparing|getting ready|prep) (?:for )?|for )(?:my|the|our|a|his|her) (?:1:1|1 ?on ?1|1-on-1|1-1|one[- ]on[- ]one|one[- ]to[- ]one|121|catch-?up)s?(?: with)?\b",
        "",
    ),
    (r"\bwho (?:does|do|did) (it|that|this|they|those|that one|this one) belong to\b", r"who owns \1"),
    (r"\b(who|how|what|where|when|why)'?d (?=(?:i|we|they|he|she|it|you|[a-z]+) )", r"\1 did "),
    # asked politely
    (r"^(\w+)[,.]? when[?.!]*$", r"when \1"),
    (
        r"\bwho (?:should|shall|do|can|could) (?:we|i) (?:ring|call|contact|talk to|speak to|speak with|email|e-mail|mail|phone|reach out to|approach)(?: there| about it)?\b",
        "who is the contact",
    ),
    (
        r"\b(?:set|put|lay|line up|have|see|show) (?:all of |all )?(?:us|them|those|these|everyone|everybody|the team) (?:all )?(?:side by side|next to each other|alongside each other)\b",
        "",
    ),
    (r"(?<!in )\b(?:person|colleague) by (?:person|colleague)\b", "by rep"),
    (r"(?:^|,)\s*(?:for |by )?all (?:the )?(?:people|persons|colleagues|staff|reps|of us|members)(?=,|[.?!]|$)", ", for everyone"),
    (
        r",? (?:if (?:that is |that's |it is |at all )?(?:possible|okay|ok|alright|feasible)|if (?:you|i) (?:can|could|may|would|do not mind|don't mind)|would you mind|if you please)(?=[,.?!]|$)",
        "",
    ),
    (r"\b(?:would|is) it (?:be )?possible (?:for you )?to\b", "please"),
    (r"\bwould you (?:mind|be so kind as to)\b", "please"),
    (r"\b'?em\b(?=[,.?!]|$)", "them"),
    (_OPENERS + rf"(?:{_LOOKING})\s(?=\w)", r"\1show "),
    (
        _OPENERS
        + r"(?:i|we) (?:was|were|am|are) (?:really |only |just |actually )?(?:after|looking for|asking for|asking about|hoping for|interested in|thinking of)\s(?=\w)",
        r"\1",
    ),
    (_OPENERS + r"(?:i|we) (?:would )?(?:actually |rather |really )*(?:prefer|like|love) (?:to )?(?:see|have|get|know)\s(?=\w)", r"\1show "),
    (
        r"\bwho (?:decides|makes the decision|has the final say|calls the shots|takes the decision)(?: there| on (?:it|that|this|that deal)| at| for it)?(?=$|[,.?!])",
        "who is the decision maker",
    ),
    (
        r"\bwhat (?:do|should|must|shall) (?:i|we|she|he|they) (?:need |have |want )?(?:to )?do next(?= on| with| about| for| there|$|[,.?!])",
        "what is the next step",
    ),
    (r"\bwhat(?: is|'s) (?:she|he|he's|[a-z]+) (?:meant|supposed|due) to (?:be doing|do) next\b", "what is the next step"),
    (
        r"\b(?:for )?(?:every|each) combination (?:of|from|between) (?:the )?([\w' ]{3,25}?) (?:and|with|by) (?:the )?([\w' ]{3,25}?)(?=$|[,.?!]| please)",
        r"by \1 and \2",
    ),
    (r"\bby what they (?:bought|spent|purchased|ordered)(?: (?:from|with) us)?\b", "by won value"),
    (r"\btill\b", "until"),
    (r"\b(on|in) average,? (?:our|the|my|all) (?=\w+s\b)", r"\1 average "),
    (r"\b(pushed|moved|shifted|postponed|put)(?: out)? to (?:a )?later(?: date)?(?= (?:last|this|in|during|since)\b|$|[,.?!])", r"\1 back"),
    (r"\b(companies|customers|clients|accounts) where (?:there is|there are|there's|we have|we have got) (?=(?:an?|any|open|some) )", r"\1 with "),
    (
        r"\b(?:what|which) (?:number|figure|amount|sum) (?:do|does|did|must|should|will|would) ([\w ']{1,30}?) (?:have to |need to |supposed to |must |meant to )?(?:hit|reach|make|achieve|bring in|deliver)\b",
        r"what is the target of \1",
    ),
    (
        r"\bhow much (?:am|are|is) ([\w ']{1,30}?) (?:supposed|meant|expected|required|due) to (?:sell|win|close|bring in|book|deliver)\b",
        r"what is the target of \1",
    ),
    (r"\btarget of (?:i|me)\b", "my target"),
    (r"\btarget of (?:we|us|the (?:whole |entire )?company)\b", "target"),
    (r"\b(?:made|make|makes|hit|hits|reach|reached) (?:their|his|her|our|my|the) (?:number|figure|quota|target)s?\b", "quota attainment"),
    (r"\bthe company's (?=[a-z])", "our "),
    (
        r"(?:\bis |\bare )?(?:a |the )?(?:subsidiary|daughter|branch) (?:company )?of (?:whom|who|which company|what company|what)(?=$|[,.?!])",
        ", what is its parent company",
    ),
    (
        r"\b(?:what|which) (?:line of business|sector|branch of industry|trade) (?:is|are|does|do) ([\w&'. -]{3,50}?) (?:in|work in|belong to|operate in)(?=$|[,.?!])",
        r"what is the industry of \1",
    ),
    (r"\bclose won\b", "win"),
    (
        r"\bwith (?:the )?([\w' ]{3,30}?) (?:on|down|along) (?:one|the one) (?:side|axis) and (?:the )?([\w' ]{3,30}?) (?:on|across|along) the (?:other|top)(?: side| axis)?",
        r"by \1 and \2",
    ),
    (r"\badds? up to (?=in |during |for |over |this |last |at |\?|$)", "total "),
    (r"\bover all (?=(?:the |our |my )?[a-z]+s\b)", "of all "),
    (r"\b(?:and |over |of |in |across )?all (?:the )?(?:years|quarters|months)(?=$|[,.?!])", " of all time"),
    (r"(\bweek),? (?:from )?monday (?:to|through|until|till|-) (?:sunday|friday)\b", r"\1"),
    (r"\b(each|every|per|by|which|what) (?:kinds?|sorts?) of (?=\w)", r"\1 "),
    (r"\b(?:that|which|of which) ([\w' ]{3,30}?) is (?:the |an )?owner(?: of)?(?=$|[,.?!])", r"owned by \1"),
    (
        r"\b(?:which|what) (?:company|group|firm|corporation) does ([\w&'. ]{3,40}?) belong to(?: as an? (?:subsidiary|daughter|branch|part))?(?=$|[,.?!])",
        r"what is the parent company of \1",
    ),
    (
        r"\bhow (?:is|was) (?:the )?(?:opportunity |deal |opp )?([\w&'. -]{3,50}?) (?:categori[sz]ed|classed|classified) in (?:the|our) forecast",
        r"what is the forecast category of \1",
    ),
    (r"\bhow ([\w&'. -]{3,50}?) (?:is|was) (?:categori[sz]ed|classed|classified) in (?:the|our) forecast", r"the forecast category of \1"),
    (r"\beach (?:one )?of us(?: (?:on|in) (?:the|my|our) team)?\b", "each rep on my team"),
    (
        r"\b(?:where|for which|that) (?:nobody|no ?one|somebody has not|someone has not) (?:has |have |had )?(?:entered|filled in|recorded|set|put in|added|noted|given|logged) (?:a |an |the |any )?(?:deal )?([\w ]+?)(?: yet| so far)?(?=$|[,.?!])",
        r"without \1",
    ),
    (r"\beverything (?:that (?:was|is|has been) )?logged as (?:a |an )?(call|meeting|email|note|task)s?\b", r"all \1s"),
    (r"\b(have|has|having) left to (?:close|win)\b", r"\1 closing"),
    (r"\bprice tag\b", "amount"),
    (r"\baccts?\b", "account"),
    (r"\bcusts?\b", "customer"),
    (
        r"\b(?:across|throughout) the (?:company|business|firm|organi[sz]ation|board|whole house)(?=$|[,.?!]| (?:by|this|last|in|since))",
        "overall",
    ),
)

#: In a question of its own this says nothing that is not so anyway; a mere step it would leave with a condition that it takes back.
ALONE: tuple[Entry, ...] = _compiled(
    (r",? (?:no matter|regardless of|irrespective of) (?:when|how|who)\b[^,.?!]*", ""),
    (
        r",? (?:whoever|whosever|whose ?ever|whoever's) (?:it|they|that|those|these|the \w+)? ?(?:is|are|was|were|belongs?|belonged|owns?|has|holds?)?(?: it| them| to)?(?=$|[,.?!])",
        "",
    ),
)
_OWN_QUESTION = re.compile(r"\b(?:which|how many|how much|list|show|what)\b", re.IGNORECASE)

LEANING: tuple[Entry, ...] = _compiled(
    (r"(?<=\w) rather than\s[^,.?!;:]+", " instead"),
    # narrow
    (_OPENERS + rf"(?:please |can you |could you |let us |let me )*{_NARROWING}\s", r"\1only "),
    (_OPENERS + r"(?:just )?give me (?:just |only )\b", r"\1only "),
    (
        _OPENERS + r"([\w' .&-]{2,30}?) (?:sticks out|stands out|jumps out|looks?(?: \w+){1,2}?|seems?(?: \w+){1,2}?"
        r"|is(?: very| too| quite| really| rather)? (?:low|high|weak|strong|up|down|bad|good|poor|behind|ahead|off|interesting|odd|strange))(?: there| here)?[,.:;]?\s"
        r"(?=what|how|who|which|why|when|show|list)",
        r"\1\2, ",
    ),
    (
        r"\b(?:leave out|leaving out|drop|exclude|excluding|ignore|skip|remove|without|take out) (?:everyone|everybody|all|everything|anyone|anything|those|the ones|all those)"
        r" (?:outside|not in|not from|who (?:is|are) not in|that (?:is|are) not in)(?: of)?\b",
        "only in",
    ),
    # another bound
    (
        rf"\b(?:lower|raise|drop|bump|increase|decrease|reduce|cut|lift) {_BOUND}(?: down| up)? (?:to|at) (?=[$€£]?\d)",
        "make it ",
    ),
    (r"\b(?:lower|raise|drop|bump|increase|decrease|reduce|cut|lift) (?:down |up )?to (?=[$€£]?\d)", "make it "),
    # replace
    (_OPENERS + r"(?:swap|switch|exchange|trade|substitute) (?:out )?(?:the )?[\w' -]{2,30}? (?:for|with|to|against)\s(.+)$", r"\1\2 instead"),
    (_OPENERS + r"replace (?:the )?[\w' -]{2,30}? (?:by|with)\s(.+)$", r"\1\2 instead"),
    (_OPENERS + r"(?:switch|flip|jump|go|hop)(?: over| on| across)?(?: it| that| this)? to\s(?!(?:zero|\d))(.+)$", r"\1\2 instead"),
    # add
    (
        _OPENERS
        + r"(?:add(?! up)|include|throw in|put in|count in|bring in|fold in)\s(?!a\b|an\b|note|task|call|contact|lead|deal|new\b|.*\bto (?!(?:it|that|this|them)\b))(.+?)(?: as well| too| also| on top| to (?:it|that|this|them))?[.!]?$",
        r"\1plus \2",
    ),
    (r"^([\w' -]{2,30}?)(?: ones)? (?:included|counted in|thrown in|as well as before)[.!]?$", r"plus \1"),
    # count and worth
    (
        r"\b(?:across|over|from|on|in|off|out of) how many (deals|opportunities|opps|tickets|leads|accounts|companies|orders)\b",
        r"how many \1 was that",
    ),
    (
        rf"\b(?:see|have|get|want|show|show me|give me)?\s?(?:{_IT} )?in (?:money|cash)(?: terms)?(?: instead)?\b(?=$|[,.?!])",
        " in value",
    ),
    # what they were
    (
        _OPENERS
        + r"(?:what|which) (?:were|are|was|is) (?:the|their|its) (reasons?|stages|regions|sources|industries|owners|teams|products|cities|countries|categories|priorities|pipelines)"
        + r"(?: (?:for|behind|of) (?:that|this|those|these|them|it))?[?!.]*$",
        r"\1by \2",
    ),
    (r"\b(?:of )?what(?: is|'s| was) left\b", "of them"),
    (r"\bthe money\b", "the value"),
    (
        r"\b(top (?:\d+|two|three|four|five|six|ten)|the first (?:\d+|two|three|five)) (?:is|are|would be|will be|will) (?:enough|fine|plenty|sufficient|do|ok|okay)\b",
        r"\1",
    ),
    # one of two
    (r"\bthe (?:smaller|cheaper|lesser|lower)(?: one)?(?: of (?:the two|them|those|these))?(?=$|[,.?!:])", "the smallest one"),
    (r"\bthe (?:bigger|larger|dearer|higher|greater)(?: one)?(?: of (?:the two|them|those|these))?(?=$|[,.?!:])", "the biggest one"),
    (r"\bthe older(?: one)?(?: of (?:the two|them|those|these))?(?=$|[,.?!:])", "the oldest one"),
    (r"\bthe (?:newer|younger)(?: one)?(?: of (?:the two|them|those|these))?(?=$|[,.?!:])", "the newest one"),
)


def plainer(message: str, *, leaning: bool, money: frozenset[str] = frozenset()) -> str:
    """The message with its pictures put into plain words; ``leaning`` where there is a question before it.

    ``money`` are the words for the company's own currency: "split the dollars by rep" asks for amounts where those are
    dollars, and for another currency elsewhere.
    """
    if is_verbatim(message):
        return message
    text = message
    if leaning and money:
        own = "|".join(re.escape(word) for word in sorted(money) if word.isalpha())
        text = re.sub(rf"\b(in|the) (?:{own})(?= |[,.?!]|$)", lambda match: f"{match.group(1)} money", text, flags=re.IGNORECASE)
    alone = not leaning or _OWN_QUESTION.search(message) is not None
    for pattern, plain in (*ALWAYS, *(ALONE if alone else ()), *(LEANING if leaning else ())):
        text = pattern.sub(plain, text)
    return text
