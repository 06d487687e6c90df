"""What ingest makes of bounce mails, and how fast, beside flufl.bounce on the same mails in the same run, on one core.

    python -m bench.parse [--scale F] [--json FILE] [--corpus FOLDER]

The mails are those of the labelled corpus, or the samples where there is none. Both are given bytes; ours also reads
codes, texts and mailing, flufl.bounce the recipients alone.
"""

import argparse
import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

from flufl.bounce import all_failures

from bench.accuracy.corpus import CORPUS, Label, labels
from returpost.bounces import parse

MAILS, AT_LEAST_MAILS, ROUNDS = 5_000, 400, 5
TARGETS = {"mails_per_second": 3_000, "recipients_stated": 0.98, "recipients_all": 0.95}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured; the names are those of the JSON. The recipients are shares of those expected."""

    mails: int
    expected: int
    mails_per_second: float
    flufl_mails_per_second: float
    recipients_stated: float
    recipients_all: float
    flufl_recipients_all: float


def corpus(folder: Path) -> dict[bytes, list[Label]]:
    """Return each mail with whom it is about."""
    found: dict[bytes, list[Label]] = defaultdict(list)
    for label in labels(folder):
        found[label.mail.read_bytes()].append(label)
    return found


def ours(body: bytes) -> set[str]:
    """Return whom our parser finds: who was mailed, and who failed."""
    names = ((report.recipient, report.evidence.final_recipient) for report in parse(body).reports)
    return {name.lower() for pair in names for name in pair if name}


def flufls(body: bytes) -> set[str]:
    """Return whom flufl.bounce finds."""
    temporary, permanent = all_failures(message_from_bytes(body))
    return {name.decode("utf-8", "replace").lower() for name in (*temporary, *permanent)}


def shares(mails: dict[bytes, list[Label]], find: Callable[[bytes], set[str]]) -> tuple[float, float]:
    """Return the shares of the recipients that are found: of those that are stated, and of all that are known."""
    stated: list[bool] = []
    every: list[bool] = []
    for body, wanted in mails.items():
        found = find(body)
        for one in wanted:
            if one.recipient is None:
                continue
            hit = one.recipient.lower() in found
            every.append(hit)
            stated += [hit] if one.stated else []
    return sum(stated) / max(1, len(stated)), sum(every) / len(every)


def fastest(bodies: list[bytes], rounds: int, *readers: Callable[[bytes], Any]) -> list[float]:
    """Return the mails a second of CPU time of each reader: the best of some rounds, in which they take turns."""
    best = [0.0] * len(readers)
    for number in range(rounds):
        for place, read in enumerate(readers):
            gc.collect()
            started = time.process_time()
            for body in bodies:
                read(body)
            best[place] = max(best[place], len(bodies) / (time.process_time() - started))
        sys.stderr.write(f"round {number + 1} of {rounds}: {best[0]:,.0f} and {best[1]:,.0f} mails/s\n")
    return best


def measure(mails: dict[bytes, list[Label]], count: int) -> Findings:
    """Measure all."""
    bodies = (list(mails) * (count // len(mails) + 1))[:count]
    speed, flufl_speed = fastest(bodies, ROUNDS, parse, flufls)
    stated, every = shares(mails, ours)
    expected = sum(map(len, mails.values()))
    return Findings(count, expected, speed, flufl_speed, stated, every, shares(mails, flufls)[1])


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path, dest="json_file")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    arguments = parser.parse_args()
    findings = measure(corpus(arguments.corpus), max(AT_LEAST_MAILS, round(MAILS * arguments.scale)))
    for name, value in asdict(findings).items():
        target = f"   (at least {TARGETS[name]:,})" if name in TARGETS else ""
        sys.stdout.write(f"{name:24} {value:>10,.4g}{target}\n")
    if arguments.json_file:
        arguments.json_file.write_text(json.dumps(asdict(findings), indent=2) + "\n")


if __name__ == "__main__":
    main()
