"""render, train, evaluate and reproduce for relative pose, as a shell sees them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from sightline.cli.main import main
from sightline.records.pairs import read_pair_set

pytestmark = [pytest.mark.egl, pytest.mark.slow]

ROOMS = [
    "--rooms", "6", "--views-per-room", "6", "--pairs-per-room", "8", "--image-width", "161",
    "--image-height", "121", "--min-overlap", "0.1", "--validation-share", "0.34",
    "--test-share", "0.33", "--seed", "3",
]  # fmt: skip
TRAIN = [
    "--model", "siamese", "--short-side", "48", "--train-size", "48", "--test-size", "48",
    "--batch", "8", "--epochs", "1", "--learning-rate", "1e-3", "--name", "tiny",
]  # fmt: skip


def shell(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capfd.readouterr()
    code = main([str(a) for a in arguments])
    captured = capfd.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shell") / "rooms"
    assert main(["render", "rooms", str(root), *ROOMS]) == 0
    return root


@pytest.fixture(scope="module")
def run_dir(rooms: Path) -> Path:
    assert main(["train", "relative", str(rooms), *TRAIN]) == 0
    return rooms / "runs" / "tiny"


def test_render_again_keeps_what_is_there(rooms: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {p: p.stat().st_mtime_ns for p in rooms.rglob("*.jpg")}
    assert len(before) == 36
    code, out, _ = shell(capfd, "render", "rooms", rooms, *ROOMS)
    assert code == 0
    assert str(rooms) in out
    assert {p: p.stat().st_mtime_ns for p in rooms.rglob("*.jpg")} == before
    code, _, err = shell(capfd, "render", "rooms", rooms, *ROOMS[:-1], "4")
    assert code == 2
    assert len(err.splitlines()) == 1


def test_a_run_is_scored_on_its_test_part(
    rooms: Path, run_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = shell(capfd, "evaluate", "relative", run_dir)
    assert code == 0
    for name in ("siamese (tiny)", "constant", "same pose"):
        assert name in out
    with (run_dir / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    test = {
        (p.image_a.as_posix(), p.image_b.as_posix())
        for p in read_pair_set(rooms).part("test").pairs
    }
    assert {(row["image_a"], row["image_b"]) for row in rows} == test


def test_methods_side_by_side_and_again_from_what_was_saved(
    rooms: Path, run_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [
        "evaluate", "relative", run_dir, rooms, "--methods", "sift", "orb+opencv",
        "--size", "equal", "--max-pairs", "6", "--out", tmp_path / "out", "--json",
    ]  # fmt: skip
    code, out, _ = shell(capfd, *command)
    assert code == 0
    metrics = json.loads(out)
    (table,) = metrics["sets"].values()
    assert table["pairs"] == 6
    assert len(table["methods"]) == 5  # the run, two classical, two baselines
    again = json.loads(shell(capfd, *command)[1])
    (table_again,) = again["sets"].values()
    for name, scores in table["methods"].items():
        # the time it took, too: nothing was computed anew
        assert table_again["methods"][name]["mean_seconds"] == scores["mean_seconds"]
        assert table_again["methods"][name]["auc"] == pytest.approx(scores["auc"], abs=1e-9)
    assert list((tmp_path / "out" / "plots").glob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "relative"], "a run folder or image pairs are wanted"),
        (["evaluate", "relative", "{rooms}", "--methods", "swift"], "'swift'"),
        (["evaluate", "relative", "{rooms}", "--methods", "sift", "--size", "big"], "big"),
        (["evaluate", "relative", "{tmp}"], "nothing in it"),
        (["train", "relative", "{tmp}"], "nothing in it"),
        (["train", "relative", "{rooms}", "--model", "siamese", "--name", "tiny"], "another"),
        (["reproduce", "002", "{tmp}"], "nothing in it"),
        (["render", "castle", "{tmp}/c"], "no world is named 'castle'"),
    ],
)
def test_clear_errors(
    rooms: Path,
    run_dir: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    code, _, err = shell(capfd, *(a.format(rooms=rooms, tmp=tmp_path) for a in arguments))
    assert code == 2
    lines = [line for line in err.splitlines() if not line.startswith("[")]
    assert len(lines) == 1
    assert says in lines[0]
    assert (run_dir / "model.safetensors").is_file()
