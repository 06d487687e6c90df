"""The console: one process that serves pages, and asks the services for all that they show."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from nicegui import core, ui

from returpost.errors import InvalidSettings
from services.console import i18n, pages
from services.console.api_client import Services
from services.console.auth import oidc, sign_in
from services.console.auth.session import Guard, SessionRefresher
from services.console.http import downloads, uploads
from services.console.http.standalone_pages import answer_for_lost_pages
from services.console.settings import Settings
from shared.http.server import serve
from shared.observability.logging import configure_logging
from shared.settings import load

ASSETS = Path(__file__).with_name("assets")
RECONNECT_SECONDS = 60.0
"""How long a page that lost its connection keeps what is ticked."""


def create(settings: Settings) -> FastAPI:
    """Wire the console."""
    app = FastAPI(title="Returpost console", lifespan=_closing, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.services = services = Services(settings.urls(), settings.deadline.total_seconds())
    app.state.session_refresher = SessionRefresher(services)
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.include_router(sign_in.router)
    app.include_router(oidc.router)
    app.include_router(downloads.router)
    app.include_router(uploads.router)

    @app.get("/health/ready")
    async def ready() -> dict[str, bool]:
        """Whether pages are served; what they show depends on the services."""
        return {"ok": True}

    core.sio.eio.cors_allowed_origins = []  # NiceGUI allows all; whose page it is `Guard` tells
    pages.register(app)
    answer_for_lost_pages()
    ui.run_with(
        app,
        title="Returpost",
        favicon=ASSETS / "favicon.svg",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=RECONNECT_SECONDS,
        binding_refresh_interval=None,
        gzip_middleware_factory=None,
    )
    app.add_middleware(Guard)
    app.add_middleware(GZipMiddleware)
    return app


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    for language in i18n.LANGUAGES:
        i18n.catalog(language)
    yield
    await app.state.services.close()


def main() -> None:
    """Run until told to stop. Exit code 2 for wrong settings."""
    try:
        settings = load(Settings, "console")
        configure_logging("console", settings.log_level, console=settings.log_console)
        app = create(settings)
    except InvalidSettings as error:
        sys.stderr.write(f"console: {error}\n")
        sys.exit(2)
    serve(app, settings)


if __name__ == "__main__":
    main()
