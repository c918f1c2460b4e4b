"""A place made of images whose poses are known already, such as a public dataset."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.records.cameras import set_cameras
from sightline.records.files import atomic_path, digest
from sightline.records.frames import PosedFrame
from sightline.records.paper_csv import SPLIT_TABLES
from sightline.records.place import OLD_PLAN, Place, taken_back_on_failure

#: Writes the picture of a place from a file of the dataset.
Develop = Callable[[Path, Path], None]


def place_from_frames(
    root: str | Path,
    frames: Sequence[PosedFrame],
    images_root: Path,
    *,
    unit: str,
    metres_per_unit: float | None = None,
    source: Path | None = None,
    cameras: Mapping[str, Camera] | None = None,
    notes: Sequence[str] = (),
    develop: Mapping[str, Develop] | None = None,
    link: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return the place at ``root`` with these images and poses; it has no reconstruction.

    Folders in an image's name become part of it (``seq-01/a.png`` is ``seq-01_a.png``).

    Args:
        root: Folder of the place, new, empty, or made from the same ``source`` before.
        frames: Frames whose ``image`` is relative to ``images_root``.
        images_root: Folder of the images.
        unit: ``m``, or ``arbitrary``.
        metres_per_unit: Makes metres of the frames' lengths, where it is known.
        source: What the place is made of; ``images_root`` where not given.
        cameras: Of the images whose camera is known, by ``image``; not given: the place's stay.
        notes: What a user of the place should know; kept in ``place.toml``.
        develop: What writes an image (as JPEG), by ``image``, where a copy will not do.
        link: Make symbolic links where copies would fill the disk.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: There is no frame, an image is missing, or two names become one.
        PlaceError: ``root`` holds other things.
    """
    source = source or images_root
    check_metres_per_unit(metres_per_unit)
    develop = develop or {}
    names = [frame.image.replace("/", "_") for frame in frames]
    names = [
        Path(name).with_suffix(".jpg").name if frame.image in develop else name
        for frame, name in zip(frames, names, strict=True)
    ]
    if not frames:
        raise InputError(f"{source}: frames are wanted, there is none")
    if len(set(names)) != len(names):
        raise InputError(f"{images_root}: two images would have the same name in one folder")
    missing = [f.image for f in frames if not (images_root / f.image).is_file()]
    if missing:
        raise InputError(
            f"{images_root / missing[0]} is wanted ({len(missing)} of {len(frames)} images are "
            "missing); unpack the whole dataset"
        )
    sizes = [(images_root / frame.image).stat().st_size for frame in frames]

    def put_images() -> None:
        with atomic_path(place.images_dir) as folder:
            folder.mkdir()
            for i, (frame, name) in enumerate(zip(frames, names, strict=True)):
                origin = (images_root / frame.image).resolve()
                if frame.image in develop:
                    develop[frame.image](origin, folder / name)
                elif link:
                    (folder / name).symlink_to(origin)
                else:
                    shutil.copyfile(origin, folder / name)
                if progress:
                    progress("images", (i + 1) / len(frames))

    with taken_back_on_failure(Path(root)):
        place = Place.create(root, source=str(source.resolve()))
        place.stage("images", digest(names, sizes, link), [place.images_dir], put_images)
    put_frames(
        place,
        frames,
        names,
        unit=unit,
        metres_per_unit=metres_per_unit,
        cameras=cameras,
        notes=notes,
    )
    return place


def put_frames(
    place: Place,
    frames: Sequence[PosedFrame],
    names: Sequence[str],
    *,
    unit: str,
    metres_per_unit: float | None = None,
    cameras: Mapping[str, Camera] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write a place's poses and cameras, its images being there under their new names.

    The parts are the frames' own: tables of parts that the place had before go.

    Args:
        place: Is changed on disk.
        frames: Under the names they had.
        names: Their images in the place, frame by frame.
        unit: ``m``, or ``arbitrary``.
        metres_per_unit: Makes metres of the frames' lengths, where it is known.
        cameras: By the names they had; not given: the place's stay.
        notes: What a user of the place should know.
    """
    scale = 1.0 if metres_per_unit is None else metres_per_unit
    for table in SPLIT_TABLES:
        (place.root / f"{table}.csv").unlink(missing_ok=True)
    # an alignment and a plan belong to the poses that were there
    place.update(split=None, alignment=None)
    if place.plan_path.is_file():
        place.plan_path.replace(place.plan_path.with_name(OLD_PLAN))
    place.write_frames(
        [
            PosedFrame(name, f.timestamp_s, _scaled(f.world_from_cam, scale), f.split)
            for f, name in zip(frames, names, strict=True)
        ]
    )
    if cameras is not None:
        new_name = dict(zip((frame.image for frame in frames), names, strict=True))
        known = {new_name[image]: camera for image, camera in cameras.items()}
        set_cameras(place, known, names)
    place.update(unit=unit if metres_per_unit is None else "m", notes=list(notes) or None)


def check_metres_per_unit(metres_per_unit: float | None) -> None:
    """Let go on with a scale that can be one.

    Raises:
        InputError: It is not positive and finite.
    """
    if metres_per_unit is not None and not 0 < metres_per_unit < math.inf:
        raise InputError(f"positive metres per unit are wanted, {metres_per_unit:g} came")


def _scaled(pose: Pose | None, scale: float) -> Pose | None:
    return None if pose is None else Pose(pose.q_wxyz, scale * pose.translation)
