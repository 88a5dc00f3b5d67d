"""Taught words: what is said instead of them, and whether a meaning can be understood at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from assistant.language.frames import Frame
from assistant.language.lexicon import FILLER, lexicon_for
from assistant.language.tokens import tokenise
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.text import fold, join_words

_LESSON = re.compile(
    r"""^(?:please\s)?(?:(?:teach|learn|remember|note)(?:\sthat)?\s)?(?:when\s(?:i|we)\ssay\s|the\sword\s|by\s)?["“'‘](?P<quoted>[^"”'’]{2,80})["”'’],?\s
        (?:means|stands\sfor|is\sshort\sfor|i\smean|we\smean|is\sread\sas|=)\s["“'‘]?(?P<meaning>[^"”]{2,300}?)["”'’]?(?P<all>\sfor\s(?:everybody|everyone|all\sof\sus|the\s(?:company|team)))?[.!]?$
      | ^(?:please\s)?(?:teach|learn|remember)(?:\sthat)?\s(?P<bare>[\w -]{2,80}?)\s(?:means|stands\sfor|is\sshort\sfor)\s(?P<meant>[^"”]{2,300}?)(?P<every>\sfor\s(?:everybody|everyone|all\sof\sus|the\s(?:company|team)))?[.!]?$""",
    re.IGNORECASE | re.VERBOSE,
)
_FORGET = re.compile(
    r"""^(?:please\s)?forget\s(?:the\sword\s)?["“'‘](?P<phrase>[^"”'’]{2,80})["”'’](?P<all>\sfor\s(?:everybody|everyone|all\sof\sus|the\s(?:company|team)))?[.!]?$""",
    re.IGNORECASE | re.VERBOSE,
)


def lesson_in(message: str) -> Frame | None:
    """ "'Logo' means won deal of a new customer", "forget 'logo'": a word that is taught or taken back."""
    text = " ".join(message.split())
    forgotten = _FORGET.match(text)
    if forgotten is not None:
        return Frame(intent="forget", detail=forgotten["phrase"], step="company" if forgotten["all"] else "")
    taught = _LESSON.match(text)
    if taught is None:
        return None
    scope = "company" if taught["all"] or taught["every"] else ""
    return Frame(intent="teach", detail=taught["quoted"] or taught["bare"], topic=taught["meaning"] or taught["meant"], step=scope)


def put_meanings(message: str, taught: Mapping[str, str]) -> tuple[str, list[str]]:
    """The message with taught words written out (longest first, each once, plurals too), and the words that were."""
    used: list[str] = []
    for phrase in sorted(taught, key=len, reverse=True):
        words = r"[\s-]+".join(re.escape(word) for word in phrase.split())
        pattern = re.compile(rf"(?<![\w]){words}(?:s|es)?(?![\w])", re.IGNORECASE)
        text, count = pattern.subn(lambda _match, meaning=taught[phrase]: meaning, message)  # type: ignore[misc]
        if count:
            message, used = text, [*used, phrase]
    return message, used


def check_word(ctx: Context, phrase: str, meaning: str) -> None:
    """Raise ``Invalid`` for a word that has a meaning here already, or a meaning with words that are not understood."""
    lexicon = lexicon_for(ctx)
    folded = fold(phrase)
    if lexicon.get(folded) or folded in FILLER or folded not in lexicon.taught and _is_read(ctx, phrase):
        raise Invalid(f"'{phrase}' means something here already, so it cannot be taught; choose another word.")
    unknown = list(_unknown(ctx, meaning))
    if unknown:
        raise Invalid(f"I do not understand {join_words([repr(word) for word in unknown])} in that meaning; say it in words that I know.")


def _is_read(ctx: Context, phrase: str) -> bool:
    """Whether the phrase as a whole is a time, a number or the name of a record: "Q3", "20k", "last year"."""
    from assistant.language.grammar import read

    try:
        _frame, chart, _parts = read(ctx, phrase)
    except Invalid:
        return True  # a day that does not exist is still meant as one
    return all(edge.kind in ("when", "quantity", "name", "filler") for edge in chart.edges)


def _unknown(ctx: Context, meaning: str) -> Iterable[str]:
    from assistant.language.grammar import read

    frame, _chart, parts = read(ctx, meaning)
    if frame.pending is not None or parts.unknown:
        yield from dict.fromkeys(parts.unknown or [frame.pending.name if frame.pending else meaning])
    elif not tokenise(meaning):
        yield meaning
