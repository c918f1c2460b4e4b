"""Microsoft 7-Scenes (Shotton et al. 2013), in its official layout.

``SCENE/TrainSplit.txt`` and ``TestSplit.txt`` name sequences (``sequence1``), which lie in
``SCENE/seq-01/frame-000000.{color.png,depth.png,pose.txt}``. The poses are the depth camera's;
the colour images come from the camera beside it and are not registered to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sightline.errors import InputError
from sightline.records import Place, PosedFrame
from sightline.records.posed_images import place_from_frames
from sightline.records.seven_scenes import read_pose_txt

FRAMES_PER_SECOND = 30.0
#: Between the sequences of a scene, which were recorded apart.
GAP_S = 10.0


def read_split(scene: Path, split: str) -> list[str]:
    """Return the sequence folders (``seq-01``) of a scene's ``train`` or ``test`` part.

    Raises:
        InputError: The split file is missing, empty, or names something else.
    """
    path = scene / f"{split.capitalize()}Split.txt"
    if not path.is_file():
        raise InputError(f"{path} is wanted; is {scene} one scene of 7-Scenes, unpacked?")
    names = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"(?:sequence|seq-?)(\d+)", line.strip(), flags=re.IGNORECASE)
        if not match:
            raise InputError(f"{path}, line {number}: sequenceN is wanted, {line.strip()!r} came")
        names.append(f"seq-{int(match[1]):02d}")
    if not names:
        raise InputError(f"{path}: names of sequences are wanted, the file is empty")
    return names


def read_sequence(scene: Path, sequence: str, split: str = "") -> list[PosedFrame]:
    """Return the frames of one sequence, in order; ``image`` is relative to the scene.

    Each image is paired with its pose by the frame's number (PITFALLS 14).

    Raises:
        InputError: The folder is missing or empty, or an image has no pose file.
    """
    images = sorted((scene / sequence).glob("frame-*.color.png"))
    if not images:
        raise InputError(f"{scene / sequence}: frame-*.color.png files are wanted, none is there")
    frames = []
    for image in images:
        stem = image.name.removesuffix(".color.png")
        number = stem.removeprefix("frame-")
        if not number.isdecimal():
            raise InputError(f"{image}: frame-NUMBER.color.png is wanted as a name")
        pose = read_pose_txt(image.with_name(f"{stem}.pose.txt"))
        name = image.relative_to(scene).as_posix()
        frames.append(PosedFrame(name, int(number) / FRAMES_PER_SECOND, pose, split))
    return frames


def read_scene(scene: str | Path) -> list[PosedFrame]:
    """Return all frames of a scene with the official split, training sequences first.

    Timestamps run at 30 frames a second and go on from sequence to sequence, with a gap between:
    were each to start at zero, sorting by time would shuffle the sequences into one another.

    Raises:
        InputError: A file of the layout is missing, or a sequence is in both parts.
    """
    scene = Path(scene)
    parts = {split: read_split(scene, split) for split in ("train", "test")}
    both = set(parts["train"]) & set(parts["test"])
    if both:
        raise InputError(f"{scene}: {min(both)} is in the training and in the test split")
    frames: list[PosedFrame] = []
    start_s = 0.0
    for split, sequences in parts.items():
        for sequence in sequences:
            for frame in read_sequence(scene, sequence, split):
                stamp = start_s + (frame.timestamp_s or 0.0)
                frames.append(PosedFrame(frame.image, stamp, frame.world_from_cam, split))
            start_s = (frames[-1].timestamp_s or 0.0) + GAP_S
    return frames


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
