"""Making a database ready: schema, the company's conventions, the shipped rights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, select

from crm_core.access import DEFAULT_GRANTS, system_actor
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid
from crm_core.models import Grant, Organisation
from crm_core.money import check_currency
from crm_core.periods import zone_named

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@dataclass(frozen=True)
class Conventions:
    """How a company counts: its name, currency, time zone, fiscal year and week."""

    name: str = "My company"
    home_currency: str = "USD"
    timezone: str = "UTC"
    fiscal_start_month: int = 1
    week_start: int = 0
    phone_region: str = "US"


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; does nothing where it is."""
    config = _config(engine)
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != head:
        command.upgrade(config, "head")


def is_ready(engine: Engine) -> bool:
    """Whether the schema is the newest and the company's conventions are set."""
    head = ScriptDirectory.from_config(_config(engine)).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() != head:
            return False
    with unit_of_work(engine, system_actor(), write=False) as ctx:
        return ctx.session.scalar(select(Organisation.id)) is not None


def set_up(engine: Engine, conventions: Conventions, *, now: datetime | None = None) -> bool:
    """Schema, conventions and rights, each once; returns whether anything was new."""
    migrate(engine)
    with unit_of_work(engine, system_actor(), write=True, now=now or datetime.now(UTC)) as ctx:
        if ctx.session.scalar(select(Organisation.id)) is not None:
            return False
        write_conventions(ctx, conventions)
        return True


def write_conventions(ctx: Context, conventions: Conventions) -> None:
    """Insert the single row of conventions and the shipped rights; raises ``Invalid`` for impossible ones."""
    zone_named(conventions.timezone)
    if not 1 <= conventions.fiscal_start_month <= 12:
        raise Invalid("The fiscal year starts in a month from 1 to 12.")
    if not 0 <= conventions.week_start <= 6:
        raise Invalid("The week starts on a day from 0 (Monday) to 6 (Sunday).")
    ctx.session.add(
        Organisation(
            id=1,
            name=conventions.name,
            home_currency=check_currency(conventions.home_currency),
            timezone=conventions.timezone,
            fiscal_start_month=conventions.fiscal_start_month,
            week_start=conventions.week_start,
            phone_region=conventions.phone_region,
        )
    )
    for noun, roles in DEFAULT_GRANTS.items():
        for role, (read, write) in roles.items():
            ctx.session.add(Grant(role=role, noun=noun, read_scope=read, write_scope=write))
    ctx.session.flush()
