"""The examples of docs/how-to/sender/publish-from-python.md, as they stand there."""

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from returpost.client import Publisher, SyncPublisher
from tests.support.harness import Harness, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DOCUMENT = Path(__file__).parents[3] / "docs/how-to/sender/publish-from-python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["async", "sync", "spool"])
async def test_an_example_hands_in_what_it_is_given(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    monkeypatch.chdir(tmp_path)
    results = [
        {"mailing": "m", "address": f"u{n}@example.com", "result": "delivered", "time": "2026-01-02T03:04:05Z"}
        for n in range(120)
    ]
    names: dict[str, Any] = {
        "url": harness.amqp_url,
        "results": results,
        "Path": Path,
        "Publisher": Publisher,
        "SyncPublisher": SyncPublisher,
    }
    code = compile(example, str(DOCUMENT), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def run() -> None:
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, names)  # noqa: S307 - our own document
        else:
            await asyncio.to_thread(exec, code, names)

    await run()
    await eventually(lambda: harness.depth("ingest.delivery-result"), lambda depth: depth == 3)
    found = {one["data"]["address"] for one in await harness.take_events("ingest.delivery-result")}
    assert len(found) == 120
