"""7-Scenes pose files."""

import numpy as np
import pytest

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records.seven_scenes import read_pose_txt, write_pose_txt


def test_the_matrix_is_camera_to_world(tmp_path):
    """In the dataset's own spelling: tabs, spaces, three-digit exponents."""
    (tmp_path / "p.txt").write_text(
        " 0.0000000e+000\t 0.0000000e+000\t 1.0000000e+000\t 1.5000000e+000\t\r\n"
        "-1.0000000e+000\t 0.0000000e+000\t 0.0000000e+000\t-2.0000000e+000\t\r\n"
        " 0.0000000e+000\t-1.0000000e+000\t 0.0000000e+000\t 3.0000000e-001\t\r\n"
        " 0.0000000e+000\t 0.0000000e+000\t 0.0000000e+000\t 1.0000000e+000\t\r\n"
    )
    world_from_cam = read_pose_txt(tmp_path / "p.txt")
    np.testing.assert_array_equal(world_from_cam.translation, [1.5, -2, 0.3])
    # One metre in front of the camera lies one metre along the world's +x.
    np.testing.assert_allclose(world_from_cam.apply([0, 0, 1]), [2.5, -2, 0.3], atol=1e-15)


def test_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(20):
        pose = Pose(rng.normal(size=4), rng.normal(size=3))
        write_pose_txt(tmp_path / "p.txt", pose)
        back = read_pose_txt(tmp_path / "p.txt")
        assert rotation_angle(back.q_wxyz, pose.q_wxyz) < 5e-9
        np.testing.assert_allclose(back.translation, pose.translation, rtol=1e-9)
        np.testing.assert_allclose(np.loadtxt(tmp_path / "p.txt"), pose.matrix, atol=1e-9)


def test_a_lost_frame_has_no_pose(tmp_path):
    (tmp_path / "p.txt").write_text("\n".join(["nan nan nan -inf"] * 4))
    assert read_pose_txt(tmp_path / "p.txt") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a 4x4 matrix is wanted"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", r"shape \(3, 4\) came"),
        ("1 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "a 4x4 matrix is wanted"),
        ("1 0 0 x\n0 1 0 0\n0 0 1 0\n0 0 0 1", "a 4x4 matrix is wanted"),
        ("1 0 0 0\n0 1 0 0\n0 0 -1 0\n0 0 0 1", "reflection"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n2 3 4 1", "transposed"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    (tmp_path / "p.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_pose_txt(tmp_path / "p.txt")
    assert str(tmp_path / "p.txt") in str(caught.value)


def test_missing_files_and_batches_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_pose_txt(tmp_path / "p.txt")
    with pytest.raises(GeometryError, match="one pose"):
        write_pose_txt(tmp_path / "p.txt", Pose.identity((2,)))
