"""A tenant's data is found in every table: one that does not name the tenant is known, and why."""

import psycopg
import pytest

from deploy.commands.forget_tenant import OTHERS, WITH_TENANT
from deploy.database import SERVICES

pytestmark = pytest.mark.services

KNOWN = {
    "erased_addresses": "keyed hashes, by which late events are recognised",
    "outbox": "by its routing key",
    "outcomes": "hashes of recipients, which go by age",
    "sign_in_attempts": "hashes of what was typed, which go by age",
    "job_dead_letters": "positions in a job; the dead letters are gone",
}
TABLES = """
    SELECT c.relname, EXISTS (
        SELECT FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confdeltype = 'c'
    ) AS goes_with_another
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname !~ 'yoyo'
"""


def test_every_table_is_one_whose_tenant_is_known(database: str) -> None:
    with psycopg.connect(database) as connection:
        for service in SERVICES:
            named = {name for (name,) in connection.execute(WITH_TENANT, (service,))}
            assert named, service
            for name, goes_with_another in connection.execute(TABLES, (service,)).fetchall():
                assert name in named or name in OTHERS.get(service, {}) or goes_with_another or name in KNOWN, (
                    f"{service}.{name}: which of its rows are a tenant's?"
                )
