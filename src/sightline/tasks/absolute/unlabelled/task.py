"""MapNet+: the training of MapNet with an unlabelled walk beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.learning.cache import cache_features, cache_frames
from sightline.learning.fit import Batches, Task
from sightline.media import exif_focal_px
from sightline.reconstruction.refine import camera_for_photo
from sightline.records import Place
from sightline.records.cameras import common_camera
from sightline.records.files import digest, digest_files
from sightline.tasks.absolute.augment import CameraRotation
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.loss import MapNetLoss
from sightline.tasks.absolute.samples import (
    PoseBatches,
    TranslationStatistics,
    network_size,
    source_size,
)
from sightline.tasks.absolute.unlabelled.frames import WalkFrames, source_digest, take_frames
from sightline.tasks.absolute.unlabelled.loss import RelativeLoss
from sightline.tasks.absolute.unlabelled.motion import Motion, given_motion, matched_motion
from sightline.tasks.absolute.unlabelled.samples import MixedBatch, MixedBatches, WalkTuples

if TYPE_CHECKING:
    from sightline.tasks.absolute.task import AbsoluteTask

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Walk:
    """An unlabelled walk, ready to be learned from.

    Attributes:
        frames: Its frames.
        motion: How its camera moved.
        tuples: What is drawn of it.
        camera: What it was seen with.
    """

    frames: WalkFrames
    motion: Motion
    tuples: WalkTuples
    camera: Camera

    def table(self) -> dict[str, Any]:
        """Return what a run says of it."""
        return {
            "unlabelled_frames": len(self.frames.images),
            "unlabelled_moving": len({frame.image for frame in self.tuples.frames}),
            "unlabelled_pieces": len(self.motion.pieces),
            "unlabelled_motion": self.motion.origin,
            "unlabelled_metric": self.motion.metric,
            "unlabelled_left_out": list(self.frames.left_out),
        }


def walk_digest(config: AbsoluteConfig) -> str:
    """Return the digest of the walk and the trajectory that a configuration names.

    Raises:
        InputError: One of them is not there.
        MediaError: A folder holds no photo.
    """
    source, trajectory = config.unlabelled, config.unlabelled_odometry
    parts = [] if source is None else [source_digest(source)]
    if trajectory is not None:
        if not trajectory.is_file():
            raise InputError(f"{trajectory} is wanted as odometry; there is no such file")
        parts.append(digest_files([trajectory], names=False))
    return digest(parts)


def open_walk(place: Place, config: AbsoluteConfig, progress: Progress) -> Walk | None:
    """Return the walk that a configuration names, its frames taken and its motion found.

    None where it names none.

    Args:
        place: What is trained on: its camera is the walk's where nothing else is known.
        config: Which walk, and how.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: It is not there, or its trajectory does not read or knows none of its frames.
        MediaError: It does not read.
        TrainingError: Its motion is not known of enough frames in a row.
    """
    if config.unlabelled is None:
        return None
    frames = take_frames(config.unlabelled, config.unlabelled_fps, place.cache_dir, progress)
    if frames.left_out:
        progress(
            f"{len(frames.left_out)} unlabelled photos left out (they do not read, or differ in "
            f"size): {', '.join(frames.left_out[:3])}",
            0.0,
        )
    likely = common_camera(place) or Camera.guess(*frames.size)
    if config.unlabelled_odometry is not None:
        # Without metres on both sides the size of the one in the other is not known.
        metric = place.unit == config.unlabelled_unit == "m"
        motion = given_motion(frames, config.unlabelled_odometry, metric=metric)
    else:
        motion = matched_motion(frames, likely, progress)
    tuples = WalkTuples.of(frames, motion.pieces, config)
    focal = exif_focal_px(frames.folder / frames.images[0])
    return Walk(frames, motion, tuples, camera_for_photo(likely, *frames.size, focal))


class MapNetPlusTask:
    """MapNet's training with the relative poses of a walk as one more term.

    That term weighs lengths and angles as the training frames have taught to (beta and gamma), and
    teaches those weights nothing: a walk that fits badly must not make the labels count less.
    """

    def __init__(self, mapnet: AbsoluteTask, config: AbsoluteConfig, *, metric: bool) -> None:
        """Add to a training of MapNet; ``metric``: the walk's lengths are in the place's unit."""
        self.model = mapnet.model
        self.validate = mapnet.validate
        self._network = mapnet.network
        self._loss = cast("MapNetLoss", mapnet.loss)
        self._relative = RelativeLoss(config, metric=metric)
        self._weight = config.unlabelled_weight

    def terms(self, batch: MixedBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch."""
        labelled, known = batch.labelled, len(batch.labelled.inputs)
        forward = self._network.from_features if labelled.is_features else self._network
        raw = forward(torch.cat([labelled.inputs, batch.walk.inputs]))
        terms: dict[str, Tensor] = self._loss(raw[:known], labelled.translation, labelled.q_wxyz)
        position, rotation = self._relative(raw[known:], batch.walk, batch.piece)
        terms |= {"unlabelled_position": position, "unlabelled_rotation": rotation}
        terms["loss"] = terms["loss"] + self._weight * self._loss.weighed(position, rotation)
        return terms


def with_walk(
    place: Place,
    walk: Walk | None,
    mapnet: AbsoluteTask,
    labelled: PoseBatches,
    config: AbsoluteConfig,
    progress: Progress,
) -> tuple[Task, Batches, dict[str, Any]]:
    """Return a training and its batches with a walk added to both, and what a run says of that.

    Args:
        place: What is trained on.
        walk: The walk; None leaves all as it is.
        mapnet: The training without it.
        labelled: Its batches.
        config: Size, augmentation, seed.
        progress: Called with a text and the fraction done.
    """
    if walk is None:
        return mapnet, labelled, {}
    network, images, source = mapnet.network, walk.frames.images, source_size(config)
    frames = cache_frames(walk.frames.folder, images, source, place.cache_dir, progress=progress)
    rotation = features = None
    if config.augments_rotation:
        rotation = CameraRotation(walk.camera, network_size(config), source)
    if config.freeze and not config.augments_pixels:
        features = cache_features(network.backbone, frames, place.cache_dir, progress=progress)
    drawn = PoseBatches(
        walk.tuples.frames,
        frames,
        network.backbone.contract,
        config,
        # Where the origin lies does not matter: relative poses alone are learned.
        TranslationStatistics(np.zeros(3), float(network.translation_scale)),
        rotation=rotation,
        features=features,
        tuples=walk.tuples.tuples,
    )
    task = MapNetPlusTask(mapnet, config, metric=walk.motion.metric)
    return task, MixedBatches(labelled, drawn, walk.tuples.piece, config), walk.table()
