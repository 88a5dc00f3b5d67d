"""What the core asks of the outside world, as protocols that integrations implement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class VectorHit:
    """One chunk found by meaning; ``score`` is cosine similarity, higher is nearer."""

    chunk_id: int
    score: float


class VectorIndex(Protocol):
    """A derived index over chunks of text; it may be missing or damaged at any time, and never the truth."""

    @property
    def notice(self) -> str:
        """What a reader should know of its state, such as that it is still being built; empty when it is whole."""

    def search(self, text: str, *, limit: int, allowed: Sequence[int] | None) -> list[VectorHit]:
        """The nearest chunks to ``text``; ``allowed`` ranks exactly among those chunk ids only."""
