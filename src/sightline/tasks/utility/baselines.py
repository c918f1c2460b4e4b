"""Rules that foresee utility without a network: the notions it must be more than.

Each looks at one number of an image. What it needs to know it learns from the training part (how
often each distortion leaves images useful) or from validation (its direction and its threshold, for
the best balanced accuracy, as the predictor's own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.media.distortions import Distortion
from sightline.tasks.utility.answers import Answers
from sightline.tasks.utility.config import Aim
from sightline.tasks.utility.metrics import area_under_roc, best_threshold

Values = NDArray[np.float64]

#: Measures that are rules, and their names in tables.
RULES = {
    "quality": "JPEG quality alone",
    "bytes_per_pixel": "file size",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "sharpness": "sharpness",
    "energy": "energy (OOD)",
}
LEVEL = "distortion and level known"
MAJORITY = "commoner label"

#: Images that a kind's mean stands for beside the counts of a level (Laplace's rule).
_PRIOR_IMAGES = 2.0


@dataclass(frozen=True, eq=False)
class Decided:
    """What a rule says of N images.

    Attributes:
        rule: In words.
        score: (N,) grows with utility.
        useful: (N,) what it decides.
    """

    rule: str
    score: Values
    useful: NDArray[np.bool_]


@dataclass(frozen=True)
class Threshold:
    """A rule on one number: useful where ``sign * number`` is ``least`` or more.

    Attributes:
        sign: 1 or -1.
        least: The threshold.
        usual: What is said where the number is unknown.
    """

    sign: float
    least: float
    usual: bool

    def decide(self, values: Values) -> tuple[Values, NDArray[np.bool_]]:
        """Return (N,) scores and decisions; unknown numbers score as the threshold does."""
        known = np.isfinite(values)
        score = np.where(known, self.sign * values, self.least)
        return score, np.where(known, score >= self.least, self.usual)


def fit_threshold(
    values: Values, useful: NDArray[np.bool_], aim: Aim = "balanced"
) -> Threshold | None:
    """Return the rule that meets an aim best; None where nothing can be learned.

    Args:
        values: (N,), NaN where unknown.
        useful: (N,).
        aim: What the threshold is chosen for.
    """
    known = np.isfinite(values)
    area = area_under_roc(values[known], useful[known])
    if np.isnan(area) or np.ptp(values[known]) == 0:
        return None
    sign = 1.0 if area >= 0.5 else -1.0
    least = best_threshold(sign * values[known], useful[known], aim=aim)
    return None if least is None else Threshold(sign, least, bool(2 * useful.sum() >= len(useful)))


@dataclass(frozen=True)
class LevelShares:
    """How often images of each kind and level were useful in training.

    Attributes:
        shares: By kind, then by level.
        overall: Of all images.
    """

    shares: dict[str, dict[float, float]]
    overall: float

    def scores(self, distortions: Sequence[Distortion]) -> Values:
        """Return (N,) shares; of a level that was not seen, between those of its neighbours."""
        found = []
        for distortion in distortions:
            levels = self.shares.get(distortion.kind, {})
            known = sorted(levels)
            found.append(
                float(np.interp(distortion.level, known, [levels[k] for k in known]))
                if known
                else self.overall
            )
        return np.array(found, dtype=np.float64)


def fit_levels(distortions: Sequence[Distortion], useful: NDArray[np.bool_]) -> LevelShares:
    """Return how often each kind and level left images useful.

    A level of few images is drawn to the mean of its kind.

    Args:
        distortions: Of N training images.
        useful: (N,).
    """
    kinds: dict[str, dict[float, list[bool]]] = {}
    for distortion, is_useful in zip(distortions, useful.tolist(), strict=True):
        kinds.setdefault(distortion.kind, {}).setdefault(distortion.level, []).append(is_useful)
    shares: dict[str, dict[float, float]] = {}
    for kind, levels in kinds.items():
        mean = float(np.mean([u for found in levels.values() for u in found]))
        shares[kind] = {
            level: (sum(found) + _PRIOR_IMAGES * mean) / (len(found) + _PRIOR_IMAGES)
            for level, found in levels.items()
        }
    return LevelShares(shares, float(useful.mean()) if len(useful) else 0.5)


def decide_all(
    answers: Answers, levels: LevelShares, fitted_on: Answers, aim: Aim = "balanced"
) -> dict[str, Decided]:
    """Return what each rule says of images with a label, in the order of tables.

    Args:
        answers: The images to judge; all have a label.
        levels: Fitted on training.
        fitted_on: Images with a label that thresholds are chosen on; their probabilities are not
            looked at.
        aim: What they are chosen for.

    Returns:
        By name; a rule whose number is known of no image is not there.
    """
    useful = fitted_on.useful
    found: dict[str, Decided] = {}
    for name, title in RULES.items():
        jpeg = any(d.kind == "jpeg" for d in answers.distortions)
        if name == "quality" and not jpeg:
            continue
        if np.isfinite(answers.measures[name]).any():
            _add(found, title, fitted_on.measures[name], useful, answers.measures[name], aim)
    _add(found, LEVEL, levels.scores(fitted_on.distortions), useful,
         levels.scores(answers.distortions), aim)  # fmt: skip
    usual = bool(2 * useful.sum() >= len(useful))
    found[MAJORITY] = Decided(
        f"always {'useful' if usual else 'useless'}",
        np.zeros(len(answers)),
        np.full(len(answers), usual),
    )
    return found


def _add(
    found: dict[str, Decided],
    title: str,
    fitted_on: Values,
    useful: NDArray[np.bool_],
    values: Values,
    aim: Aim,
) -> None:
    rule = fit_threshold(fitted_on, useful, aim)
    if rule is None:
        return
    score, decided = rule.decide(values)
    side = "or more" if rule.sign > 0 else "or less"
    found[title] = Decided(f"useful at {rule.sign * rule.least:.4g} {side}", score, decided)
