"""Texts that no rule knows: what they have in common, and what not."""

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.verdict import classify
from returpost.contracts import Evidence
from services.classifier.templates import MAX_TEXT, template_of, unknown
from tests.classifier.handler_harness import RULES


@pytest.mark.parametrize(
    ("text", "template"),
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
def test_what_differs_is_taken_out(text: str, template: str | None) -> None:
    found = template_of(text)
    assert (found and found.text) == template


@given(st.text(max_size=3_000))
def test_any_text_has_a_short_template_without_addresses(text: str) -> None:
    found = template_of(text)
    assert found is None or (0 < len(found.text) <= MAX_TEXT and len(found.key) == 16)


@given(st.emails(), st.emails(), st.integers(0, 10**12), st.integers(0, 10**12))
def test_addresses_and_numbers_do_not_tell_texts_apart(one: str, other: str, n: int, m: int) -> None:
    first, second = (template_of(f"550 zork {address} ref {number}") for address, number in ((one, n), (other, m)))
    assert first is not None
    assert second is not None
    if len(str(n)) == len(str(m)) and "'" not in one + other and '"' not in one + other:
        assert first.text.startswith("550 zork <address> ref <")


def test_only_what_no_rule_knows_is_kept() -> None:
    known = Evidence(reply_code=550, diagnostic="550 5.1.1 user unknown")
    strange = Evidence(reply_code=550, diagnostic="550 the flux is out of joint")
    assert unknown(known, classify(known, RULES.shared)) is None
    found = unknown(strange, classify(strange, RULES.shared))
    assert found is not None
    assert found.text == "550 the flux is out of joint"


def test_what_is_guessed_is_kept_too() -> None:
    guessed = Evidence(reply_code=550, diagnostic="550 Mailbox capacity exhausted")
    verdict = classify(guessed, RULES.shared)
    assert (verdict.rule, verdict.reason) == ("fallback.full", "mailbox_full")
    assert unknown(guessed, verdict) is not None
