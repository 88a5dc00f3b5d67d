"""``python -m evals.transcript``: ten questions as a manager and a rep would ask them, written to ``docs/transcript.md``.

The words are whatever the embedded model answers on the evaluation company at its fixed clock; nothing is edited.
"""

from __future__ import annotations

from pathlib import Path

from assistant.answer import Answer, Table
from crm_core.context import unit_of_work
from evals.run import askers
from evals.world import NOW, ROOT, open_world
from integrations.app import Rapport

PAGE = ROOT / "docs" / "transcript.md"
#: Who asks, and whether the question goes on with the conversation before.
CONVERSATION = (
    ("manager", False, "How much did we win last quarter, by rep?"),
    ("manager", True, "and the quarter before?"),
    ("manager", True, "how did you get that?"),
    ("manager", False, "whats our win rate in EMEA this year vs last year"),
    ("manager", False, "How much pipeline slipped this quarter?"),
    ("rep", False, "my open deals over 20k closing this month"),
    ("rep", False, "What did customers say about our competitors?"),
    ("rep", False, "When is Dana's birthday?"),
    ("manager", False, "which of my reps are below quota this quarter?"),
    ("manager", False, "show me the moon landing numbers"),
)
ROWS = 6


def main() -> None:
    """Ask and write the page."""
    product = open_world(with_index=True)
    try:
        PAGE.write_text(_page(product), encoding="utf-8")
    finally:
        product.close()
    print(f"Written: {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}")


def _page(product: Rapport) -> str:
    people = askers(product)
    with unit_of_work(product.engine, people["manager"], write=False) as ctx:
        company = ctx.organisation.name
    parts = [
        "# Ten questions and what Rapport said",
        f"Asked of the generated company {company} with the embedded model, at {NOW:%Y-%m-%d %H:%M} UTC, by `python -m evals.transcript`. "
        "Nothing is edited, weak answers included; tables are cut after six rows where the answer had more.",
    ]
    thread = None
    for who, goes_on, question in CONVERSATION:
        answer = product.agent.answer(question, people[who], thread=thread if goes_on else None, now=NOW)
        thread = answer.thread
        parts += [f"## {'(goes on) ' if goes_on else ''}{question}", f"*asked by a {who}, answered in {answer.milliseconds} ms*", _shown(answer)]
    return "\n\n".join(parts) + "\n"


def _shown(answer: Answer) -> str:
    parts = ["\n".join(f"> {line}".rstrip() for line in answer.text.splitlines())]
    parts += [_table(block) for block in answer.blocks if isinstance(block, Table)]
    parts += [f"> *{notice}*" for notice in answer.notices]
    return "\n\n".join(parts)


def _table(block: Table) -> str:
    heading = [column.title for column in block.columns]
    marks = ["---:" if column.numeric else "---" for column in block.columns]
    rows = [[cell.text.replace("|", "\\|") for cell in row] for row in block.rows[:ROWS]]
    lines = [f"| {' | '.join(row)} |" for row in (heading, marks, *rows)]
    if block.total > len(rows):
        lines.append(f"\n({len(rows)} of {block.total:,} rows here)")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
