"""Typed factories of test data, and the small company that most tests work in.

A ``Maker`` adds records through the ORM in the caller's unit of work, so that events, stage history and search
keys come about as in the product. Its randomness is seeded: the same seed makes the same records. All names,
addresses and numbers are fictional.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine

import crm_core.services.search  # noqa: F401 - registers the keepers of search keys and chunks
from crm_core.access import Actor, load_actor, system_actor
from crm_core.context import Context, unit_of_work
from crm_core.models import (
    Activity,
    ActivityParticipant,
    Base,
    Company,
    Contact,
    CustomField,
    Deal,
    DealContact,
    Employment,
    ExchangeRate,
    Lead,
    LineItem,
    PicklistValue,
    Pipeline,
    Price,
    Product,
    Stage,
    Target,
    Team,
    Ticket,
    User,
)
from crm_core.services.setup import Conventions

#: The clock of the tests: a Wednesday, 11:30 in Berlin.
NOW = datetime(2026, 8, 12, 9, 30, tzinfo=UTC)
TODAY = date(2026, 8, 12)
#: The fiscal quarter that holds it (the fiscal year starts in April).
QUARTER = (date(2026, 7, 1), date(2026, 10, 1))
CONVENTIONS = Conventions(name="Lantern Works", home_currency="USD", timezone="Europe/Berlin", fiscal_start_month=4, phone_region="US")

#: (name, probability, kind) of the usual and of the unusual pipeline.
NEW_BUSINESS = (
    ("Sniff test", 10, "open"),
    ("Coffee & cake", 35, "open"),
    ("Haggling", 70, "open"),
    ("Champagne", 100, "won"),
    ("Ghosted", 0, "lost"),
)
RENEWALS = (
    ("Reminder sent", 50, "open"),
    ("Verbal yes", 90, "open"),
    ("Renewed", 100, "won"),
    ("Lapsed", 0, "lost"),
)
PICKLISTS: dict[tuple[str, str], tuple[tuple[str, str | None], ...]] = {
    ("company", "industry"): (("Lighthouses", None), ("Cheese", None), ("Robotics", None)),
    ("company", "region"): (("North", None), ("South", None), ("Islands", None)),
    ("deal", "source"): (("Word of mouth", None), ("Trade fair", None), ("Website", None)),
    ("deal", "loss_reason"): (("Too dear", None), ("No reply", None), ("Went with a rival", None)),
    ("deal", "forecast_category"): (
        ("Sure thing", "commit"),
        ("Sunny", "best_case"),
        ("Maybe", "pipeline"),
        ("Forget it", "omitted"),
    ),
    ("lead", "status"): (("Fresh", "open"), ("Nurtured", "open"), ("Became customer", "converted"), ("Dead", "closed")),
    ("lead", "source"): (("Word of mouth", None), ("Trade fair", None)),
    ("ticket", "status"): (("On the bench", "open"), ("Waiting", "open"), ("Fixed", "resolved")),
    ("ticket", "priority"): (("Whisper", None), ("Loud", None), ("On fire", None)),
    ("ticket", "category"): (("Wiring", None), ("Billing", None)),
    ("activity", "outcome"): (("Reached", None), ("Left word", None)),
}
_FIRST = ("Ada", "Bruno", "Chiara", "Dmitri", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaia", "Luis")
_LAST = ("Abelard", "Birchwood", "Castellan", "Dunmore", "Eastlake", "Farrow", "Greenhalgh", "Holloway", "Ibsen")
_FIRM = ("Amber", "Basalt", "Cobalt", "Dune", "Ember", "Fjord", "Granite", "Harbour", "Indigo", "Juniper")
_KIND = ("Dairy", "Beacons", "Automata", "Freight", "Optics", "Tools")

R = TypeVar("R", bound=Base)


@dataclass
class Maker:
    """Adds records in one unit of work; fields that a test does not name get plausible, seeded values."""

    ctx: Context
    seed: int = 7
    random: random.Random = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def _add(self, record: R) -> R:
        self.ctx.session.add(record)
        self.ctx.session.flush()
        return record

    def _times(self, given: Mapping[str, Any]) -> dict[str, Any]:
        created = given.get("created_at") or self.ctx.now - timedelta(days=self.random.randint(1, 300))
        return {"created_at": created, "updated_at": created, **given}

    def _number(self) -> int:
        self.count += 1
        return self.count

    def person(self) -> str:
        """A person's name."""
        return f"{self.random.choice(_FIRST)} {self.random.choice(_LAST)}"

    def firm(self) -> str:
        """A company's name."""
        return f"{self.random.choice(_FIRM)} {self.random.choice(_KIND)}"

    def team(self, name: str, parent: Team | None = None) -> Team:
        """A team, under ``parent`` where given."""
        return self._add(Team(name=name, parent_id=parent.id if parent else None))

    def user(self, name: str, role: str = "rep", team: Team | None = None, **fields: Any) -> User:
        """A user whose address is made from the first name."""
        address = f"{name.split()[0].lower()}@lantern.test"
        return self._add(
            User(
                **self._times(
                    {
                        "name": name,
                        "email": address,
                        "role": role,
                        "team_id": team.id if team else None,
                        "custom": {},
                        **fields,
                    }
                )
            )
        )

    def pipeline(self, name: str, stages: Sequence[tuple[str, int, str]], position: int = 0) -> Pipeline:
        """A pipeline of (name, probability, kind) stages."""
        pipeline = self._add(Pipeline(name=name, position=position))
        for place, (title, probability, kind) in enumerate(stages):
            self._add(Stage(pipeline_id=pipeline.id, name=title, position=place, probability=probability, kind=kind))
        self.ctx.session.expire(pipeline, ["stages"])
        return pipeline

    def picklists(self, lists: Mapping[tuple[str, str], Sequence[tuple[str, str | None]]] = PICKLISTS) -> None:
        """The company's words: (noun, field) -> (value, kind)."""
        for (noun, name), values in lists.items():
            for place, (value, kind) in enumerate(values):
                self._add(PicklistValue(noun=noun, field=name, value=value, kind=kind, position=place, synonyms=[]))

    def custom_field(self, noun: str, key: str, kind: str, choices: Sequence[str] = ()) -> CustomField:
        """A custom field, labelled by its key."""
        label = key.replace("_", " ").capitalize()
        return self._add(CustomField(noun=noun, key=key, label=label, kind=kind, choices=list(choices), synonyms=[]))

    def rate(self, currency: str, micro: int, day: date) -> ExchangeRate:
        """An exchange rate from a day on."""
        return self._add(ExchangeRate(currency=currency, micro=micro, day=day))

    def company(self, owner: User | None = None, **fields: Any) -> Company:
        """A company."""
        number = self._number()
        values = {
            "name": f"{self.firm()} {number}",
            "domain": f"firm{number}.example",
            "custom": {},
            "industry": self.random.choice(["Lighthouses", "Cheese", "Robotics"]),
            "region": self.random.choice(["North", "South", "Islands"]),
            "employees": self.random.randint(1, 900),
        }
        return self._add(Company(**self._times({**values, "owner_id": owner.id if owner else None, **fields})))

    def contact(self, owner: User | None = None, company: Company | None = None, **fields: Any) -> Contact:
        """A person, employed by ``company`` where given."""
        number = self._number()
        values = {
            "name": self.person(),
            "email": f"person{number}@firm{number}.example",
            "custom": {},
            "title": self.random.choice(["Buyer", "Head of Sparks", None]),
            "company_id": company.id if company else None,
            "owner_id": owner.id if owner else None,
        }
        record = self._add(Contact(**self._times({**values, **fields})))
        if company is not None:
            self._add(Employment(contact_id=record.id, company_id=company.id, started_on=record.created_at.date()))
        return record

    def lead(self, owner: User | None = None, **fields: Any) -> Lead:
        """A lead, fresh unless told otherwise."""
        number = self._number()
        values = {
            "name": self.person(),
            "email": f"lead{number}@newcomer.example",
            "company_name": self.firm(),
            "status": "Fresh",
            "source": "Trade fair",
            "custom": {},
            "owner_id": owner.id if owner else None,
        }
        return self._add(Lead(**self._times({**values, **fields})))

    def deal(self, stage: Stage, owner: User | None = None, company: Company | None = None, **fields: Any) -> Deal:
        """A deal in a stage; in a closing stage it is closed some days after it was made."""
        values = self._times(
            {
                "name": f"{self.firm()} order {self._number()}",
                "amount_minor": self.random.randint(1, 9_000_000),
                "currency": "USD",
                "custom": {},
                "company_id": company.id if company else None,
                "owner_id": owner.id if owner else None,
                "pipeline_id": stage.pipeline_id,
                "stage_id": stage.id,
                "status": stage.kind,
                "expected_close_on": TODAY + timedelta(days=self.random.randint(-40, 90)),
                **fields,
            }
        )
        if stage.kind != "open" and "closed_at" not in values:
            values["closed_at"] = values["created_at"] + (self.ctx.now - values["created_at"]) * self.random.random()
        return self._add(Deal(**values))

    def deal_contact(self, deal: Deal, contact: Contact, role: str = "champion") -> DealContact:
        """A person's part in a deal."""
        return self._add(DealContact(deal_id=deal.id, contact_id=contact.id, role=role))

    def product(self, name: str, code: str | None = None, prices: Mapping[str, int] | None = None, **fields: Any) -> Product:
        """A product with list prices in minor units, valid for long."""
        record = self._add(Product(**self._times({"name": name, "code": code, "custom": {}, **fields})))
        for currency, minor in (prices or {}).items():
            self._add(Price(product_id=record.id, currency=currency, amount_minor=minor, valid_from=date(2020, 1, 1)))
        return record

    def line_item(self, deal: Deal, product: Product, quantity: int = 1, unit_minor: int = 1000) -> LineItem:
        """A product in a deal."""
        return self._add(
            LineItem(
                deal_id=deal.id,
                product_id=product.id,
                quantity=quantity,
                unit_price_minor=unit_minor,
                total_minor=unit_minor * quantity,
            )
        )

    def ticket(self, owner: User | None = None, company: Company | None = None, **fields: Any) -> Ticket:
        """An open ticket."""
        values = {
            "subject": f"Lamp {self._number()} flickers",
            "description": "It goes off at dusk.",
            "status": "On the bench",
            "priority": "Loud",
            "custom": {},
            "company_id": company.id if company else None,
            "owner_id": owner.id if owner else None,
        }
        return self._add(Ticket(**self._times({**values, **fields})))

    def activity(self, owner: User | None = None, kind: str = "call", **fields: Any) -> Activity:
        """Something that was said or done, or (kind ``task``) is to be done."""
        values = self._times(
            {
                "kind": kind,
                "subject": f"Talk {self._number()} about lamps",
                "body": "They like brass.",
                "custom": {},
                "owner_id": owner.id if owner else None,
                **fields,
            }
        )
        values.setdefault("occurred_at", values["created_at"])
        return self._add(Activity(**values))

    def participant(self, activity: Activity, contact: Contact) -> ActivityParticipant:
        """A further person in an activity."""
        return self._add(ActivityParticipant(activity_id=activity.id, contact_id=contact.id))

    def target(self, user: User, first: date, end: date, minor: int) -> Target:
        """A booking target of a user for a range of days."""
        return self._add(Target(user_id=user.id, first=first, end=end, amount_minor=minor))


@dataclass(frozen=True)
class World:
    """A small company: ids of its records by name, and units of work as its people.

    Teams: ``Sales`` with ``Sales North`` below it, and ``Service`` beside them. Users: ``admin`` (no team),
    ``manager`` and ``rep`` and ``colleague`` (Sales), ``junior`` (Sales North), ``stranger`` (Service),
    ``readonly`` (no team), ``gone`` (inactive, Sales). Every owned noun has one row of ``rep``, ``colleague``,
    ``junior`` and ``stranger`` and one of nobody; no two nouns share an id, so that a mixed-up noun shows.
    """

    engine: Engine
    #: Whether tests share the database: then nothing that they write is kept.
    shared: bool = False
    users: dict[str, int] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    pipelines: dict[str, int] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    #: noun -> owner (or "nobody") -> id of that owner's row.
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    def on(self, engine: Engine, *, shared: bool = False) -> World:
        """The same company in a copy of its database."""
        return replace(self, engine=engine, shared=shared)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    def row(self, noun: str, owner: str = "rep") -> int:
        """The id of that owner's row of a noun."""
        return self.rows[noun][owner]

    def _who(self, who: str | Actor) -> Actor | int:
        if isinstance(who, Actor):
            return who
        return system_actor("Europe/Berlin") if who == "system" else self.users[who]

    @contextmanager
    def read(self, who: str | Actor = "system", *, now: datetime = NOW) -> Iterator[Context]:
        """A unit of work that only reads, as a named user or ``system``."""
        with unit_of_work(self.engine, self._who(who), write=False, now=now, door="test") as ctx:
            yield ctx

    @contextmanager
    def write(self, who: str | Actor = "system", *, now: datetime = NOW) -> Iterator[Context]:
        """A unit of work that commits (in a shared world: that is taken back), as a named user or ``system``."""
        with unit_of_work(self.engine, self._who(who), write=True, now=now, door="test") as ctx:
            yield ctx
            if self.shared:
                ctx.session.rollback()

    def actor(self, who: str, **changes: Any) -> Actor:
        """A user's actor, with other rights where given (``role``, ``reads``, ``writes``)."""
        with self.read() as ctx:
            return replace(load_actor(ctx.session, self.users[who]), **changes)


#: Whose rows there are, and a word in the names of each noun's rows that no other noun has.
MARKS = {
    "company": "Harbour",
    "contact": "Casper",
    "lead": "Leandra",
    "deal": "lamps",
    "ticket": "flickers",
    "activity": "phoned",
    "product": "Brass",
    "user": "Stella",
}
OWNERS = ("rep", "colleague", "junior", "stranger", "nobody")


def build_world(engine: Engine) -> World:
    """Fill a set-up database with the small company."""
    world = World(engine)
    with world.write(now=NOW - timedelta(days=30)) as ctx:
        make = Maker(ctx)
        make.picklists()
        _people(make, world)
        _catalogue(make, world)
        _records(make, world)
    return world


def _people(make: Maker, world: World) -> None:
    sales = make.team("Sales")
    north = make.team("Sales North", sales)
    service = make.team("Service")
    world.teams.update({"Sales": sales.id, "Sales North": north.id, "Service": service.id})
    for key, name, role, team in (
        ("admin", "Agatha Adminson", "admin", None),
        ("manager", "Manfred Oversee", "manager", sales),
        ("rep", "Renata Seller", "rep", sales),
        ("colleague", "Colin Desk", "rep", sales),
        ("junior", "Juno Young", "rep", north),
        ("stranger", "Stella Elsewhere", "rep", service),
        ("readonly", "Rowan Looker", "readonly", None),
        ("gone", "Gideon Past", "rep", sales),
    ):
        record = make.user(name, role, team, active=key != "gone")
        world.users[key] = record.id
    world.rows["user"] = {**world.users, "nobody": world.users["gone"]}


def _catalogue(make: Maker, world: World) -> None:
    for name, stages, position in (("New business", NEW_BUSINESS, 0), ("Renewals", RENEWALS, 1)):
        pipeline = make.pipeline(name, stages, position)
        world.pipelines[name] = pipeline.id
        world.stages.update({stage.name: stage.id for stage in pipeline.stages})
    for currency, micro in (("EUR", 1_083_700), ("JPY", 673_123), ("GBP", 1_271_009)):
        make.rate(currency, micro, date(2026, 1, 1))
    for noun in ("company", "contact", "lead", "deal", "ticket", "activity", "product", "user"):
        make.custom_field(noun, "tier", "choice", ["Gold", "Tin"])
    make.custom_field("deal", "seats", "number")
    make.custom_field("deal", "budget", "money")
    make.custom_field("deal", "kickoff", "date")
    make.custom_field("deal", "pilot", "boolean")
    make.custom_field("deal", "memo", "text")
    lantern = make.product("Brass lantern", "BL-1", {"USD": 120_00, "EUR": 110_00})
    wick = make.product("Wick", "WK-9", {"USD": 250}, family="Spares")
    world.products.update({"Brass lantern": lantern.id, "Wick": wick.id})
    world.rows["product"] = dict.fromkeys(OWNERS, lantern.id) | {"nobody": wick.id}


def _records(make: Maker, world: World) -> None:
    session = make.ctx.session
    stage = session.get_one(Stage, world.stages["Coffee & cake"])
    for noun in ("company", "contact", "lead", "deal", "ticket", "activity"):
        world.rows[noun] = {}
    for key in OWNERS:
        owner = session.get_one(User, world.users[key]) if key != "nobody" else None
        place = OWNERS.index(key)
        company = make.company(owner, id=1001 + place, name=f"{key.title()} Harbour Optics")
        contact = make.contact(owner, company, id=2001 + place, name=f"Casper {key.title()}son", phone=f"+1415555010{place}")
        lead = make.lead(owner, id=3001 + place, name=f"Leandra {key.title()}ling")
        deal = make.deal(
            stage,
            owner,
            company,
            id=4001 + place,
            name=f"{key.title()} lamps",
            amount_minor=1_000_00 + place,
            custom={"tier": "Gold"},
        )
        ticket = make.ticket(owner, company, id=5001 + place, subject=f"{key.title()} lamp flickers", contact_id=contact.id)
        activity = make.activity(
            owner,
            "call",
            id=6001 + place,
            subject=f"{key.title()} phoned",
            body="Spoke at length.",
            company_id=company.id,
            contact_id=contact.id,
            deal_id=deal.id,
            ticket_id=ticket.id,
            lead_id=lead.id,
        )
        make.deal_contact(deal, contact)
        make.line_item(deal, session.get_one(Product, world.products["Brass lantern"]), 2, 120_00)
        make.participant(activity, contact)
        for noun, record in (
            ("company", company),
            ("contact", contact),
            ("lead", lead),
            ("deal", deal),
            ("ticket", ticket),
            ("activity", activity),
        ):
            world.rows[noun][key] = record.id
