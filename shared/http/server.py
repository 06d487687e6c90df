"""An ASGI application as a process: on the port that it is told, or the socket that it inherits."""

import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from shared.http.connections import ConnectionLimits, protocol
from shared.settings import ServiceSettings

STARTUP_FAILED = 3
"""Exit code, as uvicorn has it."""


def serve(app: ASGIApp, settings: ServiceSettings) -> None:
    """Serve until told to stop. Exit code 3 when the application does not come up."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        http=protocol(ConnectionLimits(settings.http_connections, settings.http_connections_per_client)),
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.shutdown_timeout.total_seconds()),
    )
    inherited = [socket.socket(fileno=settings.http_fd)] if settings.http_fd is not None else None
    server = uvicorn.Server(config)
    server.run(inherited)
    if not server.started:
        sys.exit(STARTUP_FAILED)
