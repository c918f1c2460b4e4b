"""Which images of a posed set make pairs."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.datasets.pairing import (
    PairingConfig,
    PosedView,
    common_depth,
    pairs_of_frames,
    shared_points,
)
from sightline.errors import InputError
from sightline.geometry import Camera, Pose

CAMERA = Camera("PINHOLE", 100, 80, (90.0, 90.0, 49.5, 39.5))


def ring(count=12, radius=5.0):
    """Cameras on a circle around the origin, looking at it."""
    angles = 2 * np.pi * np.arange(count) / count
    rotation = Rotation.from_euler("y", angles[:, None])
    centres = -radius * rotation.as_matrix()[:, :, 2]
    return Pose.from_rotation(rotation, centres)


def drive(count=8):
    """A drive straight on, shaking by a degree."""
    shake = np.deg2rad(np.random.default_rng(0).uniform(-1, 1, (count, 3)))
    z = np.arange(count, dtype=float)
    return Pose.from_rotation(Rotation.from_rotvec(shake), np.stack([0 * z, 0 * z, z], axis=1))


def views(poses, **extra):
    return [
        PosedView(Path(f"{n}.jpg"), poses[n], CAMERA, **{k: v[n] for k, v in extra.items()})
        for n in range(len(poses))
    ]


def indices(pairs):
    return [(int(p.image_a.stem), int(p.image_b.stem)) for p in pairs]


def test_the_pose_takes_points_of_a_into_b():
    poses = ring()
    pairs, _ = pairs_of_frames(views(poses), PairingConfig("all"))
    world = np.array([[0.3, -0.2, 0.4], [1.0, 2.0, 3.0]])
    assert len(pairs) == 66
    for pair, (i, j) in zip(pairs, indices(pairs), strict=True):
        in_a, in_b = poses[i].inverse().apply(world), poses[j].inverse().apply(world)
        np.testing.assert_allclose(pair.b_from_a.apply(in_a), in_b, atol=1e-12)


def test_auto_takes_neighbours_of_a_ring_by_their_frusta():
    pairs, words = pairs_of_frames(views(ring()))
    assert "views that meet between depths of 3 and 8" in words
    assert "60 degrees or less" in words
    steps = {min((j - i) % 12, (i - j) % 12) for i, j in indices(pairs)}
    assert steps == {1, 2}  # 30 and 60 degrees
    assert all(0.3 <= p.overlap <= 1 for p in pairs)
    near = np.mean([p.overlap for p in pairs if indices([p])[0] in {(0, 1), (4, 5)}])
    far = np.mean([p.overlap for p in pairs if indices([p])[0] in {(0, 2), (4, 6)}])
    assert near > far


def test_auto_takes_a_drive_one_after_the_other():
    pairs, words = pairs_of_frames(views(drive()))
    assert words == "one image and the next"
    assert indices(pairs) == [(n, n + 1) for n in range(7)]
    assert all(p.overlap is None for p in pairs)


def test_a_larger_step():
    pairs, words = pairs_of_frames(views(drive()), PairingConfig("consecutive", step=3))
    assert indices(pairs) == [(n, n + 3) for n in range(5)]
    assert words == "images 3 frames apart"


def test_a_pause_ends_a_run():
    times = [0.0, 0.1, 0.2, 0.3, 10.0, 10.1, 10.2, 10.3]
    pairs, _ = pairs_of_frames(views(drive(), time_s=times))
    assert indices(pairs) == [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7)]
    pairs, _ = pairs_of_frames(views(drive(), time_s=times), PairingConfig("consecutive", step=2))
    assert indices(pairs) == [(0, 2), (1, 3), (4, 6), (5, 7)]


def test_shared_points_count_once_and_never_minus_one():
    ids = [np.array([1, 2, 2, -1, 7]), np.array([2, 7, 9, -1]), np.array([30, 31]), np.array([-1])]
    index, shared, counts = shared_points(views(drive(4), point_ids=ids))
    assert index.tolist() == [[0, 1]]
    assert shared.tolist() == [2]
    assert counts.tolist() == [3, 3, 2, 0]


def test_pairs_by_points_and_their_overlap():
    ids = [np.arange(10), np.arange(5, 25), np.arange(24, 30), np.arange(0, 1)]
    pairs, words = pairs_of_frames(views(drive(4), point_ids=ids))
    # 0 and 1 share 5 of 10 and of 20; 1 and 2 one of 20; 0 and 3 one of 10.
    assert indices(pairs) == [(0, 1), (0, 3)]
    assert [p.overlap for p in pairs] == [pytest.approx(0.25), pytest.approx(0.1)]
    assert words == "sharing 10% of their 3D points or more"
    everything = PairingConfig("points", min_overlap=0.0)
    pairs, _ = pairs_of_frames(views(drive(4), point_ids=ids), everything)
    assert indices(pairs) == [(0, 1), (0, 3), (1, 2)]


def test_shared_points_against_sets():
    rng = np.random.default_rng(5)
    ids = [rng.integers(-1, 60, rng.integers(1, 40)) for _ in range(15)]
    index, shared, _ = shared_points(views(drive(15), point_ids=ids))
    sets = [set(row.tolist()) - {-1} for row in ids]
    expected = {
        (i, j): len(sets[i] & sets[j])
        for i in range(15)
        for j in range(i + 1, 15)
        if sets[i] & sets[j]
    }
    assert {tuple(k): int(n) for k, n in zip(index.tolist(), shared, strict=True)} == expected
    assert [tuple(k) for k in index.tolist()] == sorted(expected)


def test_both_members_are_of_one_scene_and_one_split():
    """PITFALLS 11."""
    split = ["train"] * 5 + ["test"] * 4 + ["train"] * 3
    scene = ["x"] * 10 + ["y"] * 2
    pairs, _ = pairs_of_frames(views(ring(), split=split, scene=scene), PairingConfig("all"))
    of = dict(enumerate(zip(scene, split, strict=True)))
    assert all(of[i] == of[j] for i, j in indices(pairs))
    assert all((p.scene, p.split) == of[i] for p, (i, _) in zip(pairs, indices(pairs), strict=True))
    assert len(pairs) == 15 + 6 + 1  # six of x in train, four of x in test, two of y


def test_the_largest_angle():
    pairs, words = pairs_of_frames(views(ring()), PairingConfig("all", max_angle_deg=31))
    assert {min((j - i) % 12, (i - j) % 12) for i, j in indices(pairs)} == {1}
    assert "31 degrees or less" in words


def test_given_planes_are_the_criterion():
    """Frusta of a ring that end before its middle meet their neighbours' only."""
    config = PairingConfig("frustum", near=0.5, far=2.4)
    pairs, words = pairs_of_frames(views(ring()), config)
    assert "degrees" not in words
    # Each is 2.4 deep and 1.33 aside there; the chord between neighbours' far planes decides.
    steps = {min((j - i) % 12, (i - j) % 12) for i, j in indices(pairs)}
    assert steps == {1}
    pairs, _ = pairs_of_frames(views(ring()), PairingConfig(near=4.9, far=5.1))
    assert len(pairs) == 66  # all see the middle; auto takes planes that are given


def test_common_depth():
    np.testing.assert_allclose(common_depth(ring()), 5.0)
    assert common_depth(drive()) is None
    away = ring()
    outwards = Pose.from_rotation(away.rotation * Rotation.from_euler("y", np.pi), away.translation)
    assert common_depth(outwards) is None  # the axes meet behind the cameras


def test_what_cannot_be_paired_says_so():
    with pytest.raises(InputError, match="near and far are wanted"):
        pairs_of_frames(views(drive()), PairingConfig("frustum"))
    with pytest.raises(InputError, match="3D points are wanted"):
        pairs_of_frames(views(drive()), PairingConfig("points"))
    with pytest.raises(InputError, match="1 images give none"):
        pairs_of_frames(views(drive(1)))
    with pytest.raises(InputError, match=r"12 images give none.*50% or more"):
        pairs_of_frames(views(ring()), PairingConfig("frustum", min_overlap=0.5, max_angle_deg=1))
    blind = [PosedView(Path(f"{n}.jpg"), ring()[n]) for n in range(3)]
    with pytest.raises(InputError, match="intrinsics are wanted"):
        pairs_of_frames(blind, PairingConfig("frustum", near=1, far=2))


def test_an_assumed_camera_makes_frusta_and_is_never_told():
    blind = [PosedView(Path(f"{n}.jpg"), ring()[n], assumed_camera=CAMERA) for n in range(12)]
    pairs, _ = pairs_of_frames(blind)
    assert indices(pairs) == indices(pairs_of_frames(views(ring()))[0])
    assert all(p.camera_a is None and p.camera_b is None for p in pairs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "nearest"}, "auto, points, frustum"),
        ({"step": 0}, "step of 1"),
        ({"near": 1.0}, "both near and far"),
        ({"near": 2.0, "far": 1.0}, "near < far"),
        ({"min_overlap": 1.5}, r"\[0, 1\]"),
        ({"max_angle_deg": 0.0}, "largest angle"),
    ],
)
def test_a_config_that_makes_no_sense(values, message):
    with pytest.raises(InputError, match=message):
        PairingConfig(**values)
