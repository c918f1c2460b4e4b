"""Whether ImageNet weights can be had here: without them everything is trained from scratch."""

from __future__ import annotations

import dataclasses
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

from sightline.app.papers.paper000.config import Paper000Config

#: Of one question whether a file is there; machines without a network may not answer at all.
_TIMEOUT_S = 5.0


def with_weights(
    config: Paper000Config, progress: Callable[[str, float], None]
) -> tuple[Paper000Config, str]:
    """Return the settings with ``auto`` weights decided, and why in words (empty where given)."""
    if config.weights != "auto":
        return config, ""
    progress("looking for ImageNet weights", 0.0)
    wanted = dataclasses.replace(config, weights="imagenet")
    lacks = next((name for name in wanted.names if not is_at_hand(name)), None)
    if lacks is None:
        return wanted, "ImageNet weights were found for every backbone (--weights auto)"
    return dataclasses.replace(config, weights="none"), (
        f"no ImageNet weights of {lacks} can be had here (torch's cache, download), so all is "
        "trained from scratch; `--weights imagenet` would stop instead"
    )


def is_at_hand(backbone: str) -> bool:
    """Return whether torchvision's ImageNet weights lie in torch's cache or can be downloaded."""
    from torch.hub import get_dir

    from sightline.learning.backbones import COMPACT, imagenet_weights

    if backbone == COMPACT:
        return False
    url = str(imagenet_weights(backbone).url)
    if (Path(get_dir()) / "checkpoints" / Path(urlparse(url).path).name).is_file():
        return True
    try:
        # torchvision's own address, asked as torch.hub asks it, so through the same proxies
        question = urllib.request.Request(url, method="HEAD")  # noqa: S310
        with urllib.request.urlopen(question, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
