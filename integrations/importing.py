"""``rapport import``: run an import and print its report."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from crm_core.access import Actor, system_actor
from crm_core.context import unit_of_work
from crm_core.errors import Conflict, NotFound
from crm_core.services.exchange import (
    ImportOptions,
    ImportReport,
    import_directory,
    load_mapping,
)
from crm_core.services.exchange.importing import SHOWN_REFUSALS
from crm_core.services.setup import Conventions, set_up
from crm_core.services.users import user_by_email
from crm_core.settings import load_settings
from integrations.app import assemble
from integrations.terminal import console, progress_bar


def run_import(directory: str, mapping_file: str, *, dry_run: bool, custom_fields: bool, skip_bad: bool, email: str) -> None:
    """Import a folder, print what happened; raises ``Conflict`` with exit code 2 where rows were refused and nothing was written."""
    mapping = load_mapping(Path(mapping_file) if mapping_file else None)
    product = assemble(load_settings(), index_owner=False)
    words = mapping.company
    set_up(product.engine, Conventions(words.name, words.home_currency, words.timezone, words.fiscal_start_month))
    who: Actor | int = system_actor(words.timezone)
    if email:
        with unit_of_work(product.engine, system_actor(), write=False) as ctx:
            user_id = user_by_email(ctx.session, email)
            if user_id is None:
                raise NotFound(f"There is no active user {email}; create one with 'rapport user add', or import without --as.")
            who = user_id
    with progress_bar() as progress, unit_of_work(product.engine, who, write=True, door="import") as ctx:
        report = import_directory(ctx, Path(directory), mapping, ImportOptions(dry_run, custom_fields, skip_bad), progress)
    print_report(report, dry_run=dry_run, custom_fields=custom_fields)
    product.close()
    if not report.done and not dry_run:
        raise Conflict(f"{report.refused:,} rows were refused, so nothing was written. Correct them, or use --skip-bad-rows.")


def print_report(report: ImportReport, *, dry_run: bool, custom_fields: bool) -> None:
    """The report as a table, the refusals as lines."""
    table = Table(title="Dry run, nothing written" if dry_run else "Import")
    for title in ("file", "read", "created", "updated", "unchanged", "refused", "before", "after"):
        table.add_column(title, justify="left" if title == "file" else "right")
    for item in report.files:
        numbers = (item.read, item.created, item.updated, item.unchanged, len(item.refused), item.before, item.after)
        table.add_row(item.file, *(f"{number:,}" for number in numbers))
    console.print(table)
    for item in report.files:
        for line in item.refused[:SHOWN_REFUSALS]:
            console.print(f"refused: {line}", style="red", markup=False)
        if len(item.refused) > SHOWN_REFUSALS:
            console.print(f"... and {len(item.refused) - SHOWN_REFUSALS:,} more of {item.file}")
        for note, count in item.notes.items():
            console.print(f"{item.file}: {count:,} {note}")
        if item.unknown_columns and not custom_fields:
            console.print(f"{item.file}: columns not known: {', '.join(item.unknown_columns)}; --custom-fields keeps them as custom fields")
