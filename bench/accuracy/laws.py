"""Laws over replies: what must not change a verdict, tried on thousands of them, and the share that holds.

    python -m bench.accuracy.laws [--misses FILE] [--every N]

The replies are the examples of the rules, those that the tests keep, and those of the simulated mailing. Each is judged
by itself, changed in a way that means nothing, and judged again: reason and dead address must stay.
"""

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.accuracy.frames import ADDRESS, LINES, MAILS, wrapped
from deploy.demo.replies import HARD, SOFT
from returpost.bounces import parse
from returpost.bounces.rules import Rules, load
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Reason, Verdict

REPLIES = Path(__file__).resolve().parents[2] / "tests" / "returpost" / "bounces" / "replies"
AT_LEAST_LAW, AT_LEAST_FRAME = 0.99, 0.98
LOCAL_PARTS = (
    "users", "mailman", "address.book", "no-reply", "o'brien", "a=b", "user17", "12345", "recipient", "postmaster",
    "quota", "unknown.user", "jørgen", "mail+box", "spam",
)  # fmt: skip
DOMAINS = (
    "other.example", "unknown.example", "mail.full.example", "blocked.example.net", "spam-filter.example",
    "host.example.org",
)  # fmt: skip
_ADDRESS = re.compile(r"(?<![\w.+/=-])[\w.+-]+@(?:[\w-]+\.)*example(?:\.(?:com|net|org))?\b")
_FRAMED = re.compile(
    r"\bsaid: |in reply to|after (rcpt|mail from|end of data|helo|ehlo)|remote (server|host)|\[(ses|sendgrid|mailgun"
    r"|postmark|sparkpost|mailjet|brevo|mandrill|azure|postal|kumomta|resend): ",
    re.IGNORECASE,
)


@dataclass
class Held:
    """Of a law: how often it was tried and held, and where it did not; addresses that became dead by it."""

    tried: int = 0
    held: int = 0
    false_dead: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share that holds."""
        return self.held / self.tried if self.tried else 1.0


def replies(rules: Rules) -> list[str]:
    """Return the replies that laws are tried on, each once: those that begin with a code and have no frame yet."""
    texts = [example for _, rule, _ in rules for example in rule.examples if not rule.report]
    for path in sorted(REPLIES.glob("*.tsv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts += [line.split("\t")[1] for line in lines if line and not line.startswith("#")]
    for reply in HARD + SOFT:
        local, _, domain = ADDRESS.partition("@")
        texts.append(reply.text.format(address=ADDRESS, local=local, domain=domain, ip="192.0.2.9", id="4fXk2p1Qz"))
    return [text for text in dict.fromkeys(texts) if wrapped(text) and not _FRAMED.search(text)]


def judge(text: str, rules: Rules) -> Verdict:
    """Judge a line as the command line and the ingest service do."""
    reply = parse_reply(text)
    return classify(Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=text), rules)


def judge_mail(body: bytes, rules: Rules) -> Verdict | None:
    """Judge the only report of a mail; None when there is none or another's."""
    reports = parse(body).reports
    if len(reports) != 1 or reports[0].recipient.lower() != ADDRESS:
        return None
    return classify(reports[0].evidence, rules)


def _other_local(text: str, chosen: random.Random) -> str | None:
    local = chosen.choice(LOCAL_PARTS)
    changed = _ADDRESS.sub(lambda found: f"{local}@{found[0].partition('@')[2]}", text)
    return changed if changed != text else None


def _other_domain(text: str, chosen: random.Random) -> str | None:
    domain = chosen.choice(DOMAINS)
    changed = _ADDRESS.sub(lambda found: f"{found[0].partition('@')[0]}@{domain}", text)
    return changed if changed != text else None


def _crlf(text: str, _: random.Random) -> str | None:
    return text.replace("\n", "\r\n") + "\r\n"


def _continued(text: str, chosen: random.Random) -> str | None:
    """Return the reply over several lines (RFC 5321 section 4.2.1); what is written over several already, not."""
    one = wrapped(text)
    if one is None or one.reply[3] == "-" or re.search(r"\s[245]\d\d[- ]", one.words):
        return None
    words = one.words.split()
    lines: list[list[str]] = [[]]
    for word in words:
        if lines[-1] and chosen.random() < 0.25 and not re.match(r"[\d#(\[.]", word):
            lines.append([])
        lines[-1].append(word)
    status = f"{one.status} " if one.status else ""
    last = len(lines) - 1
    return "\r\n".join(
        f"{one.code}{'-' if number < last else ' '}{status}{' '.join(line)}" for number, line in enumerate(lines)
    )


def _folded(text: str, chosen: random.Random) -> str | None:
    head, *rest = text.split(" ")
    if not rest:
        return None
    kept = 1 if re.fullmatch(r"[245]\.\d+\.\d+", rest[0]) else 0
    words = [head, *rest]
    return " ".join(words[: 2 + kept]) + "".join(
        (chosen.choice(["\r\n    ", " ", " ", " "]) + word) for word in words[2 + kept :]
    )


def _ticket(text: str, chosen: random.Random) -> str | None:
    return f"{text} {''.join(chosen.choices('0123456789abcdef', k=14))}.{chosen.randrange(10, 99)}"


def _ip(text: str, chosen: random.Random) -> str | None:
    if re.search(r"(refused|rejected|denied|blocked|banned|address)[.!]?$", text, re.IGNORECASE):
        return None  # there it would say who is
    return f"{text} [198.51.100.{chosen.randrange(1, 255)}]"


def _url(text: str, chosen: random.Random) -> str | None:
    return f"{text} https://postmaster.kunde.example/help/{chosen.randrange(1000, 9999)}"


LAWS: dict[str, Callable[[str, random.Random], str | None]] = {
    "other_local_part": _other_local,
    "other_domain": _other_domain,
    "upper_case": lambda text, _: text.upper(),
    "crlf": _crlf,
    "folded": _folded,
    "continued": _continued,
    "ticket": _ticket,
    "ip": _ip,
    "url": _url,
}
"""Changes of a reply that mean nothing; None where there is nothing to change."""
_OF_MAILS = {f"frame_{name}" for name in MAILS}


def laws(rules: Rules, every: int = 1) -> dict[str, Held]:
    """Try all laws on every n-th reply; frames are named `frame_...`."""
    found = {name: Held() for name in (*LAWS, *(f"frame_{name}" for name in (*LINES, *MAILS)))}
    chosen = random.Random(7)
    for text in replies(rules)[::every]:
        before = judge(text, rules)
        for name, changed, after in _changed(text, rules, chosen):
            held = found[name]
            held.tried += 1
            same = after is not None and _same(before, after, report=name in _OF_MAILS)
            held.held += same
            held.false_dead += after is not None and after.dead_address and not before.dead_address
            if not same:
                held.misses.append(
                    f"{name}\t{before.reason} {before.rule} {before.dead_address}\t"
                    f"{f'{after.reason} {after.rule} {after.dead_address}' if after else 'nothing'}\t{changed!r}"
                )
    return found


def _same(before: Verdict, after: Verdict, *, report: bool) -> bool:
    """Compare verdicts. A report of a final failure adds to a time-out that the queue has given up."""
    if report and (before.reason, after.reason) == (Reason.NETWORK_ERROR, Reason.EXPIRED):
        return True
    return (before.reason, before.dead_address) == (after.reason, after.dead_address)


def _changed(text: str, rules: Rules, chosen: random.Random) -> Iterator[tuple[str, str, Verdict | None]]:
    for name, change in LAWS.items():
        if (other := change(text, chosen)) is not None:
            yield name, other, judge(other, rules)
    one = wrapped(text)
    if one is None:
        return
    for name, wrap in LINES.items():
        line = wrap(one)
        yield f"frame_{name}", line, judge(line, rules)
    own = wrapped(_ADDRESS.sub(ADDRESS, text)) or one
    for name, write in MAILS.items():
        yield f"frame_{name}", text, judge_mail(write(own), rules)


def figures(found: dict[str, Held]) -> dict[str, float]:
    """Return the share that holds of each law, all frames as one law, and of the worst frame."""
    frames = [held for name, held in found.items() if name.startswith("frame_")]
    together = sum(held.held for held in frames) / max(1, sum(held.tried for held in frames))
    shares = {f"law_{name}": held.share for name, held in found.items()}
    return {**shares, "law_frames": together, "frames_worst": min((held.share for held in frames), default=1.0)}


def show(found: dict[str, Held]) -> Iterable[str]:
    """Return a line for each law."""
    for name, held in found.items():
        yield f"{name:24} {held.share:7.2%} of {held.tried:5}   became dead: {held.false_dead}"
    total = Held(sum(h.tried for h in found.values()), sum(h.held for h in found.values()))
    dead = sum(held.false_dead for held in found.values())
    yield f"{'all':24} {total.share:7.2%} of {total.tried:5}   became dead: {dead}"


def main() -> None:
    """Try all laws, print the shares, and write down where they do not hold if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", type=Path, metavar="FILE")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every n-th reply")
    given = parser.parse_args()
    found = laws(load(), given.every)
    sys.stdout.write("\n".join(show(found)) + "\n")
    if given.misses:
        misses = [miss for held in found.values() for miss in held.misses]
        given.misses.write_text("\n".join(misses) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
