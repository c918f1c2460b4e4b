"""View frusta against linear programming, point sampling and hand-made cases."""

import time

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Camera, Pose
from sightline.geometry.frustum import (
    Frusta,
    all_pairs,
    frusta_intersect,
    frustum_overlap,
    view_frusta,
)

#: 90 degrees across and down, so that the frustum's sides have slope 1.
SQUARE = Camera("SIMPLE_PINHOLE", 100, 100, (50.0, 49.5, 49.5))
#: Of random rigs, far from the origin.
MIDDLE = np.array([500.0, -300.0, 20.0])


def looking(centres, angles_deg):
    """Cameras at ``centres``, turned about the y axis (from z towards x)."""
    rotation = Rotation.from_euler("y", np.reshape(angles_deg, (-1, 1)), degrees=True)
    return Pose.from_rotation(rotation, np.array(centres, dtype=float))


def random_rig(count, seed):
    rng = np.random.default_rng(seed)
    pose = Pose.from_rotation(
        Rotation.random(count, rng=rng), rng.uniform(-2, 2, (count, 3)) + MIDDLE
    )
    cameras = [
        Camera("PINHOLE", 60, 40, (f, 0.9 * f, rng.uniform(20, 40), rng.uniform(10, 30)))
        for f in rng.uniform(30, 120, count)
    ]
    near = rng.uniform(0.2, 1.0, count)
    return cameras, pose, near, near + rng.uniform(1.0, 4.0, count)


def half_spaces(camera, pose, near, far):
    """(6, 3) and (6,): a point x of the world is inside where A x <= b; made of the projection."""
    left, top = -0.5 - camera.cx, -0.5 - camera.cy
    right, bottom = camera.width - 0.5 - camera.cx, camera.height - 0.5 - camera.cy
    rows = np.array(
        [
            [-camera.fx, 0, left],  # fx x >= left z
            [camera.fx, 0, -right],
            [0, -camera.fy, top],
            [0, camera.fy, -bottom],
            [0, 0, -1],
            [0, 0, 1],
        ]
    )
    limits = np.array([0, 0, 0, 0, -near, far])
    world = rows @ pose.rotation_matrix.T
    return world, limits + world @ pose.translation


def test_corners_project_onto_the_images_corners():
    cameras, pose, near, far = random_rig(4, 0)
    frusta = view_frusta(cameras, pose, near, far)
    for n, camera in enumerate(cameras):
        local = pose[n].inverse().apply(frusta.corners[n])
        np.testing.assert_allclose(local[:4, 2], near[n])
        np.testing.assert_allclose(local[4:, 2], far[n])
        w, h = camera.width - 0.5, camera.height - 0.5
        expected = [(-0.5, -0.5), (w, -0.5), (w, h), (-0.5, h)] * 2
        np.testing.assert_allclose(camera.project(local), expected, atol=1e-9)


def test_agrees_with_linear_programming_on_random_rigs():
    cameras, pose, near, far = random_rig(40, 1)
    answer = frusta_intersect(view_frusta(cameras, pose, near, far))
    sides = [half_spaces(c, pose[n], near[n], far[n]) for n, c in enumerate(cameras)]
    expected = []
    for i, j in all_pairs(40):
        a, b = (np.concatenate(both) for both in zip(sides[i], sides[j], strict=True))
        solved = linprog(np.zeros(3), a, b, bounds=(None, None), method="highs")
        expected.append(solved.status == 0)
    assert 100 < sum(expected) < 700  # both answers are asked for
    np.testing.assert_array_equal(answer, expected)


def test_frusta_that_share_a_sampled_point_intersect():
    cameras, pose, near, far = random_rig(25, 2)
    answer = frusta_intersect(view_frusta(cameras, pose, near, far))
    points = np.random.default_rng(3).uniform(-5, 5, (60_000, 3)) + MIDDLE
    inside = np.array(
        [
            (points @ a.T <= b).all(axis=1)
            for a, b in (half_spaces(c, pose[n], near[n], far[n]) for n, c in enumerate(cameras))
        ]
    )
    shared = np.array([(inside[i] & inside[j]).any() for i, j in all_pairs(25)])
    assert shared.sum() > 20
    assert answer[shared].all()


@pytest.mark.parametrize(
    ("centres", "angles", "meets"),
    [
        ([(0, 0, 0), (0, 0, 0)], [0, 0], True),  # the same camera
        ([(0, 0, 0), (0, 0, 0)], [0, 180], False),  # back to back
        ([(0, 0, 0), (0, 0, 6)], [0, 180], False),  # face to face, too far apart
        ([(0, 0, 0), (0, 0, 3.9)], [0, 180], True),
        ([(0, 0, 0), (0, 0, 4.1)], [0, 180], False),
        # Side by side: at depth 2 each reaches 2 aside, so they meet up to 4 apart.
        ([(0, 0, 0), (3.9, 0, 0)], [0, 0], True),
        ([(0, 0, 0), (4.1, 0, 0)], [0, 0], False),
        # One view crosses the other without holding a corner of it.
        ([(0, 0, 0), (-1.5, 0, 1.5)], [0, 90], True),
    ],
)
def test_by_hand(centres, angles, meets):
    frusta = view_frusta([SQUARE, SQUARE], looking(centres, angles), 1.0, 2.0)
    assert frusta_intersect(frusta).tolist() == [meets]
    assert frusta_intersect(frusta, [[1, 0]]).tolist() == [meets]


@pytest.mark.parametrize(("gap", "meets"), [(0.27, True), (0.30, False)])
def test_edges_alone_can_separate(gap, meets):
    """Two beams that cross, one above the other, each standing on its edge.

    Where they cross, 10 from both cameras, each reaches 0.1 * sqrt(2) up and down from its axis.
    No face is level, so that no face's normal tells them apart: only the edges' cross product.
    """
    thin = Camera("SIMPLE_PINHOLE", 100, 100, (5000.0, 49.5, 49.5))
    # Intrinsic order: first the way it looks, then the roll around that.
    turn = Rotation.from_euler("YZ", [[0, 45], [90, 45]], degrees=True)
    pose = Pose.from_rotation(turn, np.array([(0, 0, 0), (-10, gap, 10)], dtype=float))
    frusta = view_frusta([thin, thin], pose, 9.0, 11.0)
    assert frusta_intersect(frusta).tolist() == [meets]


def test_touching_counts():
    frusta = view_frusta([SQUARE, SQUARE], looking([(0, 0, 0), (4, 0, 0)], [0, 0]), 1.0, 2.0)
    assert frusta_intersect(frusta).tolist() == [True]


def test_64_views_take_less_than_a_second():
    cameras, pose, near, far = random_rig(64, 4)
    frusta = view_frusta(cameras, pose, near, far)
    start = time.process_time()
    assert frusta_intersect(frusta).shape == (2016,)
    assert time.process_time() - start < 1.0


def test_overlap_of_one_view_with_itself_and_with_its_half():
    # At any depth z a view is 2 z wide; a camera moved aside by d loses d / (2 z) of it.
    pose = looking([(0, 0, 0), (1, 0, 0), (100, 0, 0)], [0, 0, 0])
    share = frustum_overlap([SQUARE] * 3, pose, 4.0, 4.0001, grid=200, depths=2)
    np.testing.assert_allclose(np.diag(share), 1.0)
    np.testing.assert_allclose(share[0, 1], 1 - 1 / 8, atol=0.01)
    np.testing.assert_allclose(share[1, 0], 1 - 1 / 8, atol=0.01)
    assert share[0, 2] == 0


def test_overlap_is_not_symmetric_where_one_is_nearer():
    pose = looking([(0, 0, 0), (0, 0, 2)], [0, 0])
    share = frustum_overlap([SQUARE, SQUARE], pose, 3.999, 4.0, grid=100, depths=2)
    # Half as far, the second sees half the width and height of what the first sees.
    np.testing.assert_allclose(share[0, 1], 0.25, atol=0.02)


@pytest.mark.parametrize(
    ("near", "far"), [(0.0, 1.0), (2.0, 1.0), (1.0, np.inf), (1.0, np.nan), (-1.0, 1.0)]
)
def test_planes_that_bound_nothing_are_refused(near, far):
    with pytest.raises(GeometryError, match="0 < near < far"):
        view_frusta([SQUARE], Pose.identity((1,)), near, far)


def test_shapes_are_checked():
    with pytest.raises(GeometryError, match="2 poses are wanted"):
        view_frusta([SQUARE, SQUARE], Pose.identity((1,)), 1, 2)
    with pytest.raises(GeometryError, match=r"\(N, 8, 3\)"):
        Frusta(np.zeros((2, 7, 3)))
