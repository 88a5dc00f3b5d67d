"""Conditions on related records and on groups: against a naive reckoning over random companies, rights included."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from crm_core.access import Actor
from crm_core.context import unit_of_work
from crm_core.errors import Invalid
from crm_core.metrics.filters import Filter, Related
from crm_core.metrics.listing import ListQuestion, list_records
from crm_core.metrics.query import ask
from crm_core.metrics.question import GroupCondition, MetricQuestion
from crm_core.metrics.relations import pairs, related_kinds
from crm_core.models import NOUNS
from tests.crm_core.naive import Naive
from tests.crm_core.random_company import Data, Datasets
from tests.crm_core.test_metric_properties import (
    SETTINGS,
    actors,
    datasets,
    examples,
    expected,
    filters,
    questions,
    seeds,
)
from tests.factories import NOW

__all__ = ["datasets"]  # the fixture


@st.composite
def relations(draw: st.DrawFn, noun: str, depth: int = 0) -> Related:
    """A condition on related records, sometimes with one on theirs."""
    other = draw(st.sampled_from(related_kinds(noun)))
    conditions: list[Any] = draw(st.lists(filters(other), max_size=2))
    if depth < 1 and draw(st.integers(0, 3)) == 0:
        conditions.append(draw(relations(other, depth + 1)))
    none = draw(st.booleans())
    return Related(related=other, filters=conditions, none=none, at_least=draw(st.sampled_from([1, 1, 2, 3])))


def named_values(naive: Naive, relation: Related, error: Invalid) -> bool:
    """Whether the refusal is about a word that no record has, as for filters of the record itself."""
    plain = [item for item in relation.filters if isinstance(item, Filter)]
    nested = [item for item in relation.filters if isinstance(item, Related)]
    used = [item for item in plain if item.field in ("currency", "country", "city", "family")]
    return " is not a " in str(error) and bool(used) or any(named_values(naive, item, error) for item in nested)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("noun", sorted(NOUNS))
class TestRelatedRecords:
    def test_a_list_equals_the_naive_reckoning(self, datasets: Datasets, noun: str, kind: str) -> None:
        datasets.get(kind, 3)

        @settings(max_examples=examples(kind) * 3, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data: Data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            actor: Actor = draw.draw(actors(data), label="actor")
            relation = draw.draw(relations(noun), label="relation")
            naive = Naive(data, actor)
            wanted = {row["id"] for row in naive.rows(noun) if naive.passes(noun, row, relation)}
            try:
                with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
                    result = list_records(ctx, ListQuestion(noun=noun, filters=[relation], limit=200))
            except Invalid as error:
                assert named_values(naive, relation, error), error
                event("refused")
                return
            assert (set(result.ids), result.total) == (wanted, len(wanted))

        check()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("metric", ["open_pipeline", "won_deals", "customers", "open_tickets", "product_revenue", "time_in_stage", "win_rate"])
class TestRelatedRecordsOfFigures:
    def test_a_figure_equals_the_naive_reckoning(self, datasets: Datasets, metric: str, kind: str) -> None:
        datasets.get(kind, 3)
        noun = {"customers": "company", "open_tickets": "ticket"}.get(metric, "deal")

        @settings(max_examples=examples(kind), **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data: Data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            actor: Actor = draw.draw(actors(data), label="actor")
            relation = draw.draw(relations(noun), label="relation")
            question = draw.draw(questions(metric), label="question").model_copy(update={"filters": [relation], "compare": None})
            naive = Naive(data, actor)
            try:
                now, _before, _period = expected(naive, question)
                with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
                    result = ask(ctx, question)
            except Invalid as error:
                assert named_values(naive, relation, error) or "longer step" in str(error), error
                return
            assert result.value == now.value
            assert {group.keys: group.value for group in result.groups} == {key: value for key, (_labels, value) in now.groups.items()}

        check()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
class TestKeptGroups:
    def test_they_are_those_that_meet_the_condition(self, datasets: Datasets, kind: str) -> None:
        datasets.get(kind, 3)

        @settings(max_examples=examples(kind) * 4, **SETTINGS)
        @given(st.data())
        def check(draw: st.DataObject) -> None:
            data: Data = datasets.get(kind, draw.draw(seeds(kind), label="seed"))
            actor: Actor = draw.draw(actors(data), label="actor")
            metric, other = draw.draw(st.tuples(*[st.sampled_from(["won_deals", "win_rate", "won_value", "sales_cycle", "open_deals"])] * 2))
            group = draw.draw(st.sampled_from(["owner", "stage", "region"]))
            bound = draw.draw(st.sampled_from([0, 1, 2, 30, 50, 10_000]))
            op: Any = draw.draw(st.sampled_from(["is", "at_least", "more_than", "at_most", "less_than"]))
            question = MetricQuestion(metric=metric, group_by=[group])
            kept = question.model_copy(update={"keep": [GroupCondition(metric=other, op=op, value=Decimal(bound))]})
            with unit_of_work(data.engine, actor, write=False, now=NOW) as ctx:
                whole, left = ask(ctx, question), ask(ctx, kept)
                values = {item.keys: item.value for item in ask(ctx, question.model_copy(update={"metric": other})).groups}
            scale = 100 if other == "won_value" else 1
            nothing = Decimal() if other in ("won_deals", "won_value", "open_deals") else None
            compared = {"is": "__eq__", "at_least": "__ge__", "more_than": "__gt__", "at_most": "__le__", "less_than": "__lt__"}[op]
            wanted = [
                item.keys
                for item in whole.groups
                if (value := values.get(item.keys, nothing)) is not None and getattr(value, compared)(Decimal(bound * scale))
            ]
            assert [item.keys for item in left.groups] == wanted
            assert (left.value, left.groups_in_all, left.groups_compared) == (whole.value, len(wanted), len(whole.groups))

        check()

    def test_a_figure_that_is_not_split_has_none(self, datasets: Datasets, kind: str) -> None:
        data = datasets.get(kind, 3)
        question = MetricQuestion(metric="won_deals", keep=[GroupCondition(op="more_than", value=Decimal(1))])
        with unit_of_work(data.engine, data.tables["user_account"][0]["id"], write=False, now=NOW) as ctx:
            with pytest.raises(Invalid, match="say by what to split it"):
                ask(ctx, question)


class TestRefusals:
    def test_kinds_that_do_not_belong_together(self, datasets: Datasets) -> None:
        data = datasets.get("sqlite", 3)
        with unit_of_work(data.engine, data.tables["user_account"][0]["id"], write=False, now=NOW) as ctx:
            with pytest.raises(Invalid, match=r"no lead records of its own; it can be asked for those of kind .*activity"):
                list_records(ctx, ListQuestion(noun="deal", filters=[Related(related="lead")]))

    def test_too_many_steps(self, datasets: Datasets) -> None:
        data = datasets.get("sqlite", 3)
        condition = Related(related="deal")
        for related in ("company", "deal", "company"):
            condition = Related(related=related, filters=[condition])
        with unit_of_work(data.engine, data.tables["user_account"][0]["id"], write=False, now=NOW) as ctx:
            with pytest.raises(Invalid, match="3 steps away"):
                list_records(ctx, ListQuestion(noun="deal", filters=[condition]))

    def test_every_link_is_named_both_ways(self) -> None:
        for noun in NOUNS:
            for other in related_kinds(noun):
                assert pairs(noun, other) is not None
                assert pairs(other, noun) is not None
