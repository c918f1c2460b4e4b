"""Labels on disk whose truth is known: a picture is useless where a distortion drowned its pattern.

No machine is asked: the label is a rule on kind and level, so that a tiny network must find it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.media.distortions import Distortion
from sightline.records.utility import MachineLabel, UtilityItem, UtilitySet

SIDE = 32

#: What is done to each picture, and whether it is then useful, useless or neither.
LEVELS: tuple[tuple[Distortion, int | None], ...] = (
    (Distortion("noise", 4.0), 1),
    (Distortion("noise", 60.0), 0),
    (Distortion("blur", 0.5), 1),
    (Distortion("noise", 20.0), None),
)


def toy_picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture of smooth colours."""
    coarse = rng.integers(60, 196, size=(3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def toy_item(
    name: str,
    distortion: Distortion,
    utility: int | None,
    *,
    split: str,
    source: str,
    seed: int = 0,
    bytes: int = 500,  # noqa: A002 - the record's name
    energy: float = math.nan,
) -> UtilityItem:
    """Return an item that two machines agree on."""
    confidence = {1: 0.95, 0: 0.05, None: 0.5}[utility]
    said = MachineLabel(utility, 0.95, confidence, confidence / 0.95, energy)
    return UtilityItem(Path(name), distortion, seed, 0, split, source, bytes, utility, (said, said))


def make_toy_labels(
    root: Path, *, train: int = 24, validation: int = 8, test: int = 8
) -> UtilitySet:
    """Write pictures and return their labels; each picture has all of :data:`LEVELS`."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    items = []
    for k, split in enumerate(splits):
        name = f"{k:04d}.png"
        Image.fromarray(toy_picture(rng)).save(root / "images" / name)
        for distortion, utility in LEVELS:
            energy = {1: -9.0, 0: -2.0, None: -5.0}[utility] + float(rng.normal(0, 0.1))
            items.append(
                toy_item(
                    name,
                    distortion,
                    utility,
                    split=split,
                    source=f"shape{k // 2}",
                    seed=k,
                    energy=energy,
                )
            )
    return UtilitySet(
        "toy",
        root / "labels",
        root / "images",
        "classification",
        ("first", "second"),
        "common",
        tuple(items),
    )
