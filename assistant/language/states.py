"""Which metric counts or sums a noun in a state, and which conditions a state means in a list."""

from __future__ import annotations

from typing import Any

#: (noun, state) -> metric that counts it, metric that sums it.
STATE_METRICS: dict[tuple[str, str], tuple[str, str]] = {
    ("deal", ""): ("deals", "open_pipeline"),
    ("deal", "open"): ("open_deals", "open_pipeline"),
    ("deal", "closing"): ("open_deals", "open_pipeline"),
    ("deal", "won"): ("won_deals", "won_value"),
    ("deal", "closed"): ("won_deals", "won_value"),
    ("deal", "lost"): ("lost_deals", "lost_value"),
    ("deal", "created"): ("deals", "new_pipeline"),
    ("deal", "slipped"): ("slipped_deals", "slipped_value"),
    ("ticket", ""): ("tickets_opened", ""),
    ("ticket", "open"): ("open_tickets", ""),
    ("ticket", "created"): ("tickets_opened", ""),
    ("ticket", "resolved"): ("tickets_resolved", ""),
    ("ticket", "closed"): ("tickets_resolved", ""),
    ("ticket", "incomplete"): ("open_tickets", ""),
    ("lead", ""): ("leads", ""),
    ("lead", "created"): ("leads", ""),
    ("lead", "converted"): ("converted_leads", ""),
    ("company", ""): ("companies", ""),
    ("company", "created"): ("companies", ""),
    ("contact", ""): ("contacts", ""),
    ("contact", "created"): ("contacts", ""),
    ("activity", ""): ("activities", ""),
    ("activity", "occurred"): ("activities", ""),
    ("activity", "created"): ("activities", ""),
    ("activity", "completed"): ("activities", ""),
    ("activity", "incomplete"): ("open_tasks", ""),
    ("lead", "unconverted"): ("leads", ""),
}


#: Shares that "what percentage of" may mean: (noun, state of the part).
SHARES: dict[tuple[str, str], str] = {
    ("deal", "won"): "win_rate",
    ("deal", "closed"): "win_rate",
    ("lead", "converted"): "lead_conversion",
    ("lead", ""): "lead_conversion",
}


def _states_of_metrics() -> dict[str, tuple[str, str, bool]]:
    """The table above read back; where several states share a metric, its name says which is meant."""
    states: dict[str, tuple[str, str, bool]] = {}
    for (noun, state), (counted, summed) in STATE_METRICS.items():
        states.setdefault(counted, (noun, state, False))
        if summed:
            states[summed] = (noun, state or "open", True)
    return states | {
        "deals": ("deal", "created", False),
        "open_pipeline": ("deal", "open", True),
        "tickets_opened": ("ticket", "created", False),
        "won_deals": ("deal", "won", False),
        "won_value": ("deal", "won", True),
    }


#: Metrics that count or sum a state: metric -> (noun, state, sum?).
STATE_OF_METRIC = _states_of_metrics()
#: States that a list expresses as conditions: (noun, state) -> (field, op, values, how it reads).
STATE_FILTERS: dict[tuple[str, str], list[tuple[str, str, list[Any], str]]] = {
    ("deal", "open"): [("status", "is", ["open"], "open")],
    ("deal", "closing"): [("status", "is", ["open"], "open")],
    ("deal", "won"): [("status", "is", ["won"], "won")],
    ("deal", "lost"): [("status", "is", ["lost"], "lost")],
    ("deal", "closed"): [("status", "is", ["won", "lost"], "closed")],
    ("deal", "incomplete"): [("status", "is", ["open"], "open")],
    ("deal", "not_won"): [("status", "is", ["open", "lost"], "not won")],
    ("ticket", "open"): [("resolved", "empty", [], "open")],
    ("ticket", "resolved"): [("resolved", "not_empty", [], "resolved")],
    ("ticket", "closed"): [("resolved", "not_empty", [], "resolved")],
    ("ticket", "incomplete"): [("resolved", "empty", [], "open")],
    ("ticket", "unanswered"): [("first_response", "empty", [], "not answered")],
    ("lead", "open"): [("converted", "empty", [], "not converted")],
    ("lead", "converted"): [("converted", "not_empty", [], "converted")],
    ("lead", "unconverted"): [("converted", "empty", [], "not converted")],
    ("lead", "unanswered"): [("first_response", "empty", [], "not answered")],
    ("activity", "open"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "incomplete"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "due"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "completed"): [("kind", "is", ["task"], "tasks"), ("completed", "not_empty", [], "done")],
}


OPPOSITE_STATES = {"open": "closed", "closed": "open", "resolved": "open", "converted": "unconverted", "completed": "incomplete", "won": "not_won"}
