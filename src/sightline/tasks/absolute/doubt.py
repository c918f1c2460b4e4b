"""How unsure a network is of its pose: its head thinned out at random, again and again."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.tasks.absolute.model import PoseRegressor

#: Thinned heads: the deviation over them is right to a seventh.
_DRAWS = 24


def predict_with_spread(
    network: PoseRegressor, frames: NDArray[np.uint8], batch: int = 32, draws: int = _DRAWS
) -> tuple[Pose, Array | None]:
    """Return poses, and how far their centres move where dropout goes on after training.

    Dropout stands before the head alone, so the backbone runs once for all draws. The draws are the
    same for every frame and every call. Source: Gal and Ghahramani 2016; for poses Kendall and
    Cipolla 2016, Modelling Uncertainty in Deep Learning for Camera Relocalization.

    Args:
        network: In eval mode.
        frames: (N, height, width, 3) of the network's size.
        batch: Frames at once.
        draws: Thinned heads.

    Returns:
        (N,) world_from_cam without dropout, and (N,) roots of the summed variance of the centre in
        the world's unit; None for a network that was trained without dropout.
    """
    rate = network.dropout.p
    device = network.translation_scale.device
    generator = torch.Generator().manual_seed(0)
    shape = (draws, 1, network.backbone.features)
    thinned = ((torch.rand(shape, generator=generator) >= rate) / (1.0 - rate)).to(device)
    rotations, centers, spreads = [np.zeros((0, 4))], [np.zeros((0, 3))], [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(frames), batch):
            part = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch]))
            inputs = network.backbone.contract.normalise(part.permute(0, 3, 1, 2))
            features = network.backbone(inputs.to(device)).float()
            q_wxyz, center = network.decode(network.head(features))
            rotations.append(q_wxyz.double().cpu().numpy())
            centers.append(center.double().cpu().numpy())
            if rate > 0:
                drawn = network.decode(network.head((features * thinned).flatten(0, 1)))[1]
                variance = drawn.reshape(draws, -1, 3).var(dim=0).sum(dim=-1)
                spreads.append(variance.sqrt().double().cpu().numpy())
    poses = Pose(np.concatenate(rotations), np.concatenate(centers))
    return poses, np.concatenate(spreads) if rate > 0 else None
