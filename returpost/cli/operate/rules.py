"""`returpost rules`: check rule files, see what they cover and what they would change. Needs no service."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.cli.options import FOLDER, Folder, Json
from returpost.errors import InvalidSettings

if TYPE_CHECKING:
    from returpost.bounces.rules import Rules
    from returpost.contracts import Evidence

app = typer.Typer(no_args_is_help=True, help="Check rule files, see what they cover and what they would change.")
OVER = "Mails, folders of them, SMTP replies (--lines), or events (.jsonl) of past bounces."
Own = Annotated[Path | None, typer.Argument(help="Folder with rule files of your own; none: the packaged rules.")]
Lines = Annotated[bool, typer.Option("--lines", help="Each line of a file is an SMTP reply.")]
FAILED = 1
SHOWN = 20


@app.command("test")
def check(folder: Own = None) -> None:
    """Load the rules and check every example and counter-example; exit code 1 when any goes wrong."""
    from returpost.bounces.rules import RuleRegistry

    book = RuleRegistry(folder)
    rules = list(book.shared)
    examples = sum(len(placed.rule.examples) + len(placed.rule.counter_examples) for placed in rules)
    sys.stdout.write(f"{len(rules)} rules, {examples} examples: all as they should be\n")
    for tenant, version in book.versions().items():
        sys.stdout.write(f"{tenant}: {version}\n")


@app.command()
def lint(folder: Own = None) -> None:
    """Show what is doubtful in rules that can be used; exit code 1 when anything is."""
    from returpost.bounces.rules import PACKAGED, load
    from returpost.bounces.rules.lint import warnings

    files = {path.stem for path in (folder or PACKAGED).glob("*.toml")}
    found = list(warnings(load(folder), files))
    for doubt in found:
        sys.stdout.write(f"{doubt}\n")
    if found:
        raise typer.Exit(FAILED)
    sys.stdout.write("nothing doubtful\n")


@app.command()
def coverage(
    over: Annotated[list[str], typer.Argument(help=OVER)],
    rules: Annotated[Path | None, typer.Option(help="Folder with rule files of your own.")] = None,
    lines: Lines = False,
    as_json: Json = False,
) -> None:
    """Show which rules decide a set of past bounces, which none, what no rule knows, and which change nothing.

    A rule changes nothing when without it every bounce of the set, and every example of the rules, is judged alike.

    \b
    returpost rules coverage bounces/
    returpost rules coverage --lines replies.txt
    """
    from returpost.bounces.rules import load
    from returpost.bounces.rules.mutation import redundant
    from returpost.bounces.verdict import classify
    from returpost.cli.operate.past_bounces import of_files

    loaded = load(rules)
    deciding: Counter[str] = Counter()
    past = [evidence for _, evidence in of_files(over, lines=lines)]
    for evidence in past:
        deciding[classify(evidence, loaded).rule] += 1
    total = deciding.total()
    by_rule = sum(count for rule, count in deciding.items() if not rule.startswith(("tables.", "kind.")))
    by_code = sum(count for rule, count in deciding.items() if rule.startswith("tables.")) - deciding["tables.nothing"]
    never = sorted(placed.name for placed in loaded if placed.name not in deciding)
    redundant_rules = redundant(loaded, past)
    found = {
        "bounces": total, "by_rule": by_rule, "by_code": by_code, "by_nothing": deciding["tables.nothing"],
        "rules": dict(deciding.most_common()), "never": never, "redundant": redundant_rules,
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
    for name in redundant_rules:
        sys.stdout.write(f"{name} changes nothing: without it all is judged alike\n")


@app.command()
def diff(
    folder: Annotated[Path, typer.Argument(help="Folder with the rule files that may come.")],
    over: Annotated[list[str] | None, typer.Argument(help=OVER)] = None,
    now: Annotated[Path | None, typer.Option(help="Folder with the rule files of now.")] = None,
    lines: Lines = False,
    archive: Annotated[bool, typer.Option("--archive", help="The bounces that the archive keeps.")] = False,
    days: Annotated[int, typer.Option(min=1, help="How many days of the archive.")] = 30,
    tenant: Annotated[str | None, typer.Option(help="Of the archive, one tenant's alone.")] = None,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show what would change over past bounces if these rule files were used instead.

    Exit code 1 when an address would be called dead that is not now: look at those first.

    \b
    returpost rules diff my-rules bounces/
    returpost rules diff my-rules --archive --days 7 --tenant acme
    """
    from returpost.bounces.rules import load
    from returpost.cli.operate.past_bounces import of_archive, of_files

    before, after = load(now), load(folder)
    past: Iterable[tuple[str, Evidence]] = of_files(over or [], lines=lines)
    if archive:
        past = chain(
            past, of_archive(_broker(Installation(directory)), datetime.now(UTC) - timedelta(days=days), tenant)
        )
    elif not over:
        raise typer.BadParameter("name files of past bounces, or say --archive")
    asked = list(past)
    found = list(_changes(before, after, asked))
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
        sys.stdout.write(
            f"{len(found)} of {len(asked)} verdicts would change; {dead} addresses more would be called dead\n"
        )
    if dead:
        raise typer.Exit(FAILED)


def _broker(installation: Installation) -> str:
    """Return where the broker is. Raises `InvalidSettings` when nothing says so."""
    running = installation.running()
    url = setting("AMQP_URL") or (running.amqp_url if running else None)
    if url is None:
        raise InvalidSettings("--archive: RETURPOST_AMQP_URL is not set, and nothing runs in this folder")
    return url


def _changes(before: "Rules", after: "Rules", past: Iterable[tuple[str, "Evidence"]]) -> Iterator[dict[str, Any]]:
    from returpost.bounces.verdict import classify

    for name, evidence in past:
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
