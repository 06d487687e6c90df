"""The classifier: lines and mails a second, how right it is, and what long lines and many rules cost.

    python -m bench.classify --scale 0.1 --json results.json

One process, processor time of one core, no line twice; `lines_per_second` leaves the classifier's cache out,
`as_in_service_per_second` does not. The lines are made from the
replies of the simulated mailing and the examples of the rules, with other addresses, hosts and ids in each. When a
folder of labelled mails is at `../shared/corpus` beside the project (or at `--corpus`), its mails are judged and
compared with its labels; otherwise the project's own samples are. `aside_*` are the families of the corpus that nobody
reads (`aside_families.txt`), `read_*` the others: a gap of more than three points between the two means that the work
fits the mails and not the world.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.accuracy.confusion import picture
from bench.accuracy.corpus import CORPUS, Label, aside_families, labels
from bench.accuracy.laws import AT_LEAST_FRAME, AT_LEAST_LAW, figures, laws
from bench.accuracy.reliability import Judgements, diagram
from bench.load import command
from deploy.demo.replies import HARD, SOFT
from returpost.bounces import parse
from returpost.bounces.reports.report import ParsedMail
from returpost.bounces.rules import Placed, Rule, Rules, load
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify, verdict_of
from returpost.contracts import Evidence, Reason, Verdict

RESULTS = Path(__file__).with_name("results")
"""Git-ignored: what is written there names mails of the corpus."""
LINES, MAILS, AT_LEAST_LINES, AT_LEAST_MAILS = 200_000, 5_000, 5_000, 200
LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
RULES = (100, 200, 500, 1_000, 2_000)
AT_LEAST = {
    "lines_per_second": 50_000,
    "reason_agreed": 0.95,
    "reason_all": 0.90,
    "dead_agreed": 0.985,
}
SURE = 0.9
GAP = 0.03
"""By how much the families that are read may be better than those put aside."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Findings:
    """What was measured; the names are those of the JSON."""

    lines: int
    lines_per_second: float = 0.0
    as_in_service_per_second: float = 0.0
    """The same lines with the cache: it knows what a server says to many, though each is told it in another way."""
    with_codes_per_second: float = 0.0
    """Lines a second when code and status are read out of the text, too; with the cache."""
    mails_per_second: float = 0.0
    expectations: int = 0
    reason_agreed: float = 0.0
    reason_all: float = 0.0
    dead_agreed: float = 0.0
    false_dead: int = 0
    """Addresses that are called dead and are not."""
    missed_dead: int = 0
    aside_recipients: float = 0.0
    aside_reason: float = 0.0
    aside_dead: float = 0.0
    aside_false_dead: int = 0
    sure_right: float = 0.0
    """Of the verdicts on the families put aside with confidence 0.9 and more, the share that is right."""
    read_recipients: float = 0.0
    read_reason: float = 0.0
    read_dead: float = 0.0
    read_false_dead: int = 0
    laws: dict[str, float] = field(default_factory=dict)
    """Shares that hold, as `law_<name>`, and `frames_worst`: one key each in the JSON."""
    became_dead: int = 0
    """Metamorphic cases that are called dead and were not before."""
    metamorphic_cases: int = 0
    microseconds_by_length: dict[int, float] = field(default_factory=dict)
    microseconds_by_rules: dict[int, float] = field(default_factory=dict)


def made_lines(count: int, rules: Rules, seed: int) -> list[str]:
    """Return lines no two of which are the same."""
    chosen = random.Random(seed)
    texts = [reply.text for reply in HARD + SOFT]
    texts += [example.replace("{", "{{").replace("}", "}}") for _, rule, _ in rules for example in rule.examples]
    return [_filled(chosen, chosen.choice(texts)) for _ in range(count)]


def _filled(chosen: random.Random, text: str) -> str:
    local, domain = _word(chosen, 6), f"{_word(chosen, 8)}.example"
    address, host, id_ = f"{local}@{domain}", f"198.51.100.{chosen.randrange(256)}", f"{chosen.getrandbits(48):012x}"
    filled = text.format(address=address, local=local, domain=domain, ip=host, id=id_)
    return f"{filled.replace('ann@example.com', address).replace('192.0.2.1', host)} {id_}"


def _word(chosen: random.Random, length: int) -> str:
    return "".join(chosen.choices(_LETTERS, k=length))


def evidence_of(parsed: ParsedMail, label: Label, alone: bool) -> Evidence | None:
    """Return what the mail says of the label's recipient; of its only one, whoever that is."""
    wanted = (label.recipient or "").lower()
    for report in parsed.reports:
        if wanted in {report.recipient.lower(), (report.evidence.final_recipient or "").lower()}:
            return report.evidence
    if parsed.reports and alone:
        return parsed.reports[0].evidence
    return Evidence(kind=parsed.kind) if parsed.kind else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A label and what was found."""

    label: Label
    recipient: bool
    """The recipient was found; where the label names none, nobody was."""
    verdict: Verdict | None

    @property
    def reason(self) -> Reason:
        """The reason that was found; undetermined when nothing was."""
        return self.verdict.reason if self.verdict else Reason.UNDETERMINED

    @property
    def dead(self) -> bool:
        """The address was called dead."""
        return self.verdict is not None and self.verdict.dead_address


def judged(wanted: Sequence[Label], rules: Rules) -> list[Judged]:
    """Judge the mails of the labels."""
    times = Counter(label.mail for label in wanted)
    parsed = {mail: parse(mail.read_bytes()) for mail in times}
    found = []
    for label in wanted:
        reports = parsed[label.mail].reports
        names = {name.lower() for report in reports for name in (report.recipient, report.evidence.final_recipient)
                 if name}  # fmt: skip
        evidence = evidence_of(parsed[label.mail], label, times[label.mail] == 1)
        verdict = classify(evidence, rules) if evidence else None
        found.append(Judged(label, label.recipient.lower() in names if label.recipient else not names, verdict))
    return found


def measure_accuracy(findings: Findings, rules: Rules, wanted: Sequence[Label]) -> None:
    """Compare verdicts with labels: all, and the families put aside and the others each by themselves."""
    found = judged(wanted, rules)
    findings.expectations = len(found)
    findings.reason_all = _share(one.reason == one.label.reason for one in found)
    findings.reason_agreed = _reasons(found)
    findings.dead_agreed = _dead(found)
    findings.false_dead = _false_dead(found)
    findings.missed_dead = sum(one.label.dead_address and not one.dead for one in found)
    aside = aside_families()
    read = [one for one in found if one.label.family not in aside]
    hidden = [one for one in found if one.label.family in aside]
    if hidden:
        findings.aside_recipients = _share(one.recipient for one in hidden)
        findings.aside_reason, findings.aside_dead = _reasons(hidden), _dead(hidden)
        findings.aside_false_dead = _false_dead(hidden)
    findings.read_recipients = _share(one.recipient for one in read)
    findings.read_reason, findings.read_dead, findings.read_false_dead = _reasons(read), _dead(read), _false_dead(read)
    write_results(read)
    series: dict[str, Judgements] = {"families read": _confidences(read), "families put aside": _confidences(hidden)}
    findings.sure_right = _share(right for confidence, right in series["families put aside"] if confidence >= SURE)
    (RESULTS / "classify-reliability.svg").write_text(diagram(series), encoding="utf-8")


def _confidences(found: Iterable[Judged]) -> list[tuple[float, bool]]:
    """Return the confidence of the verdicts on failures with safe labels, and whether the reason is right."""
    return [
        (one.verdict.confidence, one.reason == one.label.reason)
        for one in found
        if one.verdict and one.label.agreed and not one.verdict.rule.startswith("kind.")
    ]


def _reasons(found: Iterable[Judged]) -> float:
    return _share(one.reason == one.label.reason for one in found if one.label.agreed)


def _dead(found: Iterable[Judged]) -> float:
    return _share(one.dead == one.label.dead_address for one in found if one.label.agreed)


def _false_dead(found: Iterable[Judged]) -> int:
    return sum(one.dead and not one.label.dead_address for one in found)


def measure_laws(findings: Findings, rules: Rules, scale: float) -> None:
    """Try the laws over replies: on all of them at full size, on fewer for a quick look."""
    found = laws(rules, max(1, round(0.3 / scale)))
    findings.laws = figures(found)
    findings.became_dead = sum(held.false_dead for held in found.values())
    findings.metamorphic_cases = sum(held.tried for held in found.values())


def write_results(found: Sequence[Judged]) -> None:
    """Write the misses to `bench/results/`, and how often each reason was taken for each, as a table and a picture."""
    RESULTS.mkdir(exist_ok=True)
    misses = [
        f"{label.mail.name}\t{label.reason}\t{one.reason}\t{one.verdict.rule if one.verdict else 'nothing found'}"
        f"\tagreed={label.agreed}\tdead={one.dead}"
        for one in found
        if (label := one.label) and (one.reason != label.reason or one.dead != label.dead_address)
    ]
    (RESULTS / "classify-misses.tsv").write_text("\n".join(misses) + "\n", encoding="utf-8")
    confusion = Counter((one.label.reason, str(one.reason)) for one in found)
    rows = [f"{wanted}\t{got}\t{count}" for (wanted, got), count in sorted(confusion.items())]
    (RESULTS / "classify-confusion.tsv").write_text(
        "\n".join(["wanted\tjudged\tcount", *rows]) + "\n", encoding="utf-8"
    )
    right = sum(count for (wanted, got), count in confusion.items() if wanted == got)
    title = f"{right} of {confusion.total()} reports judged right"
    (RESULTS / "classify-confusion.svg").write_text(picture(confusion, title), encoding="utf-8")


def _share(found: Iterable[bool]) -> float:
    kept = list(found)
    return sum(kept) / max(1, len(kept))


def seconds(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Return the processor seconds that the work on all items takes."""
    started = time.process_time()
    for item in items:
        work(item)
    return time.process_time() - started


def measure_lines(findings: Findings, rules: Rules, extra: Sequence[str]) -> None:
    """Judge lines: with code and status known, as from senders, and out of the text alone."""

    def judge(line: str) -> None:
        reply = parse_reply(line)
        classify(Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=line), rules)

    lines = [*made_lines(findings.lines, rules, 1), *extra]
    known = [_coded(line) for line in lines]
    findings.lines_per_second = len(lines) / seconds(partial(uncached, rules=rules), known)
    findings.as_in_service_per_second = len(lines) / seconds(partial(classify, rules=rules), known)
    others = made_lines(findings.lines // 4, rules, 2)
    findings.with_codes_per_second = len(others) / seconds(judge, others)


def uncached(evidence: Evidence, rules: Rules) -> Verdict:
    """Return the verdict on a failure as if nothing had been judged before."""
    return verdict_of.__wrapped__(rules.normalize(evidence), rules)


def _coded(line: str) -> Evidence:
    reply = parse_reply(line)
    return Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=line)


def measure_mails(findings: Findings, rules: Rules, bodies: Sequence[bytes], count: int) -> None:
    """Judge mails, from their bytes to the verdicts."""

    def judge(body: bytes) -> None:
        for report in parse(body).reports:
            classify(report.evidence, rules)

    bodies = [bodies[number % len(bodies)] for number in range(count)]
    findings.mails_per_second = count / seconds(judge, bodies)


def measure_lengths(findings: Findings, rules: Rules, count: int) -> None:
    """Judge lines of each length, from the text to the verdict."""
    for length in LENGTHS:
        lines = []
        for line in made_lines(max(count // length, 20), rules, length):
            rest = " ".join(made_lines(length // 100, rules, length + 1))
            lines.append(f"{line} {rest}"[:length])
        findings.microseconds_by_length[length] = seconds(lambda line: uncached(_coded(line), rules), lines) * 1e6
        findings.microseconds_by_length[length] /= len(lines)


def measure_rules(findings: Findings, rules: Rules, count: int) -> None:
    """Judge lines by the first rules, and by all and others that are made up."""
    known = [_coded(line) for line in made_lines(count, rules, 3)]
    for number in RULES:
        some = Rules([*rules, *made_rules(number)][:number], rules.tables)
        seconds(partial(uncached, rules=some), known[: count // 10])
        taken = seconds(partial(uncached, rules=some), known[count // 10 :])
        findings.microseconds_by_rules[number] = taken * 1e6 / (count - count // 10)


def made_rules(count: int) -> list[Placed]:
    """Return rules of three patterns each, as people would add them for providers of their own."""
    chosen = random.Random(4)
    return [
        Placed(
            "made",
            Rule(
                name=f"made-{number}",
                reason=Reason.POLICY,
                patterns=(
                    f"{_word(chosen, 5)} (is |was )?{_word(chosen, 6)}",
                    f"mail(box)? {_word(chosen, 4)}",
                    rf"\b{_word(chosen, 3)}-\d+\b",
                ),
            ),
            500,
        )
        for number in range(count)
    ]


def run(scale: float, console: Console, corpus: Path = CORPUS) -> Findings:
    """Measure all of it."""
    findings = Findings(max(int(LINES * scale), AT_LEAST_LINES))
    rules = load()
    wanted = labels(corpus)
    bodies = [mail.read_bytes() for mail in dict.fromkeys(label.mail for label in wanted)]
    said = [report.evidence.diagnostic for body in bodies for report in parse(body).reports]
    steps: dict[str, Callable[[], None]] = {
        "lines": lambda: measure_lines(findings, rules, said),
        "mails": lambda: measure_mails(findings, rules, bodies, max(int(MAILS * scale), AT_LEAST_MAILS)),
        "accuracy": lambda: measure_accuracy(findings, rules, wanted),
        "laws": lambda: measure_laws(findings, rules, scale),
        "by length of line": lambda: measure_lengths(findings, rules, findings.lines * 10),
        "by number of rules": lambda: measure_rules(findings, rules, findings.lines // 4),
    }
    with Progress(console=console) as progress:
        task = progress.add_task("classify", total=len(steps))
        for title, step in steps.items():
            progress.update(task, description=title)
            step()
            progress.advance(task)
    return findings


def show(findings: Findings, console: Console) -> None:
    """Print a table of what was measured and what it should be."""
    table = Table("figure", "measured", "wanted", title=f"{findings.lines:,} lines; {findings.expectations} labels")
    for name in ("lines_per_second", "as_in_service_per_second", "with_codes_per_second", "mails_per_second"):
        wanted = f"at least {AT_LEAST[name]:,}" if name in AT_LEAST else ""
        table.add_row(name, f"{getattr(findings, name):,.0f}", wanted)
    for name in ("reason_agreed", "reason_all", "dead_agreed"):
        table.add_row(name, f"{getattr(findings, name):.1%}", f"at least {AT_LEAST[name]:.1%}")
    table.add_row("false_dead", str(findings.false_dead), "0")
    table.add_row("missed_dead", str(findings.missed_dead), "")
    for name in ("recipients", "reason", "dead"):
        read, aside = getattr(findings, f"read_{name}"), getattr(findings, f"aside_{name}")
        table.add_row(f"{name}, families read", f"{read:.1%}", "")
        table.add_row(f"{name}, families aside", f"{aside:.1%}", f"at least {read - GAP:.1%}")
    table.add_row("false_dead, families aside", str(findings.aside_false_dead), "0")
    table.add_row("right of those with confidence 0.9, aside", f"{findings.sure_right:.1%}", "at least 90.0%")
    for name, share in findings.laws.items():
        least = AT_LEAST_FRAME if "frame" in name else AT_LEAST_LAW
        table.add_row(name, f"{share:.2%}", f"at least {least:.0%}")
    table.add_row("became dead", f"{findings.became_dead} of {findings.metamorphic_cases:,}", "at most 1 in 2,000")
    for length, taken in findings.microseconds_by_length.items():
        table.add_row(f"line of {length:,} characters", f"{taken:,.0f} µs", "")
    for number, taken in findings.microseconds_by_rules.items():
        table.add_row(f"{number:,} rules", f"{taken:,.0f} µs a line", "")
    console.print(table)


def main() -> None:
    """Take the arguments, measure, print."""
    parser = command.arguments(__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="FOLDER", help="labelled mails")
    given = command.read(parser)
    console = Console(stderr=True)
    findings = run(given.scale, console, given.corpus)
    show(findings, console)
    shares = findings.laws
    del findings.laws
    vars(findings).update(shares)
    command.write(given.json, findings)


if __name__ == "__main__":
    main()
