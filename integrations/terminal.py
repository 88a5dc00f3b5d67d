"""Answers in a terminal: text, tables, bars; colours where there is a terminal to show them."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import markup
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table as RichTable
from sqlalchemy import Engine

from assistant.answer import Answer, Approval, Card, Chart, Choices, Table
from crm_core.context import Context
from crm_core.money import format_money, to_minor

console = Console(highlight=False, soft_wrap=False)
BAR = 32
_BLOCKS = " ▏▎▍▌▋▊▉█"


def print_answer(answer: Answer) -> None:
    """Print an answer with its blocks, citations and notices."""
    console.print(_bold(answer.text), markup=True)
    for block in answer.blocks:
        if isinstance(block, Table):
            _print_table(block)
        elif isinstance(block, Chart):
            _print_chart(block)
        elif isinstance(block, Card):
            _print_card(block)
        elif isinstance(block, Choices):
            for place, option in enumerate(block.options, start=1):
                console.print(f"  {place}. {escape(option.label)} [dim]{escape(option.hint)}[/dim]")
        elif isinstance(block, Approval):
            print_proposal(block)
    for notice in answer.notices:
        console.print(f"[yellow]{escape(notice)}[/yellow]")


def print_proposal(block: Approval, state: str = "proposed") -> None:
    """A change with its diff; of a proposed one, how to decide on it."""
    state = "applied" if block.applied else state
    head = "[yellow]Proposed, not applied[/yellow]" if state == "proposed" else f"[bold]{state.capitalize()}[/bold]"
    console.print(f"{head} (change {block.change_set_id}): {escape(block.title)}. [dim]{escape(block.rule)}[/dim]")
    for line in block.lines():
        console.print(f"  {escape(line)}")
    for line in block.besides():
        console.print(f"  [dim]{escape(line)}[/dim]")
    if state == "proposed":
        console.print(f"[dim]rapport changes apply {block.change_set_id}, or: rapport changes refuse {block.change_set_id}[/dim]")


def escape(text: str) -> str:
    """Text that a terminal and its mark-up print and do not obey: without control characters, brackets as they are."""
    plain = "".join(letter if letter in "\n\t" or unicodedata.category(letter) != "Cc" else " " for letter in text)
    return markup.escape(plain)


def _bold(text: str) -> str:
    parts = escape(text).split("**")
    return "".join(f"[bold]{part}[/bold]" if place % 2 else part for place, part in enumerate(parts))


def _print_table(block: Table) -> None:
    table = RichTable(show_edge=False, pad_edge=False, header_style="bold")
    for column in block.columns:
        table.add_column(escape(column.title), justify="right" if column.numeric else "left", overflow="fold")
    for row in block.rows:
        table.add_row(*(escape(cell.text) for cell in row))
    console.print(table)
    if block.total > len(block.rows):
        console.print(f"[dim]{len(block.rows)} of {block.total:,} rows[/dim]")


def _print_chart(block: Chart) -> None:
    if len(block.series) != 1:
        return
    spans = block.spans()
    highest = max((high for _low, high in spans), default=0.0)
    if highest <= 0:
        return
    width = max(len(label) for label in block.labels)
    for label, (low, high), value in zip(block.labels, spans, block.series[0].values, strict=True):
        space = " " * round(max(0.0, low) / highest * BAR)
        console.print(
            f"  {escape(label):<{width}} {space}[cyan]{_bar((high - max(0.0, low)) / highest)}[/cyan] {_number(value or 0.0, block.format)}"
        )


def _bar(share: float) -> str:
    eighths = round(max(0.0, share) * BAR * 8)
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def _number(value: float, form: str) -> str:
    kind, _, currency = form.partition(":")
    if kind == "money":
        return ("-" if value < 0 else "") + format_money(to_minor(str(abs(round(value))), currency), currency)
    return f"{value:,.1f}".removesuffix(".0") + ("%" if kind == "percent" else "")


def _print_card(block: Card) -> None:
    console.print(f"[bold]{escape(block.title)}[/bold] [dim]{escape(block.subtitle)}[/dim]")
    for title, value in block.facts:
        console.print(f"  [dim]{escape(title)}:[/dim] {escape(value)}")


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar fed with (what, done, all)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


def remember_lines(path: Path) -> None:
    """Keep the terminal's line history between conversations, where the platform has readline."""
    try:
        import atexit
        import readline
    except ImportError:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        readline.read_history_file(path)
    readline.set_history_length(1000)
    atexit.register(readline.write_history_file, path)


def read_line() -> str | None:
    """The next line, or None at the end of input."""
    try:
        return input("\x01\x1b[1;36m\x02you>\x01\x1b[0m\x02 " if sys.stdin.isatty() else "")
    except (EOFError, KeyboardInterrupt):
        return None


def print_reading(engine: Engine, user_id: int, message: str, now: Any) -> None:
    """Print how a message is understood: tokens, spans and what they can mean, readings, tool calls and SQL."""
    from assistant.language.chart import described
    from assistant.language.grammar import read_apart, readings
    from assistant.language.planner import plan
    from crm_core.context import unit_of_work

    with unit_of_work(engine, user_id, write=False, now=now or datetime.now(UTC)) as ctx:
        frame, chart, parts = read_apart(ctx, message)
        if frame.aside:
            _say("Left aside", frame.aside)
        _say("Tokens", " | ".join(token.norm or token.text for token in chart.tokens))
        _say("Spans (kind, score, what they can mean)")
        for edge in chart.edges:
            console.print(f"  {json.dumps(described(edge), ensure_ascii=False)}", markup=False)
        others = [edge for edge in chart.everything if edge not in chart.edges and edge.kind != "filler"]
        _say("Spans that lost", f"{len(others)}")
        for edge in sorted(others, key=lambda edge: (edge.first, -edge.score)):
            console.print(f"  {json.dumps(described(edge), ensure_ascii=False)}", markup=False)
        if parts.idle:
            _say("Words that only carry the sentence", ", ".join(parts.idle))
        _say("Readings (score, construction, frame)")
        for reading in readings(ctx, message):
            shown = json.dumps({key: value for key, value in reading.frame.plain().items() if key != "confidence"}, ensure_ascii=False, default=str)
            console.print(f"  {reading.score:4.2f} {reading.construction}: {shown}", markup=False)
        calls = plan(frame, None) if frame.pending is None else []
        _say("Calls")
        console.print_json(json.dumps(calls, default=str))
        for name, arguments in calls:
            _print_sql(ctx, name, arguments)


def _say(title: str, text: str = "") -> None:
    console.print(f"[bold]{title}[/bold]{':' if text else ''}", end=" " if text else "\n")
    if text:
        console.print(text, markup=False)


def _print_sql(ctx: Context, name: str, arguments: dict[str, Any]) -> None:
    """Run a read of the catalog and print the SQL that it ran."""
    from crm_core.errors import RapportError
    from crm_core.services.catalog import CATALOG, Effect

    capability = CATALOG.get(name)
    if capability is None or capability.effect is not Effect.read:
        return
    try:
        result = capability.function(ctx, capability.arguments.model_validate(arguments))
    except RapportError as error:
        _say("Refused", error.message)
        return
    for statement in getattr(result, "sql", []):
        _say(f"SQL of {name}")
        console.print(statement, markup=False, soft_wrap=True)
