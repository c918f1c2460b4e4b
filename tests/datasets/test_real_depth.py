"""The real images with depth of ../shared/data: sensors, LiDAR and stereo."""

from collections import Counter

import numpy as np
import pytest

from sightline.datasets.depth import open_depth
from sightline.records.depth import resize_depth


@pytest.mark.shared
def test_the_real_images_open_with_their_cameras(shared_data):
    data = open_depth(shared_data / "depth")
    assert (len(data), data.left_out) == (21, ())
    assert len(data.labelled()) == 21
    names = Counter(item.image.name.split("_")[0] for item in data.items)
    assert names == {"kitchen": 10, "nyu": 5, "ycb": 2, "middlebury": 1, "kitti": 1, "nyuv2": 1,
                     "sunrgbd": 1}  # fmt: skip
    for item in data.items:
        height, width = data.read_image(item).shape[:2]
        depth = data.read_target(item)
        assert depth.shape == (height, width)
        fx, fy, cx, cy = item.intrinsics
        assert 0.5 < fx / width < 2
        assert abs(fx - fy) < 0.01 * fx
        # Crops and SUN RGB-D's aligned pictures have it off their middle.
        assert 0.35 < cx / width < 0.65
        assert 0.35 < cy / height < 0.65
        assert 0.3 < np.nanmin(depth) < np.nanmax(depth) < 66
        disparity = data.read_disparity(item)
        np.testing.assert_allclose(disparity * depth, np.where(depth > 0, 1, np.nan), rtol=1e-6)


@pytest.mark.shared
def test_kittis_lidar_is_sparse_and_stays_so(shared_data):
    data = open_depth(shared_data / "depth")
    item = next(i for i in data.items if i.image.name.startswith("kitti"))
    depth = data.read_target(item)
    known = np.isfinite(depth)
    assert 0.15 < known.mean() < 0.25
    assert not known[:100].any()  # no beam goes there
    assert item.intrinsics == (707.0493, 707.0493, 604.0814, 180.5066)
    small = resize_depth(depth, 310, 94)
    assert set(small[np.isfinite(small)]) <= set(depth[known])
