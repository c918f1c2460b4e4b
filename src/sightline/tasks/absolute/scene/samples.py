"""A place's frames as batches: turned images, and the point of the place that each cell shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.learning.backbones import InputContract
from sightline.learning.cache import FrameCache, FrameSize
from sightline.records import PosedFrame, stack_poses
from sightline.tasks.absolute.augment import (
    CameraMotion,
    CameraRotation,
    change_colour,
    random_turns,
)
from sightline.tasks.absolute.config import CELL_PX, AbsoluteConfig
from sightline.tasks.absolute.samples import network_size, source_size
from sightline.tasks.absolute.scene.depth_maps import ObservedPoints, filled

#: Depth is kept this much finer than the cells, each way.
_FINER = 2


@dataclass
class SceneBatch:
    """Frames, and what their cells show.

    Attributes:
        inputs: (N, 3, H, W) normalised images.
        points: (N, h, w, 3) the world's point at each cell's centre; zero where unknown.
        known: (N, h, w) bool, where the map knows it.
        centres: (N, 3) camera centres.
    """

    inputs: Tensor
    points: Tensor
    known: Tensor
    centres: Tensor

    def to(self, device: torch.device) -> SceneBatch:
        """Return the batch on a device."""
        return SceneBatch(
            self.inputs.to(device),
            self.points.to(device),
            self.known.to(device),
            self.centres.to(device),
        )

    def camera_centres(self, known: Tensor) -> Tensor:
        """Return (M, 3) the camera centre of each of the (N, h, w) cells that are true."""
        return self.centres[:, None, None].expand_as(self.points)[known]


@dataclass
class Step:
    """How cameras were moved.

    Attributes:
        filled: (N, h', w') the frames' inverse depths, guessed where they are unknown.
        shift: (N, 3) where the new cameras stand, in the old ones' frames.
    """

    filled: Tensor
    shift: Tensor


class CellTargets:
    """The points that the cells of turned and moved frames show, from the frames' inverse depths.

    A cell's ray is taken back into the frame, meets the surface there, and so gives the point: it
    is the same point of the world however the camera is turned and moved.
    """

    def __init__(self, camera: Camera, config: AbsoluteConfig) -> None:
        """Prepare the rays of the cells' centres."""
        cells, depths = cells_size(config), depth_size(config)
        self._turn = CameraRotation(camera, cells, depths)
        self._motion = CameraMotion(camera, cells, depths, depths)
        #: (h', w', 3) rays whose inverse depths are wanted.
        self.depth_rays: Array = camera.unproject(depths.pixel_centres(camera.width, camera.height))

    def __call__(
        self,
        inverse_depths: Tensor,
        world_from_old: Pose,
        old_from_new: Tensor,
        step: Step | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return (N, h, w, 3) points and (N, h, w) where they are known.

        Args:
            inverse_depths: (N, 2, h', w') inverse depths and where they are known, of the frames
                before they were turned.
            world_from_old: (N,) the frames' poses.
            old_from_new: (N, 3, 3) the turns.
            step: Where the cameras were moved; None where they stayed.
        """
        rays = self._turn.turned_rays(old_from_new)
        if step is not None:
            rays = self._motion.towards(step.filled, old_from_new, step.shift)
        inverse, known = self._turn.seen_along(inverse_depths, rays).unbind(dim=1)
        # a neighbour of unknown depth would be mixed in
        good = (known > 0.999) & (rays[..., 2] > 1e-3)
        scale = torch.where(good, rays[..., 2] * inverse, 1.0)[..., None]
        rotation = torch.from_numpy(world_from_old.rotation_matrix).float()
        centres = torch.from_numpy(world_from_old.translation).float()
        points = torch.einsum("nij,nhwj->nhwi", rotation, rays / scale) + centres[:, None, None]
        return torch.where(good[..., None], points, 0.0), good


class SceneBatches:
    """Training batches; order and augmentation are a function of the seed and the epoch."""

    def __init__(
        self,
        frames: Sequence[PosedFrame],
        cache: FrameCache,
        observed: ObservedPoints,
        contract: InputContract,
        config: AbsoluteConfig,
    ) -> None:
        """Pair frames with their images and their points by name.

        Args:
            frames: The registered frames of one part.
            cache: Their images, of the size :func:`source_size` gives.
            observed: The map's points of each of them.
            contract: How the network wants images.
            config: Batch size, augmentation, seed.
        """
        self._rows = cache.rows([f.image for f in frames])
        self._images = cache.array
        self._contract = contract
        self._config = config
        self._poses = stack_poses(frames)
        self._rotation = CameraRotation(observed.camera, network_size(config), source_size(config))
        self._targets = CellTargets(observed.camera, config)
        depths = observed.inverse_depths(frames, self._targets.depth_rays)
        self._inverse_depths = torch.from_numpy(depths)
        self._filled = torch.from_numpy(filled(depths))
        self._motion = CameraMotion(
            observed.camera, network_size(config), source_size(config), depth_size(config)
        )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return max(1, round(len(self._rows) / self._config.batch))

    def epoch(self, number: int) -> Iterator[SceneBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        generator = np.random.default_rng([self._config.seed, number])
        order = generator.permutation(len(self._rows))
        for part in np.array_split(order, len(self)):
            yield self._batch(part, generator)

    def known_points(self) -> Array:
        """Return (M, 3) the points of all cells whose depth is known, frames not turned."""
        still = torch.eye(3).expand(len(self._rows), 3, 3)
        points, known = self._targets(self._inverse_depths, self._poses, still)
        return points[known].double().numpy()

    def _batch(self, index: NDArray[np.int64], generator: np.random.Generator) -> SceneBatch:
        config = self._config
        images = torch.from_numpy(self._images[self._rows[index]]).permute(0, 3, 1, 2)
        inputs = self._contract.normalise(images)
        turns, step = torch.eye(3).expand(len(index), 3, 3), None
        if config.augments_rotation:
            limits = (config.augment_yaw_deg, config.augment_pitch_deg, config.augment_roll_deg)
            turns = torch.from_numpy(random_turns(generator, len(index), limits)).float()
        poses, centres = self._poses[index], self._poses[index].translation
        if config.augment_shift > 0:
            shift = generator.uniform(-1, 1, (len(index), 3)) * config.augment_shift
            centres = poses.apply(shift)
            step = Step(self._filled[torch.from_numpy(index)], torch.from_numpy(shift).float())
            inputs = self._motion(inputs, step.filled, turns, step.shift)
        elif config.augments_rotation:
            inputs = self._rotation(inputs, turns)
        if config.augment_colour > 0:
            inputs = change_colour(generator, inputs, config.augment_colour)
        depths = self._inverse_depths[torch.from_numpy(index)]
        points, known = self._targets(depths, poses, turns, step)
        return SceneBatch(inputs, points, known, torch.from_numpy(centres).float())


def cells_size(config: AbsoluteConfig) -> FrameSize:
    """Return the cells as a frame's pixels; their centres are the pixels' centres."""
    return FrameSize(config.width // CELL_PX, config.height // CELL_PX, config.crop)


def depth_size(config: AbsoluteConfig) -> FrameSize:
    """Return the size at which frames' inverse depths are kept."""
    cells = cells_size(config)
    return FrameSize(_FINER * cells.width, _FINER * cells.height, config.crop)
