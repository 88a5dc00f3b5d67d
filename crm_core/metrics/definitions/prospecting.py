"""Activities and leads."""

from __future__ import annotations

from sqlalchemy import or_

from crm_core.metrics.definitions.declaration import Composite, Metric, Unit
from crm_core.metrics.definitions.formulas import (
    HOUR,
    count_all,
    count_if,
    mean_time,
    only,
    ratio,
    sum_elapsed,
    value_of,
)
from crm_core.models import Activity, Lead

PROSPECTING_METRICS: tuple[Metric | Composite, ...] = (
    Metric(
        "activities",
        "activities",
        "Number of calls, emails, meetings and notes, and of tasks done, by when they happened.",
        Unit.count,
        "activity",
        value_of(),
        {"value": count_all},
        only(or_(Activity.kind != "task", Activity.completed_at.is_not(None))),
        "occurred",
        synonyms=(
            "activities",
            "number of activities",
            "activity count",
            "touches",
            "interactions",
            "activity",
            "activity level",
            "touchpoints",
            "engagements",
        ),
        additive=True,
        rows="activity",
        counted="activities",
    ),
    Metric(
        "lead_response_time",
        "lead response time",
        "Mean hours from a lead's arrival to the first response, over leads of the period that were answered.",
        Unit.hours,
        "lead",
        mean_time(HOUR),
        {"seconds": sum_elapsed(Lead.created_at, Lead.first_response_at), "count": count_all},
        only(Lead.first_response_at.is_not(None)),
        "created",
        synonyms=(
            "lead response time",
            "response time to leads",
            "speed to lead",
            "time to first contact",
            "lead response",
            "response time on leads",
            "time to respond to leads",
        ),
        higher_is_better=False,
        rows="lead",
    ),
    Metric(
        "lead_conversion",
        "lead conversion",
        "Of the leads that arrived in the period, the share that has been converted by now.",
        Unit.percent,
        "lead",
        ratio("converted", "all", 100),
        {"converted": count_if(Lead.converted_at.is_not(None)), "all": count_all},
        when="created",
        synonyms=(
            "lead conversion",
            "lead conversion rate",
            "conversion rate",
            "lead to opportunity rate",
            "conversion of leads",
            "leads converted share",
        ),
        rows="lead",
    ),
    Metric(
        "converted_leads",
        "leads converted",
        "Number of leads converted, by the day of conversion.",
        Unit.count,
        "lead",
        value_of(),
        {"value": count_all},
        only(Lead.converted_at.is_not(None)),
        "converted",
        synonyms=("converted leads", "leads converted"),
        additive=True,
        rows="lead",
        counted="leads converted",
    ),
)
