"""From rows to records: converters of each column, references by external id or name, and what is counted."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, inspect, select

from crm_core.errors import Invalid
from crm_core.metrics.conversion import rates
from crm_core.models import NOUNS, DealContact, Employment, LineItem, Price, Stage
from crm_core.money import check_currency
from crm_core.services.exchange.cells import Cells, Counts
from crm_core.services.exchange.columns import NOUN_OF_FILE, OWN_KEYS
from crm_core.services.users import team_id
from crm_core.services.validation import check_email
from crm_core.text import fold, join_words


def _check_length(model: type[Any], name: str, value: str) -> None:
    longest = getattr(inspect(model).columns[name].type, "length", None)
    if longest is not None and len(value) > longest:
        raise Invalid(f"{name} has {len(value):,} characters; {longest} fit")


class Loader(Cells):
    """Loads the rows of all files in one transaction; keeps what was seen, to resolve references without queries."""

    def load(self, file: str, cells: dict[str, str], custom: dict[str, Any], counts: Counts) -> None:
        """Create or update one record; raises ``RapportError`` with the reason where the row cannot be used."""
        noun = NOUN_OF_FILE[file]
        external_id = (cells.get("external_id") or self._own_key(file, cells))[:200]
        existing = self._existing(noun, external_id)
        values = getattr(self, f"_{noun}")(cells, counts, existing)
        self._check(noun, values, existing)
        if existing is None:
            attached = self._attachments(noun, values, cells, counts)
            record = self._create(noun, external_id, values, custom)
            for item in attached:
                setattr(item, f"{noun}_id", record.id)
                self.session.add(item)
            counts.created += 1
        else:
            changed = self._update(existing, values, custom)
            counts.updated += changed
            counts.unchanged += not changed

    def _own_key(self, file: str, cells: dict[str, str]) -> str:
        """A key for a row without an external id, of what tells it from its namesakes; a second row with it is refused."""
        names = next((names for names in OWN_KEYS[file] if cells.get(names[0])), None)
        if names is None:
            raise Invalid("the row has neither an external_id nor a name")
        key = "|".join((f"{file}:{fold(cells[names[0]])}", *(fold(cells[name]) for name in names[1:] if cells.get(name))))
        if key in self._own_keys:
            raise Invalid(f"another row of this file has the same {join_words(list(names))}; give both an external_id")
        self._own_keys.add(key)
        return key

    def _check(self, noun: str, values: dict[str, Any], existing: Any) -> None:
        """Refuse what the database would: a text longer than its column, an address or code that another record has."""
        for name, value in values.items():
            if isinstance(value, str):
                _check_length(NOUNS[noun], name, value)
        unique = {"user": "email", "product": "code"}.get(noun)
        value = values.get(unique) if unique else None
        if unique is None or value is None:
            return
        model: Any = NOUNS[noun]
        holder = self.session.scalar(select(model.id).where(func.lower(getattr(model, unique)) == value.lower()))
        if holder is not None and (existing is None or holder != existing.id):
            raise Invalid(f"{unique} '{value}' belongs to another {noun}")

    def _existing(self, noun: str, external_id: str) -> Any:
        key = self.known[noun].get(external_id)
        return self.session.get(NOUNS[noun], key) if key is not None else None

    def _create(self, noun: str, external_id: str, values: dict[str, Any], custom: dict[str, Any]) -> Any:
        model: Any = NOUNS[noun]
        record = model(external_id=external_id, **values)
        record.created_at = values.get("created_at") or self.ctx.now
        record.updated_at = self.ctx.now
        record.custom = {key: value for key, value in custom.items() if value is not None}
        self.session.add(record)
        self.session.flush()
        self.known[noun][external_id] = record.id
        label = str(getattr(record, "name", None) or getattr(record, "subject", ""))
        if noun != "activity":
            self.names[noun].setdefault(fold(label), []).append(record.id)
        return record

    def _update(self, record: Any, values: dict[str, Any], custom: dict[str, Any]) -> bool:
        changed = False
        for name, value in values.items():
            if value is not None and getattr(record, name) != value:
                setattr(record, name, value)
                changed = True
        merged = {**record.custom, **{key: value for key, value in custom.items() if value is not None}}
        if merged != record.custom:
            record.custom = merged
            changed = True
        if changed:
            record.updated_at = self.ctx.now
            self.session.flush()
        return changed

    def _user(self, cells: dict[str, str], _counts: Counts, old: Any) -> dict[str, Any]:
        name = self._required(cells, "name")
        role = cells.get("role") or None
        if role not in (None, "readonly", "rep", "manager", "admin"):
            raise Invalid(f"role '{role}' is none of readonly, rep, manager, admin")
        values = {
            "name": name,
            "email": check_email(cells["email"]) if cells.get("email") else None,
            "role": role,
            "team_id": team_id(self.ctx, cells.get("team")),
        }
        if old is None:
            values["email"] = values["email"] or f"{fold(name).replace(' ', '.')}@imported.invalid"
            values |= {"role": role or "rep", "active": True}
        return values

    def _company(self, cells: dict[str, str], counts: Counts, _old: Any) -> dict[str, Any]:
        return {
            "name": self._required(cells, "name"),
            "domain": cells.get("domain") or None,
            "phone": self._phone(cells),
            "industry": self._word("company", "industry", cells),
            "region": self._word("company", "region", cells),
            "country": cells.get("country") or None,
            "city": cells.get("city") or None,
            "employees": self._whole(cells, "employees"),
            "annual_revenue_minor": self._money(cells, "annual_revenue", self.ctx.home_currency),
            "owner_id": self._reference("user", cells, "owner"),
            "created_at": self._instant(cells, "created_on"),
        } | ({"parent_id": self._reference("company", cells, "parent", later=counts)} if cells.get("parent") else {})

    def _contact(self, cells: dict[str, str], _counts: Counts, _old: Any) -> dict[str, Any]:
        return {
            "name": self._required(cells, "name"),
            "title": cells.get("title") or None,
            "email": check_email(cells["email"]) if cells.get("email") else None,
            "phone": self._phone(cells),
            "city": cells.get("city") or None,
            "company_id": self._reference("company", cells, "company"),
            "owner_id": self._reference("user", cells, "owner"),
            "consent_email": self._truth(cells, "consent_email"),
            "consent_phone": self._truth(cells, "consent_phone"),
            "created_at": self._instant(cells, "created_on"),
        }

    def _product(self, cells: dict[str, str], _counts: Counts, old: Any) -> dict[str, Any]:
        values = {"name": self._required(cells, "name"), "code": cells.get("code") or None, "family": cells.get("family") or None}
        return values if old is not None else values | {"active": True}

    def _lead(self, cells: dict[str, str], _counts: Counts, old: Any) -> dict[str, Any]:
        return {
            "name": self._required(cells, "name"),
            "company_name": cells.get("company_name") or None,
            "title": cells.get("title") or None,
            "email": check_email(cells["email"]) if cells.get("email") else None,
            "phone": self._phone(cells),
            "source": self._word("lead", "source", cells),
            "status": self._word("lead", "status", cells) or (None if old else "New"),
            "region": cells.get("region") or None,
            "owner_id": self._reference("user", cells, "owner"),
            "created_at": self._instant(cells, "created_on"),
            "first_response_at": self._instant(cells, "first_response_on"),
        }

    def _deal(self, cells: dict[str, str], counts: Counts, old: Any) -> dict[str, Any]:
        stage = self._stage(cells) if old is None or cells.get("stage") else self.session.get_one(Stage, old.stage_id)
        currency = check_currency(cells["currency"]) if cells.get("currency") else (old.currency if old else self.ctx.home_currency)
        if currency not in rates(self.ctx):
            raise Invalid(f"there is no exchange rate for {currency}")
        if old is not None and currency != old.currency and (not cells.get("amount") and old.amount_minor is not None or old.line_items):
            raise Invalid(f"the deal is in {old.currency}; a new currency needs the amount in it, and a deal with products keeps its own")
        created, closed = self._instant(cells, "created_on"), self._instant(cells, "closed_on")
        if closed is None and old is not None and stage.kind != "open":
            closed = old.closed_at
        if stage.kind != "open" and closed is None:
            raise Invalid(f"the deal is {stage.kind} but has no closed_on")
        if stage.kind == "open" and closed is not None:
            raise Invalid(f"the deal has a closed_on but its stage {stage.name} is open")
        if old is not None and old.closed_at is not None and stage.kind == "open":
            old.closed_at = None  # back in work: an empty cell cannot say so
        if created is None and old is not None and closed and closed < old.created_at:
            raise Invalid(f"closed_on {cells.get('closed_on')} is before the day on which the deal was created, {old.created_at.date()}")
        if created and closed and closed < created:
            raise Invalid(f"closed_on {cells['closed_on']} is before created_on {cells['created_on']}")
        if created is None and old is None:
            counts.note("deals without a created day; the closed day or the day of import was taken")
        return {
            "name": self._required(cells, "name"),
            "company_id": self._reference("company", cells, "company"),
            "pipeline_id": stage.pipeline_id,
            "stage_id": stage.id,
            "status": stage.kind,
            "amount_minor": self._money(cells, "amount", currency),
            "currency": currency,
            "expected_close_on": self._day(cells, "expected_close_on"),
            "closed_at": closed,
            "forecast_category": self._word("deal", "forecast_category", cells),
            "source": self._word("deal", "source", cells),
            "loss_reason": self._word("deal", "loss_reason", cells),
            "next_step": cells.get("next_step") or None,
            "owner_id": self._reference("user", cells, "owner"),
            "created_at": created or (None if old else closed),
        }

    def _ticket(self, cells: dict[str, str], _counts: Counts, old: Any) -> dict[str, Any]:
        return {
            "subject": self._required(cells, "subject"),
            "description": cells.get("description") or (None if old else ""),
            "status": self._word("ticket", "status", cells, "resolved" if cells.get("resolved_on") else "open") or (None if old else "Open"),
            "priority": self._word("ticket", "priority", cells),
            "category": self._word("ticket", "category", cells),
            "company_id": self._reference("company", cells, "company"),
            "contact_id": self._reference("contact", cells, "contact"),
            "owner_id": self._reference("user", cells, "owner"),
            "created_at": self._instant(cells, "created_on"),
            "first_response_at": self._instant(cells, "first_response_on"),
            "resolved_at": self._instant(cells, "resolved_on"),
        }

    def _activity(self, cells: dict[str, str], _counts: Counts, old: Any) -> dict[str, Any]:
        kind = cells.get("kind", "").lower() or (old.kind if old else "note")
        if kind not in ("call", "email", "meeting", "note", "task"):
            raise Invalid(f"kind '{cells['kind']}' is none of call, email, meeting, note, task")
        direction = cells.get("direction", "").lower() or None
        if direction not in (None, "inbound", "outbound"):
            raise Invalid(f"direction '{cells['direction']}' is neither inbound nor outbound")
        occurred = self._instant(cells, "occurred_on") or (None if old else self.ctx.now)
        return {
            "kind": kind,
            "subject": self._required(cells, "subject"),
            "body": cells.get("body") or (None if old else ""),
            "direction": direction,
            "outcome": self._word("activity", "outcome", cells),
            "occurred_at": occurred,
            "created_at": occurred,
            "due_on": self._day(cells, "due_on"),
            "completed_at": self._instant(cells, "completed_on"),
            "duration_minutes": self._whole(cells, "duration_minutes"),
            "owner_id": self._reference("user", cells, "owner"),
            "company_id": self._reference("company", cells, "company"),
            "contact_id": self._reference("contact", cells, "contact"),
            "deal_id": self._reference("deal", cells, "deal"),
        }

    def _attachments(self, noun: str, values: dict[str, Any], cells: dict[str, str], counts: Counts) -> list[Any]:
        """Rows that belong to a new record: a product's price, a deal's product and person, a contact's employment."""
        if noun == "product" and cells.get("price"):
            currency = check_currency(cells["currency"]) if cells.get("currency") else self.ctx.home_currency
            return [Price(currency=currency, amount_minor=self._money(cells, "price", currency), valid_from=date(1970, 1, 1))]
        if noun == "contact" and values["company_id"]:
            return [Employment(company_id=values["company_id"], title=values["title"])]
        if noun != "deal":
            return []
        attached: list[Any] = []
        product, contact = self._reference("product", cells, "product"), self._reference("contact", cells, "contact")
        if product is not None:
            quantity, total = self._whole(cells, "quantity") or 1, values["amount_minor"] or 0
            attached.append(LineItem(product_id=product, quantity=quantity, unit_price_minor=total // quantity, total_minor=total))
        if contact is not None:
            role = cells.get("contact_role") or "contact"
            _check_length(DealContact, "role", role)
            attached.append(DealContact(contact_id=contact, role=role))
        if values["company_id"] is None:
            counts.note("deals without a company")
        return attached
