"""The loop that tests run on: what hangs is told with the stacks of all tasks, and ended in time for the next test."""

import asyncio
import sys
from collections.abc import Awaitable, Generator
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")

STEP = 5.0
"""Seconds between two cancellations: code may spend the first on what it does last."""


class BoundedLoop(asyncio.SelectorEventLoop):
    """Ends by cancellation what runs for longer than `limit`: a test, a fixture, or what is left when both are over."""

    limit: ClassVar[float]
    """Seconds, below those after which pytest-timeout breaks off the loop itself: with it the next test's is lost."""
    hung: ClassVar[bool] = False
    """Whether something has, in this process."""
    _over: asyncio.TimerHandle

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run what it is given to its end, or to its cancellation."""
        main = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]  # so does asyncio
        self._over = self.call_later(self.limit, self._tell, main)
        try:
            return super().run_until_complete(main)
        finally:
            self._over.cancel()

    def _tell(self, main: asyncio.Future[Any]) -> None:
        sys.stderr.write(f"this hangs for {self.limit:.0f} s; what its tasks wait for:\n")
        for task in asyncio.all_tasks(self):
            sys.stderr.writelines((f"{task}\n", *waits_for(task.get_coro())))
        BoundedLoop.hung = True
        if isinstance(main, asyncio.Task):
            main.cancel()  # else it waits for what is cancelled already: once more
        self._over = self.call_later(STEP, self._end)

    def _end(self) -> None:
        for task in asyncio.all_tasks(self):
            task.cancel()
        self._over = self.call_later(STEP, self._end)


def waits_for(awaited: Any) -> Generator[str, None, None]:
    """Yield what a task waits for, and what that waits for: `print_stack` ends at the first generator."""
    while awaited is not None:
        frame = next((found for kind in ("cr", "ag", "gi") if (found := getattr(awaited, f"{kind}_frame", None))), None)
        place = f" {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        yield f"    {getattr(awaited, '__qualname__', type(awaited).__name__)}{place}\n"
        awaited = next(
            (found for name in ("cr_await", "ag_await", "gi_yieldfrom") if (found := getattr(awaited, name, None))),
            None,
        )


def new_loop() -> BoundedLoop:
    """Return a loop, which is the current one."""
    loop = BoundedLoop()
    asyncio.set_event_loop(loop)
    return loop
