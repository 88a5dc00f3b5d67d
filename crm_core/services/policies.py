"""The company's policy: which one holds, and putting another in its place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from pydantic import BaseModel
from sqlalchemy import select

from crm_core.access import require_admin
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.events import event_row, record_events
from crm_core.models import PolicyText
from crm_core.policy import Policy, parse_policy, shipped, shipped_text
from crm_core.services.history import user_name


class PolicyView(BaseModel):
    """A policy as it stands: its text, and who set it when; version 0 is the shipped one."""

    version: int
    text: str
    set_by: str | None = None
    set_at: datetime | None = None


def current_policy(ctx: Context) -> Policy:
    """The rules that hold now."""
    newest = _newest(ctx)
    return shipped() if newest is None else _parsed(newest.text)


@lru_cache(maxsize=8)
def _parsed(text: str) -> Policy:
    return parse_policy(text)


def read_policy(ctx: Context) -> PolicyView:
    """The policy as people read it."""
    newest = _newest(ctx)
    if newest is None:
        return PolicyView(version=0, text=shipped_text())
    return PolicyView(version=newest.id, text=newest.text, set_by=user_name(ctx, newest.set_by), set_at=newest.set_at)


def set_policy(ctx: Context, text: str, *, verbs: Iterable[str]) -> PolicyView:
    """Put a policy in place of the one that holds; the old one is kept. ``verbs`` are those that its rules may name.

    Raises ``NotAllowed`` for anybody but an administrator, and ``Invalid`` that says what cannot be used; then the old one holds on.
    """
    require_admin(ctx, "change the policy")
    parse_policy(text, verbs=verbs)
    before = read_policy(ctx)
    if text == before.text:
        raise Invalid("This is the policy that holds already.")
    row = PolicyText(text=text, set_by=ctx.actor.user_id, set_at=ctx.now)
    ctx.session.add(row)
    ctx.session.flush()
    event = event_row(
        "policy", row.id, 1, "created", {"text": [before.text, text]}, at=ctx.now, actor_id=ctx.actor.user_id, door=ctx.session.info["door"]
    )
    record_events(ctx.session, [event])
    return read_policy(ctx)


def _newest(ctx: Context) -> PolicyText | None:
    return ctx.session.scalar(select(PolicyText).order_by(PolicyText.id.desc()).limit(1))
