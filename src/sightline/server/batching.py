"""One worker thread that serves many requests in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerClosedError(Exception):
    """The worker takes no more work."""


class BatchWorker(Generic[Item, Result]):
    """A thread that runs a function over whatever items wait, at most ``batch_size`` at once.

    It never waits for a batch to fill: what arrives while one batch runs is the next. Requests
    take turns item by item, so one photo does not wait behind somebody's album.
    """

    def __init__(
        self, run_batch: Callable[[Sequence[Item]], Sequence[Result]], batch_size: int
    ) -> None:
        """Make a worker; ``run_batch`` returns one result an item, in order."""
        self._run_batch = run_batch
        self._batch_size = batch_size
        self._groups: deque[deque[tuple[Item, Future[Result]]]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        # A daemon: a localisation that hangs must not keep a stopped server alive.
        self._thread = threading.Thread(target=self._loop, name="sightline-worker", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def submit(self, items: Sequence[Item]) -> list[Future[Result]]:
        """Return one future an item, in order; a cancelled one is skipped when its turn comes.

        Raises:
            WorkerClosedError: The worker is closed.
        """
        group = deque((item, Future[Result]()) for item in items)
        futures = [future for _, future in group]
        with self._wake:
            if self._closed:
                raise WorkerClosedError("the server is stopping")
            if group:
                self._groups.append(group)
                self._wake.notify()
        return futures

    def close(self, timeout_s: float) -> bool:
        """Refuse what waits, let the running batch end; return whether it did in time."""
        with self._wake:
            self._closed = True
            waiting = [future for group in self._groups for _, future in group]
            self._groups.clear()
            self._wake.notify()
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(WorkerClosedError("the server is stopping"))
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while batch := self._next_batch():
            items, futures = zip(*batch, strict=True)
            try:
                results = self._run_batch(items)
                if len(results) != len(items):
                    raise RuntimeError(f"{len(items)} results are wanted, {len(results)} came")
            except Exception as error:
                # Each waiting request answers for it.
                for future in futures:
                    future.set_exception(error)
            else:
                for future, result in zip(futures, results, strict=True):
                    future.set_result(result)

    def _next_batch(self) -> list[tuple[Item, Future[Result]]]:
        """Return what waits, at most a batch; empty only when closed."""
        with self._wake:
            while True:
                batch = self._take()
                if batch or self._closed:
                    return batch
                self._wake.wait()

    def _take(self) -> list[tuple[Item, Future[Result]]]:
        batch: list[tuple[Item, Future[Result]]] = []
        while self._groups and len(batch) < self._batch_size:
            group = self._groups.popleft()
            item, future = group.popleft()
            if group:
                self._groups.append(group)
            if future.set_running_or_notify_cancel():
                batch.append((item, future))
        return batch
