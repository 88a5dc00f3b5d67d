"""What a conversation is about: the questions so far, newest last, and the records that words like "it" can mean.

Each frame of an answered turn is kept whole, with the records that its answer showed (``salient``, the likeliest
to be meant first), so that a later message can lean on the question before, return to an earlier one, or point at a
record without naming it. Nothing else is remembered; a thread that is taken up tomorrow goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from assistant.language.frames import Entity, Frame
from crm_core.context import Context
from crm_core.errors import NotFound
from crm_core.metrics.filters import Filter
from crm_core.services.records import load, model_of
from crm_core.services.search import Match

#: Questions that a thread remembers.
REMEMBERED = 12
#: Intents of frames that ask about a set of records.
SETS = ("metric", "list", "interactions")


@dataclass
class Dialogue:
    """The frames of a thread, oldest first."""

    frames: list[Frame] = field(default_factory=list)
    #: What was said around a command in the same message.
    around: str = ""
    #: A change that was asked for just before and lacks what was asked back, in the words with which the answer goes on.
    unfinished: str = ""

    def within(self, frames: list[Frame], around: str = "") -> Dialogue:
        """The conversation as a part of a message finds it: with what that message said before."""
        return Dialogue([*self.frames, *frames], around or self.around)

    @property
    def previous(self) -> Frame | None:
        """The last question."""
        return self.frames[-1] if self.frames else None

    def latest(self, fits: Callable[[Frame], bool]) -> Frame | None:
        """The newest question that fits."""
        return next((frame for frame in reversed(self.frames) if fits(frame)), None)

    def question(self) -> Frame | None:
        """The newest question about a set of records."""
        return self.latest(lambda frame: frame.intent in SETS)

    def salient(self) -> Iterator[Entity]:
        """The records that were spoken of, the most recent first."""
        for frame in reversed(self.frames):
            yield from frame.salient

    def meant(self, ctx: Context, nouns: tuple[str, ...]) -> Entity | None:
        """The record of one of these kinds that was spoken of last; a company also through its contact, deal or ticket."""
        for entity in self.salient():
            if entity.noun in nouns:
                return entity
            if "company" in nouns and (company := company_of(ctx, entity)) is not None:
                return company
        return None

    def others(self, label: str) -> list[Entity]:
        """Records of the same name as those spoken of that were offered, and not chosen: "the other one"."""
        for frame in reversed(self.frames):
            chosen = {(item.noun, item.id) for item in (*frame.entities, *([frame.entity] if frame.entity else []))}
            left = [item for item in frame.offered if (item.noun, item.id) not in chosen]
            if left and label.lower() in left[0].label.lower():
                return left
        return []


def company_of(ctx: Context, entity: Entity) -> Entity | None:
    """The company of a contact, deal, lead or ticket that may be seen."""
    if entity.noun not in ("contact", "deal", "ticket"):
        return None
    try:
        record = load(ctx, model_of(entity.noun), entity.id)
        key = getattr(record, "company_id", None)
        company = load(ctx, model_of("company"), key) if key is not None else None
    except NotFound:
        return None
    return Entity(noun="company", id=company.id, label=str(getattr(company, "name", ""))) if company is not None else None


def as_entity(match: Match) -> Entity:
    """A record that was found, as the conversation speaks of it."""
    return Entity(noun=match.noun, id=match.id, label=match.label)


def owner_meant(frame: Frame) -> Entity | None:
    """The one colleague whose records a frame asks for, by number."""
    owners = [item for item in frame.filters if isinstance(item, Filter) and item.field == "owner" and item.op == "is"]
    if len(owners) == 1 and len(owners[0].values) == 1 and isinstance(owners[0].values[0], int):
        return Entity(noun="user", id=owners[0].values[0], label="")
    return None
