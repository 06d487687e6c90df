"""What the documents tell people to type exists: commands, options, targets, files, examples."""

import ast
import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from returpost.cli.operate.erase import DEFAULT
from returpost.cli.root import all_commands, load
from returpost.contracts import DeliveryResult
from shared.messaging.topology import queues

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
DECISION_HEADINGS = ["Context", "Decision", "Alternatives", "Consequences"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(found[2], id=f"{document.stem}-{n}")
        for document in DOCUMENTS
        for n, found in enumerate(BLOCK.finditer(document.read_text()))
        if found[1] == language
    ]


def returpost_calls(text: str) -> list[list[str]]:
    words = shlex.split(text.replace("$(", " $( ").replace(")", " ) "), comments=True)
    calls: list[list[str]] = []
    for place, word in enumerate(words):
        if word.rpartition("/")[2] == "returpost" and words[place - 1 : place] != [">"]:
            rest = words[place + 1 :]
            end = next((n for n, part in enumerate(rest) if part in ("|", ")", ";", "&&", ">")), len(rest))
            calls.append(rest[:end])
    return calls


@pytest.mark.parametrize("block", blocks("sh"))
def test_what_is_to_be_typed_exists(block: str) -> None:
    for line in block.splitlines():
        for name, *arguments in returpost_calls(line):
            assert name in all_commands(), line
            command = load(name)
            if hasattr(command, "commands"):
                if arguments[0] not in command.commands:
                    arguments = [DEFAULT, *arguments]
                command, arguments = command.commands[arguments[0]], arguments[1:]
            command.make_context(name, arguments)
        if line.startswith("make "):
            assert line.split()[1] in TARGETS, line
        if found := re.search(r"python -m ([\w.]+)", line):
            assert import_module(found[1])


@pytest.mark.parametrize("block", blocks("json"))
def test_examples_are_json_and_results_are_taken(block: str) -> None:
    """One value a line, or one folded for people."""
    for value in [block] if block.startswith("{\n") else block.splitlines():
        if "result" in json.loads(value):
            assert TypeAdapter(DeliveryResult).validate_json(value).mailing


@pytest.mark.parametrize("block", blocks("python"))
def test_examples_compile(block: str) -> None:
    assert compile(block, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_links_and_queues_are_there(document: Path) -> None:
    text = document.read_text()
    for link in LINK.findall(text):
        if not link.startswith("http"):
            assert (document.parent / link).exists(), link
    known = {queue.name for queue in queues(("default",))}
    for name in re.findall(r"--(?:into|queue) ([a-z.-]+)", text):
        assert name in known or name.endswith(".jsonl")  # a file


def test_readme_fits_in_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_page_is_in_the_navigation() -> None:
    """Decision records are reached from their index instead."""
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}
    listed = re.findall(r"[\w/-]+\.md", navigation)
    assert sorted(listed) == sorted(pages - {str(record.relative_to(ROOT / "docs")) for record in DECISIONS})


def test_decisions_are_numbered_without_holes_and_indexed() -> None:
    index = (ROOT / "docs/decisions/index.md").read_text()
    for number, record in enumerate(DECISIONS, 1):
        title = record.read_text().partition("\n")[0]
        assert record.name.startswith(f"{number:04}-"), record.name
        assert title.startswith(f"# {number}. "), title
        assert f"| {number} | [{title.partition('. ')[2]}]({record.name}) |" in index


@pytest.mark.parametrize("record", DECISIONS, ids=lambda record: record.name[:4])
def test_decision_has_status_date_and_sections(record: Path) -> None:
    text = record.read_text()
    assert re.search(r"^- Status: (accepted|superseded)", text, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == DECISION_HEADINGS


def test_contributing_names_files_that_exist() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where things are decided\n")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| ")][1:]
    answers = [re.findall(r"`([\w./-]+)`", row[2]) for row in rows]
    assert len(answers) >= 10
    for answer in answers:
        assert answer, "a task without a file"
        for file in answer:
            assert (ROOT / file).is_file(), file
