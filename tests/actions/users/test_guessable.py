"""Passwords that a guesser tries first are refused; what nobody would guess is not asked for anything more."""

import string

import pytest
from hypothesis import given, strategies as st

from returpost.errors import InvalidMessage
from services.actions.users.domain import hashed
from services.actions.users.guessable import MIN_STRENGTH, strength


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "Passw0rd2024", "passwordpassword", "PASSORD123456", "123456789012", "qwertyuiop123",
        "aaaaaaaaaaaaaaaa", "abcabcabcabc", "Velkommen2026!", "letmeinletmein", "iloveyou1234", "1q2w3e4r5t6y",
        "qazwsxedcrfv", "Summer2025!!", "adminadmin12", "returpost2026", "ola.nordmann1", "acme-password",
        "asdfghjkl123", "zxcvbnm12345", "P@ssw0rd!!!!", "abcdefghijkl",
    ],
)  # fmt: skip
def test_what_a_guesser_tries_first_is_refused(password: str) -> None:
    with pytest.raises(InvalidMessage, match="password: too easy to guess"):
        hashed(password, ("ola.nordmann", "acme"))


@pytest.mark.parametrize(
    "password", ["correct horse battery", "gulrot-traktor-måke", "kX93!vTq0zRb", "vi spiste fisk", "a long walk home"]
)
def test_what_nobody_would_guess_is_taken(password: str) -> None:
    assert hashed(password, ("ola.nordmann", "acme"))


@given(st.text(string.ascii_lowercase, min_size=3, max_size=12), st.integers(1, 9))
def test_saying_it_again_adds_nothing(word: str, times: int) -> None:
    assert strength(word * times, [word]) <= strength(word, [word]) == 1


@given(st.lists(st.sampled_from(["password", "welcome", "2026", "qwertyuiop", "1234567"]), min_size=1, max_size=12))
def test_five_known_pieces_are_too_few_in_any_order_and_number(pieces: list[str]) -> None:
    assert strength("".join(pieces)) < MIN_STRENGTH
