import csv

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.frames import PosedFrame
from sightline.records.paper_csv import PAPER_COLUMNS, paper_table, write_split_tables


def some_frames(count=12):
    rng = np.random.default_rng(0)
    poses = Pose(rng.normal(size=(count, 4)), rng.normal(size=(count, 3)) * 5)
    parts = ("train", "validation", "test")
    return [PosedFrame(f"{i:04d}.jpg", None, poses[i], parts[i % 3]) for i in range(count)]


def test_the_tables_hold_the_centre_and_colmaps_pose(tmp_path):
    frames = some_frames()
    frames[0] = frames[0].with_pose(None)
    write_split_tables(tmp_path, frames)
    seen = []
    for part in ("train", "validation", "test"):
        with (tmp_path / f"{part}.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert list(rows[0]) == list(PAPER_COLUMNS)
        for row in rows:
            frame = next(f for f in frames if f.image == row["image"])
            assert frame.split == part
            seen.append(frame.image)
            values = {k: float(v) for k, v in row.items() if k != "image"}
            centre = np.array([values[k] for k in "xyz"])
            cam_from_world = Rotation.from_quat([values[k] for k in ("qx", "qy", "qz", "qw")])
            t = np.array([values[k] for k in ("tx", "ty", "tz")])
            np.testing.assert_allclose(centre, frame.world_from_cam.translation, atol=1e-8)
            np.testing.assert_allclose(cam_from_world.apply(centre) + t, 0, atol=1e-7)
            # A point a metre ahead of the camera comes out a metre ahead.
            ahead = frame.world_from_cam.apply([0.0, 0.0, 1.0])
            np.testing.assert_allclose(cam_from_world.apply(ahead) + t, [0, 0, 1], atol=1e-7)
    assert sorted(seen) == [f.image for f in frames[1:]]


def test_parts_without_frames_get_a_header_and_frames_without_poses_raise(tmp_path):
    write_split_tables(tmp_path, [])
    assert (tmp_path / "test.csv").read_text() == ",".join(PAPER_COLUMNS) + "\n"
    with pytest.raises(InputError, match=r"a\.jpg"):
        paper_table([PosedFrame("a.jpg", None, None)])
