"""Changes put into words, of one record or of many: which verbs of the catalog, with what, on what.

A clause is cut into the words of records, of a field and of a value (``phrases``); the records are found by the same grammar that
answers questions (``targets``), the value by what the field can have (``values``). All words of a clause must mean something, else it
is no change that is understood. ``creating`` reads new records, ``correcting`` what takes the place of a change just asked for, ``finishing``
what a change lacked and was asked for.
"""

from assistant.language.grammar.edits.correcting import corrected
from assistant.language.grammar.edits.creating import created, makes_new
from assistant.language.grammar.edits.editing import edited
from assistant.language.grammar.edits.finishing import finished
from assistant.language.grammar.edits.phrases import trimmed

__all__ = ["corrected", "created", "edited", "finished", "makes_new", "trimmed"]
