"""The networks' sizes and counts as the paper gives them, and whose weights they take."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sightline.errors import CatalogError, WeightsError
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.relative.config import RelativeConfig
from sightline.tasks.relative.correlation import CorrelationNet, cell_rays, describe
from sightline.tasks.relative.model import (
    MENET_LAYERS,
    MeNet,
    PaperNet,
    RelativeNet,
    alexnet_trunk,
    create_model,
    layer_sizes,
)

CAMERA = torch.tensor([[200.0, 210.0, 100.0, 90.0]])


def answer(network: RelativeNet, side: int | tuple[int, int] = 227, count: int = 2) -> torch.Tensor:
    height, width = (side, side) if isinstance(side, int) else side
    generator = torch.Generator().manual_seed(0)
    shape = (2, count, 3, height, width)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    cameras = CAMERA.expand(count, 4)
    with torch.no_grad():
        raw: torch.Tensor = network.eval()(images[0], images[1], cameras, cameras).raw
    return raw


def test_the_trunk_is_the_papers_layer_by_layer() -> None:
    assert layer_sizes(alexnet_trunk(), 227) == [
        ("conv", 96, 55),
        ("pool", 96, 27),
        ("conv", 256, 27),
        ("pool", 256, 13),
        ("conv", 384, 13),
        ("conv", 384, 13),
        ("conv", 256, 13),
        ("pool", 256, 6),
    ]
    assert layer_sizes(alexnet_trunk(last_pool=False), 227)[-1] == ("conv", 256, 13)
    assert layer_sizes(alexnet_trunk(last_pool=False), 323)[-1] == ("conv", 256, 19)


@pytest.mark.parametrize("last_pool", [True, False])
def test_torchvisions_trunk_gives_the_same_sizes(last_pool: bool) -> None:
    sizes = layer_sizes(alexnet_trunk(variant="torchvision", last_pool=last_pool), 227)
    assert sizes[0] == ("conv", 64, 56)
    assert sizes[-1] == (("pool", 256, 6) if last_pool else ("conv", 256, 13))


@pytest.mark.parametrize(
    ("model", "features"), [("cnnA", 36), ("cnnB", 169), ("cnnAspp", 50), ("cnnBspp", 219)]
)
def test_parameters_are_counted_by_hand(model: str, features: int) -> None:
    network = create_model(RelativeConfig(model=model))  # type: ignore[arg-type]
    sizes = [(3, 96, 11), (96, 256, 5), (256, 384, 3), (384, 384, 3), (384, 256, 3)]
    trunk = sum(out * (inside * k * k + 1) for inside, out, k in sizes)
    assert trunk == 3_747_200
    heads = (4 + 3) * (2 * 256 * features + 1)
    assert network.parameter_count() == trunk + heads
    readme = Path(__file__).resolve().parents[3] / "src/sightline/tasks/relative/README.md"
    assert f"| {model} | {256 * features:,} |" in readme.read_text()
    assert f"| {trunk + heads:,} |" in readme.read_text()


@pytest.mark.parametrize("model", ["cnnA", "cnnB", "cnnAspp", "cnnBspp", "menet"])
def test_small_networks_answer(model: str) -> None:
    network = create_model(RelativeConfig(model=model, width=0.05))  # type: ignore[arg-type]
    assert answer(network).shape == (2, 7)
    if model.endswith("spp"):
        assert answer(network, (227, 300)).shape == (2, 7)


def test_both_branches_share_their_weights() -> None:
    network = create_model(RelativeConfig(model="cnnA", width=0.05))
    assert isinstance(network, PaperNet)
    with torch.no_grad():  # heads that see only the second image
        for head in (network.heads.rotation, network.heads.translation):
            half = head.in_features // 2
            head.weight[:, half:] = head.weight[:, :half]
            head.weight[:, :half] = 0
    image = torch.randint(0, 256, (1, 3, 227, 227), dtype=torch.uint8)
    black = torch.zeros_like(image)
    network.eval()
    with torch.no_grad():
        late = network(black, image, CAMERA, CAMERA).raw
        for head in (network.heads.rotation, network.heads.translation):
            head.weight.copy_(head.weight.roll(half, dims=1))
        early = network(image, black, CAMERA, CAMERA).raw
    torch.testing.assert_close(late, early)


def test_menet_has_nine_convolutions_and_two_linear_layers() -> None:
    network = create_model(RelativeConfig(model="menet", width=0.05))
    assert isinstance(network, MeNet)
    layers = list(network.modules())
    assert sum(isinstance(m, nn.Conv2d) for m in layers) == 9 == len(MENET_LAYERS)
    assert sum(isinstance(m, nn.Linear) for m in layers) == 2
    assert network.convolutions(torch.zeros(1, 6, 227, 227)).shape[-2:] == (4, 4)
    with pytest.raises(WeightsError, match="trained from scratch"):
        create_model(RelativeConfig(model="menet", weights="imagenet"))


def hybrid_state(groups: int, **extra: torch.Tensor) -> dict[str, torch.Tensor]:
    trunk = alexnet_trunk(groups=groups)
    convolutions = [m for m in trunk if isinstance(m, nn.Conv2d)]
    state = {"fc6.weight": torch.zeros(2, 3), "fc8.bias": torch.zeros(2)}
    for index, layer in enumerate(convolutions, 1):
        state[f"conv{index}.weight"] = layer.weight.detach().clone().contiguous()
        state[f"conv{index}.bias"] = torch.full_like(layer.bias.detach(), float(index))
    return state | extra


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_hybrid_cnn_weights_come_by_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hybrid{suffix}"
    state = hybrid_state(2)
    if suffix == ".pth":
        torch.save({"state_dict": state}, path)
    else:
        save_file(state, path)
    network = create_model(
        RelativeConfig(model="cnnA", weights=str(path), groups=2, colours="caffe")
    )
    assert isinstance(network, PaperNet)
    assert network.weights_from == str(path)
    assert torch.equal(network.trunk[3].weight, state["conv2.weight"])
    assert network.trunk[10].bias.tolist() == [5.0] * 256
    assert network.trunk[3].weight.shape == (256, 48, 5, 5)
    colour = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert network.normalise(colour).flatten().tolist() == [30.0 - 104, 20.0 - 117, 10.0 - 123]
    with pytest.raises(WeightsError, match="--groups 2"):
        create_model(RelativeConfig(model="cnnA", weights=str(path)))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"conv3.weight": None}, "no 6.weight"), ({"norm1.weight": 1}, "it has norm1.weight")],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, int | None], said: str
) -> None:
    state = hybrid_state(1)
    for key, value in change.items():
        if value is None:
            del state[key]
        else:
            state[key] = torch.ones(value)
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=re.escape(said)):
        create_model(RelativeConfig(model="cnnA", weights=str(tmp_path / "odd.safetensors")))


def test_torchvisions_weights_take_torchvisions_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.learning import backbones

    net = import_torchvision().models.alexnet(weights=None)
    monkeypatch.setattr(backbones, "imagenet_state", lambda _name: net.state_dict())
    config = RelativeConfig(model="cnnB", weights="imagenet")
    network = create_model(config)
    assert isinstance(network, PaperNet)
    assert "torchvision" in network.weights_from
    images = torch.randn(1, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net.features[:12](images)
        torch.testing.assert_close(network.trunk(images), expected)
    # a checkpoint of it is loaded into the same variant
    create_model(config, weights="none").load_state_dict(network.state_dict(), strict=True)
    with pytest.raises(WeightsError, match="width 1"):
        create_model(RelativeConfig(model="cnnB", weights="imagenet", width=0.5))


@pytest.mark.parametrize("head", ["correlation", "concat"])
def test_a_backbone_without_a_feature_vector_is_refused(head: str) -> None:
    with pytest.raises(CatalogError, match="no linear classifier"):
        create_model(siamese(head, "squeezenet1_1"))


@pytest.mark.parametrize("head", ["correlation", "concat"])
@pytest.mark.parametrize("backbone", ["compact", "resnet18"])
def test_siamese_on_any_backbone(head: str, backbone: str) -> None:
    network = create_model(siamese(head, backbone))
    assert answer(network, (96, 128)).shape == (2, 7)


def siamese(head: str, backbone: str) -> RelativeConfig:
    return RelativeConfig(
        model="siamese", head=head, backbone=backbone, short_side=96, train_size=96,
        test_size=96, aspect=4 / 3,
    )  # type: ignore[arg-type]  # fmt: skip


def test_a_stride_that_a_backbone_has_not_is_refused() -> None:
    with pytest.raises(CatalogError, match="no feature map of one cell every 16"):
        create_model(RelativeConfig(model="siamese", backbone="alexnet", stride=16, short_side=323))


def test_matches_are_probabilities_at_the_cells_rays() -> None:
    network = create_model(siamese("correlation", "compact"))
    assert isinstance(network, CorrelationNet)
    images = torch.randint(0, 256, (2, 3, 96, 128), dtype=torch.uint8)
    cameras = CAMERA.expand(2, 4)
    with torch.no_grad():
        matches = network.eval()(images, images, cameras, cameras).matches
    assert matches is not None
    cells = (96 // 8) * (128 // 8)
    assert matches.b_of_a.shape == (2, cells, cells)
    torch.testing.assert_close(matches.b_of_a.sum(2), torch.ones(2, cells))
    torch.testing.assert_close(matches.a_of_b.sum(1), torch.ones(2, cells))
    # the same image twice: each cell is likeliest where it is
    assert (matches.b_of_a.argmax(2) == torch.arange(cells)).float().mean() > 0.9


def test_rays_go_through_the_cells_centres() -> None:
    rays = cell_rays(CAMERA, torch.Size((3, 4)), torch.Size((24, 32)))
    # cell (row 2, column 1) covers pixels 16..23 and 8..15: centre (11.5, 19.5)
    expected = [(11.5 - 100) / 200, (19.5 - 90) / 210]
    np.testing.assert_allclose(rays[0, 2 * 4 + 1], expected, rtol=1e-6)


def test_a_certain_match_is_described_exactly() -> None:
    rays = torch.tensor([[[0.1, 0.2], [0.3, -0.1]]])
    there = torch.eye(2)[None]
    numbers = describe(there, there, rays, rays + 0.05, torch.Size((1, 2)))[0]
    np.testing.assert_allclose(numbers[:, :2], rays[0])
    np.testing.assert_allclose(numbers[:, 2:4], rays[0] + 0.05, rtol=1e-6)
    np.testing.assert_allclose(numbers[:, 4:6], 0.05, rtol=1e-5)
    assert (numbers[:, 7] == 1).all()
