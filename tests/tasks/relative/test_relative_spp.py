"""Spatial pyramid pooling: the paper's windows, always n bins, one length for any image."""

import numpy as np
import pytest
import torch

from sightline.errors import InputError
from sightline.tasks.relative.model import SPP_LEVELS, alexnet_trunk
from sightline.tasks.relative.spp import SpatialPyramid, bins, rule_fits

LEVELS = (1, 2, 3, 6, 13)


@pytest.mark.parametrize("size", range(13, 61))
@pytest.mark.parametrize("count", LEVELS)
def test_there_are_always_n_bins(size: int, count: int) -> None:
    found = bins(size, count)
    window, stride = int(np.ceil(size / count)), int(np.floor(size / count))
    assert len(found) == count
    assert all(0 <= start < end <= size for start, end in found)
    by_rule = len(range(0, size - window + 1, stride)) == count
    assert rule_fits(size, count) == by_rule
    if by_rule:  # the paper's: windows of ceil(a/n) at a stride of floor(a/n)
        assert found == [(i * stride, i * stride + window) for i in range(count)]
        assert size - found[-1][1] < stride
    else:  # nothing of the image is left out
        assert set().union(*(range(*b) for b in found)) == set(range(size))
        assert all(window - 1 <= end - start <= window + 1 for start, end in found)


def test_the_rule_alone_is_not_enough() -> None:
    """At the paper's own crop of 323 pixels the maps are 19 x 19, and 13 bins become 18."""
    assert not rule_fits(19, 13)
    assert rule_fits(13, 13)
    assert rule_fits(13, 6)
    assert rule_fits(19, 6)


@pytest.mark.parametrize("shape", [(13, 13), (19, 19), (20, 33), (27, 13), (60, 14)])
def test_pooling_is_the_maximum_of_each_bin(shape: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    found = SpatialPyramid(LEVELS)(maps).numpy()
    expected = []
    for level in LEVELS:
        cells = [
            maps.numpy()[:, :, r0:r1, c0:c1].max(axis=(2, 3))
            for r0, r1 in bins(shape[0], level)
            for c0, c1 in bins(shape[1], level)
        ]
        expected.append(np.stack(cells, axis=-1).reshape(2, -1))
    np.testing.assert_array_equal(found, np.concatenate(expected, axis=1))


@pytest.mark.parametrize("model", ["cnnAspp", "cnnBspp"])
def test_any_image_from_227_up_gives_one_length(model: str) -> None:
    trunk = alexnet_trunk(width=0.03, last_pool=model == "cnnAspp")
    pyramid = SpatialPyramid(SPP_LEVELS[model])
    lengths = set()
    with torch.no_grad():
        for height, width in [(227, 227), (228, 323), (323, 323), (300, 431), (600, 227)]:
            lengths.add(pyramid(trunk(torch.zeros(1, 3, height, width))).shape[1])
    assert lengths == {8 * {"cnnAspp": 50, "cnnBspp": 219}[model]}
    assert pyramid.cells == {"cnnAspp": 50, "cnnBspp": 219}[model]


def test_maps_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="13 cells or more is wanted for 13 pyramid bins, 12 came"):
        SpatialPyramid((1, 13))(torch.zeros(1, 1, 13, 12))
