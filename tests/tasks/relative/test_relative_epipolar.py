"""Soft matches to a pose: exact points give the exact pose, wrong ones are left aside."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.tasks.relative.correlation import around_the_peak
from sightline.tasks.relative.epipolar import RayMatches, polish


def scene(count: int = 8, wrong: int = 0) -> tuple[RayMatches, Pose]:
    """Eighty points before two cameras, some matched to nowhere."""
    generator = np.random.default_rng(3)
    turn = Rotation.from_euler("YXZ", generator.uniform(-15, 15, (count, 3)), degrees=True)
    step = generator.normal(size=(count, 3))
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    b_from_a = Pose.from_rotation(turn, step)
    points = generator.uniform([-2, -2, 4], [2, 2, 7], (count, 80, 3))
    there = np.einsum("nij,nmj->nmi", b_from_a.rotation_matrix, points) + step[:, None]
    a, b = points / points[..., 2:], there / there[..., 2:]
    if wrong:
        b[:, :wrong, :2] = generator.uniform(-0.5, 0.5, (count, wrong, 2))
    weight = torch.ones(count, 80, dtype=torch.float64)
    return RayMatches(torch.from_numpy(a), torch.from_numpy(b), weight), b_from_a


def errors_deg(found: torch.Tensor, true: Pose) -> tuple[np.ndarray, np.ndarray]:
    pose = Pose(found[:, :4].detach().numpy(), found[:, 4:].detach().numpy())
    roe = np.rad2deg((pose.rotation * true.rotation.inv()).magnitude())
    cosine = np.clip((pose.translation * true.translation).sum(1), -1, 1)
    return roe, np.rad2deg(np.arccos(cosine))


def start(true: Pose, off_deg: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The true rotation turned by so much, and a direction that is of no use."""
    generator = np.random.default_rng(4)
    axis = generator.normal(size=(len(true), 3))
    axis *= np.deg2rad(off_deg) / np.linalg.norm(axis, axis=1, keepdims=True)
    q = (Rotation.from_rotvec(axis) * true.rotation).as_quat(scalar_first=True)
    useless = np.tile([0.0, 0.0, 1.0], (len(true), 1))
    return torch.from_numpy(q), torch.from_numpy(useless)


@pytest.mark.parametrize(("wrong", "limit"), [(0, 1e-3), (8, 0.8)])
def test_the_true_pose_is_found_from_a_rough_one(wrong: int, limit: float) -> None:
    matches, true = scene(wrong=wrong)
    roe, rte = errors_deg(polish(matches, *start(true, 1.0 if wrong else 5.0), steps=20), true)
    assert np.median(roe) < limit
    assert np.median(rte) < 10 * limit


def test_matches_without_weight_do_not_count() -> None:
    matches, true = scene(wrong=40)
    matches.weight[:, :40] = 0
    roe, rte = errors_deg(polish(matches, *start(true, 3.0), steps=20), true)
    assert roe.max() < 0.01
    assert rte.max() < 0.1


def test_points_come_before_both_cameras() -> None:
    """The opposite direction fits the epipolar lines as well; the depths tell them apart."""
    matches, true = scene()
    q = torch.from_numpy(true.q_wxyz)
    _, rte = errors_deg(polish(matches, q, -torch.from_numpy(true.translation), steps=3), true)
    assert rte.max() < 0.1


def test_the_answer_has_the_gradient_of_the_minimum() -> None:
    """Moving one match moves the answer as the gradient says (by central differences)."""
    matches, true = scene(count=1)
    matches.b[..., :2] += 1e-3 * torch.randn(
        1, 80, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    q, t = torch.from_numpy(true.q_wxyz), torch.from_numpy(true.translation)

    def answer(b: torch.Tensor) -> torch.Tensor:
        return polish(RayMatches(matches.a, b, matches.weight), q, t, steps=30)[0, 1]

    b = matches.b.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(answer(b), b)
    step = torch.zeros_like(matches.b)
    step[0, 7, 1] = 1e-4
    numeric = (answer(matches.b + step) - answer(matches.b - step)) / 2e-4
    assert gradient[0, 7, 1].item() == pytest.approx(numeric.item(), rel=0.3)
    assert torch.isfinite(gradient).all()


def test_nothing_sure_still_gives_a_pose() -> None:
    matches, true = scene(count=2)
    matches.weight[:] = 0
    found = polish(matches, *start(true, 0.0), steps=5)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[:, 4:].norm(dim=1), torch.ones(2, dtype=torch.float64))


def test_only_the_peaks_neighbours_count() -> None:
    """On a grid of 3 x 5, a peak at row 0, column 1 and a rival at row 2, column 4."""
    probability = torch.zeros(1, 1, 15)
    probability[0, 0, 1], probability[0, 0, 6], probability[0, 0, 14] = 0.5, 0.25, 0.25
    found = around_the_peak(probability, torch.Size((3, 5)))[0, 0]
    assert found.nonzero().flatten().tolist() == [1, 6]
    torch.testing.assert_close(found[[1, 6]], torch.tensor([2 / 3, 1 / 3]))
