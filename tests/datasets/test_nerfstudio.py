"""``transforms.json`` of nerfstudio, instant-ngp and Blender, written here from known cameras."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import nerfstudio, posed_place
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records import Place, stack_poses
from sightline.records.cameras import place_cameras

#: What ns-process-data turns a COLMAP world by: (x, y, z) -> (x, z, -y).
APPLIED = [[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0]]
TRUE = Pose.from_rotation(
    Rotation.random(4, random_state=np.random.RandomState(3)),
    np.random.default_rng(3).normal(size=(4, 3)),
)


def opengl(pose):
    """Columns right, up, backwards, centre."""
    right, down, forward = pose.rotation_matrix.T
    matrix = np.eye(4)
    matrix[:3] = np.stack([right, -down, -forward, pose.translation], axis=1)
    return matrix


def frames_of(poses, name="images/frame_{:05d}.png", saved=None, scale=1.0):
    """Frames of a file; ``saved`` maps the original world to the file's."""
    saved = np.eye(4) if saved is None else np.vstack([saved, [0, 0, 0, 1]])
    frames = []
    for i in range(len(poses)):
        matrix = saved @ opengl(poses[i])
        matrix[:3, 3] *= scale
        frames.append({"file_path": name.format(i), "transform_matrix": matrix.tolist()})
    return frames


def put_image(path, size=(64, 48), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path, **options)


def write(folder, content, name="transforms.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder


@pytest.fixture
def capture(tmp_path):
    """A capture as ns-process-data leaves it."""
    folder = tmp_path / "capture"
    content = {
        "camera_model": "OPENCV", "fl_x": 80.0, "fl_y": 81.0, "cx": 32.0, "cy": 24.0,
        "w": 64, "h": 48, "k1": 0.01, "k2": -0.02, "p1": 1e-3, "p2": 2e-3,
        "frames": frames_of(TRUE, saved=APPLIED)[::-1], "applied_transform": APPLIED,
    }  # fmt: skip
    for i in range(4):
        put_image(folder / f"images/frame_{i:05d}.png")
    return write(folder, content)


def change(capture, **values):
    content = json.loads((capture / "transforms.json").read_text()) | values
    write(capture, {key: value for key, value in content.items() if value is not None})


def assert_poses(frames, true):
    back = stack_poses(frames)
    np.testing.assert_allclose(back.translation, true.translation, atol=2e-9)
    assert rotation_angle(back.q_wxyz, true.q_wxyz).max() < 1e-8


def test_a_capture_comes_back_in_the_original_world(capture, tmp_path):
    place = nerfstudio.make_place(capture, tmp_path / "place")
    frames = place.frames()
    assert [f.image for f in frames] == [f"frame_{i:05d}.png" for i in range(4)]
    assert_poses(frames, TRUE)
    assert (place.unit, {f.split for f in frames}) == ("arbitrary", {""})
    (camera,) = set(place_cameras(place, [f.image for f in frames]).values())
    # The middle of 64 x 48 pixels is (32, 24) from the corner, (31.5, 23.5) from the first centre.
    assert (camera.model, camera.width, camera.height) == ("OPENCV", 64, 48)
    assert camera.params == (80.0, 81.0, 31.5, 23.5, 0.01, -0.02, 1e-3, 2e-3)


def test_an_applied_scale_is_undone_and_metres_are_made(capture, tmp_path):
    change(capture, frames=frames_of(TRUE, saved=APPLIED, scale=0.25), applied_scale=0.25)
    assert_poses(nerfstudio.make_place(capture, tmp_path / "a").frames(), TRUE)
    place = nerfstudio.make_place(capture, tmp_path / "b", metres_per_unit=2.0)
    assert place.unit == "m"
    assert_poses(place.frames(), Pose(TRUE.q_wxyz, 2 * TRUE.translation))


def test_parts_that_the_file_names(capture, tmp_path):
    name = "images/frame_{:05d}.png".format
    change(
        capture,
        train_filenames=[name(0), "./" + name(2)],
        val_filenames=[name(3)],
        test_filenames=[name(1)],
    )
    place = nerfstudio.make_place(capture, tmp_path / "place", link=True)
    assert [f.split for f in place.frames()] == ["train", "test", "train", "validation"]
    change(capture, test_filenames=[name(0)])
    with pytest.raises(InputError, match="in one part only"):
        nerfstudio.make_place(capture, tmp_path / "other")
    change(capture, test_filenames=["images/else.png"])
    with pytest.raises(InputError, match=r"images/else\.png is none"):
        nerfstudio.make_place(capture, tmp_path / "other")


def test_blender_has_a_file_a_part_and_an_angle(tmp_path):
    folder = tmp_path / "lego"
    for part, pose in (("train", TRUE[:2]), ("val", TRUE[2:3]), ("test", TRUE[3:])):
        content = {
            "camera_angle_x": 2 * np.arctan(0.5),
            "frames": frames_of(pose, f"./{part}/r_{{}}"),
        }
        write(folder, content, f"transforms_{part}.json")
        for i in range(len(pose)):
            put_image(folder / part / f"r_{i}.png", (80, 80))
    place = nerfstudio.make_place(folder, tmp_path / "place")
    split_of = {f.image: f.split for f in place.frames()}
    assert split_of == {
        "test_r_0.png": "test", "train_r_0.png": "train", "train_r_1.png": "train",
        "val_r_0.png": "validation",
    }  # fmt: skip
    assert_poses(place.frames(), TRUE[np.array([3, 0, 1, 2])])
    camera = place_cameras(place, ["val_r_0.png"])["val_r_0.png"]
    # Half the width (40 pixels) is seen under an angle whose tangent is 0.5.
    np.testing.assert_allclose(camera.params, [80, 80, 39.5, 39.5], rtol=1e-12)


def test_instant_ngp_intrinsics_of_each_frame_and_images_elsewhere(tmp_path):
    folder = tmp_path / "ngp"
    frames = frames_of(TRUE[:2], "../photos/{}.jpg")
    frames[1] |= {"fl_x": 90.0, "fl_y": 91.0, "cx": 30.0, "cy": 20.0}
    write(folder, {"fl_x": 80.0, "aabb_scale": 16, "frames": frames})
    for i in range(2):
        put_image(tmp_path / "photos" / f"{i}.jpg")
    place = nerfstudio.make_place(folder / "transforms.json", tmp_path / "place")
    cameras = place_cameras(place, ["0.jpg", "1.jpg"])
    assert cameras["0.jpg"].params == (80.0, 80.0, 31.5, 23.5)
    assert cameras["1.jpg"].params == (90.0, 91.0, 29.5, 19.5)
    assert_poses(place.frames(), TRUE[:2])


def test_images_at_half_the_size_have_half_the_camera(capture, tmp_path):
    for path in sorted((capture / "images").iterdir()):
        put_image(path, (32, 24))
    change(capture, cx=30.0, cy=20.0)
    camera = next(view.camera for view in nerfstudio.read_scene(capture))
    assert (camera.width, camera.height) == (32, 24)
    np.testing.assert_allclose(camera.params[:4], [40, 40.5, 14.5, 9.5])


def test_images_of_another_shape_are_named(capture):
    path = sorted((capture / "images").iterdir())[0]
    put_image(path, (48, 48))
    with pytest.raises(InputError, match=rf"{path.name}: .* 48x48 pixels, .* of 64x48"):
        nerfstudio.read_scene(capture)


def test_a_photo_stored_on_its_side_is_turned_with_its_camera(capture):
    """EXIF 6: upright is a quarter turn clockwise; the stored right is the upright down."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in sorted((capture / "images").iterdir()):
        put_image(path, (64, 48), exif=exif)
    view = nerfstudio.read_scene(capture)[-1]  # the file holds them backwards
    assert (view.camera.width, view.camera.height) == (48, 64)
    assert view.camera.params[:2] == (81.0, 80.0)
    stored, upright = TRUE[0].rotation_matrix, view.world_from_cam.rotation_matrix
    np.testing.assert_allclose(upright[:, 1], stored[:, 0], atol=1e-9)
    np.testing.assert_allclose(upright[:, 2], stored[:, 2], atol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        {"camera_model": "OPENCV_FISHEYE"},
        {"k3": 0.1},
        {"is_fisheye": True},
        {"fl_x": None, "fl_y": None},
    ],
)
def test_a_camera_that_we_do_not_know_leaves_the_poses(capture, tmp_path, values):
    change(capture, **values)
    place = nerfstudio.make_place(capture, tmp_path / "place")
    assert_poses(place.frames(), TRUE)
    assert place_cameras(place, [f.image for f in place.frames()]) == {}
    assert place.content["notes"] == ["4 of 4 images have no camera that we know"]


def broken(**values):
    return lambda capture: change(capture, **values)


def without_matrix(capture):
    frames = frames_of(TRUE)
    del frames[2]["transform_matrix"]
    change(capture, frames=frames)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: (c / "transforms.json").unlink(), "transforms.json is wanted, or transforms_tr"),
        (lambda c: (c / "transforms.json").write_text("{"), "is not a JSON file"),
        (broken(frames=[]), "the list is empty"),
        (broken(frames={}), "a list of 'frames' is wanted"),
        (without_matrix, "frame 2: 'transform_matrix' is missing"),
        (broken(frames=frames_of(TRUE, "else/{}.png")), r"frame 0: .*else/0\.png is wanted"),
        (broken(applied_transform=[[2.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]), "applied_transf"),
        (broken(applied_scale=0), "a positive applied_scale is wanted"),
        (broken(fl_x="wide"), "frame 0: could not convert"),
        (
            lambda c: (c / "images/frame_00002.png").write_bytes(b"none"),
            r"frame 1: .*frame_00002\.png",
        ),
    ],
)
def test_what_is_broken_is_named(capture, tmp_path, damage, message):
    damage(capture)
    with pytest.raises(InputError, match=message):
        nerfstudio.make_place(capture, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_a_scale_that_is_none_is_refused(capture, tmp_path):
    with pytest.raises(InputError, match="positive metres per unit are wanted, 0 came"):
        nerfstudio.make_place(capture, tmp_path / "place", metres_per_unit=0.0)


@pytest.mark.shared
def test_the_fox_photos_agree_with_their_poses_json(shared_data, tmp_path):
    """Fifty real photos: written with instant-ngp's axes and pixels, read back, the same place."""
    fox = shared_data / "pose_fox_phone"
    content = json.loads((fox / "poses.json").read_text())
    true = Pose(
        np.array([f["qwxyz_c2w"] for f in content["frames"]]),
        np.array([f["center_xyz"] for f in content["frames"]]),
    )
    given = content["intrinsics"]
    frames = frames_of(true)
    for frame, origin in zip(frames, content["frames"], strict=True):
        frame["file_path"] = origin["file"]
    table = {
        "fl_x": given["fx"], "fl_y": given["fy"], "cx": given["cx"] + 0.5, "cy": given["cy"] + 0.5,
        "w": given["width"], "h": given["height"], "frames": frames,
        **{name: given[name] for name in ("k1", "k2", "p1", "p2")},
    }  # fmt: skip
    write(tmp_path / "fox", table)
    (tmp_path / "fox" / "images").symlink_to(fox / "images")
    ours = nerfstudio.make_place(tmp_path / "fox", tmp_path / "a", link=True)
    theirs = posed_place.make_place(fox, tmp_path / "b", link=True)
    assert [f.image for f in ours.frames()] == [f.image for f in theirs.frames()]
    assert_poses(ours.frames(), stack_poses(theirs.frames()))
    names = [f.image for f in ours.frames()]
    (a,), (b,) = (set(place_cameras(p, names).values()) for p in (ours, theirs))
    np.testing.assert_allclose(a.params, b.params, rtol=1e-12)
    assert Place.open(tmp_path / "a").content["camera"]["model"] == "OPENCV"
