"""`returpost blocked import|export`, `check`, `reconcile`: whole files of addresses."""

import json
import sys
from contextlib import closing
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from returpost.cli.background_jobs import watched
from returpost.cli.http.http_transfer import exchanged, media_type_of, opened
from returpost.cli.installation import Installation
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api, token_of, urls_of
from returpost.errors import ReturpostError

PROBLEMS = 5
"""Rows of which it is told what is wrong with them."""
File = Annotated[str, typer.Argument(help="A file, or - for standard input.")]
Kind = Annotated[str, typer.Option(help="What the rows are where they do not say: bounce, complaint or unsubscribe.")]


def import_list(
    file: File = "-",
    clear: Annotated[bool, typer.Option("--clear", help="Clear the bounce-flag of the addresses; else block.")] = False,
    kind: Kind = "bounce",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, and change nothing.")] = False,
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    key: Annotated[str | None, typer.Option(help="Your own key for it: given again, it is the same import.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write what became of each row (JSON lines).")] = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Block (or clear) the addresses of a list: CSV, JSON lines, or what SES, SendGrid, Mailgun, Postmark give out.

    Nothing happens until the whole list is there; then it is worked off, also when everything is killed meanwhile.
    A row with a time is as old as that: what was cleared or delivered since stays free. Exit code 1 when a row is
    no address.

    \b
    returpost blocked import suppressions.csv --dry-run
    returpost blocked import suppressions.csv --note "from the old system" --report rows.jsonl
    returpost blocked import restored.txt --clear
    """
    from returpost.cli.terminal import err, out, print_json, table

    query = {"tenant": tenant, "action": "clear" if clear else "block", "kind": kind, "dry_run": dry_run, "note": note}
    headers = {"Content-Type": media_type_of(file)} | ({"Idempotency-Key": key} if key else {})
    with (
        opened(file) as source,
        _exchanged(directory, "POST", "/v1/blocks/imports", query, source, headers) as lines,
    ):
        begun: dict[str, Any] = json.loads("".join(lines))
    place = f"/v1/blocks/imports/{begun['id']}"
    err.print(f"import {begun['id']}: {begun['total']:,} rows are safe; it goes on by itself from here")
    with closing(api(directory)) as client:
        done = watched(begun, lambda: dict(client.get("blocklist", place, tenant=tenant)))
    if report is not None:
        with (
            report.open("w") as target,
            _exchanged(directory, "GET", f"{place}/report", {"tenant": tenant}) as lines,
        ):
            target.writelines(f"{line}\n" for line in lines)
    if as_json:
        print_json(done)
    else:
        out.print(table("would become" if dry_run else None, ("outcome", "rows"), list(done["outcomes"].items())))
    invalid = done["outcomes"].get("invalid", 0)
    if invalid:
        wrong = {"tenant": tenant, "outcome": "invalid"}
        with _exchanged(directory, "GET", f"{place}/report", wrong) as lines:
            for line in map(json.loads, islice(lines, PROBLEMS)):
                err.print(f"row {line['row']:,}: {line['problem']}", highlight=False)
        if invalid > PROBLEMS and report is None:
            err.print(f"... {invalid - PROBLEMS:,} more; --report FILE tells of each row")
    if not dry_run and done["total"] > invalid:
        err.print(f"`returpost blocked undo --import {done['id']}` takes it back.")
    raise typer.Exit(1 if invalid else 0)


def export_list(
    file: Annotated[str, typer.Argument(help="A file, or - for standard output.")] = "-",
    format: Annotated[str, typer.Option(help="csv, jsonl, ses, sendgrid, mailgun or postmark.")] = "csv",  # noqa: A002
    kind: Annotated[
        str | None, typer.Option(help="bounce, complaint or unsubscribe: which list of SendGrid or Mailgun.")
    ] = None,
    cause: Annotated[str | None, typer.Option(help="dead_address, return_count, complaint or manual.")] = None,
    reason: Annotated[str | None, typer.Option(help="As user_unknown.")] = None,
    domain: Annotated[str | None, typer.Option(help="Receiving domain.")] = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Write all blocks to a file, in our own form or in one that a provider takes.

    \b
    returpost blocked export blocks.csv
    returpost blocked export - --format ses --cause complaint > ses.csv
    """
    query = {"tenant": tenant, "format": format, "kind": kind, "cause": cause, "reason": reason, "domain": domain}
    with _exchanged(directory, "GET", "/v1/blocks/export", query) as lines:
        target = sys.stdout if file == "-" else Path(file).open("w", encoding="utf-8")  # noqa: SIM115 - closed below
        target.writelines(f"{line}\n" for line in lines)
        if file != "-":
            target.close()


def check(
    file: File = "-",
    stream: Annotated[str | None, typer.Option(help="Kind of mail, as service; it may be exempt from blocks.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that may be mailed.")] = False,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Tell whom a mailing must skip, out of a file of any length: an address a line, CSV or JSON lines.

    One line each: address, why, since when. With --json the service's own lines.

    \b
    returpost check recipients.txt
    returpost check recipients.csv --json > skip.jsonl
    """
    from returpost.cli.terminal import err

    query = {"tenant": tenant, "stream": stream, "answer": "all" if everything else "skip"}
    headers, last = {"Content-Type": media_type_of(file)}, ""
    with (
        opened(file) as source,
        _exchanged(directory, "POST", "/v1/check", query, source, headers) as lines,
    ):
        for line in lines:
            if last:
                sys.stdout.write(f"{last if as_json else _shown(json.loads(last))}\n")
            last = line
    counts = _whole(last)
    err.print(f"{counts['checked']:,} checked: skip {counts['skip']:,}, {counts['invalid']:,} are no addresses")


def reconcile(
    file: File = "-",
    kind: Kind = "bounce",
    block: Annotated[Path | None, typer.Option(help="Write what is missing here, for `blocked import`.")] = None,
    add: Annotated[Path | None, typer.Option(help="Write what the provider lacks, in its form.")] = None,
    remove: Annotated[Path | None, typer.Option(help="Write what we have lifted and the provider still holds.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Block here what is missing and was never lifted.")] = False,
    provider: Annotated[str, typer.Option(help="Form of --add: csv, ses, sendgrid, mailgun or postmark.")] = "csv",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Hold a provider's suppression list against ours, and show what either side lacks.

    --apply makes blocks of what is missing here, as an import that `blocked undo --import` takes back. What somebody
    has lifted here stays lifted. Nothing is changed at the provider: --add and --remove write files for it.

    \b
    returpost reconcile ses.json --provider ses --block here.jsonl --add to-ses.csv --remove off-ses.txt
    returpost reconcile ses.json --apply
    """
    from returpost.cli.terminal import err, out, print_json, table

    headers, found = {"Content-Type": media_type_of(file)}, list[dict[str, Any]]()
    query = {"tenant": tenant, "kind": kind}
    with (
        opened(file) as source,
        _exchanged(directory, "POST", "/v1/reconcile", query, source, headers) as lines,
    ):
        found += map(json.loads, lines)
    if not found or "theirs" not in found[-1]:
        raise ReturpostError("the answer broke off; nothing was written")
    counts = found.pop()
    here = [one for one in found if one["missing"] == "here"]
    if block is not None:
        block.write_text("".join(json.dumps(one) + "\n" for one in here if not one["lifted"]))
    if remove is not None:
        remove.write_text("".join(f"{one['address']}\n" for one in here if one["lifted"]))
    if add is not None:
        _write_for(directory, provider, [one for one in found if one["missing"] == "there"], add)
    applied = _block_all(directory, tenant, [one for one in here if not one["lifted"]], file) if apply else None
    if as_json:
        print_json({"counts": counts, "missing": found} | ({"import": applied} if applied else {}))
        return
    out.print(table(None, ("", "addresses"), [(name.replace("_", " "), number) for name, number in counts.items()]))
    if applied:
        err.print(f"{applied['total']:,} rows; `returpost blocked undo --import {applied['id']}` takes them back.")
    lifted = sum(one["lifted"] for one in here)
    if lifted:
        err.print(f"{lifted:,} of those missing here were lifted by us: take them off the provider's list (--remove)")


def _block_all(directory: Path, tenant: str, missing: list[dict[str, Any]], file: str) -> dict[str, Any] | None:
    """Have these blocked as an import; nothing when there is none."""
    if not missing:
        return None
    lines = "".join(json.dumps(one) + "\n" for one in missing).encode()
    query = {"tenant": tenant, "note": f"reconciled with {Path(file).name}"[:200]}
    headers = {"Content-Type": "application/x-ndjson"}
    with _exchanged(directory, "POST", "/v1/blocks/imports", query, BytesIO(lines), headers) as answer:
        return dict(json.loads("".join(answer)))


def _write_for(directory: Path, provider: str, blocks: list[dict[str, Any]], target: Path) -> None:
    """Write these blocks in the provider's form, which the service knows."""
    lines = "".join(json.dumps(one) + "\n" for one in blocks).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    with (
        _exchanged(directory, "POST", "/v1/reconcile/file", {"format": provider}, BytesIO(lines), headers) as answer,
        target.open("w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(f"{line}\n" for line in answer)


def _exchanged(directory: Path, method: str, path: str, query: Any, source: Any = None, headers: Any = None) -> Any:
    installation = Installation(directory)
    return exchanged(urls_of(installation)["blocklist"], token_of(installation), method, path, query, source, headers)


def _whole(last: str) -> dict[str, int]:
    counts = json.loads(last) if last else {}
    if "checked" not in counts:
        raise ReturpostError("the answer broke off: not all lines were checked")
    return dict(counts)


def _shown(line: dict[str, Any]) -> str:
    if "problem" in line:
        return f"{line['address']}\tno address: {line['problem']}"
    if not line["skip"]:
        return f"{line['address']}\tsend"
    return f"{line['address']}\tskip\t{line['cause']}\t{line['reason'] or ''}\t{line['since']}"
