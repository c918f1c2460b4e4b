"""Group axioms of rigid motions, against 4x4 matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import rotation_angle

vectors = arrays(np.float64, 3, elements=st.floats(-100, 100))


def _rotation_strategy():
    free = arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
        lambda q: np.linalg.norm(q) > 1e-3
    )
    axis = arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(
        lambda v: np.linalg.norm(v) > 1e-3
    )
    edge = st.sampled_from([0.0, 1e-12, 1e-7, np.pi - 1e-7, np.pi, np.pi + 1e-7])
    near = st.builds(
        lambda v, a: np.r_[np.cos(a / 2), np.sin(a / 2) * v / np.linalg.norm(v)], axis, edge
    )
    return free | near


poses = st.builds(Pose, _rotation_strategy(), vectors)


def random_poses(shape, seed):
    rng = np.random.default_rng(seed)
    return Pose(rng.normal(size=(*shape, 4)), rng.normal(size=(*shape, 3)))


def assert_same(a, b, atol=1e-11):
    assert np.max(rotation_angle(a.q_wxyz, b.q_wxyz), initial=0) < 1e-14
    np.testing.assert_allclose(a.translation, b.translation, atol=atol)


@given(poses, poses, poses)
@settings(deadline=None)
def test_composition_is_associative(a, b, c):
    assert_same((a @ b) @ c, a @ (b @ c))


@given(poses)
@settings(deadline=None)
def test_identity_changes_nothing(a):
    assert_same(a @ Pose.identity(), a)
    assert_same(Pose.identity() @ a, a)


@given(poses)
@settings(deadline=None)
def test_inverse_undoes_on_both_sides(a):
    assert_same(a @ a.inverse(), Pose.identity())
    assert_same(a.inverse() @ a, Pose.identity())
    assert_same(a.inverse().inverse(), a)


@given(poses, poses, vectors)
@settings(deadline=None)
def test_apply_is_a_homomorphism(a, b, point):
    np.testing.assert_allclose((a @ b).apply(point), a.apply(b.apply(point)), atol=1e-11)


@given(poses, poses)
@settings(deadline=None)
def test_composition_is_the_product_of_matrices(a, b):
    np.testing.assert_allclose((a @ b).matrix, a.matrix @ b.matrix, atol=1e-11)
    np.testing.assert_allclose(a.inverse().matrix, np.linalg.inv(a.matrix), atol=1e-11)


@given(poses)
@settings(deadline=None)
def test_matrix_round_trip_and_invariants(a):
    assert_same(Pose.from_matrix(a.matrix), a, atol=0)
    assert_same(Pose.from_matrix(a.matrix[:3]), a, atol=0)
    assert_same(Pose(-a.q_wxyz, a.translation), a, atol=0)
    assert a.q_wxyz[0] >= 0
    assert a.q_wxyz.dtype == a.translation.dtype == a.matrix.dtype == np.float64
    np.testing.assert_allclose(np.linalg.det(a.rotation_matrix), 1, atol=1e-14)


@given(poses, poses, vectors)
@settings(deadline=None)
def test_relative_pose_maps_b_into_a(world_from_a, world_from_b, point_b):
    a_from_b = relative_pose(world_from_a, world_from_b)
    np.testing.assert_allclose(
        world_from_a.apply(a_from_b.apply(point_b)), world_from_b.apply(point_b), atol=1e-10
    )


def test_relative_pose_is_not_a_difference():
    """PITFALLS 3: b stands one metre in front of a, which looks along the world's +x."""
    world_from_a = Pose([np.sqrt(0.5), 0, np.sqrt(0.5), 0], [5, 0, 0])
    world_from_b = Pose(world_from_a.q_wxyz, [6, 0, 0])
    a_from_b = relative_pose(world_from_a, world_from_b)
    np.testing.assert_allclose(a_from_b.translation, [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(a_from_b.q_wxyz, [1, 0, 0, 0], atol=1e-15)


@pytest.mark.parametrize(
    ("left", "right", "shape"),
    [
        ((5,), (), (5,)),
        ((), (5,), (5,)),
        ((5,), (5,), (5,)),
        ((2, 1), (3,), (2, 3)),
        ((0,), (), (0,)),
    ],
)
def test_batches_broadcast(left, right, shape):
    a, b = random_poses(left, 1), random_poses(right, 2)
    both = a @ b
    assert both.shape == shape
    expected = np.broadcast_to(a.matrix @ b.matrix, (*shape, 4, 4))
    np.testing.assert_allclose(both.matrix, expected, atol=1e-14)
    np.testing.assert_allclose(
        a.inverse().matrix @ a.matrix, np.broadcast_to(np.eye(4), (*left, 4, 4)), atol=1e-14
    )


def test_apply_broadcasts_pose_by_pose():
    pose, batch = random_poses((), 1), random_poses((4,), 2)
    points = np.random.default_rng(3).normal(size=(4, 3))
    by_hand = [p @ pose.rotation_matrix.T + pose.translation for p in points]
    np.testing.assert_allclose(pose.apply(points), by_hand, atol=1e-14)
    one_each = [batch[i].apply(points[i]) for i in range(4)]
    np.testing.assert_allclose(batch.apply(points), one_each, atol=1e-14)


def test_a_batch_is_a_sequence():
    batch = random_poses((4,), 0)
    assert len(batch) == 4
    assert_same(Pose.stack([batch[i] for i in range(4)]), batch, atol=0)
    assert batch[1:3].shape == (2,)
    assert_same(batch[np.array([True, False, False, True])], Pose.stack([batch[0], batch[3]]))
    assert Pose.stack([]).shape == (0,)
    assert Pose.stack([]).matrix.shape == (0, 4, 4)
    assert Pose.from_matrix(np.zeros((0, 4, 4))).shape == (0,)
    with pytest.raises(TypeError, match="no length"):
        len(batch[0])
    with pytest.raises(TypeError, match="indexed"):
        batch[0][0]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.diag([1.0, 1, -1, 1]), "reflection"),
        (np.diag([2.0, 2, 2, 1]), "scale"),
        (np.eye(4) * np.nan, "row"),
        (np.full((3, 4), np.nan), "rotation matrix"),
        (np.eye(3), r"\(3, 3\) came"),
        (Pose([1, 0, 0, 0], [1, 2, 3]).matrix.T, "transposed"),
    ],
)
def test_matrices_that_are_no_rigid_motion_are_refused(matrix, message):
    with pytest.raises(GeometryError, match=message):
        Pose.from_matrix(matrix)


@pytest.mark.parametrize("translation", [[0, 0], [[0, 0, 0]], [0, 0, np.nan]])
def test_translations_that_do_not_fit_are_refused(translation):
    with pytest.raises(GeometryError, match="translation"):
        Pose([1, 0, 0, 0], translation)
