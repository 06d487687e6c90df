"""The folder of an installation: secrets generated once, one `up` at a time, notes that a kill leaves behind."""

import json
import multiprocessing
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from returpost.cli.installation import Installation, Running
from returpost.errors import InvalidSettings, ReturpostError

RUNNING = Running(os.getpid(), {"ingest": "http://127.0.0.1:1"}, "amqp://a", "postgresql://d", None, ("default",), {})


def test_secrets_are_found_once_and_new_names_are_added(tmp_path: Path) -> None:
    home = Installation(tmp_path / "new")
    first = home.secrets(["classifier"], ["returpost-ingest"])
    second = home.secrets(["classifier", "replay"], ["returpost-ingest", "sender-news"])
    assert second.token_key == first.token_key
    assert second.database.items() > first.database.items()
    assert second.broker.items() > first.broker.items()
    assert home.secrets() == second
    every = [second.token_key, *second.database.values(), *second.broker.values()]
    assert len(set(every)) == len(every)
    assert min(map(len, every)) >= 32


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    home = Installation(tmp_path / "new")
    home.secrets(["classifier"])
    home.started(RUNNING)
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    for name in ("secrets", "running"):
        assert stat.S_IMODE((home.folder / name).stat().st_mode) == 0o600


def test_two_at_once_draw_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Installation(tmp_path).secrets(["a"], ["b"]), range(16)))
    assert all(one == found[0] for one in found)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    secrets = Installation(tmp_path).secrets(["a"], ["b"])
    assert secrets.token_key not in repr(secrets)
    assert secrets.database["a"] not in repr(secrets)
    assert "amqp://" not in repr(RUNNING)


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "secrets").write_text(damage)
    with pytest.raises(InvalidSettings, match="secrets: damaged"):
        Installation(tmp_path).secrets()


def test_one_at_a_time(tmp_path: Path) -> None:
    with Installation(tmp_path).lock():
        assert Installation(tmp_path).held()
        with pytest.raises(ReturpostError, match="already runs"), Installation(tmp_path).lock():
            pass
    assert not Installation(tmp_path).held()


def test_what_runs_is_known_while_it_runs(tmp_path: Path) -> None:
    home = Installation(tmp_path)
    assert home.running() is None
    with home.lock():
        home.started(RUNNING)
        assert Installation(tmp_path).running() == RUNNING
        home.ended()
        assert home.running() is None


def test_a_killed_up_has_left_a_note_that_means_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_start_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert json.loads((tmp_path / "running").read_text())["urls"] == RUNNING.urls
    assert Installation(tmp_path).running() is None
    with Installation(tmp_path).lock():
        pass


def _start_and_die(folder: Path) -> None:
    home = Installation(folder)
    with home.lock():
        home.started(RUNNING)
        os.kill(os.getpid(), 9)
