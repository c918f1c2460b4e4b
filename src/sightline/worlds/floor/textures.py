"""The texture array: every picture a floor wants, painted from its seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.worlds import pictures
from sightline.worlds.canvas import LAYER_PX, Picture, TextureSpec
from sightline.worlds.floor import materials

#: Kind -> painter.
PAINTERS: dict[str, Callable[[TextureSpec, np.random.Generator], Picture]] = {
    "art": pictures.paint_art,
    "books": pictures.paint_books,
    "ceiling": materials.paint_ceiling,
    "chart": pictures.paint_chart,
    "cupboard": materials.paint_cupboard,
    "door": materials.paint_door,
    "exit": pictures.paint_exit,
    "fabric": materials.paint_fabric,
    "floor": materials.paint_floor,
    "lamp": materials.paint_lamp,
    "landscape": pictures.paint_landscape,
    "leaves": materials.paint_leaves,
    "metro": pictures.paint_metro,
    "mosaic": materials.paint_mosaic,
    "notice": pictures.paint_notice,
    "parquet": materials.paint_parquet,
    "pinboard": pictures.paint_pinboard,
    "plain": materials.paint_plain,
    "plaster": materials.paint_plaster,
    "rug": pictures.paint_rug,
    "shapes": pictures.paint_shapes,
    "sign": pictures.paint_sign,
    "window": pictures.paint_window,
    "wood": materials.paint_wood,
}


def paint_layers(specs: tuple[TextureSpec, ...], seed: int) -> NDArray[np.uint8]:
    """Return (N, LAYER_PX, LAYER_PX, 3) pictures, top row first; picture i depends on seed and i.

    Raises:
        InputError: A kind that nobody paints.
    """
    layers = np.empty((len(specs), LAYER_PX, LAYER_PX, 3), np.uint8)
    for index, spec in enumerate(specs):
        if spec.kind not in PAINTERS:
            raise InputError(f"a texture of {', '.join(PAINTERS)} is wanted, {spec.kind!r} came")
        layers[index] = PAINTERS[spec.kind](spec, np.random.default_rng([seed, 2, index]))
    return layers
