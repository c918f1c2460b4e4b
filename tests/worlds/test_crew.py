"""Rendering by several processes: what is done where one of them crashes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from sightline.errors import RenderError
from sightline.worlds.crew import Job, render_all

MODULE = """
import os
from dataclasses import dataclass
from pathlib import Path

@dataclass(frozen=True)
class Config:
    crashes: int

def draw(folder, config, index):
    if index == 3:
        tries = len(list(folder.glob("try-*")))
        (folder / f"try-{tries}").touch()
        if tries < config.crashes:
            os._exit(139)
    with open(folder / f"part-{index}", "x") as file:
        file.write(str(os.getpid()))
"""


@dataclass(frozen=True)
class Drawing:
    """A folder, and what renders into it."""

    folder: Path

    def run(self, crashes: int) -> list[float]:
        module = import_module("crashing_world")
        job = Job(module.draw, self.folder, module.Config(crashes), "scene")
        shares: list[float] = []
        render_all(job, list(range(8)), 8, shares.append, 2)
        return shares

    @property
    def parts(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("part-*"))


@pytest.fixture
def drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drawing:
    (tmp_path / "crashing_world.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    folder = tmp_path / "out"
    folder.mkdir()
    return Drawing(folder)


def test_a_process_that_crashes_is_replaced_and_nothing_is_missing(drawing: Drawing) -> None:
    shares = drawing.run(crashes=1)
    assert drawing.parts == [f"part-{index}" for index in range(8)]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0


def test_a_part_on_which_two_processes_crash_is_an_error(drawing: Drawing) -> None:
    with pytest.raises(RenderError, match=r"scene 3 is wanted, two processes .* run again"):
        drawing.run(crashes=2)
    assert "part-3" not in drawing.parts
