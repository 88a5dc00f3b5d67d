"""How answers read: the number first, then what it is of, then what stands out, from computed results only."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm_core.metrics.definitions import METRICS, Metric, Unit
from crm_core.metrics.fields import NOUN_SHAPES, Field, Kind
from crm_core.metrics.listing import ListResult
from crm_core.metrics.movement import STEPS, Movement
from crm_core.metrics.question import Group, MetricResult, Share
from crm_core.money import exponent, format_money
from crm_core.periods import FAR_FUTURE, FAR_PAST, Period, format_day
from crm_core.services.history import HistoryView
from crm_core.text import join_words, plural, pluralise

_TENTH = Decimal("0.1")


def show_value(value: Decimal | None, unit: Unit, currency: str) -> str:
    """A figure as people write it: ``$12,500``, ``38.5%``, ``86.5 days``, ``1.4x``, ``1,204``."""
    if value is None:
        return "none"
    if unit is Unit.money:
        return format_money(value, currency)
    if unit is Unit.percent:
        return f"{_rounded(value)}%"
    if unit is Unit.times:
        return f"{_rounded(value)}x"
    if unit in (Unit.days, Unit.hours):
        word = unit.value[:-1] if _rounded(value) == "1" else unit.value
        return f"{_rounded(value)} {word}"
    return f"{int(value):,}" if value == value.to_integral_value() else f"{_rounded(value)}"


def _rounded(value: Decimal) -> str:
    text = f"{value.quantize(_TENTH, rounding=ROUND_HALF_UP):,}"
    return text.removesuffix(".0")


def show_period(period: Period) -> str:
    """With its preposition: ``in Q3 2026 (1 Jul to 30 Sep 2026)``, ``since 2 Nov 2026``, ``on 4 Mar 2026``, ``over all time``."""
    if period.first <= FAR_PAST and period.end >= FAR_FUTURE:
        return "over all time"
    if period.first <= FAR_PAST or period.end >= FAR_FUTURE:
        return period.describe()
    if period.days == 1:
        return f"on {format_day(period.first)}"
    if period.label and period.label[:1].isdigit() or period.label.startswith(("last ", "next ", "the same")):
        return f"in the {period.describe()}".replace("in the the", "in the").replace("in the 20", "in 20")
    return f"in {period.describe()}" if period.label else f"from {period.describe()}"


def show_cell(value: Any, item: Field, currency: str) -> str:
    """A raw list value as people read it."""
    if value is None or value == "":
        return "–"
    if item.kind is Kind.money:
        return format_money(Decimal(str(value)), currency)
    if item.kind in (Kind.day, Kind.instant):
        return show_day(value)
    if item.kind is Kind.boolean:
        return "yes" if value in (True, 1) else "no"
    if item.kind is Kind.number and isinstance(value, int | float):
        return f"{value:,}" + (f" {item.unit}" if item.unit else "") if item.name != "id" else str(value)
    return str(value)


def show_day(value: Any) -> str:
    """``4 Mar 2026`` from a day, an instant or ISO text."""
    if isinstance(value, datetime):
        return format_day(value.date())
    if isinstance(value, date):
        return format_day(value)
    try:
        return format_day(date.fromisoformat(str(value)[:10]))
    except ValueError:
        return str(value)


def show_instant(moment: datetime) -> str:
    """``4 Mar 2026``: the day of an instant, in the zone that it carries."""
    return format_day(moment.date())


def movement_text(result: Movement, said: list[str], step: str, *, why: bool) -> tuple[str, str]:
    """How the pipeline came from then to now, or what one step did; and its outcome."""
    whose = _whose(said, result.scope)
    window = f" expected to close {show_period(result.period)}" if result.period else ""
    first, last = show_instant(result.first), show_instant(result.end)

    def money(minor: int) -> str:
        return format_money(abs(minor), result.currency)

    if step:
        amount, count = result.steps.get(step, (0, 0))
        if not count:
            return f"Nothing of what was{window} on {first}{whose} was moved out of it until {last}.", "empty"
        parts = [f"**{money(amount)}** in {plural(count, 'deal')}{whose} was{window} on {first} and has been moved out of it since."]
        of = (
            f"That is {_rounded(Decimal(abs(amount)) * 100 / result.opening_minor)}% of {money(result.opening_minor)} then."
            if result.opening_minor
            else ""
        )
        parts.append(of)
        if why:
            parts.append("The table shows who moved which date; the reason is not kept with it, so ask what was said about a deal.")
        return " ".join(part for part in parts if part), "answered"
    change = result.closing_minor - result.opening_minor
    verb = "grew by" if change > 0 else "shrank by" if change < 0 else "is unchanged, with"
    head = (
        f"Open pipeline{window}{whose} {verb} **{money(change)}**: from {money(result.opening_minor)} in {plural(result.opening_deals, 'deal')} "
        f"at the start of {first} to {money(result.closing_minor)} in {plural(result.closing_deals, 'deal')} on {last}."
    )
    steps = [f"{STEPS[name][0]} {'+' if amount >= 0 else '−'}{money(amount)} ({count})" for name, (amount, count) in result.steps.items()]
    told = f" {join_words(steps)[:1].upper()}{join_words(steps)[1:]}." if steps else " No deal came, went or changed its amount."
    return head + told, "answered"


def _whose(said: list[str], scope: str) -> str:
    others = [words for words in dict.fromkeys(said) if words != "yours"]
    if "yours" in said:
        return " for your own deals" + (f" ({join_words(others)})" if others else "")
    return f" for {join_words(others)}" if others else f" for {scope}"


def history_text(view: HistoryView, asked: list[str], wanted: str = "") -> tuple[str, str]:
    """The newest change in a sentence, with how many there are; or the value ``before`` it, or the ``original`` one."""
    what = join_words([item.replace("_", " ") for item in asked], "or") if asked else "anything"
    if not view.changes:
        return f"Nobody has changed {what} of **{view.label}** in what is on record.", "empty"
    newest = view.changes[0]
    if wanted:
        told = view.changes[-1] if wanted == "original" else newest
        head = "At first" if wanted == "original" else f"Before {show_instant(newest.at)}"
        by = f"{told.who} changed it" if told.who else "it was changed"
        now = "" if told is newest else f" It has been {newest.new} since {show_instant(newest.at)}."
        return f"{head}, the {told.title} of **{view.label}** was **{told.old}**; {by} to {told.new} on {show_instant(told.at)}.{now}", "answered"
    who = newest.who or "Somebody without a name here"
    text = f"**{who}** changed the {newest.title} of **{view.label}** on {show_instant(newest.at)}, from {newest.old} to {newest.new}."
    if view.total > 1:
        text += f" That was the last of {view.total:,} changes{f' of {what}' if asked else ''}."
    return text, "answered"


def _subject(result: MetricResult, said: list[str]) -> str:
    """Whose: the scope, or the filters that narrow it."""
    if said:
        related = [words for words in dict.fromkeys(said) if words.startswith(("with ", "without "))]
        others = [words for words in dict.fromkeys(said) if words not in related]
        among = "" if result.scope.startswith("all ") or others and others[0].startswith("your") else f", among {result.scope}"
        return (f" for {join_words(others)}" if others else "") + (f" for those {join_words(related)}" if related else "") + among
    return f" for {result.scope}"


def _is_a_state(result: MetricResult) -> bool:
    """Whether the figure tells what is there now: pipeline, open tickets, customers, asked without a period."""
    metric = METRICS.get(result.metric)
    whole = result.period.first <= FAR_PAST and result.period.end >= FAR_FUTURE
    return whole and isinstance(metric, Metric) and (metric.when == "expected_close" or metric.span is not None)


def metric_text(result: MetricResult, said: list[str], part: list[str] | None = None) -> tuple[str, str]:
    """The answer's text and its outcome; ``part`` is how the conditions of a share read."""
    title = result.title[0].upper() + result.title[1:]
    when = "today" if _is_a_state(result) else show_period(result.period)
    if result.as_of is not None:
        when = f"as of {format_day(result.as_of)}" + ("" if _is_a_state(result) else f" {show_period(result.period)}")
    whose = _subject(result, said)
    if result.share is not None:
        title = f"The share of {result.share.title.removeprefix('number of ')}{_is_part(result.share, part).replace(' is ', ' that is ').replace(' are ', ' that are ')}"
    if result.groups or result.group_titles:
        return _grouped(result, title, when, whose)
    if result.value is None:
        return f"There is no {result.title} to compute {when}{whose}: nothing there counts towards it.", "empty"
    shown = show_value(result.value, result.unit, result.currency)
    if result.share is not None:
        first = f"**{shown}** of {result.share.title.removeprefix('number of ')} {when}{whose}{_is_part(result.share, part)}: {_of_whole(result)}."
    elif result.unit is Unit.count:
        first = f"**{shown}** {_noun_form(result)} {when}{whose}."
    else:
        verb = "is" if result.period.end >= FAR_FUTURE and result.as_of is None else "was"
        first = f"{title} {verb} **{shown}** {when}{whose}."
    parts = [first]
    if result.previous_period is not None:
        parts.append(_comparison(result))
    if result.counted is not None and result.unit is not Unit.count and result.counted and result.share is None:
        parts.append(f"It rests on {plural(result.counted, _row_word(result))}.")
    if result.counted == 0 and not result.value:
        return f"{first} No matching records lie behind it.", "empty"
    return " ".join([*parts, *result.notes]), "answered"


def _is_part(share: Share, part: list[str] | None) -> str:
    """ " is Wineries", " are Tin": what the part of a share is."""
    verb = "are" if share.unit is Unit.count else "is"
    return f" {verb} {join_words(list(dict.fromkeys(part)), 'and')}" if part else ""


def _of_whole(result: MetricResult) -> str:
    """ "AUD 405,665 of AUD 4,640,183.66", "19 of 99"."""
    assert result.share is not None
    part, whole = (show_value(value, result.share.unit, result.currency) for value in (result.share.part, result.share.whole))
    return f"{part} of {whole}"


def _noun_form(result: MetricResult) -> str:
    """ "1 open deal", "3 deals won"."""
    title = result.title.removeprefix("number of ")
    if result.value == 1:
        for many, one in (
            ("deals", "deal"),
            ("tickets", "ticket"),
            ("leads", "lead"),
            ("companies", "company"),
            ("contacts", "contact"),
            ("customers", "customer"),
            ("activities", "activity"),
            ("units", "unit"),
        ):
            title = title.replace(many, one)
    return title


def _row_word(result: MetricResult) -> str:
    return {"deals": "deal", "tickets": "ticket", "leads": "lead", "activities": "activity", "companies": "company", "contacts": "contact"}.get(
        result.scope.rsplit(" ", 1)[-1], "record"
    )


def _comparison(result: MetricResult) -> str:
    assert result.previous_period is not None
    before = result.previous_period.describe()
    if result.previous is None or result.value is None:
        return f"There is no value for {before} to compare with."
    old = show_value(result.previous, result.unit, result.currency)
    change = result.value - result.previous
    if change == 0:
        return f"That is the same as in {before}."
    direction = "more" if change > 0 else "less"
    if result.unit is Unit.percent:
        return f"That is {_rounded(abs(change))} points {direction} than {old} in {before}."
    relative = f" ({_rounded(abs(change) * 100 / result.previous)}%)" if result.previous else ""
    return f"That is {show_value(abs(change), result.unit, result.currency)}{relative} {direction} than {old} in {before}."


def _grouped(result: MetricResult, title: str, when: str, whose: str) -> tuple[str, str]:
    by = join_words(result.group_titles)
    known = [group for group in result.groups if group.value is not None]
    if not result.groups and result.groups_compared:
        return f"None of {plural(result.groups_compared, result.group_titles[0])} {when}{whose} meets the condition on {result.title}.", "empty"
    if not known or not result.value and result.additive:
        return f"There is nothing to show: {result.title} by {by} {when}{whose} has no records behind it.", "empty"
    if len(result.groups) == 1 and result.groups_in_all > 1:
        return _single_group(result, when, whose), "answered"
    total = show_value(result.value, result.unit, result.currency)
    head = f"{title} by {by} {when}{whose}: **{total}** {'in all' if result.additive else 'overall'}."
    if result.share is not None:
        head = f"{head[:-1]}: {_of_whole(result)}."
    compared = [_comparison(result), _movers(result)] if result.previous_period is not None else []
    return " ".join(part for part in (head, *compared, _stand_out(result, known), *_limits(result), *result.notes) if part), "answered"


def _movers(result: MetricResult) -> str:
    """The groups that rose and fell most between the two periods."""
    changes = [
        (group.value - group.previous, " / ".join(group.labels)) for group in result.groups if group.value is not None and group.previous is not None
    ]
    if len(changes) < 2:
        return ""

    def told(change: Decimal, label: str) -> str:
        shown = f"{_rounded(abs(change))} points" if result.unit is Unit.percent else show_value(abs(change), result.unit, result.currency)
        return f"{label} ({'+' if change > 0 else '−'}{shown})"

    up, down = max(changes), min(changes)
    parts = [f"Largest rise: {told(*up)}" if up[0] > 0 else "", f"largest fall: {told(*down)}" if down[0] < 0 else ""]
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _single_group(result: MetricResult, when: str, whose: str) -> str:
    group = result.groups[0]
    shown = show_value(group.value, result.unit, result.currency)
    name = " / ".join(group.labels)
    text = f"**{name}**: {result.title} of **{shown}** {when}{whose}."
    if result.additive and result.value and group.value is not None:
        text += f" That is {_rounded(group.value * 100 / result.value)}% of {show_value(result.value, result.unit, result.currency)} in all."
    if result.previous_period is not None and group.previous is not None:
        text += f" It was {show_value(group.previous, result.unit, result.currency)} in {result.previous_period.describe()}."
    return f"{text} {plural(result.groups_in_all, result.group_titles[0])} compared."


def _stand_out(result: MetricResult, known: list[Group]) -> str:
    """The extremes, if there are several groups."""
    if len(known) < 2:
        return ""
    ranked = sorted(known, key=lambda group: group.value or Decimal(), reverse=True)
    top, bottom = ranked[0], ranked[-1]
    if top.value == bottom.value:
        alike = f"{len(known)} share this place with {show_value(top.value, result.unit, result.currency)} each"
        return f"{alike}: {join_words([' / '.join(group.labels) for group in known[:5]])}." if result.groups_in_all > len(known) else "All are alike."

    def named(group: Group) -> str:
        return f"{' / '.join(group.labels)} ({show_value(group.value, result.unit, result.currency)})"

    share = ""
    if result.additive and result.value and top.value:
        share = f", {_rounded(top.value * 100 / result.value)}% of all"
    if len(result.groups) < result.groups_in_all:  # of a few that are shown, the last is not the lowest of all
        lead, *others = known[:4]
        rest = f"; then {join_words([named(group) for group in others], 'and')}"
        return f"Highest: {named(lead)}{share}{rest}." if lead is top else f"Lowest: {named(lead)}{rest}."
    return f"Highest: {named(top)}{share}; lowest: {named(bottom)}."


def _limits(result: MetricResult) -> list[str]:
    if result.groups_in_all < result.groups_compared:
        return [f"Shown are the {result.groups_in_all} of {plural(result.groups_compared, result.group_titles[0])} that meet the condition."]
    if len(result.groups) < result.groups_in_all:
        return [f"Shown are {len(result.groups)} of {plural(result.groups_in_all, result.group_titles[0])}."]
    return []


def list_text(result: ListResult, said: list[str], *, count_only: bool, wants_sum: bool = False) -> tuple[str, str]:
    """A list's first sentence and its outcome."""
    words = join_words(list(dict.fromkeys(said)))
    condition = f" ({words})" if words else ""
    condition += f" as of {format_day(result.as_of)}" if result.as_of is not None else ""
    noun = NOUN_SHAPES[result.noun].title
    if result.total == 0:
        return f"No {result.title} match{condition}, among {result.scope}.", "empty"
    counted = f"**{result.total:,}** {noun if result.total == 1 else result.title}"
    worth = ""
    if result.amount_minor is not None and (result.total > 1 or wants_sum):
        worth = f", worth **{format_money(result.amount_minor, result.currency)}** in all"
    if wants_sum and result.amount_minor is not None:
        verb = "is" if result.total == 1 else "are"
        return f"**{format_money(result.amount_minor, result.currency)}** in all: {counted} {verb} behind it{condition}.", "answered"
    if count_only:
        return f"{counted}{condition}{worth}, among {result.scope}.", "answered"
    if result.total == 1 or len(result.rows) == 1:
        return _one_row(result, condition), "answered"
    text = f"{counted}{condition}{worth}."
    if len(result.rows) < result.total:
        first = result.offset + 1
        text += f" Shown: {first:,} to {result.offset + len(result.rows):,}, by {result.order}."
    return text, "answered"


def _one_row(result: ListResult, condition: str) -> str:
    row = result.rows[0]
    facts = []
    for item in result.columns[1:]:
        value = row.get(item.name)
        if value not in (None, ""):
            currency = row.get("_currency", result.currency)
            shown = (
                format_money(row["_amount_minor"], currency)
                if item.name == "amount" and row.get("_amount_minor") is not None
                else show_cell(value, item, result.currency)
            )
            facts.append(f"{item.title} {shown}")
    label = show_cell(row.get(result.columns[0].name), result.columns[0], result.currency)
    of = f" (of {plural(result.total, NOUN_SHAPES[result.noun].title, result.title)})" if result.total > 1 else ""
    return f"**{label}**: {', '.join(facts)}{condition}{of}."


def facts_of(view: dict[str, Any]) -> list[tuple[str, str]]:
    """A record's facts for a card, in a fixed order, empty ones left out."""
    order = (
        "title",
        "company",
        "stage",
        "pipeline",
        "status",
        "amount",
        "expected_close_on",
        "closed_on",
        "forecast_category",
        "next_step",
        "loss_reason",
        "source",
        "kind",
        "direction",
        "outcome",
        "occurred_at",
        "due_on",
        "completed_at",
        "priority",
        "category",
        "contact",
        "industry",
        "region",
        "city",
        "country",
        "employees",
        "annual_revenue",
        "email",
        "phone",
        "domain",
        "owner",
        "created_at",
        "first_response_at",
        "resolved_at",
        "company_name",
        "converted_on",
        "team",
        "role",
        "code",
        "family",
        "deal",
    )
    facts = []
    for name in order:
        value = view.get(name)
        if value in (None, "", []):
            continue
        title = name.removesuffix("_on").removesuffix("_at").replace("_", " ")
        facts.append((title, fact(view, name)))
    facts += [(key.replace("_", " "), str(value)) for key, value in (view.get("custom") or {}).items()]
    return facts


def fact(view: dict[str, Any], name: str) -> str:
    """One fact as people read it."""
    value = view.get(name)
    if value is None or value == "":
        return "not on file"
    if name == "amount":
        return money_of(str(value), view.get("currency", ""))
    if name.endswith(("_on", "_at")):
        return show_day(value)
    if name == "employees":
        return f"{int(value):,}"
    return str(value)


def money_of(amount: str, currency: str) -> str:
    """A decimal amount in its currency."""
    return format_money(Decimal(amount).scaleb(exponent(currency)), currency) if currency else f"{Decimal(amount):,.0f}"


def noun_plural(noun: str) -> str:
    """``companies``, ``deals``."""
    return NOUN_SHAPES[noun].plural if noun in NOUN_SHAPES else pluralise(noun)
