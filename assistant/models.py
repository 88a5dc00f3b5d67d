"""Chat models by name: the embedded one, and any that speaks the OpenAI protocol.

The embedded model is a LangChain chat model like any other: it reads the message, calls tools, reads their
results and answers, with no key and no network. Its understanding is :mod:`assistant.language`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import ConfigDict

from assistant.language import understand
from assistant.language.frames import Frame
from assistant.language.mouth import compose
from assistant.language.planner import plan
from assistant.turn import Turn, approvals_of
from crm_core.errors import Invalid
from crm_core.settings import Settings


class EmbeddedChatModel(BaseChatModel):
    """The embedded language model, bound to one turn."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    #: The :class:`assistant.turn.Turn` it speaks in; not validated, since it is ours.
    turn: Any

    @property
    def _llm_type(self) -> str:
        return "rapport-embedded"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """The tools are known by name; nothing needs binding."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        turn: Turn = self.turn
        spoken = turn.frame is not None and isinstance(messages[-1], ToolMessage)
        message = AIMessage(content=compose(turn)) if spoken else self._first(turn)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _first(self, turn: Turn) -> AIMessage:
        """Read the message; call the tools that its reading needs, or answer at once where it needs none.

        Where a real model that failed had changes made or proposed, these are told, and the message is not carried out again.
        """
        if turn.fell_back and turn.proposals:
            turn.frame = Frame(intent="command")
            turn.done = [done for done in turn.done if not done.error and approvals_of(done)]
            turn.skipped = 0
            return AIMessage(content=compose(turn))
        turn.skipped = len(turn.done)
        turn.frame = turn.reading or understand(turn)
        calls = [] if turn.frame.pending else plan(turn.frame, turn.dialogue.question())
        if not calls:
            return AIMessage(content=compose(turn))
        return AIMessage(content="", tool_calls=[ToolCall(name=name, args=arguments, id=f"call_{uuid4().hex[:12]}") for name, arguments in calls])


def chat_model(settings: Settings) -> BaseChatModel | None:
    """The real model by setting, or None for the embedded one; raises ``Invalid`` for a name that cannot be used."""
    name = settings.model.strip()
    if name == "embedded":
        return None
    provider, _, model = name.partition(":")
    if provider != "openai" or not model:
        raise Invalid(f"RAPPORT_MODEL is '{name}'; use 'embedded' or 'openai:NAME', with RAPPORT_MODEL_BASE_URL for a local server.")
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    key = settings.model_api_key.get_secret_value()
    if not key and not settings.model_base_url:
        raise Invalid("RAPPORT_MODEL_API_KEY is needed for an OpenAI model; set it, or RAPPORT_MODEL_BASE_URL for a local server.")
    return ChatOpenAI(
        model=model,
        base_url=settings.model_base_url or None,
        api_key=SecretStr(key or "none"),
        timeout=settings.model_timeout_seconds,
        max_retries=0,
        temperature=0,
        use_responses_api=False,
    )
