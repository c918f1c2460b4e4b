"""Photos stored turned: the camera turns with the pixels, seen by where one marked pixel goes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.turned import as_read, upright
from sightline.errors import GeometryError, MediaError
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


def test_an_upright_photo_changes_nothing(tmp_path):
    camera, pose = as_read(photo(tmp_path, 1), CAMERAS[2], WORLD_FROM_CAM)
    assert camera is CAMERAS[2]
    assert pose is WORLD_FROM_CAM


def test_a_camera_of_the_upright_picture_stays(tmp_path):
    tall = Camera("PINHOLE", 40, 60, (50.0, 55.0, 21.0, 28.0))
    assert as_read(photo(tmp_path, 6), tall, WORLD_FROM_CAM) == (tall, WORLD_FROM_CAM)


def test_header(tmp_path):
    assert photo_header(photo(tmp_path, 1)) == (60, 40, UPRIGHT)
    assert photo_header(photo(tmp_path, 6)) == (60, 40, from_exif(6))
    assert photo_size(photo(tmp_path, 6)) == (40, 60)
    (tmp_path / "x.jpg").write_text("no photo")
    with pytest.raises(MediaError, match="is none that is known"):
        photo_header(tmp_path / "x.jpg")
