"""Passwords that a guesser tries first: common words, keyboard walks, repeats, and what belongs to the user or to here.

NIST SP 800-63B section 5.1.1.2 asks for this, and for no rule about kinds of characters.
"""

import re
from collections.abc import Iterable

MIN_STRENGTH = 6
"""A character that belongs to nothing known counts as one, and so does each different known piece."""
MIN_RUN = 4
"""Characters in a row of a keyboard or of the alphabet that are one piece."""

_ROWS = (
    "abcdefghijklmnopqrstuvwxyzæøå", "01234567890", "qwertyuiopå", "asdfghjkløæ", "zxcvbnm", "qazwsxedcrfvtgbyhnujmik",
    "1qaz2wsx3edc4rfv5tgb", "1q2w3e4r5t6y7u8i9o0p", "azertyuiop", "qwertzuiop",
)  # fmt: skip
_RUNS = frozenset(row[i : i + MIN_RUN] for each in _ROWS for row in (each, each[::-1]) for i in range(len(row) - 3))
_LOOKS_LIKE = str.maketrans("013457@$!€", "oleastasie")
"""Digits and signs that stand for a letter."""
_COMMON = """
access admin administrator anders andreas apple april august autumn baseball batman bergen blink boss bounce
changeme chelsea computer console cookie crm daniel december default demo dragon elsker elskerdeg email februar
february football fotball freedom friday god guest haakon hallo hannah heisann hello hemmelig høst iloveyou
internet ja jan january jeg johan jordan juli july june juni killer konge letmein liverpool login lov love
lovely mail manchester mandag march mars master michael monday monkey mother mustang my nei new ninja norge
norway november ny october oktober oslo pass passe passord passphrase password passwort please pokemon princess
qwerty root secret sendmail september server shadow sjef sommer sommeren starwars summer sunday sunshine
superman supporter system test tester testing the thomas trondheim trustno user velkommen vinter vår welcome
winter with work xbox you your zxcvbn
"""
_WORDS = frozenset(_COMMON.split())
_LONGEST = max(map(len, _WORDS))
_YEAR = re.compile(r"(?:19|20)\d\d")


def strength(password: str, known: Iterable[str] = ()) -> int:
    """Return how many pieces a password is made of; `known` are further words: the user's name, the tenant's.

    The order of pieces and what is said twice do not count, for a guesser tries both.
    """
    text = password.lower()
    words = _WORDS | {word for one in known for word in re.findall(r"\w{3,}", one.lower())} | {"returpost"}
    longest = max(_LONGEST, *map(len, words))
    plain = text.translate(_LOOKS_LIKE)
    pieces: set[str] = set()
    place = 0
    while place < len(text):
        piece = _piece_at(text, plain, place, words, longest)
        pieces.add(piece)
        place += len(piece)
    return len(pieces)


def _piece_at(text: str, plain: str, place: int, words: frozenset[str], longest: int) -> str:
    """Return the longest piece that begins here: a run, a year, a word, else one character."""
    end = place + 1
    if text[place : place + MIN_RUN] in _RUNS:
        end = place + MIN_RUN
        while text[end - MIN_RUN + 1 : end + 1] in _RUNS and end < len(text):
            end += 1
    elif year := _YEAR.match(text, place):
        end = year.end()
    for size in range(min(longest, len(text) - place), end - place, -1):
        if text[place : place + size] in words or plain[place : place + size] in words:
            return text[place : place + size]
    return text[place:end]
