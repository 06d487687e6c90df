"""What the pages show: one page or family of pages a module."""

from fastapi import FastAPI

from services.console.components.shell import Pages
from services.console.pages import blocked, contacts, mailings, operations, overview, settings, system, users


def register(app: FastAPI) -> None:
    """Serve all pages."""
    pages = Pages(app)
    for module in (overview, mailings, blocked, contacts, operations, settings, system, users):
        module.add(pages)
