"""``python scripts/reference.py``: write ``docs/metrics.md`` and the settings table of ``docs/operations.md`` from the declarations."""

from __future__ import annotations

import re
from pathlib import Path

from crm_core.metrics.definitions import METRICS, Composite
from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- settings: written by scripts/reference.py -->", "<!-- end of settings -->"


def metrics_page() -> str:
    """The whole of ``docs/metrics.md``."""
    lines = [
        "# Metrics and fields",
        "",
        "Written by `python scripts/reference.py` from the declarations; edit those. Every metric can be filtered and grouped by the "
        "fields of its records (two at most) and by day, week, month, quarter or year, and compared with another period. Values are "
        "computed over everything that the asker may see, in minor units, and money in other currencies is converted at the stated rate.",
        "",
        "| Metric | Unit | Meaning | Also said |",
        "| --- | --- | --- | --- |",
    ]
    for metric in METRICS.values():
        made = f" From {', '.join(metric.inputs)}." if isinstance(metric, Composite) else ""
        lines.append(f"| `{metric.name}` | {metric.unit.value} | {metric.meaning}{made} | {', '.join(metric.synonyms[:5])} |")
    lines += ["", "## Fields", "", "By which lists are filtered and figures grouped; the company's custom fields come to these.", ""]
    for name, shape in NOUN_SHAPES.items():
        lines.append(f"- **{name}**: {', '.join(f'`{item}`' for item in shape.fields)}")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The settings, one row each, between the marks."""
    rows = ["| Setting | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = getattr(field.default, "get_secret_value", lambda value=field.default: value)()
        rows.append(f"| `RAPPORT_{name.upper()}` | {f'`{default}`' if str(default) else 'empty'} | {field.description} |")
    return "\n".join([BEGIN, *rows, END])


def with_settings(page: str) -> str:
    """``docs/operations.md`` with the table as it must be."""
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _match: settings_table(), page, flags=re.DOTALL)


if __name__ == "__main__":
    (DOCS / "metrics.md").write_text(metrics_page(), encoding="utf-8")
    operations = DOCS / "operations.md"
    operations.write_text(with_settings(operations.read_text(encoding="utf-8")), encoding="utf-8")
