"""Who decides about a change: its lines under the company's policy, and how much it touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm_core.access import load_actor
from crm_core.changes.steps import Ran, Step, effect_of
from crm_core.context import Context
from crm_core.errors import NotAllowed
from crm_core.metrics.conversion import rates
from crm_core.models import NOUNS, Deal
from crm_core.money import exponent, format_money
from crm_core.policy import Decision, Line, Policy, decide, shipped
from crm_core.services.catalog import Effect
from crm_core.services.change_sets import load_change_set
from crm_core.services.policies import current_policy
from crm_core.text import join_words, plural

Key = tuple[str, int, str | None]
#: Verbs that the shipped policy applies as soon as they are asked for, where they only make a record of the requester's own.
AT_ONCE = frozenset(verb for rule in shipped().rules if rule.then == "apply" for verb in rule.verbs or ())
_NAMES = {"apply": "none", "ask": "low", "second": "second"}
_FETCH = 500


@dataclass(frozen=True)
class Risk:
    """A risk class and the sentence that set it: ``none`` applies at once, ``second`` needs another person's yes, ``low`` and ``high`` the requester's."""

    name: str
    rule: str


def classify(
    effect: Effect,
    diff: list[dict[str, Any]],
    *,
    capability: str = "",
    requester_id: int | None = None,
    role: str = "rep",
    policy: Policy | None = None,
    rows: int | None = None,
    owners: Mapping[Key, int | None] | None = None,
    amounts: Mapping[Key, int] | None = None,
) -> Risk:
    """The risk of a change of one verb, from what it does alone; no text from outside and no model has a say.

    ``owners`` and ``amounts`` are of the records as they are, where rules ask for them. Raises ``NotAllowed`` where the policy forbids it.
    """
    rows = rows if rows is not None else _rows(diff)
    return _risk(_decide(effect, diff, capability, requester_id, role, policy or shipped(), rows, owners or {}, amounts or {}, digits=2))


def assess(ctx: Context, ran: Ran, requester_id: int, already: int = 0) -> list[Risk]:
    """The risk of each step of a change under the policy that holds, the whole being as large as it is.

    ``already`` records were changed at once by the same message before, and count as part of it.
    """
    policy, role = current_policy(ctx), load_actor(ctx.session, requester_id).role
    diff = ran.diff
    owners, amounts, rows = _owners(ctx, diff, policy), _amounts(ctx, diff), _rows(diff) + already
    return [
        Risk("none", "What was kept at once is taken back at once.")
        if _takes_back_own_notes(ctx, step, requester_id)
        else _risk(
            _decide(effect_of(step), lines, step.capability, requester_id, role, policy, rows, owners, amounts, digits=exponent(ctx.home_currency))
        )
        for step, lines in ran.parts
        if lines
    ]


def strictest(risks: Iterable[Risk]) -> Risk:
    """The risk of a change of several steps."""
    return max(risks, key=lambda risk: _LEVELS.index(risk.name))


_LEVELS = ("none", "low", "high", "second")


def is_stricter(risk: Risk, name: str) -> bool:
    """Whether a risk is stricter than the class that a proposal was given, so far as it needs other people's yes."""
    needs = {"none": 0, "low": 1, "high": 1, "second": 2}
    return needs[risk.name] > needs[name]


def _decide(
    effect: Effect,
    diff: list[dict[str, Any]],
    verb: str,
    requester_id: int | None,
    role: str,
    policy: Policy,
    rows: int,
    owners: Mapping[Key, int | None],
    amounts: Mapping[Key, int],
    *,
    digits: int,
) -> Decision:
    given = {(item["noun"], item.get("new_number")): item["new"] for item in diff if item["created"] and item["field"] == "owner_id"}
    lines = [
        Line(
            verb=verb,
            effect=effect.value,
            noun=item["noun"],
            field=item["field"],
            created=item["created"],
            own=requester_id is not None
            and (given.get((item["noun"], item.get("new_number")), requester_id) if item["created"] else owners.get(key_of(item))) == requester_id,
            amount=Decimal(amounts[key]).scaleb(-digits) if (key := key_of(item)) in amounts else None,
        )
        for item in diff
    ]
    return decide(policy, lines, role=role, rows=rows)


def _risk(decision: Decision) -> Risk:
    if decision.then == "forbid":
        raise NotAllowed(f"The company's policy forbids this: {decision.because}")
    return Risk("high" if decision.then == "ask" and decision.closely else _NAMES[decision.then], decision.because)


def _rows(diff: list[dict[str, Any]]) -> int:
    return len({key_of(item) for item in diff})


def _owners(ctx: Context, diff: list[dict[str, Any]], policy: Policy) -> dict[Key, int | None]:
    """Whose the changed records were before, where a rule asks: an owner that the change itself gives does not count."""
    if all(rule.own is None or rule.created for rule in policy.rules):
        return {}
    found: dict[Key, int | None] = {}
    for noun, ids in _touched(diff).items():
        model = NOUNS.get(noun)
        if model is None or not model.__owner__:
            continue
        for start in range(0, len(ids), _FETCH):
            rows = ctx.session.execute(select(model.id, getattr(model, model.__owner__)).where(model.id.in_(ids[start : start + _FETCH])))
            found |= {(noun, key, None): owner for key, owner in rows}
    for item in reversed(diff):
        if item["field"] == "owner_id" and not item["created"]:
            found[key_of(item)] = item["old"]
    return found


def key_of(line: dict[str, Any]) -> Key:
    """The record of a line; of several new ones which."""
    return line["noun"], line["id"], line.get("new_number")


def _touched(diff: list[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, dict[int, None]] = {}
    for item in diff:
        if item["id"]:
            found.setdefault(item["noun"], {})[item["id"]] = None
    return {noun: list(ids) for noun, ids in found.items()}


def _amounts(ctx: Context, diff: list[dict[str, Any]]) -> dict[Key, int]:
    """What the touched deals are worth in minor units of the home currency, before or after, whichever is more.

    The diff tells what a change makes of amount and currency, the record what it leaves as it is.
    """
    now: dict[Key, tuple[int | None, str]] = {}
    ids = _touched(diff).get("deal", [])
    for start in range(0, len(ids), _FETCH):
        rows = ctx.session.execute(select(Deal.id, Deal.amount_minor, Deal.currency).where(Deal.id.in_(ids[start : start + _FETCH])))
        now |= {("deal", key, None): (minor, currency) for key, minor, currency in rows}
    told: dict[Key, dict[str, tuple[Any, Any]]] = {}
    for item in diff:
        if item["noun"] == "deal" and (item["field"] in ("amount_minor", "currency") or item["created"]):
            fields = told.setdefault(key_of(item), {})
            first = fields[item["field"]][0] if item["field"] in fields else item["old"]
            fields[item["field"]] = (first, item["new"])
    found = {}
    for key in {**now, **told}:
        minor, currency = now.get(key, (None, ctx.home_currency))
        fields = told.get(key, {})
        amounts = fields.get("amount_minor", (minor, minor))
        currencies = fields.get("currency", (currency, currency))
        found[key] = max(_home(ctx, amount, code or ctx.home_currency) for amount, code in zip(amounts, currencies, strict=True))
    return found


def _home(ctx: Context, minor: int | None, currency: str) -> int:
    rate = rates(ctx).get(currency)
    return rate.convert(minor) if minor is not None and rate is not None else 0


def _takes_back_own_notes(ctx: Context, step: Step, requester_id: int) -> bool:
    """Whether a step is an undo only of what the requester had kept at once."""
    if step.capability != "undo_change":
        return False
    taken = [load_change_set(ctx, number) for number in step.arguments["change_set_ids"]]
    return all(item.risk == "none" and item.requester_id == requester_id for item in taken)


def summarise(ctx: Context, diff: list[dict[str, Any]]) -> str:
    """What a change of several records touches, in a line: how many of which, and what the deals among them are worth together."""
    kinds: dict[str, int] = {}
    for noun, _id, _number in {key_of(item) for item in diff}:
        kinds[noun] = kinds.get(noun, 0) + 1
    if sum(kinds.values()) < 2:
        return ""
    told = join_words([plural(count, noun, _PLURALS.get(noun)) for noun, count in sorted(kinds.items())])
    worth = sum(_amounts(ctx, diff).values())
    if kinds.get("deal", 0) > 1 and worth:
        told += f", the deals worth {format_money(worth, ctx.home_currency)} together"
    return f"{told[:1].upper()}{told[1:]}."


_PLURALS = {"company": "companies", "activity": "activities"}
