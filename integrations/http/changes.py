"""Changes: those that wait for a yes, those that were decided, and taking an applied one back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from crm_core.changes import decide, diff_csv, edit, preview, propose, refuse, steps_of
from crm_core.context import Context
from crm_core.models import ChangeSet
from crm_core.services.change_sets import ListChanges, list_changes, load_change_set, state_of
from integrations.http.deps import Caller, Product, Read, Write

router = APIRouter(tags=["changes"])


class Decision(BaseModel):
    """The hash of the preview that was shown."""

    diff_hash: str = Field(min_length=64, max_length=64)


class ProposalView(BaseModel):
    """A proposed or decided change."""

    id: int
    title: str
    capability: str
    risk: str
    rule: str
    status: str
    diff: list[dict[str, Any]]
    diff_hash: str
    changes: list[dict[str, Any]]
    #: Of a change of several records: how many of which, and what the deals among them are worth.
    summary: str
    #: Lines of the whole diff; of a long one ``diff`` and ``changes`` hold the first, and ``rows.csv`` all.
    lines_in_all: int
    #: Why some of what was asked for is not part of it.
    left_out: list[str]
    #: What is done, verb by verb; ``edit`` takes other arguments for each.
    steps: list[dict[str, Any]]
    message: str
    replaces_id: int | None
    requester_id: int
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class Edit(BaseModel):
    """Other values for a proposal."""

    arguments: list[dict[str, Any]] = Field(max_length=200, description="For each step the arguments to set or replace; empty where none.")


class Undo(BaseModel):
    """How to take a change back."""

    partly: bool = Field(default=False, description="Take back what can be, and leave what somebody changed since.")


@router.get("/api/changes")
def changes(ctx: Read, wanted: Annotated[ListChanges, Query()]) -> list[ProposalView]:
    """Proposed and decided changes, newest first: the caller's, or all that the caller may see."""
    return [_view(ctx, row) for row in list_changes(ctx, wanted)]


@router.get("/api/changes/{change_set_id}")
def change(ctx: Read, change_set_id: int) -> ProposalView:
    """One proposed or decided change with its diff."""
    return _view(ctx, load_change_set(ctx, change_set_id))


@router.get("/api/changes/{change_set_id}/rows.csv", response_class=Response)
def rows(ctx: Read, change_set_id: int) -> Response:
    """Every line of a change as CSV: kind of record, its number and name, field, before, after."""
    name = f"change-{change_set_id}.csv"
    text = diff_csv(ctx, load_change_set(ctx, change_set_id))
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.post("/api/changes/{change_set_id}/edit", status_code=201)
def edit_change(ctx: Write, change_set_id: int, wanted: Edit) -> ProposalView:
    """Put a proposal with other values in place of one that waits; the old one no longer stands."""
    return _view(ctx, edit(ctx, change_set_id, wanted.arguments))


@router.post("/api/changes/{change_set_id}/approve")
def approve_change(product: Product, caller: Caller, change_set_id: int, decision: Decision) -> dict[str, Any]:
    """Apply a proposed change, once, if it is still what was shown; else 409 with a new preview as ``fresh``."""
    result = decide(product.engine, caller, change_set_id, decision.diff_hash, door="http")
    body: dict[str, Any] = result.model_dump(mode="json")
    return body


@router.post("/api/changes/{change_set_id}/refuse", status_code=204)
def refuse_change(ctx: Write, change_set_id: int) -> None:
    """Turn a proposed change down."""
    refuse(ctx, change_set_id)


@router.post("/api/changes/{change_set_id}/undo", status_code=201)
def undo_applied(ctx: Write, change_set_id: int, how: Undo) -> ProposalView:
    """Propose to take an applied change back; nothing happens until the proposal is approved."""
    return _view(ctx, propose(ctx, "undo_change", {"change_set_ids": [change_set_id], "partly": how.partly}))


def _view(ctx: Context, row: ChangeSet) -> ProposalView:
    shown = preview(ctx, row)
    told = {name: shown[name] for name in ("diff", "changes", "summary", "lines_in_all", "left_out")}
    told |= {name: getattr(row, name) for name in ProposalView.model_fields if name not in (*told, "status", "steps")}
    return ProposalView(**told, status=state_of(ctx, row), steps=[step.model_dump(mode="json") for step in steps_of(row)])
