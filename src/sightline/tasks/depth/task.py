"""Train depth, stage by stage: what the CLI and a notebook call.

=========  ========================================================================================
teacher    learns from DATA's depth, in disparity up to scale and shift
label      the teacher labels images; leaves a depth set in place of a run
student    a fresh network learns from DATA's depth and from those labels
metric     a finished run is fine-tuned to depth in metres
=========  ========================================================================================

Source: report 003, Sec. 5; Yang et al. 2024 (Depth Anything), Sec. 3.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.datasets.depth import open_depth
from sightline.errors import InputError, WeightsError
from sightline.learning.fit import BEST, FitResult, backbone_precision, fit, seed_everything
from sightline.learning.runs import (
    CONFIG,
    WEIGHTS,
    is_finished,
    load_weights,
    save_weights,
)
from sightline.records.depth import DepthSet
from sightline.records.files import digest, digest_files, write_json
from sightline.tasks.depth.alignment import FeatureAlignment
from sightline.tasks.depth.batches import DepthBatches
from sightline.tasks.depth.config import DepthConfig, read_config, write_config
from sightline.tasks.depth.maps import DepthModel
from sightline.tasks.depth.model import DepthNet, create_model
from sightline.tasks.depth.predict import load_run
from sightline.tasks.depth.samples import (
    FrameShape,
    Samples,
    Target,
    data_digest,
    training_shape,
    usable_samples,
)
from sightline.tasks.depth.teaching import DepthTeaching

Progress = Callable[[str, float], None]

#: Validation looks at no more images than these, spread evenly: it comes up many times.
VALIDATION_IMAGES = 256

LEFT_OUT = "left_out.json"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished stage.

    Attributes:
        directory: The run folder; of the stage label the folder of labels, a depth set.
        model: The trained model; None of the stage label.
        fit: How the fitting went; None where it was already there, and of the stage label.
    """

    directory: Path
    model: DepthModel | None
    fit: FitResult | None


@dataclass(frozen=True, eq=False)
class _Parts:
    """What a stage learns from and is judged on, not read yet."""

    training: DepthSet
    held_out: DepthSet | None
    labels: DepthSet | None

    @property
    def digest(self) -> str:
        """Digest of what the three name."""
        return data_digest(self.training, self.held_out, self.labels)


def train_depth(
    data: DepthSet,
    config: DepthConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Run:
    """Train one stage on a set's ``train`` images; ``validation`` images tell the best weights.

    A run that is already finished with the same configuration and data is returned as it is; a
    killed one goes on where it was. The time to read the images comes on top of the budget.

    Args:
        data: With splits; a set without any is all for training.
        config: What to train and how.
        run_dir: Where the run goes, usually ``data.runs_dir / NAME``.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: Nothing to train on, a stage that lacks what it starts from, or the folder
            holds a run of another configuration or data.
        WeightsError: Pretrained weights cannot be had, or do not fit.
        TrainingError: A non-finite loss.
    """
    _refuse_incomplete(config)
    if config.stage == "label":
        from sightline.tasks.depth.label_stage import label_images

        label_images(data, config, run_dir, progress)
        return Run(run_dir, None, None)
    parts = _parts(data, config)
    kept = digest(parts.digest, _origin(config.fine_tune))
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, kept, "images, depth, labels or first weights"):
        return Run(run_dir, load_run(run_dir), None)
    seed_everything(config.seed)
    network = _network(config)
    _refuse_frames(network, config)
    network.precision = backbone_precision(config.precision)
    alignment = _alignment(network, config)
    about = {"data": kept} | _about(data, parts, network, config, alignment)
    write_config(run_dir / CONFIG, config, run=about)
    progress(f"{config.encoder} weights: {network.weights_from}", 0.0)
    for part in (data, *([] if parts.labels is None else [parts.labels])):
        for reason, count in part.left_out:
            # a log shows what stands before the first colon
            progress(f"{part.name} without {count} {reason.replace(': ', ' ')}", 0.0)
        for note in part.notes:  # such as: the labelling did not end
            progress(f"{part.name}, {note.replace(': ', ', ')}", 0.0)
    samples, pseudo, held_out = _read(parts, config, progress)
    about |= _write_left_out(run_dir, samples, pseudo, held_out)
    seed_everything(config.seed)
    task = DepthTeaching(network, config, held_out, alignment)
    result = fit(task, DepthBatches(samples, pseudo, config), config, run_dir, progress)
    about |= {"epochs": result.epochs, "best_epoch": result.best_epoch}
    about |= {"seconds": round(result.seconds, 1)}
    about |= {k: round(v, 5) for k, v in result.best.items()}
    network.eval()
    # the weights come last: with them the run is finished, and must have said all of itself
    write_config(run_dir / CONFIG, config, run=about)
    save_weights(run_dir / WEIGHTS, network, task="depth", stage=config.stage)
    (run_dir / BEST).unlink(missing_ok=True)  # model.safetensors now holds these
    return Run(run_dir, load_run(run_dir), result)


def _refuse_incomplete(config: DepthConfig) -> None:
    """Refuse a stage that lacks what it starts from.

    Raises:
        InputError: Says what to pass.
    """
    wanted = {
        "label": (config.teacher, "a teacher is", "--teacher RUN"),
        "metric": (config.fine_tune, "a finished run to start from is", "--fine-tune RUN"),
        "student": (
            config.labels or config.unlabelled_ratio == 0,
            "labels are",
            "--labels FOLDER` (the stage label makes them) or `--unlabelled-ratio 0",
        ),
    }
    there, what, flag = wanted.get(config.stage, (True, "", ""))
    if not there:
        raise InputError(f"{what} wanted for the stage {config.stage}; pass `{flag}`")


def _refuse_frames(network: DepthNet, config: DepthConfig) -> None:
    """Refuse frames that the network cannot see.

    Raises:
        InputError: A side is no multiple of what the network wants.
    """
    if config.frame_width % network.multiple or config.frame_height % network.multiple:
        raise InputError(
            f"a frame width and height in multiples of {network.multiple} are wanted, "
            f"{config.frame_width} x {config.frame_height} came"
        )


def _parts(data: DepthSet, config: DepthConfig) -> _Parts:
    """Return what a stage learns from and is judged on.

    Raises:
        InputError: There is nothing to learn from, or the labels are no relative network's.
    """
    splits = {split for split in data.splits() if split}
    training = (data.part("train") if splits else data).labelled()
    if not training.items:
        raise InputError(
            f"{data.root}: training images with depth are wanted, it has none; give it a split "
            "train, or open another set"
        )
    held_out = data.part("validation").labelled()
    held_out = replace(held_out, items=tuple(i for i in held_out.items if i.quantity == "depth"))
    some = held_out.items[:: -(-len(held_out) // VALIDATION_IMAGES)] if held_out.items else ()
    labels = None
    if config.stage == "student" and config.unlabelled_ratio > 0:
        labels = _labels(Path(config.labels), data)
    return _Parts(training, replace(held_out, items=some) if some else None, labels)


def _labels(folder: Path, data: DepthSet) -> DepthSet:
    """Return the images that the stage label labelled, but for those that DATA is judged on.

    Raises:
        InputError: There is no such folder, nothing in it, or depth in metres.
    """
    if not folder.exists():
        raise InputError(
            f"labels are wanted in {folder}, it does not exist; make them: "
            "`sightline train depth DATA --stage label --teacher RUN`"
        )
    found = open_depth(folder).labelled()
    other = next((item for item in found.items if item.quantity != "disparity"), None)
    if other is not None:
        raise InputError(
            f"{folder}: labels of disparity are wanted, {other.depth} is depth; let a relative "
            "teacher label (a run of the stage teacher)"
        )
    judged = {_real(data.path(i.image)) for i in data.items if i.split not in ("", "train")}
    kept = tuple(item for item in found.items if _real(found.path(item.image)) not in judged)
    if not kept:
        why = f"all {len(found)} are of images that {data.root} is judged on" if found.items else ""
        raise InputError(f"labels are wanted in {folder}, {why or 'it has none'}; check `--labels`")
    if len(kept) == len(found):
        return found
    reason = f"labels of images that {data.root.name} is judged on", len(found) - len(kept)
    return replace(found, items=kept, left_out=(*found.left_out, reason))


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _network(config: DepthConfig) -> DepthNet:
    """Return the network to start from: fresh, or another run's.

    Raises:
        InputError: The run to fine-tune is of another task.
        WeightsError: It is not finished, or of another network.
    """
    if not config.fine_tune:
        return create_model(config)
    source = Path(config.fine_tune)
    network = create_model(config, weights="none")
    before = read_config(source / CONFIG)
    try:
        load_weights(source, network)
    except WeightsError as error:
        raise WeightsError(
            f"{source} is of {before.architecture}, {before.encoder}, width {before.width:g}; the "
            f"same network, finished, is wanted to fine-tune it ({error})"
        ) from error
    network.weights_from = f"fine-tuned from {source}"
    return network


def _alignment(network: DepthNet, config: DepthConfig) -> FeatureAlignment | None:
    if config.stage != "student" or not config.features or config.feature_weight == 0:
        return None
    from sightline.tasks.depth.encoders import frozen_encoder

    encoder = frozen_encoder(config.features)
    return FeatureAlignment(encoder, network.feature_channels, config.feature_margin)


def _read(
    parts: _Parts, config: DepthConfig, progress: Progress
) -> tuple[Samples, Samples | None, Samples | None]:
    """Return training, pseudo-labelled and validation images as arrays.

    Raises:
        InputError: No image of one of them can be read.
    """
    target: Target = "depth" if config.stage == "metric" else "disparity"
    shape, most = training_shape(config), config.max_depth_m
    training = usable_samples(parts.training, shape, target, most, progress)
    pseudo = held_out = None
    if parts.labels is not None:
        pseudo = usable_samples(parts.labels, shape, target, most, progress)
    if parts.held_out is not None:
        frame = FrameShape(config.frame_width, config.frame_height)
        held_out = usable_samples(parts.held_out, frame, "depth", most, progress)
    return training, pseudo, held_out


def _write_left_out(run_dir: Path, *parts: Samples | None) -> dict[str, int]:
    """Write which files were left out and why, and return how many."""
    named = dict(row for part in parts if part is not None for row in part.left_out)
    if named:
        write_json(run_dir / LEFT_OUT, named)
    return {"left_out": len(named)}


def _about(
    data: DepthSet,
    parts: _Parts,
    network: DepthNet,
    config: DepthConfig,
    alignment: FeatureAlignment | None,
) -> dict[str, Any]:
    labels = parts.labels
    about = {
        "folder": str(data.root.resolve()),
        "set": data.name,
        "training_images": len(parts.training),
        "validation_images": 0 if parts.held_out is None else len(parts.held_out),
        "pseudo_labelled_images": 0 if labels is None else len(labels),
        "weights_from": network.weights_from,
        "parameters": network.parameter_count(),
    }
    if labels is not None:
        about["labels"] = data_digest(labels)
        about["labelled_by"] = sorted({item.labelled_by for item in labels.items})
    if config.fine_tune:
        about["fine_tuned"] = _origin(config.fine_tune)
    if alignment is not None:
        about["features"] = alignment.name
    return about


def _origin(run: str) -> str:
    """Return a digest of a run's weights; empty where none is named or there."""
    path = Path(run) / WEIGHTS
    return digest_files([path]) if run and path.is_file() else ""
