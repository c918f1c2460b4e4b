"""Methods at one image size, so that each sees the same pixels (Melekhov et al. 2017, 4.2-4.3)."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from sightline.errors import GeometryError, InputError
from sightline.records.views import RelativeEstimate, RelativeMethod, View
from sightline.tasks.relative.config import CROP_PX, RelativeConfig

Mode = Literal["full", "equal", "crop"]

#: Side of the paper's test images, and the shorter side before they are cropped.
SIDE_PX, SHORT_SIDE_PX = CROP_PX, 323

_TITLES: dict[str, str] = {
    "equal": f"resized {SIDE_PX}x{SIDE_PX}",
    "crop": f"short side {SHORT_SIDE_PX}, centre {SIDE_PX}x{SIDE_PX}",
}


@dataclass(frozen=True, eq=False)
class SizedMethod:
    """A method that is shown every image at one size, with the camera that belongs to it."""

    method: RelativeMethod
    mode: Literal["equal", "crop"]

    @property
    def name(self) -> str:
        """The method's name and the size."""
        return self._titled(self.method.name)

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return b_from_a; the time of resizing is counted."""
        began = time.perf_counter()
        try:
            views = sized_view(a, self.mode), sized_view(b, self.mode)
        except GeometryError as error:
            spent = time.perf_counter() - began
            return RelativeEstimate("failed", self.name, None, seconds=spent, reason=str(error))
        resizing = time.perf_counter() - began
        found = self.method.relate(*views)
        return dataclasses.replace(
            found, method=self._titled(found.method), seconds=found.seconds + resizing
        )

    def _titled(self, name: str) -> str:
        return f"{name} @ {_TITLES[self.mode]}"


def at_size(method: RelativeMethod, mode: str = "full") -> RelativeMethod:
    """Return a method that sees images at one size; its name says so.

    The paper's networks take the pixels as they then are, and scale nothing themselves.

    Args:
        method: Any.
        mode: ``full``: as they are; ``equal``: all resized to 227x227, aspect ratio lost, as the
            paper does for its comparison (4.3); ``crop``: scaled to a shorter side of 323, then
            the centre 227x227, as the paper's networks see them (4.2).

    Raises:
        InputError: Another mode.
    """
    if mode not in get_args(Mode):
        raise InputError(f"a size of {', '.join(get_args(Mode))} is wanted, {mode!r} came")
    if mode == "full":
        return method
    return SizedMethod(_as_they_are(method), "equal" if mode == "equal" else "crop")


def _as_they_are(method: RelativeMethod) -> RelativeMethod:
    """Return a paper's network without its own scaling to 323 pixels and crop; others unchanged."""
    config = getattr(method, "config", None)
    if not isinstance(config, RelativeConfig) or config.model == "siamese":
        return method
    own = dataclasses.replace(
        config, short_side=SIDE_PX, train_size=SIDE_PX, test_size=SIDE_PX, aspect=1.0
    )
    changed: RelativeMethod = dataclasses.replace(method, config=own)  # type: ignore[type-var]
    return changed


def sized_view(view: View, mode: Literal["equal", "crop"]) -> View:
    """Return a view at the paper's size, with the exact camera of the new image."""
    if mode == "equal":
        return resized_view(view, SIDE_PX, SIDE_PX, mode)
    height, width = view.image.shape[:2]
    scale = SHORT_SIDE_PX / min(height, width)
    size = max(round(width * scale), SHORT_SIDE_PX), max(round(height * scale), SHORT_SIDE_PX)
    scaled = resized_view(view, *size, "scaled")
    left, top = (size[0] - SIDE_PX) // 2, (size[1] - SIDE_PX) // 2
    return View(
        np.ascontiguousarray(scaled.image[top : top + SIDE_PX, left : left + SIDE_PX]),
        scaled.camera.cropped(left, top, SIDE_PX, SIDE_PX),
        view.camera_source,
        _key(view, mode),
    )


def resized_view(view: View, width: int, height: int, what: str) -> View:
    """Return a view at another size; the two axes may be scaled differently.

    Args:
        view: At any size.
        width: In pixels.
        height: In pixels.
        what: Goes into the key, so that features of one size are not taken for another's.
    """
    image = Image.fromarray(view.image).resize((width, height), Image.Resampling.LANCZOS)
    camera = view.camera.with_two_focals().resized(width, height)
    return View(np.asarray(image), camera, view.camera_source, _key(view, what))


def _key(view: View, what: str) -> str:
    return f"{view.key}@{what}" if view.key else ""
