"""`returpost classify`: judge bounce mails or SMTP replies here and now. Needs no broker and no database."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.bounces.mime.mbox import messages
from returpost.cli.input_files import MBOX_ENDINGS

if TYPE_CHECKING:
    from returpost.bounces.rules import Rules
    from returpost.contracts import Evidence, Verdict

MAX_MAIL = 32 * 1024 * 1024
WRONG_USE = 2
SHOWN_RUNNERS_UP = 3

NOTHING_RECOGNISED = 1
UNKNOWN_LINE = "line: neither a code nor words of a reply are known in it"


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one recipient, or one line; `stages` is what each stage of reading made of the mail."""

    recipient: str | None = None
    original_recipient: str | None = None
    evidence: "Evidence | None" = None
    problem: str = ""
    stages: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One recipient of one mail, or one line, with its verdict; nothing when nothing was recognised."""

    file: str
    recipient: str | None
    original_recipient: str | None
    evidence: "Evidence | None"
    verdict: "Verdict | None"
    problem: str = ""
    stages: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        verdict, evidence = self.verdict, self.evidence
        return {
            "file": self.file,
            "recipient": self.recipient,
            "original_recipient": self.original_recipient,
            "type": verdict.type if verdict else "none",
            "reason": verdict.reason if verdict else "undetermined",
            "fault": verdict.fault if verdict else "none",
            "dead_address": verdict.dead_address if verdict else False,
            "status": evidence.status if evidence else None,
            "confidence": round(verdict.confidence, 3) if verdict else 0.0,
            "rule": verdict.rule if verdict else None,
            "text": verdict.text if verdict else "",
            "diagnostic": evidence.diagnostic if evidence else "",
            "recipient_source": evidence.recipient_source if evidence else None,
            "problem": self.problem or None,
        } | ({"stages": self.stages} if self.stages is not None else {})


def classify(
    files: Annotated[
        list[str] | None, typer.Argument(help="Mails, mboxes, folders of them, or - for standard input.")
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line of a file is an SMTP reply or a diagnostic.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
    rules: Annotated[Path | None, typer.Option(help="Folder with rule files of your own.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each stage made of a mail.")] = False,
) -> None:
    """Judge bounce mails or SMTP replies: the verdict, and why.

    Exit code 1 when nothing was recognised in one of them (of lines: neither words nor a code), 2 when a file cannot
    be read.

    \b
    returpost classify bounce.eml
    returpost classify --json bounces/*.eml
    echo "550 5.1.1 User unknown" | returpost classify --lines -
    """
    from returpost.bounces.rules import load
    from returpost.bounces.verdict import BY_NOTHING, classify as judge

    loaded = load(rules)
    unread = unrecognised = 0
    for name in paths(files or ["-"]):
        try:
            body = read(name)
        except OSError as error:
            sys.stderr.write(f"{name}: {error.strerror or error}\n")
            unread += 1
            continue
        for number, told in enumerate(of_lines(body) if lines else of_file(name, body, explain=explain), 1):
            evidence = told.evidence
            verdict = judge(evidence, loaded) if evidence else None
            problem = told.problem or (UNKNOWN_LINE if lines and verdict and verdict.rule == BY_NOTHING else "")
            unrecognised += verdict is None or bool(problem)
            place = f"{name}:{number}" if lines else told.recipient or name
            if lines and evidence and (fault := _fault_of_line(evidence.diagnostic)):
                sys.stderr.write(f"{place}: {fault}\n")
            judged = Judged(name, told.recipient, told.original_recipient, evidence, verdict, problem, told.stages)
            _show(judged, place, loaded, as_json=as_json)
    if unread or unrecognised:
        raise typer.Exit(WRONG_USE if unread else NOTHING_RECOGNISED)


def _fault_of_line(text: str) -> str | None:
    """Return what is wrong with a line that is judged all the same."""
    if not text.strip():
        return "there is nothing on this line"
    return "not all of this line is UTF-8" if "\ufffd" in text else None


def paths(names: list[str]) -> Iterator[str]:
    """Yield the files, of folders all that are in them."""
    for name in names:
        if name != "-" and Path(name).is_dir():
            found = [str(path) for path in sorted(Path(name).rglob("*")) if path.is_file()]
            if not found:
                sys.stderr.write(f"{name}: there are no files in this folder\n")
            yield from found
        else:
            yield name


def read(name: str) -> bytes:
    """Return the bytes of a file, or of standard input. Raises `OSError`."""
    if name == "-":
        return sys.stdin.buffer.read(MAX_MAIL)
    with Path(name).open("rb") as file:
        return file.read(MAX_MAIL)


def of_file(name: str, body: bytes, *, explain: bool = False) -> Iterator[Told]:
    """Yield what a mail tells, or of an mbox each of its mails."""
    if name.lower().endswith(MBOX_ENDINGS):
        for message in messages(body.splitlines(keepends=True), MAX_MAIL):
            yield from of_mail(message.content, explain=explain)
    else:
        yield from of_mail(body, explain=explain)


def of_mail(body: bytes, *, explain: bool = False) -> Iterator[Told]:
    """Yield what is told of each recipient of a mail; the first has what each stage made of the mail."""
    from returpost.bounces.parsing import described, stages
    from returpost.contracts import Evidence

    made = stages(body)
    mail = made.mail
    shown = described(made) if explain else None
    for report in mail.reports:
        yield Told(report.recipient, report.original_recipient, report.evidence, stages=shown)
        shown = None
    if not mail.reports:
        yield Told(evidence=Evidence(kind=mail.kind) if mail.kind else None, problem=mail.problem, stages=shown)


def of_lines(body: bytes) -> Iterator[Told]:
    """Yield what each line says, as from a sender that reports it."""
    from returpost.bounces.rules.provider_codes import from_notation
    from returpost.bounces.smtp_reply import parse_reply
    from returpost.contracts import Evidence

    for line in body.decode("utf-8", "replace").splitlines():
        text, provider, codes = from_notation(line.replace("\x00", " "))
        reply = parse_reply(text)
        evidence = Evidence.model_construct(
            reply_code=reply.reply_code, status=reply.status, diagnostic=text, provider=provider, provider_codes=codes
        )
        yield Told(evidence=evidence)


def _show(judged: Judged, head: str, rules: "Rules", *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(judged.as_json(), ensure_ascii=False) + "\n")
        return
    from rich.text import Text

    from returpost.cli.terminal import out

    verdict = judged.verdict
    if judged.stages is not None:
        out.print(Text(_stages_text(judged.stages), style="dim"))
    if verdict is None or judged.problem:
        why = judged.problem or "no mail that tells of a bounce"
        hint = "" if verdict else " (for SMTP replies: --lines)"
        out.print(Text.assemble((head, "bold"), f"  nothing recognised: {why}{hint}"))
        return
    colour = {"hard": "red", "soft": "yellow"}.get(verdict.type, "green")
    dead = ", dead address" if verdict.dead_address else ""
    out.print(
        Text.assemble(
            (head, "bold"), "  ", (verdict.type, colour), f"  {verdict.reason}  (fault: {verdict.fault}{dead})"
        )
    )
    why = f"    {verdict.confidence:.0%} by {verdict.rule}" + (f": {verdict.text}" if verdict.text else "")
    out.print(Text(why, style="dim"))
    if judged.evidence is not None:
        from returpost.bounces.explain import explained

        for other in explained(judged.evidence, rules)["runners_up"][:SHOWN_RUNNERS_UP]:
            out.print(Text(f"    before {other['rule']}: {other['reason']}: {other['text']}", style="dim"))


def _stages_text(stages: dict[str, Any]) -> str:
    """Return the stages for people: one line a part, a field, a report."""
    lines = ["structure:", *(f"    {part}" for part in stages["structure"]), "notice:"]
    lines += [f"    {name}: {value}" for name, value in stages["notice"].items() if value not in (None, "")]
    for report in stages["reports"]:
        lines += ["report:", *(f"    {name}: {value}" for name, value in report.items() if value not in (None, "", []))]
    if stages["problem"]:
        lines.append(f"gave up: {stages['problem']}")
    return "\n".join(lines)
