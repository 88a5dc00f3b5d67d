"""Tickets over HTTP."""

from __future__ import annotations

from crm_core.services.tickets import answer_ticket, create_ticket, get_ticket, resolve_ticket, update_ticket
from integrations.http.records import record_routes, verb_route

router = record_routes("ticket", create=create_ticket, read=get_ticket, update=update_ticket)
verb_route(router, "/{record_id}/answer", answer_ticket)
verb_route(router, "/{record_id}/resolve", resolve_ticket)
