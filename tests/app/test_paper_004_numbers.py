"""Paper 004: its printed values, controls of filtering and replacing, overlaps, what is said."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from sightline.app.papers import find_paper
from sightline.app.papers.paper004 import conclusions, published
from sightline.app.papers.paper004.config import Paper004Config, listed
from sightline.app.papers.paper004.filtering import filtered, highest_kept, most_useful
from sightline.app.papers.paper004.intervals import Share, share
from sightline.app.papers.paper004.overlap import edges, overlap
from sightline.app.papers.paper004.replacing import (
    Detections,
    at_random,
    lowest,
    mean_average_precision,
    replaced,
)
from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.tasks.utility.machines.machine import Detected

PAPERS = Path(__file__).resolve().parents[3] / "shared" / "papers"
COMMON = published.COMMON


def test_the_paper_is_registered_and_needs_no_data():
    paper = find_paper("004")
    assert paper.load("config") is Paper004Config
    assert callable(paper.load("reproduce"))
    assert callable(paper.load("data"))
    assert not paper.needs_data


@pytest.mark.shared
def test_published_values_are_those_of_the_papers_text():
    found = sorted(PAPERS.glob("004_*.txt"))
    if not found:
        pytest.skip(f"{PAPERS} has no paper 004")
    text = found[0].read_text(encoding="utf-8")
    named = {
        "Inception-v3": published.TABLE_1["inception_v3"],
        "VGG-19": published.TABLE_1["vgg19"],
        "Densenet-121": published.TABLE_1["densenet121"],
        "Inception+VGG+Densenet": published.TABLE_1[COMMON],
        "Faster R-CNN Resnet-50": published.TABLE_2["fasterrcnn_resnet50_fpn"],
        "SSD-300 VGG-16": published.TABLE_2["ssd300_vgg16"],
        "SSD-320 Mobilenet-v3": published.TABLE_2["ssdlite320_mobilenet_v3_large"],
        "SSD-300 + SSD-320 + Faster R-CNN": published.TABLE_2[COMMON],
    }
    for name, value in named.items():
        assert f"\n{name}\t{value}%\n" in text
    for name, key in zip(
        ("AlexNet", "ResNext-50", "EfficientNet-B7"), published.TABLE_3, strict=True
    ):
        first, second = published.TABLE_3[key]
        assert f"\n{name}\t{first}%\t{second}%\n" in text
    for name, key in zip(
        ("Mask R-CNN", "RetinaNet", "FR-CNN MobileNet"), published.TABLE_4, strict=True
    ):
        assert "\n" + "\t".join((name, *published.TABLE_4[key])) + "\n" in text
    # the slip that the notes name
    assert "accuracy of only 81.8%" in text
    assert any("81.8%" in note and "81.3%" in note for note in published.NOTES["table-2"])


def test_the_papers_networks_are_torchvisions():
    from sightline.learning.torchvision_compat import import_torchvision

    names = set(import_torchvision().models.list_models())
    networks = (
        *published.CLASSIFIERS, *published.DETECTORS,
        *published.UNSEEN_CLASSIFIERS, *published.UNSEEN_DETECTORS,
    )  # fmt: skip
    assert set(networks) <= names
    assert set(published.TABLE_1) - {COMMON} == set(published.CLASSIFIERS)
    assert set(published.TABLE_2) - {COMMON} == set(published.DETECTORS)
    assert tuple(published.TABLE_3) == published.UNSEEN_CLASSIFIERS
    assert tuple(published.TABLE_4) == published.UNSEEN_DETECTORS


def test_nine_qualities_and_others_for_the_test():
    config = Paper004Config()
    assert len(config.compressed()) == 9
    assert not set(config.compressed()) & set(config.compressed_for_test())
    assert listed(" a, b,,a ") == ("a", "b")
    assert Paper004Config(distort="").others() == ()
    assert Paper004Config(distort="blur:2,noise:5").others() == (
        Distortion("blur", 2.0),
        Distortion("noise", 5.0),
    )
    quick = Paper004Config(quick=True).effective
    assert quick.images == 240
    assert quick.compressed() == config.compressed()[:3]
    assert Paper004Config(quick=True, images=100).effective.images == 100
    assert quick.weights == "none"  # the objects network's ResNet is wider
    assert Paper004Config(quick=True, weights="imagenet").effective.weights == "imagenet"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"qualities": "5,10", "test_qualities": "7,10"}, "both have 10"),
        ({"qualities": ""}, "--qualities such as 5,10 are wanted"),
        ({"qualities": "good"}, "--qualities such as 5,10 are wanted, 'good' came"),
        ({"test_qualities": "0"}, "jpeg"),
        ({"distort": "haze:3"}, "haze"),
        ({"epochs": 0}, "epochs"),
        ({"width": 1.0}, "resnet18 at 1 came; pass --weights none"),
        ({"backbone": "resnet34"}, "resnet34 at 0.5 came"),
        ({"images": -1}, "images"),
        ({"machine_minutes": 0.0}, "machine_minutes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, text):
    with pytest.raises(InputError, match=text):
        Paper004Config(**changes)


def test_a_share_and_its_interval_over_sources():
    values = np.array([1, 1, 0, 1, 0, 0, 1, 1], dtype=float)
    sources = ["a", "a", "b", "b", "c", "c", "d", "d"]
    among = np.array([True] * 6 + [False] * 2)
    one = share(values, sources, among)
    assert one.value == 0.5
    # of the three sources that count, one is all right, one half, one not at all
    assert one.low <= 1 / 6 + 1e-9
    assert one.high >= 5 / 6 - 1e-9
    assert share(np.ones(4), ["a", "b", "c", "d"]) == Share(1.0, 1.0, 1.0)
    alone = share(np.array([1.0, 0.0]), ["a", "a"])
    assert alone.value == 0.5
    assert np.isnan(alone.low)
    assert alone.percent() == "50.0"
    assert alone.to_values() == [0.5, None, None]
    assert share(values, sources, np.zeros(8, dtype=bool)).percent() == "-"
    # copies of one source say no more than one of them
    few = share(np.tile([1.0, 0.0], 2), ["a", "b", "c", "d"])
    copied = share(np.repeat([1.0, 0.0, 1.0, 0.0], 50), list(np.repeat(["a", "b", "c", "d"], 50)))
    assert (few.low, few.high) == (copied.low, copied.high)


def test_dropping_as_many_at_random_is_the_mean_of_all_choices():
    correct = np.array([True, True, False, True, False, False, True])
    keep = np.array([True, False, True, True, False, False, True])
    quality = np.array([5.0, 5, 10, 10, 10, 20, 20])
    found = filtered(correct, keep, quality, list("abcdefg"))
    choices = [correct[list(c)].mean() for c in itertools.combinations(range(7), 4)]
    assert found.accuracy.value == 0.75
    assert found.kept == 4 / 7
    assert found.random == pytest.approx(np.mean(choices))
    assert found.random_spread == pytest.approx(1.96 * np.std(choices))
    # quality: both of 20 (one right), and two of the three of 10 (a third right), in the mean
    of_ten = [correct[[2, 3, 4]][list(c)].sum() for c in itertools.combinations(range(3), 2)]
    assert found.by_quality == pytest.approx((1 + np.mean(of_ten)) / 4)


def test_keeping_all_or_none_by_quality():
    correct = np.array([True, False, True])
    quality = np.array([1.0, 2.0, 3.0])
    assert highest_kept(correct, quality, 3) == pytest.approx(2 / 3)
    assert highest_kept(correct, quality, 1) == 1.0
    assert highest_kept(correct, quality, 2) == 0.5
    assert np.isnan(highest_kept(correct, quality, 0))
    nothing = filtered(correct, np.zeros(3, dtype=bool), quality, list("abc"))
    assert nothing.kept == 0
    assert np.isnan(nothing.accuracy.value)


def test_the_most_useful_are_taken_and_of_equals_the_first():
    kept = most_useful(np.array([0.2, 0.9, 0.5, 0.5]), 2)
    assert kept.tolist() == [False, True, True, False]
    assert not most_useful(np.array([0.2, 0.9]), 0).any()


def detected(*boxes):
    return Detected(
        np.array([b[:4] for b in boxes], np.float32).reshape(-1, 4),
        np.array([b[4] for b in boxes], np.int64),
        np.array([b[5] for b in boxes], np.float32),
    )


TRUTH = (np.array([[10, 10, 50, 50]], np.float32), np.array([1]))
RIGHT, WRONG, NOTHING = (
    detected((10, 10, 50, 50, 1, 0.9)),
    detected((0, 0, 9, 9, 1, 0.8)),
    detected(),
)


def test_map_of_all_of_half_and_of_nothing_found():
    assert mean_average_precision([TRUTH] * 2, [RIGHT] * 2) == pytest.approx(1.0, abs=1e-6)
    assert mean_average_precision([TRUTH] * 2, [NOTHING] * 2) == 0.0
    half = mean_average_precision([TRUTH] * 2, [RIGHT, NOTHING])
    assert half == pytest.approx(51 / 101, abs=1e-3)  # COCO's 101 points of recall
    # 40 of 80 pixels wide: an overlap of a half counts at the threshold of 0.5 alone
    wide = detected((10, 10, 90, 50, 1, 0.9))
    assert mean_average_precision([TRUTH], [wide]) == pytest.approx(0.1, abs=1e-6)
    empty = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert np.isnan(mean_average_precision([empty], [RIGHT]))


def test_replacing_takes_the_pristine_answers_of_those_pictures_alone():
    gone = np.array([True, False, True])
    assert replaced([NOTHING, WRONG, NOTHING], [RIGHT] * 3, gone) == [RIGHT, WRONG, RIGHT]
    found = Detections([TRUTH] * 3, [NOTHING, RIGHT, NOTHING], [RIGHT] * 3, np.array([1.0, 9, 1]))
    scores = found.controlled(gone)
    assert scores.score == pytest.approx(1.0, abs=1e-6)
    assert scores.share == 2 / 3
    assert scores.by_quality == pytest.approx(1.0, abs=1e-6)  # the same two
    assert scores.random is not None
    assert scores.random <= 1.0 + 1e-6
    whole = found.controlled(np.ones(3, dtype=bool))
    assert (whole.random, whole.by_quality) == (None, None)
    assert found.after(np.zeros(3, dtype=bool)) < whole.score


def test_draws_take_so_many_and_the_lowest_first():
    assert at_random(10, 4, 0).sum() == 4
    assert (at_random(10, 4, 0) == at_random(10, 4, 0)).all()
    assert (at_random(50, 20, 0) != at_random(50, 20, 1)).any()
    chosen = lowest(np.array([5.0, 1, 5, 1, 9]), 3, 0)
    assert chosen[[1, 3]].all()
    assert chosen.sum() == 3
    assert not chosen[4]


def test_overlap_of_histograms():
    rng = np.random.default_rng(0)
    first = rng.normal(0, 1, 20_000)
    assert overlap(first, first) == pytest.approx(1.0)
    assert overlap(first, first + 100) == 0.0
    # of two normal distributions: twice the share beyond half their distance
    assert overlap(first, rng.normal(2, 1, 20_000)) == pytest.approx(0.317, abs=0.02)
    assert np.isnan(overlap(first, np.zeros(0)))
    assert overlap(np.ones(3), np.ones(4)) == 1.0
    assert len(edges(np.ones(3), np.ones(2))) == 31


def scores(after, before, by_quality, ideal):
    own = {"random": before, "by_quality": by_quality}
    return {
        conclusions.BEFORE: {"accuracy": [before, None, None], **own, "by_quality": None},
        conclusions.by_predictor(COMMON): {"accuracy": [after, None, None], **own},
        conclusions.IDEAL: {"accuracy": [ideal, None, None], **own},
    }


def test_what_is_said_of_filtering_follows_the_numbers():
    up = conclusions.filter_notes(
        {"a": scores(0.9, 0.7, 0.85, 0.95), "b": scores(0.8, 0.75, 0.82, 0.9)}
    )
    text = " ".join(up)
    assert "holds here: +5.0 to +20.0 points" in text
    assert "lowest JPEG quality: -2.0 to +5.0 points" in text
    assert "room to the true labels: +5.0 to +10.0 points" in text
    down = conclusions.filter_notes({"a": scores(0.6, 0.7, 0.6, 0.9)})
    assert "does not hold here: -10.0 points" in down[0]
    nothing = conclusions.filter_notes({"a": scores(None, 0.7, None, 0.9)})
    assert nothing == ["the common predictor lets no picture through: nothing can be said"]


def test_what_is_said_of_replacing_and_of_other_tasks():
    own = conclusions.by_predictor(COMMON)
    found = {
        "d": {
            conclusions.BEFORE: {"map": 0.2, "random": None, "by_quality": None},
            own: {"map": 0.3, "random": 0.26, "by_quality": 0.31},
        }
    }
    text = " ".join(conclusions.replace_notes(found))
    assert "holds here: +0.100 by the common predictor" in text
    assert "at random (once) +0.040, of the lowest JPEG quality -0.010" in text
    near = {
        "n": {
            "classification": {"accuracy": [0.8, None, None]},
            "detection": {"accuracy": [0.79, None, None]},
            "detection, as many kept": {"accuracy": [0.785, None, None]},
        }
    }
    said = conclusions.task_notes(near, "classification", "accuracy")
    assert "holds here" in said[0]
    assert "+1.0 points ahead" in said[0]
    assert "+1.5 points ahead" in said[1]
    near["n"]["detection"]["accuracy"][0] = 0.7
    assert "does not hold here" in conclusions.task_notes(near, "classification", "accuracy")[0]


def test_what_is_said_of_the_goal_and_of_the_common_label():
    reached = conclusions.Target(Share(0.91), Share(0.06), "rule")
    said = conclusions.target_note("common", reached)
    assert "5 points above rule were wanted; both are reached" in said
    for missed in (
        conclusions.Target(Share(0.89), Share(0.06), "rule"),
        conclusions.Target(Share(0.95), Share(0.04), "rule"),
        conclusions.Target(Share(0.95), Share(float("nan")), "rule"),
    ):
        assert "not both are reached" in conclusions.target_note("common", missed)
    best = conclusions.combined_note({"a": 0.8, "b": 0.85, COMMON: 0.9}, "Table I")
    assert "holds here: 90.0% against 85.0% at best (b)" in best
    assert "does not hold here" in conclusions.combined_note({"a": 0.95, COMMON: 0.9}, "Table I")
