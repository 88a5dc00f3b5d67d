"""Rows, identities, events and moments: what every part of the generated company is made with."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_core.events import event_row, json_value
from crm_core.money import exponent
from integrations.world import phrases
from integrations.world.generate.model import HISTORY_DAYS, MONTH_WEIGHT, TABLES, Sink, Size
from integrations.world.profiles import Profile


class Rows:
    """Collects rows with their ids and events, and draws moments of the working week."""

    def __init__(self, profile: Profile, size: Size, *, seed: int, now: datetime, sink: Sink) -> None:
        self.profile, self.size, self.now, self.sink = profile, size, now.astimezone(UTC), sink
        self.random = random.Random(f"{profile.name}/{seed}")
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.ids: dict[str, int] = dict.fromkeys(TABLES, 0)
        self.buffered = 0
        self.start = self.now - timedelta(days=HISTORY_DAYS)
        self.day_weights = self._day_weights()
        self.customers: dict[int, list[datetime]] = {}
        self.scale = 10 ** exponent(profile.home_currency)

    def _add(self, table: str, **row: Any) -> int:
        self.ids[table] += 1
        row["id"] = self.ids[table]
        self.rows[table].append(row)
        self.buffered += 1
        if self.buffered >= 40_000:
            self._flush()
        return self.ids[table]

    def _flush(self) -> None:
        for table in TABLES:
            if self.rows[table]:
                self.sink(table, self.rows[table])
                self.rows[table] = []
        self.buffered = 0

    def _noun(self, table: str, created: datetime, version: int = 1, updated: datetime | None = None, **row: Any) -> dict[str, Any]:
        number = self.ids[table] + 1
        return {
            "external_id": f"gen-{table}-{number}",
            "version": version,
            "created_at": created,
            "updated_at": updated or created,
            "archived_at": None,
            "custom": row.pop("custom", {}),
            **row,
        }

    def _event(self, noun: str, record_id: int, version: int, kind: str, changes: dict[str, Any], at: datetime, actor: int | None) -> None:
        self._add("event", **event_row(noun, record_id, version, kind, changes, at=at, actor_id=actor, door="world"))

    def _created(self, noun: str, record_id: int, values: dict[str, Any], at: datetime, actor: int | None) -> None:
        quiet = {"id", "version", "updated_at", "custom", "archived_at"}
        changes = {name: [None, json_value(value)] for name, value in values.items() if value is not None and name not in quiet}
        changes |= {f"custom.{key}": [None, value] for key, value in values.get("custom", {}).items()}
        self._event(noun, record_id, 1, "created", changes, at, actor)

    def _day_weights(self) -> list[float]:
        weights = []
        for offset in range(HISTORY_DAYS):
            day = self.start + timedelta(days=offset)
            growth = 0.6 + 0.8 * offset / HISTORY_DAYS
            weights.append(0.05 if day.weekday() >= 5 else growth * MONTH_WEIGHT[day.month - 1])
        return weights

    def _moment(self, day: datetime) -> datetime:
        """A time within working hours of that day, never after now."""
        base = day.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = base + timedelta(hours=13, minutes=self.random.randint(0, 8 * 60))
        return min(moment, self.now - timedelta(minutes=self.random.randint(1, 300)))

    def _some_day(self) -> datetime:
        (offset,) = self.random.choices(range(HISTORY_DAYS), self.day_weights)
        return self._moment(self.start + timedelta(days=offset))

    def _name(self) -> str:
        return f"{self.random.choice(phrases.NAMES_FIRST)} {self.random.choice(phrases.NAMES_LAST)}"

    def _within(self, moment: datetime, low: datetime, high: datetime) -> datetime:
        return max(low + timedelta(minutes=7), min(moment, high - timedelta(minutes=11)))
