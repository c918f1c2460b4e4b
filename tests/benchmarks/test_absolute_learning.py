"""The benchmark of learning: its variants are trainings that can be, each changed in one thing."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import painted_box as box
from absolute_learning import (
    VARIANTS,
    Budget,
    chosen,
    config_of,
    in_views,
    main,
    oracle,
    row_of,
    with_all_frames,
)
from sightline.errors import InputError
from sightline.records import Place, PosedFrame, write_poses_csv
from sightline.records.cameras import set_cameras
from sightline.tasks.absolute.checkpoint import load_run
from sightline.tasks.absolute.config import scratch_config


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return box.write_place(tmp_path / "place", count=36)


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    folder, poses = tmp_path / "second", box.beside(box.walk(5))
    folder.mkdir()
    for i in range(5):
        Image.fromarray(box.picture(poses[i])).save(folder / f"{i}.png")
    frames = [PosedFrame(f"{i}.png", None, poses[i]) for i in range(5)]
    write_poses_csv(folder / "poses.csv", frames)
    return folder


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.parametrize("budget", [Budget(200, 0.0), Budget(0, 30.0)], ids=["passes", "seconds"])
def test_a_variant_changes_what_it_says(name: str, budget: Budget) -> None:
    variant = VARIANTS[name]
    config = config_of(variant, budget, 3, Path("/runs/other"))
    config.refuse_ignored()
    usual = dataclasses.asdict(scratch_config(variant.model, 1.0))
    now = dataclasses.asdict(config)
    length = {"epochs", "max_seconds", "validate_every", "seed"}
    changed = {key for key in now if now[key] != usual[key]} - length
    assert changed == set(variant.changes) | ({"weights"} if variant.starts else set())
    assert config.epochs == budget.passes * variant.times
    assert config.max_seconds == budget.seconds * variant.times
    assert config.seed == 3


def test_variants_are_all_different() -> None:
    tried = [
        (v.model, tuple(v.changes.items()), v.times, v.views, v.starts, v.all_frames)
        for v in VARIANTS.values()
    ]
    assert len(set(tried)) == len(tried)
    assert len({(v.model, v.what) for v in VARIANTS.values()}) == len(tried)


def test_what_starts_from_a_run_wants_one() -> None:
    assert "mapnet-start" not in chosen(None, None)
    assert set(chosen(None, Path("run"))) == set(VARIANTS)
    assert chosen(["scene", "mapnet"], None) == ["scene", "mapnet"]
    with pytest.raises(InputError, match="--start RUN is wanted for mapnet-start; add it"):
        chosen(["mapnet", "mapnet-start"], None)


def test_a_place_with_all_frames_has_more_to_learn_from(place: Place, tmp_path: Path) -> None:
    before = {f.image: f.split for f in place.frames()}
    for _ in range(2):  # made once, found again
        made = with_all_frames(place, tmp_path / "work")
        assert len(made.registered("train")) == 24
        assert len(made.registered("validation")) == 12
    assert {f.image: f.split for f in place.frames()} == before
    assert made.model_dir.is_dir()
    np.testing.assert_allclose(
        made.world_from_map.apply([1.0, 2, 3]), place.world_from_map.apply([1.0, 2, 3])
    )


def test_a_row_has_the_median_over_seeds_and_their_spread() -> None:
    measured = [{"median_m": m, "median_deg": 10 * m} for m in (0.5, 0.9, 0.6)]
    row = row_of("mapnet", measured)
    assert (row["median_m"], row["median_deg"], row["seeds"]) == (0.6, 6.0, 3)
    assert row["spread_m"] == pytest.approx(0.4)


def test_the_oracle_is_the_nearest_training_frame(place: Place, walk: Path) -> None:
    poses = box.beside(box.walk(5))
    training = [f.world_from_cam for f in place.registered("train")]
    gaps = [
        min(np.linalg.norm(t.translation - poses[i].translation) for t in training if t is not None)
        for i in range(5)
    ]
    assert oracle(place, walk)["median_m"] == pytest.approx(np.median(gaps))


@pytest.mark.slow
def test_variants_are_trained_and_put_in_a_table(
    place: Place, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    set_cameras(place, dict.fromkeys([f.image for f in place.frames()], box.CAMERA), [])
    work, out = tmp_path / "work", tmp_path / "out.json"
    names = ["posenet", "posenet-wide-shift", "scene"]
    command = ["absolute_learning.py", str(place.root), str(walk), "--passes", "2"]
    more = ["--work", str(work), "--out", str(out), "--variants", *names]
    monkeypatch.setattr(sys, "argv", [*command, *more])
    assert main() == 0
    said = capsys.readouterr().out
    assert all(VARIANTS[name].what in said for name in names)
    rows = {row["variant"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(rows) == ["nearest frame", *names]
    assert [rows[name]["passes"] for name in names] == [2, 2, 2]
    assert rows["posenet"]["images"] == 24
    runs = sorted((work / "runs").iterdir())
    assert len(runs) == 3
    # another start finds them
    before = [(run / "model.safetensors").stat().st_mtime_ns for run in runs]
    assert main() == 0
    assert [(run / "model.safetensors").stat().st_mtime_ns for run in runs] == before
    (posenet, *_) = [run for run in runs if run.name.startswith("posenet")]
    found = in_views(load_run(posenet), place, walk, 3)
    assert found["frames"] == 5
