"""Keypoints and descriptors of one photo, by OpenCV's detectors, kept while the photo is in use."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry.rotation import Array

#: Detectors by name; every one gives either float or binary descriptors.
DETECTORS = ("sift", "orb", "akaze", "brisk", "kaze", "surf", "asift")

_LIMIT = 8000
#: Of each simulated view, and the largest side they are taken at: there are about ten of them.
_AFFINE_LIMIT = 1500
_AFFINE_SIDE = 1000
_AFFINE_TILT = 2
_TITLES = {
    "sift": f"RootSIFT {_LIMIT}",
    "orb": f"ORB {_LIMIT}",
    "akaze": f"AKAZE {_LIMIT}",
    "brisk": f"BRISK {_LIMIT}",
    "kaze": f"KAZE {_LIMIT}",
    "surf": f"SURF {_LIMIT}",
    "asift": f"Affine RootSIFT {_AFFINE_LIMIT} a view",
}


@dataclass(frozen=True, eq=False)
class Keypoints:
    """What a detector found in one image.

    Attributes:
        xy_px: (M, 2) positions in the pixels of the image that came in.
        descriptors: (M, D); float32 of unit length, or uint8 bits to be compared by Hamming's
            distance.
        scale: Pixels of the image that features were taken on, over pixels of the one that came in.
    """

    xy_px: Array
    descriptors: NDArray[Any]
    scale: float

    def __len__(self) -> int:
        return len(self.xy_px)

    @property
    def binary(self) -> bool:
        """Whether descriptors are bits."""
        return self.descriptors.dtype == np.uint8


def detector_title(name: str) -> str:
    """Return a detector's name with its limit, as tables show it."""
    return _TITLES[name]


def detector_missing(name: str) -> str | None:
    """Return why this OpenCV has no such detector, or None where it has it.

    Raises:
        InputError: No detector is called so.
    """
    try:
        _create(name)
    except (cv2.error, AttributeError) as error:
        if name == "surf":
            return "SURF is non-free: it needs an OpenCV built with OPENCV_ENABLE_NONFREE"
        first = str(error).strip().splitlines()[0]
        return f"this OpenCV ({cv2.__version__}) has no {name.upper()}: {first}"
    return None


def _sift(limit: int) -> Any:
    # Without the precise upscaling, SIFT's positions are off by a quarter of a pixel. A low
    # contrast threshold, because the ratio test judges better than it which features serve.
    create = _opencv("SIFT_create")
    return create(nfeatures=limit, contrastThreshold=0.01, enable_precise_upscale=True)


def _create(name: str) -> Any:
    if name == "sift":
        return _sift(_LIMIT)
    if name == "asift":
        # ASIFT (Morel and Yu 2009): the image as it would look from aside, too.
        return _opencv("AffineFeature_create")(_sift(_AFFINE_LIMIT), _AFFINE_TILT)
    if name == "orb":
        return _opencv("ORB_create")(nfeatures=_LIMIT, fastThreshold=7)
    if name not in DETECTORS:
        raise InputError(f"a detector of {', '.join(DETECTORS)} is wanted, {name!r} came")
    create = _opencv(f"{name.upper()}_create")
    if name == "akaze":
        return create(threshold=3e-4, max_points=_LIMIT)
    if name == "brisk":
        return create(thresh=25)
    if name == "kaze":
        return create(threshold=3e-4)
    return create(hessianThreshold=100, extended=True)


def _opencv(name: str) -> Any:
    """Return a maker of detectors: OpenCV 5 keeps some in contrib, OpenCV 4 had them at the top."""
    return getattr(cv2, name) if hasattr(cv2, name) else getattr(cv2.xfeatures2d, name)


def detect(name: str, image: NDArray[np.uint8], max_side: int = 1600) -> Keypoints:
    """Return the keypoints of an image; none at all where it shows nothing to hold on to.

    Args:
        name: One of :data:`DETECTORS`.
        image: (H, W, 3) uint8 RGB.
        max_side: Larger images are shrunk to this before.

    Raises:
        InputError: No detector is called so, or this OpenCV lacks it.
    """
    missing = detector_missing(name)
    if missing is not None:
        raise InputError(f"{missing}; take another of {', '.join(DETECTORS)}")
    if name == "asift":
        max_side = min(max_side, _AFFINE_SIDE)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    factor = min(1.0, max_side / max(height, width))
    if factor < 1.0:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    try:
        found, descriptors = _create(name).detectAndCompute(grey, None)
    except cv2.error:
        # Some detectors cannot build their pyramid on an image of a few pixels.
        found, descriptors = (), None
    if descriptors is None or not found:
        return Keypoints(np.zeros((0, 2)), np.zeros((0, 1), np.float32), factor)
    kept = np.arange(len(found)) if name == "asift" else _strongest(found, _LIMIT)
    xy = np.array([found[i].pt for i in kept], dtype=np.float64)
    back = np.array([width / grey.shape[1], height / grey.shape[0]])
    return Keypoints((xy + 0.5) * back - 0.5, _prepared(name, descriptors[kept]), factor)


def _strongest(found: Any, limit: int) -> NDArray[np.int64]:
    """Return rows of the strongest keypoints, in the detector's own order."""
    if len(found) <= limit:
        return np.arange(len(found))
    strength = np.array([-k.response for k in found])
    return np.sort(np.argsort(strength, kind="stable")[:limit])


def _prepared(name: str, descriptors: NDArray[Any]) -> NDArray[Any]:
    if descriptors.dtype == np.uint8:
        return descriptors
    values = descriptors.astype(np.float32)
    if name in {"sift", "asift"}:
        # RootSIFT (Arandjelovic and Zisserman 2012): Hellinger's distance.
        values = np.sqrt(np.abs(values) / np.maximum(np.abs(values).sum(1, keepdims=True), 1e-6))
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values


class KeypointCache:
    """Keypoints of the images used last, by their key; safe to call from several threads."""

    def __init__(self, detector: str, capacity: int = 64, max_side: int = 1600) -> None:
        """Keep at most ``capacity`` images' keypoints (about 4 MB each with SIFT).

        Of ``asift``, whose are four times as many, a quarter as many images.
        """
        self.detector = detector
        self._capacity = max(2, capacity // 4) if detector == "asift" else capacity
        self._max_side = max_side
        self._held: OrderedDict[tuple[str, tuple[int, ...], int], Keypoints] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, image: NDArray[np.uint8], key: str = "") -> Keypoints:
        """Return an image's keypoints.

        Args:
            image: (H, W, 3) uint8 RGB.
            key: Names the image; an empty one is not kept.
        """
        if not key:
            return detect(self.detector, image, self._max_side)
        # The pixels too: the same file may come cropped or scaled.
        name = (key, image.shape, checksum(image))
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        keypoints = detect(self.detector, image, self._max_side)
        with self._lock:
            self._held[name] = keypoints
            while len(self._held) > self._capacity:
                self._held.popitem(last=False)
        return keypoints


def checksum(image: NDArray[np.uint8]) -> int:
    """Return a number that differs between images that differ."""
    return zlib.crc32(np.ascontiguousarray(image).data)
