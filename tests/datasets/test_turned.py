"""Photos stored turned: the camera turns with the pixels, seen by where one marked pixel goes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.turned import as_read, at_size, upright
from sightline.errors import GeometryError, InputError, MediaError
from sightline.geometry import Camera, Pose
from sightline.media import read_photo
from sightline.media.orientation import UPRIGHT, from_exif
from sightline.media.photo import photo_header, photo_size

TURNS = (1, 3, 6, 8)
MIRRORED = (2, 4, 5, 7)
CAMERAS = [
    Camera("SIMPLE_RADIAL", 60, 40, (50.0, 28.0, 21.0, -0.05)),
    Camera("PINHOLE", 60, 40, (50.0, 55.0, 28.0, 21.0)),
    Camera("OPENCV", 60, 40, (50.0, 55.0, 28.0, 21.0, -0.05, 0.02, 0.01, -0.02)),
]
WORLD_FROM_CAM = Pose([0.9, 0.1, -0.3, 0.2], [1.0, 2.0, 3.0])


def photo(folder, orientation, marked=(0, 0)):
    """A PNG of 60 x 40 stored pixels, one of them white, with an EXIF orientation."""
    image = Image.new("RGB", (60, 40))
    image.putpixel(marked, (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = Path(folder) / f"{orientation}.png"
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.model)
@pytest.mark.parametrize("orientation", TURNS)
def test_a_point_lands_on_the_pixel_that_moved(tmp_path, camera, orientation):
    stored_xy = (41, 9)
    path = photo(tmp_path, orientation, stored_xy)
    point = WORLD_FROM_CAM.apply(7.0 * camera.unproject(stored_xy))
    rows, columns = np.nonzero(read_photo(path)[..., 0] > 128)
    turned, pose = as_read(path, camera, WORLD_FROM_CAM)
    assert read_photo(path).shape[:2] == (turned.height, turned.width)
    np.testing.assert_allclose(
        turned.project(pose.inverse().apply(point)), (columns[0], rows[0]), atol=1e-9
    )
    np.testing.assert_array_equal(pose.translation, WORLD_FROM_CAM.translation)


@pytest.mark.parametrize("orientation", MIRRORED)
def test_a_mirrored_photo_is_refused(orientation):
    with pytest.raises(GeometryError, match="mirrored"):
        upright(CAMERAS[0], WORLD_FROM_CAM, from_exif(orientation))


@pytest.mark.parametrize("camera", [None, CAMERAS[0]])
def test_a_mirrored_photo_is_named(tmp_path, camera):
    with pytest.raises(InputError, match=r"4\.png: .*mirrored"):
        as_read(photo(tmp_path, 4), camera, WORLD_FROM_CAM)


def test_an_upright_photo_changes_nothing(tmp_path):
    camera, pose = as_read(photo(tmp_path, 1), CAMERAS[2], WORLD_FROM_CAM)
    assert camera is CAMERAS[2]
    assert pose is WORLD_FROM_CAM


def test_a_camera_of_the_upright_picture_stays(tmp_path):
    tall = Camera("PINHOLE", 40, 60, (50.0, 55.0, 21.0, 28.0))
    assert as_read(photo(tmp_path, 6), tall, WORLD_FROM_CAM) == (tall, WORLD_FROM_CAM)


def test_without_a_camera_the_pose_turns_all_the_same(tmp_path):
    path = photo(tmp_path, 6)
    assert as_read(path, None, WORLD_FROM_CAM)[0] is None
    with_one = as_read(path, CAMERAS[1], WORLD_FROM_CAM)[1]
    without = as_read(path, None, WORLD_FROM_CAM)[1]
    np.testing.assert_allclose(without.matrix, with_one.matrix)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_camera_of_larger_pixels_or_smaller_ones_is_brought_to_the_photo(tmp_path, orientation):
    """A camera of twice the size sees the same ray in the same place of the photo."""
    path = photo(tmp_path, orientation)
    large = CAMERAS[2].resized(120, 80)
    camera, pose = as_read(path, large, WORLD_FROM_CAM)
    wanted, wanted_pose = as_read(path, CAMERAS[2], WORLD_FROM_CAM)
    assert (camera.width, camera.height) == (wanted.width, wanted.height)
    np.testing.assert_allclose(camera.params, wanted.params, atol=1e-12)
    np.testing.assert_allclose(pose.matrix, wanted_pose.matrix)
    tall = Camera("PINHOLE", 80, 120, (100.0, 110.0, 42.0, 56.0))
    if orientation in (6, 8):  # of the upright picture, and larger
        camera, pose = as_read(path, tall, WORLD_FROM_CAM)
        assert (camera.width, camera.height, camera.fx) == (40, 60, 50.0)
        assert pose is WORLD_FROM_CAM
    else:
        with pytest.raises(InputError, match=r"it has 60x40 pixels, its intrinsics are of 80x120"):
            as_read(path, tall, WORLD_FROM_CAM)


def test_another_shape_is_refused_with_its_name_and_both_sizes(tmp_path):
    path = photo(tmp_path, 1)
    wide = Camera("PINHOLE", 64, 36, (50.0, 50.0, 32.0, 18.0))
    with pytest.raises(InputError) as error:
        as_read(path, wide, WORLD_FROM_CAM)
    for word in (str(path), "60x40", "64x36"):
        assert word in str(error.value)


@pytest.mark.parametrize("size", [(1297, 840), (648, 420), (324, 210), (162, 105), (81, 52)])
@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"])
def test_sizes_that_were_rounded_are_of_one_shape(size, model):
    """The folders images_2, images_4 and images_8 of real captures have such sizes."""
    numbers = {"SIMPLE_PINHOLE": (), "SIMPLE_RADIAL": (0.1,), "RADIAL": (0.1, 0.02)}
    ends = numbers.get(model, (0.1, 0.02, 0.01, -0.01))
    focals = (900.0, 910.0) if model == "OPENCV" else (900.0,)
    large = Camera(model, 1297, 840, (*focals, 640.0, 410.0, *ends))
    small = at_size(large, *size, "a.jpg")
    assert (small.width, small.height) == size
    ray = np.array([0.3, -0.2, 1.0])
    scale = np.array(size) / (1297, 840)
    wanted = (large.project(ray) + 0.5) * scale - 0.5
    np.testing.assert_allclose(small.project(ray), wanted, atol=1e-9)
    np.testing.assert_allclose(at_size(small, 1297, 840, "").project(ray), large.project(ray))


def test_header(tmp_path):
    assert photo_header(photo(tmp_path, 1)) == (60, 40, UPRIGHT)
    assert photo_header(photo(tmp_path, 6)) == (60, 40, from_exif(6))
    assert photo_size(photo(tmp_path, 6)) == (40, 60)
    (tmp_path / "x.jpg").write_text("no photo")
    with pytest.raises(MediaError, match="is none that is known"):
        photo_header(tmp_path / "x.jpg")
