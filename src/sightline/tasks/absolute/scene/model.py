"""A trained scene-coordinate network that answers: cells to points, points to a pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.learning.cache import FrameSize, read_frames
from sightline.media.photo import exif_focal_px, photo_size
from sightline.records.colmap import estimate_absolute_pose
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.samples import network_size
from sightline.tasks.absolute.scene.network import SceneNet
from sightline.tasks.absolute.scene.samples import cells_size

#: Share of the cells that PnP is given, the likeliest.
_ASKED = 0.6


@dataclass(frozen=True, eq=False)
class SceneAnswer:
    """What came of one image.

    Attributes:
        world_from_cam: None where too few cells agree on a pose.
        inliers: Cells that agree with it (0 where there is none).
        cells: Cells that were asked.
    """

    world_from_cam: Pose | None
    inliers: int
    cells: int


@dataclass(frozen=True, eq=False)
class SceneModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        size: How pictures become its images.
        config: What it was trained with.
        camera: Of the pictures it was trained on.
    """

    network: SceneNet
    size: FrameSize
    config: AbsoluteConfig
    camera: Camera

    @classmethod
    def ready(cls, network: SceneNet, config: AbsoluteConfig, camera: Camera) -> SceneModel:
        """Return a network in eval mode as a model that answers."""
        network.eval()
        network.requires_grad_(False)
        return cls(network, network_size(config), config, camera)

    def predict(self, images: Sequence[NDArray[np.uint8]], batch: int = 32) -> list[Pose | None]:
        """Return world_from_cam of upright uint8 (H, W, 3) RGB images of any size, or None.

        An image of another shape is taken to have the training camera's field of view.
        """
        return [answer.world_from_cam for answer in self.answer(images, batch)]

    def predict_frames(self, frames: NDArray[np.uint8], batch: int = 32) -> list[Pose | None]:
        """Return world_from_cam, or None, of frames of pictures by the training camera.

        Args:
            frames: (N, height, width, 3) of the network's size.
            batch: Frames the network is given at once.
        """
        cameras = [self.camera] * len(frames)
        return [answer.world_from_cam for answer in self.answer_frames(frames, cameras, batch)]

    def predict_files(
        self,
        files: Sequence[Path],
        frames: NDArray[np.uint8] | None = None,
        cameras: Sequence[Camera | None] = (),
    ) -> list[Pose | None]:
        """Return world_from_cam, or None, of image files.

        Args:
            files: Of any size and shape.
            frames: (N, height, width, 3) of them in the network's size; read where not given.
            cameras: N of the whole pictures. Where one is not known, EXIF tells its focal length;
                else a picture has the training camera's field of view.

        Raises:
            MediaError: A file does not read.
        """
        known = cameras or [None] * len(files)
        pairs = zip(files, known, strict=True)
        taken_by = [self._camera_of(file, camera) for file, camera in pairs]
        if frames is None:
            frames = read_frames(files, self.size)
        return [answer.world_from_cam for answer in self.answer_frames(frames, taken_by)]

    def _camera_of(self, file: Path, known: Camera | None) -> Camera:
        from sightline.reconstruction.refine import camera_for_photo

        focal_px = exif_focal_px(file) if known is None else None
        return camera_for_photo(known or self.camera, *photo_size(file), focal_px)

    def answer(self, images: Sequence[NDArray[np.uint8]], batch: int = 32) -> list[SceneAnswer]:
        """Return what came of upright uint8 (H, W, 3) RGB images of any size.

        Raises:
            InputError: Not uint8 (H, W, 3) images.
        """
        from sightline.reconstruction.refine import camera_for_photo

        if not images:
            return []
        frames = np.stack([self.size.resize_array(image) for image in images])
        sizes = [(image.shape[1], image.shape[0]) for image in images]
        cameras = [camera_for_photo(self.camera, *size, focal_px=None) for size in sizes]
        return self.answer_frames(frames, cameras, batch)

    def answer_frames(
        self, frames: NDArray[np.uint8], cameras: Sequence[Camera], batch: int = 32
    ) -> list[SceneAnswer]:
        """Return what came of frames.

        Args:
            frames: (N, height, width, 3) of the network's size.
            cameras: N cameras of the whole pictures that the frames were made of.
            batch: Frames the network is given at once.
        """
        device = self.network.centres.device
        answers = []
        for start in range(0, len(frames), batch):
            part = torch.from_numpy(np.ascontiguousarray(frames[start : start + batch]))
            with torch.inference_mode():
                inputs = self.network.contract.normalise(part.permute(0, 3, 1, 2))
                points, likely = self.network.decode(inputs.to(device))
            said, sure = points.double().cpu().numpy(), likely.float().cpu().numpy()
            for i, camera in enumerate(cameras[start : start + batch]):
                answers.append(solve(said[i], sure[i], camera, self.config))
        return answers


def solve(
    points: Array, likely: NDArray[np.float32], camera: Camera, config: AbsoluteConfig
) -> SceneAnswer:
    """Return the pose that most of an image's cells agree on.

    Args:
        points: (h, w, 3) the world's point in each cell.
        likely: (h, w) how likely it is; the least likely cells are not asked.
        camera: Of the whole picture.
        config: How cells lie in the picture, and what an inlier is.
    """
    pixels = cells_size(config).pixel_centres(camera.width, camera.height).reshape(-1, 2)
    count = max(round(_ASKED * likely.size), min(likely.size, config.min_inliers))
    asked = np.sort(np.argsort(-likely.ravel(), kind="stable")[:count])
    found = estimate_absolute_pose(
        pixels[asked],
        points.reshape(-1, 3)[asked],
        camera,
        max_error_px=config.max_error * max(camera.width, camera.height),
        min_inliers=config.min_inliers,
        seed=config.seed,
    )
    if found is None:
        return SceneAnswer(None, 0, count)
    return SceneAnswer(found.world_from_cam, int(found.inliers.sum()), count)
