"""What the hypotheses should be: the right region, the right point in it, on the right ray."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.tasks.absolute.scene.network import SceneNet
from sightline.tasks.absolute.scene.samples import SceneBatch


class SceneCoordinateLoss(nn.Module):
    """``region + offset + reprojection * angle``, over the cells whose depth the map knows.

    - ``region``: cross entropy with the regions around the true point, weighed by how near their
      centres are, so that a cell on a border may choose either;
    - ``offset``: distance of those regions' points to the true one, in region sizes; not squared,
      so that the odd wrong depth of the map counts little;
    - ``angle``: the part of that distance across the ray, over the depth. It is the reprojection
      error (in radians), right even where the map's depth is not, and finite behind the camera.
    """

    def __init__(self, reprojection: float) -> None:
        super().__init__()
        self._reprojection = reprojection

    def forward(self, network: SceneNet, batch: SceneBatch) -> dict[str, Tensor]:
        """Return the terms and ``loss``."""
        logits, points = network(batch.inputs)
        known = batch.known
        logits, points, true = logits[known], points[known], batch.points[known]
        if not len(true):
            nothing = logits.sum() + points.sum()
            return dict.fromkeys(("region", "offset", "angle", "loss"), nothing)
        weights = region_weights(true, network.centres, network.spread)
        region = -(weights * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
        error = points - true[:, None]
        offset = (weights * torch.linalg.vector_norm(error, dim=-1)).sum(dim=-1).mean()
        offset = offset / network.spread
        seen = true - batch.camera_centres(known)
        angle = (weights * angle_from_ray(error, seen)).sum(dim=-1).mean()
        loss = region + offset + self._reprojection * angle
        return {"region": region, "offset": offset, "angle": angle, "loss": loss}


def region_weights(points: Tensor, centres: Tensor, spread: Tensor) -> Tensor:
    """Return (M, K) weights of the regions around points; each row sums to 1."""
    squared = (points[:, None] - centres).square().sum(dim=-1)
    return torch.softmax(-squared / (2.0 * spread.square()), dim=-1)


def angle_from_ray(error: Tensor, seen: Tensor) -> Tensor:
    """Return (M, K) the errors' parts across the ray over the distance: small angles in radians.

    Args:
        error: (M, K, 3) hypotheses minus true points.
        seen: (M, 3) true points minus camera centres.
    """
    distance = torch.linalg.vector_norm(seen, dim=-1, keepdim=True).clamp(min=1e-6)
    ray = (seen / distance)[:, None]
    across = error - (error * ray).sum(dim=-1, keepdim=True) * ray
    angle: Tensor = torch.linalg.vector_norm(across, dim=-1) / distance
    return angle
