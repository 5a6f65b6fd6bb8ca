"""Simulated time: a scheduler that wakes sleeping coroutines in order. Ties keep the order of scheduling."""

from __future__ import annotations

import heapq
from collections.abc import Coroutine, Generator
from typing import Any


class Sleep:
    """An awaitable that asks the scheduler to wait."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


class Scheduler:
    """A scheduler that runs tasks in simulated time. `now` is seconds since 1970 in UTC."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._queue: list[tuple[float, int, Coroutine[Any, Any, Any]]] = []
        self._count = 0

    def spawn(self, task: Coroutine[Any, Any, Any], after: float = 0.0) -> None:
        """Start a task after some seconds."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + after, self._count, task))

    def run_until(self, until: float) -> None:
        """Run tasks until a time; tasks that sleep longer continue in the next run."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, task = heapq.heappop(self._queue)
            try:
                seconds = task.send(None)
            except StopIteration:
                continue
            self.spawn(task, max(0.0, seconds))
        self.now = max(self.now, until)

    def run_all(self) -> None:
        """Run all tasks to their end; the clock stops at the last one."""
        while self._queue:
            self.run_until(self._queue[0][0])

    @property
    def idle(self) -> bool:
        """Return whether no task is scheduled."""
        return not self._queue

    def close(self) -> None:
        """Close every unfinished task."""
        for _, _, task in self._queue:
            task.close()
        self._queue.clear()
