"""A signed return path tells mailing and recipient for certain, whatever MTAs do to its letters."""

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.addresses import MAX_LOCAL_OCTETS, key, normalise
from returpost.contracts.return_path import prove, return_path
from returpost.errors import InvalidAddress, InvalidSettings

KEY, OTHER = "a-key-of-return-paths-that-is-long-enough", "another-key-of-return-paths-that-is-long"
CASES = [
    ("a", "news-48", "ann@example.com"),
    ("a", "news-48", "Ann+tag=x@example.co.uk"),
    ("h", "autumn-campaign-2026", "a.rather.long.name@subdomain.example.com"),
    ("h", "news-48", "blå@example.com"),
    ("x", "Mailing With Spaces", "ann@example.com"),
    ("x", "a-mailing-whose-name-is-too-long-to-be-written", "ann@example.com"),
]


def path(mailing: str, recipient: str, **changes: str) -> str:
    given_: dict[str, str] = {"tenant": "acme", "domain": "bounces.example.com"} | changes
    return return_path(KEY, mailing=mailing, recipient=recipient, **given_)


@pytest.mark.parametrize(("form", "mailing", "recipient"), CASES)
@pytest.mark.parametrize("change", [str, str.lower, str.upper], ids=["as made", "lower", "upper"])
def test_what_was_signed_is_proven(form: str, mailing: str, recipient: str, change: type[str]) -> None:
    made = path(mailing, recipient)
    assert made.removeprefix("bounce+")[0] == form
    assert len(made.partition("@")[0]) <= MAX_LOCAL_OCTETS
    claim = prove(change(made), tenant="acme", keys=[OTHER, KEY])
    assert claim is not None
    assert claim.mailing_among(["other", mailing]) == mailing
    found = claim.recipient_among(["other@example.com", normalise(recipient)])
    assert found is not None
    assert key(found) == key(normalise(recipient))


@pytest.mark.parametrize(("form", "mailing", "recipient"), CASES)
def test_a_hash_is_of_nobody_else(form: str, mailing: str, recipient: str) -> None:
    claim = prove(path(mailing, recipient), tenant="acme", keys=[KEY])
    assert claim is not None
    others = ["other@example.com", "nn@example.com"]
    assert claim.recipient_among(others) == (normalise(recipient.lower()) if form == "a" else None)
    assert claim.mailing_among(["other"]) == (None if form == "x" else mailing)


@pytest.mark.parametrize(("form", "mailing", "recipient"), CASES)
def test_of_another_tenant_or_key_nothing_is_proven(form: str, mailing: str, recipient: str) -> None:
    made = path(mailing, recipient)
    assert prove(made, tenant="other", keys=[KEY]) is None
    assert prove(made, tenant="acme", keys=[OTHER]) is None
    assert prove(made, tenant="acme", keys=[]) is None


@pytest.mark.parametrize(("form", "mailing", "recipient"), CASES)
def test_no_letter_can_be_changed(form: str, mailing: str, recipient: str) -> None:
    made = path(mailing, recipient)
    local, _, domain = made.partition("@")
    for place in range(len("bounce+"), len(local)):
        for letter in "ab2z":
            changed = f"{local[:place]}{letter}{local[place + 1 :]}@{domain}"
            if changed != made:
                assert prove(changed, tenant="acme", keys=[KEY]) is None


@given(
    st.text(min_size=1, max_size=200),
    st.from_regex(r"[a-zA-Z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@([a-z0-9]{1,20}\.){1,6}[a-z]{2,10}", fullmatch=True),
)
def test_every_mailing_and_recipient_has_a_return_path(mailing: str, recipient: str) -> None:
    made = path(mailing, recipient)
    assert normalise(made) == made
    assert len(made.partition("@")[0]) <= MAX_LOCAL_OCTETS
    claim = prove(made, tenant="acme", keys=[KEY])
    assert claim is not None
    assert claim.mailing_among([mailing]) == mailing
    assert key(str(claim.recipient_among([recipient]))) == key(recipient)


@given(st.text(max_size=100))
def test_nothing_else_is_proven(text: str) -> None:
    assert prove(text, tenant="acme", keys=[KEY]) is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"recipient": "nobody"}, InvalidAddress),
        ({"domain": "no domain"}, InvalidAddress),
        ({"prefix": "x" * 30}, InvalidSettings),
        ({"prefix": "no+prefix"}, InvalidSettings),
    ],
)
def test_what_cannot_be_made_is_said(changes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        path(**({"mailing": "Mailing 1", "recipient": "ann@example.com"} | changes))
    with pytest.raises(InvalidSettings):
        return_path("short", tenant="acme", mailing="m", recipient="a@example.com", domain="example.com")
