"""Progress on stderr: a rich bar for a person, one line a stage for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Yield ``progress(stage, share done)``."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        # What goes to a file or another program must not end on the screen instead.
        redirect_stdout=sys.stdout.isatty(),
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def update(stage: str, done: float) -> None:
            key = stage.split(":", 1)[0]
            if key not in tasks:
                for other in tasks.values():
                    bars.update(other, completed=1.0)
                    bars.stop_task(other)
                tasks[key] = bars.add_task(key, total=1.0)
            bars.update(tasks[key], completed=done, description=stage)

        yield update


class PictureCount:
    """How many pictures are done, on the last row of a person's terminal; silent elsewhere.

    Args:
        files: How many files there are; a video is one file of many pictures.
    """

    def __init__(self, files: int) -> None:
        self._shown = sys.stderr.isatty()
        self._total = files
        self._files: set[Path] = set()
        self._started = time.monotonic()
        self.done = 0
        self.failed = 0

    def clear(self) -> None:
        """Make the row free for other lines."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def add(self, file: Path, *, good: bool) -> None:
        """Count a picture, and say so."""
        self._files.add(file)
        self.done += good
        self.failed += not good
        if self._shown:
            pictures = self.done + self.failed
            rate = pictures / max(time.monotonic() - self._started, 1e-3)
            failed = f", {self.failed:,} failed" if self.failed else ""
            files = f"{len(self._files):,} of {self._total:,} files"
            sys.stderr.write(f"\r\033[K{files}, {rate:.1f} images/s{failed}")
            sys.stderr.flush()


def _lines() -> Callable[[str, float], None]:
    started = time.monotonic()
    seen: set[str] = set()

    def update(stage: str, done: float) -> None:
        key = stage.split(":", 1)[0]
        if key not in seen:
            seen.add(key)
            sys.stderr.write(f"[{time.monotonic() - started:6.1f} s] {key}\n")
            sys.stderr.flush()

    return update
