"""What comes in: leads and tickets."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm_core.text import fold
from integrations.world import phrases
from integrations.world.generate.conversations import Conversations
from integrations.world.generate.model import Client, Story


class Inbound(Conversations):
    """Leads with their answers, tickets with their fires."""

    def _leads(self, companies: list[Client]) -> None:
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
            company: Client | None = None
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

    def _tickets(self, companies: list[Client]) -> None:
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
        self, company: Client, created: datetime, priority: str, responded: datetime, resolved: datetime, kinds: dict[str, list[str]]
    ) -> None:
        contact_id, name = self.random.choice(company.contacts)
        agent = self.random.choice(self.agents)
        story = Story(self.random.choice(self.profile.competitors), self.random.choice(self.products)[1], "", [])
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
