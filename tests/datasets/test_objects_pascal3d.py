"""PASCAL3D+ folders: the paper's split, what is left out, and what goes on without broken files."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.objects import open_objects
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.pascal3d import Pascal3dObject, folder_name, image_set, write_annotation

BOX = (4.0, 3.0, 60.0, 40.0)
CAR = Pascal3dObject("car", BOX, 30.0, 10.0, 5.0, distance=4.0, viewport=400.0)


class Set:
    """A small PASCAL3D+ folder to add to."""

    def __init__(self, root):
        self.root = root
        self.lists = {}

    def add(self, origin, part, name, *objects, category="car", image=True, **save):
        folder = folder_name(category, origin)
        write_annotation(
            self.root / "Annotations" / folder / f"{name}.mat",
            name,
            (64, 48),
            objects,
            database="test",
        )
        images = self.root / "Images" / folder
        images.mkdir(parents=True, exist_ok=True)
        if image:
            suffix = "JPEG" if origin == "imagenet" else "jpg"
            picture = Image.new("RGB", (64, 48))
            picture.save(images / f"{name}.{suffix}", **save)
        self.lists.setdefault(image_set(self.root, part, category, origin), []).append(name)
        return self

    def open(self, **options):
        for part in ("train", "val"):
            self.lists.setdefault(image_set(self.root, part, "car", "pascal"), [])
        for path, names in self.lists.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{name}\n" for name in names))
        return open_objects(self.root, **options)

    def annotation(self, name, folder="car_imagenet"):
        return self.root / "Annotations" / folder / f"{name}.mat"


@pytest.fixture
def folder(tmp_path):
    made = Set(tmp_path / "p3d")
    for i in range(3):
        made.add("imagenet", "train", f"n0001_{i}", CAR)
    return made


def test_the_papers_split(folder):
    folder.add("imagenet", "val", "n0001_9", CAR)
    folder.add("pascal", "train", "2008_000001", CAR)
    folder.add("pascal", "val", "2008_000002", CAR)
    data = folder.open()
    assert {v.image.stem: v.split for v in data.views} == {
        "n0001_0": "train",
        "n0001_1": "train",
        "n0001_2": "train",
        "n0001_9": "train",
        "2008_000001": "validation",
        "2008_000002": "test",
    }
    assert (data.name, data.categories, data.left_out, data.notes) == ("p3d", ("car",), (), ())


def test_an_objects_label_box_focal_length_and_source(folder):
    view = folder.open().views[0]
    np.testing.assert_allclose(
        view.cam_from_object, cam_from_object(*np.radians([30.0, 10.0, 5.0])), atol=1e-12
    )
    assert (view.box, view.category, view.focal_px) == (BOX, "car", 400.0)
    assert (view.source, view.rendered) == ("n0001_0", False)
    assert view.image.as_posix() == "Images/car_imagenet/n0001_0.JPEG"


def test_both_suffixes_and_several_objects_an_image(folder):
    other = dataclasses.replace(CAR, azimuth_deg=200.0, box=(10.0, 10.0, 20.0, 20.0))
    folder.add("pascal", "val", "2008_000002", CAR, other)
    views = folder.open().part("test").views
    assert [v.image.name for v in views] == ["2008_000002.jpg"] * 2
    assert [v.box for v in views] == [BOX, (10.0, 10.0, 20.0, 20.0)]
    assert views[0].cam_from_object != views[1].cam_from_object
    assert views[0].source == views[1].source == "2008_000002"


def test_truncated_occluded_and_difficult_objects_are_left_out_and_counted(folder):
    folder.add(
        "imagenet",
        "train",
        "n0002_0",
        dataclasses.replace(CAR, truncated=True),
        dataclasses.replace(CAR, truncated=True, occluded=True),
        dataclasses.replace(CAR, occluded=True),
        dataclasses.replace(CAR, difficult=True),
        CAR,
    )
    data = folder.open()
    assert len(data) == 4
    assert dict(data.left_out) == {"truncated": 2, "occluded": 1, "difficult": 1}


def test_objects_of_other_categories_count_in_their_own_folder_only(folder):
    bus = dataclasses.replace(CAR, category="bus", azimuth_deg=77.0)
    person = Pascal3dObject("person", BOX)
    unlabelled = Pascal3dObject("bus", BOX)
    folder.add("pascal", "train", "2008_000007", CAR, unlabelled, person)
    folder.add("pascal", "train", "2008_000007", bus, person, category="bus")
    data = folder.open()
    assert data.counts("validation") == {"bus": 1, "car": 1}
    assert data.categories == ("bus", "car")
    assert data.left_out == ()


def test_what_has_no_view_or_no_box_is_left_out_and_counted(folder):
    nothing = (np.nan,) * 4
    folder.add(
        "imagenet",
        "train",
        "n0002_0",
        dataclasses.replace(CAR, azimuth_deg=None),
        dataclasses.replace(CAR, box=nothing),
        dataclasses.replace(CAR, box=(5.0, 5.0, 5.0, 9.0)),
        dataclasses.replace(CAR, box=(64.0, 0.0, 80.0, 9.0)),
    )
    data = folder.open()
    assert len(data) == 3
    assert dict(data.left_out) == {"without a view": 1, "box without area in the picture": 3}


def test_boxes_that_reach_out_are_cut(folder):
    folder.add(
        "imagenet", "train", "n0002_0", dataclasses.replace(CAR, box=(-3.0, -1.0, 70.0, 20.0))
    )
    assert folder.open().views[-1].box == (0.0, 0.0, 64.0, 20.0)


def test_coarse_views_are_taken_and_told(folder):
    folder.add("imagenet", "train", "n0002_0", dataclasses.replace(CAR, distance=0.0))
    data = folder.open()
    assert len(data) == 4
    assert data.views[-1].focal_px is None
    assert data.notes == ("1 of 4 views are coarse guesses (their distance is 0)",)


@pytest.mark.parametrize(("viewport", "expected"), [(3000.0, None), (100.0, 100.0), (5.0, None)])
def test_a_focal_length_that_no_camera_has_is_none(folder, viewport, expected):
    folder.add("imagenet", "train", "n0002_0", dataclasses.replace(CAR, viewport=viewport))
    assert folder.open().views[-1].focal_px == expected


def test_renderings_of_one_model_have_one_source(folder):
    folder.add("imagenet", "train", "car_0012_03", CAR)
    folder.add("imagenet", "train", "bus_0012_03", CAR)
    sources = {v.image.stem: v.source for v in folder.open().views}
    assert sources["car_0012_03"] == "car_0012"
    assert sources["bus_0012_03"] == "bus_0012_03"


def test_pictures_in_no_list_are_left_out_and_without_lists_all_train(folder):
    folder.add("imagenet", "train", "n0002_0", CAR)
    folder.lists[image_set(folder.root, "train", "car", "imagenet")].remove("n0002_0")
    data = folder.open()
    assert len(data) == 3
    assert dict(data.left_out) == {"in no list of pictures": 1}
    for path in (folder.root / "Image_sets").iterdir():
        path.unlink()
    (folder.root / "Image_sets").rmdir()
    assert open_objects(folder.root).splits() == {"train": 4}


def test_lists_with_a_second_column_as_pascals_own(folder):
    folder.add("imagenet", "train", "n0002_0", CAR)
    folder.open()
    path = image_set(folder.root, "train", "car", "imagenet")
    path.write_text("n0001_0  1\nn0001_1 -1\n\nn0001_2  1\nn0002_0 0\nn0003_0 -1\n")
    data = open_objects(folder.root)
    assert [v.image.stem for v in data.views] == ["n0001_0", "n0001_2", "n0002_0"]
    assert data.left_out == (("in no list of pictures", 1),)


def test_listed_pictures_without_an_annotation_are_counted(folder):
    """A copy that was cut short would else be a smaller set, and nobody told."""
    folder.add("imagenet", "train", "n0002_0", CAR)
    folder.add("pascal", "train", "2008_000001", CAR)
    folder.lists[image_set(folder.root, "val", "car", "pascal")] = ["2008_000002"]  # of a cat
    folder.annotation("n0002_0").unlink()
    data = folder.open()
    assert len(data) == 4
    assert data.left_out == ((f"missing annotation (first: {folder.annotation('n0002_0')})", 1),)


def test_a_missing_list_is_named(folder):
    folder.add("pascal", "train", "2008_000001", CAR)
    folder.open()
    path = image_set(folder.root, "val", "car", "pascal")
    path.unlink()
    with pytest.raises(InputError, match=str(path)):
        open_objects(folder.root)


def test_a_broken_annotation_and_missing_or_broken_images_let_the_rest_go_on(folder):
    for i in range(4):
        folder.add("imagenet", "train", f"n0002_{i}", CAR, image=i != 1)
    folder.annotation("n0002_0").write_bytes(b"MATLAB 5.0 and then nothing")
    images = folder.root / "Images" / "car_imagenet"
    (images / "n0002_2.JPEG").write_text("no picture")
    data = folder.open()
    assert [v.image.stem for v in data.views] == ["n0001_0", "n0001_1", "n0001_2", "n0002_3"]
    assert dict(data.left_out) == {
        f"broken annotation (first: {folder.annotation('n0002_0')})": 1,
        f"missing image (first: {images / 'n0002_1.*'})": 1,
        f"broken image (first: {images / 'n0002_2.JPEG'})": 1,
    }


def test_more_damage_than_objects_is_an_error_that_names_the_first(folder):
    for i in range(4):
        folder.add("imagenet", "train", f"n0002_{i}", CAR, image=False)
    with pytest.raises(InputError, match=r"more than the 3 objects.*4 missing image.*n0002_0"):
        folder.open()


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    made = Set(tmp_path).add("imagenet", "train", "a", dataclasses.replace(CAR, truncated=True))
    with pytest.raises(InputError, match="1 truncated"):
        made.open()


def test_a_picture_turned_by_its_exif_is_left_out(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.add("imagenet", "train", "n0002_0", CAR, exif=exif)
    data = folder.open()
    assert len(data) == 3
    assert next(n for n, _ in data.left_out).startswith("image turned by its EXIF (first: ")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_pictures_are_taken(folder, mode):
    folder.add("imagenet", "train", "n0002_0", CAR, image=False)
    path = folder.root / "Images" / "car_imagenet" / "n0002_0.JPEG"
    Image.new(mode, (64, 48)).save(path)
    assert len(folder.open()) == 4


def test_only_some_categories(folder):
    bus = dataclasses.replace(CAR, category="bus")
    folder.add("imagenet", "train", "n0009_0", bus, category="bus")
    assert folder.open().categories == ("bus", "car")
    data = folder.open(categories=["car"])
    assert (data.categories, len(data)) == (("car",), 3)
    with pytest.raises(InputError, match="sofa_imagenet"):
        folder.open(categories=["sofa"])
