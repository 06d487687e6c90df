"""What reporting MTAs wrap round a remote reply, as a line of a log and as a whole mail: for laws, not for parsing.

Written after the MTAs' own sources and documentation, apart from the frames that the parser knows.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

ADDRESS, HOST, IP = "ann@kunde.example", "mx.kunde.example", "192.0.2.25"
_CODE = re.compile(r"([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3})[ ]?)?")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A reply with its code and its status, if it has one, and its text on one line without either."""

    reply: str
    code: str
    status: str | None
    words: str


def wrapped(reply: str) -> Wrapped | None:
    """Return the reply taken apart; None when it begins with no code."""
    found = _CODE.match(reply)
    return Wrapped(reply, found[1], found[2], reply[found.end() :]) if found else None


def _exim(one: Wrapped) -> str:
    return f"SMTP error from remote mail server after RCPT TO:<{ADDRESS}>: host {HOST} [{IP}]: {one.reply}"


def _exim_4_90(one: Wrapped) -> str:
    return f"host {HOST} [{IP}]\n    SMTP error from remote mail server after RCPT TO:<{ADDRESS}>:\n    {one.reply}"


def _exim_pipelined(one: Wrapped) -> str:
    return f"SMTP error from remote mail server after pipelined RCPT TO:<{ADDRESS}>: {one.reply}"


def _postfix(one: Wrapped) -> str:
    return f"host {HOST}[{IP}] said: {one.reply} (in reply to RCPT TO command)"


def _qmail(one: Wrapped) -> str:
    return f"{IP} does not like recipient.\nRemote host said: {one.reply}\nGiving up on {IP}."


def _exchange(one: Wrapped) -> str:
    return f"Remote Server returned '{one.reply}'"


def _exchange_2007(one: Wrapped) -> str:
    status = one.status or f"{one.code[0]}.0.0"
    return f"{HOST} #<{HOST} #{status} smtp;{one.reply}> #SMTP#"


def _smtp_tight(one: Wrapped) -> str:
    return f"smtp;{one.reply}"


def _smtp(one: Wrapped) -> str:
    return f"smtp; {one.reply}"


def _sendmail(one: Wrapped) -> str:
    own = {
        "550": f"550 5.1.1 <{ADDRESS}>... User unknown",
        "553": f"553 5.1.3 <{ADDRESS}>... Invalid address",
        "554": "554 5.0.0 Service unavailable",
    }.get(one.code, f"<{ADDRESS}>... Deferred: {one.reply}" if one.code[0] == "4" else "554 5.3.0 unknown mailer error")
    return (
        f"... while talking to {HOST}.:\n>>> RCPT To:<{ADDRESS}>\n<<< {one.reply}\n{own}\n"
        ">>> DATA\n<<< 503 5.0.0 Need RCPT (recipient)"
    )


def _courier(one: Wrapped) -> str:
    return f"This message was not accepted by {HOST} [{IP}]:\n>>> RCPT TO:<{ADDRESS}>\n<<< {one.reply}"


def _gmail(one: Wrapped) -> str:
    return f"The response from the remote server was:\n{one.reply}"


def _gmail_old(one: Wrapped) -> str:
    return (
        "Google tried to deliver your message, but it was rejected by the server for the recipient domain "
        f"kunde.example by {HOST}. [{IP}].\n\nThe error that the other server returned was:\n{one.reply}"
    )


def _cisco(one: Wrapped) -> str:
    own = "5.1.0 - Unknown address error" if one.code[0] == "5" else "4.1.0 - Unknown address error"
    rest = one.reply[4:]
    return f"{own} {one.code}-'{rest}' (delivery attempts: 0)"


def _domino(one: Wrapped) -> str:
    return f"Error delivering to SMTP host {HOST}; SMTP Protocol Returned a Permanent Error {one.reply}"


def _zimbra(one: Wrapped) -> str:
    return f"host {HOST}[127.0.0.1]:7025 said: {one.reply} (in reply to RCPT TO command)"


def _mailgun(one: Wrapped) -> str:
    return f"Server response: {one.reply}"


LINES: dict[str, Callable[[Wrapped], str]] = {
    "exim": _exim,
    "exim_4_90": _exim_4_90,
    "exim_pipelined": _exim_pipelined,
    "postfix": _postfix,
    "qmail": _qmail,
    "exchange": _exchange,
    "exchange_2007": _exchange_2007,
    "smtp_tight": _smtp_tight,
    "smtp": _smtp,
    "sendmail": _sendmail,
    "courier": _courier,
    "gmail": _gmail,
    "gmail_old": _gmail_old,
    "cisco": _cisco,
    "domino": _domino,
    "lmtp": _zimbra,
    "relay_service": _mailgun,
}
"""Frames by name, as they stand on a line of a log, in a field of a webhook or in a Diagnostic-Code."""


def _mail(sender: str, subject: str, body: str, *fields: str) -> bytes:
    head = [
        "Return-Path: <>", "Received: from mx.own.example by mail.own.example; Mon, 5 Jan 2026 10:00:00 +0000",
        f"From: {sender}", "To: news@own.example", f"Subject: {subject}", "Date: Mon, 5 Jan 2026 10:00:00 +0000",
        "Message-ID: <20260105100000.1@mx.own.example>", "MIME-Version: 1.0", *fields,
    ]  # fmt: skip
    return ("\n".join(head) + "\n\n" + body).encode("utf-8", "replace")


_ORIGINAL = f"""Return-Path: <news@own.example>
From: News <news@own.example>
To: {ADDRESS}
Subject: News of January
Date: Mon, 5 Jan 2026 09:59:00 +0000
Message-ID: <news-1@own.example>

Hello
"""


def _exim_mail(one: Wrapped) -> bytes:
    body = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {ADDRESS}
    SMTP error from remote mail server after RCPT TO:<{ADDRESS}>:
    host {HOST} [{IP}]: {_indented(one.reply)}

------ This is a copy of the message, including all the headers. ------

{_ORIGINAL}"""
    return _mail(
        "Mail Delivery System <Mailer-Daemon@mx.own.example>",
        "Mail delivery failed: returning message to sender",
        body,
        f"X-Failed-Recipients: {ADDRESS}",
        "Auto-Submitted: auto-replied",
    )


def _postfix_mail(one: Wrapped) -> bytes:
    said = f"{HOST}[{IP}] said: {_joined(one.reply)} (in reply to RCPT TO command)"
    return _dsn(
        "MAILER-DAEMON@mx.own.example (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
        f"""This is the mail system at host mx.own.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{ADDRESS}>: host {_indented(said)}
""",
        f"""Reporting-MTA: dns; mx.own.example
Arrival-Date: Mon,  5 Jan 2026 09:59:00 +0000 (UTC)

Final-Recipient: rfc822; {ADDRESS}
Original-Recipient: rfc822;{ADDRESS}
Action: failed
Status: {one.status or one.code[0] + ".0.0"}
Remote-MTA: dns; {HOST}
Diagnostic-Code: smtp; {_indented(one.reply)}
""",
    )


def _postfix_cut_mail(one: Wrapped) -> bytes:
    said = f"{HOST}[{IP}] said: {_joined(one.reply)} (in reply to RCPT TO command)"
    body = f"""This is the mail system at host mx.own.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system

<{ADDRESS}>: host {_folded(said)}
"""
    return _mail(
        "MAILER-DAEMON@mx.own.example (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
        body,
        "Auto-Submitted: auto-replied",
    )


def _qmail_mail(one: Wrapped) -> bytes:
    body = f"""Hi. This is the qmail-send program at mx.own.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{ADDRESS}>:
{IP} does not like recipient.
Remote host said: {one.reply}
Giving up on {IP}.

--- Below this line is a copy of the message.

{_ORIGINAL}"""
    return _mail("MAILER-DAEMON@mx.own.example", "failure notice", body)


def _plain_report_mail(one: Wrapped) -> bytes:
    """Return an RFC 3464 report that tells no command, with a status that tells nothing."""
    return _dsn(
        "Mail Delivery Subsystem <postmaster@mx.own.example>",
        "Delivery Status Notification (Failure)",
        f"Delivery to the following recipients failed.\n\n    {ADDRESS}\n",
        f"""Reporting-MTA: dns; mx.own.example

Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: {one.code[0]}.0.0
Diagnostic-Code: smtp; {_indented(one.reply)}
""",
    )


def _sendmail_mail(one: Wrapped) -> bytes:
    return _dsn(
        "Mail Delivery Subsystem <MAILER-DAEMON@mx.own.example>",
        "Returned mail: see transcript for details",
        f"""The original message was received at Mon, 5 Jan 2026 09:59:00 GMT
from app.own.example [192.0.2.9]

   ----- The following addresses had permanent fatal errors -----
<{ADDRESS}>
    (reason: {_joined(one.reply)[:120]})

   ----- Transcript of session follows -----
{_sendmail(one)}
""",
        f"""Reporting-MTA: dns; mx.own.example
Received-From-MTA: DNS; app.own.example
Arrival-Date: Mon, 5 Jan 2026 09:59:00 GMT

Final-Recipient: RFC822; {ADDRESS}
Action: failed
Status: {one.status or one.code[0] + ".0.0"}
Remote-MTA: DNS; {HOST}
Diagnostic-Code: SMTP; {_indented(one.reply)}
Last-Attempt-Date: Mon, 5 Jan 2026 10:00:00 GMT
""",
    )


def _exchange_mail(one: Wrapped) -> bytes:
    said = _joined(one.reply)
    return _dsn(
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@own.example>",
        "Undeliverable: News of January",
        f"""Delivery has failed to these recipients or groups:

{ADDRESS}
Your message wasn't delivered. Despite repeated attempts to contact the recipient's email system it didn't accept it.

Diagnostic information for administrators:

Generating server: mx.own.example

{ADDRESS}
Remote Server returned '{said}'
""",
        f"""Reporting-MTA: dns;mx.own.example
Received-From-MTA: dns;app.own.example
Arrival-Date: Mon, 5 Jan 2026 09:59:00 +0000

Final-Recipient: rfc822;{ADDRESS}
Action: failed
Status: {one.status or one.code[0] + ".0.0"}
Diagnostic-Code: smtp;{_indented(said)}
Remote-MTA: dns;{HOST}
""",
    )


def _gmail_mail(one: Wrapped) -> bytes:
    return _dsn(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        "Delivery Status Notification (Failure)",
        f"""
** Message not delivered **

There was a problem delivering your message to {ADDRESS}. See the technical details below.

The response from the remote server was:
{one.reply}
""",
        f"""Reporting-MTA: dns; googlemail.com
Arrival-Date: Mon, 05 Jan 2026 01:59:00 -0800 (PST)

Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: {one.status or one.code[0] + ".0.0"}
Remote-MTA: dns; {HOST}. ({IP}, the server for the domain kunde.example.)
Diagnostic-Code: smtp; {_indented(one.reply)}
Last-Attempt-Date: Mon, 05 Jan 2026 02:00:00 -0800 (PST)
""",
    )


MAILS: dict[str, Callable[[Wrapped], bytes]] = {
    "mail_exim": _exim_mail,
    "mail_postfix": _postfix_mail,
    "mail_postfix_cut": _postfix_cut_mail,
    "mail_qmail": _qmail_mail,
    "mail_plain_report": _plain_report_mail,
    "mail_sendmail": _sendmail_mail,
    "mail_exchange": _exchange_mail,
    "mail_gmail": _gmail_mail,
}
"""Frames by name, as whole mails."""


def _joined(reply: str) -> str:
    return " ".join(reply.split())


def _indented(reply: str) -> str:
    return "\n    ".join(line for line in reply.splitlines() if line.strip())


def _folded(text: str) -> str:
    """Fold as Postfix does in a notice: at blanks, about 70 characters a line, four blanks before those that follow."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 66 and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n    ".join(lines)


def _dsn(sender: str, subject: str, prose: str, report: str) -> bytes:
    body = f"""--=_boundary
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{prose}
--=_boundary
Content-Type: message/delivery-status

{report}
--=_boundary
Content-Type: message/rfc822

{_ORIGINAL}
--=_boundary--
"""
    return _mail(
        sender,
        subject,
        body,
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_boundary"',
        "Auto-Submitted: auto-replied",
    )
