"""Errors of depth maps as the depth report prints them, from sums that stream over images.

``a1, a2, a3, abs_rel, rmse, log_10, rmse_log, silog, sq_rel`` are those of the code that published
them (ZoeDepth's and Depth Anything's ``compute_errors``): each is computed over the judged pixels
of one image, and a table shows the mean over images, every image counting alike. Here both that
mean and the figures over all pixels together (``pooled``) are kept: an RMSE of pooled pixels is
larger than the mean of RMSEs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError

Crop = Literal["none", "eigen", "eigen_kitti", "garg"]
CROPS: tuple[Crop, ...] = get_args(Crop)

#: In the order that the report prints them, with the direction in which they are better.
METRICS: dict[str, Literal["higher", "lower"]] = {
    "a1": "higher",
    "a2": "higher",
    "a3": "higher",
    "abs_rel": "lower",
    "rmse": "lower",
    "log_10": "lower",
    "rmse_log": "lower",
    "silog": "lower",
    "sq_rel": "lower",
}

#: Caps of the published protocols: NYUv2's and KITTI's, in metres.
MIN_DEPTH_M = 1e-3
NYU_MAX_DEPTH_M = 10.0
KITTI_MAX_DEPTH_M = 80.0

#: Pixels of one image's crop as shares of height and width: top, bottom, left, right. Garg's and
#: KITTI's are published as shares, NYUv2's as rows 45 to 471 and columns 41 to 601 of 480x640.
_CROP_SHARES: dict[Crop, tuple[float, float, float, float]] = {
    "none": (0.0, 1.0, 0.0, 1.0),
    "eigen": (45 / 480, 471 / 480, 41 / 640, 601 / 640),
    "eigen_kitti": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
}

#: What is summed over pixels: all figures follow from it, of one image or of many.
_SUMS = ("n", "a1", "a2", "a3", "rel", "rel2", "square", "log10", "log", "log2")


@dataclass
class ScoreTotals:
    """The scores of images as they come by; holds sums, no pixels.

    Attributes:
        images: How many were added.
        pixels: How many pixels of them were judged.
    """

    images: int = 0
    pixels: int = 0
    _means: dict[str, float] = field(default_factory=lambda: dict.fromkeys(METRICS, 0.0))
    _sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(_SUMS)))

    def add(self, sums: NDArray[np.float64]) -> dict[str, float]:
        """Take one image's :func:`depth_sums` in and return its scores.

        Raises:
            InputError: No pixel of it is judged.
        """
        scores = scores_of_sums(sums)
        for name in METRICS:
            self._means[name] += scores[name]
        self._sums += sums
        self.images += 1
        self.pixels += int(sums[0])
        return scores

    def mean(self) -> dict[str, float | None]:
        """Return the means over images, as tables show them; None before the first image."""
        if not self.images:
            return dict.fromkeys(METRICS)
        return {name: value / self.images for name, value in self._means.items()}

    def pooled(self) -> dict[str, float | None]:
        """Return the scores of all judged pixels together; None before the first image."""
        if not self.images:
            return dict.fromkeys(METRICS)
        return dict(scores_of_sums(self._sums))


def depth_scores(
    predicted_m: NDArray[Any], true_m: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """Return the nine scores of one image, see :data:`METRICS`.

    Args:
        predicted_m: (H, W) z-depth in metres, above zero where judged (:func:`clamp_depth`).
        true_m: (H, W) z-depth in metres.
        valid: (H, W), the judged pixels; where None, all whose truth is known.

    Returns:
        ``a1..a3``: shares with max(p/t, t/p) strictly below 1.25, 1.25^2, 1.25^3; ``abs_rel``
        mean |p-t|/t; ``sq_rel`` mean (p-t)^2/t in m; ``rmse`` in m; ``log_10`` mean |log10 p/t|;
        ``rmse_log`` of natural logarithms; ``silog`` their standard deviation times 100.

    Raises:
        InputError: No pixel is judged, or a judged prediction is not above zero.
    """
    return scores_of_sums(depth_sums(predicted_m, true_m, valid))


def depth_sums(
    predicted_m: NDArray[Any], true_m: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return what :class:`ScoreTotals` adds up, of one image; arguments as :func:`depth_scores`."""
    if valid is None:
        valid = known_depth(true_m)
    p = np.asarray(predicted_m)[valid].astype(np.float64)
    t = np.asarray(true_m)[valid].astype(np.float64)
    if not (np.isfinite(p) & (p > 0)).all():
        raise InputError("predicted depth above zero is wanted in every judged pixel; clamp it")
    ratio = np.maximum(p / t, t / p)
    error, log = p - t, np.log(p) - np.log(t)
    return np.array(
        [
            p.size,
            *(np.count_nonzero(ratio < 1.25**power) for power in (1, 2, 3)),
            (np.abs(error) / t).sum(),
            (error**2 / t).sum(),
            (error**2).sum(),
            np.abs(log).sum() / np.log(10.0),
            log.sum(),
            (log**2).sum(),
        ],
        np.float64,
    )


def scores_of_sums(sums: NDArray[np.float64]) -> dict[str, float]:
    """Return the scores that sums of pixels stand for.

    Raises:
        InputError: They are of no pixel.
    """
    if sums[0] < 1:
        raise InputError("pixels with known depth are wanted to score, there is none")
    of = dict(zip(_SUMS, (sums / sums[0]).tolist(), strict=True))
    return {
        "a1": of["a1"],
        "a2": of["a2"],
        "a3": of["a3"],
        "abs_rel": of["rel"],
        "rmse": float(np.sqrt(of["square"])),
        "log_10": of["log10"],
        "rmse_log": float(np.sqrt(of["log2"])),
        # rounding can leave a variance of nothing just below zero
        "silog": 100.0 * float(np.sqrt(max(of["log2"] - of["log"] ** 2, 0.0))),
        "sq_rel": of["rel2"],
    }


def known_depth(true_m: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where depth is known, (H, W): finite and above zero."""
    known: NDArray[np.bool_] = np.isfinite(true_m) & (np.nan_to_num(true_m) > 0)
    return known


def judged_pixels(
    true_m: NDArray[Any],
    crop: Crop = "none",
    min_depth_m: float = MIN_DEPTH_M,
    max_depth_m: float = NYU_MAX_DEPTH_M,
) -> NDArray[np.bool_]:
    """Return the pixels that count, (H, W): inside the crop, truth strictly between the caps."""
    true_m = np.asarray(true_m)
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(true_m) & (true_m > min_depth_m) & (true_m < max_depth_m)
    inside = np.zeros(kept.shape, bool)
    rows, columns = crop_slices((kept.shape[0], kept.shape[1]), crop)
    inside[rows, columns] = True
    judged: NDArray[np.bool_] = kept & inside
    return judged


def crop_slices(shape: tuple[int, int], crop: Crop) -> tuple[slice, slice]:
    """Return the rows and columns of a crop, scaled to a picture of (height, width).

    Raises:
        InputError: No such crop.
    """
    if crop not in _CROP_SHARES:
        raise InputError(f"a crop of {', '.join(CROPS)} is wanted, {crop!r} came")
    height, width = shape
    top, bottom, left, right = _CROP_SHARES[crop]
    # a product such as 471/480 * 480 may end just below the whole number
    near = 1e-9
    return (
        slice(int(top * height + near), int(bottom * height + near)),
        slice(int(left * width + near), int(right * width + near)),
    )


def clamp_depth(
    predicted_m: NDArray[Any],
    min_depth_m: float = MIN_DEPTH_M,
    max_depth_m: float = NYU_MAX_DEPTH_M,
) -> NDArray[np.float32]:
    """Return a prediction within the caps, as the published code puts it there.

    Below the least, negative or NaN becomes the least; above the largest or infinite the largest.
    A pixel without an answer is thus wrong, not left out.
    """
    filled = np.nan_to_num(
        np.asarray(predicted_m, np.float32), nan=min_depth_m, posinf=max_depth_m, neginf=min_depth_m
    )
    clamped: NDArray[np.float32] = np.clip(filled, min_depth_m, max_depth_m).astype(np.float32)
    return clamped
