"""The closed lists of words that contracts, tables and pages share (the taxonomy of results, verdicts and blocks)."""

from enum import StrEnum


class Result(StrEnum):
    """What a sender says happened to one recipient."""

    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPENED = "opened"
    UNSUBSCRIBED = "unsubscribed"


class VerdictType(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    NONE = "none"


class Fault(StrEnum):
    RECIPIENT = "recipient"
    SENDER = "sender"
    NETWORK = "network"
    NONE = "none"


class Reason(StrEnum):
    """Why a delivery failed, or what else the message was."""

    USER_UNKNOWN = "user_unknown"
    BAD_ADDRESS = "bad_address"
    DOMAIN_UNKNOWN = "domain_unknown"
    NOT_ACCEPTING = "not_accepting"
    MOVED = "moved"
    ACCOUNT_DISABLED = "account_disabled"
    RECIPIENT_REFUSED = "recipient_refused"
    MAILBOX_FULL = "mailbox_full"
    SYSTEM_FULL = "system_full"
    NETWORK_ERROR = "network_error"
    EXPIRED = "expired"
    SYSTEM_ERROR = "system_error"
    MAILER_ERROR = "mailer_error"
    PROTOCOL_ERROR = "protocol_error"
    ROUTING_LOOP = "routing_loop"
    RATE_LIMITED = "rate_limited"
    GREYLISTED = "greylisted"
    MESSAGE_TOO_LARGE = "message_too_large"
    CONTENT_REJECTED = "content_rejected"
    VIRUS = "virus"
    SPAM_CONTENT = "spam_content"
    IP_BLOCKED = "ip_blocked"
    BAD_REPUTATION = "bad_reputation"
    AUTH_FAILED = "auth_failed"
    PTR_REQUIRED = "ptr_required"
    SENDER_REJECTED = "sender_rejected"
    RELAY_DENIED = "relay_denied"
    POLICY = "policy"
    SECURITY = "security"
    RFC_NONCOMPLIANT = "rfc_noncompliant"
    TLS_FAILED = "tls_failed"
    SUPPRESSED = "suppressed"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    UNDETERMINED = "undetermined"


DEAD_REASONS = frozenset(
    {Reason.USER_UNKNOWN, Reason.BAD_ADDRESS, Reason.DOMAIN_UNKNOWN, Reason.NOT_ACCEPTING, Reason.MOVED}
)
"""The address or its domain is dead."""
SENDER_REASONS = frozenset(
    {
        Reason.CONTENT_REJECTED, Reason.VIRUS, Reason.SPAM_CONTENT, Reason.IP_BLOCKED, Reason.BAD_REPUTATION,
        Reason.AUTH_FAILED, Reason.PTR_REQUIRED, Reason.SENDER_REJECTED, Reason.RELAY_DENIED, Reason.POLICY,
        Reason.SECURITY, Reason.RFC_NONCOMPLIANT, Reason.TLS_FAILED, Reason.MESSAGE_TOO_LARGE,
    }
)  # fmt: skip
"""What is sent, or who sends it, is refused: the address is not to blame."""


class Kind(StrEnum):
    """What a report is, before anybody judges it."""

    FAILURE = "failure"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"


class Command(StrEnum):
    """What an SMTP reply answers."""

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """DATA or the end of the data: recipients were accepted before."""


class RecipientSource(StrEnum):
    """Where a report's recipient was read. The first is trusted most; a less trusted one never overrides another."""

    FINAL_RECIPIENT = "final_recipient"
    """A field of the machine-readable report (RFC 3464, RFC 5965)."""
    FAILED_HEADER = "failed_header"
    """`X-Failed-Recipients` and its like."""
    SIGNED_RETURN_PATH = "signed_return_path"
    TRANSCRIPT = "transcript"
    """RCPT in the transcript of the session."""
    PROSE = "prose"
    """The notice states it as the recipient that failed."""
    VERP = "verp"
    """A pattern over the address that the report was sent to."""
    MENTION = "mention"
    """It stands somewhere in the notice."""
    RETURNED_MESSAGE = "returned_message"
    """To or Cc of the message that was returned."""
    EXPANSION = "expansion"
    """It is a list or an alias, and one of the addresses that it was expanded to failed: the list itself may live."""

    @property
    def guessed(self) -> bool:
        """Whether nothing states that this address failed."""
        return self in _GUESSED


_GUESSED = frozenset(
    (
        RecipientSource.VERP,
        RecipientSource.MENTION,
        RecipientSource.RETURNED_MESSAGE,
        RecipientSource.EXPANSION,
    )
)


class BlockCause(StrEnum):
    """Why an address is blocked."""

    DEAD_ADDRESS = "dead_address"
    RETURN_COUNT = "return_count"
    COMPLAINT = "complaint"
    MANUAL = "manual"
    UNSUBSCRIBED = "unsubscribed"
    """Wants no more mail, of a stream or at all; until a later subscription."""
    FORMER_EMPLOYEE = "former_employee"
    """All persons whose address it is have left; until one is set back."""
    DOMAIN = "domain"
    """Its whole domain is blocked; until that is lifted."""

    @property
    def outlives_clear(self) -> bool:
        """Whether it says something of the person and not of bounces, so that no clear lifts it."""
        return self in (BlockCause.UNSUBSCRIBED, BlockCause.FORMER_EMPLOYEE)


class UnblockCause(StrEnum):
    """Why an address is no longer blocked."""

    CLEARED = "cleared"
    DELIVERED = "delivered"
    SETTINGS = "settings"
    ERASED = "erased"
    EXPIRED = "expired"
    STORM = "storm"
    UNDONE = "undone"
    SUBSCRIBED = "subscribed"
    """The owner has subscribed again."""
    LIFTED = "lifted"
    """An unsubscribe, or that somebody has left, was lifted by hand."""


class RawOutcome(StrEnum):
    """What became of something that arrived."""

    READ = "read"
    UNKNOWN = "unknown"
    """An event of a kind that this version does not know."""
    BROKEN = "broken"
    """An event that is not as its provider documents it."""
    UNREADABLE = "unreadable"
    """A mail in which no report was recognised."""


class StormKind(StrEnum):
    """What suddenly makes most bounces."""

    REASON = "reason"
    DOMAIN = "domain"
    IP = "ip"


class BreachKind(StrEnum):
    """Which share of a mailing's recipients is too large."""

    HARD_BOUNCES = "hard_bounces"
    """Their addresses are dead or refused for good, but for those of a storm."""
    COMPLAINTS = "complaints"
    SENDER_FAULTS = "sender_faults"
    """They came back, for good or for now, for what is sent or who sends it."""


class BreachLevel(StrEnum):
    """How far it has come."""

    WARNING = "warning"
    PAUSE = "pause"
    """The sender is told to pause the mailing."""


class BreachScope(StrEnum):
    """What was counted."""

    MAILING = "mailing"
    TENANT = "tenant"
    """All mailings of the tenant in the window: this one has too few recipients to be judged alone."""


class Validity(StrEnum):
    """What the check of a new address came to; trouble with DNS is `unknown`, never `invalid`."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Operation(StrEnum):
    """A bulk action over many addresses."""

    EXPORT = "export"
    COPY_TO_SELECTION = "copy_to_selection"
    ADD_TO_SELECTION = "add_to_selection"
    COPY_TO_PROJECT = "copy_to_project"
    ADD_TO_PROJECT = "add_to_project"
    DELETE_ADDRESSES = "delete_addresses"
    CLEAR_BOUNCE_FLAG = "clear_bounce_flag"
    SET_FORMER_EMPLOYEE = "set_former_employee"
    SET_BACK_FORMER_EMPLOYEE = "set_back_former_employee"
    CORRECT_ADDRESS = "correct_address"
    SEND_AGAIN = "send_again"
    BLOCK = "block"


class OperationState(StrEnum):
    """Where an operation is on its way; `services/actions/operations/states.py` says what may follow what."""

    PREVIEWED = "previewed"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class ListKind(StrEnum):
    """What a list of contacts is."""

    SELECTION = "selection"
    PROJECT = "project"


class Role(StrEnum):
    """What a person is to Returpost, and so may do; `shared.http.auth` says what that is."""

    VIEWER = "viewer"
    MARKETER = "marketer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class View(StrEnum):
    """What rows are looked at."""

    RECIPIENTS = "recipients"
    RETURNED = "returned"
    COMPLAINTS = "complaints"
    BLOCKED = "blocked"


class Show(StrEnum):
    """What became of a recipient; of several any."""

    SENT = "sent"
    RETURNED = "returned"
    OPENED = "opened"
    COMPLAINED = "complained"
    READY = "ready"
    BLOCKED = "blocked"


class AlertKind(StrEnum):
    """What people are told of."""

    STORM_STARTED = "storm_started"
    STORM_ENDED = "storm_ended"
    MAILING_BREACHED = "mailing_breached"
    MAILING_PAUSED = "mailing_paused"
    CONSUMER_PAUSED = "consumer_paused"
    CONSUMER_RESUMED = "consumer_resumed"
    DEAD_LETTERS = "dead_letters"
    WEBHOOK_DISABLED = "webhook_disabled"
    SECRET_EXPIRING = "secret_expiring"  # noqa: S105 - no secret
    IMPORT_FINISHED = "import_finished"
    WEEKLY_REPORT = "weekly_report"


class Severity(StrEnum):
    """How soon somebody must act: not at all, in the working day, now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
