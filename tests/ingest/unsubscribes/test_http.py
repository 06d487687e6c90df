"""One-click links over HTTP: the button unsubscribes once; scanners, forgers and late ones change nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from returpost.contracts.unsubscribe_link import UnsubscribeLink, seal
from services.ingest.app import create
from services.ingest.settings import Settings
from services.ingest.unsubscribes.pages import language_of
from tests.ingest.probes import RECORDED, receive_events
from tests.support.harness import TENANT, Harness, RunningService

KEY = "k" * 32
FORM = "application/x-www-form-urlencoded"
ONE_CLICK = "List-Unsubscribe=One-Click"
PARTS = '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest", return_path_keys=KEY) as running:
        yield running


def token(key: str = KEY, days: float = 30) -> str:
    expires = datetime.now(UTC) + timedelta(days=days)
    return seal(key, UnsubscribeLink(TENANT, "Ann@example.com", "spring-7", "news", expires))


@pytest.mark.services
@pytest.mark.anyio
async def test_only_what_is_meant_unsubscribes_and_each_link_once(harness: Harness, ingest: RunningService) -> None:
    http, good = ingest.http, token()
    http.headers.pop("Authorization", None)

    async def post(path: str, body: str = ONE_CLICK, type_: str = FORM) -> tuple[int, str]:
        answer = await http.post(f"/u/{path}", content=body.encode(), headers={"Content-Type": type_})
        return answer.status_code, answer.text

    page = await http.get(f"/u/{good}", headers={"Accept-Language": "nn-NO,en;q=0.5"})
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "Meld meg av" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not [word for word in ("ann@", "Ann@", TENANT, "spring") if word in page.text]
    assert (await http.head(f"/u/{good}")).status_code in (200, 405)
    for body, type_ in (("", FORM), ("a=b", FORM), ("{}", "application/json"), ("List-Unsubscribe=Yes", FORM)):
        assert (await post(good, body, type_))[0] == 400
    wrong = [await post(each) for each in (token("o" * 32), token(days=-1), good[:-3], "a" * 5_000, "x")]
    assert {status for status, _ in wrong} == {404}
    assert len({text for _, text in wrong}) == 1

    assert (await post(good))[0] == 200
    (event,) = await receive_events(harness, RECORDED, 1)
    data = event["data"]
    assert (event["tenant"], data["address"], data["result"], data["stream"], data["mailing"]) == (
        TENANT, "Ann@example.com", "unsubscribed", "news", "spring-7",
    )  # fmt: skip
    assert (await post(good, PARTS, "multipart/form-data; boundary=x"))[0] == 200
    assert (await post(good, "confirm=yes"))[0] == 200
    again = await receive_events(harness, RECORDED, 2)
    assert {one["id"] for one in again} == {event["id"]}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("nb", "nb"), ("no-NO,en", "nb"), ("nn;q=0.9", "nb"), ("de,en;q=0.5,nb;q=0.1", "en"), ("sv", "en")],
)
def test_page_speaks_the_language_of_its_reader(accepted: str, language: str) -> None:
    assert language_of(accepted) == language
