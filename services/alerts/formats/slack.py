"""A message to Slack: blocks of plain and rich text, in which nothing of the content is read as markup.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/reference/block-kit/blocks
"""

from typing import Any, Final

import orjson

from services.alerts.domain.wording import Paragraph, Words, severity_word

MAX_HEADER: Final = 150
MAX_SECTION: Final = 3_000
PICTURES: Final = {"info": "ℹ️", "warning": "⚠️", "critical": "🔴"}


def slack(words: Words) -> bytes:
    """Return the body of a message."""
    blocks = [_header(words)]
    for one in words.paragraphs:
        blocks += _paragraph(one, words)
    if words.more:
        blocks.append(_plain(words.more))
    return orjson.dumps({"text": escaped(words.title), "blocks": blocks})


def trial(title: str, text: str) -> bytes:
    """Return the body of a message that only tries out a channel."""
    return orjson.dumps({"text": escaped(title), "blocks": [_plain(f"{title}\n{text}")]})


def escaped(text: str) -> str:
    """Return a text in which nothing is a link, a mention or an entity: the three characters that Slack wants escaped.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(words: Words) -> dict[str, Any]:
    return {"type": "header", "text": _text(f"{PICTURES[words.severity.value]} {words.title}"[:MAX_HEADER])}


def _paragraph(one: Paragraph, words: Words) -> list[dict[str, Any]]:
    head = f"{severity_word(one.alert.severity, words.language)} · {one.when}"
    title = f"{one.title}\n" if len(words.paragraphs) > 1 else ""
    blocks = [_plain(f"{title}{one.text}\n{head}")]
    if one.link:
        blocks.append(_rich("rich_text_section", {"type": "link", "url": one.link, "text": one.link}))
    elif one.command:
        blocks.append(_rich("rich_text_preformatted", {"type": "text", "text": one.command}))
    return blocks


def _plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text[:MAX_SECTION])}


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich(kind: str, element: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": [element]}]}
