"""The reference of a service's HTTP API in Markdown, made from its OpenAPI document."""

from collections.abc import Iterator
from typing import Any

_HEAD = """# HTTP: {service}

Made by `python -m deploy.generate` from [the OpenAPI document](../openapi/{service}.json), which has every field.
Default port {port}. Tokens, errors, pages and rate limits are the same everywhere: [conventions](http-conventions.md).

{about}
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def http_reference(service: str, port: int, document: dict[str, Any]) -> str:
    """Return the document of one service: for each route what it does, its parameters, body and responses."""
    about = document["info"].get("description", "")
    parts = [_HEAD.format(service=service, port=port, about=about)]
    for path, operations in sorted(document["paths"].items()):
        parts += [_route(method, path, operations[method]) for method in _METHODS if method in operations]
    return "".join(parts)


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [*_parameters(operation), *_body(operation), *_responses(operation)]
    table = "\n| | | |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    about = _escaped(operation.get("description") or operation["summary"])
    public = "" if operation.get("security") else " No token needed."
    return f"\n## {method.upper()} {path}\n\n{about}{public}\n{table}"


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for item in operation.get("parameters", []):
        name = f"`{item['name']}`{' (required)' if item.get('required') else ''}"
        about = [_type(item.get("schema", {})), _escaped(" ".join(item.get("description", "").split()))]
        yield f"| {item['in']} | {name} | {'. '.join(filter(None, about))} |"


def _body(operation: dict[str, Any]) -> Iterator[str]:
    for content, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"| body | `{content}` | {_type(body.get('schema', {}))} |"


def _responses(operation: dict[str, Any]) -> Iterator[str]:
    for status, response in operation["responses"].items():
        if status.startswith(("2", "3")):
            bodies = [f"`{name}` {_type(body.get('schema', {}))}" for name, body in response.get("content", {}).items()]
            yield f"| response | {status} | {'; '.join(bodies) or _escaped(response.get('description', ''))} |"


def _type(schema: dict[str, Any]) -> str:
    """Return a schema in a few words: its model's name, or its type."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options if option.get("type") != "null"))
    if schema.get("enum"):
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any").replace("|", "\\|")


def _escaped(text: str) -> str:
    return text.strip().replace("<", "&lt;").replace("|", "\\|")
