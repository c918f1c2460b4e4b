"""A small scene rendered by ray casting: exact images, poses and camera, without a GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.records import Place, PosedFrame


@dataclass(frozen=True)
class Scene:
    camera: Camera
    names: list[str]
    images: list[np.ndarray]
    world_from_cam: Pose


@dataclass(frozen=True)
class Panel:
    """A textured rectangle that faces -z: left, top, width, height and depth, in metres."""

    left: float
    top: float
    width: float
    height: float
    depth: float
    texture: np.ndarray


def blobs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    picture = np.zeros((height, width), np.float32)
    for sigma in (1.5, 3.0, 6.0, 12.0):
        layer = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), sigma)
        picture += layer / layer.std()
    return np.clip(128 + 30 * picture, 0, 255)


def look(panels: list[Panel], camera: Camera, world_from_cam: Pose) -> np.ndarray:
    grid = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
    rays = camera.unproject(grid) @ world_from_cam.rotation_matrix.T
    centre = world_from_cam.translation
    picture = np.full(grid.shape[:2], 60.0, np.float32)
    for panel in sorted(panels, key=lambda p: -p.depth):
        hit = centre + rays * ((panel.depth - centre[2]) / rays[..., 2])[..., None]
        rows, columns = panel.texture.shape
        u = (hit[..., 0] - panel.left) / panel.width * columns - 0.5
        v = (hit[..., 1] - panel.top) / panel.height * rows - 0.5
        inside = (u >= 0) & (v >= 0) & (u <= columns - 1) & (v <= rows - 1)
        seen = cv2.remap(
            panel.texture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR
        )
        picture = np.where(inside, seen, picture)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """16 frames of 320x240 past a wall with panels in front of it."""
    rng = np.random.default_rng(5)
    panels = [Panel(-6, -4, 16, 8, 5.0, blobs(rng, 800, 1600))]
    for x, y, depth in [(-1.2, -0.9, 3.2), (0.4, -0.2, 2.6), (1.9, -1.0, 3.6), (3.1, 0.0, 2.9)]:
        panels.append(Panel(x, y, 1.0, 0.9, depth, blobs(rng, 180, 200)))
    camera = Camera("SIMPLE_PINHOLE", 320, 240, (290.0, 159.5, 119.5))
    t = np.linspace(0, 1, 16)
    centres = np.stack([2.6 * t - 0.3, 0.15 * np.sin(6 * t), 0.3 * t**2], axis=1)
    turns = Rotation.from_euler("yx", np.stack([0.12 * np.sin(4 * t), 0.05 * np.cos(5 * t)], 1))
    poses = Pose.from_rotation(turns, centres)
    images = [look(panels, camera, poses[i]) for i in range(len(poses))]
    return Scene(camera, [f"{i:04d}.png" for i in range(len(poses))], images, poses)


@pytest.fixture
def make_place(scene: Scene, tmp_path: Path) -> Callable[..., Place]:
    """Return a place with the scene's frames (some replaced), not reconstructed yet."""

    def make(
        replaced: dict[int, np.ndarray] | None = None,
        *,
        video: bool = True,
        rows: range | None = None,
    ) -> Place:
        place = Place.create(tmp_path / "place", source="scene")
        place.images_dir.mkdir()
        frames = []
        for i in rows or range(len(scene.names)):
            image = (replaced or {}).get(i, scene.images[i])
            Image.fromarray(image).save(place.images_dir / scene.names[i])
            stamp = i / 5 if video else None
            frames.append(PosedFrame(scene.names[i], stamp, None, "train" if i % 3 else "test"))
        place.write_frames(frames)
        return place

    return make
