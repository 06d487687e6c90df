"""Exports: each format is made, opened and compared; formulas do no harm; files are kept for their time."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from services.actions.app import create
from services.actions.operations.exports.columns import DEFAULT, TITLES, Column, Language
from services.actions.operations.exports.excel import SHEET_ROWS, Excel
from services.actions.operations.exports.formats import STREAMED, FileLayout, Format, escape_formula
from services.actions.operations.exports.subprocess import labelled
from services.actions.operations.retention import remove_expired
from services.actions.settings import Settings
from shared.database.pool import Pool
from tests.actions.builders import address, apply, blocked, contact_upsert, erased, result, verdict
from tests.actions.operations.operations_api import (
    post_action,
    request_preview,
    run_operation,
    selected,
    start_operation,
    wait_for_operation,
)
from tests.support.harness import Harness, RunningService

OSLO = FileLayout(["name"], ["Navn"], ZoneInfo("Europe/Oslo"), "nb", bom=True, separator=";")


async def returned(pool: Pool) -> None:
    """Write three recipients of m1: two were returned, one of them is somebody's and blocked."""
    await apply(pool, contact_upsert("c1", 1, name="=HYPERLINK(1)", company="Bø & Søn AS", addresses=[address(1)]))
    await apply(pool, *[result("sent", n, 1) for n in (1, 2, 3)])
    await apply(pool, verdict("hard", 1, 2, status="5.1.1", diagnostic="gone"), verdict("soft", 2, 3))
    await apply(pool, blocked(1, 1, 2))


@pytest.mark.parametrize("text", ["=1+1", "+47", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_what_a_spreadsheet_takes_for_a_formula_is_a_text(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    cells = next(csv.reader(io.StringIO(STREAMED[Format.CSV](OSLO).rows([[text]]).decode(), newline=""), delimiter=";"))
    assert cells == [f"'{text}"]


@pytest.mark.parametrize("text", ["ann@example.com", "1+1", "Bø", "", "a=b"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


def test_each_format_says_the_same_of_awkward_values() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = [['a"b;<c>\n', None, 7, moment]]
    layout = FileLayout(
        ["a", "b", "c", "d"], ["A", "B", "C", "D"], ZoneInfo("Europe/Oslo"), "nb", bom=True, separator=";"
    )
    whole = {kind: (made := maker(layout)).start() + made.rows(rows) + made.end() for kind, maker in STREAMED.items()}
    assert whole[Format.CSV].startswith(b"\xef\xbb\xbfA;B;C;D\r\n")
    assert list(csv.reader(io.StringIO(whole[Format.CSV].decode("utf-8-sig"), newline=""), delimiter=";"))[1] == [
        'a"b;<c>\n', "", "7", "2026-01-02 04:04:05",
    ]  # fmt: skip
    assert json.loads(whole[Format.JSON_LINES]) == {
        "a": 'a"b;<c>\n', "b": None, "c": 7, "d": "2026-01-02T04:04:05+01:00",
    }  # fmt: skip
    assert "<td>a&quot;b;&lt;c&gt;\n</td><td></td><td>7</td><td>2026-01-02 04:04:05</td>" in whole[Format.HTML].decode()
    assert whole[Format.TEXT].decode("utf-8-sig").splitlines()[1] == 'a"b;<c> \t\t7\t2026-01-02 04:04:05'


@pytest.mark.parametrize(
    ("text", "shown"), [("5.1.1", "'5.1.1"), ("550 5.1.1", "550 5.1.1"), ("1.2", "'1.2"), ("550", "550")]
)
def test_excel_takes_no_code_for_a_date(text: str, shown: str) -> None:
    cells = next(csv.reader(io.StringIO(STREAMED[Format.CSV](OSLO).rows([[text]]).decode(), newline=""), delimiter=";"))
    assert cells == [shown]
    assert labelled([[text]], ["code"], {}) == [[text]]


def test_values_are_called_as_their_reader_calls_them() -> None:
    rows = labelled(
        [["user_unknown", "a@b.no"], [None, "user_unknown"]],
        ["reason", "address"],
        {"reason": {"user_unknown": "Ukjent"}},
    )
    assert rows == [["Ukjent", "a@b.no"], [None, "user_unknown"]]
    plain = STREAMED[Format.TEXT](FileLayout(["address"], ["A"], ZoneInfo("Europe/Oslo"), headings=False))
    assert plain.start() + plain.rows([["a@b.no"], ["c@d.no"]]) == b"a@b.no\nc@d.no\n"


def test_every_column_has_a_title_in_every_language() -> None:
    for language in Language:
        assert set(TITLES[language]) == set(Column)


def sheets(rows: list[list[Any]], titles: list[str], sheet_rows: int = SHEET_ROWS) -> list[list[tuple[Any, ...]]]:
    """Write a workbook, and read it again."""
    file = io.BytesIO()
    book = Excel(file, FileLayout(titles, titles, ZoneInfo("Europe/Oslo")), sheet_rows)
    book.rows(rows)
    book.close()
    return [list(sheet.iter_rows(values_only=True)) for sheet in openpyxl.load_workbook(file)]


def test_a_workbook_has_awkward_values_as_they_are() -> None:
    moment = datetime(2026, 7, 2, 3, 4, 5, tzinfo=UTC)
    rows: list[list[Any]] = [
        ["=1+1", 7, moment],
        [' a<b>&"c"\n ', None, None],
        [None, -1, None],
        ["_x0041_ \x08", 0, moment],
    ]
    (sheet,) = sheets(rows, ["A & B", "B", "C"])
    at = datetime(2026, 7, 2, 5, 4, 5)  # noqa: DTZ001 - a sheet has no zone
    assert sheet == [
        ("A & B", "B", "C"),
        ("=1+1", 7, at),
        (' a<b>&"c"\n ', None, None),
        (None, -1, None),
        ("_x005F_x0041_ _x0008_", 0, at),
    ]


def test_what_does_not_fit_a_sheet_goes_on_in_the_next() -> None:
    assert SHEET_ROWS == 2**20 - 1
    numbers: list[list[Any]] = [[n] for n in range(7)]
    assert sheets(numbers, ["n"], 3) == [[("n",), *map(tuple, numbers[n : n + 3])] for n in (0, 3, 6)]
    assert sheets([], ["n"]) == [[("n",)]]


async def download(actions: RunningService, operation: dict[str, Any]) -> tuple[bytes, str]:
    answer = await actions.http.get(f"/v1/operations/{operation['id']}/file")
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content, answer.headers["content-disposition"]


@pytest.mark.anyio
@pytest.mark.services
async def test_each_format_is_made_downloaded_and_opened(actions: RunningService, pool: Pool) -> None:
    await returned(pool)
    target = {"returned_in": "m1"}
    made = await run_operation(actions, "export", target, format="csv", language="nb", bom=True, name="Returer uke 4")
    data, disposition = await download(actions, made)
    assert "Returer%20uke%204.csv" in disposition
    assert disposition.startswith("attachment;")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0] == [TITLES[Language.NORWEGIAN][column] for column in DEFAULT]
    assert rows[1][:6] == ["hard", "'=HYPERLINK(1)", "U1@example.com", "Bø & Søn AS", "'5.1.1", "user_unknown"]
    assert rows[1][8:10] == ["m1", "1"]
    assert rows[2][:6] == ["soft", "", "U2@example.com", "", "", "mailbox_full"]
    assert len(rows) == 3
    assert (made["done"], made["result"]["file"]["rows"]) == (2, 2)

    data, _ = await download(actions, await run_operation(actions, "export", target, format="xlsx"))
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0] == tuple(TITLES[Language.ENGLISH][column] for column in DEFAULT)
    assert cells[1][1:3] == ("=HYPERLINK(1)", "U1@example.com")
    assert sheet["B2"].data_type == "s"
    assert len(cells) == 3

    columns = ["address", "message", "mailing", "domain"]
    data, _ = await download(actions, await run_operation(actions, "export", target, format="jsonl", columns=columns))
    assert [json.loads(line) for line in data.splitlines()] == [
        {"address": "U1@example.com", "message": "gone", "mailing": "m1", "domain": "example.com"},
        {"address": "U2@example.com", "message": "", "mailing": "m1", "domain": "example.com"},
    ]
    html, _ = await download(actions, await run_operation(actions, "export", target, format="html", language="nb"))
    assert "<td>Bø &amp; Søn AS</td>" in html.decode()
    text, name = await download(actions, await run_operation(actions, "export", selected(address(1)), format="txt"))
    assert 'filename="returpost 20' in name
    assert text.decode().splitlines()[1].split("\t")[2:6] == ["U1@example.com", "Bø & Søn AS", "5.1.1", "user_unknown"]


@pytest.mark.anyio
@pytest.mark.services
async def test_a_file_goes_with_an_address_in_it_and_after_its_time(actions: RunningService, pool: Pool) -> None:
    await returned(pool)
    first = await run_operation(actions, "export", selected(address(1)))
    second = await run_operation(actions, "export", selected(address(2)))
    assert (await post_action(actions, first["id"], "undo")).status_code == 409
    await apply(pool, erased(1, 9))
    gone = await actions.http.get(f"/v1/operations/{first['id']}/file")
    assert (gone.status_code, "deleted" in gone.json()["title"]) == (410, True)
    assert await pool.fetchval("SELECT count(DISTINCT operation) FROM operation_files") == 1
    later = datetime.now(UTC) + timedelta(days=8)
    await remove_expired(actions.service.uow_factory, later, timedelta(hours=1), timedelta(days=90), timedelta(days=7))
    assert (await actions.http.get(f"/v1/operations/{second['id']}/file")).status_code == 410
    assert await pool.fetchval("SELECT count(*) FROM operation_files") == 0
    assert (await actions.http.get("/v1/operations/no-such/file")).status_code == 404


@pytest.mark.anyio
@pytest.mark.services
async def test_a_file_whose_maker_died_is_made_by_another_and_a_cancelled_one_is_not(
    harness: Harness, pool: Pool
) -> None:
    quick = {"export_silence": timedelta(seconds=3)}
    async with harness.running(create, Settings, "actions", **quick) as actions:
        preview = await request_preview(actions, "export", selected(address(1), address(2)))
        no = await pool.fetchval("SELECT no FROM operations")
        # What somebody who died after the first piece has left.
        dead = "0b9f3a52-0000-4000-8000-000000000000"
        await pool.execute("UPDATE operation_parts SET state = 'commanded', awaited = $1, moved_at = now()", dead)
        await pool.execute("INSERT INTO operation_files VALUES ($1, $2, 0, 'x')", no, dead)
        await post_action(actions, preview["id"], "confirm", token=preview["token"])
        made = await wait_for_operation(actions, preview["id"], state="finished")
        data, _ = await download(actions, made)
        assert len(data.splitlines()) == 3
        assert await pool.fetchval("SELECT count(*) FROM operation_files WHERE run = $1", dead) == 0

        other = await start_operation(actions, "export", selected(address(1)))
        await post_action(actions, other, "cancel")
        assert (await actions.http.get(f"/v1/operations/{other}/file")).status_code == 409
        await wait_for_operation(actions, other, state="cancelled")
        assert (await actions.http.get(f"/v1/operations/{other}/file")).status_code == 409
