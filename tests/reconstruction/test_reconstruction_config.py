"""What a reconstruction can be told."""

import itertools
import subprocess
import sys

import pytest

from sightline.errors import InputError
from sightline.reconstruction.config import QUALITY_PRESETS, ReconstructionConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quality": "best"}, "low, medium, high, extreme"),
        ({"camera_model": "FISHEYE"}, "SIMPLE_RADIAL"),
        ({"pairs": "some"}, "sequential"),
        ({"overlap": 0}, "1 frame or more"),
        ({"threads": -1}, "0 or more"),
        ({"camera_params": (1.0, 2.0)}, "SIMPLE_RADIAL wants 4"),
        ({"refine_intrinsics": False}, "give camera_params"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as info:
        ReconstructionConfig(**values)  # type: ignore[arg-type]
    assert "\n" not in str(info.value)


def test_quality_only_adds_effort() -> None:
    presets = list(QUALITY_PRESETS.values())
    for less, more in itertools.pairwise(presets):
        assert less.max_image_size_px < more.max_image_size_px
        assert less.max_features < more.max_features
        assert less.overlap < more.overlap
        assert less.bundle_growth > more.bundle_growth
        assert less.bundle_iterations < more.bundle_iterations
    assert ReconstructionConfig().preset is QUALITY_PRESETS["medium"]


def test_the_config_imports_neither_torch_nor_colmap() -> None:
    code = (
        "import sys, sightline.reconstruction.config; "
        "sys.exit(bool({'torch', 'pycolmap', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
