"""From computed results to answer blocks; no model has a hand in it."""

from __future__ import annotations

from decimal import Decimal

from assistant.answer import (
    Block,
    Card,
    Cell,
    Chart,
    Choices,
    Citation,
    Column,
    Link,
    Option,
    Series,
    Table,
)
from assistant.language.frames import Frame, Pending
from assistant.language.wording import facts_of, show_cell, show_day, show_instant, show_value
from assistant.retrieval.search import Passages
from assistant.turn import Done
from crm_core.metrics.definitions import Unit
from crm_core.metrics.fields import Kind
from crm_core.metrics.listing import ListResult
from crm_core.metrics.movement import STEPS, Movement
from crm_core.metrics.question import MetricResult
from crm_core.money import format_money, to_decimal
from crm_core.periods import Grain
from crm_core.services.activities import TimelineView
from crm_core.services.history import HistoryView
from crm_core.services.records import View

#: Rows of a grouped figure that a table shows at first, and bars of a chart.
TABLE_ROWS = 25
CHART_BARS = 12
SERIES = 6
QUOTE_CHARS = 300


def blocks_of(done: Done, frame: Frame | None) -> list[Block]:
    """The blocks that show one result."""
    result = done.result
    if isinstance(result, MetricResult):
        return _metric_blocks(result)
    if isinstance(result, ListResult):
        one_row = frame is not None and frame.count_only
        return [] if one_row or not result.rows else [list_table(result)]
    if isinstance(result, View):
        noun = str(done.arguments.get("noun", ""))
        return [card(result, noun)]
    if isinstance(result, TimelineView) and result.entries:
        return [_timeline_table(result)]
    if isinstance(result, Movement):
        return _movement_blocks(result, frame.step if frame else "")
    if isinstance(result, HistoryView) and len(result.changes) > 1:
        return [_history_table(result)]
    return []


def _metric_blocks(result: MetricResult) -> list[Block]:
    if not result.groups or len(result.groups) == 1 and result.groups_in_all > 1:
        return []
    columns = [Column(title=title) for title in result.group_titles] + [Column(title=result.title, numeric=True)]
    if result.previous_period is not None:
        columns.append(Column(title=result.previous_period.label or "before", numeric=True))
    rows = []
    for group in result.groups[:TABLE_ROWS]:
        cells = [Cell(text=label) for label in group.labels] + [Cell(text=show_value(group.value, result.unit, result.currency))]
        if result.previous_period is not None:
            cells.append(Cell(text=show_value(group.previous, result.unit, result.currency)))
        rows.append(cells)
    table = Table(title=f"{result.title} by {' and '.join(result.group_titles)}", columns=columns, rows=rows, total=result.groups_in_all)
    chart = metric_chart(result)
    return [chart, table] if chart else [table]


def metric_chart(result: MetricResult) -> Chart | None:
    """A line for time, bars for other groups; with two groups one series for each value of the one that is not time."""
    known = [group for group in result.groups if group.value is not None]
    if len(known) < 2:
        return None
    grains = [title in Grain.__members__ for title in result.group_titles]
    kind = "line" if any(grains) else "bar"

    def number(value: Decimal | None) -> float | None:
        if value is None:
            return None
        return float(to_decimal(value, result.currency)) if result.unit is Unit.money else float(value)

    if len(result.group_titles) == 1:
        groups = result.groups if kind == "line" else result.groups[:CHART_BARS]
        series = [Series(name=result.title, values=[number(group.value) for group in groups])]
        if result.previous_period is not None and kind == "line":
            series.append(Series(name=result.previous_period.label or "before", values=[number(group.previous) for group in groups]))
        labels = [group.labels[0] for group in groups]
    else:
        axis = grains.index(True) if any(grains) else 0
        other = 1 - axis
        labels = list(dict.fromkeys(group.labels[axis] for group in result.groups))
        if kind == "bar":
            labels = labels[:CHART_BARS]
        names = list(dict.fromkeys(group.labels[other] for group in result.groups))[:SERIES]
        values = {(group.labels[axis], group.labels[other]): number(group.value) for group in result.groups}
        series = [Series(name=name, values=[values.get((label, name)) for label in labels]) for name in names]
    form = {Unit.money: f"money:{result.currency}", Unit.percent: "percent"}.get(result.unit, "number")
    return Chart(title=f"{result.title} by {' and '.join(result.group_titles)}", kind=kind, labels=labels, series=series, format=form)


def list_table(result: ListResult) -> Table:
    """A page of records; the first column opens the record."""
    columns = [Column(title=item.title, numeric=item.kind in (Kind.money, Kind.number)) for item in result.columns]
    rows = []
    for row in result.rows:
        cells = []
        for place, item in enumerate(result.columns):
            text = show_cell(row.get(item.name), item, result.currency)
            if item.name == "amount" and row.get("_amount_minor") is not None:
                text = format_money(row["_amount_minor"], row["_currency"])
            cells.append(Cell(text=text, link=Link(noun=result.noun, id=row["id"]) if place == 0 else None))
        rows.append(cells)
    return Table(title=result.title, columns=columns, rows=rows, total=result.total)


def card(view: View, noun: str) -> Card:
    """A record's card."""
    values = view.model_dump(mode="json")
    title = values.get("name") or values.get("subject") or f"{noun} {view.id}"
    subtitle = " · ".join(
        part for part in (noun, values.get("title") or values.get("industry") or values.get("status") or "", values.get("company") or "") if part
    )
    return Card(title=title, subtitle=subtitle, link=Link(noun=noun, id=view.id), facts=facts_of(values))


def _timeline_table(view: TimelineView) -> Table:
    columns = [Column(title=title) for title in ("when", "what", "title", "who")]
    rows = [
        [
            Cell(text=f"{entry.at.day} {entry.at:%b} {entry.at.year}", link=Link(noun=entry.noun, id=entry.id)),
            Cell(text=entry.kind),
            Cell(text=f"{entry.title}: {entry.detail}"[:140] if entry.detail else entry.title),
            Cell(text=entry.who or "–"),
        ]
        for entry in view.entries[:10]
    ]
    return Table(title="Timeline", columns=columns, rows=rows, total=max(view.total_activities, len(rows)))


def _movement_blocks(result: Movement, step: str) -> list[Block]:
    """The waterfall as chart and table, and the deals behind it; of one step only its deals."""

    def money(minor: int) -> str:
        return format_money(minor, result.currency)

    rows = [
        [Cell(text=show_instant(result.first)), Cell(text=f"{result.opening_deals:,}"), Cell(text=money(result.opening_minor))],
        *([Cell(text=STEPS[name][0]), Cell(text=f"{count:,}"), Cell(text=money(amount))] for name, (amount, count) in result.steps.items()),
        [Cell(text=show_instant(result.end)), Cell(text=f"{result.closing_deals:,}"), Cell(text=money(result.closing_minor))],
    ]
    columns = [Column(title="step"), Column(title="deals", numeric=True), Column(title="amount", numeric=True)]
    values = [
        float(to_decimal(item, result.currency))
        for item in (result.opening_minor, *(step[0] for step in result.steps.values()), result.closing_minor)
    ]
    chart = Chart(
        title="open pipeline, then to now",
        kind="waterfall",
        labels=[row[0].text for row in rows],
        series=[Series(name="open pipeline", values=list(values))],
        format=f"money:{result.currency}",
    )
    deals = [_moved_table(result)] if result.deals else []
    return [*deals] if step else [chart, Table(title="open pipeline", columns=columns, rows=rows, total=len(rows)), *deals]


def _moved_table(result: Movement) -> Table:
    columns = [
        Column(title="deal"),
        Column(title="what"),
        Column(title="change", numeric=True),
        Column(title="close date"),
        Column(title="stage"),
        Column(title="owner"),
    ]
    rows = [
        [
            Cell(text=item.name, link=Link(noun="deal", id=item.id)),
            Cell(text=STEPS[item.step][0]),
            Cell(text=format_money(item.change_minor, result.currency)),
            Cell(text=_change(show_day(item.expected_before), show_day(item.expected_after))),
            Cell(text=_change(item.stage_before, item.stage_after)),
            Cell(text=item.owner or "–"),
        ]
        for item in result.deals[:TABLE_ROWS]
    ]
    return Table(title="deals behind it", columns=columns, rows=rows, total=len(result.deals))


def _change(before: str, after: str) -> str:
    """``4 Mar 2026 → 4 Apr 2026``, or the one value where nothing changed or one is missing."""
    known = [text for text in (before, after) if text not in ("", "None")]
    return known[0] if len(set(known)) == 1 else " → ".join(known)


def _history_table(view: HistoryView) -> Table:
    columns = [Column(title=title) for title in ("when", "field", "from", "to", "by")]
    rows = [
        [Cell(text=show_instant(item.at)), Cell(text=item.title), Cell(text=item.old), Cell(text=item.new), Cell(text=item.who or "–")]
        for item in view.changes[:TABLE_ROWS]
    ]
    return Table(title=f"changes of {view.label}", columns=columns, rows=rows, total=view.total)


def choices_block(pending: Pending) -> Choices:
    """The candidates of an ambiguous name; choosing one says its full name and hint."""
    options = []
    labels = [item.label for item in pending.candidates]
    for place, item in enumerate(pending.candidates):
        hint = pending.hints[place] if place < len(pending.hints) else ""
        same = labels.count(item.label) > 1
        options.append(Option(label=item.label, hint=hint or item.noun, message=_ordinal(place) if same else item.label))
    return Choices(question=f"Which {pending.name} do you mean?", options=options)


def _ordinal(place: int) -> str:
    names = ("first", "second", "third", "fourth", "fifth")
    return f"the {names[place]} one" if place < len(names) else f"number {place + 1}"


def citations_of(passages: Passages) -> list[Citation]:
    """The interactions that an answer rests on, numbered as it cites them."""
    return [
        Citation(
            number=number,
            noun=item.noun,
            id=item.id,
            when=f"{item.at.day} {item.at:%b} {item.at.year}",
            who=item.who or item.company or "unknown",
            kind=item.kind,
            title=item.title,
            quote=item.text[:QUOTE_CHARS],
        )
        for number, item in enumerate(passages.found, start=1)
    ]
