"""Errors, curves and areas against exact truth and independent computations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError
from sightline.geometry import Pose
from sightline.tasks.relative.metrics import (
    PairErrors,
    auc,
    baseline_angle_deg,
    bin_masks,
    by_bins,
    cumulative_histogram,
    mean_deg,
    median_deg,
    moved_mask,
    pair_errors,
    reliability,
    roe_deg,
    rte_deg,
    scores,
    seen_labels,
    view_angle_deg,
)


def random_poses(count: int, seed: int = 0) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose.from_rotation(
        Rotation.random(count, random_state=seed), rng.normal(size=(count, 3))
    )


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 90.0, 179.999, 180.0])
def test_errors_are_the_angles_that_were_put_in(angle: float) -> None:
    true = random_poses(1)[0]
    axis = np.array([1.0, 2.0, -2.0]) / 3
    turn = Rotation.from_rotvec(np.deg2rad(angle) * axis)
    assert roe_deg(Pose.from_rotation(turn * true.rotation, true.translation), true) == (
        pytest.approx(angle, rel=1e-6, abs=1e-13 if angle < 1e-3 else 1e-6)
    )
    aside = np.cross(true.translation, [0.3, 0.5, 0.7])
    turn = Rotation.from_rotvec(np.deg2rad(angle) * aside / np.linalg.norm(aside))
    assert rte_deg(7 * turn.apply(true.translation), true.translation) == (
        pytest.approx(angle, rel=1e-6, abs=1e-13 if angle < 1e-3 else 1e-6)
    )


def test_a_direction_has_no_length_and_zero_has_no_direction() -> None:
    assert rte_deg([1e-200, 0, 0], [0, 3e200, 0]) == pytest.approx(90)
    assert np.isnan(rte_deg([0, 0, 0], [1, 0, 0]))


def test_q_and_minus_q_are_one_rotation() -> None:
    true = random_poses(5)
    assert roe_deg(Pose(-true.q_wxyz, true.translation), true) == pytest.approx(0, abs=1e-12)


def test_failures_are_infinite_and_never_dropped() -> None:
    true = Pose(
        np.tile([1.0, 0, 0, 0], (4, 1)), np.array([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0] * 3])
    )
    quarter = Pose.from_rotation(Rotation.from_euler("z", 90, degrees=True), np.array([0.0, 1, 0]))
    still = Pose(np.array([1.0, 0, 0, 0]), np.zeros(3))
    errors = pair_errors(
        ["ok", "failed", "rotation_only", "ok"],
        [quarter, None, still, quarter],
        true,
        moved_mask(true),
    )
    np.testing.assert_allclose(errors.roe_deg, [90, np.inf, 0, 90])
    np.testing.assert_allclose(errors.rte_deg, [90, np.inf, np.inf, np.nan])
    np.testing.assert_allclose(errors.worst_deg, [90, np.inf, np.inf, 90])
    table = scores(errors)
    assert (table["pairs"], table["rte_pairs"]) == (4, 3)
    assert table["median_roe_deg"] == 90
    assert table["median_rte_deg"] == 180
    assert table["mean_rte_deg"] == pytest.approx((90 + 180 + 180) / 3)
    assert table["within"] == {"5": 0.0, "10": 0.0, "20": 0.0}


def test_an_answer_without_length_counts_as_no_direction() -> None:
    true = Pose(np.array([[1.0, 0, 0, 0]]), np.array([[1.0, 0, 0]]))
    still = Pose(np.array([1.0, 0, 0, 0]), np.zeros(3))
    errors = pair_errors(["ok"], [still], true, np.array([True]))
    assert np.isinf(errors.rte_deg).all()


def test_counts_that_differ_are_refused() -> None:
    with pytest.raises(GeometryError, match="one answer"):
        pair_errors(["ok"], [None, None], random_poses(2), np.array([True, True]))


def test_moved_is_told_from_the_sets_own_lengths() -> None:
    lengths = np.array([0.0, 0.0099, 0.0101, 1.0, 1.0, 2.0])
    true = Pose(np.tile([1.0, 0, 0, 0], (6, 1)), np.outer(lengths, [0.0, 0, 1]))
    assert moved_mask(true).tolist() == [False, False, True, True, True, True]
    assert not moved_mask(Pose.identity((3,))).any()


def published_pose_auc(errors: np.ndarray, limit: float) -> float:
    """SuperGlue's published evaluation, re-derived: recall points, cut at the limit, trapezoids."""
    order = np.concatenate([[0.0], np.sort(errors)])
    recall = np.arange(len(order)) / (len(order) - 1)
    last = int(np.searchsorted(order, limit))
    x = np.concatenate([order[:last], [limit]])
    y = np.concatenate([recall[:last], [recall[last - 1]]])
    return float(sum((x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 for i in range(len(x) - 1)) / limit)


@given(
    st.lists(st.one_of(st.floats(0, 180), st.just(float("inf"))), min_size=1, max_size=30),
    st.sampled_from([5.0, 10.0, 20.0]),
)
def test_auc_agrees_with_the_published_one(errors: list[float], limit: float) -> None:
    assert auc(errors, limit) == pytest.approx(
        published_pose_auc(np.array(errors), limit), abs=1e-12
    )


def test_auc_agrees_with_the_area_under_densely_drawn_lines() -> None:
    errors = np.random.default_rng(1).gamma(2.0, 4.0, size=40)
    below = np.sort(errors[errors < 10])
    x = np.linspace(0, 10, 200_001)
    curve = np.interp(x, [0.0, *below], np.arange(len(below) + 1) / len(errors))
    assert auc(errors, 10) == pytest.approx(curve.mean(), abs=1e-5)


def test_auc_by_hand() -> None:
    # (0, 0) to (2, 1/2), then flat to 5: 2 * 1/4 + 3 * 1/2, over 5
    assert auc([2.0, np.inf], 5) == pytest.approx(0.4)
    assert auc([0.0, 0.0], 5) == 1
    assert auc([np.inf], 5) == 0
    assert auc([], 5) is None
    assert auc([np.nan, 0.0], 5) == 1
    with pytest.raises(GeometryError, match="above 0"):
        auc([1.0], 0)


def test_histogram_counts_what_is_within() -> None:
    errors = [0.0, 1.0, 1.0, 30.0, np.inf, np.nan]
    np.testing.assert_allclose(cumulative_histogram(errors, [0, 0.5, 1, 180]), [0.2, 0.2, 0.6, 0.8])
    assert cumulative_histogram([], [1.0]).tolist() == [0.0]


def test_median_and_mean_of_nothing_are_none() -> None:
    assert median_deg([np.nan]) is None
    assert mean_deg([]) is None
    assert scores(PairErrors(np.array([]), np.array([])))["auc"] == {
        "5": None,
        "10": None,
        "20": None,
    }


def test_bins_hold_each_value_once() -> None:
    values = np.array([0.0, 0.2, 0.19999, 1.0, np.nan, 0.5])
    masks = bin_masks(values, (0.0, 0.2, 0.6, 1.0))
    assert list(masks) == ["0-0.2", "0.2-0.6", "0.6-1"]
    assert np.sum(list(masks.values()), axis=0).tolist() == [1, 1, 1, 1, 0, 1]
    errors = PairErrors(np.arange(6.0), np.arange(6.0))
    found = by_bins(errors, values, (0.0, 0.2, 0.6, 1.0))
    assert {name: one["pairs"] for name, one in found.items()} == {
        "0-0.2": 2,
        "0.2-0.6": 2,
        "0.6-1": 1,
    }
    assert found["0.6-1"]["median_roe_deg"] == 3


def test_view_and_baseline_angles() -> None:
    turn = Rotation.from_euler("y", 40, degrees=True)
    # camera b one metre to the right of a, turned by 40 degrees
    a_from_b = Pose.from_rotation(
        Rotation.concatenate([turn, turn]), np.array([[1.0, 0, 0], [0, 0, -2]])
    )
    assert view_angle_deg(a_from_b.inverse()) == pytest.approx([40, 40])
    assert baseline_angle_deg(a_from_b.inverse()) == pytest.approx([90, 0], abs=1e-9)


def test_seen_labels_against_plain_loops() -> None:
    rng = np.random.default_rng(3)
    training = random_poses(60, 1)
    near = training[rng.integers(0, 60, 40)]
    turns = Rotation.from_rotvec(np.deg2rad(rng.uniform(0, 1.6, 40))[:, None] * [0, 0, 1.0])
    moved = near.translation * rng.uniform(0.1, 9, (40, 1)) + 0.01 * rng.normal(size=(40, 3))
    true = Pose.from_rotation(turns * near.rotation, moved)
    flip = rng.random(40) < 0.5
    inverse = true.inverse()
    true = Pose(
        np.where(flip[:, None], inverse.q_wxyz, true.q_wxyz),
        np.where(flip[:, None], inverse.translation, true.translation),
    )
    wanted = [
        any(
            roe_deg(true[i], label) <= 1 and rte_deg(true[i].translation, label.translation) <= 1
            for j in range(60)
            for label in (training[j], training[j].inverse())
        )
        for i in range(40)
    ]
    assert 5 < sum(wanted) < 35
    assert seen_labels(true, training).tolist() == wanted


def test_labels_without_motion_are_seen_by_their_rotation() -> None:
    still = Pose.identity((1,))
    moved = Pose(np.array([[1.0, 0, 0, 0]]), np.array([[1.0, 0, 0]]))
    assert seen_labels(still, still).tolist() == [True]
    assert seen_labels(still, moved).tolist() == [False]
    assert seen_labels(moved, Pose.stack([])).tolist() == [False]


def test_reliability_of_known_coins() -> None:
    confidence = np.array([0.85] * 10 + [0.25] * 4)
    worst = np.array([1.0] * 8 + [50.0] * 2 + [np.inf] * 3 + [9.9])
    table = reliability(confidence, PairErrors(worst, worst))
    assert [(b["pairs"], b["true"]) for b in table["bins"]] == [(4, 0.25), (10, 0.8)]
    assert table["error"] == pytest.approx(10 / 14 * 0.05)
    right = np.array([1] * 8 + [0] * 5 + [1])
    assert table["brier"] == pytest.approx(np.mean((confidence - right) ** 2))
