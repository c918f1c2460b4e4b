"""mapnet_plus.py compares trainings that differ in the walk alone."""

import argparse
import dataclasses
from pathlib import Path

from mapnet_plus import trainings


def changed(a: object, b: object) -> set[str]:
    pairs = dataclasses.asdict(a), dataclasses.asdict(b)  # type: ignore[call-overload]
    return {key for key in pairs[0] if pairs[0][key] != pairs[1][key]}


def test_trainings_differ_in_the_walk_alone():
    options = argparse.Namespace(passes=60, as_long=True, exact=True, skip=5, weight=0.5)
    made = dict(trainings(options, Path("second")))
    assert list(made) == ["MapNet", "MapNet, twice the passes", "MapNet+", "MapNet+, exact motion"]
    plain, longer, walked, told = made.values()
    assert (plain.epochs, plain.max_seconds, plain.validate_every) == (60, 0.0, 3)
    assert changed(plain, longer) == {"epochs", "validate_every"}
    assert longer.epochs == 120
    walk = {"unlabelled", "unlabelled_skip", "unlabelled_weight"}
    assert changed(plain, walked) == walk
    assert changed(walked, told) == {"unlabelled_odometry"}
    assert told.unlabelled_odometry == Path("second/poses.csv")
    for config in made.values():
        config.refuse_ignored()
    assert [name for name, _ in trainings(argparse.Namespace(
        passes=1, as_long=False, exact=False, skip=3, weight=1.0), Path("w"))
    ] == ["MapNet", "MapNet+"]  # fmt: skip
