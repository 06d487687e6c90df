"""The part of the archive that outlives the stream: what is written is read, as one with the stream, without what was
erased."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from returpost.amqp import archive
from returpost.amqp.archive import EPOCH, ArchivedMessage
from returpost.contracts import AddressErased
from returpost.contracts.addresses import normalise
from returpost.errors import Unavailable
from services.replay.app import create
from services.replay.domain.erased_events import erasures_in, without
from services.replay.domain.segment import Damaged, Stored, decode, digest, encode, events_of
from services.replay.runner import segment_writer
from services.replay.runner.segments import Segments
from services.replay.runner.whole_archive import WholeArchive
from services.replay.settings import Settings
from shared.database.residual_search import forms
from tests.replay.test_archive import QUEUES, emptied, ended, made, publish, recorded, search, selection, start
from tests.support.harness import TENANT, Harness, eventually

START = datetime(2026, 1, 2, tzinfo=UTC)
KEY = "delivery.recorded.acme.sent"


def stored(offset: int, minute: int | None = None, body: bytes | None = None) -> Stored:
    told = {"type": "t", "tenant": "acme", "time": (START + timedelta(minutes=minute or offset)).isoformat()}
    return Stored(offset, KEY, json.dumps(told).encode() if body is None else body)


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), min_size=1, max_size=20))
def test_whatever_is_written_is_read(messages: list[tuple[str, bytes]]) -> None:
    told = [Stored(n * 2, key.encode("utf-8", "replace").decode(), body) for n, (key, body) in enumerate(messages)]
    header, read = decode(encode(told))
    assert read == told
    assert (header.first, header.last, header.messages) == (0, told[-1].offset, len(told))
    assert header.last_digest == digest(told[-1].body)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    content = bytearray(encode([stored(n) for n in range(3)]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        _, read = decode(bytes(content))
    except Damaged:
        return
    assert read == [stored(n) for n in range(3)], "a byte that says nothing, as the system which packed it"


class Stream:
    """A stream that has lost its oldest messages."""

    def __init__(self, messages: list[Stored], lost: int) -> None:
        self.messages = messages[lost:]

    async def read(
        self, _: Any, *, since: datetime, offset: int | None, containing: bytes | None = None
    ) -> AsyncGenerator[ArchivedMessage, None]:
        del since, containing
        for one in self.messages:
            if offset is None or one.offset >= offset:
                yield ArchivedMessage(one.offset, one.routing_key, events_of(one.body), one.body)


def read_all(whole: WholeArchive, since: datetime = EPOCH, offset: int | None = None) -> list[int]:
    async def run() -> list[int]:
        return [one.offset async for one in whole.read(since=since, offset=offset)]

    return asyncio.run(run())


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_segments_and_stream_are_read_as_one(data: st.DataObject) -> None:
    """Wherever the segments end, the stream begins and the reader starts: all that was written, each once."""
    number = data.draw(st.integers(1, 12))
    messages = [stored(n) for n in range(number)]
    cuts = sorted(data.draw(st.sets(st.integers(1, number))))
    lost = data.draw(st.integers(0, max((one - 1 for one in cuts[-1:]), default=0)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        kept = Segments(Path(folder) / "archive")
        for begin, end in zip([0, *cuts], cuts, strict=False):
            kept.write(messages[begin:end], {})
        patch.setattr(archive, "read", Stream(messages, lost).read)
        whole: Any = WholeArchive(None, kept)  # type: ignore[arg-type]
        assert read_all(whole) == list(range(number))
        offset = data.draw(st.integers(0, number - 1))
        assert read_all(whole, offset=offset) == list(range(offset, number))
        since = data.draw(st.integers(0, number - 1))
        late = read_all(whole, START + timedelta(minutes=since))
        assert late == sorted(set(late))
        assert set(range(since, number)) <= set(late)


def test_another_stream_and_a_damaged_file_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Segments(tmp_path)
    kept.write([stored(0), stored(1)], {})
    whole: Any = WholeArchive(None, kept)  # type: ignore[arg-type]
    for other in ([stored(0), stored(1, 9), stored(2)], [stored(0)]):
        monkeypatch.setattr(archive, "read", Stream(other, 0).read)
        with pytest.raises(Unavailable, match="does not go on"):
            read_all(whole)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(Damaged, match=path.name):
        read_all(whole)


def told(address: str, minute: int, **data: Any) -> dict[str, Any]:
    time = (START + timedelta(minutes=minute)).isoformat()
    return {"type": "t", "tenant": "acme", "time": time, "data": {"address": address, **data}}


def test_what_is_erased_goes_and_nothing_else() -> None:
    until = START + timedelta(minutes=5)
    event = {"type": AddressErased.TYPE, "tenant": "acme", "time": (until + timedelta(minutes=1)).isoformat()}
    event["data"] = {"address": "Ann@example.com", "time": until.isoformat()}  # type: ignore[assignment]
    erased = Stored(9, "address.erased.acme", json.dumps(event).encode())
    forged = Stored(10, "address.erased.other", json.dumps(event).encode())
    erasures = erasures_in([erased, forged])
    assert erasures == {("acme", "ann@example.com"): until}

    gone = [
        told("ANN@example.com", 1), told("x@example.com", 1, text="to <ann@example.com>: unknown"),
        told("x@example.com", 5, text="news/b-4-ann=example.com@back.example"),
    ]  # fmt: skip
    stay = [told("joann@example.com", 1), told("ann@example.com.au", 1), told("ann@example.com", 6)]
    several = told("x@example.com", 1, addresses=["bo@example.com", "ann@example.com"])
    body = json.dumps([*gone, *stay, several]).encode()
    others = Stored(2, "delivery.recorded.other.sent", body)
    kept = without([Stored(1, KEY, body), others, erased], erasures, forms)
    left = json.loads(kept[0].body)
    assert left == [{}, {}, {}, *stay, {**several, "data": {**several["data"], "addresses": ["bo@example.com"]}}]
    assert kept[1] == others, "another tenant's"
    assert json.loads(kept[2].body) == {}, "the erasure names the address, too"


def test_a_tenant_goes_out_of_the_files_and_leaves_the_others(tmp_path: Path) -> None:
    kept = Segments(tmp_path)
    theirs = Stored(1, "delivery.recorded.other.sent", stored(1).body)
    kept.write([stored(0), theirs, stored(2)], {})
    assert (kept.of_tenant("acme"), kept.of_tenant("other")) == (2, 1)
    kept.forget("acme")
    (segment,) = kept.listed()
    assert (kept.of_tenant("acme"), segment.header.tenants, segment.header.last) == (0, ("other",), 2)
    assert kept.read(segment)[1] == theirs
    assert segment.header.last_digest == digest(stored(2).body), "the stream is still known"


@given(st.sampled_from(["ann@example.com", "o'hara+x@bücher.example", '"a b"@example.com', "a/b=c@example.com"]))
def test_an_address_goes_however_it_is_written(written: str) -> None:
    address = normalise(written)
    erasures = {("acme", address.lower()): START + timedelta(minutes=5)}
    for form in (address, address.upper(), *forms(address)):
        for text in (form, f"<{form}>", f"to {form}, and", f"{form}."):
            body = json.dumps(told("x@example.com", 1, text=text)).encode()
            (kept,) = without([Stored(1, KEY, body)], erasures, forms)
            assert json.loads(kept.body) == {}, text


def test_many_erasures_read_a_text_once() -> None:
    """As many as one command erases: what is read does not grow with them."""
    erasures = {("acme", f"u{n}@example.com"): START + timedelta(minutes=5) for n in range(10_000)}
    messages = [Stored(n, KEY, json.dumps([told(f"u{n}@example.com", 1)] * 10).encode()) for n in range(0, 20_000, 100)]
    begun = time.process_time()
    kept = without(messages, erasures, forms)
    assert time.process_time() - begun < 20
    assert [json.loads(one.body)[0] == {} for one in kept] == [one.offset < 10_000 for one in messages]


@pytest.mark.anyio
@pytest.mark.services
async def test_the_archive_outlives_its_stream(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that the stream has lost are found, replayed and erased; what is in both comes once."""
    monkeypatch.setattr(segment_writer, "MAX_MESSAGES", 4)
    monkeypatch.setattr("services.replay.app.SEGMENT_SECONDS", 0.2)
    folder = tmp_path / "archive"
    await publish(harness, *(recorded(n, n) for n in range(10)))
    await emptied(harness, 10)
    async with harness.running(create, Settings, "replay", archive_folder=folder) as replay:
        kept = await eventually(lambda: asyncio.sleep(0, Segments(folder).listed()), lambda seen: len(seen) == 3)
        assert [one.header.messages for one in kept] == [4, 4, 2], "the last as its events are old"
        await publish(harness, recorded(10, 10))
        assert [one["id"] for one in (await search(replay))[0]] == [recorded(n, n).id for n in range(11)]
        await _lose_the_oldest(monkeypatch, kept[1].header.first + 1)
        found, _ = await search(replay, address="u1@bücher.example", why="ticket 4711")
        assert [one["id"] for one in found] == [recorded(1, 1).id], "the stream has it no more"
        await harness.take(QUEUES[0])
        done = await ended(replay, await start(replay, selection()))
        assert (done["state"], done["done"]) == ("finished", 11)
        sent = [one["id"] for one in await harness.take_events(QUEUES[0])]
        assert sorted(sent) == sorted(recorded(n, n).id for n in range(11))

        await _erase(harness, "u1@xn--bcher-kva.example")
        await eventually(lambda: _says(folder, b"u1@xn"), lambda said: not said)
        assert [one["id"] for one in (await search(replay))[0]][:2] == [recorded(0, 0).id, recorded(2, 2).id]
        assert await _says(folder, b"u2@xn")


async def _lose_the_oldest(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Have the stream begin at an offset, as it does when its oldest file is deleted; of a small one that never is."""
    read = archive.read

    async def later(broker: Any, *, offset: int | None, **how: Any) -> AsyncIterator[ArchivedMessage]:
        async for one in read(broker, offset=max(offset or 0, first), **how):
            yield one

    monkeypatch.setattr(archive, "read", later)


async def _erase(harness: Harness, address: str) -> None:
    data = AddressErased.model_validate({"address": address, "time": datetime.now(UTC), "by": "ann"})
    await harness.send(made(data, 99, 11, TENANT))


async def _says(folder: Path, text: bytes) -> bool:
    return any(text in one.body for segment in Segments(folder).listed() for one in Segments(folder).read(segment))
