"""Video out: real H.264 in MP4, with rotation metadata as phones write it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame as RawFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.media.timing import exact_rate

# MPEG's clock: 1/24, 1/25, 1/30 and 1001/30000 s are whole numbers of its ticks.
_VARIABLE_TIME_BASE = Fraction(1, 90_000)
_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
_BT709 = 1
_LIMITED_RANGE = 1


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: Fraction | float,
    rotation_deg: int = 0,
    crf: int = 18,
    preset: str = "veryfast",
    timestamps_s: Sequence[float] | None = None,
) -> None:
    """Write an H.264 MP4 (yuv420p, BT.709, index in front); whole or absent.

    With ``rotation_deg`` the frames are stored turned back by that angle, and the track's
    display matrix tells players to turn them upright, as phones do (held upright: 90).

    Args:
        path: Ends in ``.mp4``.
        frames: (H, W, 3) uint8 RGB, upright, all of one even size.
        fps: Frames a second; frame k is shown at k / fps exactly.
        rotation_deg: Clockwise turn, 0, 90, 180 or 270, that a player applies to show upright.
        crf: x264's constant rate factor: 0 is nearly lossless, 18 visually so, 51 the worst.
        preset: x264's speed; ``medium`` takes about three times as long for about 1 dB.
        timestamps_s: Presentation times instead of k / fps, increasing, not negative, one for
            each frame, rounded to 1/90000 s.

    Raises:
        InputError: No frames, an odd or changing size, another type, rotation,
            setting or time.
        MediaError: The file cannot be written.
    """
    ticks = itertools.count() if timestamps_s is None else iter(_ticks(timestamps_s))
    rate = exact_rate(fps)
    time_base = 1 / rate if timestamps_s is None else _VARIABLE_TIME_BASE
    with _encoder(path, rate, time_base, rotation_deg, crf, preset) as encode:
        count = 0
        for count, image in enumerate(frames, start=1):
            encode(image, partial(_next_tick, ticks, count - 1))
        if timestamps_s is not None and count and next(ticks, None) is not None:
            raise InputError(
                f"one timestamp a frame is wanted; {len(timestamps_s)} came for {count} "
                "frames; drop the rest"
            )


@contextmanager
def video_writer(
    path: Path, *, crf: int = 18, preset: str = "veryfast"
) -> Iterator[Callable[[NDArray[np.uint8], float], None]]:
    """Yield ``write(image, timestamp_s)`` for an MP4 whose frames come one by one.

    The file is as of :func:`write_video`, and is there, whole, after the block; never after an
    error in it.

    Args:
        path: Ends in ``.mp4``.
        crf: x264's constant rate factor.
        preset: x264's speed.

    Raises:
        InputError: No frames, an odd or changing size, another type or setting, or a time that
            does not grow by 1/90000 s or more.
        MediaError: The file cannot be written.
    """
    last = -1

    def tick_of(timestamp_s: float) -> int:
        nonlocal last
        (tick,) = _ticks([timestamp_s])
        if tick <= last:
            raise InputError("timestamps that grow by 1/90000 s or more are wanted; sort them")
        last = tick
        return tick

    with _encoder(path, Fraction(30), _VARIABLE_TIME_BASE, 0, crf, preset) as encode:
        yield lambda image, timestamp_s: encode(image, lambda: tick_of(timestamp_s))


@contextmanager
def _encoder(
    path: Path, rate: Fraction, time_base: Fraction, rotation_deg: int, crf: int, preset: str
) -> Iterator[Callable[[NDArray[np.uint8], Callable[[], int]], None]]:
    """Yield what encodes an image at a tick of the time base, asked for when the image is well."""
    if path.suffix.lower() != ".mp4":
        raise InputError(f"a name ending in .mp4 is wanted; {path.name} came; rename it")
    if rotation_deg not in {0, 90, 180, 270}:
        raise InputError(f"a rotation of 0, 90, 180 or 270 degrees is wanted; {rotation_deg} came")
    if preset not in _PRESETS or not 0 <= crf <= 51:
        raise InputError(
            f"a crf from 0 to 51 and a preset of {', '.join(_PRESETS)} are wanted; "
            f"{crf} and {preset} came; choose from these"
        )
    options = {"crf": str(crf), "preset": preset}
    stream: VideoStream | None = None
    size, count = (0, 0), 0
    try:
        with _whole_or_absent(path) as temporary, _output(temporary) as container:

            def encode(image: NDArray[np.uint8], tick: Callable[[], int]) -> None:
                nonlocal stream, size, count
                if stream is None:
                    size = _checked_size(image)
                    stream = _add_stream(
                        container,
                        size=size,
                        rate=rate,
                        time_base=time_base,
                        rotation_deg=rotation_deg,
                        options=options,
                    )
                _check_frame(image, size, count)
                frame = _yuv_frame(np.rot90(image, rotation_deg // 90))
                frame.pts, frame.time_base = tick(), time_base
                container.mux(stream.encode(frame))
                count += 1

            yield encode
            if stream is None:
                raise InputError("at least one frame is wanted; none came; give frames")
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path} could not be written ({error}); free space or choose another folder"
        ) from error


def _output(path: Path) -> OutputContainer:
    # The index in front: players start before the whole file is there.
    return av.open(f"file:{path}", mode="w", format="mp4", options={"movflags": "faststart"})


def _add_stream(
    container: OutputContainer,
    *,
    size: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    rotation_deg: int,
    options: dict[str, str],
) -> VideoStream:
    height, width = size if rotation_deg % 180 == 0 else size[::-1]
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = time_base
    # Untagged video is shown with BT.601 or BT.709 colours by guess.
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    if rotation_deg:
        # PyAV counts counter-clockwise.
        stream.set_display_rotation(-rotation_deg)
    return stream


def _yuv_frame(image: NDArray[np.uint8]) -> RawFrame:
    rgb = RawFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def _checked_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    shape = image.shape
    if image.ndim != 3 or shape[2] != 3 or 0 in shape:
        raise InputError(f"frames (H, W, 3) are wanted; {shape} came; convert them to RGB")
    if shape[0] % 2 or shape[1] % 2:
        raise InputError(
            f"an even width and height are wanted (yuv420p); {shape[1]}x{shape[0]} came; "
            "crop by one pixel"
        )
    return shape[0], shape[1]


def _check_frame(image: NDArray[np.uint8], size: tuple[int, int], index: int) -> None:
    if image.shape != (*size, 3) or image.dtype != np.uint8:
        raise InputError(
            f"frames of uint8 {(*size, 3)} are wanted; frame {index} is {image.dtype} "
            f"{image.shape}; make all alike"
        )


def _ticks(timestamps_s: Sequence[float]) -> list[int]:
    times = np.asarray(timestamps_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or (times < 0).any():
        raise InputError("finite timestamps from 0 up are wanted; others came; shift or drop them")
    ticks: list[int] = [round(t / _VARIABLE_TIME_BASE) for t in times.tolist()]
    if any(b <= a for a, b in itertools.pairwise(ticks)):
        raise InputError("timestamps that grow by 1/90000 s or more are wanted; sort them")
    return ticks


def _next_tick(ticks: Iterator[int], index: int) -> int:
    tick = next(ticks, None)
    if tick is None:
        raise InputError(
            f"one timestamp a frame is wanted; {index} came for more frames; give them all"
        )
    return tick


@contextmanager
def _whole_or_absent(path: Path) -> Iterator[Path]:
    # Like records.files.atomic_path, which media may not import.
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
