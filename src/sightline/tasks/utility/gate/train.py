"""Train the gate on labels of localisation: a few hundred numbers, fitted in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.learning.calibration import fit_confidence
from sightline.media.image_sources import read_image
from sightline.records.files import atomic_path, digest_files, write_toml
from sightline.records.utility import UtilitySet
from sightline.tasks.utility.copies import distorted_copy
from sightline.tasks.utility.gate.measures import NAMES, measure
from sightline.tasks.utility.gate.network import CONFIG, WEIGHTS, Gate, load_gate

Progress = Callable[[str, float], None]
Floats = NDArray[np.float64]

#: Units of the one hidden layer.
HIDDEN = 8

#: Pull of the weights towards zero: labels come in groups of one photo, of one building.
DECAY = 0.003

#: The share of the photos that are localised which the gate may refuse, by validation. The
#: bound is 0.05.
REFUSED = 0.03

#: Smallest spread of a measure that counts as one.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True, eq=False)
class Measured:
    """Photos with labels, as the gate sees them.

    Attributes:
        measures: (N, len(NAMES)).
        useful: (N,) whether they were localised.
    """

    measures: NDArray[np.float32]
    useful: NDArray[np.bool_]


def measured(
    sets: Sequence[UtilitySet], progress: Progress = lambda _stage, _fraction: None
) -> Measured:
    """Return the measures of all labelled photos of some sets.

    Raises:
        InputError: They have not both labels.
        MediaError: A photo cannot be read.
    """
    rows: list[NDArray[np.float32]] = []
    useful: list[bool] = []
    for data in sets:
        items = [item for item in data.items if item.utility is not None]
        for name, copies in groupby(items, key=lambda item: item.image):
            image = read_image(data.images_root / name)
            for item in copies:
                progress(f"measuring photos of {data.name}", len(useful) / len(items))
                rows.append(measure(distorted_copy(image, item)[1]))
                useful.append(item.utility == 1)
    if len(set(useful)) < 2:
        raise InputError(
            f"photos that are localised and photos that are not are wanted, {len(useful)} of "
            "one kind came; label more distortions"
        )
    return Measured(np.stack(rows), np.array(useful))


def train_gate(
    training: Measured,
    validation: Measured,
    out: Path,
    *,
    name: str = "pose gate",
    seed: int = 0,
    **about: dict[str, Any],
) -> Gate:
    """Return a gate trained, calibrated and written to a folder.

    Cross-entropy on standardised measures; the probability is calibrated on validation photos,
    of another place where there is one, and the threshold put where it refuses 3 % of those that
    are localised.

    Args:
        training: Photos to learn from.
        validation: Photos of other sources.
        out: The gate's folder.
        name: As messages show it.
        seed: Of the first weights.
        about: Tables for ``config.toml`` that say what it was made of.
    """
    mean = training.measures.mean(axis=0)
    spread = np.maximum(training.measures.std(axis=0), _LEAST_SPREAD)
    hidden, hidden_bias, weights, bias = _fit(
        ((training.measures - mean) / spread).astype(np.float64), training.useful, seed
    )
    arrays = {
        "mean": mean,
        "spread": spread,
        "hidden": hidden,
        "hidden_bias": hidden_bias,
        "out": weights,
        "out_bias": np.array([bias]),
    }
    single = {key: np.ascontiguousarray(value, np.float32) for key, value in arrays.items()}
    single = _calibrated(Gate(name, "", 0.5, single), validation)
    scores = Gate(name, "", 0.5, single).of_measures(validation.measures)
    threshold = float(np.quantile(scores[validation.useful], REFUSED))
    _write(out, name, threshold, single, about)
    return load_gate(out)


def _calibrated(gate: Gate, validation: Measured) -> dict[str, NDArray[np.float32]]:
    """Return the weights with the last layer scaled so that validation's probabilities hold."""
    p = gate.of_measures(validation.measures).astype(np.float64)
    logits = np.log(np.clip(p, 1e-9, 1) / np.clip(1 - p, 1e-9, 1))
    fitted = fit_confidence(logits[:, None], validation.useful, (1,))
    if not fitted:
        raise InputError(
            "50 photos to calibrate on, 5 of each kind, are wanted; "
            f"{len(p)} came, {int(validation.useful.sum())} of them localised"
        )
    constant, scale = fitted
    out = gate.arrays["out"] * scale
    bias = gate.arrays["out_bias"] * scale + constant
    return {**gate.arrays, "out": out.astype(np.float32), "out_bias": bias.astype(np.float32)}


def _fit(
    inputs: Floats, useful: NDArray[np.bool_], seed: int
) -> tuple[Floats, Floats, Floats, float]:
    """Return the layers that minimise the cross-entropy, by L-BFGS."""
    from scipy.optimize import minimize
    from scipy.special import expit

    width = inputs.shape[1]
    rng = np.random.default_rng(seed)
    first = np.concatenate(
        [
            rng.normal(0, width**-0.5, width * HIDDEN),
            np.zeros(HIDDEN),
            rng.normal(0, HIDDEN**-0.5, HIDDEN),
            np.zeros(1),
        ]
    )
    cuts = np.cumsum([width * HIDDEN, HIDDEN, HIDDEN])
    target = useful.astype(np.float64)

    def cost(flat: Floats) -> tuple[float, Floats]:
        hidden, shift, out, bias = np.split(flat, cuts)
        hidden = hidden.reshape(width, HIDDEN)
        units = np.tanh(inputs @ hidden + shift)
        logits = units @ out + bias[0]
        loss = (np.logaddexp(0.0, logits) - target * logits).mean()
        off = (expit(logits) - target) / len(target)
        back = off[:, None] * out * (1.0 - units**2)
        gradient = [
            (inputs.T @ back + DECAY * hidden).ravel(),
            back.sum(axis=0),
            units.T @ off + DECAY * out,
            np.array([off.sum()]),
        ]
        pull = 0.5 * DECAY * ((hidden**2).sum() + (out**2).sum())
        return float(loss + pull), np.concatenate(gradient)

    found = minimize(cost, first, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    hidden, shift, out, bias = np.split(found, cuts)
    return hidden.reshape(width, HIDDEN), shift, out, float(bias[0])


def _write(
    out: Path,
    name: str,
    threshold: float,
    arrays: dict[str, NDArray[np.float32]],
    about: dict[str, dict[str, Any]],
) -> None:
    from safetensors.numpy import save_file

    with atomic_path(out / WEIGHTS) as temporary:
        save_file(arrays, temporary)
    config = {"name": name, "threshold": threshold, "measures": list(NAMES), **about}
    write_toml(out / CONFIG, {**config, "weights": digest_files([out / WEIGHTS], names=False)})
