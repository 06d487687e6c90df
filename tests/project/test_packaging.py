"""The wheel: one package, importable with its base dependencies alone, typed, and a bounce library with `[bounces]`."""

import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.project.source_tree import ROOT

FOREIGN = """
from returpost.client import Mirror, Publisher


async def publish(publisher: Publisher, mirror: Mirror) -> int:
    return len(str(publisher)) + len(str(mirror))
"""
CLASSIFY = """
from returpost.bounces import parse
from returpost.bounces.rules import RuleRegistry
from returpost.bounces.verdict import classify
for report in parse(open("mail.eml", "rb").read()).reports:
    print(report.recipient, classify(report.evidence, RuleRegistry().shared).reason)
"""


def closure(requirements: list[str], extra: str = "") -> set[str]:
    """Return the distributions that requirements need here, themselves included."""
    found: set[str] = set()
    for text in requirements:
        wanted = Requirement(text)
        if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": extra})):
            continue
        found.add(wanted.name)
        for inner in wanted.extras or {""}:
            found |= closure(metadata.requires(wanted.name) or [], inner)
    return found


def copy_distribution(name: str, into: Path) -> None:
    """Copy the files of an installed distribution, without its scripts."""
    for file in metadata.files(name) or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and its base dependencies, copied from those that run this test."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    for name in closure([line for line in requires(packages) if "extra ==" not in line]):
        copy_distribution(name, packages)
    return folder


def requires(packages: Path) -> list[str]:
    (own,) = metadata.distributions(name="returpost", path=[str(packages)])
    return own.requires or []


def python(environment: Path, code: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(environment / "bin/python"), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=environment, check=False)


def test_wheel_has_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"returpost"}
    assert "returpost/py.typed" in names
    assert any(name.endswith("rule_files/recipient.toml") for name in names)


def test_client_imports_with_base_dependencies(installed: Path) -> None:
    done = python(installed, "from returpost.client import Mirror, Publisher; print(Mirror.__name__)")
    assert (done.stdout, done.stderr) == ("Mirror\n", "")
    for absent in ("shared", "services", "fastapi", "asyncpg", "re2", "typer"):
        assert python(installed, f"import {absent}").returncode == 1, absent


def test_client_type_checks_in_a_foreign_project(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed / "bin/python")]
    done = subprocess.run([*command, "foreign.py"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout


def test_bounces_extra_classifies_a_mail_in_five_lines(installed: Path) -> None:
    packages = next(installed.glob("lib/python*/site-packages"))
    extra = [line.split(";")[0] for line in requires(packages) if 'extra == "bounces"' in line.replace("'", '"')]
    assert extra
    for name in closure(extra):
        copy_distribution(name, packages)
    shutil.copyfile(ROOT / "deploy/demo/samples/postfix-user-unknown.eml", installed / "mail.eml")
    done = python(installed, CLASSIFY)
    assert done.stdout.endswith(" user_unknown\n"), done.stderr
