"""A server with bounds, over real sockets: heads, bodies and connections that are too many, too large or too slow."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from shared.http import connections
from shared.http.connections import MAX_HEAD, MAX_HEADERS, ConnectionLimits, protocol
from shared.http.max_body import BodyLimit, MaxBodyMiddleware
from shared.http.problems import install_exception_handlers

pytestmark = pytest.mark.anyio
LINE = b"POST /count HTTP/1.1\r\nHost: x\r\n"


def counting(**bounds: Any) -> FastAPI:
    app = FastAPI()
    app.state.streamed, app.state.body_limits = set[str](), {"/short": BodyLimit(100, 10)}
    app.add_middleware(MaxBodyMiddleware, **bounds)
    install_exception_handlers(app)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    @app.post("/count")
    @app.post("/short")
    async def count(request: Request) -> int:
        return len(await request.body())

    return app


@asynccontextmanager
async def serving(limits: ConnectionLimits | None = None, **bounds: Any) -> AsyncIterator[int]:
    config = uvicorn.Config(
        counting(**bounds), log_config=None, lifespan="off", http=protocol(limits or ConnectionLimits())
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await task


async def said(port: int, *parts: bytes) -> bytes:
    """Send bytes as they are; return what is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (LINE + b"X-A: " + b"x" * 1_000_000, b"431"),
        (LINE + b"X-A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n", b"431"),
        (LINE + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + b"x" * 1_000_000, b"431"),
        (b"GET /" + b"x" * 1_000_000, b"431"),
        (b"\r\n" * 500_000, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
async def test_a_head_is_bounded(head: bytes, status: bytes) -> None:
    async with serving() as port:
        assert (await said(port, head)).split()[1:2] in ([status], [])
        assert (await said(port, LINE + b"Content-Length: 2\r\nConnection: close\r\n\r\nab")).endswith(b"2")


async def test_what_is_within_the_bounds_is_answered() -> None:
    head = LINE + b"X-A: " + b"x" * (MAX_HEAD // 2) + b"\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving() as port:
        answer = await said(port, head, b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"50000" in answer
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for _ in range(5):
                assert (await http.post("/count", content=b"abc")).json() == 3


async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    async with serving() as port:
        assert await said(port) == b""
        assert b"408" in await said(port, LINE)


async def test_idle_connections_make_room_for_those_that_ask() -> None:
    async with serving(ConnectionLimits(total=100, per_client=50)) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/")).json() == "hello"
        for _, writer in idle:
            writer.close()


async def test_connections_that_are_busy_are_kept_and_more_are_refused() -> None:
    async with serving(ConnectionLimits(total=10, per_client=10)) as port:
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        for _, writer in busy:
            writer.write(LINE + b"Content-Length: 4\r\nConnection: close\r\n\r\nab")
            await writer.drain()
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503"):  # until all of them are seen to be busy
            answer = await said(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for _, writer in busy:
            writer.write(b"cd")
        answers = await asyncio.gather(*(reader.read() for reader, _ in busy))
        assert sum(answer.endswith(b"4") for answer in answers) >= 9
        for _, writer in busy:
            writer.close()


async def test_a_body_that_comes_too_slowly_is_refused() -> None:
    async with serving(grace=0.2) as port:
        assert (await said(port, LINE + b"Content-Length: 4\r\n\r\nab")).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: 101\r\n", b"", b"413"),
        (b"Content-Length: %d\r\n" % 10**15, b"", b"413"),
        (b"Transfer-Encoding: chunked\r\n", b"64\r\n" + b"x" * 100 + b"\r\n1\r\n", b"413"),
        (b"Content-Length: 26\r\n", b"[" + b"1," * 12 + b"]", b"413"),
        (b"Content-Length: 26\r\nContent-Type: text/plain\r\n", b"[" + b"1," * 12 + b"]", b"200"),
        (b"Content-Length: 100\r\n", b"x" * 100, b"200"),
    ],
)
async def test_a_body_is_bounded_by_the_limit_of_its_path(head: bytes, body: bytes, status: bytes) -> None:
    line = b"POST /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    async with serving() as port:
        answer = await said(port, line + head + b"\r\n", body, b"x" if b"chunked" in head else b"")
        assert answer.split()[1:2] == [status]


async def test_all_bodies_together_are_bounded() -> None:
    async with serving(budget=1_000) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LINE + b"Content-Length: 901\r\n\r\n" + b"x" * 900)
        await writer.drain()
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503"):  # until the first is being held
            answer = await said(port, LINE + b"Content-Length: 101\r\nConnection: close\r\n\r\n" + b"x" * 101)
        assert b"retry-after" in answer.lower()
        writer.write(b"x")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
