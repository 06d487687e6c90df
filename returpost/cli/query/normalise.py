"""`returpost normalise`: show what an input becomes, here and now. Needs no broker and no database."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.env_config import setting
from returpost.cli.options import TENANT, Json, Tenant
from returpost.errors import InvalidSettings

if TYPE_CHECKING:
    from returpost.bounces import ReturnPaths
    from returpost.bounces.events.results import Derived
    from returpost.cli.input_files import Item

MAX_BODY = 64 * 1024 * 1024

Row = dict[str, Any]


def normalise(
    files: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, mboxes, Maildirs; - or none: input.")
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="mail, results (JSON or JSON lines), or a provider of webhooks: ses ...")
    ] = "mail",
    tenant: Tenant = TENANT,
    as_json: Json = False,
) -> None:
    """Show the delivery results that mails, webhook bodies or results of a sender become.

    Return paths are read by RETURPOST_INGEST_RETURN_PATH_KEYS and ..._VERP_PATTERNS, as ingest does. Exit code 1 when
    something became nothing; why is said.

    \b
    returpost normalise bounces/ spool.mbox
    returpost normalise --from ses --json event.json
    """
    wrong = 0
    for row in _rows(files or ["-"], source, tenant):
        wrong += "problem" in row
        if as_json:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            _show(row)
    raise typer.Exit(1 if wrong else 0)


def _rows(files: list[str], source: str, tenant: str) -> Iterator[Row]:
    from returpost.bounces.providers import PROVIDERS
    from returpost.bounces.return_paths import configured

    if source == "mail":
        paths = configured(_setting("RETURN_PATH_KEYS"), _setting("VERP_PATTERNS")).of(tenant)
        return chain.from_iterable(_of_item(item, tenant, paths) for item in _items(files))
    if source == "results":
        return chain.from_iterable(_of_results(name, body, tenant) for name, body in _bodies(files))
    if source in PROVIDERS:
        return chain.from_iterable(_of_webhook(name, body, tenant, source) for name, body in _bodies(files))
    raise InvalidSettings(f"--from: {source!r}; there are mail, results, {', '.join(sorted(PROVIDERS))}")


def _setting(name: str) -> str:
    """Return a setting as ingest reads it: its own value goes before the common one."""
    return setting(f"INGEST_{name}") or setting(name) or ""


def _items(files: list[str]) -> Iterator["Item"]:
    from returpost.cli.input_files import read_path, read_stream

    for name in files:
        yield from read_stream(sys.stdin.buffer, "-") if name == "-" else read_path(Path(name))


def _bodies(files: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in files:
        try:
            body = sys.stdin.buffer.read(MAX_BODY) if name == "-" else Path(name).read_bytes()[:MAX_BODY]
        except OSError as error:
            raise InvalidSettings(f"{name}: {error.strerror or error}") from None
        yield name, body


def _of_item(item: "Item", tenant: str, paths: "ReturnPaths") -> Iterator[Row]:
    from returpost.bounces.events.mails import read_mail
    from returpost.cli.input_files import Mail, Unreadable

    if not isinstance(item, Mail):
        problem = item.problem if isinstance(item, Unreadable) else "JSON, not mail; say --from results or a provider"
        yield {"file": item.origin, "problem": problem}
        return
    read = read_mail(item.content, tenant=tenant, sender=None, now=datetime.now(UTC), paths=paths)
    yield from _told(item.origin, read.events)
    if read.problem:
        yield {"file": item.origin, "kind": read.parsed.kind, "problem": read.problem}


def _of_results(name: str, body: bytes, tenant: str) -> Iterator[Row]:
    from returpost.bounces.events.results import events_of
    from returpost.bounces.events.rows import RefusedRow, read_results, split_rows

    lines = not isinstance(_json(body), dict | list)
    for row in read_results(split_rows(body, lines=lines), tenant, "/cli"):
        if isinstance(row, RefusedRow):
            yield {"file": f"{name}#{row.index + 1}", "problem": row.problem}
        else:
            yield from _told(name, events_of(row))


def _of_webhook(name: str, body: bytes, tenant: str, provider: str) -> Iterator[Row]:
    from returpost.bounces.events.payloads import events_of_normalized
    from returpost.bounces.providers import Ignored, Unreadable, normalize

    for item in normalize(provider, body):
        if isinstance(item, Unreadable):
            yield {"file": name, "problem": item.error}
        elif isinstance(item, Ignored):
            yield {"file": name, "ignored": item.kind}
        else:
            yield from _told(name, events_of_normalized(item, tenant=tenant, sender=None))


def _told(name: str, events: Iterable["Derived"]) -> Iterator[Row]:
    """Yield a row for each result, with the evidence of the bounce that comes with it; a bounce may come alone."""
    from returpost.contracts import DeliveryRecorded

    row: Row = {}
    for event in events:
        data = event.data.model_dump(mode="json")
        if isinstance(event.data, DeliveryRecorded):
            if row:
                yield row
            row = {"file": name, "id": event.id} | data
            continue
        evidence = data.pop("evidence")
        row = {"file": name, "id": event.id, "result": None} | row | data | evidence
        yield row
        row = {}
    if row:
        yield row


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _show(row: Row) -> None:
    from rich.text import Text

    from returpost.cli.terminal import out

    if problem := row.get("problem"):
        out.print(Text.assemble((row["file"], "bold"), "  nothing: ", (str(problem), "red")))
        return
    if "ignored" in row:
        out.print(
            Text.assemble((row["file"], "bold"), f"  ignored: {row['ignored']}, which says nothing of a delivery")
        )
        return
    what = row["result"] or row.get("kind")
    out.print(Text.assemble((row["address"], "bold"), f"  {what}  {row['mailing']}  {row['time']}"))
    words = str(row.get("diagnostic") or "")
    codes = (str(row[name]) for name in ("reply_code", "status") if row.get(name) and str(row[name]) not in words)
    if said := " ".join((*codes, words)).strip():
        out.print(Text(f"    {said}", style="dim"))
