"""Errors and scores of relative poses; nothing here knows a model, an image or a file.

Both errors are angles (Melekhov et al. 2017, section 3.3): ROE of the rotations, RTE of the
directions of the translations. A pair without an answer has an infinite error, so that no limit
holds it; it counts as 180 degrees, the largest there is, in medians and means. It is never left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array, rotation_angle_deg

Mask = NDArray[np.bool_]

#: What a pair without an answer counts as in medians and means.
WORST_DEG = 180.0
#: Limits of the AUC and of the share within.
AUC_LIMITS_DEG = (5.0, 10.0, 20.0)
#: A confidence is the probability of both errors below this.
CONFIDENT_DEG = 10.0
#: Pairs of the field's usual "small baseline".
NEAR_VIEWS_DEG = 30.0
#: A translation shorter than this part of the set's median has no direction to be judged.
NO_TRANSLATION = 0.01
#: A label is seen where a training label is this near, in rotation and in direction.
SAME_LABEL_DEG = 1.0

OVERLAP_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
VIEW_ANGLE_EDGES_DEG = (0.0, 10.0, 20.0, 30.0, 60.0, 90.0, 180.0)
BASELINE_ANGLE_EDGES_DEG = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0)
CONFIDENCE_EDGES = tuple(i / 10 for i in range(11))

_CHUNK = 512


@dataclass(frozen=True, eq=False)
class PairErrors:
    """Errors pair by pair.

    Attributes:
        roe_deg: (N,) relative orientation errors; infinite where there is no rotation.
        rte_deg: (N,) relative translation errors; infinite where there is no translation although
            the camera moved; NaN where it did not, so that there is nothing to judge.
    """

    roe_deg: Array
    rte_deg: Array

    def __len__(self) -> int:
        return len(self.roe_deg)

    def __getitem__(self, index: NDArray[Any]) -> PairErrors:
        return PairErrors(self.roe_deg[index], self.rte_deg[index])

    @property
    def worst_deg(self) -> Array:
        """(N,) the larger of both errors; ROE alone where the camera did not move."""
        worst: Array = np.fmax(self.roe_deg, self.rte_deg)
        return worst


def roe_deg(found: Pose, true: Pose) -> Array:
    """Return the angles of the rotations from found to true, in degrees, in [0, 180].

    Exact near both ends (atan2, PITFALLS 5).

    Source: Melekhov et al. 2017, section 3.3 (a).
    """
    return rotation_angle_deg(found.q_wxyz, true.q_wxyz)


def rte_deg(found: ArrayLike, true: ArrayLike) -> Array:
    """Return the angles between translations, in degrees, in [0, 180]; NaN where one is zero.

    Exact near both ends (atan2, PITFALLS 5); lengths play no part.

    Args:
        found: (..., 3).
        true: (..., 3), broadcast against ``found``.

    Source: Melekhov et al. 2017, section 3.3 (b).
    """
    a, b = _unit(found), _unit(true)
    minus, plus = np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)
    angle: Array = np.rad2deg(2.0 * np.arctan2(minus, plus))
    return angle


def moved_mask(true: Pose) -> Mask:
    """Return which of (N,) true poses have a translation whose direction can be judged.

    Those at least 1% as long as the median of the set's; a set without any has none.
    """
    length = np.linalg.norm(true.translation, axis=-1)
    if not (length > 0).any():
        return np.zeros(len(length), dtype=bool)
    mask: Mask = (length > 0) & (length >= NO_TRANSLATION * np.median(length[length > 0]))
    return mask


def pair_errors(
    statuses: Sequence[str], found: Sequence[Pose | None], true: Pose, moved: Mask
) -> PairErrors:
    """Return the errors of one method's answers.

    Args:
        statuses: N of ``ok``, ``rotation_only``, ``failed``.
        found: N answers; None where there is none.
        true: (N,) b_from_a.
        moved: (N,) whether the truth has a translation; RTE is left out (NaN) where not.

    Raises:
        GeometryError: The counts differ.
    """
    counts = {len(statuses), len(found), len(true), len(moved)}
    if len(counts) != 1:
        raise GeometryError(f"one answer, truth and status a pair is wanted, {counts} came")
    roe, rte = np.full(len(true), np.inf), np.full(len(true), np.inf)
    with_rotation = [i for i, pose in enumerate(found) if pose is not None]
    if with_rotation:
        index = np.array(with_rotation, dtype=np.int64)
        answers = Pose.stack([pose for pose in found if pose is not None])
        roe[index] = roe_deg(answers, true[index])
        rte[index] = rte_deg(answers.translation, true.translation[index])
    rte[[i for i, status in enumerate(statuses) if status != "ok"]] = np.inf
    rte[np.isnan(rte)] = np.inf  # an answer of length zero names no direction
    rte[~moved] = np.nan
    return PairErrors(roe, rte)


def cumulative_histogram(errors: ArrayLike, limits: ArrayLike) -> Array:
    """Return the share of pairs whose error is at most each limit (paper 002, Figs. 5 and 7).

    Args:
        errors: (N,); NaN ones are left out, infinite ones are in no limit.
        limits: (M,) in the errors' unit.

    Returns:
        (M,) shares in [0, 1]; zeros where there are no errors.
    """
    known = _known(errors)
    within = np.searchsorted(np.sort(known), np.asarray(limits, np.float64), side="right")
    share: Array = within / max(len(known), 1)
    return share


def median_deg(errors: ArrayLike) -> float | None:
    """Return the median; pairs without an answer count as 180, NaN ones are left out."""
    known = _known(errors)
    return float(np.median(np.minimum(known, WORST_DEG))) if len(known) else None


def mean_deg(errors: ArrayLike) -> float | None:
    """Return the mean; pairs without an answer count as 180, NaN ones are left out."""
    known = _known(errors)
    return float(np.mean(np.minimum(known, WORST_DEG))) if len(known) else None


def auc(errors: ArrayLike, limit: float) -> float | None:
    """Return the area under the recall curve up to a limit, over the limit: 1 is perfect.

    With the N errors sorted, the curve goes in straight lines through (0, 0), (e_1, 1/N), ...,
    (e_k, k/N), e_k being the last error below the limit, and stays at k/N from there on. The
    area is exact, not binned. With errors = max(ROE, RTE) it is the "pose AUC" that the field
    reports (Sarlin et al. 2020, SuperGlue, section 5.2). None where there are no errors.

    Args:
        errors: (N,) in degrees; infinite where there is no answer.
        limit: In degrees, above 0.

    Raises:
        GeometryError: The limit is not positive.
    """
    if not limit > 0:
        raise GeometryError(f"a limit above 0 degrees is wanted for the AUC, {limit:g} came")
    known = np.sort(_known(errors))
    if not len(known):
        return None
    below = known[known < limit]
    at = np.concatenate([[0.0], below, [limit]])
    reached = np.concatenate([np.arange(len(below) + 1), [len(below)]]) / len(known)
    return float(np.trapezoid(reached, at) / limit)


def scores(errors: PairErrors) -> dict[str, Any]:
    """Return all scores of a group of pairs, as a JSON-like table; None where there is no pair."""
    worst = errors.worst_deg
    return {
        "pairs": len(errors),
        "rte_pairs": int((~np.isnan(errors.rte_deg)).sum()),
        "median_roe_deg": median_deg(errors.roe_deg),
        "median_rte_deg": median_deg(errors.rte_deg),
        "mean_roe_deg": mean_deg(errors.roe_deg),
        "mean_rte_deg": mean_deg(errors.rte_deg),
        "auc": {f"{limit:g}": auc(worst, limit) for limit in AUC_LIMITS_DEG},
        "within": {f"{limit:g}": _share(worst <= limit) for limit in AUC_LIMITS_DEG},
    }


def view_angle_deg(true: Pose) -> Array:
    """Return how far each camera turned between its views: the angle of (N,) rotations."""
    return rotation_angle_deg(true.q_wxyz, np.array([1.0, 0.0, 0.0, 0.0]))


def baseline_angle_deg(true: Pose) -> Array:
    """Return the angles between baseline and the first camera's axis, in [0, 90]; NaN unmoved.

    0: along the axis, so that the image grows or shrinks; 90: aside.

    Args:
        true: (N,) b_from_a.
    """
    along = rte_deg(true.inverse().translation, np.array([0.0, 0.0, 1.0]))
    folded: Array = np.minimum(along, 180.0 - along)
    return folded


def bin_masks(values: ArrayLike, edges: Sequence[float]) -> dict[str, Mask]:
    """Return which values lie in each bin ``low-high``: low included, high not, but the last's.

    A value that is NaN (not known) is in no bin.
    """
    v = np.asarray(values, dtype=np.float64)
    masks: dict[str, Mask] = {}
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        masks[f"{low:g}-{high:g}"] = (v >= low) & ((v <= high) if last else (v < high))
    return masks


def by_bins(
    errors: PairErrors, values: ArrayLike, edges: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Return the scores of the pairs in each bin; empty bins are left out."""
    masks = bin_masks(values, edges)
    return {name: scores(errors[mask]) for name, mask in masks.items() if mask.any()}


def seen_labels(true: Pose, training: Pose, tolerance_deg: float = SAME_LABEL_DEG) -> Mask:
    """Return which of (N,) relative poses are labels of a training pair, in either order.

    A label is seen where one training label, or its inverse, is within the tolerance in rotation
    and in direction at once. Where neither moved, the rotation alone decides. A robot that repeats
    its positions in every scene makes labels of test pairs seen ones (PITFALLS 19).

    Args:
        true: (N,) b_from_a of the pairs that are judged.
        training: (M,) b_from_a of the training pairs.
        tolerance_deg: Above 0.
    """
    seen: Mask = np.zeros(len(true), dtype=bool)
    if not len(true) or not len(training):
        return seen
    inverse = training.inverse()
    q = np.concatenate([training.q_wxyz, inverse.q_wxyz])
    t = _unit_or_zero(np.concatenate([training.translation, inverse.translation]))
    wanted = _unit_or_zero(true.translation)
    # cosines: at a degree they are exact to ten digits and one product of matrices
    least_q = np.cos(np.deg2rad(tolerance_deg) / 2) - 1e-12
    least_t = np.cos(np.deg2rad(tolerance_deg)) - 1e-12
    still: Mask = np.linalg.norm(t, axis=1) == 0
    here: Mask = np.linalg.norm(wanted, axis=1) == 0
    for start in range(0, len(true), _CHUNK):
        part = slice(start, start + _CHUNK)
        rotation = np.abs(true.q_wxyz[part] @ q.T) >= least_q
        direction = wanted[part] @ t.T >= least_t
        direction |= here[part][:, None] & still[None]
        seen[part] = (rotation & direction).any(axis=1)
    return seen


def reliability(confidence: ArrayLike, errors: PairErrors) -> dict[str, Any]:
    """Return how confidences compare with what came true: both errors below 10 degrees.

    Args:
        confidence: (N,) in [0, 1].
        errors: Of the same pairs.

    Returns:
        ``bins`` of a tenth each (``confidence``, ``pairs``, ``mean_confidence``, ``true``),
        ``error``: the mean gap between both over the pairs (expected calibration error), ``brier``:
        the mean squared gap pair by pair. None where there are no pairs.
    """
    p = np.asarray(confidence, dtype=np.float64)
    right = errors.worst_deg < CONFIDENT_DEG
    bins, gap = [], 0.0
    for name, mask in bin_masks(p, CONFIDENCE_EDGES).items():
        if not mask.any():
            continue
        said, came = float(p[mask].mean()), float(right[mask].mean())
        gap += abs(said - came) * int(mask.sum())
        bins.append(
            {"confidence": name, "pairs": int(mask.sum()), "mean_confidence": said, "true": came}
        )
    return {
        "bins": bins,
        "error": gap / len(p) if len(p) else None,
        "brier": float(np.mean((p - right) ** 2)) if len(p) else None,
    }


def _known(errors: ArrayLike) -> Array:
    values = np.asarray(errors, dtype=np.float64)
    known: Array = values[~np.isnan(values)]
    return known


def _share(mask: Mask) -> float | None:
    return float(np.mean(mask)) if len(mask) else None


def _unit(vectors: ArrayLike) -> Array:
    v = np.asarray(vectors, dtype=np.float64)
    # by the largest component first: a tiny vector's square would underflow
    largest = np.abs(v).max(axis=-1, keepdims=True, initial=0.0)
    v = v / np.where(largest > 0, largest, np.nan)
    unit: Array = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return unit


def _unit_or_zero(vectors: Array) -> Array:
    return np.nan_to_num(_unit(vectors), nan=0.0)
