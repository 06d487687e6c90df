"""How names are sorted and found: whatever the case and the accents, in the order of a Norwegian list."""

import unicodedata
from collections.abc import Iterable

MAX_KEY = 200
"""Characters that names are told apart by in sorted lists: an entry of an index has to fit a third of a page."""
MAX_WORDS = 40

_APART = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})
_LAST = str.maketrans({"æ": "~a", "ä": "~a", "ø": "~b", "ö": "~b", "å": "~c"})
"""The letters after z, in their order; a tilde comes after z in the C collation."""


def folded(text: str) -> str:
    """Return the text as it is searched: without case and accents, its words parted by single spaces."""
    lowered = unicodedata.normalize("NFKC", text).casefold().translate(_APART)
    return " ".join(_bare(lowered).split())


def order_key(text: str | None) -> str | None:
    """Return what a name is sorted by: æ, ø and å last, other accents as their letters. Nothing for an empty name."""
    if not text or not text.strip():
        return None
    lowered = unicodedata.normalize("NFKC", text).casefold().translate(_LAST)
    return " ".join(_bare(lowered).split())[:MAX_KEY]


def search_words(tenant: str, texts: Iterable[str | None]) -> list[str]:
    """Return the words of the texts, each with its tenant before it: what a contact is found by in an index."""
    found = {word for text in texts if text for word in folded(text).split()}
    return [f"{tenant}/{word}" for word in sorted(found)[:MAX_WORDS]]


def search_query(tenant: str, asked: str) -> str | None:
    """Return the tsquery for texts that have a word that begins with each of the words asked for; none without words.

    Every lexeme is quoted (https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY).
    """
    found = [f"{tenant}/{word}".replace("\\", "\\\\").replace("'", "''") for word in folded(asked).split()]
    return " & ".join(f"'{word}':*" for word in found[:MAX_WORDS]) or None


def _bare(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
