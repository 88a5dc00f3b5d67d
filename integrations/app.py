"""The composition root: settings -> engine -> index -> agent -> doors. Everything else is handed what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Engine

from assistant.agent import Agent
from assistant.models import chat_model
from assistant.retrieval.index import Index
from crm_core.database import open_engine
from crm_core.services.setup import migrate
from crm_core.settings import Settings


@dataclass
class Rapport:
    """The assembled product of one process."""

    settings: Settings
    engine: Engine
    index: Index
    agent: Agent = field(init=False)

    def __post_init__(self) -> None:
        model = chat_model(self.settings)
        self.agent = Agent(
            self.engine,
            model=model,
            model_name=self.settings.model,
            index=self.index,
            max_message_chars=self.settings.max_message_chars,
            model_seconds=self.settings.model_timeout_seconds,
            model_use=self.settings.model_use,
            token_budget=self.settings.model_token_budget,
            prices=(self.settings.model_input_price, self.settings.model_output_price),
        )

    def close(self) -> None:
        """Stop the index and give the connections back."""
        self.index.stop()
        self.engine.dispose()


def assemble(settings: Settings, *, index_owner: bool = True) -> Rapport:
    """Build the product and bring the schema up to date.

    ``index_owner`` says whether this process may write the vector index: the server and ``rapport index`` do,
    a single question from the command line only reads.
    """
    engine = open_engine(settings.database, pool_size=settings.database_pool_size)
    migrate(engine)
    return Rapport(settings, engine, Index(engine, settings.index_dir, url=settings.chroma_url, owner=index_owner))
