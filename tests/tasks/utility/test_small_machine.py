"""Small networks as machines: any picture in, answers in its own pixels out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import CatalogError, InputError
from sightline.learning.fit import seed_everything
from sightline.tasks.utility.machines.machine import Machine
from sightline.tasks.utility.small.architectures import (
    SMALL_CLASSIFIERS,
    SMALL_DETECTORS,
    small_architecture,
)
from sightline.tasks.utility.small.machine import (
    ClassifierMachine,
    DetectorMachine,
    load_small,
    make_network,
    ready,
)
from sightline.tasks.utility.small.trunks import Trunk

NAMES = ("a", "b", "c", "d")


def untrained(architecture: str, frame_px: int = 64) -> ClassifierMachine | DetectorMachine:
    seed_everything(3)
    made = small_architecture(architecture)
    network = make_network(made, len(NAMES), frame_px)
    return ready(network, made, NAMES, frame_px, architecture)


def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    shapes = [(1, 1), (64, 64), (37, 90), (400, 3), (128, 128)]
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


class Told(nn.Module):
    """A detector that finds what it is told to, in the frame's pixels."""

    def __init__(self, boxes: list[list[float]], scores: list[float]) -> None:
        super().__init__()
        self.boxes, self.scores = torch.tensor(boxes), torch.tensor(scores)

    def forward(self, frames: Tensor) -> list[dict[str, Tensor]]:
        labels = torch.arange(len(self.scores))
        return [{"boxes": self.boxes, "labels": labels, "scores": self.scores} for _ in frames]


@pytest.mark.parametrize("name", SMALL_CLASSIFIERS)
def test_classifiers_answer_pictures_of_any_size(name: str) -> None:
    machine = untrained(name)
    assert isinstance(machine, ClassifierMachine)
    assert isinstance(machine, Machine)
    images = pictures()
    together = machine.classify(images)
    assert together.probabilities.shape == (5, 4)
    assert together.probabilities.dtype == together.energy.dtype == np.float32
    np.testing.assert_allclose(together.probabilities.sum(axis=1), 1.0, atol=1e-6)
    for index, image in enumerate(images):
        alone = machine.classify([image])
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[index], atol=1e-5)
        np.testing.assert_allclose(alone.energy[0], together.energy[index], atol=1e-4)


@pytest.mark.parametrize("name", SMALL_DETECTORS)
def test_detectors_answer_pictures_of_any_size(name: str) -> None:
    machine = untrained(name)
    assert isinstance(machine, DetectorMachine)
    with torch.no_grad():  # louder than at the start, so that there is something to find
        for key, value in machine.network.named_parameters():
            if "cls_logits.bias" in key or ("classification_head" in key and key.endswith("bias")):
                value.zero_()
    images = pictures()
    together = machine.detect(images)
    assert sum(len(found.scores) for found in together) > 0
    for image, found in zip(images, together, strict=True):
        height, width = image.shape[:2]
        assert found.boxes.shape == (len(found.scores), 4)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= np.array([width, height] * 2) + 1e-4).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert ((found.labels >= 0) & (found.labels < 4)).all()
        assert (np.diff(found.scores) <= 0).all()
        alone = machine.detect([image])[0]
        assert len(alone.scores) == len(found.scores)
        np.testing.assert_allclose(alone.scores, found.scores, atol=1e-5)


def test_a_whole_frame_is_the_whole_picture() -> None:
    made = small_architecture("fcos")
    network = Told([[0, 0, 64, 64], [16, 32, 48, 64], [5, 64, 9, 64]], [0.4, 0.9, 0.8])
    machine = ready(network, made, NAMES, 64, "told")
    assert isinstance(machine, DetectorMachine)
    found = machine.detect([np.zeros((10, 200, 3), np.uint8)])[0]
    # best first, exact from edge to edge, without the box that is a line
    assert found.boxes.tolist() == [[50, 5, 150, 10], [0, 0, 200, 10]]
    assert found.labels.tolist() == [1, 0]


def test_energy_is_minus_logsumexp() -> None:
    made = small_architecture("alexnet")

    class Fixed(nn.Module):
        def forward(self, frames: Tensor) -> Tensor:
            return torch.tensor([[1.0, 2.0, 3.0, 4.0]]).expand(len(frames), 4)

    machine = ready(Fixed(), made, NAMES, 32, "fixed")
    assert isinstance(machine, ClassifierMachine)
    said = machine.classify([np.zeros((2, 2, 3), np.uint8)])
    assert said.energy[0] == pytest.approx(-np.log(np.exp([1.0, 2, 3, 4]).sum()), abs=1e-5)


def test_no_pictures_no_answers() -> None:
    classifier, detector = untrained("alexnet"), untrained("ssd")
    assert isinstance(classifier, ClassifierMachine)
    assert isinstance(detector, DetectorMachine)
    assert classifier.classify([]).probabilities.shape == (0, 4)
    assert detector.detect([]) == []


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), "u1")],
)
def test_other_arrays_are_refused(image: NDArray[np.uint8]) -> None:
    machine = untrained("alexnet")
    assert isinstance(machine, ClassifierMachine)
    with pytest.raises(InputError, match="uint8 images"):
        machine.classify([image])


def test_digests_tell_weights_and_frames_apart() -> None:
    digest = untrained("alexnet").digest
    assert digest == untrained("alexnet").digest
    assert digest != untrained("alexnet", frame_px=96).digest
    changed = untrained("alexnet")
    with torch.no_grad():
        next(changed.network.parameters()).add_(1e-3)
    assert digest != changed.digest


def test_trunks_end_at_their_strides() -> None:
    trunks = 0
    for name in ("resnet", "vgg", "fcos", "ssd", "retinanet", "ssdlite"):
        network = make_network(small_architecture(name), 4, 64)
        for trunk in (part for part in network.modules() if isinstance(part, Trunk)):
            near, far = trunk(torch.zeros(1, 3, 64, 64))
            assert near.shape == (1, trunk.channels[0], 8, 8)
            assert far.shape == (1, trunk.channels[1], 4, 4)
            trunks += 1
    assert trunks == 6


def test_unknown_names_and_folders(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no small machine 'lenet'; there are resnet"):
        small_architecture("lenet")
    with pytest.raises(InputError, match=r"config\.toml"):
        load_small(tmp_path)
