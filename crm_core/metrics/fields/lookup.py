"""Shapes and fields by name, with the company's own fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, select
from sqlalchemy.orm.attributes import InstrumentedAttribute

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.fields.columns import fixed
from crm_core.metrics.fields.facts import FACT_SHAPES
from crm_core.metrics.fields.parties import COMPANY_SHAPE, CONTACT_SHAPE, LEAD_SHAPE, USER_SHAPE
from crm_core.metrics.fields.shape import Field, Kind, Shape
from crm_core.metrics.fields.work import ACTIVITY_SHAPE, DEAL_SHAPE, PRODUCT_SHAPE, TICKET_SHAPE
from crm_core.models import NOUNS, Company, CustomField, Noun, Ticket

#: The noun shapes, by noun: what lists are made of.
NOUN_SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        COMPANY_SHAPE,
        CONTACT_SHAPE,
        LEAD_SHAPE,
        DEAL_SHAPE,
        TICKET_SHAPE,
        ACTIVITY_SHAPE,
        PRODUCT_SHAPE,
        USER_SHAPE,
    )
}


def shape_for(ctx: Context, name: str) -> Shape:
    """A shape with the company's custom fields added; raises ``Invalid`` for an unknown name."""
    shape = NOUN_SHAPES.get(name) or FACT_SHAPES.get(name)
    if shape is None:
        raise Invalid(f"There is no record kind '{name}'; use one of {', '.join(NOUN_SHAPES)}.")
    custom = dict(custom_fields(ctx, shape.noun))
    if "company" in shape.joins:  # a company's own fields split and filter what belongs to it, too
        for name, item in custom_fields(ctx, Company).items():
            if item.groupable and name not in shape.fields:
                custom.setdefault(name, replace(item, joins=("company",)))
    return replace(shape, fields=custom | shape.fields) if custom else shape


def custom_fields(ctx: Context, model: type[Noun]) -> dict[str, Field]:
    """Askable fields made of the company's custom fields of one noun, by key."""
    known: dict[str, dict[str, Field]] = ctx.session.info.setdefault("custom_fields", {})
    if not known:
        columns = (CustomField.noun, CustomField.key, CustomField.label, CustomField.kind, CustomField.choices, CustomField.synonyms)
        for row in ctx.session.execute(select(*columns).order_by(CustomField.id)):
            known.setdefault(row.noun, {})[row.key] = _custom_field(row)
        known.setdefault("", {})
    return known.get(model.__noun__, {})


def _custom_field(row: Any) -> Field:
    stored: InstrumentedAttribute[Any] = NOUNS[row.noun].custom
    value = stored[row.key]
    kind = {"text": Kind.text, "number": Kind.number, "money": Kind.money, "date": Kind.day, "choice": Kind.choice, "boolean": Kind.boolean}[row.kind]
    expression: ColumnElement[Any]
    if row.kind == "number":
        expression = value.as_float()
    elif row.kind == "money":
        expression = cast(value.as_string(), BigInteger)
    elif row.kind == "boolean":
        expression = value.as_boolean()
    else:
        expression = value.as_string()
    return Field(
        row.key,
        row.label,
        kind,
        fixed(expression),
        None,
        (),
        (row.label.lower(), *row.synonyms),
        custom=True,
        choices=tuple(row.choices),
    )


def field_of(shape: Shape, name: str) -> Field:
    """The field by name or by one of its words; raises ``Invalid`` that lists what there is."""
    wanted = name.strip().lower()
    if wanted in shape.fields:
        return shape.fields[wanted]
    for item in shape.fields.values():
        if wanted == item.title or wanted in item.synonyms:
            return item
    raise Invalid(f"A {shape.title} has no field '{name}'; it has {', '.join(sorted(shape.fields))}.")


def priority_rank(words: Sequence[str]) -> ColumnElement[int]:
    """SQL that ranks ticket priorities in the order of the company's picklist."""
    return case({word: index for index, word in enumerate(words)}, value=Ticket.priority, else_=len(words))
