"""The supervisor, with real processes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.supervisor import MAX_LINE, GaveUp, Patience, Program, Supervisor
from returpost.errors import InvalidSettings
from tests.support.harness import eventually

pytestmark = pytest.mark.anyio

QUICK = Patience(first_delay=0.02, longest_delay=0.1, settled_after=5, deaths=3, grace=10)
READY_THEN_WAIT = "import signal, sys; print('ready', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)\nwhile 1: signal.pause()"
)
POLITE = """
import signal, sys
def stop(*_):
    print('finishing what is in hand', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print('ready', flush=True)
while True: signal.pause()
"""


class Lines(list[tuple[str, str]]):
    """What was written, and a way to wait for it."""

    def write(self, name: str, line: str) -> None:
        self.append((name, line))

    async def wait_for(self, name: str, line: str, times: int = 1) -> None:
        async def count() -> int:
            return self.count((name, line))

        await eventually(count, lambda seen: seen >= times)


def program(name: str, code: str, **environment: str) -> Program:
    return Program(name, (sys.executable, "-c", code), {**os.environ, **environment})


@asynccontextmanager
async def supervised(
    *programs: Program, patience: Patience = QUICK
) -> AsyncIterator[tuple[Supervisor, Lines, "asyncio.Task[None]"]]:
    lines = Lines()
    supervisor = Supervisor(programs, lines.write, patience)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, lines, task
    finally:
        supervisor.kill()
        await asyncio.gather(task, return_exceptions=True)
        assert supervisor.running == {}


async def test_runs_all_and_stops_all_gracefully() -> None:
    async with supervised(program("a", POLITE), program("b", POLITE)) as (supervisor, lines, task):
        await lines.wait_for("a", "ready")
        await lines.wait_for("b", "ready")
        assert set(supervisor.running) == {"a", "b"}
        supervisor.stop()
        await task
        assert ("a", "finishing what is in hand") in lines
        assert ("b", "finishing what is in hand") in lines


async def test_gives_each_its_own_environment() -> None:
    code = "import os, signal; print(os.environ['SECRET'], flush=True); signal.pause()"
    async with supervised(program("a", code, SECRET="one"), program("b", code, SECRET="two")) as (_, lines, _task):
        await lines.wait_for("a", "one")
        await lines.wait_for("b", "two")


async def test_starts_again_what_was_killed() -> None:
    async with supervised(program("a", READY_THEN_WAIT)) as (supervisor, lines, _):
        await lines.wait_for("a", "ready")
        first = supervisor.running["a"]
        os.kill(first, signal.SIGKILL)
        await lines.wait_for("a", "ready", times=2)
        assert supervisor.running["a"] != first
        assert any("killed by SIGKILL" in line for _, line in lines)


async def test_gives_up_when_it_dies_again_and_again_and_stops_the_others() -> None:
    broken = program("broken", "print('cannot bind'); raise SystemExit(7)")
    async with supervised(program("well", POLITE), broken) as (supervisor, lines, task):
        with pytest.raises(GaveUp, match=r"broken ended 3 times in a row \(exit code 7\)(?s:.)*cannot bind"):
            await task
        assert supervisor.running == {}
        assert sum("ended (exit code 7)" in line for _, line in lines) == QUICK.deaths - 1


async def test_wrong_settings_are_not_tried_again() -> None:
    code = "import sys; print('RETURPOST_TOKEN_KEYS: too short'); sys.exit(2)"
    async with supervised(program("a", code)) as (_, lines, task):
        with pytest.raises(InvalidSettings, match="TOKEN_KEYS"):
            await task
        assert lines == [("a", "RETURPOST_TOKEN_KEYS: too short")]


async def test_a_settled_program_may_die_as_often_as_it_likes() -> None:
    patience = Patience(first_delay=0.01, settled_after=0.0, deaths=2)
    async with supervised(program("a", "print('up', flush=True); raise SystemExit(1)"), patience=patience) as (
        _,
        lines,
        task,
    ):
        await lines.wait_for("a", "up", times=4)
        assert not task.done()


async def test_what_does_not_stop_is_killed_when_its_grace_is_over() -> None:
    async with supervised(program("a", STUBBORN), patience=Patience(grace=0.2)) as (supervisor, lines, task):
        await lines.wait_for("a", "ready")
        supervisor.stop()
        await task


async def test_kill_ends_at_once() -> None:
    async with supervised(program("a", STUBBORN), patience=Patience(grace=600)) as (supervisor, lines, task):
        await lines.wait_for("a", "ready")
        supervisor.stop()
        supervisor.kill()
        await asyncio.wait_for(task, 10)


async def test_stops_in_parallel() -> None:
    slow = POLITE.replace("sys.exit(0)", "import time; time.sleep(1); sys.exit(0)")
    programs = [program(f"p{n}", slow) for n in range(6)]
    async with supervised(*programs) as (supervisor, lines, task):
        for one in programs:
            await lines.wait_for(one.name, "ready")
        started = time.monotonic()
        supervisor.stop()
        await task
        assert time.monotonic() - started < 6 * 1


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (
            f"print('x' * {MAX_LINE * 3})",
            lambda lines: max(map(len, lines)) == MAX_LINE,
        ),
        ("import os; os.write(1, b'\\xff\\xfe bytes\\n')", lambda lines: lines == ["\ufffd\ufffd bytes"]),
        ("import sys; sys.stdout.write('no newline')", lambda lines: lines == ["no newline"]),
    ],
)
async def test_passes_on_any_output(code: str, check: Callable[[list[str]], bool]) -> None:
    async with supervised(program("a", code + "; raise SystemExit(2)")) as (_, lines, task):
        with pytest.raises(InvalidSettings):
            await task
        assert check([line for _, line in lines])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
async def test_children_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = (
        f"import os, pathlib, signal; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); "
        "print('ready', flush=True); signal.pause()"
    )
    outer = (
        "import asyncio, os, sys\n"
        "from deploy.local.supervisor import Program, Supervisor\n"
        f"program = Program('a', (sys.executable, '-c', {child!r}), os.environ)\n"
        "asyncio.run(Supervisor([program], lambda name, line: print(line, flush=True)).run())"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", outer, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    assert (await supervisor.stdout.readline()).strip() == b"ready"
    pid = int(note.read_text())
    supervisor.kill()
    await supervisor.wait()

    async def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    await eventually(gone)
