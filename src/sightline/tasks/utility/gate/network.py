"""The gate: how likely a photo is to be localised, before anybody tries; imports without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import WeightsError
from sightline.records.files import digest_files, read_toml
from sightline.tasks.utility.gate.measures import NAMES, measure, reason_of

#: The gate that comes with the package.
BUNDLED = Path(__file__).with_name("weights")

CONFIG, WEIGHTS = "config.toml", "model.safetensors"

_ARRAYS = ("mean", "spread", "hidden", "hidden_bias", "out", "out_bias")


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a photo.

    Attributes:
        score: Probability that the photo is localised, where its place is mapped.
        reason: The most likely cause where the score is low, as in "this photo is too blurred".
    """

    score: float
    reason: str


@dataclass(frozen=True, eq=False)
class Gate:
    """A small network over the measures of a photo; safe to call from several threads.

    Attributes:
        name: As messages show it.
        digest: Of its weights: the same digest, the same scores.
        threshold: Photos of this score and more are of use, by validation.
    """

    name: str
    digest: str
    threshold: float
    arrays: Mapping[str, NDArray[np.float32]]

    def utility(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N,) calibrated probabilities that photos are localised.

        Args:
            images: (H, W, 3) uint8 RGB, each of any size.
        """
        return self.of_measures(np.stack([measure(image) for image in images]))

    def of_measures(self, measures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N,) the same from (N, len(NAMES)) measures."""
        a = self.arrays
        hidden = np.tanh((measures - a["mean"]) / a["spread"] @ a["hidden"] + a["hidden_bias"])
        logits = hidden @ a["out"] + a["out_bias"]
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)

    def judge(self, image: NDArray[np.uint8]) -> Verdict:
        """Return the score of one photo, and what is most likely wrong with it."""
        measures = measure(image)
        return Verdict(float(self.of_measures(measures[None])[0]), reason_of(measures))


def load_gate(folder: Path = BUNDLED) -> Gate:
    """Return the gate of a folder; the package's own where none is given.

    Raises:
        WeightsError: The folder has none, or one of other measures.
    """
    weights = folder / WEIGHTS
    return _read_gate(folder, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=2)
def _read_gate(folder: Path, _written_ns: int) -> Gate:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    config = read_toml(folder / CONFIG)
    try:
        arrays = load_file(folder / WEIGHTS)
        fits = tuple(config["measures"]) == NAMES and set(arrays) == set(_ARRAYS)
        threshold, name = float(config["threshold"]), str(config["name"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder} holds no gate ({error}); install the package anew") from error
    if not fits:
        raise WeightsError(
            f"{folder}: a gate over the measures {', '.join(NAMES)} is wanted, another came; "
            "train it anew (benchmarks/utility_gate.py --train)"
        )
    return Gate(name, digest_files([folder / WEIGHTS]), threshold, arrays)
