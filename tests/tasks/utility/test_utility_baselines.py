"""Rules that look at one number: directions, thresholds and shares are what they must be."""

import numpy as np
import pytest

from sightline.media.distortions import Distortion
from sightline.tasks.utility.answers import Answers
from sightline.tasks.utility.baselines import (
    LEVEL,
    MAJORITY,
    decide_all,
    fit_levels,
    fit_threshold,
)
from sightline.tasks.utility.measures import MEASURES


def answers(distortions: list[Distortion], useful: list[int], **measures: list[float]) -> Answers:
    count = len(useful)
    names = tuple(str(k) for k in range(count))
    blank = np.full(count, np.nan)
    return Answers(
        names,
        tuple(distortions),
        (0,) * count,
        (0,) * count,
        ("test",) * count,
        names,
        tuple("useful" if u else "useless" for u in useful),
        np.full(count, 0.5),
        {name: np.array(measures.get(name, blank), dtype=float) for name in MEASURES},
    )


def test_a_rule_learns_its_direction_and_its_threshold() -> None:
    useful = np.array([0, 0, 1, 1], dtype=bool)
    rising = fit_threshold(np.array([1.0, 2.0, 4.0, 5.0]), useful)
    assert rising is not None
    assert (rising.sign, rising.least) == (1.0, 3.0)
    falling = fit_threshold(np.array([5.0, 4.0, 2.0, 1.0]), useful)
    assert falling is not None
    score, decided = falling.decide(np.array([2.9, 3.1]))
    assert decided.tolist() == [True, False]
    assert score[0] > score[1]


def test_a_rule_is_chosen_for_what_it_is_to_be_best_at() -> None:
    values, useful = np.arange(6.0), np.array([1, 1, 0, 1, 1, 1], dtype=bool)
    balanced, accurate = (fit_threshold(values, useful, aim) for aim in ("balanced", "accuracy"))
    assert balanced is not None
    assert accurate is not None
    assert balanced.least == 2.5  # the one useless image is worth two useful ones
    assert accurate.decide(values)[1].all()


def test_unknown_numbers_get_the_commoner_answer_and_rule_out_nothing() -> None:
    values, useful = np.array([1.0, 2.0, np.nan, np.nan]), np.array([0, 1, 1, 1], dtype=bool)
    rule = fit_threshold(values, useful)
    assert rule is not None
    score, decided = rule.decide(np.array([0.0, np.nan, 9.0]))
    assert decided.tolist() == [False, True, True]
    assert score[0] < score[1] < score[2]
    assert fit_threshold(np.full(4, np.nan), useful) is None
    assert fit_threshold(np.full(4, 7.0), useful) is None
    assert fit_threshold(np.arange(4.0), np.ones(4, dtype=bool)) is None


def test_levels_are_shares_of_their_kind_drawn_to_its_mean() -> None:
    jpeg, blur = [Distortion("jpeg", q) for q in (10, 10, 50, 50)], Distortion("blur", 2)
    shares = fit_levels([*jpeg, blur], np.array([0, 0, 1, 1, 0], dtype=bool))
    found = shares.scores([jpeg[0], jpeg[2], Distortion("jpeg", 30), blur, Distortion("noise", 9)])
    # two images and a mean of 0.5 that counts as two more
    assert found == pytest.approx([0.25, 0.75, 0.5, 0.0, 2 / 5])


def test_jpeg_quality_alone_says_nothing_of_what_is_no_jpeg() -> None:
    jpeg, noise = (
        [Distortion("jpeg", q) for q in (5, 50)],
        [Distortion("noise", n) for n in (5, 50)],
    )
    distortions, useful = [*jpeg, *noise], [0, 1, 1, 0]
    fitted = answers(distortions, useful, quality=[5, 50, 100, 100])
    levels = fit_levels(distortions, fitted.useful)
    decided = decide_all(fitted, levels, fitted)
    assert decided["JPEG quality alone"].useful.tolist() == [False, True, True, True]
    assert decided[LEVEL].useful.tolist() == [False, True, True, False]
    assert decided[MAJORITY].useful.tolist() == [True] * 4
    only = answers(noise, useful[2:], quality=[100, 100])
    assert "JPEG quality alone" not in decide_all(only, levels, fitted)
    assert list(decided) == ["JPEG quality alone", LEVEL, MAJORITY]


def test_a_rule_is_judged_by_the_threshold_of_other_images() -> None:
    distortion = [Distortion("blur", 1)] * 4
    fitted = answers(distortion, [0, 0, 1, 1], sharpness=[1, 2, 4, 5])
    judged = answers(distortion, [0, 1, 0, 1], sharpness=[2.9, 2.9, 3.1, 3.1])
    decided = decide_all(judged, fit_levels(distortion, fitted.useful), fitted)["sharpness"]
    assert decided.useful.tolist() == [False, False, True, True]
    assert decided.rule == "useful at 3 or more"
