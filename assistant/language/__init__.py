"""The embedded language model: how a sentence becomes a question that the core can compute.

One message goes through these rooms, each a module that can be read alone:

1. ``tokens``: words with their places, contractions written out, possessives set apart.
2. ``lexicon``: what phrases can mean, compiled from metric and field declarations and from the company's own words.
3. ``dates``: what sellers say of time; ``chart`` also finds quantities.
4. ``entities``: names linked to records by search keys, with typos, parts and namesakes.
5. ``chart``: all stretches that mean something, and the cover of the message with the highest score.
6. ``parts``: one walk over the cover that decides in context what each stretch contributes.
7. ``grammar``: constructions that turn parts into a ``Frame`` (``frames``), alone or leaning on the frame before.
8. ``planner``: the frame as tool calls, the same that any model would make.
9. ``mouth`` and ``wording``: results as sentences.

To add a construction: write a method in ``grammar.Reader`` with an example in its docstring, place it in
``Reader.frame`` before the first construction that would take its messages, and add wordings to a test.
A word of the trade goes where it is declared (a metric's synonyms, a field's), a word of English into ``lexicon``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.language.frames import Entity, Frame
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid, NotFound
from crm_core.services.records import load, model_of

if TYPE_CHECKING:
    from assistant.turn import Turn


def understand(turn: Turn) -> Frame:
    """The frame of the turn's message, under its caller's rights; an impossible day becomes a question back."""
    from assistant.language.grammar import read

    with unit_of_work(turn.engine, turn.user_id, write=False, now=turn.now, door="agent") as ctx:
        try:
            frame, _, _ = read(ctx, turn.message, turn.previous)
        except Invalid as error:
            turn.outcome = "asked"
            return Frame(intent="unknown", detail=error.message)
        if frame.intent == "more" and turn.previous is not None:
            turn.previous.offset += turn.previous.limit or 10
        return _named(ctx, frame)


def _named(ctx: Context, frame: Frame) -> Frame:
    """Give a record that was named by number its real name."""
    if frame.intent == "record" and frame.entity is not None and frame.entity.label == f"{frame.entity.noun} {frame.entity.id}":
        try:
            record = load(ctx, model_of(frame.entity.noun), frame.entity.id)
        except NotFound:
            return frame
        label = getattr(record, "name", None) or getattr(record, "subject", "")
        frame.entity = Entity(noun=frame.entity.noun, id=frame.entity.id, label=str(label))
    return frame
