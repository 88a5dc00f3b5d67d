"""Which foreign file and column is which of ours: a small YAML file, checked before anything is read.

See ``docs/import.md``. Without a mapping, the file ``deals.csv`` holds deals, and columns bear our names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_core.errors import Invalid

NOUN_FILES = ("users", "companies", "contacts", "products", "leads", "deals", "tickets", "activities")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FileMapping(_Strict):
    """One foreign file. ``columns`` maps our column to theirs; ``constants`` and ``templates`` fill what they lack."""

    file: str
    columns: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    #: Our column -> text with ``{our column}`` slots, used where the cell is empty.
    templates: dict[str, str] = Field(default_factory=dict)
    #: Our column -> their value -> ours, for dirt such as misspelt names.
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    #: Our money column -> number to multiply with, for amounts kept in thousands or millions.
    scale: dict[str, int] = Field(default_factory=dict)
    #: Their columns to leave out.
    ignore: list[str] = Field(default_factory=list)


class StageMapping(_Strict):
    """A stage of the imported pipeline."""

    name: str
    probability: int = Field(ge=0, le=100)
    kind: Literal["open", "won", "lost"] = "open"


class PipelineMapping(_Strict):
    """The pipeline that imported deals belong to; made where it does not exist."""

    name: str
    stages: list[StageMapping]


class ConventionsMapping(_Strict):
    """Conventions of a company that is set up by the import."""

    name: str = "My company"
    home_currency: str = "USD"
    timezone: str = "UTC"
    fiscal_start_month: int = 1


class Mapping(_Strict):
    """A whole mapping file."""

    company: ConventionsMapping = Field(default_factory=ConventionsMapping)
    pipeline: PipelineMapping | None = None
    files: dict[str, FileMapping] = Field(default_factory=dict)


def load_mapping(path: Path | None) -> Mapping:
    """The mapping of a file, or the plain one; raises ``Invalid`` that says what is wrong in it."""
    if path is None:
        return Mapping(files={noun: FileMapping(file=f"{noun}.csv") for noun in NOUN_FILES})
    try:
        mapping = Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise Invalid(f"There is no mapping file {path}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"The mapping {path.name} is not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"The mapping {path.name} cannot be used: {'.'.join(str(step) for step in first['loc'])}: {first['msg']}.") from error
    unknown = set(mapping.files) - set(NOUN_FILES)
    if unknown:
        raise Invalid(f"The mapping names '{min(unknown)}'; files are of {', '.join(NOUN_FILES)}.")
    return mapping
