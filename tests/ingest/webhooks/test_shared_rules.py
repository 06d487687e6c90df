"""What holds for every provider: mailings, texts, repeats, odd payloads."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.events.payloads import events_of_normalized
from returpost.bounces.providers import PROVIDERS, Ignored, NormalizedResult, Unreadable, normalize
from returpost.bounces.providers.normalized_result import mailing_of, moment
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.contracts import MAX_DIAGNOSTIC, BounceReceived, Reason, ids
from returpost.errors import InvalidMessage
from tests.ingest.webhooks import test_more_services as more, test_services as services, test_ses as ses
from tests.ingest.webhooks.builders import ANN, items

TABLES: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "ses": list(ses.CASES),
    "sendgrid": list(services.SENDGRID),
    "mailgun": list(services.MAILGUN),
    "postmark": list(services.POSTMARK),
    "sparkpost": list(services.SPARKPOST),
    **{name: list(table) for name, table in more.TABLES.items()},
}
EVERYTHING = [(provider, payload) for provider, table in TABLES.items() for payload, _ in table]
RULES = load()


def bounces(provider: str, payload: Any) -> list[BounceReceived]:
    return [
        event.data
        for item in items(provider, payload)
        if isinstance(item, NormalizedResult)
        for event in events_of_normalized(item, tenant="acme", sender=None)
        if isinstance(event.data, BounceReceived)
    ]


SAID = "it has a recent history of bouncing as an invalid address: 550 5.1.1 user unknown"
ECHOES = [
    (
        "ses",
        ses.bounce("Permanent", "OnAccountSuppressionList", {"emailAddress": ANN, "diagnosticCode": SAID}),
    ),
    *(
        ("sendgrid", services.sendgrid("dropped", reason=reason))
        for reason in ("Bounced Address", "Unsubscribed Address", "Spam Reporting Address", "Invalid")
    ),
    *(
        ("mailgun", services.mailgun("failed", severity="permanent", reason=f"suppress-{why}"))
        for why in ("bounce", "complaint", "unsubscribe")
    ),
    ("postmark", services.returned("ManuallyDeactivated", 100002)),
    *(
        ("mailjet", more.mailjet("blocked", error_related_to="recipient", error=error, comment=SAID))
        for error in ("preblocked", "blacklisted", "spam reporter")
    ),
    ("brevo", more.brevo("blocked", reason=SAID)),
    ("resend", more.resend("suppressed", suppressed={"message": SAID, "type": "OnAccountSuppressionList"})),
    ("azure", more.azure("Suppressed", SAID)),
    ("postal", more.postal("MessageHeld", "Held", "", f"on the suppression list: {SAID}")),
]


@pytest.mark.parametrize(("provider", "payload"), ECHOES, ids=lambda value: str(value)[:30])
def test_an_echo_of_an_earlier_failure_is_no_new_one(provider: str, payload: dict[str, Any]) -> None:
    (bounce,) = bounces(provider, payload)
    assert classify(bounce.evidence, RULES).reason is Reason.SUPPRESSED


def test_an_event_that_comes_again_makes_the_same_ids_and_other_events_make_others() -> None:
    def made() -> list[str]:
        return [
            event.id
            for provider, payload in EVERYTHING
            for item in items(provider, payload)
            if isinstance(item, NormalizedResult)
            for event in events_of_normalized(item, tenant="acme", sender=None)
        ]

    assert made() == made()


def test_ids_are_those_of_the_input() -> None:
    (found,) = items("sparkpost", services.failed("bounce", "10"))
    assert isinstance(found, NormalizedResult)
    first, second = events_of_normalized(found, tenant="acme", sender="news")
    cause = ids.of_input("acme", "/webhooks/sparkpost", ids.of_input("acme", "/webhooks/sparkpost", "9235"))
    assert [first.id, second.id] == [ids.derived(cause, event.data.TYPE) for event in (first, second)]
    assert isinstance(second.data, BounceReceived)
    assert first.data.sender == second.data.sender == "news"
    assert (second.data.evidence.format, second.data.evidence.status) == ("sparkpost", "5.1.1")


@pytest.mark.parametrize(
    ("meta", "tags", "campaign", "message", "mailing"),
    [
        ({"returpost_mailing": "a", "mailing": "b"}, ["mailing:c"], "d", "e", "a"),
        ({"mailing": "b"}, ["mailing:c"], "d", "e", "b"),
        ({}, ["welcome", "mailing:c"], "d", "e", "c"),
        ({}, "mailing:c", "d", "e", "c"),
        ({}, ["welcome"], 4, "e", "4"),
    ],
)
def test_the_mailing_is_what_is_told_most_clearly(
    meta: dict[str, str], tags: Any, campaign: Any, message: str, mailing: str
) -> None:
    assert mailing_of(meta, tags, campaign, message) == mailing


def test_without_anything_there_is_no_mailing() -> None:
    with pytest.raises(InvalidMessage, match="mailing"):
        mailing_of({}, None, None, "")


def test_a_long_text_is_cut_and_the_codes_stay() -> None:
    (found,) = items("ses", ses.bounce("Permanent", "General", {"emailAddress": ANN, "diagnosticCode": "x" * 9_000}))
    assert isinstance(found, NormalizedResult)
    assert len(found.evidence.diagnostic) == MAX_DIAGNOSTIC
    assert (found.evidence.provider, found.evidence.provider_codes) == ("ses", ("Permanent", "General"))


@pytest.mark.parametrize("value", [None, "", "soon", [], {}, "nan", "1e400", "2026-02-30T00:00:00Z"])
def test_a_time_that_is_none_is_told(value: Any) -> None:
    with pytest.raises(InvalidMessage, match="time"):
        moment(value)


def test_metadata_name_sender_contact_and_attempt() -> None:
    meta = {"returpost_mailing": "m", "returpost_sender": "news", "returpost_contact": "c1", "returpost_attempt": 2}
    (found,) = items("mailgun", services.mailgun("delivered", **{"user-variables": meta}))
    assert isinstance(found, NormalizedResult)
    assert (found.result.sender, found.result.contact, found.result.attempt) == ("news", "c1", 2)
    (event,) = events_of_normalized(found, tenant="acme", sender="other")
    assert event.data.sender == "news"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ODD = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
)


def replaced(value: Any, path: list[int], odd: Any) -> Any:
    """Put something odd at a place of the payload."""
    if not isinstance(value, dict) or not value or not path:
        return odd
    names = list(value)
    name = names[path[0] % len(names)]
    return value | {name: replaced(value[name], path[1:], odd)}


@given(st.sampled_from(EVERYTHING), st.lists(st.integers(0, 20), max_size=4), ODD)
def test_whatever_stands_in_a_field_the_event_is_told_of(case: tuple[str, Any], path: list[int], odd: Any) -> None:
    provider, payload = case
    body = json.dumps(replaced(payload, path, odd)).encode()
    told = list(normalize(provider, body))
    assert told or body in (b"[]", b"{}")
    assert all(isinstance(item, (NormalizedResult, Ignored, Unreadable)) for item in told)
    for item in told:
        if isinstance(item, NormalizedResult):
            list(events_of_normalized(item, tenant="acme", sender=None))
        if isinstance(item, Unreadable):
            assert ANN not in item.error


@given(st.sampled_from(sorted(PROVIDERS)), st.binary(max_size=300))
def test_any_bytes_are_read(provider: str, body: bytes) -> None:
    assert all(isinstance(item, Unreadable) for item in normalize(provider, body))
