"""Progress on stderr: a rich bar for a person, one line a stage for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
