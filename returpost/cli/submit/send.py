"""`returpost send`: hand in delivery results and bounce mails over the HTTP API of ingest."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from returpost.cli.http.api import Api
from returpost.cli.input_files import Item, Mail, Results, Unreadable, read_path, read_stream
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import InvalidSettings, ReturpostError, Unavailable

SHOWN = 20
"""Refusals that are shown; the rest is counted."""


@dataclass(slots=True)
class Summary:
    """What was handed in."""

    results: int = 0
    mails: int = 0
    unrecognised: int = 0
    """Mails that nobody can make anything of; they are kept among the dead letters."""
    refused: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, where: str, problem: str, count: int = 1) -> None:
        """Note what was refused."""
        self.refused += count
        self.name(where, problem)

    def name(self, where: str, problem: str) -> None:
        """Note what is wrong with something, among the first."""
        if len(self.problems) < SHOWN:
            self.problems.append({"where": where, "problem": problem})


def send(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, mboxes or Maildirs; - or nothing: standard input.")
    ] = None,
    tenant: Tenant = TENANT,
    sender: Annotated[
        str, typer.Option(help="The system that sent, where a result or mail does not say; it gets the retries.")
    ] = "default",
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Hand in delivery results (a JSON object, a list, or JSON lines) and raw bounce mails (.eml, mbox, Maildir).

    What is wrong or not recognised is named and stops nothing else; exit code 1 then. Handing in twice does no harm.

    \b
    returpost send results.jsonl bounces/ spool.mbox
    my-mta-log-reader | returpost send
    echo '{"mailing":"m1","address":"a@example.com","result":"delivered","time":"2026-01-01T12:00Z"}' | returpost send
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from returpost.cli.terminal import err

    client, summary = api(directory), Summary()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("handing in", total=None)
        for item in _items(paths or ["-"]):
            hand_in(item, client, tenant, sender, summary)
            progress.update(task, description=f"{summary.results:,} results, {summary.mails:,} mails")
    _tell(summary, as_json)
    raise typer.Exit(1 if summary.refused or summary.unrecognised else 0)


def hand_in(item: Item, client: Api, tenant: str, sender: str, summary: Summary) -> None:
    """Hand in one item and count it. Raises `Unavailable` when ingest is away, `InvalidSettings` for a wrong token."""
    if isinstance(item, Results):
        _hand_in_results(item, client, tenant, sender, summary)
    elif isinstance(item, Mail):
        _hand_in_mail(item, client, tenant, sender, summary)
    else:
        summary.refuse(item.origin, item.problem)


def _hand_in_results(item: Results, client: Api, tenant: str, sender: str, summary: Summary) -> None:
    body = b"\n".join(sent_by(row, sender) for row in item.rows)
    # 422: none was taken; the answer then names the rows, as it does when some were.
    answer = client.call(
        "ingest",
        "POST",
        "/v1/delivery-results",
        {"tenant": tenant},
        body,
        "application/x-ndjson",
        accept=(422,),
    )
    accepted = int(answer.get("accepted", 0))
    refused = len(item.rows) - accepted
    summary.results += accepted
    for fault in answer.get("errors", []):
        index = int(fault["field"].strip("[]")) if fault["field"].strip("[]").isdigit() else 0
        summary.refuse(f"{item.origin}:{item.first + index}", fault["problem"])
        refused -= 1
    if refused > 0:
        summary.refuse(f"{item.origin}:{item.first}", str(answer.get("title", "and more")), refused)


def sent_by(row: bytes, sender: str) -> bytes:
    """Return a result that names the system that sent; one that does so already, or is none, stays as it is."""
    if sender == "default":
        return row
    try:
        result = json.loads(row)
    except (ValueError, RecursionError):
        return row
    return json.dumps({"sender": sender} | result).encode() if isinstance(result, dict) else row


def _hand_in_mail(item: Mail, client: Api, tenant: str, sender: str, summary: Summary) -> None:
    parameters = {"tenant": tenant, "sender": sender}
    try:
        answer = client.call("ingest", "POST", "/v1/bounce-mails", parameters, item.content, "message/rfc822")
    except (InvalidSettings, Unavailable):
        raise
    except ReturpostError as error:
        summary.refuse(item.origin, str(error))
        return
    summary.mails += 1
    if not answer["recognised"]:
        summary.unrecognised += 1
        summary.name(item.origin, f"read as a mail, and not recognised: {answer['problem']}")


def _items(paths: list[str]) -> Iterator[Item | Unreadable]:
    for path in paths:
        if path == "-":
            yield from read_stream(sys.stdin.buffer, "-")
        else:
            yield from read_path(Path(path))


def _tell(summary: Summary, as_json: bool) -> None:
    from returpost.cli.terminal import err, out, print_json, table

    if as_json:
        print_json(asdict(summary))
        return
    rows = [
        ("delivery results taken", summary.results),
        ("mails taken", summary.mails),
        ("of these not recognised", summary.unrecognised),
        ("refused", summary.refused),
    ]
    out.print(table(None, ("handed in", "number"), rows))
    for problem in summary.problems:
        err.print(f"{problem['where']}: {problem['problem']}", markup=False, highlight=False)
    if summary.refused + summary.unrecognised > len(summary.problems):
        err.print("and more that were refused or not recognised")
