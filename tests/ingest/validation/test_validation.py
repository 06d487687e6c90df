"""New addresses: syntax, domains asked of a real name server, slips; over HTTP, the broker and the command line."""

import asyncio
import json
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost import validation
from returpost.contracts import AddressValidate, Validity
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import EVENTS
from returpost.errors import InvalidSettings
from returpost.validation import Finding, validator as validator_module
from returpost.validation.domains import Domains, Mail
from returpost.validation.lists import load
from returpost.validation.suggestion import Suggestions
from returpost.validation.validator import Validator
from services.ingest.app import create
from services.ingest.settings import Settings
from tests.ingest.validation.name_server import Zone, name_server
from tests.support.harness import TENANT, Harness, eventually

ZONE: Zone = {
    "good.no": {"MX": ["10 mx.good.no."]},
    "xn--blbr-roah.no": {"MX": ["10 mx.good.no."]},
    "address-only.no": {"A": ["192.0.2.1"]},
    "six-only.no": {"AAAA": ["2001:db8::1"]},
    "null.no": {"MX": ["0 ."]},
    "empty.no": {"TXT": ['"nothing here"']},
    "broken.no": "servfail",
    "silent.no": "silence",
    "gmail.com": {"MX": ["10 mx.good.no."]},
    "gmial.com": {"MX": ["10 mx.good.no."]},
    "sub.mailinator.com": {"MX": ["10 mx.good.no."]},
}
LISTS = load()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "address", "validity", "reason"),
    [
        ("ann@good.no", "ann@good.no", Validity.VALID, None),
        ("  Ann.Berg@GOOD.no ", "Ann.Berg@good.no", Validity.VALID, None),
        ("ann@blåbær.no", "ann@xn--blbr-roah.no", Validity.VALID, None),
        ("åse@good.no", "åse@good.no", Validity.VALID, None),
        ("ann@address-only.no", "ann@address-only.no", Validity.VALID, None),
        ("ann@six-only.no", "ann@six-only.no", Validity.VALID, None),
        ("ann@null.no", "ann@null.no", Validity.INVALID, "not_accepting"),
        ("ann@empty.no", "ann@empty.no", Validity.INVALID, "no_mail_host"),
        ("ann@nowhere.no", "ann@nowhere.no", Validity.INVALID, "domain_unknown"),
        ("ann@broken.no", "ann@broken.no", Validity.UNKNOWN, "dns_trouble"),
        ("ann@silent.no", "ann@silent.no", Validity.UNKNOWN, "dns_trouble"),
        ("ann", "ann", Validity.INVALID, "syntax"),
        ("", "", Validity.INVALID, "syntax"),
        ("a b@good.no", "a b@good.no", Validity.INVALID, "syntax"),
        ("ann..b@good.no", "ann..b@good.no", Validity.INVALID, "syntax"),
        ("ann@good", "ann@good", Validity.INVALID, "syntax"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]", Validity.INVALID, "syntax"),
        ("x" * 65 + "@good.no", "x" * 65 + "@good.no", Validity.INVALID, "syntax"),
        ("ann\x00@good.no", "ann\x00@good.no", Validity.INVALID, "syntax"),
    ],
)
async def test_an_address_is_judged(given: str, address: str, validity: Validity, reason: str | None) -> None:
    async with name_server(ZONE) as server:
        patience = 0.3 if "silent" in given else 30.0
        validator = Validator(Domains(["127.0.0.1"], server.port, timeout=patience), LISTS)
        (found,) = await validator.validate([given])
    assert (found.given, found.address, found.validity, found.reason) == (given, address, validity, reason)
    assert (found.problem is None) == (reason is None)


@pytest.mark.anyio
async def test_what_a_person_would_notice() -> None:
    async with name_server(ZONE) as server:
        validator = Validator(Domains(["127.0.0.1"], server.port), LISTS)
        slip, role, tagged, thrown = await validator.validate(
            ["ann@gmial.com", "Postmaster@good.no", "sales+x@good.no", "x@sub.mailinator.com"]
        )
    assert slip.suggestion == "ann@gmail.com"
    assert slip.validity is Validity.VALID, "somebody registered it: a suggestion, no verdict"
    assert role.role
    assert tagged.role
    assert thrown.disposable
    assert [found.role for found in (slip, thrown)] == [False, False]
    assert [found.disposable for found in (slip, role, tagged)] == [False] * 3


@pytest.mark.anyio
async def test_a_domain_is_asked_once_whoever_asks_and_kept() -> None:
    async with name_server(ZONE) as server:
        domains = Domains(["127.0.0.1"], server.port)
        validator = Validator(domains, LISTS)
        many = [f"u{n}@good.no" for n in range(500)]
        await asyncio.gather(validator.validate(many), validator.validate(many[:3]))
        assert server.asked == {"good.no MX": 1}
        assert domains.known("good.no") is Mail.ACCEPTS
        await validator.validate(["x@nowhere.no", "y@nowhere.no"])
        await validator.validate(["z@nowhere.no"])
        assert server.asked["nowhere.no MX"] == 1


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmal.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("onlin.no", "online.no"),
        ("company.con", "company.com"),
        ("company.nett", "company.net"),
        ("company.bo", None),
        ("gmail.com", None),
        ("mail.com", None),
        ("example.org", None),
        ("x" * 300 + ".com", None),
    ],
)
def test_slips(domain: str, meant: str | None) -> None:
    assert Suggestions(LISTS.domains).of(domain) == meant


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    validator = Validator(Domains(["127.0.0.1"], 9, timeout=0.01), LISTS)
    (found,) = asyncio.run(validator.validate([text.replace("@", "")]))
    assert found.validity is Validity.INVALID


def test_own_lists_take_the_place_of_the_packaged_ones(tmp_path: Path) -> None:
    (tmp_path / "roles.txt").write_text("# ours\nButler\n")
    lists = load(tmp_path)
    assert lists.roles == {"butler"}
    assert lists.disposable == LISTS.disposable
    (tmp_path / "domains.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSettings, match=r"domains\.txt"):
        load(tmp_path)


@pytest.mark.anyio
@pytest.mark.services
async def test_over_http_and_the_broker(harness: Harness) -> None:
    asked = await harness.channel.declare_queue(exclusive=True)
    await asked.bind(EVENTS, f"address.validated.{TENANT}")
    async with name_server(ZONE) as server:
        settings = {"dns_servers": "127.0.0.1", "dns_port": server.port}
        async with harness.running(create, Settings, "ingest", **settings) as ingest:
            answer = await ingest.http.post("/v1/validate", json={"addresses": ["ann@good.no", "bob@nowhere.no"]})
            assert answer.status_code == 200
            assert [found["validity"] for found in answer.json()["results"]] == ["valid", "invalid"]
            wrongs: list[dict[str, list[str]]] = [{"addresses": []}, {"addresses": ["a@good.no"] * 10_001}, {}]
            for wrong in wrongs:
                refused = await ingest.http.post("/v1/validate", json=wrong)
                assert refused.status_code == 422
                assert "addresses" in refused.json()["errors"][0]["field"]
            question = AddressValidate(addresses=["ann@good.no", "bob@gmial.com"], reference="form-7")
            await harness.command(event(question, id="q-1", source="/forms", tenant=TENANT))
            message = await eventually(lambda: asked.get(fail=False), lambda found: found is not None)
    assert message is not None
    told = json.loads(message.body)
    assert [(one["data"]["validity"], one["data"].get("suggestion"), one["data"]["reference"]) for one in told] == [
        ("valid", None, "form-7"),
        ("valid", "bob@gmail.com", "form-7"),
    ]


@pytest.mark.anyio
async def test_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "addresses.txt"
    file.write_text("ann@good.no\n\nbob@nowhere.no\n")
    async with name_server(ZONE) as server:
        line = [sys.executable, "-m", "returpost", "validate", "--servers", "127.0.0.1", "--port", str(server.port)]
        as_json = await asyncio.to_thread(
            subprocess.run, [*line, "--json", str(file)], capture_output=True, text=True, timeout=60
        )
        for_people = await asyncio.to_thread(
            subprocess.run, [*line, str(file)], capture_output=True, text=True, timeout=60
        )
    found = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [(one["given"], one["validity"]) for one in found] == [
        ("ann@good.no", "valid"),
        ("bob@nowhere.no", "invalid"),
    ]
    assert as_json.returncode == for_people.returncode == 1
    assert "the domain does not exist" in for_people.stdout
    missing = await asyncio.to_thread(
        subprocess.run, [*line, "no-such-file"], capture_output=True, text=True, timeout=60
    )
    assert missing.returncode == 2
    assert "no-such-file" in missing.stderr


@pytest.mark.parametrize(
    ("found", "score"),
    [
        ({}, 1.0),
        ({"role": True}, 0.8),
        ({"disposable": True}, 0.5),
        ({"suggestion": "ann@gmail.com"}, 0.5),
        ({"validity": Validity.UNKNOWN, "suggestion": "ann@gmail.com"}, 0.25),
        ({"validity": Validity.INVALID, "role": True}, 0.0),
    ],
)
def test_score_falls_with_each_doubt(found: dict[str, Any], score: float) -> None:
    assert Finding(**{"given": "a", "address": "a", "validity": Validity.VALID} | found).score == score


@pytest.mark.anyio
async def test_docstring_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in (validation.__doc__ or "").splitlines() if line.startswith("    ")]
    assert len(lines) <= 5
    async with name_server(ZONE) as server:
        monkeypatch.setattr(validator_module, "Domains", partial(Domains, ["127.0.0.1"], server.port))
        await asyncio.to_thread(exec, textwrap.dedent("\n".join(lines)), {})
    assert capsys.readouterr().out == "valid ann@gmail.com 0.5\n"
