"""Machines by name: every form of a name, the wrong kind, and names that clash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from tiny_graphs import constant_onnx, flat_onnx

from sightline.errors import CatalogError, InputError, SightlineError, WeightsError
from sightline.learning.backbones import imagenet_weights, torchvision_classifier
from sightline.learning.detectors import COCO
from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.machines.classifiers import TorchvisionClassifier
from sightline.tasks.utility.machines.detectors import FinderMachine
from sightline.tasks.utility.machines.load import load_machine, load_machines
from sightline.tasks.utility.machines.machine import Machine
from sightline.tasks.utility.small.architectures import small_architecture
from sightline.tasks.utility.small.config import SmallConfig, write_config
from sightline.tasks.utility.small.machine import make_network

PICTURES = [
    np.random.default_rng(i).integers(0, 256, (h, w, 3), dtype=np.uint8)
    for i, (h, w) in enumerate([(40, 60), (1, 1), (300, 20)])
]
SMALLEST = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: on a shared machine two wait for each other far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_classifier_of_torchvision_sees_what_its_weights_want() -> None:
    machine = load_machine("squeezenet1_1:none", "classification")
    assert isinstance(machine, TorchvisionClassifier)
    assert isinstance(machine, Machine)
    assert machine.name == "squeezenet1_1-none"
    found = machine.classify(PICTURES)
    from PIL import Image

    transform = imagenet_weights("squeezenet1_1").transforms()
    inputs = torch.stack([transform(Image.fromarray(p)) for p in PICTURES])
    with torch.inference_mode():
        logits = machine.network(inputs)
    torch.testing.assert_close(
        torch.from_numpy(found.probabilities), logits.softmax(1), rtol=0.02, atol=1e-5
    )
    torch.testing.assert_close(
        torch.from_numpy(found.energy), -logits.logsumexp(1), rtol=1e-3, atol=1e-3
    )
    assert machine.categories[:2] == ("tench", "goldfish")
    again = load_machine("squeezenet1_1:none", "classification")
    assert again.digest == machine.digest
    alone = machine.classify(PICTURES[1:2]).probabilities[0]
    np.testing.assert_allclose(alone, found.probabilities[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "crop", "short", "how"),
    [
        ("inception_v3", 299, 342, "bilinear"),
        ("vgg19", 224, 256, "bilinear"),
        ("densenet121", 224, 256, "bilinear"),
        ("alexnet", 224, 256, "bilinear"),
        ("resnext50_32x4d", 224, 256, "bilinear"),
        ("efficientnet_b7", 600, 600, "bicubic"),
        ("efficientnet_v2_l", 480, 480, "bicubic"),
    ],
)
def test_the_papers_classifiers_have_their_own_sizes(
    name: str, crop: int, short: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without making them: 144 million weights of chance say nothing more."""
    from types import SimpleNamespace

    from sightline.learning.backbones import InputContract
    from sightline.tasks.utility.machines.classifiers import transforms_reading

    network = SimpleNamespace(
        weights_from="torchvision's ImageNet weights", contract=InputContract()
    )
    reading = transforms_reading(imagenet_weights(name).transforms(), network)
    assert (reading.width, reading.height, reading.short_side) == (crop, crop, short)
    assert (reading.resample, reading.resize) == (how, "center")
    assert reading.mean == ((0.5,) * 3 if name == "efficientnet_v2_l" else (0.485, 0.456, 0.406))


def test_a_file_of_a_users_own_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(
        torchvision_classifier("squeezenet1_1", classes=3).state_dict(), tmp_path / "own.pth"
    )
    spec = f"squeezenet1_1:{tmp_path / 'own.pth'}"
    machine = load_machine(spec, "classification")
    assert (machine.name, machine.categories) == ("squeezenet1_1-own", ())
    assert machine.classify(PICTURES).probabilities.shape == (3, 3)
    (tmp_path / "own.toml").write_text('labels = ["a", "b", "c"]\nresize = "stretch"\nsize = 64')
    named = load_machine(spec, "classification")
    assert named.categories == ("a", "b", "c")
    assert named.digest != machine.digest
    (tmp_path / "own.toml").write_text('labels = ["a"]')
    with pytest.raises(InputError, match=r"3 labels of .* are wanted, 1 came"):
        load_machine(spec, "classification")


def test_a_detector_of_torchvision_counts_cocos_80(tmp_path: Path) -> None:
    machine = load_machine(f"{SMALLEST}:none", "detection")
    assert isinstance(machine, FinderMachine)
    assert machine.categories == COCO
    names = machine.finder.categories
    assert [names[i] for i, at in enumerate(machine.indices) if at >= 0] == list(COCO)
    assert machine.detect(PICTURES) is not None
    net = import_torchvision().models.get_model(
        SMALLEST, weights=None, weights_backbone=None, num_classes=3
    )
    torch.save(net.state_dict(), tmp_path / "two.pth")
    (tmp_path / "two.toml").write_text('labels = ["cat", "dog"]')
    own = load_machine(f"{SMALLEST}:{tmp_path / 'two.pth'}", "detection")
    assert own.categories == ("cat", "dog")
    found = own.detect(PICTURES)
    assert min(len(found[0].scores), len(found[2].scores)) > 0  # 1/3 each; the other is a pixel
    for each, picture in zip(found, PICTURES, strict=True):
        height, width = picture.shape[:2]
        assert (each.boxes >= 0).all()
        assert (each.boxes <= [width, height, width, height]).all()
        assert set(each.labels) <= {0, 1}
        assert (np.diff(each.scores) <= 0).all()


def test_the_order_of_a_detectors_classes_is_in_its_digest(tmp_path: Path) -> None:
    """Answers are kept by digest with classes as they are counted: other counts, other answers."""
    spec = f"{SMALLEST}:{tmp_path / 'own.pth'}"
    net = import_torchvision().models.get_model(
        SMALLEST, weights=None, weights_backbone=None, num_classes=len(COCO) + 1
    )
    torch.save(net.state_dict(), tmp_path / "own.pth")
    made = []
    for names in (COCO, COCO[::-1]):
        (tmp_path / "own.toml").write_text(f"labels = {list(names)}")
        made.append(load_machine(spec, "detection"))
    assert made[0].categories == made[1].categories == COCO
    assert made[0].indices.tolist() != made[1].indices.tolist()
    assert made[0].digest != made[1].digest


def test_what_is_there_alone_is_found_alone() -> None:
    """In a batch of torchvision a picture would be padded to the size of its neighbours."""
    machine = load_machine("fasterrcnn_mobilenet_v3_large_320_fpn:none", "detection")
    large = np.random.default_rng(9).integers(0, 256, (64, 200, 3), dtype=np.uint8)
    alone, beside = machine.detect(PICTURES[:1])[0], machine.detect([PICTURES[0], large])[0]
    np.testing.assert_array_equal(alone.boxes, beside.boxes)
    np.testing.assert_array_equal(alone.scores, beside.scores)


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        ("vgg19", "detection", "a detector is wanted, vgg19 is a classifier; pass `--task classif"),
        (
            SMALLEST,
            "classification",
            "a classifier is wanted, .* is a detector; pass `--task detection`",
        ),
        ("vgg18", "classification", r"no classifier 'vgg18'; near: vgg19, .*FILE\.onnx"),
        ("fasterrcn_resnet50_fpn", "detection", "near: fasterrcnn_resnet50_fpn"),
        ("gone.onnx", "classification", r"a network's file is wanted, gone\.onnx does not exist"),
        ("gone.tflite", "detection", r"gone\.tflite does not exist"),
        ("squeezenet1_1:gone.pth", "classification", r"gone\.pth does not exist"),
        ("", "classification", "no classifier ''"),
    ],
)
def test_names_that_are_no_machine_of_the_kind(spec: str, kind: str, message: str) -> None:
    with pytest.raises(SightlineError, match=message) as caught:
        load_machine(spec, kind)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(type(imagenet_weights("squeezenet1_1")), "get_state_dict", offline)
    with pytest.raises(
        WeightsError, match=r"downloaded from http.*; write squeezenet1_1:FILE with"
    ):
        load_machine("squeezenet1_1", "classification")
    chosen = import_torchvision().models.get_model_weights(SMALLEST).DEFAULT
    monkeypatch.setattr(type(chosen), "get_state_dict", offline)
    with pytest.raises(WeightsError, match=rf"downloaded from http.*; write {SMALLEST}:FILE with"):
        load_machine(SMALLEST, "detection")


def test_a_file_with_its_adapter_in_the_name(tmp_path: Path) -> None:
    path = flat_onnx(tmp_path / "net.onnx", ["N", 3, "H", "W"])
    (tmp_path / "how.toml").write_text("size = 2")
    one = load_machine(f"{path}:{tmp_path / 'how.toml'}", "classification")
    two = load_machine(str(path), "classification", adapter=tmp_path / "how.toml")
    assert one.digest == two.digest
    assert one.classify(PICTURES).probabilities.shape == (3, 12)
    with pytest.raises(InputError, match=r"an adapter belongs to an \.onnx"):
        load_machine("vgg19:none", "classification", adapter=tmp_path / "how.toml")


def test_machines_that_label_together_have_names_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        flat_onnx(tmp_path / folder / "net.onnx", [1, 3, 2, 2])
    other = flat_onnx(tmp_path / "other.onnx", [1, 3, 2, 2])
    first, second = (str(tmp_path / folder / "net.onnx") for folder in ("a", "b"))
    loaded = load_machines([first, str(other)], "classification")
    assert [machine.name for machine in loaded] == ["net", "other"]
    with pytest.raises(InputError, match=r"two are called 'net'.*rename its file"):
        load_machines([first, second], "classification")
    with pytest.raises(InputError, match="each machine once is wanted"):
        load_machines([first, f" {first}"], "classification")
    with pytest.raises(InputError, match="at least one detector is wanted, none came"):
        load_machines([], "detection")


@pytest.mark.parametrize(
    ("architecture", "kind"), [("densenet", "classification"), ("ssdlite", "detection")]
)
def test_a_small_machine_by_its_folder(
    tmp_path: Path, architecture: str, kind: Literal["classification", "detection"]
) -> None:
    folder = tmp_path / "small"
    config = SmallConfig(architecture=architecture, frame_px=32)
    write_config(folder / CONFIG, config, run={"categories": ["cup", "chair"]})
    network = make_network(small_architecture(architecture), 2, 32)
    save_weights(folder / WEIGHTS, network)
    machine = load_machine(str(folder), kind)
    assert (machine.name, machine.kind, machine.categories) == ("small", kind, ("cup", "chair"))
    with pytest.raises(InputError, match=f"small is a .*; pass `--task {kind}`"):
        load_machine(str(folder), "detection" if kind == "classification" else "classification")


def test_folders_that_are_no_machine(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"config\.toml"):
        load_machine(str(tmp_path), "classification")
    with pytest.raises(CatalogError, match="there are a network of torchvision"):
        load_machine(str(tmp_path / "gone"), "classification")


def test_a_detectors_file_as_a_classifier(tmp_path: Path) -> None:
    values = {"boxes": np.zeros((1, 4), np.float32), "scores": np.zeros(1, np.float32),
              "labels": np.zeros(1, np.int64)}  # fmt: skip
    path = constant_onnx(tmp_path / "net.onnx", values)
    with pytest.raises(InputError, match="--task detection"):
        load_machine(str(path), "classification")


def test_importing_costs_no_torch() -> None:
    code = (
        "import sys, sightline.tasks.utility.machines.load, "
        "sightline.tasks.utility.machines.tflite, sightline.tasks.utility.machines.callables\n"
        "print([m for m in ('torch', 'ai_edge_litert', 'onnxruntime', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
