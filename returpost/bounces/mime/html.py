"""Text of HTML, as far as notices need it."""

import html

import re2

_LINE_TAG = re2.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6]|/td|/th|hr)\b[^>]*>")
_HIDDEN = re2.compile(r"(?is)<(?:style|script|head)\b.*?</(?:style|script|head)>|<!--.*?-->")
_TAG = re2.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^>]*)?/?>")


def text_of(markup: str) -> str:
    """Return the text of HTML: no tags, a line for each block. An address in angle brackets is no tag."""
    return html.unescape(_TAG.sub("", _LINE_TAG.sub("\n", _HIDDEN.sub("", markup))))
