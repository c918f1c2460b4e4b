"""Pristine images with what they show, and labels that say which distorted copies are of use.

A folder of labels::

    labels.toml      task, machines, thresholds, operator, distortions, where the images lie
    labels.csv       one row a distorted image: what each machine says, and the combined label
    predictions/     what the machines said, by digest of model and image; goes on after a kill
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sightline.media.distortions import Distortion

LABELS_TOML, LABELS_CSV = "labels.toml", "labels.csv"

UtilityTask = Literal["classification", "detection", "localization"]
Operator = Literal["common", "majority", "mean", "max"]

#: ``x0, y0, x1, y1`` in pixels from edge to edge: the whole picture is 0, 0, width, height.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
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
    """

    name: str
    root: Path
    images: tuple[PristineImage, ...]
    categories: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on this set go."""
        return self.root / "runs"

    def part(self, split: str) -> PristineSet:
        """Return the images of one split."""
        return replace(self, images=tuple(i for i in self.images if i.split == split))


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
    """

    name: str
    root: Path
    images_root: Path
    task: UtilityTask
    machines: tuple[str, ...]
    operator: Operator
    items: tuple[UtilityItem, ...]
    categories: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def runs_dir(self) -> Path:
        """Where trainings on these labels go."""
        return self.root / "runs"

    def part(self, split: str) -> UtilitySet:
        """Return the images of one split."""
        return replace(self, items=tuple(i for i in self.items if i.split == split))
