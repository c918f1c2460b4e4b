"""Two textured walls seen by exact cameras: photos whose relative pose is known exactly."""

from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.records.views import RelativeEstimate, View

CAMERA = Camera("PINHOLE", 480, 360, (430.0, 430.0, 239.5, 179.5))
DISTORTED = Camera("OPENCV", 640, 400, (500.0, 505.0, 330.0, 190.0, -0.15, 0.04, 0.002, -0.001))
TURN = Rotation.from_rotvec(np.radians([3.0, -8.0, 5.0]))
MOVED = Pose.from_rotation(TURN, [0.7, 0.1, 0.15])


@lru_cache(maxsize=2)
def texture(seed: int, side: int = 1400) -> np.ndarray:
    """Return blobs of all sizes, in colour."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side, side, 3))
    for cells in (12, 30, 75, 220):
        coarse = rng.uniform(0, 255, (cells, cells, 3))
        image += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return (image / 4).clip(0, 255).astype(np.uint8)


def view_of_planes(cam_from_world: Pose, camera: Camera = CAMERA, noise: int = 0) -> View:
    """Return two textured walls, meeting at right angles 4 m before the world's origin.

    Pixel by pixel from the ray's crossing, so that the picture obeys the camera's distortion too.
    """
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], -1).astype(float))
    world_from_cam = cam_from_world.inverse()
    directions = world_from_cam.rotation.apply(rays.reshape(-1, 3))
    origin = world_from_cam.translation
    image, nearest = np.zeros((len(directions), 3), np.uint8), np.full(len(directions), np.inf)
    for seed, side in enumerate((1.0, -1.0)):
        normal = np.array([side, 0.0, 1.0]) / np.sqrt(2)
        along = np.array([1.0, 0.0, -side]) / np.sqrt(2)
        with np.errstate(all="ignore"):
            depth = (normal @ np.array([0, 0, 4.0]) - normal @ origin) / (directions @ normal)
        point = origin + directions * depth[:, None]
        # The half of the wall before the corner.
        seen = (depth > 0) & (depth < nearest) & (side * point[:, 0] >= 0)
        px = np.stack([point @ along, point[:, 1]], axis=1).astype(np.float32) * 180 + 700
        at = px.reshape(camera.height, camera.width, 2)
        colours = cv2.remap(texture(seed), at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        image[seen], nearest[seen] = colours.reshape(-1, 3)[seen], depth[seen]
    picture = image.reshape(camera.height, camera.width, 3)
    if noise:
        added = np.random.default_rng(noise).normal(0, 3, picture.shape)
        picture = (picture + added).clip(0, 255).astype(np.uint8)
    return View(picture, camera)


def errors_deg(estimate: RelativeEstimate, true: Pose) -> tuple[float, float]:
    pose = estimate.pose()
    rotation = np.degrees((pose.rotation * true.rotation.inv()).magnitude())
    t, u = pose.translation, true.translation
    return float(rotation), float(np.degrees(np.arctan2(np.linalg.norm(np.cross(t, u)), t @ u)))
