"""Classifiers as feature extractors: folded weights, TensorFlow's padding, random weights."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sightline.errors import CatalogError, WeightsError
from sightline.learning.backbones import torchvision_classifier
from sightline.learning.cache import FrameSize, read_frame
from sightline.learning.classifiers import create_classifier, pad_as_tensorflow

SHARED = Path("/work/shared/data")


def folded(net: nn.Module) -> dict[str, np.ndarray]:
    """Return a network's weights with its batch norm folded into the convolution before it."""
    state, modules = {}, dict(net.named_modules())
    previous = ""
    for name, module in modules.items():
        if isinstance(module, nn.Conv2d):
            previous = name
            state[f"{name}.weight"] = module.weight.detach()
        elif isinstance(module, nn.BatchNorm2d):
            gain = module.weight / torch.sqrt(module.running_var + module.eps)
            state[f"{previous}.weight"] = state[f"{previous}.weight"] * gain[:, None, None, None]
            state[f"{name}.bias"] = module.bias - module.running_mean * gain
        elif isinstance(module, nn.Linear):
            state |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    return {key: value.detach().numpy() for key, value in state.items()}


@pytest.fixture(scope="module")
def lively() -> nn.Module:
    """A MobileNet whose batch norm does something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torchvision_classifier("mobilenet_v2")
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.uniform_(-0.2, 0.2)
                module.momentum = 1.0
        net(torch.randn(8, 3, 64, 64))  # running statistics that keep pictures apart to the end
    net.eval()
    return net


def test_folded_weights_say_what_the_whole_network_says(lively: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "folded.npz"
    np.savez(file, **folded(lively))
    classifier = create_classifier("mobilenet_v2", str(file))
    # sides of 65 stay odd through all strides: both paddings are then the same
    images = torch.randn(2, 3, 65, 65, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(classifier(images), lively(images), rtol=1e-3, atol=1e-4)
        even = images[:, :, :64, :64]
        assert (classifier(even) - lively(even)).abs().mean() > 0.1 * lively(even).std()
        assert (lively(images)[0] - lively(images)[1]).abs().mean() > 0.1 * lively(images).std()
    assert classifier.features == 1000
    assert "run as TensorFlow does" in classifier.weights_from
    pixels = torch.tensor([0.0, 127.5, 255.0]).expand(1, 3, 1, 3)
    torch.testing.assert_close(classifier.contract.normalise(pixels)[0, 0, 0],
                               torch.tensor([-1.0, 0.0, 1.0]))  # fmt: skip


@pytest.mark.parametrize("size", [7, 8])
def test_tensorflow_pads_at_the_end(size: int) -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    before = net[0]
    pad_as_tensorflow(net)
    image = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    front = 0 if size % 2 == 0 else 1
    wanted = functional.conv2d(
        functional.pad(image, (front, 1, front, 1)), before.weight, before.bias, stride=2
    )
    torch.testing.assert_close(net[0](image), wanted)
    assert net[1].padding == (1, 1)  # stride 1 is symmetric in both


def test_whole_weights_are_run_as_torchvision_does(lively: nn.Module, tmp_path: Path) -> None:
    for name in ("whole.npz", "whole.pth"):
        file = tmp_path / name
        if name.endswith("npz"):
            np.savez(file, **{k: v.numpy() for k, v in lively.state_dict().items()})
        else:
            torch.save(lively.state_dict(), file)
        classifier = create_classifier("mobilenet_v2", str(file))
        images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            torch.testing.assert_close(classifier(images), lively(images), rtol=1e-4, atol=1e-5)
        assert classifier.weights_from == str(file)


def test_random_features_are_the_seeds_and_nobody_elses() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, again, other = (create_classifier("resnet18", "none", seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(one(image), again(image))
    assert not torch.allclose(one(image), other(image))
    assert one.frozen
    assert not one.train().training
    assert "random weights, seed 0" in one.weights_from


def test_what_cannot_be_loaded_is_named(lively: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no classifier 'resnet51'; there are alexnet"):
        create_classifier("resnet51", "none")
    with pytest.raises(WeightsError, match="does not exist"):
        create_classifier("resnet18", str(tmp_path / "none.npz"))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{"conv1.weight": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(WeightsError, match="not a readable weights file"):
        create_classifier("resnet18", str(pickled))
    torn = tmp_path / "torn.npz"
    torn.write_bytes(pickled.read_bytes()[:40])
    with pytest.raises(WeightsError, match="not a readable weights file"):
        create_classifier("resnet18", str(torn))
    other = tmp_path / "other.npz"
    np.savez(other, **folded(lively))
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        create_classifier("resnet18", str(other))


@pytest.mark.shared
@pytest.mark.slow
def test_the_shared_weights_know_imagenets_classes() -> None:
    weights = SHARED / "weights" / "mobilenet_v2_imagenet_dequant_fp16.npz"
    samples = SHARED / "imagenet_samples"
    if not weights.is_file() or not samples.is_dir():
        pytest.skip(f"{weights} and {samples} are not there")
    classifier = create_classifier("mobilenet_v2", str(weights))
    with (samples / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    size = FrameSize(224, 224)
    frames = np.stack([read_frame(samples / row["file"], size) for row in rows])
    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    said = classifier(classifier.contract.normalise(images)).argmax(1).numpy()
    true = np.array([int(row["class_index_0based"]) for row in rows])
    assert (said == true).mean() > 0.85  # 0.875 measured; 0.80 with symmetric padding
