"""Laws that hold whatever a server says: there is a verdict, and it is about the words, not about their dress."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from deploy.demo.replies import HARD, SOFT
from returpost.bounces.rules import MAX_TEXT, Rules, load, readable
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Fault, Reason, Verdict, VerdictType

RULES: Rules = load()
EXAMPLES = sorted({example for _, rule, _ in RULES for example in (*rule.examples, *rule.counter_examples)})
CODED = [example for example in EXAMPLES if re.match(r"[245]\d\d ", example)]

REPLIES = sorted(
    line.split("\t")[1]
    for path in Path(__file__).with_name("replies").glob("*.tsv")
    for line in path.read_text(encoding="utf-8").splitlines()
    if "\t" in line
)

examples = st.sampled_from(EXAMPLES)
replies = st.sampled_from(REPLIES)
names = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True)
domains = st.builds("{}.example".format, names)
addresses = st.builds("{}@{}".format, names, domains)
ids = st.from_regex(r"[a-z]{0,4}[0-9][a-z0-9]{8,20}", fullmatch=True)
hosts = st.builds("198.51.100.{}".format, st.integers(1, 254))
spaces = st.sampled_from([" ", "  ", "\t", " \t ", "\r\n ", "\n\t", " \r\n    "])


def judge(text: str) -> Verdict:
    """Judge a line as the command line and the ingest service do."""
    reply = parse_reply(text)
    return classify(Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=text), RULES)


def meaning(verdict: Verdict) -> tuple[object, ...]:
    return verdict.type, verdict.reason, verdict.fault, verdict.dead_address, verdict.rule


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_any_text_has_a_verdict(text: str) -> None:
    verdict = judge(text)
    assert verdict.reason in Reason
    assert 0 < verdict.confidence <= 1
    Verdict.model_validate(verdict.model_dump())


@given(st.lists(st.sampled_from([*"<>@[].:;-'\"()#% \n", "550", "5.1.1", "user", "unknown", "host", "é", "不存在"])))
def test_any_pieces_have_a_verdict(pieces: list[str]) -> None:
    assert judge("".join(pieces)).reason in Reason


@given(examples, spaces)
def test_white_space_does_not_matter(text: str, space: str) -> None:
    words = text.split(" ")
    # The gaps within a code and its status are the reply's own form, and a line break would make the code a new line's.
    kept = " ".join(words[:2]) if re.match(r"[245]\d\d$", words[0]) else words[0]
    other = space.join([kept, *words[2 if " " in kept else 1 :]])
    assert meaning(judge(re.sub(r"[\r\n]", " ", other))) == meaning(judge(text))


@given(examples, st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_letter_case_does_not_matter(text: str, change: object) -> None:
    assert callable(change)
    other = change(text)
    if other.lower() == text.lower():
        assert meaning(judge(other)) == meaning(judge(text))


@given(st.sampled_from(CODED), st.data())
def test_folding_does_not_matter(text: str, data: st.DataObject) -> None:
    """The same sentence over several lines, each with the code and the status before it (RFC 5321 section 4.2.1)."""
    found = re.match(r"([245]\d\d) ([245]\.\d+\.\d+ )?", text)
    assert found
    words = text[found.end() :].split(" ")
    lines = [[words[0]]]
    for word in words[1:]:
        if data.draw(st.booleans()) and not re.match(r"[\d#(]", word):
            lines.append([])
        lines[-1].append(word)
    status = found[2] or ""
    folded = "\n".join(
        f"{found[1]}{'-' if number < len(lines) - 1 else ' '}{status}{' '.join(line)}"
        for number, line in enumerate(lines)
    )
    assert meaning(judge(folded)) == meaning(judge(text))


@given(st.sampled_from([text for text in EXAMPLES if "ann@example.com" in text]), addresses)
def test_other_addresses_do_not_matter(text: str, address: str) -> None:
    assert meaning(judge(text.replace("ann@example.com", address))) == meaning(judge(text))


@given(st.sampled_from([text for text in EXAMPLES if re.search(r"192\.0\.2\.1\b", text)]), hosts)
def test_other_hosts_do_not_matter(text: str, host: str) -> None:
    assert meaning(judge(text.replace("192.0.2.1", host))) == meaning(judge(text))


@given(replies, addresses, hosts, st.sampled_from([str.upper, str.lower, str.title]))
def test_the_dress_of_a_whole_reply_does_not_matter(text: str, address: str, host: str, change: object) -> None:
    """Case, the address and the host of replies as servers write them, all changed at once."""
    assert callable(change)
    plain = re.sub(r"\b(198\.51\.100|192\.0\.2)\.\d+\b", host, re.sub(r"\b(ann|bo|jan)@example\.com\b", address, text))
    if change(plain).lower() == plain.lower():
        assert meaning(judge(change(plain))) == meaning(judge(text))


@given(replies, ids)
def test_an_id_at_the_end_does_not_matter(text: str, id_: str) -> None:
    """Servers end a reply with the id of the session; a reply of a code alone is another reply with it."""
    if re.search(r"[^\W\d]{3}[^\w\]]*$", text):  # what a sending service adds stands last
        before, after = judge(text), judge(f"{text} {id_}")
        assert (after.reason, after.dead_address) == (before.reason, before.dead_address)


@given(st.sampled_from(HARD + SOFT), addresses, hosts, ids)
def test_other_ids_do_not_matter(reply: object, address: str, host: str, id_: str) -> None:
    assert isinstance(reply, type(HARD[0]))
    local, _, domain = address.partition("@")
    text = reply.text.format(address=address, local=local, domain=domain, ip=host, id=id_)
    verdict = judge(text)
    assert (verdict.type, verdict.reason) == (reply.type, reply.reason)


@given(examples)
def test_reading_twice_is_reading_once(text: str) -> None:
    once = readable(text)
    assert "  " not in once
    assert once == once.strip().lower()


@given(examples)
def test_only_a_final_failure_of_the_recipient_kills(text: str) -> None:
    verdict = judge(text)
    if verdict.dead_address:
        assert (verdict.type, verdict.fault) == (VerdictType.HARD, Fault.RECIPIENT)
        assert RULES.meaning(verdict.reason).dead


@given(examples)
def test_a_temporary_reply_kills_nothing(text: str) -> None:
    assert not classify(Evidence(diagnostic=text, reply_code=450), RULES).dead_address


@pytest.mark.parametrize("text", ["550 qwerty uiop", "550 5.9.9 asdf ghjk", "553 zxcv bnm"])
def test_words_that_nobody_knows_kill_nothing(text: str) -> None:
    assert not judge(text).dead_address


@pytest.mark.parametrize("text", ["550", "550 <ann@example.com>", "550 [192.0.2.1]"])
def test_a_code_without_words_kills_nothing(text: str) -> None:
    """550 alone meant a dead address in 66% of real replies: too little to block at once."""
    verdict = judge(text)
    assert (verdict.reason, verdict.dead_address) == (Reason.USER_UNKNOWN, False)


@pytest.mark.parametrize("unit", ["a", "a ", "a@", "a@b>", "<a@b", "1.", "1.2.3.4 ", "550-", "[", "a1-", "user is "])
def test_time_is_bounded(unit: str) -> None:
    """Texts that make expressions backtrack; a second is a hundred times what it takes."""
    text = unit * (MAX_TEXT // len(unit))
    started = time.process_time()
    judge(text)
    assert time.process_time() - started < 1
