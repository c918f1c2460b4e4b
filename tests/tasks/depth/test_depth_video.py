"""Video: flicker goes, drift stays away, a cut starts anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.video import TemporalAligner

HEIGHT, WIDTH = 60, 80


def scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return a picture and its true disparity, 0.2 to 1."""
    rng = np.random.default_rng(seed)
    disparity = np.kron(rng.uniform(0.2, 1.0, (6, 8)), np.ones((10, 10)))
    colour = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.kron(colour, np.ones((10, 10, 1), np.uint8)), disparity


def moving(frame: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A box that moves across a scene."""
    image, disparity = (part.copy() for part in scene(0))
    left = (2 * frame) % (WIDTH - 16)
    image[20:40, left : left + 16] = (200, 30, 30)
    disparity[20:40, left : left + 16] = 1.5
    return image, disparity


def flickering(frame: int, disparity: NDArray[np.float64]) -> DepthMap:
    """What a network says that chooses scale and shift anew for every frame."""
    rng = np.random.default_rng(1000 + frame)
    scale, shift = np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.3)
    noisy = scale * disparity + shift + rng.normal(0, 0.01, disparity.shape)
    return DepthMap(noisy.astype(np.float32), "disparity", "relative")


def test_flicker_falls_by_more_than_ten_times_and_nothing_drifts() -> None:
    aligner = TemporalAligner()
    raw, shown, spans = [], [], []
    for frame in range(300):
        image, disparity = moving(frame)
        said = flickering(frame, disparity)
        aligned = aligner(said, image)
        assert not aligned.cut
        raw.append(said.values[50:, :].mean())  # the box never comes here
        shown.append(aligned.depth_map.values[50:, :].mean())
        spans.append(aligned.span[1])
    jumps, left = (float(np.abs(np.diff(series)).mean()) for series in (raw, shown))
    assert left < 0.1 * jumps
    assert float(np.abs(np.diff(spans)).mean()) < 0.1 * jumps
    # no drift: the end lies where the network's own scale lies on average
    assert abs(np.mean(shown[-100:]) - np.mean(raw)) < 0.25 * np.std(raw) + 0.1
    scene_disparity = moving(299)[1]
    fit = np.polyfit(scene_disparity[50:].ravel(), aligned.depth_map.values[50:].ravel(), 1)
    assert 0.6 < fit[0] < 1.7


def test_a_steady_network_is_left_alone() -> None:
    aligner = TemporalAligner()
    for frame in range(50):
        image, disparity = moving(frame)
        said = DepthMap(disparity.astype(np.float32), "disparity", "relative")
        aligned = aligner(said, image)
        np.testing.assert_allclose(aligned.depth_map.values, disparity, atol=1e-3)


def test_a_cut_starts_anew() -> None:
    aligner = TemporalAligner()
    cuts = []
    for frame in range(20):
        image, disparity = scene(0 if frame < 10 else 7)
        said = flickering(frame, disparity)
        aligned = aligner(said, image)
        cuts.append(aligned.cut)
        if frame in (0, 10):
            np.testing.assert_array_equal(aligned.depth_map.values, said.values)
            assert (aligned.scale, aligned.shift) == (1.0, 0.0)
    assert [k for k, cut in enumerate(cuts) if cut] == [10]


def test_another_exposure_is_no_cut() -> None:
    aligner = TemporalAligner()
    image, disparity = scene(0)
    aligner(flickering(0, disparity), image)
    darker = (image * 0.6).astype(np.uint8)
    assert not aligner(flickering(1, disparity), darker).cut


def test_metric_depth_keeps_its_zero() -> None:
    aligner = TemporalAligner()
    image, disparity = scene(0)
    depth = 1.0 / disparity
    for factor in (1.0, 1.2, 0.8, 1.1):
        said = DepthMap((factor * depth).astype(np.float32), "depth", "m")
        aligned = aligner(said, image)
        assert aligned.shift == 0.0
        np.testing.assert_allclose(aligned.depth_map.values, depth, rtol=0.02)


def test_flat_and_unknown_frames_pass() -> None:
    aligner = TemporalAligner()
    image, _ = scene(0)
    for value in (1.0, 1.0, np.nan, 2.0):
        said = DepthMap(np.full((HEIGHT, WIDTH), value, np.float32), "disparity", "relative")
        np.testing.assert_array_equal(aligner(said, image).depth_map.values, said.values)
