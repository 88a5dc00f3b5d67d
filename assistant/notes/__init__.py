"""Facts in free text: a note after a call, a pasted mail thread, a transcript.

``passages`` cuts a text into sentences and says who speaks, the newest mail first, quotations and signatures apart. ``reading``
finds in each sentence what was said of money, who decides, what is needed, by when, whom else they talk to, what worries them, how they
decide, who promised what and when they talk again. Each fact keeps the words that it rests on and where they stand, and how sure it
is. ``model.Qualification`` tells which of budget, authority, need and timeline a call
established; ``taking`` makes a proposal of it. Nothing is taken for said that is denied, asked or only
imagined.
"""

from assistant.notes.model import SURE, Fact, Note, Qualification
from assistant.notes.reading import read_note
from assistant.notes.taking import TakenNote, TakeNote, take_note

__all__ = ["SURE", "Fact", "Note", "Qualification", "TakeNote", "TakenNote", "read_note", "take_note"]
