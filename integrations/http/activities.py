"""Activities and tasks over HTTP; and what concerns records of any noun: timelines, the search, a new owner."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from crm_core.services.activities import (
    ActivityView,
    AddTask,
    Timeline,
    TimelineView,
    add_task,
    complete_task,
    get_activity,
    log_activity,
    timeline,
    update_activity,
)
from crm_core.services.records import Reassign, RecordRef, reassign
from crm_core.services.search import FindRecords, Found, find_records
from integrations.http.deps import IdempotencyHeader, IfMatch, Read, Write, once, tagged, versioned
from integrations.http.records import record_routes, verb_route

router = APIRouter()
router.include_router(record_routes("activity", create=log_activity, read=get_activity, update=update_activity))
tasks = APIRouter(prefix="/api/tasks", tags=["activities"])
verb_route(tasks, "/{record_id}/complete", complete_task)


@tasks.post("", status_code=201, response_model=ActivityView)
def add(ctx: Write, arguments: AddTask, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Add a task."""
    return tagged(response, once(ctx, request, key, arguments, lambda: add_task(ctx, arguments)))


router.include_router(tasks)


@router.get("/api/timeline/{noun}/{record_id}", tags=["timeline"])
def read_timeline(ctx: Read, noun: str, record_id: int, limit: Annotated[int, Query(ge=1, le=200)] = 30) -> TimelineView:
    """What happened around a record, newest first."""
    return timeline(ctx, Timeline(noun=noun, id=record_id, limit=limit))


@router.get("/api/search", tags=["search"])
def search(ctx: Read, q: Annotated[str, Query(min_length=1, max_length=300)], limit: Annotated[int, Query(ge=1, le=50)] = 10) -> Found:
    """Find records of any kind by name, initials, e-mail or phone, forgiving typos."""
    return find_records(ctx, FindRecords(text=q, limit=limit))


@router.post("/api/reassign", tags=["records"])
def give(ctx: Write, arguments: Reassign, if_match: IfMatch = None) -> RecordRef:
    """Give a record to another owner; the version that was read is required."""
    checked = versioned({"version": arguments.version}, arguments.id, if_match)
    return reassign(ctx, arguments.model_copy(update={"version": checked["version"]}))
