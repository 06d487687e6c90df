"""The library as its users see it: the examples of its docstrings and of its page run."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import returpost.bounces
from deploy.demo.samples import paths
from returpost.bounces import classification, classify
from returpost.bounces.rules import load
from returpost.contracts import Evidence

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "use-the-bounce-library.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("module", [returpost.bounces, classification], ids=lambda module: str(module.__name__))
def test_docstrings_say_what_happens(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type]
    assert found.attempted > 2
    assert not found.failed


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_page_run(example: str, tmp_path: Path) -> None:
    sample = next(path for path in paths() if "postfix" in path.name)
    (tmp_path / "bounce.eml").write_bytes(sample.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(PAGE.parents[3])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_text_and_its_evidence_are_judged_alike() -> None:
    evidence = Evidence(reply_code=550, status="5.1.1", diagnostic="550 5.1.1 User unknown")
    assert classify("550 5.1.1 User unknown") == classify(evidence) == classify(evidence, load())
