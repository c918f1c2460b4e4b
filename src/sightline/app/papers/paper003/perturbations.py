"""Fig. 3: the strong perturbations, one by one and together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper003.drawing import Panel, draw_grid
from sightline.app.papers.paper003.study import Study, kind_of, readable, source_of
from sightline.app.papers.results import Section

#: Images of the figure.
_SHOWN = 4
_COLUMNS = ("clean, as the teacher sees it", "colour", "blur", "CutMix", "S: all of them")


def figure3(study: Study, folder: Path) -> Section:
    """Return Fig. 3: training images as the student sees them."""
    data, config = study.data, study.config
    items = data.part("train").items or data.items
    by_kind = {kind_of(source_of(item)): item for item in reversed(items)}
    few = list(by_kind.values()) if len(by_kind) >= _SHOWN else items[:: len(items) // _SHOWN or 1]
    size = config.frame_width, config.frame_height
    frames = [_frame(photo, size) for _, photo, _ in readable(data, few, _SHOWN)]
    columns = perturbed(np.stack(frames), config.seed)
    grid = [
        [Panel(column[row], title if row == 0 else "")
         for title, column in zip(_COLUMNS, columns, strict=True)]
        for row in range(len(frames))
    ]  # fmt: skip
    picture = "figures/figure-3.png"
    draw_grid(folder / picture, grid)
    return Section(
        "figure-3",
        "Fig. 3: strong perturbations of pseudo-labelled images",
        notes=(
            "drawn at the strengths that training draws; here every image is blurred and cut, in "
            "training half of them are",
        ),
        pictures=(picture,),
    )


def perturbed(frames: NDArray[np.uint8], seed: int) -> list[NDArray[np.uint8]]:
    """Return frames clean, in other colours, blurred, cut, and all of it.

    Args:
        frames: (N, H, W, 3) uint8.
        seed: Of the draws.

    Returns:
        Five arrays of the same shape.
    """
    import torch

    from sightline.tasks.depth.perturb import (
        BLUR_SIGMA,
        STRONG_COLOUR,
        cutmix,
        draw_colours,
        draw_cuts,
        gaussian_blur,
    )

    rng = np.random.default_rng(seed)
    clean = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    count, _, height, width = clean.shape
    jitter = draw_colours(rng, count, STRONG_COLOUR)
    sigma = np.full(count, BLUR_SIGMA[1])
    cut = torch.from_numpy(draw_cuts(rng, count, height, width, 1.0))
    known = torch.ones(count, height, width)

    def mixed(images: torch.Tensor) -> torch.Tensor:
        return cutmix(images, known, known > 0, cut)[0]

    coloured = jitter.apply(clean)
    shown = [
        clean,
        coloured,
        gaussian_blur(clean, sigma),
        mixed(clean),
        mixed(gaussian_blur(coloured, sigma)),
    ]
    return [images.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy() for images in shown]


def _frame(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    from sightline.learning.cache import FrameSize

    return FrameSize(*size).resize(Image.fromarray(image))
