"""TUM RGB-D sequences."""

import numpy as np
import pytest
from PIL import Image

from sightline.datasets import tum_rgbd
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import Place
from sightline.records.tum import write_tum

START = 1305031102.0


@pytest.fixture
def sequence(tmp_path):
    """Four images at 10 Hz; ground truth at 100 Hz that ends before the last one."""
    folder = tmp_path / "fr1"
    (folder / "rgb").mkdir(parents=True)
    lines = ["# color images", "# timestamp filename"]
    for i in range(4):
        stamp = START + 0.1 * i + 0.003
        Image.new("RGB", (8, 6), (i, 0, 0)).save(folder / "rgb" / f"{stamp:.6f}.png")
        lines.append(f"{stamp:.6f} rgb/{stamp:.6f}.png")
    (folder / "rgb.txt").write_text("\r\n".join(lines) + "\r\n")
    time_s = 0.01 * np.arange(25)
    centres = np.stack([time_s, 0 * time_s, 0 * time_s + 1.5], axis=1)
    write_tum(
        folder / "groundtruth.txt", START + time_s, Pose(np.tile([1, 0, 0, 0], (25, 1)), centres)
    )
    return folder


def test_each_image_gets_the_nearest_true_pose_or_none(sequence):
    frames = tum_rgbd.read_sequence(sequence)
    assert frames[0].image == f"rgb/{START + 0.003:.6f}.png"
    assert [f.world_from_cam is not None for f in frames] == [True, True, True, False]
    for i, frame in enumerate(frames[:3]):
        assert frame.timestamp_s == pytest.approx(START + 0.1 * i + 0.003, abs=1e-6)
        np.testing.assert_allclose(frame.world_from_cam.translation, [0.1 * i, 0, 1.5], atol=1e-9)


def test_the_gap_is_the_callers(sequence):
    frames = tum_rgbd.read_sequence(sequence, max_gap_s=0.001)
    assert all(f.world_from_cam is None for f in frames)
    frames = tum_rgbd.read_sequence(sequence, max_gap_s=0.07)
    np.testing.assert_allclose(frames[3].world_from_cam.translation, [0.24, 0, 1.5], atol=1e-9)


def test_a_place_on_disk(sequence, tmp_path):
    tum_rgbd.make_place(sequence, tmp_path / "place", link=True)
    place = Place.open(tmp_path / "place")
    assert place.unit == "m"
    assert len(place.frames()) == 4
    assert len(place.registered()) == 3
    with Image.open(place.images_dir / place.frames()[2].image) as picture:
        assert picture.getpixel((0, 0)) == (2, 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rgb.txt", None, r"rgb\.txt is wanted; is its folder one TUM RGB-D sequence"),
        ("rgb.txt", "# nothing\n", "the file names none"),
        ("rgb.txt", "# one\n1305031102.0\n", "line 2: `timestamp file` is wanted"),
        ("rgb.txt", "now rgb/a.png\n", "line 1: `timestamp file` is wanted"),
        ("rgb.txt", "1305031102.0 rgb/absent.png\n", r"rgb/absent\.png is wanted"),
        ("groundtruth.txt", None, r"groundtruth\.txt is wanted"),
    ],
)
def test_an_incomplete_sequence_is_named(sequence, tmp_path, name, text, message):
    (sequence / name).unlink()
    if text is not None:
        (sequence / name).write_text(text)
    with pytest.raises(InputError, match=message):
        tum_rgbd.make_place(sequence, tmp_path / "place")
    assert not (tmp_path / "place").exists()


@pytest.mark.shared
def test_the_real_trajectory_with_its_gaps(shared_data, tmp_path):
    """Pictures at the times of a real SLAM run: each pose within 0.01 s of the motion capture's."""
    real = shared_data / "traj_tum_fr1xyz"
    times_s = np.loadtxt(real / "freiburg1_xyz-rgbdslam.txt")[::20, 0]
    folder = tmp_path / "fr1xyz"
    (folder / "rgb").mkdir(parents=True)
    # The last one lies an hour after the capture's end.
    names = [f"rgb/{t:.4f}.png" for t in (*times_s, times_s[-1] + 3600)]
    for name in names:
        (folder / name).touch()
    (folder / "rgb.txt").write_text("".join(f"{n[4:-4]} {n}\n" for n in names))
    (folder / "groundtruth.txt").symlink_to(real / "freiburg1_xyz-groundtruth.txt")
    frames = tum_rgbd.read_sequence(folder)
    assert frames[-1].world_from_cam is None
    truth = np.loadtxt(real / "freiburg1_xyz-groundtruth.txt")
    known = [f for f in frames if f.world_from_cam is not None]
    assert len(known) > 0.95 * len(times_s)
    for frame in known:
        row = truth[np.abs(truth[:, 0] - frame.timestamp_s).argmin()]
        assert abs(row[0] - frame.timestamp_s) <= 0.01
        np.testing.assert_allclose(frame.world_from_cam.translation, row[1:4], atol=1e-9)
        sign = np.sign(row[7]) or 1.0
        np.testing.assert_allclose(frame.world_from_cam.q_wxyz, sign * row[[7, 4, 5, 6]], atol=1e-4)
