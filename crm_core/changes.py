"""Change sets: a write is proposed with its diff, decided by policy and people, and applied once.

``propose`` runs the verb inside a savepoint, collects the field-by-field diff that the recorder saw, and rolls
the savepoint back: the preview is what would really happen, and nothing has happened. Policy (here, never in a
model) puts the change in a risk class. ``approve`` applies it in one transaction if and only if the approver
names the hash of the diff that was shown, the proposal is neither decided nor expired, and running the verb
again gives the same diff; otherwise the records moved meanwhile and a fresh proposal is needed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, update

from crm_core.context import Context, unit_of_work
from crm_core.errors import Conflict, Invalid, NotAllowed, RapportError
from crm_core.events import json_value
from crm_core.models import ChangeSet
from crm_core.services.catalog import CATALOG, Effect
from crm_core.services.change_sets import Undone, load_change_set, record_names, shown_diff, state_of
from crm_core.text import plural

EXPIRES_MINUTES = 30
#: Fields whose change moves money or outcome and so needs a second look even on one's own record.
SENSITIVE = frozenset({"stage_id", "status", "amount_minor", "currency", "owner_id", "closed_at", "loss_reason", "archived_at"})
#: Verbs that are applied as soon as they are asked for, where they only make a record of the requester's own.
AT_ONCE = frozenset({"log_activity", "add_task"})
#: Records that only administration changes, whichever verb does.
ADMIN_NOUNS = frozenset({"user", "product", "grant"})
_QUIET = frozenset({"created_at"})


class Moved(Conflict):
    """The records are not as they were when the change was shown."""


@dataclass(frozen=True)
class Risk:
    """A risk class and the sentence that set it: ``none`` applies at once, ``second`` needs another person's yes, all others the requester's."""

    name: str
    rule: str


def classify(effect: Effect, diff: list[dict[str, Any]], *, capability: str = "", requester_id: int | None = None) -> Risk:
    """The risk of a change, from what it does alone; no text from outside and no model has a say."""
    if capability in AT_ONCE and all(_is_own_note(item, requester_id) for item in diff):
        return Risk("none", "What happened and tasks of one's own are kept at once; undo takes them back.")
    rows = {(item["noun"], item["id"]) for item in diff}
    fields = {item["field"] for item in diff if not item["created"]}
    if effect is Effect.admin or len(rows) > 200 or any(noun in ADMIN_NOUNS for noun, _id in rows):
        return Risk("second", "Administration and changes of more than 200 records need a second person.")
    if effect is Effect.destructive:
        return Risk("high", "Archiving asks first.")
    if fields & SENSITIVE:
        return Risk("high", "Stage, outcome, amount and owner ask first.")
    if len(rows) > 5:
        return Risk("high", "More than five records ask first.")
    return Risk("low", "An ordinary change asks its requester.")


def _is_own_note(item: dict[str, Any], requester_id: int | None) -> bool:
    """Whether a line of a diff only makes an activity of the requester's own."""
    return bool(item["noun"] == "activity" and item["created"]) and (item["field"] != "owner_id" or item["new"] == requester_id)


def _takes_back_own_notes(ctx: Context, capability: str, arguments: dict[str, Any], requester_id: int) -> bool:
    """Whether an undo is only of what the requester had kept at once."""
    if capability != "undo_change":
        return False
    taken = [load_change_set(ctx, number) for number in arguments["change_set_ids"]]
    return all(item.risk == "none" and item.requester_id == requester_id for item in taken)


def diff_hash(diff: list[dict[str, Any]]) -> str:
    """SHA-256 over the canonical diff: what an approval is bound to."""
    return hashlib.sha256(json.dumps(diff, sort_keys=True, default=str).encode()).hexdigest()


def _run(ctx: Context, capability: str, arguments: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Run the verb and return its result and the diff of everything it changed."""
    entry = CATALOG.get(capability)
    if entry is None or entry.effect is Effect.read:
        raise Invalid(f"'{capability}' is not a change that I can make.")
    rows: list[dict[str, Any]] = []
    ctx.session.info["recorded"] = rows
    result = entry.function(ctx, entry.arguments.model_validate(arguments))
    ctx.session.flush()
    del ctx.session.info["recorded"]
    made: dict[tuple[str, int], str] = {}
    for row in rows:
        if row["kind"] == "created":
            made[(row["noun"], row["record_id"])] = f"new {row['noun']} {len(made) + 1}"
    diff = [
        {
            "noun": row["noun"],
            "id": 0 if row["kind"] == "created" else row["record_id"],
            "field": name,
            "old": old,
            "new": _lasting(ctx, name, new, made),
            "created": row["kind"] == "created",
        }
        for row in rows
        for name, (old, new) in row["changes"].items()
        if name not in _QUIET
    ]
    return result, diff


def _lasting(ctx: Context, name: str, value: Any, made: dict[tuple[str, int], str]) -> Any:
    """A value that is the same in the preview and in the real run: the moment of the run is ``now``, a new record has no number yet."""
    if value == json_value(ctx.now):
        return "now"
    if name.endswith("_id") and isinstance(value, int):
        return made.get((name.removesuffix("_id"), value), value)
    return value


def propose(ctx: Context, capability: str, arguments: dict[str, Any], *, message: str = "", requester_id: int | None = None) -> ChangeSet:
    """Prepare a change and keep it as a proposal; raises what the verb would raise. Nothing is changed.

    ``requester_id`` is who asked, where a proposal is made anew for them.
    """
    savepoint = ctx.session.begin_nested()
    try:
        result, diff = _run(ctx, capability, arguments)
        title = f"Undo: {result.title}" if isinstance(result, Undone) else _title(ctx, capability, diff)
    finally:
        savepoint.rollback()
        ctx.session.expire_all()
    if not diff:
        raise Invalid("This would change nothing; the record is like that already.")
    asker = requester_id or _user(ctx)
    risk = classify(CATALOG[capability].effect, diff, capability=capability, requester_id=asker)
    if _takes_back_own_notes(ctx, capability, arguments, asker):
        risk = Risk("none", "What was kept at once is taken back at once.")
    proposal = ChangeSet(
        title=title[:400],
        capability=capability,
        arguments={k: json_value(v) for k, v in arguments.items()},
        diff=diff,
        diff_hash=diff_hash(diff),
        risk=risk.name,
        rule=risk.rule,
        status="proposed",
        requester_id=asker,
        message=message[:4000],
        created_at=ctx.now,
        expires_at=ctx.now + timedelta(minutes=EXPIRES_MINUTES),
    )
    ctx.session.add(proposal)
    ctx.session.flush()
    return proposal


def approve(ctx: Context, change_set_id: int, shown_hash: str) -> Any:
    """Apply a proposal once; returns the verb's result.

    Raises ``NotAllowed`` for the wrong approver, ``Conflict`` for a hash that is not the shown one, a decided or
    expired proposal, or records that moved since.
    """
    proposal = load_change_set(ctx, change_set_id)
    _check_approver(ctx, proposal)
    if shown_hash != proposal.diff_hash:
        raise Conflict("This approval belongs to another preview; look at the newest one and approve that.")
    if proposal.expires_at <= ctx.now:
        raise Conflict("This proposal has expired; ask for the change again.")
    claimed = ctx.session.execute(
        update(ChangeSet)
        .where(ChangeSet.id == proposal.id, ChangeSet.status == "proposed")
        .values(status="applied", approver_id=_user(ctx), decided_at=ctx.now)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This proposal was decided already; nothing was done again.")
    ctx.session.info["change_set_id"] = proposal.id
    try:
        result, diff = _run(ctx, proposal.capability, proposal.arguments)
    except Conflict as error:
        raise Moved(error.message, **error.details) from error
    if diff_hash(diff) != proposal.diff_hash:
        raise Moved("The records changed since this was proposed, so it was not applied; look at the new preview.")
    return result


def propose_or_apply(ctx: Context, capability: str, arguments: dict[str, Any], *, message: str = "") -> ChangeSet:
    """Propose a change, and apply it in the same transaction where its class needs nobody's yes; its ``status`` tells which."""
    proposal = propose(ctx, capability, arguments, message=message)
    if proposal.risk == "none":
        approve(ctx, proposal.id, proposal.diff_hash)
        ctx.session.info.pop("change_set_id", None)
        ctx.session.refresh(proposal)
    return proposal


def decide(engine: Engine, who: int, change_set_id: int, shown_hash: str, *, door: str, now: datetime | None = None) -> Any:
    """Approve in a transaction of its own. Where the records moved, that is kept, and the change is proposed anew.

    Raises what ``approve`` raises; a ``Conflict`` of moved records carries the new proposal, if the change still
    makes sense, as ``fresh``: its number, title, risk, rule, diff and hash.
    """
    try:
        with unit_of_work(engine, who, write=True, now=now, door=door) as ctx:
            return approve(ctx, change_set_id, shown_hash)
    except Moved as error:
        with unit_of_work(engine, who, write=True, now=now, door=door) as ctx:
            fresh = _anew(ctx, change_set_id)
            told = {"fresh": preview(ctx, fresh)} if fresh is not None else {}
        raise Conflict(error.message, **error.details, **told) from error


def _anew(ctx: Context, change_set_id: int) -> ChangeSet | None:
    """Mark a proposal as overtaken, and propose the same against the records as they are; None where that is no longer possible."""
    old = load_change_set(ctx, change_set_id)
    overtaken = ctx.session.execute(
        update(ChangeSet)
        .where(ChangeSet.id == old.id, ChangeSet.status == "proposed")
        .values(status="conflict", decided_at=ctx.now)
        .execution_options(synchronize_session=False)
    )
    if overtaken.rowcount != 1:  # type: ignore[attr-defined]
        return None
    arguments = {name: value for name, value in old.arguments.items() if name != "version"}
    try:
        return propose(ctx, old.capability, arguments, message=old.message, requester_id=old.requester_id)
    except RapportError:
        return None


def preview(ctx: Context, proposal: ChangeSet) -> dict[str, Any]:
    """A proposal as doors show it: the diff that an approval is bound to, and the same as people read it."""
    return {
        "change_set_id": proposal.id,
        "title": proposal.title,
        "risk": proposal.risk,
        "rule": proposal.rule,
        "diff": proposal.diff,
        "diff_hash": proposal.diff_hash,
        "applied": proposal.status == "applied",
        "changes": [item.model_dump() for item in shown_diff(ctx, proposal.diff)],
    }


def refuse(ctx: Context, change_set_id: int) -> None:
    """Turn a proposal down; raises ``Conflict`` where it was decided already."""
    proposal = load_change_set(ctx, change_set_id)
    if proposal.requester_id != ctx.actor.user_id and not ctx.actor.is_admin:
        raise NotAllowed("Only the person who asked for this change, or an administrator, may turn it down.")
    turned_down = ctx.session.execute(
        update(ChangeSet)
        .where(ChangeSet.id == proposal.id, ChangeSet.status == "proposed")
        .values(status="refused", approver_id=_user(ctx), decided_at=ctx.now)
        .execution_options(synchronize_session=False)
    )
    if turned_down.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(f"This proposal is {state_of(ctx, proposal)} already.")


def _check_approver(ctx: Context, proposal: ChangeSet) -> None:
    own = proposal.requester_id == ctx.actor.user_id
    if proposal.risk == "second":
        if own or ctx.actor.role not in ("manager", "admin"):
            raise NotAllowed("This change needs the yes of a second person, a manager or an administrator.")
    elif not own:
        raise NotAllowed("Only the person who asked for this change may approve it.")


def _title(ctx: Context, capability: str, diff: list[dict[str, Any]]) -> str:
    """ "Update deal: Globex renewal", "Reassign: 12 deals"."""
    rows = {(item["noun"], item["id"]) for item in diff}
    nouns = sorted({noun for noun, _ in rows})
    names = record_names(ctx, diff)
    if len(rows) == 1 and rows <= names.keys():
        what = names[next(iter(rows))]
    else:
        what = plural(len(rows), nouns[0]) if len(nouns) == 1 else plural(len(rows), "record")
    return f"{capability.replace('_', ' ').capitalize()}: {what}"


def _user(ctx: Context) -> int:
    if ctx.actor.user_id is None:
        raise Invalid("The system itself proposes and approves nothing; act as a user.")
    return ctx.actor.user_id
