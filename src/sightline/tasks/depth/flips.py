"""How sure a network is, asked of the mirrored picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.tasks.depth.align import fit_robust
from sightline.tasks.depth.maps import DepthMap

#: Pixels that the fit is made on.
_FITTED = 2048

Predict = Callable[[NDArray[np.uint8]], DepthMap]


def predict_flipped(
    predict: Predict, image: NDArray[np.uint8]
) -> tuple[DepthMap, NDArray[np.float32]]:
    """Return the mean of a picture's and its mirrored picture's map, and half their difference.

    The mirrored map of a relative network is fitted to the other in scale and shift first.

    Args:
        predict: What a picture is given to.
        image: uint8 (H, W, 3) RGB.

    Returns:
        The mean, and (H, W) float32 in the same quantity and unit.
    """
    first = predict(image)
    mirrored = predict(np.ascontiguousarray(image[:, ::-1]))
    second = mirrored.values[:, ::-1].astype(np.float64)
    if first.unit == "relative":
        second = _fitted(second, first.values)
    mean = 0.5 * (first.values + second)
    spread = 0.5 * np.abs(first.values - second)
    both = DepthMap(mean.astype(np.float32), first.quantity, first.unit)
    return both, spread.astype(np.float32)


def _fitted(values: NDArray[np.float64], target: NDArray[np.float32]) -> NDArray[np.float64]:
    step = max(1, int(np.sqrt(values.size / _FITTED)))
    try:
        fit = fit_robust(values[::step, ::step], target[::step, ::step])
    except InputError:  # one of the maps is flat: nothing to fit
        return values
    return fit.scale * values + fit.shift
