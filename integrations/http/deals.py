"""Deals over HTTP."""

from __future__ import annotations

from crm_core.services.deals import add_line_item, create_deal, get_deal, lose_deal, move_deal, reopen_deal, set_deal_contact, update_deal, win_deal
from integrations.http.records import record_routes, verb_route

router = record_routes("deal", create=create_deal, read=get_deal, update=update_deal)
verb_route(router, "/{record_id}/move", move_deal)
verb_route(router, "/{record_id}/win", win_deal)
verb_route(router, "/{record_id}/lose", lose_deal)
verb_route(router, "/{record_id}/reopen", reopen_deal)
verb_route(router, "/{record_id}/contacts", set_deal_contact)
verb_route(router, "/{record_id}/line-items", add_line_item)
