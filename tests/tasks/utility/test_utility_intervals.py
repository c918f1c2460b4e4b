"""Intervals against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from sightline.errors import InputError
from sightline.tasks.utility.intervals import images_to_show, saved_share, wilson_interval


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 9), (9, 9), (79, 80), (33, 70)])
def test_wilson_is_scipys(hits: int, count: int) -> None:
    reference = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    low, high = wilson_interval(hits, count)
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= low <= hits / count <= high <= 1


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (2, 1), (-1, 3)])
def test_what_was_not_counted_has_no_interval(hits: int, count: int) -> None:
    with pytest.raises(InputError, match=f"{hits} of {count} came"):
        wilson_interval(hits, count)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_so_many_images_show_a_share_and_one_less_does_not(share: float) -> None:
    count = images_to_show(share)
    assert count is not None
    assert wilson_interval(count, count)[0] >= share
    assert wilson_interval(count - 1, count - 1)[0] < share


def test_known_counts() -> None:
    assert images_to_show(0.99) == 381  # 0.99 * 1.96^2 / 0.01 = 380.3
    assert images_to_show(1.0) is None


def test_the_share_saved_is_that_of_the_sums() -> None:
    share, interval = saved_share([100, 300], [50, 50])
    assert share == pytest.approx(0.75)
    assert interval is not None
    # the resamples are (1,1): 0.5, (1,2): 0.75, (2,2): 0.833 with chances 1/4, 1/2, 1/4
    assert interval == pytest.approx((0.5, 5 / 6))
    assert saved_share([100, 100], [150, 150])[0] == pytest.approx(-0.5)


def test_the_same_saving_everywhere_has_no_width_and_one_image_no_interval() -> None:
    share, interval = saved_share([100, 900, 50], [10, 90, 5])
    assert share == pytest.approx(0.9)
    assert interval == pytest.approx((0.9, 0.9))
    assert saved_share([100], [10]) == (pytest.approx(0.9), None)


def test_the_bootstrap_is_scipys() -> None:
    generator = np.random.default_rng(1)
    before = generator.integers(1000, 9000, 60)
    after = (before * generator.uniform(0.2, 0.6, 60)).astype(int)
    reference = bootstrap(
        (before, after),
        lambda x, y, axis: 1 - y.sum(axis=axis) / x.sum(axis=axis),
        paired=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    _, interval = saved_share(before, after)
    assert interval == pytest.approx((reference.low, reference.high), abs=0.005)
    assert saved_share(before, after)[1] == interval  # the same at each call


def test_no_images_save_nothing() -> None:
    with pytest.raises(InputError, match="bytes before and after are wanted"):
        saved_share([], [])
    with pytest.raises(InputError, match="bytes before and after are wanted"):
        saved_share([1, 2], [1])
