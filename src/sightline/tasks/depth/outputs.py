"""What is said of the depth of one picture, and the files it becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.media import read_photo, write_photo
from sightline.records.depth import Quantity
from sightline.records.depth_files import write_depth_png_mm
from sightline.records.files import atomic_path, write_json
from sightline.tasks.depth.align import as_depth
from sightline.tasks.depth.colour import colour_map, is_flat
from sightline.tasks.depth.edges import depth_edges
from sightline.tasks.depth.maps import Unit
from sightline.tasks.depth.points import point_cloud, write_ply
from sightline.tasks.depth.scale import Scaled
from sightline.tasks.depth.sizes import is_one_colour

ENDINGS = (
    *(".npy", ".png", ".json", ".ply", "_colour.png", "_edges.png"),
    *("_uncertainty.npy", "_uncertainty.png"),
)
"""What the names of an answer's files add to the picture's."""


@dataclass(frozen=True)
class Extras:
    """Which files are written beside the map itself."""

    points: bool = False
    edges: bool = False


@dataclass(frozen=True, eq=False)
class DepthAnswer:
    """The depth of every pixel of one picture.

    Attributes:
        image: Its name.
        picture_rgb: (H, W, 3) uint8 RGB, of the map's size.
        scaled: The map, and where its scale comes from.
        camera: Intrinsics for the map's size.
        camera_source: ``given``, ``exif``, ``place``, or ``estimated`` where nothing was known.
        photo_size: Width and height of the photo itself.
        model: Name of the network.
        model_digest: Of its weights and settings.
        seconds: Time it took.
        span: Disparities of the darkest and brightest colour.
        uncertainty: (H, W) float32 in the map's unit, half of what the mirrored picture differs;
            None where it was not asked for.
        extras: Which files are written too.
        details: What else the JSON says.
        notes: What the user should know.
    """

    image: str
    picture_rgb: NDArray[np.uint8]
    scaled: Scaled
    camera: Camera
    camera_source: str
    photo_size: tuple[int, int]
    model: str
    model_digest: str
    seconds: float
    span: tuple[float, float] | None = None
    uncertainty: NDArray[np.float32] | None = None
    extras: Extras = Extras()
    details: tuple[tuple[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> NDArray[np.float32]:
        """(H, W) float32: z-depth, or disparity where :attr:`quantity` says so; NaN unknown."""
        return self.scaled.depth_map.values

    @property
    def quantity(self) -> Quantity:
        """``depth`` or ``disparity``."""
        return self.scaled.depth_map.quantity

    @property
    def unit(self) -> Unit:
        """``m`` where it is metric, else ``relative``."""
        return self.scaled.depth_map.unit

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return (N, 3) points in the camera's frame and their (N, 3) uint8 RGB colours.

        Pixels at the edges of things are left out. A relative map gives points up to an unknown
        size, their median depth is 1; its shift being unknown, so is their shape.
        """
        depth = as_depth(self.scaled.depth_map)
        if self.quantity == "disparity":
            depth = depth / np.nanmedian(depth)
        keep = ~depth_edges(self.scaled.depth_map)
        return point_cloud(depth, self.camera, self.picture_rgb, keep)

    @cached_property
    def flat(self) -> bool:
        """Whether all of it is equally far."""
        return is_flat(self.scaled.depth_map)

    @cached_property
    def one_colour(self) -> bool:
        """Whether the picture shows nothing that depth could be told from."""
        return is_one_colour(self.picture_rgb)

    def to_json(self) -> dict[str, Any]:
        """Return what ``NAME.json`` and ``sightline predict depth --json`` say."""
        height, width = self.values.shape
        known = self.values[np.isfinite(self.values)]
        numbers = [float(f(known)) if known.size else None for f in (np.min, np.median, np.max)]
        scaled = self.scaled
        return {
            "image": self.image,
            "unit": self.unit,
            "quantity": self.quantity,
            "width": width,
            "height": height,
            "photo_width": self.photo_size[0],
            "photo_height": self.photo_size[1],
            "K": self.camera.matrix.tolist(),
            "distortion": list(self.camera.distortion),
            "K_source": self.camera_source,
            "model": self.model,
            "model_digest": self.model_digest,
            "scale_source": scaled.source,
            "scale": scaled.scale,
            "shift": scaled.shift,
            **scaled.details,
            "min": numbers[0],
            "median": numbers[1],
            "max": numbers[2],
            "known_share": known.size / self.values.size,
            "flat": self.flat,
            "one_colour": self.one_colour,
            **dict(self.details),
            "seconds": round(self.seconds, 4),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON object."""
        return [self.to_json()]

    def lines(self) -> list[str]:
        """Return one line for people."""
        return [_line(self.to_json())]

    def picture(self) -> NDArray[np.uint8]:
        """Return the map in colours: near is bright and warm."""
        return colour_map(self.scaled.depth_map, self.span)

    def write(self, folder: Path, stem: str) -> None:
        """Write the files; ``stem.json`` last: where it is, the others are whole and belong to it.

        Those that an earlier answer left under the same name are replaced or removed.

        Raises:
            InputError: There are files of that name that no answer left: measured depth perhaps.
        """
        begun = folder / f".{stem}.begun"  # stays where a process is killed in between
        _refuse_others(folder, stem, begun)
        folder.mkdir(parents=True, exist_ok=True)
        begun.touch()
        for ending in (".json", *ENDINGS):
            (folder / f"{stem}{ending}").unlink(missing_ok=True)
        _save(folder / f"{stem}.npy", self.values)
        if self.unit == "m" and self.quantity == "depth":
            write_depth_png_mm(folder / f"{stem}.png", self.values)
        _picture(folder / f"{stem}_colour.png", self.picture())
        if self.extras.edges:
            edges = depth_edges(self.scaled.depth_map).astype(np.uint8) * 255
            _picture(folder / f"{stem}_edges.png", edges)
        if self.uncertainty is not None:
            _save(folder / f"{stem}_uncertainty.npy", self.uncertainty)
            _picture(folder / f"{stem}_uncertainty.png", _grey(self.uncertainty))
        if self.extras.points:
            write_ply(folder / f"{stem}.ply", *self.points(), self._comments())
        write_json(folder / f"{stem}.json", self.to_json())
        begun.unlink()

    def _comments(self) -> list[str]:
        metric = "z-depth in metres" if self.unit == "m" else "relative: no scale in metres"
        shape = ""
        if self.quantity == "disparity":
            shape = "; the shift of the disparity is not known, the shape is a guess"
        return [
            "camera frame: x right, y down, z forward",
            f"{metric}{shape}",
            f"scale: {self.scaled.source}; intrinsics: {self.camera_source}",
            f"model: {self.model} {self.model_digest}",
        ]


@dataclass(frozen=True, eq=False)
class KeptAnswer:
    """An answer that an earlier call left in files.

    Attributes:
        said: Its JSON.
        folder: Where the files are.
        stem: Of their names.
        notes: None: they were said then.
    """

    said: dict[str, Any]
    folder: Path
    stem: str
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON object."""
        return [self.said]

    def lines(self) -> list[str]:
        """Return one line for people."""
        return [_line(self.said)]

    def picture(self) -> NDArray[np.uint8]:
        """Return the map in colours."""
        return read_photo(self.folder / f"{self.stem}_colour.png")

    def write(self, folder: Path, stem: str) -> None:
        """Do nothing: the files are there."""


def kept_answer(
    folder: Path, stem: str, wanted: dict[str, Any], extras: Extras, uncertain: bool
) -> KeptAnswer | None:
    """Return the answer that lies in a folder, whole and as it is wanted; else None.

    Args:
        folder: Of the files.
        stem: Of their names.
        wanted: What its JSON must say.
        extras: Which files must be there too.
        uncertain: Whether those of the uncertainty must.
    """
    said = _read_answer(folder / f"{stem}.json")
    if said is None or any(said.get(key) != value for key, value in wanted.items()):
        return None
    there = {
        ".npy": True,
        "_colour.png": True,
        ".png": (said["unit"], said["quantity"]) == ("m", "depth"),
        ".ply": extras.points,
        "_edges.png": extras.edges,
        "_uncertainty.npy": uncertain,
        "_uncertainty.png": uncertain,
    }
    if not all((folder / f"{stem}{end}").is_file() for end, wanted in there.items() if wanted):
        return None
    return KeptAnswer(said, folder, stem)


def _line(said: dict[str, Any]) -> str:
    size = f"{said['width']}x{said['height']}"
    if said["median"] is None:
        what = "nothing known"
    elif said["quantity"] == "disparity":
        what = "relative disparity (no scale)"
    else:
        unit = "m" if said["unit"] == "m" else "of the place's unit"
        what = f"depth {said['min']:.2f} to {said['max']:.2f} {unit}, median "
        what += f"{said['median']:.2f}, scale: {said['scale_source']}"
    return f"{said['image']}: {size}, {what}, {said['seconds']:.2f} s"


def _refuse_others(folder: Path, stem: str, begun: Path) -> None:
    there = [folder / f"{stem}{ending}" for ending in ENDINGS]
    first = next((path for path in there if path.exists()), None)
    if first is None or begun.exists() or _read_answer(folder / f"{stem}.json") is not None:
        return
    raise InputError(
        f"a folder without files of these names is wanted, {first} is there and was not written "
        "by `sightline predict depth`; name another one with --out (nothing was changed)"
    )


def _read_answer(path: Path) -> dict[str, Any] | None:
    """Return what an answer says of itself in a file; None where it is another file, or none."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(said, dict) and {"model_digest", "scale_source"} <= said.keys()
    return said if ours else None


def _save(path: Path, values: NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary:
        np.save(temporary, values, allow_pickle=False)


def _picture(path: Path, image: NDArray[np.uint8]) -> None:
    with atomic_path(path) as temporary:
        write_photo(temporary, image)


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values from 0 to their 98 % quantile as grey, for the eye."""
    known = np.isfinite(values)
    top = float(np.quantile(values[known], 0.98)) if known.any() else 0.0
    shares = np.clip(np.where(known, values, 0.0) / (top or 1.0), 0.0, 1.0)
    return (shares * 255).round().astype(np.uint8)
