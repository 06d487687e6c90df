"""The management HTTP API of RabbitMQ (https://www.rabbitmq.com/docs/http-api-reference): what AMQP cannot do."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology

HTTP_TIMEOUT = 60.0
OURS = ("returpost-", "sender-", "crm-")
"""How names of users begin."""


class Management:
    """The API for one virtual host, asked as the administrator."""

    def __init__(self, url: str, amqp_url: str) -> None:
        parts, amqp = urlsplit(url), urlsplit(amqp_url)
        if parts.scheme not in ("http", "https"):
            raise InvalidSettings("RETURPOST_AMQP_MANAGEMENT_URL: it begins with http:// or https://")
        login = parts if parts.username else amqp
        credentials = f"{unquote(login.username or 'guest')}:{unquote(login.password or 'guest')}"
        self._headers = {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}
        self._base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._vhost = quote(vhost_of(amqp_url), safe="")
        self._own_name = unquote(amqp.username or "guest")
        self._http: httpx.AsyncClient

    async def __aenter__(self) -> "Management":
        self._http = httpx.AsyncClient(headers=self._headers, timeout=HTTP_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def make_vhost(self) -> None:
        """Make the virtual host when it is not there; the user of the AMQP URL gets all rights in it."""
        if await self._call("GET", f"vhosts/{self._vhost}", allow=404) == 404:
            await self._call("PUT", f"vhosts/{self._vhost}", {})
            rights = {"configure": ".*", "write": ".*", "read": ".*"}
            await self._call("PUT", f"permissions/{self._vhost}/{quote(self._own_name, safe='')}", rights)

    async def version(self) -> str:
        """Return the version of RabbitMQ."""
        return str((await self._ask("GET", "overview")).json()["rabbitmq_version"])

    async def definitions(self) -> dict[str, Any] | None:
        """Return exchanges, queues, bindings and policies of the virtual host; None when there is no such host."""
        answer = await self._ask("GET", f"definitions/{self._vhost}", allow=404)
        return None if answer.status_code == 404 else dict(answer.json())

    async def set_policy(self, policy: topology.Policy) -> None:
        """Make or change one policy; the queues of its pattern follow at once."""
        body = {
            "pattern": policy.pattern,
            "apply-to": "queues",
            "definition": policy.definition,
            "priority": topology.POLICY_PRIORITY,
        }
        await self._call("PUT", f"policies/{self._vhost}/{policy.name}", body)

    async def make_user(self, user: topology.User, password: str) -> None:
        """Make or change one user."""
        name = quote(user.name, safe="")
        await self._call("PUT", f"users/{name}", {"password": password, "tags": ""})
        rights = {"configure": user.configure, "write": user.write, "read": user.read}
        await self._call("PUT", f"permissions/{self._vhost}/{name}", rights)
        for exchange, write, read in user.topics:
            topic = {"exchange": exchange, "write": write, "read": read}
            await self._call("PUT", f"topic-permissions/{self._vhost}/{name}", topic)

    async def access(self) -> dict[str, Any]:
        """Return Returpost's users, as hashes of their passwords, with their rights in this virtual host."""
        found = (await self._ask("GET", "definitions")).json()
        names = {user["name"] for user in found["users"] if user["name"].startswith(OURS)} - {self._own_name}
        return {
            "users": [user for user in found["users"] if user["name"] in names],
            "permissions": self._of(found["permissions"], names),
            "topic_permissions": self._of(found["topic_permissions"], names),
        }

    async def grant(self, access: Mapping[str, Any]) -> None:
        """Make the users that `access` returned, with their rights in this virtual host."""
        own = {"vhost": unquote(self._vhost)}
        rights = {kind: [one | own for one in access[kind]] for kind in ("permissions", "topic_permissions")}
        await self._call("POST", "definitions", {"users": access["users"], **rights})

    def _of(self, rights: list[dict[str, Any]], users: set[str]) -> list[dict[str, Any]]:
        vhost = unquote(self._vhost)
        return [one for one in rights if one["vhost"] == vhost and one["user"] in users]

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, allow: int = 0) -> int:
        return (await self._ask(method, path, body, allow)).status_code

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, allow: int = 0
    ) -> httpx.Response:
        url = f"{self._base}/api/{path}"
        try:
            response = await self._http.request(method, url, json=body)
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise Unavailable(f"the management API does not answer at {self._base}: {said}") from None
        if response.status_code in (401, 403):
            raise InvalidSettings(f"{self._base}: the management API refuses this user; it needs the tag administrator")
        if response.status_code >= 400 and response.status_code != allow:
            raise ReturpostError(f"{method} {url}: {response.status_code} {response.text[:500]}")
        return response


def vhost_of(amqp_url: str) -> str:
    """Return the virtual host of an AMQP URL (https://www.rabbitmq.com/docs/uri-spec); none named is `/`."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"
