"""The floor's bytes and shapes."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.worlds.canvas import TextureSpec
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import FloorWorld, build_floor
from sightline.worlds.floor.textures import PAINTERS, paint_layers
from sightline.worlds.floor.walks import mapping_walk, second_walk

_DIGESTS = """
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.walks import mapping_walk, second_walk
config = FloorConfig()
print(build_floor(config).digest())
for _, pose in mapping_walk(config, 5.0) + second_walk(config):
    print(pose.q_wxyz.tobytes().hex() + pose.translation.tobytes().hex())
"""


def _poses(config: FloorConfig) -> list[str]:
    walks = mapping_walk(config, 5.0) + second_walk(config)
    return [p.q_wxyz.tobytes().hex() + p.translation.tobytes().hex() for _, p in walks]


def test_same_seed_gives_the_same_bytes_in_another_process(floor_world: FloorWorld):
    command = [sys.executable, "-c", _DIGESTS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    digest, *poses = done.stdout.split()
    assert digest == floor_world.digest()
    assert poses == _poses(floor_world.config)


def test_another_seed_gives_another_floor_and_other_walks(floor_world: FloorWorld):
    other = build_floor(FloorConfig(seed=1))
    assert other.digest() != floor_world.digest()
    assert not set(_poses(other.config)) & set(_poses(floor_world.config))


def test_digest_sees_every_array(floor_world: FloorWorld):
    world = replace(floor_world, specs=floor_world.specs[:2])
    moved = world.vertices.copy()
    moved[-1, 0] += 1e-3
    others = [
        replace(world, vertices=moved),
        replace(world, triangles=world.triangles[:, ::-1]),
        replace(world, specs=world.specs[::-1]),
    ]
    assert len({world.digest(), *(other.digest() for other in others)}) == 4


def test_vertices_lie_on_their_surfaces_and_cover_them(floor_world: FloorWorld):
    corners = np.concatenate([s.corners for s in floor_world.surfaces])
    vertices = floor_world.vertices[:, :3].astype(np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    np.testing.assert_allclose(vertices.min(axis=0), low, atol=1e-5)
    np.testing.assert_allclose(vertices.max(axis=0), high, atol=1e-5)
    a, b, c = (vertices[floor_world.triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    diagonals = [(s.corners[3] - s.corners[0], s.corners[2] - s.corners[1]) for s in
                 floor_world.surfaces]  # fmt: skip
    exact = sum(np.linalg.norm(np.cross(d, e)) / 2 for d, e in diagonals)
    assert area == pytest.approx(exact, rel=1e-5)


def test_surfaces_are_planar_and_walls_face_the_free_side(floor_world: FloorWorld):
    for surface in floor_world.surfaces:
        off_plane = (surface.corners - surface.corners[0]) @ surface.normal
        assert np.abs(off_plane).max() < 1e-9
    for face in floor_world.layout.faces:
        x, y = face.at(face.length / 2, 0.05)
        inside_wall = any(r.x0 < x < r.x1 and r.y0 < y < r.y1 for r in floor_world.layout.walls)
        assert not inside_wall


def test_light_is_bright_enough_everywhere_and_varies_along_the_corridor(floor_world: FloorWorld):
    vertices = floor_world.vertices
    on_floor = np.abs(vertices[:, 2]) < 1e-6
    south = on_floor & (np.abs(vertices[:, 1] - 1.1) < 0.4) & (vertices[:, 0] > 1)
    light = vertices[south, 6]
    assert light.min() > 0.3
    assert light.max() / light.min() > 1.15
    assert np.isfinite(vertices).all()


def test_walls_stop_the_light():
    # Without its own lamp a closed-in room gets ambient light only.
    from sightline.worlds.floor.light import bake_light

    layout = build_floor(FloorConfig()).layout
    corridor = tuple(lamp for lamp in layout.lamps if lamp.y < 1.2)
    only_south = replace(layout, lamps=corridor, furniture=())
    server = layout.rooms[3].rect
    points = np.array([[*server.centre, 0.0], [server.centre[0], 1.1, 0.0]])
    light = bake_light(points, np.array([[0.0, 0.0, 1.0]] * 2), only_south)
    np.testing.assert_allclose(light[0], light[0, 0])
    assert light[1].min() > 2 * light[0].max()


def test_every_painter_fills_a_layer_with_contrast():
    names = sorted(PAINTERS)
    layers = paint_layers(tuple(TextureSpec(name, 0.8, "101") for name in names), 0)
    contrast = {n: float(layer.std()) for n, layer in zip(names, layers, strict=True)}
    assert min(contrast.values()) > 1.5, contrast
    signs = paint_layers((TextureSpec("sign", 1.6, "101"), TextureSpec("sign", 1.6, "102")), 0)
    assert (signs[0] != signs[1]).any()


def test_doors_look_alike_and_pictures_do_not(floor_world: FloorWorld):
    kinds = [spec.kind for spec in floor_world.specs]
    closed = sum(len(face.doors) for face in floor_world.layout.faces)
    assert closed >= 8
    assert kinds.count("door") == 1
    assert kinds.count("exit") == 1
    posters = [i for i, kind in enumerate(kinds) if kind in ("notice", "chart", "shapes", "metro")]
    assert len(posters) > 10
    assert len({floor_world.textures[i].tobytes() for i in posters}) == len(posters)


def test_walks_are_smooth_and_timed(floor_config: FloorConfig):
    walk = mapping_walk(floor_config, 5.0)
    assert 180 <= len(walk) <= 220
    stamps = np.array([t for t, _ in walk])
    np.testing.assert_allclose(np.diff(stamps), 0.2)
    centres = Pose.stack([pose for _, pose in walk]).translation
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert steps.max() < 0.27
    assert np.median(steps) == pytest.approx(0.2, abs=0.03)
    # The end sees the start again, from nearly the same place.
    assert np.linalg.norm(centres[-10:, None] - centres[None, :20], axis=-1).min() < 0.25
    assert len(second_walk(floor_config)) == floor_config.second_frames


def test_walks_look_where_they_go_and_the_second_looks_elsewhere(floor_config: FloorConfig):
    walk = mapping_walk(floor_config, 10.0)
    poses = Pose.stack([pose for _, pose in walk])
    forward = poses.rotation_matrix[:, :, 2]
    right, down = poses.rotation_matrix[:, :, 0], poses.rotation_matrix[:, :, 1]
    way = np.gradient(poses.translation, axis=0)
    along = np.einsum("ij,ij->i", forward[:, :2], way[:, :2]) / np.linalg.norm(way[:, :2], axis=1)
    assert np.median(along) > 0.9
    assert down[:, 2].max() < -0.95
    assert np.abs(right[:, 2]).max() < 0.1
    second = Pose.stack([pose for _, pose in second_walk(floor_config)])
    distance = np.linalg.norm(second.translation[:, None] - poses.translation, axis=-1)
    nearest = distance.argmin(axis=1)
    cosine = np.einsum("ij,ij->i", second.rotation_matrix[:, :, 2], forward[nearest])
    turned = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    assert np.median(turned) > 10
    assert turned.max() < 75
    assert np.median(distance.min(axis=1)) > 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corridor_m": 1.0}, "corridor of 2.0 m"),
        ({"width_m": 8.0}, "island"),
        ({"seed": -1}, "seed"),
        ({"speed_m_s": 0.0}, "above 0"),
        ({"horizontal_fov_deg": 170.0}, "field of view"),
        ({"body_radius_m": 0.5}, "body radius"),
    ],
)
def test_a_config_nobody_can_build_is_refused(change: dict[str, float], words: str):
    with pytest.raises(InputError, match=words):
        FloorConfig(**change)


def test_an_unknown_texture_is_named():
    with pytest.raises(InputError, match="'marble' came"):
        paint_layers((TextureSpec("marble"),), 0)
