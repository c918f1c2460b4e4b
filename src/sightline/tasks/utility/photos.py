"""Photos in, utility out: a probability each, a table and a contact sheet of all.

Imports without torch; ``sightline predict utility`` and :func:`sightline.predict_utility` use it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.learning.runs import WEIGHTS
from sightline.media import write_photo
from sightline.records.files import atomic_path
from sightline.tasks import LastWord, PhotoAnswers, Picture
from sightline.tasks.utility.sheet import ContactSheet

if TYPE_CHECKING:
    from sightline.tasks.utility.predict import UtilityModel

Photo = NDArray[np.uint8]

#: The table that ``--csv`` writes.
CSV_HEADER = ("image", "utility", "useful")

#: Pictures that go through the network together; more is not faster on a CPU.
_BATCH = 32

_BUNDLED_NOTE = (
    "the network of the package learned what is of use to small networks on rendered objects: for "
    "your photos and networks, `sightline label utility` and `sightline train utility` make another"
)


@dataclass(frozen=True)
class UtilityOptions:
    """Which images count as useful, and what is written of all of them."""

    csv: Path | None = None
    """Also write the table image,utility,useful as FILE.csv."""
    sheet: Path | None = None
    """Also write a contact sheet FILE.html: the best, the worst, and how the scores spread."""
    sheet_images: int = 24
    """Best images on the sheet, and as many worst."""
    threshold: float | None = None
    """Useful from this utility on, 0 to 1; where it was best on validation if not given."""
    sort: bool = False
    """The most useful first, when all are read, instead of each as it is read."""


@dataclass(frozen=True, eq=False)
class UtilityAnswer:
    """Whether one image is of use to machines.

    Attributes:
        image: As it was given.
        utility: Probability that it is of use, from 0 to 1.
        useful: Whether that reaches the threshold.
        threshold: From which on an image counts as useful.
    """

    image: str
    utility: float
    useful: bool
    threshold: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline predict utility --json`` prints."""
        return {"image": self.image, "utility": self.utility, "useful": self.useful}

    def text(self) -> str:
        """Return the answer as one line for people."""
        return f"{self.utility:.4f}  {self.verdict():<10}  {self.image}"

    def verdict(self) -> str:
        """Return the answer as words."""
        return "useful" if self.useful else "not useful"

    def csv_row(self) -> tuple[str, str, str]:
        """Return the cells of :data:`CSV_HEADER`; eight decimals are all that a float32 has."""
        return (self.image, f"{self.utility:.8f}", str(int(self.useful)))


@dataclass(frozen=True, eq=False)
class PhotoUtility:
    """The answer for one picture, and the picture.

    Attributes:
        image: uint8 (H, W, 3) RGB, upright.
        answer: What is said of it.
        held: Whether its line comes later, in order with all others.
        notes: None.
    """

    image: Photo
    answer: UtilityAnswer
    held: bool = False
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return a JSON object, or nothing where it is held back."""
        return [] if self.held else [self.answer.to_json()]

    def lines(self) -> list[str]:
        """Return a line, or nothing where it is held back."""
        return [] if self.held else [self.answer.text()]

    def picture(self) -> Photo:
        """Return the picture below a strip that says its utility; green is useful."""
        from sightline.tasks.utility.sheet import with_caption

        text = f"{self.answer.utility:.2f} {self.answer.verdict()}"
        return with_caption(self.image, text, good=self.answer.useful)

    def write(self, folder: Path, stem: str) -> None:
        """Write the captioned picture as ``stem.jpg``."""
        with atomic_path(folder / f"{stem}.jpg") as temporary:
            write_photo(temporary, self.picture())


@dataclass(eq=False)
class UtilityReader:
    """Scores picture after picture, and keeps of each what table and sheet need.

    Attributes:
        model: The network.
        options: What the user asked for.
        notes: What the user should know of all answers.
        default_out: Captioned pictures are written where the user names a folder only.
        endings: Of a captioned picture's name.
        batch: How many pictures are best asked about together.
    """

    model: UtilityModel
    options: UtilityOptions
    notes: tuple[str, ...] = ()
    default_out: Path | None = None
    endings: tuple[str, ...] = (".jpg",)
    batch: int = _BATCH
    _answers: list[UtilityAnswer] = field(default_factory=list)
    _sheet: ContactSheet | None = None

    def __post_init__(self) -> None:
        if self.options.sheet is not None:
            self._sheet = ContactSheet(self.threshold, self.options.sheet_images)

    @property
    def threshold(self) -> float:
        """From which utility on an image counts as useful."""
        asked = self.options.threshold
        return self.model.threshold if asked is None else asked

    def kept(self, photo: Path, folder: Path, stem: str) -> None:
        """Return nothing: a captioned picture does not hold the answer."""

    def __call__(self, picture: Picture, /) -> PhotoUtility:
        """Return the utility of one picture.

        Raises:
            InputError: It is no uint8 (H, W, 3) RGB picture, or the network gives no number.
        """
        return self.answer([picture])[0]

    def answer(self, pictures: Sequence[Picture], /) -> list[PhotoUtility]:
        """Return the utility of each picture.

        Raises:
            InputError: As for one.
        """
        for picture in pictures:
            image = picture.image
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise InputError(
                    f"{picture.name}: a uint8 RGB picture of shape (H, W, 3) is wanted, "
                    f"{image.dtype} {image.shape} came"
                )
        scores = self.model.utility([picture.image for picture in pictures])
        said = []
        for picture, score in zip(pictures, map(float, scores), strict=True):
            if not 0 <= score <= 1:
                raise InputError(
                    f"{picture.name}: a utility from 0 to 1 is wanted, {self.model.name} says "
                    f"{score}; train it again"
                )
            answer = UtilityAnswer(picture.name, score, score >= self.threshold, self.threshold)
            said.append(PhotoUtility(picture.image, answer, held=self.options.sort))
        return said

    def collect(self, answers: PhotoAnswers, /) -> None:
        """Keep the score of a picture, and a small copy where it is among the best or worst."""
        if not isinstance(answers, PhotoUtility):
            raise TypeError(f"answers of this reader are wanted, {type(answers)} came")
        self._answers.append(answers.answer)
        if self._sheet is not None:
            self._sheet.add(answers.answer.image, answers.answer.utility, answers.image)

    def close(self, *, stopped: bool) -> LastWord:
        """Write table and sheet, and return what was held back.

        Work that was stopped leaves its table as ``NAME.partial.csv`` and no sheet: what lies
        under the files' own names stays as it was.
        """
        answers, options = self._answers, self.options
        if options.sort:
            answers = sorted(answers, key=lambda answer: -answer.utility)
        notes = []
        if options.csv is not None and answers:
            path = options.csv.with_suffix(".partial.csv") if stopped else options.csv
            write_csv(path, answers)
            notes.append(f"{path}: {len(answers):,} image{'' if len(answers) == 1 else 's'}")
        if self._sheet is not None and options.sheet is not None and answers and not stopped:
            self._sheet.write(options.sheet, self.model.name)
            notes.append(f"{options.sheet}: {self._sheet.summary()}")
        held = answers if options.sort else []
        return LastWord(
            tuple(answer.text() for answer in held),
            tuple(answer.to_json() for answer in held),
            tuple(notes),
        )


def make_predictor(run: Path | None, options: UtilityOptions) -> UtilityReader:
    """Return what scores photos.

    Args:
        run: Run folder of the network; the one that comes with the package where None.
        options: What the user asks for.

    Raises:
        InputError: A threshold that is no probability, or a file that cannot be written.
        WeightsError: There is no such network.
    """
    threshold = options.threshold
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"a --threshold from 0 to 1 is wanted, {threshold:g} came")
    if options.sheet_images < 1:
        raise InputError(
            f"one image or more is wanted on the sheet, {options.sheet_images} came "
            "(--sheet-images)"
        )
    _check_target("--csv", options.csv, (".csv",))
    _check_target("--sheet", options.sheet, (".html", ".htm"))
    notes = (_BUNDLED_NOTE,) if run is None else ()
    return UtilityReader(_model(run), options, notes)


def write_csv(path: Path, answers: Sequence[UtilityAnswer]) -> None:
    """Write the table ``image,utility,useful``, atomically, in the order that came."""
    with (
        atomic_path(path) as temporary,
        # surrogateescape: file names need not be UTF-8
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        writer.writerows(answer.csv_row() for answer in answers)


def _check_target(flag: str, path: Path | None, suffixes: Sequence[str]) -> None:
    """Refuse before an hour of work what could not be written after it."""
    if path is None:
        return
    wanted = f"{flag} wants a file that ends in {' or '.join(suffixes)}"
    if path.suffix.lower() not in suffixes:  # no photo is ever written over
        raise InputError(f"{wanted}, {path} came")
    if path.is_dir():
        raise InputError(f"{wanted}, {path} is a folder")
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{wanted}, {there} cannot be written to; choose another folder")


def _model(run: Path | None) -> UtilityModel:
    from sightline.tasks.utility.predict import BUNDLED

    weights = (BUNDLED if run is None else run.resolve()) / WEIGHTS
    return _read_model(run, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=2)
def _read_model(run: Path | None, _written_ns: int) -> UtilityModel:
    """Return a network, read once for many calls unless its weights were written since."""
    from sightline.tasks.utility.predict import load_predictor

    return load_predictor(run)
