"""Frames of a video, or the photos of a folder, as upright JPEG files 0000.jpg, 0001.jpg ..."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.media.limits import DEFAULT_LIMITS, MediaLimits
from sightline.media.photo import list_photos, read_photo, write_photo
from sightline.media.timing import exact_rate
from sightline.media.video import VideoInfo, iter_frames, probe_video

Progress = Callable[[str, float], None]

#: Told a picture, its time in the video and the name of its source; whether it is to be taken.
Accept = Callable[[NDArray[np.uint8], float | None, str], bool]

_QUALITY = 95
_UNKNOWN_LENGTH_DIGITS = 6


@dataclass(frozen=True)
class ExtractedFrame:
    """One image file that was written.

    Attributes:
        image: File name in the destination.
        timestamp_s: Seconds after the video's first frame, None for a photo.
        source: Name of the photo or of the video it came from.
    """

    image: str
    timestamp_s: float | None
    source: str


def extract_frames(
    source: Path,
    destination: Path,
    *,
    fps: Fraction | float = 10.0,
    sharpest: bool = False,
    max_side: int | None = None,
    limit: int | None = None,
    limits: MediaLimits = DEFAULT_LIMITS,
    allow_truncated: bool = False,
    accept: Accept | None = None,
    progress: Progress | None = None,
) -> list[ExtractedFrame]:
    """Return the upright images written to an empty folder, in order.

    Names are zero padded so that they sort like the frames. JPEG at quality 95, with full
    colour resolution for photos, and 4:2:0 for video, which holds no more itself.

    Args:
        source: Video file, or folder of photos (taken in natural order of their names).
        destination: Made if absent, must be empty: give a temporary folder, rename it after.
        fps: Frames a second of a video (``iter_frames``); folders have none.
        sharpest: Take the sharpest frame of each interval of a video.
        max_side: Longest side in pixels; larger images are scaled down (Lanczos).
        limit: Stop after this many images.
        limits: The largest files and pictures.
        allow_truncated: Accept what decodes of a damaged video.
        accept: Pictures for which it returns False are passed over; all are taken where None.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: The destination is not an empty folder, or a number is out of range.
        MediaError: The source cannot be read, or an image not written.
    """
    _check_numbers(max_side, limit)
    exact_rate(fps)
    _make_empty(destination)
    pictures: Iterator[_Picture]
    chroma: Literal["4:4:4", "4:2:0"]
    if source.is_dir():
        photos = list_photos(source)
        count: int | None = len(photos)
        pictures = (_Picture(read_photo(p, limits), None, p.name) for p in photos)
        chroma = "4:4:4"
    else:
        count = _expected_count(probe_video(source, limits), exact_rate(fps))
        pictures = (
            _Picture(f.image, f.timestamp_s, source.name)
            for f in iter_frames(
                source, fps=fps, sharpest=sharpest, limits=limits, allow_truncated=allow_truncated
            )
        )
        chroma = "4:2:0"
    if limit is not None:
        count = limit if count is None else min(count, limit)
    if accept is not None:
        pictures = (p for p in pictures if accept(p.image, p.timestamp_s, p.source))
    digits = max(4, len(str(count))) if count is not None else _UNKNOWN_LENGTH_DIGITS
    return _write_all(
        pictures,
        destination,
        digits=digits,
        count=count,
        limit=limit,
        max_side=max_side,
        chroma=chroma,
        progress=progress,
    )


@dataclass(frozen=True, eq=False)
class _Picture:
    image: NDArray[np.uint8]
    timestamp_s: float | None
    source: str


def _write_all(
    pictures: Iterator[_Picture],
    destination: Path,
    *,
    digits: int,
    count: int | None,
    limit: int | None,
    max_side: int | None,
    chroma: Literal["4:4:4", "4:2:0"],
    progress: Progress | None,
) -> list[ExtractedFrame]:
    written: list[ExtractedFrame] = []
    while limit is None or len(written) < limit:
        picture = next(pictures, None)
        if picture is None:
            break
        name = f"{len(written):0{digits}d}.jpg"
        image = _scaled_down(picture.image, max_side)
        write_photo(destination / name, image, _QUALITY, chroma)
        written.append(ExtractedFrame(name, picture.timestamp_s, picture.source))
        if progress is not None and count is not None:
            progress(f"image {len(written)} of about {count}", min(len(written) / count, 1.0))
    if progress is not None:
        progress(f"{len(written)} images", 1.0)
    return written


def _expected_count(info: VideoInfo, fps: Fraction) -> int | None:
    """Return about how many frames the rate gives, never far too few."""
    if info.duration_s is None:
        return info.frames
    count = math.floor(info.duration_s * fps) + 1
    return count if info.frames is None else min(count, info.frames)


def _scaled_down(image: NDArray[np.uint8], max_side: int | None) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    from PIL import Image

    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def _make_empty(destination: Path) -> None:
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise InputError(
            f"an empty folder is wanted for the images; {destination} is not; choose another"
        )
    destination.mkdir(parents=True, exist_ok=True)


def _check_numbers(max_side: int | None, limit: int | None) -> None:
    for name, value in (("max_side", max_side), ("limit", limit)):
        if value is not None and value < 1:
            raise InputError(f"{name} of at least 1 is wanted; {value} came; leave it out for all")
