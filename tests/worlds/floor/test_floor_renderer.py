"""Pictures and depth against exact geometry."""

import numpy as np
import pytest

from sightline.errors import RenderError
from sightline.geometry import Camera, Pose
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import FloorWorld
from sightline.worlds.floor.surfaces import Surface
from sightline.worlds.floor.walks import mapping_walk, second_walk
from sightline.worlds.renderer import MeshRenderer

pytestmark = pytest.mark.egl


def raycast(
    surfaces: tuple[Surface, ...], origin: np.ndarray, rays: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return factors along (N, 3) rays to the nearest surface, and its index (-1: none)."""
    best, index = np.full(len(rays), np.inf), np.full(len(rays), -1)
    for i, surface in enumerate(surfaces):
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = (surface.corners[0] - origin) @ surface.normal / (rays @ surface.normal)
            hits = origin + factor[:, None] * rays
        ring = surface.corners[[0, 1, 3, 2]]
        sides = np.stack(
            [
                np.cross(ring[(k + 1) % 4] - ring[k], hits - ring[k]) @ surface.normal
                for k in range(4)
            ]
        )
        # A turned shape's tip has an edge of no length: its side is 0 everywhere.
        hit = (sides.max(axis=0) <= 1e-12) & (factor > 0) & (factor < best)
        best[hit], index[hit] = factor[hit], i
    return best, index


def _some_poses(config: FloorConfig) -> list[Pose]:
    walk, other = mapping_walk(config, 1.0), second_walk(config)
    return [walk[k][1] for k in (2, 9, 20, 31)] + [other[k][1] for k in (5, 40)]


def test_depth_is_ray_plane_intersection(
    floor_renderer: MeshRenderer, floor_world: FloorWorld, floor_config: FloorConfig
):
    camera, rng = floor_config.camera, np.random.default_rng(0)
    errors = []
    for pose in _some_poses(floor_config):
        _, depth = floor_renderer.render(pose, camera)
        pixels = rng.integers((0, 0), (camera.width, camera.height), (400, 2))
        rays = camera.unproject(pixels) @ pose.rotation_matrix.T
        exact, _ = raycast(floor_world.surfaces, pose.translation, rays)
        assert np.isfinite(exact).all()
        errors.append(np.abs(depth[pixels[:, 1], pixels[:, 0]] - exact))
    error = np.concatenate(errors)
    # Where an edge passes within a hair of a pixel's centre either side is right.
    assert np.mean(error < 1e-3) > 0.998
    assert np.median(error) < 1e-5


def _edge_crossing(
    depth: np.ndarray, pixel: np.ndarray, across: np.ndarray, z: float
) -> float | None:
    """Return where, along ``across``, depth jumps away from ``z``; None where it does not."""
    offsets = np.arange(-4, 4.01, 0.05)
    u, v = np.rint(pixel[:, None] + across[:, None] * offsets).astype(int)
    profile = depth[v, u]
    jumps = np.flatnonzero(np.abs(np.diff(profile)) > 0.3)
    if len(jumps) != 1 or abs(min(profile[jumps[0]], profile[jumps[0] + 1]) - z) > 0.05:
        return None
    return float(offsets[jumps[0]] + 0.025)


def test_projected_corners_land_on_rendered_edges(
    floor_renderer: MeshRenderer, floor_world: FloorWorld, floor_config: FloorConfig
):
    """The island's corners are vertical edges between near wall and far floor or wall."""
    camera, island = floor_config.camera, floor_world.layout.island
    corners = [(x, y) for x in (island.x0, island.x1) for y in (island.y0, island.y1)]
    found = []
    for _, pose in mapping_walk(floor_config, 4.0):
        _, depth = floor_renderer.render(pose, camera)
        for x, y in corners:
            in_cam = pose.inverse().apply([(x, y, z) for z in (1.2, 1.6)])
            if (in_cam[:, 2] < 0.5).any():
                continue
            a, b = camera.project(in_cam)
            middle, along = (a + b) / 2, (b - a) / np.linalg.norm(b - a)
            low, high = np.array([8, 8]), np.array([camera.width - 9, camera.height - 9])
            if (middle < low).any() or (middle > high).any():
                continue
            across = np.array([-along[1], along[0]])
            crossing = _edge_crossing(depth, middle, across, float(in_cam[:, 2].mean()))
            if crossing is not None:
                found.append(crossing)
    assert len(found) >= 20
    # Each crossing is known to half a pixel (pixels are on one side or the other): their mean
    # shows a convention that is off by half a pixel, in whichever direction.
    assert np.abs(found).max() < 0.75
    assert np.median(np.abs(found)) < 0.5
    assert abs(np.mean(found)) < 0.15


def test_a_pixel_grid_maps_exactly(floor_renderer: MeshRenderer, floor_world: FloorWorld):
    """Looking straight at a wall, the skirting's top edge falls on the row the camera says."""
    config = floor_world.config
    camera = Camera("PINHOLE", 320, 240, (200.0, 210.0, 150.25, 110.75))
    # World: x right, y away (north wall at y = depth), z up.
    level = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    centre = np.array([0.9, config.depth_m - 1.5, 0.6])
    pose = Pose.from_matrix(np.c_[level, centre])
    picture, depth = floor_renderer.render(pose, camera)
    edge = np.array([0.9, config.depth_m, 0.0])
    row = camera.project(pose.inverse().apply(edge))[1]
    first_floor_row = int(np.ceil(row))
    column = 170
    assert depth[first_floor_row - 1, column] == pytest.approx(1.5, abs=1e-4)
    rays = camera.unproject([column, first_floor_row])
    assert depth[first_floor_row, column] == pytest.approx(0.6 / rays[1], abs=1e-4)
    assert depth[first_floor_row, column] < 1.5 - 1e-4
    assert picture.shape == (240, 320, 3)


def test_reprojected_depth_matches_the_other_frames_colours(
    floor_renderer: MeshRenderer, floor_config: FloorConfig
):
    camera = floor_config.camera
    walk = mapping_walk(floor_config, 5.0)
    for i, j in ((20, 23), (70, 74), (130, 132)):
        world_from_a, world_from_b = walk[i][1], walk[j][1]
        picture_a, depth_a = floor_renderer.render(world_from_a, camera)
        picture_b, depth_b = floor_renderer.render(world_from_b, camera)
        v, u = (g.ravel() for g in np.mgrid[8:632:5, 8:472:5])
        points_a = camera.unproject(np.stack([u, v], 1)) * depth_a[v, u][:, None]
        points_b = world_from_b.inverse().apply(world_from_a.apply(points_a))
        pixel = camera.project(points_b)
        near = np.rint(pixel).astype(int)
        seen = (points_b[:, 2] > 0.1) & (near >= 0).all(1) & (near < (480, 640)).all(1)
        seen[seen] &= np.abs(depth_b[near[seen, 1], near[seen, 0]] - points_b[seen, 2]) < 0.02
        assert seen.mean() > 0.3
        a = picture_a[v, u][seen].astype(float)
        right = picture_b[near[seen, 1], near[seen, 0]].astype(float)
        shuffled = np.random.default_rng(0).permutation(right)
        error = np.abs(a - right).mean(axis=1)
        assert np.median(error) < 4
        assert np.mean(error) < 0.2 * np.abs(a - shuffled).mean()


def test_every_pixel_of_both_walks_is_covered(
    floor_renderer: MeshRenderer, floor_config: FloorConfig
):
    poses = [pose for _, pose in mapping_walk(floor_config, 1.0) + second_walk(floor_config)[::4]]
    holes = [int((floor_renderer.render(p, floor_config.camera)[1] <= 0).sum()) for p in poses]
    assert sum(holes) == 0


def test_fast_path_gives_the_same_picture_and_exposure_scales_it(
    floor_renderer: MeshRenderer, floor_config: FloorConfig
):
    camera, pose = floor_config.camera, mapping_walk(floor_config, 1.0)[7][1]
    picture, depth = floor_renderer.render(pose, camera)
    assert picture.dtype == np.uint8
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(floor_renderer.render_rgb(pose, camera), picture)
    dark = floor_renderer.render_rgb(pose, camera, exposure=0.5).astype(float)
    unclipped = (picture < 250).all(axis=-1)
    assert np.abs(dark - picture / 2)[unclipped].max() <= 1.01


def test_a_lens_with_distortion_is_refused(floor_renderer: MeshRenderer):
    camera = Camera("SIMPLE_RADIAL", 64, 48, (50.0, 31.5, 23.5, 0.1))
    with pytest.raises(RenderError, match="SIMPLE_RADIAL came"):
        floor_renderer.render(Pose.identity(), camera)


def test_missing_egl_names_the_packages(monkeypatch: pytest.MonkeyPatch, floor_world: FloorWorld):
    import moderngl

    def no_egl(**_: object) -> None:
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_context", no_egl)
    with pytest.raises(RenderError, match="libegl1 and libgl1-mesa-dri") as caught:
        MeshRenderer(floor_world)
    assert "libEGL.so not loaded" in str(caught.value)
    assert "\n" not in str(caught.value)
