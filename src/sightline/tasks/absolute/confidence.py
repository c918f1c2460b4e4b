"""How likely an answer lies within a radius of the truth; imports without torch.

One logistic function for answers of the map and one for those of a network alone, both weighing
evidence without a unit: lengths count in radii. Weights are fitted where truth is known
(``sightline calibrate``), or those of rendered floors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.geometry.rotation import Array
from sightline.learning.calibration import confidences, fit_confidence
from sightline.records.files import read_toml, write_toml

if TYPE_CHECKING:
    from sightline.reconstruction.evidence import PoseEvidence

Kind = Literal["refined", "regressed"]

#: Half a metre: the same room, the same side of a door.
RADIUS_M = 0.5

#: Where no scale is known, the radius is this share of the distance from which the map's frames see
#: its points: half a metre where that is three.
RADIUS_SHARE = 1 / 6

#: What is weighed, in the order of :func:`refined_vector` and :func:`regressed_vector`.
NAMES: dict[Kind, tuple[str, ...]] = {
    "refined": (
        "inliers", "share", "support", "coverage", "similarity", "error", "deviation", "halves",
        "rival", "network", "no_network",
    ),
    "regressed": ("spread", "similarity"),
}  # fmt: skip

#: 1 where more may only speak for an answer, -1 where it may only speak against it, 0 where that is
#: open.
SIGNS: dict[Kind, tuple[int, ...]] = {
    "refined": (1, 1, 1, 1, 1, -1, -1, -1, -1, -1, 0),
    "regressed": (-1, 1),
}

_FOLDS = 5


def refined_vector(evidence: PoseEvidence, network_apart: float | None, radius: float) -> Array:
    """Return (11,) what is weighed for an answer of the map: bounded, on scales of about one.

    Args:
        evidence: Lengths in the unit of ``radius``.
        network_apart: Distance to the network's centre; None where no network answered, which has a
            weight of its own: it is no agreement.
        radius: Within it an answer is right.
    """
    rival = evidence.rival if evidence.rival_apart > radius else 0.0
    return np.array(
        [
            math.log(min(max(evidence.inliers, 4), 500) / 20.0),
            evidence.share,
            min(evidence.support, 1.0),
            evidence.coverage,
            _similarity(evidence.similarity),
            min(evidence.error, 1.0),
            _log_length(evidence.deviation, radius),
            _log_length(evidence.halves, radius),
            min(rival, 1.0),
            0.0 if network_apart is None else math.log1p(min(network_apart / radius, 100.0)),
            1.0 if network_apart is None else 0.0,
        ]
    )


def regressed_vector(spread: float | None, similarity: float | None, radius: float) -> Array:
    """Return (2,) what is weighed for a network's answer.

    Args:
        spread: Deviation of the centre over the network's own doubt; None where it has none.
        similarity: Appearance similarity to the map's frames; None without a map.
        radius: Within it an answer is right.
    """
    doubt = 0.0 if spread is None else _log_length(spread, radius)
    return np.array([doubt, 1.0 if similarity is None else _similarity(similarity)])


def _similarity(similarity: float) -> float:
    return min(max(similarity, 0.0), 1.5)


def _log_length(length: float, radius: float) -> float:
    """Return the logarithm of a length in radii, from 1/1000 of one to 10."""
    return math.log(min(max(length / radius, 1e-3), 10.0))


@dataclass(frozen=True)
class Weights:
    """One logistic function.

    Attributes:
        values: Of a constant, and of each number that is weighed.
        origin: ``shipped`` (rendered floors), ``scaled`` (those, with slope and constant of this
            place), or ``fitted`` (here).
        about: What they were fitted on.
    """

    values: tuple[float, ...]
    origin: Literal["shipped", "scaled", "fitted"] = "shipped"
    about: Mapping[str, Any] = field(default_factory=dict)

    def of(self, vectors: Array) -> Array:
        """Return (N,) confidences of (N, K) vectors."""
        return confidences(self.values, np.asarray(vectors, dtype=np.float64))


#: Weights of answers within 0.5 m. Refined: fitted on 256 answers, believed or not, 111 of them
#: wrong (107 to photos of elsewhere), by ``python benchmarks/pose_confidence.py --photos 20 --fit
#: SMALL/place FLOOR22=WALK22 --elsewhere SMALL/place=SMALL/elsewhere FLOOR22=DEMO_PHOTOS``: SMALL
#: is the floor of ``tests/floor_place.py``; FLOOR22 and WALK22 are ``sightline render floor --seed
#: 22 --video-fps 10 --second-frames 60``, built with ``--frames.fps 5 --reconstruction.quality
#: low``, and its second walk; DEMO_PHOTOS is that of ``sightline demo``. Regressed: the share of
#: second-walk answers of small networks that were right, 6 of 80 in two demos; their doubt weighs
#: nothing until a place is calibrated.
SHIPPED: dict[Kind, Weights] = {
    "refined": Weights(
        (-8.225, 0.0, 15.554, 11.431, 3.497, 0.0, 0.0, -0.365, 0.0, -6.398, 0.0, 0.0)
    ),
    "regressed": Weights((-2.512, 0.0, 0.0)),
}


@dataclass(frozen=True)
class ConfidenceModel:
    """From evidence to the probability that an answer is within a radius.

    Attributes:
        radius: In the place's unit.
        refined: Weights of answers of the map.
        regressed: Weights of answers of a network alone.
        about: What the place was calibrated on; empty where it was not.
    """

    radius: float = RADIUS_M
    refined: Weights = SHIPPED["refined"]
    regressed: Weights = SHIPPED["regressed"]
    about: Mapping[str, Any] = field(default_factory=dict)

    def of_refined(self, evidence: PoseEvidence, network_apart: float | None) -> float:
        """Return the confidence in an answer of the map."""
        vector = refined_vector(evidence, network_apart, self.radius)
        return float(self.refined.of(vector[None])[0])

    def of_regressed(self, spread: float | None, similarity: float | None) -> float:
        """Return the confidence in an answer of a network alone."""
        return float(self.regressed.of(regressed_vector(spread, similarity, self.radius)[None])[0])

    def write(self, path: Path) -> None:
        """Write the model as TOML, atomically."""
        tables: dict[str, Any] = {}
        for kind, names in NAMES.items():
            weights: Weights = getattr(self, kind)
            named = dict(zip(("constant", *names), weights.values, strict=True))
            tables[kind] = {"origin": weights.origin, **weights.about, "weights": named}
        write_toml(path, {"radius": self.radius, "calibrated_on": dict(self.about), **tables})

    @classmethod
    def read(cls, path: Path) -> ConfidenceModel:
        """Return a written model.

        Raises:
            InputError: The file is missing, is not TOML, or lacks a weight.
        """
        content = read_toml(path)
        try:
            kinds = {kind: _weights(kind, content[kind]) for kind in NAMES}
            radius = float(content["radius"])
            about = dict(content.get("calibrated_on", {}))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: a calibration is wanted, {error} does not read; run `sightline "
                "calibrate` again"
            ) from error
        return cls(radius, kinds["refined"], kinds["regressed"], about)


def _weights(kind: Kind, table: Mapping[str, Any]) -> Weights:
    values = tuple(float(table["weights"][name]) for name in ("constant", *NAMES[kind]))
    if not np.isfinite(values).all():
        raise ValueError(f"a weight of {kind} that is not finite")
    about = {k: v for k, v in table.items() if k not in ("origin", "weights")}
    return Weights(values, table["origin"], about)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Weights that suit a place best.

    Attributes:
        weights: Fitted on all answers.
        held_out: (N,) confidence of each answer by weights fitted without its own source.
    """

    weights: Weights
    held_out: Array


def calibrate(
    kind: Kind, vectors: Array, right: NDArray[np.bool_], sources: Sequence[int]
) -> Calibrated:
    """Return the weights with the least log loss on answers they were not fitted on.

    Tried are the shipped weights, those with a slope and a constant of this place's own, and
    weights fitted here; the latter only where there are enough answers, right and wrong ones.

    Args:
        kind: Of the answers.
        vectors: (N, K) what is weighed.
        right: (N,) whether each is right.
        sources: (N,) photos of a source (all copies of a frame, and its neighbours) are held out
            together.
    """
    _, source = np.unique(np.asarray(sources), return_inverse=True)
    fold = source * _FOLDS // max(int(source.max(initial=0)) + 1, 1)
    best = Calibrated(SHIPPED[kind], SHIPPED[kind].of(vectors))
    for origin, fit in (("scaled", _scaled), ("fitted", _fitted)):
        held_out = np.full(len(right), np.nan)
        for k in np.unique(fold):
            weights = fit(kind, vectors[fold != k], right[fold != k])
            if weights:
                held_out[fold == k] = confidences(weights, vectors[fold == k])
        whole = fit(kind, vectors, right)
        better = np.isfinite(held_out).all() and _log_loss(held_out, right) < _log_loss(
            best.held_out, right
        )
        if whole and better:
            about = {"answers": len(right), "wrong": int((~right).sum())}
            best = Calibrated(Weights(whole, origin, about), held_out)  # type: ignore[arg-type]
    return best


def _scaled(kind: Kind, vectors: Array, right: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the shipped weights with slope and constant fitted (Platt 1999); () of too few."""
    shipped = np.array(SHIPPED[kind].values)
    score = shipped[0] + vectors @ shipped[1:]
    found = fit_confidence(score[:, None], right, signs=(1,))
    if not found:
        return ()
    constant, slope = found
    return (constant + slope * float(shipped[0]), *(slope * float(w) for w in shipped[1:]))


def _fitted(kind: Kind, vectors: Array, right: NDArray[np.bool_]) -> tuple[float, ...]:
    return fit_confidence(vectors, right, signs=SIGNS[kind])


def _log_loss(likely: Array, right: NDArray[np.bool_]) -> float:
    held = np.clip(np.where(right, likely, 1.0 - likely), 1e-6, 1.0)
    return float(-np.log(held).mean()) if len(held) else math.inf
