"""The folder of a test run goes with the run: also when that was killed, with the processes that it left."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import identify
from tests.support import run_folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "MEMORY", tmp_path)
    monkeypatch.setattr(run_folder, "ROOM", 0)


def test_what_a_killed_run_left_is_stopped_and_removed(tmp_path: Path) -> None:
    left = tmp_path / f"{run_folder.PREFIX}left"
    left.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    (left / run_folder.NOTE).write_text(json.dumps([ended.pid, "another boot", 1.0]))
    ended.wait()
    waits = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", waits, str(left / "data")], stdin=subprocess.PIPE) as server:
        made = run_folder.make()
        server.wait(30)  # its input is still open: it has not ended by itself
    assert not left.exists()
    assert run_folder.remove(made, keep_logs=False) is None
    assert not made.exists()


@pytest.mark.parametrize("note", [None, "", "own"])
def test_what_lives_or_only_begins_is_left_alone(tmp_path: Path, note: str | None) -> None:
    other = tmp_path / f"{run_folder.PREFIX}other"
    other.mkdir()
    if note is not None:
        text = json.dumps(identify(psutil.Process())) if note else ""
        (other / run_folder.NOTE).write_text(text)
    run_folder.make()
    assert other.exists()


def test_logs_of_a_run_that_failed_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_in = tmp_path / "disk"
    kept_in.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(kept_in))
    made = run_folder.make()
    (made / "server").mkdir()
    (made / "server" / "a.log").write_text("it failed")
    (made / "server" / "data").write_text("much")
    kept = run_folder.remove(made, keep_logs=True)
    assert kept is not None
    assert kept.is_relative_to(kept_in)
    assert [path.name for path in kept.rglob("*") if path.is_file()] == ["a.log"]


def test_without_room_in_memory_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(run_folder, "ROOM", 2**80)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    assert run_folder.make().parent == disk
