"""Lists as files: what each format says, in whatever pieces it comes, and that what we write we can read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.suppression_files.entry import Entry, Fault, Kind, escape_formula, moment, unescape_formula
from services.blocklist.suppression_files.reader import Format, Found, ListReader
from services.blocklist.suppression_files.writer import ListWriter

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANN, BOB, CID, DAN = "ann@example.com", "bob@example.com", "cid@example.com", "dan@example.com"
MANUAL, COMPLAINT, DEAD = BlockCause.MANUAL, BlockCause.COMPLAINT, BlockCause.DEAD_ADDRESS


def read(data: bytes, size: int = 10_000, kind: Kind = Kind.BOUNCE) -> list[Found]:
    reader, found = ListReader(kind), list[Found]()
    for start in range(0, len(data), size):
        found += reader.feed(data[start : start + size])
    return found + list(reader.end())


FILES: list[tuple[str, str, list[tuple[str, BlockCause, Reason | None]]]] = [
    (
        "an address a line",
        f"{ANN}\r\n\r\n Bob Berg <{BOB}> \n",
        [(ANN, MANUAL, None), (f"Bob Berg <{BOB}>", MANUAL, None)],
    ),
    ("heading, semicolons", f"E-post;Navn\n{ANN};Ann, av Berg\n", [(ANN, MANUAL, None)]),
    (
        "SES, bulk file",
        f"{ANN},BOUNCE\n{BOB},COMPLAINT\n",
        [(ANN, MANUAL, None), (BOB, COMPLAINT, Reason.COMPLAINT)],
    ),
    (
        "SES, answers one after the other",
        json.dumps({"SuppressedDestinationSummaries": [
            {"EmailAddress": ANN, "Reason": "BOUNCE", "LastUpdateTime": "2026-01-02T03:04:05+00:00"}],
            "NextToken": "[x"})
        + "\n" + json.dumps({"SuppressedDestinationSummaries": [
            {"EmailAddress": BOB, "Reason": "COMPLAINT", "LastUpdateTime": 1767323045.0}]}, indent=1),
        [(ANN, MANUAL, None), (BOB, COMPLAINT, Reason.COMPLAINT)],
    ),
    (
        "SendGrid, CSV",
        """status,reason,email,created
5.1.1,"550 5.1.1 ""No"" such\nuser, sorry",ann@example.com,1767323045
4.2.2,full,bob@example.com,1767323045
""",
        [(ANN, DEAD, Reason.USER_UNKNOWN), (BOB, MANUAL, None)],
    ),
    (
        "SendGrid, spam reports",
        json.dumps([{"created": 1767323045, "email": ANN, "ip": "192.0.2.1"}]),
        [(ANN, COMPLAINT, Reason.COMPLAINT)],
    ),
    (
        "Mailgun, CSV",
        f'address,code,error,created_at\n{ANN},550,No such mailbox,"Fri, 02 Jan 2026 03:04:05 UTC"\n',
        [(ANN, MANUAL, None)],
    ),
    (
        "Mailgun, answer",
        json.dumps({"items": [{"address": ANN, "code": "550", "error": "550 5.1.2 no such host",
                               "created_at": "Fri, 02 Jan 2026 03:04:05 UTC"}], "paging": {"next": "https://x/?a=[b"}}),
        [(ANN, DEAD, Reason.DOMAIN_UNKNOWN)],
    ),
    (
        "Postmark",
        json.dumps({"Suppressions": [
            {"EmailAddress": ANN, "SuppressionReason": "HardBounce", "Origin": "Recipient",
             "CreatedAt": "2026-01-01T22:04:05-05:00"},
            {"EmailAddress": BOB, "SuppressionReason": "SpamComplaint", "Origin": "Recipient",
             "CreatedAt": "2026-01-02T03:04:05Z"},
            {"EmailAddress": CID, "SuppressionReason": "ManualSuppression", "Origin": "Customer",
             "CreatedAt": "2026-01-02T03:04:05Z"}]}),
        [(ANN, MANUAL, None), (BOB, COMPLAINT, Reason.COMPLAINT), (CID, MANUAL, None)],
    ),
    (
        "JSON lines",
        """{"address": "ann@example.com", "reason": "user_unknown"}
"bob@example.com"

{"Email Address": "cid@example.com", "cause": "complaint"}""",
        [(ANN, DEAD, Reason.USER_UNKNOWN), (BOB, MANUAL, None), (CID, COMPLAINT, Reason.COMPLAINT)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "wanted"), FILES, ids=[name for name, _, _ in FILES])
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_formats(name: str, text: str, wanted: list[Any], size: int, mark: bytes) -> None:
    found = read(mark + text.encode(), size)
    assert [(one.address, one.cause, one.reason) for one in found if isinstance(one, Entry)] == wanted
    assert [one.row for one in found] == list(range(1, len(wanted) + 1))
    timed = [one.time for one in found if isinstance(one, Entry) and one.time]
    assert set(timed) <= {SINCE}
    assert not timed or len(timed) == len(found)


def test_what_a_list_is_where_its_rows_do_not_say() -> None:
    assert [one.cause for one in read(b"email,created\na@b.c,1767323045\n", kind=Kind.COMPLAINT)
            if isinstance(one, Entry)] == [COMPLAINT]  # fmt: skip


def test_without_a_heading_a_third_column_may_be_anything() -> None:
    found = read(b"a@b.c,Ann,Berg\nb@b.c,Bob,2026-01-02T03:04:05Z\n")
    assert [one.time for one in found if isinstance(one, Entry)] == [None, SINCE]


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (b"ann@example.com\n\xff\xfe@x\nbob@example.com\n", {2: "not UTF-8"}),
        (b'{"address": "a@b.c"}\n{"address": \n"b@b.c"\n7\n', {2: "not a line of JSON", 4: "neither"}),
        (b'[{"email": "a@b.c"}, {"email": "b', {2: "broken from here on"}),
        (b'[{"email": "a@b.c"}]\n[{"email": "b@b.c"}] and more', {3: "broken from here on"}),
        (b'address,note\n,x\n"a@b.c,never closed\n', {1: "no address", 2: "never closed"}),
        (b"email,created\na@b.c,\nb@b.c,yesterday\n", {2: "the time in this row"}),
        (b'{"email": "a@b.c"}\n{"email": "' + b"x" * 70_000 + b'"}\n"c@b.c"\n', {2: "longer than"}),
    ],
)
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_faults_are_named_and_stop_nothing_else(data: bytes, problems: dict[int, str], size: int) -> None:
    faults = {one.row: one.problem for one in read(data, size) if isinstance(one, Fault)}
    assert set(faults) == set(problems)
    assert all(words in faults[row] for row, words in problems.items())


@given(st.binary(max_size=300), st.integers(1, 50))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_read_alike_in_any_pieces(data: bytes, size: int) -> None:
    assert read(data, size) == read(data)


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-01-02 03:04:05 UTC", "Fri, 02 Jan 2026 03:04:05 +0000",
     "1767323045", 1767323045.0, "2026-01-02T04:04:05+01:00"],
)  # fmt: skip
def test_times(text: Any) -> None:
    assert moment(text) == SINCE
    assert moment("yesterday") is None
    assert moment("9" * 30) is None


BLOCKS: list[dict[str, Any]] = [
    {"address": ANN, "cause": "dead_address", "reason": "user_unknown", "since": SINCE, "mailing": "m,1", "note": None},
    {"address": BOB, "cause": "complaint", "reason": "complaint", "since": SINCE, "mailing": "m1", "note": None},
    {"address": CID, "cause": "manual", "reason": None, "since": SINCE, "mailing": None, "note": 'says "no"'},
    {"address": DAN, "cause": "unsubscribed", "reason": "unsubscribe", "since": SINCE, "mailing": "m1", "note": None},
]
NEWS: dict[str, Any] = {"address": "eva@example.com", "cause": "unsubscribed", "reason": "unsubscribe", "since": SINCE,
        "streams": ["news"]}  # fmt: skip


@pytest.mark.parametrize("format_", [one for one in Format if one is not Format.AUTO])
def test_what_is_written_is_read_again(format_: Format) -> None:
    lists = tuple(Kind) if format_ in (Format.SENDGRID, Format.MAILGUN) else (None,)
    found: dict[str, BlockCause] = {}
    for kind in lists:
        writer = ListWriter(format_, kind)
        text = writer.begin() + "".join(writer.blocks([block]) for block in BLOCKS) + writer.end()
        entries = read(text.encode(), kind=kind or Kind.BOUNCE)
        assert all(isinstance(one, Entry) for one in entries), entries
        found |= {one.address: one.cause for one in entries if isinstance(one, Entry)}
        assert {one.time for one in entries if isinstance(one, Entry)} <= {SINCE, None}
    assert found[BOB] is COMPLAINT
    assert found[CID] is MANUAL
    says_why = (Format.CSV, Format.JSONL, Format.SENDGRID)
    assert found[ANN] is (DEAD if format_ in says_why else MANUAL)
    says_unsubscribed = (*says_why, Format.MAILGUN)
    assert found[DAN] is (
        BlockCause.UNSUBSCRIBED if format_ in says_unsubscribed else COMPLAINT if format_ is Format.SES else MANUAL
    )


@pytest.mark.parametrize("format_", [Format.SES, Format.SENDGRID, Format.MAILGUN, Format.POSTMARK])
def test_an_unsubscribe_stands_in_no_list_of_bounces(format_: Format) -> None:
    written = {kind: ListWriter(format_, kind).blocks([*BLOCKS, NEWS]) for kind in (Kind.BOUNCE, Kind.UNSUBSCRIBE)}
    assert DAN not in written[Kind.BOUNCE]
    assert DAN in written[Kind.UNSUBSCRIBE]
    assert ANN in written[Kind.BOUNCE]
    assert ANN not in written[Kind.UNSUBSCRIBE]
    assert NEWS["address"] not in "".join(written.values()), "only a stream skips it: a provider would stop all mail"


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula_and_each_is_read_as_it_was(text: str) -> None:
    escaped = escape_formula(text)
    assert escaped.lstrip()[:1] not in tuple("=+-@")
    assert unescape_formula(escaped) == text


def test_a_note_from_a_list_names_no_address() -> None:
    (found,) = read(b"address,note\nann@example.com,550 <ann@example.com> unknown\n")
    assert isinstance(found, Entry)
    assert found.note == "550 [address] unknown"
