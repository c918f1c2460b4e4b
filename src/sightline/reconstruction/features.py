"""SIFT features of one photo, extracted as the map's own were."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.records.colmap import pixels_from_colmap

#: COLMAP's log level is one for the whole process.
_LOG_LEVEL = threading.Lock()


@dataclass(frozen=True, eq=False)
class Features:
    """Keypoints and descriptors of one image.

    Attributes:
        keypoints_px: (M, 2) positions; pixel (0, 0) is the centre of the top-left pixel.
        descriptors: (M, 128) uint8 SIFT (root-L1, times 512), as COLMAP's database holds them.
    """

    keypoints_px: Array
    descriptors: NDArray[np.uint8]


class FeatureExtractor:
    """COLMAP's SIFT in this process; safe to call from several threads."""

    def __init__(self, max_image_size: int, max_num_features: int) -> None:
        """Take features on images no longer than ``max_image_size``, at most so many."""
        self._max_image_size = max_image_size
        self._max_num_features = max_num_features
        self._local = threading.local()

    def extract(self, image: NDArray[np.uint8]) -> Features:
        """Return the features of a (H, W, 3) uint8 RGB image, in its own pixels."""
        import pycolmap

        height, width = image.shape[:2]
        bitmap = pycolmap.Bitmap.from_array(np.ascontiguousarray(image)).clone_as_grey()
        factor = min(1.0, self._max_image_size / max(height, width))
        if factor < 1.0:
            bitmap.rescale(max(1, int(width * factor)), max(1, int(height * factor)))
        keypoints, descriptors = self._extractor().extract(bitmap)
        xy = np.array([(k.x, k.y) for k in keypoints], dtype=np.float64).reshape(-1, 2)
        scale = np.array([width / bitmap.width, height / bitmap.height])
        data = np.asarray(descriptors.data, dtype=np.uint8).reshape(-1, 128)
        return Features(pixels_from_colmap(xy * scale), data)

    def _extractor(self) -> Any:
        if not hasattr(self._local, "extractor"):
            import pycolmap

            options = pycolmap.FeatureExtractionOptions()
            options.num_threads = 1
            options.use_gpu = False
            options.max_image_size = self._max_image_size
            options.sift.max_num_features = self._max_num_features
            # COLMAP announces every extractor it makes; only its errors are of use here.
            with _LOG_LEVEL:
                level, pycolmap.logging.minloglevel = pycolmap.logging.minloglevel, 2
                try:
                    self._local.extractor = pycolmap.FeatureExtractor.create(
                        options, pycolmap.Device.cpu
                    )
                finally:
                    pycolmap.logging.minloglevel = level
        return self._local.extractor
