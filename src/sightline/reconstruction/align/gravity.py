"""Which way is up in a map, and where its floor is.

Nothing in a reconstruction says so; what does is how people film (the horizon stays level, the
phone stays at one height) and what they film (door frames, shelves and walls are vertical).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array

# How far each cue can be trusted, as an angle; only their ratios matter.
_ROLL_SIGMA = np.deg2rad(2.0)  # hands keep the horizon level ...
_PITCH_SIGMA = np.deg2rad(8.0)  # ... better than they keep the pitch
_UPRIGHT_SIGMA = np.deg2rad(12.0)
_LINE_SIGMA = np.deg2rad(0.2)

_PATH_GATE = np.deg2rad(12.0)
_PATH_THINNESS = 0.04  # height spread over the path's second spread; a flat walk is below
_LINE_GATE = np.deg2rad(6.0)
_LINE_CORE = np.deg2rad(1.0)
_LINE_CONE = np.deg2rad(25.0)  # farther than this from the cameras' up no line is believed
_LINE_CONTRAST = 2.5  # verticals per degree, against other lines per degree beside them
_MIN_LINES = 30


@dataclass(frozen=True, eq=False)
class UpEstimate:
    """Which way is up.

    Attributes:
        up_map: (3,) unit vector in the map frame.
        cue: ``cameras``, ``camera path`` or ``vertical lines``: the strongest that was trusted.
    """

    up_map: Array
    cue: str


def estimate_up(map_from_cam: Pose, line_normals_map: Array | None = None) -> UpEstimate:
    """Return the map's up from its cameras, their path, and vertical lines seen in the images.

    Cameras: hand-held cameras are level on average, so their x axes are horizontal and their
    -y axes point up on average. A flat path's plane replaces that where the path is thin and
    agrees within 12 degrees; vertical lines replace both where enough of them agree.

    Args:
        map_from_cam: (N,) poses, N >= 1.
        line_normals_map: (L, 3) unit normals of the planes through image line segments and their
            camera's centre (see ``lines.line_plane_normals``); None leaves lines out.

    Raises:
        GeometryError: No pose came, or the cameras look up and down evenly (no mean up).
    """
    if not map_from_cam.shape or len(map_from_cam) == 0:
        raise GeometryError("one or more registered frames are wanted to find up, 0 came")
    up = _up_from_cameras(map_from_cam)
    cue = "cameras"
    from_path = _up_from_path(map_from_cam.translation, up)
    if from_path is not None:
        up, cue = from_path, "camera path"
    if line_normals_map is not None:
        from_lines = _up_from_lines(np.asarray(line_normals_map, dtype=np.float64), up)
        if from_lines is not None:
            up, cue = from_lines, "vertical lines"
    return UpEstimate(up, cue)


def _up_from_cameras(map_from_cam: Pose) -> Array:
    axes = map_from_cam.rotation_matrix
    x, y, z = axes[:, :, 0], axes[:, :, 1], axes[:, :, 2]
    up = _geometric_median_direction(-y)
    prior = (np.eye(3) - np.outer(up, up)) / _UPRIGHT_SIGMA**2
    centred = z - z.mean(axis=0)
    pitch = centred.T @ centred / len(z) / _PITCH_SIGMA**2
    for _ in range(20):
        weights = 1.0 / (1.0 + (x @ up / (2 * _ROLL_SIGMA)) ** 2)
        roll = (x * weights[:, None]).T @ x / weights.sum() / _ROLL_SIGMA**2
        up = _smallest_direction(roll + pitch + prior, up)
    return up


def _geometric_median_direction(directions: Array) -> Array:
    median = directions.mean(axis=0)
    for _ in range(50):
        distances = np.maximum(np.linalg.norm(directions - median, axis=1), 1e-9)
        median = (directions / distances[:, None]).sum(axis=0) / (1 / distances).sum()
    length = float(np.linalg.norm(median))
    if length < 0.2:
        raise GeometryError(
            "the cameras have no common up (they were turned over every way); align with "
            "`--control` instead"
        )
    direction: Array = median / length
    return direction


def _up_from_path(centres: Array, up: Array) -> Array | None:
    centred = centres - centres.mean(axis=0)
    if len(centres) < 10:
        return None
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    # A thin third spread is a plane only where the second is a real turn, not sway.
    if spread[1] < 0.05 * spread[0] or spread[2] > _PATH_THINNESS * spread[1]:
        return None
    normal: Array = axes[2] * np.sign(axes[2] @ up)
    return normal if normal @ up > np.cos(_PATH_GATE) else None


def _up_from_lines(normals: Array, up: Array) -> Array | None:
    if len(normals) < _MIN_LINES:
        return None
    start = up
    tilts = _cone(start)
    # A broad score first: the answer may lie outside what least squares could slide down to.
    score = np.exp(-0.5 * (normals @ tilts.T / _LINE_CORE) ** 2).sum(axis=0)
    lean = np.arccos(np.clip(tilts @ start, -1, 1)) / _UPRIGHT_SIGMA
    up = tilts[np.argmax(score * np.exp(-0.5 * lean**2))]
    for _ in range(30):
        near = normals[np.abs(normals @ up) < np.sin(_LINE_GATE)]
        weights = 1.0 / (1.0 + (near @ up / _LINE_CORE) ** 2) ** 2
        form = (near * weights[:, None]).T @ near / weights.sum() / _LINE_SIGMA**2
        prior = (np.eye(3) - np.outer(start, start)) / _UPRIGHT_SIGMA**2
        up = _smallest_direction(form + prior, up)
    off = np.abs(normals @ up)
    core = np.count_nonzero(off < np.sin(_LINE_CORE))
    # Lines of no common direction fill the angles evenly; verticals pile up at zero.
    around = np.count_nonzero((off > np.sin(3 * _LINE_CORE)) & (off < np.sin(_LINE_GATE)))
    return up if core >= max(_MIN_LINES, _LINE_CONTRAST * around / 3.0) else None


def _cone(axis: Array) -> Array:
    """Return (T, 3) unit vectors within the widest lean of ``axis``, about a degree apart."""
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    steps = np.arange(-_LINE_CONE, _LINE_CONE + 1e-9, _LINE_CORE)
    a, b = (g.ravel() for g in np.meshgrid(steps, steps))
    inside = a**2 + b**2 <= _LINE_CONE**2
    tilted = axis + np.outer(a[inside], side) + np.outer(b[inside], other)
    unit: Array = tilted / np.linalg.norm(tilted, axis=1, keepdims=True)
    return unit


def _smallest_direction(form: Array, near: Array) -> Array:
    axis: Array = np.linalg.eigh(form)[1][:, 0]
    return axis if axis @ near >= 0 else -axis


@dataclass(frozen=True, eq=False)
class Level:
    """A map turned upright: z up, x along the path's main direction.

    Attributes:
        level_from_map: A pure rotation.
        floor: Height of the floor in the levelled frame, in the map's unit; None where the
            points do not show it.
        cue: What told up; see :class:`UpEstimate`.
    """

    level_from_map: Pose
    floor: float | None
    cue: str


def level_map(up: UpEstimate, centres_map: Array, points_map: Array) -> Level:
    """Return the upright frame of a map.

    Args:
        up: Which way is up.
        centres_map: (N, 3) camera centres in the order they were taken.
        points_map: (P, 3) sparse points; they tell the floor.
    """
    z = up.up_map
    flat = centres_map - centres_map.mean(axis=0)
    flat = flat - np.outer(flat @ z, z)
    main = np.linalg.svd(flat, full_matrices=False)[2][0] if np.abs(flat).max() > 1e-12 else None
    if main is None:
        main = np.eye(3)[np.argmin(np.abs(z))]
    main = main - (main @ z) * z
    main /= np.linalg.norm(main)
    # A principal axis has no sign of its own: take the one the walk sets out along.
    reach = flat @ main
    along = reach[np.argmax(np.abs(reach - reach[0]))] - reach[0]
    x = -main if along < 0 else main
    matrix = np.stack([x, np.cross(z, x), z])
    level_from_map = Pose.from_rotation(Rotation.from_matrix(matrix), np.zeros(3))
    floor = floor_height(points_map @ z, centres_map @ z)
    return Level(level_from_map, floor, up.cue)


def floor_height(point_heights: Array, camera_heights: Array) -> float | None:
    """Return the height of the floor, or None where the points do not show one.

    The floor is the lowest level that holds many points and stands out: walls carry more points
    than floors do, but spread over their height, with few of them just above the skirting.

    Args:
        point_heights: (P,) heights along up.
        camera_heights: (N,) heights of the camera centres.
    """
    eye = float(np.median(camera_heights))
    below = point_heights[point_heights < eye]
    if len(below) < 50:
        return None
    low = float(np.percentile(below, 0.2))
    if not eye - low > 0:
        return None
    counts, edges = np.histogram(below, bins=60, range=(low, eye))
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    level = next((i for i in range(60) if _is_level(smooth, i, len(below))), None)
    if level is None:
        return None
    near = np.abs(below - (edges[level] + edges[level + 1]) / 2) <= 1.5 * (edges[1] - edges[0])
    return float(np.median(below[near]))


def _is_level(counts: Array, index: int, total: int) -> bool:
    """Return whether a bin is a peak of 2% of the points, twice as high as the valley above it."""
    peak = counts[index]
    around = counts[max(index - 1, 0) : index + 2]
    if peak < around.max() or around.sum() < 0.02 * total:
        return False
    higher = np.flatnonzero(counts[index:] > peak)
    valley = counts[index : index + higher[0] if len(higher) else None].min()
    return bool(peak - valley >= max(0.5 * peak, 3 * np.sqrt(peak)))
