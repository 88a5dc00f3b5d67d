"""What every route needs: the caller, a transaction, paging, preconditions and idempotency.

Transactions end before the response is sent (``scope="function"``), so a failing commit is never a 200.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.context import Context, unit_of_work
from crm_core.errors import Conflict, Invalid, RapportError
from crm_core.metrics.fields import Kind
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListQuestion, ListResult, list_records
from crm_core.models import IdempotencyKey
from crm_core.services.records import shown_amount
from crm_core.services.search import FindRecords, find_records
from crm_core.services.users import user_of_key, user_of_session
from integrations.app import Rapport

COOKIE = "rapport_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Unauthorised(RapportError):
    """No valid key or session came with the request."""

    code = "unauthorised"


class PreconditionNeeded(RapportError):
    """A change came without the version that was read."""

    code = "precondition_needed"


def rapport(request: Request) -> Rapport:
    """The assembled product."""
    product: Rapport = request.app.state.rapport
    return product


def identify(request: Request) -> Callable[[Session], int]:
    """How to find the caller in a session: by ``Authorization: Bearer`` key, else by the session cookie."""
    header = request.headers.get("authorization", "")
    cookie = request.cookies.get(COOKIE, "")
    if not header and cookie:
        _refuse_cross_site(request)

    def find(session: Session) -> int:
        user_id: int | None = None
        if header.lower().startswith("bearer "):
            user_id = user_of_key(session, header[7:].strip())
        elif cookie and not header:
            user_id = user_of_session(session, cookie, datetime.now(UTC))
        if user_id is None:
            raise Unauthorised("Sign in first: send 'Authorization: Bearer KEY' with a key from 'rapport user key', or open a sign-in link.")
        return user_id

    return find


def _refuse_cross_site(request: Request) -> None:
    """A cookie alone does not authorise a change that another site's page sends."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.split("://")[-1] != request.headers.get("host"):
        raise Unauthorised("This request came from another site and was refused.")
    if origin is None and request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Unauthorised("This request came from another site and was refused.")


def _reading(request: Request) -> Iterator[Context]:
    with unit_of_work(rapport(request).engine, identify(request), write=False, door="http") as ctx:
        yield ctx


def _writing(request: Request) -> Iterator[Context]:
    with unit_of_work(rapport(request).engine, identify(request), write=True, door="http") as ctx:
        yield ctx
    rapport(request).index.nudge()


def _caller(request: Request) -> int:
    with unit_of_work(rapport(request).engine, identify(request), write=False, door="http") as ctx:
        assert ctx.actor.user_id is not None
        return ctx.actor.user_id


Product = Annotated[Rapport, Depends(rapport)]
Read = Annotated[Context, Depends(_reading, scope="function")]
Write = Annotated[Context, Depends(_writing, scope="function")]
Caller = Annotated[int, Depends(_caller)]


# --- Lists ----------------------------------------------------------------------------------------------


class ListParams(BaseModel):
    """Query parameters of every list."""

    q: str = ""
    filter: list[str] = []
    sort: str = ""
    limit: int = 25
    offset: int = 0


def _list_params(
    q: Annotated[str, Query(max_length=300, description="Part of a name, initials, e-mail or phone.")] = "",
    filter: Annotated[
        list[str] | None, Query(max_length=20, description="field:op:value, such as amount:more_than:20000; op may be left out.")
    ] = None,
    sort: Annotated[str, Query(max_length=60, description="Field to sort by; '-' before it for descending.")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ListParams:
    return ListParams(q=q, filter=filter or [], sort=sort, limit=limit, offset=offset)


Params = Annotated[ListParams, Depends(_list_params)]


class Page(BaseModel):
    """A page of records and how many there are in all; ``amount`` sums everything that matches, not the page."""

    items: list[dict[str, Any]]
    total: int
    limit: int
    offset: int
    amount: str | None = None
    currency: str | None = None


def page(ctx: Context, noun: str, params: ListParams) -> Page:
    """A list of a noun: by name where ``q`` is given, by filters otherwise."""
    if params.q:
        if params.filter:
            raise Invalid("Use either q or filter, not both.")
        found = find_records(ctx, FindRecords(text=params.q, nouns=[noun], limit=params.limit, offset=params.offset))
        return Page(
            items=[match.model_dump(exclude={"noun"}) for match in found.matches], total=found.total, limit=params.limit, offset=params.offset
        )
    descending = params.sort.startswith("-")
    question = ListQuestion(
        noun=noun,
        filters=[parse_filter(item) for item in params.filter],
        order_by=params.sort.lstrip("-") or None,
        descending=descending,
        limit=params.limit,
        offset=params.offset,
    )
    result = list_records(ctx, question)
    return page_of(result, params.limit, params.offset)


def page_of(result: ListResult, limit: int, offset: int) -> Page:
    """A list as JSON carries it: amounts as decimals, the company's own money fields included."""
    money = [column.name for column in result.columns if column.kind is Kind.money and column.name != "amount"]
    items = []
    for row in result.rows:
        item = {key: value for key, value in row.items() if not key.startswith("_")}
        item |= {name: shown_amount(row[name], result.currency) for name in money if row.get(name) is not None}
        if "_amount_minor" in row:
            item |= {"amount": shown_amount(row["_amount_minor"], row["_currency"]), "currency": row["_currency"]}
        items.append(item)
    amount = shown_amount(result.amount_minor, result.currency) if result.amount_minor is not None else None
    return Page(
        items=items,
        total=result.total,
        limit=limit,
        offset=offset,
        amount=amount,
        currency=result.currency if amount is not None else None,
    )


_OPS = frozenset({"is", "is_not", "at_least", "more_than", "at_most", "less_than", "between", "contains", "empty", "not_empty"})


def parse_filter(text: str) -> Filter:
    """``field:op:value[,value]`` or ``field:value``; raises ``Invalid`` with an example."""
    field, _, rest = text.partition(":")
    if not field or not rest:
        raise Invalid(f"'{text}' is not a filter; write it like status:open or amount:more_than:20000.")
    op, _, value = rest.partition(":")
    if op not in _OPS:
        op, value = "is", rest
    values = [item.strip() for item in value.split(",")] if value else []
    return Filter(field=field, op=op, values=list(values))


# --- Changes --------------------------------------------------------------------------------------------


def versioned(arguments: dict[str, Any], record_id: int, if_match: str | None) -> dict[str, Any]:
    """The arguments of a change with id and version; raises ``PreconditionNeeded`` where no version was given."""
    version = arguments.get("version")
    if if_match is not None:
        text = if_match.strip().removeprefix("W/").strip('"')
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Invalid(f"If-Match is '{if_match[:40]}'; send the ETag that you read, such as \"3\".")
        version = int(text)
    if version is None:
        raise PreconditionNeeded("A change needs the version that you read: send it as If-Match or as 'version'.")
    return {**arguments, "id": record_id, "version": version}


IfMatch = Annotated[str | None, Header(alias="If-Match", description="ETag of the version that you read.")]
IdempotencyHeader = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=200, description="Repeat a creation safely: same key, one effect.")
]


def once(ctx: Context, request: Request, key: str | None, arguments: BaseModel, action: Callable[[], BaseModel]) -> Any:
    """Run a creation once per key: a repeat gives the kept result, the same key with another body is refused."""
    if key is None:
        return action()
    digest = _digest(request, arguments)
    known = _known(ctx, key, digest)
    if known is not None:
        return known.response
    result = action()
    response = result.model_dump(mode="json")
    ctx.session.add(IdempotencyKey(user_id=ctx.actor.user_id, key=key, request_hash=digest, response=response, created_at=ctx.now))
    ctx.session.flush()
    return response


def once_across(product: Rapport, user_id: int, request: Request, key: str | None, arguments: BaseModel, action: Callable[[], BaseModel]) -> Any:
    """As ``once``, for an action with transactions of its own: the key is taken first, so that two at a time have one effect.

    Raises ``Conflict`` while the first is still at work, or where it never came to an end.
    """
    if key is None:
        return action()
    digest = _digest(request, arguments)
    with unit_of_work(product.engine, user_id, write=True, door="http") as ctx:
        known = _known(ctx, key, digest)
        if known is None:
            ctx.session.add(IdempotencyKey(user_id=user_id, key=key, request_hash=digest, response={}, created_at=ctx.now))
        elif known.response:
            return known.response
        else:
            raise Conflict("This request was sent before and has no answer yet. Wait, then look whether it was carried out before you send it anew.")
    try:
        response = action().model_dump(mode="json")
    except RapportError:  # it was refused and had no effect: the key is free again
        with unit_of_work(product.engine, user_id, write=True, door="http") as ctx:
            ctx.session.delete(_known(ctx, key, digest))
        raise
    with unit_of_work(product.engine, user_id, write=True, door="http") as ctx:
        kept = _known(ctx, key, digest)
        assert kept is not None
        kept.response = response
    return response


def _digest(request: Request, arguments: BaseModel) -> str:
    body = json.dumps({"path": request.url.path, "body": arguments.model_dump(mode="json", exclude_unset=True)}, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _known(ctx: Context, key: str, digest: str) -> IdempotencyKey | None:
    """What is kept under a key; raises ``Conflict`` where it belongs to another request."""
    known = ctx.session.scalar(select(IdempotencyKey).where(IdempotencyKey.user_id == ctx.actor.user_id, IdempotencyKey.key == key))
    if known is not None and known.request_hash != digest:
        raise Conflict("This Idempotency-Key was used with another request; use a new key for a new creation.")
    return known


def tagged(response: Response, view: Any) -> Any:
    """Set the ETag of a record that is sent."""
    version = view["version"] if isinstance(view, dict) else view.version
    response.headers["ETag"] = f'"{version}"'
    return view
