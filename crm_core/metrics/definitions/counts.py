"""How many records there are of each kind."""

from __future__ import annotations

from typing import Any

from crm_core.metrics.definitions.declaration import Composite, Metric, Unit
from crm_core.metrics.definitions.formulas import (
    count_all,
    only,
    value_of,
)
from crm_core.models import Company, Contact, Deal, Lead


def _counted(name: str, shape: str, plural: str, model: Any, when: str, synonyms: tuple[str, ...]) -> Metric:
    return Metric(
        name,
        f"number of {plural}",
        f"How many {plural} there are; with a period, those that came in it.",
        Unit.count,
        shape,
        value_of(),
        {"value": count_all},
        when=when,
        synonyms=synonyms,
        additive=True,
        rows=shape,
        counted=plural,
        where=only(model.archived_at.is_(None)),
    )


COUNTS_METRICS: tuple[Metric | Composite, ...] = (
    _counted(
        "deals",
        "deal",
        "deals",
        Deal,
        "created",
        ("number of deals", "deals", "deal count", "deals created", "new deals", "opportunities", "opportunities created"),
    ),
    _counted(
        "companies",
        "company",
        "companies",
        Company,
        "created",
        ("number of companies", "companies", "accounts", "company count", "account count"),
    ),
    _counted("contacts", "contact", "contacts", Contact, "created", ("number of contacts", "contacts", "people", "contact count", "new contacts")),
    _counted(
        "leads",
        "lead",
        "leads",
        Lead,
        "created",
        ("number of leads", "leads", "new leads", "lead count", "leads created", "leads received", "incoming leads", "lead volume"),
    ),
)
