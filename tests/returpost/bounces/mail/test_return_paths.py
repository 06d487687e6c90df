"""The address that a report was sent to tells for certain which mailing and recipient it is of."""

import pytest

from returpost.bounces import ParsedMail, ReturnPaths, parse
from returpost.bounces.return_paths import VERP, checked
from returpost.client import return_path
from returpost.contracts import RecipientSource
from returpost.errors import InvalidSettings
from services.ingest.settings import Settings

KEY, NEXT = "a-key-of-return-paths-that-is-long-enough", "the-next-key-of-return-paths-of-this-sender"
PATHS = ReturnPaths("acme", (NEXT, KEY))
RECIPIENT = "old.name.of.somebody@subsidiary.example.net"


def report(to: str, original: str = "", final: str = "Final-Recipient: rfc822; new@example.org\n") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.org\nTo: {to}\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        f"{final}Action: failed\nStatus: 5.1.1\n"
        f"--b\nContent-Type: message/rfc822\n\nFrom: news@example.com\n{original}\n--b--\n"
    ).encode()


def told(mail: ParsedMail) -> tuple[str | None, str, bool]:
    return mail.mailing, mail.reports[0].recipient, mail.proven


def signed(mailing: str, recipient: str = RECIPIENT, tenant: str = "acme") -> str:
    return return_path(KEY, tenant=tenant, mailing=mailing, recipient=recipient, domain="news.example.com")


@pytest.mark.parametrize("by_smtp", [False, True])
def test_a_signed_path_outranks_what_the_report_says(by_smtp: bool) -> None:
    path = signed("m-1", "bob@example.net").upper()
    body = report("postmaster@example.com" if by_smtp else path, "X-Returpost-Mailing: another\n")
    assert told(parse(body, PATHS, (path,) if by_smtp else ())) == ("m-1", "bob@example.net", True)
    assert parse(body, PATHS, (path,)).reports[0].evidence.final_recipient == "new@example.org"


def test_what_is_told_by_a_hash_is_found_in_the_returned_message() -> None:
    body = report(signed("spring-campaign-2026"), f"To: {RECIPIENT}\n")
    assert told(parse(body, PATHS)) == ("spring-campaign-2026", RECIPIENT, True)
    body = report(signed("Spring Campaign"), f"To: {RECIPIENT}\nX-Returpost-Mailing: Spring Campaign\n")
    assert told(parse(body, PATHS)) == ("Spring Campaign", RECIPIENT, True)


def test_a_hash_of_somebody_who_is_not_named_proves_the_mailing_alone() -> None:
    assert told(parse(report(signed("spring-campaign-2026")), PATHS)) == (
        "spring-campaign-2026",
        "new@example.org",
        False,
    )


@pytest.mark.parametrize("paths", [ReturnPaths("other", (KEY,)), ReturnPaths("acme", (NEXT,)), ReturnPaths("acme")])
def test_a_signature_that_is_none_of_ours_proves_nothing(paths: ReturnPaths) -> None:
    assert told(parse(report(signed("m-1", "bob@example.net")), paths)) == (None, "new@example.org", False)


@pytest.mark.parametrize(
    ("to", "mailing", "recipient"),
    [
        ("bounces+spring-7+bob=example.net@example.com", "spring-7", "bob@example.net"),
        ("bounces+bob=example.net@example.com", None, "bob@example.net"),
        ("news-bounces+bob.b=example.net@example.com", None, "bob.b@example.net"),
        ("owner-news+bob=example.net@example.com", None, "bob@example.net"),
        ("news-return-48-bob=example.net@example.com", "48", "bob@example.net"),
        ("prvs=0123456789=bounces+bob=example.net@example.com", None, "bob@example.net"),
    ],
)
def test_verp_is_a_guess_when_nothing_else_names_anybody(to: str, mailing: str | None, recipient: str) -> None:
    mail = parse(report(to, final=""))
    assert told(mail) == (mailing, recipient, False)
    assert mail.reports[0].evidence.recipient_source is RecipientSource.VERP
    assert mail.reports[0].evidence.guessed


@pytest.mark.parametrize(
    "to",
    [
        "bounces+spring-7+bob=example.net@example.com",
        "bounce-589-120-new=example.org@example.com",
        "SRS0=HHH=TT=example.net=bob@forwarder.example",
        "bob=example.net@example.com",
        "e=mc2@example.com",
    ],
)
def test_verp_never_overrides_a_field(to: str) -> None:
    (found,) = parse(report(to)).reports
    assert (found.recipient, found.evidence.recipient_source) == ("new@example.org", RecipientSource.FINAL_RECIPIENT)


def test_verp_and_returned_message_together_tell_who_was_mailed() -> None:
    (found,) = parse(report("bounces+bob=example.net@example.com", "To: Bob <bob@example.net>\n")).reports
    assert (found.recipient, found.evidence.final_recipient) == ("bob@example.net", "new@example.org")
    assert found.evidence.guessed


def test_verp_leaves_the_number_of_a_mailing_out_of_the_name() -> None:
    body = report("bounce-589-120-ann=example.org@example.com", "To: ann@example.org\n", final="")
    assert parse(body).reports[0].recipient == "ann@example.org"


def test_verp_of_ones_own_goes_before_the_usual() -> None:
    settings = Settings(verp_patterns=r"b\.(?P<mailing>\d+)\.(?P<local>.+)\.at\.(?P<domain>[a-z0-9.-]+)")
    paths = settings.return_paths().of("acme")
    assert told(parse(report("b.7.bob.at.example.net@example.com", final=""), paths)) == ("7", "bob@example.net", False)
    assert told(parse(report("bounces+x=example.net@example.com", final=""), paths)) == (None, "x@example.net", False)


@pytest.mark.parametrize("pattern", ["(", "(?P<local>x)", "x"])
def test_a_pattern_that_cannot_be_is_refused_at_the_start(pattern: str) -> None:
    with pytest.raises(InvalidSettings, match="VERP"):
        Settings(verp_patterns=pattern).return_paths()


def test_keys_are_checked_at_the_start() -> None:
    with pytest.raises(InvalidSettings, match="32"):
        Settings.model_validate({"return_path_keys": f"{KEY},short"}).return_paths()
    assert Settings.model_validate({"return_path_keys": f"{KEY}, {NEXT}"}).return_paths().keys == (KEY, NEXT)
    assert checked(VERP) == VERP
