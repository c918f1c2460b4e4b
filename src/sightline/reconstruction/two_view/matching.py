"""Which keypoint of one photo is which of the other: ratio test, mutual test, epipolar guidance."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.features import Keypoints

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

#: Rows of a similarity matrix held at once.
_CHUNK = 2048


def no_pairs() -> Pairs:
    """Return an empty list of matches."""
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def match(a: Keypoints, b: Keypoints, ratio: float = 0.8, *, mutual: bool = True) -> Pairs:
    """Return index pairs that pass Lowe's ratio test, and the mutual test where wanted.

    Args:
        a: Keypoints of the first image; those whose nearest neighbours are sought.
        b: Keypoints of the second, by the same detector.
        ratio: Largest ratio of the best to the second-best distance.
        mutual: Keep a match only where the way back leads to it.
    """
    if len(a) < 1 or len(b) < 2:
        return no_pairs()
    if a.binary:
        return _match_binary(a.descriptors, b.descriptors, ratio, mutual)
    if mutual:
        return mutual_ratio_matches(a.descriptors, b.descriptors, ratio)
    return _ratio_matches(a.descriptors, b.descriptors, ratio)


def mutual_ratio_matches(
    query: NDArray[np.float32], other: NDArray[np.float32], ratio: float
) -> Pairs:
    """Return index pairs of mutual nearest neighbours that pass Lowe's ratio test.

    Args:
        query: (M, D) unit descriptors.
        other: (N, D) unit descriptors, N >= 2.
        ratio: Largest ratio of the best to the second-best distance.
    """
    chosen, best = _ratio_matches(query, other, ratio)
    back = np.empty(len(chosen), np.int64)
    for start in range(0, len(chosen), _CHUNK):
        rows = slice(start, start + _CHUNK)
        back[rows] = (other[best[rows]] @ query.T).argmax(axis=1)
    kept = back == chosen
    return chosen[kept], best[kept]


def _ratio_matches(query: NDArray[np.float32], other: NDArray[np.float32], ratio: float) -> Pairs:
    best = np.empty(len(query), np.int64)
    passed = np.empty(len(query), bool)
    for start in range(0, len(query), _CHUNK):
        rows = slice(start, start + _CHUNK)
        similarity = query[rows] @ other.T
        each = np.arange(len(similarity))
        best[rows] = similarity.argmax(axis=1)
        first = similarity[each, best[rows]].copy()
        similarity[each, best[rows]] = -1.0
        second = similarity.max(axis=1)
        # Squared distances of unit vectors are 2 - 2 s.
        passed[rows] = (1.0 - first) < ratio**2 * (1.0 - second)
    chosen = np.flatnonzero(passed)
    return chosen, best[chosen]


def _match_binary(
    query: NDArray[np.uint8], other: NDArray[np.uint8], ratio: float, mutual: bool
) -> Pairs:
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    rows = [
        (near[0].queryIdx, near[0].trainIdx)
        for near in matcher.knnMatch(query, other, k=2)
        if len(near) == 2 and near[0].distance < ratio * near[1].distance
    ]
    if not rows:
        return no_pairs()
    chosen, best = np.array(rows, dtype=np.int64).T
    if mutual:
        back = np.array([m.trainIdx for m in matcher.match(other[best], query)], dtype=np.int64)
        chosen, best = chosen[back == chosen], best[back == chosen]
    return chosen, best


def guided_match(
    a: Keypoints,
    b: Keypoints,
    distance: Any,
    band: float,
    ratio: float = 0.9,
) -> Pairs:
    """Return mutual matches that lie within a band around each other's epipolar lines.

    The ratio test compares only candidates within the band, so that it may be a mild one: a
    repeated pattern elsewhere in the image no longer forbids a match.

    Args:
        a: Keypoints of the first image.
        b: Keypoints of the second, by the same detector.
        distance: Called with a slice of rows of ``a``; returns (rows, N) distances to the epipolar
            geometry, in the unit of ``band``.
        band: Candidates farther than this are not looked at.
        ratio: Largest ratio of the best to the second-best distance among the candidates.
    """
    if len(a) < 1 or len(b) < 1:
        return no_pairs()
    best = np.zeros(len(a), np.int64)
    passed = np.zeros(len(a), bool)
    back_best = np.full(len(b), np.inf)
    back_row = np.full(len(b), -1, np.int64)
    for start in range(0, len(a), _CHUNK):
        rows = slice(start, min(len(a), start + _CHUNK))
        away = _descriptor_distance(a.descriptors[rows], b.descriptors)
        away[~(distance(rows) <= band)] = np.inf
        each = np.arange(len(away))
        best[rows] = away.argmin(axis=1)
        first = away[each, best[rows]].copy()
        column = away.argmin(axis=0)
        nearest = away[column, np.arange(len(b))]
        nearer = nearest < back_best
        back_best[nearer], back_row[nearer] = nearest[nearer], column[nearer] + start
        away[each, best[rows]] = np.inf
        second = away.min(axis=1)
        # Alone in its band, a candidate still has to look alike.
        passed[rows] = (first < ratio * second) & (first < _alike(a))
    chosen = np.flatnonzero(passed & (back_row[best] == np.arange(len(a))))
    return chosen, best[chosen]


def _descriptor_distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    if a.dtype != np.uint8:
        squared: NDArray[np.float32] = 2.0 - 2.0 * (a @ b.T)
        return np.sqrt(np.maximum(squared, 0.0))
    bits_a = np.unpackbits(a, axis=1).astype(np.float32)
    bits_b = np.unpackbits(b, axis=1).astype(np.float32)
    ones: NDArray[np.float32] = bits_a.sum(1)[:, None] + bits_b.sum(1) - 2.0 * bits_a @ bits_b.T
    return ones


def _alike(keypoints: Keypoints) -> float:
    """Return the largest descriptor distance of a match that has no rival."""
    return 0.3 * 8 * keypoints.descriptors.shape[1] if keypoints.binary else 0.8


def grid_coverage(xy_px: Array, size: tuple[int, int], cells: int = 8) -> float:
    """Return the share of the cells of a grid over the image that hold a point, in [0, 1].

    Args:
        xy_px: (N, 2) points.
        size: Width and height of the image.
        cells: Of the grid, along each side.
    """
    if not len(xy_px):
        return 0.0
    at = ((xy_px + 0.5) / np.array(size) * cells).astype(np.int64).clip(0, cells - 1)
    return len(np.unique(at[:, 1] * cells + at[:, 0])) / cells**2
