"""Requests that no client makes, to every route of an OpenAPI document: values almost right, or not at all.

The same seed makes the same requests.
"""

import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\U0001f600" * 50, "9" * 30, "-1", "1e400", "NaN", "null", "*", "%", "../..",
    "' OR 1=1 --", "x" * 5_000, "\u202eabc", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59",
    "2026-02-30T00:00:00Z", "WyJhIl0", "W251bGwsMV0", "W10", "[1e999]", "ann@example.com", '"a b"@example.com',
    "ann@" + "x" * 300, "ann@\u00e6\u00f8\u00e5.example", "00000000-0000-0000-0000-000000000000", "P999999999Y",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1.5, 1e308)
OTHERS: tuple[Any, ...] = (None, True, [], {}, [[]], [None], {"": None}, [{}] * 50)
BODIES = (
    b"", b"null", b"[", b"{", b"[]", b'""', b"0", b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"',
    b'{"name":"\\u0000"}',
    b"1e999", b"9" * 5_000, b"NaN", b"-", b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"{}" * 1_000,
    b"a;b\n1;2\n", b'email\n"', b"\n" * 1_000, b"[" + b"{}," * 5_000 + b"{}]", b"a=b&c=%zz",
)  # fmt: skip
TYPES = ("application/json", "text/csv", "text/plain", "application/x-ndjson", "message/rfc822", "a/b", "", "\u00e6")
HEADERS = (
    ("If-Match", '"999999999999999999999999"'), ("If-Match", "*"), ("If-None-Match", "\u00ff"), ("Range", "bytes=9-1"),
    ("Idempotency-Key", "x" * 300), ("Idempotency-Key", "\u00e6"), ("Accept", "\u00ff/*;q=x"),
    ("Last-Event-ID", "9" * 40),
    ("traceparent", "00-zz"), ("X-Forwarded-For", "\u00ff,,"), ("Cookie", "a=\u00ff; ="),
    ("Accept-Language", "x" * 900),
    ("Expect", "200-ok"), ("Content-Encoding", "gzip"),
)  # fmt: skip
ALMOST = 0.75
"""How often a value is of the type that it should be."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """One request."""

    method: str
    template: str
    target: str
    """Path and query, quoted."""
    headers: dict[str, bytes]
    body: bytes


def malformed(document: dict[str, Any], number: int, seed: int = 0) -> Iterator[Malformed]:
    """Yield so many requests to each operation of a document."""
    for template, item in document["paths"].items():
        for method, operation in item.items():
            random = Random(f"{seed} {method} {template}")
            for _ in range(number):
                yield _request(document, template, method.upper(), operation, random)


def _request(
    document: dict[str, Any], template: str, method: str, operation: dict[str, Any], random: Random
) -> Malformed:
    path, query = template, list[str]()
    headers = dict[str, bytes]()
    for parameter in operation.get("parameters", ()):
        written = _quoted(_value(document, parameter["schema"], random))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", written or "%20")
        elif parameter["in"] == "query" and random.random() < 0.6:
            query += [f"{parameter['name']}={written}"] * random.choice((1, 1, 1, 2))
    if random.random() < 0.3:
        name, value = random.choice(HEADERS)
        headers[name] = value.encode("latin-1")
    body = _body(document, operation, random, headers)
    return Malformed(method, template, path + ("?" + "&".join(query) if query else ""), headers, body)


def _body(document: dict[str, Any], operation: dict[str, Any], random: Random, headers: dict[str, bytes]) -> bytes:
    content = operation.get("requestBody", {}).get("content", {})
    if not content and random.random() < 0.9:
        return b""
    type_ = random.choice(list(content) or list(TYPES)) if random.random() < 0.85 else random.choice(TYPES)
    headers["Content-Type"] = type_.encode("latin-1")
    if random.random() < 0.3 or "json" not in type_ or not content:
        return random.choice(BODIES)
    schema = next(iter(content.values())).get("schema", {})
    text = json.dumps(_value(document, schema, random))
    return text.encode()[: random.randrange(len(text))] if random.random() < 0.05 else text.encode()


def _value(document: dict[str, Any], schema: dict[str, Any], random: Random, depth: int = 0) -> Any:
    if random.random() > ALMOST or depth > 6:
        return random.choice((random.choice(TEXTS), random.choice(NUMBERS), random.choice(OTHERS)))
    while "$ref" in schema:
        schema = _found(document, schema["$ref"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _value(document, random.choice(schema[several]), random, depth)
    if "const" in schema or "enum" in schema:
        return schema.get("const", random.choice(schema.get("enum", [None])))
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            chosen = [name for name in fields if name in schema.get("required", ()) or random.random() < 0.4]
            return {name: _value(document, fields[name], random, depth + 1) for name in chosen}
        case "array":
            return [_value(document, schema.get("items", {}), random, depth + 1) for _ in range(random.randrange(4))]
        case "integer" | "number":
            return random.choice((1, 2, 50, random.choice(NUMBERS)))
        case "boolean":
            return random.random() < 0.5
    return _text(schema, random)


def _text(schema: dict[str, Any], random: Random) -> str:
    plain = "".join(random.choices(string.ascii_lowercase, k=5))
    form = schema.get("format")
    if form == "date-time":
        return random.choice(("2026-01-02T03:04:05Z", "2026-01-02T03:04:05", *TEXTS))
    if form == "uuid":
        return random.choice(("00000000-0000-4000-8000-000000000000", *TEXTS[:5]))
    return str(random.choice((plain, plain, f"{plain}@example.com", *schema.get("examples", ()), random.choice(TEXTS))))


def _found(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
