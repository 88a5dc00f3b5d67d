"""Full-text indexes that the database keeps by itself: FTS5 on SQLite, trigram and tsvector on PostgreSQL.

Triggers follow the content tables, so an index can never be ahead of or behind its transaction. The statements
are used by the first migration and by databases made in tests.
"""

from __future__ import annotations

from sqlalchemy import Connection, event

from crm_core.database import Base

_SQLITE = [
    "CREATE VIRTUAL TABLE chunk_fts USING fts5(text, content='chunk', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE VIRTUAL TABLE search_entry_fts USING fts5(key, content='search_entry', content_rowid='id', tokenize='trigram')",
]
for _table, _column in (("chunk", "text"), ("search_entry", "key")):
    _delete = f"INSERT INTO {_table}_fts({_table}_fts, rowid, {_column}) VALUES ('delete', old.id, old.{_column});"
    _insert = f"INSERT INTO {_table}_fts(rowid, {_column}) VALUES (new.id, new.{_column});"
    _SQLITE += [
        f"CREATE TRIGGER {_table}_fts_insert AFTER INSERT ON {_table} BEGIN {_insert} END",
        f"CREATE TRIGGER {_table}_fts_delete AFTER DELETE ON {_table} BEGIN {_delete} END",
        f"CREATE TRIGGER {_table}_fts_update AFTER UPDATE ON {_table} BEGIN {_delete} {_insert} END",
    ]
_POSTGRES = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_chunk_fts ON chunk USING gin (to_tsvector('english', text))",
    "CREATE INDEX ix_search_entry_fts ON search_entry USING gin (key gin_trgm_ops)",
]


def create_fulltext(connection: Connection) -> None:
    """Create the full-text indexes of this connection's database."""
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES:
        connection.exec_driver_sql(statement)


@event.listens_for(Base.metadata, "after_create")
def _after_create(_target: object, connection: Connection, tables: list[object] | None = None, **_kw: object) -> None:
    if tables and any(getattr(table, "name", "") == "chunk" for table in tables):
        create_fulltext(connection)
