"""Object sets out of CSV files, Su et al.'s renderings, and what is none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.objects import draw_views, open_objects
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import ObjectView, write_objects_csv

HEADER = "image,x0,y0,x1,y1,category"
MODEL = "13a245da7b0567509c6d15186da929c5"


def listed(folder, *names, file="objects.csv", category="car"):
    folder.mkdir(exist_ok=True)
    lines = [f"{name},0,0,64,48,{category}" for name in names]
    (folder / file).write_text("\n".join([HEADER, *lines]) + "\n")
    return folder / file


def picture(path, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def rendered(root, name, synset="03790512", size=(30, 20)):
    picture(root / synset / MODEL / f"{synset}_{MODEL}_{name}", size)


def test_a_folder_a_file_in_it_and_a_list_beside(tmp_path):
    for name in "ab":
        picture(tmp_path / "set" / f"{name}.png")
    listed(tmp_path / "set", "a.png", "b.png")
    listed(tmp_path / "set", "b.png", file="mugs.csv", category="mug")
    whole = open_objects(tmp_path / "set")
    assert (whole.name, len(whole), whole.categories) == ("set", 2, ("car",))
    assert whole.root == tmp_path / "set"
    assert open_objects(tmp_path / "set" / "objects.csv") == whole
    mugs = open_objects(tmp_path / "set" / "mugs.csv")
    assert (mugs.name, mugs.categories, mugs.root) == ("mugs", ("mug",), tmp_path / "set")
    assert mugs.path(mugs.views[0]).is_file()


def test_what_a_set_writes_opens_as_it_was(tmp_path):
    picture(tmp_path / "a.png")
    turned = tuple(cam_from_object(1.0, 0.2, -0.1).tolist())
    views = [ObjectView(Path("a.png"), (1.0, 2.0, 30.0, 40.0), "sofa", turned, "test", "s_1", 90.0)]
    write_objects_csv(tmp_path / "objects.csv", views)
    found = open_objects(tmp_path).views[0]
    np.testing.assert_allclose(found.cam_from_object, turned, atol=1e-9)
    assert (found.box, found.split, found.focal_px) == ((1.0, 2.0, 30.0, 40.0), "test", 90.0)


def test_missing_images_of_a_list_are_left_out_and_the_first_is_named(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    listed(tmp_path, "gone.png", "a.png", "b.png", "lost.png", "c.png")
    data = open_objects(tmp_path)
    assert [v.image.name for v in data.views] == ["a.png", "b.png", "c.png"]
    assert data.left_out == ((f"missing image (first: {tmp_path / 'gone.png'})", 2),)


def test_a_list_with_more_missing_than_there_is_refused(tmp_path):
    picture(tmp_path / "a.png")
    listed(tmp_path, "a.png", "gone.png")
    assert len(open_objects(tmp_path)) == 1
    listed(tmp_path, "a.png", "gone.png", "lost.png")
    with pytest.raises(InputError, match=r"more than the 1 objects.*gone\.png"):
        open_objects(tmp_path)
    listed(tmp_path, "gone.png")
    with pytest.raises(InputError, match=r"objects are wanted.*gone\.png"):
        open_objects(tmp_path)


def test_bad_lines_of_a_list_are_refused(tmp_path):
    picture(tmp_path / "a.png")
    path = listed(tmp_path, "a.png", file="o.csv")
    path.write_text(path.read_text() + "a.png,3,3,3,9,car\n")
    with pytest.raises(InputError, match=r"o\.csv, line 3"):
        open_objects(tmp_path / "o.csv")


def test_rendered_images_say_their_angles_in_their_names(tmp_path):
    root = tmp_path / "syn_images_cropped_bkg_overlaid"
    rendered(root, "a035_e009_t-01_d004.png")
    rendered(root, "a340_e-12_t359_d002.jpg", synset="02958343", size=(50, 60))
    data = open_objects(root)
    assert data.categories == ("car", "motorbike")
    bike, car = sorted(data.views, key=lambda v: v.category, reverse=True)
    assert (bike.category, car.category) == ("motorbike", "car")
    for view, (a, e, t) in ((bike, (35, 9, -1)), (car, (340, -12, -1))):
        truth = cam_from_object(*np.radians([a, e, t]))
        np.testing.assert_allclose(view.cam_from_object, truth, atol=1e-12)
        assert (view.split, view.rendered, view.focal_px) == ("train", True, None)
        assert data.path(view).is_file()
    assert bike.box == (0.0, 0.0, 30.0, 20.0)
    assert car.box == (0.0, 0.0, 50.0, 60.0)
    assert bike.source == f"03790512_{MODEL}"
    above = open_objects(tmp_path)
    assert [above.path(v) for v in above.views] == [data.path(v) for v in data.views]


def test_renderings_that_do_not_read_are_left_out(tmp_path):
    for i in range(3):
        rendered(tmp_path, f"a03{i}_e009_t000_d004.png")
    rendered(tmp_path, "nameless.png")
    broken = tmp_path / "03790512" / MODEL / "b_a001_e002_t003_d004.png"
    broken.write_text("no picture")
    (broken.parent / "list.txt").write_text("not a picture's name")
    data = open_objects(tmp_path)
    assert len(data) == 3
    reasons = [reason for reason, _ in data.left_out]
    assert reasons[0].startswith("no angles in the file's name (first: ")
    assert reasons[1] == f"broken image (first: {broken})"


def test_draws_are_the_same_again_and_keep_the_order(tmp_path):
    for i in range(20):
        rendered(tmp_path, f"a{i:03}_e009_t000_d004.png")
    some = open_objects(tmp_path, max_views=5, seed=3)
    assert len(some) == 5
    assert some == open_objects(tmp_path, max_views=5, seed=3)
    assert some != open_objects(tmp_path, max_views=5, seed=4)
    assert list(some.views) == sorted(some.views, key=lambda v: v.image)
    everything = open_objects(tmp_path)
    assert draw_views(everything, 20) is everything
    assert set(draw_views(everything, 7).views) < set(everything.views)


def test_a_category_that_is_not_drawn_is_there_all_the_same(tmp_path):
    rendered(tmp_path, "a000_e009_t000_d004.png")
    rendered(tmp_path, "a001_e009_t000_d004.png", synset="02958343")
    for wanted in (["motorbike", "car"], None):
        data = open_objects(tmp_path, categories=wanted, max_views=1)
        assert len(data) == 1
        assert data.categories == tuple(wanted or ("car", "motorbike"))


def test_wanted_categories_set_the_order_and_must_be_there(tmp_path):
    rendered(tmp_path, "a000_e009_t000_d004.png")
    rendered(tmp_path, "a001_e009_t000_d004.png", synset="02958343")
    assert open_objects(tmp_path, categories=["motorbike", "car"]).categories == (
        "motorbike",
        "car",
    )
    assert [v.category for v in open_objects(tmp_path, categories=["car"]).views] == ["car"]
    picture(tmp_path / "set" / "a.png")
    listed(tmp_path / "set", "a.png")
    with pytest.raises(InputError, match=r"'sofa' are wanted, there are car"):
        open_objects(tmp_path / "set", categories=["sofa"])


def test_what_is_no_object_set_says_what_is_known_and_what_came(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"objects\.csv.*PASCAL3D\+.*02958343.*notes\.txt"):
        open_objects(tmp_path)
    with pytest.raises(InputError, match="there is none"):
        open_objects(tmp_path / "gone")
    with pytest.raises(InputError, match=r"'notes\.txt' of another kind"):
        open_objects(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="1 or more"):
        open_objects(tmp_path, max_views=0)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (["a.png,mug_1,train", "a.png,mug_1,test"], "the picture a.png is in train and in test"),
        (["a.png,mug_1,test", "b.png,mug_1,train"], "the source mug_1 is in test and in train"),
    ],
)
def test_a_picture_or_source_in_two_splits_is_refused(tmp_path, rows, what):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    lines = [row.replace(",", ",0,0,64,48,mug,", 1) for row in rows]
    table = tmp_path / "mugs.csv"
    table.write_text("\n".join([f"{HEADER},source,split", *lines]) + "\n")
    with pytest.raises(InputError, match=what):
        open_objects(table)
    table.write_text("\n".join([f"{HEADER},source,split", *lines[:1]]) + "\n")
    assert len(open_objects(table)) == 1
