"""Pairs as training batches: scaled once, cropped, in either order, with exact labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import InputError, TrainingError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.learning.cache import FrameSize, Progress, cache_frames
from sightline.media import photo_size
from sightline.records.pairs import ImagePair, PairSet
from sightline.tasks.relative.config import RelativeConfig
from sightline.tasks.relative.depth_frames import DepthFrames

#: Frames' free side is cut to a multiple of this, so that few shapes come of many aspect ratios.
_STEP = 16

#: Frames longer than this many times the crop's side are cut in the middle.
_LONGEST = 2

#: Translations shorter than this have no direction.
_NO_MOTION = 1e-9


@dataclass
class PairBatch:
    """Pairs, ready for a network.

    Attributes:
        image_a: (N, 3, H, W) uint8 or 0..255 float RGB.
        image_b: The same of the second images.
        camera_a: (N, 4) fx, fy, cx, cy in pixels of these images.
        camera_b: The same of the second images.
        q_wxyz: (N, 4) unit quaternions of b_from_a.
        direction: (N, 3) unit translations of b_from_a.
        length: (N,) lengths of the translations, in the unit of the depths; with depth alone.
        depth_a: (N, H, W) z-depth of the first images, 0 where unknown; None without depth.
        depth_b: The same of the second images.
    """

    image_a: Tensor
    image_b: Tensor
    camera_a: Tensor
    camera_b: Tensor
    q_wxyz: Tensor
    direction: Tensor
    length: Tensor | None = None
    depth_a: Tensor | None = None
    depth_b: Tensor | None = None

    def to(self, device: torch.device) -> PairBatch:
        """Return the batch on a device."""
        moved: dict[str, Any] = {
            k: None if v is None else v.to(device) for k, v in vars(self).items()
        }
        return PairBatch(**moved)


@dataclass(frozen=True, eq=False)
class UsablePairs:
    """The pairs of one split that can be learned from.

    Attributes:
        pairs: Those with a pose and a translation that has a direction.
        b_from_a: (N,) their poses, translations of length 1.
        length: (N,) lengths that the translations had.
        without_pose: How many have no pose.
        without_motion: How many have a pose and no translation.
    """

    pairs: tuple[ImagePair, ...]
    b_from_a: Pose
    length: Array
    without_pose: int
    without_motion: int


def usable_pairs(pairs: PairSet, split: str, least: int = 2) -> UsablePairs:
    """Return the pairs of a split that can be learned from; the others are counted.

    Raises:
        InputError: The set has no such split.
        TrainingError: Fewer than ``least`` are usable.
    """
    part = pairs.part(split).pairs
    posed = [(pair, pair.b_from_a) for pair in part if pair.b_from_a is not None]
    moved = [(p, pose) for p, pose in posed if np.linalg.norm(pose.translation) > _NO_MOTION]
    if len(moved) < least:
        raise TrainingError(
            f"{pairs.root}: {least} or more pairs of the split {split!r} with a pose and a "
            f"translation are wanted; of {len(part)} {len(part) - len(posed)} have no pose and "
            f"{len(posed) - len(moved)} no translation"
        )
    stacked = Pose.stack([pose for _, pose in moved])
    lengths = np.linalg.norm(stacked.translation, axis=1, keepdims=True)
    return UsablePairs(
        tuple(pair for pair, _ in moved),
        Pose(stacked.q_wxyz, stacked.translation / lengths),
        lengths[:, 0],
        len(part) - len(posed),
        len(posed) - len(moved),
    )


def frame_size(width: int, height: int, config: RelativeConfig) -> FrameSize:
    """Return the frame that an image is kept as: scaled to cover the crop's shape, little cut off.

    For square crops the shorter side becomes ``short_side``, as in the paper. The other keeps the
    aspect ratio; of it up to 15 pixels are cut, and what goes beyond twice the crop's shape.

    Source: Melekhov et al. 2017, section 4.2.
    """
    base_w, base_h = round(config.short_side * config.aspect), config.short_side
    scale = max(base_w / width, base_h / height)

    def side(length: float, base: int) -> int:
        beyond = int((length - base + 0.5) // _STEP) * _STEP
        return min(base + max(beyond, 0), _LONGEST * base)

    return FrameSize(side(width * scale, base_w), side(height * scale, base_h))


def frame_camera(camera: Camera, size: FrameSize) -> Array:
    """Return (4,) fx, fy, cx, cy of a frame, in its pixels; distortion is left out."""
    left, top, right, bottom = size.source_box(camera.width, camera.height)
    scale_x, scale_y = size.width / (right - left), size.height / (bottom - top)
    return np.array(
        [
            camera.fx * scale_x,
            camera.fy * scale_y,
            (camera.cx + 0.5 - left) * scale_x - 0.5,
            (camera.cy + 0.5 - top) * scale_y - 0.5,
        ]
    )


class PairFrames:
    """The images of pairs, each decoded and scaled once, memory-mapped.

    Images of one frame shape share a cache file; there are few shapes (see :func:`frame_size`).
    """

    def __init__(
        self,
        root: Path,
        pairs: Sequence[ImagePair],
        config: RelativeConfig,
        cache_dir: Path,
        progress: Progress = lambda _stage, _fraction: None,
    ) -> None:
        """Make the caches that are not there yet.

        Raises:
            MediaError: An image cannot be read.
            GeometryError: A camera belongs to another shape of image.
        """
        names = sorted({n.as_posix() for p in pairs for n in (p.image_a, p.image_b)})
        sizes = {name: photo_size(root / name) for name in names}
        self.sizes = {name: frame_size(*sizes[name], config) for name in names}
        self._arrays: dict[FrameSize, NDArray[np.uint8]] = {}
        self._row: dict[str, int] = {}
        for size in sorted(set(self.sizes.values()), key=lambda s: (s.width, s.height)):
            group = [name for name in names if self.sizes[name] == size]
            cache = cache_frames(root, group, size, cache_dir, progress=progress)
            self._arrays[size] = cache.array
            self._row |= cache.row
        self.cameras = [
            (
                _camera_of(pair.camera_a, self.sizes[pair.image_a.as_posix()], sizes, pair.image_a),
                _camera_of(pair.camera_b, self.sizes[pair.image_b.as_posix()], sizes, pair.image_b),
            )
            for pair in pairs
        ]

    def __getitem__(self, image: Path) -> NDArray[np.uint8]:
        """Return the (H, W, 3) frame of an image."""
        name = image.as_posix()
        frame: NDArray[np.uint8] = self._arrays[self.sizes[name]][self._row[name]]
        return frame


def _camera_of(
    camera: Camera | None, size: FrameSize, sizes: dict[str, tuple[int, int]], image: Path
) -> Array:
    width, height = sizes[image.as_posix()]
    if camera is None:
        camera = Camera.guess(width, height)
    elif (camera.width, camera.height) != (width, height):
        camera = camera.resized(width, height)
    return frame_camera(camera, size)


def crop(
    frame: NDArray[Any], camera: Array, size: tuple[int, int], place: tuple[float, float]
) -> tuple[NDArray[Any], Array]:
    """Return a crop of a frame and its camera.

    Args:
        frame: (H, W, ...) pixels or depths.
        camera: (4,) fx, fy, cx, cy.
        size: Width and height of the crop.
        place: Where between the left (top) and the right (bottom) end, each in [0, 1].

    Raises:
        InputError: The frame is smaller than the crop.
    """
    free_x, free_y = frame.shape[1] - size[0], frame.shape[0] - size[1]
    if free_x < 0 or free_y < 0:
        raise InputError(
            f"a frame of {size[0]}x{size[1]} or more is wanted, {frame.shape[1]}x{frame.shape[0]} "
            "came; raise `--short-side`"
        )
    x, y = round(free_x * place[0]), round(free_y * place[1])
    return frame[y : y + size[1], x : x + size[0]], camera - np.array([0.0, 0.0, x, y])


class PairBatches:
    """Training batches; order, crops and swaps are a function of the seed and the epoch.

    The paper says "random crops" and no more. A crop moves the principal point, which the labels do
    not follow; with crops at different places in the two images that is an error of up to ten
    degrees of apparent rotation. So both images are cut at the same place unless
    ``crop = "independent"``; the network that matches is told where each was cut.
    """

    def __init__(
        self,
        usable: UsablePairs,
        frames: PairFrames,
        config: RelativeConfig,
        depth: DepthFrames | None = None,
    ) -> None:
        self._usable = usable
        self._frames = frames
        self._config = config
        self._depth = depth
        self._inverse = _unit(usable.b_from_a.inverse())

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return max(1, round(len(self._usable.pairs) / self._config.batch))

    def epoch(self, number: int) -> Iterator[PairBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        generator = np.random.default_rng([self._config.seed, number])
        order = generator.permutation(len(self._usable.pairs))
        for part in np.array_split(order, len(self)):
            yield self._batch(part, generator)

    def _batch(self, index: NDArray[np.int64], generator: np.random.Generator) -> PairBatch:
        config = self._config
        size = config.crop_size(training=True)
        swap = generator.random(len(index)) < (0.5 if config.swap else 0.0)
        forward = self._usable.b_from_a
        q = np.where(swap[:, None], self._inverse.q_wxyz[index], forward.q_wxyz[index])
        t = np.where(swap[:, None], self._inverse.translation[index], forward.translation[index])
        images, cameras, depths = [], [], []
        for i, swapped in zip(index, swap, strict=True):
            pair, pair_cameras = self._usable.pairs[i], self._frames.cameras[i]
            sides = [(pair.image_a, pair_cameras[0]), (pair.image_b, pair_cameras[1])]
            places = self._places(generator)
            for (image, camera), place in zip(sides[::-1] if swapped else sides, places):  # noqa: B905
                cut, cut_camera = crop(self._frames[image], camera, size, place)
                images.append(cut)
                cameras.append(cut_camera)
                if self._depth is not None:
                    depths.append(crop(self._depth[image], camera, size, place)[0])
        batch = make_batch(images, cameras, Pose(q, t))
        if self._depth is not None:
            batch.length = torch.from_numpy(self._usable.length[index]).float()
            depth = torch.from_numpy(np.stack(depths))
            batch.depth_a, batch.depth_b = depth[0::2], depth[1::2]
        if config.mirror:
            batch = mirrored(batch, torch.from_numpy(generator.random(len(index)) < 0.5))
        if config.colour > 0:
            batch.image_a = _change_colour(generator, batch.image_a, config.colour)
            batch.image_b = _change_colour(generator, batch.image_b, config.colour)
        return batch

    def _places(self, generator: np.random.Generator) -> NDArray[np.float64]:
        places: NDArray[np.float64] = generator.random((2, 2))
        if self._config.crop == "random":
            places[1] = places[0]
        elif self._config.crop == "centre":
            places[:] = 0.5
        return places


def centre_batches(
    usable: UsablePairs, frames: PairFrames, config: RelativeConfig, batch: int
) -> Iterator[PairBatch]:
    """Yield the pairs in order, cut in the centre at the test's size."""
    size = config.crop_size(training=False)
    for start in range(0, len(usable.pairs), batch):
        part = range(start, min(start + batch, len(usable.pairs)))
        images, cameras = [], []
        for i in part:
            pair = usable.pairs[i]
            for image, camera in zip((pair.image_a, pair.image_b), frames.cameras[i], strict=True):
                cut, cut_camera = crop(frames[image], camera, size, (0.5, 0.5))
                images.append(cut)
                cameras.append(cut_camera)
        yield make_batch(images, cameras, usable.b_from_a[slice(start, part.stop)])


def make_batch(
    images: Sequence[NDArray[np.uint8]], cameras: Sequence[Array], b_from_a: Pose
) -> PairBatch:
    """Return a batch of images and cameras in the order a, b, a, b ..."""
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    numbers = torch.from_numpy(np.stack(cameras)).float()
    return PairBatch(
        pixels[0::2],
        pixels[1::2],
        numbers[0::2],
        numbers[1::2],
        torch.from_numpy(b_from_a.q_wxyz).float(),
        torch.from_numpy(b_from_a.translation).float(),
    )


def mirrored(batch: PairBatch, which: Tensor) -> PairBatch:
    """Return the batch with some pairs seen in a mirror, left and right exchanged, labels too.

    With ``M = diag(-1, 1, 1)`` the pose becomes ``M R M`` and ``M t``: of a quaternion y and z
    change sign. The principal point goes to the other side.
    """
    pixels, numbers = which[:, None, None, None], which[:, None]
    width = batch.image_a.shape[-1]

    def camera(values: Tensor) -> Tensor:
        centre = (width - 1) - values[:, 2:3]
        return torch.where(numbers, torch.cat([values[:, :2], centre, values[:, 3:]], 1), values)

    return PairBatch(
        torch.where(pixels, batch.image_a.flip(3), batch.image_a),
        torch.where(pixels, batch.image_b.flip(3), batch.image_b),
        camera(batch.camera_a),
        camera(batch.camera_b),
        torch.where(numbers, batch.q_wxyz * torch.tensor([1.0, 1.0, -1.0, -1.0]), batch.q_wxyz),
        torch.where(numbers, batch.direction * torch.tensor([-1.0, 1.0, 1.0]), batch.direction),
        batch.length,
        None if batch.depth_a is None else _flipped(batch.depth_a, which),
        None if batch.depth_b is None else _flipped(batch.depth_b, which),
    )


def _flipped(depth: Tensor, which: Tensor) -> Tensor:
    return torch.where(which[:, None, None], depth.flip(2), depth)


def _change_colour(generator: np.random.Generator, images: Tensor, amount: float) -> Tensor:
    """Return 0..255 images, each with its own gain and its own offset of the channels."""
    count = len(images)
    gain = torch.from_numpy(1 + generator.uniform(-amount, amount, (count, 3, 1, 1))).float()
    offset = torch.from_numpy(generator.uniform(-amount, amount, (count, 1, 1, 1))).float()
    return (images.float() * gain + offset * 128.0).clamp_(0.0, 255.0)


def _unit(pose: Pose) -> Pose:
    lengths = np.linalg.norm(pose.translation, axis=-1, keepdims=True)
    return Pose(pose.q_wxyz, pose.translation / lengths)
