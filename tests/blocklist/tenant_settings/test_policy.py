"""What each reason does."""

import pytest

from returpost.contracts.enums import Fault, Reason, VerdictType
from returpost.errors import InvalidMessage
from services.blocklist.tenant_settings.changes import SettingsChange, apply_change
from services.blocklist.tenant_settings.domain import DEFAULT_EFFECTS, Effect, Policy, choices, may_block

BLOCK, COUNT, IGNORE = Effect
BLOCKING = "user_unknown bad_address domain_unknown not_accepting moved complaint"
IGNORED = "suppressed unsubscribe auto_reply challenge delayed delivered"
COUNTED = """
    account_disabled recipient_refused mailbox_full
    system_full network_error expired system_error mailer_error protocol_error routing_loop rate_limited greylisted
    message_too_large content_rejected virus spam_content ip_blocked bad_reputation auth_failed ptr_required
    sender_rejected relay_denied policy security rfc_noncompliant tls_failed undetermined
"""


def test_the_default_is_the_designs_table() -> None:
    table = dict.fromkeys(BLOCKING.split(), BLOCK) | dict.fromkeys(IGNORED.split(), IGNORE)
    table |= dict.fromkeys(COUNTED.split(), COUNT)
    assert dict(DEFAULT_EFFECTS) == table


@pytest.mark.parametrize(
    ("reason", "possible"),
    [
        ("user_unknown", {BLOCK, COUNT, IGNORE}),
        ("mailbox_full", {BLOCK, COUNT, IGNORE}),
        ("complaint", {BLOCK, IGNORE}),
        ("ip_blocked", {COUNT, IGNORE}),
        ("network_error", {COUNT, IGNORE}),
        ("suppressed", {COUNT, IGNORE}),
        ("auto_reply", {IGNORE}),
    ],
)
def test_what_may_be_chosen(reason: str, possible: set[Effect]) -> None:
    assert set(choices(Reason(reason))) == possible


def test_every_default_may_be_chosen() -> None:
    assert all(effect in choices(reason) for reason, effect in DEFAULT_EFFECTS.items())


@pytest.mark.parametrize(
    ("type_", "reason", "fault", "dead", "may"),
    [
        ("hard", "user_unknown", "recipient", True, True),
        ("hard", "user_unknown", "recipient", False, False),
        ("hard", "user_unknown", "sender", True, False),
        ("soft", "user_unknown", "recipient", True, False),
        ("hard", "mailbox_full", "recipient", False, True),
        ("hard", "mailbox_full", "network", False, False),
        ("none", "complaint", "none", False, False),
    ],
)
def test_what_is_strong_enough_to_block_at_once(type_: str, reason: str, fault: str, dead: bool, may: bool) -> None:
    assert may_block(VerdictType(type_), Reason(reason), Fault(fault), dead_address=dead) is may


def test_a_change_keeps_what_it_leaves_out() -> None:
    policy = apply_change(Policy(), SettingsChange(accepted_bounces=2, reasons={Reason.MAILBOX_FULL: BLOCK}))
    again = apply_change(policy, SettingsChange(reasons={Reason.EXPIRED: IGNORE}))
    assert again.accepted_bounces == 2
    assert again.effects[Reason.MAILBOX_FULL] is BLOCK
    assert again.effects[Reason.EXPIRED] is IGNORE
    assert again.effects[Reason.MOVED] is BLOCK


def test_a_sender_side_fault_cannot_block_at_once() -> None:
    with pytest.raises(InvalidMessage, match=r"reasons\.ip_blocked"):
        apply_change(Policy(), SettingsChange(reasons={Reason.IP_BLOCKED: BLOCK}))
