"""People who walk through the corridor while it is filmed: what no map should hold on to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor.geometry import FloorWorld, lit_vertices, tessellate
from sightline.worlds.floor.surfaces import Surface, SurfaceBuilder
from sightline.worlds.floor.walks import RingPath
from sightline.worlds.renderer import MeshRenderer

#: How far ahead of the camera the nearest walks, and each further one behind the next, in metres.
AHEAD_M, APART_M = 1.7, 0.7
#: Those ahead fall behind and catch up by so much.
LAG_M = 0.3
#: Who comes towards the camera keeps this far to one side of the corridor's middle.
ASIDE_M = 0.6
#: What is printed on clothes and bags; much that features are found on.
_PRINTS = ("notice", "shapes", "art", "metro", "chart", "pinboard")
#: Under the floor of the building, where nobody is seen.
_AWAY_M = -100.0


@dataclass(frozen=True, eq=False)
class _Person:
    """One person of boxes; x forward, y left, z up, in metres."""

    points: Array
    normals: Array
    paint: Array
    ahead: bool
    start_m: float
    side_m: float
    sway_rad: float
    speed_m_s: float


class Crowd:
    """The people of a floor, and the floor with them in it.

    Attributes:
        world: The floor's mesh with the people's behind it, for a renderer.
    """

    def __init__(self, floor: FloorWorld) -> None:
        """Dress ``floor.config.people`` people."""
        self._config, self._layout = floor.config, floor.layout
        self._path = RingPath(floor.config)
        rng = np.random.default_rng([floor.config.seed, 7])
        builder = SurfaceBuilder(specs=list(floor.specs))
        self._first = len(floor.vertices)
        self._people: list[_Person] = []
        triangles, first = [floor.triangles], self._first
        for number in range(floor.config.people):
            points, normals, paint, corners = tessellate(_body(builder, rng))
            self._people.append(self._person(points, normals, paint, number, rng))
            triangles.append(corners + first)
            first += len(points)
        self.world = replace(
            floor,
            vertices=np.concatenate([floor.vertices, self._away()]),
            triangles=np.concatenate(triangles),
            specs=tuple(builder.specs),
        )

    def places(self, second: float) -> Array:
        """Return (people, 3) floor positions x, y and headings at a time of the mapping walk."""
        speed = self._config.speed_m_s
        camera = float(self._path.along(np.array([second * speed]))[0])
        rows = []
        for person in self._people:
            sway = np.sin(0.7 * second + person.sway_rad)
            if person.ahead:
                along, way = camera + person.start_m + LAG_M * sway, 1.0
            else:
                along, way = person.start_m - person.speed_m_s * second, -1.0
            at = np.array([along])
            heading = float(self._path.heading(at)[0])
            side = person.side_m + 0.08 * float(np.sin(1.1 * second + person.sway_rad))
            x, y = self._path(at)[0] + side * np.array([-np.sin(heading), np.cos(heading)])
            rows.append((x, y, heading + (0.0 if way > 0 else np.pi)))
        return np.array(rows).reshape(-1, 3)

    def walk(self, renderer: MeshRenderer, second: float) -> None:
        """Put everyone where they are at a time of the mapping walk; ``renderer`` has ``world``."""
        moved = []
        for person, (x, y, heading) in zip(self._people, self.places(second), strict=True):
            c, s = np.cos(heading), np.sin(heading)
            world_from_body = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
            points = person.points @ world_from_body.T + (x, y, 0.0)
            normals = person.normals @ world_from_body.T
            moved.append(lit_vertices(points, normals, person.paint, self._layout))
        renderer.replace_vertices(self._first, np.concatenate(moved))

    def leave(self, renderer: MeshRenderer) -> None:
        """Leave the floor empty."""
        renderer.replace_vertices(self._first, self._away())

    def photograph(
        self, renderer: MeshRenderer, second: float, world_from_cam: Pose, camera: Camera
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the (H, W, 3) picture at a time, and (H, W) which pixels show a person."""
        self.walk(renderer, second)
        picture, depth = renderer.render(world_from_cam, camera)
        self.leave(renderer)
        # The same triangles give the same depth to the bit, so nearer is somebody.
        return picture, depth < renderer.render_depth(world_from_cam, camera)

    def _person(
        self,
        points: Array,
        normals: Array,
        paint: Array,
        number: int,
        rng: np.random.Generator,
    ) -> _Person:
        ahead, rank = number % 2 == 0, number // 2
        coming = max(1, self._config.people // 2)
        start = AHEAD_M + APART_M * rank
        if not ahead:  # spread over the ring, so that one after the other is met
            start = self._path.length * (rank + 0.5) / coming
        side = (0.3, -0.35)[rank % 2] if ahead else (ASIDE_M, -ASIDE_M)[rank % 2]
        sway, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.3)
        return _Person(points, normals, paint, ahead, start, side, float(sway), float(speed))

    def _away(self) -> NDArray[np.float32]:
        """Return (K, 9) vertices of everyone, out of sight."""
        count = sum(len(person.points) for person in self._people)
        away = np.zeros((count, 9), np.float32)
        away[:, 2] = _AWAY_M
        return away


def _body(builder: SurfaceBuilder, rng: np.random.Generator) -> Sequence[Surface]:
    """Return the boxes of one person: legs, a printed shirt, a head, and a printed bag behind."""
    fabric = builder.texture(TextureSpec("fabric"), "trousers")
    skin = builder.texture(TextureSpec("plain"), "skin")
    shirt = builder.texture(TextureSpec(str(rng.choice(_PRINTS)), 0.7))
    bag = builder.texture(TextureSpec(str(rng.choice(_PRINTS)), 0.75))
    tall = float(rng.uniform(0.92, 1.08))
    tone, cloth = rng.uniform(0.5, 0.95), rng.uniform(0.3, 0.9, 3).tolist()
    before = len(builder.surfaces)
    for low, high, layer, tint in (
        ((-0.10, -0.17, 0.0), (0.10, 0.17, 0.85), fabric, cloth),
        ((-0.13, -0.22, 0.85), (0.13, 0.22, 1.45), shirt, (1.0, 1.0, 1.0)),
        ((-0.10, -0.08, 1.45), (0.10, 0.08, 1.72), skin, (tone, 0.8 * tone, 0.7 * tone)),
        ((-0.30, -0.18, 0.90), (-0.13, 0.18, 1.42), bag, (1.0, 1.0, 1.0)),
    ):
        lower, upper = (low[0], low[1], tall * low[2]), (high[0], high[1], tall * high[2])
        builder.box(lower, upper, layer, layer, tint=tint)
    return builder.surfaces[before:]
