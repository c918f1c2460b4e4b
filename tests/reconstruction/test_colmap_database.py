"""COLMAP's database while another process reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sightline.reconstruction.database import open_database

HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("CREATE TABLE IF NOT EXISTS held (x)")
print("held", flush=True)
time.sleep(0.7)
"""


def test_a_database_that_is_locked_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    path = str(tmp_path / "database.db")
    pycolmap.Database.open(path).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises((RuntimeError, ValueError), match="factory"):
            pycolmap.Database.open(path)  # what COLMAP does alone
        with open_database(path) as database:
            assert database.num_images() == 0


def test_what_is_no_database_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.reconstruction.database._PAUSE_S", 0.0)
    path = tmp_path / "database.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises((RuntimeError, ValueError), match="factory"):
        open_database(str(path))
