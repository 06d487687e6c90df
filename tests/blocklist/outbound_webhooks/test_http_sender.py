"""One POST, to a real server: what comes of it, and where it never goes."""

import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.outbound import signing
from shared.outbound.answer import Answer
from shared.outbound.http_sender import HttpSender
from shared.outbound.ssrf_guard import AllowedDestinations
from tests.blocklist.outbound_webhooks.receiver import never, receiving

pytestmark = [pytest.mark.anyio]

LOCAL = AllowedDestinations([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")], plain_http=True)
SECRET = signing.new_secret()


async def post(
    url: str, rules: AllowedDestinations = LOCAL, seconds: float = 20.0, tls: ssl.SSLContext | None = None
) -> Answer:
    poster = HttpSender(rules, timedelta(seconds=seconds), tls)
    try:
        return await poster.post(url, "msg_1", b"[]", [SECRET])
    finally:
        await poster.close()


async def test_what_is_posted_can_be_verified() -> None:
    async with receiving() as receiver:
        answer = await post(f"{receiver.url}/hook?key=1")
        assert (answer.status, answer.problem) == (200, "")
        (got,) = receiver.posted
    assert got.body == b"[]"
    assert got.headers["content-type"] == "application/json"
    expected = signing.headers("msg_1", int(got.headers["webhook-timestamp"]), got.body, [SECRET])
    assert {name: got.headers[name] for name in expected} == expected


@pytest.mark.parametrize("status", [204, 400, 410, 500])
async def test_the_status_is_told(status: int) -> None:
    async with receiving() as receiver:
        receiver.answers = [status]
        answer = await post(f"{receiver.url}/hook")
    assert (answer.status, answer.good, bool(answer.problem)) == (status, status == 204, status != 204)


async def test_who_answers_late_or_without_end_or_not_at_all() -> None:
    async with receiving() as receiver:
        receiver.hold = never
        assert "no answer within" in (await post(f"{receiver.url}/hook", seconds=0.2)).problem
        assert (await post(f"{receiver.url}/flood")).status == 200
        gone = receiver.url
    assert (await post(f"{gone}/hook")).problem
    assert "does not resolve" in (await post("http://no-such-host.invalid/")).problem


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as inside, receiving() as receiver:
        receiver.answers, receiver.location = [307], f"{inside.url}/hook"
        answer = await post(f"{receiver.url}/hook")
    assert (answer.status, inside.posted) == (307, [])
    assert "redirects are not followed" in answer.problem


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0", "2130706433", "[::ffff:127.0.0.1]", "[::1]"])
async def test_nothing_inside_is_reached(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        answer = await post(f"http://{host}:{port}/hook", AllowedDestinations(plain_http=True))
    assert (answer.status, receiver.posted) == (0, [])
    assert "not public" in answer.problem


async def test_tls_is_checked_for_the_name_though_the_address_is_connected_to(tmp_path: Path) -> None:
    certificate = certificate_for("localhost", tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with receiving(server, "localhost") as receiver:
        assert (await post(f"{receiver.url}/hook", tls=trusting)).status == 200
        assert "CERTIFICATE" in (await post(f"{receiver.url}/hook")).problem
        other = receiver.url.replace("localhost", socket.gethostbyname("localhost"))
        assert "CERTIFICATE" in (await post(f"{other}/hook", tls=trusting)).problem
        assert len(receiver.posted) == 1


def certificate_for(host: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
