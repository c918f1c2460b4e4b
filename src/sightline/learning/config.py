"""How a network is fitted; imports without torch, so that ``--help`` stays quick."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from sightline.errors import InputError


@dataclass(frozen=True)
class FitConfig:
    """Optimisation, shared by all tasks."""

    epochs: int = 300
    """Passes over the training frames; with a time budget it only caps them (0 = no cap)."""
    max_seconds: float = 0.0
    """Time budget in seconds; the learning rate then falls over it. 0 = none: count epochs."""
    batch: int = 16
    """Samples a step (frames for PoseNet, tuples for MapNet)."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """How weights follow their gradients; sgd has a momentum of 0.9."""
    learning_rate: float = 1e-3
    """Highest learning rate."""
    weight_decay: float = 1e-3
    """Decay of the weight matrices (not of biases, norms or loss weights); decoupled in AdamW."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises from zero."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """How the learning rate goes on after the warm-up."""
    ema: float = 0.99
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""
    clip_norm: float = 0.0
    """Largest gradient norm; 0 = no clipping."""
    validate_every: int = 0
    """Epochs between validations; 0 = as often as costs under 5% of the time."""
    checkpoint_every_s: float = 20.0
    """Seconds between checkpoints to resume from; 0 = after every epoch."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of a trained backbone; auto takes bfloat16 where the processor has it built in."""
    threads: int = 0
    """Processor threads of a step; 0 = torch's choice. Small networks are fastest on 1."""
    seed: int = 0
    """Seed of weights, order and augmentation."""

    def __post_init__(self) -> None:
        wanted = {
            "epochs": self.epochs >= (0 if self.max_seconds > 0 else 1),
            "max_seconds": self.max_seconds >= 0,
            "batch": self.batch >= 1,
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "warmup": 0 <= self.warmup < 1,
            "ema": 0 <= self.ema < 1,
            "clip_norm": self.clip_norm >= 0,
            "validate_every": self.validate_every >= 0,
            "checkpoint_every_s": self.checkpoint_every_s >= 0,
            "threads": 0 <= self.threads <= 1024,
            "seed": self.seed >= 0,
        }
        refuse(self, wanted)


def refuse(config: object, wanted: dict[str, bool]) -> None:
    """Raise for the first field that is out of its range.

    Raises:
        InputError: Names the field, its value, and what it means.
    """
    for name, good in wanted.items():
        if not good:
            names = [f.name for f in dataclasses.fields(config)]  # type: ignore[arg-type]
            came = getattr(config, name) if name in names else "?"
            raise InputError(f"{name} = {came!r} is out of range; see `--help` for what it means")
