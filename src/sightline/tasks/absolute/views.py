"""Other views of a place's frames: cameras turned, and moved by the map's depth, for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from sightline.geometry import Camera
from sightline.learning.cache import FrameSize
from sightline.records import Place, PosedFrame
from sightline.records.cameras import place_cameras
from sightline.records.files import digest_files
from sightline.tasks.absolute.augment import CameraMotion, CameraRotation, FrameDepths
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import network_size, source_size

Progress = Callable[[str, float], None]


def training_views(
    place: Place, config: AbsoluteConfig, frames: Sequence[PosedFrame], progress: Progress
) -> tuple[CameraRotation | None, FrameDepths | None]:
    """Return what turns the cameras of training frames, and what moves them; None where not asked.

    Args:
        place: With a map, where cameras are to move.
        config: How far they are turned and moved.
        frames: The training frames.
        progress: Called with a text and the fraction done.

    Raises:
        PlaceError: There is no map, or several cameras took the frames.
    """
    if not config.augments_rotation:
        return None, None
    size, source = network_size(config), source_size(config)
    if not config.augment_shift:
        return CameraRotation(turning_camera(place, frames, progress), size, source), None
    from sightline.tasks.absolute.scene.depth_maps import ObservedPoints, filled

    observed = ObservedPoints.read(place, [f.image for f in frames], "--augment-shift")
    camera, coarse = observed.camera, depth_size(config)
    rays = camera.unproject(coarse.pixel_centres(camera.width, camera.height))
    inverse = torch.from_numpy(filled(observed.inverse_depths(frames, rays)))
    depths = FrameDepths(CameraMotion(camera, size, source, coarse), inverse)
    return CameraRotation(camera, size, source), depths


def depth_size(config: AbsoluteConfig) -> FrameSize:
    """Return the size at which frames' inverse depths are kept: half of the network's."""
    return FrameSize(-(-config.width // 2), -(-config.height // 2), config.crop)


def map_digest(place: Place) -> str:
    """Return the digest of the place's map; of nothing where it has none."""
    return digest_files(sorted(path for path in place.model_dir.glob("*") if path.is_file()))


def turning_camera(place: Place, frames: Sequence[PosedFrame], progress: Progress) -> Camera:
    """Return the camera that all frames are turned by: of several, the one of middle focal length.

    Args:
        place: Names the cameras, or not.
        frames: The training frames.
        progress: Told what is assumed.
    """
    known = place_cameras(place, [frame.image for frame in frames])
    by_focal = sorted(known.values(), key=lambda c: c.fx / max(c.width, c.height))
    if not by_focal:
        with Image.open(place.images_dir / frames[0].image) as picture:
            camera = Camera.guess(*picture.size)
        progress("the place names no camera: a usual field of view is assumed", 0.0)
        return camera
    if len(set(by_focal)) > 1:
        progress("frames of several cameras: all are turned by the one of middle focal length", 0.0)
    return by_focal[len(by_focal) // 2]
