"""Quality metrics of labelled pictures against their pristine ones; kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.media.quality import psnr, sharpness, ssim
from sightline.records.files import atomic_path, digest
from sightline.records.utility import UtilitySet
from sightline.tasks.utility.samples import Copies

Progress = Callable[[str, float], None]
Values = NDArray[np.float64]

#: Pictures between two words on how far it is.
_SAID = 100
_NAMES = ("PSNR", "SSIM", "sharpness")


def measures(data: UtilitySet, folder: Path, progress: Progress) -> dict[str, Values]:
    """Return (N,) values of each metric; NaN where it says nothing of a picture.

    ``file size`` is in bytes, ``energy`` the mean over the machines.

    Args:
        data: The pictures.
        folder: Where values are kept.
        progress: Called with a text and the fraction done.
    """
    sizes = np.array([item.bytes or np.nan for item in data.items], dtype=np.float64)
    energies = [[one.energy for one in item.machines] for item in data.items]
    energy = np.array(energies, dtype=np.float64).mean(axis=1)
    return {"file size": sizes, **_measured(data, folder, progress), "energy": energy}


def level_scores(known: UtilitySet, data: UtilitySet) -> Values:
    """Return (N,) how often each picture's distortion leaves pictures useful: all it looks at.

    Args:
        known: Labelled pictures to learn it from; pictures without a label do not count.
        data: The pictures to say it of. A distortion that was not met is as the mean of all.
    """
    found: dict[str, list[int]] = {}
    for item in known.items:
        if item.utility is not None:
            found.setdefault(str(item.distortion), []).append(item.utility)
    every = [utility for said in found.values() for utility in said]
    shares = {name: float(np.mean(said)) for name, said in found.items()}
    return np.array(
        [shares.get(str(item.distortion), float(np.mean(every))) for item in data.items]
    )


def _measured(data: UtilitySet, folder: Path, progress: Progress) -> dict[str, Values]:
    asked = [[i.image.as_posix(), str(i.distortion), i.seed, i.augmented] for i in data.items]
    path = folder / f"metrics-{digest(str(data.images_root.resolve()), asked, _NAMES)}.npy"
    if not path.is_file():
        copies = Copies(data.images_root, data.items)
        rows = np.full((len(data), len(_NAMES)), np.nan)
        for row in range(len(data)):
            try:
                pristine, image = copies(row)
            except SightlineError:
                continue
            rows[row] = psnr(image, pristine), ssim(image, pristine), sharpness(image)
            if row % _SAID == 0:
                progress("metrics of pictures", row / len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, rows, allow_pickle=False)
    kept: Values = np.load(path, allow_pickle=False)
    return dict(zip(_NAMES, kept.T, strict=True))
