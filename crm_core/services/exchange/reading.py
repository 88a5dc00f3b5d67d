"""From a CSV file's bytes to rows: UTF-8 with or without a mark, else Windows-1252; comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crm_core.errors import Invalid

MAX_FILE_BYTES = 500_000_000
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Row:
    """One line of a file: its number, counted from 1 with the heading, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_table(path: Path) -> tuple[list[str], Iterator[Row]]:
    """The columns and the rows; raises ``Invalid`` that names the file and line where it cannot be read."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Invalid(f"{path.name} is larger than {MAX_FILE_BYTES:,} bytes; split it.")
    text = _decode(path)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        heading = [column.strip() for column in next(reader)]
    except StopIteration as error:
        raise Invalid(f"{path.name} is empty; its first line must name the columns.") from error
    except csv.Error as error:
        raise Invalid(f"{path.name}, line 1: {_reason(error)}") from error
    if len(set(heading)) != len(heading):
        raise Invalid(f"{path.name}: the heading names a column twice; rename one.")
    return heading, _rows(path, reader, heading)


def _rows(path: Path, reader: Iterator[list[str]], heading: list[str]) -> Iterator[Row]:
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"{path.name}, line {line + 1} or after: {_reason(error)}") from error
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(heading):
            raise Invalid(f"{path.name}, line {line}: it has {len(cells)} cells but the heading has {len(heading)}; check the quotes.")
        padded = [*cells, *[""] * (len(heading) - len(cells))]
        yield Row(line, {column: cell.strip() for column, cell in zip(heading, padded, strict=True)})


def _decode(path: Path) -> str:
    data = path.read_bytes().removeprefix(_MARK)
    if b"\x00" in data:
        raise Invalid(f"{path.name} is not a text file; export it as CSV in UTF-8.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "end of data" in text or "expected after" in text:
        return "a quote is not closed or stands inside a cell; double it or remove it."
    return f"it cannot be read ({text}); check the quotes."
