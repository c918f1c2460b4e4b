import numpy as np
import pytest
from synthetic_walk import L_SHAPE, along

from sightline.errors import GeometryError
from sightline.reconstruction.align.drawn_path import fit_drawn_path
from sightline.reconstruction.align.planar import PlanarSimilarity

PLANE_FROM_WORLD = PlanarSimilarity(37.0, 1.1, np.array([100.0, 50.0]))
LEVEL_FROM_WORLD = PlanarSimilarity(0.31, -2.0, np.array([1.0, 2.0]))
ZIGZAG = np.array([[0.0, 0], [10, 0], [10, 6], [18, 6], [18, 2]])
THERE_AND_BACK = np.array([[0.0, 0], [10, 0], [10, 1.5], [0, 1.5], [0, 6]])
LOOP = np.array([[0.0, 0], [14, 0], [14, 8], [5, 8], [5, 4], [0, 4], [0, 0]])
RECTANGLE = np.array([[0.0, 0], [14, 0], [14, 8], [0, 8], [0, 0]])


def fit_and_error_m(walk, drawn):
    level = LEVEL_FROM_WORLD.apply(walk)
    fit = fit_drawn_path(level, PLANE_FROM_WORLD.apply(drawn))
    away = fit.plane_from_level.apply(level) - PLANE_FROM_WORLD.apply(walk)
    return fit, np.linalg.norm(away, axis=1).max() / PLANE_FROM_WORLD.scale


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("shape", [L_SHAPE, ZIGZAG, THERE_AND_BACK, LOOP])
def test_exact_paths_are_laid_on_the_drawing(shape, backwards):
    walk = along(shape, 200)
    fit, error = fit_and_error_m(walk, shape[::-1] if backwards else shape)
    assert error < 0.05  # cameras do not stand on every corner
    assert fit.reversed == backwards
    assert fit.residuals.max() / PLANE_FROM_WORLD.scale < 0.05


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", [L_SHAPE, ZIGZAG, THERE_AND_BACK, LOOP])
def test_uneven_pace_sway_and_a_careless_hand(shape, seed):
    rng = np.random.default_rng(seed)
    dense = along(shape, 3000)
    walk = dense[np.sort(rng.choice(3000, 250, replace=False))]
    walk = np.concatenate([walk[:100], np.repeat(walk[100:101], 60, axis=0), walk[100:]])
    walk = walk + rng.normal(0, 0.04, walk.shape)
    fit, error = fit_and_error_m(walk, shape + rng.normal(0, 0.15, shape.shape))
    # The drawing itself is 0.15 m off at every corner (sigma, each axis).
    assert error < 0.6
    assert not fit.reversed
    assert len(fit.residuals) == len(walk)
    assert len(fit.vertex_residuals) == len(shape)


def test_a_loop_drawn_from_another_corner():
    walk = along(LOOP, 200)
    ring = LOOP[:-1]
    drawn = np.concatenate([np.roll(ring, -2, axis=0), ring[2:3]])
    fit, error = fit_and_error_m(walk, drawn)
    assert error < 0.05
    assert fit.start_shift > 0
    fit, error = fit_and_error_m(walk, drawn[::-1])
    assert error < 0.05
    assert fit.reversed


def test_what_looks_the_same_from_both_ends_is_taken_as_drawn_and_said():
    fit, error = fit_and_error_m(along(RECTANGLE, 200), RECTANGLE)
    assert error < 0.05
    assert fit.ambiguous
    line = np.array([[0.0, 0], [10, 0]])
    fit, error = fit_and_error_m(along(line, 100), line)
    assert error < 1e-6
    assert fit.ambiguous
    assert not fit.reversed
    assert not fit_and_error_m(along(ZIGZAG, 200), ZIGZAG)[0].ambiguous


def test_paths_without_length_raise():
    with pytest.raises(GeometryError, match="with length"):
        fit_drawn_path(np.zeros((10, 2)), ZIGZAG)
    with pytest.raises(GeometryError, match="with length"):
        fit_drawn_path(along(ZIGZAG, 50), np.ones((4, 2)))
