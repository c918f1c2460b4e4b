"""Eq. 1 and Eq. 9 against NumPy, their gradients where dangerous, and the epipolar term."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.tasks.relative.loss import (
    FAR,
    RelativePoseLoss,
    epipolar_distance,
    matching_loss,
    rotation_matrix,
    same_side,
)


def random_labels(count: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    q = Rotation.random(count, random_state=generator).as_quat(scalar_first=True)
    t = generator.normal(size=(count, 3))
    return generator.normal(size=(count, 7)), q, t / np.linalg.norm(t, axis=1, keepdims=True)


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(a) for a in arrays]


@pytest.mark.parametrize(("kind", "power"), [("norm", 1), ("squared", 2)])
def test_it_is_the_papers_equation(kind: str, power: int) -> None:
    raw, q, t = random_labels()
    terms = RelativePoseLoss(kind, beta=10.0)(*tensors(raw, q, t))  # type: ignore[arg-type]
    nearer = np.minimum(
        np.linalg.norm(raw[:, :4] - q, axis=1), np.linalg.norm(raw[:, :4] + q, axis=1)
    )
    rotation = np.mean(nearer**power)
    translation = np.mean(np.linalg.norm(raw[:, 4:] - t, axis=1) ** power)
    assert terms["rotation"].item() == pytest.approx(rotation)
    assert terms["translation"].item() == pytest.approx(translation)
    assert terms["loss"].item() == pytest.approx(translation + 10 * rotation)


@pytest.mark.parametrize("kind", ["norm", "squared"])
def test_either_sign_of_a_quaternion_is_the_same(kind: str) -> None:
    raw, q, t = tensors(*random_labels())
    loss = RelativePoseLoss(kind)  # type: ignore[arg-type]
    assert loss(raw, q, t)["loss"].item() == pytest.approx(loss(raw, -q, t)["loss"].item())
    flat = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    assert same_side(flat, torch.tensor([[1.0, 0.0, 0.0, 0.0]])).norm() == 1


@pytest.mark.parametrize("kind", ["norm", "squared"])
def test_a_perfect_answer_has_a_finite_gradient(kind: str) -> None:
    _, q, t = tensors(*random_labels())
    raw = torch.cat([q, t], dim=1).requires_grad_()
    loss = RelativePoseLoss(kind)(raw, q, t)["loss"]  # type: ignore[arg-type]
    assert loss.item() == 0
    loss.backward()
    assert raw.grad is not None
    assert torch.equal(raw.grad, torch.zeros_like(raw))


def test_norms_pull_alike_however_large_the_error() -> None:
    _, q, t = tensors(*random_labels(1))
    pulls = []
    for off in (0.01, 1.0):
        raw = torch.cat([q, t + off], dim=1).requires_grad_()
        RelativePoseLoss("norm")(raw, q, t)["loss"].backward()
        assert raw.grad is not None
        pulls.append(raw.grad[:, 4:].norm().item())
    assert pulls == pytest.approx([1.0, 1.0])


def test_matrices_are_scipys() -> None:
    _, q, _ = random_labels()
    expected = Rotation.from_quat(q, scalar_first=True).as_matrix()
    np.testing.assert_allclose(rotation_matrix(torch.from_numpy(q)).numpy(), expected, atol=1e-12)


def scene() -> tuple[Pose, np.ndarray, np.ndarray]:
    """Points before two cameras, as rays of either on the plane z = 1."""
    generator = np.random.default_rng(2)
    turn = Rotation.from_euler("YXZ", [20, -7, 4], degrees=True)
    b_from_a = Pose.from_rotation(turn, np.array([0.6, -0.64, 0.48]))
    points = generator.uniform([-1, -1, 3], [1, 1, 6], (30, 3))
    there = b_from_a.apply(points)
    return b_from_a, points[:, :2] / points[:, 2:], there[:, :2] / there[:, 2:]


def test_true_matches_lie_on_their_epipolar_lines() -> None:
    b_from_a, rays_a, rays_b = scene()
    q, t = tensors(b_from_a.q_wxyz[None], b_from_a.translation[None])
    a, b = tensors(rays_a[None], rays_b[None])
    in_b, in_a = epipolar_distance(a, b, q, t)
    assert in_b[0].diagonal().max() < 1e-9
    assert in_a[0].diagonal().max() < 1e-9
    # moved across its line by a known length: that is the distance
    centre = b_from_a.translation[:2] / b_from_a.translation[2]  # the epipole: all lines meet here
    along = rays_b - centre
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1)[:, None]
    moved = torch.from_numpy((rays_b + 0.03 * across)[None])
    np.testing.assert_allclose(epipolar_distance(a, moved, q, t)[0][0].diagonal(), 0.03, rtol=1e-9)


def test_swapping_the_pair_swaps_the_distances() -> None:
    b_from_a, rays_a, rays_b = scene()
    back = b_from_a.inverse()
    a, b = tensors(rays_a[None], rays_b[None])
    q, t, q_back, t_back = tensors(
        b_from_a.q_wxyz[None], b_from_a.translation[None],
        back.q_wxyz[None], back.translation[None],
    )  # fmt: skip
    in_b, in_a = epipolar_distance(a, b, q, t)
    back_a, back_b = epipolar_distance(b, a, q_back, t_back)
    torch.testing.assert_close(in_b, back_b.transpose(1, 2))
    torch.testing.assert_close(in_a, back_a.transpose(1, 2))


def test_right_matches_cost_nothing_and_wrong_ones_at_most_one() -> None:
    b_from_a, rays_a, rays_b = scene()
    q, t = tensors(b_from_a.q_wxyz[None], b_from_a.translation[None])
    distances = epipolar_distance(*tensors(rays_a[None], rays_b[None]), q, t)
    right = torch.eye(30, dtype=torch.float64)[None]
    assert matching_loss(right, right, distances).item() < 1e-8
    wrong = right.roll(7, dims=2)
    near = [
        1 - np.minimum(d[0].numpy()[np.arange(30), (np.arange(30) + 7) % 30] / FAR, 1)
        for d in distances
    ]
    expected = np.mean([np.log(0.05 + 0.95 * n) / np.log(0.05) for n in near])
    assert matching_loss(wrong, wrong, distances).item() == pytest.approx(expected)
    assert 0.1 < expected <= 1
