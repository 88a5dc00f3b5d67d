"""A change that lacks something asks for it once, and the next message completes it.

"Create a contact at Globex", "What is the contact called?", "Jo Quill, CFO": the answer is read as the end of the first message, so
all that can be said at once can be said in two parts, and nothing is kept but the words.
"""

from __future__ import annotations

import re

from assistant.language.dialogue import Dialogue
from assistant.language.grammar.edits.correcting import NEVER_MIND
from assistant.language.grammar.edits.phrases import ASKS, trimmed

#: Words of an answer; what is longer is a message of its own.
MOST_WORDS = 25
_LEAD = re.compile(
    r"^\W*(?:(?:it'?s|it is|it was|that'?s|that is|they are|call (?:it|him|her|them)|(?:his|her|their|its|the) (?:name|title|subject|reason)(?: is| was)?|name(?: is)?"
    r"|named|called|because(?: of)?|cos|due to|to|about|of)\b[\s,:]*)+",
    re.IGNORECASE,
)
_NO = re.compile(
    r"^\W*(?:(?:oh|ah|ok|okay|actually|sorry|wait|please)[\s,.!]+)*(?:no+|nope|nah|not now|later|nothing|no thanks?)(?:[\s,.!]+(?:thanks|thank you|ta|cheers|sorry|not now|later))*[\s.!]*$",
    re.IGNORECASE,
)
#: An answer that begins with another detail than the one asked for: "for Acme, 20k, called Spring order".
_SLOT, _DETAIL = re.compile(r"^\W*(?:for|with|at|from)\b", re.IGNORECASE), re.compile(r", (?:called|about) $")


def finished(message: str, dialogue: Dialogue) -> str | None:
    """The message before with this one as its end, empty where that is to be dropped; None where nothing was asked for, or this is no answer."""
    if not dialogue.unfinished or len(message.split()) > MOST_WORDS:
        return None
    if NEVER_MIND.match(message) is not None or _NO.match(message) is not None:
        return ""
    if ASKS.match(trimmed(message)) is not None or message.rstrip().endswith("?"):
        return None
    begun = _DETAIL.sub(", ", dialogue.unfinished) if _SLOT.match(message) is not None else dialogue.unfinished
    answer = _LEAD.sub("", message).strip(" .!")
    return f"{begun}{answer}" if answer else None
