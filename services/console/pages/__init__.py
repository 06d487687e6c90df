"""What the pages show: one page or family of pages a module."""

from fastapi import FastAPI

from services.console.pages import mailings, overview
from services.console.parts.shell import Pages


def register(app: FastAPI) -> None:
    """Serve all pages."""
    pages = Pages(app)
    for module in (overview, mailings):
        module.add(pages)
