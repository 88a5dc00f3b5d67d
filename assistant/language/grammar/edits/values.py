"""Which verb of the catalog, with which arguments, gives a field a value that was said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from rapidfuzz import fuzz
from sqlalchemy import select

from assistant.language.chart import clock_of, quantity_at
from assistant.language.dates import find_times
from assistant.language.frames import Command
from assistant.language.grammar.edits.phrases import EARLIER, VERBAL
from assistant.language.grammar.lacking import BECAUSE, why_lost
from assistant.language.tokens import expand, tokenise
from assistant.language.written_numbers import COUNTS, without_points
from crm_core.access import visible
from crm_core.context import Context
from crm_core.metrics.fields import Field, Kind, shape_for
from crm_core.models import Activity, CustomField, Deal, Pipeline, Stage, User
from crm_core.money import to_decimal
from crm_core.periods import FAR_FUTURE, add_months
from crm_core.services.records import picklists
from crm_core.text import fold, join_words

#: Fields that a verb sets, by kind of record: the field as lists know it, and the argument of ``update_NOUN``.
SETTABLE: dict[str, dict[str, str]] = {
    "deal": {
        "name": "name", "amount": "amount", "expected_close": "expected_close_on", "forecast_category": "forecast_category",
        "source": "source", "next_step": "next_step", "currency": "currency",
    },
    "ticket": {"subject": "subject", "priority": "priority", "category": "category", "status": "status"},
    "contact": {"name": "name", "title": "title", "email": "email", "phone": "phone", "city": "city"},
    "company": {
        "name": "name", "domain": "domain", "phone": "phone", "industry": "industry", "region": "region", "country": "country", "city": "city",
        "employees": "employees", "annual_revenue": "annual_revenue",
    },
    "lead": {
        "name": "name", "company_name": "company_name", "title": "title", "email": "email", "phone": "phone", "source": "source", "status": "status",
        "region": "region",
    },
    "activity": {"subject": "subject", "due": "due_on", "outcome": "outcome"},
}  # fmt: skip
#: Further words for what is set, beside those that the fields declare.
_WORDS: dict[str, tuple[str, ...]] = {
    "expected_close": ("close date", "close", "closing date", "close day", "expected close date", "closing", "date", "deadline", "target date", "eta"),
    "amount": ("amount", "value", "price", "deal value", "deal amount", "worth", "acv", "arr", "tcv", "budget", "figure", "number"),
    "next_step": ("next step", "next steps", "next action", "ns"),
    "forecast_category": ("forecast", "forecast category", "category", "fcst"),
    "owner": ("owner", "rep", "ownership", "account manager", "assignee", "responsible", "account owner", "salesperson"),
    "stage": ("stage", "phase", "step", "pipeline stage"),
    "phone": ("phone", "phone number", "number", "mobile", "cell", "tel", "telephone", "telephone number", "mobile number", "cell number", "direct line", "direct dial"),
    "email": ("email", "e-mail", "mail", "email address", "mail address", "e-mail address"),
    "title": ("title", "job title", "role", "position", "job"),
    "due": ("due date", "due", "deadline", "date", "due day"),
    "priority": ("priority", "prio", "urgency", "severity"),
    "subject": ("subject", "title", "name"),
    "employees": ("employees", "headcount", "size", "staff", "employee count", "number of employees", "head count"),
    "status": ("status", "state"),
    "name": ("name",),
}  # fmt: skip
_DAYS = {"day": 1, "week": 7, "wk": 7, "fortnight": 14}
_MONTHS = {"month": 1, "mo": 1, "quarter": 3, "year": 12}
_TYPED = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+?[\d(][\d ()./-]{5,}\d")
_WON = frozenset({"won", "closed won", "win", "signed", "a win", "closed as won", "ours", "in the bag"})
#: Least likeness, of 100, at which a value that is written otherwise is taken for one of a list.
ALIKE = 86


class Unfit(Exception):
    """A value that a field cannot have; the message says which it can. Where it only lacks, ``joint`` are the words that would go before it."""

    def __init__(self, message: str, joint: str = "") -> None:
        super().__init__(message)
        self.joint = joint


@dataclass
class Setting:
    """Calls that give a record its value; those of ``each`` are made for every record by itself, from its number."""

    calls: list[Command] = field(default_factory=list)
    each: Callable[[int], Command | None] | None = None


def day_said(ctx: Context, text: str, *, past: bool = False) -> date | None:
    """The day still to come that a text means and says nothing besides, a month or quarter by its last; one gone by where ``past``."""
    tokens = tokenise(expand(re.sub(r"^(?:by|until|till|before|on|for|around|about|the)\s+", "", text.strip(), flags=re.IGNORECASE)))
    found = find_times(tokens, clock_of(ctx))
    if len(found) != 1 or found[0].end - found[0].first < len([token for token in tokens if token.is_word]):
        return None
    if past:
        return found[0].period.first if found[0].period.days == 1 and found[0].period.first <= ctx.today else None
    return None if found[0].period.end >= FAR_FUTURE else found[0].day_ahead(ctx.today)


def amount_said(text: str) -> tuple[Decimal, str] | None:
    """The number that a text means and says nothing besides, with its currency where one is named."""
    tokens = tokenise(expand(without_points(text.strip())))
    for place, _token in enumerate(tokens):
        edge = quantity_at(tokens, place)
        if edge is not None and edge.quantity is not None and not edge.quantity.percent:
            rest = [token.norm for token in (*tokens[:place], *tokens[edge.end :]) if token.is_word]
            if set(rest) <= {"about", "around", "roughly", "exactly", "now", "instead", "total", "a", "in", "year"}:
                return edge.quantity.value, edge.quantity.currency
    return None


#: Words that may stand beside a value and say nothing.
_BESIDE = frozenset(
    "the a an now please of to for as in is it its was were be they he she we i had have has got because due with their our his her very too so just only at on by from them us all re s ve ll m d "
    "priority prio stage phase status state category forecast reason type kind level tier source deal deals ticket tickets lead leads one ones".split()
)


def best_of(text: str, values: list[str]) -> str | None:
    """The one of some values that a text means: the same, begun alike, or nearly the same; None where none or several fit."""
    said = fold(text)
    if not said:
        return None
    folded = {value: fold(value) for value in values}
    for fits in (
        lambda value: value == said,
        lambda value: value.replace(" ", "") == said.replace(" ", ""),
        lambda value: len(said) >= 3 and value.startswith(said),
        lambda value: bool(value) and set(value.split()) <= set(said.split()) and set(said.split()) - set(value.split()) <= _BESIDE,
        lambda value: len(said) >= 4 and set(said.split()) <= set(value.split()),
        lambda value: len(said) >= 5 and fuzz.ratio(value, said) >= ALIKE,
    ):
        found = [value for value, plain in folded.items() if fits(plain)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            longest = sorted(found, key=lambda value: -len(folded[value]))
            return longest[0] if len(folded[longest[0]]) > len(folded[longest[1]]) and folded[longest[1]] in folded[longest[0]] else None
    return None


class Values:
    """The values of one company, as people say them."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def field_named(self, noun: str, words: str) -> str:
        """The field that words name, exactly or by one that it declares; empty where they name none that can be set."""
        said = fold(re.sub(r"^(?:the|its|his|her|their|my|our|a)\s+", "", words.strip(), flags=re.IGNORECASE))
        said = re.sub(r"^(?:new|deal|ticket|contact|lead|company|account|customer|task|overall|total|current)\s+(?=\w)", "", said)
        shape = shape_for(self.ctx, noun)
        for name in (*SETTABLE.get(noun, {}), "owner", "stage", *(item.name for item in shape.fields.values() if item.custom)):
            item = shape.fields.get(name)
            if name == "stage" and noun != "deal":
                continue
            declared = [item.title, *item.synonyms] if item is not None else []
            if said in {fold(word) for word in (name.replace("_", " "), *declared, *_WORDS.get(name, ()))}:
                return name
        return ""

    def single_words(self) -> frozenset[str]:
        """The values of the company that are one word, in lower case: stages, choices, statuses."""
        stages = self.ctx.session.scalars(select(Stage.name))
        own = (choice for item in self.ctx.session.scalars(select(CustomField)) for choice in item.choices or ())
        picked = (value for noun in SETTABLE for values in picklists(self.ctx, noun).values() for value in values)
        return frozenset(value.lower() for value in (*stages, *own, *picked) if " " not in value)

    def is_chosen(self, noun: str, name: str) -> bool:
        """Whether a field's value is one of some, a number, an amount, a day or a person, and no words of one's own."""
        if name in ("owner", "stage", "amount"):
            return True
        item = shape_for(self.ctx, noun).fields.get(name)
        if item is not None and item.kind in (Kind.day, Kind.money, Kind.number, Kind.choice, Kind.boolean):
            return True
        return bool(picklists(self.ctx, noun).get(name))

    def set_to(self, noun: str, name: str, text: str) -> Setting:
        """The calls that set a field to what a text says; raises ``Unfit`` where that is no value of it."""
        shape = shape_for(self.ctx, noun)
        item = shape.fields.get(name)
        text = re.sub(r"^(?:not [^,;]{1,40}? but|now|just|actually|rather)\s+", "", text.strip(" .,;\"'“”"), flags=re.IGNORECASE)
        if name == "owner":
            return self._to_owner(noun, text)
        if name == "stage":
            return self._to_stage(text)
        if noun == "ticket" and name == "status":
            return self._to_status(text)
        if item is not None and item.custom:
            return self._to_custom(noun, item, text)
        argument = SETTABLE[noun][name]
        if name == "amount":
            return self._to_amount(text)
        if item is not None and item.kind is Kind.day:
            day = day_said(self.ctx, text)
            if day is not None:
                return _update(noun, {argument: day.isoformat()})
            moved = self.shifted(noun, text)
            if moved is None:
                raise Unfit(f"'{text}' is no day that I can read; say it like 30 June or next Friday.")
            return moved
        if item is not None and item.kind in (Kind.money, Kind.number):
            number = amount_said(text)
            if number is None:
                raise Unfit(f"'{text}' is no number.")
            return _update(noun, {argument: str(number[0])})
        allowed = picklists(self.ctx, noun).get(name)
        if allowed:
            value = best_of(re.sub(rf"\s+{fold(name.split('_')[0])}$", "", text, flags=re.IGNORECASE), allowed) or best_of(text, allowed)
            if value is None:
                raise Unfit(f"'{text}' is not a {name.replace('_', ' ')} here; use {join_words(allowed, 'or')}.")
            return _update(noun, {argument: value})
        if name == "email":
            match = _TYPED.search(text)
            if match is None or len(text) - len(match.group()) > 3:
                raise Unfit(f"'{text}' is no e-mail address.")
            return _update(noun, {argument: match.group()})
        if name == "phone" and not _PHONE.fullmatch(text):
            raise Unfit(f"'{text}' is no phone number.")
        return _update(noun, {argument: text})

    def guess(self, noun: str, text: str, *, dating: bool = False) -> Setting | None:
        """The calls for a value that tells by itself which field it is of; None where it tells nothing.

        ``dating`` says that the verb moves dates, so that a day is meant for the close date.
        """
        if text.startswith(VERBAL):
            return self._verbal(noun, fold(text.removeprefix(VERBAL)))
        text = re.sub(r"^(?:(?:the|a|an|in|as|to|now|back|worth|valued at|at)\s+)+", "", text.strip(" .,;"), flags=re.IGNORECASE)
        plain = re.sub(r"\s+(?:stage|phase|status|priority|prio|category|forecast)$", "", text, flags=re.IGNORECASE)
        if noun == "deal":
            stage = self._stage(plain)
            if stage is not None and not (dating and day_said(self.ctx, text)):
                return self._to_stage(plain)
            if fold(plain) in _WON:
                return Setting([Command(tool="win_deal")])
            if re.search(r"\b(?:stage|phase)$", text, re.IGNORECASE):
                return self._to_stage(text)  # which says which there are
        if noun == "ticket":
            value = best_of(plain, picklists(self.ctx, "ticket").get("status", []))
            if value is not None:
                return self._to_status(value)
            if fold(plain) in ("solved", "resolved", "done", "fixed", "closed"):
                return Setting([Command(tool="resolve_ticket")])
        if noun == "activity" and fold(plain) in ("done", "completed", "complete", "finished"):
            return Setting([Command(tool="complete_task")])
        for name in SETTABLE.get(noun, {}):
            value = best_of(plain, picklists(self.ctx, noun).get(name, []))
            if value is not None:
                return _update(noun, {SETTABLE[noun][name]: value})
        for item in shape_for(self.ctx, noun).fields.values():
            if item.custom and item.kind is Kind.choice and self._is_custom_of(noun, item.name):
                try:
                    return self._to_custom(noun, item, plain)
                except Unfit:
                    continue
        if (day := day_said(self.ctx, text)) is not None and not re.fullmatch(r"\d{4,}", text):
            argument = {"deal": "expected_close_on", "activity": "due_on"}.get(noun)
            return _update(noun, {argument: day.isoformat()}) if argument else None
        if noun == "deal" and re.search(r"\d|million|thousand|grand|hundred|double|halve", text, re.IGNORECASE):
            try:
                return self._to_amount(text)
            except Unfit:
                return None
        return None

    def _verbal(self, noun: str, word: str) -> Setting | None:
        """A status or a yes-or-no field whose value a verb makes: "disqualify" makes Disqualified."""
        for name in ("status", "forecast_category"):
            for value in picklists(self.ctx, noun).get(name, []):
                if _of_one_stem(word, fold(value)):
                    return self._to_status(value) if noun == "ticket" else _update(noun, {SETTABLE[noun][name]: value})
        for item in shape_for(self.ctx, noun).fields.values():
            if item.custom and item.kind is Kind.boolean and _of_one_stem(word, fold(item.title)) and self._is_custom_of(noun, item.name):
                return _update(noun, {"custom": {item.name: True}})
        return None

    def shifted(self, noun: str, text: str) -> Setting | None:
        """The calls that move a date by what a text says: "out by two weeks", "in 10 days"."""
        match = re.search(
            r"(?:(?P<way>\w+)\s+)?(?:by\s+|another\s+|for\s+|\+\s*)?(?P<count>a couple of|a few|half a|another|[a-z]+|\d+)\s*(?:more\s+)?(?P<unit>day|week|wk|fortnight|month|mo|quarter|year)s?(?:\s+(?P<after>\w+))?$",
            text.strip(), re.IGNORECASE,
        )  # fmt: skip
        if match is None or noun not in ("deal", "activity"):
            return None
        count = int(match["count"]) if match["count"].isdigit() else COUNTS.get(match["count"].lower())
        if count is None:
            return None
        sign = -1 if {(match["way"] or "").lower(), (match["after"] or "").lower()} & EARLIER else 1
        unit = match["unit"].lower()

        def move(record_id: int) -> Command | None:
            old = self._date_of(noun, record_id)
            if old is None:
                return None
            new = old + timedelta(days=sign * count * _DAYS[unit]) if unit in _DAYS else add_months(old, sign * count * _MONTHS[unit])
            return Command(tool=f"update_{noun}", arguments={"id": record_id, "expected_close_on" if noun == "deal" else "due_on": new.isoformat()})

        return Setting(each=move)

    def _date_of(self, noun: str, record_id: int) -> date | None:
        column = Deal.expected_close_on if noun == "deal" else Activity.due_on
        return self.ctx.session.scalar(select(column).where((Deal if noun == "deal" else Activity).id == record_id))

    def person(self, text: str) -> int | None:
        """The colleague whom words name, oneself among them; raises ``Unfit`` for one of several."""
        said = fold(re.sub(r"^(?:to|rep|colleague)\s+", "", text.strip(), flags=re.IGNORECASE))
        if said in ("me", "myself", "my name", "mine", "i", "us"):
            return self.ctx.actor.user_id
        if not said:
            return None
        users = self.ctx.session.execute(
            select(User.id, User.name, User.email).where(User.active, User.archived_at.is_(None), visible(self.ctx, User))
        ).all()
        for fits in (
            lambda user: fold(user.name) == said or user.email.lower() == text.strip().lower(),
            lambda user: set(said.split()) <= set(fold(user.name).split()),
            lambda user: len(said) > 4 and fuzz.ratio(fold(user.name), said) >= ALIKE,
            lambda user: len(said) > 4 and any(fuzz.ratio(part, said) >= ALIKE for part in fold(user.name).split()),
        ):
            found = [user for user in users if fits(user)]
            if len(found) == 1:
                return int(found[0].id)
            if found:
                raise Unfit(f"Which {text.strip()} do you mean: {join_words([user.name for user in found], 'or')}?")
        return None

    def reason(self, text: str) -> str | None:
        """The loss reason that words mean."""
        reasons = picklists(self.ctx, "deal").get("loss_reason", [])
        if not reasons:
            return text or None
        if not text:
            return None
        found = best_of(text, reasons)
        if found is not None:
            return found
        scored = sorted(((fuzz.token_set_ratio(fold(value), fold(text)), value) for value in reasons), reverse=True)
        return scored[0][1] if scored[0][0] >= ALIKE and (len(scored) < 2 or scored[1][0] < scored[0][0] - 5) else None

    def reasons(self) -> str:
        """The reasons that can be given, for a question back."""
        return join_words(picklists(self.ctx, "deal").get("loss_reason", []), "or")

    def role(self, text: str) -> str | None:
        """The part in a deal that words mean."""
        roles = picklists(self.ctx, "deal").get("contact_role", [])
        return best_of(text, roles) if roles else None

    # --- one field ---------------------------------------------------------------------------------------

    def _to_owner(self, noun: str, text: str) -> Setting:
        person = self.person(text)
        if person is None:
            raise Unfit(f"I know no colleague called '{text}'.")
        return Setting([Command(tool="reassign", arguments={"noun": noun, "owner_id": person})])

    def _stage(self, text: str) -> Stage | None:
        stages = list(self.ctx.session.scalars(select(Stage).join(Pipeline).order_by(Pipeline.id, Stage.position)))
        name = best_of(text, list(dict.fromkeys(stage.name for stage in stages)))
        return next((stage for stage in stages if stage.name == name), None)

    def _to_stage(self, text: str) -> Setting:
        text = re.sub(r"^the\s+|\s+(?:stage|phase)$", "", text, flags=re.IGNORECASE)
        if fold(text) in ("next", "next one", "following"):
            return Setting(each=lambda key: self._neighbour(key, 1))
        if fold(text) in ("previous", "previous one", "stage before"):
            return Setting(each=lambda key: self._neighbour(key, -1))
        stage = self._stage(text)
        if stage is None:
            if fold(text) in _WON:
                return Setting([Command(tool="win_deal")])
            names = list(dict.fromkeys(self.ctx.session.scalars(select(Stage.name).order_by(Stage.pipeline_id, Stage.position))))
            raise Unfit(f"'{text}' is not a stage here; use {join_words(names, 'or')}.")
        if stage.kind == "won":
            return Setting([Command(tool="win_deal")])
        if stage.kind == "lost":
            raise Unfit(why_lost(self.ctx), BECAUSE)
        return Setting([Command(tool="move_deal", arguments={"stage": stage.name})])

    def _neighbour(self, deal_id: int, step: int) -> Command | None:
        deal = self.ctx.session.get(Deal, deal_id)
        if deal is None:
            return None
        open_ones = list(
            self.ctx.session.scalars(select(Stage).where(Stage.pipeline_id == deal.pipeline_id, Stage.kind == "open").order_by(Stage.position))
        )
        places = [place for place, stage in enumerate(open_ones) if stage.id == deal.stage_id]
        if not places or not 0 <= places[0] + step < len(open_ones):
            return None
        return Command(tool="move_deal", arguments={"id": deal_id, "stage": open_ones[places[0] + step].name})

    def _to_status(self, text: str) -> Setting:
        allowed = picklists(self.ctx, "ticket").get("status", [])
        value = best_of(text, allowed)
        if value is None:
            if fold(text) in ("solved", "resolved", "done", "fixed", "closed"):
                return Setting([Command(tool="resolve_ticket")])
            raise Unfit(f"'{text}' is not a status here; use {join_words(allowed, 'or')}.")
        return _update("ticket", {"status": value})

    def _is_custom_of(self, noun: str, key: str) -> bool:
        return self.ctx.session.scalar(select(CustomField.id).where(CustomField.noun == noun, CustomField.key == key)) is not None

    def _to_custom(self, noun: str, item: Field, text: str) -> Setting:
        row = self.ctx.session.scalar(select(CustomField).where(CustomField.noun == noun, CustomField.key == item.name))
        if row is None:
            raise Unfit(f"A {noun} has no {item.title} of its own.")
        value: Any = text
        if row.kind == "choice":
            value = best_of(text, list(row.choices))
            if value is None:
                raise Unfit(f"'{text}' is not a {row.label} here; use {join_words(list(row.choices), 'or')}.")
        elif row.kind in ("number", "money"):
            number = amount_said(text)
            if number is None:
                raise Unfit(f"'{text}' is no number.")
            value = str(number[0])
        elif row.kind == "date":
            day = day_said(self.ctx, text)
            if day is None:
                raise Unfit(f"'{text}' is no day that I can read.")
            value = day.isoformat()
        elif row.kind == "boolean":
            value = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(fold(text))
            if value is None:
                raise Unfit(f"{row.label} is yes or no.")
        return _update(noun, {"custom": {item.name: value}})

    def _to_amount(self, text: str) -> Setting:
        if text in ("double", "halve"):
            return Setting(each=lambda key: self._scaled(key, Decimal(2) if text == "double" else Decimal("0.5"), Decimal(0)))
        match = re.match(r"(?P<sign>[+-])\s*(?:another\s+)?(?P<by>\S.*)$", text)
        if match is not None:
            sign = 1 if match["sign"] == "+" else -1
            percent = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:%|percent|per cent|pct)", match["by"].strip())
            if percent is not None:
                return Setting(each=lambda key: self._scaled(key, 1 + sign * Decimal(percent[1]) / 100, Decimal(0)))
            by = amount_said(match["by"])
            if by is None:
                raise Unfit(f"'{text}' is no amount.")
            return Setting(each=lambda key: self._scaled(key, Decimal(1), sign * by[0]))
        number = amount_said(text)
        if number is None:
            raise Unfit(f"'{text}' is no amount; say it like 45k or 45,000.")
        return _update("deal", {"amount": str(number[0])} | ({"currency": number[1]} if number[1] else {}))

    def _scaled(self, deal_id: int, factor: Decimal, more: Decimal) -> Command | None:
        row = self.ctx.session.execute(select(Deal.amount_minor, Deal.currency).where(Deal.id == deal_id)).one_or_none()
        if row is None or row.amount_minor is None:
            return None
        amount = to_decimal(row.amount_minor, row.currency) * factor + more
        return Command(tool="update_deal", arguments={"id": deal_id, "amount": str(amount.quantize(Decimal("0.01")).normalize().__format__("f"))})


def _of_one_stem(verb: str, value: str) -> bool:
    """Whether a verb and a value are forms of one word: disqualify, Disqualified."""
    common = next((place for place, (one, other) in enumerate(zip(verb, value, strict=False)) if one != other), min(len(verb), len(value)))
    return common >= 4 and (common == len(verb) or common >= 6 and len(verb) - common <= 2) and len(value) - common <= 4


def _update(noun: str, arguments: dict[str, Any]) -> Setting:
    return Setting([Command(tool=f"update_{noun}", arguments=arguments)])
