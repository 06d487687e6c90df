"""The labelled mails that accuracy is measured on, and the families of them that are put aside."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.samples import expectations, paths

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
ASIDE = Path(__file__).with_name("aside_families.txt")
_NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class Label:
    """What a recipient of a mail should be judged as. `stated`: the address stands in a field of the report."""

    mail: Path
    recipient: str | None
    reason: str
    dead_address: bool
    agreed: bool
    stated: bool = True

    @property
    def family(self) -> str:
        """What the mail's name says of who made it: all before the number."""
        return _NUMBER.sub("", self.mail.stem)


def labels(folder: Path = CORPUS) -> list[Label]:
    """Return the labels of the corpus, or those of the project's own samples where there is none."""
    if not folder.is_dir():
        own = {path.name: path for path in paths()}
        return [
            Label(own[item.file], item.recipient, item.reason, bool(item.dead_address), True) for item in expectations()
        ]
    rows = map(json.loads, (folder / "expectations.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        Label(
            mail=folder / row["mail"],
            recipient=row["recipient"],
            reason=row["reason"],
            dead_address=bool(row["dead_address"]),
            agreed=row["agreed"],
            stated=row["recipient_stated_in_report"],
        )
        for row in rows
    ]


def aside_families() -> frozenset[str]:
    """Return the families that are scored by the program alone."""
    lines = ASIDE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
