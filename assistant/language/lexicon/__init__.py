"""The vocabulary: what words can mean.

Most of it is *compiled* (``build``) from metadata: metric titles and synonyms, field titles and synonyms, record
kinds, and the company's own words (stages, pipelines, picklists, custom fields, products, teams, users). Only the
closed classes of English live here as data: words for states (``states``), for counting, comparing and ordering
(``measures``), for asking, connecting and talking (``cues``), and what goes without saying (``filler``). Nothing here
names any particular company, product or person.

A phrase maps to one or more *senses* (``model``); the grammar decides between them.
"""

from assistant.language.lexicon.build import lexicon_for
from assistant.language.lexicon.cues import FOLLOW_UP, WRITE_VERBS
from assistant.language.lexicon.filler import DESCRIBING, FILLER
from assistant.language.lexicon.measures import ADVERB_GRAINS, CURRENCY_WORDS, DOLLARS
from assistant.language.lexicon.model import Lexicon, Sense, english_words

__all__ = [
    "ADVERB_GRAINS",
    "CURRENCY_WORDS",
    "DESCRIBING",
    "DOLLARS",
    "FILLER",
    "FOLLOW_UP",
    "WRITE_VERBS",
    "Lexicon",
    "Sense",
    "english_words",
    "lexicon_for",
]
