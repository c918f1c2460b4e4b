"""What is learned from and judged on: a place of the user's, or a floor rendered here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError
from sightline.records import Place, PosedFrame, read_poses_csv

#: In the folder of results: the rendered floor, its place and its control points.
FLOOR, FLOOR_QUICK = "floor", "floor-quick"
#: Frames a second that the map is made of; the paper's, and the quick demo's.
_FPS, _QUICK_FPS = 10.0, 3.0


@dataclass(frozen=True, eq=False)
class World:
    """A place, and another walk in it.

    Attributes:
        place: With poses and the parts train and test.
        walk: Folder of a walk that nothing is trained on; None where there is none.
        walk_frames: Its frames with poses.
        truth: The place's frames with their rendered poses; None where the place is the user's.
    """

    place: Place
    walk: Path | None = None
    walk_frames: tuple[PosedFrame, ...] = ()
    truth: Sequence[PosedFrame] | None = None


def open_world(place: Place, walk: Path | None) -> World:
    """Return a place of the user's with another walk, if any.

    Raises:
        InputError: The walk has no ``poses.csv``, no pose in it, or lacks pictures.
    """
    return World(place, walk, () if walk is None else read_walk(walk))


def rendered_world(
    folder: Path, *, quick: bool, walk: Path | None, progress: Callable[[str, float], None]
) -> World:
    """Return the demo's floor, rendered, mapped and aligned in a folder where it is not there yet.

    Args:
        folder: Of the results.
        quick: Of fewer frames.
        walk: Instead of the floor's own second walk.
        progress: Called with a text and the fraction done.

    Raises:
        RenderError: It cannot be rendered here.
        ReconstructionError: Its frames do not make a map.
    """
    from sightline.app.demo import FULL, QUICK, mapped_floor

    size, fps, name = (QUICK, _QUICK_FPS, FLOOR_QUICK) if quick else (FULL, _FPS, FLOOR)
    found = mapped_floor(
        folder / name,
        fps=fps,
        second_frames=size.second_frames,
        quality=size.quality,
        progress=progress,
    )
    second = walk or found.floor.second_truth.parent
    return World(found.place, second, read_walk(second), found.mapped)


def read_walk(walk: Path) -> tuple[PosedFrame, ...]:
    """Return a walk's frames with poses.

    Raises:
        InputError: There is no ``poses.csv``, no pose in it, or a picture is missing.
    """
    table = walk / "poses.csv"
    if not table.is_file():
        raise InputError(
            f"another walk, a folder with poses.csv and images, is wanted; {walk} has no poses.csv"
        )
    frames = tuple(f for f in read_poses_csv(table) if f.world_from_cam is not None)
    if not frames:
        raise InputError(f"{table} has no frame with a pose; a walk with poses is wanted")
    images = walk / "images" if (walk / "images").is_dir() else walk
    missing = next((f.image for f in frames if not (images / f.image).is_file()), None)
    if missing is not None:
        raise InputError(f"{table} names {missing}, which is not in {images}; put it there")
    return frames
