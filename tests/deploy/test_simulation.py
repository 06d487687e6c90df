"""The simulated mailing: the same seed the same bytes, shares near the mix, and an outcome that can be counted."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from deploy.demo.people import contacts_csv
from deploy.demo.replies import HARD, RECEIVERS, SOFT
from deploy.demo.simulation import (
    JUNK,
    MESSAGE_EVENTS,
    Mailing,
    Mix,
    answer,
    expected,
    recipient,
    recipients,
    results,
    simulate,
)
from returpost.contracts import ContactUpsert, DeliveryResult, RetryRequested
from returpost.contracts.cloudevents import decode
from returpost.contracts.enums import Reason, Result, VerdictType
from returpost.errors import InvalidSettings
from services.actions.contacts import csv_import

mailings = st.builds(
    Mailing,
    recipients=st.integers(1, 300),
    seed=st.integers(0, 2**32),
    duplicates=st.floats(0, 0.5),
    disorder=st.booleans(),
    junk=st.floats(0, 0.5),
    mix=st.builds(Mix, hard=st.floats(0, 0.4), soft=st.floats(0, 0.4), opened=st.floats(0, 1)),
)


@settings(max_examples=25, deadline=None)
@given(mailings)
def test_the_same_mailing_is_the_same_bytes(mailing: Mailing) -> None:
    assert list(simulate(mailing)) == list(simulate(mailing))


def test_another_seed_is_another_mailing() -> None:
    assert list(simulate(Mailing(100, seed=1))) != list(simulate(Mailing(100, seed=2)))


@settings(max_examples=25, deadline=None)
@given(mailings)
def test_every_result_is_in_the_messages_and_only_repeats_come_twice(mailing: Mailing) -> None:
    wanted = Counter({event.id: 1 for event in results(mailing)})
    found: Counter[str] = Counter()
    for body in simulate(mailing):
        if body not in JUNK:
            events, rejected = decode(DeliveryResult, body)
            assert not rejected
            assert len(events) <= MESSAGE_EVENTS
            found.update(event.id for event in events)
    assert set(found) == set(wanted)
    assert max(found.values()) <= 2
    if mailing.duplicates == 0:
        assert found == wanted


def test_junk_is_rejected_by_the_contract() -> None:
    for body in JUNK:
        events, rejected = decode(DeliveryResult, body)
        assert not events
        assert len(rejected) == 1


def test_shares_are_near_the_mix() -> None:
    mailing = Mailing(20_000, seed=3)
    people = list(recipients(mailing))
    hard = sum(one.reply is not None and one.reply.type is VerdictType.HARD for one in people)
    soft = sum(one.reply is not None and one.reply.type is VerdictType.SOFT for one in people)
    delivered = len(people) - hard - soft
    assert hard / len(people) == pytest.approx(mailing.mix.hard, abs=0.01)
    assert soft / len(people) == pytest.approx(mailing.mix.soft, abs=0.01)
    assert sum(one.opened for one in people) / delivered == pytest.approx(mailing.mix.opened, abs=0.02)
    assert sum(one.complained for one in people) / delivered == pytest.approx(mailing.mix.complained, abs=0.003)
    domains = Counter(one.receiver.domain for one in people)
    for receiver in RECEIVERS:
        assert domains[receiver.domain] / len(people) == pytest.approx(receiver.share, abs=0.015)


def test_addresses_are_all_different() -> None:
    assert len({one.address for one in recipients(Mailing(5_000))}) == 5_000


@settings(max_examples=25, deadline=None)
@given(mailings, st.integers(0, 6))
def test_what_is_expected_is_what_happens_when_the_commands_are_obeyed(mailing: Mailing, retries: int) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    seen: Counter[Result] = Counter()
    bounces: Counter[tuple[VerdictType, Reason]] = Counter()
    recovered = exhausted = 0
    for event in results(mailing):
        seen[event.data.result] += 1
        one = recipient(mailing, int(event.data.address.partition("@")[0].rpartition(".")[2]))
        if event.data.result is not Result.BOUNCED:
            continue
        assert one.reply is not None
        bounces[one.reply.type, one.reply.reason] += 1
        if one.reply.type is VerdictType.HARD:
            continue
        for attempt in range(2, retries + 2):
            again = answer(mailing, _command(mailing, one.address, attempt), now)
            seen[again.data.result] += 1
            if again.data.result is Result.DELIVERED:
                recovered += 1
                break
            bounces[one.reply.type, one.reply.reason] += 1
        else:
            exhausted += 1
    outcome = expected(mailing, retries)
    assert outcome.verdicts == bounces
    assert (outcome.recovered, outcome.exhausted) == (recovered, exhausted)
    assert outcome.results == seen.total()
    assert outcome.opened == seen[Result.OPENED]
    assert outcome.complained == seen[Result.COMPLAINED]
    assert outcome.statuses.total() == mailing.recipients
    assert outcome.statuses["hard_bounced"] + outcome.recovered == sum(
        one.reply is not None for one in recipients(mailing)
    )


def test_an_answer_has_its_own_id_and_the_same_for_a_repeated_command() -> None:
    mailing = Mailing(1, mix=Mix(hard=0, soft=1, heals_at=()))
    address = recipient(mailing, 0).address
    now = datetime(2026, 1, 2, tzinfo=UTC)
    ids = [answer(mailing, _command(mailing, address, attempt), now).id for attempt in (2, 2, 3)]
    assert ids[0] == ids[1] != ids[2]
    assert next(results(mailing)).id not in ids


@pytest.mark.parametrize("address", ["ann@example.com", "ann.berg.000001@gmail.example"])
def test_a_command_for_a_stranger_is_refused(address: str) -> None:
    mailing = Mailing(1)
    with pytest.raises(InvalidSettings, match="recipient"):
        answer(mailing, _command(mailing, address, 2), mailing.start)


@pytest.mark.parametrize("wrong", [{"hard": -0.1}, {"hard": 0.6, "soft": 0.5}, {"heals_at": (0.9, 0.2)}])
def test_a_mix_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings, match="mix"):
        Mix(**wrong)


@pytest.mark.parametrize("reply", [*HARD, *SOFT])
def test_replies_are_filled_in(reply: object) -> None:
    for number in range(2_000):
        mailing = replace(Mailing(2_000), mix=Mix(hard=0.5, soft=0.5))
        one = recipient(mailing, number)
        if one.reply is reply:
            text = next(e for e in results(replace(mailing, recipients=number + 1)) if e.data.address == one.address)
            assert "{" not in text.data.diagnostic
            return
    pytest.fail("never chosen")


def _command(mailing: Mailing, address: str, attempt: int) -> RetryRequested:
    return RetryRequested(
        mailing=mailing.mailing,
        address=address,
        sender=mailing.sender,
        attempt=attempt,
        due=mailing.start,
        reason=Reason.GREYLISTED,
    )


def test_most_recipients_are_persons_of_a_crm() -> None:
    mailing = Mailing(1_000)
    read = list(csv_import.read(contacts_csv(mailing), mailing.start))
    persons = [one for one in read if isinstance(one, ContactUpsert)]
    assert len(persons) == len(read)
    assert 850 < len(persons) < 950
    addresses = {one.address for one in recipients(mailing)}
    assert {address for person in persons for address in person.addresses or ()} <= addresses
    assert all(person.name and " " in person.name for person in persons)
    assert contacts_csv(mailing) == contacts_csv(Mailing(1_000))
