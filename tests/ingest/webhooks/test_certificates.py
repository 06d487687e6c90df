"""Whose certificate SNS signs with: chains that OpenSSL has made, right ones and wrong ones."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.x509 import load_pem_x509_certificates

from returpost.bounces.providers import PROVIDERS
from returpost.bounces.providers.authentication import SnsSignature
from returpost.bounces.providers.clouds.ses import certificate_names
from returpost.errors import InvalidSettings, Unavailable
from services.ingest.webhooks.certificates import certificates, issuer_address, roots_in, verify_chain
from services.ingest.webhooks.http import MAX_CERTIFICATES, Webhooks
from services.ingest.webhooks.settings import webhook_settings
from tests.ingest.webhooks.test_signatures import openssl, refusal

SCHEME = cast("SnsSignature", PROVIDERS["ses"].authentication)
ISSUERS = SCHEME.issuers
URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
ISSUER = "http://crt.r2m01.amazontrust.com/r2m01.cer"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
    "extendedKeyUsage=serverAuth,clientAuth\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
)


@dataclass(frozen=True)
class Authority:
    """A certificate with its key."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def pem(self) -> bytes:
        return self.path.read_bytes()

    @property
    def der(self) -> bytes:
        return openssl("x509", "-in", str(self.path), "-outform", "DER")

    def issue(self, name: str, extensions: str, key: str | None = None, days: int = 30) -> "Authority":
        """Make the next one of the chain, for a key or a new one; it is its own issuer when its name is ours."""
        made, asked = Authority(self.folder, name), str(self.folder / f"{name}.csr")
        if key is None:
            key = str(self.folder / f"{name}.key")
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", asked)
        (self.folder / f"{name}.ext").write_text(extensions)
        issuer = ["-CA", str(self.path), "-CAkey", str(self.folder / f"{self.name}.key"), "-CAcreateserial"]
        if name == self.name:
            issuer = ["-signkey", key]
        more = ["-days", str(days), "-extfile", str(self.folder / f"{name}.ext"), "-out", str(made.path)]
        openssl("x509", "-req", "-sha256", "-in", asked, *issuer, *more)
        return made


def leaf(host: str, issuer: str = ISSUER) -> str:
    return f"{LEAF}subjectAltName=DNS:{host}\nauthorityInfoAccess=caIssuers;URI:{issuer}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    one = Authority(tmp_path_factory.mktemp("chain"), "root")
    return one.issue("root", CA)


@pytest.fixture(scope="module")
def between(root: Authority) -> Authority:
    return root.issue("between", CA + "authorityKeyIdentifier=keyid\n")


@pytest.fixture(scope="module")
def good(between: Authority) -> Authority:
    return between.issue("good", leaf("sns.amazonaws.com"))


def failure_of(pem: bytes, root: Authority, after: timedelta = timedelta()) -> str:
    """Return nothing, or why the chain is refused."""
    chain, now = certificates(pem), datetime.now(UTC) + after
    try:
        verify_chain(chain, load_pem_x509_certificates(root.pem), certificate_names(URL), now)
    except Exception as refused:  # noqa: BLE001 - told by its words
        return str(refused)
    return ""


def test_chains(root: Authority, between: Authority, good: Authority) -> None:
    whole = good.pem + between.pem
    assert failure_of(whole, root) == ""
    assert failure_of(whole + root.pem, root) == ""
    assert failure_of(good.pem, between) == ""  # an intermediate may be named as what is trusted
    no_root = "does not lead to a root"
    assert no_root in failure_of(good.pem, root)
    assert no_root in failure_of(whole, root, timedelta(days=31))
    assert no_root in failure_of(whole, root, timedelta(days=-1))
    short = between.issue("short", leaf("sns.amazonaws.com"), days=1)
    assert failure_of(short.pem + between.pem, root) == ""
    assert no_root in failure_of(short.pem + between.pem, root, timedelta(days=2))
    other = Authority(root.folder, "other").issue("other", CA)
    assert no_root in failure_of(whole, other)
    assert no_root in failure_of(between.pem.join((good.pem, b"")), other)
    alone = Authority(root.folder, "alone").issue("alone", leaf("sns.amazonaws.com"))
    assert no_root in failure_of(alone.pem, root)
    by_a_leaf = good.issue("by-a-leaf", leaf("sns.amazonaws.com"))
    assert no_root in failure_of(by_a_leaf.pem + whole, root)
    for host in ("sns.amazonaws.com.example.com", "www.example.com", "sns-signing.us-east-1.amazonaws.com"):
        wrong = between.issue(host, leaf(host))
        assert "the certificate is of none of" in failure_of(wrong.pem + between.pem, root)
    assert "the certificate is of none of" in failure_of(between.pem, root)
    own = between.issue("own", leaf("sns-signing.eu-west-1.amazonaws.com"))
    assert failure_of(own.pem + between.pem, root) == ""


def test_what_is_no_certificate() -> None:
    for body in (b"", b"none", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x82\xff"):
        assert refusal(lambda body=body: certificates(body)) == "certificate"  # type: ignore[misc]


def test_where_an_issuer_is_asked_for(root: Authority, between: Authority, good: Authority) -> None:
    roots = load_pem_x509_certificates(root.pem)
    alone, whole = certificates(good.pem), certificates(good.pem + between.pem)
    assert issuer_address(alone, roots, ISSUERS) == ISSUER
    assert issuer_address(whole, roots, ISSUERS) is None
    assert issuer_address(certificates(root.pem), (), ISSUERS) is None
    for strange in ("http://169.254.169.254/x.cer", "http://amazontrust.com.example.com/x.cer", "file:///etc/passwd"):
        one = between.issue("strange", leaf("sns.amazonaws.com", strange))
        assert issuer_address(certificates(one.pem), roots, ISSUERS) is None


def test_names() -> None:
    def names(region: str) -> list[str]:
        return certificate_names(f"https://sns.{region}/x.pem")

    assert "sns.amazonaws.com" in names("us-east-1.amazonaws.com")
    assert "sns-signing.af-south-1.amazonaws.com" in names("af-south-1.amazonaws.com")
    assert "sns-us-gov-west-1.amazonaws.com" in names("us-gov-east-1.amazonaws.com")
    assert "sns-cn-north-1.amazonaws.com.cn" in names("cn-north-1.amazonaws.com.cn")
    assert "sns.amazonaws.com" not in names("cn-north-1.amazonaws.com.cn")


def test_roots(tmp_path: Path, root: Authority) -> None:
    names = sorted(one.subject.rfc4514_string().partition(",")[0] for one in roots_in("", SCHEME.roots))
    assert names == [
        *(f"CN=Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "CN=Starfield Services Root Certificate Authority - G2",
    ]
    assert len(roots_in(str(root.path), SCHEME.roots)) == 1
    (tmp_path / "empty").write_text("nothing")
    for path in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(InvalidSettings, match="_ROOTS"):
            roots_in(str(path), SCHEME.roots)


@pytest.mark.anyio
async def test_the_issuer_is_fetched_and_a_certificate_only_once(
    root: Authority, between: Authority, good: Authority
) -> None:
    asked: list[str] = []

    async def answered(url: str) -> bytes:
        asked.append(url)
        return between.der if url == ISSUER else good.pem

    webhooks = Webhooks(webhook_settings(ses_roots=str(root.path)), fetch=answered)
    for _ in range(2):
        assert await webhooks.certificate("ses", URL) == certificates(good.pem)[0]
    assert asked == [URL, ISSUER]
    for number in range(MAX_CERTIFICATES):
        await webhooks.certificate("ses", URL.replace("-1.pem", f"-{number + 2}.pem"))
    assert len(webhooks.certificates) == 1


@pytest.mark.anyio
async def test_what_cannot_be_had_is_tried_again(root: Authority, good: Authority) -> None:
    async def answered(url: str) -> bytes:
        if url == ISSUER:
            raise Unavailable("away")
        return good.pem

    webhooks = Webhooks(webhook_settings(ses_roots=str(root.path)), fetch=answered)
    with pytest.raises(Unavailable):
        await webhooks.certificate("ses", URL)
    assert not webhooks.certificates
