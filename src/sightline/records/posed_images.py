"""A place made of images whose poses are known already, such as a public dataset."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.errors import InputError
from sightline.records.files import atomic_path, digest
from sightline.records.frames import PosedFrame
from sightline.records.place import Place


def place_from_frames(
    root: str | Path,
    frames: Sequence[PosedFrame],
    images_root: Path,
    *,
    unit: str,
    link: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return the place at ``root`` with these images and poses; it has no reconstruction.

    Folders in an image's name become part of it (``seq-01/a.png`` is ``seq-01_a.png``).

    Args:
        root: Folder of the place, new, empty, or made from the same ``images_root`` before.
        frames: Frames whose ``image`` is relative to ``images_root``.
        images_root: Folder of the images.
        unit: ``m``, or ``arbitrary``.
        link: Make symbolic links where copies would fill the disk.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: There is no frame, an image is missing, or two names become one.
        PlaceError: ``root`` holds other things.
    """
    names = [frame.image.replace("/", "_") for frame in frames]
    if not frames:
        raise InputError(f"{images_root}: frames are wanted, there is none")
    if len(set(names)) != len(names):
        raise InputError(f"{images_root}: two images would have the same name in one folder")
    missing = [f.image for f in frames if not (images_root / f.image).is_file()]
    if missing:
        raise InputError(
            f"{images_root / missing[0]} is wanted ({len(missing)} of {len(frames)} images are "
            "missing); unpack the whole dataset"
        )
    place = Place.create(root, source=str(images_root.resolve()))

    def put_images() -> None:
        with atomic_path(place.images_dir) as folder:
            folder.mkdir()
            for i, (frame, name) in enumerate(zip(frames, names, strict=True)):
                origin = (images_root / frame.image).resolve()
                if link:
                    (folder / name).symlink_to(origin)
                else:
                    shutil.copyfile(origin, folder / name)
                if progress:
                    progress("images", (i + 1) / len(frames))

    sizes = [(images_root / frame.image).stat().st_size for frame in frames]
    place.stage("images", digest(names, sizes, link), [place.images_dir], put_images)
    place.write_frames(
        [
            PosedFrame(name, frame.timestamp_s, frame.world_from_cam, frame.split)
            for frame, name in zip(frames, names, strict=True)
        ]
    )
    place.update(unit=unit)
    return place
