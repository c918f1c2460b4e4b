"""The floor plan: where the world lies on it, and where one can walk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.records.files import read_toml, write_toml


@dataclass(frozen=True, eq=False)
class FloorPlan:
    """A floor plan image and the map from the world's floor to its pixels.

    The world is z up; the plan looks down on it. Pixel (0, 0) is the centre of the plan's
    top-left pixel.

    Attributes:
        image: Path of the plan picture.
        walkable: Path of the mask (white = walkable), or None.
        width: Plan width in pixels.
        height: Plan height in pixels.
        px_from_world: (2, 3) affine map of (x, y, 1) to (u, v).
    """

    image: Path
    walkable: Path | None
    width: int
    height: int
    px_from_world: Array

    def __post_init__(self) -> None:
        affine = np.asarray(self.px_from_world, dtype=np.float64)
        if affine.shape != (2, 3) or not np.isfinite(affine).all():
            raise InputError(f"a finite (2, 3) px_from_world is wanted, {affine.tolist()} came")
        stretch = np.linalg.svd(affine[:, :2], compute_uv=False)
        if stretch[1] <= 1e-9 * stretch[0]:
            raise InputError("px_from_world maps the floor to a line; check the plan's alignment")
        object.__setattr__(self, "px_from_world", affine)

    @property
    def px_per_unit(self) -> float:
        """Pixels per metre (per unit of the world)."""
        return float(np.sqrt(abs(np.linalg.det(self.px_from_world[:, :2]))))

    def to_px(self, points: ArrayLike) -> Array:
        """Return (..., 2) plan pixels of (..., 2 or 3) world points; the height is ignored."""
        xy = np.asarray(points, dtype=np.float64)[..., :2]
        px: Array = xy @ self.px_from_world[:, :2].T + self.px_from_world[:, 2]
        return px

    def to_world(self, px: ArrayLike) -> Array:
        """Return (..., 2) world x, y of (..., 2) plan pixels."""
        uv = np.asarray(px, dtype=np.float64) - self.px_from_world[:, 2]
        xy: Array = uv @ np.linalg.inv(self.px_from_world[:, :2]).T
        return xy

    def heading_deg(self, world_from_cam: Pose) -> Array:
        """Return where cameras look on the plan: degrees clockwise from the plan's up, [0, 360)."""
        uv = world_from_cam.rotation_matrix[..., :2, 2] @ self.px_from_world[:, :2].T
        return _clockwise_from_up(uv[..., 0], -uv[..., 1])

    def walkable_mask(self) -> NDArray[np.bool_]:
        """Return the (height, width) mask; all True where the plan has none."""
        if self.walkable is None:
            return np.ones((self.height, self.width), dtype=bool)
        with _open_picture(self.walkable) as picture:
            mask = np.asarray(picture.convert("L")) > 127
        if mask.shape != (self.height, self.width):
            raise InputError(
                f"{self.walkable}: a mask of the plan's size {self.width}x{self.height} is wanted, "
                f"{mask.shape[1]}x{mask.shape[0]} came"
            )
        return mask

    def write(self, path: Path) -> None:
        """Write ``plan.toml``; it names the pictures, which lie beside it."""
        write_toml(
            path,
            {
                "image": self.image.name,
                "walkable": self.walkable.name if self.walkable else None,
                "width": self.width,
                "height": self.height,
                "px_from_world": self.px_from_world.tolist(),
            },
        )

    @classmethod
    def read(cls, path: Path) -> FloorPlan:
        """Return the plan of a ``plan.toml``.

        Raises:
            InputError: A key is missing, or the picture is missing or of another size.
        """
        content = read_toml(path)
        try:
            image = path.parent / content["image"]
            walkable = path.parent / content["walkable"] if "walkable" in content else None
            plan = cls(
                image,
                walkable,
                int(content["width"]),
                int(content["height"]),
                np.asarray(content["px_from_world"], dtype=np.float64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a plan.toml ({error!r})") from error
        with _open_picture(image) as picture:
            if picture.size != (plan.width, plan.height):
                raise InputError(
                    f"{image}: {plan.width}x{plan.height} is wanted (plan.toml), "
                    f"{picture.width}x{picture.height} came; align again with this plan"
                )
        return plan


@contextmanager
def _open_picture(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is wanted beside plan.toml; there is no such file. Align again with the plan"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken pictures
        raise InputError(f"{path}: a picture is wanted, it does not read ({error})") from error


def heading_without_plan_deg(world_from_cam: Pose) -> Array:
    """Return headings in degrees clockwise from the world's +y, for places with no plan."""
    forward = world_from_cam.rotation_matrix[..., :2, 2]
    return _clockwise_from_up(forward[..., 0], forward[..., 1])


def _clockwise_from_up(right: Array, up: Array) -> Array:
    # Twice, because the remainder of a tiny negative angle rounds to 360 itself.
    angle: Array = np.mod(np.mod(np.rad2deg(np.arctan2(right, up)), 360.0), 360.0)
    return angle
