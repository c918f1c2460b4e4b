"""Numbers that networks give, checked and brought into the machines' form; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError
from sightline.tasks.utility.machines.machine import Classified, Detected

#: More boxes than these, the best, are of no use to any score (COCO's own limit).
MOST_BOXES = 100

#: How far from 1 a row of probabilities may sum: half precision and 8 bits round.
_ROUNDING = 0.02


def of_logits(logits: Any, name: str) -> Classified:
    """Return the softmax of (N, C) logits, with the energy score -logsumexp (Liu et al. 2020).

    Raises:
        GeometryError: One is not finite; the message names the machine.
    """
    values = np.asarray(logits, dtype=np.float64)
    _require_finite(values, name)
    top = values.max(axis=1, keepdims=True)
    spread = np.exp(values - top)
    total = spread.sum(axis=1, keepdims=True)
    energy = -(top + np.log(total))[:, 0]
    return Classified((spread / total).astype(np.float32), energy.astype(np.float32))


def of_probabilities(values: Any, name: str) -> Classified:
    """Return (N, C) probabilities whose rows sum to 1; they tell no energy.

    Rows of 8-bit outputs sum to less, because small numbers are rounded away: what is missing is
    spread over all classes. Scaling rows up would make 0.3 of a row that sums to 0.3 certain.

    Raises:
        GeometryError: One is not finite or negative; the message names the machine.
    """
    rows = np.asarray(values, dtype=np.float64)
    _require_finite(rows, name)
    if (rows < -_ROUNDING).any():
        raise GeometryError(
            f"probabilities are wanted of {name}, {rows.min():g} came; logits are said by "
            '`outputs = "logits"` in its .toml'
        )
    rows = rows.clip(min=0.0)
    total = rows.sum(axis=1, keepdims=True)
    rows = rows / np.maximum(total, 1.0) + (1.0 - np.minimum(total, 1.0)) / rows.shape[1]
    return Classified(rows.astype(np.float32), np.full(len(rows), np.nan, dtype=np.float32))


def are_probabilities(rows: Any) -> bool:
    """Return whether (N, C) numbers are probabilities of classes that exclude each other."""
    values = np.asarray(rows, dtype=np.float64)
    inside = bool((values >= -1e-6).all() and (values <= 1 + 1e-6).all())
    return inside and bool((np.abs(values.sum(axis=1) - 1) <= _ROUNDING).all())


def without_class(found: Classified, index: int) -> Classified:
    """Return what is said of all classes but one, scaled so that rows sum to 1."""
    kept = np.delete(found.probabilities.astype(np.float64), index, axis=1)
    # where all is the class left out, the others are equally unlikely
    total = kept.sum(axis=1, keepdims=True)
    rest = np.where(total > 0, kept / np.where(total > 0, total, 1.0), 1.0 / kept.shape[1])
    return Classified(rest.astype(np.float32), found.energy)


def joined(parts: Sequence[Classified], classes: int) -> Classified:
    """Return what was said of several batches as of one."""
    if not parts:
        empty = np.zeros((0, classes), dtype=np.float32)
        return Classified(empty, np.zeros(0, dtype=np.float32))
    return Classified(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.energy for part in parts]),
    )


def detected(boxes: Any, labels: Any, scores: Any, shape: Sequence[int]) -> Detected:
    """Return boxes cut to a picture, best first, the best 100 at most.

    Args:
        boxes: (n, 4) ``x0, y0, x1, y1`` in the picture's pixels.
        labels: (n,).
        scores: (n,).
        shape: The picture's height, width ...
    """
    height, width = shape[:2]
    inside = np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0.0,
                     [width, height, width, height])  # fmt: skip
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    names = np.asarray(labels).reshape(-1).astype(np.int64)
    order = np.argsort(-values, kind="stable")
    order = order[((inside[order, 2:] - inside[order, :2]) > 0).all(axis=1)][:MOST_BOXES]
    return Detected(
        inside[order].astype(np.float32), names[order], values[order].astype(np.float32)
    )


def _require_finite(values: NDArray[np.float64], name: str) -> None:
    if not np.isfinite(values).all():
        raise GeometryError(f"finite outputs are wanted of {name}, NaN or infinity came")
