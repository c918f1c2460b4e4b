"""Train a relative-pose network on a pair set: what the CLI and a notebook call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import WeightsError
from sightline.learning.calibration import fit_confidence
from sightline.learning.fit import BEST, FitResult, backbone_precision, fit, seed_everything
from sightline.learning.runs import CONFIG, WEIGHTS, is_finished, load_weights, save_weights
from sightline.records.files import digest
from sightline.records.pairs import PairSet
from sightline.tasks.relative.config import RelativeConfig, read_config, write_config
from sightline.tasks.relative.correspondence import DepthView, correspondence_loss
from sightline.tasks.relative.depth_frames import DepthFrames
from sightline.tasks.relative.loss import RelativePoseLoss, epipolar_distance, matching_loss
from sightline.tasks.relative.metrics import roe_deg, rte_deg
from sightline.tasks.relative.model import Matches, RelativeNet, create_model
from sightline.tasks.relative.predict import (
    RelativeModel,
    load_run,
    normalised,
    predict_batch,
    ready,
)
from sightline.tasks.relative.samples import (
    PairBatch,
    PairBatches,
    PairFrames,
    UsablePairs,
    centre_batches,
    usable_pairs,
)

Progress = Callable[[str, float], None]

#: A pair counts as solved where both errors are below this.
SOLVED_DEG = 10.0

_VALIDATION_BATCH = 32


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training.

    Attributes:
        directory: The run folder.
        model: The trained model.
        fit: How the fitting went; None where the run was already there.
    """

    directory: Path
    model: RelativeModel
    fit: FitResult | None


@dataclass(frozen=True, eq=False)
class ValidationPairs:
    """The validation part, scaled and ready to be cut."""

    usable: UsablePairs
    frames: PairFrames
    config: RelativeConfig

    def judge(self, network: RelativeNet) -> Judged:
        """Return the errors of a network in eval mode."""
        parts = centre_batches(self.usable, self.frames, self.config, _VALIDATION_BATCH)
        answers = [predict_batch(network, part) for part in parts]
        found = normalised(np.concatenate([each.raw for each in answers]))
        true = self.usable.b_from_a
        return Judged(
            roe_deg(found, true),
            rte_deg(found.translation, true.translation),
            np.concatenate([each.evidence for each in answers]),
        )


@dataclass(frozen=True, eq=False)
class Judged:
    """Errors of a network's answers.

    Attributes:
        roe_deg: (N,) of the rotations.
        rte_deg: (N,) of the directions.
        evidence: (N, K) what spoke for each answer.
    """

    roe_deg: NDArray[np.float64]
    rte_deg: NDArray[np.float64]
    evidence: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether both errors are below 10 degrees."""
        solved: NDArray[np.bool_] = np.maximum(self.roe_deg, self.rte_deg) < SOLVED_DEG
        return solved


class RelativeTask:
    """What :func:`sightline.learning.fit.fit` needs of a relative-pose network."""

    def __init__(
        self, network: RelativeNet, config: RelativeConfig, validation: ValidationPairs | None
    ) -> None:
        self.network = network
        self.model: nn.Module = network
        self._loss = RelativePoseLoss(config.loss, config.beta)
        self._matching = config.matching
        self._validation = validation

    def terms(self, batch: PairBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch."""
        out = self.network(batch.image_a, batch.image_b, batch.camera_a, batch.camera_b)
        terms: dict[str, Tensor] = self._loss(out.raw, batch.q_wxyz, batch.direction)
        if out.coarse is not None:
            coarse = self._loss(out.coarse, batch.q_wxyz, batch.direction)
            terms["coarse"] = coarse["loss"]
            terms["loss"] = terms["loss"] + coarse["loss"]
        if out.matches is not None and self._matching > 0:
            terms["matching"] = matching_term(out.matches, batch)
            terms["loss"] = terms["loss"] + self._matching * terms["matching"]
        return terms

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return the validation pairs' errors; ``score`` is the sum of both medians, in degrees."""
        if self._validation is None:
            return {}
        judged = self._validation.judge(self.network)
        medians = float(np.median(judged.roe_deg)), float(np.median(judged.rte_deg))
        return {
            "median_roe_deg": medians[0],
            "median_rte_deg": medians[1],
            "solved": float(judged.right.mean()),
            "score": sum(medians),
        }


def matching_term(found: Matches, batch: PairBatch) -> Tensor:
    """Return what teaches matching: by known depth where the batch has it, else by the pose."""
    if batch.depth_a is None or batch.depth_b is None or batch.length is None:
        distances = epipolar_distance(found.rays_a, found.rays_b, batch.q_wxyz, batch.direction)
        return matching_loss(found.b_of_a, found.a_of_b, distances)
    a = DepthView(batch.depth_a, batch.camera_a)
    b = DepthView(batch.depth_b, batch.camera_b)
    translation = batch.direction * batch.length[:, None]
    return correspondence_loss(
        found.b_of_a, found.a_of_b, a, b, batch.q_wxyz, translation, found.grid
    )


def train_relative(
    pairs: PairSet,
    config: RelativeConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Run:
    """Train on a set's ``train`` pairs, keep the best by its ``validation`` pairs.

    A run that is already finished with the same configuration and data is returned as it is; a
    killed one goes on from its last checkpoint. Pairs without a pose, or whose cameras did not
    move, are left out, and counted in ``config.toml``.

    Args:
        pairs: With poses and splits.
        config: What to train and how.
        run_dir: Where the run goes, usually ``pairs.runs_dir / NAME``.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No training pairs, or the folder holds a run of another configuration or data.
        WeightsError: Pretrained weights cannot be had, or do not fit.
        TrainingError: Too few usable pairs, or a non-finite loss.
    """
    training = usable_pairs(pairs, "train")
    held_out = usable_pairs(pairs, "validation", 1) if "validation" in pairs.splits() else None
    data = _data_digest(training, held_out)
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, data, "pairs, poses or splits"):
        return Run(run_dir, load_run(run_dir), None)
    seed_everything(config.seed)
    network = _network(config)
    network.precision = backbone_precision(config.precision)
    about = _about(pairs, training, held_out, network) | {"data": data}
    write_config(run_dir / CONFIG, config, run=about)
    progress(f"{config.model} weights: {network.weights_from}", 0.0)
    cache_dir = pairs.root / "cache"
    frames = PairFrames(pairs.root, training.pairs, config, cache_dir, progress)
    validation = None
    if held_out is not None:
        own = PairFrames(pairs.root, held_out.pairs, config, cache_dir, progress)
        validation = ValidationPairs(held_out, own, config)
    task = RelativeTask(network, config, validation)
    depth = DepthFrames.there(pairs.root, frames.sizes) if config.matches else None
    if depth is not None:
        progress("matching is taught by the depth beside the images", 0.0)
    result = fit(task, PairBatches(training, frames, config, depth), config, run_dir, progress)
    confidence, weights = _confidence(network, validation)
    about |= {"seconds": round(result.seconds, 1), "epochs": result.epochs}
    about |= {"best_epoch": result.best_epoch, "confidence": confidence}
    about |= {"confidence_weights": list(weights)}
    about |= {k: round(v, 4) for k, v in result.best.items()}
    write_config(run_dir / CONFIG, config, run=about)
    # the weights come last: with them a run counts as finished
    save_weights(run_dir / WEIGHTS, network, task="relative", model=config.model)
    (run_dir / BEST).unlink(missing_ok=True)  # model.safetensors now holds these
    return Run(run_dir, ready(network, config, run_dir.resolve().name, confidence, weights), result)


def _confidence(
    network: RelativeNet, validation: ValidationPairs | None
) -> tuple[float, tuple[float, ...]]:
    """Return the share of validation pairs solved, and what tells them from the others."""
    if validation is None:
        return 0.0, ()
    judged = validation.judge(network)
    weights = fit_confidence(judged.evidence, judged.right) if judged.evidence.size else ()
    return float(judged.right.mean()), weights


def _network(config: RelativeConfig) -> RelativeNet:
    """Return the network to start from: fresh, or that of the run to fine-tune.

    Raises:
        WeightsError: The run is of another network.
    """
    if not config.fine_tune:
        return create_model(config)
    source = Path(config.fine_tune)
    network = create_model(config, weights="none")
    try:
        load_weights(source, network)
    except WeightsError as error:
        before = read_config(source / CONFIG)
        raise WeightsError(
            f"{source} is a {before.model}; the same model, width, backbone and head are wanted "
            f"to fine-tune it ({error})"
        ) from error
    network.weights_from = f"fine-tuned from {source}"
    return network


def _about(
    pairs: PairSet, training: UsablePairs, held_out: UsablePairs | None, network: RelativeNet
) -> dict[str, Any]:
    both = [training] if held_out is None else [training, held_out]
    return {
        "pairs": str(pairs.root.resolve()),
        "set": pairs.name,
        "training_pairs": len(training.pairs),
        "validation_pairs": 0 if held_out is None else len(held_out.pairs),
        "left_out_without_pose": sum(part.without_pose for part in both),
        "left_out_without_motion": sum(part.without_motion for part in both),
        "weights_from": network.weights_from,
        "parameters": network.parameter_count(),
    }


def _data_digest(training: UsablePairs, held_out: UsablePairs | None) -> str:
    def rows(part: UsablePairs) -> list[Any]:
        numbers = np.concatenate([part.b_from_a.q_wxyz, part.b_from_a.translation], axis=1)
        return [
            [pair.image_a.as_posix(), pair.image_b.as_posix(), *np.round(row, 6).tolist()]
            for pair, row in zip(part.pairs, numbers, strict=True)
        ]

    return digest(rows(training), rows(held_out) if held_out is not None else [])
