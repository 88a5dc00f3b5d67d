"""Customers, whether they stay, and what each is worth."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, distinct, func

from crm_core.context import Context
from crm_core.metrics.definitions.declaration import Composite, Metric, Unit
from crm_core.metrics.definitions.formulas import (
    IS_WON,
    amount,
    count_all,
    only,
    ratio,
    until_now,
    value_of,
)
from crm_core.metrics.fields import CUSTOMER_DAYS, customer_at
from crm_core.models import Deal
from crm_core.periods import Grain


def _retention_parts(ctx: Context, start: datetime, end: datetime) -> dict[str, ColumnElement[Any]]:
    before, after = customer_at(ctx, start), customer_at(ctx, until_now(ctx, end))
    return {
        "before": func.sum(case((before, 1), else_=0)),
        "kept": func.sum(case((and_(before, after), 1), else_=0)),
    }


CUSTOMERS_METRICS: tuple[Metric | Composite, ...] = (
    Metric(
        "customers",
        "customers",
        f"Number of companies with a deal won in the {CUSTOMER_DAYS} days up to the end of the period, or up to now.",
        Unit.count,
        "company",
        value_of(),
        {"value": count_all},
        span=lambda ctx, _start, end: [customer_at(ctx, until_now(ctx, end))],
        synonyms=(
            "customers",
            "number of customers",
            "customer count",
            "active customers",
            "paying customers",
            "customer base",
            "current customers",
        ),
        additive=True,
        rows="company",
        counted="customers",
    ),
    Metric(
        "retention_rate",
        "retention rate",
        "Of the companies that were customers at the start of the period, the share that still were at its end (or now).",
        Unit.percent,
        "company",
        ratio("kept", "before", 100),
        span=lambda ctx, start, _end: [customer_at(ctx, start)],
        span_parts=_retention_parts,
        synonyms=("retention rate", "retention", "customer retention", "logo retention", "customer retention rate"),
        rows="company",
        default_period=Grain.year,
    ),
    Metric(
        "churn_rate",
        "churn rate",
        "Of the companies that were customers at the start of the period, the share that no longer were at its end (or now).",
        Unit.percent,
        "company",
        lambda parts: None if not parts["before"] else Decimal(int(parts["before"]) - int(parts["kept"] or 0)) * 100 / int(parts["before"]),
        span=lambda ctx, start, _end: [customer_at(ctx, start)],
        span_parts=_retention_parts,
        synonyms=("churn rate", "churn", "customer churn", "logo churn", "attrition"),
        higher_is_better=False,
        rows="company",
        default_period=Grain.year,
    ),
    Metric(
        "revenue_per_customer",
        "average revenue per customer",
        "Won value in the period divided by the number of companies it was won from.",
        Unit.money,
        "deal",
        ratio("value", "count"),
        {"value": amount, "count": lambda _ctx: func.count(distinct(Deal.company_id))},
        only(IS_WON, Deal.company_id.is_not(None)),
        "closed",
        synonyms=(
            "average revenue per customer",
            "revenue per customer",
            "arpc",
            "arpa",
            "average revenue per account",
            "revenue per account",
            "sales per customer",
            "average spend",
        ),
    ),
)
