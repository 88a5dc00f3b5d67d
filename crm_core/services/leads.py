"""Leads: create, change, respond to, convert."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field
from sqlalchemy import select

from crm_core.access import visible
from crm_core.context import Context
from crm_core.errors import Ambiguous, Candidate, Invalid
from crm_core.models import Company, Lead
from crm_core.periods import local_day
from crm_core.services.companies import CreateCompany, create_company
from crm_core.services.contacts import CreateContact, create_contact
from crm_core.services.deals import CreateDeal, create_deal
from crm_core.services.records import (
    Args,
    Name,
    Short,
    Versioned,
    View,
    change,
    check_references,
    create,
    load,
    load_for_change,
    picklist_kind,
    picklists,
    set_fields,
    shown_name,
    view_of,
)
from crm_core.services.validation import check_email
from crm_core.text import normalise_phone


class LeadView(View):
    """A lead."""

    name: str
    company_name: str | None
    title: str | None
    email: str | None
    phone: str | None
    source: str | None
    status: str
    region: str | None
    owner_id: int | None
    owner: str | None
    converted_on: date | None
    company_id: int | None
    contact_id: int | None
    deal_id: int | None


class _LeadFields(Args):
    company_name: str | None = Field(default=None, max_length=300, description="Company the person works for.")
    title: Short | None = Field(default=None, description="Job title.")
    email: str | None = Field(default=None, max_length=320, description="E-mail address.")
    phone: Short | None = Field(default=None, description="Phone number.")
    source: Short | None = Field(default=None, description="One of the company's lead sources.")
    status: Short | None = Field(default=None, description="One of the company's lead statuses.")
    region: Short | None = Field(default=None, description="Region.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class CreateLead(_LeadFields):
    """A new lead."""

    name: Name = Field(description="Full name.")
    owner_id: int | None = Field(default=None, description="Owner; the caller where left out.")


class UpdateLead(_LeadFields, Versioned):
    """Fields of a lead to change."""

    name: Name | None = Field(default=None, description="Full name.")


class GetLead(Args):
    """Which lead."""

    id: int = Field(description="Number of the lead.")


class ConvertLead(Versioned):
    """Which lead becomes a company, a contact and, with a deal name, a deal."""

    deal_name: Name | None = Field(default=None, description="Name of the deal to create; none where left out.")
    amount: Decimal | None = Field(default=None, description="Amount of that deal in the home currency.")


class Conversion(BaseModel):
    """What a conversion made."""

    lead_id: int
    company_id: int | None
    contact_id: int
    deal_id: int | None


def lead_view(ctx: Context, record: Lead) -> LeadView:
    """The lead as doors show it."""
    return view_of(
        ctx,
        LeadView,
        record,
        owner=shown_name(ctx, record.owner),
        converted_on=local_day(record.converted_at, ctx.zone) if record.converted_at else None,
    )


def _values(ctx: Context, args: CreateLead | UpdateLead) -> dict[str, object]:
    values = set_fields(args)
    if values.get("email"):
        values["email"] = check_email(str(values["email"]))
    if values.get("phone"):
        values["phone"] = normalise_phone(str(values["phone"]), ctx.organisation.phone_region)
    check_references(ctx, values)
    return values


def create_lead(ctx: Context, args: CreateLead) -> LeadView:
    """Create a lead."""
    values = _values(ctx, args)
    if not values.get("status"):
        first = next(iter(picklists(ctx, "lead").get("status", [])), "New")
        values["status"] = picklist_kind(ctx, "lead", "status", "open") or first
    return lead_view(ctx, create(ctx, Lead, values, args.custom))


def get_lead(ctx: Context, args: GetLead) -> LeadView:
    """Read a lead."""
    return lead_view(ctx, load(ctx, Lead, args.id))


def update_lead(ctx: Context, args: UpdateLead) -> LeadView:
    """Change fields of a lead."""
    return lead_view(ctx, change(ctx, load_for_change(ctx, Lead, args), _values(ctx, args), args.custom))


def convert_lead(ctx: Context, args: ConvertLead) -> Conversion:
    """Turn a lead into a contact at a company (an existing one of the same name, else a new one), perhaps with a deal."""
    record = load_for_change(ctx, Lead, args)
    if record.converted_at is not None:
        raise Invalid(f"{record.name} was converted already, to contact {record.contact_id}.")
    if args.amount is not None and not args.deal_name:
        raise Invalid("An amount needs a deal to stand in; give the deal's name, too.")
    company_id = _company_of(ctx, record) if record.company_name else None
    contact = create_contact(
        ctx,
        CreateContact(name=record.name, title=record.title, email=record.email, phone=record.phone, company_id=company_id, owner_id=record.owner_id),
    )
    deal_id = None
    if args.deal_name:
        source = record.source if record.source in picklists(ctx, "deal").get("source", [record.source]) else None
        deal = CreateDeal(name=args.deal_name, company_id=company_id, amount=args.amount, source=source, owner_id=record.owner_id)
        deal_id = create_deal(ctx, deal).id
    values: dict[str, object] = {"converted_at": ctx.now, "contact_id": contact.id, "company_id": company_id, "deal_id": deal_id}
    converted = picklist_kind(ctx, "lead", "status", "converted")
    if converted:
        values["status"] = converted
    if record.first_response_at is None:
        values["first_response_at"] = ctx.now
    change(ctx, record, values)
    return Conversion(lead_id=record.id, company_id=company_id, contact_id=contact.id, deal_id=deal_id)


def _company_of(ctx: Context, lead: Lead) -> int:
    """The company of the lead's name, made where there is none; raises ``Ambiguous`` where several bear it."""
    query = select(Company.id, Company.name).where(Company.name == lead.company_name, visible(ctx, Company), Company.archived_at.is_(None))
    found = ctx.session.execute(query.order_by(Company.id).limit(6)).all()
    if len(found) > 1:
        candidates = [Candidate("company", row.id, row.name) for row in found]
        raise Ambiguous(f"There are {len(found)} companies called {lead.company_name}; rename the lead's company or merge them first.", candidates)
    if found:
        return int(found[0].id)
    return create_company(ctx, CreateCompany(name=lead.company_name or "", owner_id=lead.owner_id)).id
