"""Pristine images in every layout, with what they show, and what is left out."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from sightline.datasets.utility import open_pristine
from sightline.errors import InputError
from sightline.media import read_photo
from sightline.records.objects import ObjectView, write_objects_csv

SIZE = (40, 20)


def photo(path: Path, size: tuple[int, int] = SIZE, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 200, 30)).save(path, **options)
    return path


def damaged(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not a photo")
    return path


def names(data: object) -> list[str]:
    return [image.image.as_posix() for image in data.images]  # type: ignore[attr-defined]


# COCO


def coco(root: Path, **changes: object) -> Path:
    """Four photos; one has no objects; category ids leave gaps."""
    for number in (1, 2, 3, 4):
        photo(root / "val2017" / f"{number:012d}.jpg")
    content = {
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in (4, 3, 2, 1)],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"},
                       {"id": 13, "name": "stop sign"}],
        "annotations": [
            {"image_id": 1, "category_id": 13, "bbox": [2, 3, 10, 5], "iscrowd": 0},
            {"image_id": 1, "category_id": 90, "bbox": [35, 15, 10, 10], "iscrowd": 0},
            {"image_id": 2, "category_id": 1, "bbox": [0, 0, 40, 20], "iscrowd": 1},
            {"image_id": 2, "category_id": 1, "bbox": [5, 5, 5, 5]},
            {"image_id": 3, "category_id": 1, "bbox": [5, 5, 0, 5], "iscrowd": 0},
        ],
    } | changes  # fmt: skip
    path = root / "annotations" / "instances_val2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_coco(tmp_path: Path) -> None:
    table = coco(tmp_path)
    data = open_pristine(tmp_path)
    assert data.categories == ("person", "stop sign", "toothbrush")
    assert names(data) == [f"val2017/{n:012d}.jpg" for n in (1, 2, 3, 4)]
    first, second, third, fourth = data.images
    assert first.boxes == ((2, 3, 12, 8), (35, 15, 40, 20))  # cut to its picture
    assert first.box_categories == (1, 2)
    assert (second.boxes, second.box_categories) == (((5, 5, 10, 10),), (0,))
    assert third.boxes == fourth.boxes == ()
    assert dict(data.left_out) == {"crowd box": 1, "box without area in the picture": 1}
    assert data.has_boxes
    assert not data.has_classes
    assert open_pristine(table).images == data.images
    assert all(data.path(image).is_file() for image in data.images)


def test_coco_agrees_with_faster_coco_eval(tmp_path: Path) -> None:
    from faster_coco_eval import COCO

    content = json.loads(coco(tmp_path).read_text())
    for i, one in enumerate(content["annotations"]):
        one |= {"id": i + 1, "area": 1.0, "iscrowd": one.get("iscrowd", 0)}
    for one in content["images"]:
        one |= {"width": SIZE[0], "height": SIZE[1]}
    theirs = COCO(content)
    order = sorted(theirs.getCatIds())
    data = open_pristine(tmp_path)
    assert data.categories == tuple(theirs.cats[i]["name"] for i in order)
    for image in data.images:
        own = theirs.loadAnns(
            theirs.getAnnIds(imgIds=[int(image.image.stem)], iscrowd=False)  # type: ignore[arg-type]
        )
        own = [one for one in own if one["bbox"][2]]
        assert [order.index(one["category_id"]) for one in own] == list(image.box_categories)
        assert [one["bbox"][0] for one in own] == [box[0] for box in image.boxes]


def test_coco_leaves_out_what_is_damaged(tmp_path: Path) -> None:
    coco(tmp_path)
    damaged(tmp_path / "val2017" / "000000000003.jpg")
    (tmp_path / "val2017" / "000000000004.jpg").unlink()
    photo(tmp_path / "val2017" / "000000000002.jpg", exif=turned())
    with pytest.raises(InputError, match="more than the 1 images left are wanted"):
        open_pristine(tmp_path)
    photo(tmp_path / "val2017" / "000000000004.jpg")
    data = open_pristine(tmp_path)
    assert names(data) == ["val2017/000000000001.jpg", "val2017/000000000004.jpg"]
    reasons = Counter({reason.partition(" (first")[0]: n for reason, n in data.left_out})
    assert reasons == {
        "crowd box": 1,
        "unreadable image": 1,
        "image turned by its EXIF, with boxes": 1,
    }


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a JSON file is wanted"),
        ("[]", "images, annotations and categories are wanted"),
        ('{"annotations": [], "images": []}', "'categories'"),
        ('{"annotations": [{"image_id": 1}], "images": [], "categories": []}', "'bbox'"),
        ('{"annotations": [], "images": [], "categories": []}', "images are wanted; left out"),
    ],
)
def test_damaged_coco_is_named(tmp_path: Path, text: str, message: str) -> None:
    coco(tmp_path).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        open_pristine(tmp_path)
    assert "\n" not in str(caught.value)


def test_of_several_coco_files_one_is_named(tmp_path: Path) -> None:
    table = coco(tmp_path)
    for part in ("a", "b"):
        (table.parent / f"instances_{part}.json").write_text(table.read_text())
    assert open_pristine(tmp_path).name == "val2017"
    table.unlink()
    with pytest.raises(InputError, match=r"instances_a.json, instances_b.json are there; give"):
        open_pristine(tmp_path)


# YOLO


def yolo(root: Path) -> None:
    photo(root / "images" / "train" / "a.jpg")
    photo(root / "images" / "train" / "b.jpg")
    photo(root / "images" / "val" / "c.jpg")
    for part in ("train", "val"):
        (root / "labels" / part).mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text("1 0.5 0.5 0.5 0.4\n0 1.0 0.25 0.2 0.5\n\n")
    (root / "labels" / "val" / "c.txt").write_text("0 0.1 0.2 0.3 0.2 0.3 0.8\n")
    (root / "data.yaml").write_text("names:\n  0: cat\n  1: 'dog: big'\n")


def test_yolo(tmp_path: Path) -> None:
    yolo(tmp_path)
    data = open_pristine(tmp_path)
    assert data.categories == ("cat", "dog: big")
    assert names(data) == ["images/train/a.jpg", "images/train/b.jpg", "images/val/c.jpg"]
    a, b, c = data.images
    np.testing.assert_allclose(a.boxes, [(10, 6, 30, 14), (36, 0, 40, 10)])
    assert a.box_categories == (1, 0)
    assert b.boxes == ()
    np.testing.assert_allclose(c.boxes, [(4, 4, 12, 16)])  # of the outline
    assert [image.split for image in data.images] == ["train", "train", "validation"]
    assert data.notes == ("1 photos have no text of boxes: they show no object",)
    assert data.left_out == ()


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.5", "x 0.5 0.5 0.5 0.5", "0 nan 0.5 0.5 0.5",
                                  "0 0.5 0.5 -0.5 0.5", "-1 0.5 0.5 0.5 0.5",
                                  "0 0.1 0.1 0.2 0.2 0.9"])  # fmt: skip
def test_broken_texts_of_yolo_are_left_out(tmp_path: Path, text: str) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "train" / "b.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{text}\n")
    data = open_pristine(tmp_path)
    assert names(data) == ["images/train/a.jpg", "images/val/c.jpg"]
    (reason,) = data.left_out
    assert reason[0].startswith("broken text of boxes (first: ")
    assert reason[1] == 1


def test_yolo_counts_texts_without_photos_and_unknown_classes(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "train" / "gone.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "labels" / "train" / "b.txt").write_text("2 0.5 0.5 0.1 0.1")
    photo(tmp_path / "images" / "val" / "d.jpg")
    data = open_pristine(tmp_path)
    assert len(data) == 3
    assert [(r.partition(" (")[0], n) for r, n in data.left_out] == [
        ("class without a name", 1),
        ("missing image", 1),
    ]


def test_yolo_side_by_side_with_a_list_of_names(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("1 0.5 0.5 1 1")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    data = open_pristine(tmp_path)
    assert data.categories == ("cat", "dog")
    assert data.images[0].boxes == ((0, 0, 40, 20),)


def test_splits_that_yolos_file_names(tmp_path: Path) -> None:
    for folder in ("one", "two", "three"):
        photo(tmp_path / folder / "images" / "a.jpg")
    (tmp_path / "three.txt").write_text("three/images/a.jpg\n")
    yaml_file = tmp_path / "data.yaml"
    yaml_file.write_text(
        "path: .\ntrain: [one, three.txt]\nval: two\nnames: [cat]\ntest: nowhere\n"
    )
    data = open_pristine(yaml_file)
    assert [(i.image.parts[0], i.split) for i in data.images] == [
        ("one", "train"),
        ("three", "train"),
        ("two", "validation"),
    ]
    # COCO128 names the same photos for both: those are in no split.
    yaml_file.write_text("train: one\nval: one\ntest: two\nnames: [cat]\n")
    assert [i.split for i in open_pristine(tmp_path).images] == ["", "", "test"]


def test_a_damaged_yaml_file_is_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [cat\n")
    data = open_pristine(tmp_path)  # known by its folders
    assert data.categories == ("class 0", "class 1")


# ImageNet

SYNSETS = [f"n{i:08d}" for i in range(1000)]


def imagenet_photo(folder: Path, number: int) -> Path:
    return photo(folder / f"ILSVRC2012_val_{number:08d}.JPEG", format="JPEG")


def test_imagenet_by_its_list(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        imagenet_photo(tmp_path, number)
    (tmp_path / "val.txt").write_text(
        "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000003.JPEG 970\n"
        "ILSVRC2012_val_00000009.JPEG 1\n"
    )
    data = open_pristine(tmp_path)
    assert [(i.image.name[18:23], i.category) for i in data.images] == [
        ("00001", 65),
        ("00003", 970),
    ]
    assert len(data.categories) == 1000
    assert dict(data.left_out) == {"photo without a truth": 1}
    (tmp_path / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG 1000\n")
    with pytest.raises(InputError, match=r"val.txt, line 1: .* from 0 to 999 is wanted"):
        open_pristine(tmp_path)


def test_imagenet_by_the_kits_numbers_which_are_no_indices(tmp_path: Path) -> None:
    for number in (1, 2):
        imagenet_photo(tmp_path / "val", number)
    data_dir = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    data_dir.mkdir(parents=True)
    # The kit numbers synsets in another order than their names.
    order = list(reversed(SYNSETS))
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    rows = np.array([(i + 1, s, "thing") for i, s in enumerate(order)], dtype=kind)
    savemat(data_dir / "meta.mat", {"synsets": rows.reshape(-1, 1)})
    truth = data_dir / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1000\n490\n")
    data = open_pristine(tmp_path)
    # Two of the synsets are known only: their indices are not a network's.
    assert "2 of ImageNet's 1000 synsets are known" in data.notes[0]
    assert [data.categories[i.category or 0] for i in data.images] == [order[999], order[489]]
    (tmp_path / "synset_words.txt").write_text(
        "".join(f"{s} word {i}, other\n" for i, s in enumerate(SYNSETS))
    )
    data = open_pristine(tmp_path)
    assert [i.category for i in data.images] == [0, 510]
    assert data.categories[510] == "word 510"
    truth.write_text("1001\n")
    with pytest.raises(InputError, match="line 1: a number of a synset is wanted, '1001' came"):
        open_pristine(tmp_path)
    (data_dir / "meta.mat").unlink()
    with pytest.raises(InputError, match=r"meta.mat of the kit is wanted"):
        open_pristine(tmp_path)


def test_imagenet_of_kaggle(tmp_path: Path) -> None:
    folder = tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    imagenet_photo(folder, 7)
    (tmp_path / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\nILSVRC2012_val_00000007,n00000003 85 1 499 272 n00000003 1 1 2\n"
    )
    (tmp_path / "LOC_synset_mapping.txt").write_text("".join(f"{s} word\n" for s in SYNSETS))
    assert [i.category for i in open_pristine(tmp_path).images] == [3]


def test_imagenet_in_folders_of_synsets(tmp_path: Path) -> None:
    imagenet_photo(tmp_path / "n01440764", 5)
    imagenet_photo(tmp_path / "n01443537", 4)
    data = open_pristine(tmp_path)
    assert data.categories == ("n01440764", "n01443537")
    assert [i.category for i in data.images] == [0, 1]
    assert "2 of ImageNet's 1000 synsets are known" in data.notes[0]


def test_imagenet_without_a_truth(tmp_path: Path) -> None:
    imagenet_photo(tmp_path, 1)
    data = open_pristine(tmp_path)
    assert data.images[0].category is None
    assert "for the truth put val.txt" in data.notes[0]


# Tables, folders, photos alone


def test_a_table_as_of_the_imagenet_samples(tmp_path: Path) -> None:
    photo(tmp_path / "a.JPEG", format="JPEG")
    photo(tmp_path / "images" / "b.JPEG", format="JPEG")
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,wnid,class_index_0based,name\na.JPEG,n1,16,bulbul\nb.JPEG,n2,999,\n"
        "a.JPEG,n1,16,bulbul\ngone.JPEG,n1,16,bulbul\n"
    )
    data = open_pristine(tmp_path)
    assert [(i.image.as_posix(), i.category) for i in data.images] == [
        ("a.JPEG", 16),
        ("images/b.JPEG", 999),
    ]
    assert len(data.categories) == 1000
    assert (data.categories[16], data.categories[17]) == ("bulbul", "class 17")
    assert [(r.partition(" (")[0], n) for r, n in data.left_out] == [
        ("photo listed twice", 1),
        ("missing image", 1),
    ]
    assert open_pristine(table).images == data.images
    table.write_text("file,class_index_0based\na.JPEG,x\n")
    with pytest.raises(InputError, match=r"line 2: an index of 0 or more is wanted .* 'x' came"):
        open_pristine(tmp_path)


def test_a_table_of_names_splits_and_sources(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / f"{name}.png")
    table = tmp_path / "mine.csv"
    table.write_text(
        "image,category,split,source\na.png,dog,train,s\nb.png,cat,val,t\nc.png,,test,\n"
    )
    data = open_pristine(table)
    assert data.name == "mine"
    assert data.categories == ("cat", "dog")
    assert [(i.category, i.split, i.source) for i in data.images] == [
        (1, "train", "s"),
        (0, "validation", "t"),
        (None, "test", ""),
    ]
    table.write_text("image,category,split,source\na.png,dog,train,s\nb.png,cat,test,s\n")
    with pytest.raises(InputError, match="the source s is in train and in test"):
        open_pristine(table)


def test_a_folder_a_class(tmp_path: Path) -> None:
    photo(tmp_path / "dog" / "deep" / "2.jpg")
    photo(tmp_path / "dog" / "10.jpg")
    photo(tmp_path / "cat" / "1.jpg")
    damaged(tmp_path / "cat" / "2.jpg")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "emu").mkdir()
    data = open_pristine(tmp_path)
    assert data.categories == ("cat", "dog", "emu")
    assert [(i.image.as_posix(), i.category) for i in data.images] == [
        ("cat/1.jpg", 0),
        ("dog/10.jpg", 1),
        ("dog/deep/2.jpg", 1),
    ]
    assert data.notes == ("1 classes have no photo (first: emu)",)
    assert data.left_out == ((f"unreadable image (first: {tmp_path / 'cat' / '2.jpg'})", 1),)


def test_folders_of_classes_in_folders_of_splits(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for kind in ("b", "a"):
            photo(tmp_path / part / kind / "1.jpg")
    data = open_pristine(tmp_path)
    assert data.categories == ("a", "b")
    assert Counter((i.split, i.category) for i in data.images) == {
        (split, kind): 1 for split in ("train", "validation", "test") for kind in (0, 1)
    }
    assert data.splits() == {"train": 2, "validation": 2, "test": 2}
    assert len(data.part("test")) == 2


def test_photos_alone(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.png", "below/1.jpg"):
        photo(tmp_path / name)
    (tmp_path / "labels" / "predictions").mkdir(parents=True)
    (tmp_path / "labels" / "labels.toml").write_text("")
    photo(tmp_path / "labels" / "sheet.png")
    photo(tmp_path / "runs" / "one" / "plot.png")
    (tmp_path / "runs" / "one" / "config.toml").write_text("")
    data = open_pristine(tmp_path)
    assert names(data) == ["2.png", "10.jpg", "below/1.jpg"]
    assert not data.has_classes
    assert not data.has_boxes
    assert data.categories == ()
    assert "photos alone" in data.notes[0]


@pytest.mark.parametrize("classes", [False, True])
def test_what_labelling_left_beside_photos_is_none_of_them(tmp_path: Path, classes: bool) -> None:
    for name in ("a/1.jpg", "b/2.jpg") if classes else ("1.jpg", "2.jpg"):
        photo(tmp_path / name)
    before = open_pristine(tmp_path)
    stopped = tmp_path / "runs" / "labels-classification"
    (stopped / "predictions").mkdir(parents=True)  # no labels.toml yet
    assert open_pristine(tmp_path) == before
    (stopped / "labels.toml").write_text("")
    photo(stopped / "runs" / "one" / "plots" / "curve.png")
    assert open_pristine(tmp_path) == before


def test_one_photo_an_archive_and_a_list(tmp_path: Path) -> None:
    one = photo(tmp_path / "photos" / "a.jpg", (1, 1))
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(one, "x/a.jpg")
    (tmp_path / "list.txt").write_text("photos/a.jpg\n")
    wanted = {one: "a.jpg", tmp_path / "all.tar": "all.tar/x/a.jpg",
              tmp_path / "list.txt": "photos/a.jpg"}  # fmt: skip
    for path, name in wanted.items():
        data = open_pristine(path)
        assert names(data) == [name]
    with pytest.raises(InputError, match="images are wanted; left out were 1 unreadable image"):
        open_pristine(damaged(tmp_path / "b.jpg"))


def test_animated_gifs_are_said_and_read_by_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", SIZE, level) for level in (40, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.gif")
    data = open_pristine(tmp_path)
    assert data.notes[-1] == "1 animated GIFs: the first frame of each is taken"
    assert abs(int(read_photo(data.path(data.images[0]))[5, 5, 0]) - 40) < 3


# Objects


def test_object_sets_keep_boxes_splits_and_sources(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        photo(tmp_path / name)
    write_objects_csv(
        tmp_path / "objects.csv",
        [
            ObjectView(Path("a.png"), (1, 2, 30, 10), "car", split="train", source="car_1"),
            ObjectView(Path("b.png"), (0, 0, 9, 9), "boat", split="test", source="two"),
            ObjectView(Path("b.png"), (9, 9, 20, 19), "car", split="test", source="two"),
            ObjectView(Path("c.png"), (0, 0, 9, 9), "boat", split="test", source="three"),
        ],
    )
    data = open_pristine(tmp_path)
    assert data.categories == ("boat", "car")
    a, b, c = data.images
    assert (a.category, a.boxes, a.split, a.source) == (1, ((1, 2, 30, 10),), "train", "car_1")
    assert (b.category, b.box_categories, len(b.boxes)) == (None, (0, 1), 2)
    assert c.category == 0
    assert "1 pictures show objects of several classes" in data.notes[-1]


# Nothing to read


def test_what_is_no_set_of_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none"):
        open_pristine(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a layout of images is wanted: .* nothing in it"):
        open_pristine(tmp_path)
    (tmp_path / "labels.toml").write_text("")
    with pytest.raises(InputError, match="a folder of labels"):
        open_pristine(tmp_path)
    other = tmp_path / "x.bin"
    other.write_bytes(b"abc")
    with pytest.raises(InputError, match=r"a file 'x\.bin' of another kind"):
        open_pristine(other)
