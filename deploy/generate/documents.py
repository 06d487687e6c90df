"""Write the files that are made from the code: `python -m deploy.generate`, and with `--check` see whether they are.

`docs/asyncapi/<service>.json` are AsyncAPI 3 documents of each service's queues and events, and
`docs/openapi/<service>.json` OpenAPI 3.1 documents of its routes, both made from its wiring. The pages of
`docs/reference/` list the same for people: events, routes of each service, settings, and the command line.
`deploy/rabbitmq/definitions.json` is the topology, for brokers that load definitions when they start.
"""

import argparse
import json
import sys
from difflib import unified_diff
from importlib import import_module
from pathlib import Path
from typing import Any

from deploy.generate.command_line_reference import command_line_reference
from deploy.generate.event_table import event_table
from deploy.generate.http_reference import http_reference
from deploy.generate.limits_reference import limits_reference
from deploy.generate.settings_reference import settings_reference
from deploy.rabbitmq.definitions import definitions
from returpost.contracts.routing import SERVICES
from returpost.errors import ReturpostError
from shared.service import Service

ROOT = Path(__file__).resolve().parent.parent.parent
ASYNCAPI = Path("docs/asyncapi")
OPENAPI = Path("docs/openapi")
DEFINITIONS = Path("deploy/rabbitmq/definitions.json")
REFERENCE = Path("docs/reference")
EVENT_TABLE = REFERENCE / "events.md"
SETTINGS = REFERENCE / "settings.md"
COMMAND_LINE = REFERENCE / "command-line.md"
LIMITS = REFERENCE / "limits.md"
SHOWN_LINES = 20
"""Lines of each difference that `--check` shows."""


def documents() -> dict[Path, str]:
    """Return what each generated file should hold, by its path in the project. The same code gives the same bytes.

    Raises `ReturpostError` when a service cannot be wired.
    """
    wired = {service: _wired(service) for service in SERVICES}
    routes = {name: service.app.openapi() for name, service in wired.items()}
    return {
        **{ASYNCAPI / f"{name}.json": _pretty(service.asyncapi()) for name, service in wired.items()},
        **{OPENAPI / f"{name}.json": _pretty(document) for name, document in routes.items()},
        **{
            REFERENCE / f"http-{name}.md": http_reference(name, wired[name].settings.http_port, routes[name])
            for name in routes
        },
        DEFINITIONS: _pretty(definitions()),
        EVENT_TABLE: event_table(),
        SETTINGS: settings_reference(),
        LIMITS: limits_reference(),
        COMMAND_LINE: command_line_reference(),
    }


def asyncapi(service: str) -> dict[str, Any]:
    """Return the AsyncAPI document of a service. Raises `ReturpostError` when it cannot be wired."""
    return _wired(service).asyncapi()


def _wired(service: str) -> Service[Any]:
    """Wire a service with default settings, whatever the environment is."""
    try:
        create = import_module(f"services.{service}.app").create
        settings = import_module(f"services.{service}.settings").Settings.model_construct()
    except (ImportError, AttributeError) as error:
        raise ReturpostError(f"services/{service}: cannot be wired: {error}") from error
    wired: Service[Any] = create(settings)
    return wired


def differences(root: Path, wanted: dict[Path, str]) -> list[str]:
    """Return a line for each file that is not what it should be, with the beginning of the difference."""
    found = []
    for path, text in wanted.items():
        committed = (root / path).read_text() if (root / path).exists() else ""
        if committed != text:
            names = (str(path), f"{path} (code)")
            lines = list(unified_diff(committed.splitlines(), text.splitlines(), *names, n=1, lineterm=""))
            rest = [f"... and {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
            found.append("\n".join([*lines[:SHOWN_LINES], *rest]))
    there = {path.relative_to(root) for folder in (ASYNCAPI, OPENAPI) for path in (root / folder).glob("*.json")}
    stale = there - set(wanted)
    return found + [f"{path}: no service of that name; delete it" for path in sorted(stale)]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check. Exit code 1 when a file differs or a service cannot be wired."""
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    try:
        wanted = documents()
    except ReturpostError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if check:
        found = differences(root, wanted)
        sys.stderr.write("".join(f"{line}\n" for line in found))
        if found:
            sys.stderr.write(f"{len(found)} generated files are out of date; run `python -m deploy.generate`\n")
        return 1 if found else 0
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return 0


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
