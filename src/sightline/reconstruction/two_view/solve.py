"""Matches in, answer out: pose or rotation alone, its inliers, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.reconstruction.two_view.confidence import Evidence, confidence, evidence_of
from sightline.reconstruction.two_view.estimation import (
    MIN_MATCHES,
    Estimator,
    Matches,
    estimate_pose,
    inlier_mask,
)
from sightline.reconstruction.two_view.features import KeypointCache, Keypoints, checksum
from sightline.reconstruction.two_view.matching import match
from sightline.reconstruction.two_view.rotation import (
    EXPLAINED_PX,
    fit_rotation,
    prefers_rotation,
    rotation_residual_px,
)
from sightline.records.views import RelativeEstimate, Status, View


@dataclass(frozen=True, eq=False)
class Solution:
    """What matches say of two views.

    Attributes:
        status: ``ok``, ``rotation_only`` or ``failed``.
        b_from_a: The pose, its translation of length 1 or zero; None where failed.
        matches: All that were tried.
        inliers: (N,) which of them agree.
        evidence: What the confidence was judged by; None where failed.
        reason: Why it failed.
    """

    status: Status
    b_from_a: Pose | None
    matches: Matches
    inliers: NDArray[np.bool_]
    evidence: Evidence | None = None
    reason: str = ""

    @property
    def confidence(self) -> float:
        """Probability of ROE and RTE below 10 degrees; 0 where failed."""
        return 0.0 if self.evidence is None else confidence(self.evidence)

    @property
    def count(self) -> int:
        """Number of inliers."""
        return int(self.inliers.sum())

    def swapped(self) -> Solution:
        """Return the answer to the views in the other order."""
        pose = None if self.b_from_a is None else self.b_from_a.inverse()
        return replace(self, b_from_a=pose, matches=self.matches.swapped())

    def estimate(self, method: str, seconds: float) -> RelativeEstimate:
        """Return the answer as every method gives it."""
        return RelativeEstimate(
            self.status,
            method,
            self.b_from_a,
            inliers=self.count,
            matches=len(self.matches),
            confidence=self.confidence,
            seconds=seconds,
            reason=self.reason,
        )


def solve(
    matches: Matches,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    estimator: Estimator,
    initial: Pose | None = None,
) -> Solution:
    """Return what matches say of two views.

    Args:
        matches: Of the two.
        sizes: Width and height of both images.
        estimator: How the essential matrix is found.
        initial: A first guess of the pose.
    """
    none = np.zeros(len(matches), bool)
    if len(matches) < MIN_MATCHES:
        reason = f"{len(matches)} matches, at least {MIN_MATCHES} are needed"
        return Solution("failed", None, matches, none, reason=reason)
    rotation = fit_rotation(matches, None if initial is None else initial.rotation)
    pose = estimate_pose(matches, estimator, initial)
    turned = Pose.from_rotation(rotation, np.zeros(3))
    explained = rotation_residual_px(rotation, matches) < EXPLAINED_PX * estimator.threshold_px
    if pose is None:
        if explained.sum() < max(2 * MIN_MATCHES, 0.5 * len(matches)):
            reason = f"no {MIN_MATCHES} of {len(matches)} matches agree on a pose"
            return Solution("failed", None, matches, none, reason=reason)
        only_turned = True
    else:
        only_turned = explained.sum() >= MIN_MATCHES and prefers_rotation(
            pose, rotation, matches, estimator.threshold_px
        )
    if only_turned or pose is None:
        evidence = evidence_of(turned, matches, explained, sizes)
        return Solution("rotation_only", turned, matches, explained, evidence)
    inliers = inlier_mask(pose, matches, estimator.threshold_px)
    if inliers.sum() < MIN_MATCHES:
        reason = f"{inliers.sum()} of {len(matches)} matches agree on a pose, {MIN_MATCHES} needed"
        return Solution("failed", None, matches, none, reason=reason)
    return Solution("ok", pose, matches, inliers, evidence_of(pose, matches, inliers, sizes))


def in_order(a: View, b: View) -> tuple[View, View, bool]:
    """Return the two views in an order that depends only on their pixels, and whether it turned.

    Whoever works in this order gives exactly inverse answers to (a, b) and (b, a).
    """
    keys = [(v.image.shape, checksum(v.image), v.camera.params) for v in (a, b)]
    return (b, a, True) if keys[1] < keys[0] else (a, b, False)


def image_sizes(a: View, b: View) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return width and height of both views."""
    return (a.image.shape[1], a.image.shape[0]), (b.image.shape[1], b.image.shape[0])


def keypoints_of(cache: KeypointCache, a: View, b: View) -> tuple[Keypoints, Keypoints]:
    """Return the keypoints of both views."""
    return cache.get(a.image, a.key), cache.get(b.image, b.key)


def matches_of(
    a: View, b: View, keypoints: tuple[Keypoints, Keypoints], rows: tuple[NDArray[np.int64], ...]
) -> Matches:
    """Return matched keypoints of two views as rays and pixels."""
    first, second = keypoints
    return Matches.of(
        first.xy_px[rows[0]],
        second.xy_px[rows[1]],
        (a.camera, b.camera),
        (first.scale, second.scale),
    )


def match_views(
    cache: KeypointCache, a: View, b: View, ratio: float, *, mutual: bool = True
) -> Matches:
    """Return one detector's matches of two views, each once."""
    keypoints = keypoints_of(cache, a, b)
    return matches_of(a, b, keypoints, match(*keypoints, ratio, mutual=mutual)).distinct()
