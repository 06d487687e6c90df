"""Searches every table of a service for one address, in whatever form it is written: the proof of an erasure.

It knows no table by name: it reads the whole schema, every column that may hold text, compressed values, and files that
are kept in pieces. It reads all rows and takes as long as that takes.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import IO, Any, Final

import idna
from asyncpg import Record

from returpost.contracts.addresses import key, normalise
from shared.database.compressed_search import file_says, says, unpacked
from shared.database.pool import Connection

TABLE_TIMEOUT: Final = 3_600.0
"""Seconds per table."""
PAGE: Final = 200
"""Compressed values in memory at once."""
PIECES: Final = 8
"""Pieces of a file that are."""
PIECE: Final = "piece"
"""A table whose key ends with this column keeps files in pieces, which say nothing each by itself."""

_COLUMNS: Final = """
    SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
           array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types,
           bool_or(a.attname = 'tenant') AS has_tenant,
           (SELECT array_agg(k.attname::text ORDER BY u.n)
            FROM pg_index AS i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS u (column_, n)
            JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = u.column_
            WHERE i.indrelid = c.oid AND i.indisprimary) AS key
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND has_table_privilege(c.oid, 'SELECT')
    GROUP BY c.oid, c.relname ORDER BY c.relname
"""
_COUNT: Final = (
    "count(*) FILTER (WHERE EXISTS (SELECT FROM unnest($1::text[]) AS f WHERE strpos(lower({}::text), f) > 0))"
)
_TEXT: Final = ("text", "text[]", "jsonb", "json", "character varying", "tsvector")
_HASHES: Final = {
    "erased_addresses": "SELECT max(erased_at) FROM erased_addresses WHERE key = erased_key($1, $2)",
    "erased": "SELECT max(time) FROM erased WHERE place = place($1, $2)",
}


@dataclass(frozen=True, slots=True)
class Residue:
    """Rows of one column that hold an address; of a column that keeps files in pieces, the files."""

    table: str
    column: str
    rows: int


@dataclass(slots=True)
class SearchResult:
    """What a service still has of an address."""

    searched: list[str]
    """Tables."""
    found: list[Residue]
    hashed: list[str]
    """Tables that remember by a keyed hash that the address was erased."""


def forms(address: str) -> list[str]:
    """Return how an address may be written in small letters: plainly, with its domain in letters of its language, in a
    return path, in a URL, in JSON, in CSV, in HTML and XML. Raises `InvalidAddress`.
    """
    local, _, domain = key(normalise(address)).rpartition("@")
    domains = dict.fromkeys((domain, _decoded(domain)))
    plain = [f"{local}{at}{one}" for one in domains for at in ("@", "=", "%40")]
    json_ = [f"{local}\\u0040{one}" for one in domains]
    json_ += [json.dumps(one, ensure_ascii=ascii_)[1:-1] for one in plain for ascii_ in (True, False)]
    others = [way(one) for one in plain for way in (escape, partial(escape, quote=False), _in_csv)]
    return list(dict.fromkeys((*plain, *json_, *others)))


async def search(connection: Connection, tenant: str, address: str) -> SearchResult:
    """Read every table of the service; rows of other tenants are left out where it is said whose they are."""
    wanted, tables = forms(address), await connection.fetch(_COLUMNS)
    found: list[Residue] = []
    hashed: list[str] = []
    for table in tables:
        found += await _texts(connection, table, tenant, wanted)
        for column, type_ in zip(table["columns"], table["types"], strict=True):
            look = _files if (table["key"] or [""])[-1] == PIECE else _packed
            if type_ == "bytea" and (rows := await look(connection, table, column, tenant, wanted)):
                found.append(Residue(table["name"], column, rows))
        remembers = _HASHES.get(table["name"])
        if remembers and await connection.fetchval(remembers, tenant, key(normalise(address))):
            hashed.append(table["name"])
    return SearchResult([table["name"] for table in tables], found, hashed)


async def _texts(connection: Connection, table: Record, tenant: str, wanted: Sequence[str]) -> list[Residue]:
    columns = [name for name, type_ in zip(table["columns"], table["types"], strict=True) if type_ in _TEXT]
    if not columns:
        return []
    counts = ", ".join(_COUNT.format(_quoted(name)) for name in columns)
    where, arguments = _of_tenant(table, tenant, "$2")
    row = await connection.fetchrow(
        f"SELECT {counts} FROM {_quoted(table['name'])} {where}",  # noqa: S608 - names of the catalogue
        list(wanted),
        *arguments,
        timeout=TABLE_TIMEOUT,
    )
    assert row is not None  # noqa: S101 - counts are always a row
    return [Residue(table["name"], name, rows) for name, rows in zip(columns, row.values(), strict=True) if rows]


async def _packed(connection: Connection, table: Record, column: str, tenant: str, wanted: Sequence[str]) -> int:
    where, arguments = _of_tenant(table, tenant, "$1")
    rows = 0
    async with connection.transaction(readonly=True):
        values = connection.cursor(
            f"SELECT {_quoted(column)} AS value FROM {_quoted(table['name'])} {where}",  # noqa: S608 - names of the catalogue
            *arguments,
            prefetch=PAGE,
        )
        async for row in values:
            rows += row["value"] is not None and says(row["value"], wanted)
    return rows


async def _files(connection: Connection, table: Record, column: str, tenant: str, wanted: Sequence[str]) -> int:
    where, arguments = _of_tenant(table, tenant, "$1")
    order = ", ".join(_quoted(name) for name in table["key"])
    found, this = 0, ()
    with tempfile.TemporaryFile(prefix="returpost-residual-") as file:
        async with connection.transaction(readonly=True):
            pieces = connection.cursor(
                f"SELECT {order}, {_quoted(column)} AS value FROM {_quoted(table['name'])} {where} ORDER BY {order}",  # noqa: S608 - names of the catalogue
                *arguments,
                prefetch=PIECES,
            )
            async for row in pieces:
                file_of = tuple(row[name] for name in table["key"][:-1])
                if file_of != this:
                    found += await asyncio.to_thread(_take, file, wanted)
                    this = file_of
                for part in unpacked(row["value"] or b""):
                    file.write(part)
        found += await asyncio.to_thread(_take, file, wanted)
    return found


def _take(file: IO[bytes], wanted: Sequence[str]) -> bool:
    """Say whether the file has one of the forms, and make room for the next."""
    found = file_says(file, wanted)
    file.seek(0)
    file.truncate()
    return found


def _of_tenant(table: Record, tenant: str, place: str) -> tuple[str, list[Any]]:
    return (f"WHERE tenant IS NULL OR tenant IN ('', {place})", [tenant]) if table["has_tenant"] else ("", [])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_csv(text: str) -> str:
    return text.replace('"', '""')


def _decoded(domain: str) -> str:
    try:
        return idna.decode(domain).lower()
    except idna.IDNAError:
        return domain
