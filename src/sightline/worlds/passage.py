"""A corridor that winds round corners; stretches of it can look alike without being one place.

For tests of maps: a round that closes, and one that comes back beside its start, on the other side
of a wall, where everything looks as it did there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor.geometry import tessellate
from sightline.worlds.floor.surfaces import SurfaceBuilder, Vec3
from sightline.worlds.floor.textures import paint_layers
from sightline.worlds.renderer import MeshRenderer

Point = tuple[float, float]

PANEL_M = 1.0
EYE_M = 1.4
_KINDS = ("art", "notice", "shapes", "landscape", "pinboard", "chart", "metro", "books")
#: A wall shows one of so many pictures on each panel.
_PICTURES = 48
_SLABS = 8
_TURN_RADIUS_M, _LOOK_AHEAD_M = 0.7, 0.25
#: A turn of so much counts as a step, in radians.
_TURN_STEP = np.deg2rad(12.0)


@dataclass(frozen=True)
class PassageConfig:
    """A corridor along a line of right-angled turns.

    Attributes:
        corners: Its middle line, world x, y in metres; whole metres keep the panels on one grid.
        closed: Whether the last corner is joined with the first.
        alike: ``(stretch, other, from, to)``: on the world coordinates from..to along it, the
            first stretch is hung with the pictures of the other.
        width_m: Of the corridor.
        height_m: Of the corridor.
        seed: Of the pictures and of how they are hung.
        image_width: Of the frames, in pixels.
        image_height: Of the frames, in pixels.
        horizontal_fov_deg: Of the frames.
    """

    corners: tuple[Point, ...]
    closed: bool = False
    alike: tuple[tuple[int, int, float, float], ...] = ()
    width_m: float = 1.6
    height_m: float = 2.4
    seed: int = 0
    image_width: int = 320
    image_height: int = 240
    horizontal_fov_deg: float = 75.0

    def __post_init__(self) -> None:
        for (ax, ay), (bx, by) in itertools.pairwise(self.line):
            if (ax == bx) == (ay == by):
                raise InputError(
                    "stretches along x or along y are wanted, one goes from "
                    f"({ax:g}, {ay:g}) to ({bx:g}, {by:g})"
                )

    @property
    def line(self) -> tuple[Point, ...]:
        """The middle line, with its first corner again at the end where it is closed."""
        return (*self.corners, self.corners[0]) if self.closed else self.corners

    @property
    def camera(self) -> Camera:
        """The pinhole camera of the frames."""
        width, height = self.image_width, self.image_height
        focal = width / 2 / np.tan(np.deg2rad(self.horizontal_fov_deg) / 2)
        params = (float(focal), (width - 1) / 2, (height - 1) / 2)
        return Camera("SIMPLE_PINHOLE", width, height, params)


def round_config(width: float, depth: float, seed: int = 0) -> PassageConfig:
    """Return a corridor round a block: its walk comes back to where it began."""
    return PassageConfig(((0, 0), (width, 0), (width, depth), (0, depth)), closed=True, seed=seed)


def alike_config(width: float, depth: float, apart: float, seed: int = 0) -> PassageConfig:
    """Return a corridor whose walk comes back ``apart`` metres beside its start.

    A wall is between; the last stretch is hung with the pictures of the first, except near its end.
    """
    corners = ((-2.0, 0.0), (width, 0.0), (width, depth), (-2.0, depth), (-2.0, apart))
    end = (width - 2.0, apart)
    return PassageConfig((*corners, end), alike=((4, 0, -1.0, width - 4.0),), seed=seed)


class PassageWorld:
    """The corridor as the renderer takes it: world z up, metres, floor at z = 0."""

    def __init__(self, config: PassageConfig) -> None:
        """Build the walls, floor and ceiling of a config: same config, same bytes."""
        self.config = config
        builder = SurfaceBuilder()
        hung = _Hanging(builder, config)
        for number in range(len(config.line) - 1):
            _add_stretch(builder, config, hung, number)
        points, _, paint, self.triangles = tessellate(builder.surfaces)
        self.vertices = np.concatenate([points, paint[:, :6]], axis=1).astype(np.float32)
        self._specs = tuple(builder.specs)

    @cached_property
    def textures(self) -> NDArray[np.uint8]:
        """(L, 512, 512, 3) texture layers, painted when first asked for."""
        return paint_layers(self._specs, self.config.seed)


class _Hanging:
    """Which picture hangs where: drawn by stretch, side and panel."""

    def __init__(self, builder: SurfaceBuilder, config: PassageConfig) -> None:
        self._config = config
        self._layers = [
            builder.texture(TextureSpec(_KINDS[i % len(_KINDS)], PANEL_M / config.height_m))
            for i in range(_PICTURES)
        ]
        self._slabs = {
            kind: [builder.texture(TextureSpec(kind)) for _ in range(_SLABS)]
            for kind in ("mosaic", "ceiling")
        }

    def panel(self, stretch: int, side: int, along: float) -> tuple[int, Vec3]:
        """Return layer and tint of the panel that begins at world coordinate ``along``."""
        rng = self._drawn(stretch, side, along)
        tint = rng.uniform(0.65, 1.0, 3).tolist()
        return self._layers[int(rng.integers(len(self._layers)))], tint

    def slab(
        self, kind: str, stretch: int, side: int, along: float
    ) -> tuple[int, tuple[float, float], Vec3]:
        """Return layer, offset and tint of a piece of floor or ceiling."""
        rng = self._drawn(stretch, side, along)
        x, y = rng.uniform(0.0, 1.7, 2).tolist()
        tint = rng.uniform(0.75, 1.0, 3).tolist()
        return self._slabs[kind][int(rng.integers(_SLABS))], (x, y), tint

    def _drawn(self, stretch: int, side: int, along: float) -> np.random.Generator:
        for of, other, low, high in self._config.alike:
            if of == stretch and low <= along < high:
                stretch = other
        key = [self._config.seed, 7, stretch, side + 1, round(along / PANEL_M) + 1000]
        return np.random.default_rng(key)


def _add_stretch(
    builder: SurfaceBuilder, config: PassageConfig, hung: _Hanging, number: int
) -> None:
    """Add one straight piece: walls from mitre to mitre, floor, ceiling, ends that are dead."""
    a, b = (np.array(p, dtype=np.float64) for p in config.line[number : number + 2])
    half, height = config.width_m / 2, config.height_m
    forward = (b - a) / np.linalg.norm(b - a)
    left = np.array([-forward[1], forward[0]])
    turns = [_turn_before(config, number), _turn_before(config, number + 1)]
    for side in (1, -1):
        # The wall on the inner side of a turn ends early, that on the outer side late.
        start = a + side * half * left + side * half * turns[0] * forward
        end = b + side * half * left - side * half * turns[1] * forward
        if turns[0] == 0:
            start -= half * forward
        if turns[1] == 0:
            end += half * forward
        _add_wall(builder, hung, (number, side), start, end, height)
    if turns[0] == 0:
        corner = a - half * forward
        _add_wall(builder, hung, (number, 2), corner + half * left, corner - half * left, height)
    if turns[1] == 0:
        corner = b + half * forward
        _add_wall(builder, hung, (number, 3), corner + half * left, corner - half * left, height)
    low, high = np.minimum(a, b) - half, np.maximum(a, b) + half
    axis = int(np.argmax(np.abs(b - a)))
    for along in _grid(low[axis], high[axis]):
        # Slab by slab: on one endless floor a mapper would find itself a tile too far.
        left, right = low.copy(), high.copy()
        left[axis], right[axis] = max(along, low[axis]), min(along + PANEL_M, high[axis])
        size = right - left
        for z, kind, side in ((0.0, "mosaic", 4), (height, "ceiling", 5)):
            layer, offset, tint = hung.slab(kind, number, side, along)
            builder.quad(
                (left[0], right[1], z), (size[0], 0, 0), (0, -size[1], 0), layer, tint=tint,
                metres_per_picture=1.7, offset=(offset[0] + left[0], offset[1] - right[1]),
            )  # fmt: skip


def _add_wall(
    builder: SurfaceBuilder,
    hung: _Hanging,
    which: tuple[int, int],
    start: Array,
    end: Array,
    height: float,
) -> None:
    axis = int(np.argmax(np.abs(end - start)))
    low, high = (start, end) if start[axis] < end[axis] else (end, start)
    for along in _grid(low[axis], high[axis]):
        layer, tint = hung.panel(*which, along)
        left, right = max(along, low[axis]), min(along + PANEL_M, high[axis])
        corner, edge = low.copy(), np.zeros(2)
        corner[axis], edge[axis] = left, right - left
        # A panel that a mitre cuts shows its part of the picture, not all of it squeezed.
        scale, offset = PANEL_M, left - along
        builder.quad(
            (corner[0], corner[1], height), (edge[0], edge[1], 0.0), (0.0, 0.0, -height), layer,
            tint=tint,
        )  # fmt: skip
        surface = builder.surfaces[-1]
        surface.uv[:, 0] = (surface.uv[:, 0] * (right - left) + offset) / scale


def _grid(low: float, high: float) -> list[float]:
    """Return where the panels between two world coordinates begin."""
    first, last = np.floor(low / PANEL_M + 1e-9), np.ceil(high / PANEL_M - 1e-9)
    begins: list[float] = (np.arange(first, last) * PANEL_M).tolist()
    return begins


def _turn_before(config: PassageConfig, corner: int) -> int:
    """Return 1 where the line turns left at a corner, -1 right, 0 where it ends there."""
    line = config.line
    count = len(line) - 1
    if not config.closed and corner in (0, count):
        return 0
    before, at, after = (
        np.array(line[i % count if config.closed else i]) for i in (corner - 1, corner, corner + 1)
    )
    (ax, ay), (bx, by) = at - before, after - at
    return int(np.sign(ax * by - ay * bx))


def passage_walk(
    config: PassageConfig,
    *,
    rounds: float = 1.0,
    step_m: float = 0.35,
    inset_m: float = 0.5,
    seed: int = 0,
) -> Pose:
    """Return world_from_cam of a walk along the corridor, looking ahead and a little about.

    Args:
        config: The corridor.
        rounds: Of a closed corridor; above 1 the end sees the start again.
        step_m: Between frames on the straights; turns take more.
        inset_m: Start and end so far from the ends of a corridor that is not closed.
        seed: Of where it looks and how it sways.
    """
    line = _rounded(config, rounds)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.r_[0.0, np.cumsum(steps)]
    heading = np.unwrap(np.arctan2(*np.gradient(line, axis=0).T[::-1]))
    # A walker looks into a turn a little before it.
    heading = np.interp(along + _LOOK_AHEAD_M, along, heading)
    effort = np.r_[0.0, np.cumsum(steps / step_m + np.abs(np.diff(heading)) / _TURN_STEP)]
    first, last = (0.0, along[-1]) if config.closed else (inset_m, along[-1] - inset_m)
    begin, end = np.interp([first, last], along, effort)
    at = np.interp(np.arange(begin, end), effort, along)
    xy = np.stack([np.interp(at, along, line[:, k]) for k in (0, 1)], axis=1)
    yaw = np.interp(at, along, heading)
    phase = np.random.default_rng([seed, 11]).uniform(0, 2 * np.pi, 4)
    yaw += np.deg2rad(9.0) * np.sin(at / 0.9 + phase[0])
    pitch = np.deg2rad(3.0) * np.sin(at / 0.7 + phase[1])
    z = EYE_M + 0.06 * np.sin(at / 1.3 + phase[2])
    aside = 0.12 * np.sin(at / 2.1 + phase[3])
    xy += aside[:, None] * np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
    level = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turn = Rotation.from_euler("ZY", np.stack([yaw, -pitch], axis=1))
    return Pose.from_rotation(turn * level, np.column_stack([xy, z]))


def _rounded(config: PassageConfig, rounds: float) -> Array:
    """Return the middle line as many points, its corners rounded."""
    corners = [np.array(p, dtype=np.float64) for p in config.corners]
    if config.closed:
        count = len(corners)
        # From the middle of the first stretch, so that the seam lies on a straight.
        start = (corners[0] + corners[1]) / 2
        turns = int(np.ceil(rounds)) * count
        corners = [start, *(corners[(i + 1) % count] for i in range(turns)), start]
    pieces = [corners[0][None]]
    for before, at, after in zip(corners, corners[1:], corners[2:], strict=False):
        back = (before - at) / np.linalg.norm(before - at)
        on = (after - at) / np.linalg.norm(after - at)
        angle = np.linspace(0.0, np.pi / 2, 16)[:, None]
        middle = at + _TURN_RADIUS_M * (back + on)
        pieces.append(middle - _TURN_RADIUS_M * (np.cos(angle) * on + np.sin(angle) * back))
    line = np.concatenate([*pieces, corners[-1][None]])
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    length = along[-1]
    if config.closed:
        length *= rounds / np.ceil(rounds)
    fine = np.arange(0.0, length, 0.02)
    return np.stack([np.interp(fine, along, line[:, k]) for k in (0, 1)], axis=1)


def photograph_walk(folder: Path, config: PassageConfig, walk: Pose, noise: float = 2.0) -> None:
    """Write the frames of a walk as ``0000.png``, ``0001.png`` ..., with a little sensor noise.

    Args:
        folder: Made if absent.
        config: The corridor.
        walk: (N,) world_from_cam.
        noise: Its standard deviation in grey levels.

    Raises:
        RenderError: There is no EGL.
    """
    rng = np.random.default_rng([config.seed, 13])
    folder.mkdir(parents=True, exist_ok=True)
    with MeshRenderer(PassageWorld(config)) as renderer:
        for i in range(len(walk)):
            picture = renderer.render_rgb(walk[i], config.camera)
            noisy = np.clip(np.rint(picture + rng.normal(0, noise, picture.shape)), 0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / f"{i:04d}.png")
