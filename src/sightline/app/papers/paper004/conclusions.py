"""Whether the paper's conclusions hold for the measured numbers, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.app.papers.paper004.intervals import Share
from sightline.app.papers.paper004.published import COMMON

BEFORE, IDEAL, OWN = "nothing", "true labels of all", "its own true labels"
#: What the paper calls negligible: "around 2% or less".
_NEGLIGIBLE = 0.02
#: What was set for the predictors of joined labels.
_WANTED, _AHEAD = 0.90, 0.05


@dataclass(frozen=True)
class Target:
    """What was set as a goal for a predictor.

    Attributes:
        accuracy: Share of its decisions that are right.
        ahead: How much more it has right than the rule.
        rule: That rule: the JPEG quality alone or, where there are other distortions, which one and
            its level.
    """

    accuracy: Share
    ahead: Share
    rule: str


def by_predictor(machine: str) -> str:
    """Return what a condition is called: pictures let through by a predictor."""
    return f"predictor, {machine}"


def filter_notes(values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what Figure 2 (a) says.

    Args:
        values: Network -> condition -> ``accuracy`` (value, low, high), ``random``,
            ``by_quality``.
    """
    gains, over_quality, room = [], [], []
    for found in values.values():
        common = found[by_predictor(COMMON)]
        after = common["accuracy"][0]
        if after is None:
            return ["the common predictor lets no picture through: nothing can be said"]
        gains.append(after - common["random"])
        if common["by_quality"] is not None:
            over_quality.append(after - common["by_quality"])
        ideal = found[IDEAL]["accuracy"][0]
        if ideal is not None:
            room.append(ideal - after)
    notes = [
        "the paper: accuracy rises in all tested networks; "
        f"{_holds(min(gains) > 0)}: {_points(gains)} points by the common predictor, against "
        "the mean of leaving out as many at random, which changes nothing",
        "'true labels of all' leaves out what the labelling machines agree is of no use, 'its own "
        "true labels' what the unseen network itself fails on; pictures without a label stay in "
        "both",
        "leaving pictures out raises accuracy also because hard ones go: kept % says how many stay",
    ]
    if over_quality:
        notes.append(
            "the common predictor's accuracy less that of leaving out as many pictures of the "
            f"lowest JPEG quality: {_points(over_quality)} points"
        )
    if room:
        notes.append(f"room to the true labels: {_points(room)} points")
    return notes


def replace_notes(values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what Figure 2 (b) says.

    Args:
        values: Network -> condition -> ``map``, ``random``, ``by_quality``.
    """
    gains, over_random, over_quality = [], [], []
    for found in values.values():
        common = found[by_predictor(COMMON)]
        gains.append(common["map"] - found[BEFORE]["map"])
        if common["random"] is not None:
            over_random.append(common["map"] - common["random"])
            over_quality.append(common["map"] - common["by_quality"])
    notes = [
        "the paper: mAP rises in all tested networks; "
        f"{_holds(min(gains) > 0)}: {_maps(gains)} by the common predictor; any picture that is "
        "replaced by its uncompressed one raises mAP, so the controls replace as many others"
    ]
    if over_random:
        notes.append(
            "the common predictor's mAP less that of replacing as many others: drawn at random "
            f"(once) {_maps(over_random)}, of the lowest JPEG quality {_maps(over_quality)}"
        )
    return notes


def task_notes(values: Mapping[str, Mapping[str, Any]], own: str, key: str) -> list[str]:
    """Return what Table III or IV says of predictors of the other task.

    Args:
        values: Network -> the task that was trained for -> its scores.
        own: The task that the networks do.
        key: ``accuracy`` or ``map``.
    """
    other = "detection" if own == "classification" else "classification"
    same = f"{other}, as many {'kept' if own == 'classification' else 'replaced'}"
    text = _points if key == "accuracy" else _maps
    losses, even = [], []
    for found in values.values():
        first, second, third = (_first(found[name][key]) for name in (own, other, same))
        if None in (first, second, third):
            return ["a predictor lets no picture through: nothing can be said"]
        losses.append(first - second)
        even.append(first - third)
    small = all(abs(loss) <= _NEGLIGIBLE for loss in losses)
    return [
        f"the paper: {'about 2% or less' if key == 'accuracy' else 'a negligible difference'} "
        f"between the tasks; {_holds(small)} (taken as {_NEGLIGIBLE:g} of 1): predictors trained "
        f"for the task itself are {text(losses)}{' points' if key == 'accuracy' else ''} ahead",
        "predictors of the two tasks do not let the same number through; where the other one's "
        "best-ranked pictures are taken, as many as the task's own lets through, the task's own is "
        f"{text(even)}{' points' if key == 'accuracy' else ''} ahead",
    ]


def combined_note(accuracies: Mapping[str, float], table: str) -> str:
    """Return whether the common label is predicted best, as the paper's tables have it."""
    others = {name: value for name, value in accuracies.items() if name != COMMON}
    best = max(others, key=lambda name: others[name])
    return (
        f"the paper ({table}): the common label is predicted best; "
        f"{_holds(accuracies[COMMON] > others[best])}: {100 * accuracies[COMMON]:.1f}% against "
        f"{100 * others[best]:.1f}% at best ({best}); images on which machines differ have no "
        "common label, so it is the easier question"
    )


def target_note(name: str, reached: Target) -> str:
    """Return whether a predictor reaches what was set for it: 90%, and 5 points ahead."""
    good = reached.accuracy.value >= _WANTED and reached.ahead.value >= _AHEAD
    return (
        f"{name}: 90% and 5 points above {reached.rule} were wanted; "
        f"{'both are reached' if good else 'not both are reached'}: "
        f"{reached.accuracy.percent()}, ahead by {reached.ahead.percent()}"
    )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _holds(yes: bool) -> str:
    return "holds here" if yes else "does not hold here"


def _points(shares: Sequence[float]) -> str:
    return _span([100 * share for share in shares], "+.1f")


def _maps(values: Sequence[float]) -> str:
    return _span(values, "+.3f")


def _span(values: Sequence[float], form: str) -> str:
    low, high = min(values), max(values)
    texts = dict.fromkeys((format(low, form), format(high, form)))
    return " to ".join(texts)
