"""Two walks round the ring: one that is mapped, and a second one that is never trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.worlds.floor.config import FloorConfig
from sightline.worlds.floor.layout import Face, layout_floor

#: Metres ahead and behind over which a walker smooths a turn.
SMOOTHING_M = 0.7
CORNER_RADIUS_M = 0.9
#: A walker in the middle of a corner takes this much longer for each metre.
SLOWER_IN_TURNS = 1.3
#: Furniture stands on the outer side, so people walk a little inside of the middle.
INSIDE_M = 0.12


@dataclass(frozen=True)
class Swing:
    """How one walk sways about the line: amplitudes; the phases come from the seed.

    Attributes:
        inside_m: Constant offset towards the island.
        lateral_m: Sideways sway.
        yaw_deg: Sweep of the heading.
        yaw_sign: 1, or -1 for the opposite phase.
        glance_deg: Extra turn towards the open rooms while passing them.
        pitch_deg: Nodding.
        roll_deg: Rolling.
        height_m: Mean eye height.
        bob_m: Change of the eye height.
    """

    inside_m: float
    lateral_m: float
    yaw_deg: float
    yaw_sign: float
    glance_deg: float
    pitch_deg: float
    roll_deg: float
    height_m: float
    bob_m: float


_MAPPING = Swing(0.05, 0.14, 16.0, 1.0, 28.0, 3.5, 1.5, 1.50, 0.04)
_SECOND = Swing(0.24, 0.10, 24.0, -1.0, 8.0, 5.0, 2.5, 1.58, 0.07)


def mapping_walk(config: FloorConfig, fps: float | None = None) -> list[tuple[float, Pose]]:
    """Return (timestamp_s, world_from_cam) of the mapping walk.

    Once round the ring, anticlockwise seen from above, and on over the start.

    Args:
        config: The floor.
        fps: Poses a second; the video's rate where None.
    """
    rate = config.video_fps if fps is None else fps
    duration = config.loops * RingPath(config).seconds / config.speed_m_s
    stamps = np.arange(int(duration * rate)) / rate
    return _walk(config, stamps, _MAPPING)


def mapping_pose(config: FloorConfig, timestamps_s: Array) -> Pose:
    """Return the mapping walk's poses at any (N,) times, as one batch."""
    return Pose.stack([pose for _, pose in _walk(config, np.asarray(timestamps_s), _MAPPING)])


def second_walk(config: FloorConfig) -> list[tuple[float, Pose]]:
    """Return (timestamp_s, world_from_cam) of the second walk: nearer the island, other headings.

    The timestamps start again at 0; ``config.second_frames`` photos over one loop.
    """
    duration = RingPath(config).seconds / config.speed_m_s
    stamps = (np.arange(config.second_frames) + 0.5) / config.second_frames * duration
    return _walk(config, stamps, _SECOND)


def second_exposures(config: FloorConfig) -> Array:
    """Return (second_frames,) exposure factors, 1 being the mapping walk's."""
    rng = np.random.default_rng([config.seed, 5])
    return rng.uniform(0.72, 1.18, config.second_frames)


class RingPath:
    """The corridor's middle line, a closed curve with round corners, by path length.

    It starts in the middle of the south side and runs anticlockwise seen from above.
    """

    def __init__(self, config: FloorConfig) -> None:
        m, r = config.corridor_m / 2 + INSIDE_M, CORNER_RADIUS_M
        x0, y0, x1, y1 = m + r, m + r, config.width_m - m - r, config.depth_m - m - r
        quarter = np.linspace(-np.pi / 2, 0, 91)
        start = np.array([[config.width_m / 2, m]])
        parts = [start]
        for k, centre in enumerate(((x1, y0), (x1, y1), (x0, y1), (x0, y0))):
            angle = quarter + k * np.pi / 2
            parts.append(centre + r * np.stack([np.cos(angle), np.sin(angle)], axis=1))
        ring = np.concatenate([*parts, start])
        steps = np.linalg.norm(np.diff(ring, axis=0), axis=1)
        self._ring, self._at = ring, np.r_[0.0, steps.cumsum()]
        self.length = float(self._at[-1])
        # People slow down where they turn: seconds to each place, at 1 m/s on the straights.
        self._grid = np.linspace(0, self.length, 1441)
        pace = 1 + SLOWER_IN_TURNS * self.turning(self._grid)
        self._clock = np.r_[0.0, (np.diff(self._grid) * (pace[1:] + pace[:-1]) / 2).cumsum()]
        self.seconds = float(self._clock[-1])

    def __call__(self, along: Array) -> Array:
        """Return (N, 2) points of the line, smoothed as a walker does."""
        window = np.linspace(-SMOOTHING_M, SMOOTHING_M, 15)
        s = np.mod(along[:, None] + window, self.length)
        xy = [np.interp(s, self._at, self._ring[:, k]).mean(axis=1) for k in range(2)]
        return np.stack(xy, axis=1)

    def along(self, seconds: Array) -> Array:
        """Return (N,) path lengths after some seconds at 1 m/s on the straights."""
        loops, rest = np.divmod(seconds, self.seconds)
        reached: Array = loops * self.length + np.interp(rest, self._clock, self._grid)
        return reached

    def heading(self, along: Array) -> Array:
        """Return (N,) directions of walking, anticlockwise from the world's x."""
        way = self(along + 0.5) - self(along - 0.5)
        heading: Array = np.arctan2(way[:, 1], way[:, 0])
        return heading

    def turning(self, along: Array) -> Array:
        """Return (N,) 0..1: 0 on the straights, 1 in the middle of the corners."""
        before, after = self.heading(along - 0.2), self.heading(along + 0.2)
        turn = np.abs(np.mod(after - before + np.pi, 2 * np.pi) - np.pi)
        return np.minimum(turn / 0.28, 1.0)

    def nearest(self, point: Array) -> float:
        """Return the path length nearest to a floor point."""
        grid = np.linspace(0, self.length, 2000, endpoint=False)
        return float(grid[np.argmin(np.linalg.norm(self(grid) - point, axis=1))])


def _walk(config: FloorConfig, stamps: Array, swing: Swing) -> list[tuple[float, Pose]]:
    path = RingPath(config)
    along = path.along(stamps * config.speed_m_s)
    heading = path.heading(along)
    left = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    phases = np.random.default_rng([config.seed, 4]).uniform(0, 2 * np.pi, 6)

    def wave(period_m: float, phase: int) -> Array:
        waved: Array = np.sin(2 * np.pi * along / period_m + phases[phase])
        return waved

    xy = path(along) + (swing.inside_m + swing.lateral_m * wave(9.1, 0))[:, None] * left
    sweep = swing.yaw_sign * np.deg2rad(swing.yaw_deg) * wave(6.3, 1)
    yaw = heading + sweep * (1 - 0.75 * path.turning(along))
    yaw += np.deg2rad(swing.glance_deg) * _glances(config, path, along)
    pitch = np.deg2rad(swing.pitch_deg) * wave(4.7, 2)
    roll = np.deg2rad(swing.roll_deg) * wave(3.9, 3)
    z = swing.height_m + swing.bob_m * (0.7 * wave(11.0, 4) + 0.3 * wave(1.3, 5))
    poses = _camera_poses(np.column_stack([xy, z]), yaw, pitch, roll)
    return [(float(t), poses[i]) for i, t in enumerate(stamps)]


def _glances(config: FloorConfig, path: RingPath, along: Array) -> Array:
    """Return (N,) 0..1, near 1 shortly before an opening of the island (on the left) is passed."""
    glance = np.zeros(len(along))
    for face in _opened_faces(config):
        for span in face.openings:
            middle = np.array(face.at((span.start + span.end) / 2, config.corridor_m / 2))
            off = np.mod(along - (path.nearest(middle) - 0.7) + path.length / 2, path.length)
            glance += np.exp(-0.5 * ((off - path.length / 2) / 0.75) ** 2)
    return np.minimum(glance, 1.0)


def _opened_faces(config: FloorConfig) -> list[Face]:
    return [face for face in layout_floor(config).faces if face.has_jambs]


def _camera_poses(centres: Array, yaw: Array, pitch: Array, roll: Array) -> Pose:
    """Return world_from_cam (OpenCV axes) looking along yaw, tilted up by pitch, then rolled."""
    level = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turn = Rotation.from_euler("ZYX", np.stack([yaw, -pitch, np.zeros_like(yaw)], axis=1))
    tilt = Rotation.from_rotvec(np.stack([np.zeros_like(roll), np.zeros_like(roll), roll], axis=1))
    return Pose.from_rotation(turn * level * tilt, centres)
