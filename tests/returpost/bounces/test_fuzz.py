"""Mutated mails and webhook bodies: no exception, no mail over a quarter of a second, no memory that grows.

`RETURPOST_FUZZ=100000` runs as many of each, and with `-s` tells the slowest mail and the growth; a sample otherwise.
"""

import json
import os
import random
import resource
import sys
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy.demo.samples import paths
from returpost.bounces import parse
from returpost.bounces.providers import PROVIDERS, normalize
from tests.returpost.bounces.mail.test_notices import MAILS

COUNT = int(os.environ.get("RETURPOST_FUZZ", "1500"))
SLOWEST = 0.25 if "RETURPOST_FUZZ" in os.environ else 1.25
"""Seconds of CPU time; the sample also runs on machines that are much slower."""
MEMORY = 50 * 1024
"""Kilobytes by which all of it may let the process grow."""

SEEDS = [path.read_bytes() for path in paths()] + [body for _, body, _, _ in MAILS]
NOISE = (
    b"\x00",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\n--",
    b"=?utf-8?b?",
    b"<",
    b">",
    b"@",
    b"\xff\xfe",
    b"\x1b$B",
    b";",
    b"A" * 2000,
)
BODIES: dict[str, Any] = {
    "mailersend": {
        "type": "activity.hard_bounced",
        "created_at": "2026-11-09T08:00:00.000000Z",
        "data": {
            "id": "a1",
            "type": "hard_bounced",
            "recipient": "a@example.com",
            "message_id": "x",
            "tags": ["mailing:m"],
            "meta": {"bounce_code": 550, "bounce_reason": "550 no"},
        },
    },
    "mailtrap": {
        "events": [
            {
                "event": "bounce",
                "email": "a@example.com",
                "timestamp": 1764000000,
                "event_id": "e",
                "message_id": "x",
                "response": "550 no",
                "response_code": 550,
                "custom_variables": {"mailing": "m"},
            }
        ]
    },
    "unisender-go": {
        "auth": "0",
        "events_by_user": [
            {
                "events": [
                    {
                        "event_name": "transactional_email_status",
                        "event_data": {
                            "job_id": "x",
                            "email": "a@example.com",
                            "status": "hard_bounced",
                            "event_time": "2026-11-09 08:00:00",
                            "metadata": {"mailing": "m"},
                            "delivery_info": {"delivery_status": "err_user_unknown", "destination_response": "550 no"},
                        },
                    }
                ]
            }
        ],
    },
    "lettermint": {
        "id": "w1",
        "event": "message.hard_bounced",
        "timestamp": "2026-11-09T08:00:00.000Z",
        "data": {
            "message_id": "x",
            "recipient": "a@example.com",
            "response": {"status_code": 550, "enhanced_status_code": "5.1.1", "content": "550 no"},
            "metadata": {"mailing": "m"},
        },
    },
    "scaleway": {
        "id": "s1",
        "type": "email_mailbox_not_found",
        "created_at": "2026-11-09T08:00:00Z",
        "email_id": "x",
        "email_to": "a@example.com",
        "email_headers": [{"key": "X-Returpost-Mailing", "value": "m"}],
        "email_response_code": 550,
        "email_response_message": "550 no",
    },
    "cloudflare": {
        "type": "cf.email.sending.message.bounced",
        "payload": {
            "eventId": "c1",
            "messageId": "x",
            "recipient": "a@example.com",
            "delivery": {"status": "bounced", "smtpStatusCode": "550", "smtpResponse": "550 no"},
            "bounce": {"type": "hard", "classification": "permanent_failure", "reason": "550 no"},
        },
        "metadata": {"eventTimestamp": "2026-11-09T08:00:00.000Z"},
    },
    "sendgrid": [
        {"event": "bounce", "email": "a@example.com", "timestamp": 1764000000, "reason": "550 no", "mailing": "m"}
    ],
    "mailgun": {
        "signature": {},
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "recipient": "a@example.com",
            "timestamp": 1764000000.5,
            "id": "x",
            "delivery-status": {"code": 550, "message": "no"},
            "tags": ["mailing:m"],
        },
    },
    "postmark": {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "Email": "a@example.com",
        "ID": 1,
        "Tag": "m",
        "BouncedAt": "2026-11-09T08:00:00Z",
        "Details": "550 no",
        "MessageID": "x",
    },
    "sparkpost": [
        {
            "msys": {
                "message_event": {
                    "type": "bounce",
                    "rcpt_to": "a@example.com",
                    "timestamp": "1764000000",
                    "raw_reason": "550 no",
                    "event_id": "1",
                    "campaign_id": "m",
                }
            }
        }
    ],
    "mailjet": [
        {
            "event": "bounce",
            "time": 1764000000,
            "email": "a@example.com",
            "MessageID": 1,
            "error": "user unknown",
            "hard_bounce": True,
            "customcampaign": "m",
        }
    ],
    "brevo": {
        "event": "hard_bounce",
        "email": "a@example.com",
        "ts_event": 1764000000,
        "reason": "no",
        "message-id": "<x>",
        "tags": ["mailing:m"],
        "id": 1,
    },
    "mandrill": [
        {
            "event": "hard_bounce",
            "ts": 1764000000,
            "_id": "x",
            "msg": {"email": "a@example.com", "diag": "550 no", "tags": ["mailing:m"], "metadata": {"mailing": "m"}},
        }
    ],
    "resend": {
        "type": "email.bounced",
        "created_at": "2026-11-09T08:00:00Z",
        "data": {
            "to": ["a@example.com"],
            "email_id": "x",
            "bounce": {"message": "550 no", "type": "Permanent"},
            "tags": {"mailing": "m"},
        },
    },
    "azure": [
        {
            "eventType": "Microsoft.Communication.EmailDeliveryReportReceived",
            "id": "1",
            "eventTime": "2026-11-09T08:00:00Z",
            "data": {
                "recipient": "a@example.com",
                "messageId": "x",
                "status": "Bounced",
                "deliveryStatusDetails": {"statusMessage": "550 no"},
                "deliveryAttemptTimeStamp": "2026-11-09T08:00:00Z",
            },
        }
    ],
    "postal": {
        "event": "MessageDeliveryFailed",
        "timestamp": 1764000000.5,
        "uuid": "x",
        "payload": {
            "message": {"to": "a@example.com", "tag": "m", "message_id": "x"},
            "status": "HardFail",
            "output": "550 no",
        },
    },
    "kumomta": {
        "type": "Bounce",
        "recipient": "a@example.com",
        "timestamp": 1764000000,
        "id": "x",
        "meta": {"mailing": "m"},
        "response": {"code": 550, "enhanced_code": {"class": 5, "subject": 1, "detail": 1}, "content": "no"},
    },
    "ses": {
        "Type": "Notification",
        "MessageId": "x",
        "Message": json.dumps(
            {
                "notificationType": "Bounce",
                "mail": {
                    "messageId": "x",
                    "timestamp": "2026-11-09T08:00:00Z",
                    "headers": [{"name": "X", "value": "y"}],
                },
                "bounce": {
                    "bounceType": "Permanent",
                    "timestamp": "2026-11-09T08:00:00Z",
                    "feedbackId": "f",
                    "bouncedRecipients": [
                        {"emailAddress": "a@example.com", "status": "5.1.1", "diagnosticCode": "smtp; 550 no"}
                    ],
                },
            }
        ),
    },
}
ODD: tuple[Any, ...] = (
    None, True, -1, 1e308, 10**30, "", "\x00", "\ud800", "9" * 400, [], {}, [[]], {"a": {}}, "a@b", "Infinity",
)  # fmt: skip


def mutated(body: bytes, chosen: random.Random) -> bytes:
    """Return the mail with one to six changes."""
    for _ in range(chosen.randint(1, 6)):
        at, to = sorted((chosen.randrange(len(body) + 1), chosen.randrange(len(body) + 1)))
        match chosen.randrange(8):
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + chosen.choice(NOISE) * chosen.randint(1, 8) + body[at:]
            case 2:
                body = body[:at] + chosen.choice(SEEDS)[chosen.randrange(800) :]
            case 3:
                body = body[:at] + body[to:]
            case 4:
                body = body[:to] + body[at:to] * chosen.randint(1, 6) + body[to:]
            case 5:
                lines = body.split(b"\n")
                chosen.shuffle(lines)
                body = b"\n".join(lines)
            case 6:
                body = body[:at] + chosen.randbytes(chosen.randint(1, 30)) + body[at + 3 :]
            case _:
                body = body.replace(b"\n", chosen.choice((b"\r\n", b"\r", b"\n ", b"\n\n")))
        body = body[:200_000]
    return body


def mangled(value: Any, chosen: random.Random, left: list[int]) -> Any:
    """Return the value with odd ones in some places, and some keys left out."""
    if left[0] > 0 and chosen.random() < 0.15:
        left[0] -= 1
        return chosen.choice(ODD)
    if isinstance(value, dict):
        return {key: mangled(one, chosen, left) for key, one in value.items() if chosen.random() > 0.03}
    if isinstance(value, list):
        return [mangled(one, chosen, left) for one in value for _ in range(chosen.choice((1, 1, 1, 2)))]
    if isinstance(value, str) and value[:1] == "{":
        return json.dumps(mangled(json.loads(value), chosen, left))
    return value


def grown(before: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_mutated_mails_are_read() -> None:
    chosen = random.Random(20261109)
    for body in SEEDS:
        parse(body)
    before, slowest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
    for number in range(COUNT):
        body = mutated(chosen.choice(SEEDS), chosen)
        started = time.process_time()
        try:
            mail = parse(body)
        except Exception as error:  # noqa: BLE001 - whatever it is
            pytest.fail(f"mail {number}: {error!r}\n{body[:4000]!r}")
        spent = time.process_time() - started
        slowest = max(slowest, spent)
        assert spent < SLOWEST, f"mail {number}: {spent:.3f} s\n{body[:4000]!r}"
        assert all(report.recipient for report in mail.reports)
    sys.stdout.write(f"slowest mail {slowest * 1000:.1f} ms, memory grew by {grown(before) / 1024:.1f} MB\n")
    assert grown(before) < MEMORY


def test_mutated_webhook_bodies_are_read() -> None:
    assert set(BODIES) == set(PROVIDERS)
    chosen = random.Random(20261109)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(COUNT):
        name = chosen.choice(sorted(BODIES))
        body = json.dumps(mangled(BODIES[name], chosen, [3])).encode()
        if name == "mandrill":
            body = urlencode({"mandrill_events": body}).encode()
        if chosen.random() < 0.3:
            body = mutated(body, chosen)
        try:
            list(normalize(name, body))
        except Exception as error:  # noqa: BLE001 - whatever it is
            pytest.fail(f"body {number} of {name}: {error!r}\n{body[:4000]!r}")
    sys.stdout.write(f"webhooks: memory grew by {grown(before) / 1024:.1f} MB\n")
    assert grown(before) < MEMORY
