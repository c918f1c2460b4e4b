"""Rendering by several processes; what comes out does not depend on their number."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sightline import errors
from sightline.errors import RenderError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Fewer parts than this are rendered here: starting a process takes longer than a part.
_ALONE = 4
_MOST_PROCESSES = 16


@dataclass(frozen=True)
class Job:
    """What is to be rendered.

    Attributes:
        render: A module's function ``(folder, config, index)``, which a process can import.
        folder: Where the parts go.
        config: A dataclass of plain values.
        part: What messages call one index.
    """

    render: Callable[[Path, Any, int], None]
    folder: Path
    config: DataclassInstance
    part: str

    def line(self) -> str:
        """Return the job as a process reads it."""
        kind = type(self.config)
        return json.dumps(
            {
                "render": f"{self.render.__module__}:{self.render.__name__}",
                "folder": str(self.folder.resolve()),
                "config": f"{kind.__module__}:{kind.__name__}",
                "values": asdict(self.config),
            }
        )


def render_all(
    job: Job,
    missing: Sequence[int],
    total: int,
    report: Callable[[float], None],
    processes: int | None,
) -> None:
    """Render the parts that are missing.

    Args:
        job: What to render.
        missing: Which parts.
        total: How many parts there are to be.
        report: Told the share that is there.
        processes: How many render; one a CPU core where None.

    Raises:
        RenderError: There is no EGL, or two processes crashed on one part.
    """
    there = total - len(missing)
    report(there / total)
    # Closed here, so that no process renders on when the caller gives its folder's lock back.
    with contextlib.closing(_render(job, missing, processes)) as rendering:
        for finished in rendering:
            report((there + finished) / total)


def _render(job: Job, missing: Sequence[int], processes: int | None) -> Generator[int]:
    """Render parts and yield how many are done; closed, it ends when those at hand are."""
    wanted = min(os.cpu_count() or 1, _MOST_PROCESSES) if processes is None else processes
    if wanted <= 1 or len(missing) < _ALONE:
        for finished, index in enumerate(missing, start=1):
            job.render(job.folder, job.config, index)
            yield finished
        return
    crew, wanted = _Crew(job, missing), min(wanted, len(missing))
    with ThreadPoolExecutor(wanted) as pool:
        futures = [pool.submit(crew.work) for _ in range(wanted)]
        try:
            done = 0
            while done < len(missing) and not any(f.done() and f.exception() for f in futures):
                if crew.finished.acquire(timeout=0.2):
                    done += 1
                    yield done
        finally:
            crew.stop()
        for future in futures:
            future.result()


class _Crew:
    """Threads that each lead a process and take the next part when it is free.

    The processes have their own main module, so that a script without a main guard works too.
    """

    def __init__(self, job: Job, missing: Sequence[int]) -> None:
        self.finished = threading.Semaphore(0)
        self._job = job
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in missing:
            self._todo.put(index)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no part any more; those at hand are finished."""
        self._stopped.set()

    def work(self) -> None:
        """Lead a process until all is done; where it crashes, another one begins with that part.

        Drivers crash now and then, on any part. One on which two processes crash is an error.
        """
        crashed: int | None = None
        while True:
            with _worker(self._job) as worker:
                crashed = self._lead(worker, crashed)
            if crashed is None:
                return

    def _lead(self, worker: subprocess.Popen[str], again: int | None) -> int | None:
        """Return the part on which the process crashed, None when nothing is left to do."""
        index = self._next() if again is None else again
        while index is not None:
            try:
                _ask(worker, index)
            except _CrashError:
                if index == again:
                    raise RenderError(
                        f"{self._job.part} {index} is wanted, two processes that render it ended "
                        "(their words are above); run again to go on, with `processes=1` to see "
                        "the error here"
                    ) from None
                return index
            self.finished.release()
            index = self._next()
        return None

    def _next(self) -> int | None:
        if self._stopped.is_set():
            return None
        try:
            return self._todo.get_nowait()
        except queue.Empty:
            return None


class _CrashError(Exception):
    """A process that renders ended before it answered."""


@contextlib.contextmanager
def _worker(job: Job) -> Iterator[subprocess.Popen[str]]:
    # One thread a process: Mesa's software renderer would start one a core in each.
    environment = os.environ | {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "sightline.worlds.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        _pipes(worker)[0].write(job.line() + "\n")
        yield worker
    finally:
        # Its input ends, and so does it, after the part at hand.
        worker.communicate()


def _pipes(worker: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if worker.stdin is None or worker.stdout is None:
        raise RenderError("pipes to a process that renders are wanted, there are none")
    return worker.stdin, worker.stdout


def _ask(worker: subprocess.Popen[str], index: int) -> None:
    requests, answers = _pipes(worker)
    try:
        requests.write(f"{index}\n")
        requests.flush()
        line = answers.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        raise _CrashError
    answer = json.loads(line)
    if answer["error"]:
        kind: type[errors.SightlineError] = getattr(errors, answer["kind"], RenderError)
        raise kind(answer["error"])
