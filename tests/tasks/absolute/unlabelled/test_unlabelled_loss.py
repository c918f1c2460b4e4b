"""MapNet+'s term: zero wherever the world lies, pulls relative poses, never draws them in."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.model import create_model, decode_quaternion
from sightline.tasks.absolute.samples import PoseBatch
from sightline.tasks.absolute.task import AbsoluteTask
from sightline.tasks.absolute.unlabelled.loss import RelativeLoss, free_length_difference
from sightline.tasks.absolute.unlabelled.samples import MixedBatch
from sightline.tasks.absolute.unlabelled.task import MapNetPlusTask

ROTATIONS = ["quaternion", "logq", "6d"]
STEP, TUPLES = 3, 4


def encode(poses: Pose, kind: str) -> torch.Tensor:
    """A head's numbers for known poses, by scipy."""
    if kind == "quaternion":
        numbers = poses.q_wxyz
    elif kind == "logq":
        numbers = poses.rotation.as_rotvec() / 2
    else:
        numbers = np.swapaxes(poses.rotation.as_matrix()[:, :, :2], 1, 2).reshape(-1, 6)
    return torch.from_numpy(np.concatenate([poses.translation, numbers], axis=1)).double()


def walk(seed: int = 0, spread: float = 0.6) -> Pose:
    """Frames of four tuples, turned by less than a right angle about a common axis system."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(rng.uniform(-spread, spread, (STEP * TUPLES, 3)))
    return Pose.from_rotation(turn, rng.normal(size=(STEP * TUPLES, 3)))


def moved(poses: Pose, seed: int, scale: float = 1.0) -> Pose:
    """The same motion in a world that lies elsewhere."""
    rng = np.random.default_rng(seed)
    world = Pose.from_rotation(Rotation.random(rng=rng), rng.normal(size=3))
    there = world @ poses
    return Pose(there.q_wxyz, scale * there.translation)


def batch_of(poses: Pose) -> PoseBatch:
    count = len(poses)
    return PoseBatch(
        torch.zeros(count, 1),
        torch.from_numpy(poses.translation).double(),
        torch.from_numpy(poses.q_wxyz).double(),
    )


def config(**changes: object) -> AbsoluteConfig:
    return dataclasses.replace(AbsoluteConfig(step=STEP), **changes)  # type: ignore[arg-type]


def in_pieces(poses: Pose, scales: tuple[float, float]) -> tuple[Pose, torch.Tensor]:
    """The first two tuples in one world, the others in another, each with its own unit."""
    half = len(poses) // 2
    parts = [moved(poses[:half], 7, scales[0]), moved(poses[half:], 8, scales[1])]
    q = np.concatenate([part.q_wxyz for part in parts])
    t = np.concatenate([part.translation for part in parts])
    return Pose(q, t), torch.tensor([4, 4, 9, 9])


@pytest.mark.parametrize("kind", ROTATIONS)
@pytest.mark.parametrize("metric", [True, False])
def test_zero_wherever_either_world_lies(kind: str, metric: bool) -> None:
    true = walk()
    odometry, piece = in_pieces(true, (1.0, 1.0) if metric else (0.2, 30.0))
    loss = RelativeLoss(config(rotation=kind), metric=metric)
    for seed in range(3):
        raw = encode(moved(true, seed), kind)
        position, rotation = loss(raw, batch_of(odometry), piece)
        assert float(position) == pytest.approx(0.0, abs=1e-5)
        assert float(rotation) == pytest.approx(0.0, abs=1e-5)


def test_other_lengths_count_only_where_they_are_known() -> None:
    true = walk()
    odometry, piece = in_pieces(true, (1.0, 1.5))
    raw = encode(true, "quaternion")
    known = RelativeLoss(config(loss="l2"), metric=True)(raw, batch_of(odometry), piece)
    lengths = [
        np.linalg.norm(relative_pose(true[i], true[j]).translation)
        for first in (6, 9)
        for i in range(first, first + 3)
        for j in range(first, first + 3)
        if i != j
    ]
    # Half of the pairs are half as long again as they should be.
    assert float(known[0]) == pytest.approx(0.5 * np.mean(lengths) / 2)
    free = RelativeLoss(config(loss="l2"), metric=False)(raw, batch_of(odometry), piece)
    assert float(free[0]) == pytest.approx(0.0, abs=1e-5)


def test_one_length_against_another_counts_within_a_piece() -> None:
    """Two steps, 1 and 2 long, where odometry says 1 and 1: known from the sums of squares."""
    estimated = torch.tensor([[1.0, 0, 0], [0, 2.0, 0]])
    measured = torch.tensor([[5.0, 0, 0], [0, 5.0, 0]])
    together = free_length_difference(estimated, measured, torch.tensor([3, 3]))
    unit = math.sqrt(2.5)
    expected = torch.tensor([[1 - unit, 0, 0], [0, 2 - unit, 0]])
    torch.testing.assert_close(together, expected)
    apart = free_length_difference(estimated, measured, torch.tensor([3, 5]))
    torch.testing.assert_close(apart, torch.zeros(2, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0.01, 0.7, 3.0])
def test_a_wrong_direction_costs_its_chord(angle: float) -> None:
    estimated = torch.tensor([[3.0 * math.cos(angle), 3.0 * math.sin(angle), 0.0]])
    off = free_length_difference(estimated, torch.tensor([[0.1, 0, 0]]), torch.tensor([0]))
    assert float(off.norm()) == pytest.approx(2 * 3.0 * math.sin(angle / 2), rel=1e-4)


def test_nothing_is_gained_by_drawing_a_piece_in() -> None:
    generator = torch.Generator().manual_seed(0)
    estimated = torch.randn(12, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    measured = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    piece = torch.tensor([0] * 5 + [1] * 7)
    free_length_difference(estimated, measured, piece).abs().sum().backward()
    assert estimated.grad is not None
    along = (estimated.grad * estimated.detach()).sum(dim=1)
    for number in (0, 1):
        assert float(along[piece == number].sum()) == pytest.approx(0.0, abs=1e-9)
    assert float(estimated.grad.abs().max()) > 0.1


def test_finite_where_nothing_moves() -> None:
    estimated = torch.zeros(4, 3, requires_grad=True)
    measured = torch.ones(4, 3)
    for given in (measured, torch.zeros(4, 3)):
        free_length_difference(estimated, given, torch.zeros(4, dtype=torch.int64)).sum().backward()
        assert estimated.grad is not None
        assert torch.isfinite(estimated.grad).all()


@pytest.mark.parametrize("metric", [True, False])
def test_the_gradient_pulls_relative_poses_to_those_of_odometry(metric: bool) -> None:
    true = walk(seed=3)
    odometry, _ = in_pieces(true, (1.0, 1.0))
    piece = torch.tensor([0, 0, 1, 1])
    start = encode(true, "6d") + 0.2 * torch.randn(
        len(true), 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    raw = start.clone().requires_grad_(True)
    loss = RelativeLoss(config(rotation="6d", loss="mse"), metric=metric)
    optimiser = torch.optim.Adam([raw], lr=0.02)
    for _ in range(500):
        optimiser.zero_grad()
        position, rotation = loss(raw, batch_of(odometry), piece)
        (position + rotation).backward()
        optimiser.step()

    def poses(numbers: torch.Tensor) -> Pose:
        q = decode_quaternion(numbers[:, 3:], "6d")
        return Pose(q.detach().numpy(), numbers[:, :3].detach().numpy())

    first = np.arange(0, STEP * TUPLES, STEP).repeat(2)
    other = first + np.tile([1, 2], TUPLES)
    found = relative_pose(poses(raw)[first], poses(raw)[other])
    wanted = relative_pose(true[first], true[other])
    assert rotation_angle_deg(found.q_wxyz, wanted.q_wxyz).max() < 0.2
    scale = np.ones(len(first))
    if not metric:
        norms = (np.linalg.norm(p.translation, axis=1) for p in (found, wanted))
        ratio = np.divide(*norms)
        scale = np.where(np.arange(len(first)) < 4, np.median(ratio[:4]), np.median(ratio[4:]))
        # The size of what the network says is left as it is.
        assert 0.8 < scale.min() < scale.max() < 1.25
    np.testing.assert_allclose(found.translation, scale[:, None] * wanted.translation, atol=0.01)
    # Nothing absolute is told: the centres are still where noise put them, on average.
    drift = (raw.detach()[:, :3] - start[:, :3]).mean(dim=0)
    assert float(drift.norm()) < 0.1


def test_the_walk_is_weighed_by_what_the_labels_teach_and_teaches_no_weights() -> None:
    settings = AbsoluteConfig(
        backbone="compact", weights="none", width=32, height=32, beta=0.7, gamma=-0.4,
        step=2, unlabelled_weight=2.5, precision="float32",
    )  # fmt: skip
    torch.manual_seed(0)
    network = create_model(settings).eval()
    mapnet = AbsoluteTask(network, settings, None)
    plus = MapNetPlusTask(mapnet, settings, metric=True)
    assert plus.model is mapnet.model

    def some(seed: int) -> PoseBatch:
        poses = walk(seed)[:4]
        images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
        numbers = (torch.from_numpy(a).float() for a in (poses.translation, poses.q_wxyz))
        return PoseBatch(images, *numbers)

    labelled, other = some(1), some(2)
    alone = mapnet.terms(labelled)
    alone["loss"].backward()
    taught = [float(p.grad) for p in mapnet.loss.parameters() if p.grad is not None]
    mapnet.model.zero_grad()
    both = plus.terms(MixedBatch(labelled, other, torch.tensor([0, 1])))
    both["loss"].backward()
    added = both["loss"].item() - alone["loss"].item()
    position, rotation = both["unlabelled_position"].item(), both["unlabelled_rotation"].item()
    assert added == pytest.approx(
        2.5 * (position * math.exp(-0.7) + rotation * math.exp(0.4)), rel=1e-4
    )
    assert position > 0.1
    again = [float(p.grad) for p in mapnet.loss.parameters() if p.grad is not None]
    np.testing.assert_allclose(again, taught, rtol=1e-4)
    assert len(taught) == 2
