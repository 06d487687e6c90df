"""Two thousand replies of servers, providers and filters, each with what it means; written for the project.

A line of `replies/` is the reason (several by `|` where either is right), a tab, and the reply. A dead address is what
a reason that kills means and a reply that is final.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from returpost.bounces.rules import Rules, load
from returpost.bounces.rules.provider_codes import from_notation
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Reason, Verdict

RULES: Rules = load()
FILES = sorted(Path(__file__).with_name("replies").glob("*.tsv"))
AT_MOST_WRONG = 0.015


def replies(path: Path) -> Iterator[tuple[set[str], str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            reasons, text = line.split("\t")
            yield set(reasons.split("|")), text


def judge(text: str) -> Verdict:
    words, provider, codes = from_notation(text)
    reply = parse_reply(words)
    evidence = Evidence(
        reply_code=reply.reply_code, status=reply.status, diagnostic=words, provider=provider, provider_codes=codes
    )
    return classify(evidence, RULES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_replies_are_judged_as_meant(path: Path) -> None:
    cases = list(replies(path))
    wrong = [
        f"{text}: {judged.reason} by {judged.rule}, not {reasons}"
        for reasons, text in cases
        if (judged := judge(text)).reason not in reasons
    ]
    assert len(wrong) <= AT_MOST_WRONG * len(cases), "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_live_address_is_called_dead(path: Path) -> None:
    for reasons, text in replies(path):
        if not any(RULES.meaning(Reason(reason)).dead for reason in reasons) or re.match(r"4\d\d[ -]", text):
            assert not judge(text).dead_address, text


def test_what_only_sounds_like_a_dead_address_kills_none() -> None:
    """The words for it, said of the sender, of files, links, hosts and directories, or of what is for now."""
    for text in Path(__file__).with_name("replies").joinpath("alive.txt").read_text(encoding="utf-8").splitlines():
        assert not judge(text).dead_address, text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_replies_name_no_address_of_others(path: Path) -> None:
    for domain in re.findall(r"[\w.+-]@((?:[\w-]+\.)+[a-z]+)", path.read_text(encoding="utf-8")):
        assert re.search(r"(^|\.)(example|invalid|test|example\.(com|net|org))$", domain), domain
