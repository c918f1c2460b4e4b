"""Train the utility predictor: what the CLI and a notebook call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.learning.calibration import confidences, fit_confidence
from sightline.learning.fit import BEST, FitResult, backbone_precision, fit, seed_everything
from sightline.learning.runs import CONFIG, WEIGHTS, is_finished, save_weights
from sightline.records.files import digest_files, write_json
from sightline.records.utility import LABELS_TOML, UtilitySet
from sightline.tasks.utility.batches import UtilityBatch, UtilityBatches
from sightline.tasks.utility.config import UtilityConfig, read_config, write_config
from sightline.tasks.utility.metrics import area_under_roc, best_threshold
from sightline.tasks.utility.model import UtilityNet, create_model
from sightline.tasks.utility.predict import UtilityModel, frame_logits, load_predictor
from sightline.tasks.utility.samples import (
    Samples,
    labelled,
    labels_digest,
    source_of,
    taught,
    usable_samples,
)

Progress = Callable[[str, float], None]

LEFT_OUT = "left_out.json"

#: Share of the training sources that validate where the labels have no validation part.
VALIDATION_SHARE = 0.15

#: Validation looks at no more images than these, drawn by a seed: it comes up many times.
VALIDATION_IMAGES = 2000

#: Weight of the log loss beside the AUC where the best weights are chosen.
_TIE = 1e-3


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training.

    Attributes:
        directory: The run folder.
        model: The trained predictor.
        fit: How the fitting went; None where it was already there.
    """

    directory: Path
    model: UtilityModel
    fit: FitResult | None


class UtilityTeaching:
    """What :func:`sightline.learning.fit.fit` needs: cross-entropy, and validation by AUC."""

    def __init__(
        self, network: UtilityNet, class_weights: Tensor, held_out: Samples | None
    ) -> None:
        """Take what is trained.

        Args:
            network: In training.
            class_weights: (2,) of useless and useful in the loss.
            held_out: Validation images; None: the loss picks the best weights.
        """
        self.model: nn.Module = network
        self._network = network
        self._class_weights = class_weights
        self._held_out = held_out

    def terms(self, batch: UtilityBatch) -> dict[str, Tensor]:
        """Return the cross-entropy of a batch (paper 004, Sec. IV-C)."""
        logits = self._network(batch.frames)
        shares = torch.stack([1.0 - batch.target, batch.target], dim=1)
        # over the count: the mean over weights would swing with what a batch has
        weighted = shares * self._class_weights.to(logits.device)
        return {"loss": -(weighted * logits.log_softmax(dim=1)).sum() / len(batch.target)}

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return AUC and accuracy on validation; ``score`` is 1 - AUC, which knows no threshold.

        The log loss breaks ties: on easy images every epoch's AUC is soon 1.
        """
        if self._held_out is None:
            return {}
        useful = self._held_out.useful
        logits = _logits(self._network, self._held_out)
        auc = area_under_roc(logits, useful)
        accuracy = float(np.mean((logits >= 0) == useful))
        loss = float(np.logaddexp(0.0, np.where(useful, -logits, logits)).mean())
        score = 1.0 - auc + _TIE * min(loss, 1.0)
        return {"score": score, "auc": auc, "accuracy": accuracy, "log_loss": loss}


def train_utility(
    data: UtilitySet,
    config: UtilityConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Run:
    """Train a predictor on a set's ``train`` images; ``validation`` ones choose the best weights.

    Validation also calibrates the probability and chooses the threshold, for the best balanced
    accuracy. Where the labels have no validation part, it is drawn from the training part by
    source. Images without a label are never trained on; they are counted.

    A run that is already finished with the same configuration and labels is returned as it is; a
    killed one goes on where it was.

    Args:
        data: Labels.
        config: What to train and how.
        run_dir: Where the run goes, usually ``data.runs_dir / NAME``.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: Nothing to learn from, only useful or only useless images, or the folder holds
            a run of another configuration or other labels.
        WeightsError: Pretrained weights cannot be had, or do not fit.
        TrainingError: A non-finite loss.
    """
    training, held_out = training_parts(data, config)
    kept = labels_digest(config, training, held_out)
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, kept, "labels"):
        return Run(run_dir, load_predictor(run_dir), None)
    seed_everything(config.seed)
    network = create_model(config)
    network.precision = backbone_precision(config.precision)
    about = {"data": kept} | _about(data, training, held_out, network)
    write_config(run_dir / CONFIG, config, run=about)
    progress(f"{config.backbone} weights: {network.weights_from}", 0.0)
    if about["without_label"]:
        progress(f"{data.name} without {about['without_label']} images that have no label", 0.0)
    samples = usable_samples(training, config, progress)
    judged = None if held_out is None else usable_samples(held_out, config, progress)
    _refuse_one_class(samples.useful, data)
    about |= _write_left_out(run_dir, samples, judged)
    seed_everything(config.seed)
    task = UtilityTeaching(network, class_weights(samples.target, config), _some(judged))
    result = fit(task, UtilityBatches(samples, config), config, run_dir, progress)
    about |= {"epochs": result.epochs, "best_epoch": result.best_epoch}
    about |= {"seconds": round(result.seconds, 1)}
    about |= {k: round(v, 5) for k, v in result.best.items()}
    about |= calibrate(network, judged, samples.target, config)
    # the weights come last: with them the run is finished, and must have said all of itself
    write_config(run_dir / CONFIG, config, run=about)
    save_weights(run_dir / WEIGHTS, network, task="utility")
    (run_dir / BEST).unlink(missing_ok=True)  # model.safetensors now holds these
    return Run(run_dir, load_predictor(run_dir), result)


def training_parts(data: UtilitySet, config: UtilityConfig) -> tuple[UtilitySet, UtilitySet | None]:
    """Return the images to train on and the labelled ones to validate on; no source is in both.

    Labels without any split are all for training. Validation is None where there are too few
    sources to draw one from, or where it would take the last useful or useless training image.

    Raises:
        InputError: No image has a label, or all to train on are useful, or useless.
    """
    splits = {item.split for item in data.items if item.split}
    whole = data.part("train") if splits else data
    training = taught(whole, config)
    if not labelled(training).items:
        none = f"{len(whole)} without a label" if len(whole) else "none at all"
        raise InputError(
            f"{data.root}: useful and useless images to train on are wanted, there are {none}; "
            "label more images, or at thresholds that are nearer to each other"
        )
    useful = np.array([item.utility for item in labelled(training).items]) == 1
    _refuse_one_class(useful, data)
    held_out = labelled(data.part("validation"))
    if held_out.items:
        return training, held_out
    drawn = _drawn_sources(training)
    here = np.array([source_of(item) in drawn for item in labelled(training).items])
    if not here.any() or len({*useful[~here].tolist()}) < 2:
        return training, None
    judged = labelled(training).items
    chosen = tuple(i for i in judged if source_of(i) in drawn and not i.augmented)
    rest = tuple(i for i in training.items if source_of(i) not in drawn)
    return replace(training, items=rest), replace(training, items=chosen) if chosen else None


def class_weights(target: NDArray[np.float32], config: UtilityConfig) -> Tensor:
    """Return (2,) weights of useless and useful in the loss, 1 on average over the images."""
    if config.class_weights == "none":
        return torch.ones(2)
    return torch.tensor(len(target) / (2.0 * _sums(target)), dtype=torch.float32)


def _sums(target: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (2,) how many images are useless and useful, graded ones in parts."""
    useful = float(target.sum(dtype=np.float64))
    return np.array([len(target) - useful, useful])


def calibrate(
    network: UtilityNet,
    held_out: Samples | None,
    trained: NDArray[np.float32],
    config: UtilityConfig,
) -> dict[str, Any]:
    """Return ``calibration`` (bias and slope of the logit), ``threshold`` and what they give.

    Fitted on validation by maximum likelihood (Platt 1999; temperature scaling with a bias, which
    class weights make necessary). Where validation is too small, what class weights did to the
    odds is undone.
    """
    counts = _sums(trained)
    undone = float(np.log(counts[1] / counts[0])) if config.class_weights == "balanced" else 0.0
    # at odds that are right, the best balanced accuracy is had at the share of useful images
    usual, threshold = 0.0, 0.5
    if config.threshold_for == "balanced":
        usual = float(np.log(counts[1] / counts[0]))
        threshold = float(counts[1] / counts.sum())
    if held_out is None:
        return {"calibration": [undone, 1.0], "threshold": threshold, "calibrated_on": 0}
    useful = held_out.useful
    logits = _logits(network, held_out)
    weights = fit_confidence(logits[:, None], useful, (1,)) or (undone, 1.0)
    # slope 0: a network that learned nothing; its order is kept, its odds are not
    weights = (weights[0], max(weights[1], 1e-6))
    # among log-odds: midway between two probabilities near 0 would lie at the larger one
    log_odds = best_threshold(weights[0] + weights[1] * logits, useful, usual, config.threshold_for)
    if log_odds is not None:
        threshold = float(confidences((0.0, 1.0), np.array([[log_odds]]))[0])
    return {
        "calibration": list(weights),
        "threshold": threshold,
        "calibrated_on": len(useful),
    }


def _drawn_sources(training: UtilitySet) -> set[str]:
    """Return the sources whose hash says validation; none where there are fewer than five."""
    sources = sorted({source_of(item) for item in training.items})
    if len(sources) < 5:
        return set()
    order = sorted(sources, key=lambda s: sha256(f"validation {s}".encode()).hexdigest())
    return set(order[: max(round(VALIDATION_SHARE * len(sources)), 1)])


def _refuse_one_class(useful: NDArray[Any], data: UtilitySet) -> None:
    """Refuse to learn one class.

    Raises:
        InputError: All images are useful, or all useless.
    """
    if useful.all() or not useful.any():
        which, other = ("useful", "stronger") if useful.all() else ("useless", "weaker")
        raise InputError(
            f"{data.root}: useful and useless images to train on are wanted, all {len(useful)} are "
            f"{which}; label {other} distortions too"
        )


def _some(samples: Samples | None) -> Samples | None:
    """Return samples of validation, few enough to look at often; None where they are of one class.

    Drawn: every n-th image would be of a few levels alone, as each photo's copies stand in order.
    """
    if samples is None:
        return None
    if len(samples) > VALIDATION_IMAGES:
        draw = np.random.default_rng(0).choice(len(samples), VALIDATION_IMAGES, replace=False)
        part = np.sort(draw)
        items = tuple(samples.items[k] for k in part)
        samples = replace(
            samples, items=items, rows=samples.rows[part], target=samples.target[part]
        )
    return None if len(set(samples.useful.tolist())) < 2 else samples


def _logits(network: UtilityNet, samples: Samples) -> NDArray[np.float64]:
    parts = [
        frame_logits(network, samples.frames(np.arange(k, min(k + 256, len(samples)))))
        for k in range(0, len(samples), 256)
    ]
    return np.concatenate(parts)


def _write_left_out(run_dir: Path, *parts: Samples | None) -> dict[str, int]:
    """Write which images were left out and why, and return how many."""
    named = dict(row for part in parts if part is not None for row in part.left_out)
    if named:
        write_json(run_dir / LEFT_OUT, named)
    return {"left_out": len(named)}


def _about(
    data: UtilitySet, training: UtilitySet, held_out: UtilitySet | None, network: UtilityNet
) -> dict[str, Any]:
    file = data.root / LABELS_TOML
    counts = Counter(item.utility for item in training.items)
    return {
        "folder": str(data.root.resolve()),
        "set": data.name,
        "task": data.task,
        "machines": list(data.machines),
        "operator": data.operator,
        "labels": digest_files([file]) if file.is_file() else "",
        "training_images": len(training),
        "training_useful": counts[1],
        "validation_images": 0 if held_out is None else len(held_out),
        "training_graded": counts[None],
        "without_label": sum(item.utility is None for item in data.items) - counts[None],
        "weights_from": network.weights_from,
        "parameters": network.parameter_count(),
    }
