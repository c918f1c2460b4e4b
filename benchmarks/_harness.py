"""What the benchmarks share: timing with repeats, peak memory, the table, the JSON beside it."""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from sightline.app.tables import text_table
from sightline.errors import SightlineError
from sightline.records.files import write_json

T = TypeVar("T")

RESULTS = Path("bench-results")
WORK = RESULTS / "work"


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds a call took, and what it returned."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def best_of(call: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Return the least seconds of some calls, and what the last returned.

    The least, because other programs can only add to the time a call takes.
    """
    seconds, result = timed(call)
    for _ in range(repeats - 1):
        again, result = timed(call)
        seconds = min(seconds, again)
    return seconds, result


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` of the values do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


@dataclass(frozen=True)
class Outcome:
    """What a function did in a process of its own.

    Attributes:
        value: What it returned.
        peak_mb: The most memory the process held, its imports included, in MB.
    """

    value: Any
    peak_mb: float


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Return what a module-level function gives in a fresh process, and that process's peak memory.

    A process of its own, because memory that one method frees is seldom given back, and would
    count against the next.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        value, peak = pool.submit(_with_peak, function, arguments).result()
    return Outcome(value, peak)


def _with_peak(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    return function(*arguments), peak_memory_mb()


def peak_memory_mb(process: int | str = "self") -> float:
    """Return the most resident memory a process has held so far, in MB (2^20 bytes).

    Read from ``/proc``, since ``getrusage`` starts from the parent's peak after fork and exec;
    elsewhere ``getrusage`` is what there is, for this process alone.
    """
    status = Path(f"/proc/{process}/status")
    if status.is_file():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


class Benchmark:
    """One benchmark's flags, table and JSON.

    Args:
        script: The script's ``__file__``; its stem is the benchmark's name.
        description: The script's docstring.
    """

    def __init__(self, script: str, description: str | None) -> None:
        self.name = Path(script).stem
        self.parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.parser.add_argument("--out", type=Path, default=RESULTS / f"{self.name}.json")
        self._before = _load()
        self._options: argparse.Namespace | None = None

    def options(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Return the parsed flags."""
        self._options = self.parser.parse_args(arguments)
        return self._options

    def report(
        self,
        title: str,
        columns: dict[str, str],
        rows: Sequence[dict[str, Any]],
        **facts: Any,
    ) -> None:
        """Print a table and write the JSON.

        Args:
            title: What was measured.
            columns: Key in the rows -> header. Numbers are printed with four digits.
            rows: One a method; the JSON holds all their keys, the table those in ``columns``.
            facts: Further results for the JSON.
        """
        print(f"\n{title}")
        cells = [[_cell(row.get(key)) for key in columns] for row in rows]
        print(text_table([list(columns.values()), *cells]))
        machine = self._machine()
        print(
            f"machine: {machine['cores']} cores, load {machine['load_before']:.1f} before and "
            f"{machine['load_after']:.1f} after"
        )
        options = {k: _plain(v) for k, v in vars(self._options or argparse.Namespace()).items()}
        out = Path(options.pop("out", None) or RESULTS / f"{self.name}.json")
        content = {"benchmark": self.name, "machine": machine, "options": options}
        write_json(out, {**content, "rows": _plain(list(rows)), **_plain(facts)})
        print(f"written: {out}", flush=True)

    def _machine(self) -> dict[str, Any]:
        return {
            "processor": platform.processor() or platform.machine(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "load_before": self._before,
            "load_after": _load(),
            "python": platform.python_version(),
            "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }


def run_main(main: Callable[[], int | None]) -> None:
    """Run a benchmark; an expected failure is one line and exit code 2, as in the CLI."""
    try:
        code = main()
    except SightlineError as error:
        sys.stderr.write(f"error: {error}\n")
        code = 2
    except json.JSONDecodeError as error:
        sys.stderr.write(f"error: a JSON file does not read: {error}\n")
        code = 2
    sys.exit(code or 0)


@contextmanager
def work_folder(kept: Path | None) -> Iterator[Path]:
    """Yield a folder to work in: the one to keep, or a temporary one that is removed."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with TemporaryDirectory(prefix="sightline-bench-") as folder:
        yield Path(folder)


def say(stage: str) -> None:
    """Print what is being done now, to the error stream: the table alone is the output."""
    sys.stderr.write(f"... {stage}\n")
    sys.stderr.flush()


class Stages:
    """A progress callback that prints each stage once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, stage: str, _fraction: float) -> None:
        """Print the stage when it changes; counts and losses in its text are no change."""
        name = re.split("[,:0-9]", stage, maxsplit=1)[0].strip()
        if name != self._last:
            say(name)
            self._last = name


def median_of(values: Sequence[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        if abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:#.4g}".rstrip(".")
    return str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: paths as text, NumPy's numbers as Python's own."""
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value
