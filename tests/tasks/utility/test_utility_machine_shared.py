"""Real networks on real pictures: they know what they see, and find what is labelled."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.errors import InputError
from sightline.media import read_photo
from sightline.tasks.utility.machines.load import load_machine, load_machines
from sightline.tasks.utility.machines.machine import Classifier, Detector

pytestmark = pytest.mark.shared


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: on a shared machine two wait for each other far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def samples(shared_data: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """80 photos of ImageNet and their classes."""
    folder = shared_data / "imagenet_samples"
    with (folder / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    true = np.array([int(row["class_index_0based"]) for row in rows])
    return [read_photo(folder / row["file"]) for row in rows], true


@pytest.mark.parametrize(
    ("file", "least"),
    [
        # measured 0.513, 0.813, 0.888; on 250 other samples 0.464, 0.832, 0.900
        ("mobilenet_v1_0.25_128_quant", 0.45),
        ("mobilenet_v1_0.75_192_quant", 0.78),
        ("mobilenet_v2_1.0_224_quant", 0.86),
    ],
)
def test_8_bit_classifiers_know_imagenets_classes(
    shared_data: Path, samples: tuple[list[np.ndarray], np.ndarray], file: str, least: float
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra tflite is not installed")
    images, true = samples
    machine = load_machine(str(shared_data / "weights" / f"{file}.tflite"), "classification")
    assert isinstance(machine, Classifier)
    found = machine.classify(images)
    assert found.probabilities.shape == (80, 1000)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (found.probabilities.argmax(axis=1) == true).mean() >= least
    right = found.probabilities[np.arange(80), true]
    assert right.max() > 0.99  # sure, although 8 bits are coarse
    names = (shared_data / "weights" / "imagenet_labels.txt").read_text().splitlines()[1:]
    said = [machine.categories[k].lower() in names[k].lower() for k in true]
    assert np.mean(said) > 0.9  # torchvision's short names of the same classes


@pytest.mark.slow
def test_a_float_classifier_of_a_file_knows_them_too(
    shared_data: Path, samples: tuple[list[np.ndarray], np.ndarray]
) -> None:
    """Measured 0.913 of all 80; 0.825 where they are stretched to the network's shape."""
    images, true = (part[:40] for part in samples)
    weights = shared_data / "weights" / "mobilenet_v2_imagenet_dequant_fp16.npz"
    machine = load_machine(f"mobilenet_v2:{weights}", "classification")
    assert isinstance(machine, Classifier)
    found = machine.classify(images)
    said = found.probabilities.argmax(axis=1)
    assert (said == true).mean() >= 0.87
    assert np.isfinite(found.energy).all()
    again = machine.classify([images[3]])
    np.testing.assert_allclose(again.probabilities[0], found.probabilities[3], atol=1e-4)


def test_nanodet_is_known_by_its_outputs_and_finds_what_is_labelled(shared_data: Path) -> None:
    """Measured: 68 of 157 objects larger than 1% of the picture at the scores labels ask for."""
    from sightline.learning.detectors import COCO

    path = shared_data / "weights" / "nanodet_m.onnx"
    machine = load_machine(str(path), "detection")
    assert isinstance(machine, Detector)
    assert (machine.name, machine.categories) == ("nanodet_m", COCO)
    folder = shared_data / "det_coco"
    files = sorted((folder / "images").iterdir())
    images = [read_photo(file) for file in files]
    there = hit = 0
    for file, image, found in zip(files, images, machine.detect(images), strict=True):
        height, width = image.shape[:2]
        assert (np.diff(found.scores) <= 0).all()
        for label, box in _truth(folder / "labels" / f"{file.stem}.txt", width, height):
            if (box[2] - box[0]) * (box[3] - box[1]) < 0.01 * width * height:
                continue
            there += 1
            sure = (found.labels == label) & (found.scores >= 0.4)
            hit += any(_overlap(box, own) >= 0.5 for own in found.boxes[sure])
    assert (there, hit) == (157, pytest.approx(68, abs=3))
    with pytest.raises(InputError, match="--task detection"):
        load_machine(str(path), "classification")
    assert [m.name for m in load_machines([str(path)], "detection")] == ["nanodet_m"]


def _truth(file: Path, width: int, height: int) -> list[tuple[int, np.ndarray]]:
    found = []
    for line in file.read_text().splitlines() if file.is_file() else []:
        name, x, y, w, h = map(float, line.split())
        edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        found.append((int(name), np.multiply(edges, [width, height, width, height])))
    return found


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(sides, 0))
    areas = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])
    return float(shared / (areas - shared))
