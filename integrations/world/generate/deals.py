"""Deals: their path through stages, slips, prices and ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_core.events import json_value
from crm_core.money import exponent
from crm_core.periods import add_months
from integrations.world import phrases
from integrations.world.generate.conversations import Conversations
from integrations.world.generate.model import Client, Rep
from integrations.world.profiles import StageSpec


class Deals(Conversations):
    """Deals from first contact to won, lost or still open."""

    def _deal(self, companies: list[Client], number: int) -> None:
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

    def _deal_people(self, company: Client) -> list[tuple[int, str]]:
        count = min(len(company.contacts), self.random.choice((1, 2, 2, 3)))
        return self.random.sample(company.contacts, count)

    def _walk(self, pipeline: str, created: datetime, owner: Rep, company: Client) -> list[tuple[datetime, int, StageSpec]]:
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
