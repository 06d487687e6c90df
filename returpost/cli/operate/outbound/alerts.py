"""`returpost alerts`: who is alerted to what, by e-mail, Slack, Microsoft Teams or a webhook."""

import json
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.contracts.enums import AlertKind, Severity
from returpost.errors import InvalidSettings

PATH = "/v1/alert-channels"


class Kind(StrEnum):
    """How a channel is reached."""

    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"


class Digest(StrEnum):
    """How often what is not critical goes out."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


class Language(StrEnum):
    """In what language a channel is told."""

    NORWEGIAN = "nb"
    ENGLISH = "en"


Called = Annotated[str, typer.Argument(help="Its name: small letters, digits, hyphens.")]
To = Annotated[
    list[str] | None, typer.Argument(help="E-mail addresses; or the URL, which standard input gives where it is `-`.")
]
Least = Annotated[Severity | None, typer.Option(help="The least that goes there.")]
Causes = Annotated[list[AlertKind] | None, typer.Option("--cause", help="What goes there; none: all. Repeatable.")]
Tenants = Annotated[
    list[str] | None, typer.Option("--of", help="Of a channel of the tenant returpost: whose alerts; none: all.")
]
Digests = Annotated[Digest | None, typer.Option(help="Collect what is not critical: off, hourly, daily.")]
DigestAt = Annotated[str | None, typer.Option(help="When a daily digest goes out, as 08:00.")]
Quiet = Annotated[str | None, typer.Option(help="Quiet hours, as 22:00-07:00; `none` takes them away.")]
Zone = Annotated[str | None, typer.Option("--time-zone", help="As Europe/Oslo.")]
Told = Annotated[Language | None, typer.Option("--language", help="In what language: nb or en.")]
Hold = Annotated[
    bool | None, typer.Option("--hold-critical/--critical-at-once", help="Whether critical ones wait, too.")
]
Report = Annotated[
    bool | None, typer.Option("--weekly-report/--no-weekly-report", help="Whether it has the report of each week.")
]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Alerts to people: channels, tests, what was sent.")


@app.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List what people were alerted to, newest first, whether a channel wanted it or not.

    \b
    returpost alerts list --tenant demo
    returpost alerts list --tenant=returpost
    """
    from returpost.cli.terminal import out, print_json, table

    found = api(directory).get("alerts", "/v1/alerts", tenant=tenant, limit=limit)["items"]
    if as_json:
        print_json(found)
        return
    rows = [(one["occurred_at"], one["severity"], one["title"], one["link"] or one["command"]) for one in found]
    out.print(table(None, ("time", "severity", "alert", "what helps"), rows))


@app.command()
def channels(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """List the channels, and what became of the last message of each. URLs are secrets, and not shown.

    \b
    returpost alerts channels --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = _call(directory, "GET", "", tenant)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("name", "kind", "to", "from severity", "causes", "digest", "enabled", "last", "problem")
    out.print(table(None, columns, [_row(one) for one in found]))


@app.command()
def add(
    kind: Annotated[Kind, typer.Argument(help="email, slack, teams or webhook.")],
    name: Called,
    to: To = None,
    severity: Least = None,
    cause: Causes = None,
    of: Tenants = None,
    digest: Digests = None,
    digest_at: DigestAt = None,
    quiet: Quiet = None,
    time_zone: Zone = None,
    language: Told = None,
    hold_critical: Hold = None,
    weekly_report: Report = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Add a channel. Of a webhook the secret that signs is printed, which is not shown again.

    \b
    returpost alerts add email marketing kari@example.com ola@example.com --severity warning --language nb
    returpost alerts add slack ops - --tenant=returpost
    returpost alerts add webhook pager https://pager.example.com/hook --cause storm_started --cause consumer_paused
    """
    from returpost.cli.terminal import err, out, print_json

    rule = _rule(severity, cause, of, digest, digest_at, quiet, time_zone, language, hold_critical, weekly_report)
    made = _call(directory, "POST", "", tenant, {"name": name, "kind": kind, **_to(kind, to), **rule})
    if as_json:
        print_json(made)
        return
    if made["secret"]:
        out.print(made["secret"])
        err.print("This is the secret; it is not shown again.")
    err.print(f"`returpost alerts test {name} --tenant={tenant}` tries the channel out.")


@app.command()
def change(
    name: Called,
    to: To = None,
    severity: Least = None,
    cause: Causes = None,
    of: Tenants = None,
    digest: Digests = None,
    digest_at: DigestAt = None,
    quiet: Quiet = None,
    time_zone: Zone = None,
    language: Told = None,
    hold_critical: Hold = None,
    weekly_report: Report = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Change a channel; what is not named stays.

    \b
    returpost alerts change marketing --digest daily --digest-at 08:00 --time-zone Europe/Oslo
    returpost alerts change marketing --quiet 22:00-07:00
    """
    rule = _rule(severity, cause, of, digest, digest_at, quiet, time_zone, language, hold_critical, weekly_report)
    if to:
        known = _call(directory, "GET", f"/{quote(name)}", tenant)
        rule |= _to(Kind(known["kind"]), to)
    if not rule:
        raise InvalidSettings("what? Name at least one option")
    _call(directory, "PATCH", f"/{quote(name)}", tenant, rule)


@app.command()
def enable(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Send again; what waits goes out."""
    _call(directory, "PATCH", f"/{quote(name)}", tenant, {"enabled": True})


@app.command()
def disable(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Send nothing until it is enabled."""
    _call(directory, "PATCH", f"/{quote(name)}", tenant, {"enabled": False})


@app.command()
def remove(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Remove a channel and the log of what was sent to it."""
    _call(directory, "DELETE", f"/{quote(name)}", tenant)


@app.command()
def rotate(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Give a webhook another secret at once, and print it."""
    from returpost.cli.terminal import out

    out.print(_call(directory, "POST", f"/{quote(name)}/rotate", tenant)["secret"])


@app.command("test")
def try_out(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Send a test message now and tell what went wrong. Exit code 1 when it was not taken.

    \b
    returpost alerts test marketing
    """
    from returpost.cli.terminal import out, print_json

    told = _call(directory, "POST", f"/{quote(name)}/test", tenant)
    if as_json:
        print_json(told)
    else:
        out.print(
            f"{'sent' if told['good'] else 'not sent'} after {told['milliseconds']} ms  {told['problem']}".rstrip()
        )
    raise typer.Exit(0 if told["good"] else 1)


@app.command()
def log(
    name: Called,
    state: Annotated[str | None, typer.Option(help="open, sent or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show what was sent to a channel, or failed, newest first.

    \b
    returpost alerts log marketing --state failed
    """
    from returpost.cli.terminal import out, print_json, table

    query: dict[str, Any] = {"state": state, "limit": limit}
    found = _call(directory, "GET", f"/{quote(name)}/messages", tenant, **query)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "formed_at", "alerts", "attempts", "due_at", "problem")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


def _call(directory: Any, method: str, path: str, tenant: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
    raw = None if body is None else json.dumps(body).encode()
    return api(directory).call("alerts", method, PATH + path, {"tenant": tenant, **query}, raw)


def _to(kind: Kind, to: list[str] | None) -> dict[str, Any]:
    """Return where a channel goes. Raises `InvalidSettings`."""
    if not to:
        raise InvalidSettings("to whom? Name e-mail addresses, or the URL")
    if kind is Kind.EMAIL:
        return {"recipients": to}
    if len(to) > 1:
        raise InvalidSettings("a channel has one URL")
    return {"url": typer.get_text_stream("stdin").readline().strip() if to == ["-"] else to[0]}


def _rule(
    severity: Severity | None,
    cause: list[AlertKind] | None,
    of: list[str] | None,
    digest: Digest | None,
    digest_at: str | None,
    quiet: str | None,
    time_zone: str | None,
    language: Language | None,
    hold_critical: bool | None,
    weekly_report: bool | None,
) -> dict[str, Any]:
    """Return what was named of a rule. Raises `InvalidSettings`."""
    named = {
        "severity": severity, "causes": cause or None, "tenants": of or None, "digest": digest,
        "digest_at": digest_at, "time_zone": time_zone, "language": language, "hold_critical": hold_critical,
        "weekly_report": weekly_report,
    }  # fmt: skip
    found: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if quiet == "none":
        found["quiet"] = None
    elif quiet is not None:
        start, dash, end = quiet.partition("-")
        if not dash:
            raise InvalidSettings("--quiet: two times, as 22:00-07:00")
        found["quiet"] = {"from": start.strip(), "to": end.strip()}
    return found


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    to = ", ".join(one["recipients"]) or one["host"]
    causes = ", ".join(sorted(one["causes"])) or "all"
    enabled = "yes" if one["enabled"] else "no"
    last = (one["last_state"] or "", one["last_problem"] or "")
    return (one["name"], one["kind"], to, one["severity"], causes, one["digest"], enabled, *last)
