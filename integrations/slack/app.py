"""The listeners: direct messages, mentions, choices; one answer per event however often Slack delivers it.

Each listener acknowledges at once, finds the user, lets the agent answer and posts one message in the thread.
A table of event ids makes a redelivery silent; it is written before the answer, so that a crash in between loses
one answer (the person asks again) instead of giving it twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

from slack_bolt import Ack, App, BoltContext
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from sqlalchemy import select

from assistant.answer import Approval
from crm_core.access import system_actor
from crm_core.changes import decide, preview, propose, refuse
from crm_core.context import unit_of_work
from crm_core.errors import Conflict, RapportError
from crm_core.models import InboundEvent
from crm_core.services.change_sets import load_change_set
from integrations.app import Rapport
from integrations.slack.identity import Directory, Unlinked
from integrations.slack.render import applied, approval, escape, render, section

log = logging.getLogger(__name__)

#: A status is worth no wait.
STATUS_SECONDS = 2
UNKNOWN_CALLER = "I could not ask Slack who you are just now, so nothing was read. Please ask again in a moment."
FAILED = "Something went wrong on my side and nothing was changed. Please ask again."
_MENTION = re.compile(r"<@[A-Z0-9]+>")
_LINK = re.compile(r"<(?:mailto:|tel:)?([^|>]+)(?:\|([^>]+))?>")


def build_slack_app(product: Rapport, *, token_verification: bool = True) -> App:
    """The Bolt app of one assembled product; used in Socket Mode and over HTTP alike."""
    settings = product.settings
    client = WebClient(token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=3))
    hurried = WebClient(token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url, timeout=STATUS_SECONDS, retry_handlers=[])
    app = App(
        client=client,
        signing_secret=settings.slack_signing_secret.get_secret_value() or None,
        token_verification_enabled=token_verification,
        ignoring_self_events_enabled=True,
        process_before_response=False,
    )
    door = SlackDoor(product, hurried)
    app.event("message")(door.message)
    app.event("app_mention")(door.mention)
    app.event("app_home_opened")(door.home)
    app.action(re.compile(r"choose_\d+"))(door.choice)
    app.action(re.compile(r"^(?:apply|refuse|undo)$"))(door.decision)
    app.error(door.failed)
    return app


class SlackDoor:
    """The listeners of one product."""

    def __init__(self, product: Rapport, hurried: WebClient) -> None:
        self.product = product
        self._hurried = hurried
        self.directory = Directory(product.engine)

    # --- listeners --------------------------------------------------------------------------------------

    def message(self, event: dict[str, Any], body: dict[str, Any], client: WebClient, context: BoltContext) -> None:
        """A direct message; edits, deletions, bots and channel talk are none of ours."""
        if event.get("channel_type") != "im" or event.get("subtype") or event.get("bot_id") or not event.get("user"):
            return
        self._answer(event, body, client, context)

    def mention(self, event: dict[str, Any], body: dict[str, Any], client: WebClient, context: BoltContext) -> None:
        """A mention in a channel is answered in its thread."""
        if event.get("bot_id") or not event.get("user") or event.get("edited") or event.get("subtype"):
            return
        self._answer(event, body, client, context)

    def home(self, event: dict[str, Any], client: WebClient, set_suggested_prompts: Callable[..., Any] | None = None) -> None:
        """Opening the messages tab offers first questions, where the workspace supports prompts."""
        if event.get("tab") != "messages" or set_suggested_prompts is None:
            return
        try:
            set_suggested_prompts(prompts=["How much did we win last quarter?", "Which of my deals close this month?", "What can you do?"])
        except (SlackApiError, ValueError, TypeError) as error:
            log.info("No suggested prompts here: %s", error)
        del client

    def choice(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """A candidate was chosen: it is answered as if its words had been typed."""
        ack()
        action, message = body["actions"][0], body.get("message") or {}
        channel = (body.get("channel") or {}).get("id", "")
        event = {
            "user": body["user"]["id"],
            "text": action.get("value", ""),
            "channel": channel,
            "ts": message.get("ts", ""),
            "thread_ts": message.get("thread_ts") or message.get("ts", ""),
        }
        click = (body["user"]["id"], channel, message.get("ts", ""), action.get("action_ts", ""), action.get("action_id", ""))
        self._answer(event, {"event_id": "-".join(("action", *click))}, client, None)

    def decision(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """A change was approved, turned down, or is to be taken back; what comes of it is told in the thread."""
        ack()
        action, message = body["actions"][0], body.get("message") or {}
        channel, thread = (body.get("channel") or {}).get("id", ""), message.get("thread_ts") or message.get("ts", "")
        click = (body["user"]["id"], channel, message.get("ts", ""), action.get("action_ts", ""), action.get("action_id", ""))
        if not self._first_time("-".join(("action", *click))):
            return
        try:
            user_id = self.directory.user_id(client, body["user"]["id"])
            fallback, blocks = self._decide(user_id, action["action_id"], action.get("value", ""))
        except Unlinked as refusal:
            fallback, blocks = escape(refusal.reason), []
        except (SlackApiError, OSError) as error:
            log.warning("Slack did not tell who decided: %s", error)
            fallback, blocks = UNKNOWN_CALLER, []
        except RapportError as error:
            fallback, blocks = escape(error.message), []
            if "fresh" in error.details:
                blocks = [section(fallback), *approval(Approval.model_validate(error.details["fresh"]), self.product.settings.address)]
        except Exception:
            log.exception("A decision in Slack failed.")
            fallback, blocks = FAILED, []
        self._post(client, channel, thread, fallback, blocks)

    def _decide(self, user_id: int, action: str, value: str) -> tuple[str, list[dict[str, Any]]]:
        """Words and blocks of what came of a click; its value is the change's number, and for a yes the hash of what was shown."""
        number, _, shown = value.partition(":")
        if action == "apply":
            decide(self.product.engine, user_id, int(number), shown, door="slack")
            with unit_of_work(self.product.engine, user_id, write=False, door="slack") as ctx:
                words = f"Applied: {load_change_set(ctx, int(number)).title}."
            return words, applied(int(number), words)
        with unit_of_work(self.product.engine, user_id, write=True, door="slack") as ctx:
            if action == "refuse":
                refuse(ctx, int(number))
                return f"Turned down: {load_change_set(ctx, int(number)).title}. Nothing was changed.", []
            proposal = Approval.model_validate(preview(ctx, propose(ctx, "undo_change", {"change_set_ids": [int(number)]})))
        return f"Proposed, not applied: {proposal.title}.", approval(proposal, self.product.settings.address)

    def failed(self, error: Exception, body: dict[str, Any]) -> None:
        """The single handler of what no listener expected."""
        log.exception("A Slack event failed.", exc_info=error)
        del body

    # --- one answer -------------------------------------------------------------------------------------

    def _answer(self, event: dict[str, Any], body: dict[str, Any], client: WebClient, context: BoltContext | None) -> None:
        channel, thread = event["channel"], event.get("thread_ts") or event["ts"]
        key = str(body.get("event_id") or f"{channel}-{event['ts']}")
        if not self._first_time(key):
            return
        try:
            user_id = self.directory.user_id(client, event["user"])
        except Unlinked as refusal:
            self._post(client, channel, thread, escape(refusal.reason), [])
            return
        except (SlackApiError, OSError) as error:
            log.warning("Slack did not tell who asked: %s", error)
            self._post(client, channel, thread, UNKNOWN_CALLER, [])
            return
        text = self._clean(event.get("text", ""))
        try:
            answer = self.product.agent.answer(
                text,
                user_id,
                thread=f"slack-{channel}-{thread}-{user_id}"[:80],
                door="slack",
                listener=lambda kind, data: self._status(channel, thread, data) if kind == "status" else None,
            )
            fallback, blocks = render(answer, self.product.settings.address)
        except RapportError as error:
            fallback, blocks = escape(error.message), []
        except Exception:
            log.exception("A Slack turn failed.")
            fallback, blocks = FAILED, []
        self._post(client, channel, thread, fallback, blocks)
        del context

    def _post(self, client: WebClient, channel: str, thread: str, text: str, blocks: list[dict[str, Any]]) -> None:
        """Post in the thread; where Slack refuses the blocks, the words alone."""

        def post(shown: list[dict[str, Any]] | None) -> None:
            client.chat_postMessage(channel=channel, thread_ts=thread, text=text, blocks=shown, unfurl_links=False, unfurl_media=False)

        try:
            post(blocks or None)
        except SlackApiError as error:
            if not blocks or error.response.get("error") not in ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"):
                raise
            log.warning("Slack refused the blocks of an answer: %s", error.response.get("response_metadata"))
            post(None)

    def _status(self, channel: str, thread: str, text: str) -> None:
        """Tell what is being done, where the workspace shows it; a refusal or a lost line is no reason not to answer."""
        try:
            self._hurried.assistant_threads_setStatus(channel_id=channel, thread_ts=thread, status=f"{text.lower()}…")
        except (SlackApiError, OSError, HTTPException) as error:
            log.info("No status shown: %s", error)

    def _clean(self, text: str) -> str:
        """The words without mentions; links and addresses as their text."""
        text = _MENTION.sub(" ", text)
        text = _LINK.sub(lambda match: match.group(2) or match.group(1), text)
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()

    def _first_time(self, key: str) -> bool:
        """Whether this event has not been seen before; remembers it."""
        try:
            with unit_of_work(self.product.engine, system_actor(), write=True) as ctx:
                known = ctx.session.scalar(select(InboundEvent.id).where(InboundEvent.service == "slack", InboundEvent.event_id == key))
                if known is not None:
                    return False
                ctx.session.add(InboundEvent(service="slack", event_id=key[:200], received_at=datetime.now(UTC)))
        except Conflict:
            return False
        return True
