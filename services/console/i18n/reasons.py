"""Every reason, cause, status and state in plain words: what it is called, what it means, and what to do about it."""

from dataclasses import dataclass

from returpost.contracts.enums import Reason
from services.console.i18n import Texts, gettext_noop as _


@dataclass(frozen=True, slots=True)
class Plain:
    """A reason as people say it. `sentence` may name `{domain}`."""

    title: str
    sentence: str
    advice: str


_FIX = _("Correct the address, or ask the person for a new one.")
_WAIT = _("Nothing needs to be done: it is retried automatically.")
_SENDER = _("The address is fine. Ask whoever runs your e-mail sending to look into it.")

REASONS: dict[Reason, Plain] = {
    Reason.USER_UNKNOWN: Plain(
        _("Address does not exist"), _("The domain {domain} exists, but has no mailbox with this name."), _FIX
    ),
    Reason.BAD_ADDRESS: Plain(_("Misspelt address"), _("This is not a valid e-mail address."), _FIX),
    Reason.DOMAIN_UNKNOWN: Plain(_("Domain does not exist"), _("The domain {domain} does not exist."), _FIX),
    Reason.NOT_ACCEPTING: Plain(_("Takes no e-mail"), _("The domain {domain} does not accept e-mail."), _FIX),
    Reason.MOVED: Plain(
        _("Has moved"), _("The recipient has moved to another address."), _("Ask the person for the new address.")
    ),
    Reason.ACCOUNT_DISABLED: Plain(
        _("Mailbox closed"),
        _("The mailbox exists, but is closed or has not been used for a long time."),
        _("The person may have left. Ask for another address, or set the person as former employee."),
    ),
    Reason.RECIPIENT_REFUSED: Plain(
        _("Recipient refuses"),
        _("The recipient's mailbox does not take e-mail from outside, or not from you."),
        _("Ask the person to allow your sender address, or for another address."),
    ),
    Reason.MAILBOX_FULL: Plain(
        _("Mailbox full"),
        _("The recipient's mailbox is full."),
        _("Often passes. If it persists, contact the person in another way."),
    ),
    Reason.SYSTEM_FULL: Plain(_("Server full"), _("The e-mail server of {domain} has no room left."), _WAIT),
    Reason.NETWORK_ERROR: Plain(
        _("Server not reached"), _("The e-mail server of {domain} could not be reached."), _WAIT
    ),
    Reason.EXPIRED: Plain(
        _("Not delivered in time"),
        _("Delivery was tried for a long time, and given up."),
        _("Often a fault at the receiver that passes. Clear the bounce-flag to try once more."),
    ),
    Reason.SYSTEM_ERROR: Plain(_("Fault at the server"), _("The e-mail server of {domain} had a fault."), _WAIT),
    Reason.MAILER_ERROR: Plain(
        _("Fault in the recipient's mail system"), _("A program behind the recipient's mailbox failed."), _WAIT
    ),
    Reason.PROTOCOL_ERROR: Plain(
        _("Servers misunderstood"), _("The two e-mail servers did not understand each other."), _WAIT
    ),
    Reason.ROUTING_LOOP: Plain(
        _("Mail loop"),
        _("The e-mail servers of {domain} pass the message round in a loop."),
        _("Only the receiver can fix this. Contact the person in another way."),
    ),
    Reason.RATE_LIMITED: Plain(
        _("Too many at once"), _("{domain} received too many messages in too short a time."), _WAIT
    ),
    Reason.GREYLISTED: Plain(_("Asked to try later"), _("{domain} wants new senders to try once more."), _WAIT),
    Reason.MESSAGE_TOO_LARGE: Plain(
        _("Message too large"),
        _("The message is larger than {domain} accepts."),
        _("The address is fine. Make the mailing smaller: fewer or smaller pictures."),
    ),
    Reason.CONTENT_REJECTED: Plain(
        _("Content rejected"),
        _("{domain} rejected what the message contains."),
        _("The address is fine. Look at links, attachments and wording of the mailing."),
    ),
    Reason.VIRUS: Plain(
        _("Stopped as a virus"),
        _("{domain} found something in the message that it takes for a virus."),
        _("The address is fine. Check the attachments and links of the mailing at once."),
    ),
    Reason.SPAM_CONTENT: Plain(
        _("Stopped as spam"),
        _("{domain} takes the message for spam."),
        _("The address is fine. Look at subject, wording and links of the mailing."),
    ),
    Reason.IP_BLOCKED: Plain(
        _("Sender blocked"), _("{domain} blocks the server that your mailing is sent from."), _SENDER
    ),
    Reason.BAD_REPUTATION: Plain(
        _("Poor sender reputation"), _("{domain} does not trust your sender at present."), _SENDER
    ),
    Reason.AUTH_FAILED: Plain(
        _("Sender not authenticated"),
        _("The check that the message comes from you (SPF, DKIM, DMARC) failed at {domain}."),
        _SENDER,
    ),
    Reason.PTR_REQUIRED: Plain(
        _("No reverse DNS"), _("The server that sends your mailing has no reverse DNS entry (PTR)."), _SENDER
    ),
    Reason.SENDER_REJECTED: Plain(
        _("Sender address rejected"), _("{domain} does not accept your sender address."), _SENDER
    ),
    Reason.RELAY_DENIED: Plain(
        _("Relaying denied"),
        _("The server does not take messages for {domain}."),
        _("Check the spelling of the domain. If it is right, the receiver must fix its set-up."),
    ),
    Reason.POLICY: Plain(_("Rejected by recipient's policy"), _("A policy of {domain} rejected the message."), _SENDER),
    Reason.SECURITY: Plain(
        _("Rejected by security filter"), _("A security filter at {domain} rejected the message."), _SENDER
    ),
    Reason.RFC_NONCOMPLIANT: Plain(
        _("Malformed message"), _("{domain} says that the message is not well-formed."), _SENDER
    ),
    Reason.TLS_FAILED: Plain(_("No secure connection"), _("No secure connection to {domain} could be made."), _SENDER),
    Reason.SUPPRESSED: Plain(
        _("Skipped by the sender"),
        _("The sending system skipped the address because of an earlier bounce."),
        _("Look at the earlier bounces of this address."),
    ),
    Reason.COMPLAINT: Plain(
        _("Spam complaint"),
        _("The recipient reported a message of yours as spam."),
        _("Do not send to this person again unless you are asked to."),
    ),
    Reason.UNSUBSCRIBE: Plain(
        _("Unsubscribed"), _("The recipient wants no more mailings."), _("Nothing needs to be done.")
    ),
    Reason.AUTO_REPLY: Plain(
        _("Automatic reply"), _("An automatic answer, such as out of office."), _("Nothing needs to be done.")
    ),
    Reason.CHALLENGE: Plain(
        _("Asks for confirmation"),
        _("The recipient's server asks the sender to confirm that it is a person."),
        _("Answer the question once, or ask the person to allow your sender address."),
    ),
    Reason.DELAYED: Plain(_("Delayed"), _("The message is on its way, but late."), _WAIT),
    Reason.DELIVERED: Plain(_("Delivered"), _("The message has arrived."), _("Nothing needs to be done.")),
    Reason.UNDETERMINED: Plain(
        _("Unknown reason"),
        _("The server of {domain} gave no reason that could be understood."),
        _("Read the full message below. If the address looks right, clear the bounce-flag to try once more."),
    ),
}

NO_BOUNCE = frozenset({Reason.DELIVERED, Reason.DELAYED, Reason.AUTO_REPLY, Reason.CHALLENGE, Reason.UNSUBSCRIBE})
"""What is no returned e-mail: never counted, never blocking."""
CAUSES = {
    "dead_address": _("Dead address"),
    "return_count": _("Too many bounces"),
    "complaint": _("Spam complaint"),
    "manual": _("Blocked manually"),
    "former_employee": _("Former employee"),
    "unsubscribed": _("Unsubscribed"),
    "domain": _("Blocked domain"),
    "import": _("Imported"),
    "imported": _("Imported"),
}
STATUSES = {
    "ready": _("Ready"),
    "blocked": _("Blocked"),
    "sent": _("Sent"),
    "delivered": _("Delivered"),
    "soft_bounced": _("Soft bounce"),
    "hard_bounced": _("Hard bounce"),
    "opened": _("Opened"),
    "complained": _("Complained"),
    "unsubscribed": _("Unsubscribed"),
}
TYPES = {"hard": _("Hard bounce"), "soft": _("Soft bounce")}
TONES = {
    "ready": "calm",
    "blocked": "bad",
    "sent": "calm",
    "delivered": "good",
    "opened": "good",
    "soft_bounced": "warn",
    "hard_bounced": "bad",
    "complained": "bad",
    "unsubscribed": "calm",
}
RETRIES = {
    "waiting": _("Waiting to be sent again"),
    "requested": _("On their way again"),
    "recovered": _("Delivered in the end"),
    "exhausted": _("Given up after all attempts"),
    "failed": _("Turned out to be final"),
    "dropped": _("No longer needed"),
    "lost": _("Sent again, no result received"),
    "paused": _("Waiting: the mailing is paused"),
}
EFFECTS = {"block": _("Block at once"), "count": _("Count"), "ignore": _("Ignore")}
ROLES = {
    "viewer": _("Viewer: sees everything, changes nothing"),
    "marketer": _("Marketer: cleans up addresses"),
    "operator": _("Operator: looks after the system"),
    "administrator": _("Administrator: everything, with settings and users"),
}


def title(texts: Texts, reason: str | None) -> str:
    """Return what a reason is called; nothing for none, and the bare word for one that is not known here."""
    plain = _plain(reason)
    return texts.t(plain.title) if plain else (reason or "")


def sentence(texts: Texts, reason: str | None, address: str) -> str:
    """Return what a reason means for an address."""
    plain = _plain(reason)
    domain = address.rpartition("@")[2] or texts.t("the receiver")
    return texts.t(plain.sentence, domain=domain) if plain else ""


def advice(texts: Texts, reason: str | None) -> str:
    """Return what to do about a reason."""
    plain = _plain(reason)
    return texts.t(plain.advice) if plain else ""


def word(texts: Texts, words: dict[str, str], key: str | None) -> str:
    """Return a word of one of the tables above; the bare key when it is not known here."""
    return texts.t(words[key]) if key in words else (key or "")


def _plain(reason: str | None) -> Plain | None:
    return REASONS.get(Reason(reason)) if reason in set(Reason) else None
