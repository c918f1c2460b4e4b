"""From answers beside the truth to a place's calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import __version__
from sightline.app.calibration.asking import Asked, ask_all
from sightline.app.calibration.config import CalibrateConfig
from sightline.app.calibration.report import (
    write_answers,
    write_network_answers,
    write_report,
)
from sightline.app.localize import Localizer
from sightline.app.place_confidence import (
    ANSWERS,
    FOLDER,
    MODEL,
    SavedAnswers,
    calibrated_for,
    default_radius,
    read_answers,
)
from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.learning.reliability import confidence_scores, threshold_for
from sightline.records import Place
from sightline.records.files import write_json
from sightline.tasks.absolute.confidence import (
    NAMES,
    SHIPPED,
    ConfidenceModel,
    Kind,
    Weights,
    calibrate,
    refined_vector,
    regressed_vector,
)

Progress = Callable[[str, float], None]

#: Shares of photos with a wrong answer for which a threshold is told.
MAX_WRONG = (0.001, 0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What calibrating a place gave.

    Attributes:
        model: Written to ``folder``.
        folder: With the model, the answers, the scores and the report.
        metrics: Scores of the held-out confidences.
        skipped: Photos that cannot be read, and why.
    """

    model: ConfidenceModel
    folder: Path
    metrics: dict[str, Any]
    skipped: tuple[str, ...]


def calibrate_place(
    place: Place, config: CalibrateConfig, progress: Progress = lambda _stage, _fraction: None
) -> Calibration:
    """Return a place's calibration, written to its folder ``confidence``.

    What was asked is kept in ``cache/``: a call that was stopped goes on, and one with another
    radius or more copies asks only what is new.

    Args:
        place: Built, aligned.
        config: What its answers are compared with.
        progress: Called with a text and the fraction done.

    Raises:
        PlaceError: The place has neither map nor network.
        InputError: There are no photos with poses.
        MediaError: No photo can be read.
    """
    localizer = Localizer.open(place, config.run, calibrated=False)
    asked, skipped = ask_all(localizer, config, progress)
    radius = config.radius or default_radius(place, localizer.refiner)
    about = {
        **calibrated_for(place, localizer.network_name),
        "walk": "" if config.walk is None else str(config.walk.resolve()),
        "photos": len({a.source for a in asked}),
        "answers": len(asked),
        "degraded": config.degraded,
        "sightline": __version__,
    }
    fitted = {kind: fit(kind, asked, radius) for kind in SHIPPED}
    weights = {kind: found.weights for kind, found in fitted.items()}
    model = ConfidenceModel(radius, weights["refined"], weights["regressed"], about)
    folder = place.root / FOLDER
    progress("writing", 1.0)
    write_answers(folder / ANSWERS, asked, held_out_confidences(asked, fitted))
    answers = {"answers": read_answers(folder / ANSWERS)}
    if localizer.network_name is not None:
        path = place.runs_dir / localizer.network_name / "confidence.csv"
        write_network_answers(path, asked, fitted["regressed"].confidence)
        answers["network"] = read_answers(path)
    metrics = score(answers, radius, place.unit)
    write_json(folder / "metrics.json", metrics)
    write_report(folder, place, model, answers, metrics)
    model.write(folder / MODEL)  # last: with it the place counts as calibrated
    return Calibration(model, folder, metrics, skipped)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights of one kind of answer, and what they say of each photo.

    Attributes:
        weights: Fitted on all answers.
        confidence: (N,) of the N photos, by weights fitted without the photo's own source; NaN
            where it has no such answer.
    """

    weights: Weights
    confidence: Array


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of one kind, believed or not.

    Attributes:
        rows: (K,) the photos that have one.
        vectors: (K, E) what is weighed.
        errors: (K,) distances to the truth.
        usable: (K,) whether weights may be fitted on it: not on a network's answer to a photo that
            it was trained on.
    """

    rows: NDArray[np.int64]
    vectors: Array
    errors: Array
    usable: NDArray[np.bool_]


def vectors_of(kind: Kind, asked: Sequence[Asked], radius: float) -> Answers:
    """Return the answers of one kind to some photos."""
    rows: list[int] = []
    vectors: list[Array] = []
    errors: list[float] = []
    for i, one in enumerate(asked):
        if kind == "refined" and one.evidence is not None and one.error is not None:
            # a network agrees with what it was trained on as with no other photo
            apart = None if one.trained_on else one.network_apart
            vectors.append(refined_vector(one.evidence, apart, radius))
            errors.append(one.error)
            rows.append(i)
        elif kind == "regressed" and one.network_error is not None:
            vectors.append(regressed_vector(one.spread, one.similarity, radius))
            errors.append(one.network_error)
            rows.append(i)
    table = np.stack(vectors) if vectors else np.zeros((0, len(NAMES[kind])))
    usable = [kind == "refined" or not asked[i].trained_on for i in rows]
    return Answers(np.array(rows, np.int64), table, np.array(errors), np.array(usable, bool))


def fit(kind: Kind, asked: Sequence[Asked], radius: float) -> Fitted:
    """Return how far to trust one kind of answer.

    Answers that would not be believed count too, since they show what wrong ones look like.
    """
    answers, confidence = vectors_of(kind, asked, radius), np.full(len(asked), np.nan)
    usable, right = answers.usable, answers.errors <= radius
    sources = np.array([asked[i].source for i in answers.rows], dtype=np.int64)
    found = calibrate(kind, answers.vectors[usable], right[usable], sources[usable].tolist())
    confidence[answers.rows] = found.weights.of(answers.vectors)
    confidence[answers.rows[usable]] = found.held_out
    return Fitted(found.weights, confidence)


def held_out_confidences(asked: Sequence[Asked], fitted: Mapping[Kind, Fitted]) -> Array:
    """Return (N,) confidence in the answer to each photo; 0 where there is none."""
    of = {kind: found.confidence for kind, found in fitted.items()}
    return np.array([of[a.status][i] if a.status in of else 0.0 for i, a in enumerate(asked)])


def score(answers: Mapping[str, SavedAnswers], radius: float, unit: str) -> dict[str, Any]:
    """Return what saved confidences are worth.

    Args:
        answers: ``answers``, of the place; ``network``, of its network alone, where it has one.
        radius: Farther is wrong.
        unit: Of the radius.

    Returns:
        ``radius``, ``unit``, ``photos``; ``answers`` and of them ``refined`` and ``regressed``, and
        ``network``, each with :func:`sightline.learning.reliability.confidence_scores`;
        ``thresholds``, a row for each share of wrong answers: the least confidence, and the share
        of photos still answered.
    """
    given = answers["answers"]
    answered = given.of("refined", "regressed")
    parts = {"answers": answered}
    for kind in SHIPPED:
        parts[kind] = given.of(kind)
    if "network" in answers:
        parts["network"] = answers["network"]
    thresholds = []
    for share in MAX_WRONG:
        try:
            least = threshold_for(given.confidence, given.error > radius, share)
        except InputError:
            continue  # too few photos to promise it
        asked = np.array([status != "unknown" for status in given.status])
        kept = int((asked & (given.confidence >= least)).sum()) / len(given)
        thresholds.append({"max_wrong": share, "min_confidence": least, "answered": kept})
    return {
        "radius": radius,
        "unit": unit,
        "photos": len(given),
        **{name: confidence_scores(a.confidence, a.error, radius) for name, a in parts.items()},
        "thresholds": thresholds,
    }
