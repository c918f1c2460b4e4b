"""Run folders of tiny networks that learned nothing: for what is done with runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from sightline.learning.runs import CONFIG, WEIGHTS, save_weights
from sightline.tasks.objects.config import ObjectsConfig, write_config
from sightline.tasks.objects.model import create_model

TINY = ObjectsConfig(
    backbone="resnet18", width=0.06, weights="none", pose_sizes=(8, 8), head="sixd", crop_px=32
)


def make_run(
    run_dir: Path, categories: Sequence[str] = ("bus", "car", "chair"), seed: int = 0, **table: str
) -> Path:
    """Write the run folder of an untrained network."""
    torch.manual_seed(seed)
    run = {"categories": list(categories), "confidence": 0.25, **table}
    write_config(run_dir / CONFIG, TINY, run=run)
    save_weights(run_dir / WEIGHTS, create_model(TINY, categories))
    return run_dir
