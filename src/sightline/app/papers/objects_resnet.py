"""The ResNet of the package's objects network: what networks start from where ImageNet's is not."""

from __future__ import annotations

from pathlib import Path

from sightline.learning.runs import WEIGHTS

#: What settings call it.
OBJECTS = "objects"


def objects_resnet() -> tuple[str, Path]:
    """Return its name and width, ``resnet18@0.5``, and its file."""
    from sightline.tasks.objects.checkpoint import BUNDLED
    from sightline.tasks.objects.config import read_config

    config = read_config(BUNDLED / "config.toml")
    return f"{config.backbone}@{config.width:g}", BUNDLED / WEIGHTS


def start_of(weights: str) -> str:
    """Return a setting of what networks start from, as training takes it."""
    return str(objects_resnet()[1]) if weights == OBJECTS else weights


def start_in_words(weights: str) -> str:
    """Return what networks start from."""
    if weights == "none":
        return "from scratch"
    if weights == OBJECTS:
        return "started from the ResNet of the package's objects network"
    return f"started from {weights}"
