"""What the pages show: one page or family of pages a module."""

from fastapi import FastAPI

from services.console.components.shell import Pages
from services.console.pages import blocked, lists, mailings, operations, users
from services.console.pages.overview import overview
from services.console.pages.people import address, contacts
from services.console.pages.settings import account, settings
from services.console.pages.system import system, trace

_MODULES = (
    overview, mailings, blocked, contacts, address, lists, operations, settings, account, system, trace, users,
)  # fmt: skip


def register(app: FastAPI) -> None:
    """Serve all pages."""
    pages = Pages(app)
    for module in _MODULES:
        module.add(pages)
