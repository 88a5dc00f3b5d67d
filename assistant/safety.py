"""What a message may be: text of a sane length. Anything else gets a sentence, not an attempt."""

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
