"""The services' HTTP APIs, asked with the token of who looks at the page."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from typing import Any

import httpx
import orjson

TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""Of what changes something; what is only read has the shorter deadline of the settings."""
UPLOAD_TIMEOUT = httpx.Timeout(300.0, connect=3.0)
"""Between two parts of a file, and until it is taken."""
AWAY = (502, 503, 504)


class Trouble(Exception):
    """An answer that is none."""


class Away(Trouble):
    """A service does not answer. Nothing was changed, or the same may safely be asked again."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service


class Refused(Trouble):
    """A service says no, in its own words."""

    def __init__(self, status: int, title: str, errors: list[dict[str, str]]) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors


class SignedOut(Trouble):
    """The token is no longer good."""


class Services:
    """Connections to all services, shared by all who look."""

    def __init__(self, urls: Mapping[str, str], deadline: float) -> None:
        """`deadline`: seconds after which a service that is only read from counts as away."""
        self._deadline = deadline
        self._clients = {name: httpx.AsyncClient(base_url=url, timeout=TIMEOUT) for name, url in urls.items()}

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        token: str | None,
        parameters: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer. Raises `Away`, `SignedOut` or `Refused`."""
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            sent["Content-Type"] = "application/json"
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        asked = self._clients[service].request(method, path, params=given, content=content, headers=sent)
        try:
            async with asyncio.timeout(self._deadline if method == "GET" else None):
                answer = await asked
        except (httpx.TransportError, TimeoutError):
            raise Away(service) from None
        return _good(service, answer, token)

    async def send(
        self,
        service: str,
        path: str,
        content: AsyncIterable[bytes],
        *,
        token: str,
        parameters: Mapping[str, Any],
        length: str | None,
    ) -> httpx.Response:
        """Pass a file on as it comes; `length` is how long it says it is. Raises as `ask` does."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Length": length} if length else {})
        try:
            answer = await self._clients[service].post(
                path, params=parameters, content=content, headers=headers, timeout=UPLOAD_TIMEOUT
            )
        except httpx.TransportError:
            raise Away(service) from None
        return _good(service, answer, token)

    async def look(self, service: str, path: str) -> Any:
        """Return what an open route says, be it good or bad. Raises `Away`."""
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._clients[service].get(path)
            return orjson.loads(answer.content)
        except (httpx.TransportError, TimeoutError, orjson.JSONDecodeError):
            raise Away(service) from None

    def stream(self, service: str, path: str, *, token: str, parameters: Mapping[str, Any]) -> Any:
        """Return an answer that is read as it comes, for `async with`."""
        headers = {"Authorization": f"Bearer {token}"}
        return self._clients[service].stream("GET", path, params=parameters, headers=headers, timeout=None)


class Api:
    """The services as one visitor may use them: always with this token, always for this tenant."""

    def __init__(self, services: Services, token: str, tenant: str) -> None:
        self.services = services
        self.token = token
        self.tenant = tenant

    async def get(self, service: str, path: str, **parameters: Any) -> Any:
        """Return what a service knows. Raises as `Services.ask` does."""
        return await self.call(service, "GET", path, **parameters)

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> Any:
        """Return the answer's JSON, nothing when it is empty. Raises as `Services.ask` does."""
        given = {"tenant": self.tenant} | parameters
        answer = await self.services.ask(
            service, method, path, token=self.token, parameters=given, body=body, headers=headers
        )
        return orjson.loads(answer.content) if answer.content else None

    async def raw(self, service: str, path: str, **parameters: Any) -> bytes:
        """Return the bytes of an answer. Raises as `Services.ask` does."""
        answer = await self.services.ask(service, "GET", path, token=self.token, parameters=parameters)
        return answer.content


def _good(service: str, answer: httpx.Response, token: str | None) -> httpx.Response:
    """Return an answer that is one. Raises `Away`, `SignedOut` or `Refused`."""
    if answer.status_code in AWAY:
        raise Away(service)
    if answer.status_code == 401 and token:
        raise SignedOut
    if answer.is_error:
        raise _refusal(answer)
    return answer


def _refusal(answer: httpx.Response) -> Refused:
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    return Refused(answer.status_code, str(told.get("title", answer.reason_phrase)), list(told.get("errors", [])))
