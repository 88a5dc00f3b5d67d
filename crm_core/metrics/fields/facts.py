"""Tables that only metrics stand on: line items, stays in a stage, targets."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import aliased

from crm_core.context import Context
from crm_core.metrics.fields.columns import OWNER_WORDS, choice, owner_fields, owner_joins, plain, ref
from crm_core.metrics.fields.shape import Join, Kind, Shape
from crm_core.metrics.fields.work import DEAL_JOINS, DEAL_SHAPE
from crm_core.models import Deal, LineItem, Product, Stage, StageEntry, Target, User


def _visible_target(ctx: Context) -> ColumnElement[bool]:
    """Targets follow the rights on deals: whose deals one sees, their target one sees."""
    scope = ctx.actor.reads.get("deal", "none")
    if scope == "all":
        return true()
    people = {"team": ctx.actor.member_ids, "own": (ctx.actor.user_id,)}.get(scope, ())
    return Target.user_id.in_(people)


ENTRY_STAGE = aliased(Stage, name="entry_stage")


_family = choice(
    "product_family", Product.family, joins=("product",), synonyms=("product family", "family", "product line", "series"), title="product family"
)


#: Further shapes that only metrics stand on.
FACT_SHAPES: dict[str, Shape] = {
    "line_item": replace(
        DEAL_SHAPE,
        name="line_item",
        root=LineItem,
        base_joins=("deal",),
        joins={
            "deal": Join(Deal, LineItem.deal_id == Deal.id),
            **{name: replace(join, needs=("deal", *join.needs)) for name, join in DEAL_JOINS.items()},
            "product": Join(Product, LineItem.product_id == Product.id),
        },
        fields=DEAL_SHAPE.fields
        | {
            "product": ref("product", LineItem.product_id, Product.name, "product", "product", ("product", "sku", "item")),
            "product_family": _family,
        },
    ),
    "stage_entry": replace(
        DEAL_SHAPE,
        name="stage_entry",
        root=StageEntry,
        base_joins=("deal", "entry_stage"),
        joins={
            "deal": Join(Deal, StageEntry.deal_id == Deal.id),
            "entry_stage": Join(ENTRY_STAGE, StageEntry.stage_id == ENTRY_STAGE.id),
            **{name: replace(join, needs=("deal", *join.needs)) for name, join in DEAL_JOINS.items()},
        },
        fields=DEAL_SHAPE.fields
        | {
            "stage": ref("stage", StageEntry.stage_id, ENTRY_STAGE.name, "entry_stage", "stage", ("stage", "phase", "step")),
            "entered": plain("entered", Kind.instant, StageEntry.entered_at, ("entered",)),
        },
    ),
    "target": Shape(
        "target",
        Target,
        User,
        owner_joins(Target.user_id),
        {item.name: item for item in owner_fields(Target.user_id, "owner", OWNER_WORDS)},
        "target",
        "targets",
        ("target", "quota", "goal"),
        base_joins=("owner",),
        guard=lambda ctx: _visible_target(ctx),
    ),
}
