"""Proposing, approving, refusing and editing changes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, update

from crm_core.changes.risk import Risk, assess, is_stricter, strictest, summarise
from crm_core.changes.steps import LEFT_OUT, Ran, Step, checked_steps, diff_hash, kept_steps, run_steps, steps_of
from crm_core.context import Context, unit_of_work
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound, RapportError
from crm_core.models import ChangeSet
from crm_core.services.change_sets import load_change_set, shown_diff, state_of, taken_back_by

EXPIRES_MINUTES = 30
#: Lines of a diff that a preview holds; the whole is kept, and can be fetched as a list.
SHOWN_LINES = 200


#: A cell that begins so would be computed by a spreadsheet.
_FORMULA = frozenset("=+-@\t\r")


class Moved(Conflict):
    """The records are not as they were when the change was shown."""


def propose(
    ctx: Context, capability: str, arguments: dict[str, Any], *, message: str = "", requester_id: int | None = None, replaces: int | None = None
) -> ChangeSet:
    """Prepare a change of one verb and keep it as a proposal; raises what the verb would raise. Nothing is changed.

    ``requester_id`` is who asked, where a proposal is made anew for them.
    """
    step = Step(capability=capability, arguments=arguments)
    return propose_steps(ctx, [step], message=message, requester_id=requester_id, replaces=replaces)


def propose_steps(
    ctx: Context, steps: Sequence[Step], *, message: str = "", requester_id: int | None = None, replaces: int | None = None
) -> ChangeSet:
    """Prepare verbs, each on one record or on many, as one change; records that a verb refuses are left out and told in ``left_out``.

    Raises ``NotAllowed`` where the policy forbids it, and what a verb raises that can be carried out on nothing. Nothing is changed.
    """
    asker = requester_id or _user(ctx)
    return _keep(ctx, *_try_out(ctx, steps, asker), asker=asker, message=message, replaces=replaces)


def _keep(
    ctx: Context, ran: Ran, risks: Sequence[Risk], *, asker: int, message: str, replaces: int | None = None, into: ChangeSet | None = None
) -> ChangeSet:
    """Keep as a proposal what was tried out, as a new one or ``into`` one that nobody has seen; what was refused stays out of it."""
    refused = {(item["step"], item["id"]) for item in ran.left_out}
    steps = [
        step.model_copy(update={"ids": [key for key in step.ids if (place, key) not in refused]})
        for place, (step, lines) in enumerate(ran.parts)
        if lines
    ]
    capability, kept = kept_steps(steps)
    if ran.left_out:
        kept |= {LEFT_OUT: ran.left_out}
    risk = strictest(risks)
    proposal = into or ChangeSet(status="proposed", requester_id=asker, message=message[:4000], created_at=ctx.now, replaces_id=replaces)
    proposal.title, proposal.capability, proposal.arguments = ran.title[:400], capability, kept
    proposal.diff, proposal.diff_hash = ran.diff, diff_hash(ran.diff)
    proposal.risk, proposal.rule = risk.name, risk.rule
    proposal.expires_at = ctx.now + timedelta(minutes=EXPIRES_MINUTES)
    ctx.session.add(proposal)
    ctx.session.flush()
    return proposal


def _try_out(ctx: Context, steps: Sequence[Step], asker: int, already: int = 0) -> tuple[Ran, list[Risk]]:
    """What the steps would do, and the risk of each that does something; nothing of it stays."""
    savepoint = ctx.session.begin_nested()
    try:
        ran = run_steps(ctx, steps, lenient=True)
    finally:
        savepoint.rollback()
        ctx.session.expire_all()
    if not ran.diff:
        raise Invalid("This would change nothing; the record is like that already.")
    return ran, assess(ctx, ran, asker, already)


def approve(ctx: Context, change_set_id: int, shown_hash: str) -> Any:
    """Apply a proposal once; returns the verb's result, or ``Carried`` for several steps.

    Raises ``NotAllowed`` for the wrong approver or where the policy forbids it by now, ``Conflict`` for a hash that is not the shown
    one, a decided or expired proposal, or records or rules that changed since.
    """
    proposal = load_change_set(ctx, change_set_id)
    _check_approver(ctx, proposal)
    if shown_hash != proposal.diff_hash:
        raise Conflict("This approval belongs to another preview; look at the newest one and approve that.")
    if proposal.expires_at <= ctx.now:
        raise Conflict("This proposal has expired; ask for the change again.")
    if not _claim(ctx, proposal, "applied"):
        raise Conflict("This proposal was decided already; nothing was done again.")
    ctx.session.info["change_set_id"] = proposal.id
    try:
        ran = run_steps(ctx, steps_of(proposal))
    except Conflict as error:
        raise Moved(error.message, **error.details) from error
    except (NotAllowed, NotFound) as error:
        if not any(step.ids for step in steps_of(proposal)):
            raise
        raise Moved(f"{error.message} So this was not applied; look at the new preview, which leaves that out.") from error
    if diff_hash(ran.diff) != proposal.diff_hash:
        raise Moved("The records changed since this was proposed, so it was not applied; look at the new preview.")
    if is_stricter(strictest(assess(ctx, ran, proposal.requester_id)), proposal.risk):
        raise Moved("The policy asks for more than when this was proposed, so it was not applied; look at the new preview.")
    return ran.result


def _claim(ctx: Context, proposal: ChangeSet, status: str) -> bool:
    """Decide a proposal, if nobody has; of several that try at once one succeeds."""
    claimed = ctx.session.execute(
        update(ChangeSet)
        .where(ChangeSet.id == proposal.id, ChangeSet.status == "proposed")
        .values(status=status, approver_id=ctx.actor.user_id, decided_at=ctx.now)
        .execution_options(synchronize_session=False)
    )
    return bool(claimed.rowcount == 1)  # type: ignore[attr-defined]


def propose_together(
    ctx: Context, steps: Sequence[Step], *, message: str = "", replaces: Sequence[int] = (), extends: int | None = None, already: int = 0
) -> list[ChangeSet]:
    """What one message asks for, as at most two changes: what needs nobody's yes, applied, and the rest, proposed.

    ``replaces`` are earlier changes of the same requester that this corrects: a proposal among them no longer stands, and what
    was applied at once is taken back together with the new. ``extends`` is a proposal of the same message, which nobody has seen yet and
    into which the rest goes; ``already`` is how many records the message has changed at once before.
    """
    steps = checked_steps(steps)
    steps = [*_withdraw(ctx, replaces), *steps]
    asker, before = _user(ctx), replaces[-1] if replaces else None
    ran, risks = _try_out(ctx, steps, asker, already)
    acting = list(zip([step for step, lines in ran.parts if lines], risks, strict=True))
    quiet = [step for step, risk in acting if risk.name == "none"]
    rest = [step for step, risk in acting if risk.name != "none"]
    made = []
    if quiet:
        alone = (ran, risks) if not rest else _try_out(ctx, quiet, asker, already)
        applied = _keep(ctx, *alone, asker=asker, message=message, replaces=before)
        approve(ctx, applied.id, applied.diff_hash)
        ctx.session.info.pop("change_set_id", None)
        ctx.session.refresh(applied)
        made.append(applied)
    if rest:
        into = _open_proposal(ctx, extends) if extends is not None else None
        if into is not None or quiet:
            told = [*(into.arguments.get(LEFT_OUT, []) if into is not None else []), *ran.left_out]
            ran, risks = _try_out(ctx, [*(steps_of(into) if into is not None else []), *rest], asker)
            known = {(item["capability"], item["id"]) for item in ran.left_out}
            ran.left_out += [item | {"step": -1} for item in told if (item["capability"], item["id"]) not in known]
        made.append(_keep(ctx, ran, risks, asker=asker, message=message, replaces=before, into=into))
    return made


def _open_proposal(ctx: Context, number: int) -> ChangeSet | None:
    """The caller's own proposal, where it still waits."""
    found = load_change_set(ctx, number)
    return found if found.requester_id == ctx.actor.user_id and state_of(ctx, found) == "proposed" else None


def _withdraw(ctx: Context, replaced: Sequence[int]) -> list[Step]:
    """Withdraw proposals that are corrected; returns the steps that take back those among them that were applied at once.

    What a correction had itself taken back stays so.
    """
    applied: list[int] = []
    again: list[int] = []
    for number in replaced:
        before = load_change_set(ctx, number)
        if before.requester_id != ctx.actor.user_id:
            raise NotAllowed("Only the person who asked for this change may correct it.")
        if before.status == "applied" and before.risk == "none" and any(step.capability != "undo_change" for step in steps_of(before)):
            applied.append(number)
            again += taken_back_by(before)
        elif before.status == "proposed":
            _claim(ctx, before, "replaced")
    return [Step(capability="undo_change", arguments={"change_set_ids": numbers}) for numbers in (applied, again) if numbers]


def edit(ctx: Context, change_set_id: int, arguments: Sequence[dict[str, Any]]) -> ChangeSet:
    """Put a proposal with other arguments in place of one that waits: ``arguments`` are those to set or replace, by step.

    Raises ``NotAllowed`` for anybody but its requester, ``Conflict`` where it was decided already, and ``Invalid`` for arguments that
    cannot be used; then the old one stands.
    """
    before = load_change_set(ctx, change_set_id)
    if before.requester_id != ctx.actor.user_id:
        raise NotAllowed("Only the person who asked for this change may edit it.")
    if state_of(ctx, before) != "proposed":
        raise Conflict(f"This proposal is {state_of(ctx, before)} already; ask for the change again.")
    steps = steps_of(before)
    if len(arguments) != len(steps):
        raise Invalid(f"This change has {len(steps)} steps; give the arguments of each, empty where nothing changes.")
    edited = [
        step.model_copy(update={"arguments": {**{name: value for name, value in step.arguments.items() if name != "version"}, **given}})
        for step, given in zip(steps, arguments, strict=True)
    ]
    proposal = propose_steps(ctx, checked_steps(edited), message=before.message, replaces=before.id)
    if not _claim(ctx, before, "replaced"):
        raise Conflict("This proposal was decided already; nothing was done again.")
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
    if not _claim(ctx, old, "conflict"):
        return None
    steps = [
        step.model_copy(update={"arguments": {name: value for name, value in step.arguments.items() if name != "version"}}) for step in steps_of(old)
    ]
    try:
        return propose_steps(ctx, steps, message=old.message, requester_id=old.requester_id)
    except RapportError:
        return None


def preview(ctx: Context, proposal: ChangeSet) -> dict[str, Any]:
    """A proposal as doors show it: the diff that an approval is bound to, and the same as people read it.

    Of a long one the first lines are given; ``lines_in_all`` tells how many there are.
    """
    lines = proposal.diff[:SHOWN_LINES]
    return {
        "change_set_id": proposal.id,
        "title": proposal.title,
        "risk": proposal.risk,
        "rule": proposal.rule,
        "diff": lines,
        "diff_hash": proposal.diff_hash,
        "applied": proposal.status == "applied",
        "changes": [item.model_dump() for item in shown_diff(ctx, lines)],
        "summary": summarise(ctx, proposal.diff),
        "lines_in_all": len(proposal.diff),
        "left_out": [item["reason"] for item in proposal.arguments.get(LEFT_OUT, [])],
    }


def diff_csv(ctx: Context, change: ChangeSet) -> str:
    """Every line of a change as CSV, with a heading; a cell that a spreadsheet would take for a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["kind", "number", "record", "field", "before", "after"])
    for item in shown_diff(ctx, change.diff, whole=True):
        cells = [item.noun, item.id or "new", item.record, item.title, "" if item.created else item.old, item.new]
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell for cell in cells])
    return out.getvalue()


def refuse(ctx: Context, change_set_id: int) -> None:
    """Turn a proposal down; raises ``Conflict`` where it was decided already."""
    proposal = load_change_set(ctx, change_set_id)
    if proposal.requester_id != ctx.actor.user_id and not ctx.actor.is_admin:
        raise NotAllowed("Only the person who asked for this change, or an administrator, may turn it down.")
    _user(ctx)
    if not _claim(ctx, proposal, "refused"):
        raise Conflict(f"This proposal is {state_of(ctx, proposal)} already.")


def _check_approver(ctx: Context, proposal: ChangeSet) -> None:
    own = proposal.requester_id == ctx.actor.user_id
    if proposal.risk == "second":
        if own or ctx.actor.role not in ("manager", "admin"):
            raise NotAllowed("This change needs the yes of a second person, a manager or an administrator.")
    elif not own:
        raise NotAllowed("Only the person who asked for this change may approve it.")


def _user(ctx: Context) -> int:
    if ctx.actor.user_id is None:
        raise Invalid("The system itself proposes and approves nothing; act as a user.")
    return ctx.actor.user_id
