"""Scores of answers that were saved, beside those of rules: functions of the file alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.tasks.utility.answers import Answers
from sightline.tasks.utility.baselines import Decided
from sightline.tasks.utility.metrics import (
    SourceDraws,
    area_under_roc,
    calibration_error,
    decision_scores,
    interval,
    reliability,
)


def score_answers(answers: Answers, threshold: float) -> dict[str, Any]:
    """Return the scores of a predictor, from its answers alone.

    Args:
        answers: Of images with and without a label.
        threshold: From which probability on an image is called useful.

    Returns:
        ``images`` (scored), ``counts`` by outcome, ``threshold``; all of
        :func:`score_decisions`; ``calibration_error`` and ``reliability``; ``by_distortion``: for
        each ``distortion`` the ``images``, the share that is ``useful``, the ``accuracy``, and how
        many have no label.
    """
    scored = answers.scored()
    said = scored.probability >= threshold
    curve = reliability(scored.probability, scored.useful)
    return {
        "images": len(scored),
        "sources": len(set(scored.sources)),
        "counts": answers.counts(),
        "threshold": threshold,
        **score_decisions(scored, Decided("", scored.probability, said)),
        "calibration_error": calibration_error(curve),
        "reliability": curve,
        "by_distortion": _by_distortion(answers, answers.probability >= threshold),
    }


def score_decisions(
    scored: Answers, decided: Decided, draws: SourceDraws | None = None
) -> dict[str, Any]:
    """Return how good decisions on images with a label are.

    Returns:
        All of :func:`.metrics.decision_scores`; ``auc`` (None where a class is empty);
        ``intervals``: 95%, by drawing sources, of ``accuracy``, ``balanced_accuracy`` and ``auc``.
    """
    draws = draws or SourceDraws(scored.sources)
    useful, right = scored.useful, decided.useful == scored.useful
    area = area_under_roc(decided.score, useful)
    return {
        **decision_scores(decided.useful, useful),
        "auc": None if np.isnan(area) else area,
        "intervals": {
            "accuracy": interval(draws.means(right)),
            "balanced_accuracy": interval(draws.balanced(right, useful)),
            "auc": interval(draws.area(decided.score, useful)),
        },
    }


def score_ahead(
    right: NDArray[np.bool_], decided: Decided, scored: Answers, draws: SourceDraws
) -> Mapping[str, Any]:
    """Return how much more often the predictor is right than a rule, on the same images."""
    more = right.astype(np.float64) - (decided.useful == scored.useful)
    return {"accuracy": float(more.mean()), "interval": interval(draws.means(more))}


def _by_distortion(answers: Answers, said: NDArray[np.bool_]) -> list[dict[str, Any]]:
    names = np.array([str(d) for d in answers.distortions])
    order = dict.fromkeys(sorted(answers.distortions, key=lambda d: (d.kind, d.level)))
    rows = []
    for distortion in order:
        here = names == str(distortion)
        known = here & answers.labelled
        right = (said == answers.useful)[known]
        rows.append(
            {
                "distortion": str(distortion),
                "images": int(known.sum()),
                "without_label": int((here & ~answers.labelled).sum()),
                "useful": float(answers.useful[known].mean()) if known.any() else None,
                "said_useful": float(said[known].mean()) if known.any() else None,
                "accuracy": float(right.mean()) if known.any() else None,
            }
        )
    return rows
