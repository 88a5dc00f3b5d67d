"""The routes that every noun has, and those of its verbs, made around the verbs' own arguments and results.

Addresses, methods and status codes are the same for every noun; what differs, the verbs, is each noun's file.
Annotations are evaluated here (no ``from __future__ import annotations``): FastAPI reads the models off them.
"""

from collections.abc import Callable
from typing import Any, get_type_hints

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, create_model

from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.services.catalog import arguments_of
from crm_core.services.records import ArchiveRecord, Args, RecordRef, archive_record, restore_record
from integrations.http.deps import IdempotencyHeader, IfMatch, Page, Params, Read, Write, once, page, tagged, versioned

Verb = Callable[..., Any]


def record_routes(noun: str, *, create: Verb, read: Verb, update: Verb) -> APIRouter:
    """List, create, read, update, archive and restore one noun under ``/api/<plural>``."""
    shape = NOUN_SHAPES[noun]
    one = f"{'an' if shape.title[0] in 'aeiou' else 'a'} {shape.title}"
    router = APIRouter(prefix=f"/api/{shape.plural}", tags=[shape.plural])
    creation, view, reading, change = arguments_of(create), _result_of(read), arguments_of(read), arguments_of(update)
    body = _body_of(change)

    @router.get("", name=f"list_{noun}", description=f"List or find {shape.plural}, with totals over everything that matches.")
    def list_all(ctx: Read, params: Params) -> Page:
        return page(ctx, noun, params)

    @router.post("", name=f"create_{noun}", status_code=201, response_model=view, description=create.__doc__)
    def create_one(ctx: Write, arguments: creation, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:  # type: ignore[valid-type]
        return tagged(response, once(ctx, request, key, arguments, lambda: create(ctx, arguments)))

    @router.get("/{record_id}", name=f"read_{noun}", response_model=view, description=f"Read {one}; the ETag is its version.")
    def read_one(ctx: Read, record_id: int, response: Response) -> Any:
        return tagged(response, read(ctx, reading(id=record_id)))

    @router.patch("/{record_id}", name=f"update_{noun}", response_model=view, description=f"Change {one}; the version that was read is required.")
    def update_one(ctx: Write, record_id: int, changes: body, response: Response, if_match: IfMatch = None) -> Any:  # type: ignore[valid-type]
        return tagged(response, update(ctx, _versioned(change, changes, record_id, if_match)))

    @router.delete("/{record_id}", name=f"archive_{noun}", description=f"Archive {one}; it can be restored.")
    def archive_one(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
        return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": noun}))

    @router.post("/{record_id}/restore", name=f"restore_{noun}", description=f"Restore {one} that was archived.")
    def restore_one(ctx: Write, record_id: int) -> RecordRef:
        return restore_record(ctx, ArchiveRecord(noun=noun, id=record_id))

    return router


def verb_route(router: APIRouter, path: str, verb: Verb) -> None:
    """``POST path`` runs a verb on the record ``{record_id}`` of the path; the version that was read is required."""
    arguments = arguments_of(verb)
    body = _body_of(arguments)

    @router.post(path, name=verb.__name__, response_model=_result_of(verb), description=verb.__doc__)
    def run(ctx: Write, record_id: int, given: body, response: Response, if_match: IfMatch = None) -> Any:  # type: ignore[valid-type]
        result = verb(ctx, _versioned(arguments, given, record_id, if_match))
        return tagged(response, result) if hasattr(result, "version") else result


def _result_of(verb: Verb) -> type[BaseModel]:
    result: type[BaseModel] = get_type_hints(verb)["return"]
    return result


def _body_of(arguments: type[BaseModel]) -> type[BaseModel]:
    """The arguments without the record's number, which stands in the address."""
    fields: dict[str, Any] = {name: (item.annotation, item) for name, item in arguments.model_fields.items() if name != "id"}
    return create_model(f"{arguments.__name__}Body", __base__=Args, __doc__=arguments.__doc__, **fields)


def _versioned(arguments: type[BaseModel], given: BaseModel, record_id: int, if_match: str | None) -> BaseModel:
    return arguments.model_validate(versioned(given.model_dump(exclude_unset=True), record_id, if_match))
