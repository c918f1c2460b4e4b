"""Umeyama against COLMAP's own alignment."""

import numpy as np
import pycolmap
import pytest

from sightline.geometry import Pose, Similarity, fit_similarity, fit_similarity_robust
from sightline.geometry.rotation import rotation_angle


def noisy_points(seed, n, scale):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n, 3))
    true = Similarity(scale, Pose(rng.normal(size=4), rng.normal(size=3)))
    return source, true.apply(source) + 0.05 * rng.normal(size=(n, 3))


def from_colmap(found):
    x, y, z, w = found.rotation.quat
    return np.array([w, x, y, z]), np.asarray(found.translation).ravel()


@pytest.mark.parametrize("n", [3, 4, 10, 200])
@pytest.mark.parametrize("seed", range(5))
def test_similarity(n, seed):
    source, target = noisy_points(seed, n, scale=2.3)
    ours, theirs = fit_similarity(source, target), pycolmap.estimate_sim3d(source, target)
    q, t = from_colmap(theirs)
    assert ours.scale == pytest.approx(theirs.scale, rel=1e-10)
    assert rotation_angle(ours.pose.q_wxyz, q) < 1e-10
    np.testing.assert_allclose(ours.pose.translation, t, atol=1e-10)


@pytest.mark.parametrize("n", [3, 4, 10, 200])
@pytest.mark.parametrize("seed", range(5))
def test_rigid(n, seed):
    source, target = noisy_points(seed, n, scale=1.0)
    ours = fit_similarity(source, target, with_scale=False)
    q, t = from_colmap(pycolmap.estimate_rigid3d(source, target))
    assert ours.scale == 1.0
    assert rotation_angle(ours.pose.q_wxyz, q) < 1e-10
    np.testing.assert_allclose(ours.pose.translation, t, atol=1e-10)


def test_robust():
    source, target = noisy_points(0, 60, scale=0.7)
    target[::4] += [3.0, -2.0, 5.0]
    options = pycolmap.RANSACOptions()
    options.max_error = 0.25
    theirs = pycolmap.estimate_sim3d_robust(source, target, options)
    ours = fit_similarity_robust(source, target, threshold=0.25)
    np.testing.assert_array_equal(ours.inliers, np.asarray(theirs["inlier_mask"], dtype=bool))
    assert not ours.inliers[::4].any()
    q, t = from_colmap(theirs["tgt_from_src"])
    assert ours.target_from_source.scale == pytest.approx(theirs["tgt_from_src"].scale, rel=1e-2)
    assert rotation_angle(ours.target_from_source.pose.q_wxyz, q) < 1e-2
    np.testing.assert_allclose(ours.target_from_source.pose.translation, t, atol=2e-2)
