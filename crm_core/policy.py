"""Policy: what becomes of a change that somebody asks for, read from a file that administrators can edit.

``decide`` knows nothing of models and messages: it sees the lines of a change, who asks, and the rules. The shipped rules are
``policy.yaml`` beside this module; a company's own are kept in the database, every version of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import inspect

from crm_core.errors import Invalid
from crm_core.models import NOUNS

Then = Literal["apply", "ask", "second", "forbid"]
EffectName = Literal["write", "destructive", "admin", "outward"]
#: From loose to strict.
STRICTNESS: tuple[Then, ...] = ("apply", "ask", "second", "forbid")
#: What has lines in a change and is no kind of record.
OTHER_NOUNS = ("word", "grant", "policy")
LONGEST = 60_000


class Rule(BaseModel):
    """One rule: what it fits, and what it demands."""

    model_config = ConfigDict(extra="forbid")

    then: Then
    because: str = Field(min_length=5, max_length=300)
    closely: bool = False
    roles: list[Literal["readonly", "rep", "manager", "admin"]] | None = Field(default=None, min_length=1)
    verbs: list[str] | None = Field(default=None, min_length=1)
    effects: list[EffectName] | None = Field(default=None, min_length=1)
    nouns: list[str] | None = Field(default=None, min_length=1)
    fields: list[str] | None = Field(default=None, min_length=1)
    own: bool | None = None
    created: bool | None = None
    amount_over: Decimal | None = Field(default=None, ge=0)
    rows_over: int | None = Field(default=None, ge=0)

    def fits(self, line: Line, role: str, rows: int) -> bool:
        """Whether all that the rule names fits a line of a change of ``rows`` records."""
        listed = ((self.roles, role), (self.verbs, line.verb), (self.effects, line.effect), (self.nouns, line.noun), (self.fields, line.field))
        if any(names is not None and name not in names for names, name in listed):
            return False
        if self.own is not None and line.own != self.own or self.created is not None and line.created != self.created:
            return False
        if self.amount_over is not None and (line.amount is None or line.amount <= self.amount_over):
            return False
        return self.rows_over is None or rows > self.rows_over


class Policy(BaseModel):
    """Rules, the first of which that fits a line decides for it."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule] = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class Line:
    """One field of one record of a change, as rules see it; ``amount`` is the record's in the home currency."""

    verb: str
    effect: str
    noun: str
    field: str
    created: bool = False
    own: bool = False
    amount: Decimal | None = None


@dataclass(frozen=True)
class Decision:
    """What a policy demands for a change, and the sentence of the rule that set it."""

    then: Then
    because: str
    closely: bool = False


#: Where no rule fits, nothing happens without a second person.
NO_RULE = Decision("second", "No rule of the policy fits this change, so it needs a second person.")


def decide(policy: Policy, lines: Iterable[Line], *, role: str, rows: int) -> Decision:
    """The strictest decision among the lines; of equally strict ones the first that is to be looked at closely."""
    worst: Decision | None = None
    for line in dict.fromkeys(lines):
        rule = next((item for item in policy.rules if item.fits(line, role, rows)), None)
        found = Decision(rule.then, rule.because, rule.closely) if rule is not None else NO_RULE
        if worst is None or _weight(found) > _weight(worst):
            worst = found
    return worst or NO_RULE


def _weight(decision: Decision) -> tuple[int, bool]:
    return STRICTNESS.index(decision.then), decision.closely


def parse_policy(text: str, *, verbs: Iterable[str] | None = None) -> Policy:
    """A policy from its YAML; raises ``Invalid`` that names the rule and what is wrong with it.

    ``verbs`` are the names that rules may speak of, where that is to be checked. The last rule must fit everything, so that no change falls through.
    """
    if len(text) > LONGEST:
        raise Invalid(f"A policy has at most {LONGEST:,} characters.")
    try:
        read = yaml.safe_load(text)
    except RecursionError as error:
        raise Invalid("The policy is nested too deeply; it is a list of rules.") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:  # its reader raises all of these for values that are none
        raise Invalid(f"The policy is not valid YAML ({' '.join(str(error).split())[:300]}); correct it and try again.") from error
    try:
        policy = Policy.model_validate(read)
    except ValidationError as error:
        raise Invalid(
            f"The policy cannot be used: {'; '.join(_told(item['loc'], item['type'], item['msg']) for item in error.errors()[:4])}."
        ) from error
    known = {"noun": frozenset((*NOUNS, *OTHER_NOUNS)), "field": known_fields()} | ({"verb": frozenset(verbs)} if verbs is not None else {})
    for number, rule in enumerate(policy.rules, start=1):
        for kind, names in (("verb", rule.verbs), ("noun", rule.nouns), ("field", rule.fields)):
            unknown = [name for name in names or () if kind in known and name not in known[kind] and not (kind == "field" and _OWN_FIELD.match(name))]
            if unknown:
                raise Invalid(f"Rule {number} names the {kind} '{unknown[0]}', which does not exist; use {', '.join(sorted(known[kind]))}.")
    last = policy.rules[-1]
    if last.model_dump(exclude={"then", "because", "closely"}, exclude_none=True):
        raise Invalid("The last rule must fit every change: give it only 'then' and 'because'.")
    return policy


#: A company's own field.
_OWN_FIELD = re.compile(r"custom\.[a-z][a-z0-9_]*$")


@cache
def known_fields() -> frozenset[str]:
    """The fields that a line of a change can be of: the columns of all records, and their parts."""
    columns = {column.key for model in NOUNS.values() for column in inspect(model).column_attrs}
    return frozenset(columns | {"contact_roles", "line_items", "price", "phrase", "meaning", "read_scope", "write_scope", "participant_ids"})


def _told(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Where something is wrong, and what: in the words of the file, not of the library that reads it."""
    if kind == "extra_forbidden":
        names = Rule.model_fields if place[0] == "rules" else Policy.model_fields
        message = f"there is no such word; use {', '.join(names)}"
    elif kind == "missing":
        message = "it is missing"
    elif kind in ("model_type", "dict_type") and not place:
        message = "it must begin with 'rules:' and list them below"
    steps = [
        f"rule {step + 1}" if isinstance(step, int) and place[:1] == ("rules",) and number == 1 else str(step) for number, step in enumerate(place)
    ]
    return f"{', '.join(step for step in steps if step != 'rules') or 'the file'}: {message}"


@cache
def shipped_text() -> str:
    """The policy that the product comes with, as it stands in its file."""
    return (files("crm_core") / "policy.yaml").read_text(encoding="utf-8")


@cache
def shipped() -> Policy:
    """The policy that the product comes with."""
    return Policy.model_validate(yaml.safe_load(shipped_text()))
