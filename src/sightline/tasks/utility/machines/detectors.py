"""Torchvision's detectors and NanoDet as machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.learning.backbones import state_digest
from sightline.learning.detectors import COCO, BoxFinder, NanoDet, TorchvisionDetector
from sightline.records.files import digest, digest_files
from sightline.tasks.utility.machines.adapter import find_adapter
from sightline.tasks.utility.machines.answers import detected
from sightline.tasks.utility.machines.classifiers import name_of
from sightline.tasks.utility.machines.machine import LEAST_SCORE, Detected, Photo
from sightline.tasks.utility.machines.reading import check_image

#: Pixels of a picture's shorter side on a CPU, where torchvision's own 800 takes seconds.
CPU_MIN_SIZE = 320


@dataclass(frozen=True, eq=False)
class FinderMachine:
    """A network that finds boxes, as a machine.

    Attributes:
        name: As tables show it.
        finder: The network.
        categories: Names of its classes; empty where the weights do not say them.
        indices: Of the network's classes in ``categories``; -1: not one of them. Where it is empty
            they are the same.
        digest: Of the weights and the reading.
    """

    name: str
    finder: BoxFinder
    categories: tuple[str, ...]
    indices: NDArray[np.int64]
    digest: str
    kind: Literal["detection"] = "detection"

    def detect(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what it finds in uint8 (H, W, 3) RGB images, each of any size.

        One after the other: in a batch of torchvision the sizes of all decide the padding of each,
        and an answer would hang on what stands beside it.
        """
        answers = []
        for i, image in enumerate(images):
            check_image(image, i)
            found = self.finder.find(image)
            labels = self.indices[found.labels] if len(self.indices) else found.labels
            known = labels >= 0
            answers.append(
                detected(found.boxes[known], labels[known], found.scores[known], image.shape)
            )
        return answers


def torchvision_detector_machine(
    architecture: str, weights: str, least_score: float = LEAST_SCORE
) -> FinderMachine:
    """Return a detector of torchvision; its classes are COCO's 80, else the file's own.

    Args:
        architecture: As torchvision has it.
        weights: ``coco``, ``none`` (random) or a FILE of the same network, for any number of
            classes; ``labels`` in a ``.toml`` beside it names them, the background first or left
            out.
        least_score: What scores less is left out.

    Raises:
        CatalogError: No such detector.
        InputError: The file's ``.toml`` is wrong.
        WeightsError: The weights cannot be had, or do not fit.
    """
    cuda = torch.cuda.is_available()
    min_size = None if cuda or architecture.endswith("_320_fpn") else CPU_MIN_SIZE
    finder = TorchvisionDetector(
        architecture,
        weights,
        least_score,
        min_size=min_size,
        advice=f"write {architecture}:FILE with a copy, or {architecture}:none for random weights",
    )
    network = state_digest(finder.net)  # before it moves
    finder.net.to(torch.device("cuda" if cuda else "cpu"))
    names, classes = finder.categories, finder.classes
    if weights not in ("coco", "none"):
        names = find_adapter(Path(weights)).labels or names
    if len(names) == classes - 1:
        names = ("background", *names)
    if names and len(names) != classes:
        raise InputError(f"{classes - 1} labels of {weights} are wanted, {len(names)} came")
    if set(names) >= set(COCO):
        indices, names = [COCO.index(n) if n in COCO else -1 for n in names], COCO
    else:
        indices, names = list(range(-1, classes - 1)), names[1:]  # 0 is the background
    made_of = digest("torchvision detector", architecture, network, min_size, least_score, indices)
    name = name_of(architecture, weights, "coco")
    return FinderMachine(name, finder, names, np.array(indices), made_of)


def nanodet_machine(path: Path, least_score: float = LEAST_SCORE) -> FinderMachine:
    """Return NanoDet's ONNX file as a machine.

    Raises:
        InputError: The file is missing or not NanoDet's.
    """
    made_of = digest("nanodet", digest_files([path], names=False), least_score)
    same = np.arange(len(COCO))
    return FinderMachine(path.stem, NanoDet(path, least_score), COCO, same, made_of)
