"""The policy of changes: reading it, setting it, and what the record of decisions suggests for it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from crm_core.changes import Earned, earned_autonomy
from crm_core.policy import LONGEST
from crm_core.services.catalog import CHANGES
from crm_core.services.policies import PolicyView, read_policy, set_policy
from integrations.http.deps import Read, Write

router = APIRouter(tags=["policy"])


class NewPolicy(BaseModel):
    """A policy as YAML."""

    text: str = Field(max_length=LONGEST, description="The policy as YAML; GET gives the one that holds, with its explanation.")


@router.get("/api/policy")
def policy(ctx: Read) -> PolicyView:
    """The policy that holds: which changes apply at once, ask, need a second person, or are forbidden."""
    return read_policy(ctx)


@router.put("/api/policy")
def replace_policy(ctx: Write, wanted: NewPolicy) -> PolicyView:
    """Put a policy in place of the one that holds; administrators only."""
    return set_policy(ctx, wanted.text, verbs=CHANGES)


@router.get("/api/policy/earned")
def earned(ctx: Read) -> list[Earned]:
    """How often proposals of each kind stood, by person, over 90 days, and what that suggests; nothing is changed by itself."""
    return earned_autonomy(ctx)
