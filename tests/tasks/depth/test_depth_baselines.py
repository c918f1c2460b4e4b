"""Predictors that never look: what they are fitted to, and that they do not look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coded_depth import make_coded_set

from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet
from sightline.tasks.depth.baselines import ROWS, fit_baselines


def write_set(root: Path, maps: list[np.ndarray]) -> DepthSet:
    items = []
    for index, depth in enumerate(maps):
        np.save(root / f"{index}.npy", depth.astype(np.float32))
        items.append(DepthImage(Path(f"{index}.png"), Path(f"{index}.npy")))
    return DepthSet("written", root, tuple(items))


def test_the_constant_is_the_mean_disparity_of_all_known_pixels(tmp_path):
    near, far = np.full((2, 4), 1.0), np.full((6, 4), 4.0)
    far[0] = 0  # unknown
    near[1, 0] = np.nan
    data = write_set(tmp_path, [near, far])

    constant, _ = fit_baselines(data, "these")

    expected = (7 * 1.0 + 20 * 0.25) / 27
    np.testing.assert_allclose(constant.map_of((3, 5)).values, expected, rtol=1e-6)
    assert constant.quantity == "disparity"
    assert constant.unit == "m"
    assert constant.fitted_on == "these"


def test_row_means_are_those_of_each_relative_height(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.uniform(1, 5, (ROWS, 8)), rng.uniform(1, 5, (ROWS, 6))
    data = write_set(tmp_path, [first, second])

    _, rows = fit_baselines(data, "these")

    expected = (np.sum(1 / first, axis=1) + np.sum(1 / second, axis=1)) / 14
    found = rows.map_of((ROWS, 3)).values
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 3, axis=1), rtol=1e-5)
    # at another size the same heights are met
    np.testing.assert_allclose(rows.map_of((3 * ROWS, 1)).values[1::3, 0], expected, rtol=1e-5)


def test_a_linear_profile_is_learned_from_images_of_other_sizes(tmp_path):
    def sloped(height: int) -> np.ndarray:
        at = (np.arange(height) + 0.5) / height
        return np.repeat(1 / (0.2 + 0.6 * at)[:, None], 4, axis=1)

    _, rows = fit_baselines(write_set(tmp_path, [sloped(480), sloped(240)]), "these")

    found = 1 / rows.map_of((60, 1)).values
    np.testing.assert_allclose(found[2:-2], sloped(60)[2:-2, :1], rtol=5e-3)


def test_rows_without_depth_take_their_neighbours(tmp_path):
    depth = np.full((ROWS, 4), 2.0)
    depth[: ROWS // 2] = np.nan

    _, rows = fit_baselines(write_set(tmp_path, [depth]), "these")

    np.testing.assert_allclose(rows.rows, 0.5)


def test_depth_beyond_the_caps_does_not_count(tmp_path):
    depth = np.array([[0.01, 2.0, 2.0, 90.0]])

    constant, _ = fit_baselines(
        write_set(tmp_path, [depth]), "these", min_depth_m=0.1, max_depth_m=80.0
    )

    np.testing.assert_allclose(constant.rows, [0.5])


def test_only_the_size_of_a_picture_matters(tmp_path):
    constant, rows = fit_baselines(make_coded_set(tmp_path, {"train": 2}), "these")
    dark, bright = np.zeros((5, 7, 3), np.uint8), np.full((5, 7, 3), 255, np.uint8)

    for model in (constant, rows):
        one, other = model.predict([dark, bright])
        np.testing.assert_array_equal(one.values, other.values)
        assert one.values.shape == (5, 7)
    assert constant.digest != rows.digest


def test_relative_and_missing_depth_is_passed_over_and_nothing_is_refused(tmp_path):
    data = write_set(tmp_path, [np.full((4, 4), 2.0)])
    relative = DepthImage(Path("a.png"), Path("0.npy"), quantity="disparity")
    gone = DepthImage(Path("b.png"), Path("gone.npy"))
    none = DepthImage(Path("c.png"), None)
    mixed = DepthSet("mixed", tmp_path, (relative, gone, none, *data.items))

    constant, _ = fit_baselines(mixed, "these")

    np.testing.assert_allclose(constant.rows, [0.5])
    with pytest.raises(InputError, match="images with depth in metres are wanted"):
        fit_baselines(DepthSet("none", tmp_path, (relative, gone, none)), "these")
