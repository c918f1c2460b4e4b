"""``sightline label``, as a user meets it."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.catalog import Catalog
from sightline.cli import main as cli
from sightline.cli.commands import label
from sightline.records.utility_files import read_labels

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "help" / "label-utility.txt"

#: A classifier as users write one: the strongest colour, as sure as the picture is wide.
MODULE = """
import numpy as np

def colours(images):
    rows = []
    for image in images:
        sure = 0.98 if image.shape[1] > 20 else 0.02
        row = np.full(3, (1 - sure) / 2)
        row[image.reshape(-1, 3).mean(axis=0).argmax()] = sure
        rows.append(row)
    return np.array(rows)

colours.categories = ("red", "green", "blue")
"""


@pytest.fixture(autouse=True)
def _utility(monkeypatch):
    tasks = Catalog(
        "task",
        [("utility", "sightline.tasks.utility:TASK"), ("depth", "sightline.tasks.depth:TASK")],
    )
    monkeypatch.setattr(label, "TASKS", tasks)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def images(tmp_path, monkeypatch):
    (tmp_path / "my_machines.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_machines", raising=False)
    for k in range(9):
        name = ("red", "green", "blue")[k % 3]
        (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        picture = np.full((32, 32, 3), 30 + k, np.uint8)
        picture[..., k % 3] = 200
        Image.fromarray(picture).save(tmp_path / "images" / name / f"{k}.png")
    return tmp_path / "images"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["label", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_help_is_as_recorded(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["label", "utility", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    if os.environ.get("SIGHTLINE_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_labels_are_counted_in_tables(images, capsys):
    flags = ("--models", "my_machines:colours", "--qualities", "90", "--distort", "downscale:2")
    code, out, err = run(capsys, "utility", str(images), *flags, "--no-balance")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines() if line]
    assert lines[2] == ["my_machines.colours", "9", "9", "0", "0", "0", "18"]
    assert ["combined", "9", "9", "0", "0", "0", "18"] in lines
    assert ["jpeg:90", "9", "0", "0", "100.0%"] in lines
    assert ["downscale:2", "0", "9", "0", "0.0%"] in lines
    folder = images / "runs" / "labels-classification"
    assert lines[-1] == ["labels:", str(folder)]
    assert len(read_labels(folder)) == 18


def test_what_is_skipped_is_named(images, capsys):
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cut = images / "red" / "cut.jpg"
    Image.fromarray(noisy).save(cut)
    cut.write_bytes(cut.read_bytes()[:900])
    flags = ("--models", "my_machines:colours", "--distort", "downscale:2", "--no-balance")
    code, _, err = run(capsys, "utility", str(images), *flags)
    assert code == 0
    named = [line for line in err.splitlines() if "cut.jpg" in line]
    assert len(named) == 1
    assert named[0].startswith("note: skipped: ")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "machines that know what images shows are wanted: pass --models NAME,NAME"),
        (("--models", "vgg1"), "no classifier 'vgg1'; near: "),
        (("--qualities", "101"), "jpeg: a whole number from 1 to 100 is wanted, 101 came"),
        (("--high", "2"), "high = 2.0 is out of range"),
    ],
)
def test_errors_are_one_line(images, capsys, flags, message):
    code, out, err = run(capsys, "utility", str(images), *flags)
    assert code == 2
    assert out == ""
    assert err.splitlines()[-1].startswith(f"error: {message}")
    assert not (images / "runs").exists()


def test_a_task_without_labels_is_refused(capsys):
    code, _, err = run(capsys, "depth", "images")
    assert code == 2
    assert err == "error: a task of utility is wanted, depth has no labels of its own\n"
    assert run(capsys)[0] == 2
