"""Leads over HTTP."""

from __future__ import annotations

from crm_core.services.leads import convert_lead, create_lead, get_lead, update_lead
from integrations.http.records import record_routes, verb_route

router = record_routes("lead", create=create_lead, read=get_lead, update=update_lead)
verb_route(router, "/{record_id}/convert", convert_lead)
