"""Alembic's entry: runs the migrations on the engine that the product hands over."""

from alembic import context

from crm_core.models import Base

engine = context.config.attributes["engine"]

with engine.execution_options(write=True).begin() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()
