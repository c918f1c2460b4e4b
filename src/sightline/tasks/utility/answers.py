"""What a predictor said of labelled images, and what else is known of them: one CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.media.distortions import Distortion, parse_distortion
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.files import write_text
from sightline.records.utility import UtilityItem
from sightline.records.utility_files import outcome
from sightline.tasks.utility.measures import MEASURES

Values = NDArray[np.float64]

#: What an image turned out to be: labelled, or why it has no label (``LabelCounts``).
OUTCOMES = ("useful", "useless", "between", "disagreeing", "failed")

_OWN = ("image", "distortion", "seed", "augmented", "split", "source", "outcome", "probability")
_COLUMNS = (*_OWN, *MEASURES)


@dataclass(frozen=True, eq=False)
class Answers:
    """A predictor's answers for N distorted images.

    Attributes:
        images: The pristine photos, relative to the labels' ``images_root``.
        distortions: What was done to them.
        seeds: Of the distortions.
        augmented: Which copy of the photo it is.
        splits: ``train``, ``validation`` or ``test``.
        sources: What they were made of.
        outcomes: Of :data:`OUTCOMES`.
        probability: (N,) that the image is useful.
        measures: By the names of :data:`.measures.MEASURES`, (N,) each; NaN where unknown.
    """

    images: tuple[str, ...]
    distortions: tuple[Distortion, ...]
    seeds: tuple[int, ...]
    augmented: tuple[int, ...]
    splits: tuple[str, ...]
    sources: tuple[str, ...]
    outcomes: tuple[str, ...]
    probability: Values
    measures: dict[str, Values]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N,) whether an image is useful or useless: the others are not scored (PITFALL 22)."""
        return np.array([o in OUTCOMES[:2] for o in self.outcomes], dtype=bool)

    @property
    def useful(self) -> NDArray[np.bool_]:
        """(N,) whether an image is useful."""
        return np.array([o == "useful" for o in self.outcomes], dtype=bool)

    def counts(self) -> dict[str, int]:
        """Return how many images have each outcome, those without any too."""
        found = Counter(self.outcomes)
        return {name: found[name] for name in OUTCOMES}

    def scored(self) -> Answers:
        """Return the answers for images with a label."""
        kept = np.flatnonzero(self.labelled).tolist()
        return Answers(
            tuple(self.images[k] for k in kept),
            tuple(self.distortions[k] for k in kept),
            tuple(self.seeds[k] for k in kept),
            tuple(self.augmented[k] for k in kept),
            tuple(self.splits[k] for k in kept),
            tuple(self.sources[k] for k in kept),
            tuple(self.outcomes[k] for k in kept),
            self.probability[kept],
            {name: values[kept] for name, values in self.measures.items()},
        )


def answers_of(
    items: Sequence[UtilityItem],
    sources: Sequence[str],
    probability: NDArray[np.floating],
    measures: Mapping[str, Values],
) -> Answers:
    """Return answers for a set's items, in their order."""
    return Answers(
        tuple(item.image.as_posix() for item in items),
        tuple(item.distortion for item in items),
        tuple(item.seed for item in items),
        tuple(item.augmented for item in items),
        tuple(item.split for item in items),
        tuple(sources),
        tuple(outcome(item) for item in items),
        np.asarray(probability, dtype=np.float64),
        dict(measures),
    )


def write_answers(path: Path, answers: Answers) -> None:
    """Write answers, one row an image; unknown numbers are empty cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for k in range(len(answers)):
        writer.writerow(
            [
                answers.images[k],
                answers.distortions[k],
                answers.seeds[k],
                answers.augmented[k],
                answers.splits[k],
                answers.sources[k],
                answers.outcomes[k],
                f"{answers.probability[k]:.9g}",  # all of a float32: it decides as it did
                *(_cell(answers.measures[name][k]) for name in MEASURES),
            ]
        )
    write_text(path, stream.getvalue())


def read_answers(path: Path) -> Answers:
    """Return the answers of a file.

    Raises:
        InputError: It is missing, or is none of answers.
    """
    rows: list[dict[str, str]] = []
    probability: list[float] = []
    measures: list[list[float]] = []
    distortions: list[Distortion] = []
    for line, row in csv_rows(path, _COLUMNS, _COLUMNS):
        try:
            if row["outcome"] not in OUTCOMES:
                raise ValueError(f"one of {', '.join(OUTCOMES)} is wanted, {row['outcome']!r} came")
            distortions.append(parse_distortion(row["distortion"]))
            probability.append(_probability(row))
            numbers = [cell_number(row, name) for name in MEASURES]
        except (ValueError, InputError) as error:
            raise InputError(f"{path}, line {line}: {error}; evaluate again") from error
        measures.append([np.nan if n is None else n for n in numbers])
        rows.append(row)
    table = np.array(measures, dtype=np.float64).reshape(-1, len(MEASURES))
    return Answers(
        tuple(row["image"] for row in rows),
        tuple(distortions),
        tuple(int(row["seed"]) for row in rows),
        tuple(int(row["augmented"]) for row in rows),
        tuple(row["split"] for row in rows),
        tuple(row["source"] for row in rows),
        tuple(row["outcome"] for row in rows),
        np.array(probability, dtype=np.float64),
        {name: table[:, k] for k, name in enumerate(MEASURES)},
    )


def _probability(row: Mapping[str, str]) -> float:
    value = cell_number(row, "probability")
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"a probability is wanted, {row['probability']!r} came")
    return value


def _cell(value: float) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""
