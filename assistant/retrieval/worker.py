"""The child process that owns Chroma and the embedding model.

Chroma's native code may crash on a damaged file; here it takes only this child with it. The protocol is one
pickled tuple ``(operation, arguments)`` a request and ``("ok", result)`` or ``("error", text)`` back. A canary,
a known sentence stored with every build, tells an index that lost its vectors from one that has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from assistant.retrieval.embedding import MODEL_SHA256, Embedder

CANARY_ID = "canary"
CANARY_TEXT = "A canary sings in this index so that silence can be told from emptiness."
ADD_BATCH = 512
#: Ids fetched at once when a narrow set of chunks is ranked exactly.
GET_BATCH = 2000


class VectorStore:
    """One collection of chunk vectors, embedded in a directory or on a Chroma server."""

    def __init__(self, directory: str, url: str) -> None:
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(anonymized_telemetry=False)
        if url:
            host = url.removeprefix("http://").removeprefix("https://").split("/")[0]
            name, _, port = host.partition(":")
            self.client: Any = chromadb.HttpClient(host=name, port=int(port or 8000), ssl=url.startswith("https://"), settings=quiet)
        else:
            Path(directory).mkdir(parents=True, exist_ok=True)
            self.client = chromadb.PersistentClient(path=directory, settings=quiet)
        self.embedder = Embedder()
        self.collection: Any = None

    def open(self, name: str) -> bool:
        """Use an existing collection; False where there is none of this name and model."""
        try:
            self.collection = self.client.get_collection(name, embedding_function=None)
        except Exception:  # noqa: BLE001 - Chroma raises many kinds for "not there" and "broken"
            self.collection = None
            return False
        return bool((self.collection.metadata or {}).get("model") == MODEL_SHA256)

    def create(self, name: str) -> None:
        """A fresh collection with its canary; one of the same name is dropped."""
        with suppress(Exception):  # it may not exist; creating it tells whether all is well
            self.client.delete_collection(name)
        self.collection = self.client.create_collection(
            name, embedding_function=None, metadata={"model": MODEL_SHA256}, configuration={"hnsw": {"space": "cosine"}}
        )
        self.collection.add(ids=[CANARY_ID], embeddings=self.embedder.embed([CANARY_TEXT]), metadatas=[{"record": CANARY_ID}])

    def drop_others(self, name: str) -> None:
        """Remove collections of earlier builds."""
        for item in self.client.list_collections():
            if item.name != name:
                self.client.delete_collection(item.name)

    def check(self) -> bool:
        """Whether the canary is found by its vector, as it must be."""
        found = self.collection.query(query_embeddings=self.embedder.embed([CANARY_TEXT]), n_results=1, include=["distances"])
        return bool(found["ids"] and found["ids"][0][:1] == [CANARY_ID])

    def count(self) -> int:
        """Chunks in the collection."""
        return int(self.collection.count()) - 1

    def add(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Embed and store (chunk id, record key, text)."""
        for start in range(0, len(rows), ADD_BATCH):
            batch = rows[start : start + ADD_BATCH]
            self.collection.upsert(
                ids=[str(row[0]) for row in batch],
                embeddings=self.embedder.embed([row[2] for row in batch]),
                metadatas=[{"record": row[1]} for row in batch],
            )

    def replace(self, records: Sequence[str], rows: Sequence[tuple[int, str, str]]) -> None:
        """Drop the chunks of some records and store their current ones."""
        for start in range(0, len(records), 100):
            self.collection.delete(where={"record": {"$in": list(records[start : start + 100])}})
        self.add(rows)

    def search(self, text: str, limit: int, allowed: Sequence[int] | None) -> list[tuple[int, float]]:
        """Nearest chunks as (id, cosine similarity); exact among ``allowed`` where given."""
        vector = self.embedder.embed([text])
        if allowed is not None:
            return self._exact(vector[0], limit, allowed)
        found = self.collection.query(query_embeddings=vector, n_results=limit + 1, include=["distances"])
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(int(key), 1.0 - float(distance)) for key, distance in pairs if key != CANARY_ID][:limit]

    def _exact(self, vector: Any, limit: int, allowed: Sequence[int]) -> list[tuple[int, float]]:
        scored: list[tuple[int, float]] = []
        for start in range(0, len(allowed), GET_BATCH):
            keys = [str(key) for key in allowed[start : start + GET_BATCH]]
            found = self.collection.get(ids=keys, include=["embeddings"])
            if len(found["ids"]):
                scores = np.asarray(found["embeddings"], dtype=np.float32) @ vector
                scored += [(int(key), float(score)) for key, score in zip(found["ids"], scores, strict=True)]
        scored.sort(key=lambda pair: -pair[1])
        return scored[:limit]

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors as plain lists."""
        vectors: list[list[float]] = self.embedder.embed(texts).tolist()
        return vectors


def serve(connection: Connection, directory: str, url: str) -> None:
    """The child's main loop: answer requests until the parent hangs up."""
    import os
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        store = VectorStore(directory, url)
        connection.send(("ok", None))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the parent must hear it
        connection.send(("error", f"{type(error).__name__}: {error}"))
        return
    while True:
        try:
            operation, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            connection.send(("ok", getattr(store, operation)(*arguments)))
        except Exception as error:  # noqa: BLE001 - reported to the parent, which decides
            connection.send(("error", f"{type(error).__name__}: {error}"))
