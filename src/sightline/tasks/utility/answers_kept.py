"""Whether a machine says of a compressed image what it says of the image as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError, SightlineError
from sightline.records.utility import PAPERS
from sightline.tasks.utility.definition import overlaps, pristine_objects
from sightline.tasks.utility.machines.machine import Classifier, Detected, Detector, Machine

Photo = NDArray[np.uint8]
A = TypeVar("A")

#: What an image without detections says; images that say it keep nothing and count apart.
NOTHING = "nothing"


@dataclass(frozen=True)
class Kept:
    """What became of one image's answer.

    Attributes:
        kept: Whether it is the same still.
        text: What the machine says now.
        found: How many of the things it found before it finds again.
    """

    kept: bool
    text: str
    found: int


class Judge(Protocol[A]):
    """Asks a machine, and compares its answers; ``A`` is what it says of one image."""

    def ask(self, images: Sequence[Photo]) -> list[A]:
        """Return what the machine says of each image.

        Raises:
            SightlineError: It says nothing that counts, such as NaN.
        """

    def things(self, answer: A) -> int:
        """Return how many things the machine found; there is nothing to keep where it is 0."""

    def text(self, answer: A) -> str:
        """Return the answer in words."""

    def compare(self, before: A, after: A) -> Kept:
        """Return what became of an answer."""


@dataclass(frozen=True, eq=False)
class TopClass:
    """A classifier's answer is its likeliest class."""

    machine: Classifier

    def ask(self, images: Sequence[Photo]) -> list[int]:
        """Return the index of each image's likeliest class."""
        probabilities = self.machine.classify(images).probabilities
        if not np.isfinite(probabilities).all():
            raise GeometryError(f"probabilities are wanted, {self.machine.name} says NaN or inf")
        return [int(k) for k in probabilities.argmax(axis=1)]

    def things(self, answer: int) -> int:
        """Return 1: a classifier always says a class."""
        return 1

    def text(self, answer: int) -> str:
        """Return the class's name."""
        return _name(self.machine, answer)

    def compare(self, before: int, after: int) -> Kept:
        """Return whether the class is the same (Khan et al. 2022, Eq. 5)."""
        return Kept(before == after, self.text(after), int(before == after))


@dataclass(frozen=True, eq=False)
class Boxes:
    """A detector's answer is what it finds with a score of 0.5 or more."""

    machine: Detector

    def ask(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what is found in each image."""
        return list(self.machine.detect(images))

    def things(self, answer: Detected) -> int:
        """Return how many boxes have a score of 0.5 or more."""
        return len(pristine_objects(answer)[0])

    def text(self, answer: Detected) -> str:
        """Return what is found, and how often."""
        counts = Counter(pristine_objects(answer)[1])
        names = [(_name(self.machine, label), count) for label, count in counts.items()]
        return ", ".join(f"{n} {name}" if n > 1 else name for name, n in names) or NOTHING

    def compare(self, before: Detected, after: Detected) -> Kept:
        """Return whether one box or more is found again.

        Found again: with its label, a score of 0.5 or more and an overlap of 0.5 or more.

        Source: Khan et al. 2022, Eq. 6 and Sec. IV.
        """
        boxes, labels = pristine_objects(before)
        seen, names = pristine_objects(after)
        at = overlaps(boxes, seen) >= PAPERS.iou
        at &= np.asarray(labels).reshape(-1, 1) == np.asarray(names).reshape(1, -1)
        found = int(at.any(axis=1).sum())
        return Kept(found > 0, self.text(after), found)


def judge_of(machine: Machine) -> Judge[int] | Judge[Detected]:
    """Return what compares a machine's answers."""
    if machine.kind == "classification":
        return TopClass(cast("Classifier", machine))
    return Boxes(cast("Detector", machine))


@dataclass(frozen=True, eq=False)
class Asked(Generic[A]):
    """What came of asking about one image: an answer, or why there is none."""

    answer: A | None
    error: str = ""


def ask_each(judge: Judge[A], images: Sequence[Photo]) -> list[Asked[A]]:
    """Return what came of each image; where one spoils the batch, each is asked about alone."""
    try:
        return [Asked(answer) for answer in judge.ask(images)]
    except SightlineError as error:
        if len(images) == 1:
            return [Asked(None, " ".join(str(error).split()))]
    return [asked for image in images for asked in ask_each(judge, [image])]


def _name(machine: Machine, index: int) -> str:
    names = machine.categories
    return names[index] if 0 <= index < len(names) else f"class {index}"
