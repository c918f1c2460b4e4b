"""Feature alignment: whose normalisation, what is frozen, what is learned and thrown away."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sightline.learning.backbones import InputContract
from sightline.learning.resnet import create_resnet
from sightline.tasks.depth.alignment import FeatureAlignment
from sightline.tasks.depth.encoders import FrozenEncoder, frozen_encoder
from sightline.tasks.depth.loss import feature_alignment


class Seen(nn.Module):
    """Gives its input at a quarter of the size, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.images: Tensor = torch.zeros(0)

    def forward(self, images: Tensor) -> Tensor:
        self.images = images
        return self.norm(images[..., ::4, ::4])


def encoder_of(net: nn.Module, contract: InputContract) -> FrozenEncoder:
    return FrozenEncoder(net, channels=3, contract=contract, name="seen")


def test_the_frozen_encoder_gets_its_own_normalisation_of_the_very_pixels() -> None:
    """PITFALLS 12: with the student's it would see other colours."""
    net = Seen()
    contract = InputContract(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    images = 255.0 * torch.rand(2, 3, 16, 24)
    FeatureAlignment(encoder_of(net, contract), 3, 0.0).loss(torch.rand(2, 3, 4, 6), images)
    torch.testing.assert_close(net.images, contract.normalise(images))
    other = InputContract().normalise(images)
    assert not torch.allclose(net.images, other, atol=0.1)


def test_features_of_equal_dimension_are_compared_as_they_are() -> None:
    encoder = encoder_of(Seen(), InputContract())
    alignment = FeatureAlignment(encoder, 3, 0.0)
    assert not list(alignment.projection.parameters())
    assert alignment.name == "seen"
    images = 255.0 * torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        own = encoder(InputContract().normalise(images))
    assert float(alignment.loss(2.0 * own, images)) == pytest.approx(0.0, abs=1e-6)
    assert float(alignment.loss(-own, images)) == pytest.approx(2.0, abs=1e-6)


def test_other_dimensions_pass_a_linear_map_that_learns_while_the_encoder_does_not() -> None:
    encoder = encoder_of(Seen(), InputContract())
    alignment = FeatureAlignment(encoder, 5, 0.0)
    assert alignment.name == "seen, through a learned linear map"
    state = {key: value.clone() for key, value in encoder.state_dict().items()}
    features = torch.rand(2, 5, 4, 6, requires_grad=True)
    loss = alignment.loss(features, 255.0 * torch.rand(2, 3, 16, 24))
    loss.backward()
    weight = next(alignment.projection.parameters())
    assert weight.shape == (3, 5, 1, 1)
    assert weight.grad is not None
    assert float(weight.grad.abs().sum()) > 0
    assert features.grad is not None
    assert float(features.grad.abs().sum()) > 0
    assert all(p.grad is None for p in encoder.parameters())
    for key, value in encoder.state_dict().items():  # batch norm's statistics too
        assert torch.equal(value, state[key]), key


@pytest.mark.parametrize("size", [(8, 12), (2, 3), (3, 5)])
def test_maps_of_other_sizes_meet_on_the_coarser_grid(size: tuple[int, int]) -> None:
    encoder = encoder_of(Seen(), InputContract())
    images = 255.0 * torch.rand(1, 3, 16, 24)
    features = torch.rand(1, 3, *size)
    grid = min(size[0], 4), min(size[1], 6)
    pool = nn.AdaptiveAvgPool2d(grid)
    with torch.no_grad():
        wanted = feature_alignment(pool(features), pool(encoder(InputContract().normalise(images))))
    found = FeatureAlignment(encoder, 3, 0.0).loss(features, images)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_a_resnets_file_aligns_a_student(tmp_path: Path) -> None:
    net = create_resnet("resnet18", 0.125)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    encoder = frozen_encoder(f"resnet18@0.125:{tmp_path / 'net.safetensors'}")
    alignment = FeatureAlignment(encoder, 32, 0.85)
    features = torch.rand(2, 32, 2, 2, requires_grad=True)
    loss = alignment.loss(features, 255.0 * torch.rand(2, 3, 64, 64))
    assert 0.0 < loss.item() < 2.0
    assert bool(torch.autograd.grad(loss, features)[0].isfinite().all())
