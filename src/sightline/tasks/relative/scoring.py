"""What ``sightline evaluate relative`` can be told, and what it does; imports without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import InputError
from sightline.learning.runs import is_run
from sightline.records.files import digest

if TYPE_CHECKING:
    from sightline.records.pairs import PairSet
    from sightline.records.views import RelativeMethod

#: What is compared where nothing is asked for.
DEFAULT_METHODS = ("auto", "cnn", "sift", "sift+opencv", "orb", "orb+opencv", "akaze")


@dataclass(frozen=True)
class RelativeScoring:
    """What is compared, and on what."""

    methods: tuple[str, ...] | None = None
    """auto, cnn, sift, orb, akaze ... with +poselib or +opencv; none = the usual ones; for a run,
    that run alone."""
    size: str = "full"
    """full, equal (every image resized to 227x227, as the paper) or crop (its centre crop)."""
    max_pairs: int | None = None
    """So many of the pairs that are judged of each set, drawn by a seed."""
    out: Path | None = None
    """Where predictions, metrics and plots go; one goes on where it stopped."""


def score(
    subjects: Sequence[Path], scoring: RelativeScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of runs and methods on pair sets.

    A run among the subjects joins the methods; without a pair set beside it, it is scored on the
    test part of what it was trained on. Constant and same-pose predictors are always there.

    Args:
        subjects: Run folders, and whatever ``open_pairs`` reads.
        scoring: What is compared.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: No subject, an unknown method, or a set that cannot be read.
    """
    from sightline.datasets.pairs import open_pairs
    from sightline.tasks.relative.evaluate import evaluate_methods
    from sightline.tasks.relative.predict import load_run, run_pairs
    from sightline.tasks.relative.sizes import at_size

    if not subjects:
        raise InputError("a run folder or image pairs are wanted, nothing came")
    runs = [path for path in subjects if is_run(path)]
    training = run_pairs(runs[0]) if runs else None
    sets = [open_pairs(path) for path in subjects if path not in runs]
    if training is not None and not sets:
        sets = [training]
    sets = [_drawn(pairs, scoring.max_pairs) for pairs in sets]
    names = scoring.methods if scoring.methods is not None else (() if runs else DEFAULT_METHODS)
    methods: list[RelativeMethod] = [load_run(path) for path in runs]
    methods += [make_method(name) for name in names]
    out = scoring.out or (runs[0] if runs else Path("runs") / f"relative-{_key(subjects)}")
    return evaluate_methods(
        sets, [at_size(method, scoring.size) for method in methods], out, progress, training
    )


def make_method(name: str, run: Path | None = None) -> RelativeMethod:
    """Return a method by name.

    Args:
        name: ``auto``, ``cnn``, or a classical one (``sift``, ``orb+opencv``, ...).
        run: Run folder of the network that ``cnn`` and ``auto`` use; the bundled one where None.

    Raises:
        InputError: An unknown name, or a method that this machine has not.
        WeightsError: ``cnn`` without a run where no network is bundled.
    """
    from sightline.tasks.relative.auto import AutoMethod
    from sightline.tasks.relative.classical import classical_method
    from sightline.tasks.relative.predict import default_model, load_run, need_default_model

    if name == "auto":
        return AutoMethod(default_model() if run is None else load_run(run))
    if name == "cnn":
        return need_default_model() if run is None else load_run(run)
    return classical_method(name)


def _drawn(pairs: PairSet, count: int | None) -> PairSet:
    """Return the set with so many of the pairs that are judged; its other parts stay whole."""
    from sightline.datasets.pairs import draw_pairs

    if count is None:
        return pairs
    if "test" not in pairs.splits():
        return draw_pairs(pairs, count)
    others = tuple(pair for pair in pairs.pairs if pair.split != "test")
    return dataclasses.replace(pairs, pairs=others + draw_pairs(pairs.part("test"), count).pairs)


def _key(subjects: Sequence[Path]) -> str:
    return digest([str(path.resolve()) for path in subjects])[:8]
