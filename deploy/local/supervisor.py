"""Keeps programs running: starts them, passes on what they write, restarts what dies, and stops all together."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from returpost.errors import InvalidSettings, ReturpostError

WRONG_SETTINGS = 2
"""Exit code of a service that was started with wrong settings: starting it again would not help."""
MAX_LINE = 16_000
LAST_LINES = 15
_PR_SET_PDEATHSIG = 1
"""prctl(2)"""


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    descriptors: tuple[int, ...] = ()
    """Open files that its processes inherit under the same numbers: listening sockets, which outlive a restart."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, but for `deaths`: when to restart, and when to give up."""

    first_delay: float = 0.5
    longest_delay: float = 8.0
    settled_after: float = 20.0
    """A program that has run this long is well: its deaths are counted from zero again."""
    deaths: int = 12
    """Deaths without a settled run in between after which all is stopped: what two messages cause until they are in
    quarantine is ten (`shared/messaging/quarantine.py`)."""
    grace: float = 25.0
    """Time to stop after SIGTERM; then it is SIGKILL. Longer than a service's own shutdown timeout."""


class GaveUp(ReturpostError):
    """A program cannot be kept running."""


Write = Callable[[str, str], None]
"""Takes the name of a program and a line that it wrote."""


class Supervisor:
    """Runs programs until `stop`."""

    def __init__(self, programs: Sequence[Program], write: Write, patience: Patience | None = None) -> None:
        self._programs = programs
        self._write = write
        self._patience = patience or Patience()
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._tails: dict[str, deque[str]] = {program.name: deque(maxlen=LAST_LINES) for program in programs}

    async def run(self) -> None:
        """Keep all running until `stop` is called; returns when all have ended.

        Raises `GaveUp` when a program dies again and again, `InvalidSettings` when it says that its settings are wrong;
        the others have been stopped then.
        """
        watches = [asyncio.create_task(self._keep(program), name=program.name) for program in self._programs]
        try:
            await asyncio.gather(*watches)
        finally:
            self.stop()
            await asyncio.gather(*watches, return_exceptions=True)

    def stop(self) -> None:
        """Ask all to finish what they have in hand, all at the same time."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    @property
    def running(self) -> dict[str, int]:
        """Process ids of the programs that run now, by name."""
        return {name: child.pid for name, child in self._children.items() if child.returncode is None}

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children.values():
            if child.returncode is None:
                child.send_signal(number)

    async def _keep(self, program: Program) -> None:
        deaths = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(program)
            if self._stopping.is_set():
                return
            deaths = 1 if time.monotonic() - started > self._patience.settled_after else deaths + 1
            if code == WRONG_SETTINGS:
                raise InvalidSettings(self._last_words(program.name))
            if deaths >= self._patience.deaths:
                raise GaveUp(
                    f"{program.name} ended {deaths} times in a row ({_how(code)}); its last lines were:\n"
                    f"{self._last_words(program.name)}"
                )
            delay = min(self._patience.longest_delay, self._patience.first_delay * 2 ** (deaths - 1))
            self._write(program.name, f"ended ({_how(code)}); starts again in {delay:g} s")
            await self._sleep(delay)

    async def _run_once(self, program: Program) -> int:
        child = await asyncio.create_subprocess_exec(
            *program.command,
            env=dict(program.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=program.descriptors,
            start_new_session=True,  # the terminal's Ctrl-C reaches the supervisor alone, which stops all in order
            preexec_fn=_dying_with_parent(),
        )
        self._children[program.name] = child
        if self._stopping.is_set():  # asked while it was being started
            child.terminate()
        reading = asyncio.create_task(self._read(program.name, child))
        force = asyncio.create_task(self._force(child))
        try:
            code = await child.wait()
            await reading
            return code
        finally:
            force.cancel()

    async def _force(self, child: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        await asyncio.sleep(self._patience.grace)
        if child.returncode is None:
            child.kill()

    async def _read(self, name: str, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None  # noqa: S101 - it was asked for
        rest = b""
        while chunk := await child.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._pass_on(name, line)
            if len(rest) > MAX_LINE:
                self._pass_on(name, rest)
                rest = b""
        if rest:
            self._pass_on(name, rest)

    def _pass_on(self, name: str, line: bytes) -> None:
        text = line[:MAX_LINE].decode(errors="replace").rstrip("\r")
        self._tails[name].append(text)
        self._write(name, text)

    def _last_words(self, name: str) -> str:
        return "\n".join(self._tails[name]) or "(it wrote nothing)"

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def _dying_with_parent() -> Callable[[], None] | None:
    """Return what a child does first: see to it that it ends when the supervisor is gone, be it by SIGKILL."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
