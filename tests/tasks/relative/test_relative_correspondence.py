"""Cells seen from both sides, against points placed by hand and a ray-cast box."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.tasks.relative.correspondence import DepthView, correspondence_loss, seen_cells

GRID = (6, 8)
CAMERA = torch.tensor([[60.0, 60.0, 31.5, 23.5]])


def wall(distance: float) -> DepthView:
    return DepthView(torch.full((1, 48, 64), distance), CAMERA)


def parts(pose: Pose) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(pose.rotation_matrix[None]).float(),
        torch.from_numpy(pose.translation[None]).float(),
    )


def test_a_wall_seen_from_one_step_aside() -> None:
    """One cell is 8 px; a step of 8 px of parallax moves every match by one column."""
    step = Pose(np.array([1.0, 0, 0, 0]), np.array([8.0 * 3.0 / 60.0, 0.0, 0.0]))
    index, weight = seen_cells(wall(3.0), wall(3.0), *parts(step), GRID)
    total = weight.sum(dim=2)[0].reshape(GRID)
    assert (total[:, :-1] == 1).all()
    assert (total[:, -1] == 0).all()  # it left the image
    found = torch.zeros(48, 48).scatter_add_(1, index[0], weight[0])
    for row in range(GRID[0]):
        for column in range(GRID[1] - 1):
            # pixel 4 of 8 is asked about, half a pixel beside the cell's centre
            cell = found[row * 8 + column]
            assert cell[row * 8 + column + 1] > 0.85
            assert torch.isclose(cell.sum(), torch.tensor(1.0))


def test_what_is_hidden_behind_or_unknown_is_not_seen() -> None:
    still = parts(Pose.identity())
    assert (seen_cells(wall(3.0), wall(3.0), *still, GRID)[1].sum(dim=2) == 1).all()
    nearer = wall(2.0)  # something stands before it
    assert (seen_cells(wall(3.0), nearer, *still, GRID)[1] == 0).all()
    assert (seen_cells(wall(0.0), wall(3.0), *still, GRID)[1] == 0).all()
    assert (seen_cells(wall(3.0), wall(0.0), *still, GRID)[1] == 0).all()
    behind = Pose.from_rotation(Rotation.from_rotvec([0, np.pi, 0]), [0.0, 0.0, 0.0])
    assert (seen_cells(wall(3.0), wall(3.0), *parts(behind), GRID)[1] == 0).all()


def test_true_matches_cost_nothing_and_wrong_ones_do() -> None:
    pose = Pose.from_rotation(Rotation.from_euler("yxz", [0.1, -0.05, 0.04]), [0.2, -0.1, 0.05])
    rotation, translation = parts(pose)
    q = torch.from_numpy(pose.q_wxyz[None]).float()
    # a's wall is slanted as b sees it: b's depth from a's points, by brute force
    a = wall(3.0)
    b = DepthView(seen_from_b(pose, 3.0), CAMERA)
    index, weight = seen_cells(a, b, rotation, translation, GRID)
    assert (weight.sum(dim=2) > 0).float().mean() > 0.5
    true = torch.zeros(1, 48, 48).scatter_add_(2, index, weight)
    flat = torch.full((1, 48, 48), 1.0 / 48)

    def cost(there: torch.Tensor, back: torch.Tensor) -> float:
        return float(correspondence_loss(there, back, a, b, q, translation, GRID))

    turned_back = rotation.transpose(1, 2)
    start = -(turned_back @ translation[..., None])[..., 0]
    back_index, back_weight = seen_cells(b, a, turned_back, start, GRID)
    back = torch.zeros(1, 48, 48).scatter_add_(2, back_index, back_weight).transpose(1, 2)
    assert cost(flat, flat) > np.log(48) - 0.1
    assert cost(true, back) < 0.9  # bilinear weights of true places are not one-hot
    assert cost(true.roll(3, 2), back.roll(3, 1)) > cost(flat, flat)
    sharp = torch.zeros_like(true).scatter_(2, true.argmax(2, keepdim=True), 1.0)
    sharp_back = torch.zeros_like(back).scatter_(1, back.argmax(1, keepdim=True), 1.0)
    assert cost(sharp, sharp_back) < cost(true, back)


def seen_from_b(pose: Pose, distance: float) -> torch.Tensor:
    """z-depth of a's plane z = distance in camera b, by intersecting b's rays with it."""
    v, u = np.mgrid[0:48, 0:64]
    rays = np.stack([(u - 31.5) / 60.0, (v - 23.5) / 60.0, np.ones_like(u, float)], axis=-1)
    a_from_b = pose.inverse()
    directions = rays @ a_from_b.rotation_matrix.T
    depth = (distance - a_from_b.translation[2]) / directions[..., 2]
    return torch.from_numpy(depth[None]).float()
