"""TUM RGB-D (Sturm et al. 2012): ``rgb.txt`` lists images, ``groundtruth.txt`` is a trajectory."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.records import Place, PosedFrame
from sightline.records.posed_images import place_from_frames
from sightline.records.tum import associate, read_tum


def read_image_list(path: Path) -> list[tuple[float, str]]:
    """Return (timestamp in seconds, file name) of each line of a ``rgb.txt``.

    Raises:
        InputError: The file is missing or empty, or a line is something else.
    """
    if not path.is_file():
        raise InputError(f"{path} is wanted; is its folder one TUM RGB-D sequence, unpacked?")
    images = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        stamp, _, name = line.strip().partition(" ")
        try:
            seconds = float(stamp)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds) or not name.strip():
            raise InputError(f"{path}, line {number}: `timestamp file` is wanted, {line!r} came")
        images.append((seconds, name.strip()))
    if not images:
        raise InputError(f"{path}: a list of images is wanted, the file names none")
    return images


def read_sequence(folder: str | Path, *, max_gap_s: float = 0.02) -> list[PosedFrame]:
    """Return the frames of a sequence; ``image`` is relative to its folder.

    Args:
        folder: Folder with ``rgb.txt``, ``groundtruth.txt`` and ``rgb/``.
        max_gap_s: A frame with no ground truth as close as this has no pose.

    Raises:
        InputError: A file is missing or does not read.
    """
    folder = Path(folder)
    images = read_image_list(folder / "rgb.txt")
    truth_s, world_from_cam = read_tum(folder / "groundtruth.txt")
    pairs = associate(np.array([stamp for stamp, _ in images]), truth_s, max_gap_s)
    pose_of = {int(i): world_from_cam[int(j)] for i, j in pairs}
    return [PosedFrame(name, stamp, pose_of.get(i)) for i, (stamp, name) in enumerate(images)]


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return a place made of one sequence, with its poses in metres and no split yet.

    Args:
        source: Folder of the sequence.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The sequence is not complete.
        PlaceError: ``root`` holds other things.
    """
    source = Path(source)
    return place_from_frames(
        root, read_sequence(source), source, unit="m", link=link, progress=progress
    )
