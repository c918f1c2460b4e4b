"""A pair set's saved answers beside the truth, and every score that is computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records.pairs import ImagePair
from sightline.tasks.relative.metrics import (
    BASELINE_ANGLE_EDGES_DEG,
    NEAR_VIEWS_DEG,
    OVERLAP_EDGES,
    VIEW_ANGLE_EDGES_DEG,
    Mask,
    PairErrors,
    baseline_angle_deg,
    by_bins,
    moved_mask,
    pair_errors,
    reliability,
    scores,
    view_angle_deg,
)
from sightline.tasks.relative.predictions import Prediction


@dataclass(frozen=True, eq=False)
class JudgedSet:
    """What methods said of a set's pairs.

    Attributes:
        name: Of the set.
        true: (N,) b_from_a.
        moved: (N,) whether the truth has a translation.
        overlap: (N,) share of the view that both see; NaN where unknown.
        answers: Each method's N rows, in the order of the pairs.
        errors: Each method's errors.
    """

    name: str
    true: Pose
    moved: Mask
    overlap: Array
    answers: Mapping[str, Sequence[Prediction]]
    errors: Mapping[str, PairErrors] = field(init=False)

    def __post_init__(self) -> None:
        errors = {}
        for method, rows in self.answers.items():
            said = [row.estimate for row in rows]
            statuses, found = [e.status for e in said], [e.b_from_a for e in said]
            errors[method] = pair_errors(statuses, found, self.true, self.moved)
        object.__setattr__(self, "errors", errors)

    def __len__(self) -> int:
        return len(self.true)

    @classmethod
    def of(
        cls,
        name: str,
        pairs: Sequence[ImagePair],
        methods: Sequence[str],
        rows: Mapping[tuple[str, str, str, str], Prediction],
    ) -> JudgedSet:
        """Return the rows of these pairs and methods, found by their keys.

        Raises:
            InputError: One is not there.
        """
        answers: dict[str, list[Prediction]] = {method: [] for method in methods}
        true, overlap = [], []
        for pair in pairs:
            images = pair.image_a.as_posix(), pair.image_b.as_posix()
            for method in methods:
                row = rows.get((name, *images, method))
                if row is None:
                    raise InputError(
                        f"an answer of {method} for {images[0]}, {images[1]} of {name} is wanted, "
                        "none is saved; run the evaluation again, it goes on"
                    )
                answers[method].append(row)
            if pair.b_from_a is not None:
                true.append(pair.b_from_a)
            overlap.append(np.nan if pair.overlap is None else pair.overlap)
        poses = Pose.stack(true)
        return cls(name, poses, moved_mask(poses), np.array(overlap, dtype=np.float64), answers)

    def part(self, chosen: Mask) -> JudgedSet:
        """Return some of the pairs."""
        index = [int(i) for i in np.flatnonzero(chosen)]
        return JudgedSet(
            self.name,
            self.true[np.array(index, dtype=np.int64)],
            self.moved[chosen],
            self.overlap[chosen],
            {method: [rows[i] for i in index] for method, rows in self.answers.items()},
        )

    def metrics(self, seen: Mask | None = None) -> dict[str, Any]:
        """Return each method's scores as a JSON-like table.

        Args:
            seen: (N,) which pairs' labels a training pair has; None where there was no training.
        """
        return {method: self._scores(method, seen) for method in self.answers}

    def _scores(self, method: str, seen: Mask | None) -> dict[str, Any]:
        errors, rows = self.errors[method], self.answers[method]
        said = [row.estimate for row in rows]
        status = Counter(e.status for e in said)
        seconds = np.array([e.seconds for e in said])
        view_angle = view_angle_deg(self.true)
        # without a translation there is no baseline whose angle could be asked for
        baseline = np.where(self.moved, baseline_angle_deg(self.true), np.nan)
        table = scores(errors) | {
            "answered": status["ok"] + status["rotation_only"],
            "rotation_only": status["rotation_only"],
            "failed": status["failed"],
            "share_answered": 1.0 - status["failed"] / len(rows) if rows else None,
            "median_seconds": float(np.median(seconds)) if rows else None,
            "mean_seconds": float(np.mean(seconds)) if rows else None,
            "near_views": scores(errors[view_angle <= NEAR_VIEWS_DEG]),
            "by_overlap": by_bins(errors, self.overlap, OVERLAP_EDGES),
            "by_view_angle_deg": by_bins(errors, view_angle, VIEW_ANGLE_EDGES_DEG),
            "by_baseline_angle_deg": by_bins(errors, baseline, BASELINE_ANGLE_EDGES_DEG),
            "reliability": reliability([e.confidence for e in said], errors),
            "chains": dict(Counter(e.method for e in said if e.method != method).most_common()),
            "reasons": dict(Counter(e.reason for e in said if e.reason).most_common(5)),
        }
        if seen is not None:
            table["unseen_labels"] = scores(errors[~seen])
        return table
