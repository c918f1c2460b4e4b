"""Train, predict, evaluate: what the CLI, the server and a notebook call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.learning.cache import FrameCache, cache_features, cache_frames
from sightline.learning.fit import FitResult, backbone_precision, seed_everything
from sightline.learning.runs import CONFIG, is_finished
from sightline.records import Place, PosedFrame, read_poses_csv, stack_poses
from sightline.records.cameras import place_cameras
from sightline.records.files import digest, read_toml, write_json
from sightline.tasks.absolute.checkpoint import AbsoluteModel, load_run, ready
from sightline.tasks.absolute.config import AbsoluteConfig, read_config
from sightline.tasks.absolute.fitting import fit_run, run_table
from sightline.tasks.absolute.loss import MapNetLoss, PoseNetLoss
from sightline.tasks.absolute.metrics import (
    PosePredictions,
    Predictions,
    nearest_frame,
    pose_errors,
    read_predictions,
    scores,
    split_names,
    write_predictions,
)
from sightline.tasks.absolute.model import PoseRegressor, create_model
from sightline.tasks.absolute.models import PoseModel, load_model
from sightline.tasks.absolute.report import write_card, write_plots
from sightline.tasks.absolute.samples import (
    PoseBatch,
    PoseBatches,
    TranslationStatistics,
    in_video_order,
    network_size,
    source_size,
    training_frames,
)
from sightline.tasks.absolute.smoothed_walk import score_smoothed
from sightline.tasks.absolute.unlabelled import task as mapnet_plus
from sightline.tasks.absolute.views import map_digest, training_views

Progress = Callable[[str, float], None]

#: The split name that frames of a walk outside the place get.
WALK = "walk"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training.

    Attributes:
        directory: The run folder.
        model: The trained model.
        fit: How the fitting went; None where the run was already there.
    """

    directory: Path
    model: PoseModel
    fit: FitResult | None


class AbsoluteTask:
    """What :func:`sightline.learning.fit.fit` needs of PoseNet and MapNet."""

    def __init__(
        self,
        network: PoseRegressor,
        config: AbsoluteConfig,
        validation: ValidationFrames | None,
    ) -> None:
        loss: nn.Module
        if config.model == "mapnet":
            loss = MapNetLoss(
                config.rotation,
                config.loss,
                step=config.step,
                alpha=config.alpha,
                beta=config.beta,
                gamma=config.gamma,
                learn_weights=config.learn_weights,
            )
        else:
            loss = PoseNetLoss(config.rotation, config.loss, config.alpha)
        self.network = network
        self.loss = loss
        self.model: nn.Module = nn.ModuleDict({"network": network, "loss": loss})
        self._validation = validation

    def terms(self, batch: PoseBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch."""
        forward = self.network.from_features if batch.is_features else self.network
        terms: dict[str, Tensor] = self.loss(forward(batch.inputs), batch.translation, batch.q_wxyz)
        return terms

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return the validation frames' median errors; position and angle both count.

        ``score`` is the median position error in standard deviations of the place plus the median
        rotation error in radians, so that it has no unit.
        """
        if self._validation is None:
            return {}
        errors = pose_errors(self._validation.predict(self.network), self._validation.true)
        position, rotation_deg = np.median(errors.position), np.median(errors.rotation_deg)
        scale = float(self.network.translation_scale)
        return {
            "median_position": float(position),
            "median_rotation_deg": float(rotation_deg),
            "score": float(position / scale + np.deg2rad(rotation_deg)),
        }


@dataclass(frozen=True, eq=False)
class ValidationFrames:
    """The validation part, as network inputs (frames, or frozen features)."""

    inputs: NDArray[np.uint8] | NDArray[np.float32]
    true: Pose
    config: AbsoluteConfig

    def predict(self, network: PoseRegressor) -> Pose:
        """Return the network's poses."""
        if self.inputs.ndim == 4:
            model = AbsoluteModel(network, network_size(self.config), self.config)
            return model.predict_frames(self.inputs.astype(np.uint8, copy=False))
        device = network.translation_scale.device
        raw = network.from_features(torch.from_numpy(self.inputs).to(device))
        q_wxyz, translation = network.decode(raw)
        return Pose(q_wxyz.double().cpu().numpy(), translation.double().cpu().numpy())


def train(
    place: Place,
    config: AbsoluteConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Run:
    """Train on a place's ``train`` frames, keep the best by its ``validation`` frames.

    A run that is already finished with the same configuration and data is returned as it is; a
    killed one goes on from its last checkpoint.

    Args:
        place: With poses and splits.
        config: What to train and how.
        run_dir: Where the run goes, usually ``place/runs/NAME``.
        progress: Called with a text and the fraction done.

    Raises:
        PlaceError: The place has no training frames, or no map where scene coordinates want one.
        InputError: The folder holds a run of another configuration or of other data, or a setting
            is given that the model makes no use of.
        WeightsError: The backbone's weights cannot be had.
        TrainingError: Too few frames, or a non-finite loss.
    """
    if not (run_dir / CONFIG).is_file():  # an older run may have what is ignored today
        config.refuse_ignored()
    if config.model == "scene_coordinates":
        from sightline.tasks.absolute.scene.task import train_scene

        return Run(run_dir, *train_scene(place, config, run_dir, progress))
    frames = training_frames(place)
    validation = in_video_order(place.registered("validation"))
    data = _data_digest(frames, validation)
    if config.augment_shift > 0:
        data = digest(data, map_digest(place))
    if config.unlabelled is not None:
        data = digest(data, mapnet_plus.walk_digest(config))
    if _is_finished(run_dir, config, data):
        return Run(run_dir, load_run(run_dir), None)
    walk = mapnet_plus.open_walk(place, config, progress)
    seed_everything(config.seed)
    network = create_model(config)
    statistics = TranslationStatistics.of(stack_poses(frames))
    network.translation_mean.copy_(torch.from_numpy(statistics.mean))
    network.translation_scale.fill_(statistics.scale)
    network.precision = backbone_precision(config.precision)
    about = run_table(place, data, frames, validation) | {
        "backbone_weights": network.backbone.weights_from,
        "trainable_parameters": network.trainable_parameters(),
        "total_parameters": network.total_parameters(),
    }
    progress(f"{config.backbone} weights: {network.backbone.weights_from}", 0.0)
    own, held_out = _prepare(place, config, network, (frames, validation), progress)
    task = AbsoluteTask(network, config, held_out)
    learning, batches, told = mapnet_plus.with_walk(place, walk, task, own, config, progress)
    result = fit_run(learning, network, batches, config, run_dir, about | told, progress)
    return Run(run_dir, ready(network, config), result)


def predict(model: PoseModel, images: Sequence[Path]) -> PosePredictions:
    """Return world_from_cam poses of N image files; None for one without an answer."""
    return model.predict_files(images)


def evaluate(
    run_dir: Path,
    walk: Path | None = None,
    progress: Progress = lambda _stage, _fraction: None,
    *,
    pose_graph: bool = False,
) -> dict[str, Any]:
    """Return a run's scores, and write predictions, scores, plots and the model card.

    Args:
        run_dir: A finished run.
        walk: Another folder with ``poses.csv`` and images (in ``images/`` or beside it) in the
            same world, never trained on; the place's own frames where None. Its files get its
            name: ``predictions-NAME.csv``, ``metrics-NAME.json``.
        progress: Called with a text and the fraction done.
        pose_graph: Also score the walk's answers after smoothing (MapNet+PGO), as ``pose_graph``
            of its scores; they go to ``predictions-NAME-pose-graph.csv``.

    Raises:
        InputError: The run is not finished, or the walk has no posed frames.
    """
    model = load_model(run_dir)
    place = run_place(run_dir)
    suffix = "" if walk is None else f"-{walk.resolve().name}"
    frames, folder, cameras = _frames_to_score(place, walk)
    cache_dir = place.cache_dir
    names = [f.image for f in frames]
    cache = cache_frames(folder, names, model.size, cache_dir, progress=progress)
    progress("predicting", 0.5)
    files = [folder / name for name in names]
    predicted = model.predict_files(
        files, cache.array[cache.rows(names)], [cameras.get(name) for name in names]
    )
    splits = tuple(WALK if walk is not None else f.split for f in frames)
    saved = run_dir / f"predictions{suffix}.csv"
    write_predictions(saved, Predictions.of(names, splits, stack_poses(frames), predicted))
    metrics = score_predictions(read_predictions(saved), place, run_dir.name)
    if pose_graph and walk is not None:
        smoothed = run_dir / f"predictions{suffix}-pose-graph.csv"
        metrics["splits"][WALK]["pose_graph"] = score_smoothed(
            smoothed, place, frames, folder, predicted, progress
        )
    write_json(run_dir / f"metrics{suffix}.json", metrics)
    progress("drawing", 0.8)
    write_plots(run_dir, suffix, place)
    write_card(run_dir)
    progress("evaluated", 1.0)
    return metrics


def score_predictions(predictions: Predictions, place: Place, run: str) -> dict[str, Any]:
    """Return the scores of each part beside the nearest-training-frame baseline.

    ``nearest_frame`` is of all frames of a part, as the shares of the network are;
    ``nearest_frame_answered`` of those that it answered, as its errors are.
    """
    order = in_video_order(place.registered())
    training = stack_poses([f for f in order if f.split == "train"])
    parts: dict[str, Any] = {}
    for split in split_names(predictions.all_splits):
        part = predictions.of_split(split)
        parts[split] = part.scores()
        if split in ("train", ""):
            continue
        parts[split]["nearest_frame"] = _copied(part.all_true, training)
        if part.unanswered and len(part):
            parts[split]["nearest_frame_answered"] = _copied(part.true, training)
        parts[split]["interleaved"] = interleaved(order, split)
    return {"run": run, "unit": place.unit, "splits": parts}


def _copied(true: Pose, training: Pose) -> dict[str, Any]:
    return scores(nearest_frame(true, training), true)


def interleaved(frames: Sequence[PosedFrame], split: str) -> bool:
    """Return whether most frames of a part have a training frame within two steps of the video.

    Such a part (the paper's mod-3 split) leaks: its frames are near-copies of training frames.

    Args:
        frames: All frames, in video order.
        split: The part to judge.
    """
    train = np.array([i for i, f in enumerate(frames) if f.split == "train"])
    part = np.array([i for i, f in enumerate(frames) if f.split == split])
    if not len(part) or not len(train):
        return False
    gap = np.abs(part[:, None] - train[None, :]).min(axis=1)
    return bool(np.mean(gap <= 2) > 0.5)


def run_place(run_dir: Path) -> Place:
    """Return the place that a run was trained on.

    Raises:
        PlaceError: It is neither where it was nor around the run folder.
    """
    recorded = read_toml(run_dir / CONFIG).get("run", {}).get("place", "")
    for root in (run_dir.resolve().parent.parent, Path(recorded)):
        if (root / "place.toml").is_file():
            return Place.open(root)
    raise PlaceError(f"{run_dir} was trained on the place {recorded}, which is not there any more")


def _prepare(
    place: Place,
    config: AbsoluteConfig,
    network: PoseRegressor,
    parts: tuple[list[PosedFrame], list[PosedFrame]],
    progress: Progress,
) -> tuple[PoseBatches, ValidationFrames | None]:
    frames, validation = parts
    names = [f.image for f in in_video_order(place.registered())]
    size, source = network_size(config), source_size(config)
    everything = cache_frames(place.images_dir, names, size, place.cache_dir, progress=progress)
    training = everything
    if config.augments_rotation:
        own = [f.image for f in frames]
        training = cache_frames(place.images_dir, own, source, place.cache_dir, progress=progress)
    rotation, depths = training_views(place, config, frames, progress)
    features = None
    if config.freeze and config.augments_pixels:
        progress("augmentation changes the pixels: frozen features are computed every epoch", 0.0)
    elif config.freeze:
        features = cache_features(network.backbone, everything, place.cache_dir, progress=progress)
    batches = PoseBatches(
        frames,
        training,
        network.backbone.contract,
        config,
        TranslationStatistics.of(stack_poses(frames)),
        rotation=rotation,
        depths=depths,
        features=features,
    )
    return batches, _held_out(validation, everything, features, config)


def _held_out(
    validation: list[PosedFrame],
    cache: FrameCache,
    features: NDArray[np.float32] | None,
    config: AbsoluteConfig,
) -> ValidationFrames | None:
    if not validation:
        return None
    rows = cache.rows([f.image for f in validation])
    inputs = cache.array[rows] if features is None else features[rows]
    return ValidationFrames(inputs, stack_poses(validation), config)


def _data_digest(frames: Sequence[PosedFrame], validation: Sequence[PosedFrame]) -> str:
    def rows(part: Sequence[PosedFrame]) -> list[Any]:
        poses = stack_poses(part)
        numbers = np.concatenate([poses.q_wxyz, poses.translation], axis=1)
        return [[f.image, *np.round(n, 6).tolist()] for f, n in zip(part, numbers, strict=True)]

    return digest(rows(frames), rows(validation) if validation else [])


def _is_finished(run_dir: Path, config: AbsoluteConfig, data: str) -> bool:
    """Return whether the folder holds this very run, finished.

    Raises:
        InputError: It holds another one.
        TrainingError: It holds a checkpoint that nothing says the origin of.
    """
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    what = "poses or splits" if config.unlabelled is None else "poses, splits or unlabelled frames"
    return is_finished(run_dir, config, before, data, what)


def _frames_to_score(
    place: Place, walk: Path | None
) -> tuple[list[PosedFrame], Path, dict[str, Camera]]:
    """Return the frames, their folder, and the cameras of those whose camera is known."""
    if walk is None:
        frames = in_video_order(place.registered())
        return frames, place.images_dir, place_cameras(place, [f.image for f in frames])
    frames = [f for f in read_poses_csv(walk / "poses.csv") if f.world_from_cam is not None]
    if not frames:
        raise InputError(f"{walk / 'poses.csv'} has no frame with a pose; nothing can be scored")
    images = walk / "images"
    cameras = {}
    if (walk / "place.toml").is_file():  # the walk is a place itself
        cameras = place_cameras(Place.open(walk), [f.image for f in frames])
    return in_video_order(frames), images if images.is_dir() else walk, cameras
