"""Video in: frames by their true timestamps, upright, from files that may be cut or hostile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from sightline.errors import InputError, MediaError
from sightline.media.limits import DEFAULT_LIMITS, MediaLimits, check_file
from sightline.media.orientation import UPRIGHT, Orientation, from_display_matrix
from sightline.media.photo import photo_kind
from sightline.media.timing import exact_rate, select_best, select_nearest

# Without the list ffmpeg would read a text file as ANSI art, a playlist as the files or the
# network addresses it names, and a photo as a video of one frame.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"

# Formats whose first plane is 8-bit luma.
_LUMA_FIRST = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"}
)

_TOLERANCE_S = 0.5


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    Attributes:
        width: Upright width in pixels.
        height: Upright height in pixels.
        rotation_deg: Clockwise turn (0, 90, 180, 270) that makes stored frames upright.
        duration_s: None where the file does not say.
        average_fps: Frames a second, None where the file does not say.
        codec: ``h264``, ``hevc`` ...
        frames: Declared number of frames, None where the file does not say.
    """

    width: int
    height: int
    rotation_deg: int
    duration_s: float | None
    average_fps: float | None
    codec: str
    frames: int | None


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: Position in the video, from 0, every frame that decodes counted.
        timestamp_s: Presentation time in seconds after the first frame.
        image: (H, W, 3) uint8 RGB, upright.
    """

    index: int
    timestamp_s: float
    image: NDArray[np.uint8]


@dataclass
class _Tally:
    """What decoding has met so far."""

    frames: int = 0
    end_s: Fraction = Fraction(0)  # by the file's own clock, which need not start at 0
    faults: list[str] = field(default_factory=list)


def probe_video(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Return a video's size, rotation, duration and rate (one frame is decoded).

    Raises:
        MediaError: Missing, empty, too large, no video, or without a frame that decodes.
    """
    with _open_video(path, limits) as (container, stream):
        tally = _Tally()
        first = next(_decode(path, container, stream, limits, tally), None)
        if first is None:
            raise _no_frame(path, tally)
        frame = first[1][1]
        orientation = _orientation(frame)
        width, height = orientation.upright_size(frame.width, frame.height)
        rate = stream.average_rate
        return VideoInfo(
            width=width,
            height=height,
            rotation_deg=orientation.clockwise_deg,
            duration_s=_declared_duration_s(container, stream),
            average_fps=float(rate) if rate else None,
            codec=stream.codec_context.name,
            frames=stream.frames or None,
        )


def iter_frames(
    path: Path,
    *,
    fps: Fraction | float | None = None,
    sharpest: bool = False,
    limits: MediaLimits = DEFAULT_LIMITS,
    allow_truncated: bool = False,
) -> Iterator[VideoFrame]:
    """Yield a video's frames upright, with true timestamps, all or at a rate.

    Timestamps count from the first frame. At a rate, the frame nearest to each tick k/fps is
    taken (``timing.select_nearest``: no drift, never one frame twice; a rate above the video's
    own gives every frame once). Frames that share a timestamp with the one before are never
    shown, and are left out. Pixels are not stretched where they are not square.

    A video that is cut off, or holds packets that do not decode, gives every frame that does,
    and then raises, unless ``allow_truncated``. (MPEG-TS does not say how long it should be:
    a cut one ends early without a word.)

    Args:
        path: Video file.
        fps: Frames a second; None takes every frame.
        sharpest: Take the sharpest frame around each tick instead (variance of the Laplacian
            of luma, Pech-Pacheco et al. 2000), with its own timestamp; needs ``fps``.
        limits: The largest file and frame.
        allow_truncated: Accept what decodes of a damaged video.

    Raises:
        InputError: The rate is not positive, or ``sharpest`` came without one.
        MediaError: Missing, empty, too large, no video, no frame, damaged, or with time
            running backwards.
    """
    if sharpest and fps is None:
        raise InputError("sharpest=True wants a rate; fps is None; give fps, such as 10")
    rate = None if fps is None else exact_rate(fps)
    with _open_video(path, limits) as (container, stream):
        tally = _Tally()
        chosen = _decode(path, container, stream, limits, tally)
        if rate is not None and sharpest:
            chosen = select_best(chosen, rate, lambda item: _sharpness(item[1]))
        elif rate is not None:
            chosen = select_nearest(chosen, rate)
        for time_s, (index, frame) in chosen:
            yield VideoFrame(index, float(time_s), _upright_rgb(frame))
        if tally.frames == 0:
            raise _no_frame(path, tally)
        fault = _fault(path, container, stream, tally)
        if fault is not None and not allow_truncated:
            raise MediaError(
                f"a whole video is wanted; {path} {fault}, {tally.frames} frames decoded; "
                "copy it again, or allow truncated video to use those frames"
            )


@contextmanager
def _open_video(path: Path, limits: MediaLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    check_file(path, "a video", limits.max_video_bytes, "max_video_bytes")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": _FORMATS,
    }
    try:
        # The prefix keeps a name like "a:b.mp4" from being taken for a protocol.
        container = av.open(f"file:{path}", mode="r", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(
            f"a video is wanted; {path} is {_what_came(path)}; "
            "give an MP4, MOV, MKV, WebM or AVI file"
        ) from error
    with container:
        stream = _video_stream(path, container)
        context = stream.codec_context
        limits.check_pixels(str(path), context.width, context.height)
        # The decoder's own guard, before it makes room for a frame far larger than the header
        # says; roomy, because it counts padded sizes.
        context.options = {"max_pixels": str(4 * limits.max_pixels + 65_536)}
        stream.thread_type = "AUTO"
        yield container, stream


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        covers = container.streams.video
        kinds = sorted({str(s.type) for s in container.streams if s not in covers})
        kinds += ["a cover picture"] if covers else []
        came = " and ".join(kinds) or "no stream"
        raise MediaError(
            f"a video is wanted; {path} holds only {came}; give a file with moving pictures"
        )
    default = [s for s in streams if s.disposition & Disposition.default]
    return (default or streams)[0]


_Timed = Iterator[tuple[Fraction, tuple[int, DecodedFrame]]]


def _decode(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    limits: MediaLimits,
    tally: _Tally,
) -> _Timed:
    """Yield (seconds after the first frame, (index, frame)); faults go to the tally."""
    first_s: Fraction | None = None
    last_s = Fraction(-1)
    for frame in _raw_frames(container, stream, tally):
        limits.check_pixels(f"a frame of {path}", frame.width, frame.height)
        absolute_s = _presentation_s(path, frame)
        if first_s is None:
            first_s = absolute_s
        time_s = absolute_s - first_s
        if time_s == last_s:
            continue
        if time_s < last_s:
            raise MediaError(
                f"timestamps that grow are wanted; in {path} frame {tally.frames} is at "
                f"{float(time_s):.3f} s after one at {float(last_s):.3f} s; "
                "write the video anew, such as with `ffmpeg -i IN -fps_mode cfr OUT.mp4`"
            )
        last_s = time_s
        tally.frames += 1
        tally.end_s = absolute_s + (frame.duration or 0) * _time_base(frame)
        yield time_s, (tally.frames - 1, frame)


def _raw_frames(
    container: InputContainer, stream: VideoStream, tally: _Tally
) -> Iterator[DecodedFrame]:
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                # One bad packet does not end a video; it is told at the end.
                tally.faults.append(error.strerror or str(error))
                continue
            yield from frames
    except av.FFmpegError as error:
        tally.faults.append(error.strerror or str(error))


def _presentation_s(path: Path, frame: DecodedFrame) -> Fraction:
    if frame.pts is None:
        raise MediaError(
            f"a video with timestamps is wanted; {path} has a frame without one; "
            "write the video anew, such as with `ffmpeg -fflags +genpts -i IN OUT.mp4`"
        )
    return frame.pts * _time_base(frame)


def _time_base(frame: DecodedFrame) -> Fraction:
    return frame.time_base or Fraction(0)


def _orientation(frame: DecodedFrame) -> Orientation:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return UPRIGHT
    return from_display_matrix(np.frombuffer(bytes(matrix), np.int32).tolist())


def _upright_rgb(frame: DecodedFrame) -> NDArray[np.uint8]:
    return _orientation(frame).apply(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))


def _sharpness(frame: DecodedFrame) -> float:
    import cv2

    if frame.format.name in _LUMA_FIRST:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        luma = rows[: frame.height, : frame.width]
    else:
        luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1]
    return float(deviation[0, 0]) ** 2


def _declared_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / 1_000_000
    return None


def _fault(path: Path, container: InputContainer, stream: VideoStream, tally: _Tally) -> str | None:
    """Return what is wrong with a video read to its end, or None.

    ffmpeg ends a file that is cut off like a whole one, so what the header promises is compared
    with what came: MP4's boxes say how long they are, AVI how many frames it has, Matroska how
    when its longest stream ends (which tells of the video only where it is alone).
    """
    if tally.faults:
        return f"has {len(tally.faults)} packets that do not decode ({tally.faults[0]})"
    missing = _missing_mp4_bytes(path) if "mp4" in container.format.name else 0
    if missing:
        return f"is cut off ({missing} or more bytes are missing)"
    if container.format.name == "avi" and tally.frames < stream.frames - 2:
        return f"is cut off ({stream.frames} frames were declared)"
    if "matroska" in container.format.name and len(container.streams) == 1:
        declared_s = (container.duration or 0) / 1_000_000
        if declared_s > float(tally.end_s) + _TOLERANCE_S:
            return f"is cut off ({declared_s:.1f} s were declared)"
    return None


def _missing_mp4_bytes(path: Path) -> int:
    """Return how far the last top-level box of an MP4 or MOV file reaches over the file's end.

    Only boxes that matter count: cameras leave odd bytes behind the last one.

    Source: ISO/IEC 14496-12, 4.2 (size 1 means 64 bits follow the type, 0 the file's end).
    """
    end = path.stat().st_size
    start = 0
    with path.open("rb") as stream:
        while start + 8 <= end:
            stream.seek(start)
            header = stream.read(16)
            size = int.from_bytes(header[:4])
            if size == 1:
                size = int.from_bytes(header[8:16])
            if size < 8:
                return 0
            if start + size > end and header[4:8] in {b"mdat", b"moof", b"moov"}:
                return start + size - end
            start += size
    return 0


def _no_frame(path: Path, tally: _Tally) -> MediaError:
    reason = f" ({tally.faults[0]})" if tally.faults else ""
    return MediaError(
        f"a video with frames is wanted; {path} has a video stream of which 0 frames "
        f"decode{reason}; record or copy it again"
    )


def _what_came(path: Path) -> str:
    """Return words for a file that does not open as a video."""
    with path.open("rb") as stream:
        head = stream.read(512)
    kind = photo_kind(head[:16])
    if kind is not None:
        return f"a photo ({kind})"
    if head[4:8] == b"ftyp":
        return "an MP4 or MOV file without an index (cut off, or still being written)"
    if head.isascii() and b"\x00" not in head:
        return "text"
    return "no video that is known"
