"""One scene as files: its photos and what is exactly known of them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records.files import atomic_path
from sightline.records.pairs import depth_beside
from sightline.worlds.renderer import MeshRenderer
from sightline.worlds.rooms.config import RoomsConfig
from sightline.worlds.rooms.overlap import overlaps
from sightline.worlds.rooms.scene import build_scene

VIEWS_JSON = "views.json"
JPEG_QUALITY = 92
EXPOSURES = (0.78, 1.22)
#: Two views nearer to each other than this share of their median depth make no pair: the direction
#: of so small a step is not what anybody could see.
MIN_STEP = 0.04
#: Depth is kept at a quarter of the photos' size: what matching learns from is no finer.
_DEPTH_STEP = 4
#: Noise is drawn once, larger than a photo by so many pixels, and shifted (drawing is slow).
_SPARE_PX = 64


def room_name(index: int) -> str:
    """Return a scene's name, which is its folder's."""
    return f"{'room' if index % 2 == 0 else 'object'}_{index:04d}"


def render_room(images: Path, config: RoomsConfig, index: int) -> None:
    """Render scene ``index`` into its folder below ``images``, which appears when it is whole.

    Raises:
        RenderError: There is no EGL.
    """
    scene, camera = build_scene(config, index), config.camera
    rng = np.random.default_rng([config.seed, index, 1])
    noise = _noise_pool(rng, config)
    depths = np.empty((config.views_per_room, camera.height, camera.width), np.float32)
    with atomic_path(images / room_name(index)) as temporary:
        temporary.mkdir()
        with MeshRenderer(scene) as renderer:
            for view in range(config.views_per_room):
                exposure = float(rng.uniform(*EXPOSURES))
                pose = scene.world_from_cam[view]
                picture, depths[view] = renderer.render(pose, camera, exposure=exposure)
                y, x = rng.integers(0, _SPARE_PX + 1, 2)
                shifted = noise[y : y + camera.height, x : x + camera.width]
                noisy = cv2.add(picture, shifted, dtype=cv2.CV_8U)
                Image.fromarray(noisy).save(temporary / view_name(view), quality=JPEG_QUALITY)
                _write_depth(depth_beside(temporary / view_name(view)), depths[view])
        pairs = _choose_pairs(config, rng, depths, scene.world_from_cam)
        content = {
            "q_wxyz": scene.world_from_cam.q_wxyz.tolist(),
            "centres": scene.world_from_cam.translation.tolist(),
            "pairs": pairs,
        }
        (temporary / VIEWS_JSON).write_text(json.dumps(content), encoding="utf-8")


def _write_depth(path: Path, depth: NDArray[np.float32]) -> None:
    """Write every fourth value of a depth map, in millimetres."""
    part = depth[_DEPTH_STEP // 2 :: _DEPTH_STEP, _DEPTH_STEP // 2 :: _DEPTH_STEP]
    Image.fromarray(np.rint(1000.0 * part).clip(0, 65535).astype(np.uint16)).save(path)


def view_name(view: int) -> str:
    """Return a photo's file name."""
    return f"{view:03d}.jpg"


def _noise_pool(rng: np.random.Generator, config: RoomsConfig) -> NDArray[np.int16]:
    shape = (config.image_height + _SPARE_PX, config.image_width + _SPARE_PX, 3)
    drawn = rng.standard_normal(shape, dtype=np.float32) * np.float32(config.noise)
    pool: NDArray[np.int16] = np.rint(drawn).astype(np.int16)
    return pool


def _choose_pairs(
    config: RoomsConfig, rng: np.random.Generator, depths: NDArray[np.float32], poses: Pose
) -> list[tuple[int, int, float]]:
    """Return (a, b, overlap) of pairs that overlap as wanted, in either order by chance."""
    shares = overlaps(depths, poses, config.camera)
    mutual = np.minimum(shares, shares.T)
    far_apart = _steps(poses) > MIN_STEP * np.median(depths[:, ::16, ::16])
    wanted = (mutual >= config.min_overlap) & (mutual <= config.max_overlap) & far_apart
    there = np.argwhere(np.triu(wanted, 1))
    chosen = np.sort(rng.permutation(len(there))[: config.pairs_per_room])
    swapped = rng.random(len(chosen)) < 0.5
    pairs = np.where(swapped[:, None], there[chosen][:, ::-1], there[chosen])
    return [(int(a), int(b), round(float(mutual[a, b]), 4)) for a, b in pairs]


def _steps(poses: Pose) -> Array:
    """Return (N, N) distances between the cameras."""
    centres = poses.translation
    distances: Array = np.linalg.norm(centres[:, None] - centres, axis=-1)
    return distances
