"""Pose and rotations against scipy's Rotation and RigidTransform."""

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from sightline.geometry import Pose
from sightline.geometry.pose import quaternion_product
from sightline.geometry.rotation import canonical_wxyz, mean_rotation, rotation_angle


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    q, t = rng.normal(size=(2, 500, 4)), rng.normal(size=(2, 500, 3))
    ours = [Pose(q[i], t[i]) for i in range(2)]
    theirs = [
        RigidTransform.from_components(t[i], Rotation.from_quat(q[i], scalar_first=True))
        for i in range(2)
    ]
    return ours, theirs


def test_composition_inverse_and_matrix(pairs):
    (a, b), (a_scipy, b_scipy) = pairs
    np.testing.assert_allclose((a @ b).matrix, (a_scipy * b_scipy).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(a.inverse().matrix, a_scipy.inv().as_matrix(), atol=1e-14)
    np.testing.assert_allclose(a.matrix, a_scipy.as_matrix(), atol=1e-15)


def test_apply(pairs):
    (a, _), (a_scipy, _) = pairs
    points = np.random.default_rng(1).normal(size=(500, 3))
    np.testing.assert_allclose(a.apply(points), a_scipy.apply(points), atol=1e-14)


def test_quaternions_and_products(pairs):
    (a, b), (a_scipy, b_scipy) = pairs
    expected = a_scipy.rotation.as_quat(canonical=True, scalar_first=True)
    np.testing.assert_allclose(a.q_wxyz, expected, atol=1e-15)
    product = (a_scipy.rotation * b_scipy.rotation).as_quat(canonical=True, scalar_first=True)
    np.testing.assert_allclose(
        canonical_wxyz(quaternion_product(a.q_wxyz, b.q_wxyz)), product, atol=1e-15
    )


def test_angles(pairs):
    (a, b), (a_scipy, b_scipy) = pairs
    expected = (a_scipy.rotation.inv() * b_scipy.rotation).magnitude()
    np.testing.assert_allclose(rotation_angle(a.q_wxyz, b.q_wxyz), expected, atol=1e-14)


def test_weighted_mean(pairs):
    (a, _), (a_scipy, _) = pairs
    weights = np.random.default_rng(2).uniform(size=500)
    expected = a_scipy.rotation.mean(weights).as_quat(canonical=True, scalar_first=True)
    assert rotation_angle(mean_rotation(a.q_wxyz, weights), expected) < 1e-12


def test_matrices_round_trip_through_scipy(pairs):
    (a, _), (a_scipy, _) = pairs
    back = Pose.from_matrix(a_scipy.as_matrix())
    assert rotation_angle(back.q_wxyz, a.q_wxyz).max() < 1e-15 * 4
    np.testing.assert_array_equal(back.translation, a.translation)
