"""Writing a generated company into a database in bulk, with its derived text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, insert, select, text

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.errors import Conflict
from crm_core.models import NOUNS, Base, Company
from crm_core.services.search import SEARCHED, chunk_rows, keys_of
from crm_core.services.setup import Conventions, set_up
from integrations.world.generate import Size, World
from integrations.world.profiles import PROFILES, Profile

#: Rows sent to the database in one statement.
BATCH = 5_000
_MODELS: dict[str, Any] = {mapper.local_table.name: mapper.class_ for mapper in Base.registry.mappers}  # type: ignore[attr-defined]
_NOUN_OF_TABLE = {model.__tablename__: noun for noun, model in NOUNS.items()}  # type: ignore[attr-defined]


def load_world(
    engine: Engine,
    *,
    profile: str | Profile = "software",
    size: str | Size = "demo",
    seed: int = 7,
    now: datetime,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> dict[str, int]:
    """Set up an empty database and fill it; returns rows by table. Refused (``Conflict``) where companies exist.

    Everything is one transaction: an interrupted load leaves an empty database.
    """
    words = PROFILES[profile] if isinstance(profile, str) else profile
    set_up(
        engine,
        Conventions(words.company, words.home_currency, words.timezone, words.fiscal_start_month, phone_region=words.phone_region),
        now=now,
    )
    counts: dict[str, int] = {}
    with unit_of_work(engine, system_actor(), write=True, now=now, door="world") as ctx:
        if ctx.session.scalar(select(func.count()).select_from(Company)):
            raise Conflict("This database holds companies already; use an empty one for a generated company.")

        def sink(table: str, rows: list[dict[str, Any]]) -> None:
            counts[table] = counts.get(table, 0) + len(rows)
            for at in range(0, len(rows), BATCH):
                batch = rows[at : at + BATCH]
                ctx.session.execute(insert(_MODELS[table].__table__), batch)
                _derive(ctx, table, batch)

        chosen = size if isinstance(size, Size) else Size.named(size)
        World(words, chosen, seed=seed, now=now, sink=sink).run(progress)
        _reset_sequences(ctx)
    return counts


def _derive(ctx: Context, table: str, rows: list[dict[str, Any]]) -> None:
    noun = _NOUN_OF_TABLE.get(table)
    if noun is None:
        return
    records = [_MODELS[table](**row) for row in rows]
    if noun in SEARCHED:
        keys = [{"noun": noun, "record_id": record.id, "kind": kind, "key": key} for record in records for kind, key in keys_of(record)]
        ctx.session.execute(insert(_MODELS["search_entry"].__table__), keys)
    if noun in ("activity", "ticket"):
        ctx.session.execute(insert(_MODELS["chunk"].__table__), [row for record in records for row in chunk_rows(record)])


def _reset_sequences(ctx: Context) -> None:
    """PostgreSQL's counters do not notice keys that were given."""
    if ctx.session.get_bind().dialect.name != "postgresql":
        return
    for table in _MODELS:
        if "id" in Base.metadata.tables[table].columns and table not in ("thread", "organisation"):
            ctx.session.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce((SELECT max(id) FROM {table}), 0) + 1, false)")
            )
