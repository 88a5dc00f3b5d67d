"""Looking back: deals as of a past moment, what moved the pipeline, and who changed what; against a diary kept while living."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect, select

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListPage, ListQuestion, list_records, rows_behind
from crm_core.metrics.movement import STEPS, Movement, MovementQuestion, pipeline_movement
from crm_core.metrics.query import ask
from crm_core.metrics.question import Days, MetricQuestion
from crm_core.metrics.rewind import as_known_at
from crm_core.models import Deal, Stage
from crm_core.services import deals, history
from crm_core.services.records import ArchiveRecord, Reassign, archive_record, reassign
from tests.conftest import Databases
from tests.factories import NOW, World, build_world

START = NOW - timedelta(days=60)
CATEGORIES = ("Sure thing", "Sunny", "Maybe", "Forget it")
WINDOW = Days(first=date(2026, 7, 1), end=date(2026, 10, 1), label="Q2")


@dataclass(frozen=True)
class Seen:
    """An open deal as a diary keeps it."""

    minor: int
    expected: date | None
    category: str | None
    stage: str
    owner: int | None


Diary = dict[int, Seen]


def live(ctx: Context) -> Diary:
    """The open deals as they are."""
    rows = ctx.session.execute(
        select(Deal.id, home_amount(ctx, Deal.amount_minor), Deal.expected_close_on, Deal.forecast_category, Stage.name, Deal.owner_id)
        .join(Stage, Stage.id == Deal.stage_id)
        .where(Deal.status == "open", Deal.archived_at.is_(None))
    )
    return {row[0]: Seen(row[1] or 0, *row[2:]) for row in rows}


def act(ctx: Context, rng: random.Random, owners: list[int]) -> None:
    """One random thing that happens to a deal."""
    known = ctx.session.scalars(select(Deal).where(Deal.archived_at.is_(None)).order_by(Deal.id)).all()
    open_ones = [item for item in known if item.status == "open"]
    what = rng.choice(("create", "amount", "date", "date", "category", "win", "lose", "reopen", "hand over", "move", "archive"))
    day = ctx.today + timedelta(days=rng.randint(-10, 90))
    if what == "create" or not open_ones:
        money = {"amount": Decimal(rng.randint(0, 90_000)), "currency": rng.choice(("USD", "EUR"))} if rng.random() < 0.9 else {}
        deals.create_deal(ctx, deals.CreateDeal(name=f"Deal {rng.random()}", expected_close_on=day if rng.random() < 0.9 else None, **money))
        return
    deal = rng.choice(open_ones)
    if what == "amount":
        deals.update_deal(ctx, deals.UpdateDeal(id=deal.id, amount=Decimal(rng.randint(0, 90_000))))
    elif what == "date":
        deals.update_deal(ctx, deals.UpdateDeal(id=deal.id, expected_close_on=day))
    elif what == "category":
        deals.update_deal(ctx, deals.UpdateDeal(id=deal.id, forecast_category=rng.choice(CATEGORIES)))
    elif what == "win":
        deals.win_deal(ctx, deals.WinDeal(id=deal.id))
    elif what == "lose":
        deals.lose_deal(ctx, deals.LoseDeal(id=deal.id, reason="No reply"))
    elif what == "reopen" and (closed := [item for item in known if item.status != "open"]):
        deals.reopen_deal(ctx, deals.ReopenDeal(id=rng.choice(closed).id))
    elif what == "hand over":
        reassign(ctx, Reassign(noun="deal", id=deal.id, owner_id=rng.choice([item for item in owners if item != deal.owner_id])))
    elif what == "move":
        stages = ctx.session.scalars(select(Stage.name).where(Stage.pipeline_id == deal.pipeline_id, Stage.kind == "open", Stage.id != deal.stage_id))
        deals.move_deal(ctx, deals.MoveDeal(id=deal.id, stage=rng.choice(sorted(stages))))
    elif what == "archive":
        archive_record(ctx, ArchiveRecord(noun="deal", id=deal.id))


def live_through(world: World, seed: int, steps: int) -> dict[date, Diary]:
    """Live a random life, one thing in half a day; returns the diary of each day's end."""
    rng = random.Random(seed)
    pages: dict[date, Diary] = {}
    with unit_of_work(world.engine, world.users["admin"], write=True, now=START) as ctx:
        pages[ctx.today - timedelta(days=1)] = live(ctx)
    owners = [world.users["admin"], world.users["rep"], world.users["colleague"]]
    for step in range(steps):
        moment = START + timedelta(hours=12 * step)
        with unit_of_work(world.engine, world.users["admin"], write=True, now=moment) as ctx:
            for _ in range(rng.randint(0, 3)):
                act(ctx, rng, owners)
            ctx.session.flush()
            pages[ctx.today] = live(ctx)
    return pages


class Lives(dict[int, tuple[World, dict[date, Diary]]]):
    """Worlds with a lived past and its diary, by seed."""

    def __repr__(self) -> str:
        return f"{len(self)} lives"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lives(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Lives]:
    """Four random lives on each kind of database."""
    made = Lives()
    for seed in range(4):
        engine, filled = databases.copy(request.param, "world", build_world)
        assert isinstance(filled, World)
        world = filled.on(engine)
        made[seed] = (world, live_through(world, seed, 80))
    yield made
    for world, _pages in made.values():
        databases.drop(world.engine)


SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
days = st.integers(0, 39).map(lambda count: (START + timedelta(days=count)).date())


def inside(seen: Seen) -> bool:
    return seen.expected is not None and WINDOW.first <= seen.expected < WINDOW.end


class TestAsOf:
    @SETTINGS
    @given(seed=st.integers(0, 3), day=days)
    def test_a_figure_and_a_list_are_those_of_the_diary(self, lives: Lives, seed: int, day: date) -> None:
        world, pages = lives[seed]
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            figure = ask(ctx, MetricQuestion(metric="open_pipeline", as_of=day, group_by=["stage"]))
            closing = ask(ctx, MetricQuestion(metric="open_deals", as_of=day, period=WINDOW))
            sure = list_records(
                ctx,
                ListQuestion(
                    noun="deal",
                    filters=[Filter(field="forecast_category", values=["Sure thing"]), Filter(field="status", values=["open"])],
                    as_of=day,
                    limit=200,
                ),
            )
            assert figure.as_of == day
            assert live(ctx) == pages[max(pages)]  # looking back leaves no trace
        page = pages[day]
        assert figure.value == sum(item.minor for item in page.values())
        by_stage: dict[str, int] = {}
        for item in page.values():
            by_stage[item.stage] = by_stage.get(item.stage, 0) + item.minor
        assert {group.labels[0]: group.value for group in figure.groups} == by_stage
        assert closing.value == sum(inside(item) for item in page.values())
        assert sorted(sure.ids) == sorted(key for key, item in page.items() if item.category == "Sure thing")

    def test_the_rows_behind_a_past_figure_are_past_rows(self, lives: Lives) -> None:
        world, pages = lives[0]
        day = sorted(pages)[20]
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            rows = rows_behind(ctx, MetricQuestion(metric="open_pipeline", as_of=day), ListPage(limit=200))
        assert sorted(rows.ids) == sorted(pages[day])
        assert rows.as_of == day

    def test_a_rep_sees_of_the_past_what_she_may_see_today(self, lives: Lives) -> None:
        world, pages = lives[1]
        day = sorted(pages)[20]
        with unit_of_work(world.engine, world.users["rep"], write=False, now=NOW) as ctx:
            mine = set(list_records(ctx, ListQuestion(noun="deal", limit=200)).ids)
            then = list_records(ctx, ListQuestion(noun="deal", filters=[Filter(field="status", values=["open"])], as_of=day, limit=200))
            archived = set(ctx.session.scalars(select(Deal.id).where(Deal.archived_at.is_not(None))))
        assert set(then.ids) - archived <= mine
        assert set(then.ids) <= set(pages[day])

    def test_a_day_ahead_and_a_record_kind_that_is_not_kept_are_refused(self, world: World) -> None:
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            with pytest.raises(Invalid, match="not ahead"):
                ask(ctx, MetricQuestion(metric="open_pipeline", as_of=date(2027, 1, 1)))
            with pytest.raises(Invalid, match="look back at deals"):
                list_records(ctx, ListQuestion(noun="ticket", as_of=date(2026, 8, 1)))

    def test_an_error_inside_leaves_the_real_tables_in_sight(self, world: World) -> None:
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            before = ctx.session.scalars(select(Deal.id).order_by(Deal.id)).all()
            with pytest.raises(Invalid), as_known_at(ctx, NOW - timedelta(days=4000)) as then:
                assert then.session.scalars(select(Deal.id)).all() == []
                raise Invalid("stop")
            assert ctx.session.scalars(select(Deal.id).order_by(Deal.id)).all() == before


def total(movement: Movement) -> int:
    return movement.opening_minor + sum(amount for amount, _count in movement.steps.values())


class TestMovement:
    @SETTINGS
    @given(seed=st.integers(0, 3), first=days, last=days, windowed=st.booleans(), sure=st.booleans())
    def test_it_reconciles_to_the_cent_and_with_the_diary(self, lives: Lives, seed: int, first: date, last: date, windowed: bool, sure: bool) -> None:
        world, pages = lives[seed]
        since, until = min(first, last), max(first, last)
        filters = [Filter(field="forecast_category", values=["Sure thing"])] if sure else []
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            movement = pipeline_movement(ctx, MovementQuestion(filters=list(filters), period=WINDOW if windowed else None, since=since, until=until))

        def belongs(item: Seen) -> bool:
            return (not windowed or inside(item)) and (not sure or item.category == "Sure thing")

        before = {key: item for key, item in pages[since - timedelta(days=1)].items() if belongs(item)}
        after = {key: item for key, item in pages[until].items() if belongs(item)}
        assert movement.opening_minor == sum(item.minor for item in before.values())
        assert movement.closing_minor == sum(item.minor for item in after.values())
        assert (movement.opening_deals, movement.closing_deals) == (len(before), len(after))
        assert total(movement) == movement.closing_minor
        assert sum(item.change_minor for item in movement.deals) == movement.closing_minor - movement.opening_minor
        for name, (amount, count) in movement.steps.items():
            own = [item for item in movement.deals if item.step == name]
            assert (sum(item.change_minor for item in own), len(own)) == (amount, count)
            assert all(item.change_minor >= 0 for item in own) if STEPS[name][1] else all(item.change_minor <= 0 for item in own)
        for item in movement.deals:
            if item.step == "new":
                assert item.id not in pages[since - timedelta(days=1)]
            if item.step == "moved_out":
                assert windowed and inside(before[item.id]) and not (item.expected_after and WINDOW.first <= item.expected_after < WINDOW.end)
                assert item.moved_by and item.moved_at is not None

    def test_one_step_is_listed_alone_and_the_sums_stay(self, lives: Lives) -> None:
        world, _pages = lives[2]
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            whole = pipeline_movement(ctx, MovementQuestion(since=START.date()))
            lost = pipeline_movement(ctx, MovementQuestion(since=START.date(), step="lost"))
        assert {item.step for item in lost.deals} == {"lost"}
        assert lost.steps == whole.steps

    def test_what_cannot_be_asked_is_said(self, world: World) -> None:
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            with pytest.raises(Invalid, match="past"):
                pipeline_movement(ctx, MovementQuestion(since=date(2026, 9, 1)))
            with pytest.raises(Invalid, match="no step 'gone'"):
                pipeline_movement(ctx, MovementQuestion(since=date(2026, 8, 1), step="gone"))


class TestHistory:
    def test_who_moved_a_close_date_and_when(self, world: World) -> None:
        rep = world.users["rep"]
        with unit_of_work(world.engine, rep, write=True, now=NOW) as ctx:
            key = deals.create_deal(ctx, deals.CreateDeal(name="Lantern", amount=Decimal(100), expected_close_on=date(2026, 9, 1))).id
        for hours, day in ((1, date(2026, 9, 30)), (2, date(2026, 9, 15)), (3, date(2026, 10, 31))):
            with unit_of_work(world.engine, rep if hours < 3 else world.users["admin"], write=True, now=NOW + timedelta(hours=hours)) as ctx:
                deals.update_deal(ctx, deals.UpdateDeal(id=key, expected_close_on=day))
        with unit_of_work(world.engine, rep, write=True, now=NOW + timedelta(hours=4)) as ctx:
            deals.update_deal(ctx, deals.UpdateDeal(id=key, amount=Decimal(250)))
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW + timedelta(days=1)) as ctx:
            view = history.record_history(ctx, history.RecordHistory(noun="deal", id=key, fields=["expected close"]))
            money = history.record_history(ctx, history.RecordHistory(noun="deal", id=key, fields=["amount"]))
            slipped = list_records(ctx, ListQuestion(noun="deal", filters=[Filter(field="slips", op="at_least", values=[2])]))
        assert [(item.old, item.new) for item in view.changes] == [
            ("15 Sep 2026", "31 Oct 2026"),
            ("30 Sep 2026", "15 Sep 2026"),
            ("1 Sep 2026", "30 Sep 2026"),
        ]
        assert view.changes[0].who != view.changes[1].who == view.changes[2].who
        assert view.total == 3
        assert [(item.old, item.new) for item in money.changes] == [("$100", "$250")]
        assert key in slipped.ids  # twice later, once earlier

    def test_a_field_that_is_not_there_is_said_with_those_that_are(self, world: World) -> None:
        with unit_of_work(world.engine, world.users["admin"], write=False, now=NOW) as ctx:
            key = ctx.session.scalar(select(Deal.id).limit(1))
            assert key is not None
            with pytest.raises(Invalid, match="no field 'mood'; it has .*expected close"):
                history.record_history(ctx, history.RecordHistory(noun="deal", id=key, fields=["mood"]))


def test_the_copies_are_gone_with_the_block(engine: Engine) -> None:
    with unit_of_work(engine, system_actor(), write=False, now=NOW) as ctx:
        with as_known_at(ctx, NOW - timedelta(days=1)):
            pass
        connection = ctx.session.connection()
        temporary = inspect(connection).get_temp_table_names() if connection.dialect.name == "sqlite" else []
        assert [name for name in temporary if not name.startswith("sqlite_")] == []
