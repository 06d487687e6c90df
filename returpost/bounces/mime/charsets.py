"""Bytes of any charset to text. Whatever the bytes are, the answer is text without NUL, and never an error."""

import binascii
import codecs
import re
from functools import lru_cache

import re2

# Only charsets of mail: Python's other codecs are no charsets, or need quadratic time (punycode, idna).
_KNOWN = re2.compile(
    r"(?:ascii|utf-(?:8|16|16-le|16-be|32|7)|iso8859-\d+|cp\d+|koi8-[rtu]|iso2022_[a-z0-9_]+|shift_jis\w*|euc_\w+"
    r"|gb2312|gbk|gb18030|hz|big5\w*|johab|tis-620|mac-\w+)"
)
_JAPANESE = ("iso2022_jp", "euc_jp", "shift_jis", "cp932")
_OTHERWISE = ("utf-7", "hz", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
"""Charsets in which the octets of ASCII mean something else."""
# Each repeat ends at the first question mark, or is bounded: linear though it is not RE2, which costs more a call.
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"\?=\s{1,200}=\?")


@lru_cache(maxsize=512)
def _codec(charset: str) -> str | None:
    name = charset.strip().strip("\"'").lower().partition("*")[0]
    if not name.isascii() or len(name) > 60:
        return None
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return found if _KNOWN.fullmatch(found) else None


def decode(data: bytes, charset: str = "") -> str:
    """Return the text of the bytes: by the declared charset when it fits, else by what they look like."""
    declared = _codec(charset) if charset else None
    if data.isascii() and declared not in _OTHERWISE and b"\x1b" not in data:
        return data.decode("ascii").replace("\x00", "")
    if b"\x1b$" in data or b"\x1b(" in data:
        return data.decode("iso2022_jp_ext", "replace").replace("\x00", "")
    candidates = [declared] if declared and declared not in ("ascii", "utf-8") else []
    candidates.append("utf-8")
    if declared and declared.startswith(_JAPANESE):
        candidates += ["euc_jp", "cp932"]
    for candidate in candidates:
        try:
            return data.decode(candidate).replace("\x00", "")
        except (UnicodeError, ValueError):
            continue
    return data.decode(declared if declared and declared.startswith(_JAPANESE) else "latin-1", "replace").replace(
        "\x00", ""
    )


def unquote(data: bytes) -> bytes:
    """Undo quoted-printable (RFC 2045 section 6.7); what is no valid escape stays."""
    return binascii.a2b_qp(data)


def unbase64(data: bytes) -> bytes:
    """Undo base64 (RFC 2045 section 6.8); returns what can be decoded."""
    kept = data.translate(None, delete=b" \t\r\n")
    kept = kept[: len(kept) - len(kept) % 4]
    try:
        return binascii.a2b_base64(kept)
    except binascii.Error:
        return data


def header_text(value: str) -> str:
    """Undo the encoded words of a header (RFC 2047)."""
    if "=?" not in value:
        return value
    return _WORD.sub(_word, _BETWEEN_WORDS.sub("?==?", value))


def _word(found: "re.Match[str]") -> str:
    charset, encoding, text = found[1], found[2], found[3].encode("utf-8", "replace")
    data = unbase64(text + b"==") if encoding in "bB" else unquote(text.replace(b"_", b" "))
    return decode(data, charset)
