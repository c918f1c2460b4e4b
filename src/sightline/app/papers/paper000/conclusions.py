"""Whether the paper's conclusions hold for measured numbers; each is worked out, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import t as student_t

from sightline.app.papers.paper000.config import PAPERS_BACKBONES
from sightline.app.papers.paper000.trainings import label
from sightline.geometry.rotation import Array

Errors = Mapping[str, Array]

#: Of the paper's text on Table II.
BEST_OF_TABLE_2 = ("resnet152", "efficientnet_b7")
#: "Without overfitting": the last validation score is at most so much above the best one.
OVERFIT = 1.1
#: Fewer validations say nothing of it.
_FEWEST_VALIDATIONS = 3
#: Neighbouring frames of a video err alike: stretches of it are what is chosen by chance.
_STRETCHES = 10


def best_backbones(errors: Errors) -> list[str]:
    """Return Table II's: which backbones are the best.

    Args:
        errors: By backbone, (N,) errors of the same frames.
    """
    claim = "ResNet-152 and EfficientNet-B7 are the best by position (text of Table II)"
    errors = of_the_paper(errors)
    if len(errors) < 3 or not set(BEST_OF_TABLE_2) <= set(errors):
        return [f"{claim}: cannot be told here, not all of them were trained"]
    ranked = sorted(errors, key=lambda name: float(errors[name].mean()))
    holds = set(ranked[:2]) == set(BEST_OF_TABLE_2)
    figures = ", ".join(f"{label(name)} {errors[name].mean():.3f}" for name in ranked)
    return [f"{claim}: {_holds(holds)}: {figures}"]


def of_the_paper(errors: Errors) -> Errors:
    """Return those of the paper's backbones: it says nothing of ours."""
    return {name: found for name, found in errors.items() if name in PAPERS_BACKBONES}


def losses(errors: Errors) -> list[str]:
    """Return Table III's: keys ``smooth_l1``, ``l1``, ``mse``, ``alpha``; absent: diverged."""
    said = []
    if "smooth_l1" in errors and "l1" in errors:
        claim = "SmoothL1 is better than L1"
        said.append(lower(claim, errors["smooth_l1"], errors["l1"], "the test frames"))
    for key, name in (("mse", "MSE"), ("alpha", "alpha other than 1")):
        trained = f"trained, {errors[key].mean():.3f}" if key in errors else "NaN here too"
        said.append(f"{name} cannot be trained: {_holds(key not in errors)}: {trained}")
    return said


def size_matters_not(
    errors: Errors, parameters: Mapping[str, int], epochs: Mapping[str, int]
) -> list[str]:
    """Return Table IV's: that networks with more parameters are not the better ones.

    Args:
        errors: By backbone, (N,) errors of the same frames.
        parameters: By backbone.
        epochs: By backbone, what it was trained for: in the same time a large one gets fewer.
    """
    claim = "models with more parameters are not the ones performing better (text of Table IV)"
    errors = of_the_paper(errors)
    if len(errors) < 2:
        return [f"{claim}: cannot be told here from one backbone"]
    best = min(errors, key=lambda name: float(errors[name].mean()))
    largest = max(errors, key=lambda name: parameters[name])
    unequal = (
        f"; unequal training: {epochs[largest]} epochs of the largest, {epochs[best]} of the best"
        if epochs[largest] < epochs[best]
        else ""
    )
    return [
        f"{claim}: {_holds(best != largest)}: best is {label(best)} "
        f"({parameters[best]:,} parameters, {errors[best].mean():.3f}), largest {label(largest)} "
        f"({parameters[largest]:,}, {errors[largest].mean():.3f}){unequal}"
    ]


def against_posenet(mapnet: Errors, posenet: Errors, frames: str) -> list[str]:
    """Return whether MapNet is nearer than PoseNet on the backbones that both have."""
    both = [name for name in mapnet if name in posenet]
    if not both:
        return []
    return [
        lower(
            f"MapNet is better than PoseNet on {label(name)}, {frames}",
            mapnet[name],
            posenet[name],
            "the frames",
        )
        for name in both
    ]


def against_baselines(errors: Errors, baselines: Mapping[str, float], frames: str) -> list[str]:
    """Return how many networks are nearer than each predictor that does not look."""
    if not errors:
        return []
    return [
        f"{frames}: networks with a smaller position error than '{name}' ({limit:.3f}): "
        f"{sum(float(e.mean()) < limit for e in errors.values())} of {len(errors)}"
        for name, limit in baselines.items()
    ]


def convergence(name: str, training: Sequence[float], validation: Sequence[float]) -> list[str]:
    """Return Figure 6's and 8's: converging without overfitting.

    Args:
        name: Of the loss.
        training: Training error of the position by epoch; the loss itself falls with the learned
            weights alone.
        validation: Validation scores in order.
    """
    if len(training) < 2 or not validation:
        return [f"{name}: nothing can be said of {len(training)} epochs"]
    best = min(validation)
    converges, keeps = training[-1] < training[0], validation[-1] <= OVERFIT * best
    told = _holds(keeps) if len(validation) >= _FEWEST_VALIDATIONS else "cannot be told here"
    return [
        f"{name} converges: {_holds(converges)}: training error of the position {training[0]:.3f} "
        f"to {training[-1]:.3f}; without overfitting (here: the last of {len(validation)} "
        f"validation scores at most {OVERFIT - 1:.0%} above the best): {told}: "
        f"{validation[-1]:.3f} against {best:.3f}"
    ]


def lower(claim: str, small: Array, large: Array, choice: str) -> str:
    """Return whether one error is lower than another on the same frames.

    Args:
        claim: What the paper says.
        small: (N,) errors that it says are lower, in the video's order.
        large: (N,) the other ones.
        choice: What was chosen, whose choice alone moves the difference.
    """
    gap = large - small
    parts = [part.mean() for part in np.array_split(gap, min(_STRETCHES, len(gap)))]
    spread = np.inf
    if len(parts) > 1:
        error = float(np.std(parts, ddof=1)) / np.sqrt(len(parts))
        spread = float(student_t.ppf(0.975, len(parts) - 1)) * error
    margin = float(gap.mean())
    doubt = f", by less than the choice of {choice} does" if abs(margin) < spread else ""
    return f"{claim}: {_holds(margin > 0)}{doubt}: {small.mean():.3f} against {large.mean():.3f}"


def _holds(yes: bool) -> str:
    return "holds here" if yes else "does not hold here"
