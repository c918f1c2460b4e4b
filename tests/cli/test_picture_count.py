"""The count of pictures on a terminal's last row."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sightline.cli.progress import PictureCount


def test_a_person_sees_one_row_that_gives_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    count = PictureCount(1200)
    count.add(Path("a.jpg"), good=True)
    count.add(Path("walk.mp4"), good=True)
    count.add(Path("walk.mp4"), good=False)
    count.clear()
    said = capsys.readouterr().err
    assert (count.done, count.failed) == (2, 1)
    assert "\n" not in said
    rows = said.split("\r\033[K")
    assert rows[-1] == ""
    assert rows[1].startswith("1 of 1,200 files, ")
    assert rows[3].startswith("2 of 1,200 files, ")
    assert rows[3].endswith(" images/s, 1 failed")


def test_a_log_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    count = PictureCount(2)
    count.add(Path("a.jpg"), good=True)
    count.clear()
    assert capsys.readouterr().err == ""
    assert count.done == 1
