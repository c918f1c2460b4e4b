"""Cambridge Landmarks, written here by hand: centres beside world-to-camera quaternions."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import cambridge
from sightline.errors import InputError
from sightline.records import Place

HEADER = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
#: Image -> centre, and what the camera's right, down and forward axes are in the world.
CAMERAS = {
    "seq1/frame00001.png": ([1, 2, 3], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "seq1/frame00002.png": ([4, 0, -1], [[0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "seq3/frame00001.png": ([-7.5, 0.25, 2], [[0.6, 0, -0.8], [0, 1, 0], [0.8, 0, 0.6]]),
}


def line_of(image):
    """The rows of the world-to-camera rotation are the camera's axes."""
    centre, axes = CAMERAS[image]
    x, y, z, w = Rotation.from_matrix(axes).as_quat()
    return " ".join([image, *(f"{value:.9f}" for value in (*centre, w, x, y, z))])


@pytest.fixture
def scene(tmp_path):
    scene = tmp_path / "ShopFacade"
    for number, image in enumerate(CAMERAS):
        (scene / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (number, 0, 0)).save(scene / image)
    lines = [line_of(image) for image in CAMERAS]
    (scene / "dataset_train.txt").write_text(HEADER + "\n".join(lines[:2]) + "\n")
    (scene / "dataset_test.txt").write_text((HEADER + lines[2] + "\n\n").replace("\n", "\r\n"))
    return scene


def test_each_camera_sees_what_lies_before_it(scene):
    frames = cambridge.read_scene(scene)
    assert [(f.image, f.split) for f in frames] == [
        ("seq1/frame00001.png", "train"),
        ("seq1/frame00002.png", "train"),
        ("seq3/frame00001.png", "test"),
    ]
    for frame in frames:
        centre, (right, down, forward) = CAMERAS[frame.image]
        np.testing.assert_allclose(frame.world_from_cam.translation, centre, atol=1e-9)
        point = np.add(
            centre, 0.5 * np.array(right) - 0.25 * np.array(down) + 3 * np.array(forward)
        )
        seen = frame.world_from_cam.inverse().apply(point)
        np.testing.assert_allclose(seen, [0.5, -0.25, 3], atol=1e-8)


def test_a_place_on_disk(scene, tmp_path):
    cambridge.make_place(scene, tmp_path / "place", link=True)
    place = Place.open(tmp_path / "place")
    assert place.unit == "m"
    assert [f.image for f in place.registered("test")] == ["seq3_frame00001.png"]
    for number, frame in enumerate(place.frames()):
        assert (place.images_dir / frame.image).is_symlink()
        with Image.open(place.images_dir / frame.image) as picture:
            assert picture.getpixel((0, 0))[0] == number


def test_a_line_of_nan_is_a_frame_without_a_pose(scene):
    path = scene / "dataset_train.txt"
    path.write_text(path.read_text() + "seq1/frame00003.png nan nan nan 1 0 0 0\n")
    frame = cambridge.read_scene(scene)[2]
    assert (frame.image, frame.world_from_cam) == ("seq1/frame00003.png", None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dataset_test.txt", None, r"dataset_test\.txt is wanted; is .* one scene of Cambridge"),
        ("dataset_test.txt", HEADER, "the file names none"),
        ("dataset_test.txt", HEADER + "a.png 1 2 3 1 0 0", "line 4: `image x y z qw qx qy qz`"),
        ("dataset_test.txt", HEADER + "a.png 1 2 3 1 0 0 q", "line 4: .*could not convert"),
        ("dataset_test.txt", HEADER + "a.png 1 2 3 2 0 0 0", "line 4: a unit quaternion"),
        ("dataset_test.txt", HEADER + "a.png 1 2 3 1 0 0 0", r"a\.png is wanted \(1 of 3"),
        (
            "dataset_test.txt",
            HEADER + "seq1/frame00002.png 1 2 3 1 0 0 0",
            "frame00002.png is in the training and in the test split",
        ),
    ],
)
def test_an_incomplete_scene_is_named(scene, tmp_path, name, text, message):
    (scene / name).unlink()
    if text is not None:
        (scene / name).write_text(text)
    with pytest.raises(InputError, match=message):
        cambridge.make_place(scene, tmp_path / "place")
    assert not (tmp_path / "place").exists()
