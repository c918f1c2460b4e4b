"""Two views in, how the second camera stands to the first out: what every method speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError
from sightline.geometry import Camera, Pose
from sightline.media import exif_focal_px, read_photo
from sightline.records.pairs import ImagePair, PairSet

Status = Literal["ok", "rotation_only", "failed"]
CameraSource = Literal["given", "exif", "guess"]


@dataclass(frozen=True, eq=False)
class View:
    """One image of a pair.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        camera: Its intrinsics, of this very size.
        camera_source: Where they come from.
        key: Two views with the same key are the same image, so that features are taken once;
            empty where nothing is known.
    """

    image: NDArray[np.uint8]
    camera: Camera
    camera_source: CameraSource = "given"
    key: str = ""


@dataclass(frozen=True, eq=False)
class RelativeEstimate:
    """What a method says of a pair.

    Attributes:
        status: ``ok``; ``rotation_only`` where the camera turned and did not move (identical images
            too), so that there is no translation to tell; ``failed``.
        method: Its full name, such as ``sift+poselib``.
        b_from_a: ``x_b = R x_a + t``. None where failed; translation zero where ``rotation_only``.
        t_unit: ``direction`` (t has length 1) or ``m``.
        inliers: Matches that agree; None for a method without matches.
        matches: Matches there were; None for a method without.
        confidence: Probability of ROE and RTE both below 10 degrees, in [0, 1]; 0 where failed.
        seconds: Time it took, features included where they were not at hand.
        reason: Why it failed, in words; empty otherwise.
    """

    status: Status
    method: str
    b_from_a: Pose | None
    t_unit: Literal["direction", "m"] = "direction"
    inliers: int | None = None
    matches: int | None = None
    confidence: float = 0.0
    seconds: float = 0.0
    reason: str = ""

    def pose(self) -> Pose:
        """Return b_from_a with its translation.

        Raises:
            GeometryError: There is none: the method failed, or the camera only turned.
        """
        if self.status == "rotation_only":
            raise GeometryError(
                "a translation is wanted, the camera only turned between the images "
                "(`b_from_a.rotation` is known); take the second image from another place"
            )
        if self.b_from_a is None:
            raise GeometryError(
                f"a relative pose is wanted, {self.method} found none: {self.reason}"
            )
        return self.b_from_a

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline relate --json`` prints."""
        pose = self.b_from_a
        moved = pose is not None and self.status == "ok"
        content: dict[str, Any] = {
            "status": self.status,
            "method": self.method,
            "q_wxyz": None if pose is None else [round(float(v), 8) for v in pose.q_wxyz],
            "t": [round(float(v), 8) for v in pose.translation]
            if pose is not None and moved
            else None,
            "t_unit": self.t_unit if moved else None,
            "inliers": self.inliers,
            "matches": self.matches,
            "confidence": round(self.confidence, 4),
            "seconds": round(self.seconds, 4),
        }
        if self.reason:
            content["reason"] = self.reason
        return content


def _numbers(values: NDArray[np.float64]) -> list[float]:
    return [round(float(v), 8) for v in values]


class RelativeMethod(Protocol):
    """A way to find a relative pose: classical, learned, or a baseline."""

    @property
    def name(self) -> str:
        """Full name with estimator and threshold, as tables show it."""
        ...

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return b_from_a; a pair that cannot be solved is ``failed``, never an exception."""
        ...


def read_view(path: Path, camera: Camera | None = None) -> View:
    """Return the view of an image file; without a camera, EXIF's focal length, else a guess.

    Raises:
        InputError: Not an image that can be read.
        GeometryError: The camera belongs to another shape of image.
    """
    image = read_photo(path)
    height, width = image.shape[:2]
    key = str(path.resolve())
    if camera is not None:
        same = (camera.width, camera.height) == (width, height)
        return View(image, camera if same else camera.resized(width, height), "given", key)
    focal = exif_focal_px(path)
    if focal is not None:
        centre = ((width - 1) / 2.0, (height - 1) / 2.0)
        return View(image, Camera("SIMPLE_PINHOLE", width, height, (focal, *centre)), "exif", key)
    return View(image, Camera.guess(width, height), "guess", key)


def pair_views(pairs: PairSet, pair: ImagePair) -> tuple[View, View]:
    """Return both views of a pair."""
    return (
        read_view(pairs.path(pair.image_a), pair.camera_a),
        read_view(pairs.path(pair.image_b), pair.camera_b),
    )
