"""Processes killed in the middle of changes, and writers at once: the crash evaluation with small numbers, and proof that its laws bite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from crm_core.context import unit_of_work
from crm_core.database import open_engine
from evals.crash.children import APPROVALS, STATES, UNITS, Aim, Death, strike
from evals.crash.company import Cast, Fresh, seed
from evals.crash.deaths import kill_many
from evals.crash.laws import violations
from evals.crash.writers import contend
from tests.conftest import KINDS, Databases

#: Small, since the whole of this file should take less than 40 seconds; ``python -m evals.crash`` takes longer.
KILLS = {"sqlite": 16, "postgresql": 8}
CHANGES = {"sqlite": 200, "postgresql": 60}
WRITERS = 4


@pytest.fixture
def companies(databases: Databases) -> Callable[[str], Fresh]:
    """By kind of database, what gives fresh companies."""

    def of(kind: str) -> Fresh:
        @contextmanager
        def fresh() -> Iterator[str]:
            engine, _ = databases.copy(kind, "crash", seed)
            engine.dispose()
            yield engine.url.render_as_string(hide_password=False)
            databases.drop(engine)

        return fresh

    return of


class TestKills:
    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_halved_lost_or_done_twice(self, kind: str, companies: Callable[[str], Fresh]) -> None:
        toll = kill_many(companies(kind), KILLS[kind])
        assert toll.faults == []
        assert toll.killed >= KILLS[kind]
        assert len({phase for _script, phase, _place in toll.deaths} & set(UNITS)) >= 3, "deaths come in most transactions"
        assert toll.reached >= KILLS[kind] // 2, "chosen points are reached"
        assert toll.repeated["applied"], "an approval that was cut off is applied when it is sent again"

    @pytest.mark.parametrize(("point", "ended"), [("before a commit", 1), ("after a commit", 2)])
    def test_a_commit_is_the_moment_at_which_a_change_is_there(self, point: str, ended: int, companies: Callable[[str], Fresh]) -> None:
        with companies("sqlite")() as url:
            unharmed = strike(url, Aim("one step", "never"), 1)
            assert (unharmed.ended, unharmed.killed, unharmed.failed) == (len(UNITS), False, "")
            number = [place for unit, place in unharmed.points if unit == APPROVALS[0]].index(point)
            death = strike(url, Aim("one step", "chosen", APPROVALS[0], number), 2)
            assert (death.killed, death.phase, death.place, death.allowed) == (True, "approve", point, {ended})
            engine = open_engine(url)
            with engine.connect() as connection:
                statuses = connection.scalars(text("select status from change_set order by id")).all()
            assert tuple(statuses[2:]) == STATES["one step"][ended]
            assert violations(engine) == []
            engine.dispose()


class TestDeath:
    @pytest.mark.parametrize(
        ("place", "allowed"),
        [("unknown", {1, 2}), ("before a statement", {1}), ("after a statement", {1}), ("before a commit", {1}), ("after a commit", {2})],
    )
    def test_only_a_death_at_an_unknown_place_may_have_two_outcomes(self, place: str, allowed: set[int]) -> None:
        assert Death(began=2, ended=1, place=place).allowed == allowed


def work_in(engine: Engine) -> None:
    """Two changes of several steps, applied and undone; a third one, applied, and its undo, proposed by a process that died when it was kept."""
    seed(engine)
    url = engine.url.render_as_string(hide_password=False)
    assert strike(url, Aim("several steps", "never"), 1).ended == len(UNITS)
    points = strike(url, Aim("several steps", "never"), 2).points
    last = [place for unit, place in points if unit == 2].index("after a commit")
    assert strike(url, Aim("several steps", "chosen", 2, last), 3).killed


class TestLaws:
    """Each fault that a crash might leave is found, and named."""

    @pytest.fixture
    def worked_in(self, databases: Databases) -> Iterator[Engine]:
        engine, _ = databases.copy("sqlite", "crash_worked_in", work_in)
        yield engine
        databases.drop(engine)

    def test_nothing_is_wrong_with_it(self, worked_in: Engine) -> None:
        with worked_in.connect() as connection:
            statuses = connection.scalars(text("select status from change_set order by id")).all()
        assert statuses == ["undone", "applied", "undone", "applied", "applied", "proposed"]
        assert violations(worked_in) == []

    @pytest.mark.parametrize(
        ("sabotage", "told"),
        [
            ("update deal set amount_minor = amount_minor + 1 where id = 1", "deal 1: the log replays to other values of amount_minor"),
            ("update deal set version = version + 1 where id = 1", "deal 1: version 2, but the log ends at 1"),
            ("update deal set name = 'Half' where id = 4", "deal 4: its search keys differ"),
            ("delete from event where change_set_id = 5 and noun = 'company'", "company 4: the log replays to other values"),
            ("delete from event where change_set_id = 5", "change 5: applied, but its 0 events do not tell its diff"),
            ("delete from event where id = (select max(id) from event)", "change 5: applied, but its 6 events do not tell its diff"),
            ("delete from change_set where id = 5", "change 5: not there, but the log tells of it"),
            (
                "insert into event (at, actor_id, door, noun, record_id, version, kind, changes, change_set_id) "
                "select at, actor_id, door, noun, record_id, version, kind, changes, change_set_id from event where change_set_id = 5 limit 1",
                "change 5: applied, but its 8 events do not tell its diff",
            ),
            ("update event set change_set_id = null where change_set_id = 5", "change set None by the door 'crash'"),
            ("update change_set set status = 'proposed' where id = 5", "change 5: proposed, but 7 events tell of it"),
            ("update change_set set status = 'applied' where id = 6", "change 6: applied, but its 0 events do not tell its diff"),
            ("update change_set set status = 'applied' where id = 1", "change 1: applied, taken back by [2]"),
            ("update change_set set status = 'undone' where id = 5", "change 5: undone, taken back by []"),
            ("delete from event where change_set_id = 2 and noun = 'contact'", "change 2: its undo left"),
            ("delete from stage_entry where id = (select max(id) from stage_entry)", "deal 4: its stays in stages differ"),
            ("delete from close_date_change where id = (select max(id) from close_date_change)", "deal 4: moved days differ"),
            ("delete from search_entry where noun = 'company' and record_id = 4", "company 4: its search keys differ"),
            ("insert into search_entry (noun, record_id, kind, key) values ('deal', 999, 'name', 'x')", "deal 999: derived rows of no record"),
            ("delete from chunk where id = (select max(id) from chunk)", "activity 3: its passages differ"),
            ("delete from line_item", "deal 4: its line_items are not those that the log tells"),
            ("delete from deal_contact", "deal 4: its contact_roles are not those that the log tells"),
        ],
    )
    def test_what_is_wrong_is_told(self, worked_in: Engine, sabotage: str, told: str) -> None:
        with worked_in.begin() as connection:
            assert connection.execute(text(sabotage)).rowcount
        assert any(told in fault for fault in violations(worked_in)), violations(worked_in)


class TestWriters:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_change_asked_for_is_applied_once_or_refused(self, kind: str, companies: Callable[[str], Fresh]) -> None:
        whole = contend(companies(kind), CHANGES[kind], WRITERS)
        assert whole.faults == []
        refused = whole.count("conflict when proposed", "conflict when approved", "nothing to change")
        assert (whole.asked, len(whole.applied)) == (CHANGES[kind], whole.asked - refused)
        assert whole.count("conflict when approved"), "approvals went stale"
        assert whole.refused_again, "approvals were sent twice"

    def test_one_writer_meets_no_conflict_but_with_stale_approvals(self, companies: Callable[[str], Fresh]) -> None:
        whole = contend(companies("sqlite"), 40, 1)
        assert whole.faults == []
        assert {kind for (outcome, kind) in whole.outcomes if outcome.startswith("conflict")} == {"stale approval"}

    def test_the_company_has_a_user_for_each_writer(self, companies: Callable[[str], Fresh]) -> None:
        with companies("sqlite")() as url:
            engine = open_engine(url)
            cast = Cast.of(engine)
            with unit_of_work(engine, cast.writers[-1], write=False) as ctx:
                assert ctx.actor.is_admin
            engine.dispose()
