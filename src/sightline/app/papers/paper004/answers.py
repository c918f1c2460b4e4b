"""What machines and predictors say of labelled pictures; each predictor's answers are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper004.replacing import Truth
from sightline.errors import InputError, SightlineError
from sightline.media.distortions import Distortion
from sightline.records.files import atomic_path, digest
from sightline.records.utility import PristineSet, UtilityItem, UtilitySet
from sightline.tasks.utility.labelling_plan import class_indices
from sightline.tasks.utility.labelling_predictions import (
    NO_CLASS,
    Predictions,
    read_predictions,
)
from sightline.tasks.utility.machines.machine import Detected
from sightline.tasks.utility.samples import Copies, source_of

if TYPE_CHECKING:
    from sightline.tasks.utility.predict import UtilityModel

Progress = Callable[[str, float], None]
_PRISTINE = Distortion("none")
#: Pictures that a predictor is shown together.
_BATCH = 256


def qualities(data: UtilitySet) -> NDArray[np.float64]:
    """Return (N,) the level of each picture's distortion: the JPEG quality."""
    return np.array([item.distortion.level for item in data.items], dtype=np.float64)


def sources(data: UtilitySet) -> list[str]:
    """Return what each picture was made of."""
    return [source_of(item) for item in data.items]


def right(data: UtilitySet, machine: str) -> NDArray[np.bool_]:
    """Return (N,) whether a classifier's answer to each distorted picture is the true class.

    Where the data do not say the class, it is the classifier's own answer to the pristine picture.

    Raises:
        InputError: It has not answered to these pictures.
    """
    found = read_predictions(data.root, machine)
    answers = [found.classified(_row(found, item, item.distortion)) for item in data.items]
    return np.array([one.predicted == one.reference for one in answers])


def detected(data: UtilitySet, machine: str) -> tuple[list[Detected], list[Detected]]:
    """Return what a detector finds in each distorted picture, and in its pristine one.

    Boxes are in pixels of the pristine picture.

    Raises:
        InputError: It has not answered to these pictures.
    """
    found = read_predictions(data.root, machine)
    return (
        [found.detected(_row(found, item, item.distortion)) for item in data.items],
        [found.detected(_row(found, item, _PRISTINE)) for item in data.items],
    )


def truths(labels: UtilitySet, machine: str, data: PristineSet) -> list[Truth]:
    """Return the true boxes and labels of each picture; labels as a detector numbers them.

    Boxes of classes that it does not know are left out, as it cannot be asked for them.

    Raises:
        InputError: There is no box that it could find.
    """
    known = class_indices(data, read_predictions(labels.root, machine))
    by_image = {image.image: image for image in data.images}
    made: dict[Path, Truth] = {}
    for item in labels.items:
        if item.image not in made:
            image = by_image[item.image]
            own = [known[category] for category in image.box_categories]
            kept = [(b, n) for b, n in zip(image.boxes, own, strict=True) if n != NO_CLASS]
            made[item.image] = (
                np.array([b for b, _ in kept], dtype=np.float32).reshape(-1, 4),
                np.array([n for _, n in kept], dtype=np.int64),
            )
    if not any(len(numbers) for _, numbers in made.values()):
        raise InputError(
            f"{data.root}: test pictures with boxes that {machine} knows are wanted, there are "
            "none; take more --images"
        )
    return [made[item.image] for item in labels.items]


def utilities(
    model: UtilityModel, data: UtilitySet, folder: Path, progress: Progress
) -> NDArray[np.float64]:
    """Return (N,) how likely each picture is of use, by a predictor; kept in ``folder``.

    NaN where a picture is not there any more.
    """
    asked = [[i.image.as_posix(), str(i.distortion), i.seed, i.augmented] for i in data.items]
    key = digest(model.digest, str(data.images_root.resolve()), asked)
    path = folder / f"{model.name[:60]}-{key}.npy"
    if not path.is_file():
        values = np.full(len(data), np.nan)
        for rows, images in _pictures(data):
            values[rows] = model.utility(images)
            progress(f"answers of {model.name}", (rows[-1] + 1) / len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)
    kept: NDArray[np.float64] = np.load(path, allow_pickle=False)
    return kept


def _pictures(data: UtilitySet) -> Iterator[tuple[list[int], list[NDArray[np.uint8]]]]:
    """Yield rows and their distorted pictures, some hundred together; what does not read is not."""
    copies = Copies(data.images_root, data.items)
    rows: list[int] = []
    images: list[NDArray[np.uint8]] = []
    for row in range(len(data)):
        try:
            images.append(copies(row)[1])
        except SightlineError:
            continue
        rows.append(row)
        if len(rows) == _BATCH:
            yield rows, images
            rows, images = [], []
    if rows:
        yield rows, images


def _row(found: Predictions, item: UtilityItem, distortion: Distortion) -> int:
    """Return where a machine's answer to a picture stands.

    Raises:
        InputError: It has none.
    """
    seed = item.seed if distortion.kind != "none" or item.augmented else 0
    row = found.find(item.image, distortion, seed, item.augmented)
    if row is None:
        raise InputError(
            f"an answer of {found.name} to {item.image} ({distortion}) is wanted, there is none; "
            "label again, or choose another --out"
        )
    return row
