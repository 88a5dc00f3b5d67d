"""Answer blocks as Block Kit, within the limits that Slack documents; what does not fit is said, never dropped silently."""

from __future__ import annotations

from typing import Any

from assistant.answer import Answer, Approval, Card, Chart, Choices, Table

MAX_BLOCKS = 50
SECTION_CHARS = 3000
#: Room inside a section that is set in fixed width.
FENCED_CHARS = SECTION_CHARS - 6
BUTTON_CHARS = 75
VALUE_CHARS = 2000
FALLBACK_CHARS = 3000
#: Rows of a table that fit a message comfortably; more are told, and asked for with "more".
TABLE_ROWS = 12
CELL_CHARS = 28
BAR = 16
MAX_CHOICES = 8
#: Lines of a diff that a message shows.
CHANGES = 15


def render(answer: Answer, address: str) -> tuple[str, list[dict[str, Any]]]:
    """Fallback text and blocks of a message."""
    blocks = [section(part) for part in _split(markdown(answer.text))]
    for block in answer.blocks:
        if isinstance(block, Table):
            blocks += _table(block)
        elif isinstance(block, Chart):
            blocks += _chart(block)
        elif isinstance(block, Card):
            blocks.append(
                section(f"*{escape(block.title)}* {escape(block.subtitle)}\n" + "\n".join(f"{escape(k)}: {escape(v)}" for k, v in block.facts[:20]))
            )
        elif isinstance(block, Choices):
            blocks += _choices(block)
        elif isinstance(block, Approval):
            blocks += approval(block, address)
    small = [f"[{item.number}] {item.when}, {item.kind} with {item.who}: {item.title}" for item in answer.citations[:5]]
    if len(answer.citations) > 5:
        small.append(f"and {len(answer.citations) - 5} more sources on {address}")
    small += answer.notices
    small.append(f"{answer.model}, {answer.milliseconds} ms")
    for start in range(0, len(small), 10):
        blocks.append(
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": clip(escape(line), 1500), "verbatim": True} for line in small[start : start + 10]],
            }
        )
    if len(blocks) > MAX_BLOCKS:
        blocks = [*blocks[: MAX_BLOCKS - 1], section(f"The answer is longer than a message may be; see all of it on {address}.")]
    return clip(plain(answer.text), FALLBACK_CHARS), blocks


def escape(text: str) -> str:
    """Text that Slack shows as it is: no mentions, no links, no channel calls."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(text: str) -> str:
    """Our ``**bold**`` as Slack's ``*bold*``."""
    return escape(text).replace("**", "*")


def plain(text: str) -> str:
    """Without markup, for notifications."""
    return escape(text).replace("**", "")


def clip(text: str, length: int) -> str:
    """Cut to a length, with a mark where something is missing; an escaped sign is never torn."""
    return text if len(text) <= length else text[: _whole(text, length - 1)] + "…"


def _whole(text: str, cut: int) -> int:
    """The last place up to ``cut`` that is not inside an escaped sign."""
    start = text.rfind("&", max(0, cut - len("&amp;") + 1), cut)
    return start if start > 0 and ";" not in text[start:cut] else cut


def section(text: str) -> dict[str, Any]:
    """A block of marked-up text."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip(text, SECTION_CHARS) or " ", "verbatim": True}}


def _split(text: str) -> list[str]:
    """Pieces that fit a section, cut at line ends where there are any."""
    pieces: list[str] = []
    while len(text) > SECTION_CHARS:
        cut = text.rfind("\n", 0, SECTION_CHARS)
        cut = cut if cut > 0 else _whole(text, SECTION_CHARS)
        pieces.append(text[:cut])
        text = text[cut:].lstrip("\n")
    return [*pieces, text] if text or not pieces else pieces


def _table(block: Table) -> list[dict[str, Any]]:
    """A table in fixed width, since every client shows that alike."""
    rows = [[clip(cell.text, CELL_CHARS) for cell in row] for row in block.rows[:TABLE_ROWS]]
    heading = [clip(column.title, CELL_CHARS) for column in block.columns]
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]

    def line(cells: list[str]) -> str:
        shown = [cell.rjust(width) if column.numeric else cell.ljust(width) for cell, width, column in zip(cells, widths, block.columns, strict=True)]
        return "  ".join(shown).rstrip()

    text = "\n".join([line(heading), *(line(row) for row in rows)]).replace("```", "'''")
    blocks = [_fenced(part) for part in _pieces(escape(text), FENCED_CHARS)]
    if block.total > len(rows):
        blocks.append(section(f"_{len(rows)} of {block.total:,} rows. Say “more” for the next._"))
    return blocks


def _fenced(escaped: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```{escaped}```", "verbatim": True}}


def _pieces(text: str, length: int) -> list[str]:
    """Whole lines, as many as fit; a line that is too long by itself is wrapped."""
    pieces: list[str] = []
    current = ""
    for line in (part for whole in text.split("\n") for part in _wrapped(whole, length)):
        if current and len(current) + 1 + len(line) > length:
            pieces.append(current)
            current = ""
        current = f"{current}\n{line}" if current else line
    return [*pieces, current]


def _wrapped(line: str, length: int) -> list[str]:
    parts = []
    while len(line) > length:
        cut = _whole(line, length)
        parts.append(line[:cut])
        line = line[cut:]
    return [*parts, line]


def _chart(block: Chart) -> list[dict[str, Any]]:
    """A chart of one series as bars of text; the table beside it holds the exact figures."""
    if len(block.series) != 1:
        return []
    spans = block.spans()[:TABLE_ROWS]
    highest = max((high for _low, high in spans), default=0.0)
    if highest <= 0:
        return []
    width = min(CELL_CHARS, max(len(label) for label in block.labels[:TABLE_ROWS]))
    lines = [
        f"{clip(label, width).ljust(width)} {' ' * round(max(0.0, low) / highest * BAR)}{'█' * max(0, round((high - max(0.0, low)) / highest * BAR))}"
        for label, (low, high) in zip(block.labels, spans, strict=False)
    ]
    return [_fenced(escape("\n".join(lines)))]


def approval(block: Approval, address: str) -> list[dict[str, Any]]:
    """A proposed change: its diff, and buttons that are bound to it."""
    lines = "\n".join(f"• {escape(line)}" for line in block.lines(CHANGES))
    if block.applied:
        return [*(section(part) for part in _split(lines)), *applied(block.change_set_id, block.rule)]
    head = section(f"*Proposed, not applied:* {escape(block.title)}")
    besides = "".join(f" {line}" for line in block.besides())
    more = f"{escape(besides)}{f' The whole of it is on {address}.' if len(block.changes) > CHANGES else ''}"
    buttons = [
        _button("apply", f"{block.change_set_id}:{block.diff_hash}", "Apply", style="primary"),
        _button("refuse", str(block.change_set_id), "Refuse"),
    ]
    rule = {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(escape(block.rule) + more, 1500), "verbatim": True}]}
    return [head, *(section(part) for part in _split(lines)), rule, {"type": "actions", "elements": buttons}]


def applied(change_set_id: int, words: str) -> list[dict[str, Any]]:
    """What was applied, with a button that takes it back."""
    return [section(escape(words)), {"type": "actions", "elements": [_button("undo", str(change_set_id), "Undo")]}]


def _button(action: str, value: str, text: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "value": value, "text": {"type": "plain_text", "text": text}, **more}


def _choices(block: Choices) -> list[dict[str, Any]]:
    buttons = [
        {
            "type": "button",
            "action_id": f"choose_{place}",
            "value": clip(option.message, VALUE_CHARS),
            "text": {"type": "plain_text", "text": clip(f"{option.label} ({option.hint})" if option.hint else option.label, BUTTON_CHARS)},
        }
        for place, option in enumerate(block.options[:MAX_CHOICES])
    ]
    return [{"type": "actions", "elements": buttons}] if buttons else []
