"""Earned autonomy: how often what was proposed to somebody was right, and what that suggests for the policy.

For each person and verb, among the changes of a period that were decided: accepted as proposed, edited (corrected before a yes),
refused, and undone after they were applied. Where enough were decided and nearly all stood, a looser rule is suggested; where many
of those that apply at once were taken back, a stricter one. Nothing is ever loosened by itself. As a bound for "nearly all" the lower
end of the Wilson score interval at 95 % is used (E. B. Wilson, "Probable inference", JASA 22, 1927), so that few cases suggest nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import func, or_, select

from crm_core.changes.risk import AT_ONCE
from crm_core.context import Context
from crm_core.models import ChangeSet
from crm_core.services.catalog import CATALOG, Effect
from crm_core.services.history import user_name

#: Days that are looked back.
DAYS = 90
#: Decided changes of a verb below which nothing is suggested.
LEAST = 20
#: Lower bounds of the share that stood, from which a looser and under which a stricter rule is suggested.
LOOSER, STRICTER = 0.9, 0.6
_Z = 1.96


class Earned(BaseModel):
    """How proposals of one verb to one person fared, and what that suggests; ``suggestion`` is empty where it suggests nothing."""

    user_id: int
    user: str
    verb: str
    accepted: int
    edited: int
    refused: int
    undone: int
    suggestion: str = ""
    #: The rule that would do it, as it would stand in the policy.
    rule: str = ""

    @property
    def decided(self) -> int:
        """All that were decided."""
        return self.accepted + self.edited + self.refused + self.undone


def wilson_lower(hits: int, total: int) -> float:
    """Lower end of the 95 % Wilson score interval of a share; 0 where nothing was counted."""
    if not total:
        return 0.0
    share = hits / total
    centre = share + _Z**2 / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    return (centre - spread) / (1 + _Z**2 / total)


def earned_autonomy(ctx: Context, *, since: datetime | None = None) -> list[Earned]:
    """By person and verb, for those whose changes the caller may see, most decided first."""
    columns = (ChangeSet.requester_id, ChangeSet.capability, ChangeSet.status, ChangeSet.risk)
    recent = ChangeSet.created_at >= (since or ctx.now - timedelta(days=DAYS))
    query = select(*columns, func.count()).where(recent, ChangeSet.status.in_(tuple(_KINDS))).group_by(*columns)
    if not ctx.actor.is_admin:
        team = ctx.actor.member_ids if ctx.actor.role == "manager" else ()
        query = query.where(or_(ChangeSet.requester_id == ctx.actor.user_id, ChangeSet.requester_id.in_(team)))
    counts: dict[tuple[int, str], Counter[str]] = {}
    for user_id, verb, status, risk, count in ctx.session.execute(query):
        if verb != "undo_change":
            kinds = counts.setdefault((user_id, verb), Counter())
            kinds[_KINDS[status]] += count
            kinds["at_once"] += count if risk == "none" else 0
    found = [_earned(ctx, user_id, verb, kinds) for (user_id, verb), kinds in counts.items()]
    return sorted(found, key=lambda item: (-item.decided, item.user, item.verb))


_KINDS = {"applied": "accepted", "replaced": "edited", "refused": "refused", "undone": "undone"}


def _earned(ctx: Context, user_id: int, verb: str, kinds: Counter[str]) -> Earned:
    earned = Earned(
        user_id=user_id,
        user=user_name(ctx, user_id) or "",
        verb=verb,
        accepted=kinds["accepted"],
        edited=kinds["edited"],
        refused=kinds["refused"],
        undone=kinds["undone"],
    )
    if earned.decided < LEAST:
        return earned
    stood = wilson_lower(earned.accepted, earned.decided)
    fell = wilson_lower(earned.decided - earned.accepted, earned.decided)
    figures = f"{earned.accepted} of {earned.decided} stood as proposed ({earned.edited} edited, {earned.refused} refused, {earned.undone} undone)"
    at_once = kinds["at_once"] * 2 > earned.decided
    if verb not in CATALOG:
        return earned  # several verbs in one change: which of them was right cannot be told
    loosened = CATALOG[verb].effect is Effect.write
    if stood >= LOOSER and not at_once and loosened and verb not in AT_ONCE:
        earned.suggestion = f"{figures}: it could be applied at once, with undo."
        earned.rule = f'- {{then: apply, verbs: [{verb}], own: true, because: "Proposals of this kind were right nearly always."}}'
    elif fell >= 1 - STRICTER and at_once:
        earned.suggestion = f"{figures}: it should ask first."
        earned.rule = f'- {{then: ask, verbs: [{verb}], because: "Changes of this kind were often taken back."}}'
    return earned
