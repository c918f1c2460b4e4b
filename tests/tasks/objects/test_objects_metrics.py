"""Scores against closed forms: turns of known size, the circle, symmetry, ranks, the constant."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import ObjectView
from sightline.tasks.objects.metrics import (
    angle_scores,
    azimuth_errors,
    by_category,
    confusion,
    constant_predictions,
    errors_of,
    in_top,
    most_usual,
    right_mask,
    rotation_errors,
    score_predictions,
    top_errors,
)
from sightline.tasks.objects.predictions import RULES, ObjectPredictions

ANGLES = st.floats(-7.0, 7.0)


def answers(
    categories: Sequence[str],
    category: Sequence[int],
    true: np.ndarray,
    found: np.ndarray | dict[str, np.ndarray],
    likely: np.ndarray | None = None,
    confidence: Sequence[float] | None = None,
) -> ObjectPredictions:
    """Return predictions that say ``found`` by every rule, the true category where not told."""
    n = len(category)
    if likely is None:
        likely = np.eye(len(categories))[np.maximum(np.array(category, int), 0)]
    rotations = found if isinstance(found, dict) else dict.fromkeys(RULES, found)
    return ObjectPredictions(
        tuple(categories),
        tuple(f"{i}.jpg" for i in range(n)),
        np.tile([0.0, 0.0, 9.0, 9.0], (n, 1)),
        np.array(category, int),
        true,
        likely,
        rotations,
        "weighted",
        np.ones(n) if confidence is None else np.array(confidence),
        np.zeros(n),
    )


def turned(q: np.ndarray, degrees: Sequence[float], seed: int = 0) -> np.ndarray:
    """Return rotations turned by so many degrees about random axes."""
    axes = np.random.default_rng(seed).normal(size=(len(q), 3))
    axes *= np.deg2rad(degrees)[:, None] / np.linalg.norm(axes, axis=1, keepdims=True)
    turns = Rotation.from_rotvec(axes) * Rotation.from_quat(q, scalar_first=True)
    return turns.as_quat(scalar_first=True)


def drawn(count: int, seed: int = 1) -> np.ndarray:
    """Return random rotations."""
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_quat(scalar_first=True)


def test_rotation_errors_are_the_turns_however_small_or_large() -> None:
    degrees = [0.0, 1e-7, 0.5, 90.0, 179.999999, 180.0]
    true = drawn(6)
    signs = np.array([1, -1, 1, -1, 1, -1])[:, None]  # q and -q are one rotation
    errors = rotation_errors(turned(true, degrees) * signs, true)
    np.testing.assert_allclose(np.rad2deg(errors), degrees, atol=2e-8)


def test_an_error_is_unknown_where_truth_or_answer_is() -> None:
    true, found = drawn(3), drawn(3)
    true[0], found[1] = np.nan, np.nan
    for errors in (rotation_errors(found, true), azimuth_errors(found, true, [2, 0, 1])):
        assert np.isnan(errors).tolist() == [True, True, False]


def test_azimuths_wrap() -> None:
    true = cam_from_object(np.deg2rad([359.0, 1.0, 180.0, 10.0]), 0.3, 0.1)
    found = cam_from_object(np.deg2rad([1.0, 359.0, 0.0, 10.0]), -0.2, -0.3)
    errors = np.rad2deg(azimuth_errors(found, true))
    np.testing.assert_allclose(errors, [2, 2, 180, 0], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(ANGLES, ANGLES, st.integers(1, 4))
def test_azimuth_errors_are_distances_on_a_circle(a: float, b: float, fold: int) -> None:
    first, second = (cam_from_object([v], [0.2], [0.0]) for v in (a, b))
    error = azimuth_errors(first, second, fold)[0]
    assert error == pytest.approx(azimuth_errors(second, first, fold)[0], abs=1e-9)
    assert 0 <= error <= np.pi / fold + 1e-9
    turns = a - b + 2 * np.pi / fold * np.arange(-40, 41)
    assert error == pytest.approx(np.abs(turns).min(), abs=1e-9)


def test_symmetry_forgives_a_bottles_azimuth_and_half_a_turn_of_a_table() -> None:
    names = ("bottle", "diningtable", "car")
    true = cam_from_object(np.deg2rad([10.0, 10.0, 10.0]), np.deg2rad(20.0), 0.0)
    found = cam_from_object(np.deg2rad([130.0, 195.0, 195.0]), np.deg2rad(20.0), 0.0)
    p = answers(names, [0, 1, 2], true, found)
    plain = np.rad2deg(errors_of(p))
    np.testing.assert_allclose(plain, [120, 175, 175], atol=1e-7)
    granted = np.rad2deg(errors_of(p, kind="rotation_symmetric"))
    np.testing.assert_allclose(granted, [0, 5, 175], atol=1e-6)
    azimuth = np.rad2deg(errors_of(p, kind="azimuth_symmetric"))
    np.testing.assert_allclose(azimuth, [0, 5, 175], atol=1e-7)
    np.testing.assert_allclose(np.rad2deg(errors_of(p, kind="azimuth")), [120, 175, 175], atol=1e-7)


def test_a_bottles_elevation_is_not_forgiven() -> None:
    true = cam_from_object([0.3], np.deg2rad([10.0]), [0.0])
    found = cam_from_object([2.5], np.deg2rad([35.0]), [0.0])
    p = answers(["bottle"], [0], true, found)
    assert np.rad2deg(errors_of(p, kind="rotation_symmetric"))[0] == pytest.approx(25.0)


def test_shares_and_areas_by_hand() -> None:
    errors = np.deg2rad([0.0, 9.0, 22.5, 29.0, 60.0, 180.0])
    scores = angle_scores(errors, np.zeros(6, int), ["car"])
    assert scores["median_deg"]["all"] == pytest.approx((22.5 + 29.0) / 2)
    assert scores["accuracy_pi_18"]["all"] == pytest.approx(2 / 6)
    assert scores["within_22_5_deg"]["all"] == pytest.approx(2 / 6)  # less than, not at most
    assert scores["accuracy_pi_6"]["all"] == pytest.approx(4 / 6)
    assert scores["within_45_deg"]["all"] == pytest.approx(4 / 6)
    assert scores["aaai"]["all"] == pytest.approx(np.mean([1, 0.95, 0.875, 1 - 29 / 180, 2 / 3, 0]))


def test_the_mean_is_over_the_categories_that_have_objects() -> None:
    values = np.array([1.0, 1.0, 1.0, 0.0, np.nan])
    score = by_category(values, np.array([0, 0, 0, 1, 2]), ["car", "sofa", "tv"], np.mean)
    assert score == {
        "mean": 0.5,
        "all": 0.75,
        "by_category": {"car": 1.0, "sofa": 0.0, "tv": None},
    }


def test_the_poses_of_wrong_categories_count() -> None:
    true = drawn(4)
    p = answers(["car", "bus"], [0, 0, 1, 1], true, turned(true, [10, 20, 40, 80]))
    wrong = dataclasses.replace(p, probabilities=p.probabilities[:, ::-1])
    scores = score_predictions(wrong)
    assert scores["category"]["accuracy"]["mean"] == 0.0
    median = scores["rules"]["weighted"]["rotation"]["median_deg"]
    assert median["by_category"] == pytest.approx({"car": 15.0, "bus": 60.0})
    assert median["mean"] == pytest.approx(37.5)
    assert median["all"] == pytest.approx(30.0)
    assert scores["rules"]["weighted"]["joint"]["mean"] == 0.0
    assert scores["rules"]["oracle"]["joint"]["mean"] == pytest.approx(0.5)
    assert score_predictions(p)["rules"]["weighted"]["joint"]["mean"] == pytest.approx(0.5)


def test_unknown_truths_are_left_out_and_counted() -> None:
    true = drawn(3)
    found = turned(true, [10, 20, 30])
    true[0] = np.nan
    scores = score_predictions(answers(["car"], [0, 0, -1], true, found))
    assert (scores["objects"], scores["without_pose"], scores["without_category"]) == (3, 1, 1)
    assert scores["counts"] == {"car": 2}
    assert scores["category"]["accuracy"]["all"] == 1.0
    assert scores["rules"]["weighted"]["rotation"]["median_deg"]["mean"] == pytest.approx(20.0)


def test_top_k_takes_the_least_error_and_the_oracle_may_be_worse() -> None:
    true = drawn(2)
    likely = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    degrees = {"top1": [40, 5], "top2": [10, 50], "top3": [90, 1], "oracle": [90, 50]}
    found = {rule: turned(true, degrees.get(rule, [0, 0])) for rule in RULES}
    p = answers(["car", "bus", "sofa"], [2, 1], true, found, likely)
    assert [in_top(p, k).tolist() for k in (1, 2, 3)] == [[False] * 2, [False, True], [True] * 2]
    np.testing.assert_allclose(np.rad2deg(top_errors(p, 2)), [10, 5], atol=1e-9)
    np.testing.assert_allclose(np.rad2deg(top_errors(p, 3)), [10, 1], atol=1e-9)
    table = score_predictions(p)["top_k"]
    assert [table[k]["accuracy"]["mean"] for k in ("1", "2", "3")] == [0.0, 0.5, 1.0]
    assert table["3"]["rotation"]["mean"] == pytest.approx(5.5)
    assert table["GT"]["rotation"]["mean"] == pytest.approx(70.0)
    found["top3"][:] = np.nan  # a network of two categories has no third
    np.testing.assert_allclose(np.rad2deg(top_errors(p, 3)), [10, 5], atol=1e-9)


def test_confusions_count_true_rows_and_found_columns() -> None:
    likely = np.array([[0.9, 0.1], [0.1, 0.9], [0.4, 0.6], [0.5, 0.5]])
    p = answers(["car", "bus"], [0, 0, 1, -1], drawn(4), drawn(4), likely)
    assert confusion(p).tolist() == [[1, 1], [0, 1]]


def test_confidence_against_what_came_true() -> None:
    true = drawn(4)
    degrees = [10.0, 29.9, 30.1, 100.0]
    p = answers(["car"], [0] * 4, true, turned(true, degrees), confidence=[0.95, 0.95, 0.95, 0.12])
    assert right_mask(p).tolist() == [True, True, False, False]
    scores = score_predictions(p)["confidence"]
    assert [(b["objects"], b["confidence"]) for b in scores["bins"]] == [(1, 0.15), (3, 0.95)]
    assert scores["error"] == pytest.approx((3 * (0.95 - 2 / 3) + 0.12) / 4)
    assert scores["brier"] == pytest.approx((2 * 0.05**2 + 0.95**2 + 0.12**2) / 4)
    at = {round(row["coverage"], 2): row for row in scores["coverage"]}
    assert at[0.25]["right"] == at[0.5]["right"] == 1.0
    assert at[0.75]["right"] == pytest.approx(2 / 3)
    assert at[0.75]["median_deg"] == pytest.approx(29.9)
    assert at[1.0]["right"] == 0.5


def test_scores_are_json() -> None:
    true = drawn(3)
    for p in (
        answers(["car", "bus"], [0, 1, 0], true, drawn(3, 5)),
        answers(["car"], [], true[:0], true[:0]),
    ):
        json.dumps(score_predictions(p), allow_nan=False)


def views(category: str, azimuths_deg: Sequence[float]) -> list[ObjectView]:
    """Return level views from azimuths."""
    turns = cam_from_object(np.deg2rad(azimuths_deg), 0.1, 0.0)
    return [
        ObjectView(Path(f"{category}-{i}.jpg"), (0, 0, 4, 4), category, tuple(q.tolist()))
        for i, q in enumerate(turns)
    ]


def test_the_most_usual_view_has_most_others_near() -> None:
    azimuths = [0.0, 180.0, 200.0, 190.0, 90.0]
    q = cam_from_object(np.deg2rad(azimuths), 0.1, 0.0)
    np.testing.assert_allclose(np.abs(most_usual(q) @ q[1]), 1.0)


def test_the_constant_gives_the_most_usual_of_the_training_part() -> None:
    train = [
        *views("car", [90, 100, 110, 300]),
        *views("sofa", [0, 10]),
        *views("horse", [45] * 9),
        ObjectView(Path("x.jpg"), (0, 0, 4, 4), "sofa"),
    ]
    test = [*views("sofa", [0.0, 100.0]), ObjectView(Path("y.jpg"), (0, 0, 4, 4), "bus")]
    p = constant_predictions(train, test, ["bus", "car", "sofa"])
    assert p.probabilities[0] == pytest.approx([0, 4 / 7, 3 / 7])
    assert p.category.tolist() == [2, 2, 0]
    np.testing.assert_allclose(np.rad2deg(errors_of(p, "top1")[:2]), [90, 10], atol=1e-6)
    np.testing.assert_allclose(np.rad2deg(errors_of(p, "oracle")[:2]), [0, 100], atol=1e-6)
    np.testing.assert_allclose(np.rad2deg(errors_of(p, "top2")[:2]), [0, 100], atol=1e-6)
    assert np.isnan(p.rotations["top3"]).all()  # no bus was seen in training
    assert score_predictions(p)["category"]["accuracy"]["by_category"]["sofa"] == 0.0


def test_a_constant_needs_training_objects_with_poses() -> None:
    with pytest.raises(InputError, match="training objects with a pose"):
        constant_predictions(views("horse", [1.0]), views("car", [1.0]), ["car"])
