"""A message to Microsoft Teams: an Adaptive Card, as workflows take it that post to a channel when a webhook is called.

https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook and
https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-format: Markdown is read in
a TextBlock and in facts, and not in the runs of a RichTextBlock, which is all that is used here.
"""

from typing import Any, Final

import orjson

from services.alerts.domain.wording import Paragraph, Words, severity_word

COLOURS: Final = {"info": "Default", "warning": "Warning", "critical": "Attention"}


def teams(words: Words) -> bytes:
    """Return the body of a message."""
    body = [_block(_run(words.title, size="Large", weight="Bolder", color=COLOURS[words.severity.value]))]
    for one in words.paragraphs:
        body += _paragraph(one, words)
    if words.more:
        body.append(_block(_run(words.more)))
    return _message(body)


def trial(title: str, text: str) -> bytes:
    """Return the body of a message that only tries out a channel."""
    return _message([_block(_run(title, weight="Bolder")), _block(_run(text))])


def _paragraph(one: Paragraph, words: Words) -> list[dict[str, Any]]:
    head = f"{severity_word(one.alert.severity, words.language)} · {one.when}"
    blocks = [_block(_run(one.title, weight="Bolder"))] if len(words.paragraphs) > 1 else []
    blocks += [_block(_run(one.text)), _block(_run(head, isSubtle=True, size="Small"))]
    if one.link:
        action = {"type": "Action.OpenUrl", "url": one.link}
        blocks.append(_block(_run(one.link, selectAction=action)))
    elif one.command:
        blocks.append(_block(_run(one.command, fontType="Monospace")))
    return blocks


def _block(run: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [run]}


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **look}


def _message(body: list[dict[str, Any]]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return orjson.dumps({"type": "message", "attachments": [attachment]})
