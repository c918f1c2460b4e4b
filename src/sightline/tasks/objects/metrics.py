"""Scores of category and pose, from saved predictions; nothing here knows a network or an image.

The pose is judged of every image, its category right or wrong (Mahendran et al. 2018, Sec. 4.4).
An object without a true pose is left out of the pose's scores, one without a known category of
the category's; both are counted. Every score is given a category (``by_category``), as the mean
over the categories that have objects (``mean``, what the paper's tables end with), and over all
objects alike (``all``, the "percentage of images" of Table 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.geometry.rotation import Array, canonical_wxyz, rotation_angle
from sightline.geometry.viewpoint import symmetric_angle, viewpoint
from sightline.records.objects import SYMMETRY, ObjectView, rotations
from sightline.tasks.objects.predictions import OWN_RULES, RULES, ObjectPredictions

Mask = NDArray[np.bool_]

#: An answer is right where the category is and the pose, symmetry granted, is nearer than this.
#: A confidence is the probability of that.
RIGHT_RAD = np.pi / 6
#: What is judged by: how an error is taken of the found and the true rotation.
ERRORS = ("rotation", "rotation_symmetric", "azimuth", "azimuth_symmetric")

_CONFIDENCE_BINS = 10
_COVERAGES = tuple((i + 1) / 20 for i in range(20))
#: Training views looked at for the most usual one, which costs their square.
_MOST_VIEWS = 2000


def rotation_errors(found: ArrayLike, true: ArrayLike, folds: ArrayLike = 1) -> Array:
    """Return (N,) angles between rotations in radians, in [0, pi]; NaN where one is unknown.

    Exact near both ends (atan2, PITFALLS 5).

    Args:
        found: (N, 4) ``cam_from_object``; NaN where unknown.
        true: (N, 4), the same.
        folds: (N,) symmetry of each object, as in :data:`sightline.records.objects.SYMMETRY`; 1
            for none.

    Source: Mahendran et al. 2018, Eq. 4.
    """

    def angle(a: Array, b: Array, fold: int) -> Array:
        return rotation_angle(a, b) if fold == 1 else symmetric_angle(a, b, fold)

    return _errors(found, true, folds, angle)


def azimuth_errors(found: ArrayLike, true: ArrayLike, folds: ArrayLike = 1) -> Array:
    """Return (N,) differences of azimuths on the circle in radians; NaN where one is unknown.

    In [0, pi] (PITFALLS 7). Where an object looks the same ``fold`` times in a turn, modulo that;
    0 where it looks the same from everywhere.

    Args:
        found: (N, 4) ``cam_from_object``; NaN where unknown.
        true: (N, 4), the same.
        folds: (N,) as in :func:`rotation_errors`.
    """

    def difference(a: Array, b: Array, fold: int) -> Array:
        if fold == 0:
            return np.zeros(len(a))
        turn = 2.0 * np.pi / fold
        ahead = (viewpoint(a)[0] - viewpoint(b)[0]) % turn
        nearest: Array = np.minimum(ahead, turn - ahead)
        return nearest

    return _errors(found, true, folds, difference)


def errors_of(
    predictions: ObjectPredictions, rule: str | None = None, kind: str = "rotation"
) -> Array:
    """Return (N,) errors in radians; NaN where there is no true pose.

    Args:
        predictions: Of N objects.
        rule: One of ``RULES``; the run's own where None.
        kind: One of :data:`ERRORS`.
    """
    folds: ArrayLike = symmetry_folds(predictions) if kind.endswith("_symmetric") else 1
    error = rotation_errors if kind.startswith("rotation") else azimuth_errors
    return error(predictions.of(rule), predictions.true, folds)


def symmetry_folds(predictions: ObjectPredictions) -> NDArray[np.int64]:
    """Return (N,) how often each object looks the same in a turn; 1 where its kind is unknown."""
    return np.array([SYMMETRY.get(name, 1) for name in predictions.names()], dtype=np.int64)


def ranked(probabilities: Array) -> NDArray[np.int64]:
    """Return (N, K) categories, the likeliest first; of equal ones the first."""
    order: NDArray[np.int64] = np.argsort(-probabilities, axis=1, kind="stable")
    return order


def in_top(predictions: ObjectPredictions, k: int) -> Mask:
    """Return (N,) whether the true category is among the k likeliest; False where unknown."""
    top = ranked(predictions.probabilities)[:, :k]
    mask: Mask = (top == predictions.category[:, None]).any(axis=1)
    return mask


def top_errors(predictions: ObjectPredictions, k: int, kind: str = "rotation") -> Array:
    """Return (N,) the least error among the poses of the k likeliest categories (Table 13)."""
    least: Array = np.fmin.reduce([errors_of(predictions, f"top{i + 1}", kind) for i in range(k)])
    return least


def right_mask(predictions: ObjectPredictions, rule: str | None = None) -> Mask:
    """Return (N,) whether category and pose (nearer than pi/6, symmetry granted) are right."""
    near = errors_of(predictions, rule, "rotation_symmetric") < RIGHT_RAD
    mask: Mask = in_top(predictions, 1) & near
    return mask


def by_category(
    values: Array, category: NDArray[np.int64], names: Sequence[str], score: Callable[[Array], Any]
) -> dict[str, Any]:
    """Return a score of each category, their ``mean``, and that of ``all``; None without objects.

    Args:
        values: (N,) NaN ones are left out.
        category: (N,) true categories; -1 where unknown.
        names: Of the categories.
        score: From (M,) values to a number.
    """
    known = ~np.isnan(values)
    parts = {name: values[known & (category == i)] for i, name in enumerate(names)}
    scores = {name: float(score(part)) if len(part) else None for name, part in parts.items()}
    there = [value for value in scores.values() if value is not None]
    return {
        "mean": float(np.mean(there)) if there else None,
        "all": float(score(values[known])) if known.any() else None,
        "by_category": scores,
    }


def angle_scores(
    errors: Array, category: NDArray[np.int64], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the scores of (N,) errors in radians, each as :func:`by_category` has it.

    ``median_deg``: the viewpoint error (pose-err); ``accuracy_pi_6``, ``accuracy_pi_18`` and
    ``within_22_5_deg``, ``within_45_deg`` (P%): shares of smaller errors; ``aaai``: the mean of
    1 - error / pi.

    Source: Mahendran et al. 2018, Sec. 4.4; the last three are Elhoseiny et al.'s.
    """
    measures: dict[str, Callable[[Array], Any]] = {
        "median_deg": lambda e: np.rad2deg(np.median(e)),
        "accuracy_pi_6": lambda e: np.mean(e < np.pi / 6),
        "accuracy_pi_18": lambda e: np.mean(e < np.pi / 18),
        "within_22_5_deg": lambda e: np.mean(e < np.pi / 8),
        "within_45_deg": lambda e: np.mean(e < np.pi / 4),
        "aaai": lambda e: np.mean(1.0 - e / np.pi),
    }
    return {key: by_category(errors, category, names, measure) for key, measure in measures.items()}


def score_predictions(predictions: ObjectPredictions) -> dict[str, Any]:
    """Return every score of saved predictions, as a JSON-like table.

    Returns:
        ``objects``, ``without_pose``, ``without_category`` (counts), ``counts`` of each category,
        ``rule``; ``category``: ``accuracy`` and ``confusion`` (rows: true, columns: found);
        ``rules``: by rule ``rotation``, ``rotation_symmetric``, ``azimuth``, ``azimuth_symmetric``
        (:func:`angle_scores`) and ``joint``, the share with category and pose right; ``top_k``:
        by ``1``, ``2``, ``3`` and ``GT``, Table 13; ``confidence``: :func:`confidence_scores`.
    """
    p = predictions
    counts = {name: int((p.category == i).sum()) for i, name in enumerate(p.categories)}
    return {
        "objects": len(p),
        "without_pose": int(np.isnan(p.true).any(axis=1).sum()),
        "without_category": int((p.category < 0).sum()),
        "counts": counts,
        "rule": p.rule,
        "categories": list(p.categories),
        "category": {"accuracy": _accuracy(p, 1), "confusion": confusion(p).tolist()},
        "rules": {rule: _rule_scores(p, rule) for rule in (*OWN_RULES, "oracle")},
        "top_k": _top_k(p),
        "confidence": confidence_scores(p),
    }


def confusion(predictions: ObjectPredictions) -> NDArray[np.int64]:
    """Return (K, K) counts: of each true category (rows), what was found (columns)."""
    p = predictions
    found = ranked(p.probabilities)[:, 0]
    known = p.category >= 0
    counts = np.zeros((len(p.categories),) * 2, dtype=np.int64)
    np.add.at(counts, (p.category[known], found[known]), 1)
    return counts


def confidence_scores(predictions: ObjectPredictions) -> dict[str, Any]:
    """Return how confidences compare with what came true (:func:`right_mask`).

    Returns:
        ``bins`` of a tenth each (``confidence`` its middle, ``objects``, ``mean_confidence``,
        ``right``); ``error``: the mean gap of the last two over the objects (expected calibration
        error); ``brier``; ``coverage``: for shares of the most confident objects, the share that
        is ``right`` and the median error ``median_deg`` (symmetry granted). Of objects with true
        category and pose; None where there are none.
    """
    errors = errors_of(predictions, None, "rotation_symmetric")
    known = (predictions.category >= 0) & ~np.isnan(errors)
    said, right = predictions.confidence[known], right_mask(predictions)[known]
    if not known.any():
        return {"bins": [], "error": None, "brier": None, "coverage": []}
    at = np.minimum((said * _CONFIDENCE_BINS).astype(np.int64), _CONFIDENCE_BINS - 1)
    bins = [
        {
            "confidence": (i + 0.5) / _CONFIDENCE_BINS,
            "objects": int((at == i).sum()),
            "mean_confidence": float(said[at == i].mean()),
            "right": float(right[at == i].mean()),
        }
        for i in np.unique(at).tolist()
    ]
    gap = sum(b["objects"] * abs(b["mean_confidence"] - b["right"]) for b in bins)
    return {
        "bins": bins,
        "error": float(gap / len(said)),
        "brier": float(np.mean((said - right) ** 2)),
        "coverage": _coverage(said, right, errors[known]),
    }


def constant_predictions(
    train: Sequence[ObjectView], test: Sequence[ObjectView], categories: Sequence[str]
) -> ObjectPredictions:
    """Return the answers of one who looks at nothing and knows the training objects.

    Always the most usual category, and the most usual view: the one with most training views
    within pi/6 of it. By ``oracle``, who is told the category, the most usual view of that one; by
    ``top2`` and ``top3`` the most usual views of the second and third most usual category.

    Args:
        train: Training objects; those of other categories or without a pose teach nothing.
        test: Objects that are judged.
        categories: K names.

    Raises:
        InputError: No training object has a pose and one of the categories.
    """
    names = list(categories)
    index = {name: i for i, name in enumerate(names)}
    known = [v for v in train if v.category in index]
    kinds = np.array([index[v.category] for v in known], dtype=np.int64)
    turns = rotations(tuple(known))
    posed = ~np.isnan(turns).any(axis=1)
    if not posed.any():
        raise InputError(
            f"training objects with a pose are wanted ({', '.join(names)}), there is none"
        )
    share = np.bincount(kinds, minlength=len(names)) / len(kinds)
    usual = np.full((len(names), 4), np.nan)
    for kind in np.unique(kinds[posed]).tolist():
        usual[kind] = most_usual(turns[posed & (kinds == kind)])
    category = np.array([index.get(v.category, -1) for v in test], dtype=np.int64)
    n = len(test)
    every = np.tile(most_usual(turns[posed]), (n, 1))
    order = [*ranked(share[None])[0].tolist(), *[-1] * len(RULES)]
    with_none = np.vstack([usual, np.full((1, 4), np.nan)])  # row -1: no such category
    by_rule = dict.fromkeys(OWN_RULES, every) | {"oracle": with_none[category]}
    by_rule |= {f"top{k + 1}": np.tile(with_none[order[k]], (n, 1)) for k in (1, 2)}
    return ObjectPredictions(
        tuple(names),
        tuple(view.image.as_posix() for view in test),
        np.array([view.box for view in test], dtype=np.float64).reshape(-1, 4),
        category,
        rotations(tuple(test)),
        np.tile(share, (n, 1)),
        by_rule,
        "top1",
        np.full(n, share.max()),
        np.zeros(n),
    )


def most_usual(q_wxyz: Array) -> Array:
    """Return the (4,) of (N, 4) rotations with most others within pi/6; of equals the first.

    Of many, 2000 are looked at, evenly apart in their order.
    """
    step = -(-len(q_wxyz) // _MOST_VIEWS)
    q = canonical_wxyz(q_wxyz[::step])
    near = np.abs(q @ q.T) > np.cos(np.pi / 12)  # half the angle between rotations
    usual: Array = q[int(near.sum(axis=1).argmax())]
    return usual


def _errors(
    found: ArrayLike, true: ArrayLike, folds: ArrayLike, angle: Callable[[Array, Array, int], Array]
) -> Array:
    a, b = np.asarray(found, dtype=np.float64), np.asarray(true, dtype=np.float64)
    fold = np.broadcast_to(np.asarray(folds, dtype=np.int64), len(b))
    known = ~(np.isnan(a) | np.isnan(b)).any(axis=1)
    errors = np.full(len(b), np.nan)
    for one in np.unique(fold[known]).tolist():
        rows = known & (fold == one)
        errors[rows] = angle(a[rows], b[rows], one)
    return errors


def _accuracy(p: ObjectPredictions, k: int) -> dict[str, Any]:
    right = np.where(p.category >= 0, in_top(p, k).astype(np.float64), np.nan)
    return by_category(right, p.category, p.categories, np.mean)


def _rule_scores(p: ObjectPredictions, rule: str) -> dict[str, Any]:
    table: dict[str, Any] = {
        kind: angle_scores(errors_of(p, rule, kind), p.category, p.categories) for kind in ERRORS
    }
    known = (p.category >= 0) & ~np.isnan(errors_of(p, rule))
    right = np.where(known, right_mask(p, rule).astype(np.float64), np.nan)
    if rule == "oracle":  # who is told the category has it right
        near = errors_of(p, rule, "rotation_symmetric") < RIGHT_RAD
        right = np.where(known, near.astype(np.float64), np.nan)
    return table | {"joint": by_category(right, p.category, p.categories, np.mean)}


def _top_k(p: ObjectPredictions) -> dict[str, dict[str, Any]]:
    def row(accuracy: Mapping[str, Any] | None, kinds: Mapping[str, Array]) -> dict[str, Any]:
        medians = {
            kind: angle_scores(errors, p.category, p.categories)["median_deg"]
            for kind, errors in kinds.items()
        }
        return {"accuracy": None if accuracy is None else dict(accuracy), **medians}

    kinds = ("rotation", "rotation_symmetric")
    table = {
        str(k): row(_accuracy(p, k), {kind: top_errors(p, k, kind) for kind in kinds})
        for k in (1, 2, 3)
    }
    return table | {"GT": row(None, {kind: errors_of(p, "oracle", kind) for kind in kinds})}


def _coverage(said: Array, right: Mask, errors: Array) -> list[dict[str, float]]:
    order = np.argsort(-said, kind="stable")
    rows = []
    for share in _COVERAGES:
        taken = order[: max(1, round(share * len(order)))]
        rows.append(
            {
                "coverage": share,
                "right": float(right[taken].mean()),
                "median_deg": float(np.rad2deg(np.median(errors[taken]))),
            }
        )
    return rows
