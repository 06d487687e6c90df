"""Roles, schemas and rights, on a real server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql

from deploy.database import SERVICES, prepare, role_of
from returpost.errors import InvalidSettings, Unavailable
from tests.conftest import PASSWORDS

pytestmark = pytest.mark.services


TABLES = {"ingest": "erased_addresses"}
"""A table of each service that has no outbox."""
WRITES: dict[str, tuple[LiteralString, ...]] = {
    "ingest": ("INSERT INTO {} VALUES ('', now())", "UPDATE {} SET erased_at = now()", "DELETE FROM {}")
}
WRITES_OUTBOX: tuple[LiteralString, ...] = (
    "INSERT INTO {} (exchange, routing_key, body, content_type) VALUES ('e', 'k', '', 't')",
    "UPDATE {} SET routing_key = 'l'",
    "DELETE FROM {}",
)


@pytest.fixture
def empty(backing: Any) -> Iterator[str]:
    """A database with nothing in it, by its administrator's URL."""
    name = f"empty_{uuid4().hex[:12]}"
    _admin(backing.database_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlunsplit(urlsplit(backing.database_url)._replace(path=f"/{name}"))
    _admin(backing.database_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_each_service_works_in_its_own_schema_and_nowhere_else(empty: str) -> None:
    urls = prepare(empty, PASSWORDS)
    assert set(urls) == set(SERVICES)
    for service, url in urls.items():
        with psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role_of(service),)
            assert connection.execute("SHOW jit").fetchone() == ("off",)
            for statement in WRITES.get(service, WRITES_OUTBOX):
                connection.execute(sql.SQL(statement).format(sql.Identifier(service, TABLES.get(service, "outbox"))))
            for other in set(SERVICES) - {service}:
                foreign = sql.Identifier(other, TABLES.get(other, "outbox"))
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(sql.SQL("SELECT * FROM {}").format(foreign))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE classifier.more ()",
        "DROP TABLE classifier.outbox",
        "TRUNCATE classifier.outbox",
        "ALTER TABLE classifier.outbox ADD COLUMN more text",
        "CREATE TABLE public.more ()",
        "CREATE SCHEMA more",
        "SELECT * FROM classifier._yoyo_log",
        "CREATE ROLE more",
    ],
)
def test_a_service_may_change_rows_and_nothing_else(empty: str, statement: str) -> None:
    url = prepare(empty, PASSWORDS)["classifier"]
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_tables_that_come_later_can_be_used_too(empty: str) -> None:
    url = prepare(empty, PASSWORDS)["classifier"]
    _admin(empty, sql.SQL("CREATE TABLE classifier.later (n bigserial, word text)"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO classifier.later (word) VALUES ('x')")


def test_repeating_keeps_the_data(empty: str) -> None:
    urls = prepare(empty, PASSWORDS)
    insert = "INSERT INTO replay.outbox (exchange, routing_key, body, content_type) VALUES ('e', 'k', '', 't')"
    _admin(urls["replay"], sql.SQL(insert))
    assert prepare(empty, PASSWORDS) == urls
    with psycopg.connect(urls["replay"]) as connection:
        assert connection.execute("SELECT count(*) FROM replay.outbox").fetchone() == (1,)


def test_several_at_once_and_over_several_databases(backing: Any, empty: str) -> None:
    name = f"empty_{uuid4().hex[:12]}"
    _admin(backing.database_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    second = urlunsplit(urlsplit(backing.database_url)._replace(path=f"/{name}"))
    try:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda url: prepare(url, PASSWORDS), [empty, second] * 3))
        for urls in made:
            for url in urls.values():
                psycopg.connect(url).close()
    finally:
        _admin(backing.database_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_one_role_for_all_when_it_is_asked_for(empty: str) -> None:
    assert prepare(empty, {}, single_role=True) == dict.fromkeys(SERVICES, empty)
    with psycopg.connect(empty) as connection:
        connection.execute("SELECT 1 FROM blocklist.outbox")


def test_an_administrator_without_rights_is_told_what_to_do(backing: Any, empty: str) -> None:
    user = f"weak_{uuid4().hex[:8]}"
    name = sql.Identifier(user)
    _admin(backing.database_url, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'weak'").format(name))
    parts = urlsplit(empty)
    weak = urlunsplit(parts._replace(netloc=f"{user}:weak@{parts.netloc.rpartition('@')[2]}"))
    try:
        with pytest.raises(InvalidSettings, match=r"CREATEROLE|may not create"):
            prepare(weak, PASSWORDS)
        with pytest.raises(InvalidSettings, match="may not create schemas"):
            prepare(weak, {}, single_role=True)
    finally:
        _admin(backing.database_url, sql.SQL("DROP ROLE {}").format(name))


def test_a_missing_password_is_named() -> None:
    with pytest.raises(InvalidSettings, match="actions"):
        prepare("postgresql://nowhere", {name: "x" for name in SERVICES if name != "actions"})


def test_a_server_that_is_away_and_a_database_that_is_not_there(backing: Any) -> None:
    with pytest.raises(Unavailable):
        prepare("postgresql://postgres@127.0.0.1:1/postgres", PASSWORDS)
    with pytest.raises(InvalidSettings, match="no_such"):
        prepare(urlunsplit(urlsplit(backing.database_url)._replace(path="/no_such")), PASSWORDS)


def _admin(url: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
