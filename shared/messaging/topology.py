"""The topology: exchanges, queues, bindings and broker users, in one place.

What is declared at a broker (`returpost topology apply`), the RabbitMQ definitions in `deploy/` and the permissions all
come from here. The running services declare nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from returpost.contracts.routing import (
    ANSWERS,
    ARCHIVE,
    BLOCKS,
    CHANGES,
    COMMANDS,
    CONSUMERS,
    DEAD,
    DEAD_LETTERS,
    EVENTS,
    OUTCOMES,
    PARKED,
    REPLAY,
    REPLAY_OUTCOMES,
    REVOCATIONS,
    sender_mailing_queue,
    sender_queue,
)

DELIVERY_LIMIT = 50
"""A shutdown or a lost connection counts as a delivery of every prefetched message: far above a bad night's."""
NO_DELIVERY_LIMIT = 1_000_000_000
"""For queues whose messages have nowhere else to go: RabbitMQ 4 drops a message after 20 deliveries where nothing is
said, and RabbitMQ 3 knows no number for "never" (https://www.rabbitmq.com/docs/quorum-queues#repeated-requeues)."""
ARCHIVE_BYTES = 20_000_000_000
STREAM_DAYS = 30
"""How long streams keep events, addresses among them, where no setting says otherwise."""
POLICY_PRIORITY = 1
"""Above a broker's own policy for everything."""
REVOCATION_DAYS = 7
"""What is revoked is said again each day; whoever reads from the first event on has all of it."""
REVOCATION_BYTES = 100_000_000
CONSUMERS_BYTES = 10_000_000
"""Some 20,000 pauses; what is older is let go of, be it still in force or not."""
BLOCKS_BYTES = CHANGES_BYTES = 5_000_000_000
SEGMENT_BYTES = 100_000_000
BLOCKS_SEGMENT_BYTES = 10_000_000
"""A stream lets go of whole files, and never of the one that it writes to: small ones let addresses go in time, after
some 20,000 blocks each (https://www.rabbitmq.com/docs/streams#retention)."""

ALERTING = (
    *(("storm", "started"), ("storm", "ended"), ("consumer", "paused"), ("consumer", "resumed")),
    *(("dead-letter-group", "opened"), ("webhook", "disabled"), ("secret", "expiring"), ("import", "finished")),
    *(("report", "prepared"), ("mailing", "breached")),
)
"""Nouns and verbs of the events that people are alerted to."""

Tenants = Mapping[str, tuple[str, ...]]
"""Senders or CRMs by name, each with the tenants that it is limited to; none named: all."""


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    type: Literal["topic", "fanout", "direct"]


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    bindings: tuple[Binding, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    """What it is, for ever: numbers that may change are in its policy."""

    @property
    def is_stream(self) -> bool:
        """Whether reading takes nothing away."""
        return self.arguments.get("x-queue-type") == "stream"


@dataclass(frozen=True, slots=True)
class Policy:
    """Ages, lengths and limits of the queues of a pattern: RabbitMQ applies a change at once and loses nothing.

    https://www.rabbitmq.com/docs/policies
    """

    name: str
    pattern: str
    definition: dict[str, Any]

    def arguments(self) -> dict[str, Any]:
        """Return the same as arguments of a queue, for brokers at which no policy can be set."""
        return {f"x-{key}": value for key, value in self.definition.items()}


@dataclass(frozen=True, slots=True)
class User:
    """A broker user: regular expressions over names (https://www.rabbitmq.com/docs/access-control)."""

    name: str
    configure: str
    write: str
    read: str
    topics: tuple[tuple[str, str, str], ...] = ()
    """(exchange, write pattern, read pattern) over routing keys."""


EXCHANGES = (
    Exchange(EVENTS, "topic"),
    Exchange(COMMANDS, "topic"),
    Exchange(DEAD, "fanout"),
    Exchange(REPLAY, "direct"),
    Exchange(REPLAY_OUTCOMES, "fanout"),
)


def _quorum(name: str, *bindings: Binding) -> Queue:
    # At-least-once dead-lettering needs reject-publish: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return Queue(name, (*bindings, Binding(REPLAY, name)), arguments)


def _stream(name: str, *bindings: Binding, segment: int = SEGMENT_BYTES) -> Queue:
    return Queue(name, bindings, {"x-queue-type": "stream", "x-stream-max-segment-size-bytes": segment})


def policies(stream_days: int = STREAM_DAYS) -> tuple[Policy, ...]:
    """Every policy. Each queue is in one; another of a higher priority takes its place."""
    age, revocations = f"{stream_days}D", f"{REVOCATION_DAYS}D"
    return (
        _policy(
            "work",
            r"^((ingest|classifier|blocklist|actions|alerts|sender)\.|replay\.(consumer|address)-)",
            {"delivery-limit": DELIVERY_LIMIT},
        ),
        _policy("kept", _exact(DEAD_LETTERS, OUTCOMES, PARKED), {"delivery-limit": NO_DELIVERY_LIMIT}),
        _policy("archive", _exact(ARCHIVE), {"max-length-bytes": ARCHIVE_BYTES, "max-age": age}),
        _policy("blocks", _exact(BLOCKS), {"max-length-bytes": BLOCKS_BYTES, "max-age": age}),
        _policy("changes", _exact(CHANGES), {"max-length-bytes": CHANGES_BYTES, "max-age": age}),
        _policy("revocations", _exact(REVOCATIONS), {"max-length-bytes": REVOCATION_BYTES, "max-age": revocations}),
        _policy("consumers", _exact(CONSUMERS), {"max-length-bytes": CONSUMERS_BYTES}),
    )


def _policy(name: str, pattern: str, definition: dict[str, Any]) -> Policy:
    # Leaders spread over the nodes, instead of all on the one that was asked.
    return Policy(f"returpost-{name}", pattern, {"queue-leader-locator": "balanced", **definition})


def policy_of(queue: str, among: Iterable[Policy]) -> Policy:
    """Return the policy of a queue."""
    return next(policy for policy in among if re.search(policy.pattern, queue))


def queues(senders: Iterable[str] = ("default",), group_size: int | None = None) -> tuple[Queue, ...]:
    """Every queue and stream, with two for the commands to each sender: retries, and pauses of mailings.

    `group_size` says on how many nodes of a cluster each is kept; not said, RabbitMQ decides.
    """
    found = _queues(senders)
    if group_size is None:
        return found
    return tuple(replace(queue, arguments=queue.arguments | _group(queue, group_size)) for queue in found)


def streams() -> tuple[str, ...]:
    """Return the names of all streams."""
    return tuple(queue.name for queue in _queues(()) if queue.is_stream)


def _group(queue: Queue, size: int) -> dict[str, Any]:
    return {"x-initial-cluster-size" if queue.is_stream else "x-quorum-initial-group-size": size}


def _queues(senders: Iterable[str]) -> tuple[Queue, ...]:
    return (
        _quorum("ingest.delivery-result", Binding(COMMANDS, "delivery.result.#")),
        _quorum("ingest.address-validate", Binding(COMMANDS, "address.validate.*")),
        _quorum("ingest.kumomta-log", Binding(COMMANDS, "kumomta.log.*.*")),
        _quorum("ingest.provider-payload-process", Binding(COMMANDS, "provider-payload.process.*")),
        _quorum("ingest.raw-message-store", Binding(COMMANDS, "raw-message.store.*")),
        _quorum("ingest.address-erased", Binding(EVENTS, "address.erased.*")),
        _quorum("classifier.bounce-received", Binding(EVENTS, "bounce.received.*")),
        _quorum("classifier.delivery-recorded", Binding(EVENTS, "delivery.recorded.*.delivered")),
        _quorum("classifier.address-blocked", Binding(EVENTS, "address.blocked.*")),
        _quorum("classifier.address-unblocked", Binding(EVENTS, "address.unblocked.*")),
        _quorum("classifier.address-erased", Binding(EVENTS, "address.erased.*")),
        _quorum("classifier.mailing-pause", Binding(COMMANDS, "mailing.pause.*.*")),
        _quorum("classifier.mailing-resume", Binding(COMMANDS, "mailing.resume.*.*")),
        _quorum(
            "blocklist.delivery-recorded",
            Binding(EVENTS, "delivery.recorded.*.delivered"),
            Binding(EVENTS, "delivery.recorded.*.complained"),
            Binding(EVENTS, "delivery.recorded.*.unsubscribed"),
        ),
        _quorum("blocklist.bounce-classified", Binding(EVENTS, "bounce.classified.*")),
        _quorum("blocklist.block-set", Binding(COMMANDS, "block.set.*")),
        _quorum("blocklist.block-clear", Binding(COMMANDS, "block.clear.*")),
        _quorum("blocklist.suppression-set", Binding(COMMANDS, "suppression.set.*")),
        _quorum("blocklist.suppression-lift", Binding(COMMANDS, "suppression.lift.*")),
        _quorum("blocklist.subscription-confirmed", Binding(COMMANDS, "subscription.confirmed.*")),
        _quorum("blocklist.block-undo", Binding(COMMANDS, "block.undo.*")),
        _quorum("blocklist.address-erase", Binding(COMMANDS, "address.erase.*")),
        _quorum("blocklist.address-correct", Binding(COMMANDS, "address.correct.*")),
        _quorum("blocklist.address-check", Binding(COMMANDS, "address.check.*")),
        _quorum("actions.delivery-recorded", Binding(EVENTS, "delivery.recorded.#")),
        _quorum("actions.bounce-classified", Binding(EVENTS, "bounce.classified.*")),
        _quorum("actions.address-blocked", Binding(EVENTS, "address.blocked.*")),
        _quorum("actions.address-unblocked", Binding(EVENTS, "address.unblocked.*")),
        _quorum("actions.address-erased", Binding(EVENTS, "address.erased.*")),
        _quorum("actions.block-cleared", Binding(EVENTS, "block.cleared.*")),
        _quorum("actions.block-applied", Binding(EVENTS, "block.applied.*")),
        _quorum("actions.storm-started", Binding(EVENTS, "storm.started.*")),
        _quorum("actions.storm-ended", Binding(EVENTS, "storm.ended.*")),
        _quorum("actions.contact-upsert", Binding(COMMANDS, "contact.upsert.*")),
        _quorum("actions.selection-upsert", Binding(COMMANDS, "selection.upsert.*")),
        _quorum("actions.project-upsert", Binding(COMMANDS, "project.upsert.*")),
        _quorum("actions.mailing-upsert", Binding(COMMANDS, "mailing.upsert.*")),
        _quorum("actions.operation-requested", Binding(COMMANDS, "operation.requested.*")),
        _quorum("replay.address-erased", Binding(EVENTS, "address.erased.*")),
        _quorum("replay.consumer-paused", Binding(EVENTS, "consumer.paused.*.operator")),
        _quorum("replay.consumer-resumed", Binding(EVENTS, "consumer.resumed.*.operator")),
        _quorum("replay.consumer-drained", Binding(EVENTS, "consumer.drained.*")),
        *(_quorum(f"alerts.{noun}-{verb}", Binding(EVENTS, f"{noun}.{verb}.#")) for noun, verb in ALERTING),
        _quorum("alerts.mailing-pause", Binding(COMMANDS, "mailing.pause.*.*")),
        Queue(DEAD_LETTERS, (Binding(DEAD, ""),), {"x-queue-type": "quorum"}),
        Queue(PARKED, (Binding(REPLAY, PARKED),), {"x-queue-type": "quorum"}),
        Queue(OUTCOMES, (Binding(REPLAY_OUTCOMES, ""),), {"x-queue-type": "quorum"}),
        *(_quorum(sender_queue(sender), Binding(COMMANDS, f"retry.requested.*.{sender}")) for sender in senders),
        *(
            _quorum(
                sender_mailing_queue(sender),
                Binding(COMMANDS, f"mailing.pause.*.{sender}"),
                Binding(COMMANDS, f"mailing.resume.*.{sender}"),
            )
            for sender in senders
        ),
        _stream(ARCHIVE, Binding(EVENTS, "#")),
        _stream(
            BLOCKS,
            Binding(EVENTS, "address.blocked.*"),
            Binding(EVENTS, "address.unblocked.*"),
            Binding(EVENTS, "address.erased.*"),
            Binding(EVENTS, "domain.blocked.*"),
            Binding(EVENTS, "domain.unblocked.*"),
            segment=BLOCKS_SEGMENT_BYTES,
        ),
        _stream(
            CHANGES,
            *(Binding(EVENTS, f"{noun}.changed.*") for noun in ("contact", "selection", "project")),
            *(Binding(EVENTS, f"address.{verb}.*") for verb in ("corrected", "validated")),
            *(Binding(EVENTS, f"storm.{verb}.*") for verb in ("started", "ended")),
            Binding(EVENTS, "mailing.breached.*"),
            Binding(EVENTS, "operation.finished.*"),
        ),
        _stream(REVOCATIONS, Binding(EVENTS, "token.revoked.*"), segment=REVOCATION_BYTES // 10),
        _stream(
            CONSUMERS,
            Binding(EVENTS, "consumer.paused.*.operator"),
            Binding(EVENTS, "consumer.resumed.*.operator"),
            segment=CONSUMERS_BYTES // 10,
        ),
    )


def binding_matches(pattern: str, routing_key: str) -> bool:
    """Tell whether a binding key of a topic exchange matches a routing key; `#` only at its end."""
    wanted, given = pattern.split("."), routing_key.split(".")
    if wanted[-1] == "#":
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    return len(wanted) == len(given) and all(word in ("*", other) for word, other in zip(wanted, given, strict=True))


def service_users() -> tuple[User, ...]:
    """A user a service: reads its queues and which tokens are revoked, writes where it publishes, declares nothing."""
    return (
        _service(
            "ingest",
            write=(EVENTS, COMMANDS),
            topics=(
                (EVENTS, r"^(delivery\.recorded|bounce\.received|address\.validated)\."),
                (COMMANDS, r"^(raw-message\.store|provider-payload\.process)\."),
            ),
        ),
        _service(
            "classifier",
            write=(EVENTS, COMMANDS),
            topics=((EVENTS, r"^(bounce\.classified|settings\.changed)\."), (COMMANDS, r"^retry\.requested\.")),
        ),
        _service(
            "blocklist",
            read=(BLOCKS,),
            write=(EVENTS, ANSWERS),
            topics=(
                (
                    EVENTS,
                    (
                        r"^(address\.(blocked|unblocked|erased|corrected)|block\.(cleared|applied)|settings\.changed"
                        r"|storm\.(started|ended)|webhook\.disabled|domain\.(blocked|unblocked)|import\.finished"
                        r"|secret\.expiring)\."
                    ),
                ),
            ),
        ),
        _service(
            "actions",
            write=(EVENTS, COMMANDS),
            topics=(
                (
                    EVENTS,
                    (
                        r"^(operation\.(progressed|finished)|(contact|selection|project)\.changed|token\.revoked"
                        r"|secret\.expiring|report\.prepared|mailing\.breached|settings\.changed)\."
                    ),
                ),
                (
                    COMMANDS,
                    (
                        r"^(block\.(set|clear|undo)|suppression\.(set|lift)|address\.erase|retry\.requested"
                        r"|mailing\.(pause|resume))\."
                    ),
                ),
            ),
        ),
        _service("replay", write=(REPLAY,), read=(ARCHIVE,), topics=((EVENTS, r"^dead-letter-group\.opened\."),)),
        _service("alerts", write=()),
    )


def sender_user(sender: str, tenants: tuple[str, ...] = ()) -> User:
    """A sender hands in results, in its own name and for its tenants (none named: for all), and reads its commands.

    One for all tenants may also keep a mirror of the blocks; their stream has all tenants' events.
    """
    tenant, name = _any_of(tenants), f"sender-{sender}"
    own = (sender_queue(sender), sender_mailing_queue(sender))
    read = own if tenants else (*own, BLOCKS)
    upserts = r"contact\.upsert|mailing\.upsert|address\.validate|address\.check|subscription\.confirmed"
    key = rf"^((delivery\.result|kumomta\.log)\.{tenant}\.{sender}|({upserts})\.{tenant})$"
    return User(name, "^$", _exact(COMMANDS), _exact(*read), ((COMMANDS, key, "^$"),))


def crm_user(name: str, tenants: tuple[str, ...] = ()) -> User:
    """A CRM upserts contacts, lists and mailings of its tenants (none named: of all), and gives commands for them.

    One for all tenants also reads blocks and changes; their streams have all tenants' events.
    """
    upserts = r"(contact|selection|project|mailing)\.upsert"
    commands = (
        r"address\.(validate|check|correct)|block\.(set|clear)|suppression\.(set|lift)|subscription\.confirmed"
        r"|operation\.requested"
    )
    topics = ((COMMANDS, rf"^({upserts}|{commands})\.{_any_of(tenants)}$", "^$"),)
    return User(f"crm-{name}", "^$", _exact(COMMANDS), "^$" if tenants else _exact(BLOCKS, CHANGES), topics)


def _service(
    name: str, *, write: tuple[str, ...], topics: tuple[tuple[str, str], ...] = (), read: tuple[str, ...] = ()
) -> User:
    own = tuple(queue.name for queue in queues(()) if queue.name.startswith(f"{name}."))
    events = "|".join([r"^consumer\.(paused|resumed|drained)\.", *(key for to, key in topics if to == EVENTS)])
    topics = (*((to, key) for to, key in topics if to != EVENTS), (EVENTS, events))
    return User(
        f"returpost-{name}",
        "^$",
        _exact(*dict.fromkeys((*write, EVENTS, DEAD, REPLAY_OUTCOMES))),
        _exact(*own, *read, REVOCATIONS, CONSUMERS),
        tuple((exchange, pattern, "^$") for exchange, pattern in topics),
    )


def _any_of(tenants: tuple[str, ...]) -> str:
    return f"({'|'.join(map(re.escape, tenants))})" if tenants else "[a-z0-9-]+"


def _exact(*names: str) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"
