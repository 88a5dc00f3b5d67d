"""Questions and lists at their edges: refusals, names, notes, time steps with gaps. Figures: test_metric_properties."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.errors import Ambiguous, Invalid
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.filters import Filter, FilterGroup
from crm_core.metrics.listing import ListQuestion, list_records, rows_behind
from crm_core.metrics.query import ask
from crm_core.metrics.question import Days, MetricQuestion, MetricResult
from crm_core.models import Deal, Organisation, Stage, User
from crm_core.money import Rate
from tests.factories import NOW, QUARTER, TODAY, Maker, World


def answer(world: World, metric: str, who: str = "system", **fields: Any) -> MetricResult:
    with world.read(who) as ctx:
        return ask(ctx, MetricQuestion(metric=metric, **fields))


def listed(world: World, noun: str, *conditions: Filter | FilterGroup, **fields: Any) -> Any:
    with world.read() as ctx:
        return list_records(ctx, ListQuestion(noun=noun, filters=list(conditions), **fields))


def won(world: World, *days: datetime, **fields: Any) -> None:
    """Deals of 1 USD each, won at these instants."""
    with world.write() as ctx:
        make = Maker(ctx)
        for at in days:
            values = {"amount_minor": 100, "created_at": at - timedelta(days=9), "closed_at": at, **fields}
            make.deal(ctx.session.get_one(Stage, world.stages["Champagne"]), **values)


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"metric": "happiness"}, "There is no metric 'happiness'; there are activities,"),
            ({"metric": "deals", "group_by": ["colour"]}, "A deal has no field 'colour'; it has age, amount,"),
            (
                {"metric": "deals", "group_by": ["amount"]},
                "cannot be grouped by amount; use a name, a choice or a step of time",
            ),
            ({"metric": "deals", "group_by": ["month", "day"]}, "by one step of time only"),
            ({"metric": "deals", "compare": "previous"}, "All time has nothing before it to compare with"),
            ({"metric": "deals", "filters": [Filter(field="amount", op="between", values=[1])]}, "takes two values"),
            ({"metric": "deals", "filters": [Filter(field="owner")]}, "has no value; give one, or use 'empty'"),
            (
                {"metric": "deals", "filters": [Filter(field="owner", op="at_least", values=[1])]},
                "can only be compared with 'is' or 'is_not'",
            ),
            (
                {"metric": "deals", "filters": [Filter(field="product", op="empty")]},
                "'product' cannot be checked for being empty",
            ),
            ({"metric": "deals", "filters": [Filter(field="created", values=["soon"])]}, "write it like 2026-03-31"),
            ({"metric": "deals", "filters": [Filter(field="age", values=["old"])]}, "'old' is not a number for age"),
            ({"metric": "deals", "filters": [Filter(field="age", values=["nan"])]}, "'nan' is not a number for age"),
            ({"metric": "deals", "filters": [Filter(field="age", values=[2**63])]}, "too large for age"),
            ({"metric": "deals", "filters": [Filter(field="amount", values=["-1"])]}, "cannot be negative"),
            ({"metric": "deals", "filters": [Filter(field="pilot", values=["maybe"])]}, "neither yes nor no"),
            (
                {"metric": "deals", "filters": [Filter(field="source", values=["Rumour"])]},
                "it can be Word of mouth, Trade fair, Website",
            ),
            (
                {"metric": "deals", "filters": [Filter(field="owner", values=["Nobody Here"])]},
                "no user called 'Nobody Here' that you can see",
            ),
            (
                {"metric": "quota_attainment", "group_by": ["stage"]},
                "can only be split or filtered by owner or team|has no field 'stage'",
            ),
            ({"metric": "quota_attainment"}, "No targets are set yet.*import targets first"),
            (
                {"metric": "won_value", "group_by": ["day"], "period": Days(first=date(2020, 1, 1), end=date(2026, 1, 1))},
                "use a longer step",
            ),
        ],
    )
    def test_each_says_what_would_be_accepted(self, shared_world: World, fields: dict[str, Any], message: str) -> None:
        with pytest.raises(Invalid, match=message):
            answer(shared_world, **fields)

    def test_a_target_of_another_length_is_explained(self, world: World) -> None:
        with world.write() as ctx:
            Maker(ctx).target(ctx.session.get_one(User, world.users["rep"]), *QUARTER, 1000)
        with pytest.raises(Invalid, match="targets here span 92 to 92 days. Ask for a whole period that holds one"):
            answer(world, "quota_attainment", period=Days(first=date(2026, 8, 1), end=date(2026, 9, 1)))

    @pytest.mark.parametrize("fields", [{"group_by": ["owner", "stage", "team"]}, {"limit": 0}, {"colour": "red"}, {"filters": [{"any_of": []}]}])
    def test_a_malformed_question_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            MetricQuestion(metric="deals", **fields)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"noun": "moon"}, "no record kind 'moon'; use one of company"),
            ({"noun": "deal", "columns": ["product"]}, "cannot be a column"),
            ({"noun": "deal", "order_by": "product"}, "cannot be sorted by product"),
            ({"noun": "deal", "order_by": "colour"}, "no field 'colour'"),
        ],
    )
    def test_lists_refuse_alike(self, shared_world: World, fields: dict[str, Any], message: str) -> None:
        with pytest.raises(Invalid, match=message), shared_world.read() as ctx:
            list_records(ctx, ListQuestion(**fields))


class TestNames:
    @pytest.mark.parametrize("spoken", ["won_value", "Won value", "bookings", "closed-won value", "  TURNOVER "])
    def test_a_metric_is_known_by_its_words(self, shared_world: World, spoken: str) -> None:
        assert answer(shared_world, spoken).metric == "won_value"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("owner", "renata seller"),
            ("rep", 3),
            ("owner", "3"),
            ("company", "REP harbour optics"),
            ("team", "sales"),
            ("stage", "coffee cake"),
        ],
    )
    def test_people_records_and_stages_are_taken_by_name_or_number(self, shared_world: World, field: str, value: Any) -> None:
        found = listed(shared_world, "deal", Filter(field=field, values=[value]))
        assert shared_world.row("deal") in found.ids
        assert found.total == {"team": 2, "stage": 5}.get(field, 1)

    def test_a_name_of_several_is_asked_back_with_candidates(self, world: World) -> None:
        with world.write() as ctx:
            keys = [Maker(ctx).company(name="Twin Tools").id for _ in range(2)]
        with pytest.raises(Ambiguous, match="could be 2 different company records; say which") as caught:
            listed(world, "deal", Filter(field="company", values=["twin tools"]))
        assert sorted(item.id for item in caught.value.candidates) == keys

    def test_a_stage_name_means_that_stage_of_every_pipeline(self, world: World) -> None:
        with world.write() as ctx:
            make = Maker(ctx)
            other = make.pipeline("Copy", [("Haggling", 5, "open")], 7)
            keys = {make.deal(stage).id for stage in (other.stages[0], ctx.session.get_one(Stage, world.stages["Haggling"]))}
        assert set(listed(world, "deal", Filter(field="stage", values=["Haggling"])).ids) == keys

    @pytest.mark.parametrize("text", ["ZÜRICH", "zürich", "Zür"])
    def test_text_is_compared_without_case_whatever_the_letter(self, world: World, text: str) -> None:
        """Once a fault: SQLite's lower() knows ASCII only, so ZÜRICH does not find Zürich there."""
        with world.write() as ctx:
            key = Maker(ctx).company(name="Zürich Optics").id
        assert listed(world, "company", Filter(field="name", op="contains", values=[text])).ids == [key]

    @pytest.mark.parametrize("text", ["%", "_", "\\"])
    def test_signs_of_patterns_are_plain_text(self, shared_world: World, text: str) -> None:
        assert listed(shared_world, "company", Filter(field="name", op="contains", values=[text])).total == 0


class TestIsNot:
    # Once a fault: is_not on texts, numbers, amounts and days drops rows without a value; on choices and people it keeps them.
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("next_step", "call"),
            ("amount", "7"),
            ("expected_close", "2026-01-01"),
            ("seats", 4),
            ("source", "Website"),
            ("closed", "2026-01-01"),
        ],
    )
    def test_rows_without_a_value_are_not_that_value(self, shared_world: World, field: str, value: Any) -> None:
        assert listed(shared_world, "deal", Filter(field=field, op="is_not", values=[value])).total == 5

    # Once a fault: NOT (NULL OR false) is NULL, so rows without a main company or contact are dropped.
    @pytest.mark.parametrize(("noun", "field"), [("contact", "company"), ("activity", "contact")])
    def test_rows_without_a_link_are_not_that_link(self, world: World, noun: str, field: str) -> None:
        with world.write() as ctx:
            make = Maker(ctx)
            key = make.contact(company_id=None).id if noun == "contact" else make.activity().id
        found = listed(world, noun, Filter(field=field, op="is_not", values=[world.row(field)]))
        assert key in found.ids
        assert found.total == 5


class TestSteps:
    def test_months_without_a_deal_are_zero_and_in_order(self, world: World) -> None:
        won(world, datetime(2026, 7, 3, tzinfo=NOW.tzinfo), datetime(2026, 5, 3, tzinfo=NOW.tzinfo))
        result = answer(world, "won_deals", group_by=["month"], period=Days(first=date(2026, 4, 1), end=date(2026, 9, 1)))
        assert [(group.labels[0], group.value) for group in result.groups] == [
            ("Apr 2026", 0),
            ("May 2026", 1),
            ("Jun 2026", 0),
            ("Jul 2026", 1),
            ("Aug 2026", 0),
        ]

    def test_a_step_is_compared_with_the_step_in_the_same_place(self, world: World) -> None:
        """Once a fault: steps are paired as they come from the database, those without rows last."""
        won(
            world,
            datetime(2026, 8, 3, tzinfo=NOW.tzinfo),
            datetime(2026, 8, 4, tzinfo=NOW.tzinfo),
            datetime(2026, 5, 5, tzinfo=NOW.tzinfo),
        )
        result = answer(world, "won_deals", group_by=["month"], period=Days(first=QUARTER[0], end=QUARTER[1]), compare="previous")
        assert [(group.labels[0], group.value, group.previous) for group in result.groups] == [
            ("Jul 2026", 0, 0),
            ("Aug 2026", 2, 1),
            ("Sep 2026", 0, 0),
        ]

    def test_deals_without_the_day_are_shown_apart(self, world: World) -> None:
        """Once a fault: over all time a row without the day gets a step past the last one: IndexError."""
        with world.write() as ctx:
            ctx.session.get_one(Deal, world.row("deal")).expected_close_on = None
        result = answer(world, "open_deals", group_by=["month"])
        assert result.value == sum(group.value or 0 for group in result.groups) == 5
        assert [(group.keys, group.labels, group.value) for group in result.groups][-1] == ((None,), ("(none)",), 1)

    def test_a_state_since_a_day_is_shown_up_to_today(self, shared_world: World) -> None:
        """Once a fault: the steps up to the year 2200 are made before those to come are dropped."""
        result = answer(shared_world, "open_tickets", group_by=["month"], period=Days(first=date(2026, 6, 1), end=date(2200, 1, 1)))
        assert [group.labels[0] for group in result.groups] == ["Jun 2026", "Jul 2026", "Aug 2026"]

    def test_a_local_midnight_divides_the_days(self, world: World) -> None:
        midnight = datetime(2026, 3, 28, 23, tzinfo=NOW.tzinfo)  # the day of the clock change begins in Berlin
        won(
            world,
            midnight - timedelta(microseconds=1),
            midnight,
            midnight + timedelta(hours=22, minutes=59),
            midnight + timedelta(hours=23),
        )
        result = answer(world, "won_deals", group_by=["day"], period=Days(first=date(2026, 3, 28), end=date(2026, 3, 31)))
        assert [group.value for group in result.groups] == [1, 2, 1]

    def test_fractions_of_a_second_are_cut_alike_on_both_databases(self, world: World) -> None:
        """Once a fault: SQLite's strftime rounds 999.5 ms and more up to the next second."""
        at = datetime(2026, 7, 3, 12, 0, 0, 999_700, tzinfo=NOW.tzinfo)
        won(world, at, created_at=at.replace(microsecond=0) - timedelta(days=1))
        assert answer(world, "sales_cycle").value == 1


class TestMoney:
    def test_the_rate_of_the_callers_day_is_taken_and_told(self, world: World) -> None:
        with world.write() as ctx:
            make = Maker(ctx)
            make.rate("EUR", 1_200_000, TODAY)
            make.rate("EUR", 9_000_000, TODAY + timedelta(days=1))
        won(world, NOW - timedelta(days=3), currency="EUR", amount_minor=333)
        result = answer(world, "won_value")
        assert result.value == Rate("EUR", 1_200_000, TODAY).convert(333) == 400
        assert "1 EUR = 1.2 USD (2026-08-12)" in result.notes[0]
        assert "1 JPY = 0.00673123 USD (2026-01-01)" in result.notes[0]

    def test_large_custom_amounts_can_be_compared(self, world: World) -> None:
        """Once a fault: as_integer() is a 32-bit INTEGER on PostgreSQL; amounts past 21 million fail."""
        with world.write() as ctx:
            ctx.session.get_one(Deal, world.row("deal")).custom = {"budget": 5 * 10**9}
        assert listed(world, "deal", Filter(field="budget", op="more_than", values=["30000000"])).ids == [world.row("deal")]

    def test_a_weak_home_currency_overflows_nothing(self, engine: Engine) -> None:
        """The amount times the rate would pass 64 bits: an error on PostgreSQL, a silent float on SQLite."""
        world = World(engine)
        with world.write() as ctx:
            make = Maker(ctx)
            ctx.session.get_one(Organisation, 1).home_currency = "VND"
            make.rate("USD", 254_123_457, date(2026, 1, 1))
            stage = make.pipeline("P", [("Yes", 100, "won")]).stages[0]
            make.deal(stage, amount_minor=99_999_999_999, currency="USD", created_at=NOW, closed_at=NOW)
        with unit_of_work(engine, system_actor(), write=False, now=NOW) as ctx:
            assert ask(ctx, MetricQuestion(metric="won_value")).value == Rate("USD", 254_123_457, TODAY).convert(99_999_999_999)


class TestTargets:
    def targets(self, world: World) -> None:
        with world.write() as ctx:
            make = Maker(ctx)
            for key, minor in (("rep", 1000), ("stranger", 500)):
                user = ctx.session.get_one(User, world.users[key])
                user.custom = {"tier": "Gold" if key == "rep" else "Tin"}
                make.target(user, *QUARTER, minor)

    def test_attainment_is_won_over_target_by_owner(self, world: World) -> None:
        self.targets(world)
        won(world, NOW - timedelta(days=3), owner_id=world.users["rep"], amount_minor=250)
        result = answer(world, "attainment", group_by=["owner"])
        assert (result.value, {group.labels[0]: group.value for group in result.groups}) == (
            Decimal(25000) / 1500,
            {"Renata Seller": Decimal(25), "Stella Elsewhere": Decimal(0)},
        )

    # Once a fault: the user's custom field is reached without joining the user: every target times every such user.
    def test_a_users_own_field_filters_targets(self, world: World) -> None:
        self.targets(world)
        assert answer(world, "target", filters=[Filter(field="tier", values=["Gold"])]).value == 1000

    # Once a fault: select(User.id) from target without a join names every user.
    def test_the_people_behind_a_target_are_those_who_have_one(self, world: World) -> None:
        self.targets(world)
        with world.read() as ctx:
            assert set(rows_behind(ctx, MetricQuestion(metric="target")).ids) == {
                world.users["rep"],
                world.users["stranger"],
            }


class TestResult:
    def test_a_limit_cuts_what_is_shown_not_what_is_summed(self, shared_world: World) -> None:
        result = answer(shared_world, "deals", group_by=["owner"], limit=2, order="label")
        assert (result.value, len(result.groups), result.groups_in_all) == (5, 2, 5)

    def test_an_assumed_period_is_told(self, world: World) -> None:
        result = answer(world, "retention_rate")
        assert result.notes == ["No period was named, so this is FY2027."]
        assert result.period.label == "FY2027"

    def test_stages_come_in_pipeline_order(self, world: World) -> None:
        with world.write() as ctx:
            make = Maker(ctx)
            for name in ("Verbal yes", "Haggling", "Sniff test", "Reminder sent"):
                make.deal(ctx.session.get_one(Stage, world.stages[name]))
        result = answer(world, "open_deals", group_by=["stage"])
        assert [group.labels[0] for group in result.groups] == [
            "Sniff test",
            "Coffee & cake",
            "Haggling",
            "Reminder sent",
            "Verbal yes",
        ]

    def test_priorities_come_in_the_companys_order(self, world: World) -> None:
        with world.write() as ctx:
            for word in ("On fire", "Whisper", None):
                Maker(ctx).ticket(priority=word)
        result = answer(world, "open_tickets", group_by=["priority"])
        assert [group.labels[0] for group in result.groups] == ["Whisper", "Loud", "On fire", "(none)"]

    def test_the_statement_is_shown_with_its_values(self, shared_world: World) -> None:
        (sql,) = answer(shared_world, "won_deals", filters=[Filter(field="owner", values=[3])]).sql
        assert "deal.status = 'won'" in sql
        assert "deal.owner_id IN (3)" in sql

    def test_alternatives_pass_when_any_holds(self, shared_world: World) -> None:
        either = FilterGroup(any_of=[Filter(field="owner", values=[shared_world.users["rep"]]), Filter(field="owner", op="empty")])
        assert set(listed(shared_world, "deal", either).ids) == {
            shared_world.row("deal"),
            shared_world.row("deal", "nobody"),
        }

    @pytest.mark.parametrize("name", sorted(METRICS))
    def test_every_metric_is_told_in_words(self, name: str) -> None:
        metric = METRICS[name]
        assert metric.meaning.endswith(".")
        assert metric.title == metric.title.strip().lower()
        assert len(set(metric.synonyms)) == len(metric.synonyms)

    def test_no_two_metrics_share_a_word(self) -> None:
        words = [word for metric in METRICS.values() for word in {metric.title, *metric.synonyms}]
        assert sorted(word for word in set(words) if words.count(word) > 1) == []


class TestPage:
    def test_totals_are_over_everything_not_the_page(self, shared_world: World) -> None:
        page = listed(shared_world, "deal", limit=2, offset=1, order_by="amount")
        assert (page.total, page.amount_minor, page.ids) == (
            5,
            500_010,
            [shared_world.row("deal", "colleague"), shared_world.row("deal", "junior")],
        )
        assert page.order == "amount, lowest first"

    def test_columns_are_those_asked_for(self, shared_world: World) -> None:
        page = listed(shared_world, "deal", columns=["stage", "owner", "tier"], order_by="amount", limit=1)
        assert [column.name for column in page.columns] == ["stage", "owner", "tier"]
        assert {key: page.rows[0][key] for key in ("stage", "owner", "tier")} == {
            "stage": "Coffee & cake",
            "owner": "Renata Seller",
            "tier": "Gold",
        }

    def test_archived_records_are_left_out(self, world: World) -> None:
        with world.write() as ctx:
            ctx.session.get_one(Deal, world.row("deal")).archived_at = NOW
        assert listed(world, "deal").total == 4
        assert answer(world, "deals").value == 4
