"""A place's trained networks: which there are, the best, and its answers in today's world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.errors import PlaceError
from sightline.geometry import Pose, Similarity
from sightline.records import Place
from sightline.records.files import read_toml
from sightline.records.place import alignment_similarity
from sightline.tasks.absolute.metrics import PosePredictions


class PoseNetwork(Protocol):
    """A trained absolute pose network."""

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> PosePredictions:
        """Return world_from_cam of N uint8 RGB images; None for one without an answer."""


@runtime_checkable
class DoubtingNetwork(PoseNetwork, Protocol):
    """A network that says how unsure it is."""

    def predict_with_spread(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> tuple[PosePredictions, NDArray[np.float64] | None]:
        """Return the poses, and (N,) deviations of their centres; None where it cannot tell."""


class CarriedNetwork:
    """A network trained before its place was aligned anew, answering in the world of now."""

    def __init__(self, network: PoseNetwork, now_from_then: Similarity) -> None:
        """Carry the answers of ``network`` over."""
        self._network = network
        self._now_from_then = now_from_then

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> PosePredictions:
        """Return world_from_cam of N uint8 RGB images; None for one without an answer."""
        return self._carried(self._network.predict(images))

    def predict_with_spread(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> tuple[PosePredictions, NDArray[np.float64] | None]:
        """Return the poses, and (N,) deviations of their centres; None where it cannot tell."""
        poses, spread = predict_with_spread(self._network, images)
        return self._carried(poses), None if spread is None else self._now_from_then.scale * spread

    def _carried(self, poses: PosePredictions) -> PosePredictions:
        if isinstance(poses, Pose):
            return self._now_from_then.apply_pose(poses)
        each = [poses[i] for i in range(len(poses))]
        return [None if pose is None else self._now_from_then.apply_pose(pose) for pose in each]


def predict_with_spread(
    network: PoseNetwork, images: Sequence[NDArray[np.uint8]]
) -> tuple[PosePredictions, NDArray[np.float64] | None]:
    """Return a network's poses, and (N,) deviations of their centres where it can tell them."""
    if isinstance(network, DoubtingNetwork):
        return network.predict_with_spread(images)
    return network.predict(images), None


def trained_runs(place: Place) -> list[str]:
    """Return the names of the place's finished runs, best validation first."""
    if not place.runs_dir.is_dir():
        return []
    runs = [p for p in place.runs_dir.iterdir() if (p / "model.safetensors").is_file()]
    return [p.name for p in sorted(runs, key=lambda p: (_validation_error(p), p.name))]


def open_network(place: Place, run: str | None) -> tuple[PoseNetwork | None, str | None]:
    """Return a run's network and name; without a name the best, or None twice.

    A place that was aligned anew since the training gets the network's answers carried over; a run
    of a map that is no more is passed by.

    Raises:
        PlaceError: There is no such run, or it belongs to a map that is no more.
    """
    runs = trained_runs(place)
    if run is not None and run not in runs:
        known = ", ".join(runs) or "none yet"
        raise PlaceError(f"a run of {place.runs_dir} is wanted ({known}), {run!r} came")
    from sightline.tasks.absolute.models import load_model

    for name in runs if run is None else [run]:
        now_from_then = _now_from_then(place, place.runs_dir / name)
        if now_from_then is not None:
            network = load_model(place.runs_dir / name)
            if _is_identity(now_from_then):
                return network, name
            return CarriedNetwork(network, now_from_then), name
    if run is not None:
        raise PlaceError(
            f"{run} was trained in the world of a map that has been remade; train again with "
            f"`sightline train absolute {place.root}` and another name"
        )
    return None, None


def _now_from_then(place: Place, run_dir: Path) -> Similarity | None:
    """Return what moves a run's answers into today's world, None where its map is no more."""
    then = read_toml(run_dir / "config.toml").get("run", {}).get("alignment", {})
    now = place.alignment
    if not then or not now:
        return Similarity.identity()
    if then.get("map_digest") != now.get("map_digest"):
        return None
    return place.world_from_map @ alignment_similarity(then).inverse()


def _is_identity(similarity: Similarity) -> bool:
    corners = np.vstack([np.zeros(3), np.eye(3)])
    return bool(np.allclose(similarity.apply(corners), corners, atol=1e-9))


def _validation_error(run_dir: Path) -> float:
    """Return the run's median validation error, infinite where none is known.

    A network that leaves most photos unanswered has no median over all of them.
    """
    path = run_dir / "metrics.json"
    if not path.is_file():
        return float("inf")
    splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
    scores = splits.get("validation", {})
    if scores.get("answered", 1.0) <= 0.5:
        return float("inf")
    return float(scores.get("median_position", "inf"))
