"""The worker process: answers, deaths, orphans."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.errors import ReconstructionError
from sightline.reconstruction import process
from sightline.reconstruction.process import RowCount, run_worker


def silent(text: str, fraction: float) -> None:
    """Nobody watches."""


def fake_worker(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let another program stand in for the worker."""
    real = subprocess.Popen

    def start(command: list[str], **kwargs: object) -> object:
        return real([sys.executable, "-c", code], **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(process.subprocess, "Popen", start)


def test_the_worker_answers(tmp_path: Path) -> None:
    import pycolmap

    database = tmp_path / "empty.db"
    pycolmap.Database.open(str(database)).close()
    seen: list[tuple[str, float]] = []
    answer = run_worker(
        "inspect",
        {"database": str(database), "model": None, "max_error_px": 2.0},
        log_path=tmp_path / "log.txt",
        progress=lambda text, fraction: seen.append((text, fraction)),
    )
    assert answer == {"features": {}, "verified": []}
    assert seen == [("examining the map", 1.0)]
    assert "== inspect" in (tmp_path / "log.txt").read_text()


def test_chatter_on_stderr_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_worker(
        monkeypatch,
        "import sys, json; sys.stdin.readline(); print('Error: all is well', file=sys.stderr); "
        "print(json.dumps({'progress': 0.5, 'text': 't'})); print(json.dumps({'result': [1]}))",
    )
    assert run_worker("x", {}, log_path=tmp_path / "log.txt", progress=silent) == [1]
    assert "all is well" in (tmp_path / "log.txt").read_text()


def test_an_abort_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_worker(
        monkeypatch,
        "import sys, os; sys.stdin.readline(); "
        "print('F0101 sift.cc:7] Check failed: gpu != nullptr', file=sys.stderr, flush=True); "
        "print('    @ 0x1 (unknown)', file=sys.stderr, flush=True); os.abort()",
    )
    with pytest.raises(ReconstructionError) as info:
        run_worker("matches", {}, log_path=tmp_path / "log.txt", progress=silent)
    message = str(info.value)
    assert "SIGABRT" in message
    assert "Check failed: gpu != nullptr" in message
    assert "log.txt" in message
    assert "\n" not in message


def test_the_workers_own_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReconstructionError, match="COLMAP failed in the stage 'inspect'") as info:
        run_worker(
            "inspect",
            {"database": "/no/such/folder/database.db", "model": None, "max_error_px": 2.0},
            log_path=tmp_path / "log.txt",
            progress=silent,
        )
    assert "\n" not in str(info.value)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_worker(monkeypatch, "import os; os.abort()")
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(process.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ReconstructionError, match="is full"):
        run_worker("features", {}, log_path=tmp_path / "log.txt", progress=silent)


def test_an_error_in_the_callers_progress_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_path = tmp_path / "pid"
    fake_worker(
        monkeypatch,
        "import sys, os, json, time; sys.stdin.readline(); "
        f"open({str(pid_path)!r}, 'w').write(str(os.getpid())); "
        "print(json.dumps({'progress': 0.5, 'text': 't'}), flush=True); time.sleep(600)",
    )

    def stop(text: str, fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_worker("x", {}, log_path=tmp_path / "log.txt", progress=stop)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_path.read_text()), 0)


@pytest.mark.parametrize(
    "how",
    [
        "worker._die_with_parent()",
        "threading.Thread(target=worker._die_at_end_of_input, daemon=True).start()",
    ],
    ids=["kernel", "end of input"],
)
def test_a_killed_parent_leaves_no_orphan(how: str) -> None:
    """Each of the two ways alone, in a worker that is busy."""
    child = (
        "import sys, threading, time\n"
        "from sightline.reconstruction import worker\n"
        f"{how}\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"worker = subprocess.Popen([sys.executable, '-c', {child!r}],\n"
            "    stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
            "worker.stdout.readline()\n"
            "print(worker.pid, flush=True)\n"
            "time.sleep(600)\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_row_count(tmp_path: Path) -> None:
    import sqlite3

    database = tmp_path / "a ?.db"
    count = RowCount(database, "matches", 4, "matching")
    assert count.fraction() == 0.0
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE matches (pair_id INTEGER)")
    assert count.fraction() == 0.0
    connection.executemany("INSERT INTO matches VALUES (?)", [(i,) for i in range(3)])
    connection.commit()
    assert count.fraction() == 0.75
    connection.executemany("INSERT INTO matches VALUES (?)", [(i,) for i in range(3)])
    connection.commit()
    connection.close()
    assert count.fraction() == 1.0
