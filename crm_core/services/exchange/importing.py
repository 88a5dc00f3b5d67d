"""Running an import: files in the order that references need, one transaction, a report whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from crm_core.access import require_admin
from crm_core.context import Context
from crm_core.errors import Invalid, RapportError
from crm_core.metrics.fields import NOUN_SHAPES
from crm_core.models import NOUNS, Company, CustomField, Pipeline, Stage
from crm_core.money import plain_number
from crm_core.periods import Grain
from crm_core.services.exchange.cells import Counts
from crm_core.services.exchange.columns import COLUMNS, NOUN_OF_FILE
from crm_core.services.exchange.loading import Loader
from crm_core.services.exchange.mapping import NOUN_FILES, FileMapping, Mapping
from crm_core.services.exchange.reading import read_table
from crm_core.services.records import number_value, stored_custom, touch_access
from crm_core.text import fold

#: A column with at most this many different words in many rows becomes a choice.
CHOICE_WORDS = 12
SHOWN_REFUSALS = 50


@dataclass
class ImportOptions:
    """How to import."""

    dry_run: bool = False
    custom_fields: bool = False
    skip_bad_rows: bool = False


@dataclass
class ImportReport:
    """What an import did, or would do; ``done`` tells whether it was written."""

    done: bool = False
    files: list[Counts] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Rows that could not be used."""
        return sum(len(item.refused) for item in self.files)


class _RolledBack(Exception):
    """Leaves the savepoint of a run that is not to be kept."""


def import_directory(
    ctx: Context,
    directory: Path,
    mapping: Mapping,
    options: ImportOptions,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> ImportReport:
    """Import a folder. All or nothing: with a refused row nothing is written, unless bad rows are to be skipped.

    Raises ``Invalid`` for a folder or file that cannot be read, ``NotAllowed`` for anyone but an administrator.
    """
    require_admin(ctx, "import")
    if not directory.is_dir():
        raise Invalid(f"There is no folder {directory}; name the folder that holds the CSV files.")
    report = ImportReport()
    try:
        with ctx.session.begin_nested():
            _run(ctx, directory, mapping, options, report, progress)
            report.done = not options.dry_run and (options.skip_bad_rows or not report.refused)
            if not report.done:
                raise _RolledBack
    except _RolledBack:
        ctx.session.expire_all()
    return report


def _run(
    ctx: Context, directory: Path, mapping: Mapping, options: ImportOptions, report: ImportReport, progress: Callable[[str, int, int], None]
) -> None:
    if mapping.pipeline is not None:
        _ensure_pipeline(ctx, mapping)
    present = [name for name in NOUN_FILES if name in mapping.files and (directory / mapping.files[name].file).is_file()]
    missing = [item.file for name, item in mapping.files.items() if item.columns and name not in present]
    if missing:
        raise Invalid(f"The mapping names {missing[0]}, which is not in {directory}.")
    if not present:
        raise Invalid(f"{directory} holds none of {', '.join(f'{name}.csv' for name in NOUN_FILES)}; see docs/import.md, or give a mapping.")
    loader = Loader(ctx)
    for name in present:
        report.files.append(_load_file(ctx, loader, name, directory / mapping.files[name].file, mapping.files[name], options, progress))
    touch_access(ctx)


def _load_file(
    ctx: Context, loader: Loader, name: str, path: Path, mapping: FileMapping, options: ImportOptions, progress: Callable[[str, int, int], None]
) -> Counts:
    noun = NOUN_OF_FILE[name]
    counts = Counts(file=path.name, before=_count(ctx, noun))
    heading, rows_in_file = read_table(path)
    rows = list(rows_in_file)
    theirs = {column: ours for ours, column in mapping.columns.items()}
    for column in mapping.columns.values():
        if column not in heading:
            raise Invalid(f"The mapping wants the column '{column}' of {path.name}, which has {', '.join(heading)}.")
    plain = {column: theirs.get(column, column) for column in heading if column not in mapping.ignore}
    known = {column: ours for column, ours in plain.items() if ours in COLUMNS[name]}
    counts.unknown_columns = [column for column in plain if column not in known]
    keys = _custom_fields(ctx, noun, counts.unknown_columns, [row.cells for row in rows], create=options.custom_fields)
    fields = {row.key: row for row in ctx.session.scalars(select(CustomField).where(CustomField.noun == noun))}
    parents: list[tuple[str, str]] = []
    for number, row in enumerate(rows):
        counts.read += 1
        cells = _translated({ours: row.cells[column] for column, ours in known.items()}, mapping)
        try:
            custom = {key: stored_custom(ctx, fields[key], row.cells[column]) for column, key in keys.items() if row.cells[column]}
            with ctx.session.no_autoflush:
                loader.load(name, cells, custom, counts)
            if name == "companies" and cells.get("parent"):
                parents.append((cells["name"], cells["parent"]))
        except RapportError as error:
            counts.refused.append(f"{path.name}, line {row.line}: {error.message}")
        if number % 200 == 0:
            progress(path.name, number, len(rows))
    _link_parents(ctx, loader, parents, counts)
    ctx.session.flush()
    counts.after = _count(ctx, noun)
    return counts


def _translated(cells: dict[str, str], mapping: FileMapping) -> dict[str, str]:
    """Cells with known dirt corrected, constants and templates filled in, amounts scaled."""
    for name, table in mapping.values.items():
        if cells.get(name) in table:
            cells[name] = table[cells[name]]
    for name, value in mapping.constants.items():
        cells.setdefault(name, value)
        cells[name] = cells[name] or value
    for name, factor in mapping.scale.items():
        if cells.get(name):
            try:
                cells[name] = f"{(plain_number(cells[name].lstrip('$€£ ')) * factor).normalize():f}"
            except ValueError as error:
                raise Invalid(f"{name} '{cells[name]}' is not a number to scale by {factor}") from error
    for name, template in mapping.templates.items():
        if not cells.get(name):
            cells[name] = " ".join(template.format_map(_Blank(cells)).split())
    return cells


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _link_parents(ctx: Context, loader: Loader, parents: list[tuple[str, str]], counts: Counts) -> None:
    """Parents may stand below their children in the file: link them when all are there."""
    for child, parent in parents:
        try:
            child_id, parent_id = loader.named("company", child, "name"), loader.named("company", parent, "parent")
        except Invalid as error:
            counts.refused.append(f"{counts.file}: {error.message}")
            continue
        if parent_id is None:
            counts.refused.append(f"{counts.file}: parent '{parent}' of {child} is not known")
        elif child_id is not None and child_id != parent_id:
            record = ctx.session.get(Company, child_id)
            if record is not None and record.parent_id != parent_id:
                record.parent_id, record.updated_at = parent_id, ctx.now
    counts.notes.pop("parent not found yet when the row was read", None)


def _custom_fields(ctx: Context, noun: str, columns: list[str], rows: list[dict[str, str]], *, create: bool) -> dict[str, str]:
    """Custom-field keys of unknown columns: those that exist, and new ones where they are to be made."""
    existing = set(ctx.session.scalars(select(CustomField.key).where(CustomField.noun == noun)))
    keys: dict[str, str] = {}
    for column in columns:
        key = "_".join(fold(column).split())[:60]
        if key in NOUN_SHAPES[noun].fields or key in Grain.__members__:
            key = f"{key[:54]}_field"  # a word that the product has taken already
        twin = next((other for other, taken in keys.items() if taken == key), None)
        if twin is not None:
            raise Invalid(f"The columns '{twin}' and '{column}' would be one custom field; rename one, or ignore it in the mapping.")
        if key in existing:
            keys[column] = key
        elif create and key:
            values = [row[column] for row in rows if row.get(column)]
            kind, choices = infer_kind(values)
            ctx.session.add(CustomField(noun=noun, key=key, label=column[:120], kind=kind, choices=choices, synonyms=[]))
            keys[column] = key
    ctx.session.flush()
    return keys


def infer_kind(values: list[str]) -> tuple[str, list[str]]:
    """The kind of custom field that fits all values, and the choices where it is one."""

    def fits(test: Callable[[str], Any]) -> bool:
        try:
            return bool(values) and all(test(value) is not None for value in values)
        except (ValueError, ArithmeticError):
            return False

    if fits(lambda value: {"yes": 1, "no": 1, "true": 1, "false": 1}.get(value.lower())):
        return "boolean", []
    coded = any(len(value) > 1 and value.startswith("0") and value.isdecimal() for value in values)  # postcodes, article numbers
    if not coded and fits(number_value):
        return "number", []
    if fits(date.fromisoformat):
        return "date", []
    words = sorted(set(values))
    if 1 < len(words) <= CHOICE_WORDS and len(values) >= 2 * len(words):
        return "choice", words
    return "text", []


def _ensure_pipeline(ctx: Context, mapping: Mapping) -> None:
    assert mapping.pipeline is not None
    if ctx.session.scalar(select(Pipeline.id).where(Pipeline.name == mapping.pipeline.name)) is not None:
        return
    position = ctx.session.scalar(select(func.count()).select_from(Pipeline)) or 0
    pipeline = Pipeline(name=mapping.pipeline.name, position=position)
    ctx.session.add(pipeline)
    ctx.session.flush()
    for place, stage in enumerate(mapping.pipeline.stages):
        ctx.session.add(Stage(pipeline_id=pipeline.id, name=stage.name, position=place, probability=stage.probability, kind=stage.kind))
    ctx.session.flush()


def _count(ctx: Context, noun: str) -> int:
    return ctx.session.scalar(select(func.count()).select_from(NOUNS[noun])) or 0
