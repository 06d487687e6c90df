"""A field for a file: it is sent from the browser to a route of the console, and never kept here."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.console.api_client import Away, Refused, SignedOut, Trouble

Answered = Callable[[dict[str, Any]], Awaitable[None]]
Failed = Callable[[Trouble], Awaitable[None]]


class Upload(Element, component="upload.js"):
    """The field; `send` sends the chosen file, and tells what was answered."""

    def __init__(self, label: str, help: str, accept: str) -> None:  # noqa: A002 - what it is
        super().__init__()
        self.name = ""
        """Of the file that is chosen; nothing: none is."""
        self._nth = 0
        self._answered: Answered | None = None
        self._failed: Failed | None = None
        self.props["label"], self.props["help"], self.props["accept"] = label, help, accept
        self.on("chosen", self._chosen)
        self.on("answered", self._told)

    def wrong(self, text: str) -> None:
        """Say what is wrong with the choice; nothing: it is fine."""
        self.props["wrong"] = text or None
        self.update()

    def send(self, kind: str, answered: Answered, failed: Failed, /, **parameters: str) -> None:
        """Send the file to the route of this kind."""
        self._nth += 1
        self._answered, self._failed = answered, failed
        self.props["target"] = f"/uploads/{kind}?{urlencode(parameters | {'nth': str(self._nth)})}"
        self.update()

    def _chosen(self, event: GenericEventArguments) -> None:
        self.name = str(event.args)
        self.wrong("")

    async def _told(self, event: GenericEventArguments) -> None:
        status, told = int(event.args["status"]), event.args["told"]
        if self._answered is None or self._failed is None:
            return
        if status < 400 and isinstance(told, dict):
            await self._answered(told)
        else:
            await self._failed(_trouble(status, told))


def _trouble(status: int, told: object) -> Trouble:
    if status == 401:
        return SignedOut()
    problem = told if isinstance(told, dict) else {}
    if status >= 502:
        return Away(str(problem.get("service", "actions")))
    return Refused(status, str(problem.get("title", status)), list(problem.get("errors", [])))
