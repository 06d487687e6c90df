"""Which dead letters: the filters that all commands over them share."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from returpost.errors import InvalidSettings

Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Fingerprint = Annotated[str | None, typer.Option(help="Only with this error (see `dead-letters list`).")]
ErrorType = Annotated[str | None, typer.Option(help="Only with this type of error, as KeyError.")]
Type = Annotated[str | None, typer.Option("--type", help="Only events of this type, as returpost.block.set.v1.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]
Mailing = Annotated[str | None, typer.Option(help="Only of this mailing.")]
EventId = Annotated[str | None, typer.Option("--event", help="Only of the event with this id.")]
Release = Annotated[str | None, typer.Option(help="Only what this release of the code could not process.")]
ErrorText = Annotated[str | None, typer.Option("--text", help="Only with this part in the error, in any case.")]
Since = Annotated[datetime | None, typer.Option(help="Only from this time on (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Only before this time (UTC).")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]
Why = Annotated[str, typer.Option(help="Why you do it; the audit keeps it.", prompt=True)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def selection(every: bool, ids: list[str] | None, **conditions: Any) -> dict[str, Any]:
    """Return a selection as the API wants it. Raises `InvalidSettings` for none, or for what is no id."""
    given = {name: _value(value) for name, value in conditions.items() if value is not None}
    if ids:
        given["ids"] = [dead_letter_id(identity) for identity in ids]
    if not (given or every):
        raise InvalidSettings(
            "specify at least one filter: ids, --fingerprint, --queue, --type, --tenant, --since, --until or --all"
        )
    return {"all": every, **given}


def _value(value: object) -> object:
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value


def dead_letter_id(text: str) -> str:
    """Return the id. Raises `InvalidSettings` for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidSettings(
            f"{text!r} is not the id of a dead letter; `returpost dead-letters list --one-by-one` shows them"
        ) from None
