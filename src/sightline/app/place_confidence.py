"""Which confidence a place's answers get, and from which on it answers."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import InputError
from sightline.learning.reliability import threshold_for
from sightline.records import Place
from sightline.records.files import digest_files
from sightline.tasks.absolute.confidence import RADIUS_M, RADIUS_SHARE, ConfidenceModel

if TYPE_CHECKING:
    from sightline.app.localize import MapRefiner

#: What ``sightline calibrate`` leaves in a place's folder of the same name.
FOLDER = "confidence"
MODEL = "confidence.toml"
ANSWERS = "answers.csv"


@dataclass(frozen=True)
class PlaceConfidence:
    """How a place's answers are judged.

    Attributes:
        model: From evidence to the probability of being within the radius.
        folder: Where the calibration lies; None where the shipped weights are used.
        note: What the user should know of it; empty where there is nothing to say.
        least: Answers below this confidence are withheld.
    """

    model: ConfidenceModel
    folder: Path | None = None
    note: str = ""
    least: float = 0.0

    @classmethod
    def open(cls, place: Place, refiner: MapRefiner | None, run: str | None) -> PlaceConfidence:
        """Return the place's calibration where it fits map and run, else the shipped weights.

        Raises:
            InputError: The place's calibration does not read.
        """
        shipped, folder = cls.shipped(place, refiner), place.root / FOLDER
        if not (folder / MODEL).is_file():
            return shipped
        model = ConfidenceModel.read(folder / MODEL)
        changed = [
            name
            for name, now in calibrated_for(place, run).items()
            if model.about.get(name, "") != now
        ]
        if changed:
            return dataclasses.replace(
                shipped,
                note=f"the calibration in {folder} is of another {' and '.join(changed)}; run "
                f"`sightline calibrate {place.root}` again (until then: shipped weights)",
            )
        return cls(model, folder)

    @classmethod
    def shipped(cls, place: Place, refiner: MapRefiner | None) -> PlaceConfidence:
        """Return the weights of rendered floors, at half a metre or what is like it."""
        return cls(ConfidenceModel(default_radius(place, refiner)))

    def answering(self, least: float | None, max_wrong: float | None) -> PlaceConfidence:
        """Return the same with a threshold.

        Args:
            least: The threshold itself.
            max_wrong: Instead of it, the share of photos that may get a wrong answer.

        Raises:
            InputError: Both came, one is no probability, or the share cannot be promised.
        """
        for name, value in (("--min-confidence", least), ("--max-wrong", max_wrong)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"a number from 0 to 1 is wanted for {name}, {value:g} came")
        if least is not None and max_wrong is not None:
            raise InputError("--min-confidence or --max-wrong is wanted, both came; give one")
        if max_wrong is not None:
            least = self._threshold(max_wrong)
        return self if least is None else dataclasses.replace(self, least=least)

    def _threshold(self, max_wrong: float) -> float:
        if self.folder is None:
            raise InputError(
                "a calibrated place is wanted for --max-wrong; run `sightline calibrate PLACE` "
                "first, or give --min-confidence"
            )
        if max_wrong <= 0:
            raise InputError("no calibration promises that nothing is wrong; try --max-wrong 0.005")
        answers = read_answers(self.folder / ANSWERS)
        return threshold_for(answers.confidence, answers.error > self.model.radius, max_wrong)


def calibrated_for(place: Place, run: str | None) -> dict[str, Any]:
    """Return what a calibration holds for: another map, network or scale gives other evidence."""
    model = sorted(place.model_dir.glob("*.bin"))
    weights = [place.runs_dir / run / "model.safetensors"] if run else []
    return {
        "map": digest_files(model) if model else "",
        "run": run or "",
        # trained again under the same name it is another one
        "network": digest_files(weights) if weights and weights[0].is_file() else "",
        "scale": f"{place.world_from_map.scale:.6g} {place.unit}",
    }


def default_radius(place: Place, refiner: MapRefiner | None) -> float:
    """Return half a metre; without a scale, a sixth of the distance from which the map is seen.

    Without scale and map the unit alone is left: 0.5 of it.
    """
    if place.unit == "m" or refiner is None:
        return RADIUS_M
    return RADIUS_SHARE * refiner.viewing_distance * place.world_from_map.scale


@dataclass(frozen=True, eq=False)
class SavedAnswers:
    """Answers whose truth is known.

    Attributes:
        status: (N,) refined, regressed or unknown.
        confidence: (N,) by weights fitted without the photo's own source; 0 where unknown.
        error: (N,) distance to the truth; 0 where unknown, infinite where a network answered what
            it was trained on: thresholds count that as wrong.
    """

    status: tuple[str, ...]
    confidence: np.ndarray[Any, np.dtype[np.float64]]
    error: np.ndarray[Any, np.dtype[np.float64]]

    def __len__(self) -> int:
        return len(self.status)

    def of(self, *statuses: str) -> SavedAnswers:
        """Return those of some statuses that are to be scored: the error is finite."""
        scored = np.isfinite(self.error)
        rows = [i for i, status in enumerate(self.status) if status in statuses and scored[i]]
        kept = tuple(self.status[i] for i in rows)
        return SavedAnswers(kept, self.confidence[rows], self.error[rows])


def read_answers(path: Path) -> SavedAnswers:
    """Return the answers of a calibration's ``answers.csv``.

    Raises:
        InputError: The file is missing, or does not read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return SavedAnswers(
            tuple(row["status"] for row in rows),
            np.array([float(row["confidence"]) for row in rows], dtype=np.float64),
            np.array([float(row["error"] or 0.0) for row in rows], dtype=np.float64),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: answers of a calibration are wanted ({error}); run `sightline calibrate` "
            "again"
        ) from error
