"""What the receiving side says in a simulated mailing: who receives, and the SMTP replies of deliveries that fail.

The texts are written after the replies that large providers and the common mail servers give, with reserved host names
(RFC 2606, RFC 6761). `{address}`, `{local}`, `{domain}`, `{ip}` and `{id}` are filled in for each delivery.
"""

from dataclasses import dataclass

from returpost.contracts.enums import Reason, VerdictType


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiving domain, its share of the mailing and the host that answers for it."""

    domain: str
    share: float
    host: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply, what it means, and its share among the replies of its kind."""

    type: VerdictType
    reason: Reason
    share: float
    code: int
    status: str | None
    text: str


RECEIVERS = (
    Receiver("gmail.example", 0.34, "gmail-smtp-in.l.gmail.example"),
    Receiver("outlook.example", 0.17, "outlook-com.olc.protection.outlook.example"),
    Receiver("hotmail.example", 0.11, "hotmail-com.olc.protection.outlook.example"),
    Receiver("yahoo.example", 0.08, "mta5.am0.yahoodns.example"),
    Receiver("icloud.example", 0.06, "mx01.mail.icloud.example"),
    Receiver("online.example", 0.09, "mx.online.example"),
    Receiver("telenor.example", 0.05, "mx01.telenor.example"),
    Receiver("kommune.example", 0.04, "mx1.kommune.example"),
    Receiver("bedrift.example", 0.04, "bedrift-example.mail.protection.outlook.example"),
    Receiver("skole.example", 0.02, "aspmx.l.gmail.example"),
)

_HARD, _SOFT = VerdictType.HARD, VerdictType.SOFT

HARD = (
    Reply(
        _HARD,
        Reason.USER_UNKNOWN,
        0.24,
        550,
        "5.1.1",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        "550-5.1.1 double-checking the recipient's email address for typos or\n"
        "550 5.1.1 unnecessary spaces. {id} - gsmtp",
    ),
    Reply(
        _HARD,
        Reason.USER_UNKNOWN,
        0.16,
        550,
        "5.5.0",
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [{id}.prod.outlook.example]",
    ),
    Reply(
        _HARD,
        Reason.USER_UNKNOWN,
        0.10,
        550,
        "5.1.10",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP address lookup",
    ),
    Reply(
        _HARD,
        Reason.USER_UNKNOWN,
        0.10,
        550,
        "5.1.1",
        "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
    ),
    Reply(_HARD, Reason.USER_UNKNOWN, 0.05, 550, None, "550 no mailbox here by that name {local}"),
    Reply(
        _HARD,
        Reason.ACCOUNT_DISABLED,
        0.07,
        550,
        "5.2.1",
        "550 5.2.1 The email account that you tried to reach is disabled. {id} - gsmtp",
    ),
    Reply(
        _HARD,
        Reason.USER_UNKNOWN,
        0.03,
        554,
        None,
        "554 delivery error: dd This user doesn't have a {domain} account",
    ),
    Reply(
        _HARD,
        Reason.DOMAIN_UNKNOWN,
        0.06,
        550,
        "5.1.2",
        "550 5.1.2 <{address}>: Recipient address rejected: Domain not found",
    ),
    Reply(_HARD, Reason.NOT_ACCEPTING, 0.02, 556, "5.1.10", "556 5.1.10 Recipient address has null MX"),
    Reply(_HARD, Reason.MOVED, 0.01, 551, "5.1.6", "551 5.1.6 User has moved; please try another address"),
    Reply(
        _HARD,
        Reason.SPAM_CONTENT,
        0.05,
        550,
        "5.7.1",
        "550 5.7.1 Message rejected as spam by content scanning. Message-ID {id}",
    ),
    Reply(
        _HARD,
        Reason.IP_BLOCKED,
        0.04,
        554,
        "5.7.1",
        "554 5.7.1 Service unavailable; Client host [{ip}] blocked using zen.blocklist.example",
    ),
    Reply(
        _HARD,
        Reason.AUTH_FAILED,
        0.03,
        550,
        "5.7.26",
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
        "550-5.7.26 DKIM = did not pass\n550 5.7.26 SPF [news.example] with ip: [{ip}] = did not pass {id} - gsmtp",
    ),
    Reply(
        _HARD,
        Reason.PTR_REQUIRED,
        0.01,
        550,
        "5.7.25",
        "550-5.7.25 [{ip}] The IP address sending this message does not have a PTR record setup\n"
        "550 5.7.25 {id} - gsmtp",
    ),
    Reply(
        _HARD,
        Reason.MESSAGE_TOO_LARGE,
        0.02,
        552,
        "5.3.4",
        "552 5.3.4 Message size exceeds fixed maximum message size",
    ),
    Reply(_HARD, Reason.RELAY_DENIED, 0.01, 554, "5.7.1", "554 5.7.1 <{address}>: Relay access denied"),
)
"""Replies to deliveries that have failed for good."""

SOFT = (
    Reply(
        _SOFT,
        Reason.MAILBOX_FULL,
        0.30,
        452,
        "4.2.2",
        "452-4.2.2 The email account that you tried to reach is over quota. Please direct\n"
        "452 4.2.2 the recipient to clear some space. {id} - gsmtp",
    ),
    Reply(_SOFT, Reason.MAILBOX_FULL, 0.10, 452, "4.2.2", "452 4.2.2 <{address}>: user is over quota, mailbox full"),
    Reply(
        _SOFT,
        Reason.GREYLISTED,
        0.20,
        450,
        "4.2.0",
        "450 4.2.0 <{address}>: Recipient address rejected: Greylisted, see http://postgrey.example/help/{domain}.html",
    ),
    Reply(
        _SOFT,
        Reason.RATE_LIMITED,
        0.15,
        421,
        "4.7.28",
        "421-4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP\n"
        "421 4.7.28 address. Mail sent from your IP address has been temporarily rate limited. {id} - gsmtp",
    ),
    Reply(
        _SOFT,
        Reason.NETWORK_ERROR,
        0.10,
        451,
        "4.4.1",
        "451 4.4.1 connect to {domain}[{ip}]:25: No route to host",
    ),
    Reply(_SOFT, Reason.SYSTEM_FULL, 0.05, 452, "4.3.1", "452 4.3.1 Insufficient system storage"),
    Reply(_SOFT, Reason.SYSTEM_ERROR, 0.10, 451, "4.3.0", "451 4.3.0 Temporary server error. Please try again later"),
)
"""Replies to deliveries that may succeed later."""
