"""Starting Slack: Socket Mode from the command line; over HTTP the server mounts the app when a signing secret is set."""

from __future__ import annotations

from crm_core.errors import Invalid
from integrations.app import Rapport
from integrations.slack.app import build_slack_app


def run_socket_mode(product: Rapport) -> None:
    """Serve until interrupted; raises ``Invalid`` where a token is missing."""
    settings = product.settings
    if not settings.slack_bot_token.get_secret_value() or not settings.slack_app_token.get_secret_value():
        raise Invalid("Slack needs RAPPORT_SLACK_BOT_TOKEN (xoxb-...) and RAPPORT_SLACK_APP_TOKEN (xapp-...); docs/slack.md says where to find them.")
    from slack_bolt.adapter.socket_mode import SocketModeHandler

    product.index.start()
    SocketModeHandler(build_slack_app(product), settings.slack_app_token.get_secret_value()).start()
