"""One picture of an object: rendered, put before a background, seen by a camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.records.objects import Box
from sightline.worlds.canvas import Picture
from sightline.worlds.objects.backdrops import backdrop_behind
from sightline.worlds.objects.views import ObjectPose
from sightline.worlds.renderer import MeshRenderer

#: Objects are rendered so many times as fine, so that edges are smooth and boxes exact.
FINER = 2
EXPOSURES = (0.75, 1.3)
QUALITIES = (70, 96)


def cut_out(
    renderer: MeshRenderer, pose: ObjectPose, px: int, exposure: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32], Box]:
    """Return an object's colours times its cover, its cover 0 to 1, and its box.

    The box is that of the mask at the finer size, so its edges are whole or half pixels.

    Args:
        renderer: Of the object.
        pose: How it is seen.
        px: Width and height of the picture.
        exposure: Factor of the light.
    """
    colours, depth = renderer.render(pose.world_from_cam, pose.camera(px, FINER), exposure=exposure)
    mask = (depth > 0).astype(np.float32)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (
        float(columns[0]) / FINER,
        float(rows[0]) / FINER,
        float(columns[-1] + 1) / FINER,
        float(rows[-1] + 1) / FINER,
    )
    size = (px, px)
    cover = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return (
        np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cover, np.float32),
        box,
    )


def photograph(
    rng: np.random.Generator,
    renderer: MeshRenderer,
    pose: ObjectPose,
    *,
    px: int,
    seed: int,
    noise: float,
) -> tuple[Picture, Box]:
    """Return a (px, px, 3) RGB picture and the object's box in it.

    Args:
        rng: Of exposure, background, shadow, blur and noise.
        renderer: Of the object.
        pose: How it is seen.
        px: Width and height.
        seed: Of the backgrounds.
        noise: Sensor noise at most; 0 leaves out blur and noise.
    """
    colours, cover, box = cut_out(renderer, pose, px, float(rng.uniform(*EXPOSURES)))
    behind = backdrop_behind(rng, seed, px)
    if rng.random() < 0.5:
        behind *= 1 - float(rng.uniform(0.2, 0.6)) * _shadow(rng, cover, box)[..., None]
    values: NDArray[np.float32] = colours + (1 - cover[..., None]) * np.clip(behind, 0, 255)
    if noise > 0:
        if rng.random() < 0.3:
            sigma = float(rng.uniform(0.35, 0.9)) * px / 128
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
        strength = np.float32(rng.uniform(0, noise))
        values = values + strength * rng.standard_normal(values.shape, dtype=np.float32)
    return np.clip(values + 0.5, 0, 255).astype(np.uint8), box


def encode(picture: Picture, suffix: str, quality: int = 90) -> bytes:
    """Return a picture as the bytes of a ``.jpg`` or ``.png`` file."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    _, data = cv2.imencode(suffix, picture[..., ::-1], flags)
    return bytes(data.tobytes())


def _shadow(rng: np.random.Generator, cover: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Return the cover pressed flat onto the object's foot and blurred."""
    flat, slide = float(rng.uniform(0.12, 0.35)), float(rng.uniform(-0.5, 0.5))
    foot = box[3] - 0.02 * (box[3] - box[1])
    warp = np.array([[1, slide, -slide * foot], [0, flat, foot * (1 - flat)]])
    size = (cover.shape[1], cover.shape[0])
    pressed = cv2.warpAffine(cover, warp, size)
    return np.asarray(cv2.GaussianBlur(pressed, (0, 0), 0.03 * size[0]), np.float32)
