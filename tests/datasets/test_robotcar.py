"""Oxford RobotCar, written here: an INS that drives known paths, pictures between its records."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets import robotcar
from sightline.errors import InputError
from sightline.records import Place

START = 1_400_000_000_000_000
INS = (
    "timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,"
    "velocity_north,velocity_east,velocity_down,roll,pitch,yaw"
)
NORTH, EAST, DOWN = 5_735_000.0, 620_000.0, -110.0


def put_ins(folder, times_s, states):
    """``states`` are (northing, easting, down, roll, pitch, yaw)."""
    lines = [INS]
    for t, (n, e, d, roll, pitch, yaw) in zip(times_s, states, strict=True):
        stamp = START + round(t * 1e6)
        lines.append(
            f"{stamp},INS_SOLUTION_GOOD,51.7,-1.2,110,{n},{e},{d},30U,0,0,0,{roll},{pitch},{yaw}"
        )
    (folder / "gps").mkdir(parents=True, exist_ok=True)
    (folder / "gps" / "ins.csv").write_text("\n".join(lines) + "\n")


def put_images(folder, times_s, name="centre_processed", size=(8, 6)):
    (folder / "stereo" / name).mkdir(parents=True, exist_ok=True)
    for t in times_s:
        stamp = START + round(t * 1e6)
        Image.new("RGB", size).save(folder / "stereo" / name / f"{stamp}.png")


@pytest.fixture
def sequence(tmp_path):
    """Northwards at 10 m/s, records every 0.2 s; at 1 s the car has turned to the east."""
    folder = tmp_path / "2014-06-26-08-53-56"
    times = [0.0, 0.2, 0.4, 1.4, 1.6]
    states = [(NORTH + 10 * t, EAST, DOWN, 0, 0, 0) for t in times[:3]]
    states += [(NORTH + 4, EAST + 10 * (t - 1), DOWN, 0, 0, np.pi / 2) for t in times[3:]]
    put_ins(folder, times, states)
    put_images(folder, [-0.1, 0.0, 0.05, 0.3, 0.9, 1.5, 1.7])
    return folder


def axes(frame):
    """What the camera calls right, down and forwards, as east, north, up."""
    return frame.world_from_cam.rotation_matrix.T.round(9) + 0.0


def test_pictures_get_poses_between_the_records(sequence, tmp_path):
    frames = robotcar.read_sequence(sequence, tmp_path / "extrinsics")
    assert frames[1].image == f"2014-06-26-08-53-56/stereo/centre_processed/{START}.png"
    assert frames[2].timestamp_s == pytest.approx(START / 1e6 + 0.05, abs=1e-6)
    # Before the first record, in a gap of a second, after the last one: no pose.
    assert [f.world_from_cam is not None for f in frames] == [
        False, True, True, True, False, True, False,
    ]  # fmt: skip
    for frame, north in ((frames[1], 0.0), (frames[2], 0.5), (frames[3], 3.0)):
        np.testing.assert_allclose(
            frame.world_from_cam.translation, [EAST, NORTH + north, 110], atol=1e-6
        )
        # A car that drives north: right is east, down is down, forwards is north.
        np.testing.assert_array_equal(axes(frame), [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_array_equal(axes(frames[5]), [[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    np.testing.assert_allclose(frames[5].world_from_cam.translation, [EAST + 5, NORTH + 4, 110])


def test_rotations_are_interpolated_on_the_great_circle(tmp_path):
    folder = tmp_path / "s"
    # Across the jump of yaw from pi to -pi, the short way: 170 to 190 degrees.
    states = [(0, 0, 0, 0, 0, np.deg2rad(170)), (0, 0, 0, 0, 0, np.deg2rad(-170))]
    put_ins(folder, [0.0, 0.4], states)
    put_images(folder, [0.1])
    (frame,) = robotcar.read_sequence(folder, tmp_path)
    forward = axes(frame)[2]
    np.testing.assert_allclose(forward[:2], [np.sin(np.deg2rad(175)), np.cos(np.deg2rad(175))])


def test_roll_pitch_yaw_in_the_order_of_the_data_set(tmp_path):
    """R = Rz(yaw) Ry(pitch) Rx(roll), written out."""
    roll, pitch, yaw = 0.3, -0.2, 0.7
    cr, sr, cp, sp, cy, sy = (
        *np.transpose([[np.cos(a), np.sin(a)] for a in (roll, pitch, yaw)]).T.ravel(),
    )
    rx = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    ry = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    rz = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    put_ins(tmp_path / "s", [0.0, 0.1], [(0, 0, 0, roll, pitch, yaw)] * 2)
    put_images(tmp_path / "s", [0.05])
    (frame,) = robotcar.read_sequence(tmp_path / "s", tmp_path)
    north, east, down = rz @ ry @ rx @ [1, 0, 0]
    np.testing.assert_allclose(axes(frame)[2], [east, north, -down], atol=1e-8)


def test_the_cameras_place_on_the_car(sequence, tmp_path):
    """The INS 2 m behind and 1 m below the camera, which is turned to the right by a quarter."""
    extrinsics = tmp_path / "extrinsics"
    extrinsics.mkdir()
    # stereo.txt: camera_from_car, ins.txt: car_from_ins.
    (extrinsics / "stereo.txt").write_text(f"0 0 0 0 0 {-np.pi / 2}\n")
    (extrinsics / "ins.txt").write_text("-2 0 1 0 0 0\n")
    frame = robotcar.read_sequence(sequence, extrinsics)[1]
    np.testing.assert_allclose(frame.world_from_cam.translation, [EAST, NORTH + 2, 111], atol=1e-6)
    np.testing.assert_allclose(axes(frame)[2], [1, 0, 0], atol=1e-9)
    (extrinsics / "ins.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"ins\.txt: six numbers .* 3 came"):
        robotcar.read_sequence(sequence, extrinsics)


def test_a_sequence_alone_is_a_place_without_a_split(sequence, tmp_path):
    robotcar.make_place(sequence, tmp_path / "place", link=True)
    place = Place.open(tmp_path / "place")
    assert (place.unit, {f.split for f in place.frames()}) == ("m", {""})
    assert place.content["origin"] == [EAST, NORTH, 110]
    np.testing.assert_allclose(
        place.registered()[1].world_from_cam.translation, [0, 0.5, 0], atol=1e-6
    )


def test_lists_and_the_papers_scenes_give_the_split(sequence, tmp_path):
    other = tmp_path / "other"
    put_ins(other, [0.0, 0.2], [(NORTH + 100, EAST, DOWN, 0, 0, 0)] * 2)
    put_images(other, [0.1])
    with pytest.raises(InputError, match=r"train_split\.txt and test_split\.txt .* loop or full"):
        robotcar.make_place(tmp_path, tmp_path / "place")
    (tmp_path / "train_split.txt").write_text(f"# MapNet's\n{sequence.name}\n")
    (tmp_path / "test_split.txt").write_text("other\n")
    place = robotcar.make_place(tmp_path, tmp_path / "place")
    assert [f.split for f in place.frames()] == ["train"] * 7 + ["test"]
    np.testing.assert_allclose(place.registered("test")[0].world_from_cam.translation, [0, 100, 0])
    (tmp_path / "test_split.txt").write_text(f"{sequence.name}\n")
    with pytest.raises(InputError, match="08-53-56 is in the training and in the test split"):
        robotcar.read_parts(tmp_path)
    for name in ("train_split.txt", "test_split.txt"):
        (tmp_path / name).unlink()
    for name in ("2014-06-26-09-24-58", "2014-06-23-15-36-04", "2014-06-23-15-41-25"):
        (tmp_path / name).mkdir()
    parts = robotcar.read_parts(tmp_path)
    assert parts["train"] == ["2014-06-26-08-53-56", "2014-06-26-09-24-58"]
    assert parts["test"] == ["2014-06-23-15-36-04", "2014-06-23-15-41-25"]


RED, GREEN, BLUE = 200, 120, 40


def put_raw(folder, name=f"{START}.png"):
    """A grey mosaic (rows G B, R G) of one colour."""
    put_ins(folder, [0.0, 0.2], [(0, 0, 0, 0, 0, 0)] * 2)
    mosaic = np.empty((24, 32), np.uint8)
    mosaic[0::2, 0::2] = mosaic[1::2, 1::2] = GREEN
    mosaic[0::2, 1::2], mosaic[1::2, 0::2] = BLUE, RED
    (folder / "stereo" / "centre").mkdir(parents=True, exist_ok=True)
    Image.fromarray(mosaic).save(folder / "stereo" / "centre" / name)


def test_raw_pictures_are_developed(tmp_path):
    folder = tmp_path / "s"
    put_raw(folder)
    place = robotcar.make_place(folder, tmp_path / "place")
    (frame,) = place.frames()
    assert frame.image == f"s_stereo_centre_{START}.jpg"
    with Image.open(place.images_dir / frame.image) as picture:
        colour = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(colour, [RED, GREEN, BLUE], atol=3)
    with pytest.raises(InputError, match="raw pictures cannot be linked"):
        robotcar.make_place(folder, tmp_path / "linked", link=True)


def test_each_sequence_is_raw_or_developed_by_itself(sequence, tmp_path):
    """The first one is developed, the second raw: its pictures would stay grey mosaics."""
    put_raw(tmp_path / "raw")
    (tmp_path / "train_split.txt").write_text(f"{sequence.name}\n")
    (tmp_path / "test_split.txt").write_text("raw\n")
    place = robotcar.make_place(tmp_path, tmp_path / "place")
    frames = place.frames()
    assert {Path(f.image).suffix for f in frames[:-1]} == {".png"}
    assert frames[-1].image == f"raw_stereo_centre_{START}.jpg"
    with Image.open(place.images_dir / frames[-1].image) as picture:
        assert picture.mode == "RGB"
    with pytest.raises(InputError, match=r"raw/stereo/centre/.*: raw pictures cannot be linked"):
        robotcar.make_place(tmp_path, tmp_path / "linked", link=True)


def test_a_raw_picture_that_is_cut_off_leaves_no_folder(tmp_path):
    put_raw(tmp_path / "s")
    put_raw(tmp_path / "s", f"{START + 100_000}.png")
    path = tmp_path / "s" / "stereo" / "centre" / f"{START + 100_000}.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=f"{START + 100_000}"):
        robotcar.make_place(tmp_path / "s", tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_odometry_stands_in_where_there_is_no_ins(tmp_path):
    """Two metres ahead, a quarter turn to the right, two metres ahead."""
    folder = tmp_path / "s"
    (folder / "vo").mkdir(parents=True)
    a, b, c, d = (START + 100_000 * i for i in range(4))
    rows = [f"{b},{a},2,0,0,0,0,0", f"{c},{b},0,0,0,0,0,{np.pi / 2}", f"{d},{c},2,0,0,0,0,0"]
    head = "source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw\n"
    (folder / "vo" / "vo.csv").write_text(head + "\n".join(rows) + "\n")
    put_images(folder, [0.0, 0.1, 0.2, 0.3])
    frames = robotcar.read_sequence(folder, tmp_path)
    centres = [f.world_from_cam.translation for f in frames]
    np.testing.assert_allclose(centres, [[0, 0, 0], [0, 2, 0], [0, 2, 0], [2, 2, 0]], atol=1e-9)
    np.testing.assert_allclose(axes(frames[3])[2], [1, 0, 0], atol=1e-9)
    (folder / "vo" / "vo.csv").write_text(head + rows[0] + "\n" + rows[2] + "\n")
    with pytest.raises(InputError, match=r"line 3: a motion from .* on is wanted"):
        robotcar.read_sequence(folder, tmp_path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, r"ins\.csv is wanted, or .*vo\.csv; there is neither"),
        (["timestamp,x"], "the columns timestamp,northing"),
        ([INS], "two records or more are wanted, there are 0"),
        ([INS, "1,G,0,0,0,a,0,0,30U,0,0,0,0,0,0"], "line 2: a number is wanted in northing"),
        ([INS, "1,G,0,0,0,,0,0,30U,0,0,0,0,0,0"], "line 2: .* northing, the cell is empty"),
        ([INS, *["2,G,0,0,0,1,0,0,30U,0,0,0,0,0,0"] * 2], "line 3: times that ascend"),
    ],
)
def test_a_broken_trajectory_is_named(sequence, tmp_path, lines, message):
    path = sequence / "gps" / "ins.csv"
    path.unlink()
    if lines is not None:
        path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=message):
        robotcar.make_place(sequence, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_a_sequence_without_pictures_or_poses_is_named(sequence, tmp_path):
    put_ins(sequence, [100.0, 100.1], [(0, 0, 0, 0, 0, 0)] * 2)
    with pytest.raises(InputError, match="no picture has a pose"):
        robotcar.make_place(sequence, tmp_path / "place")
    for path in (sequence / "stereo" / "centre_processed").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"centre/TIMESTAMP\.png files are wanted"):
        robotcar.make_place(sequence, tmp_path / "place")
