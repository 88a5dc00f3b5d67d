"""Rights: nothing outside a role's rows is shown, counted, found or changed, whatever the noun, role and scope."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select

from crm_core.access import (
    DEFAULT_GRANTS,
    EVERYBODYS,
    OWNED,
    Actor,
    describe_scope,
    load_actor,
    may_change,
    may_read,
    teams_below,
)
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid, NotAllowed, NotFound
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListPage, ListQuestion, list_records, rows_behind
from crm_core.metrics.query import ask
from crm_core.metrics.question import MetricQuestion
from crm_core.models import NOUNS, ROLES, SCOPES, Grant, SearchEntry, User
from crm_core.services import (
    activities,
    companies,
    contacts,
    deals,
    leads,
    products,
    records,
    search,
    tickets,
    users,
)
from crm_core.services.records import (
    ArchiveRecord,
    Reassign,
    archive_record,
    reassign,
    restore_record,
)
from tests.factories import MARKS, NOW, OWNERS, World

NOUN_NAMES = tuple(NOUNS)
#: Rows of the rep (team Sales, with Sales North below it) by scope.
IN_SCOPE = {"none": (), "own": ("rep",), "team": ("rep", "colleague", "junior"), "all": OWNERS}
COUNTS = {
    "company": "companies",
    "contact": "contacts",
    "lead": "leads",
    "deal": "deals",
    "ticket": "tickets_opened",
    "activity": "activities",
}
GETTERS: dict[str, Callable[[Context, int], Any]] = {
    "company": lambda ctx, key: companies.get_company(ctx, companies.GetCompany(id=key)),
    "contact": lambda ctx, key: contacts.get_contact(ctx, contacts.GetContact(id=key)),
    "lead": lambda ctx, key: leads.get_lead(ctx, leads.GetLead(id=key)),
    "deal": lambda ctx, key: deals.get_deal(ctx, deals.GetDeal(id=key)),
    "ticket": lambda ctx, key: tickets.get_ticket(ctx, tickets.GetTicket(id=key)),
    "activity": lambda ctx, key: activities.get_activity(ctx, activities.GetActivity(id=key)),
    "product": lambda ctx, key: products.get_product(ctx, products.GetProduct(id=key)),
    "user": lambda ctx, key: users.get_user(ctx, users.GetUser(id=key)),
}
UPDATES: dict[str, Callable[[Context, int], Any]] = {
    "company": lambda ctx, key: companies.update_company(ctx, companies.UpdateCompany(id=key, city="Elsewhere")),
    "contact": lambda ctx, key: contacts.update_contact(ctx, contacts.UpdateContact(id=key, city="Elsewhere")),
    "lead": lambda ctx, key: leads.update_lead(ctx, leads.UpdateLead(id=key, title="Elsewhere")),
    "deal": lambda ctx, key: deals.update_deal(ctx, deals.UpdateDeal(id=key, next_step="Elsewhere")),
    "ticket": lambda ctx, key: tickets.update_ticket(ctx, tickets.UpdateTicket(id=key, subject="Elsewhere")),
    "activity": lambda ctx, key: activities.update_activity(ctx, activities.UpdateActivity(id=key, subject="Elsewhere")),
    "product": lambda ctx, key: products.update_product(ctx, products.UpdateProduct(id=key, name="Elsewhere")),
    "user": lambda ctx, key: users.update_user(ctx, users.UpdateUser(id=key, name="Elsewhere")),
}
#: The other verbs that change a record, each tried on rows that the caller may see but not change.
FURTHER_VERBS: dict[str, tuple[str, Callable[[Context, int, World], Any]]] = {
    "move_deal": ("deal", lambda ctx, key, _w: deals.move_deal(ctx, deals.MoveDeal(id=key, stage="Haggling"))),
    "win_deal": ("deal", lambda ctx, key, _w: deals.win_deal(ctx, deals.WinDeal(id=key))),
    "lose_deal": ("deal", lambda ctx, key, _w: deals.lose_deal(ctx, deals.LoseDeal(id=key, reason="Too dear"))),
    "reopen_deal": ("deal", lambda ctx, key, _w: deals.reopen_deal(ctx, deals.ReopenDeal(id=key))),
    "set_deal_contact": (
        "deal",
        lambda ctx, key, w: deals.set_deal_contact(ctx, deals.SetDealContact(id=key, contact_id=w.row("contact"), role="boss")),
    ),
    "add_line_item": (
        "deal",
        lambda ctx, key, w: deals.add_line_item(ctx, deals.AddLineItem(id=key, product_id=w.products["Wick"], quantity=1)),
    ),
    "convert_lead": ("lead", lambda ctx, key, _w: leads.convert_lead(ctx, leads.ConvertLead(id=key))),
    "answer_ticket": ("ticket", lambda ctx, key, _w: tickets.answer_ticket(ctx, tickets.AnswerTicket(id=key))),
    "resolve_ticket": ("ticket", lambda ctx, key, _w: tickets.resolve_ticket(ctx, tickets.ResolveTicket(id=key))),
    "complete_task": ("activity", lambda ctx, key, _w: activities.complete_task(ctx, activities.CompleteTask(id=key))),
    "set_price": ("product", lambda ctx, key, _w: products.set_price(ctx, products.SetPrice(id=key, amount=1))),
}


def rep_with(world: World, role: str = "rep", *, reads: dict[str, str] | None = None, writes: dict[str, str] | None = None) -> Actor:
    """The rep in a role, who may read and change everything but what is said otherwise."""
    everything = dict.fromkeys(NOUNS, "all")
    return world.actor("rep", role=role, reads=everything | (reads or {}), writes=everything | (writes or {}))


def shown(world: World, noun: str, scope: str) -> set[int]:
    """Ids of the noun's rows that the rep should reach in a scope."""
    if noun in EVERYBODYS:
        return set() if scope == "none" else set(world.rows[noun].values())
    return {world.row(noun, owner) for owner in IN_SCOPE[scope]}


def hidden(world: World, noun: str, scope: str) -> set[int]:
    """Ids that it should not reach."""
    return set(world.rows[noun].values()) - shown(world, noun, scope)


every_noun = pytest.mark.parametrize("noun", NOUN_NAMES)
every_role = pytest.mark.parametrize("role", ROLES)
every_scope = pytest.mark.parametrize("scope", SCOPES)


@every_scope
@every_role
@every_noun
class TestReading:
    def test_lists_hold_the_rows_in_scope_and_no_others(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            result = list_records(ctx, ListQuestion(noun=noun, limit=200))
        assert set(result.ids) == shown(shared_world, noun, scope)
        assert result.total == len(result.ids)

    def test_filters_by_number_reach_no_further(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        wanted: list[Any] = sorted(set(shared_world.rows[noun].values()))
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            result = list_records(ctx, ListQuestion(noun=noun, filters=[Filter(field="id", values=wanted)], limit=200))
        assert set(result.ids) == shown(shared_world, noun, scope)

    def test_reading_one_tells_hidden_and_missing_rows_alike(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            for key in shown(shared_world, noun, scope):
                assert GETTERS[noun](ctx, key).id == key
            for key in [*hidden(shared_world, noun, scope), 987_654]:
                with pytest.raises(NotFound, match=f"There is no {noun} {key} that you can see"):
                    GETTERS[noun](ctx, key)

    def test_timelines_open_for_rows_in_scope_only(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            for key in shown(shared_world, noun, scope):
                assert activities.timeline(ctx, activities.Timeline(noun=noun, id=key)).entries
            for key in hidden(shared_world, noun, scope):
                with pytest.raises(NotFound):
                    activities.timeline(ctx, activities.Timeline(noun=noun, id=key))

    def test_timelines_of_others_show_no_hidden_rows(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        out = hidden(shared_world, noun, scope)
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            for other in NOUN_NAMES:
                for key in set(shared_world.rows[other].values()) if other != noun else shown(shared_world, noun, scope):
                    view = activities.timeline(ctx, activities.Timeline(noun=other, id=key, limit=200))
                    assert not {entry.id for entry in view.entries if entry.noun == noun} & out
                    if noun == "activity":
                        assert view.total_activities == sum(entry.noun == "activity" and entry.kind == "call" for entry in view.entries)


@every_scope
@every_role
@pytest.mark.parametrize("noun", search.SEARCHED)
class TestSearching:
    def test_search_finds_the_rows_in_scope_and_counts_no_others(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            exact = search.find_records(ctx, search.FindRecords(text=MARKS[noun], nouns=[noun]))
            fuzzy = search.find_records(ctx, search.FindRecords(text=MARKS[noun][:-1] + "z", nouns=[noun]))
        assert {match.id for match in exact.matches} <= shown(shared_world, noun, scope)
        assert bool(exact.matches) == (scope != "none")
        assert exact.total == len(exact.matches)
        assert {match.id for match in fuzzy.matches} <= shown(shared_world, noun, scope)


@every_scope
@every_role
@pytest.mark.parametrize("noun", COUNTS)
class TestCounting:
    def test_figures_count_the_rows_in_scope_only(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, role, reads={noun: scope})) as ctx:
            question = MetricQuestion(metric=COUNTS[noun])
            result = ask(ctx, question)
            behind = rows_behind(ctx, question, ListPage(limit=200))
            grouped = ask(ctx, question.model_copy(update={"group_by": ["owner"]}))
        expected = shown(shared_world, noun, scope)
        assert result.value == result.counted == len(expected)
        assert (set(behind.ids), behind.total) == (expected, len(expected))
        assert sum(group.value or 0 for group in grouped.groups) == len(expected)
        assert result.scope == describe_scope(ctx, noun)


@every_scope
@every_role
@every_noun
class TestChanging:
    def test_updates_outside_the_scope_are_refused(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        actor = rep_with(shared_world, role, writes={noun: scope})
        for key in hidden(shared_world, noun, scope):
            with pytest.raises(NotAllowed), shared_world.write(actor) as ctx:
                UPDATES[noun](ctx, key)

    def test_updates_inside_the_scope_are_made(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        actor = rep_with(shared_world, role, writes={noun: scope})
        for key in shown(shared_world, noun, scope):
            if noun in EVERYBODYS and role != "admin":
                with pytest.raises(NotAllowed, match="Only an administrator may"), shared_world.write(actor) as ctx:
                    UPDATES[noun](ctx, key)
            else:
                with shared_world.write(actor) as ctx:
                    assert UPDATES[noun](ctx, key).version == 2

    def test_archiving_is_refused_outside_and_done_inside(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        actor = rep_with(shared_world, role, writes={noun: scope})
        for verb in (archive_record, restore_record):
            for key in hidden(shared_world, noun, scope):
                with pytest.raises(NotAllowed), shared_world.write(actor) as ctx:
                    verb(ctx, ArchiveRecord(noun=noun, id=key))
        if noun == "user":
            return
        for key in shown(shared_world, noun, scope):
            with shared_world.write(actor) as ctx:
                archive_record(ctx, ArchiveRecord(noun=noun, id=key))
                assert key not in list_records(ctx, ListQuestion(noun=noun, limit=200)).ids

    def test_reassigning_is_refused_outside_and_done_inside(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        actor = rep_with(shared_world, role, writes={noun: scope})
        to = shared_world.users["stranger"]
        if noun in EVERYBODYS:
            with pytest.raises(Invalid, match="has no owner"), shared_world.write(actor) as ctx:
                reassign(ctx, Reassign(noun=noun, id=1, owner_id=to))
            return
        for key in hidden(shared_world, noun, scope):
            with pytest.raises(NotAllowed), shared_world.write(actor) as ctx:
                reassign(ctx, Reassign(noun=noun, id=key, owner_id=to))
        for key in shown(shared_world, noun, scope):
            with shared_world.write(actor) as ctx:
                reassign(ctx, Reassign(noun=noun, id=key, owner_id=to))
                assert ctx.session.get_one(NOUNS[noun], key).owner_id == to  # type: ignore[attr-defined]

    def test_rows_that_may_be_changed_but_not_read_are_not_found(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        for key in hidden(shared_world, noun, scope):
            with (
                pytest.raises((NotFound, NotAllowed)) as caught,
                shared_world.write(rep_with(shared_world, role, reads={noun: scope})) as ctx,
            ):
                archive_record(ctx, ArchiveRecord(noun=noun, id=key))
            assert isinstance(caught.value, NotFound)

    def test_the_rule_for_loaded_rows_agrees_with_the_one_in_sql(self, shared_world: World, noun: str, role: str, scope: str) -> None:
        actor = rep_with(shared_world, role, reads={noun: scope}, writes={noun: scope})
        with shared_world.read(actor) as ctx:
            for key in set(shared_world.rows[noun].values()):
                record = ctx.session.get_one(NOUNS[noun], key)
                allowed = key in shown(shared_world, noun, scope)
                assert (may_read(ctx, record), may_change(ctx, record)) == (allowed, allowed)


@every_scope
@pytest.mark.parametrize("verb", FURTHER_VERBS)
class TestFurtherVerbs:
    def test_each_is_refused_outside_the_scope(self, shared_world: World, verb: str, scope: str) -> None:
        noun, call = FURTHER_VERBS[verb]
        role = "admin" if noun == "product" else "rep"
        for key in hidden(shared_world, noun, scope):
            with (
                pytest.raises(NotAllowed, match="not change it"),
                shared_world.write(rep_with(shared_world, role, writes={noun: scope})) as ctx,
            ):
                call(ctx, key, shared_world)
            with pytest.raises(NotFound), shared_world.write(rep_with(shared_world, role, reads={noun: scope})) as ctx:
                call(ctx, key, shared_world)


class TestCreating:
    CREATE: dict[str, Callable[[Context, int | None], Any]] = {
        "company": lambda ctx, owner: companies.create_company(ctx, companies.CreateCompany(name="New", owner_id=owner)),
        "contact": lambda ctx, owner: contacts.create_contact(ctx, contacts.CreateContact(name="New", owner_id=owner)),
        "lead": lambda ctx, owner: leads.create_lead(ctx, leads.CreateLead(name="New", owner_id=owner)),
        "deal": lambda ctx, owner: deals.create_deal(ctx, deals.CreateDeal(name="New", owner_id=owner)),
        "ticket": lambda ctx, owner: tickets.create_ticket(ctx, tickets.CreateTicket(subject="New", owner_id=owner)),
        "activity": lambda ctx, owner: activities.add_task(ctx, activities.AddTask(subject="New", owner_id=owner)),
    }

    @pytest.mark.parametrize("noun", CREATE)
    def test_without_a_right_to_change_nothing_can_be_created(self, shared_world: World, noun: str) -> None:
        with (
            pytest.raises(NotAllowed, match="may not create"),
            shared_world.write(rep_with(shared_world, writes={noun: "none"})) as ctx,
        ):
            self.CREATE[noun](ctx, None)

    @pytest.mark.parametrize("noun", CREATE)
    @pytest.mark.parametrize(
        ("scope", "owner", "allowed"),
        [
            ("own", "rep", True),
            ("own", "colleague", False),
            ("team", "junior", True),
            ("team", "stranger", False),
            ("all", "stranger", True),
        ],
    )
    def test_a_new_row_lies_in_the_scope(self, shared_world: World, noun: str, scope: str, owner: str, allowed: bool) -> None:
        actor = rep_with(shared_world, writes={noun: scope})
        if allowed or noun == "activity":  # a task may be given to a colleague
            with shared_world.write(actor) as ctx:
                assert self.CREATE[noun](ctx, shared_world.users[owner]).owner_id == shared_world.users[owner]
        else:
            with pytest.raises(NotAllowed), shared_world.write(actor) as ctx:
                self.CREATE[noun](ctx, shared_world.users[owner])

    @pytest.mark.parametrize("noun", ["product", "user"])
    @pytest.mark.parametrize("role", ["readonly", "rep", "manager"])
    def test_only_an_administrator_adds_products_and_users(self, shared_world: World, noun: str, role: str) -> None:
        with (
            pytest.raises(NotAllowed, match="Only an administrator may"),
            shared_world.write(rep_with(shared_world, role)) as ctx,
        ):
            if noun == "product":
                products.create_product(ctx, products.CreateProduct(name="New"))
            else:
                users.create_user(ctx, users.CreateUser(name="New", email="new@lantern.test"))

    @pytest.mark.parametrize("noun", ["company", "contact", "deal", "lead", "ticket"])
    def test_a_hidden_row_cannot_be_linked_to(self, shared_world: World, noun: str) -> None:
        link: dict[str, Any] = {f"{noun}_id": shared_world.row(noun, "stranger")}
        with pytest.raises(NotFound), shared_world.write(rep_with(shared_world, reads={noun: "team"})) as ctx:
            activities.log_activity(ctx, activities.LogActivity(kind="note", subject="Peek", **link))

    def test_a_hidden_contact_cannot_take_part(self, shared_world: World) -> None:
        with pytest.raises(NotFound), shared_world.write(rep_with(shared_world, reads={"contact": "own"})) as ctx:
            activities.log_activity(
                ctx,
                activities.LogActivity(kind="note", subject="Peek", participant_ids=[shared_world.row("contact", "stranger")]),
            )


def _everything_shown(ctx: Context, world: World, without: str) -> str:
    """All text that a caller can read of the nouns but one, by each door of the core."""
    parts: list[Any] = []
    for noun in NOUN_NAMES:
        if noun == without:
            continue
        parts.append([row for row in list_records(ctx, ListQuestion(noun=noun, limit=200)).rows])
        for key in set(world.rows[noun].values()):
            parts.append(GETTERS[noun](ctx, key).model_dump())
            parts.append(activities.timeline(ctx, activities.Timeline(noun=noun, id=key, limit=200)).model_dump())
    parts.append(search.find_records(ctx, search.FindRecords(text=MARKS[without], limit=100)).model_dump())
    for mark in MARKS.values():
        if mark != MARKS[without]:
            parts.append(search.find_records(ctx, search.FindRecords(text=mark, limit=100)).model_dump())
    fields = {
        "company": "deals",
        "owner": "deals",
        "contact": "tickets_opened",
        "deal": "activities",
        "product": "product_revenue",
    }
    for name, metric in fields.items():
        parts.append([group.labels for group in ask(ctx, MetricQuestion(metric=metric, group_by=[name])).groups])
    return repr(parts)


class TestNeighbours:
    @pytest.mark.parametrize("scope", ["none", "own"])
    @pytest.mark.parametrize("noun", OWNED)
    def test_a_hidden_row_is_not_named_by_its_neighbours(self, shared_world: World, noun: str, scope: str) -> None:
        with shared_world.read(rep_with(shared_world, reads={noun: scope})) as ctx:
            text = _everything_shown(ctx, shared_world, noun)
        for owner in OWNERS:
            if owner not in IN_SCOPE[scope]:
                with shared_world.read() as ctx:
                    record = ctx.session.get_one(NOUNS[noun], shared_world.row(noun, owner))
                    name = getattr(record, "name", None) or record.subject  # type: ignore[attr-defined]
                assert name not in text

    # Once a fault: deal_view names products, and every view, timeline and user_name() names people, without asking the rights.
    @pytest.mark.parametrize("noun", EVERYBODYS)
    def test_products_and_people_are_not_named_to_who_may_not_read_them(self, shared_world: World, noun: str) -> None:
        with shared_world.read(rep_with(shared_world, reads={noun: "none"})) as ctx:
            assert MARKS[noun] not in _everything_shown(ctx, shared_world, noun)

    def test_fields_of_a_hidden_company_match_and_group_nothing(self, shared_world: World) -> None:
        with shared_world.read(rep_with(shared_world, reads={"company": "none"})) as ctx:
            by_industry = ask(ctx, MetricQuestion(metric="deals", group_by=["industry"]))
            cheese = list_records(ctx, ListQuestion(noun="deal", filters=[Filter(field="industry", op="not_empty")]))
        assert [(group.keys, group.labels) for group in by_industry.groups] == [((None,), ("(none)",))]
        assert cheese.total == 0

    def test_hidden_activities_tell_no_last_activity(self, shared_world: World) -> None:
        with shared_world.read(rep_with(shared_world, reads={"activity": "own"})) as ctx:
            touched = list_records(ctx, ListQuestion(noun="deal", filters=[Filter(field="last_activity", op="not_empty")]))
        assert touched.ids == [shared_world.row("deal", "rep")]

    def test_a_hidden_name_is_refused_like_one_that_does_not_exist(self, shared_world: World) -> None:
        messages = []
        with shared_world.read(rep_with(shared_world, reads={"company": "own"})) as ctx:
            for name in ("Stranger Harbour Optics", "No Such Optics"):
                with pytest.raises(Invalid) as caught:
                    ask(ctx, MetricQuestion(metric="deals", filters=[Filter(field="company", values=[name])]))
                messages.append(str(caught.value).replace(name, "X"))
        assert messages[0] == messages[1]

    # Once a fault: _in_use selects distinct(column), which SQLAlchemy 2.1 warns of; select(column).distinct() is meant.
    def test_values_in_use_in_hidden_rows_are_not_offered(self, world: World) -> None:
        with world.write() as ctx:
            companies.update_company(ctx, companies.UpdateCompany(id=world.row("company", "stranger"), country="Atlantis"))
        with world.read(rep_with(world, reads={"company": "own"})) as ctx:
            result = list_records(ctx, ListQuestion(noun="company", filters=[Filter(field="country", values=["Nowhere"])]))
            assert result.total == 0
        with world.read() as ctx, pytest.raises(Invalid, match="it can be Atlantis"):
            list_records(ctx, ListQuestion(noun="company", filters=[Filter(field="country", values=["Nowhere"])]))

    def test_customers_are_known_only_by_deals_that_one_may_see(self, world: World) -> None:
        with world.write("system") as ctx:
            for owner in ("rep", "stranger"):
                deals.win_deal(ctx, deals.WinDeal(id=world.row("deal", owner)))
        with world.read(rep_with(world, reads={"deal": "team"}), now=NOW + timedelta(hours=1)) as ctx:
            assert ask(ctx, MetricQuestion(metric="customers")).value == 1
        with world.read(rep_with(world), now=NOW + timedelta(hours=1)) as ctx:
            assert ask(ctx, MetricQuestion(metric="customers")).value == 2

    @pytest.mark.parametrize(("scope", "total"), [("none", 0), ("own", 1), ("team", 11), ("all", 111)])
    def test_targets_follow_the_rights_on_deals(self, world: World, scope: str, total: int) -> None:
        from tests.factories import QUARTER, Maker

        with world.write() as ctx:
            for key, minor in (("rep", 1), ("junior", 10), ("stranger", 100)):
                Maker(ctx).target(ctx.session.get_one(User, world.users[key]), *QUARTER, minor)
        with world.read(rep_with(world, reads={"deal": scope})) as ctx:
            assert ask(ctx, MetricQuestion(metric="target")).value == total


class TestShippedRights:
    @pytest.mark.parametrize("noun", OWNED)
    def test_a_rep_sees_the_team_and_changes_the_own(self, shared_world: World, noun: str) -> None:
        scope = "all" if noun in ("company", "contact") else "team"
        with shared_world.read("rep") as ctx:
            assert set(list_records(ctx, ListQuestion(noun=noun, limit=200)).ids) == shown(shared_world, noun, scope)
        for owner in OWNERS[1:]:
            with pytest.raises((NotAllowed, NotFound)), shared_world.write("rep") as ctx:
                UPDATES[noun](ctx, shared_world.row(noun, owner))
        with shared_world.write("rep") as ctx:
            assert UPDATES[noun](ctx, shared_world.row(noun)).version == 2

    @pytest.mark.parametrize("noun", OWNED)
    def test_a_manager_changes_the_team_below_but_no_other(self, shared_world: World, noun: str) -> None:
        for owner in ("rep", "colleague", "junior"):
            with shared_world.write("manager") as ctx:
                assert UPDATES[noun](ctx, shared_world.row(noun, owner)).version == 2
        for owner in ("stranger", "nobody"):
            with pytest.raises((NotAllowed, NotFound)), shared_world.write("manager") as ctx:
                UPDATES[noun](ctx, shared_world.row(noun, owner))

    @pytest.mark.parametrize("noun", [noun for noun in OWNED if noun not in ("company", "contact")])
    def test_a_team_below_does_not_see_the_team_above(self, shared_world: World, noun: str) -> None:
        with shared_world.read("junior") as ctx:
            assert list_records(ctx, ListQuestion(noun=noun)).ids == [shared_world.row(noun, "junior")]

    @every_noun
    def test_readonly_sees_all_and_changes_nothing(self, shared_world: World, noun: str) -> None:
        with shared_world.read("readonly") as ctx:
            assert set(list_records(ctx, ListQuestion(noun=noun, limit=200)).ids) == set(shared_world.rows[noun].values())
        for key in set(shared_world.rows[noun].values()):
            with pytest.raises(NotAllowed), shared_world.write("readonly") as ctx:
                UPDATES[noun](ctx, key)
            with pytest.raises(NotAllowed), shared_world.write("readonly") as ctx:
                archive_record(ctx, ArchiveRecord(noun=noun, id=key))

    @every_noun
    def test_an_administrator_sees_and_changes_all(self, shared_world: World, noun: str) -> None:
        for key in set(shared_world.rows[noun].values()):
            with shared_world.write("admin") as ctx:
                assert UPDATES[noun](ctx, key).version == 2

    def test_every_noun_and_role_has_a_grant(self, engine: Engine) -> None:
        with unit_of_work(engine, Actor(None, "", "", "admin", "UTC"), write=False) as ctx:
            stored = {(row.noun, row.role): (row.read_scope, row.write_scope) for row in ctx.session.scalars(select(Grant))}
        assert stored == {(noun, role): scopes for noun, roles in DEFAULT_GRANTS.items() for role, scopes in roles.items()}
        assert {noun for noun, _role in stored} == set(NOUNS)


class TestLoadActor:
    def test_a_missing_grant_hides_the_noun(self, world: World) -> None:
        with world.write("admin") as ctx:
            ctx.session.execute(delete(Grant).where(Grant.role == "rep", Grant.noun == "deal"))
            users.touch_access(ctx)
        with world.read("rep") as ctx:
            assert list_records(ctx, ListQuestion(noun="deal")).total == 0
        with pytest.raises(NotFound), world.write("rep") as ctx:
            UPDATES["deal"](ctx, world.row("deal"))

    @every_scope
    def test_a_changed_grant_holds_at_the_next_call(self, world: World, scope: Any) -> None:
        with world.read("rep") as ctx:
            assert list_records(ctx, ListQuestion(noun="deal")).total == 3
        with world.write("admin") as ctx:
            users.set_grant(ctx, users.SetGrant(role="rep", noun="deal", read=scope, write="none"))
        with world.read("rep") as ctx:
            assert set(list_records(ctx, ListQuestion(noun="deal")).ids) == shown(world, "deal", scope)

    def test_a_user_without_a_team_has_only_the_own_rows_in_team_scope(self, world: World) -> None:
        with world.write("admin") as ctx:
            users.update_user(ctx, users.UpdateUser(id=world.users["rep"], team=None))
        with world.read("rep") as ctx:
            assert ctx.actor.member_ids == (world.users["rep"],)
            assert list_records(ctx, ListQuestion(noun="deal")).ids == [world.row("deal")]

    def test_moving_a_user_to_another_team_moves_what_they_see(self, world: World) -> None:
        with world.read("rep") as ctx:
            assert ctx.actor.team_id == world.teams["Sales"]
        with world.write("admin") as ctx:
            users.update_user(ctx, users.UpdateUser(id=world.users["rep"], team="service"))
        with world.read("rep") as ctx:
            assert set(list_records(ctx, ListQuestion(noun="deal")).ids) == {
                world.row("deal"),
                world.row("deal", "stranger"),
            }

    def test_an_inactive_user_is_refused_at_the_next_call(self, world: World) -> None:
        with world.read("rep"):
            pass
        with world.write("admin") as ctx:
            users.update_user(ctx, users.UpdateUser(id=world.users["rep"], active=False))
        with pytest.raises(NotFound, match="no longer active; ask an administrator"), world.read("rep"):
            pass

    # Once a fault: archive_record does not raise access_version, so the kept actor goes on working.
    def test_an_archived_user_is_refused_at_the_next_call(self, world: World) -> None:
        with world.read("rep"):
            pass
        with world.write("admin") as ctx:
            archive_record(ctx, ArchiveRecord(noun="user", id=world.users["rep"]))
        with pytest.raises(NotFound, match="no longer active"), world.read("rep"):
            pass

    def test_an_unknown_user_is_refused(self, shared_world: World) -> None:
        with pytest.raises(NotFound), unit_of_work(shared_world.engine, 987_654, write=False):
            pass

    def test_teams_below_survive_a_circle(self, world: World) -> None:
        from crm_core.models import Team

        with world.write() as ctx:
            ctx.session.get_one(Team, world.teams["Sales"]).parent_id = world.teams["Sales North"]
        with world.read() as ctx:
            assert teams_below(ctx.session, world.teams["Sales"]) == {world.teams["Sales"], world.teams["Sales North"]}

    def test_two_databases_do_not_share_actors(self, databases: Any, world: World) -> None:
        from tests.factories import build_world

        other, filled = databases.copy("sqlite", "world", build_world)
        try:
            with filled.on(other).write("admin") as ctx:
                users.update_user(ctx, users.UpdateUser(id=world.users["rep"], name="Other Person"))
            with filled.on(other).read("rep") as ctx:
                assert ctx.actor.name == "Other Person"
            with world.read("rep") as ctx:
                assert load_actor(ctx.session, world.users["rep"]).name == "Renata Seller"
        finally:
            databases.drop(other)


class TestDescribeScope:
    @pytest.mark.parametrize(
        ("scope", "noun", "text"),
        [
            ("all", "deal", "all deals"),
            ("team", "company", "your team's companies"),
            ("own", "activity", "your own activities"),
            ("none", "ticket", "no tickets"),
        ],
    )
    def test_for_people(self, shared_world: World, scope: str, noun: str, text: str) -> None:
        with shared_world.read(rep_with(shared_world, reads={noun: scope})) as ctx:
            assert describe_scope(ctx, noun) == text


def test_archived_rows_leave_the_search_keys(world: World) -> None:
    with world.write() as ctx:
        records.archive_record(ctx, ArchiveRecord(noun="company", id=world.row("company")))
    with world.read() as ctx:
        left = ctx.session.scalars(select(SearchEntry).where(SearchEntry.noun == "company", SearchEntry.record_id == world.row("company")))
        assert list(left) == []
