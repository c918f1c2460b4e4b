"""The official 7-Scenes layout, written here from the shared poses and by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from sightline.datasets import seven_scenes
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle
from sightline.records import Place
from sightline.records.seven_scenes import write_pose_txt


def pose_of(sequence, frame):
    return Pose([1, 0.1 * sequence, 0.01 * frame, 0], [sequence, frame, 0.5])


@pytest.fixture
def scene(tmp_path):
    scene = tmp_path / "chess"
    for sequence in (1, 2, 3):
        folder = scene / f"seq-{sequence:02d}"
        folder.mkdir(parents=True)
        for frame in (0, 1, 10):
            Image.new("RGB", (8, 6), (sequence, frame, 0)).save(
                folder / f"frame-{frame:06d}.color.png"
            )
            write_pose_txt(folder / f"frame-{frame:06d}.pose.txt", pose_of(sequence, frame))
    (scene / "TrainSplit.txt").write_text("sequence3\r\nsequence1\r\n")
    (scene / "TestSplit.txt").write_text("sequence2\n\n")
    return scene


def test_the_official_split_and_each_image_with_its_own_pose(scene):
    frames = seven_scenes.read_scene(scene)
    assert [(f.image.split("/")[0], f.split) for f in frames[::3]] == [
        ("seq-03", "train"),
        ("seq-01", "train"),
        ("seq-02", "test"),
    ]
    assert frames[0].image == "seq-03/frame-000000.color.png"
    assert frames[2].timestamp_s == pytest.approx(10 / 30)
    # By time, sequences stay whole and apart: frames of two walks are never neighbours.
    assert frames[5].timestamp_s - frames[3].timestamp_s == pytest.approx(10 / 30)
    stamps = [f.timestamp_s for f in frames]
    assert stamps == sorted(stamps)
    assert min(stamps[3] - stamps[2], stamps[6] - stamps[5]) > 5
    for frame in frames:
        with Image.open(scene / frame.image) as picture:
            sequence, number, _ = picture.getpixel((0, 0))
        np.testing.assert_allclose(frame.world_from_cam.translation, [sequence, number, 0.5])
        expected = pose_of(sequence, number)
        assert rotation_angle(frame.world_from_cam.q_wxyz, expected.q_wxyz) < 5e-9


def test_a_place_on_disk(scene, tmp_path):
    seven_scenes.make_place(scene, tmp_path / "place")
    place = Place.open(tmp_path / "place")
    assert place.unit == "m"
    assert len(place.registered("train")) == 6
    assert [f.image for f in place.registered("test")] == [
        f"seq-02_frame-{n:06d}.color.png" for n in (0, 1, 10)
    ]
    for frame in place.registered():
        with Image.open(place.images_dir / frame.image) as picture:
            sequence, number, _ = picture.getpixel((0, 0))
        np.testing.assert_allclose(frame.world_from_cam.translation, [sequence, number, 0.5])


def test_a_frame_the_tracker_lost_has_no_pose(scene):
    (scene / "seq-02" / "frame-000001.pose.txt").write_text("nan nan nan nan\n" * 4)
    frames = {f.image: f for f in seven_scenes.read_scene(scene)}
    assert frames["seq-02/frame-000001.color.png"].world_from_cam is None
    assert frames["seq-02/frame-000010.color.png"].world_from_cam is not None


def change(scene, name, text):
    (scene / name).unlink()
    if text is not None:
        (scene / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("TestSplit.txt", None, r"TestSplit\.txt is wanted; is .* one scene of 7-Scenes"),
        ("TestSplit.txt", "\n", "names of sequences are wanted"),
        ("TestSplit.txt", "sequence2\nlast\n", "line 2: sequenceN is wanted, 'last' came"),
        ("TestSplit.txt", "sequence9\n", r"seq-09: frame-\*\.color\.png files are wanted"),
        ("TestSplit.txt", "sequence1\n", "seq-01 is in the training and in the test split"),
        ("seq-02/frame-000001.pose.txt", None, r"frame-000001\.pose\.txt is wanted"),
    ],
)
def test_an_incomplete_scene_is_named(scene, tmp_path, name, text, message):
    change(scene, name, text)
    with pytest.raises(InputError, match=message):
        seven_scenes.make_place(scene, tmp_path / "place")
    assert not (tmp_path / "place").exists()


@pytest.mark.shared
def test_the_real_kitchen_through_its_own_format(shared_data, tmp_path):
    """PITFALLS 2: 500 tracked poses, written as 7-Scenes stores them and read back."""
    content = json.loads(
        (shared_data / "video_7scenes_redkitchen_0_499" / "poses.json").read_text()
    )
    true = Pose(
        [f["qwxyz_c2w"] for f in content["frames"]], [f["center_xyz"] for f in content["frames"]]
    )
    folder = tmp_path / "redkitchen" / "seq-01"
    folder.mkdir(parents=True)
    for i in range(len(true)):
        (folder / f"frame-{i:06d}.color.png").touch()
        write_pose_txt(folder / f"frame-{i:06d}.pose.txt", true[i])
    frames = seven_scenes.read_sequence(tmp_path / "redkitchen", "seq-01")
    assert len(frames) == 500
    back = Pose.stack([f.world_from_cam for f in frames])
    np.testing.assert_allclose(back.translation, true.translation, atol=1e-9)
    assert rotation_angle(back.q_wxyz, true.q_wxyz).max() < 5e-9
