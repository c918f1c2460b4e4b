import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from synthetic_walk import L_SHAPE, RING, angle_deg, hand_held, random_similarity

from sightline.errors import GeometryError, MediaError
from sightline.geometry import Camera, Pose
from sightline.reconstruction.align.gravity import (
    UpEstimate,
    estimate_up,
    floor_height,
    level_map,
)
from sightline.reconstruction.align.lines import line_plane_normals
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.walks import mapping_walk, second_walk
from sightline.worlds.renderer import MeshRenderer


def up_in_map(walk):
    return walk.map_from_world.pose.rotation.apply([0.0, 0.0, 1.0])


@pytest.mark.parametrize("seed", range(5))
def test_up_of_a_ring_walk_is_within_a_degree(seed):
    walk = hand_held(RING, seed=seed)
    found = estimate_up(walk.geometry.map_from_cam)
    assert found.cue == "camera path"
    assert angle_deg(found.up_map, up_in_map(walk)) < 0.5


@pytest.mark.parametrize("pitch_deg", [-15.0, 0.0, 10.0])
def test_a_constant_pitch_does_not_tilt_the_cameras_up(pitch_deg):
    # Bumpy, so that the path's plane is not believed and the cameras decide.
    walk = hand_held(RING, pitch_deg=pitch_deg, height_noise=0.6, seed=3)
    found = estimate_up(walk.geometry.map_from_cam)
    assert found.cue == "cameras"
    assert angle_deg(found.up_map, up_in_map(walk)) < 1.5


@pytest.mark.parametrize("seed", range(4))
def test_a_few_turned_phones_do_not_tilt_it(seed):
    walk = hand_held(RING, height_noise=0.6, seed=seed)
    poses = walk.geometry.map_from_cam
    sideways = Pose(np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)]), np.zeros(3))
    q = poses.q_wxyz.copy()
    q[::10] = (Pose(q[::10], np.zeros_like(poses.translation[::10])) @ sideways).q_wxyz
    found = estimate_up(Pose(q, poses.translation))
    assert angle_deg(found.up_map, up_in_map(walk)) < 2.0


def test_a_straight_corridor_is_not_taken_for_a_plane():
    walk = hand_held(np.array([[0.0, 0.0], [20.0, 0.0]]), seed=1)
    found = estimate_up(walk.geometry.map_from_cam)
    assert found.cue == "cameras"
    # Roll is known from the horizon, pitch only from people holding phones upright.
    assert angle_deg(found.up_map, up_in_map(walk)) < 9.0


def test_stairs_are_not_taken_for_the_floor():
    walk = hand_held(L_SHAPE, seed=2, height_noise=0.0)
    centres = walk.world_from_cam.translation.copy()
    centres[:, 2] += 0.6 * centres[:, 0]
    climbing = walk.map_from_world.apply_pose(Pose(walk.world_from_cam.q_wxyz, centres))
    found = estimate_up(climbing)
    assert found.cue == "cameras"
    assert angle_deg(found.up_map, up_in_map(walk)) < 3.0


def vertical_normals(walk, share, rng, count=400):
    """Return planes through each camera and vertical or random edges, in the map."""
    to_point = rng.normal(size=(count, 3))
    edges = np.where(
        (np.arange(count) < share * count)[:, None], [0.0, 0.0, 1.0], rng.normal(size=(count, 3))
    )
    normals = np.cross(to_point, edges)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    noise = rng.normal(0, np.deg2rad(0.2), normals.shape)
    normals = normals + noise
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return walk.map_from_world.pose.rotation.apply(normals)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_vertical_lines_sharpen_up(share):
    walk = hand_held(np.array([[0.0, 0.0], [20.0, 0.0]]), pitch_deg=-12.0, seed=5)
    rng = np.random.default_rng(6)
    found = estimate_up(walk.geometry.map_from_cam, vertical_normals(walk, share, rng))
    assert found.cue == "vertical lines"
    assert angle_deg(found.up_map, up_in_map(walk)) < 0.3


@pytest.mark.parametrize("seed", range(5))
def test_lines_of_no_common_direction_are_not_believed(seed):
    walk = hand_held(RING, seed=5)
    rng = np.random.default_rng(seed)
    found = estimate_up(walk.geometry.map_from_cam, vertical_normals(walk, 0.0, rng))
    assert found.cue == "camera path"


def test_cameras_turned_over_every_way_raise():
    rng = np.random.default_rng(0)
    q = rng.normal(size=(400, 4))
    with pytest.raises(GeometryError, match="no common up"):
        estimate_up(Pose(q, rng.normal(size=(400, 3))))
    with pytest.raises(GeometryError, match="0 came"):
        estimate_up(Pose.stack([]))


def test_level_map_is_upright_with_its_x_along_the_walk():
    walk = hand_held(L_SHAPE, seed=4)
    level = level_map(
        UpEstimate(up_in_map(walk), "truth"), walk.geometry.centres, walk.geometry.points
    )
    rotation = level.level_from_map.rotation_matrix
    np.testing.assert_allclose(rotation @ up_in_map(walk), [0, 0, 1], atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    xy = level.level_from_map.apply(walk.geometry.centres)[:, :2]
    centred = xy - xy.mean(axis=0)
    assert np.ptp(xy[:, 0]) > np.ptp(xy[:, 1])
    assert abs(centred[:, 0] @ centred[:, 1]) < 1e-9 * (centred**2).sum()
    assert xy[-1, 0] > xy[0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_floor_is_found_under_the_cameras(seed):
    walk = hand_held(RING, seed=seed)
    level = level_map(
        UpEstimate(up_in_map(walk), "truth"), walk.geometry.centres, walk.geometry.points
    )
    truth = walk.map_from_world.apply(np.zeros(3)) @ up_in_map(walk)
    assert level.floor is not None
    assert abs(level.floor - truth) / walk.map_from_world.scale < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_a_poor_floor_under_rich_walls_is_found(seed):
    """As in a real corridor: posters at eye height hold 20 times the floor's points."""
    rng = np.random.default_rng(seed)
    heights = np.concatenate(
        [
            rng.normal(0.0, 0.05, 400),
            rng.normal(1.5, 0.35, 8000),
            rng.uniform(0.0, 1.5, 100),
            rng.uniform(-2.0, 0.0, 12),  # mirrored in a glossy floor
        ]
    )
    floor = floor_height(heights, np.full(50, 1.5))
    assert floor == pytest.approx(0.0, abs=0.04)


def test_walls_alone_show_no_floor():
    rng = np.random.default_rng(0)
    assert floor_height(rng.uniform(0.3, 2.5, 4000), np.full(50, 1.5)) is None


def test_no_floor_without_points():
    assert floor_height(np.zeros(0), np.ones(10)) is None
    assert floor_height(np.full(100, 5.0), np.ones(10)) is None


def test_standing_cameras_level_too():
    level = level_map(
        UpEstimate(np.array([0.0, 0.6, 0.8]), "x"), np.zeros((3, 3)), np.zeros((0, 3))
    )
    assert np.linalg.det(level.level_from_map.rotation_matrix) == pytest.approx(1.0)


def test_line_planes_of_a_drawn_edge_contain_the_edge(tmp_path):
    """A black post drawn where a vertical edge projects gives planes that hold the vertical."""
    camera = Camera("SIMPLE_RADIAL", 400, 600, (500.0, 199.5, 299.5, 0.0))
    walk = hand_held(RING, count=5, seed=8)
    picture = Image.new("L", (200, 300), 255)  # half size: the lines must scale to the camera
    pose = walk.world_from_cam[0]
    ends = pose.translation + pose.rotation.apply([[-0.35, 0.0, 3.0], [0.35, 0.0, 3.0]])
    up = np.array([0.0, 0.0, 1.0])
    corners = [ends[0] + up, ends[1] + up, ends[1] - 1.2 * up, ends[0] - 1.2 * up]
    px = camera.project(pose.inverse().apply(np.array(corners)))
    ImageDraw.Draw(picture).polygon([tuple((p + 0.5) / 2 - 0.5) for p in px], fill=0)
    picture.save(tmp_path / "a.png")
    normals = line_plane_normals([tmp_path / "a.png"], [camera], walk.world_from_cam[:1])
    vertical = np.abs(normals[:, 2]) < np.sin(np.deg2rad(1.0))
    assert vertical.sum() >= 2
    blank = tmp_path / "blank.png"
    Image.new("L", (200, 300), 255).save(blank)
    assert line_plane_normals([blank], [camera], walk.world_from_cam[:1]).shape == (0, 3)
    (tmp_path / "no.png").write_text("no image")
    with pytest.raises(MediaError, match=r"no\.png"):
        line_plane_normals([tmp_path / "no.png"], [camera], walk.world_from_cam[:1])


@pytest.mark.shared
def test_up_of_the_surveyed_fountain(shared_data):
    """Strecha's fountain was surveyed with z vertical (downwards in these files)."""
    folder = shared_data / "pose_strecha_fountain_P11"
    content = json.loads((folder / "poses.json").read_text())
    frames = [{**content.get("intrinsics", {}), **f} for f in content["frames"]]
    poses = Pose(
        np.array([f["qwxyz_c2w"] for f in frames]), np.array([f["center_xyz"] for f in frames])
    )
    cameras = [
        Camera("PINHOLE", int(f["width"]), int(f["height"]), (f["fx"], f["fy"], f["cx"], f["cy"]))
        for f in frames
    ]
    paths = [folder / f["file"] for f in frames]
    if not paths[0].is_file():
        paths = [folder / "images" / f["file"] for f in frames]
    found = estimate_up(poses, line_plane_normals(paths, cameras, poses))
    assert found.cue == "vertical lines"
    assert angle_deg(found.up_map, np.array([0.0, 0.0, -1.0])) < 0.5


@pytest.mark.egl
@pytest.mark.slow
def test_up_of_a_rendered_floor(tmp_path):
    """Both walks of the rendered floor, from true poses in a frame of their own."""
    config = FloorConfig()
    rng = np.random.default_rng(0)
    with MeshRenderer(build_floor(config)) as renderer:
        for walk in (mapping_walk(config, fps=1.0), second_walk(config)):
            poses = Pose.stack([pose for _, pose in walk])
            chosen = np.linspace(0, len(poses) - 1, 20).round().astype(int)
            paths = [tmp_path / f"{i}.png" for i in chosen]
            for path, i in zip(paths, chosen, strict=True):
                Image.fromarray(renderer.render_rgb(poses[int(i)], config.camera)).save(path)
            map_from_world = random_similarity(rng)
            map_from_cam = map_from_world.apply_pose(poses)
            up = map_from_world.pose.rotation.apply([0.0, 0.0, 1.0])
            assert angle_deg(estimate_up(map_from_cam).up_map, up) < 1.0
            lines = line_plane_normals(paths, [config.camera] * 20, map_from_cam[chosen])
            found = estimate_up(map_from_cam, lines)
            assert found.cue == "vertical lines"
            assert angle_deg(found.up_map, up) < 0.1
