"""Videos written are read back by bare PyAV and by the reader, frame by frame."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from sightline.errors import InputError, MediaError
from sightline.media.encode import video_writer, write_video
from sightline.media.video import iter_frames, probe_video


def test_it_is_h264_in_mp4_with_the_index_in_front(indexed, tmp_path):
    path = tmp_path / "v.mp4"
    write_video(path, (indexed(k) for k in range(10)), fps=30)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.frames) == ("h264", "yuv420p", 10)
        assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)
    content = path.read_bytes()
    assert content[4:8] == b"ftyp"
    assert content.index(b"moov") < content.index(b"mdat")
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("fps", [30, Fraction(30000, 1001), 29.97, 12.5, 0.5])
def test_times_are_exact(fps, indexed, index_of, tmp_path):
    path = tmp_path / "v.mp4"
    write_video(path, [indexed(k) for k in range(70)], fps=fps)
    frames = list(iter_frames(path))
    assert [index_of(f.image) for f in frames] == list(range(70))
    exact = fps if isinstance(fps, Fraction) else Fraction(str(fps))
    assert [f.timestamp_s for f in frames] == [float(k / exact) for k in range(70)]


def test_variable_times_are_kept_and_may_start_late(indexed, index_of, tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.004, 0.3, 50)) + 1.5
    path = tmp_path / "v.mp4"
    write_video(path, [indexed(k) for k in range(50)], fps=30, timestamps_s=times.tolist())
    frames = list(iter_frames(path))
    assert [index_of(f.image) for f in frames] == list(range(50))
    np.testing.assert_allclose(
        [f.timestamp_s for f in frames], times - times[0], rtol=0, atol=1 / 90000
    )
    with av.open(str(path)) as container:
        start = next(container.decode(video=0)).time
    # MP4 keeps an offset in its movie clock, which ffmpeg sets to milliseconds.
    assert start == pytest.approx(times[0], abs=1e-3)


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_rotation_is_stored_turned_and_shown_upright(rotation_deg, indexed, index_of, tmp_path):
    upright = indexed(1717, height=128, width=96)
    path = tmp_path / "v.mp4"
    write_video(path, [upright] * 3, fps=30, rotation_deg=rotation_deg)
    info = probe_video(path)
    assert (info.width, info.height, info.rotation_deg) == (96, 128, rotation_deg)
    frames = list(iter_frames(path))
    assert [index_of(f.image) for f in frames] == [1717] * 3
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        stored = frame.to_ndarray(format="rgb24")
        assert frame.rotation % 360 == -rotation_deg % 360
    assert stored.shape[:2] == ((128, 96) if rotation_deg % 180 == 0 else (96, 128))
    # A player turns clockwise by the angle; so turned, the red corner is up left.
    assert index_of(np.rot90(stored, -rotation_deg // 90)) == 1717


def test_the_track_header_holds_the_standard_matrix(indexed, tmp_path):
    """ISO/IEC 14496-12, 8.3.2: 36 bytes, 40 after the type in a version 0 header."""
    path = tmp_path / "v.mp4"
    write_video(path, [indexed(0)], fps=30, rotation_deg=90)
    content = path.read_bytes()
    header = content[content.index(b"tkhd") :]
    assert header[4] == 0
    matrix = struct.unpack(">9i", header[44:80])
    assert matrix[:2] == (0, 1 << 16)
    assert matrix[3:5] == (-(1 << 16), 0)
    assert matrix[8] == 1 << 30


def test_colours_survive(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (30, 180, 220)]
    images = [np.full((64, 64, 3), c, np.uint8) for c in colours]
    path = tmp_path / "v.mp4"
    write_video(path, images, fps=30, crf=5)
    for frame, colour in zip(iter_frames(path), colours, strict=True):
        assert np.abs(frame.image.astype(int) - colour).max() <= 4


def test_lower_crf_is_closer(tmp_path):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    errors = []
    for crf in (5, 40):
        write_video(tmp_path / "v.mp4", [image], fps=30, crf=crf)
        frame = next(iter_frames(tmp_path / "v.mp4"))
        errors.append(np.abs(frame.image.astype(int) - image).mean())
    assert errors[0] * 2 < errors[1]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fps": 0}, "over 0 frames"),
        ({"crf": 52}, "crf from 0 to 51"),
        ({"preset": "nonsense"}, "veryfast"),
        ({"rotation_deg": 45}, "0, 90, 180 or 270"),
        ({"timestamps_s": [0.0]}, "for more frames"),
        ({"timestamps_s": [0.0, 1.0, 2.0]}, "3 came for 2"),
        ({"timestamps_s": [1.0, 1.0]}, "grow"),
        ({"timestamps_s": [-1.0, 1.0]}, "from 0 up"),
        ({"timestamps_s": [0.0, float("nan")]}, "finite"),
    ],
)
def test_bad_numbers_leave_nothing(options, text, indexed, tmp_path):
    with pytest.raises(InputError, match=text):
        write_video(tmp_path / "v.mp4", [indexed(0), indexed(1)], **({"fps": 30} | options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ([], "none came"),
        ([np.zeros((5, 6, 3), np.uint8)], "6x5"),
        ([np.zeros((6, 6), np.uint8)], "H, W, 3"),
        ([np.zeros((6, 6, 3), np.float32)], "float32"),
        ([np.zeros((6, 6, 3), np.uint8), np.zeros((8, 6, 3), np.uint8)], "frame 1"),
    ],
)
def test_bad_frames_leave_what_was_there(images, text, tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"before")
    with pytest.raises(InputError, match=text):
        write_video(path, images, fps=30)
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]
    assert path.read_bytes() == b"before"


def test_an_interruption_leaves_nothing(indexed, tmp_path):
    seen = []

    def frames():
        # Enough for the encoder to have written some.
        yield from (indexed(k) for k in range(200))
        seen.extend(p.name for p in tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "v.mp4", frames(), fps=30)
    assert len(seen) == 1
    assert seen != ["v.mp4"]
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_unwritable_folders(indexed, tmp_path):
    with pytest.raises(InputError, match=r"\.mp4"):
        write_video(tmp_path / "v.avi", [indexed(0)], fps=30)
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="could not be written"):
        write_video(tmp_path / "file" / "v.mp4", [indexed(0)], fps=30)


def test_frames_can_come_one_by_one_with_their_times(indexed, index_of, tmp_path):
    path = tmp_path / "v.mp4"
    times = [0.0, 0.1, 0.35, 2.0]
    with video_writer(path, crf=0) as write:
        for k, time_s in enumerate(times):
            write(indexed(k), time_s)
            assert not path.exists()
    frames = list(iter_frames(path))
    assert [index_of(f.image) for f in frames] == [0, 1, 2, 3]
    assert [f.timestamp_s for f in frames] == pytest.approx(times, abs=1e-5)


def test_a_film_that_is_not_finished_is_not_there(indexed, tmp_path):
    path = tmp_path / "v.mp4"

    def film(times_s, interrupted=False):
        with video_writer(path) as write:
            for k, time_s in enumerate(times_s):
                write(indexed(k), time_s)
            if interrupted:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film([0.0], interrupted=True)
    with pytest.raises(InputError, match="timestamps that grow"):
        film([1.0, 1.0])
    with pytest.raises(InputError, match="at least one frame is wanted"):
        film([])
    assert list(tmp_path.iterdir()) == []
