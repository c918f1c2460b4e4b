"""Fronts of houses: rows of windows, some with a door below."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.worlds.canvas import LAYER_PX, Picture, hsv
from sightline.worlds.materials import paint_material

_N = LAYER_PX


def paint_facade(rng: np.random.Generator) -> Picture:
    """Return two to four floors of windows in a wall, which repeat both ways."""
    wall = paint_material(str(rng.choice(("plain", "plaster", "tiles", "plaster"))), rng)
    picture = np.ascontiguousarray(wall)
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    wide, tall = rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.75)
    frame = tuple(float(c) for c in hsv(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.2, 1.0)))
    glass = np.array(hsv(rng.uniform(0.5, 0.65), rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.6)))
    for row in range(rows):
        for column in range(columns):
            middle = np.array([(column + 0.5) * _N / columns, (row + 0.5) * _N / rows])
            half = np.array([wide * _N / columns, tall * _N / rows]) / 2
            low, high = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int)
            tone = tuple(float(c) for c in np.clip(glass * rng.uniform(0.5, 1.7), 0, 255))
            cv2.rectangle(picture, low.tolist(), high.tolist(), tone, -1)
            cv2.rectangle(picture, low.tolist(), high.tolist(), frame, 5, cv2.LINE_AA)
            bar = int(middle[0])
            cv2.line(picture, (bar, int(low[1])), (bar, int(high[1])), frame, 4)
            if rng.random() < 0.25:
                blind = int(low[1] + rng.uniform(0.2, 0.9) * (high[1] - low[1]))
                cv2.rectangle(picture, low.tolist(), (int(high[0]), blind), frame, -1)
    return picture
