"""From results to words, for the embedded model, and for any model whose words could not be traced."""

from __future__ import annotations

import re
from typing import Any

from assistant.answer import Approval, Figure
from assistant.language.frames import Frame
from assistant.language.wording import fact, history_text, list_text, metric_text, money_of, movement_text, show_day
from assistant.retrieval.search import Passage, Passages
from assistant.turn import Done, Turn, approvals_of
from crm_core.metrics.listing import ListResult
from crm_core.metrics.movement import Movement
from crm_core.metrics.question import MetricResult
from crm_core.money import format_money
from crm_core.services.activities import TimelineView
from crm_core.services.catalog import MetricInfo
from crm_core.services.history import HistoryView
from crm_core.services.records import View
from crm_core.text import fold, join_words, plural

CAN_DO = (
    "I answer from the CRM: figures (won value by rep last quarter, win rate in a region, tickets opened per week), lists (my deals closing this month over 20k), "
    "records (what is going on with a company), people's details, and what was said in calls, mails, meetings and notes. "
    "Ask how a figure came about, or to see the rows behind it, at any time."
)
CAN_CHANGE = (
    "I can change deals, tickets, contacts, companies and leads, one or many at once: stage, amount, dates, next step, forecast, owner, outcome, status, priority and "
    "their other fields; make new ones; log a call, e-mail, meeting or note, add a task, and take a change back. Each is shown before anything happens."
)
#: Reasons that are told one by one.
NAMED = 3
#: Longest quotation, in characters.
QUOTE_CHARS = 280
_TALK = {
    "hello": "Hello! Ask me about your pipeline, your customers or what was said to whom.",
    "thanks": "You are welcome.",
    "bye": "Goodbye.",
    "dropped": "All right, nothing was prepared.",
}


def compose(turn: Turn) -> str:
    """The text of the answer; sets the turn's outcome."""
    frame = turn.frame or Frame(intent="unknown")
    done = turn.done[turn.skipped :]
    turn.notices += [f"I read '{phrase}' as '{meaning}', as it was taught." for phrase, meaning in frame.taught.items()]
    turn.notices += [f"I left aside '{frame.aside}'."] if frame.aside else []
    errors = [item for item in done if item.error]
    if errors and len(errors) == len(done):
        turn.outcome = "declined"
        return errors[0].error
    results = [item for item in done if not item.error]
    if frame.pending is not None:
        return _ask_back(turn, frame)
    if not results:
        return _without_results(turn, frame)
    if frame.intent == "record" or any(isinstance(item.result, View) for item in results):
        return _record(turn, frame, results)
    texts = [_one(turn, frame, item) for item in results]
    if frame.intent == "command":  # what was asked for and did not come about must not go unsaid
        texts += [f"Not done: {item.error}" for item in errors]
        texts.append(frame.unchanged)
    return "\n\n".join(text for text in texts if text)


def _ask_back(turn: Turn, frame: Frame) -> str:
    turn.outcome = "asked"
    assert frame.pending is not None
    names = [f"{item.label} ({hint})" if hint else item.label for item, hint in zip(frame.pending.candidates, frame.pending.hints, strict=False)]
    return f"Which {frame.pending.name} do you mean: {join_words(names, 'or')}?"


def _without_results(turn: Turn, frame: Frame) -> str:
    if frame.intent == "smalltalk":
        return _TALK.get(frame.detail, _TALK["hello"])
    if frame.intent == "help":
        return CAN_DO
    if frame.intent == "unknown" and frame.detail:
        turn.outcome = "asked"
        return frame.detail
    turn.outcome = "declined"
    if frame.intent == "write":
        return f"I understood that you want to {frame.detail} something, but not exactly what, so nothing was proposed. {CAN_CHANGE}"
    if frame.intent in ("rows", "more", "explain"):
        return "There is no earlier figure or list in this conversation to refer to. Ask a question first."
    if frame.intent == "nothing":
        return f"Your message holds no words that I can read. {CAN_DO}"
    return _not_understood(frame)


def _not_understood(frame: Frame) -> str:
    words = [f"'{word}'" for word in dict.fromkeys(frame.unknown) if word not in frame.misplaced][:4]
    if frame.misplaced and not words and (frame.noun or frame.metric):
        read = join_words([f"'{word}'" for word in dict.fromkeys(frame.misplaced)][:4])
        return f"I took words of your message for {read}, which does not go with the rest of it, and I would rather not guess. Try it in other words."
    if words and (frame.noun or frame.metric):
        return (
            f"I do not know what {join_words(words)} {'means' if len(words) == 1 else 'mean'} here, and I would rather not guess. "
            "If it is a name, check its spelling; otherwise try it in other words."
        )
    if words:
        are = "is" if len(words) == 1 else "are"
        return f"I cannot answer that: {join_words(words)} {are} nothing that I find in the CRM. {CAN_DO}"
    return f"I did not understand that as a question about the CRM. {CAN_DO}"


def _one(turn: Turn, frame: Frame, item: Done) -> str:
    result = item.result
    if isinstance(result, MetricResult):
        text, turn.outcome = metric_text(result, frame.said, frame.said_part)
        return text
    if isinstance(result, ListResult):
        said = frame.said if frame.intent == "list" else []
        text, turn.outcome = list_text(result, said, count_only=frame.count_only, wants_sum=frame.detail == "sum")
        return text
    if isinstance(result, Movement):
        text, turn.outcome = movement_text(result, frame.said, frame.step, why=frame.detail == "why")
        return text
    if isinstance(result, HistoryView):
        text, turn.outcome = history_text(result, frame.asked_fields, frame.detail)
        return text
    if isinstance(result, Passages):
        return _passages(turn, frame, result)
    if item.tool == "withdraw" and frame.detail == "given_up":
        turn.outcome = "asked"
        return f"I did not understand that correction, so I withdrew what it corrects, and nothing of it was changed: {'; '.join(result.titles)}. Say the whole change anew."
    if item.tool == "withdraw":
        return f"Withdrawn, and nothing of it was changed: {'; '.join(result.titles)}."
    if approvals := approvals_of(item):
        return "\n\n".join(_approval(turn, approval) for approval in approvals)
    if isinstance(result, list) and result and isinstance(result[0], MetricInfo):
        info = result[0]
        return f"**{info.title.capitalize()}** (in {info.unit}): {info.meaning}"
    if isinstance(result, list):
        return _explain(turn, result)
    return ""


def _approval(turn: Turn, told: Approval) -> str:
    """What a change is, or that it is done; of a large one what it touches, and why a part of what was asked for is not in it."""
    latest = next((item for item in turn.proposals if item.change_set_id == told.change_set_id), told)
    besides = " ".join(latest.besides()[: NAMED + 1])
    if latest.applied:
        return f"Done: {latest.title}. Say 'undo that' to take it back.{f' {besides}' if latest.left_out else ''}"
    return f"Proposed, not applied: {latest.title}. {besides}{' ' if besides else ''}Look at the preview and decide."


def _explain(turn: Turn, figures: list[Figure]) -> str:
    """How the figures of the previous answer were computed."""
    if not figures:
        turn.outcome = "declined"
        return "The previous answer held no computed figure. Ask for one, and I can say how it came about."
    parts = []
    for figure in figures[:4]:
        turn.ledger.enter_text(figure.model_dump_json(exclude={"sql"}))
        text = f"**{figure.shown}** is {figure.title}: {figure.meaning}" if figure.meaning else f"**{figure.shown}** is {figure.title}."
        where = [
            figure.scope and f"it covers {figure.scope} (what you may see)",
            figure.filters and f"narrowed to {figure.filters}",
            figure.period and f"period: {figure.period}",
            figure.rows_in_all is not None and f"{plural(figure.rows_in_all, 'record')} counted",
            figure.as_of and f"computed as of {figure.as_of[:16].replace('T', ' ')} UTC",
        ]
        told = "; ".join(str(item) for item in where if item)
        text += f" {told[:1].upper()}{told[1:]}."
        text += "".join(f" {note}" for note in figure.notes)
        parts.append(text)
    return "\n\n".join(parts) + "\n\nSay 'show me the rows' to see the records behind it."


def _passages(turn: Turn, frame: Frame, result: Passages) -> str:
    about = f" about {frame.topic}" if frame.topic else ""
    who = f" with {join_words([item.label for item in frame.entities])}" if frame.entities else ""
    turn.notices += result.notices
    if not result.found:
        turn.outcome = "declined" if frame.detail == "leftover" else "empty"
        nothing = f"I found nothing said{about}{who} in the interactions that you may see."
        return f"I am not sure what you ask for. {nothing}" if frame.detail == "leftover" else nothing
    lines = [f"What I found{about}{who}:"]
    lines += [f"- {_cited(item, frame.topic)} [{number}]" for number, item in enumerate(result.found, start=1)]
    return "\n".join(lines)


def _cited(item: Passage, topic: str) -> str:
    """One sentence that rests on one interaction."""
    day = f"{item.at.day} {item.at:%b} {item.at.year}"
    where = ", ".join(part for part in (item.who, item.company) if part)
    return f"{day}, {item.kind} with {where or 'unknown'}{f' (by {item.by})' if item.by else ''}: “{best_sentence(item.text, topic)}”"


def best_sentence(text: str, topic: str) -> str:
    """The sentence of a passage that shares most words with the topic, its heading left out; the beginning where none does."""
    body = text.split("\n", 1)[-1].replace("\n", " ").strip()
    sentences = [part.strip() for part in re.split(r"(?<=[.!?]) ", body) if len(part.strip()) > 8]
    stems = {word[:5] for word in fold(topic).split() if len(word) > 2}
    shared = [sum(word[:5] in stems for word in fold(sentence).split()) for sentence in sentences]
    if not any(shared):  # found by meaning: which sentence it was cannot be told from the words
        return body if len(body) <= QUOTE_CHARS else body[:QUOTE_CHARS].rsplit(" ", 1)[0] + " …"
    return sentences[shared.index(max(shared))][:QUOTE_CHARS]


def _record(turn: Turn, frame: Frame, results: list[Done]) -> str:
    view = next((item.result for item in results if isinstance(item.result, View)), None)
    if view is None:
        return " ".join(item.error for item in turn.done if item.error)
    values = view.model_dump(mode="json")
    name = values.get("name") or values.get("subject") or f"number {view.id}"
    if frame.asked_fields:
        return _facts(values, str(name), frame.asked_fields)
    noun = frame.entity.noun if frame.entity else ""
    parts = [_who(values, str(name), noun)]
    for item in results:
        if isinstance(item.result, ListResult):
            parts.append(_related(item.result))
        if isinstance(item.result, TimelineView):
            parts.append(_latest(item.result))
    return " ".join(part for part in parts if part)


_VIEW_FIELDS = {"expected_close": "expected_close_on", "closed": "closed_on", "age": "created_at", "created": "created_at"}


def _facts(values: dict[str, Any], name: str, asked: list[str]) -> str:
    sentences = []
    for field in asked:
        key = _VIEW_FIELDS.get(field, field)
        if field in (values.get("custom") or {}):
            sentences.append(f"{field.replace('_', ' ').capitalize()} of {name}: **{values['custom'][field]}**.")
            continue
        if key not in values:
            sentences.append(f"{field.replace('_', ' ').capitalize()} is not kept for this kind of record.")
            continue
        sentences.append(f"{field.replace('_', ' ').capitalize()} of {name}: **{fact(values, key)}**.")
    return " ".join(sentences)


def _who(values: dict[str, Any], name: str, noun: str) -> str:
    if noun == "company":
        where = ", ".join(part for part in (values.get("city"), values.get("country"), values.get("region")) if part)
        size = f" with {fact(values, 'employees')} employees" if values.get("employees") else ""
        industry = f" in {values['industry']}" if values.get("industry") else ""
        owner = f", owned by {values['owner']}" if values.get("owner") else ", without an owner"
        return f"**{name}** is a company{industry}{f' ({where})' if where else ''}{size}{owner}."
    if noun == "contact":
        role = f" is {values['title']}" if values.get("title") else " is a contact"
        at = f" at {values['company']}" if values.get("company") else ""
        reach = join_words([part for part in (values.get("email"), values.get("phone")) if part])
        return f"**{name}**{role}{at}.{f' Reach: {reach}.' if reach else ''}"
    if noun == "deal":
        amount = money_of(values["amount"], values["currency"]) if values.get("amount") else "no amount"
        state = f"open in {values['stage']}" if values["status"] == "open" else values["status"]
        when = (
            f", expected to close on {show_day(values['expected_close_on'])}"
            if values["status"] == "open" and values.get("expected_close_on")
            else (f" on {show_day(values['closed_on'])}" if values.get("closed_on") else "")
        )
        owner = f", owned by {values['owner']}" if values.get("owner") else ""
        step = f" Next step: {values['next_step']}." if values.get("next_step") and values["status"] == "open" else ""
        return f"**{name}**: {amount}, {state}{when}{owner}.{step}"
    if noun == "ticket":
        return (
            f"Ticket **{name}** is {values['status']}, priority {values.get('priority') or 'not set'}, opened on {show_day(values['created_at'])}"
            + (f" for {values['company']}." if values.get("company") else ".")
        )
    return f"**{name}**."


def _related(result: ListResult) -> str:
    if not result.total:
        return f"No open {result.title}."
    worth = ""
    if result.amount_minor:
        worth = f" worth {format_money(result.amount_minor, result.currency)}"
    names = [str(row.get(result.columns[0].name)) for row in result.rows[:3]]
    more = f" and {result.total - len(names)} more" if result.total > len(names) else ""
    return f"{plural(result.total, 'open ' + result.title.rstrip('s'), 'open ' + result.title)}{worth}: {', '.join(names)}{more}."


def _latest(view: TimelineView) -> str:
    spoken = [entry for entry in view.entries if entry.noun == "activity"]
    if not spoken:
        older = plural(view.total_activities, "older activity", "older activities")
        return f"{older[0].upper()}{older[1:]} on file; the newest entries are others." if view.total_activities else "No interaction is on file."
    entry = spoken[0]
    return f"Last interaction: {entry.kind} on {show_day(entry.at)} by {entry.who or 'unknown'}, “{entry.title}” ({plural(view.total_activities, 'activity', 'activities')} in all)."
