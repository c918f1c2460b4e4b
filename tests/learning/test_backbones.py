"""Backbones: feature sizes, weights from files, what is said when there are none, freezing."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sightline.errors import CatalogError, WeightsError
from sightline.learning import backbones
from sightline.learning.backbones import InputContract, create_backbone, read_state, state_digest
from sightline.learning.torchvision_compat import import_torchvision


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("googlenet", 1024),
        ("resnet18", 512),
        ("resnet34", 512),
        ("resnet50", 2048),
        ("resnet152", 2048),
        ("efficientnet_b7", 2560),
        ("mobilenet_v3_small", 1024),
        ("vit_b_16", 768),
        ("inception_v3", 2048),
    ],
)
def test_the_feature_size_is_the_papers(name: str, features: int) -> None:
    with torch.device("meta"):
        backbone = create_backbone(name, weights="none")
        assert backbone.features == features
        if name in ("resnet18", "googlenet", "mobilenet_v3_small"):
            assert backbone.eval()(torch.zeros(2, 3, 224, 224)).shape == (2, features)
    assert backbone.weights_from == "none: trained from scratch"


def test_compact_keeps_the_layout_of_the_image() -> None:
    backbone = create_backbone("compact", weights="none", width=96, height=128).eval()
    image = torch.randn(1, 3, 128, 96)
    assert backbone(image).shape == (1, backbone.features)
    assert not torch.allclose(backbone(image), backbone(image.flip(-1)), atol=1e-3)
    assert 0.5e6 < sum(p.numel() for p in backbone.parameters()) < 5e6


def test_the_contract_normalises_as_torchvision_does() -> None:
    transforms = import_torchvision().transforms.functional
    image = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    contract = InputContract(8, 8)
    wanted = transforms.normalize(image / 255.0, list(contract.mean), list(contract.std))
    torch.testing.assert_close(contract.normalise(image), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_a_file_are_loaded_whole(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(1)
    net = import_torchvision().models.resnet18(weights=None)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(net.state_dict(), path)
    else:
        save_file(net.state_dict(), path)
    backbone = create_backbone("resnet18", weights=str(path))
    net.fc = nn.Identity()
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(backbone.eval()(image), net.eval()(image))
    assert str(path) in backbone.weights_from


def test_published_googlenet_weights_with_auxiliary_heads_fit(tmp_path: Path) -> None:
    published = import_torchvision().models.googlenet(weights=None, init_weights=False)
    assert any(key.startswith("aux1.") for key in published.state_dict())
    save_file(published.state_dict(), tmp_path / "g.safetensors")
    backbone = create_backbone("googlenet", weights=str(tmp_path / "g.safetensors"))
    assert not any("aux" in key for key in backbone.state_dict())
    assert backbone.train()(torch.randn(2, 3, 64, 64)).shape == (2, 1024)


@pytest.mark.parametrize("spoil", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, spoil: str) -> None:
    state = import_torchvision().models.resnet18(weights=None).state_dict()
    if spoil == "missing":
        del state["layer1.0.conv1.weight"]
    elif spoil == "extra":
        state["layer9.weight"] = torch.zeros(1)
    else:
        state["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="does not fit resnet18") as caught:
        create_backbone("resnet18", weights=str(tmp_path / "w.safetensors"))
    assert "\n" not in str(caught.value)


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "run",)  # type: ignore[return-value]

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="not a readable weights file"):
        read_state(tmp_path / "evil.pth")
    assert not (tmp_path / "run").exists()


def test_no_network_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = import_torchvision().models.ResNet18_Weights

    def offline(*_: object, **__: object) -> None:
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>")

    monkeypatch.setattr(weights, "get_state_dict", offline)
    with pytest.raises(WeightsError) as caught:
        create_backbone("resnet18", weights="imagenet")
    text = str(caught.value)
    assert "--weights FILE" in text
    assert "--weights none" in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["resnet19", "squeezenet1_0", "fasterrcnn_resnet50_fpn"])
def test_an_unknown_or_unfit_name_is_refused(name: str) -> None:
    with pytest.raises(CatalogError, match=name):
        create_backbone(name, weights="none")


def test_compact_has_no_imagenet_weights() -> None:
    with pytest.raises(WeightsError, match="--weights none"):
        create_backbone("compact")


def test_a_frozen_backbone_stays_as_it_is() -> None:
    backbone = create_backbone("resnet18", weights="none", frozen=True)
    before = state_digest(backbone)
    model = nn.Sequential(backbone, nn.Linear(512, 2))
    model.train()
    images = torch.randn(4, 3, 64, 64)
    first = backbone(images)
    assert not first.requires_grad
    torch.testing.assert_close(backbone(images[:1]), first[:1], atol=1e-4, rtol=1e-4)
    model(images).sum().backward()
    assert all(p.grad is None for p in backbone.parameters())
    assert not any(m.training for m in backbone.modules())
    assert state_digest(backbone) == before


def test_a_trained_backbone_moves_its_batch_norm() -> None:
    backbone = create_backbone("compact", weights="none", width=32, height=32).train()
    before = state_digest(backbone)
    backbone(torch.randn(4, 3, 32, 32))
    assert state_digest(backbone) != before


def test_names_hold_the_papers_and_ours() -> None:
    names = backbones.backbone_names()
    assert {"compact", "googlenet", "resnet18", "resnet152", "efficientnet_b7"} <= set(names)


@pytest.mark.parametrize("name", ["compact", "resnet18"])
@pytest.mark.parametrize("given", ["folder", "file"])
def test_the_backbone_of_a_run_is_taken(tmp_path: Path, name: str, given: str) -> None:
    """A run holds a head too, and no classifier."""
    first = create_backbone(name, weights="none", width=32, height=32)
    state = {f"backbone.net.{key}": value for key, value in first.net.state_dict().items()}
    state |= {"head.weight": torch.zeros(9, 4), "translation_mean": torch.zeros(3)}
    file = tmp_path / "run" / "model.safetensors"
    file.parent.mkdir()
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    weights = str(file if given == "file" else file.parent)
    second = create_backbone(name, weights=weights, width=32, height=32)
    assert second.weights_from == f"the backbone of {weights}"
    for key, value in first.net.state_dict().items():
        torch.testing.assert_close(second.net.state_dict()[key], value)
    other = "resnet34" if name == "resnet18" else "resnet18"
    with pytest.raises(WeightsError, match=f"does not fit {other}"):
        create_backbone(other, weights=weights)


def test_a_folder_that_is_no_run_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a weights file is wanted"):
        create_backbone("compact", weights=str(tmp_path))
