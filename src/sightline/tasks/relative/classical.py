"""Classical methods: a detector, the ratio test, and the five-point algorithm under RANSAC.

The other side of the paper's comparison (Melekhov et al. 2017, Sec. 4: SURF and ORB with OpenCV's
five-point RANSAC), and what is usual today (PoseLib's LO-RANSAC with nonlinear refinement).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sightline.errors import InputError
from sightline.reconstruction.two_view.estimation import Estimator, EstimatorName
from sightline.reconstruction.two_view.features import (
    DETECTORS,
    KeypointCache,
    detector_missing,
    detector_title,
)
from sightline.reconstruction.two_view.solve import image_sizes, in_order, match_views, solve
from sightline.records.views import RelativeEstimate, View

_ESTIMATORS: dict[str, EstimatorName] = {
    "poselib": "poselib",
    "opencv": "opencv",
    "magsac": "magsac",
}

#: All names; without a suffix, the estimator is PoseLib's.
CLASSICAL: tuple[str, ...] = tuple(
    f"{detector}{suffix}" for detector in DETECTORS for suffix in ("", "+opencv", "+magsac")
)


@dataclass(frozen=True)
class ClassicalConfig:
    """What a classical method is made of."""

    detector: str = "sift"
    """One of sift, orb, akaze, brisk, kaze, surf."""
    estimator: Estimator = field(default_factory=Estimator)
    """How the essential matrix is found."""
    ratio: float = 0.8
    """Lowe's ratio between the best and the second-best distance."""
    mutual: bool = True
    """Keep a match only where each keypoint is the other's nearest."""
    max_side: int = 1600
    """Larger images are shrunk to this for features, in pixels."""


class ClassicalMethod:
    """A detector with an estimator; safe to call from several threads."""

    def __init__(self, config: ClassicalConfig | None = None) -> None:
        """Take what the method is made of.

        Raises:
            InputError: This OpenCV has no such detector.
        """
        self.config = config or ClassicalConfig()
        missing = detector_missing(self.config.detector)
        if missing is not None:
            raise InputError(f"{missing}; take one of {', '.join(_there())}")
        self._cache = KeypointCache(self.config.detector, max_side=self.config.max_side)

    @property
    def name(self) -> str:
        """Full name with limits and thresholds."""
        config = self.config
        mutual = "" if config.mutual else " one-way"
        features = f"{detector_title(config.detector)} r{config.ratio:g}{mutual}"
        return f"{features} + {config.estimator.title}"

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return b_from_a; the inverse of what (b, a) gives, to the last digit but rounding."""
        start = time.perf_counter()
        first, second, turned = in_order(a, b)
        config = self.config
        matches = match_views(self._cache, first, second, config.ratio, mutual=config.mutual)
        solution = solve(matches, image_sizes(first, second), config.estimator)
        if turned:
            solution = solution.swapped()
        return solution.estimate(self.name, time.perf_counter() - start)


def classical_method(name: str) -> ClassicalMethod:
    """Return a classical method by name.

    Args:
        name: A detector, with ``+poselib`` (the default), ``+opencv`` or ``+magsac``.

    Raises:
        InputError: There is none of that name, or this OpenCV lacks the detector.
    """
    detector, _, estimator = name.lower().partition("+")
    estimator = estimator or "poselib"
    if detector not in DETECTORS or estimator not in _ESTIMATORS:
        raise InputError(
            f"a classical method of {', '.join(DETECTORS)} with +{', +'.join(_ESTIMATORS)} or "
            f"nothing behind it is wanted, {name!r} came"
        )
    return ClassicalMethod(ClassicalConfig(detector, Estimator(_ESTIMATORS[estimator])))


def available(name: str) -> str | None:
    """Return why a classical method cannot be had here, or None where it can.

    Raises:
        InputError: There is none of that name.
    """
    detector, _, estimator = name.lower().partition("+")
    if detector not in DETECTORS or (estimator and estimator not in _ESTIMATORS):
        raise InputError(f"a classical method of {', '.join(CLASSICAL)} is wanted, {name!r} came")
    return detector_missing(detector)


def _there() -> list[str]:
    return [name for name in DETECTORS if detector_missing(name) is None]
