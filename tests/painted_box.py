"""A painted room that is a box: pictures, depth and the map's points are known exactly."""

from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose, Similarity
from sightline.records import Place, PosedFrame
from sightline.records.colmap import camera_to_colmap, pixels_to_colmap, pose_to_colmap

SIZE = np.array([5.0, 4.0, 2.5])
CAMERA = Camera("SIMPLE_RADIAL", 96, 128, (80.0, 47.5, 63.5, -0.02))
#: The map's own frame is another one, in another unit.
WORLD_FROM_MAP = Similarity(
    0.4, Pose.from_rotation(Rotation.from_rotvec([0.3, -1.2, 0.5]), [2.0, -1.0, 0.7])
)


def walk(count: int) -> Pose:
    """Look round from an ellipse about the middle of the room."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    centres = np.stack([2.5 + 1.0 * np.cos(t), 2.0 + 0.7 * np.sin(t), np.full(count, 1.3)], axis=1)
    level = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return Pose.from_rotation(Rotation.from_euler("z", t[:, None]) * level, centres)


def beside(poses: Pose) -> Pose:
    """Return poses a little off a walk's: turned by 9 degrees, moved by 0.2 m."""
    turn = Rotation.from_euler("z", 9, degrees=True)
    return Pose.from_rotation(
        turn * poses.rotation, poses.translation + np.array([0.15, -0.1, 0.08])
    )


def seen(pose: Pose, rays: np.ndarray) -> np.ndarray:
    """Return the points of the walls that (..., 3) rays in the camera's frame meet."""
    direction = pose.rotation.apply(rays.reshape(-1, 3))
    with np.errstate(divide="ignore"):
        far = np.where(direction > 0, SIZE - pose.translation, -pose.translation) / direction
    depth = np.where(np.isfinite(far), far, np.inf).min(axis=1)
    return (pose.translation + direction * depth[:, None]).reshape(rays.shape)


def picture(pose: Pose, camera: Camera = CAMERA) -> np.ndarray:
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    points = seen(pose, camera.unproject(np.stack([u, v], axis=-1)))
    paint = 128 + 60 * np.sin(1.3 * points) + 60 * np.cos(2.9 * points[..., [1, 2, 0]])
    return paint.clip(0, 255).astype(np.uint8)


def wall_points(count: int = 900, seed: int = 0) -> np.ndarray:
    """Return points spread over the six walls."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, SIZE, (count, 3))
    axis = rng.integers(0, 3, count)
    points[np.arange(count), axis] = rng.integers(0, 2, count) * SIZE[axis]
    return points


def write_place(root: Path, count: int = 18) -> Place:
    """Return a place of the room, mod-3, with its map in a frame of its own."""
    place = Place.create(root, source="painted box")
    place.images_dir.mkdir()
    poses, names = walk(count), [f"{i:03d}.png" for i in range(count)]
    for i, name in enumerate(names):
        Image.fromarray(picture(poses[i])).save(place.images_dir / name)
    parts = ("train", "validation", "test")
    frames = [PosedFrame(n, i / 5, poses[i], parts[i % 3]) for i, n in enumerate(names)]
    place.write_frames(frames)
    write_model(place, names, poses)
    place.set_alignment(WORLD_FROM_MAP, "m", method="exact")
    return place


def write_model(place: Place, names: list[str], poses: Pose) -> None:
    points, map_from_world = wall_points(), WORLD_FROM_MAP.inverse()
    reconstruction = pycolmap.Reconstruction()
    camera = camera_to_colmap(CAMERA)
    camera.camera_id = 1
    reconstruction.add_camera_with_trivial_rig(camera)
    tracks: dict[int, list[tuple[int, int]]] = {}
    for i, name in enumerate(names):
        px = CAMERA.project(poses[i].inverse().apply(points))
        rows = np.flatnonzero(((px >= 0) & (px <= [95, 127])).all(axis=1))  # NaN is not within
        image = pycolmap.Image(name, pixels_to_colmap(px[rows]), 1, i + 1)
        in_map = map_from_world.apply_pose(poses[i])
        reconstruction.add_image_with_trivial_frame(image, pose_to_colmap(in_map))
        for keypoint, row in enumerate(rows.tolist()):
            tracks.setdefault(row, []).append((i + 1, keypoint))
    for row, elements in tracks.items():
        track = pycolmap.Track()
        for image_id, keypoint in elements:
            track.add_element(image_id, keypoint)
        reconstruction.add_point3D(map_from_world.apply(points[row]), track)
    place.model_dir.mkdir(parents=True)
    reconstruction.write_binary(str(place.model_dir))
