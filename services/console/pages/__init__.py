"""What the pages show: one page or family of pages a module."""

from fastapi import FastAPI

from services.console.pages import activity, blocked, contacts, mailings, operations, overview, settings, users
from services.console.parts.shell import Pages


def register(app: FastAPI) -> None:
    """Serve all pages."""
    pages = Pages(app)
    for module in (overview, mailings, blocked, contacts, activity, settings, operations, users):
        module.add(pages)
