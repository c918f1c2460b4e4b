import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.app import alignment_files
from sightline.app.align import AlignConfig, align, align_by_gravity, attach_plan
from sightline.errors import GeometryError, InputError, MediaError, PlaceError, StorageError
from sightline.geometry import Pose, Similarity
from sightline.records import FloorPlan, Place, PosedFrame
from sightline.records.splits import assign_split

COUNT = 60
PX_FROM_WORLD = np.array([[20.0, 0.0, 60.0], [0.0, -20.0, 240.0]])
MAP_FROM_WORLD = Similarity(
    0.4, Pose.from_rotation(Rotation.from_euler("xyz", [1.0, -2.0, 0.5]), np.array([3.0, 1, -2]))
)


def true_poses() -> Pose:
    """Return a level walk of 60 frames along an L, 1.5 m above the floor."""
    along = np.linspace(0, 18, COUNT)
    xy = np.stack([np.minimum(along, 11.0), np.maximum(along - 11.0, 0.0)], axis=1)
    yaw = np.where(along < 11.0, 0.0, np.pi / 2)
    ahead = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    centres = np.column_stack([xy, np.full(COUNT, 1.5)])
    return Pose.from_rotation(Rotation.from_euler("z", yaw[:, None]) * ahead, centres)


def names() -> list[str]:
    return [f"{i:04d}.jpg" for i in range(COUNT)]


@pytest.fixture
def place(tmp_path):
    """A place whose poses are in a map frame of their own; frame 5 is not registered."""
    made = Place.create(tmp_path / "place", source="video.mp4")
    poses = MAP_FROM_WORLD.apply_pose(true_poses())
    frames = [PosedFrame(n, i / 10, poses[i]) for i, n in enumerate(names())]
    frames[5] = frames[5].with_pose(None)
    made.write_frames(assign_split(frames, "mod3"))
    return made


@pytest.fixture
def plan(tmp_path):
    """A plan folder: plan.png (360x280) and walkable.png, white along the walk."""
    folder = tmp_path / "plans"
    folder.mkdir()
    Image.new("RGB", (360, 280), (240, 240, 240)).save(folder / "ground floor.png")
    mask = np.zeros((280, 360), np.uint8)
    px = np.rint(true_poses().translation[:, :2] @ PX_FROM_WORLD[:, :2].T + PX_FROM_WORLD[:, 2])
    for u, v in px.astype(int):
        mask[v - 10 : v + 11, u - 10 : u + 11] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder / "ground floor.png"


def to_px(poses: Pose) -> np.ndarray:
    return poses.translation[:, :2] @ PX_FROM_WORLD[:, :2].T + PX_FROM_WORLD[:, 2]


def write_csv(path: Path, header: str, rows) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, r)) for r in rows)]) + "\n")
    return path


def control_in_metres(tmp_path: Path) -> Path:
    rows = [(names()[i], *true_poses().translation[i]) for i in (0, 20, 40, 59)]
    return write_csv(tmp_path / "control.csv", "frame,x,y,z", rows)


def control_in_pixels(tmp_path: Path) -> Path:
    rows = [(names()[i], *to_px(true_poses())[i]) for i in (0, 20, 40, 59)]
    return write_csv(tmp_path / "pixels.csv", "frame,plan_x,plan_y", rows)


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def registered(place: Place) -> Pose:
    return Pose.stack([f.world_from_cam for f in Place.open(place.root).registered()])


def true_registered() -> Pose:
    keep = np.arange(COUNT) != 5
    return true_poses()[keep]


def test_control_points_put_poses_into_metres(place, tmp_path):
    report = align(place, AlignConfig(control=control_in_metres(tmp_path)))
    again = Place.open(place.root)
    assert (again.unit, again.content["alignment"]["method"]) == ("m", "control")
    np.testing.assert_allclose(
        registered(place).translation, true_registered().translation, atol=1e-7
    )
    np.testing.assert_allclose(registered(place).q_wxyz, true_registered().q_wxyz, atol=1e-7)
    assert again.frames()[5].world_from_cam is None
    assert [f.split for f in again.frames()][:4] == ["train", "validation", "test", "train"]
    assert report.rms < 1e-7
    stored = again.content["alignment"]["residuals"]
    assert [r["label"] for r in stored] == [r.label for r in report.residuals]
    assert report.up_from == "control points"
    assert report.lines()[0] == "aligned by control; unit: m; up from control points"
    # The paper's tables follow the poses.
    row = (place.root / "train.csv").read_text().splitlines()[1].split(",")
    np.testing.assert_allclose([float(v) for v in row[:3]], true_poses().translation[0], atol=1e-7)
    assert not list(place.root.glob(".align*"))


def test_what_was_given_is_kept_and_replaced(place, tmp_path):
    control = control_in_metres(tmp_path)
    align(place, AlignConfig(control=control, camera_height_m=1.6))
    given = Place.open(place.root).content["alignment"]["given"]
    assert given == {"control": str(control.resolve()), "camera_height_m": 1.6}
    align(place, AlignConfig(distance=("0000.jpg", "0059.jpg", 3.0)))
    given = Place.open(place.root).content["alignment"]["given"]
    assert given == {"distance": ["0000.jpg", "0059.jpg", 3.0]}
    align(place)
    assert Place.open(place.root).content["alignment"]["given"] == {}


def test_a_plan_put_on_an_older_place_does_not_say_how_it_was_aligned(place, plan, tmp_path):
    align(place, AlignConfig(control=control_in_metres(tmp_path)))
    table = {k: v for k, v in place.content["alignment"].items() if k != "given"}
    place.update(alignment=table)
    attach_plan(place, plan, px_from_world=np.array([[20.0, 0.0, 10.0], [0.0, -20.0, 200.0]]))
    stored = Place.open(place.root).content["alignment"]
    assert stored["method"] == "control"
    assert "given" not in stored


def test_aligning_twice_is_aligning_once(place, tmp_path):
    config = AlignConfig(control=control_in_metres(tmp_path))
    first = align(place, config)
    before = content(place.root)
    second = align(place, config)
    np.testing.assert_allclose(second.world_from_map.scale, first.world_from_map.scale, rtol=1e-7)
    poses = registered(place).translation
    align(place, AlignConfig(distance=("0000.jpg", "0059.jpg", 3.0)))
    align(place, config)
    np.testing.assert_allclose(registered(place).translation, poses, atol=1e-6)
    assert set(content(place.root)) == set(before)


def test_points_that_do_not_fit_each_other_are_said_to(place, tmp_path):
    truth = true_poses().translation
    rows = [(names()[i], *truth[j, :2]) for i, j in ((0, 40), (20, 20), (59, 0))]
    report = align(place, AlignConfig(control=write_csv(tmp_path / "c.csv", "frame,x,y", rows)))
    assert any("do not fit each other" in line for line in report.lines())
    report = align(place, AlignConfig(control=control_in_metres(tmp_path)))
    assert not any("do not fit each other" in line for line in report.lines())


def test_gravity_levels_and_leaves_the_unit_open(place):
    report = align_by_gravity(place)
    assert (place.unit, report.method) == ("arbitrary", "gravity")
    poses = registered(place)
    assert np.ptp(poses.translation[:, 2]) < 1e-6
    np.testing.assert_allclose(poses.rotation_matrix[:, 2, 1], -1.0, atol=1e-6)  # y points down
    assert report.rms is None
    assert any("map's own unit" in line for line in report.lines())


def test_one_distance_gives_metres(place):
    length = float(np.linalg.norm(np.subtract(*true_poses().translation[[0, 59]])))
    report = align(place, AlignConfig(distance=("0000.jpg", "0059.jpg", length)))
    assert report.unit == "m"
    steps = np.linalg.norm(np.diff(registered(place).translation, axis=0), axis=1)
    truth = np.linalg.norm(np.diff(true_registered().translation, axis=0), axis=1)
    np.testing.assert_allclose(steps, truth, atol=1e-6)
    np.testing.assert_allclose(registered(place).translation[:, 2], 1.5, atol=1e-6)


def test_plan_pixels_attach_the_plan(place, plan, tmp_path):
    config = AlignConfig(
        control=control_in_pixels(tmp_path),
        plan=plan,
        walkable=plan.parent / "mask.png",
        plan_scale=20.0,
    )
    report = align(place, config)
    attached = Place.open(place.root).plan
    assert attached is not None
    assert (attached.width, attached.height, attached.image.name) == (360, 280, "plan.png")
    np.testing.assert_allclose(
        attached.to_px(registered(place).translation), to_px(true_registered()), atol=1e-5
    )
    assert attached.px_per_unit == pytest.approx(20.0)
    assert report.walkable_share == 1.0
    assert (
        attached.walkable_mask().sum()
        == (np.asarray(Image.open(plan.parent / "mask.png")) > 0).sum()
    )
    # Heading on the plan: along +x is to the right, then up the page.
    heading = attached.heading_deg(registered(place))
    np.testing.assert_allclose(heading[[0, -1]], [90.0, 0.0], atol=1e-4)
    # A second run without --plan goes on with the place's own.
    report = align(place, AlignConfig(control=config.control))
    assert report.unit == "m"
    np.testing.assert_allclose(
        Place.open(place.root).plan.to_px(registered(place).translation), to_px(true_registered()),
        atol=1e-5,
    )  # fmt: skip


def test_a_plan_toml_beside_the_plan_tells_metres(place, plan, tmp_path):
    FloorPlan(plan, plan.parent / "mask.png", 360, 280, PX_FROM_WORLD).write(
        plan.parent / "plan.toml"
    )
    report = align(place, AlignConfig(control=control_in_pixels(tmp_path), plan=plan))
    assert report.unit == "m"
    np.testing.assert_allclose(
        registered(place).translation[:, :2], true_registered().translation[:, :2], atol=1e-6
    )
    assert Place.open(place.root).plan.walkable.name == "walkable.png"
    with pytest.raises(InputError, match="one scale of the plan"):
        align(place, AlignConfig(control=control_in_pixels(tmp_path), plan=plan, plan_scale=30.0))


def test_a_drawn_path_aligns_to_the_plan(place, plan, tmp_path):
    corners = np.array([[0.0, 0.0], [11.0, 0.0], [11.0, 7.0]])
    px = corners @ PX_FROM_WORLD[:, :2].T + PX_FROM_WORLD[:, 2]
    path = write_csv(tmp_path / "path.csv", "plan_x,plan_y", px)
    config = AlignConfig(path=path, plan=plan, walkable=plan.parent / "mask.png", plan_scale=20.0)
    report = align(place, config)
    on_plan = Place.open(place.root).plan.to_px(registered(place).translation)
    assert np.linalg.norm(on_plan - to_px(true_registered()), axis=1).max() < 2.0  # 10 cm
    assert report.walkable_share == 1.0
    assert "100.0% of the cameras stand on walkable floor" in report.lines()


def test_the_plan_is_carried_along_when_the_world_changes(place, plan, tmp_path):
    align(place, AlignConfig(control=control_in_pixels(tmp_path), plan=plan, plan_scale=20.0))
    report = align_by_gravity(place)
    assert any("carried along" in note for note in report.notes)
    np.testing.assert_allclose(
        Place.open(place.root).plan.to_px(registered(place).translation), to_px(true_registered()),
        atol=1e-4,
    )  # fmt: skip


def test_a_plan_can_be_attached_later(place, plan, tmp_path):
    align(place, AlignConfig(control=control_in_metres(tmp_path)))
    before = (place.root / "poses.csv").read_bytes()
    with pytest.raises(InputError, match=r"no plan\.toml"):
        attach_plan(place, plan)
    attach_plan(place, plan, plan.parent / "mask.png", PX_FROM_WORLD)
    assert (place.root / "poses.csv").read_bytes() == before
    assert len(Place.open(place.root).content["alignment"]["residuals"]) == 4
    np.testing.assert_allclose(
        Place.open(place.root).plan.to_px(registered(place).translation), to_px(true_registered()),
        atol=1e-5,
    )  # fmt: skip
    FloorPlan(plan, None, 360, 280, PX_FROM_WORLD).write(plan.parent / "plan.toml")
    report = align(place, AlignConfig(plan=plan))
    assert report.method == "control"
    # A new control alignment in the same metres leaves the plan where it was.
    report = align(place, AlignConfig(control=control_in_metres(tmp_path)))
    np.testing.assert_allclose(Place.open(place.root).plan.px_from_world, PX_FROM_WORLD)


def failing(tmp_path: Path, plan: Path) -> list[tuple[AlignConfig, type[Exception], str]]:
    two = write_csv(tmp_path / "two.csv", "frame,x,y", [("0000.jpg", 0, 0), ("0001.jpg", 1, 0)])
    line = write_csv(
        tmp_path / "line.csv", "frame,x,y,z",
        [(names()[i], *true_poses().translation[i]) for i in (0, 10, 20)],
    )  # fmt: skip
    unregistered = write_csv(
        tmp_path / "un.csv", "frame,x,y", [(f"000{i}.jpg", i, i * i) for i in (4, 5, 6)]
    )
    small = plan.parent / "small.png"
    Image.new("L", (100, 80), 255).save(small)
    text = plan.parent / "text.png"
    text.write_text("not a picture")
    path = write_csv(tmp_path / "p.csv", "plan_x,plan_y", [(1, 1), (90, 1)])
    short = write_csv(tmp_path / "s.csv", "plan_x,plan_y", [(1, 1)])
    good = control_in_pixels(tmp_path)
    return [
        (AlignConfig(control=two), InputError, "3 or more control points are wanted, 2 came"),
        (AlignConfig(control=line), GeometryError, "one line"),
        (AlignConfig(control=unregistered), InputError, "'0005.jpg' came"),
        (AlignConfig(control=good, plan=plan, walkable=small), InputError, "360x280"),
        (AlignConfig(control=good, plan=text), MediaError, "text.png"),
        (AlignConfig(control=good, plan=plan.parent / "none.png"), MediaError, "none.png"),
        (AlignConfig(control=good), InputError, "--plan"),
        (AlignConfig(control=good, path=path), InputError, "both came"),
        (AlignConfig(path=path), InputError, "--plan"),
        (AlignConfig(path=short, plan=plan), InputError, "1 came"),
        (AlignConfig(plan=plan), InputError, "where the world lies on the plan"),
        (AlignConfig(distance=("0000.jpg", "0001.jpg", 1), plan=plan), InputError, "does not say"),
        (AlignConfig(distance=("0000.jpg", "x.jpg", 1)), InputError, "'x.jpg' came"),
        (AlignConfig(walkable=small), InputError, "--plan"),
        (AlignConfig(plan_scale=-1.0), InputError, "--plan-scale"),
    ]


@pytest.mark.parametrize("case", range(15))
def test_a_failed_alignment_leaves_every_byte(place, plan, tmp_path, case):
    align(place, AlignConfig(control=control_in_metres(tmp_path)))
    before = content(place.root)
    config, error, says = failing(tmp_path, plan)[case]
    with pytest.raises(error) as caught:
        align(place, config)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert content(place.root) == before
    assert not list(place.root.glob(".*tmp*"))


def test_a_plan_of_another_size_than_its_toml_loses_nothing(place, plan, tmp_path):
    FloorPlan(plan, None, 360, 280, PX_FROM_WORLD).write(plan.parent / "plan.toml")
    Image.new("RGB", (361, 280)).save(plan)
    before = content(place.root)
    with pytest.raises(InputError, match=r"360x280 is wanted .*361x280 came"):
        align(place, AlignConfig(control=control_in_pixels(tmp_path), plan=plan))
    assert content(place.root) == before


@pytest.mark.parametrize(
    "at", ["poses", "split tables", "picture", "move", "place.toml", "interrupt"]
)
def test_a_failure_while_writing_leaves_every_byte(place, plan, tmp_path, monkeypatch, at):
    metres = control_in_metres(tmp_path)
    align(place, AlignConfig(control=metres))
    attach_plan(place, plan, None, PX_FROM_WORLD)
    before = content(place.root)

    def full(*_args, **_kwargs):
        raise (KeyboardInterrupt if at == "interrupt" else OSError)("no room")

    if at == "poses":
        monkeypatch.setattr(alignment_files, "write_poses_csv", full)
    elif at == "split tables":
        monkeypatch.setattr(alignment_files, "write_split_tables", full)
    elif at == "picture":
        monkeypatch.setattr(alignment_files, "write_photo", full)
    elif at in ("place.toml", "interrupt"):
        monkeypatch.setattr(Place, "set_alignment", full)
    else:
        moved, replace = [], Path.replace

        def third_fails(self, target):
            if self.parent.name.startswith(".align") and len(moved) == 2:
                full()
            moved.append(target)
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", third_fails)
    config = AlignConfig(
        control=control_in_pixels(tmp_path), plan=plan, walkable=plan.parent / "mask.png",
        plan_scale=25.0,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt if at == "interrupt" else OSError, match="no room"):
        align(place, config)
    monkeypatch.undo()
    assert content(place.root) == before
    assert not list(place.root.glob(".align*"))


def test_a_full_disk_is_one_line(place, tmp_path, monkeypatch):
    before = content(place.root)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StorageError, match=r"it is full; .*nothing was changed"):
        align_by_gravity(place)
    assert content(place.root) == before


def test_a_place_without_registered_frames_says_so(tmp_path):
    empty = Place.create(tmp_path / "p", source="v.mp4")
    with pytest.raises(PlaceError, match=r"no poses\.csv"):
        align(empty)
    empty.write_frames([PosedFrame("0000.jpg", 0.0, None)])
    with pytest.raises(PlaceError, match="no registered frame"):
        align(empty)


def write_colmap_model(folder: Path, shift: float = 0.0) -> np.ndarray:
    """Write a text COLMAP model of the walk (in the map's frame) and return its 80 world points."""
    rng = np.random.default_rng(0)
    world = np.column_stack([rng.uniform(-2, 13, 80), rng.uniform(-2, 9, 80), np.zeros(80)])
    world[60:, 2] = rng.uniform(0, 2.5, 20)
    poses = MAP_FROM_WORLD.apply_pose(true_poses())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text("1 SIMPLE_PINHOLE 640 480 500 320 240\n")
    lines = []
    for i, name in enumerate(names()):
        if i != 5:
            inverse = poses[i].inverse()
            numbers = " ".join(repr(float(v)) for v in (*inverse.q_wxyz, *inverse.translation))
            lines += [f"{i + 1} {numbers} 1 {name}", ""]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    points = MAP_FROM_WORLD.apply(world) + shift
    (folder / "points3D.txt").write_text(
        "".join(
            f"{i + 10} {x!r} {y!r} {z!r} 1 2 3 0.5\n" for i, (x, y, z) in enumerate(points.tolist())
        )
    )
    return world


def test_the_colmap_model_is_the_source_and_points_follow(place, plan, tmp_path):
    world = write_colmap_model(place.model_dir)
    place.images_dir.mkdir()
    for name in names():  # blank pictures: no lines to tell up by
        Image.new("L", (640, 480), 128).save(place.images_dir / name)
    # What poses.csv says does not matter: the map is the source.
    place.write_frames([f.with_pose(None) for f in place.frames()])
    rows = [(i + 10, *world[i]) for i in (0, 7, 33, 70)]
    control = write_csv(tmp_path / "c.csv", "point_id,x,y,z", rows)
    align(place, AlignConfig(control=control))
    np.testing.assert_allclose(
        registered(place).translation, true_registered().translation, atol=1e-6
    )
    table = np.genfromtxt(place.root / "points.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["id"], np.arange(80) + 10)
    np.testing.assert_allclose(np.stack([table[c] for c in "xyz"], 1), world, atol=2e-6)
    before = content(place.root)
    align(place, AlignConfig(control=control))
    assert content(place.root) == before  # to the byte: the map's own frame is the source
    # The floor is seen in the points: z = 0 there, with no heights given.
    rows = [(names()[i], *true_poses().translation[i, :2]) for i in (0, 20, 59)]
    report = align(place, AlignConfig(control=write_csv(tmp_path / "d.csv", "frame,x,y", rows)))
    np.testing.assert_allclose(registered(place).translation[:, 2], 1.5, atol=0.02)
    assert any("floor is 1.50 m" in note for note in report.notes)


def test_a_map_made_anew_lets_go_of_the_old_plan(place, plan, tmp_path):
    write_colmap_model(place.model_dir)
    align(place, AlignConfig(control=control_in_pixels(tmp_path), plan=plan, plan_scale=20.0))
    write_colmap_model(place.model_dir, shift=1.0)
    report = align_by_gravity(place)
    assert Place.open(place.root).plan is None
    assert (place.root / alignment_files.OLD_PLAN).is_file()
    assert (place.root / "plan.png").is_file()
    assert any("no longer fits" in note for note in report.notes)


def test_progress_ends_at_one(place):
    seen = []
    align(place, progress=lambda stage, done: seen.append((stage, done)))
    shares = [done for _, done in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    json.dumps(place.content)
