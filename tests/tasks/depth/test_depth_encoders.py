"""Frozen encoders: what they give, and that they stay as they are."""

import pytest
import torch
from safetensors.torch import save_file
from tiny_depth_networks import make_depth_anything, make_dinov2

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.learning.resnet import create_resnet
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.depth.encoders import frozen_encoder
from sightline.tasks.depth.hub import transformers


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    return make_dinov2(tmp_path_factory.mktemp("hub") / "dinov2-tiny")


@pytest.fixture(scope="module")
def half_resnet(tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "half.safetensors"
    save_file(create_resnet("resnet18", 0.5).state_dict(), file)
    return file


def test_dinov2s_patch_tokens_lie_where_their_patches_do(dinov2) -> None:
    encoder = frozen_encoder(str(dinov2))
    assert (encoder.name, encoder.channels) == ("dinov2-tiny", 24)
    images = torch.randn(2, 3, 42, 70)
    features = encoder(images)
    assert features.shape == (2, 24, 3, 5)
    net = transformers().Dinov2Model.from_pretrained(dinov2).eval()
    with torch.no_grad():
        tokens = net(pixel_values=images).last_hidden_state
    torch.testing.assert_close(features[1, :, 2, 3], tokens[1, 1 + 2 * 5 + 3])


def test_dinov2_takes_the_nearest_multiple_of_its_patch(dinov2) -> None:
    assert frozen_encoder(str(dinov2))(torch.randn(1, 3, 144, 192)).shape == (1, 24, 10, 14)


def test_a_resnets_last_stage_is_torchvisions(tmp_path) -> None:
    torch.manual_seed(0)
    whole = import_torchvision().models.resnet18(weights=None).eval()
    file = tmp_path / "resnet18.pth"
    torch.save(whole.state_dict(), file)
    encoder = frozen_encoder(f"resnet18:{file}")
    assert encoder.channels == 512
    images = torch.randn(1, 3, 64, 96)
    features = encoder(images)
    assert features.shape == (1, 512, 2, 3)
    with torch.no_grad():
        expected = whole.fc(features.mean(dim=(2, 3)))
        torch.testing.assert_close(expected, whole(images))


def test_a_narrow_resnet_is_named_by_its_width(half_resnet) -> None:
    encoder = frozen_encoder(f"resnet18@0.5:{half_resnet}")
    assert (encoder.name, encoder.channels) == ("resnet18@0.5", 256)
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        frozen_encoder(f"resnet18:{half_resnet}")


@pytest.mark.parametrize("kind", ["dinov2", "resnet"])
def test_a_frozen_encoder_never_learns_and_never_changes(kind, dinov2, half_resnet) -> None:
    encoder = frozen_encoder(str(dinov2) if kind == "dinov2" else f"resnet18@0.5:{half_resnet}")
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.train()
    assert not any(module.training for module in encoder.modules())
    images = torch.randn(2, 3, 70, 70, requires_grad=True)
    features = encoder(images)
    assert not features.requires_grad
    assert not any(p.requires_grad for p in encoder.parameters())
    # batch statistics neither move nor mix the images of a batch
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    torch.testing.assert_close(features[:1], encoder(images[:1]), rtol=1e-4, atol=1e-4)


def test_it_normalises_by_itself(dinov2) -> None:
    encoder = frozen_encoder(str(dinov2))
    white = encoder.contract.normalise(torch.full((1, 3, 14, 14), 255, dtype=torch.uint8))
    torch.testing.assert_close(
        white[0, :, 0, 0], torch.tensor([2.2489, 2.4286, 2.64]), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("resnet18@half:FILE", InputError, r"resnet18@0\.5:FILE"),
        ("resnet18:none", InputError, "random features teach nothing"),
        ("resnet18:", InputError, "weights of a frozen encoder are wanted"),
        ("resnet18:no-such-file", WeightsError, "no-such-file does not exist"),
        ("vgg16:FILE", CatalogError, "no ResNet 'vgg16'"),
        ("resnet50@0.5:FILE", CatalogError, "resnet50 is made of bottlenecks"),
        ("", InputError, "a frozen encoder is wanted, nothing came"),
        ("no-such-folder", WeightsError, "neither a folder nor a hub name"),
        ("facebook/dinov2-small", WeightsError, "hf download facebook/dinov2-small"),
    ],
)
def test_what_is_no_encoder_is_refused(source, error, says, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(error, match=says) as caught:
        frozen_encoder(source)
    assert "\n" not in str(caught.value)


def test_another_network_in_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="of the kind depth_anything"):
        frozen_encoder(str(make_depth_anything(tmp_path / "other")))
