"""`returpost rules`: check rule files, see what they cover and what they would change. Needs no service."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.commands.options import Json

if TYPE_CHECKING:
    from services.classifier.rules import Rules
    from shared.contracts import Evidence

app = typer.Typer(no_args_is_help=True, help="Check rule files, see what they cover and what they would change.")
Folder = Annotated[Path | None, typer.Argument(help="Folder with rule files of your own; none: the packaged rules.")]
Over = Annotated[
    list[str],
    typer.Argument(help="Mails, folders of them, SMTP replies (--lines), or events (.jsonl) of past bounces."),
]
Lines = Annotated[bool, typer.Option("--lines", help="Each line of a file is an SMTP reply.")]
FAILED = 1
SHOWN = 20


@app.command("test")
def check(folder: Folder = None) -> None:
    """Load the rules and check every example and counter-example; exit code 1 when any goes wrong."""
    from services.classifier.rules import RuleBook

    book = RuleBook(folder)
    rules = list(book.shared)
    examples = sum(len(placed.rule.examples) + len(placed.rule.counter_examples) for placed in rules)
    sys.stdout.write(f"{len(rules)} rules, {examples} examples: all as they should be\n")
    for tenant, version in book.versions().items():
        sys.stdout.write(f"{tenant}: {version}\n")


@app.command()
def lint(folder: Folder = None) -> None:
    """Show what is doubtful in rules that can be used; exit code 1 when anything is."""
    from services.classifier.rules import PACKAGED, load
    from services.classifier.rules.lint import doubts

    files = {path.stem for path in (folder or PACKAGED).glob("*.toml")}
    found = list(doubts(load(folder), files))
    for doubt in found:
        sys.stdout.write(f"{doubt}\n")
    if found:
        raise typer.Exit(FAILED)
    sys.stdout.write("nothing doubtful\n")


@app.command()
def coverage(
    over: Over,
    rules: Annotated[Path | None, typer.Option(help="Folder with rule files of your own.")] = None,
    lines: Lines = False,
    as_json: Json = False,
) -> None:
    """Show which rules decide a set of past bounces, which none, and what no rule knows.

    \b
    returpost rules coverage bounces/
    returpost rules coverage --lines replies.txt
    """
    from services.classifier.rules import load
    from services.classifier.verdict import classify

    loaded = load(rules)
    deciding: Counter[str] = Counter()
    for _, evidence in _evidence(over, lines):
        deciding[classify(evidence, loaded).rule] += 1
    total = deciding.total()
    by_rule = sum(count for rule, count in deciding.items() if not rule.startswith(("tables.", "kind.")))
    by_code = sum(deciding[f"tables.{table}"] for table in ("status", "reply_code"))
    never = sorted(placed.name for placed in loaded if placed.name not in deciding)
    found = {
        "bounces": total, "by_rule": by_rule, "by_code": by_code, "by_nothing": deciding["tables.nothing"],
        "rules": dict(deciding.most_common()), "never": never,
    }  # fmt: skip
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    sys.stdout.write(
        f"{total} bounces: {by_rule} by a rule, {by_code} by a code alone, {found['by_nothing']} by nothing\n"
    )
    for rule, count in deciding.most_common():
        sys.stdout.write(f"{count:8}  {rule}\n")
    sys.stdout.write(f"{len(never)} rules decided none\n")


@app.command()
def diff(
    folder: Annotated[Path, typer.Argument(help="Folder with the rule files that may come.")],
    over: Over,
    now: Annotated[Path | None, typer.Option(help="Folder with the rule files of now.")] = None,
    lines: Lines = False,
    as_json: Json = False,
) -> None:
    """Show what would change over a set of past bounces if these rule files were used instead.

    Exit code 1 when an address would be called dead that is not now: look at those first.
    """
    from services.classifier.rules import load

    found = list(_changes(load(now), load(folder), over, lines))
    dead = sum(change["dead_address"] == [False, True] for change in found)
    if as_json:
        for change in found:
            sys.stdout.write(json.dumps(change, ensure_ascii=False) + "\n")
    else:
        kinds = Counter((*change["reason"], change["dead_address"] == [False, True]) for change in found)
        for (before, after, newly_dead), count in kinds.most_common():
            sys.stdout.write(f"{count:8}  {before} -> {after}{'  (dead now)' if newly_dead else ''}\n")
        for change in sorted(found, key=lambda one: one["dead_address"] != [False, True])[:SHOWN]:
            sys.stdout.write(f"{change['rule'][0]} -> {change['rule'][1]}: {change['diagnostic'][:160]}\n")
        sys.stdout.write(f"{len(found)} verdicts would change; {dead} addresses more would be called dead\n")
    if dead:
        raise typer.Exit(FAILED)


def _changes(before: "Rules", after: "Rules", over: list[str], lines: bool) -> Iterator[dict[str, Any]]:
    from services.classifier.verdict import classify

    for name, evidence in _evidence(over, lines):
        old, new = classify(evidence, before), classify(evidence, after)
        if (old.reason, old.type, old.dead_address) != (new.reason, new.type, new.dead_address):
            yield {
                "file": name,
                "diagnostic": evidence.diagnostic,
                "reason": [old.reason, new.reason],
                "type": [old.type, new.type],
                "dead_address": [old.dead_address, new.dead_address],
                "rule": [old.rule, new.rule],
            }


def _evidence(over: list[str], lines: bool) -> Iterator[tuple[str, "Evidence"]]:
    """Yield what the files say: mails, lines, or events `bounce.received`, one or a batch a line."""
    from returpost.commands.classify import of_lines, of_mail, paths, read

    for name in paths(over):
        body = read(name)
        if name.endswith(".jsonl"):
            yield from ((name, evidence) for evidence in _of_events(name, body))
        else:
            yield from ((name, evidence) for _, _, evidence in (of_lines(body) if lines else of_mail(body)) if evidence)


def _of_events(name: str, body: bytes) -> Iterator["Evidence"]:
    from pydantic import ValidationError

    from shared.contracts import Evidence
    from shared.errors import InvalidSettings

    for number, line in enumerate(body.decode("utf-8", "replace").splitlines(), 1):
        try:
            told = json.loads(line) if line.strip() else []
            for event in told if isinstance(told, list) else [told]:
                data = event.get("data", event)
                yield Evidence.model_validate(data.get("evidence", data))
        except (ValueError, AttributeError, ValidationError):
            raise InvalidSettings(f"{name}: line {number} is no event of a bounce") from None
