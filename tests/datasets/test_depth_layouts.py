"""Depth sets in every layout: each written as its authors do, with values that are known."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from sightline.datasets.depth import open_depth
from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.records.depth import DepthImage, DepthSet, write_depth_png_mm, write_depth_set
from sightline.records.pairs import ImagePair, PairSet, write_pair_set

RNG = np.random.default_rng(7)
SIZE = (16, 12)


def photo(path: Path, size=SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def stored(path: Path, value: int, size=SIZE) -> Path:
    """Write a map of one 16-bit number, its first pixel unknown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full(size[::-1], value, np.uint16)
    values[0, 0] = 0
    Image.fromarray(values).save(path)
    return path


def metres(data: DepthSet) -> dict[str, float]:
    """Return the depth of each photo's second pixel by its name."""
    found = {}
    for item in data.items:
        depth = data.read_target(item)
        assert np.isnan(depth[0, 0])
        assert data.read_image(item).shape == (SIZE[1], SIZE[0], 3)
        found[item.image.as_posix()] = round(float(depth[0, 1]), 4)
    return found


def test_a_depth_set(tmp_path):
    photo(tmp_path / "a.jpg")
    write_depth_png_mm(tmp_path / "a.png", np.ones((3, 4)))
    item = DepthImage(Path("a.jpg"), Path("a.png"), split="train", intrinsics=(9, 9, 8, 6))
    write_depth_set(DepthSet("x", tmp_path, (item,)))
    data = open_depth(tmp_path)
    assert (data.items, data.left_out, data.name) == ((item,), (), tmp_path.name)
    assert open_depth(tmp_path / "depth.csv").items == (item,)


def test_pictures_listed_in_json(tmp_path):
    photo(tmp_path / "a.jpg")
    stored(tmp_path / "a.png", 1500)
    (tmp_path / "depth.json").write_text(
        '{"items": [{"rgb": "a.jpg", "depth": "a.png", "K": [585, 586, 8, 6], "source": "room"}]}'
    )
    data = open_depth(tmp_path)
    assert metres(data) == {"a.jpg": 1.5}
    assert data.items[0].intrinsics == (585, 586, 8, 6)
    assert data.items[0].source == "room"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "a list `items` of rgb and depth is wanted"),
        ('{"items": [3]}', r"items\[0\]: an object with rgb and depth"),
        ('{"items": [{"rgb": "a.jpg"}]}', r"items\[0\]: a file name is wanted in depth"),
        (
            '{"items": [{"rgb": "a", "depth": "b", "K": [1, 2, 3]}]}',
            "K as fx, fy, cx, cy is wanted",
        ),
    ],
)
def test_a_bad_json_is_one_line(tmp_path, text, says):
    (tmp_path / "depth.json").write_text(text)
    with pytest.raises(InputError, match=says):
        open_depth(tmp_path)


def sun(root: Path, name: str, mm: int, *, filled: int | None = None) -> None:
    folder = root / name
    photo(folder / "image" / "0001.jpg")
    (folder / "intrinsics.txt").write_text("520.5 0 8.25 \n0 521.5 6.5 \n0 0 1 \n")
    (folder / "scene.txt").write_text("kitchen")
    stored(folder / "depth" / "0001.png", ((mm << 3) | (mm >> 13)) & 0xFFFF)
    if filled is not None:
        stored(folder / "depth_bfx" / "0001.png", ((filled << 3) | (filled >> 13)) & 0xFFFF)


def test_sun_rgbd_with_its_split(tmp_path):
    root = tmp_path / "SUNRGBD"
    sun(root, "kv1/NYUdata/NYU0001", 1234, filled=2345)
    sun(root, "kv2/align_kv2/2014-05-01_14-59-36", 9000)
    sun(root, "xtion/sun3ddata/hotel/room/0001-1", 500)
    sun(root, "xtion/sun3ddata/hotel/room/0002-2", 600)
    toolbox = tmp_path / "SUNRGBDtoolbox" / "traintestSUNRGBD"
    toolbox.mkdir(parents=True)
    paths = [
        "/n/fs/sun3d/data/SUNRGBD/kv1/NYUdata/NYU0001",
        "/n/fs/sun3d/data/SUNRGBD/xtion/sun3ddata/hotel/room/0001-1",
        "/n/fs/sun3d/data/SUNRGBD/kv2/align_kv2/2014-05-01_14-59-36",
    ]
    savemat(
        toolbox / "allsplit.mat",
        {"alltrain": np.array(paths[:2], object), "alltest": np.array(paths[2:], object)},
    )
    data = open_depth(root)
    assert metres(data) == {
        "kv1/NYUdata/NYU0001/image/0001.jpg": 2.345,  # the filled one
        "kv2/align_kv2/2014-05-01_14-59-36/image/0001.jpg": 9.0,
        "xtion/sun3ddata/hotel/room/0001-1/image/0001.jpg": 0.5,
        "xtion/sun3ddata/hotel/room/0002-2/image/0001.jpg": 0.6,
    }
    assert [i.split for i in data.items] == ["train", "test", "train", ""]
    assert data.items[2].source == data.items[3].source == "xtion/sun3ddata/hotel/room"
    assert data.items[0].intrinsics == (520.5, 521.5, 8.25, 6.5)
    assert open_depth(tmp_path).splits() == data.splits()


def test_sun_rgbd_whose_split_cuts_a_room_keeps_the_split(tmp_path):
    root = tmp_path / "SUNRGBD"
    for i in (1, 2):
        sun(root, f"xtion/sun3ddata/hotel/room/000{i}", 500)
    toolbox = tmp_path / "SUNRGBDtoolbox" / "traintestSUNRGBD"
    toolbox.mkdir(parents=True)
    cells = [np.array([f"/x/SUNRGBD/xtion/sun3ddata/hotel/room/000{i}"], object) for i in (1, 2)]
    savemat(toolbox / "allsplit.mat", {"alltrain": cells[0], "alltest": cells[1]})
    data = open_depth(root)
    assert [(i.split, i.source) for i in data.items] == [("train", ""), ("test", "")]
    assert "cuts through 1 scenes" in data.notes[0]


def test_one_picture_of_sun_rgbd(tmp_path):
    sun(tmp_path, "capture", 1000)
    data = open_depth(tmp_path / "capture")
    assert metres(data) == {"image/0001.jpg": 1.0}
    assert "no split" in data.notes[0]


def test_kittis_drives(tmp_path):
    for split, drive in (
        ("train", "2011_09_26_drive_0001_sync"),
        ("val", "2011_09_26_drive_0002_sync"),
    ):
        truth = tmp_path / split / drive / "proj_depth" / "groundtruth" / "image_02"
        for frame in (5, 6):
            stored(truth / f"{frame:010d}.png", 256 * frame + 128)
        photo(tmp_path / "2011_09_26" / drive / "image_02" / "data" / "0000000005.png")
        photo(tmp_path / "2011_09_26" / drive / "image_02" / "data" / "0000000004.png")
    photo(tmp_path / "2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000006.png")
    p = "7.2e+02 0 6.0e+02 4.5e+01 0 7.1e+02 1.7e+02 2e-01 0 0 1 2.7e-03"
    (tmp_path / "2011_09_26" / "calib_cam_to_cam.txt").write_text(f"S_02: 1 2\nP_rect_02: {p}\n")
    data = open_depth(tmp_path)
    first = "2011_09_26/2011_09_26_drive_0001_sync/image_02/data"
    second = "2011_09_26/2011_09_26_drive_0002_sync/image_02/data"
    assert metres(data) == {
        f"{first}/0000000005.png": 5.5,
        f"{first}/0000000006.png": 6.5,
        f"{second}/0000000005.png": 5.5,
    }
    assert [i.split for i in data.items] == ["train", "train", "validation"]
    assert data.items[2].source == "2011_09_26_drive_0002_sync"
    assert data.items[0].intrinsics == (720, 710, 600, 170)
    assert data.benchmark == "kitti"
    assert data.left_out == (("depth of frames that are not there", 1),)


def test_kittis_drives_with_photos_beside_the_depth(tmp_path):
    drive = tmp_path / "val" / "2011_09_26_drive_0002_sync"
    stored(drive / "proj_depth" / "groundtruth" / "image_03" / "0000000005.png", 512)
    photo(drive / "image_03" / "data" / "0000000005.jpg")
    data = open_depth(tmp_path)
    assert list(metres(data).values()) == [2.0]
    assert data.items[0].intrinsics is None


def test_kittis_selection(tmp_path):
    root = tmp_path / "val_selection_cropped"
    for drive, frame in (("0002", 5), ("0003", 9)):
        stem = f"2011_09_26_drive_{drive}_sync"
        photo(root / "image" / f"{stem}_image_{frame:010d}_image_02.png")
        name = f"{stem}_groundtruth_depth_{frame:010d}_image_02.png"
        stored(root / "groundtruth_depth" / name, 256 * frame)
        (root / "intrinsics").mkdir(exist_ok=True)
        k = root / "intrinsics" / f"{stem}_image_{frame:010d}_image_02.txt"
        k.write_text("721.5 0.0 596.5 0.0 722.5 149.8 0.0 0.0 1.0")
    data = open_depth(root)
    assert list(metres(data).values()) == [5.0, 9.0]
    assert [i.source for i in data.items] == ["2011_09_26_drive_0002", "2011_09_26_drive_0003"]
    assert data.splits() == {"validation": 2}
    assert data.benchmark == "kitti"
    assert data.items[0].intrinsics == (721.5, 722.5, 596.5, 149.8)


def tum(folder: Path, depth_s: dict[float, int]) -> None:
    for stamp in (1.0, 1.03, 1.06):
        photo(folder / "rgb" / f"{stamp:.6f}.png")
    for stamp, value in depth_s.items():
        stored(folder / "depth" / f"{stamp:.6f}.png", value)
    for kind, stamps in (("rgb", (1.0, 1.03, 1.06)), ("depth", depth_s)):
        lines = "".join(f"{s:.6f} {kind}/{s:.6f}.png\n" for s in stamps)
        (folder / f"{kind}.txt").write_text(f"# {kind} images\n{lines}")


def test_tum_pairs_by_time_never_by_position(tmp_path):
    """The first depth comes late: by position every image would get its neighbour's."""
    folder = tmp_path / "rgbd_dataset_freiburg2_desk"
    tum(folder, {1.029: 10_000, 1.061: 15_000, 1.09: 20_000})
    data = open_depth(folder)
    assert metres(data) == {"rgb/1.030000.png": 2.0, "rgb/1.060000.png": 3.0}
    assert data.notes == ("1 of 3 images have no depth within 0.02 s",)
    assert data.items[0].intrinsics == (520.9, 521.0, 325.1, 249.7)
    tum(tmp_path / "other", {1.0: 5000})
    both = open_depth(tmp_path)
    assert {i.source for i in both.items} == {"other", "rgbd_dataset_freiburg2_desk"}
    assert metres(both)["other/rgb/1.000000.png"] == 1.0


def test_rendered_rooms(tmp_path):
    camera = Camera("PINHOLE", *SIZE, (20.0, 21.0, 7.5, 5.5))
    pairs = []
    for room, split in (("room_0000", "train"), ("object_0001", "test")):
        for view in range(3):
            photo(tmp_path / "images" / room / f"{view:03d}.jpg")
            stored(tmp_path / "images" / room / f"{view:03d}.depth.png", 1000 + view, (4, 3))
        a, b = (Path("images") / room / f"00{i}.jpg" for i in (0, 1))
        pairs.append(ImagePair(a, b, None, camera, camera, room, split))
    write_pair_set(PairSet("rooms", tmp_path, tuple(pairs)))
    data = open_depth(tmp_path)
    assert data.name == "rooms"
    assert metres(data) == {
        f"images/{room}/00{i}.jpg": 1 + i / 1000
        for room in ("room_0000", "object_0001")
        for i in range(3)
    }
    assert data.splits() == {"train": 3, "test": 3}
    assert data.items[0].source == "room_0000"
    assert [i.intrinsics for i in data.items[:3]] == [(20, 21, 7.5, 5.5)] * 2 + [None]


def test_pairs_without_depth_are_one_line(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / name)
    pair = ImagePair(Path("a.jpg"), Path("b.jpg"), scene="x")
    write_pair_set(PairSet("pairs", tmp_path, (pair,)))
    with pytest.raises(InputError, match="none of them has it"):
        open_depth(tmp_path)


@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_a_list(tmp_path, name):
    mark = "," if name.endswith("csv") else " "
    for i in range(4):
        photo(tmp_path / "k" / f"rgb_{i}.jpg")
        stored(tmp_path / "k" / f"{i}.png", 1000)
    lines = [
        mark.join(["k/rgb_0.jpg", "k/0.png"]),
        "# scale 0.0002",
        mark.join([str(tmp_path / "k" / "rgb_1.jpg"), "/k/1.png"]),  # as lists of BTS have it
        mark.join(["k/rgb_2.jpg", "k/2.png", "0.00390625"]),
        "# another line",
        mark.join(["k/rgb_3.jpg", "None", "518.8579"]),
    ]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    data = open_depth(tmp_path / name)
    labelled = data.labelled()
    assert [metres(labelled)[i.image.as_posix()] for i in labelled.items] == [1.0, 0.2, 3.9062]
    assert [i.image.name for i in data.unlabelled().items] == ["rgb_3.jpg"]
    assert data.items[0].source == "k"
    assert data.notes == ("1 third columns are focal lengths, which are not used",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.jpg a.png 0.1 0.2", "line 2: `image depth` and perhaps a scale are wanted"),
        ("a.jpg a.png -1", "line 2: a scale above 0, in metres of one unit, is wanted, '-1'"),
        ("a.jpg a.png nan", "line 2: a scale above 0, in metres of one unit, is wanted, 'nan'"),
        ("# scale x", "line 2: a scale above 0, in metres of one unit, is wanted, 'x'"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, says):
    (tmp_path / "list.txt").write_text(f"a.jpg a.png\n{line}\n")
    with pytest.raises(InputError, match=says):
        open_depth(tmp_path / "list.txt")


def test_folders_match_by_name_never_by_position(tmp_path):
    """One photo has no depth: by position all that follow would get their neighbour's."""
    for name in ("1", "2", "10"):
        photo(tmp_path / "rgb" / f"{name}.jpg")
    stored(tmp_path / "depth" / "2.png", 2000)
    stored(tmp_path / "depth" / "10.png", 10_000)
    data = open_depth(tmp_path)
    assert metres(data.labelled()) == {"rgb/10.jpg": 10.0, "rgb/2.jpg": 2.0}
    assert data.notes == ("1 images have no depth (first: rgb/1.jpg)",)


@pytest.mark.parametrize(
    ("rgb", "depth"),
    [
        ("images/a.jpg", "depths/a.png"),
        ("a.jpg", "a_depth.png"),
        ("a_rgb.jpg", "a_depth_mm.png"),
        ("a.jpg", "a.depth.png"),
        ("seq-01/frame-000000.color.png", "seq-01/frame-000000.depth.png"),
        ("kitchen/rgb_00045.jpg", "kitchen/sync_depth_00045.png"),
        ("color/x/a.png", "Depth/x/a.png"),
        ("x/image/a.png", "x/gt_depth/a.png"),
    ],
)
def test_names_that_go_together(tmp_path, rgb, depth):
    photo(tmp_path / rgb)
    stored(tmp_path / depth, 3000)
    assert metres(open_depth(tmp_path)) == {rgb: 3.0}


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    photo(tmp_path / "elsewhere" / "a.jpg")
    stored(tmp_path / "set" / "depth" / "a.png", 3000)
    (tmp_path / "set" / "rgb").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "depth" / "up").symlink_to(tmp_path / "set")
    assert metres(open_depth(tmp_path / "set")) == {"rgb/a.jpg": 3.0}


def test_npy_beside_a_photo(tmp_path):
    photo(tmp_path / "a.jpg")
    np.save(tmp_path / "a.npy", np.full((3, 4), 2.5, np.float32))
    data = open_depth(tmp_path)
    assert float(data.read_target(data.items[0]).max()) == 2.5


def test_predicted_depth_is_no_truth(tmp_path):
    for k in range(2):
        photo(tmp_path / "rgb" / f"{k}.jpg")
    stored(tmp_path / "depth" / "0.png", 2000)
    values = np.full((3, 4), 0.5, np.float32)
    values[0, 0] = np.nan
    for name in ("1.npy", "1_uncertainty.npy"):
        np.save(tmp_path / "depth" / name, values)
    (tmp_path / "depth" / "1.json").write_text('{"quantity": "disparity", "model_digest": "a"}')
    data = open_depth(tmp_path)
    assert (metres(data.labelled()), data.left_out) == ({"rgb/0.jpg": 2.0}, ())
    (tmp_path / "depth" / "1.json").write_text('{"exposure": 0.1}')  # a camera's own notes
    (tmp_path / "depth" / "1_uncertainty.npy").unlink()
    assert metres(open_depth(tmp_path)) == {"rgb/0.jpg": 2.0, "rgb/1.jpg": 0.5}


def test_folders_named_as_splits_are_splits(tmp_path):
    for split in ("train", "val", "test"):
        photo(tmp_path / split / "rgb" / "kitchen" / "a.jpg")
        stored(tmp_path / split / "depth" / "kitchen" / "a.png", 1000)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    photo(tmp_path / "runs" / "x" / "curve.png")  # a training's picture is none of the set
    (tmp_path / "cache").mkdir()
    np.save(tmp_path / "cache" / "depth-8x8-k.npy", np.zeros((2, 9), np.uint8))  # nor its arrays
    data = open_depth(tmp_path)
    assert data.left_out == ()
    assert sorted(data.splits().items()) == [("test", 1), ("train", 1), ("validation", 1)]
    assert {i.source for i in data.items} == {"train/kitchen", "val/kitchen", "test/kitchen"}


def test_names_that_are_there_twice_or_never_meet_are_refused(tmp_path):
    photo(tmp_path / "rgb" / "a.jpg")
    photo(tmp_path / "rgb" / "a.png")
    stored(tmp_path / "depth" / "a.png", 1)
    with pytest.raises(InputError, match=r"one photo named a is wanted, there are .*keep one"):
        open_depth(tmp_path)
    (tmp_path / "rgb" / "a.png").unlink()
    (tmp_path / "rgb" / "a.jpg").rename(tmp_path / "rgb" / "b.jpg")
    with pytest.raises(InputError, match=r"of the same names .* rgb/b\.jpg and depth/a\.png"):
        open_depth(tmp_path)


def test_photos_alone_have_no_depth(tmp_path):
    for name in ("x/10.jpg", "x/2.jpg"):
        photo(tmp_path / name)
    data = open_depth(tmp_path)
    assert [i.image.as_posix() for i in data.items] == ["x/2.jpg", "x/10.jpg"]
    assert len(data.unlabelled()) == 2
    (tmp_path / "some.txt").write_text("x/10.jpg\n")
    assert [i.image.name for i in open_depth(tmp_path / "some.txt").items] == ["10.jpg"]


def test_photos_in_an_archive(tmp_path):
    import tarfile

    path = photo(tmp_path / "a.jpg")
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(path, "in/a.jpg")
    data = open_depth(tmp_path / "photos.tar")
    assert [i.image.as_posix() for i in data.items] == ["photos.tar/in/a.jpg"]
    assert data.read_image(data.items[0]).shape == (12, 16, 3)


def test_anything_else_is_one_line_that_names_the_layouts(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(InputError) as caught:
        open_depth(tmp_path)
    message = str(caught.value)
    for word in ("depth.csv", "TUM", "KITTI", "SUN RGB-D", "NYUv2", "notes/, readme.md"):
        assert word in message
    assert "\n" not in message
    with pytest.raises(InputError, match="there is none"):
        open_depth(tmp_path / "gone")
    with pytest.raises(InputError, match=r"a file 'readme\.md' of another kind"):
        open_depth(tmp_path / "readme.md")
