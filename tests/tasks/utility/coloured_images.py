"""Images whose class is their colour, and machines whose every answer is known beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.machines.machine import Classified, Detected

COLOURS = ("red", "green", "blue")
SQUARE = (6.0, 10.0, 20.0, 26.0)


def coloured_set(root: Path, count: int = 12) -> PristineSet:
    """Return pictures of 32 pixels with a square of one of three colours in turn."""
    root.mkdir(parents=True, exist_ok=True)
    images = []
    for k in range(count):
        colour = k % 3
        picture = np.random.default_rng(k).integers(0, 40, (32, 32, 3), np.uint8)
        picture[10:26, 6:20, colour] = 220
        Image.fromarray(picture).save(root / f"{k:02d}.png")
        images.append(PristineImage(Path(f"{k:02d}.png"), colour, (SQUARE,), (colour,)))
    return PristineSet("colours", root, tuple(images), COLOURS)


#: From which width on a SizeReader says what: whether it is right, the true class's probability.
ANSWERS = ((24, True, 0.97), (12, True, 0.95), (9, True, 0.6), (7, False, 0.05), (0, False, 0.3))


@dataclass
class SizeReader:
    """A classifier that sees the colour, and is as sure as the picture is wide.

    At 32 pixels: downscale:2 is useful, downscale:3 too unsure, downscale:4 of no use, downscale:8
    wrong but not wrong enough.

    Attributes:
        blind_to: A colour that it takes for the next one, whatever the width.
        refuses: A colour that it refuses to look at.
        shown: The sizes of all pictures that it saw.
    """

    name: str = "reader"
    digest: str = "1"
    blind_to: int = -1
    refuses: int = -1
    categories: tuple[str, ...] = COLOURS
    kind: Literal["classification"] = "classification"
    shown: list[tuple[int, ...]] = field(default_factory=list)

    def classify(self, images: Sequence[np.ndarray]) -> Classified:
        from sightline.errors import InputError

        rows = []
        for image in images:
            colour = int(image.reshape(-1, 3).mean(axis=0).argmax())
            if colour == self.refuses:
                raise InputError("no such colour is wanted")
            right, probability = next(a[1:] for a in ANSWERS if image.shape[1] >= a[0])
            if colour == self.blind_to:
                right, probability = False, 0.02
            row = np.zeros(3)
            row[colour] = probability
            row[(colour + 1) % 3] = (1 - probability) * (0.2 if right else 0.95)
            row[(colour + 2) % 3] = (1 - probability) * (0.8 if right else 0.05)
            rows.append(row)
        self.shown += [image.shape for image in images]
        probabilities = np.array(rows, np.float32)
        return Classified(probabilities, -probabilities.max(axis=1))


@dataclass
class SquareFinder:
    """A detector that finds the square with its true box, where it is bright enough."""

    name: str = "finder"
    digest: str = "2"
    categories: tuple[str, ...] = ("background", *COLOURS)
    kind: Literal["detection"] = "detection"
    shown: list[tuple[int, ...]] = field(default_factory=list)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detected]:
        self.shown += [image.shape for image in images]
        return [self._square(image) for image in images]

    def _square(self, image: np.ndarray) -> Detected:
        bright = image.max(axis=2) > 110
        if not bright.any():
            return Detected(
                np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
            )
        rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        label = int(image[bright].astype(float).mean(axis=0).argmax()) + 1
        # a worse double, and one that is too unsure to be kept
        return Detected(
            np.array([box, box, box], np.float32),
            np.array([label, 0, 0], np.int64),
            np.array([0.9, 0.3, 0.01], np.float32),
        )
