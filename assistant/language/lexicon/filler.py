"""Words that a question about the CRM can do without, and those among them that say something where they narrow records."""

from __future__ import annotations

#: Words that carry no meaning for a question about the CRM.
FILLER = frozenset(
    """
according contents calendar ditto percentile percentiles filter filters forget lift undo clear containing table start starts starting shown chronological crosstab cut slice role creating row better worse stronger weaker chart graph personal often supposed plz nr filled times period periods preceding separately separate member members andothers sorry oops wait correction prep prepping helpful meant wanted nope yep yeah yup nah earlier instead hang hmmm alright understood expect expecting
field fields toward towards wide begin begins beginning starts probability stage-probability though although yet anyone
recorded provide along altogether marked counting whatever creation ended level levels stored other others asking rank hands use using taking took take across
order regardless needed somebody someone afternoon today morning holding hold complete entire flagged terms meaning means number numbers rate listed
entry entries entered spent slow use compares differ quantities calculate compute state company-wide full please history lifetime bought buy get getting gets got goes gone
back look-up somewhere falls fall marking overview situation part split single every sitting held
later earlier row rows line lines way going wise side individual different various single certain particular typically usually normally personally
fully simply straight forward forwards onwards apiece alike leave next everybody's everyones thats whats alone themselves ourselves myself
needs wants want wanted wish interested prepare preparing slide slides deck report reports email's talking tell leadership review
came rather w colleague wrote
uses used ouch wow silly sadly yikes phew gosh ugh haha lol aha hooray oh aw forever attributable folks guys lot bunch crowd side gang batch everybody reckon imagine guess suppose obviously
date empty blank remind beginning very atm rn nowadays committed waiting stuck
money percent percentage hours minutes split break down breakdown compare comparing comparison list listing names name spend spends stay stays keep keeps ordered sorted descending ascending developed develop included include including everybody big large whose achieved reached hit achieve reach atm board takes quantity behind previous per cent reason because reasons due sum totals address person single located based
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

#: Filler that says something all the same where it stands right before what is asked for: "big deals", "personal contacts".
DESCRIBING = frozenset(
    """
    big large fast slow wide good great fine nice well better worse stronger weaker different various particular certain flagged committed
    waiting stuck complete located based ordered bought personal leadership separate preceding filled quick available assigned table start
    """.split()
)
