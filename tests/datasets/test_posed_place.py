"""Places out of ``poses.json``: images, and a video's frames."""

import json

import numpy as np
import pytest
from PIL import Image

from sightline.datasets import posed_place
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.media import write_video
from sightline.records import stack_poses
from sightline.records.cameras import place_cameras
from sightline.records.splits import assign_split


def entry(number, **more):
    return {"qwxyz_c2w": [1, 0, 0.1 * number, 0], "center_xyz": [number, 2, 3], **more}


def write(folder, frames, **more):
    folder.mkdir(exist_ok=True)
    (folder / "poses.json").write_text(json.dumps({"frames": frames, "unit": "m", **more}))
    return folder


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (8, 6), (i, 0, 0)).save(folder / "images" / f"{i}.png")
    parts = ["train", "train", "test"]
    frames = [entry(i, file=f"images/{i}.png", split=parts[i]) for i in range(3)]
    frames[2] |= {"fx": 9.0, "fy": 9.0, "cx": 3.0, "cy": 2.0}
    return write(folder, frames, intrinsics={"fx": 10.0, "fy": 11.0, "cx": 3.5, "cy": 2.5})


@pytest.fixture
def clip(tmp_path):
    """Six frames, each of its own grey; poses of the frames 0, 2 and 5."""
    folder = tmp_path / "clip"
    frames = [entry(i, frame=i) for i in (5, 0, 2)]
    given = {"fx": 60, "fy": 60, "cx": 31.5, "cy": 23.5, "width": 64, "height": 48}
    write(folder, frames, intrinsics=given)
    pictures = (np.full((48, 64, 3), 40 * i, np.uint8) for i in range(6))
    write_video(folder / "video.mp4", pictures, fps=10)
    return folder


def test_images_with_their_parts_and_cameras(images, tmp_path):
    place = posed_place.make_place(images, tmp_path / "place")
    frames = place.frames()
    assert [(f.image, f.split) for f in frames] == [
        ("0.png", "train"), ("1.png", "train"), ("2.png", "test"),
    ]  # fmt: skip
    assert place.unit == "m"
    np.testing.assert_allclose(stack_poses(frames).translation, [[i, 2, 3] for i in range(3)])
    cameras = place_cameras(place, ["1.png", "2.png"])
    assert cameras["1.png"].params == (10.0, 11.0, 3.5, 2.5)
    assert cameras["2.png"].params == (9.0, 9.0, 3.0, 2.0)


def put(folder, number, size, orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(folder / "images" / f"{number}.png", exif=exif)


def test_intrinsics_of_larger_pictures_are_brought_to_the_images(images, tmp_path):
    """Sizes in the file are of the pictures that were calibrated; the images may be smaller."""
    put(images, 1, (4, 3))
    put(images, 2, (8, 6), orientation=6)
    given = {"fx": 10.0, "fy": 11.0, "cx": 3.5, "cy": 2.5, "width": 8, "height": 6}
    write(images, [entry(i, file=f"images/{i}.png") for i in range(3)], intrinsics=given)
    place = posed_place.make_place(images, tmp_path / "place")
    cameras = place_cameras(place, [f.image for f in place.frames()])
    sizes = [(cameras[f"{i}.png"].width, cameras[f"{i}.png"].height) for i in range(3)]
    assert sizes == [(8, 6), (4, 3), (6, 8)]
    assert cameras["1.png"].params == (5.0, 5.5, 1.5, 1.0)
    # Stored on its side: the camera turns, and so does its pose; what was right is down.
    assert cameras["2.png"].params == (11.0, 10.0, 2.5, 3.5)
    stored = Pose([1, 0, 0.2, 0], [2, 2, 3]).rotation_matrix
    turned = place.frames()[2].world_from_cam
    np.testing.assert_allclose(turned.rotation_matrix[:, 1], stored[:, 0], atol=1e-8)
    np.testing.assert_allclose(turned.translation, [2, 2, 3])


def test_intrinsics_of_another_shape_are_named(images, clip, tmp_path):
    put(images, 1, (60, 60))
    given = {"fx": 10.0, "fy": 11.0, "cx": 3.5, "cy": 2.5, "width": 800, "height": 600}
    write(images, [entry(i, file=f"images/{i}.png") for i in range(3)], intrinsics=given)
    with pytest.raises(InputError, match=r"frame 1: .*1\.png: .* 60x60 pixels, .* of 800x600"):
        posed_place.make_place(images, tmp_path / "place")
    write(clip, [entry(0, frame=0), entry(2, frame=2, **(given | {"height": 800}))])
    with pytest.raises(InputError, match=r"frame 2 of the video: .* 64x48 pixels, .* of 800x800"):
        posed_place.make_place(clip, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_intrinsics_of_a_videos_frames(clip, tmp_path):
    """In each frame, for all, of a larger picture, or without a size; as of images."""
    given = {"fx": 60, "fy": 60, "cx": 31.5, "cy": 23.5}
    large = {"fx": 120, "fy": 122, "cx": 63.5, "cy": 47.5, "width": 128, "height": 96}
    write(clip, [entry(0, frame=0), entry(2, frame=2, **large)], intrinsics=given)
    place = posed_place.make_place(clip, tmp_path / "place")
    cameras = place_cameras(place, [f.image for f in place.frames()])
    assert cameras["000000.jpg"].params == (60.0, 60.0, 31.5, 23.5)
    assert cameras["000002.jpg"].params == (60.0, 61.0, 31.5, 23.5)
    assert {(c.width, c.height) for c in cameras.values()} == {(64, 48)}


def test_a_video_gives_the_frames_that_have_poses(clip, tmp_path):
    calls = []
    for _ in range(2):  # the second time the frames are there
        place = posed_place.make_place(
            clip, tmp_path / "place", progress=lambda _text, done: calls.append(done)
        )
    assert len(calls) == 3
    frames = place.frames()
    assert [f.image for f in frames] == ["000000.jpg", "000002.jpg", "000005.jpg"]
    assert [f.timestamp_s for f in frames] == pytest.approx([0.0, 0.2, 0.5], abs=1e-6)
    np.testing.assert_allclose(stack_poses(frames).translation[:, 0], [0, 2, 5])
    for frame, grey in zip(frames, (0, 80, 200), strict=True):
        with Image.open(place.images_dir / frame.image) as picture:
            assert np.asarray(picture).mean() == pytest.approx(grey, abs=4)
    assert place.content["camera"]["params"] == [60.0, 60.0, 31.5, 23.5]


def test_what_does_not_fit_is_named(clip, images, tmp_path):
    root = tmp_path / "place"
    with pytest.raises(InputError, match="cannot be linked"):
        posed_place.make_place(clip, root, link=True)
    write(clip, [entry(0, frame=0), entry(9, frame=9)])
    with pytest.raises(
        InputError, match=r"frame 9 is wanted by its poses \(1 are missing\), .* 6 f"
    ):
        posed_place.make_place(clip, tmp_path / "short")
    assert not (tmp_path / "short").exists()
    write(clip, [entry(0, frame=0), entry(0, frame=0)])
    with pytest.raises(InputError, match="frame 1: a frame of its own is wanted"):
        posed_place.make_place(clip, root)
    (clip / "video.mp4").rename(clip / "video.dat")
    write(clip, [entry(0, frame=0)])
    with pytest.raises(InputError, match=r"one video is wanted beside poses\.json"):
        posed_place.make_place(clip, root)
    write(images, [entry(0, file="images/0.png", split="practice")])
    with pytest.raises(InputError, match="frame 0: a split of train, validation, test"):
        posed_place.make_place(images, root)
    assert not root.exists()


@pytest.mark.shared
def test_the_kitchen_clip_has_its_own_poses(shared_data, tmp_path):
    """Every tenth frame of the clip is a still elsewhere, with a pose that must be the same."""
    place = posed_place.make_place(
        shared_data / "video_7scenes_redkitchen_0_499", tmp_path / "kitchen"
    )
    frames = place.frames()
    assert (len(frames), place.unit) == (500, "m")
    assert frames[30].timestamp_s == pytest.approx(1.0, abs=1e-3)
    stills = shared_data / "pose_7scenes_redkitchen"
    known = json.loads((stills / "poses.json").read_text())["frames"]
    poses = stack_poses(frames[::10])
    np.testing.assert_allclose(poses.translation, [f["center_xyz"] for f in known], atol=1e-6)
    for number in (0, 24, 49):
        still, neighbour = (_small(stills / known[k]["file"]) for k in (number, number - 1))
        frame = _small(place.images_dir / frames[10 * number].image)
        assert np.abs(frame - still).mean() < 4
        assert np.abs(frame - still).mean() < 0.3 * np.abs(frame - neighbour).mean()
    # `sightline split kitchen/ block` tests on the last fifth of it, as one stretch.
    parts = [f.split for f in assign_split(frames, "block")]
    assert [i for i, part in enumerate(parts) if part == "test"] == list(range(400, 500))
    assert [i for i, part in enumerate(parts) if part == "train"] == list(range(285))


def _small(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L").resize((160, 120)), dtype=float)
