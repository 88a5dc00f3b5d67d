"""The evaluation's table and page."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from evals.run import Result

VERDICTS = ("exact", "wrong", "asked", "declined")


def _by_family(rows: list[Result]) -> dict[str, Counter[str]]:
    families: dict[str, Counter[str]] = {}
    for row in rows:
        families.setdefault(row.family, Counter())[row.verdict] += 1
    return families


def cause(row: Result) -> str:
    """The likeliest cause of a miss, told from what was answered."""
    got = row.got
    if row.verdict == "asked":
        return "asked back, where a colleague would have known"
    if row.verdict == "declined":
        if "is nothing that I find" in got or "mean here" in got or "means here" in got:
            return "a word was not understood"
        return "the construction is not known"
    if "found nothing said" in got or "What I found" in got:
        return "other interactions were found than meant"
    if "match (" in got or "No matching records" in got or got.startswith("0"):
        return "a condition too many, so that nothing is left"
    return "other rows, another split or another period than meant"


def commonest_causes(results: dict[str, list[Result]]) -> list[tuple[str, int]]:
    """The three commonest causes of misses over all sets."""
    return Counter(cause(row) for rows in results.values() for row in rows if row.verdict != "exact").most_common(3)


def print_table(results: dict[str, list[Result]], summaries: dict[str, dict[str, float]]) -> None:
    """Summaries, and the families of the development set that have misses."""
    console = Console(width=110)
    table = Table(title="Evaluations")
    for title in ("set", "wordings", *VERDICTS, "ms p50", "ms p95"):
        table.add_column(title, justify="left" if title == "set" else "right")
    for name, values in summaries.items():
        times = sorted(row.milliseconds for row in results[name])
        table.add_row(
            name,
            str(int(values["wordings"])),
            *(f"{values[verdict]:.1f} %" for verdict in VERDICTS),
            str(times[len(times) // 2]),
            str(times[int(len(times) * 0.95)]),
        )
    console.print(table)
    for name, count in commonest_causes(results):
        console.print(f"{count:4} misses: {name}")


def write_page(path: Path, results: dict[str, list[Result]], summaries: dict[str, dict[str, float]], shown: dict[str, list[Result]]) -> None:
    """One static page: summaries, families, and each miss of the sets that may be ``shown``. Held-out misses are counted, not shown."""
    parts = [
        "<!doctype html><meta charset=utf-8><title>Rapport evaluations</title><style>body{font:14px system-ui;margin:2rem;max-width:70rem}"
        "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .6rem;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
        ".wrong{color:#b00020}.declined,.asked{color:#8a6d00}</style><h1>Evaluations</h1>"
    ]
    parts.append("<table><tr><th>set<th>wordings" + "".join(f"<th>{verdict}" for verdict in VERDICTS))
    for name, values in summaries.items():
        parts.append(f"<tr><td>{name}<td>{int(values['wordings'])}" + "".join(f"<td>{values[verdict]:.1f} %" for verdict in VERDICTS))
    parts.append("</table><h2>Commonest causes of misses</h2><ul>")
    parts += [f"<li>{count} × {escape(name)}" for name, count in commonest_causes(results)]
    parts.append("</ul><h2>Families</h2><table><tr><th>family<th>set" + "".join(f"<th>{verdict}" for verdict in VERDICTS))
    for name, rows in results.items():
        for family, counts in sorted(_by_family(rows).items()):
            parts.append(f"<tr><td>{escape(family)}<td>{name}" + "".join(f"<td>{counts[verdict] or ''}" for verdict in VERDICTS))
    parts.append("</table><h2>Misses on development wordings</h2><table><tr><th>verdict<th>cause<th>family<th>wording<th>expected<th>got")
    for row in (row for rows in shown.values() for row in rows):
        if row.verdict != "exact":
            parts.append(
                f"<tr><td class={row.verdict}>{row.verdict}<td>{escape(cause(row))}<td>{escape(row.family)}<td>{escape(row.wording)}<td>{escape(row.expected[:200])}<td>{escape(row.got[:240])}"
            )
    parts.append("</table>")
    path.write_text("\n".join(parts), encoding="utf-8")
