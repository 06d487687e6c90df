"""Renders the chart as Helm does, as far as the chart goes: values, `range` over maps, `if`, three functions.

Whatever else a template holds is an error: a chart that grows beyond this must be rendered by Helm itself.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[3] / "deploy" / "chart"
_ACTION = re.compile(r"(\s*)\{\{(-?) ?(.*?) ?(-?)\}\}(\s*)", re.DOTALL)

Scope = dict[str, Any]
FUNCTIONS: dict[str, Callable[[Any], str]] = {
    "quote": lambda value: json.dumps(str(value)),
    "toJson": json.dumps,
    "upper": str.upper,
}


def values(*files: str) -> dict[str, Any]:
    """Return the values with those of other files over them, as `--values` does."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in files:
        found = _over(found, yaml.safe_load((CHART / name).read_text()))
    return found


def render(given: Mapping[str, Any], release: str = "mail") -> list[dict[str, Any]]:
    """Return every object of the chart."""
    root = {"Values": given, "Release": {"Name": release}}
    found = []
    for path in sorted((CHART / "templates").glob("*.yaml")):
        tokens = list(_tokens(path.read_text()))
        text, rest = _block(tokens, {"": root, "$": root})
        assert not rest, f"{path.name}: {rest[0]}"
        found += [one for one in yaml.safe_load_all(text) if one is not None]
    return found


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _over(below[key], value) if both else value
    return merged


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield `text` and `action`, without the space that a hyphen eats."""
    place = 0
    for found in _ACTION.finditer(text):
        before, left, action, right, after = found.groups()
        yield "text", text[place : found.start()] + ("" if left else before)
        yield "action", action
        place = found.end() if right else found.end() - len(after)
    yield "text", text[place:]


def _block(tokens: list[tuple[str, str]], scope: Scope) -> tuple[str, list[tuple[str, str]]]:
    """Return the text up to the `end` or `else` that belongs to a block above, and what follows from there on."""
    made = ""
    while tokens:
        kind, content = tokens[0]
        if kind == "text":
            made, tokens = made + content, tokens[1:]
        elif content in ("end", "else"):
            return made, tokens
        elif content.startswith("range "):
            text, tokens = _range(content, tokens[1:], scope)
            made += text
        elif content.startswith("if "):
            text, tokens = _if(content, tokens[1:], scope)
            made += text
        else:
            made, tokens = made + _expression(content, scope), tokens[1:]
    return made, []


def _range(action: str, tokens: list[tuple[str, str]], scope: Scope) -> tuple[str, list[tuple[str, str]]]:
    found = re.fullmatch(r"range (\$\w+), (\$\w+) := (\S+)", action)
    assert found, action
    key, item, over = found.groups()
    made, rest = "", tokens
    for name, value in sorted(_value(over, scope).items()):
        text, rest = _block(tokens, scope | {key: name, item: value})
        made += text
    return made, rest[1:]


def _if(action: str, tokens: list[tuple[str, str]], scope: Scope) -> tuple[str, list[tuple[str, str]]]:
    words = action.split()[1:]
    if words[0] == "not":
        holds = not _value(words[1], scope)
    elif words[0] == "or":
        holds = any(_value(word, scope) for word in words[1:])
    else:
        holds = bool(_value(words[0], scope))
    then, rest = _block(tokens, scope)
    other = ""
    if rest[0][1] == "else":
        other, rest = _block(rest[1:], scope)
    return then if holds else other, rest[1:]


def _expression(action: str, scope: Scope) -> str:
    path, *functions = (part.strip() for part in action.split("|"))
    value = _value(path, scope)
    for name in functions:
        value = FUNCTIONS[name](value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(path: str, scope: Scope) -> Any:
    """Return `.Values.a.b`, `$.Values.a`, `$name` or `$name.a`; one that is not there is an error."""
    first, *names = path.split(".")
    value = scope[first]
    for name in names:
        value = value[name]
    return value
