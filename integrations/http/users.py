"""Users over HTTP."""

from __future__ import annotations

from crm_core.services.users import create_user, get_user, update_user
from integrations.http.records import record_routes

router = record_routes("user", create=create_user, read=get_user, update=update_user)
