"""An object on a table before a wall, seen from a part of a sphere around it, as DTU's scans."""

from __future__ import annotations

import numpy as np

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.worlds.rooms.interior import add_thing, vase_profile
from sightline.worlds.rooms.scene import RoomScene, Workshop
from sightline.worlds.rooms.shell import add_shell, hang_lamps
from sightline.worlds.rooms.viewpoints import look_along, up

ROLL_DEG = 12.0
#: Range of the camera's distance to the object's middle.
NEAREST_M, FARTHEST_M = 0.55, 1.15


def build_tabletop(work: Workshop, views: int) -> RoomScene:
    """Return a table with one big thing and some small ones, in the middle of a small room."""
    rng = work.rng
    size = np.array([rng.uniform(2.6, 4), rng.uniform(2.6, 4), rng.uniform(2.3, 2.8)])
    add_shell(work, size, pictures=(1, 3))
    tall = float(rng.uniform(0.6, 0.85))
    middle = np.array([*(size[:2] / 2), tall])
    table, turn = rng.uniform(0.6, 1.1, 2), float(rng.uniform(0, np.pi))
    top = work.material()
    work.mesh.box(
        middle - [0, 0, 0.05], (*table, 0.05), top, turn=turn, metres=float(rng.uniform(0.5, 0.9)),
        step_m=0.08,
    )  # fmt: skip
    work.mesh.box(middle * [1, 1, 0], (0.1, 0.1, tall - 0.05), top, turn=turn)
    scale = float(rng.uniform(0.12, 0.18))
    _add_subject(work, middle, scale)
    layers = [work.stocked() for _ in range(2)]
    for k in range(int(rng.integers(2, 6))):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(1.3, 2.0) * scale
        spot = middle + reach * np.array([np.cos(angle), np.sin(angle), 0.0])
        add_thing(work, spot, scale * float(rng.uniform(0.2, 0.45)), layers[k % 2])
    poses = _viewpoints(rng, middle + np.array([0, 0, 0.8 * scale]), views)
    return work.finish(size, hang_lamps(rng, size), poses)


def _add_subject(work: Workshop, spot: Array, scale: float) -> None:
    """Add the big thing: a house, a vase, a lumpy thing on a base, or a pile of boxes."""
    rng, mesh, kind = work.rng, work.mesh, int(work.rng.integers(4))
    turn, layer = float(rng.uniform(0, np.pi)), work.material()
    if kind == 0:
        width, tall = scale * rng.uniform(1.0, 1.6, 2), scale * rng.uniform(1.0, 1.6)
        mesh.box(spot, (*width, tall), layer, turn=turn, metres=1.6 * scale)
        roof = np.array([[1e-4, 0.7 * scale], [0.8 * float(width.max()), 0.0]])
        steps = np.linspace(0, 1, 6)[:, None]
        mesh.turned(
            spot + up(tall), roof[0] + steps * (roof[1] - roof[0]), work.material(), turns=3
        )
    elif kind == 1:
        mesh.turned(spot, vase_profile(rng, 0.8 * scale, 2.2 * scale), layer, turns=1)
    elif kind == 2:
        mesh.box(spot, (1.5 * scale, 1.5 * scale, 0.3 * scale), work.material(), turn=turn)
        radii = scale * rng.uniform(0.6, 1.0, 3)
        mesh.lump(spot + up(0.3 * scale), radii, layer, rng, bumps=0.2)
    else:
        level = 0.0
        for _ in range(int(rng.integers(3, 6))):
            extent = scale * np.array([*rng.uniform(0.9, 1.6, 2), rng.uniform(0.25, 0.6)])
            side = layer if rng.random() < 0.5 else work.material()
            centre = spot + np.array([*(0.15 * scale * rng.uniform(-1, 1, 2)), level])
            mesh.box(centre, extent, side, turn=float(rng.uniform(0, np.pi)), metres=2 * scale)
            level += float(extent[2])


def _viewpoints(rng: np.random.Generator, target: Array, views: int) -> Pose:
    """Return poses on a part of a sphere: 20 to 100 degrees round, each at its own distance."""
    start, span = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(20, 100))
    around = start + span * rng.random(views)
    above = np.deg2rad(rng.uniform(8, 60, views))
    distance = rng.uniform(NEAREST_M, FARTHEST_M, views)
    out = np.stack(
        [np.cos(above) * np.cos(around), np.cos(above) * np.sin(around), np.sin(above)], axis=1
    )
    centres = target + distance[:, None] * out
    # They look at the object roughly, as hands do.
    aim = target + rng.normal(0, 0.05, (views, 3)) * distance[:, None] / NEAREST_M
    roll = np.deg2rad(ROLL_DEG * rng.uniform(-1, 1, views))
    return look_along(centres, aim - centres, roll)
