"""Companies, contacts, leads and colleagues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import aliased

from crm_core.access import visible
from crm_core.context import Context
from crm_core.metrics.fields.columns import (
    COMPANY_WORDS,
    CREATED_WORDS,
    OWNER_WORDS,
    choice,
    company_fields,
    company_join,
    fixed,
    last_activity,
    owner_fields,
    owner_joins,
    plain,
    ref,
)
from crm_core.metrics.fields.shape import Field, Join, Kind, Shape
from crm_core.models import Activity, Company, Contact, Deal, DealContact, Employment, Lead, Team, User

#: A company is a customer for this long after its last won deal; contracts are assumed to run a year.
CUSTOMER_DAYS = 365


def _contact_companies(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return or_(
        Contact.company_id.in_(values),
        exists().where(Employment.contact_id == Contact.id, Employment.company_id.in_(values), Employment.ended_on.is_(None)),
    )


def _is_customer(ctx: Context) -> ColumnElement[bool]:
    """The company was sold to within the last :data:`CUSTOMER_DAYS`, by a deal that the caller may see."""
    return customer_at(ctx, ctx.now)


def customer_at(ctx: Context, instant: datetime) -> ColumnElement[bool]:
    """SQL for "this company was a customer at that instant": a won deal in the year up to it."""
    deal = aliased(Deal)
    return exists().where(
        deal.company_id == Company.id,
        deal.status == "won",
        deal.archived_at.is_(None),
        deal.closed_at < instant,
        deal.closed_at >= instant - timedelta(days=CUSTOMER_DAYS),
        visible(ctx, Deal, entity=deal),
    )


def _contact_roles(ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return exists().where(
        DealContact.contact_id == Contact.id,
        DealContact.role.in_(values),
        DealContact.deal_id.in_(select(Deal.id).where(visible(ctx, Deal), Deal.archived_at.is_(None))),
    )


_parent = aliased(Company, name="parent_company")


COMPANY_SHAPE = Shape(
    "company",
    Company,
    Company,
    {**owner_joins(Company.owner_id), "parent": Join(_parent, Company.parent_id == _parent.id)},
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Company.id, (), "number"),
            plain("name", Kind.text, Company.name, ("name", "called", "named")),
            Field("company", "company", Kind.ref, fixed(Company.id), fixed(Company.name), (), COMPANY_WORDS, "company"),
            choice("industry", Company.industry, synonyms=("industry", "sector", "vertical"), picklist=("company", "industry")),
            choice("region", Company.region, synonyms=("region", "territory", "area", "geo"), picklist=("company", "region")),
            choice("country", Company.country, synonyms=("country",)),
            choice("city", Company.city, synonyms=("city", "town")),
            plain(
                "employees",
                Kind.number,
                Company.employees,
                (
                    "employees",
                    "employee",
                    "people",
                    "people work",
                    "people work at",
                    "people work for",
                    "people work there",
                    "people employed",
                    "staff",
                    "size",
                    "headcount",
                    "company size",
                    "workforce",
                    "workers",
                ),
            ),
            plain("annual_revenue", Kind.money, Company.annual_revenue_minor, ("annual revenue", "turnover", "revenue of the company")),
            plain("domain", Kind.text, Company.domain, ("domain", "website", "site", "web domain", "web address", "web site", "url", "homepage")),
            plain("phone", Kind.text, Company.phone, ("phone", "phone number")),
            ref("parent", Company.parent_id, _parent.name, "parent", "company", ("parent", "parent company")),
            *owner_fields(Company.owner_id, "owner", (*OWNER_WORDS, "account manager", "account owner")),
            plain("created", Kind.instant, Company.created_at, ("created", "added", "new", "signed up")),
            Field("customer", "customer", Kind.boolean, _is_customer, synonyms=("is a customer",)),
            Field(
                "last_activity",
                "last activity",
                Kind.instant,
                last_activity(Company, Activity.company_id),
                synonyms=("last activity", "last contact", "activity", "touched", "contacted", "heard"),
            ),
        ]
    },
    "company",
    "companies",
    ("company", "account", "organisation", "organization", "firm", "business", "customer", "client"),
    columns=("name", "industry", "region", "employees", "owner"),
)


CONTACT_SHAPE = Shape(
    "contact",
    Contact,
    Contact,
    {**owner_joins(Contact.owner_id), **company_join(Contact.company_id)},
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Contact.id, (), "number"),
            plain("name", Kind.text, Contact.name, ("name", "called", "named")),
            plain("title", Kind.text, Contact.title, ("title", "job title", "role", "position", "job")),
            plain("email", Kind.text, Contact.email, ("email", "mail address", "e mail", "email address")),
            plain(
                "phone",
                Kind.text,
                Contact.phone,
                ("phone", "phone number", "telephone number", "telephone", "mobile", "mobile number", "cell", "number"),
            ),
            choice("city", Contact.city, synonyms=("city",)),
            *[
                replace(item, members=_contact_companies) if item.name == "company" else item
                for item in company_fields(Contact.company_id)
                if item.name != "city"  # a contact has one of its own
            ],
            *owner_fields(Contact.owner_id, "owner", OWNER_WORDS),
            Field(
                "deal_role",
                "role in deals",
                Kind.choice,
                None,
                synonyms=("role in deals", "deal role", "buying role"),
                members=_contact_roles,
                picklist=("deal", "contact_role"),
            ),
            plain("consent_email", Kind.boolean, Contact.consent_email, ("email consent", "opted in", "mail consent")),
            plain("consent_phone", Kind.boolean, Contact.consent_phone, ("phone consent", "call consent")),
            plain("created", Kind.instant, Contact.created_at, ("created", "added", "new")),
            Field(
                "last_activity",
                "last activity",
                Kind.instant,
                last_activity(Contact, Activity.contact_id),
                synonyms=("last activity", "last contact", "activity", "touched", "contacted", "heard"),
            ),
        ]
    },
    "contact",
    "contacts",
    ("contact", "person", "people", "stakeholder"),
    columns=("name", "title", "company", "email", "phone"),
)


LEAD_SHAPE = Shape(
    "lead",
    Lead,
    Lead,
    owner_joins(Lead.owner_id),
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Lead.id, (), "number"),
            plain("name", Kind.text, Lead.name, ("name", "called", "named")),
            plain("company_name", Kind.text, Lead.company_name, ("company name",)),
            plain("email", Kind.text, Lead.email, ("email",)),
            plain("phone", Kind.text, Lead.phone, ("phone",)),
            choice("source", Lead.source, picklist=("lead", "source"), synonyms=("source", "lead source", "channel", "origin")),
            choice("status", Lead.status, picklist=("lead", "status"), synonyms=("status", "state")),
            choice("region", Lead.region, picklist=("company", "region"), synonyms=("region", "territory")),
            *owner_fields(Lead.owner_id, "owner", OWNER_WORDS),
            plain("created", Kind.instant, Lead.created_at, (*CREATED_WORDS, "received")),
            plain("converted", Kind.instant, Lead.converted_at, ("converted",)),
            plain("first_response", Kind.instant, Lead.first_response_at, ("first response", "responded", "contacted", "answered"), "first response"),
        ]
    },
    "lead",
    "leads",
    ("lead", "prospect", "inquiry", "enquiry"),
    columns=("name", "company_name", "status", "source", "owner", "created"),
    order=("created", True),
)


USER_SHAPE = Shape(
    "user",
    User,
    User,
    {"team": Join(Team, User.team_id == Team.id)},
    {
        item.name: item
        for item in [
            plain("id", Kind.number, User.id, (), "number"),
            plain("name", Kind.text, User.name, ("name",)),
            plain("email", Kind.text, User.email, ("email",)),
            choice("role", User.role, choices=("readonly", "rep", "manager", "admin"), synonyms=("role",)),
            ref("team", User.team_id, Team.name, "team", "team", ("team",)),
            plain("active", Kind.boolean, User.active, ("active",)),
            plain("created", Kind.instant, User.created_at, ("created", "joined")),
        ]
    },
    "user",
    "users",
    ("user", "colleague", "team member", "sales rep", "rep"),
    columns=("name", "email", "role", "team"),
)
