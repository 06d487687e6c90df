"""One call from a text, evidence or a whole mail's report to a verdict, by the packaged rules."""

from returpost.bounces.rules import Rules, load
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify as by_rules
from returpost.contracts import Evidence, Verdict


def classify(bounce: str | Evidence, rules: Rules | None = None) -> Verdict:
    """Return the verdict on an SMTP reply, a line of a log, or the evidence of a report; never raises for what it says.

    The packaged rules are loaded at the first call (0.3 s) unless others are given.

    >>> verdict = classify("550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown")
    >>> verdict.reason, verdict.dead_address
    (<Reason.USER_UNKNOWN: 'user_unknown'>, True)
    >>> classify("host mx.example.com[192.0.2.1] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)").type
    <VerdictType.SOFT: 'soft'>
    """
    if isinstance(bounce, str):
        reply = parse_reply(bounce)
        bounce = Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=bounce)
    if not hasattr(bounce, "provider_codes"):
        raise TypeError(f"classify takes a text or the evidence of a report, not {type(bounce).__name__}")
    return by_rules(bounce, load() if rules is None else rules)
