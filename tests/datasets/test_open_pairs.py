"""Every layout through the one door, written here from one rig with known poses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.datasets import pair_lists, posed_json
from sightline.datasets.pairing import PairingConfig
from sightline.datasets.pairs import LAYOUTS, open_pairs
from sightline.errors import InputError
from sightline.geometry import Camera, Pose, Similarity
from sightline.records import (
    ImagePair,
    PairSet,
    Place,
    PosedFrame,
    write_pair_set,
)
from sightline.records.pairs import write_pairs_csv

COUNT = 8
CAMERA = Camera("PINHOLE", 100, 80, (90.0, 91.0, 49.0, 40.0))
POINTS = np.random.default_rng(2).uniform(-1.2, 1.2, (200, 3))
TURN = Rotation.from_euler("y", 20.0 * np.arange(COUNT)[:, None], degrees=True)
POSES = Pose.from_rotation(TURN, -5.0 * TURN.as_matrix()[:, :, 2])


def names():
    return [f"{n}.png" for n in range(COUNT)]


def write_images(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        Image.new("RGB", (CAMERA.width, CAMERA.height)).save(folder / name)


def seen():
    """Which points each camera sees: in the image, and only every other one for odd cameras."""
    result = []
    for n in range(COUNT):
        xy = CAMERA.project(POSES[n].inverse().apply(POINTS))
        inside = (xy > -0.5).all(1) & (xy[:, 0] < 99.5) & (xy[:, 1] < 79.5)
        result.append((xy, np.flatnonzero(inside)[:: 1 + n % 2]))
    return result


def write_colmap(folder):
    """A COLMAP model in text: cam_from_world, and pixels half a pixel on."""
    folder.mkdir(parents=True)
    fx, fy, cx, cy = CAMERA.params
    (folder / "cameras.txt").write_text(f"1 PINHOLE 100 80 {fx} {fy} {cx + 0.5} {cy + 0.5}\n")
    tracks = {k: [] for k in range(len(POINTS))}
    lines = []
    for n, (xy, ids) in enumerate(seen()):
        cam_from_world = POSES[n].inverse()
        numbers = [*cam_from_world.q_wxyz, *cam_from_world.translation]
        lines.append(f"{n + 1} {' '.join(f'{v:.15g}' for v in numbers)} 1 {n}.png")
        lines.append(" ".join(f"{xy[k, 0] + 0.5} {xy[k, 1] + 0.5} {k + 1}" for k in ids))
        for place, k in enumerate(ids):
            tracks[k].append(f"{n + 1} {place}")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "points3D.txt").write_text(
        "".join(
            f"{k + 1} {POINTS[k, 0]} {POINTS[k, 1]} {POINTS[k, 2]} 0 0 0 0.1 {' '.join(track)}\n"
            for k, track in tracks.items()
            if len(track) >= 2
        )
    )


def poses_json(**extra):
    frames = [
        {
            "file": f"images/{n}.png",
            "qwxyz_c2w": POSES[n].q_wxyz.tolist(),
            "center_xyz": POSES[n].translation.tolist(),
        }
        for n in range(COUNT)
    ]
    fx, fy, cx, cy = CAMERA.params
    intrinsics = {"width": 100, "height": 80, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
    return {"convention": "camera-to-world, metres", "intrinsics": intrinsics, "frames": frames} | (
        extra
    )


def true_pair(i, j):
    return POSES[j].inverse() @ POSES[i]


def check(pairs, scale=1.0):
    """Every pair's pose is the rig's, and its camera the rig's."""
    assert len(pairs) > 0
    for pair in pairs.pairs:
        true = true_pair(int(pair.image_a.stem), int(pair.image_b.stem))
        np.testing.assert_allclose(pair.b_from_a.rotation_matrix, true.rotation_matrix, atol=1e-7)
        np.testing.assert_allclose(pair.b_from_a.translation, scale * true.translation, atol=1e-6)
        for camera in (pair.camera_a, pair.camera_b):
            np.testing.assert_allclose(camera.params, CAMERA.params)
        for image in (pair.image_a, pair.image_b):
            assert pairs.path(image).is_file()


def test_poses_json(tmp_path):
    write_images(tmp_path / "images")
    (tmp_path / "poses.json").write_text(json.dumps(poses_json()))
    pairs = open_pairs(tmp_path)
    check(pairs)
    assert (pairs.name, pairs.unit, pairs.root) == (tmp_path.name, "m", tmp_path)
    assert len(open_pairs(tmp_path / "poses.json")) == len(pairs)


@pytest.mark.parametrize(
    ("extra", "unit", "scale"),
    [
        ({"convention": "millimetres"}, "m", 1e-3),
        ({"convention": "arbitrary scale"}, "arbitrary", 1.0),
        ({"convention": "metres", "unit": "mm"}, "m", 1e-3),
        ({"convention": "metres", "unit": "arbitrary"}, "arbitrary", 1.0),
        ({"convention": "in meters"}, "m", 1.0),
    ],
)
def test_units_of_poses_json(tmp_path, extra, unit, scale):
    write_images(tmp_path / "images")
    (tmp_path / "poses.json").write_text(json.dumps(poses_json(**extra)))
    pairs = open_pairs(tmp_path)
    assert pairs.unit == unit
    check(pairs, scale)


def test_intrinsics_and_distortion_of_one_frame_come_first(tmp_path):
    write_images(tmp_path / "images")
    content = poses_json()
    content["frames"][0] |= {"fx": 70.0, "k1": 0.1, "p2": -0.01}
    (tmp_path / "poses.json").write_text(json.dumps(content))
    views, _ = posed_json.read_poses_json(tmp_path / "poses.json")
    assert views[0].camera == Camera(
        "OPENCV", 100, 80, (70.0, 91.0, 49.0, 40.0, 0.1, 0.0, 0.0, -0.01)
    )
    assert views[1].camera == CAMERA


def test_poses_without_intrinsics_are_paired_one_after_the_other(tmp_path):
    write_images(tmp_path / "images")
    (tmp_path / "poses.json").write_text(json.dumps(poses_json(intrinsics=None)))
    pairs = open_pairs(tmp_path, pairing=PairingConfig("consecutive"))
    assert len(pairs) == COUNT - 1
    assert pairs.pairs[0].camera_a is None


@pytest.mark.parametrize("layout", ["beside", "sparse/0", "images in the folder above"])
def test_a_colmap_model_and_its_images(tmp_path, layout):
    model = tmp_path / {"beside": "m", "sparse/0": "sparse/0"}.get(layout, "m")
    write_colmap(model)
    write_images(model / "images" if layout == "beside" else tmp_path / "images")
    pairs = open_pairs(model)
    check(pairs)
    assert "sharing 10% of their 3D points" in pairs.source
    told = {(int(p.image_a.stem), int(p.image_b.stem)): p.overlap for p in pairs.pairs}
    # Only points in two images or more are in the model.
    sets = [set(ids.tolist()) for _, ids in seen()]
    often = {k for k in range(len(POINTS)) if sum(k in s for s in sets) >= 2}
    sets = [s & often for s in sets]
    for i in range(COUNT):
        for j in range(i + 1, COUNT):
            share = len(sets[i] & sets[j]) / max(len(sets[i]), len(sets[j]))
            assert ((i, j) in told) == (share >= 0.1)
            if (i, j) in told:
                assert told[i, j] == pytest.approx(share)


def test_a_colmap_model_whose_images_lie_elsewhere(tmp_path):
    write_colmap(tmp_path / "a" / "b" / "c" / "d" / "model")
    write_images(tmp_path / "pictures")
    model = tmp_path / "a" / "b" / "c" / "d" / "model"
    with pytest.raises(InputError, match=r"0\.png is in none of .*; give their folder"):
        open_pairs(model)
    check(open_pairs(model, images=tmp_path / "pictures"))
    (tmp_path / "pictures" / "5.png").unlink()
    with pytest.raises(InputError, match=r"5\.png is wanted \(1 of 8 images are missing\)"):
        open_pairs(model, images=tmp_path / "pictures")


def make_place(root, split, *, model=True, times=True):
    place = Place.create(root, source="test")
    write_images(place.images_dir)
    if model:
        write_colmap(place.model_dir)
    place.write_frames(
        [
            PosedFrame(f"{n}.png", 0.1 * n if times else None, POSES[n], split[n])
            for n in range(COUNT)
        ]
    )
    place.update(unit="m")
    return place


def test_a_place_pairs_by_its_points_inside_each_split(tmp_path):
    """PITFALLS 11: never across a split; the guard between splits belongs to none."""
    split = ["train"] * 4 + [""] + ["test"] * 3
    make_place(tmp_path / "hall", split)
    pairs = open_pairs(tmp_path / "hall")
    check(pairs)
    assert (pairs.name, pairs.unit) == ("hall", "m")
    assert set(pairs.splits()) == {"train", "test"}
    for pair in pairs.pairs:
        ends = [split[int(image.stem)] for image in (pair.image_a, pair.image_b)]
        assert ends == [pair.split, pair.split]
    assert "4" not in {p.image_a.stem for p in pairs.pairs}


def test_a_place_takes_its_poses_from_its_own_world(tmp_path):
    """poses.csv is aligned, the COLMAP model in its folder is not."""
    place = make_place(tmp_path / "hall", [""] * COUNT)
    moved = Similarity(2.0, Pose([1, 0.2, 0.3, 0.1], [5.0, 6, 7]))
    place.write_frames(
        [
            PosedFrame(
                f"{n}.png",
                None,
                Pose(
                    (moved.pose @ POSES[n]).q_wxyz,
                    moved.apply(POSES[n].translation[None])[0],
                ),
            )
            for n in range(COUNT)
        ]
    )
    check(open_pairs(place.root), scale=2.0)


def test_a_place_without_a_reconstruction_pairs_by_frusta_and_claims_no_camera(tmp_path):
    make_place(tmp_path / "hall", [""] * COUNT, model=False)
    pairs = open_pairs(tmp_path / "hall")
    assert "views that meet" in pairs.source
    assert all(p.camera_a is None for p in pairs.pairs)
    assert all(p.overlap > 0 for p in pairs.pairs)


def test_a_place_takes_its_camera_from_its_table(tmp_path):
    place = make_place(tmp_path / "hall", [""] * COUNT, model=False)
    place.update(
        camera={"model": "PINHOLE", "width": 100, "height": 80, "params": list(CAMERA.params)}
    )
    check(open_pairs(tmp_path / "hall"))
    place.update(camera={"model": "PINHOLE", "width": 100, "params": [1.0]})
    with pytest.raises(InputError, match=r"place\.toml: \[camera\] with model, width"):
        open_pairs(tmp_path / "hall")


def write_matrices(path, suffix_rows):
    path.write_text("".join(f"{row}\n" for row in suffix_rows))


def list_row(i, j, prefix="", rot=0):
    k = " ".join(f"{v:.12g}" for v in CAMERA.matrix.ravel())
    t = " ".join(f"{v:.12g}" for v in true_pair(i, j).matrix.ravel())
    return f"{prefix}{i}.png {prefix}{j}.png {rot} 0 {k} {k} {t}"


@pytest.mark.parametrize("where", ["beside", "images/", "given"])
def test_a_text_list_as_superglue_writes_it(tmp_path, where):
    images = {"beside": tmp_path, "images/": tmp_path / "images"}.get(where, tmp_path / "far")
    write_images(images)
    path = tmp_path / "lists" / "pairs_with_gt.txt" if where == "given" else tmp_path / "p.txt"
    path.parent.mkdir(exist_ok=True)
    write_matrices(path, [list_row(0, 1), "", list_row(4, 2, rot=1)])
    pairs = open_pairs(path, images=images if where == "given" else None)
    check(pairs)
    assert [(p.image_a.stem, p.image_b.stem) for p in pairs.pairs] == [("0", "1"), ("4", "2")]


def test_scenes_of_a_text_list(tmp_path):
    write_images(tmp_path / "scene0711_00" / "color")
    write_images(tmp_path / "church")
    rows = [list_row(0, 1, "scene0711_00/color/"), list_row(0, 1, "church/")]
    write_matrices(tmp_path / "p.txt", rows)
    pairs = pair_lists.read_pair_list(tmp_path / "p.txt")
    assert [p.scene for p in pairs] == ["scene0711_00", "church"]


def test_pairs_json(tmp_path):
    write_images(tmp_path / "images")
    rows = [
        {
            "image0": f"images/{i}.png",
            "image1": f"images/{j}.png",
            "K0": CAMERA.matrix.tolist(),
            "K1": CAMERA.matrix.tolist(),
            "T_0to1": true_pair(i, j).matrix.tolist(),
        }
        for i, j in ((0, 1), (5, 2))
    ]
    (tmp_path / "pairs.json").write_text(json.dumps({"convention": "metres", "pairs": rows}))
    pairs = open_pairs(tmp_path)
    check(pairs)
    assert pairs.unit == "m"


def test_a_pair_set_and_a_csv_list(tmp_path):
    write_images(tmp_path / "images")
    rows = tuple(
        ImagePair(Path(f"images/{i}.png"), Path(f"images/{j}.png"), true_pair(i, j), CAMERA, CAMERA)
        for i, j in ((0, 1), (2, 5))
    )
    write_pair_set(PairSet("two", tmp_path, rows, "m", "test"))
    check(open_pairs(tmp_path))
    assert (open_pairs(tmp_path).name, open_pairs(tmp_path).unit) == ("two", "m")
    write_pairs_csv(tmp_path / "mine.csv", rows)
    check(open_pairs(tmp_path / "mine.csv"))
    assert open_pairs(tmp_path / "mine.csv").name == "mine"


def test_fewer_pairs_are_drawn_the_same_each_time(tmp_path):
    write_images(tmp_path / "images")
    (tmp_path / "poses.json").write_text(json.dumps(poses_json()))
    every = PairingConfig("all")
    whole = open_pairs(tmp_path, pairing=every)
    ends = [(p.image_a, p.image_b) for p in whole.pairs]

    def drawn(count, seed=0):
        part = open_pairs(tmp_path, pairing=every, max_pairs=count, seed=seed)
        return [(p.image_a, p.image_b) for p in part.pairs]

    assert len(ends) == 28
    assert drawn(28) == drawn(99) == ends
    assert len(set(drawn(10))) == 10
    assert drawn(10) == sorted(drawn(10), key=ends.index) == drawn(10)
    assert drawn(10) != drawn(10, seed=1)
    with pytest.raises(InputError, match="max_pairs of 1 or more"):
        open_pairs(tmp_path, max_pairs=0)


def test_what_was_made_for_pairs_comes_first(tmp_path):
    place = make_place(tmp_path / "hall", [""] * COUNT)
    rows = (ImagePair(Path("images/0.png"), Path("images/1.png")),)
    write_pairs_csv(place.root / "pairs.csv", rows)
    assert len(open_pairs(place.root)) == 1


def test_an_unknown_layout_lists_the_known_and_the_found(tmp_path):
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError) as caught:
        open_pairs(tmp_path)
    message = str(caught.value)
    assert all(layout.name in message for layout in LAYOUTS)
    assert message.endswith("There is photo.jpg, sub/")
    with pytest.raises(InputError, match=r"a file 'photo\.jpg' of another kind"):
        open_pairs(tmp_path / "photo.jpg")
    with pytest.raises(InputError, match="There is nothing in it"):
        open_pairs(tmp_path / "sub")
    with pytest.raises(InputError, match="there is none"):
        open_pairs(tmp_path / "absent")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="of another kind"):
        open_pairs(tmp_path / "binary.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["frames"][2].pop("file"), "frame 2: 'file' is missing"),
        (lambda c: c["frames"][2].update(file="images/x.png"), r"frame 2: .*x\.png is wanted"),
        (lambda c: c["frames"][2].update(qwxyz_c2w=[0, 0, 0, 0]), "frame 2: finite, non-zero"),
        (lambda c: c["frames"][2].update(center_xyz=["a", 0, 0]), "frame 2: could not convert"),
        (lambda c: c["intrinsics"].pop("fy"), "frame 0: 'fy' is missing"),
        (lambda c: c.update(unit="feet"), "unit of m, mm, arbitrary is wanted, 'feet' came"),
        (lambda c: c.update(frames=[]), "the list is empty"),
        (lambda c: c.pop("frames"), "a list 'frames' is wanted"),
    ],
)
def test_a_broken_poses_json_is_named(tmp_path, change, message):
    write_images(tmp_path / "images")
    content = poses_json()
    change(content)
    (tmp_path / "poses.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        open_pairs(tmp_path)


def test_json_that_is_none(tmp_path):
    (tmp_path / "poses.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        open_pairs(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (list_row(0, 1) + " 5", "line 2: 38 columns .* are wanted, 39 came"),
        (list_row(0, 1).replace("1.png", "x.png"), r"line 2: .*x\.png is wanted"),
        (list_row(0, 1).replace(" 90 ", " nan ", 1), "line 2: finite numbers are wanted"),
        (list_row(0, 1).replace(" 90 ", " abc ", 1), "line 2: could not convert"),
        (list_row(0, 1).replace(" 90 0 ", " 90 7 ", 1), "line 2: .* skew of 7"),
        (list_row(0, 1)[:-1] + "2", "line 2: a last row of 0 0 0 1 is wanted"),
    ],
)
def test_a_broken_list_is_named(tmp_path, row, message):
    write_images(tmp_path)
    write_matrices(tmp_path / "p.txt", [list_row(2, 3), row])
    with pytest.raises(InputError, match=message):
        open_pairs(tmp_path / "p.txt")
