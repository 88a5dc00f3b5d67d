"""Products over HTTP."""

from __future__ import annotations

from crm_core.services.products import create_product, get_product, set_price, update_product
from integrations.http.records import record_routes, verb_route

router = record_routes("product", create=create_product, read=get_product, update=update_product)
verb_route(router, "/{record_id}/prices", set_price)
