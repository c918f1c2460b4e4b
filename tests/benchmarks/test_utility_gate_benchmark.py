"""What the benchmark of the gate counts; and the gate's bounds on a small rendered floor."""

from pathlib import Path

import numpy as np
import pytest

from floor_place import FloorPlace
from sightline.media.distortions import parse_distortion
from sightline.records import PosedFrame, write_poses_csv
from sightline.tasks.utility.gate import load_gate
from sightline.tasks.utility.gate.measures import NAMES
from sightline.tasks.utility.localization import PosedPhotos
from utility_gate import Asked, ask_walk, row_of, rows_of

YES, NO = True, False


def test_a_row_counts_failures_on_both_sides() -> None:
    good = np.array([YES] * 8 + [NO] * 6)
    refused = np.array([YES] + [NO] * 7 + [YES] * 4 + [NO] * 2)
    row = row_of("gate", good, refused)
    assert (row["photos"], row["good"], row["refused"]) == (14, 8, 5)
    assert row["refused_fail"] == pytest.approx(4 / 5)
    assert row["passed_fail"] == pytest.approx(2 / 9)
    assert row["times"] == pytest.approx(3.6)
    assert row["good_refused"] == pytest.approx(1 / 8)


def test_shares_of_nothing_are_not_known() -> None:
    row = row_of("gate", np.array([NO, NO]), np.array([NO, NO]))
    assert (row["refused_fail"], row["times"], row["good_refused"]) == (None, None, None)
    assert row_of("gate", np.array([YES, NO]), np.array([NO, YES]))["times"] is None  # no failure


def test_baselines_refuse_no_more_good_photos_than_the_gate() -> None:
    rng = np.random.default_rng(0)
    gate = load_gate()
    measures = gate.arrays["mean"] + gate.arrays["spread"] * rng.normal(size=(300, len(NAMES)))
    kinds = np.array(["none", "blur", "jpeg"] * 100)
    asked = Asked(kinds, rng.random(300) < 0.6, measures.astype(np.float32), 1.0)
    rows = {row["method"]: row for row in rows_of(asked, gate, 0.5)}
    allowed = next(iter(rows.values()))["good_refused"]
    for name in ("sharpness alone", "blockiness alone"):
        assert rows[name]["good_refused"] == pytest.approx(allowed, abs=1 / asked.good.sum())
    assert [rows[f"gate, {kind} only"]["photos"] for kind in ("none", "blur", "jpeg")] == [100] * 3


@pytest.mark.slow
@pytest.mark.egl
def test_refused_photos_fail_and_good_ones_pass(floor: FloorPlace, tmp_path: Path) -> None:
    walk = tmp_path / "walk"
    (walk / "images").mkdir(parents=True)
    for path in floor.queries:
        (walk / "images" / path.name).write_bytes(path.read_bytes())
    poses = [floor.true_queries[i] for i in range(len(floor.queries))]
    named = zip(floor.queries, poses, strict=True)
    write_poses_csv(walk / "poses.csv", [PosedFrame(p.name, None, pose) for p, pose in named])
    levels = ("blur:1", "blur:3", "blur:6", "jpeg:1", "jpeg:5", "jpeg:20")
    added = [parse_distortion(level) for level in levels]
    asked = ask_walk(floor.place, PosedPhotos.of_walk(walk), added, tmp_path / "kept")
    row = rows_of(asked, load_gate(), 0.5)[0]
    assert row["photos"] == 7 * len(floor.queries)
    assert row["times"] is None or row["times"] >= 3.0, row
    assert row["refused_fail"] >= 0.8, row
    assert row["good_refused"] <= 0.05, row
