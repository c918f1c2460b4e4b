"""What is in the pictures: depth that geometry confirms, every kind of place, an unknown sky."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.records.depth import DepthSet
from sightline.worlds.depth import DepthWorldConfig
from sightline.worlds.depth.config import KINDS
from sightline.worlds.depth.photograph import develop
from sightline.worlds.depth.render import (
    VIEWS_JSON,
    build_scene,
    camera_of,
    fine_camera,
    pose_of,
    split_of,
    storable,
)
from sightline.worlds.depth.scene import DepthScene, View
from sightline.worlds.depth.streets import FAR_M
from sightline.worlds.renderer import MeshRenderer

pytestmark = pytest.mark.egl


def _cast(scene: DepthScene, pose: Pose, camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """Return (N,) exact z-depth in (N, 2) pixels (x, y): rays against every triangle.

    Moeller and Trumbore (1997); 0 where a ray meets nothing, or an edge decides (NaN).
    """
    corners = scene.vertices[:, :3].astype(np.float64)[scene.triangles]
    a, e1, e2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    depths = np.zeros(len(pixels))
    for k, (x, y) in enumerate(pixels):
        ray = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0])
        way = pose.rotation_matrix @ ray
        p = np.cross(way, e2)
        det = np.einsum("ij,ij->i", e1, p)
        inverse = 1 / np.where(np.abs(det) < 1e-12, np.inf, det)
        s = pose.translation - a
        q = np.cross(s, e1)
        u, v = np.einsum("ij,ij->i", s, p) * inverse, (q @ way) * inverse
        t = np.einsum("ij,ij->i", e2, q) * inverse
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0.05) & (inverse != 0)
        # The ray's third part is 1: its parameter is the z-depth.
        depths[k] = t[hit].min() if hit.any() else 0.0
    return depths


@pytest.mark.parametrize("index", [0, 1, 2, 4])
def test_depth_is_where_the_rays_meet_the_triangles(index: int):
    config = DepthWorldConfig(scenes=10, seed=7)
    scene, rng = build_scene(config, index), np.random.default_rng(0)
    view = scene.draw_view(rng)
    pose, camera = pose_of(view), camera_of(view, 64, 48)
    pixels = np.stack([rng.integers(0, 64, 150), rng.integers(0, 48, 150)], axis=1)
    with MeshRenderer(scene, far_m=FAR_M) as renderer:
        depth = renderer.render_depth(pose, camera)[pixels[:, 1], pixels[:, 0]]
    exact = _cast(scene, pose, camera, pixels)
    assert (exact > 0).any()
    close = np.isclose(depth, exact, rtol=1e-4, atol=1e-4)
    # Rays along an edge, or surfaces that lie on each other, may go either way.
    assert close.mean() > 0.97
    # The neighbour's depth is another one: half a pixel off would be seen.
    off = _cast(scene, pose, camera, pixels + 0.5)
    assert np.isclose(depth, off, rtol=1e-4, atol=1e-4).mean() < 0.5


def test_points_of_the_floor_are_at_its_height():
    scene = build_scene(DepthWorldConfig(scenes=1, seed=1), 0)
    view = View(np.array([1.0, 1.0, 1.5]), np.array([0.0, 1.0, -1.2]), 0.1, np.deg2rad(60))
    pose, camera = pose_of(view), camera_of(view, 64, 48)
    with MeshRenderer(scene, far_m=FAR_M) as renderer:
        depth = renderer.render_depth(pose, camera)
    y, x = np.mgrid[:48, :64]
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0 + 0 * x], -1)
    points = pose.apply((rays * depth[..., None]).reshape(-1, 3))
    # No point lies below the floor, and many lie on it or on a rug, 6 mm thick.
    assert points[:, 2].min() > -1e-4
    low = points[points[:, 2] < 0.01, 2]
    assert len(low) > 60
    off = np.minimum(np.abs(low), np.abs(low - 0.006))
    # All but the side of the rug, or of a thing's foot.
    assert (off < 1e-4).mean() > 0.98


def test_a_field_of_view_is_what_the_intrinsics_say():
    view = View(np.zeros(3), np.array([1.0, 0.0, 0.0]), 0.0, np.deg2rad(90))
    camera = camera_of(view, 256, 192)
    assert camera.fx == pytest.approx(128)
    assert (camera.cx, camera.cy) == (127.5, 95.5)
    fine = fine_camera(camera)
    # Both see pixel (0, 0)'s upper left corner in the same direction.
    assert (-0.5 - fine.cx) / fine.fx == pytest.approx((-0.5 - camera.cx) / camera.fx)
    assert (-0.5 - fine.cy) / fine.fy == pytest.approx((-0.5 - camera.cy) / camera.fy)


@pytest.mark.parametrize("axis", [0, 1])
def test_photo_and_depth_show_the_same_view(depth_world: DepthSet, axis: int):
    """Edges of depth are edges of the photo, and not a pixel beside them or in a mirrored one."""
    found: dict[int | str, list[float]] = {}
    for item in depth_world.items:
        depth = np.nan_to_num(depth_world.read_target(item), nan=100.0)
        edges = np.abs(np.diff(np.log(depth), axis=axis)) > 0.15
        steps = np.abs(np.diff(depth_world.read_image(item).mean(axis=2), axis=axis))
        if edges.mean() > 0.003:
            moved = {move: np.roll(edges, move, axis) for move in (-1, 0, 1)}
            for move, there in {**moved, "mirrored": np.flip(edges, axis)}.items():
                found.setdefault(move, []).append(steps[there].mean() / steps.mean())
    means = {move: float(np.mean(values)) for move, values in found.items()}
    assert len(found[0]) >= 8
    assert means.pop(0) > 1.2 * max(means.values())


def test_a_photos_pixel_is_a_block_of_fine_ones():
    config = DepthWorldConfig(scenes=10, seed=5)
    scene = build_scene(config, 1)
    view = scene.draw_view(np.random.default_rng(2))
    pose, camera = pose_of(view), camera_of(view, 128, 96)
    with MeshRenderer(scene, far_m=FAR_M) as renderer:
        depth = renderer.render_depth(pose, camera)
        fine = renderer.render_depth(pose, fine_camera(camera))
    # Away from edges, the mean of a fine block is the depth of the pixel in its middle.
    block = fine.reshape(96, 2, 128, 2)
    smooth = np.ptp(block.transpose(0, 2, 1, 3).reshape(96, 128, 4), axis=2) < 0.02 * depth
    inverse = (1 / block.clip(0.01)).mean(axis=(1, 3))
    assert smooth.mean() > 0.6
    assert np.median(np.abs(inverse - 1 / depth)[smooth] * depth[smooth]) < 1e-4


def test_the_sky_and_what_is_too_far_are_unknown():
    depth = np.array([[0.0, 1.2344, 65.534], [65.5351, 259.0, 0.0004]], np.float32)
    np.testing.assert_array_equal(storable(depth), [[0, 1234, 65534], [0, 0, 0]])


def test_streets_have_an_unknown_sky_and_rooms_are_known_everywhere(depth_world: DepthSet):
    for item in depth_world.items:
        target = depth_world.read_target(item)
        known = np.isfinite(target)
        if item.source.startswith("street"):
            rows = known.mean(axis=1)
            assert rows[-1] > rows[0]
            assert rows[0] < 1
            assert np.nanmax(target) > 8
        else:
            assert known.mean() > 0.999
            assert np.nanmax(target) < 24
        assert np.nanmin(target) > 0.2


def test_views_differ_in_lens_height_and_tilt():
    config = DepthWorldConfig(scenes=10, seed=0)
    rng, fields, heights, pitches = np.random.default_rng(0), [], [], []
    scene = build_scene(config, 0)
    for _ in range(60):
        view = scene.draw_view(rng)
        fields.append(np.rad2deg(view.fov))
        heights.append(view.centre[2])
        pitches.append(np.rad2deg(np.arcsin(view.forward[2])))
    assert config.min_fov_deg <= min(fields) < 48
    assert 70 < max(fields) <= config.max_fov_deg
    assert np.std(heights) > 0.2
    assert np.std(pitches) > 7


def test_every_kind_is_there_in_its_share(depth_world: DepthSet):
    kinds = {item.source.split("_")[0] for item in depth_world.items}
    assert kinds == set(KINDS)
    assert [KINDS.count(k) for k in ("room", "desk", "corridor", "street")] == [5, 2, 1, 2]


def test_the_default_set_is_split_by_kind():
    config = DepthWorldConfig()
    splits = split_of(config)
    for kind in set(KINDS):
        mine = [splits[k] for k in range(config.scenes) if KINDS[k % len(KINDS)] == kind]
        assert mine.count("test") == mine.count("validation") == len(mine) // 10


def test_cameras_are_written_as_they_are(depth_world: DepthSet):
    for source in {item.source for item in depth_world.items}:
        rows = json.loads((depth_world.root / "images" / source / VIEWS_JSON).read_text())
        mine = [item for item in depth_world.items if item.source == source]
        for row, item in zip(rows, mine, strict=True):
            assert item.intrinsics == pytest.approx(row["intrinsics"], abs=1e-5)
            turn = Rotation.from_quat(np.roll(row["q_wxyz"], -1)).as_matrix()
            # Held more or less upright: the picture's down is the world's.
            assert turn[2, 1] < -0.3


def test_photos_are_neither_black_nor_white():
    rng, seen = np.random.default_rng(1), []
    for level in (20.0, 90.0, 250.0):
        flat = np.full((24, 32, 3), level, np.float32) + rng.normal(0, 1, (24, 32, 3))
        seen += [develop(rng, flat.astype(np.float32), 8.0).mean() for _ in range(20)]
    assert 20 < np.percentile(seen, 10) < np.percentile(seen, 90) < 225
