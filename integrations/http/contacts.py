"""Contacts over HTTP."""

from __future__ import annotations

from crm_core.services.contacts import create_contact, get_contact, update_contact
from integrations.http.records import record_routes

router = record_routes("contact", create=create_contact, read=get_contact, update=update_contact)
