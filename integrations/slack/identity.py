"""Who a Slack user is here: by the e-mail address that Slack has verified, and by nothing else.

People of other workspaces can share a channel with ours, and their own administrators choose their addresses;
so an address counts only where the user belongs to the workspace that the app is installed in.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from slack_sdk import WebClient
from sqlalchemy import Engine

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.services.users import user_by_email

#: An address is asked of Slack again after this long; our own side (active or not) is asked every time.
KEEP_SECONDS = 300.0
OUTSIDER = "I cannot answer guests or people of other workspaces, since I cannot tell what they may see."


@dataclass(frozen=True)
class Unlinked(Exception):
    """Nobody here belongs to the Slack user; ``reason`` is for them to read."""

    reason: str


class Directory:
    """Looks up Slack users; remembers their addresses for a while."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._emails: dict[str, tuple[float, str]] = {}
        self._team = ""
        self._guard = threading.Lock()

    def user_id(self, client: WebClient, slack_user: str) -> int:
        """Our user; raises ``Unlinked`` for bots, unverified addresses and people we do not know."""
        email = self._email(client, slack_user)
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            user_id = user_by_email(ctx.session, email)
        if user_id is None:
            raise Unlinked(f"I do not know {email} as a user of this CRM. Please ask an administrator to add you.")
        return user_id

    def _email(self, client: WebClient, slack_user: str) -> str:
        with self._guard:
            known = self._emails.get(slack_user)
        if known is not None and time.monotonic() - known[0] < KEEP_SECONDS:
            return known[1]
        user = client.users_info(user=slack_user).get("user") or {}
        if user.get("is_bot") or user.get("deleted"):
            raise Unlinked("I only answer people.")
        if user.get("is_stranger") or user.get("is_restricted") or user.get("is_ultra_restricted"):
            raise Unlinked(OUTSIDER)
        if not user.get("team_id") or user["team_id"] != self._our_team(client):
            raise Unlinked(OUTSIDER)
        email = (user.get("profile") or {}).get("email", "")
        if not email or user.get("is_email_confirmed") is not True:
            raise Unlinked("Slack has no confirmed e-mail address of yours, so I cannot tell who you are. Please confirm it in your Slack profile.")
        with self._guard:
            self._emails[slack_user] = (time.monotonic(), email)
        return str(email)

    def _our_team(self, client: WebClient) -> str:
        """The workspace that the app is installed in."""
        if not self._team:
            self._team = str(client.auth_test().get("team_id") or "")
        return self._team
