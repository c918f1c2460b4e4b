"""Train a scene-coordinate network into a run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.learning.cache import cache_frames
from sightline.learning.fit import FitResult, seed_everything
from sightline.learning.runs import CONFIG, is_finished, load_weights, read_run_table
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.files import digest_files
from sightline.tasks.absolute.config import AbsoluteConfig, read_config
from sightline.tasks.absolute.fitting import fit_run, run_table
from sightline.tasks.absolute.metrics import pose_errors
from sightline.tasks.absolute.samples import (
    TranslationStatistics,
    in_video_order,
    network_size,
    source_size,
    training_frames,
)
from sightline.tasks.absolute.scene.depth_maps import ObservedPoints
from sightline.tasks.absolute.scene.loss import SceneCoordinateLoss
from sightline.tasks.absolute.scene.model import SceneModel
from sightline.tasks.absolute.scene.network import SceneNet, create_network
from sightline.tasks.absolute.scene.samples import SceneBatch, SceneBatches

Progress = Callable[[str, float], None]


class SceneTask:
    """What :func:`sightline.learning.fit.fit` needs of scene coordinates."""

    def __init__(
        self,
        network: SceneNet,
        config: AbsoluteConfig,
        camera: Camera,
        validation: tuple[NDArray[np.uint8], Pose] | None,
        scale: float,
    ) -> None:
        """Validate on frames (images of the network's size, true poses), errors over a scale."""
        self.model: nn.Module = network
        self.network = network
        self._loss = SceneCoordinateLoss(config.reprojection)
        self._answers = SceneModel(network, network_size(config), config, camera)
        self._validation = validation
        self._scale = scale

    def terms(self, batch: SceneBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch."""
        terms: dict[str, Tensor] = self._loss(self.network, batch)
        return terms

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return the median errors of the validation frames that were answered, and their share.

        ``score`` is without unit, as PoseNet's; a frame without an answer counts as far off.
        """
        if self._validation is None:
            return {}
        frames, true = self._validation
        found = self._answers.predict_frames(frames)
        rows = np.array([i for i, pose in enumerate(found) if pose is not None], dtype=np.int64)
        errors = pose_errors(Pose.stack([pose for pose in found if pose is not None]), true[rows])
        position, angle = np.full(len(found), 10.0 * self._scale), np.full(len(found), 180.0)
        position[rows], angle[rows] = errors.position, errors.rotation_deg
        median, median_deg = float(np.median(position)), float(np.median(angle))
        return {
            "median_position": median,
            "median_rotation_deg": median_deg,
            "answered": len(rows) / len(found),
            "score": median / self._scale + float(np.deg2rad(median_deg)),
        }


def train_scene(
    place: Place, config: AbsoluteConfig, run_dir: Path, progress: Progress
) -> tuple[SceneModel, FitResult | None]:
    """Return the model of a run folder, trained where it is not there yet, and how that went.

    Raises:
        InputError: The folder holds another run.
        PlaceError: There are no training frames, or there is no map.
        WeightsError: The folder's weights do not fit.
        TrainingError: The map has too few points, or a non-finite loss.
    """
    frames = training_frames(place)
    validation = in_video_order(place.registered("validation"))
    model_files = [path for path in sorted(place.model_dir.glob("*")) if path.is_file()]
    data = digest_files([place.poses_path, *model_files])
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, data, "poses or another map"):
        return load_scene(run_dir), None
    observed = ObservedPoints.read(place, [f.image for f in frames])
    seed_everything(config.seed)
    network = create_network(config)
    about = run_table(place, data, frames, validation) | {
        "backbone_weights": "none: trained from scratch",
        "trainable_parameters": network.trainable_parameters(),
        "total_parameters": network.trainable_parameters(),
        "map_points": sum(map(len, observed.by_frame.values())),
        "camera": _camera_table(observed.camera),
    }
    own = cache_frames(
        place.images_dir,
        [f.image for f in frames],
        source_size(config),
        place.cache_dir,
        progress=progress,
    )
    batches = SceneBatches(frames, own, observed, network.contract, config)
    network.set_regions(batches.known_points(), config.seed)
    scale = TranslationStatistics.of(stack_poses(frames)).scale
    held_out = _held_out(place, validation, config, progress)
    task = SceneTask(network, config, observed.camera, held_out, scale)
    result = fit_run(task, network, batches, config, run_dir, about, progress)
    return SceneModel.ready(network, config, observed.camera), result


def load_scene(run_dir: Path) -> SceneModel:
    """Return the trained model of a run folder.

    Raises:
        InputError: The folder has no configuration, or one of another task or model.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    config = read_config(run_dir / CONFIG)
    table = read_run_table(run_dir).get("camera")
    if config.model != "scene_coordinates" or not table:
        raise InputError(f"{run_dir}: a run of scene_coordinates is wanted, {config.model} came")
    network = create_network(config)
    load_weights(run_dir, network)
    size = int(table["width"]), int(table["height"])
    camera = Camera(str(table["model"]), *size, tuple(float(p) for p in table["params"]))
    return SceneModel.ready(network, config, camera)


def _held_out(
    place: Place, validation: list[PosedFrame], config: AbsoluteConfig, progress: Progress
) -> tuple[NDArray[np.uint8], Pose] | None:
    if not validation:
        return None
    names = [f.image for f in in_video_order(place.registered())]
    size = network_size(config)
    cache = cache_frames(place.images_dir, names, size, place.cache_dir, progress=progress)
    rows = cache.rows([f.image for f in validation])
    return np.asarray(cache.array[rows]), stack_poses(validation)


def _camera_table(camera: Camera) -> dict[str, object]:
    return {
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": list(camera.params),
    }
