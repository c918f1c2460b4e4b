"""Crops: where they look, what lies outside, what is left out, and the cache."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry.viewpoint import object_from_turn
from sightline.media import read_photo
from sightline.records.objects import ObjectSet, ObjectView
from sightline.tasks.objects import samples as samples_module
from sightline.tasks.objects.samples import crop, joined, margin_px, usable_views, window


def ramp(height: int = 60, width: int = 100) -> np.ndarray:
    """A picture whose red says x and whose green says y."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    image[..., 2] = 9
    return image


def test_a_crop_of_its_own_size_is_the_pixels_themselves() -> None:
    image = ramp()
    found = crop(image, (30, 10, 62, 26), 32, 0.0)  # centre 46, 18; side 32
    np.testing.assert_array_equal(found, image[2:34, 30:62])
    wider = crop(image, (38, 10, 54, 26), 32, 0.5)  # the same square
    np.testing.assert_array_equal(wider, found)


def test_shrinking_takes_the_mean_of_whole_areas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    found = crop(image, (0, 0, 64, 64), 16, 0.0)
    mean = image.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, mean, atol=0.51)


def test_outside_the_picture_its_edge_goes_on() -> None:
    image = ramp()
    found = crop(image, (80, 20, 110, 50), 30, 0.0)
    np.testing.assert_array_equal(found[:, :20], image[20:50, 80:])
    np.testing.assert_array_equal(found[:, 20:, 0], 99)
    np.testing.assert_array_equal(found[:, 25, 1], np.arange(20, 50))
    corner = crop(image, (-10, -10, 10, 10), 40, 0.5)
    np.testing.assert_array_equal(corner[20:, 20:], image[:20, :20])
    assert (corner[:20, :20] == image[0, 0]).all()


@pytest.mark.parametrize(
    "box",
    [(5, 5, 5, 9), (9, 5, 5, 9), (100, 0, 120, 20), (-9, 0, 0, 5), (0, 0, float("nan"), 4)],
)
def test_a_box_without_area_inside_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="inside the picture of 100x60"):
        crop(ramp(), box, 32, 0.05)


@pytest.mark.parametrize(
    ("box", "column", "row"),
    [
        ((99.8, 10.0, 110.0, 20.2), 99, None),
        ((-10.0, 10.0, 0.2, 20.2), 0, None),
        ((10.0, 59.8, 20.2, 70.0), None, 59),
        ((10.0, -10.0, 20.2, 0.2), None, 0),
    ],
)
def test_a_fraction_of_a_pixel_inside_is_its_line_of_pixels(
    box: tuple[float, float, float, float], column: int | None, row: int | None
) -> None:
    found = crop(ramp(), box, 10, 0.0)
    if column is not None:
        np.testing.assert_array_equal(found[..., 0], column)
    else:
        np.testing.assert_array_equal(found[..., 1], row)


def test_the_margin_holds_the_crop_in_its_middle(painted: ObjectSet) -> None:
    """Boxes whose square is whole pixels: the middle of the kept crop is the crop."""
    box = (12.0, 12.0, 52.0, 52.0)
    views = tuple(dataclasses.replace(v, box=box) for v in painted.views[:4])
    part = dataclasses.replace(painted, views=views)
    wide = usable_views(part, 40, 0.0, margin=margin_px(40))
    assert (wide.margin, wide.size, wide.crops[0].shape[1]) == (6, 40, 52)
    for view, kept in zip(views, wide.kept(np.arange(4)), strict=True):
        expected = crop(read_photo(painted.path(view)), box, 40, 0.0)
        np.testing.assert_array_equal(kept[6:46, 6:46], expected)


def test_labels_stand_beside_their_views(painted: ObjectSet) -> None:
    blind = dataclasses.replace(painted.views[1], cam_from_object=None, focal_px=None)
    views = (painted.views[0], blind, *painted.views[2:40])
    found = usable_views(dataclasses.replace(painted, views=views), 32, 0.1)
    assert found.has_pose.tolist() == [True, False, *[True] * 38]
    np.testing.assert_array_equal(found.turn[1], np.eye(3))
    q = Rotation.from_matrix(found.turn).as_quat(scalar_first=True)
    for i in (0, 2, 39):
        np.testing.assert_allclose(object_from_turn(q[i]), views[i].cam_from_object, atol=1e-12)
        side = window(views[i].box, 0.1)[2]
        assert found.focal[i] == pytest.approx(90.0 * 32 / side)
    assert found.focal[1] == 0
    assert [painted.categories[k] for k in found.category] == [v.category for v in views]
    both = joined([found, found])
    assert len(both) == 80
    np.testing.assert_array_equal(both.plain(np.arange(40, 80)), found.plain(np.arange(40)))
    assert all(np.shares_memory(c, found.crops[0]) for c in both.kept(np.array([3, 70])))


def test_a_second_call_reads_no_picture(
    painted: ObjectSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = usable_views(painted, 24, 0.05)
    monkeypatch.setattr(samples_module, "read_photo", None)
    second = usable_views(painted, 24, 0.05)
    np.testing.assert_array_equal(first.crops[0], second.crops[0])


def test_of_two_at_once_one_cuts_the_crops_and_the_other_waits(
    painted: ObjectSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, read, both = painted.part("test"), [], Barrier(2)

    def slowly(path: Path) -> np.ndarray:
        read.append(path)
        time.sleep(0.02)
        return read_photo(path)

    def cut(_number: int) -> np.ndarray:
        both.wait()
        return usable_views(part, 20, 0.05).crops[0]

    monkeypatch.setattr(samples_module, "read_photo", slowly)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(cut, range(2))
    assert sorted(read) == sorted(part.path(view) for view in part.views)
    np.testing.assert_array_equal(one, other)


def broken_set(root: Path) -> ObjectSet:
    """Good, black with one bright pixel, missing, cut off, a box outside."""
    root.mkdir()
    bright = np.zeros((40, 40, 3), np.uint8)
    bright[3:6, 3:6] = 255
    for name, image in (("good.png", ramp()), ("bright.png", bright)):
        assert cv2.imwrite(str(root / name), image)
    (root / "cut.png").write_bytes((root / "good.png").read_bytes()[:200])
    box = (0.0, 0.0, 40.0, 40.0)
    names = ("good.png", "bright.png", "missing.png", "cut.png")
    views = [ObjectView(Path(name), box, "car") for name in names]
    views.append(ObjectView(Path("good.png"), (200.0, 0.0, 240.0, 40.0), "car"))
    return ObjectSet("broken", root, tuple(views), ("car",))


def test_broken_images_are_left_out_counted_and_named(tmp_path: Path) -> None:
    data = broken_set(tmp_path / "set")
    said: list[str] = []
    for _ in range(2):  # made, and read from the cache
        said.clear()
        found = usable_views(data, 16, 0.0, lambda text, _f: said.append(text))
        assert [view.image.name for view in found.views] == ["good.png", "bright.png"]
        assert found.plain(np.arange(2))[1].max() > 100
        assert found.unreadable == 3
        (told,) = [t.split(":")[0] for t in said if "3 of 5 objects left out" in t]
        assert "missing.png" in told  # of the text, a log shows what stands before a colon
    outside = dataclasses.replace(data, views=data.views[:1] + data.views[4:])
    said.clear()
    usable_views(outside, 16, 0.0, lambda text, _f: said.append(text))
    assert [t for t in said if "good.png: a box" in t and "60" in t]
    with pytest.raises(InputError, match=r"can be read are wanted; .*missing\.png"):
        usable_views(dataclasses.replace(data, views=data.views[2:4]), 16, 0.0)
    with pytest.raises(InputError, match=r"a category of bus is wanted, 'car' came"):
        usable_views(dataclasses.replace(data, categories=("bus",)), 16, 0.0)
    with pytest.raises(InputError, match="has none"):
        usable_views(dataclasses.replace(data, views=()), 16, 0.0)


def test_another_picture_box_or_size_is_another_cache(tmp_path: Path) -> None:
    data = broken_set(tmp_path / "set")
    data = dataclasses.replace(data, views=data.views[:1])
    first = usable_views(data, 16, 0.0).crops[0].copy()
    moved = dataclasses.replace(data.views[0], box=(10.0, 0.0, 50.0, 40.0))
    second = usable_views(dataclasses.replace(data, views=(moved,)), 16, 0.0).crops[0]
    assert not np.array_equal(first, second)
    assert cv2.imwrite(str(tmp_path / "set" / "good.png"), 255 - ramp())
    third = usable_views(data, 16, 0.0).crops[0]
    np.testing.assert_allclose(third, 255 - first.astype(int), atol=1)
    usable_views(data, 16, 0.2)
    assert len(list((tmp_path / "set" / "cache").glob("crops-16-*.npy"))) == 4
