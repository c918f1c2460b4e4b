"""Numbers of networks in the machines' form: logits, probabilities of 8 bits, boxes."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from sightline.errors import GeometryError
from sightline.tasks.utility.machines.answers import (
    are_probabilities,
    detected,
    joined,
    of_logits,
    of_probabilities,
    without_class,
)


def test_logits_are_softmaxed_and_say_the_energy() -> None:
    logits = np.random.default_rng(0).normal(0, 30, (5, 7)).astype(np.float16)
    found = of_logits(logits, "net")
    np.testing.assert_allclose(found.probabilities, softmax(logits.astype(float), 1), atol=1e-6)
    np.testing.assert_allclose(found.energy, -logsumexp(logits.astype(float), 1), rtol=1e-5)
    assert found.probabilities.dtype == found.energy.dtype == np.float32
    huge = of_logits([[1e30, -1e30]], "net").probabilities
    np.testing.assert_array_equal(huge, [[1, 0]])
    for wrong in (np.nan, np.inf):
        with pytest.raises(GeometryError, match="finite outputs are wanted of net"):
            of_logits([[0.0, wrong]], "net")


def test_what_8_bits_round_away_is_shared_by_all() -> None:
    found = of_probabilities(
        [[0.5, 0.5, 0, 0], [0.3, 0, 0, 0], [0, 0, 0, 0], [0.7, 0.5, 0, 0]], "n"
    )
    np.testing.assert_allclose(
        found.probabilities,
        [[0.5, 0.5, 0, 0], [0.475, 0.175, 0.175, 0.175], [0.25] * 4, [7 / 12, 5 / 12, 0, 0]],
        atol=1e-6,
    )
    assert np.isnan(found.energy).all()
    with pytest.raises(GeometryError, match="probabilities are wanted of n, -3 came"):
        of_probabilities([[-3.0, 4.0]], "n")


def test_probabilities_are_known_by_their_sum() -> None:
    rows = softmax(np.random.default_rng(0).normal(0, 3, (4, 9)), 1)
    assert are_probabilities(rows)
    assert are_probabilities(rows.astype(np.float16))
    assert not are_probabilities(rows * 1.1)
    assert not are_probabilities(np.array([[1.5, -0.5]]))


def test_a_class_that_is_none_is_left_out() -> None:
    found = without_class(of_probabilities([[0.5, 0.4, 0.1], [1.0, 0.0, 0.0]], "n"), 0)
    np.testing.assert_allclose(found.probabilities, [[0.8, 0.2], [0.5, 0.5]], atol=1e-6)


def test_batches_are_joined_and_none_is_an_answer_too() -> None:
    one, two = of_logits(np.eye(3), "n"), of_logits(np.ones((2, 3)), "n")
    whole = joined([one, two], 3)
    assert whole.probabilities.shape == (5, 3)
    assert whole.energy.shape == (5,)
    assert joined([], 3).probabilities.shape == (0, 3)


def test_boxes_come_best_first_and_inside() -> None:
    boxes = [[-4, -4, 4, 4], [2, 2, 30, 8], [12, 1, 15, 3], [6, 6, 5, 9]]
    found = detected(boxes, [0, 1, 2, 3], [0.2, 0.7, 0.9, 0.8], (10, 12, 3))
    np.testing.assert_array_equal(found.boxes, [[2, 2, 12, 8], [0, 0, 4, 4]])
    np.testing.assert_array_equal(found.labels, [1, 0])
    assert (found.boxes.dtype, found.labels.dtype) == (np.float32, np.int64)
    many = detected([[0, 0, 1, 1]] * 150, np.arange(150), np.linspace(0, 1, 150), (2, 2))
    np.testing.assert_array_equal(many.labels, np.arange(149, 49, -1))
    assert detected([], [], [], (5, 5)).boxes.shape == (0, 4)
