"""How likely a two-view answer is right, from what its matches look like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.reconstruction.two_view.estimation import Matches, parallax_deg
from sightline.reconstruction.two_view.matching import grid_coverage

#: Weights of a constant and of ``Evidence.vector``, fitted to "ROE and RTE below 10 degrees" on 459
#: answers to rendered pairs by ``python benchmarks/relative_confidence.py ROOMS --limit 120``. On
#: 446 answers in other rooms: Brier score 0.062, said and held differ by 0.03 on average. That the
#: inliers' own weight is slightly negative is no slip: at one coverage, more of them stand closer.
WEIGHTS = (-5.665, -0.541, 3.671, 0.794, 23.228)

#: Parallax assumed where only a rotation is told, which needs none.
_PARALLAX_OF_A_ROTATION_DEG = 5.0


@dataclass(frozen=True)
class Evidence:
    """What speaks for an answer.

    Attributes:
        inliers: Matches that agree.
        share: Inliers over matches.
        parallax_deg: Median angle between the rays of the inliers.
        coverage: Share of an 8 x 8 grid's cells with an inlier, of the image with fewer.
    """

    inliers: int
    share: float
    parallax_deg: float
    coverage: float

    @property
    def vector(self) -> Array:
        """(4,) what the logistic function weighs: bounded, and on scales of about one."""
        parallax = min(max(self.parallax_deg, 0.05), 20.0)
        return np.array(
            [
                math.log1p(self.inliers),
                self.share,
                math.log(parallax),
                self.coverage,
            ]
        )


def evidence_of(
    pose: Pose,
    matches: Matches,
    inliers: NDArray[np.bool_],
    sizes: tuple[tuple[int, int], tuple[int, int]],
) -> Evidence:
    """Return what speaks for a pose.

    Args:
        pose: b_from_a; with a translation of zero, only its rotation is meant.
        matches: All there were.
        inliers: (N,) those that agree.
        sizes: Width and height of both images.
    """
    agreeing = matches[inliers]
    turned = not pose.translation.any()
    parallax = float(np.median(parallax_deg(pose, agreeing))) if len(agreeing) else 0.0
    return Evidence(
        len(agreeing),
        len(agreeing) / max(1, len(matches)),
        _PARALLAX_OF_A_ROTATION_DEG if turned else parallax,
        min(grid_coverage(agreeing.a_px, sizes[0]), grid_coverage(agreeing.b_px, sizes[1])),
    )


def confidence(evidence: Evidence, weights: tuple[float, ...] = WEIGHTS) -> float:
    """Return the probability that ROE and RTE are both below 10 degrees.

    Of ROE alone where only a rotation is told.
    """
    logit = weights[0] + float(np.dot(weights[1:], evidence.vector))
    return 1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0)))
