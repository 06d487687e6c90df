"""The settings reference, made from the settings classes: name, type, default, and meaning from the docstrings."""

import ast
import inspect
import pkgutil
import textwrap
import types
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import Enum
from importlib import import_module
from typing import Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import services
from returpost.contracts.routing import SERVICES
from shared.settings import ServiceSettings

_HEAD = """# Settings

Made by `python -m deploy.generate` from the settings classes of the services.

A setting is an environment variable, or a file of that name in lower case in the folder `RETURPOST_SECRETS_DIR`. The
variable wins. Durations are written in ISO 8601 (`PT30S`, `P30D`) or in seconds, lists and tables in JSON.
Secrets are never logged.

## All services

Each service also reads these with its own name in front, which wins: `RETURPOST_DATABASE_POOL` is for all services,
`RETURPOST_CLASSIFIER_DATABASE_POOL` for the classifier.
"""
_TABLE = """
| variable | type | default | meaning |
|---|---|---|---|
{rows}
"""
_PLAIN = {"SecretStr": "secret", "timedelta": "duration", "str": "text", "NoneType": "none", "Path": "path"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def settings_reference() -> str:
    """Return the document, in Markdown."""
    parts = [_HEAD, _table(_rows(ServiceSettings, "RETURPOST_"))]
    for service in (*SERVICES, "console"):
        parts.append(f"\n## {service.title()}\n")
        rows: list[str] = []
        for kind in _classes(service):
            rows += _rows(kind, _prefix(kind, service), ServiceSettings.model_fields)
        parts.append(_table(rows))
    return "".join(parts)


def _classes(service: str) -> list[type[BaseSettings]]:
    """Return the settings classes of a service, wherever in it they are; its own `Settings` first."""
    package = import_module(f"services.{service}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith("settings"):
            import_module(module.name)
    below = (kind for kind in _below(BaseSettings) if not kind.__subclasses__())
    found = [kind for kind in below if kind.__module__.startswith(f"{services.__name__}.{service}.")]
    return sorted(found, key=lambda kind: (not issubclass(kind, ServiceSettings), kind.__module__, kind.__name__))


def _below(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _prefix(kind: type[BaseSettings], service: str) -> str:
    return (
        f"RETURPOST_{service.upper()}_" if issubclass(kind, ServiceSettings) else str(kind.model_config["env_prefix"])
    )


def _rows(kind: type[BaseSettings], prefix: str, common: dict[str, FieldInfo] | None = None) -> list[str]:
    """Return a row for each setting; of those that all services have, only where the default is another."""
    meanings = _docstrings(kind)
    rows = []
    for name, field in kind.model_fields.items():
        if common and name in common and common[name].default == field.default:
            continue
        cells = (
            f"`{prefix}{name.upper()}`",
            _type(field),
            _default(field),
            meanings.get(name) or field.description or "",
        )
        rows.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return rows


def _table(rows: Iterable[str]) -> str:
    return _TABLE.format(rows="\n".join(rows))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _docstrings(kind: type[BaseSettings]) -> dict[str, str]:
    """Return the string that stands below each field of a class or of its base, on one line."""
    found: dict[str, str] = {}
    written: list[type] = [one for one in kind.__mro__ if one.__module__.startswith(f"{services.__name__}.")]
    for one in (ServiceSettings, *reversed(written)):
        if not _is_written(one):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class
        for statement, below in zip(body.body, body.body[1:], strict=False):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found


def _is_written(kind: type) -> bool:
    """Tell whether the class stands in a file, and was not made by `create_model`: its fields have descriptions."""
    try:
        inspect.getsource(kind)
    except (OSError, TypeError):
        return False
    return True


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {value:,}" if isinstance(value, int) else f"{sign} {value}"
        for name, sign in _BOUNDS.items()
        for one in field.metadata
        if (value := getattr(one, name, None)) is not None
    ]
    return ", ".join([_named(field.annotation), *bounds])


def _named(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_named(one) for one in get_args(kind) if one is not types.NoneType)
    if get_origin(kind) in (tuple, list):
        return f"list of {_named(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return f"table of {_named(value)} by {_named(key)}"
    if args := get_args(kind):
        return _named(args[0])
    name = getattr(kind, "__name__", str(kind))
    return _PLAIN.get(name, name)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{shown}`" if (shown := _shown(value)) else ""


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, tuple | list):
        return ",".join(_shown(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    return "" if value is None or value == {} else str(value)


def _duration(value: timedelta) -> str:
    """Write a duration in the largest unit that divides it; below a second, in seconds."""
    seconds = value.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
