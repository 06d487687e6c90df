"""The structure of a mail (RFC 5322, RFC 2045, RFC 2046), as far as reports need it.

Made for mail that may be broken or hostile: it never raises, looks at a bounded number of bytes, parts and levels,
and reads a returned message only when it is asked for. A part keeps its bytes; text is made when it is looked at.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from returpost.bounces.mime import charsets

MAX_BYTES = 2 * 1024 * 1024
"""Of a mail; a report comes before the message that it returns, so what is cut is the end of that."""
MAX_HEAD = 128 * 1024
MAX_DEPTH = 8
MAX_PARTS = 64
MAX_DELIMITERS = 4_096
"""Of a multipart, those of the multiparts within it included."""
MAX_TEXT = 1024 * 1024
"""Bytes of a text part that are read: the report on 10,000 recipients is as long."""
MAX_SNIFFED = 64 * 1024
"""Bytes in which parts are looked for that no header declares."""

MAX_VALUES = 64
"""Of fields of one name."""

Headers = Mapping[str, Sequence[str]]
"""By lower-case name, each the values in order, unfolded, not yet decoded."""

# Of one class and bounded: these take time in proportion to the text though they are not RE2, which costs more a call.
_FIELD = re.compile(r"^([!-9;-~]{1,100})[ \t]*:(.*)$", re.MULTILINE)
_IS_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
_PARAMETER = re.compile(r""";\s*([\w.*!#$%&'+^`{|}~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s;"]+))""")
_SNIFFED_BOUNDARY = re.compile(rb"^--(\S[^\n]{0,199})\ncontent-[^\n]*\n", re.IGNORECASE | re.MULTILINE)


_T = TypeVar("_T")


class lazy(Generic[_T]):  # noqa: N801 - it is used as `property` is
    """A property that is made once. `functools.cached_property` takes a lock each time, in Python 3.11."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, part: None, owner: type) -> "lazy[_T]": ...

    @overload
    def __get__(self, part: object, owner: type) -> _T: ...

    def __get__(self, part: Any, owner: type) -> Any:
        """Return what is made; it takes the place of this descriptor from then on."""
        if part is None:
            return self
        made = part.__dict__[self._name] = self._make(part)
        return made


@dataclass(eq=False)
class Part:
    """One part of a mail: `body` in its transfer encoding, `parts` of a multipart. Nothing changes it."""

    headers: Headers
    body: bytes
    parts: tuple["Part", ...] = ()
    depth: int = 0
    content_type: str = "text/plain"

    def header(self, name: str) -> str:
        """Return the first value of the header, its encoded words undone; empty when there is none."""
        values = self.headers.get(name)
        return charsets.header_text(values[0]) if values else ""

    @lazy
    def data(self) -> bytes:
        """The body without its transfer encoding."""
        encoding = self.headers.get("content-transfer-encoding", ("",))[0].strip().lower()
        if encoding == "quoted-printable":
            return charsets.unquote(self.body)
        return charsets.unbase64(self.body) if encoding == "base64" else self.body

    @lazy
    def text(self) -> str:
        """The body as text, at most `MAX_TEXT` bytes of it."""
        declared = self.headers.get("content-type", ("",))[0]
        charset = parameters(declared).get("charset", "") if "charset" in declared.lower() else ""
        return charsets.decode(lines(self.data[:MAX_TEXT]), charset)

    @lazy
    def message(self) -> "Part":
        """The message that a `message/rfc822` or a headers part holds."""
        return _part(lines(self.data), self.depth + 1, [MAX_PARTS])

    @lazy
    def message_headers(self) -> Headers:
        """The headers of that message alone, without its structure."""
        if "message" in self.__dict__:
            return self.message.headers
        return headers(charsets.decode(split_head(lines(self.data))[0]))

    @lazy
    def message_type(self) -> str:
        """The content type of that message."""
        return _content_type(self.message_headers)

    @lazy
    def _all(self) -> tuple["Part", ...]:
        return (self, *(inner for part in self.parts for inner in part._all))

    def walk(self) -> tuple["Part", ...]:
        """Return this part and those within, but not those of a message within."""
        return self._all


def read(mail: bytes) -> Part:
    """Return the mail's structure; leading mbox lines and blank lines are skipped."""
    data = lines(mail[:MAX_BYTES]).lstrip(b"\n \t\x00")
    for _ in range(3):  # a mail that was stored more than once has more than one
        if data.startswith((b"From ", b">From ")):
            data = data.partition(b"\n")[2]
    return _part(data, 0, [MAX_PARTS])


def lines(data: bytes) -> bytes:
    """Return the bytes with LF line ends, whichever they had."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def headers(head: str) -> Headers:
    """Return the fields of a header block, unfolded; lines that are no field are skipped (RFC 5322 section 2.2)."""
    found: dict[str, list[str]] = {}
    unfolded = head[:MAX_HEAD].replace("\n ", " ").replace("\n\t", " ")
    for name, value in _FIELD.findall(unfolded):
        lowered = name.lower()
        if (known := found.get(lowered)) is None:
            found[lowered] = [value.strip()]
        elif len(known) < MAX_VALUES:
            known.append(value.strip())
    return found


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of a header such as Content-Type (RFC 2045 section 5.1)."""
    if ";" not in value:
        return {}
    return {
        name.lower().rstrip("*"): (quoted or bare).replace("\\", "")
        for name, quoted, bare in _PARAMETER.findall(value[:4096])
    }


def split_head(data: bytes) -> tuple[bytes, bytes]:
    """Return header block and body; without an empty line all is header, unless it does not start as one."""
    if data.startswith(b"\n"):
        return b"", data[1:]
    head, _, body = data.partition(b"\n\n")
    if not _IS_FIELD.match(head):
        return b"", data
    return head[:MAX_HEAD], body


def _part(data: bytes, depth: int, left: list[int]) -> Part:
    head, body = split_head(data)
    fields = headers(charsets.decode(head))
    declared = fields.get("content-type", ("",))[0]
    content_type = _content_type(fields)
    parts: tuple[Part, ...] = ()
    if depth < MAX_DEPTH:
        multipart = content_type.startswith("multipart/")
        boundary = parameters(declared).get("boundary", "").encode() if multipart else b""
        parts = _split(body, boundary, depth, left) if boundary else ()
        if not parts and (multipart or _may_have_parts(body, content_type, depth)):
            sniffed = _SNIFFED_BOUNDARY.search(body[:MAX_SNIFFED])
            parts = _split(body, sniffed[1].strip(), depth, left) if sniffed else ()
    return Part(fields, body, parts, depth, content_type)


def _content_type(fields: Headers) -> str:
    return fields.get("content-type", ("",))[0].partition(";")[0].strip().lower() or "text/plain"


def _may_have_parts(body: bytes, content_type: str, depth: int) -> bool:
    """Say whether the body of what is declared as no multipart may be one."""
    if not depth and b"\n--" in body:
        return True
    return content_type == "text/plain" and b"message/delivery-status" in body[:MAX_SNIFFED].lower()


def _split(body: bytes, boundary: bytes, depth: int, left: list[int]) -> tuple[Part, ...]:
    delimiter = b"\n--" + boundary
    data = b"\n" + body
    found: list[Part] = []
    start = -1
    at = data.find(delimiter)
    for _ in range(MAX_DELIMITERS):
        if at < 0:
            break
        after = at + len(delimiter)
        closing = data.startswith(b"--", after)
        line_end = data.find(b"\n", after)
        rest = data[after : line_end if line_end >= 0 else len(data)].strip()
        if rest in (b"", b"--"):  # otherwise a longer boundary, of a multipart within
            if start >= 0:
                found.append(_part(data[start:at], depth + 1, left))
                left[0] -= 1
            start = line_end + 1 if line_end >= 0 and not closing else -1
            if start < 0 or left[0] <= 0:
                return tuple(found)
        at = data.find(delimiter, max(after - 1, line_end))
    if start >= 0:
        found.append(_part(data[start:], depth + 1, left))
        left[0] -= 1
    return tuple(found)
