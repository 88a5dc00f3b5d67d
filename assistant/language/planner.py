"""From a reading to tool calls: the same calls that a real model would make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.language.frames import Entity, Frame
from crm_core.metrics.filters import Filter

PAGE = 10

Call = tuple[str, dict[str, Any]]


def plan(frame: Frame, previous: Frame | None) -> list[Call]:
    """The calls that answer a frame; none where words alone do."""
    builders: dict[str, Callable[[Frame, Frame | None], list[Call]]] = {
        "metric": _metric,
        "list": _list,
        "record": _record,
        "interactions": _interactions,
        "define": _define,
        "explain": lambda _frame, _previous: [("explain_previous", {})],
        "movement": _movement,
        "history": _history,
        "teach": _teach,
        "forget": _teach,
        "rows": _rows,
        "command": _command,
        "undo": _undo,
    }
    builder = builders.get(frame.intent)
    return builder(frame, previous) if builder else []


def metric_question(frame: Frame) -> dict[str, Any]:
    """The argument of ``ask_metric``."""
    question: dict[str, Any] = {"metric": frame.metric}
    if frame.filters:
        question["filters"] = [item.model_dump(mode="json") for item in frame.filters]
    if frame.measure:
        question["measure"] = frame.measure.model_dump(mode="json")
    if frame.part:
        question["part"] = [item.model_dump(mode="json") for item in frame.part]
    if frame.group_by:
        question["group_by"] = frame.group_by
    if frame.period:
        question["period"] = frame.period.model_dump(mode="json")
    if frame.keep:
        question["keep"] = [item.model_dump(mode="json") for item in frame.keep]
    for name in ("compare", "order", "limit"):
        if getattr(frame, name):
            question[name] = getattr(frame, name)
    if frame.as_of:
        question["as_of"] = frame.as_of.isoformat()
    return question


def list_question(frame: Frame) -> dict[str, Any]:
    """The argument of ``list_matching``."""
    question: dict[str, Any] = {"noun": frame.noun, "limit": 1 if frame.count_only else min(frame.limit or PAGE, 200)}
    if frame.filters:
        question["filters"] = [item.model_dump(mode="json") for item in frame.filters]
    if frame.order_by:
        question |= {"order_by": frame.order_by, "descending": frame.descending}
    if frame.offset:
        question["offset"] = frame.offset
    if frame.as_of:
        question["as_of"] = frame.as_of.isoformat()
    if frame.columns:
        question["columns"] = frame.columns
    return question


def _metric(frame: Frame, _previous: Frame | None) -> list[Call]:
    return [("ask_metric", metric_question(frame))]


def _list(frame: Frame, _previous: Frame | None) -> list[Call]:
    if frame.metric:  # a list that only a metric can tell, such as deals that slipped in a period
        question = metric_question(frame.model_copy(update={"limit": None, "order": None}))
        question["filters"] = list(question.get("filters", []))
        page: dict[str, Any] = {"question": question, "limit": 1 if frame.count_only else min(frame.limit or PAGE, 200), "offset": frame.offset}
        if frame.order_by:
            page |= {"order_by": frame.order_by, "descending": frame.descending}
        return [("show_rows", page)]
    return [("list_matching", list_question(frame))]


def _record(frame: Frame, _previous: Frame | None) -> list[Call]:
    assert frame.entity is not None
    entity = frame.entity
    calls: list[Call] = [("get_record", {"noun": entity.noun, "id": entity.id})]
    if frame.asked_fields:
        return calls
    if entity.noun == "company":
        calls += [_related("deal", entity, open_field=("status", "is", ["open"])), _related("ticket", entity, open_field=("resolved", "empty", []))]
    elif entity.noun == "contact":
        calls.append(_related("deal", entity, open_field=("status", "is", ["open"])))
    if entity.noun in ("company", "contact", "deal", "lead", "ticket"):
        calls.append(("timeline", {"noun": entity.noun, "id": entity.id, "limit": 8}))
    return calls


def _related(noun: str, entity: Entity, *, open_field: tuple[str, str, list[Any]]) -> Call:
    name, op, values = open_field
    filters = [{"field": entity.noun, "op": "is", "values": [entity.id]}, {"field": name, "op": op, "values": values}]
    return "list_matching", {"noun": noun, "filters": filters, "limit": 5}


def _interactions(frame: Frame, _previous: Frame | None) -> list[Call]:
    filters = list(frame.filters)
    if frame.kinds:
        filters.append(Filter(field="kind", values=list(frame.kinds)))
    arguments: dict[str, Any] = {"query": frame.topic[:500], "limit": frame.limit or 5, "newest_first": frame.latest}
    if filters:
        arguments["filters"] = [item.model_dump(mode="json") for item in filters]
    if frame.period:
        arguments["period"] = frame.period.model_dump(mode="json")
    return [("search_interactions", arguments)]


def _movement(frame: Frame, _previous: Frame | None) -> list[Call]:
    assert frame.since is not None
    question: dict[str, Any] = {"since": frame.since.isoformat(), "step": frame.step}
    if frame.until:
        question["until"] = frame.until.isoformat()
    if frame.filters:
        question["filters"] = [item.model_dump(mode="json") for item in frame.filters]
    if frame.period:
        question["period"] = frame.period.model_dump(mode="json")
    return [("pipeline_movement", question)]


def _history(frame: Frame, _previous: Frame | None) -> list[Call]:
    assert frame.entity is not None
    question: dict[str, Any] = {"noun": frame.entity.noun, "id": frame.entity.id, "fields": frame.asked_fields}
    if frame.since:
        question["since"] = frame.since.isoformat()
    if frame.detail == "original":
        question["limit"] = 200
    return [("record_history", question)]


def _teach(frame: Frame, _previous: Frame | None) -> list[Call]:
    """A taught word is a change like any other: previewed, and applied by a yes."""
    word: dict[str, Any] = {"phrase": frame.detail, "company": frame.step == "company"}
    return [("forget_word", word)] if frame.intent == "forget" else [("teach_word", word | {"meaning": frame.topic})]


def _command(frame: Frame, _previous: Frame | None) -> list[Call]:
    """All that a message asks to be changed, as one change."""
    if frame.pending is not None:
        return []
    steps = [{"capability": call.tool, "arguments": call.arguments} | ({"ids": call.ids} if call.ids else {}) for call in frame.calls]
    return [("carry_out", {"steps": steps} | ({"replaces": frame.replaces} if frame.replaces else {}))]


def _undo(frame: Frame, _previous: Frame | None) -> list[Call]:
    """Applied changes are taken back, and proposals that wait are withdrawn."""
    calls: list[Call] = [("withdraw", {"change_set_ids": frame.replaces})] if frame.replaces else []
    if frame.changes:
        calls.append(("undo_change", {"change_set_ids": frame.changes, "partly": frame.detail == "partly"}))
    return calls


def _define(frame: Frame, _previous: Frame | None) -> list[Call]:
    return [("describe_metrics", {"names": [frame.metric]})]


def _rows(_frame: Frame, previous: Frame | None) -> list[Call]:
    """The rows behind the previous figure, or the previous list in full width."""
    if previous is None:
        return []
    if previous.intent == "metric":
        question = metric_question(previous.model_copy(update={"compare": None, "order": None, "limit": None, "group_by": [], "keep": []}))
        return [("show_rows", {"question": question, "limit": 25})]
    if previous.intent == "list":
        return _list(previous.model_copy(update={"count_only": False, "limit": previous.limit or 25}), None)
    return []
