"""Old words do not come back: as names, routes, wire names, messages or headings."""

import ast
import io
import json
import re
import tokenize
from functools import cache

import pytest

from tests.project.source_tree import files, sources, text, tree
from tests.project.vocabulary import HEADINGS, IDENTIFIERS, MESSAGES, ROUTES, WIRE, Old

HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)
ALLOWED = ("tests/project/",)

PENDING: tuple[str, ...] = ()
"""Rooms that still have old names; only ever shortened."""
PENDING_ROUTES: tuple[str, ...] = ()


@cache
def names(path: str) -> frozenset[str]:
    """Return the names in a Python file, and those of its module."""
    tokens = tokenize.generate_tokens(io.StringIO(text(path)).readline)
    found = {token.string for token in tokens if token.type == tokenize.NAME}
    return frozenset(found | set(path.removesuffix(".py").split("/")))


@cache
def strings(path: str) -> str:
    """Return the string literals of a Python file, one a line."""
    constants = (node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


@pytest.mark.parametrize("old", IDENTIFIERS, ids=lambda old: old.pattern[:40])
def test_identifiers_are_the_new_ones(old: Old) -> None:
    whole = re.compile(rf"(?:{old.pattern})\Z")
    found = {
        path: hit
        for path in sources()
        if path.startswith(old.below) and not path.startswith(ALLOWED + PENDING)
        if (hit := sorted(name for name in names(path) if whole.match(name)))
    }
    assert found == {}, f"instead: {old.instead}"


@pytest.mark.parametrize("old", MESSAGES, ids=lambda old: old.pattern)
def test_messages_are_the_new_ones(old: Old) -> None:
    found = [path for path in sources() if not path.startswith(ALLOWED + PENDING) and old.find(strings(path))]
    assert found == [], f"instead: {old.instead}"


def test_routes_are_the_new_ones() -> None:
    documents = [path for path in files() if path.startswith("docs/openapi/")]
    assert documents
    routes = "\n".join(path for document in documents for path in json.loads(text(document))["paths"])
    assert [old.instead for old in ROUTES if old.find(routes) and old.instead not in PENDING_ROUTES] == []


def test_wire_names_are_the_new_ones() -> None:
    documents = "\n".join(text(path) for path in files() if path.startswith("docs/asyncapi/"))
    assert documents
    assert [old.instead for old in WIRE if old.find(documents)] == []


def test_headings_are_the_new_ones() -> None:
    documents = [path for path in files() if path.endswith(".md")]
    headings = {path: "\n".join(HEADING.findall(text(path))) for path in documents}
    assert headings
    found = {path: [old.instead for old in HEADINGS if old.find(all_)] for path, all_ in headings.items()}
    assert {path: instead for path, instead in found.items() if instead} == {}
