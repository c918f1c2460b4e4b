"""What a camera makes of a rendering: sky, exposure, white balance, tone, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.worlds.canvas import hsv

Floats = NDArray[np.float32]
#: Qualities of the JPEG files.
QUALITIES = (60, 97)


def develop(rng: np.random.Generator, colours: Floats, most_noise: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) colours 0..255 as a camera gives them: no two photos have the same look.

    Args:
        rng: Of everything.
        colours: As rendered.
        most_noise: Standard deviation of the noise at most, in grey levels.
    """
    values = colours / np.float32(255)
    # The camera meters the middle brightness, more or less; what is too bright is lost.
    wanted = 0.46 * np.exp(rng.normal(0, 0.25))
    gain = (wanted / max(float(values.mean()), 0.02)) ** 0.85 * np.exp(rng.normal(0, 0.07, 3))
    values = values * gain.astype(np.float32)
    if rng.random() < 0.4:
        values = values * _vignette(rng, values.shape)
    values = np.clip(values, 0, 1.0) ** np.float32(np.exp(rng.normal(0.1, 0.25)))
    grey = values.mean(axis=2, keepdims=True)
    values = grey + np.float32(rng.uniform(0.4, 1.2)) * (values - grey)
    middle = np.float32(values.mean())
    values = middle + np.float32(rng.uniform(0.85, 1.6)) * (values - middle)
    values = _blurred(rng, np.ascontiguousarray(values, np.float32))
    sigma = np.float32(most_noise * rng.beta(1.0, 2.5))
    height, width = values.shape[:2]
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    if rng.random() < 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), np.float32) * 2
    values = 255 * values + sigma * noise
    photo: NDArray[np.uint8] = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return photo


def _vignette(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    y, x = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])[None]
    fall = 1 - rng.uniform(0.05, 0.3) * (x * x + y * y)
    return fall[..., None].astype(np.float32)


def _blurred(rng: np.random.Generator, values: Floats) -> Floats:
    """Return a picture out of focus, moved, sharpened or as it is."""
    kind = rng.random()
    if kind < 0.25:
        return np.asarray(
            cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.1))), np.float32
        )
    if kind < 0.33:
        length, angle = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
        kernel = np.zeros((9, 9), np.float32)
        t = np.linspace(-length / 2, length / 2, 30)
        spots = np.rint(4 + np.stack([t * np.sin(angle), t * np.cos(angle)])).astype(int)
        kernel[spots[0].clip(0, 8), spots[1].clip(0, 8)] = 1
        return np.asarray(cv2.filter2D(values, -1, kernel / kernel.sum()), np.float32)
    if kind < 0.75:
        soft = cv2.GaussianBlur(values, (0, 0), 1.0)
        return np.asarray(values + np.float32(rng.uniform(0.3, 1.6)) * (values - soft), np.float32)
    return values


class Sky:
    """A sky of one scene: zenith, horizon and clouds."""

    def __init__(self, rng: np.random.Generator) -> None:
        grey = rng.random() < 0.35
        deep = rng.uniform(0, 0.15) if grey else rng.uniform(0.2, 0.8)
        self._zenith = np.array(hsv(rng.uniform(0.53, 0.64), deep, rng.uniform(0.5, 1.0)))
        self._low = np.array(hsv(rng.uniform(0, 0.6), rng.uniform(0, 0.2), rng.uniform(0.75, 1.0)))
        grid = sum(
            cv2.resize(
                rng.standard_normal((n, 2 * n), dtype=np.float32),
                (256, 128),
                interpolation=cv2.INTER_CUBIC,
            )
            / k
            for k, n in enumerate((4, 9, 20), start=1)
        )
        amount = rng.uniform(-0.8, 0.9)
        self._clouds = np.clip((np.asarray(grid) + amount) * 0.8, 0, 1).astype(np.float32)
        self._white = rng.uniform(170, 255)

    def seen(self, pose: Pose, camera: Camera) -> Floats:
        """Return the (H, W, 3) sky, 0..255, in the directions of a camera's pixels."""
        x, y = np.meshgrid(
            (np.arange(camera.width) - camera.cx) / camera.fx,
            (np.arange(camera.height) - camera.cy) / camera.fy,
        )
        rays: Array = np.stack([x, y, np.ones_like(x)], -1) @ pose.rotation_matrix.T
        rise = rays[..., 2] / np.linalg.norm(rays, axis=-1)
        part = np.clip(rise, 0, 1)[..., None] ** 0.6
        values = part * self._zenith + (1 - part) * self._low
        around = np.mod(np.arctan2(rays[..., 1], rays[..., 0]) / (2 * np.pi), 1.0) * 255
        cover = cv2.remap(
            self._clouds, around.astype(np.float32),
            (127 * (1 - np.clip(rise, 0, 1) ** 0.5)).astype(np.float32), cv2.INTER_LINEAR,
        )[..., None]  # fmt: skip
        seen: Floats = ((1 - cover) * values + cover * self._white).astype(np.float32)
        return seen
