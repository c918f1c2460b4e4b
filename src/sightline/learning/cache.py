"""Frames decoded and resized once, frozen features computed once, both memory-mapped.

A cache file's name holds the digest of everything that made it, so a stale one is never read:
it is simply not found. Building writes to a ``.partial`` name and renames at the end; a killed
build goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sightline.errors import InputError, MediaError, StorageError
from sightline.records.files import digest

if TYPE_CHECKING:
    from sightline.learning.backbones import Backbone

Crop = Literal["center", "stretch"]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class FrameSize:
    """How a picture becomes a network's frame.

    Attributes:
        width: Pixels of the frame.
        height: Pixels of the frame.
        crop: ``center`` cuts the largest centred region of the frame's shape (the paper's),
            ``stretch`` takes the whole picture.
    """

    width: int
    height: int
    crop: Crop = "center"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"a positive frame size is wanted, {self.width}x{self.height} came")
        if self.crop not in ("center", "stretch"):
            raise InputError(f"a crop of center, stretch is wanted, {self.crop!r} came")

    def source_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom of the region of a picture that the frame shows."""
        if self.crop == "stretch":
            return 0.0, 0.0, float(width), float(height)
        scale = min(width / self.width, height / self.height)
        # the scaled side can exceed its own picture by a rounding
        box_w, box_h = min(scale * self.width, width), min(scale * self.height, height)
        left, top = (width - box_w) / 2, (height - box_h) / 2
        return left, top, left + box_w, top + box_h

    def pixel_centres(self, width: int, height: int) -> NDArray[np.float64]:
        """Return (height, width, 2): where in a picture the centres of the frame's pixels lie."""
        left, top, right, bottom = self.source_box(width, height)
        u = left + (np.arange(self.width) + 0.5) * (right - left) / self.width - 0.5
        v = top + (np.arange(self.height) + 0.5) * (bottom - top) / self.height - 0.5
        return np.stack(np.meshgrid(u, v), axis=-1)

    def resize(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Return (height, width, 3) RGB of a picture, cut and resampled in one step."""
        rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
        box = self.source_box(*rgb.size)
        frame = rgb.resize((self.width, self.height), Image.Resampling.BILINEAR, box=box)
        return np.asarray(frame, dtype=np.uint8)

    def resize_array(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (height, width, 3) RGB of an upright (H, W, 3) image.

        Raises:
            InputError: Not a uint8 (H, W, 3) image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"a uint8 RGB image of shape (H, W, 3) is wanted, {image.dtype} {image.shape} came"
            )
        return self.resize(Image.fromarray(image))


@dataclass(frozen=True, eq=False)
class FrameCache:
    """Frames of one size, by name.

    Attributes:
        path: The ``.npy`` file.
        array: (N, height, width, 3) uint8, memory-mapped.
        row: Image name to row.
    """

    path: Path
    array: NDArray[np.uint8]
    row: dict[str, int]

    def rows(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images, by name (never by position, PITFALLS 14)."""
        missing = [name for name in names if name not in self.row]
        if missing:
            raise InputError(f"{self.path.name} has no frame {missing[0]}; cache again")
        return np.array([self.row[name] for name in names], dtype=np.int64)


def read_frame(path: Path, size: FrameSize) -> NDArray[np.uint8]:
    """Return (height, width, 3) RGB of an image file, upright, cut and resized.

    Raises:
        MediaError: The file is missing, or is not a whole image.
    """
    try:
        with Image.open(path) as picture:
            # a JPEG is decoded at a fraction of its size, never under twice the frame's
            edge = 2 * max(size.width, size.height)
            picture.draft("RGB", (edge, edge))
            return size.resize(ImageOps.exif_transpose(picture))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{path} cannot be read as an image: {error}") from error


def read_frames(paths: Sequence[Path], size: FrameSize) -> NDArray[np.uint8]:
    """Return (N, height, width, 3) RGB of image files, see :func:`read_frame`."""
    frames = np.zeros((len(paths), size.height, size.width, 3), np.uint8)
    for frame, path in zip(frames, paths, strict=True):
        frame[:] = read_frame(path, size)
    return frames


def cache_frames(
    folder: Path,
    names: Sequence[str],
    size: FrameSize,
    cache_dir: Path,
    *,
    progress: Progress = lambda _stage, _fraction: None,
    workers: int = 2,
) -> FrameCache:
    """Return the cache of a folder's images at one size, made where it is not there yet.

    Args:
        folder: Where the images lie.
        names: File names in it, each once.
        size: The frames' size and crop.
        cache_dir: Where the cache file goes.
        progress: Called with the stage's text and its fraction.
        workers: Decoding threads.

    Raises:
        MediaError: An image cannot be read.
        InputError: A name is there twice.
    """
    row = {name: index for index, name in enumerate(names)}
    if len(row) != len(names):
        raise InputError("each image is wanted once; a name is there twice")
    path = cache_dir / f"frames-{size.width}x{size.height}-{_files_digest(folder, names, size)}.npy"
    if not path.is_file():
        shape = (len(names), size.height, size.width, 3)

        def fill(index: int) -> NDArray[np.uint8]:
            return read_frame(folder / names[index], size)

        with ThreadPoolExecutor(workers) as pool:
            build_rows(
                path,
                shape,
                np.uint8,
                fill=lambda todo: pool.map(fill, todo),
                report=lambda fraction: progress("frames decoded and resized", fraction),
            )
    return FrameCache(path, np.load(path, mmap_mode="r", allow_pickle=False), row)


def cache_features(
    backbone: Backbone,
    frames: FrameCache,
    cache_dir: Path,
    *,
    progress: Progress = lambda _stage, _fraction: None,
    batch: int = 32,
) -> NDArray[np.float32]:
    """Return (N, features) of all cached frames under a frozen backbone, computed once.

    Raises:
        InputError: The backbone is not frozen, so its features are not constant.
    """
    import torch

    from sightline.learning.backbones import state_digest

    if not backbone.frozen:
        raise InputError("features are cached of a frozen backbone only; pass `--freeze`")
    made_of = digest(frames.path.name, backbone.name, state_digest(backbone), backbone.contract)
    path = cache_dir / f"features-{backbone.name}-{made_of}.npy"
    if not path.is_file():

        def fill(todo: Sequence[int]) -> list[NDArray[np.float32]]:
            images = torch.from_numpy(frames.array[list(todo)].copy()).permute(0, 3, 1, 2)
            with torch.inference_mode():
                return list(backbone(backbone.contract.normalise(images)).float().numpy())

        shape = (len(frames.array), backbone.features)
        build_rows(
            path,
            shape,
            np.float32,
            fill=fill,
            report=lambda fraction: progress("frozen features computed", fraction),
            chunk=batch,
        )
    features: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return features


def build_rows(
    path: Path,
    shape: tuple[int, ...],
    dtype: type[np.generic],
    *,
    fill: Callable[[Sequence[int]], Iterable[NDArray[Any]]],
    report: Callable[[float], None],
    chunk: int = 32,
) -> None:
    """Fill ``path`` row by row under a partial name that a killed run can take up again.

    Args:
        path: The ``.npy`` file, not there yet.
        shape: Of the whole array.
        dtype: Of its numbers.
        fill: Gives the rows of these numbers, in their order.
        report: Called with the fraction done.
        chunk: Rows asked for at a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, done_path = path.with_suffix(".partial"), path.with_suffix(".done")
    rows = _open_partial(partial, shape, dtype)
    done = _open_partial(done_path, (shape[0],), np.uint8)
    todo = np.flatnonzero(np.asarray(done) == 0).tolist()
    for start in range(0, len(todo), chunk):
        part = todo[start : start + chunk]
        for index, value in zip(part, fill(part), strict=True):
            rows[index] = value
        rows.flush()  # a row is marked done only once it is in the file
        done[part] = 1
        done.flush()
        report((shape[0] - len(todo) + start + len(part)) / shape[0])
    del rows, done
    partial.replace(path)
    done_path.unlink()


def _open_partial(
    path: Path, shape: tuple[int, ...], dtype: type[np.generic]
) -> np.memmap[tuple[int, ...], np.dtype[np.generic]]:
    if path.is_file():
        try:
            return np.lib.format.open_memmap(path, mode="r+")
        except (ValueError, OSError):
            path.unlink()  # killed while the header was being written
    made = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        with path.open("r+b") as stream:
            # the pages are claimed now: a mapped write to a full disk would kill the process
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    except OSError as error:
        size_mb = path.stat().st_size / 1e6
        path.unlink()
        raise StorageError(
            f"a cache of {size_mb:.1f} MB is wanted, {path.parent} has no room for it "
            f"({error.strerror}); free some space and run again (nothing else was changed)"
        ) from error
    return made


def _files_digest(folder: Path, names: Sequence[str], size: FrameSize) -> str:
    """Digest names, lengths and modification times: contents would cost a read of everything."""
    stats = []
    for name in names:
        try:
            stat = (folder / name).stat()
        except OSError as error:
            raise MediaError(f"{folder / name} is wanted; there is no such image") from error
        stats.append([name, stat.st_size, stat.st_mtime_ns])
    return digest(stats, [size.width, size.height, size.crop])
