"""Running the HTTP server: one clear sentence where the port is taken, logs that stay short."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from crm_core.errors import Invalid
from crm_core.settings import Settings, load_settings

if TYPE_CHECKING:
    import uvicorn

    from integrations.app import Rapport


def check_port(settings: Settings) -> None:
    """Raise ``Invalid`` where the address cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Invalid(
                f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}); stop what uses it or choose another with RAPPORT_PORT."
            ) from error


def make_server(product: Rapport) -> uvicorn.Server:
    """A uvicorn server of the assembled product."""
    import uvicorn

    from integrations.http.server import build_app

    config = uvicorn.Config(
        build_app(product), host=product.settings.host, port=product.settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=5
    )
    return uvicorn.Server(config)


def serve_forever(**overrides: Any) -> None:
    """Serve until interrupted."""
    from integrations.app import assemble

    settings = load_settings(**overrides)
    check_port(settings)
    product = assemble(settings)
    print(f"Rapport answers on {settings.address} (Ctrl-C stops). Sign in with a link from 'rapport user link EMAIL'.", flush=True)
    make_server(product).run()
