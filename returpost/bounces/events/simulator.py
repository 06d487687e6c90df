"""Addresses to try an integration with: what is sent to them is answered as a receiving system would answer.

A sender hands in that it has sent to `hard@simulator.invalid`; the failure, the complaint, the absence note comes by
itself, and goes the way of all others: verdict, retry command, block. The domain can belong to nobody (RFC 2606 section
2). What stands behind a `+` is the user's own, so that there are as many addresses as wanted (`hard+17@`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from returpost.contracts import DeliveryResult, Kind, Result, construct_trusted

DOMAIN = "simulator.invalid"
LATER = timedelta(milliseconds=1)
"""From one answer to the next; all are after the sending."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that the receiving system says."""

    result: Result
    diagnostic: str = ""
    kind: Kind = Kind.FAILURE
    feedback_type: str | None = None


_OK = Answer(Result.DELIVERED)
_SOFT = Answer(Result.BOUNCED, "451 4.3.0 Simulator: temporary system problem, try again later")
_NAMES: dict[str, tuple[Answer, ...]] = {
    "ok": (_OK,),
    "opened": (_OK, Answer(Result.OPENED)),
    "hard": (Answer(Result.BOUNCED, "550 5.1.1 Simulator: user unknown"),),
    "domain-unknown": (Answer(Result.BOUNCED, "550 5.1.2 Simulator: domain not found"),),
    "disabled": (Answer(Result.BOUNCED, "550 5.2.1 Simulator: the account is disabled"),),
    "mailbox-full": (Answer(Result.BOUNCED, "452 4.2.2 Simulator: mailbox full"),),
    "greylisted": (Answer(Result.BOUNCED, "450 4.2.0 Simulator: greylisted, try again later"),),
    "soft": (_SOFT,),
    "too-large": (Answer(Result.BOUNCED, "552 5.3.4 Simulator: message size exceeds the limit"),),
    "spam": (Answer(Result.BOUNCED, "554 5.7.1 Simulator: message rejected as spam"),),
    "ip-blocked": (Answer(Result.BOUNCED, "554 5.7.1 Simulator: your IP address is listed in a blocklist"),),
    "auth-failed": (Answer(Result.BOUNCED, "550 5.7.26 Simulator: the message failed the DMARC check"),),
    "complaint": (_OK, Answer(Result.COMPLAINED, feedback_type="abuse")),
    "unsubscribe": (_OK, Answer(Result.UNSUBSCRIBED)),
    "ooto": (_OK, Answer(Result.BOUNCED, "Simulator: I am out of the office until Monday", Kind.AUTO_REPLY)),
}
NAMES = (*_NAMES, "soft-then-ok")


def answers(sent: DeliveryResult) -> Iterator[tuple[DeliveryResult, Kind]]:
    """Yield what becomes of a sending to a simulator address, in its order; nothing for any other.

    `soft-then-ok` fails the first time and is delivered when it is tried again: the sender then says which `attempt` it
    was, as the retry command did. A name that there is not is an unknown user.
    """
    if sent.result is not Result.SENT or not sent.address.lower().endswith(f"@{DOMAIN}"):
        return
    name = sent.address.lower().partition("@")[0].partition("+")[0]
    for n, answer in enumerate(_answers(name, sent.attempt or 1), 1):
        told = {"result": answer.result, "time": sent.time + n * LATER, "diagnostic": answer.diagnostic}
        same = {name: getattr(sent, name) for name in DeliveryResult.model_fields}
        yield construct_trusted(DeliveryResult, **same | told | {"feedback_type": answer.feedback_type}), answer.kind


def _answers(name: str, attempt: int) -> tuple[Answer, ...]:
    if name == "soft-then-ok":
        return (_SOFT,) if attempt == 1 else (_OK,)
    unknown = Answer(Result.BOUNCED, "550 5.1.1 Simulator: user unknown, no such name")
    return _NAMES.get(name, (unknown,))
