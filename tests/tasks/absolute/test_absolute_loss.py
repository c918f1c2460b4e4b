"""Eq. 9-11: zero at the truth, blind to q's sign, composed relative poses, finite gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.tasks.absolute.loss import (
    MapNetLoss,
    PoseNetLoss,
    distance,
    log_difference,
    quaternion_difference,
    quaternion_matrix,
)
from sightline.tasks.absolute.model import log_quaternion

KINDS = ["l1", "smooth_l1", "mse", "l2"]
ROTATIONS = ["quaternion", "logq", "6d"]


def encode(rotation: Rotation, kind: str) -> np.ndarray:
    """A head's numbers for known rotations, by scipy."""
    if kind == "quaternion":
        return rotation.as_quat(scalar_first=True)
    if kind == "logq":
        return rotation.as_rotvec() / 2
    return np.swapaxes(rotation.as_matrix()[:, :, :2], 1, 2).reshape(-1, 6)


def sample(count: int, kind: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(seed)
    rotation = Rotation.random(count, rng=generator)
    translation = generator.normal(size=(count, 3))
    raw = np.concatenate([translation, encode(rotation, kind)], axis=1)
    q = rotation.as_quat(scalar_first=True)
    return torch.tensor(raw), torch.tensor(translation), torch.tensor(q)


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_the_definitions(kind: str) -> None:
    d = np.random.default_rng(0).normal(size=(50, 4)) * 2
    by_hand = {
        "l1": np.abs(d).sum(1),
        "mse": (d**2).sum(1),
        "l2": np.sqrt((d**2).sum(1)),
        "smooth_l1": np.where(np.abs(d) < 1, d**2 / 2, np.abs(d) - 0.5).sum(1),
    }[kind]
    assert distance(torch.tensor(d), kind).item() == pytest.approx(by_hand.mean())


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(InputError, match="huber"):
        distance(torch.zeros(1, 3), "huber")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_truth_costs_nothing_whatever_the_sign(kind: str, rotation: str, sign: float) -> None:
    raw, translation, q = sample(12, rotation)
    terms = PoseNetLoss(rotation, kind, 3.0)(raw, translation, sign * q)
    assert terms["loss"].item() == pytest.approx(0.0, abs=1e-6)
    terms = MapNetLoss(rotation, kind, step=3)(raw, translation, sign * q)
    assert terms["loss"].item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_the_sign_of_q_changes_nothing(rotation: str) -> None:
    raw, translation, q = sample(12, rotation)
    raw = raw + 0.3 * torch.randn(raw.shape, generator=torch.Generator().manual_seed(1))
    signs = torch.tensor(np.random.default_rng(2).choice([-1.0, 1.0], (12, 1)))
    for loss in (PoseNetLoss(rotation, "l1", 2.0), MapNetLoss(rotation, "l1", step=3)):
        a, b = loss(raw, translation, q), loss(raw, translation, signs * q)
        for name in a:
            torch.testing.assert_close(a[name], b[name], msg=name)
    if rotation == "quaternion":  # the head's own sign is free as well
        flipped = torch.cat([raw[:, :3], raw[:, 3:] * signs], dim=1)
        for loss in (PoseNetLoss(rotation, "l1", 2.0), MapNetLoss(rotation, "l1", step=3)):
            torch.testing.assert_close(
                loss(raw, translation, q)["loss"], loss(flipped, translation, q)["loss"]
            )


def test_a_product_of_zero_does_not_zero_the_quaternion() -> None:
    a, b = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0.0, 1, 0, 0]])
    assert quaternion_difference(a, b).norm().item() == pytest.approx(math.sqrt(2))


def test_eq_9_by_hand() -> None:
    raw, translation, q = sample(6, "quaternion")
    raw = raw + 0.1
    terms = PoseNetLoss("quaternion", "mse", 7.0)(raw, translation, q)
    estimated = raw[:, 3:] / raw[:, 3:].norm(dim=1, keepdim=True)
    by_hand = 0.01 * 3 + 7.0 * ((estimated - q) ** 2).sum(1).mean()
    assert terms["loss"].item() == pytest.approx(by_hand.item())


def test_eq_10_and_11_by_hand_with_the_relative_pose_of_geometry() -> None:
    raw, translation, q = sample(6, "quaternion", seed=4)
    raw = raw + 0.2 * torch.randn(raw.shape, generator=torch.Generator().manual_seed(3))
    loss = MapNetLoss("quaternion", "l1", step=3, alpha=0.5, beta=0.3, gamma=-0.7)
    estimated = Pose(raw[:, 3:].numpy(), raw[:, :3].numpy())
    true = Pose(q.numpy(), translation.numpy())

    def h(a: Pose, b: Pose) -> float:
        dq = min(
            np.abs(a.q_wxyz - b.q_wxyz).sum(),
            np.abs(a.q_wxyz + b.q_wxyz).sum(),
        )
        dp = np.abs(a.translation - b.translation).sum()
        return float(dp * math.exp(-0.3) + 0.3 + dq * math.exp(0.7) - 0.7)

    absolute = np.mean([h(estimated[i], true[i]) for i in range(6)])
    pairs = [(t + i, t + j) for t in (0, 3) for i in range(3) for j in range(3) if i != j]
    relative = np.mean(
        [
            h(relative_pose(estimated[i], estimated[j]), relative_pose(true[i], true[j]))
            for i, j in pairs
        ]
    )
    assert loss(raw, translation, q)["loss"].item() == pytest.approx(absolute + 0.5 * relative)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_common_motion_of_the_estimate_leaves_the_relative_terms_zero(rotation: str) -> None:
    """A difference of translations would not be blind to it; a composition is."""
    generator = np.random.default_rng(5)
    true = Rotation.random(6, rng=generator)
    translation = generator.normal(size=(6, 3))
    motion, shift = Rotation.random(rng=generator), generator.normal(size=3)
    raw = np.concatenate(
        [motion.apply(translation) + shift, encode(motion * true, rotation)], axis=1
    )
    terms = MapNetLoss(rotation, "l1", step=3)(
        torch.tensor(raw), torch.tensor(translation), torch.tensor(true.as_quat(scalar_first=True))
    )
    assert terms["relative_position"].item() == pytest.approx(0, abs=1e-9)
    assert terms["relative_rotation"].item() == pytest.approx(0, abs=1e-6)
    assert terms["position"].item() > 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("angle", [0.0, 1e-8, math.pi / 2, math.pi - 1e-9, math.pi])
def test_gradients_are_finite_from_zero_to_pi(kind: str, rotation: str, angle: float) -> None:
    for dtype in (torch.float32, torch.float64):
        true = Rotation.from_rotvec([[0, 0, 0.3], [0, 0, 0.3]])
        estimated = true * Rotation.from_rotvec([[0, angle, 0], [0, 0, 0]])
        raw = np.concatenate([np.zeros((2, 3)), encode(estimated, rotation)], axis=1)
        leaf = torch.tensor(raw, dtype=dtype, requires_grad=True)
        loss = MapNetLoss(rotation, kind, step=2)
        q = torch.tensor(true.as_quat(scalar_first=True), dtype=dtype)
        loss(leaf, torch.zeros(2, 3, dtype=dtype), q)["loss"].backward()
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_beta_and_gamma_are_learned_only_on_request() -> None:
    raw, translation, q = sample(4, "quaternion")
    raw = raw + 0.1
    learned = MapNetLoss("quaternion", "l1", step=2)
    learned(raw, translation, q)["loss"].backward()
    assert learned.beta.grad is not None
    fixed = MapNetLoss("quaternion", "l1", step=2, learn_weights=False)
    assert not any(p.requires_grad for p in fixed.parameters())
    # d/dbeta of (1 + alpha) (d e^-beta + beta) is zero at beta = log of the mean distance
    terms = learned(raw, translation, q)
    best = math.log((terms["position"] + terms["relative_position"]).item() / 2)
    at_best = MapNetLoss("quaternion", "l1", step=2, beta=best)
    at_best(raw, translation, q)["loss"].backward()
    assert at_best.beta.grad is not None
    assert at_best.beta.grad.item() == pytest.approx(0.0, abs=1e-6)


@given(st.floats(0, 2 * math.pi), st.floats(-1, 1), st.floats(0, 2 * math.pi))
def test_log_difference_is_never_longer_than_the_direct_one(
    angle: float, z: float, turn: float
) -> None:
    r = math.sqrt(1 - z * z)
    axis = np.array([r * math.cos(turn), r * math.sin(turn), z])
    q = torch.tensor([[math.cos(angle / 2), *(math.sin(angle / 2) * axis)]])
    guess = torch.tensor([[0.4, -1.1, 0.2]], dtype=torch.float64)
    found = log_difference(guess, q).norm().item()
    assert found <= (guess - log_quaternion(q)).norm().item() + 1e-9
    assert log_difference(guess, -q).norm().item() == pytest.approx(found, abs=1e-6)


def test_matrices_agree_with_scipy() -> None:
    rotation = Rotation.random(20, rng=np.random.default_rng(0))
    matrices = quaternion_matrix(torch.tensor(rotation.as_quat(scalar_first=True)))
    np.testing.assert_allclose(matrices.numpy(), rotation.as_matrix(), atol=1e-12)
