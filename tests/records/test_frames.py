"""``poses.csv``: round trips, spreadsheets, and errors that name the line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records import PosedFrame, read_poses_csv, stack_poses, write_poses_csv

HEADER = "image,timestamp_s,qw,qx,qy,qz,x,y,z,split"
GOOD = "0000.jpg,0.0,1,0,0,0,1.5,-2,3,train"


def frames(n=4):
    rng = np.random.default_rng(0)
    return [
        PosedFrame(
            f"{i:04d}.jpg",
            i / 29.97 if i % 2 else None,
            None if i == 2 else Pose(rng.normal(size=4), 100 * rng.normal(size=3)),
            ("train", "validation", "test", "")[i % 4],
        )
        for i in range(n)
    ]


def assert_same(a, b):
    assert [f.image for f in a] == [f.image for f in b]
    assert [f.split for f in a] == [f.split for f in b]
    for x, y in zip(a, b, strict=True):
        assert (x.timestamp_s is None) == (y.timestamp_s is None)
        assert x.timestamp_s is None or x.timestamp_s == pytest.approx(y.timestamp_s, abs=1e-6)
        assert (x.world_from_cam is None) == (y.world_from_cam is None)
        if x.world_from_cam is not None and y.world_from_cam is not None:
            assert rotation_angle(x.world_from_cam.q_wxyz, y.world_from_cam.q_wxyz) < 5e-9
            np.testing.assert_allclose(
                x.world_from_cam.translation, y.world_from_cam.translation, atol=6e-10
            )


def test_the_format_others_rely_on(tmp_path):
    half_turn = Pose([0, 0, -1, 0], [1.25, -2.5, 0])
    rows = [PosedFrame("a.jpg", 0.1, half_turn, "test"), PosedFrame("b.jpg", None, None)]
    write_poses_csv(tmp_path / "poses.csv", rows)
    assert (tmp_path / "poses.csv").read_bytes().decode() == (
        f"{HEADER}\n"
        "a.jpg,0.100000,0.000000000,0.000000000,1.000000000,0.000000000,"
        "1.250000000,-2.500000000,0.000000000,test\n"
        "b.jpg,,,,,,,,,\n"
    )


def test_round_trip(tmp_path):
    path = tmp_path / "poses.csv"
    write_poses_csv(path, frames(40))
    assert_same(read_poses_csv(path), frames(40))
    first = path.read_bytes()
    write_poses_csv(path, read_poses_csv(path))
    assert path.read_bytes() == first


def test_no_frames_round_trip(tmp_path):
    write_poses_csv(tmp_path / "poses.csv", [])
    assert read_poses_csv(tmp_path / "poses.csv") == []


@given(
    name=st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20),
    stamp=st.none() | st.floats(0, 1e9),
)
@settings(max_examples=50)
def test_any_name_survives(tmp_path_factory, name, stamp):
    if name.startswith("/") or ".." in name:
        return
    path = tmp_path_factory.mktemp("names") / "poses.csv"
    written = [PosedFrame(f'{name},"x".jpg', stamp, None)]
    write_poses_csv(path, written)
    assert_same(read_poses_csv(path), written)


def test_a_file_from_a_spreadsheet_reads_the_same(tmp_path):
    """Excel: byte-order mark, CRLF, spaces, empty rows at the end, exponents."""
    write_poses_csv(tmp_path / "plain.csv", frames())
    text = (tmp_path / "plain.csv").read_text()
    excel = text.replace("\n", "\r\n").replace(",train", " , train ") + ",,,,,,,,,\r\n\r\n"
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbf" + excel.encode())
    assert_same(read_poses_csv(tmp_path / "excel.csv"), frames())
    (tmp_path / "e.csv").write_text(f"{HEADER}\na.jpg,1E+00,1.0E0,0,0,0,-1E-09,2,3,\n")
    (frame,) = read_poses_csv(tmp_path / "e.csv")
    np.testing.assert_array_equal(frame.world_from_cam.translation, [-1e-9, 2, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file came"),
        ("image;timestamp_s;qw", "the columns image,timestamp_s"),
        (HEADER.replace("qw,qx,qy,qz", "qx,qy,qz,qw"), "qx,qy,qz,qw,x,y,z,split came"),
        (f"{HEADER}\n{GOOD}\n1.jpg,0,1,0", "line 3: 10 columns are wanted, 4 came"),
        (f"{HEADER}\n{GOOD}\n\n1.jpg,0,one,0,0,0,1,2,3,", "line 4: could not convert"),
        (f"{HEADER}\n1.jpg,0,1,0,0,0,,2,3,", "line 2: all seven numbers of a pose"),
        (f"{HEADER}\n1.jpg,0,0,0,0,0,1,2,3,", "line 2: finite, non-zero quaternions"),
        (f"{HEADER}\n1.jpg,0,1,0,0,0,nan,2,3,", "line 2: a finite translation"),
        (f"{HEADER}\n1.jpg,inf,1,0,0,0,1,2,3,", "line 2: a finite timestamp is wanted, inf came"),
        (f"{HEADER}\n1.jpg,soon,1,0,0,0,1,2,3,", "line 2: could not convert"),
        (f"{HEADER}\n1.jpg,0,1,0,0,0,1,2,3,trian", "line 2: a split of train, validation, test"),
        (f"{HEADER}\n,0,1,0,0,0,1,2,3,", "line 2: an image name inside images/"),
        (f"{HEADER}\n../../etc/passwd,0,,,,,,,,", "line 2: an image name inside images/"),
        (f"{HEADER}\n/etc/passwd,0,,,,,,,,", "line 2: an image name inside images/"),
        (f"{HEADER}\n{GOOD}\n{GOOD}", r"line 3: 0000.jpg is there twice \(first in line 2\)"),
        (f'{HEADER}\n"two\nlines.jpg",,,,,,,,,\n1.jpg,x,,,,,,,,', "line 4: could not convert"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, message):
    path = tmp_path / "poses.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_poses_csv(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_poses_csv(tmp_path / "poses.csv")
    (tmp_path / "poses.csv").write_bytes(HEADER.encode() + b"\nK\xfcche.jpg,,,,,,,,,\n")
    with pytest.raises(InputError, match="a CSV file in UTF-8 is wanted"):
        read_poses_csv(tmp_path / "poses.csv")


def test_stacking_wants_poses():
    some = frames()
    assert stack_poses([some[0], some[1]]).shape == (2,)
    with pytest.raises(InputError, match=r"0002\.jpg has none"):
        stack_poses(some)


def test_copies_change_one_thing():
    frame = frames()[1]
    assert frame.with_split("test").split == "test"
    assert frame.with_split("test").world_from_cam is frame.world_from_cam
    assert frame.with_pose(None).world_from_cam is None
    assert frame.with_pose(None).image == frame.image
