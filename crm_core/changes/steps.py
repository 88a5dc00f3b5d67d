"""What a change does: verbs of the catalog one after the other, each on one record or on many, and the diff that comes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_core.context import Context
from crm_core.errors import Invalid, RapportError
from crm_core.events import json_value
from crm_core.models import ChangeSet
from crm_core.services.catalog import CATALOG, Effect
from crm_core.services.change_sets import Undone, record_names
from crm_core.text import plural

#: The capability of a change set that has more than one step, or a step on many records.
SEVERAL = "several"
#: Records that one step may run on.
MOST_RECORDS = 20_000
MOST_STEPS = 200
#: Under which a change set keeps what was refused of it, beside the arguments of its verb.
LEFT_OUT = "left_out"
_QUIET = frozenset({"created_at"})


class Step(BaseModel):
    """One verb of the catalog with its arguments; with ``ids`` it runs on each of these records in turn."""

    model_config = ConfigDict(extra="forbid")

    capability: str = Field(description="Name of the verb.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its arguments.")
    ids: list[int] = Field(default_factory=list, max_length=MOST_RECORDS, description="Numbers of the records, where it runs on several.")


class Carried(BaseModel):
    """What a change of several steps did."""

    title: str
    records: int


@dataclass
class Ran:
    """The outcome of steps: the result of the last verb, the diff by step, a title, and the records that could not be changed with the reason."""

    result: Any = None
    parts: list[tuple[Step, list[dict[str, Any]]]] = field(default_factory=list)
    title: str = ""
    left_out: list[dict[str, Any]] = field(default_factory=list)

    @property
    def diff(self) -> list[dict[str, Any]]:
        """All lines, in their order."""
        return [line for _step, lines in self.parts for line in lines]

    @property
    def records(self) -> int:
        """How many records have a line."""
        return len({(line["noun"], line["id"], line.get("new_number")) for line in self.diff})


def steps_of(change: ChangeSet) -> list[Step]:
    """The steps of a change set."""
    if change.capability == SEVERAL:
        return [Step.model_validate(item) for item in change.arguments["steps"]]
    return [Step(capability=change.capability, arguments={name: value for name, value in change.arguments.items() if name != LEFT_OUT})]


def kept_steps(steps: Sequence[Step]) -> tuple[str, dict[str, Any]]:
    """Capability and arguments under which a change set keeps its steps."""
    plain = [
        step.model_dump(exclude_defaults=True) | {"arguments": {name: json_value(value) for name, value in step.arguments.items()}} for step in steps
    ]
    if len(steps) == 1 and not steps[0].ids:
        return steps[0].capability, plain[0]["arguments"]
    return SEVERAL, {"steps": plain}


def effect_of(step: Step) -> Effect:
    """The effect of a step's verb; raises ``Invalid`` for one that is no change."""
    entry = CATALOG.get(step.capability)
    if entry is None or entry.effect is Effect.read:
        raise Invalid(f"'{step.capability}' is not a change that I can make.")
    return entry.effect


def diff_hash(diff: list[dict[str, Any]]) -> str:
    """SHA-256 over the canonical diff: what an approval is bound to."""
    return hashlib.sha256(json.dumps(diff, sort_keys=True, default=str).encode()).hexdigest()


def run_steps(ctx: Context, steps: Sequence[Step], *, lenient: bool = False) -> Ran:
    """Run the verbs in the caller's transaction.

    Raises what a verb raises. Where ``lenient``, what a verb refuses, of several steps or on one of several records, is left out and
    told instead, unless all is refused.
    """
    if not 0 < len(steps) <= MOST_STEPS:
        raise Invalid(f"A change has 1 to {MOST_STEPS} steps.")
    ran = Ran()
    made: dict[tuple[str, int], str] = {}
    refused: list[RapportError] = []
    undone: list[str] = []
    for place, step in enumerate(steps):
        rows: list[dict[str, Any]] = []
        ctx.session.info["recorded"] = rows
        try:
            for arguments in [step.arguments | {"id": key} for key in dict.fromkeys(step.ids)] if step.ids else [step.arguments]:
                if lenient and (len(steps) > 1 or len(step.ids) > 1):
                    ran.result = _call_or_tell(ctx, step.capability, arguments, rows, ran.left_out, refused, place) or ran.result
                else:
                    ran.result = _call(ctx, step.capability, arguments)
            ctx.session.flush()
        finally:
            del ctx.session.info["recorded"]
        for row in rows:
            if row["kind"] == "created":
                made[(row["noun"], row["record_id"])] = f"new {row['noun']} {len(made) + 1}"
        lines = _lines(ctx, rows, made)
        ran.parts.append((step, lines))
        if lines and isinstance(ran.result, Undone):
            undone.append(f"Undo: {ran.result.title}")
    if refused and not ran.diff:
        raise refused[0] if len(refused) == 1 else _none_of(refused)
    by_verb: dict[str, list[dict[str, Any]]] = {}
    for step, lines in ran.parts:
        if lines and step.capability != "undo_change":
            by_verb.setdefault(step.capability, []).extend(lines)
    ran.title = "; ".join([*undone, *(_title(ctx, verb, lines) for verb, lines in by_verb.items())])
    if len(steps) > 1 or steps[0].ids:
        ran.result = Carried(title=ran.title, records=ran.records)
    return ran


def _call(ctx: Context, capability: str, arguments: dict[str, Any]) -> Any:
    effect_of(Step(capability=capability))
    entry = CATALOG[capability]
    return entry.function(ctx, entry.arguments.model_validate(arguments))


def _call_or_tell(
    ctx: Context,
    capability: str,
    arguments: dict[str, Any],
    rows: list[dict[str, Any]],
    left_out: list[dict[str, Any]],
    refused: list[RapportError],
    place: int,
) -> Any:
    """Run a verb; where it refuses, nothing of it stays, and that is told."""
    before = len(rows)
    try:
        with ctx.session.begin_nested():
            result = _call(ctx, capability, arguments)
    except RapportError as error:
        del rows[before:]
        refused.append(error)
        left_out.append({"id": arguments.get("id"), "capability": capability, "reason": error.message, "step": place})
        return None
    return result


def _none_of(refused: Sequence[RapportError]) -> RapportError:
    """The first refusal of several, which says that it is not the only one."""
    first = refused[0]
    return type(first)(f"None of these {len(refused)} changes can be made. The first: {first.message}", **first.details)


def _lines(ctx: Context, rows: list[dict[str, Any]], made: dict[tuple[str, int], str]) -> list[dict[str, Any]]:
    """The diff of recorded events, one line for each field."""
    return [
        {
            "noun": row["noun"],
            "id": 0 if row["kind"] == "created" else row["record_id"],
            "field": name,
            "old": old,
            "new": _lasting(ctx, name, new, made),
            "created": row["kind"] == "created",
            **({"new_number": made[(row["noun"], row["record_id"])]} if row["kind"] == "created" and len(made) > 1 else {}),
        }
        for row in rows
        for name, (old, new) in row["changes"].items()
        if name not in _QUIET
    ]


def _lasting(ctx: Context, name: str, value: Any, made: dict[tuple[str, int], str]) -> Any:
    """A value that is the same in the preview and in the real run: the moment of the run is ``now``, a new record has no number yet."""
    if value == json_value(ctx.now):
        return "now"
    if name.endswith("_id") and isinstance(value, int):
        return made.get((name.removesuffix("_id"), value), value)
    return value


def _title(ctx: Context, capability: str, lines: list[dict[str, Any]]) -> str:
    """ "Update deal: Globex renewal", "Reassign: 12 deals"."""
    rows = {(line["noun"], line["id"], line.get("new_number")) for line in lines}
    nouns = sorted({noun for noun, _id, _new in rows})
    names = record_names(ctx, lines[:200])
    if len(rows) == 1 and (key := next(iter(rows))) in names:
        what = names[key]
    else:
        what = plural(len(rows), nouns[0]) if len(nouns) == 1 else plural(len(rows), "record")
    return f"{capability.replace('_', ' ').capitalize()}: {what}"


def checked_steps(steps: Sequence[Step]) -> list[Step]:
    """The steps with their arguments checked and in plain form; raises ``Invalid`` that says what cannot be used."""
    checked = []
    for step in steps:
        effect_of(step)
        one = {"id": step.ids[0]} if step.ids else {}
        try:
            arguments = CATALOG[step.capability].arguments.model_validate(step.arguments | one)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(str(place) for place in item['loc']) or 'arguments'}: {item['msg']}" for item in error.errors()[:4])
            raise Invalid(f"The arguments of {step.capability} cannot be used ({told}).") from error
        plain = arguments.model_dump(mode="json", exclude_unset=True)
        kept = {name: value for name, value in plain.items() if not (name == "id" and step.ids)}
        checked.append(Step(capability=step.capability, arguments=kept, ids=step.ids))
    return checked
