"""Earned autonomy: the bound, what is counted for whom, and what the counts suggest for the policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core.changes import Earned, earned_autonomy, edit, propose, refuse
from crm_core.changes.autonomy import LEAST, wilson_lower
from crm_core.changes.risk import AT_ONCE
from crm_core.models import ChangeSet
from crm_core.policy import parse_policy, shipped_text
from crm_core.services.catalog import CATALOG, CHANGES, Effect
from crm_core.services.policies import read_policy, set_policy
from tests.assistant.test_changes import WRITES, arguments_of, previewed
from tests.crm_core.test_undo import Clock, apply, undo
from tests.factories import NOW, World


@pytest.fixture
def clock() -> Clock:
    return Clock()


def change_sets(user_id: int, verb: str, risk: str, days: float, counts: Mapping[str, int]) -> Iterator[ChangeSet]:
    """So many of each status, some days old."""
    for status, many in counts.items():
        for _ in range(many):
            yield ChangeSet(
                title=verb,
                capability=verb,
                arguments={},
                diff=[],
                diff_hash="0" * 64,
                risk=risk,
                rule="Asked.",
                status=status,
                requester_id=user_id,
                created_at=NOW - timedelta(days=days),
                expires_at=NOW,
            )


def decided(world: World, verb: str, who: str = "rep", *, risk: str = "low", days: float = 1, **counts: int) -> None:
    """Keep change sets as somebody's."""
    with world.write() as ctx:
        ctx.session.add_all(change_sets(world.users[who], verb, risk, days, counts))


def earned(world: World, who: str = "admin") -> list[Earned]:
    """What somebody reads."""
    with world.read(who) as ctx:
        return earned_autonomy(ctx)


def the_only(world: World) -> Earned:
    """The single line that an administrator reads."""
    (found,) = earned(world)
    return found


def above_shipped(rule: str) -> str:
    """The shipped policy with a suggested rule above its own."""
    return shipped_text().replace("rules:\n", f"rules:\n  {rule}\n", 1)


class TestWilsonLower:
    # The first four: R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, 1998, table I, method 3.
    @pytest.mark.parametrize(
        ("hits", "total", "lower"),
        [(81, 263, 0.2553), (15, 148, 0.0624), (0, 20, 0.0), (1, 29, 0.0061), (20, 20, 0.8389), (34, 34, 0.8985), (35, 35, 0.9011), (0, 0, 0.0)],
    )
    def test_it_gives_the_published_values(self, hits: int, total: int, lower: float) -> None:
        assert wilson_lower(hits, total) == pytest.approx(lower, abs=0.00005)

    @given(st.integers(1, 5_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
    def test_it_is_the_smallest_share_that_the_count_does_not_speak_against(self, count: tuple[int, int]) -> None:
        hits, total = count
        lower = wilson_lower(hits, total)
        share = hits / total
        assert -1e-12 <= lower <= share + 1e-12
        assert (share - lower) ** 2 == pytest.approx(1.96**2 * lower * (1 - lower) / total, abs=1e-9)

    @given(st.integers(1, 1_000).flatmap(lambda total: st.tuples(st.integers(0, total - 1), st.just(total))))
    def test_more_hits_raise_it_and_more_cases_of_the_same_share_do_too(self, count: tuple[int, int]) -> None:
        hits, total = count
        assert wilson_lower(hits + 1, total) > wilson_lower(hits, total)
        assert wilson_lower(hits * 2, total * 2) >= wilson_lower(hits, total) - 1e-12


class TestCounts:
    def test_what_stood_was_edited_refused_or_undone_is_counted_by_person_and_verb(self, world: World, clock: Clock) -> None:
        deal = {"id": world.row("deal")}
        for amount in ("71.00", "72.00"):
            apply(world, clock, "rep", "update_deal", deal | {"amount": amount})
        number, _ = apply(world, clock, "rep", "update_deal", deal | {"amount": "73.00"})
        undo(world, clock, number)
        with world.write("rep", now=clock()) as ctx:
            refuse(ctx, propose(ctx, "update_deal", deal | {"amount": "74.00"}).id)
            edit(ctx, propose(ctx, "update_deal", deal | {"amount": "75.00"}).id, [{"amount": "76.00"}])
        apply(world, clock, "manager", "update_deal", deal | {"amount": "77.00"})
        apply(world, clock, "rep", "create_company", {"name": "Pelican Paper"})
        with world.read("admin", now=clock()) as ctx:
            found = [(item.user, item.verb, item.accepted, item.edited, item.refused, item.undone) for item in earned_autonomy(ctx)]
        assert found == [
            ("Renata Seller", "update_deal", 2, 1, 1, 1),
            ("Manfred Oversee", "update_deal", 1, 0, 0, 0),
            ("Renata Seller", "create_company", 1, 0, 0, 0),
        ]

    def test_an_undo_that_is_undone_counts_as_standing(self, world: World, clock: Clock) -> None:
        number, _ = apply(world, clock, "rep", "create_company", {"name": "Pelican Paper"})
        taken, _ = undo(world, clock, number)
        undo(world, clock, taken)
        found = the_only(world)
        assert (found.verb, found.accepted, found.undone) == ("create_company", 1, 0)

    def test_what_nobody_decided_is_not_counted(self, world: World) -> None:
        decided(world, "update_deal", proposed=3, conflict=3, expired=3)
        assert earned(world) == []
        decided(world, "update_deal", applied=1)
        assert the_only(world).decided == 1

    def test_a_change_is_counted_for_ninety_days(self, world: World) -> None:
        decided(world, "update_deal", days=90, applied=1)
        decided(world, "update_deal", days=90.01, applied=4)
        assert the_only(world).decided == 1
        with world.read("admin") as ctx:
            assert [item.decided for item in earned_autonomy(ctx, since=NOW - timedelta(days=91))] == [5]
            assert earned_autonomy(ctx, since=NOW) == []

    def test_the_most_decided_come_first_then_by_name_and_verb(self, world: World) -> None:
        for who, verb, many in (("rep", "win_deal", 2), ("rep", "move_deal", 2), ("colleague", "win_deal", 2), ("stranger", "win_deal", 3)):
            decided(world, verb, who, applied=many)
        assert [(item.user.split()[0], item.verb) for item in earned(world)] == [
            ("Stella", "win_deal"),
            ("Colin", "win_deal"),
            ("Renata", "move_deal"),
            ("Renata", "win_deal"),
        ]

    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("admin", {"rep", "colleague", "junior", "stranger", "manager", "readonly"}),
            ("manager", {"rep", "colleague", "junior", "manager"}),
            ("rep", {"rep"}),
            ("junior", {"junior"}),
            ("stranger", {"stranger"}),
            ("readonly", {"readonly"}),
        ],
    )
    def test_everybody_sees_those_whose_changes_they_may_see(self, world: World, who: str, seen: set[str]) -> None:
        for person in ("rep", "colleague", "junior", "stranger", "manager", "readonly"):
            decided(world, "update_deal", person, applied=1)
        assert {item.user_id for item in earned(world, who)} == {world.users[person] for person in seen}


class TestSuggestions:
    @pytest.mark.parametrize(
        ("applied", "refused", "suggested"),
        [(20, 0, False), (34, 0, False), (35, 0, True), (50, 1, False), (60, 1, True), (200, 10, True), (200, 14, False), (2000, 170, True)],
    )
    def test_one_that_nearly_always_stood_could_apply_at_once(self, world: World, applied: int, refused: int, suggested: bool) -> None:
        assert (wilson_lower(applied, applied + refused) >= 0.9) is suggested
        decided(world, "update_deal", applied=applied, refused=refused)
        found = the_only(world)
        assert ("could be applied at once" in found.suggestion) is suggested
        assert bool(found.rule) is suggested
        if suggested:
            assert f"{applied} of {applied + refused} stood as proposed (0 edited, {refused} refused, 0 undone)" in found.suggestion

    @pytest.mark.parametrize("kind", ["refused", "replaced", "undone"])
    def test_whatever_did_not_stand_as_it_was_proposed_counts_against_it(self, world: World, kind: str) -> None:
        decided(world, "update_deal", applied=35)
        assert the_only(world).suggestion
        decided(world, "update_deal", **{kind: 3})
        assert not the_only(world).suggestion

    @pytest.mark.parametrize(("applied", "undone", "suggested"), [(7, 13, True), (8, 12, False), (0, 19, False), (0, 20, True), (50, 50, True)])
    def test_one_that_applies_at_once_and_was_often_taken_back_should_ask(self, world: World, applied: int, undone: int, suggested: bool) -> None:
        decided(world, "add_task", risk="none", applied=applied, undone=undone)
        found = the_only(world)
        assert ("should ask first" in found.suggestion) is suggested
        assert bool(found.rule) is suggested

    def test_few_decisions_suggest_nothing(self, world: World) -> None:
        decided(world, "add_task", risk="none", undone=LEAST - 1)
        assert (the_only(world).suggestion, the_only(world).rule) == ("", "")
        decided(world, "add_task", risk="none", undone=1)
        assert the_only(world).suggestion

    def test_what_asks_and_falls_is_not_told_to_ask(self, world: World) -> None:
        decided(world, "update_deal", refused=40)
        assert not the_only(world).suggestion

    def test_what_applies_at_once_already_is_not_told_to(self, world: World) -> None:
        decided(world, "update_deal", risk="none", applied=21)
        decided(world, "update_deal", risk="low", applied=20)
        assert not the_only(world).suggestion
        decided(world, "update_deal", risk="low", applied=2)
        assert the_only(world).suggestion, "most of them asked"

    @pytest.mark.parametrize("verb", sorted(name for name, item in CATALOG.items() if item.effect in (Effect.destructive, Effect.admin)))
    def test_neither_archiving_nor_administration_is_ever_loosened(self, world: World, verb: str) -> None:
        decided(world, verb, applied=500)
        assert not the_only(world).suggestion

    @pytest.mark.parametrize("verb", sorted(AT_ONCE))
    def test_what_the_shipped_policy_applies_at_once_is_not_loosened_for_others_records(self, world: World, verb: str) -> None:
        decided(world, verb, applied=500)
        assert not the_only(world).suggestion

    def test_undo_is_not_judged(self, world: World) -> None:
        decided(world, "undo_change", applied=500)
        assert earned(world) == []

    def test_people_are_judged_apart(self, world: World) -> None:
        decided(world, "update_deal", "rep", applied=40)
        decided(world, "update_deal", "colleague", applied=20, refused=20)
        assert {item.user: bool(item.suggestion) for item in earned(world)} == {"Renata Seller": True, "Colin Desk": False}

    @pytest.mark.parametrize("verb", sorted({name for name in WRITES if CATALOG[name].effect is Effect.write} - AT_ONCE))
    def test_a_looser_rule_does_what_it_suggests(self, world: World, verb: str) -> None:
        decided(world, verb, applied=40)
        with world.write("admin") as ctx:
            set_policy(ctx, above_shipped(the_only(world).rule), verbs=CHANGES)
        assert previewed(world, "rep", verb, arguments_of(world, verb)[1])[0] == "none"

    @pytest.mark.parametrize("verb", sorted(AT_ONCE))
    def test_a_stricter_rule_does_what_it_suggests(self, world: World, verb: str) -> None:
        assert previewed(world, "rep", verb, arguments_of(world, verb)[1])[0] == "none"
        decided(world, verb, risk="none", undone=40)
        with world.write("admin") as ctx:
            set_policy(ctx, above_shipped(the_only(world).rule), verbs=CHANGES)
        assert previewed(world, "rep", verb, arguments_of(world, verb)[1])[0] == "low"

    def test_what_is_suggested_for_changes_of_several_steps_can_be_set(self, world: World) -> None:
        decided(world, "several", risk="none", undone=40)
        decided(world, "several", "colleague", applied=40)
        for item in earned(world):
            assert bool(item.rule) == bool(item.suggestion)
            if item.rule:
                parse_policy(above_shipped(item.rule), verbs=CHANGES)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        verb=st.sampled_from(sorted(name for name, item in CATALOG.items() if item.effect is not Effect.read)),
        risk=st.sampled_from(("none", "low", "high", "second")),
        counts=st.fixed_dictionaries({name: st.integers(0, 40) for name in ("applied", "replaced", "refused", "undone")}),
    )
    def test_every_suggestion_has_its_figures_and_a_rule_that_can_be_used(
        self, shared_world: World, verb: str, risk: str, counts: dict[str, int]
    ) -> None:
        with shared_world.write("admin") as ctx:
            ctx.session.add_all(change_sets(shared_world.users["rep"], verb, risk, 1, counts))
            ctx.session.flush()
            found = earned_autonomy(ctx)
        assert sum(item.decided for item in found) == (0 if verb == "undo_change" else sum(counts.values()))
        for item in found:
            assert bool(item.suggestion) == bool(item.rule)
            if item.rule:
                assert item.suggestion.startswith(f"{counts['applied']} of {sum(counts.values())} stood as proposed")
                rule = parse_policy(above_shipped(item.rule), verbs=CHANGES).rules[0]
                assert (rule.then, rule.verbs) == ("ask" if risk == "none" else "apply", [verb])

    def test_nothing_is_loosened_by_itself(self, world: World) -> None:
        decided(world, "update_deal", applied=500)
        assert the_only(world).suggestion
        with world.read() as ctx:
            assert read_policy(ctx).version == 0
        assert previewed(world, "rep", "update_deal", {"id": world.row("deal"), "next_step": "Wait"})[0] == "low"
