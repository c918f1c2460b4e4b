"""Torchvision's classifiers as machines, each with the transforms of its own weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from sightline.errors import InputError
from sightline.learning.backbones import Backbone, imagenet_weights, state_digest
from sightline.learning.classifiers import create_classifier
from sightline.records.files import digest
from sightline.tasks.utility.machines.adapter import Adapter, find_adapter
from sightline.tasks.utility.machines.answers import joined, of_logits
from sightline.tasks.utility.machines.machine import Classified, Photo
from sightline.tasks.utility.machines.reading import Reading, batches


@dataclass(frozen=True, eq=False)
class TorchvisionClassifier:
    """A classifier of torchvision, or of its form.

    Attributes:
        name: As tables show it.
        network: Gives logits.
        reading: How it reads images.
        categories: Names of its classes; empty where the weights do not say them.
        digest: Of the weights and the reading.
        device: Where it runs.
    """

    name: str
    network: Backbone
    reading: Reading
    categories: tuple[str, ...]
    digest: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    kind: Literal["classification"] = "classification"

    def classify(self, images: Sequence[Photo]) -> Classified:
        """Return what it says of uint8 (H, W, 3) RGB images, each of any size."""
        parts = []
        for _, pixels in batches(images, self.reading):
            inputs = torch.from_numpy(self.reading.normalise(pixels)).to(self.device)
            with torch.inference_mode():
                logits = self.network(inputs.contiguous(memory_format=torch.channels_last))
            parts.append(of_logits(logits.float().cpu().numpy(), self.name))
        return joined(parts, self.network.features)


def torchvision_classifier_machine(architecture: str, weights: str) -> TorchvisionClassifier:
    """Return a classifier of torchvision.

    Args:
        architecture: As torchvision has it.
        weights: ``imagenet``, ``none`` (random) or a FILE of the same network, for any number of
            classes; a ``.toml`` beside it names them and says how it reads images.

    Raises:
        CatalogError: No such classifier.
        InputError: The file's ``.toml`` is wrong.
        WeightsError: The weights cannot be had, or do not fit.
    """
    advice = f"write {architecture}:FILE with a copy, or {architecture}:none for random weights"
    network = create_classifier(architecture, weights, advice=advice)
    chosen = imagenet_weights(architecture)
    said = Adapter() if weights in ("imagenet", "none") else find_adapter(Path(weights))
    reading = said.reading(transforms_reading(chosen.transforms(), network))
    names = said.labels or tuple(chosen.meta["categories"])
    if said.labels and len(said.labels) != network.features:
        raise InputError(
            f"{network.features} labels of {weights} are wanted, {len(said.labels)} came"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return TorchvisionClassifier(
        name_of(architecture, weights, "imagenet"),
        network.to(device),
        reading,
        names if len(names) == network.features else (),
        digest("torchvision classifier", architecture, state_digest(network), reading),
        device,
    )


def transforms_reading(transforms: Any, network: Backbone) -> Reading:
    """Return the reading that torchvision publishes with weights; the network's own contract wins.

    Args:
        transforms: Of torchvision's weights.
        network: Whose contract says mean and std where its weights are not torchvision's.
    """
    (crop,), (short,) = transforms.crop_size, transforms.resize_size
    folded = "run as TensorFlow does" in network.weights_from
    contract = network.contract
    return Reading(
        width=crop,
        height=crop,
        resize="center",
        short_side=short,
        resample=transforms.interpolation.value,
        mean=tuple(contract.mean if folded else transforms.mean),
        std=tuple(contract.std if folded else transforms.std),
    )


def name_of(architecture: str, weights: str, own: str) -> str:
    """Return what a network is called: with its weights where they are not its published ones."""
    return architecture if weights == own else f"{architecture}-{Path(weights).stem}"
