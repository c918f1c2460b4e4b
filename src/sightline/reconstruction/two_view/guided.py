"""A rough pose guides matching, and the matches make it a good one, or show that it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.reconstruction.two_view.confidence import evidence_of
from sightline.reconstruction.two_view.estimation import (
    Estimator,
    Matches,
    essential_matrix,
    homogeneous,
    inlier_mask,
)
from sightline.reconstruction.two_view.features import KeypointCache, Keypoints
from sightline.reconstruction.two_view.matching import guided_match
from sightline.reconstruction.two_view.solve import (
    Solution,
    image_sizes,
    keypoints_of,
    matches_of,
    solve,
)
from sightline.records.views import View


@dataclass(frozen=True)
class GuidedConfig:
    """How far a rough pose is trusted, and what counts as success."""

    band_deg: float = 8.0
    """Matches are sought this far from the rough pose's epipolar lines, as an angle of view."""
    ratio: float = 0.85
    """Lowe's ratio among the candidates of the band."""
    second_band_px: float = 4.0
    """Band of the second round, around the lines of what the first found."""
    second_ratio: float = 0.95
    """Lowe's ratio of the second round."""
    min_inliers: int = 15
    """Fewest inliers of an answer that is believed."""
    over_chance: float = 3.0
    """So many times the inliers that a wrong pose would have by chance are wanted beside."""
    estimator: Estimator = field(default_factory=Estimator)
    """How the essential matrix is found."""


def guided_matches(
    a: View,
    b: View,
    keypoints: tuple[Keypoints, Keypoints],
    b_from_a: Pose,
    band: float,
    ratio: float,
) -> Matches:
    """Return matches within a band around the epipolar lines of a pose.

    Args:
        a: First view.
        b: Second view.
        keypoints: Of both, by one detector.
        b_from_a: The rough pose; its translation must not be zero.
        band: Largest Sampson distance, on the plane of rays (an angle, in radians).
        ratio: Lowe's, among the candidates of the band.
    """
    first, second = keypoints
    rays_a = homogeneous(a.camera.unproject(first.xy_px)[:, :2])
    rays_b = homogeneous(b.camera.unproject(second.xy_px)[:, :2])
    essential = essential_matrix(b_from_a)
    lines_b, lines_a = rays_a @ essential.T, rays_b @ essential
    slope_b = (lines_b[:, :2] ** 2).sum(axis=1).astype(np.float32)
    slope_a = (lines_a[:, :2] ** 2).sum(axis=1).astype(np.float32)
    lines, points = lines_b.astype(np.float32), rays_b.astype(np.float32)

    def distance(rows: slice) -> NDArray[np.float32]:
        algebraic = np.abs(lines[rows] @ points.T)
        slope = slope_b[rows, None] + slope_a
        away: NDArray[np.float32] = algebraic / np.sqrt(np.maximum(slope, 1e-20))
        return away

    return matches_of(a, b, keypoints, guided_match(first, second, distance, band, ratio))


def refine_pose(
    a: View,
    b: View,
    coarse: Pose,
    caches: Sequence[KeypointCache],
    config: GuidedConfig,
) -> Solution:
    """Return the pose that matches guided by a rough one give, or why there is none.

    Args:
        a: First view.
        b: Second view.
        coarse: b_from_a, rough; a length of the translation does not matter, zero fails.
        caches: One for each detector whose matches are taken together.
        config: How.
    """
    keypoints = [keypoints_of(cache, a, b) for cache in caches]

    def matches_near(pose: Pose, band: float, ratio: float) -> Matches:
        parts = [guided_matches(a, b, pair, pose, band, ratio) for pair in keypoints]
        return Matches.union(parts).distinct()

    length = float(np.linalg.norm(coarse.translation))
    band = float(np.radians(config.band_deg))
    if length < 1e-9:
        none = Matches.union([matches_of(a, b, p, (_NO_ROWS, _NO_ROWS)) for p in keypoints])
        reason = "the rough pose has no translation, so there are no epipolar lines to follow"
        return Solution("failed", None, none, np.zeros(0, bool), reason=reason)
    coarse = replace(coarse, translation=coarse.translation / length)
    wide = matches_near(coarse, band, config.ratio)
    found = solve(wide, image_sizes(a, b), config.estimator, coarse)
    if found.b_from_a is None or found.status != "ok":
        return found
    by_chance = config.estimator.threshold_px * wide.pixel / band * len(wide)
    wanted = max(config.min_inliers, int(np.ceil(config.over_chance * by_chance)))
    if found.count < wanted:
        reason = (
            f"{found.count} of {len(wide)} guided matches agree, {wanted} are wanted: the rough "
            f"pose is off by more than {config.band_deg:g} degrees, or there is little to match"
        )
        return Solution("failed", None, wide, np.zeros(len(wide), bool), reason=reason)
    narrow = matches_near(found.b_from_a, config.second_band_px * wide.pixel, config.second_ratio)
    better = solve(narrow, image_sizes(a, b), config.estimator, found.b_from_a)
    if better.b_from_a is None or better.status != "ok":
        return found
    # The narrow band lets hardly an outlier in: what speaks for the pose are the first matches.
    inliers = inlier_mask(better.b_from_a, wide, config.estimator.threshold_px)
    if inliers.sum() < 0.8 * found.count:
        return found
    return replace(better, evidence=evidence_of(better.b_from_a, wide, inliers, image_sizes(a, b)))


_NO_ROWS: NDArray[np.int64] = np.zeros(0, np.int64)
