"""Guards against server-side request forgery (SSRF): webhooks go to public hosts over TLS, not inside our network."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias
from urllib.parse import urlsplit

import httpcore

from returpost.errors import ReturpostError

Ip: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL = 2_000
_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address behind a translator."""


class Forbidden(ReturpostError):
    """The URL is none that webhooks may go to; the message says why."""


@dataclass(frozen=True, slots=True)
class AllowedDestinations:
    """What the installation allows beyond public hosts over TLS."""

    networks: Sequence[Network] = ()
    plain_http: bool = False

    def check_url(self, url: str) -> tuple[str, int]:
        """Return host and port. Raises `Forbidden`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise Forbidden(f"url: {error}") from None
        if parts.scheme != "https" and not (parts.scheme == "http" and self.plain_http):
            raise Forbidden("url: must begin with https://")
        if not host or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise Forbidden(f"url: needs a host, in ASCII, and at most {MAX_URL} characters")
        if parts.username is not None or parts.fragment:
            raise Forbidden("url: must have no user and no fragment")
        return host, port or (443 if parts.scheme == "https" else 80)

    def check_addresses(self, addresses: Iterable[Ip]) -> None:
        """Let public addresses and those of the allowed networks pass. Raises `Forbidden` for any other."""
        for address in addresses:
            if any(address in network for network in self.networks):
                continue
            for inner in _meant(address):
                if not inner.is_global or inner.is_multicast or inner.is_reserved:
                    raise Forbidden("url: the host has an address that is not public")


async def addresses_of(host: str, port: int) -> list[Ip]:
    """Return all addresses of a host. Raises `OSError` when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses that it has checked: a name that is looked up twice may have two answers."""

    def __init__(self, allowed: AllowedDestinations) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect. Raises `Forbidden`, or what `httpcore` does."""
        try:
            async with asyncio.timeout(timeout):
                found = await addresses_of(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except OSError as error:
            raise httpcore.ConnectError(f"the name does not resolve: {error.strerror}") from None
        self._allowed.check_addresses(found)
        for address in found[:-1]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(str(found[-1]), port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


def _meant(address: Ip) -> list[Ip]:
    """Return the address, and the IPv4 address that it leads to where it wraps one."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    wrapped: list[Ip | None] = [address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        wrapped.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(one for one in wrapped if one is not None)]
