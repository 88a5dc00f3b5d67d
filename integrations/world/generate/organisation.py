"""The selling company itself: people, targets, its own words; and the companies it sells to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm_core.money import exponent
from crm_core.periods import add_months
from crm_core.text import fold
from integrations.world import phrases
from integrations.world.generate.model import MONTH_WEIGHT, Client, Rep
from integrations.world.generate.rows import Rows
from integrations.world.profiles import StageSpec


class Organisation(Rows):
    """Teams, users, pipelines, products, companies and contacts."""

    def _people(self) -> None:
        profile, founded = self.profile, self.start - timedelta(days=30)
        domain = f"{fold(profile.company).replace(' ', '')}.example"
        sales = self._add("team", name="Sales", parent_id=None)
        teams = [(self._add("team", name=name, parent_id=sales), region) for name, region in profile.teams]
        support = self._add("team", name="Support", parent_id=None)
        self.reps: list[Rep] = []
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
        self.head = Rep(head, head_name, sales, profile.teams[0][1], 1.15)
        for team, region in teams:
            manager, name = user("manager", team)
            self.reps.append(Rep(manager, name, team, region, 1.1))
        for number in range(self.size.reps):
            team, region = teams[number % len(teams)]
            rep, name = user("rep", team)
            self.reps.append(Rep(rep, name, team, region, self.random.uniform(0.6, 1.4)))
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
                amount = round(yearly * MONTH_WEIGHT[day.month - 1] / 100) * 100
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

    def _companies(self) -> list[Client]:
        used: set[str] = set()
        companies: list[Client] = []
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
            company = Client(company_id, name, region, city, owner, [], size, created)
            for _ in range(self.random.choice((1, 2, 2, 3, 3, 4, 5))):
                company.contacts.append(self._contact(company, domain, companies))
            companies.append(company)
        return companies

    def _contact(self, company: Client, domain: str, earlier: list[Client]) -> tuple[int, str]:
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
