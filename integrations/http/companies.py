"""Companies over HTTP."""

from __future__ import annotations

from crm_core.services.companies import create_company, get_company, update_company
from integrations.http.records import record_routes

router = record_routes("company", create=create_company, read=get_company, update=update_company)
