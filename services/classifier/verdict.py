"""From evidence to verdict. Text outranks code: text, enhanced status, reply code, in that order of trust."""

from functools import lru_cache

from services.classifier.rules import Rules, Said, has_words
from shared.contracts import Evidence, Fault, Kind, Reason, Verdict, VerdictType, made

STATUS_CONFIDENCE = 0.75
"""A status alone, from the table. Of 597 real diagnostics 5.1.1, .2, .3, .6 and .10 meant a dead address in 85%."""
REPLY_CONFIDENCE = 0.5
"""A reply code alone: 550 meant a dead address in 66% of the same diagnostics."""
NOTHING_CONFIDENCE = 0.2
BY_CODE = "tables.reply_code"
"""Words that no rule knows say something else more often than not: with them, a code alone kills no address."""

_NOT_A_BOUNCE = {
    Kind.DELAYED: Reason.DELAYED,
    Kind.DELIVERED: Reason.DELIVERED,
    Kind.COMPLAINT: Reason.COMPLAINT,
    Kind.UNSUBSCRIBE: Reason.UNSUBSCRIBE,
    Kind.AUTO_REPLY: Reason.AUTO_REPLY,
    Kind.CHALLENGE: Reason.CHALLENGE,
}
_CODES_ONLY_RETRY = (Reason.USER_UNKNOWN, Reason.BAD_ADDRESS, Reason.MOVED)
"""Reasons that a temporary reply puts in doubt: directories fail, and say so with the words for a missing mailbox."""

CACHED = 20_000


def classify(evidence: Evidence, rules: Rules) -> Verdict:
    """Return the verdict on one report; the same evidence always gets the same verdict."""
    if evidence.kind is not Kind.FAILURE:
        return _not_a_bounce(evidence.kind)
    return of_said(rules.said(evidence), rules)


def _not_a_bounce(kind: Kind) -> Verdict:
    return Verdict(
        type=VerdictType.NONE,
        reason=_NOT_A_BOUNCE[kind],
        fault=Fault.NONE,
        confidence=1.0,
        dead_address=False,
        rule=f"kind.{kind}",
    )


@lru_cache(maxsize=CACHED)
def of_said(said: Said, rules: Rules) -> Verdict:
    """Return the verdict on a failure. Servers say the same to many: most of it was judged before."""
    reason, confidence, rule, text, forced = _reason(said, rules)
    meaning = rules.meaning(reason)
    temporary = is_temporary(said)
    if forced is not None:
        kind = VerdictType(forced)
    elif meaning.type is VerdictType.HARD and temporary:
        kind = VerdictType.SOFT
    else:
        kind = meaning.type
    return made(
        Verdict,
        type=kind,
        reason=reason,
        fault=meaning.fault,
        confidence=confidence * (0.8 if temporary and reason in _CODES_ONLY_RETRY else 1),
        dead_address=meaning.dead and kind is VerdictType.HARD and not (rule == BY_CODE and has_words(said)),
        rule=rule,
        text=text,
        rules="",
    )


def _reason(said: Said, rules: Rules) -> tuple[Reason, float, str, str, str | None]:
    """Return reason, confidence, the name of what decided, the text that did, and a type that the rule insists on."""
    if (match := rules.decide(said)) is not None:
        return match.rule.reason, match.rule.confidence, match.name, match.text, match.rule.type
    if said.status and (reason := rules.by_status(said.status)):
        return reason, STATUS_CONFIDENCE, "tables.status", said.status, None
    if said.reply_code and (reason := rules.by_reply_code(said.reply_code)):
        return reason, REPLY_CONFIDENCE, BY_CODE, str(said.reply_code), None
    return Reason.UNDETERMINED, NOTHING_CONFIDENCE, "tables.nothing", "", None


def is_temporary(said: Said) -> bool:
    """Tell whether the reply says that it may work later (RFC 5321 section 4.2.1, RFC 3463 section 3.1).

    The reply code goes before the status: servers contradict themselves, and clients act on the code. A code of success
    is another command's: it says nothing of the failure.
    """
    if said.reply_code is not None and said.reply_code >= 400:
        return said.reply_code < 500
    return said.status is not None and said.status.startswith("4")
