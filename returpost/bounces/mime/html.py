"""Text of HTML, as far as notices need it."""

import html
import re

import re2

# A tag ends before the next one begins, so these take time in proportion to the text though they are not RE2.
_LINE_TAG = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/td|/th|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,40}(?:\s[^<>]*)?/?>")
_HIDDEN = re2.compile(r"(?is)<(?:style|script|head)\b.*?</(?:style|script|head)>|<!--.*?-->")


def text_of(markup: str) -> str:
    """Return the text of HTML: no tags, a line for each block. An address in angle brackets is no tag."""
    lowered = markup.lower()
    if "<!--" in lowered or "</style" in lowered or "</script" in lowered or "</head" in lowered:
        markup = _HIDDEN.sub("", markup)
    return html.unescape(_TAG.sub("", _LINE_TAG.sub("\n", markup)))
