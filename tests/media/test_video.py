"""Frames by true timestamps: every frame carries its own number, so the truth is exact."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError, MediaError
from sightline.media.limits import MediaLimits
from sightline.media.video import iter_frames, probe_video

NTSC = Fraction(30000, 1001)
FASTSTART = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "300000"}


def one_line(raised):
    text = str(raised.value)
    assert "\n" not in text
    assert "wanted" in text
    assert ";" in text
    return text


def cut(path: Path, part: float = 0.5) -> Path:
    content = path.read_bytes()
    shorter = path.with_name(f"cut_{path.name}")
    shorter.write_bytes(content[: int(len(content) * part)])
    return shorter


def until_error(path, **options):
    """Every frame that came, and the error after the last."""
    frames = []
    with pytest.raises(MediaError) as raised:
        frames.extend(iter_frames(path, **options))
    return frames, raised


@pytest.mark.parametrize("rate", [Fraction(30), NTSC, Fraction(25), Fraction(24000, 1001)])
@pytest.mark.parametrize("fps", [None, 10, 7.5, 29.97, 60])
def test_constant_rate_is_exact(rate, fps, mux, index_of, tmp_path):
    path = mux(tmp_path / "v.mp4", 100, time_base=1 / rate)
    if fps is None or fps >= rate:
        expected = list(range(100))
    else:
        per_tick = rate / Fraction(str(fps))
        ticks = [k * per_tick for k in range(100) if k * per_tick <= Fraction(199, 2)]
        expected = sorted({min(range(100), key=lambda k: (abs(k - t), k)) for t in ticks})
    frames = list(iter_frames(path, fps=fps))
    assert [f.index for f in frames] == expected
    assert [index_of(f.image) for f in frames] == expected
    assert [f.timestamp_s for f in frames] == [float(k / rate) for k in expected]


TICKS = [0, 3000, 6000, 9000, 12000, 90000, 93000, 93300, 180000, 181000, 183000, 270000]


@pytest.mark.parametrize("start", [0, 45_000, 900_001])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_variable_rate_and_non_zero_start(start, suffix, mux, index_of, tmp_path):
    path = mux(
        tmp_path / f"v{suffix}", 12, time_base=Fraction(1, 90000), ticks=[t + start for t in TICKS]
    )
    exact = 1e-12 if suffix != ".mkv" else 1.01e-3
    every = list(iter_frames(path))
    assert [index_of(f.image) for f in every] == list(range(12))
    np.testing.assert_allclose([f.timestamp_s for f in every], np.array(TICKS) / 90000, atol=exact)
    # One a second: ticks at 0, 1, 2, 3 s are frames 0, 5, 8, 11 to the tick.
    second = list(iter_frames(path, fps=1))
    assert [index_of(f.image) for f in second] == [0, 5, 8, 11]
    assert [f.index for f in second] == [0, 5, 8, 11]


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_metadata_is_applied(degrees, mirrored, mux, tmp_path):
    upright = np.full((64, 96, 3) if degrees % 180 == 0 else (96, 64, 3), 128, np.uint8)
    upright[:16, :16] = (220, 20, 20)
    upright[40:50, 5:40] = 250
    # The player turns counter-clockwise by `degrees`, then mirrors: the file holds the inverse.
    stored = upright[:, ::-1] if mirrored else upright
    stored = np.ascontiguousarray(np.rot90(stored, -degrees // 90))
    rotations = [degrees, 1] if mirrored else [degrees]
    path = mux(tmp_path / "v.mp4", 3, images=[stored] * 3, rotations=rotations)
    info = probe_video(path)
    frames = list(iter_frames(path))
    assert len(frames) == 3
    assert (info.height, info.width) == upright.shape[:2]
    assert info.rotation_deg == (-degrees) % 360
    for frame in frames:
        assert frame.image.shape == upright.shape
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - upright).mean() < 4


def test_probe_says_what_the_file_says(mux, tmp_path):
    info = probe_video(mux(tmp_path / "v.mp4", 60, time_base=1 / NTSC, sound_s=1.0))
    assert (info.width, info.height, info.rotation_deg) == (96, 64, 0)
    assert info.codec == "h264"
    assert info.frames == 60
    assert info.duration_s == pytest.approx(60 / float(NTSC), abs=1e-3)
    assert info.average_fps == pytest.approx(float(NTSC), rel=1e-3)
    assert probe_video(mux(tmp_path / "v.mkv", 60)).frames is None


@pytest.mark.parametrize(
    "form",
    [
        ("libx264", "yuv420p"),
        ("mpeg4", "yuv420p"),
        ("libx265", "yuv420p"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "bgr0"),
    ],
)
def test_sharpest_takes_the_unblurred_frame_with_its_own_time(
    form, mux, index_of, indexed, tmp_path
):
    codec, pix_fmt = form
    rng = np.random.default_rng(3)
    sharp = [3 * k + int(rng.integers(-1, 2)) for k in range(1, 20)]
    images = []
    for k in range(61):
        image = indexed(k)
        images.append(image if k in sharp else cv2.GaussianBlur(image, (0, 0), 2.5))
    path = mux(tmp_path / "v.mkv", 61, images=images, codec=codec, pix_fmt=pix_fmt)
    frames = list(iter_frames(path, fps=10, sharpest=True))
    # The first and last interval hold blurred frames only.
    assert [f.index for f in frames[1:-1]] == sharp
    assert [index_of(f.image) for f in frames[1:-1]] == sharp
    np.testing.assert_allclose(
        [f.timestamp_s for f in frames[1:-1]], np.array(sharp) / 30, atol=1e-3
    )


def test_sharpest_at_the_videos_own_rate_gives_every_frame(mux, tmp_path):
    path = mux(tmp_path / "v.mkv", 50)
    assert [f.index for f in iter_frames(path, fps=30, sharpest=True)] == list(range(50))


def test_bad_numbers_are_input_errors(mux, tmp_path):
    path = mux(tmp_path / "v.mp4", 3)
    with pytest.raises(InputError, match="fps is None"):
        next(iter_frames(path, sharpest=True))
    with pytest.raises(InputError, match="over 0 frames"):
        next(iter_frames(path, fps=0))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fast.mp4", FASTSTART),
        ("fast.mov", FASTSTART),
        ("fragmented.mp4", FRAGMENTED),
        ("plain.mkv", {}),
    ],
)
def test_a_cut_video_gives_its_frames_and_then_says_so(name, options, mux, index_of, tmp_path):
    whole = mux(tmp_path / name, 300, options=options)
    assert len(list(iter_frames(whole))) == 300
    shorter = cut(whole, 0.6)
    times = [f.timestamp_s for f in iter_frames(shorter, allow_truncated=True)]
    assert 20 < len(times) < 300
    ticks = np.arange(0, times[-1] + 1 / 60, 1 / 10)
    nearest = np.unique(np.abs(ticks[:, None] - np.array(times)).argmin(1)).tolist()
    for fps, expected in ((None, list(range(len(times)))), (10, nearest)):
        frames, raised = until_error(shorter, fps=fps)
        text = one_line(raised)
        assert "cut off" in text
        assert f"{len(times)} frames decoded" in text
        assert [f.index for f in frames] == expected
        for frame in frames:
            assert index_of(frame.image) == pytest.approx(frame.timestamp_s * 30, abs=0.05)
        kept = iter_frames(shorter, fps=fps, allow_truncated=True)
        assert [f.index for f in kept] == expected


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_bad_packet_is_told_and_the_rest_is_given(codec, mux, index_of, tmp_path):
    path = mux(tmp_path / "v.mp4", 90, codec=codec)
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][45]
        start, end = packet.pos, packet.pos + packet.size
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    frames, raised = until_error(path)
    assert "1 packets that do not decode" in one_line(raised)
    assert "89 frames decoded" in one_line(raised)
    assert len(frames) == 89
    assert frames[-1].timestamp_s == 89 / 30
    assert [index_of(f.image) for f in frames[:40]] == list(range(40))
    assert len(list(iter_frames(path, allow_truncated=True))) == 89


def test_a_cut_video_with_its_index_at_the_end_says_so(mux, tmp_path):
    path = cut(mux(tmp_path / "v.mp4", 60))
    frames, raised = until_error(path)
    assert not frames
    assert "without an index" in one_line(raised)


def test_whole_videos_with_longer_sound_are_whole(mux, tmp_path):
    for name in ("v.mp4", "v.mkv"):
        path = mux(tmp_path / name, 30, sound_s=4.0)
        assert len(list(iter_frames(path))) == 30


def photo_bytes(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "p.jpg")
    return (tmp_path / "p.jpg").read_bytes()


@pytest.mark.parametrize("call", [probe_video, lambda path: next(iter_frames(path))])
class TestNoVideo:
    def test_empty(self, call, tmp_path):
        (tmp_path / "v.mp4").write_bytes(b"")
        with pytest.raises(MediaError, match="empty") as raised:
            call(tmp_path / "v.mp4")
        one_line(raised)

    def test_missing_or_folder(self, call, tmp_path):
        with pytest.raises(MediaError, match="does not exist") as raised:
            call(tmp_path / "v.mp4")
        one_line(raised)
        with pytest.raises(MediaError, match="not a file"):
            call(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            "just some text\n" * 20,
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile other.mp4\n",
        ],
    )
    def test_text_and_playlists_are_not_followed(self, call, text, mux, tmp_path):
        mux(tmp_path / "other.mp4", 5)
        (tmp_path / "v.mp4").write_text(text)
        with pytest.raises(MediaError, match="is text") as raised:
            call(tmp_path / "v.mp4")
        one_line(raised)

    def test_photo(self, call, tmp_path):
        (tmp_path / "v.mp4").write_bytes(photo_bytes(tmp_path))
        with pytest.raises(MediaError, match="JPEG") as raised:
            call(tmp_path / "v.mp4")
        one_line(raised)

    def test_noise(self, call, tmp_path):
        (tmp_path / "v.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
        with pytest.raises(MediaError, match="a video is wanted") as raised:
            call(tmp_path / "v.mp4")
        one_line(raised)

    def test_sound_only(self, call, sound_only):
        with pytest.raises(MediaError, match="only audio") as raised:
            call(sound_only)
        assert ("cover picture" in one_line(raised)) == (sound_only.stem == "cover")

    def test_zero_frames(self, call, mux, tmp_path):
        """A whole header whose frames are all missing."""
        path = mux(tmp_path / "v.mp4", 20, options=FASTSTART)
        content = path.read_bytes()
        path.write_bytes(content[: content.index(b"mdat") + 4])
        with pytest.raises(MediaError, match="0 frames") as raised:
            call(path)
        one_line(raised)

    def test_limits(self, call, mux, tmp_path):
        del call
        path = mux(tmp_path / "v.mp4", 5)
        for limits, name in (
            (MediaLimits(max_pixels=96 * 64 - 1), "max_pixels"),
            (MediaLimits(max_video_bytes=path.stat().st_size - 1), "max_video_bytes"),
        ):
            for run in (
                probe_video,
                lambda p, m: next(iter_frames(p, limits=m)),
            ):
                with pytest.raises(MediaError, match=name) as raised:
                    run(path, limits)
                one_line(raised)
        roomy = MediaLimits(max_pixels=96 * 64, max_video_bytes=path.stat().st_size)
        assert len(list(iter_frames(path, limits=roomy))) == 5


@pytest.mark.parametrize(
    ("scale", "text"), [(2, "has 192x128"), (10, "packets that do not decode")]
)
def test_frames_that_grow_beyond_the_limit_are_refused(scale, text, mux, indexed, tmp_path):
    """Joined MPEG-TS files may change size on the way; the header tells of the first only."""
    small = mux(tmp_path / "a.ts", 20)
    shape = (64 * scale, 96 * scale, 3)
    images = [indexed(k, height=shape[0], width=shape[1]) for k in range(20)]
    large = mux(tmp_path / "b.ts", 20, images=images, ticks=list(range(25, 45)))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    shapes = [f.image.shape for f in iter_frames(joined)]
    assert shapes == [(64, 96, 3)] * 20 + [shape] * 20
    frames, raised = until_error(joined, limits=MediaLimits(max_pixels=96 * 64))
    assert text in one_line(raised)
    assert {f.image.shape for f in frames} == {(64, 96, 3)}


def test_names_that_look_like_addresses(mux, tmp_path, monkeypatch):
    mux(tmp_path / "v.mp4", 3).rename(tmp_path / "http:a%20b?#.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(iter_frames(Path("http:a%20b?#.mp4")))) == 3


def test_a_frame_that_is_never_shown_is_left_out(mux, index_of, tmp_path):
    # Matroska's milliseconds make frames 1 and 2 equal in time.
    ticks = [0, 3000, 3010, 6000, 9000]
    path = mux(tmp_path / "v.mkv", 5, time_base=Fraction(1, 90000), ticks=ticks)
    frames = list(iter_frames(path))
    assert [index_of(f.image) for f in frames] == [0, 1, 3, 4]
    times = [f.timestamp_s for f in frames]
    assert times == sorted(set(times))


def test_time_running_backwards_is_refused_with_the_cure(mux, tmp_path):
    """H.264 with reordered frames does not fit into AVI, which has no presentation times."""
    path = mux(tmp_path / "v.avi", 60)
    with pytest.raises(MediaError, match="fps_mode") as raised:
        list(iter_frames(path))
    one_line(raised)


@pytest.mark.shared
def test_real_video_at_ten_a_second(shared_data):
    path = shared_data / "video_7scenes_redkitchen_0_499" / "video.mp4"
    info = probe_video(path)
    assert (info.width, info.height, info.frames) == (640, 480, 500)
    frames = [(f.index, f.timestamp_s) for f in iter_frames(path, fps=10)]
    assert frames == [(3 * k, 3 * k / 30) for k in range(167)]
    sharp = [f.index for f in iter_frames(path, fps=10, sharpest=True)]
    assert len(sharp) == 167
    assert all(abs(index - 3 * k) <= 1 for k, index in enumerate(sharp))
