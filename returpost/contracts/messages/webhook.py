"""Webhooks to CRMs: when one ends, and a message that tries one out."""

from typing import ClassVar

from returpost.contracts.messages.fields import Contract, Name, Text, Time


class WebhookDisabled(Contract):
    """Nothing more is posted to this webhook until somebody enables it: its receiver said so, or did not answer."""

    TYPE: ClassVar[str] = "returpost.webhook.disabled.v1"

    name: Name
    why: Text
    time: Time


class WebhookTested(Contract):
    """Somebody tries out whether the receiver of a webhook answers; it goes to that receiver alone."""

    TYPE: ClassVar[str] = "returpost.webhook.tested.v1"

    name: Name
    time: Time
    by: Text
