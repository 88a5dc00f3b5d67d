"""One call, one transaction.

``unit_of_work`` opens a session, resolves the caller, hands out a ``Context`` and is the only place that
commits. ``Context.now`` is the clock of the whole call: nothing in the core asks the machine for the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, event, select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from crm_core.access import Actor, load_actor
from crm_core.errors import Conflict, Invalid
from crm_core.events import RecordingSession
from crm_core.models import Organisation
from crm_core.periods import Calendar, local_day, zone_named


@dataclass
class Context:
    """What every verb and every number gets: session, caller, clock and the company's conventions."""

    session: Session
    actor: Actor
    now: datetime

    @cached_property
    def organisation(self) -> Organisation:
        """The company's conventions."""
        organisation: Organisation | None = self.session.scalar(select(Organisation))
        if organisation is None:
            raise Invalid(NOT_SET_UP)
        return organisation

    @property
    def home_currency(self) -> str:
        """The currency that totals are given in."""
        return self.organisation.home_currency

    @cached_property
    def calendar(self) -> Calendar:
        """Fiscal year and week conventions."""
        return Calendar(self.organisation.fiscal_start_month, self.organisation.week_start)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The caller's time zone."""
        return zone_named(self.actor.timezone)

    @property
    def today(self) -> date:
        """The caller's day."""
        return local_day(self.now, self.zone)


NOT_SET_UP = "The database is not set up; run 'rapport demo' or 'rapport import DIR' first."
BUSY = "The database is busy with other changes, so nothing was done; try again in a moment."
_sessions = sessionmaker(class_=RecordingSession, expire_on_commit=False, autoflush=True)


@contextmanager
def unit_of_work(
    engine: Engine,
    who: Actor | int | Callable[[Session], int],
    *,
    write: bool,
    now: datetime | None = None,
    door: str = "system",
) -> Iterator[Context]:
    """Run one call in one transaction; commit at the end where ``write``, roll back on any error.

    ``who`` is an actor, or the id of the user whose rights are resolved inside the transaction, or a function
    that finds that id in the session (a key or a browser session). ``door`` names
    the way in (``http``, ``slack``, ``cli``, ``agent``, ``import``) and is kept with each event. Read-only
    work is rolled back at the end, and a flush in it is refused. Raises ``Conflict`` for a lost race or a taken
    unique value, ``Invalid`` for a database that is not set up.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    session = _sessions(bind=engine.execution_options(write=True) if write else engine)
    try:
        if callable(who):
            who = who(session)
        actor = load_actor(session, who) if isinstance(who, int) else who
        session.info.update(actor_id=actor.user_id, door=door, now=moment, write=write)
        yield Context(session, actor, moment)
        if write:
            session.commit()
    except StaleDataError as error:
        session.rollback()
        raise Conflict("Somebody else changed this record a moment ago; read it again and repeat your change.") from error
    except IntegrityError as error:
        session.rollback()
        raise Conflict(_explain(error)) from error
    except (OperationalError, ProgrammingError) as error:
        session.rollback()
        if "no such table" in str(error.orig) or "does not exist" in str(error.orig):
            raise Invalid(NOT_SET_UP) from error
        if "database is locked" in str(error.orig):
            raise Conflict(BUSY) from error
        raise
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


@event.listens_for(RecordingSession, "before_flush")
def _refuse_flush_in_reads(session: Session, *_args: object) -> None:
    changed = session.new or session.deleted or any(session.is_modified(item) for item in session.dirty)
    if changed and not session.info.get("write"):
        raise RuntimeError("A read-only unit of work tried to write; open it with write=True.")


def _explain(error: IntegrityError) -> str:
    text = str(error.orig).lower()
    if "unique" in text:
        return "A record with this unique value (e-mail, external id, name or code) exists already; use another value."
    if "foreign key" in text:
        return "The change refers to a record that does not exist; check the ids."
    return "The database refused the change because a rule of the record would be broken; check the values."
