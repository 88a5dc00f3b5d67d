"""From parts to a reading: what is asked, of which records, in which period, split how.

Constructions are tried in the order of how much evidence they need; the first that fits makes the frame. Each is
one method with a docstring that gives an example, so that a construction is added by adding a method to the room
of its subject and a name to the order in ``reader``:

- ``assistant.language.states`` joins a noun and a state ("won", "overdue") to metrics and to conditions.
- ``pieces``: what all constructions share: conditions, names, time.
- ``lists``, ``figures``, ``past``, ``records``, ``talk``: the constructions, by what they ask for; ``figure_frames``
  gives a figure its period, comparison and groups.
- ``followups``: a message that leans on the conversation before; ``pointing`` finds the record that "her" or "that
  company" means, ``merging`` puts new parts in the place of old ones, ``behind`` lists the records of a figure.
- ``measuring``, ``shares``: numbers of the records added up, and parts in percent; ``returning``: back to an earlier question.
- ``commands``, ``edits``, ``commanding``, ``undoing``: what is to be changed, of one record and of many, several in a message, and what
  is to be taken back.
- ``limits``: what is asked in known words and computed by nothing here; refused with what comes nearest.
- ``reader``: the order, and the last check. A frame whose content words were not all understood is turned into an
  honest refusal rather than a guess.
- ``setting_aside``: a refused message read once more without what was said around its question; ``preambles``: what is said before
  one; several commands in a message, each by itself.
"""

from assistant.language.grammar.pieces import with_entity
from assistant.language.grammar.reader import Reader, Reading, read, readings
from assistant.language.grammar.setting_aside import read_apart

__all__ = ["Reader", "Reading", "read", "read_apart", "readings", "with_entity"]
