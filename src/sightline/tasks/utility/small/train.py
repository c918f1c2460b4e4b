"""Train a small machine on pristine images; distortions are never trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import InputError
from sightline.learning.fit import backbone_precision, fit, seed_everything
from sightline.learning.runs import CONFIG, WEIGHTS, is_finished, save_weights
from sightline.records.files import digest
from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.machines.machine import Classified
from sightline.tasks.utility.small.architectures import Architecture, small_architecture
from sightline.tasks.utility.small.config import SmallConfig, read_config, write_config
from sightline.tasks.utility.small.frames import FrameBatch, FrameBatches, Frames, read_frames
from sightline.tasks.utility.small.machine import (
    SmallClassifier,
    SmallDetector,
    as_detected,
    make_network,
    set_precision,
)
from sightline.tasks.utility.small.scores import classifier_scores, detector_scores
from sightline.tasks.utility.small.trunks import Trunk

Progress = Callable[[str, float], None]

#: Folder beside runs that holds decoded frames, shared by them.
CACHE = "cache"

#: Detectors are validated on at most so many images: their answers cost more than their steps.
_MOST_VALIDATED = 480
_VALIDATED_AT_ONCE = 64


def train_small(
    architecture: str,
    data: PristineSet,
    config: SmallConfig,
    run_dir: Path,
    progress: Progress = lambda _stage, _fraction: None,
) -> Path:
    """Train a small machine on a set's ``train`` images and return its folder.

    ``validation`` images tell the best weights. Frames are mirrored, moved, sized and recoloured
    mildly; never compressed, blurred or darkened: the paper's networks know pristine images alone.
    A run that is already finished with the same configuration and data is returned as it is; a
    killed one goes on.

    Args:
        architecture: Of ``SMALL_CLASSIFIERS`` or ``SMALL_DETECTORS``; it overrides the
            configuration's.
        data: With splits; classes for classifiers, boxes for detectors.
        config: How.
        run_dir: Where it goes.
        progress: Called with a text and the fraction done.

    Raises:
        CatalogError: No such architecture.
        InputError: No training images, no classes or boxes, or the folder holds another run.
        TrainingError: A non-finite loss, or a checkpoint that does not fit.
    """
    config = replace(config, architecture=architecture)
    made = small_architecture(architecture)
    parts = {split: _usable(data.part(split), made) for split in ("train", "validation")}
    _refuse_unfit(data, parts["train"], made)
    kept = digest(list(data.categories), *([_row(i) for i in p.images] for p in parts.values()))
    before = read_config(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else None
    if is_finished(run_dir, config, before, kept, "images, classes or splits"):
        return run_dir
    about = {
        "folder": str(data.root.resolve()),
        "set": data.name,
        "data": kept,
        "categories": list(data.categories),
        **{f"{name}_images": len(part) for name, part in parts.items()},
        "weights_from": "none: trained from scratch" if config.start == "none" else config.start,
    }
    write_config(run_dir / CONFIG, config, run=about)
    seed_everything(config.seed)
    network = make_network(made, len(data.categories), config.frame_px)
    set_precision(network, backbone_precision(config.precision))
    _start(network, config)
    cache_dir = run_dir.parent / CACHE
    frames = read_frames(parts["train"], config.frame_px, cache_dir, progress)
    held_out = None
    if parts["validation"].images:
        held_out = read_frames(parts["validation"], config.frame_px, cache_dir, progress)
    result = fit(
        _Teaching(network, held_out), FrameBatches(frames, config), config, run_dir, progress
    )
    about |= {"seconds": round(result.seconds, 1), "epochs": result.epochs}
    about |= {"parameters": sum(p.numel() for p in network.parameters()), **result.best}
    # the weights come last: with them the run is finished, and must have said all of itself
    write_config(run_dir / CONFIG, config, run=about)
    save_weights(run_dir / WEIGHTS, network, task="utility-machine", model=architecture)
    return run_dir


def _start(network: nn.Module, config: SmallConfig) -> None:
    """Give the trunk the weights it is to start from, if any.

    Raises:
        InputError: The network has no trunk.
        WeightsError: The file has no such trunk in it.
    """
    if config.start == "none":
        return
    trunk = next((part for part in network.modules() if isinstance(part, Trunk)), None)
    if trunk is None:
        raise InputError(
            f"{config.architecture} starts from random weights alone, {config.start} came as "
            "start; leave it out"
        )
    trunk.start_from(Path(config.start))


class _Teaching:
    """What ``fit`` asks: the loss, and scores on the validation part."""

    def __init__(self, network: SmallClassifier | SmallDetector, held_out: Frames | None) -> None:
        self.model: nn.Module = network
        self._network = network
        self._held_out = held_out

    def terms(self, batch: FrameBatch) -> dict[str, Tensor]:
        """Return the loss: cross-entropy, or the detector's own terms and their sum."""
        if isinstance(self._network, SmallClassifier):
            return {"loss": functional.cross_entropy(self._network(batch.frames), batch.category)}
        terms = self._network.losses(batch.frames, batch.boxes, batch.box_category)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return scores on the validation part; nothing where there is none."""
        if self._held_out is None:
            return {}
        if isinstance(self._network, SmallClassifier):
            scores = _classified(model, self._held_out)
            return {"score": scores["loss"], **scores}
        scores = _detected(model, self._held_out)
        return {"score": 1.0 - scores["ap50"], **scores}


def _classified(model: nn.Module, frames: Frames) -> dict[str, float]:
    rows = np.arange(len(frames))
    logits = torch.cat([model(part) for part in _parts(frames, rows)])
    energy = np.zeros(len(rows), dtype=np.float32)
    said = Classified(logits.softmax(dim=1).cpu().numpy(), energy)
    return classifier_scores(said, frames.category)


def _detected(model: nn.Module, frames: Frames) -> dict[str, float]:
    rows = np.unique(np.linspace(0, len(frames) - 1, _MOST_VALIDATED).astype(np.int64))
    found = [as_detected(one) for part in _parts(frames, rows) for one in model(part)]
    boxes = [frames.boxes[row] for row in rows]
    return detector_scores(found, boxes, [frames.box_category[row] for row in rows])


def _parts(frames: Frames, rows: NDArray[np.int64]) -> Iterator[Tensor]:
    for start in range(0, len(rows), _VALIDATED_AT_ONCE):
        chosen = frames.rows[rows[start : start + _VALIDATED_AT_ONCE]]
        yield torch.from_numpy(frames.pixels[chosen]).permute(0, 3, 1, 2).float()


def _usable(part: PristineSet, architecture: Architecture) -> PristineSet:
    """Return the images that can teach or judge: those of a known class, or with boxes."""
    if architecture.kind == "classification":
        images = tuple(image for image in part.images if image.category is not None)
    else:
        images = tuple(image for image in part.images if image.boxes)
    return replace(part, images=images)


def _refuse_unfit(data: PristineSet, training: PristineSet, architecture: Architecture) -> None:
    what = "a class" if architecture.kind == "classification" else "boxes"
    if not training.images:
        there = sorted({image.split or "no split" for image in data.images})
        raise InputError(
            f"{data.root}: images of the split train with {what} are wanted to train "
            f"{architecture.name}; the {len(data)} images are of {', '.join(there) or 'no split'}"
        )
    if len(data.categories) < 2:
        raise InputError(
            f"{data.root}: two categories or more are wanted, {len(data.categories)} came"
        )


def _row(image: PristineImage) -> list[Any]:
    boxes = [[round(float(v), 4) for v in box] for box in image.boxes]
    return [image.image.as_posix(), image.category, boxes, list(image.box_categories)]
