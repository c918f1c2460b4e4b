"""A place out of ``poses.json``: of images with poses, or of a video whose frames have poses.

:mod:`sightline.datasets.posed_json` says what stands in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sightline.datasets.layouts import below_one_folder, what_is_there
from sightline.datasets.posed_json import (
    POSES_JSON,
    is_of_video,
    read_poses_json,
    read_video_poses,
)
from sightline.errors import InputError
from sightline.media import iter_frames, probe_video, write_photo
from sightline.records import Place, PosedFrame
from sightline.records.files import atomic_path, digest, digest_files
from sightline.records.place import taken_back_on_failure
from sightline.records.posed_images import check_metres_per_unit, place_from_frames, put_frames

_VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")

Progress = Callable[[str, float], None]


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    metres_per_unit: float | None = None,
    progress: Progress | None = None,
) -> Place:
    """Return a place made of a folder with ``poses.json``, with its cameras and its split.

    Args:
        source: The folder, with the images or one video; or the file itself.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        metres_per_unit: What a unit of the file is in metres, where the file does not say.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The file, an image or the video is missing or does not read.
        PlaceError: ``root`` holds other things.
    """
    source = Path(source)
    path = source / POSES_JSON if source.is_dir() else source
    check_metres_per_unit(metres_per_unit)
    if is_of_video(path):
        if link:
            raise InputError(f"{path}: frames of a video cannot be linked; leave out --link")
        return _place_of_video(path, Path(root), metres_per_unit, progress)
    views, unit = read_poses_json(path)
    images_root, names = below_one_folder([path.parent / view.image for view in views])
    frames = [
        PosedFrame(name, view.time_s, view.world_from_cam, view.split)
        for name, view in zip(names, views, strict=True)
    ]
    cameras = {n: view.camera for n, view in zip(names, views, strict=True) if view.camera}
    return place_from_frames(
        root,
        frames,
        images_root,
        unit=unit,
        metres_per_unit=metres_per_unit,
        source=path.parent,
        cameras=cameras,
        link=link,
        progress=progress,
    )


def _place_of_video(
    path: Path, root: Path, metres_per_unit: float | None, progress: Progress | None
) -> Place:
    video = _video_beside(path)
    info = probe_video(video)
    known = read_video_poses(path, info.width, info.height)
    numbers = sorted(known.poses)
    made_of = digest("video-frames-1", digest_files([video], names=False), numbers)

    def put_images() -> None:
        with atomic_path(place.images_dir) as folder:
            folder.mkdir()
            times_s = _write_frames(video, folder, numbers, progress)
        place.write_frames([PosedFrame(_name(n), times_s[n], None) for n in numbers])

    with taken_back_on_failure(root):
        place = Place.create(root, source=str(path.parent.resolve()))
        place.stage("images", made_of, [place.images_dir, place.poses_path], put_images)
    times_s = {frame.image: frame.timestamp_s for frame in place.frames()}
    frames = [
        PosedFrame(_name(n), times_s.get(_name(n)), known.poses[n], known.splits.get(n, ""))
        for n in numbers
    ]
    names = [frame.image for frame in frames]
    cameras = {_name(n): camera for n, camera in known.cameras.items()}
    put_frames(
        place, frames, names, unit=known.unit, metres_per_unit=metres_per_unit, cameras=cameras
    )
    return place


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _video_beside(path: Path) -> Path:
    videos = sorted(p for p in path.parent.iterdir() if p.suffix.lower() in _VIDEO_SUFFIXES)
    if len(videos) != 1:
        came = ", ".join(p.name for p in videos) or what_is_there(path.parent)
        raise InputError(f"{path.parent}: one video is wanted beside {path.name}, {came} came")
    return videos[0]


def _write_frames(
    video: Path, folder: Path, numbers: list[int], progress: Progress | None
) -> dict[int, float]:
    """Write the numbered frames of a video; return their times in seconds."""
    times_s: dict[int, float] = {}
    wanted = set(numbers)
    count = 0
    for frame in iter_frames(video):
        count = frame.index + 1
        if frame.index in wanted:
            write_photo(folder / _name(frame.index), frame.image, chroma="4:2:0")
            times_s[frame.index] = frame.timestamp_s
            if progress:
                progress("frames of the video", len(times_s) / len(numbers))
    missing = [number for number in numbers if number not in times_s]
    if missing:
        raise InputError(
            f"{video}: frame {missing[0]} is wanted by its poses ({len(missing)} are missing), the "
            f"video has {count} frames"
        )
    return times_s
