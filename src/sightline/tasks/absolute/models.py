"""Whichever model a run holds, behind one face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera
from sightline.learning.cache import FrameSize
from sightline.learning.runs import CONFIG
from sightline.tasks.absolute.config import AbsoluteConfig, read_config
from sightline.tasks.absolute.metrics import PosePredictions


class PoseModel(Protocol):
    """What every trained model of absolute pose offers: PoseNet, MapNet, scene coordinates."""

    @property
    def size(self) -> FrameSize:
        """How pictures become its images."""

    @property
    def config(self) -> AbsoluteConfig:
        """What it was trained with."""

    def predict(self, images: Sequence[NDArray[np.uint8]], batch: int = 32) -> PosePredictions:
        """Return N poses of upright uint8 (H, W, 3) RGB images of any size."""

    def predict_frames(self, frames: NDArray[np.uint8], batch: int = 32) -> PosePredictions:
        """Return N poses of (N, height, width, 3) frames of its size."""

    def predict_files(
        self,
        files: Sequence[Path],
        frames: NDArray[np.uint8] | None = None,
        cameras: Sequence[Camera | None] = (),
    ) -> PosePredictions:
        """Return N poses of image files.

        Args:
            files: Of any size and shape.
            frames: (N, height, width, 3) of them in its size; read where not given.
            cameras: N of the whole pictures, None for one that is not known.
        """


def load_model(run_dir: str | Path) -> PoseModel:
    """Return the trained model of a run folder.

    Raises:
        InputError: The folder has no configuration, or one of another task.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    run_dir = Path(run_dir)
    if read_config(run_dir / CONFIG).model == "scene_coordinates":
        from sightline.tasks.absolute.scene.task import load_scene

        return load_scene(run_dir)
    from sightline.tasks.absolute.checkpoint import load_run

    return load_run(run_dir)
