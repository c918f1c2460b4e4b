"""Pristine images with what they show, and labels that say which distorted copies are of use.

A folder of labels::

    labels.toml      task, machines, thresholds, operator, distortions, where the images lie, counts
    labels.csv       one row a distorted image: what each machine says, and the combined label
    predictions/     what the machines said, by digest of model and image; goes on after a kill

Reading and writing the first two is ``sightline.records.utility_files``, which also describes the
columns.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from sightline.errors import InputError
from sightline.media.distortions import Distortion

LABELS_TOML, LABELS_CSV = "labels.toml", "labels.csv"

UtilityTask = Literal["classification", "detection", "localization"]
TASKS: tuple[UtilityTask, ...] = get_args(UtilityTask)

Operator = Literal["common", "majority", "mean", "max"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)

#: ``x0, y0, x1, y1`` in pixels from edge to edge: the whole picture is 0, 0, width, height.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PristineImage:
    """An undistorted image and what it shows.

    Attributes:
        image: Path, relative to the set's root.
        category: Index of its class in the set's ``categories``; None where unknown.
        boxes: Of its objects.
        box_categories: Index of each box's class.
        split: ``train``, ``validation``, ``test`` or empty: drawn by source then.
        source: The video, shape or photo it was made of; splits never cut through one. Empty: the
            image is a source of its own.
    """

    image: Path
    category: int | None = None
    boxes: tuple[Box, ...] = ()
    box_categories: tuple[int, ...] = ()
    split: str = ""
    source: str = ""


@dataclass(frozen=True)
class PristineSet:
    """Undistorted images of one data set.

    Attributes:
        name: As tables show it.
        root: Folder that paths are relative to.
        images: In a fixed order.
        categories: Names of the classes, in the order of indices.
        left_out: What was not taken, by reason, for logs.
        notes: What else is to be known of the set, in sentences, for logs.
    """

    name: str
    root: Path
    images: tuple[PristineImage, ...]
    categories: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    @property
    def has_classes(self) -> bool:
        """Whether the class of any image is known."""
        return any(image.category is not None for image in self.images)

    @property
    def has_boxes(self) -> bool:
        """Whether any image has a box; one without is then known to show no object."""
        return any(image.boxes for image in self.images)

    def path(self, image: PristineImage) -> Path:
        """Return where an image lies; it may be in an archive (``sightline.media.read_image``)."""
        return self.root / image.image

    def splits(self) -> dict[str, int]:
        """Return the number of images in each split."""
        return dict(Counter(image.split for image in self.images))

    def part(self, split: str) -> PristineSet:
        """Return the images of one split."""
        return replace(self, images=tuple(i for i in self.images if i.split == split))


@dataclass(frozen=True)
class Thresholds:
    """What a decision must reach to count.

    Attributes:
        high: T_H: a class counts as recognised on the distorted image above this probability.
        low: T_L: it counts as lost below this one.
        recognition: phi_rec of Eq. 2. For detections it is ``score``.
        score: Least score of a detection.
        iou: Least overlap (intersection over union) of a detection with a true box.

    Raises:
        InputError: One is not from 0 to 1, or ``low`` is above ``high``.
    """

    high: float = 0.9
    low: float = 0.1
    recognition: float = 0.5
    score: float = 0.5
    iou: float = 0.5

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 0 <= getattr(self, one.name) <= 1:
                raise InputError(
                    f"a threshold from 0 to 1 is wanted for {one.name}, {getattr(self, one.name)} "
                    "came"
                )
        if self.low > self.high:
            raise InputError(f"T_L at most T_H is wanted, {self.low:g} and {self.high:g} came")


#: The paper's, as far as it names them.
PAPERS = Thresholds()


@dataclass(frozen=True, slots=True)
class MachineLabel:
    """What one machine says of one distorted image.

    Attributes:
        utility: 1 useful, 0 not; None: between the thresholds, or the pristine image failed too.
        reference: Confidence of the true outcome on the pristine image (phi').
        confidence: Confidence of the same outcome on the distorted image (phi).
        value: f(phi, phi') of Eq. 2; NaN where the pristine image failed.
        energy: Energy score of the distorted image (Liu et al. 2020); NaN where there is none.
    """

    utility: int | None
    reference: float
    confidence: float
    value: float
    energy: float = float("nan")

    @property
    def failed(self) -> bool:
        """Whether the pristine image failed: nothing can be said of the distorted one."""
        return math.isnan(self.value)


@dataclass(frozen=True)
class LabelCounts:
    """How many distorted images got which label, from one machine or from all together.

    Attributes:
        useful: Label 1.
        useless: Label 0.
        between: None, because a confidence lay between the thresholds.
        disagreeing: None, because every machine has a label and they differ (combined only).
        failed: None, because the pristine image failed (combined: with a machine at least).
    """

    useful: int = 0
    useless: int = 0
    between: int = 0
    disagreeing: int = 0
    failed: int = 0

    @property
    def labelled(self) -> int:
        """How many have a label."""
        return self.useful + self.useless

    @property
    def total(self) -> int:
        """How many distorted images there are."""
        return self.labelled + self.between + self.disagreeing + self.failed


@dataclass(frozen=True, slots=True)
class UtilityItem:
    """One distorted image and its label.

    Attributes:
        image: The pristine image, relative to the set's ``images_root``.
        distortion: What is done to it.
        seed: Of the distortion's random numbers and of the augmentation.
        augmented: 0: the image itself; k: its k-th augmented copy (class balancing).
        split: ``train``, ``validation`` or ``test``; one for all copies of a source.
        source: What it was made of.
        bytes: Size of the distorted file (of a PNG where the kind is no codec); 0: unknown.
        utility: The machines' labels joined: 1, 0, or None.
        machines: What each says, in the order of the set's ``machines``.
    """

    image: Path
    distortion: Distortion
    seed: int
    augmented: int
    split: str
    source: str
    bytes: int
    utility: int | None
    machines: tuple[MachineLabel, ...] = ()


@dataclass(frozen=True)
class UtilitySet:
    """A folder of labels.

    Attributes:
        name: As tables show it.
        root: The folder.
        images_root: Where the pristine images lie.
        task: What the machines do.
        machines: Their names.
        operator: How their labels were joined.
        items: In a fixed order.
        categories: Names of the classes that the machines tell apart; may be empty.
        thresholds: What the machines' decisions had to reach.
    """

    name: str
    root: Path
    images_root: Path
    task: UtilityTask
    machines: tuple[str, ...]
    operator: Operator
    items: tuple[UtilityItem, ...]
    categories: tuple[str, ...] = ()
    thresholds: Thresholds = Thresholds()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on these labels go."""
        return self.root / "runs"

    def part(self, split: str) -> UtilitySet:
        """Return the images of one split."""
        return replace(self, items=tuple(i for i in self.items if i.split == split))


def read_labels(path: str | Path) -> UtilitySet:
    """Return the labels of a folder that ``sightline label utility`` wrote.

    Raises:
        InputError: As for :func:`sightline.records.utility_files.read_labels`.
    """
    from sightline.records import utility_files

    return utility_files.read_labels(path)
