"""Predictors that never look at the picture; a network must beat them to be worth anything.

``constant`` says one disparity for every pixel, ``row_mean`` the mean disparity of each row: what
is low in a picture is near. Both are fitted on depth sets image by image, so that no set has to fit
in memory. Fitted on the judged images themselves they know distances that no network knows, though
not the best rows once scale and shift are fitted image by image; tables say on what they were
fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.depth import DepthSet, Quantity
from sightline.records.files import digest
from sightline.tasks.depth.maps import DepthMap, Unit
from sightline.tasks.depth.metrics import MIN_DEPTH_M

#: Relative heights at which ``row_mean`` holds a disparity.
ROWS = 120

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class RowMeanDepth:
    """One disparity for each relative height; a :class:`DepthModel` in metres.

    Attributes:
        rows: (R,) float64, disparity in 1/m at the relative heights (r + 0.5) / R, top first.
        fitted_on: What tables say of it.
        name: As tables show it.
    """

    rows: NDArray[np.float64]
    fitted_on: str
    name: str = "row_mean"

    @property
    def digest(self) -> str:
        """Of its numbers."""
        return digest(self.name, self.rows)

    @property
    def quantity(self) -> Quantity:
        """Disparity."""
        return "disparity"

    @property
    def unit(self) -> Unit:
        """1/m: it was fitted on metres."""
        return "m"

    def map_of(self, shape: tuple[int, int]) -> DepthMap:
        """Return the map of any picture of (height, width)."""
        height, width = shape
        at = (np.arange(height) + 0.5) / height
        held = (np.arange(len(self.rows)) + 0.5) / len(self.rows)
        column = np.interp(at, held, self.rows).astype(np.float32)
        return DepthMap(np.repeat(column[:, None], width, axis=1), "disparity", "m")

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap]:
        """Return a map for each picture; only its size matters."""
        return [self.map_of((image.shape[0], image.shape[1])) for image in images]


@dataclass(frozen=True, eq=False)
class ConstantDepth(RowMeanDepth):
    """One disparity for every pixel: ``rows`` holds one."""

    name: str = "constant"


def fit_baselines(
    data: DepthSet,
    fitted_on: str,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    min_depth_m: float = MIN_DEPTH_M,
    max_depth_m: float = np.inf,
) -> tuple[ConstantDepth, RowMeanDepth]:
    """Return both, fitted on the known depth of a set; images that do not read are passed over.

    Every pixel counts alike. Rows without any depth (a LiDAR sees no sky) take their neighbours'.

    Args:
        data: Items of the quantity ``depth`` count.
        fitted_on: What tables say of it.
        progress: Called with a stage text and the fraction done.
        min_depth_m: Depth must be above it to count.
        max_depth_m: Depth must be below it to count.

    Raises:
        InputError: No depth is known.
    """
    sums, counts = np.zeros(ROWS), np.zeros(ROWS)
    for index, item in enumerate(data.items):
        progress("fit the predictors that do not look", index / len(data))
        if item.depth is None or item.quantity != "depth":
            continue
        try:
            depth = data.read_target(item)
        except InputError:
            continue  # whoever judges it names it
        with np.errstate(invalid="ignore"):
            known = (depth > min_depth_m) & (depth < max_depth_m)
        inverse = (1.0 / np.where(known, depth, 1.0)) * known
        rows = ((np.arange(len(depth)) + 0.5) / len(depth) * ROWS).astype(int)
        sums += np.bincount(rows, inverse.sum(axis=1, dtype=np.float64), minlength=ROWS)
        counts += np.bincount(rows, known.sum(axis=1), minlength=ROWS)
    if not counts.any():
        raise InputError(
            f"{data.root}: images with depth in metres are wanted to fit the constant predictors, "
            "there are none"
        )
    seen = np.flatnonzero(counts)
    means = np.interp(np.arange(ROWS), seen, sums[seen] / counts[seen])
    constant = ConstantDepth(np.array([sums.sum() / counts.sum()]), fitted_on)
    return constant, RowMeanDepth(means, fitted_on)
