"""What a cell says: numbers, money, days, words of picklists, and references to other records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import func, select

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import NOUNS, Noun, PicklistValue, Pipeline, Stage, User
from crm_core.money import MAX_MINOR, MAX_UNCONVERTED_MINOR, plain_number, to_minor
from crm_core.periods import FAR_FUTURE, FAR_PAST, zone_named
from crm_core.services.exchange.columns import CHOICES
from crm_core.text import fold, normalise_phone

_DAY_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y")


@dataclass
class Counts:
    """What became of one file."""

    file: str = ""
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    before: int = 0
    after: int = 0
    refused: list[str] = field(default_factory=list)
    unknown_columns: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Count something worth telling."""
        self.notes[text] = self.notes.get(text, 0) + 1


class Cells:
    """Reads cells against what the database and the files before hold."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.session = ctx, ctx.session
        self.zone = zone_named(ctx.organisation.timezone)
        self.known: dict[str, dict[str, int]] = {}
        self.names: dict[str, dict[str, list[int]]] = {}
        self.records: dict[str, dict[str, Noun]] = {}
        self.words: set[tuple[str, str, str]] = {(row.noun, row.field, row.value) for row in self.session.scalars(select(PicklistValue))}
        self.stages = self._stages()
        self._own_keys: set[str] = set()
        for noun in NOUNS:
            self._learn(noun)

    def _learn(self, noun: str) -> None:
        model: Any = NOUNS[noun]
        label = getattr(model, "name", None) or model.subject
        rows = self.session.execute(select(model.id, model.external_id, label, model.archived_at)).all()
        self.known[noun] = {row[1]: row[0] for row in rows if row[1]}
        self.names[noun] = {}
        for key, _external, name, archived in rows:
            if noun != "activity" and archived is None:
                self.names[noun].setdefault(fold(name), []).append(key)

    def _stages(self) -> dict[str, list[Stage]]:
        pipelines = self.session.execute(select(Pipeline.name, Stage).join(Stage).order_by(Pipeline.position, Stage.position)).all()
        stages: dict[str, list[Stage]] = {}
        for name, stage in pipelines:
            stages.setdefault(name, []).append(stage)
        return stages

    def _required(self, cells: dict[str, str], name: str) -> str:
        value = cells.get(name, "")
        if not value:
            raise Invalid(f"{name} is empty")
        return value

    def _phone(self, cells: dict[str, str]) -> str | None:
        return normalise_phone(cells["phone"], self.ctx.organisation.phone_region)[:60] if cells.get("phone") else None

    def _whole(self, cells: dict[str, str], name: str) -> int | None:
        if not cells.get(name):
            return None
        try:
            number = plain_number(cells[name])
        except ValueError as error:
            raise Invalid(f"{name} '{cells[name]}' is not a whole number; write it like 1500 or 1,500") from error
        if number != number.to_integral_value() or not 0 <= number <= 10**9:
            raise Invalid(f"{name} '{cells[name]}' is not a whole number from 0 on")
        return int(number)

    def _money(self, cells: dict[str, str], name: str, currency: str) -> int | None:
        if not cells.get(name):
            return None
        limit = MAX_UNCONVERTED_MINOR if name == "annual_revenue" else MAX_MINOR
        return to_minor(cells[name].lstrip("$€£ "), currency, limit=limit)

    def _truth(self, cells: dict[str, str], name: str) -> bool | None:
        text = cells.get(name, "").lower()
        known = {"": None, "yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}
        if text not in known:
            raise Invalid(f"{name} '{cells[name]}' is neither yes nor no")
        return known[text]

    def _day(self, cells: dict[str, str], name: str) -> date | None:
        text = cells.get(name, "")
        if not text:
            return None
        for form in _DAY_FORMATS:
            try:
                return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
            except ValueError:
                continue
        try:
            return datetime.fromisoformat(text).date()
        except ValueError:
            pass
        raise Invalid(f"{name} '{text}' is not a day; write it like 2026-03-31")

    def _instant(self, cells: dict[str, str], name: str) -> datetime | None:
        """An ISO instant as it is; a day alone is noon in the company's zone, so that it stays that day elsewhere."""
        text = cells.get(name, "")
        if not text:
            return None
        if "T" in text or ":" in text:
            try:
                moment = datetime.fromisoformat(text)
                if not FAR_PAST <= moment.date() < FAR_FUTURE:
                    raise ValueError
            except ValueError as error:
                raise Invalid(f"{name} '{text}' is not a time; write it like 2026-03-31T14:00:00Z") from error
            return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)
        day = self._day(cells, name)
        assert day is not None
        return datetime.combine(day, time(12), self.zone).astimezone(UTC)

    def _word(self, noun: str, name: str, cells: dict[str, str], kind: str | None = None) -> str | None:
        """A picklist word; one that is new joins the picklist, since the company's words are its data. ``kind`` says what it means."""
        word = cells.get(name, "")[:120]
        if not word:
            return None
        if (noun, name, word) not in self.words and name in CHOICES.get(noun, ()):
            position = sum(known[:2] == (noun, name) for known in self.words)
            self.session.add(PicklistValue(noun=noun, field=name, value=word, position=position, kind=kind, synonyms=[]))
            self.words.add((noun, name, word))
        return word

    def _reference(self, noun: str, cells: dict[str, str], name: str, *, later: Counts | None = None) -> int | None:
        """The number of a referred record, by external id or by name."""
        text = cells.get(name, "")
        if not text:
            return None
        found = self.named(noun, text, name)
        if found is None and noun == "user" and "@" in text:
            found = self.session.scalar(select(User.id).where(func.lower(User.email) == text.lower()))
        if found is None and later is not None:
            later.note(f"{name} not found yet when the row was read")
            return None
        if found is None:
            raise Invalid(f"{name} '{text}' is not known; import it first, or correct the name in the mapping's values")
        return found

    def named(self, noun: str, text: str, column: str) -> int | None:
        """The record that an external id or a name means; raises ``Invalid`` where a name fits several."""
        if text in self.known[noun]:
            return self.known[noun][text]
        fitting = self.names[noun].get(fold(text), []) if fold(text) else []
        if len(fitting) > 1:
            raise Invalid(f"{column} '{text}' fits {len(fitting)} records; use the external_id of the one that is meant")
        return fitting[0] if fitting else None

    def _stage(self, cells: dict[str, str]) -> Stage:
        name, pipeline = cells.get("stage", ""), cells.get("pipeline", "")
        choices = self.stages.get(pipeline) if pipeline else next(iter(self.stages.values()), None)
        if not choices:
            raise Invalid(f"there is no pipeline '{pipeline}'" if pipeline else "there is no pipeline; name one in the mapping")
        if not name:
            return choices[0]
        for stage in choices:
            if fold(stage.name) == fold(name):
                return stage
        raise Invalid(f"stage '{name}' is none of {', '.join(stage.name for stage in choices)}")
