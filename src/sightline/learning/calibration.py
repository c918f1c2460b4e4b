"""From what speaks for an answer to how likely it is right; imports without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array

#: Fewer answers, or fewer of either outcome, say too little for more than one number.
_LEAST, _LEAST_OF_EACH = 50, 5

#: Pull of the weights towards zero, which holds them where the outcomes separate.
_SHRINK = 1e-3


def fit_confidence(
    evidence: Array, right: NDArray[np.bool_], signs: Sequence[int] = ()
) -> tuple[float, ...]:
    """Return (1 + K) weights of a logistic function: of a constant, and of each number.

    Fitted by maximum likelihood with a little shrinkage on standardised numbers. Empty where there
    are too few answers: one share for all is then the honest answer.

    Args:
        evidence: (N, K) what speaks for each answer.
        right: (N,) whether it was right.
        signs: K of 1 where a larger number may only speak for an answer, -1 where it may only
            speak against it, 0 where that is open; all are where none are given. Numbers that
            hardly vary here would else be trusted the wrong way round where they do.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    few = min(int(right.sum()), int((~right).sum())) < _LEAST_OF_EACH
    if len(right) < _LEAST or few or not np.isfinite(evidence).all():
        return ()
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0)
    # a number that is always the same says nothing; its rounding errors must not be blown up
    scale = np.where(spread > 1e-9 * (1.0 + np.abs(mean)), spread, np.inf)
    design = np.column_stack([np.ones(len(right)), (evidence - mean) / scale])
    target = right.astype(np.float64)

    def cost(weights: Array) -> tuple[float, Array]:
        score = design @ weights
        likely = np.logaddexp(0.0, score) - target * score
        gradient = design.T @ (expit(score) - target) / len(target)
        pull = np.concatenate([[0.0], weights[1:]])
        return float(likely.mean() + 0.5 * _SHRINK * pull @ pull), gradient + _SHRINK * pull

    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [limits[0], *(limits[sign] for sign in signs or [0] * evidence.shape[1])]
    found = minimize(cost, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    own = found[1:] / scale
    return (float(found[0] - own @ mean), *(float(w) for w in own))


def confidences(weights: tuple[float, ...], evidence: Array) -> Array:
    """Return (N,) probabilities by :func:`fit_confidence`'s weights from (N, K) numbers."""
    from scipy.special import expit

    likely: Array = expit(weights[0] + evidence @ np.array(weights[1:]))
    return likely
