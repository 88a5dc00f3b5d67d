"""How records of one kind belong to records of another: what "companies with an urgent ticket" stands on.

Each link is a select of pairs (number of the one, number of the other). A deal's tickets are those of its company.
Whoever asks counts only related records that they may see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, and_, select, union

from crm_core.models import Activity, ActivityParticipant, Company, Contact, Deal, DealContact, Employment, Lead, LineItem, Ticket

Pairs = Callable[[], Select[Any]]


def _columns(one: Any, other: Any) -> Pairs:
    return lambda: select(one.label("one"), other.label("other"))


def _contact_activities() -> Select[Any]:
    pairs = union(
        select(Activity.contact_id.label("one"), Activity.id.label("other")),
        select(ActivityParticipant.contact_id, ActivityParticipant.activity_id),
    ).subquery()
    return select(pairs.c.one, pairs.c.other)


def _company_contacts() -> Select[Any]:
    pairs = union(
        select(Contact.company_id.label("one"), Contact.id.label("other")),
        select(Employment.company_id, Employment.contact_id).where(Employment.ended_on.is_(None)),
    ).subquery()
    return select(pairs.c.one, pairs.c.other)


def _deal_tickets() -> Select[Any]:
    columns: tuple[Any, Any] = (Deal.id.label("one"), Ticket.id.label("other"))
    return select(*columns).join(Ticket, and_(Ticket.company_id == Deal.company_id))


_PAIRS: dict[tuple[str, str], Pairs] = {
    ("company", "deal"): _columns(Deal.company_id, Deal.id),
    ("company", "contact"): _company_contacts,
    ("company", "ticket"): _columns(Ticket.company_id, Ticket.id),
    ("company", "activity"): _columns(Activity.company_id, Activity.id),
    ("company", "lead"): _columns(Lead.company_id, Lead.id),
    ("company", "company"): _columns(Company.parent_id, Company.id),
    ("contact", "deal"): _columns(DealContact.contact_id, DealContact.deal_id),
    ("contact", "ticket"): _columns(Ticket.contact_id, Ticket.id),
    ("contact", "activity"): _contact_activities,
    ("deal", "activity"): _columns(Activity.deal_id, Activity.id),
    ("deal", "ticket"): _deal_tickets,
    ("deal", "product"): _columns(LineItem.deal_id, LineItem.product_id),
    ("lead", "activity"): _columns(Activity.lead_id, Activity.id),
    ("ticket", "activity"): _columns(Activity.ticket_id, Activity.id),
    **{("user", model.__noun__): _columns(model.owner_id, model.id) for model in (Company, Contact, Deal, Lead, Ticket, Activity)},
}


def pairs(one: str, other: str) -> Select[Any] | None:
    """Pairs of the numbers of records of the two kinds that belong together, as ``one`` and ``other``; None where they do not."""
    if (one, other) in _PAIRS:
        return _PAIRS[(one, other)]()
    if (other, one) in _PAIRS:
        turned = _PAIRS[(other, one)]().subquery()
        return select(turned.c.other.label("one"), turned.c.one.label("other"))
    return None


def related_kinds(one: str) -> list[str]:
    """The kinds of records that a kind has links to."""
    return list(dict.fromkeys([second for first, second in _PAIRS if first == one] + [first for first, second in _PAIRS if second == one]))
