"""Depth-Animals: each image's depth map, drawn as a picture that a classifier can look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper003.config import Picture
from sightline.errors import MediaError
from sightline.media import read_photo, write_photo
from sightline.records.files import atomic_path
from sightline.tasks.depth.maps import DepthMap, DepthModel, predict_each

Progress = Callable[[str, float], None]

#: Images predicted at a time.
_BATCH = 8


@dataclass(frozen=True)
class DepthPictures:
    """What was drawn.

    Attributes:
        folder: Where the pictures lie, named as the images but ``.png``.
        left_out: Images that do not read, or that the model refuses, and why.
    """

    folder: Path
    left_out: tuple[tuple[Path, str], ...]

    def name(self, image: Path) -> str:
        """Return the name of an image's picture in the folder."""
        return picture_name(image)


def write_depth_pictures(
    model: DepthModel,
    root: Path,
    images: Sequence[Path],
    folder: Path,
    picture: Picture,
    progress: Progress = lambda _stage, _fraction: None,
) -> DepthPictures:
    """Draw the depth maps of images into a folder of the same structure; those there are kept.

    Args:
        model: Says how far the pixels are.
        root: Folder that ``images`` are relative to.
        images: Their paths; one that does not read is left out and named.
        folder: Where the pictures go.
        picture: In colour or grey.
        progress: Called with a text and the fraction done.
    """
    todo = [image for image in images if not (folder / picture_name(image)).is_file()]
    left_out: list[tuple[Path, str]] = []
    for start in range(0, len(todo), _BATCH):
        read: list[tuple[Path, NDArray[np.uint8]]] = []
        for image in todo[start : start + _BATCH]:
            try:
                read.append((image, read_photo(root / image)))
            except MediaError as error:
                left_out.append((image, str(error)))
        maps = predict_each(model, [pixels for _, pixels in read])
        for (image, _), depth in zip(read, maps, strict=True):
            if isinstance(depth, str):
                left_out.append((image, f"{image}: {model.name} refuses it: {depth}"))
                continue
            path = folder / picture_name(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                write_photo(temporary, draw_depth(depth, picture))
        progress("depth pictures", min(1.0, (start + _BATCH) / len(todo)))
    return DepthPictures(folder, tuple(left_out))


def draw_depth(depth: DepthMap, picture: Picture) -> NDArray[np.uint8]:
    """Return a depth map as a picture, the nearest pixel brightest: (H, W, 3) or (H, W) uint8.

    Disparity runs from the map's least to its largest; a map of one value is dark. Pixels without
    depth are dark too. The method's own script draws so, in these colours.
    """
    near = nearness(depth)
    if picture == "grey":
        return np.round(255 * near).astype(np.uint8)
    from matplotlib import colormaps

    return np.asarray(colormaps["inferno"](near, bytes=True)[..., :3], dtype=np.uint8)


def nearness(depth: DepthMap) -> NDArray[np.float32]:
    """Return (H, W) disparity of a map, scaled to 0 (farthest, or unknown) to 1."""
    values = depth.values
    known = np.isfinite(values)
    if depth.quantity == "depth":
        known &= values > 0
        values = np.divide(1.0, values, out=np.zeros_like(values), where=known)
    out = np.zeros(values.shape, dtype=np.float32)
    if not known.any():
        return out
    low, high = float(values[known].min()), float(values[known].max())
    if high > low:
        out[known] = (values[known] - low) / (high - low)
    return out


def picture_name(image: Path) -> str:
    """Return the name of an image's picture: its own, so that a.jpg and a.png do not meet."""
    return f"{image.as_posix()}.png"
