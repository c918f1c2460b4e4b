"""What models said of a set's images, on disk; every figure is computed from there.

A folder of predictions holds ``predictions.toml`` (the model's name, digest, quantity and unit, and
the set's digest) and one float32 ``.npy`` a picture in ``maps/``, of the size of its truth. Each
file is whole or absent, and what is there is not predicted again. A folder is only ever read for
the model and the images that its file names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet, Quantity
from sightline.records.files import atomic_path, digest, read_toml, write_toml
from sightline.tasks.depth.baselines import RowMeanDepth
from sightline.tasks.depth.maps import DepthMap, DepthModel, Unit, predict_each

PREDICTIONS = "predictions.toml"
MAPS = "maps"

Progress = Callable[[str, float], None]

#: Pictures given to a model at once; their pixels are in memory together.
_BATCH = 4
#: So many bytes of them are enough (50 megapixels are 150 MB).
_BATCH_BYTES = 60_000_000


class _Read(NamedTuple):
    """An image as read, and the (height, width) its map is kept at."""

    item: DepthImage
    shape: tuple[int, int]
    image: NDArray[np.uint8]


class Maps(Protocol):
    """Where the maps of one model lie, or how they are made without looking at a picture."""

    @property
    def name(self) -> str:
        """What tables call the model."""

    @property
    def quantity(self) -> Quantity:
        """What the maps hold."""

    @property
    def unit(self) -> Unit:
        """In which unit."""

    @property
    def kind(self) -> str:
        """``model``, ``labels`` or ``baseline``."""

    @property
    def about(self) -> dict[str, Any]:
        """What else tables and files say of it."""

    def read(self, item: DepthImage, shape: tuple[int, int]) -> DepthMap:
        """Return the map of an image at (height, width).

        Raises:
            InputError: There is none, or it does not read.
        """


@dataclass(frozen=True, eq=False)
class SavedMaps:
    """The maps of a folder of predictions.

    Attributes:
        name: Of the model, as tables show it.
        folder: With ``predictions.toml``.
        quantity: What the maps hold.
        unit: In which unit.
        digest: The model's.
        seconds: Predicting took so long an image, reading included; None where nothing was
            predicted in this call.
    """

    name: str
    folder: Path
    quantity: Quantity
    unit: Unit
    digest: str
    seconds: float | None = None
    kind: str = "model"

    @property
    def about(self) -> dict[str, Any]:
        """Digest, folder, speed."""
        return {
            "digest": self.digest,
            "predictions": str(self.folder),
            "seconds_per_image": self.seconds,
        }

    def read(self, item: DepthImage, shape: tuple[int, int]) -> DepthMap:
        """Return the saved map of an image at (height, width)."""
        path = map_path(self.folder, item)
        try:
            values = np.load(path, allow_pickle=False)
        except FileNotFoundError as error:
            raise InputError(f"{path} is wanted; there is no such prediction") from error
        except (ValueError, EOFError) as error:
            raise InputError(f"{path}: a prediction is wanted, it does not read; remove it") from (
                error
            )
        return DepthMap(resize_map(values, shape), self.quantity, self.unit)


@dataclass(frozen=True, eq=False)
class BaselineMaps:
    """Maps made anew from the few numbers of a predictor that never looks."""

    baseline: RowMeanDepth
    kind: str = "baseline"
    quantity: Quantity = "disparity"
    unit: Unit = "m"

    @property
    def name(self) -> str:
        """The predictor's."""
        return self.baseline.name

    @property
    def about(self) -> dict[str, Any]:
        """What it was fitted on."""
        return {"digest": self.baseline.digest, "fitted_on": self.baseline.fitted_on}

    def read(self, item: DepthImage, shape: tuple[int, int]) -> DepthMap:
        """Return the predictor's map at (height, width)."""
        return self.baseline.map_of(shape)


@dataclass(frozen=True, eq=False)
class LabelMaps:
    """Labels that a network wrote, judged as its predictions.

    Attributes:
        labels: The label folder's set.
        root: Folder of the set that is judged; pictures are matched by their files.
    """

    labels: DepthSet
    root: Path
    kind: str = "labels"

    @property
    def name(self) -> str:
        """The labelled folder's."""
        return f"labels {self.labels.name}"

    @property
    def quantity(self) -> Quantity:
        """What the labels hold."""
        return self.labels.items[0].quantity

    @property
    def unit(self) -> Unit:
        """Labels of disparity have no unit."""
        return "m" if self.quantity == "depth" else "relative"

    @property
    def about(self) -> dict[str, Any]:
        """Who labelled."""
        return {"labelled_by": self.labels.items[0].labelled_by, "folder": str(self.labels.root)}

    def read(self, item: DepthImage, shape: tuple[int, int]) -> DepthMap:
        """Return the label of an image at (height, width)."""
        label = self._items().get((self.root / item.image).resolve())
        if label is None:
            raise InputError(f"{self.root / item.image}: a label is wanted, it has none")
        values = self.labels.read_target(label)
        return DepthMap(resize_map(values, shape), self.quantity, self.unit)

    def has(self, item: DepthImage) -> bool:
        """Return whether an image of the judged set has a label."""
        return (self.root / item.image).resolve() in self._items()

    def _items(self) -> dict[Path, DepthImage]:
        found: dict[Path, DepthImage] | None = self.__dict__.get("_by_image")
        if found is None:
            found = {self.labels.path(i.image).resolve(): i for i in self.labels.items if i.depth}
            object.__setattr__(self, "_by_image", found)
        return found


def save_predictions(
    model: DepthModel,
    data: DepthSet,
    shapes: Sequence[tuple[int, int]],
    folder: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> tuple[SavedMaps, dict[str, str]]:
    """Return the saved maps of a set's images, predicted where they are not there yet.

    Args:
        model: Whose.
        data: Its images.
        shapes: (height, width) at which each image's map is kept: its truth's.
        folder: Of this model and these images alone.
        progress: Called with a stage text and the fraction done.

    Returns:
        The maps, and by image what could not be predicted and why.

    Raises:
        InputError: The folder holds another model's predictions.
    """
    _begin(model, data, folder)
    failed: dict[str, str] = {}
    missing = [
        (item, shape)
        for item, shape in zip(data.items, shapes, strict=True)
        if not map_path(folder, item).is_file()
    ]
    started = time.perf_counter()
    batch: list[_Read] = []
    for index, (item, shape) in enumerate(missing):
        progress(f"{model.name} on {data.name}", index / len(missing))
        try:
            batch.append(_Read(item, shape, data.read_image(item)))
        except InputError as error:
            failed[item.image.as_posix()] = str(error)
        if len(batch) == _BATCH or sum(one.image.size for one in batch) > _BATCH_BYTES:
            failed |= _predict(model, batch, folder)
            batch = []
    failed |= _predict(model, batch, folder)
    predicted = len(missing) - len(failed)
    seconds = (time.perf_counter() - started) / predicted if predicted else None
    saved = SavedMaps(model.name, folder, model.quantity, model.unit, model.digest, seconds)
    return saved, failed


def map_path(folder: Path, item: DepthImage) -> Path:
    """Return the file of an image's map: its stem, and a digest of its whole path."""
    key = digest(item.image.as_posix())[:8]
    return folder / MAPS / f"{item.image.stem[:60]}-{key}.npy"


def file_stem(name: str) -> str:
    """Return the name of a set or a model as part of a file's."""
    return "".join(c if c.isalnum() else "-" for c in name).strip("-")[:40] or "depth"


def images_digest(data: DepthSet) -> str:
    """Return a digest of a set's images and the sizes of their files; not of where it lies."""
    listed = [(item.image.as_posix(), _size(data.path(item.image))) for item in data.items]
    return digest(listed)


def resize_map(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map at (height, width), float32: bilinear, as published evaluations do."""
    values = np.asarray(values, np.float32)
    if values.shape == shape:
        return values
    height, width = shape
    resized = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.astype(np.float32, copy=False)


def _predict(model: DepthModel, batch: Sequence[_Read], folder: Path) -> dict[str, str]:
    """Save the maps of some images; return those that the model refuses, and why."""
    refused: dict[str, str] = {}
    for one, made in zip(batch, predict_each(model, [one.image for one in batch]), strict=True):
        if isinstance(made, str):
            refused[one.item.image.as_posix()] = f"{model.name} refuses it: {made}"
        else:
            _save(map_path(folder, one.item), resize_map(made.values, one.shape))
    return refused


def _begin(model: DepthModel, data: DepthSet, folder: Path) -> None:
    """Write what the folder is of, or see that it is of the same."""
    wanted = {
        "model": model.name,
        "digest": model.digest,
        "quantity": model.quantity,
        "unit": model.unit,
        "images": images_digest(data),
    }
    if (folder / PREDICTIONS).is_file():
        found = read_toml(folder / PREDICTIONS)
        if {**found, "model": model.name} != wanted:
            raise InputError(
                f"{folder}: predictions of {model.name} ({model.digest}) for these images are "
                "wanted, it holds others; name another folder with --out"
            )
        return
    write_toml(folder / PREDICTIONS, wanted)


def _save(path: Path, values: NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, values, allow_pickle=False)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1  # whoever reads the image says that it is missing
