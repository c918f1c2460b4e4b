"""TUM trajectories: order of the quaternion, round trips, association."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records.tum import associate, read_tum, write_tum


def test_a_line_is_time_centre_xyzw(tmp_path):
    (tmp_path / "t.txt").write_text("# comment\n\n1305031098.6659 1 2 3 0 0 0.6 -0.8\r\n")
    stamps, poses = read_tum(tmp_path / "t.txt")
    np.testing.assert_array_equal(stamps, [1305031098.6659])
    np.testing.assert_array_equal(poses.translation, [[1, 2, 3]])
    expected = Rotation.from_quat([0, 0, 0.6, -0.8]).as_matrix()
    np.testing.assert_allclose(poses.rotation_matrix[0], expected, atol=1e-15)
    assert poses.q_wxyz[0, 0] > 0


def test_round_trip_keeps_centres_and_camera_to_world(tmp_path):
    """PITFALLS 2: what comes back is the centre, not the translation of cam_from_world."""
    rng = np.random.default_rng(0)
    poses = Pose(rng.normal(size=(50, 4)), 10 * rng.normal(size=(50, 3)))
    stamps = 1.3e9 + np.arange(50) / 29.97
    write_tum(tmp_path / "t.txt", stamps, poses)
    back_s, back = read_tum(tmp_path / "t.txt")
    np.testing.assert_allclose(back_s, stamps, atol=1e-6)
    np.testing.assert_allclose(back.translation, poses.translation, atol=6e-10)
    assert rotation_angle(back.q_wxyz, poses.q_wxyz).max() < 5e-9
    assert np.abs(back.translation - poses.inverse().translation).max() > 1
    first = (tmp_path / "t.txt").read_bytes()
    write_tum(tmp_path / "t.txt", back_s, back)
    assert (tmp_path / "t.txt").read_bytes() == first


def test_writing_wants_a_time_for_each_pose(tmp_path):
    with pytest.raises(GeometryError, match="one timestamp for each pose"):
        write_tum(tmp_path / "t.txt", [0.0], Pose.identity((2,)))
    assert not (tmp_path / "t.txt").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# only comments\n", "holds no pose"),
        ("0 0 0 0 0 0 0 1\n1 2 3\n", "line 2: eight numbers"),
        ("0 0 0 0 0 0 0 one\n", "line 1: .*could not convert"),
        ("0 0 0 0 0 0 0 nan\n", "line 1: eight numbers"),
        ("0,0,0,0,0,0,0,1\n", "line 1: .*could not convert"),
        ("0 0 0 0 0 0 0 0\n", "line 1: a unit quaternion .* norm 0 came"),
        ("0 1 0 0 0 5 0 0\n", "line 1: a unit quaternion .* norm 5 came"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, message):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_tum(tmp_path / "t.txt")
    assert "\n" not in str(caught.value)


def test_files_that_are_missing_or_no_text_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_tum(tmp_path / "t.txt")
    (tmp_path / "t.txt").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="UTF-8"):
        read_tum(tmp_path / "t.txt")


def test_association_takes_the_closest_first_and_each_once():
    pairs = associate([0.0, 1.0, 2.0, 3.0], [0.015, 0.99, 1.004, 2.021, 2.98])
    np.testing.assert_array_equal(pairs, [[0, 0], [1, 2], [3, 4]])
    # 1.00 is nearest to both 0.99 and 1.015; it goes to 0.99, and 1.015 takes 1.03.
    np.testing.assert_array_equal(associate([1.015, 0.99], [1.0, 1.03]), [[1, 0], [0, 1]])


def test_association_at_the_limit_and_of_nothing():
    start = 1305031102.16
    assert len(associate([start], [start + 0.02])) == 1
    assert len(associate([start], [start + 0.0201])) == 0
    assert associate([], [1.0]).shape == associate([1.0], []).shape == (0, 2)


times = st.lists(st.integers(0, 300), max_size=25).map(lambda v: np.array(v, dtype=float) / 100)


@given(times, times)
def test_association_is_one_to_one_within_the_gap_and_leaves_no_pair_behind(a, b):
    pairs = associate(a, b, 0.02)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert (np.abs(a[pairs[:, 0]] - b[pairs[:, 1]]) < 0.02 + 1e-9).all()
    left_a, left_b = np.delete(a, pairs[:, 0]), np.delete(b, pairs[:, 1])
    assert (np.abs(left_a[:, None] - left_b[None]) > 0.02 - 1e-9).all()
    assert (np.diff(a[pairs[:, 0]]) >= 0).all()
