"""A call of every write capability of the catalog, in the small company of ``tests/factories.py``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm_core.changes import approve, propose
from crm_core.context import Context
from crm_core.services.catalog import CATALOG
from tests.factories import NOW, World


def run(ctx: Context, capability: str, arguments: dict[str, Any]) -> Any:
    """Call a capability as its door would."""
    entry = CATALOG[capability]
    return entry.function(ctx, entry.arguments.model_validate(arguments))


#: Noun and what is needed before: (noun of the record that changes, or "" where one is made).
def calls(world: World) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """For each capability: who asks, the noun that it makes or changes, and with what. Prepares records that it needs in that state."""
    with world.write("colleague", now=NOW - timedelta(minutes=30)) as ctx:
        run(ctx, "win_deal", {"id": world.row("deal", "colleague")})
        task = run(ctx, "add_task", {"subject": "Send paper", "due_on": "2026-08-20"}).id
        archived = run(ctx, "create_ticket", {"subject": "Old flicker"}).id
        run(ctx, "archive_record", {"noun": "ticket", "id": archived})
    with world.write("rep", now=NOW - timedelta(minutes=30)) as ctx:
        run(ctx, "teach_word", {"phrase": "lamp day", "meaning": "kickoff meeting"})
        change = propose(ctx, "create_company", {"name": "Taken Back"})
        number, shown = change.id, change.diff_hash
    with world.write("rep", now=NOW - timedelta(minutes=20)) as ctx:
        approve(ctx, number, shown)
    deal, contact, lead, ticket, wick = *(world.row(noun) for noun in ("deal", "contact", "lead", "ticket")), world.products["Wick"]
    return {
        "create_company": ("rep", "company", {"name": "Pelican Paper"}),
        "update_company": ("rep", "company", {"id": world.row("company"), "city": "Gullhaven"}),
        "create_contact": ("rep", "contact", {"name": "Cosima Quill", "company_id": world.row("company")}),
        "update_contact": ("rep", "contact", {"id": contact, "title": "Head of Paper"}),
        "create_lead": ("rep", "lead", {"name": "Lorenz Gull"}),
        "update_lead": ("rep", "lead", {"id": lead, "status": "Nurtured"}),
        "convert_lead": ("rep", "lead", {"id": lead, "deal_name": "Gull windows"}),
        "create_deal": ("rep", "deal", {"name": "Pelican rollout", "amount": "12.50"}),
        "update_deal": ("rep", "deal", {"id": deal, "amount": "77.00"}),
        "move_deal": ("rep", "deal", {"id": deal, "stage": "Haggling"}),
        "win_deal": ("rep", "deal", {"id": deal}),
        "lose_deal": ("rep", "deal", {"id": deal, "reason": "Too dear"}),
        "reopen_deal": ("colleague", "deal", {"id": world.row("deal", "colleague")}),
        "set_deal_contact": ("rep", "deal", {"id": deal, "contact_id": world.row("contact", "colleague"), "role": "blocker"}),
        "add_line_item": ("rep", "deal", {"id": deal, "product_id": wick, "quantity": 3}),
        "create_ticket": ("rep", "ticket", {"subject": "Pelican flickers"}),
        "update_ticket": ("rep", "ticket", {"id": ticket, "priority": "On fire"}),
        "answer_ticket": ("rep", "ticket", {"id": ticket}),
        "resolve_ticket": ("rep", "ticket", {"id": ticket}),
        "log_activity": ("rep", "activity", {"kind": "call", "subject": "Talked paper", "deal_id": deal}),
        "add_task": ("rep", "activity", {"subject": "Send paper", "due_on": "2026-08-20"}),
        "update_activity": ("rep", "activity", {"id": world.row("activity"), "body": "They like paper."}),
        "complete_task": ("colleague", "activity", {"id": task}),
        "reassign": ("rep", "deal", {"noun": "deal", "id": deal, "owner_id": world.users["colleague"]}),
        "archive_record": ("rep", "deal", {"noun": "deal", "id": deal}),
        "restore_record": ("colleague", "ticket", {"noun": "ticket", "id": archived}),
        "create_product": ("admin", "product", {"name": "Pelican Feed", "price": "3"}),
        "update_product": ("admin", "product", {"id": wick, "family": "Feed"}),
        "set_price": ("admin", "product", {"id": wick, "amount": "9.50", "valid_from": "2026-09-01"}),
        "create_user": ("admin", "user", {"name": "Ursel Fink", "email": "ursel@lantern.test"}),
        "update_user": ("admin", "user", {"id": world.users["colleague"], "timezone": "Europe/Lisbon"}),
        "undo_change": ("rep", "", {"change_set_ids": [number]}),
        "teach_word": ("rep", "", {"phrase": "logo", "meaning": "deal of a new customer"}),
        "forget_word": ("rep", "", {"phrase": "lamp day"}),
        "set_grant": ("admin", "", {"role": "rep", "noun": "lead", "read": "own", "write": "own"}),
    }
