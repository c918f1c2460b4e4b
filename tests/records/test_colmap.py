"""COLMAP's conventions against ours, checked against pycolmap's own projection."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError, InputError
from sightline.geometry import Camera, Pose, Similarity
from sightline.records.colmap import (
    cam_from_world_rows,
    camera_from_colmap,
    camera_to_colmap,
    estimate_absolute_pose,
    export_model,
    model_from_colmap,
    pixels_from_colmap,
    pixels_to_colmap,
    pose_from_colmap,
    pose_to_colmap,
    read_model,
)

CAMERAS = [
    Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 319.5, 239.5)),
    Camera("PINHOLE", 640, 480, (500.0, 510.0, 300.0, 250.0)),
    Camera("SIMPLE_RADIAL", 640, 480, (500.0, 310.0, 230.0, -0.08)),
    Camera("RADIAL", 640, 480, (500.0, 310.0, 230.0, -0.08, 0.02)),
    Camera("OPENCV", 640, 480, (500.0, 505.0, 310.0, 230.0, -0.08, 0.02, 0.001, -0.002)),
]


@pytest.fixture(scope="module")
def reconstruction() -> pycolmap.Reconstruction:
    pycolmap.set_random_seed(3)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs = 1
    options.num_frames_per_rig = 6
    options.num_points3D = 50
    return pycolmap.synthesize_dataset(options)


def write(reconstruction: pycolmap.Reconstruction, folder: Path, form: str) -> Path:
    folder.mkdir()
    getattr(reconstruction, f"write_{form}")(str(folder))
    return folder


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
def test_projection_is_colmaps_after_the_half_pixel_shift(camera: Camera) -> None:
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], (20, 3))
    theirs = camera_to_colmap(camera).img_from_cam(points)
    np.testing.assert_allclose(camera.project(points) + 0.5, theirs, atol=1e-9)
    np.testing.assert_allclose(pixels_to_colmap(camera.project(points)), theirs, atol=1e-9)
    np.testing.assert_allclose(pixels_from_colmap(theirs), camera.project(points), atol=1e-9)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
def test_camera_round_trip(camera: Camera) -> None:
    back = camera_from_colmap(camera_to_colmap(camera))
    assert (back.model, back.width, back.height) == (camera.model, camera.width, camera.height)
    np.testing.assert_allclose(back.params, camera.params, atol=1e-12)


def test_an_image_centre_is_half_a_pixel_apart() -> None:
    theirs = pycolmap.Camera.create_from_model_id(
        1, pycolmap.CameraModelId.SIMPLE_PINHOLE, 500, 640, 480
    )
    ours = camera_from_colmap(theirs)
    assert (ours.cx, ours.cy) == (319.5, 239.5)


def test_an_unknown_camera_model_is_named() -> None:
    theirs = pycolmap.Camera.create_from_model_id(1, pycolmap.CameraModelId.FOV, 500, 640, 480)
    with pytest.raises(GeometryError, match="FOV"):
        camera_from_colmap(theirs)


def test_the_centre_is_not_t() -> None:
    world_from_cam = Pose.from_rotation(Rotation.from_euler("y", 90, degrees=True), [1.0, 2.0, 3.0])
    rigid = pose_to_colmap(world_from_cam)
    # R^T c by hand: the camera's x axis is the world's -z, its z axis the world's x.
    np.testing.assert_allclose(rigid.translation, [3.0, -2.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(rigid.tgt_origin_in_src(), [1.0, 2.0, 3.0], atol=1e-12)
    back = pose_from_colmap(rigid)
    np.testing.assert_allclose(back.matrix, world_from_cam.matrix, atol=1e-12)


def test_rows_are_what_colmap_stores(reconstruction: pycolmap.Reconstruction) -> None:
    model = model_from_colmap(reconstruction)
    for frame in model.frames.values():
        stored = reconstruction.find_image_with_name(frame.name).cam_from_world()
        q_wxyz, t = cam_from_world_rows(frame.world_from_cam)
        np.testing.assert_allclose(t, stored.translation, atol=1e-12)
        matrix = Rotation.from_quat(q_wxyz, scalar_first=True).as_matrix()
        np.testing.assert_allclose(matrix, stored.rotation.matrix(), atol=1e-12)


@pytest.mark.parametrize("form", ["binary", "text"])
def test_read_model(reconstruction: pycolmap.Reconstruction, tmp_path: Path, form: str) -> None:
    model = read_model(write(reconstruction, tmp_path / "model", form))
    assert list(model.frames) == sorted(i.name for i in reconstruction.images.values())
    assert set(model.point_ids) == reconstruction.point3D_ids()
    camera = next(iter(model.cameras.values()))
    point_of = dict(zip(model.point_ids.tolist(), model.points, strict=True))
    for frame in model.frames.values():
        theirs = reconstruction.find_image_with_name(frame.name)
        np.testing.assert_allclose(
            frame.world_from_cam.translation, theirs.projection_center(), atol=1e-9
        )
        seen = frame.point_ids >= 0
        assert seen.sum() == theirs.num_points3D
        assert (~seen).any()
        xyz = np.array([point_of[i] for i in frame.point_ids[seen].tolist()])
        projected = camera.project(frame.world_from_cam.inverse().apply(xyz))
        # Synthetic keypoints are noise-free projections: exact, and no half pixel is lost.
        np.testing.assert_allclose(projected, frame.keypoints_px[seen], atol=1e-6)
    assert model.track_lengths.sum() == sum((f.point_ids >= 0).sum() for f in model.frames.values())
    assert model.colors.shape == (50, 3)


@pytest.mark.parametrize("form", ["binary", "text"])
def test_export_moves_the_world(
    reconstruction: pycolmap.Reconstruction, tmp_path: Path, form: str
) -> None:
    source = write(reconstruction, tmp_path / "in", "binary")
    new_from_old = Similarity(
        2.5, Pose.from_rotation(Rotation.from_euler("xyz", [0.3, -0.4, 1.0]), [1.0, -2.0, 3.0])
    )
    export_model(source, tmp_path / "out", form, new_from_old)
    suffix = "bin" if form == "binary" else "txt"
    assert (tmp_path / "out" / f"images.{suffix}").is_file()
    before, after = read_model(source), read_model(tmp_path / "out")
    np.testing.assert_allclose(after.points, new_from_old.apply(before.points), atol=1e-9)
    for name, frame in before.frames.items():
        wanted = new_from_old.apply_pose(frame.world_from_cam)
        np.testing.assert_allclose(
            after.frames[name].world_from_cam.matrix, wanted.matrix, atol=1e-9
        )
        np.testing.assert_allclose(after.frames[name].keypoints_px, frame.keypoints_px, atol=1e-9)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        read_model(tmp_path)
    for name in ("cameras", "images", "points3D"):
        (tmp_path / f"{name}.txt").write_text("1 not a model\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_model(tmp_path)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
def test_absolute_pose_from_exact_matches(camera: Camera) -> None:
    rng = np.random.default_rng(1)
    world_from_cam = Pose.from_rotation(Rotation.random(random_state=2), [4.0, -1.0, 2.0])
    points_cam = rng.uniform([-1.5, -1, 2], [1.5, 1, 8], (60, 3))
    points_px = camera.project(points_cam)
    points_px[:15] += rng.uniform(50, 100, (15, 2))
    found = estimate_absolute_pose(
        points_px, world_from_cam.apply(points_cam), camera, max_error_px=2.0, min_inliers=20
    )
    assert found is not None
    np.testing.assert_array_equal(found.inliers, np.arange(60) >= 15)
    # Forgetting the half-pixel shift would leave about 1e-3 rad here.
    np.testing.assert_allclose(found.world_from_cam.matrix, world_from_cam.matrix, atol=1e-6)


def test_absolute_pose_gives_none_rather_than_a_guess() -> None:
    rng = np.random.default_rng(1)
    xy, xyz = rng.uniform(0, 480, (40, 2)), rng.uniform(-3, 3, (40, 3))
    assert estimate_absolute_pose(xy, xyz, CAMERAS[0], max_error_px=2.0, min_inliers=12) is None
    assert estimate_absolute_pose(xy[:3], xyz[:3], CAMERAS[0], min_inliers=3) is None
    with pytest.raises(InputError, match="40 and 39"):
        estimate_absolute_pose(xy, xyz[:39], CAMERAS[0])
