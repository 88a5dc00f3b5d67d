"""The closed list of all that the product can do; agent tools, commands and completeness tests are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from inspect import signature
from typing import Any, get_type_hints

from pydantic import BaseModel, Field

from crm_core.context import Context
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.listing import ListPage, ListQuestion, ListResult, list_records, rows_behind
from crm_core.metrics.movement import pipeline_movement
from crm_core.metrics.query import ask
from crm_core.metrics.question import MetricQuestion, MetricResult
from crm_core.services import (
    activities,
    change_sets,
    companies,
    contacts,
    deals,
    history,
    leads,
    products,
    records,
    search,
    tickets,
    users,
    words,
)
from crm_core.services.records import Args, RecordRef, View, model_of


class Effect(StrEnum):
    """What a capability does to the world."""

    read = "read"
    write = "write"
    destructive = "destructive"
    admin = "admin"


@dataclass(frozen=True)
class Capability:
    """One verb or number: its function, effect, and the argument model taken from the function's signature."""

    function: Callable[..., Any]
    effect: Effect

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def description(self) -> str:
        """The function's docstring, whole."""
        return " ".join((self.function.__doc__ or "").split())

    @property
    def arguments(self) -> type[BaseModel]:
        """The argument model."""
        return arguments_of(self.function)


def arguments_of(function: Callable[..., Any]) -> type[BaseModel]:
    """The argument model of a verb, from its signature ``verb(ctx, args)``."""
    name = list(signature(function).parameters)[1]
    model = get_type_hints(function)[name]
    assert isinstance(model, type) and issubclass(model, BaseModel)
    return model


class BehindFigure(Args):
    """A figure's question, and which of its rows to show."""

    question: MetricQuestion = Field(description="The question that gave the figure.")
    limit: int = Field(default=25, ge=1, le=200, description="Rows to show.")
    offset: int = Field(default=0, ge=0, description="Rows to skip.")
    order_by: str | None = Field(default=None, description="Field to sort by, such as 'amount'.")
    descending: bool = Field(default=False, description="Largest or latest first.")


class MetricInfo(BaseModel):
    """A metric and what it means."""

    name: str
    title: str
    meaning: str
    unit: str


class DescribeMetrics(Args):
    """Which metrics to describe."""

    names: list[str] = Field(default_factory=list, description="Metric names; all where left out.")


def ask_metric(ctx: Context, question: MetricQuestion) -> MetricResult:
    """Compute a figure exactly over everything the caller may see, such as won_value by owner in Q3.

    Raises Invalid for an unknown metric, field or value.
    """
    return ask(ctx, question)


def list_matching(ctx: Context, question: ListQuestion) -> ListResult:
    """List records that match conditions, such as open deals over 20000 closing this month; says how many in all."""
    return list_records(ctx, question)


def show_rows(ctx: Context, args: BehindFigure) -> ListResult:
    """List the records behind a figure: same rights, filters and period."""
    return rows_behind(ctx, args.question, ListPage(limit=args.limit, offset=args.offset, order_by=args.order_by, descending=args.descending))


def describe_metrics(ctx: Context, args: DescribeMetrics) -> list[MetricInfo]:
    """Say what the metrics mean and what they are measured in."""
    wanted = args.names or list(METRICS)
    return [
        MetricInfo(name=item.name, title=item.title, meaning=item.meaning, unit=item.unit.value) for item in METRICS.values() if item.name in wanted
    ]


def get_record(ctx: Context, args: RecordRef) -> View:
    """Read one record of any noun with everything on file about it."""
    model_of(args.noun)
    function, arguments = _READERS[args.noun]
    view: View = function(ctx, arguments(id=args.id))
    return view


_READERS: dict[str, tuple[Callable[..., Any], type[Any]]] = {
    "company": (companies.get_company, companies.GetCompany),
    "contact": (contacts.get_contact, contacts.GetContact),
    "lead": (leads.get_lead, leads.GetLead),
    "deal": (deals.get_deal, deals.GetDeal),
    "ticket": (tickets.get_ticket, tickets.GetTicket),
    "activity": (activities.get_activity, activities.GetActivity),
    "product": (products.get_product, products.GetProduct),
    "user": (users.get_user, users.GetUser),
}

CATALOG: dict[str, Capability] = {
    capability.name: capability
    for capability in (
        Capability(ask_metric, Effect.read),
        Capability(list_matching, Effect.read),
        Capability(show_rows, Effect.read),
        Capability(describe_metrics, Effect.read),
        Capability(get_record, Effect.read),
        Capability(search.find_records, Effect.read),
        Capability(activities.timeline, Effect.read),
        Capability(pipeline_movement, Effect.read),
        Capability(history.record_history, Effect.read),
        Capability(companies.create_company, Effect.write),
        Capability(companies.update_company, Effect.write),
        Capability(contacts.create_contact, Effect.write),
        Capability(contacts.update_contact, Effect.write),
        Capability(leads.create_lead, Effect.write),
        Capability(leads.update_lead, Effect.write),
        Capability(leads.convert_lead, Effect.write),
        Capability(deals.create_deal, Effect.write),
        Capability(deals.update_deal, Effect.write),
        Capability(deals.move_deal, Effect.write),
        Capability(deals.win_deal, Effect.write),
        Capability(deals.lose_deal, Effect.write),
        Capability(deals.reopen_deal, Effect.write),
        Capability(deals.set_deal_contact, Effect.write),
        Capability(deals.add_line_item, Effect.write),
        Capability(tickets.create_ticket, Effect.write),
        Capability(tickets.update_ticket, Effect.write),
        Capability(tickets.answer_ticket, Effect.write),
        Capability(tickets.resolve_ticket, Effect.write),
        Capability(activities.log_activity, Effect.write),
        Capability(activities.add_task, Effect.write),
        Capability(activities.update_activity, Effect.write),
        Capability(activities.complete_task, Effect.write),
        Capability(records.reassign, Effect.write),
        Capability(records.archive_record, Effect.destructive),
        Capability(records.restore_record, Effect.write),
        Capability(change_sets.undo_change, Effect.write),
        Capability(words.teach_word, Effect.write),
        Capability(words.forget_word, Effect.write),
        Capability(products.create_product, Effect.admin),
        Capability(products.update_product, Effect.admin),
        Capability(products.set_price, Effect.admin),
        Capability(users.create_user, Effect.admin),
        Capability(users.update_user, Effect.admin),
        Capability(users.set_grant, Effect.admin),
    )
}
#: The verbs that change something: those that rules of the policy may name.
CHANGES = frozenset(name for name, capability in CATALOG.items() if capability.effect is not Effect.read)
