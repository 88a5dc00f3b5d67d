"""Contacts: people at companies, with the companies they worked for before."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import Contact, Employment
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
    set_fields,
    shown_name,
    view_of,
)
from crm_core.services.validation import check_email
from crm_core.text import normalise_phone


class EmploymentView(BaseModel):
    """A stay at a company."""

    company_id: int
    title: str | None
    started_on: date | None
    ended_on: date | None


class ContactView(View):
    """A person."""

    name: str
    title: str | None
    email: str | None
    phone: str | None
    city: str | None
    company_id: int | None
    company: str | None
    owner_id: int | None
    owner: str | None
    consent_email: bool | None
    consent_phone: bool | None
    employments: list[EmploymentView]


class _ContactFields(Args):
    title: Short | None = Field(default=None, description="Job title.")
    email: str | None = Field(default=None, max_length=320, description="E-mail address.")
    phone: Short | None = Field(default=None, description="Phone number.")
    city: Short | None = Field(default=None, description="City.")
    company_id: int | None = Field(default=None, description="Number of the company the person works for.")
    consent_email: bool | None = Field(default=None, description="Agreed to be e-mailed; unknown where left out.")
    consent_phone: bool | None = Field(default=None, description="Agreed to be called; unknown where left out.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class CreateContact(_ContactFields):
    """A new contact."""

    name: Name = Field(description="Full name.")
    owner_id: int | None = Field(default=None, description="Owner; the caller where left out.")


class UpdateContact(_ContactFields, Versioned):
    """Fields of a contact to change; a new company ends the stay at the old one today."""

    name: Name | None = Field(default=None, description="Full name.")


class GetContact(Args):
    """Which contact."""

    id: int = Field(description="Number of the contact.")


def contact_view(ctx: Context, record: Contact) -> ContactView:
    """The contact as doors show it."""
    return view_of(
        ctx,
        ContactView,
        record,
        company=shown_name(ctx, record.company),
        owner=shown_name(ctx, record.owner),
        employments=[EmploymentView.model_validate(item, from_attributes=True) for item in record.employments],
    )


def _values(ctx: Context, args: CreateContact | UpdateContact) -> dict[str, object]:
    values = set_fields(args)
    if values.get("email"):
        values["email"] = check_email(str(values["email"]))
    if values.get("phone"):
        values["phone"] = normalise_phone(str(values["phone"]), ctx.organisation.phone_region)
    check_references(ctx, values)
    return values


def create_contact(ctx: Context, args: CreateContact) -> ContactView:
    """Create a contact."""
    record = create(ctx, Contact, _values(ctx, args), args.custom)
    if record.company_id is not None:
        record.employments.append(Employment(company_id=record.company_id, title=record.title, started_on=ctx.today))
        ctx.session.flush()
    return contact_view(ctx, record)


def get_contact(ctx: Context, args: GetContact) -> ContactView:
    """Read a contact with the companies they worked for."""
    return contact_view(ctx, load(ctx, Contact, args.id))


def update_contact(ctx: Context, args: UpdateContact) -> ContactView:
    """Change fields of a contact. A change of company keeps the earlier one in the history."""
    record = load_for_change(ctx, Contact, args)
    values = _values(ctx, args)
    if values.get("name", "") is None:
        raise Invalid("A contact needs a name.")
    moved = "company_id" in values and values["company_id"] != record.company_id
    change(ctx, record, values, args.custom)
    if moved:
        for item in record.employments:
            if item.ended_on is None:
                item.ended_on = ctx.today
        if record.company_id is not None:
            record.employments.append(Employment(company_id=record.company_id, title=record.title, started_on=ctx.today))
        ctx.session.flush()
        ctx.session.expire(record, ["company"])
    return contact_view(ctx, record)
