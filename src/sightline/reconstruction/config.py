"""How a place is reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.errors import InputError
from sightline.geometry.camera import CAMERA_MODELS

Quality = Literal["low", "medium", "high", "extreme"]
Pairs = Literal["auto", "sequential", "exhaustive"]
Mapper = Literal["auto", "incremental", "global"]

#: Above this many images ``auto`` no longer matches all with all.
EXHAUSTIVE_LIMIT = 100
#: Frames nearer than this in the sequence are no loop.
LOOP_GAP = 30
#: Largest reprojection error of an observation, in pixels of the size features were taken at.
#: COLMAP's own 4 px lets three times the drift through on the rendered floor (0.16 m over 40 m
#: against 0.06 m), and gains nothing on real video.
MAX_REPROJECTION_ERROR_PX = 2.0


@dataclass(frozen=True)
class QualityPreset:
    """What one quality level spends.

    Attributes:
        max_image_size_px: Features are taken on images no longer than this.
        max_features: SIFT features kept per image, the largest first.
        overlap: Each frame is matched with this many following ones, and with the frames
            8, 16, 32 ... ahead (``overlap`` steps of doubling).
        bundle_growth: The whole map is adjusted each time it has grown by this factor.
        bundle_iterations: Most iterations of such an adjustment.
        bundle_rounds: Most rounds of adjusting and dropping outliers.
    """

    max_image_size_px: int
    max_features: int
    overlap: int
    bundle_growth: float
    bundle_iterations: int
    bundle_rounds: int


#: ====== =========== ======== ======= ============= ========== ======
#: level  image size  features overlap adjusted when iterations rounds
#: ====== =========== ======== ======= ============= ========== ======
#: low     640         1000     5       x 1.5         20         1
#: medium  1000        1500     6       x 1.4         30         2
#: high    1600        4000     10      x 1.2         50         3
#: extreme 2400        8192     15      x 1.1         100        5
#: ====== =========== ======== ======= ============= ========== ======
QUALITY_PRESETS: dict[Quality, QualityPreset] = {
    "low": QualityPreset(640, 1000, 5, 1.5, 20, 1),
    "medium": QualityPreset(1000, 1500, 6, 1.4, 30, 2),
    "high": QualityPreset(1600, 4000, 10, 1.2, 50, 3),
    "extreme": QualityPreset(2400, 8192, 15, 1.1, 100, 5),
}


def max_error_px(longest_px: int, max_image_size_px: int) -> float:
    """Return the largest reprojection error in pixels of the images.

    Args:
        longest_px: Of their sides.
        max_image_size_px: Features were taken on images no longer than this.
    """
    return MAX_REPROJECTION_ERROR_PX * max(1.0, longest_px / max_image_size_px)


@dataclass(frozen=True)
class ReconstructionConfig:
    """How a place is reconstructed."""

    quality: Quality = "medium"
    """What to spend: low, medium, high or extreme (image size, features, overlap, adjustment)."""
    camera_model: str = "SIMPLE_RADIAL"
    """Camera model: SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL or OPENCV."""
    shared_intrinsics: bool = True
    """All images of one size come from one camera."""
    camera_params: tuple[float, ...] | None = None
    """Known intrinsics in COLMAP's order; pixel (0, 0) is the centre of the top-left pixel."""
    refine_intrinsics: bool = True
    """Adjust the intrinsics with the map; turn off to keep `camera_params` as they are."""
    pairs: Pairs = "auto"
    """Which images to match: sequential (video), exhaustive (photos), or auto to choose."""
    overlap: int | None = None
    """Match each frame with so many following ones; the quality's own where not given."""
    mapper: Mapper = "auto"
    """Mapper: incremental, global (GLOMAP), or auto: incremental, and begun anew (three times at
    most) where frames do not stand as their matches say."""
    loop_closing: bool = True
    """Look for places seen twice, and believe them only after verification."""
    second_look: bool = True
    """Look once more, in the finished map, for frames that were not registered."""
    dense: bool = False
    """Also make a dense point cloud; needs a pycolmap built with CUDA."""
    seed: int = 0
    """Seed of every random choice."""
    threads: int = 0
    """Processor threads; 0 takes all cores."""

    def __post_init__(self) -> None:
        if self.quality not in QUALITY_PRESETS:
            raise InputError(
                f"a quality of {', '.join(QUALITY_PRESETS)} is wanted, {self.quality!r} came"
            )
        if self.camera_model not in CAMERA_MODELS:
            raise InputError(
                f"a camera model of {', '.join(CAMERA_MODELS)} is wanted, "
                f"{self.camera_model!r} came"
            )
        if self.pairs not in ("auto", "sequential", "exhaustive"):
            raise InputError(
                f"pairs of auto, sequential, exhaustive are wanted, {self.pairs!r} came"
            )
        if self.mapper not in ("auto", "incremental", "global"):
            raise InputError(
                f"a mapper of auto, incremental, global is wanted, {self.mapper!r} came"
            )
        if self.overlap is not None and self.overlap < 1:
            raise InputError(f"an overlap of 1 frame or more is wanted, {self.overlap} came")
        if self.threads < 0:
            raise InputError(f"0 or more threads are wanted, {self.threads} came")
        self._check_camera_params()

    @property
    def preset(self) -> QualityPreset:
        """What the quality level spends."""
        return QUALITY_PRESETS[self.quality]

    def _check_camera_params(self) -> None:
        if self.camera_params is None:
            if not self.refine_intrinsics:
                raise InputError(
                    "intrinsics that are not refined must be known; give camera_params too"
                )
            return
        wanted = sum(CAMERA_MODELS[self.camera_model]) + 2
        if len(self.camera_params) != wanted:
            raise InputError(
                f"{self.camera_model} wants {wanted} camera_params, {len(self.camera_params)} came"
            )
