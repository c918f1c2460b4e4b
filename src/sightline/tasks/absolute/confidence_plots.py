"""What a confidence is worth, drawn: risk and coverage, reliability, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.geometry.rotation import Array
from sightline.learning.reliability import (
    area_under_risk,
    calibration_error,
    reliability_bins,
    risk_coverage,
)
from sightline.records.figures import new_figure, save_figure

_ANSWERS, _BEST = "#d1495b", "#8d99ae"


def draw_confidence(path: Path, confidence: Array, error: Array, radius: float, unit: str) -> Path:
    """Draw how confidences and errors go together; return the path.

    Args:
        path: Of the PNG.
        confidence: (N,) probabilities that the error is within the radius.
        error: (N,) in ``unit``.
        radius: In ``unit``.
        unit: ``m`` or ``arbitrary``.
    """
    wrong = error > radius
    figure, (risk, curve, errors) = new_figure(13, 4, 3)
    for score, label, style in (
        (confidence, "by confidence", {"color": _ANSWERS}),
        (-error, "best possible", {"color": _BEST, "linestyle": "--"}),
    ):
        risk.plot(*risk_coverage(score, wrong), label=label, **style)
    risk.set_xlabel("share of answers kept, the most confident first")
    risk.set_ylabel(f"share of them over {radius:.3g} {unit}")
    risk.set_title(f"area {area_under_risk(confidence, wrong):.4f}", fontsize=9)
    risk.set_ylim(bottom=0)
    risk.legend(fontsize=8)
    bins = reliability_bins(confidence, ~wrong)
    curve.plot([0, 1], [0, 1], color=_BEST, linewidth=1)
    said, right = [b.said for b in bins], [b.right for b in bins]
    curve.plot(said, right, color=_ANSWERS, linewidth=1)
    curve.scatter(said, right, s=[20 + 200 * b.answers / len(error) for b in bins], color=_ANSWERS)
    curve.set_xlabel("confidence (size: answers)")
    curve.set_ylabel("share that is right")
    curve.set_title(f"expected calibration error {calibration_error(bins):.3f}", fontsize=9)
    curve.set_ylim(-0.02, 1.02)
    errors.scatter(confidence, np.maximum(error, 1e-4), s=9, alpha=0.6, color=_ANSWERS)
    errors.axhline(radius, color=_BEST, linewidth=1)
    errors.set_yscale("log")
    errors.set_xlabel("confidence")
    errors.set_ylabel(f"position error ({unit}); line: radius")
    for axis in (curve, errors):
        axis.set_xlim(-0.02, 1.02)
    for axis in (risk, curve, errors):
        axis.grid(alpha=0.3)
    return save_figure(figure, path)
