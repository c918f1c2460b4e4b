"""A hand-held walk with exact truth, and its map in a frame of its own."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose, Similarity
from sightline.reconstruction.align.map_geometry import MapGeometry

RING = np.array([[0.0, 0.0], [14.0, 0.0], [14.0, 8.0], [0.0, 8.0], [0.0, 0.4]])
L_SHAPE = np.array([[0.0, 0.0], [12.0, 0.0], [12.0, 7.0]])


@dataclass(frozen=True, eq=False)
class Walk:
    """``world_from_cam`` in metres (z up, floor at 0), and what a reconstruction would hold."""

    world_from_cam: Pose
    points: np.ndarray
    map_from_world: Similarity
    geometry: MapGeometry


def along(vertices: np.ndarray, count: int) -> np.ndarray:
    """Return (count, 2) equal steps along a polyline."""
    length = np.r_[0.0, np.linalg.norm(np.diff(vertices, axis=0), axis=1).cumsum()]
    wanted = np.linspace(0.0, length[-1], count)
    return np.stack([np.interp(wanted, length, vertices[:, i]) for i in range(2)], axis=1)


def random_similarity(rng: np.random.Generator) -> Similarity:
    rotation = Rotation.random(rng=rng)
    return Similarity(
        float(np.exp(rng.uniform(-2, 2))), Pose.from_rotation(rotation, rng.normal(size=3) * 5)
    )


def hand_held(
    vertices: np.ndarray = RING,
    count: int = 150,
    seed: int = 0,
    *,
    pitch_deg: float = -8.0,
    roll_noise_deg: float = 2.0,
    height_noise: float = 0.03,
) -> Walk:
    """Return a walk along ``vertices`` at 1.5 m, looking ahead and a little down."""
    rng = np.random.default_rng(seed)
    xy = along(vertices, count)
    step = np.gradient(xy, axis=0)
    yaw = np.arctan2(step[:, 1], step[:, 0]) + rng.normal(0, 0.15, count)
    pitch = np.deg2rad(pitch_deg + rng.normal(0, 3.0, count))
    roll = np.deg2rad(rng.normal(0, roll_noise_deg, count))
    # A camera that looks along world x with z up has its x axis along -y and its y along -z.
    ahead = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    turn = Rotation.from_euler("ZYX", np.stack([yaw, -pitch, roll], axis=1))
    centres = np.column_stack([xy, 1.5 + rng.normal(0, height_noise, count)])
    world_from_cam = Pose.from_rotation(turn * ahead, centres)
    low, high = vertices.min(axis=0) - 1.5, vertices.max(axis=0) + 1.5
    floor = np.column_stack([rng.uniform(low, high, (400, 2)), rng.normal(0, 0.01, 400)])
    walls = np.column_stack([rng.uniform(low, high, (900, 2)), rng.uniform(0, 2.6, 900)])
    points = np.concatenate([floor, walls])
    map_from_world = random_similarity(rng)
    geometry = MapGeometry(
        tuple(f"{i:04d}.jpg" for i in range(count)),
        map_from_world.apply_pose(world_from_cam),
        np.arange(len(points), dtype=np.int64) * 3 + 7,
        map_from_world.apply(points),
    )
    return Walk(world_from_cam, points, map_from_world, geometry)


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two directions."""
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
