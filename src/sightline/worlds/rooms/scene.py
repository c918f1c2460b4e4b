"""One scene: lit geometry, its textures and where the photos are taken from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.worlds.canvas import Picture, TextureSpec
from sightline.worlds.materials import MATERIALS, paint_material
from sightline.worlds.mesh import Block, MeshBuilder
from sightline.worlds.rooms.config import RoomsConfig
from sightline.worlds.rooms.light import Lamp, bake_light

#: Materials of a scene's things: painting takes most of the time.
STOCK = 5


@dataclass(frozen=True, eq=False)
class RoomScene:
    """A scene as the renderer takes it: world z up, metres, one corner of the room at 0, 0, 0.

    Attributes:
        vertices: (V, 9) float32: x, y, z, texture u, v, layer, and baked red, green, blue light.
        triangles: (T, 3) uint32 vertex indices.
        textures: (L, H, W, 3) uint8.
        world_from_cam: (N,) poses of the photos.
        size: (3,) the room.
        blocks: What stands in it.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    textures: NDArray[np.uint8]
    world_from_cam: Pose
    size: Array
    blocks: tuple[Block, ...]


@dataclass
class Workshop:
    """What a scene is built with: one mesh, a stock of textures, one stream of chance.

    Attributes:
        rng: All chance of this scene.
        is_plain: A scene with little texture.
        mesh: The geometry so far.
        textures: The layers so far.
    """

    rng: np.random.Generator
    is_plain: bool
    mesh: MeshBuilder = field(default_factory=MeshBuilder)
    textures: list[Picture] = field(default_factory=list)
    _stock: list[int] = field(default_factory=list)

    def layer(self, picture: Picture) -> int:
        """Add a texture and return its layer."""
        self.textures.append(picture)
        return len(self.textures) - 1

    def material(self, *kinds: str) -> int:
        """Return the layer of a new material of one of the kinds (any where none is given)."""
        if self.is_plain:
            kinds = ("plain", "plain", "plain", "plain", "plaster")
        kind = str(self.rng.choice(kinds or sorted(set(MATERIALS) - {"plain"})))
        return self.layer(paint_material(kind, self.rng))

    def stocked(self) -> int:
        """Return the layer of one of the few materials that this scene's things are made of."""
        if len(self._stock) < STOCK:
            self._stock.append(self.material())
            return self._stock[-1]
        return int(self.rng.choice(self._stock))

    def picture(self, kind: str, aspect: float) -> int:
        """Return the layer of a new picture."""
        from sightline.worlds import pictures

        painter = getattr(pictures, f"paint_{kind}")
        return self.layer(painter(TextureSpec(kind, aspect), self.rng))

    def shift(self) -> tuple[float, float]:
        """Return metres to shift a repeated texture by."""
        x, y = self.rng.uniform(0, 3, 2)
        return float(x), float(y)

    def finish(self, size: Array, lamps: list[Lamp], world_from_cam: Pose) -> RoomScene:
        """Return the scene, lit."""
        points, normals, rest, triangles = self.mesh.arrays()
        light = bake_light(points, normals, lamps, self.mesh.blocks, size)
        glow = rest[:, 6:7]
        vertices = np.concatenate(
            [points, rest[:, :3], np.where(glow > 0, glow, light) * rest[:, 3:6]], axis=1
        )
        return RoomScene(
            vertices.astype(np.float32),
            triangles,
            np.stack(self.textures),
            world_from_cam,
            size,
            tuple(self.mesh.blocks),
        )


def build_scene(config: RoomsConfig, index: int) -> RoomScene:
    """Return scene ``index`` of a set; it depends on the seed and the index alone."""
    from sightline.worlds.rooms.interior import build_interior
    from sightline.worlds.rooms.tabletop import build_tabletop

    rng = np.random.default_rng([config.seed, index, 0])
    work = Workshop(rng, is_plain=bool(rng.random() < config.plain_share))
    build = build_interior if index % 2 == 0 else build_tabletop
    return build(work, config.views_per_room)
