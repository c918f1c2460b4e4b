"""Rows over the categories in the paper's column order, its values under the measured ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper001.conclusions import Conclusion
from sightline.app.papers.paper001.drawing import draw_bars
from sightline.app.papers.paper001.published import CAT_ACC, POSE_ERR, PublishedRow
from sightline.geometry.rotation import Array
from sightline.records.objects import CATEGORIES, in_order
from sightline.tasks.objects.metrics import errors_of, in_top, score_predictions
from sightline.tasks.objects.predictions import ObjectPredictions

NONE = "-"
_RESAMPLES = 200
#: Where pictures go, in the folder of results.
FOLDER = "figures"


class Score:
    """What saved predictions scored by one rule."""

    def __init__(self, predictions: ObjectPredictions, rule: str | None = None) -> None:
        """Score predictions by a rule; by their own where None."""
        self.rule = rule or predictions.rule
        self._predictions = predictions
        self.table: dict[str, Any] = score_predictions(predictions)

    @property
    def of_rule(self) -> dict[str, Any]:
        """Scores of the poses by the rule, see ``score_predictions``."""
        scores: dict[str, Any] = self.table["rules"][self.rule]
        return scores

    @property
    def errors(self) -> dict[str, Any]:
        """Pose-err in degrees: ``by_category`` and ``mean``."""
        errors: dict[str, Any] = self.of_rule["rotation"]["median_deg"]
        return errors

    @property
    def error(self) -> float:
        """Mean pose-err over the categories; NaN where no object has a pose."""
        return number(self.errors["mean"])

    @cached_property
    def spread(self) -> dict[str, float]:
        """How far the choice of the test objects moves ``pose-err`` (degrees) and ``cat-acc``.

        Half of the 95% interval of the means over resampled objects of each category.
        """
        found = self._predictions
        angles = np.degrees(errors_of(found, self.rule))
        right = np.where(found.category < 0, np.nan, in_top(found, 1))
        return {
            "pose-err": _spread(angles, found.category, np.median),
            "cat-acc": _spread(right, found.category, np.mean),
        }

    @property
    def symmetric_error(self) -> float:
        """The same, the symmetry of bottles and tables granted."""
        return number(self.of_rule["rotation_symmetric"]["median_deg"]["mean"])

    @property
    def accuracies(self) -> dict[str, Any]:
        """Cat-acc: ``by_category`` and ``mean``."""
        accuracies: dict[str, Any] = self.table["category"]["accuracy"]
        return accuracies

    @property
    def accuracy(self) -> float:
        """Mean cat-acc over the categories; NaN where no category is known."""
        return number(self.accuracies["mean"])

    def to_values(self) -> dict[str, Any]:
        """Return the unrounded numbers, for ``results.json``."""
        return {
            "pose_err_deg": self.errors,
            "pose_err_symmetric_deg": self.of_rule["rotation_symmetric"]["median_deg"],
            "cat_acc": self.accuracies,
            "rule": self.rule,
        }


def _spread(values: Array, category: NDArray[np.int64], score: Callable[..., Any]) -> float:
    """Return half of the 95% interval of the mean over categories of a score; NaN without values.

    Args:
        values: (N,) NaN ones are left out.
        category: (N,) indices.
        score: From (M,) values to a number, along ``axis``.
    """
    generator = np.random.default_rng(0)
    parts = [values[(category == k) & ~np.isnan(values)] for k in np.unique(category)]
    scores = [
        score(generator.choice(part, (_RESAMPLES, len(part))), axis=1)
        for part in parts
        if len(part)
    ]
    if not scores:
        return math.nan
    low, high = np.percentile(np.mean(scores, axis=0), [2.5, 97.5])
    return float(high - low) / 2.0


def number(value: float | None) -> float:
    """Return a score as a number; NaN where there is none."""
    return float("nan") if value is None else float(value)


def short_names(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the paper's names of columns."""
    return tuple(CATEGORIES.get(name, name) for name in categories)


@dataclass(frozen=True)
class Entry:
    """One network of a table.

    Attributes:
        name: As the table shows it.
        score: Measured; None where only the paper has it.
        published: Key of the paper's rows; empty where it has none.
    """

    name: str
    score: Score | None
    published: str = ""


def sheet(
    categories: Sequence[str],
    entries: Sequence[Entry],
    *,
    accuracy: bool = True,
    errors: Mapping[str, PublishedRow] = POSE_ERR,
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return header and rows: pose-err of each network, then cat-acc, each with the paper's under.

    Args:
        categories: Of the data.
        entries: Networks.
        accuracy: Whether cat-acc is shown.
        errors: The paper's pose-err by key.
    """
    names = in_order(categories)
    header = ("metric", "network", *short_names(names), "mean", "mean, symmetry granted")
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        if entry.score is not None:
            granted = degrees(entry.score.symmetric_error)
            rows.append(_measured("pose-err", entry.name, entry.score.errors, names, granted))
        rows += _printed("pose-err", entry, errors, names)
    for entry in entries if accuracy else ():
        if entry.score is not None:
            rows.append(_measured("cat-acc", entry.name, entry.score.accuracies, names, NONE))
        rows += _printed("cat-acc", entry, CAT_ACC, names)
    return header, tuple(rows)


def errors(scores: Mapping[str, Score]) -> dict[str, float]:
    """Return mean pose-err by key."""
    return {key: score.error for key, score in scores.items()}


def accuracies(scores: Mapping[str, Score]) -> dict[str, float]:
    """Return mean cat-acc by key."""
    return {key: score.accuracy for key, score in scores.items()}


def values(scores: Mapping[str, Score]) -> dict[str, Any]:
    """Return the unrounded numbers of networks, for ``results.json``."""
    return {key: score.to_values() for key, score in scores.items()}


def said(found: Sequence[Conclusion], *scores: Score) -> list[str]:
    """Return conclusions as notes; those that the choice of test objects could turn say so."""
    spread = {
        metric: max((score.spread[metric] for score in scores), default=0.0)
        for metric in ("pose-err", "cat-acc")
    }
    return [one.to_text(spread) for one in found]


def bars(
    folder: Path,
    key: str,
    entries: Sequence[Entry],
    published: Mapping[str, PublishedRow] = POSE_ERR,
) -> str:
    """Draw the mean pose-err of a table's networks beside the paper's; return the picture."""
    drawn = {
        entry.name: (
            entry.score.error,
            float(published[entry.published].mean) if entry.published in published else None,
        )
        for entry in entries
        if entry.score is not None
    }
    return bar_chart(folder, key, drawn, "mean over the categories of the median error (deg)")


def bar_chart(
    folder: Path, key: str, drawn: Mapping[str, tuple[float, float | None]], label: str
) -> str:
    """Draw measured numbers and the paper's, see :func:`.drawing.draw_bars`; return the picture."""
    picture = f"{FOLDER}/{key}.png"
    draw_bars(folder / picture, drawn, label)
    return picture


def degrees(value: float | None) -> str:
    """Return degrees as a cell."""
    value = number(value)
    return NONE if math.isnan(value) else f"{value:.2f}"


def share(value: float | None) -> str:
    """Return a share of 1 as a cell."""
    value = number(value)
    return NONE if math.isnan(value) else f"{value:.4f}"


def _measured(
    metric: str, name: str, scores: Mapping[str, Any], categories: Sequence[str], granted: str
) -> tuple[str, ...]:
    of = scores["by_category"]
    digits, mean = (1, degrees) if metric == "pose-err" else (2, share)
    cells = (NONE if of[c] is None else f"{of[c]:.{digits}f}" for c in categories)
    return (metric, name, *cells, mean(scores["mean"]), granted)


def _printed(
    metric: str, entry: Entry, table: Mapping[str, PublishedRow], categories: Sequence[str]
) -> list[tuple[str, ...]]:
    if entry.published not in table:
        return []
    row = table[entry.published]
    cell = dict(zip(CATEGORIES, row.cells, strict=True))
    name = f"{entry.name}: paper"
    return [(metric, name, *(cell.get(c, NONE) for c in categories), row.mean, NONE)]
