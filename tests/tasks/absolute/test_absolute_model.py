"""PoseNet and MapNet: the paper's parameter counts, what the head's numbers mean."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.model import (
    create_model,
    decode_matrix,
    decode_quaternion,
    exp_quaternion,
    log_quaternion,
)

GENERATOR = np.random.default_rng(0)
ROTATIONS = Rotation.random(200, rng=GENERATOR)
QUATERNIONS = torch.tensor(ROTATIONS.as_quat(scalar_first=True, canonical=True))

# paper 000, Tables II and IV; for GoogLeNet and MapNet ResNet-152 the counts are the network's
# own, where the paper repeats ResNet-18's (PITFALLS 20)
COUNTS = [
    ("posenet", "googlenet", 7_175, None),
    ("posenet", "resnet18", 3_591, 11_180_103),
    ("posenet", "resnet34", 3_591, 21_288_263),
    ("posenet", "resnet50", 14_343, 23_522_375),
    ("posenet", "resnet152", 14_343, 58_158_151),
    ("posenet", "efficientnet_b7", 17_927, 63_804_887),
    ("mapnet", "googlenet", 4_725_767, None),
    ("mapnet", "resnet18", 3_677_191, 14_853_703),
    ("mapnet", "resnet34", 3_677_191, 24_961_863),
    ("mapnet", "resnet50", 6_822_919, 30_330_951),
    ("mapnet", "resnet152", 6_822_919, 64_966_727),
    ("mapnet", "efficientnet_b7", 7_871_495, 71_658_455),
]


@pytest.mark.parametrize(("model", "backbone", "trainable", "total"), COUNTS)
def test_the_counts_are_the_papers(
    model: str, backbone: str, trainable: int, total: int | None
) -> None:
    config = AbsoluteConfig(model=model, backbone=backbone, weights="none", freeze=True)
    with torch.device("meta"):
        network = create_model(config)
    assert network.trainable_parameters() == trainable
    if total is not None:
        assert network.total_parameters() == total
    else:
        assert 5_500_000 < network.total_parameters() - trainable < 7_000_000


def test_fine_tuning_trains_everything() -> None:
    with torch.device("meta"):
        network = create_model(AbsoluteConfig(backbone="resnet18", weights="none", head="linear"))
    assert network.trainable_parameters() == network.total_parameters() == 11_180_103


@pytest.mark.parametrize(("kind", "outputs"), [("quaternion", 7), ("logq", 6), ("6d", 9)])
def test_each_rotation_has_its_outputs(kind: str, outputs: int) -> None:
    config = AbsoluteConfig(backbone="compact", weights="none", width=32, height=32, rotation=kind)
    network = create_model(config).eval()
    raw = network(torch.randn(3, 3, 32, 32))
    assert raw.shape == (3, outputs)
    q, translation = network.decode(raw)
    torch.testing.assert_close(q.norm(dim=-1), torch.ones(3))
    assert (q[:, 0] >= 0).all()
    assert translation.shape == (3, 3)


def test_quaternions_decode_to_themselves_at_any_norm_and_sign() -> None:
    scale = torch.tensor(GENERATOR.uniform(-3, 3, (200, 1)))
    torch.testing.assert_close(decode_quaternion(QUATERNIONS * scale, "quaternion"), QUATERNIONS)


def test_log_and_exp_agree_with_scipy() -> None:
    half = torch.tensor(ROTATIONS.as_rotvec() / 2)
    torch.testing.assert_close(log_quaternion(QUATERNIONS), half, atol=1e-9, rtol=0)
    torch.testing.assert_close(log_quaternion(-QUATERNIONS), half, atol=1e-9, rtol=0)
    torch.testing.assert_close(exp_quaternion(half), QUATERNIONS, atol=1e-9, rtol=0)
    torch.testing.assert_close(decode_quaternion(half, "logq"), QUATERNIONS, atol=1e-9, rtol=0)


def test_six_numbers_decode_by_gram_schmidt() -> None:
    matrices = ROTATIONS.as_matrix()
    first, second = matrices[:, :, 0], matrices[:, :, 1]
    raw = np.concatenate([first * 2.5, second * 0.3 + first * 1.7], axis=1)
    np.testing.assert_allclose(decode_matrix(torch.tensor(raw)).numpy(), matrices, atol=1e-9)
    torch.testing.assert_close(
        decode_quaternion(torch.tensor(raw), "6d"), QUATERNIONS, atol=1e-7, rtol=0
    )


def test_standardising_is_undone_by_decode_alone() -> None:
    config = AbsoluteConfig(backbone="compact", weights="none", width=32, height=32)
    network = create_model(config)
    network.translation_mean.copy_(torch.tensor([4.0, -2.0, 1.5]))
    network.translation_scale.fill_(3.0)
    world = torch.randn(5, 3)
    standard = network.standardise(world)
    torch.testing.assert_close(standard, (world - torch.tensor([4.0, -2.0, 1.5])) / 3.0)
    raw = torch.cat([standard, torch.tensor([[1.0, 0, 0, 0]]).expand(5, 4)], dim=1)
    torch.testing.assert_close(network.decode(raw)[1], world)


def test_dropout_is_off_on_inference() -> None:
    config = AbsoluteConfig(backbone="compact", weights="none", width=32, height=32, dropout=0.9)
    network = create_model(config)
    image = torch.randn(2, 3, 32, 32)
    network.eval()
    torch.testing.assert_close(network(image), network(image))
    network.train()
    assert not torch.allclose(network(image), network(image))
