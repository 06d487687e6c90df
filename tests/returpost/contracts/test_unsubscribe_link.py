"""One-click links: what was sealed comes back, and nothing else does."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.unsubscribe_link import MAX_TOKEN, UnsubscribeLink, seal, unseal
from returpost.errors import InvalidSettings

KEY, OTHER = "k" * 32, "o" * 32
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
LINK = UnsubscribeLink("acme", "ann@example.com", "spring-7", "news", NOW + timedelta(days=30))
mailings = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=200)


@given(mailings, st.none() | st.just("news"), st.integers(1, 10**8))
def test_link_comes_back_as_it_was_sealed(mailing: str, stream: str | None, seconds: int) -> None:
    link = replace(LINK, mailing=mailing, stream=stream, expires=NOW + timedelta(seconds=seconds))
    token = seal(KEY, link)
    assert unseal(token, [OTHER, KEY], NOW) == link
    assert unseal(token, [OTHER], NOW) is None
    assert unseal(token, [KEY], link.expires) is None


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_link_with_any_octet_changed_is_none(place: int, mask: int) -> None:
    sealed = bytearray(urlsafe_b64decode(seal(KEY, LINK) + "=="))
    sealed[place % len(sealed)] ^= mask
    assert unseal(urlsafe_b64encode(sealed).decode().rstrip("="), [KEY], NOW) is None


@given(st.text(max_size=60) | st.text("abcdefgh-_", max_size=MAX_TOKEN + 9))
def test_link_that_nobody_made_is_none(token: str) -> None:
    assert unseal(token, [KEY], NOW) is None


def test_link_tells_nothing_to_who_has_no_key() -> None:
    sealed = urlsafe_b64decode(seal(KEY, LINK) + "==")
    for word in (b"acme", b"ann", b"example", b"spring", b"news"):
        assert word not in sealed
    assert seal(KEY, LINK) != seal(KEY, replace(LINK, address="bob@example.com"))
    assert seal(KEY, LINK) != seal(OTHER, LINK)


def test_key_of_links_has_a_length() -> None:
    with pytest.raises(InvalidSettings):
        seal("short", LINK)


def test_sealed_text_that_is_no_link_is_none() -> None:
    from returpost.contracts import unsubscribe_link

    wrong: list[Any] = [
        [],
        {},
        7,
        ["acme", "no address", "m", None, 9e9],
        ["acme", "a@b.no", "m", None, "soon"],
        [1] * 5,
    ]
    for values in wrong:
        text = json.dumps(values).encode()
        iv = unsubscribe_link._iv(KEY.encode(), text)
        token = urlsafe_b64encode(iv + unsubscribe_link._crypt(KEY.encode(), iv, text)).decode().rstrip("=")
        assert unseal(token, [KEY], NOW) is None
