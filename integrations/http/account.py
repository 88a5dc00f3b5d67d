"""Sign-in, sign-out and API keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.services.users import (
    SESSION_DAYS,
    KeyView,
    create_api_key,
    end_session,
    list_api_keys,
    redeem_link,
    revoke_api_key,
)
from integrations.http.deps import COOKIE, Product, Read, Write

router = APIRouter(tags=["account"])


class Me(BaseModel):
    """Who is signed in."""

    id: int
    name: str
    email: str
    role: str
    timezone: str
    company: str
    currency: str


class NewKey(BaseModel):
    """A name for the key."""

    name: str = Field(default="key", max_length=120)


@router.get("/login", include_in_schema=False)
def sign_in(product: Product, token: str) -> RedirectResponse:
    """Redeem a sign-in link: set the session cookie and go to the chat page."""
    with unit_of_work(product.engine, system_actor(), write=True, door="http") as ctx:
        _, secret = redeem_link(ctx, token)
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        COOKIE, secret, max_age=SESSION_DAYS * 86_400, httponly=True, samesite="lax", secure=product.settings.address.startswith("https://")
    )
    return response


@router.post("/api/logout", status_code=204)
def sign_out(ctx: Write, request: Request, response: Response) -> None:
    """End the browser session."""
    end_session(ctx, request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE)


@router.get("/api/me")
def me(ctx: Read) -> Me:
    """Who is signed in."""
    actor = ctx.actor
    assert actor.user_id is not None
    return Me(
        id=actor.user_id,
        name=actor.name,
        email=actor.email,
        role=actor.role,
        timezone=actor.timezone,
        company=ctx.organisation.name,
        currency=ctx.home_currency,
    )


@router.get("/api/keys")
def keys(ctx: Read) -> list[KeyView]:
    """The caller's API keys, without their secrets."""
    return list_api_keys(ctx)


@router.post("/api/keys", status_code=201)
def create_key(ctx: Write, arguments: NewKey) -> KeyView:
    """A new key; its secret is shown only here."""
    return create_api_key(ctx, arguments.name)


@router.delete("/api/keys/{key_id}", status_code=204)
def revoke_key(ctx: Write, key_id: int) -> None:
    """Revoke a key; it stops working at once."""
    revoke_api_key(ctx, key_id)
