"""What the bounce library says to whoever gives it something else than it takes."""

from pathlib import Path
from typing import Any

import pytest

from returpost.bounces import classify, normalize, parse


@pytest.mark.parametrize("wrong", ["From: a@example.com", None, Path("bounce.eml")])
def test_parse_asks_for_the_bytes_of_a_mail(wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes of a mail"):
        parse(wrong)


@pytest.mark.parametrize("wrong", [None, b"550 5.1.1 User unknown", parse(b"")])
def test_classify_asks_for_text_or_evidence(wrong: Any) -> None:
    with pytest.raises(TypeError, match="evidence of a report"):
        classify(wrong)


def test_an_unknown_provider_is_named_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"unknown provider 'postmrk'; supported: .*postmark"):
        normalize("postmrk", b"{}")
