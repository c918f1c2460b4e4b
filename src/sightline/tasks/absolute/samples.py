"""A place's frames as training batches: paired by name, in tuples, with exact labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from sightline.errors import PlaceError, TrainingError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.learning.backbones import InputContract
from sightline.learning.cache import FrameCache, FrameSize
from sightline.records import Place, PosedFrame, stack_poses
from sightline.tasks.absolute.augment import (
    CameraRotation,
    FrameDepths,
    change_colour,
    random_turns,
)
from sightline.tasks.absolute.config import AbsoluteConfig


@dataclass
class PoseBatch:
    """Frames with their poses; the frames of a tuple lie side by side.

    Attributes:
        inputs: (N, 3, H, W) normalised images, or (N, F) frozen features.
        translation: (N, 3) standardised camera centres.
        q_wxyz: (N, 4) unit quaternions of world_from_cam.
        is_features: Whether ``inputs`` are features.
    """

    inputs: Tensor
    translation: Tensor
    q_wxyz: Tensor
    is_features: bool = False

    def to(self, device: torch.device) -> PoseBatch:
        """Return the batch on a device."""
        return PoseBatch(
            self.inputs.to(device),
            self.translation.to(device),
            self.q_wxyz.to(device),
            self.is_features,
        )


@dataclass(frozen=True, eq=False)
class TranslationStatistics:
    """Mean per axis and one scale for all axes, of the training frames.

    Attributes:
        mean: (3,).
        scale: Root mean square of the axes' deviations; one number, so that rotations commute
            with it (relative poses stay right).
    """

    mean: Array
    scale: float

    @classmethod
    def of(cls, poses: Pose) -> TranslationStatistics:
        """Return the statistics of poses.

        Raises:
            TrainingError: All frames were taken at one point.
        """
        centre = poses.translation
        scale = float(np.sqrt(np.mean(np.var(centre, axis=0))))
        if not scale > 1e-9:
            raise TrainingError("frames from more than one point are wanted; all centres are equal")
        return cls(centre.mean(axis=0), scale)

    def standardise(self, translation: Array) -> Array:
        """Return (N, 3) standardised."""
        return (translation - self.mean) / self.scale


class PoseBatches:
    """Training batches; order and augmentation are a function of the seed and the epoch."""

    def __init__(
        self,
        frames: Sequence[PosedFrame],
        cache: FrameCache,
        contract: InputContract,
        config: AbsoluteConfig,
        statistics: TranslationStatistics,
        *,
        rotation: CameraRotation | None = None,
        depths: FrameDepths | None = None,
        features: NDArray[np.float32] | None = None,
        tuples: NDArray[np.int64] | None = None,
    ) -> None:
        """Pair frames with their images by name.

        Args:
            frames: The registered frames of one part, in video order.
            cache: Their images.
            contract: How the network wants them.
            config: Tuples, batch size, augmentation, seed.
            statistics: How translations are standardised.
            rotation: Turns the camera, where the configuration asks for that.
            depths: Of the frames; moves the camera too, where it asks for that.
            features: (cache rows, F) frozen features, instead of images.
            tuples: (T, s) frames of each tuple; made as the configuration says where None.

        Raises:
            TrainingError: Too few frames for one tuple.
        """
        self._rows = cache.rows([f.image for f in frames])
        self._images = cache.array
        self._features = features
        self._contract = contract
        self._config = config
        self._rotation, self._depths, self._scale = rotation, depths, statistics.scale
        poses = stack_poses(frames)
        self._translation = torch.from_numpy(statistics.standardise(poses.translation)).float()
        self._q_wxyz = poses.q_wxyz
        self._tuples = frame_tuples(len(frames), config) if tuples is None else tuples

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return max(1, round(len(self._tuples) / self._config.batch))

    def epoch(self, number: int) -> Iterator[PoseBatch]:
        """Yield the batches of an epoch; the same for the same number."""
        generator = np.random.default_rng([self._config.seed, number])
        order = generator.permutation(len(self._tuples))
        for part in np.array_split(order, len(self)):
            yield self.batch(part, generator)

    def batch(self, tuples: NDArray[np.int64], generator: np.random.Generator) -> PoseBatch:
        """Return the batch of some tuples, augmented at random."""
        index = self._tuples[tuples].reshape(-1)
        q_wxyz, centres = self._q_wxyz[index], self._translation[torch.from_numpy(index)]
        if self._features is not None:
            inputs = torch.from_numpy(self._features[self._rows[index]])
        else:
            images = torch.from_numpy(self._images[self._rows[index]]).permute(0, 3, 1, 2)
            inputs = self._contract.normalise(images)
            config = self._config
            if self._rotation is not None:
                limits = (config.augment_yaw_deg, config.augment_pitch_deg, config.augment_roll_deg)
                turns = random_turns(generator, len(index), limits)
                old_from_new = torch.from_numpy(turns).float()
                if self._depths is None:
                    inputs = self._rotation(inputs, old_from_new)
                else:
                    shift = generator.uniform(-1, 1, (len(index), 3)) * config.augment_shift
                    shift_in_old = torch.from_numpy(shift).float()
                    inputs = self._depths.moved(inputs, index, old_from_new, shift_in_old)
                    centres = centres + self._in_world(q_wxyz, shift)
                q_wxyz = turned(q_wxyz, turns)
            if config.augment_colour > 0:
                inputs = change_colour(generator, inputs, config.augment_colour)
        return PoseBatch(
            inputs,
            centres,
            torch.from_numpy(q_wxyz).float(),
            self._features is not None,
        )

    def _in_world(self, q_wxyz: Array, shift: Array) -> Tensor:
        """Return (N, 3) standardised steps in the world of shifts in the cameras' frames."""
        world_from_cam = Pose(q_wxyz, np.zeros((len(q_wxyz), 3)))
        return torch.from_numpy(world_from_cam.rotation.apply(shift) / self._scale).float()


def turned(q_wxyz: Array, old_from_new: Array) -> Array:
    """Return world_from_cam quaternions of cameras turned about their centres."""
    turn = Pose.from_rotation(Rotation.from_matrix(old_from_new), np.zeros((len(q_wxyz), 3)))
    return (Pose(q_wxyz, np.zeros((len(q_wxyz), 3))) @ turn).q_wxyz


def frame_tuples(frames: int, config: AbsoluteConfig) -> NDArray[np.int64]:
    """Return (T, s) indices of training tuples: every frame for PoseNet, s frames k apart else.

    Raises:
        TrainingError: Too few frames for one tuple.
    """
    step, skip = (config.step, config.skip) if config.model == "mapnet" else (1, 1)
    span = (step - 1) * skip
    if frames <= span:
        raise TrainingError(
            f"{config.model} wants more than {span} training frames (step {step}, skip {skip}), "
            f"{frames} came; record more, or lower --step or --skip"
        )
    return np.arange(frames - span)[:, None] + skip * np.arange(step)[None, :]


def in_video_order(frames: Sequence[PosedFrame]) -> list[PosedFrame]:
    """Return frames by time, or by name where they have no times."""
    if all(f.timestamp_s is not None for f in frames):
        return sorted(frames, key=lambda f: (f.timestamp_s or 0.0, f.image))
    return sorted(frames, key=lambda f: f.image)


def training_frames(place: Place) -> list[PosedFrame]:
    """Return the registered frames of the training part, in video order.

    Raises:
        PlaceError: There are none.
    """
    frames = in_video_order(place.registered("train"))
    if not frames:
        raise PlaceError(
            f"{place.root} has no registered frames in its split 'train'; make splits with "
            f"`sightline build` or set the split column of poses.csv"
        )
    return frames


def source_size(config: AbsoluteConfig) -> FrameSize:
    """Return the size at which training frames are cached."""
    scale = config.augment_resolution if config.augments_rotation else 1.0
    return FrameSize(round(config.width * scale), round(config.height * scale), config.crop)


def network_size(config: AbsoluteConfig) -> FrameSize:
    """Return the size of the network's images."""
    return FrameSize(config.width, config.height, config.crop)
