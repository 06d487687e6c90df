"""`returpost validate`: check new addresses here and now. Needs no broker and no database, but DNS."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from returpost.cli.options import Json
from returpost.errors import InvalidSettings

AT_ONCE = 2_000


def validate(
    file: Annotated[str, typer.Argument(help="A file with an address a line, or - for standard input.")] = "-",
    as_json: Json = False,
    servers: Annotated[str, typer.Option(help="Name servers to ask, by commas; else the machine's.")] = "",
    port: Annotated[int, typer.Option(help="Port of the name servers.")] = 53,
    lists: Annotated[Path | None, typer.Option(help="Folder with own domains.txt, roles.txt, disposable.txt.")] = None,
) -> None:
    """Check new addresses: syntax, whether the domain takes mail, likely slips, role and disposable ones.

    Exit code 1 when an address is invalid; one that DNS has no answer for now is unknown.

    \b
    returpost validate addresses.txt
    echo ann@gmial.com | returpost validate --json
    """
    from returpost.cli.terminal import out
    from returpost.contracts import Validity
    from returpost.validation.domains import Domains
    from returpost.validation.lists import load
    from returpost.validation.validator import Finding, Validator

    validator = Validator(Domains([name.strip() for name in servers.split(",") if name.strip()], port), load(lists))

    async def findings() -> list[Finding]:
        return await validator.validate(part)

    wrong = 0
    addresses = _lines(file)
    with asyncio.Runner() as runner:
        while part := list(islice(addresses, AT_ONCE)):
            for found in runner.run(findings()):
                wrong += found.validity is Validity.INVALID
                if as_json:
                    sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
                else:
                    notes = [found.problem, found.suggestion and f"meant: {found.suggestion}"]
                    notes += ["role address"] * found.role + ["disposable"] * found.disposable
                    said = "; ".join(note for note in notes if note)
                    out.print(
                        f"{found.validity:8} {found.given}  {said}", highlight=False, markup=False, soft_wrap=True
                    )
    raise typer.Exit(1 if wrong else 0)


def _lines(file: str) -> Iterator[str]:
    try:
        source = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidSettings(f"{file}: {error.strerror}") from None
    with source:
        for line in source:
            if text := line.decode("utf-8", "replace").strip():
                yield text
