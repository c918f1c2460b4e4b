"""Pose, intrinsics and overlap of the rendered pairs against the pictures and brute force."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import map_coordinates, maximum_filter, minimum_filter
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.records.pairs import ImagePair, PairSet, depth_beside
from sightline.worlds.renderer import MeshRenderer
from sightline.worlds.rooms import RoomsConfig
from sightline.worlds.rooms.overlap import overlaps
from sightline.worlds.rooms.scene import RoomScene, build_scene

pytestmark = pytest.mark.egl


def _world_from_cam(pairs: PairSet, pair: ImagePair) -> tuple[np.ndarray, np.ndarray]:
    """Return the 4x4 poses of both views, from the scene's own file."""
    matrices = []
    for image in (pair.image_a, pair.image_b):
        content = json.loads((pairs.path(image).parent / "views.json").read_text())
        view, matrix = int(image.stem), np.eye(4)
        w, x, y, z = content["q_wxyz"][view]
        matrix[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
        matrix[:3, 3] = content["centres"][view]
        matrices.append(matrix)
    return matrices[0], matrices[1]


@pytest.fixture(scope="module")
def scenes(rooms_config: RoomsConfig) -> list[RoomScene]:
    return [build_scene(rooms_config, index) for index in range(rooms_config.rooms)]


@pytest.fixture(scope="module")
def scene_depths(rooms_config: RoomsConfig, scenes: list[RoomScene]) -> list[np.ndarray]:
    """(N, H, W) depth of every scene, rendered anew."""
    depths = []
    for scene in scenes:
        poses = [scene.world_from_cam[k] for k in range(rooms_config.views_per_room)]
        with MeshRenderer(scene) as renderer:
            depths.append(np.stack([renderer.render(p, rooms_config.camera)[1] for p in poses]))
    return depths


def _depth(depths: list[np.ndarray], pair: ImagePair, side: str) -> np.ndarray:
    image = pair.image_a if side == "a" else pair.image_b
    return depths[int(pair.scene.split("_")[1])][int(image.stem)]


def _warp(pair: ImagePair, depth: np.ndarray, b_from_a: np.ndarray) -> np.ndarray:
    """Return (3, H * W): where each pixel of a lies in b, and how deep."""
    camera = pair.camera_a
    assert camera is not None
    v, u = np.mgrid[: camera.height, : camera.width].reshape(2, -1)
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    point = b_from_a @ (np.stack([x, y, np.ones_like(x), 1 / depth.ravel()]) * depth.ravel())
    return np.stack(
        [camera.fx * point[0] / point[2] + camera.cx, camera.fy * point[1] / point[2] + camera.cy,
         point[2]]
    )  # fmt: skip


def _visible(warped: np.ndarray, depth_b: np.ndarray) -> np.ndarray:
    """Return which points b sees; the depth there is interpolated, unlike in the product."""
    height, width = depth_b.shape
    u, v, z = warped
    inside = (z > 0) & (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)
    surface = map_coordinates(depth_b, [v, u], order=1, mode="nearest")
    return inside & (z < 1.02 * surface)


def test_relative_pose_is_composed_of_the_world_poses(room_pairs: PairSet):
    for pair in room_pairs.pairs:
        world_from_a, world_from_b = _world_from_cam(room_pairs, pair)
        assert pair.b_from_a is not None
        expected = np.linalg.inv(world_from_b) @ world_from_a
        np.testing.assert_allclose(pair.b_from_a.matrix, expected, atol=1e-9)


def test_camera_has_the_field_of_view_asked_for(room_pairs: PairSet, rooms_config: RoomsConfig):
    for pair in room_pairs.pairs:
        for camera in (pair.camera_a, pair.camera_b):
            assert camera is not None
            assert (camera.model, camera.width, camera.height) == ("PINHOLE", 161, 121)
            left, right = camera.unproject([[-0.5, 60.0], [160.5, 60.0]])
            cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
            assert np.rad2deg(np.arccos(cosine)) == pytest.approx(rooms_config.fov_deg)
            assert camera.fx == camera.fy


def _grey(pairs: PairSet, image: Path) -> np.ndarray:
    """Return a photo, softened so that noise and grain between pixels weigh less."""
    grey = Image.open(pairs.path(image)).convert("L").filter(ImageFilter.BoxBlur(1))
    return np.asarray(grey, float)


def _faces_camera(depth: np.ndarray) -> np.ndarray:
    """Return where depth hardly changes from pixel to pixel: no edge, no grazing surface."""
    change = maximum_filter(depth, 3) - minimum_filter(depth, 3)
    return np.asarray(change < 0.04 * depth)


def _at(mask: np.ndarray, warped: np.ndarray) -> np.ndarray:
    rows, columns = np.rint(np.nan_to_num(warped[1::-1], posinf=0, neginf=0)).astype(int)
    height, width = mask.shape
    return mask[rows.clip(0, height - 1), columns.clip(0, width - 1)]


def test_pixels_of_a_are_found_in_b_through_depth_and_pose(
    room_pairs: PairSet, scene_depths: list[np.ndarray]
):
    found = {"room": 0, "object": 0}
    for pair in room_pairs.pairs:
        a, b = _grey(room_pairs, pair.image_a), _grey(room_pairs, pair.image_b)
        if a.std() < 25:  # A plain wall looks alike everywhere.
            continue
        assert pair.b_from_a is not None
        depth_a, depth_b = _depth(scene_depths, pair, "a"), _depth(scene_depths, pair, "b")
        clear = _faces_camera(depth_a).ravel(), _faces_camera(depth_b)
        similar = []
        # The truth first, then 0.6 degrees (1.5 pixels) beside it on four sides.
        for off in [(0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.6), (0.0, -0.6)]:
            turn = np.eye(4)
            turn[:3, :3] = Rotation.from_euler("xy", off, degrees=True).as_matrix()
            warped = _warp(pair, depth_a, turn @ pair.b_from_a.matrix)
            seen = _visible(warped, depth_b) & clear[0] & _at(clear[1], warped)
            there = map_coordinates(b, [warped[1][seen], warped[0][seen]], order=1, mode="nearest")
            similar.append(np.corrcoef(there, a.ravel()[seen])[0, 1])
        assert similar[0] > 0.96
        assert similar[0] > max(similar[1:])
        found[pair.scene.split("_")[0]] += 1
    assert min(found.values()) >= 5


def test_overlap_is_that_of_all_pixels(room_pairs: PairSet, scene_depths: list[np.ndarray]):
    difference = []
    for pair in room_pairs.pairs:
        assert pair.b_from_a is not None
        depth_a, depth_b = _depth(scene_depths, pair, "a"), _depth(scene_depths, pair, "b")
        there = _visible(_warp(pair, depth_a, pair.b_from_a.matrix), depth_b).mean()
        back = _visible(_warp(pair, depth_b, pair.b_from_a.inverse().matrix), depth_a).mean()
        assert pair.overlap is not None
        difference.append(pair.overlap - min(there, back))
    assert len(difference) > 30
    assert np.abs(difference).max() < 0.04
    assert abs(np.mean(difference)) < 0.01


def test_overlap_of_two_cameras_before_a_wall_is_known():
    camera = Camera("PINHOLE", 200, 100, (200.0, 200.0, 99.5, 49.5))
    wall = np.full((3, 100, 200), 2.0, np.float32)
    # The third camera stands as the second, with its hand over the left half of the lens.
    wall[2, :, :100] = 0.1
    moved = np.array([[0.0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]])
    poses = Pose(np.tile([1.0, 0, 0, 0], (3, 1)), moved)
    shares = overlaps(wall, poses, camera, stride=1)
    # 0.5 m at 2 m and 200 px: 50 of 200 columns go out of view.
    assert shares[0, 1] == pytest.approx(0.75)
    assert shares[1, 0] == pytest.approx(0.75)
    # Of the 150 columns b could see, the hand hides 100.
    assert shares[0, 2] == pytest.approx(0.25)
    assert shares[2, 1] == pytest.approx(1.0)


def test_what_has_no_depth_is_seen_by_nobody():
    camera = Camera("PINHOLE", 60, 60, (60.0, 60.0, 29.5, 29.5))
    depth = np.full((2, 60, 60), 3.0, np.float32)
    depth[0, :, :30] = 0
    shares = overlaps(depth, Pose.identity((2,)), camera, stride=1)
    assert shares[0, 1] == pytest.approx(0.5)
    assert shares[1, 0] == pytest.approx(0.5)


def test_scenes_are_closed_and_cameras_stand_in_the_open(
    rooms_config: RoomsConfig, scenes: list[RoomScene], scene_depths: list[np.ndarray]
):
    for scene, depths in zip(scenes, scene_depths, strict=True):
        assert depths.min() > 0.1
        centres = scene.world_from_cam.translation
        assert ((centres > 0.15) & (centres < scene.size - 0.15)).all()
        v, u = np.mgrid[: depths.shape[1] : 4, : depths.shape[2] : 4].reshape(2, -1)
        rays = rooms_config.camera.unproject(np.stack([u, v], axis=1))
        for view, depth in enumerate(depths):
            points = scene.world_from_cam[view].apply(rays * depth[v, u][:, None].astype(float))
            assert (points > -0.03).all()
            assert (points < scene.size + 0.03).all()


def test_no_constant_answers_well(room_pairs: PairSet):
    poses = [pair.b_from_a for pair in room_pairs.pairs if pair.b_from_a is not None]
    turns = np.rad2deg([pose.rotation.magnitude() for pose in poses])
    assert np.median(turns) > 12
    steps = np.stack([pose.translation for pose in poses])
    ways = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    assert np.linalg.norm(ways.mean(axis=0)) < 0.5
    # No axis alone: sideways, up and down, forward and back.
    assert (np.abs(ways).mean(axis=0) > 0.2).all()


def test_depth_beside_each_photo(
    room_pairs: PairSet, rooms_config: RoomsConfig, scene_depths: list[np.ndarray]
) -> None:
    """Every fourth value, in whole millimetres, of every photo of every scene."""
    for index, depths in enumerate(scene_depths):
        kind = "object" if index % 2 else "room"
        for view, depth in enumerate(depths):
            photo = room_pairs.root / "images" / f"{kind}_{index:04d}" / f"{view:03d}.jpg"
            with Image.open(depth_beside(photo)) as picture:
                kept = np.asarray(picture)
            assert kept.dtype == np.uint16
            assert kept.shape == (rooms_config.image_height // 4, rooms_config.image_width // 4)
            np.testing.assert_allclose(kept / 1000, depth[2::4, 2::4], atol=0.00051)
