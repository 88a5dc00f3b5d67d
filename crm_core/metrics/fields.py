"""The fields of each noun, declared once: what can be filtered, grouped, sorted, shown and asked for.

A *shape* is a root table with the joins that its fields need. Lists and metrics compile against the same
fields, so a filter means the same in both. Custom fields join the shape at question time, from the database.
``synonyms`` are the words of the trade for a field; the company's own words for its values are data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import InstrumentedAttribute

from crm_core.access import visible
from crm_core.context import Context
from crm_core.database import epoch_seconds
from crm_core.errors import Invalid
from crm_core.metrics.conversion import home_amount
from crm_core.models import (
    NOUNS,
    Activity,
    ActivityParticipant,
    Company,
    Contact,
    CustomField,
    Deal,
    DealContact,
    Employment,
    Lead,
    LineItem,
    Noun,
    Pipeline,
    Product,
    Stage,
    StageEntry,
    Target,
    Team,
    Ticket,
    User,
)

DAY_SECONDS = 86_400
#: A company is a customer for this long after its last won deal; contracts are assumed to run a year.
CUSTOMER_DAYS = 365


class Kind(StrEnum):
    """What a field's values are."""

    ref = "ref"
    choice = "choice"
    text = "text"
    number = "number"
    money = "money"
    day = "day"
    instant = "instant"
    boolean = "boolean"


Expression = Callable[[Context], ColumnElement[Any]]
Membership = Callable[[Context, Sequence[Any]], ColumnElement[bool]]


@dataclass(frozen=True)
class Field:
    """One askable field. ``key`` is the SQL to filter and group by; ``label`` the SQL to show instead.

    ``members`` replaces ``key`` for many-valued fields (a deal's products), which filter but do not group.
    ``target`` names what a ref points at: a noun, or ``team``, ``stage``, ``pipeline``.
    """

    name: str
    title: str
    kind: Kind
    key: Expression | None
    label: Expression | None = None
    joins: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    target: str = ""
    members: Membership | None = None
    choices: tuple[str, ...] = ()
    #: Where the allowed words live: (noun, field) of the picklist.
    picklist: tuple[str, str] | None = None
    unit: str = ""
    custom: bool = False

    @property
    def groupable(self) -> bool:
        """Whether figures can be grouped by it."""
        return self.key is not None and self.kind in (Kind.ref, Kind.choice, Kind.boolean)

    @property
    def is_time(self) -> bool:
        """Whether it holds a day or an instant."""
        return self.kind in (Kind.day, Kind.instant)


@dataclass(frozen=True)
class Join:
    """A left join; ``needs`` are joins that must come first."""

    target: Any
    on: ColumnElement[bool]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shape:
    """A root table, the noun whose rights guard it, its joins and fields, and how its rows are shown."""

    name: str
    root: Any
    noun: type[Noun]
    joins: dict[str, Join]
    fields: dict[str, Field]
    title: str
    plural: str
    synonyms: tuple[str, ...] = ()
    #: Joins that are always needed (to reach the guarded noun).
    base_joins: tuple[str, ...] = ()
    #: Columns of a list by default, and its default order.
    columns: tuple[str, ...] = ()
    order: tuple[str, bool] = ("name", False)
    #: The time field meant by "this month" where a question does not say which.
    time: str = "created"
    #: SQL of "the caller may read this row" where the root is not the noun's own table.
    guard: Callable[[Context], ColumnElement[bool]] | None = None

    def visible(self, ctx: Context) -> ColumnElement[bool]:
        """SQL of "the caller may read this row and it is not archived"."""
        if self.guard is not None:
            return self.guard(ctx)
        return and_(visible(ctx, self.noun), self.noun.archived_at.is_(None))

    def select_from(self, ctx: Context, statement: Select[Any], needed: Sequence[str]) -> Select[Any]:
        """Add the root and the joins, each once, prerequisites first.

        A joined noun that the caller may not see joins as nothing: its name is not shown, its fields match nothing.
        """
        ordered: list[str] = []

        def visit(name: str) -> None:
            for need in self.joins[name].needs:
                visit(need)
            if name not in ordered:
                ordered.append(name)

        for name in (*self.base_joins, *needed):
            visit(name)
        statement = statement.select_from(self.root)
        for name in ordered:
            join = self.joins[name]
            on = join.on
            model = inspect(join.target).mapper.class_
            if issubclass(model, Noun) and ctx.actor.reads.get(model.__noun__) != "all":
                on = and_(on, visible(ctx, model, entity=join.target))
            statement = statement.outerjoin(join.target, on)
        return statement


def _col(column: Any) -> Expression:
    return lambda _ctx: column


def _ref(name: str, column: Any, label: Any, join: str, target: str, synonyms: tuple[str, ...] = (), title: str = "") -> Field:
    return Field(name, title or name, Kind.ref, _col(column), _col(label), (join,), synonyms, target)


def _choice(
    name: str,
    column: Any,
    *,
    joins: tuple[str, ...] = (),
    synonyms: tuple[str, ...] = (),
    picklist: tuple[str, str] | None = None,
    choices: tuple[str, ...] = (),
    title: str = "",
) -> Field:
    words = title or name.replace("_", " ")
    return Field(name, words, Kind.choice, _col(column), None, joins, synonyms, picklist=picklist, choices=choices)


def _plain(name: str, kind: Kind, column: Any, synonyms: tuple[str, ...] = (), title: str = "", joins: tuple[str, ...] = ()) -> Field:
    return Field(name, title or name.replace("_", " "), kind, _col(column), None, joins, synonyms)


def _days_since(column: Any) -> Expression:
    """Whole days from an instant to now, as SQL."""

    def build(ctx: Context) -> ColumnElement[int]:
        now = int(ctx.now.timestamp())
        return (literal(now, Integer) - epoch_seconds(column)) // literal(DAY_SECONDS, Integer)

    return build


OWNER_WORDS = (
    "rep",
    "owner",
    "salesperson",
    "salespeople",
    "sales people",
    "colleague",
    "team member",
    "sales rep",
    "seller",
    "account executive",
    "ae",
    "agent",
    "person",
)
_ASSIGNEE_WORDS = ("assignee", "agent", "owner", "handler", "person", "rep")
_AUTHOR_WORDS = ("rep", "author", "owner", "assignee", "person", "user", "salesperson")
_COMPANY_WORDS = ("company", "account", "customer", "client", "organisation", "organization")
_CREATED_WORDS = ("created", "opened", "added", "new", "came in", "entered", "started")


def _owner_fields(column: Any, title: str, words: tuple[str, ...]) -> list[Field]:
    return [
        _ref("owner", column, User.name, "owner", "user", words, title),
        _ref("team", User.team_id, Team.name, "team", "team", ("team", "group", "squad", "office")),
    ]


def _owner_joins(column: Any) -> dict[str, Join]:
    return {
        "owner": Join(User, column == User.id),
        "team": Join(Team, User.team_id == Team.id, ("owner",)),
    }


def _company_fields(column: Any) -> list[Field]:
    return [
        _ref("company", column, Company.name, "company", "company", _COMPANY_WORDS),
        _choice("industry", Company.industry, joins=("company",), synonyms=("industry", "sector", "vertical"), picklist=("company", "industry")),
        _choice("region", Company.region, joins=("company",), synonyms=("region", "territory", "area", "geo"), picklist=("company", "region")),
        _choice("country", Company.country, joins=("company",), synonyms=("country",)),
    ]


def _company_join(column: Any) -> dict[str, Join]:
    return {"company": Join(Company, column == Company.id)}


def _deal_products(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return exists().where(LineItem.deal_id == Deal.id, LineItem.product_id.in_(values))


def _deal_contacts(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return exists().where(DealContact.deal_id == Deal.id, DealContact.contact_id.in_(values))


def _last_activity(model: Any, link: Any) -> Expression:
    """The last time that something was said or done about a record, as a correlated subquery."""

    def build(ctx: Context) -> ColumnElement[Any]:
        query = select(func.max(Activity.occurred_at)).where(
            link == model.id, Activity.kind != "task", Activity.archived_at.is_(None), visible(ctx, Activity)
        )
        return query.correlate(model).scalar_subquery()

    return build


_DEAL_FIELDS = [
    _plain("id", Kind.number, Deal.id, (), "number"),
    _plain("name", Kind.text, Deal.name, ("name", "called", "named")),
    *_company_fields(Deal.company_id),
    *_owner_fields(Deal.owner_id, "owner", OWNER_WORDS),
    _ref("pipeline", Deal.pipeline_id, Pipeline.name, "pipeline", "pipeline", ("pipeline", "sales process", "funnel")),
    _ref("stage", Deal.stage_id, Stage.name, "stage", "stage", ("stage", "phase", "step", "pipeline stage")),
    _choice("status", Deal.status, choices=("open", "won", "lost"), synonyms=("status", "state")),
    Field(
        "amount", "amount", Kind.money, lambda ctx: home_amount(ctx, Deal.amount_minor), synonyms=("amount", "value", "worth", "size", "deal size")
    ),
    _choice("currency", Deal.currency, synonyms=("currency",)),
    _plain(
        "expected_close",
        Kind.day,
        Deal.expected_close_on,
        ("close", "closing", "closes", "expected close", "close date", "due", "expected to close", "expected"),
        "expected close",
    ),
    _plain("closed", Kind.instant, Deal.closed_at, ("closed", "closed on", "signed", "won on", "lost on")),
    _plain("created", Kind.instant, Deal.created_at, _CREATED_WORDS),
    _choice(
        "forecast_category",
        Deal.forecast_category,
        picklist=("deal", "forecast_category"),
        synonyms=("forecast category", "forecast", "forecast bucket", "category"),
    ),
    _choice("source", Deal.source, picklist=("deal", "source"), synonyms=("source", "lead source", "channel", "origin")),
    _choice(
        "loss_reason",
        Deal.loss_reason,
        picklist=("deal", "loss_reason"),
        synonyms=("loss reason", "lost reason", "reason", "reason for loss", "why lost"),
    ),
    _plain("next_step", Kind.text, Deal.next_step, ("next step", "next action")),
    Field("product", "product", Kind.ref, None, None, (), ("product", "sku", "item"), "product", _deal_products),
    Field("contact", "contact", Kind.ref, None, None, (), ("contact",), "contact", _deal_contacts),
    Field("age", "age", Kind.number, _days_since(Deal.created_at), unit="days", synonyms=("age", "old")),
    Field(
        "last_activity",
        "last activity",
        Kind.instant,
        _last_activity(Deal, Activity.deal_id),
        synonyms=("last activity", "last contact", "last touched", "activity", "touched", "contacted", "heard"),
    ),
]
_DEAL_JOINS = (
    _company_join(Deal.company_id)
    | _owner_joins(Deal.owner_id)
    | {"pipeline": Join(Pipeline, Deal.pipeline_id == Pipeline.id), "stage": Join(Stage, Deal.stage_id == Stage.id)}
)


def _contact_companies(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return or_(
        Contact.company_id.in_(values),
        exists().where(Employment.contact_id == Contact.id, Employment.company_id.in_(values), Employment.ended_on.is_(None)),
    )


def _activity_contacts(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return or_(
        Activity.contact_id.in_(values),
        exists().where(ActivityParticipant.activity_id == Activity.id, ActivityParticipant.contact_id.in_(values)),
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
_COMPANY_SHAPE = Shape(
    "company",
    Company,
    Company,
    {**_owner_joins(Company.owner_id), "parent": Join(_parent, Company.parent_id == _parent.id)},
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Company.id, (), "number"),
            _plain("name", Kind.text, Company.name, ("name", "called", "named")),
            Field("company", "company", Kind.ref, _col(Company.id), _col(Company.name), (), _COMPANY_WORDS, "company"),
            _choice("industry", Company.industry, synonyms=("industry", "sector", "vertical"), picklist=("company", "industry")),
            _choice("region", Company.region, synonyms=("region", "territory", "area", "geo"), picklist=("company", "region")),
            _choice("country", Company.country, synonyms=("country",)),
            _choice("city", Company.city, synonyms=("city", "town")),
            _plain(
                "employees",
                Kind.number,
                Company.employees,
                ("employees", "employee", "people", "staff", "size", "headcount", "company size", "workforce", "workers"),
            ),
            _plain("annual_revenue", Kind.money, Company.annual_revenue_minor, ("annual revenue", "turnover", "revenue of the company")),
            _plain("domain", Kind.text, Company.domain, ("domain", "website", "site", "web domain", "web address", "web site", "url", "homepage")),
            _plain("phone", Kind.text, Company.phone, ("phone", "phone number")),
            _ref("parent", Company.parent_id, _parent.name, "parent", "company", ("parent", "parent company")),
            *_owner_fields(Company.owner_id, "owner", (*OWNER_WORDS, "account manager", "account owner")),
            _plain("created", Kind.instant, Company.created_at, ("created", "added", "new", "signed up")),
            Field("customer", "customer", Kind.boolean, _is_customer, synonyms=("is a customer",)),
            Field(
                "last_activity",
                "last activity",
                Kind.instant,
                _last_activity(Company, Activity.company_id),
                synonyms=("last activity", "last contact", "activity", "touched", "contacted", "heard"),
            ),
        ]
    },
    "company",
    "companies",
    ("company", "account", "organisation", "organization", "firm", "business", "customer", "client"),
    columns=("name", "industry", "region", "employees", "owner"),
)
_CONTACT_SHAPE = Shape(
    "contact",
    Contact,
    Contact,
    {**_owner_joins(Contact.owner_id), **_company_join(Contact.company_id)},
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Contact.id, (), "number"),
            _plain("name", Kind.text, Contact.name, ("name", "called", "named")),
            _plain("title", Kind.text, Contact.title, ("title", "job title", "role", "position", "job")),
            _plain("email", Kind.text, Contact.email, ("email", "mail address", "e mail", "email address")),
            _plain(
                "phone",
                Kind.text,
                Contact.phone,
                ("phone", "phone number", "telephone number", "telephone", "mobile", "mobile number", "cell", "number"),
            ),
            _choice("city", Contact.city, synonyms=("city",)),
            *[item if item.name != "company" else replace(item, members=_contact_companies) for item in _company_fields(Contact.company_id)],
            *_owner_fields(Contact.owner_id, "owner", OWNER_WORDS),
            Field(
                "deal_role",
                "role in deals",
                Kind.choice,
                None,
                synonyms=("role in deals", "deal role", "buying role"),
                members=_contact_roles,
                picklist=("deal", "contact_role"),
            ),
            _plain("consent_email", Kind.boolean, Contact.consent_email, ("email consent", "opted in", "mail consent")),
            _plain("consent_phone", Kind.boolean, Contact.consent_phone, ("phone consent", "call consent")),
            _plain("created", Kind.instant, Contact.created_at, ("created", "added", "new")),
            Field(
                "last_activity",
                "last activity",
                Kind.instant,
                _last_activity(Contact, Activity.contact_id),
                synonyms=("last activity", "last contact", "activity", "touched", "contacted", "heard"),
            ),
        ]
    },
    "contact",
    "contacts",
    ("contact", "person", "people", "stakeholder"),
    columns=("name", "title", "company", "email", "phone"),
)
_LEAD_SHAPE = Shape(
    "lead",
    Lead,
    Lead,
    _owner_joins(Lead.owner_id),
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Lead.id, (), "number"),
            _plain("name", Kind.text, Lead.name, ("name", "called", "named")),
            _plain("company_name", Kind.text, Lead.company_name, ("company name",)),
            _plain("email", Kind.text, Lead.email, ("email",)),
            _plain("phone", Kind.text, Lead.phone, ("phone",)),
            _choice("source", Lead.source, picklist=("lead", "source"), synonyms=("source", "lead source", "channel", "origin")),
            _choice("status", Lead.status, picklist=("lead", "status"), synonyms=("status", "state")),
            _choice("region", Lead.region, picklist=("company", "region"), synonyms=("region", "territory")),
            *_owner_fields(Lead.owner_id, "owner", OWNER_WORDS),
            _plain("created", Kind.instant, Lead.created_at, (*_CREATED_WORDS, "received")),
            _plain("converted", Kind.instant, Lead.converted_at, ("converted",)),
            _plain(
                "first_response", Kind.instant, Lead.first_response_at, ("first response", "responded", "contacted", "answered"), "first response"
            ),
        ]
    },
    "lead",
    "leads",
    ("lead", "prospect", "inquiry", "enquiry"),
    columns=("name", "company_name", "status", "source", "owner", "created"),
    order=("created", True),
)
_DEAL_SHAPE = Shape(
    "deal",
    Deal,
    Deal,
    _DEAL_JOINS,
    {item.name: item for item in _DEAL_FIELDS},
    "deal",
    "deals",
    ("deal", "opportunity", "oppty", "opp", "sale"),
    columns=("name", "company", "stage", "amount", "expected_close", "owner"),
    order=("amount", True),
    time="expected_close",
)
_TICKET_SHAPE = Shape(
    "ticket",
    Ticket,
    Ticket,
    {**_owner_joins(Ticket.owner_id), **_company_join(Ticket.company_id), "contact": Join(Contact, Ticket.contact_id == Contact.id)},
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Ticket.id, (), "number"),
            _plain("subject", Kind.text, Ticket.subject, ("subject", "about", "name")),
            _choice("status", Ticket.status, picklist=("ticket", "status"), synonyms=("status", "state")),
            _choice("priority", Ticket.priority, picklist=("ticket", "priority"), synonyms=("priority", "urgency", "severity")),
            _choice("category", Ticket.category, picklist=("ticket", "category"), synonyms=("category", "type", "topic", "kind", "ticket category")),
            *_company_fields(Ticket.company_id),
            _ref("contact", Ticket.contact_id, Contact.name, "contact", "contact", ("contact", "requester", "reporter")),
            *_owner_fields(Ticket.owner_id, "assignee", _ASSIGNEE_WORDS),
            _plain("created", Kind.instant, Ticket.created_at, (*_CREATED_WORDS, "raised", "reported", "filed", "received")),
            _plain("resolved", Kind.instant, Ticket.resolved_at, ("resolved", "solved", "closed", "fixed")),
            _plain("first_response", Kind.instant, Ticket.first_response_at, ("first response", "answered"), "first response"),
            Field("age", "age", Kind.number, _days_since(Ticket.created_at), unit="days", synonyms=("age", "old")),
        ]
    },
    "ticket",
    "tickets",
    ("ticket", "case", "support case", "support ticket", "issue", "service case", "support request", "customer request"),
    columns=("subject", "company", "status", "priority", "owner", "created"),
    order=("created", True),
)
_ACTIVITY_SHAPE = Shape(
    "activity",
    Activity,
    Activity,
    {
        **_owner_joins(Activity.owner_id),
        **_company_join(Activity.company_id),
        "contact": Join(Contact, Activity.contact_id == Contact.id),
        "deal": Join(Deal, Activity.deal_id == Deal.id),
    },
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Activity.id, (), "number"),
            _choice(
                "kind",
                Activity.kind,
                choices=("call", "email", "meeting", "note", "task"),
                synonyms=("kind", "type", "activity type", "activity kind"),
            ),
            _plain("subject", Kind.text, Activity.subject, ("subject", "about", "name")),
            _choice("direction", Activity.direction, choices=("inbound", "outbound"), synonyms=("direction",)),
            _choice("outcome", Activity.outcome, picklist=("activity", "outcome"), synonyms=("outcome", "result")),
            *_company_fields(Activity.company_id),
            replace(_ref("contact", Activity.contact_id, Contact.name, "contact", "contact", ("contact",)), members=_activity_contacts),
            _ref("deal", Activity.deal_id, Deal.name, "deal", "deal", ("deal", "opportunity")),
            *_owner_fields(Activity.owner_id, "owner", _AUTHOR_WORDS),
            _plain(
                "occurred",
                Kind.instant,
                Activity.occurred_at,
                ("occurred", "held", "made", "logged", "happened", "sent", "took place", "had", "did", "done"),
            ),
            _plain("due", Kind.day, Activity.due_on, ("due", "due date", "deadline")),
            _plain("completed", Kind.instant, Activity.completed_at, ("completed", "done", "finished")),
            _plain("duration", Kind.number, Activity.duration_minutes, ("duration", "length", "minutes")),
        ]
    },
    "activity",
    "activities",
    ("activity", "interaction", "conversation", "discussion", "touch", "touchpoint", "engagement"),
    columns=("occurred", "kind", "subject", "company", "contact", "owner"),
    order=("occurred", True),
    time="occurred",
)
_PRODUCT_SHAPE = Shape(
    "product",
    Product,
    Product,
    {},
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, Product.id, (), "number"),
            _plain("name", Kind.text, Product.name, ("name",)),
            _plain("code", Kind.text, Product.code, ("code", "sku")),
            _choice("family", Product.family, synonyms=("family", "product family", "product line", "series")),
            _plain("active", Kind.boolean, Product.active, ("active",)),
            _plain("created", Kind.instant, Product.created_at, ("created", "added")),
        ]
    },
    "product",
    "products",
    ("product", "sku", "item in the catalogue"),
    columns=("name", "code", "family"),
)
_USER_SHAPE = Shape(
    "user",
    User,
    User,
    {"team": Join(Team, User.team_id == Team.id)},
    {
        item.name: item
        for item in [
            _plain("id", Kind.number, User.id, (), "number"),
            _plain("name", Kind.text, User.name, ("name",)),
            _plain("email", Kind.text, User.email, ("email",)),
            _choice("role", User.role, choices=("readonly", "rep", "manager", "admin"), synonyms=("role",)),
            _ref("team", User.team_id, Team.name, "team", "team", ("team",)),
            _plain("active", Kind.boolean, User.active, ("active",)),
            _plain("created", Kind.instant, User.created_at, ("created", "joined")),
        ]
    },
    "user",
    "users",
    ("user", "colleague", "team member", "sales rep", "rep"),
    columns=("name", "email", "role", "team"),
)


def _visible_target(ctx: Context) -> ColumnElement[bool]:
    """Targets follow the rights on deals: whose deals one sees, their target one sees."""
    scope = ctx.actor.reads.get("deal", "none")
    if scope == "all":
        return true()
    people = {"team": ctx.actor.member_ids, "own": (ctx.actor.user_id,)}.get(scope, ())
    return Target.user_id.in_(people)


_entry_stage = aliased(Stage, name="entry_stage")
_family = _choice(
    "product_family", Product.family, joins=("product",), synonyms=("product family", "family", "product line", "series"), title="product family"
)

#: The noun shapes, by noun: what lists are made of.
NOUN_SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        _COMPANY_SHAPE,
        _CONTACT_SHAPE,
        _LEAD_SHAPE,
        _DEAL_SHAPE,
        _TICKET_SHAPE,
        _ACTIVITY_SHAPE,
        _PRODUCT_SHAPE,
        _USER_SHAPE,
    )
}
#: Further shapes that only metrics stand on.
FACT_SHAPES: dict[str, Shape] = NOUN_SHAPES | {
    "line_item": replace(
        _DEAL_SHAPE,
        name="line_item",
        root=LineItem,
        base_joins=("deal",),
        joins={
            "deal": Join(Deal, LineItem.deal_id == Deal.id),
            **{name: replace(join, needs=("deal", *join.needs)) for name, join in _DEAL_JOINS.items()},
            "product": Join(Product, LineItem.product_id == Product.id),
        },
        fields=_DEAL_SHAPE.fields
        | {
            "product": _ref("product", LineItem.product_id, Product.name, "product", "product", ("product", "sku", "item")),
            "product_family": _family,
        },
    ),
    "stage_entry": replace(
        _DEAL_SHAPE,
        name="stage_entry",
        root=StageEntry,
        base_joins=("deal", "entry_stage"),
        joins={
            "deal": Join(Deal, StageEntry.deal_id == Deal.id),
            "entry_stage": Join(_entry_stage, StageEntry.stage_id == _entry_stage.id),
            **{name: replace(join, needs=("deal", *join.needs)) for name, join in _DEAL_JOINS.items()},
        },
        fields=_DEAL_SHAPE.fields
        | {
            "stage": _ref("stage", StageEntry.stage_id, _entry_stage.name, "entry_stage", "stage", ("stage", "phase", "step")),
            "entered": _plain("entered", Kind.instant, StageEntry.entered_at, ("entered",)),
        },
    ),
    "target": Shape(
        "target",
        Target,
        User,
        _owner_joins(Target.user_id),
        {item.name: item for item in _owner_fields(Target.user_id, "owner", OWNER_WORDS)},
        "target",
        "targets",
        ("target", "quota", "goal"),
        base_joins=("owner",),
        guard=lambda ctx: _visible_target(ctx),
    ),
}
ENTRY_STAGE = _entry_stage


def shape_for(ctx: Context, name: str) -> Shape:
    """A shape with the company's custom fields added; raises ``Invalid`` for an unknown name."""
    shape = FACT_SHAPES.get(name)
    if shape is None:
        raise Invalid(f"There is no record kind '{name}'; use one of {', '.join(NOUN_SHAPES)}.")
    custom = dict(custom_fields(ctx, shape.noun))
    if "company" in shape.joins:  # a company's own fields split and filter what belongs to it, too
        for name, item in custom_fields(ctx, Company).items():
            if item.groupable and name not in shape.fields:
                custom.setdefault(name, replace(item, joins=("company",)))
    return replace(shape, fields=shape.fields | custom) if custom else shape


def custom_fields(ctx: Context, model: type[Noun]) -> dict[str, Field]:
    """Askable fields made of the company's custom fields of one noun, by key."""
    known: dict[str, dict[str, Field]] = ctx.session.info.setdefault("custom_fields", {})
    if not known:
        for row in ctx.session.scalars(select(CustomField).order_by(CustomField.id)):
            known.setdefault(row.noun, {})[row.key] = _custom_field(row)
        known.setdefault("", {})
    return known.get(model.__noun__, {})


def _custom_field(row: CustomField) -> Field:
    column: InstrumentedAttribute[Any] = NOUNS[row.noun].custom
    value = column[row.key]
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
        _col(expression),
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
