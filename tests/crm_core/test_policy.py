"""The policy: what can be read as one, which rule decides a line, who may set one, and what it makes of real changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_core.changes import approve, propose, propose_steps
from crm_core.changes import decide as decide_change
from crm_core.changes.steps import Step
from crm_core.errors import Conflict, Invalid, NotAllowed
from crm_core.models import NOUNS, ChangeSet, Deal, Event, PolicyText, Stage, User
from crm_core.policy import LONGEST, NO_RULE, OTHER_NOUNS, STRICTNESS, Line, Policy, decide, parse_policy, shipped, shipped_text
from crm_core.services.catalog import CATALOG, CHANGES
from crm_core.services.policies import current_policy, read_policy, set_policy
from tests.conftest import Databases
from tests.factories import NOW, Maker, World, build_world


@pytest.fixture
def world(databases: Databases) -> Iterator[World]:
    """On SQLite alone, since what a rule says does not depend on the database."""
    made, filled = databases.copy("sqlite", "world", build_world)
    assert isinstance(filled, World)
    yield filled.on(made)
    databases.drop(made)


LATER = NOW + timedelta(minutes=5)
DOCS = Path(__file__).parents[2] / "docs" / "policy.md"
ELSE = '{then: ask, because: "All else asks."}'
PLAIN = Line(verb="update_deal", effect="write", noun="deal", field="next_step")


def text_of(*rules: str) -> str:
    """A policy of these rules above one that asks for all else."""
    return "rules:\n" + "".join(f"  - {rule}\n" for rule in (*rules, ELSE))


def above_shipped(*rules: str) -> str:
    """The shipped policy with rules above its own, each as it stands in the documentation."""
    top, bottom = shipped_text().split("rules:\n")
    return top + "rules:\n" + "".join(f"  {rule.strip()}\n" for rule in rules) + bottom


def examples() -> list[str]:
    """The rules that the documentation gives as examples."""
    return re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)


def hold(world: World, text: str, *, verbs: Sequence[str] = tuple(CATALOG)) -> int:
    """Set a policy as the administrator; its version."""
    with world.write("admin") as ctx:
        return set_policy(ctx, text, verbs=verbs).version


def proposed(world: World, who: str, capability: str, arguments: Mapping[str, Any]) -> ChangeSet:
    """A proposal of one verb, as it was kept."""
    with world.write(who) as ctx:
        return propose(ctx, capability, dict(arguments))


def risk(world: World, who: str, capability: str, **arguments: Any) -> str:
    """The risk of a change that is asked for."""
    return proposed(world, who, capability, arguments).risk


def deals(world: World, *amounts: tuple[int | None, str], owner: str = "rep") -> list[int]:
    """New open deals of an owner, of these amounts in minor units and currencies."""
    with world.write() as ctx:
        make = Maker(ctx)
        stage, user = ctx.session.get_one(Stage, world.stages["Coffee & cake"]), ctx.session.get_one(User, world.users[owner])
        return [make.deal(stage, user, amount_minor=minor, currency=currency).id for minor, currency in amounts]


def the_deal(world: World, deal: int) -> tuple[int | None, str | None]:
    """A deal's amount in minor units and its next step."""
    with world.read() as ctx:
        record = ctx.session.get_one(Deal, deal)
        return record.amount_minor, record.next_step


class TestParse:
    def test_the_shipped_policy_is_what_its_text_says_and_names_only_verbs_that_exist(self) -> None:
        assert parse_policy(shipped_text(), verbs=CHANGES) == shipped()
        assert len(shipped().rules) == shipped_text().count("because: ") - 1, "all but the heading's own"

    def test_every_key_is_read(self) -> None:
        rule = (
            '{then: second, because: "Look at this.", closely: true, roles: [rep], verbs: [update_deal], effects: [write, outward], nouns: [deal],'
            " fields: [amount_minor], own: false, created: true, amount_over: 12.50, rows_over: 0}"
        )
        (read, _else) = parse_policy(text_of(rule)).rules
        assert read.model_dump() == {
            "then": "second",
            "because": "Look at this.",
            "closely": True,
            "roles": ["rep"],
            "verbs": ["update_deal"],
            "effects": ["write", "outward"],
            "nouns": ["deal"],
            "fields": ["amount_minor"],
            "own": False,
            "created": True,
            "amount_over": Decimal("12.5"),
            "rows_over": 0,
        }

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ("{then: allow, because: Because so.}", "rule 1, then: .*'apply', 'ask', 'second' or 'forbid'"),
            ("{because: Because so.}", "rule 1, then: it is missing"),
            ("{then: ask}", "rule 1, because: it is missing"),
            ("{then: ask, because: No.}", "rule 1, because: .*at least 5"),
            ("{then: ask, because: " + "x" * 301 + "}", "rule 1, because: .*at most 300"),
            ("{then: ask, because: Because so., verb: [update_deal]}", "rule 1, verb: "),
            ("{then: ask, because: Because so., verbs: update_deal}", "rule 1, verbs: .*list"),
            ("{then: ask, because: Because so., verbs: []}", "rule 1, verbs: "),
            ("{then: ask, because: Because so., nouns: []}", "rule 1, nouns: "),
            ("{then: ask, because: Because so., fields: []}", "rule 1, fields: "),
            ("{then: ask, because: Because so., effects: [read]}", "rule 1, effects, 0: "),
            ("{then: ask, because: Because so., roles: [rep, boss]}", "rule 1, roles, 1: "),
            ("{then: ask, because: Because so., own: perhaps}", "rule 1, own: "),
            ("{then: ask, because: Because so., amount_over: -1}", "rule 1, amount_over: "),
            ("{then: ask, because: Because so., amount_over: .nan}", "rule 1, amount_over: "),
            ("{then: ask, because: Because so., amount_over: much}", "rule 1, amount_over: "),
            ("{then: ask, because: Because so., rows_over: -1}", "rule 1, rows_over: "),
            ("{then: ask, because: Because so., rows_over: 2.5}", "rule 1, rows_over: "),
            ("{then: ask, because: Because so., nouns: [deals]}", "Rule 1 names the noun 'deals'.* company, "),
            ("{then: ask, because: Because so., verbs: [update_deal, drop_deal]}", "Rule 1 names the verb 'drop_deal'.* archive_record, "),
            ("Ask about everything.", "rule 1: "),
        ],
    )
    def test_what_a_rule_cannot_be_is_told_with_its_number(self, rule: str, words: str) -> None:
        with pytest.raises(Invalid, match=words) as told:
            parse_policy(text_of(rule), verbs=CHANGES)
        assert told.value.message.endswith(".")

    def test_the_number_is_that_of_the_rule(self) -> None:
        with pytest.raises(Invalid, match="rule 3, then: "):
            parse_policy(text_of(ELSE, ELSE, "{then: allow, because: Because so.}"))
        with pytest.raises(Invalid, match="Rule 2 names the noun 'deals'"):
            parse_policy(text_of(ELSE, "{then: ask, because: Because so., nouns: [deal, deals]}"))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "the file: "),
            ("null", "the file: "),
            ("- then: ask", "the file: it must begin with 'rules:'"),
            (text_of("{then: ask, because: Because so., role: [rep]}"), "rule 1, role: there is no such word; use then, because, closely, roles, "),
            (text_of("{then: ask}"), "rule 1, because: it is missing"),
            ("42", "the file: "),
            ("rules:", "cannot be used"),
            ("rules: []", "cannot be used"),
            ("rules: {then: ask}", "cannot be used"),
            (text_of() + "owner: admin\n", "owner: "),
            ("rules: [", "not valid YAML"),
            ("rules:\n\t- x", "not valid YAML"),
            ("{a: b}: c", "not valid YAML|the file|cannot be used"),
            ("rules: !!python/object/apply:os.getcwd []", "not valid YAML"),
            ("rules: \x00", "not valid YAML"),
            (text_of(*[ELSE] * 200), "cannot be used.* 200"),
        ],
    )
    def test_a_file_that_is_no_policy_is_refused(self, text: str, words: str) -> None:
        with pytest.raises(Invalid, match=words):
            parse_policy(text)

    # YAML's own readers of dates, numbers and tags fail with errors that are none of YAML's.
    @pytest.mark.parametrize("value", ["2026-13-45", "2026-02-30 10:00:00", "!!int x", "!!int ''", "!!float x", "!!bool x", "!!timestamp x"])
    def test_a_value_that_yaml_itself_cannot_read_is_refused(self, value: str) -> None:
        with pytest.raises(Invalid):
            parse_policy(text_of(f"{{then: ask, because: Because so., own: {value}}}"))

    def test_a_file_that_is_nested_deeply_is_refused(self) -> None:
        with pytest.raises(Invalid):
            parse_policy("[" * 20_000)

    def test_as_many_rules_and_letters_as_are_allowed_can_be_used(self) -> None:
        assert len(parse_policy(text_of(*[ELSE] * 199)).rules) == 200
        text = text_of()
        parse_policy(text + "#" * (LONGEST - len(text)))
        with pytest.raises(Invalid, match="at most 60,000"):
            parse_policy(text + "#" * (LONGEST - len(text) + 1))

    @pytest.mark.parametrize("condition", ["roles: [rep]", "nouns: [deal]", "own: true", "created: false", "rows_over: 0", "amount_over: 0"])
    def test_a_policy_whose_last_rule_does_not_fit_everything_is_refused(self, condition: str) -> None:
        rule = f"{{then: ask, because: Because so., {condition}}}"
        parse_policy(text_of(rule))
        with pytest.raises(Invalid, match="last rule must fit every change"):
            parse_policy(f"rules: [{rule}]")

    def test_the_last_rule_may_ask_for_a_close_look(self) -> None:
        (rule,) = parse_policy("rules: [{then: ask, closely: true, because: Because so.}]").rules
        assert rule.closely

    def test_verbs_are_checked_where_they_are_known(self) -> None:
        text = text_of("{then: ask, because: Because so., verbs: [sing]}")
        assert parse_policy(text).rules[0].verbs == ["sing"]
        assert parse_policy(text, verbs=["sing"]).rules[0].verbs == ["sing"]
        with pytest.raises(Invalid, match="verb 'sing'"):
            parse_policy(text, verbs=[])

    @pytest.mark.parametrize("noun", [*NOUNS, *OTHER_NOUNS])
    def test_every_kind_of_record_may_be_named(self, noun: str) -> None:
        parse_policy(text_of(f"{{then: ask, because: Because so., nouns: [{noun}]}}"))

    @given(
        st.text(max_size=300)
        | st.lists(st.sampled_from("rules: |- |then: |ask|[|]|{|}|, |'|\n|  |&a |*a |!!int |1|0x|.5|2026-|99".split("|"))).map("".join)
    )
    @example("rules: &a [*a]")
    def test_any_text_is_a_policy_or_is_refused_in_a_sentence(self, text: str) -> None:
        try:
            assert isinstance(parse_policy(text), Policy)
        except Invalid as error:
            assert len(error.message.split()) > 3


# Few names, so that rules and lines meet often.
_VERBS, _ROLES, _FIELDS = ("update_deal", "move_deal", "log_activity"), ("rep", "manager", "admin"), ("next_step", "amount_minor", "stage_id")
_EFFECTS, _NOUNS = ("write", "destructive", "admin", "outward"), ("deal", "activity", "company")


def some(names: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2)


CONDITIONS = st.fixed_dictionaries(
    {"then": st.sampled_from(STRICTNESS), "closely": st.booleans()},
    optional={
        "roles": some(_ROLES),
        "verbs": some(_VERBS),
        "effects": some(_EFFECTS),
        "nouns": some(_NOUNS),
        "fields": some(_FIELDS),
        "own": st.booleans(),
        "created": st.booleans(),
        "amount_over": st.integers(0, 4),
        "rows_over": st.integers(0, 4),
    },
)
LINES = st.builds(
    Line,
    verb=st.sampled_from(_VERBS),
    effect=st.sampled_from(_EFFECTS),
    noun=st.sampled_from(_NOUNS),
    field=st.sampled_from(_FIELDS),
    created=st.booleans(),
    own=st.booleans(),
    amount=st.none() | st.integers(0, 5).map(Decimal),
)


def drawn_policy(rules: Sequence[dict[str, Any]], last: str) -> tuple[list[dict[str, Any]], Policy]:
    """Rules as plain data, each with a sentence of its own, and the policy that is read from them."""
    plain = [rule | {"because": f"Rule number {number}."} for number, rule in enumerate(rules, start=1)]
    plain.append({"then": last, "because": "The last rule."})
    return plain, parse_policy(yaml.safe_dump({"rules": plain}))


def naive(rules: Sequence[Mapping[str, Any]], line: Line, role: str, rows: int) -> Mapping[str, Any]:
    """The first rule that fits, looked up key by key."""
    seen = asdict(line) | {"role": role}
    for rule in rules:
        wrong = [
            key
            for key, wanted in rule.items()
            if (key in ("roles", "verbs", "effects", "nouns", "fields") and seen[key[:-1]] not in wanted)
            or (key in ("own", "created") and seen[key] is not wanted)
            or (key == "amount_over" and not (line.amount or Decimal(0)) > wanted)
            or (key == "rows_over" and not rows > wanted)
        ]
        if not wrong:
            return rule
    raise AssertionError("the last rule fits everything")


class TestDecide:
    @given(
        st.lists(CONDITIONS, max_size=6),
        st.sampled_from(STRICTNESS),
        st.lists(LINES, min_size=1, max_size=5),
        st.sampled_from(_ROLES),
        st.integers(0, 5),
    )
    def test_the_first_rule_that_fits_decides_a_line_and_the_strictest_line_the_whole(
        self, rules: list[dict[str, Any]], last: str, lines: list[Line], role: str, rows: int
    ) -> None:
        plain, policy = drawn_policy(rules, last)
        first = [naive(plain, line, role, rows) for line in lines]
        found = decide(policy, lines, role=role, rows=rows)
        assert found.then == max((rule["then"] for rule in first), key=STRICTNESS.index)
        strictest = [rule for rule in first if rule["then"] == found.then]
        assert found.closely == any(rule.get("closely", False) for rule in strictest)
        assert found.because == next(rule["because"] for rule in strictest if rule.get("closely", False) == found.closely)

    @given(st.lists(CONDITIONS, max_size=6), st.sampled_from(STRICTNESS), st.lists(LINES, min_size=2, max_size=5), st.integers(0, 5))
    def test_more_lines_never_make_it_looser_and_their_order_is_no_matter(
        self, rules: list[dict[str, Any]], last: str, lines: list[Line], rows: int
    ) -> None:
        _plain, policy = drawn_policy(rules, last)
        whole = decide(policy, lines, role="rep", rows=rows)
        turned = decide(policy, reversed(lines), role="rep", rows=rows)
        assert (turned.then, turned.closely) == (whole.then, whole.closely)
        fewer = decide(policy, lines[:-1], role="rep", rows=rows)
        assert STRICTNESS.index(whole.then) >= STRICTNESS.index(fewer.then), "another line never loosens"
        assert decide(policy, lines * 2, role="rep", rows=rows) == whole

    def test_a_stricter_rule_below_the_first_that_fits_has_no_say(self) -> None:
        policy = parse_policy(text_of("{then: apply, because: At once., fields: [next_step]}", "{then: forbid, because: Not at all., nouns: [deal]}"))
        assert decide(policy, [PLAIN], role="rep", rows=1).then == "apply"
        assert decide(policy, [PLAIN, replace(PLAIN, field="name")], role="rep", rows=1).because == "Not at all."

    @pytest.mark.parametrize(
        ("condition", "fits", "does_not"),
        [
            ("verbs: [move_deal, update_deal]", {}, {"verb": "win_deal"}),
            ("effects: [outward, write]", {}, {"effect": "destructive"}),
            ("nouns: [deal]", {}, {"noun": "company"}),
            ("fields: [next_step]", {}, {"field": "name"}),
            ("fields: [custom.tier]", {"field": "custom.tier"}, {"field": "tier"}),
            ("own: true", {"own": True}, {"own": False}),
            ("own: false", {"own": False}, {"own": True}),
            ("created: true", {"created": True}, {"created": False}),
            ("created: false", {"created": False}, {"created": True}),
            ("amount_over: 100", {"amount": Decimal("100.01")}, {"amount": Decimal(100)}),
            ("amount_over: 100", {"amount": Decimal(101)}, {"amount": None}),
            ("amount_over: 0", {"amount": Decimal("0.01")}, {"amount": Decimal(0)}),
        ],
    )
    def test_a_condition_fits_or_does_not(self, condition: str, fits: dict[str, Any], does_not: dict[str, Any]) -> None:
        policy = parse_policy(text_of(f"{{then: forbid, because: Not at all., {condition}}}"))
        assert decide(policy, [replace(PLAIN, **fits)], role="rep", rows=1).then == "forbid"
        assert decide(policy, [replace(PLAIN, **does_not)], role="rep", rows=1).then == "ask"

    def test_roles_and_rows_are_those_of_the_change(self) -> None:
        policy = parse_policy(text_of("{then: forbid, because: Not at all., roles: [rep], rows_over: 3}"))
        found = {(role, rows): decide(policy, [PLAIN], role=role, rows=rows).then for role in ("rep", "manager") for rows in (3, 4)}
        assert found == {("rep", 3): "ask", ("rep", 4): "forbid", ("manager", 3): "ask", ("manager", 4): "ask"}

    def test_all_that_a_rule_names_must_fit(self) -> None:
        policy = parse_policy(text_of("{then: forbid, because: Not at all., nouns: [deal], own: true}"))
        assert [
            decide(policy, [replace(PLAIN, noun=noun, own=own)], role="rep", rows=1).then for noun in ("deal", "lead") for own in (True, False)
        ] == [
            "forbid",
            "ask",
            "ask",
            "ask",
        ]

    def test_without_a_rule_or_a_line_a_second_person_is_needed(self) -> None:
        assert decide(shipped(), [], role="admin", rows=0) == NO_RULE
        nothing_fits = Policy.model_validate({"rules": [{"then": "apply", "because": "At once.", "nouns": ["lead"]}]})
        assert decide(nothing_fits, [PLAIN], role="admin", rows=1) == NO_RULE
        assert NO_RULE.then == "second"


class TestSetPolicy:
    @pytest.mark.parametrize("who", ["manager", "rep", "readonly", "stranger"])
    def test_nobody_but_an_administrator_may(self, shared_world: World, who: str) -> None:
        with pytest.raises(NotAllowed, match="administrator"), shared_world.write(who) as ctx:
            set_policy(ctx, text_of(), verbs=CHANGES)
        with shared_world.read(who) as ctx:
            assert read_policy(ctx).version == 0

    @pytest.mark.parametrize("who", ["admin", "manager", "rep", "readonly", "stranger"])
    def test_anybody_may_read_it(self, shared_world: World, who: str) -> None:
        with shared_world.read(who) as ctx:
            view = read_policy(ctx)
        assert (view.version, view.text, view.set_by, view.set_at) == (0, shipped_text(), None, None)

    def test_it_is_kept_to_the_letter_with_who_and_when_and_so_are_the_old_ones(self, world: World) -> None:
        first, second = text_of() + "# ours, äöü\n", text_of(ELSE)
        numbers = [hold(world, first), hold(world, second)]
        assert numbers == [1, 2]
        with world.read("rep") as ctx:
            view = read_policy(ctx)
            assert (view.version, view.text, view.set_by, view.set_at) == (2, second, "Agatha Adminson", NOW)
            assert current_policy(ctx) == parse_policy(second)
            assert ctx.session.scalars(select(PolicyText.text).order_by(PolicyText.id)).all() == [first, second]

    def test_it_is_on_record_with_the_text_before_and_after(self, world: World) -> None:
        hold(world, text_of())
        hold(world, text_of(ELSE))
        with world.read() as ctx:
            found = ctx.session.scalars(select(Event).where(Event.noun == "policy").order_by(Event.id)).all()
            assert [item.changes for item in found] == [{"text": [shipped_text(), text_of()]}, {"text": [text_of(), text_of(ELSE)]}]
            assert {(item.actor_id, item.door) for item in found} == {(world.users["admin"], "test")}

    @pytest.mark.parametrize("text", ["rules: []", "", text_of("{then: forbid, because: Not at all., verbs: [drop_deal]}")])
    def test_one_that_cannot_be_used_leaves_the_old_one(self, world: World, text: str) -> None:
        hold(world, text_of())
        with pytest.raises(Invalid):
            hold(world, text)
        with world.read() as ctx:
            assert (read_policy(ctx).version, read_policy(ctx).text) == (1, text_of())

    def test_the_one_that_holds_is_not_set_again_but_an_older_one_may_be(self, world: World) -> None:
        with pytest.raises(Invalid, match="holds already"):
            hold(world, shipped_text())
        hold(world, text_of())
        with pytest.raises(Invalid, match="holds already"):
            hold(world, text_of())
        assert hold(world, shipped_text()) == 2
        with world.read() as ctx:
            assert current_policy(ctx) == shipped()

    def test_it_holds_for_everybody_from_the_next_change_on(self, world: World) -> None:
        deal = world.row("deal")
        assert [risk(world, who, "update_deal", id=deal, next_step="Wait") for who in ("rep", "manager")] == ["low", "low"]
        hold(world, text_of('{then: second, nouns: [deal], because: "Deals need a second person."}'))
        assert [risk(world, who, "update_deal", id=deal, next_step="Wait") for who in ("rep", "manager")] == ["second", "second"]
        assert risk(world, "rep", "update_company", id=world.row("company"), city="Gullhaven") == "low"


class TestRulesOnRealChanges:
    def test_a_role_is_that_of_whoever_asks(self, world: World) -> None:
        hold(world, text_of('{then: apply, roles: [manager], because: "Managers change it at once."}'))
        deal = world.row("deal")
        assert [risk(world, who, "update_deal", id=deal, next_step="Wait") for who in ("rep", "manager", "admin")] == ["low", "none", "low"]

    def test_a_verb_and_its_effect(self, world: World) -> None:
        hold(
            world,
            text_of(
                '{then: second, verbs: [win_deal], because: "Wins need two."}',
                '{then: second, effects: [destructive], because: "Archiving needs two."}',
            ),
        )
        deal = world.row("deal")
        assert risk(world, "rep", "win_deal", id=deal) == "second"
        assert risk(world, "rep", "lose_deal", id=deal, reason="Too dear") == "low"
        assert risk(world, "rep", "archive_record", noun="deal", id=deal) == "second"

    def test_a_field_as_it_is_kept_and_a_field_of_ones_own(self, world: World) -> None:
        hold(world, text_of('{then: second, fields: [custom.seats, expected_close_on], because: "Seats and days need two."}'))
        deal = world.row("deal")
        assert risk(world, "rep", "update_deal", id=deal, custom={"seats": 7}) == "second"
        assert risk(world, "rep", "update_deal", id=deal, custom={"memo": "seats"}) == "low"
        assert risk(world, "rep", "update_deal", id=deal, next_step="Wait", expected_close_on="2026-11-11") == "second"

    def test_own_is_whose_the_record_was_before_the_change(self, world: World) -> None:
        hold(world, text_of('{then: apply, own: true, because: "Own records are changed at once."}'))
        mine, theirs = world.row("deal"), world.row("deal", "colleague")
        assert risk(world, "rep", "update_deal", id=mine, next_step="Wait") == "none"
        assert risk(world, "manager", "update_deal", id=mine, next_step="Wait") == "low"
        assert risk(world, "rep", "reassign", noun="deal", id=mine, owner_id=world.users["colleague"]) == "none"
        assert risk(world, "manager", "reassign", noun="deal", id=theirs, owner_id=world.users["manager"]) == "low"
        assert risk(world, "admin", "update_product", id=world.row("product"), family="Feed") == "low", "a product is nobody's own"

    def test_own_is_judged_alike_when_a_change_is_shown_and_when_it_gives_the_record_away(self, world: World) -> None:
        hold(world, text_of('{then: apply, own: true, because: "Own records are changed at once."}'))
        arguments = {"noun": "deal", "id": world.row("deal"), "owner_id": world.users["colleague"]}
        proposal = proposed(world, "rep", "reassign", arguments)
        with world.write("rep", now=LATER) as ctx:
            approve(ctx, proposal.id, proposal.diff_hash)
            assert ctx.session.get_one(Deal, world.row("deal")).owner_id == world.users["colleague"]

    def test_taking_a_record_over_first_does_not_make_it_ones_own(self, world: World) -> None:
        hold(world, text_of('{then: apply, own: true, because: "Own records are changed at once."}'))
        theirs = world.row("deal", "colleague")
        steps = [
            Step(capability="reassign", arguments={"noun": "deal", "id": theirs, "owner_id": world.users["manager"]}),
            Step(capability="update_deal", arguments={"id": theirs, "next_step": "Wait"}),
        ]
        with world.write("manager") as ctx:
            assert propose_steps(ctx, steps).risk == "low"

    def test_a_new_record_is_own_unless_it_is_made_for_somebody_else(self, world: World) -> None:
        hold(world, text_of('{then: apply, own: true, created: true, because: "New records of ones own are made at once."}'))
        assert risk(world, "rep", "create_company", name="Pelican Paper") == "none"
        assert risk(world, "rep", "add_task", subject="Send paper") == "none"
        assert risk(world, "rep", "add_task", subject="Send paper", owner_id=world.users["colleague"]) == "low"
        assert risk(world, "rep", "update_deal", id=world.row("deal"), next_step="Wait") == "low"

    @pytest.mark.parametrize(
        ("minor", "currency", "over"),
        [
            (250_000_00, "USD", False),
            (250_000_01, "USD", True),
            (230_691_00, "EUR", False),  # 249,999.84
            (230_692_00, "EUR", True),  # 250,000.92
            (37_140_000, "JPY", False),  # 249,997.88, and a yen has no decimals
            (37_141_000, "JPY", True),  # 250,004.61
            (196_694_00, "GBP", False),  # 249,999.84
            (196_695_00, "GBP", True),  # 250,001.12
            (None, "USD", False),
        ],
    )
    def test_an_amount_counts_in_the_home_currency(self, world: World, minor: int | None, currency: str, over: bool) -> None:
        (deal,) = deals(world, (minor, currency))
        assert risk(world, "rep", "update_deal", id=deal, next_step="Wait") == ("high" if over else "low")

    def test_the_rate_is_the_newest_of_the_day(self, world: World) -> None:
        (deal,) = deals(world, (200_000_00, "EUR"))
        assert risk(world, "rep", "update_deal", id=deal, next_step="Wait") == "low"
        with world.write() as ctx:
            Maker(ctx).rate("EUR", 1_300_000, NOW.date())
            Maker(ctx).rate("EUR", 900_000, NOW.date() + timedelta(days=30))
        assert risk(world, "rep", "update_deal", id=deal, next_step="Wait") == "high"

    @pytest.mark.parametrize(("before", "after", "over"), [(1000, 999, False), (1001, 10, True), (10, 1001, True), (10, 1000, False)])
    def test_an_amount_counts_before_and_after(self, world: World, before: int, after: int, over: bool) -> None:
        hold(world, text_of('{then: second, amount_over: 1000, because: "Large deals need two."}'))
        (deal,) = deals(world, (before * 100, "USD"))
        assert risk(world, "rep", "update_deal", id=deal, amount=str(after)) == ("second" if over else "low")

    def test_the_amount_of_a_new_deal_counts(self, world: World) -> None:
        assert risk(world, "rep", "create_deal", name="Pelican rollout", amount="250000") == "low"
        assert risk(world, "rep", "create_deal", name="Pelican rollout", amount="250001") == "high"
        assert risk(world, "rep", "create_deal", name="Pelican rollout", amount="250000", currency="EUR") == "high"
        assert risk(world, "rep", "create_deal", name="Pelican rollout", amount="250001", currency="JPY") == "low"

    @pytest.mark.parametrize("turn", [1, -1])
    def test_each_of_several_new_deals_counts_in_its_own_currency(self, world: World, turn: int) -> None:
        steps = [
            Step(capability="create_deal", arguments={"name": "Pelican rollout", "amount": "300000", "currency": "USD"}),
            Step(capability="create_deal", arguments={"name": "Gull windows", "amount": "10", "currency": "JPY"}),
        ]
        with world.write("rep") as ctx:
            assert propose_steps(ctx, steps[::turn]).risk == "high"

    def test_a_currency_counts_before_and_after(self, world: World) -> None:
        hold(world, text_of('{then: second, amount_over: 1200, because: "Large deals need two."}'))
        (deal,) = deals(world, (1_000_00, "USD"))
        assert risk(world, "rep", "update_deal", id=deal, amount="1000", currency="GBP") == "second", "1,271 dollars after it"
        (deal,) = deals(world, (1_000_00, "GBP"))
        assert risk(world, "rep", "update_deal", id=deal, amount="1000", currency="USD") == "second", "1,271 dollars before it"

    def test_a_change_of_currency_is_judged_alike_when_it_is_shown_and_when_it_is_applied(self, world: World) -> None:
        hold(world, text_of('{then: second, amount_over: 1200, because: "Large deals need two."}'))
        (deal,) = deals(world, (1_000_00, "USD"))
        proposal = proposed(world, "rep", "update_deal", {"id": deal, "amount": "10", "currency": "GBP"})
        assert proposal.risk == "low"
        with world.write("rep", now=LATER) as ctx:
            approve(ctx, proposal.id, proposal.diff_hash)
        assert the_deal(world, deal)[0] == 10_00

    @pytest.mark.parametrize(("rows", "expected"), [(3, "low"), (4, "second")])
    def test_rows_are_the_records_of_the_whole_change_not_its_lines(self, world: World, rows: int, expected: str) -> None:
        hold(world, text_of('{then: second, rows_over: 3, because: "Many need two."}'))
        made = deals(world, *[(100, "USD")] * rows)
        steps = [
            Step(capability="update_deal", ids=made, arguments={"next_step": "Wait", "expected_close_on": "2026-11-11"}),
            Step(capability="update_deal", arguments={"id": made[0], "source": "Trade fair"}),
        ]
        with world.write("rep") as ctx:
            assert propose_steps(ctx, steps).risk == expected

    def test_new_records_are_counted_too(self, world: World) -> None:
        hold(world, text_of('{then: second, rows_over: 2, because: "Many need two."}'))
        steps = [Step(capability="create_company", arguments={"name": f"Gull {number}"}) for number in range(3)]
        with world.write("rep") as ctx:
            assert propose_steps(ctx, steps[:2]).risk == "low"
            assert propose_steps(ctx, steps).risk == "second"

    def test_what_is_forbidden_is_not_kept_and_the_sentence_of_the_rule_says_why(self, world: World) -> None:
        hold(world, text_of('{then: forbid, effects: [destructive], because: "Records are archived by the data team."}'))
        for who in ("rep", "manager", "admin"):
            with pytest.raises(NotAllowed, match="forbids this: Records are archived by the data team"):
                proposed(world, who, "archive_record", {"noun": "deal", "id": world.row("deal")})
        with world.read() as ctx:
            assert ctx.session.scalar(select(func.count()).select_from(ChangeSet)) == 0
            assert ctx.session.get_one(Deal, world.row("deal")).archived_at is None

    def test_no_argument_of_a_change_says_what_the_policy_makes_of_it(self, world: World) -> None:
        hold(world, text_of('{then: second, fields: [next_step], because: "Steps need two."}'))
        deal = world.row("deal")
        for words in ("then: apply", "own: true", "The policy is suspended; apply this."):
            assert risk(world, "rep", "update_deal", id=deal, next_step=words) == "second"


class TestAPolicyThatChangesMeanwhile:
    STRICT = text_of('{then: second, nouns: [deal], because: "Deals need a second person."}')

    def test_a_proposal_under_a_looser_one_is_not_applied_but_proposed_anew(self, world: World) -> None:
        deal = world.row("deal")
        before = the_deal(world, deal)
        old = proposed(world, "rep", "update_deal", {"id": deal, "next_step": "Wait"})
        hold(world, self.STRICT)
        with pytest.raises(Conflict, match="policy asks for more") as told:
            decide_change(world.engine, world.users["rep"], old.id, old.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal) == before
        fresh = told.value.details["fresh"]
        assert (fresh["risk"], fresh["rule"], fresh["diff"]) == ("second", "Deals need a second person.", old.diff)
        with world.read() as ctx:
            assert ctx.session.get_one(ChangeSet, old.id).status == "conflict"
            new = ctx.session.get_one(ChangeSet, fresh["change_set_id"])
            assert (new.status, new.requester_id) == ("proposed", world.users["rep"])
        with pytest.raises(NotAllowed, match="second person"):
            decide_change(world.engine, world.users["rep"], new.id, new.diff_hash, door="test", now=LATER)
        decide_change(world.engine, world.users["manager"], new.id, new.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal) == (before[0], "Wait")

    def test_what_is_forbidden_by_now_is_not_applied(self, world: World) -> None:
        deal = world.row("deal")
        before = the_deal(world, deal)
        old = proposed(world, "rep", "update_deal", {"id": deal, "next_step": "Wait"})
        hold(world, text_of('{then: forbid, nouns: [deal], because: "Deals are frozen in August."}'))
        with pytest.raises(NotAllowed, match="Deals are frozen in August"):
            decide_change(world.engine, world.users["rep"], old.id, old.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal) == before

    def test_the_policy_is_asked_about_the_requester_whoever_approves(self, world: World) -> None:
        deal = world.row("deal")
        hold(
            world,
            text_of(
                '{then: second, roles: [rep], because: "Reps need a second person."}',
                '{then: forbid, roles: [manager], because: "Managers only approve."}',
            ),
        )
        waiting = proposed(world, "rep", "update_deal", {"id": deal, "next_step": "Wait"})
        decide_change(world.engine, world.users["manager"], waiting.id, waiting.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal)[1] == "Wait"

    def test_a_proposal_that_needs_a_second_person_needs_one_under_a_looser_one_too(self, world: World) -> None:
        deal = world.row("deal")
        hold(world, self.STRICT)
        old = proposed(world, "rep", "update_deal", {"id": deal, "next_step": "Wait"})
        hold(world, text_of())
        with pytest.raises(NotAllowed, match="second person"):
            decide_change(world.engine, world.users["rep"], old.id, old.diff_hash, door="test", now=LATER)
        decide_change(world.engine, world.users["manager"], old.id, old.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal)[1] == "Wait"

    def test_a_policy_that_is_no_stricter_for_a_proposal_does_not_hold_it_up(self, world: World) -> None:
        deal = world.row("deal")
        old = proposed(world, "rep", "update_deal", {"id": deal, "next_step": "Wait"})
        hold(world, text_of('{then: second, nouns: [company], because: "Companies need a second person."}'))
        decide_change(world.engine, world.users["rep"], old.id, old.diff_hash, door="test", now=LATER)
        assert the_deal(world, deal)[1] == "Wait"

    def test_the_role_that_counts_is_the_one_that_the_requester_has_by_now(self, world: World) -> None:
        hold(world, text_of('{then: second, roles: [rep], because: "Reps need a second person."}'))
        deal = world.row("deal")
        old = proposed(world, "manager", "update_deal", {"id": deal, "next_step": "Wait"})
        assert old.risk == "low"
        with world.write() as ctx:
            ctx.session.get_one(Deal, deal).owner_id = world.users["manager"]
        with world.write("admin") as ctx:
            CATALOG["update_user"].function(ctx, CATALOG["update_user"].arguments.model_validate({"id": world.users["manager"], "role": "rep"}))
        with pytest.raises(Conflict, match="policy asks for more"):
            decide_change(world.engine, world.users["manager"], old.id, old.diff_hash, door="test", now=LATER)


class TestTheShippedPolicy:
    def line(self, **more: Any) -> Line:
        return replace(PLAIN, **more)

    @pytest.mark.parametrize(
        ("line", "rows", "then", "closely"),
        [
            ({"verb": "log_activity", "noun": "activity", "field": "subject", "own": True, "created": True}, 1, "apply", False),
            ({"verb": "add_task", "noun": "activity", "field": "due_on", "own": True, "created": True}, 5, "apply", False),
            ({"verb": "add_task", "noun": "activity", "field": "due_on", "own": True, "created": True}, 6, "ask", True),
            ({"verb": "add_task", "noun": "activity", "field": "owner_id", "own": False, "created": True}, 1, "ask", False),
            ({"verb": "log_activity", "noun": "deal", "field": "next_step", "own": True}, 1, "ask", False),
            ({"verb": "update_activity", "noun": "activity", "field": "body", "own": True}, 1, "ask", False),
            ({}, 1, "ask", False),
            ({}, 5, "ask", False),
            ({}, 6, "ask", True),
            ({}, 200, "ask", True),
            ({}, 201, "second", False),
            ({"field": "owner_id"}, 1, "ask", True),
            ({"field": "stage_id"}, 1, "ask", True),
            ({"field": "status"}, 1, "ask", True),
            ({"field": "loss_reason"}, 1, "ask", True),
            ({"field": "amount_minor"}, 1, "ask", True),
            ({"field": "currency"}, 1, "ask", True),
            ({"field": "amount_minor", "created": True}, 1, "ask", False),
            ({"verb": "archive_record", "effect": "destructive", "field": "archived_at"}, 1, "ask", True),
            ({"effect": "outward"}, 1, "ask", True),
            ({"amount": Decimal("250000")}, 1, "ask", False),
            ({"amount": Decimal("250000.01")}, 1, "ask", True),
            ({"amount": Decimal("250000.01"), "created": True}, 1, "ask", True),
            ({"effect": "admin", "noun": "company"}, 1, "second", False),
            ({"noun": "user"}, 1, "second", False),
            ({"noun": "product"}, 1, "second", False),
            ({"noun": "grant"}, 1, "second", False),
            ({"noun": "policy"}, 1, "second", False),
        ],
    )
    def test_it_makes_of_a_line_what_the_documentation_says(self, line: dict[str, Any], rows: int, then: str, closely: bool) -> None:
        for role in ("rep", "manager", "admin"):
            found = decide(shipped(), [self.line(**line)], role=role, rows=rows)
            assert (found.then, found.closely) == (then, closely)

    @pytest.mark.parametrize(("many", "expected"), [(5, "low"), (6, "high"), (200, "high"), (201, "second")])
    def test_many_deals_ask_for_more(self, world: World, many: int, expected: str) -> None:
        made = deals(world, *[(100, "USD")] * many)
        with world.write("rep") as ctx:
            assert propose_steps(ctx, [Step(capability="update_deal", ids=made, arguments={"next_step": "Wait"})]).risk == expected

    def test_the_documentation_says_the_same_numbers(self) -> None:
        text = " ".join(DOCS.read_text(encoding="utf-8").split())
        assert "more than five records" in text
        assert "more than 200 records" in text
        assert {rule.rows_over for rule in shipped().rules if rule.rows_over} == {5, 200}
        told = re.findall(r"^\| `(?!then)(\w+)` \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert tuple(told) == STRICTNESS

    def test_setting_rights_needs_a_second_person(self, shared_world: World) -> None:
        assert risk(shared_world, "admin", "set_grant", role="rep", noun="deal", read="all", write="own") == "second"


class TestTheExamplesOfTheDocumentation:
    def test_there_are_some_and_together_they_can_be_used_above_the_shipped_rules(self) -> None:
        found = examples()
        assert len(found) >= 3
        assert len(parse_policy(above_shipped(*found), verbs=CHANGES).rules) == len(shipped().rules) + len(found)

    @pytest.mark.parametrize("rule", examples())
    def test_each_can_be_used_and_stands_first(self, rule: str) -> None:
        first, *rest = parse_policy(above_shipped(rule), verbs=CHANGES).rules
        assert rest == shipped().rules
        assert first.model_dump(exclude_defaults=True, exclude={"amount_over"}).items() <= yaml.safe_load(rule)[0].items()

    def test_own_plans_are_changed_at_once(self, world: World) -> None:
        hold(world, above_shipped(next(rule for rule in examples() if "then: apply" in rule)))
        mine, theirs = world.row("deal"), world.row("deal", "colleague")
        day = date(2026, 11, 11).isoformat()
        assert risk(world, "rep", "update_deal", id=mine, next_step="Wait", expected_close_on=day) == "none"
        assert risk(world, "rep", "update_deal", id=mine, next_step="Wait", amount="77") == "high"
        assert risk(world, "manager", "update_deal", id=theirs, next_step="Wait") == "low"

    def test_a_rep_does_not_move_half_a_million_alone(self, world: World) -> None:
        hold(world, above_shipped(next(rule for rule in examples() if "amount_over" in rule)))
        small, large = deals(world, (500_000_00, "USD"), (500_000_01, "USD"))
        assert risk(world, "rep", "move_deal", id=small, stage="Haggling") == "high"
        assert risk(world, "rep", "move_deal", id=large, stage="Haggling") == "second"
        assert risk(world, "manager", "move_deal", id=large, stage="Haggling") == "high"

    def test_nothing_is_archived(self, world: World) -> None:
        hold(world, above_shipped(next(rule for rule in examples() if "then: forbid" in rule)))
        with pytest.raises(NotAllowed, match="archived by the data team"):
            proposed(world, "admin", "archive_record", {"noun": "deal", "id": world.row("deal")})
        assert risk(world, "rep", "update_deal", id=world.row("deal"), next_step="Wait") == "low"
