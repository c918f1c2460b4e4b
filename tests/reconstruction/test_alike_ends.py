"""Rendered corridors: one that comes back closes, one whose end merely looks alike is not glued."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.geometry import Pose
from sightline.geometry.trajectory import absolute_trajectory_error, seam_gap
from sightline.reconstruction import loops
from sightline.reconstruction.config import LOOP_GAP, ReconstructionConfig
from sightline.reconstruction.loops import close_loops
from sightline.reconstruction.pipeline import reconstruct
from sightline.records import Place, PosedFrame
from sightline.records.colmap import read_model
from sightline.worlds.passage import (
    PassageConfig,
    alike_config,
    passage_walk,
    photograph_walk,
    round_config,
)

pytestmark = [pytest.mark.egl, pytest.mark.slow]


def mapped(root: Path, config: PassageConfig, walk: Pose) -> Place:
    """Return the place of a walk, mapped without closing loops."""
    place = Place.create(root, source="rendered")
    photograph_walk(place.images_dir, config, walk)
    names = sorted(path.name for path in place.images_dir.iterdir())
    place.write_frames([PosedFrame(name, i / 5, None) for i, name in enumerate(names)])
    reconstruct(place, ReconstructionConfig(quality="low", loop_closing=False, threads=2))
    return place


def closed(place: Place, folder: Path) -> tuple[dict, Path]:
    """Return what loop closing said, and the model it wrote."""
    database, output = folder / "scratch.db", folder / "closed"
    shutil.copyfile(place.database_path, database)
    told = close_loops(
        {
            "database": str(database),
            "model": str(place.model_dir),
            "output": str(output),
            "names": [frame.image for frame in place.frames()],
            "refine_intrinsics": True,
            "max_error_px": 2.0,
            "threads": 2,
            "seed": 0,
        },
        lambda text, fraction: None,
    )
    return told, output


def poses_of(model_dir: Path, walk: Pose) -> tuple[Pose, Pose]:
    """Return the registered frames' poses and the true ones."""
    frames = read_model(model_dir).frames
    rows = np.array([int(Path(name).stem) for name in frames])
    return Pose.stack([f.world_from_cam for f in frames.values()]), walk[rows]


def test_a_corridor_that_comes_back_closes(tmp_path: Path) -> None:
    config = round_config(5.0, 4.0)
    walk = passage_walk(config, rounds=1.2)
    place = mapped(tmp_path / "place", config, walk)
    told, output = closed(place, tmp_path)
    assert told["closed"], told["reason"]
    estimated, true = poses_of(output, walk)
    assert len(estimated) == len(walk)
    # Measured: see docs/maps.md.
    assert seam_gap(estimated, true, reach=0.5, apart=LOOP_GAP).median <= 0.05


def test_ends_that_merely_look_alike_are_not_glued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk comes back 1.7 m beside its start; only there, drift is allowed to explain that."""
    monkeypatch.setattr(loops, "DRIFT_SHARE", 0.1)
    config = alike_config(8.0, 5.0, 1.7)
    walk = passage_walk(config)
    place = mapped(tmp_path / "place", config, walk)
    told, output = closed(place, tmp_path)
    tempting = [
        row for row in told["candidates"] if row["inliers"] >= 20 or "beside" in row["reason"]
    ]
    assert len(tempting) >= 5
    assert not told["closed"]
    before, after = (
        absolute_trajectory_error(*poses_of(folder, walk)).rmse
        for folder in (place.model_dir, output)
    )
    assert after == pytest.approx(before)
    assert before < 0.5
