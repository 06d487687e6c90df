"""What an upgrade would do is said before it is done: law by law over definitions, and once at real servers."""

import asyncio
import json
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import psycopg
import pytest
from hypothesis import given, strategies as st

from deploy.rabbitmq.broker import apply, users
from deploy.rabbitmq.definitions import definitions
from deploy.rabbitmq.differences import MAY_DIFFER, Effect, differences
from returpost.contracts.routing import SERVICES
from tests.support.command_line import CommandLine

WANTED = definitions(("default", "news"))
KINDS = ("exchanges", "queues", "policies")
indexes = st.integers(0, 10_000)


def found(there: dict[str, Any]) -> list[tuple[Effect, str]]:
    return [(one.effect, one.name) for one in differences(WANTED, there, (*SERVICES, "sender"))]


def changed(kind: str, index: int, **values: Any) -> tuple[dict[str, Any], str]:
    """Return the definitions with one entity changed, and its name."""
    there = deepcopy(WANTED)
    one = there[kind][index % len(there[kind])]
    one.update(values)
    return there, one["name"]


def test_what_is_as_wanted_differs_in_nothing() -> None:
    assert found(deepcopy(WANTED)) == []


def test_in_an_empty_broker_all_is_new_and_nothing_in_the_way() -> None:
    names = {one["name"] for kind in KINDS for one in WANTED[kind]}
    seen = found({})
    assert {name for _, name in seen} == names
    assert {effect for effect, _ in seen} == {Effect.DONE}


@given(st.sampled_from(KINDS), st.sets(indexes, max_size=5))
def test_exactly_what_is_missing_is_made(kind: str, chosen: set[int]) -> None:
    there = deepcopy(WANTED)
    gone = {there[kind][index % len(there[kind])]["name"] for index in chosen}
    there[kind] = [one for one in there[kind] if one["name"] not in gone]
    assert sorted(found(there)) == sorted((Effect.DONE, name) for name in gone)


@given(indexes, st.sampled_from(["x-queue-type", "x-single-active-consumer", "x-dead-letter-exchange"]))
def test_an_argument_that_never_changes_is_an_obstacle(index: int, argument: str) -> None:
    there = deepcopy(WANTED)
    queue = there["queues"][index % len(there["queues"])]
    queue["arguments"] = queue["arguments"] | {argument: "something else"}
    assert found(there) == [(Effect.OBSTACLE, queue["name"])]


@given(indexes, st.sampled_from(sorted(MAY_DIFFER)))
def test_an_argument_that_a_policy_says_now_is_none(index: int, argument: str) -> None:
    there = deepcopy(WANTED)
    queue = there["queues"][index % len(there["queues"])]
    queue["arguments"] = queue["arguments"] | {argument: 7}
    assert found(there) == []


@given(indexes)
def test_an_exchange_of_another_type_is_an_obstacle(index: int) -> None:
    there, name = changed("exchanges", index, type="headers")
    assert found(there) == [(Effect.OBSTACLE, name)]


@given(indexes, st.sampled_from([{"definition": {"max-age": "1h"}}, {"pattern": "nothing"}]))
def test_a_policy_that_changes_is_changed(index: int, values: dict[str, Any]) -> None:
    there, name = changed("policies", index, **values)
    assert found(there) == [(Effect.DONE, name)]


@given(indexes)
def test_a_binding_is_made_or_left(index: int) -> None:
    there = deepcopy(WANTED)
    binding = there["bindings"][index % len(there["bindings"])]
    binding["routing_key"] = "another.key"
    queue = binding["destination"]
    assert found(there) == [(Effect.DONE, queue), (Effect.LEFT, queue)]


def test_what_is_ours_and_no_longer_wanted_is_left_and_what_is_not_ours_is_not_told() -> None:
    there = deepcopy(WANTED)
    there["queues"] += [
        {"name": name, "arguments": {}} for name in ("classifier.of-old", "mailer.own", "sender.gone.x")
    ]
    assert found(there) == [(Effect.LEFT, "classifier.of-old"), (Effect.LEFT, "sender.gone.x")]


@pytest.mark.anyio
@pytest.mark.services
async def test_check_tells_what_is_to_come_and_what_is_in_the_way(
    backing: Any, vhost: str, database: str, tmp_path: Path
) -> None:
    amqp_url = urlsplit(backing.amqp_url)._replace(path=f"/{vhost}").geturl()
    there = {
        "RETURPOST_AMQP_URL": amqp_url,
        "RETURPOST_AMQP_MANAGEMENT_URL": backing.management_url,
        "RETURPOST_DATABASE_URL": database,
    }
    line = CommandLine({}, "", tmp_path, there)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE classifier._yoyo_migration SET migration_id = 'of-tomorrow' WHERE migration_id LIKE '0010%'"
        )
    told = json.loads(await line.run("returpost upgrade check --json"))
    assert told["obstacles"] == 0
    of_database = [
        (row["name"], row["effect"], row["what"]) for row in told["differences"] if row["where"] == "database"
    ]
    assert [row[:2] for row in of_database] == [("classifier", "done"), ("classifier", "left")]
    assert "0010" in of_database[0][2]
    assert "of-tomorrow" in of_database[1][2]
    assert {row["what"] for row in told["differences"] if row["name"] == "returpost.blocks"} == {"a new queue (stream)"}

    passwords = {user.name: "a-password" for user in users({"default": ()})}
    await asyncio.to_thread(partial(apply, amqp_url, backing.management_url, {"default": ()}, passwords))
    told = json.loads(await line.run("returpost upgrade check --json"))
    assert [row for row in told["differences"] if row["where"] == "broker"] == [], "what apply makes is as wanted"

    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete("classifier.bounce-received")
        await channel.declare_queue("classifier.bounce-received", durable=True)
    said = await line.run("returpost upgrade check", code=1)
    assert "x-queue-type" in said
    assert "1 obstacle" in said
