"""What the pages show: one page or family of pages a module."""

from fastapi import FastAPI

from services.console.components.shell import Pages
from services.console.pages import blocked, lists, mailings, operations, users
from services.console.pages.overview import overview
from services.console.pages.people import address, contacts
from services.console.pages.settings import settings
from services.console.pages.system import system, trace


def register(app: FastAPI) -> None:
    """Serve all pages."""
    pages = Pages(app)
    for module in (overview, mailings, blocked, contacts, address, lists, operations, settings, system, trace, users):
        module.add(pages)
