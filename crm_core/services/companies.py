"""Companies: create, read, update."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field
from sqlalchemy import select

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import Company
from crm_core.money import MAX_UNCONVERTED_MINOR, to_minor
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
    shown_amount,
    shown_name,
    view_of,
)
from crm_core.text import normalise_phone


class CompanyView(View):
    """A company."""

    name: str
    domain: str | None
    phone: str | None
    industry: str | None
    region: str | None
    country: str | None
    city: str | None
    employees: int | None
    annual_revenue: str | None
    parent_id: int | None
    parent: str | None
    owner_id: int | None
    owner: str | None


class _CompanyFields(Args):
    domain: Short | None = Field(default=None, description="Web domain, such as acme.example.")
    phone: Short | None = Field(default=None, description="Phone number.")
    industry: Short | None = Field(default=None, description="One of the company's industries.")
    region: Short | None = Field(default=None, description="One of the company's regions.")
    country: Short | None = Field(default=None, description="Country.")
    city: Short | None = Field(default=None, description="City.")
    employees: int | None = Field(default=None, ge=0, le=10_000_000, description="Number of employees.")
    annual_revenue: Decimal | None = Field(default=None, description="Yearly revenue in the home currency.")
    parent_id: int | None = Field(default=None, description="Number of the parent company.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class CreateCompany(_CompanyFields):
    """A new company."""

    name: Name = Field(description="Name of the company.")
    owner_id: int | None = Field(default=None, description="Owner; the caller where left out.")


class UpdateCompany(_CompanyFields, Versioned):
    """Fields of a company to change; those left out stay."""

    name: Name | None = Field(default=None, description="Name of the company.")


class GetCompany(Args):
    """Which company."""

    id: int = Field(description="Number of the company.")


def company_view(ctx: Context, record: Company) -> CompanyView:
    """The company as doors show it."""
    return view_of(
        ctx,
        CompanyView,
        record,
        annual_revenue=shown_amount(record.annual_revenue_minor, ctx.home_currency),
        owner=shown_name(ctx, record.owner),
        parent=shown_name(ctx, record.parent),
    )


def _values(ctx: Context, args: CreateCompany | UpdateCompany) -> dict[str, object]:
    values = set_fields(args)
    if "annual_revenue" in values:
        amount = values.pop("annual_revenue")
        values["annual_revenue_minor"] = None if amount is None else to_minor(amount, ctx.home_currency, limit=MAX_UNCONVERTED_MINOR)
    if values.get("phone"):
        values["phone"] = normalise_phone(str(values["phone"]), ctx.organisation.phone_region)
    if values.get("domain"):
        values["domain"] = str(values["domain"]).lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    check_references(ctx, values)
    return values


def create_company(ctx: Context, args: CreateCompany) -> CompanyView:
    """Create a company, such as after a first meeting with a new prospect."""
    return company_view(ctx, create(ctx, Company, _values(ctx, args), args.custom))


def get_company(ctx: Context, args: GetCompany) -> CompanyView:
    """Read a company."""
    return company_view(ctx, load(ctx, Company, args.id))


def update_company(ctx: Context, args: UpdateCompany) -> CompanyView:
    """Change fields of a company. A company cannot become its own ancestor."""
    record = load_for_change(ctx, Company, args)
    values = _values(ctx, args)
    if values.get("parent_id"):
        _refuse_circle(ctx, record, int(str(values["parent_id"])))
    return company_view(ctx, change(ctx, record, values, args.custom))


def _refuse_circle(ctx: Context, record: Company, parent_id: int) -> None:
    seen: set[int] = set()
    current: int | None = parent_id
    while current is not None and current not in seen:
        if current == record.id:
            raise Invalid(f"{record.name} cannot be below itself; choose another parent company.")
        seen.add(current)
        current = ctx.session.scalar(select(Company.parent_id).where(Company.id == current))
