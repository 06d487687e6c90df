"""The services' HTTP APIs, as the command line calls them."""

import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from returpost.errors import InvalidSettings, ReturpostError, Unavailable

TIMEOUT = 60.0
MAX_ANSWER = 64 * 1024 * 1024
SHOWN_FAULTS = 5
_LAG = re.compile(rb'^returpost_lag_seconds\{queue="([^"]+)"\} (\S+)$', re.MULTILINE)


class Api:
    """Calls the services, each over a connection that is kept. Not for several threads at once."""

    def __init__(self, urls: Mapping[str, str], token: str) -> None:
        self._urls = urls
        self._token = token
        self._connections: dict[str, HTTPConnection] = {}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def __del__(self) -> None:
        self.close()  # a command lets go of it without a word

    def get(self, service: str, path: str, **parameters: Any) -> Any:
        """Return the answer. Raises as `call` does."""
        return self.call(service, "GET", path, parameters)

    def pages(self, service: str, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of one page after the other. Raises as `call` does."""
        cursor = None
        while True:
            page = self.get(service, path, cursor=cursor, **parameters)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def health(self, service: str) -> dict[str, Any]:
        """Return what a service knows of its health, good or bad. Raises `Unavailable` when it does not answer."""
        found: dict[str, Any] = self.call(service, "GET", "/health/ready", accept=(503,))
        return found

    def lags(self, service: str) -> dict[str, float]:
        """Return by queue how many seconds old the oldest event of the last batch was. Raises `Unavailable`."""
        _, body = self._request(service, "GET", "/metrics", None, {})
        return {match[1].decode(): float(match[2]) for match in _LAG.finditer(body)}

    def raw(self, service: str, path: str, **parameters: Any) -> bytes:
        """Return the bytes of an answer. Raises as `call` does."""
        status, body = self._request(service, "GET", f"{path}?{urlencode(parameters)}", None, self._bearer())
        if status >= 400:
            raise _refusal(service, status, words_of(_decoded(body)) or f"GET {path}: {status}")
        return body

    def call(
        self,
        service: str,
        method: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: tuple[int, ...] = (),
        if_match: str | None = None,
    ) -> Any:
        """Return the answer's JSON; statuses from 400 are errors, but for those in `accept`.

        `if_match` is the version (an entity tag) that a change is made to.

        Raises `Unavailable` when the service is away, `InvalidSettings` when the token is refused, `ReturpostError`
        with the service's own words for any other refusal.
        """
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        target = f"{path}?{urlencode(given, doseq=True)}" if given else path
        headers = {**self._bearer(), "Content-Type": content_type, "Accept": "application/json"}
        if if_match is not None:
            headers["If-Match"] = if_match
        status, raw = self._request(service, method, target, body, headers)
        answer = _decoded(raw)
        if status < 400 or status in accept:
            return answer
        raise _refusal(service, status, words_of(answer) or f"{method} {path}: {status}")

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _request(
        self, service: str, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        url = self._url(service)
        for again in (False, True):
            kept = service in self._connections
            connection = self._connections.get(service) or _connect(url)
            self._connections[service] = connection
            try:
                connection.request(method, urlsplit(url).path.rstrip("/") + target, body, headers)
                response = connection.getresponse()
                return response.status, response.read(MAX_ANSWER)
            except (OSError, HTTPException) as error:
                connection.close()
                del self._connections[service]
                # A kept connection may have been closed from the other side in between; what we send is safe to repeat.
                if again or not kept:
                    raise Unavailable(
                        f"{service} does not answer at {url} ({error or type(error).__name__}); "
                        "`returpost status` tells what runs, `returpost up` starts it"
                    ) from None
        raise AssertionError("unreachable")

    def _url(self, service: str) -> str:
        try:
            return self._urls[service]
        except KeyError:
            raise Unavailable(f"{service} was not started") from None


def _refusal(service: str, status: int, words: str) -> ReturpostError:
    if status in (401, 403):
        return InvalidSettings(f"{service} refuses the token: {words}")
    return Unavailable(f"{service}: {words}") if status in (502, 503, 504) else ReturpostError(f"{service}: {words}")


def _connect(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSettings(f"{url!r} is not the URL of a service")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname, parts.port, timeout=TIMEOUT)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return {"title": body[:500].decode(errors="replace")}


def words_of(answer: Any) -> str:
    """Return what a refusal says: its title, and which fields are wrong."""
    if not isinstance(answer, dict):
        return ""
    faults = [f"{fault.get('field')}: {fault.get('problem')}" for fault in answer.get("errors", [])]
    more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
    return "; ".join([str(answer.get("title", "")), *faults[:SHOWN_FAULTS], *more])
