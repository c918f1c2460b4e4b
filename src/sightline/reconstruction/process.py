"""COLMAP in its own process: it can abort, and then only that process dies."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sightline.errors import ReconstructionError

Progress = Callable[[str, float], None]

_POLL_SECONDS = 0.5
_LOG_TAIL_BYTES = 4000
_ALMOST_FULL_BYTES = 4 * 2**20


@dataclass(frozen=True)
class RowCount:
    """Progress of a stage that fills a table of COLMAP's database.

    It is read from this process, never from the worker: two SQLite libraries in one process drop
    each other's file locks, which crashes COLMAP (sqlite.org, "How To Corrupt", 2.2.1).

    Attributes:
        database: The file COLMAP writes.
        table: Its table.
        total: Rows when done.
        text: What to tell the user.
    """

    database: Path
    table: Literal["keypoints", "matches"]
    total: int
    text: str

    def fraction(self) -> float:
        """Return how much is done, 0 while the file cannot be read."""
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(self.database))}?mode=ro", uri=True, timeout=0.1)
            ) as connection:
                query = f"SELECT COUNT(*) FROM {self.table}"  # noqa: S608  one of two names
                (count,) = connection.execute(query).fetchone()
        except sqlite3.Error:
            return 0.0  # not made yet, or just being written: the next look will tell
        return min(1.0, int(count) / max(self.total, 1))


def run_worker(
    command: str,
    request: dict[str, Any],
    *,
    log_path: Path,
    progress: Progress,
    watch: RowCount | None = None,
) -> Any:
    """Return what a worker command answers; its log is appended to ``log_path``.

    The worker dies with this process: it watches its standard input, which only we hold open.
    What it writes to stderr is a log, never taken for failure (PITFALLS 15).

    Args:
        command: A name in ``worker.COMMANDS``.
        request: JSON-like arguments of the command.
        log_path: COLMAP's own words, kept.
        progress: Called with (text, fraction 0..1).
        watch: Where to read the progress of a stage that does not tell it.

    Raises:
        ReconstructionError: The worker said why it failed, or died.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        log.write(f"\n== {command}\n".encode())
        log.flush()
        child = subprocess.Popen(
            [sys.executable, "-m", "sightline.reconstruction.worker", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            answer = _converse(child, request, progress, watch)
            code = child.wait()
        finally:
            # Ctrl-C and errors in the caller's progress come through here.
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()
    if "result" in answer and code == 0:
        return answer["result"]
    raise ReconstructionError(_failure(command, answer, code, log_path))


def _converse(
    child: subprocess.Popen[bytes],
    request: dict[str, Any],
    progress: Progress,
    watch: RowCount | None,
) -> dict[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise ReconstructionError("the worker could not be started: it has no pipes")
    answer: dict[str, Any] = {}
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        return answer
    pending = b""
    while True:
        if not select.select([child.stdout], [], [], _POLL_SECONDS)[0]:
            if watch is not None:
                progress(watch.text, watch.fraction())
            continue
        came = os.read(child.stdout.fileno(), 65536)
        if not came:
            return answer
        *lines, pending = (pending + came).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "progress" in message:
                progress(str(message["text"]), float(message["progress"]))
            else:
                answer = message


def _failure(command: str, answer: dict[str, Any], code: int, log_path: Path) -> str:
    if shutil.disk_usage(log_path.parent).free < _ALMOST_FULL_BYTES:
        return (
            f"the disk that holds {log_path.parent} is full (in the stage {command!r}); free some "
            "space and run again (finished stages are kept)"
        )
    if "error" in answer:
        return f"{answer['error']} (log: {log_path})"
    how = f"with exit code {code}" if code >= 0 else f"by signal {_signal_name(-code)}"
    return (
        f"COLMAP ended {how} in the stage {command!r}: {_last_line(log_path)} (log: {log_path}; "
        "run again to resume)"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _last_line(log_path: Path) -> str:
    with log_path.open("rb") as log:
        log.seek(max(0, log_path.stat().st_size - _LOG_TAIL_BYTES))
        lines = log.read().decode("utf-8", errors="replace").splitlines()
    telling = [x.strip() for x in lines if "Check failed" in x or "Error" in x or "error" in x]
    last = telling or [x.strip() for x in lines if x.strip()]
    return last[-1][:300] if last else "it said nothing"
