"""The only assembly of the agent: model, tools, guards, one loop for every model and every door.

LangChain's agent runs the loop. Two guards stand around it: ``Speaker`` chooses who speaks (the embedded model where
it is sure, where the real one failed, or where none is set) and counts calls; ``Hands`` runs the tools under the
turn's caller. After the loop the text is checked against the ledger; words with an untraced figure are replaced by
words made from the results.
"""

from __future__ import annotations

import contextvars
import json
import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command
from sqlalchemy import Engine

from assistant.answer import Answer, Block
from assistant.blocks import blocks_of, choices_block, citations_of
from assistant.conversation import Memory, keep, recall
from assistant.language import remember, understand
from assistant.language.frames import Frame
from assistant.language.grammar import read
from assistant.language.lexicon import WRITE_VERBS
from assistant.language.mouth import compose
from assistant.models import EmbeddedChatModel
from assistant.prompts import render
from assistant.retrieval.search import Passages
from assistant.safety import clean_message, fence
from assistant.tools import MAX_TOOL_CALLS, WRITES_OFFERED, offered_tools, run_tool
from assistant.turn import Listener, Turn, approvals_of
from crm_core.context import Context, unit_of_work
from crm_core.errors import Invalid, RapportError
from crm_core.metrics.definitions import METRICS
from crm_core.ports import VectorIndex

log = logging.getLogger(__name__)

MAX_MODEL_CALLS = 6
#: A turn begins no further model call after this many time limits of one call.
TURN_TIMEOUTS = 3
#: Steps of the loop: each model call and each round of tools is one.
RECURSION_LIMIT = 2 * MAX_MODEL_CALLS + 6


#: When a real model is asked: never, where the embedded one is not sure, or always.
ModelUse = Literal["off", "unsure", "always"]
#: Least share of a message's words that the embedded model must have understood to be sure.
SURE = 0.85
REPAIR = "Your last tool call was not valid JSON. Call the tool again with valid JSON arguments, or answer in words."
#: Readings that the embedded model does not answer with facts.
_UNSURE = frozenset({"unknown", "nothing", "write", "choose"})
#: Readings that are answered without any record.
_TALK = frozenset({"smalltalk", "help"})
#: Longest question back or refusal that a model may give without having looked anything up, and how a refusal begins.
MODEST_CHARS = 400
_UNABLE = re.compile(
    r"(?:(?:i am |i'm )?sorry[,.]? (?:but )?)?i (?:cannot|can't|can not|could not|do not|don't|did not|have no|am not|am unable)\b", re.IGNORECASE
)
#: Letters a token, roughly, for estimates before a model counts.
_LETTERS = 4


class ModelFailed(Exception):
    """The real model gave nothing usable; the message is a short reason for people."""


class Speaker(AgentMiddleware[Any, Turn]):
    """Chooses the model of each call; a failing real model is replaced by the embedded one, visibly."""

    def wrap_model_call(self, request: ModelRequest[Turn], handler: Callable[[ModelRequest[Turn]], ModelResponse[Any]]) -> Any:
        """Run the call on the right model."""
        turn = request.runtime.context
        assert turn is not None, "the agent is always run with a turn"
        embedded = EmbeddedChatModel(turn=turn)
        if isinstance(request.model, EmbeddedChatModel) or turn.fell_back or turn.embedded:
            return handler(request.override(model=embedded))
        try:
            return self._real(turn, request, handler)
        except Exception as error:  # noqa: BLE001 - whatever a server does, the user gets an answer
            reason = str(error) if isinstance(error, ModelFailed) else _reason(error)
            log.warning("The model %s failed: %s", turn.model_name, reason)
            turn.fell_back = True
            turn.frame = None
            turn.notices.append(f"The model {turn.model_name} {reason}; the embedded model answered instead.")
            return handler(request.override(model=embedded))

    def _real(self, turn: Turn, request: ModelRequest[Turn], handler: Callable[[ModelRequest[Turn]], ModelResponse[Any]]) -> Any:
        turn.model_calls += 1
        if turn.model_calls > MAX_MODEL_CALLS or len(turn.done) >= MAX_TOOL_CALLS:
            raise ModelFailed(f"did not come to an answer in {MAX_MODEL_CALLS} steps")
        spent = time.monotonic() - turn.started
        if spent > TURN_TIMEOUTS * turn.model_seconds:
            raise ModelFailed("took too long")
        request = within_budget(turn, request)
        response = _within(turn.model_seconds, lambda: handler(request))
        message = response.result[0]
        if isinstance(message, AIMessage):
            if message.usage_metadata:
                turn.tokens_in += int(message.usage_metadata["input_tokens"])
                turn.tokens_out += int(message.usage_metadata["output_tokens"])
            if message.invalid_tool_calls and not message.tool_calls:
                if turn.repaired:
                    raise ModelFailed("wrote a tool call that is not valid JSON")
                turn.repaired = True  # once: it may have slipped
                return self._real(turn, request.override(messages=[*request.messages, HumanMessage(REPAIR)]), handler)
            if not message.tool_calls and not str(message.text).strip():
                raise ModelFailed("gave an empty answer")
        return response


class Hands(AgentMiddleware[Any, Turn]):
    """Runs each tool call under the turn's caller, whatever the model says."""

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]) -> ToolMessage:
        """Run the call; the tool object itself is never executed."""
        turn = request.runtime.context
        assert turn is not None, "the agent is always run with a turn"
        text, done = run_tool(turn, request.tool_call["name"], dict(request.tool_call["args"]), place=_place(request))
        return ToolMessage(
            content=text, tool_call_id=request.tool_call["id"] or "", name=request.tool_call["name"], status="error" if done.error else "success"
        )


def is_sure(turn: Turn) -> bool:
    """Whether the embedded model understands the message well enough to answer it alone; its reading is then kept, and else nothing."""
    frame = understand(turn)
    turn.outcome = "answered"
    sure = frame.pending is not None or frame.intent not in _UNSURE and frame.confidence >= SURE
    turn.reading = frame if sure else None
    return sure


def within_budget(turn: Turn, request: ModelRequest[Turn]) -> ModelRequest[Turn]:
    """The request with the tools that the message needs, and without its oldest exchanges where it is too long.

    Raises ``ModelFailed`` where even the shortest prompt is over the budget.
    """
    writes = bool(WRITE_VERBS & set(re.findall(r"[a-z]+", turn.message.lower())))
    tools = [tool for tool in request.tools if writes or getattr(tool, "name", "") not in WRITES_OFFERED]
    tools = [tool for tool in tools if turn.previous_figures or getattr(tool, "name", "") != "explain_previous"]
    messages = list(request.messages)
    fixed = sum(len(json.dumps(tool.args, default=str)) + len(tool.description) for tool in tools if isinstance(tool, StructuredTool))
    system = len(str(request.system_message.content)) if request.system_message is not None else 0

    def size() -> int:
        return (fixed + system + sum(len(str(message.content)) for message in messages)) // _LETTERS

    last = max((place for place, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    first = 1 if messages and messages[0].type == "system" else 0
    while size() > turn.token_budget and last - first >= 2:
        del messages[first : first + 2]
        last -= 2
    if size() > turn.token_budget:
        raise ModelFailed(f"would need a prompt of about {size():,} tokens, more than the {turn.token_budget:,} that are allowed")
    return request.override(tools=tools, messages=messages)


def _words_here(ctx: Context, message: str) -> str:
    """The company's own words in the message and what they are, so that a model need not look them up; outsiders wrote names, so fenced."""
    try:
        _frame, chart, _parts = read(ctx, message)
    except Invalid:
        return "none"
    found = []
    for edge in chart.edges:
        if edge.name is not None:
            kinds = [f"{match.noun} {match.id}" for match in edge.name.matches[:5]]
        else:
            kinds = [f"{sense.noun or 'deal'} {sense.field}" for sense in edge.senses if sense.kind in ("value", "ref")][:3]
        if kinds:
            found.append(f"{fence(edge.text)} is {' or '.join(dict.fromkeys(kinds))}")
    return "; ".join(found) or "none"


def _place(request: ToolCallRequest) -> int:
    """Where the call stands among those of the turn: they run side by side, and are spoken of in the order asked for."""
    calls = [call["id"] for message in request.state["messages"] for call in getattr(message, "tool_calls", [])]
    return calls.index(request.tool_call["id"]) if request.tool_call["id"] in calls else len(calls)


def _within(seconds: float, call: Callable[[], ModelResponse[Any]]) -> ModelResponse[Any]:
    """Run a model call under a deadline of its own: a client's time limit counts between two reads, and bytes can trickle."""
    done: queue.SimpleQueue[ModelResponse[Any] | Exception] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            done.put(context.run(call))
        except Exception as error:  # noqa: BLE001 - handed over to the waiting side
            done.put(error)

    threading.Thread(target=run, name="rapport-model-call", daemon=True).start()
    try:
        outcome = done.get(timeout=seconds)
    except queue.Empty:
        raise ModelFailed("took too long") from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _reason(error: Exception) -> str:
    name = type(error).__name__
    text = str(error)
    if "Timeout" in name or "timed out" in text.lower():
        return "took too long"
    if "RateLimit" in name or "429" in text:
        return "refused because of its rate limit"
    if "Connection" in name:
        return "could not be reached"
    if "Authentication" in name or "PermissionDenied" in name:
        return "refused the key"
    if "InternalServer" in name or " 50" in text:
        return "reported an error of its own"
    return "sent something that could not be used"


class Agent:
    """Answers messages. One per process; safe to use from several threads, one turn a thread at a time."""

    def __init__(
        self,
        engine: Engine,
        *,
        model: BaseChatModel | None = None,
        model_name: str = "embedded",
        index: VectorIndex | None = None,
        max_message_chars: int = 8000,
        model_seconds: float = 20.0,
        model_use: ModelUse = "always",
        token_budget: int = 8000,
        prices: tuple[Decimal, Decimal] = (Decimal(), Decimal()),
    ) -> None:
        self.model_seconds, self.model_use, self.token_budget, self.prices = model_seconds, model_use, token_budget, prices
        self.engine, self.index, self.model_name, self.max_message_chars = engine, index, model_name, max_message_chars
        self.model = model
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._locks_guard = threading.Lock()
        placeholder = model or EmbeddedChatModel(turn=_NOBODY)
        self._graph = create_agent(placeholder, tools=offered_tools(), middleware=[Speaker(), Hands()], context_schema=Turn)

    def answer(
        self,
        message: str,
        user_id: int,
        *,
        thread: str | None = None,
        door: str = "http",
        now: datetime | None = None,
        listener: Listener = lambda _kind, _data: None,
    ) -> Answer:
        """Answer one message in a thread and keep the turn.

        Raises ``Invalid`` for a message that is no text, ``NotFound`` for an unknown user or somebody else's
        thread. Everything else that goes wrong becomes an answer that says so.
        """
        started = time.monotonic()
        text = clean_message(message, self.max_message_chars)
        moment = now or datetime.now(UTC)
        if not 1900 < moment.year < 2199:
            raise Invalid("The clock of a question must lie between the years 1901 and 2198.")
        moment = moment.astimezone(UTC)
        memory = recall(self.engine, user_id, thread)
        with self._one_at_a_time(memory.thread):
            if thread is not None:
                memory = recall(self.engine, user_id, memory.thread)
            turn = self._turn(text, user_id, door, moment, memory, listener)
            answer = self._run(turn)
            answer.milliseconds = round((time.monotonic() - started) * 1000)
            keep(self.engine, user_id, door, memory.thread, text, answer, remember(turn), moment)
        return answer

    def _turn(self, text: str, user_id: int, door: str, now: datetime, memory: Memory, listener: Listener) -> Turn:
        turn = Turn(
            self.engine,
            user_id,
            text,
            now,
            door,
            index=self.index,
            dialogue=memory.dialogue,
            previous_figures=memory.figures,
            history=memory.history,
            model_name=self.model_name,
            model_seconds=self.model_seconds,
            token_budget=self.token_budget,
            listener=listener,
        )
        turn.ledger.enter_question(text)
        return turn

    def _run(self, turn: Turn) -> Answer:
        try:
            turn.embedded = self.model is None or self.model_use == "off" or self.model_use == "unsure" and is_sure(turn)
            words = self._speak(turn)
        except RapportError as error:
            turn.outcome = "declined"
            words = error.message
        except Exception:
            log.exception("A turn failed.")
            turn.outcome = "failed"
            words = f"Something went wrong on my side{_what_stands(turn)}. If it happens again, tell an administrator."
        return self._finish(turn, words)

    def _speak(self, turn: Turn) -> str:
        messages: list[Any] = []
        if not turn.embedded:
            messages = [*self._instructions(turn), *_history(turn)]
        messages.append(HumanMessage(turn.message))
        result = self._graph.invoke({"messages": messages}, {"recursion_limit": RECURSION_LIMIT}, context=turn)
        return str(result["messages"][-1].text).strip()

    def _instructions(self, turn: Turn) -> list[Any]:
        with unit_of_work(self.engine, turn.user_id, write=False, now=turn.now) as ctx:
            prompt = render(
                "agent",
                user=f"{ctx.actor.name} ({ctx.actor.role})",
                today=f"{ctx.today:%A}, {ctx.today.isoformat()}",
                company=ctx.organisation.name,
                currency=ctx.home_currency,
                metrics=", ".join(METRICS),
                words=_words_here(ctx, turn.message),
            )
            turn.dates = (ctx.today.isoformat(), f"{ctx.today.day} {ctx.today:%B %Y}", f"{ctx.today:%B} {ctx.today.day}, {ctx.today.year}")
        return [("system", prompt)]

    def _finish(self, turn: Turn, words: str) -> Answer:
        turn.done.sort(key=lambda done: done.place)
        made = {item.change_set_id: item for item in turn.proposals}  # a later call may have gone into the proposal of an earlier one
        order = dict.fromkeys(item.change_set_id for done in turn.done for item in approvals_of(done))
        turn.proposals = [made[number] for number in order if number in made]
        if not (turn.embedded or turn.fell_back):
            passages = sum(len(done.result.found) for done in turn.done if isinstance(done.result, Passages))
            dated = words
            for date in turn.dates:
                dated = dated.replace(date, "")
            untraced = turn.ledger.untraced(dated, citations=passages, computed=any(not done.error for done in turn.done))
            if untraced:
                words = self._rebuild(turn, untraced)
            elif self._rests_on_nothing(turn, words):
                turn.notices.append(f"The model {turn.model_name} answered without looking anything up, so its words are not shown.")
                words = self._embedded_instead(turn)
        embedded = turn.embedded or turn.fell_back  # now, since words may have been made anew
        notices = list(dict.fromkeys(turn.notices))
        answer = Answer(
            text=words,
            outcome=turn.outcome,
            figures=turn.ledger.figures,
            proposals=turn.proposals,
            notices=notices,
            model="embedded" if embedded else turn.model_name,
            tokens=turn.tokens_in + turn.tokens_out,
            tokens_in=turn.tokens_in,
            tokens_out=turn.tokens_out,
            cost=round((turn.tokens_in * self.prices[0] + turn.tokens_out * self.prices[1]) / 1_000_000, 6),
        )
        shown = turn.done[turn.skipped :] if embedded else turn.done
        answer.blocks = _unique([block for done in shown if not done.error for block in blocks_of(done, turn.frame if embedded else None)])
        answer.blocks += turn.proposals
        if turn.frame is not None and turn.frame.pending is not None and embedded:
            answer.blocks.append(choices_block(turn.frame.pending))
        for done in shown:
            if isinstance(done.result, Passages):
                answer.citations += citations_of(done.result)
        return answer

    def _rebuild(self, turn: Turn, untraced: list[str]) -> str:
        """Words made from the results alone, in place of words with figures that nothing vouches for."""
        turn.notices.append(
            f"The model wrote {', '.join(untraced[:3])}, which no computed result supports; these words were made from the results instead."
        )
        turn.frame = turn.frame or Frame(intent="rows" if any(done.figure for done in turn.done) else "unknown")
        if any(not done.error for done in turn.done) and (words := compose(turn)):
            return words
        return self._embedded_instead(turn)

    def _embedded_instead(self, turn: Turn) -> str:
        """The embedded model's own answer; what the real model fetched is not shown."""
        turn.fell_back, turn.frame = True, None
        turn.skipped = len(turn.done)
        return self._speak(turn)

    def _rests_on_nothing(self, turn: Turn, words: str) -> bool:
        """Whether a model tells something without a result of this turn: neither a question back nor talk about nothing."""
        if any(not done.error for done in turn.done) or turn.proposals:
            return False
        if len(words) <= MODEST_CHARS and (words.endswith("?") or _UNABLE.match(words)):
            turn.outcome = "asked" if words.endswith("?") else "declined"
            return False
        return understand(turn).intent not in _TALK

    @contextmanager
    def _one_at_a_time(self, thread: str) -> Iterator[None]:
        """Turns of one thread queue; a lock lives only while somebody wants it."""
        with self._locks_guard:
            lock, waiting = self._locks.get(thread, (threading.Lock(), 0))
            self._locks[thread] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._locks_guard:
                lock, waiting = self._locks[thread]
                if waiting <= 1:
                    del self._locks[thread]
                else:
                    self._locks[thread] = (lock, waiting - 1)


def _what_stands(turn: Turn) -> str:
    """What a turn that failed has done already."""
    applied = [proposal.title for proposal in turn.proposals if proposal.applied]
    if applied:
        return f", but this was done before: {'; '.join(applied)}. Say 'undo that' to take it back"
    return " and nothing was changed. Please ask again"


def _history(turn: Turn) -> list[Any]:
    messages: list[Any] = []
    for asked, answered in turn.history[-4:]:
        messages += [HumanMessage(asked), AIMessage(fence(answered))]  # it may quote what outsiders wrote
        turn.ledger.enter_question(asked)
    return messages


def _unique(blocks: list[Block]) -> list[Block]:
    seen: dict[str, Block] = {}
    for block in blocks:
        seen.setdefault(block.model_dump_json(), block)
    return list(seen.values())


_NOBODY: Any = Turn(None, 0, "", datetime(2000, 1, 1, tzinfo=UTC), "none")  # type: ignore[arg-type]
