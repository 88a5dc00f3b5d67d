"""Every metric, declared once: name, meaning, unit, formula, time, words.

A metric sums *parts* (whole numbers computed by SQL over all visible rows) and *finishes* them in decimal
arithmetic, so that a ratio is never computed from rounded pieces. ``where`` is the condition of belonging;
``when`` the time field that a period applies to. A metric without ``when`` describes a state: it is asked
"as of the period's end" through ``span``, which gets the period's UTC bounds. A *composite* finishes the
values of other metrics computed with the same filters and groups.

The meanings here are what the product shows when it is asked how a figure came about; ``docs/metrics.md`` is
made from them.
"""

from __future__ import annotations

from crm_core.metrics.definitions.bookings import BOOKINGS_METRICS
from crm_core.metrics.definitions.counts import COUNTS_METRICS
from crm_core.metrics.definitions.customers import CUSTOMERS_METRICS
from crm_core.metrics.definitions.declaration import Composite, Metric, Parts, Unit
from crm_core.metrics.definitions.pipeline import PIPELINE_METRICS
from crm_core.metrics.definitions.prospecting import PROSPECTING_METRICS
from crm_core.metrics.definitions.tickets import TICKETS_METRICS

__all__ = ["METRICS", "Composite", "Metric", "Parts", "Unit", "shape_of"]

#: Every metric by its name.
METRICS: dict[str, Metric | Composite] = {
    metric.name: metric
    for metric in (*PIPELINE_METRICS, *BOOKINGS_METRICS, *PROSPECTING_METRICS, *TICKETS_METRICS, *CUSTOMERS_METRICS, *COUNTS_METRICS)
}


def shape_of(name: str) -> str:
    """The name of the shape that a metric is computed over; a composite's is that of its first input."""
    metric = METRICS[name]
    return metric.shape if isinstance(metric, Metric) else shape_of(metric.inputs[0])
