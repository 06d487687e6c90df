"""The code that docs/how-to/crm/receive-webhooks.md gives to CRM developers verifies what is sent, and nothing else."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.outbound import signing

DOCUMENT = Path(__file__).parents[3] / "docs/how-to/crm/receive-webhooks.md"
BODY = '[{"data": {"address": "ann@blåbær.example"}}]'.encode()
Verify = Callable[[dict[str, str], bytes, str], bool]


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(found)


def python() -> Verify:
    space: dict[str, Verify] = {}
    exec(code("python"), space)  # noqa: S102 - our own document
    return space["verified"]


def javascript() -> Verify:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")

    def verified(headers: dict[str, str], body: bytes, secret: str) -> bool:
        call = f"verified({json.dumps(headers)}, Buffer.from('{body.hex()}', 'hex'), {json.dumps(secret)})"
        done = subprocess.run(
            [node, "-e", f"{code('javascript')};console.log({call})"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip() == "true"

    return verified


@pytest.mark.parametrize("language", [python, javascript])
def test_the_code_of_the_document(language: Callable[[], Verify]) -> None:
    verified, now = language(), int(time.time())
    secret, other = signing.new_secret(), signing.new_secret()
    assert verified(signing.headers("msg_1", now, BODY, [secret]), BODY, secret)
    assert verified(signing.headers("msg_1", now, BODY, [other, secret]), BODY, secret)
    assert not verified(signing.headers("msg_1", now, BODY, [other]), BODY, secret)
    assert not verified(signing.headers("msg_1", now, BODY, [secret]), BODY + b" ", secret)
    assert not verified(signing.headers("msg_1", now, BODY, [secret]) | {"webhook-id": "msg_2"}, BODY, secret)
    assert not verified(signing.headers("msg_1", now - 600, BODY, [secret]), BODY, secret)
