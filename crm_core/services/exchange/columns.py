"""The columns of each file, as documented, and what tells rows without an id apart."""

from __future__ import annotations

#: Our columns of each file; docs/import.md explains them and a test keeps that complete.
COLUMNS: dict[str, tuple[str, ...]] = {
    "users": ("external_id", "name", "email", "role", "team"),
    "companies": (
        "external_id",
        "name",
        "domain",
        "phone",
        "industry",
        "region",
        "country",
        "city",
        "employees",
        "annual_revenue",
        "parent",
        "owner",
        "created_on",
    ),
    "contacts": ("external_id", "name", "title", "email", "phone", "city", "company", "owner", "consent_email", "consent_phone", "created_on"),
    "products": ("external_id", "name", "code", "family", "price", "currency"),
    "leads": (
        "external_id",
        "name",
        "company_name",
        "title",
        "email",
        "phone",
        "source",
        "status",
        "region",
        "owner",
        "created_on",
        "first_response_on",
    ),
    "deals": (
        "external_id",
        "name",
        "company",
        "pipeline",
        "stage",
        "amount",
        "currency",
        "expected_close_on",
        "closed_on",
        "created_on",
        "forecast_category",
        "source",
        "loss_reason",
        "next_step",
        "owner",
        "product",
        "quantity",
        "contact",
        "contact_role",
    ),
    "tickets": (
        "external_id",
        "subject",
        "description",
        "status",
        "priority",
        "category",
        "company",
        "contact",
        "owner",
        "created_on",
        "first_response_on",
        "resolved_on",
    ),
    "activities": (
        "external_id",
        "kind",
        "subject",
        "body",
        "direction",
        "outcome",
        "occurred_on",
        "due_on",
        "completed_on",
        "duration_minutes",
        "owner",
        "company",
        "contact",
        "deal",
    ),
}


NOUN_OF_FILE = {
    "users": "user",
    "companies": "company",
    "contacts": "contact",
    "products": "product",
    "leads": "lead",
    "deals": "deal",
    "tickets": "ticket",
    "activities": "activity",
}


#: Columns that tell rows without an external id apart, best first.
OWN_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "users": (("email",), ("name",)),
    "companies": (("name",),),
    "contacts": (("email",), ("name", "company")),
    "products": (("code",), ("name",)),
    "leads": (("email",), ("name", "company_name")),
    "deals": (("name", "company"),),
    "tickets": (("subject", "company", "contact", "created_on"),),
    "activities": (("subject", "kind", "occurred_on", "company", "contact", "deal"),),
}


#: Choice fields whose unknown words an import adds to the picklist.
CHOICES = {
    "company": ("industry", "region"),
    "lead": ("source", "status"),
    "deal": ("source", "loss_reason", "forecast_category"),
    "ticket": ("status", "priority", "category"),
    "activity": ("outcome",),
}
