"""Networks that learned nothing, small enough for tests: runs, Depth Anything's, DINOv2's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.learning.backbones import InputContract
from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
from sightline.tasks.depth.config import DepthConfig, write_config
from sightline.tasks.depth.hub import transformers
from sightline.tasks.depth.model import create_model
from sightline.tasks.depth.network import DepthNet

#: A network of some ten thousand parameters.
TINY = DepthConfig(width=0.06, frame_width=64, frame_height=48)


def make_depth_run(run_dir: Path, config: DepthConfig = TINY, seed: int = 0, **table: Any) -> Path:
    """Write the run folder of an untrained network."""
    torch.manual_seed(seed)
    write_config(run_dir / CONFIG, config, run={"name": run_dir.name, **table})
    network = create_model(replace(config, weights="none"))
    # batch norms that have seen something: in eval mode an untrained one is the identity
    network.train()
    network(torch.randn(4, 3, 48, 64))
    save_weights(run_dir / WEIGHTS, network)
    return run_dir


def make_depth_anything(
    folder: Path,
    *,
    metric: bool = False,
    layers: tuple[int, ...] = (1, 2, 3, 4),
    processor: bool = True,
) -> Path:
    """Write a checkpoint of Depth Anything with patches of 14 pixels and images of 70.

    Args:
        folder: Where to.
        metric: Of a metric network, which says up to 20 m.
        layers: That the decoder reads: the last four of V1, spread ones of V2.
        processor: Also write ``preprocessor_config.json``.
    """
    library = transformers()
    encoder = library.Dinov2Config(
        hidden_size=24,
        num_hidden_layers=max(layers),
        num_attention_heads=2,
        image_size=70,
        out_indices=list(layers),
        reshape_hidden_states=False,
    )
    config = library.DepthAnythingConfig(
        backbone_config=encoder,
        reassemble_hidden_size=24,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type="metric" if metric else "relative",
        max_depth=20 if metric else 1,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    library.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    if processor:
        library.DPTImageProcessor(
            size={"width": 70, "height": 70},
            keep_aspect_ratio=True,
            ensure_multiple_of=14,
            resample=3,
            image_mean=[0.485, 0.456, 0.406],
            image_std=[0.229, 0.224, 0.225],
        ).save_pretrained(folder)
    return folder


def make_dinov2(folder: Path) -> Path:
    """Write an encoder of DINOv2 with patches of 14 pixels and 24 channels."""
    library = transformers()
    config = library.Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=70
    )
    torch.manual_seed(0)
    library.Dinov2Model(config).save_pretrained(folder)
    return folder


class ColumnNet(DepthNet):
    """Says of every pixel of what it sees which column it is in."""

    def __init__(self, width: int = 64, height: int = 48, multiple: int = 16) -> None:
        super().__init__(
            InputContract(width, height), multiple=multiple, feature_channels=1, max_depth_m=None
        )
        self.none = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(tuple(images.shape))
        return images[:, :1], images[:, :1]

    def nearness(self, decoded: Tensor, size: tuple[int, int]) -> Tensor:
        columns = torch.arange(size[1], dtype=torch.float32).expand(len(decoded), *size)
        return columns + 30.0  # softplus(x) is x there
