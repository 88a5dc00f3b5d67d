"""The simulation: three years of a sales team's life, as rows for every table.

Deterministic by profile, seed, size and the moment it ends at. Deals walk through their pipeline's stages with
waiting times, slip when their day passes, are won or lost by the skill of the rep and the fit of the story;
what people say in the interactions follows from the deal's story (rival, budget, worries, champion leaving).
Each change is also an event, so that time travel over the generated past is as exact as over the lived one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_core.events import event_row, json_value
from crm_core.money import exponent
from crm_core.periods import add_months
from crm_core.text import fold
from integrations.world import phrases
from integrations.world.profiles import Profile, StageSpec

HISTORY_DAYS = 3 * 365
#: Rows are handed over in the order that foreign keys allow.
TABLES = (
    "team",
    "user_account",
    "pipeline",
    "stage",
    "product",
    "price",
    "picklist_value",
    "custom_field",
    "exchange_rate",
    "target",
    "company",
    "contact",
    "employment",
    "deal",
    "deal_contact",
    "line_item",
    "stage_entry",
    "close_date_change",
    "lead",
    "ticket",
    "activity",
    "activity_participant",
    "event",
)
Sink = Callable[[str, list[dict[str, Any]]], None]
_MONTH_WEIGHT = (0.9, 1.0, 1.2, 0.95, 1.05, 1.2, 0.75, 0.65, 1.15, 1.1, 1.2, 0.85)


@dataclass(frozen=True)
class Size:
    """How much to make."""

    companies: int
    deals: int
    activities_per_deal: float
    reps: int

    @classmethod
    def named(cls, name: str) -> Size:
        """``demo`` (150 companies, 900 deals, about 15,000 activities), ``small`` for tests, ``bench`` (100,000 deals)."""
        return {
            "small": cls(24, 90, 8.0, 4),
            "demo": cls(150, 900, 15.0, 12),
            "bench": cls(17_000, 100_000, 9.7, 120),
        }[name]


@dataclass
class _Rep:
    id: int
    name: str
    team: int
    region: str
    skill: float


@dataclass
class _Company:
    id: int
    name: str
    region: str
    city: str
    owner: _Rep
    contacts: list[tuple[int, str]]
    size: float
    created: datetime


@dataclass
class _Story:
    """What a deal's interactions are about."""

    rival: str
    product: str
    amount: str
    topics: list[str]


class World:
    """One generation run; ``run`` pushes all rows to the sink."""

    def __init__(self, profile: Profile, size: Size, *, seed: int, now: datetime, sink: Sink) -> None:
        self.profile, self.size, self.now, self.sink = profile, size, now.astimezone(UTC), sink
        self.random = random.Random(f"{profile.name}/{seed}")
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.ids: dict[str, int] = dict.fromkeys(TABLES, 0)
        self.buffered = 0
        self.start = self.now - timedelta(days=HISTORY_DAYS)
        self.day_weights = self._day_weights()
        self.customers: dict[int, list[datetime]] = {}
        self.scale = 10 ** exponent(profile.home_currency)

    def run(self, progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None) -> None:
        """Generate everything; ``progress`` hears what is being made and how far it is."""
        self._people()
        self._words()
        companies = self._companies()
        for number in range(self.size.deals):
            self._deal(companies, number)
            if number % 500 == 0:
                progress("deals", number, self.size.deals)
        self._leads(companies)
        self._tickets(companies)
        self._flush()

    # --- plumbing ---------------------------------------------------------------------------------------

    def _add(self, table: str, **row: Any) -> int:
        self.ids[table] += 1
        row["id"] = self.ids[table]
        self.rows[table].append(row)
        self.buffered += 1
        if self.buffered >= 40_000:
            self._flush()
        return self.ids[table]

    def _flush(self) -> None:
        for table in TABLES:
            if self.rows[table]:
                self.sink(table, self.rows[table])
                self.rows[table] = []
        self.buffered = 0

    def _noun(self, table: str, created: datetime, version: int = 1, updated: datetime | None = None, **row: Any) -> dict[str, Any]:
        number = self.ids[table] + 1
        return {
            "external_id": f"gen-{table}-{number}",
            "version": version,
            "created_at": created,
            "updated_at": updated or created,
            "archived_at": None,
            "custom": row.pop("custom", {}),
            **row,
        }

    def _event(self, noun: str, record_id: int, version: int, kind: str, changes: dict[str, Any], at: datetime, actor: int | None) -> None:
        self._add("event", **event_row(noun, record_id, version, kind, changes, at=at, actor_id=actor, door="world"))

    def _created(self, noun: str, record_id: int, values: dict[str, Any], at: datetime, actor: int | None) -> None:
        quiet = {"id", "version", "updated_at", "custom", "archived_at"}
        changes = {name: [None, json_value(value)] for name, value in values.items() if value is not None and name not in quiet}
        changes |= {f"custom.{key}": [None, value] for key, value in values.get("custom", {}).items()}
        self._event(noun, record_id, 1, "created", changes, at, actor)

    def _day_weights(self) -> list[float]:
        weights = []
        for offset in range(HISTORY_DAYS):
            day = self.start + timedelta(days=offset)
            growth = 0.6 + 0.8 * offset / HISTORY_DAYS
            weights.append(0.05 if day.weekday() >= 5 else growth * _MONTH_WEIGHT[day.month - 1])
        return weights

    def _moment(self, day: datetime) -> datetime:
        """A time within working hours of that day, never after now."""
        base = day.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = base + timedelta(hours=13, minutes=self.random.randint(0, 8 * 60))
        return min(moment, self.now - timedelta(minutes=self.random.randint(1, 300)))

    def _some_day(self) -> datetime:
        (offset,) = self.random.choices(range(HISTORY_DAYS), self.day_weights)
        return self._moment(self.start + timedelta(days=offset))

    def _name(self) -> str:
        return f"{self.random.choice(phrases.NAMES_FIRST)} {self.random.choice(phrases.NAMES_LAST)}"

    # --- people and words -------------------------------------------------------------------------------

    def _people(self) -> None:
        profile, founded = self.profile, self.start - timedelta(days=30)
        domain = f"{fold(profile.company).replace(' ', '')}.example"
        sales = self._add("team", name="Sales", parent_id=None)
        teams = [(self._add("team", name=name, parent_id=sales), region) for name, region in profile.teams]
        support = self._add("team", name="Support", parent_id=None)
        self.reps: list[_Rep] = []
        self.agents: list[int] = []
        taken: set[str] = set()

        def user(role: str, team: int) -> tuple[int, str]:
            name = self._name()
            while name.split()[0] in taken and len(taken) < len(phrases.NAMES_FIRST) - 8 or name in taken:
                name = self._name()
            taken.update({name, name.split()[0]})
            row = self._noun(
                "user_account",
                founded,
                name=name,
                email=f"{fold(name).replace(' ', '.')}@{domain}",
                role=role,
                team_id=team,
                timezone=None,
                active=True,
            )
            user_id = self._add("user_account", **row)
            self._created("user", user_id, row, founded, None)
            return user_id, name

        head, head_name = user("admin", sales)
        self.head = _Rep(head, head_name, sales, profile.teams[0][1], 1.15)
        for team, region in teams:
            manager, name = user("manager", team)
            self.reps.append(_Rep(manager, name, team, region, 1.1))
        for number in range(self.size.reps):
            team, region = teams[number % len(teams)]
            rep, name = user("rep", team)
            self.reps.append(_Rep(rep, name, team, region, self.random.uniform(0.6, 1.4)))
        user("readonly", sales)
        support_lead, _ = user("manager", support)
        self.agents = [support_lead, *(user("rep", support)[0] for _ in range(max(2, self.size.reps // 4)))]
        self._targets()

    def _targets(self) -> None:
        first = add_months(self.now.date().replace(day=1), -36)
        base = 3_000_000 if self.profile.home_currency == "USD" else 12_000_000
        for rep in self.reps:
            yearly = base * rep.skill
            for month in range(42):
                day = add_months(first, month)
                amount = round(yearly * _MONTH_WEIGHT[day.month - 1] / 100) * 100
                self._add("target", user_id=rep.id, first=day, end=add_months(day, 1), amount_minor=int(amount))

    def _words(self) -> None:
        profile = self.profile
        self.stages: dict[str, list[tuple[int, StageSpec]]] = {}
        self.pipeline_ids: dict[str, int] = {}
        for position, (name, stages) in enumerate(profile.pipelines.items()):
            pipeline = self._add("pipeline", name=name, position=position)
            self.pipeline_ids[name] = pipeline
            self.stages[name] = [
                (self._add("stage", pipeline_id=pipeline, name=spec.name, position=index, probability=spec.probability, kind=spec.kind), spec)
                for index, spec in enumerate(stages)
            ]
        founded = self.start - timedelta(days=20)
        self.products: list[tuple[int, str, int]] = []
        for product in profile.products:
            row = self._noun("product", founded, name=product.name, code=product.code, family=product.family, active=True)
            product_id = self._add("product", **row)
            self._created("product", product_id, row, founded, None)
            for code, rate in {profile.home_currency: 1.0, **profile.rates}.items():
                minor = round(product.price / rate) * 10 ** exponent(code)
                self._add("price", product_id=product_id, currency=code, amount_minor=minor, valid_from=founded.date())
            self.products.append((product_id, product.name, product.price))
        lists: dict[tuple[str, str], list[tuple[str, str | None]]] = {
            ("company", "industry"): [(word, None) for word in profile.industries],
            ("company", "region"): [(word, None) for word in profile.regions],
            ("deal", "source"): [(word, None) for word in profile.sources],
            ("deal", "loss_reason"): [(word, None) for word in profile.loss_reasons],
            ("deal", "forecast_category"): list(profile.forecast_categories),
            ("deal", "contact_role"): [(word, None) for word in phrases.ROLES],
            ("lead", "source"): [(word, None) for word in profile.sources],
            ("lead", "status"): list(profile.lead_statuses),
            ("ticket", "status"): list(profile.ticket_statuses),
            ("ticket", "priority"): [(word, None) for word in profile.priorities],
            ("ticket", "category"): [(word, None) for word in profile.ticket_categories],
            ("activity", "outcome"): [(word, None) for word in profile.outcomes],
        }
        for (noun, field), words in lists.items():
            for position, (word, kind) in enumerate(words):
                self._add("picklist_value", noun=noun, field=field, value=word, kind=kind, position=position, synonyms=[])
        for item in profile.custom:
            self._add(
                "custom_field",
                noun=item.noun,
                key=item.key,
                label=item.label,
                kind=item.kind,
                choices=list(item.choices),
                synonyms=list(item.synonyms),
                help="",
            )
        for code, rate in profile.rates.items():
            shift = exponent(profile.home_currency) - exponent(code)
            for quarter in range(14):
                day = add_months(self.now.date().replace(day=1), -3 * (13 - quarter))
                drift = 1 + self.random.uniform(-0.04, 0.04)
                self._add("exchange_rate", currency=code, day=day, micro=round(rate * drift * 10**6 * 10**shift))

    # --- companies and contacts -------------------------------------------------------------------------

    def _company_name(self, used: set[str]) -> str:
        while True:
            parts = [self.random.choice(phrases.COMPANY_FIRST), self.random.choice(phrases.COMPANY_SECOND)]
            if self.size.companies > 1500:
                parts.insert(1, self.random.choice(phrases.NAMES_LAST))
            if self.random.random() < 0.25:
                parts.pop()
            suffix = self.random.choice(phrases.COMPANY_SUFFIX)
            name = " ".join([*parts, suffix]).strip()
            if " ".join(parts) not in used:
                used.add(" ".join(parts))
                return name
            if len(used) > 2000:
                return f"{name} {len(used)}"

    def _companies(self) -> list[_Company]:
        used: set[str] = set()
        companies: list[_Company] = []
        for number in range(self.size.companies):
            region = self.random.choice(list(self.profile.regions))
            city, country = self.random.choice(self.profile.regions[region])
            owner = self.random.choice([rep for rep in self.reps if rep.region == region] or self.reps)
            size = self.random.lognormvariate(0, 0.9)
            name = self._company_name(used)
            duplicate_of = None
            if companies and self.random.random() < 0.02:  # the same company entered twice, spelled otherwise
                duplicate_of = self.random.choice(companies)
                name = duplicate_of.name.upper() if self.random.random() < 0.5 else f"{duplicate_of.name} Ltd."
                region, city = duplicate_of.region, duplicate_of.city
            # Most companies are old acquaintances: 70 % were there before the three years begin.
            created = self.start - timedelta(days=self.random.randint(1, 25)) if self.random.random() < 0.7 else self._some_day()
            domain = f"{fold(duplicate_of.name if duplicate_of else name).replace(' ', '')}.example"
            row = self._noun(
                "company",
                created,
                name=name,
                domain=domain if self.random.random() < 0.93 else None,
                phone=f"+1617555{number % 10000:04d}" if self.random.random() < 0.8 else None,
                industry=self.random.choice(self.profile.industries) if self.random.random() < 0.96 else None,
                region=region,
                country=country,
                city=city,
                employees=max(3, round(180 * size)),
                annual_revenue_minor=round(30_000_000 * size) * self.scale,
                parent_id=self.random.choice(companies).id if companies and self.random.random() < 0.08 else None,
                owner_id=owner.id if self.random.random() < 0.98 else None,
                custom=self._custom("company"),
            )
            company_id = self._add("company", **row)
            self._created("company", company_id, row, created, owner.id)
            company = _Company(company_id, name, region, city, owner, [], size, created)
            for _ in range(self.random.choice((1, 2, 2, 3, 3, 4, 5))):
                company.contacts.append(self._contact(company, domain, companies))
            companies.append(company)
        return companies

    def _contact(self, company: _Company, domain: str, earlier: list[_Company]) -> tuple[int, str]:
        name, roll = self._name(), self.random.random()
        local = fold(name).replace(" ", ".")
        created = company.created + timedelta(days=self.random.randint(0, 20))
        created = min(created, self.now - timedelta(hours=2))
        row = self._noun(
            "contact",
            created,
            name=name,
            title=self.random.choice(phrases.TITLES) if roll < 0.94 else None,
            email=f"{local}@{domain}" if roll < 0.9 else None,
            phone=f"+1857555{self.ids['contact'] % 10000:04d}" if self.random.random() < 0.7 else None,
            city=company.city,
            company_id=company.id,
            owner_id=company.owner.id,
            consent_email=self.random.choice((True, True, False, None)),
            consent_phone=self.random.choice((True, False, None)),
            custom=self._custom("contact"),
        )
        contact = self._add("contact", **row)
        self._created("contact", contact, row, created, company.owner.id)
        joined = (created - timedelta(days=self.random.randint(100, 1500))).date()
        if earlier and self.random.random() < 0.12:
            before = self.random.choice(earlier)
            self._add(
                "employment",
                contact_id=contact,
                company_id=before.id,
                title=self.random.choice(phrases.TITLES),
                started_on=joined - timedelta(days=900),
                ended_on=joined,
            )
        self._add("employment", contact_id=contact, company_id=company.id, title=row["title"], started_on=joined, ended_on=None)
        return contact, name

    def _custom(self, noun: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for item in self.profile.custom:
            if item.noun == noun and self.random.random() < 0.85:
                if item.kind == "choice":
                    values[item.key] = self.random.choice(item.choices)
                elif item.kind == "number":
                    values[item.key] = self.random.choice((5, 10, 25, 50, 100, 250))
                elif item.kind == "boolean":
                    values[item.key] = self.random.random() < 0.15
        return values

    # --- deals ------------------------------------------------------------------------------------------

    def _deal(self, companies: list[_Company], number: int) -> None:
        company = self.random.choice(companies)
        renewal = len(self.stages) > 1 and company.id in self.customers and self.random.random() < 0.45
        pipeline = list(self.stages)[1 if renewal else 0]
        owner = self.head if number % 60 == 7 else company.owner if self.random.random() < 0.8 else self.random.choice(self.reps)
        created = max(self._some_day(), company.created + timedelta(days=1))
        created = min(created, self.now - timedelta(hours=3))
        currency = self.profile.home_currency
        if self.random.random() < 0.16:
            currency = self.random.choice(list(self.profile.rates))
        items = self._line_items(currency, company.size)
        amount = sum(total for _, _, _, total in items)
        if not items:
            amount = round(self.random.lognormvariate(9.6, 0.8)) * 10 ** exponent(currency)
        no_amount = self.random.random() < 0.03
        path = self._walk(pipeline, created, owner, company)
        closed = path[-1][0] if path[-1][2].kind != "open" else None
        status = path[-1][2].kind
        people = self._deal_people(company)
        product = self.products[items[0][0] - 1][1] if items else self.random.choice(self.products)[1]
        slots = {"who": people[0][1].split()[0], "boss": people[-1][1].split()[0]}
        row: dict[str, Any] = self._noun(
            "deal",
            created,
            name=self._deal_name(company.name, product, renewal),
            company_id=company.id,
            pipeline_id=self.pipeline_ids[pipeline],
            stage_id=path[0][1],
            status="open",
            amount_minor=None if no_amount else amount,
            currency=currency,
            expected_close_on=self._target_day(created + timedelta(days=sum(s.days for _, s in self.stages[pipeline]) * 0.85)),
            closed_at=None,
            forecast_category=self._forecast(path[0][2]),
            source=self.random.choice(self.profile.sources),
            loss_reason=None,
            next_step=self.random.choice(phrases.DEAL_NEXT_STEPS).format(**slots),
            owner_id=owner.id,
            custom=self._custom("deal"),
        )
        if row["amount_minor"] and self.random.random() < 0.3:  # the amount was another one at first
            first_amount = round(amount * self.random.uniform(0.6, 1.5)) // 100 * 100
        else:
            first_amount = row["amount_minor"]
        final = dict(row)
        row["amount_minor"] = first_amount
        deal_id = self.ids["deal"] + 1
        events: list[tuple[str, dict[str, Any], datetime]] = []
        self._live(row, final, path, closed, events, deal_id)
        final.update(version=1 + len(events), updated_at=events[-1][2] if events else created)
        assert self._add("deal", **final) == deal_id
        self._created("deal", deal_id, row, created, owner.id)
        for version, (_kind, changes, at) in enumerate(events, start=2):
            self._event("deal", deal_id, version, "updated", changes, at, owner.id)
        for index, (entered, stage_id, _spec) in enumerate(path):
            left = path[index + 1][0] if index + 1 < len(path) else None
            self._add("stage_entry", deal_id=deal_id, stage_id=stage_id, entered_at=entered, left_at=left)
        for position, (contact_id, _name) in enumerate(people):
            role = phrases.ROLES[min(position, 1)] if position < 2 else self.random.choice(phrases.ROLES[2:])
            self._add("deal_contact", deal_id=deal_id, contact_id=contact_id, role=role)
        for product_id, quantity, unit, total in items:
            self._add("line_item", deal_id=deal_id, product_id=product_id, quantity=quantity, unit_price_minor=unit, total_minor=total)
        if status == "won" and closed is not None:
            self.customers.setdefault(company.id, []).append(closed)
        self._deal_activities(company, deal_id, final, people, owner, product, created, closed)

    def _line_items(self, currency: str, size: float) -> list[tuple[int, int, int, int]]:
        if self.random.random() < 0.08:
            return []
        rate = 1.0 if currency == self.profile.home_currency else self.profile.rates[currency]
        items = []
        for product_id, _name, price in self.random.sample(self.products, self.random.choice((1, 1, 2, 2, 3))):
            quantity = max(1, round(self.random.lognormvariate(0, 0.6) * min(3.0, 0.6 + size / 2)))
            unit = round(price / rate) * 10 ** exponent(currency)
            discount = self.random.choice((0, 0, 0, 5, 10, 15))
            items.append((product_id, quantity, unit, unit * quantity * (100 - discount) // 100))
        return items

    def _deal_name(self, company: str, product: str, renewal: bool) -> str:
        if renewal:
            return f"{company} renewal"
        return self.random.choice((f"{company} – {product}", f"{company} {product}", f"{product} for {company}", f"{company} rollout"))

    def _deal_people(self, company: _Company) -> list[tuple[int, str]]:
        count = min(len(company.contacts), self.random.choice((1, 2, 2, 3)))
        return self.random.sample(company.contacts, count)

    def _walk(self, pipeline: str, created: datetime, owner: _Rep, company: _Company) -> list[tuple[datetime, int, StageSpec]]:
        """The stays of a deal: (entered, stage id, stage), the last one closed, or open where time ran out."""
        stages = self.stages[pipeline]
        working = [item for item in stages if item[1].kind == "open"]
        won = next(item for item in stages if item[1].kind == "won")
        lost = next(item for item in stages if item[1].kind == "lost")
        start_chance = working[0][1].probability
        win = min(0.92, max(0.08, (0.3 if start_chance < 40 else start_chance / 100) * owner.skill))
        will_win = self.random.random() < win
        fails_after = None if will_win else self.random.choice(range(len(working)))
        path = [(created, working[0][0], working[0][1])]
        at = created
        for index, (stage_id, spec) in enumerate(working):
            if index:
                path.append((at, stage_id, spec))
            stay = self.random.gammavariate(2.0, spec.days * min(1.8, 0.7 + company.size / 4) / 2.0)
            if self.random.random() < 0.03:
                stay += 200  # forgotten
            at = self._moment(at + timedelta(days=max(0.5, stay)))
            if at >= self.now - timedelta(hours=6) or at <= path[-1][0]:
                return path
            if fails_after == index:
                return [*path, (at, lost[0], lost[1])]
        return [*path, (at, won[0], won[1])]

    def _forecast(self, spec: StageSpec) -> str:
        kinds = {kind: word for word, kind in self.profile.forecast_categories}
        if spec.kind == "lost" or self.random.random() < 0.05:
            return kinds["omitted"]
        if spec.probability >= 75:
            return kinds["commit"]
        return kinds["best_case"] if spec.probability >= 50 else kinds["pipeline"]

    def _target_day(self, moment: datetime) -> date:
        """Sellers name the end of a month more often than any other day."""
        day = moment.date()
        if self.random.random() < 0.5:
            return add_months(day.replace(day=1), 1) - timedelta(days=1)
        return day

    def _live(
        self,
        row: dict[str, Any],
        final: dict[str, Any],
        path: list[tuple[datetime, int, StageSpec]],
        closed: datetime | None,
        events: list[tuple[str, dict[str, Any], datetime]],
        deal_id: int,
    ) -> None:
        """Turn the path into events: stage moves, slips, an amount change; leaves the end state in ``final``."""
        steps: list[tuple[datetime, dict[str, Any]]] = []
        for entered, stage_id, spec in path[1:]:
            values: dict[str, Any] = {"stage_id": stage_id, "forecast_category": self._forecast(spec)}
            if spec.kind != "open":
                values |= {"status": spec.kind, "closed_at": entered}
                if spec.kind == "lost":
                    values["loss_reason"] = self.random.choice(self.profile.loss_reasons)
            steps.append((entered, values))
        end = closed or self.now
        if row["amount_minor"] != final["amount_minor"]:
            middle = row["created_at"] + (end - row["created_at"]) * self.random.uniform(0.2, 0.8)
            steps.append((self._within(middle, row["created_at"], end), {"amount_minor": final["amount_minor"]}))
        expected: date = row["expected_close_on"]
        neglected = self.random.random() < 0.12
        while expected < end.date() and not (closed is None and neglected):
            slip_at = datetime(expected.year, expected.month, expected.day, 15, self.random.randint(0, 59), tzinfo=UTC)
            slip_at -= timedelta(days=self.random.randint(0, 9))
            slip_at = self._within(slip_at, row["created_at"], end)
            expected = self._target_day(slip_at + timedelta(days=self.random.randint(15, 75)))
            steps.append((slip_at, {"expected_close_on": expected}))
        steps.sort(key=lambda step: step[0])
        current = dict(row)
        for at, values in steps:
            changes = {name: [json_value(current[name]), json_value(value)] for name, value in values.items() if current[name] != value}
            if "expected_close_on" in changes:
                self._add(
                    "close_date_change",
                    deal_id=deal_id,
                    changed_at=at,
                    old_day=current["expected_close_on"],
                    new_day=values["expected_close_on"],
                    amount_minor=current["amount_minor"],
                )
            current.update(values)
            if changes:
                events.append(("updated", changes, at))
        final.update({name: current[name] for name in ("stage_id", "status", "closed_at", "forecast_category", "loss_reason", "expected_close_on")})

    def _within(self, moment: datetime, low: datetime, high: datetime) -> datetime:
        return max(low + timedelta(minutes=7), min(moment, high - timedelta(minutes=11)))

    # --- interactions -----------------------------------------------------------------------------------

    def _deal_activities(
        self,
        company: _Company,
        deal_id: int,
        deal: dict[str, Any],
        people: list[tuple[int, str]],
        owner: _Rep,
        product: str,
        created: datetime,
        closed: datetime | None,
    ) -> None:
        story = _Story(
            self.random.choice(self.profile.competitors),
            product,
            f"{round((deal['amount_minor'] or 2_000_000) * self.random.uniform(0.8, 1.1) / 10 ** exponent(deal['currency'])) // 500 * 500:,} {deal['currency']}",
            self.random.sample(list(phrases.TOPICS), 6),
        )
        end = closed or self.now - timedelta(hours=1)
        count = max(1, round(self.random.gauss(self.size.activities_per_deal, self.size.activities_per_deal / 4)))
        span = (end - created).total_seconds()
        quiet = closed is None and self.random.random() < 0.15
        for _ in range(count):
            share = self.random.random() * (0.6 if quiet else 1.0)
            at = created + timedelta(seconds=span * share)
            at = self._within(self._moment(at), created, end) if span > 3600 else created
            self._interaction(company, deal_id, people, owner, story, at)
        if closed is None and self.random.random() < 0.6:
            self._task(company, deal_id, people, owner, story, self.now - timedelta(days=self.random.randint(1, 20)), None)

    def _slots(self, company: _Company, who: str, boss: str, rep: str, story: _Story, at: datetime) -> dict[str, Any]:
        promised = at + timedelta(days=self.random.randint(2, 25))
        return {
            "who": who,
            "boss": boss,
            "rep": rep.partition(" ")[0],
            "company": company.name,
            "product": story.product,
            "rival": story.rival,
            "amount": story.amount,
            "day": f"{promised.day} {promised:%B}",
            "n": self.random.randint(3, 40),
            "city": company.city,
        }

    def _interaction(self, company: _Company, deal_id: int | None, people: list[tuple[int, str]], owner: _Rep, story: _Story, at: datetime) -> None:
        pick = self.random.random()
        if pick < 0.1:
            done = self._within(at + timedelta(days=self.random.randint(0, 10)), at, self.now)
            self._task(company, deal_id, people, owner, story, at, done)
            return
        kind = "email" if pick < 0.45 else "call" if pick < 0.72 else "meeting" if pick < 0.86 else "note"
        contact_id, name = self.random.choice(people)
        others = [person for person in company.contacts if person[0] != contact_id]
        boss = self.random.choice(others)[1] if others else self._name()
        slots = self._slots(company, name.split()[0], boss.split()[0], owner.name, story, at)
        topics = self.random.sample(story.topics, self.random.choice((1, 1, 2, 2, 3)))
        inbound = kind == "email" and self.random.random() < 0.5
        sentences = []
        for topic in topics:
            ours, theirs = phrases.TOPICS[topic]
            pool = theirs if inbound and theirs else ours
            sentences.append(self.random.choice(pool).format(**slots))
        opening = self.random.choice(phrases.OPENINGS[kind]).format(**slots)
        if kind == "email" and not inbound:
            opening = f"Hi {slots['who']}," if self.random.random() < 0.7 else f"Dear {slots['who']},"
            sentences = [self.random.choice(phrases.MAIL_FRAMES).format(point=sentence, **slots) for sentence in sentences]
        if inbound:
            sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
            closing = self.random.choice(phrases.CLOSINGS).format(**slots)
        else:
            closing = self.random.choice(phrases.NEXT_STEPS).format(**slots)
        joint = "\n\n" if kind == "email" else " "
        body = joint.join(part for part in (opening, " ".join(sentences), closing) if part)
        row = self._noun(
            "activity",
            at,
            kind=kind,
            subject=self.random.choice(phrases.SUBJECTS[topics[0]]),
            body=body,
            direction=("inbound" if inbound else "outbound") if kind in ("email", "call") else None,
            outcome=self.random.choice(self.profile.outcomes) if kind in ("call", "meeting") and self.random.random() < 0.8 else None,
            occurred_at=at,
            duration_minutes=self.random.choice((5, 10, 15, 30, 45, 60)) if kind in ("call", "meeting") else None,
            due_on=None,
            completed_at=None,
            owner_id=owner.id,
            company_id=company.id,
            contact_id=contact_id,
            deal_id=deal_id,
            lead_id=None,
            ticket_id=None,
        )
        activity = self._add("activity", **row)
        self._event("activity", activity, 1, "created", {"kind": [None, kind], "subject": [None, row["subject"]]}, at, owner.id)
        if kind == "meeting" and others:
            self._add("activity_participant", activity_id=activity, contact_id=others[0][0], user_id=None)

    def _task(
        self,
        company: _Company,
        deal_id: int | None,
        people: list[tuple[int, str]],
        owner: _Rep,
        story: _Story,
        at: datetime,
        done: datetime | None,
    ) -> None:
        contact_id, name = people[0]
        boss = people[-1][1].split()[0]
        slots = self._slots(company, name.split()[0], boss, owner.name, story, at)
        due = (at + timedelta(days=self.random.randint(1, 28))).date()
        row = self._noun(
            "activity",
            at,
            version=2 if done else 1,
            updated=done,
            kind="task",
            subject=self.random.choice(phrases.TASKS).format(**slots),
            body="",
            direction=None,
            outcome=None,
            occurred_at=done or at,
            duration_minutes=None,
            due_on=due,
            completed_at=done,
            owner_id=owner.id,
            company_id=company.id,
            contact_id=contact_id,
            deal_id=deal_id,
            lead_id=None,
            ticket_id=None,
        )
        activity = self._add("activity", **row)
        self._event("activity", activity, 1, "created", {"kind": [None, "task"], "subject": [None, row["subject"]]}, at, owner.id)
        if done:
            self._event("activity", activity, 2, "updated", {"completed_at": [None, done.isoformat()]}, done, owner.id)

    # --- leads and tickets ------------------------------------------------------------------------------

    def _leads(self, companies: list[_Company]) -> None:
        kinds: dict[str, list[str]] = {}
        for word, kind in self.profile.lead_statuses:
            kinds.setdefault(kind, []).append(word)
        for _ in range(round(self.size.deals * 0.7)):
            created = self._some_day()
            rep = self.random.choice(self.reps)
            name = self._name()
            answered = self._moment(created + timedelta(hours=self.random.lognormvariate(2.2, 1.1)))
            answered = max(answered, created + timedelta(minutes=4))
            responded = answered if answered < self.now and self.random.random() < 0.86 else None
            converted = None
            company: _Company | None = None
            contact_id = None
            if responded and self.random.random() < 0.25:
                day = self._moment(responded + timedelta(days=self.random.randint(1, 40)))
                if day > responded:
                    converted, company = day, self.random.choice(companies)
                    contact_id = self.random.choice(company.contacts)[0]
            status = (
                self.random.choice(kinds["converted"])
                if converted
                else self.random.choice(kinds["open"][:1] if not responded else [*kinds["open"][1:], *kinds["closed"]])
            )
            row = self._noun(
                "lead",
                created,
                name=name,
                company_name=company.name if company else f"{self.random.choice(phrases.COMPANY_FIRST)} {self.random.choice(phrases.COMPANY_SECOND)}",
                title=self.random.choice(phrases.TITLES),
                email=f"{fold(name).replace(' ', '.')}@lead.example" if self.random.random() < 0.9 else None,
                phone=f"+1978555{self.ids['lead'] % 10000:04d}" if self.random.random() < 0.6 else None,
                source=self.random.choice(self.profile.sources),
                status=status,
                region=rep.region,
                owner_id=rep.id if self.random.random() < 0.96 else None,
                first_response_at=responded,
                converted_at=converted,
                company_id=company.id if company else None,
                contact_id=contact_id,
                deal_id=None,
                custom=self._custom("lead"),
            )
            lead = self._add("lead", **row)
            self._created("lead", lead, row, created, None)

    def _tickets(self, companies: list[_Company]) -> None:
        by_id = {company.id: company for company in companies}
        kinds: dict[str, list[str]] = {}
        for word, kind in self.profile.ticket_statuses:
            kinds.setdefault(kind, []).append(word)
        priorities = self.profile.priorities
        for company_id, wins in self.customers.items():
            company = by_id[company_id]
            burning = self.random.random() < 0.1  # a customer in trouble files many at once
            for _ in range(self.random.choice((0, 1, 2, 3, 4, 6)) + (6 if burning else 0)):
                since = min(wins)
                if burning:
                    since = max(since, self.now - timedelta(days=60))
                created = since + (self.now - since) * self.random.random()
                created = self._within(self._moment(created), since, self.now)
                weights = (3, 3, 2, 1) if burning else (1, 3, 6, 3)
                priority = self.random.choices(priorities, weights[: len(priorities)])[0]
                hours = self.random.lognormvariate(1.2 + 0.5 * priorities.index(priority), 0.8)
                responded = created + timedelta(hours=hours)
                resolved = responded + timedelta(hours=self.random.lognormvariate(3.2 + 0.4 * priorities.index(priority), 1.0))
                self._ticket(company, created, priority, responded, resolved, kinds)

    def _ticket(
        self, company: _Company, created: datetime, priority: str, responded: datetime, resolved: datetime, kinds: dict[str, list[str]]
    ) -> None:
        contact_id, name = self.random.choice(company.contacts)
        agent = self.random.choice(self.agents)
        story = _Story(self.random.choice(self.profile.competitors), self.random.choice(self.products)[1], "", [])
        slots = self._slots(company, name.split()[0], company.contacts[-1][1].split()[0], "", story, created)
        done = resolved if resolved < self.now and self.random.random() < 0.94 else None
        row = self._noun(
            "ticket",
            created,
            subject=self.random.choice(phrases.TICKET_SUBJECTS).format(**slots),
            description=self.random.choice(phrases.TICKET_BODIES).format(**slots),
            status=self.random.choice(kinds["resolved"] if done else kinds["open"]),
            priority=priority,
            category=self.random.choice(self.profile.ticket_categories),
            company_id=company.id,
            contact_id=contact_id,
            owner_id=agent if self.random.random() < 0.95 else None,
            first_response_at=responded if responded < self.now else None,
            resolved_at=done,
            custom=self._custom("ticket"),
        )
        ticket = self._add("ticket", **row)
        self._created("ticket", ticket, row, created, agent)
