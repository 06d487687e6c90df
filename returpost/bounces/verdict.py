"""From evidence to verdict. Text outranks code: text, enhanced status, reply code, in that order of trust."""

from functools import lru_cache

from returpost.bounces.rules import Match, NormalizedReply, Rules, has_words
from returpost.bounces.rules.opinion import opinion_on
from returpost.contracts import Command, Evidence, Fault, Kind, Reason, Verdict, VerdictType, construct_trusted
from returpost.contracts.messages.bounce import DEAD_FROM_CONFIDENCE as DEAD_FROM_CONFIDENCE

STATUS_CONFIDENCE = 0.75
"""A status alone, from the table. Of 597 real diagnostics 5.1.1, .2, .3, .6 and .10 meant a dead address in 85%."""
REPLY_CONFIDENCE = 0.5
"""A reply code alone: 550 meant a dead address in 66% of the same diagnostics."""
UNPROVEN_CONFIDENCE = 0.6
NOTHING_CONFIDENCE = 0.2
BY_STATUS = "tables.status"
BY_CODE = "tables.reply_code"
"""A code alone kills no address, and words that no rule knows say something else than the code more often than not."""
BY_OPINION = "tables.opinion"
"""Words that no rule knows resemble others that mean this; that alone kills no address either."""
BY_NOTHING = "tables.nothing"
"""Neither a rule nor a status nor a code tells anything: most likely no reply at all."""

_KILL_NOBODY = (BY_CODE, BY_OPINION)
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

_UNSPECIFIC = ("0.", "5.")
"""Subjects of RFC 3463 that say nothing of whom it is about."""

CACHED = 20_000


def classify(evidence: Evidence, rules: Rules) -> Verdict:
    """Return the verdict on one report; the same evidence always gets the same verdict."""
    if evidence.kind is not Kind.FAILURE:
        return _not_a_bounce(evidence.kind)
    return verdict_of(rules.normalize(evidence), rules)


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
def verdict_of(reply: NormalizedReply, rules: Rules) -> Verdict:
    """Return the verdict on a failure. Servers say the same to many: most of it was judged before."""
    return _verdict(rules, *reason_of(reply, rules, rules.decide(reply)), is_temporary(reply), reply.guessed)


@lru_cache(maxsize=CACHED)
def _verdict(
    rules: Rules,
    reason: Reason,
    confidence: float,
    rule: str,
    text: str,
    forced: str | None,
    temporary: bool,
    guessed: bool,
) -> Verdict:
    """Return the verdict that follows from the rule that decided, its words, and the class of the reply."""
    meaning = rules.meaning(reason)
    if forced is not None:
        kind = VerdictType(forced)
    elif meaning.type is VerdictType.HARD and temporary:
        kind = VerdictType.SOFT
    else:
        kind = meaning.type
    return construct_trusted(
        Verdict,
        type=kind,
        reason=reason,
        fault=meaning.fault,
        confidence=confidence * (0.8 if temporary and reason in _CODES_ONLY_RETRY else 1),
        dead_address=meaning.dead and kind is VerdictType.HARD and rule not in _KILL_NOBODY and not guessed,
        rule=rule,
        text=text,
        recipient_guessed=guessed,
        rules=rules.version,
    )


def reason_of(reply: NormalizedReply, rules: Rules, match: Match | None) -> tuple[Reason, float, str, str, str | None]:
    """Return reason, confidence, the name of what decided, the text that did, and a type that the rule insists on.

    `match` is the rule that decides; without one, the status or the reply code does.
    """
    if match is not None:
        rule = match.rule
        proven = rule.proven or is_proven(reply, match.text, clear=rule.clear)
        if rule.reason is Reason.USER_UNKNOWN and not proven:
            return Reason.RECIPIENT_REFUSED, UNPROVEN_CONFIDENCE, match.name, match.text, rule.type
        return rule.reason, rule.confidence, match.name, match.text, rule.type
    if reply.status and (reason := rules.by_status(reply.status)):
        return reason, STATUS_CONFIDENCE, BY_STATUS, reply.status, None
    if has_words(reply) and (opinion := opinion_on(reply)):
        return opinion.reason, opinion.confidence, BY_OPINION, opinion.words, None
    if reply.reply_code and (reason := rules.by_reply_code(reply.reply_code)):
        if has_words(reply):
            return Reason.UNDETERMINED, NOTHING_CONFIDENCE, BY_CODE, str(reply.reply_code), None
        return reason, REPLY_CONFIDENCE, BY_CODE, str(reply.reply_code), None
    return Reason.UNDETERMINED, NOTHING_CONFIDENCE, BY_NOTHING, "", None


def is_proven(reply: NormalizedReply, words: str, *, clear: bool) -> bool:
    """Tell whether "user unknown" was said of the mailbox.

    It was when RCPT was answered, when a status x.1.x says so, too, or when a sender, a log or a webhook told it. In a
    bounce mail that does not tell the command, clear words with a reply code are believed when they speak of the
    recipient, or the status contradicts them in nothing (x.0.x, x.5.x). What is known to answer the message itself, or
    comes as a sentence without code and status, is as often a filter's word, and an address that lives.
    """
    if _is_address_status(reply.status):
        return True
    if reply.command is not None:
        return reply.command is Command.RCPT
    if not reply.report:
        return True
    if reply.reply_code is None:
        return False
    if clear:
        return True
    if reply.status is None:
        return "recipient" in words
    return reply.status[2:4] in _UNSPECIFIC or ("recipient" in words and reply.status[2:4] != "2.")


def _is_address_status(status: str | None) -> bool:
    return status is not None and status[2:4] == "1."


def is_temporary(reply: NormalizedReply) -> bool:
    """Tell whether the reply says that it may work later (RFC 5321 section 4.2.1, RFC 3463 section 3.1).

    The reply code goes before the status: servers contradict themselves, and clients act on the code. A code of success
    is another command's: it says nothing of the failure.
    """
    if reply.reply_code is not None and reply.reply_code >= 400:
        return reply.reply_code < 500
    return reply.status is not None and reply.status.startswith("4")
