"""The definition of utility: by hand, by an independent loop, and at its edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.records.utility import MachineLabel, Thresholds, UtilityTask
from sightline.tasks.utility.definition import (
    UNKNOWN,
    class_utility,
    classification_labels,
    combined,
    detection_label,
    detection_utility,
    full_reference_utility,
    graded_utility,
    overlaps,
    pristine_objects,
)
from sightline.tasks.utility.machines.machine import Classified, Detected

NAN = float("nan")


def said(*rows: tuple[float, ...]) -> Classified:
    return Classified(np.array(rows, np.float32), np.full(len(rows), -2.0, np.float32))


def found(*objects: tuple[tuple[float, float, float, float], int, float]) -> Detected:
    boxes, labels, scores = zip(*objects, strict=True) if objects else ((), (), ())
    return Detected(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(scores, np.float32),
    )


# Equation 2


@pytest.mark.parametrize(
    ("phi", "pristine", "threshold", "wanted"),
    [
        (0.8, 0.9, 0.5, 0.3 / 0.6),
        (0.9, 0.9, 0.5, 0.4 / 0.6),
        (0.5, 0.7, 0.5, 0.0),
        (0.2, 0.9, 0.5, -0.3 / 0.6),
        (1.0, 1.0, 0.1, 0.9 / 0.1),  # far above 1 although nothing is lost
        (0.0, 1.0, 0.5, -1.0),
        (0.6, 0.3, 0.5, 0.1 / 1.2),  # a reference below the threshold
    ],
)
def test_equation_2_by_hand(phi: float, pristine: float, threshold: float, wanted: float) -> None:
    assert full_reference_utility(phi, pristine, threshold) == pytest.approx(wanted)


def test_equation_2_where_its_denominator_is_zero() -> None:
    values = full_reference_utility([0.0, 1e-9, 1.0], 1.0, 0.0)
    assert values.tolist() == [0.0, math.inf, math.inf]


def test_equation_2_has_the_sign_of_phi_over_the_threshold() -> None:
    phi, pristine = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41))
    for threshold in (0.05, 0.5, 1.0):
        values = full_reference_utility(phi, pristine, threshold)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(np.sign(values), np.sign(phi - threshold))


def test_equation_2_grows_with_both_confidences() -> None:
    steps = np.linspace(0.5, 1.0, 20)[1:]
    assert (np.diff(full_reference_utility(steps, 0.9, 0.5)) > 0).all()
    # The slip: of more use where the pristine image was surer, although more was lost.
    assert (np.diff(full_reference_utility(0.8, steps, 0.5)) > 0).all()


# Equations 5 and 6


def test_equations_5_and_6_by_hand() -> None:
    assert class_utility([3, 4, 3], [3, 3, 3]).tolist() == [1, 0, 1]
    found_at = detection_utility([1, 1, 2, 1], [1, 1, 1, 1], [0.6, 0.4, 0.9, 0.5])
    assert found_at.tolist() == [1, 0, 0, 1]


# Labels of classifiers


@pytest.mark.parametrize(
    ("before", "after", "truth", "utility", "failed"),
    [
        ((0.1, 0.9, 0.0), (0.05, 0.95, 0.0), 1, 1, False),
        ((0.1, 0.9, 0.0), (0.2, 0.8, 0.0), 1, None, False),  # right, but not above T_H
        ((0.1, 0.9, 0.0), (0.7, 0.3, 0.0), 1, None, False),  # wrong, but not below T_L
        ((0.1, 0.9, 0.0), (0.95, 0.05, 0.0), 1, 0, False),
        ((0.9, 0.1, 0.0), (0.05, 0.95, 0.0), 1, None, True),  # the distorted one is right
        ((0.9, 0.1, 0.0), (0.95, 0.05, 0.0), UNKNOWN, 1, False),
        ((0.9, 0.1, 0.0), (0.05, 0.95, 0.0), UNKNOWN, 0, False),
    ],
)
def test_labels_of_classifiers_by_hand(
    before: tuple[float, ...],
    after: tuple[float, ...],
    truth: int,
    utility: int | None,
    failed: bool,
) -> None:
    (label,) = classification_labels(said(before), said(after), [truth])
    true = truth if truth != UNKNOWN else int(np.argmax(before))
    assert label.utility == utility
    assert label.failed is failed
    assert label.reference == pytest.approx(before[true])
    assert label.confidence == pytest.approx(after[true])
    assert label.energy == -2.0
    if not failed:
        value = (after[true] - 0.5) / (1 - (before[true] - 0.5))
        assert label.value == pytest.approx(value, rel=1e-6)


def test_thresholds_themselves_do_not_count() -> None:
    # Exact in float32: T_H 0.75 and T_L 0.25.
    thresholds = Thresholds(high=0.75, low=0.25)
    labels = classification_labels(
        said(*[(0.0, 1.0)] * 4),
        said((0.25, 0.75), (0.125, 0.875), (0.75, 0.25), (0.875, 0.125)),
        [1] * 4,
        thresholds,
    )
    assert [label.utility for label in labels] == [None, 1, None, 0]


def test_labels_of_classifiers_by_a_loop() -> None:
    rng = np.random.default_rng(4)
    before, after = (rng.dirichlet(np.full(5, 0.15), 600).astype(np.float32) for _ in range(2))
    after[::2] = before[::2]
    truth = np.where(rng.random(600) < 0.7, before.argmax(1), rng.integers(0, 5, 600))
    truth[::7] = UNKNOWN
    labels = classification_labels(said(*before), said(*after), truth.tolist())
    seen = []
    for label, p, q, t in zip(labels, before, after, truth, strict=True):
        true = max(range(5), key=lambda c: p[c]) if t == UNKNOWN else int(t)
        guess = max(range(5), key=lambda c: q[c])
        if max(range(5), key=lambda c: p[c]) != true:
            wanted = ("failed", None)
        elif guess == true and q[true] > 0.9:
            wanted = ("", 1)
        elif guess != true and q[true] < 0.1:
            wanted = ("", 0)
        else:
            wanted = ("", None)
        assert ("failed" if label.failed else "", label.utility) == wanted
        seen.append(wanted)
    assert len(set(seen)) == 4  # all outcomes came up


def test_a_machine_for_other_classes_is_refused() -> None:
    with pytest.raises(InputError, match="a true class from 0 to 1 is wanted"):
        classification_labels(said((0.5, 0.5)), said((0.5, 0.5)), [2])
    with pytest.raises(InputError, match="a pristine image, a truth and an energy"):
        classification_labels(said((0.5, 0.5)), said((0.5, 0.5)), [0, 1])
    with pytest.raises(InputError, match="NaN among them"):
        classification_labels(said((0.5, NAN)), said((0.5, 0.5)), [0])


def test_a_classifier_that_answers_at_random_fails_on_pristine_images() -> None:
    rng = np.random.default_rng(0)
    random = [rng.dirichlet(np.ones(10), 500).astype(np.float32) for _ in range(2)]
    truth = rng.integers(0, 10, 500).tolist()
    labels = classification_labels(said(*random[0]), said(*random[1]), truth)
    assert 0.8 < np.mean([label.failed for label in labels]) < 0.97
    assert not any(label.utility == 1 for label in labels)


# Labels of detectors

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0)
#: Over LEFT by exactly half of the union, and by less.
HALF, LESS = (0.0, 0.0, 10.0, 5.0), (0.0, 0.0, 10.0, 4.9)


@pytest.mark.parametrize(
    ("before", "after", "utility", "reference", "confidence"),
    [
        ([(LEFT, 1, 0.9)], [(LEFT, 1, 0.8)], 1, 0.9, 0.8),
        ([(LEFT, 1, 0.9)], [(HALF, 1, 0.5)], 1, 0.9, 0.5),  # both bounds count
        ([(LEFT, 1, 0.9)], [(LESS, 1, 0.9)], 0, 0.9, 0.0),
        ([(LEFT, 1, 0.9)], [(LEFT, 1, 0.49)], 0, 0.9, 0.49),
        ([(LEFT, 1, 0.9)], [(LEFT, 2, 0.9)], 0, 0.9, 0.0),
        ([(LEFT, 1, 0.9)], [], 0, 0.9, 0.0),
        # Another object than before: none of those found is found again.
        ([(LEFT, 1, 0.9)], [(RIGHT, 2, 0.9)], 0, 0.9, 0.0),
        # Of two the one that is found again.
        ([(LEFT, 1, 0.9), (RIGHT, 2, 0.6)], [(RIGHT, 2, 0.7)], 1, 0.6, 0.7),
        ([], [(LEFT, 1, 0.9)], None, 0.0, 0.9),
        ([(LEFT, 1, 0.4)], [(LEFT, 1, 0.9)], None, 0.4, 0.9),
        # A false alarm is no object found.
        ([((80, 80, 90, 90), 1, 0.9)], [((80, 80, 90, 90), 1, 0.9)], None, 0.0, 0.0),
        # Of several detections of one object the best counts.
        ([(LEFT, 1, 0.9)], [(LEFT, 2, 0.9), (HALF, 1, 0.6), (LEFT, 1, 0.3)], 1, 0.9, 0.6),
    ],
)
def test_labels_of_detectors_by_hand(
    before: list, after: list, utility: int | None, reference: float, confidence: float
) -> None:
    label = detection_label(found(*before), found(*after), [LEFT, RIGHT], [1, 2])
    assert label.utility == utility
    assert label.failed is (utility is None)
    assert label.reference == pytest.approx(reference)
    assert label.confidence == pytest.approx(confidence)
    if utility is not None:
        value = (confidence - 0.5) / (1 - (reference - 0.5))
        assert label.value == pytest.approx(value, rel=1e-6)
        assert (label.value >= 0) is (utility == 1)


def test_images_without_objects_cannot_be_judged() -> None:
    label = detection_label(found((LEFT, 1, 0.9)), found((LEFT, 1, 0.9)), [], [])
    assert label == MachineLabel(None, 0.0, 0.0, label.value)
    assert label.failed


def test_labels_of_detectors_by_a_loop() -> None:
    rng = np.random.default_rng(8)

    def some(n: int) -> list:
        corners = rng.integers(0, 12, (n, 2))
        sides = rng.integers(6, 12, (n, 2))
        rows = np.hstack([corners, corners + sides]).astype(float)
        return [
            (tuple(row), int(label), float(score))
            for row, label, score in zip(rows, rng.integers(0, 2, n), rng.random(n), strict=True)
        ]

    def iou(a: tuple, b: tuple) -> float:
        w = min(a[2], b[2]) - max(a[0], b[0])
        h = min(a[3], b[3]) - max(a[1], b[1])
        shared = max(w, 0) * max(h, 0)
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    def finds(objects: list, box: tuple, label: int) -> bool:
        return any(
            mine == label and score >= 0.5 and iou(at, box) >= 0.5 for at, mine, score in objects
        )

    seen = set()
    for _ in range(300):
        truth, before, after = some(3), some(4), some(4)
        wanted = None
        twice = [finds(after, box, label) for box, label, _ in truth if finds(before, box, label)]
        if twice:
            wanted = int(any(twice))
        boxes, labels = [t[0] for t in truth], [t[1] for t in truth]
        assert detection_label(found(*before), found(*after), boxes, labels).utility == wanted
        seen.add(wanted)
    assert seen == {0, 1, None}


def test_overlaps_by_hand() -> None:
    np.testing.assert_allclose(
        overlaps([LEFT, RIGHT], [LEFT, HALF, (5, 5, 15, 15), (3, 3, 3, 9)]),
        [[1, 0.5, 25 / 175, 0], [0, 0, 0, 0]],
    )
    assert overlaps([], [LEFT]).shape == (0, 1)


def test_objects_of_the_pristine_image_stand_for_the_truth() -> None:
    boxes, labels = pristine_objects(found((LEFT, 3, 0.9), (RIGHT, 1, 0.5), (HALF, 1, 0.4)))
    assert boxes == (LEFT, RIGHT)
    assert labels == (3, 1)
    assert pristine_objects(found()) == ((), ())


def test_detectors_that_answer_nonsense_are_refused() -> None:
    nonsense = found((LEFT, 1, NAN))
    with pytest.raises(InputError, match="finite boxes and scores are wanted"):
        detection_label(nonsense, found(), [LEFT], [1])
    with pytest.raises(InputError, match="a label a box is wanted, 0 of 1 came"):
        detection_label(found(), found(), [LEFT], [])


# Operators


def labels_of(*utilities: int | None) -> list[MachineLabel]:
    return [MachineLabel(u, 0.9, 0.9, 0.1) for u in utilities]


@pytest.mark.parametrize(
    ("utilities", "common", "majority"),
    [
        ((1, 1, 1), 1, 1),
        ((0, 0, 0), 0, 0),
        ((1, 1, 0), None, 1),
        ((1, 0, 0), None, 0),
        ((1, 1, None), None, 1),
        ((1, None, None), None, None),
        ((1, 0, None), None, None),
        ((1, 0), None, None),
        ((None,), None, None),
        ((0,), 0, 0),
    ],
)
def test_common_and_majority_by_hand(
    utilities: tuple[int | None, ...], common: int | None, majority: int | None
) -> None:
    for order in itertools.permutations(labels_of(*utilities)):
        assert combined(order, "common") == common
        assert combined(order, "majority") == majority


@pytest.mark.parametrize(
    ("values", "mean", "largest"),
    [
        ((0.3, -0.1), 1, 1),
        ((0.1, -0.3), 0, 1),
        ((-0.1, -0.3), 0, 0),
        ((0.0, 0.0), 0, 0),  # neither negative nor positive: of no use
        ((0.2, NAN), 1, 1),  # machines that failed are left out
        ((-0.2, NAN), 0, 0),
        ((NAN, NAN), None, None),
        ((math.inf, -0.5), 1, 1),
    ],
)
def test_mean_and_max_by_hand(
    values: tuple[float, ...], mean: int | None, largest: int | None
) -> None:
    labels = [MachineLabel(None, 0.9, 0.5, value) for value in values]
    assert combined(labels, "mean") == mean
    assert combined(labels, "max") == largest


def test_grades_by_hand() -> None:
    def said(confidence: float, value: float = 0.5) -> MachineLabel:
        return MachineLabel(None, 0.95, confidence, value)

    def grade(*labels: MachineLabel, task: UtilityTask = "classification") -> float | None:
        return graded_utility(labels, task, Thresholds(high=0.9, low=0.1, score=0.4))

    assert grade(said(0.95)) == 1.0
    assert grade(said(0.05)) == 0.0
    assert grade(said(0.5)) == pytest.approx(0.5)
    assert grade(said(0.3), said(0.9)) == pytest.approx((0.25 + 1.0) / 2)
    assert grade(said(0.4), task="detection") == pytest.approx(0.5)  # the least score
    assert grade(said(0.0), task="detection") == 0.0
    assert grade(said(0.9), task="detection") == 1.0
    assert grade(said(0.5), said(0.5, math.nan)) is None  # the pristine image failed
    assert grade() is None
    # one bound for both: sure or not
    assert graded_utility([said(0.6)], "classification", Thresholds(high=0.5, low=0.5)) == 1.0


def test_operators_want_machines_and_a_name() -> None:
    with pytest.raises(InputError, match="one machine or more is wanted"):
        combined([], "common")
    with pytest.raises(InputError, match="common, majority, mean, max is wanted, median came"):
        combined(labels_of(1), "median")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"high": 1.5}, "from 0 to 1 is wanted for high"),
        ({"iou": NAN}, "from 0 to 1 is wanted for iou"),
        ({"high": 0.1, "low": 0.9}, "T_L at most T_H is wanted, 0.9 and 0.1 came"),
    ],
)
def test_impossible_thresholds_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Thresholds(**given)
