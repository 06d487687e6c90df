"""Fingerprints of texts that no rule knows."""

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.verdict import classify
from returpost.contracts import Evidence
from services.classifier.domain.unknown_text_fingerprints import MAX_TEXT, fingerprint, unknown_text
from tests.classifier.handler_harness import RULES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.7.1 Wibble for ann@example.com at mx1.example.com", "550 5.7.1 wibble for <address> at <host>"),
        (
            "550 5.7.1 Wibble for <bob@xn--bcher-kva.example> at mx2.example.net",
            "550 5.7.1 wibble for <address> at <host>",
        ),
        ("554 wobble from 192.0.2.17 [4f2a9c81e0d7]", "554 wobble from <ip> [<id>]"),
        ("554-wobble  from\r\n 2001:db8:0:1:1:1:1:1 [AA0112BBCC]", "554 wobble from <ip> [<id>]"),
        ("see https://example.com/e?x=17 or call 4711", "see <url> or call <number>"),
        ("Почтовый ящик 17 неведом", "почтовый ящик <number> неведом"),
        ("550 5.0.0", None),
        ("", None),
        ("550 <ann@example.com>", None),
    ],
)
def test_fingerprint_replaces_variable_parts(text: str, expected: str | None) -> None:
    found = fingerprint(text)
    assert (found and found.text) == expected


@given(st.text(max_size=3_000))
def test_fingerprint_of_any_text_is_short(text: str) -> None:
    found = fingerprint(text)
    assert found is None or (0 < len(found.text) <= MAX_TEXT and len(found.fingerprint) == 16)


@given(st.emails(), st.emails(), st.integers(0, 10**12), st.integers(0, 10**12))
def test_fingerprint_ignores_addresses_and_numbers(one: str, other: str, n: int, m: int) -> None:
    first, second = (fingerprint(f"550 zork {address} ref {number}") for address, number in ((one, n), (other, m)))
    assert first is not None
    assert second is not None
    if len(str(n)) == len(str(m)) and "'" not in one + other and '"' not in one + other:
        assert first.text.startswith("550 zork <address> ref <")


def test_unknown_text_is_none_when_a_rule_knows_it() -> None:
    known = Evidence(reply_code=550, diagnostic="550 5.1.1 user unknown")
    strange = Evidence(reply_code=550, diagnostic="550 the flux is out of joint")
    assert unknown_text(known, classify(known, RULES.shared)) is None
    found = unknown_text(strange, classify(strange, RULES.shared))
    assert found is not None
    assert found.text == "550 the flux is out of joint"


def test_unknown_text_includes_guesses() -> None:
    guessed = Evidence(reply_code=550, diagnostic="550 Mailbox capacity exhausted")
    verdict = classify(guessed, RULES.shared)
    assert (verdict.rule, verdict.reason) == ("fallback.full", "mailbox_full")
    assert unknown_text(guessed, verdict) is not None
