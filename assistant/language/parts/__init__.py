"""From the chart to parts: one walk over the cover that decides, in context, what each edge contributes.

The walk keeps a little state, as a reader does: a comparison waits for its number, a "by" for its group, a
"not" for what it denies, a state ("closing", "won") says which date the next time expression is about.

- ``model``: what a message can contribute (``Parts``, ``RawFilter``).
- ``neighbours``: the walk's state and its view of the words around.
- ``numbers``, ``connectives``, ``senses``: edges by what they are.
- ``asides``: what is said around the question and is no part of it.
- ``walk``: the walk itself.
"""

from assistant.language.parts.model import STATE_TIME, Parts, RawFilter
from assistant.language.parts.walk import collect

__all__ = ["STATE_TIME", "Parts", "RawFilter", "collect"]
