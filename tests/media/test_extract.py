"""Image files of a video or a folder: numbered, upright, nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError, MediaError
from sightline.media.encode import write_video
from sightline.media.extract import extract_frames
from sightline.media.photo import read_photo


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_video_frames_at_a_rate(indexed, index_of, tmp_path):
    video = tmp_path / "walk.mp4"
    write_video(video, [indexed(k, height=128) for k in range(90)], fps=30, rotation_deg=90)
    seen = []
    frames = extract_frames(
        video, tmp_path / "images", fps=10, progress=lambda text, part: seen.append((text, part))
    )
    assert [f.image for f in frames] == [f"{k:04d}.jpg" for k in range(30)]
    assert names(tmp_path / "images") == [f.image for f in frames]
    assert [f.timestamp_s for f in frames] == [3 * k / 30 for k in range(30)]
    assert {f.source for f in frames} == {"walk.mp4"}
    photos = [read_photo(tmp_path / "images" / f.image) for f in frames]
    assert {p.shape for p in photos} == {(128, 96, 3)}
    assert [index_of(p) for p in photos] == list(range(0, 90, 3))
    fractions = [part for _, part in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) >= 30


def test_folder_of_photos_in_natural_order_upright_and_of_mixed_size(indexed, index_of, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    write = {"2.jpg": 2, "10.jpg": 10, "1.png": 1}
    for name, index in write.items():
        Image.fromarray(indexed(index)).save(folder / name, quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.fromarray(np.ascontiguousarray(np.rot90(indexed(11, height=128), 1)))
    sideways.save(folder / "11.jpg", quality=95, exif=exif)
    (folder / "notes.txt").write_text("not a photo")
    frames = extract_frames(folder, tmp_path / "images")
    assert [(f.image, f.source, f.timestamp_s) for f in frames] == [
        ("0000.jpg", "1.png", None),
        ("0001.jpg", "2.jpg", None),
        ("0002.jpg", "10.jpg", None),
        ("0003.jpg", "11.jpg", None),
    ]
    photos = [read_photo(tmp_path / "images" / f.image) for f in frames]
    assert [index_of(p) for p in photos] == [1, 2, 10, 11]
    assert photos[3].shape == (128, 96, 3)
    # The turn is in the pixels now; a second one by EXIF would undo it.
    with Image.open(tmp_path / "images" / "0003.jpg") as image:
        assert 0x0112 not in image.getexif()


def test_max_side_scales_down_and_never_up(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    fine = np.zeros((400, 600, 3), np.uint8)
    fine[:, ::2] = 255
    Image.fromarray(fine).save(folder / "1.png")
    Image.fromarray(fine[:50, :80]).save(folder / "2.png")
    extract_frames(folder, tmp_path / "images", max_side=150)
    large, small = (read_photo(tmp_path / "images" / f"{k:04d}.jpg") for k in range(2))
    assert large.shape == (100, 150, 3)
    assert small.shape == (50, 80, 3)
    # Stripes finer than the new pixels become grey; dropping pixels would leave 0 or 255.
    assert np.abs(large[5:-5, 5:-5].astype(int) - 127).max() <= 8


def test_limit_stops_early(indexed, tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, (indexed(k) for k in range(60)), fps=30)
    assert len(extract_frames(video, tmp_path / "a", fps=10, limit=5)) == 5
    assert names(tmp_path / "a") == [f"{k:04d}.jpg" for k in range(5)]
    assert len(extract_frames(video, tmp_path / "b", fps=10, limit=500)) == 20


@pytest.mark.parametrize(("seconds", "first"), [(900, "0000.jpg"), (1100, "00000.jpg")])
def test_names_are_wide_enough_for_all_frames_there_may_be(seconds, first, mux, tmp_path):
    # Matroska tells its duration but no count: at 10 a second there may be over 9,999.
    ticks = [0, 1, seconds * 30]
    video = mux(tmp_path / "v.mkv", 3, ticks=ticks)
    frames = extract_frames(video, tmp_path / "images", fps=10)
    assert frames[0].image == first
    assert [f.timestamp_s for f in frames] == [0.0, 0.033, seconds]


def test_destination_must_be_empty(indexed, tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, [indexed(0)], fps=30)
    kept = tmp_path / "images"
    kept.mkdir()
    (kept / "0000.jpg").write_text("the user's own")
    with pytest.raises(InputError, match="empty folder"):
        extract_frames(video, kept)
    assert (kept / "0000.jpg").read_text() == "the user's own"


@pytest.mark.parametrize("options", [{"fps": 0}, {"max_side": 0}, {"limit": 0}])
def test_bad_numbers_make_nothing(options, indexed, tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, [indexed(0)], fps=30)
    with pytest.raises(InputError, match="wanted"):
        extract_frames(video, tmp_path / "images", **options)
    assert names(tmp_path) == ["v.mp4"]


def test_a_damaged_photo_is_named(indexed, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(indexed(k)).save(folder / f"{k}.png")
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(MediaError, match=r"1\.png is damaged"):
        extract_frames(folder, tmp_path / "images")


def test_missing_source_and_empty_folder(tmp_path):
    with pytest.raises(MediaError, match="does not exist"):
        extract_frames(tmp_path / "no.mp4", tmp_path / "a")
    (tmp_path / "photos").mkdir()
    with pytest.raises(MediaError, match="no files"):
        extract_frames(tmp_path / "photos", tmp_path / "b")


def test_a_cut_video_raises_unless_allowed(mux, tmp_path):
    video = mux(tmp_path / "v.mp4", 300, options={"movflags": "faststart"})
    content = video.read_bytes()
    video.write_bytes(content[: int(len(content) * 0.6)])
    with pytest.raises(MediaError, match="cut off"):
        extract_frames(video, tmp_path / "a", fps=10)
    frames = extract_frames(video, tmp_path / "b", fps=10, allow_truncated=True)
    assert names(tmp_path / "b") == [f.image for f in frames]
    assert len(frames) > 10
