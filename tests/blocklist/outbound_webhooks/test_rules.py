"""Signatures, pauses, and where webhooks may go: without a network."""

import base64
import hmac
import ipaddress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from services.blocklist.outbound_webhooks.schedule import PAUSES, Again, Delivered, Disable, Skip, decide
from shared.outbound import signing
from shared.outbound.answer import Answer
from shared.outbound.ssrf_guard import AllowedDestinations, Forbidden

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, computed by hand."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_at_once() -> None:
    first, second = signing.new_secret(), signing.new_secret()
    headers = signing.headers("msg_1", 5, b"[]", [first, second])
    for secret, signature in zip((first, second), headers["webhook-signature"].split(), strict=True):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        assert 24 <= len(raw) <= 64
        assert signature == "v1," + base64.b64encode(hmac.digest(raw, b"msg_1.5.[]", sha256)).decode()


def test_pauses_grow_over_three_days_and_then_it_ends() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert timedelta(days=3) < sum(PAUSES, timedelta()) < timedelta(days=4)
    for attempts, pause in enumerate(PAUSES, 1):
        early, late = (decide(attempts, Answer(500), NOW, chance) for chance in (0.0, 1.0))
        assert isinstance(early, Again)
        assert isinstance(late, Again)
        assert (early.at - NOW) / pause == pytest.approx(0.9)
        assert (late.at - NOW) / pause == pytest.approx(1.1)
    ended = decide(len(PAUSES) + 1, Answer(500, "HTTP 500"), NOW, 0.5)
    assert isinstance(ended, Skip)
    assert "HTTP 500" in ended.why
    second = decide(len(PAUSES) + 1, Answer(500, "HTTP 500"), NOW, 0.5, skipped=True)
    assert isinstance(second, Disable)
    assert "HTTP 500" in second.why


@pytest.mark.parametrize("status", [200, 202, 204])
def test_what_is_delivered(status: int) -> None:
    assert decide(1, Answer(status), NOW, 0.5) == Delivered()


@pytest.mark.parametrize("status", [0, 301, 400, 401, 404, 429, 500, 503])
def test_what_is_tried_again(status: int) -> None:
    assert isinstance(decide(1, Answer(status), NOW, 0.5), Again)


def test_gone_is_believed_at_once_and_a_wish_is_heeded_within_reason() -> None:
    assert isinstance(decide(1, Answer(410), NOW, 0.5), Disable)
    assert decide(1, Answer(503, retry_after=timedelta(hours=1)), NOW, 0.5) == Again(NOW + timedelta(hours=1))
    assert decide(1, Answer(503, retry_after=timedelta(days=900)), NOW, 0.5) == Again(NOW + timedelta(days=1))


PRIVATE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1 "
    "198.18.0.1 192.0.2.1 ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 "
    "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a00:1::"
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_no_address_inside_a_network(address: str) -> None:
    public = ipaddress.ip_address("9.9.9.9")
    with pytest.raises(Forbidden):
        AllowedDestinations().check_addresses([public, ipaddress.ip_address(address)])


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9"])
def test_public_addresses(address: str) -> None:
    AllowedDestinations().check_addresses([ipaddress.ip_address(address)])


def test_a_network_that_is_allowed_and_no_other() -> None:
    rules = AllowedDestinations([ipaddress.ip_network("10.1.2.0/24")])
    rules.check_addresses([ipaddress.ip_address("10.1.2.3")])
    with pytest.raises(Forbidden):
        rules.check_addresses([ipaddress.ip_address("10.1.3.3")])


@pytest.mark.parametrize(
    "url",
    ["http://crm.example/", "ftp://crm.example/", "https://", "https:///x", "https://u:p@crm.example/", "crm.example",
     "https://crm.example/#x", "https://crm.example:99999/", "https://crm.example/ x", "https://[::1/", "file:///etc",
     f"https://crm.example/{'x' * 2_000}", "https://crm.example/\r\nX: y", "https://cr\u00e6m.example/"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        AllowedDestinations().check_url(url)


def test_urls_that_are_taken() -> None:
    assert AllowedDestinations().check_url("https://crm.example/hook?key=1") == ("crm.example", 443)
    assert AllowedDestinations(plain_http=True).check_url("http://crm.example:8080") == ("crm.example", 8080)
