"""The published fr1/xyz trajectories: our errors against a computation that shares no code.

Everything that starts with an underscore here uses NumPy alone, matrices instead of quaternions,
and the association loop of the TUM benchmark's tool as its paper describes it.
"""

from pathlib import Path

import numpy as np
import pytest

from sightline.geometry.trajectory import absolute_trajectory_error, relative_pose_error
from sightline.records.tum import associate, read_tum

pytestmark = pytest.mark.shared
DIGITS = {"rel": 1e-9, "abs": 1e-9}


def _matrices(path: Path) -> dict[float, np.ndarray]:
    found = {}
    for row in np.loadtxt(path):
        x, y, z, w = row[4:] / np.sqrt((row[4:] ** 2).sum())
        matrix = np.eye(4)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        matrix[:3, 3] = row[1:4]
        found[row[0]] = matrix
    return found


def _matched(estimated: Path, true: Path) -> tuple[np.ndarray, np.ndarray]:
    a, b = _matrices(estimated), _matrices(true)
    stamps_b = np.array(list(b))
    close = [(abs(s - t), s, t) for s in a for t in stamps_b[np.abs(stamps_b - s) < 0.03]]
    free_a, free_b, pairs = set(a), set(b), []
    for gap, s, t in sorted(close):
        if gap <= 0.02 and s in free_a and t in free_b:
            free_a.remove(s)
            free_b.remove(t)
            pairs.append((s, t))
    pairs.sort()
    return np.array([a[s] for s, _ in pairs]), np.array([b[t] for _, t in pairs])


def _aligned(estimated, true, with_scale):
    x, y = estimated[:, :3, 3], true[:, :3, 3]
    dx, dy = x - x.mean(0), y - y.mean(0)
    w, d, vt = np.linalg.svd(dx.T @ dy)
    s = np.diag([1, 1, np.linalg.det(w @ vt)])
    rotation = (w @ s @ vt).T
    scale = np.trace(np.diag(d) @ s) / (dx**2).sum() if with_scale else 1.0
    out = estimated.copy()
    out[:, :3, :3] = rotation @ estimated[:, :3, :3]
    out[:, :3, 3] = scale * x @ rotation.T + (y.mean(0) - scale * rotation @ x.mean(0))
    return out, scale


def _angles(a, b):
    r = np.swapaxes(a[:, :3, :3], 1, 2) @ b[:, :3, :3]
    sine = np.stack([r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]])
    return np.arctan2(np.sqrt((sine**2).sum(0)) / 2, (np.trace(r, axis1=1, axis2=2) - 1) / 2)


def _relative(estimated, true, pairs):
    translation, rotation = [], []
    for i, j, length in pairs:
        motion_true = np.linalg.inv(true[i]) @ true[j]
        motion = np.linalg.inv(estimated[i]) @ estimated[j]
        error = np.linalg.inv(motion_true) @ motion
        translation.append(np.linalg.norm(error[:3, 3]) / length)
        rotation.append(_angles(np.eye(4)[None], error[None])[0] / length)
    return np.array(translation), np.array(rotation)


def _one_metre_pairs(true):
    steps = [np.linalg.norm(true[k + 1, :3, 3] - true[k, :3, 3]) for k in range(len(true) - 1)]
    pairs = []
    for i in range(len(true)):
        length = 0.0
        for j in range(i, len(true) - 1):
            length += steps[j]
            if length >= 1.0:
                pairs.append((i, j + 1, length))
                break
    return pairs


@pytest.fixture(params=["rgbdslam", "rgbdslam_drift"], scope="module")
def trajectories(request, shared_data):
    folder = shared_data / "traj_tum_fr1xyz"
    estimated_path = folder / f"freiburg1_xyz-{request.param}.txt"
    true_path = folder / "freiburg1_xyz-groundtruth.txt"
    (estimated_s, estimated), (true_s, true) = read_tum(estimated_path), read_tum(true_path)
    pairs = associate(estimated_s, true_s, 0.02)
    return estimated[pairs[:, 0]], true[pairs[:, 1]], _matched(estimated_path, true_path)


def test_the_same_frames_are_paired(trajectories):
    estimated, true, (expected_estimated, expected_true) = trajectories
    assert len(estimated) > 780
    np.testing.assert_allclose(estimated.matrix, expected_estimated, atol=1e-14)
    np.testing.assert_allclose(true.matrix, expected_true, atol=1e-14)


@pytest.mark.parametrize("alignment", ["se3", "sim3"])
def test_absolute_trajectory_error(trajectories, alignment):
    estimated, true, (expected_estimated, expected_true) = trajectories
    error = absolute_trajectory_error(estimated, true, alignment)
    moved, scale = _aligned(expected_estimated, expected_true, alignment == "sim3")
    distance = np.linalg.norm(moved[:, :3, 3] - expected_true[:, :3, 3], axis=1)
    angle = _angles(moved, expected_true)
    assert error.rmse == pytest.approx(np.sqrt((distance**2).mean()), **DIGITS)
    assert error.median == pytest.approx(np.median(distance), **DIGITS)
    assert error.median_deg == pytest.approx(np.degrees(np.median(angle)), **DIGITS)
    assert error.alignment.scale == pytest.approx(scale, **DIGITS)
    np.testing.assert_allclose(error.translation, distance, atol=1e-9)
    np.testing.assert_allclose(error.rotation, angle, atol=1e-9)
    assert 0.005 < error.rmse < 0.2  # a SLAM system's centimetres, not a mismatch of frames


def test_relative_pose_error_per_frame(trajectories):
    estimated, true, (expected_estimated, expected_true) = trajectories
    error = relative_pose_error(estimated, true, delta=1, unit="frames")
    pairs = [(i, i + 1, 1.0) for i in range(len(expected_true) - 1)]
    translation, rotation = _relative(expected_estimated, expected_true, pairs)
    assert error.rmse == pytest.approx(np.sqrt((translation**2).mean()), **DIGITS)
    assert error.median_deg == pytest.approx(np.degrees(np.median(rotation)), **DIGITS)
    np.testing.assert_allclose(error.translation, translation, atol=1e-9)
    np.testing.assert_allclose(error.rotation, rotation, atol=1e-9)


def test_relative_pose_error_per_metre(trajectories):
    estimated, true, (expected_estimated, expected_true) = trajectories
    error = relative_pose_error(estimated, true, delta=1.0, unit="m")
    translation, rotation = _relative(
        expected_estimated, expected_true, _one_metre_pairs(expected_true)
    )
    assert len(error.translation) == len(translation) > 500
    assert error.rmse == pytest.approx(np.sqrt((translation**2).mean()), **DIGITS)
    assert error.median_deg == pytest.approx(np.degrees(np.median(rotation)), **DIGITS)
