"""Augmentation whose labels are exact: colour, camera rotation by homography, motion by depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from sightline.geometry import Camera
from sightline.learning.cache import FrameSize

#: Rounds in which the depth along a moved camera's rays is found.
_GUESSES = 5
#: A surface nearer to the moved camera than this, as a share of what it was, is held there.
_NEAREST = 0.1


class CameraRotation:
    """Images as the same camera would have taken them, turned about its centre.

    A rotation about the centre of projection moves pixels by a homography, whatever the depth; so
    the new image is exact where the old one shows it, and its pose is ``world_from_old @ turn``.
    The lens's distortion is undone and done again, so the new image has the same lens. What the
    old image does not show becomes zero.
    """

    def __init__(self, camera: Camera, size: FrameSize, source: FrameSize | None = None) -> None:
        """Prepare the rays of a frame's pixels.

        Args:
            camera: The camera of the whole pictures.
            size: The frames that come out.
            source: The frames that go in, of another resolution; the same where None.
        """
        self._camera = camera
        self._box = (source or size).source_box(camera.width, camera.height)
        pixels = size.pixel_centres(camera.width, camera.height)
        self._rays = torch.from_numpy(camera.unproject(pixels)).float()

    def __call__(self, frames: Tensor, old_from_new: Tensor) -> Tensor:
        """Return (N, C, height, width) turned frames.

        Args:
            frames: (N, C, H, W) of the source size.
            old_from_new: (N, 3, 3) turns of the camera.
        """
        return self.seen_along(frames, self.turned_rays(old_from_new))

    def turned_rays(self, old_from_new: Tensor) -> Tensor:
        """Return (N, height, width, 3) the new image's rays, in the old camera's frame."""
        return torch.einsum("nij,hwj->nhwi", old_from_new, self._rays.to(old_from_new.device))

    def seen_along(
        self, frames: Tensor, rays: Tensor, outside: Literal["zeros", "border"] = "zeros"
    ) -> Tensor:
        """Return (N, C, height, width) what frames show along rays from the old camera.

        Args:
            frames: (N, C, H, W) of the source size.
            rays: (N, height, width, 3) in the old camera's frame, of any length.
            outside: What a frame shows beyond its edge.
        """
        return torch.nn.functional.grid_sample(
            frames, self._to_grid(rays), mode="bilinear", padding_mode=outside, align_corners=False
        )

    def _to_grid(self, rays: Tensor) -> Tensor:
        camera = self._camera
        behind = rays[..., 2] <= 1e-3
        depth = rays[..., 2].clamp(min=1e-3)
        x, y = rays[..., 0] / depth, rays[..., 1] / depth
        if camera.distortion:
            # far outside the picture the polynomial may fold back into it
            limit = float(self._rays[..., :2].square().sum(-1).max()) * 2.25
            behind = behind | (x * x + y * y > limit)
            x, y = _distort(x, y, camera.distortion)
        left, top, right, bottom = self._box
        u = (camera.fx * x + camera.cx + 0.5 - left) / (right - left) * 2 - 1
        v = (camera.fy * y + camera.cy + 0.5 - top) / (bottom - top) * 2 - 1
        grid = torch.stack([u, v], dim=-1)
        return torch.where(behind[..., None], torch.full_like(grid, 3.0), grid)


class CameraMotion:
    """Images as the same camera would have taken them, turned and moved, by the depth they show.

    The depth along a ray of the new image is guessed, the old image says what it is there, and so
    on. Exact where the depth is known and nothing stands before it; what a near thing hid is drawn
    out from beside it. What the old image does not show becomes zero.
    """

    def __init__(
        self, camera: Camera, size: FrameSize, source: FrameSize, depths: FrameSize
    ) -> None:
        """Prepare the rays of a frame's pixels.

        Args:
            camera: The camera of the whole pictures.
            size: The frames that come out.
            source: The frames that go in.
            depths: The inverse depths that go in, as frames.
        """
        self._images = CameraRotation(camera, size, source)
        self._depths = CameraRotation(camera, size, depths)

    def __call__(
        self, frames: Tensor, inverse_depths: Tensor, old_from_new: Tensor, shift: Tensor
    ) -> Tensor:
        """Return (N, C, height, width) frames of the moved cameras.

        Args:
            frames: (N, C, H, W) of the source size.
            inverse_depths: (N, h, w) one over the z-depth; 0 is infinitely far.
            old_from_new: (N, 3, 3) turns of the camera.
            shift: (N, 3) where the new camera stands, in the old one's frame.
        """
        return self._images.seen_along(frames, self.towards(inverse_depths, old_from_new, shift))

    def towards(self, inverse_depths: Tensor, old_from_new: Tensor, shift: Tensor) -> Tensor:
        """Return (N, height, width, 3) rays from the old camera to what the new pixels show.

        The arguments are those of a call.
        """
        rays = self._images.turned_rays(old_from_new)
        moved, forward = shift[:, None, None], old_from_new[:, None, None, :, 2]
        along = (forward * moved).sum(dim=-1)
        inverse, towards = inverse_depths[:, None], rays
        for _ in range(_GUESSES):
            # the point that the old image shows there, and its depth before the new camera
            near = self._depths.seen_along(inverse, towards, "border")[:, 0] * towards[..., 2]
            ahead = (forward * towards).sum(dim=-1) - along * near
            towards = rays + (near / ahead.clamp(min=_NEAREST))[..., None] * moved
        return towards


@dataclass(frozen=True, eq=False)
class FrameDepths:
    """What moves the cameras of some frames.

    Attributes:
        motion: Moves a camera by the depth that its frame shows.
        inverse: (N, h, w) the frames' inverse depths.
    """

    motion: CameraMotion
    inverse: Tensor

    def moved(
        self, images: Tensor, rows: NDArray[np.int64], old_from_new: Tensor, shift: Tensor
    ) -> Tensor:
        """Return (M, C, height, width) images of the frames of some rows from moved cameras."""
        return self.motion(images, self.inverse[torch.from_numpy(rows)], old_from_new, shift)


def random_turns(
    generator: np.random.Generator, count: int, limits_deg: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return (count, 3, 3) camera turns, uniform in yaw, pitch and roll up to the limits."""
    limits = np.asarray(limits_deg)
    angles = generator.uniform(-limits, limits, (count, 3))
    matrices: NDArray[np.float64] = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    return matrices


def change_colour(generator: np.random.Generator, images: Tensor, amount: float) -> Tensor:
    """Return normalised images with contrast and channel offsets changed by up to ``amount``."""
    count = len(images)
    contrast = 1.0 + generator.uniform(-amount, amount, (count, 1, 1, 1))
    offset = generator.uniform(-amount, amount, (count, 3, 1, 1))
    shade = generator.uniform(-amount, amount, (count, 1, 1, 1))

    def tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(images)

    return images * tensor(contrast) + tensor(offset + shade)


def _distort(x: Tensor, y: Tensor, coefficients: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    k1, k2, p1, p2 = (*coefficients, 0.0, 0.0, 0.0)[:4]
    r2 = x * x + y * y
    radial = 1.0 + k1 * r2 + k2 * r2 * r2
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )
