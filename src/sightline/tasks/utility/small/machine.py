"""A trained small network as a machine: images of any size in, answers in their pixels out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.learning.backbones import InputContract, state_digest
from sightline.learning.runs import CONFIG, load_weights, read_run_table
from sightline.records.files import digest
from sightline.tasks.utility.machines.machine import Classified, Detected, Photo
from sightline.tasks.utility.small.architectures import Architecture, small_architecture
from sightline.tasks.utility.small.bundled import bundled_folder
from sightline.tasks.utility.small.config import read_config
from sightline.tasks.utility.small.frames import as_frame
from sightline.tasks.utility.small.trunks import Trunk

T = TypeVar("T")

_CONTRACT = InputContract()

#: Images computed together.
_BATCH = 64


class SmallClassifier(nn.Module):
    """Frames to logits; the network may run in fewer bits while it is trained.

    Attributes:
        net: The network.
        precision: Arithmetic of the forward pass.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = torch.float32

    def forward(self, frames: Tensor) -> Tensor:
        """Return (N, C) float32 logits of (N, 3, S, S) frames from 0 to 255."""
        bits = self.precision
        with torch.autocast(frames.device.type, bits, enabled=bits != torch.float32):
            normal = _CONTRACT.normalise(frames)
            logits: Tensor = self.net(normal.contiguous(memory_format=torch.channels_last))
        return logits.float()


class SmallDetector(nn.Module):
    """Frames to boxes: one of torchvision's detectors, its categories counted from 0.

    Attributes:
        net: The detector.
    """

    def __init__(self, net: nn.Module, first_label: int) -> None:
        super().__init__()
        self.net = net
        self._first = first_label

    def losses(
        self, frames: Tensor, boxes: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Return the detector's own loss terms of (N, 3, S, S) frames from 0 to 255."""
        targets = [
            {"boxes": at, "labels": label + self._first}
            for at, label in zip(boxes, labels, strict=True)
        ]
        terms: dict[str, Tensor] = self.net(list(frames / 255.0), targets)
        return terms

    def forward(self, frames: Tensor) -> list[dict[str, Tensor]]:
        """Return ``boxes``, ``labels`` and ``scores``, best first, of frames from 0 to 255."""
        found: list[dict[str, Tensor]] = self.net(list(frames / 255.0))
        for one in found:
            one["labels"] = one["labels"] - self._first
        return found


def make_network(
    architecture: Architecture, categories: int, frame_px: int
) -> SmallClassifier | SmallDetector:
    """Return an untrained network of an architecture."""
    net = architecture.make(categories, frame_px)
    if architecture.kind == "classification":
        return SmallClassifier(net)
    return SmallDetector(net, architecture.first_label)


def set_precision(network: nn.Module, bits: torch.dtype) -> None:
    """Set the arithmetic of a classifier, or of a detector's trunk: its heads keep float32."""
    for module in network.modules():
        if isinstance(module, SmallClassifier | Trunk):
            module.precision = bits


@dataclass(frozen=True)
class _Answers:
    """What both kinds of small machine are made of.

    Attributes:
        name: As tables show it.
        network: In eval mode.
        architecture: What it is.
        categories: Names of its classes.
        frame_px: Width and height of its frames.
    """

    name: str
    network: nn.Module
    architecture: Architecture
    categories: tuple[str, ...]
    frame_px: int

    @property
    def kind(self) -> Literal["classification", "detection"]:
        """What it does."""
        return self.architecture.kind

    @cached_property
    def digest(self) -> str:
        """Of its weights, its architecture and how it reads images."""
        read = [self.frame_px, "stretch", _CONTRACT.mean, _CONTRACT.std]
        made = [self.architecture.name, list(self.categories)]
        return digest(state_digest(self.network), made, read)

    def _batches(self, images: Sequence[Photo]) -> Iterator[tuple[Sequence[Photo], Any]]:
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            frames = np.stack([self._frame(image) for image in part])
            with torch.inference_mode():
                yield part, self.network(torch.from_numpy(frames).permute(0, 3, 1, 2).float())

    def _frame(self, image: Photo) -> Photo:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(
                f"uint8 images of shape (H, W, 3) are wanted, {image.dtype} {image.shape} came"
            )
        return as_frame(image, self.frame_px)


class ClassifierMachine(_Answers):
    """A small classifier that answers; safe to call from several threads at once."""

    def classify(self, images: Sequence[Photo]) -> Classified:
        """Return what it says of uint8 (H, W, 3) RGB images, each of any size.

        Raises:
            InputError: An image is of another kind.
        """
        logits = torch.cat(
            [torch.empty(0, len(self.categories)), *(said for _, said in self._batches(images))]
        )
        return Classified(logits.softmax(dim=1).numpy(), (-torch.logsumexp(logits, dim=1)).numpy())


class DetectorMachine(_Answers):
    """A small detector that answers; safe to call from several threads at once."""

    def detect(self, images: Sequence[Photo]) -> list[Detected]:
        """Return what it finds in uint8 (H, W, 3) RGB images, each of any size.

        Raises:
            InputError: An image is of another kind.
        """
        return [
            self._in_image(one, image)
            for part, said in self._batches(images)
            for image, one in zip(part, said, strict=True)
        ]

    def _in_image(self, found: dict[str, Tensor], image: Photo) -> Detected:
        height, width = image.shape[:2]
        said = as_detected(found)
        scale = np.array([width, height] * 2, dtype=np.float32) / np.float32(self.frame_px)
        return replace(said, boxes=(said.boxes * scale).astype(np.float32))


def as_detected(found: dict[str, Tensor]) -> Detected:
    """Return what :class:`SmallDetector` says of a frame, best first, in the frame's pixels.

    Boxes cut to nothing at the frame's edge are left out.
    """
    order = found["scores"].argsort(descending=True, stable=True)
    boxes = found["boxes"][order]
    order = order[(boxes[:, 2:] > boxes[:, :2]).all(dim=1)]
    said = {key: found[key][order].cpu().numpy() for key in ("boxes", "labels", "scores")}
    return Detected(**said)


def load_small(where: Path | str) -> ClassifierMachine | DetectorMachine:
    """Return a small machine, ready to answer; no code in its files is run.

    Args:
        where: A run folder of :func:`.train.train_small`, or the name of a bundled machine.

    Raises:
        InputError: There is neither such a folder nor such a name.
        WeightsError: The training did not end, or its weights do not fit.
    """
    folder = bundled_folder(str(where)) or Path(where)
    config = read_config(folder / CONFIG)
    table = read_run_table(folder)
    architecture = small_architecture(config.architecture)
    categories = tuple(map(str, table.get("categories", ())))
    if not categories:
        raise InputError(f"{folder / CONFIG}: categories are wanted in the table run, none came")
    network = make_network(architecture, len(categories), config.frame_px)
    load_weights(folder, network)
    return ready(network, architecture, categories, config.frame_px, folder.resolve().name)


def ready(
    network: nn.Module,
    architecture: Architecture,
    categories: tuple[str, ...],
    frame_px: int,
    name: str,
) -> ClassifierMachine | DetectorMachine:
    """Return a network as a machine: in eval mode, in float32."""
    network.eval().requires_grad_(requires_grad=False)
    set_precision(network, torch.float32)
    made = ClassifierMachine if architecture.kind == "classification" else DetectorMachine
    return made(name, network, architecture, categories, frame_px)
