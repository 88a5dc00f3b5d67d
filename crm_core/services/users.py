"""Users, rights, keys and sign-in.

Secrets are shown once and kept as SHA-256 of 256 random bits. Every change of users, teams or grants raises
``access_version``, so that resolved rights are never older than the last change.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm_core.access import DEFAULT_GRANTS, require_admin
from crm_core.context import Context
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.events import event_row, record_events
from crm_core.models import ApiKey, Grant, Team, User, WebSession
from crm_core.periods import zone_named
from crm_core.services.records import (
    Args,
    Name,
    Versioned,
    View,
    change,
    create,
    keep_an_admin,
    load,
    load_for_change,
    set_fields,
    touch_access,
    view_of,
)
from crm_core.services.validation import check_email

SESSION_DAYS = 14
LINK_MINUTES = 60
Role = Literal["readonly", "rep", "manager", "admin"]


class UserView(View):
    """A user."""

    name: str
    email: str
    role: str
    team_id: int | None
    team: str | None
    timezone: str | None
    active: bool


class CreateUser(Args):
    """A new user."""

    name: Name = Field(description="Full name.")
    email: str = Field(max_length=320, description="E-mail address; also links the Slack user.")
    role: Role = Field(default="rep", description="readonly, rep, manager or admin.")
    team: str | None = Field(default=None, description="Team by name; made if it is new.")
    timezone: str | None = Field(default=None, description="IANA zone; the company's where left out.")


class UpdateUser(Versioned):
    """Fields of a user to change."""

    name: Name | None = Field(default=None, description="Full name.")
    role: Role | None = Field(default=None, description="readonly, rep, manager or admin.")
    team: str | None = Field(default=None, description="Team by name; made if it is new.")
    timezone: str | None = Field(default=None, description="IANA zone.")
    active: bool | None = Field(default=None, description="May sign in.")


class GetUser(Args):
    """Which user."""

    id: int = Field(description="Number of the user.")


class SetGrant(Args):
    """Rows of a noun that a role may read and change."""

    role: Role = Field(description="Role.")
    noun: str = Field(description="Noun, such as deal.")
    read: Literal["none", "own", "team", "all"] = Field(description="Rows it may read.")
    write: Literal["none", "own", "team", "all"] = Field(description="Rows it may change.")


class KeyView(BaseModel):
    """An API key; ``secret`` is there only right after it was made."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    revoked_at: datetime | None
    secret: str | None = None


def user_view(ctx: Context, record: User) -> UserView:
    """The user as doors show it."""
    return view_of(
        ctx,
        UserView,
        record,
        team=record.team.name if record.team else None,
    )


def create_user(ctx: Context, args: CreateUser) -> UserView:
    """Add a user. Only an administrator may; an address that is taken is refused."""
    require_admin(ctx, "add users")
    email = check_email(args.email)
    if ctx.session.scalar(select(User.id).where(func.lower(User.email) == email)):
        raise Conflict(f"There is a user with the address {email} already.")
    if args.timezone:
        zone_named(args.timezone)
    values = {"name": args.name, "email": email, "role": args.role, "timezone": args.timezone, "active": True, "team_id": team_id(ctx, args.team)}
    record = create(ctx, User, values)
    touch_access(ctx)
    return user_view(ctx, record)


def get_user(ctx: Context, args: GetUser) -> UserView:
    """Read a user."""
    return user_view(ctx, load(ctx, User, args.id))


def update_user(ctx: Context, args: UpdateUser) -> UserView:
    """Change a user. Only an administrator may; the last active administrator stays one."""
    require_admin(ctx, "change users")
    record = load_for_change(ctx, User, args)
    values = set_fields(args, "team")
    if "team" in args.model_fields_set:
        values["team_id"] = team_id(ctx, args.team)
    if values.get("timezone"):
        zone_named(str(values["timezone"]))
    if values.get("role", "admin") != "admin" or values.get("active") is False:
        keep_an_admin(ctx, record)
    change(ctx, record, values)
    if values.get("active") is False:
        ctx.session.execute(delete(WebSession).where(WebSession.user_id == record.id))
    touch_access(ctx)
    return user_view(ctx, record)


def team_id(ctx: Context, name: str | None) -> int | None:
    """The team's number, made where it is new."""
    if not name or not name.strip():
        return None
    known = ctx.session.scalar(select(Team).where(func.lower(Team.name) == name.strip().lower()))
    if known is None:
        known = Team(name=name.strip())
        ctx.session.add(known)
        ctx.session.flush()
    return known.id


def set_grant(ctx: Context, args: SetGrant) -> SetGrant:
    """Set the rows of a noun that a role may read and change. Only an administrator may."""
    require_admin(ctx, "change rights")
    if args.noun not in DEFAULT_GRANTS:
        raise Invalid(f"Rights are set for {', '.join(DEFAULT_GRANTS)}; '{args.noun}' is none of them.")
    grant = ctx.session.scalar(select(Grant).where(Grant.role == args.role, Grant.noun == args.noun))
    old = (grant.read_scope, grant.write_scope) if grant is not None else (None, None)
    if grant is None:
        grant = Grant(role=args.role, noun=args.noun, read_scope=args.read, write_scope=args.write)
        ctx.session.add(grant)
    grant.read_scope, grant.write_scope = args.read, args.write
    ctx.session.flush()
    changes = {"read_scope": [old[0], args.read], "write_scope": [old[1], args.write]}
    info = ctx.session.info
    row = event_row(
        "grant", grant.id, 1, "updated", changes, at=ctx.now, actor_id=ctx.actor.user_id, door=info["door"], change_set_id=info.get("change_set_id")
    )
    record_events(ctx.session, [row])
    touch_access(ctx)
    return args


# --- Keys and sessions ----------------------------------------------------------------------------------


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create_api_key(ctx: Context, name: str) -> KeyView:
    """A key for the caller; the secret is in the result and nowhere else."""
    secret = f"rk_{secrets.token_urlsafe(32)}"
    key = ApiKey(user_id=_own_id(ctx), name=name.strip()[:120] or "key", prefix=secret[:10], key_hash=_hash(secret), created_at=ctx.now)
    ctx.session.add(key)
    ctx.session.flush()
    return KeyView(id=key.id, name=key.name, prefix=key.prefix, created_at=key.created_at, revoked_at=None, secret=secret)


def list_api_keys(ctx: Context) -> list[KeyView]:
    """The caller's keys, newest first."""
    rows = ctx.session.scalars(select(ApiKey).where(ApiKey.user_id == _own_id(ctx)).order_by(ApiKey.id.desc()))
    return [KeyView.model_validate(row, from_attributes=True) for row in rows]


def revoke_api_key(ctx: Context, key_id: int) -> None:
    """Revoke one of the caller's keys; an administrator may revoke any."""
    key = ctx.session.get(ApiKey, key_id) if abs(key_id) < 2**62 else None
    if key is None or (key.user_id != ctx.actor.user_id and not ctx.actor.is_admin):
        raise NotFound(f"You have no API key {key_id}.")
    key.revoked_at = key.revoked_at or ctx.now


def user_of_key(session: Session, secret: str) -> int | None:
    """The user whose valid key this is."""
    return session.scalar(
        select(ApiKey.user_id)
        .join(User, User.id == ApiKey.user_id)
        .where(ApiKey.key_hash == _hash(secret), ApiKey.revoked_at.is_(None), User.active, User.archived_at.is_(None))
    )


def create_sign_in_link(ctx: Context, user_id: int) -> str:
    """The secret of a link that signs the user in once, within an hour. For oneself, or by an administrator."""
    if user_id != ctx.actor.user_id:
        require_admin(ctx, "make sign-in links for others")
    return _session(ctx, user_id, "link", timedelta(minutes=LINK_MINUTES))


def redeem_link(ctx: Context, secret: str) -> tuple[int, str]:
    """Turn a sign-in link into a browser session: the user's id and the session's secret. Works once."""
    user_id = ctx.session.scalar(
        delete(WebSession)
        .where(WebSession.token_hash == _hash(secret), WebSession.kind == "link", WebSession.expires_at > ctx.now)
        .returning(WebSession.user_id)
    )
    if user_id is None:
        raise NotAllowed("This sign-in link was used already or has expired; ask for a new one with 'rapport user link EMAIL'.")
    return user_id, _session(ctx, user_id, "session", timedelta(days=SESSION_DAYS))


def user_of_session(session: Session, secret: str, now: datetime) -> int | None:
    """The user whose unexpired browser session this is."""
    return session.scalar(
        select(WebSession.user_id)
        .join(User, User.id == WebSession.user_id)
        .where(
            WebSession.token_hash == _hash(secret),
            WebSession.kind == "session",
            WebSession.expires_at > now,
            User.active,
            User.archived_at.is_(None),
        )
    )


def end_session(ctx: Context, secret: str) -> None:
    """Sign out."""
    ctx.session.execute(delete(WebSession).where(WebSession.token_hash == _hash(secret)))


def user_by_email(session: Session, email: str) -> int | None:
    """The active user with this address."""
    return session.scalar(select(User.id).where(func.lower(User.email) == email.strip().lower(), User.active, User.archived_at.is_(None)))


def _session(ctx: Context, user_id: int, kind: str, lasts: timedelta) -> str:
    secret = secrets.token_urlsafe(32)
    ctx.session.execute(delete(WebSession).where(WebSession.expires_at < ctx.now))
    ctx.session.add(WebSession(user_id=user_id, kind=kind, token_hash=_hash(secret), expires_at=ctx.now + lasts))
    ctx.session.flush()
    return secret


def _own_id(ctx: Context) -> int:
    if ctx.actor.user_id is None:
        raise Invalid("The system itself has no keys; sign in as a user.")
    return ctx.actor.user_id
