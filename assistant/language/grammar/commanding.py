"""Messages that change something: one command or several, corrections of the one before, and what only stands around them."""

from __future__ import annotations

import re

from assistant.language.chart import Chart
from assistant.language.dialogue import Dialogue
from assistant.language.frames import Frame
from assistant.language.grammar.clauses import (
    BEGINS,
    CHANGES,
    HEADED,
    NO_MORE,
    PIECE,
    POLITE,
    REFUSED,
    TELLS,
    VERB,
    WANTS_TO_KNOW,
    Reading,
    headed_by_name,
    merge_calls,
    named_in,
    read_clause,
    sets_something,
    spoken_of,
)
from assistant.language.grammar.edits import corrected, finished, trimmed
from assistant.language.grammar.edits.conditions import condition_of
from assistant.language.grammar.edits.phrases import ASKS, begun
from assistant.language.grammar.edits.targets import Targets
from assistant.language.grammar.telling import BODY, LOG_COLON, LOG_IT, kind_told
from assistant.language.parts import Parts
from crm_core.context import Context

_CUT = re.compile(rf"(?:\s*[,;.!\n]+\s*|\s+&\s+|\s+plus\s+|\s*[,;]?\s+(?:and|then)\s+(?:then\s+|also\s+)?)(?={POLITE}(?:{VERB})\b)", re.IGNORECASE)
#: Where a correction ends its apology and says what is meant.
_CORRECTS_TO = re.compile(r"[,.:;!–-]+\s+")
NOTHING_DONE = "Nothing of your message was carried out; say that part in other words."


def read_commands(ctx: Context, message: str, dialogue: Dialogue) -> Reading | None:
    """The message as a correction of the change before, or as several changes; None where it is neither."""
    if ASKS.match(trimmed(message)) is not None:
        return None
    if (frame := corrected(ctx, message, dialogue)) is not None:
        anew = _said_anew(ctx, message, dialogue) if frame.detail == "given_up" else None
        return anew or (frame, Chart([], []), Parts())
    if (ended := _ended(ctx, message, dialogue)) is not None:
        return ended
    if (conditional := _conditional(ctx, message, dialogue)) is not None:
        return conditional
    if (told := LOG_COLON.match(message)) is not None:
        plain = read_clause(ctx, message[told.end() :], dialogue)
        if plain is not None and [call.tool for call in plain[0].calls] == ["log_activity"]:
            return plain
    pieces = clauses_of(message)
    said = [piece for piece in pieces if NO_MORE.match(piece) is None or LOG_IT.match(begun(piece)) is not None]
    if said and len(said) < len(pieces):  # "Acme moved to Lyon, can you correct this?"
        return _several(ctx, said, dialogue) if len(said) > 1 else read_clause(ctx, said[0], dialogue)
    if len(pieces) > 1 and HEADED.match(message) is not None:
        headed = headed_by_name(ctx, [piece for piece in PIECE.split(message) if piece.strip()], dialogue)
        if headed is not None:
            return headed, Chart([], []), Parts()
    return _several(ctx, pieces, dialogue) if len(pieces) > 1 else None


def _said_anew(ctx: Context, message: str, dialogue: Dialogue) -> Reading | None:
    """A correction that says a whole change: "sorry, wrong deal: put Acme back to Demo and move Globex to Bid instead"."""
    previous = dialogue.previous
    for cut in _CORRECTS_TO.finditer(message):
        pieces = clauses_of(message[cut.end() :])
        found = _several(ctx, pieces, dialogue) if len(pieces) > 1 else read_clause(ctx, pieces[0], dialogue) if pieces else None
        if found is not None and found[0].intent == "command" and previous is not None:
            found[0].replaces = previous.made
            return found
    return None


def _ended(ctx: Context, message: str, dialogue: Dialogue) -> Reading | None:
    """The change before with what it lacked, which is asked for again where the answer does not fit; None where the message is no answer."""
    whole = None if WANTS_TO_KNOW.match(message) else finished(message, dialogue)
    if whole == "":
        return Frame(intent="smalltalk", detail="dropped"), Chart([], []), Parts()
    reading = read_clause(ctx, whole, dialogue) if whole else None
    if reading is None or reading[0].intent != "command" and not (reading[0].intent == "unknown" and reading[0].detail):
        return None
    plain = read_clause(ctx, message, dialogue) if BEGINS.match(message) or reading[0].intent == "unknown" else None
    if plain is not None and plain[0].intent not in REFUSED:
        return None
    if reading[0].intent == "unknown":
        reading[0].unfinished = dialogue.unfinished
    return reading


def _conditional(ctx: Context, message: str, dialogue: Dialogue) -> Reading | None:
    """A change under a condition: prepared where it holds, told where it does not, refused where that cannot be decided."""
    condition = condition_of(ctx, message, dialogue)
    if condition is None or not BEGINS.match(begun(condition.change)) and TELLS.search(condition.change) is None:
        return None
    nothing = Chart([], []), Parts()
    if condition.holds is None:
        detail = f"I cannot decide whether '{condition.told}', so nothing was prepared. I can look up whether somebody was called, mailed or met in a time."
        return Frame(intent="unknown", detail=detail), *nothing
    leaning = dialogue.within(condition.named)
    pieces = clauses_of(condition.change)
    found = _several(ctx, pieces, leaning) if len(pieces) > 1 else read_clause(ctx, condition.change, leaning)
    if found is None or found[0].intent not in (*CHANGES, "unknown"):
        return Frame(intent="unknown", detail=f"I do not understand '{condition.change}' as a change that I can make. {NOTHING_DONE}"), *nothing
    if found[0].intent in CHANGES and not condition.holds:
        return Frame(intent="unknown", detail=f"Nothing was changed, since that is not so: {condition.told}."), *nothing
    return found


def clauses_of(message: str) -> list[str]:
    """The message cut where a new command begins: "log a call with Dana, push the close date to June"."""
    return [piece for piece in _CUT.split(message.strip()) if piece.strip()]


def _several(ctx: Context, pieces: list[str], dialogue: Dialogue) -> Reading | None:
    """Several commands as one reading: each leans on those before it, and where one is not understood none is carried out.

    What stands before the first command and is none is left aside, and told. None where nothing is a command.
    """
    done: list[tuple[str, Reading]] = []
    aside = ""
    before: list[Frame] = []
    log_it = False
    for piece in pieces:
        log = LOG_IT.match(begun(piece))
        if log is not None and done and any(call.tool == "log_activity" for call in done[-1][1][0].calls):
            continue  # it is logged already
        if (
            done
            and _makes(done[-1])
            and (longer := read_clause(ctx, f"{done[-1][0]}, {piece}", _leaning(dialogue, done[:-1]))) is not None
            and _makes(("", longer))
        ):
            done[-1] = (f"{done[-1][0]}, {piece}", longer)  # "open a ticket for Acme, and give it to Kofi"
            continue
        if log is not None and not done and aside:  # "just hung up with Dana, she is happy. log it"
            reading, piece, aside, log_it = _log_of(ctx, aside, log["what"], dialogue.within(before)), f"log: {aside}", "", True
        else:
            reading = read_clause(ctx, piece, _leaning(dialogue.within(before, aside), done))
        frame = reading[0] if reading is not None else None
        if reading is not None and frame is not None and frame.intent == "command":
            done.append((piece, reading))
        elif not done and not BEGINS.match(piece):
            if any(sets_something(ctx, part, dialogue) for part in PIECE.split(piece) if part.strip()):
                return None
            aside = f"{aside}, {piece}" if aside else piece
            before = named_in(ctx, [part for part in PIECE.split(aside) if part.strip()], dialogue)
        elif done and _says_something(*done[-1]):  # what was said goes on: "..., update the pricing and call back"
            said = f"{done.pop()[0]}, {piece}"
            joined = read_clause(ctx, said, _leaning(dialogue, done))
            if joined is None:
                return None
            done.append((said, joined))
        elif not done and not log_it:
            return None
        else:
            told = (
                frame.detail
                if frame is not None and frame.intent == "unknown" and frame.detail
                else f"I do not understand '{piece.strip()}' as a change that I can make"
            )
            return Frame(intent="unknown", detail=f"{told.rstrip('.')}. {NOTHING_DONE}"), *(
                reading or (Frame(intent="unknown"), Chart([], []), Parts())
            )[1:]
    if not done:
        return None
    frames = [reading[0] for _said, reading in done]
    waiting = [frame for frame in frames if frame.pending is not None]
    if len(waiting) > 1 or any(frame.intent != "command" for frame in frames):
        return Frame(intent="unknown", detail="Several parts of your message can mean several records. Say them one by one."), *done[0][1][1:]
    merged = Frame(
        intent="command",
        calls=merge_calls([call for frame in frames for call in frame.calls]),
        entities=[item for frame in frames for item in frame.entities],
        said=[said for frame in frames for said in frame.said],
        aside=aside,
    )
    merged.pending = waiting[0].pending if waiting else None
    merged.entity = next((frame.entity for frame in reversed(frames) if frame.entity is not None), None)
    return merged, *done[0][1][1:]


def _log_of(ctx: Context, told: str, what: str | None, dialogue: Dialogue) -> Reading | None:
    """What was told before "log it", as a log in its own words; "on the deal" links it to the deal that was spoken of."""
    kind = kind_told(told)
    said = f"log {'an' if kind == 'email' else 'a'} {kind} {told}"
    reading = read_clause(ctx, said, dialogue)
    if reading is None or not reading[0].calls:
        return reading
    arguments = reading[0].calls[0].arguments
    if arguments.get("body") == said.strip():
        arguments["body"] = told.strip()
    target = Targets(ctx, dialogue).find("the deal", ("deal",)) if (what or "").lower() in ("deal", "opportunity") else None
    if target is not None and len(target.found) == 1:
        arguments.setdefault("deal_id", target.found[0].id)
    return reading


def _makes(done: tuple[str, Reading]) -> bool:
    """Whether a reading makes a new record and nothing else."""
    calls = done[1][0].calls
    return len(calls) == 1 and calls[0].tool.startswith("create_") and done[1][0].intent == "command"


def _leaning(dialogue: Dialogue, done: list[tuple[str, Reading]]) -> Dialogue:
    return dialogue.within([spoken_of(reading[0]) for _said, reading in done])


def _says_something(message: str, reading: Reading) -> bool:
    """Whether a command logs what was said, in words after a colon or comma, which may go on with a verb."""
    tools = [call.tool for call in reading[0].calls]
    return tools in (["log_activity"], ["add_task"]) and (BODY.search(message) is not None or tools == ["add_task"] or _body_of(reading[0]))


def _body_of(frame: Frame) -> bool:
    return bool(frame.calls[0].arguments.get("body"))
