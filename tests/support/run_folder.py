"""The folder of a test run: in memory where that is to be had, removed at the end, also after a run that was killed."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from deploy.local.processes import kill, recall, remember

MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder there that is ours alone
ROOM = 6 * 2**30
"""Bytes that must be free there: a run has used one of these six gibibytes."""
PREFIX = "returpost-tests-"
NOTE = "run.json"


def make() -> Path:
    """Make the folder for this process's run.

    Each test copies a database of a thousand files: from a disk that takes a second, from memory a twentieth.
    """
    parent = MEMORY if _fits(MEMORY) else Path(tempfile.gettempdir())
    for other in parent.glob(f"{PREFIX}*"):
        _remove_when_abandoned(other)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    remember(folder / NOTE, os.getpid())
    return folder


def remove(folder: Path, *, keep_logs: bool) -> Path | None:
    """Remove the folder of a run; return where its logs are kept on the disk, if they are."""
    kept = None
    if keep_logs and (logs := sorted(folder.rglob("*.log"))):
        kept = Path(tempfile.mkdtemp(prefix=f"{PREFIX}logs-"))
        for log in logs:
            target = kept / log.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, target)
    shutil.rmtree(folder, ignore_errors=True)
    return kept


def _fits(place: Path) -> bool:
    try:
        found = os.statvfs(place)
    except OSError:
        return False
    runs_programs = not found.f_flag & os.ST_NOEXEC  # some tests install what they start
    return runs_programs and os.access(place, os.W_OK) and found.f_bavail * found.f_frsize >= ROOM


def _remove_when_abandoned(folder: Path) -> None:
    note = folder / NOTE
    written = note.exists() and note.stat().st_size > 0  # else its run is just beginning
    if written and recall(note) is None:
        kill(_processes_in(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that were started with a path in a folder: servers, services and browsers."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in text for text in told):
            found.append(process)
    return found
