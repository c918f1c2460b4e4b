"""Tiles: no seams, more detail, and never worse than the whole where they know nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError
from sightline.tasks.depth.tiles import predict_tiled, tiles_for
from stand_in_depth import StandIn, ramp_picture


def normalised(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Disparity in a scale and shift of its own for every picture, as relative networks have."""
    red = image[..., 0].astype(float)
    return (red - red.min()) / max(float(np.ptp(red)), 1.0) * 3.0 + red.mean() / 100.0


def coarse(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What a network that sees 24 pixels a side says."""
    picture = Image.fromarray(image)
    small = picture.resize((24, 24), Image.Resampling.BOX)
    return normalised(np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC)))


@pytest.mark.parametrize("size", [(256, 192), (192, 256), (301, 77)])
def test_a_ramp_has_no_seams(size: tuple[int, int]) -> None:
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    image = np.repeat(((x + y) % 256).astype(np.uint8)[..., None], 3, axis=2)

    def ramp(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
        # a plane in the tile, which each tile says in a scale and shift of its own
        height, width = tile.shape[:2]
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        first = float(tile[0, 0, 0])
        return (x + 0.5 * y) * (1 + first / 100) + first

    exact = ramp(image)
    found = predict_tiled(StandIn(ramp), image, 4).values
    assert np.abs(found - exact).max() < 1e-3 * np.ptp(exact)
    assert np.abs(np.diff(found, axis=1) - np.diff(exact, axis=1)).max() < 1e-4 * np.ptp(exact)


def test_tiles_show_what_the_whole_is_too_coarse_for() -> None:
    rng = np.random.default_rng(0)
    cells = np.kron(rng.integers(60, 200, (24, 32)), np.ones((8, 8)))
    image = np.repeat(cells.astype(np.uint8)[..., None], 3, axis=2)
    truth = cells.ravel()
    errors = []
    for tiles in (1, 6):
        values = predict_tiled(StandIn(coarse), image, tiles).values.ravel()
        fit = np.polyfit(values, truth, 1)
        errors.append(np.abs(np.polyval(fit, values) - truth).mean())
    assert errors[1] < 0.6 * errors[0]


def test_a_tile_that_sees_nothing_is_left_to_the_whole() -> None:
    image = ramp_picture(160, 120)

    def whole_only(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
        if tile.shape[:2] == (120, 160):
            return 1.0 + tile[..., 0] / 255.0
        return np.full(tile.shape[:2], 5.0)

    found = predict_tiled(StandIn(whole_only), image, 3).values
    np.testing.assert_allclose(found, 1.0 + image[..., 0] / 255.0, rtol=1e-6)

    def upside_down(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
        sign = 1.0 if tile.shape[:2] == (120, 160) else -1.0
        return 3.0 + sign * tile[..., 0] / 255.0

    found = predict_tiled(StandIn(upside_down), image, 3).values
    np.testing.assert_allclose(found, 3.0 + image[..., 0] / 255.0, rtol=1e-6)


def test_how_many() -> None:
    class Sees(StandIn):
        def size_of(self, width: int, height: int) -> tuple[int, int]:
            return 192, 144

    assert tiles_for(StandIn(), 640, 480, "auto") == 1
    assert tiles_for(StandIn(), 2000, 1500, "auto") == 4
    assert tiles_for(Sees(), 640, 480, "auto") == 3
    assert tiles_for(Sees(), 180, 100, "auto") == 1
    assert tiles_for(StandIn(), 640, 480, 7) == 7
    for bad in (0, -1, 17):
        with pytest.raises(InputError, match=r"1 to 16 tiles .* are wanted"):
            tiles_for(StandIn(), 640, 480, bad)
    tiny = ramp_picture(1, 1)
    assert predict_tiled(StandIn(), tiny, 4).values.shape == (1, 1)
