"""Losses that let outliers go."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from sightline.errors import InputError
from sightline.geometry.rotation import Array

Loss = Literal["squared", "huber", "cauchy", "geman-mcclure"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


def robust_loss(loss: Loss, squared: Array, scale: float) -> tuple[Array, Array]:
    """Return the losses and the weights of squared residuals.

    Near zero every loss is the squared residual and every weight is 1 (Zhang 1997, Table 1).

    Args:
        loss: Which.
        squared: (N,) squared residuals, in squared standard deviations.
        scale: Residual from which on outliers are suspected.

    Raises:
        InputError: No loss is called so.
    """
    if loss == "squared":
        return squared, np.ones_like(squared)
    limit = scale**2
    if loss == "cauchy":
        return limit * np.log1p(squared / limit), 1.0 / (1.0 + squared / limit)
    if loss == "geman-mcclure":
        share = limit / (limit + squared)
        return squared * share, share**2
    if loss == "huber":
        over = np.sqrt(np.maximum(squared, limit))
        return np.where(squared <= limit, squared, 2.0 * scale * over - limit), scale / over
    raise InputError(f"a loss of {', '.join(LOSSES)} is wanted, {loss!r} came")
