"""A trained run on disk, and the model that answers from it; loading runs no code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.learning.cache import FrameSize, read_frames
from sightline.learning.runs import CONFIG, WEIGHTS, load_weights, save_weights
from sightline.tasks.absolute.config import AbsoluteConfig, read_config
from sightline.tasks.absolute.doubt import predict_with_spread
from sightline.tasks.absolute.model import PoseRegressor, create_model
from sightline.tasks.absolute.samples import network_size

__all__ = ["CONFIG", "WEIGHTS", "AbsoluteModel", "load_run", "ready", "save_weights"]


@dataclass(frozen=True, eq=False)
class AbsoluteModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        size: How pictures become its images.
        config: What it was trained with.
    """

    network: PoseRegressor
    size: FrameSize
    config: AbsoluteConfig

    def predict(self, images: Sequence[NDArray[np.uint8]], batch: int = 32) -> Pose:
        """Return (N,) world_from_cam poses of upright uint8 (H, W, 3) RGB images of any size."""
        if not images:
            return Pose.stack([])
        return self.predict_frames(np.stack([self.frame(image) for image in images]), batch)

    def predict_with_spread(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> tuple[Pose, NDArray[np.float64] | None]:
        """Return (N,) poses and (N,) deviations of their centres (None of a head without dropout).

        See :func:`sightline.tasks.absolute.doubt.predict_with_spread`.
        """
        if not images:
            return Pose.stack([]), None
        return predict_with_spread(self.network, np.stack([self.frame(i) for i in images]))

    def frame(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an image cut and resized as the network wants it.

        Raises:
            InputError: Not a uint8 (H, W, 3) image.
        """
        return self.size.resize_array(image)

    def predict_frames(self, frames: NDArray[np.uint8], batch: int = 32) -> Pose:
        """Return (N,) world_from_cam poses of (N, height, width, 3) frames of the right size."""
        contract = self.network.backbone.contract
        answers = []
        for start in range(0, len(frames), batch):
            part = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch]))
            answers.append(self.answer(contract.normalise(part.permute(0, 3, 1, 2))))
        if not answers:
            return Pose.stack([])
        return Pose(
            np.concatenate([pose.q_wxyz for pose in answers]),
            np.concatenate([pose.translation for pose in answers]),
        )

    def answer(self, inputs: Tensor) -> Pose:
        """Return (N,) world_from_cam poses of (N, 3, height, width) normalised images."""
        with torch.inference_mode():
            device = next(self.network.parameters()).device
            q_wxyz, translation = self.network.decode(self.network(inputs.to(device)))
        return Pose(q_wxyz.double().cpu().numpy(), translation.double().cpu().numpy())

    def predict_files(
        self,
        files: Sequence[Path],
        frames: NDArray[np.uint8] | None = None,
        cameras: Sequence[Camera | None] = (),
    ) -> Pose:
        """Return (N,) world_from_cam poses of image files.

        Args:
            files: Of any size and shape.
            frames: (N, height, width, 3) of them in the network's size; read where not given.
            cameras: Not asked: this network answers by what the frame shows alone.
        """
        return self.predict_frames(read_frames(files, self.size) if frames is None else frames)


def ready(network: PoseRegressor, config: AbsoluteConfig) -> AbsoluteModel:
    """Return a network in eval mode as a model that answers."""
    network.eval()
    network.requires_grad_(False)
    return AbsoluteModel(network, network_size(config), config)


def load_run(run_dir: str | Path) -> AbsoluteModel:
    """Return the trained PoseNet or MapNet of a run folder.

    Raises:
        InputError: The folder has no configuration, or one of another task or model.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir / CONFIG)
    if config.model == "scene_coordinates":
        raise InputError(f"{run_dir}: a run of posenet or mapnet is wanted, {config.model} came")
    network = create_model(config, weights="none")
    load_weights(run_dir, network)
    return ready(network, config)
