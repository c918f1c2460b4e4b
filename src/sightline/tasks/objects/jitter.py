"""Jittered crops with exact labels: turns in and out of the picture plane, flips, boxes, colours.

A camera that turns about its centre sees the same rays: pixels move by ``K R K^-1``, whatever the
depth, and the object's rotation becomes ``R cam_from_object``. The crop is taken as the picture of
a camera that looks at the crop's middle. A flipped picture shows the mirrored object. All of it is
one map of pixels, so that a crop is resampled once.

Source: "3D pose jittering", Mahendran et al. 2018, Sec. 4.1, after their reference [6].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sightline.geometry.rotation import Array
from sightline.tasks.objects.config import ObjectsConfig

#: A turn out of the picture plane carries the crop's middle no farther than this share of its
#: side: with a telephoto lens a turn by 4 degrees would carry the object out of the crop.
_FARTHEST = 0.1

_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Jitter:
    """How N crops are changed.

    Attributes:
        rotation: (N, 3, 3) turn of the camera: what is applied to points in its axes.
        flipped: (N,) whether the picture is first flipped left to right.
        box: (N, 3) shift of the crop's middle to the right and down, and its growth; shares of
            its side.
        tables: (N, 256, 3) the new value of each value of each channel, uint8.
    """

    rotation: Array
    flipped: NDArray[np.bool_]
    box: Array
    tables: NDArray[np.uint8]

    def turns(self, turn: Array) -> Array:
        """Return (N, 3, 3) turns from the front as the changed crops show them.

        The level view of the front is its own mirror picture, so a turn is mirrored as
        ``cam_from_object`` is (:func:`sightline.geometry.viewpoint.mirrored`).
        """
        mirrored = np.where(self.flipped[:, None, None], _MIRROR @ turn @ _MIRROR, turn)
        turned: Array = self.rotation @ mirrored
        return turned

    def homographies(self, size: int, focal: Array) -> Array:
        """Return (N, 3, 3): from pixels of the crops to pixels of the changed crops.

        Args:
            size: Side of the crops in pixels.
            focal: (N,) focal length in pixels; 0 where unknown, where the turn must be in the
                picture plane (any focal length then gives the same).
        """
        count, middle = len(focal), (size - 1) / 2
        known = np.where(focal > 0, focal, float(size))
        camera = np.tile(np.eye(3), (count, 1, 1))
        camera[:, 0, 0] = camera[:, 1, 1] = known
        camera[:, :2, 2] = middle
        flip = np.tile(np.eye(3), (count, 1, 1))
        flip[self.flipped, 0] = [-1.0, 0.0, size - 1.0]
        window = np.tile(np.eye(3), (count, 1, 1))
        scale = 1.0 / (1.0 + self.box[:, 2])
        window[:, 0, 0] = window[:, 1, 1] = scale
        moved = middle + self.box[:, :2] * size  # this pixel becomes the middle
        window[:, :2, 2] = middle - moved * scale[:, None]
        changed: Array = window @ camera @ self.rotation @ np.linalg.inv(camera) @ flip
        return changed

    def apply(
        self, crops: Sequence[NDArray[np.uint8]], margin: int, focal: Array
    ) -> NDArray[np.uint8]:
        """Return (N, S, S, 3) changed crops, without their margin.

        Args:
            crops: N crops (M, M, 3) with a margin.
            margin: In pixels.
            focal: (N,) as for :meth:`homographies`.
        """
        size = crops[0].shape[0] - 2 * margin
        kept_from_new = np.linalg.inv(self.homographies(size, focal))
        kept_from_new[:, :2] += margin * kept_from_new[:, 2:]
        out = np.empty((len(crops), size, size, 3), np.uint8)
        how, beyond = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
        for i, crop in enumerate(crops):
            found = cv2.warpPerspective(
                crop, kept_from_new[i], (size, size), flags=how, borderMode=beyond
            )
            cv2.LUT(found, self.tables[i : i + 1], dst=out[i])
        return out


def draw_jitter(
    generator: np.random.Generator, focal: Array, config: ObjectsConfig, *, flip: bool | None = None
) -> Jitter:
    """Return random changes of N crops.

    Args:
        generator: Where they come from.
        focal: (N,) focal lengths in pixels of the crop; where they are 0 the camera only turns in
            the picture plane, and where they are long it turns less out of it (``_FARTHEST``).
        config: How far.
        flip: All or none; half of them where None and ``config.flip``.
    """
    count = len(focal)
    tilt = np.deg2rad(config.jitter_tilt_deg) * generator.uniform(-1, 1, count)
    out = _largest_turn(focal, config)[:, None] * generator.uniform(-1, 1, (count, 2))
    in_plane = Rotation.from_rotvec(np.column_stack([np.zeros((count, 2)), tilt]))
    out_of_plane = Rotation.from_rotvec(np.column_stack([out, np.zeros(count)]))
    chance = generator.random(count)
    flipped = chance < (0.5 if config.flip else 0.0) if flip is None else np.full(count, flip)
    edges = config.jitter_box * generator.uniform(-1, 1, (count, 4))
    box = np.column_stack([edges[:, :2] + edges[:, 2:], 2 * (edges[:, 2] - edges[:, 0])]) / 2
    return Jitter(
        (in_plane * out_of_plane).as_matrix(),
        np.asarray(flipped),
        box,
        colour_tables(generator, count, config.colour),
    )


def _largest_turn(focal: Array, config: ObjectsConfig) -> Array:
    """Return (N,) radians."""
    known = focal > 0
    kept_inside = np.arctan(_FARTHEST * config.crop_px / np.where(known, focal, 1.0))
    largest = np.minimum(np.deg2rad(config.jitter_turn_deg), kept_inside)
    return np.where(known, largest, 0.0)


def colour_tables(generator: np.random.Generator, count: int, amount: float) -> NDArray[np.uint8]:
    """Return (N, 256, 3) what the values of each channel become: contrast, brightness, hue.

    Args:
        generator: Where the changes come from.
        count: N.
        amount: Largest relative change.
    """
    values = np.arange(256.0)[None, :, None]
    contrast = 1 + amount * generator.uniform(-1, 1, (count, 1, 1))
    brightness = 128 * amount * generator.uniform(-1, 1, (count, 1, 1))
    channels = 1 + amount / 2 * generator.uniform(-1, 1, (count, 1, 3))
    changed = ((values - 128) * contrast + 128 + brightness) * channels
    return np.asarray(np.clip(np.round(changed), 0, 255), dtype=np.uint8)
