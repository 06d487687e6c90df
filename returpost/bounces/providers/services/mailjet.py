"""Mailjet. https://dev.mailjet.com/email/guides/webhooks/

It numbers no events, so ids are made from the content.
"""

from collections.abc import Iterator

from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    Item,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result

_KINDS: dict[str, Result | None] = {
    "sent": Result.DELIVERED,
    "bounce": Result.BOUNCED,
    "blocked": Result.BOUNCED,
    "spam": Result.COMPLAINED,
    "unsub": Result.UNSUBSCRIBED,
    "open": Result.OPENED,
    "click": None,
}
_ON_A_LIST = ("preblocked", "blacklisted", "spam reporter")
"""Errors that repeat what Mailjet knew of the address before."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. `sent` means that the recipient's server has taken the message; a greylisted one is
    tried again; a second copy of a message in a campaign is not sent, which says nothing of the address.
    """
    kind, error = event.get("event"), text_of(event.get("error")).lower()
    result = known_kind(_KINDS, kind)
    if result is None or error == "duplicate in campaign":
        yield Ignored(str(kind))
        return
    codes: list[object] = []
    suppressed = False
    text = text_of(event.get("smtp_reply") or event.get("comment"))
    if result is Result.BOUNCED:
        hard = "hard_bounce" if event.get("hard_bounce") is True else "soft_bounce" if kind == "bounce" else ""
        codes = [kind, hard, event.get("error_related_to"), error]
        if error in _ON_A_LIST:
            codes, suppressed = [kind], True
        elif error == "greylisted" and event.get("hard_bounce") is not True:
            result = Result.DEFERRED
    yield normalized(
        None,
        event.get("email"),
        result,
        event.get("time"),
        tags=event.get("CustomID"),
        meta=event.get("Payload"),
        campaign=event.get("customcampaign") or event.get("mj_campaign_id") or None,
        message_id=event.get("Message_GUID") or event.get("MessageID"),
        text=text,
        codes=codes,
        suppressed=suppressed,
    )


PROVIDER = Provider(
    title="Mailjet",
    documentation="https://dev.mailjet.com/email/guides/webhooks/",
    kinds=_KINDS,
    read=read,
)
