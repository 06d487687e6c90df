"""A small DNS server on loopback, with the records that a test gives it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[str, Mapping[str, list[str]] | str]
"""By name: records by type, or what goes wrong: `servfail` or `silence`. A name that is not there does not exist."""


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: Counter[str] = Counter()
        self.port = 0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[f"{name} {kind}"] += 1
        records = self.zone.get(name)
        if records == "silence":
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if records == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif not isinstance(records, str) and kind in records:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *records[kind]))
        self.transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(zone), ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
