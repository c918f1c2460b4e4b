"""The frames of an unlabelled walk: a video's are taken once, a folder's photos stay in place.

Imports without torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import InputError, MediaError
from sightline.media import list_photos
from sightline.media.extract import extract_frames
from sightline.media.photo import read_photo
from sightline.records.files import atomic_path, digest, digest_files, write_json

Progress = Callable[[str, float], None]

#: A video's frames are kept no larger: odometry and networks want no more.
_MAX_SIDE_PX = 1024
_INDEX = "frames.json"


@dataclass(frozen=True, eq=False)
class WalkFrames:
    """The frames of a walk, in order, all of one size.

    Attributes:
        source: The video or the folder.
        folder: Where the images lie.
        images: Their names.
        timestamps_s: Seconds after a video's first frame; photos are numbered at a rate.
        size: Width and height of them all, in pixels.
        photos: Whether the names are the user's own.
        left_out: Photos that do not read, or are of another size than most.
        cache: Folder for what is made of them.
    """

    source: Path
    folder: Path
    images: tuple[str, ...]
    timestamps_s: tuple[float, ...]
    size: tuple[int, int]
    photos: bool
    left_out: tuple[str, ...]
    cache: Path


def source_digest(source: Path) -> str:
    """Return the digest of what a video or a folder of photos holds.

    Raises:
        InputError: There is no such file or folder.
        MediaError: A folder holds no photo.
    """
    if not source.exists():
        raise InputError(f"{source} is wanted to learn from; there is no such video or folder")
    if source.is_file():
        return digest_files([source], names=False)
    return digest_files(list_photos(_photo_folder(source)))


def take_frames(source: Path, fps: float, cache_dir: Path, progress: Progress) -> WalkFrames:
    """Return the frames of a walk, taken where they are not there yet.

    Args:
        source: A video, or a folder of photos (itself, or its ``images/``), in the order of names.
        fps: Frames a second taken of the video; photos count as so many a second.
        cache_dir: Where the video's frames go, and what is made of any.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: There is no such file or folder.
        MediaError: The video is damaged, or no photo reads.
    """
    content = source_digest(source)
    cache = cache_dir / f"unlabelled-{digest('walk-1', content, float(fps), _MAX_SIDE_PX)}"
    if not (cache / _INDEX).is_file():
        with atomic_path(cache) as temporary:
            temporary.mkdir(parents=True)
            take = _of_video if source.is_file() else _of_photos
            write_json(temporary / _INDEX, take(source, fps, temporary / "images", progress))
    index = json.loads((cache / _INDEX).read_text(encoding="utf-8"))
    width, height = index["size"]
    return WalkFrames(
        source,
        cache / "images" if source.is_file() else _photo_folder(source),
        tuple(index["images"]),
        tuple(index["timestamps_s"]),
        (width, height),
        source.is_dir(),
        tuple(index["left_out"]),
        cache,
    )


def _photo_folder(source: Path) -> Path:
    inner = source / "images"
    return inner if inner.is_dir() else source


def _of_video(source: Path, fps: float, folder: Path, progress: Progress) -> dict[str, Any]:
    folder.mkdir()
    taken = extract_frames(
        source,
        folder,
        fps=fps,
        max_side=_MAX_SIDE_PX,
        progress=lambda text, done: progress(f"unlabelled frames: {text}", done),
    )
    height, width = read_photo(folder / taken[0].image).shape[:2]
    return {
        "images": [frame.image for frame in taken],
        "timestamps_s": [frame.timestamp_s for frame in taken],
        "size": [width, height],
        "left_out": [],
    }


def _of_photos(source: Path, fps: float, _folder: Path, progress: Progress) -> dict[str, Any]:
    paths = list_photos(_photo_folder(source))
    sizes: dict[str, tuple[int, int]] = {}
    faults: list[MediaError] = []
    for i, path in enumerate(paths):
        try:
            height, width = read_photo(path).shape[:2]
        except MediaError as error:
            faults.append(error)
        else:
            sizes[path.name] = (width, height)
        progress(f"unlabelled photos: {len(sizes)} read", (i + 1) / len(paths))
    if not sizes:
        raise faults[0]
    size, _ = Counter(sizes.values()).most_common(1)[0]
    known = [i for i, path in enumerate(paths) if sizes.get(path.name) == size]
    return {
        "images": [paths[i].name for i in known],
        "timestamps_s": [i / fps for i in known],
        "size": list(size),
        "left_out": [path.name for path in paths if sizes.get(path.name) != size],
    }
