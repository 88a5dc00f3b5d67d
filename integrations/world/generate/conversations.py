"""What is said and done around deals: calls, mails, meetings, notes, tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crm_core.money import exponent
from integrations.world import phrases
from integrations.world.generate.model import Client, Rep, Story
from integrations.world.generate.organisation import Organisation


class Conversations(Organisation):
    """Interactions that tell the story of a deal."""

    def _deal_activities(
        self,
        company: Client,
        deal_id: int,
        deal: dict[str, Any],
        people: list[tuple[int, str]],
        owner: Rep,
        product: str,
        created: datetime,
        closed: datetime | None,
    ) -> None:
        story = Story(
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

    def _slots(self, company: Client, who: str, boss: str, rep: str, story: Story, at: datetime) -> dict[str, Any]:
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

    def _interaction(self, company: Client, deal_id: int | None, people: list[tuple[int, str]], owner: Rep, story: Story, at: datetime) -> None:
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
        company: Client,
        deal_id: int | None,
        people: list[tuple[int, str]],
        owner: Rep,
        story: Story,
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
