"""COLMAP models with lists of parts, written here as text by hand and as binary by COLMAP."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import colmap_model, nerfstudio
from sightline.datasets.colmap_pairs import views_of_model
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records import stack_poses
from sightline.records.cameras import place_cameras
from sightline.records.colmap import export_model

NAMES = ("seq1/a.png", "seq1/b.png", "seq2/a.png", "seq2/b.png")
TRUE = Pose.from_rotation(
    Rotation.random(4, random_state=np.random.RandomState(5)),
    np.random.default_rng(5).normal(size=(4, 3)),
)
CAMERAS = ("1 SIMPLE_RADIAL 64 48 80 32 24 0.01", "2 PINHOLE 64 48 90 91 30 20")


def write_model(folder, cameras=CAMERAS, names=NAMES):
    """``images.txt``: world-to-camera rotation and t = -R C; the first image is camera 2's."""
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text("# cameras\n" + "\n".join(cameras) + "\n")
    lines = []
    for i, name in enumerate(names):
        rotation = TRUE.rotation_matrix[i].T
        t = -rotation @ TRUE.translation[i]
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        numbers = " ".join(repr(float(v)) for v in (w, x, y, z, *t))
        lines += [f"{i + 1} {numbers} {2 if i == 0 else 1} {name}", ""]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "points3D.txt").write_text("# none\n")


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    write_model(project / "sparse" / "0")
    for name in NAMES:
        (project / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(project / "images" / name)
    return project


def assert_poses(frames, true=TRUE):
    back = stack_poses(frames)
    np.testing.assert_allclose(back.translation, true.translation, atol=2e-9)
    assert rotation_angle(back.q_wxyz, true.q_wxyz).max() < 1e-8


@pytest.mark.parametrize("kind", ["text", "binary"])
@pytest.mark.parametrize("where", ["", "sparse", "sparse/0"])
def test_poses_and_cameras_of_both_formats(project, tmp_path, kind, where):
    if kind == "binary":
        text = (project / "sparse" / "0").rename(tmp_path / "text")
        export_model(text, project / "sparse" / "0", "binary")
    place = colmap_model.make_place(project / where, tmp_path / "place")
    assert [f.image for f in place.frames()] == [n.replace("/", "_") for n in NAMES]
    assert_poses(place.frames())
    cameras = place_cameras(place, [f.image for f in place.frames()])
    assert cameras["seq1_a.png"].params == (90.0, 91.0, 29.5, 19.5)
    assert cameras["seq2_b.png"].params == (80.0, 31.5, 23.5, 0.01)
    assert (place.unit, {f.split for f in place.frames()}) == ("arbitrary", {""})


def splits(place):
    return [f.split for f in place.frames()]


def test_lists_beside_the_images_or_the_model(project, tmp_path):
    (project / "train.txt").write_text(
        "# hloc writes intrinsics behind\nseq1/a.png PINHOLE 64 48\n"
    )
    (project / "sparse/0/list_test.txt").write_text("\r\nseq2/a.png\r\nimages/seq2/b.png\r\n")
    place = colmap_model.make_place(project, tmp_path / "place", metres_per_unit=0.5)
    assert splits(place) == ["train", "", "test", "test"]
    assert place.unit == "m"
    assert_poses(place.frames(), Pose(TRUE.q_wxyz, TRUE.translation / 2))
    # Above the project nothing is looked for.
    (project.parent / "val.txt").write_text("seq1/b.png\n")
    assert splits(colmap_model.make_place(project, tmp_path / "second")) == splits(place)


def test_one_list_leaves_the_rest_to_the_other_part(project, tmp_path):
    chosen = tmp_path / "mine.txt"
    chosen.write_text("seq2/a.png\n")
    test = colmap_model.make_place(project, tmp_path / "a", test_list=chosen)
    assert splits(test) == ["train", "train", "test", "train"]
    train = colmap_model.make_place(project, tmp_path / "b", train_list=chosen, link=True)
    assert splits(train) == ["test", "test", "train", "test"]


def test_a_listed_image_that_did_not_register_has_no_pose(project, tmp_path):
    Image.new("RGB", (64, 48)).save(project / "images" / "seq2" / "c.png")
    (project / "test.txt").write_text("seq2/b.png\nseq2/c.png\n")
    place = colmap_model.make_place(project, tmp_path / "place")
    last = place.frames()[-1]
    assert (last.image, last.world_from_cam, last.split) == ("seq2_c.png", None, "test")
    assert place.content["notes"] == ["1 images of the lists have no pose in the model"]


def test_a_camera_that_we_do_not_know_leaves_the_poses(tmp_path, project):
    fisheye = ("1 OPENCV_FISHEYE 64 48 80 80 32 24 0 0 0 0", CAMERAS[1])
    write_model(tmp_path / "other", fisheye)
    place = colmap_model.make_place(tmp_path / "other", tmp_path / "p", images=project / "images")
    assert_poses(place.frames())
    assert list(place_cameras(place, [f.image for f in place.frames()])) == ["seq1_a.png"]
    assert place.content["notes"] == ["3 images have a camera of a model that we do not know"]


def test_the_same_capture_through_nerfstudio_is_the_same_place(project, tmp_path):
    """ns-process-data: OpenGL axes, then the world turned by (x, y, z) -> (x, z, -y)."""
    frames = []
    for i, name in enumerate(NAMES):
        matrix = TRUE[i].matrix @ np.diag([1.0, -1.0, -1.0, 1.0])
        matrix = matrix[[0, 2, 1, 3]]
        matrix[2] *= -1
        frames.append({"file_path": f"images/{name}", "transform_matrix": matrix.tolist()})
        frames[-1] |= (
            {"fl_x": 90, "fl_y": 91, "cx": 30, "cy": 20} if i == 0
            else {"fl_x": 80, "fl_y": 80, "cx": 32, "cy": 24, "k1": 0.01}
        )  # fmt: skip
    content = {"frames": frames, "applied_transform": np.eye(4)[[0, 2, 1]].tolist()}
    content["applied_transform"][2] = [0, -1, 0, 0]
    (project / "transforms.json").write_text(json.dumps(content))
    a = colmap_model.make_place(project, tmp_path / "a")
    b = nerfstudio.make_place(project, tmp_path / "b")
    assert_poses(b.frames(), stack_poses(a.frames()))
    names = [f.image for f in a.frames()]
    points = np.random.default_rng(0).uniform([-0.3, -0.2, 1], [0.3, 0.2, 2], (20, 3))
    for name in names:
        ours, theirs = (place_cameras(p, names)[name] for p in (a, b))
        np.testing.assert_allclose(ours.project(points), theirs.project(points), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.txt", "# none\n", "names of images are wanted"),
        (
            "train.txt",
            "seq1/a.png\nseq9/a.png\n",
            "line 2: .* 'seq9/a.png' is neither in the model",
        ),
        ("test.txt", "seq1/a.png\n", "line 1: seq1/a.png is in train and in test"),
    ],
)
def test_a_list_that_does_not_fit_is_named(project, tmp_path, name, text, message):
    (project / "train.txt").write_text("seq1/a.png\n")
    (project / name).write_text(text)
    with pytest.raises(InputError, match=message):
        colmap_model.make_place(project, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_images_that_were_made_smaller_and_such_that_were_cropped(project, tmp_path):
    for name in NAMES:
        Image.new("RGB", (32, 24)).save(project / "images" / name)
    place = colmap_model.make_place(project, tmp_path / "place")
    camera = place_cameras(place, ["seq2_b.png"])["seq2_b.png"]
    assert (camera.width, camera.height, *camera.params) == (32, 24, 40.0, 15.5, 11.5, 0.01)
    views = views_of_model(project / "sparse" / "0", project / "images")
    assert {(v.camera.width, v.camera.height) for v in views} == {(32, 24)}
    Image.new("RGB", (32, 20)).save(project / "images" / NAMES[1])
    for read in (
        lambda: colmap_model.make_place(project, tmp_path / "cropped"),
        lambda: views_of_model(project / "sparse" / "0", project / "images"),
    ):
        with pytest.raises(InputError, match=rf"{NAMES[1]}: .* 32x20 pixels, .* of 64x48"):
            read()


def test_what_is_missing_is_named(project, tmp_path):
    with pytest.raises(InputError, match=r"none\.txt is wanted; there is no such file"):
        colmap_model.make_place(project, tmp_path / "p", test_list=tmp_path / "none.txt")
    (project / "images" / "seq2" / "b.png").unlink()
    with pytest.raises(InputError, match=r"seq2/b\.png is wanted"):
        colmap_model.make_place(project, tmp_path / "p")
    write_model(project / "sparse" / "1")
    with pytest.raises(InputError, match="one model is wanted, there are 0, 1"):
        colmap_model.make_place(project, tmp_path / "p")
    with pytest.raises(InputError, match=r"a COLMAP model .* is wanted in .*images"):
        colmap_model.make_place(project / "images", tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.shared
def test_the_fox_photos_through_a_binary_model(shared_data, tmp_path):
    """Fifty real photos: their poses through COLMAP's own writer and back."""
    import pycolmap

    from sightline.datasets.posed_json import read_poses_json
    from sightline.records.colmap import camera_to_colmap, pose_to_colmap

    fox = shared_data / "pose_fox_phone"
    views, _ = read_poses_json(fox / "poses.json")
    reconstruction = pycolmap.Reconstruction()
    camera = camera_to_colmap(views[0].camera)
    camera.camera_id = 1
    reconstruction.add_camera_with_trivial_rig(camera)
    for number, view in enumerate(views, start=1):
        image = pycolmap.Image(name=view.image.name, camera_id=1, image_id=number)
        reconstruction.add_image_with_trivial_frame(image, pose_to_colmap(view.world_from_cam))
    (tmp_path / "sparse").mkdir()
    reconstruction.write_binary(str(tmp_path / "sparse"))
    (tmp_path / "test.txt").write_text("\n".join(view.image.name for view in views[-10:]))
    place = colmap_model.make_place(tmp_path, tmp_path / "place", images=fox / "images", link=True)
    assert splits(place) == ["train"] * 40 + ["test"] * 10
    assert_poses(place.frames(), Pose.stack([view.world_from_cam for view in views]))
    (back,) = set(place_cameras(place, [f.image for f in place.frames()]).values())
    np.testing.assert_allclose(back.params, views[0].camera.params, rtol=1e-12)
