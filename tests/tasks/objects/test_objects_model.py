import itertools
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sightline.errors import CatalogError, WeightsError
from sightline.learning.resnet import create_resnet
from sightline.learning.torchvision_compat import import_torchvision
from sightline.records.objects import CATEGORIES
from sightline.tasks.objects.config import ObjectsConfig, scratch_config
from sightline.tasks.objects.model import ObjectsNet, create_model
from sightline.tasks.objects.pose_networks import PoseNetworks
from sightline.tasks.objects.resnet import cut, feature_channels

THREE = ("bus", "car", "train")
ARCHITECTURES = ("integrated", "shared", "sequential", "independent")
PARTS = ("features", "category_features", "category", "pose")
#: ResNet-50 without its 1000-way classifier: 25,557,032 - 2,049,000 (torchvision's count).
RESNET50 = 23_508_032


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def small(**changes: object) -> ObjectsConfig:
    config = replace(scratch_config(), width=0.25, crop_px=64, pose_sizes=(24, 16))
    return replace(config, **{"head": "axis_angle", **changes})


def torchvision_resnet18() -> nn.Module:
    net = import_torchvision().models.resnet18(weights=None)
    for module in net.modules():  # statistics unlike a new network's
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


def test_parameters_are_those_counted_by_hand():
    one = 1024 * 1000 + 1000 + 2 * 1000 + 1000 * 500 + 500 + 2 * 500 + 500 * 3 + 3
    nets = PoseNetworks(12, 1024, (1000, 500), torch.zeros(3), 1.0)
    assert sum(p.numel() for p in nets.parameters()) == 12 * one
    with torch.device("meta"):  # shapes are all that is asked for
        config = ObjectsConfig(weights="none")
        sizes = {
            a: create_model(replace(config, architecture=a), tuple(CATEGORIES)).parameter_count()
            for a in ARCHITECTURES
        }
    classifier = 2048 * 12 + 12
    features = 8_543_296  # ResNet-50 up to stage 4: conv1 to layer3
    assert sizes == {
        "integrated": RESNET50 + classifier + 12 * one,
        "shared": RESNET50 + classifier + one,
        "sequential": features + RESNET50 + classifier + 12 * one,
        "independent": features + RESNET50 + classifier + one,
    }


def test_table_4s_wide_network_is_as_large_as_twelve():
    with torch.device("meta"):
        twelve = PoseNetworks(12, 1024, (1000, 500), torch.zeros(3), 1.0)
        wide = PoseNetworks(1, 1024, (12000, 500), torch.zeros(3), 1.0)
    sizes = [sum(p.numel() for p in nets.parameters()) for nets in (twelve, wide)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


@pytest.mark.parametrize(("stage", "d"), [(3, 512), (4, 1024), (5, 2048)])
def test_resnet50_features_have_the_papers_lengths(stage, d):
    with torch.device("meta"):
        features, rest = cut(create_resnet("resnet50"), stage)
    assert feature_channels(features) == d
    assert list(dict(features.named_children()))[-1] == f"layer{stage - 1}"
    assert len(rest) == 5 - stage


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("stage", [3, 4, 5])
def test_a_cut_resnet_computes_what_torchvisions_does(tmp_path, suffix, stage):
    whole = torchvision_resnet18().eval()
    file = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(whole.state_dict(), file)
    net = create_model(small(width=1.0, weights=str(file), stage=stage), THREE).eval()
    assert net.weights_from == str(file)
    images = torch.randn(2, 3, 64, 64)
    maps = {}
    whole.get_submodule(f"layer{stage - 1}").register_forward_hook(
        lambda _m, _i, out: maps.update(maps=out)
    )
    whole.fc = net.category.fc
    with torch.no_grad():
        logits = whole(images)
        out = net(images)
        torch.testing.assert_close(out.logits, logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(net.category_from(images), out.logits)
        pooled = net.features_of(images)
        torch.testing.assert_close(pooled, maps["maps"].mean((2, 3)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(net.pose_from(pooled), out.vectors)


def test_both_resnets_start_from_the_weights(tmp_path):
    file = tmp_path / "weights.safetensors"
    state = torchvision_resnet18().state_dict()
    save_file(state, file)
    net = create_model(small(width=1.0, weights=str(file), architecture="sequential"), THREE)
    for part in (net.features, net.category):
        for key, value in part.state_dict().items():
            if not key.startswith("fc."):
                torch.testing.assert_close(value, state[key])


def test_weights_that_do_not_fit_are_refused(tmp_path):
    state = torchvision_resnet18().state_dict()
    file = tmp_path / "weights.safetensors"
    save_file(state, file)
    with pytest.raises(WeightsError, match=r"weights\.safetensors does not fit resnet34"):
        create_model(small(backbone="resnet34", width=1.0, weights=str(file)), THREE)
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        create_model(small(weights=str(file)), THREE)  # of another width
    save_file({k: v for k, v in state.items() if k != "layer3.0.conv1.weight"}, file)
    with pytest.raises(WeightsError, match="layer3"):
        create_model(small(width=1.0, weights=str(file)), THREE)
    with pytest.raises(WeightsError, match="does not exist"):
        create_model(small(weights=str(tmp_path / "none.pth")), THREE)


def test_weights_of_a_narrow_network_load(tmp_path):
    file = tmp_path / "narrow.safetensors"
    save_file(create_resnet("resnet18", 0.25).state_dict(), file)
    net = create_model(small(weights=str(file)), THREE)
    torch.testing.assert_close(net.features.conv1.weight, load_file(file)["conv1.weight"])
    assert net.features.conv1.out_channels == 16


def test_other_backbones_are_refused_by_name():
    with pytest.raises(CatalogError, match="no ResNet 'vgg16'; there are resnet101"):
        create_model(small(backbone="vgg16"), THREE)
    with pytest.raises(CatalogError, match="resnet50 is made of bottlenecks"):
        create_model(small(backbone="resnet50"), THREE)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("stage", [3, 4, 5])
def test_every_architecture_answers(architecture, stage):
    net = create_model(small(architecture=architecture, stage=stage), THREE)
    out = net(torch.randn(4, 3, 64, 64))
    p = 3 if architecture in ("integrated", "sequential") else 1
    assert out.logits.shape == (4, 3)
    assert out.vectors.shape == (4, p, 3)
    assert (net.contract.width, net.contract.height) == (64, 64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tuned", ["everything", "fc", "fc_stage5"])
def test_parts_are_the_whole_network_each_once(architecture, tuned):
    net = create_model(small(architecture=architecture, tuned=tuned), THREE)
    found = [p for part in PARTS for m in net.part(part) for p in m.parameters()]
    assert len({id(p) for p in found}) == len(found) == len(list(net.parameters()))


@pytest.mark.parametrize(
    ("tuned", "first"), [("everything", "conv1"), ("fc", "fc"), ("fc_stage5", "layer4")]
)
def test_table_9_tunes_what_it_says_of_the_categorys_resnet(tuned, first):
    net = create_model(small(architecture="sequential", tuned=tuned), THREE)
    names = {m: name for name, m in net.category.named_children()}
    trained = [names[m] for m in net.part("category")]
    assert trained[0] == first
    assert [*(names[m] for m in net.part("category_features")), *trained] == list(names.values())


@pytest.mark.parametrize("architecture", ["shared", "integrated"])
def test_the_category_shares_its_features_with_the_pose(architecture):
    net = create_model(small(architecture=architecture), THREE)
    net(torch.randn(4, 3, 64, 64)).logits.sum().backward()
    assert net.features.conv1.weight.grad is not None


@pytest.mark.parametrize("architecture", ["sequential", "independent"])
def test_the_categorys_own_resnet_is_apart(architecture):
    net = create_model(small(architecture=architecture), THREE)
    net(torch.randn(4, 3, 64, 64)).logits.sum().backward()
    assert net.features.conv1.weight.grad is None
    assert net.category.conv1.weight.grad is not None
    assert not torch.equal(net.features.conv1.weight, net.category.conv1.weight)
    net.features_from_category()
    assert torch.equal(net.features.conv1.weight, net.category.conv1.weight)
    assert torch.equal(net.features.layer3[1].bn2.bias, net.category.layer3[1].bn2.bias)


def test_weights_load_strictly_from_a_file(tmp_path):
    config = small(architecture="sequential", head="bins", bins=6)
    net, other = create_model(config, THREE), create_model(config, THREE)
    net(torch.randn(8, 3, 64, 64))  # moves the batch norms' statistics
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, tmp_path / "m.safetensors")
    other.load_state_dict(load_file(tmp_path / "m.safetensors"), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        a, b = net.eval()(images), other.eval()(images)
    assert torch.equal(a.logits, b.logits)
    assert torch.equal(a.vectors, b.vectors)


def test_half_precision_is_for_training_alone():
    net = create_model(small(), THREE)
    images = torch.randn(4, 3, 64, 64)
    exact = net(images)
    net.precision = torch.bfloat16
    mixed = net(images)
    assert mixed.logits.dtype == mixed.vectors.dtype == torch.float32
    assert not torch.equal(exact.logits, mixed.logits)
    with torch.no_grad():
        half = net.eval()(images)
        net.precision = torch.float32
        full = net(images)
    assert torch.equal(half.logits, full.logits)


def separate(nets: PoseNetworks, k: int) -> nn.Sequential:
    """Return pose network k as modules of its own."""
    d, a = nets.fc1.in_features, nets.fc1.out_features // nets.count
    b, size = nets.fc2.weight.shape[2], nets.fc3.weight.shape[2]
    one = nn.Sequential(
        nn.Linear(d, a), nn.BatchNorm1d(a), nn.ReLU(), nn.Linear(a, b), nn.BatchNorm1d(b),
        nn.ReLU(), nn.Linear(b, size),
    )  # fmt: skip
    mine = [slice(k * n, (k + 1) * n) for n in (a, b, size)]
    with torch.no_grad():
        one[0].weight.copy_(nets.fc1.weight[mine[0]])
        one[0].bias.copy_(nets.fc1.bias[mine[0]])
        one[3].weight.copy_(nets.fc2.weight[k].T)
        one[3].bias.copy_(nets.fc2.bias[mine[1]])
        one[6].weight.copy_(nets.fc3.weight[k].T)
        one[6].bias.copy_(nets.fc3.bias[mine[2]])
        for norm, theirs, part in ((one[1], nets.bn1, mine[0]), (one[4], nets.bn2, mine[1])):
            norm.weight.copy_(theirs.weight[part])
            norm.bias.copy_(theirs.bias[part])
    return one


def test_networks_side_by_side_are_k_separate_networks():
    nets = PoseNetworks(4, 10, (7, 5), torch.arange(3.0), 0.5)
    for parameter in nets.parameters():
        nn.init.normal_(parameter, std=0.5)
    singles = [separate(nets, k) for k in range(4)]
    x = torch.randn(9, 10)
    for mode in (True, False):  # in eval mode with the statistics that training kept
        nets.train(mode)
        expected = torch.stack([single.train(mode)(x) for single in singles], dim=1)
        torch.testing.assert_close(nets(x), expected)


def test_networks_begin_at_the_heads_start():
    nets = PoseNetworks(2, 10, (7, 5), torch.tensor([1.0, 2.0, 3.0]), 0.0)
    torch.testing.assert_close(nets(torch.randn(4, 10))[:, 1], torch.tensor([[1.0, 2, 3]] * 4))


def test_with_an_oracle_a_network_learns_from_its_own_category_alone():
    net: ObjectsNet = create_model(small(), THREE)
    category = torch.tensor([0, 2, 2, 0])
    net(torch.randn(4, 3, 64, 64)).vectors[torch.arange(4), category].square().sum().backward()
    nets = net.pose
    per_network = {
        "fc1.weight": nets.fc1.weight.grad.unflatten(0, (3, -1)),
        "bn1.weight": nets.bn1.weight.grad.unflatten(0, (3, -1)),
        "fc2.weight": nets.fc2.weight.grad,
        "fc3.bias": nets.fc3.bias.grad.unflatten(0, (3, -1)),
    }
    for name, (k, learns) in itertools.product(per_network, enumerate([True, False, True])):
        assert bool(per_network[name][k].any()) is learns, (name, k)
