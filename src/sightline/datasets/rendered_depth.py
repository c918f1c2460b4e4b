"""Depth of the images of a pair set, such as the rendered rooms: ``NNN.depth.png`` beside each."""

from __future__ import annotations

from pathlib import Path

from sightline.datasets.left_out import LeftOut
from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.media import list_photos
from sightline.records.depth import DepthImage, DepthSet, Intrinsics
from sightline.records.pairs import PAIRS_CSV, depth_beside, read_pair_set


def is_pair_set(path: Path) -> bool:
    """Return whether a folder is a pair set."""
    return (path / PAIRS_CSV).is_file()


def read_pairs_depth(path: Path, _left_out: LeftOut) -> DepthSet:
    """Return all images that have depth in the folders that pairs are of; splits are the pairs'.

    Raises:
        InputError: The pairs do not read, or no image has depth.
    """
    pairs = read_pair_set(path)
    scenes: dict[Path, tuple[str, str]] = {}
    cameras: dict[Path, Camera] = {}
    for pair in pairs.pairs:
        for image, camera in ((pair.image_a, pair.camera_a), (pair.image_b, pair.camera_b)):
            scenes.setdefault(image.parent, (pair.scene, pair.split))
            if camera is not None:
                cameras[image] = camera
    items = []
    for folder, (scene, split) in scenes.items():
        photos = (p for p in list_photos(path / folder) if not p.name.endswith(".depth.png"))
        for photo in photos:
            image, depth = folder / photo.name, folder / depth_beside(photo).name
            if (path / depth).is_file():
                pinhole = _pinhole(cameras.get(image))
                items.append(
                    DepthImage(image, depth, split=split, source=scene, intrinsics=pinhole)
                )
    if not items:
        raise InputError(
            f"{path}: image pairs with depth beside the images (000.jpg, 000.depth.png) are "
            "wanted, none of them has it"
        )
    return DepthSet(pairs.name, path, tuple(items))


def _pinhole(camera: Camera | None) -> Intrinsics | None:
    """Return a camera without distortion; depth of another is of no pinhole picture."""
    if camera is None or any(camera.distortion):
        return None
    return camera.fx, camera.fy, camera.cx, camera.cy
