"""What a message may be, and how a model is shown what outsiders wrote.

A message is text of a sane length; anything else gets a sentence, not an attempt. Text from outside (mails,
notes, tickets, web forms) reaches a model between fences, and cannot write a fence of its own.
"""

from __future__ import annotations

import unicodedata

from crm_core.errors import Invalid


def clean_message(message: str, limit: int) -> str:
    """The message without control characters; raises ``Invalid`` where it is empty, too long or not text."""
    if len(message) > limit:
        raise Invalid(f"Your message has {len(message):,} characters; I read up to {limit:,}. Ask in a few sentences.")
    odd = sum(unicodedata.category(letter) in ("Cc", "Cn", "Co", "Cs") and letter not in "\n\r\t" for letter in message)
    if odd > 3 and odd * 10 > len(message):
        raise Invalid("That does not look like text. Type your question in words.")
    kept = "".join(letter if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cn", "Cs") else " " for letter in message)
    if not kept.strip():
        raise Invalid("Your message is empty. Ask, for example: how much did we win last quarter?")
    return kept.strip()


def unfenced(text: str) -> str:
    """Outside text without anything that could be taken for a fence."""
    return text.replace("<<<", "‹‹‹").replace(">>>", "›››")


def fence(text: str) -> str:
    """Outside text marked as such."""
    return f"<<<{unfenced(text)}>>>"
