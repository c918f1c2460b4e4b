"""The depth networks: a small convolutional one, and Depth Anything's."""

from __future__ import annotations

from sightline.learning.backbones import InputContract
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.dpt import DptNet
from sightline.tasks.depth.network import DepthNet, DepthOut
from sightline.tasks.depth.small import SmallNet

__all__ = ["DepthNet", "DepthOut", "create_model"]


def create_model(config: DepthConfig, weights: str | None = None) -> DepthNet:
    """Return the network of a configuration.

    Args:
        config: What to make; of the stage metric, it says depth in metres, else disparity.
        weights: Instead of the configuration's: ``none`` where a checkpoint is loaded next.

    Raises:
        WeightsError: The weights cannot be had, or do not fit.
        CatalogError: No such encoder, or not of this width.
    """
    start = config.weights if weights is None else weights
    contract = InputContract(config.frame_width, config.frame_height)
    max_depth_m = config.max_depth_m if config.stage == "metric" else None
    if config.architecture == "dpt":
        return DptNet(config.encoder, contract, max_depth_m, start)
    return SmallNet(config.encoder, config.width, contract, max_depth_m, start)
