"""Activities, tasks and timelines over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from crm_core.services.activities import (
    ActivityView,
    AddTask,
    CompleteTask,
    GetActivity,
    LogActivity,
    Timeline,
    TimelineView,
    UpdateActivity,
    add_task,
    complete_task,
    get_activity,
    log_activity,
    timeline,
    update_activity,
)
from crm_core.services.records import (
    ArchiveRecord,
    Reassign,
    RecordRef,
    archive_record,
    reassign,
    restore_record,
)
from crm_core.services.search import FindRecords, Found, find_records
from integrations.http.deps import (
    IdempotencyHeader,
    IfMatch,
    Page,
    Params,
    Read,
    Write,
    once,
    page,
    tagged,
    versioned,
)

router = APIRouter(prefix="/api", tags=["activities"])


@router.get("/activities")
def list_activities(ctx: Read, params: Params) -> Page:
    """List activities, with totals over everything that matches."""
    return page(ctx, "activity", params)


@router.post("/activities", status_code=201, response_model=ActivityView)
def log(ctx: Write, arguments: LogActivity, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Log a call, e-mail, meeting or note."""
    return tagged(response, once(ctx, request, key, arguments, lambda: log_activity(ctx, arguments)))


@router.post("/tasks", status_code=201, response_model=ActivityView)
def add(ctx: Write, arguments: AddTask, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Add a task."""
    return tagged(response, once(ctx, request, key, arguments, lambda: add_task(ctx, arguments)))


@router.post("/tasks/{record_id}/complete")
def complete(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> ActivityView:
    """Mark a task done."""
    return complete_task(ctx, CompleteTask.model_validate(versioned(arguments, record_id, if_match)))


@router.get("/activities/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> ActivityView:
    """Read an activity; the ETag is its version."""
    view: ActivityView = tagged(response, get_activity(ctx, GetActivity(id=record_id)))
    return view


@router.patch("/activities/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> ActivityView:
    """Correct an activity; the version that was read is required."""
    view: ActivityView = tagged(response, update_activity(ctx, UpdateActivity.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/activities/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive an activity; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "activity"}))


@router.post("/activities/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived activity."""
    return restore_record(ctx, ArchiveRecord(noun="activity", id=record_id))


@router.get("/timeline/{noun}/{record_id}", tags=["timeline"])
def read_timeline(ctx: Read, noun: str, record_id: int, limit: Annotated[int, Query(ge=1, le=200)] = 30) -> TimelineView:
    """What happened around a record, newest first."""
    return timeline(ctx, Timeline(noun=noun, id=record_id, limit=limit))


@router.get("/search", tags=["search"])
def search(ctx: Read, q: Annotated[str, Query(min_length=1, max_length=300)], limit: Annotated[int, Query(ge=1, le=50)] = 10) -> Found:
    """Find records of any kind by name, initials, e-mail or phone, forgiving typos."""
    return find_records(ctx, FindRecords(text=q, limit=limit))


@router.post("/reassign", tags=["records"])
def give(ctx: Write, arguments: Reassign, if_match: IfMatch = None) -> RecordRef:
    """Give a record to another owner; the version that was read is required."""
    checked = versioned({"version": arguments.version}, arguments.id, if_match)
    return reassign(ctx, arguments.model_copy(update={"version": checked["version"]}))
