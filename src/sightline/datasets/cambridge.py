"""Cambridge Landmarks (Kendall et al. 2015), in its official layout.

``SCENE/dataset_train.txt`` and ``dataset_test.txt``: three lines of header, then lines of
``ImageFile X Y Z W P Q R``. X Y Z is the camera's centre in metres; W P Q R is the rotation from
the **world to the camera**, ``wxyz``, as VisualSFM gives it (OpenCV axes).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import Place, PosedFrame
from sightline.records.posed_images import place_from_frames

_HEADER = ("visual landmark dataset", "imagefile,")
#: Quaternions are printed with few digits; one further from unit length is something else.
_UNIT_WITHIN = 0.01


def read_list(path: Path, split: str) -> list[PosedFrame]:
    """Return the frames of a ``dataset_train.txt`` or ``dataset_test.txt``, in its order.

    A line whose numbers are NaN or infinite gives a frame without a pose.

    Args:
        path: The list.
        split: What its frames are for.

    Raises:
        InputError: The file is missing or names no image, or a line is something else; the
            message names the line.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is wanted; is {path.parent} one scene of Cambridge Landmarks, unpacked?"
        )
    frames = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.strip().lower().startswith(_HEADER):
            continue
        try:
            image, pose = _parse(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        frames.append(PosedFrame(image, None, pose, split))
    if not frames:
        raise InputError(f"{path}: images with poses are wanted, the file names none")
    return frames


def read_scene(scene: str | Path) -> list[PosedFrame]:
    """Return all frames of a scene with the official split, training frames first.

    Raises:
        InputError: A list is missing or does not read, or names an image that is in the other one.
    """
    scene = Path(scene)
    train = read_list(scene / "dataset_train.txt", "train")
    test = read_list(scene / "dataset_test.txt", "test")
    both = {frame.image for frame in train} & {frame.image for frame in test}
    if both:
        raise InputError(f"{scene}: {min(both)} is in the training and in the test split")
    return train + test


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return a place made of one scene, with its poses in metres and its official split.

    Args:
        source: Folder of the scene.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The scene is not complete.
        PlaceError: ``root`` holds other things.
    """
    source = Path(source)
    return place_from_frames(
        root, read_scene(source), source, unit="m", link=link, progress=progress
    )


def _parse(line: str) -> tuple[str, Pose | None]:
    wanted = "`image x y z qw qx qy qz`"
    cells = line.split()
    if len(cells) != 8:
        raise ValueError(f"{wanted} is wanted, {line.strip()!r} came")
    try:
        numbers = [float(cell) for cell in cells[1:]]
    except ValueError as error:
        raise ValueError(f"{wanted} is wanted ({error})") from error
    if not all(map(math.isfinite, numbers)):
        return cells[0], None
    centre, cam_from_world_wxyz = np.array(numbers[:3]), np.array(numbers[3:])
    norm = float(np.linalg.norm(cam_from_world_wxyz))
    if abs(norm - 1.0) > _UNIT_WITHIN:
        raise ValueError(f"a unit quaternion is wanted, one of norm {norm:.3g} came")
    # The centre is the camera's place in the world already: only the rotation is inverted.
    return cells[0], Pose(cam_from_world_wxyz * [1.0, -1.0, -1.0, -1.0], centre)
