"""What utility is: Eqs. 1-6 of Khan et al. 2022 (paper 004), and the labels of its Sec. IV.

A machine i gives the true outcome of an image the confidence phi' before and phi after distortion.
Its utility (Eq. 1) is f(phi, phi') of Eq. 2, here :func:`full_reference_utility`; that of several
machines (Eqs. 3 and 4) is an operator over theirs, :func:`combined`. Classification keeps of f only
whether the class is right (Eq. 5), detection whether an object is found at its place (Eq. 6);
labels to train on want more (Sec. IV): :func:`classification_labels`, :func:`detection_label`.

What the paper leaves open, or where it slips, and what is done here:

* f grows with phi': the same phi is of more use where the pristine image was surer, although the
  text speaks of the loss against the pristine image; and f is not 1 where nothing is lost, but
  f = d / (1 - d) with d = phi' - phi_rec. It is kept as printed; only its sign decides.
* For phi' - phi_rec = 1, thus phi_rec = 0 and phi' = 1, the denominator is zero: f is then inf
  (0 where phi = 0 too). Elsewhere the denominator is above zero, and f has the sign of
  phi - phi_rec.
* "The wrong prediction, i.e. phi < phi_rec": with more than two classes a right prediction may
  have less than phi_rec = 0.5. Labels go by the predicted class, as Eq. 5 does, not by f.
* f = 0 is neither "< 0" nor "positive": operators over f take it as of no use.
* Eq. 6 wants a location above 0.5, Sec. IV one of 0.5 or more: 0.5 or more it is, as for scores.
* Images between T_L and T_H get no label. They are counted (``LabelCounts.between``), not lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.records.utility import (
    PAPERS,
    Box,
    MachineLabel,
    Operator,
    Thresholds,
    UtilityTask,
)
from sightline.tasks.utility.machines.machine import Classified, Detected

#: The truth of an image whose class is not known.
UNKNOWN = -1

_Floats = NDArray[np.float64]


def full_reference_utility(
    confidence: ArrayLike, reference: ArrayLike, recognition: float
) -> NDArray[np.float64]:
    """Return f(phi, phi') of each image; see the module's head for its edges.

    Args:
        confidence: phi, of the true outcome on the distorted image, from 0 to 1.
        reference: phi', the same on the pristine image; of a shape that broadcasts.
        recognition: phi_rec, from 0 to 1.

    Source: Khan et al. 2022, Eq. 2.
    """
    phi, pristine = np.asarray(confidence, np.float64), np.asarray(reference, np.float64)
    above = phi - recognition
    below = 1.0 - (pristine - recognition)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = above / below
    return np.where((below == 0) & (above == 0), 0.0, value)


def class_utility(predicted: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Return 1 where the predicted class is the true one, else 0.

    Source: Khan et al. 2022, Eq. 5.
    """
    return np.equal(predicted, truth).astype(np.int64)


def detection_utility(
    predicted: ArrayLike, truth: ArrayLike, location: ArrayLike, least: float = 0.5
) -> NDArray[np.int64]:
    """Return 1 where the label is the true one and the location is good enough, else 0.

    Args:
        predicted: Labels.
        truth: True labels.
        location: phi_loc: here the overlap (intersection over union) with the true box.
        least: That is good enough; Sec. IV has it count, Eq. 6 not.

    Source: Khan et al. 2022, Eq. 6.
    """
    placed = (np.asarray(location) >= least).astype(np.int64)
    return np.multiply(class_utility(predicted, truth), placed)


def classification_labels(
    pristine: Classified,
    distorted: Classified,
    truth: Sequence[int],
    thresholds: Thresholds = PAPERS,
) -> list[MachineLabel]:
    """Return what a classifier says of N distorted images.

    The pristine image must get its true class; else it failed. The distorted one is of use where
    it gets the same class with a probability above T_H, and of none where it gets another and the
    true class less than T_L.

    Args:
        pristine: Of each distorted image's pristine one, (N, C).
        distorted: (N, C).
        truth: Index of the true class in the machine's columns; :data:`UNKNOWN`: what it says of
            the pristine image is taken for true.
        thresholds: T_H, T_L and phi_rec.

    Raises:
        InputError: Shapes that differ, a class the machine does not have, or no probabilities.

    Source: Khan et al. 2022, Sec. IV.
    """
    before, after = _probabilities(pristine), _probabilities(distorted)
    classes = np.asarray(truth, np.int64)
    rows_of = [before.shape[:1], classes.shape, distorted.energy.shape]
    if before.shape != after.shape or any(rows != after.shape[:1] for rows in rows_of):
        raise InputError(
            "a pristine image, a truth and an energy of each distorted image are wanted, "
            f"{before.shape}, {classes.shape} and {distorted.energy.shape} came for {after.shape}"
        )
    if classes.size and (classes.min() < UNKNOWN or classes.max() >= before.shape[1]):
        raise InputError(
            f"a true class from 0 to {before.shape[1] - 1} is wanted, or {UNKNOWN} for unknown; "
            f"{classes.min()} to {classes.max()} came; is the machine made for these classes?"
        )
    first, then = before.argmax(axis=1), after.argmax(axis=1)
    classes = np.where(classes == UNKNOWN, first, classes)
    rows = np.arange(len(classes))
    reference, confidence = before[rows, classes], after[rows, classes]
    stands = class_utility(first, classes) == 1
    right = class_utility(then, classes) == 1
    useful = stands & right & (confidence > thresholds.high)
    useless = stands & ~right & (confidence < thresholds.low)
    values = full_reference_utility(confidence, reference, thresholds.recognition)
    values = np.where(stands, values, np.nan)
    return [
        MachineLabel(1 if yes else 0 if no else None, *map(float, numbers))
        for yes, no, *numbers in zip(
            useful, useless, reference, confidence, values, distorted.energy, strict=True
        )
    ]


def detection_label(
    pristine: Detected,
    distorted: Detected,
    boxes: Sequence[Box],
    labels: Sequence[int],
    thresholds: Thresholds = PAPERS,
) -> MachineLabel:
    """Return what a detector says of one distorted image.

    An object is found where a detection has its label, a score of ``thresholds.score`` or more and
    an overlap of ``thresholds.iou`` or more. The distorted image is of use where an object found on
    the pristine image is found again, of none where none of them is; where none was found on the
    pristine image, that one failed.

    The confidences are those of the object that is best found again: phi of Eq. 2 is the best
    score of the detections at its place with its label, 0 without any; phi_rec is the score wanted.

    Args:
        pristine: Of the pristine image.
        distorted: Of the distorted image, also in the pristine image's pixels.
        boxes: Of the true objects, in the pristine image's pixels.
        labels: Their classes, as the detector counts them.
        thresholds: Score and overlap.

    Raises:
        InputError: As many labels as boxes are wanted, or boxes or scores are not finite.

    Source: Khan et al. 2022, Sec. IV.
    """
    if len(boxes) != len(labels):
        raise InputError(f"a label a box is wanted, {len(labels)} of {len(boxes)} came")
    before = _best_scores(pristine, boxes, labels, thresholds.iou)
    after = _best_scores(distorted, boxes, labels, thresholds.iou)
    found = before >= thresholds.score
    if not found.any():
        best_scores = float(before.max(initial=0.0)), float(after.max(initial=0.0))
        return MachineLabel(None, *best_scores, math.nan)
    # Of equals the one that was surer before; lexsort's last key counts first.
    best = np.lexsort((before, np.where(found, after, -1.0)))[-1]
    reference, confidence = float(before[best]), float(after[best])
    value = float(full_reference_utility(confidence, reference, thresholds.score))
    return MachineLabel(int(confidence >= thresholds.score), reference, confidence, value)


def pristine_objects(
    pristine: Detected, thresholds: Thresholds = PAPERS
) -> tuple[tuple[Box, ...], tuple[int, ...]]:
    """Return the boxes and labels that stand for the truth where the data have none.

    Args:
        pristine: What the machine finds in the pristine image.
        thresholds: The least score.
    """
    sure = pristine.scores >= thresholds.score
    boxes = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in pristine.boxes[sure].tolist())
    return boxes, tuple(pristine.labels[sure].tolist())


def combined(labels: Sequence[MachineLabel], operator: Operator) -> int | None:
    """Return the label of all machines together, None where there is none.

    ``common`` (the paper's): 1 where all say 1, 0 where all say 0. ``majority``: what more than
    half of all machines say, also of those without a label. ``mean`` and ``max``: 1 where that of
    Eq. 2's f over the machines is above 0, else 0; machines that failed on the pristine image are
    left out, and where all failed there is no label. These two label images between the
    thresholds too.

    Raises:
        InputError: There is no machine, or no such operator.

    Source: Khan et al. 2022, Eqs. 3 and 4, and Sec. IV.
    """
    if not labels:
        raise InputError("the label of one machine or more is wanted, none came")
    said = [label.utility for label in labels]
    if operator == "common":
        return said[0] if all(one == said[0] for one in said) else None
    if operator == "majority":
        return next((u for u in (1, 0) if 2 * said.count(u) > len(said)), None)
    values = [label.value for label in labels if not label.failed]
    if operator not in ("mean", "max"):
        raise InputError(f"an operator of common, majority, mean, max is wanted, {operator} came")
    if not values:
        return None
    # The sum has the mean's sign.
    return int((math.fsum(values) if operator == "mean" else max(values)) > 0)


def graded_utility(
    labels: Sequence[MachineLabel], task: UtilityTask, thresholds: Thresholds
) -> float | None:
    """Return how useful an image is, from 0 to 1, by how sure the machines still are of the truth.

    Classification: 0 at T_L and below, 1 at T_H and above, in proportion between. Detection: 1/2 at
    the least score, 0 where the object is not found. The mean over the machines. Beyond the paper,
    which leaves out images between the thresholds and those on which machines differ.

    Returns:
        None where the pristine image failed with a machine, or there is none.
    """
    if not labels or any(label.failed for label in labels):
        return None
    low, high = thresholds.low, thresholds.high
    if task != "classification":
        low, high = 0.0, 2.0 * thresholds.score
    grades = [(one.confidence - low) / max(high - low, 1e-6) for one in labels]
    return math.fsum(min(max(grade, 0.0), 1.0) for grade in grades) / len(grades)


def overlaps(boxes: ArrayLike, others: ArrayLike) -> _Floats:
    """Return (N, M) intersection over union; 0 where a box has no area.

    Args:
        boxes: (N, 4) ``x0, y0, x1, y1``.
        others: (M, 4).
    """
    a = np.asarray(boxes, np.float64).reshape(-1, 1, 4)
    b = np.asarray(others, np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.clip(sides, 0, None), axis=-1)
    areas = [np.prod(np.clip(x[..., 2:] - x[..., :2], 0, None), axis=-1) for x in (a, b)]
    union = areas[0] + areas[1] - shared
    iou: _Floats = np.divide(shared, union, out=np.zeros_like(union), where=shared > 0)
    return iou


def _best_scores(
    detected: Detected,
    boxes: Sequence[Box],
    labels: Sequence[int],
    iou: float,
) -> _Floats:
    """Return (n,) the best score with the right label at each true box; 0 without any."""
    scores = np.asarray(detected.scores, np.float64)
    found = np.asarray(detected.boxes, np.float64).reshape(-1, 4)
    if not (np.isfinite(scores).all() and np.isfinite(found).all()):
        raise InputError("finite boxes and scores are wanted of a detector, NaN or inf came")
    at = overlaps(np.asarray(boxes, np.float64).reshape(-1, 4), found) >= iou
    at &= np.asarray(labels).reshape(-1, 1) == np.asarray(detected.labels).reshape(1, -1)
    best: _Floats = np.where(at, scores, 0.0).max(axis=1, initial=0.0)
    return best


def _probabilities(said: Classified) -> NDArray[np.float32]:
    p = said.probabilities
    if p.ndim != 2 or not p.shape[1] or not np.isfinite(p).all() or p.min(initial=0) < 0:
        raise InputError(
            "probabilities of 0 or more for each image and class are wanted of a classifier, "
            f"{p.shape} came, or NaN among them"
        )
    return p
