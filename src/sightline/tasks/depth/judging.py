"""What is added up while images with depth go by: scores, errors by distance, ratios."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet
from sightline.tasks.depth.align import ALIGNMENT_NAMES, Aligned, Alignment, align_map
from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.metrics import (
    KITTI_MAX_DEPTH_M,
    METRICS,
    NYU_MAX_DEPTH_M,
    Crop,
    ScoreTotals,
    clamp_depth,
    depth_sums,
    judged_pixels,
    known_depth,
)
from sightline.tasks.depth.predictions import Maps

#: Edges of the distances by which errors are shown, in metres.
DISTANCES_M = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0)

#: Edges of log2(predicted / true) in its histogram, the ends taking what is beyond.
RATIO_EDGES = np.linspace(-2.0, 2.0, 81)

#: Edges of log10(metres) in the joint histogram of true (rows) and predicted depth (columns).
JOINT_EDGES = np.linspace(-1.0, 2.0, 61)


@dataclass(frozen=True, eq=False)
class Truth:
    """The true depth of one image, and what of it is judged.

    Attributes:
        depth: (H, W) float32 in metres, NaN where unknown.
        judged: (H, W), the pixels that count.
        min_depth_m: Predictions below it are put there.
        max_depth_m: Predictions above it are put there.
    """

    depth: NDArray[np.float32]
    judged: NDArray[np.bool_]
    min_depth_m: float
    max_depth_m: float


@dataclass(frozen=True)
class Protocol:
    """Which pixels of a set are judged.

    Attributes:
        crop: Part of the picture.
        min_depth_m: Truth above it counts.
        max_depth_m: Truth below it counts; None: 10 where all truth of an image is nearer, else 80.
    """

    crop: Crop
    min_depth_m: float
    max_depth_m: float | None

    def truth(self, data: DepthSet, item: DepthImage) -> Truth:
        """Return an image's true depth and what of it is judged.

        Raises:
            InputError: It has no depth in metres, that does not read, or none of it is judged.
        """
        if item.depth is None:
            raise InputError("without depth")
        if item.quantity != "depth":
            raise InputError("relative depth, no truth in metres")
        depth = data.read_target(item)
        cap = self.max_depth_m
        if cap is None:
            known = depth[known_depth(depth)]
            far = known.size and float(known.max()) >= NYU_MAX_DEPTH_M
            cap = KITTI_MAX_DEPTH_M if far else NYU_MAX_DEPTH_M
        judged = judged_pixels(depth, self.crop, self.min_depth_m, cap)
        if judged.sum() < 2:
            raise InputError("no known depth within the crop and the caps")
        return Truth(depth, judged, self.min_depth_m, cap)

    def said(self) -> str:
        """Return it in words, for tables."""
        if self.max_depth_m is None:
            cap = f"{NYU_MAX_DEPTH_M:g} m, {KITTI_MAX_DEPTH_M:g} m in images with truth beyond"
        else:
            cap = f"{self.max_depth_m:g} m"
        return f"crop {self.crop}, truth between {self.min_depth_m:g} m and {cap}"


def aligned_map(found: DepthMap, truth: Truth, alignment: Alignment) -> Aligned:
    """Return a map of the truth's size in metres, fitted on the judged pixels.

    One that says nothing of them (fewer than two answers) stays without answers, which are wrong.
    """
    if np.count_nonzero(np.isfinite(found.values) & truth.judged) < 2:
        nothing = np.full(truth.depth.shape, np.nan, np.float32)
        return Aligned(nothing, alignment, 1.0, 0.0, 0)
    return align_map(
        found, truth.depth, alignment, valid=truth.judged, max_depth_m=truth.max_depth_m
    )


@dataclass(eq=False)
class Tally:
    """One model's scores under one alignment; no pixels are held.

    Attributes:
        maps: Whose.
        alignment: How they are brought to metres.
        totals: Over all images.
        by_source: Over the images of each scene or room.
        rows: The scores of each image, with ``image``, ``scale``, ``shift``, ``pixels``,
            ``clipped`` and ``unanswered``.
        distance: (3, D): pixels, sums of relative errors, pixels within 1.25, by distance.
        ratios: Histogram of log2(predicted / true).
        joint: Histogram of log true (rows) and log predicted depth.
    """

    maps: Maps
    alignment: Alignment
    totals: ScoreTotals = field(default_factory=ScoreTotals)
    by_source: dict[str, ScoreTotals] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    distance: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, len(DISTANCES_M))))
    ratios: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(RATIO_EDGES) - 1, np.int64)
    )
    joint: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(JOINT_EDGES) - 1,) * 2, np.int64)
    )

    def add(self, image: str, source: str, found: DepthMap, truth: Truth) -> None:
        """Judge one map.

        Args:
            image: Its path as the set names it.
            source: The scene it was taken in; may be empty.
            found: The model's map, of the truth's size.
            truth: What it is judged by.
        """
        aligned = aligned_map(found, truth, self.alignment)
        unanswered = int((truth.judged & ~np.isfinite(aligned.depth)).sum())
        depth = clamp_depth(aligned.depth, truth.min_depth_m, truth.max_depth_m)
        sums = depth_sums(depth, truth.depth, truth.judged)
        scores = self.totals.add(sums)
        self.by_source.setdefault(source, ScoreTotals()).add(sums)
        self.rows.append(
            {"image": image, **scores}
            | {"scale": aligned.scale, "shift": aligned.shift, "pixels": int(sums[0])}
            | {"clipped": aligned.clipped, "unanswered": unanswered}
        )
        self._count(depth[truth.judged], truth.depth[truth.judged])

    def table(self) -> dict[str, Any]:
        """Return the scores as ``metrics.json`` holds them."""
        sources = {
            source: {"images": totals.images, **totals.mean()}
            for source, totals in sorted(self.by_source.items())
            if source
        }
        return {
            "model": self.maps.name,
            "kind": self.maps.kind,
            "quantity": self.maps.quantity,
            "unit": self.maps.unit,
            "alignment": self.alignment,
            "alignment_name": ALIGNMENT_NAMES[self.alignment],
            "images": self.totals.images,
            "pixels": self.totals.pixels,
            "mean": self.totals.mean(),
            "pooled": self.totals.pooled(),
            "clipped": sum(row["clipped"] for row in self.rows),
            "unanswered": sum(row["unanswered"] for row in self.rows),
            "negative_scale": sum(row["scale"] < 0 for row in self.rows),
            "by_source": sources,
            "by_distance": self._by_distance(),
            **self.maps.about,
        }

    def ranked(self) -> list[dict[str, Any]]:
        """Return the rows, the smallest AbsRel first."""
        return sorted(self.rows, key=lambda row: (row["abs_rel"], row["image"]))

    def _count(self, predicted: NDArray[np.float32], true: NDArray[np.float32]) -> None:
        p, t = predicted.astype(np.float64), true.astype(np.float64)
        at = np.searchsorted(DISTANCES_M, t, side="right") - 1
        near = np.maximum(p / t, t / p) < 1.25
        for row, weights in enumerate((np.ones_like(t), np.abs(p - t) / t, near)):
            self.distance[row] += np.bincount(at, weights, minlength=len(DISTANCES_M))
        log_p, log_t = np.log10(p), np.log10(t)
        ratio = np.clip((log_p - log_t) / np.log10(2.0), RATIO_EDGES[0], RATIO_EDGES[-1])
        self.ratios += np.histogram(ratio, RATIO_EDGES)[0]
        self.joint += np.histogram2d(log_t, log_p, (JOINT_EDGES, JOINT_EDGES))[0].astype(np.int64)

    def _by_distance(self) -> list[dict[str, Any]]:
        ends = [*DISTANCES_M[1:], None]
        return [
            {"from_m": low, "to_m": high, "pixels": int(n), "abs_rel": rel / n, "a1": near / n}
            for low, high, (n, rel, near) in zip(DISTANCES_M, ends, self.distance.T, strict=True)
            if n
        ]


#: Columns of ``scores.csv`` after model and alignment.
ROW_COLUMNS = ("image", *METRICS, "scale", "shift", "pixels", "clipped", "unanswered")
