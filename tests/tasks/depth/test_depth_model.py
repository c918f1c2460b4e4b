"""The depth networks: shapes, published sizes, activations, weights."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from tiny_depth_networks import TINY, make_dinov2
from torch import nn

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.learning.resnet import create_resnet
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.dpt import SIZES, dpt_config
from sightline.tasks.depth.hub import transformers
from sightline.tasks.depth.model import create_model

DPT = replace(TINY, architecture="dpt", encoder="tiny")


def test_the_small_network_has_a_few_million_parameters() -> None:
    net = create_model(DepthConfig())
    assert 3e6 < net.parameter_count() < 5e6
    assert net.parameter_count() == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("width", "height"), [(64, 48), (192, 144), (112, 80), (16, 16)])
def test_the_small_network_answers_every_pixel(width: int, height: int) -> None:
    net = create_model(TINY).eval()
    out = net(torch.randn(2, 3, height, width))
    assert out.prediction.shape == (2, height, width)
    assert out.prediction.dtype == out.features.dtype == torch.float32
    stride_32 = (-(-height // 32), -(-width // 32))
    assert out.features.shape == (2, net.feature_channels, *stride_32)


def test_the_dpt_network_answers_every_pixel_and_gives_the_last_tokens() -> None:
    torch.manual_seed(0)
    net = create_model(DPT).eval()
    images = torch.randn(2, 3, 42, 70)
    out = net(images)
    assert out.prediction.shape == (2, 42, 70)
    assert out.features.shape == (2, net.feature_channels, 3, 5) == (2, 192, 3, 5)
    tokens = net.net.backbone(images).feature_maps[-1]
    # the class token first, then the patches row by row
    torch.testing.assert_close(out.features[1, :, 2, 1], tokens[1, 1 + 2 * 5 + 1])


def test_a_dpt_of_ours_computes_what_transformers_does_but_for_the_activation() -> None:
    torch.manual_seed(0)
    net = create_model(DPT).eval()
    images = torch.randn(1, 3, 42, 70)
    whole = transformers().DepthAnythingForDepthEstimation(dpt_config(SIZES["tiny"])).eval()
    whole.load_state_dict(net.net.state_dict(), strict=True)
    whole.head.activation2 = nn.Softplus()
    with torch.no_grad():
        expected = whole(pixel_values=images).predicted_depth
        torch.testing.assert_close(net(images).prediction, expected)


@pytest.mark.parametrize(("size", "millions"), [("vits", 24.8), ("vitb", 97.5), ("vitl", 335.3)])
def test_sizes_have_the_published_numbers_of_parameters(size: str, millions: float) -> None:
    with torch.device("meta"):
        net = transformers().DepthAnythingForDepthEstimation(dpt_config(SIZES[size]))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize("config", [TINY, DPT])
def test_disparity_is_never_negative_and_never_without_a_gradient(config: DepthConfig) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        net = create_model(config).train()
        last = net.head if config.architecture == "small" else net.net.head.conv3
        nn.init.constant_(last.bias, -5.0)  # a ReLU would be dead here
        out = net(torch.randn(2, 3, 42 if config is DPT else 48, 70 if config is DPT else 64))
        assert (out.prediction >= 0).all()
        out.prediction.sum().backward()
        assert last.bias.grad.abs().sum() > 0


@pytest.mark.parametrize("config", [TINY, DPT])
def test_metric_depth_lies_within_its_bound_and_keeps_the_order_of_disparity(
    config: DepthConfig,
) -> None:
    relative = create_model(config).eval()
    metric = create_model(replace(config, stage="metric", max_depth_m=7.5)).eval()
    assert (relative.quantity, metric.quantity) == ("disparity", "depth")
    metric.load_state_dict(relative.state_dict(), strict=True)
    images = torch.randn(1, 3, 42, 70) if config is DPT else torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        disparity, depth = relative(images).prediction, metric(images).prediction
    assert (depth > 0).all()
    assert (depth <= 7.5).all()
    # what is nearer for the one is nearer for the other: sigmoid and softplus of the same number
    number = torch.log(torch.expm1(disparity.double()))
    torch.testing.assert_close(depth.double(), 7.5 * torch.sigmoid(-number), rtol=1e-4, atol=1e-5)


def test_metric_depth_is_never_unknown() -> None:
    net = create_model(replace(TINY, stage="metric")).eval()
    nn.init.constant_(net.head.bias, 1e4)
    with torch.no_grad():
        assert (net(torch.randn(1, 3, 48, 64)).prediction > 0).all()


@pytest.mark.parametrize(("config", "multiple"), [(TINY, 16), (DPT, 14)])
def test_sides_that_do_not_divide_are_refused(config: DepthConfig, multiple: int) -> None:
    net = create_model(config)
    with pytest.raises(InputError, match=f"in multiples of {multiple} are wanted, 50 x 48 came"):
        net(torch.randn(1, 3, 48, 50))


def test_bfloat16_trains_in_it_and_answers_in_float32() -> None:
    torch.manual_seed(0)
    net = create_model(TINY).train()
    images = torch.randn(4, 3, 48, 64)
    exact = net(images).prediction.detach()
    net.precision = torch.bfloat16
    mixed = net(images)
    assert mixed.prediction.dtype == mixed.features.dtype == torch.float32
    difference = (mixed.prediction - exact).abs().max()
    assert 0 < difference < 0.1 * exact.max()
    mixed.prediction.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_every_parameter_learns() -> None:
    net = create_model(TINY).train()
    out = net(torch.randn(2, 3, 48, 64))
    (out.prediction.sum() + out.features.sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_far_places_tell_each_other_of_the_room() -> None:
    torch.manual_seed(0)
    net = create_model(TINY).eval()
    images = torch.zeros(1, 3, 48, 640)
    changed = images.clone()
    changed[..., 600:] = 3.0
    with torch.no_grad():
        difference = (net(images).prediction - net(changed).prediction)[0, :, 0].abs()
    assert difference.max() > 0  # no convolution reaches 600 pixels


def test_the_encoder_starts_from_weights(tmp_path) -> None:
    torch.manual_seed(1)
    state = create_resnet("resnet18", 0.06).state_dict()
    file = tmp_path / "resnet.safetensors"
    save_file(state, file)
    net = create_model(replace(TINY, weights=str(file)))
    assert net.weights_from == str(file)
    for key, value in net.encoder.state_dict().items():
        assert torch.equal(value, state[key]), key
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        create_model(replace(TINY, weights=str(file), width=0.5))


def test_the_dpt_encoder_starts_from_dinov2(tmp_path) -> None:
    library = transformers()
    folder = tmp_path / "dinov2-tiny"
    config = library.Dinov2Config(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, image_size=518
    )
    encoder = library.Dinov2Model(config)
    encoder.save_pretrained(folder)
    net = create_model(replace(DPT, weights=str(folder)))
    assert net.weights_from == str(folder)
    for key, value in encoder.state_dict().items():
        assert torch.equal(net.net.backbone.state_dict()[key], value), key
    with pytest.raises(WeightsError, match="does not fit the encoder tiny"):
        create_model(replace(DPT, weights=str(make_dinov2(tmp_path / "other"))))


def test_unknown_encoders_name_the_ones_there_are() -> None:
    with pytest.raises(CatalogError, match="tiny, vits, vitb, vitl, vitg is wanted"):
        create_model(replace(DPT, encoder="resnet18"))
    with pytest.raises(CatalogError, match="no ResNet 'vgg16'"):
        create_model(replace(TINY, encoder="vgg16"))
    with pytest.raises(CatalogError, match="resnet50 is made of bottlenecks; take `--encoder"):
        create_model(replace(TINY, encoder="resnet50", width=1.0))
    # of any other width too, in words that every task's flags fit
    with pytest.raises(CatalogError, match=r"the width 1 alone, 0\.5 came; take resnet18 or") as no:
        create_model(DepthConfig(encoder="resnet50"))
    assert "--backbone" not in str(no.value)
