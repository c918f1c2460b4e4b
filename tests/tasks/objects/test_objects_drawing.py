"""What is drawn lies where the pose says: the front on its side, the box in space round the box."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry.rotation import rotation_from_wxyz
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import CATEGORIES
from sightline.tasks.objects.drawing import (
    BLUE,
    GREEN,
    PROPORTIONS,
    RED,
    DrawnObject,
    draw_objects,
    draw_pose,
    half_sizes,
)


def grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def pose(azimuth: float, elevation: float = 0.0, tilt: float = 0.0) -> NDArray[np.float64]:
    return cam_from_object(*np.deg2rad([azimuth, elevation, tilt]))


def middle(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Mean x, y of the pixels of a colour, from the picture's centre."""
    y, x = np.nonzero((np.abs(picture.astype(int) - colour) < 12).all(axis=2))
    assert len(x) > 20
    height, width = picture.shape[:2]
    return np.array([x.mean() - width / 2, y.mean() - height / 2])


@pytest.mark.parametrize(
    ("azimuth", "front", "right"),
    [(90, (-1, 0), None), (270, (1, 0), None), (0, None, (1, 0)), (180, None, (-1, 0))],
)
def test_axes_point_where_the_object_does(
    azimuth: float, front: tuple[int, int] | None, right: tuple[int, int] | None
) -> None:
    """At azimuth 90 the front points to the picture's left; facing us, its right is our right."""
    picture = draw_pose(grey(600, 600), (150, 150, 450, 450), pose(azimuth))
    assert middle(picture, BLUE)[1] < -30
    assert abs(middle(picture, BLUE)[0]) < 6
    for colour, side in ((GREEN, front), (RED, right)):
        if side is not None:
            along = middle(picture, colour)
            assert along[0] * side[0] > 20
            assert abs(along[1]) < 25


def test_a_tilt_leans_the_upper_end_to_the_left() -> None:
    picture = draw_pose(grey(600, 600), (150, 150, 450, 450), pose(0, 0, 40))
    x, y = middle(picture, BLUE)
    assert np.rad2deg(np.arctan2(-x, -y)) == pytest.approx(40, abs=4)


@pytest.mark.parametrize("category", [*CATEGORIES, ""])
def test_the_box_in_space_fills_the_box(category: str) -> None:
    """Boxes made of known sizes are filled again, whatever the usual proportions are."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        matrix = rotation_from_wxyz(
            pose(*generator.uniform([0, 0, -20], [360, 40, 20]))
        ).as_matrix()
        sizes = np.array(PROPORTIONS.get(category, (1, 1, 1))) * generator.uniform(20, 300)
        sizes *= generator.uniform(0.8, 1.25, 3)
        width, height = 2 * np.abs(matrix[:2]) @ sizes
        found = half_sizes(matrix, width, height, category)
        assert (found >= 0).all()
        assert 2 * np.abs(matrix[:2]) @ found == pytest.approx([width, height], rel=0.05)


def test_usual_sizes_are_kept_where_they_fit() -> None:
    matrix = rotation_from_wxyz(pose(35, 15, 0)).as_matrix()
    sizes = 200 * np.array(PROPORTIONS["car"])
    width, height = 2 * np.abs(matrix[:2]) @ sizes
    assert half_sizes(matrix, width, height, "car") == pytest.approx(sizes, rel=1e-6)


def test_a_seen_front_is_tinted_more_than_a_hidden_one() -> None:
    facing, turned = (
        draw_pose(grey(600, 600), (100, 100, 500, 500), pose(azimuth), category="sofa")
        for azimuth in (0, 180)
    )
    green = [int(p[180, 180, 1]) - int(p[180, 180, 0]) for p in (facing, turned)]
    assert green[0] > 1.5 * green[1] > 10


@pytest.mark.parametrize("size", [(128, 96), (480, 640), (2000, 1500)])
def test_sizes_of_pictures(size: tuple[int, int]) -> None:
    """Small pictures are enlarged so that a label is legible; large ones keep their size."""
    width, height = size
    image = grey(width, height)
    before = image.copy()
    drawn = draw_pose(image, (0, 0, width, height), pose(30, 10), "car 0.97")
    assert (image == before).all()
    assert max(drawn.shape[:2]) == max(480, width, height)
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(width / height, rel=0.01)
    letters = (drawn[: drawn.shape[0] // 8] > 240).all(axis=2)
    assert letters.any(axis=1).sum() >= max(drawn.shape[:2]) // 60
    same = draw_pose(image, (0, 0, width, height), pose(30, 10), least_px=0)
    assert same.shape == image.shape


def test_boxes_at_the_edge_and_odd_ones_do_no_harm() -> None:
    image = grey(300, 200)
    objects = [
        DrawnObject((0, 0, 300, 200), tuple(pose(10)), "a label that is far too long " * 5),
        DrawnObject((299, 199, 300, 200), tuple(pose(0)), "corner", "car"),
        DrawnObject((-500, -500, 900, 900), tuple(pose(200, 80, 170)), "", "bus"),
        DrawnObject((50, 50, 100, 100), None, "no pose"),
    ]
    drawn = draw_objects(image, objects)
    assert drawn.shape == (320, 480, 3)
    assert (drawn != 128).any()
    assert (draw_objects(grey(500, 400), []) == 128).all()
    with pytest.raises(InputError, match="a uint8 RGB image"):
        draw_objects(image.astype(np.float32), objects)
