"""Who may see and do what: actors, row scopes, and the one row filter.

Rights are data: a ``role_grant`` row says which rows of a noun a role may read and change: ``none``, ``own``
(the row's owner is the actor), ``team`` (the owner is in the actor's team or a team below it) or ``all``.
``visible`` turns that into SQL and is used by every read, by the metrics and by retrieval. A noun without a
grant is invisible: the filter fails closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Pool, false, select, true
from sqlalchemy.orm import Session

from crm_core.errors import Invalid, NotAllowed, NotFound
from crm_core.models import NOUNS, Grant, Noun, Organisation, Team, User

OWNED = tuple(name for name, model in NOUNS.items() if model.__owner__)
EVERYBODYS = tuple(name for name, model in NOUNS.items() if not model.__owner__)

#: Shipped rights, written to ``role_grant`` when a database is made: noun -> role -> (read, write).
DEFAULT_GRANTS: dict[str, dict[str, tuple[str, str]]] = {
    noun: {
        "readonly": ("all", "none"),
        "rep": ("all" if noun in ("company", "contact") else "team", "own"),
        "manager": ("all" if noun in ("company", "contact") else "team", "team"),
        "admin": ("all", "all"),
    }
    for noun in OWNED
} | {noun: {"readonly": ("all", "none"), "rep": ("all", "none"), "manager": ("all", "none"), "admin": ("all", "all")} for noun in EVERYBODYS}


@dataclass(frozen=True)
class Actor:
    """The caller of everything: a user with resolved rights. ``user_id`` is None only for the system itself."""

    user_id: int | None
    name: str
    email: str
    role: str
    timezone: str
    team_id: int | None = None
    #: Ids of all users in the actor's team and the teams below it, the actor included.
    member_ids: tuple[int, ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    writes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        """May change users, rights, pipelines and fields, and import."""
        return self.role == "admin"


class HasActor(Protocol):
    """Anything that carries an actor: a ``Context`` in practice."""

    @property
    def actor(self) -> Actor: ...


def system_actor(timezone: str = "UTC") -> Actor:
    """The product itself, for imports, index work and set-up; never reachable from a door."""
    everything = dict.fromkeys(NOUNS, "all")
    return Actor(None, "Rapport", "", "admin", timezone, None, (), everything, everything)


#: Resolved actors of each connection pool, by (access_version, user id).
_cache: WeakKeyDictionary[Pool, dict[tuple[int, int], Actor]] = WeakKeyDictionary()


def load_actor(session: Session, user_id: int) -> Actor:
    """The user's actor with rights as of now; raises ``NotFound`` for an unknown or inactive user.

    Resolved rights are kept per ``access_version``, which every change of users, teams and grants raises, so
    that a request pays one small query and a revoked right is gone at the next one.
    """
    organisation = session.execute(select(Organisation.access_version, Organisation.timezone)).one_or_none()
    if organisation is None:
        raise Invalid("The database is not set up; run 'rapport demo' or 'rapport import DIR' first.")
    actors = _cache.setdefault(session.get_bind().engine.pool, {})
    key = (organisation.access_version, user_id)
    known = actors.get(key)
    if known is not None:
        return known
    user = session.scalar(select(User).where(User.id == user_id, User.active, User.archived_at.is_(None)))
    if user is None:
        raise NotFound("This user does not exist or is no longer active; ask an administrator.")
    grants = session.scalars(select(Grant).where(Grant.role == user.role)).all()
    actor = Actor(
        user_id=user.id,
        name=user.name,
        email=user.email,
        role=user.role,
        timezone=user.timezone or organisation.timezone,
        team_id=user.team_id,
        member_ids=_team_members(session, user),
        reads={grant.noun: grant.read_scope for grant in grants},
        writes={grant.noun: grant.write_scope for grant in grants},
    )
    if len(actors) > 5000:
        actors.clear()
    actors[key] = actor
    return actor


def _team_members(session: Session, user: User) -> tuple[int, ...]:
    if user.team_id is None:
        return (user.id,)
    teams = teams_below(session, user.team_id)
    members = session.scalars(select(User.id).where(User.team_id.in_(teams))).all()
    return tuple(sorted({*members, user.id}))


def teams_below(session: Session, team_id: int) -> set[int]:
    """``team_id`` and every team under it."""
    children: dict[int | None, list[int]] = {}
    for child, parent in session.execute(select(Team.id, Team.parent_id)):
        children.setdefault(parent, []).append(child)
    found, queue = {team_id}, [team_id]
    while queue:
        for child in children.get(queue.pop(), []):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def visible(who: HasActor, model: type[Noun], *, entity: Any = None) -> ColumnElement[bool]:
    """SQL for "the caller may read this row"; ``entity`` is an alias of ``model`` where one is used."""
    return _scope_clause(who.actor, who.actor.reads.get(model.__noun__, "none"), model, entity or model)


def _scope_clause(actor: Actor, scope: str, model: type[Noun], entity: Any) -> ColumnElement[bool]:
    if scope == "all":
        return true()
    if scope == "none":
        return false()
    if not model.__owner__:
        return true()
    owner = getattr(entity, model.__owner__)
    if scope == "team":
        members = list(actor.member_ids)
        return owner.in_(members) if members else false()
    return owner == actor.user_id if actor.user_id is not None else false()


def may_read(who: HasActor, record: Noun) -> bool:
    """Whether the caller may read this loaded record, as ``visible`` says in SQL."""
    return _in_scope(who.actor, who.actor.reads.get(record.__noun__, "none"), record)


def may_change(who: HasActor, record: Noun) -> bool:
    """Whether the caller may change this loaded record."""
    return _in_scope(who.actor, who.actor.writes.get(record.__noun__, "none"), record)


def _in_scope(actor: Actor, scope: str, record: Noun) -> bool:
    if scope in ("all", "none"):
        return scope == "all"
    if not record.__owner__:
        return True
    owner = getattr(record, record.__owner__)
    return owner is not None and (owner == actor.user_id if scope == "own" else owner in actor.member_ids)


def require_change(who: HasActor, record: Noun) -> None:
    """Raise ``NotAllowed`` unless the caller may change the record."""
    if not may_change(who, record):
        label = getattr(record, "name", None) or getattr(record, "subject", None)
        named = f"the {record.__noun__} '{label}'" if label else f"this {record.__noun__}"
        raise NotAllowed(f"You can see {named} but not change it (your role is {who.actor.role}); ask its owner or a manager.")


def require_create(who: HasActor, noun: str) -> None:
    """Raise ``NotAllowed`` unless the caller may create records of this noun at all."""
    if who.actor.writes.get(noun, "none") == "none":
        raise NotAllowed(f"Your role ({who.actor.role}) may not create {noun} records; ask an administrator.")


def require_admin(who: HasActor, action: str) -> None:
    """Raise ``NotAllowed`` unless the caller is an administrator; ``action`` completes "Only an administrator may"."""
    if not who.actor.is_admin:
        raise NotAllowed(f"Only an administrator may {action}.")


def describe_scope(who: HasActor, noun: str) -> str:
    """For people, whose rows an answer covers: ``all deals``, ``your team's deals``, ``your own deals``."""
    plural = {"company": "companies", "activity": "activities"}.get(noun, f"{noun}s")
    scope = who.actor.reads.get(noun, "none")
    return {"all": f"all {plural}", "team": f"your team's {plural}", "own": f"your own {plural}"}.get(scope, f"no {plural}")
